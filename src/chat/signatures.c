/* signatures: a client that met several providers in one conversation sends back what each of them signed.
 * Requests that are translated leave out what another provider signed (chat_signature_for); those that pass byte
 * for byte are cleaned here, in the one place of each dialect where a signature can stand:
 *
 *     Anthropic   messages[].content[]  {type: thinking, signature} or {type: redacted_thinking, data}
 *     Gemini      contents[].parts[]    thoughtSignature
 *     Responses   input[]               {type: reasoning, encrypted_content}
 *
 * A block that is nothing but another's thinking goes; Gemini's parts are more than that: there the word that
 * Google documents for calls without a signature takes its place. A mark of the provider's own is cut off. */
#include "chat/chat_int.h"

struct clean {
    enum chat_dialect d;
    str body;
    buf *out;
    size_t copied;
};

/* All of the body before `at` that hasn't been copied. */
static void copy_to(struct clean *c, const char *at) {
    size_t n = (size_t)(at - c->body.p);
    if (n <= c->copied) return;
    buf_add(c->out, c->body.p + c->copied, n - c->copied);
    c->copied = n;
}

static void skip_to(struct clean *c, const char *at) { c->copied = (size_t)(at - c->body.p); }

/* Who marked it; CHAT_DIALECTS: nobody. */
static enum chat_dialect marked_by(jval v) {
    for (enum chat_dialect d = 0; v.type == J_STRING && d < CHAT_DIALECTS; d++)
        if (jt_has(chat_signature_for(d, jt(v)))) return d;
    return CHAT_DIALECTS;
}

static jval signature_in(enum chat_dialect d, jval item) {
    if (d == CHAT_ANTHROPIC) {
        bool redacted = json_is(json_get(item, STR("type")), STR("redacted_thinking"));
        return json_get(item, redacted ? STR("data") : STR("signature"));
    }
    if (d == CHAT_RESPONSES) return json_get(item, STR("encrypted_content"));
    jval v = json_get(item, STR("thoughtSignature"));
    return v.type == J_NONE ? json_get(item, STR("thought_signature")) : v;
}

/* The text of a value, its quotes included. */
static const char *value_end(jval v) { return v.raw.p + v.raw.n + (v.type == J_STRING); }
static const char *value_start(jval v) { return v.raw.p - (v.type == J_STRING); }

/* The items of a list. What is dropped goes with the comma behind it, the last with the one before. */
static void clean_items(struct clean *c, jval list) {
    jval item;
    const char *behind_kept = NULL; /* end of the last item that stays */
    bool dropped = false;           /* since then */
    for (jiter it = json_iter(list); list.type == J_ARRAY && json_item(&it, &item);) {
        jval sign = item.type == J_OBJECT ? signature_in(c->d, item) : (jval){0};
        enum chat_dialect by = marked_by(sign);
        if (by != CHAT_DIALECTS && by != c->d && c->d != CHAT_GEMINI) {
            copy_to(c, behind_kept ? behind_kept : list.raw.p + 1);
            skip_to(c, value_end(item));
            dropped = true;
            continue;
        }
        if (dropped && !behind_kept) skip_to(c, value_start(item)); /* without the comma of what went before it */
        dropped = false;
        behind_kept = value_end(item);
        if (by == CHAT_DIALECTS) continue;
        copy_to(c, sign.raw.p);
        if (by != c->d) buf_strz(c->out, CHAT_NO_SIGNATURE);
        skip_to(c, by == c->d ? chat_signature_for(by, jt(sign)).raw.p : sign.raw.p + sign.raw.n);
    }
}

bool chat_clean(enum chat_dialect d, str body, buf *out) {
    static const struct {
        str list, items; /* items empty: the list's own */
    } where[CHAT_DIALECTS] = {[CHAT_ANTHROPIC] = {STR_INIT("messages"), STR_INIT("content")},
                              [CHAT_GEMINI] = {STR_INIT("contents"), STR_INIT("parts")},
                              [CHAT_RESPONSES] = {STR_INIT("input"), STR_INIT("")}};
    struct clean c = {.d = d, .body = body, .out = out};
    jval root, one;
    if (!where[d].list.n || str_find(body, STR("\"dray")) < 0 || !json_check(body, &root, NULL, NULL))
        return false;
    jval list = json_get(root, where[d].list);
    if (!where[d].items.n) clean_items(&c, list);
    for (jiter it = json_iter(list); where[d].items.n && list.type == J_ARRAY && json_item(&it, &one);)
        clean_items(&c, json_get(one, where[d].items));
    if (!c.copied) return false;
    copy_to(&c, body.p + body.n);
    return true;
}
