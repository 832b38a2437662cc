/* learn: from labelled rows to a routing model (brain/model.h), deterministic, one core.
 *
 * Task heads: one logistic regression per task on words, places, shapes and cues, classes and sources balanced;
 * taken over from another model where the rows have few labels.
 * Quality heads: first one for the mean of all models on a row (how hard is it), then per model what differs
 * from that, shrunk towards it: with few labels a model is taken to be like the others. The light and the
 * frontier head (of one model or of several together) give the gain; its calibration to a probability is
 * fitted on predictions for rows that the heads had not seen (5 folds by cluster). Which tasks those rows were
 * says how far the heads are trusted on each task. */
#ifndef DRAY_INSIGHT_LEARN_H
#define DRAY_INSIGHT_LEARN_H

#include "base/buf.h"
#include "brain/model.h"
#include "insight/dataset.h"

enum {
    LEARN_GROUP_MAX = 64,   /* models that make the light or the frontier head together */
    LEARN_MODEL_LEAST = 30, /* labels below which a model gets no head of its own */
    LEARN_FOLDS = 5,
    LEARN_TASKS_LEAST = 200, /* labelled rows below which task heads are taken over */
};

struct learn_plan {
    const uint32_t *row; /* of the dataset that may be learnt from */
    uint32_t count;
    uint16_t light[LEARN_GROUP_MAX], frontier[LEARN_GROUP_MAX]; /* models; none: no difficulty */
    uint16_t light_count, frontier_count;
    const uint16_t
        *keep; /* models that get heads of their own, keep_count of them; NULL: all with enough labels */
    uint16_t keep_count;
    const struct routing_model
        *base;    /* task heads come from here where there are few labels; NULL: from nowhere */
    bool balance; /* sets weigh as the square root of their rows, not as their rows */
    unsigned bits;
    str card; /* JSON that goes into the model */
    void (*progress)(void *ctx, unsigned done, unsigned all);
    void *ctx;
};

/* Appends the model to `out`. False when there is nothing to learn from. */
bool learn_model(const struct dataset *d, const struct learn_plan *p, buf *out, err *e);
/* Mean score of a group of models on a row; NaN when none has one. */
float learn_group_score(const struct example *x, const uint16_t *model, unsigned n);

#endif
