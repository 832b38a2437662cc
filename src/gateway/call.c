/* call: the one file that knows the order of things (see call.h).
 *
 * The server's events and the provider's events set fields of the call and tick it; nothing here
 * waits. Errors leave by call_fail; every path ends in settle() exactly once. */
#include "gateway/call.h"

#include "base/clock.h"
#include "gateway/dialect.h"
#include "gateway/form.h"
#include "gateway/gateway.h"
#include "gateway/labeler.h"
#include "gateway/media.h"
#include "gateway/own.h"
#include "gateway/queries.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- life ---- */

static void buf_keep(buf *b) {
    if (b->cap > CALL_KEEP_BODY)
        buf_free(b);
    else
        buf_clear(b);
}

static void drop_call(void *p) { buf_free(&((struct call *)p)->hold); }
static void drop_request(void *p) { buf_free(&((struct call_request *)p)->body); }

void call_recyclers_init(struct worker *w) {
    enum { KEPT = 64 };
    recycle_init(&w->calls, sizeof(struct call), KEPT, drop_call);
    recycle_init(&w->requests, sizeof(struct call_request), KEPT, drop_request);
}

static struct call_request *request_new(struct worker *w, const struct config *config) {
    struct call_request *r = recycle_take(&w->requests);
    memset(r, 0, offsetof(struct call_request, body));
    r->home = &w->requests;
    arena_init_in(&r->a, r->first, sizeof r->first, CALL_REQUEST_ARENA_MAX);
    if (r->body.cap > config->limits.body_max) buf_free(&r->body);
    r->body.max = config->limits.body_max;
    facts_init(&r->facts);
    json_scan_init(&r->scan, &r->a);
    json_scan_watch(&r->scan, "dray"); /* marks of dray's own in the names of things, dialect_clean() */
    return r;
}

static struct call *call_new(struct worker *w, struct conn *conn) {
    struct call *c = recycle_take(&w->calls);
    memset(c, 0, offsetof(struct call, hold));
    c->w = w;
    c->conn = conn;
    c->pools = pools_pin(w->pools);
    c->config = c->pools->config;
    c->begin_us = c->body_us = clock_mono_us();
    c->begin_wall = clock_wall_us();
    c->id = uuid_v7(&w->ids, c->begin_wall);
    c->key = c->rule = c->tier = STR_NONE;
    c->difficulty = -1;
    c->timer.fire = call_timer;
    arena_init_in(&c->a, c->first, sizeof c->first, CALL_ARENA_MAX);
    c->r = request_new(w, c->config);
    atomic_fetch_add_explicit(&w->metrics.open_calls, 1, memory_order_relaxed);
    return c;
}

static void request_empty(struct call_request *r) {
    arena_free(&r->a);
    arena_free(&r->media);
    buf_free(&r->up);
    buf_keep(&r->body);
}

void request_free(struct call_request *r) {
    request_empty(r);
    recycle_put(r->home, r);
}

void request_give(struct call_request *r) {
    request_empty(r);
    recycle_give(r->home, r);
}

void call_release_request(struct call *c) {
    if (!c->r) return;
    if (c->label_pending)
        labeler_give(gateway_labeler(c->w->gateway), c->w, c);
    else
        request_free(c->r);
    c->r = NULL;
}

static void call_free(struct deferred *d) {
    struct call *c = container_of(d, struct call, deferred);
    dialect_free(c);
    call_release_request(c);
    sse_free(&c->sse);
    buf_keep(&c->hold);
    arena_free(&c->a);
    pools_unpin(c->pools);
    recycle_put(&c->w->calls, c);
}

void call_over(struct call *c) {
    if (c->state == CALL_SETTLED) return;
    c->state = CALL_SETTLED;
    invariant(c->settled || !c->surface || !c->surface->endpoint);
    timer_stop(&c->timer);
    c->conn = NULL;
    atomic_fetch_sub_explicit(&c->w->metrics.open_calls, 1, memory_order_relaxed);
    c->deferred.run = call_free;
    loop_defer(c->w->loop, &c->deferred);
}

/* ---- failing ---- */

static void fail_text(struct call *c, enum fault f, int status, str param, str message) {
    const struct fault_row *row = fault_row(f);
    c->fault = f;
    c->status = (uint16_t)status;
    settle(c);
    buf body;
    buf_init(&body, 16 * 1024);
    dialect_error(c, status, str_from(row->type), str_from(row->name), message, param, &body);
    relay_own(c, status, "application/json", buf_view(&body));
    buf_free(&body);
}

void call_fail(struct call *c, enum fault f, str param, const char *fmt, ...) {
    if (c->settled) return;
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    str message = str_make(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    attempt_stop(c);
    if (c->head_sent)
        relay_broken(c, f, text);
    else
        fail_text(c, f, fault_row(f)->status, param, message);
}

/* ---- the client's side ---- */

static void keep_header(struct call *c, str name, str value) {
    struct call_request *r = c->r;
    if (r->kept_count == CALL_KEPT_MAX) return;
    char *lower = arena_strz(&r->a, name);
    for (size_t i = 0; i < name.n; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] | 32);
    r->kept[r->kept_count++] = (struct http_header){{lower, name.n}, arena_str(&r->a, value), http_name_id(name)};
}

/* Whether some provider of this configuration wants the header (forward_headers). */
static bool forwarded_by_any(const struct config *cfg, str name) {
    for (unsigned p = 0; p < cfg->provider_count; p++)
        for (unsigned k = 0; k < cfg->provider[p].forward_count; k++)
            if (str_ieq(cfg->provider[p].forward[k], name)) return true;
    return false;
}

static bool dialect_header(const struct http_header *h) {
    return h->id == HTTP_IDEMPOTENCY_KEY || h->id == HTTP_USER_AGENT || str_istarts(h->name, STR("openai-")) ||
           str_istarts(h->name, STR("anthropic-")) ||
           (str_istarts(h->name, STR("x-goog-")) && h->id != HTTP_X_GOOG_API_KEY);
}

static bool hint_header(const struct http_header *h) {
    return h->name.n > 7 && str_istarts(h->name, STR("x-dray-"));
}

static void keep_headers(struct call *c, const struct http_head *h) {
    struct call_request *r = c->r;
    for (unsigned i = 0; i < h->count; i++) {
        const struct http_header *x = &h->header[i];
        if (http_hop_by_hop(h, x)) continue; /* also what Connection names */
        r->goog_key |= x->id == HTTP_X_GOOG_API_KEY;
        if (x->id == HTTP_CONTENT_TYPE)
            r->content_type = arena_str(&r->a, x->value);
        else if (hint_header(x) || dialect_header(x) ||
                 (x->id == HTTP_OTHER && forwarded_by_any(c->config, x->name)))
            keep_header(c, x->name, x->value);
    }
    /* Headers that rules name are facts; their order is the router's. */
    const struct router *router = &c->config->router;
    if (!router->name_count) return;
    r->facts.named = arena_array(&r->a, struct fact_named, router->name_count);
    r->facts.named_count = (uint16_t)router->name_count;
    for (unsigned i = 0; i < router->name_count; i++) {
        r->facts.named[i].name = router->name[i];
        if (!str_starts(router->name[i], STR("header."))) continue;
        str v = http_get_name(h, str_skip(router->name[i], 7));
        if (v.p) r->facts.named[i].value = facts_clean(arena_str(&r->a, v), &r->a);
    }
}

/* The client's credential in whichever header its SDK sends. */
static str credential(const struct http_head *h) {
    str v = http_get(h, HTTP_AUTHORIZATION);
    if (v.p && str_istarts(v, STR("bearer "))) return str_trim(str_skip(v, 7));
    static const enum http_name names[] = {HTTP_X_API_KEY, HTTP_X_GOOG_API_KEY, HTTP_API_KEY};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((v = http_get(h, names[i])).p) return v;
    for (str rest = h->query, part; str_cut(&rest, '&', &part);) /* Gemini's older way */
        if (str_starts(part, STR("key="))) return str_skip(part, 4);
    return v;
}

static bool admit_key(struct call *c, const struct http_head *h) {
    str cred = credential(h);
    if (cred.p) c->r->credential = arena_str(&c->r->a, cred);
    c->r->bearer = http_get(h, HTTP_AUTHORIZATION).p != NULL;
    if (!c->config->key_count) return true;
    const struct client_key *k = cred.p ? config_key(c->config, cred) : NULL;
    if (!k) {
        call_fail(c, FAULT_BAD_KEY, STR_NONE,
                  cred.p ? "The API key is not one of this gateway's keys."
                         : "No API key was given: send it as 'Authorization: Bearer KEY'.");
        return false;
    }
    c->key = k->name;
    c->r->facts.key = k->name;
    c->r->facts.team = k->team;
    return true;
}

/* The admin API: a key with `admin`, or no keys at all (then dray listens on loopback only). */
static bool admit_admin(struct call *c, const struct http_head *h) {
    if (!c->config->admin_required && !c->config->key_count) return true;
    str cred = credential(h);
    const struct client_key *k = cred.p ? config_key(c->config, cred) : NULL;
    if (k && k->admin) return true;
    call_fail(c, FAULT_BAD_KEY, STR_NONE, "The admin API needs the admin_key.");
    return false;
}

static bool needs_no_key(const struct surface *s) {
    return s->own == own_healthz || s->own == own_readyz || s->own == own_metrics || s->own == own_root;
}

/* What the head alone decides. False: answered already. */
static bool admit_head(struct call *c, const struct http_head *h) {
    c->method = h->method;
    str model;
    c->surface = surface_find(h->path, &model);
    if (model.n) c->r->path_model = url_decode(model, &c->r->a);
    if (!c->surface) {
        call_fail(c, FAULT_UNKNOWN_PATH, STR_NONE, "Unknown path: " STR_FMT, STR_ARG(str_take(h->path, 200)));
        return false;
    }
    if (c->surface->own == own_root && !(c->surface->methods & (1u << h->method))) c->surface = NULL;
    if (!c->surface) {
        call_fail(c, FAULT_UNKNOWN_PATH, STR_NONE,
                  "Nothing is posted to /; calls go to /v1/chat/completions and the like.");
        return false;
    }
    if (!(c->surface->methods & (1u << h->method))) {
        call_fail(c, FAULT_BAD_METHOD, STR_NONE, "This path does not take that method.");
        return false;
    }
    bool admin = str_starts(str_from(c->surface->path), STR("/admin/"));
    if (admin && !admit_admin(c, h)) return false;
    if (!admin && !needs_no_key(c->surface) && !admit_key(c, h)) return false;
    if (h->has_length && h->length > c->config->limits.body_max) {
        call_fail(c, FAULT_BODY_TOO_LARGE, STR_NONE, "The request body is larger than %llu bytes.",
                  (unsigned long long)c->config->limits.body_max);
        return false;
    }
    str coding = http_get(h, HTTP_CONTENT_ENCODING);
    c->r->gzip = str_ieq(coding, STR("gzip"));
    if (coding.n && !c->r->gzip && !str_ieq(coding, STR("identity"))) {
        call_fail(c, FAULT_ENCODING_UNSUPPORTED, STR_NONE, "content-encoding may be gzip or identity.");
        return false;
    }
    return true;
}

static void *on_request(void *ctx, struct conn *conn, const struct http_head *h) {
    struct worker *w = ctx;
    struct call *c = call_new(w, conn);
    c->keep = true;
    if (!admit_head(c, h)) return c;
    keep_headers(c, h);
    if (c->surface->own) { /* its path and query are its input */
        c->r->query = arena_str(&c->r->a, h->query);
        keep_header(c, STR("path"), h->path);
    } else if (h->query.n) {
        c->r->query = arena_str(&c->r->a, h->query);
    }
    if (c->surface->stored) form_keep_path(c, h->path);
    form_begin(c);
    if (h->has_length && h->length) buf_room(&c->r->body, (size_t)h->length);
    return c;
}

/* What has come of the body; errors show at its end. */
static void scan_body(struct call *c) {
    if (c->r->form)
        multipart_scan(c->r->form, buf_view(&c->r->body), false);
    else
        json_scan(&c->r->scan, buf_view(&c->r->body), false);
}

static void on_body(void *req, const char *p, size_t n) {
    struct call *c = req;
    if (c->settled || !c->r) return;
    buf *body = &c->r->body;
    buf_add(body, p, n);
    if (body->failed) {
        call_fail(c, FAULT_BODY_TOO_LARGE, STR_NONE, "The request body is larger than %llu bytes.",
                  (unsigned long long)c->config->limits.body_max);
        return;
    }
    if (!c->r->gzip) scan_body(c);
}

/* The body's buffer has its length from the start: the rest of a large one is read right into it. */
static char *on_body_room(void *req, size_t *room) {
    struct call *c = req;
    if (c->settled || !c->r || c->r->gzip) return NULL;
    buf *body = &c->r->body;
    *room = body->cap - body->n;
    return *room ? body->p + body->n : NULL;
}

static void on_body_put(void *req, size_t n) {
    struct call *c = req;
    c->r->body.n += n;
    scan_body(c);
}

static void on_body_end(void *req) {
    struct call *c = req;
    if (c->settled) return;
    /* Small bodies come with their head: in the turn that the call began in. */
    if (loop_now(c->w->loop) > c->begin_us) c->body_us = clock_mono_us();
    c->turn_us = c->body_us;
    if (c->surface->own) {
        c->surface->own(c);
        return;
    }
    c->state = CALL_PLAN;
    call_tick(c);
}

static void on_body_bad(void *req, const char *why) {
    struct call *c = req;
    call_fail(c, FAULT_BAD_HTTP, STR_NONE, "Malformed request: %s", why);
}

static void on_drained(void *req) {
    struct call *c = req;
    if (c->paused && c->attempt.stream) ustream_resume(c->attempt.stream);
    c->paused = false;
}

/* The client has gone. Unless it shall be finished for the books, the provider is told to stop. */
static void on_gone(void *req) {
    struct call *c = req;
    c->conn = NULL;
    if (c->state == CALL_SETTLED) return;
    if (c->job) c->job->call = NULL;
    media_forget(c);
    if (c->surface && c->surface->endpoint && c->attempt.stream && !c->settled &&
        c->config->on_disconnect == DISCONNECT_FINISH) {
        c->paused = false;
        ustream_resume(c->attempt.stream);
        return;
    }
    attempt_stop(c);
    if (!c->settled) {
        c->fault = c->state == CALL_READ && !c->w->pools ? FAULT_SLOW_CLIENT : FAULT_CLIENT_GONE;
        c->status = 499;
        settle(c);
    }
    call_over(c);
}

/* Not HTTP, too slow or too large: the call is nothing but its error. */
static void on_bad(void *ctx, struct conn *conn, int status, const char *why) {
    struct worker *w = ctx;
    struct call *c = call_new(w, conn);
    enum fault f = status == 431   ? FAULT_HEAD_TOO_LARGE
                   : status == 408 ? FAULT_SLOW_CLIENT
                   : status == 505 ? FAULT_HTTP_VERSION
                                   : FAULT_BAD_HTTP;
    call_fail(c, f, STR_NONE, "Malformed request: %s", why);
}

const struct server_handler call_handler = {
    .request = on_request,
    .body = on_body,
    .body_room = on_body_room,
    .body_put = on_body_put,
    .body_end = on_body_end,
    .body_bad = on_body_bad,
    .drained = on_drained,
    .gone = on_gone,
    .bad = on_bad,
};

/* ---- the road ---- */

/* The next target of the plan, or the end of the road. */
static void try_next(struct call *c) {
    const struct plan *p = &c->r->plan;
    if (c->attempt.n < p->count) {
        attempt_start(c, c->attempt.n);
        return;
    }
    call_fail(c, FAULT_NO_TARGET, STR_NONE, "No model is configured that could answer this call.");
}

void call_tick(struct call *c) {
    switch (c->state) {
    case CALL_PLAN:
        call_plan(c);
        if (c->settled || c->state != CALL_PLAN) return;
        c->state = CALL_TRY;
        /* fallthrough */
    case CALL_TRY:
        if (!c->attempt.stream) try_next(c);
        if (!c->surface->endpoint) return; /* a question that costs nothing (count_tokens) is no call */
        if (!c->begun && !c->settled) {    /* the request is on its way: now the label and the books */
            call_label(c);
            settle_begin(c);
        }
        return;
    case CALL_READ:
    case CALL_HOLD:
    case CALL_RELAY:
    case CALL_SETTLED: return; /* events move these on */
    }
}
