/* yaml: libyaml's events built into a tree.
 *
 * Why not libyaml's own document: it has no positions for keys, keeps repeated keys, and lets a few
 * aliases stand for gigabytes. Here an alias shares the children of its anchor (only the node itself is
 * copied, since key and sibling differ), and every node carries the weight of all it stands for, so that
 * walkers meet at most YAML_NODES_MAX nodes however clever the aliases are.
 *
 * ${NAME} in flow style ("{api_key: ${KEY}}") is no YAML: braces end a plain scalar there. So before libyaml
 * sees the text, the special characters inside ${...} are swapped for private-use code points (U+E000 + the
 * character), one for one, which keeps columns true; scalars swap them back while they expand. Comments
 * and keys may hold ${...} too: there it means nothing. "$${" is a literal "${". */
#include "base/yaml.h"

#include "base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

enum { SHOWN_MAX = 48, ENV_NAME_MAX = 128 };

struct anchor {
    const char *name;
    ynode *node;
    uint32_t weight;
};

struct loader {
    yaml_parser_t parser;
    arena *a;
    const char *file;
    err *e;
    uint32_t weight; /* nodes so far, each alias counted as what it stands for */
    struct anchor anchor[YAML_ANCHORS_MAX];
    unsigned anchor_count;
    bool plain; /* ${NAME} stays */
};

/* ---- errors ---- */

static bool fail_at(err *e, const char *file, size_t line, size_t col, const char *fmt, va_list ap) {
    if (!e) return false;
    int n = snprintf(e->msg, sizeof e->msg, "%s:%zu:%zu: ", file, line, col);
    if (n > 0 && (size_t)n < sizeof e->msg) vsnprintf(e->msg + n, sizeof e->msg - (size_t)n, fmt, ap);
    return false;
}

bool yaml_fail(err *e, const ynode *at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail_at(e, at->file, at->line, at->col, fmt, ap);
    va_end(ap);
    return false;
}

bool yaml_fail_key(err *e, const ynode *at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail_at(e, at->file, at->key_line ? at->key_line : at->line, at->key_line ? at->key_col : at->col, fmt, ap);
    va_end(ap);
    return false;
}

static bool fail_mark(struct loader *l, yaml_mark_t m, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool fail_mark(struct loader *l, yaml_mark_t m, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail_at(l->e, l->file, m.line + 1, m.column + 1, fmt, ap);
    va_end(ap);
    return false;
}

/* What libyaml says, with a hint where its words mislead. */
static bool fail_parser(struct loader *l) {
    yaml_mark_t m = l->parser.problem_mark;
    const char *what = l->parser.problem ? l->parser.problem : "malformed YAML";
    if (l->parser.error == YAML_READER_ERROR) { /* no mark: count from the start */
        const char *text = (const char *)l->parser.input.string.start;
        size_t at = l->parser.problem_offset,
               size = (size_t)(l->parser.input.string.end - l->parser.input.string.start);
        m = (yaml_mark_t){0};
        for (size_t i = 0; i < at && i < size; i++) {
            if (text[i] == '\n')
                m = (yaml_mark_t){0, m.line + 1, 0};
            else if (((unsigned char)text[i] & 0xC0) != 0x80)
                m.column++;
        }
    }
    if (strstr(what, "cannot start any token"))
        what = "a value can't start with this character (tab, @, ` and % can't)";
    return fail_mark(l, m, "%s%s%s", what, l->parser.context ? " " : "",
                     l->parser.context ? l->parser.context : "");
}

/* ---- ${NAME} ---- */

/* Whether `c` means something to YAML and is swapped inside ${...}. */
static bool is_special(char c) { return c && strchr("{}[],:#&*!|>'\"%@`-? \\", c); }

/* Replaces special characters inside ${...} by U+E000 + character, three bytes each. */
static str protect(str text, arena *a) {
    ptrdiff_t first = str_find(text, STR("${"));
    if (first < 0) return text;
    char *out = arena_alloc(a, text.n * 3 + 1), *o = out;
    size_t inside = 0; /* offset behind the closing brace of the ${...} we are in */
    for (size_t i = 0; i < text.n; i++) {
        if (i >= inside && text.p[i] == '{' && i && text.p[i - 1] == '$') {
            size_t end = i + 1;
            while (end < text.n && text.p[end] != '}' && text.p[end] != '\n') end++;
            if (end < text.n && text.p[end] == '}') inside = end + 1;
        }
        if (i < inside && is_special(text.p[i])) {
            *o++ = (char)0xEE;
            *o++ = (char)(0x80 | ((unsigned char)text.p[i] >> 6));
            *o++ = (char)(0x80 | ((unsigned char)text.p[i] & 0x3F));
        } else {
            *o++ = text.p[i];
        }
    }
    return (str){out, (size_t)(o - out)};
}

/* The character that stands swapped at `p`, 0 when none does. */
static char swapped(const char *p, const char *end) {
    if (end - p < 3 || (unsigned char)p[0] != 0xEE || ((unsigned char)p[1] & 0xFE) != 0x80) return 0;
    char c = (char)((((unsigned char)p[1] & 1) << 6) | ((unsigned char)p[2] & 0x3F));
    return is_special(c) ? c : 0;
}

/* Swaps everything from `p` to the closing brace back; NULL when there is none. `*after` is behind it. */
static char *unswap(const char *p, const char *end, arena *a, const char **after) {
    char *out = arena_alloc(a, (size_t)(end - p) + 1), *o = out;
    while (p < end) {
        char c = swapped(p, end);
        if (c == '}') {
            *o = 0;
            *after = p + 3;
            return out;
        }
        *o++ = c ? c : *p;
        p += c ? 3 : 1;
    }
    return NULL;
}

static bool expand_one(struct loader *l, ynode *n, char *inside, buf *out) {
    char *dash = strstr(inside, ":-");
    const char *fallback = NULL;
    if (dash) {
        *dash = 0;
        fallback = dash + 2;
    }
    size_t len = strlen(inside);
    bool good = len > 0 && len <= ENV_NAME_MAX && !isdigit((unsigned char)inside[0]);
    for (size_t i = 0; i < len; i++) good = good && (isalnum((unsigned char)inside[i]) || inside[i] == '_');
    if (!good)
        return yaml_fail(
            l->e, n, "${%.40s} is not the name of an environment variable (write $${ for a literal ${)", inside);
    const char *value = getenv(inside);
    if (value && fallback && !*value) value = NULL;
    if (!value && !fallback)
        return yaml_fail(l->e, n, "environment variable %s is not set (write ${%s:-default} to allow that)",
                         inside, inside);
    if (value) n->secret = true;
    buf_strz(out, value ? value : fallback);
    return true;
}

/* n->value from libyaml's text: swapped characters back, ${NAME} expanded. */
static bool expand(struct loader *l, ynode *n, str raw) {
    if (str_chr(raw, '$') < 0) {
        n->value = arena_str(l->a, raw);
        return true;
    }
    buf out;
    buf_init(&out, YAML_BYTES_MAX);
    bool good = true;
    const char *end = raw.p + raw.n;
    for (const char *p = raw.p; good && p < end;) {
        bool open = *p == '$' && swapped(p + 1, end) == '{';
        bool literal = *p == '$' && end - p > 1 && p[1] == '$' && swapped(p + 2, end) == '{';
        if (*p == '$' && end - p > 1 && p[1] == '{') {
            good = yaml_fail(l->e, n, "\"${\" without its \"}\" on the same line");
        } else if (open || literal) {
            const char *after = end;
            char *inside = unswap(p + (literal ? 5 : 4), end, l->a, &after);
            if (!inside)
                good = yaml_fail(l->e, n, "\"${\" without its \"}\"");
            else if (literal || l->plain)
                buf_printf(&out, "${%s}", inside);
            else
                good = expand_one(l, n, inside, &out);
            p = after;
        } else {
            buf_char(&out, *p++);
        }
    }
    if (good && out.failed) good = yaml_fail(l->e, n, "longer than %d bytes after expansion", YAML_BYTES_MAX);
    n->value = arena_str(l->a, buf_view(&out));
    if (n->secret && out.p) explicit_bzero(out.p, out.n);
    buf_free(&out);
    return good;
}

/* ---- the tree ---- */

static bool next_event(struct loader *l, yaml_event_t *ev) {
    return yaml_parser_parse(&l->parser, ev) || fail_parser(l);
}

static bool weigh(struct loader *l, yaml_mark_t at, uint32_t weight) {
    l->weight += weight;
    return l->weight <= YAML_NODES_MAX ||
           fail_mark(l, at, "more than %d values in one file (aliases count as what they stand for)",
                     YAML_NODES_MAX);
}

static bool add_anchor(struct loader *l, yaml_mark_t at, const char *name, ynode *n, uint32_t weight) {
    if (l->anchor_count == YAML_ANCHORS_MAX) return fail_mark(l, at, "more than %d anchors", YAML_ANCHORS_MAX);
    l->anchor[l->anchor_count++] = (struct anchor){arena_strz(l->a, str_from(name)), n, weight};
    return true;
}

static bool build_alias(struct loader *l, const yaml_event_t *ev, ynode *n) {
    const char *name = (const char *)ev->data.alias.anchor;
    for (unsigned i = l->anchor_count; i-- > 0;) { /* the latest definition counts */
        const struct anchor *x = &l->anchor[i];
        if (strcmp(x->name, name) != 0) continue;
        *n = *x->node; /* the position stays the anchor's: that is where the text is */
        n->key = STR_NONE;
        n->next = NULL;
        return weigh(l, ev->start_mark, x->weight);
    }
    return fail_mark(l, ev->start_mark, "alias *%.40s has no anchor before it", name);
}

static bool build(struct loader *l, yaml_event_t *ev, unsigned depth, ynode *n);

static bool build_seq(struct loader *l, unsigned depth, ynode *n) {
    ynode **tail = &n->child;
    for (;;) {
        yaml_event_t ev;
        if (!next_event(l, &ev)) return false;
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return true;
        }
        ynode *child = arena_new(l->a, ynode);
        bool good = build(l, &ev, depth + 1, child);
        yaml_event_delete(&ev);
        if (!good) return false;
        *tail = child;
        tail = &child->next;
    }
}

static bool check_key(struct loader *l, const yaml_event_t *ev, const ynode *map, unsigned count) {
    if (ev->type != YAML_SCALAR_EVENT) return fail_mark(l, ev->start_mark, "a key must be plain text");
    str key = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    if (ev->data.scalar.tag || ev->data.scalar.anchor)
        return fail_mark(l, ev->start_mark, "tags and anchors are not supported on keys");
    if (str_eq(key, STR("<<")) && ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return fail_mark(l, ev->start_mark, "merge keys (<<) are not supported: write the keys out");
    if (str_find(key, STR("$\xee\x81\xbb")) >= 0)
        return fail_mark(l, ev->start_mark, "${...} is expanded in values only, not in keys");
    if (count == YAML_MEMBERS_MAX)
        return fail_mark(l, ev->start_mark, "more than %d keys in one map", YAML_MEMBERS_MAX);
    for (const ynode *c = map->child; c; c = c->next)
        if (str_eq(c->key, key))
            return fail_mark(l, ev->start_mark, "key \"%.*s\" is here twice; first on line %u",
                             (int)str_take(key, SHOWN_MAX).n, key.p, c->key_line);
    return true;
}

static bool build_map(struct loader *l, unsigned depth, ynode *n) {
    ynode **tail = &n->child;
    for (unsigned count = 0;; count++) {
        yaml_event_t ev;
        if (!next_event(l, &ev)) return false;
        if (ev.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&ev);
            return true;
        }
        ynode *child = arena_new(l->a, ynode);
        yaml_mark_t at = ev.start_mark;
        bool good = check_key(l, &ev, n, count);
        str key =
            good ? arena_str(l->a, str_make((const char *)ev.data.scalar.value, ev.data.scalar.length)) : STR_NONE;
        yaml_event_delete(&ev);
        if (!good || !next_event(l, &ev)) return false;
        good = build(l, &ev, depth + 1, child);
        yaml_event_delete(&ev);
        if (!good) return false;
        child->key = key;
        child->key_line = (uint32_t)at.line + 1;
        child->key_col = (uint32_t)at.column + 1;
        *tail = child;
        tail = &child->next;
    }
}

/* Fills `n` from the event that begins it and those that follow. */
static bool build(struct loader *l, yaml_event_t *ev, unsigned depth, ynode *n) {
    n->file = l->file;
    n->line = (uint32_t)ev->start_mark.line + 1;
    n->col = (uint32_t)ev->start_mark.column + 1;
    if (depth > YAML_DEPTH_MAX) return fail_mark(l, ev->start_mark, "nested deeper than %d", YAML_DEPTH_MAX);
    if (ev->type == YAML_ALIAS_EVENT) return build_alias(l, ev, n);
    uint32_t before = l->weight;
    if (!weigh(l, ev->start_mark, 1)) return false;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    bool good = true;
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        n->type = Y_SCALAR;
        n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        good = expand(l, n, str_make((const char *)ev->data.scalar.value, ev->data.scalar.length));
        break;
    case YAML_SEQUENCE_START_EVENT:
        n->type = Y_SEQ;
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
        good = build_seq(l, depth, n);
        break;
    case YAML_MAPPING_START_EVENT:
        n->type = Y_MAP;
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
        good = build_map(l, depth, n);
        break;
    default: return fail_mark(l, ev->start_mark, "malformed YAML");
    }
    if (good && tag) good = fail_mark(l, ev->start_mark, "tags (%.40s) are not supported", (const char *)tag);
    if (good && anchor) good = add_anchor(l, ev->start_mark, (const char *)anchor, n, l->weight - before);
    return good;
}

/* Reads stream start, at most one document, stream end. */
static bool build_document(struct loader *l, ynode *root) {
    bool have = false;
    for (;;) {
        yaml_event_t ev;
        if (!next_event(l, &ev)) return false;
        yaml_event_type_t type = ev.type;
        yaml_mark_t at = ev.start_mark;
        bool good = true;
        if (type == YAML_DOCUMENT_START_EVENT) {
            if (have) good = fail_mark(l, at, "a second document begins here: only one per file");
        } else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                   type != YAML_DOCUMENT_END_EVENT) {
            good = build(l, &ev, 0, root);
            have = true;
        }
        yaml_event_delete(&ev);
        if (!good) return false;
        if (type == YAML_STREAM_END_EVENT) return true;
    }
}

static bool parse(str text, const char *file, bool plain, arena *a, ynode **root, err *e) {
    file = arena_strz(a, str_from(file));
    ynode *n = arena_new(a, ynode);
    *n = (ynode){.type = Y_MAP, .line = 1, .col = 1, .file = file}; /* what an empty file is */
    if (text.n > YAML_BYTES_MAX) return yaml_fail(e, n, "larger than %d bytes", YAML_BYTES_MAX);
    if (str_starts(text, STR("\xef\xbb\xbf"))) text = str_skip(text, 3);
    struct loader *l = xcalloc(1, sizeof *l);
    *l = (struct loader){.a = a, .file = file, .e = e, .plain = plain};
    if (!yaml_parser_initialize(&l->parser)) panic("out of memory (YAML parser)");
    yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
    str safe = protect(text, a);
    yaml_parser_set_input_string(&l->parser, (const unsigned char *)(safe.n ? safe.p : ""), safe.n);
    bool good = build_document(l, n);
    yaml_parser_delete(&l->parser);
    free(l);
    /* A file of comments only has an empty plain scalar at most. */
    if (good && yaml_is_null(n)) *n = (ynode){.type = Y_MAP, .line = 1, .col = 1, .file = file};
    *root = n;
    return good;
}

bool yaml_parse(str text, const char *file, arena *a, ynode **root, err *e) {
    return parse(text, file, false, a, root, e);
}

bool yaml_parse_plain(str text, const char *file, arena *a, ynode **root, err *e) {
    return parse(text, file, true, a, root, e);
}

bool yaml_load(const char *path, arena *a, ynode **root, err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(e, "%s: %s", path, strerror(errno));
    buf text;
    buf_init(&text, YAML_BYTES_MAX + 1);
    ssize_t n = 0;
    for (;;) {
        char *room = buf_room(&text, 4096);
        if (!room) break; /* past the limit: yaml_parse says so */
        n = read(fd, room, 4096);
        if (n <= 0) break;
        text.n += (size_t)n;
    }
    int why = errno;
    close(fd);
    bool good = n >= 0 ? !text.failed || fail(e, "%s: larger than %d bytes", path, YAML_BYTES_MAX)
                       : fail(e, "%s: %s", path, strerror(why));
    good = good && yaml_parse(buf_view(&text), path, a, root, e);
    buf_free(&text);
    return good;
}

/* ---- readers ---- */

const ynode *yaml_get(const ynode *map, const char *key) {
    if (!map || map->type != Y_MAP) return NULL;
    for (const ynode *c = map->child; c; c = c->next)
        if (str_eqz(c->key, key)) return c;
    return NULL;
}

unsigned yaml_count(const ynode *n) {
    unsigned count = 0;
    for (const ynode *c = n ? n->child : NULL; c; c = c->next) count++;
    return count;
}

bool yaml_is_null(const ynode *n) {
    return n->type == Y_SCALAR && !n->quoted && !n->secret &&
           (n->value.n == 0 || str_eq(n->value, STR("~")) || str_eq(n->value, STR("null")));
}

const char *yaml_shown(const ynode *n, char out[64]) {
    static const char *const kinds[] = {"", "a list", "a map"};
    if (n->type != Y_SCALAR) return kinds[n->type];
    if (n->secret) return "the value from the environment";
    if (yaml_is_null(n)) return "nothing";
    str s = str_take(n->value, SHOWN_MAX);
    while (s.n && s.n < n->value.n && ((unsigned char)n->value.p[s.n] & 0xC0) == 0x80) s.n--;
    snprintf(out, 64, "\"%.*s%s\"", (int)s.n, s.p, s.n < n->value.n ? "…" : "");
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    return out;
}

/* "expected a number, not "x"": at the value. */
static bool not_a(err *e, const ynode *n, const char *what) {
    char shown[64];
    return yaml_fail(e, n, "expected %s, not %s", what, yaml_shown(n, shown));
}

bool yaml_str(const ynode *n, str *out, err *e) {
    if (n->type != Y_SCALAR || yaml_is_null(n)) return not_a(e, n, "text");
    *out = n->value;
    return true;
}

bool yaml_bool(const ynode *n, bool *out, err *e) {
    bool yes = n->type == Y_SCALAR && str_eq(n->value, STR("true"));
    bool no = n->type == Y_SCALAR && str_eq(n->value, STR("false"));
    if ((!yes && !no) || (n->quoted && !n->secret)) return not_a(e, n, "true or false");
    *out = yes;
    return true;
}

bool yaml_u64(const ynode *n, uint64_t min, uint64_t max, uint64_t *out, err *e) {
    if (n->type != Y_SCALAR || !str_u64(n->value, out)) return not_a(e, n, "a whole number");
    if (*out < min || *out > max)
        return yaml_fail(e, n, "must be between %llu and %llu", (unsigned long long)min, (unsigned long long)max);
    return true;
}

bool yaml_f64(const ynode *n, double min, double max, double *out, err *e) {
    char text[64], *end = text;
    bool good = n->type == Y_SCALAR && n->value.n && n->value.n < sizeof text;
    for (size_t i = 0; good && i < n->value.n; i++)
        good = strchr("0123456789.eE+-", n->value.p[i]) && n->value.p[i];
    if (good) {
        memcpy(text, n->value.p, n->value.n);
        text[n->value.n] = 0;
        *out = strtod(text, &end);
        good = end == text + n->value.n;
    }
    if (!good) return not_a(e, n, "a number");
    return (*out >= min && *out <= max) || yaml_fail(e, n, "must be between %g and %g", min, max);
}

struct unit {
    const char *name;
    uint64_t scale;
};

/* "1.5h" as whole * scale + fraction of scale, exactly; false on junk or overflow. */
static bool quantity(str s, const struct unit *units, uint64_t plain, uint64_t *out) {
    size_t digits = 0;
    while (digits < s.n && isdigit((unsigned char)s.p[digits])) digits++;
    uint64_t whole, fraction = 0, ten = 1;
    if (!str_u64(str_take(s, digits), &whole)) return false;
    s = str_skip(s, digits);
    if (s.n && s.p[0] == '.') {
        for (s = str_skip(s, 1); s.n && isdigit((unsigned char)s.p[0]); s = str_skip(s, 1)) {
            if (ten == 1000000) return false;
            fraction = fraction * 10 + (uint64_t)(s.p[0] - '0');
            ten *= 10;
        }
        if (ten == 1) return false;
    }
    s = str_trim(s);
    uint64_t scale = s.n ? 0 : plain;
    for (const struct unit *u = units; !scale && u->name; u++)
        if (str_eqz(s, u->name)) scale = u->scale;
    uint64_t total;
    if (!scale || __builtin_mul_overflow(whole, scale, &total)) return false;
    return !__builtin_add_overflow(total, fraction * scale / ten, out);
}

bool yaml_duration_text(str s, uint64_t *us) {
    static const struct unit units[] = {{"us", 1},          {"ms", 1000},        {"s", 1000000},
                                        {"m", 60000000},    {"min", 60000000},   {"h", 3600000000},
                                        {"d", 86400000000}, {"w", 604800000000}, {NULL, 0}};
    return quantity(s, units, 1000000, us) && *us <= YAML_DURATION_MAX_US;
}

bool yaml_duration(const ynode *n, uint64_t *us, err *e) {
    if (n->type == Y_SCALAR && yaml_duration_text(n->value, us)) return true;
    return not_a(e, n, "a duration like 250ms, 30s, 5m, 2h or 14d");
}

bool yaml_size(const ynode *n, uint64_t *bytes, err *e) {
    enum { K = 1024 };
    static const struct unit units[] = {{"b", 1},         {"B", 1},          {"k", K},           {"K", K},
                                        {"kB", K},        {"KB", K},         {"KiB", K},         {"m", K * K},
                                        {"M", K * K},     {"MB", K * K},     {"MiB", K * K},     {"g", 1UL << 30},
                                        {"G", 1UL << 30}, {"GB", 1UL << 30}, {"GiB", 1UL << 30}, {NULL, 0}};
    if (n->type == Y_SCALAR && quantity(n->value, units, 1, bytes) && *bytes <= INT64_MAX) return true;
    return not_a(e, n, "a size like 64k, 10MB or 1GiB");
}

/* Appends "a, b or c" to a message that is being made. */
static void list_words(char *out, size_t size, const char *const *words) {
    for (size_t i = 0; words[i]; i++) {
        size_t at = strlen(out);
        snprintf(out + at, size - at, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }
}

const char *yaml_nearest(str word, const char *const *words) {
    const char *best = NULL;
    unsigned max = word.n < 4 ? 1 : word.n < 8 ? 2 : 3, least = max + 1;
    for (; *words; words++) {
        unsigned d = str_distance(word, str_from(*words), max);
        if (d < least) {
            least = d;
            best = *words;
        }
    }
    return best;
}

bool yaml_word(const ynode *n, const char *const *words, unsigned *out, err *e) {
    for (unsigned i = 0; n->type == Y_SCALAR && words[i]; i++)
        if (str_eqz(n->value, words[i])) {
            *out = i;
            return true;
        }
    char list[200] = "";
    list_words(list, sizeof list, words);
    return not_a(e, n, list);
}

bool yaml_known(const ynode *map, const char *const *known, err *e) {
    char shown[64];
    if (map->type != Y_MAP) return yaml_fail(e, map, "expected a map, not %s", yaml_shown(map, shown));
    for (const ynode *c = map->child; c; c = c->next) {
        bool found = false;
        for (const char *const *k = known; *k && !found; k++) found = str_eqz(c->key, *k);
        if (found) continue;
        str key = str_take(c->key, SHOWN_MAX);
        const char *near = yaml_nearest(c->key, known);
        if (near)
            return yaml_fail_key(e, c, "unknown key \"%.*s\": did you mean \"%s\"?", (int)key.n, key.p, near);
        char list[200] = "";
        list_words(list, sizeof list, known);
        return yaml_fail_key(e, c, "unknown key \"%.*s\"; known are %s", (int)key.n, key.p, list);
    }
    return true;
}
