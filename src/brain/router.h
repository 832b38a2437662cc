/* router: the compiled policy and the one pure function that decides.
 *
 * decide(router, facts, draw) has no I/O, no clock, no globals and no allocation; serve, route,
 * explain, analyze and replay all call it. The same inputs give the same plan, bit for bit. */
#ifndef DRAY_BRAIN_ROUTER_H
#define DRAY_BRAIN_ROUTER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "catalog/catalog.h"
#include "facts/facts.h"
#include "facts/prompt.h"

enum {
    ROUTER_TIERS_MAX = 16,
    ROUTER_TIER_TARGETS_MAX = 16,
    ROUTER_TARGETS_MAX = 4096,
    ROUTER_RULES_MAX = 1024,
    PLAN_TARGETS_MAX = ROUTER_TIER_TARGETS_MAX,
};

enum balance { BALANCE_PRIORITY, BALANCE_WEIGHTED, BALANCE_COST };

/* A (provider, upstream model) that can be chosen; `id` is its place in router.target. */
struct target {
    str name;                  /* "openai/gpt-4o": what x-dray-model says */
    str provider, model;       /* configured provider name; upstream model */
    const struct price *price; /* NULL: unknown */
    uint32_t context;          /* tokens, 0 unknown */
    uint32_t flags;            /* MODEL_… of the catalogue */
    uint16_t provider_id;      /* index into the configuration's providers */
};

struct tier {
    str name;
    uint8_t balance; /* enum balance */
    uint16_t count;
    uint16_t target[ROUTER_TIER_TARGETS_MAX]; /* in configured order */
    uint32_t weight[ROUTER_TIER_TARGETS_MAX];
};

struct policy; /* compiled rules; policy.c */
struct labels; /* compiled labels; policy.c */

struct router {
    uint32_t tier_count, target_count, name_count;
    struct tier tier[ROUTER_TIERS_MAX]; /* cheapest first */
    struct target *target;
    str name[FACTS_NAMED_MAX]; /* header.X and metadata.X that rules and labels name */
    const struct policy *policy;
    const struct labels *labels;
    uint16_t baseline; /* target id where an auto call would have gone without routing */
    bool has_baseline;
};

struct candidate {
    uint16_t target;
    int64_t expected_cost; /* nano-dollars, COST_UNKNOWN if unknown */
    float score;           /* expected quality 0..1, < 0 when no model said */
};

struct plan {
    str rule;   /* name of the rule that decided; "model" when the client named a target, "tier" when it named a tier */
    str tier;   /* empty when the plan is one named target */
    uint16_t count;
    uint16_t target[PLAN_TARGETS_MAX]; /* to be tried in this order */
    struct candidate candidate[PLAN_TARGETS_MAX]; /* of the tier, configured order */
    uint16_t candidate_count;
    double propensity; /* probability with which target[0] was chosen, 1 when certain */
    bool routed;       /* the policy or a tier name decided, not a model name */
};

/* Compiles `policy:` (NULL: the built-in rules of CONTRACT section 6) and `labels:` (NULL: none)
 * into `r`, whose tiers and targets are set already. Everything is allocated in `a`. Errors carry
 * "file:line:col: message". */
bool router_compile(struct router *r, const struct ynode *policy, const struct ynode *labels, arena *a, err *e);

/* Applies labels to `f`: sets task and stakes where no hint did. */
void router_label(const struct router *r, struct facts *f);
/* Decides by the policy. `draw` is a random number of the caller's, used only by balance: weighted. */
void decide(const struct router *r, const struct facts *f, uint64_t draw, struct plan *out);
/* A plan for one tier (auto:light, x-dray-tier, override). */
void decide_tier(const struct router *r, const struct facts *f, uint32_t tier, str rule, uint64_t draw, struct plan *out);
/* A plan for one named target. */
void decide_target(const struct router *r, const struct facts *f, uint16_t target, struct plan *out);
/* Index of a tier by name, or -1. */
int router_tier(const struct router *r, str name);
/* Why: for each rule up to the one that matched, which condition held or failed, as JSON members
 * "rules": [...] of the open object. */
void decide_explain(const struct router *r, const struct facts *f, jw *w);

/* ---- the classifier ---- */
/* Says what is asked from where the text lies: fills task, task_source, task_confidence, difficulty,
 * template_hash, system_hash; TASK_UNKNOWN when it abstains. Bounded work, no allocation. */
void classify(const struct prompt *p, struct facts *f);

#endif
