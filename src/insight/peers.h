/* peers: what other models made of the same prompts says much of how a model fares on prompts of that sort, and
 * with less chance in it than its one answer that was right or wrong. Where many models answered, targets lean to
 * that. */
#ifndef DRAY_INSIGHT_PEERS_H
#define DRAY_INSIGHT_PEERS_H

#include "insight/dataset.h"

enum { PEERS_MAX = 64 }; /* models that are looked at, per set */

/* Leans each target to what the scores of the row's other models foretell (a ridge regression per set, fitted on
 * other clusters). `but[m]`: model m is no peer. Sets with few peers or rows stay as they are. */
void peers_lean(const struct dataset *d, const uint32_t *row, uint32_t n, const bool but[DATASET_MODELS_MAX],
                float *target);

#endif
