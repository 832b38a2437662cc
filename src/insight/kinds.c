/* kinds: see the header. */
#include "insight/kinds.h"

#include <stdlib.h>

/* What a row's own outcome counts beside the mean of its kind, and what the mean of all counts in that, in rows.
 * Chosen on the development data (see the model card). */
static const double own_part = 0.4, all_rows = 10;

struct key {
    uint32_t group;
    uint16_t set;
};

static unsigned key_place(struct key *key, unsigned *count, const struct example *x) {
    for (unsigned i = 0; i < *count; i++)
        if (key[i].group == x->group && key[i].set == x->set) return i + 1;
    if (*count == KINDS_SEEN_MAX) return 0;
    key[*count] = (struct key){x->group, x->set};
    return ++*count;
}

/* The largest kinds, in the order in which they were met. */
static void choose_learnt(struct kinds *k, const uint32_t *rows, uint32_t n) {
    bool in[KINDS_SEEN_MAX + 1] = {false};
    uint32_t others = n;
    for (unsigned found = 0; found < MODEL_KINDS_MAX - 1; found++) {
        unsigned best = 0;
        for (unsigned i = 1; i <= k->count; i++)
            if (!in[i] && rows[i] >= KIND_LEAST && (!best || rows[i] > rows[best])) best = i;
        if (!best) break;
        in[best] = true;
        others -= rows[best];
    }
    unsigned learnt = 0;
    for (unsigned i = 1; i <= k->count; i++)
        if (in[i]) k->learnt[i] = (uint8_t)learnt++;
    for (unsigned i = 0; i <= k->count; i++)
        if (!in[i]) k->learnt[i] = (uint8_t)(others ? learnt : 0);
    k->learnt_count = learnt + (others > 0) > 1 && learnt ? learnt + (others > 0) : 0;
}

void kinds_find(const struct dataset *d, const uint32_t *row, uint32_t n, struct kinds *out) {
    static struct key key[KINDS_SEEN_MAX];
    uint32_t rows[KINDS_SEEN_MAX + 1] = {0}, in_set[DATASET_SETS_MAX] = {0};
    uint32_t scored = 0;
    *out = (struct kinds){.of = xcalloc(d->count + 1u, sizeof *out->of)};
    for (uint32_t i = 0; i < n; i++) {
        const struct example *x = &d->row[row[i]];
        if (!x->scored || x->contaminated) continue;
        unsigned before = out->count, k = key_place(key, &out->count, x);
        if (out->count > before) in_set[x->set]++;
        out->of[row[i]] = (uint16_t)k;
        scored++;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (in_set[d->row[row[i]].set] < 2) out->of[row[i]] = 0; /* nothing beyond the set itself */
        if (out->of[row[i]]) rows[out->of[row[i]]]++;
    }
    choose_learnt(out, rows, scored);
}

void kinds_free(struct kinds *k) { free(k->of); }

struct sums {
    double sum[KINDS_SEEN_MAX + 1], n[KINDS_SEEN_MAX + 1], all;
};

static void add_up(const struct kinds *k, const uint32_t *row, uint32_t n, const float *target, struct sums *s) {
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < n; i++) {
        s->sum[k->of[row[i]]] += (double)target[i];
        s->n[k->of[row[i]]]++;
        s->all += (double)target[i] / n;
    }
}

void kinds_lean(const struct kinds *k, const uint32_t *row, uint32_t n, float *target, float *weight) {
    struct sums s;
    add_up(k, row, n, target, &s);
    for (uint32_t i = 0; i < n; i++) {
        unsigned kind = k->of[row[i]];
        if (!kind) continue;
        double own = (double)target[i], mean = (s.sum[kind] - own + all_rows * s.all) / (s.n[kind] - 1 + all_rows);
        target[i] = (float)(own_part * own + (1 - own_part) * mean);
        weight[i] = (float)((double)weight[i] / own_part);
    }
}

void kinds_means(const struct kinds *k, const uint32_t *row, uint32_t n, const float *target, float *out) {
    double sum[MODEL_KINDS_MAX] = {0}, rows[MODEL_KINDS_MAX] = {0}, all = 0;
    for (uint32_t i = 0; i < n; i++) {
        unsigned kind = kinds_learnt(k, row[i]);
        sum[kind] += (double)target[i];
        rows[kind]++;
        all += (double)target[i] / n;
    }
    for (unsigned i = 0; i < k->learnt_count; i++)
        out[i] = (float)((sum[i] + all_rows * all) / (rows[i] + all_rows));
}
