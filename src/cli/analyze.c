/* dray analyze: past logs in, savings out. */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/log_opts.h"
#include "insight/policy_file.h"
#include "insight/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int run(int argc, char **argv);

struct analyze_options {
    bool json, no_text, prompts;
    const char *html, *csv, *config_out, *policy, *prices, *baseline, *format, *map, *count, *sample_out;
    uint64_t sample;
};

static const struct opt opts[] = {
    {"json", 0, OPT_FLAG, OPT(struct analyze_options, json), NULL,
     "Writes everything as JSON to stdout; money as exact decimal strings."},
    {"html", 0, OPT_STR, OPT(struct analyze_options, html), "FILE", "Writes one self-contained page."},
    {"csv", 0, OPT_STR, OPT(struct analyze_options, csv), "FILE", "Writes all breakdowns as CSV."},
    {"write-config", 0, OPT_STR, OPT(struct analyze_options, config_out), "FILE",
     "Writes a dray.yaml that does what the report says."},
    {"policy", 0, OPT_STR, OPT(struct analyze_options, policy), "FILE",
     "Decides by this configuration instead of the built-in policy."},
    {"prices", 0, OPT_STR, OPT(struct analyze_options, prices), "FILE",
     "Price list that wins over the built-in one, in the form of LiteLLM's model_prices_and_context_window.json."},
    {"baseline", 0, OPT_STR, OPT(struct analyze_options, baseline), "MODEL",
     "Compares with all calls at this model, too."},
    LOG_OPTS(struct analyze_options),
    {"count", 0, OPT_STR, OPT(struct analyze_options, count), "HOW",
     "Where the log has no token counts: estimate (default) or exact, by the model's own tokenizer where it is "
     "published (OpenAI's o200k and cl100k; script/tokenizers fetches the tables). Shows how far off the estimate "
     "is."},
    {"no-text", 0, OPT_FLAG, OPT(struct analyze_options, no_text), NULL,
     "Counts and prices only; texts are not read, nothing is classified."},
    {"show-prompts", 0, OPT_FLAG, OPT(struct analyze_options, prompts), NULL,
     "Shows the beginnings of prompt templates, variables masked."},
    {"sample", 0, OPT_U64, OPT(struct analyze_options, sample), "N",
     "Also writes N calls for people or a judge to label: stratified by task, model, tier and length, weights "
     "stated, texts redacted. `dray learn`, `eval` and `calibrate` read the file once label or score are filled "
     "in."},
    {"sample-out", 0, OPT_STR, OPT(struct analyze_options, sample_out), "FILE",
     "Where the sample goes; default dray-sample.jsonl. An existing file is left alone: it may hold labels."},
    {0},
};

static const struct note examples[] = {
    {"dray analyze calls.jsonl", "Reads a log, says what it cost and what routing would save."},
    {"dray analyze --html report.html logs/*.jsonl.gz", "Many files, and the report as a page."},
    {"zcat spend.csv.gz | dray analyze --json -", "Reads standard input."},
    {"dray analyze --sample 200 --sample-out label-me.jsonl calls.jsonl", "The report, and 200 calls to label."},
    {NULL, NULL},
};

const struct command command_analyze = {
    .name = "analyze",
    .brief = "read past API logs, say what they cost and what routing would save",
    .args = "FILE\xE2\x80\xA6",
    .args_min = 1,
    .args_max = 100000,
    .about =
        "Reads logs of past calls (\"-\" is standard input; gzip and zstd are unpacked), classifies every "
        "call, prices it, and says what "
        "could move to a cheaper tier and what that saves. Formats are told by content: dray's ledger "
        "records, requests and answers of "
        "OpenAI, Anthropic and Gemini (pairs, batch files, stored completions), LiteLLM spend logs and "
        "logging payloads, OpenRouter, "
        "Langfuse, Helicone and Portkey exports, OpenTelemetry GenAI spans, Claude Code and Codex sessions, "
        "and the usage and cost exports "
        "of OpenAI, Anthropic and DeepSeek, which hold sums and so show spend only.\n\n"
        "No text of a prompt is printed unless --show-prompts is given, or written but to the file of --sample. "
        "Nothing leaves the machine.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

/* ---- progress ---- */

struct work {
    struct analysis *a;
    uint64_t begun_us, drawn_us, before; /* before: bytes of earlier files */
    uint64_t total;
    bool draw, drawn;
};

static bool on_call(void *ctx, const struct log_call *c, const struct log_place *at) {
    return analysis_call(((struct work *)ctx)->a, c, at);
}

static void on_progress(void *ctx, const char *file, uint64_t done, uint64_t size) {
    struct work *w = ctx;
    uint64_t now = w->draw ? clock_mono_us() : 0;
    if (!w->draw || now - w->begun_us < 1000000 || now - w->drawn_us < 200000) return;
    (void)size;
    double s = (double)(now - w->begun_us) / 1e6, all = (double)(w->before + done), rate = all / s;
    char left[48] = "";
    if (w->total && rate > 0 && all < (double)w->total)
        snprintf(left, sizeof left, ", %.0f s left", ((double)w->total - all) / rate);
    fprintf(stderr, "\r\033[K%.0f MB%s, %.0f MB/s%s  %.40s", all / 1e6, w->total ? "" : " read", rate / 1e6, left,
            file);
    w->drawn_us = now;
    w->drawn = true;
}

/* ---- output ---- */

static int write_file(const char *path, const buf *b) {
    FILE *f = fopen(path, "w");
    if (!f || fwrite(b->p, 1, b->n, f) != b->n || fclose(f) != 0)
        return cli_fail(&command_analyze, "%s: %s", path, strerror(errno));
    return EXIT_GOOD;
}

static unsigned terminal_width(void) {
    struct winsize w;
    const char *env = getenv("COLUMNS");
    unsigned n = env ? (unsigned)strtoul(env, NULL, 10) : 0;
    if (n == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0) n = w.ws_col;
    return n ? n : 100;
}

static int output(const struct analyze_options *o, const struct report *r) {
    enum { REPORT_MAX = 64 << 20 };
    const char *no_colour = getenv("NO_COLOR");
    bool colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
    int rc = EXIT_GOOD;
    buf b;
    buf_init(&b, REPORT_MAX);
    if (o->json)
        report_json(r, &b);
    else
        report_terminal(r, terminal_width(), colour, &b);
    fwrite(b.p, 1, b.n, stdout);
    static const struct {
        size_t at;
        void (*write)(const struct report *, buf *);
    } files[] = {{OPT(struct analyze_options, html), report_html}, {OPT(struct analyze_options, csv), report_csv}};
    for (size_t i = 0; i < 2 && rc == EXIT_GOOD; i++) {
        const char *path = *(const char *const *)(const void *)((const char *)o + files[i].at);
        if (!path) continue;
        buf_clear(&b);
        files[i].write(r, &b);
        rc = write_file(path, &b);
    }
    if (o->config_out && rc == EXIT_GOOD) {
        buf_clear(&b);
        analysis_yaml(r->a, &b);
        rc = b.n ? write_file(o->config_out, &b)
                 : cli_fail(&command_analyze,
                            "no model of a known provider in the logs: no configuration to write");
    }
    buf_free(&b);
    return rc;
}

/* ---- the sample ---- */

static bool put_line(void *ctx, str line) { return fwrite(line.p, 1, line.n, ctx) == line.n; }

/* Only its owner may read it, and no labels are ever overwritten. */
static FILE *sample_open(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f)
        cli_fail(&command_analyze, "%s: %s%s", path, strerror(errno),
                 errno == EEXIST ? "; it may hold labels, so it is left alone" : "");
    return f;
}

static int sample_close(const char *path, const struct sample *s, FILE *f) {
    struct sample_stats n;
    sample_stats(s, &n);
    bool good = sample_lines(s, put_line, f);
    if (fclose(f) != 0 || !good) return cli_fail(&command_analyze, "%s: %s", path, strerror(errno));
    if (n.rows == 0) {
        unlink(path);
        return cli_fail(&command_analyze, "no sample: no call in these logs has a text to label");
    }
    fprintf(stderr,
            "dray analyze: %s: %u of %llu calls with text, from %u kinds (task, model, tier, length); %llu "
            "pieces of personal data or secrets masked. Fill in label (a task) or score (0 to 1), then: dray "
            "learn --from %s --out my.model\n",
            path, n.rows, (unsigned long long)n.calls, n.strata - n.missing, (unsigned long long)n.redacted, path);
    if (n.missing)
        fprintf(stderr, "dray analyze: %u kinds with %llu calls found no place; ask for more rows\n", n.missing,
                (unsigned long long)n.missing_calls);
    return EXIT_GOOD;
}

/* Bytes of all files; 0 when that can't be told (standard input). */
static uint64_t size_of(const struct args *files) {
    uint64_t sum = 0;
    struct stat st;
    for (int i = 0; i < files->count; i++) {
        if (stat(files->arg[i], &st) != 0) continue;
        if (!S_ISREG(st.st_mode)) return 0;
        sum += (uint64_t)st.st_size;
    }
    return sum;
}

static int read_all(const struct analyze_options *o, const struct args *files, struct analysis *a) {
    err e;
    struct work w = {.a = a, .begun_us = clock_mono_us(), .draw = isatty(STDERR_FILENO), .total = size_of(files)};
    struct log_options lo = {
        .format = o->format, .map = o->map, .call = on_call, .progress = on_progress, .ctx = &w, .keys = a->keys};
    struct log_reader *r = log_reader_new(&lo, &a->problems, &e);
    if (!r) return cli_usage(&command_analyze, "%s", e.msg);
    struct report report = {.a = a, .policy = o->policy ? o->policy : "built-in", .prompts = o->prompts};
    for (int i = 0; i < files->count; i++) {
        log_read(r, files->arg[i]);
        log_reader_stats(r, &report.stats);
        w.before = report.stats.bytes;
    }
    if (w.drawn) fputs("\r\033[K", stderr);
    struct conclusion k;
    analysis_conclude(a, &k);
    report.k = &k;
    int rc = output(o, &report);
    bool nothing = report.stats.files == 0 || (a->all.calls == 0 && a->all.input == 0 && a->logged_calls == 0);
    if (rc == EXIT_GOOD && nothing) rc = cli_fail(&command_analyze, "no calls were found in what was given");
    log_reader_free(r);
    return rc;
}

static int analyze(const struct analyze_options *o, const struct args *files, struct sample *sample) {
    err e;
    struct config *config = o->policy ? policy_load(o->policy, &e) : NULL;
    if (o->policy && !config) return cli_fail(&command_analyze, "%s", e.msg);
    struct count exact, *count = o->count && strcmp(o->count, "exact") == 0 ? &exact : NULL;
    if (count && !count_init(count, &e)) {
        if (config) config_unpin(config);
        return cli_fail(&command_analyze, "%s", e.msg);
    }
    struct analysis *a = xmalloc(sizeof *a);
    struct analysis_options ao = {.config = config,
                                  .baseline = o->baseline,
                                  .texts = !o->no_text,
                                  .samples = o->prompts,
                                  .count = count,
                                  .sample = sample};
    int rc;
    if (analysis_init(a, &ao, o->prices, &e)) {
        rc = read_all(o, files, a);
        analysis_free(a);
    } else {
        rc = cli_fail(&command_analyze, "%s", e.msg);
    }
    free(a);
    if (count) count_free(count);
    if (config) config_unpin(config);
    return rc;
}

static int run(int argc, char **argv) {
    struct analyze_options o = {0};
    struct args files;
    if (!cli_parse(&command_analyze, argc, argv, &o, &files)) return EXIT_USAGE;
    if (o.sample > SAMPLE_ROWS_MAX) return cli_usage(&command_analyze, "--sample: at most %d", SAMPLE_ROWS_MAX);
    if (o.sample && o.no_text) return cli_usage(&command_analyze, "--sample needs texts: not with --no-text");
    if (o.sample_out && !o.sample) return cli_usage(&command_analyze, "--sample-out without --sample");
    if (o.count && strcmp(o.count, "exact") != 0 && strcmp(o.count, "estimate") != 0)
        return cli_usage(&command_analyze, "--count: exact or estimate");
    if (!o.sample) return analyze(&o, &files, NULL);
    if (!o.sample_out) o.sample_out = "dray-sample.jsonl";
    FILE *f = sample_open(o.sample_out);
    if (!f) return EXIT_BAD_INPUT;
    struct sample *s = sample_new((uint32_t)o.sample);
    int rc = analyze(&o, &files, s), rc2 = sample_close(o.sample_out, s, f);
    sample_free(s);
    return rc == EXIT_GOOD ? rc2 : rc;
}
