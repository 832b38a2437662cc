/* media: pictures and files that a request names by URL, fetched where the provider wants bytes. Two threads
 * (named "media") fetch them by the rules of net/fetch.h; the call waits meanwhile, its worker does not. */
#ifndef DRAY_GATEWAY_MEDIA_H
#define DRAY_GATEWAY_MEDIA_H

#include "gateway/call.h"

struct media;
struct media_job;

struct media *media_start(void);
void media_stop(struct media *m);

/* Whether the attempt's provider wants bytes of something that stands elsewhere. */
bool media_wanted(struct call *c);
/* Asks for all of it; attempt_go_on or attempt_unsupported follow. */
void media_ask(struct call *c);
/* The call has gone. */
void media_forget(struct call *c);
/* Worker: goes on with the calls whose media have come. */
void media_collect(struct worker *w);

#endif
