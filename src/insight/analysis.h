/* analysis: what past calls were, what they cost, and what would have been cheaper. Fed with calls one by one
 * in constant memory, read by the reports (report.h). */
#ifndef DRAY_INSIGHT_ANALYSIS_H
#define DRAY_INSIGHT_ANALYSIS_H

#include "brain/router.h"
#include "config/config.h"
#include "insight/count.h"
#include "insight/keyset.h"
#include "insight/log.h"
#include "insight/models.h"
#include "insight/sample.h"
#include "insight/tally.h"

/* What is assumed where nothing is known; every report spells these out. */
enum {
    ASSUME_LONGER = 25,      /* per cent: a cheaper model's answers may be so much longer */
    ASSUME_REDONE = 10,      /* per cent of the moved calls that are asked again where they were */
    PREFIX_TOKENS = 1024,    /* shortest prefix that providers cache */
    PREFIX_WINDOW_S = 3600,  /* a prefix is still cached so long after its last use, at most */
    TEMPLATES_MAX = 1000000, /* templates whose sums are kept */
    SAMPLES_MAX = 4096,      /* templates whose first text is kept (--show-prompts) */
    OUTLIERS_MAX = 10,
    MOVES_MAX = 4096,
};

/* A group of calls that moves: by rule, from a model, to a model. */
struct move {
    const char *rule;
    const struct model *from, *to;
    uint64_t calls;
    int64_t then, now; /* same tokens at the other price */
    int64_t worst;     /* with the assumptions above against it */
};

/* Calls of the same make. */
struct template {
    uint64_t hash;
    uint32_t calls, model, sample; /* sample: index + 1 */
    uint8_t task;
    int64_t cost, input, output;
};

struct outlier {
    const char *file;
    uint64_t line;
    int64_t logged, computed;
};

/* Why a logged cost isn't tokens × price. */
#define COST_REASONS(X)                                                                                           \
    X(ZERO, "zero", "logged as 0 (failed, free tier, or the gateway had no price)")                               \
    X(NO_CACHE, "no_cache_discount", "logged without the discount for cached tokens")                             \
    X(NO_BATCH, "no_batch_discount", "logged without the discount for batch calls")                               \
    X(CENTS, "cents", "logged in cents")                                                                          \
    X(FAR, "far_off", "more than ten times off (a wrong price in the client)")                                    \
    X(OTHER, "other", "another price, or another count of tokens")
enum cost_reason {
#define X(id, name, text) REASON_##id,
    COST_REASONS(X)
#undef X
        COST_REASONS_COUNT
};
const char *cost_reason_name(enum cost_reason r);
const char *cost_reason_text(enum cost_reason r);

struct analysis_options {
    const struct config
        *config;           /* decides instead of the built-in policy with each provider's usual models; NULL */
    const char *baseline;  /* model that all calls are compared with; NULL: what each call named */
    bool texts;            /* read texts at all: classify, templates, repeats (false: count and price only) */
    bool samples;          /* keep templates' first text */
    struct count *count;   /* counts tokens exactly where the log has none (--count exact); NULL: estimates */
    struct sample *sample; /* gets every call with text (--sample); NULL: none */
};

struct analysis {
    struct analysis_options o;
    struct models *models;
    struct keyset *keys;
    struct log_problems problems;
    struct router built_in;
    const struct router *router;
    const struct model **target; /* of a configuration's router */
    arena a;
    uint64_t day; /* since 1970, of the last call */
    char day_name[28];
    /* calls */
    struct sums all, failed, aggregates, task[TASK_COUNT], tier[ROUTER_TIERS_MAX];
    struct tally by_model, by_key, by_user, by_team, by_tag, by_day, by_rule, by_format;
    int64_t cost_by_class[USAGE_CLASSES], units_by_class[USAGE_CLASSES];
    uint64_t first_us, last_us;
    uint64_t with_text, classified, estimated, streamed, cache_hits;
    /* routing */
    struct move move[MOVES_MAX];
    uint32_t moves;
    int64_t policy_cost;   /* every call exactly where the policy says, dearer moves too */
    uint64_t dearer_calls; /* calls that the policy would move to a dearer model */
    int64_t dearer;        /* what that would add; not done and not counted where the policy is built in */
    uint64_t ambiguous;
    int64_t ambiguous_cost;
    struct usage movable[4]; /* tokens of the calls that could go to another model, by service tier */
    int64_t movable_cost;
    /* other ways to save */
    uint64_t repeats, repeats_unsure;
    int64_t repeats_cost;
    uint64_t prefix_calls, prefix_tokens;
    int64_t prefix_saving;
    uint64_t batch_calls;
    int64_t batch_cost, batch_saving;
    struct template *template;
    uint32_t templates, templates_cap;
    uint64_t untracked; /* calls of templates beyond TEMPLATES_MAX */
    char *sample;       /* SAMPLES_MAX × SAMPLE_BYTES */
    uint32_t samples;
    /* logged against computed */
    uint64_t logged_calls, compared;
    int64_t logged, logged_compared, computed_compared, logged_unpriced;
    struct {
        uint64_t calls;
        int64_t logged, computed;
    } reason[COST_REASONS_COUNT];
    struct outlier outlier[OUTLIERS_MAX];
    uint32_t outliers;
    /* time */
    uint64_t moved_timed, moved_duration_us;
    uint64_t timed, duration_us;
};
enum { SAMPLE_BYTES = 200 };

bool analysis_init(struct analysis *a, const struct analysis_options *o, const char *prices, err *e);
/* The models of a configuration's targets, by target id, in `a`. */
const struct model **analysis_targets(const struct config *c, struct models *models, arena *a);
void analysis_free(struct analysis *a);
/* Callback of log_options; ctx is the analysis. */
bool analysis_call(void *ctx, const struct log_call *c, const struct log_place *at);

/* ---- what follows from the sums ---- */
struct conclusion {
    double simple_share; /* of all calls; of nothing: 0 */
    double text_share;   /* calls that could be classified at all */
    bool start_today;
    const char *verdict; /* word for machines */
    char text[512];
    int64_t routed;                /* cost with routing */
    int64_t saved_high, saved_low; /* against the models that the calls named */
    const struct model *single;    /* the best single cheaper model, NULL: there is none */
    int64_t single_cost;
    const struct model *frontier;
    int64_t frontier_cost;
    const struct model *baseline; /* --baseline */
    int64_t baseline_cost;
    const struct model *main_model; /* the one most was spent on */
};
void analysis_conclude(struct analysis *a, struct conclusion *out);
/* All movable calls at one model, the others as they were; COST_UNKNOWN without a price. */
int64_t analysis_single(const struct analysis *a, const struct model *m);
/* Templates by cost, dearest first; at most `max`. */
uint32_t analysis_templates(const struct analysis *a, const struct template **out, uint32_t max);
/* Moves by saving; at most `max`. */
uint32_t analysis_moves(const struct analysis *a, const struct move **out, uint32_t max);
/* A configuration that does what the report says. */
void analysis_yaml(const struct analysis *a, buf *out);

#endif
