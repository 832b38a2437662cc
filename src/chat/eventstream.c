/* eventstream: frames are gathered in one buffer and given out of it. */
#include "chat/eventstream.h"

#include <zlib.h>

enum { PRELUDE = 12, TRAILER = 4, TYPE_STRING = 7 };

void eventstream_init(struct eventstream *s) {
    *s = (struct eventstream){0};
    buf_init(&s->held, EVENTSTREAM_FRAME_MAX);
}

void eventstream_free(struct eventstream *s) { buf_free(&s->held); }

static uint32_t be32(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static uint32_t crc(const char *p, size_t n) { return (uint32_t)crc32_z(0, (const unsigned char *)p, n); }

/* How long the value of a header is by its type, its own length field included; 0: malformed. */
static size_t value_size(str v, unsigned type) {
    static const uint8_t fixed[] = {
        0, 0, 1, 2, 4, 8, 0, 0, 8, 16}; /* true, false, byte, short, int, long, bytes, string, time, uuid */
    if (type >= sizeof fixed) return SIZE_MAX;
    if (type != 6 && type != TYPE_STRING) return fixed[type];
    if (v.n < 2) return SIZE_MAX;
    return 2 + ((size_t)(unsigned char)v.p[0] << 8 | (unsigned char)v.p[1]);
}

static bool read_headers(str h, struct eventstream_frame *out) {
    str kind = STR_NONE;
    while (h.n) {
        size_t name_n = (unsigned char)h.p[0];
        if (h.n < name_n + 2) return false;
        str name = str_make(h.p + 1, name_n);
        unsigned type = (unsigned char)h.p[1 + name_n];
        h = str_skip(h, name_n + 2);
        size_t n = value_size(h, type);
        if (n > h.n) return false;
        str value = type == TYPE_STRING ? str_make(h.p + 2, n - 2) : STR_NONE;
        if (str_eqz(name, ":event-type") || str_eqz(name, ":exception-type") || str_eqz(name, ":error-code"))
            out->event = value;
        if (str_eqz(name, ":message-type")) kind = value;
        h = str_skip(h, n);
    }
    out->failed = kind.n && !str_eqz(kind, "event");
    return true;
}

/* The size of the frame at the start, 0 when more bytes are needed. */
static size_t frame_size(struct eventstream *s) {
    const char *p = s->held.p;
    if (s->held.n < PRELUDE) return 0;
    size_t total = be32(p), headers = be32(p + 4);
    if (crc(p, 8) != be32(p + 8) || total > EVENTSTREAM_FRAME_MAX || total < PRELUDE + TRAILER ||
        headers > total - PRELUDE - TRAILER) {
        s->bad = true;
        return 0;
    }
    return s->held.n < total ? 0 : total;
}

bool eventstream_next(struct eventstream *s, str *in, struct eventstream_frame *out) {
    buf_consume(&s->held, s->used);
    s->used = 0;
    *out = (struct eventstream_frame){0};
    if (s->bad) return false;
    buf_str(&s->held, *in);
    *in = str_skip(*in, in->n);
    if (s->held.failed) s->bad = true;
    size_t total = s->bad ? 0 : frame_size(s), headers;
    if (!total) return false;
    const char *p = s->held.p;
    headers = be32(p + 4);
    if (crc(p, total - TRAILER) != be32(p + total - TRAILER) ||
        !read_headers(str_make(p + PRELUDE, headers), out)) {
        s->bad = true;
        return false;
    }
    out->payload = str_make(p + PRELUDE + headers, total - PRELUDE - TRAILER - headers);
    s->used = total;
    return true;
}

bool eventstream_cut(const struct eventstream *s) { return s->bad || s->held.n > s->used; }
