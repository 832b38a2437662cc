/* str: byte-view helpers. ASCII rules only: locale never matters on the wire. */
#include "base/str.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static unsigned char lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 32) : c; }

bool str_ieq(str a, str b) { return a.n == b.n && str_istarts(a, b); }

bool str_istarts(str s, str prefix) {
    if (s.n < prefix.n) return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (lower((unsigned char)s.p[i]) != lower((unsigned char)prefix.p[i])) return false;
    return true;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

str str_trim(str s) {
    while (s.n && is_space(s.p[0])) s = (str){s.p + 1, s.n - 1};
    while (s.n && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

ptrdiff_t str_chr(str s, char c) {
    const char *q = s.n ? memchr(s.p, c, s.n) : NULL;
    return q ? q - s.p : -1;
}

#if defined(__x86_64__)
/* Where the first and the last byte of the needle stand at its distance. */
__attribute__((target("avx2"))) static inline __m256i ends_at(const char *p, str needle, __m256i first,
                                                              __m256i last) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + needle.n - 1));
    return _mm256_and_si256(_mm256_cmpeq_epi8(a, first), _mm256_cmpeq_epi8(b, last));
}

/* Looks for such places, 64 at a time, and compares there. Advances `*at` to where fewer are left; returns whether
 * it was found there. */
__attribute__((target("avx2"))) static bool find_avx2(str s, str needle, size_t *at) {
    const __m256i first = _mm256_set1_epi8(needle.p[0]), last = _mm256_set1_epi8(needle.p[needle.n - 1]);
    for (; s.n - *at >= needle.n + 63; *at += 64) {
        const char *p = s.p + *at;
        __m256i lo = ends_at(p, needle, first, last), hi = ends_at(p + 32, needle, first, last);
        __m256i any = _mm256_or_si256(lo, hi);
        if (_mm256_testz_si256(any, any)) continue;
        uint64_t mask = (uint32_t)_mm256_movemask_epi8(lo) | (uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32;
        for (; mask; mask &= mask - 1) {
            size_t i = (size_t)__builtin_ctzll(mask);
            if (memcmp(p + i, needle.p, needle.n)) continue;
            *at += i;
            return true;
        }
    }
    return false;
}
#endif

ptrdiff_t str_find(str s, str needle) {
    size_t at = 0;
    if (!needle.n) return 0;
    if (s.n < needle.n) return -1;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && find_avx2(s, needle, &at)) return (ptrdiff_t)at;
#endif
    const char *q = memmem(s.p + at, s.n - at, needle.p, needle.n);
    return q ? q - s.p : -1;
}

bool str_cut(str *rest, char sep, str *part) {
    if (!rest->p) return false;
    ptrdiff_t at = str_chr(*rest, sep);
    if (at < 0) {
        *part = *rest;
        *rest = STR_NONE;
        return true;
    }
    *part = str_take(*rest, (size_t)at);
    *rest = (str){rest->p + at + 1, rest->n - (size_t)at - 1};
    return true;
}

int str_cmp(str a, str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool str_u64(str s, uint64_t *out) {
    uint64_t v = 0;
    if (!s.n) return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9 || v > (UINT64_MAX - d) / 10) return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

bool str_i64(str s, int64_t *out) {
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;
    if (!str_u64(minus ? str_skip(s, 1) : s, &v) || v > (uint64_t)INT64_MAX) return false;
    *out = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

/* Length of the well-formed sequence at p, 0 when malformed (Unicode 15, table 3-7). */
static size_t utf8_seq(const unsigned char *p, size_t left) {
    unsigned c = p[0];
    if (c < 0x80) return 1;
    size_t n = c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    if (!n || n > left) return 0;
    unsigned lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < lo || p[1] > hi) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return n;
}

bool str_utf8(str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n;) {
        uint64_t w;
        if (s.n - i >= 8 && (memcpy(&w, p + i, 8), !(w & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        size_t n = utf8_seq(p + i, s.n - i);
        if (!n) return false;
        i += n;
    }
    return true;
}

size_t str_utf8_len(str s) {
    size_t count = 0;
    for (size_t i = 0; i < s.n; count++) {
        size_t n = utf8_seq((const unsigned char *)s.p + i, s.n - i);
        i += n ? n : 1;
    }
    return count;
}

enum { DISTANCE_MAX = 64 };

unsigned str_distance(str a, str b, unsigned max) {
    unsigned row[DISTANCE_MAX + 1];
    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX) return max + 1;
    for (size_t j = 0; j <= b.n; j++) row[j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned diag = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned up = row[j], best = diag + (a.p[i - 1] != b.p[j - 1]);
            if (up + 1 < best) best = up + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diag = up;
            row[j] = best;
        }
    }
    return row[b.n] > max ? max + 1 : row[b.n];
}
