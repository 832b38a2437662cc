/* row: see row.h. */
#include "insight/row.h"

#include "base/err.h"

#include <stdlib.h>

/* Objects that are gone into while a record is indexed: what the readers look into. Texts
 * (messages, contents, content, choices) are not among them, so they are skipped once, quickly. */
static const char *const enter[] = {
    "request",
    "response",
    "body",
    "usage",
    "usage_object",
    "metadata",
    "message",
    "info",
    "payload",
    "result",
    "error",
    "prompt_tokens_details",
    "completion_tokens_details",
    "usageMetadata",
    "usage_details",
    "cost_details",
    "last_token_usage",
    "total_token_usage",
    "properties",
    NULL,
};

void row_header_read(struct row_header *h, str line, char delim, arena *a) {
    h->text = xmalloc(line.n + 1);
    memcpy(h->text, line.p, line.n);
    h->delim = delim;
    h->count = csv_split((str){h->text, line.n}, delim, h->name, a);
    for (unsigned i = 0; i < h->count; i++) h->name[i].raw = str_trim(h->name[i].raw);
}

void row_header_free(struct row_header *h) {
    free(h->text);
    h->text = NULL;
    h->count = 0;
}

bool row_csv(struct row *r, const struct row_header *h, str text, arena *a) {
    r->text = text;
    r->csv = true;
    r->h = h;
    r->a = a;
    r->fields = csv_split(text, h->delim, r->field, a);
    return r->fields == h->count;
}

bool row_json(struct row *r, str text, arena *a) {
    r->text = text;
    r->csv = false;
    r->a = a;
    const char *end = lazy_index(&r->x, text, enter);
    return end && str_trim((str){end, (size_t)(text.p + text.n - end)}).n == 0;
}

static jval csv_cell(const struct row *r, str name) {
    for (unsigned i = 0; i < r->h->count && i < r->fields; i++)
        if (str_eq(r->h->name[i].raw, name)) return r->field[i];
    return (jval){.type = J_NONE};
}

static jval one(const struct row *r, str path) {
    if (r->csv) {
        jval whole = csv_cell(r, path); /* column names may hold dots */
        if (whole.type != J_NONE) return whole;
    }
    str part, rest = path;
    unsigned at = 0;
    jval v = {.type = J_NONE};
    bool indexed = !r->csv;
    for (unsigned nested = 0; str_cut(&rest, '.', &part);) {
        if (indexed) {
            at = lazy_at(&r->x, at, part);
            if (at == 0) return (jval){.type = J_NONE};
            v = r->x.m[at].val;
            indexed = r->x.m[at].next > at + 1;
            continue;
        }
        if (v.type == J_NONE) {
            v = csv_cell(r, part);
        } else {
            if (v.type == J_STRING && nested++ < LAZY_NESTED_MAX) v = lazy_inner(v, r->a);
            v = lazy_get(v, part);
        }
        if (v.type == J_NONE) break;
    }
    return v;
}

/* Most paths that are asked for are not there: their first letter says so for most of them, without taking them
 * apart. */
static bool absent(const struct row *r, const char *path) { return !r->csv && !lazy_has_initial(&r->x, *path); }

jval row_get(const struct row *r, const char *paths) {
    for (const char *p = paths, *end; p; p = end ? end + 1 : NULL) {
        end = strchr(p, '|');
        if (absent(r, p)) continue;
        jval v = one(r, end ? (str){p, (size_t)(end - p)} : str_from(p));
        if (v.type != J_NONE && v.type != J_NULL && !(v.type == J_STRING && v.raw.n == 0)) return v;
    }
    return (jval){.type = J_NONE};
}

bool row_has(const struct row *r, str name) {
    return r->csv ? csv_cell(r, name).type != J_NONE : lazy_at(&r->x, 0, name) != 0;
}

str row_text(const struct row *r, const char *paths) { return lazy_text(row_get(r, paths), r->a); }
