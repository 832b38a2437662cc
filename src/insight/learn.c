/* learn: see the header. */
#include "insight/learn.h"

#include "base/hash.h"
#include "brain/model.h"
#include "insight/train.h"

#include <math.h>
#include <stdlib.h>

/* Strengths, chosen once for all on the development data (see the model card). */
static const double quality_common_c = 3, quality_own_c = 0.3, quality_dense = 0.06;
static const double task_c = 1, task_dense = 0.12, task_temperature = 1;
enum { QUALITY_EPOCHS = 12, TASK_EPOCHS = 12, FOLD_SALT = 77 };

struct learner {
    const struct dataset *d;
    const struct learn_plan *p;
    struct train_plan quality, task;
    float mean[FEATURES_DENSE], inv[FEATURES_DENSE];
    struct column common; /* scratch: the mean of all models */
    uint32_t *row;        /* scratch: rows of one training, their targets, weights and offsets */
    float *target, *weight, *offset;
    struct model_head head;
    struct model_column column[MODEL_COLUMNS_MAX];
    struct column weights[MODEL_COLUMNS_MAX];
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

static void learn_tasks(struct learner *l) {
    uint32_t n = task_rows(l);
    if (!n) return;
    for (unsigned k = 1; k <= CLASSIFY_TASKS; k++) {
        uint32_t is = 0;
        for (uint32_t i = 0; i < n; i++) {
            l->target[i] = l->d->row[l->row[i]].task == k;
            is += l->target[i] > 0;
        }
        struct column *c = new_column(l, str_from(task_name((enum task)k)), 0, is);
        train_column(l->d, l->row, n, l->target, l->weight, NULL, &l->task, l->p->bits, c);
        /* the file has one dense scale: that of the quality heads */
        for (unsigned j = 0; j < FEATURES_DENSE; j++) c->dense[j] *= (float)(task_dense / quality_dense);
        step(l);
    }
    l->head.tasks = CLASSIFY_TASKS;
}

/* ---- quality ---- */

struct head_of {
    const uint16_t *model; /* one or a group */
    unsigned n;
};

/* Rows on which a head has labels, all but those of `fold`. Fills row, target, offset. */
static uint32_t quality_rows(struct learner *l, const struct head_of *h, unsigned fold, bool offsets) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->p->count; i++) {
        const struct example *x = &l->d->row[l->p->row[i]];
        if (x->contaminated || !x->scored || fold_of(x) == fold) continue;
        float s = h ? learn_group_score(x, h->model, h->n) : row_mean(x);
        if (isnan(s)) continue;
        l->row[n] = l->p->row[i];
        l->target[n] = s;
        if (offsets) l->offset[n] = (float)train_score(x, &l->quality, l->p->bits, &l->common);
        n++;
    }
    return n;
}

static void learn_common(struct learner *l, unsigned fold) {
    uint32_t n = quality_rows(l, NULL, fold, false);
    l->quality.c = quality_common_c;
    train_column(l->d, l->row, n, l->target, NULL, NULL, &l->quality, l->p->bits, &l->common);
    step(l);
}

/* What differs from the common head, added to it. Returns the rows it learnt from. */
static uint32_t learn_own(struct learner *l, const struct head_of *h, unsigned fold, struct column *out,
                          double *mean) {
    uint32_t n = quality_rows(l, h, fold, true);
    l->quality.c = quality_own_c;
    train_column(l->d, l->row, n, l->target, NULL, l->offset, &l->quality, l->p->bits, out);
    for (size_t i = 0; i < (size_t)1 << l->p->bits; i++) out->w[i] += l->common.w[i];
    for (unsigned j = 0; j < FEATURES_DENSE; j++) out->dense[j] += l->common.dense[j];
    out->bias += l->common.bias;
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += (double)l->target[i];
    *mean = n ? sum / n : 0;
    step(l);
    return n;
}

static void learn_head(struct learner *l, const struct head_of *h, str name) {
    double mean;
    unsigned at = l->head.columns;
    struct column *c = new_column(l, name, 0, 0);
    l->column[at].rows = learn_own(l, h, LEARN_FOLDS, c, &mean);
    l->column[at].mean = (float)mean;
}

/* ---- calibration ---- */

struct seen_gain {
    float gain, loss;
    bool worse;
    uint32_t row;
};

static int by_gain(const void *a, const void *b) {
    const struct seen_gain *x = a, *y = b;
    if (x->gain != y->gain) return x->gain > y->gain ? 1 : -1;
    return x->row > y->row ? 1 : x->row < y->row ? -1 : 0;
}

/* Predictions for rows that the heads had not seen. */
static uint32_t gains_out_of_fold(struct learner *l, const struct head_of *light, const struct head_of *frontier,
                                  struct seen_gain *out) {
    struct column a = {.w = xcalloc((size_t)1 << l->p->bits, sizeof(float))},
                  b = {.w = xcalloc((size_t)1 << l->p->bits, sizeof(float))};
    uint32_t n = 0;
    double mean;
    for (unsigned fold = 0; fold < LEARN_FOLDS; fold++) {
        learn_common(l, fold);
        learn_own(l, light, fold, &a, &mean);
        learn_own(l, frontier, fold, &b, &mean);
        for (uint32_t i = 0; i < l->p->count; i++) {
            const struct example *x = &l->d->row[l->p->row[i]];
            if (x->contaminated || fold_of(x) != fold) continue;
            float w = learn_group_score(x, light->model, light->n),
                  s = learn_group_score(x, frontier->model, frontier->n);
            if (isnan(w) || isnan(s)) continue;
            double gain = model_sigmoid(train_score(x, &l->quality, l->p->bits, &b)) -
                          model_sigmoid(train_score(x, &l->quality, l->p->bits, &a));
            out[n++] = (struct seen_gain){(float)gain, s - w, w < s, l->p->row[i]};
        }
    }
    free(a.w);
    free(b.w);
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

static bool write_model(struct learner *l, buf *out, err *e) {
    size_t rows = (size_t)1 << l->p->bits, start = out->n;
    struct model_head *h = &l->head;
    memcpy(h->magic, MODEL_MAGIC, sizeof h->magic);
    h->version = MODEL_VERSION;
    h->feature_version = MODEL_FEATURE_VERSION;
    h->bits = (uint16_t)l->p->bits;
    h->stride = (uint16_t)((h->columns + 15) / 16 * 16);
    h->dense = FEATURES_DENSE;
    h->dense_scale = (float)quality_dense;
    h->task_temperature = (float)task_temperature;
    /* the table begins at a cache line of the file: the card is padded in front of nothing, lengths are even */
    h->card_size = (uint32_t)l->p->card.n;
    h->size = (uint32_t)(sizeof *h + sizeof l->mean * 2 + h->columns * sizeof *l->column + rows * h->stride +
                         h->card_size);
    for (unsigned c = 0; c < h->columns; c++) {
        l->column[c].scale = scale_of(l->weights[c].w, rows);
        l->column[c].bias = l->weights[c].bias;
        memcpy(l->column[c].dense, l->weights[c].dense, sizeof l->column[c].dense);
    }
    buf_add(out, h, sizeof *h);
    buf_add(out, l->mean, sizeof l->mean);
    buf_add(out, l->inv, sizeof l->inv);
    buf_add(out, l->column, h->columns * sizeof *l->column);
    int8_t *table = (int8_t *)buf_room(out, rows * h->stride);
    if (!table) return fail(e, "the model is too large");
    memset(table, 0, rows * h->stride);
    for (unsigned c = 0; c < h->columns; c++)
        for (size_t i = 0; i < rows; i++) {
            float q = l->weights[c].w[i] / l->column[c].scale;
            table[i * h->stride + c] = (int8_t)(q < 0 ? q - 0.5f : q + 0.5f);
        }
    out->n += rows * h->stride;
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
    l->quality = (struct train_plan){.hash_scale = 1,
                                     .zones = true,
                                     .dense_scale = quality_dense,
                                     .dense_to = FEATURES_DENSE,
                                     .mean = l->mean,
                                     .inv = l->inv,
                                     .epochs = QUALITY_EPOCHS};
    l->task = l->quality;
    l->task.c = task_c;
    l->task.dense_scale = task_dense;
    l->task.epochs = TASK_EPOCHS;
    bool scored = false;
    for (uint32_t i = 0; i < p->count && !scored; i++) scored = d->row[p->row[i]].scored > 0;
    l->all = CLASSIFY_TASKS + 1u + (p->keep ? p->keep_count : d->model_count) +
             (p->light_count ? 2u + 3u * LEARN_FOLDS : 0u);
    learn_tasks(l);
    if (scored) learn_quality(l);
    bool good = l->head.columns ? write_model(l, out, e) : fail(e, "there are no labels to learn from");
    for (unsigned c = 0; c < l->head.columns; c++) free(l->weights[c].w);
    free(l->common.w);
    free(l->row);
    free(l->target);
    free(l->weight);
    free(l->offset);
    free(l);
    return good;
}
