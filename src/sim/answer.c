/* answer: see answer.h. Everything that is drawn comes from one generator seeded by the seed option and a
 * fingerprint of the request, so an answer depends on nothing else. */
#include "sim/answer.h"

#include <math.h>
#include <stdio.h>

enum { WORD_COUNT = 48, SCHEMA_DEPTH_MAX = 24, ARGUMENT_PIECE = 6 };

static const char *const words[WORD_COUNT] = {
    "the",   "a",      "of",    "to",     "and",    "in",     "is",     "for",   "on",      "with",
    "as",    "by",     "call",  "answer", "model",  "route",  "light",  "heavy", "cheap",   "exact",
    "short", "long",   "first", "last",   "reads",  "writes", "counts", "sends", "keeps",   "finds",
    "gives", "takes",  "holds", "shows",  "begins", "ends",   "number", "text",  "request", "token",
    "price", "ledger", "tier",  "rule",   "answer", "result", "stream", "record"};

void sim_call_init(struct sim_call *c, arena *a, const struct sim_options *o, str path, str query, jval body,
                   str raw) {
    *c = (struct sim_call){.a = a, .opt = *o, .path = path, .query = query, .body = body, .choices = 1};
    rng_seed(&c->rng, o->seed ^ fingerprint(path) ^ fingerprint(raw));
    snprintf(c->id, sizeof c->id, "%016lx%08x", rng_next(&c->rng), (unsigned)rng_next(&c->rng));
}

uint64_t sim_text_bytes(jval v) {
    uint64_t sum = 0;
    jval x;
    str key;
    bool esc;
    if (v.type == J_STRING) return v.raw.n;
    jiter it = json_iter(v);
    if (v.type == J_ARRAY)
        while (json_item(&it, &x)) sum += sim_text_bytes(x);
    if (v.type == J_OBJECT)
        while (json_next(&it, &key, &esc, &x)) sum += sim_text_bytes(x);
    return sum;
}

/* ---- values by schema ---- */

/* "#/$defs/NAME" and "#/definitions/NAME" of the root schema; J_NONE for anything else. */
static jval resolve_ref(struct sim_call *c, jval root, jval ref) {
    str s = json_text(ref, c->a), part;
    jval at = root;
    if (!str_cut(&s, '/', &part) || !str_eq(part, STR("#"))) return (jval){0};
    while (str_cut(&s, '/', &part)) at = json_get(at, part);
    return at;
}

static void write_value(struct sim_call *c, jval root, jval schema, unsigned depth, jw *w);

static void write_object(struct sim_call *c, jval root, jval schema, unsigned depth, jw *w) {
    jiter it = json_iter(json_get(schema, STR("properties")));
    str key;
    bool esc;
    jval property;
    jw_object(w);
    while (json_next(&it, &key, &esc, &property)) {
        jw_key_str(w, json_text((jval){.raw = key, .type = J_STRING, .esc = esc}, c->a));
        write_value(c, root, property, depth + 1, w);
    }
    jw_object_end(w);
}

static void write_array(struct sim_call *c, jval root, jval schema, unsigned depth, jw *w) {
    int64_t count = 1;
    json_i64(json_get(schema, STR("minItems")), &count);
    jw_array(w);
    for (int64_t i = 0; i < (count < 1 ? 1 : count > 16 ? 16 : count); i++)
        write_value(c, root, json_get(schema, STR("items")), depth + 1, w);
    jw_array_end(w);
}

static void write_number(struct sim_call *c, jval schema, bool whole, jw *w) {
    double low = 0;
    bool bounded = json_f64(json_get(schema, STR("minimum")), &low);
    double v = bounded ? ceil(low) : (double)(rng_next(&c->rng) % 100);
    double high;
    if (json_f64(json_get(schema, STR("maximum")), &high) && v > high) v = high;
    if (whole)
        jw_i64(w, (int64_t)v);
    else
        jw_f64(w, v);
}

static void write_typed(struct sim_call *c, jval root, jval schema, str type, unsigned depth, jw *w) {
    if (str_eqz(type, "object"))
        write_object(c, root, schema, depth, w);
    else if (str_eqz(type, "array"))
        write_array(c, root, schema, depth, w);
    else if (str_eqz(type, "integer"))
        write_number(c, schema, true, w);
    else if (str_eqz(type, "number"))
        write_number(c, schema, false, w);
    else if (str_eqz(type, "boolean"))
        jw_bool(w, rng_next(&c->rng) & 1);
    else if (str_eqz(type, "null"))
        jw_null(w);
    else
        jw_string(w, arena_printf(c->a, "simulated %s", words[rng_next(&c->rng) % WORD_COUNT]));
}

/* The type in lower case (Gemini writes OBJECT); of several the first that is not null. */
static str schema_type(struct sim_call *c, jval schema) {
    jval type = json_get(schema, STR("type")), x;
    if (type.type == J_ARRAY)
        for (jiter it = json_iter(type); json_item(&it, &x) && json_is(type = x, STR("null"));) {
        }
    if (type.type != J_STRING) return json_get(schema, STR("properties")).type ? STR("object") : STR("string");
    char *lower = arena_strz(c->a, json_text(type, c->a));
    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p |= 0x20;
    return str_from(lower);
}

static void write_value(struct sim_call *c, jval root, jval schema, unsigned depth, jw *w) {
    static const char *const choices[] = {"enum", "anyOf", "oneOf", "allOf"};
    jval x;
    if (depth > SCHEMA_DEPTH_MAX) { /* a schema that contains itself */
        jw_null(w);
        return;
    }
    if ((x = json_get(schema, STR("$ref"))).type == J_STRING) {
        write_value(c, root, resolve_ref(c, root, x), depth + 1, w);
        return;
    }
    if ((x = json_get(schema, STR("const"))).type != J_NONE) {
        jw_raw(w, x.type == J_STRING ? str_make(x.raw.p - 1, x.raw.n + 2) : x.raw);
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        jiter it = json_iter(json_get(schema, str_from(choices[i])));
        if (!json_item(&it, &x)) continue;
        if (i)
            write_value(c, root, x, depth + 1, w);
        else
            jw_raw(w, x.type == J_STRING ? str_make(x.raw.p - 1, x.raw.n + 2) : x.raw);
        return;
    }
    write_typed(c, root, schema, schema_type(c, schema), depth, w);
}

void sim_schema_value(struct sim_call *c, jval schema, buf *out) {
    jw w;
    jw_init(&w, out);
    if (schema.type == J_OBJECT)
        write_value(c, schema, schema, 0, &w);
    else {
        jw_object(&w);
        jw_object_end(&w);
    }
}

/* ---- pieces ---- */

static void add_piece(struct sim_call *c, str text, int call) {
    if (c->pieces == SIM_PIECES_MAX) return;
    if (c->pieces == c->piece_cap) {
        uint32_t cap = c->piece_cap ? c->piece_cap * 2 : 64;
        c->piece = arena_grow(c->a, c->piece, c->piece_cap * sizeof *c->piece, cap * sizeof *c->piece);
        c->piece_cap = cap;
    }
    c->piece[c->pieces++] = (struct sim_piece){text, call};
}

/* Cuts JSON into pieces of some bytes, never inside a character. */
static void add_json_pieces(struct sim_call *c, str json, int call) {
    while (json.n) {
        size_t n = json.n < ARGUMENT_PIECE ? json.n : ARGUMENT_PIECE;
        while (n < json.n && ((unsigned char)json.p[n] & 0xC0) == 0x80) n++;
        add_piece(c, str_take(json, n), call);
        json = str_skip(json, n);
    }
}

static str drawn_json(struct sim_call *c, jval schema) {
    buf b;
    buf_init(&b, 1 << 20);
    sim_schema_value(c, schema, &b);
    str s = arena_str(c->a, buf_view(&b));
    buf_free(&b);
    return s;
}

static void compose_tools(struct sim_call *c) {
    uint64_t want = c->opt.tool_calls ? c->opt.tool_calls : 1;
    for (uint32_t i = 0; i < want && i < SIM_CALLS_MAX; i++) {
        const struct sim_tool *t = &c->tool[i % c->tools];
        c->called[i].tool = t;
        c->called[i].id = arena_printf(c->a, "%.20s%04x", c->id, i);
        c->called[i].arguments = drawn_json(c, t->schema);
        add_json_pieces(c, c->called[i].arguments, (int)i);
        c->calls++;
    }
}

static void compose_text(struct sim_call *c) {
    uint64_t n = c->opt.output_tokens ? c->opt.output_tokens : 8 + rng_next(&c->rng) % 33;
    if (c->max_tokens && c->max_tokens < n) {
        n = c->max_tokens;
        c->cut_short = true;
    }
    if (n > SIM_PIECES_MAX) n = SIM_PIECES_MAX;
    for (uint64_t i = 0; i < n; i++)
        add_piece(c, i ? arena_printf(c->a, " %s", words[rng_next(&c->rng) % WORD_COUNT]) : STR("[simulated]"),
                  -1);
}

static void join_text(struct sim_call *c) {
    buf b;
    buf_init(&b, 16 << 20);
    for (uint32_t i = 0; i < c->pieces; i++)
        if (c->piece[i].call < 0) buf_str(&b, c->piece[i].text);
    c->text = arena_str(c->a, buf_view(&b));
    buf_free(&b);
}

void sim_compose(struct sim_call *c) {
    if (c->tools && !c->no_tools)
        compose_tools(c);
    else if (c->json)
        add_json_pieces(c, drawn_json(c, c->schema), -1);
    else
        compose_text(c);
    join_text(c);
    c->input_tokens = c->opt.input_tokens ? c->opt.input_tokens : c->input_bytes / 4 + 3;
    c->cached_tokens = c->opt.cached_tokens < c->input_tokens ? c->opt.cached_tokens : c->input_tokens;
    c->reasoning_tokens = c->opt.reasoning_tokens;
    c->output_tokens = c->pieces + c->reasoning_tokens;
}

void sim_vector(struct sim_call *c, str text, uint32_t n, float *out) {
    struct rng rng;
    double sum = 0;
    rng_seed(&rng, c->opt.seed ^ fingerprint(text));
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (float)((double)(int64_t)rng_next(&rng) / 9223372036854775808.0);
        sum += (double)out[i] * (double)out[i];
    }
    double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (uint32_t i = 0; i < n; i++) out[i] = (float)((double)out[i] * scale);
}

/* ---- writing ---- */

void sim_emit(buf *out, const char *template, ...) {
    va_list ap;
    va_start(ap, template);
    for (const char *p = template, *mark; *p; p = mark + 2) {
        mark = strchr(p, '$');
        if (!mark) {
            buf_strz(out, p);
            break;
        }
        buf_add(out, p, (size_t)(mark - p));
        jw w;
        jw_init(&w, out);
        switch (mark[1]) {
        case 's': jw_string(&w, va_arg(ap, str)); break;
        case 'r': buf_str(out, va_arg(ap, str)); break;
        case 'u': buf_u64(out, va_arg(ap, uint64_t)); break;
        default: panic("sim_emit: bad template: %s", template);
        }
    }
    va_end(ap);
}

static const struct error_words {
    unsigned status;
    const char *openai, *anthropic, *gemini;
} error_words[] = {
    {400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"},
    {401, "invalid_request_error", "authentication_error", "UNAUTHENTICATED"},
    {403, "invalid_request_error", "permission_error", "PERMISSION_DENIED"},
    {404, "invalid_request_error", "not_found_error", "NOT_FOUND"},
    {413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT"},
    {429, "requests", "rate_limit_error", "RESOURCE_EXHAUSTED"},
    {503, "server_error", "api_error", "UNAVAILABLE"},
    {504, "server_error", "timeout_error", "DEADLINE_EXCEEDED"},
    {529, "server_error", "overloaded_error", "UNAVAILABLE"},
    {0, "server_error", "api_error", "INTERNAL"},
};

void sim_error(enum sim_dialect d, unsigned status, str message, buf *out) {
    const struct error_words *e = error_words;
    while (e->status && e->status != status) e++;
    if (d == SIM_OPENAI)
        sim_emit(out, "{\"error\":{\"message\":$s,\"type\":$s,\"param\":null,\"code\":$r}}", message,
                 str_from(e->openai), status == 429 ? STR("\"rate_limit_exceeded\"") : STR("null"));
    else if (d == SIM_ANTHROPIC)
        sim_emit(out, "{\"type\":\"error\",\"error\":{\"type\":$s,\"message\":$s},\"request_id\":null}",
                 str_from(e->anthropic), message);
    else
        sim_emit(out, "{\"error\":{\"code\":$u,\"message\":$s,\"status\":$s}}", (uint64_t)status, message,
                 str_from(e->gemini));
}

/* ---- endpoints ---- */

/* Whether a path ends with the pattern; "*" stands for any run of characters up to the next one of the pattern. */
static bool path_matches(str path, const char *pattern) {
    str p = str_from(pattern);
    ptrdiff_t star = str_chr(p, '*');
    if (star < 0) return str_ends(path, p);
    str before = str_take(p, (size_t)star), after = str_skip(p, (size_t)star + 1);
    if (after.n && !str_ends(path, after)) return false;
    ptrdiff_t at = str_find(path, before);
    return at >= 0 && (size_t)at + before.n + after.n < path.n;
}

const struct sim_surface *sim_find(str method, str path, bool anthropic) {
    const struct sim_surface *const tables[] = {sim_gemini, anthropic ? sim_anthropic : sim_openai, sim_responses,
                                                sim_openai, sim_anthropic};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct sim_surface *s = tables[t]; s->path; s++)
            if (str_eqz(method, s->method) && path_matches(path, s->path)) return s;
    return NULL;
}
