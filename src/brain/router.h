/* router: the compiled policy and the one pure function that decides.
 *
 * decide(router, facts, draw) has no I/O, no clock, no globals and no allocation; serve, route,
 * explain, analyze and replay all call it. The same inputs give the same plan, bit for bit. */
#ifndef DRAY_BRAIN_ROUTER_H
#define DRAY_BRAIN_ROUTER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
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
    ROUTER_NEST_MAX = 8,           /* any, all, not inside each other */
    ROUTER_CONDITIONS_MAX = 16384, /* of all rules and labels */
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

struct policy;        /* compiled rules; policy.c */
struct labels;        /* compiled labels; policy.c */
struct semantic;      /* example sets; semantic.h */
struct brain;         /* tables of the classifier; classify.c */
struct routing_model; /* learned weights; model.h */

struct router {
    uint32_t tier_count, target_count, name_count;
    struct tier tier[ROUTER_TIERS_MAX]; /* cheapest first */
    struct target *target;
    str name[FACTS_NAMED_MAX]; /* header.X and metadata.X that rules and labels name */
    const struct policy *policy;
    const struct labels *labels;
    const struct brain *brain;
    const struct semantic *semantic;   /* set before router_compile; NULL: no semantic routes */
    const struct routing_model *model; /* NULL: the lexicon decides alone, and there is no difficulty */
    /* Set before router_compile and used by it only, for `use:` names that are neither a tier nor a
     * target's: the id of the target that a configured name or provider/model means, -1 when there is
     * none. May add to `target`. NULL: tiers and targets only. */
    int (*resolve)(void *ctx, str name);
    void *resolve_ctx;
    uint16_t baseline; /* target id where an auto call would have gone without routing */
    bool has_baseline;
};

struct candidate {
    uint16_t target;
    int64_t expected_cost; /* nano-dollars, COST_UNKNOWN if unknown */
    float score;           /* expected quality 0..1, < 0 when no model said */
};

struct plan {
    str rule; /* name of the rule that decided; "model" when the client named a target, "tier" when it named a tier
               */
    str tier; /* empty when the plan is one named target */
    uint16_t count;
    uint16_t target[PLAN_TARGETS_MAX];            /* to be tried in this order */
    struct candidate candidate[PLAN_TARGETS_MAX]; /* of the tier, configured order */
    uint16_t candidate_count;
    double propensity;   /* probability with which target[0] was chosen, 1 when certain */
    uint16_t rule_index; /* of the policy; ROUTER_RULES_MAX when no rule decided */
    bool routed;         /* the policy or a tier name decided, not a model name */
    str missing; /* not empty: `rule` asks for this fact (header.X, metadata.X, semantic), not recorded of the
                    past call, so that nothing can be said; count is 0 */
};

/* Compiles `policy:` (NULL: the built-in rules of CONTRACT section 6) and `labels:` (NULL: none)
 * into `r`, whose tiers and targets are set already. Everything is allocated in `a`. Errors carry
 * "file:line:col: message". */
bool router_compile(struct router *r, const struct ynode *policy, const struct ynode *labels, arena *a, err *e);

/* Applies labels to `f`: sets task and stakes where no hint did. For each the first matching label
 * counts. After classify(), which fills system_hash; what it said of the task is replaced. */
void router_label(const struct router *r, struct facts *f);
/* Takes back what the labels of its day made of recorded facts, and applies these. False when one of them asks
 * for what was not recorded, which *missing then names. */
bool router_relabel(const struct router *r, struct facts *f, str *missing);
/* Decides by the policy; where no rule matches, as the built-in policy's last rule does ("default":
 * the tier called mid, else the middle one). `draw` is a random number of the caller's, used only by
 * balance: weighted. A target that the catalogue knows to be unable (images, length of the input) is
 * tried after those that are able. */
void decide(const struct router *r, const struct facts *f, uint64_t draw, struct plan *out);
/* A plan for one tier (auto:light, x-dray-tier, override); `rule` is what the plan calls its reason. */
void decide_tier(const struct router *r, const struct facts *f, uint32_t tier, str rule, uint64_t draw,
                 struct plan *out);
/* Takes targets that are expected to cost more than f->max_cost out of the plan; those of unknown price stay. */
void decide_cap(const struct router *r, const struct facts *f, struct plan *p);
/* The random number of a call, by its id: known again later. */
uint64_t decide_draw(struct uuid id);
/* A plan for one named target. */
void decide_target(const struct router *r, const struct facts *f, uint16_t target, struct plan *out);
/* Output tokens that a call is expected to have: a usual figure of its task, at most the client's limit. */
int64_t decide_output_tokens(const struct facts *f);
/* Index of a tier by name, or -1. */
int router_tier(const struct router *r, str name);
/* Why: for each rule up to the one that matched, which condition held or failed, as JSON members
 * "rules": [...] of the open object. */
void decide_explain(const struct router *r, const struct facts *f, jw *w);

/* ---- the classifier ---- */
/* Gives `r` a routing model: a file's bytes, which must outlive it (16-byte aligned), or, where `block.p` is NULL,
 * the one that dray ships with. False with a reason when it is corrupt or foreign; `r` is unchanged then. */
bool router_model(struct router *r, str block, arena *a, err *e);
/* Says what is asked from where the text lies: fills task, task_source, task_confidence (unless a hint,
 * label or endpoint said the task already), difficulty, template_hash and system_hash. TASK_UNKNOWN when it
 * abstains. Bounded work, no allocation, thread-safe. `r` only for the tables that router_compile and
 * router_model made. */
void classify(const struct router *r, const struct prompt *p, struct facts *f);
/* The same for a plain text (dray route, logs): one user turn, no system prompt. */
void classify_text(const struct router *r, str text, struct facts *f);

#endif
