/* JSON. Claims: the verdict is that of a plain recursive reader written here; it does not depend on how the text
 * is cut; what was accepted can be walked by cursors, inside the text; written again it is accepted and written
 * again the same; members are those that cursors find; numbers agree with the C library. */
#include "fuzz.h"

#include "base/json.h"

/* ---- a second opinion: RFC 8259 read literally ---- */

struct reader {
    const unsigned char *p, *end;
};

static bool eat(struct reader *r, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) return false;
    r->p += n;
    return true;
}

static void space(struct reader *r) {
    while (r->p < r->end && strchr(" \t\n\r", *r->p) && *r->p) r->p++;
}

static int unit16(struct reader *r) {
    char hex[5] = {0}, *rest;
    if (!eat(r, "\\u") || r->end - r->p < 4) return -1;
    memcpy(hex, r->p, 4);
    if (strspn(hex, "0123456789abcdefABCDEF") != 4) return -1;
    r->p += 4;
    return (int)strtol(hex, &rest, 16);
}

static bool escape(struct reader *r) {
    if (r->end - r->p < 2) return false;
    if (r->p[1] != 'u') {
        bool good = r->p[1] && strchr("\"\\/bfnrt", r->p[1]);
        r->p += 2;
        return good;
    }
    int c = unit16(r);
    if (c < 0 || (c >= 0xDC00 && c <= 0xDFFF)) return false;
    if (c < 0xD800 || c > 0xDBFF) return true;
    c = unit16(r);
    return c >= 0xDC00 && c <= 0xDFFF;
}

static bool string(struct reader *r) {
    if (!eat(r, "\"")) return false;
    const unsigned char *start = r->p;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p < 0x20) return false;
        if (*r->p != '\\')
            r->p++;
        else if (!escape(r))
            return false;
    }
    return str_utf8(str_make((const char *)start, (size_t)(r->p - start))) && eat(r, "\"");
}

static bool digits(struct reader *r) {
    const unsigned char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
    return r->p > start;
}

static bool number(struct reader *r) {
    eat(r, "-");
    if (!eat(r, "0") && !digits(r)) return false;
    if (eat(r, ".") && !digits(r)) return false;
    if (eat(r, "e") || eat(r, "E")) {
        if (!eat(r, "+")) eat(r, "-");
        return digits(r);
    }
    return true;
}

static bool value(struct reader *r, int depth);

static bool container(struct reader *r, bool object, int depth) {
    const char *close = object ? "}" : "]";
    r->p++;
    space(r);
    if (depth >= JSON_DEPTH_MAX) return false;
    if (eat(r, close)) return true;
    do {
        space(r);
        if (object) {
            if (!string(r)) return false;
            space(r);
            if (!eat(r, ":")) return false;
        }
        if (!value(r, depth + 1)) return false;
    } while (eat(r, ","));
    return eat(r, close);
}

static bool value(struct reader *r, int depth) {
    bool good;
    space(r);
    if (r->p == r->end) return false;
    switch (*r->p) {
    case '{':
    case '[': good = container(r, *r->p == '{', depth); break;
    case '"': good = string(r); break;
    case 't': good = eat(r, "true"); break;
    case 'f': good = eat(r, "false"); break;
    case 'n': good = eat(r, "null"); break;
    default: good = number(r);
    }
    space(r);
    return good;
}

static bool plain_verdict(str text) {
    struct reader r = {(const unsigned char *)text.p, (const unsigned char *)text.p + text.n};
    return value(&r, 0) && r.p == r.end;
}

/* ---- claims ---- */

static arena mem;

static bool inside(str part, str whole) { return part.p >= whole.p && part.p + part.n <= whole.p + whole.n; }

static void check_number(jval v) {
    int64_t i;
    double d, strict;
    char *z = arena_strz(&mem, v.raw);
    bool whole = json_i64(v, &i), real = json_f64(v, &d);
    strict = strtod(z, NULL);
    MUST(real == (strict - strict == 0)); /* finite */
    if (real) MUST(memcmp(&d, &strict, sizeof d) == 0);
    if (whole) MUST(real && (double)i == d);
    if (v.raw.n < 19 && strspn(z, "-0123456789") == v.raw.n) MUST(whole && i == strtoll(z, NULL, 10));
}

static void copy(jw *w, jval v, str text) {
    str key;
    bool esc;
    jval x;
    jiter it = json_iter(v);
    MUST(v.type != J_NONE && inside(v.raw, text));
    switch (v.type) {
    case J_OBJECT:
        jw_object(w);
        while (json_next(&it, &key, &esc, &x)) {
            str plain = json_text((jval){.raw = key, .type = J_STRING, .esc = esc}, &mem);
            MUST(json_key_eq(key, esc, plain));
            jw_key_str(w, plain);
            copy(w, x, text);
        }
        jw_object_end(w);
        break;
    case J_ARRAY:
        jw_array(w);
        while (json_item(&it, &x)) copy(w, x, text);
        jw_array_end(w);
        break;
    case J_STRING: {
        str plain = json_text(v, &mem);
        MUST(str_utf8(plain) && json_is(v, plain) && (v.esc == (memchr(v.raw.p, '\\', v.raw.n) != NULL)));
        jw_string(w, plain);
        break;
    }
    case J_NUMBER: check_number(v); /* fall through */
    default: jw_raw(w, v.raw);
    }
}

static void check_members(const jscan *s, str text) {
    jval root = json_root(s, text), v;
    str key;
    bool esc;
    uint32_t i = 0;
    if (root.type != J_OBJECT) {
        MUST(s->count == 0);
        return;
    }
    for (jiter it = json_iter(root); json_next(&it, &key, &esc, &v); i++) {
        MUST(i < s->count);
        jmember m = json_member(s, text, i);
        MUST(m.key.p == key.p && m.key.n == key.n && m.key_esc == esc);
        MUST(m.val.raw.p == v.raw.p && m.val.raw.n == v.raw.n && m.val.type == v.type && m.val.esc == v.esc);
        MUST(text.p[m.start] == '"' && m.end <= text.n);
        jval found = json_find(s, text, json_text((jval){.raw = key, .type = J_STRING, .esc = esc}, &mem));
        MUST(found.raw.p == v.raw.p);
    }
    MUST(i == s->count);
}

static void check_accepted(jval root, str text) {
    buf once, twice;
    jw w;
    jval again;
    buf_init(&once, 64 << 20);
    buf_init(&twice, 64 << 20);
    jw_init(&w, &once);
    copy(&w, root, text);
    MUST(!once.failed && w.depth == 0);
    MUST(json_check(buf_view(&once), &again, NULL, NULL));
    jw_init(&w, &twice);
    copy(&w, again, buf_view(&once));
    MUST(str_eq(buf_view(&once), buf_view(&twice)));
    buf_free(&once);
    buf_free(&twice);
}

static jscan scan_cut(str text, struct cuts c) {
    jscan s;
    json_scan_init(&s, &mem);
    for (size_t n = 0; n < text.n && s.state == JSON_MORE; n += cut(&c, text.n - n)) {
        char *p = exact(text.p, n);
        size_t before = s.pos;
        json_scan(&s, str_make(p, n), false);
        MUST(s.state != JSON_DONE && s.pos <= n);
        MUST(s.state == JSON_BAD || (s.pos >= before && n - s.pos < 12));
        free(p);
    }
    json_scan(&s, text, true);
    return s;
}

/* Text that was never checked: nothing but that the walk stays inside and ends. */
static size_t walk_unchecked(jval v, str text, int depth) {
    size_t steps = 1;
    str key;
    bool esc;
    jval x;
    int64_t i;
    double d;
    MUST(v.type == J_NONE || inside(v.raw, text));
    json_text(v, &mem);
    json_is(v, STR("model"));
    json_i64(v, &i);
    json_f64(v, &d);
    if (depth > 20) return steps;
    for (jiter it = json_iter(v); v.type == J_OBJECT && json_next(&it, &key, &esc, &x);) {
        MUST(inside(key, text));
        json_key_eq(key, esc, STR("model"));
        steps += walk_unchecked(x, text, depth + 1);
    }
    for (jiter it = json_iter(v); v.type == J_ARRAY && json_item(&it, &x);)
        steps += walk_unchecked(x, text, depth + 1);
    MUST(steps <= 22 * text.n + 1);
    return steps;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str in = {(const char *)data, size};
    struct cuts c = take_cuts(&in);
    char *p = exact(in.p, in.n);
    str text = {p, in.n};
    jscan whole;
    jval root;
    const char *error;
    size_t at;
    arena_init(&mem, 1024, 1u << 30);
    json_scan_init(&whole, &mem);
    json_scan(&whole, text, true);
    MUST(whole.state != JSON_MORE && whole.pos <= text.n);
    jscan parts = scan_cut(text, c);
    MUST(parts.state == whole.state && parts.pos == whole.pos && parts.count == whole.count);
    MUST(parts.error == whole.error || strcmp(parts.error, whole.error) == 0);
    bool good = json_check(text, &root, &error, &at);
    MUST(good == plain_verdict(text));
    if (whole.state == JSON_DONE)
        MUST(good && root.raw.p == json_root(&whole, text).raw.p);
    else if (good)
        MUST(strstr(whole.error, "twice") || strstr(whole.error, "members"));
    else
        MUST(error && at <= text.n);
    if (whole.state == JSON_DONE) {
        check_members(&whole, text);
        check_members(&parts, text);
    }
    if (good)
        check_accepted(root, text);
    else
        walk_unchecked(json_value_at(text.p, text.p + text.n), text, 0);
    arena_free(&mem);
    free(p);
    return 0;
}
