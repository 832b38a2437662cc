/* read_trace: formats that aren't one flat record a call: OpenTelemetry spans, agents' session files,
 * providers' usage buckets, access logs. */
#include "insight/format.h"

#include "base/buf.h"

/* ---- OTLP JSON ----
 * Agent and workflow spans repeat the usage of the calls inside of them, so only spans that are calls
 * count. Two generations of names are in the wild. 64-bit integers are strings. */

static jval any_value(jval v, arena *a) {
    static const str kinds[] = {STR_INIT("stringValue"), STR_INIT("intValue"), STR_INIT("doubleValue"),
                                STR_INIT("boolValue")};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        jval x = lazy_get(v, kinds[i]);
        if (x.type != J_NONE) return x;
    }
    struct lazy_it it = lazy_iter(lazy_path(v, "arrayValue.values", a));
    jval first;
    return lazy_item(&it, &first) ? any_value(first, a) : (jval){.type = J_NONE};
}

enum span_word {
    S_NONE,
    S_OPERATION,
    S_PROVIDER,
    S_REQUEST_MODEL,
    S_MODEL,
    S_ID,
    S_INPUT,
    S_OUTPUT,
    S_CACHED,
    S_WRITE,
    S_REASONING,
    S_TTFT,
    S_STREAM,
    S_ERROR,
    S_TEAM,
    S_USER,
    S_SESSION,
    S_PROMPT,
    S_SYSTEM,
    S_ANSWER,
    S_COST,
};
static const struct {
    str key;
    uint8_t word;
} span_words[] = {
    {STR_INIT("gen_ai.operation.name"), S_OPERATION},
    {STR_INIT("gen_ai.provider.name"), S_PROVIDER},
    {STR_INIT("gen_ai.system"), S_PROVIDER},
    {STR_INIT("gen_ai.request.model"), S_REQUEST_MODEL},
    {STR_INIT("gen_ai.response.model"), S_MODEL},
    {STR_INIT("gen_ai.response.id"), S_ID},
    {STR_INIT("gen_ai.usage.input_tokens"), S_INPUT},
    {STR_INIT("gen_ai.usage.prompt_tokens"), S_INPUT},
    {STR_INIT("gen_ai.usage.output_tokens"), S_OUTPUT},
    {STR_INIT("gen_ai.usage.completion_tokens"), S_OUTPUT},
    {STR_INIT("gen_ai.usage.cache_read.input_tokens"), S_CACHED},
    {STR_INIT("gen_ai.usage.cache_read_input_tokens"), S_CACHED},
    {STR_INIT("gen_ai.usage.cache_creation.input_tokens"), S_WRITE},
    {STR_INIT("gen_ai.usage.cache_creation_input_tokens"), S_WRITE},
    {STR_INIT("gen_ai.usage.reasoning.output_tokens"), S_REASONING},
    {STR_INIT("gen_ai.response.time_to_first_chunk"), S_TTFT},
    {STR_INIT("gen_ai.server.time_to_first_token"), S_TTFT},
    {STR_INIT("gen_ai.request.stream"), S_STREAM},
    {STR_INIT("error.type"), S_ERROR},
    {STR_INIT("team"), S_TEAM},
    {STR_INIT("user.id"), S_USER},
    {STR_INIT("enduser.id"), S_USER},
    {STR_INIT("gen_ai.conversation.id"), S_SESSION},
    {STR_INIT("session.id"), S_SESSION},
    {STR_INIT("gen_ai.input.messages"), S_PROMPT},
    {STR_INIT("gen_ai.prompt"), S_PROMPT},
    {STR_INIT("gen_ai.system_instructions"), S_SYSTEM},
    {STR_INIT("gen_ai.output.messages"), S_ANSWER},
    {STR_INIT("gen_ai.completion"), S_ANSWER},
    {STR_INIT("gen_ai.usage.cost"), S_COST},
    {STR_INIT("dray.cost.usd"), S_COST},
    /* OpenLLMetry's first names, OpenInference's */
    {STR_INIT("llm.request.type"), S_OPERATION},
    {STR_INIT("openinference.span.kind"), S_OPERATION},
    {STR_INIT("llm.provider"), S_PROVIDER},
    {STR_INIT("llm.model_name"), S_MODEL},
    {STR_INIT("embedding.model_name"), S_MODEL},
    {STR_INIT("llm.token_count.prompt"), S_INPUT},
    {STR_INIT("llm.token_count.completion"), S_OUTPUT},
    {STR_INIT("llm.token_count.prompt_details.cache_read"), S_CACHED},
    {STR_INIT("llm.token_count.prompt_details.cache_write"), S_WRITE},
    {STR_INIT("llm.token_count.completion_details.reasoning"), S_REASONING},
};

struct span_usage {
    int64_t n[S_COST + 1];
    bool any;
};

static void span_attribute(struct log_call *c, struct span_usage *u, enum span_word w, jval v, arena *a) {
    double d;
    int64_t n;
    switch (w) {
    case S_PROVIDER: c->provider = lazy_text(v, a); break;
    case S_REQUEST_MODEL: c->requested = lazy_text(v, a); break;
    case S_MODEL: c->model = lazy_text(v, a); break;
    case S_ID: c->id = lazy_text(v, a); break;
    case S_TTFT:
        if (lazy_f64(v, &d) && d > 0 && d < 1e6) c->ttft_us = (uint64_t)(d * 1e6 + 0.5);
        break;
    case S_STREAM: c->stream = v.type == J_TRUE; break;
    case S_ERROR: c->failed = true; break;
    case S_TEAM: c->team = lazy_text(v, a); break;
    case S_USER: c->user = lazy_text(v, a); break;
    case S_SESSION: c->session = lazy_text(v, a); break;
    case S_PROMPT: c->text.prompt = lazy_inner(v, a); break;
    case S_SYSTEM: c->text.system = lazy_inner(v, a); break;
    case S_ANSWER: c->text.answer = lazy_inner(v, a); break;
    case S_COST: lazy_nano(v, &c->cost_logged); break;
    default:
        if (!lazy_i64(v, &n)) break;
        if (n < 0) c->usage.suspect = true, n = 0;
        u->n[w] = n;
        u->any = true;
        break;
    }
}

static bool is_call_span(str operation) {
    static const str calls[] = {STR_INIT("chat"),       STR_INIT("text_completion"), STR_INIT("generate_content"),
                                STR_INIT("embeddings"), STR_INIT("completion"),      STR_INIT("embedding"),
                                STR_INIT("LLM"),        STR_INIT("EMBEDDING"),       STR_INIT("rerank")};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (str_eq(operation, calls[i])) return true;
    return false;
}

/* Messages that are spread over attributes ("gen_ai.prompt.0.content") as a list again. */
struct spread {
    buf prompt, answer;
    str role;
};

static bool spread_attribute(struct spread *x, str key, jval v) {
    static const struct {
        str head;
        bool answer;
    } heads[] = {{STR_INIT("gen_ai.prompt."), false},
                 {STR_INIT("gen_ai.completion."), true},
                 {STR_INIT("llm.input_messages."), false},
                 {STR_INIT("llm.output_messages."), true}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        if (!str_starts(key, heads[i].head) || v.type != J_STRING) continue;
        if (str_ends(key, STR(".role"))) x->role = v.raw;
        if (!str_ends(key, STR(".content"))) return true;
        buf *to = heads[i].answer ? &x->answer : &x->prompt;
        buf_printf(to, "%s{\"role\":\"" STR_FMT "\",\"content\":\"", to->n ? "," : "[",
                   STR_ARG(str_take(x->role, 40)));
        buf_str(to, v.raw);
        buf_strz(to, "\"}");
        return true;
    }
    return false;
}

static jval spread_list(const buf *b, arena *a) {
    if (!b->n || b->failed) return (jval){.type = J_NONE};
    return (jval){.raw = arena_printf(a, STR_FMT "]", (int)b->n, b->p), .type = J_ARRAY};
}

/* One attribute, of OTLP's list of {key, value} or of a plain object. */
static void take_attribute(struct log_call *c, struct span_usage *u, struct spread *x, str *operation, str key,
                           jval v, arena *a) {
    for (size_t i = 0; i < sizeof span_words / sizeof *span_words; i++) {
        if (!str_eq(span_words[i].key, key)) continue;
        if (span_words[i].word == S_OPERATION) {
            if (!operation->n) *operation = lazy_text(v, a);
        } else {
            span_attribute(c, u, span_words[i].word, v, a);
        }
        return;
    }
    spread_attribute(x, key, v);
}

static void read_attributes(struct log_call *c, struct span_usage *u, str *operation, jval attributes, arena *a) {
    enum { SPREAD_MAX = 16 << 20 };
    struct spread x = {.role = STR("user")};
    struct lazy_it it = lazy_iter(attributes);
    jval item, v;
    str key;
    buf_init(&x.prompt, SPREAD_MAX);
    buf_init(&x.answer, SPREAD_MAX);
    while (attributes.type == J_OBJECT && lazy_next(&it, &key, &v)) take_attribute(c, u, &x, operation, key, v, a);
    while (attributes.type == J_ARRAY && lazy_item(&it, &item)) {
        jval name = lazy_get(item, STR("key"));
        if (name.type == J_STRING)
            take_attribute(c, u, &x, operation, name.raw, any_value(lazy_get(item, STR("value")), a), a);
    }
    if (!lazy_present(c->text.prompt)) c->text.prompt = spread_list(&x.prompt, a);
    if (!lazy_present(c->text.answer)) c->text.answer = spread_list(&x.answer, a);
    buf_free(&x.prompt);
    buf_free(&x.answer);
}

static bool span_failed(jval status) {
    int64_t code;
    jval s = lazy_get(status, STR("code"));
    if (s.type == J_NONE) s = lazy_get(status, STR("status_code"));
    return (lazy_i64(s, &code) && code == 2) || (s.type == J_STRING && str_ends(s.raw, STR("ERROR")));
}

static void settle_span(struct log_call *c, const struct span_usage *u) {
    if (!u->any) return;
    int64_t apart = u->n[S_CACHED] + u->n[S_WRITE];
    if (apart > u->n[S_INPUT]) c->usage.suspect = true;
    c->usage.source = TOKENS_PROVIDER;
    c->usage.units[USAGE_CACHED_INPUT] = u->n[S_CACHED];
    c->usage.units[USAGE_CACHE_WRITE_5M] = u->n[S_WRITE];
    c->usage.units[USAGE_INPUT] = apart > u->n[S_INPUT] ? u->n[S_INPUT] : u->n[S_INPUT] - apart;
    c->usage.units[USAGE_REASONING] = u->n[S_REASONING] < u->n[S_OUTPUT] ? u->n[S_REASONING] : u->n[S_OUTPUT];
    c->usage.units[USAGE_OUTPUT] = u->n[S_OUTPUT] - c->usage.units[USAGE_REASONING];
}

static void read_span(struct log_reader *r, jval span) {
    arena *a = log_reader_arena(r);
    struct log_call c;
    struct span_usage u = {.any = false};
    str operation = STR_NONE, key;
    jval v, attributes = {.type = J_NONE}, span_id = {.type = J_NONE};
    uint64_t begin = 0, end = 0;
    log_call_init(&c);
    struct lazy_it it = lazy_iter(span);
    while (lazy_next(&it, &key, &v)) {
        if (str_eq(key, STR("attributes")))
            attributes = v;
        else if (str_eq(key, STR("startTimeUnixNano")) || str_eq(key, STR("start_time")))
            lazy_time(v, &begin);
        else if (str_eq(key, STR("endTimeUnixNano")) || str_eq(key, STR("end_time")))
            lazy_time(v, &end);
        else if (str_eq(key, STR("spanId")))
            span_id = v;
        else if (str_eq(key, STR("context")))
            span_id = lazy_get(v, STR("span_id"));
        else if (str_eq(key, STR("traceId")))
            c.session = lazy_text(v, a);
        else if (str_eq(key, STR("status")))
            c.failed = c.failed || span_failed(v);
    }
    read_attributes(&c, &u, &operation, attributes, a);
    if (c.model.n == 0) c.model = c.requested;
    /* what says no operation is a call when it has a model and tokens */
    if (operation.n ? !is_call_span(operation) : !u.any || c.model.n == 0) {
        log_skip(r);
        return;
    }
    if (str_istarts(operation, STR("embedding"))) c.task = TASK_EMBED, c.task_source = TASK_BY_ENDPOINT;
    if (c.id.n == 0) c.id = lazy_text(span_id, a);
    c.time_us = begin;
    if (end > begin) c.duration_us = end - begin;
    c.skew = end && end < begin;
    settle_span(&c, &u);
    log_emit(r, &c);
}

/* The levels around spans, by their names of now and of before 2022. */
static const char *const levels[][2] = {
    {"resourceSpans", "batches"}, {"scopeSpans", "instrumentationLibrarySpans"}, {"spans", "spans"}};
enum { LEVELS = sizeof levels / sizeof *levels };

static void read_spans(struct log_reader *r, jval container, unsigned level) {
    jval list = lazy_get(container, str_from(levels[level][0])), item;
    if (list.type == J_NONE) list = lazy_get(container, str_from(levels[level][1]));
    struct lazy_it it = lazy_iter(list);
    while (lazy_item(&it, &item)) {
        if (level + 1 < LEVELS)
            read_spans(r, item, level + 1);
        else
            read_span(r, item);
    }
}

void read_otlp(struct log_reader *r, const struct row *row) {
    for (unsigned i = 0; i < LEVELS; i++)
        if (row_has(row, str_from(levels[i][0])) || row_has(row, str_from(levels[i][1]))) {
            read_spans(r, row->x.m[0].val, i);
            return;
        }
    read_span(r, row->x.m[0].val); /* one span as SDKs print it */
}

/* ---- Claude Code ----
 * One line a streamed piece; the same message comes again with growing usage. Input excludes caches. */

static void keep_turn(struct log_state *s, jval content) {
    enum { TURN_MAX = 1 << 20 };
    arena_free(&s->prompt);
    s->user_turn = content;
    if (content.raw.n > TURN_MAX)
        s->user_turn = (jval){.type = J_NONE};
    else
        s->user_turn.raw = arena_str(&s->prompt, content.raw);
}

void read_claude_code(struct log_reader *r, const struct row *row) {
    struct log_state *s = log_reader_state(r);
    arena *a = log_reader_arena(r);
    str type = row_text(row, "type");
    if (str_eq(type, STR("user"))) keep_turn(s, row_get(row, "message.content"));
    struct log_call c;
    log_call_init(&c);
    if (!str_eq(type, STR("assistant")) || !log_usage(row_get(row, "message.usage"), &c.usage)) {
        log_skip(r);
        return;
    }
    c.id = lazy_text(row_get(row, "message.id|requestId|uuid"), a);
    c.model = row_text(row, "message.model");
    if (str_eq(c.model, STR("<synthetic>"))) { /* the client's own words, no call */
        log_skip(r);
        return;
    }
    c.session = row_text(row, "sessionId|session_id");
    c.tag = STR("claude-code");
    lazy_time(row_get(row, "timestamp"), &c.time_us);
    c.stream = true;
    str tier = row_text(row, "message.usage.service_tier");
    if (str_eq(tier, STR("batch"))) c.usage.service_tier = SERVICE_BATCH;
    if (str_eq(tier, STR("priority"))) c.usage.service_tier = SERVICE_PRIORITY;
    c.text.prompt = s->user_turn;
    c.text.answer = row_get(row, "message.content");
    log_hold(r, &c);
}

/* ---- Codex ----
 * token_count events repeat; the cumulative totals tell what is new. Input includes cached. */

enum { C_INPUT, C_CACHED, C_OUTPUT, C_REASONING };

void read_codex(struct log_reader *r, const struct row *row) {
    struct log_state *s = log_reader_state(r);
    str type = row_text(row, "type");
    if (str_eq(type, STR("turn_context"))) s->codex_model = arena_str(&s->keep, row_text(row, "payload.model"));
    if (str_eq(type, STR("session_meta"))) s->codex_session = arena_str(&s->keep, row_text(row, "payload.id"));
    if (str_eq(row_text(row, "payload.type"), STR("user_message"))) keep_turn(s, row_get(row, "payload.message"));
    jval total = row_get(row, "payload.info.total_token_usage");
    if (!str_eq(row_text(row, "payload.type"), STR("token_count")) || total.type != J_OBJECT) {
        log_skip(r);
        return;
    }
    static const str names[] = {STR_INIT("input_tokens"), STR_INIT("cached_input_tokens"),
                                STR_INIT("output_tokens"), STR_INIT("reasoning_output_tokens")};
    int64_t now[4] = {0}, d[4];
    bool shrunk = false, grew = false;
    for (size_t i = 0; i < 4; i++) {
        if (!lazy_i64(lazy_get(total, names[i]), &now[i]) || now[i] < 0 || now[i] > (int64_t)1 << 50) {
            if (now[i] != 0) log_note(r, LOG_NEGATIVE);
            now[i] = s->codex_total[i]; /* not said, or nonsense: nothing new */
        }
        shrunk = shrunk || now[i] < s->codex_total[i];
        grew = grew || now[i] > s->codex_total[i];
    }
    for (size_t i = 0; i < 4; i++) {
        d[i] = shrunk ? now[i] : now[i] - s->codex_total[i]; /* totals that shrink: the session began anew */
        s->codex_total[i] = now[i];
    }
    if (!grew && !shrunk) {
        log_skip(r);
        return;
    }
    struct log_call c;
    log_call_init(&c);
    c.model = s->codex_model;
    c.session = s->codex_session;
    c.tag = STR("codex");
    lazy_time(row_get(row, "timestamp"), &c.time_us);
    c.usage.source = TOKENS_PROVIDER;
    c.usage.suspect = d[C_CACHED] > d[C_INPUT] || d[C_REASONING] > d[C_OUTPUT];
    if (d[C_CACHED] > d[C_INPUT]) d[C_CACHED] = d[C_INPUT];
    if (d[C_REASONING] > d[C_OUTPUT]) d[C_REASONING] = d[C_OUTPUT];
    c.usage.units[USAGE_INPUT] = d[C_INPUT] - d[C_CACHED];
    c.usage.units[USAGE_CACHED_INPUT] = d[C_CACHED];
    c.usage.units[USAGE_OUTPUT] = d[C_OUTPUT] - d[C_REASONING];
    c.usage.units[USAGE_REASONING] = d[C_REASONING];
    c.stream = true;
    c.text.prompt = s->user_turn;
    log_emit(r, &c);
}

/* ---- usage buckets of the admin APIs ---- */

static int64_t count_of(jval o, const char *key) {
    int64_t n;
    return lazy_i64(lazy_get(o, str_from(key)), &n) && n > 0 ? n : 0;
}

static str text_of(jval o, const char *key, arena *a) { return lazy_text(lazy_get(o, str_from(key)), a); }

void read_openai_usage(struct log_reader *r, const struct row *row) {
    arena *a = log_reader_arena(r);
    struct lazy_it it = lazy_iter(row_get(row, "results"));
    jval o;
    while (lazy_item(&it, &o)) {
        struct log_call c;
        log_call_init(&c);
        c.aggregate = true;
        lazy_time(row_get(row, "start_time"), &c.time_us);
        c.model = text_of(o, "model", a);
        c.key = text_of(o, "api_key_id", a);
        c.team = text_of(o, "project_id", a);
        c.user = text_of(o, "user_id", a);
        c.calls = (uint64_t)count_of(o, "num_model_requests");
        jval amount = lazy_get(o, STR("amount"));
        if (amount.type == J_OBJECT) { /* a cost result */
            lazy_nano(lazy_get(amount, STR("value")), &c.cost_logged);
            c.model = text_of(o, "line_item", a);
        } else {
            int64_t in = count_of(o, "input_tokens"), cached = count_of(o, "input_cached_tokens"),
                    write = count_of(o, "input_cache_write_tokens");
            int64_t audio = count_of(o, "input_audio_tokens"), out = count_of(o, "output_tokens"),
                    out_audio = count_of(o, "output_audio_tokens");
            c.usage.source = TOKENS_PROVIDER;
            c.usage.suspect = cached + write + audio > in || out_audio > out;
            if (c.usage.suspect) cached = cached < in ? cached : in, write = audio = out_audio = 0;
            c.usage.units[USAGE_INPUT] = in - cached - write - audio;
            c.usage.units[USAGE_CACHED_INPUT] = cached;
            c.usage.units[USAGE_CACHE_WRITE_5M] = write;
            c.usage.units[USAGE_INPUT_AUDIO] = audio;
            c.usage.units[USAGE_OUTPUT] = out - out_audio;
            c.usage.units[USAGE_OUTPUT_AUDIO] = out_audio;
            if (lazy_get(o, STR("batch")).type == J_TRUE) c.usage.service_tier = SERVICE_BATCH;
        }
        log_emit(r, &c);
    }
}

void read_anthropic_usage(struct log_reader *r, const struct row *row) {
    arena *a = log_reader_arena(r);
    struct lazy_it it = lazy_iter(row_get(row, "results"));
    jval o;
    while (lazy_item(&it, &o)) {
        struct log_call c;
        log_call_init(&c);
        c.aggregate = true;
        c.calls = 0;
        c.provider = STR("anthropic");
        lazy_time(row_get(row, "starting_at"), &c.time_us);
        c.model = text_of(o, "model", a);
        c.key = text_of(o, "api_key_id", a);
        c.team = text_of(o, "workspace_id", a);
        int64_t cents;
        jval amount = lazy_get(o, STR("amount"));
        if (lazy_nano(amount, &cents)) { /* a decimal string in cents */
            c.cost_logged = (cents + 50) / 100;
            if (c.model.n == 0) c.model = text_of(o, "description", a);
        } else {
            jval made = lazy_get(o, STR("cache_creation"));
            c.usage.source = TOKENS_PROVIDER;
            c.usage.units[USAGE_INPUT] = count_of(o, "uncached_input_tokens");
            c.usage.units[USAGE_CACHED_INPUT] = count_of(o, "cache_read_input_tokens");
            c.usage.units[USAGE_CACHE_WRITE_5M] = count_of(made, "ephemeral_5m_input_tokens");
            c.usage.units[USAGE_CACHE_WRITE_1H] = count_of(made, "ephemeral_1h_input_tokens");
            c.usage.units[USAGE_OUTPUT] = count_of(o, "output_tokens");
            c.usage.units[USAGE_SEARCH] = count_of(lazy_get(o, STR("server_tool_use")), "web_search_requests");
            if (str_eq(text_of(o, "service_tier", a), STR("batch"))) c.usage.service_tier = SERVICE_BATCH;
            if (str_eq(text_of(o, "service_tier", a), STR("priority"))) c.usage.service_tier = SERVICE_PRIORITY;
        }
        log_emit(r, &c);
    }
}

/* ---- access logs ---- */

bool log_access_line(str s) {
    return s.n > 20 && s.p[0] != '{' && str_find(str_take(s, 400), STR("] \"")) > 0 &&
           str_find(str_take(s, 2000), STR(" HTTP/")) > 0;
}

void read_access(struct log_reader *r, str s) {
    struct log_call c;
    log_call_init(&c);
    ptrdiff_t open = str_chr(s, '['), close = str_find(s, STR("] \""));
    if (open >= 0 && close > open)
        lazy_time((jval){.raw = {s.p + open + 1, (size_t)(close - open - 1)}, .type = J_STRING}, &c.time_us);
    str rest = str_skip(s, (size_t)close + 3), request, status;
    if (!str_starts(rest, STR("POST ")) || !str_cut(&rest, '"', &request) || !str_cut(&rest, ' ', &status) ||
        !str_cut(&rest, ' ', &status)) {
        log_skip(r);
        return;
    }
    uint64_t code;
    if (str_u64(status, &code) && code < 1000) c.status = (uint16_t)code, c.failed = code >= 400;
    ptrdiff_t rt = str_find(rest, STR(" rt="));
    if (rt >= 0) {
        str t = str_skip(rest, (size_t)rt + 4), number;
        double d;
        if (str_cut(&t, ' ', &number) && lazy_f64((jval){.raw = number, .type = J_NUMBER}, &d) && d > 0)
            c.duration_us = (uint64_t)(d * 1e6 + 0.5);
    }
    log_emit(r, &c);
}
