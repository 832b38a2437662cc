/* peers: see the header. Sums run in a fixed order in doubles: the same data gives the same targets. */
#include "insight/peers.h"

#include "base/hash.h"

#include <math.h>
#include <stdlib.h>

enum {
    FOLDS = 5,
    SALT = 78,
    PEERS_LEAST = 5,
    ROWS_LEAST = 100,
    COVER_PERCENT = 80, /* of a set's rows that a peer must have a score on; where it has none, its mean stands */
};

/* What a row's own outcome counts beside what its peers foretell, and the strength of the ridge, in rows. Chosen
 * on the development data (see the model card). */
static const double own_part = 0.6, ridge = 30;

struct fit {
    const struct dataset *d;
    const uint32_t *row; /* of one set */
    const uint32_t *at;  /* their places among the targets */
    uint32_t n;
    unsigned peers;
    uint16_t peer[PEERS_MAX];
    double mean[PEERS_MAX];
    double a[PEERS_MAX][PEERS_MAX], b[PEERS_MAX]; /* normal equations; b becomes the weights */
    double x_mean[PEERS_MAX], y_mean;             /* where the regression goes through */
};

static unsigned fold_of(const struct example *x) {
    uint64_t key[2] = {SALT, 1};
    return (unsigned)(siphash(key, &x->cluster, sizeof x->cluster) % FOLDS);
}

/* Models with enough scores in the set, and their means. */
static void choose_peers(struct fit *f, const bool *but) {
    static double sum[DATASET_MODELS_MAX];
    static uint32_t count[DATASET_MODELS_MAX];
    memset(sum, 0, sizeof sum);
    memset(count, 0, sizeof count);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct example *x = &f->d->row[f->row[i]];
        for (unsigned k = 0; k < x->scored; k++) sum[x->model[k]] += (double)x->score[k], count[x->model[k]]++;
    }
    f->peers = 0;
    for (uint16_t m = 0; m < f->d->model_count && f->peers < PEERS_MAX; m++) {
        if (but[m] || (uint64_t)count[m] * 100 < (uint64_t)f->n * COVER_PERCENT) continue;
        f->mean[f->peers] = sum[m] / count[m];
        f->peer[f->peers++] = m;
    }
}

/* The peers' scores on a row, less their means. Both lists of models ascend. */
static void peer_scores(const struct fit *f, const struct example *x, double *out) {
    unsigned k = 0;
    for (unsigned p = 0; p < f->peers; p++) {
        while (k < x->scored && x->model[k] < f->peer[p]) k++;
        out[p] = k < x->scored && x->model[k] == f->peer[p] ? (double)x->score[k] - f->mean[p] : 0;
    }
}

static void sum_up(struct fit *f, unsigned fold, const float *target) {
    double x[PEERS_MAX], n = 0;
    memset(f->a, 0, sizeof f->a);
    memset(f->b, 0, sizeof f->b);
    memset(f->x_mean, 0, sizeof f->x_mean);
    f->y_mean = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct example *e = &f->d->row[f->row[i]];
        if (fold_of(e) == fold) continue;
        double y = (double)target[f->at[i]];
        peer_scores(f, e, x);
        for (unsigned p = 0; p < f->peers; p++) {
            for (unsigned q = 0; q <= p; q++) f->a[p][q] += x[p] * x[q];
            f->b[p] += x[p] * y;
            f->x_mean[p] += x[p];
        }
        f->y_mean += y;
        n++;
    }
    if (!(n > 0)) return;
    f->y_mean /= n;
    for (unsigned p = 0; p < f->peers; p++) f->x_mean[p] /= n;
    for (unsigned p = 0; p < f->peers; p++) {
        for (unsigned q = 0; q <= p; q++) f->a[p][q] -= n * f->x_mean[p] * f->x_mean[q];
        f->b[p] -= n * f->x_mean[p] * f->y_mean;
        f->a[p][p] += ridge;
    }
}

/* Solves a w = b by Cholesky; the ridge keeps it positive. */
static void solve(struct fit *f) {
    unsigned n = f->peers;
    for (unsigned p = 0; p < n; p++)
        for (unsigned q = 0; q <= p; q++) {
            double s = f->a[p][q];
            for (unsigned k = 0; k < q; k++) s -= f->a[p][k] * f->a[q][k];
            f->a[p][q] = p == q ? sqrt(s > ridge / 2 ? s : ridge / 2) : s / f->a[q][q];
        }
    for (unsigned p = 0; p < n; p++) {
        for (unsigned k = 0; k < p; k++) f->b[p] -= f->a[p][k] * f->b[k];
        f->b[p] /= f->a[p][p];
    }
    for (unsigned p = n; p-- > 0;) {
        for (unsigned k = p + 1; k < n; k++) f->b[p] -= f->a[k][p] * f->b[k];
        f->b[p] /= f->a[p][p];
    }
}

static double foretold(const struct fit *f, const struct example *e) {
    double x[PEERS_MAX], y = f->y_mean;
    peer_scores(f, e, x);
    for (unsigned p = 0; p < f->peers; p++) y += f->b[p] * (x[p] - f->x_mean[p]);
    return y < 0 ? 0 : y > 1 ? 1 : y;
}

static void lean_set(struct fit *f, const bool *but, const float *from, float *target) {
    choose_peers(f, but);
    if (f->peers < PEERS_LEAST || f->n < ROWS_LEAST) return;
    for (unsigned fold = 0; fold < FOLDS; fold++) {
        sum_up(f, fold, from);
        solve(f);
        for (uint32_t i = 0; i < f->n; i++) {
            const struct example *e = &f->d->row[f->row[i]];
            if (fold_of(e) != fold) continue;
            double own = (double)from[f->at[i]];
            target[f->at[i]] = (float)(own_part * own + (1 - own_part) * foretold(f, e));
        }
    }
}

void peers_lean(const struct dataset *d, const uint32_t *row, uint32_t n, const bool but[DATASET_MODELS_MAX],
                float *target) {
    struct fit *f = xcalloc(1, sizeof *f);
    uint32_t *of_set = xmalloc((n + 1u) * sizeof *of_set), *at = xmalloc((n + 1u) * sizeof *at);
    float *from = xmalloc((n + 1u) * sizeof *from);
    memcpy(from, target, n * sizeof *from);
    f->d = d;
    f->row = of_set;
    f->at = at;
    for (unsigned set = 0; set < d->set_count; set++) {
        f->n = 0;
        for (uint32_t i = 0; i < n; i++)
            if (d->row[row[i]].set == set) of_set[f->n] = row[i], at[f->n++] = i;
        lean_set(f, but, from, target);
    }
    free(f);
    free(of_set);
    free(at);
    free(from);
}
