/* books: what is appended is in the ledger, whole and once. */
#include "fixture.h"

#define COUNT(p, table) ask(p, "SELECT count(*) FROM " table)

static const uint64_t NOON = 1795608000000000; /* 2026-11-25 12:00 UTC */

static void test_row(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct sample s;
    sample_make(&s, &gen, NOON + 5);
    book(books_writer(b, 0), &s);
    assert_int_equal(books_close(b, 5000000), 0);

    char id[37], sql[256];
    uuid_format(id, s.r.id);
    assert_string_equal(ask_text(&p, "SELECT id FROM calls"), id);
    static const struct {
        const char *column, *value;
    } text[] = {
        {"gateway", "gw-1"},
        {"time", "1795608000000005"},
        {"key", "billing-bot"},
        {"team", "finance"},
        {"user", "u-17"},
        {"session", "sess-4711"},
        {"tags", "nightly,eu"},
        {"dialect", "openai"},
        {"endpoint", "/v1/chat/completions"},
        {"requested_model", "auto"},
        {"task", "extract"},
        {"task_source", "classifier"},
        {"task_confidence", "0.9312"},
        {"difficulty", "0.125"},
        {"stakes", "normal"},
        {"rule", "short-structured"},
        {"tier", "light"},
        {"provider", "openai"},
        {"model", "gpt-5-nano"},
        {"attempts", "1"},
        {"stream", "0"},
        {"status", "200"},
        {"error", "NULL"},
        {"input_tokens", "1200"},
        {"cached_tokens", "200"},
        {"output_tokens", "80"},
        {"reasoning_tokens", "30"},
        {"token_source", "provider"},
        {"ttft_us", "250000"},
        {"duration_us", "900000"},
        {"overhead_us", "80"},
        {"cost_nano", "3550000"},
        {"baseline_model", "openai/gpt-4o"},
        {"baseline_cost_nano", "35500000"},
        {"routing_cost_nano", "0"},
        {"cache", "miss"},
        {"finish", "stop"},
        {"quality", "NULL"},
        {"service_tier", "default"},
        {"price_version", "catalog 2026-07-24"},
        {"config_version", "c0ffee"},
        {"propensity", "0.5"},
        {"observed_tier", "NULL"},
        {"observed_cost_nano", "NULL"},
        {"candidates", "{\"targets\":[\"openai/gpt-5-nano\",\"anthropic/claude-haiku-4-5\"],"
                       "\"expected_cost_nano\":[12345,null],\"score\":[null,0.75]}"},
        {"(SELECT group_concat(class||' '||units||' '||rate_nano||' '||cost_nano, '; ') FROM usage_lines)",
         "input 1000 2500000000 2500000; cached_input 200 1250000001 250000; output 50 10000000000 500000; "
         "reasoning 30 10000000000 300000"},
        {"(SELECT n||' '||target||' '||status||' '||start_us||' '||first_byte_us||' '||end_us||' '||cost_nano "
         "FROM attempts)",
         "1 openai/gpt-5-nano 200 60 250000 899990 3550000"},
        {"(SELECT count(*) FROM attempt)", "0"},
        {"(SELECT count(*) FROM usage_line)", "0"}};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        snprintf(sql, sizeof sql, "SELECT %s FROM calls", text[i].column);
        assert_string_equal(ask_text(&p, sql), text[i].value);
    }
    place_remove(&p);
}

/* What is read back is what was written: the facts to the bit. */
static void test_read_back(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct sample s;
    sample_make(&s, &gen, NOON);
    book(books_writer(b, 0), &s);
    books_close(b, 5000000);

    err e = {{0}};
    struct ledger *l = ledger_open(p.db, &e);
    assert_non_null(l);
    uint64_t at = 0;
    assert_int_equal(ledger_find(l, s.r.id, &at, &e), LEDGER_FOUND);
    arena a;
    arena_init(&a, 4096, 1 << 20);
    struct ledger_call *got = xcalloc(1, sizeof *got);
    assert_int_equal(ledger_get(l, at, &a, got, &e), LEDGER_FOUND);
    buf before = {.max = 10000}, after = {.max = 10000};
    facts_write(&s.f, &before);
    assert_non_null(got->f.r.facts);
    facts_write(got->f.r.facts, &after);
    assert_true(str_eq(buf_view(&before), buf_view(&after)));
    assert_memory_equal(&got->f.r.usage, &s.r.usage, sizeof s.r.usage);
    assert_true(got->f.r.cost_lines.total == s.r.cost_lines.total);
    assert_int_equal(got->f.r.candidate_count, 2);
    assert_true(got->f.r.candidate[1].score > 0.74f && got->f.r.candidate[0].score < 0);
    assert_true(got->f.r.candidate[1].expected_cost == COST_UNKNOWN);
    assert_int_equal(got->f.attempt_count, 1);
    assert_true(str_eq(got->f.attempt[0].target, STR("openai/gpt-5-nano")));
    assert_int_equal(ledger_find_answer(l, STR("chatcmpl-abc"), 1000, &at, &e), LEDGER_FOUND);
    assert_int_equal(ledger_find_answer(l, STR("chatcmpl-abd"), 1000, &at, &e), LEDGER_NONE);
    buf_free(&before);
    buf_free(&after);
    arena_free(&a);
    free(got);
    ledger_close(l);
    place_remove(&p);
}

/* A retried call with a rare class of usage, one in the same microsecond, one whose clock stepped back. */
static void test_odd_calls(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct sample s;
    sample_make(&s, &gen, NOON);
    book(books_writer(b, 0), &s);

    sample_make(&s, &gen, NOON);
    s.r.usage.units[USAGE_CACHE_WRITE_5M] = 10;
    s.r.cost_lines.rate[USAGE_CACHE_WRITE_5M] = 3750000000;
    s.r.cost_lines.cost[USAGE_CACHE_WRITE_5M] = 37500;
    s.r.cost_lines.total += 37500;
    s.r.attempts = 2;
    struct record_attempt failed = {.n = 1,
                                    .status = 503,
                                    .target = STR("openai/gpt-5-mini"),
                                    .error = STR("upstream_5xx"),
                                    .end_us = 50,
                                    .cost = {.total = 0}};
    s.t.n = 2;
    s.t.usage = s.r.usage;
    s.t.cost = s.r.cost_lines;
    s.r.cost = s.r.cost_lines.total;
    assert_true(spool_begin(books_writer(b, 1), &s.r));
    assert_true(spool_attempt(books_writer(b, 1), &s.r, &failed));
    assert_true(spool_attempt(books_writer(b, 1), &s.r, &s.t));
    assert_true(spool_end(books_writer(b, 1), &s.r));

    struct sample back;
    sample_make(&back, &gen, NOON - 60000000); /* its id keeps the generator's later time */
    book(books_writer(b, 0), &back);
    assert_int_equal(books_close(b, 5000000), 0);

    assert_int_equal(COUNT(&p, "calls"), 3);
    assert_int_equal(ask(&p, "SELECT count(DISTINCT id) FROM calls"), 3);
    assert_int_equal(COUNT(&p, "attempts"), 4);
    assert_int_equal(ask(&p, "SELECT sum(cost_nano) FROM usage_lines"), 3 * 3550000 + 37500);
    assert_int_equal(ask(&p, "SELECT sum(cost_nano) FROM calls"), 3 * 3550000 + 37500);
    assert_int_equal(ask(&p, "SELECT sum(units) FROM usage_lines WHERE class='cache_write_5m'"), 10);
    assert_int_equal(ask(&p, "SELECT sum(input_tokens) FROM calls"), 3 * 1200 + 10);
    assert_int_equal(ask(&p, "SELECT count(*) FROM attempts WHERE error='upstream_5xx' AND status=503"), 1);
    err e = {{0}};
    struct ledger *l = ledger_open(p.db, &e);
    uint64_t at = 0;
    assert_int_equal(ledger_find(l, back.r.id, &at, &e), LEDGER_FOUND);
    assert_int_equal(at, NOON - 60000000);
    ledger_close(l);
    check_money(&p);
    place_remove(&p);
}

/* Many calls over many small segments, two writers; every second one ends after the others began. */
static void test_many(void **state) {
    (void)state;
    enum { N = 6000 };
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct sample s, held;
    bool holding = false;
    for (int i = 0; i < N; i++) {
        struct spool *w = books_writer(b, 0);
        sample_make(&s, &gen, NOON + (uint64_t)i * 700);
        assert_true(spool_begin(w, &s.r));
        if (holding) {
            assert_true(spool_attempt(w, &held.r, &held.t));
            assert_true(spool_end(w, &held.r));
        }
        held = s;
        held.r.facts = &held.f;
        held.f.named = held.named;
        holding = true;
        if (i % 200 == 0) settle_books(b); /* not faster than the helper makes segments */
    }
    assert_true(spool_end(books_writer(b, 0), &held.r));
    settle_books(b);
    struct books_status st;
    books_status(b, &st);
    assert_int_equal(st.lost, 0);
    assert_int_equal(st.rows, N);
    assert_true(st.segments <= 3 * 2 + 3);
    assert_int_equal(books_close(b, 5000000), 0);
    assert_int_equal(COUNT(&p, "calls"), N);
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM hours WHERE dimension='all'"), N);
    assert_int_equal(ask(&p, "SELECT sum(cost) FROM days WHERE dimension='all'"),
                     ask(&p, "SELECT sum(cost_nano) FROM calls"));
    assert_int_equal(COUNT(&p, "spool_state"), 0);
    char cmd[160];
    snprintf(cmd, sizeof cmd, "test -z \"$(ls %s)\"", p.spool);
    assert_int_equal(system(cmd), 0);
    place_remove(&p);
}

/* The same events again (as a replayed segment would give) change nothing. */
static void test_twice(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct sample s;
    sample_make(&s, &gen, NOON);
    assert_true(spool_begin(books_writer(b, 0), &s.r));
    book(books_writer(b, 0), &s);
    assert_true(spool_end(books_writer(b, 0), &s.r));
    settle_books(b);
    book(books_writer(b, 0), &s);
    settle_books(b);
    book(books_writer(b, 1), &s);
    settle_books(b);
    struct books_status st;
    books_status(b, &st);
    assert_int_equal(st.rows, 1);
    assert_int_equal(st.known, 2);
    books_close(b, 5000000);
    assert_int_equal(COUNT(&p, "calls"), 1);
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM hours WHERE dimension='all'"), 1);
    place_remove(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row),  cmocka_unit_test(test_read_back), cmocka_unit_test(test_odd_calls),
        cmocka_unit_test(test_many), cmocka_unit_test(test_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
