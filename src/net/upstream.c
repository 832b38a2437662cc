/* upstream: HTTP/1.1 client connections in per-worker pools.
 *
 *     free -> connecting -> (handshake) -> busy -> idle -> busy ... -> closed
 *
 * One read buffer per worker: an answer's bytes are parsed where recv put them and handed on as
 * views. Only a head that comes in pieces is kept in a buffer of the connection's own. Requests are
 * written from the caller's memory (an iovec that this file advances); nothing is copied. */
#include "net/upstream.h"

#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>

enum {
    HEAD_MAX = 64 * 1024,       /* bytes of an answer's head */
    READS_PER_TURN = 4,         /* then others get their turn */
    CONNECT_SLICE_US = 2000000, /* per address, while there are further ones */
};

enum phase { PHASE_CONNECT, PHASE_HEAD, PHASE_LENGTH, PHASE_CHUNKED, PHASE_TO_END, PHASE_DONE, PHASE_IDLE };

struct ustream {
    struct stream s;
    struct upstream *up;
    struct ustream *prev, *next; /* in the idle list */
    const struct ustream_events *ev;
    void *ctx; /* NULL: nobody listens (idle, or reset) */
    uint8_t phase;
    bool head_only, keep, paused, reused, answered;
    uint8_t addr_at, addr_count;
    struct iovec *iov; /* what is still to be sent */
    unsigned iov_count;
    uint64_t left; /* PHASE_LENGTH */
    struct http_chunked chunk;
    char *head; /* partial head */
    size_t head_len, head_from;
    uint64_t total_sent, request_sent;
    struct sock_addr *addr; /* while connecting */
    struct timer timer;     /* connect slice; idle time */
    struct deferred deferred;
};

struct upstream {
    struct loop *loop;
    struct origin origin;
    struct tls_ctx *tls;
    char *scratch;
    size_t scratch_size;
    uint32_t max;
    uint64_t idle_us;
    struct ustream idle; /* ring head; next: the last one used */
    struct upstream_counters count;
    uint32_t closing; /* dropped, their memory not yet freed */
    bool released;
};

static void on_event(struct stream *s, unsigned ev);
static void on_timer(struct timer *t);

/* ---- pool ---- */

struct upstream *upstream_new(struct loop *l, const struct origin *o, char *scratch, size_t scratch_size,
                              uint32_t max, uint64_t idle_us, err *e) {
    struct upstream *u = xcalloc(1, sizeof *u);
    u->loop = l;
    u->origin = *o;
    u->scratch = scratch;
    u->scratch_size = scratch_size;
    u->max = max;
    u->idle_us = idle_us;
    u->idle.next = u->idle.prev = &u->idle;
    if (o->tls && !(u->tls = tls_ctx_new(o->ca_file, o->sessions, e))) {
        free(u);
        return NULL;
    }
    return u;
}

static void pool_free_if_done(struct upstream *u) {
    if (!u->released || u->count.active || u->count.idle || u->closing) return;
    tls_ctx_free(u->tls);
    free(u);
}

void upstream_counters(const struct upstream *u, struct upstream_counters *out) { *out = u->count; }

static void ustream_free(struct deferred *d) {
    struct ustream *c = container_of(d, struct ustream, deferred);
    struct upstream *u = c->up;
    free(c->head);
    free(c->addr);
    free(c);
    u->closing--;
    pool_free_if_done(u);
}

static void unlink_idle(struct ustream *c) {
    c->prev->next = c->next;
    c->next->prev = c->prev;
    c->up->count.idle--;
    timer_stop(&c->timer);
}

/* The connection goes; memory at the end of the turn. */
static void drop(struct ustream *c) {
    if (c->phase == PHASE_IDLE)
        unlink_idle(c);
    else
        c->up->count.active--;
    c->phase = PHASE_DONE;
    c->ctx = NULL;
    timer_stop(&c->timer);
    stream_close(&c->s);
    c->up->closing++;
    c->deferred.run = ustream_free;
    loop_defer(c->up->loop, &c->deferred);
}

void upstream_release(struct upstream *u) {
    u->released = true;
    if (!u->count.idle) {
        pool_free_if_done(u);
        return;
    }
    while (u->idle.next != &u->idle) drop(u->idle.next);
}

static void go_idle(struct ustream *c) {
    struct upstream *u = c->up;
    u->count.active--;
    u->count.idle++;
    c->phase = PHASE_IDLE;
    c->ctx = NULL;
    c->next = u->idle.next;
    c->prev = &u->idle;
    c->next->prev = c;
    u->idle.next = c;
    c->timer.fire = on_timer;
    loop_timer(u->loop, &c->timer, loop_now(u->loop) + u->idle_us);
}

/* ---- failing and ending ---- */

/* `ended`: the peer closed in good order; then its acknowledgements tell whether it can have read the
 * request. After a reset they don't: its process may have read what its kernel never acknowledged. */
static void fail_stream(struct ustream *c, enum upstream_fail why, bool ended, const char *detail) {
    const struct ustream_events *ev = c->ev;
    void *ctx = c->ctx;
    bool unseen =
        c->phase == PHASE_CONNECT || (c->request_sent == 0) ||
        (ended && !c->answered && !c->s.tls && sock_unacknowledged(c->s.io.fd, c->total_sent, c->request_sent));
    char text[160];
    size_t n = strnlen(detail, sizeof text - 1);
    memcpy(text, detail, n);
    text[n] = 0;
    if (c->phase == PHASE_CONNECT) c->up->count.failed++;
    drop(c);
    if (ctx) ev->fail(ctx, why, unseen, text);
}

static void finish(struct ustream *c) {
    const struct ustream_events *ev = c->ev;
    void *ctx = c->ctx;
    if (c->keep && !c->iov_count && !c->s.hup && !c->s.broken && !c->up->released)
        go_idle(c);
    else
        drop(c);
    if (ctx) ev->end(ctx);
}

/* ---- connecting ---- */

static bool connect_next(struct ustream *c) {
    while (c->addr_at < c->addr_count) {
        int fd = sock_connect(&c->addr[c->addr_at++]);
        if (fd < 0 || !stream_open(&c->s, c->up->loop, fd, false)) continue;
        if (c->up->tls) {
            c->s.tls = tls_client(c->up->tls, fd, c->up->origin.host, NULL);
            if (!c->s.tls) return false;
            c->s.handshaking = true;
        }
        if (c->addr_at < c->addr_count)
            loop_timer(c->up->loop, &c->timer, loop_now(c->up->loop) + CONNECT_SLICE_US);
        return true;
    }
    return false;
}

static void connect_failed(struct ustream *c) {
    char why[160] = "connection refused";
    bool tls = c->s.tls && !c->s.connecting && stream_is_open(&c->s);
    if (tls) memcpy(why, tls_error(c->s.tls), strnlen(tls_error(c->s.tls), sizeof why - 1) + 1);
    stream_close(&c->s);
    timer_stop(&c->timer);
    if (!connect_next(c)) fail_stream(c, tls ? UPSTREAM_TLS : UPSTREAM_REFUSED, false, why);
}

/* Failures of ustream_open come in the next turn, as the events they are. */
static void fail_later(struct timer *t) {
    struct ustream *c = container_of(t, struct ustream, timer);
    char why[128];
    if (c->addr_count) {
        fail_stream(c, UPSTREAM_REFUSED, false,
                    c->addr_at ? "no connection to any address" : "limit of connections reached");
        return;
    }
    resolve_error(c->up->origin.name, why);
    fail_stream(c, UPSTREAM_UNRESOLVED, false, why);
}

static struct ustream *connect_new(struct upstream *u) {
    struct ustream *c = xcalloc(1, sizeof *c);
    c->up = u;
    c->s.io.fd = -1;
    c->s.loop = u->loop;
    c->s.on_event = on_event;
    c->phase = PHASE_CONNECT;
    c->addr = xcalloc(RESOLVE_ADDRS_MAX, sizeof *c->addr);
    c->addr_count = (uint8_t)resolve_addrs(u->origin.name, c->addr);
    u->count.active++;
    bool full = u->max && u->count.active + u->count.idle > u->max;
    c->timer.fire = on_timer;
    if (full || !connect_next(c)) {
        c->timer.fire = fail_later;
        loop_timer(u->loop, &c->timer, loop_now(u->loop));
    }
    return c;
}

struct ustream *ustream_open(struct upstream *u, const struct ustream_events *ev, void *ctx, bool head_only,
                             bool *reused) {
    struct ustream *c = u->idle.next;
    if (c != &u->idle) {
        unlink_idle(c);
        u->count.active++;
        u->count.reused++;
        c->reused = true;
        c->phase = PHASE_HEAD;
    } else {
        c = connect_new(u);
    }
    *reused = c->reused;
    c->ev = ev;
    c->ctx = ctx;
    c->head_only = head_only;
    c->keep = c->paused = c->answered = false;
    c->chunk = (struct http_chunked){0};
    c->left = c->request_sent = 0;
    return c;
}

/* ---- sending ---- */

static void send_more(struct ustream *c) {
    while (c->iov_count) {
        ssize_t w = stream_writev(&c->s, c->iov, (int)c->iov_count);
        if (w <= 0) return; /* blocked, or broken: the event tells */
        c->total_sent += (uint64_t)w;
        c->request_sent += (uint64_t)w;
        while (c->iov_count && (size_t)w >= c->iov->iov_len) {
            w -= (ssize_t)c->iov->iov_len;
            c->iov++;
            c->iov_count--;
        }
        if (c->iov_count) {
            c->iov->iov_base = (char *)c->iov->iov_base + w;
            c->iov->iov_len -= (size_t)w;
        } else if (c->ctx) {
            c->ev->sent(c->ctx);
            return;
        }
    }
}

void ustream_send(struct ustream *c, struct iovec *iov, unsigned n) {
    c->iov = iov;
    c->iov_count = n;
    if (c->phase != PHASE_CONNECT) send_more(c);
}

/* ---- the answer ---- */

static bool body_begins(struct ustream *c, const struct http_head *h) {
    c->keep = h->keep_alive;
    if (c->head_only || h->status == 204 || h->status == 304) {
        c->left = 0;
        c->phase = PHASE_LENGTH;
    } else if (h->chunked) {
        c->phase = PHASE_CHUNKED;
    } else if (h->has_length) {
        c->left = h->length;
        c->phase = PHASE_LENGTH;
    } else {
        c->phase = PHASE_TO_END;
        c->keep = false;
    }
    return true;
}

/* Keeps a partial head for the next read. */
static bool keep_head(struct ustream *c, const char *p, size_t n) {
    if (c->head_len + n > HEAD_MAX) return false;
    c->head = xrealloc(c->head, c->head_len + n);
    memcpy(c->head + c->head_len, p, n);
    c->head_len += n;
    return true;
}

/* Consumes head bytes out of p[0..n). Bytes used, or -1 on garbage. Informational answers are skipped. */
static ssize_t take_head(struct ustream *c, char *p, size_t n) {
    struct http_head h;
    size_t had = c->head_len, end;
    str all = {p, n};
    if (had) {
        if (!keep_head(c, p, n)) return -1;
        all = str_make(c->head, c->head_len);
    }
    end = http1_head_end(all, &c->head_from);
    if (!end) return !had && !keep_head(c, p, n) ? -1 : (ssize_t)n;
    if (end > HEAD_MAX || http1_response(str_take(all, end), &h) != HTTP_OK) return -1;
    c->head_from = c->head_len = 0;
    if (h.status == 101) return -1; /* nobody asked for an upgrade */
    c->answered = true;
    if (h.status >= 200) {
        body_begins(c, &h);
        c->ev->head(c->ctx, &h);
    }
    free(c->head);
    c->head = NULL;
    return (ssize_t)(end - had);
}

/* Consumes body bytes. Bytes used, or -1. Stops when the body is complete (phase DONE), paused or reset. */
static ssize_t take_body(struct ustream *c, char *p, size_t n) {
    size_t used = n, data = n;
    bool done = false;
    if (c->phase == PHASE_LENGTH) {
        if (data > c->left) used = data = (size_t)c->left;
        c->left -= data;
        done = c->left == 0;
    } else if (c->phase == PHASE_CHUNKED) {
        if (http1_chunked(&c->chunk, p, n, &used, &data) != HTTP_OK) return -1;
        done = c->chunk.done;
    }
    if (data) c->ev->data(c->ctx, p, data);
    if (done && c->ctx) c->phase = PHASE_DONE;
    return (ssize_t)used;
}

/* Feeds what was read through head and body. False: the stream ended, failed or was reset. */
static bool feed(struct ustream *c, char *p, size_t n) {
    for (size_t at = 0; at < n || (c->phase == PHASE_LENGTH && !c->left);) {
        ssize_t used = c->phase == PHASE_HEAD ? take_head(c, p + at, n - at) : take_body(c, p + at, n - at);
        if (!c->ctx) return false; /* reset by an event */
        if (used < 0) {
            fail_stream(c, UPSTREAM_GARBAGE, false, c->answered ? "broken framing" : "not an HTTP answer");
            return false;
        }
        at += (size_t)used;
        if (c->phase == PHASE_DONE) {
            if (at < n) c->keep = false; /* bytes that nobody asked for */
            finish(c);
            return false;
        }
        if (c->phase == PHASE_HEAD && at == n) break;
    }
    return true;
}

static void at_end(struct ustream *c) {
    if (c->phase == PHASE_TO_END)
        finish(c);
    else
        fail_stream(c, c->answered ? UPSTREAM_TRUNCATED : UPSTREAM_RESET, true, "connection closed");
}

static void read_some(struct ustream *c) {
    for (int k = 0; k < READS_PER_TURN; k++) {
        if (c->paused) return;
        ssize_t r = stream_read(&c->s, c->up->scratch, c->up->scratch_size);
        if (r == SOCK_AGAIN) return;
        if (r == 0) {
            at_end(c);
            return;
        }
        if (r < 0) {
            fail_stream(c, c->answered ? UPSTREAM_TRUNCATED : UPSTREAM_RESET, false, "connection reset");
            return;
        }
        if (!feed(c, c->up->scratch, (size_t)r)) return;
    }
    stream_again(&c->s);
}

/* ---- events ---- */

static void on_event(struct stream *s, unsigned ev) {
    struct ustream *c = container_of(s, struct ustream, s);
    if (c->phase == PHASE_IDLE) {
        /* Whatever an idle connection says (its end, a stray answer), it can't be used any more. TLS may
         * say things of its own (tickets): those are read here. */
        char byte;
        if ((ev & IO_READ) && !s->hup && !s->broken && s->tls && stream_read(s, &byte, 1) == SOCK_AGAIN) return;
        if (ev & (IO_READ | IO_HUP | IO_ERR)) drop(c);
        return;
    }
    if (c->phase == PHASE_DONE) return;
    if (c->phase == PHASE_CONNECT) {
        if (s->broken) {
            connect_failed(c);
            return;
        }
        if (s->connecting || s->handshaking) return;
        timer_stop(&c->timer);
        free(c->addr);
        c->addr = NULL;
        c->phase = PHASE_HEAD;
        c->up->count.opened++;
        c->ev->connected(c->ctx);
        if (!c->ctx) return;
    }
    if (c->iov_count && s->writable) send_more(c);
    if (c->ctx && (s->readable || s->broken)) {
        if (s->broken) s->readable = true; /* the error, or the answer sent before it */
        read_some(c);
    }
}

static void on_timer(struct timer *t) {
    struct ustream *c = container_of(t, struct ustream, timer);
    if (c->phase == PHASE_IDLE)
        drop(c);
    else if (c->phase == PHASE_CONNECT)
        connect_failed(c);
}

void ustream_pause(struct ustream *c) { c->paused = true; }

void ustream_resume(struct ustream *c) {
    if (!c->paused) return;
    c->paused = false;
    if (c->phase != PHASE_CONNECT && c->phase != PHASE_DONE) stream_again(&c->s);
}

void ustream_reset(struct ustream *c) { drop(c); }
