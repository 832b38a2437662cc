/* sse: events by table in every split, exact bytes, and recorded streams cut at random. */
#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "net/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
enum { MAX = 16 << 20 };

/* Appends what an event says in a form that can be compared: bytes in full, then the parts. */
static void note(buf *b, const struct sse_event *e) {
    buf_printf(b, "[%zu|" STR_FMT "|%d|%d|%zu|", e->bytes.n, STR_ARG(e->event), e->has_data, e->single, e->data.n);
    buf_str(b, e->data);
    buf_char(b, ']');
    if (e->single) assert_true(e->data.p == e->bytes.p + e->data_at && e->data_at + e->data.n <= e->bytes.n);
    if (!e->has_data) assert_true(e->data.n == 0);
}

/* Feeds `in` in pieces of the lengths that `next` gives, each in memory of its own; what came is noted in `notes`,
 * all bytes and the rest in `bytes`. */
static unsigned feed(str in, size_t (*next)(void *), void *ctx, buf *notes, buf *bytes) {
    struct sse s;
    struct sse_event e;
    unsigned events = 0;
    sse_init(&s, MAX);
    while (in.n) {
        size_t n = next(ctx);
        if (n > in.n) n = in.n;
        char *piece = malloc(n ? n : 1);
        memcpy(piece, in.p, n);
        str rest = {piece, n};
        for (; sse_next(&s, &rest, &e); events++) {
            note(notes, &e);
            buf_str(bytes, e.bytes);
        }
        assert_int_equal(rest.n, 0);
        free(piece);
        in = str_skip(in, n);
    }
    if (sse_finish(&s, &e)) {
        note(notes, &e);
        buf_str(bytes, e.bytes);
        events++;
    }
    buf_str(bytes, sse_rest(&s));
    buf_printf(notes, "rest %zu", sse_rest(&s).n);
    sse_free(&s);
    return events;
}

static size_t whole(void *ctx) {
    (void)ctx;
    return SIZE_MAX;
}
static size_t one(void *ctx) {
    (void)ctx;
    return 1;
}
static size_t two_parts(void *ctx) {
    size_t *first = ctx, n = *first;
    *first = SIZE_MAX;
    return n;
}
static size_t random_size(void *ctx) { return rng_next(ctx) % 97; }

static void init_bufs(buf *a, buf *b) {
    buf_init(a, 1u << 30);
    buf_init(b, 1u << 30);
}

/* The notes of one feed; every other way to cut must give the same and all bytes back. */
static void check_splits(str in, buf *want, unsigned randoms) {
    buf bytes, notes, again;
    init_bufs(&notes, &bytes);
    buf_init(&again, 1u << 30);
    feed(in, whole, NULL, want, &bytes);
    assert_true(str_eq(buf_view(&bytes), in));
    struct rng r;
    rng_seed(&r, in.n);
    for (size_t i = 0; i < 1 + randoms + (in.n < 300 ? in.n : 0); i++) {
        size_t cut = i - 1 - randoms;
        buf_clear(&again);
        buf_clear(&bytes);
        if (i == 0)
            feed(in, one, NULL, &again, &bytes);
        else if (i <= randoms)
            feed(in, random_size, &r, &again, &bytes);
        else
            feed(in, two_parts, &cut, &again, &bytes);
        if (!str_eq(buf_view(&again), buf_view(want)))
            fail_msg("way %zu to cut gives other events:\n%.*s\nnot\n%.*s", i, (int)again.n, again.p, (int)want->n,
                     want->p);
        assert_true(str_eq(buf_view(&bytes), in));
    }
    buf_free(&bytes);
    buf_free(&notes);
    buf_free(&again);
}

static void test_events(void **state) {
    (void)state;
    static const struct {
        const char *in, *notes;
    } cases[] = {
        {"data: a\n\ndata: b\n\n", "[9||1|1|1|a][9||1|1|1|b]rest 0"},
        {"data: a\r\n\r\ndata: b\r\n\r\n", "[11||1|1|1|a][11||1|1|1|b]rest 0"},
        {"data: a\r\rdata: b\r\r", "[9||1|1|1|a][9||1|1|1|b]rest 0"},
        {"data: a\r\n\ndata: b\n\r\n", "[10||1|1|1|a][10||1|1|1|b]rest 0"},
        {"data: a\n\r\rdata: b\r\n\r", "[9||1|1|1|a][1||0|0|0|][10||1|1|1|b]rest 0"},
        {"data:a\n\n", "[8||1|1|1|a]rest 0"},
        {"data:  a\n\n", "[10||1|1|2| a]rest 0"},
        {"data:\n\n", "[7||1|1|0|]rest 0"},
        {"data: \n\n", "[8||1|1|0|]rest 0"},
        {"data\n\n", "[6||1|1|0|]rest 0"},
        {"datax: a\n\n", "[10||0|0|0|]rest 0"},
        {" data: a\n\n", "[10||0|0|0|]rest 0"},
        {"Data: a\n\n", "[9||0|0|0|]rest 0"},
        {"data : a\n\n", "[10||0|0|0|]rest 0"},
        {"data: a\ndata: b\n\n", "[17||1|0|3|a\nb]rest 0"},
        {"data: a\r\ndata: b\r\ndata:\r\n\r\n", "[27||1|0|4|a\nb\n]rest 0"},
        {"data: a\ndata: b\n\ndata: c\ndata: d\n\n", "[17||1|0|3|a\nb][17||1|0|3|c\nd]rest 0"},
        {"data\ndata\n\n", "[11||1|0|1|\n]rest 0"},
        {"event: x\ndata: {}\n\n", "[19|x|1|1|2|{}]rest 0"},
        {"event: x\nevent: y\nid: 1\nretry: 5\ndata: :b:\n\n", "[44|y|1|1|3|:b:]rest 0"},
        {"event\ndata: a\n\n", "[15||1|1|1|a]rest 0"},
        {": comment\n\n", "[11||0|0|0|]rest 0"},
        {":\n: keep-alive\ndata: a\n\n", "[24||1|1|1|a]rest 0"},
        {": OPENROUTER PROCESSING\n\ndata: [DONE]\n\n", "[25||0|0|0|][14||1|1|6|[DONE]]rest 0"},
        {"\n\ndata: a\n\n\n", "[1||0|0|0|][1||0|0|0|][9||1|1|1|a][1||0|0|0|]rest 0"},
        {"\xef\xbb\xbf"
         "data: a\n\n\xef\xbb\xbf"
         "data: b\n\n",
         "[12||1|1|1|a][12||0|0|0|]rest 0"},
        {"data: a\n\ndata: cut", "[9||1|1|1|a]rest 9"},
        {"data: a\n", "rest 8"},
        {"data: a\r\n\r", "[10||1|1|1|a]rest 0"},
        {"data: a\r", "rest 8"},
        {"\r", "[1||0|0|0|]rest 0"},
        {"\xef\xbb", "rest 2"},
        {"data: a long line of more than sixteen bytes\n\n",
         "[46||1|1|38|a long line of more than sixteen bytes]rest 0"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf notes;
        buf_init(&notes, 1 << 20);
        check_splits(str_from(cases[i].in), &notes, 0);
        if (!str_eqz(buf_view(&notes), cases[i].notes)) fail_msg("%s: %.*s", cases[i].in, (int)notes.n, notes.p);
        buf_free(&notes);
    }
}

static void test_no_copy(void **state) {
    (void)state;
    struct sse s;
    struct sse_event e;
    str text = STR("data: a\n\ndata: b\n\ndata: c"), in = text;
    sse_init(&s, 100);
    assert_true(sse_next(&s, &in, &e) && e.bytes.p == text.p && in.p == text.p + 9);
    assert_true(sse_next(&s, &in, &e) && e.bytes.p == text.p + 9);
    assert_true(s.held.cap == 0);
    assert_false(sse_next(&s, &in, &e));
    assert_true(str_eq(sse_rest(&s), STR("data: c")));
    text = in = STR("\n\ndata: d\n\n");
    assert_true(sse_next(&s, &in, &e) && str_eq(e.bytes, STR("data: c\n\n")) && str_eq(e.data, STR("c")));
    assert_int_equal(sse_rest(&s).n, 0);
    assert_true(sse_next(&s, &in, &e) && e.bytes.p == text.p + 2); /* and back to views */
    assert_false(sse_next(&s, &in, &e));
    assert_false(sse_finish(&s, &e));
    sse_free(&s);
}

static void test_bound(void **state) {
    (void)state;
    struct sse s;
    struct sse_event e;
    buf bytes;
    buf_init(&bytes, 1 << 20);
    sse_init(&s, 1000);
    str piece = STR("data: 0123456789"), in = piece;
    int fed = 0;
    for (; !s.held.failed; fed++) {
        in = piece;
        assert_false(sse_next(&s, &in, &e));
    }
    assert_int_equal(fed, 63); /* 62 * 16 = 992 fit */
    assert_true(str_eq(in, piece) && sse_rest(&s).n == 992);
    in = STR("\n\n");
    assert_false(sse_next(&s, &in, &e));
    assert_true(in.n == 2 && sse_rest(&s).n == 992);
    assert_false(sse_finish(&s, &e));
    sse_free(&s);
    buf_free(&bytes);
}

/* ---- recorded streams ---- */

static FILE *open_shared(const char *name) {
    const char *root[] = {getenv("DRAY_SHARED"), "../shared", "../../shared"};
    char path[4096];
    for (size_t i = 0; i < COUNT(root); i++) {
        if (!root[i]) continue;
        snprintf(path, sizeof path, "%s/data/traffic/dev/%s.jsonl", root[i], name);
        FILE *f = fopen(path, "r");
        if (f) return f;
    }
    return NULL;
}

static bool is_stream(jval response) {
    jval headers = json_get(response, STR("headers"));
    return str_starts(json_get(headers, STR("content-type")).raw, STR("text/event-stream"));
}

static void test_recorded(void **state) {
    (void)state;
    static const char *const name[] = {"openai",       "anthropic", "gemini",     "mistral", "groq",
                                       "deepseek",     "azure",     "openrouter", "xai",     "cohere",
                                       "peer-gateway", "vertex",    "perplexity"};
    char *line = NULL;
    size_t cap = 0, streams = 0, events = 0;
    for (size_t i = 0; i < COUNT(name); i++) {
        FILE *f = open_shared(name[i]);
        if (!f) continue;
        for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
            jval root, response;
            assert_true(json_check(str_make(line, (size_t)n), &root, NULL, NULL));
            response = json_get(root, STR("response"));
            if (!is_stream(response)) continue;
            arena a;
            buf notes, bytes;
            arena_init(&a, 4096, 1u << 30);
            init_bufs(&notes, &bytes);
            str body = json_text(json_get(response, STR("body")), &a);
            check_splits(body, &notes, 5);
            streams++;
            events += feed(body, whole, NULL, &notes, &bytes);
            buf_free(&notes);
            buf_free(&bytes);
            arena_free(&a);
        }
        fclose(f);
    }
    free(line);
    if (!streams) {
        print_message("SKIPPED: no recorded traffic (DRAY_SHARED or ../shared)\n");
        skip();
    }
    print_message("%zu recorded streams, %zu events\n", streams, events);
    assert_true(events > streams);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_events), cmocka_unit_test(test_no_copy),
                                       cmocka_unit_test(test_bound), cmocka_unit_test(test_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
