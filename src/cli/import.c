/* dray import: another gateway's configuration as one of dray's. */
#include "insight/import.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

static int run(int argc, char **argv);

struct import_args {
    const char *out;
    bool json;
};

static const struct opt opts[] = {
    {"out", 'o', OPT_STR, OPT(struct import_args, out), "FILE",
     "Writes the configuration there instead of to stdout."},
    {"json", 0, OPT_FLAG, OPT(struct import_args, json), NULL,
     "Writes configuration and report as one JSON object to stdout."},
    {0},
};

static const struct note examples[] = {
    {"dray import litellm config.yaml -o dray.yaml", "Converts a LiteLLM proxy configuration."},
    {"dray import portkey config.json", "Converts a Portkey gateway config."},
    {NULL, NULL},
};

const struct command command_import = {
    .name = "import",
    .brief = "convert another gateway's configuration",
    .args = "litellm|portkey FILE",
    .args_min = 2,
    .args_max = 2,
    .about = "Reads a LiteLLM proxy config.yaml or a Portkey config, writes a dray.yaml, and reports every "
             "setting that it met as exact, "
             "approximate, manual (something is left for you to do) or unsupported. The report goes to stderr. "
             "Credentials that are written in "
             "the file are not copied.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static char *slurp(const char *path, size_t *n) {
    enum { FILE_MAX_BYTES = 4 << 20 };
    FILE *f = fopen(path, "r");
    if (!f) return NULL;
    char *text = xmalloc(FILE_MAX_BYTES + 1);
    *n = fread(text, 1, FILE_MAX_BYTES, f);
    text[*n] = 0;
    fclose(f);
    return text;
}

static bool read_config(struct import *m, const char *from, const char *path, err *e) {
    ynode *root;
    size_t n;
    if (strcmp(from, "litellm") == 0) return yaml_load(path, &m->a, &root, e) && import_litellm(m, root, e);
    char *text = slurp(path, &n);
    if (!text) return fail(e, "%s: %s", path, strerror(errno));
    bool good = import_portkey(m, str_make(text, n), e);
    free(text);
    return good;
}

static void report(const struct import *m) {
    unsigned count[4] = {0};
    for (unsigned i = 0; i < m->lines; i++) {
        const struct import_line *l = &m->line[i];
        count[l->fit]++;
        bool again = false; /* each setting once, with its first place */
        for (unsigned k = 0; k < i && !again; k++)
            again = str_eq(m->line[k].setting, l->setting) && str_eq(m->line[k].note, l->note);
        if (again) continue;
        fprintf(stderr, "%-11s " STR_FMT, import_fit_name(l->fit), STR_ARG(l->setting));
        if (l->line) fprintf(stderr, " (line %u)", l->line);
        if (l->note.n) fprintf(stderr, ": " STR_FMT, STR_ARG(l->note));
        fputc('\n', stderr);
    }
    fprintf(stderr, "%u models of %u providers; settings: %u exact, %u approximate, %u manual, %u unsupported\n",
            m->models, m->providers, count[0], count[1], count[2], count[3]);
}

static void write_json(const struct import *m, const buf *yaml, buf *out) {
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "config");
    jw_string(&w, buf_view(yaml));
    jw_key(&w, "settings");
    jw_array(&w);
    for (unsigned i = 0; i < m->lines; i++) {
        jw_object(&w);
        jw_key(&w, "setting");
        jw_string(&w, m->line[i].setting);
        jw_key(&w, "fit");
        jw_string(&w, str_from(import_fit_name(m->line[i].fit)));
        jw_key(&w, "line");
        jw_u64(&w, m->line[i].line);
        jw_key(&w, "note");
        jw_string(&w, m->line[i].note);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    buf_char(out, '\n');
}

static int output(struct import *m, const struct import_args *o) {
    enum { RESULT_MAX = 16 << 20 };
    buf yaml, json;
    buf_init(&yaml, RESULT_MAX);
    buf_init(&json, RESULT_MAX);
    import_yaml(m, &yaml);
    int rc = EXIT_GOOD;
    const buf *b = &yaml;
    if (o->json)
        write_json(m, &yaml, &json), b = &json;
    else
        report(m);
    FILE *f = o->out && !o->json ? fopen(o->out, "w") : stdout;
    if (!f || fwrite(b->p, 1, b->n, f) != b->n || (f != stdout && fclose(f) != 0))
        rc = cli_fail(&command_import, "%s: %s", o->out ? o->out : "stdout", strerror(errno));
    buf_free(&yaml);
    buf_free(&json);
    return rc;
}

static int run(int argc, char **argv) {
    struct import_args o = {0};
    struct args operands;
    err e;
    if (!cli_parse(&command_import, argc, argv, &o, &operands)) return EXIT_USAGE;
    const char *from = operands.arg[0];
    if (strcmp(from, "litellm") != 0 && strcmp(from, "portkey") != 0)
        return cli_usage(&command_import, "can't import from \"%s\": litellm or portkey", from);
    struct import *m = xmalloc(sizeof *m);
    import_init(m);
    int rc = read_config(m, from, operands.arg[1], &e) ? output(m, &o) : cli_fail(&command_import, "%s", e.msg);
    import_free(m);
    free(m);
    return rc;
}
