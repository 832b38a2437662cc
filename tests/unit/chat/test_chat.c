/* chat: what translation keeps, refuses and tells; streams that break; frames. */
#include "chat/eventstream.h"
#include "chat/trial.h"

#include <zlib.h>

/* ---- requests ---- */

static void test_strict(void **state) {
    (void)state;
    static const struct {
        enum chat_dialect from, to;
        const char *body, *param; /* NULL: carried */
    } cases[] = {
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"seed\":1}", "seed"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"n\":2}", "n"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"n\":1}", NULL},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"temperature\":1.5}", "temperature"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"presence_penalty\":0}", NULL},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"presence_penalty\":-0.5}", "presence_penalty"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"unheard_of\":1}", "unheard_of"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"unheard_of\":null}", NULL},
        {CHAT_OPENAI, CHAT_ANTHROPIC,
         "{\"model\":\"m\"," USER ",\"store\":true,\"metadata\":{},\"service_tier\":\"auto\"}", NULL},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\"," USER ",\"service_tier\":\"flex\"}", "service_tier"},
        {CHAT_OPENAI, CHAT_GEMINI, "{\"model\":\"m\"," USER ",\"seed\":1,\"logprobs\":true}", NULL},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "{\"model\":\"m\",\"max_tokens\":1," USER ",\"top_k\":5}", "top_k"},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "{\"model\":\"m\",\"max_tokens\":1," USER ",\"top_k\":64}", NULL},
        {CHAT_ANTHROPIC, CHAT_OPENAI,
         "{\"model\":\"m\",\"max_tokens\":1," USER
         ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"}]}",
         "tools.web_search_20250305"},
        {CHAT_ANTHROPIC, CHAT_OPENAI,
         "{\"model\":\"m\",\"max_tokens\":1," USER
         ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"},{\"name\":\"f\",\"input_schema\":{}}]}",
         NULL},
        {CHAT_OPENAI, CHAT_BEDROCK,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
         "\"url\":\"http://x/a.png\"}}]}]}",
         "image url"},
        {CHAT_RESPONSES, CHAT_OPENAI, "{\"model\":\"m\",\"input\":\"hi\",\"previous_response_id\":\"r\"}",
         "previous_response_id"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\",\"messages\":[{\"role\":\"boss\",\"content\":\"x\"}]}",
         "messages"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "{\"model\":\"m\",\"messages\":3}", "messages"},
        {CHAT_GEMINI, CHAT_OPENAI, "{\"contents\":[{\"role\":\"invalid\",\"parts\":[]}]}", "contents"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        bool good = carry(&t, cases[i].from, cases[i].to, "claude-haiku-4-5", cases[i].body);
        if (good != !cases[i].param) print_message("%s: %s\n", cases[i].body, t.e.msg);
        assert_int_equal(good, cases[i].param == NULL);
        if (!good) {
            assert_true(str_eqz(t.param, cases[i].param));
            assert_true(t.e.msg[0]);
        }
        end(&t);
    }
}

static void test_unreadable(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "[]", "{", "{\"model\":\"\\ud800\"}", "3", "{\"messages\":[1]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct trial t;
        assert_false(carry(&t, CHAT_OPENAI, CHAT_GEMINI, "m", bodies[i]));
        end(&t);
    }
}

static void test_tools_across(void **state) {
    (void)state;
    struct trial t;
    static const char body[] =
        "{\"model\":\"m\",\"parallel_tool_calls\":false,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
        "\"f\",\"parameters\":"
        "{\"$schema\":\"x\",\"type\":\"object\"}}}],\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":"
        "\"assistant\",\"content\":"
        "null,\"tool_calls\":[{\"id\":\"a "
        "b\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"c2\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"oops\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a "
        "b\",\"content\":\"one\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"{\\\"k\\\":2}\"},{\"role\":\"user\",\"content\":"
        "\"and?\"}]}";
    assert_true(carry(&t, CHAT_OPENAI, CHAT_ANTHROPIC, "claude-haiku-4-5", body));
    must_have(&t, "\"input\":{\"x\":1}");
    must_have(&t, "\"input\":{\"arguments\":\"oops\"}"); /* a model's slip: kept */
    must_have(&t, "\"disable_parallel_tool_use\":true");
    must_have(&t, "\"input_schema\":{\"type\":\"object\"}");
    assert_null(strstr(t.out.p, "a b")); /* an id that Anthropic refuses is mapped, in call and result alike */
    jtext id = chat_fit_id(&t.a, JT("a b"), 64, 0);
    char *use = strstr(t.out.p, arena_printf(&t.a, "\"id\":\"%.*s\"", STR_ARG(id.raw)).p);
    assert_non_null(use);
    assert_non_null(strstr(use, arena_printf(&t.a, "\"tool_use_id\":\"%.*s\"", STR_ARG(id.raw)).p));
    assert_true(lost(&t, "$schema"));
    end(&t);
    assert_false(
        carry(&t, CHAT_OPENAI, CHAT_GEMINI, "gemini-3-pro", body)); /* one call at a time can't be asked for */
    end(&t);
    begin(&t);
    chat_request_read(CHAT_OPENAI, str_from(body), STR_NONE, false, &t.r, &t.a, &t.param, &t.e);
    struct chat_target to = {CHAT_GEMINI, STR("gemini"), STR("gemini-3-pro")};
    assert_true(chat_request_write(&t.r, &to, TRANSLATION_WARN, &t.acc, &t.out, &t.param, &t.e));
    buf_char(&t.out, 0);
    assert_true(lost(&t, "parallel_tool_calls"));
    must_have(&t, "\"response\":{\"result\":\"one\"}");
    must_have(&t, "\"response\":{\"k\":2}");
    must_have(&t, "skip_thought_signature_validator");
    end(&t);
}

static void test_mistral_ids(void **state) {
    (void)state;
    struct trial t;
    begin(&t);
    chat_request_read(CHAT_ANTHROPIC,
                      STR("{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"assistant\",\"content\":[{"
                          "\"type\":\"tool_use\",\"id\":"
                          "\"toolu_123\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":"
                          "\"tool_result\",\"tool_use_id\":"
                          "\"toolu_123\",\"content\":\"r\"}]}],\"tools\":[{\"name\":\"f\"}],\"tool_choice\":{"
                          "\"type\":\"any\"}}"),
                      STR_NONE, false, &t.r, &t.a, &t.param, &t.e);
    struct chat_target to = {CHAT_OPENAI, STR("mistral"), STR("mistral-large")};
    assert_true(chat_request_write(&t.r, &to, TRANSLATION_STRICT, &t.acc, &t.out, &t.param, &t.e));
    buf_char(&t.out, 0);
    jtext id = chat_fit_id(&t.a, JT("toolu_123"), 64, 9);
    assert_int_equal(id.raw.n, 9);
    must_have(&t, arena_printf(&t.a, "\"id\":\"%.*s\"", STR_ARG(id.raw)).p);
    must_have(&t, arena_printf(&t.a, "\"tool_call_id\":\"%.*s\"", STR_ARG(id.raw)).p);
    must_have(&t, "\"tool_choice\":\"any\"");
    must_have(&t, "\"max_tokens\":5");
    end(&t);
}

static void test_gemini_schema_and_ids(void **state) {
    (void)state;
    struct trial t;
    assert_true(
        carry(&t, CHAT_GEMINI, CHAT_OPENAI, "gpt-5",
              "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"q\"},{\"inlineData\":{\"mimeType\":"
              "\"image/png\",\"data\":\"A-_A\"}}]},"
              "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"i\":1}}},{"
              "\"functionCall\":{\"name\":\"f\",\"args\":"
              "{\"i\":2}}}]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{"
              "\"result\":\"r1\"}}},"
              "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"a\":2}}}]}],\"tools\":[{"
              "\"functionDeclarations\":[{\"name\":\"f\","
              "\"parameters\":{\"type\":\"OBJECT\",\"properties\":{\"s\":{\"type\":\"STRING\",\"nullable\":true,"
              "\"minLength\":\"3\"}}}}]}],"
              "\"generationConfig\":{\"responseSchema\":{\"type\":\"ARRAY\",\"items\":{\"type\":\"INTEGER\"}}}}"));
    must_have(&t, "data:image/png;base64,A+/A");
    must_have(&t, "{\"type\":\"object\",\"properties\":{\"s\":{\"type\":[\"string\",\"null\"],\"minLength\":3}}}");
    must_have(&t, "\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}");
    const struct chat_part *calls = t.r.messages->next->parts, *results = t.r.messages->next->next->parts;
    assert_false(str_eq(calls->id.raw, calls->next->id.raw)); /* two calls of one tool can be told apart */
    assert_true(str_eq(calls->id.raw, results->id.raw) && str_eq(calls->next->id.raw, results->next->id.raw));
    end(&t);
}

static void test_signatures(void **state) {
    (void)state;
    struct trial t;
    begin(&t);
    jtext g = chat_sign(&t.a, CHAT_GEMINI, JT("AAAA"));
    assert_true(str_eqz(chat_signature_for(CHAT_GEMINI, g).raw, "AAAA"));
    assert_false(jt_has(chat_signature_for(CHAT_ANTHROPIC, g)));
    assert_false(jt_has(chat_signature_for(CHAT_ANTHROPIC, JT("AAAA"))));
    end(&t);
    /* A Gemini call's signature comes back through an Anthropic client's thinking block. */
    static const char body[] =
        "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":"
        "\"assistant\",\"content\":["
        "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"drayGemiAAAA\"},{\"type\":\"tool_use\",\"id\":"
        "\"t\",\"name\":\"f\",\"input\":{}}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":\"r\"}]}]}";
    assert_true(carry(&t, CHAT_ANTHROPIC, CHAT_GEMINI, "gemini-3-pro", body));
    must_have(&t, "\"thoughtSignature\":\"AAAA\"");
    end(&t);
    assert_true(carry(&t, CHAT_ANTHROPIC, CHAT_OPENAI, "gpt-5", body));
    assert_null(strstr(t.out.p, "AAAA"));
    assert_true(lost(&t, "thinking"));
    end(&t);
}

static void test_thinking(void **state) {
    (void)state;
    struct trial t;
    static const char body[] =
        "{\"model\":\"m\"," USER ",\"reasoning_effort\":\"high\",\"max_completion_tokens\":4000}";
    assert_true(carry(&t, CHAT_OPENAI, CHAT_ANTHROPIC, "claude-haiku-4-5", body));
    must_have(&t, "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":");
    end(&t);
    assert_true(carry(&t, CHAT_OPENAI, CHAT_ANTHROPIC, "claude-opus-4-7", body));
    must_have(&t, "\"thinking\":{\"type\":\"adaptive\"}");
    must_have(&t, "\"effort\":\"high\"");
    end(&t);
    assert_true(carry(&t, CHAT_OPENAI, CHAT_GEMINI, "gemini-3-pro", body));
    must_have(&t, "\"thinkingLevel\":\"high\"");
    end(&t);
    assert_true(carry(&t, CHAT_OPENAI, CHAT_GEMINI, "gemini-2.5-flash", body));
    must_have(&t, "\"thinkingBudget\":16384");
    end(&t);
}

static void test_system_and_order(void **state) {
    (void)state;
    struct trial t;
    assert_true(carry(&t, CHAT_ANTHROPIC, CHAT_OPENAI, "gpt-5",
                      "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{"
                      "\"role\":\"system\",\"content\":\"mid\"},"
                      "{\"role\":\"assistant\",\"content\":\"b\"}],\"system\":\"top\"}"));
    char *top = strstr(t.out.p, "top"), *mid = strstr(t.out.p, "mid"), *b = strstr(t.out.p, "\"b\"");
    assert_true(top && mid && b && top < mid && mid < b);
    end(&t);
    assert_true(carry(&t, CHAT_OPENAI, CHAT_ANTHROPIC, "claude-haiku-4-5",
                      "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":\"first\"},{\"role\":"
                      "\"user\",\"content\":\"a\"},"
                      "{\"role\":\"user\",\"content\":\"b\"}]}"));
    must_have(&t, "\"messages\":[{\"role\":\"user\"");
    must_have(&t, "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]"); /* one turn */
    end(&t);
}

static void test_codex_namespace(void **state) {
    (void)state;
    struct trial t;
    assert_true(carry(&t, CHAT_RESPONSES, CHAT_ANTHROPIC, "claude-haiku-4-5",
                      "{\"model\":\"m\",\"input\":\"hi\",\"tools\":[{\"type\":\"namespace\",\"name\":\"fs\","
                      "\"tools\":[{\"type\":\"function\",\"name\":"
                      "\"read\",\"parameters\":{\"type\":\"object\"}}]},{\"type\":\"web_search\"}]}"));
    must_have(&t, "\"name\":\"fs__read\"");
    assert_true(lost(&t, "tools.web_search"));
    struct chat_answer ans;
    assert_true(chat_answer_read(
        CHAT_ANTHROPIC,
        STR("{\"type\":\"message\",\"id\":\"x\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"fs__"
            "read\",\"input\":"
            "{}}],\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}"),
        &ans, &t.a));
    ans.request = &t.r;
    buf_clear(&t.out);
    chat_answer_write(CHAT_RESPONSES, &ans, STR("m"), 1, 1, &t.out);
    buf_char(&t.out, 0);
    must_have(&t, "\"name\":\"read\",\"namespace\":\"fs\"");
    end(&t);
}

static void test_count_and_fetch(void **state) {
    (void)state;
    struct trial t;
    carry(&t, CHAT_ANTHROPIC, CHAT_OPENAI, "gpt-5",
          "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
          "\"text\":\"hello "
          "there\"},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"http://x/"
          "a.png\"}},{\"type\":\"document\",\"source\":"
          "{\"type\":\"url\",\"url\":\"http://x/b.pdf\"}}]}]}");
    assert_int_equal(chat_count_tokens(&t.r, NULL), 2 + 4 + 2000);
    struct chat_part *p = chat_needs_bytes(&t.r, CHAT_BEDROCK, NULL);
    assert_true(p && p->type == PART_IMAGE);
    struct chat_part *q = chat_needs_bytes(&t.r, CHAT_BEDROCK, p);
    assert_true(q && q->type == PART_FILE);
    assert_null(chat_needs_bytes(&t.r, CHAT_BEDROCK, q));
    assert_true(chat_needs_bytes(&t.r, CHAT_OPENAI, NULL) == q);
    assert_null(chat_needs_bytes(&t.r, CHAT_ANTHROPIC, NULL));
    buf_clear(&t.out);
    chat_count_write(CHAT_ANTHROPIC, 7, &t.out);
    assert_true(str_eqz(buf_view(&t.out), "{\"input_tokens\":7}"));
    buf_clear(&t.out);
    chat_count_write(CHAT_GEMINI, 7, &t.out);
    assert_true(str_eqz(buf_view(&t.out), "{\"totalTokens\":7}"));
    end(&t);
}

static void test_files_that_are_text(void **state) {
    (void)state;
    struct trial t;
    static const char body[] = "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"inlineData\":{\"mimeType\":\"text/"
                               "plain\",\"data\":\"aGkgInlvdSIK\"}}]}]}";
    assert_true(carry(&t, CHAT_GEMINI, CHAT_ANTHROPIC, "claude-haiku-4-5", body));
    must_have(&t, "{\"type\":\"text\",\"text\":\"hi \\\"you\\\"\\n\"}");
    end(&t);
    assert_false(carry(&t, CHAT_GEMINI, CHAT_ANTHROPIC, "claude-haiku-4-5",
                       "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/"
                       "tiff\",\"data\":\"AAAA\"}}]}]}"));
    assert_true(str_eqz(t.param, "image of type image/tiff"));
    end(&t);
}

/* What other providers signed goes; what is the provider's own loses its mark; the rest stays byte for byte. */
static void test_clean(void **state) {
    (void)state;
#define A(content) "{\"x\":1, \"messages\":[{\"role\":\"assistant\",\"content\":[" content "]}] }"
#define G(part) "{\"contents\":[{\"parts\":[{\"text\":\"t\"}, {" part "}]}]}"
#define R(items) "{\"input\":[" items "],\"store\":false}"
#define T(sign) "{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"" sign "\"}"
#define W(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
    static const struct {
        enum chat_dialect d;
        const char *body, *want; /* NULL: nothing to clean */
    } cases[] = {
        {CHAT_ANTHROPIC, A(T("AbC=") ", " W("a")), NULL},
        {CHAT_ANTHROPIC, A(W("\"drayGemiX\"")), NULL},
        {CHAT_ANTHROPIC, A(T("drayGemiAbC=") ", " W("a")), A(W("a"))},
        {CHAT_ANTHROPIC, A(T("drayGemi1") "," T("drayChat2") "," W("a") " , " W("b")), A(W("a") " , " W("b"))},
        {CHAT_ANTHROPIC, A(W("a") "," T("drayGemi1") "," T("drayGemi2") "," W("b") "," T("drayGemi3")),
         A(W("a") "," W("b"))},
        {CHAT_ANTHROPIC, A("{\"type\":\"redacted_thinking\",\"data\":\"drayBedrX\"}," W("a")), A(W("a"))},
        {CHAT_ANTHROPIC, A(T("drayAnthAbC=") "," W("a")), A(T("AbC=") "," W("a"))},
        {CHAT_GEMINI, G("\"functionCall\":{},\"thoughtSignature\":\"drayAnthX\""),
         G("\"functionCall\":{},\"thoughtSignature\":\"skip_thought_signature_validator\"")},
        {CHAT_GEMINI, G("\"thought_signature\":\"drayGemiX\""), G("\"thought_signature\":\"X\"")},
        {CHAT_GEMINI, G("\"thoughtSignature\":\"X\""), NULL},
        {CHAT_RESPONSES, R("{\"type\":\"reasoning\",\"encrypted_content\":\"drayAnthX\"}, {\"a\":1}"),
         R("{\"a\":1}")},
        {CHAT_OPENAI, "{\"messages\":[],\"x\":\"drayAnth\"}", NULL},
        {CHAT_ANTHROPIC, "{\"messages\":\"drayAnthX\"}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        begin(&t);
        bool cleaned = chat_clean(cases[i].d, str_from(cases[i].body), &t.out);
        assert_int_equal(cleaned, cases[i].want != NULL);
        if (cleaned && !str_eqz(buf_view(&t.out), cases[i].want))
            fail_msg("%zu: " STR_FMT, i, STR_ARG(buf_view(&t.out)));
        end(&t);
    }
}

/* ---- streams ---- */

static const struct chat_answer *play(struct chat_stream **s, enum chat_dialect from, enum chat_dialect to,
                                      const char *const *events, arena *a, buf *out) {
    *s = chat_stream_new(from, to, NULL, STR("m"), 1, 1, a);
    for (; *events; events++) chat_stream_event(*s, STR_NONE, str_from(*events), a, out);
    chat_stream_end(*s, NULL, a, out);
    buf_char(out, 0);
    return chat_stream_answer(*s);
}

static void test_cut_streams(void **state) {
    (void)state;
    static const char *const half[] = {
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}", NULL};
    static const char *const junk[] = {
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}", "{\"choices\":[", NULL};
    static const char *const told[] = {"{\"error\":{\"message\":\"boom\",\"code\":503}}", NULL};
    static const char *const ends[] = {[CHAT_OPENAI] = "data: {\"error\":",
                                       [CHAT_RESPONSES] = "event: response.failed",
                                       [CHAT_ANTHROPIC] = "event: error\ndata: {\"type\":\"error\"",
                                       [CHAT_GEMINI] = "data: {\"error\":{\"code\":"};
    const char *const *const streams[] = {half, junk, told};
    for (size_t i = 0; i < 3; i++)
        for (enum chat_dialect to = CHAT_OPENAI; to <= CHAT_GEMINI; to++) {
            struct trial t;
            struct chat_stream *s;
            begin(&t);
            const struct chat_answer *ans = play(&s, CHAT_OPENAI, to, streams[i], &t.a, &t.out);
            assert_true(ans->failed && !ans->done);
            must_have(&t, ends[to]);
            assert_null(strstr(t.out.p, "[DONE]"));
            assert_null(strstr(t.out.p, "message_stop"));
            assert_null(strstr(t.out.p, "response.completed"));
            chat_stream_free(s);
            end(&t);
        }
}

static void test_stream_grammar(void **state) {
    (void)state;
    static const char *const events[] = {
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"x\",\"function\":{\"name\":"
        "\"f\",\"arguments\":\"{\\\"a\\\"\"}}]}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]"
        "}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}",
        "[DONE]",
        NULL};
    static const char *const order[] = {
        "message_start",      "content_block_start", "ping",
        "text_delta",         "content_block_stop",  "tool_use",
        "partial_json",       "content_block_stop",  "\"stop_reason\":\"tool_use\"",
        "\"input_tokens\":7", "\"output_tokens\":3", "message_stop"};
    struct trial t;
    struct chat_stream *s;
    begin(&t);
    assert_true(play(&s, CHAT_OPENAI, CHAT_ANTHROPIC, events, &t.a, &t.out)->done);
    const char *at = t.out.p;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        at = strstr(at, order[i]);
        if (!at) print_message("%s\n", order[i]);
        assert_non_null(at);
    }
    chat_stream_free(s);
    end(&t);
}

#define CALL(index, id, name)                                                                                     \
    "{\"index\":" #index ",\"id\":\"" id "\",\"function\":{\"name\":\"" name "\",\"arguments\":\"\"}}"
#define ARGS(index, text) "{\"index\":" #index ",\"function\":{\"arguments\":\"" text "\"}}"
#define CALLS(list) "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[" list "]}}]}"
#define SAY(text) "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}"
#define FINISH "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}"

/* Pieces of two calls in turn, and text between them: told in every dialect, the pieces of one call together. */
static void test_mixed_calls(void **state) {
    (void)state;
    static const char *const events[] = {
        CALLS(CALL(0, "x", "f") "," CALL(1, "y", "g")),
        CALLS(ARGS(0, "{\\\"a\\\":")),
        CALLS(ARGS(1, "{\\\"b\\\":[")),
        SAY("between"),
        CALLS(ARGS(0, "\\\"}\\\\\\\"{\\u0022")), /* a brace and a quote in a string; its end spelt another way */
        CALLS(ARGS(1, "2]")),
        CALLS(ARGS(0, "}")),
        CALLS(ARGS(1, "}")),
        FINISH,
        "[DONE]",
        NULL};
    static const char *const order[CHAT_GEMINI + 1][8] = {
        [CHAT_OPENAI] = {"\"name\":\"f\"", "\"name\":\"g\"", "a", "b", "between", "2]", "[DONE]"},
        [CHAT_RESPONSES] = {"\"name\":\"f\"", "function_call_arguments.done", "\"name\":\"g\"",
                            "function_call_arguments.done", "between", "response.completed"},
        [CHAT_ANTHROPIC] = {"\"name\":\"f\"", "content_block_stop", "\"name\":\"g\"", "content_block_stop",
                            "between", "message_stop"},
        [CHAT_GEMINI] = {"\"name\":\"f\",\"args\":{\"a\":\"}\\\"{\"}", "\"name\":\"g\",\"args\":{\"b\":[2]}",
                         "between", "STOP"}};
    for (enum chat_dialect to = CHAT_OPENAI; to <= CHAT_GEMINI; to++) {
        struct trial t;
        struct chat_stream *s;
        begin(&t);
        assert_true(play(&s, CHAT_OPENAI, to, events, &t.a, &t.out)->done);
        const char *at = t.out.p;
        for (size_t i = 0; order[to][i]; i++) {
            const char *next = strstr(at, order[to][i]);
            if (!next) fail_msg("%u: no %s in %s", to, order[to][i], at);
            at = next;
        }
        chat_stream_free(s);
        end(&t);
    }
}

/* One call behind the other: the second is told as it comes, the provider's end of the first is not waited for. */
static void test_second_call_flows(void **state) {
    (void)state;
    static const char *const events[] = {CALLS(CALL(0, "x", "f")), CALLS(ARGS(0, "{}")), CALLS(CALL(1, "y", "g")),
                                         NULL};
    for (enum chat_dialect to = CHAT_RESPONSES; to <= CHAT_ANTHROPIC; to++) {
        struct trial t;
        begin(&t);
        struct chat_stream *s = chat_stream_new(CHAT_OPENAI, to, NULL, STR("m"), 1, 1, &t.a);
        for (size_t i = 0; events[i]; i++) chat_stream_event(s, STR_NONE, str_from(events[i]), &t.a, &t.out);
        must_have(&t, "\"name\":\"g\"");
        chat_stream_free(s);
        end(&t);
    }
}

/* Streams that no manual's example has: what is told, or the error. */
static void test_odd_streams(void **state) {
    (void)state;
#define GEMINI(text, more)                                                                                        \
    "{\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"" text "\"}]}" more "}]}"
#define ITEM "{\"type\":\"message\",\"id\":\"m1\",\"content\":[{\"type\":\"output_text\",\"text\":\"whole\"}]}"
    static const struct {
        enum chat_dialect from;
        const char *events[5];
        const char *has, *behind; /* in this order */
        bool failed;
    } cases[] = {
        {CHAT_OPENAI, {"[DONE]"}, "ended before the answer was complete", NULL, true},
        {CHAT_OPENAI,
         {SAY("half"),
          "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\",\"error\":{"
          "\"code\":502,\"message\":\"Provider died\"}}]}"},
         "half",
         "Provider died",
         true},
        /* a reason in the middle is told at the end */
        {CHAT_GEMINI,
         {GEMINI("one", ",\"finishReason\":\"MAX_TOKENS\""), GEMINI("two", ",\"finishReason\":\"MAX_TOKENS\"")},
         "two",
         "\"finish_reason\":\"length\"",
         false},
        {CHAT_RESPONSES,
         {"{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":" ITEM "}",
          "{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[" ITEM "]}}"},
         "whole",
         "[DONE]",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        struct chat_stream *s;
        begin(&t);
        assert_int_equal(play(&s, cases[i].from, CHAT_OPENAI, cases[i].events, &t.a, &t.out)->failed,
                         cases[i].failed);
        must_have(&t, cases[i].has);
        if (cases[i].behind && !strstr(strstr(t.out.p, cases[i].has), cases[i].behind)) fail_msg("%s", t.out.p);
        chat_stream_free(s);
        end(&t);
    }
    struct trial t; /* what came in deltas is not told again */
    struct chat_stream *s;
    static const char *const both[] = {
        "{\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"whole\"}",
        "{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":" ITEM "}", NULL};
    begin(&t);
    play(&s, CHAT_RESPONSES, CHAT_OPENAI, both, &t.a, &t.out);
    assert_null(strstr(strstr(t.out.p, "whole") + 1, "whole"));
    chat_stream_free(s);
    end(&t);
}

/* Told to OpenAI's clients in OpenAI's form, whole and streamed. */
static void test_logprobs(void **state) {
    (void)state;
    static const char gemini[] = "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"Hi\"}]}"
                                 ",\"index\":0,\"logprobsResult\":{"
                                 "\"topCandidates\":[{\"candidates\":[{\"token\":\"Hi\",\"tokenId\":1,"
                                 "\"logProbability\":-0.25},{\"token\":\"Yo\","
                                 "\"logProbability\":-2}]}],\"chosenCandidates\":[{\"token\":\"Hi\","
                                 "\"logProbability\":-0.25}]},\"finishReason\":"
                                 "\"STOP\"}]}";
    static const char want[] =
        "\"logprobs\":{\"content\":[{\"token\":\"Hi\",\"logprob\":-0.25,\"bytes\":null,\"top_logprobs\":[{"
        "\"token\":\"Hi\","
        "\"logprob\":-0.25,\"bytes\":null},{\"token\":\"Yo\",\"logprob\":-2,\"bytes\":null}]}],\"refusal\":null}";
    static const char *const streams[2][3] = {
        {gemini},
        {"{\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hi\",\"logprobs\":[{\"token\":"
         "\"Hi\","
         "\"logprob\":-0.25,\"bytes\":null,\"top_logprobs\":[{\"token\":\"Hi\",\"logprob\":-0.25,\"bytes\":null},{"
         "\"token\":\"Yo\",\"logprob\":-2,\"bytes\":null}]}]}",
         "{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}"}};
    static const enum chat_dialect from[2] = {CHAT_GEMINI, CHAT_RESPONSES};
    for (int i = 0; i < 2; i++) {
        struct trial t;
        struct chat_stream *s;
        begin(&t);
        assert_true(play(&s, from[i], CHAT_OPENAI, streams[i], &t.a, &t.out)->done);
        must_have(&t, want);
        chat_stream_free(s);
        end(&t);
    }
    struct trial t;
    struct chat_answer ans;
    begin(&t);
    assert_true(chat_answer_read(CHAT_GEMINI, str_from(gemini), &ans, &t.a));
    chat_answer_write(CHAT_OPENAI, &ans, STR("m"), 1, 1, &t.out);
    buf_char(&t.out, 0);
    must_have(&t, want);
    end(&t);
}

static void test_tap(void **state) {
    (void)state;
    static const char *const events[] = {
        "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":5,\"cache_read_input_"
        "tokens\":2}}}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"output_tokens\":3}}",
        "{\"type\":\"message_stop\"}", NULL};
    struct trial t;
    struct chat_stream *s;
    begin(&t);
    const struct chat_answer *ans = play(&s, CHAT_ANTHROPIC, CHAT_DIALECTS, events, &t.a, &t.out);
    assert_int_equal(t.out.n, 1);
    assert_true(ans->done);
    assert_int_equal(chat_in(&ans->usage), 7);
    assert_int_equal(chat_out(&ans->usage), 3);
    assert_int_equal(ans->choice[0].finish, FINISH_LENGTH);
    chat_stream_free(s);
    end(&t);
}

/* ---- errors ---- */

static void test_errors(void **state) {
    (void)state;
    static const struct {
        enum chat_dialect d;
        int status;
        const char *body, *message;
        int64_t retry;
    } cases[] = {
        {CHAT_OPENAI, 400, "{\"error\":{\"message\":\"no\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}", "no",
         -1},
        {CHAT_OPENAI, 400, "{\"code\":\"x\",\"error\":\"text\"}", "text", -1},
        {CHAT_OPENAI, 422, "{\"detail\":\"bad\"}", "bad", -1},
        {CHAT_OPENAI, 502, "<html>no</html>", "The provider answered with status 502.", -1},
        {CHAT_OPENAI, 500, "", "The provider answered with status 500.", -1},
        {CHAT_OPENAI, 500, "plain words", "plain words", -1},
        {CHAT_ANTHROPIC, 529,
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}", "busy", -1},
        {CHAT_GEMINI, 429,
         "[{\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"X\",\"details\":[{\"retryDelay\":\"48s\"}]}}"
         "]",
         "slow", 48000},
        {CHAT_BEDROCK, 400, "{\"message\":\"bad\"}", "bad", -1},
        {CHAT_COHERE, 401, "{\"id\":\"1\",\"message\":\"key\"}", "key", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        struct chat_error e;
        begin(&t);
        chat_error_read(cases[i].d, cases[i].status, str_from(cases[i].body), &e, &t.a);
        assert_true(str_eqz(e.message, cases[i].message));
        assert_int_equal(e.status, cases[i].status);
        assert_int_equal(e.retry_ms, cases[i].retry);
        end(&t);
    }
    struct trial t;
    struct chat_error e = {.status = 529, .message = STR("busy"), .retry_ms = -1};
    begin(&t);
    chat_error_write(CHAT_ANTHROPIC, &e, &t.out);
    buf_char(&t.out, 0);
    assert_string_equal(t.out.p,
                        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}");
    buf_clear(&t.out);
    chat_error_write(CHAT_GEMINI, &e, &t.out);
    buf_char(&t.out, 0);
    assert_string_equal(t.out.p, "{\"error\":{\"code\":529,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}");
    end(&t);
}

/* ---- usage ---- */

static void test_usages(void **state) {
    (void)state;
    jval v;
    struct usage u = {0};
    json_check(STR("{\"input_tokens\":10,\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":5,\"cache_"
                   "creation\":"
                   "{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},\"output_tokens\":4}"),
               &v, NULL, NULL);
    assert_true(anthropic_usage(v, &u) && !u.suspect);
    assert_int_equal(u.units[USAGE_INPUT], 10);
    assert_int_equal(u.units[USAGE_CACHE_WRITE_5M], 10);
    assert_int_equal(u.units[USAGE_CACHE_WRITE_1H], 20);
    assert_int_equal(chat_in(&u), 45);
    u = (struct usage){0};
    json_check(STR("{\"promptTokenCount\":100,\"cachedContentTokenCount\":60,\"candidatesTokenCount\":7,"
                   "\"thoughtsTokenCount\":9,"
                   "\"toolUsePromptTokenCount\":11,\"totalTokenCount\":127,\"promptTokensDetails\":[{\"modality\":"
                   "\"AUDIO\",\"tokenCount\":20}],"
                   "\"cacheTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":5}]}"),
               &v, NULL, NULL);
    assert_true(gemini_usage(v, &u) && !u.suspect);
    assert_int_equal(u.units[USAGE_CACHED_INPUT], 55);
    assert_int_equal(u.units[USAGE_CACHED_AUDIO], 5);
    assert_int_equal(u.units[USAGE_INPUT_AUDIO], 15);
    assert_int_equal(chat_in(&u), 111);
    assert_int_equal(chat_out(&u), 16);
    u = (struct usage){0};
    json_check(STR("{\"inputTokens\":10,\"outputTokens\":4,\"cacheReadInputTokens\":5,\"cacheWriteInputTokens\":7,"
                   "\"totalTokens\":26,"
                   "\"cacheDetails\":[{\"inputTokens\":7,\"ttl\":\"1h\"}]}"),
               &v, NULL, NULL);
    assert_true(bedrock_usage(v, &u) && !u.suspect);
    assert_int_equal(u.units[USAGE_CACHE_WRITE_1H], 7);
    assert_int_equal(chat_in(&u), 22);
}

/* ---- frames ---- */

static size_t put_frame(char *to, const char *event, const char *payload) {
    size_t e = strlen(event), p = strlen(payload), headers = 11 + 2 + 2 + e, total = 16 + headers + p;
    unsigned char *b = (unsigned char *)to;
    for (unsigned i = 0; i < 4; i++)
        b[i] = (unsigned char)(total >> (24 - 8 * i)), b[4 + i] = (unsigned char)(headers >> (24 - 8 * i));
    uint32_t c = (uint32_t)crc32_z(0, b, 8);
    for (unsigned i = 0; i < 4; i++) b[8 + i] = (unsigned char)(c >> (24 - 8 * i));
    b[12] = 11;
    memcpy(to + 13, ":event-type", 11);
    b[24] = 7;
    b[25] = 0;
    b[26] = (unsigned char)e;
    memcpy(to + 27, event, e);
    memcpy(to + 27 + e, payload, p);
    c = (uint32_t)crc32_z(0, b, total - 4);
    for (unsigned i = 0; i < 4; i++) b[total - 4 + i] = (unsigned char)(c >> (24 - 8 * i));
    return total;
}

static void test_frames(void **state) {
    (void)state;
    char bytes[512];
    size_t n = put_frame(bytes, "one", "{}");
    n += put_frame(bytes + n, "two", "{\"a\":1}");
    for (size_t piece = 1; piece <= n; piece++) {
        struct eventstream s;
        struct eventstream_frame f;
        unsigned got = 0;
        eventstream_init(&s);
        for (size_t at = 0; at < n; at += piece) {
            str in = str_take(str_make(bytes + at, n - at), piece);
            while (eventstream_next(&s, &in, &f))
                assert_true(str_eqz(f.event, got++ ? "two" : "one") && !f.failed);
        }
        assert_int_equal(got, 2);
        assert_false(eventstream_cut(&s));
        eventstream_free(&s);
    }
    for (size_t flip = 0; flip < n; flip++) { /* whatever bit is wrong, no frame with it comes through */
        struct eventstream s;
        struct eventstream_frame f;
        unsigned got = 0;
        bytes[flip] ^= 4;
        str in = str_make(bytes, n);
        eventstream_init(&s);
        while (eventstream_next(&s, &in, &f)) got++;
        assert_true(got < 2 && eventstream_cut(&s));
        eventstream_free(&s);
        bytes[flip] ^= 4;
    }
    struct eventstream s;
    struct eventstream_frame f;
    str in = str_make(bytes, n - 1);
    eventstream_init(&s);
    while (eventstream_next(&s, &in, &f)) assert_true(str_eqz(f.event, "one"));
    assert_true(eventstream_cut(&s)); /* one byte short */
    eventstream_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_tools_across),
        cmocka_unit_test(test_mistral_ids),
        cmocka_unit_test(test_gemini_schema_and_ids),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_thinking),
        cmocka_unit_test(test_system_and_order),
        cmocka_unit_test(test_codex_namespace),
        cmocka_unit_test(test_cut_streams),
        cmocka_unit_test(test_stream_grammar),
        cmocka_unit_test(test_mixed_calls),
        cmocka_unit_test(test_second_call_flows),
        cmocka_unit_test(test_odd_streams),
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_tap),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_usages),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_count_and_fetch),
        cmocka_unit_test(test_files_that_are_text),
        cmocka_unit_test(test_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
