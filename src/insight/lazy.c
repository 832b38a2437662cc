/* lazy: see lazy.h. */
#include "insight/lazy.h"
#include "insight/when.h"

#include <math.h>
#include <time.h>

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static const char *skip_space(const char *p, const char *end) {
    while (p < end && is_space(*p)) p++;
    return p;
}

/* ---- values ---- */

static bool literal(const char *p, const char *end, str word) {
    return (size_t)(end - p) >= word.n && memcmp(p, word.p, word.n) == 0;
}

static const char *scalar(const char *p, const char *end, jval *out) {
    static const struct {
        str word;
        jtype type;
    } words[] = {{STR_INIT("null"), J_NULL},
                 {STR_INIT("true"), J_TRUE},
                 {STR_INIT("false"), J_FALSE},
                 {STR_INIT("NaN"), J_NULL}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (literal(p, end, words[i].word)) {
            *out = (jval){.raw = {p, words[i].word.n}, .type = words[i].type};
            return p + words[i].word.n;
        }
    }
    const char *b = p;
    while (p < end && ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == '.' || *p == 'e' || *p == 'E'))
        p++;
    if (p == b) return NULL;
    *out = (jval){.raw = {b, (size_t)(p - b)}, .type = J_NUMBER};
    return p;
}

const char *lazy_value(const char *p, const char *end, jval *out) {
    *out = (jval){.type = J_NONE};
    p = skip_space(p, end);
    if (p >= end) return NULL;
    if (*p == '"') {
        bool esc = false;
        const char *q = json_string_end(p + 1, end, &esc);
        if (!q) return NULL;
        *out = (jval){.raw = {p + 1, (size_t)(q - p - 1)}, .type = J_STRING, .esc = esc};
        return q + 1;
    }
    if (*p == '{' || *p == '[') {
        const char *q = json_close(p + 1, end);
        if (!q) return NULL;
        *out = (jval){.raw = {p, (size_t)(q - p)}, .type = *p == '{' ? J_OBJECT : J_ARRAY};
        return q;
    }
    return scalar(p, end, out);
}

struct lazy_it lazy_iter(jval c) {
    if ((c.type != J_OBJECT && c.type != J_ARRAY) || c.raw.n < 2) return (struct lazy_it){NULL, NULL, false};
    return (struct lazy_it){c.raw.p + 1, c.raw.p + c.raw.n - 1, false};
}

bool lazy_item(struct lazy_it *it, jval *val) {
    const char *p = it->p ? skip_space(it->p, it->end) : NULL;
    if (p && p < it->end && *p == ',') p = skip_space(p + 1, it->end);
    if (!p || p >= it->end) return false;
    it->p = lazy_value(p, it->end, val);
    if (!it->p) it->bad = true;
    return it->p != NULL;
}

bool lazy_next(struct lazy_it *it, str *key, jval *val) {
    const char *p = it->p ? skip_space(it->p, it->end) : NULL;
    if (p && p < it->end && *p == ',') p = skip_space(p + 1, it->end);
    if (!p || p >= it->end) return false;
    it->p = NULL;
    it->bad = true;
    if (*p != '"') return false;
    bool esc = false;
    const char *q = json_string_end(p + 1, it->end, &esc);
    if (!q) return false;
    *key = (str){p + 1, (size_t)(q - p - 1)};
    q = skip_space(q + 1, it->end);
    if (q >= it->end || *q != ':') return false;
    it->p = lazy_value(q + 1, it->end, val);
    if (it->p) it->bad = false;
    return it->p != NULL;
}

jval lazy_get(jval object, str key) {
    if (object.type != J_OBJECT) return (jval){.type = J_NONE};
    struct lazy_it it = lazy_iter(object);
    str k;
    jval v;
    while (lazy_next(&it, &k, &v))
        if (str_eq(k, key)) return v;
    return (jval){.type = J_NONE};
}

jval lazy_inner(jval v, arena *a) {
    if (v.type != J_STRING) return v;
    str t = str_trim(v.raw);
    if (t.n < 2 || (t.p[0] != '{' && t.p[0] != '[')) return v;
    t = lazy_text(v, a);
    jval in;
    return lazy_value(t.p, t.p + t.n, &in) && (in.type == J_OBJECT || in.type == J_ARRAY) ? in : v;
}

jval lazy_path(jval v, const char *path, arena *a) {
    str rest = str_from(path), part;
    unsigned nested = 0;
    while (str_cut(&rest, '.', &part)) {
        if (v.type == J_STRING && nested++ < LAZY_NESTED_MAX) v = lazy_inner(v, a);
        v = lazy_get(v, part);
        if (v.type == J_NONE) break;
    }
    return v;
}

/* ---- text ---- */

static int hex4(const char *p) {
    int v = 0;
    for (unsigned i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

static size_t put_utf8(char *o, uint32_t c) {
    if (c < 0x80) return o[0] = (char)c, (size_t)1;
    if (c < 0x800) return o[0] = (char)(0xC0 | c >> 6), o[1] = (char)(0x80 | (c & 63)), (size_t)2;
    if (c < 0x10000) {
        o[0] = (char)(0xE0 | c >> 12), o[1] = (char)(0x80 | (c >> 6 & 63)), o[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    o[0] = (char)(0xF0 | c >> 18), o[1] = (char)(0x80 | (c >> 12 & 63));
    o[2] = (char)(0x80 | (c >> 6 & 63)), o[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* One escape at `p` (a backslash) to `o`; bytes read. Output is never longer than input. */
static size_t unescape(const char *p, const char *end, char *o, size_t *wrote) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (end - p < 2) return o[0] = *p, *wrote = 1, (size_t)1;
    const char *f = p[1] ? strchr(from, p[1]) : NULL;
    if (f) return o[0] = to[f - from], *wrote = 1, (size_t)2;
    int c = p[1] == 'u' && end - p >= 6 ? hex4(p + 2) : -1;
    if (c < 0) return o[0] = p[0], o[1] = p[1], *wrote = 2, (size_t)2;
    if (c >= 0xD800 && c < 0xDC00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        int lo = hex4(p + 8);
        if (lo >= 0xDC00 && lo < 0xE000) {
            *wrote = put_utf8(o, 0x10000u + ((uint32_t)(c - 0xD800) << 10) + (uint32_t)(lo - 0xDC00));
            return 12;
        }
    }
    *wrote = put_utf8(o, c >= 0xD800 && c < 0xE000 ? 0xFFFDu : (uint32_t)c);
    return 6;
}

str lazy_text(jval v, arena *a) {
    if (v.type != J_STRING && v.type != J_NUMBER) return STR_NONE;
    if (!v.esc) return v.raw;
    char *out = arena_alloc(a, v.raw.n + 1), *o = out;
    const char *p = v.raw.p, *end = p + v.raw.n;
    while (p < end) {
        const char *q = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((q ? q : end) - p), wrote;
        memcpy(o, p, plain);
        o += plain;
        p += plain;
        if (!q) break;
        p += unescape(p, end, o, &wrote);
        o += wrote;
    }
    return (str){out, (size_t)(o - out)};
}

/* ---- numbers ---- */

/* Decimal text as mantissa × 10^exp; at most 18 digits are kept. */
struct decimal {
    bool neg;
    int64_t mant;
    int exp;
};

static bool decimal(str s, struct decimal *d) {
    s = str_trim(s);
    const char *p = s.p, *end = s.p + s.n;
    *d = (struct decimal){0};
    if (p < end && (*p == '-' || *p == '+')) d->neg = *p++ == '-';
    bool dot = false, any = false;
    for (; p < end; p++) {
        if (*p == '.' && !dot) {
            dot = true;
        } else if (*p >= '0' && *p <= '9') {
            any = true;
            if (d->mant < 100000000000000000)
                d->mant = d->mant * 10 + (*p - '0'), d->exp -= dot;
            else
                d->exp += !dot;
        } else {
            break;
        }
    }
    if (!any) return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        int64_t e;
        str x = {p + 1, (size_t)(end - p - 1)};
        if (x.n && x.p[0] == '+') x = str_skip(x, 1);
        if (!str_i64(x, &e) || e > 400 || e < -400) return false;
        d->exp += (int)e;
        p = end;
    }
    return p == end;
}

/* mant × 10^(exp + shift), half up; false on overflow. */
static bool scaled(struct decimal d, int shift, int64_t *out) {
    int e = d.exp + shift;
    int64_t m = d.mant;
    for (; e > 0 && m != 0; e--)
        if (__builtin_mul_overflow(m, 10, &m)) return false;
    if (e < 0) {
        for (; e < -1; e++) m /= 10;
        m = (m + 5) / 10;
    }
    *out = d.neg ? -m : m;
    return true;
}

static str number_text(jval v) { return v.type == J_NUMBER || (v.type == J_STRING && !v.esc) ? v.raw : STR_NONE; }

bool lazy_i64(jval v, int64_t *out) {
    str s = number_text(v);
    struct decimal d;
    return str_i64(s, out) || (s.n && decimal(s, &d) && scaled(d, 0, out));
}

bool lazy_f64(jval v, double *out) {
    str s = number_text(v);
    struct decimal d;
    if (!s.n || !decimal(s, &d)) return false;
    *out = (d.neg ? -1.0 : 1.0) * (double)d.mant * pow(10, d.exp);
    return true;
}

bool lazy_nano(jval v, int64_t *out) {
    str s = str_trim(number_text(v));
    if (s.n && s.p[0] == '$') s = str_skip(s, 1);
    struct decimal d;
    return s.n && decimal(s, &d) && scaled(d, 9, out);
}

bool lazy_bool(jval v, bool *out) {
    if (v.type == J_TRUE || v.type == J_FALSE) return *out = v.type == J_TRUE, true;
    str s = v.type == J_STRING || v.type == J_NUMBER ? str_trim(v.raw) : STR_NONE;
    if (str_ieq(s, STR("true")) || str_ieq(s, STR("t")) || str_eq(s, STR("1"))) return *out = true, true;
    if (str_ieq(s, STR("false")) || str_ieq(s, STR("f")) || str_eq(s, STR("0"))) return *out = false, true;
    return false;
}

/* ---- times ---- */

static const int64_t TIME_MIN = 946684800, TIME_MAX = 4102444800; /* 2000 to 2100, seconds */

/* {"$date": …} of document stores, {seconds, nanos} of protobuf. */
static bool time_object(jval v, uint64_t *us) {
    static const str whole[] = {STR_INIT("$date"), STR_INIT("seconds"), STR_INIT("_seconds"),
                                STR_INIT("$numberLong")};
    static const str rest[] = {STR_INIT("nanos"), STR_INIT("nanoseconds"), STR_INIT("_nanoseconds")};
    jval x = {.type = J_NONE};
    int64_t nanos = 0;
    for (size_t i = 0; i < sizeof whole / sizeof *whole && x.type == J_NONE; i++) x = lazy_get(v, whole[i]);
    if (x.type == J_OBJECT) x = lazy_get(x, STR("$numberLong"));
    if ((x.type != J_STRING && x.type != J_NUMBER) || !lazy_time(x, us)) return false;
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        if (lazy_i64(lazy_get(v, rest[i]), &nanos) && nanos > 0 && nanos < 1000000000)
            *us += (uint64_t)nanos / 1000;
    return true;
}

bool lazy_time(jval v, uint64_t *us) {
    char plain[64];
    str s = str_trim(number_text(v));
    struct decimal d;
    if (v.type == J_OBJECT) return time_object(v, us);
    if (v.type == J_STRING && v.esc && v.raw.n < sizeof plain) { /* "2026\/11\/24", as PHP writes it */
        size_t n = 0;
        for (size_t i = 0; i < v.raw.n; i++)
            if (v.raw.p[i] != '\\') plain[n++] = v.raw.p[i];
        s = (str){plain, n};
    }
    if (s.n == 0) return false;
    if (when_parse(s, us)) return true;
    if (!decimal(s, &d)) return false;
    int64_t whole, t, per_second = 1;
    if (d.neg || !scaled(d, 0, &whole)) return false;
    for (int shift = 6; shift >= -3; shift -= 3, per_second *= 1000) {
        if (whole / per_second < TIME_MIN || whole / per_second >= TIME_MAX) continue;
        if (!scaled(d, shift, &t)) return false;
        return *us = (uint64_t)t, true;
    }
    return false;
}

/* ---- index ---- */

static bool listed(const char *const *names, str key) {
    for (; *names; names++)
        if (str_eqz(key, *names)) return true;
    return false;
}

static const char *index_object(struct lazy_index *x, const char *p, const char *end, uint16_t parent,
                                unsigned depth, const char *const *enter) {
    p++; /* the bracket */
    for (;;) {
        p = skip_space(p, end);
        if (p < end && *p == ',') p = skip_space(p + 1, end);
        if (p >= end) return NULL;
        if (*p == '}') return p + 1;
        bool esc = false;
        const char *q = *p == '"' ? json_string_end(p + 1, end, &esc) : NULL;
        if (!q) return NULL;
        str key = {p + 1, (size_t)(q - p - 1)};
        q = skip_space(q + 1, end);
        if (q >= end || *q != ':') return NULL;
        q = skip_space(q + 1, end);
        if (q >= end) return NULL;
        if (x->count >= LAZY_MEMBERS_MAX) {
            jval skipped;
            p = lazy_value(q, end, &skipped);
        } else {
            uint32_t i = x->count++;
            x->m[i] = (struct lazy_member){.key = key, .parent = parent};
            if (parent == 0 && key.n) x->initials |= 1u << (*key.p & 31);
            if (*q == '{' && depth + 1 < LAZY_ENTER_MAX && listed(enter, key)) {
                p = index_object(x, q, end, (uint16_t)i, depth + 1, enter);
                x->m[i].val = (jval){.raw = {q, p ? (size_t)(p - q) : 0}, .type = J_OBJECT};
            } else {
                p = lazy_value(q, end, &x->m[i].val);
            }
            x->m[i].next = (uint16_t)x->count;
        }
        if (!p) return NULL;
    }
}

const char *lazy_index(struct lazy_index *x, str text, const char *const *enter) {
    const char *p = skip_space(text.p, text.p + text.n), *end = text.p + text.n;
    x->count = 0;
    x->initials = 0;
    if (p >= end || *p != '{') return NULL;
    x->count = 1;
    x->m[0] = (struct lazy_member){.key = STR_NONE};
    const char *q = index_object(x, p, end, 0, 0, enter);
    x->m[0].val = (jval){.raw = {p, q ? (size_t)(q - p) : 0}, .type = J_OBJECT};
    x->m[0].next = (uint16_t)x->count;
    return q;
}

unsigned lazy_at(const struct lazy_index *x, unsigned parent, str key) {
    for (unsigned i = parent + 1; i < x->m[parent].next; i = x->m[i].next) {
        str k = x->m[i].key;
        if (k.n == key.n && (k.n == 0 || (*k.p == *key.p && memcmp(k.p, key.p, k.n) == 0))) return i;
    }
    return 0;
}
