/* The manual and the example cannot drift: the reference is the table of options, and the example loads. */
#include "config_test.h"

static buf read_file(const char *path) {
    buf b;
    buf_init(&b, 1 << 20);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s is not there", path);
    size_t n;
    while ((n = fread(buf_room(&b, 4096), 1, 4096, f)) > 0) b.n += n;
    fclose(f);
    return b;
}

static void test_reference(void **state) {
    (void)state;
    buf doc = read_file("docs/configuration.md"), want;
    buf_init(&want, 1 << 20);
    config_document(&want);
    ptrdiff_t at = str_find(buf_view(&doc), STR("### Top level"));
    assert_true(at > 0);
    if (!str_eq(str_skip(buf_view(&doc), (size_t)at), buf_view(&want)))
        fail_msg("docs/configuration.md: its reference is not what `dray check --options` prints");
    buf_free(&doc);
    buf_free(&want);
}

static void test_example(void **state) {
    (void)state;
    err e = {{0}};
    setenv("OPENAI_API_KEY", "sk-1", 1);
    setenv("ANTHROPIC_API_KEY", "sk-2", 1);
    struct config *c = config_load("examples/dray.yaml", &e);
    if (!c) fail_msg("%s", e.msg);
    assert_int_equal(c->warning_count, 0);
    assert_int_equal(c->router.tier_count, 3);
    for (uint32_t t = 0; t < c->router.tier_count; t++)
        for (unsigned i = 0; i < c->router.tier[t].count; i++)
            if (!c->router.target[c->router.tier[t].target[i]].price)
                fail_msg("a target of the example has no price");
    config_unpin(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_reference, clean_environment),
                                       cmocka_unit_test_setup(test_example, clean_environment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
