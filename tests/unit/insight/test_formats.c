/* Every per-call and aggregate export of the shared pack gives exactly the rows and tokens of its group in
 * formats-truth.json. Skips visibly where the pack (or zstd) is absent. */
#include "base/buf.h"
#include "insight/keyset.h"
#include "insight/lazy.h"
#include "insight/log.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct sums {
    int64_t rows, errors, in, cached, out, cost;
    bool cost_known;
};

static bool add(void *ctx, const struct log_call *c, const struct log_place *at) {
    struct sums *s = ctx;
    (void)at;
    s->rows += (int64_t)c->calls;
    s->errors += c->failed;
    s->in += usage_input_tokens(&c->usage);
    s->cached += c->usage.units[USAGE_CACHED_INPUT];
    s->out += usage_output_tokens(&c->usage);
    if (c->cost_logged != COST_UNKNOWN) s->cost += c->cost_logged, s->cost_known = true;
    return true;
}

static struct sums read_all(const char *path, struct log_problems *problems) {
    struct sums s = {0};
    err e;
    struct keyset *keys = keyset_new(KEYSET_EXACT_MAX);
    struct log_reader *r =
        log_reader_new(&(struct log_options){.call = add, .ctx = &s, .keys = keys}, problems, &e);
    assert_non_null(r);
    assert_true(log_read(r, path));
    log_reader_free(r);
    keyset_free(keys);
    return s;
}

static char shared[512], folder[64] = "";

static bool find_shared(void) {
    static const char *const beside[] = {"../shared", "../../shared", NULL};
    const char *env = getenv("DRAY_SHARED");
    if (env) snprintf(shared, sizeof shared, "%s", env);
    for (const char *const *b = beside; !env && *b; b++) {
        snprintf(shared, sizeof shared, "%s", *b);
        if (access(shared, R_OK) == 0) break;
    }
    return access(shared, R_OK) == 0;
}

static int unpack(void **state) {
    (void)state;
    if (!find_shared()) return 0;
    char command[1200];
    strcpy(folder, "/tmp/dray-formats-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(command, sizeof command, "tar --zstd -xf '%s/data/usage/dev/formats.tar.zst' -C '%s' 2>/dev/null",
             shared, folder);
    if (system(command) != 0) {
        rmdir(folder);
        folder[0] = 0;
    }
    return 0;
}

static int clean(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return folder[0] ? system(command) : 0;
}

static char *slurp(const char *path) {
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    buf b;
    buf_init(&b, 1 << 20);
    for (size_t n; (n = fread(buf_room(&b, 4096), 1, 4096, f)) > 0;) b.n += n;
    buf_char(&b, 0);
    fclose(f);
    return b.p;
}

static int64_t truth_of(jval truth, const char *group, const char *what) {
    int64_t n = -1;
    assert_true(lazy_i64(lazy_get(lazy_get(truth, str_from(group)), str_from(what)), &n));
    return n;
}

/* What a format can't say, so that the test doesn't ask for it. */
enum { NO_CACHED = 1, NO_COUNT = 2, NO_TOKENS = 4, NO_ERRORS = 8 };
static const struct {
    const char *file, *group;
    int lacks;
} files[] = {
    {"litellm_spendlogs.csv", "per_call_formats", 0},
    {"litellm_spendlogs.jsonl", "per_call_formats", 0},
    {"litellm_standard_logging.jsonl", "per_call_formats", NO_CACHED},
    {"openrouter_activity.csv", "per_call_formats", 0},
    {"langfuse_observations.jsonl", "per_call_formats", 0},
    {"helicone_requests.jsonl", "per_call_formats", 0},
    {"portkey_export.jsonl", "per_call_formats", NO_CACHED},
    {"otlp_traces.jsonl", "per_call_formats", 0},
    {"otlp_traces_legacy.jsonl", "first_100_rows", 0},
    {"openai_batch_output.jsonl", "first_100_rows", 0},
    {"openai_stored_completions.json", "first_100_success", 0},
    {"claude_code_session.jsonl", "first_150_rows", NO_ERRORS},
    {"codex_rollout.jsonl", "first_150_rows", NO_ERRORS},
    {"openai_usage_completions.json", "aggregate_formats_success_only", 0},
    {"anthropic_usage.csv", "anthropic_only", NO_COUNT},
    {"deepseek_amount.csv", "deepseek_only", 0},
    {"anthropic_cost.csv", "anthropic_only", NO_TOKENS | NO_COUNT | NO_CACHED},
    {"nginx_access.log", "per_call_formats", NO_TOKENS | NO_CACHED},
};

static void test_truth(void **state) {
    (void)state;
    if (!folder[0]) {
        print_message("SKIPPED: no shared usage pack\n");
        skip();
    }
    char path[600];
    snprintf(path, sizeof path, "%s/data/usage/dev/formats-truth.json", shared);
    char *text = slurp(path);
    jval truth;
    assert_non_null(lazy_value(text, text + strlen(text), &truth));
    bool good = true;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        static struct log_problems problems;
        memset(&problems, 0, sizeof problems);
        const char *g = files[i].group;
        int lacks = files[i].lacks;
        snprintf(path, sizeof path, "%s/formats/%s", folder, files[i].file);
        struct sums s = read_all(path, &problems);
        bool same = (lacks & NO_COUNT || s.rows == truth_of(truth, g, "rows")) &&
                    (lacks & NO_ERRORS || s.errors == truth_of(truth, g, "errors")) &&
                    (lacks & NO_TOKENS || (s.in == truth_of(truth, g, "prompt_tokens") &&
                                           s.out == truth_of(truth, g, "completion_tokens"))) &&
                    (lacks & NO_CACHED || lacks & NO_TOKENS || s.cached == truth_of(truth, g, "cached_tokens"));
        if (!same || problems.kind[LOG_UNREADABLE].count || problems.kind[LOG_DUPLICATE].count ||
            problems.kind[LOG_SUSPECT].count) {
            print_error("%s: rows %ld errors %ld in %ld cached %ld out %ld; want %ld %ld %ld %ld %ld; unreadable "
                        "%lu duplicate %lu suspect %lu\n",
                        files[i].file, (long)s.rows, (long)s.errors, (long)s.in, (long)s.cached, (long)s.out,
                        (long)truth_of(truth, g, "rows"), (long)truth_of(truth, g, "errors"),
                        (long)truth_of(truth, g, "prompt_tokens"), (long)truth_of(truth, g, "cached_tokens"),
                        (long)truth_of(truth, g, "completion_tokens"),
                        (unsigned long)problems.kind[LOG_UNREADABLE].count,
                        (unsigned long)problems.kind[LOG_DUPLICATE].count,
                        (unsigned long)problems.kind[LOG_SUSPECT].count);
            good = false;
        }
    }
    free(text);
    assert_true(good);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_truth)};
    return cmocka_run_group_tests(tests, unpack, clean);
}
