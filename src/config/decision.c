/* decision: a plan as people and scripts read it, with the names that the ledger uses. */
#include "config/config.h"

#include "brain/semantic.h"

#include <stdio.h>

static void text_or_null(jw *w, const char *key, str s) {
    jw_key(w, key);
    if (s.n)
        jw_string(w, s);
    else
        jw_null(w);
}

static void money_or_null(jw *w, const char *key, int64_t nano) {
    jw_key(w, key);
    if (nano == COST_UNKNOWN)
        jw_null(w);
    else
        jw_nano(w, nano);
}

static void share_or_null(jw *w, const char *key, double x) {
    jw_key(w, key);
    if (x < 0)
        jw_null(w);
    else
        jw_f64(w, (double)(int64_t)(x * 10000 + 0.5) / 10000);
}

/* "provider/model"; a target made on the fly has no name of its own. */
static void write_name(jw *w, const struct target *t) {
    char text[512];
    if (t->name.n) {
        jw_string(w, t->name);
        return;
    }
    int n = snprintf(text, sizeof text, STR_FMT "/" STR_FMT, STR_ARG(t->provider), STR_ARG(t->model));
    jw_string(w, str_make(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

/* What the call is expected to cost at a target. */
static int64_t expect(const struct facts *f, const struct target *t) {
    return price_expect(t->price, f->input_tokens, decide_output_tokens(f));
}

static void write_what(jw *w, const struct facts *f) {
    text_or_null(w, "task", str_from(task_name((enum task)f->task)));
    text_or_null(w, "task_source", str_from(task_source_name((enum task_source)f->task_source)));
    share_or_null(w, "task_confidence", (double)f->task_confidence);
    share_or_null(w, "difficulty", (double)f->difficulty);
    text_or_null(w, "stakes", str_from(stakes_name((enum stakes)f->stakes)));
}

/* The route that the text is accepted by, and the nearest one with what it would take; null without routes. */
static void write_semantic(jw *w, const struct semantic *s, const struct facts *f) {
    jw_key(w, "semantic");
    if (!semantic_known(s, f)) {
        jw_null(w);
        return;
    }
    int at = semantic_find(s, f->semantic), accepted = semantic_accepted(s, f);
    jw_object(w);
    text_or_null(w, "route", accepted >= 0 ? s->route[accepted].name : STR_NONE);
    text_or_null(w, "nearest", f->semantic);
    share_or_null(w, "score", (double)f->semantic_score);
    share_or_null(w, "threshold", at >= 0 ? (double)s->route[at].threshold : -1);
    jw_object_end(w);
}

static void write_candidate(jw *w, const struct target *t, int64_t cost, double score) {
    jw_object(w);
    text_or_null(w, "provider", t->provider);
    text_or_null(w, "model", t->model);
    money_or_null(w, "expected_cost", cost);
    share_or_null(w, "score", score);
    jw_object_end(w);
}

static void write_candidates(jw *w, const struct router *r, const struct facts *f, const struct target *named,
                             const struct plan *p) {
    jw_key(w, "candidates");
    jw_array(w);
    if (named) write_candidate(w, named, expect(f, named), -1);
    for (unsigned i = 0; !named && i < p->candidate_count; i++)
        write_candidate(w, &r->target[p->candidate[i].target], p->candidate[i].expected_cost,
                        (double)p->candidate[i].score);
    jw_array_end(w);
    jw_key(w, "targets");
    jw_array(w);
    if (named) write_name(w, named);
    for (unsigned i = 0; !named && i < p->count; i++) jw_string(w, r->target[p->target[i]].name);
    jw_array_end(w);
}

void config_write_decision(const struct config *c, const struct facts *f, const struct target *named,
                           const struct plan *p, buf *out) {
    const struct router *r = &c->router;
    const struct target *first = named ? named : p->count ? &r->target[p->target[0]] : NULL;
    const struct target *base = named ? named : r->has_baseline ? &r->target[r->baseline] : NULL;
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    write_what(&w, f);
    write_semantic(&w, r->semantic, f);
    text_or_null(&w, "rule", p->rule);
    text_or_null(&w, "tier", p->tier);
    text_or_null(&w, "provider", first ? first->provider : STR_NONE);
    text_or_null(&w, "model", first ? first->model : STR_NONE);
    money_or_null(&w, "expected_cost", first ? expect(f, first) : COST_UNKNOWN);
    jw_key(&w, "baseline_model");
    if (base)
        write_name(&w, base);
    else
        jw_null(&w);
    money_or_null(&w, "baseline_cost", base ? expect(f, base) : COST_UNKNOWN);
    jw_key(&w, "propensity");
    jw_f64(&w, p->propensity);
    write_candidates(&w, r, f, named, p);
    text_or_null(&w, "requested_model", f->model);
    text_or_null(&w, "config_version", c->version);
    jw_key(&w, "facts");
    jw_object(&w);
    facts_explain(f, &w);
    jw_object_end(&w);
    /* A tier that was named needs no rule. */
    if (p->routed && !named && (p->rule_index < ROUTER_RULES_MAX || str_eqz(p->rule, "default")))
        decide_explain(r, f, &w);
    jw_object_end(&w);
}
