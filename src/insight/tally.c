/* tally: see tally.h. */
#include "insight/tally.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64, NAME_MAX_BYTES = 256 };

void sums_add(struct sums *to, const struct sums *f) {
    to->calls += f->calls;
    to->input += f->input;
    to->cached += f->cached;
    to->output += f->output;
    to->cost += f->cost;
    to->unknown += f->unknown;
    to->routed += f->routed;
    to->simple += f->simple;
    to->moved += f->moved;
    to->timed += f->timed;
    to->duration_us += f->duration_us;
}

void tally_init(struct tally *t) {
    *t = (struct tally){0};
    arena_init(&t->a, 1 << 10, 64 << 20);
}

void tally_free(struct tally *t) {
    arena_free(&t->a);
    free(t->row);
    free(t->slot);
    *t = (struct tally){0};
}

static uint32_t *probe(const struct tally *t, uint64_t key, str name) {
    uint32_t i = (uint32_t)(key >> 11) & (t->slots - 1);
    while (t->slot[i] && !(t->row[t->slot[i] - 1].key == key && str_eq(t->row[t->slot[i] - 1].name, name)))
        i = (i + 1) & (t->slots - 1);
    return &t->slot[i];
}

static void grow(struct tally *t) {
    free(t->slot);
    t->slots = t->slots ? t->slots * 2 : FIRST_SLOTS;
    t->slot = xcalloc(t->slots, sizeof *t->slot);
    t->row = xrealloc(t->row, sizeof *t->row * t->slots / 2);
    for (uint32_t i = 0; i < t->count; i++) *probe(t, t->row[i].key, t->row[i].name) = i + 1;
}

struct sums *tally_at(struct tally *t, str name) {
    name = name.n ? str_take(name, NAME_MAX_BYTES) : STR("(none)");
    if (t->count * 2 >= t->slots) grow(t);
    uint64_t key = fingerprint(name);
    uint32_t *at = probe(t, key, name);
    if (!*at && t->count >= TALLY_MAX) {
        name = STR("(other)");
        key = fingerprint(name);
        at = probe(t, key, name);
    }
    if (!*at) {
        t->row[t->count] = (struct tally_row){.name = arena_str(&t->a, name), .key = key};
        *at = ++t->count;
    }
    return &t->row[*at - 1].s;
}

static int by_cost(const void *a, const void *b, void *rows) {
    const struct tally_row *r = rows, *x = &r[*(const uint32_t *)a], *y = &r[*(const uint32_t *)b];
    if (x->s.cost != y->s.cost) return x->s.cost < y->s.cost ? 1 : -1;
    if (x->s.calls != y->s.calls) return x->s.calls < y->s.calls ? 1 : -1;
    return str_cmp(x->name, y->name);
}
static int by_name(const void *a, const void *b, void *rows) {
    const struct tally_row *r = rows;
    return str_cmp(r[*(const uint32_t *)a].name, r[*(const uint32_t *)b].name);
}

static uint32_t sorted(const struct tally *t, uint32_t *out, uint32_t max,
                       int (*order)(const void *, const void *, void *)) {
    uint32_t *all = xmalloc(sizeof *all * (t->count + 1));
    for (uint32_t i = 0; i < t->count; i++) all[i] = i;
    if (t->count) qsort_r(all, t->count, sizeof *all, order, t->row);
    uint32_t n = t->count < max ? t->count : max;
    memcpy(out, all, sizeof *all * n);
    free(all);
    return n;
}

uint32_t tally_top(const struct tally *t, uint32_t *out, uint32_t max) { return sorted(t, out, max, by_cost); }
uint32_t tally_by_name(const struct tally *t, uint32_t *out, uint32_t max) { return sorted(t, out, max, by_name); }
