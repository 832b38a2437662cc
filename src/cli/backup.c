/* dray backup: a consistent copy of the ledger while it is in use. */
#include "books/upkeep.h"
#include "cli/cli.h"
#include "config/config.h"

#include <unistd.h>

static int run(int argc, char **argv);

struct backup_args {
    const char *config, *ledger;
};

static const struct opt opts[] = {
    {"ledger", 0, OPT_STR, OPT(struct backup_args, ledger), "FILE", "This ledger instead of the configured one."},
    {"config", 'c', OPT_STR, OPT(struct backup_args, config), "FILE", "Configuration that names the ledger."},
    {0},
};
static const struct note examples[] = {
    {"dray backup /backup/dray-$(date +%F).db", "From cron, while the gateway runs."}, {NULL, NULL}};

const struct command command_backup = {
    .name = "backup",
    .brief = "copy the ledger to a new file, consistently, while it is in use",
    .args = "OUT",
    .args_min = 1,
    .args_max = 1,
    .about = "The copy is a ledger as of one moment; reports, explain and replay read it with --ledger or --from.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static void progress(void *ctx, int left, int all) {
    if (*(const bool *)ctx && all > 0) fprintf(stderr, "\r%3d %%", (int)(100.0 * (all - left) / all));
}

static int run(int argc, char **argv) {
    struct backup_args o = {0};
    struct args operands;
    if (!cli_parse(&command_backup, argc, argv, &o, &operands)) return EXIT_USAGE;
    err e;
    struct config *c = o.ledger ? NULL : config_load(o.config, &e);
    if (!c && !o.ledger) return cli_fail(&command_backup, "%s", e.msg);
    bool draw = isatty(STDERR_FILENO);
    bool good = ledger_backup(o.ledger ? o.ledger : c->ledger_path.p, operands.arg[0], progress, &draw, &e);
    if (draw) fputs("\r\033[K", stderr);
    if (c) config_unpin(c);
    return good ? EXIT_GOOD : cli_fail(&command_backup, "%s", e.msg);
}
