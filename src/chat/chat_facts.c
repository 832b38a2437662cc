/* chat_facts: what is asked of a request that was read into the middle model, whatever its dialect: facts, tokens,
 * media that have to be fetched. */
#include "chat/chat_int.h"
#include "chat/walk.h"

static void add_parts(struct walk *w, enum walk_role role, const struct chat_part *parts) {
    for (const struct chat_part *p = parts; p; p = p->next) {
        bool esc = p->text.raw.n && memchr(p->text.raw.p, '\\', p->text.raw.n);
        if (p->type == PART_TEXT || p->type == PART_REFUSAL) walk_text(w, role, p->text.raw, esc);
        if (p->type == PART_IMAGE) {
            w->f->vision = true;
            walk_count(&w->p->images);
        }
        w->f->audio |= p->type == PART_AUDIO;
        if (p->type == PART_RESULT) add_parts(w, WALK_TOOL, p->parts);
    }
}

/* A message that holds results and no word of the user is a tool's. */
static enum walk_role role_of(const struct chat_message *m) {
    bool result = false, other = false;
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        result |= p->type == PART_RESULT;
        other |= p->type != PART_RESULT;
    }
    if (m->role == CHAT_SYSTEM) return WALK_SYSTEM;
    if (m->role == CHAT_ASSISTANT) return WALK_ASSISTANT;
    return result && !other ? WALK_TOOL : WALK_USER;
}

void chat_facts(const struct chat_request *r, struct facts *f, struct prompt *p) {
    struct walk w;
    walk_begin(&w, f, p);
    for (const struct chat_message *m = r->messages; m; m = m->next) {
        enum walk_role role = role_of(m);
        walk_message(&w, role);
        add_parts(&w, role, m->parts);
    }
    f->tool_count = r->tool_count > UINT16_MAX ? UINT16_MAX : (uint16_t)r->tool_count;
    f->schema = r->format != FORMAT_TEXT;
    f->stream = r->stream;
    f->output_tokens = r->max_tokens > UINT32_MAX ? UINT32_MAX : (uint32_t)r->max_tokens;
    walk_end(&w);
}

/* ---- tokens ---- */

/* A picture of usual size, a minute of sound, a few pages; and what a message or tool costs beside its text. */
enum { MEDIA_TOKENS = 1000, MESSAGE_TOKENS = 4, TOOL_TOKENS = 8, COUNT_MAX = 64 << 20 };

struct token_count {
    struct token_estimate t;
    const struct bpe *exact;
    arena *a;
};

/* A JSON text, or with `escaped` the inside of a JSON string. */
static void count_text(struct token_count *c, str text, bool escaped) {
    if (!c->exact)
        tokens_add(&c->t, text, escaped);
    else
        c->t.tokens += bpe_count(c->exact, escaped ? jt_str((jtext){text}, c->a) : text);
}

static void count_parts(struct token_count *c, const struct chat_part *parts) {
    for (const struct chat_part *p = parts; p; p = p->next) {
        count_text(c, p->text.raw, true);
        count_text(c, p->args, false);
        if (p->type == PART_CALL) count_text(c, p->name.raw, true);
        if (p->type >= PART_IMAGE && p->type <= PART_FILE) c->t.tokens += MEDIA_TOKENS;
        if (p->type == PART_RESULT) count_parts(c, p->parts);
    }
}

uint64_t chat_count_tokens(const struct chat_request *r, const struct bpe *exact) {
    arena scratch; /* for texts that are unescaped to be counted */
    struct token_count c = {.exact = exact, .a = &scratch};
    arena_init(&scratch, 4096, COUNT_MAX);
    for (const struct chat_message *m = r->messages; m; m = m->next) {
        c.t.tokens += MESSAGE_TOKENS;
        count_parts(&c, m->parts);
    }
    for (const struct chat_tool *tool = r->tools; tool; tool = tool->next) {
        c.t.tokens += TOOL_TOKENS;
        count_text(&c, tool->name.raw, true);
        count_text(&c, tool->description.raw, true);
        count_text(&c, tool->schema, false);
    }
    count_text(&c, r->schema, false);
    arena_free(&scratch);
    return tokens_estimate(&c.t);
}

void chat_count_write(enum chat_dialect d, uint64_t tokens, buf *out) {
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    if (d == CHAT_RESPONSES) jw_kstr(&w, "object", STR("response.input_tokens"));
    jw_key(&w, d == CHAT_GEMINI ? "totalTokens" : "input_tokens");
    jw_u64(&w, tokens);
    jw_object_end(&w);
}

/* ---- media elsewhere ---- */

/* Which kinds each dialect takes by URL; the others it needs as bytes. */
static const uint8_t by_url[CHAT_DIALECTS] = {
    [CHAT_OPENAI] = 1 << PART_IMAGE,
    [CHAT_RESPONSES] = 1 << PART_IMAGE | 1 << PART_FILE,
    [CHAT_ANTHROPIC] = 1 << PART_IMAGE | 1 << PART_FILE,
    [CHAT_GEMINI] = 1 << PART_IMAGE | 1 << PART_FILE | 1 << PART_AUDIO | 1 << PART_VIDEO,
    [CHAT_COHERE] = 1 << PART_IMAGE,
};

static struct chat_part *needs_in(struct chat_part *parts, enum chat_dialect to, const struct chat_part *after,
                                  bool *past) {
    for (struct chat_part *p = parts; p; p = p->next) {
        bool media = p->type >= PART_IMAGE && p->type <= PART_FILE && jt_has(p->url) && !jt_has(p->data);
        if (*past && media && !(by_url[to] >> p->type & 1)) return p;
        if (p == after) *past = true;
        struct chat_part *in = needs_in(p->parts, to, after, past);
        if (in) return in;
    }
    return NULL;
}

struct chat_part *chat_needs_bytes(const struct chat_request *r, enum chat_dialect to,
                                   const struct chat_part *after) {
    bool past = after == NULL;
    for (const struct chat_message *m = r->messages; m; m = m->next) {
        struct chat_part *p = needs_in(m->parts, to, after, &past);
        if (p) return p;
    }
    return NULL;
}
