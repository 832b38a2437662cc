/* openai_chat: Chat Completions answers, streams and errors. */
#include "base/hash.h"
#include "chat/chat_int.h"
#include "chat/openai.h"

/* ---- finish ---- */

static const struct {
    str word;
    enum finish finish;
} finishes[] = {
    {STR_INIT("stop"), FINISH_STOP},
    {STR_INIT("length"), FINISH_LENGTH},
    {STR_INIT("tool_calls"), FINISH_TOOLS},
    {STR_INIT("content_filter"), FINISH_FILTER},
    {STR_INIT("function_call"), FINISH_TOOLS},
    {STR_INIT("max_tokens"), FINISH_LENGTH},
    {STR_INIT("model_length"), FINISH_LENGTH},
    {STR_INIT("eos"), FINISH_STOP},
    {STR_INIT("end_turn"), FINISH_STOP},
    {STR_INIT("tool_use"), FINISH_TOOLS},
    {STR_INIT(""), FINISH_STOP},
};

enum finish openai_finish(jval reason) {
    if (reason.type != J_STRING) return FINISH_NONE;
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++)
        if (json_is(reason, finishes[i].word)) return finishes[i].finish;
    return FINISH_OTHER;
}

const char *openai_finish_word(uint8_t finish) {
    switch (finish) {
    case FINISH_LENGTH: return "length";
    case FINISH_TOOLS: return "tool_calls";
    case FINISH_FILTER: return "content_filter";
    default: return "stop";
    }
}

/* ---- reading: what messages and deltas share ---- */

static void read_text(struct chat_reader *r, enum chat_event_type type, unsigned choice, jval v) {
    if (v.type == J_STRING) chat_put_text(r, type, choice, jt(v));
}

/* Mistral's content may be parts: text, and thinking that holds text parts. */
static void read_content(struct chat_reader *r, unsigned choice, jval v) {
    jval part, inner;
    if (v.type == J_STRING) read_text(r, CE_TEXT, choice, v);
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &part);) {
        jval thinking = json_get(part, STR("thinking"));
        read_text(r, CE_TEXT, choice, json_get(part, STR("text")));
        if (thinking.type == J_STRING) read_text(r, CE_THINKING, choice, thinking);
        for (jiter in = json_iter(thinking); thinking.type == J_ARRAY && json_item(&in, &inner);)
            read_text(r, CE_THINKING, choice, json_get(inner, STR("text")));
    }
}

static void read_images(struct chat_reader *r, unsigned choice, jval images) { /* OpenRouter */
    jval image;
    for (jiter it = json_iter(images); images.type == J_ARRAY && json_item(&it, &image);) {
        struct chat_part p = {.type = PART_IMAGE};
        chat_media_url(&p, jt(json_path(image, "image_url", "url", NULL)));
        if (choice < CHAT_CHOICES_MAX && (jt_has(p.data) || jt_has(p.url)))
            chat_put(r, (struct chat_event){.type = CE_MEDIA, .choice = (uint16_t)choice, .part = &p});
    }
}

static void read_signature(struct chat_reader *r, unsigned choice, jval details) {
    jval d;
    for (jiter it = json_iter(details); details.type == J_ARRAY && json_item(&it, &d);) {
        jval s = json_get(d, STR("signature"));
        if (s.type == J_STRING && s.raw.n && choice < CHAT_CHOICES_MAX)
            chat_put(r, (struct chat_event){.type = CE_SIGNATURE,
                                            .choice = (uint16_t)choice,
                                            .text = chat_sign(r->scratch, CHAT_OPENAI, jt(s))});
    }
}

static int begin_call(struct chat_reader *r, unsigned choice, uint32_t index, jval call, jval function) {
    jtext sign = jt(json_path(call, "extra_content", "google", "thought_signature", NULL));
    return chat_put_call(r, choice, index, jt(json_get(call, STR("id"))), jt(json_get(function, STR("name"))),
                         chat_sign(r->scratch, CHAT_OPENAI, sign));
}

static void end_call(struct chat_reader *r, unsigned choice, int call) {
    chat_put(r, (struct chat_event){.type = CE_CALL_END, .choice = (uint16_t)choice, .call = (uint16_t)call});
}

/* Arguments are a string; some servers give the object itself, or nothing. */
static void put_arguments(struct chat_reader *r, unsigned choice, int call, jval args) {
    jtext text = args.type == J_OBJECT ? chat_escape(r->scratch, args.raw) : jt(args);
    chat_put_args(r, choice, (unsigned)call, text);
}

static void read_whole_call(struct chat_reader *r, unsigned choice, jval call, jval function) {
    int n = function.type == J_OBJECT ? begin_call(r, choice, UINT32_MAX, call, function) : -1;
    if (n < 0) return;
    put_arguments(r, choice, n, json_get(function, STR("arguments")));
    end_call(r, choice, n);
}

/* The members of a message or delta that are read; the order of `message_names`. */
enum { M_CONTENT, M_REASONING_CONTENT, M_REASONING, M_DETAILS, M_REFUSAL, M_IMAGES, M_CALLS, M_FUNCTION, M_COUNT };
static const str message_names[M_COUNT] = {STR_INIT("content"),    STR_INIT("reasoning_content"),
                                           STR_INIT("reasoning"),  STR_INIT("reasoning_details"),
                                           STR_INIT("refusal"),    STR_INIT("images"),
                                           STR_INIT("tool_calls"), STR_INIT("function_call")};

static void read_message_text(struct chat_reader *r, unsigned choice, const jval m[M_COUNT]) {
    jval thought = m[M_REASONING_CONTENT];
    if (thought.type != J_STRING || !thought.raw.n) thought = m[M_REASONING];
    read_text(r, CE_THINKING, choice, thought);
    read_signature(r, choice, m[M_DETAILS]);
    read_content(r, choice, m[M_CONTENT]);
    read_text(r, CE_REFUSAL, choice, m[M_REFUSAL]);
    read_images(r, choice, m[M_IMAGES]);
}

enum { C_INDEX, C_MESSAGE, C_DELTA, C_FINISH, C_TEXT, C_LOGPROBS, C_ERROR, C_MEMBERS };
static const str choice_names[C_MEMBERS] = {STR_INIT("index"),         STR_INIT("message"), STR_INIT("delta"),
                                            STR_INIT("finish_reason"), STR_INIT("text"),    STR_INIT("logprobs"),
                                            STR_INIT("error")};

/* OpenRouter tells in the choice that its provider failed. */
static bool choice_failed(struct chat_reader *r, jval choice, const jval c[C_MEMBERS]) {
    if (c[C_ERROR].type != J_OBJECT) return false;
    struct chat_error e = {.retry_ms = -1};
    openai_read_error(&e, choice, r->scratch);
    chat_put_error(r, &e);
    return true;
}

static unsigned choice_index(jval index) {
    int64_t i = 0;
    json_i64(index, &i);
    return i >= 0 && i < CHAT_CHOICES_MAX ? (unsigned)i : CHAT_CHOICES_MAX;
}

static void read_logprobs(struct chat_reader *r, unsigned choice, jval v) {
    if (v.type == J_OBJECT)
        chat_put(r, (struct chat_event){.type = CE_LOGPROBS, .choice = (uint16_t)choice, .json = v.raw});
}

enum { R_ID, R_MODEL, R_CHOICES, R_USAGE, R_GROQ, R_ERROR, R_TIER, R_MEMBERS };
static const str root_names[R_MEMBERS] = {STR_INIT("id"),          STR_INIT("model"),  STR_INIT("choices"),
                                          STR_INIT("usage"),       STR_INIT("x_groq"), STR_INIT("error"),
                                          STR_INIT("service_tier")};

static void take_usage(struct chat_reader *r, const jval root[R_MEMBERS]) {
    jval u = root[R_USAGE];
    if (u.type != J_OBJECT) u = json_get(root[R_GROQ], STR("usage"));
    openai_usage(u, &r->usage);
    usage_tier(root[R_TIER], &r->usage);
    if (u.type == J_OBJECT) usage_tier(json_get(u, STR("service_tier")), &r->usage); /* Mistral */
}

/* ---- reading: whole ---- */

static void read_whole_choice(struct chat_reader *r, jval choice) {
    jval c[C_MEMBERS], m[M_COUNT], call;
    chat_pick(choice, choice_names, c, C_MEMBERS);
    chat_pick(c[C_MESSAGE], message_names, m, M_COUNT);
    unsigned i = choice_index(c[C_INDEX]);
    if (i >= CHAT_CHOICES_MAX || choice_failed(r, choice, c)) return;
    read_text(r, CE_TEXT, i, c[C_TEXT]); /* legacy completions */
    read_message_text(r, i, m);
    for (jiter it = json_iter(m[M_CALLS]); m[M_CALLS].type == J_ARRAY && json_item(&it, &call);)
        read_whole_call(r, i, call, json_get(call, STR("function")));
    if (m[M_FUNCTION].type == J_OBJECT) read_whole_call(r, i, m[M_FUNCTION], m[M_FUNCTION]);
    read_logprobs(r, i, c[C_LOGPROBS]);
    chat_put_finish(r, i, openai_finish(c[C_FINISH]), JT_NONE);
}

static bool read_answer(struct chat_reader *r, jval object) {
    jval root[R_MEMBERS], c;
    chat_pick(object, root_names, root, R_MEMBERS);
    if (root[R_CHOICES].type != J_ARRAY) return false;
    take_usage(r, root);
    chat_put_start(r, jt(root[R_ID]), jt(root[R_MODEL]));
    for (jiter it = json_iter(root[R_CHOICES]); json_item(&it, &c);) read_whole_choice(r, c);
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
    return true;
}

/* ---- reading: streamed ---- */

/* A piece of a call: by index; by a new id where servers give every call index 0; a name without an
 * index is a call of its own. */
static void read_call_delta(struct chat_reader *r, unsigned choice, jval v) {
    int64_t index = -1;
    jval function = json_get(v, STR("function")), id = json_get(v, STR("id")),
         name = json_get(function, STR("name"));
    bool named = name.type == J_STRING && name.raw.n;
    int call = -1;
    if (json_i64(json_get(v, STR("index")), &index) && index >= 0)
        call = choice == 0 ? chat_call_at(r, (uint32_t)index) : index < r->calls[choice] ? (int)index : -1;
    else if (!named)
        call = r->calls[choice] - 1;
    bool other = call >= 0 && choice == 0 && named && id.type == J_STRING && id.raw.n &&
                 r->open_id[call] != (uint32_t)fingerprint(id.raw);
    if (call < 0 || other) call = named ? begin_call(r, choice, (uint32_t)index, v, function) : -1;
    if (call >= 0) put_arguments(r, choice, call, json_get(function, STR("arguments")));
}

static void read_legacy_delta(struct chat_reader *r, unsigned choice, jval f) {
    jval name = json_get(f, STR("name"));
    if (name.type == J_STRING && name.raw.n) begin_call(r, choice, 0, f, f);
    if (r->calls[choice]) put_arguments(r, choice, r->calls[choice] - 1, json_get(f, STR("arguments")));
}

static void read_choice(struct chat_reader *r, jval choice) {
    jval c[C_MEMBERS], d[M_COUNT], call;
    chat_pick(choice, choice_names, c, C_MEMBERS);
    chat_pick(c[C_DELTA], message_names, d, M_COUNT);
    unsigned i = choice_index(c[C_INDEX]);
    if (i >= CHAT_CHOICES_MAX) return;
    read_text(r, CE_TEXT, i, c[C_TEXT]);
    read_message_text(r, i, d);
    for (jiter it = json_iter(d[M_CALLS]); d[M_CALLS].type == J_ARRAY && json_item(&it, &call);)
        read_call_delta(r, i, call);
    if (d[M_FUNCTION].type == J_OBJECT) read_legacy_delta(r, i, d[M_FUNCTION]);
    read_logprobs(r, i, c[C_LOGPROBS]);
    if (choice_failed(r, choice, c) || c[C_FINISH].type != J_STRING) return;
    for (int k = 0; k < r->calls[i]; k++) end_call(r, i, k);
    chat_put_finish(r, i, openai_finish(c[C_FINISH]), JT_NONE);
}

static bool read_event(struct chat_reader *r, str event, jval object) {
    jval root[R_MEMBERS], c;
    (void)event;
    chat_pick(object, root_names, root, R_MEMBERS);
    if (root[R_ERROR].type == J_OBJECT || root[R_ERROR].type == J_STRING) {
        struct chat_error e = {.status = 0, .retry_ms = -1};
        openai_read_error(&e, object, r->scratch);
        chat_put_error(r, &e);
        return true;
    }
    take_usage(r, root);
    if (root[R_CHOICES].type != J_ARRAY) return true; /* unknown events are nobody's business */
    chat_put_start(r, jt(root[R_ID]), jt(root[R_MODEL]));
    for (jiter it = json_iter(root[R_CHOICES]); json_item(&it, &c);) read_choice(r, c);
    return true;
}

/* ---- writing: usage ---- */

static void write_usage(const struct usage *u, jw *w) {
    const int64_t *n = u->units;
    jw_kobject(w, "usage");
    jw_ki64(w, "prompt_tokens", chat_in(u));
    jw_ki64(w, "completion_tokens", chat_out(u));
    jw_ki64(w, "total_tokens", chat_in(u) + chat_out(u));
    jw_kobject(w, "prompt_tokens_details");
    jw_ki64(w, "cached_tokens", n[USAGE_CACHED_INPUT] + n[USAGE_CACHED_AUDIO]);
    if (n[USAGE_CACHE_WRITE_5M] + n[USAGE_CACHE_WRITE_1H])
        jw_ki64(w, "cache_write_tokens", n[USAGE_CACHE_WRITE_5M] + n[USAGE_CACHE_WRITE_1H]);
    jw_ki64(w, "audio_tokens", n[USAGE_INPUT_AUDIO] + n[USAGE_CACHED_AUDIO]);
    jw_object_end(w);
    jw_kobject(w, "completion_tokens_details");
    jw_ki64(w, "reasoning_tokens", n[USAGE_REASONING]);
    jw_ki64(w, "audio_tokens", n[USAGE_OUTPUT_AUDIO]);
    jw_ki64(w, "accepted_prediction_tokens", 0);
    jw_ki64(w, "rejected_prediction_tokens", 0);
    jw_object_end(w);
    jw_object_end(w);
}

/* ---- writing: whole ---- */

static void write_google_signature(jw *w, jtext sign) {
    if (!jt_has(sign)) return;
    jw_kobject(w, "extra_content");
    jw_kobject(w, "google");
    jw_kjt(w, "thought_signature", sign);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_calls(const struct chat_choice *c, jw *w) {
    bool any = false;
    for (const struct chat_part *p = c->parts; p; p = p->next) {
        if (p->type != PART_CALL) continue;
        if (!any) jw_karray(w, "tool_calls");
        any = true;
        jw_object(w);
        jw_kjt(w, "id", p->id);
        jw_kstr(w, "type", STR("function"));
        jw_kobject(w, "function");
        jw_kjt(w, "name", p->name);
        jw_kstr(w, "arguments", p->args);
        jw_object_end(w);
        write_google_signature(w, p->signature);
        jw_object_end(w);
    }
    if (any) jw_array_end(w);
}

static void write_thinking(const struct chat_choice *c, jw *w) {
    bool any = false, sign = false;
    for (const struct chat_part *p = c->parts; p; p = p->next) {
        any |= p->type == PART_THINKING && !p->redacted && jt_has(p->text);
        sign |= p->type == PART_THINKING && jt_has(p->signature);
    }
    if (any) {
        jw_key(w, "reasoning_content");
        jw_raw(w, STR("\""));
        for (const struct chat_part *p = c->parts; p; p = p->next)
            if (p->type == PART_THINKING && !p->redacted) buf_str(w->b, p->text.raw);
        buf_char(w->b, '"');
    }
    if (!sign) return;
    jw_karray(w, "reasoning_details");
    for (const struct chat_part *p = c->parts; p; p = p->next) {
        if (p->type != PART_THINKING || !jt_has(p->signature)) continue;
        jw_object(w);
        jw_kstr(w, "type", STR("reasoning.text"));
        jw_kjt(w, "text", p->text);
        jw_kjt(w, "signature", p->signature);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_image(const struct chat_part *p, jw *w) {
    jw_object(w);
    jw_kstr(w, "type", STR("image_url"));
    jw_kobject(w, "image_url");
    jw_key(w, "url");
    jw_raw(w, STR("\"data:"));
    buf_str(w->b, p->mime.raw);
    buf_strz(w->b, ";base64,");
    buf_str(w->b, p->data.raw);
    buf_char(w->b, '"');
    jw_object_end(w);
    jw_object_end(w);
}

static void write_message(const struct chat_choice *c, jw *w) {
    bool text = false, refusal = false, images = false;
    for (const struct chat_part *p = c->parts; p; p = p->next) {
        text |= p->type == PART_TEXT;
        refusal |= p->type == PART_REFUSAL;
        images |= p->type == PART_IMAGE && jt_has(p->data);
    }
    jw_kobject(w, "message");
    jw_kstr(w, "role", STR("assistant"));
    jw_key(w, "content");
    if (!text)
        jw_null(w);
    else
        jw_raw(w, STR("\""));
    for (const struct chat_part *p = c->parts; p; p = p->next)
        if (p->type == PART_TEXT) buf_str(w->b, p->text.raw);
    if (text) buf_char(w->b, '"');
    jw_key(w, "refusal");
    if (refusal)
        jw_raw(w, STR("\""));
    else
        jw_null(w);
    for (const struct chat_part *p = c->parts; p; p = p->next)
        if (p->type == PART_REFUSAL) buf_str(w->b, p->text.raw);
    if (refusal) buf_char(w->b, '"');
    write_thinking(c, w);
    write_calls(c, w);
    if (images) {
        jw_karray(w, "images");
        for (const struct chat_part *p = c->parts; p; p = p->next)
            if (p->type == PART_IMAGE && jt_has(p->data)) write_image(p, w);
        jw_array_end(w);
    }
    jw_object_end(w);
}

static void write_head(jw *w, jtext id, uint64_t seed, const char *object, int64_t created, str model, arena *a) {
    jw_kjt(w, "id", jt_has(id) ? id : chat_mint_id(a, "chatcmpl-", seed, 0));
    jw_kstr(w, "object", str_from(object));
    jw_ki64(w, "created", created);
    jw_kstr(w, "model", model);
}

static void write_answer(const struct chat_answer *ans, str model, uint64_t seed, int64_t created, jw *w) {
    jw_object(w);
    write_head(w, ans->id, seed, "chat.completion", created, model, ans->a);
    jw_karray(w, "choices");
    for (unsigned i = 0; i < (ans->choices ? ans->choices : 1); i++) {
        const struct chat_choice *c = &ans->choice[i];
        jw_object(w);
        jw_ki64(w, "index", i);
        write_message(c, w);
        jw_key(w, "logprobs");
        if (c->logprobs.n)
            jw_raw(w, c->logprobs);
        else
            jw_null(w);
        jw_kstr(w, "finish_reason", str_from(openai_finish_word(c->finish)));
        jw_object_end(w);
    }
    jw_array_end(w);
    if (ans->usage.source != TOKENS_NONE) write_usage(&ans->usage, w);
    jw_object_end(w);
}

/* ---- writing: streamed ---- */

static void chunk_begin(struct chat_writer *c, jw *w) {
    frame_begin(c, NULL, w);
    jw_object(w);
    write_head(w, c->id, c->seed, "chat.completion.chunk", c->created, c->model, c->a);
    jw_karray(w, "choices");
}

static void delta_begin(struct chat_writer *c, unsigned choice, jw *w) {
    chunk_begin(c, w);
    jw_object(w);
    jw_ki64(w, "index", choice);
    jw_kobject(w, "delta");
    if (!(c->roles >> choice & 1)) {
        c->roles = (uint16_t)(c->roles | 1u << choice);
        jw_kstr(w, "role", STR("assistant"));
    }
}

static void delta_end(struct chat_writer *c, const char *finish, jw *w) {
    jw_object_end(w);
    jw_key(w, "finish_reason");
    if (finish)
        jw_string(w, str_from(finish));
    else
        jw_null(w);
    jw_object_end(w);
    jw_array_end(w);
    jw_object_end(w);
    frame_end(c);
}

static void write_call(struct chat_writer *c, const struct chat_event *ev, jw *w) {
    bool begin = ev->type == CE_CALL;
    jw_karray(w, "tool_calls");
    jw_object(w);
    jw_ki64(w, "index", ev->call);
    if (begin) jw_kjt(w, "id", ev->id);
    if (begin) jw_kstr(w, "type", STR("function"));
    jw_kobject(w, "function");
    if (begin) jw_kjt(w, "name", ev->name);
    jw_kjt(w, "arguments", begin ? JT_NONE : ev->text);
    jw_object_end(w);
    if (begin) write_google_signature(w, ev->signature);
    jw_object_end(w);
    jw_array_end(w);
    (void)c;
}

static void write_delta(struct chat_writer *c, const struct chat_event *ev) {
    jw w;
    delta_begin(c, ev->choice, &w);
    switch (ev->type) {
    case CE_TEXT: jw_kjt(&w, "content", ev->text); break;
    case CE_REFUSAL: jw_kjt(&w, "refusal", ev->text); break;
    case CE_THINKING: jw_kjt(&w, "reasoning_content", ev->text); break;
    case CE_SIGNATURE:
        jw_karray(&w, "reasoning_details");
        jw_object(&w);
        jw_kstr(&w, "type", STR("reasoning.text"));
        jw_kjt(&w, "signature", ev->text);
        jw_object_end(&w);
        jw_array_end(&w);
        break;
    case CE_MEDIA:
        jw_karray(&w, "images");
        write_image(ev->part, &w);
        jw_array_end(&w);
        break;
    case CE_FINISH: break;
    default: write_call(c, ev, &w);
    }
    delta_end(c, ev->type == CE_FINISH ? openai_finish_word(ev->finish) : NULL, &w);
}

static void write_logprobs(struct chat_writer *c, const struct chat_event *ev) {
    jw w;
    delta_begin(c, ev->choice, &w);
    jw_object_end(&w);
    jw_key(&w, "logprobs");
    jw_raw(&w, ev->json);
    jw_knull(&w, "finish_reason");
    jw_object_end(&w);
    jw_array_end(&w);
    jw_object_end(&w);
    frame_end(c);
}

static void write_end(struct chat_writer *c) {
    jw w;
    if (c->include_usage && c->has_usage) {
        chunk_begin(c, &w);
        jw_array_end(&w);
        write_usage(&c->usage, &w);
        jw_object_end(&w);
        frame_end(c);
    }
    buf_strz(c->out, "data: [DONE]\n\n");
}

static void write_event(struct chat_writer *c, const struct chat_event *ev) {
    jw w;
    switch (ev->type) {
    case CE_START:
        c->id =
            jt_has(ev->id) ? (jtext){arena_str(c->a, ev->id.raw)} : chat_mint_id(c->a, "chatcmpl-", c->seed, 0);
        delta_begin(c, 0, &w);
        jw_kjt(&w, "content", JT_NONE);
        delta_end(c, NULL, &w);
        break;
    case CE_TEXT:
    case CE_REFUSAL:
    case CE_SIGNATURE:
    case CE_CALL:
    case CE_ARGS:
    case CE_FINISH: write_delta(c, ev); break;
    case CE_LOGPROBS: write_logprobs(c, ev); break;
    case CE_THINKING:
        if (!ev->redacted) write_delta(c, ev);
        break;
    case CE_MEDIA:
        if (ev->part->type == PART_IMAGE && jt_has(ev->part->data)) write_delta(c, ev);
        break;
    case CE_ERROR:
        frame_begin(c, NULL, &w);
        openai_write_error(ev->error, &w);
        frame_end(c);
        break;
    case CE_END: write_end(c); break;
    default: break;
    }
}

/* ---- errors ---- */

void openai_read_error(struct chat_error *e, jval root, arena *a) {
    jval error = json_get(root, STR("error")), v, code;
    if (error.type == J_STRING) { /* xAI: {"code":"…","error":"…"} */
        e->message = json_text(error, a);
        e->code = json_text(json_get(root, STR("code")), a);
        return;
    }
    if (error.type != J_OBJECT) { /* Mistral {"message"}, {"detail"}; Cohere {"message"} */
        v = json_get(root, STR("message"));
        if (v.type != J_STRING) v = json_get(root, STR("detail"));
        e->message = json_text(v, a);
        e->type = json_text(json_get(root, STR("type")), a);
        return;
    }
    e->message = json_text(json_get(error, STR("message")), a);
    e->type = json_text(json_get(error, STR("type")), a);
    e->param = json_text(json_get(error, STR("param")), a);
    code = json_get(error, STR("code"));
    int64_t status;
    if (code.type == J_STRING)
        e->code = json_text(code, a);
    else if (json_i64(code, &status) && status >= 400 && status < 600 && !e->status)
        e->status = (int)status;
    if (json_i64(json_get(error, STR("status_code")), &status) && !e->status) e->status = (int)status;
}

void openai_write_error(const struct chat_error *e, jw *w) {
    openai_error_write(w->b, e->status ? e->status : 502, e->type, e->code, e->message, e->param);
}

const struct chat_ops chat_openai_ops = {
    .name = "OpenAI Chat Completions",
    .read_request = openai_chat_request_read,
    .write_request = openai_chat_request_write,
    .read_answer = read_answer,
    .read_event = read_event,
    .write_answer = write_answer,
    .write_event = write_event,
    .read_error = openai_read_error,
    .write_error = openai_write_error,
    .done_marker = true,
};
