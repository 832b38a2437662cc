/* chat on real traffic: every recorded exchange goes through every other dialect and back; text, tool calls,
 * stop reason and usage must be what they were. */
#include "chat/chat_int.h"
#include "chat/eventstream.h"
#include "chat/openai.h"
#include "recorded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const names[CHAT_DIALECTS] = {"openai", "responses", "anthropic",
                                                 "gemini", "bedrock",   "cohere"};
static const char *const models[CHAT_DIALECTS] = {
    "gpt-5", "gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro", "anthropic.claude-sonnet-4-5-v1:0", "command-a"};
static const bool clients[CHAT_DIALECTS] = {
    [CHAT_OPENAI] = true, [CHAT_RESPONSES] = true, [CHAT_ANTHROPIC] = true, [CHAT_GEMINI] = true};

struct counts {
    unsigned requests[CHAT_DIALECTS][CHAT_DIALECTS], refused[CHAT_DIALECTS][CHAT_DIALECTS];
    unsigned answers[CHAT_DIALECTS][CHAT_DIALECTS], streams[CHAT_DIALECTS][CHAT_DIALECTS],
        bad[CHAT_DIALECTS][CHAT_DIALECTS];
    unsigned unread, errors, in_band, stored;
};

static bool has(jval root, const char *key) { return json_get(root, str_from(key)).type != J_NONE; }

/* Which dialect a record is in, by its path. */
static enum chat_dialect dialect_of(const struct recorded *r) {
    if (str_ends(r->path, STR("/chat/completions")) && !str_eqz(r->provider, "cohere")) return CHAT_OPENAI;
    if (str_ends(r->path, STR("/responses"))) return CHAT_RESPONSES;
    if (str_ends(r->path, STR("/v1/messages"))) return CHAT_ANTHROPIC;
    if (str_find(r->path, STR(":generateContent")) >= 0 || str_find(r->path, STR(":streamGenerateContent")) >= 0)
        return CHAT_GEMINI;
    if (str_ends(r->path, STR("/converse")) || str_ends(r->path, STR("/converse-stream"))) return CHAT_BEDROCK;
    if (str_ends(r->path, STR("/v2/chat"))) return CHAT_COHERE;
    return CHAT_DIALECTS;
}

/* ---- comparing ---- */

static str text_of(const struct chat_choice *c, arena *a) {
    buf b;
    buf_init(&b, 1 << 24);
    for (const struct chat_part *p = c->parts; p; p = p->next)
        if (p->type == PART_TEXT || p->type == PART_REFUSAL) buf_str(&b, jt_str(p->text, a));
    str out = arena_str(a, buf_view(&b));
    buf_free(&b);
    return out;
}

static bool same_json(jval x, jval y) {
    str k;
    bool esc;
    jval v;
    if (x.type != y.type) return false;
    if (x.type == J_OBJECT) {
        size_t n = 0, m = 0;
        for (jiter it = json_iter(y); json_next(&it, &k, &esc, &v);) m++;
        for (jiter it = json_iter(x); json_next(&it, &k, &esc, &v); n++)
            if (!same_json(v, json_get(y, k))) return false;
        return n == m;
    }
    if (x.type == J_ARRAY) {
        jval w;
        jiter a = json_iter(x), b = json_iter(y);
        for (;;) {
            bool more = json_item(&a, &v);
            if (more != json_item(&b, &w)) return false;
            if (!more) return true;
            if (!same_json(v, w)) return false;
        }
    }
    return str_eq(x.raw, y.raw) || (x.type == J_STRING && x.esc);
}

static bool same_calls(const struct chat_choice *x, const struct chat_choice *y) {
    const struct chat_part *p = x->parts, *q = y->parts;
    for (;;) {
        while (p && p->type != PART_CALL) p = p->next;
        while (q && q->type != PART_CALL) q = q->next;
        if (!p || !q) return !p && !q;
        jval a, b;
        if (!str_eq(p->name.raw, q->name.raw)) return false;
        if (!json_check(p->args, &a, NULL, NULL) || !json_check(q->args, &b, NULL, NULL) || !same_json(a, b))
            return false;
        for (const struct chat_part *o = p->next; o; o = o->next) /* ids can be told apart */
            if (o->type == PART_CALL && str_eq(o->id.raw, p->id.raw)) return false;
        p = p->next;
        q = q->next;
    }
}

/* OTHER has no word in most dialects: it may come back as a plain stop. */
static bool same_finish(uint8_t want, uint8_t got) {
    return want == got || (want == FINISH_OTHER && got == FINISH_STOP);
}

static const char *differs(const struct chat_answer *want, const struct chat_answer *got, arena *a) {
    if (!str_eq(text_of(&want->choice[0], a), text_of(&got->choice[0], a))) return "text";
    if (!same_calls(&want->choice[0], &got->choice[0])) return "calls";
    if (!same_finish(want->choice[0].finish, got->choice[0].finish)) return "finish";
    if (want->usage.source && chat_in(&want->usage) != chat_in(&got->usage)) return "input tokens";
    if (want->usage.source && chat_out(&want->usage) != chat_out(&got->usage)) return "output tokens";
    if (want->usage.source && want->usage.units[USAGE_CACHED_INPUT] + want->usage.units[USAGE_CACHED_AUDIO] !=
                                  got->usage.units[USAGE_CACHED_INPUT] + got->usage.units[USAGE_CACHED_AUDIO])
        return "cached tokens";
    return got->done ? NULL : "end";
}

static void judge(struct counts *c, enum chat_dialect from, enum chat_dialect to, const struct recorded *r,
                  const char *what, const char *bad) {
    if (!bad) return;
    c->bad[from][to]++;
    print_message("%s " STR_FMT " %s -> %s: %s differ\n", what, STR_ARG(r->id), names[from], names[to], bad);
}

/* ---- answers ---- */

static void check_answer(const struct recorded *r, enum chat_dialect from, struct counts *c, arena *a) {
    struct chat_answer want, got;
    jval root;
    if (!chat_answer_read(from, r->body, &want, a)) {
        if (json_check(r->body, &root, NULL, NULL) && !has(root, "error")) {
            c->unread++;
            print_message("unread " STR_FMT " %s: " STR_FMT "\n", STR_ARG(r->id), names[from],
                          STR_ARG(str_take(r->body, 100)));
        }
        return;
    }
    for (enum chat_dialect to = 0; to < CHAT_DIALECTS; to++) {
        if (!clients[to]) continue;
        buf out;
        buf_init(&out, 1 << 26);
        chat_answer_write(to, &want, STR("m"), 7, 1, &out);
        bool read = chat_answer_read(to, buf_view(&out), &got, a);
        judge(c, from, to, r, "answer", read ? differs(&want, &got, a) : "everything");
        c->answers[from][to]++;
        buf_free(&out);
    }
}

/* ---- streams ---- */

static void collect(void *ctx, const struct chat_event *ev) {
    struct chat_event copy = *ev; /* events' views die with their event */
    struct chat_answer *ans = ctx;
    copy.text.raw = arena_str(ans->a, ev->text.raw);
    copy.id.raw = arena_str(ans->a, ev->id.raw);
    copy.name.raw = arena_str(ans->a, ev->name.raw);
    chat_collect(ans, &copy);
}

/* A provider's stream, as SSE text or as frames. */
struct source {
    str rest;
    bool frames;
    struct eventstream es;
};

static struct source source_of(const struct recorded *r) {
    struct source s = {.rest = r->body, .frames = r->eventstream};
    eventstream_init(&s.es);
    return s;
}

static bool source_next(struct source *s, arena *a, str *event, str *data) {
    struct eventstream_frame f;
    if (!s->frames) return recorded_event(&s->rest, a, event, data);
    if (!eventstream_next(&s->es, &s->rest, &f)) {
        assert_false(eventstream_cut(&s->es));
        eventstream_free(&s->es);
        return false;
    }
    *event = arena_str(a, f.event);
    *data = arena_str(a, f.payload);
    return true;
}

/* Reads a whole SSE text with a dialect's reader: the plain way, to compare with. */
static bool read_stream(enum chat_dialect d, struct source from, struct chat_answer *ans, arena *a) {
    const struct chat_ops *ops = chat_ops_of(d);
    struct chat_reader rd = {.ops = ops, .a = a, .scratch = a, .put = collect, .ctx = ans, .block = -1};
    str event, data;
    jval root;
    *ans = (struct chat_answer){.a = a};
    while (source_next(&from, a, &event, &data)) {
        if (str_eq(str_trim(data), STR("[DONE]"))) {
            rd.ended = true;
            continue;
        }
        if (!json_check(data, &root, NULL, NULL) || !ops->read_event(&rd, event, root)) return false;
    }
    if (rd.finish != FINISH_NONE) chat_put_finish(&rd, 0, rd.finish, JT_NONE);
    if (d == CHAT_OPENAI || d == CHAT_GEMINI || d == CHAT_BEDROCK) {
        chat_put_usage(&rd);
        ans->done = rd.ended;
    }
    for (unsigned i = 0; i < ans->choices; i++) {
        struct chat_event end = {.type = CE_FINISH, .choice = (uint16_t)i, .finish = ans->choice[i].finish};
        chat_collect(ans, &end);
    }
    return true;
}

static void translate(enum chat_dialect from, enum chat_dialect to, struct source body, buf *out, arena *a,
                      bool *failed) {
    struct chat_request rq = {.include_usage = true};
    struct chat_stream *s = chat_stream_new(from, to, &rq, STR("m"), 9, 1, a);
    str event, data;
    arena scratch;
    arena_init(&scratch, 4096, 1 << 26);
    while (source_next(&body, a, &event, &data)) {
        buf one;
        buf_init(&one, 1 << 26);
        chat_stream_event(s, event, data, &scratch, &one);
        buf_str(out, buf_view(&one));
        buf_free(&one);
        arena_free(&scratch);
    }
    chat_stream_end(s, NULL, &scratch, out);
    *failed = chat_stream_answer(s)->failed;
    arena_free(&scratch);
    chat_stream_free(s);
}

static void check_stream(const struct recorded *r, enum chat_dialect from, struct counts *c, arena *a) {
    struct chat_answer want, got;
    if (!chat_ops_of(from) || !read_stream(from, source_of(r), &want, a)) {
        c->unread++;
        return;
    }
    if (want.choice[0].finish == FINISH_NONE && want.done)
        want.choice[0].finish =
            want.choice[0].last && want.choice[0].last->type == PART_CALL ? FINISH_TOOLS : FINISH_STOP;
    for (enum chat_dialect to = 0; to < CHAT_DIALECTS; to++) {
        if (!clients[to] || !chat_ops_of(to)) continue;
        buf out;
        bool failed;
        buf_init(&out, 1 << 26);
        translate(from, to, source_of(r), &out, a, &failed);
        bool read = read_stream(to, (struct source){.rest = buf_view(&out)}, &got, a);
        if (want.failed || !want.done) {
            c->in_band++;
            if (!failed || !got.failed) judge(c, from, to, r, "stream", "errors");
        } else {
            judge(c, from, to, r, "stream", read ? differs(&want, &got, a) : "everything");
        }
        c->streams[from][to]++;
        buf_free(&out);
    }
}

/* ---- requests ---- */

static unsigned parts_of(const struct chat_request *r, enum chat_part_type type) {
    unsigned n = 0;
    for (const struct chat_message *m = r->messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next)
            n += p->type == type && (type != PART_TEXT || jt_has(p->text));
    return n;
}

/* All text of one side in a row. */
static str said(const struct chat_request *r, uint8_t role, arena *a) {
    buf b;
    buf_init(&b, 1 << 24);
    for (const struct chat_message *m = r->messages; m; m = m->next)
        for (const struct chat_part *p = m->role == role ? m->parts : NULL; p; p = p->next)
            if (p->type == PART_TEXT) buf_str(&b, jt_str(p->text, a));
    str out = arena_str(a, buf_view(&b));
    buf_free(&b);
    return out;
}

static const char *request_differs(const struct chat_request *x, const struct chat_request *y, arena *a) {
    bool order = x->format == FORMAT_JSON; /* asked for in words of the system prompt */
    bool alone = x->messages && !x->messages->next && x->messages->role == CHAT_SYSTEM;
    if (alone && !str_eq(said(y, CHAT_SYSTEM, a), said(x, CHAT_SYSTEM, a))) /* it became the question */
        return str_eq(said(y, CHAT_USER, a), said(x, CHAT_SYSTEM, a)) ? NULL : "what is asked";
    if (!order && !str_eq(said(x, CHAT_SYSTEM, a), said(y, CHAT_SYSTEM, a))) return "system";
    if (x->messages && x->messages->role != CHAT_ASSISTANT &&
        !str_eq(said(x, CHAT_USER, a), said(y, CHAT_USER, a)))
        return "user text";
    if (!str_eq(said(x, CHAT_ASSISTANT, a), said(y, CHAT_ASSISTANT, a))) return "assistant text";
    if (parts_of(x, PART_CALL) != parts_of(y, PART_CALL)) return "calls";
    if (parts_of(x, PART_RESULT) != parts_of(y, PART_RESULT)) return "results";
    if (x->tool_count != y->tool_count) return "tools";
    bool may = x->tool_choice == TOOLS_UNSAID && y->tool_choice == TOOLS_AUTO; /* the default, said */
    if (x->tools && x->tool_choice != y->tool_choice && !may) return "tool choice";
    if (x->format == FORMAT_SCHEMA && y->format != FORMAT_SCHEMA) return "schema";
    return NULL;
}

/* Facts through the middle model are those that the body's own walk finds. */
static void check_facts(const struct recorded *r, const struct chat_request *q, arena *a) {
    struct facts direct = {0}, middle = {0};
    struct prompt p1, p2;
    jscan s;
    json_scan_init(&s, a);
    if (json_scan(&s, r->request, true) != JSON_DONE) return;
    openai_facts(&s, r->request, &direct, &p1);
    chat_facts(q, &middle, &p2);
    assert_int_equal(direct.input_length, middle.input_length);
    assert_int_equal(direct.input_tokens, middle.input_tokens);
    assert_true(direct.tool_count >= middle.tool_count); /* the provider's own tools have no place in the middle */
    assert_int_equal(direct.output_tokens, middle.output_tokens);
    assert_int_equal(direct.schema, middle.schema);
    assert_int_equal(direct.vision, middle.vision);
    assert_int_equal(p1.agent_step, p2.agent_step);
    assert_int_equal(p1.user_count, p2.user_count);
    assert_int_equal(p1.history_count, p2.history_count);
}

static void check_request(const struct recorded *r, enum chat_dialect from, struct counts *c, arena *a) {
    struct chat_request q, back;
    str param;
    err e;
    if (!r->request.n) return;
    if (!chat_request_read(from, r->request, STR_NONE, false, &q, a, &param, &e)) {
        bool stored = from == CHAT_RESPONSES && (str_find(r->request, STR("previous_response_id")) >= 0 ||
                                                 str_find(r->request, STR("\"conversation\"")) >= 0);
        if (r->status == 200 && !stored)
            print_message("request " STR_FMT " %s: %s\n", STR_ARG(r->id), names[from], e.msg);
        c->stored += stored;
        assert_true(r->status != 200 || stored);
        return;
    }
    if (from == CHAT_OPENAI) check_facts(r, &q, a);
    for (enum chat_dialect to = 0; to < CHAT_DIALECTS; to++) {
        if (to == from || !chat_ops_of(to)) continue;
        struct chat_target target = {to, str_from(names[to]), str_from(models[to])};
        struct chat_account acc;
        buf out;
        jval root;
        buf_init(&out, 1 << 26);
        c->requests[from][to]++;
        if (!chat_request_write(&q, &target, TRANSLATION_STRICT, &acc, &out, &param, &e)) c->refused[from][to]++;
        buf_clear(&out);
        bool written = chat_request_write(&q, &target, TRANSLATION_DROP, &acc, &out, &param, &e);
        assert_true(written && json_check(buf_view(&out), &root, NULL, NULL));
        if (chat_ops_of(to)->read_request && r->status == 200) {
            bool read = chat_request_read(to, buf_view(&out), STR_NONE, false, &back, a, &param, &e);
            if (!read) print_message("%s\n", e.msg);
            judge(c, from, to, r, "request", read ? request_differs(&q, &back, a) : "everything");
        }
        buf_free(&out);
    }
}

static void each(void *ctx, const struct recorded *r) {
    struct counts *c = ctx;
    enum chat_dialect from = dialect_of(r);
    arena a;
    if (from == CHAT_DIALECTS || !chat_ops_of(from)) return;
    arena_init(&a, 1 << 16, (size_t)1 << 30);
    if (chat_ops_of(from)->read_request) check_request(r, from, c, &a);
    if (r->status != 200) {
        struct chat_error e;
        chat_error_read(from, r->status, r->body, &e, &a);
        assert_true(e.message.n > 0 && e.status == r->status);
        c->errors++;
    } else if (r->sse || r->eventstream) {
        check_stream(r, from, c, &a);
    } else {
        check_answer(r, from, c, &a);
    }
    arena_free(&a);
}

static void test_recorded(void **state) {
    (void)state;
    static struct counts c;
    unsigned bad = 0;
    if (!recorded_each(each, &c)) skip();
    for (unsigned f = 0; f < CHAT_DIALECTS; f++)
        for (unsigned t = 0; t < CHAT_DIALECTS; t++) {
            bad += c.bad[f][t];
            if (c.requests[f][t] + c.answers[f][t] + c.streams[f][t])
                print_message("%-9s %-9s requests %4u (strict refuses %3u), answers %4u, streams %3u, bad %u\n",
                              names[f], names[t], c.requests[f][t], c.refused[f][t], c.answers[f][t],
                              c.streams[f][t], c.bad[f][t]);
        }
    print_message("%u errors read, %u cut or failed streams told, %u unread, %u refused as stored\n", c.errors,
                  c.in_band, c.unread, c.stored);
    assert_int_equal(bad, 0);
    assert_int_equal(c.unread, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
