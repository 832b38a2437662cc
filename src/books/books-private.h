/* The inside of struct books, for books.c (life), slice.c (reading and writing) and recover.c. */
#ifndef DRAY_BOOKS_BOOKS_PRIVATE_H
#define DRAY_BOOKS_BOOKS_PRIVATE_H

#include "books/books.h"
#include "books/fold.h"
#include "books/segment.h"
#include "books/spool.h"
#include "books/store.h"

#include <pthread.h>
#include <sys/types.h>

enum {
    SLICE_CALLS = 5000,   /* ended calls in one transaction */
    SLICE_EVENTS = 40000, /* events read for one transaction */
    SEGMENTS_HELD = 4,    /* sealed segments kept for calls in flight, per writer */
    WAL_MAX = 262144,     /* pages of log at which writing pauses unless configured: 1 GiB */
};

/* A segment being read. */
struct fold_place {
    struct segment *s;
    struct fold_place *next;
    size_t at, marked; /* read so far; in the store so far */
    size_t shed;       /* its pages are not kept in memory up to here */
    size_t applied;    /* in the store already when it was opened */
    uint32_t open;     /* calls in flight that began here */
    uint64_t events;   /* of those read from it, counted as handled */
};

struct reader {
    struct spool *writer;
    struct fold_place *first, *current;
};

struct call_queue {
    struct fold_call *first, **end;
    size_t count;
};

struct name_list {
    char (*name)[SEGMENT_NAME_MAX];
    size_t count;
};

/* What write_queue wrote. */
struct tally {
    uint64_t rows, known, cut, unknown;
};

struct books {
    struct books_config c;
    char *path, *gateway;
    struct spool_set *spool;
    pthread_t thread;
    bool started;
    pthread_mutex_t amend_lock;

    /* the books thread's own */
    struct store *store; /* NULL: can't be opened at the moment */
    struct reader *reader;
    struct fold fold;
    struct call_queue queue;  /* ended or amended, not yet in the store */
    struct fold_call *held;   /* calls that ended but wait for their label, labels that wait for their call */
    struct name_list dropped; /* segments whose marks are to be deleted with the next slice */
    uint64_t slice_events;    /* read since the last commit */
    struct folded folded;     /* scratch */
    struct tally tally;       /* of the open transaction */
    ino_t inode;
    uint64_t next_check, next_orphans, next_expire, last_write;
    uint64_t old_segments; /* number of segments recovered from so far, for the log */
    int wal_pages, wal_max;

    _Atomic uint64_t stop_at;  /* clock_mono_us to stop at, 0: don't */
    pthread_mutex_t wait_lock; /* with `wait`: the thread's pauses, which a stop ends */
    pthread_cond_t wait;
    _Atomic uint64_t handled, rows, known, cut, unknown, corrupt, failures, bytes, wal_bytes;
    _Atomic uint32_t open_calls, waiting;
    _Atomic bool recovering, store_ok;
    pthread_mutex_t error_lock;
    char error[160];
};

void queue_init(struct call_queue *q);
void queue_add(struct call_queue *q, struct fold_call *c);
/* After the commit: counts them and drops them from the table. */
void queue_written(struct books *b, struct call_queue *q, struct fold *fold);

/* Takes one event into `fold`; a call that it ends, or an amendment of a call that is not in flight, is
 * queued; in `held` (NULL: nothing waits) those that wait for a label. The event lies at `at` in `place`;
 * `old`: it was in the store when the segment was opened. */
void take_event(struct fold *fold, struct call_queue *queue, struct fold_call **held, struct fold_place *place,
                size_t at, const struct event_head *h, str payload, bool old);
/* Writes all queued calls within the current transaction. `cut`: they have no end and get none. */
bool write_queue(struct books *b, struct call_queue *q, str gateway, bool cut, err *e);
/* Reads what is there, up to a slice; true when readers were emptied. */
bool slice_read(struct books *b);
/* Writes what was read; false when the store failed (tried again with the next call). */
bool slice_write(struct books *b, err *e);
/* Starts to read all segments at hand again: the store is another one. */
void slice_rewind(struct books *b);
void readers_open(struct books *b);
/* At the end: hands back all segments when nothing is left in them. */
void readers_close(struct books *b);

/* Recovers what dead processes left. False when the store failed. */
bool recover(struct books *b, err *e);

/* Copies a long log into the database; false when it is at its bound and a reader holds it back. */
bool books_bound_log(struct books *b, err *e);

void books_error(struct books *b, const char *event, const err *e);
void books_fine(struct books *b);

#endif
