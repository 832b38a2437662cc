/* lexicon: finds the phrases of lexicon.def in a prompt.
 *
 * A phrase is a chain of token hashes; every prefix of a phrase is in one open-addressed table, so a walk
 * ends at the first token that continues nothing. A bitmap of first words (2 kB, stays in the first-level
 * cache) turns most tokens away before the table is touched. Two chains are walked from each place: the
 * free phrases, and, where a clause begins, the anchored ones. 32-bit hashes may collide with a word that
 * is not in the table once in some ten thousand words: a wrong hint, nothing worse. */
#include "brain/lexicon.def"
#include "base/err.h"
#include "brain/classify.h"
#include "brain/topics.def"

enum { ANCHORED = 0x5bd1e995, HEAD_TOKENS = 28, TAIL_TOKENS = 20 };

static const struct {
    uint8_t task;
    int8_t weight;
    const char *phrase;
} rows[] = {
#define X(task, weight, phrase) {TASK_##task, weight, phrase},
    LEXICON(X)
#undef X
};

static const struct {
    const char *name, *words;
} topics[] = {
#define X(name, words) {name, words},
    TOPICS(X)
#undef X
};
_Static_assert(sizeof topics / sizeof *topics == TOPIC_COUNT, "one counter per topic");

/* Behind these a clause begins as far as the anchor is concerned ("can you plan", "help me plan"). */
static const char softeners[] =
    "please pls kindly you to and then also now me us just must will lets let help bitte por favor "
    "auf ins il i'd";

/* Pronouns, articles, small verbs of some languages. */
static const char commons[] =
    "i you he she it we they me my your his her our us them this that these those the a an is am are was were be "
    "been have "
    "has had do did does dont im its ive ill youre thats and or but so if not no yes to of in on at for with from "
    "about just "
    "what who when where why how can could would should will there here very really good bad all some any more "
    "please ok "
    "ich du er sie wir ihr mein dein der die das ein eine ist bin sind war und oder aber nicht ja nein mir dir "
    "yo tu el ella nosotros mi su la los las un una es soy estoy esta y o pero si que me te de en con por "
    "je il elle nous vous mon ton le les des une suis est et ou mais pas oui "
    "eu ele ela nos meu seu os as um uma sou estou e mas nao sim io lui noi mio il lo gli sono sei ma non "
    "ja ty on ona my jest nie tak i w na";

static bool bit(const uint64_t *map, uint32_t h) { return map[h % LEXICON_BITS / 64] >> (h % 64) & 1; }
static void bit_set(uint64_t *map, uint32_t h) { map[h % LEXICON_BITS / 64] |= 1ull << (h % 64); }

static const struct lexicon_slot *find(const struct brain *b, uint32_t hash) {
    for (uint32_t i = hash % LEXICON_SLOTS;; i = (i + 1) % LEXICON_SLOTS) {
        if (b->hash[i] == hash) return &b->slot[i];
        if (!b->hash[i]) return NULL;
    }
}

static struct lexicon_slot *place(struct brain *b, uint32_t hash, unsigned *used) {
    uint32_t i = hash % LEXICON_SLOTS;
    while (b->hash[i] && b->hash[i] != hash) i = (i + 1) % LEXICON_SLOTS;
    if (!b->hash[i]) {
        invariant(++*used < LEXICON_SLOTS / 2);
        b->hash[i] = hash;
    }
    return &b->slot[i];
}

static void add(struct brain *b, unsigned row, unsigned *used) {
    str phrase = str_from(rows[row].phrase);
    uint32_t h = TEXT_CHAIN;
    if (str_starts(phrase, STR("^"))) {
        h = ANCHORED;
        phrase = str_skip(phrase, 1);
    }
    struct token tok[LEXICON_PHRASE_MAX];
    unsigned n = text_tokens(phrase, tok, LEXICON_PHRASE_MAX, NULL);
    invariant(n > 0);
    bit_set(b->first, tok[0].hash);
    for (unsigned i = 0; i < n; i++) {
        h = text_chain(h, tok[i].hash);
        struct lexicon_slot *s = place(b, h, used);
        if (i + 1 < n)
            s->more = true;
        else
            s->says = true, s->weight[rows[row].task] = rows[row].weight;
    }
}

const char *topic_name(unsigned i) { return i < TOPIC_COUNT ? topics[i].name : NULL; }

/* A word may stand in several topics: each has a slot of its own. */
static void add_topic(struct brain *b, unsigned topic, unsigned *used) {
    str rest = str_from(topics[topic].words), one;
    while (str_cut(&rest, ' ', &one)) {
        struct token tok[1];
        if (!one.n || text_tokens(one, tok, 1, NULL) != 1) continue;
        invariant(++*used < TOPIC_SLOTS / 2);
        uint32_t i = tok[0].hash % TOPIC_SLOTS;
        while (b->topic_hash[i]) i = (i + 1) % TOPIC_SLOTS;
        b->topic_hash[i] = tok[0].hash;
        b->topic[i] = (uint8_t)topic;
    }
}

void topics_count(const struct brain *b, const struct token *tok, unsigned n, uint16_t out[TOPIC_COUNT]) {
    memset(out, 0, TOPIC_COUNT * sizeof *out);
    for (unsigned k = 0; k < n; k++)
        for (uint32_t i = tok[k].hash % TOPIC_SLOTS; b->topic_hash[i]; i = (i + 1) % TOPIC_SLOTS)
            if (b->topic_hash[i] == tok[k].hash) out[b->topic[i]]++;
}

static void add_words(uint64_t *map, const char *words) {
    str rest = str_from(words), one;
    struct token tok[1];
    while (str_cut(&rest, ' ', &one))
        if (text_tokens(one, tok, 1, NULL) == 1) bit_set(map, tok[0].hash);
}

bool common_word(const struct brain *b, const struct text *t) {
    for (unsigned i = 0; i < t->n; i++)
        if (t->tok[i].kind == TOKEN_IDEOGRAPH || bit(b->common, t->tok[i].hash)) return true;
    return false;
}

const struct brain *brain_new(arena *a) {
    struct brain *b = arena_new(a, struct brain);
    unsigned used = 0;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) add(b, i, &used);
    used = 0;
    for (unsigned i = 0; i < TOPIC_COUNT; i++) add_topic(b, i, &used);
    add_words(b->softener, softeners);
    add_words(b->common, commons);
    return b;
}

enum zone text_zone(const struct text *t, unsigned i) {
    if (i < HEAD_TOKENS) return ZONE_HEAD;
    return i + TAIL_TOKENS >= t->n ? ZONE_TAIL : ZONE_MIDDLE;
}

/* The longest phrase from place `at` along one chain; its weights count once. Returns its length. */
static unsigned longest(const struct brain *b, const struct token *tok, unsigned n, unsigned at, uint32_t chain,
                        const struct lexicon_slot **hit) {
    unsigned length = 0;
    for (unsigned i = at; i < n; i++) {
        chain = text_chain(chain, tok[i].hash);
        const struct lexicon_slot *s = find(b, chain);
        if (!s) break;
        if (s->says) *hit = s, length = i + 1 - at;
        if (!s->more) break;
    }
    return length;
}

static void count(struct cues *c, const struct lexicon_slot *s, enum zone z, unsigned place) {
    for (unsigned k = 1; k <= CLASSIFY_TASKS; k++) {
        if (!s->weight[k]) continue;
        if (c->sum[z][k] < INT16_MAX - INT8_MAX) c->sum[z][k] = (int16_t)(c->sum[z][k] + s->weight[k]);
        if (z != ZONE_SYSTEM && c->first[k] == UINT16_MAX) c->first[k] = (uint16_t)place;
    }
}

static void walk(const struct brain *b, const struct text *t, const struct token *tok, unsigned n, bool system,
                 struct cues *c) {
    bool clause = true;
    for (unsigned i = 0; i < n; i++) {
        clause |= (tok[i].flags & TOKEN_CLAUSE) != 0;
        if (bit(b->first, tok[i].hash)) {
            enum zone z = system ? ZONE_SYSTEM : text_zone(t, i);
            const struct lexicon_slot *hit = NULL;
            longest(b, tok, n, i, TEXT_CHAIN, &hit);
            if (hit) count(c, hit, z, i);
            hit = NULL;
            if (clause && longest(b, tok, n, i, ANCHORED, &hit)) count(c, hit, z, i);
        }
        clause = bit(b->softener, tok[i].hash);
    }
}

void cues_find(const struct brain *b, const struct text *t, struct cues *out) {
    memset(out->sum, 0, sizeof out->sum);
    memset(out->first, 0xff, sizeof out->first);
    walk(b, t, t->tok, t->n, false, out);
    walk(b, t, t->system, t->system_n, true, out);
}
