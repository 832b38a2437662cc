/* chat_build: the bricks that readers and writers of all dialects share. */
#include "base/base64.h"
#include "chat/chat_int.h"

#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- the account ---- */

void chat_lose(struct chat_account *acc, bool meaning, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    str field = arena_vprintf(acc->a, fmt, ap);
    va_end(ap);
    for (struct chat_lost *l = acc->first; l; l = l->next)
        if (str_eq(l->field, field)) {
            l->meaning |= meaning;
            return;
        }
    struct chat_lost *l = arena_new(acc->a, struct chat_lost);
    *l = (struct chat_lost){.field = field, .meaning = meaning};
    if (acc->last)
        acc->last->next = l;
    else
        acc->first = l;
    acc->last = l;
}

str chat_lost_meaning(const struct chat_account *acc) {
    for (const struct chat_lost *l = acc->first; l; l = l->next)
        if (l->meaning) return l->field;
    return STR_NONE;
}

void chat_lost_list(const struct chat_account *acc, buf *out) {
    for (const struct chat_lost *l = acc->first; l; l = l->next) {
        if (l != acc->first) buf_strz(out, ", ");
        buf_str(out, l->field);
    }
}

/* ---- text ---- */

jtext jt_plain(arena *a, str s) {
    if (!s.n) return JT_NONE;
    size_t most = s.n * 6 + 2;
    buf b = {.p = arena_alloc(a, most), .cap = most, .max = most};
    jw w;
    jw_init(&w, &b);
    jw_string(&w, s);
    return (jtext){str_make(b.p + 1, b.n - 2)};
}

jtext chat_escape(arena *a, str json) { return jt_plain(a, json); }

str jt_str(jtext t, arena *a) {
    bool esc = t.raw.n && memchr(t.raw.p, '\\', t.raw.n);
    return json_text((jval){.raw = t.raw, .type = J_STRING, .esc = esc}, a);
}

void jw_jt(jw *w, jtext t) {
    jw_raw(w, STR("\"")); /* takes care of the comma */
    buf_str(w->b, t.raw);
    buf_char(w->b, '"');
}

void jw_kjt(jw *w, const char *key, jtext t) {
    jw_key(w, key);
    jw_jt(w, t);
}

void jw_kjt_if(jw *w, const char *key, jtext t) {
    if (jt_has(t)) jw_kjt(w, key, t);
}

void jw_kraw_if(jw *w, const char *key, str json) {
    if (!json.n) return;
    jw_key(w, key);
    jw_raw(w, json);
}

void jw_kstr(jw *w, const char *key, str plain) {
    jw_key(w, key);
    jw_string(w, plain);
}

void jw_ki64(jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    jw_i64(w, v);
}

void jw_kbool(jw *w, const char *key, bool v) {
    jw_key(w, key);
    jw_bool(w, v);
}

void jw_kobject(jw *w, const char *key) {
    jw_key(w, key);
    jw_object(w);
}

void jw_karray(jw *w, const char *key) {
    jw_key(w, key);
    jw_array(w);
}

void jw_knull(jw *w, const char *key) {
    jw_key(w, key);
    jw_null(w);
}

void jw_parts_text(jw *w, const struct chat_part *parts) {
    jw_raw(w, STR("\""));
    for (const struct chat_part *p = parts; p; p = p->next)
        if (p->type == PART_TEXT || p->type == PART_REFUSAL) buf_str(w->b, p->text.raw);
    buf_char(w->b, '"');
}

/* ---- members ---- */

void chat_pick(jval object, const str names[], jval out[], size_t n) {
    str key;
    bool esc;
    jval v;
    for (size_t i = 0; i < n; i++) out[i] = (jval){.type = J_NONE};
    if (object.type != J_OBJECT) return;
    for (jiter it = json_iter(object); json_next(&it, &key, &esc, &v);)
        for (size_t i = 0; i < n; i++)
            if (out[i].type == J_NONE && json_key_eq(key, esc, names[i])) {
                out[i] = v;
                break;
            }
}

static const struct chat_member *member_of(const struct chat_member *table, size_t n, str key, bool esc) {
    for (size_t i = 0; i < n; i++)
        if (json_key_eq(key, esc, table[i].name)) return &table[i];
    return NULL;
}

/* Nothing in it: an empty object or array. */
static bool is_empty(jval v) {
    str inside = v.type == J_OBJECT || v.type == J_ARRAY ? str_trim(str_make(v.raw.p + 1, v.raw.n - 2)) : v.raw;
    return (v.type == J_OBJECT || v.type == J_ARRAY) && !inside.n;
}

bool chat_read_members(struct chat_request *r, jval root, const struct chat_member *table, size_t n, str *param,
                       err *e) {
    str key;
    bool esc;
    jval v;
    if (root.type != J_OBJECT) return fail(e, "The request body must be a JSON object.");
    for (jiter it = json_iter(root); json_next(&it, &key, &esc, &v);) {
        if (v.type == J_NULL) continue;
        const struct chat_member *m = member_of(table, n, key, esc);
        if (!m || !m->read) {
            chat_lose(&r->lost, !m && !is_empty(v), STR_FMT, STR_ARG(str_take(key, 64)));
            continue;
        }
        if (m->read(r, v, e)) continue;
        *param = m->name;
        return false;
    }
    return true;
}

/* ---- building ---- */

struct chat_message *chat_message_add(struct chat_request *r, enum chat_role role) {
    struct chat_message *m = arena_new(r->a, struct chat_message);
    m->role = (uint8_t)role;
    if (r->last)
        r->last->next = m;
    else
        r->messages = m;
    r->last = m;
    r->message_count++;
    return m;
}

struct chat_part *chat_part_add(arena *a, struct chat_part **first, struct chat_part **last,
                                enum chat_part_type type) {
    struct chat_part *p = arena_new(a, struct chat_part);
    p->type = (uint8_t)type;
    if (*last)
        (*last)->next = p;
    else
        *first = p;
    *last = p;
    return p;
}

struct chat_part *chat_add(struct chat_request *r, struct chat_message *m, enum chat_part_type type) {
    return chat_part_add(r->a, &m->parts, &m->last, type);
}

struct chat_tool *chat_tool_add(struct chat_request *r, err *e) {
    if (r->tool_count >= CHAT_TOOLS_MAX) {
        fail(e, "More than %d tools.", CHAT_TOOLS_MAX);
        return NULL;
    }
    struct chat_tool *t = arena_new(r->a, struct chat_tool);
    t->strict = -1;
    if (r->last_tool)
        r->last_tool->next = t;
    else
        r->tools = t;
    r->last_tool = t;
    r->tool_count++;
    return t;
}

void chat_stop_add(struct chat_request *r, jtext text) {
    struct chat_strings **at = &r->stops;
    while (*at) at = &(*at)->next;
    *at = arena_new(r->a, struct chat_strings);
    (*at)->text = text;
}

jtext chat_mime(jtext mime) {
    ptrdiff_t more = str_chr(mime.raw, ';'); /* parameters; those of sound say how it is to be read */
    if (more >= 0 && !str_starts(mime.raw, STR("audio/"))) mime.raw = str_take(mime.raw, (size_t)more);
    return str_eqz(mime.raw, "image/jpg") ? JT("image/jpeg")
                                          : mime; /* a name that many use and no provider knows */
}

void chat_media_url(struct chat_part *p, jtext url) {
    str s = url.raw, comma = STR(";base64,");
    ptrdiff_t at = str_starts(s, STR("data:")) ? str_find(str_take(s, 256), comma) : -1;
    if (at < 0) {
        p->url = url;
        return;
    }
    p->mime = chat_mime((jtext){str_make(s.p + 5, (size_t)at - 5)});
    p->data = (jtext){str_skip(s, (size_t)at + comma.n)};
}

static str decoded(arena *a, str in) {
    char *out = arena_alloc(a, BASE64_ROOM(in.n));
    return str_make(out, base64_decode(in, out));
}

void chat_plain_files(arena *a, struct chat_part *parts) {
    for (struct chat_part *p = parts; p; p = p->next) {
        if (p->parts) chat_plain_files(a, p->parts); /* results hold no results */
        bool text = str_starts(p->mime.raw, STR("text/")) || str_eqz(p->mime.raw, "application/json");
        if (p->type != PART_FILE || !jt_has(p->data) || !text) continue;
        p->type = PART_TEXT;
        p->text = jt_plain(a, decoded(a, p->data.raw));
        p->data = JT_NONE;
    }
}

str chat_one_line(arena *a, str json) {
    if (str_chr(json, '\n') < 0 && str_chr(json, '\r') < 0) return json;
    char *out = arena_alloc(a, json.n);
    for (size_t i = 0; i < json.n; i++) out[i] = json.p[i] == '\n' || json.p[i] == '\r' ? ' ' : json.p[i];
    return str_make(out, json.n);
}

str chat_args(arena *a, jtext text) {
    str plain = str_trim(jt_str(text, a));
    jval v;
    if (!plain.n) return STR("{}");
    if (json_check(plain, &v, NULL, NULL) && v.type == J_OBJECT) return chat_one_line(a, plain);
    return arena_printf(a, "{\"arguments\":\"" STR_FMT "\"}",
                        STR_ARG(text.raw)); /* a model's slip: kept, as a string */
}

/* ---- turns ---- */

const struct chat_message *chat_turn_end(const struct chat_message *m) {
    uint8_t role = m->role;
    while (m && (m->role == role || m->role == CHAT_SYSTEM)) m = m->next;
    return m;
}

bool chat_turn_says(const struct chat_message *m, const struct chat_message *end, enum chat_dialect to) {
    for (; m != end; m = m->next)
        for (const struct chat_part *p = m->role == CHAT_SYSTEM ? NULL : m->parts; p; p = p->next) {
            bool text = p->type == PART_TEXT || p->type == PART_REFUSAL;
            jtext must = text ? p->text : chat_signature_for(to, p->redacted ? p->text : p->signature);
            if ((!text && p->type != PART_THINKING) || jt_has(must)) return true;
        }
    return false;
}

/* ---- ids ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static void id_letters(char *out, size_t n, uint64_t seed) {
    struct rng g;
    rng_seed(&g, seed);
    for (size_t i = 0; i < n; i++) out[i] = alphabet[rng_next(&g) % (sizeof alphabet - 1)];
}

static bool id_plain(char c, bool only_alnum) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!only_alnum && (c == '_' || c == '-'));
}

jtext chat_fit_id(arena *a, jtext id, size_t max, size_t exact) {
    bool good = exact ? id.raw.n == exact : id.raw.n > 0 && id.raw.n <= max;
    for (size_t i = 0; good && i < id.raw.n; i++) good = id_plain(id.raw.p[i], exact > 0);
    if (good) return id;
    size_t n = exact ? exact : max < 24 ? max : 24;
    char *out = arena_alloc(a, n);
    id_letters(out, n, fingerprint(id.raw));
    return (jtext){str_make(out, n)};
}

jtext chat_user(arena *a, jtext user) { return user.raw.n <= 64 ? user : chat_fit_id(a, user, 64, 0); }

jtext chat_mint_id(arena *a, const char *prefix, uint64_t seed, uint64_t number) {
    size_t n = strlen(prefix);
    char *out = arena_alloc(a, n + 24);
    memcpy(out, prefix, n);
    id_letters(out + n, 24, seed * 0x9E3779B97F4A7C15u + number + 1);
    return (jtext){str_make(out, n + 24)};
}

jtext chat_call_name(const struct chat_request *r, jtext id) {
    for (const struct chat_message *m = r->messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next)
            if (p->type == PART_CALL && str_eq(p->id.raw, id.raw)) return p->name;
    return JT_NONE;
}

/* ---- signatures ---- */

/* Eight characters of the base64 alphabet, so that what decodes the whole (Google's SDKs do) still can. */
static const str sign_mark[CHAT_DIALECTS] = {STR_INIT("drayChat"), STR_INIT("drayResp"), STR_INIT("drayAnth"),
                                             STR_INIT("drayGemi"), STR_INIT("drayBedr"), STR_INIT("drayCohe")};

jtext chat_sign(arena *a, enum chat_dialect d, jtext signature) {
    if (!jt_has(signature)) return JT_NONE;
    return (jtext){arena_printf(a, STR_FMT STR_FMT, STR_ARG(sign_mark[d]), STR_ARG(signature.raw))};
}

jtext chat_signature_for(enum chat_dialect d, jtext signature) {
    if (!str_starts(signature.raw, sign_mark[d])) return JT_NONE;
    return (jtext){str_skip(signature.raw, sign_mark[d].n)};
}

/* ---- schemas ---- */

str chat_schema(struct chat_account *acc, str schema) {
    jval root = json_value_at(schema.p, schema.p + schema.n), v;
    str key;
    bool esc;
    if (json_get(root, STR("$schema")).type == J_NONE) return schema;
    chat_lose(acc, false, "$schema");
    buf b = {.p = arena_alloc(acc->a, schema.n + 2), .cap = schema.n + 2, .max = schema.n + 2};
    jw w;
    jw_init(&w, &b);
    jw_object(&w);
    for (jiter it = json_iter(root); json_next(&it, &key, &esc, &v);) {
        if (json_key_eq(key, esc, STR("$schema"))) continue;
        const char *end = v.raw.p + v.raw.n + (v.type == J_STRING);
        jw_raw(&w, str_make(key.p - 1, (size_t)(end - key.p + 1)));
    }
    jw_object_end(&w);
    return buf_view(&b);
}

/* ---- effort ---- */

static const struct {
    str word;
    int64_t budget;
} efforts[] = {
    [EFFORT_UNSAID] = {STR_INIT(""), 0},
    [EFFORT_OFF] = {STR_INIT("none"), 0},
    [EFFORT_MINIMAL] = {STR_INIT("minimal"), 1024},
    [EFFORT_LOW] = {STR_INIT("low"), 2048},
    [EFFORT_MEDIUM] = {STR_INIT("medium"), 8192},
    [EFFORT_HIGH] = {STR_INIT("high"), 16384},
    [EFFORT_MAX] = {STR_INIT("xhigh"), 32768},
    [EFFORT_ADAPTIVE] = {STR_INIT("medium"), 8192},
};

const char *chat_effort_word(uint8_t effort) { return efforts[effort].word.p; }
int64_t chat_effort_budget(uint8_t effort) { return efforts[effort].budget; }

uint8_t chat_effort_of(jval word) {
    for (uint8_t i = EFFORT_OFF; i < EFFORT_ADAPTIVE; i++)
        if (json_is(word, efforts[i].word)) return i;
    return json_is(word, STR("max")) ? EFFORT_MAX : EFFORT_UNSAID;
}

uint8_t chat_budget_effort(int64_t budget) {
    uint8_t effort = EFFORT_LOW;
    while (effort < EFFORT_MAX && budget > efforts[effort].budget) effort++;
    return effort;
}

/* ---- numbers ---- */

int64_t chat_in(const struct usage *u) { return usage_input_tokens(u); }
int64_t chat_out(const struct usage *u) { return usage_output_tokens(u); }

bool chat_above(str number, double limit) {
    double v;
    return json_f64((jval){.raw = number, .type = J_NUMBER}, &v) && v > limit;
}

static bool nonzero(str number) { return chat_above(number, 0) || (number.n && number.p[0] == '-'); }

void chat_lose_top_k(const struct chat_request *r, struct chat_account *acc) {
    if (r->top_k.n) chat_lose(acc, !chat_above(r->top_k, 31), "top_k");
}

void chat_lose_penalties(const struct chat_request *r, struct chat_account *acc) {
    if (r->presence.n) chat_lose(acc, nonzero(r->presence), "presence_penalty");
    if (r->frequency.n) chat_lose(acc, nonzero(r->frequency), "frequency_penalty");
}

void chat_lose_serial(const struct chat_request *r, struct chat_account *acc) {
    if (r->parallel == 0 && r->tools) chat_lose(acc, r->tool_choice != TOOLS_NAMED, "parallel_tool_calls");
}
