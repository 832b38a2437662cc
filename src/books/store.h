/* store: the ledger's writing side: one SQLite connection, used by the books thread alone. Everything
 * between store_begin and store_commit is one transaction. */
#ifndef DRAY_BOOKS_STORE_H
#define DRAY_BOOKS_STORE_H

#include "base/err.h"
#include "books/event.h"

#include <sqlite3.h>

struct store;

/* NULL on failure; *garbage: the file is no database (the caller may put it aside). */
struct store *store_open(const char *path, bool full_sync, bool *garbage, err *e);
void store_close(struct store *st);
sqlite3 *store_db(struct store *st);

bool store_begin(struct store *st, err *e);
bool store_commit(struct store *st, err *e);
void store_rollback(struct store *st);
/* Moves journalled sums into the rollups' cells, as otherwise happens once a minute; a transaction of its own. */
bool store_flush(struct store *st, err *e);

enum stored {
    STORED_FAILED,
    STORED_NEW,
    STORED_KNOWN, /* was there before */
    STORED_ALONE, /* of store_queue: it is to be put by itself */
};
/* Writes a call's row (with attempts, usage, rollups). `cut`: it has no end; what is known is booked. Nothing may
 * wait (store_write). */
enum stored store_put(struct store *st, const struct folded *f, str gateway, bool cut, err *e);

/* Cheaper, many at a time: STORED_NEW: the call will be the next of those that store_write writes. *more: it has
 * rows in other tables: store_more is to write them then. */
enum { STORE_BATCH = 32 };
enum stored store_queue(struct store *st, const struct folded *f, str gateway, bool cut, bool *more, err *e);
bool store_more(struct store *st, const struct folded *f, err *e);
/* Whether store_write must come before the next call. */
bool store_full(const struct store *st);
/* Writes what waits. *alone: a bit for each, in order, that was not written since its place is taken: it is to be
 * put by itself. */
bool store_write(struct store *st, uint64_t *alone, err *e);
/* Applies an amendment to a call that was written before (nothing may wait); STORED_KNOWN when done, STORED_NEW
 * when there is no such call. */
enum stored store_amend(struct store *st, const struct folded *f, err *e);

/* How far a segment's events are in the store: read (0 when unknown), write, forget. */
int64_t store_applied(struct store *st, const char *segment);
bool store_set_applied(struct store *st, const char *segment, uint64_t applied, err *e);
bool store_drop_segment(struct store *st, const char *segment, err *e);

/* Calls in flight whose segments are let go. */
bool store_spill(struct store *st, struct uuid id, uint64_t instance, str events, err *e);
bool store_unspill(struct store *st, struct uuid id, err *e);
bool store_spilled(struct store *st, uint64_t instance, void (*each)(void *ctx, struct uuid id, str events),
                   void *ctx, err *e);

/* Copies the log into the database file; *left: pages that a long reader holds back. */
bool store_checkpoint(struct store *st, int *left, err *e);
/* Copies all of it, so that the next write begins the log anew; false when a reader holds it back. */
bool store_restart_log(struct store *st);
/* Deletes up to `limit` of the oldest calls that began before `before_us`; the number deleted, -1 on
 * failure. Within a transaction. Rollups stay. */
int store_expire(struct store *st, uint64_t before_us, int limit, err *e);

#endif
