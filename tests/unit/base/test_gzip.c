/* gunzip and decoder: what is accepted, what is refused, in any pieces, and that a bomb stops at its bound. */
#include "base/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

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

/* ---- in pieces ---- */

/* A text of `n` bytes that compresses, but not to nothing; deflated with `window` bits (negative: raw, over 16:
 * gzip) or, 0, by zstd. */
static str made(size_t n, int window, char **packed) {
    char *text = malloc(n + 1);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        text[i] = (char)(i % 7 ? 'a' + (x >> 24) % 20 : ' ');
    }
    size_t cap = n + 1024;
    *packed = malloc(cap);
    if (!window) {
        size_t size = ZSTD_compress(*packed, cap, text, n, 3);
        assert_false(ZSTD_isError(size));
        free(text);
        return str_make(*packed, size);
    }
    z_stream z = {
        .next_in = (Bytef *)text, .avail_in = (uInt)n, .next_out = (Bytef *)*packed, .avail_out = (uInt)cap};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    free(text);
    return str_make(*packed, cap - z.avail_out);
}

struct outcome {
    bool bad, whole, large;
    size_t n;
    uint32_t crc;
};

/* Feeds in pieces of `step` bytes, each in memory of exactly its size. */
static struct outcome decode(enum coding c, str in, size_t step, uint64_t max, uint32_t ratio) {
    struct decoder *d = decoder_new(c, max, ratio);
    struct outcome r = {0};
    err e = {{0}};
    while (in.n && !r.bad) {
        size_t n = step < in.n ? step : in.n;
        char *copy = malloc(n);
        memcpy(copy, in.p, n);
        str feed = {copy, n}, piece;
        enum decoded what;
        while ((what = decoder_next(d, &feed, &piece, &e)) == DECODED_PIECE) {
            assert_true(piece.n > 0);
            r.crc = (uint32_t)crc32(r.crc, (const Bytef *)piece.p, (uInt)piece.n);
            r.n += piece.n;
        }
        r.bad = what == DECODED_BAD;
        if (!r.bad)
            assert_int_equal(feed.n, 0);
        else
            assert_true(e.msg[0]);
        free(copy);
        in = str_skip(in, n);
    }
    r.whole = decoder_whole(d);
    r.large = decoder_too_large(d);
    decoder_free(d);
    return r;
}

static const struct {
    enum coding coding;
    int window;
} kinds[] = {{CODING_GZIP, 31}, {CODING_GZIP, 15}, {CODING_DEFLATE, 15}, {CODING_DEFLATE, -15}, {CODING_ZSTD, 0}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void test_pieces(void **state) {
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        static const size_t size[] = {0, 1, 100, 32768, 200000};
        for (size_t i = 0; i < 5; i++) {
            char *packed;
            str in = made(size[i], kinds[k].window, &packed);
            struct outcome want = decode(kinds[k].coding, in, in.n, 0, 0);
            assert_true(!want.bad && want.whole && want.n == size[i]);
            for (size_t step = 1; step < in.n; step = step * 3 + 1) {
                struct outcome r = decode(kinds[k].coding, in, step, 0, 0);
                assert_true(!r.bad && r.whole && r.n == want.n && r.crc == want.crc);
            }
            free(packed);
        }
    }
}

static void test_truncated(void **state) {
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        char *packed;
        str in = made(500, kinds[k].window, &packed);
        for (size_t n = 0; n < in.n; n++) {
            struct outcome r = decode(kinds[k].coding, str_take(in, n), 7, 0, 0);
            assert_true(!r.bad && !r.whole && !r.large);
        }
        free(packed);
    }
}

static void test_damaged(void **state) {
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        char *packed;
        str in = made(5000, kinds[k].window, &packed);
        struct outcome want = decode(kinds[k].coding, in, in.n, 0, 0);
        packed[in.n / 2] ^= 0x55;
        struct outcome r = decode(kinds[k].coding, in, in.n, 0, 0);
        /* Raw deflate and this zstd frame have no checksum: then the text at least differs. */
        assert_true(r.bad || !r.whole || r.crc != want.crc);
        if (kinds[k].window > 0) assert_true(r.bad);
        if (r.bad) assert_true(!r.whole && !r.large);
        free(packed);
    }
    struct outcome r = decode(CODING_GZIP, STR("{\"not\":\"gzip\"}"), 3, 0, 0);
    assert_true(r.bad);
    r = decode(CODING_ZSTD, STR("{\"not\":\"zstd\"}"), 3, 0, 0);
    assert_true(r.bad);
}

static void test_followers(void **state) {
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        char *packed, twice[4096];
        str in = made(300, kinds[k].window, &packed);
        memcpy(twice, in.p, in.n);
        memcpy(twice + in.n, in.p, in.n);
        struct outcome r = decode(kinds[k].coding, str_make(twice, 2 * in.n), 11, 0, 0);
        if (kinds[k].coding == CODING_DEFLATE)
            assert_true(r.bad);
        else
            assert_true(!r.bad && r.whole && r.n == 600);
        memcpy(twice + in.n, "junk behind it", 14);
        r = decode(kinds[k].coding, str_make(twice, in.n + 14), 1000, 0, 0);
        assert_true(r.bad && !r.whole);
        free(packed);
    }
}

static void test_bounds(void **state) {
    (void)state;
    size_t n = 8 << 20;
    char *zeros = calloc(1, n), *packed = malloc(64 << 10);
    str bomb[2] = {pack(zeros, n, packed, 64 << 10), {NULL, 0}};
    char *frame = malloc(ZSTD_compressBound(n));
    bomb[1] = str_make(frame, ZSTD_compress(frame, ZSTD_compressBound(n), zeros, n, 3));
    for (int k = 0; k < 2; k++) {
        enum coding c = k ? CODING_ZSTD : CODING_GZIP;
        assert_int_equal(coding_of(bomb[k]), c);
        struct outcome r = decode(c, bomb[k], 1000, n, 0);
        assert_true(!r.bad && r.whole && r.n == n);
        r = decode(c, bomb[k], 1000, n - 1, 0);
        assert_true(r.bad && r.large && !r.whole && r.n < n);
        r = decode(c, bomb[k], 1000, 100000, 0);
        assert_true(r.bad && r.large && r.n <= 100000);
        r = decode(c, bomb[k], 1000, 0, 200);
        assert_true(r.bad && r.large && r.n < 2 << 20);
        r = decode(c, bomb[k], 1000, 0, 1000000);
        assert_true(!r.bad && r.whole);
    }
    /* A short text may be as regular as it likes. */
    struct outcome r = decode(CODING_GZIP, pack(zeros, 1 << 20, packed, 64 << 10), 1000, 0, 2);
    assert_true(!r.bad && r.whole);
    free(frame);
    free(zeros);
    free(packed);
}

/* A body can't make us hold a window of 128 MB; a file may ask for that. */
static void test_window(void **state) {
    (void)state;
    char out[256];
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 27);
    ZSTD_inBuffer in = {"text", 4, 0};
    ZSTD_outBuffer to = {out, sizeof out, 0};
    ZSTD_compressStream2(z, &to, &in, ZSTD_e_flush);
    assert_int_equal(ZSTD_compressStream2(z, &to, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(z);
    struct outcome r = decode(CODING_ZSTD, str_make(out, to.pos), 1000, 1 << 20, 0);
    assert_true(r.bad && !r.large);
    r = decode(CODING_ZSTD, str_make(out, to.pos), 1000, 0, 0);
    assert_true(!r.bad && r.whole && r.n == 4);
}

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool known;
        enum coding coding;
    } cases[] = {{"", true, CODING_NONE},       {"identity", true, CODING_NONE},    {"GZip", true, CODING_GZIP},
                 {"x-gzip", true, CODING_GZIP}, {"deflate", true, CODING_DEFLATE},  {"zstd", true, CODING_ZSTD},
                 {"br", false, CODING_NONE},    {"gzip, gzip", false, CODING_NONE}, {"gzip ", false, CODING_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum coding c = CODING_NONE;
        assert_int_equal(coding_named(str_from(cases[i].name), &c), cases[i].known);
        assert_int_equal(c, cases[i].coding);
    }
    assert_int_equal(coding_of(STR("\x1f")), CODING_NONE);
    assert_int_equal(coding_of(STR("{\"a\":1}")), CODING_NONE);
    struct outcome r = decode(CODING_NONE, STR("as it is"), 3, 0, 0);
    assert_true(!r.bad && r.whole && r.n == 8);
    r = decode(CODING_NONE, STR("as it is"), 3, 7, 0);
    assert_true(r.bad && r.large && !r.whole);
}

/* An output that is full already takes an empty text and nothing else. */
static void test_gunzip_full(void **state) {
    (void)state;
    char packed[100];
    buf out;
    err e;
    buf_init(&out, 4);
    buf_strz(&out, "full");
    assert_true(gunzip(pack("", 0, packed, sizeof packed), &out, &e) && !out.failed);
    assert_false(gunzip(pack("x", 1, packed, sizeof packed), &out, &e));
    assert_true(out.failed);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members), cmocka_unit_test(test_bomb),
                                       cmocka_unit_test(test_pieces),  cmocka_unit_test(test_truncated),
                                       cmocka_unit_test(test_damaged), cmocka_unit_test(test_followers),
                                       cmocka_unit_test(test_bounds),  cmocka_unit_test(test_window),
                                       cmocka_unit_test(test_names),   cmocka_unit_test(test_gunzip_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
