/* The OpenAI dialect: requests are read and spliced, answers and stream events are read, whatever
 * they are. A spliced request is JSON again and has the new model; a tapped event that is replaced
 * is JSON when it was JSON. */
#include "chat/openai.h"
#include "fuzz.h"

static void request(str body, arena *a) {
    jscan s;
    json_scan_init(&s, a);
    if (json_scan(&s, body, true) != JSON_DONE) return;
    struct openai_request r = {0};
    str param = {0};
    err e = {0};
    if (!openai_request_read(&r, &s, body, true, &param, &e)) return;
    static struct facts f;
    static struct prompt prompt;
    memset(&f, 0, sizeof f);
    memset(&prompt, 0, sizeof prompt);
    openai_facts(&s, body, &f, &prompt);

    struct splice cut[OPENAI_SPLICES_MAX];
    unsigned count = openai_splices(&r, &s, body, str_from("new-model"), true, a, cut);
    MUST(count <= OPENAI_SPLICES_MAX);
    buf out;
    buf_init(&out, 1 << 24);
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        MUST(cut[i].start >= at && cut[i].end >= cut[i].start && cut[i].end <= body.n);
        buf_add(&out, body.p + at, cut[i].start - at);
        buf_str(&out, cut[i].with);
        at = cut[i].end;
    }
    buf_add(&out, body.p + at, body.n - at);
    jval root;
    MUST(json_check(buf_view(&out), &root, NULL, NULL));
    MUST(json_is(json_get(root, str_from("model")), str_from("new-model")));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (n < 1 || n > 100000) return 0;
    str body = {(const char *)p + 1, n - 1};
    arena a;
    arena_init(&a, 4096, 64 << 20);
    request(body, &a);

    struct answer whole = {0}, event = {0};
    openai_answer_read(&whole, body);
    MUST(whole.id_len <= sizeof whole.id);
    buf out;
    buf_init(&out, 1 << 20);
    enum tap_verdict v = openai_tap(&event, str_from(""), body, p[0] & 1, p[0] & 2, &out);
    if (v == TAP_REPLACE && json_check(body, NULL, NULL, NULL)) MUST(json_check(buf_view(&out), NULL, NULL, NULL));
    if (!(p[0] & 1)) MUST(v == TAP_PASS);
    buf_free(&out);
    arena_free(&a);
    return 0;
}
