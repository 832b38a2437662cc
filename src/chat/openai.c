/* openai: requests (read and spliced), and errors.
 *
 * A request that stays in its dialect is never rebuilt: providers' prompt caches and signatures hang
 * on its bytes. What has to change is a handful of splices, found from the scan's member offsets. */
#include "chat/openai.h"

#define DRAY_PREFIX STR("dray_")

/* ---- reading ---- */

static bool absent(jval v) { return v.type == J_NONE || v.type == J_NULL; }

/* The members whose type matters to dray, and how a wrong one is told. */
static const struct {
    str name;
    jtype type;
    const char *what;
} typed[] = {
    {STR_INIT("model"), J_STRING, "a string"},     {STR_INIT("messages"), J_ARRAY, "an array"},
    {STR_INIT("tools"), J_ARRAY, "an array"},      {STR_INIT("stream_options"), J_OBJECT, "an object"},
    {STR_INIT("metadata"), J_OBJECT, "an object"},
};

static bool check_types(const jscan *s, str body, str *param, err *e) {
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        jval v = json_find(s, body, typed[i].name);
        if (absent(v) || v.type == typed[i].type) continue;
        *param = typed[i].name;
        return fail(e, "Invalid type for '" STR_FMT "': expected %s.", STR_ARG(typed[i].name), typed[i].what);
    }
    return true;
}

bool openai_request_read(struct openai_request *r, const jscan *s, str body, bool need_model, str *param, err *e) {
    *r = (struct openai_request){0};
    *param = STR_NONE;
    if (json_root(s, body).type != J_OBJECT) return fail(e, "The request body must be a JSON object.");
    if (!check_types(s, body, param, e)) return false;
    r->model = json_find(s, body, STR("model"));
    r->stream = json_find(s, body, STR("stream"));
    r->stream_options = json_find(s, body, STR("stream_options"));
    r->metadata = json_find(s, body, STR("metadata"));
    r->service_tier = json_find(s, body, STR("service_tier"));
    r->user = json_find(s, body, STR("user"));
    if (need_model && (absent(r->model) || r->model.raw.n == 0)) {
        *param = STR("model");
        return fail(e, "You must provide a model parameter.");
    }
    if (!absent(r->stream) && r->stream.type != J_TRUE && r->stream.type != J_FALSE) {
        *param = STR("stream");
        return fail(e, "Invalid type for 'stream': expected a boolean.");
    }
    r->is_stream = r->stream.type == J_TRUE;
    r->include_usage = json_true(json_get(r->stream_options, STR("include_usage")));
    return true;
}

/* ---- splices ---- */

struct edits {
    struct splice *out;
    unsigned count;
    str body;
};

static void edit(struct edits *e, uint32_t start, uint32_t end, str with) {
    if (e->count < OPENAI_SPLICES_MAX) e->out[e->count++] = (struct splice){start, end, with};
}

static uint32_t offset(const struct edits *e, const char *p) { return (uint32_t)(p - e->body.p); }

/* The value with its quotes, where it is a string. */
static void edit_value(struct edits *e, jval v, str with) {
    uint32_t quote = v.type == J_STRING ? 1 : 0, at = offset(e, v.raw.p);
    edit(e, at - quote, at + (uint32_t)v.raw.n + quote, with);
}

static str quoted(str s, arena *a) {
    size_t most = s.n * 6 + 2; /* each byte as \u00XX, and the quotes */
    buf b = {.p = arena_alloc(a, most), .cap = most, .max = most};
    jw w;
    jw_init(&w, &b);
    jw_string(&w, s);
    return buf_view(&b);
}

static bool is_hint(str key, bool esc, arena *a) {
    return str_starts(json_text((jval){.raw = key, .type = J_STRING, .esc = esc}, a), DRAY_PREFIX);
}

/* Where a member stands, quotes included, in text that the key's view points into. */
static str member_text(str key, jval v) {
    const char *end = v.raw.p + v.raw.n + (v.type == J_STRING);
    return str_make(key.p - 1, (size_t)(end - (key.p - 1)));
}

/* Puts another member in the place of the one with this value. */
static void edit_member(struct edits *e, const jscan *s, jval value, str with) {
    for (uint32_t i = 0; i < s->count; i++) {
        jmember m = json_member(s, e->body, i);
        if (m.val.raw.p == value.raw.p) edit(e, m.start, m.end, with);
    }
}

/* Takes member i out with the comma that belongs to it. */
static void edit_remove(struct edits *e, const jscan *s, uint32_t i) {
    jmember m = json_member(s, e->body, i);
    if (i > 0)
        edit(e, json_member(s, e->body, i - 1).end, m.end, STR_NONE);
    else
        edit(e, m.start, s->count > 1 ? json_member(s, e->body, 1).start : m.end, STR_NONE);
}

/* dray's own hints go; what is the user's stays as it was written. */
static void edit_metadata(struct edits *e, const jscan *s, jval metadata, arena *a) {
    str key;
    bool esc;
    jval v;
    unsigned hints = 0, kept = 0;
    size_t room = 2;
    for (jiter it = json_iter(metadata); json_next(&it, &key, &esc, &v);) {
        if (is_hint(key, esc, a))
            hints++;
        else
            kept++, room += member_text(key, v).n + 1;
    }
    if (!hints) return;
    if (!kept) {
        for (uint32_t i = 0; i < s->count; i++)
            if (json_member(s, e->body, i).val.raw.p == metadata.raw.p) edit_remove(e, s, i);
        return;
    }
    char *text = arena_alloc(a, room);
    size_t n = 0;
    for (jiter it = json_iter(metadata); json_next(&it, &key, &esc, &v);) {
        if (is_hint(key, esc, a)) continue;
        str m = member_text(key, v);
        text[n] = n ? ',' : '{';
        n++;
        memcpy(text + n, m.p, m.n);
        n += m.n;
    }
    text[n++] = '}';
    edit_value(e, metadata, str_make(text, n));
}

#define INCLUDE_USAGE "\"include_usage\":true"

/* Asks for the usage chunk with as little as possible. */
static void edit_include_usage(struct edits *e, const struct openai_request *r) {
    if (r->stream_options.type == J_NONE) { /* behind `stream`, which is there: it is a stream */
        uint32_t at = offset(e, r->stream.raw.p) + (uint32_t)r->stream.raw.n;
        edit(e, at, at, STR(",\"stream_options\":{" INCLUDE_USAGE "}"));
        return;
    }
    if (r->stream_options.type == J_NULL) {
        edit_value(e, r->stream_options, STR("{" INCLUDE_USAGE "}"));
        return;
    }
    jval asked = json_get(r->stream_options, STR("include_usage"));
    if (asked.type == J_FALSE || asked.type == J_NULL) edit_value(e, asked, STR("true"));
    if (asked.type != J_NONE) return; /* anything else is the provider's to refuse */
    str key;
    bool esc;
    jval v;
    jiter it = json_iter(r->stream_options);
    bool empty = !json_next(&it, &key, &esc, &v);
    uint32_t at = offset(e, r->stream_options.raw.p) + 1;
    edit(e, at, at, empty ? STR(INCLUDE_USAGE) : STR(INCLUDE_USAGE ","));
}

/* Ascending; of two at one place the insertion (which ends first) comes first. */
static void sort(struct splice *out, unsigned n) {
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = i; k > 0; k--) {
            struct splice *a = &out[k - 1], *b = &out[k];
            if (a->start < b->start || (a->start == b->start && a->end <= b->end)) break;
            struct splice t = *a;
            *a = *b;
            *b = t;
        }
}

/* A model where the body has none (the Azure client names it in the path): the first member. */
static void edit_add_model(struct edits *e, const jscan *s, str name, arena *a) {
    uint32_t at = offset(e, json_root(s, e->body).raw.p) + 1;
    edit(e, at, at, arena_printf(a, "\"model\":" STR_FMT "%s", STR_ARG(name), s->count ? "," : ""));
}

unsigned openai_splices(const struct openai_request *r, const jscan *s, str body, str model, bool inject, arena *a,
                        struct splice out[OPENAI_SPLICES_MAX]) {
    struct edits e = {.out = out, .body = body};
    if (r->instead.n)
        edit_member(&e, s, r->model, r->instead);
    else if (r->model.type == J_STRING && !json_is(r->model, model))
        edit_value(&e, r->model, quoted(model, a));
    if (r->model.type == J_NONE) edit_add_model(&e, s, quoted(model, a), a);
    if (r->metadata.type == J_OBJECT) edit_metadata(&e, s, r->metadata, a);
    if (inject && r->is_stream && !r->include_usage) edit_include_usage(&e, r);
    sort(out, e.count);
    return e.count;
}

/* ---- errors ---- */

static str type_of(int status) {
    switch (status) {
    case 401: return STR("authentication_error");
    case 403: return STR("permission_error");
    case 429: return STR("rate_limit_error");
    default: return status >= 500 ? STR("server_error") : STR("invalid_request_error");
    }
}

static void string_or_null(jw *w, const char *key, str s) {
    jw_key(w, key);
    if (s.n)
        jw_string(w, s);
    else
        jw_null(w);
}

void openai_error_write(buf *out, int status, str type, str code, str message, str param) {
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "error");
    jw_object(&w);
    jw_key(&w, "message");
    jw_string(&w, message);
    jw_key(&w, "type");
    jw_string(&w, type.n ? type : type_of(status));
    string_or_null(&w, "param", param);
    string_or_null(&w, "code", code);
    jw_object_end(&w);
    jw_object_end(&w);
}
