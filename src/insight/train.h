/* train: logistic regression by dual coordinate ascent, deterministic, one core.
 *
 * min over w of 1/2 |w|^2 + C sum_i s_i loss(w . x_i, y_i), y in 0..1 (soft labels are fine), s the rows' own
 * weights (Shalev-Shwartz, Zhang 2013). x_i are the row's sparse features, each +-scale/sqrt(count), then dense
 * numbers standardised with `mean` and `inv` and times dense_scale, then a constant. Rows are visited in an order
 * drawn from a fixed seed. Sums run in a fixed order without fused multiply-add, so that the same data gives
 * the same weights, bit for bit, on any machine with IEEE doubles. */
#ifndef DRAY_INSIGHT_TRAIN_H
#define DRAY_INSIGHT_TRAIN_H

#include "insight/dataset.h"

struct train_plan {
    double c;           /* inverse strength of the shrinking */
    double hash_scale;  /* 0: no sparse features */
    bool zones;         /* sparse features of place too, not the base ones only */
    double dense_scale; /* 0: no dense ones */
    unsigned dense_from, dense_to;
    const float *mean, *inv; /* FEATURES_DENSE numbers each; NULL: as they are */
    unsigned epochs;
};

/* A trained column. */
struct column {
    float *w; /* per bucket: 2^bits */
    float dense[FEATURES_DENSE];
    float bias;
};

/* Mean and inverse deviation of the dense numbers over some rows. */
void train_scale(const struct dataset *d, const uint32_t *row, uint32_t n, float *mean, float *inv);
/* Trains on the rows with their targets and weights (NULL: all 1); `offset` is added to w.x (NULL: none).
 * `out->w` has room for 2^bits and is overwritten. */
void train_column(const struct dataset *d, const uint32_t *row, uint32_t n, const float *target,
                  const float *weight, const float *offset, const struct train_plan *p, unsigned bits,
                  struct column *out);
/* w . x of a row. */
double train_score(const struct example *x, const struct train_plan *p, unsigned bits, const struct column *c);
/* 1 / (1 + exp(-x)) by operations that are the same everywhere. */
double train_sigmoid(double x);

#endif
