/* str: a view of bytes that somebody else owns; never NUL-terminated by contract.
 *
 * Views are passed by value. Whoever keeps one beyond the lifetime of the bytes copies them
 * into an arena of the right lifetime (arena_str). The empty view may have p == NULL. */
#ifndef DRAY_BASE_STR_H
#define DRAY_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

/* A view of a string literal; use with "%.*s" through STR_ARG. */
#define STR(literal) ((str){"" literal, sizeof(literal) - 1})
/* The same as a constant initialiser for static tables. */
#define STR_INIT(literal)                                                                                         \
    { "" literal, sizeof(literal) - 1 }
#define STR_NONE ((str){NULL, 0})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline str str_make(const char *p, size_t n) { return (str){p, n}; }
static inline str str_from(const char *z) { return (str){z, z ? strlen(z) : 0}; }
static inline bool str_eq(str a, str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool str_eqz(str a, const char *z) { return str_eq(a, str_from(z)); }
static inline bool str_starts(str s, str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
static inline bool str_ends(str s, str suffix) {
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}
/* The bytes from offset `from` on (empty when past the end). */
static inline str str_skip(str s, size_t from) {
    return from >= s.n ? (str){s.p ? s.p + s.n : NULL, 0} : (str){s.p + from, s.n - from};
}
static inline str str_take(str s, size_t n) { return n < s.n ? (str){s.p, n} : s; }

/* ASCII case-insensitive comparison (header names, schemes, host names). */
bool str_ieq(str a, str b);
bool str_istarts(str s, str prefix);
/* Without leading and trailing spaces, tabs, CR and LF. */
str str_trim(str s);
/* Offset of the first `c`, or -1. */
ptrdiff_t str_chr(str s, char c);
/* Offset of the first occurrence of `needle`, or -1. */
ptrdiff_t str_find(str s, str needle);
/* Cuts the part before the next `sep` off `*rest` and returns it; false when *rest is used up.
 * "a,,b" gives "a", "", "b"; the empty string gives one empty part. Start with *rest = whole. */
bool str_cut(str *rest, char sep, str *part);
/* Order as memcmp, shorter first. */
int str_cmp(str a, str b);
/* Unsigned decimal of the whole view, without sign or space; false on anything else or overflow. */
bool str_u64(str s, uint64_t *out);
bool str_i64(str s, int64_t *out);
/* Whether all bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlongs). */
bool str_utf8(str s);
/* Number of code points, counting each byte of a malformed sequence as one. */
size_t str_utf8_len(str s);
/* Edit distance bounded by `max` (Levenshtein; max + 1 when larger), for "did you mean". */
unsigned str_distance(str a, str b, unsigned max);

#endif
