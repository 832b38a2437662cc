/* chat: the table of dialects and the roads through them. */
#include "chat/chat.h"

#include "base/hash.h"
#include "chat/chat_int.h"

static const struct chat_ops *const ops[CHAT_DIALECTS] = {
    [CHAT_OPENAI] = &chat_openai_ops,       [CHAT_RESPONSES] = &chat_responses_ops,
    [CHAT_ANTHROPIC] = &chat_anthropic_ops, [CHAT_GEMINI] = &chat_gemini_ops,
    [CHAT_BEDROCK] = &chat_bedrock_ops,     [CHAT_COHERE] = &chat_cohere_ops,
};

const struct chat_ops *chat_ops_of(enum chat_dialect d) { return ops[d]; }

/* ---- requests ---- */

/* A provider's own tool (a web search) that is offered beside functions is one way among others: a call
 * can go without it, told in the account. Where it is all that is offered, it was the point. */
static void spare_tools(struct chat_request *r) {
    for (struct chat_lost *l = r->lost.first; l; l = l->next)
        if (str_starts(l->field, STR("tools."))) l->meaning = false;
}

bool chat_request_read(enum chat_dialect d, str body, str model, bool stream, struct chat_request *r, arena *a,
                       str *param, err *e) {
    jval root;
    const char *error;
    size_t at;
    *param = STR_NONE;
    *r = (struct chat_request){
        .dialect = (uint8_t)d, .a = a, .lost = {.a = a}, .parallel = -1, .schema_strict = -1};
    if (!json_check(body, &root, &error, &at)) return fail(e, "The body is not JSON: %s at byte %zu.", error, at);
    if (!ops[d]->read_request) return fail(e, "dray speaks %s to providers only.", ops[d]->name);
    r->stream = stream;
    if (!ops[d]->read_request(r, root, param, e)) return false;
    if (r->tool_count) spare_tools(r);
    for (struct chat_message *m = r->messages; m; m = m->next) chat_plain_files(a, m->parts);
    if (model.n) r->model = jt_plain(a, model);
    if (r->message_count > CHAT_MESSAGES_MAX) return fail(e, "More than %d messages.", CHAT_MESSAGES_MAX);
    return true;
}

/* A conversation of system messages only is legal in OpenAI's dialects and nowhere else: the last one is the
 * question. The request that was read stays as it is. */
static void ask_somebody(struct chat_request *r, struct chat_account *acc) {
    for (const struct chat_message *m = r->messages; m; m = m->next)
        if (m->role != CHAT_SYSTEM) return;
    if (!r->last) return;
    struct chat_message **at = &r->messages;
    for (const struct chat_message *m = r->messages; m; m = m->next, at = &(*at)->next) {
        *at = arena_new(r->a, struct chat_message);
        **at = *m;
        r->last = *at;
    }
    r->last->role = CHAT_USER;
    chat_lose(acc, false, "role of the last system message");
}

/* What the model can't do, whatever is asked of it: more output than it has, thinking. */
static void fit_model(struct chat_request *r, const struct chat_target *to, struct chat_account *acc) {
    const struct provider_kind *k = provider_kind_find(to->kind);
    const struct model_info *m = k && k->catalog ? catalog_model(str_from(k->catalog), to->model) : NULL;
    if (!m) return;
    if (m->max_output && r->max_tokens > (int64_t)m->max_output) {
        chat_lose(acc, false, "output limit above %u", m->max_output);
        r->max_tokens = m->max_output;
    }
    if (m->flags & MODEL_REASONING || r->effort == EFFORT_UNSAID) return;
    if (r->effort > EFFORT_OFF) chat_lose(acc, false, "thinking (the model does not think)");
    r->effort = EFFORT_UNSAID;
    r->budget = 0;
    r->show_thinking = false;
}

/* What only OpenAI's dialects have a place for, and is nowhere a reason to refuse. */
static void lose_details(const struct chat_request *r, enum chat_dialect to, struct chat_account *acc) {
    bool openai = to == CHAT_OPENAI || to == CHAT_RESPONSES;
    for (const struct chat_message *m = r->messages; m; m = m->next) {
        if (jt_has(m->name) && to != CHAT_OPENAI) chat_lose(acc, false, "messages.name");
        for (const struct chat_part *p = m->parts; p && !openai; p = p->next)
            if (p->type == PART_IMAGE && jt_has(p->detail) && !jt_is(p->detail, STR("auto")))
                chat_lose(acc, false, "image_url.detail");
    }
    for (const struct chat_tool *t = r->tools; t && !openai && to != CHAT_ANTHROPIC; t = t->next)
        if (t->strict == 1) chat_lose(acc, false, "tools.strict");
    bool goes_on = r->dialect == CHAT_ANTHROPIC || r->dialect == CHAT_GEMINI; /* with the words it is given */
    if (goes_on && (openai || to == CHAT_COHERE) && r->last && r->last->role == CHAT_ASSISTANT)
        chat_lose(acc, false, "prefill");
    if (r->logprobs && r->dialect != CHAT_OPENAI) chat_lose(acc, true, "logprobs"); /* its answers have no place */
}

bool chat_request_write(const struct chat_request *asked, const struct chat_target *to, enum chat_translation mode,
                        struct chat_account *acc, buf *out, str *param, err *e) {
    struct chat_request copy = *asked, *r = &copy;
    jw w;
    *acc = (struct chat_account){.a = r->a};
    for (const struct chat_lost *l = r->lost.first; l; l = l->next)
        chat_lose(acc, l->meaning, STR_FMT, STR_ARG(l->field));
    if (to->dialect != CHAT_OPENAI && to->dialect != CHAT_RESPONSES) ask_somebody(r, acc);
    fit_model(r, to, acc);
    lose_details(r, to->dialect, acc);
    jw_init(&w, out);
    ops[to->dialect]->write_request(r, to, acc, &w);
    str lost = chat_lost_meaning(acc);
    if (mode == TRANSLATION_STRICT && lost.n) {
        *param = lost;
        return fail(e,
                    "Unsupported parameter: '" STR_FMT "' cannot be carried from %s to %s (translation: strict).",
                    STR_ARG(lost), ops[r->dialect]->name, ops[to->dialect]->name);
    }
    return !out->failed;
}

/* ---- events ---- */

void chat_put(struct chat_reader *r, struct chat_event ev) { r->put(r->ctx, &ev); }

void chat_put_start(struct chat_reader *r, jtext id, jtext model) {
    if (r->started) return;
    r->started = true;
    chat_put(r, (struct chat_event){.type = CE_START, .id = id, .name = model});
}

void chat_put_text(struct chat_reader *r, enum chat_event_type type, unsigned choice, jtext text) {
    if (choice >= CHAT_CHOICES_MAX || !jt_has(text)) return;
    chat_put(r, (struct chat_event){.type = (uint8_t)type, .choice = (uint16_t)choice, .text = text});
}

int chat_put_call(struct chat_reader *r, unsigned choice, uint32_t index, jtext id, jtext name, jtext signature) {
    if (choice >= CHAT_CHOICES_MAX || r->calls[choice] >= CHAT_CALLS_MAX) return -1;
    uint16_t call = r->calls[choice]++;
    if (choice == 0) {
        r->open[call] = index;
        r->open_id[call] = (uint32_t)fingerprint(id.raw);
    }
    if (!jt_has(id)) id = chat_mint_id(r->a, "call_", r->seed, choice * (uint64_t)CHAT_CALLS_MAX + call);
    chat_put(r, (struct chat_event){.type = CE_CALL,
                                    .choice = (uint16_t)choice,
                                    .call = call,
                                    .id = id,
                                    .name = name,
                                    .signature = signature});
    return call;
}

void chat_put_args(struct chat_reader *r, unsigned choice, unsigned call, jtext text) {
    if (!jt_has(text)) return;
    if (choice == 0) r->has_args[call] = true;
    chat_put(
        r, (struct chat_event){.type = CE_ARGS, .choice = (uint16_t)choice, .call = (uint16_t)call, .text = text});
}

int chat_call_at(const struct chat_reader *r, uint32_t index) {
    for (int i = r->calls[0] - 1; i >= 0; i--)
        if (r->open[i] == index) return i;
    return -1;
}

/* Calls imply the reason, whatever the provider says (Gemini says STOP, OpenAI too when forced). */
void chat_put_finish(struct chat_reader *r, unsigned choice, enum finish f, jtext stop) {
    if (choice >= CHAT_CHOICES_MAX) return;
    if (r->calls[choice] && (f == FINISH_STOP || f == FINISH_OTHER || f == FINISH_NONE)) f = FINISH_TOOLS;
    chat_put(
        r, (struct chat_event){.type = CE_FINISH, .choice = (uint16_t)choice, .finish = (uint8_t)f, .text = stop});
}

void chat_put_usage(struct chat_reader *r) {
    chat_put(r, (struct chat_event){.type = CE_USAGE, .usage = &r->usage});
}

void chat_put_error(struct chat_reader *r, const struct chat_error *e) {
    r->failed = true;
    chat_put(r, (struct chat_event){.type = CE_ERROR, .error = e});
}

/* ---- whole answers ---- */

static void collect(void *ctx, const struct chat_event *ev) { chat_collect(ctx, ev); }

bool chat_answer_read(enum chat_dialect d, str body, struct chat_answer *ans, arena *a) {
    jval root;
    *ans = (struct chat_answer){.a = a};
    if (!json_check(body, &root, NULL, NULL) || root.type != J_OBJECT) return false;
    struct chat_reader r = {.ops = ops[d], .a = a, .scratch = a, .put = collect, .ctx = ans, .block = -1};
    r.seed = 0;
    for (size_t i = 0; i < body.n && i < 512; i++) r.seed = r.seed * 31 + (unsigned char)body.p[i];
    return ops[d]->read_answer(&r, root) && !ans->failed;
}

void chat_answer_write(enum chat_dialect d, const struct chat_answer *ans, str model, uint64_t seed,
                       int64_t created, buf *out) {
    jw w;
    jw_init(&w, out);
    ops[d]->write_answer(ans, model, seed, created, &w);
}

static struct chat_part *collect_part(struct chat_answer *ans, struct chat_choice *c, enum chat_part_type type) {
    return chat_part_add(ans->a, &c->parts, &c->last, type);
}

/* Appends to the newest part when it is of the same kind. */
static void collect_text(struct chat_answer *ans, struct chat_choice *c, enum chat_part_type type,
                         const struct chat_event *ev) {
    struct chat_part *p = c->last;
    if (!p || p->type != type || p->redacted || ev->redacted || jt_has(p->signature)) {
        p = collect_part(ans, c, type);
        p->text = ev->text;
        p->redacted = ev->redacted;
        return;
    }
    char *grown = arena_alloc(ans->a, p->text.raw.n + ev->text.raw.n);
    memcpy(grown, p->text.raw.p, p->text.raw.n);
    memcpy(grown + p->text.raw.n, ev->text.raw.p, ev->text.raw.n);
    p->text.raw = str_make(grown, p->text.raw.n + ev->text.raw.n);
}

static struct chat_part *collect_call(struct chat_choice *c, unsigned number) {
    unsigned i = 0;
    for (struct chat_part *p = c->parts; p; p = p->next)
        if (p->type == PART_CALL && i++ == number) return p;
    return NULL;
}

static void collect_args(struct chat_answer *ans, struct chat_choice *c, const struct chat_event *ev) {
    struct chat_part *p = collect_call(c, ev->call);
    if (!p) return;
    p->text.raw = arena_printf(ans->a, STR_FMT STR_FMT, STR_ARG(p->text.raw), STR_ARG(ev->text.raw));
}

static void collect_choice(struct chat_answer *ans, struct chat_choice *c, const struct chat_event *ev) {
    struct chat_part *p;
    switch (ev->type) {
    case CE_TEXT: collect_text(ans, c, PART_TEXT, ev); break;
    case CE_REFUSAL: collect_text(ans, c, PART_REFUSAL, ev); break;
    case CE_THINKING: collect_text(ans, c, PART_THINKING, ev); break;
    case CE_SIGNATURE:
        p = c->last && c->last->type == PART_THINKING && !jt_has(c->last->signature)
                ? c->last
                : collect_part(ans, c, PART_THINKING);
        p->signature = ev->text;
        break;
    case CE_CALL:
        p = collect_part(ans, c, PART_CALL);
        p->id = ev->id;
        p->name = ev->name;
        p->signature = ev->signature;
        break;
    case CE_ARGS: collect_args(ans, c, ev); break;
    case CE_MEDIA:
        p = collect_part(ans, c, ev->part->type);
        struct chat_part *next = p->next;
        *p = *ev->part;
        p->next = next;
        break;
    case CE_LOGPROBS: c->logprobs = ev->json; break;
    case CE_FINISH:
        c->finish = ev->finish;
        c->stop = ev->text;
        for (p = c->parts; p; p = p->next)
            if (p->type == PART_CALL) p->args = chat_args(ans->a, p->text);
        break;
    default: break;
    }
}

static void count_text(struct chat_answer *ans, const struct chat_event *ev) {
    if (ev->type == CE_TEXT || ev->type == CE_REFUSAL || ev->type == CE_THINKING || ev->type == CE_ARGS)
        tokens_add(&ans->text, ev->text.raw, true);
}

void chat_collect(struct chat_answer *ans, const struct chat_event *ev) {
    count_text(ans, ev);
    switch (ev->type) {
    case CE_START:
        ans->id = ev->id;
        ans->model = ev->name;
        break;
    case CE_USAGE: ans->usage = *ev->usage; break;
    case CE_END: ans->done = true; break;
    case CE_ERROR:
        ans->failed = true;
        ans->error = *ev->error;
        break;
    default:
        if (ev->choice >= CHAT_CHOICES_MAX) return;
        if (ev->choice >= ans->choices) ans->choices = ev->choice + 1u;
        collect_choice(ans, &ans->choice[ev->choice], ev);
    }
}

/* ---- streams ---- */

struct chat_stream {
    struct chat_reader reader;
    struct chat_writer writer;
    struct chat_sequence sequence; /* in use where `to` is sequential */
    const struct chat_ops *to;
    struct chat_answer told;
};

/* Each event goes to the client's writer; what it tells is kept. */
static void stream_put(void *ctx, const struct chat_event *ev) {
    struct chat_stream *s = ctx;
    struct chat_answer *told = &s->told;
    struct chat_choice *first = &told->choice[0];
    if (told->done || told->failed) return; /* nothing comes behind the end */
    if (ev->type == CE_END && first->finish == FINISH_NONE)
        chat_put_finish(&s->reader, 0, s->reader.finish == FINISH_NONE ? FINISH_STOP : s->reader.finish, JT_NONE);
    /* A call without arguments: clients parse them all the same. Dialects with one block at a time see to it. */
    if (ev->type == CE_CALL_END && ev->choice == 0 && s->to && !s->to->sequential && !s->reader.has_args[ev->call])
        chat_put_args(&s->reader, 0, ev->call, JT("{}"));
    count_text(told, ev);
    if (ev->type == CE_USAGE) told->usage = s->writer.usage = *ev->usage, s->writer.has_usage = true;
    if (ev->type == CE_FINISH && ev->choice == 0) first->finish = ev->finish;
    if (ev->type == CE_TEXT || ev->type == CE_CALL || ev->type == CE_THINKING || ev->type == CE_REFUSAL)
        told->choices = 1;
    if (ev->type == CE_END) told->done = true;
    if (ev->type == CE_ERROR) told->failed = true;
    if (!s->to) return;
    if (!s->to->sequential) {
        s->to->write_event(&s->writer, ev);
    } else if (!chat_sequence_put(&s->sequence, ev)) {
        struct chat_error mixed = {.status = 502, .type = STR("server_error"), .retry_ms = -1};
        mixed.message = STR("The provider mixes its tool calls in a way that this dialect can't tell.");
        told->done = false;
        chat_put_error(&s->reader, &mixed);
    }
}

struct chat_stream *chat_stream_new(enum chat_dialect from, enum chat_dialect to, const struct chat_request *r,
                                    str model, uint64_t seed, int64_t created, arena *a) {
    struct chat_stream *s = arena_new(a, struct chat_stream);
    s->to = to == CHAT_DIALECTS ? NULL : ops[to];
    s->reader = (struct chat_reader){.ops = ops[from],
                                     .a = a,
                                     .put = stream_put,
                                     .ctx = s,
                                     .seed = seed,
                                     .block = -1,
                                     .tap = to == CHAT_DIALECTS};
    s->writer =
        (struct chat_writer){.a = a, .model = model, .seed = seed, .created = created, .request = r, .open = -1};
    s->sequence = (struct chat_sequence){.ops = s->to, .writer = &s->writer};
    arena_init(&s->sequence.a, 4096, CHAT_STREAM_KEPT);
    s->writer.include_usage = !r || r->include_usage;
    buf_init(&s->writer.text, CHAT_STREAM_KEPT);
    buf_init(&s->writer.items, CHAT_STREAM_KEPT);
    return s;
}

void chat_stream_list(struct chat_stream *s) { s->writer.list = true; }

bool chat_stream_event(struct chat_stream *s, str event, str data, arena *scratch, buf *out) {
    jval root;
    s->writer.out = out;
    s->reader.scratch = scratch;
    if (s->told.done || s->told.failed) return !s->told.failed;
    if (s->reader.ops->done_marker && str_eq(str_trim(data), STR("[DONE]"))) {
        s->reader.ended = true;
        chat_stream_end(s, NULL, scratch, out);
        return !s->told.failed;
    }
    if (json_check(data, &root, NULL, NULL) && root.type == J_OBJECT &&
        s->reader.ops->read_event(&s->reader, event, root))
        return !s->told.failed;
    struct chat_error bad = {.status = 502,
                             .type = STR("server_error"),
                             .message = STR("The provider sent an event that can't be read."),
                             .retry_ms = -1};
    chat_put_error(&s->reader, &bad);
    return false;
}

void chat_stream_end(struct chat_stream *s, const struct chat_error *e, arena *scratch, buf *out) {
    s->writer.out = out;
    s->reader.scratch = scratch;
    if (s->told.done || s->told.failed) return;
    if (s->reader.usage.source != TOKENS_NONE) s->told.usage = s->reader.usage; /* also of a stream that broke */
    if (!e && s->reader.ended && s->reader.started) {
        if (s->reader.usage.source != TOKENS_NONE) chat_put_usage(&s->reader);
        chat_put(&s->reader, (struct chat_event){.type = CE_END});
        return;
    }
    struct chat_error cut = {.status = 502,
                             .type = STR("server_error"),
                             .message = STR("The provider's stream ended before the answer was complete."),
                             .retry_ms = -1};
    chat_put_error(&s->reader, e ? e : &cut);
}

void chat_stream_whole(struct chat_stream *s, str body, arena *scratch, buf *out) {
    jval root;
    s->writer.out = out;
    s->reader.scratch = scratch;
    bool read = json_check(body, &root, NULL, NULL) && root.type == J_OBJECT;
    if (!read || !s->reader.ops->read_answer(&s->reader, root)) chat_stream_end(s, NULL, scratch, out);
}

const struct chat_answer *chat_stream_answer(const struct chat_stream *s) { return &s->told; }

void chat_stream_free(struct chat_stream *s) {
    buf_free(&s->writer.text);
    buf_free(&s->writer.items);
    arena_free(&s->sequence.a);
}

void frame_begin(struct chat_writer *w, const char *event, jw *j) {
    if (event) {
        buf_strz(w->out, "event: ");
        buf_strz(w->out, event);
        buf_char(w->out, '\n');
    }
    buf_strz(w->out, "data: ");
    jw_init(j, w->out);
}

void frame_end(struct chat_writer *w) { buf_strz(w->out, "\n\n"); }

/* ---- errors ---- */

void chat_error_read(enum chat_dialect d, int status, str body, struct chat_error *out, arena *a) {
    jval root;
    *out = (struct chat_error){.status = status, .retry_ms = -1};
    if (json_check(body, &root, NULL, NULL)) {
        jval first;
        jiter it = json_iter(root);
        if (root.type == J_ARRAY && json_item(&it, &first)) root = first; /* Gemini's OpenAI endpoint wraps it */
        ops[d]->read_error(out, root, a);
    }
    if (!out->message.n) {
        str text = str_trim(str_take(body, 512));
        bool html = str_starts(text, STR("<"));
        out->message = text.n && !html ? arena_str(a, text)
                                       : arena_printf(a, "The provider answered with status %d.", status);
    }
}

void chat_error_write(enum chat_dialect d, const struct chat_error *e, buf *out) {
    jw w;
    jw_init(&w, out);
    ops[d]->write_error(e, &w);
}
