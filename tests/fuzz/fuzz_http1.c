/* HTTP/1 framing. The first byte chooses: a request, a response, or a chunked body.
 * Claims: the end of a head does not depend on how it is cut; what was accepted has no CR, LF or NUL in any view,
 * tokens for names, one body length at most, and written again from the views it is read again the same. A chunked
 * body gives the same data, verdict and rest in any split, no more data than was sent, and a plain decoder that is
 * written here agrees. */
#include "fuzz.h"

#include "net/http1.h"

static bool clean(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || !s.p[i]) return false;
    return true;
}

static bool inside(str part, str whole) { return part.p >= whole.p && part.p + part.n <= whole.p + whole.n; }

static bool token(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!http_token_char((unsigned char)s.p[i])) return false;
    return s.n > 0;
}

/* Where the head ends, found in pieces; also checks the end found in one go. */
static size_t head_end(str in, struct cuts c) {
    size_t from = 0, whole = http1_head_end(in, &from), parts = 0, n = 0;
    from = 0;
    do {
        n += cut(&c, in.n - n);
        char *p = exact(in.p, n);
        parts = http1_head_end(str_make(p, n), &from);
        MUST(from <= n);
        free(p);
    } while (!parts && n < in.n);
    MUST(parts == whole);
    return whole;
}

static char *put(char *o, const char *p, size_t n) {
    if (n) memcpy(o, p, n);
    return o + n;
}

/* Writes the head again from its views; `line` is its first line. */
static str rewrite(const struct http_head *h, str line, char *out) {
    char *o = put(out, line.p, line.n);
    o = put(o, "\r\n", 2);
    for (unsigned i = 0; i < h->count; i++) {
        o = put(o, h->header[i].name.p, h->header[i].name.n);
        o = put(o, ": ", 2);
        o = put(o, h->header[i].value.p, h->header[i].value.n);
        o = put(o, "\r\n", 2);
    }
    o = put(o, "\r\n", 2);
    return str_make(out, (size_t)(o - out));
}

static void check_headers(const struct http_head *h, str head) {
    unsigned lengths = 0, codings = 0;
    MUST(h->count <= HTTP_HEADERS_MAX && !(h->chunked && h->has_length));
    for (unsigned i = 0; i < h->count; i++) {
        const struct http_header *x = &h->header[i];
        MUST(token(x->name) && clean(x->value) && inside(x->name, head) && inside(x->value, head));
        MUST(x->id == http_name_id(x->name));
        lengths += str_ieq(x->name, STR("content-length"));
        codings += str_ieq(x->name, STR("transfer-encoding"));
        http_hop_by_hop(h, x);
    }
    MUST(lengths == h->has_length && codings == h->chunked);
    MUST(!(h->chunked && h->minor == 0));
}

static void check_request(const struct http_head *h, str head) {
    MUST(clean(h->target) && clean(h->path) && clean(h->query) && inside(h->target, head));
    MUST(h->path.n > 0 && (h->path.p[0] == '/' || h->method == HTTP_OPTIONS));
    MUST(h->path.n + h->query.n <= h->target.n + 1);
    MUST(h->minor == 0 || http_get(h, HTTP_HOST).p != NULL);
}

static void fuzz_head(str in, struct cuts c, enum http_error (*parse)(str, struct http_head *)) {
    static struct http_head h, again;
    size_t end = head_end(in, c);
    char *p = exact(in.p, end ? end : in.n);
    str head = {p, end ? end : in.n};
    enum http_error e = parse(head, &h);
    MUST(http_error_text(e) != NULL);
    if (!end) MUST(e != HTTP_OK);
    if (e == HTTP_OK) {
        check_headers(&h, head);
        if (parse == http1_request) check_request(&h, head);
        const char *lf = memchr(p, '\n', head.n);
        char *out = malloc(head.n + 2 * HTTP_HEADERS_MAX + 8);
        str copy = rewrite(&h, str_make(p, (size_t)(lf - p) - 1), out);
        MUST(parse(copy, &again) == HTTP_OK && again.count == h.count && again.status == h.status);
        MUST(again.chunked == h.chunked && again.has_length == h.has_length && again.length == h.length);
        MUST(again.keep_alive == h.keep_alive && again.method == h.method && str_eq(again.path, h.path));
        size_t from = 0;
        MUST(http1_head_end(copy, &from) == copy.n);
        free(out);
    }
    free(p);
}

/* ---- chunked ---- */

/* The body decoded by the grammar, with everything there: 1 complete, 0 not yet, -1 bad. */
static int plain_chunked(str in, str *data, char *out, size_t *used) {
    const char *p = in.p, *end = p + in.n;
    *data = str_make(out, 0);
    for (;;) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        if (!lf) return 0;
        char hex[17] = {0}, *stop;
        size_t n = strspn(memcpy(hex, p, (size_t)(lf - p) < 16 ? (size_t)(lf - p) : 16), "0123456789abcdefABCDEF");
        if (!n || n > 15 || lf[-1] != '\r') return -1;
        str rest = {p + n, (size_t)(lf - 1 - p) - n};
        if (rest.n && rest.p[0] != ';') return -1;
        size_t size = strtoull(hex, &stop, 16);
        p = lf + 1;
        if (!size) break;
        if ((size_t)(end - p) < size) return 0;
        memcpy(out + data->n, p, size);
        data->n += size;
        p += size;
        if (p < end && p[0] != '\r') return -1;
        if (end - p < 2) return 0;
        if (p[1] != '\n') return -1;
        p += 2;
    }
    for (;;) { /* trailers */
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        if (!lf) return 0;
        if (lf == p || lf[-1] != '\r') return -1;
        str line = {p, (size_t)(lf - 1 - p)};
        p = lf + 1;
        if (!line.n) break;
        ptrdiff_t colon = str_chr(line, ':');
        if (colon < 1 || !token(str_take(line, (size_t)colon))) return -1;
    }
    *used = (size_t)(p - in.p);
    return 1;
}

static enum http_error decode(str in, struct cuts *c, char *out, size_t *n, size_t *used, bool *done) {
    struct http_chunked k = {0};
    enum http_error e = HTTP_OK;
    *n = *used = 0;
    while (*used < in.n && e == HTTP_OK && !k.done) {
        size_t take = c ? cut(c, in.n - *used) : in.n - *used, ate, got;
        char *p = exact(in.p + *used, take);
        e = http1_chunked(&k, p, take, &ate, &got);
        MUST(got <= ate && ate <= take && (ate == take || k.done || e != HTTP_OK));
        memcpy(out + *n, p, got);
        *n += got;
        *used += ate;
        free(p);
    }
    *done = k.done;
    return e;
}

static void fuzz_chunked(str in, struct cuts c) {
    char *a = malloc(in.n + 1), *b = malloc(in.n + 1), *d = malloc(in.n + 1);
    size_t an, bn, au, bu, du = 0;
    bool adone, bdone;
    str plain;
    enum http_error ae = decode(in, NULL, a, &an, &au, &adone), be = decode(in, &c, b, &bn, &bu, &bdone);
    MUST(ae == be && an == bn && au == bu && adone == bdone && memcmp(a, b, an) == 0);
    int verdict = plain_chunked(in, &plain, d, &du);
    /* The plain decoder sees no control characters in what is dropped, and knows no bound on it. */
    if (ae == HTTP_OK) MUST(verdict == adone);
    if (ae == HTTP_OK && adone) MUST(du == au && plain.n == an && memcmp(plain.p, a, an) == 0);
    free(a);
    free(b);
    free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str in = {(const char *)data, size};
    struct cuts c = take_cuts(&in);
    unsigned kind = in.n ? (unsigned char)in.p[0] % 3 : 0;
    in = str_skip(in, 1);
    if (!in.p) in = STR("");
    if (kind == 0)
        fuzz_head(in, c, http1_request);
    else if (kind == 1)
        fuzz_head(in, c, http1_response);
    else
        fuzz_chunked(in, c);
    return 0;
}
