/* responses_request: Responses requests, read and written (OpenAI OpenAPI 2.3.0; Codex 0.169, AI SDK 7).
 *
 * Items of one side in a row are one message. A stored conversation (previous_response_id) is with the
 * provider that made it: such a request is refused here, never answered without its past.
 * Tools in namespaces are flattened: "space__name". */
#include "chat/chat_int.h"

enum { LIMIT_MIN = 16 }; /* the smallest max_output_tokens that is taken */

/* ---- reading: parts ---- */

static void read_file(struct chat_part *p, jval v) {
    p->name = jt(json_get(v, STR("filename")));
    p->file = jt(json_get(v, STR("file_id")));
    p->url = jt(json_get(v, STR("file_url")));
    jval data = json_get(v, STR("file_data"));
    if (data.type != J_STRING) return;
    if (str_starts(data.raw, STR("data:")))
        chat_media_url(p, jt(data));
    else
        p->data = jt(data);
    if (jt_has(p->data) && !jt_has(p->mime)) p->mime = JT("application/pdf");
}

static void read_part(struct chat_request *r, struct chat_part **first, struct chat_part **last, jval v) {
    jval type = json_get(v, STR("type"));
    struct chat_part *p;
    if (json_is(type, STR("input_text")) || json_is(type, STR("output_text")) || json_is(type, STR("text"))) {
        chat_part_add(r->a, first, last, PART_TEXT)->text = jt(json_get(v, STR("text")));
    } else if (json_is(type, STR("refusal"))) {
        chat_part_add(r->a, first, last, PART_REFUSAL)->text = jt(json_get(v, STR("refusal")));
    } else if (json_is(type, STR("input_image"))) {
        p = chat_part_add(r->a, first, last, PART_IMAGE);
        chat_media_url(p, jt(json_get(v, STR("image_url"))));
        p->file = jt(json_get(v, STR("file_id")));
        p->detail = jt(json_get(v, STR("detail")));
    } else if (json_is(type, STR("input_file"))) {
        read_file(chat_part_add(r->a, first, last, PART_FILE), v);
    } else {
        chat_lose(&r->lost, true, "input.content." STR_FMT, STR_ARG(str_take(type.raw, 40)));
    }
}

static void read_content(struct chat_request *r, struct chat_part **first, struct chat_part **last, jval content) {
    jval v;
    if (content.type == J_STRING && content.raw.n) chat_part_add(r->a, first, last, PART_TEXT)->text = jt(content);
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &v);)
        read_part(r, first, last, v);
}

/* ---- reading: items ---- */

static struct chat_message *assistant(struct chat_request *r) {
    return r->last && r->last->role == CHAT_ASSISTANT ? r->last : chat_message_add(r, CHAT_ASSISTANT);
}

static jtext spaced(struct chat_request *r, jtext space, jtext name) {
    if (!jt_has(space)) return name;
    return (jtext){arena_printf(r->a, STR_FMT "__" STR_FMT, STR_ARG(space.raw), STR_ARG(name.raw))};
}

static void read_call(struct chat_request *r, jval v) {
    struct chat_part *p = chat_add(r, assistant(r), PART_CALL);
    p->id = jt(json_get(v, STR("call_id")));
    p->name = spaced(r, jt(json_get(v, STR("namespace"))), jt(json_get(v, STR("name"))));
    p->args = chat_args(r->a, jt(json_get(v, STR("arguments"))));
    for (struct chat_part *q = r->last->parts; q && q->next;
         q = q->next) /* Gemini's signature came as reasoning */
        if (q->type == PART_THINKING && q->next == p && jt_has(chat_signature_for(CHAT_GEMINI, q->signature)))
            p->signature = q->signature;
}

static void read_output(struct chat_request *r, jval v) {
    struct chat_part *p = chat_add(r, chat_message_add(r, CHAT_USER), PART_RESULT), *last = NULL;
    p->id = jt(json_get(v, STR("call_id")));
    read_content(r, &p->parts, &last, json_get(v, STR("output")));
}

static void read_reasoning(struct chat_request *r, jval v) {
    struct chat_part *p = chat_add(r, assistant(r), PART_THINKING);
    jval summary = json_get(v, STR("summary")), one;
    jiter it = json_iter(summary);
    if (summary.type == J_ARRAY && json_item(&it, &one)) p->text = jt(json_get(one, STR("text")));
    p->signature = jt(json_get(v, STR("encrypted_content")));
}

static bool read_message(struct chat_request *r, jval v, err *e) {
    jval role = json_get(v, STR("role"));
    enum chat_role as = json_is(role, STR("assistant"))                                   ? CHAT_ASSISTANT
                        : json_is(role, STR("system")) || json_is(role, STR("developer")) ? CHAT_SYSTEM
                                                                                          : CHAT_USER;
    if (as == CHAT_USER && !json_is(role, STR("user"))) return fail(e, "Each message needs a role.");
    struct chat_message *m = as == CHAT_ASSISTANT ? assistant(r) : chat_message_add(r, as);
    read_content(r, &m->parts, &m->last, json_get(v, STR("content")));
    return true;
}

static bool read_tools(struct chat_request *r, jval v, err *e);

static bool read_item(struct chat_request *r, jval v, err *e) {
    jval type = json_get(v, STR("type"));
    if (json_is(type, STR("function_call"))) {
        read_call(r, v);
    } else if (json_is(type, STR("function_call_output"))) {
        read_output(r, v);
    } else if (json_is(type, STR("reasoning"))) {
        read_reasoning(r, v);
    } else if (json_is(type, STR("item_reference"))) {
        return fail(
            e, "Stored items can be asked for at the provider that has them only; send the items themselves.");
    } else if (json_is(type, STR("additional_tools"))) {
        return read_tools(r, json_get(v, STR("tools")), e);
    } else if (type.type == J_NONE || json_is(type, STR("message"))) {
        return read_message(r, v, e);
    } else { /* what the provider's own tools did is told in the answer's text; others' calls are missed */
        bool own = str_ends(type.raw, STR("_search_call")) || json_is(type, STR("mcp_list_tools"));
        chat_lose(&r->lost, !own, "input." STR_FMT, STR_ARG(str_take(type.raw, 40)));
    }
    return true;
}

static bool read_input(struct chat_request *r, jval v, err *e) {
    jval item;
    if (v.type == J_STRING) {
        chat_add(r, chat_message_add(r, CHAT_USER), PART_TEXT)->text = jt(v);
        return true;
    }
    if (v.type != J_ARRAY) return fail(e, "'input' must be a string or an array.");
    for (jiter it = json_iter(v); json_item(&it, &item);)
        if (item.type != J_OBJECT || !read_item(r, item, e))
            return item.type == J_OBJECT ? false : fail(e, "Each item of 'input' must be an object.");
    return true;
}

static bool read_instructions(struct chat_request *r, jval v, err *e) {
    struct chat_message *rest = r->messages, *last = r->last;
    if (v.type != J_STRING) return fail(e, "'instructions' must be a string.");
    r->messages = r->last = NULL;
    struct chat_message *m = chat_message_add(r, CHAT_SYSTEM);
    chat_add(r, m, PART_TEXT)->text = jt(v);
    m->next = rest; /* it goes first, wherever the member stood */
    if (rest) r->last = last;
    return true;
}

/* ---- reading: tools ---- */

static bool read_function(struct chat_request *r, jval v, jtext space, err *e) {
    struct chat_tool *t = chat_tool_add(r, e);
    if (!t) return false;
    t->plain = jt(json_get(v, STR("name")));
    t->space = space;
    t->name = spaced(r, space, t->plain);
    t->description = jt(json_get(v, STR("description")));
    jval schema = json_get(v, STR("parameters")), strict = json_get(v, STR("strict"));
    if (schema.type == J_OBJECT) t->schema = schema.raw;
    if (jv_has(strict)) t->strict = json_true(strict);
    return jt_has(t->name) || fail(e, "Each function needs a name.");
}

static bool read_tools(struct chat_request *r, jval v, err *e) {
    jval t, in;
    if (v.type != J_ARRAY) return fail(e, "'tools' must be an array.");
    for (jiter it = json_iter(v); json_item(&it, &t);) {
        jval type = json_get(t, STR("type")), list = json_get(t, STR("tools"));
        if (json_is(type, STR("function"))) {
            if (!read_function(r, t, JT_NONE, e)) return false;
        } else if (json_is(type, STR("namespace"))) {
            for (jiter is = json_iter(list); list.type == J_ARRAY && json_item(&is, &in);)
                if (!read_function(r, in, jt(json_get(t, STR("name"))), e)) return false;
        } else {
            chat_lose(&r->lost, true, "tools." STR_FMT, STR_ARG(str_take(type.raw, 40)));
        }
    }
    return true;
}

static bool read_tool_choice(struct chat_request *r, jval v, err *e) {
    jval type = json_get(v, STR("type"));
    (void)e;
    if (json_is(v, STR("auto")))
        r->tool_choice = TOOLS_AUTO;
    else if (json_is(v, STR("none")))
        r->tool_choice = TOOLS_NEVER;
    else if (json_is(v, STR("required")))
        r->tool_choice = TOOLS_ANY;
    else if (json_is(type, STR("function")))
        r->tool_choice = TOOLS_NAMED;
    else
        chat_lose(&r->lost, true, "tool_choice");
    r->tool_name = jt(json_get(v, STR("name")));
    return true;
}

/* ---- reading: the other members ---- */

static bool read_stored(struct chat_request *r, jval v, err *e) {
    (void)r;
    (void)v;
    return fail(e,
                "The conversation it refers to is stored at another provider; send its items in 'input' instead.");
}

static bool read_limit(struct chat_request *r, jval v, err *e) {
    return (json_i64(v, &r->max_tokens) && r->max_tokens > 0) ||
           fail(e, "'max_output_tokens' must be a positive integer.");
}

static bool read_model(struct chat_request *r, jval v, err *e) {
    r->model = jt(v);
    return v.type == J_STRING || fail(e, "'model' must be a string.");
}

static bool read_stream(struct chat_request *r, jval v, err *e) {
    r->stream = json_true(v);
    return v.type == J_TRUE || v.type == J_FALSE || fail(e, "'stream' must be a boolean.");
}

static bool read_temperature(struct chat_request *r, jval v, err *e) {
    r->temperature = v.raw;
    return v.type == J_NUMBER || fail(e, "'temperature' must be a number.");
}

static bool read_top_p(struct chat_request *r, jval v, err *e) {
    r->top_p = v.raw;
    return v.type == J_NUMBER || fail(e, "'top_p' must be a number.");
}

static bool read_text(struct chat_request *r, jval v, err *e) {
    jval f = json_get(v, STR("format")), type = json_get(f, STR("type")), schema = json_get(f, STR("schema"));
    (void)e;
    if (jv_has(json_get(v, STR("verbosity")))) chat_lose(&r->lost, false, "text.verbosity");
    if (json_is(type, STR("json_object"))) r->format = FORMAT_JSON;
    if (!json_is(type, STR("json_schema")) || schema.type != J_OBJECT) return true;
    r->format = FORMAT_SCHEMA;
    r->schema = schema.raw;
    r->schema_name = jt(json_get(f, STR("name")));
    if (jv_has(json_get(f, STR("strict")))) r->schema_strict = json_true(json_get(f, STR("strict")));
    return true;
}

static bool read_effort(struct chat_request *r, jval v, err *e) {
    jval summary = json_get(v, STR("summary"));
    (void)e;
    r->effort = chat_effort_of(json_get(v, STR("effort")));
    r->show_thinking = jv_has(summary) || jv_has(json_get(v, STR("generate_summary")));
    return true;
}

static bool read_parallel(struct chat_request *r, jval v, err *e) {
    (void)e;
    r->parallel = json_true(v);
    return true;
}

static bool read_top_logprobs(struct chat_request *r, jval v, err *e) {
    r->logprobs = json_i64(v, &r->top_logprobs) && r->top_logprobs > 0;
    return v.type == J_NUMBER || fail(e, "'top_logprobs' must be an integer.");
}

static bool read_background(struct chat_request *r, jval v, err *e) {
    (void)e;
    if (json_true(v)) chat_lose(&r->lost, true, "background");
    return true;
}

static bool read_user(struct chat_request *r, jval v, err *e) {
    (void)e;
    r->user = jt(v);
    return true;
}

static bool read_tier(struct chat_request *r, jval v, err *e) {
    (void)e;
    if (json_is(v, STR("auto")) || json_is(v, STR("default")))
        chat_lose(&r->lost, false, "service_tier");
    else
        r->service_tier = jt(v);
    return true;
}

static const struct chat_member members[] = {
    {STR_INIT("model"), read_model},
    {STR_INIT("input"), read_input},
    {STR_INIT("instructions"), read_instructions},
    {STR_INIT("previous_response_id"), read_stored},
    {STR_INIT("conversation"), read_stored},
    {STR_INIT("stream"), read_stream},
    {STR_INIT("max_output_tokens"), read_limit},
    {STR_INIT("temperature"), read_temperature},
    {STR_INIT("top_p"), read_top_p},
    {STR_INIT("tools"), read_tools},
    {STR_INIT("tool_choice"), read_tool_choice},
    {STR_INIT("parallel_tool_calls"), read_parallel},
    {STR_INIT("text"), read_text},
    {STR_INIT("reasoning"), read_effort},
    {STR_INIT("top_logprobs"), read_top_logprobs},
    {STR_INIT("background"), read_background},
    {STR_INIT("user"), read_user},
    {STR_INIT("service_tier"), read_tier},
    {STR_INIT("include"), NULL},
    {STR_INIT("store"), NULL},
    {STR_INIT("metadata"), NULL},
    {STR_INIT("client_metadata"), NULL},
    {STR_INIT("prompt_cache_key"), NULL},
    {STR_INIT("prompt_cache_retention"), NULL},
    {STR_INIT("prompt_cache_options"), NULL},
    {STR_INIT("safety_identifier"), NULL},
    {STR_INIT("stream_options"), NULL},
    {STR_INIT("truncation"), NULL},
    {STR_INIT("max_tool_calls"), NULL}, /* counts the provider's own tools, which aren't there */
};

bool responses_read_request(struct chat_request *r, jval root, str *param, err *e) {
    r->include_usage = true;
    return chat_read_members(r, root, members, sizeof members / sizeof *members, param, e);
}

/* ---- writing: items ---- */

struct up {
    const struct chat_request *r;
    struct chat_account *acc;
    jw *w;
};

static void write_url(const struct chat_part *p, jw *w, const char *key) {
    jw_key(w, key);
    jw_raw(w, STR("\""));
    if (jt_has(p->data)) {
        buf_strz(w->b, "data:");
        buf_str(w->b, p->mime.raw);
        buf_strz(w->b, ";base64,");
    }
    buf_str(w->b, jt_has(p->data) ? p->data.raw : p->url.raw);
    buf_char(w->b, '"');
}

static void write_part(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    jw_object(w);
    switch (p->type) {
    case PART_TEXT:
    case PART_REFUSAL:
        jw_kstr(w, "type", STR("input_text"));
        jw_kjt(w, "text", p->text);
        break;
    case PART_IMAGE:
        jw_kstr(w, "type", STR("input_image"));
        if (jt_has(p->file))
            jw_kjt(w, "file_id", p->file);
        else
            write_url(p, w, "image_url");
        jw_kjt(w, "detail", jt_has(p->detail) ? p->detail : JT("auto")); /* required */
        break;
    case PART_FILE:
        jw_kstr(w, "type", STR("input_file"));
        if (jt_has(p->file)) {
            jw_kjt(w, "file_id", p->file);
        } else {
            if (jt_has(p->data)) jw_kjt(w, "filename", jt_has(p->name) ? p->name : JT("file.pdf"));
            write_url(p, w, jt_has(p->data) ? "file_data" : "file_url");
        }
        break;
    default:
        chat_lose(u->acc, true, p->type == PART_AUDIO ? "audio" : "video");
        jw_kstr(w, "type", STR("input_text"));
        jw_kstr(w, "text", STR(""));
    }
    jw_object_end(w);
    if (p->cache) chat_lose(u->acc, false, "cache_control");
}

static bool content_part(const struct chat_part *p) {
    return p->type != PART_CALL && p->type != PART_RESULT && p->type != PART_THINKING;
}

/* The easy form: one text is a string, an assistant's words always are. */
static void write_message(struct up *u, const struct chat_message *m, const struct chat_part *from,
                          const struct chat_part *to) {
    static const char *const roles[] = {"system", "user", "assistant"};
    jw *w = u->w;
    unsigned texts = 0, others = 0;
    for (const struct chat_part *p = from; p != to; p = p->next) {
        texts += p->type == PART_TEXT || p->type == PART_REFUSAL;
        others += content_part(p) && p->type != PART_TEXT && p->type != PART_REFUSAL;
    }
    if (!texts && !others) return;
    jw_object(w);
    jw_kstr(w, "role", str_from(roles[m->role]));
    jw_key(w, "content");
    if (m->role == CHAT_ASSISTANT || (texts == 1 && !others)) {
        jw_raw(w, STR("\""));
        for (const struct chat_part *p = from; p != to; p = p->next)
            if (p->type == PART_TEXT || p->type == PART_REFUSAL) buf_str(w->b, p->text.raw);
        buf_char(w->b, '"');
    } else {
        jw_array(w);
        for (const struct chat_part *p = from; p != to; p = p->next)
            if (content_part(p)) write_part(u, p);
        jw_array_end(w);
    }
    jw_object_end(w);
}

static void write_call(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    jw_object(w);
    jw_kstr(w, "type", STR("function_call"));
    jw_kjt(w, "call_id", chat_fit_id(u->r->a, p->id, 64, 0));
    jw_kjt(w, "name", p->name);
    jw_kstr(w, "arguments", p->args);
    jw_object_end(w);
}

static void write_result(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    bool media = false;
    for (const struct chat_part *in = p->parts; in; in = in->next) media |= in->type != PART_TEXT;
    jw_object(w);
    jw_kstr(w, "type", STR("function_call_output"));
    jw_kjt(w, "call_id", chat_fit_id(u->r->a, p->id, 64, 0));
    jw_key(w, "output");
    if (media) {
        jw_array(w);
        for (const struct chat_part *in = p->parts; in; in = in->next) write_part(u, in);
        jw_array_end(w);
    } else {
        jw_parts_text(w, p->parts);
    }
    jw_object_end(w);
    if (p->is_error) chat_lose(u->acc, false, "tool_result.is_error");
}

enum { SEAL_LENGTH = 4 }; /* digits of the id's length */

str responses_seal(arena *a, str id, str sealed) {
    static const char fill[] = "___";
    return arena_printf(a, "%04zu" STR_FMT "%.*s" STR_FMT, id.n, STR_ARG(id), (int)((4 - id.n % 4) % 4), fill,
                        STR_ARG(sealed));
}

bool responses_unseal(str seal, str *id, str *sealed) {
    uint64_t n;
    if (seal.n < SEAL_LENGTH || !str_u64(str_take(seal, SEAL_LENGTH), &n)) return false;
    str rest = str_skip(seal, SEAL_LENGTH);
    if (n + (4 - n % 4) % 4 > rest.n) return false;
    *id = str_take(rest, (size_t)n);
    *sealed = str_skip(rest, (size_t)(n + (4 - n % 4) % 4));
    return true;
}

static void write_reasoning(struct up *u, const struct chat_part *p) {
    jtext sign = chat_signature_for(CHAT_RESPONSES, p->signature);
    str id, sealed;
    jw *w = u->w;
    if (!responses_unseal(sign.raw, &id, &sealed)) {
        chat_lose(u->acc, false, "thinking");
        return;
    }
    jw_object(w);
    jw_kstr(w, "type", STR("reasoning"));
    jw_kjt(w, "id", (jtext){id});
    jw_karray(w, "summary");
    jw_array_end(w);
    jw_kjt(w, "encrypted_content", (jtext){sealed});
    jw_object_end(w);
}

/* A message's parts in order: stretches of content are message items, the rest items of their own. */
static void write_items(struct up *u, const struct chat_message *m) {
    const struct chat_part *from = m->parts;
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        if (content_part(p)) continue;
        write_message(u, m, from, p);
        if (p->type == PART_CALL)
            write_call(u, p);
        else if (p->type == PART_RESULT)
            write_result(u, p);
        else
            write_reasoning(u, p);
        from = p->next;
    }
    write_message(u, m, from, NULL);
}

/* ---- writing: the rest ---- */

static void write_tools(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    if (!r->tools) return;
    jw_karray(w, "tools");
    for (const struct chat_tool *t = r->tools; t; t = t->next) {
        jw_object(w);
        jw_kstr(w, "type", STR("function"));
        jw_kjt(w, "name", t->name);
        jw_kjt_if(w, "description", t->description);
        jw_key(w, "parameters");
        jw_raw(w, t->schema.n ? chat_schema(u->acc, t->schema) : STR("{\"type\":\"object\",\"properties\":{}}"));
        jw_kbool(w, "strict", t->strict == 1);
        jw_object_end(w);
        if (t->cache) chat_lose(u->acc, false, "cache_control");
    }
    jw_array_end(w);
    if (r->parallel >= 0) jw_kbool(w, "parallel_tool_calls", r->parallel);
    if (r->tool_choice == TOOLS_NAMED) {
        jw_kobject(w, "tool_choice");
        jw_kstr(w, "type", STR("function"));
        jw_kjt(w, "name", r->tool_name);
        jw_object_end(w);
    } else if (r->tool_choice != TOOLS_UNSAID) {
        jw_kstr(w, "tool_choice",
                r->tool_choice == TOOLS_AUTO    ? STR("auto")
                : r->tool_choice == TOOLS_NEVER ? STR("none")
                                                : STR("required"));
    }
}

static void write_format(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    if (r->format == FORMAT_TEXT) return;
    jw_kobject(w, "text");
    jw_kobject(w, "format");
    jw_kstr(w, "type", r->format == FORMAT_SCHEMA ? STR("json_schema") : STR("json_object"));
    if (r->format == FORMAT_SCHEMA) {
        jw_kjt(w, "name", jt_has(r->schema_name) ? r->schema_name : JT("answer"));
        jw_kraw_if(w, "schema", chat_schema(u->acc, r->schema));
        if (r->schema_strict >= 0) jw_kbool(w, "strict", r->schema_strict);
    }
    jw_object_end(w);
    jw_object_end(w);
}

/* What is encrypted is asked for, so that reasoning can come back with the next turn: nothing is stored. */
static void write_reasoning_wish(const struct chat_request *r, jw *w) {
    bool level = r->effort != EFFORT_UNSAID && r->effort != EFFORT_ADAPTIVE;
    if (level || r->show_thinking) {
        jw_kobject(w, "reasoning");
        if (level) jw_kstr(w, "effort", str_from(chat_effort_word(r->effort)));
        if (r->show_thinking) jw_kstr(w, "summary", STR("auto"));
        jw_object_end(w);
    }
    bool sealed = r->effort != EFFORT_UNSAID && r->effort != EFFORT_OFF;
    if (!sealed && !r->logprobs) return;
    jw_karray(w, "include");
    if (sealed) jw_string(w, STR("reasoning.encrypted_content"));
    if (r->logprobs) jw_string(w, STR("message.output_text.logprobs"));
    jw_array_end(w);
}

static void lose_foreign(struct up *u) {
    const struct chat_request *r = u->r;
    if (r->stops) chat_lose(u->acc, true, "stop");
    if (r->n > 1) chat_lose(u->acc, true, "n");
    if (r->seed.n) chat_lose(u->acc, true, "seed");
    chat_lose_top_k(r, u->acc);
    chat_lose_penalties(r, u->acc);
}

void responses_write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                             jw *w) {
    struct up u = {r, acc, w};
    jw_object(w);
    jw_kstr(w, "model", to->model);
    jw_karray(w, "input");
    for (const struct chat_message *m = r->messages; m; m = m->next) write_items(&u, m);
    jw_array_end(w);
    write_tools(&u);
    write_format(&u);
    jw_kraw_if(w, "temperature", r->temperature);
    jw_kraw_if(w, "top_p", r->top_p);
    if (r->logprobs) jw_ki64(w, "top_logprobs", r->top_logprobs);
    if (r->max_tokens && r->max_tokens < LIMIT_MIN) chat_lose(acc, false, "output limit below %d", LIMIT_MIN);
    if (r->max_tokens) jw_ki64(w, "max_output_tokens", r->max_tokens < LIMIT_MIN ? LIMIT_MIN : r->max_tokens);
    write_reasoning_wish(r, w);
    jw_kbool(w, "store", false);
    jw_kjt_if(w, "user", chat_user(r->a, r->user));
    jw_kjt_if(w, "service_tier", r->service_tier);
    if (r->stream) jw_kbool(w, "stream", true);
    lose_foreign(&u);
    jw_object_end(w);
}
