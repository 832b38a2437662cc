/* hist: mergeable latency histograms: four buckets per power of two, so that a quantile is within
 * 13 % of the true one, from 64 us to 19 hours. */
#ifndef DRAY_BOOKS_HIST_H
#define DRAY_BOOKS_HIST_H

#include "base/buf.h"

enum { HIST_BUCKETS = 122 };

struct hist {
    uint32_t count[HIST_BUCKETS];
};

/* Where a latency is counted. */
unsigned hist_bucket(uint64_t us);
void hist_merge(struct hist *h, const struct hist *other);
/* Sparse text of bytes: pairs of varints (buckets skipped, count). */
void hist_write(const struct hist *h, buf *out);
/* Adds what the bytes say; false when malformed (what was read is added). */
bool hist_read(struct hist *h, str bytes);
uint64_t hist_total(const struct hist *h);
/* The value below which the share q (0..1) lies, in microseconds; 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
