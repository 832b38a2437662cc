/* explain: see the header. The decision of today is made by the gateway's own functions from the recorded
 * facts; a call without facts, or whose model name means nothing any more, has none. */
#include "insight/explain.h"

#include "base/clock.h"
#include "books/query.h"
#include "insight/report.h"

#include <stdio.h>

/* ---- today ---- */

enum dialect record_dialect(const struct record *r) {
    if (str_eq(r->dialect, STR("anthropic"))) return DIALECT_ANTHROPIC;
    return str_eq(r->dialect, STR("gemini")) ? DIALECT_GEMINI : DIALECT_OPENAI;
}

static bool same_observed(const struct config *c, const struct decision *d, const struct record *r) {
    if (!d->plan.count) return false;
    const struct target *t = &c->router.target[d->plan.target[0]];
    return str_eq(d->plan.tier, r->observed_tier) && str_eq(t->name, r->observed_model);
}

bool decision_same(const struct config *c, const struct decision *d, const struct record *r) {
    const struct plan *p = &d->plan;
    if (d->missing.n || d->named.what == RESOLVED_NONE) return false;
    if (r->observed_model.n) return same_observed(c, d, r);
    if (!str_eq(p->rule, r->rule) || !str_eq(p->tier, r->tier) || p->propensity != r->propensity ||
        p->candidate_count != r->candidate_count)
        return false;
    for (unsigned i = 0; i < p->candidate_count; i++) {
        const struct candidate *k = &p->candidate[i];
        const struct record_candidate *was = &r->candidate[i];
        if (!str_eq(c->router.target[k->target].name, was->target) || k->expected_cost != was->expected_cost ||
            (k->score < 0 ? was->score >= 0 : k->score != was->score))
            return false;
    }
    return true;
}

struct today {
    bool decided;
    struct decision d;
    char why_not[160];
};

static void decide_today(const struct ledger_call *c, const struct config *config, struct today *t) {
    const struct record *r = &c->f.r;
    t->decided = false;
    if (!r->facts) {
        snprintf(t->why_not, sizeof t->why_not, "no facts were recorded for this call");
        return;
    }
    bool observed = r->observed_model.n > 0; /* the policy was asked, whatever the call named */
    config_decide_again(config, r->facts, record_dialect(r), observed, decide_draw(r->id), &t->d);
    if (t->d.named.what == RESOLVED_NONE)
        snprintf(t->why_not, sizeof t->why_not, "the model it asked for is not known to the configuration");
    else if (t->d.missing.n)
        snprintf(t->why_not, sizeof t->why_not, "can't be told: it depends on " STR_FMT ", which was not recorded",
                 STR_ARG(str_take(t->d.missing, 80)));
    else
        t->decided = true;
}

void explain_json(const struct ledger_call *c, const struct config *config, buf *out) {
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "call");
    jw_object(&w);
    call_json(&w, c);
    jw_object_end(&w);
    struct today t;
    buf decision;
    buf_init(&decision, 4 << 20);
    if (config) {
        decide_today(c, config, &t);
        if (t.decided)
            config_write_decision(config, &t.d.facts, t.d.by_target && t.d.plan.count ? &t.d.named.target : NULL,
                                  &t.d.plan, &decision);
    }
    jw_key(&w, "today");
    decision.n && !decision.failed ? jw_raw(&w, str_trim(buf_view(&decision))) : jw_null(&w);
    buf_free(&decision);
    jw_key(&w, "same_decision");
    config &&t.decided ? jw_bool(&w, decision_same(config, &t.d, &c->f.r)) : jw_null(&w);
    jw_key(&w, "undecidable");
    config && !t.decided ? jw_string(&w, str_from(t.why_not)) : jw_null(&w);
    jw_object_end(&w);
    buf_char(out, '\n');
}

/* ---- for people ---- */

static void row(buf *o, const char *label, str value) {
    if (value.n) buf_printf(o, "  %-16s " STR_FMT "\n", label, STR_ARG(value));
}

static void row_money(buf *o, const char *label, int64_t v) {
    char t[32];
    row(o, label, v == COST_UNKNOWN ? STR("unknown") : str_make(t, fmt_nano(t, v)));
}

static void head(const struct ledger_call *c, buf *o) {
    const struct record *r = &c->f.r;
    char id[37], iso[28], status[64];
    uuid_format(id, r->id);
    clock_iso(iso, c->at);
    buf_printf(o, "%s  %s\n\n", id, iso);
    row(o, "asked", r->requested_model);
    row(o, "endpoint", r->endpoint);
    row(o, "key", r->key);
    row(o, "team", r->team);
    row(o, "user", r->user);
    row(o, "session", r->session);
    int n = c->cut ? snprintf(status, sizeof status, "cut by a crash")
                   : snprintf(status, sizeof status, "%u%s" STR_FMT, r->status, r->error.n ? " " : "",
                              STR_ARG(str_take(r->error, 40)));
    row(o, "status", str_make(status, (size_t)n));
    row(o, "dropped", r->dropped);
}

static void decision(const struct ledger_call *c, buf *o) {
    const struct record *r = &c->f.r;
    const struct facts *f = r->facts;
    char line[256];
    int n;
    buf_strz(o, "\nDecision\n");
    if (f) {
        n = snprintf(line, sizeof line, "%s (%s, confidence %.2f), stakes %s", task_name((enum task)f->task),
                     task_source_name((enum task_source)f->task_source), (double)f->task_confidence,
                     stakes_name((enum stakes)f->stakes));
        row(o, "task", str_make(line, (size_t)n));
        if (f->difficulty >= 0) {
            n = snprintf(line, sizeof line, "%.4f", (double)f->difficulty);
            row(o, "difficulty", str_make(line, (size_t)n));
        }
        if (f->semantic.n) {
            n = snprintf(line, sizeof line, "nearest " STR_FMT ", score %.2f", STR_ARG(str_take(f->semantic, 80)),
                         (double)f->semantic_score);
            row(o, "semantic", str_make(line, (size_t)n));
        }
        n = snprintf(line, sizeof line, "%u tokens, %u characters, %u turns%s%s%s%s", f->input_tokens,
                     f->input_length, f->turns, f->tools ? ", tools" : "", f->schema ? ", schema" : "",
                     f->vision ? ", images" : "", r->stream ? ", streamed" : "");
        row(o, "input", str_make(line, (size_t)n));
    }
    row(o, "rule", r->rule);
    row(o, "tier", r->tier);
    for (unsigned i = 0; i < r->candidate_count; i++) {
        const struct record_candidate *k = &r->candidate[i];
        char cost[32];
        size_t len = k->expected_cost == COST_UNKNOWN ? 0 : fmt_nano(cost, k->expected_cost);
        n = snprintf(line, sizeof line, "%.*s, expected $%.*s", (int)(k->target.n < 120 ? k->target.n : 120),
                     k->target.p, len ? (int)len : 7, len ? cost : "unknown");
        if (k->score >= 0) n += snprintf(line + n, sizeof line - (size_t)n, ", score %.4f", (double)k->score);
        row(o, i ? "" : "candidates", str_make(line, (size_t)n));
    }
    if (r->propensity < 1) {
        n = snprintf(line, sizeof line, "%.4f", r->propensity);
        row(o, "propensity", str_make(line, (size_t)n));
    }
    row(o, "configuration", r->config_version);
    row(o, "observed", r->observed_model);
}

static void lines(buf *o, const struct usage *u, const struct usage_cost *c) {
    for (unsigned i = 0; i < USAGE_CLASSES; i++) {
        if (!u->units[i]) continue;
        char rate[32], cost[32];
        size_t rn = c->rate[i] == PRICE_UNKNOWN ? 0 : fmt_nano(rate, c->rate[i]);
        size_t cn = c->cost[i] == COST_UNKNOWN ? 0 : fmt_nano(cost, c->cost[i]);
        buf_printf(o, "    %-14s %12lld x $%.*s per million = $%.*s\n", usage_class_name((enum usage_class)i),
                   (long long)u->units[i], rn ? (int)rn : 7, rn ? rate : "unknown", cn ? (int)cn : 7,
                   cn ? cost : "unknown");
    }
}

static void costs(const struct ledger_call *c, buf *o) {
    const struct record *r = &c->f.r;
    buf_strz(o, "\nAttempts\n");
    for (unsigned i = 0; i < c->f.attempt_count; i++) {
        const struct record_attempt *t = &c->f.attempt[i];
        char cost[32];
        if (!t->n) continue;
        size_t n = t->cost.total == COST_UNKNOWN ? 0 : fmt_nano(cost, t->cost.total);
        buf_printf(o, "  %u  " STR_FMT "  %u " STR_FMT "  first byte %.1f ms, end %.1f ms, $%.*s\n", t->n,
                   STR_ARG(t->target), t->status, STR_ARG(t->error), (double)t->first_byte_us / 1e3,
                   (double)t->end_us / 1e3, n ? (int)n : 7, n ? cost : "unknown");
        lines(o, &t->usage, &t->cost);
    }
    if (!c->f.attempt_count) buf_strz(o, "  none\n");
    buf_strz(o, "\nMoney ($)\n");
    row_money(o, "cost", r->cost);
    row(o, "baseline", r->baseline_model);
    row_money(o, "baseline cost", r->baseline_cost);
    row_money(o, "routing cost", r->routing_cost);
    if (r->cost != COST_UNKNOWN && r->baseline_cost != COST_UNKNOWN)
        row_money(o, "saved",
                  r->baseline_cost - r->cost - (r->routing_cost == COST_UNKNOWN ? 0 : r->routing_cost));
    row(o, "prices", r->price_version);
    if (r->usage.source == TOKENS_ESTIMATED) row(o, "tokens", STR("estimated"));
    if (c->f.amend.quality >= 0) {
        char q[80];
        int n = snprintf(q, sizeof q, "%.3f by " STR_FMT, (double)c->f.amend.quality,
                         STR_ARG(c->f.amend.quality_source));
        row(o, "quality", str_make(q, (size_t)n));
    }
}

static void today(const struct ledger_call *c, const struct config *config, buf *o) {
    struct today t;
    char line[300];
    decide_today(c, config, &t);
    buf_printf(o, "\nToday's configuration (" STR_FMT ")\n", STR_ARG(config->version));
    if (!t.decided) {
        row(o, "decision", str_from(t.why_not));
        return;
    }
    str target = STR_NONE;
    if (t.d.by_target && t.d.plan.count) {
        int n = snprintf(line, sizeof line, "%.*s/%.*s", STR_ARG(str_take(t.d.named.target.provider, 100)),
                         STR_ARG(str_take(t.d.named.target.model, 180)));
        target = str_make(line, (size_t)n);
    } else if (t.d.plan.count) {
        target = config->router.target[t.d.plan.target[0]].name;
    }
    row(o, "rule", t.d.plan.rule);
    row(o, "tier", t.d.plan.tier);
    row(o, "target", target.n ? target : STR("none can serve it"));
    row(o, "",
        decision_same(config, &t.d, &c->f.r) ? STR("the same decision as then")
                                             : STR("another decision than then"));
}

void explain_text(const struct ledger_call *c, const struct config *config, buf *out) {
    head(c, out);
    decision(c, out);
    costs(c, out);
    if (config) today(c, config, out);
}
