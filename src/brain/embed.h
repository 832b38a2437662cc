/* embed: static sentence embeddings: a text's word pieces, and the sum of their int8 rows. No transformer, no I/O,
 * no allocation after the table was opened. Internal to brain/ and to whoever loads tables.
 *
 * A table comes in two forms: the compact one of script/distill (below), or model2vec's `model.safetensors` with
 * its `tokenizer.json` (embed_import). Compact, little endian:
 *   "DSE1", u32 pieces, u32 dims, u32 bytes of names, f32 scale; u8 length of each name (bit 7: it continues a
 *   word); the names; int8 rows[pieces][dims]; u32 FNV-1a of all before. */
#ifndef DRAY_BRAIN_EMBED_H
#define DRAY_BRAIN_EMBED_H

#include "base/arena.h"
#include "base/err.h"
#include "brain/words.h"

enum {
    EMBED_DIMS_MAX = 512,
    EMBED_PIECES_MAX = 1 << 20,
    EMBED_ROWS_MAX = 160 << 20, /* bytes of all rows as int8 */
    EMBED_FILE_MAX = 640 << 20, /* bytes of a model.safetensors */
    EMBED_TOKENIZER_MAX = 64 << 20,
    EMBED_READ_MAX = 512,    /* pieces of one text */
    EMBED_WORD_CHARS = 100,  /* longer words are unknown, as in BERT */
    EMBED_PIECE_BYTES = 127, /* of one piece's name */
    EMBED_LANES = 16,        /* rows of a vector are padded to a multiple of this */
};

enum embed_kind { EMBED_WORDPIECE, EMBED_UNIGRAM };

struct embed_slot; /* embed.c: hash table of names */

struct embed {
    uint32_t pieces, dims;
    uint8_t kind; /* enum embed_kind */
    uint8_t fold; /* enum fold */
    const int8_t *row;
    const struct embed_slot *slot;
    uint32_t mask;
    uint8_t longest[2][256]; /* bytes of the longest name by its first byte: of a word's begin, of what follows */
    const float *score;      /* EMBED_UNIGRAM: log probability of each piece */
    float unknown;           /* and of a character that has none */
    uint64_t version;        /* fingerprint of the table */
};

/* A vector of unit length, as integers: cosine = dot * inverse * inverse of the other. */
struct embed_vector {
    int16_t v[EMBED_DIMS_MAX];
    float inverse; /* 1 / length; 0: the text has no known piece */
};

/* Opens a compact table; `block` must outlive `out`. Refuses what is cut, foreign or damaged. */
bool embed_open(str block, arena *a, struct embed *out, err *e);
/* Builds a table of model2vec's two files (word-piece or unigram tokenizers); copies all it needs into `a`. */
bool embed_import(str safetensors, str tokenizer, arena *a, struct embed *out, err *e);
/* The pieces of a text; at most `max`. `w` is scratch. */
unsigned embed_pieces(const struct embed *t, str plain, struct words *w, uint32_t *out, unsigned max);
/* The same of words already split (with t->fold). Words with a digit say nothing and are left out. */
void embed_words(const struct embed *t, const struct words *w, struct embed_vector *out);
/* Padded number of lanes of a vector. */
static inline unsigned embed_lanes(const struct embed *t) {
    return (t->dims + EMBED_LANES - 1) / EMBED_LANES * EMBED_LANES;
}
int32_t embed_dot(const int16_t *x, const int16_t *y, unsigned lanes);

/* ---- for the importer ---- */
struct embed_name {
    str text;
    bool continues;
};
/* Makes the hash table of `n` names. False when two are alike. */
bool embed_index(struct embed *t, const struct embed_name *name, uint32_t n, arena *a, err *e);

#endif
