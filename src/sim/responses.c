/* responses: OpenAI's Responses API (platform.openai.com/docs/api-reference/responses), whole and streamed. */
#include "sim/answer.h"

static void read_tools(struct sim_call *c) {
    jiter it = json_iter(json_get(c->body, STR("tools")));
    for (jval x; c->tools < SIM_TOOLS_MAX && json_item(&it, &x);) {
        jval name = json_get(x, STR("name"));
        if (name.type == J_STRING && json_is(json_get(x, STR("type")), STR("function")))
            c->tool[c->tools++] = (struct sim_tool){json_text(name, c->a), json_get(x, STR("parameters"))};
    }
    c->no_tools = json_is(json_get(c->body, STR("tool_choice")), STR("none"));
}

static bool read_responses(struct sim_call *c, err *e) {
    jval model = json_get(c->body, STR("model")), input = json_get(c->body, STR("input")), x, last = {0};
    jval format = json_path(c->body, "text", "format", NULL);
    int64_t n;
    if (model.type != J_STRING || !model.raw.n) return fail(e, "Missing required parameter: 'model'.");
    if (input.type != J_STRING && input.type != J_ARRAY) return fail(e, "Missing required parameter: 'input'.");
    c->model = json_text(model, c->a);
    c->stream = json_true(json_get(c->body, STR("stream")));
    c->input_bytes = sim_text_bytes(input) + sim_text_bytes(json_get(c->body, STR("instructions")));
    if (json_i64(json_get(c->body, STR("max_output_tokens")), &n)) {
        if (n < 16) return fail(e, "Invalid 'max_output_tokens': the minimum is 16.");
        c->max_tokens = (uint64_t)n;
    }
    read_tools(c);
    for (jiter it = json_iter(input); json_item(&it, &x);) last = x;
    if (json_is(json_get(last, STR("type")), STR("function_call_output"))) c->no_tools = true;
    c->json = json_is(json_get(format, STR("type")), STR("json_schema")) ||
              json_is(json_get(format, STR("type")), STR("json_object"));
    c->schema = json_get(format, STR("schema"));
    return true;
}

/* An output item: the message (call < 0) or a function call; `done` with its content. */
static void write_item(struct sim_call *c, int call, bool done, buf *out) {
    str status = !done ? STR("in_progress") : c->cut_short ? STR("incomplete") : STR("completed");
    if (call >= 0)
        sim_emit(out,
                 "{\"id\":\"fc_$r\",\"type\":\"function_call\",\"status\":$s,\"arguments\":$s,\"call_id\":\"call_$"
                 "r\",\"name\":$s}",
                 c->called[call].id, status, done ? c->called[call].arguments : STR(""), c->called[call].id,
                 c->called[call].tool->name);
    else if (done)
        sim_emit(out,
                 "{\"id\":\"msg_$r\",\"type\":\"message\",\"status\":$s,\"content\":[{\"type\":\"output_text\","
                 "\"annotations\":[],\"logprobs\":[],"
                 "\"text\":$s}],\"role\":\"assistant\"}",
                 str_from(c->id), status, c->text);
    else
        sim_emit(out,
                 "{\"id\":\"msg_$r\",\"type\":\"message\",\"status\":$s,\"content\":[],\"role\":\"assistant\"}",
                 str_from(c->id), status);
}

static void write_response(struct sim_call *c, bool done, buf *out) {
    str status = !done ? STR("in_progress") : c->cut_short ? STR("incomplete") : STR("completed");
    jval tools = json_get(c->body, STR("tools"));
    sim_emit(
        out,
        "{\"id\":\"resp_$r\",\"object\":\"response\",\"created_at\":" SIM_CREATED
        ",\"status\":$s,\"background\":false,\"error\":null,"
        "\"incomplete_details\":$r,\"instructions\":null,\"max_output_tokens\":null,\"model\":$s,\"output\":[",
        str_from(c->id), status, done && c->cut_short ? STR("{\"reason\":\"max_output_tokens\"}") : STR("null"),
        c->model);
    if (done && !c->calls) write_item(c, -1, true, out);
    for (uint32_t i = 0; done && i < c->calls; i++) {
        if (i) buf_char(out, ',');
        write_item(c, (int)i, true, out);
    }
    sim_emit(out,
             "],\"parallel_tool_calls\":true,\"previous_response_id\":null,\"reasoning\":{\"effort\":null,"
             "\"summary\":null},\"store\":true,"
             "\"temperature\":1.0,\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":$r,"
             "\"top_p\":1.0,"
             "\"truncation\":\"disabled\",\"usage\":",
             tools.type == J_ARRAY ? tools.raw : STR("[]"));
    if (done)
        sim_emit(out,
                 "{\"input_tokens\":$u,\"input_tokens_details\":{\"cached_tokens\":$u},\"output_tokens\":$u,"
                 "\"output_tokens_details\":{\"reasoning_tokens\":$u},\"total_tokens\":$u}",
                 c->input_tokens, c->cached_tokens, c->output_tokens, c->reasoning_tokens,
                 c->input_tokens + c->output_tokens);
    else
        buf_strz(out, "null");
    buf_strz(out, ",\"user\":null,\"metadata\":{}}");
}

static void write_whole(struct sim_call *c, buf *out) { write_response(c, true, out); }

/* ---- stream ---- */

/* Opens an event; its members follow, then end_event. Sequence numbers count the events of the stream. */
static void begin_event(struct sim_call *c, const char *type, buf *out) {
    sim_emit(out, "event: $r\ndata: {\"type\":$s,\"sequence_number\":$u", str_from(type), str_from(type),
             (uint64_t)c->events++);
}

static void end_event(buf *out) { buf_strz(out, "}\n\n"); }

static void response_event(struct sim_call *c, const char *type, bool done, buf *out) {
    begin_event(c, type, out);
    buf_strz(out, ",\"response\":");
    write_response(c, done, out);
    end_event(out);
}

static void item_event(struct sim_call *c, const char *type, int call, bool done, buf *out) {
    begin_event(c, type, out);
    sim_emit(out, ",\"output_index\":$u,\"item\":", (uint64_t)(call < 0 ? 0 : call));
    write_item(c, call, done, out);
    end_event(out);
}

/* The members that say which part of which item an event is about. */
static void part_of(struct sim_call *c, int call, buf *out) {
    if (call < 0)
        sim_emit(out, ",\"item_id\":\"msg_$r\",\"output_index\":0,\"content_index\":0", str_from(c->id));
    else
        sim_emit(out, ",\"item_id\":\"fc_$r\",\"output_index\":$u", c->called[call].id, (uint64_t)call);
}

static void part_event(struct sim_call *c, const char *type, str text, buf *out) {
    begin_event(c, type, out);
    part_of(c, -1, out);
    sim_emit(out, ",\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":$s}", text);
    end_event(out);
}

static void open_item(struct sim_call *c, int call, buf *out) {
    item_event(c, "response.output_item.added", call, false, out);
    if (call < 0) part_event(c, "response.content_part.added", STR(""), out);
}

static void close_item(struct sim_call *c, int call, buf *out) {
    begin_event(c, call < 0 ? "response.output_text.done" : "response.function_call_arguments.done", out);
    part_of(c, call, out);
    if (call < 0)
        sim_emit(out, ",\"text\":$s,\"logprobs\":[]", c->text);
    else
        sim_emit(out, ",\"arguments\":$s", c->called[call].arguments);
    end_event(out);
    if (call < 0) part_event(c, "response.content_part.done", c->text, out);
    item_event(c, "response.output_item.done", call, true, out);
}

static void step_responses(struct sim_call *c, uint32_t step, buf *out) {
    if (step == 0) {
        response_event(c, "response.created", false, out);
        response_event(c, "response.in_progress", false, out);
        return;
    }
    bool last = step > c->pieces;
    int before = step > 1 ? c->piece[step - 2].call : -2, call = last ? -2 : c->piece[step - 1].call;
    if (before != call && step > 1) close_item(c, before, out);
    if (last) {
        response_event(c, c->cut_short ? "response.incomplete" : "response.completed", true, out);
        return;
    }
    if (before != call) open_item(c, call, out);
    begin_event(c, call < 0 ? "response.output_text.delta" : "response.function_call_arguments.delta", out);
    part_of(c, call, out);
    sim_emit(out, ",\"delta\":$s", c->piece[step - 1].text);
    if (call < 0) buf_strz(out, ",\"logprobs\":[]");
    end_event(out);
}

const struct sim_surface sim_responses[] = {
    {SIM_OPENAI, "POST", "/responses", read_responses, write_whole, step_responses},
    {0},
};
