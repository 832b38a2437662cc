/* yaml: configuration text as a tree with positions (libyaml does the parsing).
 *
 * Scalars are kept as text; who reads a value converts it. Anchors and aliases are resolved
 * within limits, merge keys (<<) are not supported and refused. ${NAME} and ${NAME:-default} in
 * scalars are expanded from the environment; an unset NAME without default is an error at its
 * position. Nodes whose text came from the environment are marked, so that it is never printed. */
#ifndef DRAY_BASE_YAML_H
#define DRAY_BASE_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
    YAML_BYTES_MAX = 4 << 20, /* of one file, and of one expanded scalar */
    YAML_DEPTH_MAX = 64,      /* nesting of lists and maps */
    YAML_NODES_MAX = 200000,  /* values of one file, aliases counted as what they stand for */
    YAML_MEMBERS_MAX = 4096,  /* keys of one map */
    YAML_ANCHORS_MAX = 256,
};
#define YAML_DURATION_MAX_US 3155760000000000u /* a hundred years */

enum ytype { Y_SCALAR, Y_SEQ, Y_MAP };

typedef struct ynode {
    enum ytype type;
    str value;                  /* scalar text after expansion */
    bool quoted;                /* "true" is a string, true is a boolean */
    bool secret;                /* came from the environment */
    str key;                    /* when a member of a map */
    uint32_t line, col;         /* of the value, from 1 */
    uint32_t key_line, key_col; /* of the key */
    const char *file;
    struct ynode *child, *next; /* first child; next sibling */
} ynode;

/* Parses one document; everything lives in `a`. `file` is what errors name. An empty file is an empty map. */
bool yaml_parse(str text, const char *file, arena *a, ynode **root, err *e);
/* The same without a look at the environment: ${NAME} stays as written. */
bool yaml_parse_plain(str text, const char *file, arena *a, ynode **root, err *e);
bool yaml_load(const char *path, arena *a, ynode **root, err *e);
/* Member of a map, NULL when absent or not a map. */
const ynode *yaml_get(const ynode *map, const char *key);
unsigned yaml_count(const ynode *n);
/* `key:` with nothing, ~ or null, unquoted. */
bool yaml_is_null(const ynode *n);
/* The value for an error message: quoted, cut, and never what came from the environment. */
const char *yaml_shown(const ynode *n, char out[64]);
/* Fills `e` with "file:line:col: message"; returns false. */
bool yaml_fail(err *e, const ynode *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool yaml_fail_key(err *e, const ynode *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Readers: convert a scalar or fail at its position. */
bool yaml_str(const ynode *n, str *out, err *e); /* not null; may be "" */
bool yaml_bool(const ynode *n, bool *out, err *e);
bool yaml_u64(const ynode *n, uint64_t min, uint64_t max, uint64_t *out, err *e);
bool yaml_f64(const ynode *n, double min, double max, double *out, err *e);
/* Durations "250ms", "30s", "5m", "2h", "14d"; a bare number is seconds. Microseconds out. */
bool yaml_duration(const ynode *n, uint64_t *us, err *e);
bool yaml_duration_text(str s, uint64_t *us);
/* Sizes "64k", "10MB", "1GiB" (all powers of 1024); a bare number is bytes. */
bool yaml_size(const ynode *n, uint64_t *bytes, err *e);
/* One of the NULL-terminated `words`; the index. The error lists them. */
bool yaml_word(const ynode *n, const char *const *words, unsigned *out, err *e);
/* The word nearest to a misspelt one, NULL when none is near. */
const char *yaml_nearest(str word, const char *const *words);
/* Every key of `map` must be in the NULL-terminated `known`; the error suggests the nearest. */
bool yaml_known(const ynode *map, const char *const *known, err *e);

#endif
