/* chat_quirks: requests of OpenAI's dialect that go to a provider which refuses some of it. */
#include "chat/chat_int.h"

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

bool chat_quirks_refuse(const struct provider_quirks *q, const jscan *s, str body) {
    if (!q->call_id_length) return false; /* who takes any id ignores members that it doesn't know */
    return other_ids(body, q->call_id_length) || str_find(body, STR("\"developer\"")) >= 0 ||
           (strcmp(q->max_tokens, "max_completion_tokens") != 0 && has_member(s, body, "max_completion_tokens")) ||
           (strcmp(q->seed, "seed") != 0 && has_member(s, body, "seed"));
}
