/* dray eval: how good a routing model is on labelled rows it should not have seen. */
#include "base/err.h"
#include "base/hash.h"
#include "brain/model.h"
#include "cli/cli.h"
#include "insight/dataset.h"
#include "insight/metrics.h"

#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 400 };

struct options {
    struct opt_list data;
    const char *model, *pair;
    double ratio;
    bool json;
};

static int run(int argc, char **argv);

static const struct opt opts[] = {
    {"model", 'm', OPT_STR, OPT(struct options, model), "FILE", "The model, as dray learn writes it."},
    {"data", 'd', OPT_LIST, OPT(struct options, data), "FILE",
     "Labelled rows, as dray learn reads them. May be repeated."},
    {"pair", 0, OPT_STR, OPT(struct options, pair), "LIGHT:FRONTIER", "Models to compare; default: weak:strong."},
    {"ratio", 0, OPT_F64, OPT(struct options, ratio), "N",
     "Price of the frontier over the light model, where rows say no cost."},
    {"json", 0, OPT_FLAG, OPT(struct options, json), NULL, "Prints JSON."},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL},
};
static const struct note examples[] = {
    {"dray eval --model my.model --data heldout.jsonl", "APGR, CPT and savings beside random and length."},
    {NULL, NULL}};

const struct command command_eval = {
    .name = "eval",
    .brief = "score a routing model on labelled data",
    .args = "",
    .about = "For each `set` of the data: APGR with its 95 % bootstrap interval (clusters drawn together), the "
             "share of calls "
             "that recovers 50 and 80 % of the gap, the cost saved at 95, 98 and 99 % of the frontier's quality "
             "(threshold "
             "swept on these rows), calibration error, task accuracy and macro-F1. Rows marked contaminated are "
             "left out.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

/* Rows of one set with both scores, and what each way of scoring says of them. */
struct sample {
    uint32_t n, tasks;
    float *score, *random, *length, *weak, *strong, *weak_cost, *strong_cost, *difficulty;
    uint32_t *cluster;
    uint8_t *truth, *said;
    bool costs;
};

struct result {
    struct routed_metrics m;
    double lo, hi, random, length, oracle, calibration, accuracy, macro_f1;
};

static void score_row(const struct model *m, const struct example *x, int light, int frontier, struct sample *s) {
    struct features f = {.n = x->n, .base = x->base};
    float logit[MODEL_COLUMNS_MAX];
    memcpy(f.code, x->code, x->n * sizeof *f.code);
    memcpy(f.dense, x->dense, sizeof f.dense);
    model_logits(m, &f, logit);
    if (m->head->tasks && x->task != TASK_UNKNOWN) {
        unsigned best = 0;
        for (unsigned k = 1; k < CLASSIFY_TASKS; k++)
            if (logit[k] > logit[best]) best = k;
        s->truth[s->tasks] = x->task;
        s->said[s->tasks++] = (uint8_t)(best + 1);
    }
    if (isnan(s->weak[s->n]) || isnan(s->strong[s->n])) return;
    double gain = light >= 0 && frontier >= 0
                      ? model_sigmoid((double)logit[frontier]) - model_sigmoid((double)logit[light])
                      : model_gain(m, logit);
    uint64_t key[2] = {1, 2};
    s->score[s->n] = (float)gain;
    s->difficulty[s->n] = (float)model_difficulty(m, gain, NULL);
    s->random[s->n] = (float)(siphash(key, &s->n, sizeof s->n) >> 40);
    s->length[s->n] = (float)x->bytes;
    s->cluster[s->n++] = x->cluster;
}

static void sample_set(const struct dataset *d, const struct model *m, unsigned set, str pair[2],
                       struct sample *s) {
    int a = dataset_model(d, pair[0]), b = dataset_model(d, pair[1]);
    int light = model_column_find(m, pair[0]), frontier = model_column_find(m, pair[1]);
    s->n = s->tasks = 0;
    s->costs = true;
    for (uint32_t i = 0; i < d->count; i++) {
        const struct example *x = &d->row[i];
        if (x->set != set || x->contaminated) continue;
        uint32_t at = s->n;
        s->weak[at] = a >= 0 ? example_score(x, (unsigned)a) : NAN;
        s->strong[at] = b >= 0 ? example_score(x, (unsigned)b) : NAN;
        s->weak_cost[at] = a >= 0 ? example_cost(x, (unsigned)a) : -1;
        s->strong_cost[at] = b >= 0 ? example_cost(x, (unsigned)b) : -1;
        score_row(m, x, light, frontier, s);
        if (s->n > at && (s->weak_cost[at] < 0 || s->strong_cost[at] < 0)) s->costs = false;
    }
}

/* Mean distance between promised and observed probability over ten bins of rows, weighted by their size. */
static double calibration_error(const struct sample *s) {
    double promised[10] = {0}, observed[10] = {0}, count[10] = {0}, sum = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->difficulty[i] < 0) return NAN;
        int k = (int)(s->difficulty[i] * 10);
        k = k > 9 ? 9 : k;
        promised[k] += (double)s->difficulty[i];
        observed[k] += s->weak[i] < s->strong[i];
        count[k]++;
    }
    for (int k = 0; k < 10; k++) sum += fabs(promised[k] - observed[k]);
    return s->n ? sum / s->n : NAN;
}

static struct result measure(const struct sample *s, double ratio) {
    struct result r;
    struct routed q = {.n = s->n,
                       .score = s->score,
                       .weak = s->weak,
                       .strong = s->strong,
                       .ratio = ratio,
                       .weak_cost = s->costs ? s->weak_cost : NULL,
                       .strong_cost = s->costs ? s->strong_cost : NULL};
    metrics_routed(&q, &r.m);
    metrics_apgr_interval(&q, s->cluster, ROUNDS, &r.lo, &r.hi);
    q.score = s->random;
    r.random = metrics_apgr(&q, NULL);
    q.score = s->length;
    r.length = metrics_apgr(&q, NULL);
    float *best = xmalloc((s->n + 1) * sizeof *best);
    for (uint32_t i = 0; i < s->n; i++) best[i] = s->strong[i] - s->weak[i];
    q.score = best;
    r.oracle = metrics_apgr(&q, NULL);
    free(best);
    r.calibration = calibration_error(s);
    metrics_tasks(s->truth, s->said, s->tasks, &r.accuracy, &r.macro_f1);
    return r;
}

/* clang-format off */
#define RESULT_FIELDS(X)                                                                                          \
    X("apgr", r->m.apgr)                                                                                          \
    X("apgr_lo", r->lo)                                                                                           \
    X("apgr_hi", r->hi)                                                                                           \
    X("random", r->random)                                                                                        \
    X("length", r->length) X("oracle", r->oracle) X("cpt50", r->m.cpt50) X("cpt80", r->m.cpt80)                   \
        X("saved95", r->m.saved95) X("saved98", r->m.saved98) X("saved99", r->m.saved99)                          \
            X("quality25", r->m.quality25) X("quality50", r->m.quality50) X("light", r->m.weak)                   \
                X("frontier", r->m.strong) X("calibration_error", r->calibration)
/* clang-format on */

static void print_json(jw *w, str set, const struct sample *s, const struct result *r) {
    jw_key_str(w, set);
    jw_object(w);
    jw_key(w, "n");
    jw_u64(w, s->n);
#define X(name, value) jw_key(w, name), jw_f64(w, value);
    if (s->n) {
        RESULT_FIELDS(X)
    }
#undef X
    if (s->tasks) {
        jw_key(w, "task_n"), jw_u64(w, s->tasks);
        jw_key(w, "task_accuracy"), jw_f64(w, r->accuracy);
        jw_key(w, "task_macro_f1"), jw_f64(w, r->macro_f1);
    }
    jw_object_end(w);
}

static void print_plain(str set, const struct sample *s, const struct result *r) {
    printf("%-20.*s", STR_ARG(set));
    if (s->n)
        printf(" n %6u  APGR %.3f [%.3f, %.3f]  random %.3f  length %.3f  oracle %.3f  saved@95/98/99 "
               "%.0f/%.0f/%.0f %%  "
               "calibration %.3f",
               s->n, r->m.apgr, r->lo, r->hi, r->random, r->length, r->oracle, r->m.saved95 * 100,
               r->m.saved98 * 100, r->m.saved99 * 100, r->calibration);
    if (s->tasks) printf(" tasks n %6u  accuracy %.3f  macro-F1 %.3f", s->tasks, r->accuracy, r->macro_f1);
    putchar('\n');
}

static void sample_new(struct sample *s, uint32_t n) {
    float **const columns[] = {&s->score,  &s->random,    &s->length,      &s->weak,
                               &s->strong, &s->weak_cost, &s->strong_cost, &s->difficulty};
    for (unsigned i = 0; i < sizeof columns / sizeof *columns; i++) *columns[i] = xmalloc((n + 1) * sizeof(float));
    s->cluster = xmalloc((n + 1) * sizeof *s->cluster);
    s->truth = xmalloc(n + 1);
    s->said = xmalloc(n + 1);
}

static void sample_free(struct sample *s) {
    void *const all[] = {s->score,       s->random,     s->length,  s->weak,  s->strong, s->weak_cost,
                         s->strong_cost, s->difficulty, s->cluster, s->truth, s->said};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void evaluate(const struct options *o, const struct dataset *d, const struct model *m, str pair[2]) {
    struct sample s;
    buf b;
    jw w;
    buf_init(&b, 16 << 20);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "sets");
    jw_object(&w);
    sample_new(&s, d->count);
    for (unsigned set = 0; set < d->set_count; set++) {
        sample_set(d, m, set, pair, &s);
        if (!s.n && !s.tasks) continue;
        struct result r = measure(&s, o->ratio);
        if (o->json)
            print_json(&w, d->set[set], &s, &r);
        else
            print_plain(d->set[set], &s, &r);
    }
    sample_free(&s);
    jw_object_end(&w);
    jw_object_end(&w);
    if (o->json) printf("%.*s\n", (int)b.n, b.p);
    buf_free(&b);
}

static bool read_file(const char *path, buf *out) {
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buf_add(out, piece, n);
    bool good = !ferror(f) && !out->failed;
    fclose(f);
    return good;
}

static int run(int argc, char **argv) {
    struct options o = {.ratio = 10};
    struct args operands;
    if (!cli_parse(&command_eval, argc, argv, &o, &operands)) return EXIT_USAGE;
    if (!o.model || !o.data.count) return cli_usage(&command_eval, "--model and --data are needed");
    str rest = str_from(o.pair ? o.pair : "weak:strong"), pair[2];
    if (!str_cut(&rest, ':', &pair[0]) || !rest.n) return cli_usage(&command_eval, "--pair is LIGHT:FRONTIER");
    pair[1] = rest;
    buf block;
    struct model m;
    struct dataset d;
    err e;
    buf_init(&block, MODEL_SIZE_MAX);
    dataset_init(&d);
    int code = EXIT_GOOD;
    if (!read_file(o.model, &block))
        code = cli_fail(&command_eval, "%s cannot be read", o.model);
    else if (!model_open(buf_view(&block), &m, &e))
        code = cli_fail(&command_eval, "%s: %s", o.model, e.msg);
    for (unsigned i = 0; i < o.data.count && code == EXIT_GOOD; i++)
        if (!dataset_read(&d, o.data.item[i], &e)) code = cli_fail(&command_eval, "%s", e.msg);
    if (code == EXIT_GOOD) evaluate(&o, &d, &m, pair);
    dataset_free(&d);
    buf_free(&block);
    return code;
}
