/* sample: a few of many calls, to be labelled by people or a judge and learnt from.
 *
 * Stratified by task, model, tier and length: every kind of call gets as many places as any other that
 * has so many calls, so rare kinds are seen too; what each row stands for is its weight (calls of the stratum by
 * rows of it). One pass, memory bounded, the same logs give the same sample. Texts are redacted (base/redact.h)
 * and cut; they are written nowhere else. `dray learn`, `eval` and `calibrate` read the rows back (dataset.h). */
#ifndef DRAY_INSIGHT_SAMPLE_H
#define DRAY_INSIGHT_SAMPLE_H

#include "base/buf.h"
#include "facts/facts.h"
#include "facts/prompt.h"
#include "insight/log.h"

enum {
    SAMPLE_ROWS_MAX = 10000,
    SAMPLE_STRATA_MAX = 4096,      /* kinds of calls that are told apart; others are one kind */
    SAMPLE_TEXT_MAX = 32 << 10,    /* bytes of each text of a row at most; */
    SAMPLE_TEXT_LEAST = 2 << 10,   /* fewer when many rows are asked for, */
    SAMPLE_MEMORY_MAX = 128 << 20, /* so that all rows together stay below this */
    SAMPLE_LENGTHS = 4,
};

struct sample_call {
    const struct log_call *c;
    const struct log_place *at;
    const struct prompt *p;
    const struct facts *f;
    str provider, model, tier;
    uint32_t model_index, tier_index;
    int64_t input_tokens, output_tokens, cost; /* COST_UNKNOWN */
};

struct sample;
struct sample *sample_new(uint32_t rows);
void sample_free(struct sample *s);
/* Offers a call that has text. */
void sample_add(struct sample *s, const struct sample_call *x);

struct sample_stats {
    uint32_t rows, strata, missing; /* missing: strata without a row */
    uint64_t calls, missing_calls;  /* offered; of the missing strata */
    uint64_t redacted;              /* replacements in the rows */
};
void sample_stats(const struct sample *s, struct sample_stats *out);
/* Calls back for each line of the file ("{…}\n"). False when a callback said so. */
bool sample_lines(const struct sample *s, bool (*each)(void *ctx, str line), void *ctx);

#endif
