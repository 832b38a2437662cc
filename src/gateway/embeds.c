/* embeds: embedding calls whose client and provider say them differently. Where both say it alike, or the provider
 * has an endpoint that is compatible with OpenAI's, nothing is translated. */
#include "gateway/dialect.h"

enum { EMBEDS_MAX = 64 << 20 };

static bool is_embedding(const struct surface *s) {
    return s->chat < 0 && s->endpoint && str_eqz(str_from(s->endpoint), "embeddings");
}

static enum embed_form client_form(const struct call *c) {
    return c->surface->dialect == DIALECT_GEMINI ? EMBED_GEMINI : EMBED_OPENAI;
}

/* What a provider's model is asked in. Gemini's own API takes what Gemini's clients send. */
static enum embed_form provider_form(const struct call *c) {
    const struct provider_kind *k = c->attempt.provider->kind;
    str model = c->attempt.target.model;
    if (k->native == DIALECT_BEDROCK)
        return str_find(model, STR("cohere.")) >= 0       ? EMBED_COHERE
               : str_find(model, STR("amazon.nova")) >= 0 ? EMBED_NOVA
                                                          : EMBED_TITAN;
    if (k->auth == AUTH_GOOGLE) return EMBED_VERTEX;
    return k->native == DIALECT_GEMINI && client_form(c) == EMBED_GEMINI ? EMBED_GEMINI : EMBED_OPENAI;
}

bool embeds_choose(struct call *c) {
    struct attempt *t = &c->attempt;
    if (!is_embedding(c->surface)) return false;
    t->form = (uint8_t)provider_form(c);
    t->embeds = t->translated = (enum embed_form)t->form != client_form(c);
    return t->embeds;
}

bool embeds_write(struct call *c) {
    struct call_request *r = c->r;
    const struct attempt *t = &c->attempt;
    str param;
    err e;
    if (!r->has_embed && !embed_read(client_form(c), &r->scan, buf_view(&r->body), &r->embed, &r->a, &param, &e)) {
        call_fail(c, FAULT_BAD_REQUEST, param, "%s", e.msg);
        return false;
    }
    r->has_embed = true;
    buf_init(&r->up, EMBEDS_MAX);
    if (embed_write((enum embed_form)t->form, t->target.model, &r->embed, &r->up, &param, &e)) {
        buf list;
        buf_init(&list, 1024);
        chat_lost_list(&r->embed.lost, &list);
        c->dropped = arena_str(&c->a, buf_view(&list));
        buf_free(&list);
        return true;
    }
    attempt_unsupported(c, param, e.msg);
    return false;
}

void embeds_path(const struct call *c, buf *out) {
    const struct attempt *t = &c->attempt;
    buf_str(out, t->provider->base_path);
    buf_strz(out, t->form == EMBED_VERTEX ? "/publishers/google/models/" : "/model/");
    dialect_segment(t->target.model, out);
    buf_strz(out, t->form == EMBED_VERTEX ? ":predict" : "/invoke");
}

/* An error of the provider's in the client's words. */
static void rewrite_error(struct call *c, buf *out, arena *a) {
    struct chat_error e;
    enum embed_form f = (enum embed_form)c->attempt.form;
    enum chat_dialect from = f == EMBED_OPENAI ? CHAT_OPENAI : f == EMBED_VERTEX ? CHAT_GEMINI : CHAT_BEDROCK;
    chat_error_read(from, c->status, buf_view(&c->hold), &e, a);
    if (!e.code.n) e.code = c->error_type.n ? c->error_type : e.type;
    if (from != CHAT_OPENAI) e.type = STR_NONE;
    chat_error_write(client_form(c) == EMBED_GEMINI ? CHAT_GEMINI : CHAT_OPENAI, &e, out);
}

bool embeds_answer(struct call *c) {
    bool good = true;
    arena a;
    buf out;
    buf_init(&out, c->hold.max);
    arena_init(&a, 1024, 1 << 20);
    if (c->status >= 300)
        rewrite_error(c, &out, &a);
    else
        good = embed_answer((enum embed_form)c->attempt.form, client_form(c), &c->r->embed,
                            c->attempt.target.model, c->input_said, buf_view(&c->hold), c->answer, &out);
    c->answer->done |= c->status >= 300;
    c->answer->content = good; /* where nothing says the tokens, they are estimated */
    arena_free(&a);
    buf_free(&c->hold);
    c->hold = out;
    return good;
}
