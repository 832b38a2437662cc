/* form: calls that are no JSON: uploads as multipart/form-data, and files by their id. Private to gateway/. */
#ifndef DRAY_GATEWAY_FORM_H
#define DRAY_GATEWAY_FORM_H

#include "gateway/call.h"

enum { FORM_MODEL_MAX = 256, FORM_ID_MAX = 128 };

/* The request is a form: scans it as it comes. False: it is not one. */
bool form_begin(struct call *c);
/* Its model and what else the road needs, when all of it is there. False when the call has failed. */
bool form_read(struct call *c);
/* The body with the target's model, in r->iov from 1 on; the number of all pieces. */
unsigned form_pieces(struct call *c, uint64_t *total);

/* Keeps the path of a request whose surface's path goes on with an id. */
void form_keep_path(struct call *c, str path);
/* A file's surface names no model: the targets are the providers that may have it, in configured order; who does
 * not have an id says 404, and the next one is asked. False when the call has failed. */
bool form_plan_stored(struct call *c);

#endif
