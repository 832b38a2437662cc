/* stream: a connected byte stream, plain or TLS, on a loop: reading, writing, an output queue.
 *
 * Events are edges: the owner's on_event is told that reading or writing became possible and then
 * reads until SOCK_AGAIN. What can't be written at once is either left to the caller (stream_writev)
 * or copied into the queue (stream_push), whose size the caller bounds by looking at
 * stream_pending and not producing more. */
#ifndef DRAY_NET_STREAM_H
#define DRAY_NET_STREAM_H

#include "net/loop.h"
#include "net/sock.h"

struct tls; /* net/tls.h */

struct stream {
    struct io io;
    struct loop *loop;
    struct tls *tls; /* NULL: plain */
    void (*on_event)(struct stream *s, unsigned events);
    char *out; /* queued output, NULL when there is none */
    uint32_t out_at, out_len, out_cap;
    bool readable, writable, hup, broken;
    bool connecting;  /* TCP not yet connected */
    bool handshaking; /* TLS not yet shaken hands */
};

/* Takes `fd` over. `connected` when TCP is up already (accepted sockets). False: refused; fd closed. */
bool stream_open(struct stream *s, struct loop *l, int fd, bool connected);
/* Closes the descriptor and frees the queue; unsent bytes are lost. May be called twice. */
void stream_close(struct stream *s);
static inline bool stream_is_open(const struct stream *s) { return s->io.fd >= 0; }

/* Bytes read; 0: the peer ended; SOCK_AGAIN; SOCK_FAILED. */
ssize_t stream_read(struct stream *s, void *p, size_t n);
/* Writes what goes out now; bytes accepted (0 when a queue waits or nothing goes), SOCK_FAILED. */
ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n);
/* Writes all of it, queueing a copy of what doesn't go out now. False: broken. */
bool stream_push(struct stream *s, const struct iovec *iov, int n);
/* Bytes waiting in the queue. */
static inline size_t stream_pending(const struct stream *s) { return s->out_len - s->out_at; }
/* Half-closes the sending side (after the queue has gone). */
void stream_shutdown(struct stream *s);
/* Asks for a further IO_READ turn although no new edge will come (fairness, resume after pause). */
void stream_again(struct stream *s);

#endif
