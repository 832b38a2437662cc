/* sock: the few socket operations the gateway needs, non-blocking. The other half of the seam that
 * loop.h describes. */
#ifndef DRAY_NET_SOCK_H
#define DRAY_NET_SOCK_H

#include "base/err.h"
#include "base/str.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { SOCK_AGAIN = -1, SOCK_FAILED = -2 };

/* An address to connect to or to listen on. */
struct sock_addr {
    socklen_t len;
    struct sockaddr_storage ss;
};
/* From a numeric IPv4 or IPv6 address, or (is_unix) a path. */
bool sock_addr_parse(struct sock_addr *a, str host, uint16_t port, bool is_unix, err *e);
/* "127.0.0.1:80", "[::1]:80", "unix:/path"; returns length, `out` at least 128 bytes. */
size_t sock_addr_format(char *out, const struct sock_addr *a);
bool sock_addr_loopback(const struct sock_addr *a);

/* A listening socket, or -1 with an error. */
int sock_listen(const struct sock_addr *a, int backlog, err *e);
/* Next waiting connection (non-blocking, no delay), or SOCK_AGAIN, or SOCK_FAILED (out of descriptors
 * and the like: back off). */
int sock_accept(int fd, struct sock_addr *peer);
/* Begins to connect; the descriptor, or SOCK_FAILED with errno. Connected when it becomes writable and
 * sock_error is 0. */
int sock_connect(const struct sock_addr *a);
int sock_error(int fd);
/* Bytes read, 0 at the end, SOCK_AGAIN, SOCK_FAILED. */
ssize_t sock_read(int fd, void *p, size_t n);
/* Bytes written (may be fewer than all), SOCK_AGAIN, SOCK_FAILED. */
ssize_t sock_writev(int fd, const struct iovec *iov, int n);
void sock_close(int fd);
/* Whether none of the last `sent` bytes written to `fd`, which has seen `total` in all, was ever
 * acknowledged by the peer: the peer's process can't have read them. False when unknown. */
bool sock_unacknowledged(int fd, uint64_t total, uint64_t sent);

#endif
