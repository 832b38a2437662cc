/* gzip: one loop over two libraries. A step takes some input and fills the piece; the loop keeps the bounds, so
 * that a bomb costs at most its bound of time and one piece of memory. Members and frames may follow each other
 * (RFC 1952 2.2, RFC 8878 3); behind a deflate stream nothing may follow. */
#include "base/gzip.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum {
    PIECE = 32 * 1024,
    GZIP_OR_ZLIB = 15 + 32, /* largest window, by its header */
    RAW = -15,
    RATIO_FREE = 1 << 20, /* bytes out before the ratio counts: short texts may be very regular */
    FEED_MAX = 1 << 30,   /* zlib counts in 32 bits */
    WINDOW_LOG_BODY = 23, /* RFC 9659: 8 MB */
    WINDOW_LOG_FILE = 27,
    FRAME_HEADER_MAX = 18, /* RFC 8878 3.1.1: magic number and frame header */
};

struct decoder {
    enum coding coding;
    bool begun, open; /* there was input; inside of a member or frame */
    bool bad, large;
    unsigned header_fed; /* bytes of a zstd frame, up to its longest header */
    uint64_t taken, given, max;
    uint32_t ratio;
    bool zlib_ready;
    z_stream z;
    ZSTD_DStream *zstd;
    char piece[PIECE];
};

bool coding_named(str name, enum coding *out) {
    static const struct {
        str name;
        enum coding coding;
    } known[] = {{STR_INIT(""), CODING_NONE},           {STR_INIT("identity"), CODING_NONE},
                 {STR_INIT("gzip"), CODING_GZIP},       {STR_INIT("x-gzip"), CODING_GZIP},
                 {STR_INIT("deflate"), CODING_DEFLATE}, {STR_INIT("zstd"), CODING_ZSTD}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_ieq(name, known[i].name)) continue;
        *out = known[i].coding;
        return true;
    }
    return false;
}

enum coding coding_of(str start) {
    if (str_starts(start, STR("\x1f\x8b"))) return CODING_GZIP;
    return str_starts(start, STR("\x28\xb5\x2f\xfd")) ? CODING_ZSTD : CODING_NONE;
}

struct decoder *decoder_new(enum coding c, uint64_t max, uint32_t ratio) {
    struct decoder *d = xmalloc(sizeof *d);
    memset(d, 0, offsetof(struct decoder, piece));
    d->coding = c;
    d->max = max ? max : UINT64_MAX;
    d->ratio = ratio;
    return d;
}

void decoder_free(struct decoder *d) {
    if (!d) return;
    if (d->zlib_ready) inflateEnd(&d->z);
    ZSTD_freeDStream(d->zstd);
    free(d);
}

bool decoder_whole(const struct decoder *d) {
    return !d->bad && !d->open && (d->begun || d->coding == CODING_NONE);
}
bool decoder_too_large(const struct decoder *d) { return d->large; }

/* A zlib stream begins with a byte whose low half is 8. One that is sent raw never does: that would be a stored
 * block, whose padding encoders fill with zeros. */
static bool zlib_begin(struct decoder *d, str in, err *e) {
    bool raw = d->coding == CODING_DEFLATE && (in.p[0] & 15) != Z_DEFLATED;
    if (inflateInit2(&d->z, raw ? RAW : GZIP_OR_ZLIB) != Z_OK) return fail(e, "zlib: no memory");
    d->zlib_ready = true;
    return true;
}

static bool zlib_step(struct decoder *d, str *in, size_t *n, err *e) {
    if (!in->n && !d->open) return true;
    if (!d->zlib_ready && !zlib_begin(d, *in, e)) return false;
    if (d->begun && !d->open) {
        if (d->coding == CODING_DEFLATE) return fail(e, "bytes behind the compressed data");
        inflateReset(&d->z);
    }
    size_t feed = in->n < FEED_MAX ? in->n : FEED_MAX;
    d->z.next_in = (Bytef *)(uintptr_t)in->p;
    d->z.avail_in = (uInt)feed;
    d->z.next_out = (Bytef *)d->piece;
    d->z.avail_out = PIECE;
    int r = inflate(&d->z, Z_NO_FLUSH);
    *in = str_skip(*in, feed - d->z.avail_in);
    *n = PIECE - d->z.avail_out;
    d->begun = true;
    d->open = r != Z_STREAM_END;
    if (r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR) return true;
    return fail(e, "the compressed data is damaged or not gzip");
}

/* Whether a frame of RFC 8878 may begin so: Zstandard, or skippable. The library would also read the formats of
 * before 2016, whose decoders are no match for hostile bytes (their verdict depends on how these are split). */
static bool zstd_frame(unsigned char first) { return first == 0x28 || (first & 0xf0) == 0x50; }

static bool zstd_step(struct decoder *d, str *in, size_t *n, err *e) {
    if (!in->n && !d->open) return true;
    if (!d->open && !zstd_frame((unsigned char)in->p[0])) return fail(e, "the compressed data is not zstd");
    if (!d->zstd) {
        d->zstd = ZSTD_createDStream();
        if (!d->zstd) return fail(e, "zstd: no memory");
        ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax,
                               d->max == UINT64_MAX ? WINDOW_LOG_FILE : WINDOW_LOG_BODY);
    }
    /* Byte by byte through the header, so that a frame reads the same however it comes: one that lies there as a
     * whole would be read by another way, which judges damage differently; and behind a header that it can't read
     * the library looks for an old format at the start of the piece, not of the frame. */
    if (!d->open) d->header_fed = 0;
    bool header = d->header_fed < FRAME_HEADER_MAX;
    ZSTD_inBuffer from = {in->p, header && in->n ? 1 : in->n, 0};
    ZSTD_outBuffer to = {d->piece, PIECE, 0};
    size_t r = ZSTD_decompressStream(d->zstd, &to, &from);
    if (header) d->header_fed += (unsigned)from.pos;
    *in = str_skip(*in, from.pos);
    *n = to.pos;
    d->begun = true;
    d->open = r != 0;
    return ZSTD_isError(r) ? fail(e, "the compressed data is damaged: %s", ZSTD_getErrorName(r)) : true;
}

static bool within_bounds(struct decoder *d, err *e) {
    d->large = d->given > d->max || (d->ratio && d->given > RATIO_FREE && d->given / d->ratio > d->taken);
    if (!d->large) return true;
    if (d->given > d->max) return fail(e, "inflates to more than %llu bytes", (unsigned long long)d->max);
    return fail(e, "inflates to more than %u times its size", (unsigned)d->ratio);
}

/* No coding: passes through. */
static enum decoded pass(struct decoder *d, str *in, str *out, err *e) {
    *out = *in;
    d->taken += in->n;
    d->given += in->n;
    *in = str_skip(*in, in->n);
    d->bad = !within_bounds(d, e);
    return d->bad ? DECODED_BAD : out->n ? DECODED_PIECE : DECODED_MORE;
}

enum decoded decoder_next(struct decoder *d, str *in, str *out, err *e) {
    if (d->bad) return DECODED_BAD;
    if (d->coding == CODING_NONE) return pass(d, in, out, e);
    for (;;) {
        size_t n = 0, before = in->n;
        bool good = d->coding == CODING_ZSTD ? zstd_step(d, in, &n, e) : zlib_step(d, in, &n, e);
        d->taken += before - in->n;
        d->given += n;
        d->bad = !good || !within_bounds(d, e);
        if (d->bad) return DECODED_BAD;
        *out = str_make(d->piece, n);
        if (n) return DECODED_PIECE;
        if (!in->n && before == 0) return DECODED_MORE;
        if (in->n == before) {
            d->bad = true;
            fail(e, "the compressed data is damaged");
            return DECODED_BAD;
        }
    }
}

bool gunzip(str in, buf *out, err *e) {
    struct decoder *d = decoder_new(CODING_GZIP, 0, 0);
    d->max = out->max - out->n;
    str piece;
    enum decoded r;
    while ((r = decoder_next(d, &in, &piece, e)) == DECODED_PIECE) buf_str(out, piece);
    bool good = r == DECODED_MORE && (decoder_whole(d) || fail(e, "the compressed data is cut off"));
    out->failed = out->failed || decoder_too_large(d);
    decoder_free(d);
    return good;
}
