/* keyset: see keyset.h.
 *
 * 64 open-addressed tables, picked by the key's top bits, each growing by itself, so that growing
 * never needs more than a 64th of the memory twice: 16 bytes a slot, at most two thirds full. The
 * filter is blocked: one cache line of 512 bits a key, 6 bits in it. */
#include "insight/keyset.h"

#include "base/err.h"

#include <math.h>
#include <stdlib.h>

enum { SHARDS = 64, FIRST_SLOTS = 64, FILTER_BITS_LOG2 = 28, FILTER_PROBES = 6 };

struct slot {
    uint64_t key, payload; /* key 0: free */
};
struct shard {
    struct slot *slot;
    uint64_t cap, n; /* cap is a power of two */
};
struct keyset {
    struct shard shard[SHARDS];
    uint64_t n, max, overflow, bits_set;
    uint64_t *filter;
};

struct keyset *keyset_new(uint64_t exact_max) {
    struct keyset *k = xcalloc(1, sizeof *k);
    k->max = exact_max;
    return k;
}

void keyset_free(struct keyset *k) {
    if (!k) return;
    for (unsigned i = 0; i < SHARDS; i++) free(k->shard[i].slot);
    free(k->filter);
    free(k);
}

static struct slot *probe(const struct shard *s, uint64_t key) {
    uint64_t i = (key * 0x9E3779B97F4A7C15u >> 20) & (s->cap - 1);
    while (s->slot[i].key != 0 && s->slot[i].key != key) i = (i + 1) & (s->cap - 1);
    return &s->slot[i];
}

static void grow(struct shard *s) {
    struct shard bigger = {.cap = s->cap ? s->cap * 2 : FIRST_SLOTS, .n = s->n};
    bigger.slot = xcalloc(bigger.cap, sizeof *bigger.slot);
    for (uint64_t i = 0; i < s->cap; i++)
        if (s->slot[i].key) *probe(&bigger, s->slot[i].key) = s->slot[i];
    free(s->slot);
    *s = bigger;
}

/* Puts a key into the filter; whether it was not in it before. */
static bool filter_put(struct keyset *k, uint64_t key) {
    if (!k->filter) k->filter = xcalloc((uint64_t)1 << (FILTER_BITS_LOG2 - 6), sizeof *k->filter);
    uint64_t *line = k->filter + (key >> (64 - (FILTER_BITS_LOG2 - 9))) * 8;
    uint64_t h = key * 0x9E3779B97F4A7C15u;
    bool fresh = false;
    for (unsigned i = 0; i < FILTER_PROBES; i++, h >>= 9) {
        uint64_t bit = (uint64_t)1 << (h & 63), *w = &line[h >> 6 & 7];
        if (*w & bit) continue;
        *w |= bit;
        k->bits_set++;
        fresh = true;
    }
    return fresh;
}

uint64_t *keyset_put(struct keyset *k, uint64_t key, bool *fresh) {
    if (key == 0) key = 1;
    struct shard *s = &k->shard[key >> 58];
    struct slot *at = s->cap ? probe(s, key) : NULL;
    *fresh = !at || at->key == 0;
    if (!*fresh) return &at->payload;
    if (k->n >= k->max) {
        *fresh = filter_put(k, key);
        k->overflow += *fresh;
        return NULL;
    }
    if ((s->n + 1) * 3 > s->cap * 2) {
        grow(s);
        at = probe(s, key);
    }
    s->n++;
    k->n++;
    *at = (struct slot){key, 0};
    return &at->payload;
}

uint64_t keyset_count(const struct keyset *k) { return k->n; }
uint64_t keyset_overflow(const struct keyset *k) { return k->overflow; }
double keyset_error(const struct keyset *k) {
    double share = (double)k->bits_set / (double)((uint64_t)1 << FILTER_BITS_LOG2);
    return k->overflow ? pow(share, FILTER_PROBES) : 0;
}
