/* settle: what the books get of a call, and what the metrics count. */
#include "gateway/call.h"

#include "base/clock.h"
#include "gateway/gateway.h"

static str dialect_name(uint8_t d) {
    switch (d) {
    case DIALECT_OPENAI: return STR("openai");
    case DIALECT_ANTHROPIC: return STR("anthropic");
    case DIALECT_GEMINI: return STR("gemini");
    default: return STR_NONE;
    }
}

static void lost(struct call *c) { metric_add(&c->w->metrics.lost_events, 1); }

static void common(const struct call *c, struct record *r) {
    *r = (struct record){.id = c->id,
                         .time_us = c->begin_wall,
                         .cost = COST_UNKNOWN,
                         .baseline_cost = COST_UNKNOWN,
                         .observed_cost = COST_UNKNOWN,
                         .propensity = 1,
                         .key = c->key,
                         .config_version = c->config->version};
    r->dialect = dialect_name(c->surface ? c->surface->dialect : DIALECT_OPENAI);
    r->endpoint = str_from(c->surface && c->surface->endpoint ? c->surface->endpoint : "");
}

static void add_candidates(const struct call *c, struct record *r) {
    const struct plan *p = &c->r->plan;
    for (unsigned i = 0; i < p->candidate_count && i < RECORD_CANDIDATES_MAX; i++) {
        const struct candidate *k = &p->candidate[i];
        r->candidate[r->candidate_count++] =
            (struct record_candidate){c->config->router.target[k->target].name, k->expected_cost, k->score};
    }
}

static void add_observed(const struct call *c, struct record *r) {
    const struct plan *p = &c->r->observed;
    if (!c->observed) return;
    r->observed_tier = p->tier;
    r->observed_model = c->config->router.target[p->target[0]].name;
    r->observed_named = c->observed_named;
    r->observed_cost = c->observed_cost;
}

/* What the policy's choice would have cost, now that the usage is known. A call without an answer says nothing. */
static int64_t observed_cost(const struct call *c, const struct usage *u) {
    struct usage_cost cost;
    if (!c->observed || u->source == TOKENS_NONE) return COST_UNKNOWN;
    price_usage(c->observed_price, u, &cost);
    return cost.total;
}

void settle_begin(struct call *c) {
    struct record r;
    if (c->begun) return;
    c->begun = true;
    common(c, &r);
    if (c->r) {
        const struct facts *f = &c->r->facts;
        r.team = f->team;
        r.user = f->user;
        r.session = f->session;
        r.requested_model = f->model;
        r.facts = f;
        r.propensity = c->r->plan.propensity;
        if (!c->label_pending)
            r.prompt_hash = siphash_long(gateway_prompt_key(c->w->gateway), c->r->body.p, c->r->body.n);
        r.label_pending = c->label_pending;
        add_candidates(c, &r);
        add_observed(c, &r);
    }
    r.rule = c->rule;
    r.tier = c->tier;
    r.stream = c->is_stream;
    r.baseline_model = c->baseline_name;
    if (!spool_begin(c->w->spool, &r)) lost(c);
}

void settle_costs(const struct call *c, struct usage_cost *cost, int64_t *baseline) {
    static const struct usage none;
    const struct usage *u = c->answer ? &c->answer->usage : &none;
    price_usage(c->attempt.target.price, u, cost);
    struct usage_cost b;
    price_usage(c->baseline_price, u, &b);
    *baseline = b.total;
}

/* What the provider counted teaches how its model counts. */
static void learn(struct call *c) {
    const struct answer *a = c->answer;
    if (!a || !c->plain_text || c->status >= 300 || a->usage.source != TOKENS_PROVIDER || a->usage.suspect) return;
    multiplier_learn(c->w->multiplier, c->attempt.target.name, c->input_estimate,
                     (uint64_t)usage_input_tokens(&a->usage));
}

/* A provider that gave no usage: dray's own estimate, marked as such. */
static void estimate(struct call *c) {
    struct answer *a = c->answer;
    if (!a || a->usage.source != TOKENS_NONE || !a->content) return;
    const struct multiplier *m = c->w->multiplier;
    str model = c->attempt.target.name;
    a->usage.units[USAGE_INPUT] = (int64_t)multiplier_apply(m, model, c->input_estimate);
    a->usage.units[USAGE_OUTPUT] = (int64_t)multiplier_apply(m, model, tokens_estimate(&a->text));
    a->usage.source = TOKENS_ESTIMATED;
}

static void add_spent(struct call *c, int64_t nano) {
    if (c->spent_nano == COST_UNKNOWN) return;
    c->spent_nano = nano == COST_UNKNOWN ? COST_UNKNOWN : c->spent_nano + nano;
}

/* Tries that never had an answer cost nothing; others what they used. */
static void book_attempt(struct call *c, enum fault f, uint64_t now) {
    struct record r;
    const struct attempt *t = &c->attempt;
    if (!t->n) return;
    common(c, &r);
    struct record_attempt a = {
        .n = t->n, .status = t->status, .target = t->target.name, .error = str_from(fault_row(f)->name)};
    a.start_us = t->start_us > c->begin_us ? t->start_us - c->begin_us : 0;
    a.first_byte_us = t->first_us > c->begin_us ? t->first_us - c->begin_us : 0;
    a.end_us = now - c->begin_us;
    bool answered = c->answer && t->status < 300 && t->status;
    if (answered) a.usage = c->answer->usage;
    price_usage(t->target.price, &a.usage, &a.cost);
    if (!answered)
        a.cost.total = 0;
    else if (a.usage.source == TOKENS_NONE)
        a.cost.total = COST_UNKNOWN;
    add_spent(c, a.cost.total);
    if (!spool_attempt(c->w->spool, &r, &a)) lost(c);
}

void settle_attempt(struct call *c, enum fault f) { book_attempt(c, f, clock_mono_us()); }

static void count(struct call *c, const struct record *r) {
    struct metrics *m = &c->w->metrics;
    metric_add(&m->calls, 1);
    if (c->fault) metric_add(&m->fault[c->fault], 1);
    metric_add(&m->status[c->status / 100 < 6 ? c->status / 100 : 0], 1);
    metric_add(&m->input_tokens, (uint64_t)usage_input_tokens(&r->usage));
    metric_add(&m->output_tokens, (uint64_t)usage_output_tokens(&r->usage));
    if (r->cost == COST_UNKNOWN)
        metric_add(&m->unpriced, 1);
    else
        metric_add(&m->cost_nano, (uint64_t)r->cost);
    metrics_duration(m, r->duration_us, r->overhead_us);
}

void settle(struct call *c) {
    struct record r;
    if (c->settled) return;
    c->settled = true;
    if (c->surface && !c->surface->endpoint) return; /* not a call: dray's own page */
    if (!c->begun) {
        call_label(c);
        settle_begin(c);
    }
    learn(c);
    estimate(c);
    c->end_us = clock_mono_us();
    book_attempt(c, c->fault, c->end_us);
    common(c, &r);
    const struct attempt *t = &c->attempt;
    bool answered = t->n && t->status;
    if (answered) {
        r.provider = t->target.provider;
        r.model = t->target.model;
    }
    r.status = c->status;
    r.error = str_from(fault_row(c->fault)->name);
    r.attempts = t->n;
    r.cost = c->spent_nano;
    if (c->answer && c->status < 300) {
        r.usage = c->answer->usage;
        settle_costs(c, &r.cost_lines, &r.baseline_cost);
        if (r.usage.source == TOKENS_NONE) r.baseline_cost = COST_UNKNOWN;
        r.finish = c->answer->finish;
        r.answer_id = str_make(c->answer->id, c->answer->id_len);
        if (t->target.price) r.price_version = t->target.price->version;
        r.observed_cost = observed_cost(c, &r.usage);
    }
    r.dropped = c->dropped;
    r.duration_us = c->end_us - c->begin_us;
    r.ttft_us = t->first_us > c->begin_us ? t->first_us - c->begin_us : 0;
    r.overhead_us = c->overhead_us;
    if (!spool_end(c->w->spool, &r)) lost(c);
    count(c, &r);
}

void settle_checks(struct call *c, str body) {
    if (!c->answer || c->status >= 300 || !c->surface->endpoint || c->surface->tap == TAP_NONE ||
        c->surface->units)
        return;
    arena scratch;
    arena_init(&scratch, 4096, CALL_REQUEST_ARENA_MAX);
    bool broken = c->fault != FAULT_NONE && c->fault != FAULT_CLIENT_GONE;
    struct verdict v = {-1, ""};
    if (c->fault != FAULT_CLIENT_GONE) v = checks_answer(&c->wants, c->answer, body, broken, &scratch);
    arena_free(&scratch);
    if (v.quality < 0) return;
    struct record_amend m = {.id = c->id,
                             .time_us = c->begin_wall + (c->end_us - c->begin_us),
                             .quality = v.quality,
                             .quality_source = STR("check")};
    m.label = str_from(v.label);
    if (!spool_amend(c->w->spool, &m)) lost(c);
}
