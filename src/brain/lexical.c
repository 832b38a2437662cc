/* lexical: an inverted index with integer weights.
 *
 * Weight of a gram: 1 + ln((1 + n) / (1 + examples that have it)). Both kinds of grams are vectors of their own,
 * of unit length; what no example has counts in the prompt's length, so that a long text which shares little with
 * an example is far from it. Numbers and identifiers count as whole words only: half of another order number is no
 * likeness. Sums are integers (example weights in 1/4096, rarity in 1/64): their order changes nothing. */
#include "brain/lexical.h"

#include "brain/semantic.h"

#include <math.h>

enum { WEIGHT_ONE = 4096, RARITY_ONE = 64 };
_Static_assert(GRAMS_MAX * 2 <= GRAMS_SLOTS, "the table of one text's grams is at most half full");

struct posting {
    uint16_t example, weight;
};
_Static_assert(SEMANTIC_EXAMPLES_MAX <= UINT16_MAX, "a posting names its example in 16 bits");

struct gram_slot {
    uint32_t first;
    uint16_t count, rarity;
};

struct lexical {
    uint32_t examples, mask;
    uint16_t unseen;      /* rarity of a gram that no example has */
    const uint32_t *hash; /* 0: free. Apart from the slots: a look that finds nothing stays in the cache */
    const struct gram_slot *slot;
    const struct posting *posting;
};

/* ---- grams of a text ---- */

static inline uint32_t mix(uint64_t x, uint32_t kind) {
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    uint32_t h = (uint32_t)(x >> 32) & ~1u;
    return h ? h | kind : 2 | kind;
}

static uint64_t word_hash(str w) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < w.n; i++) h = (h ^ (uint8_t)w.p[i]) * 0x100000001b3u;
    return h;
}

static inline void add(struct grams *g, uint32_t *seen, uint32_t hash) {
    uint32_t i = hash & (GRAMS_SLOTS - 1);
    while (seen[i] && seen[i] != hash) i = (i + 1) & (GRAMS_SLOTS - 1);
    if (seen[i]) return;
    seen[i] = hash;
    g->hash[g->n++] = hash;
}

/* Runs of three characters of " word ", each up to 21 bits. */
static void add_triples(struct grams *g, uint32_t *seen, str w) {
    uint64_t three = ' ';
    unsigned have = 1;
    for (size_t i = 0; i <= w.n;) {
        uint32_t c = i < w.n ? (uint8_t)w.p[i] : ' ';
        unsigned len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2; /* words.c makes whole characters */
        if (len > 1) {
            c &= 0x7fu >> len;
            for (unsigned k = 1; k < len && i + k < w.n; k++) c = c << 6 | ((uint8_t)w.p[i + k] & 63u);
        }
        three = (three << 21 | c) & 0x7fffffffffffffffu;
        if (++have >= 3) add(g, seen, mix(three, 1));
        i += len;
    }
}

void grams_make(const struct words *w, struct grams *out) {
    uint32_t seen[GRAMS_SLOTS] = {0};
    uint64_t before = 1;
    out->n = 0;
    for (unsigned i = 0; i < w->n; i++) {
        if (w->word[i].kind == WORD_MARK) continue;
        str text = word_text(w, i);
        uint64_t h = word_hash(text);
        add(out, seen, mix(h, 0));
        add(out, seen, mix(before * 0xff51afd7ed558ccdu ^ h, 0));
        if (w->word[i].kind == WORD_PLAIN) add_triples(out, seen, text);
        before = h;
    }
}

/* ---- the index ---- */

/* Natural logarithm of x >= 1 by operations that are the same on every machine. */
static double logarithm(double x) {
    int e;
    double m = frexp(x, &e); /* 0.5..1 */
    double z = (m - 0.75) / (m + 0.75), z2 = z * z, s = 0;
    for (int k = 15; k > 0; k -= 2) s = s * z2 + 1.0 / k;
    return 2 * z * s + 0.69314718055994531 * e - 0.28768207245178096; /* ln 0.75 */
}

static uint16_t rarity(uint32_t examples, uint32_t have) {
    return (uint16_t)((1 + logarithm((1.0 + examples) / (1.0 + have))) * RARITY_ONE + 0.5);
}

static inline uint32_t place_of(const uint32_t *table, uint32_t mask, uint32_t hash) {
    uint32_t i = (hash >> 1) & mask;
    while (table[i] && table[i] != hash) i = (i + 1) & mask;
    return i;
}

/* Lengths of a text's two kinds of grams, in RARITY_ONE. */
static void lengths(const uint64_t square[GRAM_KINDS], double out[GRAM_KINDS]) {
    for (unsigned k = 0; k < GRAM_KINDS; k++) out[k] = square[k] ? sqrt((double)square[k]) : 1;
}

static void add_postings(const struct lexical *l, struct gram_slot *slot, const struct grams *g, uint16_t example,
                         struct posting *posting) {
    uint64_t square[GRAM_KINDS] = {0};
    double length[GRAM_KINDS];
    for (unsigned k = 0; k < g->n; k++) {
        uint32_t r = slot[place_of(l->hash, l->mask, g->hash[k])].rarity;
        square[g->hash[k] & 1] += r * r;
    }
    lengths(square, length);
    for (unsigned k = 0; k < g->n; k++) {
        struct gram_slot *s = &slot[place_of(l->hash, l->mask, g->hash[k])];
        double w = s->rarity / length[g->hash[k] & 1] * WEIGHT_ONE + 0.5;
        posting[s->first + s->count++] = (struct posting){example, (uint16_t)w};
    }
}

const struct lexical *lexical_build(const struct grams *example, uint32_t n, arena *a) {
    uint32_t total = 0, size = 64, first = 0;
    for (uint32_t i = 0; i < n; i++) total += example[i].n;
    while (size < total * 2) size *= 2; /* most grams are rare: close to what is needed */
    uint32_t *hash = arena_array(a, uint32_t, size);
    struct gram_slot *slot = arena_array(a, struct gram_slot, size);
    struct posting *posting = arena_array(a, struct posting, total ? total : 1);
    for (uint32_t i = 0; i < n; i++)
        for (unsigned k = 0; k < example[i].n; k++) {
            uint32_t at = place_of(hash, size - 1, example[i].hash[k]);
            hash[at] = example[i].hash[k];
            slot[at].count++;
        }
    for (uint32_t i = 0; i < size; i++) {
        if (!hash[i]) continue;
        slot[i].first = first;
        slot[i].rarity = rarity(n, slot[i].count);
        first += slot[i].count;
        slot[i].count = 0;
    }
    struct lexical *l = arena_new(a, struct lexical);
    *l = (struct lexical){
        .examples = n, .mask = size - 1, .unseen = rarity(n, 0), .hash = hash, .slot = slot, .posting = posting};
    for (uint32_t i = 0; i < n; i++) add_postings(l, slot, &example[i], (uint16_t)i, posting);
    return l;
}

void lexical_scores(const struct lexical *l, const struct grams *g, float *out) {
    int32_t sum[GRAM_KINDS][SEMANTIC_EXAMPLES_MAX];
    uint64_t square[GRAM_KINDS] = {0};
    double length[GRAM_KINDS];
    for (unsigned k = 0; k < GRAM_KINDS; k++) memset(sum[k], 0, l->examples * sizeof **sum);
    for (unsigned i = 0; i < g->n; i++) {
        uint32_t h = g->hash[i], at = place_of(l->hash, l->mask, h), kind = h & 1, r = l->unseen;
        if (l->hash[at]) {
            const struct gram_slot *s = &l->slot[at];
            const struct posting *p = l->posting + s->first, *end = p + s->count;
            int32_t *to = sum[kind];
            r = s->rarity;
            for (; p < end; p++) to[p->example] += (int32_t)(p->weight * r);
        }
        square[kind] += r * r;
    }
    lengths(square, length);
    double one[GRAM_KINDS] = {1 / (length[0] * GRAM_KINDS * WEIGHT_ONE),
                              1 / (length[1] * GRAM_KINDS * WEIGHT_ONE)};
    for (uint32_t i = 0; i < l->examples; i++) out[i] = (float)(sum[0][i] * one[0] + sum[1][i] * one[1]);
}
