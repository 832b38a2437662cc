/* dray calibrate: the threshold that keeps the wanted quality, with a stated confidence, or a plain refusal. */
#include "insight/calibrate.h"
#include "base/err.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/cli.h"
#include "insight/dataset.h"
#include "insight/model_file.h"

#include <math.h>
#include <stdlib.h>

enum { PAIR_ROWS_LEAST = 50, PAIRS_MAX = 5, TYPICAL_INPUT = 1000, TYPICAL_OUTPUT = 300 };

/* Below this share of the frontier's quality a light model saves little, however well one routes. */
static const double pool_least = 0.8;

struct options {
    struct opt_list from;
    const char *model, *light, *frontier;
    double target, confidence;
    bool json;
};

static int run(int argc, char **argv);

static const struct opt opts[] = {
    {"target-quality", 'q', OPT_F64, OPT(struct options, target), "SHARE",
     "Share of the frontier's quality to keep; default 0.95."},
    {"from", 0, OPT_LIST, OPT(struct options, from), "FILE",
     "Judged calls, JSON Lines, as dray learn reads them. May be repeated."},
    {"light", 0, OPT_STR, OPT(struct options, light), "MODEL",
     "The light tier's model; default: weak, or the worse of two."},
    {"frontier", 0, OPT_STR, OPT(struct options, frontier), "MODEL",
     "The frontier's; default: strong, or the better of two."},
    {"confidence", 0, OPT_F64, OPT(struct options, confidence), "SHARE",
     "How sure the promise must be; default 0.9."},
    {"model", 'm', OPT_STR, OPT(struct options, model), "FILE",
     "Routing model; default: the one that dray ships with."},
    {"json", 0, OPT_FLAG, OPT(struct options, json), NULL, "Prints JSON."},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL},
};
static const struct note examples[] = {
    {"dray calibrate --target-quality 0.95 --from judged.jsonl", "What may go to the light tier?"},
    {"dray calibrate --from scores.jsonl --light gpt-4o-mini --frontier gpt-4o", "The same for a pair by name."},
    {NULL, NULL}};

const struct command command_calibrate = {
    .name = "calibrate",
    .brief = "find the threshold that keeps a wanted quality",
    .args = "",
    .about =
        "Reads calls for which the answers of both models were judged (0 to 1), and says below which difficulty "
        "calls "
        "may go to the light model so that the mean quality stays at the wanted share of the frontier's, and with "
        "which confidence that holds on further calls of the same kind: a bound that needs no assumption but that "
        "the "
        "judged calls are a fair sample of the traffic.\n\n"
        "Where the calls are too few, or the light model too weak, it says so and refuses (exit 1).",
    .opts = opts,
    .examples = examples,
    .run = run,
};

/* ---- rows ---- */

struct rows {
    uint32_t n, one_sided; /* judged for both models; for one of them only */
    float *difficulty, *light, *frontier, *weight, *light_cost, *frontier_cost;
};

static void rows_new(struct rows *r, uint32_t n) {
    float **const all[] = {&r->difficulty, &r->light, &r->frontier, &r->weight, &r->light_cost, &r->frontier_cost};
    *r = (struct rows){0};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) *all[i] = xmalloc((n + 1) * sizeof(float));
}

static void rows_free(struct rows *r) {
    float *const all[] = {r->difficulty, r->light, r->frontier, r->weight, r->light_cost, r->frontier_cost};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* As the gateway sees it. */
static float difficulty_of(const struct routing_model *m, const struct example *x) {
    struct features f = {.n = x->n, .base = x->base, .words = x->words};
    struct model_scores s;
    float task[CLASSIFY_TASKS];
    memcpy(f.code, x->code, x->n * sizeof *f.code);
    memcpy(f.dense, x->dense, sizeof f.dense);
    model_logits(m, &f, &s);
    for (unsigned k = 0; k < CLASSIFY_TASKS; k++) task[k] = 1.0f / CLASSIFY_TASKS;
    if (m->head->tasks) model_tasks(m, s.logit, task);
    return facts_share(model_difficulty_of(m, &s, task));
}

static void rows_read(const struct dataset *d, const struct routing_model *m, unsigned light, unsigned frontier,
                      struct rows *r) {
    r->n = r->one_sided = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        const struct example *x = &d->row[i];
        float a = example_score(x, light), b = example_score(x, frontier);
        if (x->contaminated || (isnan(a) && isnan(b))) continue;
        if (isnan(a) || isnan(b)) {
            r->one_sided++;
            continue;
        }
        r->light[r->n] = a;
        r->weight[r->n] = x->weight;
        r->frontier[r->n] = b;
        r->light_cost[r->n] = example_cost(x, light);
        r->frontier_cost[r->n] = example_cost(x, frontier);
        r->difficulty[r->n++] = difficulty_of(m, x);
    }
}

static struct calibrate_out measure(const struct options *o, const struct rows *r) {
    struct calibrate_out out;
    calibrate(&(struct calibrate_in){.n = r->n,
                                     .difficulty = r->difficulty,
                                     .light = r->light,
                                     .frontier = r->frontier,
                                     .weight = r->weight,
                                     .target = o->target,
                                     .confidence = o->confidence},
              &out);
    return out;
}

/* Share of the frontier's cost that a threshold saves; NaN where costs are not known. */
static double saved(const struct rows *r, double threshold) {
    double all = 0, routed = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->light_cost[i] < 0 || r->frontier_cost[i] < 0) return NAN;
        all += (double)r->frontier_cost[i];
        routed += (double)((double)r->difficulty[i] < threshold ? r->light_cost[i] : r->frontier_cost[i]);
    }
    return all > 0 ? 1 - routed / all : NAN;
}

/* ---- the pool ---- */

struct pair {
    unsigned light;
    double ratio, hoped; /* quality of the light model over the frontier's; share of calls that it could take */
};

/* Whether a model is known to cost more than half of what the frontier's does: no light model then. */
static bool too_dear(str model, str frontier) {
    int64_t cost[2];
    const str name[2] = {model, frontier};
    for (int i = 0; i < 2; i++) {
        const struct model_info *m = catalog_model(catalog_provider_of(name[i]), name[i]);
        cost[i] = m ? price_expect(m->price, TYPICAL_INPUT, TYPICAL_OUTPUT) : COST_UNKNOWN;
        if (cost[i] == COST_UNKNOWN) return false;
    }
    return cost[0] > cost[1] / 2;
}

/* Other models as the light one, best first. */
static unsigned better_pairs(const struct options *o, const struct dataset *d, const struct routing_model *m,
                             unsigned light, unsigned frontier, double hoped, struct pair *out) {
    struct rows r;
    unsigned n = 0;
    rows_new(&r, d->count);
    for (unsigned k = 0; k < d->model_count; k++) {
        if (k == light || k == frontier || too_dear(d->model[k], d->model[frontier])) continue;
        rows_read(d, m, k, frontier, &r);
        if (r.n < PAIR_ROWS_LEAST) continue;
        struct calibrate_out c = measure(o, &r);
        if (c.light > c.frontier || c.hoped_sent <= hoped) continue;
        unsigned at = 0; /* its place; the last one falls off a full list */
        while (at < n && out[at].hoped >= c.hoped_sent) at++;
        if (at == PAIRS_MAX) continue;
        n += n < PAIRS_MAX;
        memmove(&out[at + 1], &out[at], (n - 1 - at) * sizeof *out);
        out[at] = (struct pair){k, c.frontier > 0 ? c.light / c.frontier : 1, c.hoped_sent};
    }
    rows_free(&r);
    return n;
}

/* ---- saying it ---- */

struct report {
    const struct options *o;
    const struct dataset *d;
    const struct rows *r;
    unsigned light, frontier;
    struct calibrate_out c;
    struct pair pair[PAIRS_MAX];
    unsigned pairs;
};

static double ratio_of(const struct report *x) { return x->c.frontier > 0 ? x->c.light / x->c.frontier : 1; }

static void say_pool(const struct report *x) {
    if (ratio_of(x) < pool_least)
        printf("The pool is the problem, not the router: " STR_FMT " keeps %.0f %% of the quality of " STR_FMT
               "; below %.0f %% little can be saved.\n",
               STR_ARG(x->d->model[x->light]), ratio_of(x) * 100, STR_ARG(x->d->model[x->frontier]),
               pool_least * 100);
    for (unsigned i = 0; i < x->pairs; i++)
        printf("%s " STR_FMT " keeps %.0f %% and could take about %.0f %% of these calls\n",
               i ? "      " : "Better:", STR_ARG(x->d->model[x->pair[i].light]), x->pair[i].ratio * 100,
               x->pair[i].hoped * 100);
}

static void say(const struct report *x) {
    const struct calibrate_out *c = &x->c;
    printf("%u calls judged for both: " STR_FMT " %.3f, " STR_FMT " %.3f (%.0f %%)\n", x->r->n,
           STR_ARG(x->d->model[x->light]), c->light, STR_ARG(x->d->model[x->frontier]), c->frontier,
           ratio_of(x) * 100);
    if (x->r->one_sided)
        printf("%u calls are judged for one of the two only and say nothing here\n", x->r->one_sided);
    if (!c->promised) {
        printf(
            "No promise: with %u calls it can't be shown at %.0f %% confidence that anything may go to the light "
            "tier while %.1f %% of the quality is kept.\n",
            x->r->n, x->o->confidence * 100, x->o->target * 100);
        if (c->hoped_sent > 0)
            printf("These calls suggest that %.0f %% might go (difficulty < %.3f)%s", c->hoped_sent * 100,
                   c->hoped_threshold, c->wanted ? "; " : ".\n");
        if (c->hoped_sent > 0 && c->wanted) printf("about %u judged calls would show half of it.\n", c->wanted);
        say_pool(x);
        return;
    }
    printf(
        "Keeps %.1f %% of the quality at %.0f %% confidence: difficulty < %.3f, which is %.0f %% of these calls "
        "(%.1f %% kept on them)\n",
        x->o->target * 100, x->o->confidence * 100, c->threshold, c->sent * 100, c->kept * 100);
    double money = saved(x->r, c->threshold);
    if (!isnan(money)) printf("saves %.0f %% of the frontier's cost on these calls\n", money * 100);
    printf("\npolicy:\n  - {name: easy, when: {difficulty: \"< %.3f\"}, use: light}\n"
           "  - {name: default, use: frontier}\n",
           c->threshold);
    if (ratio_of(x) < pool_least || x->pairs) putchar('\n');
    say_pool(x);
}

static void say_json(const struct report *x) {
    const struct calibrate_out *c = &x->c;
    buf b;
    jw w;
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "n"), jw_u64(&w, x->r->n);
    jw_key(&w, "one_sided"), jw_u64(&w, x->r->one_sided);
    jw_key(&w, "light_model"), jw_string(&w, x->d->model[x->light]);
    jw_key(&w, "frontier_model"), jw_string(&w, x->d->model[x->frontier]);
    jw_key(&w, "light"), jw_f64(&w, c->light);
    jw_key(&w, "frontier"), jw_f64(&w, c->frontier);
    jw_key(&w, "target_quality"), jw_f64(&w, x->o->target);
    jw_key(&w, "confidence"), jw_f64(&w, x->o->confidence);
    jw_key(&w, "promised"), jw_bool(&w, c->promised);
    jw_key(&w, "threshold"), jw_f64(&w, c->promised ? c->threshold : 0);
    jw_key(&w, "share_light"), jw_f64(&w, c->sent);
    jw_key(&w, "kept"), jw_f64(&w, c->kept);
    double money = saved(x->r, c->threshold);
    jw_key(&w, "saved");
    if (isnan(money))
        jw_null(&w);
    else
        jw_f64(&w, money);
    jw_key(&w, "hoped_threshold"), jw_f64(&w, c->hoped_threshold);
    jw_key(&w, "hoped_share_light"), jw_f64(&w, c->hoped_sent);
    jw_key(&w, "calls_wanted"), jw_u64(&w, c->wanted);
    jw_key(&w, "pool_is_the_problem"), jw_bool(&w, ratio_of(x) < pool_least);
    jw_key(&w, "better"), jw_array(&w);
    for (unsigned i = 0; i < x->pairs; i++) {
        jw_object(&w);
        jw_key(&w, "light_model"), jw_string(&w, x->d->model[x->pair[i].light]);
        jw_key(&w, "quality"), jw_f64(&w, x->pair[i].ratio);
        jw_key(&w, "hoped_share_light"), jw_f64(&w, x->pair[i].hoped);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    printf("%.*s\n", (int)b.n, b.p);
    buf_free(&b);
}

/* ---- the command ---- */

static double mean_of(const struct dataset *d, unsigned model) {
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        float s = example_score(&d->row[i], model);
        if (!isnan(s)) sum += (double)s, n++;
    }
    return n ? sum / n : 0;
}

/* The pair: as named, else weak and strong, else the only two models there are, the better one the frontier. */
static bool choose(const struct options *o, const struct dataset *d, unsigned *light, unsigned *frontier) {
    int a = dataset_model(d, o->light ? str_from(o->light) : STR("weak")),
        b = dataset_model(d, o->frontier ? str_from(o->frontier) : STR("strong"));
    if (!o->light && !o->frontier && (a < 0 || b < 0) && d->model_count == 2) {
        a = mean_of(d, 0) > mean_of(d, 1);
        b = 1 - a;
    }
    if (a >= 0 && b >= 0) return *light = (unsigned)a, *frontier = (unsigned)b, true;
    if (!d->model_count) return cli_fail(&command_calibrate, "no row has a judged answer"), false;
    cli_fail(&command_calibrate, "no row has a score of \"%s\": name --light and --frontier; there are scores of",
             a < 0         ? (o->light ? o->light : "weak")
             : o->frontier ? o->frontier
                           : "strong");
    for (unsigned i = 0; i < d->model_count && i < 20; i++)
        fprintf(stderr, "  " STR_FMT "\n", STR_ARG(d->model[i]));
    return false;
}

static int calibrate_pair(const struct options *o, const struct dataset *d, const struct routing_model *m) {
    struct rows r;
    struct report x = {.o = o, .d = d, .r = &r};
    if (m->head->light == m->head->frontier)
        return cli_fail(&command_calibrate, "this model has no difficulty: learn from scores of both tiers");
    if (!choose(o, d, &x.light, &x.frontier)) return EXIT_BAD_INPUT;
    rows_new(&r, d->count);
    rows_read(d, m, x.light, x.frontier, &r);
    x.c = measure(o, &r);
    if (!x.c.promised || ratio_of(&x) < pool_least)
        x.pairs = better_pairs(o, d, m, x.light, x.frontier, x.c.hoped_sent, x.pair);
    if (o->json)
        say_json(&x);
    else
        say(&x);
    rows_free(&r);
    return x.c.promised ? EXIT_GOOD : EXIT_BAD_INPUT;
}

static int run(int argc, char **argv) {
    struct options o = {.target = 0.95, .confidence = 0.9};
    struct args operands;
    if (!cli_parse(&command_calibrate, argc, argv, &o, &operands)) return EXIT_USAGE;
    if (!o.from.count) return cli_usage(&command_calibrate, "--from is needed");
    if (!(o.target > 0 && o.target < 1))
        return cli_usage(&command_calibrate, "--target-quality is between 0 and 1");
    if (!(o.confidence >= 0.5 && o.confidence < 1))
        return cli_usage(&command_calibrate, "--confidence is at least 0.5 and below 1");
    struct dataset d;
    struct routing_model m;
    arena a;
    err e;
    arena_init(&a, 1 << 16, (size_t)MODEL_SIZE_MAX * 2);
    dataset_init(&d);
    int code = EXIT_GOOD;
    if (!model_file(o.model, &a, &m, &e)) code = cli_fail(&command_calibrate, "%s", e.msg);
    for (unsigned i = 0; i < o.from.count && code == EXIT_GOOD; i++)
        if (!dataset_read(&d, o.from.item[i], &e)) code = cli_fail(&command_calibrate, "%s", e.msg);
    if (code == EXIT_GOOD) code = calibrate_pair(&o, &d, &m);
    dataset_free(&d);
    arena_free(&a);
    return code;
}
