/* redact: what has to go, what has to stay, and that nothing is read past the end. */
#include "base/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *in, *out;
} cases[] = {
    {"Write to Ann.Smith+x@mail.example.co.uk, please.", "Write to [EMAIL], please."},
    {"a@b.io and m\xC3\xBCller@b\xC3\xBC"
     "cher.de.",
     "[EMAIL] and [EMAIL]."},
    {"?u=user%40example.com&x", "?u=[EMAIL]&x"},
    {"x@y is no mail, @decorator neither", NULL},
    {"pay with 4111 1111 1111 1111 now", "pay with [CARD] now"},
    {"5500-0000-0000-0004", "[CARD]"},
    {"378282246310005", "[CARD]"},
    {"IBAN DE89 3704 0044 0532 0130 00 please", "IBAN [IBAN] please"},
    {"GB82WEST12345698765432", "[IBAN]"},
    {"call +49 (0)30 1234-5678 or (415) 555-2671", "call [PHONE] or [PHONE]"},
    {"555-0199", "[PHONE]"},
    {"\xE7\x94\xB5\xE8\xAF\x9D"
     "13800138000",
     "\xE7\x94\xB5\xE8\xAF\x9D[NUMBER]"},
    {"ssn 078-05-1120", "ssn [ID]"},
    {"from 192.168.10.250:80 to 2001:db8::ff00:42:8329", "from [IP]:80 to [IP]"},
    {"order 123456789 of 2026-11-25, total 1299.99 EUR, 42 items",
     "order [NUMBER] of 2026-11-25, total 1299.99 EUR, 42 items"},
    {"25.11.2026 12:30:15, pages 10-2000, 3.14159265358979", NULL},
    {"id 550e8400-e29b-41d4-a716-446655440000", "id [ID]"},
    {"d41d8cd98f00b204e9800998ecf8427e", "[ID]"},
    {"key sk-proj-AbCd1234efgh5678 and AKIAIOSFODNN7EXAMPLE", "key [SECRET] and [SECRET]"},
    {"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_1", "jwt [SECRET]"},
    {"{\"password\": \"hunter22\", \"user\": \"x\"}", "{\"password\": \"[SECRET]\", \"user\": \"x\"}"},
    {"Authorization: Bearer abcdef123456", "Authorization: Bearer [SECRET]"},
    {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "[SECRET]\nafter"},
    {"Classify the review: 'The room was clean.' Answer with one of: positive, negative, neutral.", NULL},
    {"for (int i = 0; i < n_items; i++) total_price_of_everything += price[i];", NULL},
    {"the token budget is large; a bearer of news; what-a-long-hyphenated-word-this-is", NULL},
    {"", NULL},
};

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b;
        buf_init(&b, 4096);
        unsigned n = redact(str_from(cases[i].in), &b);
        buf_char(&b, 0);
        assert_string_equal(b.p, cases[i].out ? cases[i].out : cases[i].in);
        assert_int_equal(n > 0, cases[i].out != NULL);
        buf_free(&b);
    }
}

/* Every case cut anywhere, each in memory of its own size (ASan sees a byte too far), and random bytes. */
static void test_edges(void **state) {
    (void)state;
    static const char letters[] = "0123456789aF+-(.@:% \n\xC3k";
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases + 400; i++) {
        char noise[64];
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = letters[((seed = seed * 1103515245 + 12345) >> 16) % (sizeof letters - 1)];
        bool fixed = i < sizeof cases / sizeof *cases;
        str s = fixed ? str_from(cases[i].in) : (str){noise, sizeof noise};
        for (size_t n = 0; n <= s.n; n++) {
            char *copy = malloc(n + 1);
            memcpy(copy, s.p, n);
            buf b;
            buf_init(&b, 4096);
            char *exact = realloc(copy, n ? n : 1);
            redact((str){exact, n}, &b);
            assert_false(b.failed);
            buf_free(&b);
            free(exact);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
