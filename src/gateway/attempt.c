/* attempt: one try at one target: the request as the provider wants it, the clock that watches it,
 * and what to do when it fails.
 *
 * The request is an iovec over the client's own body with the edits between its pieces: nothing is
 * rebuilt or copied. Nothing has gone to the client while an attempt may still be replaced. */
#include "gateway/call.h"
#include "gateway/dialect.h"
#include "gateway/form.h"
#include "gateway/gateway.h"
#include "gateway/media.h"
#include "gateway/tokens.h"

#include "base/clock.h"
#include "net/sigv4.h"

#include <stdlib.h>

static const struct ustream_events attempt_events;

/* ---- the request upwards ---- */

static void add_header(buf *b, str name, str value) {
    buf_str(b, name);
    buf_add(b, ": ", 2);
    buf_str(b, value);
    buf_add(b, "\r\n", 2);
}

static bool wanted(const struct provider *p, str name) {
    if (str_starts(name, STR("x-dray-"))) return false;
    if (str_eqz(name, "idempotency-key") || str_eqz(name, "user-agent") || str_starts(name, STR("openai-")) ||
        str_starts(name, STR("anthropic-")) || str_starts(name, STR("x-goog-")))
        return true;
    for (unsigned i = 0; i < p->forward_count; i++)
        if (str_ieq(p->forward[i], name)) return true;
    return false;
}

static void add_auth(struct call *c, struct provider_pool *pool, buf *b) {
    const struct provider *p = c->attempt.provider;
    unsigned k = pool->auth_next;
    bool native = c->attempt.native;
    buf_str(b, native ? pool->auth[k].native : pool->auth[k].block);
    if (pool->auth_count > 1) pool->auth_next = (uint16_t)((k + 1) % pool->auth_count);
    dialect_headers(c, b);
    if (p->auth == AUTH_GOOGLE) {
        buf_strz(b, "authorization: Bearer ");
        buf_str(b, c->r->token);
        buf_strz(b, "\r\n");
    }
    if (!p->key_from_client || !c->r->credential.n) return;
    enum auth_style style = native ? dialect_auth(p, c->r->credential) : (enum auth_style)p->auth;
    if (c->r->bearer && !c->attempt.translated) style = AUTH_BEARER; /* as its SDK sends it */
    switch (style) {
    case AUTH_API_KEY: add_header(b, STR("api-key"), c->r->credential); break;
    case AUTH_X_API_KEY: add_header(b, STR("x-api-key"), c->r->credential); break;
    case AUTH_GOOG: add_header(b, STR("x-goog-api-key"), c->r->credential); break;
    default:
        buf_strz(b, "authorization: Bearer ");
        buf_str(b, c->r->credential);
        buf_strz(b, "\r\n");
    }
}

/* Signs the request with the provider's access key: its path and body are final. */
static void add_signature(struct call *c, str path, unsigned pieces, buf *b) {
    const struct provider *p = c->attempt.provider;
    struct sigv4_key k = {.id = p->aws.id,
                          .secret = p->aws.secret,
                          .session = p->aws.session,
                          .region = p->region,
                          .service = STR("bedrock")};
    sigv4_sign(&k, STR("POST"), p->host_header, path, c->r->iov + 1, pieces, clock_wall_us(), b);
}

/* Head of the request, in the request's arena; its body is r->iov from 1 on. */
static str build_head(struct call *c, struct provider_pool *pool, unsigned pieces, uint64_t body_len) {
    const struct provider *p = c->attempt.provider;
    struct call_request *r = c->r;
    buf *b = &c->w->text;
    buf_clear(b);
    buf_strz(b, c->method == HTTP_GET ? "GET " : c->method == HTTP_DELETE ? "DELETE " : "POST ");
    size_t path_at = b->n;
    dialect_path(c, b);
    str path = arena_str(&r->a, str_skip(buf_view(b), path_at));
    bool azure_only = r->path_model.n && strcmp(p->kind->name, "azure") != 0; /* its api-version */
    if (r->query.n && !azure_only && !p->api_version.n && !c->attempt.translated &&
        !(c->attempt.native && p->kind->native == DIALECT_GEMINI)) {
        buf_char(b, '?');
        buf_str(b, r->query);
    }
    buf_strz(b, " HTTP/1.1\r\n");
    add_auth(c, pool, b);
    if (p->auth == AUTH_AWS) add_signature(c, path, pieces, b);
    if (c->method == HTTP_POST)
        add_header(b, STR("content-type"), r->content_type.n ? r->content_type : STR("application/json"));
    buf_strz(b, "accept-encoding: identity\r\n");
    for (unsigned i = 0; i < r->kept_count; i++)
        if (wanted(p, r->kept[i].name) && dialect_keeps_header(c, r->kept[i].name))
            add_header(b, r->kept[i].name, r->kept[i].value);
    if (c->method == HTTP_POST) {
        buf_strz(b, "content-length: ");
        buf_u64(b, body_len);
        buf_strz(b, "\r\n");
    }
    buf_strz(b, "\r\n");
    return arena_str(&r->a, buf_view(b));
}

/* The body between its edits. Returns the pieces in r->iov from 1 on; `*total` their length. */
static unsigned spliced(struct call *c, uint64_t *total) {
    struct call_request *r = c->r;
    struct splice edit[OPENAI_SPLICES_MAX];
    str body = buf_view(&r->body);
    const struct provider *p = c->attempt.provider;
    bool inject = c->is_stream && c->surface->tap == TAP_CHAT && !r->q.include_usage && p->kind->stream_options &&
                  p->stream_usage == STREAM_USAGE_INJECT;
    /* Gemini's model is in the path; a default that the client left to the provider stays so. */
    bool fixed = (c->attempt.native && p->kind->native == DIALECT_GEMINI && !dialect_in_path(c)) ||
                 (r->q.model.type == J_NONE && !r->path_model.n);
    if (dialect_in_path(c)) r->q.instead = STR("\"anthropic_version\":\"vertex-2023-10-16\"");
    unsigned edits =
                 fixed ? 0 : openai_splices(&r->q, &r->scan, body, c->attempt.target.model, inject, &r->a, edit),
             n = 1;
    uint32_t at = 0;
    c->attempt.injected = inject;
    for (unsigned i = 0; i <= edits; i++) {
        uint32_t upto = i < edits ? edit[i].start : (uint32_t)body.n;
        if (upto > at) r->iov[n++] = (struct iovec){(char *)(uintptr_t)body.p + at, upto - at};
        *total += upto - at;
        if (i == edits) break;
        if (edit[i].with.n) r->iov[n++] = (struct iovec){(char *)(uintptr_t)edit[i].with.p, edit[i].with.n};
        *total += edit[i].with.n;
        at = edit[i].end;
    }
    return n;
}

/* Puts head and body into r->iov; their number, 0 when the call has failed. */
static unsigned build_request(struct call *c, struct provider_pool *pool) {
    struct call_request *r = c->r;
    uint64_t total = 0;
    unsigned n = 2;
    buf_free(&r->up); /* of a try before this one */
    c->attempt.injected = false;
    bool anew = c->attempt.translated || c->attempt.rewritten;
    if (anew && !dialect_write(c)) return 0;
    c->attempt.injected =
        c->attempt.rewritten && c->is_stream && !r->q.include_usage && c->attempt.provider->kind->stream_options;
    if (!anew && (r->form || c->surface->stored)) {
        n = form_pieces(c, &total);
    } else if (!anew && !(anew = dialect_rename(c))) {
        n = spliced(c, &total);
        anew = dialect_clean(c, n);
    }
    if (anew) {
        r->iov[1] = (struct iovec){r->up.p, r->up.n};
        total = r->up.n;
        n = 2;
    }
    str head = build_head(c, pool, n - 1, total);
    r->iov[0] = (struct iovec){(char *)(uintptr_t)head.p, head.n};
    return n;
}

/* ---- time ---- */

/* Keeps the earliest of the limits. */
static void limit(uint64_t *due, enum fault *f, uint64_t length, uint64_t from, enum fault which) {
    if (!length || (*due && from + length >= *due)) return;
    *due = from + length;
    *f = which;
}

/* When the next limit is over, 0 for none; `f` says which it is. */
static uint64_t next_limit(const struct call *c, enum fault *f) {
    const struct attempt *t = &c->attempt;
    const struct timeouts *lim = &t->provider->timeout;
    uint64_t due = 0;
    if (!t->connected)
        limit(&due, f, lim->connect, t->start_us, FAULT_CONNECT_TIMEOUT);
    else if (!t->first_us)
        limit(&due, f, lim->first_byte, t->sent_us ? t->sent_us : t->start_us, FAULT_FIRST_BYTE_TIMEOUT);
    else if (!c->paused)
        limit(&due, f, lim->idle, t->last_us, FAULT_IDLE_TIMEOUT);
    limit(&due, f, lim->total, t->start_us, FAULT_TOTAL_TIMEOUT);
    if (c->r && !t->first_us) limit(&due, f, c->r->timeout_us, c->begin_us, FAULT_TOTAL_TIMEOUT);
    return due;
}

static void arm(struct call *c) {
    enum fault f = FAULT_NONE;
    uint64_t due = next_limit(c, &f);
    if (due && (!timer_armed(&c->timer) || c->timer.due > due)) loop_timer(c->w->loop, &c->timer, due);
}

static void attempt_failed(struct call *c, enum fault f, const char *detail);

void call_timer(struct timer *t) {
    struct call *c = container_of(t, struct call, timer);
    enum fault f = FAULT_NONE;
    if (!c->attempt.stream) return;
    uint64_t due = next_limit(c, &f);
    if (!due) return;
    if (due > loop_now(c->w->loop)) {
        loop_timer(c->w->loop, t, due);
        return;
    }
    ustream_reset(c->attempt.stream);
    c->attempt.stream = NULL;
    static const char *const what[] = {[FAULT_CONNECT_TIMEOUT] = "no connection in time",
                                       [FAULT_FIRST_BYTE_TIMEOUT] = "no answer in time",
                                       [FAULT_IDLE_TIMEOUT] = "the answer stopped",
                                       [FAULT_TOTAL_TIMEOUT] = "the time limit of the call is over"};
    attempt_failed(c, f, what[f]);
}

/* ---- trying ---- */

static struct provider_pool *pool_of(struct call *c) { return &c->pools->provider[c->attempt.provider->id]; }

static void open_stream(struct call *c) {
    struct provider_pool *pool = pool_of(c);
    struct attempt *t = &c->attempt;
    unsigned n = build_request(c, pool);
    if (!n) return;
    t->stream = ustream_open(pool->upstream, &attempt_events, c, false, &t->reused);
    t->connected = t->reused;
    metric_add(&c->w->metrics.attempts, 1);
    if (t->reused) metric_add(&c->w->metrics.upstream_reused, 1);
    ustream_send(t->stream, c->r->iov, n);
    if (c->attempt.stream) arm(c);
}

/* False when there is none: the attempt has failed. */
static bool take_token(struct call *c) {
    buf *b = &c->w->text;
    err e;
    buf_clear(b);
    if (tokens_get(gateway_tokens(c->w->gateway), &c->attempt.provider->google, b, &e)) {
        c->r->token = arena_str(&c->r->a, buf_view(b));
        return true;
    }
    attempt_failed(c, FAULT_NO_TOKEN, e.msg);
    return false;
}

void attempt_start(struct call *c, uint16_t i) {
    struct call_request *r = c->r;
    struct attempt *t = &c->attempt;
    uint8_t n = (uint8_t)(t->n + 1);
    *t = (struct attempt){.n = n, .start_us = clock_mono_us()};
    t->target = r->fly_count        ? r->fly[i]
                : r->has_on_the_fly ? r->on_the_fly
                                    : c->config->router.target[r->plan.target[i]];
    t->provider = &c->config->provider[t->target.provider_id];
    if (n > 1) metric_add(&c->w->metrics.fallbacks, 1);
    dialect_choose(c);
    if (t->provider->auth == AUTH_GOOGLE && !take_token(c)) return;
    if (media_wanted(c))
        media_ask(c);
    else if (!c->settled)
        attempt_go_on(c);
}

void attempt_go_on(struct call *c) {
    if (!pool_of(c)->upstream) {
        attempt_failed(c, FAULT_UPSTREAM_TLS, pool_of(c)->error.msg);
        return;
    }
    open_stream(c);
}

void attempt_stop(struct call *c) {
    if (!c->attempt.stream) return;
    ustream_reset(c->attempt.stream);
    c->attempt.stream = NULL;
    timer_stop(&c->timer);
}

static bool more_targets(const struct call *c) { return c->r && c->attempt.n < c->r->plan.count; }

/* The try under way came to nothing. */
static void attempt_failed(struct call *c, enum fault f, const char *detail) {
    timer_stop(&c->timer);
    if (c->settled) { /* the books are closed; the client only waits for the end of its stream */
        relay_end(c);
        return;
    }
    if (c->head_sent || c->state == CALL_RELAY) {
        relay_broken(c, f, detail);
        return;
    }
    if (fault_row(f)->try_next && more_targets(c)) {
        settle_attempt(c, f);
        buf_clear(&c->hold);
        c->state = CALL_TRY;
        call_tick(c);
        return;
    }
    call_fail(c, f, STR_NONE, "The provider " STR_FMT " did not answer: %s.", STR_ARG(c->attempt.provider->name),
              detail);
}

void attempt_unsupported(struct call *c, str param, const char *why) {
    if (more_targets(c))
        attempt_failed(c, FAULT_UNSUPPORTED, why);
    else
        call_fail(c, FAULT_UNSUPPORTED, param, "%s", why);
}

/* ---- the provider's events ---- */

static void on_connected(void *ctx) {
    struct call *c = ctx;
    c->attempt.connected = true;
    metric_add(&c->w->metrics.upstream_opened, 1);
    arm(c);
}

static void on_sent(void *ctx) {
    struct call *c = ctx;
    c->attempt.sent = true;
    c->attempt.sent_us = loop_now(c->w->loop);
    if (c->planned) { /* first try: all that came before is dray's own time */
        c->overhead_us += clock_mono_us() - c->body_us;
        c->planned = false;
    }
    if (c->attempt.first_us)
        call_release_request(c);
    else if (c->attempt.stream)
        arm(c);
}

/* Statuses that say "not me, not now": another target may do better. */
static bool status_tries_next(int status) {
    return status == 401 || status == 403 || status == 404 || status == 408 || status == 429 || status >= 500;
}

static void on_head(void *ctx, const struct http_head *h) {
    struct call *c = ctx;
    struct attempt *t = &c->attempt;
    c->turn_us = clock_mono_us();
    t->first_us = t->last_us = loop_now(c->w->loop);
    t->status = h->status;
    if (status_tries_next(h->status) && more_targets(c)) {
        ustream_reset(t->stream);
        t->stream = NULL;
        attempt_failed(c, FAULT_UPSTREAM_STATUS, "");
        return;
    }
    arm(c);
    relay_head(c, h);
    if (c->r && t->sent && c->begun && !t->translated) call_release_request(c);
}

static void on_data(void *ctx, char *p, size_t n) {
    struct call *c = ctx;
    c->attempt.last_us = loop_now(c->w->loop);
    if (c->attempt.last_us - c->attempt.first_us) c->turn_us = clock_mono_us();
    relay_data(c, p, n);
}

static void on_end(void *ctx) {
    struct call *c = ctx;
    c->attempt.stream = NULL;
    timer_stop(&c->timer);
    relay_end(c);
}

static void on_fail(void *ctx, enum upstream_fail why, bool unseen, const char *detail) {
    static const enum fault faults[] = {
        [UPSTREAM_UNRESOLVED] = FAULT_UPSTREAM_UNRESOLVED,
        [UPSTREAM_REFUSED] = FAULT_UPSTREAM_REFUSED,
        [UPSTREAM_TLS] = FAULT_UPSTREAM_TLS,
        [UPSTREAM_RESET] = FAULT_UPSTREAM_RESET,
        [UPSTREAM_TRUNCATED] = FAULT_UPSTREAM_TRUNCATED,
        [UPSTREAM_GARBAGE] = FAULT_UPSTREAM_GARBAGE,
    };
    struct call *c = ctx;
    c->attempt.stream = NULL;
    /* A kept connection that the provider closed just before it saw the request: not a failure of the try. */
    if (why == UPSTREAM_RESET && c->attempt.reused && unseen && c->r && !c->settled) {
        c->attempt.connected = c->attempt.sent = false;
        open_stream(c);
        return;
    }
    attempt_failed(c, faults[why], detail);
}

static const struct ustream_events attempt_events = {
    .connected = on_connected, .sent = on_sent, .head = on_head, .data = on_data, .end = on_end, .fail = on_fail};
