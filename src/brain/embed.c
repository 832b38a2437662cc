/* embed: from words to a vector.
 *
 * Word pieces are found greedily, longest first, through one hash table of all names: the hashes of all prefixes
 * of what is left of a word are made in one go, then looked up from the longest on (no longer than the longest
 * name that begins with that byte). A unigram table takes the split with the best sum of log probabilities
 * instead. Names are told apart by 48 bits of hash, length and place; a table with two that are alike is refused.
 *
 * The weights of pieces (rare ones count more) are inside the rows. Sums are integers, so they don't depend on the
 * machine; the vector is scaled to 8 bits and kept in 16, which is what SSE2 multiplies. */
#include "brain/embed.h"

#include "base/hash.h"

#include <math.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct embed_slot {
    uint32_t hash, id;
    uint16_t more;          /* of the hash */
    uint8_t len, continues; /* len 0: free */
};

#define HASH_START 0xcbf29ce484222325u
#define HASH_CONTINUES 0x9ae16a3b2f90404fu
enum { COMPACT_HEAD = 20, SUM_BLOCK = 256 };

static inline uint64_t hash_step(uint64_t h, uint8_t c) { return (h ^ c) * 0x100000001b3u; }
static inline uint64_t hash_start(bool continues) { return continues ? HASH_CONTINUES : HASH_START; }
static inline uint64_t hash_mix(uint64_t h) {
    h ^= h >> 32;
    return h * 0x9e3779b97f4a7c15u;
}

/* `h` is mixed: its high half names the slot and the hash, 16 bits of its low half the rest. */
static inline bool is_slot(const struct embed_slot *s, uint64_t h, unsigned len, bool continues) {
    return s->hash == (uint32_t)(h >> 32) && s->more == (uint16_t)(h >> 16) && s->len == len &&
           s->continues == continues;
}

static const struct embed_slot *find(const struct embed *t, uint64_t hash, unsigned len, bool continues) {
    uint64_t h = hash_mix(hash);
    for (uint32_t i = (uint32_t)(h >> 32) & t->mask; t->slot[i].len; i = (i + 1) & t->mask)
        if (is_slot(&t->slot[i], h, len, continues)) return &t->slot[i];
    return NULL;
}

/* ---- tables ---- */

bool embed_index(struct embed *t, const struct embed_name *name, uint32_t n, arena *a, err *e) {
    uint32_t size = 64;
    while (size < n * 2) size *= 2;
    struct embed_slot *slot = arena_zalloc(a, size * sizeof *slot);
    t->slot = slot;
    t->mask = size - 1;
    memset(t->longest, 0, sizeof t->longest);
    for (uint32_t i = 0; i < n; i++) {
        str s = name[i].text;
        bool continues = name[i].continues;
        if (!s.n || s.n > EMBED_PIECE_BYTES) continue; /* never found, as a special piece */
        uint64_t h = hash_start(continues);
        for (size_t k = 0; k < s.n; k++) h = hash_step(h, (uint8_t)s.p[k]);
        if (find(t, h, (unsigned)s.n, continues)) return fail(e, "piece %u is there twice", i);
        h = hash_mix(h);
        uint8_t *longest = &t->longest[continues][(uint8_t)s.p[0]];
        if (s.n > *longest) *longest = (uint8_t)s.n;
        uint32_t at = (uint32_t)(h >> 32) & t->mask;
        while (slot[at].len) at = (at + 1) & t->mask;
        slot[at] = (struct embed_slot){(uint32_t)(h >> 32), i, (uint16_t)(h >> 16), (uint8_t)s.n, continues};
    }
    return true;
}

static uint32_t u32_at(str s, size_t at) {
    const unsigned char *p = (const unsigned char *)s.p + at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool embed_open(str block, arena *a, struct embed *out, err *e) {
    *out = (struct embed){.kind = EMBED_WORDPIECE, .fold = FOLD_ALL};
    if (block.n < COMPACT_HEAD + 4 || !str_starts(block, STR("DSE1"))) return fail(e, "not an embedding table");
    uint32_t n = u32_at(block, 4), dims = u32_at(block, 8), names = u32_at(block, 12);
    if (!n || n > EMBED_PIECES_MAX || !dims || dims > EMBED_DIMS_MAX || (uint64_t)n * dims > EMBED_ROWS_MAX)
        return fail(e, "an embedding table of %u pieces x %u is more than is read", n, dims);
    if (block.n != COMPACT_HEAD + 4 + (uint64_t)n + names + (uint64_t)n * dims)
        return fail(e, "the embedding table is cut, or not one");
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < block.n - 4; i++) sum = (sum ^ (uint8_t)block.p[i]) * 16777619u;
    if (sum != u32_at(block, block.n - 4)) return fail(e, "the embedding table is damaged: its checksum is wrong");
    struct embed_name *name = arena_array(a, struct embed_name, n);
    const uint8_t *len = (const uint8_t *)block.p + COMPACT_HEAD;
    const char *p = block.p + COMPACT_HEAD + n, *end = p + names;
    for (uint32_t i = 0; i < n; i++) {
        size_t l = len[i] & 127u;
        if ((size_t)(end - p) < l) return fail(e, "the embedding table's names are cut");
        name[i] = (struct embed_name){str_make(p, l), len[i] >> 7};
        p += l;
    }
    out->pieces = n;
    out->dims = dims;
    out->row = (const int8_t *)end;
    out->version = fingerprint(block);
    return embed_index(out, name, n, a, e);
}

/* ---- pieces ---- */

/* Pieces of one word; 0 when a part of it is unknown. */
static unsigned wordpiece(const struct embed *t, str w, uint32_t *out, unsigned max) {
    uint64_t prefix[WORD_BYTES_MAX + 1];
    unsigned n = 0;
    for (size_t a = 0; a < w.n && n < max;) {
        bool continues = a > 0;
        unsigned longest = t->longest[continues][(uint8_t)w.p[a]];
        unsigned len = (unsigned)(w.n - a) < longest ? (unsigned)(w.n - a) : longest;
        uint64_t h = hash_start(continues);
        for (unsigned i = 0; i < len; i++) prefix[i + 1] = h = hash_step(h, (uint8_t)w.p[a + i]);
        const struct embed_slot *hit = NULL;
        for (; len && !hit; len--) hit = find(t, prefix[len], len, continues);
        if (!hit) return 0;
        out[n++] = hit->id;
        a += hit->len;
    }
    return n;
}

/* The best split of a word by the pieces' log probabilities; what has no piece costs `unknown` a byte and gives
 * none. `w` begins with the mark of a word's begin where there is white space. */
static unsigned unigram(const struct embed *t, str w, uint32_t *out, unsigned max) {
    struct {
        float best;
        uint32_t id;
        uint16_t from;
    } at[WORD_BYTES_MAX + 4];
    uint32_t pieces[WORD_BYTES_MAX + 4];
    for (size_t i = 1; i <= w.n; i++) at[i].best = -INFINITY;
    at[0].best = 0;
    for (size_t a = 0; a < w.n; a++) {
        unsigned longest = t->longest[0][(uint8_t)w.p[a]];
        unsigned len = (unsigned)(w.n - a) < longest ? (unsigned)(w.n - a) : longest;
        uint64_t h = hash_start(false);
        if (at[a].best + t->unknown > at[a + 1].best) {
            at[a + 1].best = at[a].best + t->unknown;
            at[a + 1].id = UINT32_MAX;
            at[a + 1].from = (uint16_t)a;
        }
        for (unsigned i = 0; i < len; i++) {
            h = hash_step(h, (uint8_t)w.p[a + i]);
            const struct embed_slot *hit = find(t, h, i + 1, false);
            float s = hit ? at[a].best + t->score[hit->id] : -INFINITY;
            if (s <= at[a + i + 1].best) continue;
            at[a + i + 1].best = s;
            at[a + i + 1].id = hit->id;
            at[a + i + 1].from = (uint16_t)a;
        }
    }
    unsigned n = 0, given = 0;
    for (size_t i = w.n; i > 0; i = at[i].from)
        if (at[i].id != UINT32_MAX) pieces[n++] = at[i].id;
    while (n && given < max) out[given++] = pieces[--n];
    return given;
}

static unsigned word_pieces(const struct embed *t, const struct words *w, unsigned i, uint32_t *out,
                            unsigned max) {
    const struct word *x = &w->word[i];
    if (x->chars > EMBED_WORD_CHARS) return 0;
    if (t->kind == EMBED_WORDPIECE) return wordpiece(t, word_text(w, i), out, max);
    char marked[WORD_BYTES_MAX + 3];
    size_t n = 0;
    if (x->spaced) memcpy(marked, "\xE2\x96\x81", n = 3);
    memcpy(marked + n, w->text + x->at, x->len);
    return unigram(t, str_make(marked, n + x->len), out, max);
}

unsigned embed_pieces(const struct embed *t, str plain, struct words *w, uint32_t *out, unsigned max) {
    unsigned n = 0;
    words_split(plain, (enum fold)t->fold, w);
    for (unsigned i = 0; i < w->n && n < max; i++) n += word_pieces(t, w, i, out + n, max - n);
    return n;
}

/* ---- vectors ---- */

typedef int8_t row_part __attribute__((vector_size(16), aligned(1)));
typedef int16_t sum_part __attribute__((vector_size(32), aligned(16)));

static inline void add_row(const int8_t *row, unsigned dims, int16_t *sum) {
    unsigned k = 0;
    for (; k + 16 <= dims; k += 16)
        *(sum_part *)(sum + k) += __builtin_convertvector(*(const row_part *)(row + k), sum_part);
    for (; k < dims; k++) sum[k] = (int16_t)(sum[k] + row[k]);
}

static void sum_rows(const struct embed *t, const uint32_t *id, unsigned n, int32_t *sum) {
    _Alignas(16) int16_t part[EMBED_DIMS_MAX]; /* SUM_BLOCK * 127 fits */
    memset(sum, 0, t->dims * sizeof *sum);
    for (unsigned a = 0; a < n; a += SUM_BLOCK) {
        unsigned b = a + SUM_BLOCK < n ? a + SUM_BLOCK : n;
        memset(part, 0, t->dims * sizeof *part);
        for (unsigned i = a; i < b; i++) add_row(t->row + (size_t)id[i] * t->dims, t->dims, part);
        for (unsigned k = 0; k < t->dims; k++) sum[k] += part[k];
    }
}

void embed_words(const struct embed *t, const struct words *w, struct embed_vector *out) {
    uint32_t id[EMBED_READ_MAX];
    int32_t sum[EMBED_DIMS_MAX], most = 0;
    unsigned n = 0, lanes = embed_lanes(t);
    for (unsigned i = 0; i < w->n && n < EMBED_READ_MAX; i++)
        if (w->word[i].kind != WORD_CODE) n += word_pieces(t, w, i, id + n, EMBED_READ_MAX - n);
    sum_rows(t, id, n, sum);
    for (unsigned k = 0; k < t->dims; k++) {
        int32_t x = sum[k] < 0 ? -sum[k] : sum[k];
        if (x > most) most = x;
    }
    memset(out->v, 0, lanes * sizeof *out->v);
    out->inverse = 0;
    if (!most) return;
    int64_t square = 0;
    for (unsigned k = 0; k < t->dims; k++) {
        int32_t x = sum[k] * 127, half = most / 2;
        out->v[k] = (int16_t)((x + (x < 0 ? -half : half)) / most);
        square += (int64_t)out->v[k] * out->v[k];
    }
    out->inverse = (float)(1 / sqrt((double)square));
}

int32_t embed_dot(const int16_t *x, const int16_t *y, unsigned lanes) {
#ifdef __SSE2__
    __m128i a = _mm_setzero_si128(), b = a;
    for (unsigned i = 0; i < lanes; i += 16) {
        a = _mm_add_epi32(a, _mm_madd_epi16(_mm_loadu_si128((const __m128i *)(x + i)),
                                            _mm_loadu_si128((const __m128i *)(y + i))));
        b = _mm_add_epi32(b, _mm_madd_epi16(_mm_loadu_si128((const __m128i *)(x + i + 8)),
                                            _mm_loadu_si128((const __m128i *)(y + i + 8))));
    }
    a = _mm_add_epi32(a, b);
    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0xb1));
    return _mm_cvtsi128_si32(a);
#else
    int32_t sum = 0;
    for (unsigned i = 0; i < lanes; i++) sum += x[i] * y[i];
    return sum;
#endif
}
