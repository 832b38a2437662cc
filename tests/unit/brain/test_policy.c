/* policy and decide: the built-in rules, every kind of condition, every refusal with its place, and the
 * order inside a tier. */
#include "brain/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct price cheap, dear, unknown;

/* light: three targets, mid: one, frontier: one. */
struct bench {
    arena a;
    struct router r;
    struct target target[5];
    err e;
};

static int resolve_alias(void *ctx, str name) {
    (void)ctx;
    return str_eqz(name, "sonnet") ? 3 : -1;
}

static void setup(struct bench *b) {
    *b = (struct bench){0};
    arena_init(&b->a, 4096, 1 << 22);
    for (int s = 0; s < 4; s++)
        for (int c = 0; c < USAGE_CLASSES; c++) {
            bool list = s == SERVICE_DEFAULT;
            cheap.rate[s][c] = list ? 1000000000 : PRICE_UNKNOWN;
            dear.rate[s][c] = list ? 9000000000 : PRICE_UNKNOWN;
            unknown.rate[s][c] = PRICE_UNKNOWN;
        }
    static const char *const names[] = {"a/unknown", "b/dear", "c/cheap", "d/mid", "e/top"};
    const struct price *prices[] = {&unknown, &dear, &cheap, &dear, &dear};
    for (int i = 0; i < 5; i++) b->target[i] = (struct target){.name = str_from(names[i]), .price = prices[i]};
    b->r.target = b->target;
    b->r.target_count = 5;
    b->r.tier_count = 3;
    b->r.tier[0] = (struct tier){.name = STR("light"), .count = 3, .target = {0, 1, 2}, .weight = {1, 0, 3}};
    b->r.tier[1] = (struct tier){.name = STR("mid"), .count = 1, .target = {3}};
    b->r.tier[2] = (struct tier){.name = STR("frontier"), .count = 1, .target = {4}};
    b->r.resolve = resolve_alias;
}

/* Compiles; `labels` may be NULL. */
static bool compile(struct bench *b, const char *policy, const char *labels) {
    ynode *p = NULL, *l = NULL;
    if (policy && !yaml_parse(str_from(policy), "p.yaml", &b->a, &p, &b->e)) return false;
    if (labels && !yaml_parse(str_from(labels), "l.yaml", &b->a, &l, &b->e)) return false;
    return router_compile(&b->r, p, l, &b->a, &b->e);
}

static struct plan plan_of(struct bench *b, const struct facts *f) {
    struct plan p;
    decide(&b->r, f, 0, &p);
    return p;
}

static void test_built_in(void **state) {
    (void)state;
    static const struct {
        enum task task;
        enum stakes stakes;
        uint32_t tokens;
        const char *rule, *tier;
    } cases[] = {
        {TASK_CLASSIFY, STAKES_HIGH, 10, "high-stakes", "frontier"},
        {TASK_CLASSIFY, STAKES_NORMAL, 10, "short-structured", "light"},
        {TASK_EXTRACT, STAKES_LOW, 1999, "short-structured", "light"},
        {TASK_SUMMARIZE, STAKES_NORMAL, 2000, "default", "mid"},
        {TASK_PLAN, STAKES_NORMAL, 10, "hard-work", "frontier"},
        {TASK_REASON, STAKES_LOW, 10, "hard-work", "frontier"},
        {TASK_SYNTHESIZE, STAKES_LOW, 10, "hard-work", "frontier"},
        {TASK_UNKNOWN, STAKES_NORMAL, 10, "ambiguous", "frontier"},
        {TASK_CHAT, STAKES_NORMAL, 10, "default", "mid"},
        {TASK_CODE, STAKES_NORMAL, 10, "default", "mid"},
    };
    struct bench b;
    setup(&b);
    assert_true(compile(&b, NULL, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct facts f;
        facts_init(&f);
        f.task = (uint8_t)cases[i].task;
        f.stakes = (uint8_t)cases[i].stakes;
        f.input_tokens = cases[i].tokens;
        struct plan p = plan_of(&b, &f);
        assert_true(str_eqz(p.rule, cases[i].rule));
        assert_true(str_eqz(p.tier, cases[i].tier));
        assert_true(p.routed && p.count == p.candidate_count && p.propensity == 1);
    }
    arena_free(&b.a);
}

static void test_other_tier_names(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    b.r.tier[0].name = STR("small");
    b.r.tier[1].name = STR("big");
    b.r.tier_count = 2;
    assert_true(compile(&b, NULL, NULL));
    struct facts f;
    facts_init(&f);
    assert_true(str_eqz(plan_of(&b, &f).tier, "big")); /* unknown task: the last is the frontier */
    f.task = TASK_CLASSIFY;
    assert_true(str_eqz(plan_of(&b, &f).tier, "small"));
    arena_free(&b.a);
}

/* One rule's `when` against facts that the case changes. long: a table of cases. */
static void test_conditions(void **state) {
    (void)state;
    static struct fact_named named[] = {{STR_INIT("header.x-app"), STR_INIT("web-7")},
                                        {STR_INIT("metadata.env"), STR_INIT("")},
                                        {STR_INIT("metadata.gone"), {NULL, 0}}};
    struct facts f;
    facts_init(&f);
    f.task = TASK_CODE;
    f.input_tokens = 150;
    f.input_length = 600;
    f.hour = 9;
    f.difficulty = facts_share(0.3);
    f.task_confidence = facts_share(0.8);
    f.model = STR("gpt-4o");
    f.key = STR("billing-bot");
    f.tag[0] = STR("a"), f.tag[1] = STR("night-batch"), f.tag_count = 2;
    f.tools = true;
    f.system_hash = 0xabc;
    f.named = named;
    f.named_count = 3;
    static const struct {
        const char *when;
        bool holds;
    } cases[] = {
        {"{task: code}", true},
        {"{difficulty: '<= 0.3'}", true},
        {"{difficulty: '< 0.3'}", false},
        {"{difficulty: '0.2..0.3'}", true},
        {"{task_confidence: '>= 0.8'}", true},
        {"{task_confidence: '> 0.8'}", false},
        {"{task: [qa, code]}", true},
        {"{task: qa}", false},
        {"{stakes: [low, normal]}", true},
        {"{input_tokens: '< 150'}", false},
        {"{input_tokens: '<= 150'}", true},
        {"{input_tokens: '> 149'}", true},
        {"{input_tokens: '>=151'}", false},
        {"{input_tokens: '100..200'}", true},
        {"{input_tokens: '151..200'}", false},
        {"{input_tokens: ['< 10', '= 150']}", true},
        {"{input_length: 600}", true},
        {"{output_tokens: '< 10'}", false},       /* the client set no limit: unknown */
        {"{not: {output_tokens: '< 10'}}", true}, /* and `not` turns it round */
        {"{hour: '8..17'}", true},
        {"{model: 'gpt-*'}", true},
        {"{model: '*'}", true},
        {"{model: 'gpt'}", false},
        {"{model: '*4*o'}", true},
        {"{model: '*4*p'}", false},
        {"{key: [x, billing-bot]}", true},
        {"{team: '*'}", false},
        {"{tag: 'night*'}", true},
        {"{tag: b}", false},
        {"{tools: true}", true},
        {"{tools: false}", false},
        {"{vision: false, stream: false}", true},
        {"{system_hash: 0000000000000abc}", true},
        {"{header.X-App: web-*}", true},
        {"{header.x-app: web}", false},
        {"{metadata.env: ''}", true},
        {"{metadata.env: '*'}", true},
        {"{metadata.gone: '*'}", false},
        {"{metadata.other: '*'}", false},
        {"{any: [{task: qa}, {tools: true, hour: 9}]}", true},
        {"{any: [{task: qa}, {tools: true, hour: 8}]}", false},
        {"{any: {task: qa, tools: true}}", true},
        {"{all: [{task: code}, {tools: true}]}", true},
        {"{all: [{task: code}, {tools: false}]}", false},
        {"{not: {task: code, tools: false}}", true},
        {"{not: [{task: code}, {tools: true}]}", false},
        {"{task: code, not: {any: [{hour: 3}, {not: {hour: 9}}]}}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        setup(&b);
        char text[256];
        snprintf(text, sizeof text, "[{name: it, when: %s, use: light}, {name: else, use: frontier}]",
                 cases[i].when);
        if (!compile(&b, text, NULL)) fail_msg("%s: %s", cases[i].when, b.e.msg);
        bool held = str_eqz(plan_of(&b, &f).rule, "it");
        if (held != cases[i].holds) fail_msg("%s", cases[i].when);
        arena_free(&b.a);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *policy, *want; /* part of the message */
    } cases[] = {
        {"{a: 1}", "p.yaml:1:1: policy is a list"},
        {"[x]", "a rule is a map"},
        {"[{name: a}]", "no `use:`"},
        {"[{use: lihgt}]", "p.yaml:1:8: \"lihgt\" is no tier, model"},
        {"[{use: light, wehn: {}}]", "wehn"},
        {"[{use: light, when: {}}]", "map of conditions"},
        {"[{use: light, when: {tsk: qa}}]", "p.yaml:1:22: unknown condition \"tsk\", did you mean \"task\"?"},
        {"[{use: light, when: {task: intent}}]", "p.yaml:1:28: there is no task \"intent\""},
        {"[{use: light, when: {stakes: huge}}]", "stakes are"},
        {"[{use: light, when: {input_tokens: lots}}]", "compared like"},
        {"[{use: light, when: {input_tokens: '< 1e9'}}]", "compared like"},
        {"[{use: light, when: {input_tokens: '200..100'}}]", "compared like"},
        {"[{use: light, when: {tools: many}}]", "p.yaml:1:"},
        {"[{use: light, when: {header.: x}}]", "unknown condition"},
        {"[{use: light, when: {task: []}}]", "expected"},
        {"[{name: a, use: light}, {name: a, use: mid}]", "two rules are called \"a\""},
        {"[{use: light, when: {not: {not: {not: {not: {not: {not: {not: {not: {not: {task: qa}}}}}}}}}}}]",
         "nested"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        setup(&b);
        if (compile(&b, cases[i].policy, NULL)) fail_msg("compiled: %s", cases[i].policy);
        if (!strstr(b.e.msg, cases[i].want)) fail_msg("%s: %s", cases[i].policy, b.e.msg);
        arena_free(&b.a);
    }
    struct bench b;
    setup(&b);
    assert_false(compile(&b, NULL, "[{when: {task: qa}, set: {stakes: low}}]"));
    assert_non_null(strstr(b.e.msg, "labels are set before task is known"));
    assert_false(compile(&b, NULL, "[{when: {key: a}, set: {tier: low}}]"));
    arena_free(&b.a);
}

static void test_use(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    assert_true(compile(
        &b,
        "[{when: {task: qa}, use: sonnet}, {when: {task: code}, use: c/cheap}, {when: {task: chat}, use: light}]",
        NULL));
    struct facts f;
    facts_init(&f);
    f.task = TASK_QA;
    struct plan p = plan_of(&b, &f);
    assert_true(p.count == 1 && p.target[0] == 3 && p.routed && !p.tier.n && str_eqz(p.rule, "rule-1"));
    f.task = TASK_CODE;
    assert_int_equal(plan_of(&b, &f).target[0], 2);
    f.task = TASK_EXTRACT; /* no rule: as the built-in default */
    p = plan_of(&b, &f);
    assert_true(str_eqz(p.rule, "default") && str_eqz(p.tier, "mid") && p.rule_index == ROUTER_RULES_MAX);
    decide_target(&b.r, &f, 4, &p);
    assert_true(p.count == 1 && p.target[0] == 4 && !p.routed && str_eqz(p.rule, "model"));
    arena_free(&b.a);
}

static void test_labels(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    assert_true(
        compile(&b, NULL,
                "[{when: {key: bot}, set: {task: extract}}, {when: {key: bot}, set: {task: qa, stakes: high}},"
                " {when: {header.x-app: '*'}, set: {stakes: low}}]"));
    assert_int_equal(b.r.name_count, 1);
    struct facts f;
    facts_init(&f);
    f.key = STR("bot");
    f.task = TASK_CHAT;
    f.task_source = TASK_BY_CLASSIFIER;
    router_label(&b.r, &f);
    assert_true(f.task == TASK_EXTRACT && f.task_source == TASK_BY_LABEL && f.task_confidence == 1 &&
                f.stakes == STAKES_HIGH);
    facts_init(&f); /* the request's own hints win */
    f.key = STR("bot");
    f.task = TASK_CODE;
    f.task_source = TASK_BY_HINT;
    f.stakes_hint = true;
    router_label(&b.r, &f);
    assert_true(f.task == TASK_CODE && f.stakes == STAKES_NORMAL);
    arena_free(&b.a);
}

static void test_order(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    assert_true(compile(&b, NULL, NULL));
    struct facts f;
    struct plan p;
    facts_init(&f);
    f.input_tokens = 1000;
    decide_tier(&b.r, &f, 0, STR("tier"), 0, &p);
    assert_true(p.target[0] == 0 && p.target[1] == 1 && p.target[2] == 2);
    b.r.tier[0].balance = BALANCE_COST;
    decide_tier(&b.r, &f, 0, STR("tier"), 0, &p);
    assert_true(p.target[0] == 2 && p.target[1] == 1 && p.target[2] == 0); /* unknown is not free */
    assert_true(p.candidate[0].target == 0 && p.candidate[0].expected_cost == COST_UNKNOWN);
    b.r.tier[0].balance = BALANCE_WEIGHTED;
    int first[3] = {0};
    for (uint64_t i = 0; i < 1024; i++) {
        decide_tier(&b.r, &f, 0, STR("tier"), i << 54, &p);
        first[p.target[0]]++;
        assert_true(p.propensity == (p.target[0] == 0 ? 0.25 : 0.75));
        assert_int_equal(p.target[0] + p.target[1] + p.target[2], 3);
    }
    assert_true(first[0] == 256 && first[1] == 0 && first[2] == 768);
    decide_tier(&b.r, &f, 0, STR("tier"), UINT64_MAX, &p);
    assert_int_equal(p.target[0], 2);
    arena_free(&b.a);
}

static struct plan past_plan(struct bench *b, const char *policy, const char *facts) {
    struct facts f;
    assert_true(compile(b, policy, NULL));
    if (!facts_read(&f, str_from(facts), &b->a, &b->e)) fail_msg("%s", b->e.msg);
    return plan_of(b, &f);
}

/* Facts of the past: what no rule of that day asked for is not known, and is not guessed. */
static void test_not_recorded(void **state) {
    (void)state;
    static const struct {
        const char *when, *facts, *rule; /* NULL: can't be told */
    } cases[] = {
        {"{header.x-app: web}", "{\"v\":1,\"n\":{\"header.x-app\":\"web\"}}", "one"},
        {"{header.x-app: web}", "{\"v\":1,\"n\":{\"header.x-app\":null}}", "two"},
        {"{header.x-app: web}", "{\"v\":1,\"n\":{\"header.x-other\":\"web\"}}", NULL},
        {"{header.x-app: web}", "{\"v\":1}", NULL},
        {"{not: {header.x-app: web}}", "{\"v\":1}", NULL},
        {"{not: {header.x-app: web}}", "{\"v\":1,\"n\":{\"header.x-app\":null}}", "one"},
        /* what else the rule asks decides it, whatever the header was */
        {"{header.x-app: web, task: code}", "{\"v\":1}", "two"},
        {"{task: code, header.x-app: web}", "{\"v\":1}", "two"},
        {"{header.x-app: web, task: unknown}", "{\"v\":1}", NULL},
        {"{any: [{header.x-app: web}, {task: unknown}]}", "{\"v\":1}", "one"},
        {"{any: [{header.x-app: web}, {task: code}]}", "{\"v\":1}", NULL},
        {"{not: {any: [{header.x-app: web}, {task: unknown}]}}", "{\"v\":1}", "two"},
        {"{not: {all: [{header.x-app: web}, {task: code}]}}", "{\"v\":1}", "one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        char policy[256];
        setup(&b);
        snprintf(policy, sizeof policy, "[{name: one, when: %s, use: light}, {name: two, use: mid}]",
                 cases[i].when);
        struct plan p = past_plan(&b, policy, cases[i].facts);
        if (cases[i].rule)
            assert_true(str_eqz(p.rule, cases[i].rule) && p.count && !p.missing.n);
        else
            assert_true(p.count == 0 && str_eqz(p.missing, "header.x-app"));
        arena_free(&b.a);
    }
}

/* Labels of the day are taken back before those of today are tried. */
static void test_relabel(void **state) {
    (void)state;
    struct bench b;
    struct facts f;
    str missing = STR_NONE;
    setup(&b);
    facts_init(&f);
    f.task = TASK_CODE;
    f.task_source = TASK_BY_CLASSIFIER;
    f.task_confidence = 0.75f;
    f.key = STR("bot");
    assert_true(compile(&b, NULL, "[{when: {key: bot}, set: {task: extract, stakes: high}}]"));
    router_label(&b.r, &f);
    assert_true(f.task == TASK_EXTRACT && f.stakes == STAKES_HIGH && f.guess == TASK_CODE);
    struct facts once = f;
    assert_true(router_relabel(&b.r, &f, &missing)); /* the same labels: the same facts */
    assert_true(f.task == once.task && f.task_source == once.task_source && f.guess == once.guess &&
                f.stakes == once.stakes && f.task_confidence == once.task_confidence);
    assert_true(compile(&b, NULL, "[{when: {key: bot}, set: {task: qa}}]"));
    assert_true(router_relabel(&b.r, &f, &missing));
    assert_true(f.task == TASK_QA && f.stakes == STAKES_NORMAL && f.guess == TASK_CODE);
    assert_true(compile(&b, NULL, NULL));
    assert_true(router_relabel(&b.r, &f, &missing));
    assert_true(f.task == TASK_CODE && f.task_source == TASK_BY_CLASSIFIER && f.task_confidence == 0.75f);
    assert_true(compile(&b, NULL, "[{when: {header.x: y}, set: {task: qa}}]"));
    f.recorded = true;
    assert_false(router_relabel(&b.r, &f, &missing));
    assert_true(str_eqz(missing, "header.x"));
    f.task_source = TASK_BY_HINT; /* the request's own word: no label would change it */
    assert_true(router_relabel(&b.r, &f, &missing));
    arena_free(&b.a);
}

/* The draw of a call's id: spread evenly, and the same again. */
static void test_draw(void **state) {
    (void)state;
    struct uuid_gen g;
    uuid_gen_init(&g);
    int quarter[4] = {0};
    for (int i = 0; i < 40000; i++) {
        struct uuid id = uuid_v7(&g, 1795608000000000);
        uint64_t draw = decide_draw(id);
        assert_true(draw == decide_draw(id));
        quarter[draw >> 62]++;
    }
    for (int i = 0; i < 4; i++) assert_in_range(quarter[i], 9500, 10500); /* six sigma */
}

static void test_cap(void **state) {
    (void)state;
    struct bench b;
    struct facts f;
    struct plan p;
    setup(&b);
    assert_true(compile(&b, NULL, NULL));
    facts_init(&f);
    f.input_tokens = 1000; /* cheap: 1,000 + 300 tokens at 1,000 nano */
    decide_tier(&b.r, &f, 0, STR("tier"), 0, &p);
    f.max_cost = 1300000;
    decide_cap(&b.r, &f, &p);
    assert_true(p.count == 2 && p.target[0] == 0 && p.target[1] == 2); /* unknown stays, dear goes */
    f.max_cost = 1299999;
    decide_cap(&b.r, &f, &p);
    assert_true(p.count == 1 && p.target[0] == 0);
    arena_free(&b.a);
}

static void test_unable_goes_last(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    assert_true(compile(&b, NULL, NULL));
    struct facts f;
    struct plan p;
    facts_init(&f);
    f.vision = true;
    f.input_tokens = 9000;
    b.target[0].flags = MODEL_CHAT;
    b.target[1].context = 8192;
    decide_tier(&b.r, &f, 0, STR("tier"), 0, &p);
    assert_true(p.target[0] == 2 && p.target[1] == 0 && p.target[2] == 1 && p.count == 3);
    arena_free(&b.a);
}

static void test_explain(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    assert_true(compile(&b,
                        "[{name: one, when: {any: [{task: qa}, {header.x-app: web}]}, use: sonnet}, {name: two, "
                        "use: mid}, {name: three, use: mid}]",
                        NULL));
    struct facts f;
    facts_init(&f);
    buf out;
    jw w;
    buf_init(&out, 4096);
    jw_init(&w, &out);
    jw_object(&w);
    decide_explain(&b.r, &f, &w);
    jw_object_end(&w);
    assert_true(
        str_eqz(buf_view(&out),
                "{\"rules\":[{\"rule\":\"one\",\"use\":\"d/"
                "mid\",\"matched\":false,\"conditions\":[{\"when\":\"any\",\"conditions\":["
                "{\"when\":\"all\",\"conditions\":[{\"when\":\"task\",\"want\":\"qa\",\"got\":\"unknown\","
                "\"held\":false}],\"held\":false},"
                "{\"when\":\"all\",\"conditions\":[{\"when\":\"header.x-app\",\"want\":\"web\",\"got\":null,"
                "\"held\":false}],\"held\":false}],"
                "\"held\":false}]},{\"rule\":\"two\",\"use\":\"mid\",\"matched\":true,\"conditions\":[]}]}"));
    buf_free(&out);
    arena_free(&b.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),   cmocka_unit_test(test_other_tier_names),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_use),        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_order),      cmocka_unit_test(test_unable_goes_last),
        cmocka_unit_test(test_explain),    cmocka_unit_test(test_not_recorded),
        cmocka_unit_test(test_relabel),    cmocka_unit_test(test_draw),
        cmocka_unit_test(test_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
