/* query: filters, cursors, one call. */
#include "books/query.h"
#include "books/rollup.h"
#include "fixture.h"

static const uint64_t NOON = 1795608000000000;
enum { CALLS = 4000 };

static struct place p;
static struct uuid some_id;

/* A call every ten minutes: one of three models, every 50th failed, one single call of a rare model. */
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
        sample_make(&s, &gen, NOON - (uint64_t)(CALLS - i) * 600000000);
        static const char *const models[] = {"gpt-5-nano", "gpt-5-mini", "gpt-4o"};
        s.r.model = str_from(i == 11 ? "rare-model" : models[i % 3]);
        s.r.key = i % 4 ? STR("app") : STR("billing-bot");
        s.r.team = i % 8 ? STR("finance") : STR("search"); /* billing-bot is two rows of who */
        if (i % 50 == 0) s.r.error = STR("upstream_5xx");
        char session[16];
        s.r.session = str_make(session, (size_t)snprintf(session, sizeof session, "s-%d", i / 10));
        if (i == 77) some_id = s.r.id;
        folded_init(f);
        f->r = s.r;
        f->attempt[0] = s.t;
        f->attempt_count = 1;
        f->begun = f->ended = f->has_facts = true;
        assert_int_equal(store_put(st, f, STR("gw-1"), false, &e), STORED_NEW);
        if (i == CALLS / 2) assert_true(store_commit(st, &e) && store_flush(st, &e) && store_begin(st, &e));
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

/* All pages of a query; the number of calls, checked to be in order and each once. */
static unsigned pages(const char *text, unsigned *answers) {
    err e = {{0}};
    arena a;
    arena_init(&a, 4096, 1 << 20);
    struct ledger *l = ledger_open(p.db, &e);
    assert_non_null(l);
    struct query q;
    if (!query_parse(str_from(text), NOON, &a, &q, &e)) fail_msg("%s: %s", text, e.msg);
    unsigned count = 0;
    char last[40] = "9999";
    for (*answers = 0;; ++*answers) {
        buf out;
        buf_init(&out, 16 << 20);
        if (!query_calls(l, &q, &out, &e)) fail_msg("%s: %s", text, e.msg);
        jval root, call;
        assert_true(json_check(buf_view(&out), &root, NULL, NULL));
        for (jiter it = json_iter(json_get(root, STR("calls"))); json_item(&it, &call); count++) {
            str time = json_get(call, STR("time")).raw;
            assert_true(time.n < sizeof last && str_cmp(time, str_from(last)) < 0);
            memcpy(last, time.p, time.n);
            last[time.n] = 0;
        }
        jval next = json_get(root, STR("next"));
        if (next.type == J_STRING) assert_true(str_u64(next.raw, &q.before));
        buf_free(&out);
        if (next.type == J_NULL) break;
    }
    ledger_close(l);
    arena_free(&a);
    return count;
}

static void test_filters(void **state) {
    (void)state;
    static const struct {
        const char *query;
        unsigned calls;
    } cases[] = {{"", CALLS},
                 {"limit=7", CALLS},
                 {"model=gpt-4o&limit=50", CALLS / 3 - 1},
                 {"model=rare-model", 1},
                 {"model=nobody", 0},
                 {"error=upstream_5xx&limit=9", CALLS / 50},
                 {"error=any", CALLS / 50},
                 {"key=billing-bot&limit=13", CALLS / 4},
                 {"key=billing-bot&team=search", CALLS / 8},
                 {"key=billing%2Dbot&error=any", CALLS / 100},
                 {"team=search", CALLS / 8},
                 {"session=s-3", 10},
                 {"session=s-3&model=gpt-4o", 3},
                 {"session=none", 0},
                 {"user=u-17", CALLS},
                 {"task=extract&tier=light", CALLS},
                 {"task=code", 0},
                 {"status=200", CALLS},
                 {"since=1d", 144},
                 {"since=2d&until=1d", 144},
                 {"since=2026-11-24&until=2026-11-25", 144},
                 {"model=rare-model&status=500", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned answers, n = pages(cases[i].query, &answers);
        if (n != cases[i].calls) fail_msg("%s: %u calls, not %u", cases[i].query, n, cases[i].calls);
    }
}

static void test_bad(void **state) {
    (void)state;
    static const char *const cases[] = {"nothing=1", "limit=0", "limit=100000",    "since=yesterday",
                                        "cursor=x",  "key=%zz", "since=2026-13-01"};
    arena a;
    arena_init(&a, 4096, 1 << 20);
    struct query q;
    err e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (query_parse(str_from(cases[i]), NOON, &a, &q, &e)) fail_msg("%s was taken", cases[i]);
    arena_free(&a);
}

/* One call has a member for every column of the view. */
static void test_one(void **state) {
    (void)state;
    err e = {{0}};
    struct ledger *l = ledger_open(p.db, &e);
    char id[37];
    uuid_format(id, some_id);
    buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(query_call(l, str_from(id), &out, &e), LEDGER_FOUND);
    jval root;
    assert_true(json_check(buf_view(&out), &root, NULL, NULL));
    assert_true(json_is(json_get(root, STR("id")), str_from(id)));
    assert_true(json_is(json_get(root, STR("cost")), STR("0.00355")));
    static const char *const columns[] = {
#define COLUMN(name, type, expr, unit, help) #name,
#include "books/fields.def"
#undef COLUMN
    };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        str name = str_from(columns[i]);
        if (str_ends(name, STR("_nano"))) name.n -= 5;
        if (json_get(root, name).type == J_NONE) fail_msg("no member %s", columns[i]);
    }
    buf_clear(&out);
    assert_int_equal(query_call(l, STR("01234567-89ab-7def-8123-456789abcdef"), &out, &e), LEDGER_NONE);
    assert_int_equal(query_call(l, STR("nonsense"), &out, &e), LEDGER_NONE);
    buf_free(&out);
    ledger_close(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_filters), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_one)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
