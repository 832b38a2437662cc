/* import_portkey: a Portkey gateway config (the JSON of x-portkey-config). Its targets become the targets of one
 * name, "portkey", which clients then ask for; nested strategies are flattened in their order. */
#include "insight/import.h"

#include "insight/lazy.h"
#include "insight/models.h"

#include <stdio.h>

enum { NEST_MAX = 6 };

static const struct setting {
    const char *key;
    enum import_fit fit;
    const char *note;
} settings[] = {
    {"targets", FIT_EXACT, ""},
    {"provider", FIT_EXACT, ""},
    {"weight", FIT_EXACT, "as the weight of the target"},
    {"name", FIT_EXACT, "not needed"},
    {"override_params", FIT_APPROXIMATE, "only model is taken; dray does not change what else clients ask for"},
    {"custom_host", FIT_EXACT, "as base_url"},
    {"api_key", FIT_MANUAL,
     "a credential is not copied: put it into the environment under the name in the result"},
    {"virtual_key", FIT_MANUAL,
     "Portkey keeps the key behind it: put the key into the environment under the name in the result"},
    {"retry", FIT_APPROXIMATE, "dray retries by fault: once more where it is safe, then the next target"},
    {"cache", FIT_UNSUPPORTED, "no answer cache yet"},
    {"request_timeout", FIT_EXACT, "as the timeout"},
    {"forward_headers", FIT_MANUAL, "see forward_headers of the provider"},
    {"input_guardrails", FIT_UNSUPPORTED, "no guardrails"},
    {"output_guardrails", FIT_UNSUPPORTED, "no guardrails"},
    {"before_request_hooks", FIT_UNSUPPORTED, "no hooks"},
    {"after_request_hooks", FIT_UNSUPPORTED, "no hooks"},
    {"strict_open_ai_compliance", FIT_APPROXIMATE, "see translation"},
    {"metadata", FIT_EXACT, "rules can name metadata of requests"},
};

static void report(struct import *m, str key) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (!str_eqz(key, settings[i].key)) continue;
        import_note(m, settings[i].fit, key, 0, settings[i].note);
        return;
    }
    import_note(m, FIT_UNSUPPORTED, key, 0, "not known to dray");
}

static void strategy(struct import *m, jval v) {
    jval mode = lazy_get(v, STR("mode"));
    str s = mode.type == J_STRING ? mode.raw : STR("single");
    m->weighted = str_eq(s, STR("loadbalance"));
    bool known = m->weighted || str_eq(s, STR("fallback")) || str_eq(s, STR("single"));
    import_note(m, known ? FIT_EXACT : FIT_MANUAL, STR("strategy"), 0,
                known ? "as the balance of the tier" : "write a rule of the policy for each condition");
    if (lazy_present(lazy_get(v, STR("on_status_codes"))))
        import_note(m, FIT_APPROXIMATE, STR("strategy.on_status_codes"), 0,
                    "dray falls back by kind of fault: overload, rate limit, server error, timeout");
}

static void target(struct import *m, jval t, unsigned depth) {
    jval list = lazy_get(t, STR("targets")), v;
    struct lazy_it it = lazy_iter(t);
    str key;
    while (lazy_next(&it, &key, &v))
        if (str_eq(key, STR("strategy")))
            strategy(m, v);
        else
            report(m, key);
    if (list.type == J_ARRAY && depth < NEST_MAX) {
        struct lazy_it items = lazy_iter(list);
        while (lazy_item(&items, &v)) target(m, v, depth + 1);
        return;
    }
    jval p = lazy_get(t, STR("provider"));
    if (p.type != J_STRING) {
        if (depth)
            import_note(m, FIT_MANUAL, STR("targets"), 0,
                        "a target without a provider (a virtual key only): add its provider by hand");
        return;
    }
    str name = lazy_text(p, &m->a), is = provider_alias(str_starts(name, STR("@")) ? str_skip(name, 1) : name);
    const struct provider_kind *k = provider_kind_find(is);
    if (!k) {
        import_note(m, FIT_UNSUPPORTED, arena_printf(&m->a, "provider " STR_FMT, STR_ARG(str_take(name, 60))), 0,
                    "dray has no such provider: left out");
        return;
    }
    jval timeout = lazy_get(t, STR("request_timeout")), model = lazy_path(t, "override_params.model", &m->a),
         weight = lazy_get(t, STR("weight"));
    int64_t ms;
    double w;
    str t_ms = lazy_i64(timeout, &ms) && ms > 0 ? arena_printf(&m->a, "%lldms", (long long)ms) : STR_NONE;
    str env = k->key_env ? arena_printf(&m->a, "${%s}", k->key_env) : STR_NONE;
    unsigned i = import_provider(m, is, lazy_text(lazy_get(t, STR("custom_host")), &m->a), env, t_ms);
    if (model.type != J_STRING) {
        import_note(m, FIT_APPROXIMATE, STR("override_params.model"), 0,
                    "a target that takes the client's model: ask dray for provider/model");
        return;
    }
    struct import_model *o = import_model(m, STR("portkey"), i, lazy_text(model, &m->a));
    if (lazy_f64(weight, &w) && w > 0 && w <= 1000) o->weight = (unsigned)(w < 10 ? w * 100 + 0.5 : w);
}

bool import_portkey(struct import *m, str text, err *e) {
    jval root;
    if (!lazy_value(text.p, text.p + text.n, &root) || root.type != J_OBJECT)
        return fail(e, "not a JSON object: is this a Portkey config?");
    target(m, root, 0);
    int64_t ms;
    if (lazy_i64(lazy_get(root, STR("request_timeout")), &ms) && ms > 0)
        m->timeout = arena_printf(&m->a, "%lldms", (long long)ms);
    return m->providers > 0 || fail(e, "no target of this configuration could be carried over");
}
