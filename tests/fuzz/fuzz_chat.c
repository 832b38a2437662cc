/* Conversations in every dialect: whatever comes in, what goes out is JSON (and SSE lines of JSON), or a refusal.
 * The first three bytes say what is read, from which dialect and to which. */
#include "chat/chat.h"
#include "chat/eventstream.h"
#include "chat/gemini_embed.h"
#include "fuzz.h"

enum { REQUEST, ANSWER, STREAM, ERROR, FRAMES, CLEAN, WAYS };

static void must_be_json(const buf *b) {
    jval root;
    MUST(b->failed || json_check(buf_view(b), &root, NULL, NULL));
}

/* Every data line is one JSON document, or [DONE]. */
static void must_be_sse(const buf *b) {
    str rest = buf_view(b), line;
    jval root;
    if (b->failed || !b->n) return;
    while (rest.n && str_cut(&rest, '\n', &line)) {
        line = str_trim(line);
        if (!line.n || str_starts(line, STR("event: ")) || str_eq(line, STR("data: [DONE]"))) continue;
        MUST(str_starts(line, STR("data: ")) && json_check(str_skip(line, 6), &root, NULL, NULL));
    }
}

static void request(enum chat_dialect from, enum chat_dialect to, str text, arena *a, buf *out) {
    static const char *const models[] = {
        "gpt-5", "gpt-5", "claude-opus-5", "gemini-3-pro", "anthropic.claude-v1", "command-a"};
    struct chat_request r;
    struct chat_account acc;
    struct facts f = {0};
    struct prompt p;
    str param;
    err e = {{0}};
    if (!chat_request_read(from, text, STR_NONE, false, &r, a, &param, &e)) {
        MUST(e.msg[0]);
        return;
    }
    chat_facts(&r, &f, &p);
    struct chat_target target = {to, STR("mistral"), str_from(models[to])};
    bool strict = chat_request_write(&r, &target, TRANSLATION_STRICT, &acc, out, &param, &e);
    MUST(strict || param.n || out->failed);
    buf_clear(out);
    chat_request_write(&r, &target, TRANSLATION_DROP, &acc, out, &param, &e);
    must_be_json(out);
}

static void answer(enum chat_dialect from, enum chat_dialect to, str text, arena *a, buf *out) {
    struct chat_answer ans;
    if (!chat_answer_read(from, text, &ans, a)) return;
    chat_answer_write(to, &ans, STR("m"), 1, 2, out);
    must_be_json(out);
}

static void one_event(struct chat_stream *s, str event, str data, buf *out) {
    arena scratch;
    arena_init(&scratch, 512, 1 << 22);
    buf_clear(out);
    chat_stream_event(s, event, data, &scratch, out);
    must_be_sse(out);
    arena_free(&scratch);
}

/* Events are lines: name, tab, data. */
static void stream(enum chat_dialect from, enum chat_dialect to, str text, bool frames, arena *a, buf *out) {
    struct chat_request r = {.include_usage = true};
    struct chat_stream *s = chat_stream_new(from, to, &r, STR("m"), 1, 2, a);
    str line, name;
    if (frames) {
        struct eventstream es;
        struct eventstream_frame f;
        eventstream_init(&es);
        while (eventstream_next(&es, &text, &f)) one_event(s, f.event, f.payload, out);
        eventstream_free(&es);
    } else {
        while (text.n && str_cut(&text, '\n', &line)) {
            if (str_cut(&line, '\t', &name)) one_event(s, name, line, out);
        }
    }
    buf_clear(out);
    chat_stream_end(s, NULL, a, out);
    must_be_sse(out);
    MUST(chat_stream_answer(s)->done || chat_stream_answer(s)->failed);
    for (unsigned i = 0; i < USAGE_CLASSES; i++) MUST(chat_stream_answer(s)->usage.units[i] >= 0);
    chat_stream_free(s);
}

static void error(enum chat_dialect from, enum chat_dialect to, str text, arena *a, buf *out) {
    struct chat_error e;
    chat_error_read(from, 400, text, &e, a);
    MUST(e.message.n);
    chat_error_write(to, &e, out);
    must_be_json(out);
}

/* What passes in the client's own dialect: JSON stays JSON, and once clean stays clean. */
static void clean(enum chat_dialect d, str text, arena *a, buf *out) {
    jscan s;
    buf again;
    struct facts f = {0};
    struct prompt p;
    buf_init(&again, 1 << 24);
    bool json = json_check(text, NULL, NULL, NULL), cleaned = chat_clean(d, text, out);
    MUST(!cleaned || json);
    if (cleaned) must_be_json(out);
    json_scan_init(&s, a);
    if (json_scan(&s, text, true) == JSON_DONE && json_root(&s, text).type == J_OBJECT) {
        gemini_embed_facts(&s, text, &f, &p);
        if (gemini_rename(&s, text, STR("new \"model"), a, &again)) must_be_json(&again);
    }
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (n < 3 || n > 1 << 16) return 0;
    enum chat_dialect from = p[1] % CHAT_DIALECTS, to = p[2] % CHAT_DIALECTS, client = p[2] % CHAT_BEDROCK;
    str text = {(const char *)p + 3, n - 3};
    arena a;
    buf out;
    arena_init(&a, 1024, 1 << 26);
    buf_init(&out, 1 << 24);
    switch (p[0] % WAYS) {
    case REQUEST: request(p[1] % CHAT_BEDROCK, to, text, &a, &out); break;
    case ANSWER: answer(from, client, text, &a, &out); break;
    case STREAM: stream(from, client, text, false, &a, &out); break;
    case ERROR: error(from, client, text, &a, &out); break;
    case CLEAN: clean(from, text, &a, &out); break;
    default: stream(CHAT_BEDROCK, client, text, true, &a, &out);
    }
    buf_free(&out);
    arena_free(&a);
    return 0;
}
