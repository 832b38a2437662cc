/* JSON: the scan in two pieces ends like the scan in one; what it accepts the whole-document check
 * accepts too; cursors over accepted text stay inside it; what the writer escapes reads back. */
#include "base/json.h"
#include "fuzz.h"

static bool inside(str outer, str inner) {
    return inner.n == 0 || (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

static void walk(jval v, str text, arena *a) {
    MUST(inside(text, v.raw));
    jval child;
    str key;
    bool esc;
    jiter it = json_iter(v);
    if (v.type == J_OBJECT) {
        while (json_next(&it, &key, &esc, &child)) {
            MUST(inside(text, key));
            MUST(json_key_eq(key, esc, json_text((jval){key, J_STRING, esc}, a)));
            walk(child, text, a);
        }
    } else if (v.type == J_ARRAY) {
        while (json_item(&it, &child)) walk(child, text, a);
    } else if (v.type == J_STRING) {
        str plain = json_text(v, a);
        MUST(json_is(v, plain));
        MUST(str_utf8(plain));
        buf b;
        buf_init(&b, 1 << 20);
        jw w;
        jw_init(&w, &b);
        jw_string(&w, plain);
        jval back;
        MUST(json_check(buf_view(&b), &back, NULL, NULL));
        MUST(json_is(back, plain));
        buf_free(&b);
    } else if (v.type == J_NUMBER) {
        int64_t i;
        double f;
        if (json_i64(v, &i)) MUST(json_f64(v, &f) && f == (double)i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (n < 1 || n > 100000) return 0;
    size_t cut = n > 1 ? p[0] * (n - 1) / 255 : 0;
    str text = {(const char *)p + 1, n - 1};
    arena a;
    arena_init(&a, 4096, 64 << 20);

    jscan whole, parts;
    json_scan_init(&whole, &a);
    json_scan_init(&parts, &a);
    enum json_state state = json_scan(&whole, text, true);
    MUST(state != JSON_MORE);
    enum json_state second = json_scan(&parts, str_take(text, cut), false);
    if (second == JSON_MORE) second = json_scan(&parts, text, true);
    MUST(second == state);

    jval root;
    bool good = json_check(text, &root, NULL, NULL);
    if (state == JSON_DONE) {
        MUST(good && whole.count == parts.count);
        for (uint32_t i = 0; i < whole.count; i++) {
            jmember m = json_member(&whole, text, i);
            jmember o = json_member(&parts, text, i);
            MUST(m.start == o.start && m.end == o.end && m.end <= text.n);
        }
    }
    if (good) walk(root, text, &a);
    arena_free(&a);
    return 0;
}
