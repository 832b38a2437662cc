#include "gateway/surface.h"

#include "gateway/admin.h"
#include "gateway/dialect.h"
#include "gateway/own.h"

#define GET (1u << HTTP_GET | 1u << HTTP_HEAD)
#define POST (1u << HTTP_POST)

#define CALL(p, name, client, d) .path = p, .methods = POST, .endpoint = name, .dialect = client, .chat = d
#define DELETE (1u << HTTP_DELETE)
#define FORM(p, name, t, u) CALL(p, name, DIALECT_OPENAI, -1), .form = true, .task = t, .units = u
#define FILES(p, m)                                                                                               \
    .path = p, .methods = m, .endpoint = "files", .dialect = DIALECT_OPENAI, .chat = -1, .form = true,            \
    .stored = true
#define COUNT(p, client, d) .path = p, .methods = POST, .dialect = client, .chat = d, .own = own_count_tokens
#define OWN(p, m, f) .path = p, .methods = m, .dialect = DIALECT_OPENAI, .chat = -1, .own = f

static const struct surface surfaces[] = {
    /* calls */
    {CALL("/v1/chat/completions", "chat", DIALECT_OPENAI, CHAT_OPENAI), .tap = TAP_CHAT, .streams = true,
     .needs = "messages"},
    {CALL("/v1/completions", "completions", DIALECT_OPENAI, -1), .tap = TAP_CHAT, .streams = true},
    {CALL("/v1/embeddings", "embeddings", DIALECT_OPENAI, -1), .needs = "input", .task = TASK_EMBED},
    {CALL("/v1/responses", "responses", DIALECT_OPENAI, CHAT_RESPONSES), .tap = TAP_RESPONSES, .streams = true},
    {CALL("/v1/messages", "messages", DIALECT_ANTHROPIC, CHAT_ANTHROPIC), .tap = TAP_OTHER, .streams = true,
     .needs = "messages"},
    {CALL("/v1/moderations", "moderations", DIALECT_OPENAI, -1), .needs = "input", .task = TASK_CLASSIFY,
     .model = "omni-moderation-latest"},
    {CALL("/v1/rerank", "rerank", DIALECT_OPENAI, -1), .needs = "documents", .task = TASK_EMBED,
     .units = UNITS_RERANK},
    {CALL("/v2/rerank", "rerank", DIALECT_OPENAI, -1), .needs = "documents", .task = TASK_EMBED,
     .units = UNITS_RERANK},
    {FORM("/v1/audio/transcriptions", "transcriptions", TASK_AUDIO, UNITS_AUDIO), .tap = TAP_USAGE,
     .streams = true},
    {FORM("/v1/audio/translations", "translations", TASK_AUDIO, UNITS_AUDIO)},
    {CALL("/v1/audio/speech", "speech", DIALECT_OPENAI, -1), .needs = "input", .task = TASK_AUDIO,
     .units = UNITS_SPEECH, .tap = TAP_USAGE, .streams = true},
    {CALL("/v1/images/generations", "images", DIALECT_OPENAI, -1), .needs = "prompt", .task = TASK_IMAGE,
     .units = UNITS_IMAGES, .tap = TAP_USAGE, .streams = true, .model = "gpt-image-1"},
    {FORM("/v1/images/edits", "images", TASK_IMAGE, UNITS_IMAGES), .tap = TAP_USAGE, .streams = true,
     .model = "gpt-image-1"},
    {FORM("/v1/images/variations", "images", TASK_IMAGE, UNITS_IMAGES), .model = "dall-e-2"},
    {FILES("/v1/files", GET | POST)},
    {FILES("/v1/files/", GET | DELETE), .prefix = true},
    /* dray's own */
    {COUNT("/v1/messages/count_tokens", DIALECT_ANTHROPIC, CHAT_ANTHROPIC)},
    {OWN("/v1/route", POST, own_route)},
    {OWN("/v1/models", GET, own_models)},
    {OWN("/v1beta/models", GET, own_models)},
    {OWN("/v1/models/", GET, own_model), .prefix = true},
    {OWN("/v1beta/models/", GET, own_model), .prefix = true},
    {OWN("/v1/feedback", POST, own_feedback)},
    {OWN("/healthz", GET, own_healthz)},
    {OWN("/readyz", GET, own_readyz)},
    {OWN("/metrics", GET, own_metrics)},
    {OWN("/admin/v1/calls", GET, admin_calls)},
    {OWN("/admin/v1/calls/", GET, admin_call), .prefix = true},
    {OWN("/admin/v1/override", GET | POST, admin_override)},
    {OWN("/admin/v1/reload", POST, admin_reload)},
    {OWN("/api/hello", GET, own_root)}, /* what Claude Code asks first */
    {OWN("/", GET, own_root)},
};

/* Gemini's: /v1beta/models/NAME:VERB, and the same under /v1. */
static const struct surface verbs[] = {
    {CALL("generateContent", "generateContent", DIALECT_GEMINI, CHAT_GEMINI), .tap = TAP_OTHER, .streams = true,
     .needs = "contents"},
    {CALL("streamGenerateContent", "generateContent", DIALECT_GEMINI, CHAT_GEMINI), .tap = TAP_OTHER,
     .streams = true, .path_stream = true, .needs = "contents"},
    {CALL("embedContent", "embeddings", DIALECT_GEMINI, -1), .needs = "content", .task = TASK_EMBED},
    {CALL("batchEmbedContents", "embeddings", DIALECT_GEMINI, -1), .needs = "requests", .task = TASK_EMBED},
    {COUNT("countTokens", DIALECT_GEMINI, CHAT_GEMINI)},
};

static const struct surface *find_verb(str path, str *model) {
    static const str roots[] = {STR_INIT("/v1beta/models/"), STR_INIT("/v1/models/")};
    for (size_t k = 0; k < sizeof roots / sizeof *roots; k++) {
        if (!str_starts(path, roots[k])) continue;
        str rest = str_skip(path, roots[k].n);
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
            str verb = str_from(verbs[i].path);
            if (!str_ends(rest, verb) || rest.n < verb.n + 2 || rest.p[rest.n - verb.n - 1] != ':') continue;
            *model = str_take(rest, rest.n - verb.n - 1);
            return &verbs[i];
        }
    }
    return NULL;
}

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
    const struct surface *verb = find_verb(path, model);
    if (verb) return verb;
    if (str_starts(path, v1)) return find(v1, str_skip(path, v1.n));
    if (!str_starts(path, deployments)) return find(STR_NONE, path);
    str rest = str_skip(path, deployments.n);
    ptrdiff_t slash = str_chr(rest, '/');
    if (slash <= 0) return NULL;
    *model = str_take(rest, (size_t)slash);
    return find(deployments, str_skip(rest, (size_t)slash));
}
