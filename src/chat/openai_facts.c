/* openai_facts: one walk over a request for what a decision is made from.
 *
 * Chat (messages), Responses (instructions, input items), completions (prompt), embeddings and
 * moderations (input), rerank (query, documents): the shapes differ by a level of nesting only, so one
 * walker takes them all. What is found goes to the walk (walk.h). */
#include "chat/openai.h"
#include "chat/walk.h"

/* ---- parts, messages, items ---- */

static void text_value(struct walk *w, enum walk_role role, jval v) {
    if (v.type == J_STRING) walk_text(w, role, v.raw, v.esc);
}

static void add_part(struct walk *w, enum walk_role role, jval part) {
    str key;
    bool esc;
    jval v;
    for (jiter it = json_iter(part); json_next(&it, &key, &esc, &v);) {
        if (json_key_eq(key, esc, STR("text")) || json_key_eq(key, esc, STR("refusal"))) {
            text_value(w, role, v);
        } else if (json_key_eq(key, esc, STR("type")) && v.type == J_STRING) {
            if (json_is(v, STR("image_url")) || json_is(v, STR("input_image"))) {
                w->f->vision = true;
                walk_count(&w->p->images);
            } else if (json_is(v, STR("input_audio"))) {
                w->f->audio = true;
            }
        }
    }
}

/* A string, or an array of parts. */
static void add_content(struct walk *w, enum walk_role role, jval content) {
    jval part;
    if (content.type == J_STRING) text_value(w, role, content);
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &part);) {
        if (part.type == J_STRING)
            text_value(w, role, part);
        else
            add_part(w, role, part);
    }
}

static enum walk_role role_of(jval v) {
    if (json_is(v, STR("assistant"))) return WALK_ASSISTANT;
    if (json_is(v, STR("system")) || json_is(v, STR("developer"))) return WALK_SYSTEM;
    if (json_is(v, STR("tool")) || json_is(v, STR("function"))) return WALK_TOOL;
    return WALK_USER;
}

/* A chat message, or an item of a Responses input (calls and reasoning have no role and no text). */
static void add_message(struct walk *w, jval message) {
    jval role = {0}, content = {0}, type = {0}, output = {0}, v;
    str key;
    bool esc;
    for (jiter it = json_iter(message); json_next(&it, &key, &esc, &v);) {
        if (json_key_eq(key, esc, STR("role")))
            role = v;
        else if (json_key_eq(key, esc, STR("content")))
            content = v;
        else if (json_key_eq(key, esc, STR("type")))
            type = v;
        else if (json_key_eq(key, esc, STR("output")))
            output = v;
    }
    if (role.type == J_STRING) {
        enum walk_role r = role_of(role);
        walk_message(w, r);
        add_content(w, r, content);
    } else if (type.type == J_STRING && str_ends(type.raw, STR("_output"))) {
        walk_message(w, WALK_TOOL);
        add_content(w, WALK_TOOL, output);
    } else if (type.type == J_STRING && (output.type != J_NONE || str_ends(type.raw, STR("_call")))) {
        w->p->agent_step = false;
    } else if (type.type == J_STRING && !json_is(type, STR("reasoning"))) {
        walk_message(w, WALK_USER); /* a bare part: moderations */
        add_part(w, WALK_USER, message);
    }
}

static void add_numbers(struct walk *w, str tokens) { /* an array of token numbers: one more than its commas */
    uint64_t n = 1;
    for (const char *p = tokens.p, *end = p + tokens.n; (p = memchr(p, ',', (size_t)(end - p))); p++) n++;
    w->tokens.tokens += n;
}

/* input, prompt, documents: a string, strings, token numbers, lists of those, items or parts. */
static void add_input(struct walk *w, jval input) {
    jval v;
    if (input.type == J_STRING) {
        walk_message(w, WALK_USER);
        text_value(w, WALK_USER, input);
        return;
    }
    for (jiter it = json_iter(input); input.type == J_ARRAY && json_item(&it, &v);) {
        if (v.type == J_NUMBER) {
            add_numbers(w, input.raw);
            return;
        }
        jval inner = {0};
        jiter in = json_iter(v);
        if (v.type == J_OBJECT) {
            if (json_get(v, STR("role")).type == J_NONE && json_get(v, STR("type")).type == J_NONE)
                add_part(w, WALK_USER, v);
            else
                add_message(w, v);
        } else if (v.type == J_STRING) {
            walk_message(w, WALK_USER);
            text_value(w, WALK_USER, v);
        } else if (v.type == J_ARRAY && json_item(&in, &inner) && inner.type == J_NUMBER) {
            add_numbers(w, v.raw);
        }
    }
}

/* ---- the members around them ---- */

static bool asks_schema(jval format) {
    jval type = json_get(format, STR("type"));
    return json_is(type, STR("json_schema")) || json_is(type, STR("json_object"));
}

static uint16_t count_items(jval array) {
    uint16_t n = 0;
    jval v;
    for (jiter it = json_iter(array); array.type == J_ARRAY && json_item(&it, &v);) walk_count(&n);
    return n;
}

static void add_limit(struct facts *f, jval v) {
    int64_t n;
    if (json_i64(v, &n) && n > 0 && n <= UINT32_MAX) f->output_tokens = (uint32_t)n;
}

enum member {
    M_MESSAGES,
    M_INPUT,
    M_SYSTEM,
    M_TOOLS,
    M_LIMIT,
    M_FORMAT,
    M_TEXT,
    M_STREAM,
};
static const struct {
    str name;
    enum member member;
} members[] = {
    {STR_INIT("messages"), M_MESSAGES},
    {STR_INIT("input"), M_INPUT},
    {STR_INIT("prompt"), M_INPUT},
    {STR_INIT("query"), M_INPUT},
    {STR_INIT("documents"), M_INPUT},
    {STR_INIT("instructions"), M_SYSTEM},
    {STR_INIT("tools"), M_TOOLS},
    {STR_INIT("functions"), M_TOOLS},
    {STR_INIT("max_tokens"), M_LIMIT},
    {STR_INIT("max_completion_tokens"), M_LIMIT},
    {STR_INIT("max_output_tokens"), M_LIMIT},
    {STR_INIT("response_format"), M_FORMAT},
    {STR_INIT("text"), M_TEXT},
    {STR_INIT("stream"), M_STREAM},
};

static void add_messages(struct walk *w, jval messages) {
    jval v;
    for (jiter it = json_iter(messages); messages.type == J_ARRAY && json_item(&it, &v);) add_message(w, v);
}

static void add_member(struct walk *w, enum member m, jval v) {
    struct facts *f = w->f;
    switch (m) {
    case M_MESSAGES: add_messages(w, v); break;
    case M_INPUT: add_input(w, v); break;
    case M_SYSTEM: add_content(w, WALK_SYSTEM, v); break;
    case M_TOOLS: f->tool_count = (uint16_t)(f->tool_count + count_items(v)); break;
    case M_LIMIT: add_limit(f, v); break;
    case M_FORMAT: f->schema |= asks_schema(v); break;
    case M_TEXT: f->schema |= asks_schema(json_get(v, STR("format"))); break;
    case M_STREAM: f->stream = json_true(v); break;
    }
}

void openai_facts(const jscan *s, str body, struct facts *f, struct prompt *p) {
    struct walk w;
    walk_begin(&w, f, p);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        jval v = json_find(s, body, members[i].name);
        if (v.type != J_NONE) add_member(&w, members[i].member, v);
    }
    walk_end(&w);
}
