/* past: what replay reads of a call is what the whole record says of it. */
#include "books/past.h"
#include "fixture.h"

static const uint64_t NOON = 1795608000000000;
enum { CALLS = 600 };
static struct place p;

/* Every kind of row: rare classes, several attempts, unknown prices, labels, tags, scores, failed, unanswered. */
static void vary(struct folded *f, struct sample *s, int i, char user[16]) {
    struct record *r = &f->r;
    r->user = str_make(user, (size_t)snprintf(user, 16, "u-%d", i % 37));
    s->f.user = r->user;
    if (i % 3 == 0) s->f.tag_count = 0, s->f.task = TASK_UNKNOWN, s->f.task_source = TASK_BY_NONE;
    if (i % 4 == 0) s->f.stakes = STAKES_HIGH, s->f.difficulty = -1, s->f.named_count = 0;
    if (i % 5 == 0) {
        r->usage.units[USAGE_CACHE_WRITE_5M] = 500;
        r->cost_lines.rate[USAGE_CACHE_WRITE_5M] = PRICE_UNKNOWN;
        r->cost_lines.cost[USAGE_CACHE_WRITE_5M] = COST_UNKNOWN;
        r->cost = r->cost_lines.total = COST_UNKNOWN;
    }
    if (i % 6 == 0) r->service_tier = STR("batch"), r->tier = r->rule = STR_NONE, r->propensity = 1;
    if (i % 7 == 0) r->error = STR("upstream_5xx"), r->dialect = STR("anthropic"), r->stream = true;
    if (i % 11 == 0) r->provider = r->model = STR_NONE;
    if (i % 13 == 0) {
        f->amended = true;
        f->amend = (struct record_amend){.quality = 0.25f, .quality_source = STR("feedback")};
    }
    f->attempt[0] = s->t;
    f->attempt[0].usage = r->usage;
    f->attempt[0].cost = r->cost_lines;
    f->attempt_count = 1;
    if (i % 9 == 0) { /* a first attempt that failed and cost something */
        f->attempt[1] = f->attempt[0];
        f->attempt[1].n = 2;
        f->attempt[0].error = STR("timeout");
        f->attempt[0].usage.units[USAGE_INPUT] = 7;
        f->attempt_count = r->attempts = 2;
    }
}

static int setup(void **state) {
    (void)state;
    place_make(&p);
    bool garbage;
    err e = {{0}};
    struct store *st = store_open(p.db, false, &garbage, &e);
    assert_non_null(st);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct folded *f = xcalloc(1, sizeof *f);
    assert_true(store_begin(st, &e));
    for (int i = 0; i < CALLS; i++) {
        struct sample s;
        char user[16];
        sample_make(&s, &gen, NOON - (uint64_t)(CALLS - i) * 600000000);
        folded_init(f);
        f->r = s.r;
        vary(f, &s, i, user);
        f->begun = f->has_facts = true;
        f->ended = i % 17 != 0; /* cut by a crash */
        assert_int_equal(store_put(st, f, STR("gw-1"), i % 17 == 0, &e), STORED_NEW);
    }
    assert_true(store_commit(st, &e));
    free(f);
    store_close(st);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    place_remove(&p);
    return 0;
}

struct line {
    buf text;
    unsigned calls;
};

static void put(struct line *l, struct uuid id, const struct facts *facts, const struct usage *u, const str *names,
                int64_t cost, double propensity, double quality, bool failed) {
    struct facts f = *facts;
    char text[37];
    uuid_format(text, id);
    f.session = STR_NONE;
    buf_printf(&l->text, "%s %lld %.4f %.4f %d %d %d ", text, (long long)cost, propensity, quality, failed,
               u->source, u->suspect);
    for (unsigned c = 0; c < USAGE_CLASSES; c++) buf_printf(&l->text, "%lld,", (long long)u->units[c]);
    for (unsigned i = 0; i < 5; i++) buf_printf(&l->text, " " STR_FMT, STR_ARG(names[i]));
    facts_write(&f, &l->text);
    buf_char(&l->text, '\n');
    l->calls++;
}

static void put_decided(struct line *l, const struct record *r) {
    buf_printf(&l->text, STR_FMT " " STR_FMT " %lld", STR_ARG(r->observed_tier), STR_ARG(r->observed_model),
               (long long)r->observed_cost);
    for (unsigned i = 0; i < r->candidate_count; i++)
        buf_printf(&l->text, " " STR_FMT "=%lld,%.9g", STR_ARG(r->candidate[i].target),
                   (long long)r->candidate[i].expected_cost, (double)r->candidate[i].score);
    buf_char(&l->text, '\n');
}

static bool whole(void *ctx, const struct ledger_call *c) {
    const struct record *r = &c->f.r;
    const str names[5] = {r->dialect, r->provider, r->model, r->tier, r->rule};
    if (c->cut || !r->provider.n) return true;
    put(ctx, r->id, &c->f.facts, &r->usage, names, r->cost, r->propensity,
        c->f.amended ? (double)c->f.amend.quality : -1, r->error.n > 0);
    put_decided(ctx, r);
    return true;
}

static bool narrow(void *ctx, const struct past_call *c) {
    const struct record *d = c->decided;
    const str names[5] = {d->dialect, c->provider, c->model, d->tier, d->rule};
    put(ctx, c->id, c->facts, &c->usage, names, c->cost, d->propensity, (double)c->quality, c->failed);
    put_decided(ctx, d);
    return true;
}

static void test_same(void **state) {
    (void)state;
    err e = {{0}};
    struct ledger *l = ledger_open(p.db, &e);
    assert_non_null(l);
    struct line a = {.calls = 0}, b = {.calls = 0};
    buf_init(&a.text, 4 << 20);
    buf_init(&b.text, 4 << 20);
    uint64_t from = NOON - 590 * (uint64_t)600000000, to = NOON - 600000000;
    assert_true(ledger_each(l, from, to, whole, &a, &e));
    assert_true(past_each(l, from, to, narrow, &b, &e));
    assert_in_range(a.calls, 450, CALLS);
    assert_int_equal(a.calls, b.calls);
    buf_char(&a.text, 0);
    buf_char(&b.text, 0);
    assert_string_equal(a.text.p, b.text.p);
    buf_free(&a.text);
    buf_free(&b.text);
    ledger_close(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
