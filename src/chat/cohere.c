/* cohere: Cohere v2 chat (provider side). Messages and tools are OpenAI's; sampling has names of its own.
 *
 * What is billed (billed_units) is far less than what the model read (tokens, with Cohere's own preamble,
 * most of it cached): the priced lines are the billed ones. */
#include "chat/chat_int.h"

/* ---- writing requests ---- */

static void write_sampling(const struct chat_request *r, struct chat_account *acc, jw *w) {
    if (chat_above(r->temperature, 1))
        chat_lose(acc, true, "temperature");
    else
        jw_kraw_if(w, "temperature", r->temperature);
    jw_kraw_if(w, "p", r->top_p);
    jw_kraw_if(w, "k", r->top_k);
    jw_kraw_if(w, "seed", r->seed);
    jw_kraw_if(w, "presence_penalty", r->presence);
    jw_kraw_if(w, "frequency_penalty", r->frequency);
    if (r->max_tokens) jw_ki64(w, "max_tokens", r->max_tokens);
    if (r->logprobs) jw_kbool(w, "logprobs", true);
    if (!r->stops) return;
    jw_karray(w, "stop_sequences");
    for (const struct chat_strings *s = r->stops; s; s = s->next) jw_jt(w, s->text);
    jw_array_end(w);
}

static void write_tool_choice(const struct chat_request *r, struct chat_account *acc, jw *w) {
    bool only = r->tool_count == 1; /* naming the only tool is requiring one */
    if (r->tool_choice == TOOLS_NAMED && !only) chat_lose(acc, true, "tool_choice");
    if (r->tool_choice == TOOLS_ANY || (r->tool_choice == TOOLS_NAMED && only))
        jw_kstr(w, "tool_choice", STR("REQUIRED"));
    if (r->tool_choice == TOOLS_NEVER) jw_kstr(w, "tool_choice", STR("NONE"));
    chat_lose_serial(r, acc);
}

static void write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                          jw *w) {
    jw_object(w);
    jw_kstr(w, "model", to->model);
    openai_write_messages(r, to, acc, w);
    openai_write_tools(r, acc, w, false);
    write_tool_choice(r, acc, w);
    if (r->format != FORMAT_TEXT) {
        jw_kobject(w, "response_format");
        jw_kstr(w, "type", STR("json_object"));
        if (r->format == FORMAT_SCHEMA) jw_kraw_if(w, "json_schema", chat_schema(acc, r->schema));
        jw_object_end(w);
    }
    write_sampling(r, acc, w);
    if (r->effort == EFFORT_OFF || r->effort > EFFORT_MINIMAL) {
        jw_kobject(w, "thinking");
        jw_kstr(w, "type", r->effort == EFFORT_OFF ? STR("disabled") : STR("enabled"));
        if (r->budget) jw_ki64(w, "token_budget", r->budget);
        jw_object_end(w);
    }
    jw_kbool(w, "stream", r->stream);
    if (r->n > 1) chat_lose(acc, true, "n");
    if (jt_has(r->user)) chat_lose(acc, false, "user");
    if (jt_has(r->service_tier)) chat_lose(acc, true, "service_tier");
    jw_object_end(w);
}

/* ---- reading answers ---- */

static const struct {
    str word;
    enum finish finish;
} finishes[] = {
    {STR_INIT("COMPLETE"), FINISH_STOP},      {STR_INIT("STOP_SEQUENCE"), FINISH_STOP},
    {STR_INIT("MAX_TOKENS"), FINISH_LENGTH},  {STR_INIT("TOOL_CALL"), FINISH_TOOLS},
    {STR_INIT("ERROR_TOXIC"), FINISH_FILTER}, {STR_INIT("ERROR_LIMIT"), FINISH_LENGTH},
};

static enum finish finish_of(jval reason) {
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++)
        if (json_is(reason, finishes[i].word)) return finishes[i].finish;
    return reason.type == J_STRING ? FINISH_OTHER : FINISH_NONE;
}

static int64_t count(jval object, const char *key, struct usage *u) {
    jval v = json_get(object, str_from(key));
    int64_t n = 0;
    if (!jv_has(v)) return 0;
    if (json_i64(v, &n) && n >= 0) return n;
    u->suspect = true;
    return 0;
}

bool cohere_usage(jval usage, struct usage *u) {
    jval billed = json_get(usage, STR("billed_units")), read = json_get(usage, STR("tokens"));
    if (usage.type != J_OBJECT || (billed.type != J_OBJECT && read.type != J_OBJECT)) return false;
    jval priced = billed.type == J_OBJECT ? billed : read;
    int64_t out = count(priced, "output_tokens", u), thought = count(read, "reasoning_tokens", u);
    if (thought > out) thought = out; /* not all of what was thought is billed */
    u->units[USAGE_INPUT] = count(priced, "input_tokens", u);
    u->units[USAGE_REASONING] = thought;
    u->units[USAGE_OUTPUT] = out - thought;
    u->units[USAGE_SEARCH] = count(billed, "search_units", u);
    u->source = TOKENS_PROVIDER;
    return true;
}

static void end_call(struct chat_reader *r, int call) {
    chat_put(r, (struct chat_event){.type = CE_CALL_END, .call = (uint16_t)call});
}

static int begin_call(struct chat_reader *r, uint32_t index, jval call) {
    return chat_put_call(r, 0, index, jt(json_get(call, STR("id"))), jt(json_path(call, "function", "name", NULL)),
                         JT_NONE);
}

static bool read_answer(struct chat_reader *r, jval root) {
    jval m = json_get(root, STR("message")), content = json_get(m, STR("content")),
         calls = json_get(m, STR("tool_calls")), v;
    if (m.type != J_OBJECT) return false;
    cohere_usage(json_get(root, STR("usage")), &r->usage);
    chat_put_start(r, jt(json_get(root, STR("id"))), JT_NONE);
    chat_put_text(r, CE_THINKING, 0, jt(json_get(m, STR("tool_plan"))));
    for (jiter it = json_iter(content); content.type == J_ARRAY && json_item(&it, &v);) {
        chat_put_text(r, CE_THINKING, 0, jt(json_get(v, STR("thinking"))));
        chat_put_text(r, CE_TEXT, 0, jt(json_get(v, STR("text"))));
    }
    for (jiter it = json_iter(calls); calls.type == J_ARRAY && json_item(&it, &v);) {
        int call = begin_call(r, UINT32_MAX, v);
        if (call < 0) break;
        chat_put_args(r, 0, (unsigned)call, jt(json_path(v, "function", "arguments", NULL)));
        end_call(r, call);
    }
    chat_put_finish(r, 0, finish_of(json_get(root, STR("finish_reason"))), JT_NONE);
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
    return true;
}

/* ---- reading streams ---- */

static void read_error(struct chat_error *e, jval root, arena *a) { openai_read_error(e, root, a); }

static void read_end(struct chat_reader *r, jval root) {
    jval d = json_get(root, STR("delta")), error = json_get(d, STR("error"));
    cohere_usage(json_get(d, STR("usage")), &r->usage);
    if (error.type == J_STRING) {
        struct chat_error e = {.retry_ms = -1, .message = json_text(error, r->scratch)};
        chat_put_error(r, &e);
        return;
    }
    chat_put_finish(r, 0, finish_of(json_get(d, STR("finish_reason"))), JT_NONE);
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
}

static bool read_event(struct chat_reader *r, str event, jval root) {
    jval type = json_get(root, STR("type")), m = json_path(root, "delta", "message", NULL),
         content = json_get(m, STR("content"));
    jval call = json_get(m, STR("tool_calls"));
    int64_t index = 0;
    int at;
    (void)event;
    json_i64(json_get(root, STR("index")), &index);
    if (json_is(type, STR("message-start"))) {
        chat_put_start(r, jt(json_get(root, STR("id"))), JT_NONE);
    } else if (json_is(type, STR("content-start")) || json_is(type, STR("content-delta"))) {
        chat_put_text(r, CE_THINKING, 0, jt(json_get(content, STR("thinking"))));
        chat_put_text(r, CE_TEXT, 0, jt(json_get(content, STR("text"))));
    } else if (json_is(type, STR("tool-plan-delta"))) {
        chat_put_text(r, CE_THINKING, 0, jt(json_get(m, STR("tool_plan"))));
    } else if (json_is(type, STR("tool-call-start"))) {
        at = begin_call(r, (uint32_t)index, call);
        if (at >= 0) chat_put_args(r, 0, (unsigned)at, jt(json_path(call, "function", "arguments", NULL)));
    } else if (json_is(type, STR("tool-call-delta"))) {
        at = chat_call_at(r, (uint32_t)index);
        if (at >= 0) chat_put_args(r, 0, (unsigned)at, jt(json_path(call, "function", "arguments", NULL)));
    } else if (json_is(type, STR("tool-call-end"))) {
        at = chat_call_at(r, (uint32_t)index);
        if (at >= 0) end_call(r, at);
    } else if (json_is(type, STR("message-end"))) {
        read_end(r, root);
    }
    return true;
}

const struct chat_ops chat_cohere_ops = {
    .name = "Cohere v2",
    .write_request = write_request,
    .read_answer = read_answer,
    .read_event = read_event,
    .read_error = read_error,
    .done_marker = true,
};
