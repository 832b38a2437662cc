/* dray eval: how good a routing model is on labelled rows it should not have seen. */
#include "base/err.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "insight/dataset.h"
#include "insight/metrics.h"
#include "insight/model_file.h"
#include "insight/plot.h"

#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 400 };

struct options {
    struct opt_list data;
    const char *model, *pair, *rows, *plot;
    double ratio;
    bool json;
};

static int run(int argc, char **argv);

static const struct opt opts[] = {
    {"model", 'm', OPT_STR, OPT(struct options, model), "FILE",
     "The model, as dray learn writes it; default: the one that dray ships with."},
    {"data", 'd', OPT_LIST, OPT(struct options, data), "FILE",
     "Labelled rows, as dray learn reads them. May be repeated."},
    {"pair", 0, OPT_STR, OPT(struct options, pair), "LIGHT:FRONTIER", "Models to compare; default: weak:strong."},
    {"ratio", 0, OPT_F64, OPT(struct options, ratio), "N",
     "Price of the frontier over the light model, where rows say no cost."},
    {"rows", 0, OPT_STR, OPT(struct options, rows), "FILE",
     "Also writes what the model says of each row, JSON Lines: gain, difficulty, task, quality by model."},
    {"plot", 0, OPT_STR, OPT(struct options, plot), "FILE",
     "Also writes the curves of quality over cost, an SVG file with a panel for each set."},
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
    double delivered[MODEL_CUTS],
        fixed_saved[MODEL_CUTS]; /* with the thresholds fixed when the model was learnt */
    struct plot_curve model_curve, random_curve, length_curve, oracle_curve;
};

static void score_row(const struct routing_model *m, const struct example *x, int light, int frontier,
                      struct sample *s) {
    struct features f = {.n = x->n, .base = x->base, .words = x->words};
    struct model_scores scores;
    const float *logit = scores.logit;
    memcpy(f.code, x->code, x->n * sizeof *f.code);
    memcpy(f.dense, x->dense, sizeof f.dense);
    model_logits(m, &f, &scores);
    if (m->head->tasks && x->task != TASK_UNKNOWN) {
        unsigned best = 0;
        for (unsigned k = 1; k < CLASSIFY_TASKS; k++)
            if (logit[k] > logit[best]) best = k;
        s->truth[s->tasks] = x->task;
        s->said[s->tasks++] = (uint8_t)(best + 1);
    }
    if (isnan(s->weak[s->n]) || isnan(s->strong[s->n])) return;
    float kind[MODEL_KINDS_MAX];
    model_kinds(logit + m->head->tasks, m->head->kinds, kind);
    double gain = light >= 0 && frontier >= 0 ? model_quality(m, logit, kind, (unsigned)frontier) -
                                                    model_quality(m, logit, kind, (unsigned)light)
                                              : model_gain(m, logit);
    uint64_t key[2] = {1, 2};
    s->score[s->n] = (float)gain;
    s->difficulty[s->n] = (float)model_difficulty(m, gain, NULL);
    s->random[s->n] = (float)(siphash(key, &s->n, sizeof s->n) >> 40);
    s->length[s->n] = (float)x->bytes;
    s->cluster[s->n++] = x->cluster;
}

static void sample_set(const struct dataset *d, const struct routing_model *m, unsigned set, str pair[2],
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

/* What the thresholds that the model brought keep and save here. */
static void measure_cuts(const struct sample *s, const struct routing_model *m, double ratio, struct result *r) {
    for (unsigned k = 0; k < MODEL_CUTS; k++) {
        double quality = 0, frontier = 0, cost = 0, all = 0;
        for (uint32_t i = 0; i < s->n; i++) {
            bool up = s->score[i] >= m->head->cut[k];
            double dear = s->costs ? (double)s->strong_cost[i] : ratio,
                   cheap = s->costs ? (double)s->weak_cost[i] : 1;
            quality += (double)(up ? s->strong[i] : s->weak[i]);
            frontier += (double)s->strong[i];
            cost += up ? dear : cheap;
            all += dear;
        }
        r->delivered[k] = frontier > 0 ? quality / frontier : NAN;
        r->fixed_saved[k] = all > 0 ? 1 - cost / all : NAN;
    }
}

static void curve(const struct routed *q, struct plot_curve *c) {
    metrics_curve(q, PLOT_POINTS, c->cost, c->quality);
}

static struct result measure(const struct sample *s, const struct routing_model *m, double ratio) {
    struct result r = {0};
    measure_cuts(s, m, ratio, &r);
    struct routed q = {.n = s->n,
                       .score = s->score,
                       .weak = s->weak,
                       .strong = s->strong,
                       .ratio = ratio,
                       .weak_cost = s->costs ? s->weak_cost : NULL,
                       .strong_cost = s->costs ? s->strong_cost : NULL};
    metrics_routed(&q, &r.m);
    metrics_apgr_interval(&q, s->cluster, ROUNDS, &r.lo, &r.hi);
    curve(&q, &r.model_curve);
    q.score = s->random;
    r.random = metrics_apgr(&q, NULL);
    curve(&q, &r.random_curve);
    q.score = s->length;
    r.length = metrics_apgr(&q, NULL);
    curve(&q, &r.length_curve);
    float *best = xmalloc((s->n + 1) * sizeof *best);
    for (uint32_t i = 0; i < s->n; i++) best[i] = s->strong[i] - s->weak[i];
    q.score = best;
    r.oracle = metrics_apgr(&q, NULL);
    curve(&q, &r.oracle_curve);
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
            X("promised95_delivered", r->delivered[0]) X("promised98_delivered", r->delivered[1])                     \
            X("promised99_delivered", r->delivered[2]) X("promised95_saved", r->fixed_saved[0])                       \
            X("promised98_saved", r->fixed_saved[1]) X("promised99_saved", r->fixed_saved[2])                         \
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
               "promised 95/98/99: delivered %.1f/%.1f/%.1f %%, saved %.0f/%.0f/%.0f %%  calibration %.3f",
               s->n, r->m.apgr, r->lo, r->hi, r->random, r->length, r->oracle, r->m.saved95 * 100,
               r->m.saved98 * 100, r->m.saved99 * 100, r->delivered[0] * 100, r->delivered[1] * 100,
               r->delivered[2] * 100, r->fixed_saved[0] * 100, r->fixed_saved[1] * 100, r->fixed_saved[2] * 100,
               r->calibration);
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

static void write_row(const struct example *x, const struct routing_model *m, jw *w) {
    struct features f = {.n = x->n, .base = x->base, .words = x->words};
    struct model_scores s;
    memcpy(f.code, x->code, x->n * sizeof *f.code);
    memcpy(f.dense, x->dense, sizeof f.dense);
    model_logits(m, &f, &s);
    double gain = model_gain(m, s.logit);
    unsigned best = 0;
    float kind[MODEL_KINDS_MAX];
    model_kinds(s.logit + m->head->tasks, m->head->kinds, kind);
    for (unsigned k = 1; k < m->head->tasks; k++)
        if (s.logit[k] > s.logit[best]) best = k;
    jw_object(w);
    jw_key(w, "gain"), jw_f64(w, gain);
    jw_key(w, "difficulty"), jw_f64(w, model_difficulty(m, gain, NULL));
    jw_key(w, "known"), jw_f64(w, (double)s.known);
    if (m->head->tasks) jw_key(w, "task"), jw_string(w, str_from(task_name((enum task)(best + 1))));
    jw_key(w, "quality");
    jw_object(w);
    for (unsigned c = m->head->tasks + m->head->kinds; c < m->head->columns; c++) {
        jw_key_str(w, str_from(m->column[c].name));
        jw_f64(w, model_quality(m, s.logit, kind, c));
    }
    jw_object_end(w);
    jw_object_end(w);
}

/* One line for each row that was read, in order. */
static bool write_rows(const char *path, const struct dataset *d, const struct routing_model *m) {
    FILE *f = fopen(path, "wb");
    buf b;
    jw w;
    buf_init(&b, 1 << 20);
    for (uint32_t i = 0; f && i < d->count; i++) {
        b.n = 0;
        jw_init(&w, &b);
        write_row(&d->row[i], m, &w);
        buf_strz(&b, "\n");
        fwrite(b.p, 1, b.n, f);
    }
    buf_free(&b);
    bool good = f && !ferror(f);
    if (f && fclose(f) != 0) good = false;
    return good || (cli_fail(&command_eval, "%s cannot be written", path), false);
}

/* The panel of a set with both models' scores in it. */
static void draw(str set, const struct result *r, unsigned at, buf *out) {
    double cost[MODEL_CUTS];
    for (unsigned k = 0; k < MODEL_CUTS; k++) cost[k] = 1 - r->fixed_saved[k];
    plot_panel(out, at,
               &(struct plot_panel){.title = set,
                                    .model = r->model_curve,
                                    .random = r->random_curve,
                                    .length = r->length_curve,
                                    .oracle = r->oracle_curve,
                                    .cut_cost = cost,
                                    .cut_quality = r->delivered,
                                    .cuts = MODEL_CUTS});
}

static bool write_plot(const char *path, unsigned panels, const buf *drawn) {
    buf head, end;
    buf_init(&head, 1 << 16);
    buf_init(&end, 64);
    plot_begin(&head, panels);
    plot_end(&end);
    FILE *f = fopen(path, "wb");
    const buf *const parts[] = {&head, drawn, &end};
    for (unsigned i = 0; f && i < 3; i++) fwrite(parts[i]->p, 1, parts[i]->n, f);
    bool good = f && !ferror(f) && !drawn->failed;
    if (f && fclose(f) != 0) good = false;
    buf_free(&head);
    buf_free(&end);
    return good || (cli_fail(&command_eval, "%s cannot be written", path), false);
}

static bool evaluate(const struct options *o, const struct dataset *d, const struct routing_model *m,
                     str pair[2]) {
    struct sample s;
    buf b, drawn;
    jw w;
    unsigned panels = 0;
    buf_init(&drawn, 64 << 20);
    buf_init(&b, 16 << 20);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "sets");
    jw_object(&w);
    sample_new(&s, d->count);
    for (unsigned set = 0; set < d->set_count; set++) {
        sample_set(d, m, set, pair, &s);
        if (!s.n && !s.tasks) continue;
        struct result r = measure(&s, m, o->ratio);
        if (o->json)
            print_json(&w, d->set[set], &s, &r);
        else
            print_plain(d->set[set], &s, &r);
        if (o->plot && s.n) draw(d->set[set], &r, panels++, &drawn);
    }
    sample_free(&s);
    jw_object_end(&w);
    jw_object_end(&w);
    if (o->json) printf("%.*s\n", (int)b.n, b.p);
    bool good = !o->plot || write_plot(o->plot, panels, &drawn);
    buf_free(&drawn);
    buf_free(&b);
    return good;
}

static int run(int argc, char **argv) {
    struct options o = {.ratio = 10};
    struct args operands;
    if (!cli_parse(&command_eval, argc, argv, &o, &operands)) return EXIT_USAGE;
    if (!o.data.count) return cli_usage(&command_eval, "--data is needed");
    str rest = str_from(o.pair ? o.pair : "weak:strong"), pair[2];
    if (!str_cut(&rest, ':', &pair[0]) || !rest.n) return cli_usage(&command_eval, "--pair is LIGHT:FRONTIER");
    pair[1] = rest;
    arena a;
    struct routing_model m;
    struct dataset d;
    err e;
    arena_init(&a, 1 << 16, (size_t)MODEL_SIZE_MAX * 2);
    dataset_init(&d);
    int code = EXIT_GOOD;
    if (!model_file(o.model, &a, &m, &e)) code = cli_fail(&command_eval, "%s", e.msg);
    for (unsigned i = 0; i < o.data.count && code == EXIT_GOOD; i++)
        if (!dataset_read(&d, o.data.item[i], &e)) code = cli_fail(&command_eval, "%s", e.msg);
    if (code == EXIT_GOOD && o.rows && !write_rows(o.rows, &d, &m)) code = EXIT_BAD_INPUT;
    if (code == EXIT_GOOD && !evaluate(&o, &d, &m, pair)) code = EXIT_BAD_INPUT;
    dataset_free(&d);
    arena_free(&a);
    return code;
}
