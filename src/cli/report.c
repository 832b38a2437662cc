/* dray report: what the ledger says was spent and saved. */
#include "insight/spend.h"

#include "base/clock.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

static int run(int argc, char **argv);

enum { REPORT_MAX = 256 << 20 };

struct report_args {
    const char *config, *ledger, *html, *csv;
    uint64_t since;
    bool json;
};

static const struct opt opts[] = {
    {"since", 0, OPT_DURATION, OPT(struct report_args, since), "TIME",
     "Only calls that began so long ago or later: 24h, 30d. Default: 30d."},
    {"json", 0, OPT_FLAG, OPT(struct report_args, json), NULL,
     "Writes everything as JSON to stdout; money as exact decimal strings."},
    {"csv", 0, OPT_STR, OPT(struct report_args, csv), "FILE", "Writes all breakdowns as CSV."},
    {"html", 0, OPT_STR, OPT(struct report_args, html), "FILE", "Writes one self-contained page."},
    {"ledger", 0, OPT_STR, OPT(struct report_args, ledger), "FILE", "This ledger instead of the configured one."},
    {"config", 'c', OPT_STR, OPT(struct report_args, config), "FILE",
     "Configuration: which ledger, tiers, prices."},
    {0},
};
static const struct note examples[] = {
    {"dray report", "The last 30 days."},
    {"dray report --since 7d --html week.html", "The last week, as a page to send on."},
    {"dray report --since 1d --json | jq .saved", "For scripts."},
    {NULL, NULL},
};

const struct command command_report = {
    .name = "report",
    .brief = "what was spent and saved, by task, tier, model, key, team, rule and day",
    .args = "",
    .about =
        "Reads the ledger's rollups, also while a gateway writes to it. Savings are against three baselines: "
        "the model each call named (or the configured baseline), the best single cheaper model, and everything at "
        "the frontier. What is unknown is counted and limits the claim; every breakdown sums to its headline. "
        "Calls of mode: observe show what routing would have done.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static int write_file(const char *path, const buf *b) {
    FILE *f = fopen(path, "w");
    if (!f || fwrite(b->p, 1, b->n, f) != b->n || fclose(f) != 0)
        return cli_fail(&command_report, "%s: %s", path, strerror(errno));
    return EXIT_GOOD;
}

static int output(const struct report_args *o, const struct spend *s) {
    int rc = EXIT_GOOD;
    buf b;
    buf_init(&b, REPORT_MAX);
    const struct {
        const char *path;
        void (*write)(const struct spend *, buf *);
    } files[] = {{o->csv, spend_csv}, {o->html, spend_html}};
    for (size_t i = 0; i < 2 && rc == EXIT_GOOD; i++) {
        if (!files[i].path) continue;
        buf_clear(&b);
        files[i].write(s, &b);
        rc = write_file(files[i].path, &b);
    }
    buf_clear(&b);
    o->json ? spend_json(s, &b) : spend_terminal(s, &b);
    if (b.failed) rc = cli_fail(&command_report, "the report is too large");
    if (rc == EXIT_GOOD) fwrite(b.p, 1, b.n, stdout);
    buf_free(&b);
    return rc;
}

static int run(int argc, char **argv) {
    struct report_args o = {.since = 30 * DAY_US};
    struct args operands;
    if (!cli_parse(&command_report, argc, argv, &o, &operands)) return EXIT_USAGE;
    err e;
    struct config *c = config_load(o.config, &e);
    if (!c && !o.ledger) return cli_fail(&command_report, "%s", e.msg);
    struct ledger *l = ledger_open(o.ledger ? o.ledger : c->ledger_path.p, &e);
    struct spend s;
    uint64_t now = clock_wall_us();
    int rc = EXIT_BAD_INPUT;
    if (!l) {
        cli_fail(&command_report, "%s", e.msg);
    } else {
        if (spend_read(&s, ledger_db(l), o.since < now ? now - o.since : 0, now, c, &e))
            rc = output(&o, &s);
        else
            cli_fail(&command_report, "%s", e.msg);
        spend_free(&s);
    }
    ledger_close(l);
    if (c) config_unpin(c);
    return rc;
}
