/* analysis: one call at a time; see analysis.h.
 *
 * A call is first settled (tokens counted by the provider, else estimated from its text and marked so),
 * priced, classified and decided by the very functions that the gateway uses, then added to the sums.
 * Without a policy of the user's the built-in one is taken with the usual models of each call's own
 * provider, frontier meaning "where it is": nothing is ever moved to a dearer model. */
#include "insight/analysis.h"

#include "base/clock.h"
#include "base/hash.h"
#include "insight/lazy.h"
#include "insight/walk.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name, *text;
} reasons[] = {
#define X(id, name, text) {name, text},
    COST_REASONS(X)
#undef X
};
const char *cost_reason_name(enum cost_reason r) { return reasons[r].name; }
const char *cost_reason_text(enum cost_reason r) { return reasons[r].text; }

enum { SALT_PROMPT = 0x5EED1, SALT_TEMPLATE = 0x5EED2, SALT_PREFIX = 0x5EED3 };

/* Everything about the call at hand. */
struct one {
    const struct log_call *c;
    const struct log_place *at;
    const struct model *m;
    struct usage u;
    int64_t cost; /* COST_UNKNOWN */
    struct facts f;
    struct prompt p;
    bool text;
    struct plan plan;
    const struct model *to; /* where it would go; `m` when it stays */
    int64_t now;            /* what it would cost there */
};

/* ---- set up ---- */

static bool build_router(struct analysis *a, err *e) {
    static const char *const tiers[] = {"light", "mid", "frontier"};
    struct router *r = &a->built_in;
    r->target = arena_array(&a->a, struct target, 3);
    for (uint32_t i = 0; i < 3; i++) {
        r->target[i] = (struct target){.name = str_from(tiers[i]), .model = str_from(tiers[i])};
        r->tier[i] = (struct tier){
            .name = str_from(tiers[i]), .balance = BALANCE_PRIORITY, .count = 1, .target = {(uint16_t)i}};
    }
    r->tier_count = r->target_count = 3;
    if (!router_compile(r, NULL, NULL, &a->a, e)) return false;
    err why; /* a build whose model is not of its version decides by phrases */
    (void)router_model(r, STR_NONE, &a->a, &why);
    return true;
}

const struct model **analysis_targets(const struct config *c, struct models *models, arena *a) {
    const struct model **out = arena_alloc(a, sizeof *out * (c->router.target_count + 1));
    for (uint32_t i = 0; i < c->router.target_count; i++) {
        const struct target *t = &c->router.target[i];
        const struct provider *p = config_provider(c, t->provider);
        str kind = p && p->kind && p->kind->catalog ? str_from(p->kind->catalog) : t->provider;
        out[i] = models_target(models, config_target_name(t, a), kind, t->model, t->price);
    }
    return out;
}

bool analysis_init(struct analysis *a, const struct analysis_options *o, const char *prices, err *e) {
    struct tally *tallies[] = {&a->by_model, &a->by_key, &a->by_user, &a->by_team,
                               &a->by_tag,   &a->by_day, &a->by_rule, &a->by_format};
    *a = (struct analysis){.o = *o};
    for (size_t i = 0; i < sizeof tallies / sizeof *tallies; i++) tally_init(tallies[i]);
    arena_init(&a->a, 4 << 10, 64 << 20);
    a->keys = keyset_new(KEYSET_EXACT_MAX);
    a->models = models_new(prices, e);
    if (!a->models || (!o->config && !build_router(a, e))) {
        analysis_free(a);
        return false;
    }
    a->router = o->config ? &o->config->router : &a->built_in;
    if (o->config) a->target = analysis_targets(o->config, a->models, &a->a);
    if (o->samples) a->sample = xcalloc(SAMPLES_MAX, SAMPLE_BYTES);
    return true;
}

void analysis_free(struct analysis *a) {
    struct tally *tallies[] = {&a->by_model, &a->by_key, &a->by_user, &a->by_team,
                               &a->by_tag,   &a->by_day, &a->by_rule, &a->by_format};
    for (size_t i = 0; i < sizeof tallies / sizeof *tallies; i++) tally_free(tallies[i]);
    models_free(a->models);
    keyset_free(a->keys);
    arena_free(&a->a);
    free(a->template);
    free(a->sample);
}

/* ---- one call ---- */

static void note(struct analysis *a, const struct one *x, enum log_problem p) {
    log_problem(&a->problems, p, x->at->file, x->at->line);
}

/* A fast hash of long texts (multiply and fold, 16 bytes a step); what it is for needs no secret. */
static uint64_t bulk_hash(str s, uint64_t h) {
    __extension__ typedef unsigned __int128 u128;
    const uint64_t k0 = 0xA0761D6478BD642Fu, k1 = 0xE7037ED1A0B428DBu;
    size_t i = 0;
    h ^= s.n * k0;
    for (uint64_t w[2]; i + 16 <= s.n; i += 16) {
        memcpy(w, s.p + i, 16);
        u128 x = (u128)(w[0] ^ k1 ^ h) * (w[1] ^ k0);
        h = (uint64_t)x ^ (uint64_t)(x >> 64) ^ h << 1;
    }
    uint64_t w[2] = {0, 0};
    if (i < s.n) memcpy(w, s.p + i, s.n - i);
    u128 x = (u128)(w[0] ^ k0 ^ h) * (w[1] ^ k1 ^ s.n);
    h ^= (uint64_t)x ^ (uint64_t)(x >> 64);
    h *= 0x9FB21C651E98DF25u;
    return h ^ h >> 32;
}

/* Exact counts instead of the estimates; beside a provider's, for a while, only to compare. */
static void count_tokens(struct analysis *a, struct one *x, bool known) {
    struct count *k = a->o.count;
    struct counted n;
    if (known && (k->provider.calls >= COUNT_CHECKS_MAX || x->c->failed)) return;
    if (!count_call(k, x->m, x->c, &n)) return;
    if (known) {
        count_check(k, &n, usage_input_tokens(&x->u));
        return;
    }
    x->u.units[USAGE_INPUT] = (int64_t)n.in;
    if (n.out) x->u.units[USAGE_OUTPUT] = (int64_t)n.out;
    x->f.input_tokens = (uint32_t)(n.in > UINT32_MAX ? UINT32_MAX : n.in);
    k->counted++;
    if (n.in_exact && n.out_exact)
        x->u.source = TOKENS_COUNTED;
    else
        k->inexact++;
}

static void read_facts(struct analysis *a, struct one *x) {
    bool known = x->u.source != TOKENS_NONE;
    x->text = log_facts(a->router, x->c, a->o.texts, &x->f, &x->p, &x->u);
    if (a->o.count && x->text && x->u.source != TOKENS_NONE) count_tokens(a, x, known);
    if (known || x->u.source != TOKENS_ESTIMATED) return;
    a->estimated++;
    note(a, x, LOG_ESTIMATED);
}

static int64_t price_at(const struct price *p, const struct usage *u, struct usage_cost *cost) {
    price_usage(p, u, cost);
    return cost->total;
}

static void price(struct analysis *a, struct one *x) {
    struct usage_cost cost;
    x->cost = price_at(model_price(x->m, &x->u), &x->u, &cost);
    if (x->c->cache_hit) x->cost = 0;
    for (unsigned c = 0; c < USAGE_CLASSES; c++) {
        a->units_by_class[c] += x->u.units[c];
        if (!x->c->cache_hit && cost.cost[c] != COST_UNKNOWN) a->cost_by_class[c] += cost.cost[c];
    }
    if (x->cost != COST_UNKNOWN) return;
    if (x->c->model.n == 0)
        note(a, x, LOG_NO_MODEL);
    else if (x->u.source == TOKENS_NONE) {
        if (!x->c->aggregate) note(a, x, LOG_NO_TOKENS);
    } else
        note(a, x, LOG_UNKNOWN_PRICE);
}

/* ---- logged against computed ---- */

static bool near(int64_t a, int64_t b) {
    int64_t d = a > b ? a - b : b - a;
    return d <= 1000 || d / 2 <= (a > b ? a : b) / 100; /* a millionth of a dollar, or 2 % */
}

static enum cost_reason reason_of(const struct one *x) {
    int64_t logged = x->c->cost_logged;
    struct usage_cost cost;
    struct usage plain = x->u;
    if (logged == 0) return REASON_ZERO;
    plain.units[USAGE_INPUT] += plain.units[USAGE_CACHED_INPUT];
    plain.units[USAGE_CACHED_INPUT] = 0;
    if (near(logged, price_at(model_price(x->m, &x->u), &plain, &cost))) return REASON_NO_CACHE;
    if (x->u.service_tier == SERVICE_BATCH &&
        (near(logged, x->cost * 2) || near(logged, price_at(x->m->price, &plain, &cost) * 2)))
        return REASON_NO_BATCH;
    plain.service_tier = SERVICE_DEFAULT;
    if (x->u.service_tier == SERVICE_BATCH && near(logged, price_at(x->m->price, &plain, &cost)))
        return REASON_NO_BATCH;
    if (near(logged / 100, x->cost)) return REASON_CENTS;
    if (x->cost > 0 && logged / 10 > x->cost) return REASON_FAR;
    return REASON_OTHER;
}

/* No model costs $5,000 per million tokens: a cost above that is a client's wrong price. */
enum { ABSURD_NANO_PER_TOKEN = 5000000 };

static void keep_outlier(struct analysis *a, const struct one *x) {
    if (a->outliers < OUTLIERS_MAX)
        a->outlier[a->outliers++] = (struct outlier){x->at->file, x->at->line, x->c->cost_logged, x->cost};
}

static void compare(struct analysis *a, struct one *x) {
    int64_t logged = x->c->cost_logged;
    if (logged == COST_UNKNOWN) return;
    a->logged += logged;
    a->logged_calls++;
    if (x->cost == COST_UNKNOWN) {
        int64_t tokens = usage_input_tokens(&x->u) + usage_output_tokens(&x->u);
        a->logged_unpriced += logged;
        if (tokens > 0 && logged / tokens > ABSURD_NANO_PER_TOKEN) keep_outlier(a, x);
        return;
    }
    a->compared++;
    a->logged_compared += logged;
    a->computed_compared += x->cost;
    if (near(logged, x->cost)) return;
    enum cost_reason r = reason_of(x);
    note(a, x, LOG_COST_DIFFERS);
    a->reason[r].calls++;
    a->reason[r].logged += logged;
    a->reason[r].computed += x->cost;
    if (r == REASON_FAR) keep_outlier(a, x);
}

/* ---- where it would go ---- */

static bool moves(const struct one *x) {
    unsigned t = x->f.task;
    return !x->c->failed && !x->c->cache_hit && !x->c->aggregate && x->cost != COST_UNKNOWN && t != TASK_EMBED &&
           t != TASK_AUDIO && t != TASK_IMAGE;
}

static const struct model *target_of(struct analysis *a, const struct one *x) {
    if (a->o.config) return x->plan.count ? a->target[x->plan.target[0]] : x->m;
    const struct model *to = str_eq(x->plan.tier, STR("light")) ? x->m->light
                             : str_eq(x->plan.tier, STR("mid")) ? x->m->mid
                                                                : NULL;
    return to && (!to->context || to->context > x->f.input_tokens) ? to : x->m;
}

static bool same_model(const struct model *a, const struct model *b) {
    return a == b || (str_eq(a->provider, b->provider) && str_eq(a->name, b->name));
}

static struct move *move_at(struct analysis *a, str rule, const struct model *from, const struct model *to) {
    for (uint32_t i = 0; i < a->moves; i++)
        if (a->move[i].from == from && a->move[i].to == to && str_eqz(rule, a->move[i].rule)) return &a->move[i];
    if (a->moves == MOVES_MAX) return &a->move[MOVES_MAX - 1];
    a->move[a->moves] = (struct move){.rule = arena_strz(&a->a, rule), .from = from, .to = to};
    return &a->move[a->moves++];
}

/* The same call at the target with all the assumptions against it: longer, its cache lost, some done again. */
static int64_t worst_case(const struct one *x) {
    struct usage u = x->u;
    struct usage_cost cost;
    u.units[USAGE_INPUT] += u.units[USAGE_CACHED_INPUT];
    u.units[USAGE_CACHED_INPUT] = 0;
    u.units[USAGE_OUTPUT] += (u.units[USAGE_OUTPUT] * ASSUME_LONGER + 50) / 100;
    u.units[USAGE_REASONING] += (u.units[USAGE_REASONING] * ASSUME_LONGER + 50) / 100;
    int64_t there = price_at(model_price(x->to, &u), &u, &cost);
    return there == COST_UNKNOWN ? COST_UNKNOWN : there + (x->cost * ASSUME_REDONE + 50) / 100;
}

static void route(struct analysis *a, struct one *x) {
    struct usage_cost cost;
    x->to = x->m;
    x->now = x->cost;
    decide(a->router, &x->f, fingerprint(x->c->id), &x->plan);
    if (!moves(x) || x->plan.missing.n) return;
    struct usage *sum = &a->movable[x->u.service_tier & 3];
    sum->source = TOKENS_PROVIDER;
    sum->service_tier = x->u.service_tier;
    for (unsigned c = 0; c < USAGE_CLASSES; c++) sum->units[c] += x->u.units[c];
    a->movable_cost += x->cost;
    const struct model *to = target_of(a, x);
    if (same_model(to, x->m)) to = x->m;
    int64_t there = to == x->m ? x->cost : price_at(model_price(to, &x->u), &x->u, &cost);
    if (there == COST_UNKNOWN) there = x->cost, to = x->m;
    a->policy_cost += there;
    if (there > x->cost) {
        a->dearer_calls++;
        a->dearer += there - x->cost;
        if (!a->o.config) to = x->m;
    }
    if (to == x->m || (there == x->cost && !a->o.config)) return;
    x->to = to;
    x->now = there;
    struct move *v = move_at(a, x->plan.rule, x->m, to);
    int64_t worst = worst_case(x);
    v->calls++;
    v->then += x->cost;
    v->now += there;
    v->worst += worst == COST_UNKNOWN ? there : worst;
    if (x->c->duration_us) a->moved_timed++, a->moved_duration_us += x->c->duration_us;
}

/* ---- other ways to save ---- */

static void keep_sample(struct analysis *a, struct template *t, const struct one *x) {
    if (!a->sample || a->samples == SAMPLES_MAX) return;
    const struct prompt_part *part = x->p.system_count ? &x->p.system[0] : x->p.user_count ? &x->p.user[0] : NULL;
    if (!part) return;
    char *to = a->sample + (size_t)a->samples * SAMPLE_BYTES;
    arena tmp;
    arena_init(&tmp, 1024, 1 << 20);
    str s =
        lazy_text((jval){.raw = str_take(part->raw, SAMPLE_BYTES * 2), .type = J_STRING, .esc = part->esc}, &tmp);
    size_t n = s.n < SAMPLE_BYTES - 1 ? s.n : SAMPLE_BYTES - 1;
    while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xC0) == 0x80) n--; /* no half character */
    memcpy(to, s.p, n);
    arena_free(&tmp);
    t->sample = ++a->samples;
}

static void count_template(struct analysis *a, const struct one *x) {
    if (x->f.template_hash == 0) return;
    bool fresh;
    uint64_t *p = keyset_put(a->keys, x->f.template_hash ^ SALT_TEMPLATE, &fresh);
    if (!p || (fresh && a->templates == TEMPLATES_MAX)) {
        a->untracked++;
        return;
    }
    if (*p == 0) {
        if (!fresh) { /* known, but came when there was no room */
            a->untracked++;
            return;
        }
        if (a->templates == a->templates_cap) {
            a->templates_cap = a->templates_cap ? a->templates_cap * 2 : 1024;
            a->template = xrealloc(a->template, sizeof *a->template * a->templates_cap);
        }
        a->template[a->templates] =
            (struct template){.hash = x->f.template_hash, .model = x->m->index, .task = x->f.task};
        *p = ++a->templates;
    }
    struct template *t = &a->template[*p - 1];
    if (++t->calls == 2) keep_sample(a, t, x);
    if (x->cost != COST_UNKNOWN) t->cost += x->cost;
    t->input += usage_input_tokens(&x->u);
    t->output += usage_output_tokens(&x->u);
}

static void offer(struct analysis *a, const struct one *x) {
    if (!a->o.sample || x->c->failed) return;
    int tier = router_tier(a->router, x->plan.tier);
    sample_add(a->o.sample, &(struct sample_call){.c = x->c,
                                                  .at = x->at,
                                                  .p = &x->p,
                                                  .f = &x->f,
                                                  .provider = x->m->provider,
                                                  .model = x->m->name,
                                                  .tier = x->plan.tier,
                                                  .model_index = x->m->index,
                                                  .tier_index = (uint32_t)(tier + 1),
                                                  .input_tokens = usage_input_tokens(&x->u),
                                                  .output_tokens = usage_output_tokens(&x->u),
                                                  .cost = x->cost});
}

/* The same prompt to the same model again: what an exact cache would have answered. */
static void count_repeat(struct analysis *a, const struct one *x) {
    uint64_t h = bulk_hash(x->c->text.prompt.raw, x->m->index);
    if (lazy_present(x->c->text.system)) h = bulk_hash(x->c->text.system.raw, h);
    bool fresh;
    uint64_t *p = keyset_put(a->keys, h ^ SALT_PROMPT, &fresh);
    if (p) ++*p;
    if (fresh) return;
    if (!p) a->repeats_unsure++;
    a->repeats++;
    if (x->cost != COST_UNKNOWN) a->repeats_cost += x->cost;
}

/* The same long system prompt soon again: what a provider's prompt cache gives a discount on. */
static void count_prefix(struct analysis *a, const struct one *x) {
    size_t bytes = 0;
    for (unsigned i = 0; i < x->p.system_count; i++) bytes += x->p.system[i].raw.n;
    int64_t tokens = (int64_t)(bytes / 4);
    if (tokens < PREFIX_TOKENS || !x->f.system_hash) return;
    bool fresh;
    uint64_t now = x->c->time_us / 1000000u + 1,
             *p = keyset_put(a->keys, (x->f.system_hash + x->m->index) ^ SALT_PREFIX, &fresh);
    uint64_t last = p ? *p : 0;
    if (p) *p = now;
    const struct price *price = model_price(x->m, &x->u);
    if (fresh || !p || !price || x->cost == COST_UNKNOWN) return;
    if (now > 1 && (now < last || now - last > PREFIX_WINDOW_S)) return;
    int64_t rate = price->rate[SERVICE_DEFAULT][USAGE_INPUT],
            cheap = price->rate[SERVICE_DEFAULT][USAGE_CACHED_INPUT];
    int64_t all = usage_input_tokens(&x->u), open = (tokens < all ? tokens : all) - x->u.units[USAGE_CACHED_INPUT];
    if (rate == PRICE_UNKNOWN || cheap == PRICE_UNKNOWN || cheap >= rate || open <= 0) return;
    a->prefix_calls++;
    a->prefix_tokens += (uint64_t)open;
    a->prefix_saving += (int64_t)((double)open * (double)(rate - cheap) / 1e6);
}

/* Work that could have waited for batch prices: nobody watched it come, and nothing went on from it. */
static void count_batch(struct analysis *a, const struct one *x) {
    enum task t = x->f.task;
    bool waits =
        t == TASK_CLASSIFY || t == TASK_EXTRACT || t == TASK_SUMMARIZE || t == TASK_TRANSLATE || t == TASK_EMBED;
    if (!waits || x->f.stream || x->f.tools || x->u.service_tier != SERVICE_DEFAULT || x->f.turns > 3 || !moves(x))
        return;
    struct usage u = x->u;
    struct usage_cost cost;
    u.service_tier = SERVICE_BATCH;
    int64_t there = price_at(x->m->batch, &u, &cost);
    if (there == COST_UNKNOWN || there >= x->cost) return;
    a->batch_calls++;
    a->batch_cost += x->cost;
    a->batch_saving += x->cost - there;
}

/* ---- sums ---- */

/* The day's name is kept: calls of one day follow each other. */
static str day_of(struct analysis *a, uint64_t us) {
    if (!us) return STR("unknown");
    uint64_t day = us / 86400000000u;
    if (!a->day_name[0] || day != a->day) clock_iso(a->day_name, us);
    a->day = day;
    return str_make(a->day_name, 10);
}

enum { PROVIDER_SHOWN = 58, MODEL_SHOWN = 140, MODEL_NAME_MAX = PROVIDER_SHOWN + 1 + MODEL_SHOWN };

/* provider/model, both from a log and of any length there. */
static str name_model(const struct model *m, char out[MODEL_NAME_MAX]) {
    str provider = str_take(m->provider, m->provider.n < PROVIDER_SHOWN ? m->provider.n : PROVIDER_SHOWN);
    str model = str_take(m->name, m->name.n < MODEL_SHOWN ? m->name.n : MODEL_SHOWN);
    size_t n = provider.n;
    if (n) {
        memcpy(out, provider.p, n);
        out[n++] = '/';
    }
    if (model.n) memcpy(out + n, model.p, model.n);
    return str_make(out, n + model.n);
}

static void add_up(struct analysis *a, const struct one *x) {
    const struct log_call *c = x->c;
    struct sums s = {.calls = c->calls, .input = usage_input_tokens(&x->u), .output = usage_output_tokens(&x->u)};
    s.cached = x->u.units[USAGE_CACHED_INPUT] + x->u.units[USAGE_CACHED_AUDIO];
    if (x->cost == COST_UNKNOWN)
        s.unknown = c->calls;
    else
        s.cost = x->cost, s.routed = x->now;
    s.simple = !c->aggregate && task_is_simple(x->f.task, s.input) ? c->calls : 0;
    s.moved = x->to != x->m;
    if (c->duration_us && !c->aggregate) s.timed = 1, s.duration_us = c->duration_us;
    char model[MODEL_NAME_MAX];
    str name = name_model(x->m, model);
    sums_add(&a->all, &s);
    sums_add(tally_at(&a->by_model, name), &s);
    sums_add(tally_at(&a->by_key, c->key), &s);
    sums_add(tally_at(&a->by_user, c->user), &s);
    sums_add(tally_at(&a->by_team, c->team), &s);
    sums_add(tally_at(&a->by_tag, c->tag), &s);
    sums_add(tally_at(&a->by_day, day_of(a, c->time_us)), &s);
    sums_add(tally_at(&a->by_format, str_from(x->at->format)), &s);
    if (c->aggregate) {
        sums_add(&a->aggregates, &s);
        return;
    }
    if (c->failed) sums_add(&a->failed, &s);
    sums_add(&a->task[x->f.task], &s);
    sums_add(tally_at(&a->by_rule, x->plan.rule), &s);
    int tier = router_tier(a->router, x->plan.tier);
    if (tier >= 0) sums_add(&a->tier[tier], &s);
}

bool analysis_call(void *ctx, const struct log_call *c, const struct log_place *at) {
    struct analysis *a = ctx;
    struct one x = {.c = c, .at = at, .u = c->usage, .m = models_find(a->models, c->provider, c->model)};
    read_facts(a, &x);
    price(a, &x);
    compare(a, &x);
    if (c->aggregate) {
        x.to = x.m;
        x.now = x.cost;
    } else {
        route(a, &x);
    }
    if (x.text) {
        a->with_text++;
        a->classified += x.f.task != TASK_UNKNOWN;
        if (x.f.task == TASK_UNKNOWN) {
            a->ambiguous++;
            if (x.cost != COST_UNKNOWN) a->ambiguous_cost += x.cost;
        }
        offer(a, &x);
        count_template(a, &x);
        count_repeat(a, &x);
        count_prefix(a, &x);
    }
    if (!c->aggregate) {
        count_batch(a, &x);
        a->streamed += x.f.stream;
        a->cache_hits += c->cache_hit;
        if (c->duration_us) a->timed++, a->duration_us += c->duration_us;
    }
    if (c->time_us) {
        if (a->first_us == 0 || c->time_us < a->first_us) a->first_us = c->time_us;
        if (c->time_us > a->last_us) a->last_us = c->time_us;
    }
    add_up(a, &x);
    return true;
}
