/* openai_tap: what answers and streams tell about themselves, without touching them.
 *
 * Stream events are many and small, so most are decided by one quick look for the few key names that
 * matter. In JSON text `"usage"` followed by a colon is a key at some depth and nothing else: inside
 * a string the quotes would be escaped. Only an event that has such a key is read member by member.
 * Cursors never leave their text, so an event that isn't JSON is harmless: it passes. */
#include "base/json_lex.h"
#include "chat/openai.h"

enum { SEES_USAGE = 1, SEES_FINISH = 2, SEES_ERROR = 4, SEES_TOOLS = 8, SEES_NULL_USAGE = 16 };

static const char *skip_space(const char *p, const char *end) {
    while (p < end && json_space(*p)) p++;
    return p;
}

/* ---- finish reasons ---- */

static const struct {
    str name;
    enum finish finish;
} reasons[] = {
    {STR_INIT("stop"), FINISH_STOP},
    {STR_INIT("length"), FINISH_LENGTH},
    {STR_INIT("tool_calls"), FINISH_TOOLS},
    {STR_INIT("function_call"), FINISH_TOOLS},
    {STR_INIT("content_filter"), FINISH_FILTER},
    {STR_INIT("eos"), FINISH_STOP}, /* Together */
    {STR_INIT("end_turn"), FINISH_STOP},
    {STR_INIT("stop_sequence"), FINISH_STOP},
    {STR_INIT("max_tokens"), FINISH_LENGTH},
    {STR_INIT("model_length"), FINISH_LENGTH}, /* Mistral */
    {STR_INIT("max_output_tokens"), FINISH_LENGTH},
    {STR_INIT("tool_use"), FINISH_TOOLS},
    {STR_INIT("safety"), FINISH_FILTER},
};

/* An empty reason (Snowflake) says no more than that it ended. */
static enum finish finish_of(jval reason) {
    if (reason.type != J_STRING) return FINISH_NONE;
    if (!reason.raw.n) return FINISH_STOP;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (json_is(reason, reasons[i].name)) return reasons[i].finish;
    return FINISH_OTHER;
}

static void set_finish(struct answer *a, enum finish f) {
    if (f != FINISH_NONE) a->finish = (uint8_t)f;
    if (a->tools && (a->finish == FINISH_STOP || a->finish == FINISH_OTHER)) a->finish = FINISH_TOOLS;
}

/* ---- the parts that answers and events share ---- */

static void set_id(struct answer *a, jval id) {
    if (a->id_len || id.type != J_STRING || id.esc) return;
    str cut = str_take(id.raw, sizeof a->id);
    memcpy(a->id, cut.p, cut.n);
    a->id_len = (uint8_t)cut.n;
}

/* Usage replaces what an earlier event said: it is cumulative wherever it comes more than once. */
static void set_usage(struct answer *a, jval usage) {
    struct usage u = {.service_tier = a->usage.service_tier};
    u.units[USAGE_SEARCH] = a->usage.units[USAGE_SEARCH];
    if (openai_usage(usage, &u)) a->usage = u;
    if (usage.type == J_OBJECT) usage_tier(json_get(usage, STR("service_tier")), &a->usage);
}

static void set_error(struct answer *a, jval error) {
    if (error.type == J_OBJECT || error.type == J_STRING || error.type == J_TRUE) a->error = true;
}

static bool filled(jval v) {
    return (v.type == J_STRING || v.type == J_ARRAY || v.type == J_OBJECT) &&
           v.raw.n > (v.type == J_STRING ? 0 : 2);
}

/* A message or a delta: anything but its role and empty members is content. */
static void read_message(struct answer *a, jval message) {
    str key;
    bool esc;
    jval v;
    for (jiter it = json_iter(message); json_next(&it, &key, &esc, &v);) {
        if (!filled(v) || json_key_eq(key, esc, STR("role"))) continue;
        a->content = true;
        if (json_key_eq(key, esc, STR("tool_calls")) || json_key_eq(key, esc, STR("function_call")))
            a->tools = true;
    }
}

/* Adds the strings behind a key to the estimate; whether there were any. In JSON text a quoted name
 * and a colon can't stand inside a string. */
static bool count_behind(struct answer *a, str data, str key) {
    bool found = false;
    for (ptrdiff_t at; (at = str_find(data, key)) >= 0;) {
        data = str_skip(data, (size_t)at + key.n);
        jval v = json_value_at(data.p, data.p + data.n);
        if (v.type != J_STRING) continue;
        tokens_add(&a->text, v.raw, true);
        found = true;
    }
    return found;
}

/* The text of an answer, counted for the case that no usage comes (none sent, or cut off before). */
static void count_text(struct answer *a, str data, bool responses) {
    if (responses) {
        if (!count_behind(a, data, STR("\"delta\":"))) count_behind(a, data, STR("\"text\":"));
        return;
    }
    if (count_behind(a, data, STR("\"content\":"))) return;
    count_behind(a, data, STR("\"text\":"));
    count_behind(a, data, STR("\"arguments\":"));
    count_behind(a, data, STR("\"reasoning_content\":"));
}

static void read_choices(struct answer *a, jval choices) {
    str key;
    bool esc;
    jval choice, v;
    enum finish f = FINISH_NONE;
    for (jiter it = json_iter(choices); choices.type == J_ARRAY && json_item(&it, &choice);) {
        for (jiter in = json_iter(choice); choice.type == J_OBJECT && json_next(&in, &key, &esc, &v);) {
            if (json_key_eq(key, esc, STR("finish_reason"))) {
                if (f == FINISH_NONE) f = finish_of(v);
            } else if (json_key_eq(key, esc, STR("delta")) || json_key_eq(key, esc, STR("message"))) {
                read_message(a, v);
            } else if (json_key_eq(key, esc, STR("text")) && filled(v)) {
                a->content = true;
            }
        }
    }
    set_finish(a, f);
}

/* ---- Responses objects ---- */

static void read_items(struct answer *a, jval output) {
    jval item;
    int64_t searches = openai_searches(output);
    for (jiter it = json_iter(output); output.type == J_ARRAY && json_item(&it, &item);) {
        jval type = json_get(item, STR("type"));
        if (type.type != J_STRING) continue;
        a->content = true;
        if (json_is(type, STR("function_call")) || json_is(type, STR("custom_tool_call"))) a->tools = true;
    }
    if (searches && !a->usage.units[USAGE_SEARCH]) a->usage.units[USAGE_SEARCH] = searches;
}

static void read_response(struct answer *a, jval response) {
    jval status = json_get(response, STR("status"));
    set_id(a, json_get(response, STR("id")));
    usage_tier(json_get(response, STR("service_tier")), &a->usage);
    set_usage(a, json_get(response, STR("usage")));
    read_items(a, json_get(response, STR("output")));
    set_error(a, json_get(response, STR("error")));
    if (json_is(status, STR("completed"))) {
        set_finish(a, FINISH_STOP);
    } else if (json_is(status, STR("incomplete"))) {
        enum finish f = finish_of(json_path(response, "incomplete_details", "reason", NULL));
        set_finish(a, f == FINISH_NONE ? FINISH_OTHER : f);
    } else if (json_is(status, STR("failed"))) {
        a->error = true;
        set_finish(a, FINISH_OTHER);
    }
}

/* ---- whole answers ---- */

/* Whether `body` is one object or list, as far as its brackets and strings tell: what a provider's own JSON can
 * lack is its end. Its insides pass as they are, and cursors are safe on any text. */
static bool closed(str body, jval *root) {
    str text = str_trim(body);
    const char *end = text.p + text.n;
    if (!text.n || (text.p[0] != '{' && text.p[0] != '[')) return json_check(body, root, NULL, NULL);
    *root = (jval){.raw = text, .type = text.p[0] == '{' ? J_OBJECT : J_ARRAY};
    return json_close(text.p + 1, end) == end;
}

/* False when the members are none. */
static bool read_whole(struct answer *a, jval root) {
    str key;
    bool esc;
    jval v;
    jiter it = json_iter(root);
    const char *at = it.p;
    for (; root.type == J_OBJECT && json_next(&it, &key, &esc, &v); at = it.p) {
        if (json_key_eq(key, esc, STR("object")) && json_is(v, STR("response"))) {
            read_response(a, root);
            return true;
        }
        if (json_key_eq(key, esc, STR("id")))
            set_id(a, v);
        else if (json_key_eq(key, esc, STR("usage")))
            set_usage(a, v);
        else if (json_key_eq(key, esc, STR("x_groq")) && v.type == J_OBJECT)
            set_usage(a, json_get(v, STR("usage")));
        else if (json_key_eq(key, esc, STR("choices")))
            read_choices(a, v);
        else if (json_key_eq(key, esc, STR("service_tier")))
            usage_tier(v, &a->usage);
        else if (json_key_eq(key, esc, STR("error")))
            set_error(a, v);
        else if (json_key_eq(key, esc, STR("data")) && filled(v))
            a->content = true;
    }
    return root.type != J_OBJECT || skip_space(at, it.end) == it.end;
}

void openai_answer_read(struct answer *a, str body) {
    jval root;
    if (!closed(body, &root) || !read_whole(a, root)) return;
    a->done = true;
    if (a->usage.source == TOKENS_NONE)
        count_text(a, body, json_is(json_get(root, STR("object")), STR("response")));
}

void openai_answer_read_tail(struct answer *a, str tail) {
    static const str key = STR_INIT("\"usage\":");
    str rest = tail, at = STR_NONE;
    for (ptrdiff_t k; (k = str_find(rest, key)) >= 0;) rest = at = str_skip(rest, (size_t)k + key.n);
    a->done = a->content = true;
    if (!at.p) return;
    jval v = json_value_at(at.p, at.p + at.n), usage;
    if (v.type == J_OBJECT && json_check(v.raw, &usage, NULL, NULL)) set_usage(a, usage);
}

/* ---- streams ---- */

/* What follows the colon behind a key name, NULL when there is none: then it is not a key. */
static const char *value_behind(const char *p, const char *end) {
    p = skip_space(p, end);
    if (p == end || *p != ':') return NULL;
    p = skip_space(p + 1, end);
    return p < end ? p : NULL;
}

/* What was seen of the keys that matter, at whatever depth. */
struct seen {
    unsigned what;
    const char *null_usage; /* the newest "usage":null: its opening quote, and its value */
    const char *null_value;
};

static bool is_key(const char *p, const char *end, const char *name, size_t n, const char **value) {
    return (size_t)(end - p) > n && !memcmp(p, name, n) && (*value = value_behind(p + n, end));
}

/* p is at a quote. */
static void look_at(struct seen *s, const char *p, const char *end) {
    const char *v;
    if (is_key(p, end, "\"usage\"", 7, &v)) {
        s->what |= *v == 'n' ? SEES_NULL_USAGE : SEES_USAGE;
        if (*v == 'n') s->null_usage = p, s->null_value = v;
    } else if (is_key(p, end, "\"finish_reason\"", 15, &v)) {
        if (*v == '"') s->what |= SEES_FINISH;
    } else if (is_key(p, end, "\"error\"", 7, &v)) {
        if (*v != 'n') s->what |= SEES_ERROR;
    } else if (is_key(p, end, "\"tool_calls\"", 12, &v)) {
        if (*v == '[') s->what |= SEES_TOOLS;
    }
}

static inline bool may_be(const char *p) {
    return *p == '"' && (p[1] == 'u' || p[1] == 'f' || p[1] == 'e' || p[1] == 't');
}

/* Bits where a key that matters may begin, of 16 bytes (17 are read). */
#if JSON_SSE2
static inline unsigned may_be16(const char *p) {
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + 1));
    /* u and t, e and f: differ in the lowest bits */
    __m128i ut = _mm_cmpeq_epi8(_mm_or_si128(b, _mm_set1_epi8(1)), _mm_set1_epi8('u'));
    __m128i ef = _mm_or_si128(_mm_cmpeq_epi8(b, _mm_set1_epi8('e')), _mm_cmpeq_epi8(b, _mm_set1_epi8('f')));
    __m128i quote = _mm_cmpeq_epi8(a, _mm_set1_epi8('"'));
    return (unsigned)_mm_movemask_epi8(_mm_and_si128(quote, _mm_or_si128(ut, ef)));
}
#else
static inline unsigned may_be16(const char *p) {
    unsigned m = 0;
    for (unsigned i = 0; i < 16; i++) m |= may_be(p + i) ? 1u << i : 0;
    return m;
}
#endif

static struct seen look(str data) {
    struct seen s = {0};
    const char *p = data.p, *end = data.p + data.n;
    for (; end - p > 16; p += 16)
        for (unsigned m = may_be16(p); m; m &= m - 1) look_at(&s, p + __builtin_ctz(m), end);
    for (; end - p > 1; p++)
        if (may_be(p)) look_at(&s, p, end);
    return s;
}

/* Reads a chunk member by member. `cut` gets the place of a top-level `"usage":null` with its comma. */
struct chunk {
    bool extra; /* the usage chunk: no choices, usage */
    const char *cut, *cut_end;
};

static void read_chunk(struct answer *a, jval root, struct chunk *c) {
    str key;
    bool esc;
    jval v, choices = {0}, usage = {0};
    const char *before = NULL;
    for (jiter it = json_iter(root); json_next(&it, &key, &esc, &v);) {
        if (json_key_eq(key, esc, STR("choices"))) {
            choices = v;
        } else if (json_key_eq(key, esc, STR("usage"))) {
            usage = v;
            c->cut = v.type != J_NULL ? NULL : before ? before : key.p - 1;
            c->cut_end = v.raw.p + v.raw.n;
        } else if (json_key_eq(key, esc, STR("id"))) {
            set_id(a, v);
        } else if (json_key_eq(key, esc, STR("service_tier"))) {
            usage_tier(v, &a->usage);
        } else if (json_key_eq(key, esc, STR("error"))) {
            set_error(a, v);
        } else if (json_key_eq(key, esc, STR("x_groq")) && v.type == J_OBJECT) {
            set_usage(a, json_get(v, STR("usage")));
            set_error(a, json_get(v, STR("error")));
        }
        before = v.raw.p + v.raw.n + (v.type == J_STRING);
    }
    read_choices(a, choices);
    set_usage(a, usage);
    jval one;
    jiter in = json_iter(choices);
    c->extra = usage.type == J_OBJECT && choices.type == J_ARRAY && !json_item(&in, &one);
}

/* The data without [from, to); where nothing stands before it, the comma behind goes with it. */
static enum tap_verdict cut(str data, const char *from, const char *to, buf *out) {
    const char *end = data.p + data.n, *comma = skip_space(to, end);
    if (*from == '"' && comma < end && *comma == ',') to = skip_space(comma + 1, end);
    buf_clear(out);
    buf_add(out, data.p, (size_t)(from - data.p));
    buf_add(out, to, (size_t)(end - to));
    return TAP_REPLACE;
}

/* The usual case, quickly: only short members stand between "usage":null and the end of the object,
 * which proves that it is a member of the object itself. */
static bool cut_near_end(const struct seen *s, str data, buf *out) {
    const char *end = data.p + data.n, *from = s->null_usage, *to = s->null_value + 4, *p = to;
    if (end - to < 1 || end - to > 128) return false;
    for (p = skip_space(p, end); p < end && *p == ',';) {
        jval key = json_value_at(p + 1, end);
        if (key.type != J_STRING || key.raw.p + key.raw.n >= end) return false;
        const char *v = value_behind(key.raw.p + key.raw.n + 1, end);
        jval value = v ? json_value_at(v, end) : (jval){0};
        if (value.type == J_NONE) return false;
        p = skip_space(value.raw.p + value.raw.n + (value.type == J_STRING), end);
    }
    if (p >= end || *p != '}' || skip_space(p + 1, end) != end) return false;
    while (from > data.p && json_space(from[-1])) from--;
    if (from == data.p || (from[-1] != ',' && from[-1] != '{')) return false;
    cut(data, from[-1] == ',' ? from - 1 : s->null_usage, to, out);
    return true;
}

static enum tap_verdict tap_chunk(struct answer *a, str data, bool strip, buf *out) {
    struct seen s = look(data);
    if (s.what & SEES_TOOLS) a->tools = true;
    if (a->content &&
        !(s.what & (SEES_USAGE | SEES_FINISH | SEES_ERROR))) { /* until there is content, all are read */
        if (!strip || !(s.what & SEES_NULL_USAGE)) return TAP_PASS;
        if (cut_near_end(&s, data, out)) return TAP_REPLACE;
    }
    jval root;
    if (!json_check(data, &root, NULL, NULL) || root.type != J_OBJECT) return TAP_PASS; /* not ours to touch */
    struct chunk c = {0};
    read_chunk(a, root, &c);
    if (!strip) return TAP_PASS;
    if (c.extra) return TAP_DROP;
    return c.cut ? cut(data, c.cut, c.cut_end, out) : TAP_PASS;
}

/* Responses events name themselves; few of them matter. */
static void tap_response(struct answer *a, str event, str data) {
    jval root = {0};
    if (!event.n) {
        if (!json_check(data, &root, NULL, NULL)) return;
        event = json_get(root, STR("type")).raw;
    }
    bool end = str_eq(event, STR("response.completed")) || str_eq(event, STR("response.incomplete")) ||
               str_eq(event, STR("response.failed"));
    if (str_ends(event, STR(".delta"))) a->content = true;
    if (str_eq(event, STR("error"))) a->error = true;
    if (!end && !(str_eq(event, STR("response.created")) && !a->id_len)) return;
    if (root.type == J_NONE && !json_check(data, &root, NULL, NULL)) return;
    jval response = json_get(root, STR("response"));
    if (end) a->done = true;
    if (end)
        read_response(a, response);
    else
        set_id(a, json_get(response, STR("id")));
}

enum tap_verdict openai_tap(struct answer *a, str event, str data, bool strip, bool responses, buf *out) {
    if (str_eq(str_trim(data), STR("[DONE]"))) {
        a->done = true;
        return TAP_PASS;
    }
    if (!responses || str_ends(event, STR(".delta"))) count_text(a, data, responses);
    if (responses) {
        tap_response(a, event, data);
        return TAP_PASS;
    }
    if (str_eq(event, STR("error"))) a->error = true;
    return tap_chunk(a, data, strip, out);
}
