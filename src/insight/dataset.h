/* dataset: labelled calls in memory as features, for learn, eval and calibrate.
 *
 * One JSON object a line (also .gz, .zst). `prompt` (or `text`), optionally `system`, and any of:
 *   label   what is asked, a task
 *   scores  {model: 0..1}; or weak, strong: two models called so (above 1: out of 10)
 *   cost    {model: dollars}
 *   model, score  one answer, judged 0..1 (as `dray analyze --sample` writes them, filled in). Rows of one `id`
 *           are the same prompt answered by several models: they become one
 *   set, group, cluster, contaminated, weight
 * Rows that can't be used are counted, the first one is named. */
#ifndef DRAY_INSIGHT_DATASET_H
#define DRAY_INSIGHT_DATASET_H

#include "base/arena.h"
#include "base/err.h"
#include "brain/features.h"

enum {
    DATASET_MODELS_MAX = 256,
    DATASET_SETS_MAX = 256,
    DATASET_ROWS_MAX = 4 << 20,
};

struct example {
    const uint32_t *code; /* sparse features, base ones first */
    uint16_t n, base, words;
    uint8_t task; /* TASK_UNKNOWN: not labelled */
    bool contaminated;
    uint16_t set, scored; /* how many scores */
    uint32_t cluster, group, bytes;
    float weight;
    float dense[FEATURES_DENSE];
    const uint16_t *model;     /* of the scores, ascending */
    const float *score, *cost; /* cost < 0: unknown */
};

struct dataset {
    arena a;
    struct example *row;
    uint32_t count, cap;
    uint64_t *id; /* hashes of ids, and the row each stands in */
    uint32_t *id_row, id_cap, ids;
    str model[DATASET_MODELS_MAX], set[DATASET_SETS_MAX];
    uint16_t model_count, set_count;
    uint32_t skipped;
    err first_skipped;
    const struct brain *brain;
};

void dataset_init(struct dataset *d);
void dataset_free(struct dataset *d);
/* Adds a file's rows. False when it can't be read at all. */
bool dataset_read(struct dataset *d, const char *path, err *e);
/* Index of a model or set by name, -1 when there is none. */
int dataset_model(const struct dataset *d, str name);
int dataset_set(const struct dataset *d, str name);
/* The score of a model on a row, NaN when it has none. */
float example_score(const struct example *x, unsigned model);
float example_cost(const struct example *x, unsigned model);

#endif
