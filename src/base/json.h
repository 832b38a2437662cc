/* json: the JSON of the wire path (RFC 8259). One non-destructive validating scan, then cursors
 * over the text that is known to be good; a writer.
 *
 * Nothing is copied and there is no tree: a jval is a view of the source text, so the source must
 * outlive it. Cursors are for text that json_scan (or json_check) accepted and don't check
 * again; on any other text they stay inside it and come to an end, but what they say means nothing. Malformed
 * UTF-8, lone surrogate escapes, control characters in strings, nesting past JSON_DEPTH_MAX and anything after the
 * document are errors with a byte offset. */
#ifndef DRAY_BASE_JSON_H
#define DRAY_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum {
    JSON_DEPTH_MAX = 256,   /* nesting of arrays and objects */
    JSON_MEMBERS_MAX = 256, /* top-level members of a scanned object */
};

typedef enum jtype { J_NONE, J_NULL, J_FALSE, J_TRUE, J_NUMBER, J_STRING, J_ARRAY, J_OBJECT } jtype;

/* A value: its type and its text. For strings `raw` is what stands between the quotes, still
 * escaped when `esc`; for all others the whole literal, brackets included. J_NONE: absent. */
typedef struct jval {
    str raw;
    jtype type;
    bool esc;
} jval;

/* A top-level member. `key` is the text between the quotes, `key_esc` whether it has escapes;
 * offsets are of the whole member in the source: `start` the key's opening quote, `end` behind the value. */
typedef struct jmember {
    str key;
    jval val;
    uint32_t start, end;
    bool key_esc;
} jmember;

enum json_state { JSON_MORE, JSON_DONE, JSON_BAD };

/* A scan that can pause: text arrives in a buffer that grows (and may move: offsets are kept, not
 * pointers), json_scan is called again with what is there so far. Bytes that were consumed are not
 * looked at again, whatever the pieces. */
typedef struct jscan {
    size_t pos; /* bytes consumed */
    enum json_state state;
    const char *error; /* what was wrong at `pos`, when JSON_BAD */
    uint32_t count;    /* members so far, when the document is an object */
    bool watched;      /* some string or key begins with the watched letters, or may: it was cut off in them */
    /* private from here */
    uint8_t phase, lex; /* what comes next; the token that is open */
    bool esc, key_esc;  /* the open string, the open top-level key has escapes */
    bool object;        /* the innermost open container is one */
    bool watches;
    char watch[4];
    uint32_t depth, cap;
    uint32_t root, root_end;                /* the document's value */
    uint32_t key, key_len, val;             /* the open top-level member */
    uint8_t depth_bits[JSON_DEPTH_MAX / 8]; /* 1: object */
    struct jscan_member {
        uint64_t hash;
        uint32_t key, key_len, val, end;
        bool key_esc, esc;
    } * member;
    arena *a;
} jscan;

/* Prepares; members are kept in `a`. Repeated top-level keys (compared after unescaping) are errors. */
void json_scan_init(jscan *s, arena *a);
/* From here on `watched` tells of strings that begin with these four letters, unescaped. */
void json_scan_watch(jscan *s, const char watch[4]);
/* Goes on in `text` (all bytes so far, the same prefix as before); `last` when nothing follows.
 * JSON_DONE comes only with `last`: until then more than space may follow. Documents are below 4 GB. */
enum json_state json_scan(jscan *s, str text, bool last);
/* Member i of the finished scan of `text`. */
jmember json_member(const jscan *s, str text, uint32_t i);
/* The top-level member called `key` (unescaped), or J_NONE. */
jval json_find(const jscan *s, str text, str key);
/* The whole document as a value, after JSON_DONE (leading and trailing space removed). */
jval json_root(const jscan *s, str text);

/* Validates a whole document in one go and returns it as a value; false with error and offset
 * (both may be NULL). For text that is not on the hot path: repeated keys are allowed. */
bool json_check(str text, jval *root, const char **error, size_t *offset);

/* ---- cursors over validated text ---- */
typedef struct jiter {
    const char *p, *end;
} jiter;
/* Iterates an object or array; anything else is empty. */
jiter json_iter(jval container);
/* Next member; `key` is raw, see json_key_eq. */
bool json_next(jiter *it, str *key, bool *key_esc, jval *val);
/* Next array item. */
bool json_item(jiter *it, jval *val);
/* Whether a raw key equals `want` once unescaped. */
bool json_key_eq_escaped(str key, str want);
static inline bool json_key_eq(str key, bool key_esc, str want) {
    return key_esc ? json_key_eq_escaped(key, want) : str_eq(key, want);
}
/* First member of an object by name, J_NONE when absent or not an object. Linear. */
jval json_get(jval object, str key);
/* json_get through several names: json_path(v, "usage", "prompt_tokens", NULL). */
jval json_path(jval v, ...) __attribute__((sentinel));
/* Value from text known to start with one (leading space allowed). */
jval json_value_at(const char *p, const char *end);

/* ---- over text that nobody validated ---- */

/* From behind a string's opening quote to its closing one; NULL when that is not before `end`. `*esc`: whether it
 * has escapes. */
const char *json_string_end(const char *p, const char *end, bool *esc);
/* From inside a container (behind its opening bracket or any of its values) to behind its closing bracket; NULL
 * when that is not before `end`. Brackets are counted, outside of strings. */
const char *json_close(const char *p, const char *end);

/* A string's bytes: the view itself when it has no escapes, else unescaped into `a`. */
str json_text(jval string, arena *a);
/* Whether a string value equals `want`. */
static inline bool json_is(jval string, str want) {
    return string.type == J_STRING && json_key_eq(string.raw, string.esc, want);
}
/* Integer numbers in range ("3", "3.0" and "3e0" are integers); false otherwise. */
bool json_i64(jval number, int64_t *out);
/* The nearest double; false when it is not a number or beyond the range of double. */
bool json_f64(jval number, double *out);
static inline bool json_true(jval v) { return v.type == J_TRUE; }

/* ---- writer: appends to a buf, commas and escapes are its business ---- */
typedef struct jw {
    buf *b;
    uint32_t depth;
    bool comma;
} jw;
void jw_init(jw *w, buf *b);
void jw_object(jw *w);
void jw_object_end(jw *w);
void jw_array(jw *w);
void jw_array_end(jw *w);
void jw_key(jw *w, const char *key);
void jw_key_str(jw *w, str key);
void jw_string(jw *w, str s); /* malformed UTF-8 becomes U+FFFD */
void jw_raw(jw *w, str json); /* a value that is JSON already */
void jw_i64(jw *w, int64_t v);
void jw_u64(jw *w, uint64_t v);
void jw_f64(jw *w, double v); /* shortest text that reads back; not finite becomes null */
void jw_bool(jw *w, bool v);
void jw_null(jw *w);
void jw_nano(jw *w, int64_t nano); /* money: an exact decimal string */

#endif
