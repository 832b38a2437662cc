/* embed: see embed.h. Sources: OpenAI's and Google's API references, AWS's model parameters (Titan, Nova, Cohere),
 * recordings. Vectors are copied as they stand: their numbers are not rewritten, but for OpenAI's base64. */
#include "chat/embed.h"

#include "base/base64.h"
#include "chat/chat_int.h"

#include <stdlib.h>

enum { EMBED_TEXTS_MAX = 8192, EMBED_FLOATS_MAX = 65536 };

/* ---- the client's request ---- */

static bool add(struct embed_request *r, struct embed_text ***end, jval text, arena *a) {
    if (text.type != J_STRING || r->count == EMBED_TEXTS_MAX) return false;
    struct embed_text *t = arena_new(a, struct embed_text);
    t->text = jt(text);
    **end = t;
    *end = &t->next;
    r->count++;
    return true;
}

static bool read_openai(const jscan *s, str body, struct embed_request *r, arena *a, str *param, err *e) {
    jval input = json_find(s, body, STR("input")), one, format = json_find(s, body, STR("encoding_format"));
    struct embed_text **end = &r->texts;
    bool good = input.type == J_STRING && add(r, &end, input, a);
    for (jiter it = json_iter(input); input.type == J_ARRAY && json_item(&it, &one);)
        if (!(good = add(r, &end, one, a))) break;
    *param = STR("input");
    if (!good)
        return fail(e, "input must be a text or a list of up to %d texts: this model takes no tokens.",
                    EMBED_TEXTS_MAX);
    json_i64(json_find(s, body, STR("dimensions")), &r->dimensions);
    r->base64 = json_is(format, STR("base64"));
    if (jv_has(json_find(s, body, STR("user")))) chat_lose(&r->lost, false, "user");
    return true;
}

/* The texts of a content's parts are one text. */
static bool add_content(struct embed_request *r, struct embed_text ***end, jval request, arena *a) {
    jval parts = json_path(request, "content", "parts", NULL), part, type = json_get(request, STR("taskType"));
    buf text;
    buf_init(&text, 16 << 20);
    bool good = parts.type == J_ARRAY && r->count < EMBED_TEXTS_MAX;
    for (jiter it = json_iter(parts); good && json_item(&it, &part);) {
        jval t = json_get(part, STR("text"));
        good = t.type == J_STRING;
        buf_str(&text, t.raw);
    }
    if (good) {
        struct embed_text *t = arena_new(a, struct embed_text);
        t->text.raw = arena_str(a, buf_view(&text));
        **end = t;
        *end = &t->next;
        r->count++;
    }
    buf_free(&text);
    jval size = json_get(request, STR("outputDimensionality"));
    if (jv_has(size)) json_i64(size, &r->dimensions);
    r->query |= json_is(type, STR("RETRIEVAL_QUERY"));
    if (jv_has(json_get(request, STR("title")))) chat_lose(&r->lost, false, "title");
    return good;
}

static bool read_gemini(const jscan *s, str body, struct embed_request *r, arena *a, str *param, err *e) {
    jval requests = json_find(s, body, STR("requests")), one;
    struct embed_text **end = &r->texts;
    r->batch = requests.type == J_ARRAY;
    *param = r->batch ? STR("requests") : STR("content");
    bool good = r->batch || add_content(r, &end, json_root(s, body), a);
    for (jiter it = json_iter(requests); r->batch && good && json_item(&it, &one);)
        good = add_content(r, &end, one, a);
    return (good && r->count) || fail(e, "Each content to embed must be texts, %d at most.", EMBED_TEXTS_MAX);
}

bool embed_read(enum embed_form f, const jscan *s, str body, struct embed_request *r, arena *a, str *param,
                err *e) {
    *r = (struct embed_request){.lost = {.a = a}};
    *param = STR_NONE;
    return f == EMBED_GEMINI ? read_gemini(s, body, r, a, param, e) : read_openai(s, body, r, a, param, e);
}

/* ---- the provider's request ---- */

static void write_texts(jw *w, const char *key, const struct embed_request *r) {
    jw_karray(w, key);
    for (const struct embed_text *t = r->texts; t; t = t->next) jw_jt(w, t->text);
    jw_array_end(w);
}

static void write_openai(jw *w, str model, const struct embed_request *r) {
    jw_kstr(w, "model", model);
    write_texts(w, "input", r);
    if (r->dimensions) jw_ki64(w, "dimensions", r->dimensions);
    jw_kstr(w, "encoding_format", STR("float"));
}

static void write_vertex(jw *w, const struct embed_request *r) {
    jw_karray(w, "instances");
    for (const struct embed_text *t = r->texts; t; t = t->next) {
        jw_object(w);
        jw_kjt(w, "content", t->text);
        if (r->query) jw_kstr(w, "task_type", STR("RETRIEVAL_QUERY"));
        jw_object_end(w);
    }
    jw_array_end(w);
    if (!r->dimensions) return;
    jw_kobject(w, "parameters");
    jw_ki64(w, "outputDimensionality", r->dimensions);
    jw_object_end(w);
}

static void write_titan(jw *w, const struct embed_request *r) {
    jw_kjt(w, "inputText", r->texts->text);
    if (r->dimensions) jw_ki64(w, "dimensions", r->dimensions);
}

static void write_nova(jw *w, const struct embed_request *r) {
    jw_kstr(w, "taskType", STR("SINGLE_EMBEDDING"));
    jw_kobject(w, "singleEmbeddingParams");
    jw_kstr(w, "embeddingPurpose", r->query ? STR("GENERIC_RETRIEVAL") : STR("GENERIC_INDEX"));
    if (r->dimensions) jw_ki64(w, "embeddingDimension", r->dimensions);
    jw_kobject(w, "text");
    jw_kstr(w, "truncationMode", STR("NONE"));
    jw_kjt(w, "value", r->texts->text);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_cohere(jw *w, const struct embed_request *r) {
    write_texts(w, "texts", r);
    jw_kstr(w, "input_type", r->query ? STR("search_query") : STR("search_document"));
    if (r->dimensions) jw_ki64(w, "output_dimension", r->dimensions);
}

bool embed_write(enum embed_form f, str model, const struct embed_request *r, buf *out, str *param, err *e) {
    jw w;
    *param = STR("input");
    if ((f == EMBED_TITAN || f == EMBED_NOVA) && r->count > 1)
        return fail(e, "This model embeds one text a call, and %u were given.", r->count);
    jw_init(&w, out);
    jw_object(&w);
    switch (f) {
    case EMBED_VERTEX: write_vertex(&w, r); break;
    case EMBED_TITAN: write_titan(&w, r); break;
    case EMBED_NOVA: write_nova(&w, r); break;
    case EMBED_COHERE: write_cohere(&w, r); break;
    default: write_openai(&w, model, r);
    }
    jw_object_end(&w);
    return !out->failed || fail(e, "The request is too large.");
}

/* ---- the provider's answer ---- */

/* The list of vectors, and where each is in its item. */
static jval vectors_of(enum embed_form f, jval root, const char **inside) {
    jval list = json_get(root, STR("embeddings"));
    *inside = NULL;
    switch (f) {
    case EMBED_OPENAI: *inside = "embedding"; return json_get(root, STR("data"));
    case EMBED_NOVA: *inside = "embedding"; return list;
    case EMBED_VERTEX: return json_get(root, STR("predictions")); /* embeddings.values */
    case EMBED_COHERE: return list.type == J_OBJECT ? json_get(list, STR("float")) : list;
    default: return json_get(root, STR("embedding"));
    }
}

static jval vector_in(enum embed_form f, const char *inside, jval item) {
    if (f == EMBED_VERTEX) return json_path(item, "embeddings", "values", NULL);
    return inside ? json_get(item, str_from(inside)) : item;
}

static void use(struct answer *to, int64_t tokens) {
    if (tokens < 0) return;
    to->usage.units[USAGE_INPUT] = tokens;
    to->usage.source = TOKENS_PROVIDER;
}

static void read_usage(enum embed_form f, jval root, int64_t tokens, struct answer *to) {
    int64_t n = 0, sum = 0;
    jval list = json_get(root, STR("predictions")), one;
    use(to, tokens);
    if (f == EMBED_OPENAI) openai_usage(json_get(root, STR("usage")), &to->usage);
    if (f == EMBED_TITAN && json_i64(json_get(root, STR("inputTextTokenCount")), &n) && n >= 0) use(to, n);
    for (jiter it = json_iter(list); f == EMBED_VERTEX && list.type == J_ARRAY && json_item(&it, &one);) {
        if (!json_i64(json_path(one, "embeddings", "statistics", "token_count", NULL), &n) || n < 0) return;
        sum += n;
    }
    if (f == EMBED_VERTEX) use(to, sum);
}

/* ---- the client's answer ---- */

static void write_floats(jw *w, jval vector) {
    unsigned char *bytes = xmalloc(EMBED_FLOATS_MAX * sizeof(float));
    size_t n = 0;
    jval one;
    for (jiter it = json_iter(vector); json_item(&it, &one) && n < EMBED_FLOATS_MAX; n++) {
        char text[40] = "";
        memcpy(text, one.raw.p, one.raw.n < sizeof text ? one.raw.n : sizeof text - 1);
        float v = strtof(text, NULL);
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        for (unsigned i = 0; i < 4; i++) bytes[4 * n + i] = (unsigned char)(bits >> 8 * i);
    }
    jw_key(w, "embedding");
    buf_char(w->b, '"');
    base64_encode(bytes, n * sizeof(float), w->b);
    buf_char(w->b, '"');
    free(bytes);
}

static void write_one(enum embed_form client, const struct embed_request *r, unsigned index, jval vector, jw *w) {
    jw_object(w);
    if (client == EMBED_OPENAI) {
        jw_kstr(w, "object", STR("embedding"));
        jw_ki64(w, "index", index);
        if (r->base64)
            write_floats(w, vector);
        else
            jw_kraw_if(w, "embedding", vector.raw);
    } else {
        jw_kraw_if(w, "values", vector.raw);
    }
    jw_object_end(w);
}

static void write_foot(enum embed_form client, str model, const struct answer *to, jw *w) {
    int64_t tokens = to->usage.source == TOKENS_PROVIDER ? usage_input_tokens(&to->usage) : 0;
    if (client == EMBED_OPENAI) {
        jw_kstr(w, "model", model);
        jw_kobject(w, "usage");
        jw_ki64(w, "prompt_tokens", tokens);
        jw_ki64(w, "total_tokens", tokens);
    } else {
        jw_kobject(w, "usageMetadata");
        jw_ki64(w, "promptTokenCount", tokens);
    }
    jw_object_end(w);
}

bool embed_answer(enum embed_form from, enum embed_form client, const struct embed_request *r, str model,
                  int64_t tokens, str body, struct answer *to, buf *out) {
    jval root, item;
    const char *inside;
    unsigned index = 0;
    jw w;
    if (!json_check(body, &root, NULL, NULL) || root.type != J_OBJECT) return false;
    jval list = vectors_of(from, root, &inside);
    if (list.type != J_ARRAY) return false;
    read_usage(from, root, tokens, to);
    to->done = true;
    jw_init(&w, out);
    jw_object(&w);
    bool many = client == EMBED_OPENAI || r->batch, whole = from == EMBED_TITAN; /* the list is the vector */
    if (client == EMBED_OPENAI) jw_kstr(&w, "object", STR("list"));
    if (many)
        jw_karray(&w, client == EMBED_OPENAI ? "data" : "embeddings");
    else
        jw_key(&w, "embedding");
    if (whole) write_one(client, r, index++, list, &w);
    for (jiter it = json_iter(list); !whole && (many || !index) && json_item(&it, &item); index++) {
        jval vector = vector_in(from, inside, item);
        if (vector.type != J_ARRAY) return false;
        write_one(client, r, index, vector, &w);
    }
    if (many) jw_array_end(&w);
    write_foot(client, model, to, &w);
    jw_object_end(&w);
    return index == r->count && !out->failed;
}
