/* replay: past calls decided again. Old is what was booked or logged, new is what a configuration would do
 * with the same facts and the same tokens. */
#ifndef DRAY_INSIGHT_REPLAY_H
#define DRAY_INSIGHT_REPLAY_H

#include "config/config.h"
#include "insight/log.h"
#include "insight/models.h"
#include "insight/tally.h"

enum { REPLAY_WITHOUT_MAX = 32, REPLAY_CELLS = TASK_COUNT * ROUTER_TIERS_MAX };

struct replay_change;

struct replay_options {
    const struct config *config;
    const char *without[REPLAY_WITHOUT_MAX]; /* models, targets or providers that are gone */
    unsigned without_count;
    const char *prices; /* what models would cost now, a list as in models.h; NULL: as configured and catalogued */
    bool reroute;       /* decide calls that named a model, too, whatever the configuration says */
    /* Called for each call that changes, or of which that can't be told (may be NULL). */
    void (*changed)(void *ctx, const struct replay_change *c);
    void *ctx;
};

/* A past call, from whichever source. */
struct replay_past {
    char id[40];
    uint64_t time_us;
    const struct facts *f;
    const struct usage *u;
    str provider, model, tier, rule;
    int64_t cost;               /* COST_UNKNOWN */
    double quality, propensity; /* < 0 unknown */
    bool failed;
    enum dialect dialect;
    uint64_t draw;
    const struct record *record; /* NULL: from a log */
};

struct replay_change {
    const struct replay_past *past;
    str model, tier, rule; /* new; empty when it can't be told */
    str missing;           /* why not: what was not recorded */
    int64_t cost;
    const char *why;
};

/* Sums of quality scores, enough for a mean and its interval. */
struct scores {
    uint64_t n;
    double sum, squares;
};

struct replay {
    struct replay_options o;
    struct decision decision; /* of the call at hand */
    struct models *models;    /* at the prices of the past: the catalogue's */
    struct models *now;       /* at the new prices; the same without a list */
    const struct model **target;
    arena a;
    uint64_t calls, failed, changed, unanswerable, unpriced;
    uint64_t same;        /* of calls with a record: the recorded decision, bit for bit (decision_same) */
    uint64_t undecidable; /* a fact was not recorded that the new rules ask for: neither old nor new is summed */
    int64_t old_cost, new_cost; /* over the calls where both are known */
    uint64_t priced;
    struct tally old_tier, new_tier, old_model, new_model, why, missing;
    /* quality */
    struct scores cell[TASK_COUNT][ROUTER_TIERS_MAX + 1]; /* by task and old tier; last: none */
    uint64_t would[TASK_COUNT][ROUTER_TIERS_MAX + 1];     /* calls by task and new tier */
    uint64_t was[TASK_COUNT][ROUTER_TIERS_MAX + 1];
    struct scores scored;
    uint64_t drawn;  /* scored calls whose choice was drawn: 0 < propensity < 1 */
    uint64_t unseen; /* scored calls that would go where nothing was ever drawn: their quality can't be known */
    double weight, weighted, weight2, weighted2, cross; /* self-normalised inverse propensity sums */
    uint64_t matched;
};

bool replay_init(struct replay *r, const struct replay_options *o, err *e);
void replay_free(struct replay *r);
void replay_add(struct replay *r, const struct replay_past *p);
/* Callback of log_options; ctx is the replay. */
bool replay_log_call(void *ctx, const struct log_call *c, const struct log_place *at);
/* All calls of a ledger. */
bool replay_ledger(struct replay *r, const char *path, uint64_t from_us, uint64_t to_us, err *e);

/* What can be said about quality. */
struct replay_quality {
    bool old_known, new_known, off_policy;
    double old_mean, old_half; /* mean and half of its 95 % interval over scored calls */
    double new_mean, new_half; /* by task and tier: what such calls scored at that tier before */
    double new_share;          /* of the calls that this covers */
    double ips_mean, ips_half; /* off-policy estimate from propensities, */
    double ips_share;          /* for this share of the scored calls; of the others nothing is known */
    char text[400];            /* what it means */
};
void replay_quality(const struct replay *r, struct replay_quality *out);
void replay_report(const struct replay *r, bool json, buf *out);

#endif
