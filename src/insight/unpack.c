/* unpack: see unpack.h. The decoding is base/gzip.h's; here are the reads. */
#include "insight/unpack.h"

#include "base/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 128 << 10, TELL = 4 };

struct unpack {
    int fd;
    bool told;
    struct decoder *d; /* NULL: plain */
    char *in;
    str left;  /* of `in`, not used yet */
    str piece; /* decoded, not handed out yet */
    uint64_t taken;
};

struct unpack *unpack_new(int fd) {
    struct unpack *u = xcalloc(1, sizeof *u);
    u->fd = fd;
    u->in = xmalloc(CHUNK);
    return u;
}

void unpack_free(struct unpack *u) {
    if (!u) return;
    decoder_free(u->d);
    close(u->fd);
    free(u->in);
    free(u);
}

uint64_t unpack_taken(const struct unpack *u) { return u->taken; }

static ssize_t take(struct unpack *u, char *p, size_t n, err *e) {
    for (;;) {
        ssize_t got = read(u->fd, p, n);
        if (got >= 0) u->taken += (uint64_t)got;
        if (got >= 0 || errno != EINTR) {
            if (got < 0) fail(e, "%s", strerror(errno));
            return got;
        }
    }
}

/* What the file is, by its first bytes. */
static bool tell(struct unpack *u, err *e) {
    size_t n = 0;
    while (n < TELL) {
        ssize_t got = take(u, u->in + n, CHUNK - n, e);
        if (got < 0) return false;
        if (got == 0) break;
        n += (size_t)got;
    }
    u->left = str_make(u->in, n);
    u->told = true;
    enum coding c = coding_of(u->left);
    if (c != CODING_NONE) u->d = decoder_new(c, 0, 0);
    return true;
}

static ssize_t hand_out(str *from, char *out, size_t n) {
    if (n > from->n) n = from->n;
    memcpy(out, from->p, n);
    *from = str_skip(*from, n);
    return (ssize_t)n;
}

ssize_t unpack_read(struct unpack *u, char *out, size_t n, err *e) {
    if (!u->told && !tell(u, e)) return -1;
    if (!u->d) return u->left.n ? hand_out(&u->left, out, n) : take(u, out, n, e);
    while (u->piece.n == 0) {
        switch (decoder_next(u->d, &u->left, &u->piece, e)) {
        case DECODED_PIECE: break;
        case DECODED_BAD: return -1;
        case DECODED_MORE: {
            ssize_t got = take(u, u->in, CHUNK, e);
            if (got < 0) return -1;
            if (got == 0 && !decoder_whole(u->d)) {
                fail(e, "the compressed data breaks off");
                return -1;
            }
            if (got == 0) return 0;
            u->left = str_make(u->in, (size_t)got);
            break;
        }
        }
    }
    return hand_out(&u->piece, out, n);
}
