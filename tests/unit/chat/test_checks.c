/* checks and schema: what is told of an answer, and what is left untold. */
#include "chat/checks.h"
#include "chat/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static jval parse(const char *z) {
    jval v;
    assert_true(json_check(str_from(z), &v, NULL, NULL));
    return v;
}

static void test_schema(void **state) {
    (void)state;
    static const struct {
        const char *schema, *value;
        bool fits;
    } cases[] = {
        {"{\"type\":\"string\"}", "\"x\"", true},
        {"{\"type\":\"string\"}", "1", false},
        {"{\"type\":[\"string\",\"null\"]}", "null", true},
        {"{\"type\":\"integer\"}", "3.0", true},
        {"{\"type\":\"integer\"}", "3.5", false},
        {"{\"enum\":[\"a\",2]}", "2", true},
        {"{\"enum\":[\"a\",2]}", "\"\\u0061\"", true},
        {"{\"enum\":[\"a\",2]}", "\"b\"", false},
        {"{\"const\":true}", "false", false},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}},\"required\":[\"a\"],"
         "\"additionalProperties\":false}",
         "{\"a\":1}", true},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}},\"required\":[\"a\"],"
         "\"additionalProperties\":false}",
         "{}", false},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}},\"additionalProperties\":false}",
         "{\"b\":1}", false},
        {"{\"additionalProperties\":{\"type\":\"string\"}}", "{\"b\":1}", false},
        {"{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"minItems\":2}", "[1,2]", true},
        {"{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"minItems\":2}", "[1]", false},
        {"{\"type\":\"array\",\"items\":{\"type\":\"number\"}}", "[1,\"x\"]", false},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"number\"}}", "[\"a\",1]", true},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "1", false},
        {"{\"allOf\":[{\"type\":\"number\"},{\"minimum\":3}]}", "2", false},
        {"{\"$ref\":\"#/$defs/"
         "t\",\"$defs\":{\"t\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#\"}}}}}",
         "{\"next\":{\"next\":{}}}", true},
        {"{\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":{\"type\":\"object\"}}}", "[]", false},
        {"{\"$ref\":\"#\"}", "1", true}, /* a circle ends at the depth bound */
        {"false", "1", false},
        {"{\"minLength\":2,\"maxLength\":3}", "\"\xc3\xa9\xc3\xa9\"", true},
        {"{\"maxLength\":1}", "\"ab\"", false},
    };
    arena a;
    arena_init(&a, 256, 1 << 20);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bool fits = schema_fits(parse(cases[k].schema), parse(cases[k].value), &a);
        if (fits != cases[k].fits) fail_msg("%s with %s", cases[k].schema, cases[k].value);
    }
    arena_free(&a);
}

#define SCHEMA "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"number\"}},\"required\":[\"n\"]}"
#define ASK_JSON                                                                                                  \
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":" SCHEMA "}}"
#define TOOLS "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":" SCHEMA "}}]"
#define SAYS(content)                                                                                             \
    "{\"id\":\"1\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\","                 \
    "\"content\":" content "}}]}"
#define CALLS(args)                                                                                               \
    "{\"id\":\"1\",\"choices\":[{\"finish_reason\":\"tool_calls\",\"message\":{\"content\":null,\"tool_calls\":[" \
    "{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":" args "}}]}}]}"

static void test_answers(void **state) {
    (void)state;
    static const struct {
        const char *request, *answer, *label;
        int quality;
    } cases[] = {
        {"{}", SAYS("\"plain text\""), "", -1},
        {"{}", SAYS("\"\""), "empty", 0},
        {"{" ASK_JSON "}", SAYS("\"{\\\"n\\\":1}\""), "schema", 1},
        {"{" ASK_JSON "}", SAYS("\"{\\\"m\\\":1}\""), "schema", 0},
        {"{" ASK_JSON "}", SAYS("\"Sure! {\""), "schema", 0},
        {"{\"response_format\":{\"type\":\"json_object\"}}", SAYS("\"[1]\""), "json", 1},
        {"{" TOOLS "}", CALLS("\"{\\\"n\\\":2}\""), "tool_arguments", 1},
        {"{" TOOLS "}", CALLS("\"{\\\"n\\\":\\\"two\\\"}\""), "tool_arguments", 0},
        {"{" TOOLS "}", CALLS("\"{\\\"n\\\":\""), "tool_arguments", 0},
        {"{}",
         "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":null,\"refusal\":\"I can't.\"}}]}",
         "refused", 0},
        {"{}", "{\"choices\":[{\"finish_reason\":\"length\",\"message\":{\"content\":\"abc\"}}]}", "cut_by_length",
         0},
        {"{}", "{\"choices\":[{\"finish_reason\":\"content_filter\",\"message\":{\"content\":\"abc\"}}]}",
         "refused", 0},
        {"{\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":" SCHEMA "}}}",
         "{\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{"
         "\"type\":\"output_text\",\"text\":\"{}\"}]}]}",
         "schema", 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        arena a;
        jscan s;
        struct wants w;
        struct answer ans = {0};
        arena_init(&a, 256, 1 << 20);
        json_scan_init(&s, &a);
        assert_int_equal(json_scan(&s, str_from(cases[k].request), true), JSON_DONE);
        checks_want(&s, str_from(cases[k].request), &a, &w);
        openai_answer_read(&ans, str_from(cases[k].answer));
        struct verdict v = checks_answer(&w, &ans, str_from(cases[k].answer), false, &a);
        if ((int)v.quality != cases[k].quality || !str_eqz(str_from(v.label), cases[k].label))
            fail_msg("case %zu: %d %s", k, (int)v.quality, v.label);
        arena_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_schema), cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
