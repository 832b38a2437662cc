/* gzip: zlib in pieces, so that a small bomb never takes more memory than its bound. */
#include "base/gzip.h"

#include <zlib.h>

enum { PIECE = 16 * 1024, DETECT = 15 + 32 /* largest window; gzip or zlib by header */ };

static bool inflate_member(z_stream *z, buf *out, err *e) {
    for (int r = Z_OK; r != Z_STREAM_END;) {
        char piece[PIECE];
        z->next_out = (Bytef *)piece;
        z->avail_out = PIECE;
        r = inflate(z, Z_NO_FLUSH);
        buf_add(out, piece, PIECE - z->avail_out);
        if (out->failed) return fail(e, "inflates to more than %zu bytes", out->max);
        if (r != Z_OK && r != Z_STREAM_END)
            return fail(e, "%s", r == Z_BUF_ERROR ? "compressed data is cut off" : "not gzip data");
    }
    return true;
}

bool gunzip(str in, buf *out, err *e) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    if (in.n > UINT32_MAX) return fail(e, "compressed data is too large");
    if (inflateInit2(&z, DETECT) != Z_OK) return fail(e, "zlib: no memory");
    bool ok = inflate_member(&z, out, e);
    while (ok && z.avail_in) { /* members may follow each other (RFC 1952 2.2) */
        inflateReset(&z);
        ok = inflate_member(&z, out, e);
    }
    inflateEnd(&z);
    return ok;
}
