/* rollup: sums per hour and per day, of everything that reports break down by.
 *
 * A cell is one (period, dimension, value): the calls of a model, a key, a team and so on, with sums and
 * latency histograms. Each call is added once to each dimension, so every breakdown sums to the headline,
 * and a report reads as many rows as there are models and keys, however many calls and combinations
 * there were. Cells are kept when calls are deleted. */
#ifndef DRAY_BOOKS_ROLLUP_H
#define DRAY_BOOKS_ROLLUP_H

#include "books/event.h"
#include "books/hist.h"

#include <sqlite3.h>

/* Dimensions: X(name, value). */
#define CELL_DIMS(X)                                                                                              \
    X(all, "empty")                                                                                               \
    X(task, "task")                                                                                               \
    X(tier, "tier; empty: none")                                                                                  \
    X(model, "provider/model that answered; empty: none did")                                                     \
    X(key, "key; empty: none")                                                                                    \
    X(team, "team; empty: none")                                                                                  \
    X(rule, "rule; empty: none")                                                                                  \
    X(gateway, "gateway")                                                                                         \
    X(move, "task, model and baseline, a line each")

enum {
#define X(name, value) DIM_##name,
    CELL_DIMS(X)
#undef X
        DIM_COUNT
};
extern const char *const dim_names[DIM_COUNT];

struct cell_sums {
#define SUM(name, unit, help) int64_t name;
#include "books/rollup.def"
#undef SUM
    int64_t units[USAGE_CLASSES];
};

/* One call's part of a cell. */
struct cell_call {
    str gateway, key, team, task, tier, rule, provider, model, baseline_model;
    struct cell_sums sums;
    uint64_t ttft_us, duration_us, overhead_us;
    bool timed;
    uint64_t shortcut; /* not 0: a number that stands for all of the strings */
};

#define HOUR_US UINT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

struct rollup;

/* Adds the rollups' tables and views to the script that makes a ledger. */
void rollup_schema(buf *b);
struct rollup *rollup_new(sqlite3 *db, const uint64_t key[2]);
void rollup_free(struct rollup *r);
/* What `f` adds to its cell. `cut`: it was cut by a crash. */
void rollup_of(const struct folded *f, str gateway, bool cut, struct cell_call *out);
struct cell_part; /* cell.h */
/* What the call, which began at `at`, adds to its cells. */
bool rollup_part(struct rollup *r, uint64_t at, const struct cell_call *c, struct cell_part *out, err *e);
/* Adds (sign 1) or takes away (-1) a call, within the caller's transaction. */
void rollup_add(struct rollup *r, const struct cell_part *p, int sign);
/* Before the caller's commit: journals what was added since the last one, unless it was flushed. */
bool rollup_journal(struct rollup *r, err *e);
/* Moves what was journalled into the cells, within the caller's transaction. */
bool rollup_flush(struct rollup *r, err *e);
/* Cells to be flushed. */
unsigned rollup_pending(const struct rollup *r);
/* After a commit. */
void rollup_committed(struct rollup *r);
/* After a rollback, or when another process wrote to the ledger: memory is read from the journal again. */
bool rollup_reload(struct rollup *r, err *e);

/* ---- reading ---- */

/* A cell as it is stored. */
struct cell_row {
    uint64_t period; /* start, us */
    unsigned dim;    /* DIM_… */
    str value;       /* valid during the callback */
    struct cell_sums sums;
    struct hist ttft, duration, overhead;
};
/* Calls back for each cell that began in [from, to), day cells for whole days and hour cells for the
 * rest: the ends are widened to full hours. What is
 * journalled only comes as further rows. The callback returns false to stop. */
bool rollup_read(sqlite3 *db, uint64_t from, uint64_t to, bool (*each)(void *ctx, const struct cell_row *c),
                 void *ctx, err *e);

#endif
