/* histogram: latencies, log-linear: 64 steps per power of two, so that a quantile is off by under 1.6 %. */
#ifndef DRAY_CLI_HISTOGRAM_H
#define DRAY_CLI_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_SLOTS = 48 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t slot[HISTOGRAM_SLOTS], count, max;
    double sum;
};
/* Adds one value, nanoseconds. */
void histogram_add(struct histogram *h, uint64_t ns);
/* The q-quantile (0..1) in microseconds; 0 when empty. */
double histogram_us(const struct histogram *h, double q);
double histogram_mean_us(const struct histogram *h);

#endif
