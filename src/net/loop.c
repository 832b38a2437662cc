/* loop: epoll, edge-triggered, each descriptor registered once for everything: no epoll_ctl per
 * state change. Timers live in a hashed wheel of 1024 slots of 16 ms; a bitmap finds the next
 * used slot, so an idle loop sleeps. Arming and stopping are a few pointer writes: calls move
 * their deadlines lazily (they keep the real one and re-arm when the timer fires early for it). */
#include "net/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SLOT_BITS = 14, SLOTS = 1024, EVENTS_PER_TURN = 256, WAIT_MAX_MS = 60000 };

struct loop {
    int epoll, wake_fd;
    bool stopping;
    atomic_bool woken;
    uint64_t now;
    uint64_t tick; /* the first slot not yet run: now >> SLOT_BITS of the last run */
    struct io *again, **again_tail;
    struct deferred *deferred;
    uint64_t used[SLOTS / 64];
    struct timer slot[SLOTS]; /* ring heads */
};

struct loop *loop_new(err *e) {
    struct loop *l = xcalloc(1, sizeof *l);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    if (l->epoll < 0 || l->wake_fd < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake_fd, &ev) < 0) {
        fail(e, "event loop: %s", strerror(errno));
        loop_free(l);
        return NULL;
    }
    l->again_tail = &l->again;
    l->now = clock_mono_us();
    l->tick = l->now >> SLOT_BITS;
    for (int i = 0; i < SLOTS; i++) l->slot[i].prev = l->slot[i].next = &l->slot[i];
    return l;
}

uint64_t loop_now(const struct loop *l) { return l->now; }
void loop_stop(struct loop *l) { l->stopping = true; }

void loop_wake(struct loop *l) {
    if (atomic_exchange_explicit(&l->woken, true, memory_order_acq_rel)) return;
    uint64_t one = 1;
    ssize_t w = write(l->wake_fd, &one, sizeof one);
    (void)w; /* full counter: the loop is going to wake anyway */
}

/* ---- descriptors ---- */

bool loop_add(struct loop *l, struct io *io) {
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = io};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, io->fd, &ev) == 0;
}

void loop_remove(struct loop *l, struct io *io) {
    if (io->fd >= 0) epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, NULL);
    if (!io->again) return;
    for (struct io **p = &l->again; *p; p = &(*p)->next_again)
        if (*p == io) {
            *p = io->next_again;
            if (!*p) l->again_tail = p;
            break;
        }
    io->again = 0;
}

void loop_again(struct loop *l, struct io *io) {
    if (io->again) return;
    io->again = 1;
    io->next_again = NULL;
    *l->again_tail = io;
    l->again_tail = &io->next_again;
}

static void run_again(struct loop *l) {
    struct io *last = NULL;
    for (struct io *io = l->again; io; io = io->next_again) last = io;
    while (last && l->again) { /* only those queued before this turn */
        struct io *io = l->again;
        l->again = io->next_again;
        if (!l->again) l->again_tail = &l->again;
        io->again = 0;
        bool end = io == last;
        io->on_event(io, IO_READ);
        if (end) break;
    }
}

/* ---- timers ---- */

void timer_stop(struct timer *t) {
    if (!t->next) return;
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->prev = t->next = NULL;
}

void loop_timer(struct loop *l, struct timer *t, uint64_t due) {
    timer_stop(t);
    t->due = due;
    uint64_t tick = (due >> SLOT_BITS) + 1; /* the slot after: never early */
    if (tick < l->tick) tick = l->tick;
    unsigned s = (unsigned)(tick % SLOTS);
    struct timer *head = &l->slot[s];
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
    l->used[s / 64] |= 1ull << (s % 64);
}

static void run_slot(struct loop *l, unsigned s) {
    struct timer *head = &l->slot[s], due = {&due, &due, 0, NULL};
    for (struct timer *t = head->next, *next; t != head; t = next) {
        next = t->next;
        if (t->due > l->now) continue; /* a later revolution */
        timer_stop(t);
        t->prev = due.prev;
        t->next = &due;
        due.prev->next = t;
        due.prev = t;
    }
    if (head->next == head) l->used[s / 64] &= ~(1ull << (s % 64));
    while (due.next != &due) {
        struct timer *t = due.next;
        timer_stop(t);
        t->fire(t);
    }
}

static void run_timers(struct loop *l) {
    uint64_t until = l->now >> SLOT_BITS;
    if (until >= l->tick + SLOTS) l->tick = until - SLOTS + 1; /* a long sleep: each slot once */
    for (; l->tick <= until; l->tick++) {
        unsigned s = (unsigned)(l->tick % SLOTS);
        if (l->used[s / 64] & (1ull << (s % 64))) run_slot(l, s);
    }
}

/* Milliseconds until the next used slot begins. */
static int wait_ms(const struct loop *l) {
    if (l->again) return 0;
    for (uint64_t k = 0; k < SLOTS; k++) {
        uint64_t tick = l->tick + k;
        unsigned s = (unsigned)(tick % SLOTS);
        if (!l->used[s / 64]) {
            k += 63 - s % 64;
            continue;
        }
        if (!(l->used[s / 64] & (1ull << (s % 64)))) continue;
        uint64_t at = tick << SLOT_BITS;
        return at <= l->now ? 0 : (int)((at - l->now + 999) / 1000);
    }
    return WAIT_MAX_MS;
}

/* ---- the turn ---- */

void loop_defer(struct loop *l, struct deferred *d) {
    d->next = l->deferred;
    l->deferred = d;
}

static void run_deferred(struct loop *l) {
    while (l->deferred) {
        struct deferred *d = l->deferred;
        l->deferred = d->next;
        d->run(d);
    }
}

void loop_free(struct loop *l) {
    if (!l) return;
    run_deferred(l);
    if (l->epoll >= 0) close(l->epoll);
    if (l->wake_fd >= 0) close(l->wake_fd);
    free(l);
}

static bool drain_wake(struct loop *l) {
    uint64_t n;
    ssize_t r = read(l->wake_fd, &n, sizeof n);
    (void)r;
    return atomic_exchange_explicit(&l->woken, false, memory_order_acq_rel);
}

static unsigned translate(uint32_t ev) {
    return (ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? IO_READ : 0u) | (ev & EPOLLOUT ? IO_WRITE : 0u) |
           (ev & (EPOLLRDHUP | EPOLLHUP) ? IO_HUP : 0u) | (ev & EPOLLERR ? IO_ERR : 0u);
}

static void handle(struct io *io, uint32_t events) {
    if (io->fd >= 0) io->on_event(io, translate(events));
}

void loop_run(struct loop *l, void (*on_wake)(void *ctx), void *ctx) {
    struct epoll_event ev[EVENTS_PER_TURN];
    while (!l->stopping) {
        int n = epoll_wait(l->epoll, ev, EVENTS_PER_TURN, wait_ms(l));
        if (n < 0 && errno != EINTR) panic("epoll_wait: %s", strerror(errno));
        l->now = clock_mono_us();
        bool woken = false;
        run_again(l);
        int late = 0;
        for (int i = 0; i < n; i++) {
            struct io *io = ev[i].data.ptr;
            if (!io)
                woken = drain_wake(l);
            else if (io->late)
                ev[late++] = ev[i];
            else
                handle(io, ev[i].events);
        }
        for (int i = 0; i < late; i++) handle(ev[i].data.ptr, ev[i].events);
        run_timers(l);
        if (woken && on_wake) on_wake(ctx);
        run_deferred(l);
    }
    run_deferred(l);
}
