/* csv: see csv.h. */
#include "insight/csv.h"

bool csv_sniff(str line, char *delim) {
    static const char delims[] = ",;\t|";
    size_t best = 0;
    for (const char *d = delims; *d; d++) {
        size_t n = 0;
        for (size_t i = 0; i < line.n; i++) n += line.p[i] == *d;
        if (n > best) best = n, *delim = *d;
    }
    if (best == 0) return false;
    str rest = line, part;
    while (str_cut(&rest, *delim, &part)) { /* names: short, and not numbers, brackets or sentences */
        part = str_trim(part);
        if (part.n > 80) return false;
        for (size_t i = 0; i < part.n; i++) {
            unsigned char c = (unsigned char)part.p[i];
            if (c < 0x20 || c == '{' || c == '[' || c == '<' || c == '=') return false;
        }
        if (part.n && part.p[0] >= '0' && part.p[0] <= '9') return false;
    }
    return true;
}

void csv_scan_reset(struct csv_scan *s) {
    s->quoted = s->close = false;
    s->start = true;
    s->lines = 0;
    s->row_end = 0;
}

size_t csv_scan(struct csv_scan *s, str t, size_t from, bool last) {
    for (size_t i = from; i < t.n; i++) {
        char c = t.p[i];
        if (s->quoted && !s->close) {
            const char *q = memchr(t.p + i, '"', t.n - i);
            size_t to = q ? (size_t)(q - t.p) : t.n;
            for (const char *l = t.p + i; (l = memchr(l, '\n', to - (size_t)(l - t.p))) != NULL; l++) s->lines++;
            if (!q) break;
            i = to;
            s->close = true;
        } else if (s->close && c == '"') {
            s->close = false; /* "" inside of quotes */
        } else if (c == '\n') {
            s->lines++;
            s->row_end = i > 0 && t.p[i - 1] == '\r' ? i - 1 : i;
            return i + 1;
        } else if (c == s->delim) {
            s->quoted = s->close = false;
            s->start = true;
        } else if (c == '"' && s->start) {
            s->quoted = true;
            s->start = false;
        } else {
            s->quoted = s->close = s->start = false;
        }
    }
    if (!last || t.n == 0) return CSV_MORE;
    s->row_end = t.n;
    return t.n;
}

/* The field from `p` (behind its opening quote), without doubled quotes; *next is behind the closing one. */
static jval quoted(const char *p, const char *end, const char **next, arena *a) {
    const char *b = p, *q;
    bool doubled = false;
    for (;; p = q + 2) {
        q = memchr(p, '"', (size_t)(end - p));
        if (!q) q = end;
        if (q + 1 >= end || q[1] != '"') break;
        doubled = true;
    }
    *next = q < end ? q + 1 : end;
    str raw = {b, (size_t)(q - b)};
    if (doubled) {
        char *o = arena_alloc(a, raw.n), *w = o;
        for (size_t i = 0; i < raw.n; i++) {
            *w++ = raw.p[i];
            if (raw.p[i] == '"') i++;
        }
        raw = (str){o, (size_t)(w - o)};
    }
    return (jval){.raw = raw, .type = J_STRING};
}

unsigned csv_split(str row, char delim, jval *out, arena *a) {
    const char *p = row.p, *end = row.p + row.n;
    unsigned n = 0;
    while (n < CSV_FIELDS_MAX) {
        const char *q = p;
        if (p < end && *p == '"') {
            out[n] = quoted(p + 1, end, &q, a);
            const char *d = memchr(q, delim, (size_t)(end - q));
            q = d ? d : end; /* what stands between a closing quote and the separator is dropped */
        } else {
            const char *d = memchr(p, delim, (size_t)(end - p));
            q = d ? d : end;
            out[n] = (jval){.raw = {p, (size_t)(q - p)}, .type = J_STRING};
        }
        n++;
        if (q >= end) break;
        p = q + 1;
    }
    return n;
}
