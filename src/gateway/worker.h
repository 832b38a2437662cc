/* worker: one thread with a loop of its own, its client connections, its pools, its spool. Workers
 * share the configuration, the books, and nothing that needs a lock on the hot path. */
#ifndef DRAY_GATEWAY_WORKER_H
#define DRAY_GATEWAY_WORKER_H

#include "base/recycle.h"
#include "books/books.h"
#include "config/config.h"
#include "gateway/metrics.h"
#include "gateway/multiplier.h"
#include "net/server.h"
#include "net/upstream.h"

#include <pthread.h>

struct gateway;
struct media_job;
struct query_job;

enum { WORKER_SCRATCH = 64 * 1024, WORKER_INBOX = 1024 };

/* What a worker needs of one configuration: it lives while a call pins it. */
struct pools {
    struct config *config;
    arena a;
    unsigned refs; /* calls, and one while it is the current */
    uint16_t provider_count;
    struct provider_pool {
        struct upstream *upstream; /* NULL: could not be set up (`error` says why) */
        err error;
        struct provider_auth {
            str block;  /* "host: …\r\nauthorization: …\r\n" and the provider's own headers */
            str native; /* the same with the credential as the kind's own dialect wants it */
        } * auth;       /* per key; one without credentials when the client's is used */
        uint16_t auth_count, auth_next;
    } provider[];
};

struct worker {
    unsigned index;
    pthread_t thread;
    struct gateway *gateway;
    struct loop *loop;
    struct server *server;
    char *scratch;
    struct spool *spool;
    struct uuid_gen ids;
    struct rng rng;
    struct pools *pools;
    struct recycle calls, requests;
    buf text;          /* heads and small bodies under construction; empty between uses */
    buf sse;           /* stream pieces under construction */
    struct timer tick; /* housekeeping */
    struct metrics metrics;
    struct multiplier multiplier[MULTIPLIER_MODELS_MAX];
    uint32_t named_calls; /* of which some teach */
    /* written by other threads */
    pthread_mutex_t inbox_lock;
    int inbox[WORKER_INBOX];
    unsigned inbox_count;
    _Atomic(struct config *) next_config; /* pinned for this worker */
    struct media_job *fetched;            /* the same of the media threads */
    struct query_job *answered;           /* under inbox_lock: answers of the query threads */
    atomic_bool stop, drain;
    atomic_uint connections; /* open ones and those in the inbox */
};

/* Prepares everything; the thread is started by worker_start. */
bool worker_init(struct worker *w, struct gateway *g, unsigned index, struct config *c, struct spool *spool,
                 err *e);
void worker_start(struct worker *w);
/* Whether the inbox takes another socket. Stays true for the one thread that gives. */
bool worker_has_room(struct worker *w);
/* Hands an accepted socket over; false when the inbox is full. Any thread. */
bool worker_give(struct worker *w, int fd);
/* New configuration for calls that begin from now on. Any thread. */
void worker_reload(struct worker *w, struct config *c);
void worker_join(struct worker *w);
/* What is left of it when no other thread has anything of it any more (the labeler gives requests back). */
void worker_free(struct worker *w);

struct pools *pools_pin(struct pools *p);
void pools_unpin(struct pools *p);

#endif
