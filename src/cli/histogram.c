#include "cli/histogram.h"

void histogram_add(struct histogram *h, uint64_t ns) {
    unsigned power = ns < HISTOGRAM_STEPS ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 5;
    uint64_t i = power ? (uint64_t)power * HISTOGRAM_STEPS + ((ns >> power) & (HISTOGRAM_STEPS - 1)) : ns;
    h->slot[i < HISTOGRAM_SLOTS ? i : HISTOGRAM_SLOTS - 1]++;
    h->count++;
    h->sum += (double)ns;
    if (ns > h->max) h->max = ns;
}

double histogram_us(const struct histogram *h, double q) {
    uint64_t want = (uint64_t)(q * (double)h->count + 0.5), seen = 0;
    if (!want) want = 1;
    for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += h->slot[i];
        if (seen < want) continue;
        unsigned power = i / HISTOGRAM_STEPS;
        double low = power ? (double)((uint64_t)(i % HISTOGRAM_STEPS) << power) : (double)i;
        double middle = low + (power ? (double)(1ull << power) : 1.0) / 2;
        return (middle < (double)h->max ? middle : (double)h->max) / 1000.0;
    }
    return 0;
}

double histogram_mean_us(const struct histogram *h) { return h->count ? h->sum / (double)h->count / 1000.0 : 0; }
