/* call_json: one recorded call as JSON, with the contract's names. */
#include "books/names.h"
#include "books/query.h"

#include "base/clock.h"

static void text(jw *w, const char *key, str s) {
    jw_key(w, key);
    s.n ? jw_string(w, s) : jw_null(w);
}

static void money(jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    v == COST_UNKNOWN ? jw_null(w) : jw_nano(w, v);
}

static void number(jw *w, const char *key, bool known, uint64_t v) {
    jw_key(w, key);
    known ? jw_u64(w, v) : jw_null(w);
}

static void share(jw *w, const char *key, float v) {
    jw_key(w, key);
    v < 0 ? jw_null(w) : jw_f64(w, (double)(int64_t)((double)v * 10000 + 0.5) / 10000);
}

static void hash(jw *w, const char *key, uint64_t v) {
    static const char hex[] = "0123456789abcdef";
    char out[16];
    for (int i = 0; i < 16; i++) out[i] = hex[v >> (60 - 4 * i) & 15];
    text(w, key, v ? str_make(out, 16) : STR_NONE);
}

static void usage(jw *w, const struct usage *u, const struct usage_cost *c) {
    jw_key(w, "usage");
    jw_array(w);
    for (unsigned i = 0; i < USAGE_CLASSES; i++) {
        if (!u->units[i]) continue;
        jw_object(w);
        text(w, "class", str_from(usage_class_name((enum usage_class)i)));
        jw_key(w, "units");
        jw_i64(w, u->units[i]);
        money(w, "price_per_million", c->rate[i] == PRICE_UNKNOWN ? COST_UNKNOWN : c->rate[i]);
        money(w, "cost", c->cost[i]);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void attempts(jw *w, const struct folded *f) {
    jw_key(w, "attempts");
    jw_array(w);
    for (unsigned i = 0; i < f->attempt_count; i++) {
        const struct record_attempt *t = &f->attempt[i];
        if (!t->n) continue;
        jw_object(w);
        number(w, "n", true, t->n);
        text(w, "target", t->target);
        number(w, "status", t->status != 0, t->status);
        text(w, "error", t->error);
        number(w, "start_us", true, t->start_us);
        number(w, "first_byte_us", t->first_byte_us != 0, t->first_byte_us);
        number(w, "end_us", true, t->end_us);
        money(w, "cost", t->cost.total);
        usage(w, &t->usage, &t->cost);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void candidates(jw *w, const struct record *r) {
    jw_key(w, "candidates");
    jw_array(w);
    for (unsigned i = 0; i < r->candidate_count; i++) {
        jw_object(w);
        text(w, "target", r->candidate[i].target);
        money(w, "expected_cost", r->candidate[i].expected_cost);
        jw_key(w, "score");
        r->candidate[i].score < 0 ? jw_null(w) : jw_f64(w, (double)r->candidate[i].score);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void who(jw *w, const struct ledger_call *c) {
    const struct record *r = &c->f.r;
    char id[37], iso[28];
    uuid_format(id, r->id);
    clock_iso(iso, c->at);
    text(w, "id", str_from(id));
    text(w, "gateway", c->gateway);
    text(w, "time", str_from(iso));
    text(w, "key", r->key);
    text(w, "team", r->team);
    text(w, "user", r->user);
    text(w, "session", r->session);
    jw_key(w, "tags");
    jw_array(w);
    for (unsigned i = 0; r->facts && i < r->facts->tag_count; i++) jw_string(w, r->facts->tag[i]);
    jw_array_end(w);
    text(w, "dialect", r->dialect);
    text(w, "endpoint", r->endpoint);
    text(w, "requested_model", r->requested_model);
}

static void decision(jw *w, const struct record *r) {
    const struct facts *f = r->facts;
    text(w, "task", str_from(task_name(f ? (enum task)f->task : TASK_UNKNOWN)));
    text(w, "task_source",
         f && f->task_source != TASK_BY_NONE ? str_from(task_source_name((enum task_source)f->task_source))
                                             : STR_NONE);
    share(w, "task_confidence", f ? f->task_confidence : -1);
    share(w, "difficulty", f ? f->difficulty : -1);
    text(w, "stakes", str_from(stakes_name(f ? (enum stakes)f->stakes : STAKES_NORMAL)));
    text(w, "rule", r->rule);
    text(w, "tier", r->tier);
    text(w, "provider", r->provider);
    text(w, "model", r->model);
}

static void outcome(jw *w, const struct ledger_call *c) {
    const struct record *r = &c->f.r;
    bool counted = r->usage.source != TOKENS_NONE;
    jw_key(w, "stream");
    jw_bool(w, r->stream);
    number(w, "status", r->status != 0, r->status);
    text(w, "error", r->error);
    number(w, "input_tokens", counted, (uint64_t)usage_input_tokens(&r->usage));
    number(w, "output_tokens", counted, (uint64_t)usage_output_tokens(&r->usage));
    number(w, "reasoning_tokens", counted, (uint64_t)r->usage.units[USAGE_REASONING]);
    number(w, "cached_tokens", counted,
           (uint64_t)(r->usage.units[USAGE_CACHED_INPUT] + r->usage.units[USAGE_CACHED_AUDIO]));
    usage(w, &r->usage, &r->cost_lines);
    text(w, "token_source", str_from(token_source_names[r->usage.source < 4 ? r->usage.source : 0]));
    jw_key(w, "suspect");
    jw_bool(w, r->usage.suspect);
    number(w, "ttft_us", r->ttft_us != 0, r->ttft_us);
    number(w, "duration_us", !c->cut, r->duration_us);
    number(w, "overhead_us", !c->cut, r->overhead_us);
    money(w, "cost", r->cost);
    text(w, "baseline_model", r->baseline_model);
    money(w, "baseline_cost", r->baseline_cost);
    money(w, "routing_cost", r->routing_cost);
    text(w, "cache", str_from(cache_names[r->cache < 3 ? r->cache : 0]));
    text(w, "finish", str_from(finish_names[r->finish < 6 ? r->finish : 0]));
    jw_key(w, "quality");
    c->f.amend.quality < 0 ? jw_null(w) : jw_f64(w, (double)c->f.amend.quality);
    text(w, "quality_source", c->f.amend.quality < 0 ? STR_NONE : c->f.amend.quality_source);
}

void call_json(jw *w, const struct ledger_call *c) {
    const struct record *r = &c->f.r;
    who(w, c);
    decision(w, r);
    attempts(w, &c->f);
    outcome(w, c);
    hash(w, "prompt_hash", r->prompt_hash);
    hash(w, "template_hash", r->facts ? r->facts->template_hash : 0);
    text(w, "service_tier", r->service_tier);
    text(w, "price_version", r->price_version);
    text(w, "config_version", r->config_version);
    candidates(w, r);
    jw_key(w, "propensity");
    jw_f64(w, r->propensity);
    jw_key(w, "facts");
    if (r->facts) {
        jw_object(w);
        facts_explain(r->facts, w);
        jw_object_end(w);
    } else {
        jw_null(w);
    }
    text(w, "dropped", r->dropped);
    text(w, "observed_tier", r->observed_tier);
    text(w, "observed_model", r->observed_model);
    money(w, "observed_cost", r->observed_cost);
    jw_key(w, "observed_named");
    r->observed_model.n ? jw_u64(w, r->observed_named) : jw_null(w);
}
