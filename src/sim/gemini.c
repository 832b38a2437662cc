/* gemini: generateContent, its streams, countTokens, embeddings, models, as Google's API reference has them
 * (ai.google.dev/api). Streams are server-sent events with ?alt=sse, else one JSON array. */
#include "sim/answer.h"

enum { DIMENSIONS = 768, DIMENSIONS_MAX = 4096 };

/* The model is in the path: …/models/NAME:verb */
static str path_model(const struct sim_call *c) {
    ptrdiff_t at = str_find(c->path, STR("/models/"));
    str name = at < 0 ? STR_NONE : str_skip(c->path, (size_t)at + 8);
    ptrdiff_t colon = str_chr(name, ':');
    return colon < 0 ? name : str_take(name, (size_t)colon);
}

static bool read_count(struct sim_call *c, err *e) {
    jval contents = json_get(c->body, STR("contents"));
    if (contents.type == J_NONE) contents = json_path(c->body, "generateContentRequest", "contents", NULL);
    if (contents.type != J_ARRAY) return fail(e, "* GenerateContentRequest.contents: contents is not specified");
    c->model = path_model(c);
    c->input_bytes = sim_text_bytes(contents) + sim_text_bytes(json_get(c->body, STR("systemInstruction")));
    return true;
}

static jval either(jval v, const char *one, const char *other) {
    jval x = json_get(v, str_from(one));
    return x.type == J_NONE ? json_get(v, str_from(other)) : x;
}

static void read_tools(struct sim_call *c) {
    jval group, f;
    for (jiter groups = json_iter(json_get(c->body, STR("tools"))); json_item(&groups, &group);) {
        jiter it = json_iter(either(group, "functionDeclarations", "function_declarations"));
        while (c->tools < SIM_TOOLS_MAX && json_item(&it, &f))
            if (json_get(f, STR("name")).type == J_STRING)
                c->tool[c->tools++] = (struct sim_tool){json_text(json_get(f, STR("name")), c->a),
                                                        either(f, "parametersJsonSchema", "parameters")};
    }
    c->no_tools = json_is(json_path(c->body, "toolConfig", "functionCallingConfig", "mode", NULL), STR("NONE"));
}

static bool read_generate(struct sim_call *c, err *e) {
    jval config = either(c->body, "generationConfig", "generation_config"), x, last = {0};
    int64_t n;
    if (!read_count(c, e)) return false;
    if (json_i64(json_get(config, STR("maxOutputTokens")), &n) && n > 0) c->max_tokens = (uint64_t)n;
    read_tools(c);
    for (jiter it = json_iter(json_get(c->body, STR("contents"))); json_item(&it, &x);) last = x;
    for (jiter it = json_iter(json_get(last, STR("parts"))); json_item(&it, &x);)
        if (json_get(x, STR("functionResponse")).type) c->no_tools = true;
    c->json = json_is(json_get(config, STR("responseMimeType")), STR("application/json"));
    c->schema = either(config, "responseJsonSchema", "responseSchema");
    return true;
}

static bool read_stream(struct sim_call *c, err *e) {
    c->stream = true;
    c->array_stream = str_find(c->query, STR("alt=sse")) < 0;
    return read_generate(c, e);
}

static void write_usage(struct sim_call *c, uint64_t output, buf *out) {
    uint64_t thoughts = c->reasoning_tokens < output ? c->reasoning_tokens : 0;
    sim_emit(out, "\"usageMetadata\":{\"promptTokenCount\":$u,\"candidatesTokenCount\":$u,\"totalTokenCount\":$u",
             c->input_tokens, output - thoughts, c->input_tokens + output);
    if (c->cached_tokens) sim_emit(out, ",\"cachedContentTokenCount\":$u", c->cached_tokens);
    if (thoughts) sim_emit(out, ",\"thoughtsTokenCount\":$u", thoughts);
    sim_emit(out,
             ",\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":$u}]},\"modelVersion\":$s,"
             "\"responseId\":$s",
             c->input_tokens, c->model, str_from(c->id));
}

static void write_calls(struct sim_call *c, buf *out) {
    for (uint32_t i = 0; i < c->calls; i++)
        sim_emit(out, "$r{\"functionCall\":{\"name\":$s,\"args\":$r}}", i ? STR(",") : STR(""),
                 c->called[i].tool->name, c->called[i].arguments);
}

static void write_generate(struct sim_call *c, buf *out) {
    buf_strz(out, "{\"candidates\":[{\"content\":{\"parts\":[");
    if (c->calls)
        write_calls(c, out);
    else
        sim_emit(out, "{\"text\":$s}", c->text);
    sim_emit(out, "],\"role\":\"model\"},\"finishReason\":$s,\"index\":0}],",
             c->cut_short ? STR("MAX_TOKENS") : STR("STOP"));
    write_usage(c, c->output_tokens, out);
    buf_char(out, '}');
}

/* Function calls come whole, with the last step. */
static void step_generate(struct sim_call *c, uint32_t step, buf *out) {
    bool last = step > c->pieces;
    if (step == 0 || (c->calls && !last)) return;
    if (!c->array_stream)
        buf_strz(out, "data: ");
    else
        buf_char(out, c->events++ ? ',' : '[');
    buf_strz(out, "{\"candidates\":[{\"content\":{\"parts\":[");
    if (last)
        write_calls(c, out);
    else
        sim_emit(out, "{\"text\":$s}", c->piece[step - 1].text);
    if (last && !c->calls) buf_strz(out, "{\"text\":\"\"}");
    buf_strz(out, "],\"role\":\"model\"}");
    if (last) sim_emit(out, ",\"finishReason\":$s", c->cut_short ? STR("MAX_TOKENS") : STR("STOP"));
    buf_strz(out, ",\"index\":0}],");
    write_usage(c, last ? c->output_tokens : step, out);
    buf_strz(out, c->array_stream ? last ? "}]\n" : "}\n" : "}\r\n\r\n");
}

static void write_count(struct sim_call *c, buf *out) {
    sim_emit(out, "{\"totalTokens\":$u,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":$u}]}",
             c->input_tokens, c->input_tokens);
}

/* ---- embeddings ---- */

static bool read_embed(struct sim_call *c, err *e) {
    c->model = path_model(c);
    c->input_bytes = sim_text_bytes(json_get(c->body, STR("content")));
    return c->input_bytes || fail(e, "* EmbedContentRequest.content: contents is not specified");
}

static bool read_embeds(struct sim_call *c, err *e) {
    c->model = path_model(c);
    c->inputs = json_get(c->body, STR("requests"));
    c->input_bytes = sim_text_bytes(c->inputs);
    return c->inputs.type == J_ARRAY || fail(e, "* BatchEmbedContentsRequest.requests: requests is not specified");
}

static void write_values(struct sim_call *c, jval request, buf *out) {
    int64_t n = DIMENSIONS;
    json_i64(json_get(request, STR("outputDimensionality")), &n);
    uint32_t dimensions = (uint32_t)(n < 1 || n > DIMENSIONS_MAX ? DIMENSIONS : n);
    float *v = arena_alloc(c->a, dimensions * sizeof *v);
    sim_vector(c, json_get(request, STR("content")).raw, dimensions, v);
    for (uint32_t i = 0; i < dimensions; i++) buf_printf(out, "%s%.8g", i ? "," : "{\"values\":[", (double)v[i]);
    buf_strz(out, "]}");
}

static void write_embed(struct sim_call *c, buf *out) {
    buf_strz(out, "{\"embedding\":");
    write_values(c, c->body, out);
    buf_char(out, '}');
}

static void write_embeds(struct sim_call *c, buf *out) {
    uint32_t count = 0;
    jiter it = json_iter(c->inputs);
    buf_strz(out, "{\"embeddings\":[");
    for (jval x; count < SIM_INPUTS_MAX && json_item(&it, &x); count++) {
        if (count) buf_char(out, ',');
        write_values(c, x, out);
    }
    buf_strz(out, "]}");
}

/* ---- models ---- */

static bool read_nothing(struct sim_call *c, err *e) {
    (void)c, (void)e;
    return true;
}

static void write_model(str id, buf *out) {
    sim_emit(out,
             "{\"name\":\"models/$r\",\"version\":\"001\",\"displayName\":$s,\"description\":\"simulated by "
             "dray\",\"inputTokenLimit\":1048576,"
             "\"outputTokenLimit\":65536,\"supportedGenerationMethods\":[\"generateContent\",\"countTokens\"]}",
             id, id);
}

static void write_models(struct sim_call *c, buf *out) {
    (void)c;
    buf_strz(out, "{\"models\":[");
    write_model(STR("simulated-light"), out);
    buf_char(out, ',');
    write_model(STR("simulated-frontier"), out);
    buf_strz(out, "]}");
}

static void write_one_model(struct sim_call *c, buf *out) { write_model(path_model(c), out); }

const struct sim_surface sim_gemini[] = {
    {SIM_GEMINI, "POST", "/models/*:generateContent", read_generate, write_generate, NULL},
    {SIM_GEMINI, "POST", "/models/*:streamGenerateContent", read_stream, write_generate, step_generate},
    {SIM_GEMINI, "POST", "/models/*:countTokens", read_count, write_count, NULL},
    {SIM_GEMINI, "POST", "/models/*:embedContent", read_embed, write_embed, NULL},
    {SIM_GEMINI, "POST", "/models/*:batchEmbedContents", read_embeds, write_embeds, NULL},
    {SIM_GEMINI, "GET", "/v1beta/models", read_nothing, write_models, NULL},
    {SIM_GEMINI, "GET", "/v1beta/models/*", read_nothing, write_one_model, NULL},
    {0},
};
