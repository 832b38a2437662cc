/* metrics: Prometheus text format 0.0.4. Buckets of the two histograms double from a base. */
#include "gateway/metrics.h"

enum { DURATION_BASE_US = 1000, OVERHEAD_BASE_US = 8 };

static unsigned bucket(uint64_t us, uint64_t base) {
    unsigned i = 0;
    for (uint64_t edge = base; i < METRIC_BUCKETS && us > edge; edge *= 2) i++;
    return i;
}

void metrics_duration(struct metrics *m, uint64_t duration_us, uint64_t overhead_us) {
    metric_add(&m->duration[bucket(duration_us, DURATION_BASE_US)], 1);
    metric_add(&m->duration_sum_us, duration_us);
    metric_add(&m->overhead[bucket(overhead_us, OVERHEAD_BASE_US)], 1);
    metric_add(&m->overhead_sum_us, overhead_us);
}

static void header(buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_line(buf *out, const char *name, const char *type, const char *help, uint64_t value) {
    header(out, name, type, help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static uint64_t load(const _Atomic uint64_t *p) { return atomic_load_explicit(p, memory_order_relaxed); }

#define SUM(out, field)                                                                                           \
    uint64_t out = 0;                                                                                             \
    for (unsigned w = 0; w < n; w++) out += load(&m[w]->field)

static void histogram(const struct metrics *const *m, unsigned n, buf *out, bool overhead) {
    const char *name = overhead ? "dray_overhead_seconds" : "dray_call_duration_seconds";
    header(out, name, "histogram", overhead ? "Time spent in dray, not upstream" : "Whole time of calls");
    uint64_t total = 0, edge = overhead ? OVERHEAD_BASE_US : DURATION_BASE_US;
    for (unsigned i = 0; i <= METRIC_BUCKETS; i++, edge *= 2) {
        for (unsigned w = 0; w < n; w++) total += load(overhead ? &m[w]->overhead[i] : &m[w]->duration[i]);
        if (i < METRIC_BUCKETS)
            buf_printf(out, "%s_bucket{le=\"%.6f\"} %llu\n", name, (double)edge / 1e6, (unsigned long long)total);
        else
            buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)total);
    }
    uint64_t sum = 0;
    for (unsigned w = 0; w < n; w++) sum += load(overhead ? &m[w]->overhead_sum_us : &m[w]->duration_sum_us);
    buf_printf(out, "%s_sum %.6f\n%s_count %llu\n", name, (double)sum / 1e6, name, (unsigned long long)total);
}

void metrics_write(const struct metrics *const *m, unsigned n, buf *out) {
#define X(field, name, help)                                                                                      \
    {                                                                                                             \
        SUM(v, field);                                                                                            \
        metrics_line(out, name, "counter", help, v);                                                              \
    }
    METRIC_COUNTERS(X)
#undef X
    header(out, "dray_errors_total", "counter", "Calls that failed, by error class");
    for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        SUM(v, fault[f]);
        if (v)
            buf_printf(out, "dray_errors_total{class=\"%s\"} %llu\n", fault_row((enum fault)f)->name,
                       (unsigned long long)v);
    }
    header(out, "dray_responses_total", "counter", "Answers by class of HTTP status");
    for (unsigned k = 1; k < 6; k++) {
        SUM(v, status[k]);
        buf_printf(out, "dray_responses_total{class=\"%uxx\"} %llu\n", k, (unsigned long long)v);
    }
    uint64_t conns = 0, calls = 0;
    for (unsigned w = 0; w < n; w++) {
        conns += atomic_load_explicit(&m[w]->open_connections, memory_order_relaxed);
        calls += atomic_load_explicit(&m[w]->open_calls, memory_order_relaxed);
    }
    metrics_line(out, "dray_client_connections", "gauge", "Client connections open", conns);
    metrics_line(out, "dray_calls_open", "gauge", "Calls under way", calls);
    histogram(m, n, out, false);
    histogram(m, n, out, true);
}
