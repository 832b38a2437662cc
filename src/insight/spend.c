/* spend: see the header.
 *
 * Savings compare what was paid with what the same usage costs elsewhere, over calls where both are known;
 * what is not is counted, and when less than half of the calls (by number) are known nothing is claimed. The
 * headline's other cost was computed call by call (baseline_cost); those of the best single cheaper model and
 * of the frontier come from the window's sums by usage class, at list prices without steps for long contexts.
 * The best single cheaper model is the dearest (so presumably the best) of those in use or configured that
 * would have made the baseline's bill at least 5 % smaller, as analyze has it. */
#include "insight/spend.h"

#include "base/clock.h"
#include "insight/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMES_ENOUGH = 30 /* observed calls that make a latency */ };
static const double CLAIM_ENOUGH = 0.5;
static const double ESTIMATE_ERROR = 0.15; /* of costs by estimated tokens, either way */

const char *const spend_by_names[BY_COUNT] = {
#define X(name, title) #name,
    SPEND_BY(X)
#undef X
};
const char *const spend_by_titles[BY_COUNT] = {
#define X(name, title) title,
    SPEND_BY(X)
#undef X
};

/* ---- tables ---- */

static void table_grow(struct spend_table *t) {
    t->slots = t->slots ? t->slots * 2 : 64;
    free(t->slot);
    t->slot = xcalloc(t->slots, sizeof *t->slot);
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t k = (uint32_t)fingerprint(t->line[i].name) & (t->slots - 1);
        while (t->slot[k]) k = (k + 1) & (t->slots - 1);
        t->slot[k] = i + 1;
    }
}

static struct spend_line *table_find(const struct spend_table *t, str name) {
    if (!t->slots) return NULL;
    for (uint32_t k = (uint32_t)fingerprint(name) & (t->slots - 1); t->slot[k]; k = (k + 1) & (t->slots - 1))
        if (str_eq(t->line[t->slot[k] - 1].name, name)) return &t->line[t->slot[k] - 1];
    return NULL;
}

static struct spend_line *table_get(struct spend_table *t, str name, arena *a) {
    struct spend_line *l = table_find(t, name);
    if (l) return l;
    if (t->count * 2 >= t->slots) table_grow(t);
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 32;
        t->line = xrealloc(t->line, t->cap * sizeof *t->line);
    }
    l = &t->line[t->count++];
    memset(l, 0, sizeof *l);
    l->name = arena_str(a, name);
    uint32_t k = (uint32_t)fingerprint(name) & (t->slots - 1);
    while (t->slot[k]) k = (k + 1) & (t->slots - 1);
    t->slot[k] = t->count;
    return l;
}

static void line_add(struct spend_line *l, const struct cell_row *c) {
#define SUM(name, unit, help) l->sums.name += c->sums.name;
#include "books/rollup.def"
#undef SUM
    for (unsigned i = 0; i < USAGE_CLASSES; i++) l->sums.units[i] += c->sums.units[i];
    hist_merge(&l->ttft, &c->ttft);
    hist_merge(&l->duration, &c->duration);
}

/* ---- one cell ---- */

static void add_day(struct spend *s, const struct cell_row *c) {
    char day[28];
    clock_iso(day, c->period / DAY_US * DAY_US);
    line_add(table_get(&s->by[BY_day], str_make(day, 10), &s->a), c);
}

/* Usage of calls whose cost is known; where a model's is known for a part only, by number. */
static void add_priced(struct spend *s, const struct cell_row *c) {
    int64_t priced = c->sums.calls - c->sums.cost_unknown;
    for (unsigned i = 0; i < USAGE_CLASSES && c->sums.calls > 0; i++)
        s->priced_units[i] += priced == c->sums.calls
                                  ? c->sums.units[i]
                                  : (int64_t)((double)c->sums.units[i] * (double)priced / (double)c->sums.calls);
}

static bool add_cell(void *ctx, const struct cell_row *c) {
    struct spend *s = ctx;
    static const int by[DIM_COUNT] = {[DIM_task] = BY_task, [DIM_tier] = BY_tier, [DIM_model] = BY_model,
                                      [DIM_key] = BY_key,   [DIM_team] = BY_team, [DIM_rule] = BY_rule};
    switch (c->dim) {
    case DIM_all:
        line_add(&s->all, c);
        add_day(s, c);
        break;
    case DIM_move: line_add(table_get(&s->moves, c->value, &s->a), c); break;
    case DIM_gateway: break;
    case DIM_model: add_priced(s, c); /* fall through */
    default: line_add(table_get(&s->by[by[c->dim]], c->value, &s->a), c);
    }
    return !arena_failed(&s->a);
}

/* ---- other models ---- */

static const struct price *price_of(const struct config *config, str full) {
    ptrdiff_t slash = str_chr(full, '/');
    if (slash < 0) return NULL;
    str provider = str_take(full, (size_t)slash), model = str_skip(full, (size_t)slash + 1);
    for (unsigned i = 0; config && i < config->provider_count; i++)
        if (str_eq(config->provider[i].name, provider)) return config_price(config, &config->provider[i], model);
    const struct model_info *m = catalog_model(provider, model);
    return m ? m->price : NULL;
}

/* What all usage whose own cost is known costs at this model. */
static int64_t cost_at(const struct spend *s, const struct price *p) {
    if (!p) return COST_UNKNOWN;
    struct price flat = *p;
    for (unsigned k = 0; k < PRICE_CONTEXT_TIERS; k++) flat.context[k].above = 0;
    struct usage u = {.source = TOKENS_PROVIDER};
    memcpy(u.units, s->priced_units, sizeof u.units);
    struct usage_cost c;
    price_usage(&flat, &u, &c);
    return c.total;
}

static void consider_single(struct spend *s, const struct config *config, str model) {
    const struct cell_sums *all = &s->all.sums;
    int64_t cost = model.n ? cost_at(s, price_of(config, model)) : COST_UNKNOWN;
    if (cost == COST_UNKNOWN || cost > all->baseline_cost - all->baseline_cost / 20) return;
    if (s->single.cost == COST_UNKNOWN || cost > s->single.cost)
        s->single = (struct spend_baseline){model, cost, 0};
}

static void consider_frontier(struct spend *s, const struct config *config, str model) {
    int64_t cost = model.n ? cost_at(s, price_of(config, model)) : COST_UNKNOWN;
    if (cost != COST_UNKNOWN && (s->frontier.cost == COST_UNKNOWN || cost > s->frontier.cost))
        s->frontier = (struct spend_baseline){model, cost, 0};
}

/* The configured frontier's first target, else the dearest model in use. */
static void baselines(struct spend *s, const struct config *config) {
    const struct cell_sums *all = &s->all.sums;
    s->single.cost = s->frontier.cost = COST_UNKNOWN;
    if (config && config->simulated) config = NULL; /* stand-ins' models are nobody's frontier */
    const struct router *r = config ? &config->router : NULL;
    int tier = r ? router_tier(r, STR("frontier")) : -1;
    if (tier >= 0 && r->tier[tier].count)
        consider_frontier(s, config, arena_str(&s->a, r->target[r->tier[tier].target[0]].name));
    bool configured = s->frontier.cost != COST_UNKNOWN;
    for (uint32_t i = 0; i < s->by[BY_model].count; i++) {
        consider_single(s, config, s->by[BY_model].line[i].name);
        if (!configured) consider_frontier(s, config, s->by[BY_model].line[i].name);
    }
    for (uint32_t i = 0; i < s->moves.count; i++) { /* baselines that answered nothing themselves */
        str rest = s->moves.line[i].name, part;
        while (str_cut(&rest, '\n', &part)) continue;
        consider_single(s, config, part);
        if (!configured) consider_frontier(s, config, part);
    }
    for (uint32_t i = 0; r && i < r->target_count; i++)
        consider_single(s, config, arena_str(&s->a, r->target[i].name));
    int64_t paid = all->cost + all->routing_cost;
    if (s->single.cost != COST_UNKNOWN) s->single.saved = s->single.cost - paid;
    if (s->frontier.cost != COST_UNKNOWN) s->frontier.saved = s->frontier.cost - paid;
}

/* ---- time ---- */

struct moved {
    str task, model, baseline;
};
static struct moved move_of(const struct spend_line *l) {
    struct moved m;
    str rest = l->name;
    str_cut(&rest, '\n', &m.task);
    str_cut(&rest, '\n', &m.model);
    m.baseline = rest;
    return m;
}

/* Sums of the calls that this model answered itself, for this task or (empty) any. */
static struct cell_sums observed_times(const struct spend *s, str model, str task) {
    struct cell_sums sum = {0};
    for (uint32_t i = 0; i < s->moves.count; i++) {
        struct moved m = move_of(&s->moves.line[i]);
        const struct cell_sums *c = &s->moves.line[i].sums;
        if (!str_eq(m.model, model) || (task.n && !str_eq(m.task, task))) continue;
        sum.timed += c->timed;
        sum.ttft_us += c->ttft_us;
        sum.flow_us += c->flow_us;
        sum.flow_tokens += c->flow_tokens;
    }
    return sum;
}

static void time_saved(struct spend *s) {
    for (uint32_t i = 0; i < s->moves.count; i++) {
        struct moved m = move_of(&s->moves.line[i]);
        const struct cell_sums *c = &s->moves.line[i].sums;
        if (!c->timed || !m.baseline.n || str_eq(m.baseline, m.model)) continue;
        struct cell_sums base = observed_times(s, m.baseline, m.task);
        if (base.timed < TIMES_ENOUGH) base = observed_times(s, m.baseline, STR_NONE);
        if (base.timed < TIMES_ENOUGH) {
            s->time.unknown += c->timed;
            continue;
        }
        double ttft = (double)base.ttft_us / (double)base.timed * (double)c->timed;
        double per_token = base.flow_tokens ? (double)base.flow_us / (double)base.flow_tokens : 0;
        s->time.calls += c->timed;
        s->time.ttft_s += (ttft - (double)c->ttft_us) / 1e6;
        s->time.total_s += (ttft + per_token * (double)c->flow_tokens - (double)c->duration_us) / 1e6;
    }
}

/* ---- all ---- */

int64_t spend_saved(const struct cell_sums *s) { return s->baseline_cost - s->based_cost - s->routing_cost; }

static int64_t side(const struct cell_sums *s, int want) {
    static const int sides[] = {
#define X(id, name, side) side,
        CATALOG_CLASSES(X)
#undef X
    };
    int64_t n = 0;
    for (unsigned i = 0; i < USAGE_CLASSES; i++)
        if (sides[i] == want) n += s->units[i];
    return n;
}
int64_t spend_input(const struct cell_sums *s) { return side(s, 1); }
int64_t spend_output(const struct cell_sums *s) { return side(s, 2); }

static int64_t error_of(int64_t calls, int64_t difference, int64_t squares_1e12) {
    if (calls < 2) return 0;
    double n = (double)calls, d = (double)difference * 1e-9;
    double variance = (double)squares_1e12 * 1e-12 - d * d / n;
    return variance > 0 ? (int64_t)(1.96 * sqrt(variance * n / (n - 1)) * 1e9) : 0;
}

struct spend_would spend_would(const struct cell_sums *s, bool reroute) {
    struct spend_would w = {.calls = s->observed + s->named,
                            .paid = s->observed_paid + s->named_paid,
                            .cost = s->observed_cost + (reroute ? s->named_cost : s->named_paid)};
    w.saved = w.paid - w.cost;
    w.error = reroute ? error_of(w.calls, w.saved, s->observed_cost_sq + s->named_cost_sq)
                      : error_of(s->observed, w.saved, s->observed_cost_sq);
    return w;
}

bool spend_read(struct spend *s, sqlite3 *db, uint64_t from, uint64_t to, const struct config *config, err *e) {
    memset(s, 0, sizeof *s);
    arena_init(&s->a, 1 << 16, 256 << 20);
    s->from = from / HOUR_US * HOUR_US;
    s->to = to;
    if (!rollup_read(db, from, to, add_cell, s, e)) return false;
    if (arena_failed(&s->a)) return fail(e, "too many different keys and models to report");
    const struct cell_sums *all = &s->all.sums;
    s->spent = all->cost + all->routing_cost;
    s->saved = spend_saved(all);
    int64_t error = (int64_t)((double)all->estimated_cost * ESTIMATE_ERROR);
    s->saved_low = s->saved - error;
    s->saved_high = s->saved + error;
    s->claim = all->based > 0 && (double)all->based >= CLAIM_ENOUGH * (double)(all->calls - all->errors);
    baselines(s, config);
    time_saved(s);
    return true;
}

void spend_free(struct spend *s) {
    for (int i = 0; i < BY_COUNT; i++) {
        free(s->by[i].line);
        free(s->by[i].slot);
    }
    free(s->moves.line);
    free(s->moves.slot);
    arena_free(&s->a);
}

static int dearest_first(const void *pa, const void *pb) {
    const struct spend_line *a = *(const struct spend_line *const *)pa, *b = *(const struct spend_line *const *)pb;
    if (a->sums.cost != b->sums.cost) return a->sums.cost > b->sums.cost ? -1 : 1;
    if (a->sums.calls != b->sums.calls) return a->sums.calls > b->sums.calls ? -1 : 1;
    return str_cmp(a->name, b->name);
}
static int by_name(const void *pa, const void *pb) {
    const struct spend_line *a = *(const struct spend_line *const *)pa, *b = *(const struct spend_line *const *)pb;
    return str_cmp(a->name, b->name);
}

void spend_sorted(const struct spend_table *t, int by, const struct spend_line **out) {
    for (uint32_t i = 0; i < t->count; i++) out[i] = &t->line[i];
    if (t->count) qsort(out, t->count, sizeof *out, by == BY_day ? by_name : dearest_first);
}

static void say(void (*each)(void *ctx, const char *sentence), void *ctx, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(void (*each)(void *ctx, const char *sentence), void *ctx, const char *fmt, ...) {
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    each(ctx, line);
}

void spend_notes(const struct spend *s, void (*each)(void *ctx, const char *sentence), void *ctx) {
    const struct cell_sums *a = &s->all.sums;
    char n[32], m[40];
#define N(v) report_count(n, (uint64_t)(v))
    if (!a->calls) {
        say(each, ctx, "There are no calls in this span.");
        return;
    }
    if (!s->claim)
        say(each, ctx, "No saving is claimed: cost and baseline are both known for only %s of the calls.",
            N(a->based));
    else if (a->calls - a->errors > a->based)
        say(each, ctx,
            "%s answered calls are in neither side of the saving: their cost or their baseline's is unknown.",
            N(a->calls - a->errors - a->based));
    if (a->cost_unknown)
        say(each, ctx,
            "The cost of %s calls is unknown (a model without a price, or no usage); it is not counted as zero.",
            N(a->cost_unknown));
    if (a->estimated)
        say(each, ctx,
            "%s calls have estimated tokens (%s of the cost), which may be wrong by %.0f %% either way.",
            N(a->estimated), report_money(m, a->estimated_cost), ESTIMATE_ERROR * 100);
    if (a->suspect) say(each, ctx, "%s calls have usage that contradicts itself.", N(a->suspect));
    if (a->cut)
        say(each, ctx, "%s calls were cut by a crash; what their attempts had cost is counted.", N(a->cut));
    if (s->time.unknown)
        say(each, ctx, "Time saved leaves out %s calls: fewer than %d calls of their baseline were observed.",
            N(s->time.unknown), TIMES_ENOUGH);
    if (a->based) say(each, ctx, "Baselines assume the same tokens; other models would answer in other words.");
    const struct spend_line *unknown = table_find(&s->by[BY_task], STR("unknown"));
    if (unknown)
        say(each, ctx, "%s calls were not recognised as any task; they cost %s. Labels and hints shrink them.",
            N(unknown->sums.calls), report_money(m, unknown->sums.cost));
#undef N
}
