/* features: a prompt as numbers, for the learned heads. Internal to brain/ and to learning.
 *
 * Sparse: hashed words and word pairs of the system prompt and the last user turn ("base"), then marks of
 * place: words of the first and last tokens, the first words as a chain, shapes ("zone"). Each is a bucket
 * and a sign, present or not. Dense: lengths, shares and counts in fixed ranges, then what the lexicon found.
 * Only integer hashing, divisions and square roots: the same text gives the same features on every machine. */
#ifndef DRAY_BRAIN_FEATURES_H
#define DRAY_BRAIN_FEATURES_H

#include "brain/classify.h"

enum {
    FEATURES_READ_HEAD = 608, /* bytes of the last user turn that are read: its begin */
    FEATURES_READ_TAIL = 192, /* and its end */
    FEATURES_BITS = 17,       /* buckets of the shipped model: 2^17 */
    FEATURES_MAX = 1024,
    FEATURES_SHAPES = 40,                          /* handcrafted numbers */
    FEATURES_HAND = FEATURES_SHAPES + TOPIC_COUNT, /* and topics */
    FEATURES_CUES = 4 * CLASSIFY_TASKS,            /* lexicon: task by zone */
    FEATURES_DENSE = FEATURES_HAND + FEATURES_CUES,
    FEATURES_HEAD = 40, /* tokens with marks of place */
    FEATURES_TAIL = 25,
    FEATURES_PAIR_TOKENS = 320, /* tokens at the start of the turn that make pairs; the tail's do too */
};

struct features {
    uint32_t n, base, words;     /* all; of them base ones, which come first; of those, single words */
    uint32_t code[FEATURES_MAX]; /* hash; bit 31 is the sign, the low bits the bucket */
    float dense[FEATURES_DENSE];
};

void features_make(const struct brain *b, const struct text *t, const struct cues *c, struct features *out);
/* What a row of the model's table keeps of the word that owns it; 0 is never kept. */
static inline int8_t features_mark(uint32_t code) { return (int8_t)(code >> 24 & 0x7f); }
/* Name of a handcrafted number, for explanations. */
const char *features_hand_name(unsigned i);

#endif
