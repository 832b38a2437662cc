/* responses: Responses answers, streams and errors.
 *
 * The stream's grammar is the strictest of all: an item is added before anything of it comes, its parts
 * are added, told in deltas, told again whole, and the last event repeats the whole answer. So the
 * writer keeps what the open item has said (`text`) and all finished items (`items`). */
#include "chat/chat_int.h"
#include "chat/openai.h"

enum { ITEM_NONE = -1, ITEM_TEXT, ITEM_REFUSAL, ITEM_REASONING, ITEM_CALL };

/* ---- reading: whole ---- */

/* A list of tokens in the form that Chat Completions has in `content`. */
static void put_logprobs(struct chat_reader *r, jval list) {
    jval first;
    jiter it = json_iter(list);
    if (list.type != J_ARRAY || !json_item(&it, &first)) return;
    str json = arena_printf(r->scratch, "{\"content\":" STR_FMT ",\"refusal\":null}", STR_ARG(list.raw));
    chat_put(r, (struct chat_event){.type = CE_LOGPROBS, .json = chat_one_line(r->scratch, json)});
}

static void read_content(struct chat_reader *r, jval content) {
    jval p;
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &p);) {
        jval refusal = json_get(p, STR("refusal"));
        if (refusal.type == J_STRING)
            chat_put_text(r, CE_REFUSAL, 0, jt(refusal));
        else
            chat_put_text(r, CE_TEXT, 0, jt(json_get(p, STR("text"))));
        put_logprobs(r, json_get(p, STR("logprobs")));
    }
}

static void put_reasoning_signature(struct chat_reader *r, jval item) {
    jval id = json_get(item, STR("id")), sealed = json_get(item, STR("encrypted_content"));
    if (sealed.type != J_STRING || !sealed.raw.n) return;
    jtext both = {responses_seal(r->scratch, id.raw, sealed.raw)};
    chat_put(r, (struct chat_event){.type = CE_SIGNATURE, .text = chat_sign(r->scratch, CHAT_RESPONSES, both)});
}

static void read_reasoning(struct chat_reader *r, jval item) {
    jval summary = json_get(item, STR("summary")), content = json_get(item, STR("content")), s;
    for (jiter it = json_iter(summary); summary.type == J_ARRAY && json_item(&it, &s);)
        chat_put_text(r, CE_THINKING, 0, jt(json_get(s, STR("text"))));
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &s);)
        chat_put_text(r, CE_THINKING, 0, jt(json_get(s, STR("text"))));
    put_reasoning_signature(r, item);
}

static int begin_call(struct chat_reader *r, uint32_t index, jval item) {
    return chat_put_call(r, 0, index, jt(json_get(item, STR("call_id"))), jt(json_get(item, STR("name"))),
                         JT_NONE);
}

static void end_call(struct chat_reader *r, int call) {
    chat_put(r, (struct chat_event){.type = CE_CALL_END, .call = (uint16_t)call});
}

static void read_item(struct chat_reader *r, jval item) {
    jval type = json_get(item, STR("type"));
    if (json_is(type, STR("message"))) {
        read_content(r, json_get(item, STR("content")));
    } else if (json_is(type, STR("reasoning"))) {
        read_reasoning(r, item);
    } else if (json_is(type, STR("function_call"))) {
        int call = begin_call(r, UINT32_MAX, item);
        if (call < 0) return;
        chat_put_args(r, 0, (unsigned)call, jt(json_get(item, STR("arguments"))));
        end_call(r, call);
    }
}

static enum finish finish_of(jval response) {
    jval status = json_get(response, STR("status")),
         why = json_path(response, "incomplete_details", "reason", NULL);
    if (!json_is(status, STR("incomplete"))) return FINISH_STOP;
    if (json_is(why, STR("max_output_tokens"))) return FINISH_LENGTH;
    return json_is(why, STR("content_filter")) ? FINISH_FILTER : FINISH_OTHER;
}

static void take_usage(struct chat_reader *r, jval response) {
    int64_t searches = openai_searches(json_get(response, STR("output")));
    openai_usage(json_get(response, STR("usage")), &r->usage);
    usage_tier(json_get(response, STR("service_tier")), &r->usage);
    if (searches && !r->usage.units[USAGE_SEARCH]) r->usage.units[USAGE_SEARCH] = searches;
}

/* error is null, or {code, message}. */
static bool failed(struct chat_reader *r, jval response) {
    jval error = json_get(response, STR("error"));
    if (!jv_has(error) && !json_is(json_get(response, STR("status")), STR("failed"))) return false;
    struct chat_error e = {.retry_ms = -1, .message = STR("The answer failed at the provider.")};
    if (error.type == J_OBJECT) openai_read_error(&e, response, r->scratch);
    if (!e.message.n) e.message = STR("The answer failed at the provider.");
    chat_put_error(r, &e);
    return true;
}

static bool read_answer(struct chat_reader *r, jval root) {
    jval output = json_get(root, STR("output")), item;
    if (!json_is(json_get(root, STR("object")), STR("response")) || output.type != J_ARRAY) return false;
    take_usage(r, root);
    chat_put_start(r, jt(json_get(root, STR("id"))), jt(json_get(root, STR("model"))));
    if (failed(r, root)) return true;
    for (jiter it = json_iter(output); json_item(&it, &item);) read_item(r, item);
    chat_put_finish(r, 0, finish_of(root), JT_NONE);
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
    return true;
}

/* ---- reading: streamed ---- */

static void read_item_done(struct chat_reader *r, uint32_t index, jval item) {
    jval type = json_get(item, STR("type"));
    bool told = index >= 64 || (r->told >> index & 1); /* in deltas; some servers tell items whole only */
    if (json_is(type, STR("reasoning")) && told) put_reasoning_signature(r, item);
    if (json_is(type, STR("reasoning")) && !told) read_reasoning(r, item);
    if (json_is(type, STR("message")) && !told) read_content(r, json_get(item, STR("content")));
    if (!json_is(type, STR("function_call"))) return;
    int call = chat_call_at(r, index);
    if (call < 0) call = begin_call(r, index, item);
    if (call < 0) return;
    if (!r->has_args[call]) chat_put_args(r, 0, (unsigned)call, jt(json_get(item, STR("arguments"))));
    end_call(r, call);
}

static void read_end(struct chat_reader *r, jval response) {
    take_usage(r, response);
    if (failed(r, response)) return;
    chat_put_finish(r, 0, finish_of(response), JT_NONE);
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
}

static bool read_event(struct chat_reader *r, str event, jval root) {
    enum { TYPE, ITEM, RESPONSE, INDEX, DELTA, LOGPROBS, COUNT };
    static const str names[COUNT] = {STR_INIT("type"),         STR_INIT("item"),  STR_INIT("response"),
                                     STR_INIT("output_index"), STR_INIT("delta"), STR_INIT("logprobs")};
    jval f[COUNT];
    chat_pick(root, names, f, COUNT);
    jval type = f[TYPE], item = f[ITEM], response = f[RESPONSE];
    int64_t index = 0;
    (void)event;
    json_i64(f[INDEX], &index);
    if (f[DELTA].type == J_STRING && index >= 0 && index < 64) r->told |= (uint64_t)1 << index;
    if (json_is(type, STR("response.output_text.delta"))) {
        chat_put_text(r, CE_TEXT, 0, jt(f[DELTA]));
        put_logprobs(r, f[LOGPROBS]);
    } else if (json_is(type, STR("response.function_call_arguments.delta"))) {
        int call = chat_call_at(r, (uint32_t)index);
        if (call >= 0) chat_put_args(r, 0, (unsigned)call, jt(f[DELTA]));
    } else if (json_is(type, STR("response.reasoning_summary_text.delta")) ||
               json_is(type, STR("response.reasoning_text.delta"))) {
        chat_put_text(r, CE_THINKING, 0, jt(f[DELTA]));
    } else if (json_is(type, STR("response.refusal.delta"))) {
        chat_put_text(r, CE_REFUSAL, 0, jt(f[DELTA]));
    } else if (json_is(type, STR("response.output_item.added"))) {
        if (json_is(json_get(item, STR("type")), STR("function_call"))) begin_call(r, (uint32_t)index, item);
    } else if (json_is(type, STR("response.output_item.done"))) {
        read_item_done(r, (uint32_t)index, item);
    } else if (json_is(type, STR("response.created"))) {
        chat_put_start(r, jt(json_get(response, STR("id"))), jt(json_get(response, STR("model"))));
    } else if (json_is(type, STR("response.completed")) || json_is(type, STR("response.incomplete")) ||
               json_is(type, STR("response.failed"))) {
        chat_put_start(r, jt(json_get(response, STR("id"))), jt(json_get(response, STR("model"))));
        read_end(r, response);
    } else if (json_is(type, STR("error"))) {
        struct chat_error e = {.retry_ms = -1};
        e.message = json_text(json_get(root, STR("message")), r->scratch);
        e.code = json_text(json_get(root, STR("code")), r->scratch);
        if (!e.message.n) openai_read_error(&e, root, r->scratch);
        chat_put_error(r, &e);
    }
    return true;
}

/* ---- writing: the response object ---- */

static void write_usage(const struct usage *u, jw *w) {
    const int64_t *n = u->units;
    jw_kobject(w, "usage");
    jw_ki64(w, "input_tokens", chat_in(u));
    jw_kobject(w, "input_tokens_details");
    jw_ki64(w, "cached_tokens", n[USAGE_CACHED_INPUT] + n[USAGE_CACHED_AUDIO]);
    jw_ki64(w, "cache_write_tokens", n[USAGE_CACHE_WRITE_5M] + n[USAGE_CACHE_WRITE_1H]);
    jw_object_end(w);
    jw_ki64(w, "output_tokens", chat_out(u));
    jw_kobject(w, "output_tokens_details");
    jw_ki64(w, "reasoning_tokens", n[USAGE_REASONING]);
    jw_object_end(w);
    jw_ki64(w, "total_tokens", chat_in(u) + chat_out(u));
    jw_object_end(w);
}

static const char *status_of(uint8_t finish) {
    return finish == FINISH_NONE                                ? "in_progress"
           : finish == FINISH_LENGTH || finish == FINISH_FILTER ? "incomplete"
                                                                : "completed";
}

static void write_error_member(jw *w, const struct chat_error *e) {
    jw_kobject(w, "error");
    jw_kstr(w, "code", e->code.n ? e->code : STR("server_error"));
    jw_kstr(w, "message", e->message);
    jw_object_end(w);
}

/* What every response object says besides its output. `finish` FINISH_NONE: still in progress. `e`: it failed. */
static void write_head(jw *w, jtext id, str model, int64_t created, uint8_t finish, const struct chat_error *e,
                       const struct chat_request *r) {
    jw_kjt(w, "id", id);
    jw_kstr(w, "object", STR("response"));
    jw_ki64(w, "created_at", created);
    jw_kstr(w, "status", str_from(e ? "failed" : status_of(finish)));
    if (e)
        write_error_member(w, e);
    else
        jw_knull(w, "error");
    if (!e && (finish == FINISH_LENGTH || finish == FINISH_FILTER)) {
        jw_kobject(w, "incomplete_details");
        jw_kstr(w, "reason", finish == FINISH_LENGTH ? STR("max_output_tokens") : STR("content_filter"));
        jw_object_end(w);
    } else {
        jw_knull(w, "incomplete_details");
    }
    jw_raw(w, STR("\"background\":false,\"instructions\":null,\"max_output_tokens\":null,\"max_tool_calls\":null,"
                  "\"metadata\":{},"
                  "\"parallel_tool_calls\":true,\"previous_response_id\":null,\"prompt_cache_key\":null,"
                  "\"reasoning\":{\"effort\":null,"
                  "\"summary\":null},\"safety_identifier\":null,\"service_tier\":\"default\",\"store\":false,"
                  "\"text\":{\"format\":{"
                  "\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[],\"top_logprobs\":0,\"truncation\":"
                  "\"disabled\",\"user\":null"));
    jw_kstr(w, "model", model);
    jw_key(w, "temperature");
    jw_raw(w, r && r->temperature.n ? r->temperature : STR("1.0"));
    jw_key(w, "top_p");
    jw_raw(w, r && r->top_p.n ? r->top_p : STR("1.0"));
}

/* ---- writing: items ---- */

static void write_text_part(jw *w, bool refusal, jtext text) {
    jw_object(w);
    jw_kstr(w, "type", refusal ? STR("refusal") : STR("output_text"));
    jw_kjt(w, refusal ? "refusal" : "text", text);
    if (!refusal) jw_raw(w, STR("\"annotations\":[],\"logprobs\":[]"));
    jw_object_end(w);
}

static void write_message_item(jw *w, jtext id, bool done, bool refusal, const jtext *text) {
    jw_object(w);
    jw_kjt(w, "id", id);
    jw_kstr(w, "type", STR("message"));
    jw_kstr(w, "status", done ? STR("completed") : STR("in_progress"));
    jw_kstr(w, "role", STR("assistant"));
    jw_karray(w, "content");
    if (text) write_text_part(w, refusal, *text);
    jw_array_end(w);
    jw_object_end(w);
}

static void write_summary(jw *w, jtext text) {
    jw_object(w);
    jw_kstr(w, "type", STR("summary_text"));
    jw_kjt(w, "text", text);
    jw_object_end(w);
}

static void write_reasoning_item(jw *w, jtext id, jtext text, jtext sealed) {
    jw_object(w);
    jw_kjt(w, "id", id);
    jw_kstr(w, "type", STR("reasoning"));
    jw_karray(w, "summary");
    if (jt_has(text)) write_summary(w, text);
    jw_array_end(w);
    jw_kjt_if(w, "encrypted_content", sealed);
    jw_object_end(w);
}

/* A flattened name is told as the client knows the tool. */
static void write_name(jw *w, const struct chat_request *r, jtext name) {
    const struct chat_tool *t = r ? r->tools : NULL;
    while (t && !(jt_has(t->space) && str_eq(t->name.raw, name.raw))) t = t->next;
    jw_kjt(w, "name", t ? t->plain : name);
    if (t) jw_kjt(w, "namespace", t->space);
}

static void write_call_item(jw *w, const struct chat_request *r, jtext id, jtext call, jtext name, jtext args,
                            bool done) {
    jw_object(w);
    jw_kjt(w, "id", id);
    jw_kstr(w, "type", STR("function_call"));
    jw_kstr(w, "status", done ? STR("completed") : STR("in_progress"));
    jw_kjt(w, "call_id", call);
    write_name(w, r, name);
    jw_kjt(w, "arguments", args);
    jw_object_end(w);
}

/* ---- writing: whole ---- */

static void write_answer(const struct chat_answer *ans, str model, uint64_t seed, int64_t created, jw *w) {
    const struct chat_choice *c = &ans->choice[0];
    uint64_t n = 1;
    jw_object(w);
    write_head(w, jt_has(ans->id) ? ans->id : chat_mint_id(ans->a, "resp_", seed, 0), model, created,
               c->finish == FINISH_NONE ? FINISH_STOP : c->finish, NULL, ans->request);
    jw_karray(w, "output");
    for (const struct chat_part *p = c->parts; p; p = p->next, n++) {
        if (p->type == PART_TEXT || p->type == PART_REFUSAL) {
            write_message_item(w, chat_mint_id(ans->a, "msg_", seed, n), true, p->type == PART_REFUSAL, &p->text);
        } else if (p->type == PART_THINKING) {
            write_reasoning_item(w, chat_mint_id(ans->a, "rs_", seed, n), p->redacted ? JT_NONE : p->text,
                                 p->redacted ? p->text : p->signature);
        } else if (p->type == PART_CALL) {
            if (jt_has(p->signature))
                write_reasoning_item(w, chat_mint_id(ans->a, "rs_", seed, n + 4096), JT_NONE, p->signature);
            write_call_item(w, ans->request, chat_mint_id(ans->a, "fc_", seed, n), p->id, p->name,
                            chat_escape(ans->a, p->args), true);
        }
    }
    jw_array_end(w);
    if (ans->usage.source != TOKENS_NONE)
        write_usage(&ans->usage, w);
    else
        jw_knull(w, "usage");
    jw_object_end(w);
}

/* ---- writing: streamed ---- */

static void event_begin(struct chat_writer *c, const char *type, jw *w) {
    frame_begin(c, type, w);
    jw_object(w);
    jw_kstr(w, "type", str_from(type));
    jw_ki64(w, "sequence_number", c->sequence++);
}

static void event_end(struct chat_writer *c, jw *w) {
    jw_object_end(w);
    frame_end(c);
}

static int64_t item_index(const struct chat_writer *c) { return (int64_t)c->blocks - 1; }

static void item_event_begin(struct chat_writer *c, const char *type, jw *w) {
    event_begin(c, type, w);
    jw_ki64(w, "output_index", item_index(c));
}

static void part_event_begin(struct chat_writer *c, const char *type, const char *index, jw *w) {
    item_event_begin(c, type, w);
    jw_kjt(w, "item_id", c->open_id);
    if (index) jw_ki64(w, index, 0);
}

static jtext said(const struct chat_writer *c) { return (jtext){buf_view(&c->text)}; }

/* The open item as it stands now. */
static void write_open_item(struct chat_writer *c, jw *w, bool done) {
    jtext text = said(c);
    if (c->open == ITEM_CALL)
        write_call_item(w, c->request, c->open_id, c->open_signature, c->open_name, text, done);
    else if (c->open == ITEM_REASONING)
        write_reasoning_item(w, c->open_id, text, c->open_signature);
    else
        write_message_item(w, c->open_id, done, c->open == ITEM_REFUSAL, done ? &text : NULL);
}

static void text_done(struct chat_writer *c) {
    jw w;
    bool refusal = c->open == ITEM_REFUSAL;
    part_event_begin(c, refusal ? "response.refusal.done" : "response.output_text.done", "content_index", &w);
    jw_kjt(&w, refusal ? "refusal" : "text", said(c));
    if (!refusal) jw_raw(&w, STR("\"logprobs\":[]"));
    event_end(c, &w);
    part_event_begin(c, "response.content_part.done", "content_index", &w);
    jw_key(&w, "part");
    write_text_part(&w, refusal, said(c));
    event_end(c, &w);
}

static void reasoning_done(struct chat_writer *c) {
    jw w;
    if (!c->text.n) return;
    part_event_begin(c, "response.reasoning_summary_text.done", "summary_index", &w);
    jw_kjt(&w, "text", said(c));
    event_end(c, &w);
    part_event_begin(c, "response.reasoning_summary_part.done", "summary_index", &w);
    jw_key(&w, "part");
    write_summary(&w, said(c));
    event_end(c, &w);
}

static void delta(struct chat_writer *c, const char *type, const char *index, jtext text);

static void item_close(struct chat_writer *c) {
    jw w;
    if (c->open == ITEM_NONE) return;
    if (c->open == ITEM_CALL && !c->text.n) delta(c, "response.function_call_arguments.delta", NULL, JT("{}"));
    if (c->open == ITEM_CALL) {
        part_event_begin(c, "response.function_call_arguments.done", NULL, &w);
        write_name(&w, c->request, c->open_name);
        jw_kjt(&w, "arguments", said(c));
        event_end(c, &w);
    } else if (c->open == ITEM_REASONING) {
        reasoning_done(c);
    } else {
        text_done(c);
    }
    item_event_begin(c, "response.output_item.done", &w);
    jw_key(&w, "item");
    write_open_item(c, &w, true);
    event_end(c, &w);
    if (c->items.n) buf_char(&c->items, ',');
    jw_init(&w, &c->items);
    write_open_item(c, &w, true);
    c->open = ITEM_NONE;
    buf_clear(&c->text);
}

static void item_open(struct chat_writer *c, int kind) {
    static const char *const prefix[] = {"msg_", "msg_", "rs_", "fc_"};
    jw w;
    item_close(c);
    c->open = kind;
    c->open_id = chat_mint_id(c->a, prefix[kind], c->seed, ++c->blocks);
    if (kind != ITEM_CALL) c->open_signature = JT_NONE;
    item_event_begin(c, "response.output_item.added", &w);
    jw_key(&w, "item");
    write_open_item(c, &w, false);
    event_end(c, &w);
    if (kind != ITEM_TEXT && kind != ITEM_REFUSAL) return;
    part_event_begin(c, "response.content_part.added", "content_index", &w);
    jw_key(&w, "part");
    write_text_part(&w, kind == ITEM_REFUSAL, JT_NONE);
    event_end(c, &w);
}

static void delta(struct chat_writer *c, const char *type, const char *index, jtext text) {
    jw w;
    part_event_begin(c, type, index, &w);
    jw_kjt(&w, "delta", text);
    if (c->open == ITEM_TEXT) jw_raw(&w, STR("\"logprobs\":[]"));
    event_end(c, &w);
    buf_str(&c->text, text.raw);
}

static void write_text(struct chat_writer *c, const struct chat_event *ev) {
    int kind = ev->type == CE_TEXT ? ITEM_TEXT : ITEM_REFUSAL;
    if (c->open != kind) item_open(c, kind);
    delta(c, kind == ITEM_TEXT ? "response.output_text.delta" : "response.refusal.delta", "content_index",
          ev->text);
}

static void write_thinking(struct chat_writer *c, const struct chat_event *ev) {
    jw w;
    bool sealed = ev->type == CE_SIGNATURE || ev->redacted;
    if (c->open != ITEM_REASONING || (ev->redacted && c->text.n)) item_open(c, ITEM_REASONING);
    if (sealed) {
        c->open_signature = (jtext){arena_str(c->a, ev->text.raw)};
        item_close(c);
        return;
    }
    if (!c->text.n) {
        part_event_begin(c, "response.reasoning_summary_part.added", "summary_index", &w);
        jw_key(&w, "part");
        write_summary(&w, JT_NONE);
        event_end(c, &w);
    }
    delta(c, "response.reasoning_summary_text.delta", "summary_index", ev->text);
}

static void write_call(struct chat_writer *c, const struct chat_event *ev) {
    if (jt_has(ev->signature)) { /* Gemini's: sealed reasoning before the call */
        struct chat_event sign = {.type = CE_SIGNATURE, .text = ev->signature};
        write_thinking(c, &sign);
    }
    item_close(c);
    c->open_signature = (jtext){arena_str(c->a, ev->id.raw)}; /* of a call: its call_id */
    c->open_name = (jtext){arena_str(c->a, ev->name.raw)};
    item_open(c, ITEM_CALL);
}

static void write_response_event(struct chat_writer *c, const char *type, uint8_t finish,
                                 const struct chat_error *e) {
    jw w;
    event_begin(c, type, &w);
    jw_kobject(&w, "response");
    write_head(&w, c->id, c->model, c->created, finish, e, c->request);
    jw_karray(&w, "output");
    if (c->items.n) jw_raw(&w, buf_view(&c->items));
    jw_array_end(&w);
    if (c->has_usage && finish != FINISH_NONE)
        write_usage(&c->usage, &w);
    else
        jw_knull(&w, "usage");
    jw_object_end(&w);
    event_end(c, &w);
}

static void write_failure(struct chat_writer *c, const struct chat_error *e) {
    jw w;
    if (!jt_has(c->id)) c->id = chat_mint_id(c->a, "resp_", c->seed, 0);
    event_begin(c, "error", &w);
    jw_kstr(&w, "code", e->code.n ? e->code : STR("server_error"));
    jw_kstr(&w, "message", e->message);
    jw_knull(&w, "param");
    event_end(c, &w);
    write_response_event(c, "response.failed", c->finish, e); /* clients wait for one of three ends */
}

static void write_event(struct chat_writer *c, const struct chat_event *ev) {
    if (ev->choice != 0) return;
    switch (ev->type) {
    case CE_START:
        c->id = jt_has(ev->id) ? (jtext){arena_str(c->a, ev->id.raw)} : chat_mint_id(c->a, "resp_", c->seed, 0);
        write_response_event(c, "response.created", FINISH_NONE, NULL);
        write_response_event(c, "response.in_progress", FINISH_NONE, NULL);
        break;
    case CE_TEXT:
    case CE_REFUSAL: write_text(c, ev); break;
    case CE_THINKING:
    case CE_SIGNATURE: write_thinking(c, ev); break;
    case CE_CALL: write_call(c, ev); break;
    case CE_ARGS:
        if (c->open == ITEM_CALL) delta(c, "response.function_call_arguments.delta", NULL, ev->text);
        break;
    case CE_CALL_END:
        if (c->open == ITEM_CALL) item_close(c);
        break;
    case CE_FINISH: c->finish = ev->finish; break;
    case CE_ERROR: write_failure(c, ev->error); break;
    case CE_END:
        item_close(c);
        if (c->finish == FINISH_NONE) c->finish = FINISH_STOP;
        write_response_event(c,
                             c->finish == FINISH_LENGTH || c->finish == FINISH_FILTER ? "response.incomplete"
                                                                                      : "response.completed",
                             c->finish, NULL);
        break;
    default: break;
    }
}

const struct chat_ops chat_responses_ops = {
    .name = "OpenAI Responses",
    .read_request = responses_read_request,
    .write_request = responses_write_request,
    .read_answer = read_answer,
    .read_event = read_event,
    .write_answer = write_answer,
    .write_event = write_event,
    .read_error = openai_read_error,
    .write_error = openai_write_error,
    .sequential = true,
    .done_marker = true,
};
