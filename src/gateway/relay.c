/* relay: the provider's answer on its way to the client.
 *
 * An answer that is not a stream is held (up to limits.hold_max) until it is complete, so that its
 * cost stands in its head; larger ones flow. Streams flow at once, piece by piece, with a tap that
 * reads usage; where dray asked for usage itself, what that added is taken out again. The call is
 * settled before its last bytes go out: for streams that is the terminator. */
#include "gateway/call.h"

#include "base/clock.h"
#include "base/gzip.h"
#include "gateway/dialect.h"

#include <stdio.h>

/* ---- heads ---- */

static const char *reason(int status) {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return status < 400 ? "OK" : "Error";
    }
}

static void header(buf *b, const char *name, str value) {
    buf_strz(b, name);
    buf_add(b, ": ", 2);
    buf_str(b, value);
    buf_add(b, "\r\n", 2);
}

static void header_u64(buf *b, const char *name, uint64_t v) {
    char text[20];
    header(b, name, str_make(text, fmt_u64(text, v)));
}

static void header_nano(buf *b, const char *name, int64_t nano) {
    char text[32];
    if (nano != COST_UNKNOWN) header(b, name, str_make(text, fmt_nano(text, nano)));
}

/* Whether the client gets a stream: a translated answer is one, however it came. */
static bool becomes_stream(const struct call *c) {
    return c->relay_sse || (c->attempt.translated && c->is_stream && c->surface->chat >= 0 && c->status < 300);
}

/* The provider's head as it goes down: all but hop-by-hop, framing, and hints that would mislead. */
static void passed_head(const struct call *c, const struct http_head *h, buf *b) {
    buf_strz(b, "HTTP/1.1 ");
    buf_u64(b, h->status);
    buf_char(b, ' ');
    buf_strz(b, reason(h->status));
    buf_strz(b, "\r\n");
    bool should_retry = false;
    for (unsigned i = 0; i < h->count; i++) {
        const struct http_header *x = &h->header[i];
        if (x->id == HTTP_CONTENT_LENGTH || http_hop_by_hop(h, x) || str_istarts(x->name, STR("x-dray-")))
            continue;
        if (x->id == HTTP_CONTENT_TYPE && (c->attempt.translated || c->list_down)) continue;
        if ((x->id == HTTP_RETRY_AFTER || x->id == HTTP_RETRY_AFTER_MS) && h->status < 300) continue;
        should_retry |= x->id == HTTP_X_SHOULD_RETRY;
        buf_str(b, x->name);
        buf_add(b, ": ", 2);
        buf_str(b, x->value);
        buf_add(b, "\r\n", 2);
    }
    if (c->list_down)
        header(b, "content-type", STR("application/json; charset=UTF-8"));
    else if (c->attempt.translated)
        header(b, "content-type",
               becomes_stream(c) ? STR("text/event-stream; charset=utf-8") : STR("application/json"));
    bool hopeless = (h->status >= 400 && h->status <= 404) || h->status == 413 || h->status == 422;
    if (hopeless && !should_retry) buf_strz(b, "x-should-retry: false\r\n");
}

/* dray's own headers on every call. */
static void dray_headers(const struct call *c, buf *b) {
    char id[37];
    uuid_format(id, c->id);
    header(b, "x-dray-call-id", str_make(id, 36));
    if (c->attempt.n) header(b, "x-dray-model", c->attempt.target.name);
    header_u64(b, "x-dray-attempts", c->attempt.n);
    header_u64(b, "x-dray-overhead-us", c->overhead_us);
    header(b, "x-dray-cache", STR("miss"));
    if (c->dropped.n) header(b, "x-dray-dropped", c->dropped);
    if (!c->routed) return;
    header(b, "x-dray-task", str_from(task_name((enum task)c->task)));
    header(b, "x-dray-rule", c->rule);
    if (c->tier.n) header(b, "x-dray-tier", c->tier);
    if (c->difficulty >= 0) {
        unsigned share = (unsigned)((double)c->difficulty * 1000 + 0.5); /* three decimals; four are recorded */
        char num[5] = {(char)('0' + share / 1000), '.', (char)('0' + share / 100 % 10),
                       (char)('0' + share / 10 % 10), (char)('0' + share % 10)};
        header(b, "x-dray-difficulty", str_make(num, sizeof num));
    }
}

static void end_head(const struct call *c, buf *b) {
    if (!c->keep) buf_strz(b, "connection: close\r\n");
    buf_strz(b, "\r\n");
}

/* ---- answers of dray's own ---- */

static void finish(struct call *c) {
    struct conn *conn = c->conn;
    bool keep = c->keep;
    c->conn = NULL;
    call_over(c);
    if (conn) conn_finish(conn, keep);
}

void relay_own(struct call *c, int status, const char *content_type, str body) {
    if (!c->conn) {
        call_over(c);
        return;
    }
    buf *b = &c->w->text;
    buf_clear(b);
    if (!conn_keep_alive(c->conn)) c->keep = false;
    buf_printf(b, "HTTP/1.1 %d %s\r\n", status, reason(status));
    header(b, "content-type", str_from(content_type));
    header_u64(b, "content-length", body.n);
    if (c->surface == NULL || c->surface->endpoint) dray_headers(c, b);
    bool hopeless = (status >= 400 && status <= 404) || status == 413 || status == 422;
    if (hopeless || (status >= 400 && c->attempt.n > 1)) buf_strz(b, "x-should-retry: false\r\n");
    if (status == 405)
        buf_strz(b, c->surface->methods & (1u << HTTP_POST) ? "allow: POST\r\n" : "allow: GET, HEAD\r\n");
    end_head(c, b);
    struct iovec v[2] = {{b->p, b->n}, {(char *)(uintptr_t)body.p, c->method == HTTP_HEAD ? 0 : body.n}};
    conn_send(c->conn, v, v[1].iov_len ? 2 : 1);
    finish(c);
}

/* ---- the head of an answer ---- */

static bool is_event_stream(const struct call *c, const struct http_head *h) {
    str t = http_get(h, HTTP_CONTENT_TYPE);
    if (c->attempt.speaks == CHAT_BEDROCK) return str_istarts(t, STR("application/vnd.amazon.eventstream"));
    return str_istarts(t, STR("text/event-stream"));
}

/* Sends the head with its framing; from here the answer flows. A stream is never sent with a length: an
 * error event may come behind what the provider announced. */
static void send_head(struct call *c, const struct http_head *h) {
    buf *b = &c->w->text;
    if (c->conn && !conn_keep_alive(c->conn)) c->keep = false;
    bool length = h && h->has_length && !c->relay_sse;
    c->chunked_down = !length && c->conn && conn_minor(c->conn) >= 1;
    if (c->chunked_down)
        buf_strz(b, "transfer-encoding: chunked\r\n");
    else if (length)
        header_u64(b, "content-length", h->length);
    else
        c->keep = false; /* HTTP/1.0: the end of the connection ends the answer */
    c->overhead_us += clock_mono_us() - c->turn_us;
    dray_headers(c, b);
    end_head(c, b);
    c->head_sent = true;
    c->state = CALL_RELAY;
    struct iovec v = {b->p, b->n};
    if (c->conn) conn_send(c->conn, &v, 1);
}

/* What Bedrock says in headers: the kind of error ("ValidationException:http://…"), the tokens of an embedding. */
static void bedrock_head(struct call *c, const struct http_head *h) {
    str error = http_get_name(h, STR("x-amzn-errortype")), name;
    uint64_t said;
    if (str_cut(&error, ':', &name)) c->error_type = arena_str(&c->a, name);
    if (str_u64(http_get_name(h, STR("x-amzn-bedrock-input-token-count")), &said)) c->input_said = (int64_t)said;
}

/* Empty, for up to `max` bytes; memory of a call before this one serves again. */
static void hold_begin(struct call *c, size_t max) {
    buf_clear(&c->hold);
    if (c->hold.cap > max) buf_free(&c->hold);
    c->hold.max = max;
}

void relay_head(struct call *c, const struct http_head *h) {
    buf *b = &c->w->text;
    c->answer = arena_new(&c->a, struct answer);
    c->status = h->status;
    str coding = http_get(h, HTTP_CONTENT_ENCODING);
    c->compressed = coding.n && !str_ieq(coding, STR("identity"));
    c->relay_sse = is_event_stream(c, h) && h->status < 300;
    c->strip = c->relay_sse && c->attempt.injected && !c->compressed;
    c->retry_told = http_get(h, HTTP_RETRY_AFTER).n > 0;
    c->input_said = -1;
    if (c->attempt.translated || c->attempt.speaks == CHAT_BEDROCK) bedrock_head(c, h);
    buf_clear(b);
    c->list_down &= becomes_stream(c) && !c->compressed;
    c->strip |= c->list_down;
    passed_head(c, h, b);
    if (c->relay_sse) {
        metric_add(&c->w->metrics.streams, 1);
        sse_init(&c->sse, CALL_SSE_EVENT_MAX);
        dialect_stream_begin(c);
        c->strip |= c->attempt.translated;
        send_head(c, h);
        return;
    }
    bool json = str_istarts(http_get(h, HTTP_CONTENT_TYPE), STR("application/json"));
    c->opaque = (c->surface->units || c->surface->stored) && !json && h->status < 300;
    if (c->opaque) { /* sound is played as it comes, and files may be large */
        send_head(c, h);
        return;
    }
    c->state = CALL_HOLD;
    /* A translated answer is rewritten as a whole, however large. */
    hold_begin(c, c->attempt.translated ? c->config->limits.body_max : c->config->limits.hold_max);
    if (h->has_length && h->length > c->hold.max && !c->attempt.translated) {
        send_head(c, h);
        return;
    }
    if (h->has_length && h->length && h->length <= c->hold.max) buf_room(&c->hold, (size_t)h->length);
    c->head_down = arena_str(&c->a, buf_view(b));
}

/* ---- pieces ---- */

static void back_pressure(struct call *c) {
    if (!c->conn || !c->attempt.stream || c->paused || conn_pending(c->conn) < CALL_HIGH_WATER) return;
    c->paused = true;
    ustream_pause(c->attempt.stream);
}

static void send_piece(struct call *c, str piece, bool last) {
    char head[20];
    struct iovec v[3];
    int n = 0;
    if (!c->conn) return;
    if (c->chunked_down) {
        int len = piece.n ? snprintf(head, sizeof head, "%zx\r\n", piece.n) : 0;
        if (piece.n) v[n++] = (struct iovec){head, (size_t)len};
        if (piece.n) v[n++] = (struct iovec){(char *)(uintptr_t)piece.p, piece.n};
        const char *end = piece.n ? (last ? "\r\n0\r\n\r\n" : "\r\n") : (last ? "0\r\n\r\n" : "");
        if (*end) v[n++] = (struct iovec){(char *)(uintptr_t)end, strlen(end)};
    } else if (piece.n) {
        v[n++] = (struct iovec){(char *)(uintptr_t)piece.p, piece.n};
    }
    if (n) conn_send(c->conn, v, n);
    back_pressure(c);
}

/* Reads one event; in strip mode what goes down is gathered in worker.sse. */
static void tap_event(struct call *c, const struct sse_event *ev, buf *replaced) {
    buf *out = &c->w->sse;
    enum tap_verdict v = TAP_PASS;
    if (c->translator) {
        if (!ev->has_data) return;
        dialect_stream_event(c, ev->event, ev->data, c->attempt.translated ? out : replaced);
        if (c->list_down && !c->attempt.translated) dialect_list_item(c, ev->data, out);
        return;
    }
    buf_clear(replaced);
    c->events += ev->has_data;
    if (ev->has_data && c->surface->tap != TAP_NONE)
        v = openai_tap(c->answer, ev->event, ev->data, c->strip && ev->single, c->surface->tap == TAP_RESPONSES,
                       replaced);
    if (!c->strip || v == TAP_DROP) return;
    if (v == TAP_REPLACE) {
        buf_add(out, ev->bytes.p, ev->data_at);
        buf_str(out, buf_view(replaced));
        buf_str(out, str_skip(ev->bytes, ev->data_at + ev->data.n));
    } else {
        buf_str(out, ev->bytes);
    }
}

static void tap_stream(struct call *c, str piece) {
    struct sse_event ev;
    buf replaced;
    buf_init(&replaced, CALL_SSE_EVENT_MAX);
    while (sse_next(&c->sse, &piece, &ev)) tap_event(c, &ev, &replaced);
    buf_free(&replaced);
}

/* The last event, when its blank line ended in a CR that an LF might have followed. */
static void tap_last(struct call *c) {
    struct sse_event ev;
    buf replaced;
    if (c->compressed || !sse_finish(&c->sse, &ev)) return;
    buf_init(&replaced, CALL_SSE_EVENT_MAX);
    tap_event(c, &ev, &replaced);
    buf_free(&replaced);
}

/* The same of AWS's frames; what they say can't be passed on as it is, so there is always a translator. */
static void tap_frames(struct call *c, str piece) {
    struct eventstream_frame f;
    while (eventstream_next(c->frames, &piece, &f)) dialect_stream_event(c, f.event, f.payload, &c->w->sse);
}

static void relay_stream(struct call *c, str piece) {
    buf_clear(&c->w->sse);
    if (c->frames)
        tap_frames(c, piece);
    else if (!c->compressed)
        tap_stream(c, piece);
    if (c->sse.held.failed || (c->frames && c->frames->bad)) {
        attempt_stop(c);
        relay_broken(c, FAULT_STREAM_ERROR,
                     c->frames ? "a frame of the stream is broken" : "an event of the stream is too large");
        return;
    }
    str out = c->strip ? buf_view(&c->w->sse) : piece;
    if (c->answer->done && !c->settled) settle(c);
    if (out.n) send_piece(c, out, false);
}

/* The last part of an answer that flows is kept: its usage stands there. */
static void keep_tail(struct call *c, str piece) {
    buf *tail = &c->hold;
    piece = str_skip(piece, piece.n > CALL_TAIL ? piece.n - CALL_TAIL : 0);
    if (tail->n + piece.n > tail->max) buf_consume(tail, tail->n - CALL_TAIL);
    buf_str(tail, piece);
}

static void flow(struct call *c, str piece) {
    if (c->hold.max != 2 * CALL_TAIL) hold_begin(c, 2 * CALL_TAIL); /* held until now */
    keep_tail(c, piece);
    send_piece(c, piece, false);
}

/* Too large to hold: from here it flows; its cost stands in the ledger only. */
static void stop_holding(struct call *c) {
    buf *b = &c->w->text, held = c->hold;
    buf_clear(b);
    buf_str(b, c->head_down);
    send_head(c, NULL);
    buf_init(&c->hold, 2 * CALL_TAIL);
    flow(c, buf_view(&held));
    buf_free(&held);
}

void relay_data(struct call *c, char *p, size_t n) {
    if (c->state == CALL_HOLD) {
        if (c->hold.n + n <= c->hold.max) {
            buf_add(&c->hold, p, n);
            return;
        }
        if (c->attempt.translated) {
            attempt_stop(c);
            call_fail(c, FAULT_BAD_ANSWER, STR_NONE, "The provider's answer is too large to translate.");
            return;
        }
        stop_holding(c);
    }
    if (c->relay_sse)
        relay_stream(c, str_make(p, n));
    else
        flow(c, str_make(p, n));
}

/* ---- the end ---- */

/* Reads a held answer; one that came compressed all the same is inflated for that only. */
static bool read_answer(struct call *c) {
    buf plain;
    if (!c->compressed) return dialect_answer(c);
    if (c->attempt.translated) return false; /* dray asks for identity */
    buf_init(&plain, CALL_INFLATE_TIMES * c->config->limits.hold_max);
    if (gunzip(buf_view(&c->hold), &plain, NULL))
        openai_answer_read(c->answer, buf_view(&plain));
    else
        c->answer->done = true; /* br, zstd: passed on unread, its usage unknown */
    buf_free(&plain);
    return true;
}

static void end_held(struct call *c) {
    int64_t baseline;
    struct usage_cost cost;
    if (!read_answer(c)) {
        struct chat_error e; /* a provider may say its error with status 200 (Azure's content filter) */
        chat_error_read((enum chat_dialect)c->attempt.speaks, c->status, buf_view(&c->hold), &e, &c->a);
        call_fail(c, FAULT_BAD_ANSWER, STR_NONE, "The answer of " STR_FMT " could not be read: " STR_FMT,
                  STR_ARG(c->attempt.target.name), STR_ARG(e.message));
        return;
    }
    if (c->status < 300 && !c->answer->done)
        c->fault = FAULT_BAD_ANSWER;
    else if (c->status >= 400)
        c->fault = FAULT_UPSTREAM_STATUS;
    buf *b = &c->w->text;
    buf_clear(b);
    buf_str(b, c->head_down);
    c->overhead_us += clock_mono_us() - c->turn_us;
    settle(c);
    if (!c->conn) {
        call_over(c);
        return;
    }
    if (!conn_keep_alive(c->conn)) c->keep = false;
    settle_costs(c, &cost, &baseline);
    if (c->status < 300 && c->answer->usage.source != TOKENS_NONE) {
        header_nano(b, "x-dray-cost-usd", c->spent_nano);
        if (baseline != COST_UNKNOWN && c->spent_nano != COST_UNKNOWN)
            header_nano(b, "x-dray-saved-usd", baseline - c->spent_nano);
    }
    if (c->retry_ms > 0 && c->status >= 400 && !c->retry_told)
        header_u64(b, "retry-after", (uint64_t)(c->retry_ms + 999) / 1000);
    dray_headers(c, b);
    header_u64(b, "content-length", c->hold.n);
    end_head(c, b);
    struct iovec v[2] = {{b->p, b->n}, {c->hold.p, c->hold.n}};
    c->head_sent = true;
    conn_send(c->conn, v, c->hold.n ? 2 : 1);
    settle_checks(c, c->compressed ? STR_NONE : buf_view(&c->hold));
    finish(c);
}

/* Writes the error event that tells a client its stream broke. */
static void error_event(struct call *c, enum fault f, const char *detail, buf *out) {
    char text[256];
    int n = snprintf(text, sizeof text, "The stream broke: %s.", detail);
    buf body;
    buf_init(&body, 4096);
    openai_error_write(&body, fault_row(f)->status, str_from(fault_row(f)->type), str_from(fault_row(f)->name),
                       str_make(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1), STR_NONE);
    if (c->translator) {
        if (c->attempt.translated)
            dialect_stream_end(c, f, text, out);
        else
            dialect_error_event(c, f, text, out);
        buf_free(&body);
        return;
    }
    bool responses = c->surface->tap == TAP_RESPONSES;
    if (responses) { /* an event of the Responses API: its members stand at the top */
        jval error = json_get(json_value_at(body.p, body.p + body.n), STR("error"));
        jval code = json_get(error, STR("code")), message = json_get(error, STR("message"));
        buf_strz(out, "event: error\ndata: {\"type\":\"error\",\"code\":\"");
        buf_str(out, code.raw);
        buf_strz(out, "\",\"message\":\"");
        buf_str(out, message.raw);
        buf_printf(out, "\",\"param\":null,\"sequence_number\":%u}\n\n", c->events);
    } else {
        buf_strz(out, "data: ");
        buf_str(out, str_trim(buf_view(&body)));
        buf_strz(out, "\n\n");
    }
    buf_free(&body);
}

void relay_broken(struct call *c, enum fault f, const char *detail) {
    c->fault = f;
    settle(c);
    settle_checks(c, STR_NONE);
    if (!c->conn) {
        call_over(c);
        return;
    }
    if (c->relay_sse && !c->compressed && !c->answer->error) {
        buf out;
        buf_init(&out, CALL_SSE_EVENT_MAX + 8192);
        if (sse_rest(&c->sse).n && !c->attempt.translated &&
            !c->list_down) { /* a piece of an event: end it, so that the error stands alone */
            if (c->strip) buf_str(&out, sse_rest(&c->sse));
            buf_strz(&out, "\n\n");
        }
        error_event(c, f, detail, &out);
        send_piece(c, buf_view(&out), true);
        buf_free(&out);
        if (!c->chunked_down) c->keep = false;
        finish(c);
        return;
    }
    if (c->relay_sse && c->answer->error && c->chunked_down) { /* the provider told it itself */
        send_piece(c, c->list_down && !c->attempt.translated ? STR("]") : STR_NONE, true);
        finish(c);
        return;
    }
    struct conn *conn = c->conn; /* no way to say it in-band: cut the connection */
    call_over(c);
    conn_abort(conn);
}

/* The provider's stream has ended: what is left to be said goes to worker.sse. Some dialects know only now
 * whether it was whole. False when it wasn't and the client has to be told yet. */
static bool stream_ended(struct call *c) {
    buf *out = &c->w->sse;
    buf_clear(out);
    tap_last(c);
    bool told = c->answer->error;
    if (c->translator)
        dialect_stream_end(c, FAULT_NONE, "", out);
    else if (c->strip)
        buf_str(out, sse_rest(&c->sse));
    if (!c->attempt.translated) c->answer->error = told; /* what only reads has told nobody */
    bool whole = c->settled || c->answer->done;
    if (c->list_down && !c->attempt.translated && whole) buf_strz(out, c->listed ? "]" : "[]");
    if (c->settled || c->answer->done || c->compressed) return true;
    if (c->surface->tap == TAP_NONE || c->surface->tap == TAP_USAGE) return true;
    c->fault = told ? FAULT_STREAM_ERROR : FAULT_STREAM_UNTERMINATED;
    return c->attempt.translated; /* then the translator has told it */
}

void relay_end(struct call *c) {
    c->ended = true;
    if (c->state == CALL_HOLD) {
        end_held(c);
        return;
    }
    if (c->relay_sse && !stream_ended(c)) {
        relay_broken(c, c->fault, "it ended without its terminator");
        return;
    }
    if (c->status >= 400 && !c->settled) c->fault = FAULT_UPSTREAM_STATUS;
    if (!c->relay_sse && !c->settled && !c->compressed && !c->opaque)
        openai_answer_read_tail(c->answer, buf_view(&c->hold));
    if (!c->settled && (c->surface->units || c->surface->stored))
        units_read((enum units)c->surface->units, STR_NONE, c->asked, c->answer);
    settle(c);
    if (c->relay_sse && c->w->sse.n) send_piece(c, buf_view(&c->w->sse), false);
    send_piece(c, STR_NONE, true);
    settle_checks(c, STR_NONE);
    finish(c);
}
