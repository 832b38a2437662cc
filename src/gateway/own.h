/* own: what dray answers itself: models, route, health, metrics, feedback. Each is called when the
 * request is complete and answers it. */
#ifndef DRAY_GATEWAY_OWN_H
#define DRAY_GATEWAY_OWN_H

#include "base/arena.h"

struct call;

/* The path of the request, as sent. */
str own_path(const struct call *c);
/* Percent-decoding of a path segment ("vendor%2Fname") into `a`; malformed escapes stand for themselves. */
str url_decode(str s, arena *a);

void own_root(struct call *c);
void own_healthz(struct call *c);
void own_readyz(struct call *c);
void own_metrics(struct call *c);
void own_models(struct call *c);
void own_model(struct call *c);
void own_route(struct call *c);
void own_feedback(struct call *c);

#endif
