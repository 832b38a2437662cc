/* bpe_split: the two encodings' patterns, written out.
 *
 * o200k_base
 *   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *   \p{N}{1,3}     ?[^\s\p{L}\p{N}]+[\r\n/]*    \s*[\r\n]+    \s+(?!\S)    \s+
 * cl100k_base
 *   '(?i:[sdmt]|ll|ve|re)    [^\r\n\p{L}\p{N}]?\p{L}+    \p{N}{1,3}
 *    ?[^\s\p{L}\p{N}]+[\r\n]*    \s+$    \s*[\r\n]    \s+(?!\S)    \s
 *
 * (Alternatives in order, the first that matches wins.) A regular expression engine would need backtracking in one
 * place only: the first alternative of o200k, whose two classes share \p{Lm}\p{Lo}\p{M}; there the last character
 * that is of both is remembered. So each character is looked at a few times at most, whatever the text. */
#include "catalog/bpe_split.h"

enum { OTHER, U, L, O, M, N, S };

typedef const unsigned char *at;

/* ---- classes ---- */

static const struct {
    uint32_t first, last;
    uint8_t class;
} ranges[] = {
#define R(first, last, class) {first, last, class},
#include "catalog/unicode.inc"
#undef R
};

void bpe_classes_fill(struct bpe_classes *c) {
    unsigned blocks = 0, r = 0;
    for (uint32_t b = 0; b < sizeof c->index; b++) {
        uint8_t now[256] = {0};
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t u = b << 8 | i;
            while (r < sizeof ranges / sizeof *ranges && ranges[r].last < u) r++;
            if (r < sizeof ranges / sizeof *ranges && u >= ranges[r].first) now[i] = ranges[r].class;
        }
        unsigned same = 0;
        while (same < blocks && memcmp(c->block[same], now, sizeof now) != 0) same++;
        if (same == blocks) {
            invariant(blocks < sizeof c->block / sizeof *c->block);
            memcpy(c->block[blocks++], now, sizeof now);
        }
        c->index[b] = (uint8_t)same;
    }
}

/* Class and length of the character at p; a malformed byte is a sign of its own. */
static inline unsigned look(const struct bpe_classes *c, at p, at end, unsigned *len) {
    uint32_t u = *p;
    *len = 1;
    if (u < 0x80) return c->block[c->index[0]][u];
    unsigned n = u >= 0xF0 ? 4 : u >= 0xE0 ? 3 : 2;
    if (u < 0xC2 || u > 0xF4 || (size_t)(end - p) < n) return OTHER;
    u &= 0x7Fu >> n;
    for (unsigned i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return OTHER;
        u = u << 6 | (p[i] & 0x3F);
    }
    if (u >= 0x110000) return OTHER;
    *len = n;
    return c->block[c->index[u >> 8]][u & 255];
}

static inline bool is_upper(unsigned k) { return k == U || k == O || k == M; }
static inline bool is_lower(unsigned k) { return k == L || k == O || k == M; }
static inline bool is_letter(unsigned k) { return k == U || k == L || k == O; }
static inline bool is_sign(unsigned k) { return k == OTHER || k == M; }

/* ---- parts that both share ---- */

/* The end of a contraction's tail at p, p itself when there is none. Ignoring case, the long s is an s. */
static at contraction(at p, at end) {
    if (end - p < 2 || *p != '\'') return p;
    int a = p[1] | 0x20, b = end - p > 2 ? p[2] | 0x20 : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    return end - p > 2 && p[1] == 0xC5 && p[2] == 0xBF ? p + 3 : p;
}

static at digits(const struct bpe_classes *c, at p, at end) {
    unsigned len;
    for (unsigned n = 0; n < 3 && p < end && look(c, p, end, &len) == N; n++) p += len;
    return p;
}

/* " ?[^\s\p{L}\p{N}]+" and line ends behind it (with slashes in o200k); NULL when there is no sign. */
static at signs(const struct bpe_classes *c, bool slashes, at p, at end) {
    unsigned len;
    at q = p + (*p == ' ');
    if (q == end || !is_sign(look(c, q, end, &len))) return NULL;
    for (; q < end && is_sign(look(c, q, end, &len)); q += len) continue;
    while (q < end && (*q == '\r' || *q == '\n' || (slashes && *q == '/'))) q++;
    return q;
}

/* White space: up to the last line end, else all but what the next word takes with it. */
static at space(const struct bpe_classes *c, bool whole_at_end, at p, at end) {
    unsigned len = 1;
    at line = NULL, last = p, q = p;
    for (; q < end && look(c, q, end, &len) == S; q += len) {
        last = q;
        if (*q == '\r' || *q == '\n') line = q + 1;
    }
    if (whole_at_end && q == end) return q;
    if (line) return line;
    return q == end || last == p ? q : last;
}

/* ---- the two patterns ---- */

/* The letters of o200k's first two alternatives, with a contraction's tail; NULL when there is none at p. */
static at word(const struct bpe_classes *c, bool capitals_only, at p, at end) {
    unsigned len, k;
    at begin = p, both = NULL;
    for (; p < end && is_upper(k = look(c, p, end, &len)); both = k != U ? p + len : both, p += len) continue;
    if (capitals_only) return p > begin ? contraction(p, end) : NULL;
    at q = p;
    for (; q < end && is_lower(look(c, q, end, &len)); q += len) continue;
    if (q > p) return contraction(q, end);
    return both ? contraction(both, end) : NULL;
}

static at next_o200k(const struct bpe_classes *c, at p, at end) {
    unsigned len, k = look(c, p, end, &len);
    bool leads = !is_letter(k) && k != N && *p != '\r' && *p != '\n', begins = is_letter(k) || k == M;
    at q = NULL;
    for (int capitals_only = 0; capitals_only < 2 && !q; capitals_only++) {
        if (leads) q = word(c, capitals_only, p + len, end);
        if (!q && begins) q = word(c, capitals_only, p, end);
    }
    if (q) return q;
    if (k == N) return digits(c, p, end);
    q = signs(c, true, p, end);
    return q ? q : space(c, false, p, end);
}

static at next_cl100k(const struct bpe_classes *c, at p, at end) {
    unsigned len, k = look(c, p, end, &len), more;
    at q = contraction(p, end);
    if (q > p) return q;
    if (k == N) return digits(c, p, end);
    q = p + len;
    bool leads = !is_letter(k) && *p != '\r' && *p != '\n';
    if (is_letter(k) || (leads && q < end && is_letter(look(c, q, end, &more)))) {
        for (; q < end && is_letter(look(c, q, end, &len)); q += len) continue;
        return q;
    }
    q = signs(c, false, p, end);
    return q ? q : space(c, true, p, end);
}

at bpe_next(const struct bpe_classes *c, enum bpe_encoding encoding, at p, at end) {
    return encoding == BPE_O200K ? next_o200k(c, p, end) : next_cl100k(c, p, end);
}
