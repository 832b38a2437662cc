/* columns: filling a call by a table of columns. */
#include "insight/format.h"

void log_call_init(struct log_call *c) {
    *c = (struct log_call){
        .cost_logged = COST_UNKNOWN, .calls = 1, .stakes = STAKES_NORMAL, .quality = -1, .propensity = -1};
}

/* What is said about tokens, before it is made disjoint. */
struct said {
    int64_t n[F_ANSWER + 1];
    uint64_t have; /* bit per field */
};

static bool has(const struct said *s, enum field f) { return s->have >> f & 1; }

/* "1,234,567", as spreadsheets write it. */
static bool grouped(jval v, int64_t *n) {
    char plain[24];
    size_t len = 0, since = 0;
    str s = v.type == J_STRING ? str_trim(v.raw) : STR_NONE;
    bool comma = false;
    for (size_t i = 0; i < s.n && len < sizeof plain; i++) {
        if (s.p[i] == ',') {
            if (i == 0 || (comma ? since != 3 : since > 3)) return false;
            comma = true;
            since = 0;
        } else {
            plain[len++] = s.p[i];
            since++;
        }
    }
    return comma && since == 3 && str_i64((str){plain, len}, n);
}

static void read_count(struct said *s, enum field f, jval v, bool *negative) {
    int64_t n;
    if (!lazy_i64(v, &n) && !grouped(v, &n)) {
        *negative = *negative || v.type == J_NUMBER || (v.type == J_STRING && str_trim(v.raw).n);
        return;
    }
    if (n < 0 || n > (int64_t)1 << 50) *negative = true, n = 0;
    s->n[f] = n;
    s->have |= (uint64_t)1 << f;
}

static void read_length(uint64_t *us, jval v, double unit) {
    double d;
    if (lazy_f64(v, &d) && d > 0 && d < 1e9) *us = (uint64_t)(d * unit + 0.5);
}

static void read_share(double *to, jval v) {
    double d;
    if (lazy_f64(v, &d) && d >= 0 && d <= 1) *to = d;
}

/* The first string of a list of labels that says something about the work (LiteLLM adds the client's name). */
static str label(jval v, arena *a) {
    v = lazy_inner(v, a);
    if (v.type != J_ARRAY) return lazy_text(v, a);
    struct lazy_it it = lazy_iter(v);
    jval item;
    while (lazy_item(&it, &item))
        if (item.type == J_STRING && !str_istarts(item.raw, STR("user-agent:"))) return lazy_text(item, a);
    return STR_NONE;
}

static void read_names(struct log_call *c, enum field f, jval v, arena *a) {
    enum task task;
    enum stakes stakes;
    str t = lazy_text(v, a);
    switch (f) {
    case F_ID: c->id = t; break;
    case F_PROVIDER: c->provider = t; break;
    case F_MODEL: c->model = t; break;
    case F_REQUESTED: c->requested = t; break;
    case F_KEY: c->key = t; break;
    case F_TEAM: c->team = t; break;
    case F_USER: c->user = t; break;
    case F_SESSION: c->session = t; break;
    case F_TAG: c->tag = label(v, a); break;
    case F_TASK:
        if (task_parse(t, &task) && task != TASK_UNKNOWN) c->task = (uint8_t)task, c->task_source = TASK_BY_LABEL;
        break;
    case F_STAKES:
        if (stakes_parse(t, &stakes)) c->stakes = (uint8_t)stakes;
        break;
    case F_TIER: c->tier = t; break;
    case F_RULE: c->rule = t; break;
    default: break;
    }
}

static void read_flags(struct log_call *c, enum field f, jval v) {
    bool b;
    int64_t n;
    str s = v.type == J_STRING ? v.raw : STR_NONE;
    switch (f) {
    case F_STATUS:
        if (lazy_i64(v, &n) && n >= 100 && n < 1000) c->status = (uint16_t)n, c->failed = c->failed || n >= 400;
        break;
    case F_ERROR:
        if (lazy_present(v) && !(v.type == J_STRING && v.raw.n == 0)) c->failed = true;
        break;
    case F_STREAM: c->stream = lazy_bool(v, &b) && b; break;
    case F_CACHE_HIT: c->cache_hit = lazy_bool(v, &b) && b; break;
    case F_BATCH:
        if ((lazy_bool(v, &b) && b) || str_ieq(s, STR("batch")))
            c->usage.service_tier = SERVICE_BATCH;
        else if (str_ieq(s, STR("flex")))
            c->usage.service_tier = SERVICE_FLEX;
        else if (str_ieq(s, STR("priority")))
            c->usage.service_tier = SERVICE_PRIORITY;
        break;
    default: break;
    }
}

/* Disjoint classes out of what the columns said. Without a total, more cached than input means that the
 * input doesn't count it. */
static void settle_usage(struct log_call *c, const struct said *s, unsigned flags) {
    uint8_t tier = c->usage.service_tier;
    if (!has(s, F_INPUT) && !has(s, F_OUTPUT)) return;
    int64_t apart = s->n[F_CACHED] + s->n[F_WRITE_5M] + s->n[F_WRITE_1H], in = s->n[F_INPUT], out = s->n[F_OUTPUT];
    int64_t known_in = usage_input_tokens(&c->usage), known_out = usage_output_tokens(&c->usage);
    if (c->usage.source != TOKENS_NONE && apart == 0 && known_in == in && known_out == out) return;
    if (c->usage.source != TOKENS_NONE && apart == 0 && known_in >= c->usage.units[USAGE_CACHED_INPUT] &&
        c->usage.units[USAGE_CACHED_INPUT] <= in)
        apart = c->usage.units[USAGE_CACHED_INPUT]; /* the columns count, the object knows what was cached */
    int64_t cached = s->n[F_CACHED] ? s->n[F_CACHED] : apart - s->n[F_WRITE_5M] - s->n[F_WRITE_1H];
    bool excludes = (flags & FMT_EXCLUDES) || apart > in ||
                    (has(s, F_TOTAL) && apart > 0 && s->n[F_TOTAL] == in + apart + out);
    c->usage = (struct usage){.source = TOKENS_PROVIDER, .service_tier = tier};
    c->usage.units[USAGE_INPUT] = excludes ? in : in - apart;
    c->usage.units[USAGE_CACHED_INPUT] = cached;
    c->usage.units[USAGE_CACHE_WRITE_5M] = s->n[F_WRITE_5M];
    c->usage.units[USAGE_CACHE_WRITE_1H] = s->n[F_WRITE_1H];
    int64_t reasoning = s->n[F_REASONING];
    if (reasoning > out) c->usage.suspect = true, reasoning = out;
    c->usage.units[USAGE_OUTPUT] = out - reasoning;
    c->usage.units[USAGE_REASONING] = reasoning;
    c->usage.units[USAGE_SEARCH] = s->n[F_SEARCH];
}

static void read_time(struct log_call *c, uint64_t t[3], enum field f, jval v) {
    switch (f) {
    case F_TIME: lazy_time(v, &t[0]); break;
    case F_END: lazy_time(v, &t[1]); break;
    case F_FIRST_AT: lazy_time(v, &t[2]); break;
    case F_DURATION_S: read_length(&c->duration_us, v, 1e6); break;
    case F_DURATION_MS: read_length(&c->duration_us, v, 1e3); break;
    case F_TTFT_S: read_length(&c->ttft_us, v, 1e6); break;
    case F_TTFT_MS: read_length(&c->ttft_us, v, 1e3); break;
    default: break;
    }
}

static void settle_time(struct log_call *c, const uint64_t t[3]) {
    c->time_us = t[0] ? t[0] : t[1];
    if (t[0] && t[1] > t[0] && c->duration_us == 0) c->duration_us = t[1] - t[0];
    if (t[0] && t[2] > t[0] && c->ttft_us == 0) c->ttft_us = t[2] - t[0];
    c->skew = t[0] && t[1] && t[1] < t[0];
}

static void read_text(const struct row *row, struct log_call *c, enum field f, jval v) {
    v = lazy_inner(v, row->a);
    bool empty = (v.type == J_OBJECT || v.type == J_ARRAY) && str_trim((str){v.raw.p + 1, v.raw.n - 2}).n == 0;
    if (empty || v.type == J_NONE) return;
    switch (f) {
    case F_REQUEST: log_request(v, c); break;
    case F_SYSTEM: c->text.system = v; break;
    case F_PROMPT:
        if (v.type == J_OBJECT)
            log_request(v, c);
        else
            c->text.prompt = v;
        break;
    case F_ANSWER: c->text.answer = v; break;
    default: break;
    }
}

void log_columns(const struct row *row, const struct column *columns, unsigned flags, struct log_call *c,
                 bool *negative) {
    struct said s = {.have = 0};
    uint64_t t[3] = {0, 0, 0};
    if (flags & FMT_BATCH) c->usage.service_tier = SERVICE_BATCH;
    for (const struct column *k = columns; k->field != F_END_TABLE; k++) {
        jval v = row_get(row, k->paths);
        if (v.type == J_NONE) continue;
        enum field f = k->field;
        if (f <= F_TTFT_MS && f >= F_TIME)
            read_time(c, t, f, v);
        else if (f <= F_RULE)
            read_names(c, f, v, row->a);
        else if (f <= F_CACHE_HIT || f == F_BATCH)
            read_flags(c, f, v);
        else if (f == F_COST)
            lazy_nano(v, &c->cost_logged);
        else if (f == F_QUALITY || f == F_PROPENSITY)
            read_share(f == F_QUALITY ? &c->quality : &c->propensity, v);
        else if (f == F_USAGE) {
            uint8_t tier = c->usage.service_tier;
            log_usage(lazy_inner(v, row->a), &c->usage);
            c->usage.service_tier = tier;
        } else if (f == F_CALLS) {
            int64_t n;
            if (lazy_i64(v, &n) && n >= 0) c->calls = (uint64_t)n;
        } else if (f >= F_REQUEST)
            read_text(row, c, f, v);
        else
            read_count(&s, f, v, negative);
    }
    settle_usage(c, &s, flags);
    settle_time(c, t);
}
