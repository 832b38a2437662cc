/* multipart: fields of forms, however the bytes come; broken ones told. */
#include "base/hash.h"
#include "net/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=XX"

static const char form[] =
    "preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a; name=model.mp3\"\r\n"
    "Content-Type: audio/mpeg\r\n\r\nbytes\r\n--X \0 --XX\r\n\r\n--XX  \r\ncontent-disposition: form-data; "
    "name=\"model\"\r\n\r\nwhisper-1\r\n--XX\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--XX\r\n\r\n"
    "nameless\r\n--XX--\r\nepilogue";

static str value(const struct multipart *m, str body, const char *name) {
    const struct multipart_field *f = multipart_find(m, body, str_from(name));
    return f ? str_make(body.p + f->start, f->end - f->start) : STR("(none)");
}

static void check(const struct multipart *m, str body) {
    assert_int_equal(m->state, MULTIPART_DONE);
    assert_int_equal(m->count, 4);
    assert_true(m->field[0].file && m->field[0].end - m->field[0].start == strlen("bytes\r\n--X  --XX\r\n") + 1);
    assert_true(str_eqz(value(m, body, "model"), "whisper-1"));
    assert_true(str_eqz(value(m, body, "empty"), ""));
    assert_true(str_eqz(value(m, body, "file"), "(none)"));
    assert_true(str_eqz(value(m, body, ""), "nameless"));
}

/* Whole, byte by byte, and cut anywhere; each time in memory of its exact size, so that overruns show. */
static void test_pieces(void **state) {
    (void)state;
    size_t n = sizeof form - 1;
    for (size_t cut = 0; cut <= n; cut++) {
        struct multipart m;
        assert_true(multipart_begin(&m, STR("Multipart/Form-Data; charset=x; boundary=\"XX\"")));
        char *part = malloc(cut ? cut : 1);
        memcpy(part, form, cut);
        multipart_scan(&m, str_make(part, cut), false);
        free(part);
        char *all = malloc(n);
        memcpy(all, form, n);
        multipart_scan(&m, str_make(all, n), true);
        check(&m, str_make(all, n));
        free(all);
    }
    struct multipart m;
    multipart_begin(&m, STR(TYPE));
    for (size_t i = 1; i <= n; i++) multipart_scan(&m, str_make(form, i), i == n);
    check(&m, str_make(form, n));
}

static void test_broken(void **state) {
    (void)state;
    static const char *const bodies[] = {"",
                                         "--XX",
                                         "--XX\r\n",
                                         "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx",
                                         "--XX junk\r\n\r\n",
                                         "no boundary at all",
                                         "--XX\r\n\r\nx\r\n--XX-"};
    struct multipart m;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_true(multipart_begin(&m, STR(TYPE)));
        assert_int_equal(multipart_scan(&m, str_from(bodies[i]), true), MULTIPART_BAD);
        assert_non_null(m.error);
    }
    static const char *const types[] = {
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=XX",
        "multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        assert_false(multipart_begin(&m, str_from(types[i])));
}

static void test_limits(void **state) {
    (void)state;
    static char body[MULTIPART_HEAD_MAX + MULTIPART_FIELDS_MAX * 16];
    struct multipart m;
    size_t n = 0;
    for (unsigned i = 0; i <= MULTIPART_FIELDS_MAX; i++, n += 10) memcpy(body + n, "--XX\r\n\r\n\r\n", 10);
    multipart_begin(&m, STR(TYPE));
    assert_int_equal(multipart_scan(&m, str_make(body, n), false), MULTIPART_BAD);
    memcpy(body, "--XX\r\n", 6);
    memset(body + 6, 'h', MULTIPART_HEAD_MAX);
    multipart_begin(&m, STR(TYPE));
    assert_int_equal(multipart_scan(&m, str_make(body, 6 + MULTIPART_HEAD_MAX), false), MULTIPART_BAD);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces), cmocka_unit_test(test_broken),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
