/* multiplier: how many tokens a model's own tokenizer makes of what the class-based estimate (chat/tokens.h) calls
 * one, learnt from the usage that providers report. Each worker learns for itself; metrics show all of it
 * together.
 *
 * Only calls that are text and nothing else teach: what tools and pictures cost is no matter of the tokenizer. */
#ifndef DRAY_GATEWAY_MULTIPLIER_H
#define DRAY_GATEWAY_MULTIPLIER_H

#include "base/buf.h"
#include "base/str.h"

#include <stdatomic.h>

enum {
    MULTIPLIER_MODELS_MAX = 256, /* per worker; later ones are not learnt */
    MULTIPLIER_NAME_MAX = 112,
    MULTIPLIER_TOKENS_MIN = 64, /* estimates below teach nothing */
    MULTIPLIER_CALLS_MIN = 8,   /* before it is applied */
};

/* Written by one thread, read by any: `name` is whole when `key` is not 0. Sums are halved now and then, so that
 * newer calls count more. */
struct multiplier {
    _Atomic uint64_t key, calls, estimated, reported;
    _Atomic uint64_t error_permille; /* sum over calls of |corrected estimate - reported| / reported */
    char name[MULTIPLIER_NAME_MAX];
};

/* `m` is an array of MULTIPLIER_MODELS_MAX, all zero to start; `model` is "provider/model". */
void multiplier_learn(struct multiplier *m, str model, uint64_t estimated, uint64_t reported);
/* The estimate as the model would count it; as it is where too little is known. */
uint64_t multiplier_apply(const struct multiplier *m, str model, uint64_t estimated);
/* Prometheus lines, the workers' tables together. */
void multiplier_write(const struct multiplier *const *tables, unsigned count, buf *out);

#endif
