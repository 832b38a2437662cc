/* labeler: see labeler.h. */
#include "gateway/labeler.h"

#include "gateway/call.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { RING = 4096, GATHER_US = 5000 };

struct job {
    struct call_request *r;
    struct uuid id;
    struct config *config; /* pinned */
    const struct surface *surface;
    uint64_t begin_wall;
};

/* Single producer (the worker), single consumer (the thread). */
struct ring {
    _Alignas(64) atomic_uint head; /* next to be written */
    _Alignas(64) atomic_uint tail; /* next to be read */
    struct job job[RING];
};

struct labeler {
    pthread_t thread;
    struct spool *spool;
    const uint64_t *prompt_key;
    int wake_fd;
    atomic_bool asleep, stopping;
    unsigned workers;
    struct ring *ring[];
};

static void label(struct job *j, struct spool *spool, const uint64_t *key, void (*done)(struct call_request *)) {
    struct call_request *r = j->r;
    request_facts(r, j->surface, j->config, j->begin_wall);
    struct record_amend m = {.id = j->id, .time_us = j->begin_wall, .facts = &r->facts, .quality = -1};
    m.prompt_hash = siphash_long(key, r->body.p, r->body.n);
    spool_amend(spool, &m); /* when there is no room the record stays unlabelled; the spool counts it */
    done(r);
    config_unpin(j->config);
}

static bool work(struct labeler *l) {
    bool any = false;
    for (unsigned i = 0; i < l->workers; i++) {
        struct ring *q = l->ring[i];
        unsigned tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
        while (tail != atomic_load_explicit(&q->head, memory_order_acquire)) {
            label(&q->job[tail % RING], l->spool, l->prompt_key, request_give);
            atomic_store_explicit(&q->tail, ++tail, memory_order_release);
            any = true;
        }
    }
    return any;
}

static void *run(void *arg) {
    struct labeler *l = arg;
    pthread_setname_np(pthread_self(), "labeler");
    while (!atomic_load(&l->stopping)) {
        if (work(l)) {
            nanosleep(&(struct timespec){0, GATHER_US * 1000}, NULL);
            continue;
        }
        atomic_store(&l->asleep, true);
        if (work(l)) { /* given between the look and the sleep */
            atomic_store(&l->asleep, false);
            continue;
        }
        uint64_t n;
        ssize_t got = read(l->wake_fd, &n, sizeof n);
        (void)got;
        atomic_store(&l->asleep, false);
        nanosleep(&(struct timespec){0, GATHER_US * 1000}, NULL);
    }
    work(l);
    return NULL;
}

static void wake(struct labeler *l) {
    uint64_t one = 1;
    ssize_t w = write(l->wake_fd, &one, sizeof one);
    (void)w;
}

struct labeler *labeler_start(unsigned workers, struct spool *spool, const uint64_t prompt_key[2]) {
    struct labeler *l = xcalloc(1, sizeof *l + workers * sizeof *l->ring);
    l->workers = workers;
    l->spool = spool;
    l->prompt_key = prompt_key;
    l->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (l->wake_fd < 0) panic("labeler: no eventfd");
    for (unsigned i = 0; i < workers; i++) {
        void *p = NULL;
        if (posix_memalign(&p, 64, sizeof(struct ring))) panic("out of memory");
        memset(p, 0, sizeof(struct ring));
        l->ring[i] = p;
    }
    if (pthread_create(&l->thread, NULL, run, l)) panic("cannot start the labeler");
    return l;
}

void labeler_give(struct labeler *l, struct worker *w, struct call *c) {
    struct ring *q = l->ring[w->index];
    struct job j = {.r = c->r,
                    .id = c->id,
                    .config = config_pin(c->pools->config),
                    .surface = c->surface,
                    .begin_wall = c->begin_wall};
    unsigned head = atomic_load_explicit(&q->head, memory_order_relaxed);
    if (head - atomic_load_explicit(&q->tail, memory_order_acquire) == RING) {
        label(&j, w->spool, l->prompt_key, request_free);
        return;
    }
    q->job[head % RING] = j;
    atomic_store(&q->head, head + 1); /* ordered before the look at `asleep` */
    if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false)) wake(l);
}

void labeler_stop(struct labeler *l) {
    if (!l) return;
    atomic_store(&l->stopping, true);
    wake(l);
    pthread_join(l->thread, NULL);
    close(l->wake_fd);
    for (unsigned i = 0; i < l->workers; i++) free(l->ring[i]);
    free(l);
}
