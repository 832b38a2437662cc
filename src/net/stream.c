/* stream: edge-triggered I/O with a copy-on-block queue.
 *
 * A short read on a plain socket means the kernel has no more: the next edge tells, so the read that
 * would only return EAGAIN is saved. Not so when the peer has closed (the end must be read) and not
 * with TLS (OpenSSL buffers). */
#include "net/stream.h"

#include "net/tls.h"

#include <stdlib.h>

static bool flush(struct stream *s);

static void on_io(struct io *io, unsigned ev) {
    struct stream *s = container_of(io, struct stream, io);
    if (ev & IO_READ) s->readable = true;
    if (ev & IO_WRITE) s->writable = true;
    if (ev & IO_HUP) s->hup = true;
    if (s->connecting && (ev & (IO_WRITE | IO_ERR | IO_HUP))) {
        if (sock_error(s->io.fd) != 0) s->broken = true;
        s->connecting = false;
    }
    if (s->handshaking && !s->connecting && !s->broken) {
        int r = tls_handshake(s->tls);
        if (r == 0) return; /* goes on with the next edge */
        s->handshaking = false;
        if (r < 0) s->broken = true;
        ev |= IO_WRITE | IO_READ;
    }
    if (stream_pending(s) && s->writable && !s->connecting && !flush(s)) s->broken = true;
    s->on_event(s, ev);
}

bool stream_open(struct stream *s, struct loop *l, int fd, bool connected) {
    s->io = (struct io){.fd = fd, .on_event = on_io, .late = connected};
    s->loop = l;
    s->connecting = !connected;
    s->writable = connected;
    if (loop_add(l, &s->io)) return true;
    sock_close(fd);
    s->io.fd = -1;
    return false;
}

void stream_close(struct stream *s) {
    if (s->io.fd < 0) return;
    loop_remove(s->loop, &s->io);
    if (s->tls) tls_free(s->tls);
    s->tls = NULL;
    sock_close(s->io.fd);
    s->io.fd = -1;
    free(s->out);
    s->out = NULL;
    s->out_at = s->out_len = s->out_cap = 0;
}

ssize_t stream_read(struct stream *s, void *p, size_t n) {
    if (!s->readable || s->connecting || s->handshaking) return SOCK_AGAIN;
    ssize_t r = s->tls ? tls_read(s->tls, p, n) : sock_read(s->io.fd, p, n);
    if (r == SOCK_AGAIN || (r > 0 && (size_t)r < n && !s->hup && !s->tls)) s->readable = false;
    return r;
}

static ssize_t write_now(struct stream *s, const struct iovec *iov, int n) {
    ssize_t w = s->tls ? tls_writev(s->tls, iov, n) : sock_writev(s->io.fd, iov, n);
    if (w == SOCK_FAILED) s->broken = true;
    return w;
}

static size_t iov_total(const struct iovec *iov, int n) {
    size_t sum = 0;
    for (int i = 0; i < n; i++) sum += iov[i].iov_len;
    return sum;
}

ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n) {
    if (s->broken) return SOCK_FAILED;
    if (s->connecting || s->handshaking || !s->writable || stream_pending(s)) return 0;
    ssize_t w = write_now(s, iov, n);
    if (w == SOCK_FAILED) return w;
    if (w < 0) w = 0;
    if ((size_t)w < iov_total(iov, n)) s->writable = false;
    return w;
}

static void enqueue(struct stream *s, const struct iovec *iov, int n, size_t skip, size_t left) {
    if (s->out_at == s->out_len) s->out_at = s->out_len = 0;
    if (s->out_cap - s->out_len < left && s->out_at) {
        memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
        s->out_len -= s->out_at;
        s->out_at = 0;
    }
    if (s->out_cap - s->out_len < left) {
        s->out_cap = s->out_len + (uint32_t)left;
        s->out = xrealloc(s->out, s->out_cap);
    }
    for (int i = 0; i < n; i++) {
        size_t k = iov[i].iov_len;
        if (skip >= k) {
            skip -= k;
            continue;
        }
        memcpy(s->out + s->out_len, (const char *)iov[i].iov_base + skip, k - skip);
        s->out_len += (uint32_t)(k - skip);
        skip = 0;
    }
}

static bool flush(struct stream *s) {
    while (s->out_at < s->out_len && s->writable) {
        struct iovec v = {s->out + s->out_at, s->out_len - s->out_at};
        ssize_t w = write_now(s, &v, 1);
        if (w == SOCK_FAILED) return false;
        if (w > 0) s->out_at += (uint32_t)w;
        if (w < 0 || s->out_at < s->out_len) s->writable = false;
    }
    if (s->out_at == s->out_len && s->out) {
        free(s->out);
        s->out = NULL;
        s->out_at = s->out_len = s->out_cap = 0;
    }
    return true;
}

bool stream_push(struct stream *s, const struct iovec *iov, int n) {
    if (s->broken || s->io.fd < 0) return false;
    size_t total = iov_total(iov, n), done = 0;
    if (stream_pending(s) && !flush(s)) return false;
    if (!stream_pending(s)) {
        ssize_t w = total ? stream_writev(s, iov, n) : 0;
        if (w < 0) return false;
        done = (size_t)w;
    }
    if (done < total) enqueue(s, iov, n, done, total - done);
    return true;
}

void stream_shutdown(struct stream *s) {
    if (s->tls) tls_shutdown(s->tls);
    shutdown(s->io.fd, SHUT_WR);
}

void stream_again(struct stream *s) {
    s->readable = true;
    loop_again(s->loop, &s->io);
}
