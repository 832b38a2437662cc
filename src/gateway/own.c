/* own: dray's own pages, each a small function on a complete request. */
#include "gateway/own.h"

#include "base/clock.h"
#include "gateway/call.h"
#include "gateway/gateway.h"

#include <stdio.h>

enum { PAGE_MAX = 4 << 20, MODELS_CREATED = 1735689600 /* a fixed date: names have none */ };

static void answer_json(struct call *c, int status, buf *b) {
    c->status = (uint16_t)status;
    if (b->failed)
        call_fail(c, FAULT_INTERNAL, STR_NONE, "The page is too large.");
    else
        relay_own(c, status, "application/json", buf_view(b));
    buf_free(b);
}

static void answer_text(struct call *c, int status, const char *json) {
    c->status = (uint16_t)status;
    relay_own(c, status, "application/json", str_from(json));
}

str own_path(const struct call *c) {
    for (unsigned i = 0; i < c->r->kept_count; i++)
        if (str_eqz(c->r->kept[i].name, "path")) return c->r->kept[i].value;
    return STR_NONE;
}

void own_root(struct call *c) { answer_text(c, 200, "{\"name\":\"dray\",\"version\":\"" DRAY_VERSION "\"}"); }

void own_healthz(struct call *c) { answer_text(c, 200, "{\"status\":\"ok\"}"); }

/* Ready: books that can take calls, and not stopping. */
void own_readyz(struct call *c) {
    struct books_status s;
    books_status(gateway_books(c->w->gateway), &s);
    bool stopping = gateway_stopping(c->w->gateway);
    bool refuses = !s.spool_ok && c->config->on_full == ON_FULL_REFUSE;
    bool ready = !stopping && !refuses;
    buf b;
    jw w;
    buf_init(&b, PAGE_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "status");
    jw_string(&w, stopping                   ? STR("stopping")
                  : !ready                   ? STR("refusing")
                  : s.store_ok && s.spool_ok ? STR("ready")
                                             : STR("degraded"));
    jw_key(&w, "ledger");
    jw_object(&w);
    jw_key(&w, "store_ok");
    jw_bool(&w, s.store_ok);
    jw_key(&w, "spool_ok");
    jw_bool(&w, s.spool_ok);
    jw_key(&w, "backlog_events");
    jw_u64(&w, s.backlog_events);
    jw_key(&w, "unbooked_events");
    jw_u64(&w, s.lost);
    if (s.error[0]) {
        jw_key(&w, "error");
        jw_string(&w, str_from(s.error));
    }
    jw_object_end(&w);
    jw_key(&w, "simulated");
    jw_bool(&w, c->config->simulated);
    jw_object_end(&w);
    answer_json(c, ready ? 200 : 503, &b);
}

void own_metrics(struct call *c) {
    buf b;
    buf_init(&b, PAGE_MAX);
    gateway_metrics(c->w->gateway, &b);
    c->status = 200;
    relay_own(c, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&b));
    buf_free(&b);
}

/* ---- models ---- */

/* Three dialects ask for models on one path; their headers tell them apart. */
static int list_dialect(const struct call *c) {
    if (c->r->goog_key || str_starts(own_path(c), STR("/v1beta/"))) return CHAT_GEMINI;
    for (unsigned i = 0; i < c->r->kept_count; i++) {
        if (str_eqz(c->r->kept[i].name, "anthropic-version")) return CHAT_ANTHROPIC;
    }
    return str_starts(c->r->query, STR("key=")) ? CHAT_GEMINI : CHAT_OPENAI;
}

static void text_member(jw *w, const char *key, str value) {
    jw_key(w, key);
    jw_string(w, value);
}

static void write_openai(jw *w, str id, str owner) {
    jw_object(w);
    text_member(w, "id", id);
    text_member(w, "object", STR("model"));
    jw_key(w, "created");
    jw_i64(w, MODELS_CREATED);
    text_member(w, "owned_by", owner);
    jw_object_end(w);
}

static void write_anthropic(jw *w, str id) {
    jw_object(w);
    text_member(w, "type", STR("model"));
    text_member(w, "id", id);
    text_member(w, "display_name", id);
    text_member(w, "created_at", STR("2024-12-24T00:00:00Z"));
    jw_object_end(w);
}

static void write_gemini(jw *w, str id) {
    char name[512];
    int n = snprintf(name, sizeof name, "models/" STR_FMT, STR_ARG(str_take(id, 400)));
    jw_object(w);
    text_member(w, "name", str_make(name, (size_t)n));
    text_member(w, "displayName", id);
    jw_key(w, "supportedGenerationMethods");
    jw_array(w);
    jw_string(w, STR("generateContent"));
    jw_string(w, STR("countTokens"));
    jw_array_end(w);
    jw_object_end(w);
}

struct listing {
    jw w;
    int dialect;
    char first[400], last[400];
    size_t first_n, last_n;
};

static void write_model(struct listing *l, str id, str owner) {
    if (l->dialect == CHAT_ANTHROPIC)
        write_anthropic(&l->w, id);
    else if (l->dialect == CHAT_GEMINI)
        write_gemini(&l->w, id);
    else
        write_openai(&l->w, id, owner);
}

static void list_model(void *ctx, str id, str owner) {
    struct listing *l = ctx;
    str cut = str_take(id, sizeof l->last);
    memcpy(l->last, cut.p, l->last_n = cut.n);
    if (!l->first_n) memcpy(l->first, cut.p, l->first_n = cut.n);
    write_model(l, id, owner);
}

void own_models(struct call *c) {
    buf b;
    struct listing l = {.dialect = list_dialect(c)};
    buf_init(&b, PAGE_MAX);
    jw_init(&l.w, &b);
    jw_object(&l.w);
    if (l.dialect == CHAT_OPENAI) text_member(&l.w, "object", STR("list"));
    jw_key(&l.w, l.dialect == CHAT_GEMINI ? "models" : "data");
    jw_array(&l.w);
    config_each_model(c->config, list_model, &l);
    jw_array_end(&l.w);
    if (l.dialect == CHAT_ANTHROPIC) {
        jw_key(&l.w, "has_more");
        jw_bool(&l.w, false);
        text_member(&l.w, "first_id", str_make(l.first, l.first_n));
        text_member(&l.w, "last_id", str_make(l.last, l.last_n));
    }
    jw_object_end(&l.w);
    answer_json(c, 200, &b);
}

static int hex(char ch) {
    return ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10 : -1;
}

str url_decode(str s, arena *a) {
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;
        out[n++] = escape ? (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2])) : s.p[i];
        if (escape) i += 2;
    }
    return (str){out, n};
}

/* GET /v1/models/{id}: any name that a request could use. */
void own_model(struct call *c) {
    str path = own_path(c),
        id = url_decode(str_skip(path, (size_t)str_find(path, STR("/models/")) + strlen("/models/")), &c->r->a);
    struct resolution r;
    config_resolve(c->config, id, DIALECT_OPENAI, &r);
    if (r.what == RESOLVED_NONE) {
        call_fail(c, FAULT_UNKNOWN_MODEL, STR("model"), "The model \"" STR_FMT "\" is not known here.",
                  STR_ARG(str_take(id, 100)));
        return;
    }
    buf b;
    struct listing l = {.dialect = list_dialect(c)};
    buf_init(&b, PAGE_MAX);
    jw_init(&l.w, &b);
    write_model(&l, id, r.what == RESOLVED_TARGET ? r.target.provider : STR("dray"));
    answer_json(c, 200, &b);
}

/* ---- route: the decision and nothing else ---- */

void own_route(struct call *c) {
    call_plan(c);
    if (c->settled) return;
    request_facts(c->r, c->surface, c->config, c->begin_wall);
    buf b;
    buf_init(&b, PAGE_MAX);
    config_write_decision(c->config, &c->r->facts, c->r->has_on_the_fly ? &c->r->on_the_fly : NULL, &c->r->plan,
                          &b);
    answer_json(c, 200, &b);
}
