/* server: one state machine per client connection.
 *
 * Bytes are read into the worker's scratch buffer and parsed there; only what is left over (a partial
 * head, pipelined requests) is copied into the connection's own buffer. While a request is being
 * answered nothing is read: the kernel's buffer is the back-pressure, and the edge that says "peer
 * closed" tells of clients that left. One timer per connection, moved lazily: its due time is only
 * compared with the deadline when it fires. */
#include "net/server.h"

#include <stdlib.h>

enum {
    READS_PER_TURN = 8,
    HEAD_READ = 16 * 1024,     /* read at once where a head is waited for */
    STRAIGHT_MIN = 4 * 1024,   /* bodies with more than this to come are read where they are kept */
    STRAIGHT_MAX = 128 * 1024, /* at a time */
    DISCARD_MAX = 256 * 1024,  /* of a body that nobody wants, before the connection is closed instead */
    LINGER_US = 2000000,       /* after a close with unread input, so that the answer isn't lost to a reset */
};

enum state { ST_IDLE, ST_HEAD, ST_BODY, ST_ANSWER, ST_DISCARD, ST_FLUSH, ST_LINGER, ST_CLOSED };

struct conn {
    struct stream s;
    struct server *srv;
    struct conn *prev, *next;
    struct timer timer;
    struct deferred deferred;
    uint64_t deadline;
    uint64_t left; /* of a body with a length */
    char *in;      /* bytes read and not yet used */
    uint32_t in_len, in_cap, head_from;
    void *req;
    uint32_t discarded;
    uint8_t state, minor;
    bool keep, chunked, body_open, paused, finished, blocked;
    struct http_chunked chunk;
};

struct server {
    struct loop *loop;
    const struct server_handler *h;
    void *ctx;
    char *scratch;
    size_t scratch_size;
    struct server_limits limits;
    struct conn all; /* ring head */
    uint32_t connections, requests;
    bool draining;
};

static void on_event(struct stream *s, unsigned ev);
static void on_timer(struct timer *t);
static void run(struct conn *c);

/* ---- life ---- */

struct server *server_new(struct loop *l, const struct server_handler *h, void *ctx, char *scratch,
                          size_t scratch_size) {
    struct server *s = xcalloc(1, sizeof *s);
    *s = (struct server){.loop = l, .h = h, .ctx = ctx, .scratch = scratch, .scratch_size = scratch_size};
    s->all.next = s->all.prev = &s->all;
    return s;
}

void server_limits_set(struct server *s, const struct server_limits *limits) { s->limits = *limits; }
uint32_t server_connections(const struct server *s) { return s->connections; }
uint32_t server_requests(const struct server *s) { return s->requests; }

static void conn_free(struct deferred *d) {
    struct conn *c = container_of(d, struct conn, deferred);
    free(c->in);
    free(c);
}

static void close_conn(struct conn *c) {
    if (c->state == ST_CLOSED) return;
    c->state = ST_CLOSED;
    timer_stop(&c->timer);
    stream_close(&c->s);
    c->prev->next = c->next;
    c->next->prev = c->prev;
    c->srv->connections--;
    c->deferred.run = conn_free;
    loop_defer(c->srv->loop, &c->deferred);
    if (c->req) {
        void *req = c->req;
        c->req = NULL;
        c->srv->requests--;
        c->srv->h->gone(req);
    }
}

static void deadline(struct conn *c, uint64_t after_us) {
    c->deadline = loop_now(c->srv->loop) + after_us;
    if (!timer_armed(&c->timer) || c->timer.due > c->deadline) loop_timer(c->srv->loop, &c->timer, c->deadline);
}

void server_accept(struct server *s, int fd) {
    struct conn *c = xcalloc(1, sizeof *c);
    c->srv = s;
    c->s.on_event = on_event;
    if (!stream_open(&c->s, s->loop, fd, true)) {
        free(c);
        return;
    }
    c->timer.fire = on_timer;
    c->next = s->all.next;
    c->prev = &s->all;
    c->next->prev = c;
    s->all.next = c;
    s->connections++;
    deadline(c, s->limits.head_us);
}

void server_drain(struct server *s) {
    s->draining = true;
    for (struct conn *c = s->all.next, *next; c != &s->all; c = next) {
        next = c->next;
        if (c->state == ST_IDLE) close_conn(c);
    }
}

void server_free(struct server *s) {
    if (!s) return;
    while (s->all.next != &s->all) {
        struct conn *c = s->all.next;
        close_conn(c);
    }
    free(s);
}

/* ---- ending an answer ---- */

/* Everything of the answer has been given to the stream; what comes next? */
static void answered(struct conn *c) {
    if (stream_pending(&c->s)) {
        c->state = ST_FLUSH;
        deadline(c, c->srv->limits.write_us);
        return;
    }
    bool body_left = c->body_open;
    if (c->keep && body_left && c->discarded + (c->chunked ? 0 : c->left) <= DISCARD_MAX) {
        c->state = ST_DISCARD;
        deadline(c, c->srv->limits.body_us);
    } else if (c->keep) {
        c->state = ST_IDLE;
        deadline(c, c->srv->limits.idle_us);
        if (c->srv->draining) close_conn(c);
    } else if (body_left || c->in_len || c->s.readable) {
        stream_shutdown(&c->s);
        c->state = ST_LINGER;
        c->discarded = 0;
        deadline(c, LINGER_US);
    } else {
        close_conn(c);
    }
}

void conn_finish(struct conn *c, bool keep) {
    if (c->state == ST_CLOSED) return;
    if (c->req) c->srv->requests--;
    c->req = NULL;
    c->blocked = false;
    if (!keep || c->s.hup || c->srv->draining) c->keep = false;
    if (c->body_open && !c->chunked && c->left > DISCARD_MAX) c->keep = false;
    c->finished = true;
    answered(c);
    /* The next request may have come already: from the loop, not from within the handler's call. */
    if (c->state == ST_IDLE || c->state == ST_DISCARD || c->state == ST_LINGER)
        if (c->in_len || c->s.readable) stream_again(&c->s);
}

void conn_abort(struct conn *c) {
    if (c->state == ST_CLOSED) return;
    if (c->req) c->srv->requests--;
    c->req = NULL;
    close_conn(c);
}

bool conn_send(struct conn *c, const struct iovec *iov, int n) {
    if (c->state == ST_CLOSED) return false;
    bool ok = stream_push(&c->s, iov, n);
    if (!ok) {
        stream_again(&c->s); /* close from the loop, not under the handler's feet */
        return false;
    }
    if (stream_pending(&c->s) && !c->blocked) {
        c->blocked = true;
        deadline(c, c->srv->limits.write_us);
    }
    return ok;
}

size_t conn_pending(const struct conn *c) { return stream_pending(&c->s); }
bool conn_keep_alive(const struct conn *c) { return c->keep && !c->srv->draining; }
int conn_minor(const struct conn *c) { return c->minor; }
void conn_pause_body(struct conn *c) { c->paused = true; }

void conn_resume_body(struct conn *c) {
    if (!c->paused) return;
    c->paused = false;
    stream_again(&c->s);
}

/* ---- reading ---- */

static void bad(struct conn *c, int status, const char *why) {
    c->keep = false;
    c->body_open = true; /* unread input: linger */
    c->srv->h->bad(c->srv->ctx, c, status, why);
    if (c->state == ST_CLOSED) return;
    c->finished = true;
    answered(c);
}

static void begin_request(struct conn *c, const struct http_head *h) {
    struct server *s = c->srv;
    c->minor = h->minor;
    c->keep = h->keep_alive && !s->draining;
    c->chunked = h->chunked;
    c->left = h->has_length ? h->length : 0;
    c->body_open = h->chunked || c->left > 0;
    c->chunk = (struct http_chunked){0};
    c->discarded = 0;
    c->finished = c->paused = false;
    c->state = ST_BODY;
    void *req = s->h->request(s->ctx, c, h);
    if (c->state == ST_CLOSED) return;
    if (c->finished) return; /* answered at once */
    if (!req) {
        close_conn(c);
        return;
    }
    c->req = req;
    s->requests++;
    if (!c->body_open) {
        c->state = ST_ANSWER;
        timer_stop(&c->timer);
        s->h->body_end(req);
        return;
    }
    if (h->expect_continue && c->minor >= 1 && !c->in_len) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        struct iovec v = {(char *)(uintptr_t)go_on, sizeof go_on - 1};
        if (!stream_push(&c->s, &v, 1)) {
            close_conn(c);
            return;
        }
    }
    deadline(c, s->limits.body_us);
}

/* A head out of p[0..n). Bytes used; 0: incomplete; -1: the connection is done with. */
static ssize_t take_head(struct conn *c, str in) {
    struct server *s = c->srv;
    struct http_head h;
    if (c->state == ST_IDLE) { /* empty lines before a request are skipped (RFC 9112 2.2) */
        size_t skip = 0;
        while (skip < in.n && (in.p[skip] == '\r' || in.p[skip] == '\n') && skip < 4) skip++;
        if (skip) return (ssize_t)skip;
        c->state = ST_HEAD;
        c->head_from = 0;
        deadline(c, s->limits.head_us);
    }
    size_t from = c->head_from, end = http1_head_end(in, &from);
    c->head_from = (uint32_t)from;
    if ((end ? end : in.n) > s->limits.head_max) {
        bad(c, 431, "request head too large");
        return -1;
    }
    if (!end) return 0;
    enum http_error e = http1_request(str_take(in, end), &h);
    if (e != HTTP_OK) {
        bad(c, e == HTTP_BAD_VERSION ? 505 : e == HTTP_TOO_MANY ? 431 : 400, http_error_text(e));
        return -1;
    }
    begin_request(c, &h);
    return c->state == ST_CLOSED ? -1 : (ssize_t)end;
}

/* The handler has had a piece of the body: was it the last? */
static void body_came(struct conn *c) {
    if (c->state != ST_BODY || !c->req) return;
    if (c->body_open) {
        deadline(c, c->srv->limits.body_us);
        return;
    }
    c->state = ST_ANSWER;
    timer_stop(&c->timer);
    c->srv->h->body_end(c->req);
}

/* Body bytes, in ST_BODY or ST_DISCARD. Bytes used, or -1. */
static ssize_t take_body(struct conn *c, char *p, size_t n) {
    size_t used = n, data = n;
    if (c->chunked) {
        if (http1_chunked(&c->chunk, p, n, &used, &data) != HTTP_OK) {
            c->keep = false;
            c->body_open = true; /* unread input: linger */
            if (c->req)
                c->srv->h->body_bad(c->req, http_error_text(HTTP_BAD_CHUNK));
            else
                close_conn(c);
            return -1;
        }
        c->body_open = !c->chunk.done;
    } else {
        if (data > c->left) used = data = (size_t)c->left;
        c->left -= data;
        c->body_open = c->left > 0;
    }
    if (c->state == ST_DISCARD) {
        c->discarded += (uint32_t)data;
        if (c->discarded > DISCARD_MAX) c->keep = false;
        if (!c->body_open || !c->keep) answered(c);
        return c->state == ST_CLOSED ? -1 : (ssize_t)used;
    }
    if (data) c->srv->h->body(c->req, p, data);
    body_came(c);
    return c->state == ST_CLOSED ? -1 : (ssize_t)used;
}

static bool wants_input(const struct conn *c) {
    return c->state == ST_IDLE || c->state == ST_HEAD || (c->state == ST_BODY && !c->paused) ||
           c->state == ST_DISCARD;
}

/* Uses what it can of p[0..n); bytes used, or -1 when the connection is done with. */
static ssize_t consume(struct conn *c, char *p, size_t n) {
    size_t at = 0;
    while (at < n && wants_input(c)) {
        bool head = c->state == ST_IDLE || c->state == ST_HEAD;
        ssize_t used = head ? take_head(c, str_make(p + at, n - at)) : take_body(c, p + at, n - at);
        if (used < 0) return -1;
        if (head && used == 0) break;
        at += (size_t)used;
    }
    return (ssize_t)at;
}

static void keep_rest(struct conn *c, const char *p, size_t n) {
    if (!n) return;
    if (c->in_cap < n) {
        c->in = xrealloc(c->in, n);
        c->in_cap = (uint32_t)n;
    }
    memmove(c->in, p, n);
    c->in_len = (uint32_t)n;
}

static void release_in(struct conn *c) {
    free(c->in);
    c->in = NULL;
    c->in_len = c->in_cap = 0;
}

/* What is buffered already comes before anything from the socket. False: wait or closed. */
static bool use_buffered(struct conn *c) {
    if (!c->in_len) return true;
    char *in = c->in;
    size_t n = c->in_len, cap = c->in_cap;
    ssize_t used = consume(c, in, n);
    if (used < 0) return false; /* freed with the connection, or lingering */
    invariant(c->in == in && c->in_cap == cap);
    memmove(c->in, c->in + used, n - (size_t)used);
    c->in_len = (uint32_t)(n - (size_t)used);
    if (!c->in_len) release_in(c);
    return wants_input(c);
}

/* Where the handler wants the rest of the body, when that is much; NULL: through scratch. */
static char *straight_room(struct conn *c, size_t *room) {
    if (c->state != ST_BODY || !c->req || c->chunked || c->left < STRAIGHT_MIN || !c->srv->h->body_room)
        return NULL;
    char *to = c->srv->h->body_room(c->req, room);
    if (to && *room > c->left) *room = (size_t)c->left;
    if (to && *room > STRAIGHT_MAX) *room = STRAIGHT_MAX;
    return to && *room ? to : NULL;
}

/* Reads body bytes to where the handler keeps them. As read_once. */
static bool read_straight(struct conn *c, char *to, size_t room, bool *more) {
    ssize_t r = stream_read(&c->s, to, room);
    *more = r > 0;
    if (r == SOCK_AGAIN) return true;
    if (r <= 0) {
        close_conn(c);
        return false;
    }
    c->left -= (uint64_t)r;
    c->body_open = c->left > 0;
    c->srv->h->body_put(c->req, (size_t)r);
    body_came(c);
    return c->state != ST_CLOSED;
}

/* Reads behind what is buffered (a partial head) into one piece, else straight from scratch. */
static bool read_once(struct conn *c, bool *more) {
    struct server *s = c->srv;
    size_t had = c->in_len, room;
    char *to = had ? NULL : straight_room(c, &room);
    if (to) return read_straight(c, to, room, more);
    if (had) memcpy(s->scratch, c->in, had);
    size_t size = s->scratch_size - had; /* a head and a small body; a large one is read where it stays */
    if ((c->state == ST_IDLE || c->state == ST_HEAD) && size > HEAD_READ) size = HEAD_READ;
    ssize_t r = size ? stream_read(&c->s, s->scratch + had, size) : SOCK_AGAIN;
    *more = r > 0;
    if (r == SOCK_AGAIN) return true;
    if (r <= 0) {
        close_conn(c);
        return false;
    }
    size_t n = had + (size_t)r;
    c->in_len = 0;
    ssize_t used = consume(c, s->scratch, n);
    if (used < 0) return false;
    keep_rest(c, s->scratch + used, n - (size_t)used);
    if (!c->in_len && c->in) release_in(c);
    return true;
}

static void run(struct conn *c) {
    for (int k = 0; k < READS_PER_TURN; k++) {
        if (c->state == ST_CLOSED || !wants_input(c)) return;
        uint32_t before = c->in_len;
        bool partial_head = c->state == ST_HEAD && before; /* needs more bytes than are buffered */
        if (!partial_head && !use_buffered(c)) return;
        bool more = false;
        if (!read_once(c, &more) || !more) return;
    }
    stream_again(&c->s);
}

static void linger(struct conn *c) {
    for (int k = 0; k < READS_PER_TURN; k++) {
        ssize_t r = stream_read(&c->s, c->srv->scratch, c->srv->scratch_size);
        if (r == SOCK_AGAIN) return;
        if (r > 0) c->discarded += (uint32_t)r;
        if (r <= 0 || c->discarded > DISCARD_MAX) {
            close_conn(c);
            return;
        }
    }
    stream_again(&c->s);
}

/* ---- events ---- */

static void on_event(struct stream *st, unsigned ev) {
    struct conn *c = container_of(st, struct conn, s);
    if (c->state == ST_CLOSED) return;
    if (st->broken || (ev & IO_ERR)) {
        close_conn(c);
        return;
    }
    /* A client that closed its side while its answer is being made has gone. */
    if (st->hup && (c->state == ST_ANSWER || c->state == ST_BODY) && c->req && !c->s.readable) {
        close_conn(c);
        return;
    }
    if ((ev & IO_HUP) && c->state == ST_ANSWER) {
        close_conn(c);
        return;
    }
    if (c->blocked && !stream_pending(st)) {
        c->blocked = false;
        if (c->state == ST_ANSWER) timer_stop(&c->timer);
        if (c->req) c->srv->h->drained(c->req);
        if (c->state == ST_CLOSED) return;
    } else if (c->blocked && (ev & IO_WRITE)) {
        deadline(c, c->srv->limits.write_us); /* it takes something, if slowly */
    }
    if (c->state == ST_FLUSH && !stream_pending(st)) answered(c);
    if (c->state == ST_LINGER)
        linger(c);
    else
        run(c);
}

static void on_timer(struct timer *t) {
    struct conn *c = container_of(t, struct conn, timer);
    if (c->deadline > loop_now(c->srv->loop)) {
        loop_timer(c->srv->loop, t, c->deadline);
        return;
    }
    if (c->state == ST_HEAD)
        bad(c, 408, "request head took too long");
    else
        close_conn(c);
}
