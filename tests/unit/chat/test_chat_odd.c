/* chat: what providers want otherwise, and what clients send that no manual's example has. */
#include "chat/trial.h"

/* What a kind of provider calls otherwise, or lacks: the row of kinds.c says. */
static void test_quirks(void **state) {
    (void)state;
#define TOOLS "\"max_tokens\":9,\"tools\":[{\"name\":\"f\",\"input_schema\":{}}],"
    static const struct {
        const char *kind, *body, *want; /* what is written, or the parameter that can't be */
        bool good;
    } cases[] = {
        {"openai", "{" TOOLS USER "}", "\"max_completion_tokens\":9", true},
        {"ollama", "{" TOOLS USER "}", "\"max_tokens\":9", true},
        {"nobody", "{" TOOLS USER "}", "\"max_tokens\":9", true},
        {"mistral", "{" TOOLS USER ",\"tool_choice\":{\"type\":\"any\"}}", "\"tool_choice\":\"any\"", true},
        {"groq", "{" TOOLS USER ",\"tool_choice\":{\"type\":\"any\"}}", "\"tool_choice\":\"required\"", true},
        {"groq", "{" TOOLS USER ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}}",
         "\"parallel_tool_calls\":false", true},
        {"together", "{" TOOLS USER ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}}",
         "parallel_tool_calls", false},
        {"deepseek",
         "{" TOOLS USER
         ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
         "response_format.json_schema", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        bool good = carry_to(&t, CHAT_ANTHROPIC, CHAT_OPENAI, cases[i].kind, "m", cases[i].body);
        if (good != cases[i].good) print_message("%s %s: %s\n", cases[i].kind, cases[i].body, t.e.msg);
        assert_int_equal(good, cases[i].good);
        if (good)
            must_have(&t, cases[i].want);
        else
            assert_true(str_eqz(t.param, cases[i].want));
        end(&t);
    }
}

/* What clients send that no manual's example has. */
static void test_odd_requests(void **state) {
    (void)state;
#define ASK(more) "{\"model\":\"m\"," USER more "}"
#define SAID(list) "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" list "]}"
#define U(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define BLOCKS(list) SAID("{\"role\":\"user\",\"content\":[" list "]}")
    static const struct {
        enum chat_dialect from, to;
        const char *kind, *model, *body;
        const char *has, *hasnt, *lost; /* NULL: whatever */
    } cases[] = {
        /* more output than the model has; a model that does not think */
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "claude-haiku-4-5", ASK(",\"max_tokens\":128000"),
         "\"max_tokens\":64000", NULL, "output limit above 64000"},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "openai", "gpt-4o",
         ASK(",\"max_tokens\":32000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":9000}"),
         "\"max_completion_tokens\":16384", "reasoning_effort", "thinking (the model does not think)"},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "openai", "gpt-5.4",
         ASK(",\"max_tokens\":9,\"thinking\":{\"type\":\"adaptive\"}"), NULL, "reasoning_effort", NULL},
        {CHAT_OPENAI, CHAT_GEMINI, "gemini", "gemini-2.5-pro", ASK(",\"reasoning_effort\":\"none\""),
         "\"thinkingBudget\":128", NULL, "thinking (can't be switched off)"},
        {CHAT_ANTHROPIC, CHAT_GEMINI, "gemini", "gemini-2.5-flash",
         ASK(",\"max_tokens\":40000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":31999}"),
         "\"thinkingBudget\":24576", NULL, NULL},
        /* nothing said, or nothing asked */
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "c",
         SAID(U("a") ",{\"role\":\"assistant\",\"content\":\"\"}," U("b")), "{\"role\":\"user\"", "assistant",
         "empty message"},
        {CHAT_OPENAI, CHAT_BEDROCK, "bedrock", "c",
         SAID(U("a") ",{\"role\":\"assistant\",\"content\":null}," U("b")), NULL, "assistant", "empty message"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "c", SAID("{\"role\":\"system\",\"content\":\"Say hi.\"}"),
         "\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Say hi.\"}]",
         "\"system\":", "role of the last system message"},
        {CHAT_OPENAI, CHAT_GEMINI, "gemini", "g", SAID("{\"role\":\"system\",\"content\":\"Say hi.\"}"),
         "\"role\":\"user\"", "systemInstruction", NULL},
        /* media as people spell them */
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "c",
         BLOCKS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
                "jpg;charset=utf-8;base64,aGk=\",\"detail\":\"low\"}}"),
         "\"media_type\":\"image/jpeg\"", NULL, "image_url.detail"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "c",
         BLOCKS("{\"type\":\"image_url\",\"image_url\":\"https://example.com/a.png\"}"),
         "\"url\":\"https://example.com/a.png\"", NULL, NULL},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "openai", "o",
         BLOCKS("{\"type\":\"document\",\"citations\":{\"enabled\":true},\"source\":{\"type\":\"content\","
                "\"content\":[{"
                "\"type\":\"text\",\"text\":\"page one\"}]}},{\"type\":\"text\",\"text\":\"?\"}"),
         "page one", NULL, "citations"},
        /* words for one thing */
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "c",
         ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{\"type\":"
             "\"required\"}"),
         "\"tool_choice\":{\"type\":\"any\"}", NULL, NULL},
        {CHAT_OPENAI, CHAT_GEMINI, "gemini", "g",
         ASK(",\"response_format\":{\"type\":\"json_object\",\"schema\":{\"type\":\"object\"}}"),
         "\"responseJsonSchema\":{\"type\":\"object\"}", NULL, NULL},
        {CHAT_OPENAI, CHAT_GEMINI, "gemini", "g", ASK(",\"logit_bias\":{},\"verbosity\":\"low\""), NULL, NULL,
         "verbosity"},
        {CHAT_OPENAI, CHAT_GEMINI, "gemini", "g",
         ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true}}]"), NULL, NULL,
         "tools.strict"},
        {CHAT_OPENAI, CHAT_GEMINI, "gemini", "g", SAID("{\"role\":\"user\",\"name\":\"ann\",\"content\":\"hi\"}"),
         NULL, NULL, "messages.name"},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "claude-haiku-4-5",
         ASK(",\"max_tokens\":9000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},\"provider\":{"
             "\"only\":[\"x\"]}"),
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}", NULL, "provider"},
        {CHAT_OPENAI, CHAT_GEMINI, "gemini", "gemini-2.5-flash", ASK(",\"thinking\":{\"type\":\"disabled\"}"),
         "\"thinkingBudget\":0", NULL, NULL},
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "c",
         BLOCKS("{\"type\":\"document_url\",\"document_url\":\"https://example.com/a.pdf\"}"),
         "\"type\":\"document\",\"source\":{\"type\":\"url\"", NULL, NULL},
        /* a conversation's past with another provider's own forms */
        {CHAT_OPENAI, CHAT_ANTHROPIC, "anthropic", "c",
         SAID(U("a") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":[]},{\"type\":"
                     "\"text\","
                     "\"text\":\"b\"}]}," U("c")),
         "\"text\":\"b\"", NULL, "messages.content.thinking"},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "openai", "o",
         SAID(U("a") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":"
                     "\"web_"
                     "search\",\"input\":{}},{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"s\","
                     "\"content\":[]}"
                     ",{\"type\":\"text\",\"text\":\"b\"}]}," U("c")),
         "\"content\":\"b\"", NULL, "messages.content.web_search_tool_result"},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "openai", "o",
         ASK(",\"max_tokens\":9,\"metadata\":{\"user_id\":"
             "\"user_0123456789abcdef0123456789abcdef_account__session_0123456789abcdef\"}"),
         "\"user\":\"", "account__session", NULL},
        {CHAT_ANTHROPIC, CHAT_OPENAI, "openai", "o", SAID(U("a") ",{\"role\":\"assistant\",\"content\":\"{\"}"),
         "\"content\":\"{\"", NULL, "prefill"},
        {CHAT_OPENAI, CHAT_RESPONSES, "openai", "gpt-5-codex", ASK(",\"logprobs\":true,\"top_logprobs\":2"),
         "\"include\":[\"message.output_text.logprobs\"]", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        if (!carry_to(&t, cases[i].from, cases[i].to, cases[i].kind, cases[i].model, cases[i].body))
            fail_msg("%s: %s", cases[i].body, t.e.msg);
        if (cases[i].has) must_have(&t, cases[i].has);
        if (cases[i].hasnt && strstr(t.out.p, cases[i].hasnt)) fail_msg("%s in %s", cases[i].hasnt, t.out.p);
        if (cases[i].lost && !lost(&t, cases[i].lost))
            fail_msg("%s is not told of %s", cases[i].lost, cases[i].body);
        end(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quirks), cmocka_unit_test(test_odd_requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
