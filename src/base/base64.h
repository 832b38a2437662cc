/* base64: RFC 4648, both alphabets. */
#ifndef DRAY_BASE_BASE64_H
#define DRAY_BASE_BASE64_H

#include "base/buf.h"

/* Room for the decoded form of `n` characters. */
#define BASE64_ROOM(n) ((n) / 4 * 3 + 3)

/* Decodes the standard or the URL-safe alphabet into `out` (BASE64_ROOM(in.n) bytes); returns the number of bytes.
 * What isn't of the alphabet (line breaks, padding) is skipped. `out` may be where `in` lies. */
size_t base64_decode(str in, void *out);
/* The same, but false for anything beyond the alphabets and padding at the end. */
bool base64_decode_strict(str in, void *out, size_t *n);
/* Appends the padded standard form. */
void base64_encode(const void *bytes, size_t n, buf *out);
/* Appends the URL-safe form without padding (RFC 7515). */
void base64url_encode(const void *bytes, size_t n, buf *out);

#endif
