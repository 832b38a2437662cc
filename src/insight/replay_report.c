/* replay_report: old against new, for people and machines. */
#include "insight/replay.h"
#include "insight/report.h"

#include <stdio.h>

enum { ROWS = 200, SHOWN = 12 };

static void nano(jw *w, const char *key, int64_t v, uint64_t known) {
    jw_key(w, key);
    if (known)
        jw_nano(w, v);
    else
        jw_null(w);
}

static void tally_json(jw *w, const char *key, const char *of, const struct tally *t, bool both) {
    uint32_t row[ROWS], n = tally_top(t, row, ROWS);
    jw_key(w, key);
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) {
        const struct sums *s = &t->row[row[i]].s;
        jw_object(w);
        jw_key(w, of);
        jw_string(w, t->row[row[i]].name);
        jw_key(w, "calls");
        jw_u64(w, s->calls);
        nano(w, both ? "old_cost" : "cost", s->cost, s->calls - s->unknown);
        if (both) nano(w, "new_cost", s->routed, s->calls - s->unknown);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void interval(jw *w, const char *key, bool known, double mean, double half) {
    jw_key(w, key);
    if (!known) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_key(w, "mean");
    jw_f64(w, mean);
    jw_key(w, "low");
    jw_f64(w, mean - half > 0 ? mean - half : 0);
    jw_key(w, "high");
    jw_f64(w, mean + half < 1 ? mean + half : 1);
    jw_object_end(w);
}

static void count(jw *w, const char *key, uint64_t v) {
    jw_key(w, key);
    jw_u64(w, v);
}

static void write_json(const struct replay *r, const struct replay_quality *q, buf *out) {
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    count(&w, "calls", r->calls);
    count(&w, "failed_calls", r->failed);
    count(&w, "changed_calls", r->changed);
    count(&w, "same_decisions", r->same);
    count(&w, "undecidable_calls", r->undecidable);
    count(&w, "unanswerable_calls", r->unanswerable);
    count(&w, "priced_calls", r->priced);
    count(&w, "unpriced_calls", r->unpriced);
    nano(&w, "old_cost", r->old_cost, r->priced);
    nano(&w, "new_cost", r->new_cost, r->priced);
    nano(&w, "saved", r->old_cost - r->new_cost, r->priced);
    tally_json(&w, "old_tiers", "tier", &r->old_tier, false);
    tally_json(&w, "new_tiers", "tier", &r->new_tier, false);
    tally_json(&w, "old_models", "model", &r->old_model, false);
    tally_json(&w, "new_models", "model", &r->new_model, false);
    tally_json(&w, "changes", "why", &r->why, true);
    tally_json(&w, "undecidable", "not_recorded", &r->missing, false);
    jw_key(&w, "quality");
    jw_object(&w);
    count(&w, "scored_calls", r->scored.n);
    interval(&w, "old", q->old_known, q->old_mean, q->old_half);
    interval(&w, "new_by_task_and_tier", q->new_known, q->new_mean, q->new_half);
    jw_key(&w, "new_covers_share");
    jw_f64(&w, q->new_share);
    interval(&w, "new_off_policy", q->off_policy, q->ips_mean, q->ips_half);
    jw_key(&w, "off_policy_covers_share");
    jw_f64(&w, q->ips_share);
    jw_key(&w, "text");
    jw_string(&w, str_from(q->text));
    jw_object_end(&w);
    jw_object_end(&w);
    buf_char(out, '\n');
}

static void tally_text(buf *out, const char *title, const struct tally *a, const struct tally *b) {
    uint32_t row[SHOWN], n;
    char c[32], m[40];
    buf_printf(out, "\n%s\n", title);
    for (unsigned side = 0; side < 2; side++) {
        const struct tally *t = side ? b : a;
        n = tally_top(t, row, SHOWN);
        for (uint32_t i = 0; i < n; i++) {
            const struct tally_row *x = &t->row[row[i]];
            buf_printf(out, "  %-4s %-44.*s %10s calls %12s\n", side ? "new" : "old",
                       (int)(x->name.n > 44 ? 44 : x->name.n), x->name.p, report_count(c, x->s.calls),
                       x->s.calls == x->s.unknown ? "?" : report_money(m, x->s.cost));
        }
    }
}

static void write_text(const struct replay *r, const struct replay_quality *q, buf *out) {
    char n[32], n2[32], m[40], m2[40], m3[40];
    buf_printf(out, "%s calls, %s of them decided otherwise.\n", report_count(n, r->calls),
               report_count(n2, r->changed));
    if (r->priced) {
        int64_t d = r->old_cost - r->new_cost;
        buf_printf(out, "Cost of %s calls whose price is known: %s before, %s now: %s %s",
                   report_count(n, r->priced), report_money(m, r->old_cost), report_money(m2, r->new_cost),
                   report_money(m3, d < 0 ? -d : d), d < 0 ? "more" : "less");
        if (r->old_cost > 0) buf_printf(out, " (%.1f %%)", 100.0 * (double)(d < 0 ? -d : d) / (double)r->old_cost);
        buf_strz(
            out,
            ".\nThe tokens are those of the answers that were given; another model's answers may be longer.\n");
    }
    if (r->unpriced)
        buf_printf(out, "%s calls have no known cost before or now and are left out of the sums.\n",
                   report_count(n, r->unpriced));
    if (r->undecidable) {
        uint32_t row, any = tally_top(&r->missing, &row, 1);
        buf_printf(out,
                   "%s calls can't be decided: the new rules ask for what was not recorded of them (" STR_FMT
                   "%s). They are in no sum.\n",
                   report_count(n, r->undecidable), STR_ARG(any ? r->missing.row[row].name : STR_NONE),
                   r->missing.count > 1 ? " and more" : "");
    }
    if (r->unanswerable)
        buf_printf(out, "%s calls would find no target left.\n", report_count(n, r->unanswerable));
    tally_text(out, "Tiers", &r->old_tier, &r->new_tier);
    tally_text(out, "Models", &r->old_model, &r->new_model);
    uint32_t row[SHOWN], rows = tally_top(&r->why, row, SHOWN);
    if (rows) buf_strz(out, "\nWhat changes and why\n");
    for (uint32_t i = 0; i < rows; i++) {
        const struct tally_row *x = &r->why.row[row[i]];
        buf_printf(out, "  %10s calls  %s \xE2\x86\x92 %s  " STR_FMT "\n", report_count(n, x->s.calls),
                   report_money(m, x->s.cost), report_money(m2, x->s.routed), STR_ARG(x->name));
    }
    buf_strz(out, "\nQuality\n");
    if (q->old_known)
        buf_printf(out, "  before: %.3f \xC2\xB1 %.3f over %s scored calls\n", q->old_mean, q->old_half,
                   report_count(n, r->scored.n));
    if (q->new_known)
        buf_printf(out, "  now, by task and tier: %.3f \xC2\xB1 %.3f (covers %.0f %% of the calls)\n", q->new_mean,
                   q->new_half, 100 * q->new_share);
    if (q->off_policy)
        buf_printf(out, "  now, off-policy: %.3f \xC2\xB1 %.3f (covers %.0f %% of the scored calls)\n",
                   q->ips_mean, q->ips_half, 100 * q->ips_share);
    buf_printf(out, "  %s\n", q->text);
}

void replay_report(const struct replay *r, bool json, buf *out) {
    struct replay_quality q;
    replay_quality(r, &q);
    if (json)
        write_json(r, &q, out);
    else
        write_text(r, &q, out);
}
