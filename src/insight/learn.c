/* learn: see the header. */
#include "insight/learn.h"

#include "base/hash.h"
#include "insight/kinds.h"
#include "insight/peers.h"
#include "insight/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Strengths, chosen once for all on the development data (see the model card). */
static const double quality_common_c = 3, quality_own_c = 0.3, quality_pair_c = 1, quality_dense = 0.04;
static const double kind_c = 10;
static const double task_c = 1, task_dense = 0.12, task_temperature = 0.5;
/* Beside each task head a small one that sees the lexicon's cues only, and counts half: words that this data
 * happens to have must not drown what holds everywhere. Frequent tasks are a little more likely. */
static const double cue_c = 0.02, cue_part = 0.5, task_prior = 0.3;
enum {
    QUALITY_EPOCHS = 12,
    KIND_EPOCHS = 4,
    SET_ROWS = 20, /* of all sets that a set's mean leans to */
    TASK_EPOCHS = 6,
    FOLD_SALT = 77,
    FEW_MODELS = 3, /* scores per row at which a model's own part must carry more: they share little */
    KNOWN_ROWS = 2, /* a word is known when so many rows have it */
    MARKS = 128,    /* of features_mark */
    PRIOR_ROWS =
        100, /* what the usual difficulty of a task weighs, in rows, and that the heads know nothing of it; */
    PRIOR_PERCENT = 5, /* or so many of all rows: a few exam questions that were taken for summaries are none */
};

/* Usual difficulty of a task for a light model, where there is no data: from the gains by category of MT-bench
 * (code, mathematics and extraction gain most, writing and role play nothing). Only a beginning. */
static const float usual_difficulty[CLASSIFY_TASKS + 1] = {
    [TASK_UNKNOWN] = 0.30f,   [TASK_CLASSIFY] = 0.12f,  [TASK_EXTRACT] = 0.20f, [TASK_SUMMARIZE] = 0.12f,
    [TASK_REWRITE] = 0.10f,   [TASK_TRANSLATE] = 0.12f, [TASK_QA] = 0.20f,      [TASK_CHAT] = 0.08f,
    [TASK_GENERATE] = 0.12f,  [TASK_CODE] = 0.40f,      [TASK_REASON] = 0.40f,  [TASK_PLAN] = 0.30f,
    [TASK_SYNTHESIZE] = 0.30f};

struct learner {
    const struct dataset *d;
    const struct learn_plan *p;
    struct train_plan quality, kind, task, cues;
    struct kinds kinds;
    float mean[FEATURES_DENSE], inv[FEATURES_DENSE];
    struct column common; /* scratch: the mean of all models */
    uint32_t *row;        /* scratch: rows of one training, their targets, weights and offsets */
    float *target, *weight, *offset;
    float set_weight[DATASET_SETS_MAX];
    double own_c;
    struct model_head head;
    struct model_column column[MODEL_COLUMNS_MAX];
    struct column weights[MODEL_COLUMNS_MAX];
    float kind_quality[MODEL_COLUMNS_MAX][MODEL_KINDS_MAX];
    unsigned done, all;
};

static void step(struct learner *l) {
    l->done++;
    if (l->p->progress) l->p->progress(l->p->ctx, l->done, l->all);
}

float learn_group_score(const struct example *x, const uint16_t *model, unsigned n) {
    double sum = 0;
    unsigned k = 0;
    for (unsigned i = 0; i < n; i++) {
        float s = example_score(x, model[i]);
        if (isnan(s)) continue;
        sum += (double)s;
        k++;
    }
    return k ? (float)(sum / k) : NAN;
}

static float row_mean(const struct example *x) {
    double sum = 0;
    for (unsigned i = 0; i < x->scored; i++) sum += (double)x->score[i];
    return x->scored ? (float)(sum / x->scored) : NAN;
}

/* What a row weighs among all rows with scores. */
static void balance_sets(struct learner *l) {
    static uint32_t seen[DATASET_SETS_MAX];
    double sum = 0;
    uint32_t n = 0;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        if (x->scored && !x->contaminated) seen[x->set]++, n++;
    }
    for (unsigned s = 0; s < l->d->set_count; s++) sum += sqrt(seen[s]);
    for (unsigned s = 0; s < l->d->set_count; s++)
        l->set_weight[s] = !l->p->balance ? 1 : seen[s] ? (float)(n / sum / sqrt(seen[s])) : 0;
}

static unsigned fold_of(const struct example *x) {
    uint64_t key[2] = {FOLD_SALT, 1};
    return (unsigned)(siphash(key, &x->cluster, sizeof x->cluster) % LEARN_FOLDS);
}

/* ---- tasks ---- */

/* Rows with a label; weights so that each class weighs the same, and inside of it big sources don't drown
 * small ones: a row of a source with n rows of the class weighs 1 / sqrt(n). */
static uint32_t task_rows(struct learner *l) {
    static uint32_t seen[DATASET_SETS_MAX][CLASSIFY_TASKS + 1];
    double sum[CLASSIFY_TASKS + 1] = {0};
    uint32_t n = 0;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        if (x->task == TASK_UNKNOWN || x->contaminated) continue;
        l->row[n++] = l->p->row[i];
        seen[x->set][x->task]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct example *x = &l->d->row[l->row[i]];
        l->weight[i] = (float)((double)x->weight / sqrt(seen[x->set][x->task]));
        sum[x->task] += (double)l->weight[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        uint8_t t = l->d->row[l->row[i]].task;
        l->weight[i] = (float)((double)l->weight[i] / sum[t] * n / CLASSIFY_TASKS);
    }
    return n;
}

static struct column *new_column(struct learner *l, str name, float mean, uint32_t rows) {
    unsigned c = l->head.columns++;
    struct model_column *m = &l->column[c];
    *m = (struct model_column){.mean = mean, .rows = rows};
    memcpy(m->name, name.p, name.n < MODEL_NAME_MAX - 1 ? name.n : MODEL_NAME_MAX - 1);
    l->weights[c].w = xcalloc((size_t)1 << l->p->bits, sizeof(float));
    return &l->weights[c];
}

/* Task heads of another model, for the features' scale of this one. */
static void take_tasks(struct learner *l) {
    const struct routing_model *b = l->p->base;
    if (!b || b->head->tasks != CLASSIFY_TASKS || b->head->bits != l->p->bits) return;
    for (unsigned k = 0; k < CLASSIFY_TASKS; k++) {
        struct column *c = new_column(l, str_from(task_name((enum task)(k + 1))), 0, b->column[k].rows);
        c->bias = b->column[k].bias;
        for (size_t i = 0; i < (size_t)1 << l->p->bits; i++)
            c->w[i] = b->column[k].scale * (float)b->table[i * b->head->stride + k];
        for (unsigned j = 0; j < FEATURES_DENSE; j++) {
            float w = b->dense[(size_t)j * b->head->stride + k] * b->head->dense_scale * b->inv[j];
            c->bias += w * (l->mean[j] - b->mean[j]);
            c->dense[j] = l->inv[j] > 0 ? w / l->inv[j] / (float)quality_dense : 0;
        }
    }
    l->head.tasks = CLASSIFY_TASKS;
}

/* A number that never changes in these rows must keep a scale, when heads taken over look at it. */
static void keep_scale(struct learner *l) {
    const struct routing_model *b = l->p->base;
    for (unsigned j = 0; b && j < FEATURES_DENSE; j++)
        if (!(l->inv[j] > 0)) l->mean[j] = b->mean[j], l->inv[j] = b->inv[j];
}

static void learn_tasks(struct learner *l) {
    uint32_t n = task_rows(l);
    if (n < LEARN_TASKS_LEAST && l->p->base) {
        take_tasks(l);
        return;
    }
    if (!n) return;
    struct column cues = {.w = xcalloc((size_t)1 << l->p->bits, sizeof(float))};
    uint32_t count[CLASSIFY_TASKS + 1] = {0}, most = 0;
    for (uint32_t i = 0; i < n; i++) count[l->d->row[l->row[i]].task]++;
    for (unsigned k = 1; k <= CLASSIFY_TASKS; k++) most = count[k] > most ? count[k] : most;
    for (unsigned k = 1; k <= CLASSIFY_TASKS; k++) {
        for (uint32_t i = 0; i < n; i++) l->target[i] = l->d->row[l->row[i]].task == k;
        struct column *c = new_column(l, str_from(task_name((enum task)k)), 0, count[k]);
        train_column(l->d, l->row, n, l->target, l->weight, NULL, &l->task, l->p->bits, c);
        /* the file has one dense scale: that of the quality heads */
        train_column(l->d, l->row, n, l->target, l->weight, NULL, &l->cues, l->p->bits, &cues);
        for (unsigned j = 0; j < FEATURES_DENSE; j++)
            c->dense[j] =
                (float)(((double)c->dense[j] * task_dense + cue_part * (double)cues.dense[j]) / quality_dense);
        c->bias += (float)(cue_part * (double)cues.bias + task_prior * log((count[k] + 1.0) / (most + 1.0)));
        step(l);
    }
    free(cues.w);
    l->head.tasks = CLASSIFY_TASKS;
}

/* ---- quality ---- */

struct head_of {
    const uint16_t *model; /* one or a group */
    unsigned n;
};

/* Rows on which a head has labels, all but those of `fold`. Fills row, target and weight. */
static uint32_t quality_rows(struct learner *l, const struct head_of *h, unsigned fold) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        if (x->contaminated || !x->scored || fold_of(x) == fold) continue;
        float s = h ? learn_group_score(x, h->model, h->n) : row_mean(x);
        if (isnan(s)) continue;
        l->row[n] = l->p->row[i];
        l->target[n] = s;
        l->weight[n++] = l->set_weight[x->set];
    }
    return n;
}

static double logit_of(double p) { return log(p / (1 - p)); }

/* Fills offset: of each row the logit of its set's mean, so that words that only tell the sets apart learn nothing
 * of how hard these happen to be. Returns what stands for it on a stranger's prompt. Sets that are not balanced
 * are the user's own traffic: there the difference between them counts, and offsets are 0. */
static double set_offsets(struct learner *l, uint32_t n) {
    static double sum[DATASET_SETS_MAX];
    static uint32_t rows[DATASET_SETS_MAX];
    double all = 0;
    memset(l->offset, 0, n * sizeof *l->offset);
    if (!l->p->balance || !n) return 0;
    memset(sum, 0, sizeof sum);
    memset(rows, 0, sizeof rows);
    for (uint32_t i = 0; i < n; i++) {
        unsigned set = l->d->row[l->row[i]].set;
        sum[set] += (double)l->target[i];
        rows[set]++;
        all += (double)l->target[i];
    }
    all = (all + 0.5) / (n + 1.0);
    for (uint32_t i = 0; i < n; i++) {
        unsigned set = l->d->row[l->row[i]].set;
        l->offset[i] = (float)logit_of((sum[set] + SET_ROWS * all) / (rows[set] + SET_ROWS));
    }
    return logit_of(all);
}

static void learn_common(struct learner *l, unsigned fold) {
    uint32_t n = quality_rows(l, NULL, fold);
    set_offsets(l, n);
    l->quality.c = quality_common_c;
    train_column(l->d, l->row, n, l->target, l->weight, l->offset, &l->quality, l->p->bits, &l->common);
    step(l);
}

static void lean_to_peers(struct learner *l, const struct head_of *h, uint32_t n) {
    const struct learn_plan *p = l->p;
    bool but[DATASET_MODELS_MAX] = {false}; /* what sets the pair apart is what is to be learnt */
    for (unsigned i = 0; i < h->n; i++) but[h->model[i]] = true;
    for (unsigned i = 0; i < p->light_count; i++) but[p->light[i]] = true;
    for (unsigned i = 0; i < p->frontier_count; i++) but[p->frontier[i]] = true;
    peers_lean(l->d, l->row, n, but, l->target);
}

/* What differs from the common head, added to it. Returns the rows it learnt from; `mean`, `kind`: their mean, and
 * that of each learnt kind. */
static uint32_t learn_own(struct learner *l, const struct head_of *h, unsigned fold, struct column *out,
                          double *mean, float *kind) {
    uint32_t n = quality_rows(l, h, fold);
    double sum = 0, base = set_offsets(l, n);
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)l->target[i];
        l->offset[i] += (float)train_score(&l->d->row[l->row[i]], &l->quality, l->p->bits, &l->common);
    }
    *mean = n ? sum / n : 0;
    kinds_means(&l->kinds, l->row, n, l->target, kind);
    if (!l->p->balance) lean_to_peers(l, h, n);
    kinds_lean(&l->kinds, l->row, n, l->target, l->weight);
    l->quality.c = l->own_c;
    train_column(l->d, l->row, n, l->target, l->weight, l->offset, &l->quality, l->p->bits, out);
    for (size_t i = 0; i < (size_t)1 << l->p->bits; i++) out->w[i] += l->common.w[i];
    for (unsigned j = 0; j < FEATURES_DENSE; j++) out->dense[j] += l->common.dense[j];
    out->bias += l->common.bias + (float)base;
    step(l);
    return n;
}

static void learn_head(struct learner *l, const struct head_of *h, str name) {
    double mean;
    unsigned at = l->head.columns;
    struct column *c = new_column(l, name, 0, 0);
    l->column[at].rows = learn_own(l, h, LEARN_FOLDS, c, &mean, l->kind_quality[at]);
    l->column[at].mean = (float)mean;
}

/* ---- kinds of work ---- */

static void learn_kind(struct learner *l, unsigned kind, unsigned fold, struct column *out) {
    uint32_t n = quality_rows(l, NULL, fold);
    for (uint32_t i = 0; i < n; i++) l->target[i] = kinds_learnt(&l->kinds, l->row[i]) == kind;
    train_column(l->d, l->row, n, l->target, NULL, NULL, &l->kind, l->p->bits, out);
    step(l);
}

static void learn_kinds(struct learner *l) {
    char name[MODEL_NAME_MAX];
    for (unsigned k = 0; k < l->kinds.learnt_count; k++) {
        snprintf(name, sizeof name, "kind %u", k + 1);
        learn_kind(l, k, LEARN_FOLDS, new_column(l, str_from(name), 0, 0));
        l->head.kinds++;
    }
}

/* ---- calibration ---- */

struct seen_gain {
    float gain, loss, frontier;
    bool worse;
    uint32_t row;
};

static int by_gain(const void *a, const void *b) {
    const struct seen_gain *x = a, *y = b;
    if (x->gain != y->gain) return x->gain > y->gain ? 1 : -1;
    return x->row > y->row ? 1 : x->row < y->row ? -1 : 0;
}

/* Scratch of the predictions: columns that have not seen a fold, and what kinds its rows may be. */
struct unseen {
    struct column light, frontier, kind;
    float light_kinds[MODEL_KINDS_MAX], frontier_kinds[MODEL_KINDS_MAX];
    float *kind_logit; /* [row of the plan][learnt kind] */
};

static void unseen_kinds(struct learner *l, unsigned fold, struct unseen *u) {
    unsigned kinds = l->kinds.learnt_count;
    for (unsigned k = 0; k < kinds; k++) {
        learn_kind(l, k, fold, &u->kind);
        for (uint32_t i = 0; i < l->p->count; i++) {
            const struct example *x = &l->d->row[l->p->row[i]];
            if (fold_of(x) == fold)
                u->kind_logit[(size_t)i * kinds + k] = (float)train_score(x, &l->kind, l->p->bits, &u->kind);
        }
    }
}

static double unseen_quality(const struct learner *l, const struct example *x, const struct column *c,
                             const float *kind, const float *means) {
    return model_mixed(train_score(x, &l->quality, l->p->bits, c), kind, means, l->kinds.learnt_count);
}

/* Gains of one fold's rows, by heads that learnt from the others. Returns how many. */
static uint32_t fold_gains(struct learner *l, const struct head_of *light, const struct head_of *frontier,
                           unsigned fold, struct unseen *u, struct seen_gain *out) {
    float kind[MODEL_KINDS_MAX];
    uint32_t n = 0;
    unsigned kinds = l->kinds.learnt_count;
    double mean;
    learn_common(l, fold);
    learn_own(l, light, fold, &u->light, &mean, u->light_kinds);
    learn_own(l, frontier, fold, &u->frontier, &mean, u->frontier_kinds);
    unseen_kinds(l, fold, u);
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        if (x->contaminated || fold_of(x) != fold) continue;
        float w = learn_group_score(x, light->model, light->n),
              s = learn_group_score(x, frontier->model, frontier->n);
        if (isnan(w) || isnan(s)) continue;
        model_kinds(u->kind_logit + (size_t)i * kinds, kinds, kind);
        double gain = unseen_quality(l, x, &u->frontier, kind, u->frontier_kinds) -
                      unseen_quality(l, x, &u->light, kind, u->light_kinds);
        out[n++] = (struct seen_gain){(float)gain, s - w, s, w < s, l->p->row[i]};
    }
    return n;
}

/* Predictions for rows that the heads had not seen. */
static uint32_t gains_out_of_fold(struct learner *l, const struct head_of *light, const struct head_of *frontier,
                                  struct seen_gain *out) {
    size_t buckets = (size_t)1 << l->p->bits;
    struct unseen u = {.light.w = xcalloc(buckets, sizeof(float)),
                       .frontier.w = xcalloc(buckets, sizeof(float)),
                       .kind.w = xcalloc(buckets, sizeof(float)),
                       .kind_logit = xcalloc((size_t)l->p->count * l->kinds.learnt_count + 1, sizeof(float))};
    uint32_t n = 0;
    for (unsigned fold = 0; fold < LEARN_FOLDS; fold++) n += fold_gains(l, light, frontier, fold, &u, out + n);
    free(u.light.w);
    free(u.frontier.w);
    free(u.kind.w);
    free(u.kind_logit);
    qsort(out, n, sizeof *out, by_gain);
    return n;
}

/* Pools neighbours until the values never fall (pool adjacent violators; equal weights). */
static void monotone(float *v, unsigned n) {
    for (unsigned i = 1; i < n; i++) {
        unsigned k = i;
        double sum = (double)v[i];
        while (k > 0 && (double)v[k - 1] > sum / (i - k + 1)) sum += (double)v[--k];
        for (unsigned j = k; j <= i && k < i; j++) v[j] = (float)(sum / (i - k + 1));
    }
}

/* The task of a row: its label, else the best head's. */
static unsigned task_of(const struct learner *l, const struct example *x) {
    if (x->task != TASK_UNKNOWN) return x->task;
    unsigned best = 0;
    double top = 0;
    for (unsigned k = 0; k < l->head.tasks; k++) {
        struct column c = l->weights[k]; /* its dense weights are for the scale that train_score has */
        double z = train_score(x, &l->quality, l->p->bits, &c);
        if (!best || z > top) best = k + 1, top = z;
    }
    return best;
}

static void trust_tasks(struct learner *l, const struct seen_gain *s, uint32_t n) {
    struct model_head *h = &l->head;
    double rows[CLASSIFY_TASKS + 1] = {0}, worse[CLASSIFY_TASKS + 1] = {0};
    for (uint32_t i = 0; i < n; i++) {
        unsigned t = task_of(l, &l->d->row[s[i].row]);
        rows[t]++;
        worse[t] += s[i].worse;
    }
    double prior = n * (double)PRIOR_PERCENT / 100;
    prior = prior > PRIOR_ROWS ? prior : PRIOR_ROWS;
    for (unsigned t = 0; t <= CLASSIFY_TASKS; t++) {
        h->task_trust[t] = (float)(h->tasks ? rows[t] / (rows[t] + prior) : 1);
        h->task_difficulty[t] = (float)((worse[t] + prior * (double)usual_difficulty[t]) / (rows[t] + prior));
    }
}

/* From which gain on rows go to the frontier, so that a share of its quality is kept: the fewest rows that do. */
static float cut_at(const struct seen_gain *s, uint32_t n, double keep) {
    double frontier = 0, quality = 0;
    for (uint32_t i = 0; i < n; i++) {
        frontier += (double)s[i].frontier;
        quality += (double)s[i].frontier - (double)s[i].loss;
    }
    uint32_t i = n;
    while (i > 0 && quality < keep * frontier) quality += (double)s[--i].loss;
    return i < n ? s[i].gain : 2; /* above any gain: nothing has to go */
}

static void calibrate(struct learner *l, const struct head_of *light, const struct head_of *frontier) {
    struct seen_gain *s = xcalloc(l->p->count + 1, sizeof *s);
    uint32_t n = gains_out_of_fold(l, light, frontier, s);
    enum { BINS = MODEL_KNOTS };
    struct model_head *h = &l->head;
    for (unsigned b = 0; b < BINS; b++) {
        uint32_t from = (uint32_t)((uint64_t)n * b / BINS), to = (uint32_t)((uint64_t)n * (b + 1) / BINS);
        double gain = 0, worse = 0, loss = 0;
        for (uint32_t i = from; i < to; i++)
            gain += (double)s[i].gain, worse += s[i].worse, loss += (double)s[i].loss;
        double rows = to > from ? to - from : 1;
        h->knot_gain[b] = (float)(gain / rows);
        h->knot_difficulty[b] = (float)(worse / rows);
        h->knot_loss[b] = (float)(loss / rows);
    }
    monotone(h->knot_gain, BINS);
    monotone(h->knot_difficulty, BINS);
    monotone(h->knot_loss, BINS);
    static const double keep[MODEL_CUTS] = {0.95, 0.98, 0.99};
    for (unsigned k = 0; k < MODEL_CUTS; k++) h->cut[k] = cut_at(s, n, keep[k]);
    trust_tasks(l, s, n);
    free(s);
}

static bool wanted(const struct learner *l, uint16_t model, uint32_t labels) {
    if (!l->p->keep) return labels >= LEARN_MODEL_LEAST;
    for (unsigned i = 0; i < l->p->keep_count; i++)
        if (l->p->keep[i] == model) return labels > 0;
    return false;
}

static void learn_models(struct learner *l) {
    uint32_t labels[DATASET_MODELS_MAX] = {0};
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        for (unsigned k = 0; k < x->scored && !x->contaminated; k++) labels[x->model[k]]++;
    }
    uint64_t scores = 0, rows = 0;
    for (unsigned m = 0; m < l->d->model_count; m++) scores += labels[m];
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        rows += x->scored && !x->contaminated;
    }
    l->own_c = scores <= rows * FEW_MODELS ? quality_pair_c : quality_own_c;
    balance_sets(l);
    learn_kinds(l);
    learn_common(l, LEARN_FOLDS);
    for (uint16_t m = 0; m < l->d->model_count && l->head.columns < MODEL_COLUMNS_MAX - 2; m++)
        if (wanted(l, m, labels[m])) learn_head(l, &(struct head_of){&m, 1}, l->d->model[m]);
}

static void learn_quality(struct learner *l) {
    const struct learn_plan *p = l->p;
    struct head_of light = {p->light, p->light_count}, frontier = {p->frontier, p->frontier_count};
    learn_models(l);
    if (!light.n || !frontier.n) return;
    l->head.light = l->head.columns;
    learn_head(l, &light, STR("light"));
    l->head.frontier = l->head.columns;
    learn_head(l, &frontier, STR("frontier"));
    calibrate(l, &light, &frontier);
}

/* ---- writing ---- */

/* One scale per column, so that its largest weight is 127. */
static float scale_of(const float *w, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++) {
        float a = w[i] < 0 ? -w[i] : w[i];
        if (a > most) most = a;
    }
    return most > 0 ? most / 127 : 1;
}

/* Marks of the words that rows of the table belong to: of those that meet in one, the word of most rows. */
static void mark_words(const struct learner *l, int8_t *table, unsigned stride) {
    size_t rows = (size_t)1 << l->p->bits;
    const struct routing_model *b = l->p->base;
    uint16_t *seen = xcalloc(rows * MARKS, sizeof *seen);
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        for (unsigned k = 0; k < x->words; k++) {
            uint16_t *n = &seen[(x->code[k] & (rows - 1)) * MARKS + (size_t)features_mark(x->code[k])];
            *n = (uint16_t)(*n + (*n < UINT16_MAX));
        }
    }
    for (size_t i = 0; i < rows; i++) {
        unsigned most = KNOWN_ROWS - 1;
        int8_t *mark = &table[i * stride + stride - 1];
        if (b && b->head->bits == l->p->bits) *mark = b->table[i * b->head->stride + b->head->stride - 1u];
        for (unsigned k = 1; k < MARKS; k++)
            if (seen[i * MARKS + k] > most) most = seen[i * MARKS + k], *mark = (int8_t)k;
    }
    free(seen);
}

static void write_dense(const struct learner *l, buf *out) {
    for (unsigned j = 0; j < FEATURES_DENSE; j++)
        for (unsigned c = 0; c < l->head.stride; c++) {
            float w = c < l->head.columns ? l->weights[c].dense[j] : 0;
            buf_add(out, &w, sizeof w);
        }
}

static bool write_table(const struct learner *l, buf *out) {
    size_t rows = (size_t)1 << l->p->bits, stride = l->head.stride;
    int8_t *table = (int8_t *)buf_room(out, rows * stride);
    if (!table) return false;
    memset(table, 0, rows * stride);
    for (unsigned c = 0; c < l->head.columns; c++)
        for (size_t i = 0; i < rows; i++) {
            float q = l->weights[c].w[i] / l->column[c].scale;
            table[i * stride + c] = (int8_t)(q < 0 ? q - 0.5f : q + 0.5f);
        }
    mark_words(l, table, (unsigned)stride);
    out->n += rows * stride;
    return true;
}

static bool write_model(struct learner *l, buf *out, err *e) {
    size_t rows = (size_t)1 << l->p->bits, start = out->n;
    struct model_head *h = &l->head;
    memcpy(h->magic, MODEL_MAGIC, sizeof h->magic);
    h->version = MODEL_VERSION;
    h->feature_version = MODEL_FEATURE_VERSION;
    h->bits = (uint16_t)l->p->bits;
    h->stride = (uint16_t)((h->columns + 1 + 15) / 16 * 16);
    h->dense = FEATURES_DENSE;
    h->dense_scale = (float)quality_dense;
    h->task_temperature = (float)task_temperature;
    h->card_size = (uint32_t)l->p->card.n;
    h->size = (uint32_t)(sizeof *h + sizeof l->mean * 2 + h->columns * sizeof *l->column +
                         sizeof(float) * h->columns * h->kinds + sizeof(float) * FEATURES_DENSE * h->stride +
                         rows * h->stride + h->card_size);
    for (unsigned c = 0; c < h->columns; c++) {
        l->column[c].scale = scale_of(l->weights[c].w, rows);
        l->column[c].bias = l->weights[c].bias;
    }
    buf_add(out, h, sizeof *h);
    buf_add(out, l->mean, sizeof l->mean);
    buf_add(out, l->inv, sizeof l->inv);
    buf_add(out, l->column, h->columns * sizeof *l->column);
    for (unsigned c = 0; c < h->columns; c++) buf_add(out, l->kind_quality[c], h->kinds * sizeof(float));
    write_dense(l, out);
    if (!write_table(l, out)) return fail(e, "the model is too large");
    buf_str(out, l->p->card);
    if (out->failed) return fail(e, "the model is too large");
    uint32_t crc = crc32c(0, out->p + start + 16, out->n - start - 16);
    memcpy(out->p + start + offsetof(struct model_head, crc), &crc, sizeof crc);
    return true;
}

bool learn_model(const struct dataset *d, const struct learn_plan *p, buf *out, err *e) {
    struct learner *l = xcalloc(1, sizeof *l);
    l->d = d;
    l->p = p;
    l->row = xmalloc((p->count + 1) * sizeof *l->row);
    l->target = xmalloc((p->count + 1) * sizeof *l->target);
    l->weight = xmalloc((p->count + 1) * sizeof *l->weight);
    l->offset = xmalloc((p->count + 1) * sizeof *l->offset);
    l->common.w = xcalloc((size_t)1 << p->bits, sizeof(float));
    train_scale(d, p->row, p->count, l->mean, l->inv);
    keep_scale(l);
    l->quality = (struct train_plan){.hash_scale = 1,
                                     .zones = true,
                                     .dense_scale = quality_dense,
                                     .dense_to = FEATURES_DENSE,
                                     .mean = l->mean,
                                     .inv = l->inv,
                                     .epochs = QUALITY_EPOCHS};
    l->kind = l->quality;
    l->kind.c = kind_c;
    l->kind.epochs = KIND_EPOCHS;
    l->task = l->quality;
    l->task.c = task_c;
    l->task.dense_scale = task_dense;
    l->task.epochs = TASK_EPOCHS;
    l->cues = l->task;
    l->cues.c = cue_c;
    l->cues.hash_scale = 0;
    l->cues.dense_scale = 1;
    l->cues.dense_from = FEATURES_HAND;
    kinds_find(d, p->row, p->count, &l->kinds);
    if (p->balance) l->kinds.learnt_count = 0; /* strangers' traffic has other kinds */
    bool scored = false, labelled = false;
    for (uint32_t i = 0; i < p->count; i++) {
        scored |= d->row[p->row[i]].scored > 0;
        labelled |= d->row[p->row[i]].task != TASK_UNKNOWN;
    }
    l->all = CLASSIFY_TASKS + 1u + (p->keep ? p->keep_count : d->model_count) + l->kinds.learnt_count +
             (p->light_count ? 2u + (3u + l->kinds.learnt_count) * LEARN_FOLDS : 0u);
    if (labelled || scored) learn_tasks(l);
    if (scored) learn_quality(l);
    bool good = l->head.columns ? write_model(l, out, e) : fail(e, "there are no labels to learn from");
    for (unsigned c = 0; c < l->head.columns; c++) free(l->weights[c].w);
    free(l->common.w);
    kinds_free(&l->kinds);
    free(l->row);
    free(l->target);
    free(l->weight);
    free(l->offset);
    free(l);
    return good;
}
