/* json_lex: what scanner, cursors and writer of JSON share: looking at 16 bytes at a time. Private to json*.c.
 *
 * SSE2 is the baseline of x86-64; elsewhere plain loops do the same. The inside of strings has a wider way on
 * processors that know AVX2 (json_avx2.c). */
#ifndef DRAY_BASE_JSON_LEX_H
#define DRAY_BASE_JSON_LEX_H

#include "base/str.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#define JSON_SSE2 1
#else
#define JSON_SSE2 0
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define JSON_AVX2 1
/* Over what is plain, short escapes and UTF-8 in an open string, p between two characters of it. Stops at the
 * closing quote, at what is rare or wrong (or up to 63 bytes before it), or within 64 bytes of the end. `*esc`
 * becomes true when an escape was passed. The three bytes before p are read. Only where json_has_avx2. */
const char *json_string_avx2(const char *p, const char *end, bool *esc);
/* The closing quote of the string whose text begins at p, or `end`; `*esc` becomes true when it has an escape. */
const char *json_string_end_avx2(const char *p, const char *end, bool *esc);
/* json_close. */
const char *json_close_avx2(const char *p, const char *end);
static inline bool json_has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
}
#else
#define JSON_AVX2 0
#endif

/* Of a block's backslashes, one bit per byte, those that begin an escape: of each run of them every second one,
 * from the first on. An addition tells runs that begin at an even place: its carry clears them. The block begins
 * outside of an escape. */
static inline uint64_t json_escapes(uint64_t back) {
    const uint64_t even = 0x5555555555555555u;
    uint64_t start = back & ~(back << 1), from_even = back & ~(back + (start & even));
    return (from_even & even) | (back & ~from_even & ~even);
}

static inline bool json_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

#if JSON_SSE2
/* One bit for each of the 16 bytes at p that a string can't simply have: quote, backslash, control, not ASCII.
 * Signed: bytes from 0x80 on are negative, so one comparison finds them and the controls. */
static inline uint64_t json_special16(const char *p) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(hit, _mm_cmplt_epi8(v, _mm_set1_epi8(' '))));
}

/* One bit for each of the 64 bytes at p of the same kind. */
static inline uint64_t json_special64(const char *p) {
    return json_special16(p) | json_special16(p + 16) << 16 | json_special16(p + 32) << 32 |
           json_special16(p + 48) << 48;
}

/* One bit for each of the 64 bytes at p that is greater than `than`, both signed: ASCII is above 0x80 to 0xFF. */
static inline uint64_t json_above64(const char *p, signed char than) {
    uint64_t mask = 0;
    for (int i = 3; i >= 0; i--) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        mask = mask << 16 | (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(v, _mm_set1_epi8(than)));
    }
    return mask;
}

static inline uint64_t json_high64(const char *p) { return ~json_above64(p, -1); }

static inline uint64_t json_equal64(const char *p, unsigned char c) {
    return json_above64(p, (signed char)(c - 1)) & ~json_above64(p, (signed char)c);
}

/* Whether lead bytes that limit their second byte (E0, ED, F0, F4) have a good one. */
static inline bool json_utf8_seconds(const char *p) {
    uint64_t a0 = json_above64(p, (signed char)0x9F), x90 = json_above64(p, (signed char)0x8F);
    uint64_t low = json_equal64(p, 0xE0) << 1 & ~a0, high = json_equal64(p, 0xED) << 1 & a0;
    low |= json_equal64(p, 0xF0) << 1 & ~x90;
    high |= json_equal64(p, 0xF4) << 1 & x90;
    return !(low | high);
}

/* Checks the 64 bytes at p, the start of a character, of which those of `high` are not ASCII. Returns how many
 * bytes are whole characters (61 to 64), 0 when it is not UTF-8. Every lead byte asks for so many continuation
 * bytes behind it: they must stand exactly where they are asked for. */
static inline size_t json_utf8_block(const char *p, uint64_t high) {
    uint64_t lead = json_above64(p, (signed char)0xBF) & high, two = json_above64(p, (signed char)0xC1) & high;
    uint64_t three = json_above64(p, (signed char)0xDF) & high, four = json_above64(p, (signed char)0xEF) & high;
    uint64_t asked = lead << 1 | three << 2 | four << 3;
    if (asked != (high & ~lead) || lead != two) return 0;
    if (four && json_above64(p, (signed char)0xF4) & four) return 0;
    uint64_t limited = four | json_equal64(p, 0xE0) | json_equal64(p, 0xED);
    if (limited && !json_utf8_seconds(p)) return 0;
    return lead >> 63 ? 63 : three >> 62 & 1 ? 62 : four >> 61 & 1 ? 61 : 64;
}
#endif

/* First byte from p on that a string can't simply have: quote, backslash, control, or not ASCII. */
static inline const char *json_plain_end(const char *p, const char *end) {
#if JSON_SSE2
    for (; end - p >= 16; p += 16) {
        uint64_t mask = json_special16(p);
        if (mask) return p + __builtin_ctzll(mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (signed char)*p >= ' ') p++;
    return p;
}

/* The same, looking at no more than 16 bytes. */
static inline const char *json_plain_end16(const char *p, const char *end) {
    return json_plain_end(p, end - p > 16 ? p + 16 : end);
}

/* Length of the UTF-8 sequence at p (Unicode 15, table 3-7); 0 malformed, -1 good so far but cut off by `end`. */
static inline int json_utf8(const char *text, const char *end) {
    const unsigned char *p = (const unsigned char *)text;
    unsigned c = p[0];
    if (c < 0x80) return 1;
    int n = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (!n) return 0;
    if (end - text < 2) return -1;
    unsigned lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < lo || p[1] > hi) return 0;
    if (n == 2) return 2;
    if (end - text < 3) return -1;
    if ((p[2] & 0xC0) != 0x80) return 0;
    if (n == 3) return 3;
    if (end - text < 4) return -1;
    return (p[3] & 0xC0) == 0x80 ? 4 : 0;
}

/* What may follow a backslash, \u apart. */
static inline bool json_short_escape(char c) {
    switch (c) {
    case 'n':
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'r':
    case 't': return true;
    default: return false;
    }
}

static inline int json_hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character at p of a good string, as UTF-8 in `out` when it is an escape: returns how many bytes, 0 when
 * it is not an escape; `*used` is the length of the source. */
size_t json_unescape(const char *p, const char *end, char out[4], size_t *used);

#endif
