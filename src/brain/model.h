/* model: the learned weights, one read-only block: a file, or compiled in. Reading does no I/O and allocates
 * nothing; a corrupt or foreign block is refused with a reason.
 *
 * Little endian: struct model_head; then per dense number its mean and inverse deviation (float); per column a
 * struct model_column; then the table, `1 << bits` rows of `stride` int8, one per column and some padding; then
 * `card_size` bytes of JSON about where the model comes from. The checksum covers all behind the first 16 bytes.
 */
#ifndef DRAY_BRAIN_MODEL_H
#define DRAY_BRAIN_MODEL_H

#include "base/err.h"
#include "brain/features.h"

#define MODEL_MAGIC "DRAYBRN"

enum {
    MODEL_VERSION = 1,
    MODEL_BITS_MAX = 20,
    MODEL_COLUMNS_MAX = 112,
    MODEL_STRIDE_MAX = 112,
    MODEL_NAME_MAX = 64,
    MODEL_KNOTS = 17, /* of the curve from gain to difficulty */
    MODEL_SIZE_MAX = 256 << 20,
};

/* Where a head's meaning is fixed: the features must be the ones it was trained on. */
struct model_head {
    char magic[7];
    uint8_t version;
    uint32_t size, crc; /* of the whole block; CRC-32C */
    uint16_t bits, columns, stride, dense;
    uint16_t tasks;           /* the first columns: tasks 1.. in order; 0: no task heads */
    uint16_t light, frontier; /* columns whose difference is the gain; equal: no difficulty */
    uint16_t reserved;
    uint32_t card_size, feature_version;
    float knot_gain[MODEL_KNOTS], knot_difficulty[MODEL_KNOTS], knot_loss[MODEL_KNOTS]; /* ascending */
    float task_temperature;
    float dense_scale;
};

struct model_column {
    char name[MODEL_NAME_MAX]; /* task or model, NUL-terminated */
    float scale, bias;         /* logit = bias + scale / sqrt(n) * sum of the rows + dense part */
    float mean;                /* mean quality where it was learnt */
    uint32_t rows;             /* labels it was learnt from */
    float dense[FEATURES_DENSE];
};

enum { MODEL_FEATURE_VERSION = 1 }; /* raise with every change of features, lexicon or topics */

struct model {
    const struct model_head *head;
    const float *mean, *inv;
    const struct model_column *column;
    const int8_t *table;
    str card;
};

/* Views a block (8-byte aligned). */
bool model_open(str block, struct model *out, err *e);
/* Logits of all columns. */
void model_logits(const struct model *m, const struct features *f, float out[MODEL_COLUMNS_MAX]);
/* Probabilities of the tasks 1..: out[k - 1]. */
void model_tasks(const struct model *m, const float *logit, float out[CLASSIFY_TASKS]);
/* How much better the frontier's answer is expected to be: -1..1. */
double model_gain(const struct model *m, const float *logit);
/* Calibrated probability that the light tier's answer is worse; < 0 when the model has no such heads. `loss`
 * (may be NULL): the expected loss of quality. */
double model_difficulty(const struct model *m, double gain, double *loss);
/* Column of a model by name, -1 when there is none. */
int model_column_find(const struct model *m, str name);
/* 1 / (1 + exp(-x)) and exp(x) by operations that are the same on every machine. */
double model_sigmoid(double x);
double model_exp(double x);

#endif
