/* tls: TLS client connections by OpenSSL, non-blocking on a socket.
 *
 * Certificates and host names are always verified; there is no way to switch that off. Each worker
 * has its own context per target (OpenSSL 3.0 locks shared ones); session tickets are shared
 * between the workers of one target, so that a new connection resumes. */
#ifndef DRAY_NET_TLS_H
#define DRAY_NET_TLS_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>
#include <sys/uio.h>

struct tls;          /* a connection */
struct tls_ctx;      /* a worker's context for one target */
struct tls_sessions; /* a target's tickets, shared by workers */

struct tls_sessions *tls_sessions_new(void);
void tls_sessions_free(struct tls_sessions *s);
/* `ca_file` empty: the system's. `sessions` must outlive the context. */
struct tls_ctx *tls_ctx_new(str ca_file, struct tls_sessions *sessions, err *e);
void tls_ctx_free(struct tls_ctx *c);

/* Begins a client connection on `fd` (not owned). `host` is a name (sent as SNI and verified) or an
 * address (verified as such). */
struct tls *tls_client(struct tls_ctx *c, int fd, str host, err *e);
/* 1: done, 0: goes on when the socket is ready, -1: failed (tls_error tells). */
int tls_handshake(struct tls *t);
/* Like sock_read and sock_writev: SOCK_AGAIN, SOCK_FAILED. */
ssize_t tls_read(struct tls *t, void *p, size_t n);
ssize_t tls_writev(struct tls *t, const struct iovec *iov, int n);
void tls_shutdown(struct tls *t);
void tls_free(struct tls *t);
/* What went wrong in words ("certificate verify failed: self-signed certificate"). */
const char *tls_error(const struct tls *t);

#endif
