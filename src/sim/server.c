/* server: the HTTP side of the simulated providers. One thread, one epoll loop, a heap of due times.
 *
 * A connection reads one request at a time into `in`; what follows it waits there until the answer is out. An
 * answer is a body written at once, or steps of a stream, each one HTTP chunk; between steps the connection sleeps
 * in the heap. A client that goes away ends its answer. */
#include "net/http1.h"
#include "sim/answer.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_MAX = 64 * 1024,
    BODY_MAX = 64 << 20,
    OUT_MAX = 128 << 20,
    OUT_HIGH = 256 * 1024, /* no further steps while this much waits to be sent */
    ARENA_MAX = 256 << 20,
    READ_SIZE = 64 * 1024,
    CREDENTIALS_MAX = 256, /* counted apart by the rate limit; what comes beyond shares a count */
};

enum conn_state { READ_HEAD, READ_BODY, WAITING, STREAMING };

struct conn {
    int fd;
    uint32_t heap_at; /* 0: not in the heap */
    uint64_t due;
    enum conn_state state;
    buf in, out;
    size_t out_at, head_from, head_n, body_n; /* head_n: of the request in `in`; body_n: decoded so far */
    struct http_head head;                    /* views of `in`, valid while it does not grow */
    struct http_chunked chunked;
    bool want_out, dead, keep;
    /* the answer */
    arena a;
    struct sim_call call;
    uint32_t step;
    bool cut;
    unsigned status; /* 0: answer the call; else this error */
};

struct credential {
    uint64_t hash, window, count;
};

struct sim {
    struct sim_options o;
    int ep, listener, stop;
    uint16_t port;
    pthread_t thread;
    struct rng rng;
    struct credential credential[CREDENTIALS_MAX];
    struct conn **heap, **grave, **all;
    uint32_t heap_n, heap_cap, grave_n, grave_cap, all_n, all_cap;
    buf scratch; /* one body or step */
};

/* ---- binary heap of due times, first at 1 ---- */

static void heap_set(struct sim *s, uint32_t i, struct conn *c) {
    s->heap[i] = c;
    c->heap_at = i;
}

static void heap_up(struct sim *s, uint32_t i) {
    struct conn *c = s->heap[i];
    for (; i > 1 && s->heap[i / 2]->due > c->due; i /= 2) heap_set(s, i, s->heap[i / 2]);
    heap_set(s, i, c);
}

static void heap_down(struct sim *s, uint32_t i) {
    struct conn *c = s->heap[i];
    for (uint32_t k; (k = 2 * i) <= s->heap_n; i = k) {
        if (k < s->heap_n && s->heap[k + 1]->due < s->heap[k]->due) k++;
        if (s->heap[k]->due >= c->due) break;
        heap_set(s, i, s->heap[k]);
    }
    heap_set(s, i, c);
}

static void wake_at(struct sim *s, struct conn *c, uint64_t due) {
    if (s->heap_n + 2 > s->heap_cap) {
        s->heap_cap = s->heap_cap ? s->heap_cap * 2 : 256;
        s->heap = xrealloc(s->heap, s->heap_cap * sizeof *s->heap);
    }
    c->due = due;
    s->heap[++s->heap_n] = c;
    heap_up(s, s->heap_n);
}

static void heap_remove(struct sim *s, struct conn *c) {
    uint32_t i = c->heap_at;
    if (!i) return;
    c->heap_at = 0;
    struct conn *last = s->heap[s->heap_n--];
    if (last == c) return;
    heap_set(s, i, last);
    heap_up(s, i);
    heap_down(s, last->heap_at);
}

/* ---- connections ---- */

static void push(struct conn ***list, uint32_t *n, uint32_t *cap, struct conn *c) {
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        *list = xrealloc(*list, *cap * sizeof **list);
    }
    (*list)[(*n)++] = c;
}

static void conn_kill(struct sim *s, struct conn *c) {
    if (c->dead) return;
    c->dead = true;
    heap_remove(s, c);
    close(c->fd);
    push(&s->grave, &s->grave_n, &s->grave_cap, c); /* freed at the end of the turn */
}

static void conn_free(struct conn *c) {
    buf_free(&c->in);
    buf_free(&c->out);
    arena_free(&c->a);
    free(c);
}

static void bury(struct sim *s) {
    if (!s->grave_n) return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->all_n; i++)
        if (!s->all[i]->dead) s->all[kept++] = s->all[i];
    s->all_n = kept;
    while (s->grave_n) conn_free(s->grave[--s->grave_n]);
}

static void want_out(struct sim *s, struct conn *c, bool on) {
    if (c->want_out == on) return;
    c->want_out = on;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | (on ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(s->ep, EPOLL_CTL_MOD, c->fd, &ev);
}

/* Sends what waits in `out`; false when not all of it went. */
static bool flush(struct sim *s, struct conn *c) {
    while (c->out_at < c->out.n) {
        ssize_t w = send(c->fd, c->out.p + c->out_at, c->out.n - c->out_at, MSG_NOSIGNAL);
        if (w < 0) {
            if (errno == EAGAIN)
                want_out(s, c, true);
            else
                conn_kill(s, c);
            return false;
        }
        c->out_at += (size_t)w;
    }
    buf_clear(&c->out);
    c->out_at = 0;
    want_out(s, c, false);
    return true;
}

/* ---- answers ---- */

static void write_head(struct sim *s, struct conn *c, unsigned status, const char *type, const char *retry_after) {
    buf_printf(&c->out, "HTTP/1.1 %u %s\r\ncontent-type: %s\r\nx-dray-simulated: 1\r\n", status,
               status == 200 ? "OK" : "Simulated", type);
    if (c->call.surface && c->call.surface->dialect == SIM_ANTHROPIC)
        buf_printf(&c->out, "request-id: req_%s\r\n", c->call.id);
    else if (c->call.id[0])
        buf_printf(&c->out, "x-request-id: req_%s\r\n", c->call.id);
    if (s->o.rate_limit) buf_printf(&c->out, "x-ratelimit-limit-requests: %lu\r\n", s->o.rate_limit);
    if (retry_after) buf_printf(&c->out, "retry-after: %s\r\n", retry_after);
    if (!c->keep) buf_strz(&c->out, "connection: close\r\n");
}

/* The request is answered: the next may be read. */
static void answered(struct sim *s, struct conn *c) {
    arena_free(&c->a);
    buf_consume(&c->in, c->head_n);
    c->head_n = c->head_from = 0;
    c->state = READ_HEAD;
    if (flush(s, c) && !c->keep) conn_kill(s, c);
}

static void send_error(struct sim *s, struct conn *c, enum sim_dialect d, unsigned status, str message,
                       const char *retry_after) {
    buf_clear(&s->scratch);
    sim_error(d, status, message, &s->scratch);
    write_head(s, c, status, "application/json", retry_after);
    buf_printf(&c->out, "content-length: %zu\r\n\r\n", s->scratch.n);
    buf_str(&c->out, buf_view(&s->scratch));
    answered(s, c);
}

/* A request that cannot be read: the connection ends with it. */
static void refuse(struct sim *s, struct conn *c, unsigned status, const char *why) {
    c->keep = false;
    c->call.surface = NULL;
    c->head_n = c->in.n;
    send_error(s, c, SIM_OPENAI, status, str_from(why), NULL);
}

static void send_whole(struct sim *s, struct conn *c) {
    buf_clear(&s->scratch);
    c->call.surface->write(&c->call, &s->scratch);
    write_head(s, c, 200, "application/json", NULL);
    buf_printf(&c->out, "content-length: %zu\r\n\r\n", s->scratch.n);
    buf_str(&c->out, c->cut ? str_take(buf_view(&s->scratch), s->scratch.n / 2) : buf_view(&s->scratch));
    if (c->cut) {
        flush(s, c);
        conn_kill(s, c);
    } else
        answered(s, c);
}

static bool stream_step(struct sim *s, struct conn *c) {
    buf_clear(&s->scratch);
    c->call.surface->step(&c->call, c->step, &s->scratch);
    if (s->scratch.n) {
        buf_printf(&c->out, "%zx\r\n", s->scratch.n);
        buf_str(&c->out, buf_view(&s->scratch));
        buf_strz(&c->out, "\r\n");
    }
    if (c->cut && c->step > c->call.pieces / 2) {
        flush(s, c);
        conn_kill(s, c);
        return false;
    }
    if (c->step++ <= c->call.pieces) return true;
    buf_strz(&c->out, "0\r\n\r\n");
    answered(s, c);
    return false;
}

/* Writes the steps that are due. Returns when the stream is done, waits for its pace, or for its reader. */
static void stream_on(struct sim *s, struct conn *c) {
    while (!c->dead && c->state == STREAMING && c->out.n - c->out_at < OUT_HIGH) {
        if (!stream_step(s, c)) return;
        if (!c->call.opt.token_us || c->step == 1) continue; /* the first token comes with the opening */
        if (flush(s, c) || !c->dead) wake_at(s, c, clock_mono_us() + c->call.opt.token_us);
        return;
    }
    if (!c->dead) flush(s, c);
}

static void respond(struct sim *s, struct conn *c) {
    if (c->status) {
        send_error(s, c, c->call.surface->dialect, c->status, STR("this request was chosen to fail"), NULL);
        return;
    }
    if (!c->call.stream || !c->call.surface->step) {
        send_whole(s, c);
        return;
    }
    write_head(s, c, 200, c->call.array_stream ? "application/json" : "text/event-stream; charset=utf-8", NULL);
    buf_strz(&c->out, "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n");
    c->state = STREAMING;
    c->step = 0;
    stream_on(s, c);
}

/* ---- requests ---- */

static str credential_of(const struct http_head *h) {
    static const enum http_name names[] = {HTTP_AUTHORIZATION, HTTP_X_API_KEY, HTTP_API_KEY, HTTP_X_GOOG_API_KEY};
    str s = STR_NONE;
    for (size_t i = 0; i < sizeof names / sizeof *names && !s.p; i++) s = http_get(h, names[i]);
    return s;
}

/* Counts a request of a credential; 0 when it may pass, else the seconds until it may. */
static uint64_t limited(struct sim *s, const struct sim_options *o, str credential) {
    if (!o->rate_limit || !o->rate_window_us) return 0;
    uint64_t hash = fingerprint(credential) | 1, now = clock_mono_us(), window = now / o->rate_window_us;
    struct credential *k = NULL;
    for (uint32_t i = 0; i < CREDENTIALS_MAX; i++) {
        k = &s->credential[(hash + i) % CREDENTIALS_MAX];
        if (k->hash == hash || !k->hash) break;
    }
    if (k->window != window || k->hash != hash) *k = (struct credential){hash, window, 0};
    if (k->count++ < o->rate_limit) return 0;
    return ((window + 1) * o->rate_window_us - now) / 1000000 + 1;
}

static bool drawn(struct sim *s, double share) {
    return share > 0 && (double)(rng_next(&s->rng) >> 11) / 9007199254740992.0 < share;
}

/* Options of this request: the process's, with the x-sim-* headers on top. */
static bool request_options(struct sim *s, const struct http_head *h, struct sim_options *o, err *e) {
    *o = s->o;
    for (uint16_t i = 0; i < h->count; i++) {
        str name = h->header[i].name;
        if (!str_istarts(name, STR("x-sim-"))) continue;
        char lower[64];
        size_t n = name.n - 6 < sizeof lower ? name.n - 6 : sizeof lower;
        for (size_t k = 0; k < n; k++)
            lower[k] = (char)(name.p[6 + k] | (name.p[6 + k] >= 'A' && name.p[6 + k] <= 'Z' ? 0x20 : 0));
        if (!sim_option_set(o, str_make(lower, n), h->header[i].value, e)) return false;
    }
    return (o->error_status >= 400 && o->error_status <= 599) || fail(e, "error-status: 400 to 599");
}

/* Reads the call of a complete request; false when it was answered with an error already. */
static bool read_call(struct sim *s, struct conn *c, str method, str body) {
    struct sim_call *call = &c->call;
    struct sim_options o;
    err e;
    jval root = {0};
    bool anthropic = http_get_name(&c->head, STR("anthropic-version")).p != NULL;
    const struct sim_surface *surface = sim_find(method, c->head.path, anthropic);
    bool good = request_options(s, &c->head, &o, &e), parsed = !body.n || json_check(body, &root, NULL, NULL);
    sim_call_init(call, &c->a, &o, c->head.path, c->head.query, root, body);
    call->surface = surface;
    if (!surface) {
        send_error(s, c, anthropic ? SIM_ANTHROPIC : SIM_OPENAI, 404, STR("no such endpoint"), NULL);
        return false;
    }
    if (!good)
        send_error(s, c, surface->dialect, 400, str_from(e.msg), NULL);
    else if (!parsed || (str_eqz(method, "POST") && root.type != J_OBJECT))
        send_error(s, c, surface->dialect, 400, STR("We could not parse the JSON body of your request."), NULL);
    else if (!surface->read(call, &e))
        send_error(s, c, surface->dialect, 400, str_from(e.msg), NULL);
    else
        return true;
    return false;
}

static void on_request(struct sim *s, struct conn *c, str body) {
    static const char *const methods[] = {"GET", "HEAD", "POST"};
    str method = c->head.method < 3 ? str_from(methods[c->head.method]) : STR("other");
    c->keep = c->head.keep_alive;
    arena_init(&c->a, 4096, ARENA_MAX);
    c->call.id[0] = 0;
    if (!read_call(s, c, method, body)) return;
    struct sim_call *call = &c->call;
    uint64_t wait_s = limited(s, &call->opt, credential_of(&c->head));
    if (wait_s) {
        char retry_after[24];
        snprintf(retry_after, sizeof retry_after, "%lu", wait_s);
        send_error(s, c, call->surface->dialect, 429, STR("rate limit reached"), retry_after);
        return;
    }
    sim_compose(call);
    c->status = drawn(s, call->opt.error_rate) ? (unsigned)call->opt.error_status : 0;
    c->cut = drawn(s, call->opt.disconnect_rate);
    uint64_t wait = call->stream ? call->opt.first_byte_us : call->opt.latency_us;
    c->state = WAITING;
    if (wait)
        wake_at(s, c, clock_mono_us() + wait);
    else
        respond(s, c);
}

/* Goes on in the body; the rest of `in` behind it is the next request's. */
static void read_body(struct sim *s, struct conn *c) {
    size_t have = c->in.n - c->head_n - c->body_n;
    if (c->head.chunked) {
        size_t used = 0, data = 0;
        char *at = c->in.p + c->head_n + c->body_n;
        if (http1_chunked(&c->chunked, at, have, &used, &data) != HTTP_OK) {
            refuse(s, c, 400, "malformed chunked body");
            return;
        }
        memmove(at + data, at + used, have - used);
        c->in.n -= used - data;
        c->body_n += data;
        if (!c->chunked.done) return;
    } else {
        uint64_t want = c->head.has_length ? c->head.length : 0;
        if (c->in.n - c->head_n < want) return;
        c->body_n = (size_t)want;
    }
    /* `in` may have moved since the head was read */
    invariant(http1_request(str_take(buf_view(&c->in), c->head_n), &c->head) == HTTP_OK);
    str body = str_take(str_skip(buf_view(&c->in), c->head_n), c->body_n);
    c->head_n += c->body_n;
    on_request(s, c, body);
}

/* Works through what was read, as far as answers don't have to wait. */
static void process(struct sim *s, struct conn *c) {
    for (enum conn_state before = WAITING; !c->dead && c->state < WAITING && c->state != before;) {
        before = c->state;
        if (c->state == READ_BODY) {
            read_body(s, c);
            if (c->state == READ_HEAD && c->in.n) before = WAITING; /* a pipelined request */
            continue;
        }
        c->head_n = http1_head_end(buf_view(&c->in), &c->head_from);
        if (!c->head_n) {
            if (c->in.n > HEAD_MAX) refuse(s, c, 431, "head too large");
            return;
        }
        enum http_error bad = http1_request(str_take(buf_view(&c->in), c->head_n), &c->head);
        if (bad != HTTP_OK || (c->head.has_length && c->head.length > BODY_MAX)) {
            refuse(s, c, bad != HTTP_OK ? 400 : 413, bad != HTTP_OK ? http_error_text(bad) : "body too large");
            return;
        }
        c->body_n = 0;
        c->chunked = (struct http_chunked){0};
        c->state = READ_BODY;
        if (c->head.expect_continue && c->in.n == c->head_n) {
            buf_strz(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
            if (!flush(s, c) && c->dead) return;
        }
    }
}

static void on_readable(struct sim *s, struct conn *c) {
    for (;;) {
        char *room = buf_room(&c->in, READ_SIZE);
        if (!room) {
            conn_kill(s, c);
            return;
        }
        ssize_t n = recv(c->fd, room, READ_SIZE, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            conn_kill(s, c);
            return;
        }
        c->in.n += (size_t)n;
        process(s, c);
        if (c->dead || n < READ_SIZE || c->state >= WAITING) return;
    }
}

static void on_writable(struct sim *s, struct conn *c) {
    if (!flush(s, c)) return;
    if (c->state == STREAMING && !c->heap_at)
        stream_on(s, c);
    else if (c->state == READ_HEAD && !c->keep)
        conn_kill(s, c);
    if (!c->dead && c->state == READ_HEAD && c->in.n) process(s, c);
}

static void on_event(struct sim *s, struct conn *c, uint32_t events) {
    if (c->dead) return;
    if (events & EPOLLOUT) on_writable(s, c);
    if (c->dead || !(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
    /* While an answer is on its way nothing is read: what the client sends waits in the socket. */
    if (c->state < WAITING)
        on_readable(s, c);
    else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn_kill(s, c);
}

static void on_accept(struct sim *s) {
    for (int fd; (fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = xcalloc(1, sizeof *c);
        c->fd = fd;
        c->keep = true;
        buf_init(&c->in, HEAD_MAX + BODY_MAX + READ_SIZE);
        buf_init(&c->out, OUT_MAX);
        arena_init(&c->a, 4096, ARENA_MAX);
        push(&s->all, &s->all_n, &s->all_cap, c);
        struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
        epoll_ctl(s->ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

static void on_due(struct sim *s) {
    for (uint64_t t = clock_mono_us(); s->heap_n && s->heap[1]->due <= t;) {
        struct conn *c = s->heap[1];
        heap_remove(s, c);
        if (c->state == WAITING)
            respond(s, c);
        else
            stream_on(s, c);
        if (!c->dead && c->state == READ_HEAD && c->in.n) process(s, c);
    }
}

static void *serve(void *arg) {
    struct sim *s = arg;
    struct epoll_event events[256];
    prctl(PR_SET_NAME, "sim");
    prctl(PR_SET_TIMERSLACK, 1000);
    for (bool stop = false; !stop;) {
        struct timespec ts, *wait = NULL;
        if (s->heap_n) {
            uint64_t t = clock_mono_us(), d = s->heap[1]->due > t ? s->heap[1]->due - t : 0;
            ts = (struct timespec){(time_t)(d / 1000000), (long)(d % 1000000) * 1000};
            wait = &ts;
        }
        int n = epoll_pwait2(s->ep, events, 256, wait, NULL);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &s->stop)
                stop = true;
            else if (events[i].data.ptr == &s->listener)
                on_accept(s);
            else
                on_event(s, events[i].data.ptr, events[i].events);
        }
        on_due(s);
        bury(s);
    }
    return NULL;
}

static bool open_port(struct sim *s, const char *addr, uint16_t port, err *e) {
    int one = 1;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t n = sizeof sa;
    if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1) return fail(e, "not a numeric IPv4 address: %s", addr);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listener < 0) return fail(e, "socket: %s", strerror(errno));
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s->listener, (struct sockaddr *)&sa, sizeof sa) || listen(s->listener, 4096))
        return fail(e, "cannot listen on %s:%u: %s", addr, port, strerror(errno));
    getsockname(s->listener, (struct sockaddr *)&sa, &n);
    s->port = ntohs(sa.sin_port);
    return true;
}

static void sim_free(struct sim *s) {
    for (uint32_t i = 0; i < s->all_n; i++) {
        if (!s->all[i]->dead) close(s->all[i]->fd);
        conn_free(s->all[i]);
    }
    if (s->listener >= 0) close(s->listener);
    if (s->ep >= 0) close(s->ep);
    if (s->stop >= 0) close(s->stop);
    buf_free(&s->scratch);
    free(s->heap);
    free(s->grave);
    free(s->all);
    free(s);
}

struct sim *sim_start(const char *addr, uint16_t port, const struct sim_options *options, err *e) {
    struct sim *s = xcalloc(1, sizeof *s);
    s->o = *options;
    s->ep = epoll_create1(EPOLL_CLOEXEC);
    s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->listener = -1;
    rng_seed(&s->rng, options->seed);
    buf_init(&s->scratch, OUT_MAX);
    if (!open_port(s, addr ? addr : "127.0.0.1", port, e)) {
        sim_free(s);
        return NULL;
    }
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = &s->stop},
                       listener = {.events = EPOLLIN, .data.ptr = &s->listener};
    if (epoll_ctl(s->ep, EPOLL_CTL_ADD, s->stop, &stop) ||
        epoll_ctl(s->ep, EPOLL_CTL_ADD, s->listener, &listener) || pthread_create(&s->thread, NULL, serve, s)) {
        fail(e, "cannot start the simulated providers: %s", strerror(errno));
        sim_free(s);
        return NULL;
    }
    return s;
}

uint16_t sim_port(const struct sim *s) { return s->port; }

void sim_stop(struct sim *s) {
    if (!s) return;
    uint64_t one = 1;
    invariant(write(s->stop, &one, sizeof one) == sizeof one);
    pthread_join(s->thread, NULL);
    sim_free(s);
}
