/* json_avx2: the inside of strings, 64 bytes at a time, on processors with AVX2 (all of x86-64 since about 2015).
 *
 * A body is mostly text, and text has an escape or a letter beyond ASCII every few dozen bytes: a scan that
 * branches at each of them spends its time on mispredicted branches. Here a block is turned into bit masks (one
 * bit per byte), and what is wrong with it, if anything, comes out of arithmetic on these. Every block starts
 * outside of an escape, and sees the three bytes before it, in which a character may have begun.
 */
#include "base/json_lex.h"

#if JSON_AVX2
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,popcnt")))

struct block {
    __m256i lo, hi;
};

static AVX2 inline uint64_t bits(__m256i lo, __m256i hi) {
    return (uint32_t)_mm256_movemask_epi8(lo) | (uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32;
}

static AVX2 inline uint64_t equal(struct block b, unsigned char c) {
    __m256i v = _mm256_set1_epi8((char)c);
    return bits(_mm256_cmpeq_epi8(b.lo, v), _mm256_cmpeq_epi8(b.hi, v));
}

static AVX2 inline __m256i special(__m256i v) {
    __m256i hit =
        _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
    return _mm256_or_si256(hit, _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v));
}

/* Non-zero where a byte is one of `"\/bfnrt`: each of its halves names a set of candidates, and one is in both. */
static AVX2 inline __m256i short_escape(__m256i v) {
    enum { TWO = 1, FIVE = 2, SIX = 4, SEVEN = 8 }; /* the upper half */
    const __m256i low = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 0, TWO | SIX | SEVEN, 0, SEVEN, 0, SIX, 0, 0, 0, 0, 0, FIVE, 0, SIX, TWO));
    const __m256i high =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, TWO, 0, 0, FIVE, SIX, SEVEN, 0, 0, 0, 0, 0, 0, 0, 0));
    __m256i upper = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0F));
    return _mm256_and_si256(_mm256_shuffle_epi8(low, v), _mm256_shuffle_epi8(high, upper));
}

/* Non-zero where the 32 bytes at p, seen with the three before them, are not UTF-8: three look-ups name what each
 * half of a byte and its neighbour could be wrong with, and one that is in all of them is. (Keiser and Lemire,
 * "Validating UTF-8 in less than one instruction per byte", 2020.) A character cut off at the end shows in the
 * next. */
static AVX2 inline __m256i utf8_wrong(__m256i v, const char *p) {
    enum {
        SHORT = 1 << 0, /* a lead byte without its continuation */
        LONG = 1 << 1,  /* a continuation without its lead byte */
        OVER3 = 1 << 2, /* three bytes where two would do */
        LARGE = 1 << 3, /* above U+10FFFF: F4 90, F5... */
        SURROGATE = 1 << 4,
        OVER2 = 1 << 5,
        OVER4 = 1 << 6, /* also F5 80 and the like */
        TWO = 1 << 7,   /* two continuations: right behind a lead byte that asks for them */
        CARRY = SHORT | LONG | TWO,
        BEYOND = CARRY | LARGE | OVER4
    };
#define ROW(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))
#define C(x) (char)(x)
    const __m256i first_high = ROW(LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, C(TWO), C(TWO), C(TWO), C(TWO),
                                   SHORT | OVER2, SHORT, SHORT | OVER3 | SURROGATE, SHORT | LARGE | OVER4);
    const __m256i first_low = ROW(C(CARRY | OVER3 | OVER2 | OVER4), C(CARRY | OVER2), C(CARRY), C(CARRY),
                                  C(CARRY | LARGE), C(BEYOND), C(BEYOND), C(BEYOND), C(BEYOND), C(BEYOND),
                                  C(BEYOND), C(BEYOND), C(BEYOND), C(BEYOND | SURROGATE), C(BEYOND), C(BEYOND));
    const __m256i second =
        ROW(SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, C(LONG | OVER2 | TWO | OVER3 | OVER4),
            C(LONG | OVER2 | TWO | OVER3 | LARGE), C(LONG | OVER2 | TWO | SURROGATE | LARGE),
            C(LONG | OVER2 | TWO | SURROGATE | LARGE), SHORT, SHORT, SHORT, SHORT);
#undef ROW
#undef C
    const __m256i half = _mm256_set1_epi8(0x0F);
    __m256i one = _mm256_loadu_si256((const __m256i *)(const void *)(p - 1));
    __m256i two = _mm256_loadu_si256((const __m256i *)(const void *)(p - 2));
    __m256i three = _mm256_loadu_si256((const __m256i *)(const void *)(p - 3));
    __m256i named =
        _mm256_and_si256(_mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(one, 4), half)),
                         _mm256_shuffle_epi8(first_low, _mm256_and_si256(one, half)));
    named = _mm256_and_si256(named, _mm256_shuffle_epi8(second, _mm256_and_si256(_mm256_srli_epi16(v, 4), half)));
    __m256i asked = _mm256_or_si256(_mm256_subs_epu8(two, _mm256_set1_epi8(0xE0 - 0x80)),
                                    _mm256_subs_epu8(three, _mm256_set1_epi8(0xF0 - 0x80)));
    return _mm256_xor_si256(_mm256_and_si256(asked, _mm256_set1_epi8((char)TWO)), named);
}

static AVX2 inline bool utf8_good(struct block b, const char *p) {
    __m256i wrong = _mm256_or_si256(utf8_wrong(b.lo, p), utf8_wrong(b.hi, p + 32));
    return _mm256_testz_si256(wrong, wrong);
}

/* Where the character begins that is cut off at p, else p; what stands before is UTF-8. */
static inline const char *whole(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return u[-1] >= 0xC0 ? p - 1 : u[-2] >= 0xE0 ? p - 2 : u[-3] >= 0xF0 ? p - 3 : p;
}

static AVX2 inline struct block load(const char *p) {
    return (struct block){_mm256_loadu_si256((const __m256i *)(const void *)p),
                          _mm256_loadu_si256((const __m256i *)(const void *)(p + 32))};
}

/* The block at p, of which `n` bytes count: near the end of the text the others are NULs. */
static AVX2 inline struct block load_some(const char *p, const char *end, int *n) {
    *n = 64;
    if (end - p >= 64) return load(p);
    char last[64] = {0};
    *n = (int)(end - p);
    memcpy(last, p, (size_t)*n);
    return load(last);
}

AVX2 const char *json_string_avx2(const char *p, const char *end, bool *esc) {
    uint64_t tail = 0; /* bytes beyond ASCII at the end of the block before */
    for (int n; end - p >= 64; p += n) {
        struct block b = load(p);
        uint64_t stop = bits(special(b.lo), special(b.hi));
        n = 64;
        if (!(stop | tail)) continue;
        uint64_t high = bits(b.lo, b.hi), back = equal(b, '\\'), escaped = 0, rare = 0;
        if (high | tail && !utf8_good(b, p)) break;
        if (back) {
            const __m256i none = _mm256_setzero_si256();
            uint64_t other =
                bits(_mm256_cmpeq_epi8(short_escape(b.lo), none), _mm256_cmpeq_epi8(short_escape(b.hi), none));
            uint64_t begins = json_escapes(back);
            escaped = begins << 1;
            rare = (escaped & other) >> 1; /* the backslash of \u, or of what is no escape */
            n -= (int)(begins >> 63);      /* an escape that is cut off */
        }
        stop = (stop & ~high & ~back & ~escaped) | rare;
        uint64_t before = (stop & -stop) - 1;
        *esc |= (back & before) != 0;
        if (stop) return p + __builtin_ctzll(stop);
        tail = high >> 60;
    }
    return whole(p);
}

AVX2 const char *json_string_end_avx2(const char *p, const char *end, bool *esc) {
    for (int n; p < end; p += n) {
        struct block b = load_some(p, end, &n);
        uint64_t quote = equal(b, '"'), begins = json_escapes(equal(b, '\\'));
        quote &= ~(begins << 1);
        *esc |= (begins & (quote ? (quote & -quote) - 1 : UINT64_MAX)) != 0;
        if (quote) return p + __builtin_ctzll(quote);
        if (n == 64) n -= (int)(begins >> 63); /* an escape that is cut off: the next block begins with it */
    }
    return end;
}

/* Bit i: an odd number of bits is set up to it. */
static inline uint64_t parity(uint64_t v) {
    v ^= v << 1;
    v ^= v << 2;
    v ^= v << 4;
    v ^= v << 8;
    v ^= v << 16;
    return v ^ v << 32;
}

AVX2 const char *json_close_avx2(const char *p, const char *end) {
    uint64_t in = 0;  /* all ones: the block begins in a string */
    bool cut = false; /* ... in an escape: its first byte is escaped */
    size_t depth = 1;
    for (int n; p < end; p += n) {
        struct block b = load_some(p, end, &n);
        uint64_t begins = json_escapes(equal(b, '\\') & ~(uint64_t)cut);
        uint64_t quote = equal(b, '"') & ~(begins << 1 | cut);
        cut = begins >> 63;
        if (in && !quote) continue;
        uint64_t inside = parity(quote) ^ in;
        in = (uint64_t)((int64_t)inside >> 63);
        const __m256i bit = _mm256_set1_epi8(0x20); /* [ becomes {, ] becomes } */
        b = (struct block){_mm256_or_si256(b.lo, bit), _mm256_or_si256(b.hi, bit)};
        uint64_t open = equal(b, '{') & ~inside, close = equal(b, '}') & ~inside;
        size_t closed = (size_t)__builtin_popcountll(close);
        if (closed < depth) {
            depth += (size_t)__builtin_popcountll(open) - closed;
            continue;
        }
        for (uint64_t any = open | close; any; any &= any - 1) {
            if (any & -any & open)
                depth++;
            else if (--depth == 0)
                return p + __builtin_ctzll(any) + 1;
        }
    }
    return NULL;
}
#endif
