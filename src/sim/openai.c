/* openai: chat completions, completions, embeddings, moderations, models, as OpenAI's API reference has them
 * (platform.openai.com/docs/api-reference). */
#include "base/base64.h"
#include "sim/answer.h"

enum { DIMENSIONS = 1536, DIMENSIONS_MAX = 4096 };

#define HEAD(object) "{\"id\":\"chatcmpl-$r\",\"object\":\"" object "\",\"created\":" SIM_CREATED ",\"model\":$s,"

/* ---- reading ---- */

static void read_tools(struct sim_call *c) {
    jiter it = json_iter(json_get(c->body, STR("tools")));
    for (jval x; c->tools < SIM_TOOLS_MAX && json_item(&it, &x);) {
        jval f = json_get(x, STR("function")), name = json_get(f, STR("name"));
        if (name.type == J_STRING)
            c->tool[c->tools++] = (struct sim_tool){json_text(name, c->a), json_get(f, STR("parameters"))};
    }
    jval named = json_path(c->body, "tool_choice", "function", "name", NULL);
    for (uint32_t i = 0; i < c->tools; i++)
        if (json_is(named, c->tool[i].name)) {
            c->tool[0] = c->tool[i];
            c->tools = 1;
        }
    c->no_tools = json_is(json_get(c->body, STR("tool_choice")), STR("none"));
}

/* What chat and completions have in common. */
static bool read_common(struct sim_call *c, err *e) {
    jval model = json_get(c->body, STR("model"));
    int64_t n;
    if (model.type != J_STRING || !model.raw.n) return fail(e, "you must provide a model parameter");
    c->model = json_text(model, c->a);
    c->stream = json_true(json_get(c->body, STR("stream")));
    jval options = json_get(c->body, STR("stream_options"));
    if (options.type == J_OBJECT && !c->stream)
        return fail(e, "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    c->include_usage = json_true(json_get(options, STR("include_usage")));
    if (json_i64(json_get(c->body, STR("max_completion_tokens")), &n) ||
        json_i64(json_get(c->body, STR("max_tokens")), &n)) {
        if (n < 1) return fail(e, "max_tokens must be at least 1");
        c->max_tokens = (uint64_t)n;
    }
    if (json_i64(json_get(c->body, STR("n")), &n)) {
        if (n < 1 || n > SIM_CHOICES_MAX) return fail(e, "n must be between 1 and %d", SIM_CHOICES_MAX);
        c->choices = (uint32_t)n;
    }
    return true;
}

static bool read_chat(struct sim_call *c, err *e) {
    jval messages = json_get(c->body, STR("messages")), x, last = {0},
         format = json_get(c->body, STR("response_format"));
    if (!read_common(c, e)) return false;
    for (jiter it = json_iter(messages); json_item(&it, &x);) last = x;
    if (messages.type != J_ARRAY || !last.type) return fail(e, "Missing required parameter: 'messages'.");
    c->input_bytes = sim_text_bytes(messages);
    read_tools(c);
    if (json_is(json_get(last, STR("role")), STR("tool"))) c->no_tools = true;
    c->json = json_is(json_get(format, STR("type")), STR("json_schema")) ||
              json_is(json_get(format, STR("type")), STR("json_object"));
    c->schema = json_path(format, "json_schema", "schema", NULL);
    return true;
}

static bool read_completion(struct sim_call *c, err *e) {
    jval prompt = json_get(c->body, STR("prompt"));
    c->input_bytes = sim_text_bytes(prompt);
    return read_common(c, e) && (prompt.type || fail(e, "Missing required parameter: 'prompt'."));
}

/* ---- chat ---- */

static void write_usage(struct sim_call *c, buf *out) {
    sim_emit(out,
             "{\"prompt_tokens\":$u,\"completion_tokens\":$u,\"total_tokens\":$u,\"prompt_tokens_details\":{"
             "\"cached_tokens\":$u,"
             "\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":$u,\"audio_tokens\":0,"
             "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
             c->input_tokens, c->output_tokens * c->choices, c->input_tokens + c->output_tokens * c->choices,
             c->cached_tokens, c->reasoning_tokens);
}

static str finish_reason(const struct sim_call *c) {
    return c->calls ? STR("tool_calls") : c->cut_short ? STR("length") : STR("stop");
}

static void write_message(struct sim_call *c, buf *out) {
    if (!c->calls) {
        sim_emit(out, "{\"role\":\"assistant\",\"content\":$s,\"refusal\":null,\"annotations\":[]}", c->text);
        return;
    }
    buf_strz(out, "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[");
    for (uint32_t i = 0; i < c->calls; i++)
        sim_emit(out, "$r{\"id\":\"call_$r\",\"type\":\"function\",\"function\":{\"name\":$s,\"arguments\":$s}}",
                 i ? STR(",") : STR(""), c->called[i].id, c->called[i].tool->name, c->called[i].arguments);
    buf_strz(out, "],\"refusal\":null,\"annotations\":[]}");
}

static void write_chat(struct sim_call *c, buf *out) {
    sim_emit(out, HEAD("chat.completion") "\"choices\":[", str_from(c->id), c->model);
    for (uint32_t i = 0; i < c->choices; i++) {
        sim_emit(out, "$r{\"index\":$u,\"message\":", i ? STR(",") : STR(""), (uint64_t)i);
        write_message(c, out);
        sim_emit(out, ",\"logprobs\":null,\"finish_reason\":$s}", finish_reason(c));
    }
    buf_strz(out, "],\"usage\":");
    write_usage(c, out);
    buf_strz(out, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_simulated\"}");
}

/* One chunk of one choice; with include_usage every chunk but the extra one says "usage":null. */
static void chat_chunk(struct sim_call *c, uint32_t choice, str delta, str finish, buf *out) {
    sim_emit(out,
             "data: " HEAD(
                 "chat.completion.chunk") "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_simulated\",",
             str_from(c->id), c->model);
    sim_emit(out, "\"choices\":[{\"index\":$u,\"delta\":$r,\"logprobs\":null,\"finish_reason\":$r}]$r}\n\n",
             (uint64_t)choice, delta, finish, c->include_usage ? STR(",\"usage\":null") : STR(""));
}

static void usage_chunk(struct sim_call *c, const char *head, buf *out) {
    sim_emit(out, head, str_from(c->id), c->model);
    buf_strz(out, "\"choices\":[],\"usage\":");
    write_usage(c, out);
    buf_strz(out, "}\n\n");
}

/* The delta of a step: the role first, each tool call's head before its first piece, then text or arguments. */
static void chat_delta(struct sim_call *c, uint32_t step, buf *d) {
    if (step == 0) {
        buf_strz(d, c->calls ? "{\"role\":\"assistant\",\"content\":null}"
                             : "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
        return;
    }
    const struct sim_piece *p = &c->piece[step - 1];
    if (p->call < 0) {
        sim_emit(d, "{\"content\":$s}", p->text);
        return;
    }
    sim_emit(d, "{\"tool_calls\":[{\"index\":$u,", (uint64_t)p->call);
    if (step == 1 || p[-1].call != p->call)
        sim_emit(d, "\"id\":\"call_$r\",\"type\":\"function\",\"function\":{\"name\":$s,\"arguments\":$s}}]}",
                 c->called[p->call].id, c->called[p->call].tool->name, p->text);
    else
        sim_emit(d, "\"function\":{\"arguments\":$s}}]}", p->text);
}

static void step_chat(struct sim_call *c, uint32_t step, buf *out) {
    bool last = step > c->pieces;
    buf delta, finish;
    buf_init(&delta, 1 << 20);
    buf_init(&finish, 64);
    if (last) {
        buf_strz(&delta, "{}");
        sim_emit(&finish, "$s", finish_reason(c));
    } else {
        chat_delta(c, step, &delta);
        buf_strz(&finish, "null");
    }
    for (uint32_t i = 0; i < c->choices; i++) chat_chunk(c, i, buf_view(&delta), buf_view(&finish), out);
    buf_free(&delta);
    buf_free(&finish);
    if (last && c->include_usage)
        usage_chunk(
            c,
            "data: " HEAD(
                "chat.completion.chunk") "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_simulated\",",
            out);
    if (last) buf_strz(out, "data: [DONE]\n\n");
}

/* ---- completions ---- */

static void write_completion(struct sim_call *c, buf *out) {
    sim_emit(out,
             "{\"id\":\"cmpl-$r\",\"object\":\"text_completion\",\"created\":" SIM_CREATED
             ",\"model\":$s,\"choices\":[",
             str_from(c->id), c->model);
    for (uint32_t i = 0; i < c->choices; i++)
        sim_emit(out, "$r{\"text\":$s,\"index\":$u,\"logprobs\":null,\"finish_reason\":$s}",
                 i ? STR(",") : STR(""), c->text, (uint64_t)i, finish_reason(c));
    buf_strz(out, "],\"usage\":");
    write_usage(c, out);
    buf_strz(out, "}");
}

static void step_completion(struct sim_call *c, uint32_t step, buf *out) {
    static const char head[] =
        "data: {\"id\":\"cmpl-$r\",\"object\":\"text_completion\",\"created\":" SIM_CREATED ",\"model\":$s,";
    bool last = step > c->pieces;
    if (step == 0) return;
    for (uint32_t i = 0; i < c->choices; i++) {
        sim_emit(out, head, str_from(c->id), c->model);
        sim_emit(out, "\"choices\":[{\"text\":$s,\"index\":$u,\"logprobs\":null,\"finish_reason\":",
                 last ? STR("") : c->piece[step - 1].text, (uint64_t)i);
        if (last)
            sim_emit(out, "$s", finish_reason(c));
        else
            buf_strz(out, "null");
        sim_emit(out, "}]$r}\n\n", c->include_usage ? STR(",\"usage\":null") : STR(""));
    }
    if (last && c->include_usage) usage_chunk(c, head, out);
    if (last) buf_strz(out, "data: [DONE]\n\n");
}

/* ---- embeddings ---- */

static bool read_embeddings(struct sim_call *c, err *e) {
    c->inputs = json_get(c->body, STR("input"));
    c->input_bytes = sim_text_bytes(c->inputs);
    return read_common(c, e) && (c->inputs.type == J_STRING || c->inputs.type == J_ARRAY ||
                                 fail(e, "Missing required parameter: 'input'."));
}

static void write_embedding(struct sim_call *c, str text, uint64_t index, uint32_t n, bool base64, buf *out) {
    float *v = arena_alloc(c->a, n * sizeof *v);
    sim_vector(c, text, n, v);
    sim_emit(out, "$r{\"object\":\"embedding\",\"index\":$u,\"embedding\":", index ? STR(",") : STR(""), index);
    if (base64) {
        buf_char(out, '"');
        base64_encode(v, n * sizeof *v, out); /* little-endian floats, as the API sends them */
        buf_char(out, '"');
    } else {
        for (uint32_t i = 0; i < n; i++) buf_printf(out, "%c%.8g", i ? ',' : '[', (double)v[i]);
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

static void write_embeddings(struct sim_call *c, buf *out) {
    int64_t n = DIMENSIONS;
    bool base64 = json_is(json_get(c->body, STR("encoding_format")), STR("base64"));
    json_i64(json_get(c->body, STR("dimensions")), &n);
    uint32_t dimensions = (uint32_t)(n < 1 || n > DIMENSIONS_MAX ? DIMENSIONS : n);
    jval x;
    uint64_t count = 0;
    buf_strz(out, "{\"object\":\"list\",\"data\":[");
    jiter it = json_iter(c->inputs);
    bool texts = json_item(&it, &x) && x.type != J_NUMBER; /* an array of numbers is one input, given as tokens */
    if (!texts)
        write_embedding(c, c->inputs.type == J_STRING ? json_text(c->inputs, c->a) : c->inputs.raw, 0, dimensions,
                        base64, out);
    for (; texts && count < SIM_INPUTS_MAX; count++) {
        write_embedding(c, x.type == J_STRING ? json_text(x, c->a) : x.raw, count, dimensions, base64, out);
        if (!json_item(&it, &x)) break;
    }
    sim_emit(out, "],\"model\":$s,\"usage\":{\"prompt_tokens\":$u,\"total_tokens\":$u}}", c->model,
             c->input_tokens, c->input_tokens);
}

/* ---- the rest ---- */

static bool read_moderation(struct sim_call *c, err *e) {
    return json_get(c->body, STR("input")).type || fail(e, "Missing required parameter: 'input'.");
}

static void write_moderation(struct sim_call *c, buf *out) {
    static const char *const categories[] = {"sexual",
                                             "hate",
                                             "harassment",
                                             "self-harm",
                                             "sexual/minors",
                                             "hate/threatening",
                                             "violence/graphic",
                                             "self-harm/intent",
                                             "self-harm/instructions",
                                             "harassment/threatening",
                                             "violence"};
    enum { COUNT = sizeof categories / sizeof *categories };
    sim_emit(out,
             "{\"id\":\"modr-$r\",\"model\":\"omni-moderation-simulated\",\"results\":[{\"flagged\":false,"
             "\"categories\":{",
             str_from(c->id));
    for (unsigned i = 0; i < COUNT; i++) buf_printf(out, "%s\"%s\":false", i ? "," : "", categories[i]);
    buf_strz(out, "},\"category_scores\":{");
    for (unsigned i = 0; i < COUNT; i++) buf_printf(out, "%s\"%s\":0.0001", i ? "," : "", categories[i]);
    buf_strz(out, "}}]}");
}

static bool read_nothing(struct sim_call *c, err *e) {
    (void)c, (void)e;
    return true;
}

static void write_model(str id, buf *out) {
    sim_emit(out, "{\"id\":$s,\"object\":\"model\",\"created\":" SIM_CREATED ",\"owned_by\":\"dray-simulated\"}",
             id);
}

static void write_models(struct sim_call *c, buf *out) {
    (void)c;
    buf_strz(out, "{\"object\":\"list\",\"data\":[");
    write_model(STR("simulated-light"), out);
    buf_char(out, ',');
    write_model(STR("simulated-mid"), out);
    buf_char(out, ',');
    write_model(STR("simulated-frontier"), out);
    buf_strz(out, "]}");
}

static void write_one_model(struct sim_call *c, buf *out) {
    ptrdiff_t at = str_find(c->path, STR("/models/"));
    write_model(str_skip(c->path, (size_t)at + 8), out);
}

const struct sim_surface sim_openai[] = {
    {SIM_OPENAI, "POST", "/chat/completions", read_chat, write_chat, step_chat},
    {SIM_OPENAI, "POST", "/completions", read_completion, write_completion, step_completion},
    {SIM_OPENAI, "POST", "/embeddings", read_embeddings, write_embeddings, NULL},
    {SIM_OPENAI, "POST", "/moderations", read_moderation, write_moderation, NULL},
    {SIM_OPENAI, "GET", "/models", read_nothing, write_models, NULL},
    {SIM_OPENAI, "GET", "/models/*", read_nothing, write_one_model, NULL},
    {0},
};
