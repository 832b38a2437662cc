/* The walker of logs finds in OpenAI requests what the gateway's reader finds, on every recorded request; and so
 * both decide alike. Skips visibly where there are no recordings. */
#include "chat/openai.h"
#include "chat/recorded.h"
#include "insight/format.h"
#include "insight/walk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static unsigned requests;

static void same(void *ctx, const struct recorded *r) {
    (void)ctx;
    if (r->request.n == 0 || r->request.p[0] != '{' ||
        !(str_find(r->path, STR("chat/completions")) >= 0 || str_ends(r->path, STR("/responses"))))
        return;
    arena a;
    arena_init(&a, 4096, 8 << 20);
    jscan s;
    json_scan_init(&s, &a);
    if (json_scan(&s, r->request, true) == JSON_DONE) {
        struct facts want, got;
        struct prompt p, q;
        struct token_estimate tokens = {0}, chars = {0};
        facts_init(&want);
        openai_facts(&s, r->request, &want, &p);
        for (unsigned estimate = 0; estimate < 2; estimate++) {
            struct log_call c;
            jval v;
            facts_init(&got);
            log_call_init(&c);
            assert_non_null(lazy_value(r->request.p, r->request.p + r->request.n, &v));
            log_request(v, &c);
            log_walk(&c, estimate, &got, &q, estimate ? &tokens : &chars);
            bool good = got.turns == want.turns && got.tool_count == want.tool_count &&
                        got.vision == want.vision && got.schema == want.schema &&
                        got.output_tokens == want.output_tokens && got.input_length == want.input_length &&
                        q.user_count == p.user_count && q.system_count == p.system_count &&
                        q.agent_step == p.agent_step && q.history_count == p.history_count &&
                        (!estimate || tokens_estimate(&tokens) == want.input_tokens);
            if (!good)
                fail_msg("%.*s %.*s: turns %u %u tools %u %u vision %d %d schema %d %d limit %u %u length %u %u "
                         "user %u %u system %u %u agent %d %d",
                         STR_ARG(r->id), STR_ARG(r->path), got.turns, want.turns, got.tool_count, want.tool_count,
                         got.vision, want.vision, got.schema, want.schema, got.output_tokens, want.output_tokens,
                         got.input_length, want.input_length, q.user_count, p.user_count, q.system_count,
                         p.system_count, q.agent_step, p.agent_step);
            for (unsigned i = 0; i < p.user_count; i++) assert_true(str_eq(p.user[i].raw, q.user[i].raw));
        }
        requests++;
    }
    arena_free(&a);
}

static void test_recorded(void **state) {
    (void)state;
    char dir[512];
    if (!recorded_dir(dir)) {
        print_message("SKIPPED: no recordings beside the checkout\n");
        skip();
    }
    recorded_each(same, NULL);
    assert_true(requests > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
