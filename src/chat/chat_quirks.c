/* chat_quirks: how OpenAI-compatible providers differ; one row each.
 *
 * Sources: providers' API references, and what the recordings show. A kind without a row gets the
 * last one: what most servers that call themselves compatible take. */
#include "chat/chat_int.h"

#define FULL "max_completion_tokens", 0, true, true, true, true, true, true, "required"

static const struct chat_quirks rows[] = {
    /* kind, output limit, id length, developer, parallel, json_schema, effort, seed, service_tier, any */
    {"openai", FULL},
    {"azure", FULL},
    {"openrouter", "max_tokens", 0, false, true, true, true, true, false, "required"},
    {"groq", "max_completion_tokens", 0, false, true, true, true, true, true, "required"},
    {"mistral", "max_tokens", 9, false, true, true, false, false, false, "any"},
    {"deepseek", "max_tokens", 0, false, false, false, false, false, false, "required"},
    {"xai", "max_completion_tokens", 0, false, true, true, true, true, false, "required"},
    {"together", "max_tokens", 0, false, false, true, true, true, false, "required"},
    {"cerebras", "max_completion_tokens", 0, false, true, true, true, true, false, "required"},
    {"perplexity", "max_tokens", 0, false, false, true, true, false, false, "required"},
    {"gemini", "max_completion_tokens", 0, false, true, true, true, true, false, "required"},
    {"", "max_tokens", 0, false, true, true, true, true, false, "required"},
};

const struct chat_quirks *chat_quirks(str kind) {
    const struct chat_quirks *row = rows;
    while (row->kind[0] && !str_eqz(kind, row->kind)) row++;
    return row;
}
