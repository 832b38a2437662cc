/* keyset: many 64-bit keys with 64 bits of payload each, exact up to a stated number and bounded
 * beyond: when it is full, unknown keys go into a Bloom filter instead, which answers "seen before"
 * wrongly with a probability that is told.
 *
 * Keys are fingerprints; kinds (duplicates, prompts, templates) share one set by mixing a salt in. */
#ifndef DRAY_INSIGHT_KEYSET_H
#define DRAY_INSIGHT_KEYSET_H

#include <stdbool.h>
#include <stdint.h>

enum { KEYSET_EXACT_MAX = 5000000 };

struct keyset;
struct keyset *keyset_new(uint64_t exact_max);
void keyset_free(struct keyset *k);
/* The payload of a key, which is put in with payload 0 when it is new (*fresh). NULL: the set is full
 * and the key isn't in it; then *fresh tells what the filter says (and the filter has it from now on). */
uint64_t *keyset_put(struct keyset *k, uint64_t key, bool *fresh);
uint64_t keyset_count(const struct keyset *k);    /* exact keys */
uint64_t keyset_overflow(const struct keyset *k); /* keys that went to the filter */
/* Probability that the filter calls a new key seen, as it is filled now; 0 before it is used. */
double keyset_error(const struct keyset *k);

#endif
