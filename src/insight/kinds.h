/* kinds: rows of one `group` of one `set` are work of one kind (a subject, a template, an application's call).
 *
 * How good a model is varies more between kinds than inside of them, and most of what one row says beyond its kind
 * is noise. So targets of rows lean to the mean of their kind, and models that are not for strangers' traffic
 * learn to recognise kinds (brain/model.h mixes the kinds' means into what its heads say). */
#ifndef DRAY_INSIGHT_KINDS_H
#define DRAY_INSIGHT_KINDS_H

#include "brain/model.h"
#include "insight/dataset.h"

enum {
    KINDS_SEEN_MAX = 1024, /* told apart; rows of further ones have none */
    KIND_LEAST = 15,       /* rows below which a kind is not learnt to be recognised */
};

struct kinds {
    uint16_t *of;   /* of each row of the dataset, from 1; 0: none, or the only one of its set */
    unsigned count; /* kinds are 1..count */
    /* Those that heads recognise, from 0: the largest, and last all others together. 0: too few to tell apart. */
    unsigned learnt_count;
    uint8_t learnt[KINDS_SEEN_MAX + 1]; /* by kind */
};

/* Finds the kinds of `n` rows of the dataset. Free with kinds_free(). */
void kinds_find(const struct dataset *d, const uint32_t *row, uint32_t n, struct kinds *out);
void kinds_free(struct kinds *k);
/* The learnt kind of a row. */
static inline unsigned kinds_learnt(const struct kinds *k, uint32_t row) { return k->learnt[k->of[row]]; }
/* Leans targets to the mean of the other rows of their kind, which makes them worth more: `weight` grows. */
void kinds_lean(const struct kinds *k, const uint32_t *row, uint32_t n, float *target, float *weight);
/* Mean target of each learnt kind, leaning to the mean of all. */
void kinds_means(const struct kinds *k, const uint32_t *row, uint32_t n, const float *target, float *out);

#endif
