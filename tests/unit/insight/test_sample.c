/* sample: every kind is seen, weights count all calls, the same logs give the same rows. */
#include "insight/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void offer(struct sample *s, unsigned model, enum task task, int64_t tokens, unsigned line) {
    char id[24];
    struct log_call c;
    memset(&c, 0, sizeof c);
    c.id = str_make(id, (size_t)snprintf(id, sizeof id, "call-%u", line));
    struct log_place at = {.file = "dir/a.jsonl", .line = line};
    struct prompt p = {.user_count = 1,
                       .user = {{.raw = STR_INIT("Mail me at \\\"x@example.com\\\"."), .esc = true}}};
    struct facts f;
    facts_init(&f);
    f.task = (uint8_t)task;
    sample_add(s, &(struct sample_call){.c = &c,
                                        .at = &at,
                                        .p = &p,
                                        .f = &f,
                                        .model = STR("m"),
                                        .tier = STR("light"),
                                        .model_index = model,
                                        .input_tokens = tokens,
                                        .cost = COST_UNKNOWN});
}

struct seen {
    unsigned rows, rare;
    double weight;
    buf all;
};

static bool look(void *ctx, str line) {
    struct seen *x = ctx;
    jval root;
    double w;
    assert_true(json_check(line, &root, NULL, NULL));
    assert_true(json_f64(json_get(root, STR("weight")), &w));
    assert_true(json_is(json_get(root, STR("prompt")), STR("Mail me at \"[EMAIL].")) ||
                json_is(json_get(root, STR("prompt")), STR("Mail me at \"[EMAIL]\".")));
    x->rows++;
    x->weight += w;
    x->rare += json_is(json_get(root, STR("task")), STR("plan"));
    buf_str(&x->all, line);
    return true;
}

/* 20,000 calls of one kind, 300 of another, 3 of a third; 100 rows. */
static void fill(struct sample *s, struct seen *x) {
    *x = (struct seen){0};
    buf_init(&x->all, 1 << 20);
    for (unsigned i = 0; i < 20303; i++)
        offer(s, i < 20000 ? 0 : 1, i < 20300 ? TASK_CLASSIFY : TASK_PLAN, i % 2 ? 100 : 120, i);
    sample_lines(s, look, x);
}

static void test_shares(void **state) {
    (void)state;
    struct sample *a = sample_new(100), *b = sample_new(100);
    struct seen x, y;
    struct sample_stats n;
    fill(a, &x);
    fill(b, &y);
    assert_int_equal(x.rows, 100);
    assert_int_equal(x.rare, 3);
    assert_true(x.weight > 20302.5 && x.weight < 20303.5);
    assert_true(str_eq(buf_view(&x.all), buf_view(&y.all)));
    sample_stats(a, &n);
    assert_int_equal(n.rows, 100);
    assert_int_equal(n.strata, 3);
    assert_int_equal(n.missing, 0);
    assert_int_equal(n.redacted, 100);
    /* the two large kinds have the same number of rows, give or take one */
    unsigned of_large = 0;
    str rest = buf_view(&x.all), line;
    while (str_cut(&rest, '\n', &line)) of_large += str_find(line, STR("\"stratum_calls\":20000,")) >= 0;
    assert_in_range(of_large, 48, 49);
    buf_free(&x.all);
    buf_free(&y.all);
    sample_free(a);
    sample_free(b);
}

/* Each call of a kind has the same chance: the mean place of those drawn is in the middle. */
static void test_uniform(void **state) {
    (void)state;
    enum { CALLS = 40000, ROWS = 2000 };
    struct sample *s = sample_new(ROWS);
    struct seen x = {0};
    double sum = 0;
    buf_init(&x.all, 8 << 20);
    for (unsigned i = 0; i < CALLS; i++) offer(s, 0, TASK_QA, 10, i);
    sample_lines(s, look, &x);
    str rest = buf_view(&x.all), line;
    while (str_cut(&rest, '\n', &line)) sum += line.n ? strtod(line.p + strlen("{\"id\":\"call-"), NULL) : 0;
    double mean = sum / ROWS, sd = CALLS / 3.4641 / 44.7; /* of the mean of 2,000 uniform places */
    assert_true(mean > CALLS / 2.0 - 4 * sd && mean < CALLS / 2.0 + 4 * sd);
    buf_free(&x.all);
    sample_free(s);
}

/* More kinds than rows: the largest are seen, what is missing is told. */
static void test_many_kinds(void **state) {
    (void)state;
    struct sample *s = sample_new(4);
    struct sample_stats n;
    for (unsigned i = 0; i < 1000; i++) offer(s, i % 10, TASK_QA, 10, i);
    for (unsigned i = 0; i < 1000; i++) offer(s, 10, TASK_QA, 10, i);
    sample_stats(s, &n);
    assert_int_equal(n.rows, 4);
    assert_int_equal(n.strata, 11);
    assert_int_equal(n.missing, 7);
    assert_int_equal(n.missing_calls, 700);
    sample_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares), cmocka_unit_test(test_uniform),
                                       cmocka_unit_test(test_many_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
