/* read_pair: requests and answers of any dialect, however they were put down: {request, response},
 * bodies as text, OpenAI batch files, stored completions, bare requests, bare answers, streams.
 *
 * The members that matter have different names in different dialects but none means two things, so one
 * table of names reads them all; nobody has to say which dialect it is. */
#include "insight/format.h"

/* Members of an object, from the record's index where it was gone into, else by reading. */
struct members {
    const struct lazy_index *x;
    unsigned at, end;
    struct lazy_it it;
};

static struct members members_at(const struct lazy_index *x, unsigned i) {
    if (x->m[i].next > i + 1) return (struct members){.x = x, .at = i + 1, .end = x->m[i].next};
    return (struct members){.it = lazy_iter(x->m[i].val)};
}
static struct members members_of(jval v) { return (struct members){.it = lazy_iter(v)}; }

static bool next_member(struct members *m, str *key, jval *v) {
    if (!m->x) return lazy_next(&m->it, key, v);
    if (m->at >= m->end) return false;
    *key = m->x->m[m->at].key;
    *v = m->x->m[m->at].val;
    m->at = m->x->m[m->at].next;
    return true;
}

/* ---- requests ---- */

enum word {
    W_NONE,
    W_MODEL,
    W_PROMPT,
    W_SYSTEM,
    W_STREAM,
    W_USER,
    W_TIER,
    W_METADATA,
    W_INSIDE,
    W_ID,
    W_USAGE,
    W_CREATED,
    W_ERROR,
    W_ANSWER,
    W_TOOLS,
    W_FORMAT,
    W_TEXT,
    W_LIMIT,
    W_EVENT,
};
struct words {
    str key;
    uint8_t word;
};

static uint8_t word_of(const struct words *w, size_t n, str key) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(w[i].key, key)) return w[i].word;
    return W_NONE;
}

static const struct words request_words[] = {
    {STR_INIT("model"), W_MODEL},
    {STR_INIT("modelId"), W_MODEL},
    {STR_INIT("messages"), W_PROMPT},
    {STR_INIT("prompt"), W_PROMPT},
    {STR_INIT("input"), W_PROMPT},
    {STR_INIT("contents"), W_PROMPT},
    {STR_INIT("inputText"), W_PROMPT},
    {STR_INIT("texts"), W_PROMPT},
    {STR_INIT("message"), W_PROMPT},
    {STR_INIT("system"), W_SYSTEM},
    {STR_INIT("systemInstruction"), W_SYSTEM},
    {STR_INIT("system_instruction"), W_SYSTEM},
    {STR_INIT("instructions"), W_SYSTEM},
    {STR_INIT("stream"), W_STREAM},
    {STR_INIT("user"), W_USER},
    {STR_INIT("service_tier"), W_TIER},
    {STR_INIT("metadata"), W_METADATA},
    {STR_INIT("generateContentRequest"), W_INSIDE},
    {STR_INIT("params"), W_INSIDE},
    {STR_INIT("generationConfig"), W_INSIDE},
    {STR_INIT("generation_config"), W_INSIDE},
    {STR_INIT("tools"), W_TOOLS},
    {STR_INIT("functions"), W_TOOLS},
    {STR_INIT("response_format"), W_FORMAT},
    {STR_INIT("responseSchema"), W_FORMAT},
    {STR_INIT("response_schema"), W_FORMAT},
    {STR_INIT("text"), W_TEXT},
    {STR_INIT("max_tokens"), W_LIMIT},
    {STR_INIT("max_completion_tokens"), W_LIMIT},
    {STR_INIT("max_output_tokens"), W_LIMIT},
    {STR_INIT("maxOutputTokens"), W_LIMIT},
    {STR_INIT("max_tokens_to_sample"), W_LIMIT},
};

static void read_tier(struct log_call *c, jval v) {
    if (v.type != J_STRING) return;
    if (str_eq(v.raw, STR("batch"))) c->usage.service_tier = SERVICE_BATCH;
    if (str_eq(v.raw, STR("flex"))) c->usage.service_tier = SERVICE_FLEX;
    if (str_eq(v.raw, STR("priority"))) c->usage.service_tier = SERVICE_PRIORITY;
}

static void read_metadata(struct log_call *c, jval v) {
    enum task task;
    enum stakes stakes;
    jval t = lazy_get(v, STR("dray_task")), s = lazy_get(v, STR("dray_stakes"));
    if (t.type == J_STRING && task_parse(t.raw, &task)) c->task = (uint8_t)task, c->task_source = TASK_BY_HINT;
    if (s.type == J_STRING && stakes_parse(s.raw, &stakes)) c->stakes = (uint8_t)stakes;
    jval tag = lazy_get(v, STR("task"));
    if (c->tag.n == 0 && tag.type == J_STRING) c->tag = tag.raw;
}

static void request_members(struct members m, struct log_call *c) {
    str key;
    jval v;
    while (next_member(&m, &key, &v)) {
        switch (word_of(request_words, sizeof request_words / sizeof *request_words, key)) {
        case W_MODEL:
            if (v.type == J_STRING && c->model.n == 0) c->model = v.raw;
            if (v.type == J_STRING && c->requested.n == 0) c->requested = v.raw;
            break;
        case W_PROMPT:
            if ((v.type == J_STRING || v.type == J_ARRAY) && c->text.prompt.type == J_NONE) c->text.prompt = v;
            break;
        case W_SYSTEM:
            if (lazy_present(v)) c->text.system = v;
            break;
        case W_STREAM: c->stream = c->stream || v.type == J_TRUE; break;
        case W_USER:
            if (v.type == J_STRING && c->user.n == 0) c->user = v.raw;
            break;
        case W_TIER: read_tier(c, v); break;
        case W_METADATA: read_metadata(c, v); break;
        case W_INSIDE:
            if (v.type == J_OBJECT) log_request(v, c);
            break;
        case W_TOOLS: c->text.tools = v; break;
        case W_FORMAT: c->text.format = v; break;
        case W_TEXT:
            if (v.type == J_OBJECT) c->text.format = lazy_get(v, STR("format"));
            break;
        case W_LIMIT: lazy_i64(v, &c->text.limit); break;
        default: break;
        }
    }
}

void log_request(jval request, struct log_call *c) {
    if (request.type != J_OBJECT) return;
    request_members(members_of(request), c);
}

/* ---- answers ---- */

static const struct words answer_words[] = {
    {STR_INIT("id"), W_ID},
    {STR_INIT("responseId"), W_ID},
    {STR_INIT("model"), W_MODEL},
    {STR_INIT("modelVersion"), W_MODEL},
    {STR_INIT("usage"), W_USAGE},
    {STR_INIT("usageMetadata"), W_USAGE},
    {STR_INIT("meta"), W_USAGE},
    {STR_INIT("created"), W_CREATED},
    {STR_INIT("created_at"), W_CREATED},
    {STR_INIT("error"), W_ERROR},
    {STR_INIT("choices"), W_ANSWER},
    {STR_INIT("content"), W_ANSWER},
    {STR_INIT("output"), W_ANSWER},
    {STR_INIT("candidates"), W_ANSWER},
    {STR_INIT("completion"), W_ANSWER},
    {STR_INIT("text"), W_ANSWER},
    {STR_INIT("service_tier"), W_TIER},
    {STR_INIT("message"), W_EVENT},
    {STR_INIT("response"), W_EVENT},
    {STR_INIT("x_groq"), W_EVENT},
    {STR_INIT("metadata"), W_EVENT},
    {STR_INIT("delta"), W_EVENT},
};

/* A later event of a stream with input counts says all anew; one without only goes on with the output. */
static void merge_usage(struct log_call *c, jval v) {
    struct usage u;
    if (!log_usage(v, &u)) return;
    u.service_tier = c->usage.service_tier;
    if (c->usage.source == TOKENS_NONE || usage_input_tokens(&u) > 0) {
        int64_t before = usage_output_tokens(&c->usage);
        struct usage old = c->usage;
        c->usage = u;
        if (usage_output_tokens(&u) < before)
            c->usage.units[USAGE_OUTPUT] = old.units[USAGE_OUTPUT],
            c->usage.units[USAGE_REASONING] = old.units[USAGE_REASONING];
    } else if (usage_output_tokens(&u) > usage_output_tokens(&c->usage)) {
        c->usage.units[USAGE_OUTPUT] = u.units[USAGE_OUTPUT];
        c->usage.units[USAGE_REASONING] = u.units[USAGE_REASONING];
        c->usage.units[USAGE_OUTPUT_AUDIO] = u.units[USAGE_OUTPUT_AUDIO];
    }
}

static void answer_members(struct members m, struct log_call *c, unsigned depth) {
    str key;
    jval v;
    while (next_member(&m, &key, &v)) {
        switch (word_of(answer_words, sizeof answer_words / sizeof *answer_words, key)) {
        case W_ID:
            if (v.type == J_STRING && c->id.n == 0) c->id = v.raw;
            break;
        case W_MODEL:
            if (v.type == J_STRING && v.raw.n) c->model = v.raw;
            break;
        case W_USAGE: merge_usage(c, v); break;
        case W_CREATED:
            if (c->time_us == 0) lazy_time(v, &c->time_us);
            break;
        case W_ERROR:
            if (lazy_present(v)) c->failed = true;
            break;
        case W_ANSWER:
            if (c->text.answer.type == J_NONE || depth > 0) c->text.answer = v;
            break;
        case W_TIER: read_tier(c, v); break;
        case W_EVENT:
            if (v.type == J_OBJECT && depth < 2) answer_members(members_of(v), c, depth + 1);
            break;
        default: break;
        }
    }
}

/* The events of a stream, as server-sent events or as one JSON a line. */
static void stream_events(str text, struct log_call *c) {
    str rest = text, line;
    c->stream = true;
    while (str_cut(&rest, '\n', &line)) {
        line = str_trim(line);
        if (str_starts(line, STR("data:"))) line = str_trim(str_skip(line, 5));
        jval v;
        if (line.n && line.p[0] == '{' && lazy_value(line.p, line.p + line.n, &v))
            answer_members(members_of(v), c, 0);
    }
    c->text.answer = (jval){.raw = text, .type = J_STRING};
    c->text.stream = true;
}

/* Server-sent events: a field or a comment first. */
static bool is_stream(str t) {
    static const str first[] = {STR_INIT("data:"), STR_INIT("event:"), STR_INIT("id:"), STR_INIT("retry:")};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (str_starts(t, first[i])) return true;
    return t.n && t.p[0] == ':' && str_find(str_take(t, 4096), STR("\ndata:")) >= 0;
}

void log_answer(jval v, struct log_call *c, arena *a) {
    if (v.type == J_STRING) {
        str t = str_trim(lazy_text(v, a));
        jval in;
        bool json = t.n && (t.p[0] == '{' || t.p[0] == '[');
        const char *end = json ? lazy_value(t.p, t.p + t.n, &in) : NULL;
        if (end == t.p + t.n && end) {
            log_answer(in, c, a);
        } else if (json || is_stream(t)) {
            stream_events(t, c);
        } else {
            c->text.answer = v;
        }
    } else if (v.type == J_OBJECT) {
        answer_members(members_of(v), c, 0);
    } else if (v.type == J_ARRAY) { /* a Gemini stream kept whole, or a list of chunks */
        struct lazy_it it = lazy_iter(v);
        jval item;
        while (lazy_item(&it, &item))
            if (item.type == J_OBJECT) answer_members(members_of(item), c, 0);
        c->text.answer = v;
    }
}

/* ---- the record ---- */

static const struct column around[] = {
    {F_ID, "id|request_id|call_id"},
    {F_TIME, "timestamp|ts|time|started_at|start_time|startTime|created_at|createdAt|date|datetime"},
    {F_END, "ended_at|end_time"},
    {F_DURATION_MS, "duration_ms|latency_ms|response_time_ms"},
    {F_DURATION_S, "duration_s|latency_s"},
    {F_TTFT_MS, "ttft_ms"},
    {F_PROVIDER, "provider"},
    {F_KEY, "key|api_key_name|api_key_alias"},
    {F_TEAM, "team|project"},
    {F_USER, "user_id|end_user"},
    {F_SESSION, "session_id|session|trace_id|conversation_id"},
    {F_TAG, "tag|tags|name"},
    {F_TASK, "task|dray_task"},
    {F_STAKES, "stakes|dray_stakes"},
    {F_STATUS, "status|status_code|response.status|response.status_code"},
    {F_COST, "cost|cost_usd"},
    {F_END_TABLE, NULL}};

/* The first of `keys` whose value is an object or text holding one; 0 when none is. */
static unsigned part_of(const struct row *row, unsigned parent, const char *keys, jval *v) {
    str rest = str_from(keys), key;
    while (str_cut(&rest, ' ', &key)) {
        unsigned i = lazy_at(&row->x, parent, key);
        if (i == 0) continue;
        *v = lazy_inner(row->x.m[i].val, row->a);
        if (v->type == J_OBJECT) return i;
    }
    return 0;
}

static const struct {
    str word;
    uint8_t task; /* TASK_COUNT: not a call of its own */
} paths[] = {{STR_INIT("embed"), TASK_EMBED},         {STR_INIT("rerank"), TASK_EMBED},
             {STR_INIT("audio/"), TASK_AUDIO},        {STR_INIT("images/"), TASK_IMAGE},
             {STR_INIT("count_tokens"), TASK_COUNT},  {STR_INIT("countTokens"), TASK_COUNT},
             {STR_INIT("count-tokens"), TASK_COUNT},  {STR_INIT("/batches"), TASK_COUNT},
             {STR_INIT("moderations"), TASK_COUNT},   {STR_INIT("/files"), TASK_COUNT},
             {STR_INIT("cachedContents"), TASK_COUNT}};

static bool read_path(struct log_call *c, str path) {
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (str_find(path, paths[i].word) < 0) continue;
        if (paths[i].task == TASK_COUNT) return false;
        c->task = paths[i].task;
        c->task_source = TASK_BY_ENDPOINT;
    }
    static const str before[] = {STR_INIT("/models/"), STR_INIT("/model/"), STR_INIT("/deployments/")};
    for (size_t i = 0; i < 3 && c->model.n == 0; i++) {
        ptrdiff_t at = str_find(path, before[i]);
        if (at < 0) continue;
        str m = str_skip(path, (size_t)at + before[i].n);
        size_t n = 0;
        while (n < m.n && m.p[n] != '/' && (m.p[n] != ':' || i == 1)) n++;
        c->model = c->requested = str_take(m, n);
    }
    return true;
}

/* Reads the request; false when its path says that it is no call. */
static bool request_part(const struct row *row, struct log_call *c) {
    jval v, body;
    unsigned i = part_of(row, 0, "request request_body requestBody req kwargs inputs input params", &v);
    str path = row_text(row, "request.path|request.url|path|url|endpoint|request_path");
    unsigned b = part_of(row, i, "body json", &body);
    if (b) {
        request_members(row->x.m[b].val.type == J_OBJECT ? members_at(&row->x, b) : members_of(body), c);
    } else {
        request_members(i == 0 || row->x.m[i].val.type == J_OBJECT ? members_at(&row->x, i) : members_of(v), c);
    }
    return path.n == 0 || read_path(c, path);
}

static void answer_part(const struct row *row, struct log_call *c) {
    static const char *const wholes[] = {"response", "response_body", "responseBody", "resp",   "res",
                                         "result",   "outputs",       "completion",   "output", NULL};
    jval v;
    unsigned i = part_of(row, 0, "response response_body responseBody resp res result outputs output", &v), b = 0;
    if (i) {
        jval body = {.type = J_NONE};
        b = lazy_at(&row->x, i, STR("body"));
        if (!b) b = lazy_at(&row->x, i, STR("message")); /* Anthropic's batch results */
        if (b) body = row->x.m[b].val;
        if (lazy_present(lazy_get(v, STR("error")))) c->failed = true;
        if (b && body.type == J_OBJECT)
            answer_members(members_at(&row->x, b), c, 0);
        else if (b)
            log_answer(body, c, row->a);
        else
            answer_members(row->x.m[i].val.type == J_OBJECT ? members_at(&row->x, i) : members_of(v), c, 0);
        return;
    }
    if (lazy_at(&row->x, 0, STR("usage")) || lazy_at(&row->x, 0, STR("choices")) ||
        lazy_at(&row->x, 0, STR("usageMetadata")))
        answer_members(members_at(&row->x, 0), c, 0);
    for (const char *const *w = wholes; *w && c->text.answer.type == J_NONE; w++) {
        unsigned k = lazy_at(&row->x, 0, str_from(*w));
        if (k) log_answer(row->x.m[k].val, c, row->a);
    }
}

void read_pair(struct log_reader *r, const struct row *row) {
    struct log_call c;
    bool negative = false;
    log_call_init(&c);
    log_columns(row, around, 0, &c, &negative);
    bool call = request_part(row, &c);
    answer_part(row, &c);
    if (row_has(row, STR("custom_id"))) c.usage.service_tier = SERVICE_BATCH;
    if (lazy_present(row_get(row, "error"))) c.failed = true;
    bool said = c.usage.source != TOKENS_NONE || c.text.prompt.type != J_NONE;
    if (!call || (!said && !c.failed) || (!said && c.model.n == 0)) {
        log_skip(r);
        return;
    }
    log_emit(r, &c);
}
