/* str, arena, buf, hash: known answers and edges. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/recycle.h"
#include "base/str.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_str_numbers(void **state) {
    (void)state;
    uint64_t u;
    int64_t i;
    assert_true(str_u64(STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(str_u64(STR("18446744073709551616"), &u));
    assert_false(str_u64(STR(""), &u));
    assert_false(str_u64(STR("+1"), &u));
    assert_true(str_i64(STR("-42"), &i));
    assert_int_equal(i, -42);
}

static void test_str_utf8(void **state) {
    (void)state;
    static const struct {
        const char *z;
        bool good;
    } cases[] = {{"plain ascii, long enough", true},
                 {"\xc3\xa9", true},
                 {"\xe2\x82\xac", true},
                 {"\xf0\x9f\x98\x80", true},
                 {"\xc0\xaf", false},
                 {"\xed\xa0\x80", false},
                 {"\xf4\x90\x80\x80", false},
                 {"\xe2\x82", false},
                 {"\x80", false},
                 {"12345678\xff", false}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        assert_int_equal(str_utf8(str_from(cases[k].z)), cases[k].good);
    assert_int_equal(str_utf8_len(STR("a\xc3\xa9\xff")), 3);
}

static void test_str_cut(void **state) {
    (void)state;
    str rest = STR("a,,b"), part;
    assert_true(str_cut(&rest, ',', &part) && str_eq(part, STR("a")));
    assert_true(str_cut(&rest, ',', &part) && part.n == 0);
    assert_true(str_cut(&rest, ',', &part) && str_eq(part, STR("b")));
    assert_false(str_cut(&rest, ',', &part));
}

static void test_str_distance(void **state) {
    (void)state;
    assert_int_equal(str_distance(STR("polcy"), STR("policy"), 3), 1);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 5), 3);
    assert_int_equal(str_distance(STR("abc"), STR("xyz"), 2), 3);
}

static void test_hash(void **state) {
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283u); /* RFC 3720 B.4's check value */
    assert_int_equal(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xE3069283u);
    uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint64_t a = siphash(key, "abc", 3), b = siphash(key, "abd", 3);
    assert_true(a != b && a == siphash(key, "abc", 3));
}

/* str_find finds what memmem finds, in texts of few different bytes, at the end of their memory. */
static void test_str_find(void **state) {
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < 20000; i++) {
        size_t n = rng_next(&r) % 200, m = 1 + rng_next(&r) % 6;
        char *text = malloc(n + 1), needle[6];
        for (size_t k = 0; k < n; k++) text[k] = "ab\"c"[rng_next(&r) % 4];
        for (size_t k = 0; k < m; k++) needle[k] = "ab\"c"[rng_next(&r) % 4];
        text = realloc(text, n ? n : 1);
        const char *want = n ? memmem(text, n, needle, m) : NULL;
        assert_int_equal(str_find(str_make(text, n), str_make(needle, m)), want ? want - text : -1);
        free(text);
    }
    assert_int_equal(str_find(STR("abc"), STR_NONE), 0);
}

static void sip_round(uint64_t v[4]) {
#define ROT(x, b) ((x) << (b) | (x) >> (64 - (b)))
    v[0] += v[1], v[1] = ROT(v[1], 13) ^ v[0], v[0] = ROT(v[0], 32);
    v[2] += v[3], v[3] = ROT(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = ROT(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = ROT(v[1], 17) ^ v[2], v[2] = ROT(v[2], 32);
}

/* The definition in hash.h, lane after lane. */
static uint64_t sip_lanes_plainly(const uint64_t key[2], const unsigned char *p, size_t n) {
    uint64_t all[9] = {0};
    for (uint64_t lane = 0; lane < 4; lane++) {
        uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ lane,
                         key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
        for (size_t i = lane * 8; i < n / 32 * 32; i += 32) {
            uint64_t w;
            memcpy(&w, p + i, 8);
            v[3] ^= w;
            sip_round(v);
            v[0] ^= w;
        }
        for (int i = 0; i < 3; i++) sip_round(v);
        all[lane] = v[0] ^ v[1] ^ v[2] ^ v[3];
    }
    all[4] = n;
    memcpy(all + 5, p + n / 32 * 32, n % 32);
    return siphash(key, all, sizeof all);
}

static void test_siphash_long(void **state) {
    (void)state;
    uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    unsigned char text[700];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t n = 0; n < sizeof text; n++)
        assert_true(siphash_long(key, text, n) ==
                    (n < SIPHASH_LANES_MIN ? siphash(key, text, n) : sip_lanes_plainly(key, text, n)));
}

static void test_uuid(void **state) {
    (void)state;
    struct uuid_gen g;
    uuid_gen_init(&g);
    struct uuid prev = uuid_v7(&g, 1700000000000000u);
    for (int i = 0; i < 10000; i++) { /* more than one millisecond's counter; the clock stands still */
        struct uuid u = uuid_v7(&g, 1700000000000000u);
        assert_true(memcmp(u.b, prev.b, 16) > 0);
        assert_int_equal(u.b[6] >> 4, 7);
        assert_int_equal(u.b[8] >> 6, 2);
        prev = u;
    }
    char text[37];
    struct uuid back;
    uuid_format(text, prev);
    assert_true(uuid_parse(str_from(text), &back) && memcmp(back.b, prev.b, 16) == 0);
    assert_false(uuid_parse(STR("018f0000-0000-7000-8000-00000000000"), &back));
}

static void test_arena(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 128, 4096);
    char *p = arena_alloc(&a, 10);
    p = arena_grow(&a, p, 10, 100);
    memset(p, 1, 100);
    str s = arena_printf(&a, "%d-%s", 7, "x");
    assert_true(str_eq(s, STR("7-x")));
    assert_false(arena_failed(&a));
    memset(arena_alloc(&a, 5000), 0, 5000); /* past the maximum: usable, but marked */
    assert_true(arena_failed(&a));
    arena_free(&a);
    assert_false(arena_failed(&a));
}

static void test_arena_in(void **state) {
    (void)state;
    _Alignas(16) char block[64];
    arena a;
    arena_init_in(&a, block, sizeof block, 4096);
    memset(arena_alloc(&a, 40), 1, 40);
    memset(arena_alloc(&a, 40), 2, 40); /* no room in the block any more */
    arena_free(&a);
    memset(arena_alloc(&a, 40), 3, 40); /* the block is forgotten, not used twice */
    arena_free(&a);
}

static unsigned dropped;
static void count_drop(void *p) {
    (void)p;
    dropped++;
}

enum { BLOCKS = 8, GIVERS = 2, TURNS = 2000 };

struct giver {
    struct recycle *r;
    _Atomic(void *) hand[BLOCKS];
};

/* Gives back whatever the owner hands over, from another thread. */
static void *give_back(void *arg) {
    struct giver *g = arg;
    for (unsigned n = 0; n < TURNS;) {
        void *p = atomic_exchange(&g->hand[n % BLOCKS], NULL);
        if (!p) continue;
        recycle_give(g->r, p);
        n++;
    }
    return NULL;
}

static void test_recycle(void **state) {
    (void)state;
    struct recycle r;
    recycle_init(&r, 64, BLOCKS, count_drop);
    static struct giver g[GIVERS];
    pthread_t t[GIVERS];
    for (unsigned i = 0; i < GIVERS; i++) {
        g[i].r = &r;
        assert_int_equal(pthread_create(&t[i], NULL, give_back, &g[i]), 0);
    }
    for (unsigned n = 0; n < TURNS; n++)
        for (unsigned i = 0; i < GIVERS; i++) {
            void *p = recycle_take(&r), *q = recycle_take(&r), *no = NULL;
            assert_ptr_not_equal(p, q);
            memset(p, (int)n, 64); /* nobody else has it: the thread sanitizer would say so */
            recycle_put(&r, q);
            while (!atomic_compare_exchange_weak(&g[i].hand[n % BLOCKS], &no, p)) no = NULL;
        }
    for (unsigned i = 0; i < GIVERS; i++) pthread_join(t[i], NULL);
    void *many[BLOCKS + 2];
    for (unsigned i = 0; i < BLOCKS + 2; i++) many[i] = recycle_take(&r);
    dropped = 0;
    for (unsigned i = 0; i < BLOCKS + 2; i++) recycle_put(&r, many[i]);
    assert_true(dropped >= 2); /* no more than so many are kept */
    recycle_free(&r);
    assert_true(dropped >= BLOCKS + 2); /* what was kept, too */
}

static void test_buf(void **state) {
    (void)state;
    buf b;
    buf_init(&b, 8);
    buf_strz(&b, "12345678");
    assert_false(b.failed);
    buf_char(&b, '9');
    assert_true(b.failed);
    assert_int_equal(b.n, 8);
    buf_consume(&b, 3);
    assert_true(str_eq(buf_view(&b), STR("45678")));
    buf_free(&b);
}

static void test_money(void **state) {
    (void)state;
    static const struct {
        int64_t nano;
        const char *text;
    } cases[] = {{0, "0.0"},
                 {12345, "0.000012345"},
                 {-1500000000, "-1.5"},
                 {1000000000, "1.0"},
                 {INT64_MAX, "9223372036.854775807"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char out[32];
        assert_true(str_eqz(str_make(out, fmt_nano(out, cases[k].nano)), cases[k].text));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_numbers),  cmocka_unit_test(test_str_utf8), cmocka_unit_test(test_str_cut),
        cmocka_unit_test(test_str_distance), cmocka_unit_test(test_hash),     cmocka_unit_test(test_siphash_long),
        cmocka_unit_test(test_str_find),     cmocka_unit_test(test_uuid),     cmocka_unit_test(test_arena),
        cmocka_unit_test(test_buf),          cmocka_unit_test(test_money),    cmocka_unit_test(test_arena_in),
        cmocka_unit_test(test_recycle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
