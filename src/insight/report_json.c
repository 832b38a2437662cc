/* report_json: an analysis for machines: JSON and CSV. Money as exact decimal strings of dollars; what is
 * unknown is null. */
#include "insight/report.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static void nano(jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    if (v == COST_UNKNOWN)
        jw_null(w);
    else
        jw_nano(w, v);
}
static void count(jw *w, const char *key, uint64_t v) {
    jw_key(w, key);
    jw_u64(w, v);
}
static void number(jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    jw_i64(w, v);
}
static void real(jw *w, const char *key, double v) {
    jw_key(w, key);
    jw_f64(w, v);
}
static void text(jw *w, const char *key, const char *v) {
    jw_key(w, key);
    if (v)
        jw_string(w, str_from(v));
    else
        jw_null(w);
}
static void model(jw *w, const char *key, const struct model *m) {
    jw_key(w, key);
    if (!m) {
        jw_null(w);
        return;
    }
    char name[300];
    int n = snprintf(name, sizeof name, "%.*s%s%.*s", (int)m->provider.n, m->provider.p, m->provider.n ? "/" : "",
                     (int)(m->name.n > 200 ? 200 : m->name.n), m->name.p);
    jw_string(w, (str){name, (size_t)n});
}
static void stamp(jw *w, const char *key, uint64_t us) {
    char iso[28];
    jw_key(w, key);
    if (us)
        clock_iso(iso, us), jw_string(w, str_from(iso));
    else
        jw_null(w);
}

/* What is known of nothing is unknown, not 0. */
static int64_t known(const struct sums *s, int64_t v) { return v == 0 && s->unknown ? COST_UNKNOWN : v; }

static void sums(jw *w, const struct sums *s) {
    count(w, "calls", s->calls);
    number(w, "input_tokens", s->input);
    number(w, "cached_input_tokens", s->cached);
    number(w, "output_tokens", s->output);
    nano(w, "cost", known(s, s->cost));
    nano(w, "routed_cost", known(s, s->routed));
    count(w, "cost_unknown_calls", s->unknown);
    count(w, "simple_calls", s->simple);
    count(w, "moved_calls", s->moved);
}

static void counted_error(jw *w, const char *key, const struct count_error *x) {
    jw_key(w, key);
    jw_object(w);
    count(w, "calls", x->calls);
    count(w, "said_tokens", x->said);
    count(w, "is_tokens", x->is);
    jw_key(w, "mean_error");
    if (x->calls)
        jw_f64(w, x->relative / (double)x->calls);
    else
        jw_null(w);
    jw_object_end(w);
}

static void counting(jw *w, const struct count *k) {
    jw_key(w, "counting");
    if (!k) {
        jw_null(w);
        return;
    }
    jw_object(w);
    count(w, "counted_calls", k->counted - k->inexact);
    count(w, "partly_counted_calls", k->inexact);
    counted_error(w, "estimate_against_exact", &k->estimate);
    counted_error(w, "exact_against_provider", &k->provider);
    jw_object_end(w);
}

static void head(jw *w, const struct report *r) {
    const struct analysis *a = r->a;
    const struct conclusion *k = r->k;
    count(w, "calls", a->all.calls);
    count(w, "failed_calls", a->failed.calls);
    count(w, "aggregate_calls", a->aggregates.calls);
    number(w, "input_tokens", a->all.input);
    number(w, "cached_input_tokens", a->all.cached);
    number(w, "cache_write_tokens",
           a->units_by_class[USAGE_CACHE_WRITE_5M] + a->units_by_class[USAGE_CACHE_WRITE_1H]);
    number(w, "output_tokens", a->all.output);
    number(w, "reasoning_tokens", a->units_by_class[USAGE_REASONING]);
    nano(w, "cost", known(&a->all, a->all.cost));
    count(w, "cost_unknown_calls", a->all.unknown);
    nano(w, "failed_cost", a->failed.cost);
    count(w, "estimated_calls", a->estimated);
    counting(w, a->o.count);
    count(w, "cache_hit_calls", a->cache_hits);
    stamp(w, "first", a->first_us);
    stamp(w, "last", a->last_us);
    real(w, "simple_share", k->simple_share);
    count(w, "simple_calls", a->all.simple);
    count(w, "text_calls", a->with_text);
    count(w, "unknown_task_calls", a->task[TASK_UNKNOWN].calls);
    text(w, "verdict", k->verdict);
    text(w, "verdict_text", k->text);
    jw_key(w, "start_today");
    jw_bool(w, k->start_today);
}

static void baseline(jw *w, const char *name, const struct model *m, int64_t cost, const struct conclusion *k) {
    jw_object(w);
    text(w, "baseline", name);
    model(w, "model", m);
    nano(w, "cost", cost);
    nano(w, "saved", cost == COST_UNKNOWN ? COST_UNKNOWN : cost - k->routed);
    nano(w, "saved_low", cost == COST_UNKNOWN ? COST_UNKNOWN : cost - k->routed - (k->saved_high - k->saved_low));
    jw_object_end(w);
}

static void routing(jw *w, const struct report *r) {
    const struct analysis *a = r->a;
    const struct conclusion *k = r->k;
    jw_key(w, "routing");
    jw_object(w);
    text(w, "policy", r->policy);
    nano(w, "cost", k->routed);
    nano(w, "saved", k->saved_high);
    nano(w, "saved_low", k->saved_low);
    count(w, "moved_calls", a->all.moved);
    count(w, "dearer_calls", a->dearer_calls);
    nano(w, "dearer_cost", a->dearer);
    number(w, "assumed_longer_percent", ASSUME_LONGER);
    number(w, "assumed_redone_percent", ASSUME_REDONE);
    jw_object_end(w);
    jw_key(w, "baselines");
    jw_array(w);
    baseline(w, "requested", NULL, a->all.cost, k);
    baseline(w, "best_single_cheaper", k->single, k->single_cost, k);
    baseline(w, "all_frontier", k->frontier, k->frontier_cost, k);
    if (k->baseline) baseline(w, "named", k->baseline, k->baseline_cost, k);
    jw_array_end(w);
    const struct move *move[REPORT_ROWS];
    uint32_t n = analysis_moves(a, move, REPORT_ROWS);
    jw_key(w, "moves");
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) {
        jw_object(w);
        text(w, "rule", move[i]->rule);
        model(w, "from", move[i]->from);
        model(w, "to", move[i]->to);
        count(w, "calls", move[i]->calls);
        nano(w, "cost", move[i]->then);
        nano(w, "routed_cost", move[i]->now);
        nano(w, "saved", move[i]->then - move[i]->now);
        nano(w, "saved_low", move[i]->then - move[i]->worst);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void breakdown_json(jw *w, const struct breakdown *b) {
    uint32_t row[REPORT_ROWS],
        n = b->by_name ? tally_by_name(b->t, row, REPORT_ROWS) : tally_top(b->t, row, REPORT_ROWS);
    jw_key(w, b->name);
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) {
        jw_object(w);
        jw_key(w, b->of);
        jw_string(w, b->t->row[row[i]].name);
        sums(w, &b->t->row[row[i]].s);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void breakdowns(jw *w, const struct analysis *a) {
    jw_key(w, "by_task");
    jw_array(w);
    for (unsigned t = 0; t < TASK_COUNT; t++) {
        if (a->task[t].calls == 0) continue;
        jw_object(w);
        text(w, "task", task_name((enum task)t));
        sums(w, &a->task[t]);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_key(w, "by_tier");
    jw_array(w);
    for (unsigned t = 0; t < a->router->tier_count; t++) {
        if (a->tier[t].calls == 0) continue;
        jw_object(w);
        jw_key(w, "tier");
        jw_string(w, a->router->tier[t].name);
        sums(w, &a->tier[t]);
        jw_object_end(w);
    }
    jw_array_end(w);
    struct breakdown b[BREAKDOWNS_MAX];
    unsigned n = report_breakdowns(a, b);
    for (unsigned i = 0; i < n; i++) breakdown_json(w, &b[i]);
    jw_key(w, "by_class");
    jw_array(w);
    for (unsigned c = 0; c < USAGE_CLASSES; c++) {
        if (a->units_by_class[c] == 0) continue;
        jw_object(w);
        text(w, "class", usage_class_name((enum usage_class)c));
        number(w, "units", a->units_by_class[c]);
        nano(w, "cost", a->cost_by_class[c]);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void templates(jw *w, const struct report *r) {
    const struct template *t[REPORT_TOP];
    uint32_t n = analysis_templates(r->a, t, REPORT_TOP);
    jw_key(w, "templates");
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) {
        char hash[17], sample[SAMPLE_BYTES * 3];
        snprintf(hash, sizeof hash, "%016llx", (unsigned long long)t[i]->hash);
        jw_object(w);
        text(w, "template", hash);
        text(w, "task", task_name((enum task)t[i]->task));
        model(w, "model", models_at(r->a->models, t[i]->model));
        count(w, "calls", t[i]->calls);
        number(w, "input_tokens", t[i]->input);
        number(w, "output_tokens", t[i]->output);
        nano(w, "cost", t[i]->cost);
        if (report_sample(r, t[i], sample, sizeof sample)) text(w, "text", sample);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void other_savings(jw *w, const struct analysis *a) {
    jw_key(w, "repeated_prompts");
    jw_object(w);
    count(w, "calls", a->repeats);
    nano(w, "saved", a->repeats_cost);
    count(w, "unsure_calls", a->repeats_unsure);
    jw_object_end(w);
    jw_key(w, "shared_prefixes");
    jw_object(w);
    count(w, "calls", a->prefix_calls);
    count(w, "tokens", a->prefix_tokens);
    nano(w, "saved", a->prefix_saving);
    jw_object_end(w);
    jw_key(w, "batch");
    jw_object(w);
    count(w, "calls", a->batch_calls);
    nano(w, "cost", a->batch_cost);
    nano(w, "saved", a->batch_saving);
    jw_object_end(w);
}

static void logged(jw *w, const struct analysis *a) {
    jw_key(w, "logged");
    jw_object(w);
    count(w, "calls", a->logged_calls);
    nano(w, "cost", a->logged_calls ? a->logged : COST_UNKNOWN);
    count(w, "compared_calls", a->compared);
    nano(w, "compared_logged", a->logged_compared);
    nano(w, "compared_computed", a->computed_compared);
    nano(w, "logged_without_price", a->logged_unpriced);
    jw_key(w, "differences");
    jw_array(w);
    for (unsigned i = 0; i < COST_REASONS_COUNT; i++) {
        if (a->reason[i].calls == 0) continue;
        jw_object(w);
        text(w, "reason", cost_reason_name((enum cost_reason)i));
        text(w, "text", cost_reason_text((enum cost_reason)i));
        count(w, "calls", a->reason[i].calls);
        nano(w, "logged", a->reason[i].logged);
        nano(w, "computed", a->reason[i].computed);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_key(w, "outliers");
    jw_array(w);
    for (uint32_t i = 0; i < a->outliers; i++) {
        jw_object(w);
        text(w, "file", a->outlier[i].file);
        count(w, "line", a->outlier[i].line);
        nano(w, "logged", a->outlier[i].logged);
        nano(w, "computed", a->outlier[i].computed);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void problems(jw *w, const struct log_problems *p) {
    jw_key(w, "problems");
    jw_array(w);
    for (unsigned i = 0; i < LOG_PROBLEM_COUNT; i++) {
        uint64_t n = p->kind[i].count;
        if (n == 0) continue;
        jw_object(w);
        text(w, "problem", log_problem_name((enum log_problem)i));
        text(w, "text", log_problem_text((enum log_problem)i));
        count(w, "count", n);
        jw_key(w, "first");
        jw_array(w);
        for (unsigned f = 0; f < LOG_FIRST_MAX && f < n; f++) {
            jw_object(w);
            text(w, "file", p->kind[i].first[f].file);
            count(w, "line", p->kind[i].first[f].line);
            jw_object_end(w);
        }
        jw_array_end(w);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void sentence(void *ctx, const char *s) { jw_string(ctx, str_from(s)); }

void report_json(const struct report *r, buf *out) {
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    head(&w, r);
    routing(&w, r);
    breakdowns(&w, r->a);
    templates(&w, r);
    other_savings(&w, r->a);
    logged(&w, r->a);
    problems(&w, &r->a->problems);
    jw_key(&w, "read");
    jw_object(&w);
    count(&w, "files", r->stats.files);
    count(&w, "bytes", r->stats.bytes);
    count(&w, "records", r->stats.records);
    count(&w, "not_calls", r->stats.skipped);
    jw_object_end(&w);
    text(&w, "prices", models_price_version(r->a->models));
    jw_key(&w, "notes");
    jw_array(&w);
    report_notes(r, sentence, &w);
    jw_array_end(&w);
    buf yaml;
    buf_init(&yaml, 64 << 10);
    analysis_yaml(r->a, &yaml);
    jw_key(&w, "config");
    jw_string(&w, buf_view(&yaml));
    buf_free(&yaml);
    jw_object_end(&w);
    buf_char(out, '\n');
}

/* ---- CSV ---- */

static void csv_text(buf *out, str s) {
    bool plain = true;
    for (size_t i = 0; i < s.n; i++)
        plain = plain && s.p[i] != ',' && s.p[i] != '"' && s.p[i] != '\n' && s.p[i] != '\r';
    /* a spreadsheet must not take a name for a formula */
    bool formula = s.n && (s.p[0] == '=' || s.p[0] == '+' || s.p[0] == '-' || s.p[0] == '@');
    if (plain && !formula) {
        buf_str(out, s);
        return;
    }
    buf_char(out, '"');
    if (formula) buf_char(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') buf_char(out, '"');
        buf_char(out, s.p[i]);
    }
    buf_char(out, '"');
}

static void csv_row(buf *out, const char *section, str name, const struct sums *s) {
    char cost[32], routed[32];
    size_t nc = fmt_nano(cost, s->cost), nr = fmt_nano(routed, s->routed);
    buf_strz(out, section);
    buf_char(out, ',');
    csv_text(out, name);
    buf_printf(out, ",%llu,%lld,%lld,%lld,%.*s,%.*s,%llu,%llu,%llu\r\n", (unsigned long long)s->calls,
               (long long)s->input, (long long)s->cached, (long long)s->output, (int)nc, cost, (int)nr, routed,
               (unsigned long long)s->unknown, (unsigned long long)s->simple, (unsigned long long)s->moved);
}

void report_csv(const struct report *r, buf *out) {
    const struct analysis *a = r->a;
    buf_strz(out, "section,name,calls,input_tokens,cached_input_tokens,output_tokens,cost,routed_cost,cost_"
                  "unknown_calls,simple_calls,moved_calls\r\n");
    csv_row(out, "total", STR("all"), &a->all);
    for (unsigned t = 0; t < TASK_COUNT; t++)
        if (a->task[t].calls) csv_row(out, "task", str_from(task_name((enum task)t)), &a->task[t]);
    for (unsigned t = 0; t < a->router->tier_count; t++)
        if (a->tier[t].calls) csv_row(out, "tier", a->router->tier[t].name, &a->tier[t]);
    struct breakdown b[BREAKDOWNS_MAX];
    unsigned n = report_breakdowns(a, b);
    uint32_t *row = xmalloc(sizeof *row * (TALLY_MAX + 1));
    for (unsigned i = 0; i < n; i++) {
        uint32_t rows =
            b[i].by_name ? tally_by_name(b[i].t, row, TALLY_MAX + 1) : tally_top(b[i].t, row, TALLY_MAX + 1);
        for (uint32_t k = 0; k < rows; k++)
            csv_row(out, b[i].of, b[i].t->row[row[k]].name, &b[i].t->row[row[k]].s);
    }
    free(row);
}
