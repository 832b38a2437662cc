/* multipart: see multipart.h. A body is text, delimiter, head, value, delimiter, head, value … delimiter and "--".
 * A delimiter may be cut by the end of what has come: the search goes back by its length. */
#include "net/multipart.h"

enum phase { PREAMBLE, BEHIND_DELIMITER, HEAD, VALUE };

static const str crlf = STR_INIT("\r\n");

/* What follows the next semicolon that stands in no quotes. */
static str next_parameter(str s) {
    bool quoted = false;
    size_t i = 0;
    for (; i < s.n && (quoted || s.p[i] != ';'); i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
    }
    s = str_skip(s, i + 1);
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = str_skip(s, 1);
    return s;
}

/* Value of a parameter of a header's value: name="value" or name=value. Empty when it has none. */
static str parameter(str header, str name) {
    for (str rest = next_parameter(header); rest.n; rest = next_parameter(rest)) {
        if (!str_istarts(rest, name) || rest.n <= name.n || rest.p[name.n] != '=') continue;
        str v = str_skip(rest, name.n + 1);
        if (v.n && v.p[0] == '"') {
            v = str_skip(v, 1);
            ptrdiff_t end = str_chr(v, '"');
            return end < 0 ? STR_NONE : str_take(v, (size_t)end);
        }
        size_t n = 0;
        while (n < v.n && !strchr("; \t\r\n", v.p[n])) n++;
        return str_take(v, n);
    }
    return STR_NONE;
}

bool multipart_begin(struct multipart *m, str content_type) {
    str boundary = parameter(content_type, STR("boundary"));
    *m = (struct multipart){.state = MULTIPART_MORE};
    if (!str_istarts(content_type, STR("multipart/form-data")) || !boundary.n ||
        boundary.n > MULTIPART_BOUNDARY_MAX)
        return false;
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    m->delimiter_n = boundary.n + 4;
    return true;
}

static enum multipart_state bad(struct multipart *m, const char *why) {
    m->error = why;
    return m->state = MULTIPART_BAD;
}

/* Reads a part's head, `body` from `at` on, `n` bytes: what its Content-Disposition says. */
static void read_head(struct multipart *m, str body, size_t at, size_t n) {
    struct multipart_field *f = &m->field[m->count++];
    str head = str_make(body.p + at, n), line;
    *f = (struct multipart_field){0};
    while (head.n) {
        ptrdiff_t end = str_find(head, crlf);
        line = end < 0 ? head : str_take(head, (size_t)end);
        head = end < 0 ? STR_NONE : str_skip(head, (size_t)end + 2);
        if (!str_istarts(line, STR("content-disposition:"))) continue;
        str name = parameter(line, STR("name"));
        f->name = name.n ? (size_t)(name.p - body.p) : 0;
        f->name_n = name.n;
        f->file = parameter(line, STR("filename")).p || parameter(line, STR("filename*")).p;
    }
}

/* One step; false when more bytes are needed (or it is over). */
static bool find_delimiter(struct multipart *m, str body) {
    str delimiter = str_make(m->delimiter, m->delimiter_n), first = str_skip(delimiter, 2);
    size_t at = 0, n = 0;
    if (m->phase == PREAMBLE && m->pos == 0 && body.n < first.n) return false;
    if (m->phase == PREAMBLE && m->pos == 0 && str_starts(body, first)) {
        n = first.n;
    } else {
        ptrdiff_t found = str_find(str_skip(body, m->pos), delimiter);
        if (found < 0) {
            if (body.n - m->pos >= delimiter.n) m->pos = body.n - delimiter.n + 1;
            return false;
        }
        at = m->pos + (size_t)found;
        n = delimiter.n;
    }
    if (m->phase == VALUE) m->field[m->count - 1].end = at;
    m->pos = at + n;
    m->phase = BEHIND_DELIMITER;
    return true;
}

static bool behind_delimiter(struct multipart *m, str body) {
    str rest = str_skip(body, m->pos);
    if (rest.n < 2) return false;
    if (str_starts(rest, STR("--"))) {
        m->state = MULTIPART_DONE;
        return false;
    }
    size_t n = 0;
    while (n < rest.n && (rest.p[n] == ' ' || rest.p[n] == '\t')) n++;
    if (rest.n - n < 2 && n < MULTIPART_HEAD_MAX) return false;
    if (!str_starts(str_skip(rest, n), crlf)) {
        bad(m, "a boundary is followed by something else");
        return false;
    }
    m->pos += n; /* the line's end may be the head's empty line, too */
    m->phase = HEAD;
    return true;
}

static bool head(struct multipart *m, str body) {
    str rest = str_skip(body, m->pos);
    ptrdiff_t end = str_find(str_take(rest, MULTIPART_HEAD_MAX), STR("\r\n\r\n"));
    if (end < 0) {
        if (rest.n >= MULTIPART_HEAD_MAX) bad(m, "a part's head is too long");
        return false;
    }
    if (m->count == MULTIPART_FIELDS_MAX) {
        bad(m, "it has too many parts");
        return false;
    }
    size_t skip = end >= 2 ? 2 : 0; /* the line end behind the delimiter */
    read_head(m, body, m->pos + skip, (size_t)end - skip);
    m->pos += (size_t)end + 4;
    m->field[m->count - 1].start = m->field[m->count - 1].end = m->pos;
    m->phase = VALUE;
    return true;
}

enum multipart_state multipart_scan(struct multipart *m, str body, bool whole) {
    bool more = m->state == MULTIPART_MORE;
    while (more && m->state == MULTIPART_MORE) {
        switch ((enum phase)m->phase) {
        case PREAMBLE:
        case VALUE: more = find_delimiter(m, body); break;
        case BEHIND_DELIMITER: more = behind_delimiter(m, body); break;
        case HEAD: more = head(m, body); break;
        }
    }
    if (whole && m->state == MULTIPART_MORE) bad(m, "it ends before its last boundary");
    return m->state;
}

const struct multipart_field *multipart_find(const struct multipart *m, str body, str name) {
    for (unsigned i = 0; i < m->count; i++) {
        const struct multipart_field *f = &m->field[i];
        if (!f->file && str_eq(str_make(body.p + f->name, f->name_n), name)) return f;
    }
    return NULL;
}
