/* gemini_embed: see gemini_embed.h. A batch holds requests, each with a content and the model's name; countTokens
 * may hold a whole request with its model's name in it. */
#include "chat/gemini_embed.h"

#include "chat/chat_int.h"
#include "chat/walk.h"

static void add_content(struct walk *w, jval content) {
    jval parts = json_get(content, STR("parts")), part;
    walk_message(w, WALK_USER);
    for (jiter it = json_iter(parts); parts.type == J_ARRAY && json_item(&it, &part);) {
        jval text = json_get(part, STR("text"));
        if (text.type == J_STRING) walk_text(w, WALK_USER, text.raw, text.esc);
    }
}

void gemini_embed_facts(const jscan *s, str body, struct facts *f, struct prompt *p) {
    struct walk w;
    jval requests = json_find(s, body, STR("requests")), content = json_find(s, body, STR("content")), one;
    walk_begin(&w, f, p);
    if (content.type == J_OBJECT) add_content(&w, content);
    for (jiter it = json_iter(requests); requests.type == J_ARRAY && json_item(&it, &one);)
        add_content(&w, json_get(one, STR("content")));
    walk_end(&w);
}

/* ---- the model's name ---- */

struct rename {
    str body, model; /* "models/NAME", escaped */
    buf *out;
    size_t copied;
    bool changed;
};

static void rename_one(struct rename *r, jval v) {
    if (v.type != J_STRING || str_eq(v.raw, r->model)) return;
    size_t at = (size_t)(v.raw.p - r->body.p);
    buf_add(r->out, r->body.p + r->copied, at - r->copied);
    buf_str(r->out, r->model);
    r->copied = at + v.raw.n;
    r->changed = true;
}

/* Members in the order in which they stand: the body is copied up to each. */
static void rename_members(struct rename *r, jval object) {
    str key;
    bool esc;
    jval v, one;
    for (jiter it = json_iter(object); object.type == J_OBJECT && json_next(&it, &key, &esc, &v);) {
        if (json_key_eq(key, esc, STR("model"))) rename_one(r, v);
        if (json_key_eq(key, esc, STR("generateContentRequest"))) rename_one(r, json_get(v, STR("model")));
        if (!json_key_eq(key, esc, STR("requests"))) continue;
        for (jiter in = json_iter(v); v.type == J_ARRAY && json_item(&in, &one);)
            rename_one(r, json_get(one, STR("model")));
    }
}

bool gemini_rename(const jscan *s, str body, str model, arena *a, buf *out) {
    struct rename r = {.body = body, .out = out};
    r.model = jt_plain(a, arena_printf(a, "models/" STR_FMT, STR_ARG(model))).raw;
    rename_members(&r, json_root(s, body));
    if (r.changed) buf_str(out, str_skip(body, r.copied));
    return r.changed;
}

/* ---- the answer ---- */

void gemini_embed_answer(struct answer *to, str body) {
    jval root;
    if (!json_check(body, &root, NULL, NULL) || root.type != J_OBJECT) return;
    to->done = to->content = true;
    gemini_usage(json_get(root, STR("usageMetadata")), &to->usage);
}
