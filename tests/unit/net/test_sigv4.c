/* sigv4: AWS's own published vectors (aws-sig-v4-test-suite: get-vanilla, post-vanilla, get-utf8,
 *
 * tests/integration/test_bedrock.py). */
#include "net/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t when = 1440938160000000; /* 2015-08-30T12:36:00Z */

static void expect(const char *method, const char *path, const char *body, const char *signature) {
    struct sigv4_key k = {.id = STR("AKIDEXAMPLE"),
                          .secret = STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                          .region = STR("us-east-1"),
                          .service = STR("service")};
    struct iovec v[2] = {{(char *)(uintptr_t)body, strlen(body) / 2},
                         {(char *)(uintptr_t)(body + strlen(body) / 2), strlen(body) - strlen(body) / 2}};
    buf out;
    buf_init(&out, 4096);
    sigv4_sign(&k, str_from(method), STR("example.amazonaws.com"), str_from(path), v, 2, when, &out);
    buf_char(&out, 0);
    assert_non_null(strstr(out.p, "x-amz-date: 20150830T123600Z\r\n"));
    assert_non_null(strstr(out.p, "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                                  "SignedHeaders=host;x-amz-date, Signature="));
    if (!strstr(out.p, signature)) fail_msg("%s", out.p);
    assert_null(strstr(out.p, "wJalr"));
    buf_free(&out);
}

static void test_vectors(void **state) {
    (void)state;
    expect("GET", "/", "", "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    expect("POST", "/", "", "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
