/* json_avx2: the inside of strings, 64 bytes at a time, on processors with AVX2 (all of x86-64 since about 2015).
 *
 * A body is mostly text, and text has an escape or a letter beyond ASCII every few dozen bytes: a scan that
 * branches at each of them spends its time on mispredicted branches. Here a block is turned into bit masks (one
 * bit per byte), and what is wrong with it, if anything, comes out of arithmetic on these. Every block starts
 * between two characters and outside of an escape; it is left at the last such place, so nothing is carried over.
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

/* Bytes above `than`, both signed. */
static AVX2 inline uint64_t above(struct block b, unsigned char than) {
    __m256i v = _mm256_set1_epi8((char)than);
    return bits(_mm256_cmpgt_epi8(b.lo, v), _mm256_cmpgt_epi8(b.hi, v));
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

/* Whether lead bytes that limit their second byte (E0, ED, F0, F4) have a good one. */
static AVX2 __attribute__((noinline)) bool seconds_good(struct block b, uint64_t before) {
    uint64_t a0 = above(b, 0x9F), x90 = above(b, 0x8F);
    uint64_t wrong = equal(b, 0xE0) << 1 & ~a0;
    wrong |= equal(b, 0xED) << 1 & a0;
    wrong |= equal(b, 0xF0) << 1 & ~x90;
    wrong |= equal(b, 0xF4) << 1 & x90;
    return !(wrong & before);
}

/* Whether what stands `before` the place where the block is left is UTF-8 (Unicode 15, table 3-7): every lead byte
 * asks for continuation bytes behind it, and they must stand exactly where they are asked for. `*whole` becomes
 * where the last whole character ends. */
static AVX2 inline bool utf8_good(struct block b, uint64_t high, uint64_t before, int *whole) {
    uint64_t lead = above(b, 0xBF) & high, two = above(b, 0xC1) & high;
    uint64_t three = above(b, 0xDF) & high, four = above(b, 0xEF) & high;
    uint64_t asked = lead << 1 | three << 2 | four << 3;
    uint64_t wrong = (asked ^ (high & ~lead)) | (lead ^ two) | (above(b, 0xF4) & four);
    if (wrong & before) return false;
    uint64_t limited = four | equal(b, 0xE0) | equal(b, 0xED);
    if (limited & before && !seconds_good(b, before)) return false;
    *whole = lead >> 63 ? 63 : three >> 62 & 1 ? 62 : four >> 61 & 1 ? 61 : 64;
    return true;
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
    for (int n; end - p >= 64; p += n) {
        struct block b = load(p);
        uint64_t stop = bits(special(b.lo), special(b.hi));
        n = 64;
        if (!stop) continue;
        uint64_t high = bits(b.lo, b.hi), back = equal(b, '\\'), escaped = 0, rare = 0;
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
        uint64_t upto = stop ^ (stop - 1); /* the stop included: it is not a part of what stands before */
        if (stop) n = __builtin_ctzll(stop);
        if (high & upto) {
            int whole;
            if (!utf8_good(b, high, upto, &whole)) return p;
            if (!stop && whole < n) n = whole;
        }
        *esc |= (back & (upto >> 1)) != 0;
        if (stop) return p + n;
    }
    return p;
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
