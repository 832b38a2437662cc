/* json: the validating scan.
 *
 * A machine of seven phases ("a value must come", "a comma or an end must come") and one open token (string or
 * number) reads the text once. Each step takes a position and returns the one behind what it consumed, or NULL
 * when the scan stops: out of text, or bad.
 *
 * Pausing: the scan stops between tokens, in a string before an escape or a UTF-8 sequence that is not complete
 * yet, and anywhere in a number (whose state is then kept in `lex`). So at most 11 bytes are ever looked at
 * twice, and the verdict, error position included, does not depend on how the text was cut.
 *
 * Top-level members are kept with a hash of their unescaped key. The hash is not keyed: it only saves
 * comparisons, equality is decided by the bytes, and JSON_MEMBERS_MAX bounds the work. */
#include "base/json.h"

#include "base/json_lex.h"

/* What must come next. */
enum { VALUE, ITEM_OR_END, KEY_OR_END, KEY, COLON, NEXT_OR_END, NOTHING };

/* The token that is open. A number's state says what was read last. */
enum { NO_TOKEN, STRING, NUM_MINUS, NUM_ZERO, NUM_INT, NUM_DOT, NUM_FRAC, NUM_E, NUM_SIGN, NUM_EXP };

struct feed {
    const char *base, *end;
    bool last;
};

static const char *bad(jscan *s, const struct feed *f, const char *p, const char *why) {
    s->pos = (size_t)(p - f->base);
    s->state = JSON_BAD;
    s->error = why;
    return NULL;
}

/* Out of text at p, which is where the scan goes on. */
static const char *more(jscan *s, const struct feed *f, const char *p) {
    if (f->last) return bad(s, f, f->end, "the document ends too early");
    s->pos = (size_t)(p - f->base);
    return NULL;
}

/* ---- keys ---- */

/* Of the ends and the length: keys that agree in these are compared, which JSON_MEMBERS_MAX bounds. */
static inline uint64_t hash_of(str key) {
    const char *p = key.p;
    size_t n = key.n;
    uint64_t first = 0, last = 0;
    if (n >= 8) {
        memcpy(&first, p, 8);
        memcpy(&last, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
    } else if (n) {
        first = (unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8;
        last = (unsigned char)p[n - 1];
    }
    return first ^ (last << 29 | last >> 35) ^ (uint64_t)n << 56;
}

static bool key_done(jscan *s, const struct feed *f, const char *quote) {
    const char *start = f->base + s->key;
    s->key_len = (uint32_t)(quote - start);
    s->key_esc = s->esc;
    /* Keys with escapes are rare: they are copied to be compared. */
    str key = json_text((jval){.raw = {start, s->key_len}, .type = J_STRING, .esc = s->esc}, s->a);
    uint64_t hash = hash_of(key);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct jscan_member *m = &s->member[i];
        if (m->hash == hash && json_key_eq(str_make(f->base + m->key, m->key_len), m->key_esc, key))
            return !!bad(s, f, start - 1, "the same key twice");
    }
    if (s->count == JSON_MEMBERS_MAX) return !!bad(s, f, start - 1, "too many members");
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 16;
        s->member = arena_grow(s->a, s->member, s->cap * sizeof *s->member, cap * sizeof *s->member);
        s->cap = cap;
    }
    s->member[s->count].hash = hash;
    return true;
}

/* ---- structure ---- */

static inline bool object_at(const jscan *s, uint32_t depth) {
    return depth && s->depth_bits[(depth - 1) / 8] >> ((depth - 1) % 8) & 1;
}

/* Whether the scan stands directly in the document's object and keeps its members. */
static inline bool at_top(const jscan *s) { return s->depth == 1 && s->a && s->object; }

static inline void comma_done(jscan *s) { s->phase = s->object ? KEY : VALUE; }

/* A value ended before p. The comma behind it mostly follows at once. */
static inline const char *value_done(jscan *s, const struct feed *f, const char *p) {
    if (s->depth == 0) {
        s->root_end = (uint32_t)(p - f->base);
        s->phase = NOTHING;
        return p;
    }
    if (at_top(s)) {
        struct jscan_member *m = &s->member[s->count++];
        m->key = s->key;
        m->key_len = s->key_len;
        m->key_esc = s->key_esc;
        m->val = s->val;
        m->end = (uint32_t)(p - f->base);
        m->esc = s->esc;
    }
    s->phase = NEXT_OR_END;
    if (p < f->end && *p == ',') {
        comma_done(s);
        return p + 1;
    }
    return p;
}

static inline const char *open_container(jscan *s, const struct feed *f, const char *p) {
    if (s->depth == JSON_DEPTH_MAX) return bad(s, f, p, "nested too deeply");
    unsigned at = s->depth / 8, bit = 1u << (s->depth % 8);
    bool object = *p == '{';
    s->depth_bits[at] = (uint8_t)(object ? s->depth_bits[at] | bit : s->depth_bits[at] & ~bit);
    s->depth++;
    s->object = object;
    s->phase = object ? KEY_OR_END : ITEM_OR_END;
    return p + 1;
}

static inline const char *close_container(jscan *s, const struct feed *f, const char *p) {
    s->object = object_at(s, --s->depth);
    return value_done(s, f, p + 1);
}

/* ---- tokens ---- */

/* Whether c may stand at place i of a \u escape that is a low surrogate: \uDC00 to \uDFFF. */
static bool low_surrogate_char(char c, int i) {
    switch (i) {
    case 0: return c == '\\';
    case 1: return c == 'u';
    case 2: return json_hex(c) == 13;
    case 3: return json_hex(c) >= 12;
    default: return json_hex(c) >= 0;
    }
}

/* Length of the \u escape at p; 0 malformed, -1 cut off. A high surrogate and its low one are one escape. */
static int unicode_len(const char *p, const char *end) {
    unsigned unit = 0;
    for (int i = 2; i < 6; i++) {
        if (p + i == end) return -1;
        int h = json_hex(p[i]);
        if (h < 0) return 0;
        unit = unit << 4 | (unsigned)h;
    }
    if ((unit & 0xFC00) == 0xDC00) return 0;
    if ((unit & 0xFC00) != 0xD800) return 6;
    for (int i = 0; i < 6; i++) {
        if (p + 6 + i == end) return -1;
        if (!low_surrogate_char(p[6 + i], i)) return 0;
    }
    return 12;
}

/* Length of the escape at p, in the same way. */
static int escape_len(const char *p, const char *end) {
    if (p + 1 == end) return -1;
    if (p[1] == 'u') return unicode_len(p, end);
    return json_short_escape(p[1]) ? 2 : 0;
}

/* A string ended with the quote at p. */
static inline const char *string_done(jscan *s, const struct feed *f, const char *p) {
    s->lex = NO_TOKEN;
    if (s->phase != KEY) return value_done(s, f, p + 1);
    s->phase = COLON;
    if (at_top(s) && !key_done(s, f, p)) return NULL;
    if (++p < f->end && *p == ':') {
        s->phase = VALUE;
        p++;
    }
    return p;
}

#if JSON_SSE2
enum { DENSE = 0xFFF }; /* twelve marked bytes in a row: it pays to check all 64 at once (measured) */

/* Text of hardly any ASCII is checked 64 bytes at once. Takes what is not ASCII and what lies behind the last
 * whole character out of `mask`; returns where that is, 0 when something is wrong, maybe behind this string. */
static __attribute__((noinline)) size_t dense_block(const char *p, uint64_t *mask) {
    uint64_t high = json_high64(p);
    size_t len = json_utf8_block(p, high);
    *mask &= ~high & (len < 64 ? (1ull << len) - 1 : UINT64_MAX);
    return len;
}
#endif

/* Over what is plain, short escapes, and UTF-8, block by block; stops at the quote, at what is rare or wrong, and
 * near the end of the text. Looking at a block once and then only at its marked bytes matters: text has an
 * escape or a letter beyond ASCII every few dozen bytes, and each restart costs a mispredicted branch. */
static inline const char *string_blocks(jscan *s, const char *base, const char *p, const char *end) {
    (void)base;
#if JSON_AVX2
    if (json_has_avx2() && p - base >= 3) return json_plain_end(json_string_avx2(p, end, &s->esc), end);
#endif
#if JSON_SSE2
    for (size_t len = 64; end - p >= 64; p += len, len = 64) {
        for (uint64_t mask = json_special64(p), n; mask; mask &= ~n) {
            int i = __builtin_ctzll(mask);
            const char *q = p + i;
            if (*q == '\\') {
                if (i == 63 || !json_short_escape(q[1])) return q;
                s->esc = true;
                n = 3ull << i;
            } else if (*q & 0x80 && (mask >> i & DENSE) == DENSE) {
                if (!(len = dense_block(p, &mask))) return q;
                n = 0;
            } else {
                int letter = *q & 0x80 ? json_utf8(q, p + 64) : 0;
                if (letter < 2) return q;
                n = ((1ull << letter) - 1) << i;
            }
        }
    }
#endif
    return json_plain_end(p, end);
}

/* Goes on in the open string, p anywhere between two characters of it. */
static const char *string_scan(jscan *s, const struct feed *f, const char *p) {
    for (;;) {
        p = string_blocks(s, f->base, p, f->end);
        if (p == f->end) return more(s, f, p);
        if (*p == '"') return string_done(s, f, p);
        int n;
        if (*p == '\\') {
            n = escape_len(p, f->end);
            if (n == 0) return bad(s, f, p, "not an escape of JSON");
            s->esc = true;
        } else {
            if ((unsigned char)*p < 0x20) return bad(s, f, p, "control character in a string");
            n = json_utf8(p, f->end);
            if (n == 0) return bad(s, f, p, "not UTF-8");
        }
        if (n < 0) return more(s, f, p);
        p += n;
    }
}

static inline const char *string_open(jscan *s, const struct feed *f, const char *p) {
    s->lex = STRING;
    s->esc = false;
    p++;
    if (s->watches && (f->end - p < 4 || !memcmp(p, s->watch, sizeof s->watch))) s->watched = true;
    const char *q = json_plain_end16(p, f->end); /* most strings are short */
    if (q < f->end && *q == '"') return string_done(s, f, q);
    return string_scan(s, f, q);
}

static inline bool digit(char c) { return c >= '0' && c <= '9'; }

/* State of a number after one more character; NO_TOKEN when that does not belong to it. */
static uint8_t number_next(uint8_t state, char c) {
    switch (state) {
    case NUM_MINUS: return c == '0' ? NUM_ZERO : digit(c) ? NUM_INT : NO_TOKEN;
    case NUM_INT:
        if (digit(c)) return NUM_INT;
        /* fall through */
    case NUM_ZERO: return c == '.' ? NUM_DOT : (c | 32) == 'e' ? NUM_E : NO_TOKEN;
    case NUM_DOT: return digit(c) ? NUM_FRAC : NO_TOKEN;
    case NUM_FRAC: return digit(c) ? NUM_FRAC : (c | 32) == 'e' ? NUM_E : NO_TOKEN;
    case NUM_E:
        if (c == '+' || c == '-') return NUM_SIGN;
        /* fall through */
    default: return digit(c) ? NUM_EXP : NO_TOKEN;
    }
}

static const char *number_scan(jscan *s, const struct feed *f, const char *p) {
    uint8_t state = s->lex, next;
    while (p < f->end && (next = number_next(state, *p)) != NO_TOKEN) {
        state = next;
        p++;
    }
    s->lex = state;
    if (p == f->end && !f->last) return more(s, f, p);
    if (state != NUM_ZERO && state != NUM_INT && state != NUM_FRAC && state != NUM_EXP)
        return bad(s, f, p, "malformed number");
    s->lex = NO_TOKEN;
    return value_done(s, f, p);
}

static const char *literal_scan(jscan *s, const struct feed *f, const char *p, const char *word) {
    size_t i = 1;
    for (; word[i]; i++) {
        if (p + i == f->end) return more(s, f, p);
        if (p[i] != word[i]) return bad(s, f, p + i, "not a value of JSON");
    }
    return value_done(s, f, p + i);
}

/* ---- the machine ---- */

static inline const char *value_scan(jscan *s, const struct feed *f, const char *p) {
    s->phase = VALUE;
    if (s->depth <= 1) {
        *(s->depth ? &s->val : &s->root) = (uint32_t)(p - f->base);
        s->esc = false;
    }
    switch (*p) {
    case '"': return string_open(s, f, p);
    case '{':
    case '[': return open_container(s, f, p);
    case 't': return literal_scan(s, f, p, "true");
    case 'f': return literal_scan(s, f, p, "false");
    case 'n': return literal_scan(s, f, p, "null");
    case '-': s->lex = NUM_MINUS; return number_scan(s, f, p + 1);
    case '0': s->lex = NUM_ZERO; return number_scan(s, f, p + 1);
    default:
        if (!digit(*p)) return bad(s, f, p, "a value is missing");
        s->lex = NUM_INT;
        return number_scan(s, f, p + 1);
    }
}

static inline const char *key_scan(jscan *s, const struct feed *f, const char *p) {
    if (*p != '"') return bad(s, f, p, "a key is missing");
    s->phase = KEY;
    if (s->depth == 1) s->key = (uint32_t)(p + 1 - f->base);
    return string_open(s, f, p);
}

static inline const char *step(jscan *s, const struct feed *f, const char *p) {
    while (p < f->end && *p <= ' ' && json_space(*p)) p++;
    if (p == f->end) {
        if (s->phase != NOTHING || !f->last) return more(s, f, p);
        s->pos = (size_t)(p - f->base);
        s->state = JSON_DONE;
        return NULL;
    }
    switch (s->phase) {
    case ITEM_OR_END:
        if (*p == ']') return close_container(s, f, p);
        /* fall through */
    case VALUE: return value_scan(s, f, p);
    case KEY_OR_END:
        if (*p == '}') return close_container(s, f, p);
        /* fall through */
    case KEY: return key_scan(s, f, p);
    case COLON:
        if (*p != ':') return bad(s, f, p, "a colon is missing");
        s->phase = VALUE;
        return p + 1;
    case NEXT_OR_END:
        if (*p == ',') {
            comma_done(s);
            return p + 1;
        }
        if (*p == (s->object ? '}' : ']')) return close_container(s, f, p);
        return bad(s, f, p, "a comma or an end is missing");
    default: return bad(s, f, p, "something follows the document");
    }
}

void json_scan_init(jscan *s, arena *a) { *s = (jscan){.a = a}; }

void json_scan_watch(jscan *s, const char watch[4]) {
    memcpy(s->watch, watch, sizeof s->watch);
    s->watches = true;
}

enum json_state json_scan(jscan *s, str text, bool last) {
    if (s->state != JSON_MORE) return s->state;
    if (!text.p) text.p = "";
    struct feed f = {text.p, text.p + text.n, last};
    if (text.n > UINT32_MAX) {
        bad(s, &f, f.base, "longer than 4 GB");
        return s->state;
    }
    const char *p = text.p + s->pos;
    if (s->lex == STRING)
        p = string_scan(s, &f, p);
    else if (s->lex != NO_TOKEN)
        p = number_scan(s, &f, p);
    while (p) p = step(s, &f, p);
    return s->state;
}

/* ---- results ---- */

static jtype type_of(char c) {
    switch (c) {
    case '"': return J_STRING;
    case '{': return J_OBJECT;
    case '[': return J_ARRAY;
    case 't': return J_TRUE;
    case 'f': return J_FALSE;
    case 'n': return J_NULL;
    default: return J_NUMBER;
    }
}

static jval value_of(str text, uint32_t start, uint32_t end, bool esc) {
    jval v = {.raw = {text.p + start, end - start}, .type = type_of(text.p[start])};
    if (v.type == J_STRING) {
        v.raw = str_make(v.raw.p + 1, v.raw.n - 2);
        v.esc = esc;
    }
    return v;
}

jmember json_member(const jscan *s, str text, uint32_t i) {
    const struct jscan_member *m = &s->member[i];
    return (jmember){.key = {text.p + m->key, m->key_len},
                     .val = value_of(text, m->val, m->end, m->esc),
                     .start = m->key - 1,
                     .end = m->end,
                     .key_esc = m->key_esc};
}

jval json_find(const jscan *s, str text, str key) {
    uint64_t hash = hash_of(key);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct jscan_member *m = &s->member[i];
        if (m->hash == hash && json_key_eq(str_make(text.p + m->key, m->key_len), m->key_esc, key))
            return json_member(s, text, i).val;
    }
    return (jval){.type = J_NONE};
}

jval json_root(const jscan *s, str text) {
    if (s->state != JSON_DONE) return (jval){.type = J_NONE};
    /* esc belongs to the last string, which is the root when that is a string. */
    return value_of(text, s->root, s->root_end, s->esc);
}

bool json_check(str text, jval *root, const char **error, size_t *offset) {
    jscan s;
    json_scan_init(&s, NULL);
    bool good = json_scan(&s, text, true) == JSON_DONE;
    if (root) *root = json_root(&s, text);
    if (error) *error = s.error;
    if (offset) *offset = s.pos;
    return good;
}
