/* commands: the table, and what finds and starts a command. */
#include "cli/cli.h"

#include <string.h>

#define COMMAND(name) extern const struct command command_##name;
#include "cli/cli_commands.def"
#undef COMMAND

const struct command *const cli_commands[] = {
#define COMMAND(name) &command_##name,
#include "cli/cli_commands.def"
#undef COMMAND
    NULL};

const struct command *cli_command(str name) {
    for (const struct command *const *c = cli_commands; *c; c++)
        if (str_eqz(name, (*c)->name)) return *c;
    return NULL;
}

static int unknown(const char *word) {
    const char *near = NULL;
    unsigned least = 3;
    for (const struct command *const *c = cli_commands; *c; c++) {
        unsigned d = str_distance(str_from(word), str_from((*c)->name), 2);
        if (d < least) {
            least = d;
            near = (*c)->name;
        }
    }
    if (near)
        fprintf(stderr, "dray: no command \"%s\": did you mean \"%s\"?\n", word, near);
    else
        fprintf(stderr, "dray: no command \"%s\"; `dray help` lists them\n", word);
    return EXIT_USAGE;
}

int cli_main(int argc, char **argv) {
    if (argc < 2) {
        cli_overview(stderr);
        return EXIT_USAGE;
    }
    str word = str_from(argv[1]);
    if (str_eqz(word, "--help") || str_eqz(word, "-h")) word = STR("help");
    if (str_eqz(word, "--version") || str_eqz(word, "-V")) word = STR("version");
    const struct command *c = cli_command(word);
    if (!c) return unknown(argv[1]);
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            cli_manual(c, stdout);
            return EXIT_GOOD;
        }
    int code = c->run(argc - 1, argv + 1);
    /* Output that could not be written (a full disk) is no success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (code == EXIT_GOOD) code = cli_fail(c, "standard output could not be written");
    }
    return code;
}
