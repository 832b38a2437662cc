/* tokens: characters exactly, tokens as the plain byte-by-byte form of the same rules says. */
#include "base/hash.h"
#include "chat/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct token_estimate of(const char *z, bool esc) {
    struct token_estimate t = {0};
    tokens_add(&t, str_from(z), esc);
    return t;
}

static void test_chars(void **state) {
    (void)state;
    static const struct {
        const char *z;
        bool esc;
        unsigned chars;
    } cases[] = {
        {"", false, 0},
        {"abc", true, 3},
        {"a\\nb", true, 3},
        {"a\\nb", false, 4},
        {"\\\\n", true, 2},
        {"\\u00e9", true, 1},
        {"\\ud83d\\ude00x", true, 2},
        {"0123456789abcde\\n\\\"0123456789abcdef", true, 33}, /* an escape across a block's end */
        {"0123456789abc\\ud83d\\ude00!", true, 15},
        {"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", false, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(tokens_chars(&(struct token_estimate){.chars = of(cases[i].z, cases[i].esc).chars}),
                         cases[i].chars);
}

/* The same rules, one byte after the other (no bytes beyond ASCII). */
static uint64_t slow(const char *p, size_t n) {
    uint64_t t = 0;
    for (size_t i = 0; i < n;) {
        size_t s = i;
        unsigned char c = (unsigned char)p[i];
        if (c >= 'A' && c <= 'Z' && !(i + 1 < n && p[i + 1] >= 'a' && p[i + 1] <= 'z')) {
            while (i < n && p[i] >= 'A' && p[i] <= 'Z' && !(i + 1 < n && p[i + 1] >= 'a' && p[i + 1] <= 'z')) i++;
            t += i - s == 1 ? 1070 : 1140;
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            for (i++; i < n && p[i] >= 'a' && p[i] <= 'z';) i++;
            size_t k = i - s;
            t += k <= 4 ? 1070 : k <= 7 ? 950 : k <= 10 ? 1090 : 1820 + (k - 10) * 80;
        } else if (c >= '0' && c <= '9') {
            while (i < n && p[i] >= '0' && p[i] <= '9') i++;
            t += (i - s + 2) / 3 * 1220;
        } else if (c == ' ' || c == '\t') {
            while (i < n && (p[i] == ' ' || p[i] == '\t')) i++;
            t += i - s > 1 ? 410 : 0;
        } else if (c == '\n' || c == '\r') {
            while (i < n && (p[i] == '\n' || p[i] == '\r')) i++;
            t += 390;
        } else {
            while (i < n && !strchr(" \t\n\r", p[i]) && !((p[i] | 32) >= 'a' && (p[i] | 32) <= 'z') &&
                   !(p[i] >= '0' && p[i] <= '9'))
                i++;
            t += 820 + (i - s - 1) * 140;
        }
    }
    return t;
}

static void test_runs(void **state) {
    (void)state;
    static const char set[] = "aaaaabcdeABC019  \n.,{}\"-";
    struct rng r;
    rng_seed(&r, 7);
    for (int round = 0; round < 3000; round++) {
        char text[300];
        size_t n = rng_next(&r) % sizeof text;
        unsigned stick = 1 + (unsigned)(rng_next(&r) % 40);
        for (size_t i = 0; i < n; i++)
            text[i] = i && rng_next(&r) % stick ? text[i - 1] : set[rng_next(&r) % (sizeof set - 1)];
        struct token_estimate t = {0};
        tokens_add(&t, str_make(text, n), false);
        assert_int_equal(t.millitokens, slow(text, n));
    }
}

static void test_escapes_and_scripts(void **state) {
    (void)state;
    assert_int_equal(of("one\\ntwo \\\"x\\\"", true).millitokens, of("one\ntwo \"x\"", false).millitokens);
    assert_int_equal(of("\\u4e2d\\u6587", true).millitokens, of("\xe4\xb8\xad\xe6\x96\x87", false).millitokens);
    assert_int_equal(of("\xe4\xb8\xad\xe6\x96\x87", false).millitokens, 2 * 680);
    assert_true(of("\xff\xfe\x80\xc3", false).millitokens < 10000); /* malformed: no harm */
}

static void test_sampling(void **state) {
    (void)state;
    size_t n = 1 << 20;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++) text[i] = "several words of text, 1234 more; "[i % 34];
    struct token_estimate t = {0};
    tokens_add(&t, str_make(text, n), false);
    double want = (double)slow(text, n), got = 1000.0 * tokens_estimate(&t);
    assert_true(got > want * 0.98 && got < want * 1.02);
    assert_int_equal(t.chars, n);
    /* Many short texts are sampled like one long one. */
    struct token_estimate many = {0};
    for (size_t i = 0; i < n; i += 500) tokens_add(&many, str_make(text + i, n - i < 500 ? n - i : 500), false);
    got = 1000.0 * tokens_estimate(&many);
    assert_true(got > want * 0.98 && got < want * 1.02);
    assert_true(many.seen + many.looked < n / 8);
    assert_int_equal(many.chars, n);
    free(text);
}

/* Characters of the insides of JSON strings: built, so their number is known. */
static void test_random_escapes(void **state) {
    (void)state;
    static const char *const piece[] = {"\\\\",           "\\\"", "\\n",      "\\u00e9",      "\\ud83d\\uDE00",
                                        "\\uDaFf\\uDFFF", "u",    "\xc3\xbc", "\xe6\x97\xa5", "\xf0\x9f\x98\x80"};
    struct rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < 20000; i++) {
        char text[4096];
        size_t n = 0;
        unsigned chars = 0;
        for (uint64_t k = rng_next(&r) % 12; k; k--) {
            uint64_t what = rng_next(&r) % (2 * sizeof piece / sizeof *piece), fill = rng_next(&r) % 70;
            if (what < sizeof piece / sizeof *piece) {
                memcpy(text + n, piece[what], strlen(piece[what]));
                n += strlen(piece[what]);
                chars++;
            } else {
                memset(text + n, 'd', fill);
                n += fill;
                chars += (unsigned)fill;
            }
        }
        struct token_estimate t = {0};
        tokens_add(&t, str_make(text, n), true);
        assert_int_equal(t.chars, chars);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chars),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_escapes_and_scripts),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_random_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
