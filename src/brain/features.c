/* features: see the header. Sets are kept by a bitmap over the hash: two different features that meet in it
 * count once (0.6 % of them at 400), which keeps the pass free of a table to clear. */
#include "brain/features.h"

#include <math.h>

enum {
    SEEN_BITS = 1 << 15,
    SEED_WORD = 0x1b873593,
    SEED_PAIR = 0x2545f491,
    SEED_HEAD = 0x3c6ef372,
    SEED_TAIL = 0x510e527f,
    SEED_FIRST = 0x6a09e667,
    SEED_SHAPE = 0x7f4a7c15,
    CUE_MAX = 24,
    FIRST_WORDS = 3
};

/* Handcrafted numbers: name, value. `c` counts, `t` text, `per` 1 / tokens, `byte` 1 / bytes. */
#define HAND(X)                                                                                                   \
    X("length", log2f_det(t->bytes))                                                                              \
    X("tokens", log2f_det(t->n))                                                                                  \
    X("lines", log2f_det(c->newlines))                                                                            \
    X("word length", c->words ? (float)c->letters / (float)c->words / 8 : 0)                                      \
    X("long words", share(c->long_words, per))                                                                    \
    X("capitals", share(c->capitals, per))                                                                        \
    X("upper case", share(c->upper, byte))                                                                        \
    X("all caps", root(c->allcaps, per))                                                                          \
    X("digits", root(c->digits, byte))                                                                            \
    X("numbers", root(c->numbers, per))                                                                           \
    X("number count", log2f_det(c->numbers))                                                                      \
    X("questions", log2f_det(c->questions))                                                                       \
    X("exclamations", log2f_det(c->exclaims))                                                                     \
    X("colons", root(c->colons, per))                                                                             \
    X("commas", root(c->commas, per))                                                                             \
    X("periods", root(c->periods, per))                                                                           \
    X("quotes", root(c->quotes, per))                                                                             \
    X("brackets", root(c->brackets, per))                                                                         \
    X("braces", root(c->braces, per))                                                                             \
    X("operators", root(c->operators, per))                                                                       \
    X("backslashes", root(c->backslashes, per))                                                                   \
    X("dollars", root(c->dollars, per))                                                                           \
    X("carets", root(c->carets, per))                                                                             \
    X("underscores", root(c->underscores, per))                                                                   \
    X("semicolons", root(c->semicolons, per))                                                                     \
    X("hashes", root(c->hashes, per))                                                                             \
    X("backticks", root(c->backticks, per))                                                                       \
    X("slashes", root(c->slashes, per))                                                                           \
    X("other marks", root(c->other, per))                                                                         \
    X("ideographs", root(c->ideographs, per))                                                                     \
    X("foreign letters", root(c->foreign, byte))                                                                  \
    X("bullets", log2f_det(c->bullets))                                                                           \
    X("options", log2f_det(c->options))                                                                           \
    X("fences", c->fences ? 1.0f : 0.0f)                                                                          \
    X("long text", t->bytes > 2000 ? 1.0f : 0.0f)                                                                 \
    X("short text", t->n < 12 ? 1.0f : 0.0f)                                                                      \
    X("ends with question", ends_with(t, '?'))                                                                    \
    X("ends with colon", ends_with(t, ':'))                                                                       \
    X("system prompt", log2f_det(t->system_bytes))                                                                \
    X("words per line", log2f_det((uint32_t)c->words / (c->newlines + 1u)))

/* log2(1 + x) / 8, linear between powers of two. */
static float log2f_det(uint32_t x) {
    uint64_t v = (uint64_t)x + 1;
    unsigned e = 63 - (unsigned)__builtin_clzll(v);
    return ((float)e + (float)(v - (1ull << e)) / (float)(1ull << e)) / 8;
}

static float share(unsigned n, float per) { return (float)n * per; }
static float root(unsigned n, float per) { return sqrtf((float)n * per); }

static float ends_with(const struct text *t, unsigned mark) {
    return t->n && t->tok[t->n - 1].hash == text_mark(mark) ? 1.0f : 0.0f;
}

static const char *const names[] = {
#define X(name, value) name,
    HAND(X)
#undef X
};
_Static_assert(sizeof names / sizeof *names == FEATURES_SHAPES, "one name per handcrafted number");

const char *features_hand_name(unsigned i) {
    return i < FEATURES_SHAPES ? names[i] : i < FEATURES_HAND ? topic_name(i - FEATURES_SHAPES) : "";
}

static void hand(const struct text *t, float *out) {
    const union counts *c = &t->c;
    float per = 1 / (float)(t->n + 1u), byte = 1 / (float)(c->bytes + 1u);
    unsigned i = 0;
#define X(name, value) out[i++] = (value);
    HAND(X)
#undef X
}

static void cue_numbers(const struct cues *c, float *out) {
    for (unsigned z = 0; z < ZONES; z++)
        for (unsigned k = 1; k <= CLASSIFY_TASKS; k++) {
            int v = c->sum[z][k];
            v = v > CUE_MAX ? CUE_MAX : v < -CUE_MAX ? -CUE_MAX : v;
            *out++ = (float)v / 8;
        }
}

struct seen {
    uint64_t bit[SEEN_BITS / 64];
};

static inline void feature(struct features *f, struct seen *seen, uint32_t h) {
    h *= 0xc2b2ae35u;
    h ^= h >> 16;
    uint32_t at = h >> 4 & (SEEN_BITS - 1);
    uint64_t bit = 1ull << (at & 63);
    if (seen->bit[at >> 6] & bit || f->n == FEATURES_MAX) return;
    seen->bit[at >> 6] |= bit;
    f->code[f->n++] = h;
}

static void words(struct features *f, struct seen *seen, const struct token *tok, unsigned n) {
    for (unsigned i = 0; i < n; i++) feature(f, seen, tok[i].hash ^ SEED_WORD);
}

static void pairs(struct features *f, struct seen *seen, const struct token *tok, unsigned n, unsigned cut) {
    for (unsigned i = 0; i + 1 < n; i++)
        if (i + 1 != cut && (i < FEATURES_PAIR_TOKENS || i >= cut))
            feature(f, seen, text_chain(tok[i].hash ^ SEED_PAIR, tok[i + 1].hash));
}

static void zone_features(struct features *f, struct seen *seen, const struct token *tok, unsigned n) {
    uint32_t chain = SEED_FIRST;
    for (unsigned i = 0; i < n && i < FEATURES_HEAD; i++) feature(f, seen, tok[i].hash ^ SEED_HEAD);
    for (unsigned i = n > FEATURES_TAIL ? n - FEATURES_TAIL : 0; i < n; i++)
        feature(f, seen, tok[i].hash ^ SEED_TAIL);
    for (unsigned i = 0; i < n && i < FIRST_WORDS; i++) feature(f, seen, chain = text_chain(chain, tok[i].hash));
}

static void shape_features(struct features *f, struct seen *seen, const struct text *t) {
    const unsigned shapes[] = {t->n < 4 ? 0u : 32u - (unsigned)__builtin_clz(t->n),
                               t->c.fences != 0,
                               t->c.options > 1,
                               t->c.questions != 0,
                               t->c.newlines > 2,
                               t->system_n != 0,
                               t->c.numbers > 3};
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++)
        feature(f, seen, SEED_SHAPE + i * 64 + shapes[i]);
}

static void topic_numbers(const struct brain *b, const struct text *t, float *out) {
    uint16_t hits[TOPIC_COUNT];
    float per = 1 / (float)(t->n + 1u);
    topics_count(b, t->tok, t->n, hits);
    for (unsigned i = 0; i < TOPIC_COUNT; i++) out[i] = root(hits[i], per);
}

void features_make(const struct brain *b, const struct text *t, const struct cues *c, struct features *out) {
    struct seen seen = {{0}};
    out->n = 0;
    words(out, &seen, t->system, t->system_n);
    words(out, &seen, t->tok, t->n);
    out->words = out->n;
    pairs(out, &seen, t->system, t->system_n, t->system_n);
    pairs(out, &seen, t->tok, t->n, t->cut);
    out->base = out->n;
    if (out->n > FEATURES_MAX - 160) out->n = out->base = FEATURES_MAX - 160; /* room for the marks of place */
    zone_features(out, &seen, t->system, t->system_n);
    zone_features(out, &seen, t->tok, t->n);
    shape_features(out, &seen, t);
    hand(t, out->dense);
    topic_numbers(b, t, out->dense + FEATURES_SHAPES);
    cue_numbers(c, out->dense + FEATURES_HAND);
}
