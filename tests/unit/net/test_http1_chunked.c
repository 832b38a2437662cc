/* http1: chunked bodies. Each case in every split in two, and byte by byte, with the same data and verdict. */
#include "net/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct result {
    enum http_error error;
    bool done;
    size_t used, n;
    char data[64 * 1024];
};

/* Feeds pieces: the first of `first` bytes, then of `step`; each in memory of exactly its size. */
static void run(str in, size_t first, size_t step, struct result *r) {
    struct http_chunked c = {0};
    *r = (struct result){.error = HTTP_OK};
    for (size_t at = 0, take = first; at < in.n && r->error == HTTP_OK && !c.done; at += take, take = step) {
        if (take > in.n - at) take = in.n - at;
        if (!take) continue;
        char *piece = malloc(take);
        size_t used, data;
        memcpy(piece, in.p + at, take);
        r->error = http1_chunked(&c, piece, take, &used, &data);
        assert_true(data <= used && used <= take && (used == take || c.done || r->error != HTTP_OK));
        memcpy(r->data + r->n, piece, data);
        r->n += data;
        r->used += used;
        free(piece);
    }
    r->done = c.done;
}

static void run_all(str in, struct result *whole) {
    static struct result r;
    run(in, in.n, 1, whole);
    for (size_t first = 0; first < in.n; first++) {
        run(in, first, first ? in.n : 1, &r);
        if (r.error != whole->error || r.done != whole->done || r.used != whole->used || r.n != whole->n ||
            memcmp(r.data, whole->data, r.n) != 0)
            fail_msg("split at %zu differs: %.*s", first, (int)in.n, in.p);
    }
}

struct chunk_case {
    const char *text;
    size_t n;
    const char *data;
    size_t rest; /* bytes behind the body */
};
#define GOOD(text, data, rest)                                                                                    \
    { text, sizeof(text) - 1, data, rest }
#define BAD(text)                                                                                                 \
    { text, sizeof(text) - 1, NULL, 0 }

static void test_chunked(void **state) {
    (void)state;
    static const struct chunk_case cases[] = {
        GOOD("0\r\n\r\n", "", 0),
        GOOD("5\r\nhello\r\n0\r\n\r\n", "hello", 0),
        GOOD("5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1", "hello", 14),
        GOOD("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef", 0),
        GOOD("A\r\n0123456789\r\n0a\r\nabcdefghij\r\n00\r\n\r\n", "0123456789abcdefghij", 0),
        GOOD("000000000000005\r\nhello\r\n000000000000000\r\n\r\n", "hello", 0),
        GOOD("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0),
        GOOD("7\r\n0\r\n\r\nab\r\n0\r\n\r\nx", "0\r\n\r\nab", 1),
        GOOD("5;name=value\r\nhello\r\n0;x\r\n\r\n", "hello", 0),
        GOOD("5;a=\"b;\t\xc3\xa9\"\r\nhello\r\n0\r\n\r\n", "hello", 0),
        GOOD("3\r\nabc\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n", "abc", 0),
        GOOD("3\r\nabc\r\n0\r\nT: \tx\xff y\r\n\r\n", "abc", 0),
        BAD("\r\n"),
        BAD("g\r\n"),
        BAD(" 5\r\nhello\r\n0\r\n\r\n"),
        BAD("5 \r\nhello\r\n0\r\n\r\n"),
        BAD("5\t;x\r\nhello\r\n0\r\n\r\n"),
        BAD("+5\r\nhello\r\n0\r\n\r\n"),
        BAD("-5\r\nhello\r\n0\r\n\r\n"),
        BAD("0x5\r\nhello\r\n0\r\n\r\n"),
        BAD("5,\r\nhello\r\n0\r\n\r\n"),
        BAD(";x\r\n"),
        BAD("5\nhello\r\n0\r\n\r\n"),
        BAD("5\rhello\r\n0\r\n\r\n"),
        BAD("5\r\r\nhello\r\n0\r\n\r\n"),
        BAD("5;x\nhello\r\n0\r\n\r\n"),
        BAD("5;\0\r\nhello\r\n0\r\n\r\n"),
        BAD("5;x\ry\r\nhello\r\n0\r\n\r\n"),
        BAD("5\r\nhello0\r\n\r\n"),
        BAD("5\r\nhello\n0\r\n\r\n"),
        BAD("5\r\nhello\r0\r\n\r\n"),
        BAD("5\r\nhelloX\r\n0\r\n\r\n"),
        BAD("4\r\nhello\r\n0\r\n\r\n"),
        BAD("0\r\n\n"),
        BAD("0\n\r\n"),
        BAD("0\r\n\rx"),
        BAD("0\r\n folded\r\n\r\n"),
        BAD("0\r\nno colon\r\n\r\n"),
        BAD("0\r\n: x\r\n\r\n"),
        BAD("0\r\nX : y\r\n\r\n"),
        BAD("0\r\nX: y\n\r\n"),
        BAD("0\r\nX: y\r\n z\r\n\r\n"),
        BAD("0\r\nX: \x01\r\n\r\n"),
        BAD("0\r\nX\r\n\r\n"),
        BAD("0000000000000005\r\nhello\r\n0\r\n\r\n"),
        BAD("10000000000000000\r\n"),
        BAD("fffffffffffffffff\r\n"),
        BAD("ffffffffffffffff\r\n"),
        BAD("\0\r\n"),
    };
    static struct result r;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct chunk_case *c = &cases[i];
        run_all(str_make(c->text, c->n), &r);
        if (!c->data) {
            if (r.error != HTTP_BAD_CHUNK) fail_msg("accepted: %s", c->text);
            continue;
        }
        if (r.error != HTTP_OK || !r.done) fail_msg("refused: %s", c->text);
        assert_int_equal(r.used, c->n - c->rest);
        assert_true(str_eqz(str_make(r.data, r.n), c->data));
        for (size_t n = 0; n < c->n - c->rest; n++) { /* a part of a good body is good and not done */
            run(str_make(c->text, n), n, 1, &r);
            assert_true(r.error == HTTP_OK && !r.done);
        }
    }
}

static void test_huge_chunk(void **state) {
    (void)state;
    struct http_chunked c = {0};
    char p[] = "fffffffffffffff\r\nab";
    size_t used, data;
    assert_int_equal(http1_chunked(&c, p, sizeof p - 1, &used, &data), HTTP_OK);
    assert_true(used == sizeof p - 1 && data == 2 && memcmp(p, "ab", 2) == 0);
    assert_true(c.left == 0xffffffffffffffdu && !c.done);
}

/* Extensions and trailers are dropped; a sender can't feed them without end. */
static void test_extra_is_bounded(void **state) {
    (void)state;
    static const char *const unit[] = {"1;extension\r\nx\r\n", "a: trailer\r\n", ";y", "name"};
    static const char *const start[] = {"", "0\r\n", "1", "0\r\n"};
    for (size_t k = 0; k < COUNT(unit); k++) {
        struct http_chunked c = {0};
        char p[64];
        size_t used, data, sent = 0;
        enum http_error e = HTTP_OK;
        memcpy(p, start[k], strlen(start[k]));
        assert_int_equal(http1_chunked(&c, p, strlen(start[k]), &used, &data), HTTP_OK);
        while (e == HTTP_OK && sent < 1 << 20) {
            memcpy(p, unit[k], strlen(unit[k]));
            e = http1_chunked(&c, p, strlen(unit[k]), &used, &data);
            sent += used;
        }
        assert_int_equal(e, HTTP_BAD_CHUNK);
        assert_true(sent > 16000 && sent < 64 * 1024);
    }
}

/* A large body of chunks of all sizes comes out whole. */
static void test_compaction(void **state) {
    (void)state;
    static char in[60000], want[60000], copy[60000];
    static struct result r;
    size_t n = 0, len = 0;
    for (unsigned size = 1; n < 40000; size = size * 7 % 251 + 1) {
        n += (size_t)snprintf(in + n, sizeof in - n, "%x\r\n", size);
        for (unsigned i = 0; i < size; i++) in[n++] = want[len++] = (char)(i * 31 + size);
        memcpy(in + n, "\r\n", 2);
        n += 2;
    }
    memcpy(in + n, "0\r\n\r\n", 5);
    n += 5;
    static const size_t step[] = {1, 2, 3, 7, 64, 1000, 16384, 60000};
    for (size_t i = 0; i < COUNT(step); i++) {
        memcpy(copy, in, n);
        run(str_make(copy, n), step[i], step[i], &r);
        assert_true(r.error == HTTP_OK && r.done && r.used == n && r.n == len && memcmp(r.data, want, len) == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chunked), cmocka_unit_test(test_huge_chunk),
                                       cmocka_unit_test(test_extra_is_bounded), cmocka_unit_test(test_compaction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
