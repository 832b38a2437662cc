/* openai_chat_request: Chat Completions requests, read and written (OpenAI OpenAPI 2.3.0, and what
 * compatible providers add: reasoning fields, cache marks, top_k).
 *
 * The legacy forms (functions, function_call, role function) are read into the new ones: their calls
 * have no id, so the tool's name stands for it. */
#include "chat/chat_int.h"

/* ---- reading: parts ---- */

static uint8_t cache_mark(jval holder) {
    jval mark = json_get(holder, STR("cache_control"));
    if (mark.type != J_OBJECT) return CACHE_MARK_NONE;
    return json_is(json_get(mark, STR("ttl")), STR("1h")) ? CACHE_MARK_1H : CACHE_MARK_5M;
}

static void read_file(struct chat_part *p, jval file) {
    p->name = jt(json_get(file, STR("filename")));
    p->file = jt(json_get(file, STR("file_id")));
    jtext data = jt(json_get(file, STR("file_data")));
    if (str_starts(data.raw, STR("data:")))
        chat_media_url(p, data);
    else
        p->data = data;
    if (jt_has(p->data) && !jt_has(p->mime)) p->mime = JT("application/pdf");
}

static void read_audio(struct chat_request *r, struct chat_part *p, jval audio) {
    p->data = jt(json_get(audio, STR("data")));
    jtext format = jt(json_get(audio, STR("format")));
    p->mime = jt_is(format, STR("mp3")) ? JT("audio/mpeg")
                                        : (jtext){arena_printf(r->a, "audio/" STR_FMT, STR_ARG(format.raw))};
}

static void read_part(struct chat_request *r, struct chat_message *m, struct chat_part **first,
                      struct chat_part **last, jval v) {
    jval type = json_get(v, STR("type"));
    struct chat_part *p = NULL;
    if (v.type == J_STRING) {
        chat_part_add(r->a, first, last, PART_TEXT)->text = jt(v);
        return;
    }
    if (json_is(type, STR("text"))) {
        p = chat_part_add(r->a, first, last, PART_TEXT);
        p->text = jt(json_get(v, STR("text")));
    } else if (json_is(type, STR("refusal"))) {
        p = chat_part_add(r->a, first, last, PART_REFUSAL);
        p->text = jt(json_get(v, STR("refusal")));
    } else if (json_is(type, STR("image_url"))) {
        jval image = json_get(v, STR("image_url"));
        p = chat_part_add(r->a, first, last, PART_IMAGE);
        chat_media_url(p, jt(image.type == J_STRING ? image : json_get(image, STR("url"))));
        p->detail = jt(json_get(image, STR("detail")));
    } else if (json_is(type, STR("input_audio"))) {
        p = chat_part_add(r->a, first, last, PART_AUDIO);
        read_audio(r, p, json_get(v, STR("input_audio")));
    } else if (json_is(type, STR("video_url"))) {
        p = chat_part_add(r->a, first, last, PART_VIDEO);
        chat_media_url(p, jt(json_path(v, "video_url", "url", NULL)));
    } else if (json_is(type, STR("file"))) {
        p = chat_part_add(r->a, first, last, PART_FILE);
        read_file(p, json_get(v, STR("file")));
    } else if (json_is(type, STR("document_url"))) { /* Mistral */
        p = chat_part_add(r->a, first, last, PART_FILE);
        chat_media_url(p, jt(json_get(v, STR("document_url"))));
        p->name = jt(json_get(v, STR("document_name")));
    } else { /* Mistral's thinking is a part of an assistant's content */
        bool thought = m->role == CHAT_ASSISTANT && json_is(type, STR("thinking"));
        chat_lose(&r->lost, !thought, "messages.content." STR_FMT, STR_ARG(str_take(type.raw, 40)));
    }
    if (p) p->cache = cache_mark(v);
}

static void read_content(struct chat_request *r, struct chat_message *m, struct chat_part **first,
                         struct chat_part **last, jval content) {
    jval v;
    if (content.type == J_STRING) {
        if (content.raw.n) chat_part_add(r->a, first, last, PART_TEXT)->text = jt(content);
        return;
    }
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &v);)
        read_part(r, m, first, last, v);
}

/* ---- reading: messages ---- */

static void read_call(struct chat_request *r, struct chat_message *m, jval call, jval function) {
    struct chat_part *p = chat_add(r, m, PART_CALL);
    p->id = jt(json_get(call, STR("id")));
    p->name = jt(json_get(function, STR("name")));
    if (!jt_has(p->id)) p->id = p->name;
    p->args = chat_args(r->a, jt(json_get(function, STR("arguments"))));
    p->signature = jt(json_path(call, "extra_content", "google", "thought_signature", NULL));
}

static void read_assistant(struct chat_request *r, struct chat_message *m, jval v) {
    jval call, calls = json_get(v, STR("tool_calls")), legacy = json_get(v, STR("function_call"));
    jval thought = json_get(v, STR("reasoning_content")), refusal = json_get(v, STR("refusal")), detail;
    if (!jv_has(thought)) thought = json_get(v, STR("reasoning"));
    jval details = json_get(v, STR("reasoning_details"));
    jtext signature = JT_NONE;
    for (jiter it = json_iter(details); details.type == J_ARRAY && json_item(&it, &detail);)
        if (json_get(detail, STR("signature")).type == J_STRING)
            signature = jt(json_get(detail, STR("signature")));
    if ((thought.type == J_STRING && thought.raw.n) || jt_has(signature)) {
        struct chat_part *p = chat_add(r, m, PART_THINKING);
        p->text = jt(thought);
        p->signature = signature;
    }
    read_content(r, m, &m->parts, &m->last, json_get(v, STR("content")));
    if (refusal.type == J_STRING && refusal.raw.n) chat_add(r, m, PART_REFUSAL)->text = jt(refusal);
    if (jv_has(json_get(v, STR("audio")))) chat_lose(&r->lost, true, "messages.audio");
    for (jiter it = json_iter(calls); calls.type == J_ARRAY && json_item(&it, &call);) {
        jval function = json_get(call, STR("function"));
        if (function.type == J_OBJECT)
            read_call(r, m, call, function);
        else
            chat_lose(&r->lost, true, "messages.tool_calls.custom");
    }
    if (legacy.type == J_OBJECT) read_call(r, m, legacy, legacy);
}

static void read_result(struct chat_request *r, struct chat_message *m, jval v) {
    struct chat_part *p = chat_add(r, m, PART_RESULT), *last = NULL;
    p->id = jt(json_get(v, STR("tool_call_id")));
    p->name = jt(json_get(v, STR("name")));
    if (!jt_has(p->id)) p->id = p->name;
    read_content(r, m, &p->parts, &last, json_get(v, STR("content")));
    p->cache = cache_mark(v);
}

static bool read_message(struct chat_request *r, jval v, err *e) {
    jval role = json_get(v, STR("role"));
    if (v.type != J_OBJECT || role.type != J_STRING) return fail(e, "Each message must be an object with a role.");
    if (json_is(role, STR("assistant"))) {
        read_assistant(r, chat_message_add(r, CHAT_ASSISTANT), v);
        return true;
    }
    if (json_is(role, STR("tool")) || json_is(role, STR("function"))) {
        read_result(r, chat_message_add(r, CHAT_USER), v);
        return true;
    }
    bool system = json_is(role, STR("system")) || json_is(role, STR("developer"));
    if (!system && !json_is(role, STR("user")))
        return fail(e, "Unknown role '" STR_FMT "'.", STR_ARG(str_take(role.raw, 40)));
    struct chat_message *m = chat_message_add(r, system ? CHAT_SYSTEM : CHAT_USER);
    m->name = jt(json_get(v, STR("name")));
    read_content(r, m, &m->parts, &m->last, json_get(v, STR("content")));
    return true;
}

bool openai_read_messages(struct chat_request *r, jval v, err *e) {
    jval m;
    if (v.type != J_ARRAY) return fail(e, "'messages' must be an array.");
    for (jiter it = json_iter(v); json_item(&it, &m);)
        if (!read_message(r, m, e)) return false;
    return true;
}

/* ---- reading: tools ---- */

static bool read_function(struct chat_request *r, jval f, jval holder, err *e) {
    struct chat_tool *t = chat_tool_add(r, e);
    if (!t) return false;
    t->name = jt(json_get(f, STR("name")));
    t->description = jt(json_get(f, STR("description")));
    jval schema = json_get(f, STR("parameters")), strict = json_get(f, STR("strict"));
    if (schema.type == J_OBJECT) t->schema = schema.raw;
    if (jv_has(strict)) t->strict = json_true(strict);
    t->cache = cache_mark(holder);
    return jt_has(t->name) || fail(e, "Each function needs a name.");
}

bool openai_read_tools(struct chat_request *r, jval v, err *e) {
    jval tool;
    if (v.type != J_ARRAY) return fail(e, "'tools' must be an array.");
    for (jiter it = json_iter(v); json_item(&it, &tool);) {
        jval f = json_get(tool, STR("function")), type = json_get(tool, STR("type"));
        if (f.type == J_OBJECT) {
            if (!read_function(r, f, tool, e)) return false;
        } else {
            chat_lose(&r->lost, true, "tools." STR_FMT, STR_ARG(str_take(type.raw, 40)));
        }
    }
    return true;
}

static bool read_functions(struct chat_request *r, jval v, err *e) {
    jval f;
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &f);)
        if (!read_function(r, f, f, e)) return false;
    return true;
}

static bool read_tool_choice(struct chat_request *r, jval v, err *e) {
    jval name = json_path(v, "function", "name", NULL), word = v.type == J_OBJECT ? json_get(v, STR("type")) : v;
    if (name.type != J_STRING) name = json_get(v, STR("name")); /* function_call */
    if (name.type == J_STRING) {
        r->tool_choice = TOOLS_NAMED;
        r->tool_name = jt(name);
    } else if (json_is(word, STR("auto"))) {
        r->tool_choice = TOOLS_AUTO;
    } else if (json_is(word, STR("none"))) {
        r->tool_choice = TOOLS_NEVER;
    } else if (json_is(word, STR("required")) || json_is(word, STR("any"))) {
        r->tool_choice = TOOLS_ANY;
    } else {
        return fail(e, "'tool_choice' must be auto, none, required, or name a function.");
    }
    return true;
}

/* ---- reading: the other members ---- */

#define NUMBER(field)                                                                                             \
    static bool read_##field(struct chat_request *r, jval v, err *e) {                                            \
        if (v.type != J_NUMBER) return fail(e, "'" #field "' must be a number.");                                 \
        r->field = v.raw;                                                                                         \
        return true;                                                                                              \
    }
NUMBER(temperature)
NUMBER(top_p)
NUMBER(top_k)
NUMBER(seed)
NUMBER(presence)
NUMBER(frequency)

static bool read_model(struct chat_request *r, jval v, err *e) {
    r->model = jt(v);
    return v.type == J_STRING || fail(e, "'model' must be a string.");
}

static bool read_stream(struct chat_request *r, jval v, err *e) {
    r->stream = json_true(v);
    return v.type == J_TRUE || v.type == J_FALSE || fail(e, "'stream' must be a boolean.");
}

static bool read_stream_options(struct chat_request *r, jval v, err *e) {
    (void)e;
    r->include_usage = json_true(json_get(v, STR("include_usage")));
    return true;
}

static bool read_limit(struct chat_request *r, jval v, err *e) {
    return (json_i64(v, &r->max_tokens) && r->max_tokens > 0) ||
           fail(e, "The output limit must be a positive integer.");
}

static bool read_n(struct chat_request *r, jval v, err *e) {
    return (json_i64(v, &r->n) && r->n > 0) || fail(e, "'n' must be a positive integer.");
}

static bool read_stop(struct chat_request *r, jval v, err *e) {
    jval s;
    if (v.type == J_STRING) chat_stop_add(r, jt(v));
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &s);)
        if (s.type == J_STRING) chat_stop_add(r, jt(s));
    return v.type == J_STRING || v.type == J_ARRAY || fail(e, "'stop' must be a string or an array.");
}

static bool read_logprobs(struct chat_request *r, jval v, err *e) {
    (void)e;
    r->logprobs = json_true(v);
    return true;
}

static bool read_top_logprobs(struct chat_request *r, jval v, err *e) {
    return json_i64(v, &r->top_logprobs) || fail(e, "'top_logprobs' must be an integer.");
}

static bool read_parallel(struct chat_request *r, jval v, err *e) {
    (void)e;
    r->parallel = json_true(v);
    return true;
}

static bool read_format(struct chat_request *r, jval v, err *e) {
    jval type = json_get(v, STR("type")), s = json_get(v, STR("json_schema")), own = json_get(v, STR("schema"));
    (void)e;
    if (!json_is(type, STR("json_object")) && !json_is(type, STR("json_schema"))) return true;
    r->format = FORMAT_SCHEMA;
    r->schema =
        own.type == J_OBJECT ? own.raw : json_get(s, STR("schema")).raw; /* Together, Fireworks: beside it */
    r->schema_name = jt(json_get(s, STR("name")));
    if (jv_has(json_get(s, STR("strict")))) r->schema_strict = json_true(json_get(s, STR("strict")));
    if (!r->schema.n) r->format = FORMAT_JSON;
    return true;
}

static bool read_effort(struct chat_request *r, jval v, err *e) {
    r->effort = chat_effort_of(v);
    return r->effort != EFFORT_UNSAID ||
           fail(e, "'reasoning_effort' is none of none, minimal, low, medium, high, xhigh.");
}

static bool read_reasoning(struct chat_request *r, jval v, err *e) { /* OpenRouter */
    (void)e;
    r->effort = chat_effort_of(json_get(v, STR("effort")));
    if (json_i64(json_get(v, STR("max_tokens")), &r->budget)) r->effort = chat_budget_effort(r->budget);
    r->show_thinking = !json_true(json_get(v, STR("exclude")));
    return true;
}

static bool read_thinking(struct chat_request *r, jval v,
                          err *e) { /* Z.ai, DeepSeek; LiteLLM's way to Anthropic */
    jval type = json_get(v, STR("type"));
    (void)e;
    if (json_is(type, STR("disabled"))) {
        r->effort = EFFORT_OFF;
    } else if (json_i64(json_get(v, STR("budget_tokens")), &r->budget) && r->budget > 0) {
        r->effort = chat_budget_effort(r->budget);
        r->show_thinking = true;
    } else if (r->effort == EFFORT_UNSAID) {
        r->effort = EFFORT_ADAPTIVE;
        r->show_thinking = true;
    }
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

static bool read_modalities(struct chat_request *r, jval v, err *e) {
    jval one;
    (void)e;
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &one);)
        if (!json_is(one, STR("text"))) chat_lose(&r->lost, true, "modalities");
    return true;
}

static const struct chat_member members[] = {
    {STR_INIT("model"), read_model},
    {STR_INIT("messages"), openai_read_messages},
    {STR_INIT("stream"), read_stream},
    {STR_INIT("stream_options"), read_stream_options},
    {STR_INIT("max_tokens"), read_limit},
    {STR_INIT("max_completion_tokens"), read_limit},
    {STR_INIT("temperature"), read_temperature},
    {STR_INIT("top_p"), read_top_p},
    {STR_INIT("top_k"), read_top_k},
    {STR_INIT("n"), read_n},
    {STR_INIT("stop"), read_stop},
    {STR_INIT("seed"), read_seed},
    {STR_INIT("presence_penalty"), read_presence},
    {STR_INIT("frequency_penalty"), read_frequency},
    {STR_INIT("logprobs"), read_logprobs},
    {STR_INIT("top_logprobs"), read_top_logprobs},
    {STR_INIT("tools"), openai_read_tools},
    {STR_INIT("functions"), read_functions},
    {STR_INIT("tool_choice"), read_tool_choice},
    {STR_INIT("function_call"), read_tool_choice},
    {STR_INIT("parallel_tool_calls"), read_parallel},
    {STR_INIT("response_format"), read_format},
    {STR_INIT("reasoning_effort"), read_effort},
    {STR_INIT("reasoning"), read_reasoning},
    {STR_INIT("thinking"), read_thinking},
    {STR_INIT("user"), read_user},
    {STR_INIT("service_tier"), read_tier},
    {STR_INIT("modalities"), read_modalities},
    {STR_INIT("metadata"), NULL},
    {STR_INIT("store"), NULL},
    {STR_INIT("prompt_cache_key"), NULL},
    {STR_INIT("prompt_cache_retention"), NULL},
    {STR_INIT("safety_identifier"), NULL},
    {STR_INIT("prediction"), NULL},
    {STR_INIT("verbosity"), NULL},
    {STR_INIT("provider"), NULL}, /* whom OpenRouter shall ask */
};

bool openai_chat_request_read(struct chat_request *r, jval root, str *param, err *e) {
    return chat_read_members(r, root, members, sizeof members / sizeof *members, param, e);
}

/* ---- writing: parts ---- */

static void write_media_url(const struct chat_part *p, jw *w, const char *key) {
    jw_key(w, key);
    if (jt_has(p->url)) {
        jw_jt(w, p->url);
        return;
    }
    jw_raw(w, STR("\"data:"));
    buf_str(w->b, p->mime.raw);
    buf_strz(w->b, ";base64,");
    buf_str(w->b, p->data.raw);
    buf_char(w->b, '"');
}

static void begin_part(jw *w, const char *type) {
    jw_object(w);
    jw_kstr(w, "type", str_from(type));
}

static void write_file(const struct chat_part *p, jw *w) {
    begin_part(w, "file");
    jw_kobject(w, "file");
    if (jt_has(p->file)) {
        jw_kjt(w, "file_id", p->file);
    } else {
        jw_kjt(w, "filename", jt_has(p->name) ? p->name : JT("file.pdf"));
        write_media_url(p, w, "file_data");
    }
    jw_object_end(w);
    jw_object_end(w);
}

/* The formats it has; NULL for others. */
static const char *audio_format(jtext mime) {
    static const struct {
        const char *mime, *format;
    } known[] = {{"audio/wav", "wav"},
                 {"audio/x-wav", "wav"},
                 {"audio/wave", "wav"},
                 {"audio/mpeg", "mp3"},
                 {"audio/mp3", "mp3"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eqz(mime.raw, known[i].mime)) return known[i].format;
    return NULL;
}

static void write_audio(const struct chat_part *p, struct chat_account *acc, jw *w) {
    const char *format = audio_format(p->mime);
    if (!format || !jt_has(p->data)) {
        chat_lose(acc, true, format ? "audio url" : "audio format");
        return;
    }
    begin_part(w, "input_audio");
    jw_kobject(w, "input_audio");
    jw_kjt(w, "data", p->data);
    jw_kstr(w, "format", str_from(format));
    jw_object_end(w);
    jw_object_end(w);
}

static void write_part(const struct chat_part *p, struct chat_account *acc, jw *w) {
    switch (p->type) {
    case PART_TEXT:
    case PART_REFUSAL:
        begin_part(w, "text");
        jw_kjt(w, "text", p->text);
        jw_object_end(w);
        break;
    case PART_IMAGE:
        if (jt_has(p->file)) {
            chat_lose(acc, true, "image file id");
            break;
        }
        begin_part(w, "image_url");
        jw_kobject(w, "image_url");
        write_media_url(p, w, "url");
        jw_kjt_if(w, "detail", p->detail);
        jw_object_end(w);
        jw_object_end(w);
        break;
    case PART_AUDIO: write_audio(p, acc, w); break;
    case PART_FILE:
        if (jt_has(p->data) || jt_has(p->file))
            write_file(p, w);
        else
            chat_lose(acc, true, "document url");
        break;
    default: chat_lose(acc, true, "video"); break;
    }
    if (p->cache) chat_lose(acc, false, "cache_control");
}

static bool content_part(const struct chat_part *p) {
    return p->type != PART_CALL && p->type != PART_RESULT && p->type != PART_THINKING;
}

/* An array of the parts that are content, texts too or not; it must not be empty. */
static void write_parts(const struct chat_part *parts, bool texts, struct chat_account *acc, jw *w) {
    jw_array(w);
    size_t before = w->b->n;
    for (const struct chat_part *p = parts; p; p = p->next)
        if (content_part(p) && (texts || p->type != PART_TEXT)) write_part(p, acc, w);
    if (w->b->n == before) jw_raw(w, STR("{\"type\":\"text\",\"text\":\"\"}"));
    jw_array_end(w);
}

/* A string when it is one text, else an array of parts. */
static void write_content(const struct chat_part *parts, struct chat_account *acc, jw *w) {
    const struct chat_part *only = NULL;
    unsigned n = 0;
    for (const struct chat_part *p = parts; p; p = p->next)
        if (content_part(p)) n++, only = p;
    jw_key(w, "content");
    if (n == 0) {
        jw_string(w, STR(""));
    } else if (n == 1 && (only->type == PART_TEXT || only->type == PART_REFUSAL)) {
        jw_jt(w, only->text);
        if (only->cache) chat_lose(acc, false, "cache_control");
    } else {
        write_parts(parts, true, acc, w);
    }
}

/* ---- writing: messages ---- */

struct up {
    const struct chat_request *r;
    struct provider_quirks q;
    struct chat_account *acc;
    jw *w;
};

static jtext call_id(struct up *u, jtext id) { return chat_fit_id(u->r->a, id, 64, u->q.call_id_length); }

static void write_assistant(struct up *u, const struct chat_message *m) {
    bool text = false, calls = false;
    jw *w = u->w;
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        text |= content_part(p);
        calls |= p->type == PART_CALL;
        if (p->type == PART_THINKING) chat_lose(u->acc, false, "thinking");
    }
    jw_kstr(w, "role", STR("assistant"));
    if (text || !calls) {
        jw_key(w, "content");
        jw_parts_text(w, m->parts);
    } else {
        jw_knull(w, "content");
    }
    if (!calls) return;
    jw_karray(w, "tool_calls");
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        if (p->type != PART_CALL) continue;
        jw_object(w);
        jw_kjt(w, "id", call_id(u, p->id));
        jw_kstr(w, "type", STR("function"));
        jw_kobject(w, "function");
        jw_kjt(w, "name", p->name);
        jw_kstr(w, "arguments", p->args);
        jw_object_end(w);
        jtext sign = chat_signature_for(CHAT_OPENAI, p->signature);
        if (jt_has(sign)) {
            jw_kobject(w, "extra_content");
            jw_kobject(w, "google");
            jw_kjt(w, "thought_signature", sign);
            jw_object_end(w);
            jw_object_end(w);
        }
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* Tool results go first, each its own message; what a tool message can't hold (images) follows as the user's. */
static void write_results(struct up *u, const struct chat_message *m) {
    jw *w = u->w;
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        if (p->type != PART_RESULT) continue;
        jw_object(w);
        jw_kstr(w, "role", STR("tool"));
        jw_kjt(w, "tool_call_id", call_id(u, p->id));
        jw_key(w, "content");
        jw_parts_text(w, p->parts);
        jw_object_end(w);
        if (p->is_error) chat_lose(u->acc, false, "tool_result.is_error");
    }
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        bool media = false;
        for (const struct chat_part *in = p->parts; in; in = in->next) media |= in->type != PART_TEXT;
        if (p->type != PART_RESULT || !media) continue;
        jw_object(w);
        jw_kstr(w, "role", STR("user"));
        jw_key(w, "content");
        write_parts(p->parts, false, u->acc, w);
        jw_object_end(w);
    }
}

static void write_message(struct up *u, const struct chat_message *m) {
    jw *w = u->w;
    bool content = false, results = false;
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        content |= content_part(p);
        results |= p->type == PART_RESULT;
    }
    if (m->role == CHAT_USER && results) write_results(u, m);
    if (m->role == CHAT_USER && results && !content) return;
    jw_object(w);
    if (m->role == CHAT_ASSISTANT) {
        write_assistant(u, m);
    } else {
        jw_kstr(w, "role", m->role == CHAT_SYSTEM ? STR("system") : STR("user"));
        jw_kjt_if(w, "name", m->name);
        write_content(m->parts, u->acc, w);
    }
    jw_object_end(w);
}

/* ---- writing: the rest ---- */

void openai_write_tools(const struct chat_request *r, struct chat_account *acc, jw *w, bool strict) {
    if (!r->tools) return;
    jw_karray(w, "tools");
    for (const struct chat_tool *t = r->tools; t; t = t->next) {
        jw_object(w);
        jw_kstr(w, "type", STR("function"));
        jw_kobject(w, "function");
        jw_kjt(w, "name", t->name);
        jw_kjt_if(w, "description", t->description);
        jw_kraw_if(w, "parameters", t->schema.n ? chat_schema(acc, t->schema) : STR_NONE);
        if (strict && t->strict >= 0) jw_kbool(w, "strict", t->strict);
        jw_object_end(w);
        jw_object_end(w);
        if (t->cache) chat_lose(acc, false, "cache_control");
    }
    jw_array_end(w);
}

static void write_tool_choice(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    if (r->tool_choice == TOOLS_UNSAID || !r->tools) return;
    if (r->tool_choice == TOOLS_NAMED) {
        jw_kobject(w, "tool_choice");
        jw_kstr(w, "type", STR("function"));
        jw_kobject(w, "function");
        jw_kjt(w, "name", r->tool_name);
        jw_object_end(w);
        jw_object_end(w);
    } else {
        jw_kstr(w, "tool_choice",
                r->tool_choice == TOOLS_AUTO    ? STR("auto")
                : r->tool_choice == TOOLS_NEVER ? STR("none")
                                                : str_from(u->q.any));
    }
}

static void write_format(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    if (r->format == FORMAT_TEXT) return;
    jw_kobject(w, "response_format");
    if (r->format == FORMAT_SCHEMA && !u->q.no_json_schema) {
        jw_kstr(w, "type", STR("json_schema"));
        jw_kobject(w, "json_schema");
        jw_kjt(w, "name", jt_has(r->schema_name) ? r->schema_name : JT("answer"));
        jw_kraw_if(w, "schema", chat_schema(u->acc, r->schema));
        if (r->schema_strict >= 0) jw_kbool(w, "strict", r->schema_strict);
        jw_object_end(w);
    } else {
        if (r->format == FORMAT_SCHEMA) chat_lose(u->acc, true, "response_format.json_schema");
        jw_kstr(w, "type", STR("json_object"));
    }
    jw_object_end(w);
}

static void write_sampling(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    jw_kraw_if(w, "temperature", r->temperature);
    jw_kraw_if(w, "top_p", r->top_p);
    jw_kraw_if(w, "presence_penalty", r->presence);
    jw_kraw_if(w, "frequency_penalty", r->frequency);
    if (r->seed.n && u->q.seed[0])
        jw_kraw_if(w, u->q.seed, r->seed);
    else if (r->seed.n)
        chat_lose(u->acc, true, "seed");
    chat_lose_top_k(r, u->acc);
    if (r->max_tokens) jw_ki64(w, u->q.max_tokens, r->max_tokens);
    if (r->n > 1) jw_ki64(w, "n", r->n);
    if (r->logprobs) jw_kbool(w, "logprobs", true);
    if (r->top_logprobs) jw_ki64(w, "top_logprobs", r->top_logprobs);
    if (r->stops) {
        jw_karray(w, "stop");
        for (const struct chat_strings *s = r->stops; s; s = s->next) jw_jt(w, s->text);
        jw_array_end(w);
    }
    if (r->effort == EFFORT_ADAPTIVE) return; /* the model's own way */
    if (r->effort != EFFORT_UNSAID && !u->q.no_effort)
        jw_kstr(w, "reasoning_effort", str_from(chat_effort_word(r->effort)));
    else if (r->effort != EFFORT_UNSAID)
        chat_lose(u->acc, false, "reasoning effort");
}

void openai_write_messages(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                           jw *w) {
    struct up u = {r, provider_quirks(provider_kind_find(to->kind)), acc, w};
    jw_karray(w, "messages");
    for (const struct chat_message *m = r->messages; m; m = m->next) write_message(&u, m);
    jw_array_end(w);
}

void openai_chat_request_write(const struct chat_request *r, const struct chat_target *to,
                               struct chat_account *acc, jw *w) {
    struct up u = {r, provider_quirks(provider_kind_find(to->kind)), acc, w};
    jw_object(w);
    jw_kstr(w, "model", to->model);
    openai_write_messages(r, to, acc, w);
    openai_write_tools(r, acc, w, true);
    write_tool_choice(&u);
    if (u.q.no_parallel)
        chat_lose_serial(r, acc);
    else if (r->parallel >= 0 && r->tools)
        jw_kbool(w, "parallel_tool_calls", r->parallel);
    write_format(&u);
    write_sampling(&u);
    jw_kjt_if(w, "user", chat_user(r->a, r->user));
    if (jt_has(r->service_tier) && u.q.service_tier)
        jw_kjt(w, "service_tier", r->service_tier);
    else if (jt_has(r->service_tier))
        chat_lose(acc, true, "service_tier");
    if (r->stream) jw_kbool(w, "stream", true);
    const struct provider_kind *kind = provider_kind_find(to->kind);
    if (r->stream && (!kind || kind->stream_options)) {
        jw_kobject(w, "stream_options");
        jw_kbool(w, "include_usage", true);
        jw_object_end(w);
    }
    jw_object_end(w);
}
