/* checks: what can be told of an answer's quality for nothing: it is empty, refused, cut by length, broke off;
 * JSON was asked for and it is none, or doesn't fit its schema; a tool call's arguments don't fit. */
#ifndef DRAY_CHAT_CHECKS_H
#define DRAY_CHAT_CHECKS_H

#include "chat/openai.h"

enum { CHECKS_KEEP_MAX = 64 * 1024 }; /* of a request's schema and tools; larger ones are not checked */

/* What the request asked for; text in the arena that was given. All zero: nothing that can be checked. */
struct wants {
    bool json;
    str schema; /* JSON text, empty when there is none */
    str tools;  /* the tools array */
};
void checks_want(const jscan *s, str body, arena *a, struct wants *out);

/* A verdict: quality 0 (fails) or 1 (asked for something checkable and got it), or -1: nothing can be told.
 * `label` names the check. */
struct verdict {
    float quality;
    const char *label;
};
/* `body` is the whole answer, empty when it was not kept (streams, large ones). `broken`: it broke off. */
struct verdict checks_answer(const struct wants *w, const struct answer *a, str body, bool broken, arena *scratch);

#endif
