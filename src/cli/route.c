/* dray route: the decision for one request on stdin, with its reasons. Nothing is sent.
 *
 * A JSON object with messages, input, or prompt is read as an OpenAI-dialect request, as the gateway would;
 * anything else is the text of one user turn to the model `auto`. */
#include "brain/semantic.h"
#include "cli/cli.h"
#include "config/config.h"

#include <stdlib.h>

enum { INPUT_MAX = 64 << 20, OUTPUT_MAX = 1 << 20 };

struct options {
    const char *config, *model, *task, *stakes, *key, *team, *user;
    struct opt_list tags;
    bool json;
};

static int run(int argc, char **argv);

static const struct opt opts[] = {
    {"config", 'c', OPT_STR, OPT(struct options, config), "FILE", "Configuration to decide by."},
    {"json", 0, OPT_FLAG, OPT(struct options, json), NULL, "Prints one JSON object, as POST /v1/route answers."},
    {"model", 'm', OPT_STR, OPT(struct options, model), "NAME",
     "The model asked for; default: the request's, else auto."},
    {"task", 0, OPT_STR, OPT(struct options, task), "TASK", "As the hint x-dray-task."},
    {"stakes", 0, OPT_STR, OPT(struct options, stakes), "STAKES", "As the hint x-dray-stakes: low, normal, high."},
    {"key", 0, OPT_STR, OPT(struct options, key), "NAME", "Decides as for this client key."},
    {"team", 0, OPT_STR, OPT(struct options, team), "NAME", "Decides as for this team."},
    {"user", 0, OPT_STR, OPT(struct options, user), "NAME", "Decides as for this user."},
    {"tag", 0, OPT_LIST, OPT(struct options, tags), "TAG",
     "Decides as for a call with this tag; may be repeated."},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL},
};
static const struct note examples[] = {
    {"echo 'is this e-mail spam? …' | dray route", "Where would that go, and why?"},
    {"dray route --json < request.json", "The same for a whole request, for scripts."},
    {NULL, NULL},
};

const struct command command_route = {
    .name = "route",
    .brief = "print the decision for one request, with its reasons",
    .args = "",
    .about =
        "Reads a prompt or an OpenAI-dialect request from standard input, and prints what is asked, which rule "
        "decides, and where the call would go. The decision is the gateway's own; nothing is sent.\n\n"
        "Conditions on headers hold only for what the request's metadata can say.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

static void read_all(FILE *in, buf *out) {
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, in)) > 0 && !out->failed;) buf_add(out, piece, n);
}

static void print_money(const char *what, int64_t nano) {
    char text[32];
    if (nano == COST_UNKNOWN)
        printf("%s unknown", what);
    else
        printf("%s $%.*s", what, (int)fmt_nano(text, nano), text);
}

/* "task is plan, none of classify, extract": what was found, and what was wanted where that is something else. */
static void print_condition(jval cond, bool first) {
    jval got = json_get(cond, STR("got")), when = json_get(cond, STR("when"));
    bool held = json_true(json_get(cond, STR("held")));
    printf("%s" STR_FMT, first ? ": " : ", ", STR_ARG(when.raw));
    if (got.type == J_NONE) { /* any, all, not */
        printf(" %s", held ? "holds" : "does not hold");
        return;
    }
    if (got.type == J_NULL)
        printf(" is not said");
    else
        printf(" is " STR_FMT, STR_ARG(got.raw));
    str want = json_get(cond, STR("want")).raw;
    if (!held) printf(", %s " STR_FMT, str_find(want, STR(", ")) < 0 ? "not" : "none of", STR_ARG(want));
}

/* Each rule up to the one that matched: all of its conditions where it did, else those that failed. */
static void print_rules(jval root) {
    jiter rules = json_iter(json_get(root, STR("rules")));
    jval rule, cond;
    while (json_item(&rules, &rule)) {
        bool matched = json_true(json_get(rule, STR("matched"))), first = true;
        printf("  %-4s " STR_FMT, matched ? "yes" : "no", STR_ARG(json_get(rule, STR("rule")).raw));
        jiter conds = json_iter(json_get(rule, STR("conditions")));
        while (json_item(&conds, &cond)) {
            if (!matched && json_true(json_get(cond, STR("held")))) continue;
            print_condition(cond, first);
            first = false;
        }
        if (matched && first) printf(": whatever no rule before it takes");
        putchar('\n');
    }
}

static void print_semantic(const struct semantic *s, const struct facts *f) {
    int at = semantic_known(s, f) ? semantic_find(s, f->semantic) : -1;
    if (!s) return;
    if (at < 0)
        puts("semantic  like no example");
    else if (semantic_accepted(s, f) >= 0)
        printf("semantic  " STR_FMT " (%.2f, at least %.2f)\n", STR_ARG(f->semantic), (double)f->semantic_score,
               (double)s->route[at].threshold);
    else
        printf("semantic  none (nearest: " STR_FMT ", %.2f, would need %.2f)\n", STR_ARG(f->semantic),
               (double)f->semantic_score, (double)s->route[at].threshold);
}

static void print_plain(const struct config *c, const struct facts *f, const struct target *named,
                        const struct plan *p, str json) {
    const struct router *r = &c->router;
    const struct target *first = named ? named : p->count ? &r->target[p->target[0]] : NULL;
    int64_t output = decide_output_tokens(f);
    printf("task      %s (%s, confidence %.2f)\n", task_name((enum task)f->task),
           task_source_name((enum task_source)f->task_source), (double)f->task_confidence);
    print_semantic(r->semantic, f);
    if (f->difficulty >= 0)
        printf("difficulty %.2f, the chance that the light tier's answer is worse\n", (double)f->difficulty);
    printf("stakes    %s\n", stakes_name((enum stakes)f->stakes));
    printf("input     %u tokens, %u characters%s%s%s\n", f->input_tokens, f->input_length,
           f->tools ? ", tools" : "", f->vision ? ", images" : "", f->schema ? ", structured output" : "");
    printf("rule      " STR_FMT "\n", STR_ARG(p->rule));
    if (p->tier.n) printf("tier      " STR_FMT "\n", STR_ARG(p->tier));
    if (first)
        printf("goes to   " STR_FMT "/" STR_FMT "\n", STR_ARG(first->provider), STR_ARG(first->model));
    else
        puts("goes to   nothing: the tier has no target");
    for (unsigned i = 1; i < p->count; i++)
        printf("  then    " STR_FMT "\n", STR_ARG(r->target[p->target[i]].name));
    if (first) {
        print_money("expected ", price_expect(first->price, f->input_tokens, output));
        if (r->has_baseline && !named) {
            const struct target *base = &r->target[r->baseline];
            printf(", at " STR_FMT, STR_ARG(base->name));
            print_money("", price_expect(base->price, f->input_tokens, output));
        }
        putchar('\n');
    }
    jval root;
    if (json_check(json, &root, NULL, NULL) && json_get(root, STR("rules")).type == J_ARRAY) {
        puts("because");
        print_rules(root);
    }
}

static int route(const struct options *o, const struct config *c, str body) {
    arena a;
    struct asked d;
    err e = {{0}};
    str tag[FACTS_TAGS_MAX];
    struct ask q = {.body = body,
                    .model = str_from(o->model),
                    .task = str_from(o->task),
                    .stakes = str_from(o->stakes),
                    .key = str_from(o->key),
                    .team = str_from(o->team),
                    .user = str_from(o->user),
                    .tag = tag};
    for (; q.tag_count < o->tags.count && q.tag_count < FACTS_TAGS_MAX; q.tag_count++)
        tag[q.tag_count] = str_from(o->tags.item[q.tag_count]);
    arena_init(&a, 65536, 256u << 20);
    bool good = config_ask(c, &q, &a, &d, &e);
    if (good) {
        buf out;
        buf_init(&out, OUTPUT_MAX);
        config_write_decision(c, &d.facts, d.target, &d.plan, &out);
        if (o->json)
            printf("%.*s\n", (int)out.n, out.p);
        else
            print_plain(c, &d.facts, d.target, &d.plan, buf_view(&out));
        buf_free(&out);
    }
    arena_free(&a);
    return good ? EXIT_GOOD : cli_fail(&command_route, "%s", e.msg);
}

static int run(int argc, char **argv) {
    struct options o = {0};
    struct args operands;
    err e;
    if (!cli_parse(&command_route, argc, argv, &o, &operands)) return EXIT_USAGE;
    struct config *c = config_load(o.config, &e);
    if (!c) return cli_fail(&command_route, "%s", e.msg);
    buf body;
    buf_init(&body, INPUT_MAX);
    read_all(stdin, &body);
    int code = body.failed ? cli_fail(&command_route, "the input is larger than %d MiB", INPUT_MAX >> 20)
                           : route(&o, c, buf_view(&body));
    buf_free(&body);
    config_unpin(c);
    return code;
}
