/* lazy, csv, keyset, usage objects: known answers, cut and hostile input. */
#include "base/hash.h"
#include "insight/csv.h"
#include "insight/keyset.h"
#include "insight/lazy.h"
#include "insight/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static jval value(const char *z) {
    jval v;
    const char *end = lazy_value(z, z + strlen(z), &v);
    return end ? v : (jval){.type = J_NONE};
}

/* Containers are skipped to the same place as a plain byte loop finds, whatever is in them. */
static const char *slow_end(const char *p, const char *end) {
    int depth = 0;
    bool in = false;
    for (; p < end; p++) {
        if (in) {
            if (*p == '\\')
                p++;
            else
                in = *p != '"';
        } else if (*p == '"') {
            in = true;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if ((*p == '}' || *p == ']') && --depth == 0) {
            return p + 1;
        }
    }
    return NULL;
}

static void test_skip(void **state) {
    (void)state;
    static const char alphabet[] = "{}[]\"\"\\\\\\ab ,:";
    struct rng rng;
    rng_seed(&rng, 42);
    for (unsigned round = 0; round < 20000; round++) {
        char text[400];
        size_t n = 1 + rng_next(&rng) % (sizeof text - 1);
        text[0] = '{';
        bool in = false, escaped = false;
        for (size_t i = 1; i < n; i++) { /* backslashes in strings only: elsewhere they mean nothing */
            do text[i] = alphabet[rng_next(&rng) % (sizeof alphabet - 1)];
            while (text[i] == '\\' && !in);
            if (escaped)
                escaped = false;
            else if (text[i] == '"')
                in = !in;
            else
                escaped = text[i] == '\\';
        }
        jval v;
        const char *want = slow_end(text, text + n), *got = lazy_value(text, text + n, &v);
        if (got != want)
            fail_msg("%.*s: %td, not %td", (int)n, text, got ? got - text : -1, want ? want - text : -1);
    }
}

static void test_values(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 256, 1 << 20);
    assert_true(
        str_eqz(lazy_text(value("\"a\\n\\u00e9\\ud83d\\ude00\\q\""), &a), "a\n\xC3\xA9\xF0\x9F\x98\x80\\q"));
    assert_true(str_eqz(lazy_text(value("\"\\ud83d!\""), &a), "\xEF\xBF\xBD!"));
    static const char *const cut[] = {"{\"a\":1", "\"abc", "\"abc\\", "[1,2", "", "  ", "{", "x"};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) assert_int_equal(value(cut[i]).type, J_NONE);
    jval o = value("{\"u\":{\"n\":7},\"s\":\"{\\\"deep\\\":{\\\"x\\\":3}}\"}");
    int64_t n;
    assert_true(lazy_i64(lazy_path(o, "u.n", &a), &n) && n == 7);
    assert_true(lazy_i64(lazy_path(o, "s.deep.x", &a), &n) && n == 3);
    assert_int_equal(lazy_path(o, "u.n.z", &a).type, J_NONE);
    arena_free(&a);
}

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *z;
        int64_t nano;
    } money[] = {{"0.0001107", 110700},      {"1.107e-04", 110700}, {"9990.01252875", 9990012528750},
                 {"\"$12.5\"", 12500000000}, {"0.0000000005", 1},   {"0.00000000049", 0},
                 {"-1", -1000000000},        {"3e0", 3000000000}};
    int64_t n;
    for (size_t i = 0; i < sizeof money / sizeof *money; i++) {
        assert_true(lazy_nano(value(money[i].z), &n));
        assert_true(n == money[i].nano);
    }
    assert_false(lazy_nano(value("\"12 USD\""), &n));
    assert_false(lazy_i64(value("1e300"), &n));
    assert_true(lazy_i64(value("\"638\""), &n) && n == 638);
    assert_true(lazy_i64(value("638.0"), &n) && n == 638);
}

static void test_times(void **state) {
    (void)state;
    const uint64_t want = 1723560035000000u;
    static const char *const same[] = {"1723560035",
                                       "1723560035000",
                                       "1723560035000000",
                                       "\"1723560035000000000\"",
                                       "\"2024-08-13T14:40:35Z\"",
                                       "\"2024-08-13 14:40:35\"",
                                       "\"2024-08-13 14:40:35.000\"",
                                       "\"2024-08-13T16:40:35+02:00\"",
                                       "\"2024-08-13T10:40:35-0400\"",
                                       "\"13/Aug/2024:14:40:35 +0000\"",
                                       "\"2024-08-13 14:40:35 UTC\"",
                                       "1723560035.0"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        uint64_t us = 0;
        if (!lazy_time(value(same[i]), &us) || us != want) fail_msg("%s: %llu", same[i], (unsigned long long)us);
    }
    uint64_t us;
    assert_true(lazy_time(value("\"2024-08-13\""), &us) && us == 1723507200000000u);
    assert_true(lazy_time(value("1723560035.597"), &us) && us == 1723560035597000u);
    static const char *const none[] = {
        "\"yesterday\"",           "12", "-5", "\"2024-13-01\"", "\"\"", "null", "99999999999999999999",
        "\"2024-08-13T25:00:00Z\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (lazy_time(value(none[i]), &us)) fail_msg("%s is no time", none[i]);
}

static void test_index(void **state) {
    (void)state;
    static struct lazy_index x;
    static const char *const enter[] = {"in", NULL};
    str text = STR("{\"a\":1,\"in\":{\"b\":{\"c\":2},\"d\":\"x\"},\"e\":[{}]} tail");
    const char *end = lazy_index(&x, text, enter);
    assert_string_equal(end, " tail");
    unsigned in = lazy_at(&x, 0, STR("in"));
    assert_int_not_equal(in, 0);
    assert_int_equal(lazy_at(&x, 0, STR("b")), 0);
    assert_true(str_eqz(x.m[lazy_at(&x, in, STR("b"))].val.raw, "{\"c\":2}"));
    assert_true(str_eqz(x.m[lazy_at(&x, 0, STR("e"))].val.raw, "[{}]"));
    assert_null(lazy_index(&x, STR("{\"a\":1,\"in\":{\"b\":1}"), enter));
    assert_null(lazy_index(&x, STR("[1]"), enter));
    char many[LAZY_MEMBERS_MAX * 16], *p = many; /* more members than are kept are no error */
    *p++ = '{';
    for (unsigned i = 0; i < LAZY_MEMBERS_MAX + 50; i++) p += sprintf(p, "%s\"k%u\":%u", i ? "," : "", i, i);
    *p++ = '}';
    assert_ptr_equal(lazy_index(&x, (str){many, (size_t)(p - many)}, enter), p);
    assert_int_equal(x.count, LAZY_MEMBERS_MAX);
}

static void test_csv(void **state) {
    (void)state;
    arena a;
    jval f[CSV_FIELDS_MAX];
    arena_init(&a, 256, 1 << 20);
    assert_int_equal(csv_split(STR("a,\"b \"\"c\"\", d\",,5\" wide"), ',', f, &a), 4);
    assert_true(str_eqz(f[1].raw, "b \"c\", d"));
    assert_int_equal(f[2].raw.n, 0);
    assert_true(str_eqz(f[3].raw, "5\" wide"));
    struct csv_scan s = {.delim = ','};
    str two = STR("x,\"line\r\nbreak\",1\r\nnext,2\n");
    for (size_t cut = 0; cut <= 18; cut++) { /* a row's end is found however the bytes come */
        csv_scan_reset(&s);
        size_t end = csv_scan(&s, str_take(two, cut), 0, false);
        if (end == CSV_MORE) end = csv_scan(&s, two, cut, true);
        assert_int_equal(end, 19);
        assert_int_equal(s.row_end, 17);
        assert_int_equal(s.lines, 2);
    }
    char d = 0;
    assert_true(csv_sniff(STR("time;model;tokens in"), &d) && d == ';');
    assert_false(csv_sniff(STR("127.0.0.1 - u8 [13/Aug/2024:14:40:43 +0000] \"POST / HTTP/1.1\" 200, 5"), &d));
    arena_free(&a);
}

static void test_keyset(void **state) {
    (void)state;
    enum { EXACT = 20000, MORE = 20000 };
    struct keyset *k = keyset_new(EXACT);
    bool fresh;
    for (uint64_t i = 1; i <= EXACT; i++) {
        uint64_t *p = keyset_put(k, i * 0x9E3779B97F4A7C15u, &fresh);
        assert_true(fresh && p && *p == 0);
        *p = i;
    }
    for (uint64_t i = 1; i <= EXACT; i++) {
        uint64_t *p = keyset_put(k, i * 0x9E3779B97F4A7C15u, &fresh);
        assert_true(!fresh && p && *p == i);
    }
    unsigned wrong = 0;
    for (uint64_t i = EXACT + 1; i <= EXACT + MORE; i++) {
        assert_null(keyset_put(k, i * 0x9E3779B97F4A7C15u, &fresh));
        wrong += !fresh;
    }
    assert_true(wrong < MORE / 1000);
    for (uint64_t i = EXACT + 1; i <= EXACT + MORE; i++) {
        assert_null(keyset_put(k, i * 0x9E3779B97F4A7C15u, &fresh));
        assert_false(fresh);
    }
    assert_int_equal(keyset_count(k), EXACT);
    assert_true(keyset_overflow(k) + wrong == MORE && keyset_error(k) > 0 && keyset_error(k) < 0.001);
    keyset_free(k);
}

static void test_usage(void **state) {
    (void)state;
    static const struct {
        const char *json;
        int64_t plain, cached, w5, w1, out, reasoning;
        bool suspect;
    } cases[] = {
        {"{\"prompt_tokens\":638,\"completion_tokens\":25,\"prompt_tokens_details\":{\"cached_tokens\":510},"
         "\"completion_tokens_details\":{\"reasoning_tokens\":5}}",
         128, 510, 0, 0, 20, 5, false},
        {"{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":40},\"output_tokens\":9,\"output_"
         "tokens_details\":{\"reasoning_tokens\":4}}",
         60, 40, 0, 0, 5, 4, false},
        {"{\"input_tokens\":100,\"cache_read_input_tokens\":4000,\"cache_creation_input_tokens\":30,\"output_"
         "tokens\":9}",
         100, 4000, 30, 0, 9, 0, false},
        {"{\"input_tokens\":1,\"cache_read_input_tokens\":2,\"cache_creation_input_tokens\":30,\"cache_creation\":"
         "{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},\"output_tokens\":9}",
         1, 2, 10, 20, 9, 0, false},
        {"{\"promptTokenCount\":50,\"cachedContentTokenCount\":20,\"candidatesTokenCount\":7,"
         "\"thoughtsTokenCount\":11,\"totalTokenCount\":68}",
         30, 20, 0, 0, 7, 11, false},
        {"{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":20,\"completion_tokens_details\":{"
         "\"reasoning_tokens\":7}}",
         10, 0, 0, 0, 3, 7, false},
        {"{\"prompt_tokens\":81,\"completion_tokens\":22,\"prompt_tokens_details\":{\"cached_tokens\":192}}", 0,
         81, 0, 0, 22, 0, true},
        {"{\"prompt_tokens\":-5,\"completion_tokens\":3}", 0, 0, 0, 0, 3, 0, true},
        {"{\"prompt_tokens\":18,\"prompt_cache_hit_tokens\":8,\"prompt_cache_miss_tokens\":10,\"completion_"
         "tokens\":2}",
         10, 8, 0, 0, 2, 0, false},
        {"{\"inputTokens\":5,\"outputTokens\":6,\"cacheReadInputTokens\":7,\"cacheWriteInputTokens\":8}", 5, 7, 8,
         0, 6, 0, false},
        {"{\"prompt_tokens\":12,\"total_tokens\":12}", 12, 0, 0, 0, 0, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct usage u;
        assert_true(log_usage(value(cases[i].json), &u));
        bool good = u.units[USAGE_INPUT] == cases[i].plain && u.units[USAGE_CACHED_INPUT] == cases[i].cached &&
                    u.units[USAGE_CACHE_WRITE_5M] == cases[i].w5 && u.units[USAGE_CACHE_WRITE_1H] == cases[i].w1 &&
                    u.units[USAGE_OUTPUT] == cases[i].out && u.units[USAGE_REASONING] == cases[i].reasoning &&
                    u.suspect == cases[i].suspect;
        if (!good)
            fail_msg("%s: %ld %ld %ld %ld %ld %ld %d", cases[i].json, (long)u.units[USAGE_INPUT],
                     (long)u.units[USAGE_CACHED_INPUT], (long)u.units[USAGE_CACHE_WRITE_5M],
                     (long)u.units[USAGE_CACHE_WRITE_1H], (long)u.units[USAGE_OUTPUT],
                     (long)u.units[USAGE_REASONING], u.suspect);
    }
    struct usage u;
    assert_false(log_usage(value("{\"requests\":5}"), &u));
    assert_false(log_usage(value("null"), &u));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_skip),    cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_numbers), cmocka_unit_test(test_times),
                                       cmocka_unit_test(test_index),   cmocka_unit_test(test_csv),
                                       cmocka_unit_test(test_keyset),  cmocka_unit_test(test_usage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
