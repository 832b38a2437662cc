/* price: money against exact values made with Python's fractions (rounded half up once per line). */
#include "catalog/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define REFUSED INT64_MIN

static const struct {
    const char *dollars;
    int64_t per, rate;
} parses[] = {
    {"2.5e-07", 1, 250000000},
    {"2.5e-07", 1000, 250000},
    {"2.5e-07", 1000000, 250},
    {"2.5e-07", 7, 35714286},
    {"0.15", 1, 150000000000000},
    {"0.15", 1000, 150000000000},
    {"0.15", 1000000, 150000000},
    {"0.15", 7, 21428571428571},
    {"3", 1, 3000000000000000},
    {"3", 1000, 3000000000000},
    {"3", 1000000, 3000000000},
    {"3", 7, 428571428571429},
    {"0", 1, 0},
    {"0", 1000, 0},
    {"0", 1000000, 0},
    {"0", 7, 0},
    {"0.0", 1, 0},
    {"0.0", 1000, 0},
    {"0.0", 1000000, 0},
    {"0.0", 7, 0},
    {"00.5", 1, 500000000000000},
    {"00.5", 1000, 500000000000},
    {"00.5", 1000000, 500000000},
    {"00.5", 7, 71428571428571},
    {"5", 1, 5000000000000000},
    {"5", 1000, 5000000000000},
    {"5", 1000000, 5000000000},
    {"5", 7, 714285714285714},
    {"1e-9", 1, 1000000},
    {"1e-9", 1000, 1000},
    {"1e-9", 1000000, 1},
    {"1e-9", 7, 142857},
    {"1E-6", 1, 1000000000},
    {"1E-6", 1000, 1000000},
    {"1E-6", 1000000, 1000},
    {"1E-6", 7, 142857143},
    {"2.8e-09", 1, 2800000},
    {"2.8e-09", 1000, 2800},
    {"2.8e-09", 1000000, 3},
    {"2.8e-09", 7, 400000},
    {"0.000000000000001", 1, 1},
    {"0.000000000000001", 1000, 0},
    {"0.000000000000001", 1000000, 0},
    {"0.000000000000001", 7, 0},
    {"4e-16", 1, 0},
    {"4e-16", 1000, 0},
    {"4e-16", 1000000, 0},
    {"4e-16", 7, 0},
    {"5e-16", 1, 1},
    {"5e-16", 1000, 0},
    {"5e-16", 1000000, 0},
    {"5e-16", 7, 0},
    {"1.5e-15", 1, 2},
    {"1.5e-15", 1000, 0},
    {"1.5e-15", 1000000, 0},
    {"1.5e-15", 7, 0},
    {"0.1000000000000000055511151231257827e0", 1, REFUSED},
    {"0.1000000000000000055511151231257827e0", 1000, REFUSED},
    {"0.1000000000000000055511151231257827e0", 1000000, REFUSED},
    {"0.1000000000000000055511151231257827e0", 7, REFUSED},
    {"9223372.036854775807e0", 1, REFUSED},
    {"9223372.036854775807e0", 1000, 9223372036854775807},
    {"9223372.036854775807e0", 1000000, 9223372036854776},
    {"9223372.036854775807e0", 7, REFUSED},
    {"123456789012345678e-20", 1, 1234567890123},
    {"123456789012345678e-20", 1000, 1234567890},
    {"123456789012345678e-20", 1000000, 1234568},
    {"123456789012345678e-20", 7, 176366841446},
    {"3.333e-05", 1, 33330000000},
    {"3.333e-05", 1000, 33330000},
    {"3.333e-05", 1000000, 33330},
    {"3.333e-05", 7, 4761428571},
    {"1e3", 1, 1000000000000000000},
    {"1e3", 1000, 1000000000000000},
    {"1e3", 1000000, 1000000000000},
    {"1e3", 7, 142857142857142857},
    {"0.00028333333333333335", 1, 283333333333},
    {"0.00028333333333333335", 1000, 283333333},
    {"0.00028333333333333335", 1000000, 283333},
    {"0.00028333333333333335", 7, 40476190476},
    {".5", 1, 500000000000000},
    {".5", 1000, 500000000000},
    {".5", 1000000, 500000000},
    {".5", 7, 71428571428571},
};

static const struct {
    const char *price;
    char service; /* d default, f flex, p priority, b batch */
    const char *units;
    int64_t total;
} usages[] = {
    {"i2.5 c1.25 o10;b:i1.25 o5", 'f', "g791 w1542 m950 i0 o0", 14140000},
    {"i2.5 c1.25 o10;b:i1.25 o5", 'f', "w968 r1 m0 i333 o0", 3262500},
    {"i2.5 c1.25 o10;b:i1.25 o5", 'd', "u8858 m587472 w2961 i1 o6101", 1625675000},
    {"i2.5 c1.25 o10;b:i1.25 o5", 'd', "c8133 u3 W333 i1 o1", 11041250},
    {"i2.5 c1.25 o10;b:i1.25 o5", 'b', "u333 r0 o333 i3", 3333750},
    {"i5 c.5 o30;f:i2.5 c.25 o15;p:i10 c1 o60;b:i2.5 o15;>272000:i10 c1 o45", 'd', "c3 g3 p9738 i0 o497128",
     COST_UNKNOWN},
    {"i5 c.5 o30;f:i2.5 c.25 o15;p:i10 c1 o60;b:i2.5 o15;>272000:i10 c1 o45", 'd',
     "c5072 s298420 h930129 i333 o5823", COST_UNKNOWN},
    {"i5 c.5 o30;f:i2.5 c.25 o15;p:i10 c1 o60;b:i2.5 o15;>272000:i10 c1 o45", 'b', "p135623 i7359 W1 o1",
     COST_UNKNOWN},
    {"i5 c.5 o30;f:i2.5 c.25 o15;p:i10 c1 o60;b:i2.5 o15;>272000:i10 c1 o45", 'p', "r333 s0 m1 i333 o3", 23500000},
    {"i5 c.5 o30;f:i2.5 c.25 o15;p:i10 c1 o60;b:i2.5 o15;>272000:i10 c1 o45", 'b', "i478825 w1 m8445 o333",
     2443847500},
    {"i3 c.3 w3.75 W6 o15;>200000:i6 c.6 w7.5 W12 o22.5", 'd', "n1 c333 o1 i0", COST_UNKNOWN},
    {"i3 c.3 w3.75 W6 o15;>200000:i6 c.6 w7.5 W12 o22.5", 'b', "s1 u155766 i0 o333", COST_UNKNOWN},
    {"i3 c.3 w3.75 W6 o15;>200000:i6 c.6 w7.5 W12 o22.5", 'p', "p0 o3362 a869117 i0", 5290347000},
    {"i3 c.3 w3.75 W6 o15;>200000:i6 c.6 w7.5 W12 o22.5", 'p', "a443 s0 r3 i1 o8725", 132252000},
    {"i3 c.3 w3.75 W6 o15;>200000:i6 c.6 w7.5 W12 o22.5", 'b', "o3 u1 n333 i0", COST_UNKNOWN},
    {"i.15 o.6", 'd', "r333 W0 s1 i3 o3348", COST_UNKNOWN},
    {"i.15 o.6", 'p', "p838487 h875192 g333 i1 o827468", COST_UNKNOWN},
    {"i.15 o.6", 'b', "w333 n1 s0 i333 o2394", COST_UNKNOWN},
    {"i.15 o.6", 'f', "s0 w838186 r552160 i1 o3", 457025850},
    {"i.15 o.6", 'b', "u3 r1 W954222 i333 o9557", 148919850},
    {"i.0028 o.28", 'p', "a0 r1 w1 i333 o0", 1215},
    {"i.0028 o.28", 'b', "p1738 n1 h0 i8318 o0", COST_UNKNOWN},
    {"i.0028 o.28", 'f', "g1 u4541 r333 i1 o3", 1365843},
    {"i.0028 o.28", 'p', "h333 w76070 m0 i3 o1", COST_UNKNOWN},
    {"i.0028 o.28", 'b', "a230254 p333 w1 i333 o3", COST_UNKNOWN},
    {"i4 c.4 a32 o16 u64 s10000", 'd', "m3 A319 h461853 i3 o3", COST_UNKNOWN},
    {"i4 c.4 a32 o16 u64 s10000", 'p', "W0 h3 n1 i1 o890857", COST_UNKNOWN},
    {"i4 c.4 a32 o16 u64 s10000", 'd', "n333 w3 r838428 i0 o0", COST_UNKNOWN},
    {"i4 c.4 a32 o16 u64 s10000", 'f', "r3 c0 u333 i1 o552510", 8861524000},
    {"i4 c.4 a32 o16 u64 s10000", 'd', "W1 w3 a1 i4750 o3", 19096000},
    {"h15", 'b', "r302 i690298 h333 o333", COST_UNKNOWN},
    {"h15", 'd', "u1 s3 W1 i74158 o1", COST_UNKNOWN},
    {"h15", 'p', "w6240 g1 t333 i3 o3", COST_UNKNOWN},
    {"h15", 'f', "g3 r1 A333 i3 o1", COST_UNKNOWN},
    {"h15", 'b', "i3814 c333 a3 o1", COST_UNKNOWN},
    {"t100", 'f', "g297980 s45915 o0 i8282", COST_UNKNOWN},
    {"t100", 'd', "w3 i308 h53247 o3", COST_UNKNOWN},
    {"t100", 'f', "h8240 n1506 c781952 i0 o246190", COST_UNKNOWN},
    {"t100", 'p', "o3 s502278 g0 i3248", COST_UNKNOWN},
    {"t100", 'f', "a3 i333 o0", COST_UNKNOWN},
    {"n40000", 'f', "u333 c1252 o0 i1", COST_UNKNOWN},
    {"n40000", 'b', "r860059 A0 w333 i0 o333", COST_UNKNOWN},
    {"n40000", 'd', "n3 a0 s3 i333 o1", COST_UNKNOWN},
    {"n40000", 'p', "u333 a3 A3 i0 o875221", COST_UNKNOWN},
    {"n40000", 'd', "a3 W3 p0 i6554 o213317", COST_UNKNOWN},
    {"i.3 a1 o2.5 s35000", 'p', "c6731 h3 s7955 i333 o3", COST_UNKNOWN},
    {"i.3 a1 o2.5 s35000", 'b', "r425941 s333 h333 i175460 o1", COST_UNKNOWN},
    {"i.3 a1 o2.5 s35000", 'f', "o3 p1 A3 i3", COST_UNKNOWN},
    {"i.3 a1 o2.5 s35000", 'f', "i8161 s333 t0 o131988", 11987418300},
    {"i.3 a1 o2.5 s35000", 'd', "w419175 a3 W0 i333 o0", 125855400},
    {"i0 o0", 'd', "n333 h0 t1 i0 o7492", COST_UNKNOWN},
    {"i0 o0", 'f', "i0 n134182 w553913 o3", COST_UNKNOWN},
    {"i0 o0", 'd', "n0 a333 W331724 i3970 o1", 0},
    {"i0 o0", 'd', "t0 s522516 g3 i333 o333", COST_UNKNOWN},
    {"i0 o0", 'f', "g333 s3 m1 i3 o333", COST_UNKNOWN},
    {"i3 c.3 w3.75 W6 o15;>200000:i6 c.6 w7.5 W12 o22.5", 'd', "i200000 o1", 600015000},
    {"i3 c.3 w3.75 W6 o15;>200000:i6 c.6 w7.5 W12 o22.5", 'd', "i200000 c1 o1", 1200023100},
    {"i5 c.5 o30;p:i10 c1 o60;>272000:i10 c1 o45", 'p', "i300000 c7 o999", 6089924000},
    {"i.15 o.6", 'd', "i1000000000000 o1", 150000000000600},
    {"i.15", 'd', "i1 o1", COST_UNKNOWN},
    {"i.0005 o1", 'd', "i1", 1},
    {"i.0015 o1", 'd', "i1", 2},
};

static void test_parse(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof parses / sizeof *parses; i++) {
        int64_t rate = REFUSED;
        if (!price_parse(str_from(parses[i].dollars), parses[i].per, &rate)) rate = REFUSED;
        if (rate != parses[i].rate)
            fail_msg("%s per %lld: %lld", parses[i].dollars, (long long)parses[i].per, (long long)rate);
    }
    static const char *const junk[] = {"",         "-1",    "+1",   "1e",    "1e+",
                                       "1e-",      "e5",    ".",    "1.2.3", "1 ",
                                       " 1",       "1e5x",  "0x10", "nan",   "inf",
                                       "1e999999", "1e400", "1e30", "1,5",   "1111111111111111111111111111111"};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        int64_t rate;
        if (price_parse(str_from(junk[i]), 1, &rate)) fail_msg("accepted \"%s\"", junk[i]);
    }
    int64_t rate;
    assert_false(price_parse(STR("1"), 0, &rate));
    assert_true(price_parse(STR("1e-400"), 1, &rate) && rate == 0);
    assert_true(price_parse(STR("12."), 1000000, &rate) && rate == 12000000000);
}

static void units_of(const char *text, struct usage *u) {
    static const char letters[] = "icwWaAmorugsnthp";
    str rest = str_from(text), item;
    while (str_cut(&rest, ' ', &item)) {
        int64_t n;
        assert_true(str_i64(str_skip(item, 1), &n));
        u->units[str_chr(str_from(letters), item.p[0])] = n;
    }
}

static void test_usage(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof usages / sizeof *usages; i++) {
        struct price p;
        assert_true(price_read(str_from(usages[i].price), &p));
        struct usage u = {.source = TOKENS_PROVIDER};
        units_of(usages[i].units, &u);
        char s = usages[i].service;
        u.service_tier = s == 'f'   ? SERVICE_FLEX
                         : s == 'p' ? SERVICE_PRIORITY
                         : s == 'b' ? SERVICE_BATCH
                                    : SERVICE_DEFAULT;
        struct usage_cost cost;
        price_usage(&p, &u, &cost);
        if (cost.total != usages[i].total)
            fail_msg("%s %c %s: %lld, not %lld", usages[i].price, s, usages[i].units, (long long)cost.total,
                     (long long)usages[i].total);
    }
}

static void test_unknown(void **state) {
    (void)state;
    struct usage u = {.source = TOKENS_PROVIDER};
    struct usage_cost cost;
    u.units[USAGE_INPUT] = 10;
    price_usage(NULL, &u, &cost);
    assert_true(cost.total == COST_UNKNOWN && cost.cost[USAGE_INPUT] == COST_UNKNOWN);
    assert_true(cost.rate[USAGE_INPUT] == PRICE_UNKNOWN && cost.cost[USAGE_OUTPUT] == 0);
    struct price p;
    price_init(&p);
    price_usage(&p, &u, &cost);
    assert_true(cost.total == COST_UNKNOWN);
    /* No usage known: unknown, however cheap; but what costs nothing costs nothing. */
    assert_true(price_read(STR("i1 o1"), &p));
    struct usage none = {.source = TOKENS_NONE};
    price_usage(&p, &none, &cost);
    assert_true(cost.total == COST_UNKNOWN);
    price_free_of_charge(&p);
    price_usage(&p, &none, &cost);
    assert_true(cost.total == 0);
    /* Nonsense of a provider is unknown, not a credit and not an overflow. */
    assert_true(price_read(STR("i1 o1000000"), &p));
    u.units[USAGE_INPUT] = -5;
    price_usage(&p, &u, &cost);
    assert_true(cost.total == COST_UNKNOWN);
    u.units[USAGE_INPUT] = 0;
    u.units[USAGE_OUTPUT] = INT64_MAX;
    price_usage(&p, &u, &cost);
    assert_true(cost.total == COST_UNKNOWN);
}

static void test_expect(void **state) {
    (void)state;
    struct price p;
    assert_true(price_read(STR("i2.5 o10;>200000:i5 o15"), &p));
    assert_true(price_expect(&p, 1000, 500) == 7500000);
    assert_true(price_expect(&p, 200001, 0) == 1000005000);
    assert_true(price_expect(NULL, 1, 1) == COST_UNKNOWN);
}

static void test_sums(void **state) {
    (void)state;
    struct usage u = {0};
    for (unsigned c = 0; c < USAGE_CLASSES; c++) u.units[c] = 1;
    assert_int_equal(usage_input_tokens(&u), 7);
    assert_int_equal(usage_output_tokens(&u), 4);
    u.units[USAGE_INPUT] = INT64_MAX;
    assert_true(usage_input_tokens(&u) == INT64_MAX);
    for (unsigned c = 0; c < USAGE_CLASSES; c++)
        assert_int_equal(usage_class_find(str_from(usage_class_name(c))), c);
    assert_int_equal(usage_class_find(STR("nope")), USAGE_CLASSES);
}

static void test_texts(void **state) {
    (void)state;
    struct price p;
    static const char *const bad[] = {"x1",       "i",        "i1 ",      "i1;", "i1;z:o1",
                                      "i1;bb:o1", "i1;>0:i2", "i1;>x:i2", "i-1", "i1;>1:i1;>2:i1;>3:i1;>4:i1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (price_read(str_from(bad[i]), &p)) fail_msg("accepted \"%s\"", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse),   cmocka_unit_test(test_usage),
                                       cmocka_unit_test(test_unknown), cmocka_unit_test(test_expect),
                                       cmocka_unit_test(test_sums),    cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
