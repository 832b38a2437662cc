/* again: which plan a call gets: one function for the gateway, for explain and for replay, so that they can't
 * disagree. What the panic switch and mode: observe make of it is the gateway's own business. */
#include "config/config.h"

bool config_decide(const struct config *c, const struct resolution *named, const struct facts *f, uint64_t draw,
                   struct plan *out) {
    const struct router *r = &c->router;
    bool by_policy = named->what == RESOLVED_AUTO || (named->what == RESOLVED_TARGET && named->reroute);
    if (named->what == RESOLVED_TARGET && !by_policy && (!f->tier_hint.n || named->fixed)) {
        *out = (struct plan){.rule = STR("model"), .count = 1, .propensity = 1, .rule_index = ROUTER_RULES_MAX};
        return false;
    }
    int tier = f->tier_hint.n ? router_tier(r, f->tier_hint) : -1;
    if (f->tier_hint.n && tier < 0)
        *out = (struct plan){.rule = STR("hint"), .propensity = 1, .rule_index = ROUTER_RULES_MAX};
    else if (tier >= 0)
        decide_tier(r, f, (uint32_t)tier, STR("hint"), draw, out);
    else if (by_policy)
        decide(r, f, draw, out);
    else
        decide_tier(r, f, named->tier, STR("tier"), draw, out);
    return true;
}

void config_decide_again(const struct config *c, const struct facts *past, enum dialect dialect, bool reroute,
                         uint64_t draw, struct decision *out) {
    out->facts = *past;
    out->missing = STR_NONE;
    out->by_target = false;
    out->plan = (struct plan){.propensity = 1, .rule_index = ROUTER_RULES_MAX};
    config_resolve(c, past->model, dialect, &out->named);
    if (out->named.what == RESOLVED_NONE && reroute) out->named.what = RESOLVED_AUTO;
    if (out->named.what == RESOLVED_TARGET && reroute) out->named.reroute = true;
    if (out->named.what == RESOLVED_NONE) return;
    if (past->recorded && !router_relabel(&c->router, &out->facts, &out->missing)) return;
    out->by_target = !config_decide(c, &out->named, &out->facts, draw, &out->plan);
    out->missing = out->plan.missing;
    if (!out->by_target) {
        decide_cap(&c->router, &out->facts, &out->plan);
    } else if (out->facts.max_cost) {
        int64_t cost =
            price_expect(out->named.target.price, out->facts.input_tokens, decide_output_tokens(&out->facts));
        if (cost != COST_UNKNOWN && cost > (int64_t)out->facts.max_cost) out->plan.count = 0;
    }
}
