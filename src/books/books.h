/* books: what is kept of every call, for ever and exactly once.
 *
 * A worker appends events to its own memory-mapped spool segment before the last bytes of the
 * call's answer go out; the page cache survives SIGKILL. The books thread tails the segments, folds
 * events into one row per call, and writes them to the store; recovery after a crash is that same
 * path, made idempotent by how far each segment is in the store (written in the same transaction as
 * its rows) and by the call's id.
 *
 *     worker: spool_begin -> spool_attempt* -> spool_end      (wait-free: encode, CRC, release store)
 *     books thread: spool -> fold -> SQLite
 *
 * The record itself is in books/record.h; reading the ledger is in books/ledger.h and books/query.h. */
#ifndef DRAY_BOOKS_BOOKS_H
#define DRAY_BOOKS_BOOKS_H

#include "base/err.h"
#include "books/record.h"

struct books;
struct spool; /* one per worker; not shared between threads */

struct books_config {
    str path;      /* SQLite file */
    str spool_dir; /* segments live here; made when absent */
    str gateway;   /* this gateway's name in the rows */
    uint32_t writers;
    bool fsync;                             /* power-loss durability, but for the last 20 ms */
    uint64_t keep_calls_us, keep_bodies_us; /* 0: for ever */
    uint32_t segment_size, segments_max;    /* 0: 8 MiB, 128 of them: the backlog's bound */
    uint32_t wal_max;                       /* pages of the store's log at which writing pauses; 0: 1 GiB */
};

/* Opens the store and the spool, starts the books thread (named "books") and the segment helper (named
 * "spool"). What earlier processes left in the spool is recovered by the books thread, before
 * anything else. Fails when the store can't be opened (a locked one is waited for; a file that is no
 * database is put aside as PATH.corrupt-TIME). */
struct books *books_open(const struct books_config *c, err *e);
/* Drains: returns when every event is in the store or `wait_us` is over (what is left stays in the
 * spool for the next start; its number is returned). Writers must have stopped. */
uint64_t books_close(struct books *b, uint64_t wait_us);
/* Writer `i` of books_config.writers. */
struct spool *books_writer(struct books *b, unsigned i);

/* Append one event. False when it can't be booked (disk full, both segments used up): the caller
 * does what on_ledger_full says; the loss is counted. Called on the event loop: never blocks. */
bool spool_begin(struct spool *s, const struct record *r);
bool spool_attempt(struct spool *s, const struct record *r, const struct record_attempt *t);
bool spool_end(struct spool *s, const struct record *r);
/* What is only known after the answer's last byte (label of a named call, checks); the row is amended. */
bool spool_amend(struct spool *s, const struct record_amend *m);
/* The same from any thread that is no worker (feedback); takes a lock. */
bool books_amend(struct books *b, const struct record_amend *m);

struct books_status {
    uint64_t backlog_events; /* appended, not yet in the store; not 0 while an earlier process's are recovered */
    uint64_t backlog_bytes;
    uint64_t rows;       /* written since start */
    uint64_t lost;       /* events that could not be booked */
    uint64_t known;      /* calls that came again and were in the store already */
    uint64_t cut;        /* calls cut by a crash, found on recovery */
    uint64_t unknown;    /* amendments of calls that are not in the store */
    uint64_t corrupt;    /* gaps in the spool that made no sense */
    uint64_t failures;   /* transactions that failed and are tried again */
    uint64_t wal_bytes;  /* of the store's log; grows while somebody reads long */
    uint32_t open_calls; /* begun, not ended */
    uint32_t segments;   /* spool files */
    bool store_ok;       /* the last write to the store succeeded */
    bool spool_ok;       /* there is room in the spool */
    char error[160];     /* why not, empty when fine */
};
/* Thread-safe reads of counters. */
void books_status(const struct books *b, struct books_status *out);

#endif
