/* yaml: the tree, positions, expansion, refusals (golden messages), readers. */
#include "base/buf.h"
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static arena mem;
static err why;

static int setup(void **state) {
    (void)state;
    arena_init(&mem, 1024, 64 << 20);
    why.msg[0] = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&mem);
    return 0;
}

static const ynode *parse(const char *text) {
    ynode *root;
    bool good = yaml_parse(str_from(text), "t.yaml", &mem, &root, &why);
    if (!good) fail_msg("%s", why.msg);
    return root;
}

static void refused(const char *text, const char *message) {
    ynode *root;
    why.msg[0] = 0;
    assert_false(yaml_parse(str_from(text), "t.yaml", &mem, &root, &why));
    assert_string_equal(why.msg, message);
}

static void is(const ynode *n, const char *value) {
    assert_non_null(n);
    assert_string_equal(n->value.p, value);
    assert_int_equal(n->value.n, strlen(value));
}

static void test_tree(void **state) {
    (void)state;
    const ynode *root = parse("listen: 127.0.0.1:4000\n"
                              "tiers:\n"
                              "  light: {targets: [a, \"b\"], balance: cost} # comment\n"
                              "  empty:\n");
    assert_int_equal(root->type, Y_MAP);
    assert_int_equal(yaml_count(root), 2);
    is(yaml_get(root, "listen"), "127.0.0.1:4000");
    const ynode *light = yaml_get(yaml_get(root, "tiers"), "light");
    const ynode *targets = yaml_get(light, "targets");
    assert_int_equal(targets->type, Y_SEQ);
    is(targets->child, "a");
    is(targets->child->next, "b");
    assert_false(targets->child->quoted);
    assert_true(targets->child->next->quoted);
    assert_int_equal(targets->child->line, 3);
    assert_int_equal(targets->child->col, 21);
    assert_int_equal(light->key_line, 3);
    assert_int_equal(light->key_col, 3);
    assert_true(yaml_is_null(yaml_get(yaml_get(root, "tiers"), "empty")));
    assert_null(yaml_get(root, "absent"));
    assert_null(yaml_get(targets, "a"));
}

static void test_empty(void **state) {
    (void)state;
    static const char *const texts[] = {"", "# nothing\n", "---\n", "\xef\xbb\xbf# with a mark\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const ynode *root = parse(texts[i]);
        assert_int_equal(root->type, Y_MAP);
        assert_null(root->child);
    }
}

static void test_environment(void **state) {
    (void)state;
    setenv("DRAY_T_KEY", "sk-1: [x] #y", 1);
    setenv("DRAY_T_EMPTY", "", 1);
    unsetenv("DRAY_T_NONE");
    const ynode *root = parse("a: ${DRAY_T_KEY}\n"
                              "b: {c: ${DRAY_T_KEY}, d: [${DRAY_T_KEY}, x], e: after}\n"
                              "f: \"<${DRAY_T_KEY}>\"\n"
                              "g: ${DRAY_T_NONE:-http://h:1/v1, ok # [y] \"q\"}\n"
                              "h: ${DRAY_T_EMPTY:-fallback}\n"
                              "i: '$${DRAY_T_KEY} $5'\n"
                              "j: {k: ${DRAY_T_NONE:-}} # ${DRAY_T_NONE} in a comment\n"
                              "l: ${DRAY_T_KEY}${DRAY_T_NONE:-2}\n"
                              "m: ${DRAY_T_EMPTY}\n");
    is(yaml_get(root, "a"), "sk-1: [x] #y");
    assert_true(yaml_get(root, "a")->secret);
    is(yaml_get(yaml_get(root, "b"), "c"), "sk-1: [x] #y");
    is(yaml_get(yaml_get(root, "b"), "d")->child, "sk-1: [x] #y");
    is(yaml_get(yaml_get(root, "b"), "e"), "after");
    assert_int_equal(yaml_get(yaml_get(root, "b"), "e")->key_col, 46);
    is(yaml_get(root, "f"), "<sk-1: [x] #y>");
    is(yaml_get(root, "g"), "http://h:1/v1, ok # [y] \"q\"");
    assert_false(yaml_get(root, "g")->secret);
    is(yaml_get(root, "h"), "fallback");
    is(yaml_get(root, "i"), "${DRAY_T_KEY} $5");
    is(yaml_get(yaml_get(root, "j"), "k"), "");
    is(yaml_get(root, "l"), "sk-1: [x] #y2");
    is(yaml_get(root, "m"), "");
    assert_false(yaml_is_null(yaml_get(root, "m")));
}

static void test_refusals(void **state) {
    (void)state;
    unsetenv("DRAY_T_NONE");
    refused("a: 1\nb: 2\na: 3\n", "t.yaml:3:1: key \"a\" is here twice; first on line 1");
    refused("x: &m {a: 1}\ny:\n  <<: *m\n", "t.yaml:3:3: merge keys (<<) are not supported: write the keys out");
    refused("a: b: c\n", "t.yaml:1:5: mapping values are not allowed in this context");
    refused("a:\n\tb: 1\n", "t.yaml:2:1: a value can't start with this character (tab, @, ` and % can't) "
                            "while scanning for the next token");
    refused("a: *nope\n", "t.yaml:1:4: alias *nope has no anchor before it");
    refused("a: &x [*x]\n", "t.yaml:1:8: alias *x has no anchor before it");
    refused("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document begins here: only one per file");
    refused("a: !!str 1\n", "t.yaml:1:4: tags (tag:yaml.org,2002:str) are not supported");
    refused("[a]: 1\n", "t.yaml:1:1: a key must be plain text");
    refused(
        "p:\n  k: ${DRAY_T_NONE}\n",
        "t.yaml:2:6: environment variable DRAY_T_NONE is not set (write ${DRAY_T_NONE:-default} to allow that)");
    refused("k: ${a.b}\n",
            "t.yaml:1:4: ${a.b} is not the name of an environment variable (write $${ for a literal ${)");
    refused("k: ${}\n", "t.yaml:1:4: ${} is not the name of an environment variable (write $${ for a literal ${)");
    refused("k: ${OPEN\n", "t.yaml:1:4: \"${\" without its \"}\" on the same line");
    refused("{${HOME}: 1}\n", "t.yaml:1:2: ${...} is expanded in values only, not in keys");
    refused("a: 1\nb: \xff\n", "t.yaml:2:4: invalid leading UTF-8 octet");
    refused("a: [1, 2\n", "t.yaml:2:1: did not find expected ',' or ']' while parsing a flow sequence");
}

static void test_limits(void **state) {
    (void)state;
    /* Nine levels of nine aliases: 9^9 values from a few lines. */
    char bomb[2048] = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i <= 9; i++) {
        char line[160];
        snprintf(line, sizeof line, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(bomb, line);
    }
    refused(bomb, "t.yaml:6:14: more than 200000 values in one file (aliases count as what they stand for)");
    char deep[256] = "";
    for (int i = 0; i < 80; i++) strcat(deep, "[");
    refused(deep, "t.yaml:1:66: nested deeper than 64");
    buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < YAML_MEMBERS_MAX + 1; i++) buf_printf(&b, "k%d: 1\n", i);
    buf_char(&b, 0);
    refused(b.p, "t.yaml:4097:1: more than 4096 keys in one map");
    buf_free(&b);
    static char big[YAML_BYTES_MAX + 2];
    memset(big, ' ', YAML_BYTES_MAX + 1);
    refused(big, "t.yaml:1:1: larger than 4194304 bytes");
}

static void test_alias(void **state) {
    (void)state;
    const ynode *root = parse("a: &x {k: 1}\nb: *x\nc: [*x, *x]\n");
    is(yaml_get(yaml_get(root, "b"), "k"), "1");
    assert_string_equal(yaml_get(root, "b")->key.p, "b");
    is(yaml_get(yaml_get(root, "c")->child->next, "k"), "1");
    assert_null(yaml_get(root, "c")->child->next->next);
}

static void test_readers(void **state) {
    (void)state;
    setenv("DRAY_T_KEY", "sk-secret", 1);
    setenv("DRAY_T_BOOL", "true", 1);
    const ynode *root =
        parse("yes: true\nquoted: \"true\"\nenvbool: \"${DRAY_T_BOOL}\"\nn: 42\nf: 2.5e-07\nlist: [1]\n"
              "env: ${DRAY_T_KEY}\nlong: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    bool b;
    uint64_t u;
    double f;
    unsigned w;
    assert_true(yaml_bool(yaml_get(root, "yes"), &b, &why) && b);
    assert_true(yaml_bool(yaml_get(root, "envbool"), &b, &why) && b);
    assert_false(yaml_bool(yaml_get(root, "quoted"), &b, &why));
    assert_string_equal(why.msg, "t.yaml:2:9: expected true or false, not \"true\"");
    assert_true(yaml_u64(yaml_get(root, "n"), 1, 42, &u, &why) && u == 42);
    assert_false(yaml_u64(yaml_get(root, "n"), 1, 41, &u, &why));
    assert_string_equal(why.msg, "t.yaml:4:4: must be between 1 and 41");
    assert_false(yaml_u64(yaml_get(root, "list"), 0, 9, &u, &why));
    assert_string_equal(why.msg, "t.yaml:6:7: expected a whole number, not a list");
    assert_true(yaml_f64(yaml_get(root, "f"), 0, 1, &f, &why) && f == 2.5e-07);
    assert_false(yaml_f64(yaml_get(root, "env"), 0, 1, &f, &why));
    assert_string_equal(why.msg, "t.yaml:7:6: expected a number, not the value from the environment");
    assert_false(yaml_u64(yaml_get(root, "long"), 0, 9, &u, &why));
    assert_string_equal(
        why.msg, "t.yaml:8:7: expected a whole number, not \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\"");
    static const char *const words[] = {"priority", "weighted", "cost", NULL};
    assert_false(yaml_word(yaml_get(root, "yes"), words, &w, &why));
    assert_string_equal(why.msg, "t.yaml:1:6: expected priority, weighted or cost, not \"true\"");
    static const char *const known[] = {"yes", "quoted", "envbool", "n", "f", "lists", NULL};
    assert_false(yaml_known(root, known, &why));
    assert_string_equal(why.msg, "t.yaml:6:1: unknown key \"list\": did you mean \"lists\"?");
    static const char *const few[] = {"yes", "no", NULL};
    assert_false(yaml_known(root, few, &why));
    assert_string_equal(why.msg, "t.yaml:2:1: unknown key \"quoted\"; known are yes or no");
}

static void test_quantities(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t us; /* UINT64_MAX: refused */
    } durations[] = {{"250ms", 250000},      {"30s", 30000000},
                     {"5m", 300000000},      {"2h", 7200000000},
                     {"14d", 1209600000000}, {"1.5h", 5400000000},
                     {"3", 3000000},         {"0", 0},
                     {"0.25", 250000},       {"7 d", 604800000000},
                     {"-1s", UINT64_MAX},    {"1.s", UINT64_MAX},
                     {"s", UINT64_MAX},      {"1y", UINT64_MAX},
                     {"1e3s", UINT64_MAX},   {"99999999999d", UINT64_MAX},
                     {"", UINT64_MAX},       {"18446744073709551615", UINT64_MAX}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        uint64_t us;
        bool good = yaml_duration_text(str_from(durations[i].text), &us);
        if (good != (durations[i].us != UINT64_MAX) || (good && us != durations[i].us))
            fail_msg("%s", durations[i].text);
    }
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"s: 64k", 65536},    {"s: 10MB", 10485760},  {"s: 1GiB", 1073741824}, {"s: 512", 512},
                 {"s: 1.5M", 1572864}, {"s: 10T", UINT64_MAX}, {"s: -1", UINT64_MAX},   {"s: [1]", UINT64_MAX}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t bytes;
        bool good = yaml_size(yaml_get(parse(sizes[i].text), "s"), &bytes, &why);
        if (good != (sizes[i].bytes != UINT64_MAX) || (good && bytes != sizes[i].bytes))
            fail_msg("%s", sizes[i].text);
    }
}

static void test_load(void **state) {
    (void)state;
    ynode *root;
    assert_false(yaml_load("does-not-exist.yaml", &mem, &root, &why));
    assert_string_equal(why.msg, "does-not-exist.yaml: No such file or directory");
    assert_false(yaml_load(".", &mem, &root, &why));
    assert_string_equal(why.msg, ".: Is a directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alias, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quantities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
