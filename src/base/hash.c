/* hash: CRC-32C, SipHash-1-3, xoshiro256**, UUIDv7. */
#include "base/hash.h"

#include "base/err.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* ---- CRC-32C ---- */

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_table_make(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0x82F63B78u ^ (c >> 1) : c >> 1;
        crc_table[i] = c;
    }
}

static uint32_t crc_soft(uint32_t c, const unsigned char *p, size_t n) {
    pthread_once(&crc_once, crc_table_make);
    while (n--) c = crc_table[(c ^ *p++) & 255] ^ (c >> 8);
    return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hard(uint32_t crc, const unsigned char *p, size_t n) {
    uint64_t c = crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        c = _mm_crc32_u64(c, w);
    }
    while (n--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return (uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc_hard(~crc, p, n);
#endif
    return ~crc_soft(~crc, p, n);
}

/* ---- SipHash-1-3 ---- */

/* For words and for vectors of them. */
#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIP_ROUND(v0, v1, v2, v3)                                                                                 \
    do {                                                                                                          \
        v0 += v1, v1 = ROTL(v1, 13) ^ v0, v0 = ROTL(v0, 32);                                                      \
        v2 += v3, v3 = ROTL(v3, 16) ^ v2;                                                                         \
        v0 += v3, v3 = ROTL(v3, 21) ^ v0;                                                                         \
        v2 += v1, v1 = ROTL(v1, 17) ^ v2, v2 = ROTL(v2, 32);                                                      \
    } while (0)

uint64_t siphash(const uint64_t key[2], const void *data, size_t n) {
    const unsigned char *p = data;
    uint64_t v0 = key[0] ^ 0x736f6d6570736575u, v1 = key[1] ^ 0x646f72616e646f6du;
    uint64_t v2 = key[0] ^ 0x6c7967656e657261u, v3 = key[1] ^ 0x7465646279746573u, w;
    for (size_t left = n; left >= 8; left -= 8, p += 8) {
        memcpy(&w, p, 8);
        v3 ^= w;
        SIP_ROUND(v0, v1, v2, v3);
        v0 ^= w;
    }
    w = (uint64_t)n << 56;
    if (n >= 8 && (n & 7)) { /* the rest, from the last eight bytes */
        uint64_t last;
        memcpy(&last, p + (n & 7) - 8, 8);
        w |= last >> (64 - 8 * (n & 7));
    } else {
        for (size_t i = 0; i < (n & 7); i++) w |= (uint64_t)p[i] << (8 * i);
    }
    v3 ^= w;
    SIP_ROUND(v0, v1, v2, v3);
    v0 ^= w;
    v2 ^= 0xff;
    for (int i = 0; i < 3; i++) SIP_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

/* Four lanes, as vectors of the compiler: with AVX2 an operation on all four is one instruction. */
typedef uint64_t lanes __attribute__((vector_size(32)));

/* Over `blocks` of 32 bytes. */
static inline __attribute__((always_inline)) void sip_lanes(const uint64_t key[2], const unsigned char *p,
                                                            size_t blocks, uint64_t out[4]) {
    const lanes each = {0, 1, 2, 3};
    lanes v0 = {0}, v1 = {0}, v2 = {0}, v3 = {0}, w;
    v0 += key[0] ^ 0x736f6d6570736575u, v1 += key[1] ^ 0x646f72616e646f6du;
    v2 += key[0] ^ 0x6c7967656e657261u, v3 += key[1] ^ 0x7465646279746573u;
    v1 ^= each;
    for (; blocks; blocks--, p += 32) {
        memcpy(&w, p, 32);
        v3 ^= w;
        SIP_ROUND(v0, v1, v2, v3);
        v0 ^= w;
    }
    for (int i = 0; i < 3; i++) SIP_ROUND(v0, v1, v2, v3);
    w = v0 ^ v1 ^ v2 ^ v3;
    memcpy(out, &w, 32);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void sip_lanes_avx2(const uint64_t key[2], const unsigned char *p,
                                                           size_t blocks, uint64_t out[4]) {
    sip_lanes(key, p, blocks, out);
}
#endif

uint64_t siphash_long(const uint64_t key[2], const void *data, size_t n) {
    if (n < SIPHASH_LANES_MIN) return siphash(key, data, n);
    const unsigned char *p = data;
    struct {
        uint64_t lane[4], length;
        unsigned char rest[32];
    } all = {.length = n};
    size_t blocks = n / 32;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        sip_lanes_avx2(key, p, blocks, all.lane);
    else
#endif
        sip_lanes(key, p, blocks, all.lane);
    memcpy(all.rest, p + blocks * 32, n % 32);
    return siphash(key, &all, sizeof all);
}

uint64_t fingerprint(str s) {
    static const uint64_t key[2] = {0x64726179206b6579u, 0x66696e6765727072u};
    return siphash(key, s.p, s.n);
}

/* ---- random ---- */

void random_bytes(void *p, size_t n) {
    for (size_t got = 0; got < n;) {
        ssize_t r = getrandom((char *)p + got, n - got, 0);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) panic("no random numbers from the system");
        got += (size_t)r;
    }
}

void rng_seed(struct rng *r, uint64_t seed) {
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t rng_next(struct rng *r) {
    uint64_t *s = r->s, out = ROTL(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = ROTL(s[3], 45);
    return out;
}

/* ---- UUIDv7 ---- */

void uuid_gen_init(struct uuid_gen *g) {
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    *g = (struct uuid_gen){0};
    rng_seed(&g->rng, seed);
}

/* Within one millisecond a 12-bit counter keeps the order; should it run over, or the clock step
 * back, the generator's own millisecond goes on from where it was. */
struct uuid uuid_v7(struct uuid_gen *g, uint64_t wall_us) {
    uint64_t ms = wall_us / 1000;
    if (ms > g->last_ms) {
        g->last_ms = ms;
        g->seq = (uint32_t)(rng_next(&g->rng) & 0x3ff);
    } else if (++g->seq > 0xfff) {
        g->last_ms++;
        g->seq = 0;
    }
    struct uuid u;
    uint64_t r = rng_next(&g->rng);
    for (int i = 0; i < 6; i++) u.b[i] = (uint8_t)(g->last_ms >> (40 - 8 * i));
    u.b[6] = (uint8_t)(0x70 | (g->seq >> 8));
    u.b[7] = (uint8_t)g->seq;
    for (int i = 0; i < 8; i++) u.b[8 + i] = (uint8_t)(r >> (8 * i));
    u.b[8] = (uint8_t)(0x80 | (u.b[8] & 0x3f));
    return u;
}

void uuid_format(char out[37], struct uuid u) {
    static const char hex[] = "0123456789abcdef";
    char *o = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *o++ = '-';
        *o++ = hex[u.b[i] >> 4];
        *o++ = hex[u.b[i] & 15];
    }
    *o = 0;
}

bool uuid_parse(str s, struct uuid *out) {
    if (s.n != 36) return false;
    size_t k = 0;
    for (size_t i = 0; i < 36; i++) {
        char c = s.p[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') return false;
            continue;
        }
        int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (d < 0) return false;
        out->b[k / 2] = (uint8_t)(k % 2 ? out->b[k / 2] | d : d << 4);
        k++;
    }
    return true;
}
