/* bedrock: AWS Bedrock Converse and ConverseStream (provider side; botocore's service model).
 *
 * The model stands in the path, and so does streaming. Media must be bytes. A stream's frames are told
 * apart by their :event-type; text blocks have no start; usage comes last, in `metadata`, which is
 * what makes a stream whole. inputTokens excludes what the cache gave and took. */
#include "chat/chat_int.h"
#include "chat/openai.h"

/* ---- writing requests: blocks ---- */

struct up {
    const struct chat_request *r;
    struct chat_account *acc;
    jw *w;
    unsigned documents;
};

static void write_text(jw *w, jtext text) {
    if (!str_trim(text.raw).n) return; /* blank text is refused */
    jw_object(w);
    jw_kjt(w, "text", text);
    jw_object_end(w);
}

static void write_bytes(jw *w, const struct chat_part *p, str format) {
    jw_kstr(w, "format", format);
    jw_kobject(w, "source");
    jw_kjt(w, "bytes", p->data);
    jw_object_end(w);
}

/* png of image/png; some have other words. */
static str format_of(jtext mime, str otherwise) {
    static const struct {
        const char *mime, *format;
    } known[] = {{"image/jpg", "jpeg"},
                 {"text/plain", "txt"},
                 {"text/markdown", "md"},
                 {"application/msword", "doc"},
                 {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
                 {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
                 {"video/quicktime", "mov"},
                 {"video/x-matroska", "mkv"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eqz(mime.raw, known[i].mime)) return str_from(known[i].format);
    ptrdiff_t slash = str_chr(mime.raw, '/');
    return slash < 0 ? otherwise : str_skip(mime.raw, (size_t)slash + 1);
}

/* Names may have letters, digits, space, hyphen, brackets only. */
static void write_document_name(struct up *u, jtext name) {
    char out[64];
    size_t n = 0;
    for (size_t i = 0; i < name.raw.n && n < sizeof out; i++) {
        char c = name.raw.p[i];
        bool good =
            (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '(' || c == ')';
        out[n++] = good ? c : '-';
    }
    if (!n)
        jw_kstr(u->w, "name", arena_printf(u->r->a, "document-%u", ++u->documents));
    else
        jw_kstr(u->w, "name", str_make(out, n));
}

static void write_media(struct up *u, const struct chat_part *p) {
    static const struct {
        const char *word, *format;
    } kinds[] = {[PART_IMAGE] = {"image", "png"},
                 [PART_AUDIO] = {"audio", "mp3"},
                 [PART_VIDEO] = {"video", "mp4"},
                 [PART_FILE] = {"document", "pdf"}};
    jw *w = u->w;
    if (!jt_has(p->data)) {
        chat_lose(u->acc, true, "%s url", kinds[p->type].word);
        return;
    }
    jw_object(w);
    jw_kobject(w, kinds[p->type].word);
    if (p->type == PART_FILE) write_document_name(u, p->name);
    write_bytes(w, p, format_of(p->mime, str_from(kinds[p->type].format)));
    jw_object_end(w);
    jw_object_end(w);
}

static void write_call(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    jw_object(w);
    jw_kobject(w, "toolUse");
    jw_kjt(w, "toolUseId", chat_fit_id(u->r->a, p->id, 64, 0));
    jw_kjt(w, "name", p->name);
    jw_key(w, "input");
    jw_raw(w, p->args);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_part(struct up *u, const struct chat_part *p);

static void write_result(struct up *u, const struct chat_part *p) {
    jw *w = u->w;
    size_t before;
    jw_object(w);
    jw_kobject(w, "toolResult");
    jw_kjt(w, "toolUseId", chat_fit_id(u->r->a, p->id, 64, 0));
    jw_karray(w, "content");
    before = w->b->n;
    for (const struct chat_part *in = p->parts; in; in = in->next) write_part(u, in);
    if (w->b->n == before) write_text(w, JT("(no output)")); /* it must hold something */
    jw_array_end(w);
    if (p->is_error) jw_kstr(w, "status", STR("error"));
    jw_object_end(w);
    jw_object_end(w);
}

static void write_thinking(struct up *u, const struct chat_part *p) {
    jtext sign = chat_signature_for(CHAT_BEDROCK, p->redacted ? p->text : p->signature);
    jw *w = u->w;
    if (!jt_has(sign)) {
        chat_lose(u->acc, false, "thinking");
        return;
    }
    jw_object(w);
    jw_kobject(w, "reasoningContent");
    if (p->redacted) {
        jw_kjt(w, "redactedContent", sign);
    } else {
        jw_kobject(w, "reasoningText");
        jw_kjt(w, "text", p->text);
        jw_kjt(w, "signature", sign);
        jw_object_end(w);
    }
    jw_object_end(w);
    jw_object_end(w);
}

static void write_part(struct up *u, const struct chat_part *p) {
    switch (p->type) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(u->w, p->text); break;
    case PART_CALL: write_call(u, p); break;
    case PART_RESULT: write_result(u, p); break;
    case PART_THINKING: write_thinking(u, p); break;
    default: write_media(u, p);
    }
    if (p->cache) jw_raw(u->w, STR("{\"cachePoint\":{\"type\":\"default\"}}"));
}

/* ---- writing requests: messages ---- */

static const struct chat_message *write_turn(struct up *u, const struct chat_message *m) {
    uint8_t role = m->role;
    const struct chat_message *end = chat_turn_end(m);
    if (!chat_turn_says(m, end, CHAT_BEDROCK)) { /* is refused */
        chat_lose(u->acc, false, "empty message");
        return end;
    }
    jw_object(u->w);
    jw_kstr(u->w, "role", role == CHAT_ASSISTANT ? STR("assistant") : STR("user"));
    jw_karray(u->w, "content");
    for (; m != end; m = m->next)
        for (const struct chat_part *p = m->role == CHAT_SYSTEM ? NULL : m->parts; p; p = p->next)
            write_part(u, p);
    jw_array_end(u->w);
    jw_object_end(u->w);
    return m;
}

static void write_messages(struct up *u) {
    const struct chat_message *m = u->r->messages;
    bool first = true;
    jw_karray(u->w, "messages");
    while (m) {
        if (m->role == CHAT_SYSTEM) {
            m = m->next;
            continue;
        }
        if (first && m->role == CHAT_ASSISTANT) {
            jw_raw(u->w, STR("{\"role\":\"user\",\"content\":[{\"text\":\"(The conversation begins with your "
                             "words.)\"}]}"));
            chat_lose(u->acc, false, "first assistant message");
        }
        first = false;
        m = write_turn(u, m);
    }
    jw_array_end(u->w);
}

static void write_system(struct up *u) {
    bool any = false, talk = false;
    for (const struct chat_message *m = u->r->messages; m; m = m->next) {
        talk |= m->role != CHAT_SYSTEM;
        if (m->role != CHAT_SYSTEM || !m->parts) continue;
        if (talk) chat_lose(u->acc, false, "position of a system message");
        if (!any) jw_karray(u->w, "system");
        any = true;
        for (const struct chat_part *p = m->parts; p; p = p->next) write_part(u, p);
    }
    if (u->r->format == FORMAT_JSON) {
        if (!any) jw_karray(u->w, "system");
        any = true;
        jw_raw(u->w, STR("{\"text\":\"" CHAT_JSON_ORDER "\"}"));
    }
    if (any) jw_array_end(u->w);
}

/* ---- writing requests: the rest ---- */

static bool has_calls(const struct chat_request *r) {
    for (const struct chat_message *m = r->messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next)
            if (p->type == PART_CALL || p->type == PART_RESULT) return true;
    return false;
}

static void write_tool(struct up *u, const struct chat_tool *t) {
    jw *w = u->w;
    jw_object(w);
    jw_kobject(w, "toolSpec");
    jw_kjt(w, "name", t->name);
    jw_kjt_if(w, "description", t->description);
    jw_kobject(w, "inputSchema");
    jw_key(w, "json");
    jw_raw(w, t->schema.n ? chat_schema(u->acc, t->schema) : STR("{\"type\":\"object\",\"properties\":{}}"));
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
    if (t->cache) jw_raw(w, STR("{\"cachePoint\":{\"type\":\"default\"}}"));
}

static void write_tools(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    bool history = has_calls(r);
    if (r->tool_choice == TOOLS_NEVER && history) chat_lose(u->acc, true, "tool_choice");
    if (!r->tools || (r->tool_choice == TOOLS_NEVER && !history))
        return; /* no tools is the same as none may be used */
    jw_kobject(w, "toolConfig");
    jw_karray(w, "tools");
    for (const struct chat_tool *t = r->tools; t; t = t->next) write_tool(u, t);
    jw_array_end(w);
    if (r->tool_choice == TOOLS_AUTO || r->tool_choice == TOOLS_ANY || r->tool_choice == TOOLS_NAMED) {
        jw_kobject(w, "toolChoice");
        jw_kobject(w, r->tool_choice == TOOLS_AUTO ? "auto" : r->tool_choice == TOOLS_ANY ? "any" : "tool");
        if (r->tool_choice == TOOLS_NAMED) jw_kjt(w, "name", r->tool_name);
        jw_object_end(w);
        jw_object_end(w);
    }
    jw_object_end(w);
    chat_lose_serial(r, u->acc);
}

static void write_inference(struct up *u, bool thinking) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    jw_kobject(w, "inferenceConfig");
    if (r->max_tokens) jw_ki64(w, "maxTokens", r->max_tokens);
    if (chat_above(r->temperature, 1) || (thinking && r->temperature.n && !chat_above(r->temperature, 0.9999)))
        chat_lose(u->acc, true, "temperature");
    else if (!thinking)
        jw_kraw_if(w, "temperature", r->temperature);
    if (thinking && r->top_p.n)
        chat_lose(u->acc, !chat_above(r->top_p, 0.9999), "top_p");
    else
        jw_kraw_if(w, "topP", r->top_p);
    if (r->stops) {
        jw_karray(w, "stopSequences");
        for (const struct chat_strings *s = r->stops; s; s = s->next) jw_jt(w, s->text);
        jw_array_end(w);
    }
    jw_object_end(w);
}

static void write_additional(struct up *u, bool claude, bool thinking) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    int64_t limit = r->max_tokens ? r->max_tokens : 8192,
            budget = r->budget ? r->budget : chat_effort_budget(r->effort);
    if (r->effort > EFFORT_OFF && !thinking) chat_lose(u->acc, false, "reasoning effort");
    if (!claude) chat_lose_top_k(r, u->acc);
    if (!thinking && !(r->top_k.n && claude)) return;
    jw_kobject(w, "additionalModelRequestFields");
    if (thinking) {
        jw_kobject(w, "thinking");
        jw_kstr(w, "type", STR("enabled"));
        jw_ki64(w, "budget_tokens", budget < limit ? budget : limit > 2048 ? limit / 2 : 1024);
        jw_object_end(w);
    } else {
        jw_kraw_if(w, "top_k", r->top_k);
    }
    jw_object_end(w);
}

static void write_format(struct up *u) {
    const struct chat_request *r = u->r;
    jw *w = u->w;
    if (r->format == FORMAT_JSON) chat_lose(u->acc, false, "response_format (asked for in words)");
    if (r->format != FORMAT_SCHEMA) return;
    jw_kobject(w, "outputConfig");
    jw_kobject(w, "textFormat");
    jw_kstr(w, "type", STR("json_schema"));
    jw_kobject(w, "structure");
    jw_kobject(w, "jsonSchema");
    jw_kjt(w, "name", jt_has(r->schema_name) ? r->schema_name : JT("answer"));
    jw_kstr(w, "schema", chat_schema(u->acc, r->schema)); /* as text */
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
}

static void lose_foreign(struct up *u) {
    const struct chat_request *r = u->r;
    if (r->n > 1) chat_lose(u->acc, true, "n");
    if (r->seed.n) chat_lose(u->acc, true, "seed");
    if (r->logprobs) chat_lose(u->acc, true, "logprobs");
    chat_lose_penalties(r, u->acc);
    if (jt_has(r->user)) chat_lose(u->acc, false, "user");
    if (jt_has(r->service_tier)) chat_lose(u->acc, true, "service_tier");
}

static void write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                          jw *w) {
    struct up u = {.r = r, .acc = acc, .w = w};
    bool claude = str_find(to->model, STR("claude")) >= 0;
    bool thinking = claude && r->effort > EFFORT_OFF && r->tool_choice != TOOLS_ANY &&
                    r->tool_choice != TOOLS_NAMED && (!r->max_tokens || r->max_tokens > 1024);
    jw_object(w);
    write_system(&u);
    write_messages(&u);
    write_tools(&u);
    write_inference(&u, thinking);
    write_additional(&u, claude, thinking);
    write_format(&u);
    lose_foreign(&u);
    jw_object_end(w);
}

/* ---- reading answers ---- */

static const struct {
    str word;
    enum finish finish;
} finishes[] = {
    {STR_INIT("end_turn"), FINISH_STOP},           {STR_INIT("stop_sequence"), FINISH_STOP},
    {STR_INIT("max_tokens"), FINISH_LENGTH},       {STR_INIT("model_context_window_exceeded"), FINISH_LENGTH},
    {STR_INIT("tool_use"), FINISH_TOOLS},          {STR_INIT("guardrail_intervened"), FINISH_FILTER},
    {STR_INIT("content_filtered"), FINISH_FILTER},
};

static enum finish finish_of(jval reason) {
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++)
        if (json_is(reason, finishes[i].word)) return finishes[i].finish;
    return reason.type == J_STRING ? FINISH_OTHER : FINISH_NONE;
}

static bool take(jval usage, const char *key, int64_t *to, struct usage *u) {
    jval v = json_get(usage, str_from(key));
    int64_t n;
    if (!jv_has(v)) return false;
    if (!json_i64(v, &n) || n < 0) {
        u->suspect = true;
        return false;
    }
    *to = n;
    return true;
}

bool bedrock_usage(jval usage, struct usage *u) {
    int64_t *n = u->units, total = 0, hour = 0, part;
    jval details = json_get(usage, STR("cacheDetails")), d;
    if (usage.type != J_OBJECT || !take(usage, "inputTokens", &n[USAGE_INPUT], u)) return false;
    take(usage, "outputTokens", &n[USAGE_OUTPUT], u);
    if (!take(usage, "cacheReadInputTokens", &n[USAGE_CACHED_INPUT], u))
        take(usage, "cacheReadInputTokenCount", &n[USAGE_CACHED_INPUT], u);
    if (!take(usage, "cacheWriteInputTokens", &n[USAGE_CACHE_WRITE_5M], u))
        take(usage, "cacheWriteInputTokenCount", &n[USAGE_CACHE_WRITE_5M], u);
    for (jiter it = json_iter(details); details.type == J_ARRAY && json_item(&it, &d);)
        if (json_is(json_get(d, STR("ttl")), STR("1h")) && json_i64(json_get(d, STR("inputTokens")), &part) &&
            part > 0)
            hour += part;
    if (hour > n[USAGE_CACHE_WRITE_5M])
        u->suspect = true;
    else
        n[USAGE_CACHE_WRITE_1H] = hour, n[USAGE_CACHE_WRITE_5M] -= hour;
    u->source = TOKENS_PROVIDER;
    if (take(usage, "totalTokens", &total, u) && total != chat_in(u) + chat_out(u)) u->suspect = true;
    return true;
}

static void put_signature(struct chat_reader *r, jtext s) {
    if (jt_has(s))
        chat_put(r, (struct chat_event){.type = CE_SIGNATURE, .text = chat_sign(r->scratch, CHAT_BEDROCK, s)});
}

static void put_redacted(struct chat_reader *r, jtext s) {
    if (jt_has(s))
        chat_put(r, (struct chat_event){
                        .type = CE_THINKING, .redacted = true, .text = chat_sign(r->scratch, CHAT_BEDROCK, s)});
}

static void end_call(struct chat_reader *r, int call) {
    chat_put(r, (struct chat_event){.type = CE_CALL_END, .call = (uint16_t)call});
}

static int begin_call(struct chat_reader *r, uint32_t index, jval use) {
    if (json_is(json_get(use, STR("type")), STR("server_tool_use"))) return -1; /* the provider's own */
    return chat_put_call(r, 0, index, jt(json_get(use, STR("toolUseId"))), jt(json_get(use, STR("name"))),
                         JT_NONE);
}

static void read_block(struct chat_reader *r, jval b) {
    jval use = json_get(b, STR("toolUse")), thought = json_get(b, STR("reasoningContent"));
    jval cited = json_path(b, "citationsContent", "content", NULL), c;
    chat_put_text(r, CE_TEXT, 0, jt(json_get(b, STR("text"))));
    for (jiter it = json_iter(cited); cited.type == J_ARRAY && json_item(&it, &c);)
        chat_put_text(r, CE_TEXT, 0, jt(json_get(c, STR("text"))));
    if (thought.type == J_OBJECT) {
        chat_put_text(r, CE_THINKING, 0, jt(json_path(thought, "reasoningText", "text", NULL)));
        put_signature(r, jt(json_path(thought, "reasoningText", "signature", NULL)));
        put_redacted(r, jt(json_get(thought, STR("redactedContent"))));
    }
    if (use.type != J_OBJECT) return;
    int call = begin_call(r, UINT32_MAX, use);
    jval input = json_get(use, STR("input"));
    if (call < 0) return;
    chat_put_args(r, 0, (unsigned)call, chat_escape(r->scratch, input.type == J_OBJECT ? input.raw : STR("{}")));
    end_call(r, call);
}

static bool read_answer(struct chat_reader *r, jval root) {
    jval content = json_path(root, "output", "message", "content", NULL), b;
    if (json_get(root, STR("output")).type != J_OBJECT) return false;
    bedrock_usage(json_get(root, STR("usage")), &r->usage);
    usage_tier(json_path(root, "serviceTier", "type", NULL), &r->usage);
    chat_put_start(r, JT_NONE, JT_NONE);
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &b);) read_block(r, b);
    chat_put_finish(r, 0, finish_of(json_get(root, STR("stopReason"))), JT_NONE);
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
    return true;
}

/* ---- reading streams ---- */

static void read_delta(struct chat_reader *r, uint32_t index, jval d) {
    jval use = json_get(d, STR("toolUse")), thought = json_get(d, STR("reasoningContent"));
    chat_put_text(r, CE_TEXT, 0, jt(json_get(d, STR("text"))));
    if (use.type == J_OBJECT) {
        int call = chat_call_at(r, index);
        if (call >= 0) chat_put_args(r, 0, (unsigned)call, jt(json_get(use, STR("input"))));
    }
    if (thought.type == J_OBJECT) {
        chat_put_text(r, CE_THINKING, 0, jt(json_get(thought, STR("text"))));
        put_signature(r, jt(json_get(thought, STR("signature"))));
        put_redacted(r, jt(json_get(thought, STR("redactedContent"))));
    }
}

static int status_of(str name) {
    static const struct {
        const char *word;
        int status;
    } known[] = {{"hrottling", 429},    {"alidation", 400},         {"ccessDenied", 403},
                 {"NotFound", 404},     {"erviceUnavailable", 503}, {"odelTimeout", 504},
                 {"odelNotReady", 503}, {"nrecognizedClient", 403}, {"ServiceQuota", 429}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_find(name, str_from(known[i].word)) >= 0) return known[i].status;
    return 500;
}

static void read_error(struct chat_error *e, jval root, arena *a) {
    jval message = json_get(root, STR("message"));
    if (message.type != J_STRING) message = json_get(root, STR("Message"));
    e->message = json_text(message, a);
    e->type = json_text(json_get(root, STR("__type")), a);
}

static bool read_event(struct chat_reader *r, str event, jval root) {
    int64_t index = 0;
    json_i64(json_get(root, STR("contentBlockIndex")), &index);
    chat_put_start(r, JT_NONE, JT_NONE);
    if (str_eqz(event, "contentBlockDelta")) {
        read_delta(r, (uint32_t)index, json_get(root, STR("delta")));
    } else if (str_eqz(event, "contentBlockStart")) {
        jval use = json_path(root, "start", "toolUse", NULL);
        if (use.type == J_OBJECT) begin_call(r, (uint32_t)index, use);
    } else if (str_eqz(event, "contentBlockStop")) {
        int call = chat_call_at(r, (uint32_t)index);
        if (call >= 0) end_call(r, call);
    } else if (str_eqz(event, "messageStop")) {
        chat_put_finish(r, 0, finish_of(json_get(root, STR("stopReason"))), JT_NONE);
    } else if (str_eqz(event, "metadata")) {
        bedrock_usage(json_get(root, STR("usage")), &r->usage);
        usage_tier(json_path(root, "serviceTier", "type", NULL), &r->usage);
        r->ended = true;
    } else if (str_ends(event, STR("xception")) || str_ends(event, STR("rror"))) {
        struct chat_error e = {.retry_ms = -1, .status = status_of(event)};
        read_error(&e, root, r->scratch);
        e.type = arena_str(r->scratch, event);
        if (!e.message.n) e.message = e.type;
        chat_put_error(r, &e);
    }
    return true;
}

const struct chat_ops chat_bedrock_ops = {
    .name = "Bedrock Converse",
    .write_request = write_request,
    .read_answer = read_answer,
    .read_event = read_event,
    .read_error = read_error,
};
