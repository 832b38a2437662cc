/* facts: what is written reads back the same, and hostile records are refused. */
#include "facts/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void fill(struct facts *f, struct fact_named *named) {
    facts_init(f);
    f->task = TASK_EXTRACT;
    f->task_source = TASK_BY_LABEL;
    f->stakes = STAKES_HIGH;
    f->stakes_hint = true;
    f->hour = 23;
    f->stream = f->vision = f->audio = f->tools = f->schema = true;
    f->tool_count = 65535;
    f->turns = 7;
    f->input_length = UINT32_MAX;
    f->input_tokens = 1234;
    f->output_tokens = 1;
    f->task_confidence = facts_share(0.12345);
    f->difficulty = facts_share(0.99994);
    f->system_hash = 0xfedcba9876543210u;
    f->template_hash = UINT64_MAX;
    f->model = STR("auto");
    f->guess = TASK_CODE;
    f->guess_source = TASK_BY_CLASSIFIER;
    f->guess_confidence = facts_share(0.5);
    f->max_cost = 50000000;
    f->tier_hint = STR("mid");
    f->key = STR("bil\"ling");
    f->team = STR("t\xc3\xa9");
    f->user = STR("u");
    f->session = STR("s");
    f->tag[0] = STR("a");
    f->tag[1] = STR("");
    f->tag_count = 2;
    named[0] = (struct fact_named){STR("header.x-app"), STR("web")};
    named[1] = (struct fact_named){STR("metadata.none"), STR_NONE};
    f->named = named;
    f->named_count = 2;
}

static void test_round_trip(void **state) {
    (void)state;
    struct facts f, back;
    struct fact_named named[2];
    fill(&f, named);
    buf one, two;
    arena a;
    buf_init(&one, 4096);
    buf_init(&two, 4096);
    arena_init(&a, 1024, 65536);
    err e = {""};
    facts_write(&f, &one);
    if (!facts_read(&back, buf_view(&one), &a, &e)) fail_msg("%s", e.msg);
    facts_write(&back, &two);
    assert_true(str_eq(buf_view(&one), buf_view(&two)));
    assert_true(back.task == f.task && back.stakes_hint && back.tool_count == 65535 &&
                back.input_length == UINT32_MAX);
    assert_true(back.system_hash == f.system_hash && back.template_hash == f.template_hash);
    assert_memory_equal(&back.task_confidence, &f.task_confidence, sizeof f.task_confidence);
    assert_memory_equal(&back.difficulty, &f.difficulty, sizeof f.difficulty);
    /* What was asked for and not there is known to be absent; that is another thing than not to be recorded. */
    assert_true(str_eq(back.key, f.key) && back.tag_count == 2 && back.named_count == 2 && back.recorded);
    assert_true(str_eqz(*facts_named(&back, STR("header.x-app")), "web"));
    assert_null(facts_named(&back, STR("metadata.none")));
    assert_true(str_eqz(back.named[1].name, "metadata.none") && !back.named[1].value.p);
    assert_true(back.guess == TASK_CODE && back.guess_source == TASK_BY_CLASSIFIER && back.max_cost == 50000000 &&
                str_eqz(back.tier_hint, "mid"));
    assert_memory_equal(&back.guess_confidence, &f.guess_confidence, sizeof f.guess_confidence);
    arena_free(&a);
    buf_free(&one);
    buf_free(&two);
}

static void test_defaults_are_left_out(void **state) {
    (void)state;
    struct facts f;
    facts_init(&f);
    buf b;
    buf_init(&b, 256);
    facts_write(&f, &b);
    assert_true(str_eqz(buf_view(&b), "{\"v\":1}"));
    buf_free(&b);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"v\":2}",
        "{\"v\":1,\"t\":99}",
        "{\"v\":1,\"t\":-1}",
        "{\"v\":1,\"h\":256}",
        "{\"v\":1,\"tc\":10001}",
        "{\"v\":1,\"sh\":\"12\"}",
        "{\"v\":1,\"m\":7}",
        "{\"v\":1,\"g\":\"x\"}",
        "{\"v\":1,\"g\":[1]}",
        "{\"v\":1,\"g\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}",
        "{\"v\":1,\"n\":{\"header.x\":1}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct facts f;
        arena a;
        arena_init(&a, 256, 65536);
        err e = {""};
        if (facts_read(&f, str_from(bad[i]), &a, &e)) fail_msg("read: %s", bad[i]);
        assert_true(e.msg[0]);
        arena_free(&a);
    }
    struct facts f;
    arena a;
    arena_init(&a, 256, 65536);
    assert_true(facts_read(&f, STR("{\"v\":1,\"future\":[{}]}"), &a, NULL)); /* a later writer's member */
    arena_free(&a);
}

/* What is decided from is what the ledger can keep. */
static void test_clean(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 256, 65536);
    str same = STR("t\xc3\xa9 \xf0\x9f\x98\x80");
    assert_true(facts_clean(same, &a).p == same.p);
    assert_true(str_eqz(facts_clean(STR("a\tb\x01\x7f"), &a), "a b  "));
    assert_true(str_eqz(facts_clean(STR("a\xff\n"), &a), "a? "));
    char long_one[600];
    memset(long_one, 'x', sizeof long_one);
    memcpy(long_one + FACTS_STR_MAX - 1, "\xc3\xa9", 2);
    str cut = facts_clean(str_make(long_one, sizeof long_one), &a);
    assert_int_equal(cut.n, FACTS_STR_MAX - 1); /* no half character */
    assert_int_equal(facts_clean(STR_NONE, &a).n, 0);
    arena_free(&a);
}

static void test_simple(void **state) {
    (void)state;
    assert_true(task_is_simple(TASK_CLASSIFY, 1000000));
    assert_true(task_is_simple(TASK_SUMMARIZE, 1999));
    assert_false(task_is_simple(TASK_SUMMARIZE, 2000));
    assert_false(task_is_simple(TASK_QA, 1));
    enum task t;
    assert_true(task_parse(STR("synthesize"), &t) && t == TASK_SYNTHESIZE);
    assert_false(task_parse(STR("intent"), &t));
    for (int i = 0; i < TASK_COUNT; i++)
        assert_true(task_parse(str_from(task_name((enum task)i)), &t) && (int)t == i);
}

static void test_explain(void **state) {
    (void)state;
    struct facts f;
    struct fact_named named[2];
    fill(&f, named);
    buf b;
    jw w;
    buf_init(&b, 4096);
    jw_init(&w, &b);
    jw_object(&w);
    facts_explain(&f, &w);
    jw_object_end(&w);
    jval root;
    assert_true(json_check(buf_view(&b), &root, NULL, NULL));
    assert_true(json_is(json_get(root, STR("task")), STR("extract")));
    assert_true(json_is(json_get(root, STR("system_hash")), STR("fedcba9876543210")));
    double d;
    assert_true(json_f64(json_get(root, STR("difficulty")), &d) && d > 0.99985 && d < 1);
    assert_true(json_is(json_path(root, "named", "header.x-app", NULL), STR("web")));
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_defaults_are_left_out),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_simple),
        cmocka_unit_test(test_explain),    cmocka_unit_test(test_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
