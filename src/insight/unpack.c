/* unpack: see unpack.h. Concatenated members and frames are one stream, as zcat and zstdcat have it. The zstd
 * window is bounded: a log that needs more than 128 MiB to unpack is refused. */
#include "insight/unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { CHUNK = 128 << 10, WINDOW_LOG_MAX = 27, GZIP = 16 + MAX_WBITS };

struct unpack {
    int fd;
    enum { UNTOLD, PLAIN, GZ, ZST } kind;
    bool open; /* inside of a member or frame */
    z_stream gz;
    ZSTD_DStream *zst;
    char *in;
    size_t pos, fill;
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
    if (u->kind == GZ) inflateEnd(&u->gz);
    if (u->kind == ZST) ZSTD_freeDStream(u->zst);
    close(u->fd);
    free(u->in);
    free(u);
}

uint64_t unpack_taken(const struct unpack *u) { return u->taken; }

static ssize_t take(struct unpack *u, char *p, size_t n, err *e) {
    for (;;) {
        ssize_t got = read(u->fd, p, n);
        if (got >= 0) {
            u->taken += (uint64_t)got;
            return got;
        }
        if (errno != EINTR) {
            fail(e, "%s", strerror(errno));
            return -1;
        }
    }
}

static bool refill(struct unpack *u, err *e, bool *bad) {
    if (u->pos < u->fill) return true;
    ssize_t got = take(u, u->in, CHUNK, e);
    *bad = got < 0;
    u->pos = 0;
    u->fill = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static bool tell(struct unpack *u, err *e) {
    while (u->fill < 4) {
        ssize_t got = take(u, u->in + u->fill, CHUNK - u->fill, e);
        if (got < 0) return false;
        if (got == 0) break;
        u->fill += (size_t)got;
    }
    const unsigned char *b = (const unsigned char *)u->in;
    u->kind = PLAIN;
    if (u->fill >= 2 && b[0] == 0x1F && b[1] == 0x8B) {
        if (inflateInit2(&u->gz, GZIP) != Z_OK) return fail(e, "no memory for gzip");
        u->kind = GZ;
    } else if (u->fill >= 4 && memcmp(b, "\x28\xB5\x2F\xFD", 4) == 0) {
        u->zst = ZSTD_createDStream();
        if (!u->zst) return fail(e, "no memory for zstd");
        ZSTD_DCtx_setParameter(u->zst, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
        u->kind = ZST;
    }
    return true;
}

static ssize_t read_gz(struct unpack *u, char *out, size_t n, err *e) {
    for (;;) {
        bool bad = false;
        if (!refill(u, e, &bad)) {
            if (!bad && u->open) bad = !fail(e, "the gzip data breaks off");
            return bad ? -1 : 0;
        }
        u->gz.next_in = (Bytef *)(u->in + u->pos);
        u->gz.avail_in = (uInt)(u->fill - u->pos);
        u->gz.next_out = (Bytef *)out;
        u->gz.avail_out = (uInt)n;
        int rc = inflate(&u->gz, Z_NO_FLUSH);
        u->pos = u->fill - u->gz.avail_in;
        u->open = rc != Z_STREAM_END;
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
            fail(e, "the gzip data is damaged");
            return -1;
        }
        if (rc == Z_STREAM_END) inflateReset(&u->gz);
        if (u->gz.avail_out < n) return (ssize_t)(n - u->gz.avail_out);
    }
}

static ssize_t read_zst(struct unpack *u, char *out, size_t n, err *e) {
    for (;;) {
        bool bad = false;
        bool more = refill(u, e, &bad);
        if (!more && (bad || !u->open)) {
            if (!bad) return 0;
            return -1;
        }
        ZSTD_inBuffer in = {u->in, u->fill, u->pos};
        ZSTD_outBuffer o = {out, n, 0};
        size_t rc = ZSTD_decompressStream(u->zst, &o, &in);
        u->pos = in.pos;
        if (ZSTD_isError(rc)) {
            fail(e, "the zstd data is damaged: %s", ZSTD_getErrorName(rc));
            return -1;
        }
        u->open = rc != 0;
        if (o.pos) return (ssize_t)o.pos;
        if (!more) {
            fail(e, "the zstd data breaks off");
            return -1;
        }
    }
}

ssize_t unpack_read(struct unpack *u, char *out, size_t n, err *e) {
    if (u->kind == UNTOLD && !tell(u, e)) return -1;
    if (u->kind == GZ) return read_gz(u, out, n, e);
    if (u->kind == ZST) return read_zst(u, out, n, e);
    if (u->pos < u->fill) {
        size_t have = u->fill - u->pos;
        if (have > n) have = n;
        memcpy(out, u->in + u->pos, have);
        u->pos += have;
        return (ssize_t)have;
    }
    return take(u, out, n, e);
}
