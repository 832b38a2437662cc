/* What every fuzzer needs. A property that fails aborts, so that libFuzzer keeps the input. */
#ifndef DRAY_FUZZ_H
#define DRAY_FUZZ_H

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x) ((x) ? (void)0 : must_failed(__FILE__, __LINE__, #x))
_Noreturn static inline void must_failed(const char *file, int line, const char *text) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    abort();
}

/* Lengths of pieces, drawn from a seed that is part of the input. */
struct cuts {
    uint32_t seed;
};
static inline size_t cut(struct cuts *c, size_t left) {
    c->seed = c->seed * 1664525u + 1013904223u;
    size_t n = c->seed >> 24;
    n = n < 128 ? 1 + n % 4 : n < 224 ? n % 32 : n * 4; /* mostly tiny, sometimes none, sometimes all */
    return n < left ? n : left;
}
/* The first two bytes of the input choose the cuts. */
static inline struct cuts take_cuts(str *in) {
    struct cuts c = {0};
    if (in->n >= 2) {
        c.seed = (uint32_t)((unsigned char)in->p[0] << 8 | (unsigned char)in->p[1]);
        *in = str_skip(*in, 2);
    }
    return c;
}

/* Memory of exactly these bytes: a read beyond shows. */
static inline char *exact(const char *p, size_t n) {
    char *copy = malloc(n ? n : 1);
    if (!copy) abort();
    if (n) memcpy(copy, p, n);
    return copy;
}

#endif
