/* dialect: see dialect.h. */
#include "gateway/dialect.h"

#include "base/log.h"
#include "chat/gemini_embed.h"
#include "gateway/counter.h"
#include "gateway/gateway.h"

enum { TRANSLATED_MAX = 64 << 20, SCRATCH_FIRST = 4096, SCRATCH_MAX = 64 << 20, DROPPED_MAX = 8192 };

static bool has_dialect(const struct surface *s) { return s && s->chat >= 0; }
bool dialect_is_foreign(const struct surface *s) {
    return has_dialect(s) && s->chat != CHAT_OPENAI && s->chat != CHAT_RESPONSES;
}

/* ---- the request ---- */

bool dialect_read(struct call *c) {
    struct call_request *r = c->r;
    err e;
    str param = STR_NONE;
    if (r->has_chat) return true;
    r->has_chat = true;
    if (chat_request_read((enum chat_dialect)c->surface->chat, buf_view(&r->body), r->path_model,
                          c->surface->path_stream, &r->chat, &r->a, &param, &e))
        return true;
    call_fail(c, FAULT_BAD_REQUEST, param, "%s", e.msg);
    return false;
}

static bool is_claude(str model) { return str_starts(model, STR("claude")); }

/* A provider is spoken to in its own dialect: its compatible endpoint, where it has one, knows less. Some of
 * OpenAI's models are at /v1/responses only. */
static int spoken_to(const struct call *c, const struct provider *p) {
    int client = c->surface->chat;
    switch (p->kind->native) {
    case DIALECT_ANTHROPIC: return CHAT_ANTHROPIC;
    case DIALECT_GEMINI:
        return p->kind->auth == AUTH_GOOGLE && is_claude(c->attempt.target.model) ? CHAT_ANTHROPIC : CHAT_GEMINI;
    case DIALECT_BEDROCK: return CHAT_BEDROCK;
    case DIALECT_COHERE: return CHAT_COHERE;
    default:
        return p->kind->responses && (client == CHAT_RESPONSES || c->attempt.target.flags & MODEL_RESPONSES)
                   ? CHAT_RESPONSES
                   : CHAT_OPENAI;
    }
}

static bool same_dialect(const struct provider_kind *k, int chat) {
    return (chat == CHAT_ANTHROPIC && k->native == DIALECT_ANTHROPIC) ||
           (chat == CHAT_GEMINI && k->native == DIALECT_GEMINI);
}

/* alt=sse among the parameters of a query. */
static bool wants_events(str query) {
    for (str rest = query, part; str_cut(&rest, '&', &part);)
        if (str_eqz(part, "alt=sse")) return true;
    return false;
}

void dialect_choose(struct call *c) {
    struct attempt *t = &c->attempt;
    const struct surface *s = c->surface;
    t->speaks = -1;
    t->translated = t->native = false;
    c->dropped = STR_NONE;
    if (embeds_choose(c)) return;
    if (has_dialect(s)) {
        t->speaks = (int8_t)spoken_to(c, t->provider);
        t->translated = t->speaks != s->chat;
        t->native = t->speaks == CHAT_ANTHROPIC || t->speaks == CHAT_GEMINI;
        struct provider_quirks q = provider_quirks(t->provider->kind);
        t->rewritten = t->speaks == CHAT_OPENAI && !t->translated &&
                       chat_quirks_refuse(&q, &c->r->scan, buf_view(&c->r->body));
        c->list_down = s->path_stream && !wants_events(c->r->query);
    } else if (s->dialect == DIALECT_OPENAI) {
        t->translated = t->provider->kind->dialect != DIALECT_OPENAI;
    } else if (s->dialect == DIALECT_GEMINI) { /* embeddings: passed on as they are, or not at all */
        t->native = t->provider->kind->native == DIALECT_GEMINI;
        t->translated = !t->native;
    }
}

/* Field by field what this target cannot carry: for the client's head, the ledger and, on `warn`, the log. */
static void account(struct call *c, struct chat_account *lost) {
    buf list;
    if (c->attempt.speaks != CHAT_ANTHROPIC)
        for (unsigned i = 0; i < c->r->kept_count; i++)
            if (str_eqz(c->r->kept[i].name, "anthropic-beta")) chat_lose(lost, false, "anthropic-beta");
    buf_init(&list, DROPPED_MAX);
    chat_lost_list(lost, &list);
    c->dropped = arena_str(&c->a, buf_view(&list));
    buf_free(&list);
    if (!c->dropped.n || c->config->translation != TRANSLATION_WARN || !chat_lost_meaning(lost).n) return;
    char id[37];
    uuid_format(id, c->id);
    log_event(LOG_WARN, "translation_dropped", log_s("call", str_make(id, 36)),
              log_s("target", c->attempt.target.name), log_s("fields", c->dropped));
}

bool dialect_write(struct call *c) {
    struct call_request *r = c->r;
    const struct attempt *t = &c->attempt;
    struct chat_target to = {.dialect = (enum chat_dialect)t->speaks,
                             .kind = str_from(t->provider->kind->name),
                             .model = t->target.model};
    struct chat_account lost = {.a = &c->a};
    str param = STR_NONE;
    err e;
    if (t->embeds) return embeds_write(c);
    if (t->speaks < 0) {
        attempt_unsupported(
            c, STR("model"),
            "This provider cannot be asked that: it has no such API, or none that dray translates.");
        return false;
    }
    if (!dialect_read(c)) return false;
    r->chat.input_estimate = r->facts.input_tokens;
    buf_init(&r->up, TRANSLATED_MAX);
    if (chat_request_write(&r->chat, &to, (enum chat_translation)c->config->translation, &lost, &r->up, &param,
                           &e)) {
        account(c, &lost);
        return true;
    }
    attempt_unsupported(c, param, e.msg);
    return false;
}

bool dialect_rename(struct call *c) {
    struct call_request *r = c->r;
    if (!c->attempt.native || c->attempt.provider->kind->native != DIALECT_GEMINI || dialect_in_path(c))
        return false;
    buf_init(&r->up, TRANSLATED_MAX);
    return gemini_rename(&r->scan, buf_view(&r->body), c->attempt.target.model, &r->a, &r->up);
}

bool dialect_clean(struct call *c, unsigned n) {
    struct call_request *r = c->r;
    if (c->surface->chat < 0 || !r->scan.watched) return false;
    buf whole;
    buf_init(&whole, TRANSLATED_MAX);
    buf_init(&r->up, TRANSLATED_MAX);
    for (unsigned i = 1; i < n; i++) buf_add(&whole, r->iov[i].iov_base, r->iov[i].iov_len);
    bool cleaned = !whole.failed && chat_clean((enum chat_dialect)c->surface->chat, buf_view(&whole), &r->up);
    buf_free(&whole);
    return cleaned && !r->up.failed;
}

/* ---- the path ---- */

void dialect_segment(str s, buf *out) {
    for (size_t i = 0; i < s.n; i++) {
        char x = s.p[i];
        if (x && ((x >= '0' && x <= '9') || ((x | 32) >= 'a' && (x | 32) <= 'z') || strchr("-_.~@", x)))
            buf_char(out, x);
        else
            buf_printf(out, "%%%02X", (unsigned char)x);
    }
}

/* Cohere's own API lies beside its compatible endpoint. */
static str cohere_root(str base) {
    static const str ends[] = {STR_INIT("/compatibility/v1"), STR_INIT("/v1"), STR_INIT("/v2")};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(base, ends[i])) return str_take(base, base.n - ends[i].n);
    return base;
}

/* Azure's older form has the model in the path and a version in the query; /responses names it in the body only.
 */
static void put_openai_path(const struct attempt *t, const char *rest, buf *out) {
    static const str v1 = STR_INIT("/v1"), deployments = STR_INIT("/deployments");
    const struct provider *p = t->provider;
    str base = p->base_path;
    if (!p->api_version.n) {
        buf_str(out, base);
        buf_strz(out, rest);
        return;
    }
    if (str_ends(base, v1)) base = str_take(base, base.n - v1.n);
    if (str_ends(base, deployments)) base = str_take(base, base.n - deployments.n);
    buf_str(out, base);
    if (strncmp(rest, "/responses", strlen("/responses")) != 0) {
        buf_str(out, deployments);
        buf_char(out, '/');
        dialect_segment(t->target.model, out);
    }
    buf_strz(out, rest);
    buf_strz(out, "?api-version=");
    buf_str(out, p->api_version);
}

bool dialect_in_path(const struct call *c) {
    return c->attempt.speaks == CHAT_ANTHROPIC && c->attempt.provider->kind->auth == AUTH_GOOGLE;
}

/* Vertex AI has the models of several makers beside each other. */
static void claude_on_vertex_path(const struct call *c, buf *out) {
    buf_str(out, c->attempt.provider->base_path);
    buf_strz(out, "/publishers/anthropic/models/");
    dialect_segment(c->attempt.target.model, out);
    buf_strz(out, c->is_stream ? ":streamRawPredict" : ":rawPredict");
}

static void gemini_path(const struct call *c, buf *out) {
    static const str compatible = STR_INIT("/openai"); /* behind it lies Gemini's compatible endpoint */
    const struct attempt *t = &c->attempt;
    str base = t->provider->base_path;
    buf_str(out, str_ends(base, compatible) ? str_take(base, base.n - compatible.n) : base);
    buf_strz(out, t->provider->kind->auth == AUTH_GOOGLE ? "/publishers/google/models/" : "/models/");
    buf_str(out, t->target.model);
    buf_char(out, ':');
    buf_strz(out, !t->translated ? c->surface->path : c->is_stream ? "streamGenerateContent" : "generateContent");
    if (c->is_stream) buf_strz(out, "?alt=sse");
}

static void bedrock_path(const struct call *c, buf *out) {
    buf_str(out, c->attempt.provider->base_path);
    buf_strz(out, "/model/");
    dialect_segment(c->attempt.target.model, out);
    buf_strz(out, c->is_stream ? "/converse-stream" : "/converse");
}

void dialect_path(const struct call *c, buf *out) {
    static const char *const paths[] = {
        [CHAT_OPENAI] = "/chat/completions", [CHAT_RESPONSES] = "/responses", [CHAT_ANTHROPIC] = "/messages"};
    const struct attempt *t = &c->attempt;
    if (t->embeds && t->form == EMBED_OPENAI) {
        put_openai_path(t, "/embeddings", out);
    } else if (t->embeds) {
        embeds_path(c, out);
    } else if (dialect_in_path(c)) {
        claude_on_vertex_path(c, out);
    } else if (t->native && t->provider->kind->native == DIALECT_GEMINI) {
        gemini_path(c, out);
    } else if (t->speaks == CHAT_BEDROCK) {
        bedrock_path(c, out);
    } else if (c->surface->units == UNITS_RERANK && t->provider->kind->native == DIALECT_COHERE) {
        buf_str(out, cohere_root(t->provider->base_path));
        buf_strz(out, "/v2/rerank");
    } else if (t->speaks == CHAT_COHERE) {
        buf_str(out, cohere_root(t->provider->base_path));
        buf_strz(out, "/v2/chat");
    } else {
        const char *path = c->surface->stored ? c->r->path.p : c->surface->path;
        put_openai_path(t, t->translated ? paths[t->speaks] : path + strlen("/v1"), out);
    }
}

enum auth_style dialect_auth(const struct provider *p, str key) {
    if (p->kind->auth == AUTH_AWS || p->kind->auth == AUTH_GOOGLE) return AUTH_BEARER;
    /* A subscription's token is no API key: Anthropic takes it as Bearer only. */
    if (p->kind->native == DIALECT_ANTHROPIC)
        return str_starts(key, STR("sk-ant-oat")) ? AUTH_BEARER : AUTH_X_API_KEY;
    if (p->kind->native == DIALECT_GEMINI) return AUTH_GOOG;
    return (enum auth_style)p->auth;
}

bool dialect_keeps_header(const struct call *c, str name) {
    if (!c->attempt.translated) return true;
    if (str_starts(name, STR("openai-")))
        return c->attempt.speaks == CHAT_OPENAI || c->attempt.speaks == CHAT_RESPONSES;
    if (str_starts(name, STR("anthropic-"))) return c->attempt.speaks == CHAT_ANTHROPIC;
    if (str_starts(name, STR("x-goog-"))) return c->attempt.speaks == CHAT_GEMINI;
    return true;
}

void dialect_headers(const struct call *c, buf *out) {
    if (c->attempt.speaks != CHAT_ANTHROPIC || dialect_in_path(c)) return;
    for (unsigned i = 0; i < c->r->kept_count && !c->attempt.translated; i++)
        if (str_eqz(c->r->kept[i].name, "anthropic-version")) return;
    buf_strz(out, "anthropic-version: 2023-06-01\r\n");
}

/* ---- the answer ---- */

static str client_model(const struct call *c) { return c->attempt.target.model; }
static int64_t created(const struct call *c) { return (int64_t)(c->begin_wall / 1000000); }
static uint64_t seed(const struct call *c) {
    uint64_t s;
    memcpy(&s, c->id.b + 8, sizeof s);
    return s;
}

/* What the books want of it. */
static void note(struct call *c, const struct chat_answer *a) {
    struct answer *to = c->answer;
    if (a->usage.source != TOKENS_NONE) to->usage = a->usage;
    to->text = a->text;
    to->done = a->done;
    to->error = a->failed;
    if (a->choices) to->finish = a->choice[0].finish;
    if (to->finish != FINISH_NONE || a->choices) to->content = true;
    str id = str_take(a->id.raw, sizeof to->id);
    if (!to->id_len && id.n) {
        memcpy(to->id, id.p, id.n);
        to->id_len = (uint8_t)id.n;
    }
}

void dialect_stream_begin(struct call *c) {
    const struct attempt *t = &c->attempt;
    bool own = t->speaks == CHAT_OPENAI || t->speaks == CHAT_RESPONSES; /* OpenAI's own tap reads these */
    if (t->speaks < 0 || (own && !t->translated)) return;
    if (t->speaks == CHAT_BEDROCK) {
        c->frames = arena_new(&c->a, struct eventstream);
        eventstream_init(c->frames);
    }
    enum chat_dialect to = t->translated ? (enum chat_dialect)c->surface->chat : CHAT_DIALECTS;
    c->translator = chat_stream_new((enum chat_dialect)t->speaks, to, t->translated ? &c->r->chat : NULL,
                                    client_model(c), seed(c), created(c), &c->a);
    if (c->list_down) chat_stream_list(c->translator);
}

bool dialect_stream_event(struct call *c, str event, str data, buf *out) {
    arena scratch;
    arena_init(&scratch, SCRATCH_FIRST, SCRATCH_MAX);
    bool ok = chat_stream_event(c->translator, event, data, &scratch, out);
    arena_free(&scratch);
    note(c, chat_stream_answer(c->translator));
    return ok;
}

void dialect_stream_end(struct call *c, enum fault f, const char *why, buf *out) {
    arena scratch;
    arena_init(&scratch, SCRATCH_FIRST, SCRATCH_MAX);
    struct chat_error e = {.status = fault_row(f)->status,
                           .type = str_from(fault_row(f)->type),
                           .code = str_from(fault_row(f)->name),
                           .retry_ms = -1,
                           .message = str_from(why)};
    chat_stream_end(c->translator, f == FAULT_NONE ? NULL : &e, &scratch, out);
    arena_free(&scratch);
    note(c, chat_stream_answer(c->translator));
}

void dialect_free(struct call *c) {
    if (c->frames) eventstream_free(c->frames);
    c->frames = NULL;
    if (c->translator) chat_stream_free(c->translator);
    c->translator = NULL;
}

/* The client's form takes the place of the provider's, which it was written from: two buffers. */
static void replace_hold(struct call *c, buf *with) {
    buf_free(&c->hold);
    c->hold = *with;
}

static void read_error(struct call *c, struct chat_error *e, arena *a) {
    chat_error_read((enum chat_dialect)c->attempt.speaks, c->status, buf_view(&c->hold), e, a);
    if (e->retry_ms > 0) c->retry_ms = e->retry_ms;
}

static void rewrite_error(struct call *c, arena *a) {
    struct chat_error e;
    buf out;
    buf_init(&out, c->hold.max);
    read_error(c, &e, a);
    if (!e.code.n) e.code = c->error_type;
    if (c->attempt.speaks != CHAT_OPENAI &&
        c->attempt.speaks != CHAT_RESPONSES) { /* its word is no type of OpenAI's */
        if (!e.code.n) e.code = e.type;
        e.type = STR_NONE;
    }
    chat_error_write((enum chat_dialect)c->surface->chat, &e, &out);
    replace_hold(c, &out);
}

/* Some providers answer whole though a stream was asked for: the client gets one all the same. */
static void stream_answer(struct call *c, arena *a, buf *out) {
    struct chat_stream *s =
        chat_stream_new((enum chat_dialect)c->attempt.speaks, (enum chat_dialect)c->surface->chat, &c->r->chat,
                        client_model(c), seed(c), created(c), &c->a);
    if (c->list_down) chat_stream_list(s);
    chat_stream_whole(s, buf_view(&c->hold), a, out);
    chat_stream_free(s);
}

static void rewrite_answer(struct call *c, struct chat_answer *ans) {
    buf out;
    buf_init(&out, c->hold.max);
    if (c->is_stream) {
        stream_answer(c, ans->a, &out);
        replace_hold(c, &out);
        return;
    }
    ans->request = &c->r->chat;
    chat_answer_write((enum chat_dialect)c->surface->chat, ans, client_model(c), seed(c), created(c), &out);
    replace_hold(c, &out);
}

bool dialect_answer(struct call *c) {
    const struct attempt *t = &c->attempt;
    bool own = !t->native;
    arena a;
    struct chat_answer ans = {0};
    if (!c->surface->endpoint) return true; /* nothing is booked of it */
    if (t->embeds) return embeds_answer(c);
    if (own) openai_answer_read(c->answer, buf_view(&c->hold));
    if (c->surface->units || c->surface->stored)
        units_read((enum units)c->surface->units, buf_view(&c->hold), c->asked, c->answer);
    if (own && !t->translated) return true;
    if (t->speaks < 0) {
        gemini_embed_answer(c->answer, buf_view(&c->hold));
        return true;
    }
    bool readable = true;
    arena_init(&a, SCRATCH_FIRST, SCRATCH_MAX);
    if (c->status >= 300) {
        struct chat_error e;
        if (t->translated)
            rewrite_error(c, &a);
        else
            read_error(c, &e, &a);
        c->answer->done = true;
    } else if (chat_answer_read((enum chat_dialect)t->speaks, buf_view(&c->hold), &ans, &a)) {
        note(c, &ans);
        c->answer->done = true;
        if (t->translated) rewrite_answer(c, &ans);
    } else {
        readable = !t->translated;
    }
    arena_free(&a);
    return readable;
}

/* The client's dialect where dray itself speaks: that of its path. */
static enum chat_dialect client_dialect(const struct surface *s) {
    return !s                                ? CHAT_OPENAI
           : s->dialect == DIALECT_ANTHROPIC ? CHAT_ANTHROPIC
           : s->dialect == DIALECT_GEMINI    ? CHAT_GEMINI
                                             : CHAT_OPENAI;
}

void dialect_error(const struct call *c, int status, str type, str code, str message, str param, buf *out) {
    enum chat_dialect d = client_dialect(c->surface);
    if (d == CHAT_OPENAI) {
        openai_error_write(out, status, type, code, message, param);
        return;
    }
    struct chat_error e = {
        .status = status, .type = type, .code = code, .param = param, .message = message, .retry_ms = -1};
    if (d == CHAT_ANTHROPIC) e.type = STR_NONE; /* its own word for the status */
    chat_error_write(d, &e, out);
}

void dialect_list_item(struct call *c, str data, buf *out) {
    buf_strz(out, c->listed ? ",\r\n" : "[");
    buf_str(out, data);
    c->listed = true;
}

void dialect_error_event(struct call *c, enum fault f, const char *why, buf *out) {
    buf body;
    buf_init(&body, 4096);
    dialect_error(c, fault_row(f)->status, STR_NONE, str_from(fault_row(f)->name), str_from(why), STR_NONE, &body);
    if (c->list_down) {
        dialect_list_item(c, str_trim(buf_view(&body)), out);
        buf_char(out, ']');
        buf_free(&body);
        return;
    }
    buf_strz(out, c->surface->chat == CHAT_ANTHROPIC ? "event: error\ndata: " : "data: ");
    buf_str(out, str_trim(buf_view(&body)));
    buf_strz(out, "\n\n");
    buf_free(&body);
}

/* ---- counting ---- */

static const struct target *first_target(const struct call_request *r, const struct config *config) {
    return r->has_on_the_fly ? &r->on_the_fly : &config->router.target[r->plan.target[0]];
}

/* A target that counts in the client's words is asked; for others dray counts itself: by the model's own tokenizer
 * where it is there, else by estimate. */
void own_count_tokens(struct call *c) {
    struct call_request *r = c->r;
    call_plan(c);
    if (c->settled) return;
    c->is_stream = false;
    const struct target *t = r->plan.count ? first_target(r, c->config) : NULL;
    if (t && same_dialect(c->config->provider[t->provider_id].kind, c->surface->chat)) {
        r->plan.count = 1;
        c->state = CALL_TRY;
        call_tick(c);
        return;
    }
    const struct bpe *exact = t ? counter_for(gateway_counter(c->w->gateway), t->model) : NULL;
    buf b;
    buf_init(&b, 256);
    uint64_t tokens = chat_count_tokens(&r->chat, exact);
    if (t && !exact) tokens = multiplier_apply(c->w->multiplier, t->name, tokens);
    chat_count_write((enum chat_dialect)c->surface->chat, tokens, &b);
    c->status = 200;
    relay_own(c, 200, "application/json", buf_view(&b));
    buf_free(&b);
}
