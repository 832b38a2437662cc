/* walk: see walk.h.
 *
 * Messages of OpenAI, Anthropic and Responses, contents of Gemini, parts of OpenTelemetry, bare strings:
 * they differ in what the text is called and how deep it stands, so one walker takes them all. What it finds
 * for OpenAI requests equals what chat/openai_facts.c finds (a test holds them together); it exists apart
 * because logs are not validated and because only it knows all the shapes. */
#include "insight/walk.h"

#include "insight/lazy.h"

enum role { ROLE_USER, ROLE_SYSTEM, ROLE_ASSISTANT, ROLE_TOOL };
enum { RING = 32, DEEP_MAX = 6 };

struct walk {
    struct facts *f;
    struct prompt *p;
    struct token_estimate *tokens;
    struct {
        struct prompt_part part;
        uint32_t turn;
    } ring[RING];
    uint32_t ring_count, turn;
    enum role last;
    bool any;
    bool estimate;                              /* tokens, not characters only */
    void (*each)(void *ctx, str raw, bool esc); /* gets every text; NULL: nobody does */
    void *ctx;
};

/* Code points of a string value: what estimating counts, too, but that costs ten times as much. */
static uint64_t characters(jval text) {
    const char *p = text.raw.p, *end = p + text.raw.n;
    uint64_t n = text.raw.n;
    const uint64_t high = 0x8080808080808080u;
    for (uint64_t w; end - p >= 8; p += 8) { /* bytes 10xxxxxx go on a character */
        memcpy(&w, p, 8);
        if (w & high) n -= (uint64_t)__builtin_popcountll(w & high & ~(w << 1));
    }
    for (; p < end; p++) n -= ((unsigned char)*p & 0xC0) == 0x80;
    if (!text.esc) return n;
    for (p = text.raw.p; (p = memchr(p, '\\', (size_t)(end - p))) != NULL;) {
        bool u = end - p >= 6 && p[1] == 'u',
             pair = u && end - p >= 12 && (p[2] | 32) == 'd' && p[3] >= '8' && p[6] == '\\' && p[7] == 'u';
        size_t used = pair ? 12 : u ? 6 : end - p >= 2 ? 2 : 1;
        n -= used - 1;
        p += used;
    }
    return n;
}

static void one_more(uint16_t *n) {
    if (*n < UINT16_MAX) ++*n;
}

static void add_text(struct walk *w, enum role role, jval text) {
    struct prompt *p = w->p;
    if (text.type != J_STRING || text.raw.n == 0) return;
    w->any = true;
    if (w->each) w->each(w->ctx, text.raw, text.esc);
    if (w->estimate)
        tokens_add(w->tokens, text.raw, text.esc);
    else
        w->tokens->chars += characters(text);
    struct prompt_part part = {text.raw, text.esc, role == ROLE_ASSISTANT};
    if (role == ROLE_SYSTEM) {
        if (p->system_count < PROMPT_SYSTEM_MAX) p->system[p->system_count++] = part;
        return;
    }
    if (role == ROLE_TOOL) return;
    if (role == ROLE_USER && p->user_count < PROMPT_USER_MAX) p->user[p->user_count++] = part;
    w->ring[w->ring_count % RING].part = part;
    w->ring[w->ring_count % RING].turn = role == ROLE_USER ? w->turn : UINT32_MAX;
    w->ring_count++;
}

static void begin_message(struct walk *w, enum role role) {
    one_more(&w->f->turns);
    if (role == ROLE_USER && (w->last != ROLE_USER || !w->turn)) {
        w->turn++;
        w->p->user_count = 0;
    }
    w->last = role;
    w->p->agent_step = role == ROLE_TOOL;
}

static void take_history(struct walk *w) {
    struct prompt *p = w->p;
    uint32_t first = w->ring_count > RING ? w->ring_count - RING : 0, keep = w->ring_count;
    unsigned n = 0;
    while (keep > first && n < PROMPT_HISTORY_MAX)
        if (w->ring[--keep % RING].turn != w->turn) n++;
    for (uint32_t i = keep; i < w->ring_count; i++)
        if (w->ring[i % RING].turn != w->turn) p->history[p->history_count++] = w->ring[i % RING].part;
}

/* ---- parts ---- */

static void add_content(struct walk *w, enum role role, jval content, unsigned depth);

/* What a part is, by its type or by a member's name. */
static void add_kind(struct walk *w, str kind) {
    if (str_find(kind, STR("image")) >= 0) {
        w->f->vision = true;
        one_more(&w->p->images);
    } else if (str_find(kind, STR("audio")) >= 0) {
        w->f->audio = true;
    }
}

static void add_part(struct walk *w, enum role role, jval part, unsigned depth) {
    struct lazy_it it = lazy_iter(part);
    jval v, type = {.type = J_NONE}, text = {.type = J_NONE}, content = {.type = J_NONE};
    str key;
    while (lazy_next(&it, &key, &v)) {
        if (str_eq(key, STR("type")))
            type = v;
        else if (str_eq(key, STR("text")) || str_eq(key, STR("refusal")))
            text = v;
        else if (str_eq(key, STR("content")))
            content = v;
        else if (str_eq(key, STR("inlineData")) || str_eq(key, STR("inline_data")) ||
                 str_eq(key, STR("fileData"))) {
            jval mime = lazy_get(v, STR("mimeType"));
            if (mime.type == J_STRING) add_kind(w, mime.raw);
        } else if (str_eq(key, STR("image"))) {
            add_kind(w, key);
        }
    }
    bool result = type.type == J_STRING && str_eq(type.raw, STR("tool_result"));
    if (type.type == J_STRING && !str_eq(type.raw, STR("text"))) add_kind(w, type.raw);
    add_text(w, role, text);
    if (result && depth < DEEP_MAX) {
        w->p->agent_step = true;
        add_content(w, ROLE_TOOL, content, depth + 1);
    } else if (type.type == J_STRING && str_eq(type.raw, STR("text"))) {
        add_text(w, role, content); /* OpenTelemetry's parts */
    }
}

static void add_content(struct walk *w, enum role role, jval content, unsigned depth) {
    if (content.type == J_STRING) add_text(w, role, content);
    if (content.type == J_OBJECT) add_part(w, role, content, depth);
    if (content.type != J_ARRAY) return;
    struct lazy_it it = lazy_iter(content);
    jval part;
    while (lazy_item(&it, &part)) {
        if (part.type == J_STRING)
            add_text(w, role, part);
        else
            add_part(w, role, part, depth);
    }
}

/* Anthropic puts tool results into user messages; such a message is the tool's. */
static bool only_results(jval content) {
    struct lazy_it it = lazy_iter(content);
    jval part;
    bool any = false;
    while (content.type == J_ARRAY && lazy_item(&it, &part)) {
        jval type = lazy_get(part, STR("type"));
        if (type.type != J_STRING || !str_eq(type.raw, STR("tool_result"))) return false;
        any = true;
    }
    return any;
}

/* ---- messages ---- */

static enum role role_of(str r) {
    if (str_eq(r, STR("assistant")) || str_eq(r, STR("model")) || str_eq(r, STR("CHATBOT"))) return ROLE_ASSISTANT;
    if (str_eq(r, STR("system")) || str_eq(r, STR("developer")) || str_eq(r, STR("SYSTEM"))) return ROLE_SYSTEM;
    if (str_eq(r, STR("tool")) || str_eq(r, STR("function")) || str_eq(r, STR("TOOL"))) return ROLE_TOOL;
    return ROLE_USER;
}

static void add_message(struct walk *w, jval message) {
    struct lazy_it it = lazy_iter(message);
    jval role = {.type = J_NONE}, content = {.type = J_NONE}, type = {.type = J_NONE}, output = {.type = J_NONE},
         v;
    str key;
    while (lazy_next(&it, &key, &v)) {
        if (str_eq(key, STR("role")))
            role = v;
        else if (str_eq(key, STR("content")) || str_eq(key, STR("parts")))
            content = v;
        else if (str_eq(key, STR("type")))
            type = v;
        else if (str_eq(key, STR("output")))
            output = v;
    }
    if (role.type == J_STRING || (content.type != J_NONE && type.type == J_NONE)) {
        enum role r = role.type == J_STRING ? role_of(role.raw) : ROLE_USER;
        if (r == ROLE_USER && only_results(content)) r = ROLE_TOOL;
        begin_message(w, r);
        add_content(w, r, content, 0);
    } else if (type.type == J_STRING && str_ends(type.raw, STR("_output"))) {
        begin_message(w, ROLE_TOOL);
        add_content(w, ROLE_TOOL, output, 0);
    } else if (type.type == J_STRING && (output.type != J_NONE || str_ends(type.raw, STR("_call")))) {
        w->p->agent_step = false;
    } else if (!(type.type == J_STRING && str_eq(type.raw, STR("reasoning")))) {
        begin_message(w, ROLE_USER);
        add_part(w, ROLE_USER, message, 0);
    }
}

static void add_prompt(struct walk *w, jval prompt) {
    jval v;
    if (prompt.type == J_STRING) {
        begin_message(w, ROLE_USER);
        add_text(w, ROLE_USER, prompt);
    }
    struct lazy_it it = lazy_iter(prompt);
    if (prompt.type == J_OBJECT) add_message(w, prompt);
    while (prompt.type == J_ARRAY && lazy_item(&it, &v)) {
        if (v.type == J_NUMBER) { /* token numbers: one more than commas */
            for (size_t i = 0; i < prompt.raw.n; i++) w->tokens->tokens += prompt.raw.p[i] == ',';
            w->tokens->tokens++;
            w->any = true;
            return;
        }
        if (v.type == J_STRING) {
            begin_message(w, ROLE_USER);
            add_text(w, ROLE_USER, v);
        } else if (v.type == J_OBJECT) {
            add_message(w, v);
        }
    }
}

/* ---- around them ---- */

/* A response_format that asks for JSON, or a schema by itself. */
static bool asks_schema(jval format) {
    if (format.type != J_OBJECT) return false;
    jval type = lazy_get(format, STR("type"));
    if (type.type != J_STRING) return false;
    return !str_eq(type.raw, STR("text")) && !str_eq(type.raw, STR("grammar"));
}

static void count_tools(struct facts *f, jval tools) {
    struct lazy_it it = lazy_iter(tools);
    jval v;
    while (tools.type == J_ARRAY && lazy_item(&it, &v)) one_more(&f->tool_count);
}

static void walk_call(struct walk *w, const struct log_call *c) {
    struct facts *f = w->f;
    struct prompt *p = w->p;
    *p = (struct prompt){0};
    add_prompt(w, c->text.prompt);
    if (lazy_present(c->text.system)) {
        jval s = c->text.system, parts = lazy_get(s, STR("parts"));
        add_content(w, ROLE_SYSTEM, parts.type == J_ARRAY ? parts : s, 0);
    }
    count_tools(f, c->text.tools);
    f->schema = asks_schema(c->text.format);
    if (c->text.limit > 0 && c->text.limit <= UINT32_MAX) f->output_tokens = (uint32_t)c->text.limit;
    take_history(w);
    f->tools = f->tool_count > 0;
    f->input_length = tokens_chars(w->tokens);
    p->schema = f->schema;
    p->tool_count = f->tool_count;
    p->turns = f->turns;
}

bool log_walk(const struct log_call *c, bool estimate, struct facts *f, struct prompt *p,
              struct token_estimate *tokens) {
    struct walk w = {.f = f, .p = p, .tokens = tokens, .last = ROLE_SYSTEM, .estimate = estimate};
    walk_call(&w, c);
    return w.any;
}

unsigned log_text_pieces(const struct log_call *c, void (*each)(void *ctx, str raw, bool esc), void *ctx,
                         struct facts *f, struct prompt *p) {
    struct token_estimate unused = {0};
    struct walk w = {.f = f, .p = p, .tokens = &unused, .last = ROLE_SYSTEM, .each = each, .ctx = ctx};
    walk_call(&w, c);
    jval first = c->text.prompt;
    struct lazy_it it = lazy_iter(first);
    if (!w.any || (first.type == J_ARRAY && lazy_item(&it, &first) && first.type != J_OBJECT)) return 0;
    return f->turns + (lazy_present(c->text.system) ? 1u : 0u);
}

/* ---- answers ---- */

struct pieces {
    void (*each)(void *ctx, str raw, bool esc);
    void *ctx;
};

static void answer_text(jval v, const struct pieces *t, unsigned depth) {
    static const str holds[] = {STR_INIT("content"),    STR_INIT("text"),       STR_INIT("message"),
                                STR_INIT("parts"),      STR_INIT("delta"),      STR_INIT("arguments"),
                                STR_INIT("function"),   STR_INIT("tool_calls"), STR_INIT("input"),
                                STR_INIT("completion"), STR_INIT("choices"),    STR_INIT("candidates"),
                                STR_INIT("output")};
    if (v.type == J_STRING) t->each(t->ctx, v.raw, v.esc);
    if (depth > 8) return;
    struct lazy_it it = lazy_iter(v);
    jval x;
    str key;
    if (v.type == J_ARRAY)
        while (lazy_item(&it, &x)) answer_text(x, t, depth + 1);
    else
        while (v.type == J_OBJECT && lazy_next(&it, &key, &x))
            for (size_t i = 0; i < sizeof holds / sizeof *holds; i++)
                if (str_eq(key, holds[i])) answer_text(x, t, depth + 1);
}

/* The pieces of a stream; what its last events repeat whole is left out. */
static void stream_text(str rest, const struct pieces *t) {
    static const str holds[] = {STR_INIT("choices"), STR_INIT("delta"), STR_INIT("candidates"),
                                STR_INIT("completion")};
    str line;
    jval event;
    while (str_cut(&rest, '\n', &line)) {
        line = str_trim(line);
        if (str_starts(line, STR("data:"))) line = str_trim(str_skip(line, 5));
        if (line.n == 0 || line.p[0] != '{' || !lazy_value(line.p, line.p + line.n, &event)) continue;
        for (size_t i = 0; i < sizeof holds / sizeof *holds; i++) answer_text(lazy_get(event, holds[i]), t, 1);
    }
}

void log_answer_pieces(const struct log_text *text, void (*each)(void *ctx, str raw, bool esc), void *ctx) {
    const struct pieces t = {each, ctx};
    if (text->stream)
        stream_text(text->answer.raw, &t);
    else
        answer_text(text->answer, &t, 0);
}

static void add_tokens(void *ctx, str raw, bool esc) { tokens_add(ctx, raw, esc); }

void log_walk_answer(const struct log_text *text, struct token_estimate *t) {
    log_answer_pieces(text, add_tokens, t);
}

/* ---- all of it ---- */

bool log_facts(const struct router *r, const struct log_call *c, bool texts, struct facts *f, struct prompt *p,
               struct usage *u) {
    struct token_estimate tokens = {0}, answer = {0};
    if (c->facts) {
        *f = *c->facts;
        *p = (struct prompt){0};
        return false;
    }
    facts_init(f);
    bool text = texts && !c->aggregate && log_walk(c, u->source == TOKENS_NONE, f, p, &tokens);
    f->model = c->requested.n ? c->requested : c->model;
    f->key = c->key;
    f->team = c->team;
    f->user = c->user;
    f->session = c->session;
    f->stream = f->stream || c->stream;
    f->stakes = c->stakes;
    f->stakes_hint = c->stakes != STAKES_NORMAL;
    f->recorded = true; /* logs tell of no headers */
    f->hour = (uint8_t)(c->time_us / 3600000000u % 24);
    if (c->tag.n) f->tag[f->tag_count++] = c->tag;
    if (c->task != TASK_UNKNOWN) { /* the log's own word is the caller's, not a label of some configuration */
        f->task = c->task;
        f->task_source = c->task_source == TASK_BY_LABEL ? TASK_BY_HINT : c->task_source;
        f->task_confidence = 1;
    }
    bool known = u->source != TOKENS_NONE;
    int64_t in = known ? usage_input_tokens(u) : (int64_t)tokens_estimate(&tokens);
    f->input_tokens = (uint32_t)(in > UINT32_MAX ? UINT32_MAX : in);
    if (text) classify(r, p, f);
    router_label(r, f);
    if (known || !text || c->failed) return text;
    /* no counts: the answer's from its text, or else what such a task usually gives */
    log_walk_answer(&c->text, &answer);
    int64_t out = (int64_t)tokens_estimate(&answer);
    *u = (struct usage){.source = TOKENS_ESTIMATED, .service_tier = u->service_tier};
    u->units[USAGE_INPUT] = in;
    u->units[USAGE_OUTPUT] = out > 0 ? out : f->task == TASK_EMBED ? 0 : decide_output_tokens(f);
    return text;
}
