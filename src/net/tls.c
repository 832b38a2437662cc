/* tls: a thin layer over OpenSSL. Small pieces are put together into one record (head and body of a
 * request in one write); reads go ahead, so that a record costs one system call. */
#include "net/tls.h"

#include "net/sock.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORD_MAX = 16 * 1024, SESSIONS_KEPT = 8 };

struct tls {
    SSL *ssl;
    char error[160];
};

struct tls_sessions {
    pthread_mutex_t lock;
    SSL_SESSION *kept[SESSIONS_KEPT]; /* newest last; a TLS 1.3 ticket is used once */
    unsigned count;
};

struct tls_ctx {
    SSL_CTX *ctx;
    struct tls_sessions *sessions;
};

/* ---- sessions ---- */

struct tls_sessions *tls_sessions_new(void) {
    struct tls_sessions *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void tls_sessions_free(struct tls_sessions *s) {
    if (!s) return;
    for (unsigned i = 0; i < s->count; i++) SSL_SESSION_free(s->kept[i]);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int on_new_session(SSL *ssl, SSL_SESSION *session) {
    struct tls_ctx *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls_sessions *s = c->sessions;
    pthread_mutex_lock(&s->lock);
    if (s->count == SESSIONS_KEPT) {
        SSL_SESSION_free(s->kept[0]);
        memmove(s->kept, s->kept + 1, sizeof *s->kept * (SESSIONS_KEPT - 1));
        s->count--;
    }
    s->kept[s->count++] = session;
    pthread_mutex_unlock(&s->lock);
    return 1; /* ours now */
}

static SSL_SESSION *take_session(struct tls_sessions *s) {
    SSL_SESSION *got = NULL;
    pthread_mutex_lock(&s->lock);
    if (s->count) {
        got = s->kept[s->count - 1];
        if (SSL_SESSION_get_protocol_version(got) >= TLS1_3_VERSION && s->count > 1)
            s->count--;
        else
            SSL_SESSION_up_ref(got);
    }
    pthread_mutex_unlock(&s->lock);
    return got;
}

/* ---- context ---- */

static void last_error(char *out, size_t n) {
    unsigned long code = ERR_peek_last_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;
    snprintf(out, n, "%s", why ? why : "TLS failure");
}

struct tls_ctx *tls_ctx_new(str ca_file, struct tls_sessions *sessions, err *e) {
    struct tls_ctx *c = xcalloc(1, sizeof *c);
    char path[4096], why[160];
    c->sessions = sessions;
    c->ctx = SSL_CTX_new(TLS_client_method());
    if (!c->ctx) panic("TLS: no context");
    SSL_CTX_set_app_data(c->ctx, c);
    SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(c->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(c->ctx, 1);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, on_new_session);
    static const unsigned char http1[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(c->ctx, http1, sizeof http1 - 1);
    int ok = ca_file.n == 0 ? SSL_CTX_set_default_verify_paths(c->ctx) : 0;
    if (ca_file.n && ca_file.n < sizeof path) {
        memcpy(path, ca_file.p, ca_file.n);
        path[ca_file.n] = 0;
        ok = SSL_CTX_load_verify_locations(c->ctx, path, NULL);
    }
    if (ok != 1) {
        last_error(why, sizeof why);
        fail(e, "ca_file " STR_FMT ": %s", STR_ARG(ca_file), why);
        ERR_clear_error();
        tls_ctx_free(c);
        return NULL;
    }
    return c;
}

void tls_ctx_free(struct tls_ctx *c) {
    if (!c) return;
    SSL_CTX_free(c->ctx);
    free(c);
}

/* ---- connections ---- */

struct tls *tls_client(struct tls_ctx *c, int fd, str host, err *e) {
    char name[256];
    if (host.n >= sizeof name) {
        fail(e, "host name is longer than %zu bytes", sizeof name - 1);
        return NULL;
    }
    memcpy(name, host.p, host.n);
    name[host.n] = 0;
    struct tls *t = xcalloc(1, sizeof *t);
    t->ssl = SSL_new(c->ctx);
    if (!t->ssl || !SSL_set_fd(t->ssl, fd)) panic("TLS: no connection object");
    SSL_set_connect_state(t->ssl);
    struct sock_addr addr;
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (sock_addr_parse(&addr, host, 0, false, NULL)) {
        X509_VERIFY_PARAM_set1_ip_asc(param, name);
    } else {
        SSL_set_tlsext_host_name(t->ssl, name);
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        X509_VERIFY_PARAM_set1_host(param, name, host.n);
    }
    SSL_SESSION *session = take_session(c->sessions);
    if (session) {
        SSL_set_session(t->ssl, session);
        SSL_SESSION_free(session);
    }
    return t;
}

static ssize_t verdict(struct tls *t, int r) {
    int why = SSL_get_error(t->ssl, r);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return SOCK_AGAIN;
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    long v = SSL_get_verify_result(t->ssl);
    if (v != X509_V_OK)
        snprintf(t->error, sizeof t->error, "certificate verify failed: %s", X509_verify_cert_error_string(v));
    else if (why == SSL_ERROR_SYSCALL)
        snprintf(t->error, sizeof t->error, "connection reset");
    else
        last_error(t->error, sizeof t->error);
    ERR_clear_error();
    return SOCK_FAILED;
}

int tls_handshake(struct tls *t) {
    ERR_clear_error();
    int r = SSL_do_handshake(t->ssl);
    if (r == 1) return 1;
    return verdict(t, r) == SOCK_AGAIN ? 0 : -1;
}

ssize_t tls_read(struct tls *t, void *p, size_t n) {
    ERR_clear_error();
    int r = SSL_read(t->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
    return r > 0 ? r : verdict(t, r);
}

ssize_t tls_writev(struct tls *t, const struct iovec *iov, int n) {
    char record[RECORD_MAX];
    size_t done = 0;
    for (int i = 0; i < n;) {
        const char *p = iov[i].iov_base;
        size_t len = iov[i].iov_len;
        int next = i + 1;
        if (len < RECORD_MAX && i + 1 < n) { /* gather small pieces; a piece that is cut is written again below */
            len = 0;
            for (next = i; next < n && len + iov[next].iov_len <= RECORD_MAX; next++) {
                memcpy(record + len, iov[next].iov_base, iov[next].iov_len);
                len += iov[next].iov_len;
            }
            p = record;
        }
        for (size_t at = 0; at < len;) {
            ERR_clear_error();
            int w = SSL_write(t->ssl, p + at, (int)(len - at > RECORD_MAX ? RECORD_MAX : len - at));
            if (w <= 0) {
                ssize_t v = verdict(t, w);
                return v == SOCK_AGAIN && done ? (ssize_t)done : v == 0 ? SOCK_FAILED : v;
            }
            at += (size_t)w;
            done += (size_t)w;
        }
        i = next;
    }
    return (ssize_t)done;
}

void tls_shutdown(struct tls *t) { SSL_shutdown(t->ssl); }

void tls_free(struct tls *t) {
    if (!t) return;
    SSL_set_quiet_shutdown(t->ssl, 1);
    SSL_shutdown(t->ssl); /* marks the session as good, so that it may be resumed */
    SSL_free(t->ssl);
    ERR_clear_error();
    free(t);
}

const char *tls_error(const struct tls *t) { return t->error[0] ? t->error : "TLS failure"; }
