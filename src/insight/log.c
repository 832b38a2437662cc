/* log: reading files into calls; see log.h. Formats are in formats.c, the bytes in input.c.
 *
 * Which format a record has is asked once per shape: the names of its top members, hashed, are
 * looked up in a few remembered shapes, so that a mixed file costs no more than a uniform one. */
#include "insight/log.h"

#include "base/hash.h"
#include "insight/format.h"
#include "insight/input.h"
#include "insight/keyset.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHAPES = 8, HELD_MAX = 256, ARENA_MAX = 256 << 20, MAP_COLUMNS_MAX = 24, PROGRESS_RECORDS = 1024 };

struct held {
    struct log_call c;
    struct log_place at;
    arena a;
};

struct log_reader {
    struct log_options o;
    struct log_problems *problems;
    struct log_stats stats;
    const struct log_format *forced;
    struct log_format map;
    struct column map_column[MAP_COLUMNS_MAX];
    char *map_text;
    /* of the file */
    struct log_place at;
    struct row_header header;
    const struct log_format *csv_format;
    struct log_state state;
    /* of the record */
    arena a;
    struct row row;
    const struct log_format *format;
    bool stopped;
    struct {
        uint64_t shape;
        const struct log_format *format;
    } seen[SHAPES];
    unsigned seen_next;
    struct held held[HELD_MAX]; /* a ring: oldest at held_first */
    unsigned held_first, held_count;
};

/* ---- problems ---- */

static const struct {
    const char *name, *text;
} problem_words[] = {
#define X(id, name, text) {name, text},
    LOG_PROBLEMS(X)
#undef X
};

void log_problem(struct log_problems *p, enum log_problem kind, const char *file, uint64_t line) {
    uint64_t n = p->kind[kind].count++;
    if (n >= LOG_FIRST_MAX) return;
    p->kind[kind].first[n].file = file;
    p->kind[kind].first[n].line = line;
}
const char *log_problem_name(enum log_problem kind) { return problem_words[kind].name; }
const char *log_problem_text(enum log_problem kind) { return problem_words[kind].text; }
void log_note(struct log_reader *r, enum log_problem kind) {
    log_problem(r->problems, kind, r->at.file, r->at.line);
}

/* ---- options ---- */

static const struct {
    const char *name;
    uint8_t field;
} map_names[] = {
    {"in", F_INPUT},      {"out", F_OUTPUT},
    {"cached", F_CACHED}, {"reasoning", F_REASONING},
    {"model", F_MODEL},   {"provider", F_PROVIDER},
    {"time", F_TIME},     {"ts", F_TIME},
    {"end", F_END},       {"text", F_PROMPT},
    {"system", F_SYSTEM}, {"answer", F_ANSWER},
    {"cost", F_COST},     {"id", F_ID},
    {"key", F_KEY},       {"team", F_TEAM},
    {"user", F_USER},     {"session", F_SESSION},
    {"tag", F_TAG},       {"task", F_TASK},
    {"stakes", F_STAKES}, {"status", F_STATUS},
    {"calls", F_CALLS},
};

static bool read_map(struct log_reader *r, const char *text, err *e) {
    r->map_text = xstrdup(text);
    unsigned n = 0;
    for (char *save = NULL, *p = strtok_r(r->map_text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(p, '=');
        size_t i = 0, count = sizeof map_names / sizeof *map_names;
        if (eq) *eq = 0;
        while (eq && i < count && strcmp(map_names[i].name, p) != 0) i++;
        if (!eq || i == count || !eq[1])
            return fail(
                e,
                "--map: \"%s\": write NAME=COLUMN with NAME one of in, out, cached, reasoning, model, provider, "
                "time, end, "
                "text, system, answer, cost, id, key, team, user, session, tag, task, stakes, status, calls",
                p);
        if (n + 1 >= MAP_COLUMNS_MAX) return fail(e, "--map: too many columns");
        r->map_column[n++] = (struct column){map_names[i].field, eq + 1};
    }
    if (n == 0) return fail(e, "--map is empty");
    r->map = (struct log_format){.name = "map", .title = "mapped columns", .columns = r->map_column};
    r->forced = &r->map;
    return true;
}

const char *log_format_name(unsigned i) {
    for (const struct log_format *f = log_formats; f->name; f++)
        if (i-- == 0) return f->name;
    return NULL;
}
const char *log_format_title(unsigned i) { return log_format_name(i) ? log_formats[i].title : NULL; }

struct log_reader *log_reader_new(const struct log_options *o, struct log_problems *problems, err *e) {
    struct log_reader *r = xcalloc(1, sizeof *r);
    r->o = *o;
    r->problems = problems;
    arena_init(&r->a, 64 << 10, ARENA_MAX);
    arena_init(&r->state.keep, 4 << 10, ARENA_MAX);
    arena_init(&r->state.prompt, 4 << 10, ARENA_MAX);
    if (o->format && strcmp(o->format, "auto") != 0) {
        for (const struct log_format *f = log_formats; f->name; f++)
            if (strcmp(f->name, o->format) == 0) r->forced = f;
        if (!r->forced) {
            char names[400] = "";
            for (const struct log_format *f = log_formats; f->name; f++) {
                size_t n = strlen(names);
                snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", f->name);
            }
            fail(e, "there is no log format \"%.40s\"; there are: %s", o->format, names);
            log_reader_free(r);
            return NULL;
        }
    }
    if (o->map && !read_map(r, o->map, e)) {
        log_reader_free(r);
        return NULL;
    }
    return r;
}

static void file_state_free(struct log_reader *r) {
    row_header_free(&r->header);
    arena_free(&r->state.keep);
    arena_free(&r->state.prompt);
    arena keep = r->state.keep, prompt = r->state.prompt;
    r->state = (struct log_state){.keep = keep, .prompt = prompt};
}

void log_reader_free(struct log_reader *r) {
    if (!r) return;
    for (unsigned i = 0; i < r->held_count; i++) arena_free(&r->held[(r->held_first + i) % HELD_MAX].a);
    file_state_free(r);
    arena_free(&r->a);
    free(r->map_text);
    free(r);
}

void log_reader_stats(const struct log_reader *r, struct log_stats *out) { *out = r->stats; }
struct log_state *log_reader_state(struct log_reader *r) {
    return &r->state;
}
arena *log_reader_arena(struct log_reader *r) { return &r->a; }

/* ---- handing calls on ---- */

void log_skip(struct log_reader *r) { r->stats.skipped++; }

/* What makes two records under one id the same call. */
static uint64_t content_of(const struct log_call *c) {
    struct {
        uint64_t time, in, out, model;
    } k = {c->time_us, (uint64_t)usage_input_tokens(&c->usage), (uint64_t)usage_output_tokens(&c->usage),
           fingerprint(c->model)};
    return fingerprint((str){(const char *)&k, sizeof k});
}

/* Whether the call was logged before. Beyond the exact set a filter only counts: a call is never left
 * out on a filter's word. */
static bool duplicate(struct log_reader *r, const struct log_call *c) {
    enum { SALT = 0x1D5 };
    if (!r->o.keys || c->id.n == 0 || c->aggregate) return false;
    uint64_t content = content_of(c), key = fingerprint(c->id) ^ SALT;
    bool fresh;
    uint64_t *p = keyset_put(r->o.keys, key, &fresh);
    if (fresh && p) *p = content;
    if (fresh) return false;
    if (p && *p == content) {
        log_note(r, LOG_DUPLICATE);
        return true;
    }
    log_note(r, p ? LOG_ID_REUSED : LOG_DUPLICATE_MAYBE);
    return false;
}

/* Whatever a reader let through: no sum is ever fed with what can't be. */
static void check_units(struct log_reader *r, struct usage *u) {
    bool bad = false;
    for (unsigned i = 0; i < USAGE_CLASSES; i++)
        if (u->units[i] < 0 || u->units[i] > (int64_t)1 << 50) u->units[i] = 0, bad = true;
    if (bad) log_note(r, LOG_NEGATIVE);
}

void log_emit(struct log_reader *r, struct log_call *c) {
    check_units(r, &c->usage);
    if (duplicate(r, c)) return;
    if (c->usage.suspect) log_note(r, LOG_SUSPECT);
    if (c->skew) log_note(r, LOG_SKEW);
    if (!c->aggregate && c->time_us == 0) log_note(r, LOG_NO_TIME);
    r->at.format = r->format ? r->format->name : "";
    if (!r->o.call(r->o.ctx, c, &r->at)) r->stopped = true;
}

/* Deep copy: all views moved into `a`. */
static void copy_call(struct log_call *c, arena *a) {
    str *s[] = {&c->id,
                &c->provider,
                &c->model,
                &c->requested,
                &c->key,
                &c->team,
                &c->user,
                &c->session,
                &c->tag,
                &c->tier,
                &c->rule,
                &c->text.tools.raw,
                &c->text.format.raw,
                &c->text.system.raw,
                &c->text.prompt.raw,
                &c->text.answer.raw};
    for (size_t i = 0; i < sizeof s / sizeof *s; i++) *s[i] = arena_str(a, *s[i]);
}

static void let_go(struct log_reader *r) {
    struct held *h = &r->held[r->held_first];
    r->held_first = (r->held_first + 1) % HELD_MAX;
    r->held_count--;
    struct log_place now = r->at;
    r->at = h->at;
    log_emit(r, &h->c);
    r->at = now;
    arena_free(&h->a);
}

void log_hold(struct log_reader *r, struct log_call *c) {
    struct held *h = NULL;
    for (unsigned i = r->held_count; i-- > 0 && !h;) {
        struct held *o = &r->held[(r->held_first + i) % HELD_MAX];
        if (str_eq(o->c.id, c->id)) h = o;
    }
    if (h) {
        arena_free(&h->a);
    } else {
        if (r->held_count == HELD_MAX) let_go(r);
        h = &r->held[(r->held_first + r->held_count++) % HELD_MAX];
    }
    *h = (struct held){.c = *c, .at = r->at};
    arena_init(&h->a, 1 << 10, ARENA_MAX);
    copy_call(&h->c, &h->a);
}

/* ---- records ---- */

static uint64_t shape_of(const struct row *row) {
    uint64_t h = 0;
    for (unsigned i = 1; i < row->x.count; i = row->x.m[i].next) {
        str k = row->x.m[i].key;
        uint64_t w = k.n ? (uint64_t)(uint8_t)k.p[0] << 16 | (uint64_t)(uint8_t)k.p[k.n - 1] << 8 |
                               (uint64_t)(uint8_t)k.p[k.n / 2]
                         : 0;
        h = (h ^ (w << 8) ^ k.n) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return h ? h : 1;
}

static const struct log_format *format_of(struct log_reader *r) {
    uint64_t shape = shape_of(&r->row);
    for (unsigned i = 0; i < SHAPES; i++)
        if (r->seen[i].shape == shape) return r->seen[i].format;
    const struct log_format *f = log_format_of(&r->row);
    r->seen[r->seen_next].shape = shape;
    r->seen[r->seen_next].format = f;
    r->seen_next = (r->seen_next + 1) % SHAPES;
    return f;
}

static void read_row(struct log_reader *r) {
    const struct log_format *f = r->format;
    if (f->read) {
        f->read(r, &r->row);
        return;
    }
    struct log_call c;
    log_call_init(&c);
    bool negative = false;
    log_columns(&r->row, f->columns, f->flags, &c, &negative);
    if (negative) log_note(r, LOG_NEGATIVE);
    c.aggregate = f->flags & FMT_AGGREGATE;
    if (f->fix && !f->fix(r, &r->row, &c)) {
        log_skip(r);
        return;
    }
    if (f->flags & FMT_DEDUPE && c.id.n)
        log_hold(r, &c);
    else
        log_emit(r, &c);
}

/* Whether the text is plain: UTF-8 without NULs. */
static bool plain(str s) {
    if (s.n && memchr(s.p, 0, s.n)) return false;
    uint64_t high = 0;
    size_t i = 0;
    for (uint64_t w; i + 8 <= s.n; i += 8) memcpy(&w, s.p + i, 8), high |= w;
    for (; i < s.n; i++) high |= (uint64_t)(uint8_t)s.p[i];
    return (high & 0x8080808080808080u) == 0 || str_utf8(s);
}

static void read_record(struct log_reader *r, enum input_kind kind, str rec) {
    r->stats.records++;
    if (!plain(rec)) log_note(r, LOG_ENCODING);
    if (kind == INPUT_CSV) {
        if (!r->csv_format) {
            log_note(r, LOG_UNREADABLE);
            return;
        }
        r->format = r->csv_format;
        if (!row_csv(&r->row, &r->header, rec, &r->a) && r->row.fields * 2 < r->header.count) {
            log_note(r, LOG_UNREADABLE);
            return;
        }
    } else if (log_access_line(rec) && !r->forced) {
        r->format = NULL;
        read_access(r, rec);
        return;
    } else {
        if (!row_json(&r->row, rec, &r->a)) {
            log_note(r, LOG_UNREADABLE);
            return;
        }
        r->format = r->forced ? r->forced : format_of(r);
        if (!r->format) {
            log_note(r, LOG_UNREADABLE);
            return;
        }
    }
    read_row(r);
}

static void start_csv(struct log_reader *r, str head, char delim) {
    row_header_read(&r->header, head, delim, &r->state.keep);
    r->row.csv = true;
    r->row.h = &r->header;
    r->row.fields = r->header.count;
    for (unsigned i = 0; i < r->header.count; i++) r->row.field[i] = (jval){.type = J_STRING};
    r->csv_format = r->forced ? r->forced : log_format_of(&r->row);
}

bool log_ledger_row(struct log_reader *r, struct log_call *c) {
    r->stats.records++;
    r->at.line++;
    r->format = log_formats; /* the first: dray's own */
    log_emit(r, c);
    return !r->stopped;
}

bool log_read(struct log_reader *r, const char *path) {
    err e;
    r->at = (struct log_place){.file = path};
    if (log_is_ledger(path)) {
        r->stats.files++;
        if (!read_ledger(r, path, &e)) {
            log_note(r, LOG_FILE_BROKEN);
            fprintf(stderr, "dray: %s\n", e.msg);
        }
        return !r->stopped;
    }
    struct input *in = input_open(path, &e);
    if (!in) {
        log_note(r, LOG_FILE_BROKEN);
        fprintf(stderr, "dray: %s\n", e.msg);
        return true;
    }
    r->stats.files++;
    r->csv_format = NULL;
    bool header = input_kind(in) == INPUT_CSV;
    uint64_t done = 0, size = 0;
    for (unsigned n = 0; !r->stopped; n++) {
        str rec;
        enum input_what w = input_next(in, &rec, &r->at.line, &e);
        if (w == INPUT_END) break;
        if (w == INPUT_ERROR) {
            log_note(r, LOG_FILE_BROKEN);
            fprintf(stderr, "dray: %s\n", e.msg);
            break;
        }
        if (w == INPUT_TOO_LONG || w == INPUT_BROKEN) {
            r->stats.records++;
            log_note(r, w == INPUT_TOO_LONG ? LOG_TOO_LONG : LOG_UNREADABLE);
        } else if (header) {
            start_csv(r, rec, input_delim(in));
            header = false;
        } else {
            read_record(r, input_kind(in), rec);
        }
        if (r->a.used) arena_free(&r->a);
        if (n % PROGRESS_RECORDS == 0 && r->o.progress) {
            input_progress(in, &done, &size);
            r->o.progress(r->o.ctx, path, done, size);
        }
    }
    input_progress(in, &done, &size);
    r->stats.bytes += done;
    input_close(in);
    while (r->held_count > 0 && !r->stopped) let_go(r);
    file_state_free(r);
    return !r->stopped;
}
