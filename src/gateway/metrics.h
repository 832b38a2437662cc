/* metrics: counters of one worker, read by whoever answers /metrics. Relaxed atomics: a reader may
 * see one counter a moment before another. */
#ifndef DRAY_GATEWAY_METRICS_H
#define DRAY_GATEWAY_METRICS_H

#include "base/buf.h"
#include "gateway/fault.h"

#include <stdatomic.h>

enum { METRIC_BUCKETS = 16 };

/* name, help: one row a plain counter. */
#define METRIC_COUNTERS(X)                                                                                        \
    X(calls, "dray_calls_total", "Calls that were answered or refused")                                           \
    X(attempts, "dray_attempts_total", "Requests sent to providers")                                              \
    X(fallbacks, "dray_fallbacks_total", "Attempts after the first one of a call")                                \
    X(streams, "dray_streams_total", "Calls answered as a stream")                                                \
    X(input_tokens, "dray_input_tokens_total", "Tokens read by models")                                           \
    X(output_tokens, "dray_output_tokens_total", "Tokens written by models")                                      \
    X(cost_nano, "dray_cost_nanodollars_total", "Known cost of all calls, nano-dollars")                          \
    X(unpriced, "dray_unpriced_calls_total", "Calls whose cost is not known")                                     \
    X(lost_events, "dray_books_lost_events_total", "Ledger events that could not be booked")                      \
    X(upstream_opened, "dray_upstream_connections_opened_total", "Connections made to providers")                 \
    X(upstream_reused, "dray_upstream_connections_reused_total", "Requests sent on a connection used before")     \
    X(connections, "dray_client_connections_total", "Client connections taken")

struct metrics {
#define X(field, name, help) _Atomic uint64_t field;
    METRIC_COUNTERS(X)
#undef X
    _Atomic uint64_t fault[FAULT_COUNT];
    _Atomic uint64_t status[6]; /* by class: 0 none, 1xx … 5xx */
    _Atomic uint64_t duration[METRIC_BUCKETS + 1], duration_sum_us;
    _Atomic uint64_t overhead[METRIC_BUCKETS + 1], overhead_sum_us;
    _Atomic uint32_t open_connections, open_calls;
};

static inline void metric_add(_Atomic uint64_t *m, uint64_t n) {
    /* one writer: no locked instruction needed */
    atomic_store_explicit(m, atomic_load_explicit(m, memory_order_relaxed) + n, memory_order_relaxed);
}
void metrics_duration(struct metrics *m, uint64_t duration_us, uint64_t overhead_us);
/* Writes the sum of `n` workers in Prometheus text format 0.0.4. */
void metrics_write(const struct metrics *const *m, unsigned n, buf *out);
/* One gauge or counter line with its help. */
void metrics_line(buf *out, const char *name, const char *type, const char *help, uint64_t value);

#endif
