/* spend_json: the report for machines: JSON and CSV. Money as exact decimal strings. */
#include "insight/spend.h"

#include "base/clock.h"

#include <stdlib.h>

static void money(jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    v == COST_UNKNOWN ? jw_null(w) : jw_nano(w, v);
}
static void count(jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    jw_i64(w, v);
}
static void text(jw *w, const char *key, str s) {
    jw_key(w, key);
    s.n ? jw_string(w, s) : jw_null(w);
}

static void latency(jw *w, const char *key, const struct hist *h) {
    jw_key(w, key);
    if (!hist_total(h)) {
        jw_null(w);
        return;
    }
    jw_object(w);
    count(w, "p50_us", (int64_t)hist_quantile(h, 0.5));
    count(w, "p95_us", (int64_t)hist_quantile(h, 0.95));
    count(w, "p99_us", (int64_t)hist_quantile(h, 0.99));
    jw_object_end(w);
}

static void quality(jw *w, const struct cell_sums *s) {
    const struct {
        const char *name;
        int64_t n, score;
    } q[] = {{"feedback", s->feedback, s->feedback_score},
             {"judge", s->judge, s->judge_score},
             {"shadow", s->shadow, s->shadow_score},
             {"check", s->checked, s->checked_score}};
    jw_key(w, "quality");
    jw_object(w);
    for (int i = 0; i < 4; i++) {
        if (!q[i].n) continue;
        jw_key(w, q[i].name);
        jw_object(w);
        count(w, "calls", q[i].n);
        jw_key(w, "mean");
        jw_f64(w, (double)(int64_t)((double)q[i].score / (double)q[i].n + 0.5) / 1e6);
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void line(jw *w, const struct spend_line *l) {
    const struct cell_sums *s = &l->sums;
    count(w, "calls", s->calls);
    count(w, "errors", s->errors);
    count(w, "simple_calls", s->simple);
    count(w, "attempts", s->attempts);
    count(w, "input_tokens", spend_input(s));
    count(w, "output_tokens", spend_output(s));
    money(w, "cost", s->cost);
    money(w, "routing_cost", s->routing_cost);
    money(w, "baseline_cost", s->baseline_cost);
    money(w, "saved", spend_saved(s));
    count(w, "calls_with_baseline", s->based);
    count(w, "calls_of_unknown_cost", s->cost_unknown);
    count(w, "calls_estimated", s->estimated);
    latency(w, "ttft", &l->ttft);
    latency(w, "duration", &l->duration);
    quality(w, s);
}

static void baseline(jw *w, const char *key, const struct spend_baseline *b) {
    jw_key(w, key);
    jw_object(w);
    text(w, "model", b->model);
    money(w, "cost", b->cost);
    money(w, "saved", b->cost == COST_UNKNOWN ? COST_UNKNOWN : b->saved);
    jw_object_end(w);
}

static void saved(const struct spend *s, jw *w) {
    money(w, "saved", s->claim ? s->saved : COST_UNKNOWN);
    money(w, "saved_low", s->claim ? s->saved_low : COST_UNKNOWN);
    money(w, "saved_high", s->claim ? s->saved_high : COST_UNKNOWN);
    jw_key(w, "baselines");
    jw_object(w);
    jw_key(w, "named");
    jw_object(w);
    money(w, "cost", s->all.sums.baseline_cost);
    money(w, "paid", s->all.sums.based_cost);
    money(w, "saved", s->claim ? s->saved : COST_UNKNOWN);
    count(w, "calls", s->all.sums.based);
    jw_object_end(w);
    baseline(w, "best_single_cheaper", &s->single);
    baseline(w, "all_frontier", &s->frontier);
    jw_object_end(w);
    jw_key(w, "time_saved");
    jw_object(w);
    count(w, "calls", s->time.calls);
    count(w, "calls_unknown", s->time.unknown);
    jw_key(w, "first_token_s");
    jw_f64(w, s->time.ttft_s);
    jw_key(w, "total_s");
    jw_f64(w, s->time.total_s);
    jw_object_end(w);
}

static void would(struct spend_would x, jw *w) {
    count(w, "calls", x.calls);
    money(w, "paid", x.paid);
    money(w, "routing_would_have_cost", x.cost);
    money(w, "would_have_saved", x.saved);
    money(w, "would_have_saved_low", x.saved - x.error);
    money(w, "would_have_saved_high", x.saved + x.error);
}

static void observed(const struct cell_sums *s, jw *w) {
    jw_key(w, "observed");
    if (!s->observed && !s->named) {
        jw_null(w);
        return;
    }
    jw_object(w);
    would(spend_would(s, false), w);
    count(w, "calls_that_named_their_model", s->named);
    jw_key(w, "with_reroute_always");
    jw_object(w);
    would(spend_would(s, true), w);
    jw_object_end(w);
    jw_object_end(w);
}

static void unknown(const struct cell_sums *s, jw *w) {
    jw_key(w, "unknown");
    jw_object(w);
    count(w, "calls_of_unknown_cost", s->cost_unknown);
    count(w, "calls_without_baseline", s->calls - s->based);
    count(w, "calls_without_usage", s->usage_unknown);
    count(w, "calls_estimated", s->estimated);
    money(w, "cost_estimated", s->estimated_cost);
    count(w, "calls_suspect", s->suspect);
    count(w, "calls_cut", s->cut);
    jw_object_end(w);
}

static void note(void *ctx, const char *sentence) { jw_string(ctx, str_from(sentence)); }

void spend_json(const struct spend *s, buf *out) {
    jw w;
    char iso[28];
    jw_init(&w, out);
    jw_object(&w);
    clock_iso(iso, s->from);
    text(&w, "since", str_from(iso));
    clock_iso(iso, s->to);
    text(&w, "until", str_from(iso));
    money(&w, "spent", s->spent);
    line(&w, &s->all);
    saved(s, &w);
    observed(&s->all.sums, &w);
    unknown(&s->all.sums, &w);
    for (int i = 0; i < BY_COUNT; i++) {
        const struct spend_table *t = &s->by[i];
        const struct spend_line **sorted = xcalloc(t->count + 1, sizeof *sorted);
        spend_sorted(t, i, sorted);
        char key[32] = "by_";
        jw_key(&w, strcat(key, spend_by_names[i]));
        jw_array(&w);
        for (uint32_t k = 0; k < t->count; k++) {
            jw_object(&w);
            text(&w, spend_by_names[i], sorted[k]->name);
            line(&w, sorted[k]);
            jw_object_end(&w);
        }
        jw_array_end(&w);
        free(sorted);
    }
    jw_key(&w, "notes");
    jw_array(&w);
    spend_notes(s, note, &w);
    jw_array_end(&w);
    jw_object_end(&w);
    buf_char(out, '\n');
}

/* ---- CSV ---- */

static void csv_text(buf *o, str s) {
    buf_char(o, '"');
    for (size_t i = 0; i < s.n; i++) {
        /* a spreadsheet must not take a key's name for a formula */
        if (i == 0 && strchr("=+-@\t", s.p[0])) buf_char(o, '\'');
        if (s.p[i] == '"') buf_char(o, '"');
        buf_char(o, s.p[i]);
    }
    buf_char(o, '"');
}

static void csv_money(buf *o, int64_t v) {
    char t[32];
    buf_char(o, ',');
    buf_add(o, t, fmt_nano(t, v));
}

static void csv_line(buf *o, const char *section, const struct spend_line *l) {
    const struct cell_sums *s = &l->sums;
    csv_text(o, str_from(section));
    buf_char(o, ',');
    csv_text(o, l->name);
    const int64_t counts[] = {s->calls, s->errors, s->attempts, spend_input(s), spend_output(s)};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) buf_printf(o, ",%lld", (long long)counts[i]);
    csv_money(o, s->cost);
    csv_money(o, s->routing_cost);
    csv_money(o, s->baseline_cost);
    csv_money(o, spend_saved(s));
    const int64_t rest[] = {s->based,
                            s->cost_unknown,
                            s->estimated,
                            (int64_t)hist_quantile(&l->ttft, 0.5),
                            (int64_t)hist_quantile(&l->ttft, 0.95),
                            (int64_t)hist_quantile(&l->duration, 0.5)};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) buf_printf(o, ",%lld", (long long)rest[i]);
    buf_strz(o, "\r\n");
}

void spend_csv(const struct spend *s, buf *out) {
    buf_strz(out, "section,name,calls,errors,attempts,input_tokens,output_tokens,cost,routing_cost,baseline_cost,"
                  "saved,calls_with_baseline,calls_of_unknown_cost,calls_estimated,ttft_p50_us,ttft_p95_us,"
                  "duration_p50_us\r\n");
    csv_line(out, "all", &s->all);
    for (int i = 0; i < BY_COUNT; i++) {
        const struct spend_table *t = &s->by[i];
        const struct spend_line **sorted = xcalloc(t->count + 1, sizeof *sorted);
        spend_sorted(t, i, sorted);
        for (uint32_t k = 0; k < t->count; k++) csv_line(out, spend_by_names[i], sorted[k]);
        free(sorted);
    }
}
