/* checks: reads chat completions and Responses objects; one pass over what the model said. */
#include "chat/checks.h"

#include "chat/schema.h"

static str kept(jval v, arena *a) {
    return v.type == J_NONE || v.type == J_NULL || v.raw.n > CHECKS_KEEP_MAX ? STR_NONE : arena_str(a, v.raw);
}

void checks_want(const jscan *s, str body, arena *a, struct wants *out) {
    jval format = json_find(s, body, STR("response_format"));
    if (format.type != J_OBJECT) format = json_get(json_find(s, body, STR("text")), STR("format"));
    jval type = json_get(format, STR("type"));
    *out = (struct wants){0};
    out->json = json_is(type, STR("json_object")) || json_is(type, STR("json_schema"));
    jval schema = json_path(format, "json_schema", "schema", NULL);
    if (schema.type != J_OBJECT) schema = json_get(format, STR("schema")); /* Responses */
    if (out->json && schema.type == J_OBJECT) out->schema = kept(schema, a);
    jval tools = json_find(s, body, STR("tools"));
    if (tools.type == J_ARRAY) out->tools = kept(tools, a);
}

static jval parse(str text) {
    jval v = {0};
    if (!text.n || !json_check(text, &v, NULL, NULL)) v = (jval){0};
    return v;
}

/* The parameters of a tool by name, in either API's shape. */
static jval parameters_of(jval tools, str name, arena *a) {
    jval tool;
    for (jiter it = json_iter(tools); tools.type == J_ARRAY && json_item(&it, &tool);) {
        jval f = json_get(tool, STR("function"));
        if (f.type != J_OBJECT) f = tool;
        jval n = json_get(f, STR("name"));
        if (n.type == J_STRING && str_eq(json_text(n, a), name)) return json_get(f, STR("parameters"));
    }
    return (jval){0};
}

/* 1 fits, 0 doesn't, -1 nothing to check. */
static int call_fits(const struct wants *w, jval name, jval arguments, arena *a) {
    if (name.type != J_STRING || arguments.type != J_STRING) return -1;
    str text = json_text(arguments, a);
    jval args = parse(text.n ? text : STR("{}"));
    if (args.type != J_OBJECT) return 0;
    jval parameters = parameters_of(parse(w->tools), json_text(name, a), a);
    return parameters.type != J_OBJECT ? -1 : schema_fits(parameters, args, a);
}

struct reading {
    const struct wants *w;
    arena *a;
    int text, calls; /* as call_fits */
};

static void read_text(struct reading *r, jval content) {
    if (content.type != J_STRING || !r->w->json) return;
    jval v = parse(json_text(content, r->a));
    r->text = v.type != J_NONE && (!r->w->schema.n || schema_fits(parse(r->w->schema), v, r->a));
}

static void read_call(struct reading *r, jval f) {
    int fit = call_fits(r->w, json_get(f, STR("name")), json_get(f, STR("arguments")), r->a);
    if (fit >= 0 && r->calls != 0) r->calls = fit;
}

static void read_message(struct reading *r, jval message) {
    jval calls = json_get(message, STR("tool_calls")), call;
    read_text(r, json_get(message, STR("content")));
    for (jiter it = json_iter(calls); calls.type == J_ARRAY && json_item(&it, &call);)
        read_call(r, json_get(call, STR("function")));
}

static void read_answer(struct reading *r, jval root) {
    jval choices = json_get(root, STR("choices")), output = json_get(root, STR("output")), one, part;
    for (jiter it = json_iter(choices); choices.type == J_ARRAY && json_item(&it, &one);)
        read_message(r, json_get(one, STR("message")));
    for (jiter it = json_iter(output); output.type == J_ARRAY && json_item(&it, &one);) {
        if (json_is(json_get(one, STR("type")), STR("function_call"))) read_call(r, one);
        jval content = json_get(one, STR("content"));
        for (jiter in = json_iter(content); content.type == J_ARRAY && json_item(&in, &part);)
            if (json_is(json_get(part, STR("type")), STR("output_text")))
                read_text(r, json_get(part, STR("text")));
    }
}

/* A refusal stands in a member of its own, as a string, in both APIs. */
static bool refused(str body) {
    static const str key = STR_INIT("\"refusal\":");
    for (ptrdiff_t at; (at = str_find(body, key)) >= 0;) {
        body = str_skip(body, (size_t)at + key.n);
        jval v = json_value_at(body.p, body.p + body.n);
        if (v.type == J_STRING && v.raw.n) return true;
    }
    return false;
}

struct verdict checks_answer(const struct wants *w, const struct answer *a, str body, bool broken,
                             arena *scratch) {
    struct reading r = {.w = w, .a = scratch, .text = -1, .calls = -1};
    if (broken || a->error) return (struct verdict){0, "broken"};
    if (a->finish == FINISH_LENGTH) return (struct verdict){0, "cut_by_length"};
    if (a->finish == FINISH_FILTER || (body.n && refused(body))) return (struct verdict){0, "refused"};
    if (!a->content && !a->tools) return (struct verdict){0, "empty"};
    if (body.n && (w->json || (w->tools.n && a->tools))) read_answer(&r, parse(body));
    if (r.calls == 0) return (struct verdict){0, "tool_arguments"};
    if (r.text == 0 && !a->tools) return (struct verdict){0, w->schema.n ? "schema" : "json"};
    if (r.calls == 1) return (struct verdict){1, "tool_arguments"};
    if (r.text == 1) return (struct verdict){1, w->schema.n ? "schema" : "json"};
    return (struct verdict){-1, ""};
}
