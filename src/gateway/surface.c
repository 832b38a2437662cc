#include "gateway/surface.h"

#include "gateway/admin.h"
#include "gateway/own.h"

#define GET (1u << HTTP_GET | 1u << HTTP_HEAD)
#define POST (1u << HTTP_POST)

static const struct surface surfaces[] = {
    /* calls */
    {"/v1/chat/completions", false, POST, "chat", DIALECT_OPENAI, TAP_CHAT, true, "messages", TASK_UNKNOWN, NULL},
    {"/v1/completions", false, POST, "completions", DIALECT_OPENAI, TAP_CHAT, true, NULL, TASK_UNKNOWN, NULL},
    {"/v1/embeddings", false, POST, "embeddings", DIALECT_OPENAI, TAP_NONE, false, "input", TASK_EMBED, NULL},
    {"/v1/responses", false, POST, "responses", DIALECT_OPENAI, TAP_RESPONSES, true, NULL, TASK_UNKNOWN, NULL},
    /* dray's own */
    {"/v1/route", false, POST, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_route},
    {"/v1/models", false, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_models},
    {"/v1/models/", true, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_model},
    {"/v1/feedback", false, POST, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_feedback},
    {"/healthz", false, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_healthz},
    {"/readyz", false, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_readyz},
    {"/metrics", false, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_metrics},
    {"/admin/v1/calls", false, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, admin_calls},
    {"/admin/v1/calls/", true, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, admin_call},
    {"/admin/v1/override", false, GET | POST, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN,
     admin_override},
    {"/admin/v1/reload", false, POST, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, admin_reload},
    {"/", false, GET, NULL, DIALECT_OPENAI, TAP_NONE, false, NULL, TASK_UNKNOWN, own_root},
};

static const struct surface *find(str base, str path) {
    for (size_t i = 0; i < sizeof surfaces / sizeof *surfaces; i++) {
        const struct surface *s = &surfaces[i];
        str want = str_from(s->path);
        if (base.n) { /* an alias of "/v1": only calls have one */
            if (!s->endpoint || !str_starts(want, STR("/v1"))) continue;
            want = str_skip(want, 3);
        }
        if (s->prefix ? str_starts(path, want) && path.n > want.n : str_eq(path, want)) return s;
    }
    return NULL;
}

const struct surface *surface_find(str path, str *model) {
    static const str v1 = STR_INIT("/openai/v1"), deployments = STR_INIT("/openai/deployments/");
    *model = STR_NONE;
    if (str_starts(path, v1)) return find(v1, str_skip(path, v1.n));
    if (!str_starts(path, deployments)) return find(STR_NONE, path);
    str rest = str_skip(path, deployments.n);
    ptrdiff_t slash = str_chr(rest, '/');
    if (slash <= 0) return NULL;
    *model = str_take(rest, (size_t)slash);
    return find(deployments, str_skip(rest, (size_t)slash));
}
