/* fetch: see fetch.h. Asked in HTTP/1.0, so that no answer comes in chunks; it ends with the connection. */
#include "net/fetch.h"

#include "base/clock.h"
#include "net/guard.h"
#include "net/http1.h"
#include "net/sock.h"
#include "net/tls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEAD_MAX = 32 << 10, PIECE = 16 << 10, HOST_MAX = 253, LOOK_MS = 200 };

struct fetch {
    const struct fetch_rules *rules;
    arena *a;
    /* the URL now */
    bool tls;
    str host; /* without brackets */
    uint16_t port;
    str path; /* with the query */
    /* the connection */
    int fd;
    struct tls_sessions *sessions;
    struct tls_ctx *ctx;
    struct tls *secure;
};

/* ---- the URL ---- */

static bool parse_url(struct fetch *f, str url, err *e) {
    str authority, host, port = STR_NONE;
    size_t n = 0;
    if (url.n > FETCH_URL_MAX) return fail(e, "its URL is too long");
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] > '~')
            return fail(e, "its URL has characters that none may have");
    f->tls = str_istarts(url, STR("https://"));
    if (!f->tls && !str_istarts(url, STR("http://")))
        return fail(e, "its URL must begin with https:// or http://");
    url = str_skip(url, f->tls ? 8 : 7);
    while (n < url.n && !strchr("/?#", url.p[n])) n++;
    authority = str_take(url, n);
    url = str_skip(url, n);
    ptrdiff_t hash = str_chr(url, '#');
    if (hash >= 0) url = str_take(url, (size_t)hash);
    if (str_chr(authority, '@') >= 0) return fail(e, "its URL has a user name, which is not sent");
    bool bracketed = str_starts(authority, STR("["));
    ptrdiff_t end = bracketed ? str_chr(authority, ']') : str_chr(authority, ':');
    host = end < 0     ? authority
           : bracketed ? str_make(authority.p + 1, (size_t)end - 1)
                       : str_take(authority, (size_t)end);
    if (end >= 0) port = str_skip(authority, (size_t)end + (bracketed ? 1 : 0));
    uint64_t number = f->tls ? 443 : 80;
    if (!host.n || host.n > HOST_MAX || (bracketed && end < 0)) return fail(e, "its URL has no host");
    if (port.n && (port.p[0] != ':' || !str_u64(str_skip(port, 1), &number) || !number || number > 65535))
        return fail(e, "its URL's port is none");
    f->host = arena_str(f->a, host);
    f->port = (uint16_t)number;
    f->path = arena_printf(f->a, "%s" STR_FMT, url.n && url.p[0] == '/' ? "" : "/", STR_ARG(url));
    return true;
}

/* ---- the connection ---- */

static bool may_be_private(const struct fetch *f) {
    for (unsigned i = 0; i < f->rules->host_count; i++)
        if (str_ieq(f->rules->hosts[i], f->host)) return true;
    return false;
}

/* Waits for the socket; false when the time is over. */
static bool wait_for(struct fetch *f, short events) {
    for (;;) {
        uint64_t now = clock_mono_us();
        struct pollfd p = {.fd = f->fd, .events = events};
        if (now >= f->rules->until || atomic_load(f->rules->stop)) return false;
        uint64_t left = (f->rules->until - now) / 1000 + 1;
        int n = poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS);
        if (n > 0) return true;
        if (n < 0 && errno != EINTR) return false;
    }
}

static bool try_address(struct fetch *f, const struct addrinfo *at) {
    int error = 0;
    socklen_t size = sizeof error;
    f->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->fd < 0) return false;
    if ((connect(f->fd, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS) && wait_for(f, POLLOUT) &&
        getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && !error)
        return true;
    close(f->fd);
    f->fd = -1;
    return false;
}

static bool open_socket(struct fetch *f, err *e) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    char port[8];
    bool open = false, closed = false;
    snprintf(port, sizeof port, "%u", f->port);
    if (getaddrinfo(f->host.p, port, &hints, &list) != 0) return fail(e, "its host is not known");
    for (struct addrinfo *i = list; i; i = i->ai_next) closed |= !guard_public(i->ai_addr);
    closed = closed && !may_be_private(f);
    for (struct addrinfo *i = list; i && !open && !closed; i = i->ai_next) open = try_address(f, i);
    freeaddrinfo(list);
    if (closed) return fail(e, "its address is not a public one");
    return open || fail(e, "its host does not answer");
}

static bool open_tls(struct fetch *f, err *e) {
    f->sessions = tls_sessions_new();
    f->ctx = tls_ctx_new(f->rules->ca_file, f->sessions, e);
    f->secure = f->ctx ? tls_client(f->ctx, f->fd, f->host, e) : NULL;
    for (int done = 0; f->secure && done != 1;) {
        done = tls_handshake(f->secure);
        if (done < 0) return fail(e, "its host's certificate or handshake is not good: %s", tls_error(f->secure));
        if (!done && !wait_for(f, POLLIN)) return fail(e, "it took too long");
    }
    return f->secure != NULL;
}

static void hang_up(struct fetch *f) {
    if (f->secure) tls_free(f->secure);
    if (f->ctx) tls_ctx_free(f->ctx);
    if (f->sessions) tls_sessions_free(f->sessions);
    if (f->fd >= 0) close(f->fd);
    f->secure = NULL;
    f->ctx = NULL;
    f->sessions = NULL;
    f->fd = -1;
}

/* ---- the exchange ---- */

static bool send_all(struct fetch *f, str text, err *e) {
    while (text.n) {
        struct iovec v = {(char *)(uintptr_t)text.p, text.n};
        ssize_t n = f->secure ? tls_writev(f->secure, &v, 1) : sock_writev(f->fd, &v, 1);
        if (n == SOCK_AGAIN && wait_for(f, POLLOUT)) continue;
        if (n < 0) return fail(e, "its host broke off");
        text = str_skip(text, (size_t)n);
    }
    return true;
}

/* More bytes: 1, the end: 0, failed: -1. */
static int receive(struct fetch *f, buf *to, err *e) {
    for (;;) {
        char *p = buf_room(to, PIECE);
        if (!p) {
            fail(e, "it is larger than %zu bytes", to->max);
            return -1;
        }
        ssize_t n = f->secure ? tls_read(f->secure, p, PIECE) : sock_read(f->fd, p, PIECE);
        if (n > 0) {
            to->n += (size_t)n;
            return 1;
        }
        if (n == 0) return 0;
        if (n != SOCK_AGAIN) {
            fail(e, "its host broke off");
            return -1;
        }
        if (!wait_for(f, POLLIN)) {
            fail(e, "it took too long");
            return -1;
        }
    }
}

/* The answer's head in `a`, what came behind it in `out`. */
static bool read_head(struct fetch *f, struct http_head *h, buf *out, err *e) {
    buf text;
    size_t from = 0, end = 0;
    int more = 1;
    buf_init(&text, HEAD_MAX + PIECE);
    while (more > 0 && text.n < HEAD_MAX && !(end = http1_head_end(buf_view(&text), &from)))
        more = receive(f, &text, e);
    bool good = end && http1_response(arena_str(f->a, str_take(buf_view(&text), end)), h) == HTTP_OK;
    if (good) buf_str(out, str_skip(buf_view(&text), end));
    buf_free(&text);
    return good || fail(e, "its host does not speak HTTP");
}

static bool ask(struct fetch *f, struct http_head *h, buf *out, err *e) {
    bool v6 = str_chr(f->host, ':') >= 0, usual = f->port == (f->tls ? 443 : 80);
    str head = arena_printf(f->a, "GET " STR_FMT " HTTP/1.0\r\nHost: %s" STR_FMT "%s", STR_ARG(f->path),
                            v6 ? "[" : "", STR_ARG(f->host), v6 ? "]" : "");
    if (!usual) head = arena_printf(f->a, STR_FMT ":%u", STR_ARG(head), f->port);
    head = arena_printf(f->a,
                        STR_FMT "\r\nUser-Agent: dray\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: "
                                "close\r\n\r\n",
                        STR_ARG(head));
    return open_socket(f, e) && (!f->tls || open_tls(f, e)) && send_all(f, head, e) && read_head(f, h, out, e);
}

static bool read_body(struct fetch *f, const struct http_head *h, buf *out, err *e) {
    int more = 1;
    if (h->chunked) return fail(e, "its host answers in a way that was not asked for");
    if (h->has_length && h->length > out->max) return fail(e, "it is larger than %zu bytes", out->max);
    while (more > 0 && !(h->has_length && out->n >= h->length)) more = receive(f, out, e);
    if (more < 0) return false;
    if (h->has_length && out->n > h->length) out->n = (size_t)h->length;
    if (h->has_length && out->n < h->length) return fail(e, "its host broke off");
    return out->n <= out->max && !out->failed;
}

/* Where a redirect leads: a whole URL, or a path at the same host. */
static str redirect(struct fetch *f, const struct http_head *h) {
    str to = http_get_name(h, STR("location"));
    if (!str_starts(to, STR("/")) || str_starts(to, STR("//"))) return arena_str(f->a, to);
    return arena_printf(f->a, "%s://%s" STR_FMT "%s:%u" STR_FMT, f->tls ? "https" : "http",
                        str_chr(f->host, ':') >= 0 ? "[" : "", STR_ARG(f->host),
                        str_chr(f->host, ':') >= 0 ? "]" : "", f->port, STR_ARG(to));
}

bool fetch_url(str url, const struct fetch_rules *rules, buf *out, str *type, arena *a, err *e) {
    struct fetch f = {.rules = rules, .a = a, .fd = -1};
    struct http_head *h = arena_alloc(a, sizeof *h);
    for (unsigned hops = 0; hops <= FETCH_REDIRECTS_MAX; hops++) {
        bool was_tls = hops && f.tls;
        buf_clear(out);
        if (!parse_url(&f, url, e)) return false;
        if (was_tls && !f.tls) return fail(e, "its host leads from https to http");
        bool good = ask(&f, h, out, e);
        bool moved = good && (h->status == 301 || h->status == 302 || h->status == 303 || h->status == 307 ||
                              h->status == 308);
        if (good && !moved)
            good = h->status == 200 ? read_body(&f, h, out, e)
                                    : fail(e, "its host answers with status %u", h->status);
        hang_up(&f);
        if (!good) return false;
        if (!moved) {
            str t = http_get(h, HTTP_CONTENT_TYPE);
            ptrdiff_t semi = str_chr(t, ';');
            *type = arena_str(a, str_trim(semi < 0 ? t : str_take(t, (size_t)semi)));
            return true;
        }
        url = redirect(&f, h);
    }
    return fail(e, "its host leads from place to place");
}
