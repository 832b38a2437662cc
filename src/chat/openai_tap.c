/* openai_tap: what answers and streams tell about themselves, without touching them.
 *
 * Stream events are many and small, so most are decided by one quick look for the few key names that
 * matter. In JSON text `"usage"` followed by a colon is a key at some depth and nothing else: inside
 * a string the quotes would be escaped. Only an event that has such a key is read member by member.
 * Cursors never leave their text, so an event that isn't JSON is harmless: it passes. */
#include "chat/openai.h"

enum { SEES_USAGE = 1, SEES_FINISH = 2, SEES_ERROR = 4, SEES_TOOLS = 8, SEES_NULL_USAGE = 16 };

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

static void set_tier(struct answer *a, jval tier) {
    if (json_is(tier, STR("flex")))
        a->usage.service_tier = SERVICE_FLEX;
    else if (json_is(tier, STR("priority")))
        a->usage.service_tier = SERVICE_PRIORITY;
    else if (json_is(tier, STR("batch")))
        a->usage.service_tier = SERVICE_BATCH;
}

/* Usage replaces what an earlier event said: it is cumulative wherever it comes more than once. */
static void set_usage(struct answer *a, jval usage) {
    struct usage u = {.service_tier = a->usage.service_tier};
    u.units[USAGE_SEARCH] = a->usage.units[USAGE_SEARCH];
    if (openai_usage(usage, &u)) a->usage = u;
    if (usage.type == J_OBJECT) set_tier(a, json_get(usage, STR("service_tier")));
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
    int64_t searches = 0;
    for (jiter it = json_iter(output); output.type == J_ARRAY && json_item(&it, &item);) {
        jval type = json_get(item, STR("type"));
        if (type.type != J_STRING) continue;
        a->content = true;
        if (json_is(type, STR("function_call")) || json_is(type, STR("custom_tool_call"))) a->tools = true;
        if (json_is(type, STR("web_search_call"))) searches++;
    }
    if (searches && !a->usage.units[USAGE_SEARCH]) a->usage.units[USAGE_SEARCH] = searches;
}

static void read_response(struct answer *a, jval response) {
    jval status = json_get(response, STR("status"));
    set_id(a, json_get(response, STR("id")));
    set_tier(a, json_get(response, STR("service_tier")));
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

void openai_answer_read(struct answer *a, str body) {
    jval root;
    str key;
    bool esc;
    jval v;
    if (!json_check(body, &root, NULL, NULL)) return;
    a->done = true;
    if (json_is(json_get(root, STR("object")), STR("response"))) {
        read_response(a, root);
        return;
    }
    for (jiter it = json_iter(root); root.type == J_OBJECT && json_next(&it, &key, &esc, &v);) {
        if (json_key_eq(key, esc, STR("id")))
            set_id(a, v);
        else if (json_key_eq(key, esc, STR("usage")))
            set_usage(a, v);
        else if (json_key_eq(key, esc, STR("x_groq")) && v.type == J_OBJECT)
            set_usage(a, json_get(v, STR("usage")));
        else if (json_key_eq(key, esc, STR("choices")))
            read_choices(a, v);
        else if (json_key_eq(key, esc, STR("service_tier")))
            set_tier(a, v);
        else if (json_key_eq(key, esc, STR("error")))
            set_error(a, v);
        else if (json_key_eq(key, esc, STR("data")) && filled(v))
            a->content = true;
    }
}

/* ---- streams ---- */

/* Whether a key name ends at p (behind its closing quote): only then a colon follows. */
static const char *value_behind(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    if (p == end || *p != ':') return NULL;
    for (p++; p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t');) p++;
    return p < end ? p : NULL;
}

static bool is_name(const char *p, const char *end, const char *name, size_t n, const char **value) {
    return (size_t)(end - p) > n && !memcmp(p, name, n) && (*value = value_behind(p + n, end));
}

/* Which of the keys that matter are in the text at all. */
static unsigned look(str data) {
    unsigned sees = 0;
    const char *end = data.p + data.n, *v;
    for (const char *p = data.p; (p = memchr(p, '"', (size_t)(end - p))); p++) {
        switch (p + 1 < end ? p[1] : 0) {
        case 'u':
            if (is_name(p, end, "\"usage\"", 7, &v)) sees |= *v == 'n' ? SEES_NULL_USAGE : SEES_USAGE;
            break;
        case 'f':
            if (is_name(p, end, "\"finish_reason\"", 15, &v) && *v == '"') sees |= SEES_FINISH;
            break;
        case 'e':
            if (is_name(p, end, "\"error\"", 7, &v) && *v != 'n') sees |= SEES_ERROR;
            break;
        case 't':
            if (is_name(p, end, "\"tool_calls\"", 12, &v) && *v == '[') sees |= SEES_TOOLS;
            break;
        default: break;
        }
    }
    return sees;
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
            set_tier(a, v);
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

/* Cut as the first member: the comma behind it goes with it. */
static const char *behind_comma(const char *p, const char *end) {
    const char *q = p;
    while (q < end && (*q == ' ' || *q == '\n' || *q == '\r' || *q == '\t')) q++;
    if (q == end || *q != ',') return p;
    for (q++; q < end && (*q == ' ' || *q == '\n' || *q == '\r' || *q == '\t');) q++;
    return q;
}

static enum tap_verdict tap_chunk(struct answer *a, str data, bool strip, buf *out) {
    unsigned sees = look(data);
    if (sees & SEES_TOOLS) a->tools = true;
    unsigned matters = SEES_USAGE | SEES_FINISH | SEES_ERROR | (strip ? SEES_NULL_USAGE : 0);
    if (a->content && !(sees & matters)) return TAP_PASS; /* until there is content, all are read */
    jval root = json_value_at(data.p, data.p + data.n);
    if (root.type != J_OBJECT || root.raw.p[root.raw.n - 1] != '}')
        return TAP_PASS; /* cut off: not ours to touch */
    struct chunk c = {0};
    read_chunk(a, root, &c);
    if (!strip) return TAP_PASS;
    if (c.extra) return TAP_DROP;
    if (!c.cut) return TAP_PASS;
    if (c.cut[0] == '"') c.cut_end = behind_comma(c.cut_end, data.p + data.n); /* no member before it */
    buf_clear(out);
    buf_add(out, data.p, (size_t)(c.cut - data.p));
    buf_add(out, c.cut_end, (size_t)(data.p + data.n - c.cut_end));
    return TAP_REPLACE;
}

/* Responses events name themselves; few of them matter. */
static void tap_response(struct answer *a, str event, str data) {
    jval root = {0};
    if (!event.n) {
        root = json_value_at(data.p, data.p + data.n);
        event = json_get(root, STR("type")).raw;
    }
    bool end = str_eq(event, STR("response.completed")) || str_eq(event, STR("response.incomplete")) ||
               str_eq(event, STR("response.failed"));
    if (str_ends(event, STR(".delta"))) a->content = true;
    if (str_eq(event, STR("error"))) a->error = true;
    if (!end && !(str_eq(event, STR("response.created")) && !a->id_len)) return;
    if (root.type == J_NONE) root = json_value_at(data.p, data.p + data.n);
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
    if (responses) {
        tap_response(a, event, data);
        return TAP_PASS;
    }
    if (str_eq(event, STR("error"))) a->error = true;
    return tap_chunk(a, data, strip, out);
}
