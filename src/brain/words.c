/* words: splitting as BERT's uncased tokenizers do, so that their word pieces can be looked up: spaces separate,
 * every mark and every ideograph stands alone, letters are lower-cased and lose their accents (Latin by table,
 * Greek and Cyrillic by offset), controls and combining marks go. script/distill has the same rules. */
#include "brain/words.h"

/* U+00C0..U+017F without accents; '.' keeps the character, which may still be made small. */
static const char plain_latin[] =
    "aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii.nooooo..uuuuy.yaaaaaaccccccccdd..eeeeeeeeeegggggggghh.."
    "iiiiiiiii...jjkk.llllll....nnnnnn...oooooo..rrrrrrssssssssttt"
    "t..uuuuuuuuuuuuwwyyyzzzzzz.";
_Static_assert(sizeof plain_latin == 0x180 - 0xc0 + 1, "one letter for each of U+00C0..U+017F");

struct span {
    uint32_t from, to;
};

static const struct span spaces[] = {{0xa0, 0xa0},     {0x2000, 0x200a}, {0x2028, 0x2029},
                                     {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
static const struct span dropped[] = {{0x80, 0x9f},     {0xad, 0xad},     {0x300, 0x36f},   {0x200b, 0x200f},
                                      {0x202a, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfffd, 0xfffd}};
static const struct span marks[] = {{0xa1, 0xa1},     {0xa7, 0xa7},     {0xab, 0xab},     {0xb6, 0xb7},
                                    {0xbb, 0xbb},     {0xbf, 0xbf},     {0x2010, 0x2027}, {0x2030, 0x2043},
                                    {0x2045, 0x2051}, {0x2053, 0x205e}, {0x3001, 0x3003}, {0x3008, 0x3011},
                                    {0xff01, 0xff0f}};
static const struct span alone[] = {{0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x2fa1f}};

#define IN(table, u) in(table, sizeof(table) / sizeof *(table), u)
static bool in(const struct span *s, size_t n, uint32_t u) {
    for (size_t i = 0; i < n && s[i].from <= u; i++)
        if (u <= s[i].to) return true;
    return false;
}

struct splitter {
    struct words *out;
    bool open, spaced; /* a word is being made; space was seen before the next one */
};

static void close_word(struct splitter *s) {
    if (!s->open) return;
    s->open = false;
    s->out->n++;
}

/* Adds a character to the open word, or opens one. */
static void put(struct splitter *s, const char *bytes, unsigned len, enum word_kind kind) {
    struct words *w = s->out;
    if (!s->open) {
        if (w->n == WORDS_MAX || w->bytes + len > WORDS_TEXT_MAX) return;
        w->word[w->n] = (struct word){.at = (uint16_t)w->bytes, .kind = (uint8_t)kind, .spaced = s->spaced};
        s->open = true;
        s->spaced = false;
    }
    struct word *x = &w->word[w->n];
    if (x->len + len > WORD_BYTES_MAX || w->bytes + len > WORDS_TEXT_MAX) return;
    memcpy(w->text + w->bytes, bytes, len);
    w->bytes += len;
    x->len = (uint8_t)(x->len + len);
    x->chars++;
}

static void put_alone(struct splitter *s, const char *bytes, unsigned len, enum word_kind kind) {
    close_word(s);
    put(s, bytes, len, kind);
    close_word(s);
}

static void space(struct splitter *s) {
    close_word(s);
    s->spaced = true;
}

static uint32_t fold_char(uint32_t u, enum fold fold) {
    if (fold == FOLD_NONE) return u;
    if (fold == FOLD_ALL && u >= 0xc0 && u < 0x180 && plain_latin[u - 0xc0] != '.')
        return (unsigned char)plain_latin[u - 0xc0];
    if ((u >= 0xc0 && u <= 0xde && u != 0xd7) || (u >= 0x391 && u <= 0x3a9) || (u >= 0x410 && u <= 0x42f))
        return u + 32;
    if (u >= 0x100 && u < 0x178 && u != 0x131 && u != 0x138) /* pairs; which is the small one changes twice */
        return (u >= 0x139 && u < 0x149) ? (u + 1) & ~1u : u | 1;
    return u >= 0x400 && u <= 0x40f ? u + 80 : u;
}

static unsigned encode(uint32_t u, char out[4]) {
    if (u < 0x80) return out[0] = (char)u, 1;
    if (u < 0x800) return out[0] = (char)(0xc0 | u >> 6), out[1] = (char)(0x80 | (u & 63)), 2;
    if (u < 0x10000) {
        out[0] = (char)(0xe0 | u >> 12), out[1] = (char)(0x80 | (u >> 6 & 63)), out[2] = (char)(0x80 | (u & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | u >> 18), out[1] = (char)(0x80 | (u >> 12 & 63));
    out[2] = (char)(0x80 | (u >> 6 & 63)), out[3] = (char)(0x80 | (u & 63));
    return 4;
}

/* A character above 127 at p; the bytes it takes. */
static unsigned high(struct splitter *s, const unsigned char *p, size_t n, enum fold fold) {
    unsigned c = p[0], len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    if (!len || len > n || c > 0xf4) return 1;
    uint32_t u = c & (0x7fu >> len);
    for (unsigned i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 1;
        u = u << 6 | (p[i] & 63u);
    }
    if (IN(spaces, u)) return space(s), len;
    if (fold == FOLD_ALL ? IN(dropped, u) : u < 0xa0 || u == 0xfeff || u == 0xfffd) return len;
    char bytes[4];
    if (IN(marks, u) || IN(alone, u)) {
        put_alone(s, bytes, encode(u, bytes), IN(marks, u) ? WORD_MARK : WORD_PLAIN);
        return len;
    }
    put(s, bytes, encode(fold_char(u, fold), bytes), WORD_PLAIN);
    return len;
}

/* A run of ASCII letters and digits, which is most of most texts, in one go; the bytes it takes. */
static size_t run(struct splitter *s, const unsigned char *p, size_t n, enum fold fold) {
    struct words *w = s->out;
    char small[WORD_BYTES_MAX];
    size_t len = 0;
    bool code = false;
    for (; len < n && len < WORD_BYTES_MAX; len++) {
        unsigned c = p[len];
        if ((c | 32) - 'a' < 26u)
            small[len] = (char)(fold ? c | 32 : c);
        else if (c - '0' < 10u)
            code = true, small[len] = (char)c;
        else
            break;
    }
    unsigned had = s->open ? w->word[w->n].len : 0;
    if (!len || (!s->open && w->n == WORDS_MAX) || had + len > WORD_BYTES_MAX || w->bytes + len > WORDS_TEXT_MAX)
        return len;
    if (!s->open) w->word[w->n] = (struct word){.at = (uint16_t)w->bytes, .spaced = s->spaced};
    s->open = true;
    s->spaced = false;
    memcpy(w->text + w->bytes, small, len);
    w->bytes += (unsigned)len;
    struct word *x = &w->word[w->n];
    x->len = (uint8_t)(x->len + len);
    x->chars = (uint8_t)(x->chars + len);
    if (code) x->kind = WORD_CODE;
    return len;
}

void words_split(str plain, enum fold fold, struct words *out) {
    struct splitter s = {.out = out, .spaced = true};
    const unsigned char *p = (const unsigned char *)plain.p;
    size_t n = plain.n < WORDS_TEXT_MAX ? plain.n : WORDS_TEXT_MAX, len;
    out->n = out->bytes = 0;
    for (size_t i = 0; i < n && out->n < WORDS_MAX;) {
        char c = (char)p[i];
        if (p[i] >= 0x80) {
            i += high(&s, p + i, n - i, fold);
        } else if ((len = run(&s, p + i, n - i, fold))) {
            i += len;
        } else {
            i++;
            if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
                space(&s);
            else if (c > ' ' && c != 127)
                put_alone(&s, &c, 1, WORD_MARK);
        }
    }
    close_word(&s);
}
