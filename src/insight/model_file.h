/* model_file: a routing model by the name of its file. */
#ifndef DRAY_INSIGHT_MODEL_FILE_H
#define DRAY_INSIGHT_MODEL_FILE_H

#include "base/arena.h"
#include "brain/model.h"

/* Reads it into `a`; `path` NULL: the one that dray ships with. */
bool model_file(const char *path, arena *a, struct routing_model *out, err *e);

#endif
