/* ledger: the reading side: records out of the store, for explain, replay, reports and the admin API.
 *
 * A ledger is opened by whoever asks (one connection per thread); its queries stop at a deadline. */
#ifndef DRAY_BOOKS_LEDGER_H
#define DRAY_BOOKS_LEDGER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "books/event.h"

#include <sqlite3.h>

struct ledger;

/* Opens read-only. NULL on failure. */
struct ledger *ledger_open(const char *path, err *e);
/* The same over a connection that the caller owns (the books thread's own). */
struct ledger *ledger_over(sqlite3 *db, err *e);
void ledger_close(struct ledger *l);
sqlite3 *ledger_db(struct ledger *l);
/* Queries are interrupted when clock_mono_us() passes this; 0: never. */
void ledger_deadline(struct ledger *l, uint64_t mono_us);

/* A record as it was booked, facts included; `at` is its key in the store. Strings live in `a`. */
struct ledger_call {
    struct folded f;
    uint64_t at;
    str gateway;
    bool cut;
    str facts_json; /* what the store holds */
};
/* A call's id from what the store keeps of it under the key `at`: all 16 bytes, or the last ten of an id whose
 * milliseconds are the key's. */
void ledger_id(struct uuid *id, uint64_t at, const void *blob, int n);
enum ledger_found { LEDGER_FAILED, LEDGER_FOUND, LEDGER_NONE };
/* By the store's key. */
enum ledger_found ledger_get(struct ledger *l, uint64_t at, arena *a, struct ledger_call *out, err *e);
/* The key of a call's id. */
enum ledger_found ledger_find(struct ledger *l, struct uuid id, uint64_t *at, err *e);
/* The id of the newest call whose provider called its answer so; looks at the newest `scan` calls only. */
enum ledger_found ledger_find_answer(struct ledger *l, str answer_id, unsigned scan, uint64_t *at, err *e);
/* All calls that began in [from, to), oldest first; the callback returns false to stop. The arena is
 * emptied after each call. */
bool ledger_each(struct ledger *l, uint64_t from, uint64_t to,
                 bool (*each)(void *ctx, const struct ledger_call *c), void *ctx, err *e);
/* The candidates as a row has them: names of the dictionary, expected costs and scores ("12,340;0.9,0.95"). */
void ledger_candidates(str targets, str costs, arena *a, struct record *rec);

#endif
