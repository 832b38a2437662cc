/* dray version */
#include "cli/cli.h"

static int run(int argc, char **argv);

static const struct note examples[] = {{"dray version", "Prints the version."}, {NULL, NULL}};

const struct command command_version = {
    .name = "version",
    .brief = "print the version",
    .args = "",
    .about = "Prints the version of dray.",
    .examples = examples,
    .run = run,
};

static int run(int argc, char **argv) {
    struct args operands;
    if (!cli_parse(&command_version, argc, argv, NULL, &operands)) return EXIT_USAGE;
    puts("dray " DRAY_VERSION);
    return EXIT_GOOD;
}
