/* loop: one thread's event loop: descriptors, timers, work put off to the end of the turn.
 *
 * A seam: loop.c and sock.c are the operating system's side; tests link a simulated network and
 * virtual time in their place (same symbols).
 *
 * Descriptors are edge-triggered: an event says that something changed, whoever handles it reads
 * or writes until the kernel says "not now" (or a short read says so), or asks for another turn
 * with loop_again. Handlers may free what they like with loop_defer: nothing is freed before the
 * turn ends, so a function may touch what it holds until it returns.
 * Only loop_wake may be called from another thread. */
#ifndef DRAY_NET_LOOP_H
#define DRAY_NET_LOOP_H

#include "base/err.h"

#include <stdint.h>

struct loop;

enum io_event {
    IO_READ = 1,
    IO_WRITE = 2,
    IO_HUP = 4, /* the peer closed its sending side (or all of it) */
    IO_ERR = 8,
};

/* A watched descriptor; embedded in its owner (container_of). */
struct io {
    int fd;        /* -1: none */
    uint8_t again; /* queued by loop_again */
    bool late; /* handled behind all others of a turn: what is done alike is done in a row, with its code in the
                * cache. Streams that others opened (clients) are late. */
    void (*on_event)(struct io *io, unsigned events);
    struct io *next_again;
};

/* A timer; embedded. Fires once, at or after `due`. All zero: stopped. */
struct timer {
    struct timer *prev, *next; /* in its slot's ring; NULL when stopped */
    uint64_t due;
    void (*fire)(struct timer *t);
};

/* Work for the end of the turn; embedded. */
struct deferred {
    void (*run)(struct deferred *d);
    struct deferred *next;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct loop *loop_new(err *e);
void loop_free(struct loop *l);
/* Runs turns until loop_stop. `on_wake` (may be NULL) is called once per turn after a loop_wake. */
void loop_run(struct loop *l, void (*on_wake)(void *ctx), void *ctx);
void loop_stop(struct loop *l);
/* Thread-safe and async-signal-safe: the loop's next wait returns at once. */
void loop_wake(struct loop *l);

/* Monotonic microseconds, read once per turn. */
uint64_t loop_now(const struct loop *l);

/* Watches io->fd for everything, edge-triggered, until loop_remove. False: the kernel refused. */
bool loop_add(struct loop *l, struct io *io);
void loop_remove(struct loop *l, struct io *io);
/* Calls io->on_event(io, IO_READ) in the next turn (fairness: one descriptor must not hold the turn). */
void loop_again(struct loop *l, struct io *io);

/* (Re)arms `t` for `due` on the loop's clock. Resolution about 16 ms, never early. */
void loop_timer(struct loop *l, struct timer *t, uint64_t due);
void timer_stop(struct timer *t);
static inline bool timer_armed(const struct timer *t) { return t->next != NULL; }

/* Runs d->run(d) when this turn's events are done; it may free its owner. */
void loop_defer(struct loop *l, struct deferred *d);

#endif
