/* serve: runs the gateway. */
#include "cli/cli.h"
#include "gateway/gateway.h"

#include <malloc.h>

struct serve_opts {
    const char *config;
};

static const struct opt opts[] = {
    {"config", 'c', OPT_STR, OPT(struct serve_opts, config), "FILE",
     "The configuration. Without it: $DRAY_CONFIG, else ./dray.yaml, else API keys from the environment."},
    {0},
};

/* Large bodies must not mean a mapping, its page faults and its unmapping on each request. */
static void tune_malloc(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

extern const struct command command_serve;

static int run(int argc, char **argv) {
    struct serve_opts o = {0};
    struct args rest;
    err e;
    if (!cli_parse(&command_serve, argc, argv, &o, &rest)) return EXIT_USAGE;
    tune_malloc();
    struct config *c = config_load(o.config, &e);
    if (!c) return cli_fail(&command_serve, "%s", e.msg);
    struct gateway *g = gateway_start(c, o.config, &e);
    if (!g) return cli_fail(&command_serve, "%s", e.msg);
    return gateway_run(g);
}

static const struct note examples[] = {
    {"dray serve", "serves what the environment has keys for on 127.0.0.1:4000"},
    {"dray serve -c /etc/dray.yaml", "serves what the file says"},
    {0},
};

static const struct note env[] = {
    {"DRAY_CONFIG", "the configuration file when -c is not given"},
    {"DRAY_LISTEN", "overrides listen"},
    {"OPENAI_API_KEY, ANTHROPIC_API_KEY, …", "providers when there is no file"},
    {0},
};

const struct command command_serve = {
    .name = "serve",
    .brief = "run the gateway",
    .args = "",
    .args_max = 0,
    .about =
        "Answers clients on one endpoint, sends each call to the cheapest model that will do, and books it. "
        "SIGHUP reads the configuration again; a bad file changes nothing and is logged. SIGTERM stops "
        "accepting, lets open calls finish (limits.drain), writes the books and exits.\n\nLogs are JSON lines "
        "on stderr.",
    .opts = opts,
    .examples = examples,
    .env = env,
    .run = run,
};
