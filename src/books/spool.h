/* spool: the writers' side: one append-only stream of segments per writer, and the helper thread that
 * prepares the next segment of each and removes those that are done with. */
#ifndef DRAY_BOOKS_SPOOL_H
#define DRAY_BOOKS_SPOOL_H

#include "books/books.h"
#include "books/segment.h"

#include <pthread.h>

enum {
    SPOOL_WRITERS_MAX = 64,
    SPOOL_SEGMENTS_MAX = 128, /* default bound of the backlog: sealed segments kept in all, 1 GiB */
};

/* One writer. `current` and `at` belong to the writing thread. */
struct spool {
    struct spool_set *set;
    uint32_t writer;
    struct segment *current;
    size_t at;
    _Atomic bool asked;              /* half full: the next segment's pages are wanted */
    _Atomic(struct segment *) ready; /* prepared by the helper */
    uint64_t seq;                    /* of the last one created; helper's */
    _Atomic uint64_t events;         /* appended so far */
    _Atomic uint64_t lost;
    struct segment *first; /* where the reader begins */
    struct segment *sync;  /* made durable up to `synced`; the helper's, when fsync is set */
    size_t synced;
};

struct spool_set {
    int dirfd, lockfd;
    char *dir;
    uint64_t instance;
    size_t segment_size;
    char gateway[64];
    uint32_t count;
    struct spool *writer; /* [count] */
    /* helper */
    pthread_t helper;
    pthread_mutex_t lock; /* guards what follows; never taken by a writer */
    int wake;             /* eventfd: writers and the books thread call the helper */
    bool stop, started, fsync;
    struct segment *done;      /* to be unmapped and unlinked */
    _Atomic uint32_t segments; /* files that exist */
    uint32_t segments_max;
    _Atomic bool ok; /* there is a next segment for everyone */
    char error[160]; /* why not */
};

/* Makes `dir`, takes this process's lock in it, creates each writer's first segments and starts the
 * helper. */
struct spool_set *spool_open(const struct books_config *c, err *e);
/* Seals all writers (nothing may be appended any more) so that the reader sees their end. */
void spool_seal(struct spool_set *set);
/* Stops the helper, removes what is done with; the segments that are left stay on disk. */
void spool_close(struct spool_set *set);
/* The reader is done with this segment: it is unmapped and unlinked by the helper. */
void spool_done(struct spool_set *set, struct segment *s);
/* Copies the helper's last error, empty when it is well. */
void spool_error(struct spool_set *set, char out[160]);

/* Calls back for each instance (of a process that is no more) that left segments, with its lock held. */
bool spool_orphans(struct spool_set *set, void (*each)(void *ctx, uint64_t instance), void *ctx);
/* Names of an instance's segments in the order writer, seq; free with free(). */
char (*spool_list(struct spool_set *set, uint64_t instance, size_t *count))[SEGMENT_NAME_MAX];
/* Removes an orphan's segment file, and with `name` NULL its lock file. */
void spool_remove(struct spool_set *set, uint64_t instance, const char *name);

/* Segments that are no segments, kept for whoever wants to look into them: the newest, so many and so large in
 * all. */
enum { SPOOL_BAD_MAX = 16, SPOOL_BAD_BYTES = 64 << 20 };
/* Renames a segment that can't be read to NAME.bad, out of the way of the next recovery; of those kept so far the
 * oldest go, each with an error in the log. */
void spool_set_aside(struct spool_set *set, const char *name);

#endif
