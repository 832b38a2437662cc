/* Server-sent events. Claims: any split gives the same events; their bytes and the rest are the stream; no event
 * or value has a line end but where data lines were joined; a plain reader of whole lines, as the standard
 * describes it, dispatches the same values in the same order. */
#include "fuzz.h"

#include "net/sse.h"

/* Events as text: event name, then data, of those that have data. */
static void note(buf *b, str event, str data) {
    buf_printf(b, "<%zu %zu ", event.n, data.n);
    buf_str(b, event);
    buf_char(b, ' ');
    buf_str(b, data);
    buf_char(b, '>');
}

static void check_event(const struct sse_event *e) {
    MUST(e->bytes.n > 0 && memchr("\r\n", e->bytes.p[e->bytes.n - 1], 2));
    if (e->event.n) MUST(!memchr(e->event.p, '\n', e->event.n) && !memchr(e->event.p, '\r', e->event.n));
    if (e->data.n)
        MUST(!memchr(e->data.p, '\r', e->data.n) && (!e->single || !memchr(e->data.p, '\n', e->data.n)));
    if (e->single)
        MUST(e->has_data && e->data.p == e->bytes.p + e->data_at && e->data_at + e->data.n < e->bytes.n);
}

/* Feeds in pieces (c NULL: in one); notes go to `values`, bytes to `bytes`, ends of events to `ends`. */
static void feed(str in, struct cuts *c, buf *values, buf *bytes, buf *ends) {
    struct sse s;
    struct sse_event e;
    sse_init(&s, 1 << 20);
    while (in.n) {
        size_t n = c ? cut(c, in.n) : in.n;
        char *p = exact(in.p, n);
        str piece = {p, n};
        while (sse_next(&s, &piece, &e)) {
            check_event(&e);
            if (e.has_data) note(values, e.event, e.data);
            buf_str(bytes, e.bytes);
            buf_printf(ends, "%zu ", bytes->n);
        }
        MUST(piece.n == 0 && !s.held.failed);
        free(p);
        in = str_skip(in, n);
    }
    if (sse_finish(&s, &e)) {
        check_event(&e);
        if (e.has_data) note(values, e.event, e.data);
        buf_str(bytes, e.bytes);
    }
    buf_str(bytes, sse_rest(&s));
    sse_free(&s);
}

/* Line by line, as the standard has it. */
static void plain(str in, buf *values) {
    buf data;
    bool has = false;
    str event = STR_NONE;
    buf_init(&data, 1 << 20);
    if (str_starts(in, STR("\xef\xbb\xbf"))) in = str_skip(in, 3);
    while (in.n) {
        size_t n = 0;
        while (n < in.n && in.p[n] != '\n' && in.p[n] != '\r') n++;
        if (n == in.n) break;
        str line = str_take(in, n);
        in = str_skip(in, n + (in.p[n] == '\r' && n + 1 < in.n && in.p[n + 1] == '\n' ? 2 : 1));
        if (!line.n) {
            if (has) note(values, event, buf_view(&data));
            buf_clear(&data);
            has = false;
            event = STR_NONE;
            continue;
        }
        ptrdiff_t colon = str_chr(line, ':');
        str name = colon < 0 ? line : str_take(line, (size_t)colon);
        str value = colon < 0 ? STR_NONE : str_skip(line, (size_t)colon + 1);
        if (value.n && value.p[0] == ' ') value = str_skip(value, 1);
        if (str_eq(name, STR("event"))) event = value;
        if (!str_eq(name, STR("data"))) continue;
        if (has) buf_char(&data, '\n');
        buf_str(&data, value);
        has = true;
    }
    buf_free(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str in = {(const char *)data, size};
    struct cuts c = take_cuts(&in);
    buf b[7];
    if (in.n > 1 << 16) return 0;
    if (!in.p) in = STR("");
    for (int i = 0; i < 7; i++) buf_init(&b[i], 64 << 20);
    feed(in, NULL, &b[0], &b[1], &b[2]);
    feed(in, &c, &b[3], &b[4], &b[5]);
    MUST(str_eq(buf_view(&b[1]), in) && str_eq(buf_view(&b[4]), in));
    MUST(str_eq(buf_view(&b[0]), buf_view(&b[3])) && str_eq(buf_view(&b[2]), buf_view(&b[5])));
    plain(in, &b[6]);
    MUST(str_eq(buf_view(&b[6]), buf_view(&b[0])));
    for (int i = 0; i < 7; i++) buf_free(&b[i]);
    return 0;
}
