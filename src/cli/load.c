/* load: see load.h. One struct for the run, one per connection; a connection is CLOSED, CONNECTING, IDLE or
 * BUSY with one request. The answer is read with the gateway's own http1 framing, decoded in the read buffer.
 *
 * Two details keep the figures honest. In the open loop a request that finds no free connection waits in a ring
 * of due times and is charged for that wait. And the timer slack is set to 1 us: with the kernel's usual 50 us
 * every request would be late by that much. */
#include "cli/load.h"
#include "net/http1.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_MAX = 16 * 1024,  /* of an answer */
    WAITING_MAX = 1 << 20, /* due requests without a connection (power of two) */
    READ_SIZE = 256 * 1024,
    STAMP_DIGITS = 19,       /* "@<monotonic ns>" in each chunk of bench/mock.c */
    ERRORS_MAX = 100 * 1000, /* after so many, connections are not opened again */
};
static const uint64_t GRACE_NS = 2000000000u; /* how long answers are awaited after the end */

enum conn_state { CLOSED, CONNECTING, IDLE, BUSY };
enum body_kind { IN_HEAD, BY_LENGTH, CHUNKED, TO_CLOSE };

struct conn {
    int fd;
    enum conn_state state;
    enum body_kind kind;
    size_t sent;
    uint64_t due, sent_at, last_stamp;
    char *head;
    size_t head_n, head_from;
    uint64_t left;
    struct http_chunked chunked;
    bool keep, chunk_seen, done_seen;
    int status, stamp_digits;
    uint64_t stamp;
    uint8_t done_match;
};

struct run {
    const struct load_options *o;
    struct load_result *r;
    int ep;
    struct conn *conn;
    uint32_t *free_list, free_n, started, busy; /* busy: connections with a request */
    uint64_t begin, warm, end, stop;
    uint64_t *waiting, waiting_head, waiting_tail;
    uint64_t next_due, due_count, rng;
    uint64_t ok_at_warm, bytes_at_warm, ok_at_end, bytes_at_end;
    bool warmed, ended;
    char *read;
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void watch(struct run *run, struct conn *c, uint32_t events, int op) {
    struct epoll_event ev = {.events = events, .data.ptr = c};
    epoll_ctl(run->ep, op, c->fd, &ev);
}

static void conn_close(struct conn *c) {
    if (c->state != CLOSED) close(c->fd);
    c->state = CLOSED;
}

static void release(struct run *run, struct conn *c) {
    if (run->o->mode == LOAD_OPEN) run->free_list[run->free_n++] = (uint32_t)(c - run->conn);
}

static void conn_fail(struct run *run, struct conn *c) {
    bool busy = c->state == BUSY || c->state == CONNECTING;
    conn_close(c);
    if (!busy) return;
    run->busy--;
    run->r->errors++;
    release(run, c);
}

static void send_request(struct run *run, struct conn *c) {
    if (!c->sent_at) {
        c->sent_at = now_ns();
        run->r->sent++;
    }
    while (c->sent < run->o->request.n) {
        ssize_t w = send(c->fd, run->o->request.p + c->sent, run->o->request.n - c->sent, MSG_NOSIGNAL);
        if (w < 0) {
            if (errno == EAGAIN)
                watch(run, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            else
                conn_fail(run, c);
            return;
        }
        c->sent += (size_t)w;
    }
}

static void conn_open(struct run *run, struct conn *c) {
    c->fd = socket(run->o->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        run->busy--;
        run->r->errors++;
        release(run, c);
        return;
    }
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->state = CONNECTING;
    run->r->connections++;
    if (connect(c->fd, (const struct sockaddr *)&run->o->address, run->o->address_len) && errno != EINPROGRESS)
        conn_fail(run, c);
    else
        watch(run, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
}

/* Puts a request that was due at `due` on a connection; it goes out when the connection stands. */
static void begin_request(struct run *run, struct conn *c, uint64_t due) {
    run->busy++;
    c->due = due;
    c->sent_at = c->last_stamp = 0;
    c->sent = 0;
    c->kind = IN_HEAD;
    c->head_n = c->head_from = 0;
    c->chunk_seen = c->done_seen = false;
    c->stamp_digits = -1;
    c->done_match = 0;
    if (c->state == CLOSED) {
        conn_open(run, c);
        return;
    }
    c->state = BUSY;
    send_request(run, c);
}

static void finish_request(struct run *run, struct conn *c, uint64_t t) {
    struct load_result *r = run->r;
    bool good = c->status / 100 == 2;
    run->busy--;
    if (good)
        r->ok++;
    else
        r->http_errors++;
    r->last_status = c->status;
    if (c->done_seen) r->done++;
    if (good && c->due >= run->warm) {
        histogram_add(&r->latency, t - c->due);
        histogram_add(&r->service, t - c->sent_at);
    }
    c->state = IDLE;
    if (!c->keep) conn_close(c);
    if (run->o->mode == LOAD_IDLE)
        r->held++;
    else if (run->o->mode != LOAD_OPEN) {
        if (t < run->end) begin_request(run, c, t);
    } else if (run->waiting_head != run->waiting_tail)
        begin_request(run, c, run->waiting[run->waiting_head++ & (WAITING_MAX - 1)]);
    else
        release(run, c);
}

static void take_stamp(struct run *run, struct conn *c, uint64_t t) {
    if (c->stamp >= run->warm && t < run->end) {
        run->r->chunks++;
        histogram_add(&run->r->one_way, t > c->stamp ? t - c->stamp : 0);
        if (c->last_stamp) histogram_add(&run->r->gap, t - c->last_stamp);
    }
    c->last_stamp = t;
}

/* Looks for stamps and for [DONE]; the state survives the borders of reads and chunks. */
static void scan_stream(struct run *run, struct conn *c, str s, uint64_t t) {
    static const char done[] = "[DONE]";
    const char *p = s.p, *end = s.p + s.n;
    if (!c->chunk_seen && s.n) {
        c->chunk_seen = true;
        if (c->due >= run->warm) histogram_add(&run->r->first_chunk, t - c->sent_at);
    }
    for (const char *q = p; q < end && !c->done_seen; q++) {
        if (!c->done_match && !(q = memchr(q, '[', (size_t)(end - q)))) break;
        c->done_match = *q == done[c->done_match] ? (uint8_t)(c->done_match + 1) : *q == '[';
        c->done_seen = c->done_match == sizeof done - 1;
    }
    while (p < end) {
        if (c->stamp_digits < 0) {
            if (!(p = memchr(p, '@', (size_t)(end - p)))) return;
            p++;
            c->stamp_digits = 0;
            c->stamp = 0;
        } else if (*p < '0' || *p > '9')
            c->stamp_digits = -1;
        else {
            c->stamp = c->stamp * 10 + (uint64_t)(*p++ - '0');
            if (++c->stamp_digits < STAMP_DIGITS) continue;
            c->stamp_digits = -1;
            take_stamp(run, c, t);
        }
    }
}

static void body_bytes(struct run *run, struct conn *c, str s, uint64_t t) {
    run->r->bytes += s.n;
    if (run->o->mode == LOAD_STREAM) scan_stream(run, c, s, t);
}

enum fed { FED_MORE, FED_DONE, FED_BAD };

/* Copies up to the end of the head and reads it; `*in` is advanced past it. */
static enum fed feed_head(struct conn *c, str *in) {
    struct http_head h;
    if (!c->head) c->head = xmalloc(HEAD_MAX);
    size_t before = c->head_n, n = in->n < HEAD_MAX - before ? in->n : HEAD_MAX - before;
    memcpy(c->head + before, in->p, n);
    c->head_n += n;
    size_t end = http1_head_end(str_make(c->head, c->head_n), &c->head_from);
    if (!end) {
        *in = str_skip(*in, n);
        return c->head_n == HEAD_MAX ? FED_BAD : FED_MORE;
    }
    *in = str_skip(*in, end - before);
    if (http1_response(str_make(c->head, end), &h) != HTTP_OK) return FED_BAD;
    c->head_n = c->head_from = 0;
    if (h.status == 100) return FED_MORE;
    c->status = h.status;
    c->keep = h.keep_alive;
    c->left = h.length;
    c->chunked = (struct http_chunked){0};
    c->kind = h.chunked ? CHUNKED : h.has_length ? BY_LENGTH : TO_CLOSE;
    return c->kind == BY_LENGTH && !c->left ? FED_DONE : FED_MORE;
}

/* Works through bytes that came; they may be changed (chunks are decoded in place). */
static enum fed feed(struct run *run, struct conn *c, char *p, size_t n, uint64_t t) {
    str in = {p, n};
    while (in.n) {
        if (c->kind == IN_HEAD) {
            enum fed f = feed_head(c, &in);
            if (f != FED_MORE) return f;
        } else if (c->kind == CHUNKED) {
            size_t used, data;
            char *at = p + (in.p - p);
            if (http1_chunked(&c->chunked, at, in.n, &used, &data) != HTTP_OK) return FED_BAD;
            body_bytes(run, c, str_make(at, data), t);
            if (c->chunked.done) return FED_DONE;
            in = str_skip(in, used);
        } else {
            size_t k = c->kind == TO_CLOSE || in.n < c->left ? in.n : c->left;
            body_bytes(run, c, str_take(in, k), t);
            in = str_skip(in, k);
            c->left -= c->kind == BY_LENGTH ? k : 0;
            if (c->kind == BY_LENGTH && !c->left) return FED_DONE;
        }
    }
    return FED_MORE;
}

static void on_end(struct run *run, struct conn *c) {
    if (c->state == BUSY && c->kind == TO_CLOSE) {
        c->keep = false;
        finish_request(run, c, now_ns());
    } else if (c->state == IDLE) {
        conn_close(c);
        if (run->o->mode == LOAD_IDLE) {
            run->r->held--;
            run->r->errors++;
        }
    } else
        conn_fail(run, c);
}

static void on_readable(struct run *run, struct conn *c) {
    for (;;) {
        ssize_t n = recv(c->fd, run->read, READ_SIZE, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            on_end(run, c);
            return;
        }
        if (c->state != BUSY) { /* an answer nobody asked for */
            conn_close(c);
            return;
        }
        uint64_t t = now_ns();
        enum fed f = feed(run, c, run->read, (size_t)n, t);
        if (f == FED_BAD) conn_fail(run, c);
        if (f == FED_DONE) finish_request(run, c, t);
        if (f != FED_MORE || n < READ_SIZE) return;
    }
}

static void on_event(struct run *run, struct conn *c, uint32_t events) {
    if (c->state == CLOSED) return;
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error) conn_fail(run, c);
        if (error || !(events & EPOLLOUT)) return;
        watch(run, c, EPOLLIN, EPOLL_CTL_MOD);
        c->state = BUSY;
        send_request(run, c);
        return;
    }
    if ((events & EPOLLOUT) && c->state == BUSY) {
        watch(run, c, EPOLLIN, EPOLL_CTL_MOD);
        send_request(run, c);
    }
    if (c->state != CLOSED && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) on_readable(run, c);
}

static uint64_t interval_end(struct run *run) {
    if (!run->o->poisson) return run->begin + (uint64_t)((double)run->due_count / run->o->rate * 1e9);
    run->rng ^= run->rng << 13;
    run->rng ^= run->rng >> 7;
    run->rng ^= run->rng << 17;
    double x = ((double)(run->rng >> 11) + 0.5) / 9007199254740992.0;
    return run->next_due + (uint64_t)(-log(x) / run->o->rate * 1e9);
}

/* Sends what is due; returns when the next is. */
static uint64_t step_open(struct run *run, uint64_t t) {
    while (run->next_due <= t && run->next_due < run->end) {
        if (run->free_n)
            begin_request(run, &run->conn[run->free_list[--run->free_n]], run->next_due);
        else if (run->waiting_tail - run->waiting_head < WAITING_MAX)
            run->waiting[run->waiting_tail++ & (WAITING_MAX - 1)] = run->next_due;
        else
            run->r->errors++;
        run->due_count++;
        run->next_due = interval_end(run);
    }
    return run->next_due < run->end ? run->next_due : run->stop;
}

/* Starts connections whose turn it is, and those that broke anew; returns when the next starts. */
static uint64_t step_closed(struct run *run, uint64_t t) {
    const struct load_options *o = run->o;
    uint64_t wake = run->stop;
    for (; run->started < o->connections; run->started++) {
        uint64_t at = run->begin + (uint64_t)((double)run->started / o->connections * o->ramp_ms * 1e6);
        if (at > t) {
            wake = at;
            break;
        }
        begin_request(run, &run->conn[run->started], t);
    }
    if (o->mode != LOAD_IDLE && run->r->errors && run->r->errors < ERRORS_MAX && t < run->end)
        for (uint32_t i = 0; i < run->started; i++)
            if (run->conn[i].state == CLOSED) begin_request(run, &run->conn[i], t);
    return wake;
}

/* What nobody answered is in the figures too, with the age it has reached. */
static void count_unanswered(struct run *run, uint64_t t) {
    for (uint32_t i = 0; i < run->o->connections; i++) {
        struct conn *c = &run->conn[i];
        if (c->state != BUSY && c->state != CONNECTING) continue;
        run->r->unanswered++;
        if (c->due >= run->warm && run->o->mode != LOAD_STREAM) histogram_add(&run->r->latency, t - c->due);
    }
    for (; run->waiting_head != run->waiting_tail; run->waiting_head++) {
        uint64_t due = run->waiting[run->waiting_head & (WAITING_MAX - 1)];
        run->r->unanswered++;
        if (due >= run->warm) histogram_add(&run->r->latency, t - due);
    }
}

static void loop(struct run *run) {
    struct epoll_event events[512];
    uint64_t said = run->begin;
    for (;;) {
        uint64_t t = now_ns();
        if (!run->warmed && t >= run->warm) {
            run->warmed = true;
            run->ok_at_warm = run->r->ok;
            run->bytes_at_warm = run->r->bytes;
        }
        if (!run->ended && t >= run->end) {
            run->ended = true;
            run->ok_at_end = run->r->ok;
            run->bytes_at_end = run->r->bytes;
        }
        if (t >= run->stop || (run->ended && !run->busy)) return;
        uint64_t wake = run->o->mode == LOAD_OPEN ? step_open(run, t) : step_closed(run, t);
        if (!run->warmed && run->warm < wake) wake = run->warm;
        if (!run->ended && run->end < wake) wake = run->end;
        if (run->o->progress && t - said > 1000000000u) {
            said = t;
            fprintf(stderr, "\r%3.0f %%  %lu answered, %lu errors ",
                    100.0 * (double)(t - run->begin) / (double)(run->end - run->begin), run->r->ok,
                    run->r->errors + run->r->http_errors);
        }
        uint64_t wait = wake > t ? wake - t : 0;
        struct timespec ts = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        int n = epoll_pwait2(run->ep, events, 512, &ts, NULL);
        for (int i = 0; i < n; i++) on_event(run, events[i].data.ptr, events[i].events);
    }
}

static void account(struct run *run) {
    uint64_t t = now_ns();
    struct rusage u;
    if (run->o->mode != LOAD_IDLE) count_unanswered(run, t);
    run->r->seconds = run->o->seconds;
    run->r->ok_counted = run->ok_at_end - run->ok_at_warm;
    run->r->bytes_counted = run->bytes_at_end - run->bytes_at_warm;
    getrusage(RUSAGE_SELF, &u);
    run->r->cpu_seconds =
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

bool load_run(const struct load_options *o, struct load_result *r, err *e) {
    struct run run = {.o = o, .r = r, .rng = 42};
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < (rlim_t)o->connections + 16)
        return fail(e, "%u connections need more open files than the limit of %lu", o->connections,
                    files.rlim_max);
    prctl(PR_SET_TIMERSLACK, 1000);
    *r = (struct load_result){0};
    run.ep = epoll_create1(EPOLL_CLOEXEC);
    if (run.ep < 0) return fail(e, "epoll: %s", strerror(errno));
    run.conn = xcalloc(o->connections, sizeof *run.conn);
    run.free_list = xcalloc(o->connections, sizeof *run.free_list);
    run.waiting = xcalloc(WAITING_MAX, sizeof *run.waiting);
    run.read = xmalloc(READ_SIZE);
    for (uint32_t i = o->connections; i-- > 0;) run.free_list[run.free_n++] = i;
    run.begin = run.next_due = now_ns();
    run.warm = run.begin + (uint64_t)(o->warm_up * 1e9) + (uint64_t)o->ramp_ms * 1000000u;
    run.end = run.warm + (uint64_t)(o->seconds * 1e9);
    run.stop = run.end + (o->mode == LOAD_IDLE ? 0 : GRACE_NS);
    loop(&run);
    account(&run);
    for (uint32_t i = 0; i < o->connections; i++) {
        conn_close(&run.conn[i]);
        free(run.conn[i].head);
    }
    close(run.ep);
    free(run.conn);
    free(run.free_list);
    free(run.waiting);
    free(run.read);
    return true;
}
