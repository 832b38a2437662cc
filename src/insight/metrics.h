/* metrics: how good a routing score is. Definitions as RouteLLM's evaluation code has them
 * (lm-sys/RouteLLM 0b64fdaf): thresholds are the deciles of the score over the rows (>= , the last >), for each
 * the share sent to the strong model and the mean quality; APGR is the area between that curve and the weak
 * model's line over the area between both models' lines; CPT(x) the share at which x of the gap is recovered. */
#ifndef DRAY_INSIGHT_METRICS_H
#define DRAY_INSIGHT_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* Rows of one comparison: the higher `score`, the sooner the row goes to the strong model. */
struct routed {
    uint32_t n;
    const float *score, *weak, *strong;
    const float *weak_cost, *strong_cost; /* NULL: 1 and `ratio` for every row */
    double ratio;
};

struct routed_metrics {
    double weak, strong; /* mean quality of both */
    double apgr, cpt50, cpt80;
    double saved95, saved98,
        saved99; /* share of the strong model's cost that is saved while keeping so much of its quality */
    double quality25,
        quality50; /* mean quality at 25 and 50 % of the strong model's cost, as a share of its quality */
};

void metrics_routed(const struct routed *r, struct routed_metrics *out);
/* The curve as `n` points from all weak to all strong: of the rows in the score's order the first 0/(n-1),
 * 1/(n-1),
 * ... are sent to the strong model. Cost and quality as shares of sending all. Nothing without rows. */
void metrics_curve(const struct routed *r, unsigned n, double *cost, double *quality);
/* APGR alone; `weight` counts rows more than once (bootstrap), NULL: each once. Not a number when the models
 * are equally good. */
double metrics_apgr(const struct routed *r, const uint32_t *weight);
/* 95 % bootstrap interval of APGR over `rounds` resamplings of clusters (equal numbers belong together). */
void metrics_apgr_interval(const struct routed *r, const uint32_t *cluster, unsigned rounds, double *lo,
                           double *hi);
/* Macro-F1 and accuracy of task labels; only labels that occur in `truth` count. */
void metrics_tasks(const uint8_t *truth, const uint8_t *said, uint32_t n, double *accuracy, double *macro_f1);

#endif
