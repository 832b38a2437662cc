/* override: the panic switch of the running gateway. */
#include "base/json.h"
#include "cli/cli.h"
#include "cli/client.h"

struct override_opts {
    const char *config, *why;
    const char *length;
};

static const struct opt opts[] = {
    {"config", 'c', OPT_STR, OPT(struct override_opts, config), "FILE",
     "The configuration of the running gateway (its listen and admin_key)."},
    {"for", 0, OPT_STR, OPT(struct override_opts, length), "TIME",
     "How long, such as 30m or 2h; it ends by itself."},
    {"why", 0, OPT_STR, OPT(struct override_opts, why), "TEXT", "The reason, for the audit log."},
    {0},
};

static int run(int argc, char **argv);

static const struct note examples[] = {
    {"dray override frontier --for 2h --why \"bad answers since 14:00\"",
     "every routed call to the frontier for two hours"},
    {"dray override off", "back to the policy"},
    {"dray override", "tells whether one is on"},
    {0},
};

const struct command command_override = {
    .name = "override",
    .brief = "panic switch: send every routed call to one tier for a while",
    .args = "[TIER | off]",
    .args_min = 0,
    .args_max = 1,
    .about =
        "Speaks to the running gateway. From the next call on, every call that the policy or a tier name would "
        "route goes to "
        "TIER; calls that name a model are left alone. The switch ends by itself, survives a restart, and every "
        "change is a line of the audit log beside the ledger (LEDGER.audit.jsonl).",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static str request_body(const char *tier, const struct override_opts *o, buf *b) {
    jw w;
    jw_init(&w, b);
    jw_object(&w);
    if (!tier) {
        jw_key(&w, "off");
        jw_bool(&w, true);
    } else {
        jw_key(&w, "tier");
        jw_string(&w, str_from(tier));
        jw_key(&w, "for");
        jw_string(&w, str_from(o->length));
        jw_key(&w, "why");
        jw_string(&w, str_from(o->why));
    }
    jw_object_end(&w);
    return buf_view(b);
}

/* One sentence of the gateway's answer. */
static void print_state(str answer) {
    jval root, o;
    if (!json_check(answer, &root, NULL, NULL)) return;
    o = json_get(root, STR("override"));
    if (o.type != J_OBJECT) {
        puts("no override: the policy decides");
        return;
    }
    jval tier = json_get(o, STR("tier")), until = json_get(o, STR("until")), why = json_get(o, STR("why"));
    printf("every routed call goes to " STR_FMT " until " STR_FMT " (" STR_FMT ")\n", STR_ARG(tier.raw),
           STR_ARG(until.raw), STR_ARG(why.raw));
}

static int run(int argc, char **argv) {
    struct override_opts o = {0};
    struct args rest;
    err e;
    if (!cli_parse(&command_override, argc, argv, &o, &rest)) return EXIT_USAGE;
    bool off = rest.count == 1 && str_eqz(str_from(rest.arg[0]), "off"), show = rest.count == 0;
    if (!off && !show && (!o.length || !o.why))
        return cli_usage(&command_override, "a tier needs --for and --why");
    buf body, answer;
    buf_init(&body, 8192);
    buf_init(&answer, 1 << 20);
    str text = show ? STR_NONE : request_body(off ? NULL : rest.arg[0], &o, &body);
    int status = client_request(o.config, show ? "GET" : "POST", "/admin/v1/override", text, &answer, &e);
    int code = EXIT_GOOD;
    jval root;
    if (status == 200)
        print_state(buf_view(&answer));
    else if (status < 0)
        code = cli_fail(&command_override, "%s", e.msg);
    else if (json_check(buf_view(&answer), &root, NULL, NULL)) {
        str why = json_path(root, "error", "message", NULL).raw;
        code = cli_fail(&command_override, STR_FMT, STR_ARG(why));
    } else
        code = cli_fail(&command_override, "the gateway answered %d", status);
    buf_free(&body);
    buf_free(&answer);
    return code;
}
