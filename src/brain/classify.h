/* classify: the tables of the classifier and what it finds. Internal to brain/. */
#ifndef DRAY_BRAIN_CLASSIFY_H
#define DRAY_BRAIN_CLASSIFY_H

#include "base/arena.h"
#include "brain/text.h"
#include "facts/facts.h"

enum {
    CLASSIFY_TASKS = TASK_SYNTHESIZE, /* the tasks that text can ask for are 1..CLASSIFY_TASKS */
    LEXICON_SLOTS = 8192,             /* a power of two, at most half full */
    LEXICON_BITS = 16384,             /* first words, hashed: most tokens end here */
    LEXICON_PHRASE_MAX = 6,           /* tokens of a phrase */
    TOPIC_SLOTS = 2048,               /* a power of two, at most half full */
    TOPIC_COUNT = 24,
};

/* Where in the prompt a phrase stands: begin of the turn, its end, between, system prompt. */
enum zone { ZONE_HEAD, ZONE_TAIL, ZONE_MIDDLE, ZONE_SYSTEM, ZONES };

struct lexicon_slot {
    bool more; /* longer phrases begin so */
    bool says; /* it is a phrase itself */
    int8_t weight[CLASSIFY_TASKS + 1];
};

struct brain {
    uint32_t hash[LEXICON_SLOTS]; /* of the phrase so far; 0: free. Apart from the slots: stays in the cache */
    struct lexicon_slot slot[LEXICON_SLOTS];
    uint64_t first[LEXICON_BITS / 64];
    uint32_t topic_hash[TOPIC_SLOTS];
    uint8_t topic[TOPIC_SLOTS];
    uint64_t softener[LEXICON_BITS / 64]; /* words behind which a clause begins */
    uint64_t common[LEXICON_BITS / 64];   /* words of any sentence: without one there is no talk */
};

/* Sums of weights by zone and task, each phrase at its places. */
struct cues {
    int16_t sum[ZONES][CLASSIFY_TASKS + 1];
    uint16_t first[CLASSIFY_TASKS + 1]; /* place of the first phrase that speaks for the task, 65535 none */
};

/* Name of a topic, NULL past the end. */
const char *topic_name(unsigned i);
/* Hits of each topic among the tokens. */
void topics_count(const struct brain *b, const struct token *tok, unsigned n, uint16_t out[TOPIC_COUNT]);
/* Builds the tables in `a`. */
const struct brain *brain_new(arena *a);
/* Whether any token is a word that sentences are made of. */
bool common_word(const struct brain *b, const struct text *t);
void cues_find(const struct brain *b, const struct text *t, struct cues *out);
/* The zone of a place in the user turn. */
enum zone text_zone(const struct text *t, unsigned place);

#endif
