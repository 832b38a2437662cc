/* dray check: reads a configuration as serve would and says what it found. */
#include "cli/cli.h"

#include "base/json.h"
#include "brain/semantic.h"
#include "config/config.h"

#include <stdlib.h>

struct options {
    const char *config;
    bool json, limits, options;
};

static const struct opt rows[] = {
    {"config", 'c', OPT_STR, OPT(struct options, config), "FILE",
     "The configuration. Without it $DRAY_CONFIG, else ./dray.yaml, else what the environment says."},
    {"limits", 0, OPT_FLAG, OPT(struct options, limits), NULL, "Prints every bound: sizes, counts, times."},
    {"options", 0, OPT_FLAG, OPT(struct options, options), NULL,
     "Prints every option with its default and meaning, as Markdown, and checks nothing."},
    {"json", 0, OPT_FLAG, OPT(struct options, json), NULL, "Prints the result as JSON."},
    {0},
};

static const struct note examples[] = {
    {"dray check -c dray.yaml", "Checks a file before a reload."},
    {"OPENAI_API_KEY=sk-… dray check", "Shows what a start without a file would do."},
    {"dray check --options | less", "The reference of the configuration."},
    {0},
};

static const struct note env[] = {
    {"DRAY_CONFIG", "The configuration file."},
    {"DRAY_LISTEN", "Addresses to listen on, comma-separated; overrides `listen`."},
    {"DRAY_KEY, DRAY_ADMIN_KEY", "Without a file: the key clients must show, and the key of the admin API."},
    {"OPENAI_API_KEY, ANTHROPIC_API_KEY, …",
     "Without `providers` in the file: who answers. `dray check --options` lists them all."},
    {"OPENAI_BASE_URL, ANTHROPIC_BASE_URL, …", "Where that provider is, when not at its usual address."},
    {0},
};

static int run(int argc, char **argv);

const struct command command_check = {
    .name = "check",
    .brief = "validate the configuration",
    .args = "",
    .about = "Reads the configuration as `dray serve` would, with the environment variables, files and credential "
             "commands "
             "that it names, and prints who answers which tier. Nothing is sent.\n\n"
             "An error is one line on stderr, file:line:col: message. What is allowed but likely not meant is a "
             "warning.",
    .opts = rows,
    .examples = examples,
    .env = env,
    .run = run,
};

static void print_rate(const struct price *p, enum usage_class c) {
    char text[32];
    int64_t rate = p ? p->rate[SERVICE_DEFAULT][c] : PRICE_UNKNOWN;
    if (rate == PRICE_UNKNOWN)
        fputs("?", stdout);
    else
        printf("%.*s", (int)fmt_nano(text, rate), text);
}

static const char *balance_name(unsigned b) {
    static const char *const names[] = {"priority", "weighted", "cost"};
    return names[b];
}

static void print_tier(const struct config *c, const struct tier *t) {
    printf("tier %.*s (%s)\n", STR_ARG(t->name), balance_name(t->balance));
    for (unsigned i = 0; i < t->count; i++) {
        const struct target *x = &c->router.target[t->target[i]];
        printf("    %.*s  $", STR_ARG(x->name));
        print_rate(x->price, USAGE_INPUT);
        fputs(" in, $", stdout);
        print_rate(x->price, USAGE_OUTPUT);
        puts(" out per million tokens");
    }
}

/* What the example sentences say about themselves, so that a threshold is not a guess. */
static void print_semantic(const struct semantic *s) {
    struct semantic_review v;
    if (!s) return;
    semantic_review(s, &v);
    for (uint32_t i = 0; i < s->route_count; i++)
        printf("semantic route %.*s: %u examples, threshold %.2f%s\n", STR_ARG(s->route[i].name),
               s->route[i].count, (double)s->route[i].threshold,
               s->route[i].stated ? "" : " (suggested by the examples)");
    printf("    of %u examples, each against the others, %u are nearest to their own route and %u accepted; were "
           "their route\n    not there, %u would be taken for another\n",
           v.examples, v.right, v.accepted, v.strangers);
    for (uint32_t i = 0; i < v.astray_count; i++) {
        uint32_t own;
        str text = semantic_example(s, v.astray[i].example, &own);
        printf("    \"%.*s\" of %.*s is nearer to %.*s\n", STR_ARG(str_take(text, 100)),
               STR_ARG(s->route[own].name), STR_ARG(s->route[v.astray[i].route].name));
    }
}

static void print_text(const struct config *c) {
    if (c->source.n)
        printf("%.*s is good\n", STR_ARG(c->source));
    else
        puts("no configuration file: what the environment says is good");
    printf("version %.*s\n", STR_ARG(c->version));
    for (unsigned i = 0; i < c->listen_count; i++) printf("listen %.*s\n", STR_ARG(c->listen[i].text));
    for (unsigned i = 0; i < c->provider_count; i++) {
        const struct provider *p = &c->provider[i];
        if (p->sim.n)
            printf("provider %.*s: simulated\n", STR_ARG(p->name));
        else
            printf("provider %.*s: %s at %s://%.*s%.*s, %s\n", STR_ARG(p->name), p->kind->name,
                   p->tls ? "https" : "http", STR_ARG(p->host_header), STR_ARG(p->base_path),
                   p->key_from_client ? "the client's key"
                   : p->key_count > 1 ? "several keys"
                   : p->key_count     ? "a key"
                                      : "no key");
    }
    for (uint32_t i = 0; i < c->router.tier_count; i++) print_tier(c, &c->router.tier[i]);
    if (c->router.has_baseline) printf("baseline %.*s\n", STR_ARG(c->router.target[c->router.baseline].name));
    print_semantic(c->router.semantic);
    for (uint32_t i = 0; i < c->warning_count; i++) fprintf(stderr, "warning: %.*s\n", STR_ARG(c->warning[i]));
    if (c->simulated)
        fputs("warning: no provider's key is in the environment: simulated answers stand in\n", stderr);
}

static void print_json(const struct config *c, const err *e) {
    buf out;
    jw w;
    buf_init(&out, 1 << 20);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "good");
    jw_bool(&w, c != NULL);
    if (!c) {
        jw_key(&w, "error");
        jw_string(&w, str_from(e->msg));
    } else {
        jw_key(&w, "config_version");
        jw_string(&w, c->version);
        jw_key(&w, "simulated");
        jw_bool(&w, c->simulated);
        jw_key(&w, "warnings");
        jw_array(&w);
        for (uint32_t i = 0; i < c->warning_count; i++) jw_string(&w, c->warning[i]);
        jw_array_end(&w);
        jw_key(&w, "tiers");
        jw_object(&w);
        for (uint32_t i = 0; i < c->router.tier_count; i++) {
            const struct tier *t = &c->router.tier[i];
            jw_key_str(&w, t->name);
            jw_array(&w);
            for (unsigned k = 0; k < t->count; k++) jw_string(&w, c->router.target[t->target[k]].name);
            jw_array_end(&w);
        }
        jw_object_end(&w);
    }
    jw_object_end(&w);
    printf("%.*s\n", STR_ARG(buf_view(&out)));
    buf_free(&out);
}

static int run(int argc, char **argv) {
    struct options o = {0};
    struct args operands;
    if (!cli_parse(&command_check, argc, argv, &o, &operands)) return EXIT_USAGE;
    buf out;
    buf_init(&out, 1 << 20);
    if (o.options) config_document(&out);
    err e = {{0}};
    struct config *c = o.options ? NULL : config_load(o.config, &e);
    if (c && o.limits)
        config_limits(c, &out);
    else if (o.json && !o.options)
        print_json(c, &e);
    else if (c)
        print_text(c);
    if (!c && !o.options) fprintf(stderr, "%s\n", e.msg);
    if (out.n) fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    int code = c || o.options ? EXIT_GOOD : EXIT_BAD_INPUT;
    config_unpin(c);
    return code;
}
