/* lazy: reading JSON that nobody has validated, as past logs are, without looking at more of it
 * than is asked for.
 *
 * base/json.h proves a document good before its cursors may touch it; a log of gigabytes is read
 * mostly to be skipped, so here containers are skipped by bracket depth alone (json_close)
 * and nothing is trusted: every step is checked against `end`, and whatever doesn't parse is absent.
 * Values are the jval views of base/json.h, but only lazy_* functions may read them. */
#ifndef DRAY_INSIGHT_LAZY_H
#define DRAY_INSIGHT_LAZY_H

#include "base/json.h"

enum {
    LAZY_MEMBERS_MAX = 512, /* members of one indexed record; further ones are not seen */
    LAZY_ENTER_MAX = 8,     /* levels of a record that are indexed */
    LAZY_NESTED_MAX = 4,    /* JSON inside of JSON strings that a path may go through */
};

/* Reads one value at `p` (space before it allowed). Returns what follows it, NULL when it is cut
 * or malformed on its outside. */
const char *lazy_value(const char *p, const char *end, jval *out);

struct lazy_it {
    const char *p, *end;
    bool bad; /* the container broke off */
};
struct lazy_it lazy_iter(jval container);
bool lazy_next(struct lazy_it *it, str *key, jval *val);
bool lazy_item(struct lazy_it *it, jval *val);
/* Member by name (keys are compared as written); J_NONE when absent. */
jval lazy_get(jval object, str key);
/* Member by dotted path. A string that itself holds JSON is gone through; its text is unescaped into `a`. */
jval lazy_path(jval object, const char *path, arena *a);

/* Strings: the text without escapes; malformed escapes stay as they are. In `a` when it had any. */
str lazy_text(jval v, arena *a);
/* If `v` is a string that holds an object or array, that container; else `v`. */
jval lazy_inner(jval v, arena *a);
/* Whole numbers, also as strings and with a fraction (rounded); false on anything else. */
bool lazy_i64(jval v, int64_t *out);
bool lazy_f64(jval v, double *out);
bool lazy_bool(jval v, bool *out);
/* Decimal or exponent notation as integer nano-dollars, half up; false when it is no number. */
bool lazy_nano(jval v, int64_t *out);
/* Microseconds since 1970 from epoch seconds, milliseconds, microseconds or nanoseconds (told apart
 * by size), ISO 8601 with or without zone (UTC then), "24/Nov/2026:22:40:01 +0000" and plain dates;
 * false when it is none of them or outside 2000 to 2100. */
bool lazy_time(jval v, uint64_t *us);
static inline bool lazy_present(jval v) { return v.type != J_NONE && v.type != J_NULL; }

/* A record's members on its upper levels, found in one pass: containers whose key is in `enter` are
 * gone into, others skipped. Member 0 is the record itself. */
struct lazy_member {
    str key;
    jval val;
    uint16_t parent, next; /* next: index after this one's descendants */
};
struct lazy_index {
    uint32_t count;
    uint32_t initials; /* first letters of the members on top: see lazy_has_initial */
    struct lazy_member m[LAZY_MEMBERS_MAX];
};
/* Indexes one object. Returns what follows it, NULL when it is cut or no object; `enter` is a
 * NULL-terminated list of key names. */
const char *lazy_index(struct lazy_index *x, str text, const char *const *enter);
/* A member of member `parent`; its index, or 0 when absent. */
unsigned lazy_at(const struct lazy_index *x, unsigned parent, str key);
/* Whether a member on top may begin with this letter; false is sure. */
static inline bool lazy_has_initial(const struct lazy_index *x, char c) { return x->initials >> (c & 31) & 1; }

#endif
