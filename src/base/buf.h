/* buf: a growing byte buffer on the heap with a stated maximum.
 *
 * Writing past the maximum sets `failed` and drops the write; the owner checks once at the end.
 * A buf that is all zero except `max` is valid and empty. */
#ifndef DRAY_BASE_BUF_H
#define DRAY_BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

typedef struct buf {
    char *p;
    size_t n, cap, max;
    bool failed;
} buf;

void buf_init(buf *b, size_t max);
void buf_free(buf *b);
/* Empties it and keeps the memory. */
static inline void buf_clear(buf *b) {
    b->n = 0;
    b->failed = false;
}
/* Makes room for `extra` more bytes and returns where they go, NULL (and failed) past the maximum.
 * The caller adds what it wrote to b->n. */
char *buf_room(buf *b, size_t extra);
void buf_add_slow(buf *b, const void *p, size_t n);
static inline void buf_add(buf *b, const void *p, size_t n) {
    if (n && n <= b->cap - b->n) { /* cap never exceeds max */
        memcpy(b->p + b->n, p, n);
        b->n += n;
    } else if (n) {
        buf_add_slow(b, p, n);
    }
}
static inline void buf_str(buf *b, str s) { buf_add(b, s.p, s.n); }
static inline void buf_strz(buf *b, const char *z) { buf_add(b, z, strlen(z)); }
static inline void buf_char(buf *b, char c) { buf_add(b, &c, 1); }
void buf_u64(buf *b, uint64_t v);
void buf_i64(buf *b, int64_t v);
void buf_printf(buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Removes the first `n` bytes. */
void buf_consume(buf *b, size_t n);
static inline str buf_view(const buf *b) { return (str){b->p, b->n}; }

/* Writes an unsigned decimal into `out` (at least 20 bytes); returns its length. */
size_t fmt_u64(char *out, uint64_t v);
/* Nano-dollars as an exact decimal with at least one fractional digit and no trailing zeros
 * beyond it ("0.000012345", "-1.5", "0.0"); `out` at least 32 bytes; returns the length. */
size_t fmt_nano(char *out, int64_t nano);

#endif
