/* http1: heads. Good and bad messages by table, the end of a head at every cut. */
#include "net/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct head_case {
    const char *text;
    size_t n;
    enum http_error want;
};
#define CASE(text, want)                                                                                          \
    { text, sizeof(text) - 1, want }
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Feeds byte by byte from fresh copies; the end must show with the last byte and not before, and as much must be
 * said when all comes at once or in two pieces. */
static void check_end(str head) {
    size_t from = 0;
    for (size_t n = 0; n <= head.n; n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, head.p, n);
        size_t end = http1_head_end(str_make(copy, n), &from);
        if (end != (n == head.n ? n : 0)) fail_msg("end %zu at %zu of %zu: %s", end, n, head.n, head.p);
        assert_true(from <= n);
        free(copy);
    }
    for (size_t n = 0; n <= head.n; n++) {
        from = 0;
        if (n < head.n) assert_int_equal(http1_head_end(str_take(head, n), &from), 0);
        assert_int_equal(http1_head_end(head, &from), head.n);
    }
}

/* Parses a copy that ends where the head ends, so that a read beyond shows under AddressSanitizer. */
static enum http_error parse(enum http_error (*f)(str, struct http_head *), str head, struct http_head *h) {
    char *copy = malloc(head.n ? head.n : 1);
    memcpy(copy, head.p, head.n);
    enum http_error e = f(str_make(copy, head.n), h);
    free(copy);
    return e;
}

static void check_cases(const struct head_case *c, size_t count, enum http_error (*f)(str, struct http_head *)) {
    struct http_head h;
    for (size_t i = 0; i < count; i++, c++) {
        str head = {c->text, c->n};
        enum http_error e = parse(f, head, &h);
        if (e != c->want) fail_msg("%s: %s, not %s", c->text, http_error_text(e), http_error_text(c->want));
        if (e != HTTP_OK) continue;
        check_end(head);
        for (size_t n = 0; n < c->n; n++) assert_true(parse(f, str_take(head, n), &h) != HTTP_OK);
        assert_true(parse(f, str_make(c->text, c->n + 1), &h) != HTTP_OK); /* the NUL */
    }
}

#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

static const struct head_case requests[] = {
    CASE("GET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_OK),
    CASE("GET / HTTP/1.0\r\n\r\n", HTTP_OK),
    CASE("GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_OK),
    CASE("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", HTTP_OK),
    CASE("M-SEARCH /x HTTP/1.1\r\n" HOST "\r\n", HTTP_OK),
    CASE("GET http://example.com/x?y HTTP/1.1\r\n" HOST "\r\n", HTTP_OK),
    CASE("GET HTTPS://example.com HTTP/1.1\r\n" HOST "\r\n", HTTP_OK),
    CASE("GET /?q=[\"{}|\\^`]~%00 HTTP/1.1\r\n" HOST "\r\n", HTTP_OK),
    CASE("GET / HTTP/1.9\r\n" HOST "\r\n", HTTP_OK),
    CASE(POST "X: \t value with \t tab \t\r\nY:z\r\n\r\n", HTTP_OK),
    CASE(POST "X: caf\xc3\xa9 \xff\r\n\r\n", HTTP_OK),
    CASE(POST "X:\r\nX: \r\n\r\n", HTTP_OK),
    CASE(POST "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n", HTTP_OK),
    CASE(POST "Content-Length: 0\r\n\r\n", HTTP_OK),
    CASE(POST "Content-Length: 999999999999999999\r\n\r\n", HTTP_OK),
    CASE(POST "Transfer-Encoding: chunked\r\n\r\n", HTTP_OK),
    CASE(POST "TRANSFER-ENCODING:CHUNKED\r\n\r\n", HTTP_OK),

    /* request line */
    CASE("", HTTP_BAD_LINE),
    CASE("\r\n\r\n", HTTP_BAD_LINE),
    CASE(" GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET  / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET /  HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET\t/ HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1.1 \r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET /\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET /\r\n\r\n", HTTP_BAD_LINE),
    CASE("G(T / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / http/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/11\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1.10\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1.x\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / XTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/2.0\r\n" HOST "\r\n", HTTP_BAD_VERSION),
    CASE("GET / HTTP/0.9\r\n" HOST "\r\n", HTTP_BAD_VERSION),
    CASE("PRI * HTTP/2.0\r\n\r\n", HTTP_BAD_VERSION),
    CASE("GET x HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET * HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET http:///x HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET ftp://a/x HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET /a#b HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET /\x7f HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET /\0 HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1.1\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1.1\r" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1.1\r\r\n" HOST "\r\n", HTTP_BAD_LINE),
    CASE("GET / HTTP/1.1\n\n", HTTP_BAD_LINE),
    CASE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", HTTP_BAD_LINE), /* TLS to a plain port */

    /* headers */
    CASE("GET / HTTP/1.1\r\n\r\n", HTTP_BAD_HEADER), /* no Host */
    CASE("GET / HTTP/1.1\r\n" HOST HOST "\r\n", HTTP_BAD_HEADER),
    CASE("GET / HTTP/1.0\r\n" HOST "host: b\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X : y\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X\t: y\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST " X: y\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\r\n b\r\n\r\n", HTTP_BAD_HEADER), /* obs-fold */
    CASE(POST "X: a\r\n\tb\r\n\r\n", HTTP_BAD_HEADER),
    CASE("GET / HTTP/1.1\r\n Host: a\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST ": y\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X y: z\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X\xc3\xa9: z\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X(: z\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X\0: z\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\0b\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\x01\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\x7f\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\x7f and more than sixteen bytes\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\rb\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\r\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\nY: b\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a long value before the bare line feed\nY: b\r\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\r\n\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\n\r\n", HTTP_BAD_HEADER),
    CASE(POST "X: a\r\n\r\nrest", HTTP_BAD_HEADER),
    CASE(POST "\r\n\r\n", HTTP_BAD_HEADER),

    /* framing */
    CASE(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 5, 5\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: \r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: +5\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: -5\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 5 5\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 0x5\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 5;\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 1e3\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 18446744073709551621\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 9999999999999999999999999\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", HTTP_BAD_LENGTH),
    CASE(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: identity\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: chunked;q=1\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: xchunked\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: ,chunked\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding:\r\n\r\n", HTTP_BAD_CODING),
    CASE(POST "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n",
         HTTP_BAD_HEADER),
    CASE(POST "Transfer-Encoding : chunked\r\n\r\n", HTTP_BAD_HEADER),
    CASE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_CODING),
};

static void test_requests(void **state) {
    (void)state;
    check_cases(requests, COUNT(requests), http1_request);
}

static const struct head_case responses[] = {
    CASE("HTTP/1.1 200 OK\r\n\r\n", HTTP_OK),
    CASE("HTTP/1.1 200 \r\n\r\n", HTTP_OK),
    CASE("HTTP/1.1 200\r\n\r\n", HTTP_OK),
    CASE("HTTP/1.0 599 Caf\xc3\xa9 \t x\r\n\r\n", HTTP_OK),
    CASE("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", HTTP_OK),
    CASE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_OK),
    CASE("HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\n\r\n", HTTP_OK),
    CASE("", HTTP_BAD_LINE),
    CASE("HTTP/1.1\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 \r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 20\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 20x OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 2000 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 200OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 099 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 600 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 -20 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1  200 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1\t200 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE(" HTTP/1.1 200 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("ICY 200 OK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/2 200\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/2.0 200 OK\r\n\r\n", HTTP_BAD_VERSION),
    CASE("HTTP/1.1 200 O\0K\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 200 O\rK\r\n\r\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 200 OK\n\n", HTTP_BAD_LINE),
    CASE("HTTP/1.1 200 OK\r\nX: a\n\r\n", HTTP_BAD_HEADER),
    CASE("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", HTTP_BAD_HEADER),
    CASE("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", HTTP_BAD_HEADER),
    CASE("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", HTTP_BAD_LENGTH),
    CASE("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_LENGTH),
    CASE("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HTTP_BAD_CODING),
    CASE("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_CODING),
    CASE("<html>\r\n\r\n", HTTP_BAD_LINE),
};

static void test_responses(void **state) {
    (void)state;
    check_cases(responses, COUNT(responses), http1_response);
}

static void test_request_fields(void **state) {
    (void)state;
    struct http_head h;
    str head =
        STR("POST /v1/chat/completions?a=b?c HTTP/1.1\r\nhOsT: example.com \r\nContent-LENGTH: 42\r\n"
            "Authorization:\tBearer x\r\nX-Dray-Max-Cost-USD: 0.5\r\nX-Other:  y\r\nExpect: 100-Continue\r\n"
            "Connection: x-other , Close\r\nAccept: a\r\nACCEPT: b\r\n\r\n");
    assert_int_equal(http1_request(head, &h), HTTP_OK);
    assert_int_equal(h.method, HTTP_POST);
    assert_true(str_eq(h.target, STR("/v1/chat/completions?a=b?c")));
    assert_true(str_eq(h.path, STR("/v1/chat/completions")) && str_eq(h.query, STR("a=b?c")));
    assert_true(h.minor == 1 && !h.chunked && !h.keep_alive && h.expect_continue && h.has_length &&
                h.length == 42);
    assert_int_equal(h.count, 9);
    assert_int_equal(h.header[0].id, HTTP_HOST);
    assert_true(str_eq(h.header[0].name, STR("hOsT")) && str_eq(h.header[0].value, STR("example.com")));
    assert_true(str_eq(http_get(&h, HTTP_AUTHORIZATION), STR("Bearer x")));
    assert_true(str_eq(http_get(&h, HTTP_X_DRAY_MAX_COST_USD), STR("0.5")));
    assert_true(str_eq(http_get(&h, HTTP_ACCEPT), STR("a")));
    assert_true(http_get(&h, HTTP_COOKIE).p == NULL);
    assert_true(str_eq(http_get_name(&h, STR("x-other")), STR("y")) && http_get_name(&h, STR("x-othe")).p == NULL);
    static const bool hop[] = {false, false, false, false, true, false, true, false, false};
    for (unsigned i = 0; i < h.count; i++) assert_int_equal(http_hop_by_hop(&h, &h.header[i]), hop[i]);
}

static void test_targets(void **state) {
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } cases[] = {{"/", "/", ""},         {"/a/b", "/a/b", ""},
                 {"/a?", "/a", ""},      {"/a?b=/c?d", "/a", "b=/c?d"},
                 {"//a", "//a", ""},     {"http://h:80/p/q?r", "/p/q", "r"},
                 {"http://h", "/", ""},  {"http://h?x", "/", "x"},
                 {"https://h/", "/", ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char line[200];
        struct http_head h;
        int n = snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nhost: a\r\n\r\n", cases[i].target);
        assert_int_equal(http1_request(str_make(line, (size_t)n), &h), HTTP_OK);
        assert_true(str_eqz(h.target, cases[i].target) && str_eqz(h.path, cases[i].path));
        assert_true(str_eqz(h.query, cases[i].query));
    }
}

static void test_methods(void **state) {
    (void)state;
    static const char *const name[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"};
    for (size_t i = 0; i < COUNT(name); i++) {
        char line[100];
        struct http_head h;
        int n = snprintf(line, sizeof line, "%s / HTTP/1.0\r\n\r\n", name[i]);
        assert_int_equal(http1_request(str_make(line, (size_t)n), &h), HTTP_OK);
        assert_int_equal(h.method, i);
    }
}

static void test_keep_alive(void **state) {
    (void)state;
    static const struct {
        const char *head;
        bool keep;
    } cases[] = {{"HTTP/1.1 200 OK\r\n\r\n", true},
                 {"HTTP/1.0 200 OK\r\n\r\n", false},
                 {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", false},
                 {"HTTP/1.1 200 OK\r\nConnection: CLOSE\r\n\r\n", false},
                 {"HTTP/1.1 200 OK\r\nConnection: keep-alive, x\r\nConnection: ,\tclose ,\r\n\r\n", false},
                 {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true},
                 {"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n\r\n", false},
                 {"HTTP/1.1 200 OK\r\nConnection: closed\r\n\r\n", true},
                 {"HTTP/1.0 200 OK\r\nKeep-Alive: timeout=5\r\n\r\n", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_head h;
        assert_int_equal(http1_response(str_from(cases[i].head), &h), HTTP_OK);
        assert_int_equal(h.keep_alive, cases[i].keep);
        assert_int_equal(h.status, 200);
    }
}

static void test_expect(void **state) {
    (void)state;
    struct http_head h;
    assert_int_equal(http1_request(STR("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), &h), HTTP_OK);
    assert_false(h.expect_continue);
    assert_int_equal(http1_request(STR("POST / HTTP/1.1\r\nHost: a\r\nExpect: other\r\n\r\n"), &h), HTTP_OK);
    assert_false(h.expect_continue);
}

static void test_many_headers(void **state) {
    (void)state;
    char text[8192];
    for (int n = HTTP_HEADERS_MAX - 1; n <= HTTP_HEADERS_MAX + 1; n++) {
        struct http_head h;
        size_t at = (size_t)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < n; i++) at += (size_t)snprintf(text + at, sizeof text - at, "x-%d: %d\r\n", i, i);
        at += (size_t)snprintf(text + at, sizeof text - at, "\r\n");
        assert_int_equal(http1_response(str_make(text, at), &h), n <= HTTP_HEADERS_MAX ? HTTP_OK : HTTP_TOO_MANY);
        if (n <= HTTP_HEADERS_MAX) assert_int_equal(h.count, n);
    }
}

/* Every name of the table is found in any case, and nothing that only looks like one. */
static void test_names(void **state) {
    (void)state;
    static const char *const name[] = {
#define X(id, text) [HTTP_##id] = text,
        HTTP_NAMES(X)
#undef X
    };
    for (unsigned id = 1; id < HTTP_NAME_COUNT; id++) {
        char text[64];
        size_t n = strlen(name[id]);
        assert_int_equal(http_name_id(str_from(name[id])), id);
        for (size_t i = 0; i < n; i++) {
            memcpy(text, name[id], n + 1);
            if (text[i] >= 'a' && text[i] <= 'z') text[i] = (char)(text[i] - 32);
            assert_int_equal(http_name_id(str_make(text, n)), id);
            text[i] = '_';
            assert_int_equal(http_name_id(str_make(text, n)), HTTP_OTHER);
            text[i] = (char)(name[id][i] == '-' ? '-' - 32 : name[id][i] ^ 0x80);
            assert_int_equal(http_name_id(str_make(text, n)), HTTP_OTHER);
        }
        assert_int_equal(http_name_id(str_make(name[id], n - 1)), HTTP_OTHER);
    }
    assert_int_equal(http_name_id(STR("")), HTTP_OTHER);
    assert_int_equal(http_name_id(STR("a-name-longer-than-any-name-of-the-table")), HTTP_OTHER);
}

/* Every byte at every place of a name: good when RFC 9110 5.6.2 lists it; its lower case is found in any case. */
static void test_name_bytes(void **state) {
    (void)state;
    static const char listed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t len = 1; len <= 41; len += 8)
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 0; c < 256; c++) {
                char head[200] = "HTTP/1.1 200 OK\r\n", *name = head + 17;
                struct http_head h;
                memset(name, 'n', len);
                name[at] = (char)c;
                size_t n = 17 + len;
                n += (size_t)snprintf(head + n, sizeof head - n, ": some value\r\n\r\n");
                bool good = c && strchr(listed, (int)c);
                if (c == ':' && at > 0) continue; /* then the name ends there */
                if ((http1_response(str_make(head, n), &h) == HTTP_OK) != good)
                    fail_msg("%02x at %zu of %zu", c, at, len);
                if (good) assert_int_equal(h.header[0].name.n, len);
                assert_int_equal(http_token_char((unsigned char)c), good);
            }
}

static void test_head_end(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t end;
    } cases[] = {{"a\r\n\r\nb", 5},         {"a\n\nb", 3},      {"a\n\r\nb", 4}, {"a\r\n\nb", 4},
                 {"a\r\r\n\r", 0},          {"a\r\n \r\n", 0},  {"\r\n\r\n", 4}, {"", 0},
                 {"a\r\nb\r\n\r\n\r\n", 8}, {"\n\r\r\n\r\n", 6}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        str text = str_from(cases[i].text);
        size_t from = 0, end = http1_head_end(text, &from);
        if (end != cases[i].end) fail_msg("case %zu: %zu", i, end);
        if (end) check_end(str_take(text, end));
    }
    /* Searched once: what is behind `from` may change without being noticed. */
    char big[1000];
    memset(big, 'x', sizeof big);
    size_t from = 0;
    assert_int_equal(http1_head_end(str_make(big, 990), &from), 0);
    assert_int_equal(from, 990);
    memcpy(big, "\n\n", 2);
    assert_int_equal(http1_head_end(str_make(big, 1000), &from), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),   cmocka_unit_test(test_responses), cmocka_unit_test(test_request_fields),
        cmocka_unit_test(test_targets),    cmocka_unit_test(test_methods),   cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_expect),     cmocka_unit_test(test_names),     cmocka_unit_test(test_many_headers),
        cmocka_unit_test(test_name_bytes), cmocka_unit_test(test_head_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
