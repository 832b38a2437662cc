/* mock: the upstream of the benchmarks. An OpenAI-style provider that does as little as possible, so that what is
 * measured is the proxy before it. (`dray sim` is the one with manners: dialects, tools, usage, failures.)
 *
 * HTTP/1.1 keep-alive on epoll, one loop per thread (SO_REUSEPORT), plain or TLS.
 *   POST anything      a fixed answer of about 560 bytes of JSON or, when the body says "stream": true, an event
 *                      stream of N chunks, a finish chunk, a usage chunk and [DONE]
 *   GET /v1/models     a list of one model
 *   GET /__stats       counters as JSON
 *   GET anything else  200 "ok"
 * Each streamed chunk carries "@<19 digits>", CLOCK_MONOTONIC in ns just before it is sent, so that a client on
 * the same machine can tell each chunk's delay through a proxy.
 *
 * Stands alone: cc -O2 -pthread -o mock mock.c -lssl -lcrypto */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_SIZE = 64 * 1024, /* also the largest request head */
    CARRY = 32,            /* bytes of a body kept so that `"stream": true` is found across reads */
    OUT_HIGH = 256 * 1024, /* no more chunks while this much waits to be sent */
    BURST_MAX = 64,        /* chunks per write */
    CHUNK_MAX = 512,
    THREADS_MAX = 64,
    STAMP_DIGITS = 19,
};

static struct {
    const char *address, *cert, *key;
    int port, threads, chunks, burst;
    long pace_us, first_us;
} opt = {.address = "127.0.0.1", .port = 9000, .threads = 1, .chunks = 100, .burst = 1};

static atomic_ulong n_accepted, n_open, n_requests, n_streams, n_chunks, n_body_bytes, n_handshakes, n_resumed;

enum state { HEAD, BODY, BODY_CHUNKED, WAITING, STREAMING };
enum chunk_state { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER };
enum resource { OTHER, MODELS, STATS };

struct conn {
    int fd;
    SSL *tls;
    int heap_at; /* 0: not in the heap */
    uint64_t due;
    enum state state;
    enum chunk_state chunk;
    enum resource resource;
    uint64_t left; /* of the body or the chunk */
    bool post, want_stream, close_after, want_out, dead, shaken, head_sent;
    int chunks_left;
    char carry[2 * CARRY];
    size_t carry_n;
    char *in, *out;
    size_t in_n, out_n, out_at, out_cap;
};

struct loop {
    int ep, listener;
    SSL_CTX *tls;
    struct conn **heap, **grave;
    int heap_n, heap_cap, grave_n, grave_cap;
};

/* ---- what is sent ---- */

#define ID "{\"id\":\"chatcmpl-mock000000000000000000000001\",\"object\":\"chat.completion"
#define CHUNK_ID ID ".chunk\",\"created\":1700000000,\"model\":\"mock-1\","
#define COMMON_HEADERS                                                                                            \
    "x-request-id: req_0123456789abcdef0123456789abcdef\r\nopenai-processing-ms: 12\r\nopenai-version: "          \
    "2020-10-01\r\n"                                                                                              \
    "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"

static const char answer_body[] =
    ID "\",\"created\":1700000000,\"model\":\"mock-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
       "\"assistant\",\"content\":"
       "\"This is a fixed answer from the mock upstream. It is long enough to look like a short chat reply, "
       "with some \\\"quoted\\\" text, a newline\\nand nothing else of interest in it at all.\",\"refusal\":null},"
       "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":42,"
       "\"total_tokens\":162,\"prompt_tokens_details\":{\"cached_tokens\":0}},\"system_fingerprint\":\"fp_mock\"}";
static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: "
    "no-cache\r\n" COMMON_HEADERS "Transfer-Encoding: chunked\r\n\r\n";

static struct text {
    char p[2048];
    size_t n;
} answer, models, role_chunk, content_chunk, tail;
static size_t stamp_at; /* in content_chunk */

static void add_text(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_text(struct text *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    t->n += (size_t)vsnprintf(t->p + t->n, sizeof t->p - t->n, fmt, ap);
    va_end(ap);
}

/* One server-sent event as one HTTP chunk. */
static void add_event(struct text *t, const char *data) {
    add_text(t, "%zx\r\ndata: %s\n\n\r\n", strlen(data) + 8, data);
}

static void build_texts(void) {
    static const char list[] =
        "{\"object\":\"list\",\"data\":[{\"id\":\"mock-1\",\"object\":\"model\",\"owned_by\":\"mock\"}]}";
    static const char json[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    char usage[512];
    add_text(&answer, "%s" COMMON_HEADERS "Content-Length: %zu\r\n\r\n%s", json, sizeof answer_body - 1,
             answer_body);
    add_text(&models, "%sContent-Length: %zu\r\n\r\n%s", json, sizeof list - 1, list);
    add_event(
        &role_chunk, CHUNK_ID
        "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}");
    add_event(&content_chunk, CHUNK_ID "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@0000000000000000000 "
                                       "tok\"},\"finish_reason\":null}]}");
    stamp_at = (size_t)(strchr(content_chunk.p, '@') + 1 - content_chunk.p);
    add_event(&tail, CHUNK_ID "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");
    snprintf(usage, sizeof usage,
             CHUNK_ID
             "\"choices\":[],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":%d,\"total_tokens\":%d}}",
             opt.chunks, 120 + opt.chunks);
    add_event(&tail, usage);
    add_event(&tail, "[DONE]");
    add_text(&tail, "0\r\n\r\n");
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *grown(void *p, size_t n) {
    if (!(p = realloc(p, n))) {
        perror("mock");
        exit(1);
    }
    return p;
}

static void count(atomic_ulong *counter, unsigned long n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- binary heap of due times, first at 1 ---- */

static void heap_set(struct loop *l, int i, struct conn *c) {
    l->heap[i] = c;
    c->heap_at = i;
}

static void heap_up(struct loop *l, int i) {
    struct conn *c = l->heap[i];
    for (; i > 1 && l->heap[i / 2]->due > c->due; i /= 2) heap_set(l, i, l->heap[i / 2]);
    heap_set(l, i, c);
}

static void heap_down(struct loop *l, int i) {
    struct conn *c = l->heap[i];
    for (int k; (k = 2 * i) <= l->heap_n; i = k) {
        if (k < l->heap_n && l->heap[k + 1]->due < l->heap[k]->due) k++;
        if (l->heap[k]->due >= c->due) break;
        heap_set(l, i, l->heap[k]);
    }
    heap_set(l, i, c);
}

static void wake_at(struct loop *l, struct conn *c, uint64_t due) {
    if (l->heap_n + 2 > l->heap_cap) {
        l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 1024;
        l->heap = grown(l->heap, sizeof *l->heap * (size_t)l->heap_cap);
    }
    c->due = due;
    l->heap[++l->heap_n] = c;
    heap_up(l, l->heap_n);
}

static void heap_remove(struct loop *l, struct conn *c) {
    int i = c->heap_at;
    if (!i) return;
    c->heap_at = 0;
    struct conn *last = l->heap[l->heap_n--];
    if (last == c) return;
    heap_set(l, i, last);
    heap_up(l, i);
    heap_down(l, last->heap_at);
}

/* ---- connection ---- */

static void kill_conn(struct loop *l, struct conn *c) {
    if (c->dead) return;
    c->dead = true;
    heap_remove(l, c);
    if (c->tls) SSL_free(c->tls);
    close(c->fd);
    atomic_fetch_sub_explicit(&n_open, 1, memory_order_relaxed);
    if (l->grave_n == l->grave_cap) {
        l->grave_cap = l->grave_cap ? l->grave_cap * 2 : 256;
        l->grave = grown(l->grave, sizeof *l->grave * (size_t)l->grave_cap);
    }
    l->grave[l->grave_n++] = c; /* freed at the end of the turn */
}

static void want_out(struct loop *l, struct conn *c, bool on) {
    if (c->want_out == on) return;
    c->want_out = on;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | (on ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(l->ep, EPOLL_CTL_MOD, c->fd, &ev);
}

/* Both as the system calls: -1 with EAGAIN when nothing can move now. */
static ssize_t tls_result(struct conn *c, int n) {
    if (n > 0) return n;
    int e = SSL_get_error(c->tls, n);
    if (e == SSL_ERROR_ZERO_RETURN) return 0;
    errno = e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t conn_recv(struct conn *c, char *p, size_t n) {
    return c->tls ? tls_result(c, SSL_read(c->tls, p, (int)n)) : recv(c->fd, p, n, 0);
}

static ssize_t conn_send(struct conn *c, const char *p, size_t n) {
    return c->tls ? tls_result(c, SSL_write(c->tls, p, (int)n)) : send(c->fd, p, n, MSG_NOSIGNAL);
}

static void send_bytes(struct loop *l, struct conn *c, const char *p, size_t n) {
    if (c->dead) return;
    if (c->out_n == c->out_at) {
        c->out_n = c->out_at = 0;
        ssize_t w = conn_send(c, p, n);
        if (w < 0 && errno != EAGAIN) {
            kill_conn(l, c);
            return;
        }
        if (w == (ssize_t)n) return;
        p += w > 0 ? w : 0;
        n -= w > 0 ? (size_t)w : 0;
    }
    if (c->out_n + n > c->out_cap) c->out = grown(c->out, c->out_cap = (c->out_n + n) * 2);
    memcpy(c->out + c->out_n, p, n);
    c->out_n += n;
    want_out(l, c, true);
}

static void request_done(struct loop *l, struct conn *c) {
    c->state = HEAD;
    c->want_stream = false;
    if (c->close_after && c->out_n == c->out_at) kill_conn(l, c);
}

static void put_stamp(char *p, uint64_t v) {
    for (int i = STAMP_DIGITS; i-- > 0; v /= 10) p[i] = (char)('0' + v % 10);
}

static size_t put_text(char *to, const struct text *t) {
    memcpy(to, t->p, t->n);
    return t->n;
}

/* Sends the chunks that are due; returns when done, waiting for the pace, or blocked on output. */
static void stream_step(struct loop *l, struct conn *c) {
    char b[BURST_MAX * CHUNK_MAX + 4096];
    while (!c->dead && c->state == STREAMING && c->out_n - c->out_at <= OUT_HIGH) {
        size_t n = 0;
        if (!c->head_sent) {
            memcpy(b, stream_head, n = sizeof stream_head - 1);
            n += put_text(b + n, &role_chunk);
            c->head_sent = true;
        }
        uint64_t t = now_ns();
        int burst = opt.burst < c->chunks_left ? opt.burst : c->chunks_left;
        for (int i = 0; i < burst; i++) {
            n += put_text(b + n, &content_chunk);
            put_stamp(b + n - content_chunk.n + stamp_at, t);
        }
        c->chunks_left -= burst;
        count(&n_chunks, (unsigned long)burst);
        if (!c->chunks_left) n += put_text(b + n, &tail);
        send_bytes(l, c, b, n);
        if (!c->chunks_left) {
            if (!c->dead) request_done(l, c);
            return;
        }
        if (opt.pace_us && !c->dead) {
            wake_at(l, c, c->due + (uint64_t)opt.pace_us * 1000u);
            return;
        }
    }
}

static void respond(struct loop *l, struct conn *c) {
    if (!c->want_stream) {
        send_bytes(l, c, answer.p, answer.n);
        if (!c->dead) request_done(l, c);
        return;
    }
    count(&n_streams, 1);
    c->state = STREAMING;
    c->chunks_left = opt.chunks;
    c->head_sent = false;
    c->due = now_ns();
    stream_step(l, c);
}

static void answer_get(struct loop *l, struct conn *c) {
    struct text body = {.n = 0}, all = {.n = 0};
    if (c->resource == STATS)
        add_text(&body,
                 "{\"accepted\":%lu,\"open\":%lu,\"requests\":%lu,\"streams\":%lu,\"chunks\":%lu,\"body_bytes\":%"
                 "lu,\"handshakes\":%lu,"
                 "\"resumed\":%lu}",
                 n_accepted, n_open, n_requests, n_streams, n_chunks, n_body_bytes, n_handshakes, n_resumed);
    else
        add_text(&body, "ok");
    add_text(&all, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", body.n,
             body.p);
    if (c->resource == MODELS)
        send_bytes(l, c, models.p, models.n);
    else
        send_bytes(l, c, all.p, all.n);
    if (!c->dead) request_done(l, c);
}

static void body_complete(struct loop *l, struct conn *c) {
    if (!c->post) {
        answer_get(l, c);
        return;
    }
    count(&n_requests, 1);
    if (!opt.first_us) {
        respond(l, c);
        return;
    }
    c->state = WAITING;
    wake_at(l, c, now_ns() + (uint64_t)opt.first_us * 1000u);
}

static bool says_stream(const char *p, size_t n) {
    static const char name[] = "\"stream\"";
    for (const char *end = p + n; (p = memmem(p, (size_t)(end - p), name, sizeof name - 1)) != NULL;) {
        p += sizeof name - 1;
        while (p < end && strchr(" :\t\r\n", *p)) p++;
        if (end - p >= 4 && !memcmp(p, "true", 4)) return true;
    }
    return false;
}

/* A piece of the body; what stands across two pieces is looked for in the carry. */
static void body_piece(struct conn *c, const char *p, size_t n) {
    count(&n_body_bytes, n);
    if (c->want_stream || !n) return;
    size_t front = n < CARRY ? n : CARRY;
    memcpy(c->carry + c->carry_n, p, front);
    c->want_stream = says_stream(c->carry, c->carry_n + front) || says_stream(p, n);
    if (n >= CARRY)
        memcpy(c->carry, p + n - CARRY, c->carry_n = CARRY);
    else {
        size_t all = c->carry_n + n, keep = all < CARRY ? all : CARRY;
        memmove(c->carry, c->carry + all - keep, keep);
        c->carry_n = keep;
    }
}

/* The headers that matter; 0 when the head is not complete. */
static size_t parse_head(struct loop *l, struct conn *c) {
    char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t n = (size_t)(end + 4 - c->in);
    bool chunked = false, expect = false;
    c->post = !memcmp(c->in, "POST ", 5);
    c->resource = !memcmp(c->in, "GET /v1/models", 14) ? MODELS
                  : !memcmp(c->in, "GET /__stats", 12) ? STATS
                                                       : OTHER;
    c->close_after = memmem(c->in, n, " HTTP/1.0\r\n", 11) != NULL;
    c->left = c->carry_n = 0;
    for (char *p = memchr(c->in, '\n', n), *eol; p && p + 3 < end + 4; p = eol) {
        p++;
        if (!(eol = memchr(p, '\n', (size_t)(end + 4 - p)))) break;
        if (!strncasecmp(p, "content-length:", 15))
            c->left = strtoull(p + 15, NULL, 10);
        else if (!strncasecmp(p, "connection:", 11))
            c->close_after |= memmem(p, (size_t)(eol - p), "close", 5) != NULL;
        else if (!strncasecmp(p, "transfer-encoding:", 18))
            chunked = true;
        else if (!strncasecmp(p, "expect: 100", 11))
            expect = true;
    }
    if (expect) send_bytes(l, c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    c->state = chunked ? BODY_CHUNKED : BODY;
    c->chunk = CHUNK_SIZE;
    return n;
}

/* One step in a chunked body at p; returns the bytes used, 0 when more must come. */
static size_t chunked_step(struct conn *c, const char *p, size_t n, bool *done) {
    if (c->chunk == CHUNK_DATA || c->chunk == CHUNK_END) {
        size_t k = n < c->left ? n : c->left;
        if (c->chunk == CHUNK_DATA) body_piece(c, p, k);
        c->left -= k;
        if (!c->left && c->chunk == CHUNK_DATA) {
            c->chunk = CHUNK_END;
            c->left = 2;
        } else if (!c->left)
            c->chunk = CHUNK_SIZE;
        return k;
    }
    const char *eol = memchr(p, '\n', n);
    if (!eol) return 0;
    size_t line = (size_t)(eol + 1 - p);
    if (c->chunk == CHUNK_TRAILER)
        *done = line <= 2;
    else {
        c->left = strtoull(p, NULL, 16);
        c->chunk = c->left ? CHUNK_DATA : CHUNK_TRAILER;
    }
    return line;
}

/* Works through what was read, as far as the answer before is out of the way. */
static void process(struct loop *l, struct conn *c) {
    size_t at = 0;
    while (!c->dead && c->state != WAITING && c->state != STREAMING) {
        size_t n = c->in_n - at, used = 0;
        bool done = false;
        if (c->state == HEAD) {
            if (at) { /* a head is parsed at the front */
                memmove(c->in, c->in + at, n);
                c->in_n = n;
                at = 0;
            }
            if (!n || !(used = parse_head(l, c))) {
                if (n == READ_SIZE) kill_conn(l, c);
                return;
            }
            done = c->state == BODY && !c->left;
        } else if (c->state == BODY) {
            used = n < c->left ? n : c->left;
            body_piece(c, c->in + at, used);
            c->left -= used;
            done = !c->left;
        } else
            used = chunked_step(c, c->in + at, n, &done);
        at += used;
        if (done)
            body_complete(l, c);
        else if (!used || at == c->in_n)
            break;
    }
    memmove(c->in, c->in + at, c->in_n - at);
    c->in_n -= at;
}

static bool handshake(struct loop *l, struct conn *c) {
    if (!c->tls || c->shaken) return true;
    int r = SSL_accept(c->tls);
    if (r == 1) {
        c->shaken = true;
        count(SSL_session_reused(c->tls) ? &n_resumed : &n_handshakes, 1);
        return true;
    }
    if (tls_result(c, r) <= 0 && errno != EAGAIN) kill_conn(l, c);
    return false;
}

static void on_read(struct loop *l, struct conn *c) {
    if (!handshake(l, c)) return;
    while (!c->dead && c->in_n < READ_SIZE) {
        size_t room = READ_SIZE - c->in_n;
        ssize_t n = conn_recv(c, c->in + c->in_n, room);
        if (n == 0 || (n < 0 && errno != EAGAIN)) kill_conn(l, c);
        if (n <= 0) return;
        c->in_n += (size_t)n;
        process(l, c);
        if (!c->tls && (size_t)n < room) return;
    }
}

static void on_write(struct loop *l, struct conn *c) {
    while (c->out_at < c->out_n) {
        ssize_t w = conn_send(c, c->out + c->out_at, c->out_n - c->out_at);
        if (w < 0 && errno != EAGAIN) kill_conn(l, c);
        if (w < 0) return;
        c->out_at += (size_t)w;
    }
    c->out_n = c->out_at = 0;
    want_out(l, c, false);
    if (c->state == STREAMING && !c->heap_at)
        stream_step(l, c);
    else if (c->state == HEAD && c->close_after)
        kill_conn(l, c);
    if (!c->dead && c->state == HEAD) process(l, c);
}

static void on_accept(struct loop *l) {
    for (int fd; (fd = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = grown(NULL, sizeof *c);
        *c = (struct conn){.fd = fd, .in = grown(NULL, READ_SIZE)};
        if (l->tls) {
            c->tls = SSL_new(l->tls);
            SSL_set_fd(c->tls, fd);
        }
        count(&n_accepted, 1);
        count(&n_open, 1);
        struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
        epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

static void on_event(struct loop *l, struct conn *c, uint32_t events) {
    if (c->dead) return;
    if (events & EPOLLOUT) on_write(l, c);
    if (c->dead || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))) return;
    bool answering = c->state == WAITING || c->state == STREAMING;
    if (answering && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        kill_conn(l, c);
    else
        on_read(l, c);
}

static void on_due(struct loop *l) {
    for (uint64_t t = now_ns(); l->heap_n && l->heap[1]->due <= t;) {
        struct conn *c = l->heap[1];
        heap_remove(l, c);
        if (c->state != WAITING)
            stream_step(l, c);
        else {
            respond(l, c);
            if (!c->dead && c->state == HEAD) process(l, c);
        }
    }
}

static SSL_CTX *tls_context(void) {
    if (!opt.cert) return NULL;
    SSL_CTX *x = SSL_CTX_new(TLS_server_method());
    if (!x || SSL_CTX_use_certificate_chain_file(x, opt.cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(x, opt.key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "mock: cannot use %s and %s\n", opt.cert, opt.key);
        exit(1);
    }
    SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    return x;
}

static void open_listener(struct loop *l) {
    int one = 1;
    l->ep = epoll_create1(EPOLL_CLOEXEC);
    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(l->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(l->listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    inet_pton(AF_INET, opt.address, &sa.sin_addr);
    if (bind(l->listener, (void *)&sa, sizeof sa) || listen(l->listener, 4096)) {
        perror("mock: listen");
        exit(1);
    }
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(l->ep, EPOLL_CTL_ADD, l->listener, &ev);
}

static void *serve(void *unused) {
    (void)unused;
    struct loop l = {.tls = tls_context()};
    struct epoll_event events[256];
    open_listener(&l);
    prctl(PR_SET_TIMERSLACK, 1000);
    for (;;) {
        struct timespec ts, *wait = NULL;
        if (l.heap_n) {
            uint64_t t = now_ns(), d = l.heap[1]->due > t ? l.heap[1]->due - t : 0;
            ts = (struct timespec){(time_t)(d / 1000000000u), (long)(d % 1000000000u)};
            wait = &ts;
        }
        int n = epoll_pwait2(l.ep, events, 256, wait, NULL);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_event(&l, events[i].data.ptr, events[i].events);
            else
                on_accept(&l);
        }
        on_due(&l);
        while (l.grave_n) {
            struct conn *c = l.grave[--l.grave_n];
            free(c->in);
            free(c->out);
            free(c);
        }
    }
    return NULL;
}

static int usage(void) {
    fputs(
        "usage: mock [-a address] [-p port] [-t threads] [-n chunks per stream] [-d microseconds between chunks]\n"
        "            [-b chunks per write] [-l microseconds before the first byte] [-C certificate -K key]\n",
        stderr);
    return 2;
}

int main(int argc, char **argv) {
    for (int ch; (ch = getopt(argc, argv, "a:p:t:n:d:b:l:C:K:")) != -1;) switch (ch) {
        case 'a': opt.address = optarg; break;
        case 'p': opt.port = atoi(optarg); break;
        case 't': opt.threads = atoi(optarg); break;
        case 'n': opt.chunks = atoi(optarg); break;
        case 'd': opt.pace_us = atol(optarg); break;
        case 'b': opt.burst = atoi(optarg); break;
        case 'l': opt.first_us = atol(optarg); break;
        case 'C': opt.cert = optarg; break;
        case 'K': opt.key = optarg; break;
        default: return usage();
        }
    if (opt.burst < 1 || opt.burst > BURST_MAX || opt.chunks < 1 || opt.threads < 1 || opt.threads > THREADS_MAX ||
        !opt.cert != !opt.key)
        return usage();
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    build_texts();
    pthread_t thread;
    for (int i = 1; i < opt.threads; i++) pthread_create(&thread, NULL, serve, NULL);
    serve(NULL);
}
