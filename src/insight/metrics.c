/* metrics: see the header. */
#include "insight/metrics.h"

#include "base/err.h"
#include "base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DECILES = 10, TASKS = 32, SEED = 7 };

struct item {
    float score;
    uint32_t row;
};

static int by_score(const void *a, const void *b) { /* descending; equal scores by row, so that the order is one */
    const struct item *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static struct item *sorted(const struct routed *r) {
    struct item *s = xmalloc((r->n ? r->n : 1) * sizeof *s);
    for (uint32_t i = 0; i < r->n; i++) s[i] = (struct item){r->score[i], i};
    qsort(s, r->n, sizeof *s, by_score);
    return s;
}

static double count_of(const uint32_t *weight, uint32_t row) { return weight ? weight[row] : 1; }

/* Share sent and mean quality when the `first` rows of the order go to the strong model. Running sums. */
struct point {
    double share, quality;
};

/* Decile points of the curve, from everything strong to everything weak; returns their number. */
static unsigned curve(const struct routed *r, const struct item *s, const uint32_t *weight, struct point *out) {
    double total = 0, quality = 0, sent = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        double k = count_of(weight, s[i].row);
        total += k;
        quality += k * (double)r->weak[s[i].row];
    }
    /* Value of each decile edge: interpolated between order statistics, as pandas does. */
    double edge[DECILES + 1];
    double cum = 0;
    uint32_t at = r->n;
    for (unsigned q = 0; q <= DECILES; q++) { /* ascending values: walk from the end */
        double want = (total - 1) * q / DECILES, whole = floor(want), part = want - whole;
        while (at > 0 && cum + count_of(weight, s[at - 1].row) <= whole) cum += count_of(weight, s[--at].row);
        uint32_t here = at ? at - 1 : 0, next = here;
        if (cum + count_of(weight, s[here].row) <= whole + 1)
            for (uint32_t k = here; k > 0 && next == here; k--)
                if (count_of(weight, s[k - 1].row) > 0) next = k - 1;
        edge[q] = (double)s[here].score + part * ((double)s[next].score - (double)s[here].score);
    }
    unsigned n = 0;
    uint32_t i = 0;
    for (int q = DECILES; q >= 0; q--) { /* descending thresholds: more and more rows go */
        if (q == DECILES) out[n++] = (struct point){0, quality / total};
        if (q < DECILES && q > 0 && edge[q] == edge[q - 1]) continue;
        if (q == DECILES) continue;
        for (; i < r->n && (double)s[i].score >= edge[q]; i++) {
            double k = count_of(weight, s[i].row);
            sent += k;
            quality += k * ((double)r->strong[s[i].row] - (double)r->weak[s[i].row]);
        }
        out[n++] = (struct point){sent / total, quality / total};
    }
    return n;
}

static double area(const struct point *p, unsigned n) {
    double sum = 0;
    for (unsigned i = 1; i < n; i++) sum += (p[i].share - p[i - 1].share) * (p[i].quality + p[i - 1].quality) / 2;
    return sum;
}

static double apgr_of(const struct routed *r, const struct item *s, const uint32_t *weight) {
    struct point p[DECILES + 2];
    if (r->n < 2) return NAN;
    unsigned n = curve(r, s, weight, p);
    double weak = p[0].quality, strong = p[n - 1].quality;
    return (area(p, n) - weak) / (strong - weak);
}

double metrics_apgr(const struct routed *r, const uint32_t *weight) {
    struct item *s = sorted(r);
    double a = apgr_of(r, s, weight);
    free(s);
    return a;
}

static double cpt(const struct point *p, unsigned n, double part) {
    double want = p[0].quality + part * (p[n - 1].quality - p[0].quality);
    for (unsigned i = 1; i < n; i++)
        if ((p[i].quality >= want) != (p[i - 1].quality >= want))
            return p[i - 1].share +
                   (p[i].share - p[i - 1].share) * (want - p[i - 1].quality) / (p[i].quality - p[i - 1].quality);
    return 1;
}

static double cost_of(const struct routed *r, uint32_t row, bool strong) {
    if (r->strong_cost) return (double)(strong ? r->strong_cost[row] : r->weak_cost[row]);
    return strong ? r->ratio : 1;
}

/* Walks all thresholds: the first `i` rows of the order are sent to the strong model. */
static void sweep(const struct routed *r, const struct item *s, struct routed_metrics *m) {
    double strong_cost = 0, cost = 0, quality = 0, strong = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        strong_cost += cost_of(r, i, true);
        cost += cost_of(r, i, false);
        quality += (double)r->weak[i];
        strong += (double)r->strong[i];
    }
    double *const saved[] = {&m->saved95, &m->saved98, &m->saved99};
    static const double keep[] = {0.95, 0.98, 0.99};
    for (uint32_t i = 0; i <= r->n; i++) {
        double part = cost / strong_cost, kept = strong > 0 ? quality / strong : 1;
        for (unsigned k = 0; k < 3; k++)
            if (kept >= keep[k] && 1 - part > *saved[k]) *saved[k] = 1 - part;
        if (part <= 0.25) m->quality25 = kept;
        if (part <= 0.50) m->quality50 = kept;
        if (i == r->n) break;
        uint32_t row = s[i].row;
        cost += cost_of(r, row, true) - cost_of(r, row, false);
        quality += (double)r->strong[row] - (double)r->weak[row];
    }
}

void metrics_curve(const struct routed *r, unsigned n, double *cost, double *quality) {
    double all_cost = 0, all_quality = 0, now_cost = 0, now_quality = 0;
    struct item *s = sorted(r);
    for (uint32_t i = 0; i < r->n; i++) {
        all_cost += cost_of(r, i, true);
        all_quality += (double)r->strong[i];
        now_cost += cost_of(r, i, false);
        now_quality += (double)r->weak[i];
    }
    uint32_t at = 0;
    for (unsigned k = 0; k < n && r->n && all_cost > 0 && all_quality > 0; k++) {
        for (; at < (uint64_t)r->n * k / (n - 1); at++) {
            uint32_t row = s[at].row;
            now_cost += cost_of(r, row, true) - cost_of(r, row, false);
            now_quality += (double)r->strong[row] - (double)r->weak[row];
        }
        cost[k] = now_cost / all_cost;
        quality[k] = now_quality / all_quality;
    }
    free(s);
}

void metrics_routed(const struct routed *r, struct routed_metrics *out) {
    memset(out, 0, sizeof *out);
    out->apgr = out->cpt50 = out->cpt80 = NAN;
    if (r->n < 2) return;
    struct item *s = sorted(r);
    struct point p[DECILES + 2];
    unsigned n = curve(r, s, NULL, p);
    out->weak = p[0].quality;
    out->strong = p[n - 1].quality;
    out->apgr = apgr_of(r, s, NULL);
    out->cpt50 = cpt(p, n, 0.5);
    out->cpt80 = cpt(p, n, 0.8);
    sweep(r, s, out);
    free(s);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rows of one cluster are drawn together. */
static void resample(const uint32_t *cluster, uint32_t n, struct rng *rng, uint32_t *weight) {
    uint64_t salt = rng_next(rng);
    for (uint32_t i = 0; i < n; i++) {
        /* Poisson(1) per cluster, from a hash of the cluster: the bootstrap's counts, without sorting clusters */
        uint64_t key[2] = {salt, 0x5bd1e995}, h = siphash(key, &cluster[i], sizeof cluster[i]);
        double u = (double)(h >> 11) * 0x1p-53, p = 0.36787944117144233, sum = p;
        uint32_t k = 0;
        while (u > sum && k < 12) {
            k++;
            p /= k;
            sum += p;
        }
        weight[i] = k;
    }
}

void metrics_apgr_interval(const struct routed *r, const uint32_t *cluster, unsigned rounds, double *lo,
                           double *hi) {
    double *value = xmalloc((rounds ? rounds : 1) * sizeof *value);
    uint32_t *weight = xmalloc((r->n ? r->n : 1) * sizeof *weight);
    struct item *s = sorted(r);
    struct rng rng;
    rng_seed(&rng, SEED);
    unsigned good = 0;
    for (unsigned i = 0; i < rounds; i++) {
        resample(cluster, r->n, &rng, weight);
        double a = apgr_of(r, s, weight);
        if (isfinite(a)) value[good++] = a;
    }
    qsort(value, good, sizeof *value, by_value);
    *lo = good ? value[(good - 1) * 25 / 1000] : NAN;
    *hi = good ? value[(good - 1) * 975 / 1000] : NAN;
    free(s);
    free(weight);
    free(value);
}

void metrics_tasks(const uint8_t *truth, const uint8_t *said, uint32_t n, double *accuracy, double *macro_f1) {
    uint32_t right[TASKS] = {0}, is[TASKS] = {0}, was[TASKS] = {0}, good = 0, labels = 0;
    for (uint32_t i = 0; i < n; i++) {
        is[truth[i] % TASKS]++;
        was[said[i] % TASKS]++;
        if (truth[i] != said[i]) continue;
        right[truth[i] % TASKS]++;
        good++;
    }
    double sum = 0;
    for (unsigned k = 0; k < TASKS; k++) {
        if (!is[k]) continue;
        labels++;
        sum += 2.0 * right[k] / (is[k] + was[k]);
    }
    *accuracy = n ? (double)good / n : NAN;
    *macro_f1 = labels ? sum / labels : NAN;
}
