/* models: names, targets, tiers, the baseline. A target is a (provider, model, price) that calls can go to;
 * names, tiers and the policy refer to targets by number. Two names of the same model share one. */
#include "config/build.h"
#include "config/sections.h"

#include <stdlib.h>

enum { MODEL_NAME_MAX = 256, TIER_NAME_MAX = 32, ROUTING_MODEL_MAX = 64 << 20 };

/* ---- targets ---- */

static int target_add(struct build *b, const ynode *at, const struct provider *p, str model,
                      const struct price *price, uint32_t context) {
    struct router *r = &b->c->router;
    const struct model_info *info = p->kind->catalog ? catalog_model(str_from(p->kind->catalog), model) : NULL;
    struct target t = {.provider = p->name,
                       .model = model,
                       .provider_id = p->id,
                       .price = price ? price : config_price(b->c, p, model)};
    t.context = context ? context : info ? info->context : 0;
    t.flags = info ? info->flags : 0;
    for (uint32_t i = 0; i < r->target_count; i++) {
        const struct target *x = &r->target[i];
        if (x->provider_id == t.provider_id && x->price == t.price && x->context == t.context &&
            str_eq(x->model, t.model))
            return (int)i;
    }
    if (r->target_count == ROUTER_TARGETS_MAX) {
        if (at) yaml_fail(b->e, at, "more than %d models in use", ROUTER_TARGETS_MAX);
        return -1;
    }
    if (r->target_count == b->target_cap) {
        uint32_t cap = b->target_cap ? b->target_cap * 2 : 32;
        r->target = arena_grow(b->a, r->target, b->target_cap * sizeof t, cap * sizeof t);
        b->target_cap = cap;
    }
    t.name = arena_printf(b->a, "%.*s/%.*s", STR_ARG(t.provider), STR_ARG(t.model));
    r->target[r->target_count] = t;
    return (int)r->target_count++;
}

int build_target(struct build *b, str name) {
    struct resolution res;
    config_resolve(b->c, name, DIALECT_NONE, &res); /* no guess by dialect: a typo is an error */
    if (res.what != RESOLVED_TARGET) return -1;
    if (res.id >= 0) return res.id;
    return target_add(b, NULL, &b->c->provider[res.target.provider_id], arena_str(b->a, res.target.model), NULL,
                      0);
}

/* ---- models ---- */

static bool model_name_good(str s) {
    if (!s.n || s.n > MODEL_NAME_MAX || str_eq(s, STR("auto")) || str_starts(s, STR("auto:"))) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127) return false;
    return true;
}

static bool read_model(struct build *b, const ynode *n, struct model_name *out) {
    struct model_in in = {.reroute = b->top.reroute};
    const struct price *price = NULL;
    str provider, model = n->key;
    if (!options_read(b, SECTION_MODEL, n, &in)) return false;
    if (!in.provider) return yaml_fail(b->e, n, "\"provider\" is missing");
    if (!yaml_str(in.provider, &provider, b->e) || (in.model && !yaml_str(in.model, &model, b->e))) return false;
    const struct provider *p = config_provider(b->c, provider);
    char shown[64];
    if (!p) return yaml_fail(b->e, in.provider, "there is no provider %s", yaml_shown(in.provider, shown));
    if (!model_name_good(model))
        return yaml_fail(b->e, in.model ? in.model : n, "a model's name has 1 to %d characters, no spaces",
                         MODEL_NAME_MAX);
    if (in.price && !build_price(b, in.price, &price)) return false;
    int id = target_add(b, n, p, model, price, in.context);
    out->target = (uint16_t)id;
    out->reroute = (uint8_t)in.reroute;
    return id >= 0;
}

static int by_name(const void *x, const void *y) {
    return str_cmp(((const struct model_name *)x)->name, ((const struct model_name *)y)->name);
}

/* Names of names, after all others are known: an alias of an alias is not. */
static bool read_alias(struct build *b, const ynode *n, struct model_name *out) {
    str to;
    char shown[64];
    if (!yaml_str(n, &to, b->e)) return false;
    int id = build_target(b, to);
    if (id < 0)
        return yaml_fail(b->e, n,
                         "%s is no configured model, no provider/model, and no model of the catalogue that a "
                         "configured provider has",
                         yaml_shown(n, shown));
    out->target = (uint16_t)id;
    out->reroute = (uint8_t)b->top.reroute;
    return true;
}

bool build_models(struct build *b) {
    struct config *c = b->c;
    const ynode *n = b->top.models;
    if (!n || yaml_is_null(n)) return true;
    if (n->type != Y_MAP) return yaml_fail(b->e, n, "expected a map of models");
    unsigned count = yaml_count(n);
    if (count > CONFIG_NAMES_MAX) return yaml_fail(b->e, n, "more than %d models", CONFIG_NAMES_MAX);
    struct model_name *list = arena_array(b->a, struct model_name, count + 1),
                      *aliases = arena_array(b->a, struct model_name, count + 1);
    unsigned named = 0, aliased = 0;
    for (const ynode *i = n->child; i; i = i->next) {
        if (!model_name_good(i->key))
            return yaml_fail_key(b->e, i, "a model's name has 1 to %d characters, no spaces, and is not \"auto\"",
                                 MODEL_NAME_MAX);
        if (i->type == Y_SCALAR) continue;
        list[named].name = i->key;
        if (!read_model(b, i, &list[named++])) return false;
    }
    qsort(list, named, sizeof *list, by_name);
    c->name = list;
    c->name_count = named;
    for (const ynode *i = n->child; i; i = i->next) {
        if (i->type != Y_SCALAR) continue;
        aliases[aliased].name = i->key;
        if (!read_alias(b, i, &aliases[aliased++])) return false;
    }
    for (unsigned i = 0; i < aliased; i++) list[named++] = aliases[i];
    qsort(list, named, sizeof *list, by_name);
    c->name_count = named;
    return true;
}

/* ---- tiers ---- */

static const char *const built_in[] = {"light", "mid", "frontier", NULL};
static const char *const balances[] = {"priority", "weighted", "cost", NULL};
static const char *const later_balances[] = {"latency", "least-busy", "rate-headroom", NULL};

static bool read_balance(struct build *b, const ynode *n, uint8_t *out) {
    unsigned w;
    for (const char *const *l = later_balances; *l; l++)
        if (n->type == Y_SCALAR && str_eqz(n->value, *l))
            return yaml_fail(b->e, n, "\"balance: %s\" is not supported yet in this version of dray", *l);
    if (!yaml_word(n, balances, &w, b->e)) return false;
    *out = (uint8_t)w;
    return true;
}

static bool read_target(struct build *b, const ynode *n, struct tier *t) {
    struct target_in in = {.model = n, .weight = 1};
    str name;
    char shown[64];
    if (n->type == Y_MAP) {
        in.model = NULL;
        if (!options_read(b, SECTION_TARGET, n, &in)) return false;
        if (!in.model) return yaml_fail(b->e, n, "\"model\" is missing");
    }
    if (!yaml_str(in.model, &name, b->e)) return false;
    if (t->count == ROUTER_TIER_TARGETS_MAX)
        return yaml_fail(b->e, n, "more than %d targets in one tier", ROUTER_TIER_TARGETS_MAX);
    int id = build_target(b, name);
    if (id < 0)
        return yaml_fail(b->e, in.model,
                         "%s is no configured model, no provider/model, and no model of the catalogue that a "
                         "configured provider has",
                         yaml_shown(in.model, shown));
    for (unsigned i = 0; i < t->count; i++)
        if (t->target[i] == id)
            return yaml_fail(b->e, in.model, "%s is in this tier already", yaml_shown(in.model, shown));
    t->target[t->count] = (uint16_t)id;
    t->weight[t->count++] = in.weight;
    return true;
}

static bool read_tier(struct build *b, const ynode *n, struct tier *t) {
    struct tier_in in = {0};
    t->name = n->key;
    if (!model_name_good(t->name) || t->name.n > TIER_NAME_MAX || str_eq(t->name, STR("off")) ||
        str_chr(t->name, '/') >= 0)
        return yaml_fail_key(
            b->e, n, "a tier's name has 1 to %d characters, no spaces or slashes, and is not \"auto\" or \"off\"",
            TIER_NAME_MAX);
    if (n->type == Y_MAP) {
        if (!options_read(b, SECTION_TIER, n, &in)) return false;
    } else {
        in.targets = n;
    }
    if (!in.targets) return yaml_fail(b->e, n, "\"targets\" is missing");
    if (in.balance && !read_balance(b, in.balance, &t->balance)) return false;
    if (in.targets->type == Y_SCALAR) return read_target(b, in.targets, t);
    if (in.targets->type != Y_SEQ || !in.targets->child)
        return yaml_fail(b->e, in.targets, "expected a list of models");
    for (const ynode *i = in.targets->child; i; i = i->next)
        if (!read_target(b, i, t)) return false;
    uint64_t weights = 0;
    for (unsigned i = 0; i < t->count; i++) weights += t->weight[i];
    return weights > 0 || yaml_fail(b->e, in.targets, "all weights are 0");
}

static int rank(str name) {
    for (int i = 0; built_in[i]; i++)
        if (str_eqz(name, built_in[i])) return i;
    return -1;
}

/* light, mid and frontier in that order among themselves; the others stay where they are. */
static void order_tiers(struct router *r) {
    for (uint32_t i = 0; i < r->tier_count; i++)
        for (uint32_t k = i + 1; k < r->tier_count; k++) {
            int x = rank(r->tier[i].name), y = rank(r->tier[k].name);
            if (x < 0 || y < 0 || x <= y) continue;
            struct tier t = r->tier[i];
            r->tier[i] = r->tier[k];
            r->tier[k] = t;
        }
}

/* Each provider's usual models: the cheapest of the light ones first, the others in the order of the kinds'
 * table, so that which key was added when does not matter. */
static bool default_tiers(struct build *b) {
    struct config *c = b->c;
    struct router *r = &c->router;
    for (unsigned t = 0; built_in[t]; t++) {
        struct tier *tier = &r->tier[r->tier_count];
        *tier = (struct tier){.name = str_from(built_in[t]), .balance = t == 0 ? BALANCE_COST : BALANCE_PRIORITY};
        const struct provider_kind *k;
        for (unsigned i = 0; (k = provider_kind_at(i)); i++) {
            const char *models[] = {k->light, k->mid, k->frontier};
            for (unsigned p = 0; models[t] && p < c->provider_count && tier->count < ROUTER_TIER_TARGETS_MAX;
                 p++) {
                if (c->provider[p].kind != k) continue;
                int id = target_add(b, NULL, &c->provider[p], str_from(models[t]), NULL, 0);
                if (id < 0) return fail(b->e, "more than %d models in use", ROUTER_TARGETS_MAX);
                tier->target[tier->count] = (uint16_t)id;
                tier->weight[tier->count++] = 1;
            }
        }
        if (tier->count) r->tier_count++;
    }
    if (!r->tier_count)
        build_warn(b, "no tiers: the usual models of the configured providers are not known, so `auto` goes "
                      "nowhere; add `tiers`");
    return true;
}

static bool read_baseline(struct build *b, const ynode *n) {
    struct router *r = &b->c->router;
    str name;
    char shown[64];
    r->has_baseline = r->tier_count > 0;
    int frontier = router_tier(r, STR("frontier"));
    if (r->has_baseline) r->baseline = r->tier[frontier >= 0 ? (uint32_t)frontier : r->tier_count - 1].target[0];
    if (!n || yaml_is_null(n)) return true;
    if (!yaml_str(n, &name, b->e)) return false;
    int tier = router_tier(r, name);
    int id = tier >= 0 ? r->tier[tier].target[0] : build_target(b, name);
    if (id < 0) return yaml_fail(b->e, n, "%s is no tier and no model", yaml_shown(n, shown));
    r->baseline = (uint16_t)id;
    r->has_baseline = true;
    return true;
}

static bool read_routing_model(struct build *b, const ynode *n) {
    str name = STR("built-in"), block = b->parts ? b->parts->model : STR_NONE;
    err why;
    if (n && !yaml_is_null(n) && !yaml_str(n, &name, b->e)) return false;
    if (str_eq(name, STR("none"))) return true;
    if (!str_eq(name, STR("built-in"))) {
        str path = build_path(b, name);
        if (!build_slurp(b, n, path, ROUTING_MODEL_MAX, &block)) return false;
        char *kept = arena_alloc(b->a, block.n + 1); /* aligned, as its numbers need it */
        block = str_make(memcpy(kept, block.p, block.n), block.n);
    }
    if (router_model(&b->c->router, block, b->a, &why)) return true;
    if (block.p && b->parts) return fail(b->e, "the routing model: %s", why.msg);
    if (block.p) return yaml_fail(b->e, n, "%.*s: %s", STR_ARG(str_take(name, 128)), why.msg);
    build_warn(b, "the built-in routing model is not used: %s", why.msg);
    return true;
}

static int resolve_for_policy(void *ctx, str name) { return build_target(ctx, name); }

bool build_tiers(struct build *b) {
    struct router *r = &b->c->router;
    const ynode *n = b->top.tiers;
    if (n && !yaml_is_null(n)) {
        if (n->type != Y_MAP || !n->child) return yaml_fail(b->e, n, "expected a map of tiers");
        for (const ynode *i = n->child; i; i = i->next) {
            if (r->tier_count == ROUTER_TIERS_MAX)
                return yaml_fail_key(b->e, i, "more than %d tiers", ROUTER_TIERS_MAX);
            if (!read_tier(b, i, &r->tier[r->tier_count++])) return false;
        }
        order_tiers(r);
    } else if (!default_tiers(b)) {
        return false;
    }
    if (!read_baseline(b, b->top.baseline)) return false;
    r->resolve = resolve_for_policy;
    r->resolve_ctx = b;
    bool good = router_compile(r, b->top.policy, b->top.labels, b->a, b->e);
    r->resolve = NULL;
    r->resolve_ctx = NULL;
    return good && read_routing_model(b, b->top.routing_model);
}
