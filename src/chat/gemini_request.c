/* gemini_request: generateContent requests, read and written (protos google/ai/generativelanguage/v1beta, and
 * what @google/genai and google-genai send: camelCase or snake_case, url-safe base64, schemas in JSON
 * Schema or in OpenAPI's form with capital type names).
 *
 * Calls have ids only in newer models, and results needn't say them: what has none is matched by name
 * and order. */
#include "base/hash.h"
#include "chat/chat_int.h"

static jval get2(jval v, const char *camel, const char *snake) {
    jval x = json_get(v, str_from(camel));
    return x.type == J_NONE ? json_get(v, str_from(snake)) : x;
}

/* ---- reading: schemas ---- */

static void lower(jw *w, jval v) {
    buf_char(w->b, '"');
    for (size_t i = 0; i < v.raw.n; i++) {
        char c = v.raw.p[i];
        buf_char(w->b, c >= 'A' && c <= 'Z' ? (char)(c | 32) : c);
    }
    buf_char(w->b, '"');
}

static void schema_value(jw *w, jval v);

static void schema_type(jw *w, jval type, bool nullable) {
    jw_key(w, "type");
    jw_raw(w, nullable ? STR("[") : STR_NONE);
    lower(w, type);
    if (nullable) buf_strz(w->b, ",\"null\"]");
}

static bool all_digits(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n > 0;
}

/* Limits come as strings where int64 is written the proto way. */
static bool is_limit(str key) { return str_starts(key, STR("min")) || str_starts(key, STR("max")); }

static void schema_object(jw *w, jval v) {
    str key;
    bool esc;
    jval x;
    bool nullable = json_true(json_get(v, STR("nullable")));
    jw_object(w);
    for (jiter it = json_iter(v); json_next(&it, &key, &esc, &x);) {
        if (json_key_eq(key, esc, STR("nullable"))) continue;
        if (json_key_eq(key, esc, STR("type")) && x.type == J_STRING) {
            schema_type(w, x, nullable);
            continue;
        }
        jw_raw(w, str_make(key.p - 1, key.n + 2));
        buf_char(w->b, ':');
        w->comma = false;
        if (x.type == J_STRING && is_limit(key) && all_digits(x.raw))
            jw_raw(w, x.raw);
        else
            schema_value(w, x);
    }
    jw_object_end(w);
}

static void schema_value(jw *w, jval v) {
    jval x;
    if (v.type == J_OBJECT) {
        schema_object(w, v);
    } else if (v.type == J_ARRAY) {
        jw_array(w);
        for (jiter it = json_iter(v); json_item(&it, &x);) schema_value(w, x);
        jw_array_end(w);
    } else {
        jw_raw(w, v.type == J_STRING ? str_make(v.raw.p - 1, v.raw.n + 2) : v.raw);
    }
}

/* OpenAPI's form to JSON Schema: small type names, nullable into the type. */
static str from_openapi(struct chat_request *r, jval v) {
    size_t most = v.raw.n * 2 + 64;
    buf b = {.p = arena_alloc(r->a, most), .cap = most, .max = most};
    jw w;
    jw_init(&w, &b);
    schema_value(&w, v);
    return b.failed ? v.raw : buf_view(&b);
}

/* ---- reading: parts ---- */

static jtext base64(struct chat_request *r, jtext t) {
    if (!memchr(t.raw.p, '-', t.raw.n) && !memchr(t.raw.p, '_', t.raw.n)) return t;
    char *out = arena_alloc(r->a, t.raw.n);
    for (size_t i = 0; i < t.raw.n; i++) {
        char c = t.raw.p[i];
        out[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    return (jtext){str_make(out, t.raw.n)};
}

static enum chat_part_type media_type(jtext mime) {
    if (str_starts(mime.raw, STR("image"))) return PART_IMAGE;
    if (str_starts(mime.raw, STR("audio"))) return PART_AUDIO;
    return str_starts(mime.raw, STR("video")) ? PART_VIDEO : PART_FILE;
}

static struct chat_part *add_media(struct chat_request *r, struct chat_part **first, struct chat_part **last,
                                   jval v) {
    jtext mime = chat_mime(jt(get2(v, "mimeType", "mime_type")));
    struct chat_part *p = chat_part_add(r->a, first, last, media_type(mime));
    p->mime = mime;
    p->name = jt(get2(v, "displayName", "display_name"));
    jval data = json_get(v, STR("data"));
    if (data.type == J_STRING && data.raw.n)
        p->data = base64(r, jt(data));
    else
        p->url = jt(get2(v, "fileUri", "file_uri"));
    return p;
}

static void read_call(struct chat_request *r, struct chat_message *m, jval call, jtext signature) {
    struct chat_part *p = chat_add(r, m, PART_CALL);
    jval args = json_get(call, STR("args"));
    p->name = jt(json_get(call, STR("name")));
    p->id = jt(json_get(call, STR("id")));
    uint64_t place = (uint64_t)r->message_count
                     << 16; /* ids must differ within the conversation, and be the same next time */
    for (const struct chat_part *q = m->parts; q; q = q->next) place++;
    if (!jt_has(p->id)) p->id = chat_mint_id(r->a, "call_", fingerprint(p->name.raw), place);
    p->args = args.type == J_OBJECT ? args.raw : STR("{}");
    p->signature = signature;
}

/* The first call of that name that has no result yet. */
static struct chat_part *call_for(struct chat_request *r, jtext id, jtext name) {
    for (struct chat_message *m = r->messages; m; m = m->next)
        for (struct chat_part *p = m->parts; p; p = p->next)
            if (p->type == PART_CALL && !p->answered &&
                (jt_has(id) ? str_eq(p->id.raw, id.raw) : str_eq(p->name.raw, name.raw)))
                return p;
    return NULL;
}

static void read_response(struct chat_request *r, struct chat_message *m, jval v) {
    struct chat_part *p = chat_add(r, m, PART_RESULT), *last = NULL;
    jval response = json_get(v, STR("response")), parts = json_get(v, STR("parts")), part, only;
    p->id = jt(json_get(v, STR("id")));
    p->name = jt(json_get(v, STR("name")));
    struct chat_part *call = call_for(r, p->id, p->name);
    if (call) {
        call->answered = true;
        p->id = call->id;
    } else if (!jt_has(p->id)) {
        p->id = p->name;
    }
    only = json_get(response, STR("result"));
    if (only.type != J_STRING) only = json_get(response, STR("output"));
    jval error = json_get(response, STR("error"));
    if (error.type == J_STRING) only = error, p->is_error = true;
    struct chat_part *text = chat_part_add(r->a, &p->parts, &last, PART_TEXT);
    text->text = only.type == J_STRING ? jt(only) : chat_escape(r->a, response.raw);
    for (jiter it = json_iter(parts); parts.type == J_ARRAY && json_item(&it, &part);) {
        jval media = get2(part, "inlineData", "inline_data");
        if (media.type != J_OBJECT) media = get2(part, "fileData", "file_data");
        if (media.type == J_OBJECT) add_media(r, &p->parts, &last, media);
    }
}

static void read_part(struct chat_request *r, struct chat_message *m, jval v) {
    jval text = json_get(v, STR("text")), call = get2(v, "functionCall", "function_call");
    jval response = get2(v, "functionResponse", "function_response"), media = get2(v, "inlineData", "inline_data");
    jtext signature = jt(get2(v, "thoughtSignature", "thought_signature"));
    if (media.type != J_OBJECT) media = get2(v, "fileData", "file_data");
    if (call.type == J_OBJECT) {
        read_call(r, m, call, signature);
    } else if (response.type == J_OBJECT) {
        read_response(r, m, response);
    } else if (media.type == J_OBJECT) {
        add_media(r, &m->parts, &m->last, media);
    } else if (json_true(json_get(v, STR("thought"))) || (jt_has(signature) && text.type != J_STRING)) {
        struct chat_part *p = chat_add(r, m, PART_THINKING);
        p->text = jt(text);
        p->signature = signature;
    } else if (text.type == J_STRING) {
        chat_add(r, m, PART_TEXT)->text = jt(text);
    } else {
        str key = STR("part");
        bool esc;
        jval x;
        jiter it = json_iter(v);
        if (json_next(&it, &key, &esc, &x))
            chat_lose(&r->lost, true, "contents.parts." STR_FMT, STR_ARG(str_take(key, 40)));
    }
}

static bool read_content(struct chat_request *r, jval v, enum chat_role as, err *e) {
    jval parts = json_get(v, STR("parts")), part;
    if (parts.type != J_ARRAY && parts.type != J_OBJECT) return fail(e, "Each content needs parts.");
    struct chat_message *m = chat_message_add(r, as);
    if (parts.type == J_OBJECT) read_part(r, m, parts);
    for (jiter it = json_iter(parts); parts.type == J_ARRAY && json_item(&it, &part);) read_part(r, m, part);
    return true;
}

static bool read_contents(struct chat_request *r, jval v, err *e) {
    jval c;
    if (v.type == J_OBJECT) return read_content(r, v, CHAT_USER, e);
    if (v.type != J_ARRAY) return fail(e, "'contents' must be an array.");
    for (jiter it = json_iter(v); json_item(&it, &c);) {
        jval role = json_get(c, STR("role"));
        bool model = json_is(role, STR("model"));
        if (!model && jv_has(role) && !json_is(role, STR("user")) && !json_is(role, STR("function")) &&
            !json_is(role, STR("system")))
            return fail(e, "Please use a valid role: user, model.");
        if (!read_content(r, c, model ? CHAT_ASSISTANT : CHAT_USER, e)) return false;
    }
    return true;
}

static bool read_system(struct chat_request *r, jval v, err *e) {
    struct chat_message *rest = r->messages, *last = r->last;
    r->messages = r->last = NULL;
    bool good = true;
    if (v.type == J_STRING)
        chat_add(r, chat_message_add(r, CHAT_SYSTEM), PART_TEXT)->text = jt(v);
    else
        good = read_content(r, v, CHAT_SYSTEM, e);
    if (rest && r->last) {
        r->last->next = rest;
        r->last = last;
    } else if (rest) {
        r->messages = rest;
        r->last = last;
    }
    return good;
}

/* ---- reading: tools ---- */

static bool read_declaration(struct chat_request *r, jval f, err *e) {
    struct chat_tool *t = chat_tool_add(r, e);
    if (!t) return false;
    t->name = jt(json_get(f, STR("name")));
    t->description = jt(json_get(f, STR("description")));
    jval schema = get2(f, "parametersJsonSchema", "parameters_json_schema"), open = json_get(f, STR("parameters"));
    if (schema.type == J_OBJECT)
        t->schema = schema.raw;
    else if (open.type == J_OBJECT)
        t->schema = from_openapi(r, open);
    return jt_has(t->name) || fail(e, "Each function declaration needs a name.");
}

static bool read_tools(struct chat_request *r, jval v, err *e) {
    jval tool, f, x;
    str key;
    bool esc;
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &tool);) {
        jval list = get2(tool, "functionDeclarations", "function_declarations");
        for (jiter in = json_iter(list); list.type == J_ARRAY && json_item(&in, &f);)
            if (!read_declaration(r, f, e)) return false;
        for (jiter in = json_iter(tool); tool.type == J_OBJECT && json_next(&in, &key, &esc, &x);)
            if (jv_has(x) && !json_key_eq(key, esc, STR("functionDeclarations")) &&
                !json_key_eq(key, esc, STR("function_declarations")))
                chat_lose(&r->lost, true, "tools." STR_FMT, STR_ARG(str_take(key, 40)));
    }
    return true;
}

static bool read_tool_config(struct chat_request *r, jval v, err *e) {
    jval config = get2(v, "functionCallingConfig", "function_calling_config"),
         mode = json_get(config, STR("mode"));
    jval names = get2(config, "allowedFunctionNames", "allowed_function_names"), one, more;
    (void)e;
    if (json_is(mode, STR("AUTO")) || json_is(mode, STR("VALIDATED"))) r->tool_choice = TOOLS_AUTO;
    if (json_is(mode, STR("NONE"))) r->tool_choice = TOOLS_NEVER;
    if (json_is(mode, STR("ANY"))) r->tool_choice = TOOLS_ANY;
    jiter it = json_iter(names);
    if (r->tool_choice == TOOLS_ANY && names.type == J_ARRAY && json_item(&it, &one)) {
        if (json_item(&it, &more)) {
            chat_lose(&r->lost, true, "toolConfig.functionCallingConfig.allowedFunctionNames");
        } else {
            r->tool_choice = TOOLS_NAMED;
            r->tool_name = jt(one);
        }
    }
    return true;
}

/* ---- reading: generationConfig ---- */

static bool want_number(jval v, const char *name, err *e) {
    return v.type == J_NUMBER || fail(e, "'%s' must be a number.", name);
}

#define NUMBER(field, name)                                                                                       \
    static bool read_##field(struct chat_request *r, jval v, err *e) {                                            \
        r->field = v.raw;                                                                                         \
        return want_number(v, name, e);                                                                           \
    }
NUMBER(temperature, "temperature")
NUMBER(top_p, "topP")
NUMBER(top_k, "topK")
NUMBER(seed, "seed")
NUMBER(presence, "presencePenalty")
NUMBER(frequency, "frequencyPenalty")

static bool read_limit(struct chat_request *r, jval v, err *e) {
    return (json_i64(v, &r->max_tokens) && r->max_tokens > 0) ||
           fail(e, "'maxOutputTokens' must be a positive integer.");
}

static bool read_count(struct chat_request *r, jval v, err *e) {
    return json_i64(v, &r->n) || fail(e, "'candidateCount' must be an integer.");
}

static bool read_stops(struct chat_request *r, jval v, err *e) {
    jval s;
    (void)e;
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &s);)
        if (s.type == J_STRING) chat_stop_add(r, jt(s));
    return true;
}

static bool read_mime(struct chat_request *r, jval v, err *e) {
    (void)e;
    if (json_is(v, STR("application/json")) && r->format == FORMAT_TEXT)
        r->format = FORMAT_JSON;
    else if (!json_is(v, STR("application/json")) && !json_is(v, STR("text/plain")))
        chat_lose(&r->lost, true, "responseMimeType");
    return true;
}

static bool read_json_schema(struct chat_request *r, jval v, err *e) {
    r->format = FORMAT_SCHEMA;
    r->schema = v.raw;
    return v.type == J_OBJECT || fail(e, "'responseJsonSchema' must be an object.");
}

static bool read_schema(struct chat_request *r, jval v, err *e) {
    if (v.type != J_OBJECT) return fail(e, "'responseSchema' must be an object.");
    r->format = FORMAT_SCHEMA;
    r->schema = from_openapi(r, v);
    return true;
}

static bool read_logprobs(struct chat_request *r, jval v, err *e) {
    (void)e;
    r->logprobs = json_true(v);
    return true;
}

static bool read_top_logprobs(struct chat_request *r, jval v, err *e) {
    return json_i64(v, &r->top_logprobs) || fail(e, "'logprobs' must be an integer.");
}

static bool read_modalities(struct chat_request *r, jval v, err *e) {
    jval one;
    (void)e;
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &one);)
        if (!json_is(one, STR("TEXT")) && !json_is(one, STR("Text")))
            chat_lose(&r->lost, true, "responseModalities");
    return true;
}

static bool read_thinking(struct chat_request *r, jval v, err *e) {
    jval level = get2(v, "thinkingLevel", "thinking_level"), budget = get2(v, "thinkingBudget", "thinking_budget");
    int64_t n;
    (void)e;
    r->show_thinking = json_true(get2(v, "includeThoughts", "include_thoughts"));
    if (level.type == J_STRING) {
        char word[12] = {0};
        for (size_t i = 0; i < level.raw.n && i < sizeof word - 1; i++) word[i] = (char)(level.raw.p[i] | 32);
        r->effort = chat_effort_of((jval){.raw = str_from(word), .type = J_STRING});
    } else if (json_i64(budget, &n)) {
        r->effort = n == 0 ? EFFORT_OFF : n < 0 ? EFFORT_ADAPTIVE : chat_budget_effort(n);
        r->budget = n > 0 ? n : 0;
    }
    return true;
}

static const struct chat_member generation[] = {
    {STR_INIT("temperature"), read_temperature},
    {STR_INIT("topP"), read_top_p},
    {STR_INIT("top_p"), read_top_p},
    {STR_INIT("topK"), read_top_k},
    {STR_INIT("top_k"), read_top_k},
    {STR_INIT("seed"), read_seed},
    {STR_INIT("presencePenalty"), read_presence},
    {STR_INIT("presence_penalty"), read_presence},
    {STR_INIT("frequencyPenalty"), read_frequency},
    {STR_INIT("frequency_penalty"), read_frequency},
    {STR_INIT("maxOutputTokens"), read_limit},
    {STR_INIT("max_output_tokens"), read_limit},
    {STR_INIT("candidateCount"), read_count},
    {STR_INIT("candidate_count"), read_count},
    {STR_INIT("stopSequences"), read_stops},
    {STR_INIT("stop_sequences"), read_stops},
    {STR_INIT("responseMimeType"), read_mime},
    {STR_INIT("response_mime_type"), read_mime},
    {STR_INIT("responseJsonSchema"), read_json_schema},
    {STR_INIT("response_json_schema"), read_json_schema},
    {STR_INIT("responseSchema"), read_schema},
    {STR_INIT("response_schema"), read_schema},
    {STR_INIT("responseLogprobs"), read_logprobs},
    {STR_INIT("logprobs"), read_top_logprobs},
    {STR_INIT("responseModalities"), read_modalities},
    {STR_INIT("response_modalities"), read_modalities},
    {STR_INIT("thinkingConfig"), read_thinking},
    {STR_INIT("thinking_config"), read_thinking},
    {STR_INIT("mediaResolution"), NULL},
};

static bool read_generation(struct chat_request *r, jval v, err *e) {
    str param;
    return chat_read_members(r, v, generation, sizeof generation / sizeof *generation, &param, e);
}

static bool read_inner(struct chat_request *r, jval v, err *e);

static const struct chat_member members[] = {
    {STR_INIT("generateContentRequest"), read_inner}, /* countTokens may hold a whole request */
    {STR_INIT("contents"), read_contents},
    {STR_INIT("systemInstruction"), read_system},
    {STR_INIT("system_instruction"), read_system},
    {STR_INIT("tools"), read_tools},
    {STR_INIT("toolConfig"), read_tool_config},
    {STR_INIT("tool_config"), read_tool_config},
    {STR_INIT("generationConfig"), read_generation},
    {STR_INIT("generation_config"), read_generation},
    {STR_INIT("safetySettings"), NULL},
    {STR_INIT("safety_settings"), NULL},
    {STR_INIT("labels"), NULL},
    {STR_INIT("model"), NULL},
};

static bool read_inner(struct chat_request *r, jval v, err *e) {
    str param;
    if (r->messages || r->tools) return fail(e, "One of 'contents' and 'generateContentRequest' is enough.");
    if (json_get(v, STR("generateContentRequest")).type != J_NONE)
        return fail(e, "A 'generateContentRequest' holds no other.");
    return chat_read_members(r, v, members, sizeof members / sizeof *members, &param, e);
}

bool gemini_read_request(struct chat_request *r, jval root, str *param, err *e) {
    r->include_usage = true;
    return chat_read_members(r, root, members, sizeof members / sizeof *members, param, e);
}

/* ---- writing: parts ---- */

struct up {
    const struct chat_request *r;
    struct chat_account *acc;
    jw *w;
    bool three; /* gemini-3 and later */
    bool pro;   /* gemini-2.5-pro: can't but think */
};

static const char *mime_of(const struct chat_part *p) {
    static const struct {
        const char *end, *mime;
    } known[] = {{".png", "image/png"},       {".gif", "image/gif"},  {".webp", "image/webp"},
                 {".pdf", "application/pdf"}, {".mp3", "audio/mpeg"}, {".wav", "audio/wav"},
                 {".mp4", "video/mp4"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_ends(p->url.raw, str_from(known[i].end))) return known[i].mime;
    return p->type == PART_IMAGE   ? "image/jpeg"
           : p->type == PART_AUDIO ? "audio/mpeg"
           : p->type == PART_VIDEO ? "video/mp4"
                                   : "application/pdf";
}

static void write_media(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    bool here = jt_has(p->data);
    if (!here && !jt_has(p->url)) {
        chat_lose(u->acc, true, "file id");
        return;
    }
    jw_object(w);
    jw_kobject(w, here ? "inlineData" : "fileData");
    if (jt_has(p->mime))
        jw_kjt(w, "mimeType", p->mime);
    else
        jw_kstr(w, "mimeType", str_from(mime_of(p)));
    jw_kjt(w, here ? "data" : "fileUri", here ? p->data : p->url);
    jw_object_end(w);
    jw_object_end(w);
}

/* The part must be open; a call without its signature is let through by the word that Google documents. */
static void write_call(struct up *u, const struct chat_part *p, bool first) {
    jw *w = u->w;
    jtext sign = chat_signature_for(CHAT_GEMINI, p->signature);
    jw_object(w);
    jw_kobject(w, "functionCall");
    jw_kjt(w, "id", p->id);
    jw_kjt(w, "name", p->name);
    jw_key(w, "args");
    jw_raw(w, p->args);
    jw_object_end(w);
    if (jt_has(sign))
        jw_kjt(w, "thoughtSignature", sign);
    else if (first && u->three)
        jw_kstr(w, "thoughtSignature", STR(CHAT_NO_SIGNATURE));
    jw_object_end(w);
}

static void write_result(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    jtext name = chat_call_name(u->r, p->id);
    jval v = {0};
    str plain = STR_NONE;
    if (!jt_has(name)) name = jt_has(p->name) ? p->name : JT("unknown");
    if (p->parts && !p->parts->next && !p->is_error) plain = str_trim(jt_str(p->parts->text, u->r->a));
    bool object = plain.n && plain.p[0] == '{' && json_check(plain, &v, NULL, NULL) && v.type == J_OBJECT;
    jw_object(w);
    jw_kobject(w, "functionResponse");
    jw_kjt(w, "id", p->id);
    jw_kjt(w, "name", name);
    jw_key(w, "response");
    if (object) {
        jw_raw(w, plain);
    } else {
        jw_object(w);
        jw_key(w, p->is_error ? "error" : "result");
        jw_parts_text(w, p->parts);
        jw_object_end(w);
    }
    jw_object_end(w);
    jw_object_end(w);
    for (const struct chat_part *in = p->parts; in; in = in->next)
        if (in->type != PART_TEXT) write_media(u, in);
}

static void write_part(struct up *u, const struct chat_part *p, bool first_call) {
    jw *w = u->w;
    switch (p->type) {
    case PART_TEXT:
    case PART_REFUSAL:
        jw_object(w);
        jw_kjt(w, "text", p->text);
        jw_object_end(w);
        break;
    case PART_CALL: write_call(u, p, first_call); break;
    case PART_RESULT: write_result(u, p); break;
    case PART_THINKING: chat_lose(u->acc, false, "thinking"); break; /* what counts stands with the call */
    default: write_media(u, p);
    }
    if (p->cache) chat_lose(u->acc, false, "cache_control");
}

static const struct chat_message *write_turn(struct up *u, const struct chat_message *m) {
    uint8_t role = m->role;
    bool call = false, any = false;
    jw_object(u->w);
    jw_kstr(u->w, "role", role == CHAT_ASSISTANT ? STR("model") : STR("user"));
    jw_karray(u->w, "parts");
    for (; m && (m->role == role || m->role == CHAT_SYSTEM); m = m->next) {
        if (m->role == CHAT_SYSTEM) continue;
        for (const struct chat_part *p = m->parts; p; p = p->next) {
            write_part(u, p, !call);
            call |= p->type == PART_CALL;
            any |= p->type != PART_THINKING;
        }
    }
    if (!any) jw_raw(u->w, STR("{\"text\":\"\"}")); /* a content needs a part */
    jw_array_end(u->w);
    jw_object_end(u->w);
    return m;
}

static void write_system(struct up *u) {
    bool any = false, talk = false;
    for (const struct chat_message *m = u->r->messages; m; m = m->next) {
        talk |= m->role != CHAT_SYSTEM;
        if (m->role != CHAT_SYSTEM || !m->parts) continue;
        if (talk) chat_lose(u->acc, false, "position of a system message");
        if (!any) {
            jw_kobject(u->w, "systemInstruction");
            jw_karray(u->w, "parts");
        }
        any = true;
        for (const struct chat_part *p = m->parts; p; p = p->next) write_part(u, p, false);
    }
    if (!any) return;
    jw_array_end(u->w);
    jw_object_end(u->w);
}

/* ---- writing: the rest ---- */

static void write_tools(struct up *u) {
    const struct chat_request *r = u->r;
    static const char *const modes[] = {"AUTO", "AUTO", "NONE", "ANY", "ANY"};
    jw *w = u->w;
    if (!r->tools) return;
    jw_karray(w, "tools");
    jw_object(w);
    jw_karray(w, "functionDeclarations");
    for (const struct chat_tool *t = r->tools; t; t = t->next) {
        jw_object(w);
        jw_kjt(w, "name", t->name);
        jw_kjt_if(w, "description", t->description);
        jw_kraw_if(w, "parametersJsonSchema", t->schema.n ? chat_schema(u->acc, t->schema) : STR_NONE);
        jw_object_end(w);
        if (t->cache) chat_lose(u->acc, false, "cache_control");
    }
    jw_array_end(w);
    jw_object_end(w);
    jw_array_end(w);
    chat_lose_serial(r, u->acc);
    if (r->tool_choice == TOOLS_UNSAID) return;
    jw_kobject(w, "toolConfig");
    jw_kobject(w, "functionCallingConfig");
    jw_kstr(w, "mode", str_from(modes[r->tool_choice]));
    if (r->tool_choice == TOOLS_NAMED) {
        jw_karray(w, "allowedFunctionNames");
        jw_jt(w, r->tool_name);
        jw_array_end(w);
    }
    jw_object_end(w);
    jw_object_end(w);
}

/* ai.google.dev/gemini-api/docs/thinking: 2.5 Pro takes 128 to 32768, the others up to 24576, and from 512. */
static int64_t thinking_budget(struct up *u) {
    const struct chat_request *r = u->r;
    int64_t budget = r->budget ? r->budget : chat_effort_budget(r->effort), most = u->pro ? 32768 : 24576,
            least = u->pro                    ? 128
                    : r->effort == EFFORT_OFF ? 0
                                              : 512;
    if (u->pro && r->effort == EFFORT_OFF) chat_lose(u->acc, false, "thinking (can't be switched off)");
    return budget > most ? most : budget < least ? least : budget;
}

static void write_thinking(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    if (r->effort == EFFORT_UNSAID && !r->show_thinking) return;
    jw_kobject(w, "thinkingConfig");
    if (r->show_thinking && r->effort != EFFORT_OFF) jw_kbool(w, "includeThoughts", true);
    if (u->three && r->effort != EFFORT_UNSAID && r->effort != EFFORT_ADAPTIVE)
        jw_kstr(w, "thinkingLevel",
                r->effort <= EFFORT_LOW      ? STR("low")
                : r->effort == EFFORT_MEDIUM ? STR("medium")
                                             : STR("high"));
    else if (!u->three && r->effort != EFFORT_UNSAID)
        jw_ki64(w, "thinkingBudget", r->effort == EFFORT_ADAPTIVE ? -1 : thinking_budget(u));
    jw_object_end(w);
}

static void write_generation(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    jw_kobject(w, "generationConfig");
    jw_kraw_if(w, "temperature", r->temperature);
    jw_kraw_if(w, "topP", r->top_p);
    jw_kraw_if(w, "topK", r->top_k);
    jw_kraw_if(w, "seed", r->seed);
    jw_kraw_if(w, "presencePenalty", r->presence);
    jw_kraw_if(w, "frequencyPenalty", r->frequency);
    if (r->max_tokens) jw_ki64(w, "maxOutputTokens", r->max_tokens);
    if (r->n > 1) jw_ki64(w, "candidateCount", r->n);
    if (r->logprobs) jw_kbool(w, "responseLogprobs", true);
    if (r->logprobs && r->top_logprobs) jw_ki64(w, "logprobs", r->top_logprobs);
    if (r->stops) {
        jw_karray(w, "stopSequences");
        for (const struct chat_strings *s = r->stops; s; s = s->next) jw_jt(w, s->text);
        jw_array_end(w);
    }
    if (r->format != FORMAT_TEXT) jw_kstr(w, "responseMimeType", STR("application/json"));
    if (r->format == FORMAT_SCHEMA) jw_kraw_if(w, "responseJsonSchema", chat_schema(u->acc, r->schema));
    write_thinking(u);
    jw_object_end(w);
}

void gemini_write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                          jw *w) {
    ptrdiff_t at = str_find(to->model, STR("gemini-"));
    char version = at >= 0 && (size_t)at + 7 < to->model.n ? to->model.p[at + 7] : '0';
    bool pro = str_find(to->model, STR("gemini-2.5-pro")) >= 0;
    struct up u = {r, acc, w, version >= '3' && version <= '9', pro};
    jw_object(w);
    write_system(&u);
    jw_karray(w, "contents");
    for (const struct chat_message *m = r->messages; m;) m = m->role == CHAT_SYSTEM ? m->next : write_turn(&u, m);
    jw_array_end(w);
    write_tools(&u);
    write_generation(&u);
    if (jt_has(r->user)) chat_lose(acc, false, "user");
    if (jt_has(r->service_tier)) chat_lose(acc, true, "service_tier");
    jw_object_end(w);
}
