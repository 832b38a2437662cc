/* count: tokens of logged texts, counted exactly where the model's encoding is known (catalog/bpe.h), beside
 * what the estimate (chat/tokens.h) says of the same texts, so that its error is seen. */
#ifndef DRAY_INSIGHT_COUNT_H
#define DRAY_INSIGHT_COUNT_H

#include "catalog/bpe.h"
#include "chat/tokens.h"
#include "insight/log.h"
#include "insight/models.h"

enum { COUNT_CHECKS_MAX = 2000 }; /* calls with a provider's count that are counted, too, to compare */

/* One side against the other, over calls. */
struct count_error {
    uint64_t calls, said, is; /* tokens */
    double relative;          /* sum over calls of |said - is| / is */
};

struct count {
    struct bpe *bpe[BPE_NONE];
    arena scratch;
    uint64_t counted,
        inexact; /* calls; of which something in them can't be counted (tools, images, hidden reasoning) */
    struct count_error estimate; /* the estimate against the exact count of the same texts */
    struct count_error provider; /* the exact count of the input against the provider's */
};

/* Loads the rank files; false with a reason when one is missing. */
bool count_init(struct count *k, err *e);
void count_free(struct count *k);

struct counted {
    uint64_t in, out;
    bool in_exact, out_exact; /* all that the provider counts is in the texts */
};
/* Counts a call's texts; false when the model's encoding isn't known. */
bool count_call(struct count *k, const struct model *m, const struct log_call *c, struct counted *out);
/* Compares what was counted with what the provider said. */
void count_check(struct count *k, const struct counted *n, int64_t provider_input);

#endif
