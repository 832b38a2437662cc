/* chat_quirks: how OpenAI-compatible providers differ; one row each.
 *
 * Sources: providers' API references, and what the recordings show. A kind without a row gets the
 * last one: what most servers that call themselves compatible take. */
#include "chat/chat_int.h"

#define FULL "max_completion_tokens", 0, true, true, true, true, "seed", true, "required"

static const struct chat_quirks rows[] = {
    /* kind, output limit, id length, developer, parallel, json_schema, effort, seed, service_tier, any */
    {"openai", FULL},
    {"azure", FULL},
    {"openrouter", "max_tokens", 0, false, true, true, true, "seed", false, "required"},
    {"groq", "max_completion_tokens", 0, false, true, true, true, "seed", true, "required"},
    {"mistral", "max_tokens", 9, false, true, true, false, "random_seed", false, "any"},
    {"deepseek", "max_tokens", 0, false, false, false, false, NULL, false, "required"},
    {"xai", "max_completion_tokens", 0, false, true, true, true, "seed", false, "required"},
    {"together", "max_tokens", 0, false, false, true, true, "seed", false, "required"},
    {"cerebras", "max_completion_tokens", 0, false, true, true, true, "seed", false, "required"},
    {"perplexity", "max_tokens", 0, false, false, true, true, NULL, false, "required"},
    {"gemini", "max_completion_tokens", 0, false, true, true, true, "seed", false, "required"},
    {"", "max_tokens", 0, false, true, true, true, "seed", false, "required"},
};

const struct chat_quirks *chat_quirks(str kind) {
    const struct chat_quirks *row = rows;
    while (row->kind[0] && !str_eqz(kind, row->kind)) row++;
    return row;
}

/* ---- requests of their own dialect ---- */

static bool has_member(const jscan *s, str body, const char *name) {
    jval v = json_find(s, body, str_from(name));
    return v.type != J_NONE && v.type != J_NULL;
}

/* Whether some member "tool_call_id" has another length than the kind's. */
static bool other_ids(str body, size_t length) {
    static const str key = STR_INIT("\"tool_call_id\"");
    ptrdiff_t at;
    for (str rest = body; (at = str_find(rest, key)) >= 0;) {
        rest = str_skip(rest, (size_t)at + key.n);
        while (rest.n && rest.p[0] != '"') rest = str_skip(rest, 1);
        rest = str_skip(rest, 1);
        if (str_chr(rest, '"') != (ptrdiff_t)length) return true;
    }
    return false;
}

bool chat_quirks_refuse(const struct chat_quirks *q, const jscan *s, str body) {
    if (!q->call_id_length) return false; /* who takes any id ignores members that it doesn't know */
    return other_ids(body, q->call_id_length) || str_find(body, STR("\"developer\"")) >= 0 ||
           (strcmp(q->max_tokens, "max_completion_tokens") != 0 && has_member(s, body, "max_completion_tokens")) ||
           (q->seed && strcmp(q->seed, "seed") != 0 && has_member(s, body, "seed"));
}
