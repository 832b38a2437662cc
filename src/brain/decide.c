/* decide: from facts to a plan. Pure: no I/O, no clock, no globals, no allocation.
 *
 * A plan is the ordered targets of one tier (or one target) and why. Rules are tried in order, first
 * match wins. What the client did not say (no output limit, no header) is unknown, and an unknown value
 * fails every comparison; `not` turns that around, as it says. The order inside a tier is its balance;
 * targets that the catalogue knows to be unable go last in the same order, never away: the catalogue may
 * be wrong, the provider says so if it is right. */
#include "brain/policy.h"
#include "brain/semantic.h"

__extension__ typedef unsigned __int128 u128;

/* Usual output tokens by task, for the expected price of a call: medians seen in public logs of such
 * work, rounded; only their ratio to each other matters much. */
static const uint16_t usual_output[TASK_COUNT] = {
    [TASK_UNKNOWN] = 300,    [TASK_CLASSIFY] = 10,   [TASK_EXTRACT] = 80, [TASK_SUMMARIZE] = 150,
    [TASK_REWRITE] = 200,    [TASK_TRANSLATE] = 150, [TASK_QA] = 200,     [TASK_CHAT] = 200,
    [TASK_GENERATE] = 450,   [TASK_CODE] = 500,      [TASK_REASON] = 600, [TASK_PLAN] = 800,
    [TASK_SYNTHESIZE] = 800,
};

/* ---- conditions ---- */

/* `*` stands for any run of characters; linear in text for each star. */
static bool glob(str pattern, str text) {
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

static bool text_holds(const struct cond *c, str value) {
    for (unsigned i = 0; i < c->count; i++)
        if (glob(c->pattern[i], value)) return true;
    return false;
}

static bool number_holds(const struct cond *c, double x) {
    for (unsigned i = 0; i < c->count; i++) {
        const struct range *g = &c->range[i];
        if ((g->lo_open ? x > g->lo : x >= g->lo) && (g->hi_open ? x < g->hi : x <= g->hi)) return true;
    }
    return false;
}

/* The number that was meant: "<= 0.3" holds for 0.3, whatever a float makes of it. */
static double share(float x) { return (double)(int)((double)x * 10000 + 0.5) / 10000; }

static bool tag_holds(const struct cond *c, const struct facts *f) {
    for (unsigned i = 0; i < f->tag_count; i++)
        if (text_holds(c, f->tag[i])) return true;
    return false;
}

static bool hash_holds(const struct cond *c, uint64_t hash) {
    char hex[16];
    if (!hash) return false;
    for (int i = 15; i >= 0; i--, hash >>= 4) hex[i] = "0123456789abcdef"[hash & 15];
    return text_holds(c, str_make(hex, sizeof hex));
}

/* Facts of today's call lie in the router's order; recorded ones may come from another policy. */
static enum truth named_holds(const struct router *r, const struct cond *c, const struct facts *f) {
    str name = r->name[c->named];
    unsigned i = c->named;
    if (i >= f->named_count || !str_eq(f->named[i].name, name))
        for (i = 0; i < f->named_count && !str_eq(f->named[i].name, name);) i++;
    if (i == f->named_count) return f->recorded ? UNRECORDED : NO;
    return f->named[i].value.p && text_holds(c, f->named[i].value);
}

/* Recorded facts have a score of the examples of their day, which says nothing of others. */
static enum truth semantic_holds(const struct router *r, const struct cond *c, const struct facts *f) {
    if (!semantic_known(r->semantic, f)) return f->recorded ? UNRECORDED : NO;
    return semantic_accepted(r->semantic, f) >= 0 && text_holds(c, f->semantic);
}

static enum truth nest_holds(const struct router *r, const struct cond *all, const struct cond *c,
                             const struct facts *f) {
    if (c->key == KEY_ALL) return cond_list_holds(r, all, c->first, f);
    if (c->key == KEY_NOT) {
        enum truth t = cond_list_holds(r, all, c->first, f);
        return t == UNRECORDED ? t : !t;
    }
    enum truth any = NO;
    for (uint32_t i = c->first; i; i = all[i].next) {
        enum truth t = cond_holds(r, all, &all[i], f);
        if (t == YES) return t;
        if (t == UNRECORDED) any = t;
    }
    return any;
}

enum truth cond_holds(const struct router *r, const struct cond *all, const struct cond *c,
                      const struct facts *f) {
    switch ((enum policy_key)c->key) {
    case KEY_TASK: return f->task < 64 && c->mask >> f->task & 1;
    case KEY_STAKES: return f->stakes < 64 && c->mask >> f->stakes & 1;
    case KEY_INPUT_TOKENS: return number_holds(c, f->input_tokens);
    case KEY_INPUT_LENGTH: return number_holds(c, f->input_length);
    case KEY_OUTPUT_TOKENS: return f->output_tokens && number_holds(c, f->output_tokens);
    case KEY_HOUR: return number_holds(c, f->hour);
    case KEY_DIFFICULTY: return f->difficulty >= 0 && number_holds(c, share(f->difficulty));
    case KEY_TASK_CONFIDENCE: return number_holds(c, share(f->task_confidence));
    case KEY_MODEL: return f->model.n && text_holds(c, f->model);
    case KEY_KEY: return f->key.n && text_holds(c, f->key);
    case KEY_TEAM: return f->team.n && text_holds(c, f->team);
    case KEY_USER: return f->user.n && text_holds(c, f->user);
    case KEY_TAG: return tag_holds(c, f);
    case KEY_SYSTEM_HASH: return hash_holds(c, f->system_hash);
    case KEY_SEMANTIC: return semantic_holds(r, c, f);
    case KEY_NAMED: return named_holds(r, c, f);
    case KEY_TOOLS: return f->tools == c->flag;
    case KEY_VISION: return f->vision == c->flag;
    case KEY_STREAM: return f->stream == c->flag;
    case KEY_ALL:
    case KEY_ANY:
    case KEY_NOT: return nest_holds(r, all, c, f);
    case KEY_COUNT: break;
    }
    return NO;
}

/* One that fails decides it, whatever the others would say. */
enum truth cond_list_holds(const struct router *r, const struct cond *all, uint32_t first, const struct facts *f) {
    enum truth every = YES;
    for (uint32_t i = first; i; i = all[i].next) {
        enum truth t = cond_holds(r, all, &all[i], f);
        if (t == NO) return t;
        if (t == UNRECORDED) every = t;
    }
    return every;
}

/* The first fact that the list asks for and that was not recorded. */
static str missing_in(const struct router *r, const struct cond *all, uint32_t first, const struct facts *f) {
    for (uint32_t i = first; i; i = all[i].next) {
        if (all[i].key == KEY_NAMED && named_holds(r, &all[i], f) == UNRECORDED) return r->name[all[i].named];
        if (all[i].key == KEY_SEMANTIC && semantic_holds(r, &all[i], f) == UNRECORDED) return STR("semantic");
        str inner = policy_key_ask(all[i].key) == ASK_NEST ? missing_in(r, all, all[i].first, f) : STR_NONE;
        if (inner.n) return inner;
    }
    return STR_NONE;
}

/* ---- order inside a tier ---- */

int64_t decide_output_tokens(const struct facts *f) {
    int64_t usual = f->task < TASK_COUNT ? usual_output[f->task] : 0;
    return f->output_tokens && f->output_tokens < usual ? f->output_tokens : usual;
}

static bool unable(const struct target *t, const struct facts *f) {
    if (t->context && f->input_tokens > t->context) return true;
    /* Flags of zero: the catalogue doesn't know the model. */
    return t->flags && ((f->vision && !(t->flags & MODEL_VISION)) || (f->tools && !(t->flags & MODEL_TOOLS)));
}

static uint64_t next_draw(uint64_t x) { /* splitmix64 (Steele, Lea, Flood 2014) */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Places of a tier, ordered: `slot` holds places 0..count-1 of t->target. */
static void order_cost(const struct plan *p, uint16_t *slot, unsigned n) {
    for (unsigned i = 1; i < n; i++) { /* insertion: stable, and n is at most 16 */
        uint16_t x = slot[i];
        int64_t cost = p->candidate[x].expected_cost;
        unsigned k = i;
        while (k > 0) {
            int64_t before = p->candidate[slot[k - 1]].expected_cost;
            if (cost == COST_UNKNOWN || (before != COST_UNKNOWN && before <= cost)) break;
            slot[k] = slot[k - 1];
            k--;
        }
        slot[k] = x;
    }
}

/* Draws without replacement, weight by weight; returns the probability of the first one drawn. */
static double order_weighted(const struct tier *t, uint16_t *slot, unsigned n, uint64_t draw) {
    double first = 1;
    for (unsigned at = 0; at + 1 < n; at++, draw = next_draw(draw)) {
        uint64_t total = 0;
        for (unsigned i = at; i < n; i++) total += t->weight[slot[i]];
        if (!total) break; /* all that is left has no weight: configured order */
        uint64_t point = (uint64_t)((u128)draw * total >> 64);
        unsigned pick = at;
        while (point >= t->weight[slot[pick]]) point -= t->weight[slot[pick++]];
        uint16_t x = slot[pick];
        if (!at) first = (double)t->weight[x] / (double)total;
        for (; pick > at; pick--) slot[pick] = slot[pick - 1];
        slot[at] = x;
    }
    return first;
}

static void add_candidate(const struct router *r, const struct facts *f, uint16_t id, struct plan *p) {
    p->candidate[p->candidate_count++] = (struct candidate){
        .target = id,
        .expected_cost = price_expect(r->target[id].price, f->input_tokens, decide_output_tokens(f)),
        .score = -1};
}

static void plan_init(struct plan *p, str rule) {
    p->rule = rule;
    p->tier = STR_NONE;
    p->count = p->candidate_count = 0;
    p->propensity = 1;
    p->rule_index = ROUTER_RULES_MAX;
    p->routed = true;
    p->missing = STR_NONE;
}

void decide_tier(const struct router *r, const struct facts *f, uint32_t tier, str rule, uint64_t draw,
                 struct plan *out) {
    plan_init(out, rule);
    if (tier >= r->tier_count) return;
    const struct tier *t = &r->tier[tier];
    out->tier = t->name;
    uint16_t slot[PLAN_TARGETS_MAX];
    unsigned able = 0, rest = 0;
    uint16_t last[PLAN_TARGETS_MAX];
    for (uint16_t i = 0; i < t->count; i++) {
        add_candidate(r, f, t->target[i], out);
        if (unable(&r->target[t->target[i]], f))
            last[rest++] = i;
        else
            slot[able++] = i;
    }
    memcpy(slot + able, last, rest * sizeof *last);
    unsigned group = able ? able : rest;
    if (t->balance == BALANCE_COST) {
        order_cost(out, slot, able);
        order_cost(out, slot + able, rest);
    } else if (t->balance == BALANCE_WEIGHTED) {
        out->propensity = order_weighted(t, slot, group, draw);
    }
    for (unsigned i = 0; i < t->count; i++) out->target[i] = t->target[slot[i]];
    out->count = t->count;
}

void decide_target(const struct router *r, const struct facts *f, uint16_t target, struct plan *out) {
    plan_init(out, STR("model"));
    out->routed = false;
    if (target >= r->target_count) return;
    add_candidate(r, f, target, out);
    out->target[out->count++] = target;
}

void decide(const struct router *r, const struct facts *f, uint64_t draw, struct plan *out) {
    const struct policy *p = r->policy;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct rule *rule = &p->rule[i];
        enum truth held = cond_list_holds(r, p->cond, rule->when, f);
        if (held == NO) continue;
        if (held == UNRECORDED) {
            plan_init(out, rule->name);
            out->missing = missing_in(r, p->cond, rule->when, f);
        } else if (rule->use == USE_TIER) {
            decide_tier(r, f, rule->id, rule->name, draw, out);
        } else {
            decide_target(r, f, rule->id, out);
            out->rule = rule->name;
            out->routed = true;
        }
        out->rule_index = (uint16_t)i;
        return;
    }
    decide_tier(r, f, policy_usual_tier(r, "mid"), STR("default"), draw, out);
}

int router_tier(const struct router *r, str name) {
    for (uint32_t i = 0; i < r->tier_count; i++)
        if (str_eq(r->tier[i].name, name)) return (int)i;
    return -1;
}

void decide_cap(const struct router *r, const struct facts *f, struct plan *p) {
    int64_t out = decide_output_tokens(f);
    uint16_t kept = 0;
    if (!f->max_cost) return;
    for (uint16_t i = 0; i < p->count; i++) {
        int64_t cost = price_expect(r->target[p->target[i]].price, f->input_tokens, out);
        if (cost == COST_UNKNOWN || cost <= (int64_t)f->max_cost) p->target[kept++] = p->target[i];
    }
    p->count = kept;
}

uint64_t decide_draw(struct uuid id) {
    uint64_t half[2];
    memcpy(half, id.b, sizeof half);
    return next_draw(half[1] ^ next_draw(half[0]));
}

/* Applies the labels; the place in the list of one that can't be told for want of a fact, else l->count. */
static uint32_t apply_labels(const struct router *r, struct facts *f) {
    const struct labels *l = r->labels;
    uint32_t untold = l->count;
    bool task = f->task_source == TASK_BY_HINT || f->task_source == TASK_BY_ENDPOINT, stakes = f->stakes_hint;
    for (uint32_t i = 0; i < l->count && !(task && stakes); i++) {
        const struct label *label = &l->label[i];
        if ((task || !label->sets_task) && (stakes || !label->sets_stakes)) continue;
        enum truth held = cond_list_holds(r, l->cond, label->when, f);
        if (held == UNRECORDED && untold == l->count) untold = i;
        if (held != YES) continue;
        if (label->sets_task && !task) {
            if (f->task_source != TASK_BY_LABEL) {
                f->guess = f->task;
                f->guess_source = f->task_source;
                f->guess_confidence = f->task_confidence;
            }
            f->task = label->task;
            f->task_source = TASK_BY_LABEL;
            f->task_confidence = 1;
            task = true;
        }
        if (label->sets_stakes && !stakes) {
            f->stakes = label->stakes;
            stakes = true;
        }
    }
    return untold;
}

void router_label(const struct router *r, struct facts *f) { apply_labels(r, f); }

bool router_relabel(const struct router *r, struct facts *f, str *missing) {
    if (f->task_source == TASK_BY_LABEL) {
        f->task = f->guess;
        f->task_source = f->guess_source;
        f->task_confidence = f->guess_confidence;
        f->guess = TASK_UNKNOWN;
        f->guess_source = TASK_BY_NONE;
        f->guess_confidence = 0;
    }
    if (!f->stakes_hint) f->stakes = STAKES_NORMAL;
    uint32_t untold = apply_labels(r, f);
    if (untold == r->labels->count) return true;
    *missing = missing_in(r, r->labels->cond, r->labels->label[untold].when, f);
    return false;
}
