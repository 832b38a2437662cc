/* replay: see replay.h.
 *
 * The decision is config_decide_again(), as at the gateway. The tokens are those of the answer that
 * was given: another model would have said it longer or shorter, which the report says. Costs are summed
 * over the calls where old and new are both known, so that the difference is of like and like. */
#include "insight/replay.h"

#include "base/hash.h"
#include "books/past.h"
#include "insight/analysis.h"
#include "insight/explain.h"
#include "insight/walk.h"

#include <math.h>
#include <stdio.h>

bool replay_init(struct replay *r, const struct replay_options *o, err *e) {
    struct tally *t[] = {&r->old_tier, &r->new_tier, &r->old_model, &r->new_model, &r->why, &r->missing};
    *r = (struct replay){.o = *o};
    arena_init(&r->a, 4 << 10, 64 << 20);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) tally_init(t[i]);
    r->models = models_new(NULL, e);
    r->now = r->models && o->prices ? models_new(o->prices, e) : r->models;
    if (!r->now) {
        replay_free(r);
        return false;
    }
    r->target = analysis_targets(o->config, r->now, &r->a);
    return true;
}

void replay_free(struct replay *r) {
    struct tally *t[] = {&r->old_tier, &r->new_tier, &r->old_model, &r->new_model, &r->why, &r->missing};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) tally_free(t[i]);
    if (r->now != r->models) models_free(r->now);
    models_free(r->models);
    arena_free(&r->a);
}

/* ---- the new decision ---- */

/* A list that was given wins over what is configured; so a new price is tried without touching anything. */
static const struct price *price_now(struct replay *r, const struct target *t, const struct model *m) {
    const struct price *listed = r->o.prices ? models_listed(r->now, m->provider, t->model) : NULL;
    return listed ? listed : t->price ? t->price : m->price;
}

static bool gone(const struct replay *r, const struct target *t, str full) {
    for (unsigned i = 0; i < r->o.without_count; i++) {
        const char *w = r->o.without[i];
        if (str_eqz(t->model, w) || str_eqz(t->provider, w) || str_eqz(full, w)) return true;
    }
    return false;
}

struct chosen {
    str model, tier, rule;
    const struct price *price, *batch;
    bool none; /* every target is gone */
};

/* The target that was named. */
static void choose_named(struct replay *r, const struct decision *d, struct chosen *out) {
    const struct target *t = &d->named.target;
    const struct model *m = models_find(r->now, t->provider, t->model);
    out->model = config_target_name(t, &r->a);
    out->price = price_now(r, t, m);
    out->batch = m->batch;
    out->none = !d->plan.count || gone(r, t, out->model);
}

/* False: it can't be told. */
static bool choose(struct replay *r, const struct replay_past *p, struct chosen *out) {
    const struct router *router = &r->o.config->router;
    struct decision *d = &r->decision;
    bool observed = p->record && p->record->observed_model.n > 0;
    config_decide_again(r->o.config, p->f, p->dialect, r->o.reroute || observed, p->draw, d);
    *out = (struct chosen){.tier = d->plan.tier, .rule = d->plan.rule, .none = true};
    if (d->missing.n) return false;
    if (d->by_target) {
        choose_named(r, d, out);
        return true;
    }
    for (unsigned i = 0; i < d->plan.count && out->none; i++) {
        const struct model *m = r->target[d->plan.target[i]];
        str full = router->target[d->plan.target[i]].name;
        if (gone(r, &router->target[d->plan.target[i]], full)) continue;
        out->none = false;
        out->model = full;
        out->price = price_now(r, &router->target[d->plan.target[i]], m);
        out->batch = m->batch;
    }
    return true;
}

static const char *reason(const struct replay_past *p, const struct chosen *n, bool same_model, bool same_tier) {
    if (n->none) return "no target left";
    if (same_model) return NULL;
    if (!str_eq(p->rule, n->rule)) return p->rule.n ? "another rule" : "decided by the policy";
    return same_tier ? "another target in the tier" : "the rule has another tier";
}

/* ---- quality ---- */

static void score(struct scores *s, double q) {
    s->n++;
    s->sum += q;
    s->squares += q * q;
}

static unsigned tier_of(const struct replay *r, str tier) {
    int i = tier.n ? router_tier(&r->o.config->router, tier) : -1;
    return i < 0 ? ROUTER_TIERS_MAX : (unsigned)i;
}

static void add_quality(struct replay *r, const struct replay_past *p, const struct chosen *n, bool same) {
    unsigned old = tier_of(r, p->tier), now = tier_of(r, n->tier), task = p->f->task < TASK_COUNT ? p->f->task : 0;
    r->was[task][old]++;
    r->would[task][now]++;
    if (p->quality < 0) return;
    score(&r->scored, p->quality);
    score(&r->cell[task][old], p->quality);
    if (p->propensity <= 0) return;
    if (p->propensity < 1)
        r->drawn++;
    else if (!same)
        r->unseen++;
    if (!same) return;
    double w = 1 / p->propensity;
    r->matched++;
    r->weight += w;
    r->weighted += w * p->quality;
    r->weight2 += w * w;
    r->cross += w * w * p->quality;
    r->weighted2 += w * w * p->quality * p->quality;
}

static double half_interval(const struct scores *s) {
    if (s->n < 2) return 1;
    double mean = s->sum / (double)s->n, var = s->squares / (double)s->n - mean * mean;
    return 1.96 * sqrt((var > 0 ? var : 0) / (double)(s->n - 1));
}

/* Self-normalised inverse propensity: the scored calls whose drawn choice the new policy repeats, each
 * weighing 1 / its probability. Calls whose old choice was certain and whose new one is another have no such
 * witnesses: they are left out, and said. */
static void off_policy(const struct replay *r, struct replay_quality *q) {
    if (r->drawn == 0 || r->matched < 2 || r->weight <= 0) {
        snprintf(
            q->text, sizeof q->text,
            "%s, so an unbiased estimate for the changed calls isn't possible: how good their answers would be "
            "can't be known from these books. The mean by task and tier assumes that calls of a task are alike at "
            "every tier.",
            r->drawn ? "No drawn choice in these books is one that the new policy would repeat"
                     : "The books hold no drawn choices (every propensity is 1 or unknown)");
        return;
    }
    double m = r->weighted / r->weight;
    double v = (r->weighted2 - 2 * m * r->cross + m * m * r->weight2) / (r->weight * r->weight);
    q->off_policy = true;
    q->ips_mean = m;
    q->ips_half = 1.96 * sqrt(v > 0 ? v : 0);
    q->ips_share = 1 - (double)r->unseen / (double)r->scored.n;
    int n = snprintf(q->text, sizeof q->text,
                     "The off-policy estimate weighs the scored calls whose drawn choice the new policy would "
                     "repeat.");
    if (r->unseen)
        snprintf(q->text + n, sizeof q->text - (size_t)n,
                 " It leaves out %llu scored calls that would go where none like them was ever drawn: of those it "
                 "can't know.",
                 (unsigned long long)r->unseen);
}

void replay_quality(const struct replay *r, struct replay_quality *q) {
    *q = (struct replay_quality){
        .text = "No call in these books has a quality score, so how good the answers would be can't be known."};
    if (r->scored.n == 0) return;
    q->old_known = true;
    q->old_mean = r->scored.sum / (double)r->scored.n;
    q->old_half = half_interval(&r->scored);
    double sum = 0, var = 0;
    uint64_t covered = 0, all = 0;
    for (unsigned t = 0; t < TASK_COUNT; t++) {
        for (unsigned k = 0; k <= ROUTER_TIERS_MAX; k++) {
            const struct scores *s = &r->cell[t][k];
            all += r->would[t][k];
            if (s->n < 2 || r->would[t][k] == 0) continue;
            double w = (double)r->would[t][k], h = half_interval(s);
            sum += w * s->sum / (double)s->n;
            var += w * w * h * h;
            covered += r->would[t][k];
        }
    }
    if (covered) {
        q->new_known = true;
        q->new_mean = sum / (double)covered;
        q->new_half = sqrt(var) / (double)covered;
        q->new_share = (double)covered / (double)all;
    }
    off_policy(r, q);
}

/* ---- one call ---- */

static void undecidable(struct replay *r, const struct replay_past *p, str missing) {
    struct sums one = {.calls = 1, .unknown = 1};
    r->undecidable++;
    sums_add(tally_at(&r->missing, missing), &one);
    if (r->o.changed)
        r->o.changed(r->o.ctx, &(struct replay_change){.past = p,
                                                       .cost = COST_UNKNOWN,
                                                       .why = "can't be told: not recorded",
                                                       .missing = missing});
}

void replay_add(struct replay *r, const struct replay_past *p) {
    struct chosen n;
    struct usage_cost cost;
    r->calls++;
    r->failed += p->failed;
    if (!p->f || !choose(r, p, &n)) {
        undecidable(r, p, p->f ? r->decision.missing : STR("facts"));
        return;
    }
    if (p->record && decision_same(r->o.config, &r->decision, p->record)) r->same++;
    char old_name[300];
    int len =
        snprintf(old_name, sizeof old_name, "%.*s%s%.*s", (int)(p->provider.n > 80 ? 80 : p->provider.n),
                 p->provider.p, p->provider.n ? "/" : "", (int)(p->model.n > 200 ? 200 : p->model.n), p->model.p);
    str old = {old_name, (size_t)len};
    bool same = !n.none && (str_eq(old, n.model) || (p->provider.n == 0 && str_ends(n.model, p->model)));
    int64_t now = COST_UNKNOWN;
    if (!n.none) {
        price_usage(p->u->service_tier == SERVICE_BATCH && n.batch ? n.batch : n.price, p->u, &cost);
        now = same && p->cost != COST_UNKNOWN && r->o.without_count == 0 && cost.total == COST_UNKNOWN
                  ? p->cost
                  : cost.total;
    }
    r->unanswerable += n.none;
    struct sums so = {.calls = 1}, sn = {.calls = 1};
    if (p->cost != COST_UNKNOWN && now != COST_UNKNOWN) {
        r->priced++;
        r->old_cost += p->cost;
        r->new_cost += now;
        so.cost = p->cost;
        sn.cost = now;
    } else {
        r->unpriced++;
        so.unknown = sn.unknown = 1;
    }
    sums_add(tally_at(&r->old_tier, p->tier), &so);
    sums_add(tally_at(&r->new_tier, n.none ? STR("(no target left)") : n.tier), &sn);
    sums_add(tally_at(&r->old_model, old), &so);
    sums_add(tally_at(&r->new_model, n.none ? STR("(no target left)") : n.model), &sn);
    add_quality(r, p, &n, same);
    const char *why = reason(p, &n, same, str_eq(p->tier, n.tier));
    if (!why) return;
    char key[400];
    size_t at = 0;
    const str part[] = {str_from(why), STR(": "), p->rule.n ? p->rule : STR("(none)"), STR(" \xE2\x86\x92 "),
                        n.rule};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        str s = str_take(part[i], sizeof key - at);
        memcpy(key + at, s.p, s.n);
        at += s.n;
    }
    r->changed++;
    so.routed = sn.cost;
    sums_add(tally_at(&r->why, (str){key, at}), &so);
    if (r->o.changed)
        r->o.changed(r->o.ctx, &(struct replay_change){.past = p,
                                                       .model = n.none ? STR_NONE : n.model,
                                                       .tier = n.tier,
                                                       .rule = n.rule,
                                                       .cost = now,
                                                       .why = why});
}

/* ---- sources ---- */

bool replay_log_call(void *ctx, const struct log_call *c, const struct log_place *at) {
    struct replay *r = ctx;
    if (c->aggregate) return true; /* sums can't be decided */
    struct facts f;
    struct prompt prompt;
    struct usage u = c->usage;
    struct usage_cost cost;
    log_facts(&r->o.config->router, c, true, &f, &prompt, &u);
    const struct model *m = models_find(r->models, c->provider, c->model);
    price_usage(model_price(m, &u), &u, &cost);
    if (c->cost_logged != COST_UNKNOWN && str_eqz(str_from(at->format), "dray"))
        cost.total = c->cost_logged;   /* our own books know what it cost */
    else if (!m->price && r->o.prices) /* a model that only the list knows */
        price_usage(model_price(models_find(r->now, c->provider, c->model), &u), &u, &cost);
    struct replay_past p = {.time_us = c->time_us,
                            .f = &f,
                            .u = &u,
                            .provider = m->provider,
                            .model = m->name,
                            .tier = c->tier,
                            .rule = c->rule,
                            .cost = c->cache_hit ? 0 : cost.total,
                            .quality = c->quality,
                            .propensity = c->propensity,
                            .failed = c->failed,
                            .dialect = DIALECT_OPENAI};
    if (c->id.n && c->id.n < sizeof p.id)
        memcpy(p.id, c->id.p, c->id.n);
    else
        snprintf(p.id, sizeof p.id, "line %llu", (unsigned long long)at->line);
    p.draw = fingerprint(str_from(p.id));
    replay_add(r, &p);
    return true;
}

static bool past_again(void *ctx, const struct past_call *c) {
    struct replay *r = ctx;
    struct replay_past p = {.time_us = c->time_us,
                            .f = c->facts,
                            .u = &c->usage,
                            .provider = c->provider,
                            .model = c->model,
                            .tier = c->decided->tier,
                            .rule = c->decided->rule,
                            .cost = c->cost,
                            .quality = (double)c->quality,
                            .propensity = c->decided->propensity,
                            .failed = c->failed,
                            .dialect = record_dialect(c->decided),
                            .draw = decide_draw(c->id),
                            .record = c->decided};
    uuid_format(p.id, c->id);
    replay_add(r, &p);
    return true;
}

bool replay_ledger(struct replay *r, const char *path, uint64_t from_us, uint64_t to_us, err *e) {
    struct ledger *l = ledger_open(path, e);
    if (!l) return false;
    bool good = past_each(l, from_us, to_us, past_again, r, e);
    ledger_close(l);
    return good;
}
