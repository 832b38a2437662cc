/* openai on real traffic: usage equals the recording's, stripping takes nothing but the usage. */
#include "chat/openai.h"
#include "recorded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct counts {
    unsigned records, with_usage, streams, events, replaced, dropped, suspect, no_finish, requests;
};

static bool openai_api(const struct recorded *r) {
    return str_ends(r->path, STR("/completions")) || str_ends(r->path, STR("/responses")) ||
           str_ends(r->path, STR("/embeddings"));
}

/* The recording's own numbers, read the plain way. */
static jval usage_in(jval object) {
    jval u = json_get(object, STR("usage"));
    if (u.type != J_OBJECT) u = json_path(object, "response", "usage", NULL);
    if (u.type != J_OBJECT) u = json_path(object, "x_groq", "usage", NULL);
    return u;
}

static int64_t number(jval u, const char *one, const char *other) {
    int64_t n = 0;
    if (!json_i64(json_get(u, str_from(one)), &n)) json_i64(json_get(u, str_from(other)), &n);
    return n;
}

static void check_usage(const struct recorded *r, jval u, const struct usage *got, struct counts *c) {
    int64_t in = number(u, "prompt_tokens", "input_tokens"), out = number(u, "completion_tokens", "output_tokens");
    int64_t total = number(u, "total_tokens", "total_tokens");
    int64_t got_in = 0, got_out = 0;
    static const uint8_t side[] = {
#define X(id, name, s) s,
        CATALOG_CLASSES(X)
#undef X
    };
    for (unsigned i = 0; i < USAGE_CLASSES; i++) {
        assert_true(got->units[i] >= 0);
        if (side[i] == 1) got_in += got->units[i];
        if (side[i] == 2) got_out += got->units[i];
    }
    c->with_usage++;
    c->suspect += got->suspect;
    bool same = got_in == in && got_out == out;
    bool by_total = total && got_in + got_out == total && got_in >= in && got_out >= out;
    if (!same && !by_total)
        print_message(STR_FMT " " STR_FMT ": " STR_FMT "\n", STR_ARG(r->provider), STR_ARG(r->id), STR_ARG(u.raw));
    assert_true(same || by_total);
}

static bool asked(const struct recorded *r) {
    jval root;
    if (!json_check(r->request, &root, NULL, NULL)) return true;
    return json_true(json_path(root, "stream_options", "include_usage", NULL));
}

/* What is left of an event's data once `usage` is out of it, member by member. */
static void check_stripped(str before, str after) {
    jval a, b, v;
    str key;
    bool esc;
    assert_true(json_check(before, &a, NULL, NULL) && json_check(after, &b, NULL, NULL));
    size_t n = 0, m = 0;
    for (jiter it = json_iter(a); json_next(&it, &key, &esc, &v);) {
        if (json_key_eq(key, esc, STR("usage"))) continue;
        n++;
        assert_true(str_eq(json_get(b, key).raw, v.raw));
    }
    for (jiter it = json_iter(b); json_next(&it, &key, &esc, &v);) m++;
    assert_int_equal(n, m);
}

static void check_stream(const struct recorded *r, struct counts *c) {
    arena a;
    arena_init(&a, 4096, 1 << 26);
    buf out;
    buf_init(&out, 1 << 24);
    struct answer got = {0}, plain = {0};
    bool responses = str_eqz(r->api, "responses"), strip = !responses && !asked(r);
    jval usage = {0}, root;
    str rest = r->body, event, data;
    while (recorded_event(&rest, &a, &event, &data)) {
        c->events++;
        bool json = json_check(data, &root, NULL, NULL);
        if (json && usage_in(root).type == J_OBJECT) usage = usage_in(root);
        assert_int_equal(openai_tap(&plain, event, data, false, responses, &out), TAP_PASS);
        enum tap_verdict v = openai_tap(&got, event, data, strip, responses, &out);
        c->dropped += v == TAP_DROP;
        c->replaced += v == TAP_REPLACE;
        if (v == TAP_DROP)
            assert_true(json_get(root, STR("usage")).type == J_OBJECT &&
                        json_get(root, STR("choices")).raw.n == 2);
        if (v == TAP_REPLACE) check_stripped(data, buf_view(&out));
    }
    assert_memory_equal(&got, &plain, sizeof got);
    if (usage.type == J_OBJECT) check_usage(r, usage, &got.usage, c);
    if (!got.done || (got.finish == FINISH_NONE && !got.error)) {
        c->no_finish++;
        print_message("no end: " STR_FMT " " STR_FMT "\n", STR_ARG(r->provider), STR_ARG(r->id));
    }
    c->streams++;
    buf_free(&out);
    arena_free(&a);
}

static void check_request(const struct recorded *r, struct counts *c) {
    arena a;
    arena_init(&a, 4096, 1 << 26);
    jscan s;
    json_scan_init(&s, &a);
    if (r->request.n && json_scan(&s, r->request, true) == JSON_DONE) {
        struct openai_request q;
        str param;
        err e;
        struct facts f = {0};
        struct prompt p;
        struct splice sp[OPENAI_SPLICES_MAX];
        bool good = openai_request_read(&q, &s, r->request, true, &param, &e);
        if (!good && r->status == 200 && !strstr(r->path.p ? r->path.p : "", "deployments"))
            print_message("refused " STR_FMT ": %s\n", STR_ARG(r->id), e.msg);
        assert_true(good || r->status != 200 || strstr(r->path.p, "deployments"));
        openai_facts(&s, r->request, &f, &p);
        if (good) assert_int_equal(openai_splices(&q, &s, r->request, STR("another"), false, &a, sp), 1);
        if (str_eqz(r->api, "chat") && r->status == 200)
            assert_true(f.input_length > 0 || f.vision || f.audio || f.turns);
        c->requests++;
    }
    arena_free(&a);
}

static void each(void *ctx, const struct recorded *r) {
    struct counts *c = ctx;
    if (!openai_api(r) || str_eqz(r->provider, "cohere")) return;
    c->records++;
    check_request(r, c);
    if (r->sse) {
        check_stream(r, c);
        return;
    }
    struct answer a = {0};
    jval root;
    openai_answer_read(&a, r->body);
    if (!json_check(r->body, &root, NULL, NULL)) return;
    assert_true(a.done);
    if (r->status >= 400) assert_true(a.error || json_get(root, STR("error")).type == J_NONE);
    if (usage_in(root).type == J_OBJECT) check_usage(r, usage_in(root), &a.usage, c);
}

static void test_recorded(void **state) {
    (void)state;
    struct counts c = {0};
    if (!recorded_each(each, &c)) skip();
    print_message("%u records, %u requests, %u with usage (%u suspect), %u streams of %u events: %u cut, %u "
                  "dropped, %u without an end\n",
                  c.records, c.requests, c.with_usage, c.suspect, c.streams, c.events, c.replaced, c.dropped,
                  c.no_finish);
    assert_true(c.records > 1000 && c.with_usage > 800);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
