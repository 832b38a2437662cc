/* model: the learned weights, one read-only block: a file, or compiled in. Reading does no I/O and allocates
 * nothing; a corrupt or foreign block is refused with a reason.
 *
 * Little endian: struct model_head; then per dense number its mean and inverse deviation (float); per column a
 * struct model_column; per column the mean quality on each kind of work (float); then the dense weights,
 * FEATURES_DENSE rows of `stride` floats; then the table, `1 << bits` rows of `stride` int8, one per column, some
 * padding, and last the mark of the word that owns the row (features.h), so that known words are told from unknown
 * ones at no further cost; then `card_size` bytes of JSON about where the model comes from. The checksum covers
 * all behind the first 16 bytes. */
#ifndef DRAY_BRAIN_MODEL_H
#define DRAY_BRAIN_MODEL_H

#include "base/err.h"
#include "brain/features.h"

#define MODEL_MAGIC "DRAYBRN"

enum {
    MODEL_VERSION = 3,
    MODEL_BITS_MAX = 20,
    MODEL_COLUMNS_MAX = 112,
    MODEL_STRIDE_MAX = 128,
    MODEL_KINDS_MAX = 64,
    MODEL_NAME_MAX = 64,
    MODEL_KNOTS = 17, /* of the curve from gain to difficulty */
    MODEL_CUTS = 3,   /* qualities that a cut is kept for: 95, 98, 99 % */
    MODEL_SIZE_MAX = 256 << 20,
};

enum { MODEL_FEATURE_VERSION = 2 }; /* raise with every change of features, lexicon or topics */

/* Where a head's meaning is fixed: the features must be the ones it was trained on. */
struct model_head {
    char magic[7];
    uint8_t version;
    uint32_t size, crc; /* of the whole block; CRC-32C */
    uint16_t bits, columns, stride, dense;
    uint16_t tasks;           /* the first columns: tasks 1.. in order; 0: no task heads */
    uint16_t light, frontier; /* columns whose difference is the gain; equal: no difficulty */
    uint16_t kinds; /* the columns behind the tasks: which kind of work it is, among those it was learnt from */
    uint32_t card_size, feature_version;
    float knot_gain[MODEL_KNOTS], knot_difficulty[MODEL_KNOTS], knot_loss[MODEL_KNOTS]; /* ascending */
    /* Of each task (0: unknown): how far the quality heads are to be trusted on it, 0..1, and the difficulty that
     * is taken where they are not. */
    float task_trust[CLASSIFY_TASKS + 1], task_difficulty[CLASSIFY_TASKS + 1];
    /* Gains from which calls go to the frontier, so that 95, 98, 99 % of its quality are kept; fixed on rows that
     * the heads had not seen. */
    float cut[MODEL_CUTS];
    float task_temperature;
    float dense_scale;
};

struct model_column {
    char name[MODEL_NAME_MAX]; /* task or model, NUL-terminated */
    float scale, bias;         /* logit = bias + scale / sqrt(n) * sum of the rows + dense part */
    float mean;                /* mean quality where it was learnt */
    uint32_t rows;             /* labels it was learnt from */
};

struct routing_model {
    const struct model_head *head;
    const float *mean, *inv, *dense;
    const struct model_column *column;
    const float *kind_quality; /* [column][kind] */
    const int8_t *table;
    str card;
};

/* What the columns say of one prompt. */
struct model_scores {
    float logit[MODEL_STRIDE_MAX];
    float known; /* share of its words that the model has seen */
};

/* Views a block (16-byte aligned). */
bool model_open(str block, struct routing_model *out, err *e);
/* The model that dray ships with, compiled in. */
str model_shipped(void);
/* Logits of all columns. */
void model_logits(const struct routing_model *m, const struct features *f, struct model_scores *out);
/* Probabilities of the tasks 1..: out[k - 1]. */
void model_tasks(const struct routing_model *m, const float *logit, float out[CLASSIFY_TASKS]);
/* Probabilities of `kinds` kinds of work from their columns' logits. */
void model_kinds(const float *logit, unsigned kinds, float out[MODEL_KINDS_MAX]);
/* Expected quality of a model, 0..1: what its head says, mixed with its mean quality on each of the kinds of work
 * that this may be (none: the head alone). */
double model_mixed(double logit, const float *kind, const float *quality, unsigned kinds);
/* The same of a column; `kind` as of model_kinds. */
double model_quality(const struct routing_model *m, const float *logit, const float *kind, unsigned column);
/* How much better the frontier's answer is expected to be: -1..1. */
double model_gain(const struct routing_model *m, const float *logit);
/* Calibrated probability that the light tier's answer is worse, where the model knows such prompts; < 0 when it
 * has no such heads. `loss` (may be NULL): the expected loss of quality. */
double model_difficulty(const struct routing_model *m, double gain, double *loss);
/* The same for any prompt: where words or tasks are not the model's, the task's usual difficulty. `task`:
 * probabilities as of model_tasks. */
double model_difficulty_of(const struct routing_model *m, const struct model_scores *s, const float *task);
/* Column of a model by name, -1 when there is none. */
int model_column_find(const struct routing_model *m, str name);
/* 1 / (1 + exp(-x)) and exp(x) by operations that are the same on every machine. */
double model_sigmoid(double x);
double model_exp(double x);

#endif
