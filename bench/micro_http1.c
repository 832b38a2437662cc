/* micro_http1: what finding the end of a head of ten headers and parsing it costs, and decoding a chunked body of
 * small chunks. Run by hand: build/bench/micro_http1 */
#include "net/http1.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 15, REPS = 20000 };

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const char head[] = "POST /v1/chat/completions HTTP/1.1\r\n"
                           "Host: 127.0.0.1:4000\r\n"
                           "Accept: application/json\r\n"
                           "Accept-Encoding: gzip, deflate, zstd\r\n"
                           "Connection: keep-alive\r\n"
                           "User-Agent: OpenAI/Python 1.99.1\r\n"
                           "Authorization: Bearer sk-test-0123456789abcdef0123456789abcdef\r\n"
                           "X-Stainless-Lang: python\r\n"
                           "X-Stainless-Package-Version: 1.99.1\r\n"
                           "Content-Type: application/json\r\n"
                           "Content-Length: 2048\r\n\r\n";

static uint64_t sink;

static void parse_once(void) {
    struct http_head h;
    size_t from = 0, end = http1_head_end(str_make(head, sizeof head - 1), &from);
    sink += end + http1_request(str_make(head, end), &h) + h.count + (size_t)h.length;
}

static char body[8192], work[8192];
static size_t body_len;

static void chunk_once(void) {
    struct http_chunked c = {0};
    size_t used, data;
    memcpy(work, body, body_len);
    sink += http1_chunked(&c, work, body_len, &used, &data) + used + data;
}

static double best(void (*f)(void)) {
    double least = 1e18;
    for (int r = 0; r < ROUNDS; r++) {
        double t = now_ns();
        for (int i = 0; i < REPS; i++) f();
        t = (now_ns() - t) / REPS;
        if (t < least) least = t;
    }
    return least;
}

int main(void) {
    for (int i = 0; i < 30; i++) body_len += (size_t)sprintf(body + body_len, "c8\r\n%0200d\r\n", i);
    body_len += (size_t)sprintf(body + body_len, "0\r\n\r\n");
    printf("head of %zu bytes, 10 headers: %.0f ns\n", sizeof head - 1, best(parse_once));
    printf("chunked body of %zu bytes, 30 chunks: %.0f ns\n", body_len, best(chunk_once));
    return sink == 42;
}
