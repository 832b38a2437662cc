/* surface: the paths that dray answers, one row each. */
#ifndef DRAY_GATEWAY_SURFACE_H
#define DRAY_GATEWAY_SURFACE_H

#include "base/str.h"
#include "catalog/catalog.h"
#include "chat/chat.h"
#include "chat/units.h"
#include "facts/facts.h"
#include "net/http1.h"

struct call;

/* TAP_USAGE: OpenAI's events with usage among them, and no terminator that has to come. */
enum surface_tap { TAP_NONE, TAP_CHAT, TAP_RESPONSES, TAP_OTHER, TAP_USAGE };

struct surface {
    const char *path;
    bool prefix;                 /* anything behind `path` too */
    uint8_t methods;             /* bit 1 << enum http_method */
    const char *endpoint;        /* ledger field `endpoint`; NULL: not a call, answered by dray itself */
    int8_t chat;                 /* enum chat_dialect; -1: not a conversation */
    bool path_stream;            /* Gemini: the path says that it streams */
    uint8_t dialect;             /* enum dialect */
    uint8_t tap;                 /* how usage is read out of streams */
    bool streams;                /* `stream: true` means something */
    const char *needs;           /* member of the body without which there is nothing to do, or NULL */
    const char *model;           /* what the endpoint uses when the body names none; NULL: it must name one */
    uint8_t task;                /* enum task that the endpoint itself says; TASK_UNKNOWN: ask the classifier */
    bool form;                   /* the body may be multipart/form-data */
    bool stored;                 /* things kept by id, at the provider that made them; no model */
    uint8_t units;               /* enum units: how its answers say what was used */
    void (*own)(struct call *c); /* dray's own answer, after the body is complete */
};

/* The row of a path, NULL when there is none. Also by the paths of the Azure client: /openai/v1/… and
 * /openai/deployments/NAME/…, where `*model` is what stands for NAME (still percent-encoded). */
const struct surface *surface_find(str path, str *model);

#endif
