/* bpe_split: cuts text as the OpenAI encodings do before they merge anything. Private to bpe. */
#ifndef DRAY_CATALOG_BPE_SPLIT_H
#define DRAY_CATALOG_BPE_SPLIT_H

#include "catalog/bpe.h"

/* Classes of characters by code point, in blocks of 256 of which equal ones are kept once. */
struct bpe_classes {
    uint8_t index[0x110000 >> 8];
    uint8_t block[192][256];
};
void bpe_classes_fill(struct bpe_classes *c);

/* The end of the piece that begins at `p`; p < end. */
const unsigned char *bpe_next(const struct bpe_classes *c, enum bpe_encoding encoding, const unsigned char *p,
                              const unsigned char *end);

#endif
