/* json: cursors, strings and numbers of text that the scan accepted.
 *
 * Nothing is checked again: a value is skipped by looking for its end only, 16 bytes at a time. Text that was
 * never checked (an event of a stream on its way through) is harmless even so: all reads stay before `end`, every
 * step goes forward or ends the walk. */
#include "base/json.h"

#include "base/err.h"
#include "base/json_lex.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

/* Whether the quote at q is escaped: an odd number of backslashes stands before it, none before `start`. */
static inline bool escaped(const char *q, const char *start) {
    const char *p = q;
    while (p > start && p[-1] == '\\') p--;
    return (q - p) & 1;
}

/* The closing quote when it is among the first 16 bytes and no escape is: most strings are short. Else NULL. */
static inline const char *short_end(const char *start, const char *end) {
    if (end - start < 16) return NULL;
    uint64_t mask = json_special16(start);
    return mask && start[__builtin_ctzll(mask)] == '"' ? start + __builtin_ctzll(mask) : NULL;
}

/* The closing quote of the string that begins at `start`. Escapes don't stop the search: whether there were any is
 * gathered on the way, and a quote is looked at backwards. */
static inline const char *string_end(const char *start, const char *end, bool *esc) {
    const char *p = start;
    bool any = false;
#if JSON_AVX2
    if (json_has_avx2()) {
        p = short_end(start, end);
        *esc = false;
        return p ? p : json_string_end_avx2(start, end, esc);
    }
#endif
#if JSON_SSE2
    const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\');
    for (__m128i backs = _mm_setzero_si128(); end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i b = _mm_cmpeq_epi8(v, back);
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, quote));
        for (; mask; mask &= mask - 1) {
            int i = __builtin_ctz(mask);
            if (escaped(p + i, start)) continue;
            *esc = _mm_movemask_epi8(backs) || (unsigned)_mm_movemask_epi8(b) << (31 - i) << 1;
            return p + i;
        }
        backs = _mm_or_si128(backs, b);
        any = _mm_movemask_epi8(backs);
    }
#endif
    for (; p < end && (*p != '"' || escaped(p, start)); p++) any |= *p == '\\';
    *esc = any;
    return p;
}

/* First quote or bracket from p on. */
static inline const char *bracket(const char *p, const char *end) {
#if JSON_SSE2
    const __m128i quote = _mm_set1_epi8('"'), bit = _mm_set1_epi8(0x20), open = _mm_set1_epi8('{'),
                  close = _mm_set1_epi8('}');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i low = _mm_or_si128(v, bit); /* [ becomes {, ] becomes } */
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, quote),
                                   _mm_or_si128(_mm_cmpeq_epi8(low, open), _mm_cmpeq_epi8(low, close)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask) return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}') p++;
    return p;
}

const char *json_string_end(const char *p, const char *end, bool *esc) {
    const char *quote = string_end(p, end, esc);
    return quote < end ? quote : NULL;
}

const char *json_close(const char *p, const char *end) {
#if JSON_AVX2
    if (json_has_avx2()) return json_close_avx2(p, end);
#endif
    size_t depth = 1;
    bool esc;
    while ((p = bracket(p, end)) < end) {
        char c = *p++;
        if (c == '"') {
            p = string_end(p, end, &esc);
            if (p < end) p++;
        } else if ((c | 0x20) == '{') {
            depth++;
        } else if (--depth == 0) {
            return p;
        }
    }
    return NULL;
}

static inline const char *scalar_end(const char *p, const char *end) {
    while (p < end && *p != ',' && *p != '}' && *p != ']' && !json_space(*p)) p++;
    return p;
}

static inline const char *skip(const char *p, const char *end, char mark) {
    while (p < end && (json_space(*p) || *p == mark)) p++;
    return p;
}

/* The value at p (no space before it) and where it ends. */
static inline jval value_here(const char *p, const char *end, const char **after) {
    jval v = {.type = J_NONE};
    if (p >= end) {
        *after = end;
        return v;
    }
    const char *e;
    switch (*p) {
    case '"':
        v.type = J_STRING;
        e = string_end(++p, end, &v.esc);
        *after = e < end ? e + 1 : e;
        v.raw = str_make(p, (size_t)(e - p));
        return v;
    case '{':
    case '[':
        v.type = *p == '{' ? J_OBJECT : J_ARRAY;
        e = json_close(p + 1, end);
        if (!e) e = end;
        break;
    default:
        v.type = *p == 't' ? J_TRUE : *p == 'f' ? J_FALSE : *p == 'n' ? J_NULL : J_NUMBER;
        e = scalar_end(p, end);
        if (e == p) return value_here(end, end, after); /* no value: the text is not JSON */
    }
    v.raw = str_make(p, (size_t)(e - p));
    *after = e;
    return v;
}

jval json_value_at(const char *p, const char *end) {
    const char *after;
    return value_here(skip(p, end, ' '), end, &after);
}

jiter json_iter(jval c) {
    if (c.type != J_OBJECT && c.type != J_ARRAY) return (jiter){NULL, NULL};
    return (jiter){c.raw.p + 1, c.raw.p + c.raw.n - 1};
}

bool json_next(jiter *it, str *key, bool *key_esc, jval *val) {
    const char *p = skip(it->p, it->end, ',');
    if (p >= it->end) return false;
    jval k = value_here(p, it->end, &p);
    *key = k.raw;
    *key_esc = k.esc;
    *val = value_here(skip(p, it->end, ':'), it->end, &it->p);
    return val->type != J_NONE;
}

bool json_item(jiter *it, jval *val) {
    const char *p = skip(it->p, it->end, ',');
    if (p >= it->end) return false;
    *val = value_here(p, it->end, &it->p);
    return val->type != J_NONE;
}

jval json_get(jval object, str key) {
    jval v;
    str k;
    bool esc;
    if (object.type != J_OBJECT) return (jval){.type = J_NONE};
    for (jiter it = json_iter(object); json_next(&it, &k, &esc, &v);)
        if (json_key_eq(k, esc, key)) return v;
    return (jval){.type = J_NONE};
}

jval json_path(jval v, ...) {
    va_list ap;
    va_start(ap, v);
    for (const char *name; v.type != J_NONE && (name = va_arg(ap, const char *));) v = json_get(v, str_from(name));
    va_end(ap);
    return v;
}

/* ---- strings ---- */

static unsigned hex4(const char *p) {
    unsigned v = 0;
    for (int i = 0; i < 4; i++) v = v << 4 | (unsigned)json_hex(p[i]);
    return v;
}

static size_t utf8_put(char *out, unsigned c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

size_t json_unescape(const char *p, const char *end, char out[4], size_t *used) {
    *used = 1;
    if (*p != '\\' || end - p < 2) return 0;
    *used = 2;
    switch (p[1]) {
    case 'b': out[0] = '\b'; return 1;
    case 'f': out[0] = '\f'; return 1;
    case 'n': out[0] = '\n'; return 1;
    case 'r': out[0] = '\r'; return 1;
    case 't': out[0] = '\t'; return 1;
    case 'u': break;
    default: out[0] = p[1]; return 1;
    }
    if (end - p < 6) return 0;
    unsigned c = hex4(p + 2);
    *used = 6;
    if ((c & 0xFC00) == 0xD800 && end - p >= 12) {
        c = 0x10000 + ((c & 0x3FF) << 10) + (hex4(p + 8) & 0x3FF);
        *used = 12;
    }
    return utf8_put(out, c);
}

str json_text(jval v, arena *a) {
    if (v.type != J_STRING || !v.esc) return v.type == J_STRING ? v.raw : STR_NONE;
    char *out = arena_alloc(a, v.raw.n + 1), *o = out; /* an escape is never shorter than what it means */
    for (const char *p = v.raw.p, *end = p + v.raw.n; p < end;) {
        const char *run = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((run ? run : end) - p), used;
        memcpy(o, p, n);
        o += n;
        p += n;
        if (p == end) break;
        char tmp[4];
        n = json_unescape(p, end, tmp, &used);
        memcpy(o, tmp, n);
        o += n;
        p += used;
    }
    *o = 0;
    return str_make(out, (size_t)(o - out));
}

bool json_key_eq_escaped(str key, str want) {
    if (want.n > key.n) return false;
    size_t at = 0, used;
    for (const char *p = key.p, *end = p + key.n; p < end; p += used) {
        char tmp[4];
        size_t n = json_unescape(p, end, tmp, &used);
        if (!n) {
            tmp[0] = *p;
            n = 1;
        }
        if (want.n - at < n || memcmp(want.p + at, tmp, n) != 0) return false;
        at += n;
    }
    return at == want.n;
}

/* ---- numbers ---- */

/* A number as digits * 10^exp, without the zeros before and behind the digits. */
struct decimal {
    bool minus, zero, exact; /* exact: all digits fit */
    uint64_t digits;
    int64_t exp;
};

/* Saturates far beyond what the digits of a 4 GB document can make up for. */
static int64_t exponent(const char *p, const char *end) {
    bool minus = p < end && *p == '-';
    int64_t v = 0;
    if (p < end && (*p == '-' || *p == '+')) p++;
    for (; p < end; p++)
        if (v < (int64_t)UINT32_MAX * 4) v = v * 10 + (*p - '0');
    return minus ? -v : v;
}

static void push(struct decimal *d, unsigned digit) {
    d->exact = d->exact && !__builtin_mul_overflow(d->digits, 10, &d->digits) &&
               !__builtin_add_overflow(d->digits, digit, &d->digits);
}

static struct decimal decimal_of(str s) {
    struct decimal d = {.zero = true, .exact = true};
    const char *p = s.p, *end = p + s.n;
    bool frac = false;
    int64_t zeros = 0; /* since the last digit that was not zero */
    if (p < end && *p == '-') {
        d.minus = true;
        p++;
    }
    for (; p < end && (*p | 32) != 'e'; p++) {
        if (*p == '.') {
            frac = true;
            continue;
        }
        d.exp -= frac;
        if (*p == '0') {
            zeros += !d.zero;
            continue;
        }
        for (; zeros; zeros--) push(&d, 0);
        push(&d, (unsigned)(*p - '0'));
        d.zero = false;
    }
    d.exp += zeros;
    if (p < end) d.exp += exponent(p + 1, end);
    return d;
}

/* What nearly all numbers are: digits and nothing else, few enough not to overflow. */
static bool plain_i64(str s, int64_t *out) {
    int64_t n = 0;
    if (!s.n || s.n > 18) return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9) return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

bool json_i64(jval v, int64_t *out) {
    if (v.type != J_NUMBER) return false;
    if (plain_i64(v.raw, out)) return true;
    struct decimal d = decimal_of(v.raw);
    if (d.zero) {
        *out = 0;
        return true;
    }
    if (!d.exact || d.exp < 0 || d.exp > 18) return false;
    for (; d.exp; d.exp--)
        if (__builtin_mul_overflow(d.digits, 10, &d.digits)) return false;
    if (d.digits > (uint64_t)INT64_MAX + d.minus) return false;
    *out = d.minus ? (int64_t)(0 - d.digits) : (int64_t)d.digits;
    return true;
}

bool json_f64(jval v, double *out) {
    if (v.type != J_NUMBER) return false;
    static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d = decimal_of(v.raw);
    if (d.zero || (d.exact && d.digits <= 1ull << 53 && d.exp >= -22 && d.exp <= 22)) {
        /* Both factors are exact doubles, so one rounding gives the nearest (Clinger 1990). */
        double x = (double)d.digits;
        if (!d.zero) x = d.exp < 0 ? x / ten[-d.exp] : x * ten[d.exp];
        *out = d.minus ? -x : x;
        return true;
    }
    char small[128], *z = v.raw.n < sizeof small ? small : xmalloc(v.raw.n + 1);
    memcpy(z, v.raw.p, v.raw.n);
    z[v.raw.n] = 0;
    *out = strtod(z, NULL);
    if (z != small) free(z);
    return isfinite(*out);
}
