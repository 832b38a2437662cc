/* buf: doubling growth up to the stated maximum. */
#include "base/buf.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(buf *b, size_t max) { *b = (buf){.max = max}; }

void buf_free(buf *b) {
    free(b->p);
    *b = (buf){.max = b->max};
}

char *buf_room(buf *b, size_t extra) {
    if (extra > b->max || b->n > b->max - extra) {
        b->failed = true;
        return NULL;
    }
    if (b->n + extra > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 256;
        if (cap < b->n + extra) cap = b->n + extra;
        if (cap > b->max) cap = b->max;
        b->p = xrealloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add_slow(buf *b, const void *p, size_t n) {
    char *to = buf_room(b, n);
    if (!to) return;
    memcpy(to, p, n);
    b->n += n;
}

size_t fmt_u64(char *out, uint64_t v) {
    static const char pairs[] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
        "4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
        "888990919293949596979899";
    char tmp[20], *p = tmp + sizeof tmp;
    for (; v >= 10; v /= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (v % 100), 2);
    }
    if (v || p == tmp + sizeof tmp) *--p = (char)('0' + v);
    size_t n = (size_t)(tmp + sizeof tmp - p);
    memcpy(out, p, n);
    return n;
}

void buf_u64(buf *b, uint64_t v) {
    char tmp[20];
    buf_add(b, tmp, fmt_u64(tmp, v));
}

void buf_i64(buf *b, int64_t v) {
    if (v < 0) buf_char(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_vprintf(buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *to = n >= 0 ? buf_room(b, (size_t)n + 1) : NULL;
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_printf(buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_consume(buf *b, size_t n) {
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

size_t fmt_nano(char *out, int64_t nano) {
    size_t n = 0;
    uint64_t v = nano < 0 ? 0 - (uint64_t)nano : (uint64_t)nano;
    if (nano < 0) out[n++] = '-';
    n += fmt_u64(out + n, v / 1000000000u);
    out[n++] = '.';
    uint32_t frac = (uint32_t)(v % 1000000000u);
    char digits[9];
    for (int i = 8; i >= 0; i--, frac /= 10) digits[i] = (char)('0' + frac % 10);
    size_t keep = 9;
    while (keep > 1 && digits[keep - 1] == '0') keep--;
    memcpy(out + n, digits, keep);
    return n + keep;
}
