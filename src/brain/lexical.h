/* lexical: how alike two texts are by their words, word pairs and character triples, each weighted by how rare it
 * is among the examples. Internal to brain/. */
#ifndef DRAY_BRAIN_LEXICAL_H
#define DRAY_BRAIN_LEXICAL_H

#include "base/arena.h"
#include "brain/words.h"

enum {
    GRAMS_MAX = 2 * WORDS_MAX + WORDS_TEXT_MAX, /* of one text: more there can't be */
    GRAMS_SLOTS = 4096,                         /* a power of two, at most half full */
    GRAM_KINDS = 2,                             /* words and pairs; triples: each with a length of its own */
};

/* The distinct grams of a text, by hash; the low bit is the kind. */
struct grams {
    unsigned n;
    uint32_t hash[GRAMS_MAX];
};

struct lexical; /* the examples' grams, inverted */

void grams_make(const struct words *w, struct grams *out);
/* Index of `n` examples. */
const struct lexical *lexical_build(const struct grams *example, uint32_t n, arena *a);
/* Mean of both kinds' cosines with each example: out[n], 0..1. */
void lexical_scores(const struct lexical *l, const struct grams *g, float *out);

#endif
