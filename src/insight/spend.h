/* spend: what the ledger says about a span of time: spent, saved against three baselines, time saved, by
 * task, tier, model, key, team, rule and day, quality, and what is unknown. From rollups alone, so that ten
 * million calls answer as fast as ten thousand; every breakdown sums the same cells, so it sums to the
 * headline. */
#ifndef DRAY_INSIGHT_SPEND_H
#define DRAY_INSIGHT_SPEND_H

#include "books/ledger.h"
#include "books/rollup.h"
#include "config/config.h"

/* X(name, title) */
#define SPEND_BY(X)                                                                                               \
    X(task, "Task")                                                                                               \
    X(tier, "Tier")                                                                                               \
    X(model, "Model")                                                                                             \
    X(key, "Key")                                                                                                 \
    X(team, "Team")                                                                                               \
    X(rule, "Rule")                                                                                               \
    X(day, "Day")
enum {
#define X(name, title) BY_##name,
    SPEND_BY(X)
#undef X
        BY_COUNT
};
extern const char *const spend_by_names[BY_COUNT], *const spend_by_titles[BY_COUNT];

struct spend_line {
    str name; /* empty: none (no team, no rule, nobody answered) */
    struct cell_sums sums;
    struct hist ttft, duration;
};

struct spend_table {
    struct spend_line *line;
    uint32_t count, cap;
    uint32_t *slot, slots;
};

/* Another way to have paid for the same usage. */
struct spend_baseline {
    str model;    /* empty: no such model is known */
    int64_t cost; /* of all priced usage; COST_UNKNOWN */
    int64_t saved;
};

/* A difference of times over calls where both are known. */
struct spend_time {
    int64_t calls, unknown; /* compared; moved to another model, but that one's times were not observed enough */
    double ttft_s, total_s; /* saved; negative: lost */
};

struct spend {
    uint64_t from, to; /* whole hours, us */
    arena a;
    struct spend_line all;
    int64_t priced_units[USAGE_CLASSES]; /* of calls whose cost is known */
    struct spend_table by[BY_COUNT];
    int64_t saved; /* headline: baseline - cost - routing, over calls where both are known */
    int64_t saved_low, saved_high;
    bool claim;                             /* enough is known to claim it */
    int64_t spent;                          /* cost + routing cost, where known */
    struct spend_baseline single, frontier; /* best single cheaper model; everything at the frontier */
    struct spend_time time;
    struct spend_table moves; /* (task, model, baseline) for time; private */
};

/* Sums [from, to). `config` (NULL: none) gives the frontier and own prices. Free with spend_free also after
 * failure. */
bool spend_read(struct spend *s, sqlite3 *db, uint64_t from, uint64_t to, const struct config *config, err *e);
void spend_free(struct spend *s);

/* Lines by cost, dearest first; days in order. `out` holds table->count pointers. */
void spend_sorted(const struct spend_table *t, int by, const struct spend_line **out);
/* Money saved in a line: baseline - cost - routing, over calls where both are known. */
int64_t spend_saved(const struct cell_sums *s);
int64_t spend_input(const struct cell_sums *s);
int64_t spend_output(const struct cell_sums *s);
/* What routing would have done to the calls of mode: observe. */
struct spend_would {
    int64_t calls, paid, cost, saved;
    int64_t error; /* half the width of the 95 % interval of saved */
};
/* With this configuration in mode: route, where calls that named their model stay; with `reroute`: those too go
 * where the policy says. The usage is that of the answers there were. */
struct spend_would spend_would(const struct cell_sums *s, bool reroute);
/* What limits the claims: calls back for each sentence. */
void spend_notes(const struct spend *s, void (*each)(void *ctx, const char *sentence), void *ctx);

void spend_terminal(const struct spend *s, buf *out);
void spend_json(const struct spend *s, buf *out);
void spend_csv(const struct spend *s, buf *out);
void spend_html(const struct spend *s, buf *out);

#endif
