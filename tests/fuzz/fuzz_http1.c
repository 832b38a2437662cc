/* HTTP/1.1 framing: a head found byte by byte ends where the head found at once does; views stay
 * inside the text; a chunked body decoded in two pieces gives the same data as in one. */
#include "fuzz.h"
#include "net/http1.h"

static void inside(str outer, str inner) {
    if (inner.n) MUST(inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

static void head(str text) {
    size_t from = 0, end = http1_head_end(text, &from);
    size_t resumed = 0, step_end = 0;
    for (size_t i = 1; i <= text.n && !step_end; i += 1 + i / 16)
        step_end = http1_head_end(str_take(text, i), &resumed);
    if (!step_end) step_end = http1_head_end(text, &resumed);
    MUST(step_end == end);
    if (!end) return;

    str h = str_take(text, end);
    static struct http_head out;
    for (int answer = 0; answer < 2; answer++) {
        enum http_error e = answer ? http1_response(h, &out) : http1_request(h, &out);
        if (e != HTTP_OK) {
            MUST(http_error_text(e)[0]);
            continue;
        }
        MUST(out.count <= HTTP_HEADERS_MAX);
        MUST(!(out.chunked && out.has_length));
        for (unsigned i = 0; i < out.count; i++) {
            struct http_header *x = &out.header[i];
            inside(h, x->name);
            inside(h, x->value);
            MUST(x->name.n > 0);
            MUST(!memchr(x->value.p, '\n', x->value.n) && !memchr(x->value.p, '\r', x->value.n) &&
                 !memchr(x->value.p, 0, x->value.n));
            http_hop_by_hop(&out, x);
        }
        if (!answer) {
            inside(h, out.target);
            if (!str_eqz(out.path, "/")) inside(h, out.path); /* of http://host the path is a "/" of its own */
            inside(h, out.query);
        }
    }
}

/* Decodes text[0, cut) and text[cut, n) one after the other into `out`. */
static enum http_error decode(str text, size_t cut, char *out, size_t *n, bool *done) {
    struct http_chunked c = {0};
    size_t from = 0;
    *n = 0;
    for (int piece = 0; piece < 2 && !c.done; piece++) {
        size_t len = piece ? text.n - from : cut;
        char *copy = malloc(len + 1);
        MUST(copy);
        if (len) memcpy(copy, text.p + from, len);
        size_t used = 0, data = 0;
        enum http_error e = http1_chunked(&c, copy, len, &used, &data);
        if (e == HTTP_OK) {
            MUST(used <= len && data <= used);
            MUST(used == len || c.done);
            if (data) memcpy(out + *n, copy, data);
            *n += data;
        }
        free(copy);
        if (e != HTTP_OK) return e;
        from += used;
    }
    *done = c.done;
    return HTTP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (n < 1 || n > 65536) return 0;
    str text = {(const char *)p + 1, n - 1};
    head(text);

    char *a = malloc(n), *b = malloc(n);
    MUST(a && b);
    size_t na, nb;
    bool da = false, db = false;
    enum http_error ea = decode(text, text.n, a, &na, &da), eb = decode(text, p[0] * text.n / 255, b, &nb, &db);
    MUST(ea == eb);
    if (ea == HTTP_OK) MUST(na == nb && da == db && memcmp(a, b, na) == 0);
    free(a);
    free(b);
    return 0;
}
