/* own: dray's own pages, each a small function on a complete request. */
#include "gateway/own.h"

#include "base/clock.h"
#include "gateway/call.h"
#include "gateway/gateway.h"

#include <stdlib.h>

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

static void write_model(jw *w, str id, str owner) {
    jw_object(w);
    jw_key(w, "id");
    jw_string(w, id);
    jw_key(w, "object");
    jw_string(w, STR("model"));
    jw_key(w, "created");
    jw_i64(w, MODELS_CREATED);
    jw_key(w, "owned_by");
    jw_string(w, owner);
    jw_object_end(w);
}

static void list_model(void *ctx, str id, str owner) { write_model(ctx, id, owner); }

void own_models(struct call *c) {
    buf b;
    jw w;
    buf_init(&b, PAGE_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "object");
    jw_string(&w, STR("list"));
    jw_key(&w, "data");
    jw_array(&w);
    config_each_model(c->config, list_model, &w);
    jw_array_end(&w);
    jw_object_end(&w);
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
    str id = url_decode(str_skip(own_path(c), strlen("/v1/models/")), &c->r->a);
    struct resolution r;
    config_resolve(c->config, id, DIALECT_OPENAI, &r);
    if (r.what == RESOLVED_NONE) {
        call_fail(c, FAULT_UNKNOWN_MODEL, STR("model"), "The model \"" STR_FMT "\" is not known here.",
                  STR_ARG(str_take(id, 100)));
        return;
    }
    buf b;
    jw w;
    buf_init(&b, PAGE_MAX);
    jw_init(&w, &b);
    write_model(&w, id, r.what == RESOLVED_TARGET ? r.target.provider : STR("dray"));
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
