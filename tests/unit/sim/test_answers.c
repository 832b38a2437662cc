/* Answers of the simulated providers: they parse, depend only on seed and request, report what options say, and
 * streams carry the same answer as the whole. */
#include "sim/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct ask {
    arena a;
    buf out;
    struct sim_options o;
    struct sim_call c;
    jval body;
};

static int setup(void **state) {
    struct ask *k = calloc(1, sizeof *k);
    assert_non_null(k);
    arena_init(&k->a, 4096, 1 << 24);
    buf_init(&k->out, 1 << 24);
    sim_options_default(&k->o);
    *state = k;
    return 0;
}

static int teardown(void **state) {
    struct ask *k = *state;
    arena_free(&k->a);
    buf_free(&k->out);
    free(k);
    return 0;
}

/* Asks; the answer's text is in k->out. False when the request was refused. */
static bool ask(struct ask *k, const char *path, const char *body) {
    err e;
    jval root = {0};
    str raw = str_from(body);
    assert_true(!raw.n || json_check(raw, &root, NULL, NULL));
    const struct sim_surface *surface = sim_find(raw.n ? STR("POST") : STR("GET"), str_from(path), false);
    assert_non_null(surface);
    sim_call_init(&k->c, &k->a, &k->o, str_from(path), STR("alt=sse"), root, raw);
    k->c.surface = surface;
    buf_clear(&k->out);
    if (!surface->read(&k->c, &e)) return false;
    sim_compose(&k->c);
    if (k->c.stream)
        for (uint32_t step = 0; step <= k->c.pieces + 1; step++) surface->step(&k->c, step, &k->out);
    else {
        surface->write(&k->c, &k->out);
        assert_true(json_check(buf_view(&k->out), &k->body, NULL, NULL));
    }
    return true;
}

static int64_t number(struct ask *k, const char *group, const char *name) {
    int64_t n = -1;
    assert_true(json_i64(json_path(k->body, group, name, NULL), &n));
    return n;
}

static bool says(struct ask *k, const char *text) { return str_find(buf_view(&k->out), str_from(text)) >= 0; }

static jval first(jval array) {
    jval x = {0};
    jiter it = json_iter(array);
    json_item(&it, &x);
    return x;
}

#define CHAT "/v1/chat/completions"
#define ASK_CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"What is it?\"}]"

static void test_every_dialect_parses(void **state) {
    static const char *const asks[][2] = {
        {CHAT, ASK_CHAT ",\"n\":3}"},
        {"/v1/completions", "{\"model\":\"m\",\"prompt\":\"x\"}"},
        {"/v1/responses", "{\"model\":\"m\",\"input\":\"x\"}"},
        {"/v1/embeddings", "{\"model\":\"m\",\"input\":[\"x\",\"y\"]}"},
        {"/v1/moderations", "{\"input\":\"x\"}"},
        {"/v1/models", ""},
        {"/v1/models/vendor/name", ""},
        {"/v1/messages", "{\"model\":\"m\",\"max_tokens\":64,\"thinking\":{\"type\":\"enabled\"},\"messages\":[{"
                         "\"role\":\"user\",\"content\":\"x\"}]}"},
        {"/v1/messages/count_tokens", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"},
        {"/v1beta/models/g:generateContent", "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}]}"},
        {"/v1/models/g:countTokens", "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}]}"},
        {"/v1beta/models/g:embedContent", "{\"content\":{\"parts\":[{\"text\":\"x\"}]}}"},
        {"/v1beta/models/g:batchEmbedContents", "{\"requests\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}]}"},
        {"/v1beta/models", ""},
        {"/v1beta/models/g", ""},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) assert_true(ask(*state, asks[i][0], asks[i][1]));
}

static void test_same_seed_same_answer(void **state) {
    struct ask *k = *state;
    assert_true(ask(k, CHAT, ASK_CHAT "}"));
    assert_true(says(k, "[simulated]"));
    str one = arena_str(&k->a, buf_view(&k->out));
    assert_true(ask(k, CHAT, ASK_CHAT ",\"user\":\"u\"}"));
    assert_false(str_eq(one, buf_view(&k->out))); /* another request */
    assert_true(ask(k, CHAT, ASK_CHAT "}"));
    assert_true(str_eq(one, buf_view(&k->out)));
    k->o.seed = 2;
    assert_true(ask(k, CHAT, ASK_CHAT "}"));
    assert_false(str_eq(one, buf_view(&k->out)));
}

static void test_usage(void **state) {
    struct ask *k = *state;
    k->o.input_tokens = 1000;
    k->o.cached_tokens = 600;
    k->o.output_tokens = 12;
    k->o.reasoning_tokens = 30;
    assert_true(ask(k, CHAT, ASK_CHAT "}"));
    assert_int_equal(number(k, "usage", "prompt_tokens"), 1000);
    assert_int_equal(number(k, "usage", "completion_tokens"), 42);
    assert_int_equal(number(k, "usage", "total_tokens"), 1042);
    assert_true(says(k, "\"cached_tokens\":600") && says(k, "\"reasoning_tokens\":30"));
    /* Anthropic counts what the cache served apart. */
    assert_true(ask(k, "/v1/messages",
                    "{\"model\":\"m\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"));
    assert_int_equal(number(k, "usage", "input_tokens"), 400);
    assert_int_equal(number(k, "usage", "cache_read_input_tokens"), 600);
    assert_int_equal(number(k, "usage", "output_tokens"), 42);
    assert_true(ask(k, "/v1beta/models/g:generateContent", "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}]}"));
    assert_int_equal(number(k, "usageMetadata", "promptTokenCount"), 1000);
    assert_int_equal(number(k, "usageMetadata", "candidatesTokenCount"), 12);
    assert_int_equal(number(k, "usageMetadata", "thoughtsTokenCount"), 30);
    assert_int_equal(number(k, "usageMetadata", "totalTokenCount"), 1042);
}

static void test_max_tokens(void **state) {
    struct ask *k = *state;
    assert_true(ask(k, CHAT, ASK_CHAT ",\"max_completion_tokens\":2}"));
    assert_int_equal(number(k, "usage", "completion_tokens"), 2);
    assert_true(says(k, "\"finish_reason\":\"length\""));
    assert_true(ask(k, "/v1/messages",
                    "{\"model\":\"m\",\"max_tokens\":2,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"));
    assert_true(says(k, "\"stop_reason\":\"max_tokens\""));
}

static unsigned count(str s, const char *what) {
    unsigned n = 0;
    for (ptrdiff_t at; (at = str_find(s, str_from(what))) >= 0; n++) s = str_skip(s, (size_t)at + 1);
    return n;
}

/* As OpenAI does it: asked for, every chunk says "usage":null and one more chunk without choices has it. */
static void test_include_usage(void **state) {
    struct ask *k = *state;
    k->o.output_tokens = 5;
    assert_true(ask(k, CHAT, ASK_CHAT ",\"stream\":true}"));
    assert_int_equal(count(buf_view(&k->out), "usage"), 0);
    assert_int_equal(count(buf_view(&k->out), "data: "), 5 + 3);
    assert_true(str_ends(buf_view(&k->out), STR("data: [DONE]\n\n")));
    assert_true(ask(k, CHAT, ASK_CHAT ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"));
    assert_int_equal(count(buf_view(&k->out), "\"usage\":null"), 5 + 2);
    assert_int_equal(count(buf_view(&k->out), "\"choices\":[],\"usage\":{"), 1);
    assert_int_equal(count(buf_view(&k->out), "data: "), 5 + 4);
    assert_false(ask(k, CHAT, ASK_CHAT ",\"stream_options\":{\"include_usage\":true}}")); /* only with stream */
}

#define TOOLS                                                                                                     \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":"         \
    "\"object\","                                                                                                 \
    "\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\",\"minimum\":3,\"maximum\":3}}" \
    "}}}]"

static void test_tools(void **state) {
    struct ask *k = *state;
    jval arguments;
    assert_true(ask(k, CHAT, ASK_CHAT TOOLS "}"));
    assert_true(says(k, "\"finish_reason\":\"tool_calls\"") && says(k, "\"name\":\"get_weather\""));
    assert_int_equal(k->c.calls, 1);
    assert_true(json_check(k->c.called[0].arguments, &arguments, NULL, NULL));
    int64_t days;
    assert_true(json_i64(json_get(arguments, STR("days")), &days) && days == 3);
    assert_int_equal(json_get(arguments, STR("city")).type, J_STRING);
    /* none, and after a tool's result: text */
    assert_true(ask(k, CHAT, ASK_CHAT TOOLS ",\"tool_choice\":\"none\"}"));
    assert_int_equal(k->c.calls, 0);
    assert_true(
        ask(k, CHAT,
            "{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"21\"}]" TOOLS
            "}"));
    assert_int_equal(k->c.calls, 0);
    /* several at once, streamed: each call's head once, its arguments in pieces */
    k->o.tool_calls = 3;
    assert_true(ask(k, CHAT, ASK_CHAT TOOLS ",\"stream\":true}"));
    assert_int_equal(count(buf_view(&k->out), "\"name\":\"get_weather\""), 3);
    assert_true(says(k, "{\"tool_calls\":[{\"index\":2,\"id\":\"call_"));
}

static void test_json_schema(void **state) {
    struct ask *k = *state;
    assert_true(ask(k, CHAT,
                    ASK_CHAT ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"w\","
                             "\"schema\":{\"type\":\"object\","
                             "\"properties\":{\"kind\":{\"enum\":[\"a\",\"b\"]},\"nested\":{\"$ref\":\"#/$defs/"
                             "n\"},\"either\":{\"anyOf\":["
                             "{\"type\":\"boolean\"}]},\"maybe\":{\"type\":[\"null\",\"number\"]},\"rows\":{"
                             "\"type\":\"array\",\"minItems\":2,"
                             "\"items\":{\"const\":\"c\"}}},\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{"
                             "\"loop\":{\"$ref\":\"#/$defs/n\"}}}}}}}}"));
    jval v;
    assert_true(json_check(k->c.text, &v, NULL, NULL));
    assert_true(json_is(json_get(v, STR("kind")), STR("a")));
    assert_int_equal(json_path(v, "nested", "loop", NULL).type, J_OBJECT); /* a schema that contains itself ends */
    assert_true(json_get(v, STR("either")).type == J_TRUE || json_get(v, STR("either")).type == J_FALSE);
    assert_int_equal(json_get(v, STR("maybe")).type, J_NUMBER);
    assert_true(str_eq(json_get(v, STR("rows")).raw, STR("[\"c\",\"c\"]")));
}

/* The stream's pieces are the whole answer. */
static void test_streams(void **state) {
    struct ask *k = *state;
    assert_true(ask(k, "/v1/responses", "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}"));
    assert_int_equal(count(buf_view(&k->out), "event: response.output_text.delta"), k->c.pieces);
    assert_true(says(k, "event: response.completed"));
    assert_true(ask(k, "/v1/messages",
                    "{\"model\":\"m\",\"max_tokens\":64,\"stream\":true,\"messages\":[{\"role\":\"user\","
                    "\"content\":\"x\"}]}"));
    assert_int_equal(count(buf_view(&k->out), "\"type\":\"text_delta\""), k->c.pieces);
    assert_true(str_ends(buf_view(&k->out), STR("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")));
    assert_true(
        ask(k, "/v1beta/models/g:streamGenerateContent", "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}]}"));
    assert_int_equal(count(buf_view(&k->out), "data: "), k->c.pieces + 1);
    assert_true(says(k, "\"finishReason\":\"STOP\""));
}

static void test_vectors(void **state) {
    struct ask *k = *state;
    assert_true(ask(k, "/v1/embeddings", "{\"model\":\"m\",\"input\":[\"x\",\"y\",\"x\"],\"dimensions\":8}"));
    float x[8], y[8];
    double length = 0;
    sim_vector(&k->c, STR("x"), 8, x);
    sim_vector(&k->c, STR("y"), 8, y);
    for (int i = 0; i < 8; i++) length += (double)x[i] * (double)x[i];
    assert_true(length > 0.999 && length < 1.001);
    assert_memory_not_equal(x, y, sizeof x);
    jval data = json_get(k->body, STR("data"));
    assert_int_equal(json_get(first(data), STR("embedding")).type, J_ARRAY);
    assert_int_equal(count(buf_view(&k->out), "\"object\":\"embedding\""), 3);
}

static void test_bad_requests(void **state) {
    static const char *const asks[][2] = {
        {CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"},
        {CHAT, "{\"model\":\"m\"}"},
        {CHAT, "{\"model\":\"m\",\"messages\":[]}"},
        {CHAT, ASK_CHAT ",\"n\":100}"},
        {"/v1/messages",
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"}, /* no max_tokens */
        {"/v1/embeddings", "{\"model\":\"m\"}"},
        {"/v1beta/models/g:generateContent", "{}"},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) assert_false(ask(*state, asks[i][0], asks[i][1]));
    assert_null(sim_find(STR("POST"), STR("/v1/other"), false));
    assert_null(sim_find(STR("GET"), STR("/v1/chat/completions"), false));
}

static void test_errors_by_dialect(void **state) {
    struct ask *k = *state;
    static const struct {
        enum sim_dialect dialect;
        const char *says;
    } cases[] = {{SIM_OPENAI, "\"code\":\"rate_limit_exceeded\""},
                 {SIM_ANTHROPIC, "\"type\":\"rate_limit_error\""},
                 {SIM_GEMINI, "\"status\":\"RESOURCE_EXHAUSTED\""}};
    for (size_t i = 0; i < 3; i++) {
        buf_clear(&k->out);
        sim_error(cases[i].dialect, 429, STR("why \"so\""), &k->out);
        assert_true(json_check(buf_view(&k->out), &k->body, NULL, NULL));
        assert_true(says(k, cases[i].says));
    }
}

static void test_options(void **state) {
    struct ask *k = *state;
    assert_true(sim_option_set(&k->o, STR("latency"), STR("50ms"), NULL) && k->o.latency_us == 50000);
    assert_true(sim_option_set(&k->o, STR("error-rate"), STR("0.25"), NULL) && k->o.error_rate == 0.25);
    assert_true(sim_option_set(&k->o, STR("seed"), STR("7"), NULL) && k->o.seed == 7);
    assert_false(sim_option_set(&k->o, STR("error-rate"), STR("1.5"), NULL));
    assert_false(sim_option_set(&k->o, STR("seed"), STR("x"), NULL));
    assert_false(sim_option_set(&k->o, STR("sed"), STR("1"), NULL));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_every_dialect_parses),
                                       T(test_same_seed_same_answer),
                                       T(test_usage),
                                       T(test_max_tokens),
                                       T(test_include_usage),
                                       T(test_tools),
                                       T(test_json_schema),
                                       T(test_streams),
                                       T(test_vectors),
                                       T(test_bad_requests),
                                       T(test_errors_by_dialect),
                                       T(test_options)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
