/* dray: one binary, a table of commands (cli_commands.def). */
#include "cli/cli.h"

int main(int argc, char **argv) { return cli_main(argc, argv); }
