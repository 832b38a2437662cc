/* secret: what can be a credential, and credentials from files. Neither their text nor a part of it comes into
 * a message. */
#include "config/build.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

bool secret_check(struct build *b, const ynode *at, str secret) {
    if (!secret.n) return yaml_fail(b->e, at, "the credential is empty");
    for (size_t i = 0; i < secret.n; i++)
        if ((unsigned char)secret.p[i] <= ' ' || (unsigned char)secret.p[i] > '~')
            return yaml_fail(
                b->e, at,
                "the credential has characters that can't stand in a header (spaces, line ends, or not ASCII)");
    return true;
}

ssize_t secret_read(int fd, char *to) {
    uint64_t deadline = clock_mono_us() + SECRET_MS * 1000u;
    size_t n = 0;
    for (;;) {
        uint64_t now = clock_mono_us();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= deadline || poll(&p, 1, (int)((deadline - now) / 1000) + 1) < 0) {
            if (now < deadline && errno == EINTR) continue;
            errno = ETIMEDOUT;
            return -1;
        }
        if (!p.revents) continue;
        ssize_t got = read(fd, to + n, CONFIG_SECRET_MAX + 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) return (ssize_t)n;
        n += (size_t)got;
        if (n > CONFIG_SECRET_MAX) {
            errno = EFBIG;
            return -1;
        }
    }
}

bool secret_file(struct build *b, const ynode *at, str *out) {
    str path;
    if (!yaml_str(at, &path, b->e)) return false;
    path = build_path(b, path);
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return yaml_fail(b->e, at, "%.*s: %s", STR_ARG(str_take(path, 128)), strerror(errno));
    char *text = arena_alloc(b->a, CONFIG_SECRET_MAX + 1);
    ssize_t n = secret_read(fd, text);
    int why = errno;
    close(fd);
    if (n < 0) return yaml_fail(b->e, at, "%.*s: %s", STR_ARG(str_take(path, 128)), strerror(why));
    *out = str_trim(str_make(text, (size_t)n));
    return secret_check(b, at, *out);
}
