/* dray forget: deletes a person's calls, keeps the sums. */
#include "books/upkeep.h"
#include "cli/cli.h"
#include "config/config.h"

static int run(int argc, char **argv);

struct forget_args {
    const char *config, *ledger, *user;
};

static const struct opt opts[] = {
    {"user", 0, OPT_STR, OPT(struct forget_args, user), "NAME",
     "Whose calls: as x-dray-user or the request's `user` said."},
    {"ledger", 0, OPT_STR, OPT(struct forget_args, ledger), "FILE", "This ledger instead of the configured one."},
    {"config", 'c', OPT_STR, OPT(struct forget_args, config), "FILE", "Configuration that names the ledger."},
    {0},
};
static const struct note examples[] = {{"dray forget --user u-17@example.com", "Safe while the gateway runs."},
                                       {NULL, NULL}};

const struct command command_forget = {
    .name = "forget",
    .brief = "delete a person's calls and what hangs on them, keep the sums",
    .args = "",
    .about = "Deletes every call of a user with its attempts, usage lines, scores, comments and sessions, and "
             "overwrites "
             "the bytes. Sums per hour and day, which know no users, stay, so reports don't change. Calls that "
             "end while "
             "this runs are not reached: run it again.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static int run(int argc, char **argv) {
    struct forget_args o = {0};
    struct args operands;
    if (!cli_parse(&command_forget, argc, argv, &o, &operands)) return EXIT_USAGE;
    if (!o.user || !*o.user) return cli_usage(&command_forget, "whose calls? --user NAME");
    err e;
    struct config *c = o.ledger ? NULL : config_load(o.config, &e);
    if (!c && !o.ledger) return cli_fail(&command_forget, "%s", e.msg);
    uint64_t calls;
    bool good = ledger_forget(o.ledger ? o.ledger : c->ledger_path.p, str_from(o.user), &calls, &e);
    if (c) config_unpin(c);
    if (!good) return cli_fail(&command_forget, "%s", e.msg);
    printf("%llu calls forgotten\n", (unsigned long long)calls);
    return EXIT_GOOD;
}
