/* multiplier: what is learnt, what it corrects, what is shown. */
#include "gateway/multiplier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct multiplier a[MULTIPLIER_MODELS_MAX], b[MULTIPLIER_MODELS_MAX];

static int clear(void **state) {
    (void)state;
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    return 0;
}

static void test_learns(void **state) {
    (void)state;
    str m = STR("p/claude"), other = STR("p/gpt");
    for (int i = 0; i < MULTIPLIER_CALLS_MIN - 1; i++) multiplier_learn(a, m, 100, 125);
    assert_int_equal(multiplier_apply(a, m, 1000), 1000); /* too little is known */
    multiplier_learn(a, m, 100, 125);
    assert_int_equal(multiplier_apply(a, m, 1000), 1250);
    assert_int_equal(multiplier_apply(a, other, 1000), 1000);
    multiplier_learn(a, m, MULTIPLIER_TOKENS_MIN - 1, 100000); /* too short to teach */
    multiplier_learn(a, m, 100000, 0);
    assert_int_equal(multiplier_apply(a, m, 1000), 1250);
}

/* A model that changes is learnt anew, and sums stay bounded. */
static void test_forgets(void **state) {
    (void)state;
    str m = STR("p/x");
    for (int i = 0; i < 10000; i++) multiplier_learn(a, m, 10000, 10000);
    for (int i = 0; i < 10000; i++) multiplier_learn(a, m, 10000, 20000);
    uint64_t now = multiplier_apply(a, m, 1000);
    assert_true(now > 1990 && now <= 2000);
}

static void test_shown(void **state) {
    (void)state;
    const struct multiplier *tables[] = {a, b};
    buf out;
    buf_init(&out, 1 << 16);
    multiplier_learn(a, STR("p/\"x"), 100, 110); /* off by 10 of 110 */
    multiplier_learn(a, STR("p/\"x"), 100, 110); /* not off any more */
    multiplier_learn(b, STR("p/\"x"), 100, 130); /* another worker: off by 30 of 130 */
    multiplier_learn(b, STR("q/y"), 100, 100);
    multiplier_write(tables, 2, &out);
    buf_char(&out, 0);
    assert_non_null(strstr(out.p, "dray_token_multiplier{model=\"p/\\\"x\"} 1.1667\n"));
    assert_non_null(strstr(out.p, "dray_token_estimate_error{model=\"p/\\\"x\"} 0.1067\n"));
    assert_non_null(strstr(out.p, "dray_token_multiplier{model=\"q/y\"} 1.0000\n"));
    char *first = strstr(out.p, "_multiplier{model=\"p/");
    assert_null(strstr(first + 1, "_multiplier{model=\"p/"));
    buf_free(&out);
}

static void test_full(void **state) {
    (void)state;
    char name[200];
    for (int i = 0; i < MULTIPLIER_MODELS_MAX + 50; i++) {
        int n = snprintf(name, sizeof name, "p/model-%d", i);
        for (int k = 0; k < MULTIPLIER_CALLS_MIN; k++) multiplier_learn(a, str_make(name, (size_t)n), 100, 200);
        assert_int_equal(multiplier_apply(a, str_make(name, (size_t)n), 100),
                         i < MULTIPLIER_MODELS_MAX ? 200 : 100);
    }
    memset(name, 'x', sizeof name);
    multiplier_learn(b, str_make(name, sizeof name), 100, 200); /* a name too long to show */
    assert_int_equal(multiplier_apply(b, str_make(name, sizeof name), 100), 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_learns, clear), cmocka_unit_test_setup(test_forgets, clear),
        cmocka_unit_test_setup(test_shown, clear), cmocka_unit_test_setup(test_full, clear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
