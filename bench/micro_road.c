/* micro_road: what the parser's parts of one same-dialect call cost, each alone, in nanoseconds (best of several
 * rounds). Run by hand: build/bench/micro_road build/bench-run/bodies/2k.json */
#include "chat/openai.h"
#include "net/http1.h"
#include "net/sse.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 15, REPEATS = 2000, BODY_MAX = 1 << 20 };

static const char request_head[] =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:18001\r\nAuthorization: Bearer sk-bench-0123456789\r\n"
    "Content-Type: application/json\r\nContent-Length: 2000\r\n\r\n";
static const char answer_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    "openai-processing-ms: 12\r\nopenai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\n"
    "x-ratelimit-remaining-requests: 9999\r\nContent-Length: 560\r\n\r\n";
static const char answer_body[] =
    "{\"id\":\"chatcmpl-mock000000000000000000000001\",\"object\":\"chat.completion\",\"created\":1700000000,"
    "\"model\":\"mock-1\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"This is a fixed answer from the "
    "mock upstream. It is "
    "long enough to look like a short chat reply, with some \\\"quoted\\\" text, a newline\\nand nothing else of "
    "interest in it at "
    "all.\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":120,"
    "\"completion_tokens\":42,"
    "\"total_tokens\":162,\"prompt_tokens_details\":{\"cached_tokens\":0}},\"system_fingerprint\":\"fp_mock\"}";
static const char event[] = "data: "
                            "{\"id\":\"chatcmpl-mock000000000000000000000001\",\"object\":\"chat.completion."
                            "chunk\",\"created\":1700000000,"
                            "\"model\":\"mock-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@"
                            "0000000000000000000 tok\"},\"finish_reason\":null}]}\n\n";

static str body;
static jscan scan;
static struct openai_request request;
static arena memory;
static struct sse splitter;
static struct answer stream_answer;
static buf replaced;
static uint64_t sink;

static void head_request(void) {
    struct http_head h;
    size_t from = 0;
    str text = {request_head, sizeof request_head - 1};
    sink += http1_head_end(text, &from) + (uint64_t)http1_request(text, &h);
}

static void head_answer(void) {
    struct http_head h;
    size_t from = 0;
    str text = {answer_head, sizeof answer_head - 1};
    sink += http1_head_end(text, &from) + (uint64_t)http1_response(text, &h);
}

static void scan_body(void) {
    arena a;
    jscan s;
    arena_init(&a, 2048, 1 << 20);
    json_scan_init(&s, &a);
    json_scan(&s, body, true);
    sink += s.count;
    arena_free(&a);
}

static void read_request(void) {
    str param;
    err e;
    sink += openai_request_read(&request, &scan, body, true, &param, &e);
}

static void splice_request(void) {
    struct splice out[OPENAI_SPLICES_MAX];
    arena a;
    arena_init(&a, 512, 1 << 20);
    sink += openai_splices(&request, &scan, body, STR("gpt-4o-mini"), true, &a, out);
    arena_free(&a);
}

static void read_facts(void) {
    struct facts f;
    struct prompt p;
    facts_init(&f);
    openai_facts(&scan, body, &f, &p);
    sink += f.input_tokens;
}

static void read_answer(void) {
    struct answer a = {.done = false};
    openai_answer_read(&a, str_make(answer_body, sizeof answer_body - 1));
    sink += a.done;
}

static void tap_event(void) {
    struct sse_event e;
    str in = {event, sizeof event - 1};
    while (sse_next(&splitter, &in, &e))
        sink += openai_tap(&stream_answer, e.bytes, e.data, false, false, &replaced);
}

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void show(const char *name, void (*part)(void)) {
    double least = 1e18;
    for (int r = 0; r < ROUNDS; r++) {
        double t = now_ns();
        for (int i = 0; i < REPEATS; i++) part();
        t = (now_ns() - t) / REPEATS;
        if (t < least) least = t;
    }
    printf("%-28s %8.0f\n", name, least);
}

int main(int argc, char **argv) {
    static char text[BODY_MAX];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f) {
        fputs("usage: micro_road BODY.json\n", stderr);
        return 2;
    }
    body = str_make(text, fread(text, 1, sizeof text, f));
    fclose(f);
    arena_init(&memory, 4096, 1 << 20);
    json_scan_init(&scan, &memory);
    if (json_scan(&scan, body, true) != JSON_DONE) return 1;
    sse_init(&splitter, 1 << 20);
    buf_init(&replaced, 1 << 20);
    show("request head", head_request);
    show("scan of the body", scan_body);
    show("its members", read_request);
    show("splices", splice_request);
    show("facts", read_facts);
    show("answer head", head_answer);
    show("answer body", read_answer);
    show("one event of a stream", tap_event);
    sse_free(&splitter);
    buf_free(&replaced);
    arena_free(&memory);
    return sink == 42;
}
