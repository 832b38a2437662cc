/* anthropic_request: Messages requests, read and written (API versions 2023-06-01 and 2026-10-21; types of
 * @anthropic-ai/sdk 1.12). */
#include "chat/chat_int.h"

/* ---- reading: blocks ---- */

static uint8_t cache_mark(jval block) {
    jval mark = json_get(block, STR("cache_control"));
    if (mark.type != J_OBJECT) return CACHE_MARK_NONE;
    return json_is(json_get(mark, STR("ttl")), STR("1h")) ? CACHE_MARK_1H : CACHE_MARK_5M;
}

static void read_source(struct chat_part *p, jval source) {
    jval type = json_get(source, STR("type"));
    p->mime = chat_mime(jt(json_get(source, STR("media_type"))));
    if (json_is(type, STR("base64")))
        p->data = jt(json_get(source, STR("data")));
    else if (json_is(type, STR("url")))
        p->url = jt(json_get(source, STR("url")));
    else if (json_is(type, STR("file")))
        p->file = jt(json_get(source, STR("file_id")));
    else if (json_is(type, STR("text")))
        p->text = jt(json_get(source, STR("data")));
}

struct parts {
    struct chat_part **first, **last;
};

static struct chat_part *add(struct chat_request *r, struct parts to, enum chat_part_type type) {
    return chat_part_add(r->a, to.first, to.last, type);
}

static void read_blocks(struct chat_request *r, struct parts to, jval content, unsigned depth);

static void read_result(struct chat_request *r, struct chat_part *p, jval block, unsigned depth) {
    struct chat_part *last = NULL;
    p->id = jt(json_get(block, STR("tool_use_id")));
    p->is_error = json_true(json_get(block, STR("is_error")));
    if (depth == 0) read_blocks(r, (struct parts){&p->parts, &last}, json_get(block, STR("content")), depth + 1);
}

static void read_document(struct chat_part *p, jval block) {
    read_source(p, json_get(block, STR("source")));
    p->name = jt(json_get(block, STR("title")));
    if (jt_has(p->text)) p->type = PART_TEXT; /* a plain text document is text everywhere */
}

static void read_block(struct chat_request *r, struct parts to, jval block, unsigned depth) {
    jval type = json_get(block, STR("type"));
    struct chat_part *p = NULL;
    if (json_is(type, STR("text"))) {
        p = add(r, to, PART_TEXT);
        p->text = jt(json_get(block, STR("text")));
    } else if (json_is(type, STR("image"))) {
        p = add(r, to, PART_IMAGE);
        read_source(p, json_get(block, STR("source")));
    } else if (json_is(type, STR("document"))) {
        jval source = json_get(block, STR("source"));
        if (json_true(json_path(block, "citations", "enabled", NULL))) chat_lose(&r->lost, false, "citations");
        if (jv_has(json_get(block, STR("context")))) chat_lose(&r->lost, true, "document.context");
        if (json_is(json_get(source, STR("type")), STR("content"))) { /* blocks of its own */
            if (depth < 2) read_blocks(r, to, json_get(source, STR("content")), depth + 1);
            return;
        }
        p = add(r, to, PART_FILE);
        read_document(p, block);
    } else if (json_is(type, STR("tool_use"))) {
        p = add(r, to, PART_CALL);
        p->id = jt(json_get(block, STR("id")));
        p->name = jt(json_get(block, STR("name")));
        jval input = json_get(block, STR("input"));
        p->args = input.type == J_OBJECT ? input.raw : STR("{}");
    } else if (json_is(type, STR("tool_result"))) {
        p = add(r, to, PART_RESULT);
        read_result(r, p, block, depth);
    } else if (json_is(type, STR("thinking"))) {
        p = add(r, to, PART_THINKING);
        p->text = jt(json_get(block, STR("thinking")));
        p->signature = jt(json_get(block, STR("signature")));
    } else if (json_is(type, STR("redacted_thinking"))) {
        p = add(r, to, PART_THINKING);
        p->redacted = true;
        p->text = jt(json_get(block, STR("data")));
    } else { /* what the provider's own tools did is told in the answer's text */
        bool own = json_is(type, STR("server_tool_use")) || str_ends(type.raw, STR("_tool_result"));
        chat_lose(&r->lost, !own, "messages.content." STR_FMT, STR_ARG(str_take(type.raw, 40)));
    }
    if (p) p->cache = cache_mark(block);
}

static void read_blocks(struct chat_request *r, struct parts to, jval content, unsigned depth) {
    jval block;
    if (content.type == J_STRING && content.raw.n) add(r, to, PART_TEXT)->text = jt(content);
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &block);) {
        if (block.type == J_OBJECT) read_block(r, to, block, depth);
    }
}

/* Gemini's thought signatures travel in a thinking block before the call: they belong to the call. */
static void move_signatures(struct chat_message *m) {
    for (struct chat_part *p = m->parts; p && p->next; p = p->next)
        if (p->type == PART_THINKING && p->next->type == PART_CALL &&
            jt_has(chat_signature_for(CHAT_GEMINI, p->signature)))
            p->next->signature = p->signature;
}

static bool read_message(struct chat_request *r, jval v, err *e) {
    jval role = json_get(v, STR("role"));
    enum chat_role as = json_is(role, STR("assistant")) ? CHAT_ASSISTANT
                        : json_is(role, STR("system"))  ? CHAT_SYSTEM
                                                        : CHAT_USER;
    if (as == CHAT_USER && !json_is(role, STR("user")))
        return fail(e, "Each message needs a role: user or assistant.");
    struct chat_message *m = chat_message_add(r, as);
    read_blocks(r, (struct parts){&m->parts, &m->last}, json_get(v, STR("content")), 0);
    move_signatures(m);
    return true;
}

static bool read_messages(struct chat_request *r, jval v, err *e) {
    jval m;
    if (v.type != J_ARRAY) return fail(e, "'messages' must be an array.");
    for (jiter it = json_iter(v); json_item(&it, &m);)
        if (!read_message(r, m, e)) return false;
    return true;
}

/* ---- reading: members ---- */

static bool read_system(struct chat_request *r, jval v, err *e) {
    struct chat_message *m = chat_message_add(r, CHAT_SYSTEM), *rest = r->messages;
    read_blocks(r, (struct parts){&m->parts, &m->last}, v, 0);
    if (rest != m) { /* it goes before the messages, wherever the member stood */
        struct chat_message *before = rest;
        while (before->next != m) before = before->next;
        before->next = NULL;
        r->last = before;
        m->next = rest;
        r->messages = m;
    }
    return v.type == J_STRING || v.type == J_ARRAY || fail(e, "'system' must be a string or an array.");
}

static bool read_tool(struct chat_request *r, jval v, err *e) {
    jval type = json_get(v, STR("type")), schema = json_get(v, STR("input_schema")),
         strict = json_get(v, STR("strict"));
    if (jv_has(type) && !json_is(type, STR("custom"))) {
        chat_lose(&r->lost, true, "tools." STR_FMT, STR_ARG(str_take(type.raw, 40)));
        return true;
    }
    struct chat_tool *t = chat_tool_add(r, e);
    if (!t) return false;
    t->name = jt(json_get(v, STR("name")));
    t->description = jt(json_get(v, STR("description")));
    if (schema.type == J_OBJECT) t->schema = schema.raw;
    if (jv_has(strict)) t->strict = json_true(strict);
    t->cache = cache_mark(v);
    return jt_has(t->name) || fail(e, "Each tool needs a name.");
}

static bool read_tools(struct chat_request *r, jval v, err *e) {
    jval t;
    if (v.type != J_ARRAY) return fail(e, "'tools' must be an array.");
    for (jiter it = json_iter(v); json_item(&it, &t);)
        if (!read_tool(r, t, e)) return false;
    return true;
}

static bool read_tool_choice(struct chat_request *r, jval v, err *e) {
    jval type = json_get(v, STR("type")), serial = json_get(v, STR("disable_parallel_tool_use"));
    if (jv_has(serial)) r->parallel = !json_true(serial);
    if (json_is(type, STR("auto")))
        r->tool_choice = TOOLS_AUTO;
    else if (json_is(type, STR("any")))
        r->tool_choice = TOOLS_ANY;
    else if (json_is(type, STR("none")))
        r->tool_choice = TOOLS_NEVER;
    else if (json_is(type, STR("tool")))
        r->tool_choice = TOOLS_NAMED;
    else
        return fail(e, "'tool_choice.type' must be auto, any, tool or none.");
    r->tool_name = jt(json_get(v, STR("name")));
    return true;
}

static bool read_thinking(struct chat_request *r, jval v, err *e) {
    jval type = json_get(v, STR("type"));
    (void)e;
    if (json_is(type, STR("disabled"))) {
        r->effort = EFFORT_OFF;
        return true;
    }
    r->show_thinking = !json_is(json_get(v, STR("display")), STR("omitted"));
    if (json_i64(json_get(v, STR("budget_tokens")), &r->budget) && r->budget > 0)
        r->effort = chat_budget_effort(r->budget);
    else if (r->effort == EFFORT_UNSAID)
        r->effort = EFFORT_ADAPTIVE;
    return true;
}

static void read_format(struct chat_request *r, jval f) {
    jval schema = json_get(f, STR("schema"));
    if (!json_is(json_get(f, STR("type")), STR("json_schema")) || schema.type != J_OBJECT) return;
    r->format = FORMAT_SCHEMA;
    r->schema = schema.raw;
    r->schema_name = jt(json_get(f, STR("name")));
}

static bool read_output_format(struct chat_request *r, jval v, err *e) {
    (void)e;
    read_format(r, v);
    return true;
}

static bool read_output_config(struct chat_request *r, jval v, err *e) {
    uint8_t effort = chat_effort_of(json_get(v, STR("effort")));
    (void)e;
    read_format(r, json_get(v, STR("format")));
    if (effort != EFFORT_UNSAID && r->effort != EFFORT_OFF) r->effort = effort;
    if (jv_has(json_get(v, STR("task_budget")))) chat_lose(&r->lost, false, "output_config.task_budget");
    return true;
}

static bool read_metadata(struct chat_request *r, jval v, err *e) {
    (void)e;
    chat_lose(&r->lost, false, "metadata");
    r->user = jt(json_get(v, STR("user_id")));
    return true;
}

static bool read_stops(struct chat_request *r, jval v, err *e) {
    jval s;
    if (v.type != J_ARRAY) return fail(e, "'stop_sequences' must be an array.");
    for (jiter it = json_iter(v); json_item(&it, &s);)
        if (s.type == J_STRING) chat_stop_add(r, jt(s));
    return true;
}

static bool read_limit(struct chat_request *r, jval v, err *e) {
    return (json_i64(v, &r->max_tokens) && r->max_tokens > 0) ||
           fail(e, "'max_tokens' must be a positive integer.");
}

static bool read_model(struct chat_request *r, jval v, err *e) {
    r->model = jt(v);
    return v.type == J_STRING || fail(e, "'model' must be a string.");
}

static bool read_stream(struct chat_request *r, jval v, err *e) {
    r->stream = json_true(v);
    return v.type == J_TRUE || v.type == J_FALSE || fail(e, "'stream' must be a boolean.");
}

#define NUMBER(field)                                                                                             \
    static bool read_##field(struct chat_request *r, jval v, err *e) {                                            \
        if (v.raw.n && v.raw.p[0] != '-') r->field = v.raw; /* LangChain says -1 for unsaid */                    \
        return v.type == J_NUMBER || fail(e, "'" #field "' must be a number.");                                   \
    }
NUMBER(temperature)
NUMBER(top_p)
NUMBER(top_k)

static const struct chat_member members[] = {
    {STR_INIT("model"), read_model},
    {STR_INIT("messages"), read_messages},
    {STR_INIT("system"), read_system},
    {STR_INIT("max_tokens"), read_limit},
    {STR_INIT("stream"), read_stream},
    {STR_INIT("temperature"), read_temperature},
    {STR_INIT("top_p"), read_top_p},
    {STR_INIT("top_k"), read_top_k},
    {STR_INIT("stop_sequences"), read_stops},
    {STR_INIT("tools"), read_tools},
    {STR_INIT("tool_choice"), read_tool_choice},
    {STR_INIT("thinking"), read_thinking},
    {STR_INIT("output_config"), read_output_config},
    {STR_INIT("output_format"), read_output_format},
    {STR_INIT("metadata"), read_metadata},
    {STR_INIT("service_tier"), NULL}, /* auto or standard_only: neither changes the answer */
    {STR_INIT("cache_control"), NULL},
    {STR_INIT("context_management"), NULL},
    {STR_INIT("betas"), NULL},
    {STR_INIT("inference_geo"), NULL},
    {STR_INIT("diagnostics"), NULL},
};

bool anthropic_read_request(struct chat_request *r, jval root, str *param, err *e) {
    r->include_usage = true; /* this dialect's streams always tell it */
    return chat_read_members(r, root, members, sizeof members / sizeof *members, param, e);
}

/* ---- writing: blocks ---- */

struct up {
    const struct chat_request *r;
    struct chat_account *acc;
    jw *w;
};

static void block_begin(jw *w, const char *type) {
    jw_object(w);
    jw_kstr(w, "type", str_from(type));
}

static void write_cache(jw *w, uint8_t cache) {
    if (!cache) return;
    jw_kobject(w, "cache_control");
    jw_kstr(w, "type", STR("ephemeral"));
    if (cache == CACHE_MARK_1H) jw_kstr(w, "ttl", STR("1h"));
    jw_object_end(w);
}

static void block_end(jw *w, uint8_t cache) {
    write_cache(w, cache);
    jw_object_end(w);
}

static bool media_known(const struct chat_part *p) {
    static const char *const images[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
    if (!jt_has(p->data) || !jt_has(p->mime)) return true;
    if (p->type == PART_FILE) return str_eqz(p->mime.raw, "application/pdf");
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        if (str_eqz(p->mime.raw, images[i])) return true;
    return false;
}

static void write_media(struct up *u, const struct chat_part *p, const char *type) {
    jw *w = u->w;
    if (!media_known(p)) {
        chat_lose(u->acc, true, "%s of type " STR_FMT, type, STR_ARG(str_take(p->mime.raw, 80)));
        return;
    }
    block_begin(w, type);
    jw_kobject(w, "source");
    if (jt_has(p->data)) {
        jw_kstr(w, "type", STR("base64"));
        jw_kjt(w, "media_type", jt_has(p->mime) ? p->mime : JT("image/png"));
        jw_kjt(w, "data", p->data);
    } else if (jt_has(p->url)) {
        jw_kstr(w, "type", STR("url"));
        jw_kjt(w, "url", p->url);
    } else {
        jw_kstr(w, "type", STR("file"));
        jw_kjt(w, "file_id", p->file);
    }
    jw_object_end(w);
    if (p->type == PART_FILE) jw_kjt_if(w, "title", p->name);
    block_end(w, p->cache);
}

static void write_text(jw *w, const struct chat_part *p) {
    if (!jt_has(p->text)) return; /* empty text blocks are refused */
    block_begin(w, "text");
    jw_kjt(w, "text", p->text);
    block_end(w, p->cache);
}

static jtext call_id(struct up *u, jtext id) { return chat_fit_id(u->r->a, id, 64, 0); }

static void write_part(struct up *u, const struct chat_part *p);

static void write_result(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    block_begin(w, "tool_result");
    jw_kjt(w, "tool_use_id", call_id(u, p->id));
    if (p->parts) {
        jw_karray(w, "content");
        for (const struct chat_part *in = p->parts; in; in = in->next) write_part(u, in);
        jw_array_end(w);
    }
    if (p->is_error) jw_kbool(w, "is_error", true);
    block_end(w, p->cache);
}

static void write_call(struct up *u, const struct chat_part *p) {
    block_begin(u->w, "tool_use");
    jw_kjt(u->w, "id", call_id(u, p->id));
    jw_kjt(u->w, "name", p->name);
    jw_key(u->w, "input");
    jw_raw(u->w, p->args);
    block_end(u->w, p->cache);
}

/* Only what Anthropic signed may come back to it. */
static void write_thinking(struct up *u, const struct chat_part *p) {
    jtext sign = chat_signature_for(CHAT_ANTHROPIC, p->redacted ? p->text : p->signature);
    if (!jt_has(sign)) {
        chat_lose(u->acc, false, "thinking");
        return;
    }
    block_begin(u->w, p->redacted ? "redacted_thinking" : "thinking");
    if (!p->redacted) jw_kjt(u->w, "thinking", p->text);
    jw_kjt(u->w, p->redacted ? "data" : "signature", sign);
    jw_object_end(u->w);
}

static void write_part(struct up *u, const struct chat_part *p) {
    switch (p->type) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(u->w, p); break;
    case PART_IMAGE: write_media(u, p, "image"); break;
    case PART_FILE: write_media(u, p, "document"); break;
    case PART_CALL: write_call(u, p); break;
    case PART_RESULT: write_result(u, p); break;
    case PART_THINKING: write_thinking(u, p); break;
    default: chat_lose(u->acc, true, p->type == PART_AUDIO ? "audio" : "video");
    }
}

/* ---- writing: messages ---- */

/* One turn: messages of the same side in a row, as the API wants them alternate. One that says nothing is refused.
 */
static const struct chat_message *write_turn(struct up *u, const struct chat_message *m) {
    uint8_t role = m->role;
    jw *w = u->w;
    const struct chat_message *end = chat_turn_end(m);
    if (!chat_turn_says(m, end, CHAT_ANTHROPIC)) {
        chat_lose(u->acc, false, "empty message");
        return end;
    }
    jw_object(w);
    jw_kstr(w, "role", role == CHAT_ASSISTANT ? STR("assistant") : STR("user"));
    jw_karray(w, "content");
    for (; m != end; m = m->next)
        for (const struct chat_part *p = m->role == CHAT_SYSTEM ? NULL : m->parts; p; p = p->next)
            write_part(u, p);
    jw_array_end(w);
    jw_object_end(w);
    return m;
}

static void write_messages(struct up *u) {
    const struct chat_message *m = u->r->messages;
    jw *w = u->w;
    bool first = true;
    jw_karray(w, "messages");
    while (m) {
        if (m->role == CHAT_SYSTEM) {
            m = m->next;
            continue;
        }
        if (first && m->role == CHAT_ASSISTANT) { /* the first turn must be the user's */
            jw_raw(w, STR("{\"role\":\"user\",\"content\":\"(The conversation begins with your words.)\"}"));
            chat_lose(u->acc, false, "first assistant message");
        }
        first = false;
        m = write_turn(u, m);
    }
    jw_array_end(w);
}

static void write_system(struct up *u) {
    bool any = false, talk = false;
    for (const struct chat_message *m = u->r->messages; m; m = m->next) {
        talk |= m->role != CHAT_SYSTEM;
        if (m->role != CHAT_SYSTEM || !m->parts) continue;
        if (talk) chat_lose(u->acc, false, "position of a system message");
        if (!any) jw_karray(u->w, "system");
        any = true;
        for (const struct chat_part *p = m->parts; p; p = p->next)
            if (p->type == PART_TEXT) write_text(u->w, p);
    }
    if (u->r->format == FORMAT_JSON) {
        if (!any) jw_karray(u->w, "system");
        any = true;
        jw_raw(u->w, STR("{\"type\":\"text\",\"text\":\"" CHAT_JSON_ORDER "\"}"));
    }
    if (any) jw_array_end(u->w);
}

/* ---- writing: the rest ---- */

static void write_tools(struct up *u) {
    jw *w = u->w;
    if (!u->r->tools) return;
    jw_karray(w, "tools");
    for (const struct chat_tool *t = u->r->tools; t; t = t->next) {
        jw_object(w);
        jw_kjt(w, "name", t->name);
        jw_kjt_if(w, "description", t->description);
        jw_key(w, "input_schema");
        bool typed = t->schema.n &&
                     json_get(json_value_at(t->schema.p, t->schema.p + t->schema.n), STR("type")).type == J_STRING;
        jw_raw(w, typed ? chat_schema(u->acc, t->schema) : STR("{\"type\":\"object\",\"properties\":{}}"));
        if (t->strict == 1) jw_kbool(w, "strict", true);
        write_cache(w, t->cache);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_tool_choice(struct up *u) {
    const struct chat_request *r = u->r;
    static const char *const words[] = {"auto", "auto", "none", "any", "tool"};
    if (!r->tools || (r->tool_choice == TOOLS_UNSAID && r->parallel != 0)) return;
    jw_kobject(u->w, "tool_choice");
    jw_kstr(u->w, "type", str_from(words[r->tool_choice]));
    if (r->tool_choice == TOOLS_NAMED) jw_kjt(u->w, "name", r->tool_name);
    if (r->parallel == 0 && r->tool_choice != TOOLS_NEVER) jw_kbool(u->w, "disable_parallel_tool_use", true);
    jw_object_end(u->w);
}

/* claude-<family>-<major>[-<minor>]: from 4.6 on thinking is adaptive and steered by effort. */
static bool adaptive(str model) {
    for (size_t i = 0; i + 2 < model.n; i++) {
        if (model.p[i] != '-' || model.p[i + 1] < '0' || model.p[i + 1] > '9') continue;
        int major = model.p[i + 1] - '0', minor = 0;
        if (model.p[i + 2] >= '0' && model.p[i + 2] <= '9') continue; /* a date */
        if (i + 3 < model.n && model.p[i + 2] == '-' && (i + 4 >= model.n || model.p[i + 4] == '-'))
            minor = model.p[i + 3] - '0';
        return major > 4 || (major == 4 && minor >= 6);
    }
    return str_ends(model, STR("-5")) || str_ends(model, STR("-6"));
}

/* What thinking allows beside it: no forced tool, no temperature. */
static bool thinks(const struct chat_request *r) {
    return r->effort > EFFORT_OFF && r->tool_choice != TOOLS_ANY && r->tool_choice != TOOLS_NAMED;
}

static int64_t output_limit(const struct chat_request *r, const struct chat_target *to) {
    if (r->max_tokens) return r->max_tokens;
    const struct model_info *m = catalog_model(STR("anthropic"), to->model);
    return m && m->max_output ? m->max_output : 8192;
}

static void write_thinking_config(struct up *u, const struct chat_target *to, int64_t limit) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    bool steer = adaptive(to->model), thinking = thinks(r), schema = r->format == FORMAT_SCHEMA;
    if (r->effort > EFFORT_OFF && !thinking) chat_lose(u->acc, false, "thinking (a tool is forced)");
    int64_t budget = r->budget ? r->budget : chat_effort_budget(r->effort);
    if (thinking && !steer && limit <= 1024) {
        chat_lose(u->acc, false, "thinking (the output limit is too small)");
        thinking = false;
    }
    if (budget >= limit) budget = limit - 1 > 1024 ? limit / 2 + 512 : 1024;
    if (budget < 1024) budget = 1024;
    if (thinking) {
        jw_kobject(w, "thinking");
        jw_kstr(w, "type", steer ? STR("adaptive") : STR("enabled"));
        if (!steer) jw_ki64(w, "budget_tokens", budget);
        if (steer && r->show_thinking) jw_kstr(w, "display", STR("summarized"));
        jw_object_end(w);
    }
    bool effort = thinking && steer && r->effort != EFFORT_ADAPTIVE;
    if (!effort && !schema) return;
    jw_kobject(w, "output_config");
    if (effort)
        jw_kstr(w, "effort",
                r->effort == EFFORT_MAX       ? STR("max")
                : r->effort == EFFORT_MINIMAL ? STR("low")
                                              : str_from(chat_effort_word(r->effort)));
    if (schema) {
        jw_kobject(w, "format");
        jw_kstr(w, "type", STR("json_schema"));
        jw_kraw_if(w, "schema", chat_schema(u->acc, r->schema));
        jw_object_end(w);
    }
    jw_object_end(w);
}

/* Newer models take temperature or top_p, not both, and beside thinking only top_p from 0.95 on: of two
 * that are there the one goes that says less (a temperature of 1 is the default). */
static void write_sampling(struct up *u) {
    const struct chat_request *r = u->r;
    bool thinking = thinks(r), wide = chat_above(r->top_p, 0.9499);
    bool one = r->temperature.n && !chat_above(r->temperature, 1) && chat_above(r->temperature, 0.9999);
    bool temperature = r->temperature.n && !thinking && !chat_above(r->temperature, 1) && !(one && r->top_p.n);
    bool top_p = r->top_p.n && !temperature && (wide || !thinking);
    if (temperature)
        jw_kraw_if(u->w, "temperature", r->temperature);
    else if (r->temperature.n)
        chat_lose(u->acc, !one, "temperature");
    if (top_p)
        jw_kraw_if(u->w, "top_p", r->top_p);
    else if (r->top_p.n)
        chat_lose(u->acc, !wide, "top_p");
    if (thinking)
        chat_lose_top_k(r, u->acc);
    else
        jw_kraw_if(u->w, "top_k", r->top_k);
}

static void lose_foreign(struct up *u) {
    const struct chat_request *r = u->r;
    if (r->n > 1) chat_lose(u->acc, true, "n");
    if (r->seed.n) chat_lose(u->acc, true, "seed");
    if (r->logprobs) chat_lose(u->acc, true, "logprobs");
    if (r->format == FORMAT_JSON) chat_lose(u->acc, false, "response_format (asked for in words)");
    chat_lose_penalties(r, u->acc);
    if (jt_has(r->service_tier)) chat_lose(u->acc, true, "service_tier");
}

void anthropic_write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                             jw *w) {
    struct up u = {r, acc, w};
    int64_t limit = output_limit(r, to);
    jw_object(w);
    if (str_eqz(to->kind, "vertex")) /* the model stands in the path */
        jw_kstr(w, "anthropic_version", STR("vertex-2023-10-16"));
    else
        jw_kstr(w, "model", to->model);
    jw_ki64(w, "max_tokens", limit);
    write_system(&u);
    write_messages(&u);
    write_tools(&u);
    write_tool_choice(&u);
    write_thinking_config(&u, to, limit);
    write_sampling(&u);
    if (r->stops) {
        jw_karray(w, "stop_sequences");
        for (const struct chat_strings *s = r->stops; s; s = s->next) jw_jt(w, s->text);
        jw_array_end(w);
    }
    if (jt_has(r->user)) {
        jw_kobject(w, "metadata");
        jw_kjt(w, "user_id", r->user);
        jw_object_end(w);
    }
    if (r->stream) jw_kbool(w, "stream", true);
    lose_foreign(&u);
    jw_object_end(w);
}
