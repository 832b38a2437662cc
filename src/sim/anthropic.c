/* anthropic: messages, count_tokens, models, as Anthropic's API reference has them (docs.anthropic.com/en/api). */
#include "sim/answer.h"

static void read_tools(struct sim_call *c) {
    jval choice = json_get(c->body, STR("tool_choice"));
    jiter it = json_iter(json_get(c->body, STR("tools")));
    for (jval x; c->tools < SIM_TOOLS_MAX && json_item(&it, &x);) {
        jval name = json_get(x, STR("name"));
        if (name.type == J_STRING)
            c->tool[c->tools++] = (struct sim_tool){json_text(name, c->a), json_get(x, STR("input_schema"))};
    }
    for (uint32_t i = 0; i < c->tools; i++)
        if (json_is(json_get(choice, STR("name")), c->tool[i].name)) {
            c->tool[0] = c->tool[i];
            c->tools = 1;
        }
    c->no_tools = json_is(json_get(choice, STR("type")), STR("none"));
}

/* Whether a message is the answer to a tool call. */
static bool is_tool_result(jval message) {
    jiter it = json_iter(json_get(message, STR("content")));
    for (jval x; json_item(&it, &x);)
        if (json_is(json_get(x, STR("type")), STR("tool_result"))) return true;
    return false;
}

static bool read_count(struct sim_call *c, err *e) {
    jval model = json_get(c->body, STR("model")), messages = json_get(c->body, STR("messages"));
    if (model.type != J_STRING || !model.raw.n) return fail(e, "model: Field required");
    if (messages.type != J_ARRAY) return fail(e, "messages: Field required");
    c->model = json_text(model, c->a);
    c->input_bytes = sim_text_bytes(messages) + sim_text_bytes(json_get(c->body, STR("system"))) +
                     sim_text_bytes(json_get(c->body, STR("tools")));
    return true;
}

static bool read_messages(struct sim_call *c, err *e) {
    jval x, last = {0}, thinking = json_path(c->body, "thinking", "type", NULL);
    jval format = json_path(c->body, "output_config", "format", NULL);
    int64_t n;
    if (!read_count(c, e)) return false;
    for (jiter it = json_iter(json_get(c->body, STR("messages"))); json_item(&it, &x);) last = x;
    if (!last.type) return fail(e, "messages: at least one message is required");
    if (!json_i64(json_get(c->body, STR("max_tokens")), &n)) return fail(e, "max_tokens: Field required");
    if (n < 1) return fail(e, "max_tokens: Input should be greater than or equal to 1");
    c->max_tokens = (uint64_t)n;
    c->stream = json_true(json_get(c->body, STR("stream")));
    c->thinking = json_is(thinking, STR("enabled")) || json_is(thinking, STR("adaptive"));
    if (format.type == J_NONE) format = json_get(c->body, STR("output_format"));
    c->schema = json_get(format, STR("schema"));
    c->json = c->schema.type != J_NONE;
    read_tools(c);
    if (is_tool_result(last)) c->no_tools = true;
    return true;
}

static void write_count(struct sim_call *c, buf *out) { sim_emit(out, "{\"input_tokens\":$u}", c->input_tokens); }

static str stop_reason(const struct sim_call *c) {
    return c->calls ? STR("tool_use") : c->cut_short ? STR("max_tokens") : STR("end_turn");
}

/* input_tokens are those that no cache served. */
static void write_usage(struct sim_call *c, uint64_t output, buf *out) {
    sim_emit(out,
             "{\"input_tokens\":$u,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":$u,"
             "\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},\"output_"
             "tokens\":$u,\"service_tier\":\"standard\"}",
             c->input_tokens - c->cached_tokens, c->cached_tokens, output);
}

static const char thinking_text[] = "[simulated] thinking";

static void write_messages(struct sim_call *c, buf *out) {
    sim_emit(out, "{\"id\":\"msg_$r\",\"type\":\"message\",\"role\":\"assistant\",\"model\":$s,\"content\":[",
             str_from(c->id), c->model);
    if (c->thinking)
        sim_emit(out, "{\"type\":\"thinking\",\"thinking\":$s,\"signature\":\"c2ltdWxhdGVk\"},",
                 str_from(thinking_text));
    if (!c->calls) sim_emit(out, "{\"type\":\"text\",\"text\":$s}", c->text);
    for (uint32_t i = 0; i < c->calls; i++)
        sim_emit(out, "$r{\"type\":\"tool_use\",\"id\":\"toolu_$r\",\"name\":$s,\"input\":$r}",
                 i ? STR(",") : STR(""), c->called[i].id, c->called[i].tool->name, c->called[i].arguments);
    sim_emit(out, "],\"stop_reason\":$s,\"stop_sequence\":null,\"usage\":", stop_reason(c));
    write_usage(c, c->output_tokens, out);
    buf_char(out, '}');
}

/* ---- stream ---- */

static void open_thinking(struct sim_call *c, buf *out) {
    (void)c;
    sim_emit(out,
             "event: content_block_start\ndata: "
             "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\","
             "\"thinking\":\"\",\"signature\":\"\"}}\n\n"
             "event: content_block_delta\ndata: "
             "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","
             "\"thinking\":$s}}\n\n"
             "event: content_block_delta\ndata: "
             "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\","
             "\"signature\":\"c2ltdWxhdGVk\"}}\n\n"
             "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
             str_from(thinking_text));
}

static void open_stream(struct sim_call *c, buf *out) {
    sim_emit(
        out,
        "event: message_start\ndata: "
        "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_$r\",\"type\":\"message\",\"role\":\"assistant\","
        "\"model\":$s,\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":",
        str_from(c->id), c->model);
    write_usage(c, 1, out);
    buf_strz(out, "}}\n\n");
    if (c->thinking) open_thinking(c, out);
    buf_strz(out, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

static uint64_t block_index(const struct sim_call *c, int call) {
    return (uint64_t)(c->thinking ? 1 : 0) + (uint64_t)(call < 0 ? 0 : call);
}

static void open_block(struct sim_call *c, int call, buf *out) {
    sim_emit(out,
             "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":$u,\"content_block\":",
             block_index(c, call));
    if (call < 0)
        buf_strz(out, "{\"type\":\"text\",\"text\":\"\"}}\n\n");
    else
        sim_emit(out, "{\"type\":\"tool_use\",\"id\":\"toolu_$r\",\"name\":$s,\"input\":{}}}\n\n",
                 c->called[call].id, c->called[call].tool->name);
}

static void close_stream(struct sim_call *c, buf *out) {
    sim_emit(out,
             "event: message_delta\ndata: "
             "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":$s,\"stop_sequence\":null},"
             "\"usage\":{\"output_tokens\":$u}}\n\n"
             "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
             stop_reason(c), c->output_tokens);
}

static void step_messages(struct sim_call *c, uint32_t step, buf *out) {
    if (step == 0) {
        open_stream(c, out);
        return;
    }
    bool last = step > c->pieces;
    int before = step > 1 ? c->piece[step - 2].call : -2, call = last ? -2 : c->piece[step - 1].call;
    if (before != call && step > 1)
        sim_emit(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":$u}\n\n",
                 block_index(c, before));
    if (last) {
        close_stream(c, out);
        return;
    }
    if (before != call) open_block(c, call, out);
    sim_emit(out,
             "event: content_block_delta\ndata: "
             "{\"type\":\"content_block_delta\",\"index\":$u,\"delta\":{\"type\":$s,$s:$s}}\n\n",
             block_index(c, call), call < 0 ? STR("text_delta") : STR("input_json_delta"),
             call < 0 ? STR("text") : STR("partial_json"), c->piece[step - 1].text);
}

static bool read_nothing(struct sim_call *c, err *e) {
    (void)c, (void)e;
    return true;
}

static void write_model(str id, buf *out) {
    sim_emit(out, "{\"type\":\"model\",\"id\":$s,\"display_name\":$s,\"created_at\":\"" SIM_CREATED_ISO "\"}", id,
             id);
}

static void write_models(struct sim_call *c, buf *out) {
    (void)c;
    buf_strz(out, "{\"data\":[");
    write_model(STR("simulated-light"), out);
    buf_char(out, ',');
    write_model(STR("simulated-frontier"), out);
    buf_strz(out, "],\"has_more\":false,\"first_id\":\"simulated-light\",\"last_id\":\"simulated-frontier\"}");
}

static void write_one_model(struct sim_call *c, buf *out) {
    ptrdiff_t at = str_find(c->path, STR("/models/"));
    write_model(str_skip(c->path, (size_t)at + 8), out);
}

const struct sim_surface sim_anthropic[] = {
    {SIM_ANTHROPIC, "POST", "/messages/count_tokens", read_count, write_count, NULL},
    {SIM_ANTHROPIC, "POST", "/messages", read_messages, write_messages, step_messages},
    {SIM_ANTHROPIC, "GET", "/models", read_nothing, write_models, NULL},
    {SIM_ANTHROPIC, "GET", "/models/*", read_nothing, write_one_model, NULL},
    {0},
};
