/* openai: requests read and spliced, facts, usage in every provider's shape, the tap. */
#include "base/hash.h"
#include "chat/openai.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    arena a;
    jscan s;
    str body;
    struct openai_request r;
    str param;
    err e;
};

static bool load(struct fixture *f, const char *body) {
    *f = (struct fixture){.body = str_from(body)};
    arena_init(&f->a, 1024, 1 << 20);
    json_scan_init(&f->s, &f->a);
    assert_int_equal(json_scan(&f->s, f->body, true), JSON_DONE);
    return openai_request_read(&f->r, &f->s, f->body, true, &f->param, &f->e);
}

static void drop(struct fixture *f) { arena_free(&f->a); }

/* ---- requests ---- */

static void test_request_read(void **state) {
    (void)state;
    static const struct {
        const char *body, *param; /* NULL: good */
    } cases[] = {
        {"{\"model\":\"gpt\"}", NULL},
        {"{\"model\":\"gpt\",\"stream\":null,\"tools\":null,\"metadata\":null,\"stream_options\":null}", NULL},
        {"{\"messages\":[]}", "model"},
        {"{\"model\":\"\"}", "model"},
        {"{\"model\":3}", "model"},
        {"{\"model\":null}", "model"},
        {"{\"model\":\"m\",\"stream\":\"true\"}", "stream"},
        {"{\"model\":\"m\",\"stream\":1}", "stream"},
        {"{\"model\":\"m\",\"messages\":\"hi\"}", "messages"},
        {"{\"model\":\"m\",\"tools\":{}}", "tools"},
        {"{\"model\":\"m\",\"stream_options\":true}", "stream_options"},
        {"{\"model\":\"m\",\"metadata\":[]}", "metadata"},
        {"[]", ""},
        {"\"model\"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        bool good = load(&f, cases[i].body);
        assert_int_equal(good, cases[i].param == NULL);
        if (!good) {
            assert_true(str_eqz(f.param, cases[i].param));
            assert_true(f.e.msg[0]);
        }
        drop(&f);
    }
    struct fixture f;
    assert_true(load(&f, "{\"m\\u006fdel\":\"x\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"));
    assert_true(f.r.is_stream && f.r.include_usage && json_is(f.r.model, STR("x")));
    drop(&f);
}

static void check_splices(const char *body, const char *model, bool inject, const char *want) {
    struct fixture f;
    assert_true(load(&f, body));
    struct splice sp[OPENAI_SPLICES_MAX];
    unsigned n = openai_splices(&f.r, &f.s, f.body, str_from(model), inject, &f.a, sp);
    buf out;
    buf_init(&out, 1 << 16);
    uint32_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        assert_true(sp[i].start >= at && sp[i].end >= sp[i].start);
        buf_add(&out, f.body.p + at, sp[i].start - at);
        buf_str(&out, sp[i].with);
        at = sp[i].end;
    }
    buf_str(&out, str_skip(f.body, at));
    buf_char(&out, 0);
    assert_string_equal(out.p, want);
    buf_free(&out);
    drop(&f);
}

static void test_splices(void **state) {
    (void)state;
    /* model */
    check_splices("{\"model\":\"auto\",\"x\":1}", "gpt-5", false, "{\"model\":\"gpt-5\",\"x\":1}");
    check_splices("{ \"x\" : 1 , \"model\" : \"a\\u0062\" }", "q\"\n", false,
                  "{ \"x\" : 1 , \"model\" : \"q\\\"\\n\" }");
    check_splices("{\"model\":\"same\"}", "same", true, "{\"model\":\"same\"}");
    /* stream_options */
    check_splices("{\"model\":\"m\",\"stream\":true}", "m", true,
                  "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    check_splices("{\"stream\":true ,\"model\":\"m\"}", "n", true,
                  "{\"stream\":true,\"stream_options\":{\"include_usage\":true} ,\"model\":\"n\"}");
    check_splices("{\"model\":\"m\",\"stream\":false}", "m", true, "{\"model\":\"m\",\"stream\":false}");
    check_splices("{\"model\":\"m\",\"stream\":true,\"stream_options\":null}", "m", true,
                  "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    check_splices("{\"model\":\"m\",\"stream\":true,\"stream_options\":{ }}", "m", true,
                  "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true }}");
    check_splices("{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_obfuscation\":false}}", "m",
                  true,
                  "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"include_"
                  "obfuscation\":false}}");
    check_splices("{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":false}}", "m", true,
                  "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    check_splices("{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "m", true,
                  "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    check_splices("{\"model\":\"m\",\"stream\":true,\"stream_options\":{}}", "m", false,
                  "{\"model\":\"m\",\"stream\":true,\"stream_options\":{}}");
    /* metadata */
    check_splices("{\"model\":\"m\",\"metadata\":{\"dray_task\":\"x\"}}", "m", false, "{\"model\":\"m\"}");
    check_splices("{\"metadata\":{\"dray_task\":\"x\"}, \"model\":\"m\"}", "m", false, "{\"model\":\"m\"}");
    check_splices("{\"model\":\"m\" , \"metadata\":{\"dray_task\":\"x\"} ,\"n\":1}", "m", false,
                  "{\"model\":\"m\" ,\"n\":1}");
    check_splices("{\"model\":\"m\",\"metadata\":{\"a\" : 1,\"dray_task\":\"x\",\"b\":\"y\"}}", "m", false,
                  "{\"model\":\"m\",\"metadata\":{\"a\" : 1,\"b\":\"y\"}}");
    check_splices("{\"model\":\"m\",\"metadata\":{\"dr\\u0061y_x\":1,\"b\":\"y\"}}", "m", false,
                  "{\"model\":\"m\",\"metadata\":{\"b\":\"y\"}}");
    check_splices("{\"model\":\"m\",\"metadata\":{}}", "m", false, "{\"model\":\"m\",\"metadata\":{}}");
    check_splices("{\"model\":\"m\",\"metadata\":{ \"a\" : \"dray_x\" }}", "m", false,
                  "{\"model\":\"m\",\"metadata\":{ \"a\" : \"dray_x\" }}");
    /* everything at once: an insertion touches a removal */
    check_splices("{\"stream\":true,\"metadata\":{\"dray_task\":\"x\"},\"model\":\"m\"}", "n", true,
                  "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\":\"n\"}");
}

/* ---- facts ---- */

static void facts_of(struct fixture *f, const char *body, struct facts *facts, struct prompt *p) {
    *facts = (struct facts){0};
    load(f, body);
    openai_facts(&f->s, f->body, facts, p);
}

static void test_facts_chat(void **state) {
    (void)state;
    struct fixture f;
    struct facts x;
    struct prompt p;
    facts_of(&f,
             "{\"model\":\"m\",\"max_completion_tokens\":77,\"stream\":true,\"tools\":[{},{}],"
             "\"response_format\":{\"type\":\"json_schema\"},\"messages\":["
             "{\"role\":\"system\",\"content\":\"Be \\u00e9.\"},{\"role\":\"user\",\"content\":\"one\"},"
             "{\"role\":\"assistant\",\"content\":\"two\"},"
             "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"three\"},"
             "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},"
             "{\"type\":\"text\",\"text\":\"fo\\nur\"}]}]}",
             &x, &p);
    assert_int_equal(x.input_length, 5 + 3 + 3 + 5 + 5);
    assert_int_equal(x.output_tokens, 77);
    assert_int_equal(x.tool_count, 2);
    assert_true(x.tools && x.stream && x.vision && x.schema && p.schema && !x.audio);
    assert_int_equal(x.turns, 4);
    assert_true(x.system_hash != 0);
    assert_int_equal(p.system_count, 1);
    assert_int_equal(p.images, 1);
    assert_int_equal(p.user_count, 2);
    assert_true(str_eqz(p.user[0].raw, "three") && str_eqz(p.user[1].raw, "fo\\nur") && p.user[1].esc);
    assert_int_equal(p.history_count, 2);
    assert_true(str_eqz(p.history[0].raw, "one") && !p.history[0].assistant);
    assert_true(str_eqz(p.history[1].raw, "two") && p.history[1].assistant);
    assert_false(p.agent_step);
    drop(&f);
}

static void test_facts_agent(void **state) {
    (void)state;
    struct fixture f;
    struct facts x;
    struct prompt p;
    facts_of(&f,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":"
             "\"b\"},"
             "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\","
             "\"arguments\":\"{}\"}}]},"
             "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"result\"}]}",
             &x, &p);
    assert_true(p.agent_step);
    assert_int_equal(p.user_count, 2); /* in a row: one turn */
    assert_int_equal(x.input_length, 8);
    assert_int_equal(x.turns, 4);
    drop(&f);
    facts_of(&f,
             "{\"model\":\"m\",\"instructions\":\"sys\",\"max_output_tokens\":9,\"text\":{\"format\":{\"type\":"
             "\"json_schema\"}},"
             "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"hello\"},{\"type\":"
             "\"input_image\","
             "\"image_url\":\"http://x\"}]},{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"{}\"},"
             "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"done\"}]}",
             &x, &p);
    assert_true(p.agent_step && x.schema && x.vision);
    assert_int_equal(x.input_length, 3 + 5 + 4);
    assert_int_equal(x.output_tokens, 9);
    assert_true(str_eqz(p.user[0].raw, "hello") && p.system_count == 1);
    drop(&f);
}

static void test_facts_inputs(void **state) {
    (void)state;
    static const struct {
        const char *body;
        uint32_t chars, tokens; /* 0: not checked */
    } cases[] = {
        {"{\"model\":\"m\",\"input\":\"hello\"}", 5, 1},
        {"{\"model\":\"m\",\"input\":[\"hello\",\"you\"]}", 8, 2},
        {"{\"model\":\"m\",\"input\":[1,2,3,4]}", 0, 4},
        {"{\"model\":\"m\",\"input\":[[1,2],[3]]}", 0, 3},
        {"{\"model\":\"m\",\"prompt\":\"hello\"}", 5, 1},
        {"{\"model\":\"m\",\"input\":[{\"type\":\"text\",\"text\":\"abc\"}]}", 3, 1},
        {"{\"model\":\"m\",\"query\":\"ab\",\"documents\":[\"cd\",{\"text\":\"ef\"}]}", 6, 0},
        {"{\"model\":\"m\",\"messages\":[]}", 0, 0},
        {"{\"model\":\"m\",\"messages\":[3,null,{\"role\":7,\"content\":{}}]}", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct facts x;
        struct prompt p;
        facts_of(&f, cases[i].body, &x, &p);
        assert_int_equal(x.input_length, cases[i].chars);
        if (cases[i].tokens) assert_int_equal(x.input_tokens, cases[i].tokens);
        drop(&f);
    }
}

static void test_facts_many(void **state) { /* more parts than are kept */
    (void)state;
    buf b;
    buf_init(&b, 1 << 20);
    buf_strz(&b, "{\"model\":\"m\",\"messages\":[");
    for (int i = 0; i < 200; i++)
        buf_printf(&b, "%s{\"role\":\"%s\",\"content\":\"t%d\"}", i ? "," : "", i % 2 ? "assistant" : "user", i);
    buf_strz(&b, "]}");
    buf_char(&b, 0);
    struct fixture f;
    struct facts x;
    struct prompt p;
    facts_of(&f, b.p, &x, &p);
    assert_int_equal(x.turns, 200);
    assert_int_equal(p.history_count, PROMPT_HISTORY_MAX);
    assert_true(str_eqz(p.user[0].raw, "t198") && p.user_count == 1);
    assert_true(str_eqz(p.history[PROMPT_HISTORY_MAX - 1].raw, "t199"));
    assert_true(str_eqz(p.history[PROMPT_HISTORY_MAX - 2].raw, "t197"));
    buf_free(&b);
    drop(&f);
}

/* ---- usage ---- */

static const struct usage_case {
    const char *json;
    int64_t input, cached, write, in_audio, in_image, output, reasoning, out_audio, search;
    bool suspect;
} usage_cases[] = {
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}", 10, 0, 0, 0, 0, 5, 0, 0, 0, false},
    {"{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,\"prompt_tokens_details\":{\"cached_"
     "tokens\":60,"
     "\"cache_write_tokens\":10,\"audio_tokens\":5},\"completion_tokens_details\":{\"reasoning_tokens\":20,"
     "\"audio_tokens\":4}}",
     25, 60, 10, 5, 0, 26, 20, 4, 0, false},
    {"{\"input_tokens\":100,\"output_tokens\":50,\"total_tokens\":150,\"input_tokens_details\":{\"cached_tokens\":"
     "60},"
     "\"output_tokens_details\":{\"reasoning_tokens\":20}}",
     40, 60, 0, 0, 0, 30, 20, 0, 0, false},
    /* DeepSeek */
    {"{\"prompt_tokens\":100,\"completion_tokens\":5,\"total_tokens\":105,\"prompt_cache_hit_tokens\":64,"
     "\"prompt_cache_miss_tokens\":36,\"prompt_tokens_details\":{\"cached_tokens\":64}}",
     36, 64, 0, 0, 0, 5, 0, 0, 0, false},
    /* Mistral, Hugging Face */
    {"{\"prompt_tokens\":100,\"completion_tokens\":5,\"total_tokens\":105,\"num_cached_tokens\":64,"
     "\"prompt_tokens_details\":null}",
     36, 64, 0, 0, 0, 5, 0, 0, 0, false},
    {"{\"prompt_tokens\":100,\"completion_tokens\":5,\"total_tokens\":105,\"cached_tokens\":64}", 36, 64, 0, 0, 0,
     5, 0, 0, 0, false},
    /* Mistral: audio beside the prompt */
    {"{\"prompt_audio_seconds\":3,\"prompt_tokens\":3,\"total_tokens\":389,\"completion_tokens\":11,"
     "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":375}}",
     3, 0, 0, 375, 0, 11, 0, 0, 0, false},
    /* xAI: reasoning beside the completion; searches */
    {"{\"prompt_tokens\":12,\"completion_tokens\":1,\"total_tokens\":241,\"completion_tokens_details\":{"
     "\"reasoning_tokens\":228}}",
     12, 0, 0, 0, 0, 1, 228, 0, 0, false},
    {"{\"input_tokens\":9,\"output_tokens\":1,\"total_tokens\":10,\"server_side_tool_usage_details\":{\"web_"
     "search_calls\":2,"
     "\"x_search_calls\":1,\"mcp_calls\":4}}",
     9, 0, 0, 0, 0, 1, 0, 0, 3, false},
    /* OpenRouter, Perplexity */
    {"{\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10,\"cost\":0.1,\"server_tool_use_details\":{"
     "\"web_search_requests\":2}}",
     9, 0, 0, 0, 0, 1, 0, 0, 2, false},
    {"{\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10,\"search_context_size\":\"low\",\"num_"
     "search_queries\":1,"
     "\"cost\":{\"total_cost\":0.005}}",
     9, 0, 0, 0, 0, 1, 0, 0, 1, false},
    /* images: cached ones are not counted twice */
    {"{\"prompt_tokens\":265,\"completion_tokens\":8,\"total_tokens\":273,\"prompt_tokens_details\":{\"cached_"
     "tokens\":170,"
     "\"text_tokens\":9,\"image_tokens\":256}}",
     0, 170, 0, 0, 95, 8, 0, 0, 0, false},
    /* embeddings; Voyage */
    {"{\"prompt_tokens\":8,\"total_tokens\":8}", 8, 0, 0, 0, 0, 0, 0, 0, 0, false},
    {"{\"total_tokens\":8}", 8, 0, 0, 0, 0, 0, 0, 0, 0, false},
    /* Gemini's OpenAI endpoint: thoughts are in the total only */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":40}", 10, 0, 0, 0, 0, 5, 25, 0, 0, true},
    /* contradictions */
    {"{\"prompt_tokens\":81,\"completion_tokens\":22,\"total_tokens\":103,\"prompt_tokens_details\":{\"cached_"
     "tokens\":192}}",
     81, 0, 0, 0, 0, 22, 0, 0, 0, true},
    {"{\"prompt_tokens\":10,\"completion_tokens\":-5,\"total_tokens\":10}", 10, 0, 0, 0, 0, 0, 0, 0, 0, true},
    {"{\"prompt_tokens\":\"10\",\"completion_tokens\":5,\"total_tokens\":15}", 10, 0, 0, 0, 0, 5, 0, 0, 0, true},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":12}", 10, 0, 0, 0, 0, 5, 0, 0, 0, true},
    {"{\"prompt_tokens\":100,\"completion_tokens\":5,\"total_tokens\":105,\"prompt_tokens_details\":{\"cached_"
     "tokens\":80,"
     "\"cache_write_tokens\":80}}",
     0, 80, 20, 0, 0, 5, 0, 0, 0, true},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":9}}", 10,
     0, 0, 0, 0, 5, 9, 0, 0, true},
    {"{\"prompt_tokens\":null,\"completion_tokens\":5,\"total_tokens\":null}", 0, 0, 0, 0, 0, 5, 0, 0, 0, false},
    {"{\"prompt_tokens\":1e300,\"completion_tokens\":5.5,\"total_tokens\":7}", 7, 0, 0, 0, 0, 0, 0, 0, 0, true},
};

static void test_usage(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof usage_cases / sizeof *usage_cases; i++) {
        const struct usage_case *c = &usage_cases[i];
        struct usage u = {0};
        jval v;
        assert_true(json_check(str_from(c->json), &v, NULL, NULL));
        assert_true(openai_usage(v, &u));
        if (u.units[USAGE_INPUT] != c->input || u.suspect != c->suspect)
            print_message("case %zu: %s\n", i, c->json);
        assert_int_equal(u.units[USAGE_INPUT], c->input);
        assert_int_equal(u.units[USAGE_CACHED_INPUT], c->cached);
        assert_int_equal(u.units[USAGE_CACHE_WRITE_5M], c->write);
        assert_int_equal(u.units[USAGE_INPUT_AUDIO], c->in_audio);
        assert_int_equal(u.units[USAGE_INPUT_IMAGE], c->in_image);
        assert_int_equal(u.units[USAGE_OUTPUT], c->output);
        assert_int_equal(u.units[USAGE_REASONING], c->reasoning);
        assert_int_equal(u.units[USAGE_OUTPUT_AUDIO], c->out_audio);
        assert_int_equal(u.units[USAGE_SEARCH], c->search);
        assert_int_equal(u.suspect, c->suspect);
        assert_int_equal(u.source, TOKENS_PROVIDER);
    }
    struct usage u = {0};
    assert_false(openai_usage((jval){.type = J_NULL}, &u));
    assert_false(openai_usage((jval){.raw = STR("{}"), .type = J_OBJECT}, &u));
    assert_int_equal(u.source, TOKENS_NONE);
}

/* ---- answers and streams ---- */

static void test_answers(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum finish finish;
        bool done, error, content;
        int64_t input;
    } cases[] = {
        {"{\"id\":\"c1\",\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\"finish_reason\":"
         "\"stop\"}],"
         "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}",
         FINISH_STOP, true, false, true, 3},
        {"{\"id\":\"c1\",\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"x\"}]},\"finish_reason\":\"stop\"}]"
         "}",
         FINISH_TOOLS, true, false, true, 0},
        {"{\"id\":\"c1\",\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"length\"}]}",
         FINISH_LENGTH, true, false, false, 0},
        {"{\"id\":\"c1\",\"choices\":[{\"text\":\"x\",\"finish_reason\":\"eos\"}]}", FINISH_STOP, true, false,
         true, 0},
        {"{\"id\":\"c1\",\"choices\":[{\"text\":\"x\",\"finish_reason\":\"\"}]}", FINISH_STOP, true, false, true,
         0},
        {"{\"error\":{\"message\":\"no\"}}", FINISH_NONE, true, true, false, 0},
        {"{\"id\":\"r1\",\"object\":\"response\",\"status\":\"completed\",\"error\":null,\"output\":[{\"type\":"
         "\"function_call\"}],"
         "\"usage\":{\"input_tokens\":3,\"output_tokens\":1,\"total_tokens\":4}}",
         FINISH_TOOLS, true, false, true, 3},
        {"{\"id\":\"r1\",\"object\":\"response\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
         "\"max_output_tokens\"},"
         "\"output\":[]}",
         FINISH_LENGTH, true, false, false, 0},
        {"{\"object\":\"list\",\"data\":[{\"embedding\":[1]}],\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3}}",
         FINISH_NONE, true, false, true, 3},
        {"{\"x_groq\":{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}}", FINISH_NONE,
         true, false, false, 3},
        {"<html>", FINISH_NONE, false, false, false, 0},
        {"[1]", FINISH_NONE, true, false, false, 0},
        {"", FINISH_NONE, false, false, false, 0},
        {"{\"usage\":{\"prompt_tokens\":3}", FINISH_NONE, false, false, false, 0},
        {"{\"usage\":{\"prompt_tokens\":3}}}", FINISH_NONE, false, false, false, 0},
        {"{\"id\":\"c1\",\"choices\":[{\"message\":{\"content\":\"cut }", FINISH_NONE, false, false, false, 0},
        {"{garbage}", FINISH_NONE, false, false, false, 0},
        {"{\"usage\":[],\"choices\":{\"a\":1},\"id\":7,\"x_groq\":\"s\",\"data\":3}", FINISH_NONE, true, false,
         false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a = {0};
        openai_answer_read(&a, str_from(cases[i].body));
        assert_int_equal(a.finish, cases[i].finish);
        assert_int_equal(a.done, cases[i].done);
        assert_int_equal(a.error, cases[i].error);
        assert_int_equal(a.content, cases[i].content);
        assert_int_equal(a.usage.units[USAGE_INPUT], cases[i].input);
    }
}

#define CHUNK(rest) "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":" rest "}"

static void test_tap_strip(void **state) {
    (void)state;
    static const struct {
        const char *data;
        enum tap_verdict verdict;
        const char *want;
    } cases[] = {
        {CHUNK("[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}],\"usage\":null"), TAP_REPLACE,
         CHUNK("[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]")},
        {"{\"usage\":null,\"choices\":[]}", TAP_REPLACE, "{\"choices\":[]}"},
        {"{ \"usage\" : null , \"choices\": []}", TAP_REPLACE, "{ \"choices\": []}"},
        {"{\"usage\":null}", TAP_REPLACE, "{}"},
        {"{\"a\": 1, \"usage\": null, \"b\": 2}", TAP_REPLACE, "{\"a\": 1, \"b\": 2}"},
        {CHUNK("[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}"), TAP_DROP, NULL},
        /* usage on a chunk with choices stays, as the provider gives it to everybody */
        {CHUNK("[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}"),
         TAP_PASS, NULL},
        /* not the member */
        {CHUNK("[{\"index\":0,\"delta\":{\"content\":\"\\\"usage\\\":null\"}}]"), TAP_PASS, NULL},
        {CHUNK("[{\"index\":0,\"delta\":{\"content\":\"usage\"},\"usage\":null}]"), TAP_PASS, NULL},
        {CHUNK("[{\"index\":0,\"delta\":{\"usage\":null}}],\"x\":{\"usage\":null}"), TAP_PASS, NULL},
        {"[DONE]", TAP_PASS, NULL},
        {"not json \"usage\":null", TAP_PASS, NULL},
        {"{\"usage\":null", TAP_PASS, NULL},
        {"{\"choices\":[{\"usage\":", TAP_PASS, NULL},
        {"", TAP_PASS, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a = {0};
        buf out;
        buf_init(&out, 1 << 16);
        enum tap_verdict v = openai_tap(&a, STR_NONE, str_from(cases[i].data), true, false, &out);
        if (v != cases[i].verdict) print_message("case %zu: %s\n", i, cases[i].data);
        assert_int_equal(v, cases[i].verdict);
        if (v == TAP_REPLACE) {
            buf_char(&out, 0);
            assert_string_equal(out.p, cases[i].want);
        }
        struct answer late = {.content = true}; /* the quick way says the same */
        buf out2;
        buf_init(&out2, 1 << 16);
        assert_int_equal(openai_tap(&late, STR_NONE, str_from(cases[i].data), true, false, &out2), v);
        if (v == TAP_REPLACE) assert_true(str_eqz(buf_view(&out2), cases[i].want));
        buf_free(&out2);
        struct answer b = {0}; /* without strip nothing is ever touched */
        assert_int_equal(openai_tap(&b, STR_NONE, str_from(cases[i].data), false, false, &out), TAP_PASS);
        assert_int_equal(a.usage.units[USAGE_INPUT], b.usage.units[USAGE_INPUT]);
        buf_free(&out);
    }
}

static void feed(struct answer *a, const char *event, const char *data, bool responses) {
    buf out;
    buf_init(&out, 1 << 16);
    openai_tap(a, str_from(event), str_from(data), false, responses, &out);
    buf_free(&out);
}

static void test_tap_chat(void **state) {
    (void)state;
    struct answer a = {0};
    feed(&a, "", CHUNK("[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]"), false);
    assert_false(a.content);
    assert_true(str_eqz(str_make(a.id, a.id_len), "c"));
    feed(&a, "", CHUNK("[{\"delta\":{\"reasoning_content\":\"hm\"}}]"), false);
    assert_true(a.content && !a.tools);
    feed(&a, "", CHUNK("[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"x\"}]}}]"), false);
    assert_true(a.tools);
    feed(&a, "",
         CHUNK("[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":"
               "1,\"total_tokens\":2}"),
         false);
    assert_int_equal(a.finish, FINISH_TOOLS);
    feed(&a, "", CHUNK("[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}"), false);
    assert_int_equal(a.usage.units[USAGE_INPUT], 5); /* the last one, not the sum */
    assert_false(a.done || a.error);
    feed(&a, "", " [DONE]", false);
    assert_true(a.done);
    struct answer b = {.content = true};
    feed(&b, "", "{\"error\": {\"message\":\"x\"}}", false);
    assert_true(b.error);
    struct answer c = {.content = true};
    feed(&c, "error", "{}", false);
    assert_true(c.error);
    struct answer d = {.content = true};
    feed(&d, "",
         CHUNK("[{\"delta\":{\"content\":\"the \\\"error\\\": x, "
               "\\\"finish_reason\\\":\\\"stop\\\"\"}}],\"error\":null"),
         false);
    assert_false(d.error);
    assert_int_equal(d.finish, FINISH_NONE);
}

static void test_tap_responses(void **state) {
    (void)state;
    struct answer a = {0};
    feed(&a, "response.created",
         "{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\"}}", true);
    assert_true(str_eqz(str_make(a.id, a.id_len), "resp_1") && !a.content);
    feed(&a, "response.output_text.delta", "{\"delta\":\"x\"}", true);
    assert_true(a.content && !a.done);
    feed(&a, "",
         "{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[{\"type\":\"web_"
         "search_call\"},"
         "{\"type\":\"message\"}],\"usage\":{\"input_tokens\":5,\"output_tokens\":2,\"total_tokens\":7}}}",
         true);
    assert_true(a.done && !a.error);
    assert_int_equal(a.finish, FINISH_STOP);
    assert_int_equal(a.usage.units[USAGE_SEARCH], 1);
    assert_int_equal(a.usage.units[USAGE_INPUT], 5);
    struct answer b = {0};
    feed(&b, "response.failed",
         "{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"x\"}}}", true);
    assert_true(b.done && b.error);
    struct answer c = {0};
    feed(&c, "error", "{\"type\":\"error\"}", true);
    assert_true(c.error && !c.done);
}

static void test_error_write(void **state) {
    (void)state;
    buf b;
    buf_init(&b, 4096);
    openai_error_write(&b, 404, STR_NONE, STR("model_not_found"), STR("No \"x\"."), STR("model"));
    buf_char(&b, 0);
    assert_string_equal(
        b.p, "{\"error\":{\"message\":\"No "
             "\\\"x\\\".\",\"type\":\"invalid_request_error\",\"param\":\"model\",\"code\":\"model_not_found\"}}");
    buf_clear(&b);
    openai_error_write(&b, 502, STR_NONE, STR_NONE, STR("x"), STR_NONE);
    buf_char(&b, 0);
    assert_string_equal(b.p,
                        "{\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"param\":null,\"code\":null}}");
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_read),  cmocka_unit_test(test_splices),
        cmocka_unit_test(test_facts_chat),    cmocka_unit_test(test_facts_agent),
        cmocka_unit_test(test_facts_inputs),  cmocka_unit_test(test_facts_many),
        cmocka_unit_test(test_usage),         cmocka_unit_test(test_answers),
        cmocka_unit_test(test_tap_strip),     cmocka_unit_test(test_tap_chat),
        cmocka_unit_test(test_tap_responses), cmocka_unit_test(test_error_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
