/* conclude: what follows from an analysis' sums: verdict, baselines, savings, a configuration. */
#include "insight/analysis.h"

#include <stdio.h>
#include <stdlib.h>

/* The share of calls with text below which nothing is claimed about their work. */
static const double TEXT_ENOUGH = 0.5;

int64_t analysis_single(const struct analysis *a, const struct model *m) {
    int64_t total = a->all.cost - a->movable_cost;
    if (!m || !m->price) return COST_UNKNOWN;
    for (unsigned t = 0; t < 4; t++) {
        struct price flat =
            t == SERVICE_BATCH ? *m->batch : *m->price; /* sums must not meet the prices of long contexts */
        struct usage_cost cost;
        for (unsigned k = 0; k < PRICE_CONTEXT_TIERS; k++) flat.context[k].above = 0;
        if (a->movable[t].source == TOKENS_NONE) continue;
        price_usage(&flat, &a->movable[t], &cost);
        if (cost.total == COST_UNKNOWN) return COST_UNKNOWN;
        total += cost.total;
    }
    return total;
}

/* The model that most was spent on, of those whose provider has usual models. */
static const struct model *main_model(const struct analysis *a) {
    uint32_t top[64], n = tally_top(&a->by_model, top, 64);
    for (uint32_t i = 0; i < n; i++) {
        const struct model *m = models_named(a->models, a->by_model.row[top[i]].name);
        if (m->light && m->price) return m;
    }
    return NULL;
}

/* The best single cheaper model: of the usual models and those in the log, the dearest (so presumably the
 * best) that would still have made the bill at least 5 % smaller. */
static void best_single(const struct analysis *a, const struct model *main, struct conclusion *out) {
    out->single = NULL;
    unsigned count = models_count(a->models);
    for (unsigned i = 0; i < count && main; i++) {
        const struct model *m = models_at(a->models, i);
        if (!m->price || !(m->flags & MODEL_CHAT) || !str_eq(m->provider, main->provider)) continue;
        int64_t cost = analysis_single(a, m);
        if (cost == COST_UNKNOWN || cost > a->all.cost - a->all.cost / 20) continue;
        if (!out->single || cost > out->single_cost) out->single = m, out->single_cost = cost;
    }
}

static void say_verdict(const struct analysis *a, struct conclusion *k) {
    uint64_t calls = a->all.calls - a->aggregates.calls;
    int share = (int)(k->simple_share * 100 + 0.5);
    k->start_today = k->simple_share > 0.5;
    if (a->aggregates.calls > calls || (calls == 0 && a->all.input > 0)) {
        k->verdict = "aggregates_only";
        snprintf(k->text, sizeof k->text,
                 "Single calls can't be classified from this file: it holds sums over calls. It shows spend, "
                 "cache share and what other prices "
                 "would give. Analyse a gateway's, an observability tool's or your own request log to see which "
                 "calls are simple.");
    } else if (calls == 0) {
        k->verdict = "no_calls";
        snprintf(k->text, sizeof k->text, "No calls were found.");
    } else if (k->start_today) {
        k->verdict = "start_today";
        snprintf(k->text, sizeof k->text,
                 "%d %% of the calls are classification, extraction, intent or short summarization: there is a "
                 "cost-reduction project to start "
                 "today, without fine-tuning.",
                 share);
    } else if (k->text_share < TEXT_ENOUGH) {
        k->verdict = "no_text";
        snprintf(k->text, sizeof k->text,
                 "%d %% of the calls have no text in this log, so what they asked for is unknown; no claim is "
                 "made about them. Log prompts (or "
                 "labels: a task column, tags) to classify them.",
                 (int)((1 - k->text_share) * 100 + 0.5));
    } else {
        k->verdict = "other_savings";
        snprintf(k->text, sizeof k->text,
                 "%d %% of the calls are simple work, less than half: routing alone is no project for today%s",
                 share,
                 a->repeats_cost + a->prefix_saving + a->batch_saving > 0
                     ? "; see what caching and batch prices would save."
                     : ".");
    }
}

void analysis_conclude(struct analysis *a, struct conclusion *k) {
    *k = (struct conclusion){
        .single_cost = COST_UNKNOWN, .frontier_cost = COST_UNKNOWN, .baseline_cost = COST_UNKNOWN};
    uint64_t calls = a->all.calls - a->aggregates.calls;
    k->simple_share = calls ? (double)a->all.simple / (double)calls : 0;
    uint64_t labelled = 0;
    for (unsigned t = 1; t < TASK_COUNT; t++) labelled += a->task[t].calls;
    uint64_t can = a->with_text > labelled ? a->with_text : labelled;
    k->text_share = calls ? (double)can / (double)calls : 0;
    k->routed = a->all.routed;
    k->saved_high = a->all.cost - a->all.routed;
    int64_t worst = 0;
    for (uint32_t i = 0; i < a->moves; i++) worst += a->move[i].then - a->move[i].worst;
    k->saved_low = worst < k->saved_high ? worst : k->saved_high;
    k->main_model = main_model(a);
    best_single(a, k->main_model, k);
    k->frontier = k->main_model ? k->main_model->frontier : NULL;
    k->frontier_cost = analysis_single(a, k->frontier);
    if (a->o.baseline) {
        k->baseline = models_named(a->models, str_from(a->o.baseline));
        k->baseline_cost = analysis_single(a, k->baseline);
    }
    say_verdict(a, k);
}

/* ---- lists in order ---- */

static int template_order(const void *x, const void *y) {
    const struct template *a = *(const struct template *const *)x, *b = *(const struct template *const *)y;
    if (a->cost != b->cost) return a->cost < b->cost ? 1 : -1;
    if (a->calls != b->calls) return a->calls < b->calls ? 1 : -1;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

uint32_t analysis_templates(const struct analysis *a, const struct template **out, uint32_t max) {
    uint32_t n = 0; /* insertion into a short list: max is small, templates are many */
    for (uint32_t i = 0; i < a->templates && max; i++) {
        const struct template *t = &a->template[i];
        if (t->calls < 2 || (n == max && template_order(&t, &out[n - 1]) >= 0)) continue;
        uint32_t at = n < max ? n++ : n - 1;
        for (; at > 0 && template_order(&t, &out[at - 1]) < 0; at--) out[at] = out[at - 1];
        out[at] = t;
    }
    return n;
}

static int move_order(const void *x, const void *y) {
    const struct move *a = *(const struct move *const *)x, *b = *(const struct move *const *)y;
    int64_t sa = a->then - a->now, sb = b->then - b->now;
    return sa < sb ? 1 : sa > sb ? -1 : a < b ? -1 : a > b;
}

uint32_t analysis_moves(const struct analysis *a, const struct move **out, uint32_t max) {
    const struct move **all = xmalloc(sizeof *all * (a->moves + 1));
    for (uint32_t i = 0; i < a->moves; i++) all[i] = &a->move[i];
    qsort(all, a->moves, sizeof *all, move_order);
    uint32_t n = a->moves < max ? a->moves : max;
    memcpy(out, all, sizeof *all * n);
    free(all);
    return n;
}

/* ---- a configuration ---- */

static void yaml_tier(buf *out, const char *tier, const struct model *m) {
    if (m)
        buf_printf(out, "  %s: {targets: [" STR_FMT "/" STR_FMT "]}\n", tier, STR_ARG(m->provider),
                   STR_ARG(m->name));
}

void analysis_yaml(const struct analysis *a, buf *out) {
    const struct model *m = main_model(a);
    const struct provider_kind *k = m ? provider_kind_find(m->provider) : NULL;
    if (!m || !k) return;
    buf_printf(out,
               "# Made by dray analyze from your logs. Start with mode: observe, compare, then switch to route.\n"
               "mode: observe\nreroute: always\nproviders:\n");
    if (k->key_env)
        buf_printf(out, "  %s: {kind: %s, api_key: \"${%s}\"}\n", k->name, k->name, k->key_env);
    else
        buf_printf(out, "  %s: {kind: %s}\n", k->name, k->name);
    buf_printf(out, "tiers:\n");
    yaml_tier(out, "light", m->light);
    yaml_tier(out, "mid", m->mid);
    yaml_tier(out, "frontier", m);
    buf_printf(out, "policy:\n"
                    "  - {name: high-stakes, when: {stakes: high}, use: frontier}\n"
                    "  - {name: short-structured, when: {task: [classify, extract, summarize], input_tokens: \"< "
                    "2000\"}, use: light}\n"
                    "  - {name: hard-work, when: {task: [reason, plan, synthesize]}, use: frontier}\n"
                    "  - {name: ambiguous, when: {task: unknown}, use: frontier}\n"
                    "  - {name: default, use: mid}\n"
                    "baseline: frontier\n");
}
