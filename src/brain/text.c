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

enum { BUFFER = TEXT_USER_HEAD + TEXT_USER_TAIL + 16, SHORT_MARGIN = 24, LONG_WORD = 8 };

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

enum { C_DROP, C_LETTER, C_DIGIT, C_SPACE, C_PUNCT };

static inline unsigned ascii_class(unsigned c) {
    if ((c | 32) - 'a' < 26) return C_LETTER;
    if (c - '0' < 10) return C_DIGIT;
    if (c == ' ' || (c >= 9 && c <= 13)) return C_SPACE;
    return c < 33 || c == 127 ? C_DROP : C_PUNCT;
}

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
    const unsigned char *p;
    size_t n, i;
    struct token *out;
    unsigned count, max;
    struct counts *c;
    bool line, clause;
};

static inline uint32_t hash_step(uint32_t h, unsigned c) { return (h ^ c) * 16777619u; }

static void emit(struct tokenizer *t, uint32_t hash, unsigned kind, unsigned flags, size_t len) {
    if (t->count == t->max) return;
    flags |= (t->line ? TOKEN_LINE : 0) | (t->clause ? TOKEN_CLAUSE : 0);
    hash ^= hash >> 16;
    hash *= 0x7feb352du;
    hash ^= hash >> 15;
    t->out[t->count++] =
        (struct token){hash, (uint8_t)kind, (uint8_t)flags, (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len)};
    t->line = t->clause = false;
}

/* A run of letters, and digits behind letters ("v2", "h2o"). */
static void word(struct tokenizer *t) {
    size_t start = t->i;
    uint32_t h = 2166136261u;
    unsigned letters = 0, upper = 0, first_upper = 0;
    while (t->i < t->n) {
        unsigned c = t->p[t->i], len = 1, u = c;
        if (c >= 0x80) {
            u = decode(t->p + t->i, t->n - t->i, &len);
            if (u == 0x2019 && t->i + 3 < t->n && ascii_class(t->p[t->i + 3]) == C_LETTER) {
                t->i += 3;
                continue;
            }
            if (!u || ascii_of(u) || ideograph(u)) break;
            t->c->foreign++;
            u = lower(u);
        } else if (c == '\'') {
            if (t->i + 1 >= t->n || ascii_class(t->p[t->i + 1]) != C_LETTER) break;
            t->i++;
            continue;
        } else {
            unsigned k = ascii_class(c);
            if (k != C_LETTER && k != C_DIGIT) break;
            if (c - 'A' < 26) {
                upper++;
                first_upper |= t->i == start;
                u = c | 32;
            }
        }
        letters++;
        if (t->i - start < TEXT_WORD_MAX) {
            h = hash_step(h, u & 255);
            if (u > 255) h = hash_step(h, u >> 8);
        }
        t->i += len;
    }
    t->c->words++;
    t->c->letters += (uint16_t)letters;
    t->c->upper += (uint16_t)upper;
    if (letters >= LONG_WORD) t->c->long_words++;
    if (first_upper) t->c->capitals++;
    bool allcaps = letters > 1 && upper == letters;
    if (allcaps) t->c->allcaps++;
    emit(t, h, TOKEN_WORD, (first_upper ? TOKEN_UPPER : 0) | (allcaps ? TOKEN_ALLCAPS : 0), t->i - start);
}

static void number(struct tokenizer *t) {
    size_t start = t->i;
    while (t->i < t->n &&
           (ascii_class(t->p[t->i]) == C_DIGIT || ((t->p[t->i] == '.' || t->p[t->i] == ',') && t->i + 1 < t->n &&
                                                   ascii_class(t->p[t->i + 1]) == C_DIGIT)))
        t->i++;
    size_t len = t->i - start;
    t->c->numbers++;
    t->c->digits += (uint16_t)len;
    emit(t, hash_step(0x23u, (unsigned)(len > 6 ? 6 : len)), TOKEN_NUMBER, 0, len);
}

static void count_punct(struct counts *c, unsigned u) {
    switch (u) {
    case '?': c->questions++; break;
    case '!': c->exclaims++; break;
    case ':': c->colons++; break;
    case ',': c->commas++; break;
    case '.': c->periods++; break;
    case '"':
    case '\'': c->quotes++; break;
    case '(':
    case ')':
    case '[':
    case ']': c->brackets++; break;
    case '{':
    case '}': c->braces++; break;
    case '+':
    case '=':
    case '<':
    case '>':
    case '*':
    case '%':
    case '-':
    case '|':
    case '&': c->operators++; break;
    case '\\': c->backslashes++; break;
    case '$': c->dollars++; break;
    case '^': c->carets++; break;
    case '_': c->underscores++; break;
    case ';': c->semicolons++; break;
    case '#': c->hashes++; break;
    case '`': c->backticks++; break;
    case '/': c->slashes++; break;
    default: c->other++;
    }
}

/* "A." "B)" "(c)" at the start of a line: one option of a list. */
static bool option_at(const struct tokenizer *t) {
    size_t i = t->i;
    if (t->p[i] == '(') i++;
    return i + 1 < t->n && ((t->p[i] | 32u) - 'a' < 10 || t->p[i] - 49u < 9) &&
           (t->p[i + 1] == '.' || t->p[i + 1] == ')' || t->p[i + 1] == ':');
}

static void punct(struct tokenizer *t, unsigned u, unsigned len) {
    count_punct(t->c, u);
    bool bullet = t->line && (u == '-' || u == '*');
    if (bullet) t->c->bullets++;
    if (u == '`' && t->i + 2 < t->n && t->p[t->i + 1] == '`' && t->p[t->i + 2] == '`') {
        t->c->fences++;
        len = 3;
        u = 0x60606060u;
    }
    bool line = t->line, clause = t->clause;
    emit(t, hash_step(0x50u, u), TOKEN_PUNCT, 0, len);
    t->i += len;
    /* what opens a line or clause does not use it up */
    if (bullet || u == '"' || u == '\'' || u == '(' || u == '#' || u == '[') t->line = line, t->clause = clause;
    if (u == '.' || u == '?' || u == '!' || u == ':' || u == ';') t->clause = true;
}

static void step(struct tokenizer *t) {
    unsigned c = t->p[t->i], len = 1, u = c, kind;
    if (c >= 0x80) {
        u = decode(t->p + t->i, t->n - t->i, &len);
        if (!u) {
            t->c->other++;
            t->i++;
            return;
        }
        unsigned as = ascii_of(u);
        if (as) {
            u = as;
        } else if (ideograph(u)) {
            t->c->ideographs++;
            t->i += len;
            emit(t, hash_step(hash_step(0x49u, u & 0xffff), u >> 16), TOKEN_IDEOGRAPH, 0, len);
            return;
        } else {
            word(t);
            return;
        }
    }
    kind = ascii_class(u);
    if (kind == C_SPACE) {
        t->c->spaces++;
        if (u == '\n') t->c->newlines++, t->line = t->clause = true;
        t->i += len;
    } else if (kind == C_DROP) {
        t->i += len;
    } else {
        if (t->line && option_at(t)) t->c->options++;
        if (kind == C_LETTER)
            word(t);
        else if (kind == C_DIGIT)
            number(t);
        else
            punct(t, u, len);
    }
}

static unsigned tokenize(const char *p, size_t n, struct token *out, unsigned max, struct counts *c) {
    struct tokenizer t = {
        .p = (const unsigned char *)p, .n = n, .out = out, .max = max, .c = c, .line = true, .clause = true};
    while (t.i < t.n) step(&t);
    c->bytes += (uint16_t)n;
    return t.count;
}

unsigned text_tokens(str plain, struct token *out, unsigned max, struct counts *c) {
    struct counts none = {0};
    return tokenize(plain.p, plain.n < BUFFER ? plain.n : BUFFER, out, max, c ? c : &none);
}

void text_read(const struct prompt *p, struct text *out) {
    char buffer[BUFFER];
    struct gather g = {.p = buffer};
    struct counts system = {0};
    memset(&out->c, 0, sizeof out->c);
    size_t cut =
        gather_parts(p->system, p->system_count, TEXT_SYSTEM_HEAD, TEXT_SYSTEM_TAIL, &g, &out->system_bytes);
    out->system_hash = g.n ? fingerprint(str_make(buffer, g.n)) : 0;
    size_t some = g.n < TEXT_SYSTEM_TOKENS_BYTES ? g.n : TEXT_SYSTEM_TOKENS_BYTES;
    out->system_n = (uint16_t)tokenize(buffer, some, out->system, TEXT_SYSTEM_TOKENS, &system);
    g = (struct gather){.p = buffer};
    cut = gather_parts(p->user, p->user_count, TEXT_USER_HEAD, TEXT_USER_TAIL, &g, &out->bytes);
    /* The tail keeps its own share of the tokens, so that a head of short ones can't push it out. */
    unsigned most = TEXT_USER_TOKENS - (cut < g.n ? TEXT_USER_TOKENS / 4 : 0);
    unsigned n = tokenize(buffer, cut, out->tok, most, &out->c);
    out->cut = (uint16_t)n;
    if (cut < g.n) n += tokenize(buffer + cut, g.n - cut, out->tok + n, TEXT_USER_TOKENS - n, &out->c);
    out->n = (uint16_t)n;
}
