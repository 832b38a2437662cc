/* hash: checksums, keyed hashes, random numbers, identifiers. */
#ifndef DRAY_BASE_HASH_H
#define DRAY_BASE_HASH_H

#include "base/str.h"

/* CRC-32C (Castagnoli, RFC 3720 B.4), hardware where the CPU has it; start with crc = 0. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* SipHash-1-3, 64 bits (Aumasson, Bernstein 2012): keyed, so that short inputs can't be guessed
 * without the key. */
uint64_t siphash(const uint64_t key[2], const void *p, size_t n);
/* The same strength for long data at a multiple of the speed: below SIPHASH_LANES_MIN bytes siphash itself; else
 * four lanes of SipHash-1-3, each over every fourth word, and siphash over what the lanes give, the rest and the
 * length (as SipTreeHash of "Fast keyed hash/pseudo-random function using SIMD multiply and permute", 2016, does).
 */
enum { SIPHASH_LANES_MIN = 256 };
uint64_t siphash_long(const uint64_t key[2], const void *p, size_t n);
/* Unkeyed, fast, stable across machines and versions: fingerprints of templates and duplicates.
 * SipHash-1-3 under a fixed key. */
uint64_t fingerprint(str s);

/* Fills from the system's random source; stops the process if there is none. */
void random_bytes(void *p, size_t n);
/* xoshiro256** (Blackman, Vigna 2018): fast, not for secrets. */
struct rng {
    uint64_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);

/* 16 bytes of UUIDv7 (RFC 9562): 48 bits of milliseconds, then a counter and random bits, so that
 * identifiers made by one generator sort by creation. One generator per thread. */
struct uuid {
    uint8_t b[16];
};
struct uuid_gen {
    struct rng rng;
    uint64_t last_ms;
    uint32_t seq;
};
void uuid_gen_init(struct uuid_gen *g);
struct uuid uuid_v7(struct uuid_gen *g, uint64_t wall_us);
/* "018f…-…" 36 characters and a NUL. */
void uuid_format(char out[37], struct uuid u);
bool uuid_parse(str s, struct uuid *out);

#endif
