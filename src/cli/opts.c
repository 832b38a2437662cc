/* opts: command lines by rows. Every wrong usage is one sentence and the way to the manual. */
#include "cli/cli.h"

#include "base/yaml.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void say(const struct command *c, const char *fmt, va_list ap) {
    fprintf(stderr, "dray %s: ", c->name);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

int cli_usage(const struct command *c, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    say(c, fmt, ap);
    va_end(ap);
    fprintf(stderr, "`dray help %s` explains it\n", c->name);
    return EXIT_USAGE;
}

int cli_fail(const struct command *c, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    say(c, fmt, ap);
    va_end(ap);
    return EXIT_BAD_INPUT;
}

static bool number(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && *out - *out == 0; /* finite */
}

/* Stores `value` as the option's type; what was expected when it is not that, NULL when good. */
static const char *store(const struct opt *o, const char *value, void *into) {
    void *at = (char *)into + o->offset;
    switch (o->type) {
    case OPT_FLAG: *(bool *)at = true; return NULL;
    case OPT_STR: *(const char **)at = value; return NULL;
    case OPT_U64: return str_u64(str_from(value), at) ? NULL : "a whole number";
    case OPT_F64: return number(value, at) ? NULL : "a number";
    case OPT_DURATION: return yaml_duration_text(str_from(value), at) ? NULL : "a duration like 30s, 5m or 2h";
    case OPT_LIST: {
        struct opt_list *list = at;
        if (list->count == OPT_LIST_MAX) return "fewer of them";
        list->item[list->count++] = value;
        return NULL;
    }
    }
    return "nothing";
}

static const struct opt *find_long(const struct opt *rows, str name) {
    for (const struct opt *o = rows; o && o->name; o++)
        if (str_eqz(name, o->name)) return o;
    return NULL;
}

static const struct opt *find_letter(const struct opt *rows, char letter) {
    for (const struct opt *o = rows; o && o->name; o++)
        if (o->letter == letter) return o;
    return NULL;
}

static bool unknown(const struct command *c, const char *word, str name) {
    const char *near = NULL;
    unsigned least = 3;
    for (const struct opt *o = c->opts; o && o->name; o++) {
        unsigned d = str_distance(name, str_from(o->name), 2);
        if (d < least) {
            least = d;
            near = o->name;
        }
    }
    if (near)
        cli_usage(c, "unknown option %s: did you mean --%s?", word, near);
    else
        cli_usage(c, "unknown option %s", word);
    return false;
}

/* One word that is an option; `*i` moves on when its value is the next word. */
static bool take(const struct command *c, int argc, char **argv, int *i, void *into) {
    char *word = argv[*i];
    bool is_long = word[1] == '-';
    str name = str_from(word + (is_long ? 2 : 1));
    const char *value = NULL;
    const struct opt *o;
    if (is_long) {
        ptrdiff_t eq = str_chr(name, '=');
        if (eq >= 0) {
            value = name.p + eq + 1;
            name.n = (size_t)eq;
        }
        o = find_long(c->opts, name);
    } else {
        o = find_letter(c->opts, name.p[0]);
        if (name.n > 1) value = name.p + 1;
    }
    if (!o) return unknown(c, word, name);
    if (o->type == OPT_FLAG && value) return cli_usage(c, "--%s takes no value", o->name), false;
    if (o->type != OPT_FLAG && !value) {
        if (*i + 1 >= argc) return cli_usage(c, "--%s needs a value: %s", o->name, o->arg), false;
        value = argv[++*i];
    }
    const char *wrong = store(o, value, into);
    if (wrong) return cli_usage(c, "--%s takes %s, not \"%s\"", o->name, wrong, value), false;
    return true;
}

bool cli_parse(const struct command *c, int argc, char **argv, void *into, struct args *operands) {
    int count = 0;
    bool only_operands = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (only_operands || word[0] != '-' || !word[1])
            argv[1 + count++] = word; /* "-" is an operand */
        else if (!take(c, argc, argv, &i, into))
            return false;
    }
    *operands = (struct args){count, argv + 1};
    if ((unsigned)count < c->args_min) return cli_usage(c, "missing operand: %s", c->args), false;
    if ((unsigned)count > c->args_max)
        return cli_usage(c, "one operand too many: \"%s\"", argv[1 + c->args_max]), false;
    return true;
}
