/* facts: tables, the compact form that the ledger keeps, and the long one that people read.
 *
 * Both forms and the reader walk one table of fields, so that a fact is one row. The compact form
 * is {"v":1,…} with the short keys of the table and default values left out; shares (confidence,
 * difficulty) are integers in 1/10000, hashes 16 hex digits, both because a JSON number would not
 * carry them exactly. Tags are "g":[…]; named headers and metadata "n":{"header.x":"…"}, null for one that the
 * call did not have: what is not listed was not asked for by any rule of its day, and is not known. */
#include "facts/facts.h"

enum { SHARE = 10000 };

enum field_type { F_TASK, F_SOURCE, F_STAKES, F_BOOL, F_U8, F_U16, F_U32, F_U64, F_SHARE, F_HASH, F_STR };

/* short key, contract name, type, member of struct facts, its default as facts_init has it */
#define FIELDS(X)                                                                                                 \
    X("t", "task", F_TASK, task, 0)                                                                               \
    X("ts", "task_source", F_SOURCE, task_source, 0)                                                              \
    X("tc", "task_confidence", F_SHARE, task_confidence, 0)                                                       \
    X("d", "difficulty", F_SHARE, difficulty, -1)                                                                 \
    X("s", "stakes", F_STAKES, stakes, STAKES_NORMAL)                                                             \
    X("sx", "stakes_hint", F_BOOL, stakes_hint, 0)                                                                \
    X("il", "input_length", F_U32, input_length, 0)                                                               \
    X("it", "input_tokens", F_U32, input_tokens, 0)                                                               \
    X("ot", "output_tokens", F_U32, output_tokens, 0)                                                             \
    X("tn", "turns", F_U16, turns, 0)                                                                             \
    X("st", "stream", F_BOOL, stream, 0)                                                                          \
    X("vi", "vision", F_BOOL, vision, 0)                                                                          \
    X("au", "audio", F_BOOL, audio, 0)                                                                            \
    X("to", "tools", F_BOOL, tools, 0)                                                                            \
    X("tl", "tool_count", F_U16, tool_count, 0)                                                                   \
    X("sc", "schema", F_BOOL, schema, 0)                                                                          \
    X("h", "hour", F_U8, hour, 0)                                                                                 \
    X("sh", "system_hash", F_HASH, system_hash, 0)                                                                \
    X("th", "template_hash", F_HASH, template_hash, 0)                                                            \
    X("gt", "guessed_task", F_TASK, guess, 0)                                                                     \
    X("gs", "guess_source", F_SOURCE, guess_source, 0)                                                            \
    X("gc", "guess_confidence", F_SHARE, guess_confidence, 0)                                                     \
    X("mc", "max_cost_nano", F_U64, max_cost, 0)                                                                  \
    X("ti", "tier_hint", F_STR, tier_hint, 0)                                                                     \
    X("sm", "semantic", F_STR, semantic, 0)                                                                       \
    X("sq", "semantic_score", F_SHARE, semantic_score, -1)                                                        \
    X("sv", "semantic_version", F_HASH, semantic_version, 0)                                                      \
    X("m", "model", F_STR, model, 0)                                                                              \
    X("k", "key", F_STR, key, 0)                                                                                  \
    X("te", "team", F_STR, team, 0)                                                                               \
    X("u", "user", F_STR, user, 0)                                                                                \
    X("se", "session", F_STR, session, 0)

static const struct field {
    const char *brief, *name;
    enum field_type type;
    uint8_t lead_n;
    size_t at;
    int64_t none;
    const char *lead; /* the key as it stands behind another member */
} fields[] = {
#define X(brief, name, type, member, none)                                                                        \
    {brief, name, type, sizeof ",\"" brief "\":" - 1, offsetof(struct facts, member), none, ",\"" brief "\":"},
    FIELDS(X)
#undef X
};
enum { FIELD_COUNT = sizeof fields / sizeof *fields };

static const struct {
    const char *name;
    uint8_t simple;
} tasks[TASK_COUNT] = {
#define X(id, name, simple) {name, simple},
    FACTS_TASKS(X)
#undef X
};
static const char *const sources[] = {"none", "hint", "label", "classifier", "endpoint"};
static const char *const stakes_names[] = {"low", "normal", "high"};
enum {
    SOURCE_COUNT = sizeof sources / sizeof *sources,
    STAKES_COUNT = sizeof stakes_names / sizeof *stakes_names
};
enum { SIMPLE_SUMMARY_TOKENS = 2000 };

const char *task_name(enum task t) { return (unsigned)t < TASK_COUNT ? tasks[t].name : "unknown"; }

bool task_parse(str s, enum task *out) {
    for (unsigned i = 0; i < TASK_COUNT; i++)
        if (str_eqz(s, tasks[i].name)) {
            *out = (enum task)i;
            return true;
        }
    *out = TASK_UNKNOWN;
    return false;
}

bool task_is_simple(enum task t, int64_t input_tokens) {
    if ((unsigned)t >= TASK_COUNT || !tasks[t].simple) return false;
    return t != TASK_SUMMARIZE || input_tokens < SIMPLE_SUMMARY_TOKENS;
}

const char *task_source_name(enum task_source s) { return (unsigned)s < SOURCE_COUNT ? sources[s] : "none"; }

const char *stakes_name(enum stakes s) { return (unsigned)s < STAKES_COUNT ? stakes_names[s] : "normal"; }

bool stakes_parse(str s, enum stakes *out) {
    for (unsigned i = 0; i < STAKES_COUNT; i++)
        if (str_eqz(s, stakes_names[i])) {
            *out = (enum stakes)i;
            return true;
        }
    return false;
}

void facts_init(struct facts *f) {
    *f = (struct facts){.version = FACTS_VERSION, .stakes = STAKES_NORMAL, .difficulty = -1, .semantic_score = -1};
}

float facts_share(double x) {
    if (!(x > 0)) return 0; /* not a number as well */
    if (x >= 1) return 1;
    return (float)(int)(x * SHARE + 0.5) / (float)SHARE;
}

static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

str facts_clean(str s, arena *a) {
    if (s.n > FACTS_STR_MAX) {
        s.n = FACTS_STR_MAX;
        while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) s.n--;
    }
    bool good = str_utf8(s);
    for (size_t i = 0; i < s.n && good; i++) good = !is_control(s.p[i]);
    if (good) return s;
    bool utf8 = str_utf8(s);
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = is_control(s.p[i]) ? ' ' : !utf8 && (unsigned char)s.p[i] & 0x80 ? '?' : s.p[i];
    return str_make(p, s.n);
}

const str *facts_named(const struct facts *f, str name) {
    for (unsigned i = 0; i < f->named_count; i++)
        if (f->named[i].value.p && str_eq(f->named[i].name, name)) return &f->named[i].value;
    return NULL;
}

/* The value of a numeric, boolean or enumerated field. */
static int64_t field_get(const struct facts *f, const struct field *d) {
    const char *p = (const char *)f + d->at;
    switch (d->type) {
    case F_BOOL: return *(const bool *)p;
    case F_TASK:
    case F_SOURCE:
    case F_STAKES:
    case F_U8: return *(const uint8_t *)p;
    case F_U16: return *(const uint16_t *)p;
    case F_U32: return *(const uint32_t *)p;
    case F_U64: return (int64_t) * (const uint64_t *)p;
    case F_SHARE: {
        float x = *(const float *)p;
        return x < 0 ? -1 : (int64_t)((double)x * SHARE + 0.5);
    }
    case F_HASH:
    case F_STR: break;
    }
    return 0;
}

static str hash_text(char out[16], uint64_t h) {
    for (int i = 15; i >= 0; i--, h >>= 4) out[i] = "0123456789abcdef"[h & 15];
    return str_make(out, 16);
}

static bool hash_parse(str s, uint64_t *out) {
    if (s.n != 16) return false;
    uint64_t h = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                            : 16;
        if (d > 15) return false;
        h = h << 4 | d;
    }
    *out = h;
    return true;
}

static void write_named(const struct facts *f, jw *w) {
    jw_object(w);
    for (unsigned i = 0; i < f->named_count; i++) {
        jw_key_str(w, f->named[i].name);
        if (f->named[i].value.p)
            jw_string(w, f->named[i].value);
        else
            jw_null(w);
    }
    jw_object_end(w);
}

static void write_tags(const struct facts *f, jw *w) {
    jw_array(w);
    for (unsigned i = 0; i < f->tag_count; i++) jw_string(w, f->tag[i]);
    jw_array_end(w);
}

/* Each call's row has this text: the keys are written as they stand in the table. */
void facts_write(const struct facts *f, buf *out) {
    buf_strz(out, "{\"v\":");
    buf_u64(out, f->version);
    jw w;
    jw_init(&w, out);
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        const struct field *d = &fields[i];
        const char *p = (const char *)f + d->at;
        w.comma = false;
        if (d->type == F_STR) {
            if (!((const str *)p)->n) continue;
            buf_add(out, d->lead, d->lead_n);
            jw_string(&w, *(const str *)p);
        } else if (d->type == F_HASH) {
            char hex[16];
            if (!*(const uint64_t *)p) continue;
            buf_add(out, d->lead, d->lead_n);
            jw_string(&w, hash_text(hex, *(const uint64_t *)p));
        } else {
            int64_t v = field_get(f, d);
            if (v == d->none) continue;
            buf_add(out, d->lead, d->lead_n);
            buf_i64(out, v);
        }
    }
    w.comma = true;
    if (f->tag_count) {
        jw_key(&w, "g");
        write_tags(f, &w);
    }
    if (f->named_count) {
        jw_key(&w, "n");
        write_named(f, &w);
    }
    buf_char(out, '}');
}

/* Sets a field from its compact value; false when it is out of range. */
static bool field_set(struct facts *f, const struct field *d, jval v, arena *a) {
    static const int64_t most[] = {[F_TASK] = TASK_COUNT - 1,
                                   [F_SOURCE] = SOURCE_COUNT - 1,
                                   [F_STAKES] = STAKES_COUNT - 1,
                                   [F_BOOL] = 1,
                                   [F_U8] = UINT8_MAX,
                                   [F_U16] = UINT16_MAX,
                                   [F_U32] = UINT32_MAX,
                                   [F_U64] = INT64_MAX,
                                   [F_SHARE] = SHARE};
    char *p = (char *)f + d->at;
    if (d->type == F_STR || d->type == F_HASH) {
        if (v.type != J_STRING) return false;
        str s = json_text(v, a);
        if (d->type == F_HASH) return hash_parse(s, (uint64_t *)p);
        *(str *)p = arena_str(a, s);
        return true;
    }
    int64_t x;
    if (!json_i64(v, &x) || x > most[d->type] || x < (d->type == F_SHARE ? -1 : 0)) return false;
    switch (d->type) {
    case F_SHARE: *(float *)p = x < 0 ? -1 : (float)x / (float)SHARE; break;
    case F_U32: *(uint32_t *)p = (uint32_t)x; break;
    case F_U64: *(uint64_t *)p = (uint64_t)x; break;
    case F_U16: *(uint16_t *)p = (uint16_t)x; break;
    case F_BOOL: *(bool *)p = x != 0; break;
    default: *(uint8_t *)p = (uint8_t)x;
    }
    return true;
}

static bool read_tags(struct facts *f, jval v, arena *a) {
    jiter it = json_iter(v);
    jval tag;
    while (json_item(&it, &tag)) {
        if (tag.type != J_STRING || f->tag_count == FACTS_TAGS_MAX) return false;
        f->tag[f->tag_count++] = arena_str(a, json_text(tag, a));
    }
    return v.type == J_ARRAY;
}

static bool read_named(struct facts *f, jval v, arena *a) {
    jiter it = json_iter(v);
    str key;
    bool esc;
    jval val;
    f->named = arena_array(a, struct fact_named, FACTS_NAMED_MAX);
    while (json_next(&it, &key, &esc, &val)) {
        bool absent = val.type == J_NULL;
        if ((val.type != J_STRING && !absent) || f->named_count == FACTS_NAMED_MAX) return false;
        str name = json_text((jval){.raw = key, .type = J_STRING, .esc = esc}, a);
        str value = absent ? STR_NONE : arena_str(a, json_text(val, a));
        f->named[f->named_count++] = (struct fact_named){arena_str(a, name), value};
    }
    return v.type == J_OBJECT;
}

static bool read_member(struct facts *f, str key, jval v, arena *a) {
    if (str_eqz(key, "g")) return read_tags(f, v, a);
    if (str_eqz(key, "n")) return read_named(f, v, a);
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        if (str_eqz(key, fields[i].brief)) return field_set(f, &fields[i], v, a);
    return true;
}

bool facts_read(struct facts *f, str json, arena *a, err *e) {
    facts_init(f);
    f->recorded = true;
    jval root;
    const char *why;
    size_t at;
    if (!json_check(json, &root, &why, &at)) return fail(e, "facts: %s at byte %zu", why, at);
    int64_t version;
    if (!json_i64(json_get(root, STR("v")), &version)) return fail(e, "facts: no version");
    if (version != FACTS_VERSION) return fail(e, "facts: version %lld is not known here", (long long)version);
    jiter it = json_iter(root);
    str key;
    bool esc;
    jval val;
    while (json_next(&it, &key, &esc, &val)) {
        if (esc || str_eqz(key, "v")) continue;
        if (!read_member(f, key, val, a))
            return fail(e, "facts: member " STR_FMT " is malformed", STR_ARG(str_take(key, 40)));
    }
    if (arena_failed(a)) return fail(e, "facts: too large");
    return true;
}

static void explain_field(const struct facts *f, const struct field *d, jw *w) {
    const char *p = (const char *)f + d->at;
    int64_t x = field_get(f, d);
    char hex[16];
    switch (d->type) {
    case F_TASK: jw_string(w, str_from(task_name((enum task)x))); break;
    case F_SOURCE: jw_string(w, str_from(task_source_name((enum task_source)x))); break;
    case F_STAKES: jw_string(w, str_from(stakes_name((enum stakes)x))); break;
    case F_BOOL: jw_bool(w, x != 0); break;
    case F_SHARE:
        if (x < 0)
            jw_null(w);
        else
            jw_f64(w, (double)x / SHARE);
        break;
    case F_HASH:
        if (*(const uint64_t *)p)
            jw_string(w, hash_text(hex, *(const uint64_t *)p));
        else
            jw_null(w);
        break;
    case F_STR:
        if (((const str *)p)->p)
            jw_string(w, *(const str *)p);
        else
            jw_null(w);
        break;
    default: jw_i64(w, x);
    }
}

void facts_explain(const struct facts *f, jw *w) {
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        jw_key(w, fields[i].name);
        explain_field(f, &fields[i], w);
    }
    jw_key(w, "tags");
    write_tags(f, w);
    jw_key(w, "named");
    write_named(f, w);
}
