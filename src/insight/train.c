/* train: see the header. */
#include "insight/train.h"

#include "base/err.h"
#include "base/hash.h"

#include <math.h>
#include <stdlib.h>

enum { SEED = 20240607 };

double train_sigmoid(double x) {
    /* exp(-|x|) = 2^-k * p(r): the integer part by exponent bits, the rest by a polynomial. */
    double a = (x < 0 ? -x : x) * 1.4426950408889634;
    if (a > 60) return x < 0 ? 0 : 1;
    int k = (int)a;
    double r = (a - k) * -0.6931471805599453, p = 1;
    for (int i = 10; i > 0; i--) p = 1 + p * r / i;
    uint64_t bits = (uint64_t)(1023 - k) << 52;
    double e;
    memcpy(&e, &bits, sizeof e);
    e *= p;
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

void train_scale(const struct dataset *d, const uint32_t *row, uint32_t n, float *mean, float *inv) {
    for (unsigned j = 0; j < FEATURES_DENSE; j++) {
        double sum = 0, squares = 0;
        for (uint32_t i = 0; i < n; i++) {
            double v = (double)d->row[row[i]].dense[j];
            sum += v;
            squares += v * v;
        }
        double m = n ? sum / n : 0, var = n ? squares / n - m * m : 0;
        mean[j] = (float)m;
        inv[j] = var > 1e-6 ? (float)(1 / sqrt(var)) : 0;
    }
}

struct view {
    const uint32_t *code;
    unsigned n;
    float unit; /* what one sparse feature is worth */
    float dense[FEATURES_DENSE];
    double norm; /* |x|^2 with the constant */
};

static void view_make(const struct example *x, const struct train_plan *p, struct view *v) {
    v->code = x->code;
    v->n = p->hash_scale > 0 ? (p->zones ? x->n : x->base) : 0;
    v->unit = v->n ? (float)(p->hash_scale / sqrt(v->n)) : 0;
    v->norm = 1 + (double)v->unit * (double)v->unit * v->n;
    if (!(p->dense_scale > 0)) return;
    for (unsigned j = p->dense_from; j < p->dense_to; j++) {
        float z = p->mean ? (x->dense[j] - p->mean[j]) * p->inv[j] : x->dense[j];
        if (p->mean) z = z > 4 ? 4 : z < -4 ? -4 : z; /* a wild number must not drown the others */
        v->dense[j] = z * (float)p->dense_scale;
        v->norm += (double)v->dense[j] * (double)v->dense[j];
    }
}

static inline float signed_unit(uint32_t code, float unit) { return code >> 31 ? -unit : unit; }

static double dot(const struct view *v, const struct train_plan *p, uint32_t mask, const struct column *c) {
    double sum = (double)c->bias, sparse = 0;
    for (unsigned k = 0; k < v->n; k++) {
        float w = c->w[v->code[k] & mask];
        sparse += v->code[k] >> 31 ? -(double)w : (double)w;
    }
    sum += sparse * (double)v->unit;
    if (p->dense_scale > 0)
        for (unsigned j = p->dense_from; j < p->dense_to; j++) sum += (double)v->dense[j] * (double)c->dense[j];
    return sum;
}

static void add(const struct view *v, const struct train_plan *p, uint32_t mask, struct column *c, double by) {
    float step = (float)(by * (double)v->unit);
    for (unsigned k = 0; k < v->n; k++) c->w[v->code[k] & mask] += signed_unit(v->code[k], step);
    if (p->dense_scale > 0)
        for (unsigned j = p->dense_from; j < p->dense_to; j++) c->dense[j] += (float)by * v->dense[j];
    c->bias += (float)by;
}

void train_column(const struct dataset *d, const uint32_t *row, uint32_t n, const float *target,
                  const float *weight, const float *offset, const struct train_plan *p, unsigned bits,
                  struct column *out) {
    uint32_t mask = (1u << bits) - 1;
    memset(out->w, 0, sizeof *out->w << bits);
    memset(out->dense, 0, sizeof out->dense);
    out->bias = 0;
    double *alpha = xcalloc(n, sizeof *alpha);
    uint32_t *order = xmalloc((n ? n : 1) * sizeof *order);
    struct rng rng;
    rng_seed(&rng, SEED);
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    for (unsigned epoch = 0; epoch < p->epochs; epoch++) {
        for (uint32_t i = n; i > 1; i--) {
            uint32_t k = (uint32_t)(rng_next(&rng) % i), x = order[i - 1];
            order[i - 1] = order[k];
            order[k] = x;
        }
        for (uint32_t at = 0; at < n; at++) {
            uint32_t i = order[at];
            struct view v;
            view_make(&d->row[row[i]], p, &v);
            double c = p->c * (weight ? (double)weight[i] : 1);
            double z = dot(&v, p, mask, out) + (offset ? (double)offset[i] : 0), s = train_sigmoid(z);
            double step = ((double)target[i] - s - alpha[i]) / (1 + c * v.norm * 0.25);
            alpha[i] += step;
            add(&v, p, mask, out, c * step);
        }
    }
    free(order);
    free(alpha);
}

double train_score(const struct example *x, const struct train_plan *p, unsigned bits, const struct column *c) {
    struct view v;
    view_make(x, p, &v);
    return dot(&v, p, (1u << bits) - 1, c);
}
