/* cli: one binary, a table of commands. A command is one file src/cli/NAME.c that defines
 * `const struct command command_NAME` (what it is called, its options as rows, its manual) and one row in
 * cli_commands.def. Parsing, `--help`, `dray help NAME`, usage errors and suggestions follow from the rows. */
#ifndef DRAY_CLI_CLI_H
#define DRAY_CLI_CLI_H

#include "base/str.h"

#include <stdio.h>

/* Exit codes (CONTRACT section 2). */
enum { EXIT_GOOD = 0, EXIT_BAD_INPUT = 1, EXIT_USAGE = 2 };

enum opt_type {
    OPT_FLAG,     /* bool; takes no value */
    OPT_STR,      /* const char * */
    OPT_U64,      /* uint64_t */
    OPT_F64,      /* double */
    OPT_DURATION, /* uint64_t, microseconds: "30s", "2h" */
    OPT_LIST,     /* struct opt_list; may be repeated */
};

enum { OPT_LIST_MAX = 32 };
struct opt_list {
    const char *item[OPT_LIST_MAX];
    unsigned count;
};

/* One option: a row. The value goes to `offset` of the command's own struct of options, whose defaults the
 * command sets before it parses. */
struct opt {
    const char *name; /* "config" for --config; NULL ends the table */
    char letter;      /* 'c' for -c; 0 for none */
    enum opt_type type;
    size_t offset;
    const char *arg;  /* "FILE"; NULL for flags */
    const char *help; /* sentences */
};
#define OPT(type, field) offsetof(type, field)

/* A pair of words in the manual: an example and what it does, a variable and what it means. */
struct note {
    const char *what, *means; /* what == NULL ends the list */
};

struct command {
    const char *name;  /* "check" */
    const char *brief; /* one line without a full stop */
    const char *args;  /* what follows the options: "FILE…", "CALL_ID"; "" for nothing */
    unsigned args_min, args_max;
    const char *about;                 /* paragraphs, separated by blank lines; wrapped when printed */
    const struct opt *opts;            /* NULL for none */
    const struct note *examples;       /* command lines */
    const struct note *exits;          /* beyond the usual three; NULL for none */
    const struct note *env;            /* NULL for none */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};

/* The command line of one command, parsed. */
struct args {
    int count; /* operands: what is no option */
    char **arg;
};
/* Reads options into `into` by the command's rows ("--name VALUE", "--name=VALUE", "-c VALUE", "-cVALUE", "--"
 * ends them); operands move to the front of argv. False when the usage is wrong: a message is on stderr
 * and the command returns EXIT_USAGE. */
bool cli_parse(const struct command *c, int argc, char **argv, void *into, struct args *operands);
/* "dray NAME: message" and the synopsis on stderr; returns EXIT_USAGE. */
int cli_usage(const struct command *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "dray NAME: message" on stderr; returns EXIT_BAD_INPUT. */
int cli_fail(const struct command *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The manual page of a command, and the list of all. */
void cli_manual(const struct command *c, FILE *out);
void cli_overview(FILE *out);
/* NULL-terminated, in the order of the overview. */
extern const struct command *const cli_commands[];
const struct command *cli_command(str name);
/* Runs argv[1]; the whole of main(). */
int cli_main(int argc, char **argv);

#endif
