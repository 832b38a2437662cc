/* dray explain: why a recorded call went where it went. */
#include "insight/explain.h"

#include "cli/cli.h"

#include <stdlib.h>

static int run(int argc, char **argv);

struct explain_args {
    const char *config, *ledger;
    bool json;
};

static const struct opt opts[] = {
    {"json", 0, OPT_FLAG, OPT(struct explain_args, json), NULL,
     "Writes one JSON object: the call, and today's decision."},
    {"ledger", 0, OPT_STR, OPT(struct explain_args, ledger), "FILE", "This ledger instead of the configured one."},
    {"config", 'c', OPT_STR, OPT(struct explain_args, config), "FILE", "Configuration that decides again."},
    {0},
};
static const struct note examples[] = {
    {"dray explain 0197a5c4-…", "The id is in the answer's x-dray-call-id."},
    {"dray explain -c new.yaml 0197a5c4-…", "Would the new policy decide otherwise?"},
    {NULL, NULL},
};

const struct command command_explain = {
    .name = "explain",
    .brief = "why a recorded call went where it went, and what it cost line by line",
    .args = "CALL_ID",
    .args_min = 1,
    .args_max = 1,
    .about =
        "Shows a call as the ledger has it: the facts it was decided from, the rule, the candidates, each "
        "attempt, each line of its cost. Then it decides again from the same facts by the configuration of today. "
        "Nothing is sent; the text of the call is not needed and not kept.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static int explain(const struct explain_args *o, const char *text, struct ledger *l, const struct config *config) {
    struct uuid id;
    uint64_t at;
    err e;
    if (!uuid_parse(str_from(text), &id)) return cli_fail(&command_explain, "\"%s\" is no call's id", text);
    enum ledger_found found = ledger_find(l, id, &at, &e);
    if (found == LEDGER_NONE) return cli_fail(&command_explain, "there is no call %s in the ledger", text);
    arena a;
    arena_init(&a, 8192, 4 << 20);
    struct ledger_call *c = xcalloc(1, sizeof *c);
    if (found == LEDGER_FOUND) found = ledger_get(l, at, &a, c, &e);
    buf b;
    buf_init(&b, 16 << 20);
    if (found == LEDGER_FOUND) {
        o->json ? explain_json(c, config, &b) : explain_text(c, config, &b);
        fwrite(b.p, 1, b.n, stdout);
    }
    buf_free(&b);
    free(c);
    arena_free(&a);
    return found == LEDGER_FOUND ? EXIT_GOOD : cli_fail(&command_explain, "%s", e.msg);
}

static int run(int argc, char **argv) {
    struct explain_args o = {0};
    struct args operands;
    if (!cli_parse(&command_explain, argc, argv, &o, &operands)) return EXIT_USAGE;
    err e;
    struct config *c = config_load(o.config, &e);
    if (!c && !o.ledger) return cli_fail(&command_explain, "%s", e.msg);
    struct ledger *l = ledger_open(o.ledger ? o.ledger : c->ledger_path.p, &e);
    int rc = l ? explain(&o, operands.arg[0], l, c) : cli_fail(&command_explain, "%s", e.msg);
    ledger_close(l);
    if (c) config_unpin(c);
    return rc;
}
