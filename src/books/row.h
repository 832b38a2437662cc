/* row: one call as the store's table `call` has it. */
#ifndef DRAY_BOOKS_ROW_H
#define DRAY_BOOKS_ROW_H

#include "base/buf.h"
#include "books/event.h"
#include "books/store_dict.h"

/* The columns of `call`: X(name). Integers but for the id (a blob), expected and facts (texts), quality and
 * propensity (reals). */
#define ROW_COLUMNS(X)                                                                                            \
    X(at)                                                                                                         \
    X(id)                                                                                                         \
    X(who)                                                                                                        \
    X(route)                                                                                                      \
    X(kind)                                                                                                       \
    X(user)                                                                                                       \
    X(session)                                                                                                    \
    X(tags)                                                                                                       \
    X(error)                                                                                                      \
    X(cost)                                                                                                       \
    X(baseline_cost)                                                                                              \
    X(routing_cost)                                                                                               \
    X(observed_cost)                                                                                              \
    X(attempts)                                                                                                   \
    X(input_tokens)                                                                                               \
    X(cached_tokens)                                                                                              \
    X(output_tokens)                                                                                              \
    X(reasoning_tokens)                                                                                           \
    X(rates)                                                                                                      \
    X(start_us)                                                                                                   \
    X(first_byte_us)                                                                                              \
    X(end_us)                                                                                                     \
    X(ttft_us)                                                                                                    \
    X(duration_us)                                                                                                \
    X(overhead_us)                                                                                                \
    X(quality)                                                                                                    \
    X(quality_source)                                                                                             \
    X(task_confidence)                                                                                            \
    X(difficulty)                                                                                                 \
    X(propensity)                                                                                                 \
    X(candidates)                                                                                                 \
    X(expected)                                                                                                   \
    X(prompt_hash)                                                                                                \
    X(template_hash)                                                                                              \
    X(answer)                                                                                                     \
    X(facts)

enum row_column {
#define X(name) ROW_##name,
    ROW_COLUMNS(X)
#undef X
        ROW_COUNT
};

struct row {
    uint64_t set; /* a bit per column that is not NULL */
    int64_t v[ROW_COUNT];
    double quality, propensity;
    str expected, facts; /* views of the text they were written to */
    unsigned char id[16];
    uint8_t id_n;
    bool plain_attempt, plain_usage; /* nothing but the row is needed for its attempts; for its usage lines */
};

/* The row of a call under the key `at`. Its texts are appended to `text`, whose bytes must not move. False when
 * the dictionaries can't be read or written. */
bool row_make(struct store_dict *d, buf *text, const struct folded *f, str gateway, int64_t at, struct row *o,
              err *e);
/* Only what is in the row and what in other tables: plain_attempt and plain_usage; the id is not odd. */
void row_plain(const struct folded *f, struct row *o);
/* Whether the id's milliseconds are not the key's: it is kept whole then, and found through the table odd_id. */
static inline bool row_is_odd(const struct row *o) { return o->id_n == sizeof o->id; }
/* Number of the attempt whose usage is the call's, 0 when none is. */
unsigned row_winner(const struct folded *f);

/* ---- parts that amendments change ---- */
int64_t row_kind(struct store_dict *d, const struct record *r, err *e);
/* What the row's other columns say is left out; ledger.c puts it back. */
str row_facts(const struct record *r, int64_t at, buf *text);

/* ---- writing ---- */

/* A virtual table of the connection, `incoming`, whose rows are those of `feed`: one statement inserts them all,
 * and no value is copied on its way. */
struct row_feed {
    const struct row *const *row;
    unsigned count;
    uint64_t inserted; /* a bit per row: it was written; the others' keys were taken */
    unsigned at;       /* the row being written */
};
enum { ROW_FEED_MAX = 64 };
/* The statement that inserts the feed's rows where their keys are free (the caller's to finalize). NULL on
 * failure. `feed` must live as long as the connection; outside of the statement its count is 0. */
sqlite3_stmt *row_feed_open(sqlite3 *db, struct row_feed *feed, err *e);

#endif
