/* tokens: the class-based estimate, 64 bytes at a time.
 *
 * A byte-pair tokenizer cuts text into words, numbers, runs of punctuation and of space before it
 * merges anything, so a run's class and length say most about how many tokens it becomes. Each
 * block of 64 bytes becomes one bit mask per class, and what its runs cost is counted in the masks.
 * The last capital before small letters belongs to the word it begins.
 * Characters beyond ASCII are priced by their lead byte, which tells the script.
 *
 * Prices are thousandths of a token. Text behind the first TOKENS_EXACT_BYTES is sampled in windows,
 * so that a megabyte costs microseconds; characters are always counted exactly. */
#include "chat/tokens.h"

#include "base/json_lex.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* Into functions for the baseline and for wider processors. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__)
static inline bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}
#endif

enum { BLOCK = 64, WINDOW = 1024 };

/* ---- prices, in thousandths of a token ---- */

/* Of a character beyond ASCII, by its lead byte, which tells the script. */
static uint32_t lead_price(unsigned char c) {
    if (c < 0xC2) return 0;
    if (c >= 0xF0) return 2 * 1690;                /* emoji and rare scripts */
    if (c >= 0xEA) return c <= 0xED ? 1000 : 1690; /* hangul */
    if (c >= 0xE4) return 680;                     /* CJK */
    if (c == 0xE3) return 500;                     /* kana */
    if (c >= 0xE0) return 1690;
    if (c >= 0xD0 && c <= 0xD4) return 500; /* Cyrillic */
    return c <= 0xCF ? 1600 : 1690;         /* Latin with marks, Greek; Hebrew, Arabic */
}

/* ---- one block as bit masks ---- */

struct masks {
    uint64_t lower, upper, digit, space, newline, high;
};

#if defined(__SSE2__)
static inline uint64_t in_range(__m128i x, char from, char width) {
    __m128i off = _mm_sub_epi8(x, _mm_set1_epi8(from));
    return (uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(off, _mm_set1_epi8(width)), off));
}
static inline uint64_t is_either(__m128i x, char a, char b) {
    __m128i m = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(a)), _mm_cmpeq_epi8(x, _mm_set1_epi8(b)));
    return (uint16_t)_mm_movemask_epi8(m);
}
static inline void classify(const unsigned char *p, struct masks *m) {
    *m = (struct masks){0};
    for (unsigned k = 0; k < BLOCK; k += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + k));
        m->lower |= in_range(x, 'a', 25) << k;
        m->upper |= in_range(x, 'A', 25) << k;
        m->digit |= in_range(x, '0', 9) << k;
        m->space |= is_either(x, ' ', '\t') << k;
        m->newline |= is_either(x, '\n', '\r') << k;
        m->high |= (uint64_t)(uint16_t)_mm_movemask_epi8(x) << k;
    }
}
#else
static inline void classify(const unsigned char *p, struct masks *m) {
    *m = (struct masks){0};
    for (unsigned k = 0; k < BLOCK; k++) {
        uint64_t bit = (uint64_t)1 << k;
        unsigned char c = p[k];
        m->lower |= c >= 'a' && c <= 'z' ? bit : 0;
        m->upper |= c >= 'A' && c <= 'Z' ? bit : 0;
        m->digit |= c >= '0' && c <= '9' ? bit : 0;
        m->space |= c == ' ' || c == '\t' ? bit : 0;
        m->newline |= c == '\n' || c == '\r' ? bit : 0;
        m->high |= c >= 0x80 ? bit : 0;
    }
}
#endif

/* ---- runs ----
 *
 * A run's price is a sum over its characters: each adds what the run costs more for having it. So no run is
 * walked: from the mask of characters that go on with their run (`cont`) follow, by shifts, the masks of those
 * that are second, third... in it, and their numbers are the price. Shifts reach back into the 64 bytes before. */

struct runs {
    uint64_t price;
    /* of the 64 bytes before the block, the newest in the highest bit */
    uint64_t lower, upper, digit, space, newline, punct; /* members of the class */
    uint64_t lower_cont, upper_cont, digit_mark;
};

/* Compilers make one instruction of this where the function it is inlined into may use it. */
static inline unsigned ones(uint64_t v) {
    v -= v >> 1 & 0x5555555555555555u;
    v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
    v = (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (unsigned)(v * 0x0101010101010101u >> 56);
}

/* The block's bits shifted by k, those of the bytes before following in. 0 < k < 64. */
static inline uint64_t after(uint64_t bits, uint64_t before, unsigned k) { return bits << k | before >> (64 - k); }
/* What `before` is to the next block, when this one has n bytes. */
static inline uint64_t history(uint64_t bits, uint64_t before, unsigned n) {
    return n == BLOCK ? bits : bits << (BLOCK - n) | before >> n;
}
static inline uint64_t continues(uint64_t m, uint64_t before) { return m & after(m, before, 1); }

/* Words: 1070 for up to 4 letters, 950 for up to 7, 1090 for up to 10, then 1820 and 80 for each beyond 10.
 * `x` and `h` are the letters that go on with their word, here and before. */
static ALWAYS_INLINE uint64_t words(uint64_t m, uint64_t x, uint64_t h) {
    uint64_t price = 1070u * ones(m & ~x);
    /* s[k]: k letters in a row that go on, so at least the (k + 1)th of its word; t: the same of the bytes before
     */
    uint64_t s2 = x & after(x, h, 1), t2 = h & h << 1;
    uint64_t s4 = s2 & after(s2, t2, 2), t4 = t2 & t2 << 2;
    if (!s4) return price;
    uint64_t s5 = s4 & after(x, h, 4);
    uint64_t s7 = s4 & after(s4, t4, 3), s8 = s4 & after(s4, t4, 4);
    price -= 120u * ones(s4 & ~s5);
    if (!s7) return price;
    uint64_t s10 = s8 & after(s2, t2, 8), s11 = s8 & after(s4, t4, 7);
    price += 140u * ones(s7 & ~s8);
    return s10 ? price + 730u * ones(s10 & ~s11) + 80u * ones(s10) : price;
}

/* Numbers: 1220 for each three digits begun. `marks` are the digits that begin a three. */
static ALWAYS_INLINE uint64_t digit_marks(uint64_t m, uint64_t before, uint64_t marks_before) {
    uint64_t x = continues(m, before), h = before & before << 1;
    uint64_t three = x & after(x, h, 1) & after(x, h, 2);
    uint64_t marks = m & ~x, more;
    while ((more = (marks | (three & after(marks, marks_before, 3)))) != marks) marks = more;
    return marks;
}

/* A block's first `n` bytes; `next` is the byte behind them, 0 at the end. */
static ALWAYS_INLINE void block(struct runs *r, const unsigned char *p, unsigned n, unsigned char next) {
    struct masks m;
    classify(p, &m);
    uint64_t valid = n == BLOCK ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
    uint64_t small_next = m.lower >> 1 | (uint64_t)(next >= 'a' && next <= 'z') << (n - 1);
    uint64_t begins = m.upper & small_next; /* capitals that begin a word, even behind small letters: fooBar */
    uint64_t lower = (m.lower | begins) & valid, upper = m.upper & ~begins & valid;
    uint64_t digit = m.digit & valid, space = m.space & valid, newline = m.newline & valid;
    uint64_t punct = ~(m.lower | m.upper | m.digit | m.space | m.newline | m.high) & valid;
    uint64_t cont = continues(lower, r->lower) & ~begins;
    uint64_t price = words(lower, cont, r->lower_cont);
    r->lower_cont = history(cont, r->lower_cont, n);
    uint64_t spaces = continues(space, r->space);
    price += 410u * ones(spaces & ~after(spaces, r->space & r->space << 1, 1));
    if (upper) {
        cont = continues(upper, r->upper);
        price += 1070u * ones(upper & ~cont) + 70u * ones(cont & ~after(cont, r->upper_cont, 1));
        r->upper_cont = history(cont, r->upper_cont, n);
    } else {
        r->upper_cont = history(0, r->upper_cont, n);
    }
    uint64_t marks = digit ? digit_marks(digit, r->digit, r->digit_mark) : 0;
    if (marks) price += 1220u * ones(marks);
    if (newline) price += 390u * ones(newline & ~continues(newline, r->newline));
    if (punct) {
        cont = continues(punct, r->punct);
        price += 820u * ones(punct & ~cont) + 140u * ones(cont);
    }
    for (uint64_t high = m.high & valid; high; high &= high - 1) price += lead_price(p[__builtin_ctzll(high)]);
    r->price += price;
    r->lower = history(lower, r->lower, n);
    r->upper = history(upper, r->upper, n);
    r->digit = history(digit, r->digit, n);
    r->digit_mark = history(marks, r->digit_mark, n);
    r->space = history(space, r->space, n);
    r->newline = history(newline, r->newline, n);
    r->punct = history(punct, r->punct, n);
}

static ALWAYS_INLINE void blocks(struct runs *r, const char *text, size_t n) {
    const unsigned char *p = (const unsigned char *)text;
    for (; n >= BLOCK; p += BLOCK, n -= BLOCK) block(r, p, BLOCK, n > BLOCK ? p[BLOCK] : 0);
    if (!n) return;
    unsigned char last[BLOCK] = {0};
    memcpy(last, p, n);
    block(r, last, (unsigned)n, 0);
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,bmi2,popcnt"))) static void blocks_avx2(struct runs *r, const char *text,
                                                                        size_t n) {
    blocks(r, text, n);
}
#endif

/* Price of plain text. */
static void runs_add(struct runs *r, const char *text, size_t n) {
#if defined(__x86_64__)
    if (has_avx2()) {
        blocks_avx2(r, text, n);
        return;
    }
#endif
    blocks(r, text, n);
}

/* ---- JSON escapes ---- */

/* Price of the inside of a JSON string: unescaped piece by piece. */
static void runs_add_escaped(struct runs *r, str s) {
    char piece[WINDOW];
    size_t n = 0;
    while (s.n) {
        const char *back = memchr(s.p, '\\', s.n);
        size_t plain = back ? (size_t)(back - s.p) : s.n;
        if (plain > sizeof piece - n) plain = sizeof piece - n;
        memcpy(piece + n, s.p, plain);
        n += plain;
        s = str_skip(s, plain);
        if (s.n && s.p[0] == '\\' && n + 4 <= sizeof piece) {
            size_t used;
            n += json_unescape(s.p, s.p + s.n, piece + n, &used);
            s = str_skip(s, used);
        }
        if (n + 4 > sizeof piece || !s.n) {
            runs_add(r, piece, n);
            n = 0;
        }
    }
}

/* ---- characters ---- */

/* Of the block's bytes: which begin a character, which are backslashes, which are a u. */
typedef void leads_fn(const char *p, uint64_t *lead, uint64_t *back, uint64_t *u);

static ALWAYS_INLINE void leads(const char *p, uint64_t *lead, uint64_t *back, uint64_t *u) {
    *lead = *back = *u = 0;
#if defined(__SSE2__)
    for (unsigned k = 0; k < BLOCK; k += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + k));
        *lead |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpgt_epi8(x, _mm_set1_epi8(-65))) << k;
        *back |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('\\'))) << k;
        *u |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('u'))) << k;
    }
#else
    for (unsigned k = 0; k < BLOCK; k++) {
        *u |= (uint64_t)(p[k] == 'u') << k;
        *lead |= (uint64_t)((p[k] & 0xC0) != 0x80) << k;
        *back |= (uint64_t)(p[k] == '\\') << k;
    }
#endif
}

/* Bytes that the \u escapes of `s` that begin at the bits of `begins` have beyond two each; a high surrogate's
 * with its low one are one character. */
static ALWAYS_INLINE uint64_t unicode_surplus(str s, size_t at, uint64_t begins) {
    uint64_t n = 0;
    for (; begins; begins &= begins - 1) {
        const char *p = s.p + at + (unsigned)__builtin_ctzll(begins);
        if (s.p + s.n - p < 6) continue;
        bool high =
            (p[2] | 0x20) == 'd' && ((p[3] | 0x20) == 'a' || (p[3] | 0x20) == 'b' || p[3] == '8' || p[3] == '9');
        n += high ? 5 : 4;
    }
    return n;
}

/* Code points of `s`; escapes count as one each, surrogate pairs together. */
static ALWAYS_INLINE uint64_t chars_with(str s, bool escaped, leads_fn *leads_of) {
    uint64_t n = 0, lead, back, u;
    size_t step;
    for (size_t i = 0; i < s.n; i += step) {
        char last[BLOCK] = {0};
        step = s.n - i < BLOCK ? s.n - i : BLOCK;
        if (step < BLOCK) memcpy(last, s.p + i, step);
        leads_of(step < BLOCK ? last : s.p + i, &lead, &back, &u);
        if (step < BLOCK) lead &= ((uint64_t)1 << step) - 1;
        if (escaped && back) {
            uint64_t begins = json_escapes(back);
            if (begins >> 63) { /* an escape that is cut off: the next block begins with it */
                step = BLOCK - 1;
                lead &= UINT64_MAX >> 1;
                begins &= UINT64_MAX >> 1;
            }
            n -= ones(begins) + unicode_surplus(s, i, begins & u >> 1);
        }
        n += ones(lead);
    }
    return n;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static inline uint64_t mask64(__m256i lo, __m256i hi) {
    return (uint32_t)_mm256_movemask_epi8(lo) | (uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32;
}

__attribute__((target("avx2"))) static inline void leads_avx2(const char *p, uint64_t *lead, uint64_t *back,
                                                              uint64_t *u) {
    __m256i lo = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i hi = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    __m256i cont = _mm256_set1_epi8(-65), slash = _mm256_set1_epi8('\\'), letter = _mm256_set1_epi8('u');
    *lead = mask64(_mm256_cmpgt_epi8(lo, cont), _mm256_cmpgt_epi8(hi, cont));
    *back = mask64(_mm256_cmpeq_epi8(lo, slash), _mm256_cmpeq_epi8(hi, slash));
    *u = mask64(_mm256_cmpeq_epi8(lo, letter), _mm256_cmpeq_epi8(hi, letter));
}

__attribute__((target("avx2,bmi,bmi2,popcnt"))) static uint64_t chars_avx2(str s, bool escaped) {
    return chars_with(s, escaped, leads_avx2);
}
#endif

static uint64_t count_chars(str s, bool escaped) {
#if defined(__x86_64__)
    if (has_avx2()) return chars_avx2(s, escaped);
#endif
    return chars_with(s, escaped, leads);
}

/* ---- the estimate ---- */

static uint64_t price_of(str s, bool escaped) {
    struct runs r = {0};
    if (escaped)
        runs_add_escaped(&r, s);
    else
        runs_add(&r, s.p, s.n);
    return r.price;
}

void tokens_add(struct token_estimate *t, str text, bool escaped) {
    t->chars += count_chars(text, escaped);
    str close = str_take(text, TOKENS_EXACT_BYTES - t->looked), rest = str_skip(text, close.n);
    if (close.n) t->millitokens += price_of(close, escaped);
    t->looked += (uint32_t)close.n;
    t->rest += rest.n;
    while (rest.n > t->skip) {
        str window = str_take(str_skip(rest, t->skip), WINDOW);
        t->seen_millitokens += price_of(window, escaped);
        t->seen += window.n;
        rest = str_skip(rest, t->skip);
        t->skip = WINDOW * TOKENS_SAMPLE;
    }
    t->skip -= (uint32_t)rest.n;
}

static uint32_t saturate(uint64_t v) { return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v; }

uint32_t tokens_estimate(const struct token_estimate *t) {
    uint64_t milli = t->millitokens;
    if (t->seen) milli += (uint64_t)((double)t->seen_millitokens * (double)t->rest / (double)t->seen);
    return saturate(t->tokens + (milli + 500) / 1000);
}

uint32_t tokens_chars(const struct token_estimate *t) { return saturate(t->chars); }
