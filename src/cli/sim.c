/* dray sim: the simulated providers on a port of their own, until it is told to stop. */
#include "sim/sim.h"
#include "cli/cli.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>

struct options {
    struct sim_options sim;
    const char *address;
    uint64_t port;
};

/* Types of the sim's units on the command line. */
enum { OPT_OF_COUNT = OPT_U64, OPT_OF_TIME = OPT_DURATION, OPT_OF_SHARE = OPT_F64 };

static const struct opt rows[] = {
    {"port", 'p', OPT_U64, OPT(struct options, port), "N", "Port to listen on; 0 for any free one. Default 9100."},
    {"address", 'a', OPT_STR, OPT(struct options, address), "IPV4", "Address to listen on. Default 127.0.0.1."},
#define X(field, name, unit, help)                                                                                \
    {name, 0, (enum opt_type)OPT_OF_##unit, OPT(struct options, sim.field), #unit, help "."},
    SIM_OPTIONS(X)
#undef X
        {NULL, 0, OPT_FLAG, 0, NULL, NULL}};

static const struct note examples[] = {
    {"dray sim", "Simulated providers on port 9100: base URLs http://127.0.0.1:9100/v1 (OpenAI), "
                 "http://127.0.0.1:9100 (Anthropic, Gemini)."},
    {"dray sim --first-byte 300ms --token-pace 20ms", "Streams at the pace of a real model."},
    {"dray sim --rate-limit 60 --error-rate 0.02 --error-status 503", "A provider with bad days."},
    {NULL, NULL}};

static int run(int argc, char **argv);

const struct command command_sim = {
    .name = "sim",
    .brief = "simulated providers: OpenAI, Anthropic and Gemini on one port",
    .args = "",
    .about = "Answers like the providers do, without a model: for trials without a key, tests and benchmarks. "
             "Every answer says that it "
             "is simulated, in its text and in the header x-dray-simulated. The same seed and request give the "
             "same answer.\n\n"
             "Endpoints: chat/completions, completions, responses, embeddings, moderations, models; messages, "
             "messages/count_tokens; "
             "generateContent, streamGenerateContent, countTokens, embedContent, batchEmbedContents.\n\n"
             "A request overrides an option for itself with a header of its name: x-sim-error-rate: 1.\n\n"
             "The first line on standard output is the address it listens on.",
    .opts = rows,
    .examples = examples,
    .run = run,
};

static int run(int argc, char **argv) {
    struct options o = {.address = "127.0.0.1", .port = 9100};
    struct args operands;
    err e;
    sim_options_default(&o.sim);
    if (!cli_parse(&command_sim, argc, argv, &o, &operands)) return EXIT_USAGE;
    if (o.port > UINT16_MAX) return cli_usage(&command_sim, "--port: 0 to 65535");
    if (!(o.sim.error_rate >= 0 && o.sim.error_rate <= 1 && o.sim.disconnect_rate >= 0 &&
          o.sim.disconnect_rate <= 1))
        return cli_usage(&command_sim, "a rate is a share from 0 to 1");
    if (o.sim.error_status < 400 || o.sim.error_status > 599)
        return cli_usage(&command_sim, "--error-status: 400 to 599");

    sigset_t ends;
    int got;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before the thread starts, which inherits it */
    struct rlimit files;                 /* thousands of streams at once are what it is for */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct sim *s = sim_start(o.address, (uint16_t)o.port, &o.sim, &e);
    if (!s) return cli_fail(&command_sim, "%s", e.msg);
    printf("http://%s:%u simulated providers\n", o.address, sim_port(s));
    fflush(stdout);
    sigwait(&ends, &got);
    sim_stop(s);
    return EXIT_GOOD;
}
