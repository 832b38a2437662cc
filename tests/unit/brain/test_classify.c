/* classify: obvious prompts, escaped bodies, hostile bytes, and what it must leave alone. */
#include "brain/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static arena memory;
static struct router router;

static int setup(void **state) {
    (void)state;
    err e;
    arena_init(&memory, 1 << 16, 1 << 24);
    return router_compile(&router, NULL, NULL, &memory, &e) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&memory);
    return 0;
}

static struct facts ask(const char *system, const char *user, bool esc) {
    struct prompt p = {.user_count = 1};
    p.user[0] = (struct prompt_part){.raw = str_from(user), .esc = esc};
    if (system) {
        p.system_count = 1;
        p.system[0] = (struct prompt_part){.raw = str_from(system), .esc = esc};
    }
    struct facts f;
    facts_init(&f);
    classify(&router, &p, &f);
    return f;
}

static void test_obvious(void **state) {
    (void)state;
    static const struct {
        const char *task, *text;
    } cases[] = {
        {"classify", "Is this e-mail spam? Win a car today, click here!"},
        {"classify", "Classify the sentiment of this tweet: best phone I ever had"},
        {"extract", "Extract all order numbers from the text below.\nYour orders 123-9 and 77 have shipped."},
        {"summarize", "Summarize the following article in two sentences: The mayor said on Monday that"},
        {"rewrite", "Rewrite this sentence in a friendlier tone: Pay now."},
        {"translate", "Translate the following into German: Good night and good luck."},
        {"qa", "Who painted the Mona Lisa?"},
        {"chat", "hello! how are you today?"},
        {"generate", "Write a poem about the sea in autumn"},
        {"code", "Write a Python function that reverses a linked list"},
        {"reason", "Solve the equation 3x + 7 = 22 step by step"},
        {"plan", "Plan a migration of our database to a new region with little downtime"},
        {"synthesize", "Synthesize the findings of these three reports into a single report"},
        {"translate", "\xc3\x9c"
                      "bersetze den Satz ins Englische: Das Wetter ist sch\xc3\xb6n."},
        {"translate",
         "\xe8\xaf\xb7\xe7\xbf\xbb\xe8\xaf\x91\xe8\xbf\x99\xe5\x8f\xa5\xe8\xaf\x9d"}, /* please translate this
                                                                                         sentence */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct facts f = ask(NULL, cases[i].text, false);
        if (!str_eqz(str_from(task_name((enum task)f.task)), cases[i].task))
            fail_msg("%s for: %s", task_name((enum task)f.task), cases[i].text);
        assert_int_equal(f.task_source, TASK_BY_CLASSIFIER);
        assert_true(f.task_confidence > 0 && f.task_confidence <= 1);
        assert_true(f.template_hash != 0 && f.system_hash == 0);
    }
}

static void test_abstains(void **state) {
    (void)state;
    static const char *const cases[] = {"", " \n\t ", "zxqv 77181 ;; blorp", "0123456789", "???", "\xff\xfe\x80"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct facts f = ask(NULL, cases[i], false);
        if (f.task != TASK_UNKNOWN && f.task != TASK_QA)
            fail_msg("%s for case %zu", task_name((enum task)f.task), i);
        assert_true(f.task_confidence < 0.7f);
    }
    assert_int_equal(ask(NULL, "zxqv 77181 ;; blorp", false).task, TASK_UNKNOWN);
    assert_int_equal(ask(NULL, "asdf qwer zxcv", false).task, TASK_UNKNOWN);
    assert_int_equal(ask(NULL, "today was the best day of the year", false).task, TASK_CHAT);
    assert_int_equal(ask(NULL, "", false).task, TASK_UNKNOWN);
}

static void test_system_prompt_says_it(void **state) {
    (void)state;
    struct facts f = ask("You translate customer messages into English. Output only the translation.",
                         "Wo ist mein Paket?", false);
    assert_int_equal(f.task, TASK_TRANSLATE);
    struct facts g = ask("You translate customer messages into English. Output only the translation.",
                         "Danke, alles gut.", false);
    assert_true(f.system_hash && f.system_hash == g.system_hash && f.template_hash == g.template_hash);
    g = ask("You translate customer messages into French. Output only the translation.", "Danke, alles gut.",
            false);
    assert_true(f.system_hash != g.system_hash && f.template_hash != g.template_hash);
}

static void test_escapes_mean_what_they_mean(void **state) {
    (void)state;
    struct facts plain = ask("Be\nbrief \xf0\x9f\x98\x80",
                             "\xc3\x9c"
                             "bersetze: \"gut\"",
                             false);
    struct facts esc = ask("Be\\nbrief \\ud83d\\ude00", "\\u00dc\\u0062ersetze: \\\"gut\\\"", true);
    assert_int_equal(plain.task, TASK_TRANSLATE);
    assert_int_equal(esc.task, TASK_TRANSLATE);
    assert_true(plain.system_hash == esc.system_hash && plain.template_hash == esc.template_hash);
    assert_true(plain.task_confidence == esc.task_confidence);
}

static void test_hints_are_kept(void **state) {
    (void)state;
    struct prompt p = {.user_count = 1};
    p.user[0].raw = STR("Write a poem about the sea");
    struct facts f;
    facts_init(&f);
    f.task = TASK_EXTRACT;
    f.task_source = TASK_BY_HINT;
    f.task_confidence = 1;
    classify(&router, &p, &f);
    assert_true(f.task == TASK_EXTRACT && f.task_source == TASK_BY_HINT && f.task_confidence == 1 &&
                f.template_hash);
}

static void test_order_at_the_end(void **state) {
    (void)state;
    static char text[300000];
    memset(text, 0, sizeof text);
    for (int i = 0; i < 20000; i++) memcpy(text + i * 14, "lorem ipsum a ", 14);
    strcpy(text + 280000, "\n\nSummarize the text above in one sentence.");
    assert_int_equal(ask(NULL, text, false).task, TASK_SUMMARIZE);
    assert_int_equal(ask(NULL, text, true).task, TASK_SUMMARIZE);
    struct prompt p = {.user_count = 2}; /* the order is a part of its own */
    p.user[0].raw = str_make(text, 280000);
    p.user[1].raw = STR("Translate this into French.");
    struct facts f;
    facts_init(&f);
    classify(&router, &p, &f);
    assert_int_equal(f.task, TASK_TRANSLATE);
}

/* Any bytes, whole or cut anywhere, escaped or not: no crash (the sanitizers watch), same answer twice. */
static void test_hostile(void **state) {
    (void)state;
    static char text[8192];
    uint64_t x = 88172645463325252u;
    static const char alphabet[] = "\\\"u{}dDn \xc3\xa9\xe2\x80\x99\xf0\x9f\x98\x80\xff\xed\xa0'`?.A1\n-";
    for (int round = 0; round < 400; round++) {
        size_t n = (size_t)(round * 21) % sizeof text;
        for (size_t i = 0; i < n; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            text[i] = round % 2 ? alphabet[x % (sizeof alphabet - 1)] : (char)x;
        }
        char *exact = malloc(n ? n : 1); /* on the heap, so that reading past its end shows */
        memcpy(exact, text, n);
        struct prompt p = {.user_count = 2, .system_count = 1};
        p.user[0] = (struct prompt_part){.raw = str_make(exact, n / 2), .esc = round % 3 != 0};
        p.user[1] = (struct prompt_part){.raw = str_make(exact + n / 2, n - n / 2), .esc = round % 3 != 0};
        p.system[0] = (struct prompt_part){.raw = str_make(exact, n), .esc = round % 3 != 0};
        struct facts f, g;
        facts_init(&f);
        facts_init(&g);
        classify(&router, &p, &f);
        classify(&router, &p, &g);
        assert_memory_equal(&f, &g, sizeof f);
        free(exact);
    }
}

static void test_one_character_many_times(void **state) {
    (void)state;
    size_t n = 10u << 20;
    char *text = malloc(n);
    for (const char *c = "a\\?\n\xe4"; *c; c++) {
        memset(text, *c, n);
        struct prompt p = {.user_count = 1, .system_count = 1};
        p.user[0] = p.system[0] = (struct prompt_part){.raw = str_make(text, n), .esc = true};
        struct facts f;
        facts_init(&f);
        classify(&router, &p, &f);
        assert_true(f.task_confidence < 0.7f);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_obvious),
        cmocka_unit_test(test_abstains),
        cmocka_unit_test(test_system_prompt_says_it),
        cmocka_unit_test(test_escapes_mean_what_they_mean),
        cmocka_unit_test(test_hints_are_kept),
        cmocka_unit_test(test_order_at_the_end),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_one_character_many_times),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
