/* spend: every breakdown sums to the headline, by hours, days and months; savings, times and notes. */
#include "books/cell.h"
#include "insight/spend.h"

#include "base/clock.h"
#include "books/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { CALLS = 2400, DAYS = 120 };
static char dir[64], path[96];
static const uint64_t END = 1795608000000000; /* 2026-11-25 12:00 UTC */

static void call_make(struct folded *f, struct facts *facts, struct uuid_gen *gen, int i) {
    uint64_t at = END - (uint64_t)(CALLS - i) * (DAYS * DAY_US / CALLS);
    static const struct {
        const char *provider, *model, *tier;
        int64_t rate;
    } m[] = {{"openai", "gpt-4o-mini", "light", 150000000}, {"openai", "gpt-4o", "frontier", 2500000000}};
    int k = i % 3 == 0;
    folded_init(f);
    facts_init(facts);
    facts->task = (uint8_t)(1 + i % 4);
    struct record *r = &f->r;
    r->id = uuid_v7(gen, at);
    r->time_us = at;
    r->facts = facts;
    r->key = i % 2 ? STR("a") : STR("b");
    r->rule = i % 5 ? STR("default") : STR_NONE;
    r->tier = str_from(m[k].tier);
    r->provider = str_from(m[k].provider);
    r->model = str_from(m[k].model);
    r->baseline_model = STR("openai/gpt-4o");
    r->status = 200;
    r->attempts = 1;
    r->usage.source = TOKENS_PROVIDER;
    r->usage.units[USAGE_INPUT] = 1000 + i;
    r->cost_lines.rate[USAGE_INPUT] = m[k].rate;
    r->cost_lines.cost[USAGE_INPUT] = ((1000 + i) * m[k].rate + 500000) / 1000000;
    r->cost = r->cost_lines.total = r->cost_lines.cost[USAGE_INPUT];
    r->baseline_cost = (1000 + i) * 2500;
    r->routing_cost = i % 10 == 0 ? 1000 : 0;
    r->ttft_us = k ? 800000 : 200000;
    r->duration_us = r->ttft_us + 100000;
    if (i % 100 == 0) r->cost = r->cost_lines.total = r->cost_lines.cost[USAGE_INPUT] = COST_UNKNOWN;
    if (i % 100 == 0) r->cost_lines.rate[USAGE_INPUT] = PRICE_UNKNOWN;
    r->observed_model = STR("openai/gpt-4o-mini");
    r->observed_cost = (1000 + i) * 150;
    f->begun = f->ended = f->has_facts = true;
    f->attempt[0] = (struct record_attempt){
        .n = 1, .status = 200, .target = STR("x/y"), .usage = r->usage, .cost = r->cost_lines};
    f->attempt_count = 1;
    if (i % 7 == 0) {
        f->amended = true;
        f->amend = (struct record_amend){.quality = 0.5f, .quality_source = STR("feedback")};
    }
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/dray-spend-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/dray.db", dir);
    bool garbage;
    err e;
    struct store *st = store_open(path, false, &garbage, &e);
    assert_non_null(st);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct folded *f = xcalloc(1, sizeof *f);
    struct facts facts;
    assert_true(store_begin(st, &e));
    for (int i = 0; i < CALLS; i++) {
        call_make(f, &facts, &gen, i);
        assert_int_equal(store_put(st, f, STR("gw"), false, &e), STORED_NEW);
        if (i == CALLS - 20) assert_true(store_commit(st, &e) && store_flush(st, &e) && store_begin(st, &e));
    }
    assert_true(store_commit(st, &e)); /* the last ones stay in the journal */
    free(f);
    store_close(st);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    return system(cmd);
}

/* What SQL over the rows says of [from, to). */
static int64_t ask(sqlite3 *db, const char *what, uint64_t from, uint64_t to) {
    char sql[400];
    sqlite3_stmt *q;
    snprintf(sql, sizeof sql, "SELECT %s FROM calls WHERE time>=%llu AND time<%llu", what,
             (unsigned long long)from, (unsigned long long)to);
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return v;
}

static void test_sums(void **state) {
    (void)state;
    err e;
    struct ledger *l = ledger_open(path, &e);
    assert_non_null(l);
    sqlite3 *db = ledger_db(l);
    static const uint64_t spans[] = {HOUR_US,      DAY_US,      5 * DAY_US + 7 * HOUR_US, 30 * DAY_US, 63 * DAY_US,
                                     100 * DAY_US, 200 * DAY_US};
    for (size_t k = 0; k < sizeof spans / sizeof *spans; k++) {
        struct spend s;
        uint64_t from = (END - spans[k]) / HOUR_US * HOUR_US;
        assert_true(spend_read(&s, db, from, END, NULL, &e));
        const struct cell_sums *a = &s.all.sums;
        assert_int_equal(a->calls, ask(db, "count(*)", from, END));
        assert_int_equal(a->cost, ask(db, "coalesce(sum(cost_nano),0)", from, END));
        assert_int_equal(a->cost_unknown, ask(db, "sum(cost_nano IS NULL)", from, END));
        assert_int_equal(spend_input(a), ask(db, "sum(input_tokens)", from, END));
        assert_int_equal(s.saved, ask(db, "sum(baseline_cost_nano-cost_nano)", from, END) -
                                      ask(db, "sum(routing_cost_nano)", from, END));
        assert_int_equal(a->feedback, ask(db, "count(quality)", from, END));
        for (int i = 0; i < BY_COUNT; i++) {
            struct cell_sums sum = {0};
            for (uint32_t n = 0; n < s.by[i].count; n++) {
                sum.calls += s.by[i].line[n].sums.calls;
                sum.cost += s.by[i].line[n].sums.cost;
                sum.baseline_cost += s.by[i].line[n].sums.baseline_cost;
            }
            if (sum.calls != a->calls || sum.cost != a->cost || sum.baseline_cost != a->baseline_cost)
                fail_msg("span %zu: by %s doesn't sum to the headline", k, spend_by_names[i]);
        }
        int64_t days = ask(db, "count(DISTINCT time/86400000000)", from, END);
        assert_int_equal(s.by[BY_day].count, days);
        spend_free(&s);
    }
    ledger_close(l);
}

static void test_claims(void **state) {
    (void)state;
    err e;
    struct ledger *l = ledger_open(path, &e);
    struct spend s;
    assert_true(spend_read(&s, ledger_db(l), END - 200 * DAY_US, END, NULL, &e));
    const struct cell_sums *a = &s.all.sums;
    assert_true(s.claim && s.saved > 0 && s.saved_low == s.saved && s.saved_high == s.saved);
    /* gpt-4o-mini takes 0.6 s less for the first token than the baseline that was observed */
    assert_int_equal(s.time.calls, CALLS / 3 * 2);
    assert_true(s.time.ttft_s > 0.6 * CALLS / 3 * 2 - 1 && s.time.ttft_s < 0.6 * CALLS / 3 * 2 + 1);
    assert_true(str_eq(s.single.model, STR("openai/gpt-4o-mini")));
    assert_true(str_eq(s.frontier.model, STR("openai/gpt-4o")));
    assert_true(s.frontier.saved > 0 && s.single.saved < 0); /* one cheap model would have been cheaper still */
    assert_int_equal(a->observed, CALLS - CALLS / 100);
    struct spend_would w = spend_would(a, false), all = spend_would(a, true);
    assert_true(w.error > 0 && w.calls == a->observed && w.saved == a->observed_paid - a->observed_cost);
    assert_true(all.saved == w.saved && all.error == w.error);
    buf out;
    buf_init(&out, 16 << 20);
    spend_json(&s, &out);
    jval root;
    assert_true(json_check(buf_view(&out), &root, NULL, NULL));
    assert_int_equal(json_get(root, STR("by_task")).type, J_ARRAY);
    buf_clear(&out);
    spend_terminal(&s, &out);
    assert_true(str_find(buf_view(&out), STR("2,400")) >= 0);
    assert_true(str_find(buf_view(&out), STR("The cost of 24 calls is unknown")) >= 0);
    buf_clear(&out);
    spend_html(&s, &out);
    assert_true(str_ends(buf_view(&out), STR("</html>\n")));
    buf_clear(&out);
    spend_csv(&s, &out);
    assert_true(out.n > 0 && !out.failed);
    buf_free(&out);
    spend_free(&s);
    ledger_close(l);
}

static void test_months(void **state) {
    (void)state;
    for (int64_t day = 0, month = 0; day < 60000; day++) {
        if (day_of_month(month + 1) == day) month++;
        assert_int_equal(month_of_day(day), month);
    }
    assert_int_equal(day_of_month(0), 0);
    assert_int_equal(day_of_month(12 * 30 + 2), 11017); /* 2000-03-01 */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums), cmocka_unit_test(test_claims),
                                       cmocka_unit_test(test_months)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
