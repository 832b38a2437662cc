/* import_litellm: LiteLLM's proxy configuration. One row per setting it has: how well dray carries it, and what
 * to do where it doesn't; the few that need work have code below. */
#include "insight/import.h"

#include "insight/models.h"

#include <stdio.h>

static const struct setting {
    const char *path;
    enum import_fit fit;
    const char *note;
} settings[] = {
    {"litellm_params.model", FIT_EXACT, ""},
    {"litellm_params.api_key", FIT_EXACT, ""},
    {"litellm_params.api_base", FIT_EXACT, ""},
    {"litellm_params.base_url", FIT_EXACT, ""},
    {"litellm_params.custom_llm_provider", FIT_EXACT, ""},
    {"litellm_params.api_version", FIT_MANUAL,
     "dray speaks Azure's v1 API, which needs no version; the older one with the provider's api_version"},
    {"litellm_params.aws_region_name", FIT_MANUAL, "say it as the provider's region"},
    {"litellm_params.aws_profile_name", FIT_MANUAL, "say it as the provider's profile"},
    {"litellm_params.aws_access_key_id", FIT_MANUAL, "put the key into the environment or a profile"},
    {"litellm_params.aws_secret_access_key", FIT_MANUAL, "put the key into the environment or a profile"},
    {"litellm_params.vertex_project", FIT_MANUAL, "say it as the provider's project"},
    {"litellm_params.vertex_location", FIT_MANUAL, "say it as the provider's region"},
    {"litellm_params.vertex_credentials", FIT_MANUAL, "say the file as the provider's credentials_file"},
    {"litellm_params.weight", FIT_EXACT, "as the weight in the name's tier"},
    {"litellm_params.timeout", FIT_APPROXIMATE, "as the provider's timeout: the first one of its deployments"},
    {"litellm_params.stream_timeout", FIT_MANUAL, "see timeout.first_byte of the provider"},
    {"litellm_params.input_cost_per_token", FIT_EXACT, "as the model's price"},
    {"litellm_params.output_cost_per_token", FIT_EXACT, "as the model's price"},
    {"litellm_params.rpm", FIT_UNSUPPORTED, "no limit per deployment; the provider's own 429 pauses a key"},
    {"litellm_params.tpm", FIT_UNSUPPORTED, "no limit per deployment; the provider's own 429 pauses a key"},
    {"litellm_params.order", FIT_APPROXIMATE, "deployments are tried in the order of the file"},
    {"litellm_params.max_retries", FIT_APPROXIMATE, "dray tries the next target of the tier"},
    {"litellm_params.num_retries", FIT_APPROXIMATE, "dray tries the next target of the tier"},
    {"litellm_params.drop_params", FIT_MANUAL, "see translation"},
    {"litellm_params.max_budget", FIT_UNSUPPORTED, "no budget per deployment"},
    {"litellm_params.budget_duration", FIT_UNSUPPORTED, "no budget per deployment"},
    {"litellm_params.tags", FIT_MANUAL, "write a rule with when: {tag: …}"},
    {"litellm_params.temperature", FIT_UNSUPPORTED, "dray does not change what clients ask for"},
    {"litellm_params.max_tokens", FIT_UNSUPPORTED, "dray does not change what clients ask for"},
    {"litellm_params.litellm_credential_name", FIT_MANUAL, "say the key of the provider"},
    {"model_info.id", FIT_EXACT, "not needed: dray names deployments itself"},
    {"model_info.mode", FIT_EXACT, "the endpoint that is asked decides"},
    {"model_info.base_model", FIT_MANUAL, "say the price of the model if the catalogue doesn't know its name"},
    {"model_info.max_tokens", FIT_APPROXIMATE, "the catalogue's context is used"},
    {"model_info.max_input_tokens", FIT_APPROXIMATE, "the catalogue's context is used"},
    {"litellm_settings.request_timeout", FIT_EXACT, "as timeout"},
    {"litellm_settings.num_retries", FIT_APPROXIMATE,
     "dray retries by fault: once more where it is safe, then the next target"},
    {"litellm_settings.drop_params", FIT_MANUAL, "true is translation: drop in dray, false its default strict"},
    {"litellm_settings.modify_params", FIT_UNSUPPORTED, "dray does not change what clients ask for"},
    {"litellm_settings.fallbacks", FIT_EXACT, "as a tier with balance: priority"},
    {"litellm_settings.default_fallbacks", FIT_MANUAL, "add the model to the tiers that should end with it"},
    {"litellm_settings.context_window_fallbacks", FIT_APPROXIMATE,
     "in a tier, targets whose context is too small are tried last"},
    {"litellm_settings.content_policy_fallbacks", FIT_UNSUPPORTED, "an answer that was filtered is an answer"},
    {"litellm_settings.cache", FIT_UNSUPPORTED, "no answer cache yet"},
    {"litellm_settings.cache_params", FIT_UNSUPPORTED, "no answer cache yet"},
    {"litellm_settings.success_callback", FIT_MANUAL,
     "dray's own ledger has every call; exports are configured apart"},
    {"litellm_settings.failure_callback", FIT_MANUAL,
     "dray's own ledger has every call; exports are configured apart"},
    {"litellm_settings.callbacks", FIT_MANUAL, "dray's own ledger has every call; exports are configured apart"},
    {"litellm_settings.json_logs", FIT_EXACT, "dray always logs JSON"},
    {"litellm_settings.set_verbose", FIT_APPROXIMATE, "see log_level"},
    {"litellm_settings.turn_off_message_logging", FIT_EXACT, "dray stores no texts unless told to"},
    {"litellm_settings.redact_user_api_key_info", FIT_EXACT, "dray keeps no credentials in its ledger"},
    {"litellm_settings.include_cost_in_streaming_usage", FIT_UNSUPPORTED, "costs of streams are in the ledger"},
    {"router_settings.routing_strategy", FIT_APPROXIMATE, "balance of the tiers: weighted, priority or cost"},
    {"router_settings.fallbacks", FIT_EXACT, "as a tier with balance: priority"},
    {"router_settings.default_fallbacks", FIT_MANUAL, "add the model to the tiers that should end with it"},
    {"router_settings.context_window_fallbacks", FIT_APPROXIMATE,
     "in a tier, targets whose context is too small are tried last"},
    {"router_settings.content_policy_fallbacks", FIT_UNSUPPORTED, "an answer that was filtered is an answer"},
    {"router_settings.model_group_alias", FIT_EXACT, "as a name of the model"},
    {"router_settings.num_retries", FIT_APPROXIMATE,
     "dray retries by fault: once more where it is safe, then the next target"},
    {"router_settings.timeout", FIT_EXACT, "as timeout"},
    {"router_settings.allowed_fails", FIT_APPROXIMATE, "dray's health of targets has fixed limits"},
    {"router_settings.cooldown_time", FIT_APPROXIMATE, "dray's health of targets has fixed limits"},
    {"router_settings.enable_pre_call_checks", FIT_EXACT, "contexts and abilities are always looked at"},
    {"router_settings.redis_host", FIT_UNSUPPORTED, "one gateway needs none; shared state comes with shared:"},
    {"router_settings.redis_port", FIT_UNSUPPORTED, "one gateway needs none; shared state comes with shared:"},
    {"router_settings.redis_password", FIT_UNSUPPORTED, "one gateway needs none; shared state comes with shared:"},
    {"router_settings.provider_budget_config", FIT_UNSUPPORTED, "no budget per provider"},
    {"router_settings.enable_tag_filtering", FIT_MANUAL, "write rules with when: {tag: …}"},
    {"general_settings.master_key", FIT_EXACT, "as a key with admin: true"},
    {"general_settings.database_url", FIT_APPROXIMATE, "dray keeps its ledger in SQLite (ledger:)"},
    {"general_settings.store_model_in_db", FIT_UNSUPPORTED, "models stand in the file; SIGHUP reads it again"},
    {"general_settings.store_prompts_in_spend_logs", FIT_MANUAL, "dray stores no texts unless told to"},
    {"general_settings.disable_spend_logs", FIT_UNSUPPORTED, "the ledger is always kept"},
    {"general_settings.maximum_spend_logs_retention_period", FIT_MANUAL, "see keep.calls"},
    {"general_settings.max_parallel_requests", FIT_UNSUPPORTED, "see limits.client_connections"},
    {"general_settings.global_max_parallel_requests", FIT_MANUAL, "see limits.client_connections"},
    {"general_settings.alerting", FIT_UNSUPPORTED, "alert on /metrics"},
    {"general_settings.background_health_checks", FIT_EXACT, "dray learns the health of targets from traffic"},
    {"general_settings.forward_client_headers_to_llm_api", FIT_MANUAL, "see forward_headers of the provider"},
    {"general_settings.allow_requests_on_db_unavailable", FIT_EXACT, "that is on_ledger_full: serve, the default"},
    {"environment_variables", FIT_MANUAL, "set them in the environment of dray"},
    {"credential_list", FIT_MANUAL, "say the keys of the providers"},
    {"include", FIT_MANUAL, "import the included files, too"},
};

static str setting_path(struct import *m, const char *section, str key) {
    return arena_printf(&m->a, "%s." STR_FMT, section, STR_ARG(key));
}

static void report(struct import *m, const char *section, const ynode *n) {
    str path = *section ? setting_path(m, section, n->key) : n->key;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (!str_eqz(path, settings[i].path)) continue;
        import_note(m, settings[i].fit, path, n->key_line, settings[i].note);
        return;
    }
    import_note(m, FIT_UNSUPPORTED, path, n->key_line, "not known to dray");
}

static str text(const ynode *map, const char *key) {
    const ynode *n = yaml_get(map, key);
    return n && n->type == Y_SCALAR && !yaml_is_null(n) ? n->value : STR_NONE;
}

/* "os.environ/NAME" as "${NAME}"; what is written out is not copied. */
static str credential(struct import *m, str value, const char *instead, str setting, unsigned line) {
    if (value.n == 0) return STR_NONE;
    if (str_starts(value, STR("os.environ/")))
        return arena_printf(&m->a, "${" STR_FMT "}", STR_ARG(str_skip(value, 11)));
    import_note(m, FIT_MANUAL, setting, line,
                "a credential written in the file is not copied: put it into the environment under the name in "
                "the result");
    return arena_printf(&m->a, "${%s}", instead);
}

static str address(struct import *m, str value) {
    return str_starts(value, STR("os.environ/"))
               ? arena_printf(&m->a, "${" STR_FMT "}", STR_ARG(str_skip(value, 11)))
               : value;
}

static str seconds(struct import *m, str value) {
    double d;
    if (value.n == 0 || value.n > 20) return STR_NONE;
    char z[24];
    memcpy(z, value.p, value.n);
    z[value.n] = 0;
    return sscanf(z, "%lf", &d) == 1 && d > 0 ? arena_printf(&m->a, "%.0fms", d * 1000) : STR_NONE;
}

static str price(struct import *m, const ynode *params) {
    int64_t in, out;
    char a[40], b[40];
    if (!price_parse(text(params, "input_cost_per_token"), 1, &in)) return STR_NONE;
    if (!price_parse(text(params, "output_cost_per_token"), 1, &out)) out = 0;
    size_t na = fmt_nano(a, in), nb = fmt_nano(b, out); /* nano-dollars per million are dollars per million */
    return arena_printf(&m->a, "{input: %.*s, output: %.*s}", (int)na, a, (int)nb, b);
}

static void deployment(struct import *m, const ynode *d) {
    const ynode *params = yaml_get(d, "litellm_params"), *info = yaml_get(d, "model_info");
    str group = text(d, "model_name"), model = text(params, "model"), kind = text(params, "custom_llm_provider");
    for (const ynode *n = params ? params->child : NULL; n; n = n->next) report(m, "litellm_params", n);
    for (const ynode *n = info ? info->child : NULL; n; n = n->next) report(m, "model_info", n);
    if (group.n == 0 || model.n == 0) {
        import_note(m, FIT_UNSUPPORTED, STR("model_list"), d->line,
                    "an entry without model_name or litellm_params.model");
        return;
    }
    ptrdiff_t slash = str_chr(model, '/');
    if (kind.n == 0 && slash > 0) kind = str_take(model, (size_t)slash);
    if (slash > 0 && str_eq(kind, str_take(model, (size_t)slash))) model = str_skip(model, (size_t)slash + 1);
    if (str_eq(kind, STR("auto_router"))) {
        import_note(m, FIT_MANUAL, STR("model_list.auto_router"), d->line,
                    "dray's auto and its policy do this: set tiers light, mid and frontier");
        return;
    }
    str is = provider_alias(kind.n ? kind : catalog_provider_of(model));
    const struct provider_kind *k = provider_kind_find(is);
    str base = text(params, "api_base").n ? text(params, "api_base") : text(params, "base_url");
    if (!k) {
        char note[200];
        snprintf(note, sizeof note, "dray has no provider \"%.*s\": %s", (int)(kind.n > 60 ? 60 : kind.n), kind.p,
                 base.n ? "taken as OpenAI-compatible at its api_base" : "left out");
        import_note(m, base.n ? FIT_APPROXIMATE : FIT_UNSUPPORTED,
                    arena_printf(&m->a, "model_list." STR_FMT, STR_ARG(group)), d->line, note);
        if (base.n == 0) return;
        is = STR("openai");
        k = provider_kind_find(is);
    }
    str key = credential(m, text(params, "api_key"), k->key_env ? k->key_env : "API_KEY",
                         STR("litellm_params.api_key"), d->line);
    if (key.n == 0 && k->key_env && k->auth != AUTH_AWS) key = arena_printf(&m->a, "${%s}", k->key_env);
    unsigned p = import_provider(m, is, address(m, base), key, seconds(m, text(params, "timeout")));
    if (str_chr(group, '*') >= 0) {
        import_note(m, FIT_EXACT, arena_printf(&m->a, "model_list." STR_FMT, STR_ARG(group)), d->line,
                    "any provider/model name works in dray as it is");
        return;
    }
    struct import_model *o = import_model(m, group, p, model);
    uint64_t w;
    if (str_u64(text(params, "weight"), &w) && w > 0 && w < 1000) o->weight = (unsigned)w;
    if (o->price.n == 0) o->price = price(m, params);
}

/* [{"gpt-4": ["claude", …]}, …] */
static void fallbacks(struct import *m, const ynode *list) {
    for (const ynode *item = list ? list->child : NULL; item; item = item->next) {
        for (const ynode *n = item->child; n; n = n->next) {
            if (n->type != Y_SEQ || m->chains == IMPORT_MODELS_MAX) continue;
            struct import_chain *c = &m->chain[m->chains++];
            *c = (struct import_chain){.group = arena_str(&m->a, n->key)};
            for (const ynode *t = n->child; t && c->count < IMPORT_CHAIN_MAX; t = t->next)
                if (t->type == Y_SCALAR) c->to[c->count++] = arena_str(&m->a, t->value);
        }
    }
}

static bool has_name(const struct import *m, str name) {
    for (unsigned i = 0; i < m->models; i++)
        if (str_eq(m->model[i].name, name)) return true;
    return false;
}

static void aliases(struct import *m, const ynode *map) {
    for (const ynode *n = map ? map->child : NULL; n; n = n->next) {
        str to = n->type == Y_SCALAR ? n->value : text(n, "model");
        if (!has_name(m, to) || has_name(m, n->key) || m->models == IMPORT_MODELS_MAX) continue;
        m->model[m->models++] = (struct import_model){
            .name = arena_str(&m->a, n->key), .group = arena_str(&m->a, n->key), .alias_of = arena_str(&m->a, to)};
    }
}

/* Fallbacks to names that don't exist, or of such, go. */
static void prune(struct import *m) {
    unsigned kept = 0;
    for (unsigned i = 0; i < m->chains; i++) {
        struct import_chain c = m->chain[i];
        unsigned n = 0;
        for (unsigned k = 0; k < c.count; k++) {
            if (has_name(m, c.to[k]))
                c.to[n++] = c.to[k];
            else
                import_note(m, FIT_UNSUPPORTED, arena_printf(&m->a, "fallbacks." STR_FMT, STR_ARG(c.group)), 0,
                            "a fallback to a name that is not in model_list");
        }
        c.count = n;
        if (n && has_name(m, c.group)) m->chain[kept++] = c;
    }
    m->chains = kept;
}

bool import_litellm(struct import *m, const ynode *root, err *e) {
    static const char *const sections[] = {"litellm_settings", "router_settings", "general_settings"};
    const ynode *list = yaml_get(root, "model_list");
    if (!list || list->type != Y_SEQ)
        return fail(e, "there is no model_list: is this a LiteLLM proxy configuration?");
    for (const ynode *d = list->child; d; d = d->next) deployment(m, d);
    for (size_t i = 0; i < 3; i++) {
        const ynode *s = yaml_get(root, sections[i]);
        for (const ynode *n = s ? s->child : NULL; n; n = n->next) report(m, sections[i], n);
        fallbacks(m, yaml_get(s, "fallbacks"));
        fallbacks(m, yaml_get(s, "context_window_fallbacks"));
    }
    for (const ynode *n = root->child; n; n = n->next) {
        bool known = str_eqz(n->key, "model_list");
        for (size_t i = 0; i < 3; i++) known = known || str_eqz(n->key, sections[i]);
        if (!known) report(m, "", n);
    }
    m->weighted = true; /* LiteLLM's simple-shuffle */
    const ynode *general = yaml_get(root, "general_settings"), *router = yaml_get(root, "router_settings");
    aliases(m, yaml_get(router, "model_group_alias"));
    prune(m);
    m->master_key = credential(m, text(general, "master_key"), "DRAY_KEY", STR("general_settings.master_key"),
                               general ? general->line : 0);
    str t = text(yaml_get(root, "litellm_settings"), "request_timeout");
    m->timeout = seconds(m, t.n ? t : text(router, "timeout"));
    return m->providers > 0 || fail(e, "no model of this configuration could be carried over");
}
