/* anthropic: Messages answers, streams and errors.
 *
 * Usage: input_tokens excludes what was read from and written to the cache, so the numbers are priced
 * lines already. In a stream message_start has the input side and message_delta the final word, which
 * in older streams is about output only: fields are taken one by one, whichever event has them. */
#include "chat/chat_int.h"
#include "chat/openai.h"

enum { BLOCK_NONE = -1, BLOCK_TEXT, BLOCK_THINKING, BLOCK_CALL };

/* ---- finish ---- */

static const struct {
    str word;
    enum finish finish;
} finishes[] = {
    {STR_INIT("end_turn"), FINISH_STOP},     {STR_INIT("stop_sequence"), FINISH_STOP},
    {STR_INIT("max_tokens"), FINISH_LENGTH}, {STR_INIT("model_context_window_exceeded"), FINISH_LENGTH},
    {STR_INIT("tool_use"), FINISH_TOOLS},    {STR_INIT("refusal"), FINISH_FILTER},
    {STR_INIT("pause_turn"), FINISH_OTHER},
};

static enum finish finish_of(jval reason) {
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++)
        if (json_is(reason, finishes[i].word)) return finishes[i].finish;
    return reason.type == J_STRING ? FINISH_OTHER : FINISH_NONE;
}

static const char *finish_word(uint8_t finish, jtext stop) {
    switch (finish) {
    case FINISH_LENGTH: return "max_tokens";
    case FINISH_TOOLS: return "tool_use";
    case FINISH_FILTER: return "refusal";
    default: return jt_has(stop) ? "stop_sequence" : "end_turn";
    }
}

/* ---- error types; of two for one status the first is written ---- */

static const struct {
    int status;
    str type;
} error_types[] = {
    {400, STR_INIT("invalid_request_error")}, {401, STR_INIT("authentication_error")},
    {402, STR_INIT("billing_error")},         {403, STR_INIT("permission_error")},
    {404, STR_INIT("not_found_error")},       {413, STR_INIT("request_too_large")},
    {429, STR_INIT("rate_limit_error")},      {500, STR_INIT("api_error")},
    {504, STR_INIT("timeout_error")},         {529, STR_INIT("overloaded_error")},
    {503, STR_INIT("overloaded_error")},
};

/* ---- usage ---- */

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

static bool read_counts(jval usage, struct usage *u) {
    int64_t written, *n = u->units, made = n[USAGE_OUTPUT] + n[USAGE_REASONING];
    bool any = take(usage, "input_tokens", &n[USAGE_INPUT], u);
    any |= take(usage, "output_tokens", &made, u);
    take(json_get(usage, STR("output_tokens_details")), "thinking_tokens", &n[USAGE_REASONING], u);
    if (n[USAGE_REASONING] > made) {
        u->suspect = true;
        n[USAGE_REASONING] = 0;
    }
    n[USAGE_OUTPUT] = made - n[USAGE_REASONING];
    any |= take(usage, "cache_read_input_tokens", &n[USAGE_CACHED_INPUT], u);
    jval split = json_get(usage, STR("cache_creation"));
    if (split.type == J_OBJECT) {
        take(split, "ephemeral_5m_input_tokens", &n[USAGE_CACHE_WRITE_5M], u);
        take(split, "ephemeral_1h_input_tokens", &n[USAGE_CACHE_WRITE_1H], u);
    }
    if (take(usage, "cache_creation_input_tokens", &written, u)) {
        if (n[USAGE_CACHE_WRITE_5M] + n[USAGE_CACHE_WRITE_1H] != written) {
            if (split.type == J_OBJECT) u->suspect = true;
            if (n[USAGE_CACHE_WRITE_1H] > written) n[USAGE_CACHE_WRITE_1H] = 0;
            n[USAGE_CACHE_WRITE_5M] = written - n[USAGE_CACHE_WRITE_1H];
        }
    }
    return any;
}

/* The totals leave out what the summary of a long conversation took; it is billed all the same. (What an advisor,
 * a model of its own, took is left out too: it has other prices.) */
static void add_compactions(jval iterations, struct usage *u) {
    jval one;
    for (jiter it = json_iter(iterations); iterations.type == J_ARRAY && json_item(&it, &one);) {
        struct usage c = {0};
        if (one.type != J_OBJECT || !json_is(json_get(one, STR("type")), STR("compaction"))) continue;
        read_counts(one, &c);
        for (unsigned i = 0; i < USAGE_CLASSES; i++) u->units[i] += c.units[i];
        u->suspect |= c.suspect;
    }
}

bool anthropic_usage(jval usage, struct usage *u) {
    if (usage.type != J_OBJECT) return false;
    bool any = read_counts(usage, u);
    add_compactions(json_get(usage, STR("iterations")), u);
    take(json_get(usage, STR("server_tool_use")), "web_search_requests", &u->units[USAGE_SEARCH], u);
    usage_tier(json_get(usage, STR("service_tier")), u);
    if (any) u->source = TOKENS_PROVIDER;
    return any;
}

static void write_usage_members(const struct usage *u, jw *w) {
    const int64_t *n = u->units;
    jw_ki64(w, "input_tokens",
            chat_in(u) - n[USAGE_CACHED_INPUT] - n[USAGE_CACHED_AUDIO] - n[USAGE_CACHE_WRITE_5M] -
                n[USAGE_CACHE_WRITE_1H]);
    jw_ki64(w, "cache_creation_input_tokens", n[USAGE_CACHE_WRITE_5M] + n[USAGE_CACHE_WRITE_1H]);
    jw_ki64(w, "cache_read_input_tokens", n[USAGE_CACHED_INPUT] + n[USAGE_CACHED_AUDIO]);
    jw_ki64(w, "output_tokens", chat_out(u));
}

static void write_usage(const struct usage *u, jw *w) {
    jw_kobject(w, "usage");
    write_usage_members(u, w);
    jw_kobject(w, "cache_creation");
    jw_ki64(w, "ephemeral_5m_input_tokens", u->units[USAGE_CACHE_WRITE_5M]);
    jw_ki64(w, "ephemeral_1h_input_tokens", u->units[USAGE_CACHE_WRITE_1H]);
    jw_object_end(w);
    jw_knull(w, "server_tool_use");
    jw_kstr(w, "service_tier", STR("standard"));
    jw_object_end(w);
}

/* ---- reading: whole ---- */

static void put_signature(struct chat_reader *r, jtext signature) {
    if (jt_has(signature))
        chat_put(r, (struct chat_event){.type = CE_SIGNATURE,
                                        .text = chat_sign(r->scratch, CHAT_ANTHROPIC, signature)});
}

static void put_redacted(struct chat_reader *r, jtext data) {
    chat_put(r, (struct chat_event){
                    .type = CE_THINKING, .redacted = true, .text = chat_sign(r->scratch, CHAT_ANTHROPIC, data)});
}

static void end_call(struct chat_reader *r, int call) {
    chat_put(r, (struct chat_event){.type = CE_CALL_END, .call = (uint16_t)call});
}

static bool is_empty_object(jval v) {
    str k;
    bool esc;
    jval in;
    jiter it = json_iter(v);
    return v.type != J_OBJECT || !json_next(&it, &k, &esc, &in);
}

static void read_block(struct chat_reader *r, jval b) {
    jval type = json_get(b, STR("type"));
    if (json_is(type, STR("text"))) {
        chat_put_text(r, CE_TEXT, 0, jt(json_get(b, STR("text"))));
    } else if (json_is(type, STR("thinking"))) {
        chat_put_text(r, CE_THINKING, 0, jt(json_get(b, STR("thinking"))));
        put_signature(r, jt(json_get(b, STR("signature"))));
    } else if (json_is(type, STR("redacted_thinking"))) {
        put_redacted(r, jt(json_get(b, STR("data"))));
    } else if (json_is(type, STR("tool_use"))) {
        int call =
            chat_put_call(r, 0, UINT32_MAX, jt(json_get(b, STR("id"))), jt(json_get(b, STR("name"))), JT_NONE);
        jval input = json_get(b, STR("input"));
        if (call < 0) return;
        chat_put_args(r, 0, (unsigned)call,
                      chat_escape(r->scratch, input.type == J_OBJECT ? input.raw : STR("{}")));
        end_call(r, call);
    } /* what the provider's own tools did (searches, code) has no form elsewhere */
}

static bool read_answer(struct chat_reader *r, jval root) {
    jval content = json_get(root, STR("content")), b;
    if (!json_is(json_get(root, STR("type")), STR("message")) || content.type != J_ARRAY) return false;
    anthropic_usage(json_get(root, STR("usage")), &r->usage);
    chat_put_start(r, jt(json_get(root, STR("id"))), jt(json_get(root, STR("model"))));
    for (jiter it = json_iter(content); json_item(&it, &b);) read_block(r, b);
    chat_put_finish(r, 0, finish_of(json_get(root, STR("stop_reason"))), jt(json_get(root, STR("stop_sequence"))));
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
    return true;
}

/* ---- reading: streamed ---- */

static void read_block_start(struct chat_reader *r, uint32_t index, jval b) {
    jval type = json_get(b, STR("type")), input = json_get(b, STR("input"));
    if (json_is(type, STR("tool_use"))) {
        int call = chat_put_call(r, 0, index, jt(json_get(b, STR("id"))), jt(json_get(b, STR("name"))), JT_NONE);
        if (call >= 0 && !is_empty_object(input))
            chat_put_args(r, 0, (unsigned)call, chat_escape(r->scratch, input.raw));
    } else {
        read_block(r, b); /* text that stands in the start already; redacted thinking does */
    }
}

static void read_delta(struct chat_reader *r, uint32_t index, jval d) {
    jval type = json_get(d, STR("type"));
    if (json_is(type, STR("text_delta"))) {
        chat_put_text(r, CE_TEXT, 0, jt(json_get(d, STR("text"))));
    } else if (json_is(type, STR("input_json_delta"))) {
        int call = chat_call_at(r, index);
        if (call >= 0) chat_put_args(r, 0, (unsigned)call, jt(json_get(d, STR("partial_json"))));
    } else if (json_is(type, STR("thinking_delta"))) {
        chat_put_text(r, CE_THINKING, 0, jt(json_get(d, STR("thinking"))));
    } else if (json_is(type, STR("signature_delta"))) {
        put_signature(r, jt(json_get(d, STR("signature"))));
    }
}

static void read_stop(struct chat_reader *r, jval root) {
    jval d = json_get(root, STR("delta"));
    anthropic_usage(json_get(root, STR("usage")), &r->usage);
    if (jv_has(json_get(d, STR("stop_reason"))))
        chat_put_finish(r, 0, finish_of(json_get(d, STR("stop_reason"))), jt(json_get(d, STR("stop_sequence"))));
}

static void read_error(struct chat_error *e, jval root, arena *a) {
    jval error = json_get(root, STR("error"));
    if (error.type != J_OBJECT) {
        openai_read_error(e, root, a);
        return;
    }
    e->type = json_text(json_get(error, STR("type")), a);
    e->message = json_text(json_get(error, STR("message")), a);
    for (size_t i = 0; !e->status && i < sizeof error_types / sizeof *error_types;
         i++) /* in a stream there is none */
        if (str_eq(e->type, error_types[i].type)) e->status = error_types[i].status;
}

static bool read_event(struct chat_reader *r, str event, jval root) {
    enum { TYPE, MESSAGE, INDEX, BLOCK, DELTA, COUNT };
    static const str names[COUNT] = {STR_INIT("type"), STR_INIT("message"), STR_INIT("index"),
                                     STR_INIT("content_block"), STR_INIT("delta")};
    jval f[COUNT];
    chat_pick(root, names, f, COUNT);
    jval type = f[TYPE], message = f[MESSAGE];
    int64_t index = 0;
    (void)event;
    json_i64(f[INDEX], &index);
    if (json_is(type, STR("message_start")) && r->block >= 0 &&
        !r->tap) { /* what went before it was cut: never one answer */
        struct chat_error e = {
            .retry_ms = -1, .status = 502, .message = STR("A second answer began within the first.")};
        chat_put_error(r, &e);
    } else if (json_is(type, STR("message_start"))) {
        anthropic_usage(json_get(message, STR("usage")), &r->usage);
        chat_put_usage(r);
        chat_put_start(r, jt(json_get(message, STR("id"))), jt(json_get(message, STR("model"))));
    } else if (json_is(type, STR("content_block_start"))) {
        r->block = (int32_t)index;
        read_block_start(r, (uint32_t)index, f[BLOCK]);
    } else if (json_is(type, STR("content_block_delta"))) {
        read_delta(r, (uint32_t)index, f[DELTA]);
    } else if (json_is(type, STR("content_block_stop"))) {
        int call = chat_call_at(r, (uint32_t)index);
        if (call >= 0) end_call(r, call);
    } else if (json_is(type, STR("message_delta"))) {
        read_stop(r, root);
    } else if (json_is(type, STR("message_stop"))) {
        chat_put_usage(r);
        chat_put(r, (struct chat_event){.type = CE_END});
    } else if (json_is(type, STR("error"))) {
        struct chat_error e = {.retry_ms = -1};
        read_error(&e, root, r->scratch);
        chat_put_error(r, &e);
    }
    return true;
}

/* ---- writing: whole ---- */

static void write_part(const struct chat_part *p, jw *w) {
    if (p->type == PART_TEXT || p->type == PART_REFUSAL) {
        if (!jt_has(p->text)) return;
        jw_object(w);
        jw_kstr(w, "type", STR("text"));
        jw_kjt(w, "text", p->text);
        jw_object_end(w);
    } else if (p->type == PART_THINKING) {
        jw_object(w);
        jw_kstr(w, "type", p->redacted ? STR("redacted_thinking") : STR("thinking"));
        jw_kjt(w, p->redacted ? "data" : "thinking", p->text);
        if (!p->redacted) jw_kjt(w, "signature", p->signature);
        jw_object_end(w);
    } else if (p->type == PART_CALL) {
        if (jt_has(p->signature)) { /* a signature of the call itself (Gemini): has a place in thinking only */
            jw_raw(w, STR("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\""));
            buf_str(w->b, p->signature.raw);
            buf_strz(w->b, "\"}");
        }
        jw_object(w);
        jw_kstr(w, "type", STR("tool_use"));
        jw_kjt(w, "id", p->id);
        jw_kjt(w, "name", p->name);
        jw_key(w, "input");
        jw_raw(w, p->args);
        jw_object_end(w);
    }
}

static void write_answer(const struct chat_answer *ans, str model, uint64_t seed, int64_t created, jw *w) {
    const struct chat_choice *c = &ans->choice[0];
    (void)created;
    jw_object(w);
    jw_kjt(w, "id", jt_has(ans->id) ? ans->id : chat_mint_id(ans->a, "msg_", seed, 0));
    jw_kstr(w, "type", STR("message"));
    jw_kstr(w, "role", STR("assistant"));
    jw_kstr(w, "model", model);
    jw_karray(w, "content");
    for (const struct chat_part *p = c->parts; p; p = p->next) write_part(p, w);
    jw_array_end(w);
    jw_kstr(w, "stop_reason", str_from(finish_word(c->finish, c->stop)));
    jw_key(w, "stop_sequence");
    if (jt_has(c->stop))
        jw_jt(w, c->stop);
    else
        jw_null(w);
    write_usage(&ans->usage, w);
    jw_object_end(w);
}

/* ---- writing: streamed ---- */

static void event_begin(struct chat_writer *c, const char *type, jw *w) {
    frame_begin(c, type, w);
    jw_object(w);
    jw_kstr(w, "type", str_from(type));
}

static void event_end(struct chat_writer *c, jw *w) {
    jw_object_end(w);
    frame_end(c);
}

static void block_close(struct chat_writer *c) {
    jw w;
    if (c->open == BLOCK_NONE) return;
    event_begin(c, "content_block_stop", &w);
    jw_ki64(&w, "index", (int64_t)c->blocks - 1);
    event_end(c, &w);
    c->open = BLOCK_NONE;
}

/* content_block_start with the block's first members written by `kind`. */
static void block_open(struct chat_writer *c, int kind, const struct chat_event *ev) {
    jw w;
    block_close(c);
    event_begin(c, "content_block_start", &w);
    jw_ki64(&w, "index", c->blocks);
    jw_kobject(&w, "content_block");
    switch (kind) {
    case BLOCK_TEXT:
        jw_kstr(&w, "type", STR("text"));
        jw_kjt(&w, "text", JT_NONE);
        break;
    case BLOCK_THINKING:
        jw_kstr(&w, "type", ev->redacted ? STR("redacted_thinking") : STR("thinking"));
        jw_kjt(&w, ev->redacted ? "data" : "thinking", ev->redacted ? ev->text : JT_NONE);
        if (!ev->redacted) jw_kjt(&w, "signature", JT_NONE);
        break;
    default:
        jw_kstr(&w, "type", STR("tool_use"));
        jw_kjt(&w, "id", ev->id);
        jw_kjt(&w, "name", ev->name);
        jw_kobject(&w, "input");
        jw_object_end(&w);
    }
    jw_object_end(&w);
    event_end(c, &w);
    if (c->blocks++ == 0) buf_strz(c->out, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    c->open = kind;
}

static void delta(struct chat_writer *c, const char *type, const char *key, jtext text) {
    jw w;
    event_begin(c, "content_block_delta", &w);
    jw_ki64(&w, "index", (int64_t)c->blocks - 1);
    jw_kobject(&w, "delta");
    jw_kstr(&w, "type", str_from(type));
    jw_kjt(&w, key, text);
    jw_object_end(&w);
    event_end(c, &w);
}

static void write_start(struct chat_writer *c, const struct chat_event *ev) {
    jw w;
    struct usage u = c->usage;
    if (!c->has_usage && c->request) u.units[USAGE_INPUT] = c->request->input_estimate;
    event_begin(c, "message_start", &w);
    jw_kobject(&w, "message");
    jw_kjt(&w, "id", jt_has(ev->id) ? ev->id : chat_mint_id(c->a, "msg_", c->seed, 0));
    jw_kstr(&w, "type", STR("message"));
    jw_kstr(&w, "role", STR("assistant"));
    jw_kstr(&w, "model", c->model);
    jw_karray(&w, "content");
    jw_array_end(&w);
    jw_knull(&w, "stop_reason");
    jw_knull(&w, "stop_sequence");
    write_usage(&u, &w);
    jw_object_end(&w);
    event_end(c, &w);
    c->begun = true;
}

static void write_end(struct chat_writer *c) {
    jw w;
    block_close(c);
    event_begin(c, "message_delta", &w);
    jw_kobject(&w, "delta");
    jw_kstr(&w, "stop_reason", str_from(finish_word(c->finish, c->stop)));
    jw_key(&w, "stop_sequence");
    if (jt_has(c->stop))
        jw_jt(&w, c->stop);
    else
        jw_null(&w);
    jw_object_end(&w);
    jw_kobject(&w, "usage");
    write_usage_members(&c->usage, &w);
    jw_object_end(&w);
    event_end(c, &w);
    event_begin(c, "message_stop", &w);
    event_end(c, &w);
}

static void write_thinking(struct chat_writer *c, const struct chat_event *ev) {
    if (ev->redacted) {
        block_open(c, BLOCK_THINKING, ev);
        block_close(c);
        return;
    }
    if (c->open != BLOCK_THINKING) block_open(c, BLOCK_THINKING, ev);
    if (ev->type == CE_THINKING)
        delta(c, "thinking_delta", "thinking", ev->text);
    else
        delta(c, "signature_delta", "signature", ev->text);
    if (ev->type == CE_SIGNATURE) block_close(c);
}

static void write_error(const struct chat_error *e, jw *w);

static void write_event(struct chat_writer *c, const struct chat_event *ev) {
    jw w;
    if (ev->choice != 0) return; /* one choice is all this dialect has */
    switch (ev->type) {
    case CE_START: write_start(c, ev); break;
    case CE_TEXT:
    case CE_REFUSAL:
        if (c->open != BLOCK_TEXT) block_open(c, BLOCK_TEXT, ev);
        delta(c, "text_delta", "text", ev->text);
        break;
    case CE_THINKING:
    case CE_SIGNATURE: write_thinking(c, ev); break;
    case CE_CALL:
        if (jt_has(ev->signature)) {
            struct chat_event sign = {.type = CE_SIGNATURE, .text = ev->signature};
            write_thinking(c, &sign);
        }
        block_open(c, BLOCK_CALL, ev);
        break;
    case CE_ARGS: delta(c, "input_json_delta", "partial_json", ev->text); break;
    case CE_CALL_END:
        if (c->open == BLOCK_CALL) block_close(c);
        break;
    case CE_FINISH:
        c->finish = ev->finish;
        c->stop = (jtext){arena_str(c->a, ev->text.raw)};
        break;
    case CE_ERROR:
        frame_begin(c, "error", &w);
        write_error(ev->error, &w);
        frame_end(c);
        break;
    case CE_END: write_end(c); break;
    default: break;
    }
}

/* ---- errors ---- */

static str error_type(const struct chat_error *e) {
    for (size_t i = 0; i < sizeof error_types / sizeof *error_types; i++)
        if (e->status == error_types[i].status) return error_types[i].type;
    return e->status >= 400 && e->status < 500 ? STR("invalid_request_error") : STR("api_error");
}

static void write_error(const struct chat_error *e, jw *w) {
    jw_object(w);
    jw_kstr(w, "type", STR("error"));
    jw_kobject(w, "error");
    jw_kstr(w, "type", error_type(e));
    jw_kstr(w, "message", e->message);
    jw_object_end(w);
    jw_object_end(w);
}

const struct chat_ops chat_anthropic_ops = {
    .name = "Anthropic Messages",
    .read_request = anthropic_read_request,
    .write_request = anthropic_write_request,
    .read_answer = read_answer,
    .read_event = read_event,
    .write_answer = write_answer,
    .write_event = write_event,
    .read_error = read_error,
    .write_error = write_error,
    .sequential = true,
};
