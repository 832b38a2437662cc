/* json: the writer. It keeps one bit, whether a comma must come before the next item: a key takes it away, a
 * value puts it back. Strings are copied in runs that need no escape. */
#include "base/json.h"

#include "base/err.h"
#include "base/json_lex.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void jw_init(jw *w, buf *b) { *w = (jw){.b = b}; }

static void item(jw *w) {
    if (w->comma) buf_char(w->b, ',');
    w->comma = true;
}

static void begin(jw *w, char c) {
    item(w);
    buf_char(w->b, c);
    w->comma = false;
    w->depth++;
}

static void finish(jw *w, char c) {
    invariant(w->depth > 0);
    w->depth--;
    buf_char(w->b, c);
    w->comma = true;
}

void jw_object(jw *w) { begin(w, '{'); }
void jw_object_end(jw *w) { finish(w, '}'); }
void jw_array(jw *w) { begin(w, '['); }
void jw_array_end(jw *w) { finish(w, ']'); }

static void escape(buf *b, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    char out[6] = {'\\', 0, '0', '0', hex[c >> 4], hex[c & 15]};
    switch (c) {
    case '"': out[1] = '"'; break;
    case '\\': out[1] = '\\'; break;
    case '\b': out[1] = 'b'; break;
    case '\f': out[1] = 'f'; break;
    case '\n': out[1] = 'n'; break;
    case '\r': out[1] = 'r'; break;
    case '\t': out[1] = 't'; break;
    default:
        out[1] = 'u';
        buf_add(b, out, 6);
        return;
    }
    buf_add(b, out, 2);
}

/* How much of a malformed sequence one U+FFFD stands for: its longest good start, at least a byte
 * (Unicode 15, 3.9, "substitution of maximal subparts"). */
static size_t malformed_len(const char *p, const char *end) {
    size_t n = 1;
    while (n < 3 && p + n < end && json_utf8(p, p + n + 1) == -1) n++;
    return n;
}

static void text(buf *b, str s) {
    buf_char(b, '"');
    for (const char *p = s.p, *end = p + s.n, *run = p; run < end || p < end;) {
        p = json_plain_end(p, end);
        int n = p < end && *p & 0x80 ? json_utf8(p, end) : 0;
        if (n > 0) {
            p += n;
            continue;
        }
        buf_add(b, run, (size_t)(p - run));
        if (p < end && *p & 0x80) {
            buf_add(b, "\xef\xbf\xbd", 3);
            p += malformed_len(p, end);
        } else if (p < end) {
            escape(b, (unsigned char)*p++);
        }
        run = p;
    }
    buf_char(b, '"');
}

void jw_key_str(jw *w, str key) {
    item(w);
    text(w->b, key);
    buf_char(w->b, ':');
    w->comma = false;
}

void jw_key(jw *w, const char *key) { jw_key_str(w, str_from(key)); }

void jw_string(jw *w, str s) {
    item(w);
    text(w->b, s);
}

void jw_raw(jw *w, str json) {
    item(w);
    buf_str(w->b, json);
}

void jw_i64(jw *w, int64_t v) {
    item(w);
    buf_i64(w->b, v);
}

void jw_u64(jw *w, uint64_t v) {
    item(w);
    buf_u64(w->b, v);
}

/* Every decimal of up to 15 digits survives the way through a normal double, so 15 digits give the shortest
 * text if it has at most that many, and 17 always read back. Subnormal numbers have fewer. */
void jw_f64(jw *w, double v) {
    char out[40];
    if (!isfinite(v)) {
        jw_null(w);
        return;
    }
    if (fabs(v) < 9e15 && v == (double)(int64_t)v && (v != 0 || !signbit(v))) {
        jw_i64(w, (int64_t)v);
        return;
    }
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(out, sizeof out, "%.*g", digits, v);
        if (strtod(out, NULL) == v) break;
    }
    jw_raw(w, str_from(out));
}

void jw_bool(jw *w, bool v) { jw_raw(w, v ? STR("true") : STR("false")); }
void jw_null(jw *w) { jw_raw(w, STR("null")); }

void jw_nano(jw *w, int64_t nano) {
    char out[34] = {'"'};
    size_t n = fmt_nano(out + 1, nano);
    out[n + 1] = '"';
    jw_raw(w, str_make(out, n + 2));
}
