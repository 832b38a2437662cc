/* opts: option rows, operands, wrong usage; manuals rendered from rows. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct options {
    bool json;
    const char *config;
    uint64_t n, since;
    double share;
    struct opt_list set;
};

static const struct opt rows[] = {
    {"config", 'c', OPT_STR, OPT(struct options, config), "FILE", "Reads FILE."},
    {"json", 0, OPT_FLAG, OPT(struct options, json), NULL, "Prints JSON."},
    {"number", 'n', OPT_U64, OPT(struct options, n), "N", "How many."},
    {"since", 0, OPT_DURATION, OPT(struct options, since), "TIME", "How long ago."},
    {"share", 0, OPT_F64, OPT(struct options, share), "X", "A share."},
    {"set", 's', OPT_LIST, OPT(struct options, set), "K=V", "Sets; may be repeated."},
    {0},
};

static int nothing(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return 0;
}

static const struct command sample = {.name = "sample",
                                      .brief = "a sample",
                                      .args = "[FILE…]",
                                      .args_max = 3,
                                      .about = "Does nothing.\n\nTwice.",
                                      .opts = rows,
                                      .run = nothing};

static bool parse(struct options *o, struct args *operands, ...) {
    static char *argv[32];
    int argc = 0;
    argv[argc++] = (char *)"sample";
    va_list ap;
    va_start(ap, operands);
    for (char *w; (w = va_arg(ap, char *));) argv[argc++] = w;
    va_end(ap);
    *o = (struct options){.n = 7};
    return cli_parse(&sample, argc, argv, o, operands);
}

static void test_good(void **state) {
    (void)state;
    struct options o;
    struct args x;
    assert_true(parse(&o, &x, "-c", "a.yaml", "one", "--json", "-n5", "--since=2h", "--share", "0.5", "-s", "a=1",
                      "--set=b=2", "two", "--", "-three", NULL));
    assert_string_equal(o.config, "a.yaml");
    assert_true(o.json);
    assert_int_equal(o.n, 5);
    assert_true(o.since == 7200000000u);
    assert_true(o.share == 0.5);
    assert_int_equal(o.set.count, 2);
    assert_string_equal(o.set.item[1], "b=2");
    assert_int_equal(x.count, 3);
    assert_string_equal(x.arg[0], "one");
    assert_string_equal(x.arg[1], "two");
    assert_string_equal(x.arg[2], "-three");
    assert_true(parse(&o, &x, "-", NULL));
    assert_int_equal(o.n, 7); /* the default stays */
    assert_string_equal(x.arg[0], "-");
}

static void test_wrong(void **state) {
    (void)state;
    struct options o;
    struct args x;
    assert_false(parse(&o, &x, "--jsn", NULL));
    assert_false(parse(&o, &x, "-z", NULL));
    assert_false(parse(&o, &x, "--json=1", NULL));
    assert_false(parse(&o, &x, "-c", NULL));
    assert_false(parse(&o, &x, "-n", "many", NULL));
    assert_false(parse(&o, &x, "-n", "-1", NULL));
    assert_false(parse(&o, &x, "--since", "soon", NULL));
    assert_false(parse(&o, &x, "--share", "nan", NULL));
    assert_false(parse(&o, &x, "a", "b", "c", "d", NULL));
}

/* Every command of the binary has what a manual needs, and its rows are sound. */
static void test_commands(void **state) {
    (void)state;
    for (const struct command *const *c = cli_commands; *c; c++) {
        assert_ptr_equal(cli_command(str_from((*c)->name)), *c);
        if (strlen((*c)->brief) < 6 || strlen((*c)->brief) > 75)
            fail_msg("%s: brief is too short or too long", (*c)->name);
        assert_non_null((*c)->about);
        assert_non_null((*c)->args);
        assert_non_null((*c)->run);
        assert_true((*c)->args_min <= (*c)->args_max);
        assert_non_null((*c)->examples);
        for (const struct opt *o = (*c)->opts; o && o->name; o++) {
            assert_true((o->type == OPT_FLAG) == (o->arg == NULL));
            assert_true(o->help && strlen(o->help) > 5);
            for (const struct opt *p = (*c)->opts; p != o; p++) {
                assert_string_not_equal(o->name, p->name);
                assert_true(!o->letter || o->letter != p->letter);
            }
        }
    }
}

static void test_manual(void **state) {
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    cli_manual(&sample, out);
    fclose(out);
    assert_string_equal(text,
                        "NAME\n    dray sample - a sample\n\nSYNOPSIS\n"
                        "    dray sample [-c FILE] [--json] [-n N] [--since TIME] [--share X] [-s K=V] [FILE…]\n\n"
                        "DESCRIPTION\n    Does nothing.\n\n    Twice.\n\nOPTIONS\n"
                        "    -c, --config FILE\n        Reads FILE.\n"
                        "    --json\n        Prints JSON.\n"
                        "    -n, --number N\n        How many.\n"
                        "    --since TIME\n        How long ago.\n"
                        "    --share X\n        A share.\n"
                        "    -s, --set K=V\n        Sets; may be repeated.\n\n"
                        "EXIT STATUS\n    0   good\n    1   bad input\n    2   wrong usage\n");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_commands), cmocka_unit_test(test_manual)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
