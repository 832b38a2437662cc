/* dray help [command]: manual pages rendered from the commands' rows, so that they can't say anything else
 * than what the program does. */
#include "cli/cli.h"

#include <string.h>

enum { WIDTH = 80 };

static int run(int argc, char **argv);

static const struct note examples[] = {
    {"dray help", "Lists the commands."},
    {"dray help serve", "The manual of `dray serve`; `dray serve --help` is the same."},
    {NULL, NULL}};

const struct command command_help = {
    .name = "help",
    .brief = "explain dray or one of its commands",
    .args = "[COMMAND]",
    .args_max = 1,
    .about = "Prints the list of commands, or the manual of one.",
    .examples = examples,
    .run = run,
};

/* Columns that text takes on a terminal, ASCII and the few others that manuals use. */
static size_t columns(str s) { return str_utf8_len(s); }

/* Prints paragraphs wrapped at WIDTH, each line indented. A line that begins with two spaces stays as it is. */
static void wrap(FILE *out, const char *text, size_t indent) {
    str rest = str_from(text), line;
    while (str_cut(&rest, '\n', &line)) {
        if (line.n == 0 || str_starts(line, STR("  "))) {
            fprintf(out, line.n ? "%*s%.*s\n" : "\n", line.n ? (int)indent : 0, "", STR_ARG(line));
            continue;
        }
        size_t col = 0;
        str word;
        while (str_cut(&line, ' ', &word)) {
            if (!word.n) continue;
            if (col && col + 1 + columns(word) > WIDTH) {
                fputc('\n', out);
                col = 0;
            }
            if (col)
                fputc(' ', out);
            else
                fprintf(out, "%*s", (int)indent, "");
            fprintf(out, STR_FMT, STR_ARG(word));
            col = (col ? col + 1 : indent) + columns(word);
        }
        fputc('\n', out);
    }
}

static void print_option(FILE *out, const struct opt *o) {
    if (o->letter)
        fprintf(out, "    -%c, --%s%s%s\n", o->letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    else
        fprintf(out, "    --%s%s%s\n", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    wrap(out, o->help, 8);
}

/* "dray check [-c FILE] [--limits]" with a hanging indent. */
static void synopsis(FILE *out, const struct command *c, size_t indent) {
    size_t hang = indent + strlen("dray ") + strlen(c->name);
    fprintf(out, "%*sdray %s", (int)indent, "", c->name);
    size_t col = hang;
    for (const struct opt *o = c->opts; o && o->name; o++) {
        char item[96];
        int n = o->letter
                    ? snprintf(item, sizeof item, "[-%c%s%s]", o->letter, o->arg ? " " : "", o->arg ? o->arg : "")
                    : snprintf(item, sizeof item, "[--%s%s%s]", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        size_t len = columns(str_take(str_from(item), (size_t)n));
        if (col + 1 + len > WIDTH) {
            fprintf(out, "\n%*s", (int)hang, "");
            col = hang;
        }
        fprintf(out, " %s", item);
        col += 1 + len;
    }
    fprintf(out, "%s%s\n", *c->args ? " " : "", c->args);
}

static void notes(FILE *out, const char *title, const struct note *list) {
    if (!list) return;
    fprintf(out, "\n%s\n", title);
    for (; list->what; list++) {
        fprintf(out, "    %s\n", list->what);
        wrap(out, list->means, 8);
    }
}

void cli_manual(const struct command *c, FILE *out) {
    fprintf(out, "NAME\n    dray %s - %s\n\nSYNOPSIS\n", c->name, c->brief);
    synopsis(out, c, 4);
    fprintf(out, "\nDESCRIPTION\n");
    wrap(out, c->about, 4);
    if (c->opts && c->opts->name) {
        fprintf(out, "\nOPTIONS\n");
        for (const struct opt *o = c->opts; o->name; o++) print_option(out, o);
    }
    notes(out, "EXAMPLES", c->examples);
    fprintf(out, "\nEXIT STATUS\n"
                 "    0   good\n"
                 "    1   bad input\n"
                 "    2   wrong usage\n");
    for (const struct note *x = c->exits; x && x->what; x++) fprintf(out, "    %s   %s\n", x->what, x->means);
    notes(out, "ENVIRONMENT", c->env);
}

void cli_overview(FILE *out) {
    fprintf(out, "dray: one endpoint in front of every LLM provider; each call goes to the\n"
                 "cheapest model that will do, and every call is in the books.\n\n"
                 "usage: dray COMMAND [OPTIONS]\n\n");
    for (const struct command *const *c = cli_commands; *c; c++)
        fprintf(out, "    %-10s %s\n", (*c)->name, (*c)->brief);
    fprintf(out, "\n`dray help COMMAND` is the manual of a command; `dray serve` needs no file.\n");
}

static int run(int argc, char **argv) {
    struct args operands;
    if (!cli_parse(&command_help, argc, argv, NULL, &operands)) return EXIT_USAGE;
    if (operands.count == 0) {
        cli_overview(stdout);
        return EXIT_GOOD;
    }
    const struct command *c = cli_command(str_from(operands.arg[0]));
    if (!c) return cli_usage(&command_help, "no command \"%s\"", operands.arg[0]);
    cli_manual(c, stdout);
    return EXIT_GOOD;
}
