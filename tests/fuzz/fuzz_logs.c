/* Past logs of any format, straight into an analysis with a sample. Claims: nothing a log says is fatal; counts
 * are never negative; the sums by model are the sums of all; the reports can be written, JSON is JSON, no control
 * character steers a terminal; the sample's lines are JSON and its weights count its calls. */
#include "fuzz.h"

#include "insight/analysis.h"
#include "insight/report.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

static bool take(void *ctx, const struct log_call *c, const struct log_place *at) {
    for (unsigned i = 0; i < USAGE_CLASSES; i++) MUST(c->usage.units[i] >= 0);
    MUST(at->file && at->format && c->task < TASK_COUNT);
    return analysis_call(ctx, c, at);
}

static bool sampled(void *ctx, str line) {
    jval root;
    double w;
    MUST(json_check(line, &root, NULL, NULL));
    MUST(json_f64(json_get(root, STR("weight")), &w) && w >= 1);
    *(double *)ctx += w;
    return true;
}

static void check_reports(struct analysis *a, const struct log_stats *stats) {
    struct conclusion k;
    struct report r = {.a = a, .k = &k, .policy = "built-in", .stats = *stats, .prompts = true};
    buf b;
    jval root;
    analysis_conclude(a, &k);
    buf_init(&b, 16 << 20);
    report_json(&r, &b);
    MUST(!b.failed && json_check(buf_view(&b), &root, NULL, NULL));
    buf_clear(&b);
    report_terminal(&r, 80, false, &b);
    for (size_t i = 0; i < b.n; i++) MUST(((unsigned char)b.p[i] >= 0x20 && b.p[i] != 0x7F) || b.p[i] == '\n');
    buf_clear(&b);
    report_html(&r, &b);
    MUST(!b.failed && str_ends(buf_view(&b), STR("</html>\n")));
    buf_free(&b);
}

static void check_sums(const struct analysis *a) {
    struct sums s = {.calls = 0};
    for (uint32_t i = 0; i < a->by_model.count; i++) sums_add(&s, &a->by_model.row[i].s);
    MUST(s.calls == a->all.calls && s.input == a->all.input && s.output == a->all.output && s.cost == a->all.cost);
    MUST(a->all.input >= 0 && a->all.output >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    char path[32];
    struct analysis *a = calloc(1, sizeof *a);
    struct sample *sample = sample_new(8);
    struct sample_stats rows;
    struct log_stats stats;
    err e;
    int fd = memfd_create("log", 0);
    MUST(a && fd >= 0 && write(fd, p, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    MUST(analysis_init(a, &(struct analysis_options){.texts = true, .samples = true, .sample = sample}, NULL, &e));
    struct log_reader *r =
        log_reader_new(&(struct log_options){.call = take, .ctx = a, .keys = a->keys}, &a->problems, &e);
    MUST(r && log_read(r, path));
    log_reader_stats(r, &stats);
    log_reader_free(r);
    check_sums(a);
    check_reports(a, &stats);
    double weight = 0;
    sample_stats(sample, &rows);
    MUST(sample_lines(sample, sampled, &weight));
    MUST(rows.rows <= 8 &&
         fabs(weight - (double)(rows.calls - rows.missing_calls)) < 0.001 * (double)rows.calls + 0.001);
    analysis_free(a);
    sample_free(sample);
    free(a);
    close(fd);
    return 0;
}
