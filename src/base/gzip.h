/* gzip: compressed bodies and files: gzip (RFC 1952), deflate (RFC 1950, and 1951 as some send it), zstd (RFC
 * 8878), unpacked in pieces with a bound on what comes out. By zlib and zstd. */
#ifndef DRAY_BASE_GZIP_H
#define DRAY_BASE_GZIP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends the inflated bytes of one or more whole gzip members (or zlib streams) to `out`, whose `max`
 * bounds a bomb. False when the input is not that, is cut off, has bytes behind it (out->failed is not
 * set), or inflates to more than fits (out->failed is set). */
bool gunzip(str in, buf *out, err *e);

/* ---- in pieces ---- */

enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODING_ZSTD };
/* The coding that a content-encoding names ("gzip", "x-gzip", "deflate", "zstd", in any case; "identity" and the
 * empty one are CODING_NONE); false for any other and for lists. */
bool coding_named(str content_encoding, enum coding *out);
/* The coding of a file by its first bytes (4 are enough); CODING_NONE when it is neither gzip nor zstd. */
enum coding coding_of(str start);

enum decoded { DECODED_PIECE, DECODED_MORE, DECODED_BAD };

/* A decoder of one coding; it owns about 75 kB, for zstd also the window that the data asks for: at most 8 MB
 * (RFC 9659), without `max` 128 MB (what zstd's tools unpack unasked). */
struct decoder;
/* `max` bounds the bytes that come out (0: no bound). Beyond the first MiB out, no more than `ratio` bytes may
 * come out for each byte in (0: no bound). */
struct decoder *decoder_new(enum coding c, uint64_t max, uint32_t ratio);
void decoder_free(struct decoder *d); /* may be NULL */
/* Goes on with `*in`, which is advanced. PIECE: *out is valid until the next call, call again. MORE: all of *in is
 * used. BAD: damaged, more than the bounds allow, or bytes that don't belong to it; nothing comes any more. */
enum decoded decoder_next(struct decoder *d, str *in, str *out, err *e);
/* Whether the input may end here: it is at least one whole member or frame. */
bool decoder_whole(const struct decoder *d);
/* Whether it went bad by its bounds, not by its bytes. */
bool decoder_too_large(const struct decoder *d);

#endif
