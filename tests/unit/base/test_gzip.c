/* gunzip: what is accepted, what is refused, and that a bomb stops at its bound. */
#include "base/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

static str pack(const char *p, size_t n, char *out, size_t cap) {
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = (Bytef *)out, .avail_out = (uInt)cap};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return str_make(out, cap - z.avail_out);
}

static void test_members(void **state) {
    (void)state;
    char packed[1024];
    str one = pack("hello ", 6, packed, 512), two = pack("world", 5, packed + one.n, 512);
    buf out;
    err e;
    buf_init(&out, 64);
    assert_true(gunzip(str_make(packed, one.n + two.n), &out, &e));
    assert_true(str_eq(buf_view(&out), STR("hello world")));
    buf_clear(&out);
    for (size_t cut = 1; cut < one.n; cut++) {
        buf_clear(&out);
        assert_false(gunzip(str_take(one, cut), &out, &e));
        assert_false(out.failed);
    }
    buf_clear(&out);
    assert_false(gunzip(STR("{\"not\":\"gzip\"}"), &out, &e));
    buf_clear(&out);
    packed[one.n] ^= 1; /* bytes behind the first member that are no member */
    assert_false(gunzip(str_make(packed, one.n + two.n), &out, &e));
    buf_free(&out);
}

static void test_bomb(void **state) {
    (void)state;
    size_t n = 8 << 20;
    char *zeros = calloc(1, n), *packed = malloc(64 << 10);
    str bomb = pack(zeros, n, packed, 64 << 10);
    buf out;
    err e;
    buf_init(&out, 1 << 20);
    assert_false(gunzip(bomb, &out, &e));
    assert_true(out.failed);
    assert_true(out.cap <= 1 << 20);
    buf_free(&out);
    free(zeros);
    free(packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members), cmocka_unit_test(test_bomb)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
