/* Semantic routes: words, lexical and static scores, what is guarded, thresholds, rules that ask for them, what is
 * recorded, and every refusal. The table is the shipped one, whose checksum is pinned here. */
#include "brain/lexical.h"
#include "brain/router.h"
#include "brain/semantic.h"
#include "config/config.h"
#include "config/shipped.h"

#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TABLE_SHA256 "9d963e93d90d4f6e23ed46c842f1fe1a35ea012902062f129827459b6d57e517"

static const char routes[] = "refund: [I want my money back, please refund my last order, how do I get a refund]\n"
                             "cancel: [cancel my subscription, I want to end my plan, please close my account]\n"
                             "track: [where is my parcel, has my order been shipped, track order 4711]\n";

struct bench {
    arena a;
    struct embed table;
    const struct semantic *with, *without;
    err e;
};

static const struct semantic *compile(struct bench *b, const char *yaml, const struct embed *table) {
    ynode *n;
    b->e.msg[0] = 0;
    if (!yaml_parse(str_from(yaml), "r.yaml", &b->a, &n, &b->e)) return NULL;
    return semantic_compile(n, -1, table, &b->a, &b->e);
}

static int setup(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    arena_init(&b->a, 1 << 20, 256 << 20);
    *state = b;
    assert_true(embed_open(shipped_table(), &b->a, &b->table, &b->e));
    b->with = compile(b, routes, &b->table);
    b->without = compile(b, routes, NULL);
    assert_non_null(b->with);
    assert_non_null(b->without);
    return 0;
}

static int teardown(void **state) {
    struct bench *b = *state;
    arena_free(&b->a);
    free(b);
    return 0;
}

static const char *nearest(const struct semantic *s, const char *text, double *score) {
    double x;
    int r = semantic_nearest(s, str_from(text), score ? score : &x);
    return r < 0 ? "" : s->route[r].name.p;
}

static double near(const struct semantic *s, const char *text) {
    double x;
    nearest(s, text, &x);
    return x;
}

static void test_table(void **state) {
    struct bench *b = *state;
    unsigned char sum[32];
    char hex[65];
    str t = shipped_table();
    SHA256((const unsigned char *)t.p, t.n, sum);
    for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    assert_string_equal(hex, TABLE_SHA256);
    assert_int_equal(b->table.pieces, 26000);
    assert_int_equal(b->table.dims, 64);
}

static void test_damaged_table(void **state) {
    struct bench *b = *state;
    struct embed t;
    str whole = shipped_table();
    char *copy = malloc(whole.n);
    memcpy(copy, whole.p, whole.n);
    assert_false(embed_open(str_make(copy, whole.n - 1), &b->a, &t, &b->e));
    assert_non_null(strstr(b->e.msg, "cut"));
    copy[whole.n / 2] ^= 1;
    assert_false(embed_open(str_make(copy, whole.n), &b->a, &t, &b->e));
    assert_non_null(strstr(b->e.msg, "checksum"));
    assert_false(embed_open(STR("DSE1 but no more than this"), &b->a, &t, &b->e));
    assert_false(embed_open(STR("something else altogether, long enough"), &b->a, &t, &b->e));
    copy[4] = copy[5] = copy[6] = copy[7] = (char)0xff; /* more pieces than are read */
    assert_false(embed_open(str_make(copy, whole.n), &b->a, &t, &b->e));
    free(copy);
}

static void test_words(void **state) {
    (void)state;
    struct words w;
    words_split(STR("Caf\xC3\xA9, don't  A1 \xE4\xB8\xAD\xE5\x9B\xBD\xFFz"), FOLD_ALL, &w);
    const char *want[] = {"cafe", ",", "don", "'", "t", "a1", "\xE4\xB8\xAD", "\xE5\x9B\xBD", "z"};
    assert_int_equal(w.n, sizeof want / sizeof *want);
    for (unsigned i = 0; i < w.n; i++) assert_true(str_eqz(word_text(&w, i), want[i]));
    assert_int_equal(w.word[5].kind, WORD_CODE);
    assert_int_equal(w.word[1].kind, WORD_MARK);
    assert_true(w.word[2].spaced);
    assert_false(w.word[3].spaced);
    words_split(STR("Caf\xC3\x89"), FOLD_CASE, &w);
    assert_true(str_eqz(word_text(&w, 0), "caf\xC3\xA9"));
    words_split(STR("Caf\xC3\x89"), FOLD_NONE, &w);
    assert_true(str_eqz(word_text(&w, 0), "Caf\xC3\x89"));
}

/* Nothing that is said to be bounded grows, whatever the text. */
static void test_hostile(void **state) {
    struct bench *b = *state;
    char *big = malloc(1 << 20);
    for (int kind = 0; kind < 6; kind++) {
        uint32_t x = 7;
        for (int i = 0; i < 1 << 20; i++) {
            x = x * 1664525u + 1013904223u;
            big[i] = kind == 0   ? 'a'
                     : kind == 1 ? (char)(x >> 24)
                     : kind == 2 ? '.'
                     : kind == 3 ? "\xF0\x9F\x98\x80"[i & 3]
                     : kind == 4 ? "\xE4\xB8"[i & 1]
                                 : "a "[i & 1];
        }
        double s;
        struct words w;
        words_split(str_make(big, 1 << 20), FOLD_ALL, &w);
        assert_true(w.n <= WORDS_MAX && w.bytes <= WORDS_TEXT_MAX);
        semantic_nearest(b->with, str_make(big, 1 << 20), &s);
        assert_true(s >= 0 && s <= 1);
    }
    free(big);
    assert_int_equal(semantic_nearest(b->with, STR_NONE, &(double){0}), -1);
    assert_int_equal(semantic_nearest(b->with, STR(" ?! "), &(double){0}), -1);
}

static void test_nearest(void **state) {
    struct bench *b = *state;
    assert_string_equal(nearest(b->with, "can you give me my money back please", NULL), "refund");
    assert_string_equal(nearest(b->with, "I'd like to terminate my plan", NULL), "cancel");
    assert_string_equal(nearest(b->with, "when will my parcel be here", NULL), "track");
    assert_string_equal(nearest(b->without, "please refund this order", NULL), "refund");
    /* other words, same matter: only the embedding sees it */
    assert_true(near(b->with, "reimburse me for that purchase") >
                2 * near(b->without, "reimburse me for that purchase"));
    assert_true(near(b->with, "what is the capital of France?") < 0.3);
    assert_true(near(b->with, "I want my money back") > 0.55); /* mean with the second best */
}

static void test_same_text_same_score(void **state) {
    struct bench *b = *state;
    double first = near(b->with, "Please refund my order!");
    assert_true(first == near(b->with, "please REFUND my order!"));
    for (int i = 0; i < 100; i++) assert_true(first == near(b->with, "Please refund my order!"));
}

/* What similarity does not see. */
static void test_guards(void **state) {
    struct bench *b = *state;
    static const char *const turned[] = {
        "do not cancel my subscription",      "Please don't cancel my subscription",
        "please dont cancel my subscription", "never cancel my subscription",
        "no need to cancel my subscription",  "I don't want to cancel my subscription"};
    for (size_t i = 0; i < sizeof turned / sizeof *turned; i++) assert_true(near(b->with, turned[i]) < 0.05);
    static const char *const said[] = {"I don't know how to cancel my subscription", "cancel my subscription",
                                       "I have never seen this, cancel my subscription"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) assert_true(near(b->with, said[i]) > 0.3);
    /* a long prompt's instruction is no order to the route */
    assert_true(
        near(b->with,
             "cancel my subscription, I want to end my plan and close my account now, please. Answer in one "
             "sentence. Do not explain anything.") > 0.3);
    /* which number it is does not matter, unless an example has that very one */
    assert_true(near(b->with, "track order 1234") == near(b->with, "track order 98765"));
    assert_true(near(b->with, "track order 4711") > near(b->with, "track order 98765"));
    /* examples that are turned round are found by such prompts only */
    const struct semantic *s =
        compile(b, "keep: [do not cancel my plan, please don't end my subscription]\n", &b->table);
    assert_true(near(s, "don't cancel my subscription") > 0.4);
    assert_true(near(s, "cancel my subscription") < 0.05);
}

static void test_thresholds(void **state) {
    struct bench *b = *state;
    assert_true(b->with->suggested > 0.2f && b->with->suggested < 0.7f);
    for (uint32_t r = 0; r < b->with->route_count; r++)
        assert_true(b->with->route[r].threshold == b->with->suggested);
    const struct semantic *s =
        compile(b, "a: {examples: [one two three], threshold: 0.9}\nb: [four five six]\n", NULL);
    assert_true(s->route[0].stated && s->route[0].threshold == 0.9f && !s->route[1].stated);
    struct semantic_review v;
    semantic_review(b->with, &v);
    assert_int_equal(v.examples, 9);
    assert_true(v.right <= v.examples && v.accepted <= v.right && v.astray_count <= v.examples - v.right);
}

static void test_version(void **state) {
    struct bench *b = *state;
    assert_true(b->with->version != b->without->version);
    assert_true(compile(b, routes, &b->table)->version == b->with->version);
    assert_true(compile(b, "refund: [I want my money back]\n", &b->table)->version != b->with->version);
    /* a threshold decides, but changes no score */
    assert_true(compile(b, "a: {examples: [x y], threshold: 0.1}\n", NULL)->version ==
                compile(b, "a: {examples: [x y], threshold: 0.2}\n", NULL)->version);
}

static void refused(struct bench *b, const char *yaml, const char *want) {
    if (compile(b, yaml, NULL)) fail_msg("%s is not refused", yaml);
    if (!strstr(b->e.msg, want)) fail_msg("\"%s\" lacks \"%s\"", b->e.msg, want);
}

static void test_refusals(void **state) {
    struct bench *b = *state;
    refused(b, "[a, b]\n", "routes is a map");
    refused(b, "a: []\n", "r.yaml:1:4: a list of example sentences");
    refused(b, "a: x\n", "list of example sentences");
    refused(b, "a: [\"?!\"]\n", "has words");
    refused(b, "a: [x y]\nb: [z, x y]\n", "r.yaml:2:8: this example stands on line 1 already");
    refused(b, "a: {examples: [x], threshold: 2}\n", "r.yaml:1:31");
    refused(b, "a: {threshold: 0.5}\n", "no `examples:`");
    refused(b, "a: {examples: [x], treshold: 0.5}\n", "threshold");
    refused(b, "\"a*\": [x]\n", "no star");
}

/* ---- in a policy ---- */

static struct config *configure(const char *more, err *e) {
    char text[4096];
    snprintf(text, sizeof text,
             "providers: {anthropic: {api_key: k}}\nsemantic:\n  table: none\n  threshold: 0.3\n  routes:\n"
             "    refund: [I want my money back, please refund my last order, how do I get a refund]\n"
             "    cancel: [cancel my subscription, I want to end my plan]\n%s",
             more);
    return config_parse(str_from(text), "dray.yaml", e);
}

static const char rules[] = "policy:\n"
                            "  - {name: money, when: {semantic: refund}, use: frontier}\n"
                            "  - {name: any, when: {semantic: \"*\"}, use: light}\n"
                            "  - {name: rest, use: mid}\n"
                            "labels: [{when: {semantic: cancel}, set: {stakes: high}}]\n";

static str rule_of(const struct config *c, struct facts *f, struct plan *p) {
    decide(&c->router, f, 0, p);
    return p->rule;
}

static void test_rules(void **state) {
    (void)state;
    err e = {{0}};
    struct facts f;
    struct plan p;
    struct config *c = configure(rules, &e);
    if (!c) fail_msg("%s", e.msg);
    static const struct {
        const char *text, *rule, *route;
    } want[] = {{"please refund my order", "money", "refund"},
                {"cancel my subscription now", "any", "cancel"},
                {"what is the capital of France", "rest", NULL}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        facts_init(&f);
        classify_text(&c->router, str_from(want[i].text), &f);
        router_label(&c->router, &f);
        assert_true(str_eqz(rule_of(c, &f, &p), want[i].rule));
        if (want[i].route) assert_true(str_eqz(f.semantic, want[i].route));
        assert_int_equal(f.stakes, i == 1 ? STAKES_HIGH : STAKES_NORMAL);
        buf out;
        buf_init(&out, 1 << 20);
        config_write_decision(c, &f, NULL, &p, &out);
        assert_true(str_find(buf_view(&out), STR("\"semantic\":{\"route\":")) >= 0);
        buf_free(&out);
    }
    config_unpin(c);
}

/* Recorded facts are decided again from the score while the examples are the same, and not at all when they
 * aren't. */
static void test_recorded(void **state) {
    (void)state;
    err e = {{0}};
    arena a;
    buf out;
    struct facts f, again;
    struct plan p;
    struct config *c = configure(rules, &e),
                  *none = config_parse(STR("providers: {anthropic: {api_key: k}}"), "d", &e);
    char changed[2048];
    snprintf(changed, sizeof changed, "    other: [something new]\n%s", rules);
    struct config *other = configure(changed, &e);
    if (!c || !other) fail_msg("%s", e.msg);
    arena_init(&a, 4096, 1 << 20);
    buf_init(&out, 1 << 16);
    facts_init(&f);
    classify_text(&c->router, STR("please refund my order"), &f);
    facts_write(&f, &out);
    assert_true(facts_read(&again, buf_view(&out), &a, &e));
    assert_true(str_eq(again.semantic, f.semantic) && again.semantic_score == f.semantic_score &&
                again.semantic_version == f.semantic_version);
    assert_true(str_eqz(rule_of(c, &again, &p), "money"));
    rule_of(other, &again, &p);
    assert_true(str_eqz(p.missing, "semantic"));
    assert_int_equal(p.count, 0);
    rule_of(none, &again, &p);
    assert_int_equal(p.missing.n, 0); /* nobody asks */
    buf_free(&out);
    arena_free(&a);
    config_unpin(c);
    config_unpin(other);
    config_unpin(none);
}

static void test_configuration_refusals(void **state) {
    (void)state;
    static const struct {
        const char *more, *want;
    } bad[] = {
        {"policy: [{when: {semantic: refunt}, use: mid}]\n", "did you mean \"refund\"?"},
        {"policy: [{when: {semantic: nothing-like-it}, use: mid}]\n", "no semantic route"},
    };
    err e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(configure(bad[i].more, &e));
        if (!strstr(e.msg, bad[i].want)) fail_msg("\"%s\" lacks \"%s\"", e.msg, bad[i].want);
    }
    assert_null(config_parse(
        STR("providers: {anthropic: {api_key: k}}\npolicy: [{when: {semantic: x}, use: mid}]\n"), "d", &e));
    assert_non_null(strstr(e.msg, "there are no semantic routes"));
    assert_null(config_parse(
        STR("providers: {anthropic: {api_key: k}}\nsemantic: {table: /nowhere, routes: {a: [b]}}\n"), "d", &e));
    assert_non_null(strstr(e.msg, "/nowhere"));
    assert_null(config_parse(STR("providers: {anthropic: {api_key: k}}\nsemantic: {table: none}\n"), "d", &e));
    assert_non_null(strstr(e.msg, "routes"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_damaged_table),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_same_text_same_score),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_configuration_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
