/* sock: thin wrappers over the system's calls. */
#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool sock_addr_parse(struct sock_addr *a, str host, uint16_t port, bool is_unix, err *e) {
    *a = (struct sock_addr){0};
    if (is_unix) {
        struct sockaddr_un *u = (struct sockaddr_un *)&a->ss;
        if (host.n >= sizeof u->sun_path)
            return fail(e, "socket path is longer than %zu bytes", sizeof u->sun_path - 1);
        u->sun_family = AF_UNIX;
        memcpy(u->sun_path, host.p, host.n);
        a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + host.n + 1);
        return true;
    }
    char text[INET6_ADDRSTRLEN];
    if (host.n >= sizeof text) return fail(e, "not a numeric address: " STR_FMT, STR_ARG(host));
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a->ss;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->ss;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        a->len = sizeof *v4;
    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        a->len = sizeof *v6;
    } else {
        return fail(e, "not a numeric address: %s", text);
    }
    return true;
}

size_t sock_addr_format(char *out, const struct sock_addr *a) {
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->ss;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->ss;
    int n = 0;
    if (a->ss.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        n = snprintf(out, 128, "%s:%u", text, ntohs(v4->sin_port));
    } else if (a->ss.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        n = snprintf(out, 128, "[%s]:%u", text, ntohs(v6->sin6_port));
    } else {
        n = snprintf(out, 128, "unix:%.108s", ((const struct sockaddr_un *)&a->ss)->sun_path);
    }
    return n > 0 ? (size_t)n : 0;
}

bool sock_addr_loopback(const struct sock_addr *a) {
    if (a->ss.ss_family == AF_UNIX) return true;
    if (a->ss.ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)&a->ss)->sin_addr.s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->ss)->sin6_addr);
}

static void no_delay(int fd) {
    int one = 1; /* fails on unix sockets, which have no delay */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* A socket file left by a process that is gone would refuse the bind for ever. */
static void unlink_dead(const struct sock_addr *a) {
    const struct sockaddr_un *u = (const struct sockaddr_un *)&a->ss;
    struct stat st;
    if (a->ss.ss_family != AF_UNIX || stat(u->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0 && errno == ECONNREFUSED)
        unlink(u->sun_path);
    if (fd >= 0) close(fd);
}

int sock_listen(const struct sock_addr *a, int backlog, err *e) {
    char text[128];
    sock_addr_format(text, a);
    unlink_dead(a);
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (a->ss.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0 || listen(fd, backlog) < 0) {
        fail(e, "listen on %s: %s", text, strerror(errno));
        if (fd >= 0) close(fd);
        return -1;
    }
    return fd;
}

int sock_accept(int fd, struct sock_addr *peer) {
    peer->len = sizeof peer->ss;
    int c = accept4(fd, (struct sockaddr *)&peer->ss, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (c < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED || errno == EPROTO ? SOCK_AGAIN
                                                                                             : SOCK_FAILED;
    no_delay(c);
    return c;
}

int sock_connect(const struct sock_addr *a) {
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return SOCK_FAILED;
    no_delay(fd);
    if (connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0 && errno != EINPROGRESS) {
        int why = errno;
        close(fd);
        errno = why;
        return SOCK_FAILED;
    }
    return fd;
}

int sock_error(int fd) {
    int e = 0;
    socklen_t n = sizeof e;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0 ? errno : e;
}

ssize_t sock_read(int fd, void *p, size_t n) {
    ssize_t r;
    do r = recv(fd, p, n, 0);
    while (r < 0 && errno == EINTR);
    return r >= 0 ? r : errno == EAGAIN ? SOCK_AGAIN : SOCK_FAILED;
}

ssize_t sock_writev(int fd, const struct iovec *iov, int n) {
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    ssize_t r;
    do r = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r >= 0 ? r : errno == EAGAIN ? SOCK_AGAIN : SOCK_FAILED;
}

void sock_close(int fd) { close(fd); }

bool sock_unacknowledged(int fd, uint64_t total, uint64_t sent) {
    struct tcp_info ti;
    socklen_t n = sizeof ti;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &n) < 0 || n < offsetof(struct tcp_info, tcpi_bytes_received))
        return false;
    return ti.tcpi_bytes_acked <= total - sent + 1; /* the SYN counts as one */
}
