/* config_write_decision: what /v1/route and route --json say. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct price known;

static void fill(struct config *c, struct target *target, arena *a) {
    err e;
    for (int s = 0; s < 4; s++)
        for (int k = 0; k < USAGE_CLASSES; k++)
            known.rate[s][k] = s ? PRICE_UNKNOWN : 1000000000; /* $1 per million */
    target[0] = (struct target){.name = STR("a/x"), .provider = STR("a"), .model = STR("x"), .price = &known};
    target[1] = (struct target){.name = STR("b/y"), .provider = STR("b"), .model = STR("y")};
    struct router *r = &c->router;
    r->target = target;
    r->target_count = 2;
    r->tier_count = 1;
    r->tier[0] = (struct tier){.name = STR("light"), .count = 2, .target = {0, 1}};
    r->has_baseline = true;
    r->baseline = 1;
    c->version = STR("v1");
    assert_true(router_compile(r, NULL, NULL, a, &e));
}

static void test_routed(void **state) {
    (void)state;
    static struct config c;
    struct target target[2];
    arena a;
    buf out;
    arena_init(&a, 65536, 1 << 24);
    buf_init(&out, 1 << 16);
    fill(&c, target, &a);
    struct facts f;
    struct plan p;
    facts_init(&f);
    f.task = TASK_CLASSIFY;
    f.task_source = TASK_BY_HINT;
    f.task_confidence = 1;
    f.input_tokens = 90;
    f.model = STR("auto");
    decide(&c.router, &f, 0, &p);
    config_write_decision(&c, &f, NULL, &p, &out);
    jval j;
    int64_t n;
    assert_true(json_check(buf_view(&out), &j, NULL, NULL));
    assert_true(json_is(json_get(j, STR("task")), STR("classify")));
    assert_true(json_is(json_get(j, STR("task_source")), STR("hint")));
    assert_int_equal(json_get(j, STR("difficulty")).type, J_NULL);
    assert_true(json_is(json_get(j, STR("rule")), STR("short-structured")));
    assert_true(json_is(json_get(j, STR("tier")), STR("light")));
    assert_true(json_is(json_get(j, STR("provider")), STR("a")) && json_is(json_get(j, STR("model")), STR("x")));
    assert_true(json_is(json_get(j, STR("expected_cost")), STR("0.0001"))); /* 90 in, 10 out, $1 per million */
    assert_true(json_is(json_get(j, STR("baseline_model")), STR("b/y")));
    assert_int_equal(json_get(j, STR("baseline_cost")).type, J_NULL); /* unknown is not zero */
    assert_true(json_i64(json_get(j, STR("propensity")), &n) && n == 1);
    assert_true(json_is(json_path(j, "facts", "stakes", NULL), STR("normal")));
    jiter it = json_iter(json_get(j, STR("candidates")));
    jval one;
    assert_true(json_item(&it, &one) && json_is(json_get(one, STR("model")), STR("x")));
    assert_true(json_item(&it, &one) && json_get(one, STR("expected_cost")).type == J_NULL);
    assert_false(json_item(&it, &one));
    assert_int_equal(json_get(j, STR("rules")).type, J_ARRAY);
    buf_free(&out);
    arena_free(&a);
}

static void test_named(void **state) {
    (void)state;
    static struct config c;
    struct target target[2], fly = {.name = STR("z/q"), .provider = STR("z"), .model = STR("q")};
    arena a;
    buf out;
    arena_init(&a, 65536, 1 << 24);
    buf_init(&out, 1 << 16);
    fill(&c, target, &a);
    struct facts f;
    facts_init(&f);
    struct plan p = {.rule = STR("model"), .count = 1, .propensity = 1, .rule_index = ROUTER_RULES_MAX};
    config_write_decision(&c, &f, &fly, &p, &out);
    jval j;
    assert_true(json_check(buf_view(&out), &j, NULL, NULL));
    assert_true(json_is(json_get(j, STR("provider")), STR("z")) &&
                json_is(json_get(j, STR("baseline_model")), STR("z/q")));
    assert_int_equal(json_get(j, STR("tier")).type, J_NULL);
    assert_int_equal(json_get(j, STR("rules")).type, J_NONE);
    buf_free(&out);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_routed), cmocka_unit_test(test_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
