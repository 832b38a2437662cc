/* text: bounded reading and tokenising.
 *
 * First the wanted bytes are gathered, unescaped, into one small buffer on the stack: the head of the
 * turn, a line break, and the tail when not everything fits. Then one pass over it makes tokens and
 * counts. Words are runs of letters (any script that writes spaces; apostrophes inside are dropped),
 * lower-cased and stripped of accents by a table for Latin, by offset for Greek and Cyrillic; Chinese and
 * Japanese characters are tokens of their own. Typographic punctuation counts as its ASCII relative.
 * Broken UTF-8 and broken escapes are skipped bytewise: hostile text costs time, bounded, nothing else. */
#include "brain/text.h"

#include "base/hash.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SLACK = 16, BUFFER = TEXT_USER_MAX + 2 * SLACK, SHORT_MARGIN = 24, LONG_WORD = 8 };

/* ---- gathering ---- */

struct gather {
    char *p;
    size_t n, max;
};

static unsigned hex4(const char *p) {
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 0;
        v = v << 4 | d;
    }
    return v;
}

static void put_utf8(struct gather *g, unsigned u) {
    char *p = g->p + g->n;
    if (u < 0x80) {
        p[0] = (char)u, g->n += 1;
    } else if (u < 0x800) {
        p[0] = (char)(0xc0 | u >> 6), p[1] = (char)(0x80 | (u & 63)), g->n += 2;
    } else if (u < 0x10000) {
        p[0] = (char)(0xe0 | u >> 12), p[1] = (char)(0x80 | (u >> 6 & 63)), p[2] = (char)(0x80 | (u & 63)),
        g->n += 3;
    } else {
        p[0] = (char)(0xf0 | u >> 18), p[1] = (char)(0x80 | (u >> 12 & 63));
        p[2] = (char)(0x80 | (u >> 6 & 63)), p[3] = (char)(0x80 | (u & 63)), g->n += 4;
    }
}

/* One escape at raw[i] (a backslash); returns the bytes it takes. */
static size_t unescape(struct gather *g, str raw, size_t i) {
    static const char from[] = "nrtbf", to[] = "\n\r\t  ";
    if (i + 1 >= raw.n) return 1;
    char c = raw.p[i + 1];
    if (c == 'u') {
        if (i + 6 > raw.n) return raw.n - i;
        unsigned u = hex4(raw.p + i + 2);
        size_t used = 6;
        if (u >= 0xd800 && u < 0xdc00 && i + 12 <= raw.n && raw.p[i + 6] == '\\') {
            u = 0x10000 + ((u & 0x3ff) << 10) + (hex4(raw.p + i + 8) & 0x3ff);
            used = 12;
        }
        put_utf8(g, u);
        return used;
    }
    const char *hit = c ? strchr(from, c) : NULL;
    g->p[g->n++] = hit ? to[hit - from] : c;
    return 2;
}

static void put(struct gather *g, str raw, bool esc) {
    size_t room = g->max > g->n + 8 ? g->max - g->n - 8 : 0; /* an escape writes up to 4 bytes */
    if (!esc) {
        size_t n = raw.n < room ? raw.n : room;
        if (n) memcpy(g->p + g->n, raw.p, n);
        g->n += n;
        return;
    }
    size_t i = 0, stop = g->n + room;
    while (i < raw.n && g->n < stop) {
        const char *slash = memchr(raw.p + i, '\\', raw.n - i);
        size_t run = slash ? (size_t)(slash - raw.p) - i : raw.n - i;
        if (run > stop - g->n) run = stop - g->n;
        memcpy(g->p + g->n, raw.p + i, run);
        g->n += run;
        i += run;
        if (slash && i == (size_t)(slash - raw.p) && g->n < stop) i += unescape(g, raw, i);
    }
}

/* The last `n` bytes of a part, from a place that starts neither inside a character nor an escape. */
static str tail_of(str raw, size_t n) {
    if (raw.n <= n) return raw;
    size_t at = raw.n - n, limit = at + SHORT_MARGIN < raw.n ? at + SHORT_MARGIN : raw.n;
    while (at < limit && raw.p[at] != ' ' && raw.p[at] != '\\') at++;
    if (at < limit && raw.p[at] == '\\' && at && raw.p[at - 1] == '\\') at++;
    while (at < raw.n && ((unsigned char)raw.p[at] & 0xc0) == 0x80) at++;
    return str_skip(raw, at);
}

/* Parts into `g`: everything when it fits, else a head, a line break, and the tail of the end. Returns the
 * place where the tail begins, g->n when there is none. */
static size_t gather_parts(const struct prompt_part *part, unsigned count, size_t head, size_t tail,
                           struct gather *g, uint32_t *total) {
    size_t bytes = 0, left;
    for (unsigned i = 0; i < count; i++) bytes += part[i].raw.n;
    *total = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    bool whole = bytes + count <= head + tail;
    g->max = (whole ? head + tail : head) + 8;
    for (unsigned i = 0; i < count && g->n + 9 < g->max; i++) {
        if (i) g->p[g->n++] = '\n';
        put(g, part[i].raw, part[i].esc);
    }
    if (whole) return g->n;
    unsigned first = count;
    for (left = tail; first > 0 && left > 0; left -= part[first].raw.n < left ? part[first].raw.n : left) first--;
    g->p[g->n++] = '\n';
    size_t at = g->n;
    g->max = at + tail + 8;
    for (unsigned i = first; i < count; i++) {
        if (i > first && g->n + 9 < g->max) g->p[g->n++] = '\n';
        size_t behind = 0;
        for (unsigned k = i + 1; k < count; k++) behind += part[k].raw.n;
        put(g, tail_of(part[i].raw, tail > behind ? tail - behind : 0), part[i].esc);
    }
    return at;
}

/* ---- tokenising ---- */

/* U+00C0..U+017F without accents; '.' keeps the character. */
static const char base[] =
    "aaaaaaaceeeeiiiidnooooo.ouuuuytsaaaaaaaceeeeiiiidnooooo.ouuuuytyaaaaaaccccccccddddeeeeeeeeeegggg"
    "gggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
_Static_assert(sizeof base == 0x180 - 0xc0 + 1, "one letter for each of U+00C0..U+017F");

/* Kinds of bytes: the first three make words. */
enum { C_LOWER, C_UPPER, C_DIGIT, C_SPACE, C_PUNCT, C_HIGH, C_DROP };
#define L C_LOWER
#define U C_UPPER
#define D C_DIGIT
#define S C_SPACE
#define P C_PUNCT
#define H C_HIGH
#define X C_DROP
#define H32 H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H
static const uint8_t kinds[256] = {X,   X,   X,   X,  X, X, X, X, X, S, S, S, S, S, X, X,
                                   X,   X,   X,   X,  X, X, X, X, X, X, X, X, X, X, X, X, /* controls */
                                   S,   P,   P,   P,  P, P, P, P, P, P, P, P, P, P, P, P,
                                   D,   D,   D,   D,  D, D, D, D, D, D, P, P, P, P, P, P, /* marks, digits */
                                   P,   U,   U,   U,  U, U, U, U, U, U, U, U, U, U, U, U,
                                   U,   U,   U,   U,  U, U, U, U, U, U, U, P, P, P, P, P, /* @ A..Z */
                                   P,   L,   L,   L,  L, L, L, L, L, L, L, L, L, L, L, L,
                                   L,   L,   L,   L,  L, L, L, L, L, L, L, P, P, P, P, X, /* ` a..z */
                                   H32, H32, H32, H32};
#undef L
#undef U
#undef D
#undef S
#undef P
#undef H
#undef X
#undef H32

/* Which counter a mark belongs to; the rest is `other`. */
static const uint8_t mark_count[128] = {
    ['?'] = COUNT_questions, ['!'] = COUNT_exclaims,    [':'] = COUNT_colons,       [','] = COUNT_commas,
    ['.'] = COUNT_periods,   ['"'] = COUNT_quotes,      ['\''] = COUNT_quotes,      ['('] = COUNT_brackets,
    [')'] = COUNT_brackets,  ['['] = COUNT_brackets,    [']'] = COUNT_brackets,     ['{'] = COUNT_braces,
    ['}'] = COUNT_braces,    ['+'] = COUNT_operators,   ['='] = COUNT_operators,    ['<'] = COUNT_operators,
    ['>'] = COUNT_operators, ['*'] = COUNT_operators,   ['%'] = COUNT_operators,    ['-'] = COUNT_operators,
    ['|'] = COUNT_operators, ['&'] = COUNT_operators,   ['\\'] = COUNT_backslashes, ['$'] = COUNT_dollars,
    ['^'] = COUNT_carets,    ['_'] = COUNT_underscores, [';'] = COUNT_semicolons,   ['#'] = COUNT_hashes,
    ['`'] = COUNT_backticks, ['/'] = COUNT_slashes};

static inline bool is_letter(unsigned c) { return (c | 32) - 'a' < 26; }
static inline bool is_digit(unsigned c) { return c - '0' < 10; }

/* Decodes one character; 0 for a broken byte (length 1). */
static unsigned decode(const unsigned char *p, size_t n, unsigned *len) {
    unsigned c = p[0], want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    *len = 1;
    if (!want || want > n || c > 0xf4) return 0;
    unsigned u = c & (0x7fu >> want);
    for (unsigned i = 1; i < want; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        u = u << 6 | (p[i] & 63u);
    }
    *len = want;
    return u;
}

/* The ASCII relative of typographic punctuation, ' ' for spaces, 0 for none. */
static unsigned ascii_of(unsigned u) {
    static const struct {
        uint16_t from, to;
        char as;
    } table[] = {{0x00a0, 0x00a0, ' '},  {0x00ab, 0x00ab, '"'}, {0x00bb, 0x00bb, '"'}, {0x00bf, 0x00bf, '?'},
                 {0x00d7, 0x00d7, '*'},  {0x00f7, 0x00f7, '/'}, {0x037e, 0x037e, '?'}, {0x060c, 0x060c, ','},
                 {0x061f, 0x061f, '?'},  {0x0964, 0x0965, '.'}, {0x2000, 0x200a, ' '}, {0x2010, 0x2015, '-'},
                 {0x2018, 0x201b, '\''}, {0x201c, 0x201f, '"'}, {0x2022, 0x2023, '*'}, {0x2026, 0x2026, '.'},
                 {0x2028, 0x2029, '\n'}, {0x202f, 0x202f, ' '}, {0x2190, 0x21ff, '>'}, {0x2200, 0x22ff, '='},
                 {0x3000, 0x3000, ' '},  {0x3001, 0x3001, ','}, {0x3002, 0x3002, '.'}, {0x3008, 0x3011, '"'},
                 {0xff01, 0xff01, '!'},  {0xff08, 0xff08, '('}, {0xff09, 0xff09, ')'}, {0xff0c, 0xff0c, ','},
                 {0xff0e, 0xff0e, '.'},  {0xff1a, 0xff1a, ':'}, {0xff1b, 0xff1b, ';'}, {0xff1f, 0xff1f, '?'}};
    if ((u > 0xf7 && u < 0x37e) || (u > 0x3011 && u < 0xff01)) return 0; /* most letters and all ideographs */
    for (unsigned i = 0; i < sizeof table / sizeof *table && table[i].from <= u; i++)
        if (u <= table[i].to) return (unsigned char)table[i].as;
    return 0;
}

static bool ideograph(unsigned u) {
    return (u >= 0x3040 && u <= 0x30ff) || (u >= 0x3400 && u <= 0x9fff) || (u >= 0xf900 && u <= 0xfaff) ||
           u >= 0x20000;
}

static unsigned lower(unsigned u) {
    if (u >= 0xc0 && u < 0x180 && base[u - 0xc0] != '.') return (unsigned char)base[u - 0xc0];
    if ((u >= 0x391 && u <= 0x3a9) || (u >= 0x410 && u <= 0x42f)) return u + 32;
    return u >= 0x400 && u <= 0x40f ? u + 80 : u;
}

struct tokenizer {
    const unsigned char *p; /* SLACK bytes behind its end may be read */
    size_t n, i;
    struct token *out;
    unsigned count;
    union counts *c;
    unsigned flags; /* of the next token: TOKEN_LINE, TOKEN_CLAUSE */
};

static inline uint64_t load64(const unsigned char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* Hash of a normalised word, eight bytes at a time; ASCII letters count as small ones (digits have that bit
 * already). Reads up to seven bytes past the end, and ignores them. */
static inline uint32_t hash_word(const unsigned char *p, size_t n) {
    uint64_t h = n * 0x9e3779b97f4a7c15u;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v = load64(p);
        v |= (~v & 0x8080808080808080u) >> 2;
        h = (h ^ v) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    uint64_t v = load64(p);
    v |= (~v & 0x8080808080808080u) >> 2;
    v &= (1ull << n * 8) - 1;
    h = (h ^ v) * 0xff51afd7ed558ccdu;
    h ^= h >> 29;
    h *= 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(h >> 32);
}

static inline uint32_t hash_mark(uint32_t kind, uint32_t u) {
    uint32_t h = (kind ^ u * 0x85ebca6bu) * 0xc2b2ae35u;
    return h ^ h >> 15;
}

static inline void emit(struct tokenizer *t, uint32_t hash, unsigned kind, unsigned flags, size_t len) {
    t->out[t->count++] = (struct token){hash, (uint8_t)kind, (uint8_t)(flags | t->flags), (uint16_t)len};
    t->flags = 0;
}

static inline void emit_word(struct tokenizer *t, uint32_t hash, size_t letters, unsigned upper, bool capital,
                             size_t len) {
    union counts *c = t->c;
    c->words++;
    c->letters = (uint16_t)(c->letters + letters);
    c->long_words = (uint16_t)(c->long_words + (letters >= LONG_WORD));
    unsigned flags = 0;
    if (upper) {
        bool allcaps = letters > 1 && upper == letters;
        c->upper = (uint16_t)(c->upper + upper);
        c->capitals = (uint16_t)(c->capitals + capital);
        c->allcaps = (uint16_t)(c->allcaps + allcaps);
        flags = (capital ? TOKEN_UPPER : 0u) | (allcaps ? TOKEN_ALLCAPS : 0u);
    }
    emit(t, hash, TOKEN_WORD, flags, len);
}

/* A word with more in it than ASCII letters and digits: normalised into a small buffer. */
static void word_slow(struct tokenizer *t) {
    unsigned char w[TEXT_WORD_MAX + SLACK] = {0};
    size_t start = t->i, n = 0, letters = 0;
    unsigned upper = 0;
    bool capital = kinds[t->p[start]] == C_UPPER;
    while (t->i < t->n) {
        unsigned c = t->p[t->i], len = 1, u = c;
        if (c >= 0x80) {
            u = decode(t->p + t->i, t->n - t->i, &len);
            if (u == 0x2019 && t->i > start && is_letter(t->p[t->i + 3])) {
                t->i += 3;
                continue;
            }
            if (!u || ascii_of(u) || ideograph(u)) break;
            t->c->foreign++;
            u = lower(u);
        } else if (c == '\'' && t->i > start) {
            if (!is_letter(t->p[t->i + 1])) break;
            t->i++;
            continue;
        } else if (kinds[c] > C_DIGIT) {
            break;
        } else {
            upper += c - 'A' < 26;
        }
        letters++;
        struct gather g = {.p = (char *)w, .n = n};
        if (n + 4 <= TEXT_WORD_MAX) put_utf8(&g, u);
        n = g.n;
        t->i += len;
    }
    if (t->i == start) t->i++; /* cannot be: the caller saw a letter; never stand still all the same */
    emit_word(t, hash_word(w, n), letters, upper, capital, t->i - start);
}

/* Length of the run of ASCII letters and digits at `p` (at most to `end`), and how many are capitals. Word
 * lengths can't be predicted, so sixteen bytes are compared at once rather than one branch each. */
static inline size_t word_run(const unsigned char *p, const unsigned char *end, unsigned *upper) {
    const unsigned char *s = p;
    *upper = 0;
#ifdef __SSE2__
    for (; p + 16 <= end + SLACK; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        __m128i l = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(32)), _mm_set1_epi8('a'));
        __m128i d = _mm_sub_epi8(v, _mm_set1_epi8('0')), u = _mm_sub_epi8(v, _mm_set1_epi8('A'));
        __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(l, _mm_set1_epi8(25)), l);
        __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8(9)), d);
        __m128i capital = _mm_cmpeq_epi8(_mm_min_epu8(u, _mm_set1_epi8(25)), u);
        unsigned other = ~(unsigned)_mm_movemask_epi8(_mm_or_si128(letter, digit)),
                 caps = (unsigned)_mm_movemask_epi8(capital);
        unsigned n = (unsigned)__builtin_ctz(other); /* 16 when all belong: the bits above are set */
        caps &= (1u << n) - 1;
        if (caps) *upper += (unsigned)__builtin_popcount(caps);
        if (n < 16) {
            p += n;
            break;
        }
    }
#else
    for (; p < end && kinds[*p] <= C_DIGIT; p++) *upper += kinds[*p] == C_UPPER;
#endif
    return (size_t)((p < end ? p : end) - s);
}

/* A run of letters, and digits behind letters ("v2", "h2o"). */
static inline void word(struct tokenizer *t) {
    const unsigned char *s = t->p + t->i, *end = t->p + t->n;
    unsigned upper;
    size_t len = word_run(s, end, &upper);
    const unsigned char *p = s + len;
    if (p < end && (*p >= 0x80 || (*p == '\'' && is_letter(p[1])))) {
        word_slow(t);
        return;
    }
    t->i += len + (*p == ' '); /* the space behind it says nothing; past the end stands a zero */
    emit_word(t, hash_word(s, len < TEXT_WORD_MAX ? len : TEXT_WORD_MAX), len, upper, kinds[*s] == C_UPPER, len);
}

static void number(struct tokenizer *t) {
    size_t start = t->i;
    while (t->i < t->n && (is_digit(t->p[t->i]) || ((t->p[t->i] == '.' || t->p[t->i] == ',') && t->i + 1 < t->n &&
                                                    is_digit(t->p[t->i + 1]))))
        t->i++;
    size_t len = t->i - start;
    t->c->numbers++;
    t->c->digits = (uint16_t)(t->c->digits + len);
    emit(t, hash_mark(0x23, (unsigned)(len > 6 ? 6 : len)), TOKEN_NUMBER, 0, len);
}

/* "A." "B)" "(c)" at the start of a line: one option of a list. */
static bool option_at(const struct tokenizer *t) {
    size_t i = t->i;
    if (t->p[i] == '(') i++;
    return i + 1 < t->n && ((t->p[i] | 32u) - 'a' < 10 || t->p[i] - 49u < 9) &&
           (t->p[i + 1] == '.' || t->p[i + 1] == ')' || t->p[i + 1] == ':');
}

static void punct(struct tokenizer *t, unsigned u, size_t len) {
    t->c->n[mark_count[u & 127]]++;
    unsigned flags = t->flags, opens = 0;
    if (u == '`' && t->i + 2 < t->n && t->p[t->i + 1] == '`' && t->p[t->i + 2] == '`') {
        t->c->fences++;
        len = 3;
    }
    if (flags & TOKEN_LINE && (u == '-' || u == '*')) {
        t->c->bullets++;
        opens = flags;
    }
    /* what opens a line or clause does not use it up */
    if (u == '"' || u == '\'' || u == '(' || u == '#' || u == '[') opens = flags;
    if (u == '.' || u == '?' || u == '!' || u == ':' || u == ';') opens |= TOKEN_CLAUSE;
    emit(t, hash_mark(0x50, u | (unsigned)len << 8), TOKEN_PUNCT, 0, len);
    t->i += len;
    t->flags = opens;
}

static void space(struct tokenizer *t, unsigned u, size_t len) {
    if (u == '\n') {
        t->c->newlines++;
        t->flags = TOKEN_LINE | TOKEN_CLAUSE;
    }
    t->i += len;
}

/* What begins with a byte above 127. */
static void high(struct tokenizer *t) {
    unsigned len, u = decode(t->p + t->i, t->n - t->i, &len);
    if (!u) {
        t->c->other++;
        t->i++;
        return;
    }
    unsigned as = ascii_of(u);
    if (as == ' ' || as == '\n') {
        space(t, as, len);
    } else if (as) {
        punct(t, as, len);
    } else if (ideograph(u)) {
        t->c->ideographs++;
        t->i += len;
        emit(t, hash_mark(0x49, u), TOKEN_IDEOGRAPH, 0, len);
    } else {
        word_slow(t);
    }
}

static unsigned tokenize(const char *p, size_t n, struct token *out, unsigned max, union counts *c) {
    struct tokenizer t = {
        .p = (const unsigned char *)p, .n = n, .out = out, .c = c, .flags = TOKEN_LINE | TOKEN_CLAUSE};
    while (t.i < n && t.count < max) {
        unsigned u = t.p[t.i], k = kinds[u];
        if (t.flags & TOKEN_LINE && k < C_HIGH && option_at(&t)) c->options++;
        if (k <= C_UPPER)
            word(&t);
        else if (k == C_SPACE)
            space(&t, u, 1);
        else if (k == C_PUNCT)
            punct(&t, u, 1);
        else if (k == C_DIGIT)
            number(&t);
        else if (k == C_HIGH)
            high(&t);
        else
            t.i++;
    }
    c->bytes = (uint16_t)(c->bytes + t.i);
    return t.count;
}

uint32_t text_mark(unsigned mark) { return hash_mark(0x50, mark | 1u << 8); }

unsigned text_tokens(str plain, struct token *out, unsigned max, union counts *c) {
    char buffer[TEXT_SYSTEM_READ + SLACK];
    union counts none = {{0}};
    size_t n = plain.n < TEXT_SYSTEM_READ ? plain.n : TEXT_SYSTEM_READ;
    if (n) memcpy(buffer, plain.p, n);
    memset(buffer + n, 0, SLACK);
    return tokenize(buffer, n, out, max, c ? c : &none);
}

/* The first `head` and last `tail` bytes of the system prompt are its fingerprint; of them its start is read. */
static void read_system(const struct prompt *p, bool wanted, char *buffer, struct text *out) {
    struct gather g = {.p = buffer};
    union counts c = {{0}};
    size_t most = wanted ? TEXT_SYSTEM_MAX / 2 : TEXT_SYSTEM_READ / 2;
    gather_parts(p->system, p->system_count, most + most / 2, most / 2, &g, &out->system_bytes);
    memset(buffer + g.n, 0, SLACK);
    out->system_hash = g.n && wanted ? fingerprint(str_make(buffer, g.n)) : 0;
    size_t some = g.n < TEXT_SYSTEM_READ ? g.n : TEXT_SYSTEM_READ;
    out->system_n = (uint16_t)tokenize(buffer, some, out->system, TEXT_SYSTEM_TOKENS, &c);
}

void text_read(const struct prompt *p, unsigned head, unsigned tail, bool wanted, struct text *out) {
    char buffer[BUFFER];
    memset(&out->c, 0, sizeof out->c);
    out->system_n = 0;
    out->system_bytes = 0;
    out->system_hash = 0;
    if (p->system_count) read_system(p, wanted, buffer, out);
    struct gather g = {.p = buffer};
    size_t cut = gather_parts(p->user, p->user_count, head, tail, &g, &out->bytes);
    memset(buffer + g.n, 0, SLACK);
    /* The tail keeps its own share of the tokens, so that a head of short ones can't push it out. */
    unsigned most = TEXT_USER_TOKENS - (cut < g.n ? TEXT_USER_TOKENS / 4 : 0);
    unsigned n = tokenize(buffer, cut, out->tok, most, &out->c);
    out->cut = (uint16_t)n;
    if (cut < g.n) n += tokenize(buffer + cut, g.n - cut, out->tok + n, TEXT_USER_TOKENS - n, &out->c);
    out->n = (uint16_t)n;
}

size_t text_plain(const struct prompt *p, unsigned head, unsigned tail, char *out) {
    struct gather g = {.p = out};
    uint32_t total;
    gather_parts(p->user, p->user_count, head, tail, &g, &total);
    return g.n;
}
