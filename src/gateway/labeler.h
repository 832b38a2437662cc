/* labeler: says what calls asked for that named their model themselves, off the road.
 *
 * Such a call needs no decision, so its facts (lengths, task, hashes) are only for the books. When the
 * worker needs the request no more it gives it to this thread (named "labeler"), which reads it and
 * amends the record. One lock-free ring per worker; the thread gathers for some milliseconds before
 * it works, so that giving hardly ever costs a system call. When a ring is full, the worker does the work. */
#ifndef DRAY_GATEWAY_LABELER_H
#define DRAY_GATEWAY_LABELER_H

#include "gateway/worker.h"

struct labeler;
struct call;

/* `spool`: a writer of its own. */
struct labeler *labeler_start(unsigned workers, struct spool *spool, const uint64_t prompt_key[2]);
/* Takes c->r over. Called by the worker. */
void labeler_give(struct labeler *l, struct worker *w, struct call *c);
/* Labels what was given, then stops. After the workers have stopped. */
void labeler_stop(struct labeler *l);

#endif
