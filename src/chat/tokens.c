/* tokens: the class-based estimate, 64 bytes at a time.
 *
 * A byte-pair tokenizer cuts text into words, numbers, runs of punctuation and of space before it
 * merges anything, so a run's class and length say most about how many tokens it becomes. Each
 * block of 64 bytes becomes one bit mask per class; where neighbouring classes differ a run ends and
 * its price is a table look-up. The last capital before small letters belongs to the word it begins.
 * Characters beyond ASCII are priced by their lead byte, which tells the script.
 *
 * Prices are thousandths of a token. Text behind the first TOKENS_EXACT_BYTES is sampled in windows,
 * so that a megabyte costs microseconds; characters are always counted exactly. */
#include "chat/tokens.h"

#include "base/json_lex.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum char_class { C_OTHER, C_LOWER, C_UPPER, C_DIGIT, C_SPACE, C_NEWLINE, C_PUNCT, C_HIGH, C_COUNT };
enum { BLOCK = 64, SHORT = 16, WINDOW = 1024 };

/* ---- prices of a run of n, and of a character by its lead byte ---- */

#define WORD(n) ((n) <= 4 ? 1070u : (n) <= 7 ? 950u : (n) <= 10 ? 1090u : 1820u + ((n)-10) * 80u)
#define CAPITALS(n) ((n) == 1 ? 1070u : 1140u)
#define DIGITS(n) (((n) + 2) / 3 * 1220u)
#define SPACES(n) ((n) == 1 ? 0u : 410u)
#define NEWLINES(n) (390u)
#define PUNCT(n) (820u + ((n)-1) * 140u)
#define FREE(n) (0u)

#define ROW(F)                                                                                                    \
    { 0, F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15) }
static const uint16_t run_short[C_COUNT][SHORT] = {ROW(FREE),   ROW(WORD),     ROW(CAPITALS), ROW(DIGITS),
                                                   ROW(SPACES), ROW(NEWLINES), ROW(PUNCT),    ROW(FREE)};

static uint64_t run_long(unsigned cls, uint64_t n) {
    switch (cls) {
    case C_LOWER: return WORD(n);
    case C_DIGIT: return DIGITS(n);
    case C_PUNCT: return PUNCT(n);
    default: return run_short[cls][SHORT - 1]; /* the same for every length */
    }
}

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

/* ---- runs ---- */

struct runs {
    uint64_t price;
    uint64_t length; /* of the run that is open */
    unsigned cls;
};

static inline uint64_t run_price(unsigned cls, uint64_t n) {
    return n < SHORT ? run_short[cls][n] : run_long(cls, n);
}

/* The class of each byte, as three planes of bits: class = plane[0] + 2 plane[1] + 4 plane[2]. */
struct planes {
    uint64_t bit[3];
};

static inline struct planes planes_of(const struct masks *m, uint64_t lower, uint64_t upper) {
    uint64_t punct = ~(lower | upper | m->digit | m->space | m->newline | m->high);
    return (struct planes){{lower | m->digit | m->newline | m->high, upper | m->digit | punct | m->high,
                            m->space | m->newline | punct | m->high}};
}

static inline unsigned class_at(const struct planes *c, unsigned at) {
    return (unsigned)((c->bit[0] >> at & 1) | (c->bit[1] >> at & 1) << 1 | (c->bit[2] >> at & 1) << 2);
}

/* Bits where the class differs from that of the byte before; `before` is the class before the block. */
static inline uint64_t changes(const struct planes *c, unsigned before) {
    uint64_t d = 0;
    for (unsigned i = 0; i < 3; i++) d |= c->bit[i] ^ (c->bit[i] << 1 | (before >> i & 1));
    return d;
}

/* A block's first `n` bytes; `next` is the byte behind them, 0 at the end. */
static void block(struct runs *r, const unsigned char *p, unsigned n, unsigned char next) {
    struct masks m;
    classify(p, &m);
    uint64_t valid = n == BLOCK ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
    uint64_t small_next = m.lower >> 1 | (uint64_t)(next >= 'a' && next <= 'z') << (n - 1);
    uint64_t begins = m.upper & small_next; /* capitals that begin a word, even behind small letters: fooBar */
    struct planes c = planes_of(&m, m.lower | begins, m.upper & ~begins);
    uint64_t cuts = (changes(&c, r->cls) | begins) & valid;
    unsigned from = 0, cls = r->cls;
    uint64_t price = 0, open = r->length;
    for (; cuts; cuts &= cuts - 1) {
        unsigned at = (unsigned)__builtin_ctzll(cuts);
        price += run_price(cls, open + at - from);
        open = 0;
        cls = class_at(&c, at);
        from = at;
    }
    r->length = open + n - from;
    r->cls = cls;
    r->price += price;
    for (uint64_t high = m.high & valid; high; high &= high - 1) r->price += lead_price(p[__builtin_ctzll(high)]);
}

/* Price of plain text. */
static void runs_add(struct runs *r, const char *text, size_t n) {
    const unsigned char *p = (const unsigned char *)text;
    for (; n >= BLOCK; p += BLOCK, n -= BLOCK) block(r, p, BLOCK, n > BLOCK ? p[BLOCK] : 0);
    if (!n) return;
    unsigned char last[BLOCK] = {0};
    memcpy(last, p, n);
    block(r, last, (unsigned)n, 0);
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

#if defined(__SSE2__)
/* Bytes of 16 that begin a character, and where backslashes are. */
static inline unsigned lead16(const char *p, unsigned *back) {
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    *back = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
    __m128i lead = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8(-65)), _mm_set1_epi8(1));
    __m128i sum = _mm_sad_epu8(lead, _mm_setzero_si128());
    return (unsigned)(_mm_cvtsi128_si32(sum) + _mm_extract_epi16(sum, 4));
}
#else
static inline unsigned lead16(const char *p, unsigned *back) {
    unsigned n = 0;
    *back = 0;
    for (unsigned i = 0; i < 16; i++) {
        n += (p[i] & 0xC0) != 0x80;
        *back |= p[i] == '\\' ? 1u << i : 0;
    }
    return n;
}
#endif

/* Code points of `s`; escapes count as one each, surrogate pairs together. */
static uint64_t count_chars(str s, bool escaped) {
    uint64_t n = 0;
    size_t i = 0, behind = 0; /* `behind`: where the last escape ended */
    while (i < s.n) {
        char last[16] = {0};
        size_t step = s.n - i < 16 ? s.n - i : 16;
        if (step < 16) memcpy(last, s.p + i, step);
        unsigned back;
        n += lead16(step < 16 ? last : s.p + i, &back) - (16 - step); /* padding counts as leads */
        for (; escaped && back; back &= back - 1) {
            size_t at = i + (unsigned)__builtin_ctz(back), len;
            char what[4];
            if (at < behind) continue;
            json_unescape(s.p + at, s.p + s.n, what, &len);
            n -= len - 1; /* all of an escape's bytes are ASCII: each was counted or will be */
            behind = at + len;
        }
        i += step;
    }
    return n;
}

/* ---- the estimate ---- */

static uint64_t price_of(str s, bool escaped) {
    struct runs r = {0};
    if (escaped)
        runs_add_escaped(&r, s);
    else
        runs_add(&r, s.p, s.n);
    return r.price + run_price(r.cls, r.length);
}

void tokens_add(struct token_estimate *t, str text, bool escaped) {
    t->chars += count_chars(text, escaped);
    size_t left = t->looked < TOKENS_EXACT_BYTES ? TOKENS_EXACT_BYTES - t->looked : 0;
    if (text.n <= left || text.n <= WINDOW) {
        t->millitokens += price_of(text, escaped);
        t->looked += (uint32_t)text.n;
        return;
    }
    str head = str_take(text, left > WINDOW ? left : WINDOW), rest = str_skip(text, head.n);
    t->millitokens += price_of(head, escaped);
    t->looked = TOKENS_EXACT_BYTES;
    uint64_t seen = 0, price = 0;
    for (size_t at = 0; at < rest.n; at += (size_t)WINDOW * TOKENS_SAMPLE) {
        str window = str_take(str_skip(rest, at), WINDOW);
        price += price_of(window, escaped);
        seen += window.n;
    }
    if (seen) t->millitokens += (uint64_t)((double)price * (double)rest.n / (double)seen);
}

static uint32_t saturate(uint64_t v) { return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v; }

uint32_t tokens_estimate(const struct token_estimate *t) {
    return saturate(t->tokens + (t->millitokens + 500) / 1000);
}

uint32_t tokens_chars(const struct token_estimate *t) { return saturate(t->chars); }
