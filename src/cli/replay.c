/* dray replay: past calls decided again under another policy. */
#include "insight/replay.h"
#include "base/clock.h"
#include "base/yaml.h"
#include "cli/cli.h"
#include "cli/log_opts.h"
#include "insight/policy_file.h"
#include "insight/report.h"

#include <stdlib.h>
#include <unistd.h>

static int run(int argc, char **argv);

struct replay_args {
    const char *policy, *from, *prices, *format, *map;
    struct opt_list without;
    uint64_t since;
    bool json, diff, reroute;
};

static const struct opt opts[] = {
    {"policy", 0, OPT_STR, OPT(struct replay_args, policy), "FILE", "The configuration to decide by."},
    {"from", 0, OPT_STR, OPT(struct replay_args, from), "LEDGER",
     "A ledger (dray.db). Without it and without files: the configuration's own."},
    {"since", 0, OPT_DURATION, OPT(struct replay_args, since), "TIME",
     "Only calls of the ledger that began so long ago or later: 30d."},
    {"prices", 0, OPT_STR, OPT(struct replay_args, prices), "FILE",
     "What models would cost now, in the form of LiteLLM's model_prices_and_context_window.json; it wins over the "
     "configuration. What the calls did cost stays."},
    {"without", 0, OPT_LIST, OPT(struct replay_args, without), "NAME",
     "As if this model, target or provider were gone; may be repeated."},
    {"reroute", 0, OPT_FLAG, OPT(struct replay_args, reroute), NULL,
     "Decides calls that named their model, too (files: always)."},
    {"diff", 0, OPT_FLAG, OPT(struct replay_args, diff), NULL,
     "Lists each call that changes or can't be decided, one line (with --json: one object) a call, before the "
     "report."},
    LOG_OPTS(struct replay_args),
    {"json", 0, OPT_FLAG, OPT(struct replay_args, json), NULL, "Writes the report as JSON."},
    {0},
};

static const struct note examples[] = {
    {"dray replay --policy new.yaml --from dray.db --since 30d",
     "What the last month would have cost under new.yaml."},
    {"dray replay --policy dray.yaml --without gpt-4o", "What happens when a model is retired."},
    {"dray replay --policy new.yaml calls.jsonl --diff",
     "Past logs instead of a ledger, with every change listed."},
    {NULL, NULL},
};

const struct command command_replay = {
    .name = "replay",
    .brief = "decide past calls again under another policy, old against new",
    .args = "[FILE\xE2\x80\xA6]",
    .args_min = 0,
    .args_max = 100000,
    .about = "Takes the facts and tokens of past calls from a ledger or from logs and decides them again by the "
             "same function that serves "
             "traffic. Nothing is sent. Where the books hold drawn choices, it gives an off-policy estimate of "
             "quality with its interval; where "
             "they don't, it says that it can't know.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static void text(jw *w, const char *key, str v) {
    jw_key(w, key);
    if (v.n)
        jw_string(w, v);
    else
        jw_null(w);
}
static void money(jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    if (v == COST_UNKNOWN)
        jw_null(w);
    else
        jw_nano(w, v);
}

static void changed(void *ctx, const struct replay_change *c) {
    const struct replay_past *p = c->past;
    const bool *json = ctx;
    char m[40], m2[40];
    if (!*json && c->missing.n) {
        printf("%s  " STR_FMT "/" STR_FMT " \xE2\x86\x92 ?  %s (" STR_FMT ")\n", p->id, STR_ARG(p->provider),
               STR_ARG(p->model), c->why, STR_ARG(c->missing));
        return;
    }
    if (!*json) {
        printf("%s  %-10s " STR_FMT "/" STR_FMT " \xE2\x86\x92 " STR_FMT "  %s \xE2\x86\x92 %s  %s (" STR_FMT
               ")\n",
               p->id, task_name((enum task)p->f->task), STR_ARG(p->provider), STR_ARG(p->model), STR_ARG(c->model),
               p->cost == COST_UNKNOWN ? "?" : report_money(m, p->cost),
               c->cost == COST_UNKNOWN ? "?" : report_money(m2, c->cost), c->why, STR_ARG(c->rule));
        return;
    }
    enum { LINE_MAX_BYTES = 64 << 10 };
    buf b;
    jw w;
    buf_init(&b, LINE_MAX_BYTES);
    jw_init(&w, &b);
    jw_object(&w);
    text(&w, "id", str_from(p->id));
    text(&w, "task", p->f ? str_from(task_name((enum task)p->f->task)) : STR_NONE);
    text(&w, "old_provider", p->provider);
    text(&w, "old_model", p->model);
    text(&w, "old_tier", p->tier);
    text(&w, "old_rule", p->rule);
    money(&w, "old_cost", p->cost);
    text(&w, "new_model", c->model);
    text(&w, "new_tier", c->tier);
    text(&w, "new_rule", c->rule);
    money(&w, "new_cost", c->cost);
    text(&w, "why", str_from(c->why));
    text(&w, "not_recorded", c->missing);
    jw_object_end(&w);
    buf_char(&b, '\n');
    fwrite(b.p, 1, b.n, stdout);
    buf_free(&b);
}

static int read_files(struct replay *r, const struct replay_args *o, const struct args *files) {
    struct log_problems *problems = xcalloc(1, sizeof *problems);
    struct keyset *keys = keyset_new(KEYSET_EXACT_MAX);
    err e;
    struct log_reader *reader = log_reader_new(
        &(struct log_options){.format = o->format, .map = o->map, .call = replay_log_call, .ctx = r, .keys = keys},
        problems, &e);
    int rc = reader ? EXIT_GOOD : cli_usage(&command_replay, "%s", e.msg);
    for (int i = 0; reader && i < files->count; i++) log_read(reader, files->arg[i]);
    for (unsigned i = 0; i < LOG_PROBLEM_COUNT; i++)
        if (problems->kind[i].count && i != LOG_NO_TIME && i != LOG_COST_DIFFERS)
            fprintf(stderr, "dray replay: %llu %s\n", (unsigned long long)problems->kind[i].count,
                    log_problem_text((enum log_problem)i));
    log_reader_free(reader);
    keyset_free(keys);
    free(problems);
    return rc;
}

static int replay(struct replay_args *o, const struct args *files) {
    err e;
    struct config *config = policy_load(o->policy, &e);
    if (!config) return cli_fail(&command_replay, "%s", e.msg);
    struct replay_options ro = {.config = config,
                                .prices = o->prices,
                                .reroute = o->reroute || files->count > 0,
                                .changed = o->diff ? changed : NULL,
                                .ctx = &o->json};
    for (unsigned i = 0; i < o->without.count && i < REPLAY_WITHOUT_MAX; i++)
        ro.without[ro.without_count++] = o->without.item[i];
    struct replay *r = xmalloc(sizeof *r);
    int rc;
    if (!replay_init(r, &ro, &e)) {
        rc = cli_fail(&command_replay, "%s", e.msg);
    } else {
        char path[4096];
        snprintf(path, sizeof path, STR_FMT, STR_ARG(config->ledger_path));
        uint64_t now = clock_wall_us(), from = o->since && o->since < now ? now - o->since : 0;
        if (files->count)
            rc = read_files(r, o, files);
        else
            rc = replay_ledger(r, o->from ? o->from : path, from, UINT64_MAX >> 1, &e)
                     ? EXIT_GOOD
                     : cli_fail(&command_replay, "%s", e.msg);
        if (rc == EXIT_GOOD && r->calls == 0) rc = cli_fail(&command_replay, "no calls to decide again");
        if (rc == EXIT_GOOD) {
            enum { REPORT_MAX = 16 << 20 };
            buf b;
            buf_init(&b, REPORT_MAX);
            replay_report(r, o->json, &b);
            fwrite(b.p, 1, b.n, stdout);
            buf_free(&b);
        }
        replay_free(r);
    }
    free(r);
    config_unpin(config);
    return rc;
}

static int run(int argc, char **argv) {
    struct replay_args o = {0};
    struct args files;
    if (!cli_parse(&command_replay, argc, argv, &o, &files)) return EXIT_USAGE;
    return replay(&o, &files);
}
