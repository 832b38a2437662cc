/* http1: chunked bodies (RFC 9112 7.1), decoded where they lie.
 *
 * A machine with one state per place between two bytes; only DATA takes more than a byte at a time. Strict: no
 * space around the size, CRLF only, at most 15 hex digits, extensions and trailers without control characters
 * and together no longer than EXTRA_MAX (they are dropped). */
#include "net/http1.h"

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE, NAME, VALUE, VALUE_LF, END_LF };
enum { EXTRA_MAX = 16 * 1024, DIGITS_MAX = 15 };

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool size_byte(struct http_chunked *c, char b) {
    int h = hex(b);
    if (h >= 0 && c->digits < DIGITS_MAX) {
        c->left = c->left << 4 | (unsigned)h;
        c->digits++;
        return true;
    }
    c->state = b == '\r' ? SIZE_LF : EXTENSION;
    return c->digits && (b == '\r' || b == ';');
}

/* A byte of an extension or trailer value; CR ends it. */
static bool text_byte(struct http_chunked *c, char b, uint8_t after) {
    if (b == '\r') {
        c->state = after;
        return true;
    }
    return ((unsigned char)b >= 0x20 || b == '\t') && b != 0x7f && ++c->extra <= EXTRA_MAX;
}

/* A byte of a trailer's name, or the end of the trailers. */
static bool name_byte(struct http_chunked *c, char b) {
    if (c->state == LINE && b == '\r') {
        c->state = END_LF;
        return true;
    }
    if (c->state == NAME && b == ':') {
        c->state = VALUE;
        return true;
    }
    c->state = NAME;
    return http_token_char((unsigned char)b) && ++c->extra <= EXTRA_MAX;
}

/* Takes one byte that is not data; false when it must not stand there. */
static bool frame_byte(struct http_chunked *c, char b) {
    switch (c->state) {
    case SIZE: return size_byte(c, b);
    case EXTENSION: return text_byte(c, b, SIZE_LF);
    case SIZE_LF:
        c->digits = 0;
        c->state = c->left ? DATA : LINE;
        return b == '\n';
    case DATA_CR: c->state = DATA_LF; return b == '\r';
    case DATA_LF: c->state = SIZE; return b == '\n';
    case LINE:
    case NAME: return name_byte(c, b);
    case VALUE: return text_byte(c, b, VALUE_LF);
    case VALUE_LF: c->state = LINE; return b == '\n';
    default: c->done = b == '\n'; return c->done;
    }
}

enum http_error http1_chunked(struct http_chunked *c, char *p, size_t n, size_t *used, size_t *data) {
    size_t in = 0, out = 0;
    bool good = true;
    while (in < n && good && !c->done) {
        if (c->state != DATA) {
            good = frame_byte(c, p[in++]);
            continue;
        }
        size_t take = n - in < c->left ? n - in : (size_t)c->left;
        if (out != in) memmove(p + out, p + in, take);
        in += take;
        out += take;
        c->left -= take;
        if (!c->left) c->state = DATA_CR;
    }
    *used = in;
    *data = out;
    return good ? HTTP_OK : HTTP_BAD_CHUNK;
}
