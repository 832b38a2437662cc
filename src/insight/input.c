/* input: see input.h.
 *
 * One buffer, refilled by reads of a size that stays in the second-level cache: read() from the page
 * cache measures no slower than a mapping (whose page faults cost as much as the copy), works the
 * same for pipes and compressed files, and keeps the memory constant. A record that doesn't fit makes
 * the buffer double, up to INPUT_RECORD_MAX. */
#include "insight/input.h"

#include "insight/csv.h"
#include "insight/lazy.h"
#include "insight/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct input {
    struct unpack *z;
    const char *path;
    char *buf;
    size_t cap, pos, fill;
    size_t scanned; /* bytes behind pos that are known to hold no record end */
    struct csv_scan csv;
    bool eof, failed, page, array;
    bool big;  /* UTF-16 with the high byte first */
    char *raw; /* UTF-16 that isn't converted yet; NULL: the file is bytes */
    size_t raw_fill;
    enum input_kind kind;
    uint64_t line, size;
    err e;
};

/* ---- bytes ---- */

/* UTF-16 as UTF-8; what isn't well-formed becomes U+FFFD. Leaves a half unit or pair in `raw`. */
static size_t convert(struct input *in, char *out, bool last) {
    const unsigned char *p = (const unsigned char *)in->raw;
    size_t n = in->raw_fill, i = 0, o = 0;
    while (i + 2 <= n) {
        uint32_t c = in->big ? (uint32_t)p[i] << 8 | p[i + 1] : (uint32_t)p[i + 1] << 8 | p[i];
        if (c >= 0xD800 && c < 0xDC00) {
            if (i + 4 > n && !last) break;
            uint32_t d = i + 4 > n ? 0
                         : in->big ? (uint32_t)p[i + 2] << 8 | p[i + 3]
                                   : (uint32_t)p[i + 3] << 8 | p[i + 2];
            bool pair = d >= 0xDC00 && d < 0xE000;
            c = pair ? 0x10000 + ((c - 0xD800) << 10) + (d - 0xDC00) : 0xFFFD;
            i += pair ? 2 : 0;
        } else if (c >= 0xDC00 && c < 0xE000) {
            c = 0xFFFD;
        }
        i += 2;
        if (c < 0x80) {
            out[o++] = (char)c;
        } else if (c < 0x800) {
            out[o++] = (char)(0xC0 | c >> 6);
            out[o++] = (char)(0x80 | (c & 63));
        } else {
            if (c >= 0x10000) out[o++] = (char)(0xF0 | c >> 18);
            out[o++] = (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 63) : 0xE0 | c >> 12);
            out[o++] = (char)(0x80 | (c >> 6 & 63));
            out[o++] = (char)(0x80 | (c & 63));
        }
    }
    memmove(in->raw, in->raw + i, n - i);
    in->raw_fill = n - i;
    return o;
}

/* As unpack_read, in UTF-8. */
static ssize_t read_text(struct input *in, char *out, size_t n) {
    if (!in->raw) return unpack_read(in->z, out, n, &in->e);
    for (;;) { /* a unit of two bytes becomes at most three */
        size_t want = n / 3 * 2 < INPUT_CHUNK ? n / 3 * 2 : INPUT_CHUNK;
        ssize_t got =
            want > in->raw_fill ? unpack_read(in->z, in->raw + in->raw_fill, want - in->raw_fill, &in->e) : 0;
        if (got < 0) return got;
        in->raw_fill += (size_t)got;
        size_t made = convert(in, out, got == 0);
        if (made || got == 0) return (ssize_t)made;
    }
}

/* The bytes that were read turn out to be UTF-16: they go back. */
static void is_utf16(struct input *in) {
    const unsigned char *p = (const unsigned char *)in->buf;
    if (in->fill < 2 || !((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF))) return;
    in->big = p[0] == 0xFE;
    in->raw = xmalloc(INPUT_CHUNK);
    in->raw_fill = in->fill - 2;
    memcpy(in->raw, in->buf + 2, in->raw_fill);
    in->fill = convert(in, in->buf, in->eof);
}

/* Brings more bytes; false when there are none. Moves what is unread to the front first. */
static bool more(struct input *in) {
    if (in->eof) return false;
    if (in->pos > 0) {
        memmove(in->buf, in->buf + in->pos, in->fill - in->pos);
        in->fill -= in->pos;
        in->pos = 0;
    }
    if (in->cap - in->fill < INPUT_CHUNK / 2) {
        in->cap *= 2;
        in->buf = xrealloc(in->buf, in->cap);
    }
    size_t room = in->cap - in->fill;
    ssize_t got = read_text(in, in->buf + in->fill, room < INPUT_CHUNK ? room : INPUT_CHUNK);
    if (got <= 0) {
        in->eof = true;
        in->failed = got < 0 && !fail_in(&in->e, "%s", in->path);
        return false;
    }
    in->fill += (size_t)got;
    return true;
}

static bool too_long(const struct input *in) { return in->fill - in->pos > INPUT_RECORD_MAX; }

/* ---- what the file holds ---- */

/* Lists that are gone into instead of being one record. */
static const char *const page_lists[] = {"data",  "logs",    "items",        "records",       "rows",
                                         "calls", "results", "observations", "resourceSpans", NULL};

/* If `p` begins an object that is a page of records: the start of the first one, else NULL. */
static const char *page_start(const char *p, const char *end) {
    struct lazy_it it = {p + 1, end, false};
    str key;
    jval v;
    for (;;) {
        const char *q = it.p;
        while (q < end && (*q == ',' || *q == ' ' || *q == '\t' || *q == '\n' || *q == '\r')) q++;
        if (q >= end || *q != '"') return NULL;
        const char *k = q + 1;
        q = memchr(k, '"', (size_t)(end - k));
        if (!q) return NULL;
        key = (str){k, (size_t)(q - k)};
        for (q++; q < end && (*q == ':' || *q == ' ' || *q == '\t' || *q == '\n' || *q == '\r'); q++) {
        }
        if (q >= end) return NULL;
        bool named = false;
        for (const char *const *n = page_lists; *n; n++) named = named || str_eqz(key, *n);
        if (named && *q == '[') {
            for (q++; q < end && (*q == ' ' || *q == '\n' || *q == '\r' || *q == '\t'); q++) {
            }
            if (q >= end || *q != '{') return NULL;
            str head = {q, end - q > 200 ? 200 : (size_t)(end - q)};
            return str_find(head, STR("embedding\"")) < 0 && !str_eqz(key, "results") ? q : NULL;
        }
        it.p = lazy_value(q, end, &v);
        if (!it.p) return NULL;
    }
}

static enum input_kind sniff(struct input *in) {
    const char *p = in->buf + in->pos, *end = in->buf + in->fill;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    if (p >= end) return INPUT_LINES;
    if (*p == '[' && end - p > 1) {
        const char *q = p + 1;
        while (q < end && (*q == ' ' || *q == '\t' || *q == '\r' || *q == '\n')) q++;
        return q < end && (*q == '{' || *q == ']') ? INPUT_JSON : INPUT_LINES;
    }
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    if (*p != '{')
        return csv_sniff((str){p, (size_t)((nl ? nl : end) - p)}, &in->csv.delim) ? INPUT_CSV : INPUT_LINES;
    if (page_start(p, end)) return INPUT_JSON;
    jval v;
    if (!nl || lazy_value(p, nl, &v)) return INPUT_LINES;
    for (p = nl; p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'); p++) {
    }
    return p < end && *p == '{' ? INPUT_LINES : INPUT_JSON;
}

struct input *input_open(const char *path, err *e) {
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        fail(e, "%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return NULL;
    }
    if (S_ISDIR(st.st_mode)) {
        fail(e, "%s: is a directory", path);
        close(fd);
        return NULL;
    }
    struct input *in = xcalloc(1, sizeof *in);
    in->z = unpack_new(fd);
    in->path = path;
    in->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    in->cap = (size_t)INPUT_CHUNK * 2;
    in->buf = xmalloc(in->cap);
    in->line = 1;
    if (more(in)) is_utf16(in);
    while (in->fill < INPUT_SNIFF && more(in)) {
    }
    if (in->fill >= 3 && memcmp(in->buf, "\xEF\xBB\xBF", 3) == 0) in->pos = 3;
    in->kind = sniff(in);
    return in;
}

void input_close(struct input *in) {
    if (!in) return;
    unpack_free(in->z);
    free(in->buf);
    free(in->raw);
    free(in);
}

enum input_kind input_kind(const struct input *in) { return in->kind; }

char input_delim(const struct input *in) { return in->csv.delim; }

void input_progress(const struct input *in, uint64_t *done, uint64_t *size) {
    *done = unpack_taken(in->z);
    *size = in->size;
}

/* ---- records ---- */

static void advance(struct input *in, size_t n) { in->pos += n, in->scanned = 0; }

/* Drops the rest of a line that is too long to keep. */
static void drop_line(struct input *in) {
    for (;;) {
        char *p = in->buf + in->pos;
        char *nl = memchr(p, '\n', in->fill - in->pos);
        if (nl) {
            advance(in, (size_t)(nl + 1 - p));
            break;
        }
        advance(in, in->fill - in->pos);
        if (!more(in)) break;
    }
    in->line++;
}

static enum input_what next_line(struct input *in, str *rec, uint64_t *line) {
    for (;;) {
        char *p = in->buf + in->pos;
        size_t n = in->fill - in->pos;
        char *nl = n > in->scanned ? memchr(p + in->scanned, '\n', n - in->scanned) : NULL;
        if (!nl) {
            in->scanned = n;
            if (too_long(in)) {
                *line = in->line;
                drop_line(in);
                return INPUT_TOO_LONG;
            }
            if (more(in)) continue;
            if (n == 0) return in->failed ? INPUT_ERROR : INPUT_END;
            p = in->buf + in->pos, nl = p + n;
        }
        size_t len = (size_t)(nl - p);
        *line = in->line++;
        advance(in, len + (nl < in->buf + in->fill));
        if (len > 0 && p[len - 1] == '\r') len--;
        if (len == 0) continue;
        *rec = (str){p, len};
        return INPUT_RECORD;
    }
}

/* A quote that never closes would swallow the rest of the file: its line is broken, reading goes on behind it. */
static enum input_what stray_quote(struct input *in, str *rec, uint64_t *line) {
    char *p = in->buf + in->pos, *nl = memchr(p, '\n', in->fill - in->pos);
    size_t n = nl ? (size_t)(nl - p) : in->fill - in->pos;
    *line = in->line++;
    *rec = (str){p, n};
    advance(in, n + (nl != NULL));
    return INPUT_BROKEN;
}

static enum input_what next_csv(struct input *in, str *rec, uint64_t *line) {
    for (;;) {
        str s = {in->buf + in->pos, in->fill - in->pos};
        if (in->scanned == 0) csv_scan_reset(&in->csv);
        size_t end = csv_scan(&in->csv, s, in->scanned, in->eof);
        if (end == CSV_MORE) {
            in->scanned = s.n;
            if (too_long(in)) {
                *line = in->line;
                drop_line(in);
                return INPUT_TOO_LONG;
            }
            if (more(in)) continue;
            if (s.n == 0) return in->failed ? INPUT_ERROR : INPUT_END;
            end = csv_scan(&in->csv, s, 0, true);
        }
        if (in->csv.quoted && !in->csv.close) return stray_quote(in, rec, line);
        *line = in->line;
        in->line += in->csv.lines;
        *rec = (str){s.p, in->csv.row_end};
        advance(in, end);
        if (str_trim(*rec).n) return INPUT_RECORD;
    }
}

static void count_lines(struct input *in, const char *p, const char *end) {
    while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) in->line++, p++;
}

/* Space and commas between values, brackets of the list around them. False: more bytes are needed. */
static bool json_between(struct input *in) {
    for (;;) {
        const char *p = in->buf + in->pos, *b = p, *end = in->buf + in->fill;
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n' || *p == ',')) p++;
        count_lines(in, b, p);
        advance(in, (size_t)(p - b));
        if (p >= end) return false;
        if (in->array && *p == ']') {
            in->array = false;
            if (in->page) {
                const char *q; /* the rest of the page's object */
                while (!(q = json_close(in->buf + in->pos + 1, in->buf + in->fill)) && !too_long(in) && more(in)) {
                }
                if (!q) q = in->buf + in->fill;
                in->page = false;
                count_lines(in, in->buf + in->pos, q);
                advance(in, (size_t)(q - in->buf) - in->pos);
            } else {
                advance(in, 1);
            }
        } else if (!in->array && *p == '[') {
            in->array = true;
            advance(in, 1);
        } else if (!in->array && *p == '{') {
            if (end - p < INPUT_SNIFF && more(in)) continue;
            p = in->buf + in->pos;
            const char *q = page_start(p, in->buf + in->fill);
            if (!q) return true;
            in->array = in->page = true;
            count_lines(in, p, q);
            advance(in, (size_t)(q - p));
        } else {
            return true;
        }
    }
}

static enum input_what next_json(struct input *in, str *rec, uint64_t *line) {
    while (!json_between(in))
        if (!more(in)) return in->failed ? INPUT_ERROR : INPUT_END;
    *line = in->line;
    for (;;) {
        const char *p = in->buf + in->pos, *end = in->buf + in->fill;
        jval v;
        const char *q = lazy_value(p, end, &v);
        if (q == end && v.type == J_NUMBER && !in->eof) q = NULL; /* may go on */
        if (q) {
            *rec = (str){p, (size_t)(q - p)};
            count_lines(in, p, q);
            advance(in, (size_t)(q - p));
            return INPUT_RECORD;
        }
        /* a value that doesn't close is looked at again only when there is half as much again */
        size_t had = in->fill - in->pos;
        while (in->fill - in->pos < had + had / 2 && !too_long(in) && more(in)) {
        }
        if (in->fill - in->pos > had && !too_long(in)) continue;
        p = in->buf + in->pos;
        const char *nl = memchr(p, '\n', in->fill - in->pos);
        *rec = (str){p, nl ? (size_t)(nl - p) : in->fill - in->pos};
        advance(in, rec->n + (nl != NULL));
        in->line += nl != NULL;
        return INPUT_BROKEN;
    }
}

enum input_what input_next(struct input *in, str *rec, uint64_t *line, err *e) {
    *rec = STR_NONE;
    enum input_what w = in->kind == INPUT_CSV    ? next_csv(in, rec, line)
                        : in->kind == INPUT_JSON ? next_json(in, rec, line)
                                                 : next_line(in, rec, line);
    if (w == INPUT_ERROR && e) *e = in->e;
    return w;
}
