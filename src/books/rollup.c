/* rollup: see the header.
 *
 * The cells that are being added to are kept in memory whole; each slice of the books thread writes
 * those it changed as one row (in the transaction that writes the calls, so that sums and rows can't
 * disagree), reading a cell first if it was not met before. Sums in memory that are written once a minute
 * were tried on paper and refused: after a crash they'd have to be rebuilt, and a slice of a thousand
 * calls touches a few dozen cells only.
 *
 * Columns follow rollup.def and the usage classes; histograms are sparse blobs (hist.h). */
#include "books/rollup.h"

#include "base/hash.h"
#include "books/dict.h"
#include "books/schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CELLS_MAX = 8192, SLOTS = 4096 };

static const char *const level_table[ROLLUP_LEVELS] = {"cell_hour", "cell_day"};
static const uint64_t level_us[ROLLUP_LEVELS] = {HOUR_US, DAY_US};

struct cell {
    struct cell *next, *dirty_next;
    int64_t period, dim;
    uint8_t level;
    bool loaded, dirty;
    struct cell_sums sums;
    struct hist ttft, duration, overhead;
};

struct rollup {
    sqlite3 *db;
    uint64_t key[2];
    struct dict dims;
    struct cell *slot[SLOTS], *dirty;
    unsigned count;
    sqlite3_stmt *get[ROLLUP_LEVELS], *put[ROLLUP_LEVELS], *dim_get, *dim_put;
    buf scratch;
};

/* ---- schema ---- */

static void columns(buf *b, const char *type) {
#define SUM(name, unit, help)                                                                                     \
    buf_strz(b, ", " #name);                                                                                      \
    buf_strz(b, type);
#include "books/rollup.def"
#undef SUM
#define X(id, name, side)                                                                                         \
    buf_strz(b, ", u_" name);                                                                                     \
    buf_strz(b, type);
    CATALOG_CLASSES(X)
#undef X
    static const char *const hist[] = {"ttft_hist", "duration_hist", "overhead_hist"};
    for (unsigned i = 0; i < 3; i++) buf_printf(b, ", %s%s", hist[i], *type ? " BLOB" : "");
}

enum {
#define SUM(name, unit, help) SUM_##name,
#include "books/rollup.def"
#undef SUM
    SUM_COUNT
};

void rollup_schema(buf *b) {
    buf_strz(b, "CREATE TABLE cell_dim(id INTEGER PRIMARY KEY, hash INTEGER UNIQUE");
#define X(name) buf_strz(b, ", " #name " TEXT");
    CELL_DIMS(X)
#undef X
    buf_strz(b, ");");
    for (unsigned l = 0; l < ROLLUP_LEVELS; l++) {
        buf_printf(b, "CREATE TABLE %s(period INTEGER, dim INTEGER", level_table[l]);
        columns(b, " INTEGER");
        buf_strz(b, ", PRIMARY KEY(period, dim)) WITHOUT ROWID;");
        buf_printf(b, "CREATE VIEW %s AS SELECT c.period*%llu AS time", l == ROLLUP_HOUR ? "hours" : "days",
                   (unsigned long long)level_us[l]);
#define X(name) buf_strz(b, ", nullif(d." #name ",'') AS " #name);
        CELL_DIMS(X)
#undef X
        columns(b, "");
        buf_printf(b, " FROM %s c JOIN cell_dim d ON d.id=c.dim;", level_table[l]);
    }
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(sqlite3 *db, buf *sql, err *e) {
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v3(db, sql->p, (int)sql->n, SQLITE_PREPARE_PERSISTENT, &q, NULL) != SQLITE_OK)
        fail(e, "%s", sqlite3_errmsg(db));
    buf_clear(sql);
    return q;
}

static bool prepare_all(struct rollup *r, err *e) {
    if (r->dim_put) return true;
    buf *b = &r->scratch;
    buf_clear(b);
    for (unsigned l = 0; l < ROLLUP_LEVELS; l++) {
        buf_strz(b, "SELECT period, dim");
        columns(b, "");
        buf_printf(b, " FROM %s WHERE period=? AND dim=?", level_table[l]);
        if (!r->get[l] && !(r->get[l] = prepare(r->db, b, e))) return false;
        buf_clear(b);
        buf_printf(b, "INSERT OR REPLACE INTO %s VALUES(?,?", level_table[l]);
        for (unsigned i = 0; i < SUM_COUNT + USAGE_CLASSES + 3; i++) buf_strz(b, ",?");
        buf_char(b, ')');
        if (!r->put[l] && !(r->put[l] = prepare(r->db, b, e))) return false;
        buf_clear(b);
    }
    buf_strz(b, "SELECT id FROM cell_dim WHERE hash=?");
    if (!r->dim_get && !(r->dim_get = prepare(r->db, b, e))) return false;
    buf_clear(b);
    buf_strz(b, "INSERT INTO cell_dim VALUES(NULL,?");
    for (unsigned i = 0; i < DIM_COUNT; i++) buf_strz(b, ",?");
    buf_char(b, ')');
    return (r->dim_put = prepare(r->db, b, e)) != NULL;
}

struct rollup *rollup_new(sqlite3 *db, const uint64_t key[2]) {
    struct rollup *r = xcalloc(1, sizeof *r);
    r->db = db;
    memcpy(r->key, key, sizeof r->key);
    buf_init(&r->scratch, 1 << 20);
    return r;
}

void rollup_clear(struct rollup *r) {
    for (unsigned i = 0; i < SLOTS; i++) {
        for (struct cell *c = r->slot[i], *next; c; c = next) {
            next = c->next;
            free(c);
        }
        r->slot[i] = NULL;
    }
    r->dirty = NULL;
    r->count = 0;
    dict_clear(&r->dims);
}

void rollup_free(struct rollup *r) {
    if (!r) return;
    rollup_clear(r);
    for (unsigned l = 0; l < ROLLUP_LEVELS; l++) {
        sqlite3_finalize(r->get[l]);
        sqlite3_finalize(r->put[l]);
    }
    sqlite3_finalize(r->dim_get);
    sqlite3_finalize(r->dim_put);
    dict_free(&r->dims);
    buf_free(&r->scratch);
    free(r);
}

/* ---- a call's part ---- */

static void quality_of(const struct record_amend *m, struct cell_sums *s) {
    if (m->quality < 0) return;
    int64_t score = llround((double)m->quality * 1e6);
#define SOURCE(name, word)                                                                                        \
    if (str_eqz(m->quality_source, word)) {                                                                       \
        s->name = 1;                                                                                              \
        s->name##_score = score;                                                                                  \
    }
    SOURCE(feedback, "feedback") SOURCE(judge, "judge") SOURCE(shadow, "shadow") SOURCE(checked, "check")
#undef SOURCE
}

static void observed_of(const struct record *r, struct cell_sums *s) {
    if (r->observed_model.n == 0 || r->cost == COST_UNKNOWN || r->observed_cost == COST_UNKNOWN) return;
    s->observed = 1;
    s->observed_paid = r->cost;
    s->observed_cost = r->observed_cost;
    double d = (double)(r->cost - r->observed_cost) * 1e-9;
    s->observed_cost_sq = llround(d * d * 1e12);
}

void rollup_of(const struct folded *f, str gateway, bool cut, struct cell_call *out) {
    const struct record *r = &f->r;
    *out = (struct cell_call){.ttft_us = r->ttft_us, .duration_us = r->duration_us, .overhead_us = r->overhead_us};
    enum task task = r->facts ? (enum task)r->facts->task : TASK_UNKNOWN;
    str *d = out->dim;
    d[DIM_gateway] = gateway;
    d[DIM_key] = r->key;
    d[DIM_team] = r->team;
    d[DIM_task] = str_from(task_name(task));
    d[DIM_tier] = r->tier;
    d[DIM_rule] = r->rule;
    d[DIM_provider] = r->provider;
    d[DIM_model] = r->model;
    d[DIM_baseline_model] = r->baseline_model;
    d[DIM_observed_tier] = r->observed_tier;
    d[DIM_observed_model] = r->observed_model;
    struct cell_sums *s = &out->sums;
    s->calls = 1;
    s->errors = r->error.n > 0;
    s->cut = cut;
    s->cached = r->cache != CACHE_MISS;
    s->simple = task_is_simple(task, usage_input_tokens(&r->usage));
    s->attempts = f->attempt_count;
    if (r->cost == COST_UNKNOWN)
        s->cost_unknown = 1;
    else
        s->cost = r->cost;
    s->routing_cost = r->routing_cost == COST_UNKNOWN ? 0 : r->routing_cost;
    if (r->cost != COST_UNKNOWN && r->baseline_cost != COST_UNKNOWN) {
        s->based = 1;
        s->based_cost = r->cost;
        s->baseline_cost = r->baseline_cost;
    }
    s->usage_unknown = r->usage.source == TOKENS_NONE && r->provider.n > 0;
    if (r->usage.source == TOKENS_ESTIMATED) {
        s->estimated = 1;
        s->estimated_cost = r->cost == COST_UNKNOWN ? 0 : r->cost;
    }
    s->suspect = r->usage.suspect;
    observed_of(r, s);
    s->overhead_us = (int64_t)r->overhead_us;
    out->timed = r->error.n == 0 && r->ttft_us > 0 && !cut;
    if (out->timed) {
        s->timed = 1;
        s->ttft_us = (int64_t)r->ttft_us;
        s->duration_us = (int64_t)r->duration_us;
        s->flow_us = r->duration_us > r->ttft_us ? (int64_t)(r->duration_us - r->ttft_us) : 0;
        s->flow_tokens = usage_output_tokens(&r->usage);
    }
    quality_of(&f->amend, s);
    memcpy(s->units, r->usage.units, sizeof s->units);
}

/* ---- adding ---- */

static int64_t dim_id(struct rollup *r, const str dim[DIM_COUNT], err *e) {
    buf *b = &r->scratch;
    buf_clear(b);
    for (unsigned i = 0; i < DIM_COUNT; i++) {
        uint32_t n = (uint32_t)dim[i].n;
        buf_add(b, &n, sizeof n);
        buf_str(b, dim[i]);
    }
    uint64_t hash = siphash(r->key, b->p, b->n);
    int64_t id = dict_get(&r->dims, hash);
    if (id) return id;
    if (!prepare_all(r, e)) return 0;
    sqlite3_bind_int64(r->dim_get, 1, (int64_t)hash);
    if (sqlite3_step(r->dim_get) == SQLITE_ROW) id = sqlite3_column_int64(r->dim_get, 0);
    sqlite3_reset(r->dim_get);
    if (!id) {
        sqlite3_bind_int64(r->dim_put, 1, (int64_t)hash);
        for (unsigned i = 0; i < DIM_COUNT; i++)
            sqlite3_bind_text(r->dim_put, (int)i + 2, dim[i].p ? dim[i].p : "", (int)dim[i].n, SQLITE_STATIC);
        if (sqlite3_step(r->dim_put) == SQLITE_DONE) id = sqlite3_last_insert_rowid(r->db);
        sqlite3_reset(r->dim_put);
        if (!id) {
            fail(e, "%s", sqlite3_errmsg(r->db));
            return 0;
        }
    }
    dict_put(&r->dims, hash, id);
    return id;
}

static struct cell *cell_get(struct rollup *r, unsigned level, int64_t period, int64_t dim) {
    uint64_t h = ((uint64_t)period * 31 + (uint64_t)dim) * 2 + level;
    struct cell **slot = &r->slot[(h * 0x9e3779b97f4a7c15u) >> 52];
    for (struct cell *c = *slot; c; c = c->next)
        if (c->period == period && c->dim == dim && c->level == level) return c;
    struct cell *c = xcalloc(1, sizeof *c);
    c->level = (uint8_t)level;
    c->period = period;
    c->dim = dim;
    c->next = *slot;
    *slot = c;
    r->count++;
    return c;
}

static void sums_add(struct cell_sums *to, const struct cell_sums *from, int sign) {
#define SUM(name, unit, help) to->name += sign * from->name;
#include "books/rollup.def"
#undef SUM
    for (unsigned i = 0; i < USAGE_CLASSES; i++) to->units[i] += sign * from->units[i];
}

bool rollup_add(struct rollup *r, uint64_t at, const struct cell_call *call, int sign, err *e) {
    int64_t dim = dim_id(r, call->dim, e);
    if (!dim) return false;
    for (unsigned l = 0; l < ROLLUP_LEVELS; l++) {
        struct cell *c = cell_get(r, l, (int64_t)(at / level_us[l]), dim);
        sums_add(&c->sums, &call->sums, sign);
        if (call->timed) {
            hist_add(&c->ttft, call->ttft_us, sign);
            hist_add(&c->duration, call->duration_us, sign);
        }
        hist_add(&c->overhead, call->overhead_us, sign);
        if (c->dirty) continue;
        c->dirty = true;
        c->dirty_next = r->dirty;
        r->dirty = c;
    }
    return true;
}

/* ---- writing ---- */

static str column_bytes(sqlite3_stmt *q, int i) {
    const char *p = sqlite3_column_blob(q, i);
    return str_make(p, p ? (size_t)sqlite3_column_bytes(q, i) : 0);
}

/* Reads sums and histograms from column `i` on, adding to what is there. */
static void read_values(sqlite3_stmt *q, int i, struct cell_sums *s, struct hist *ttft, struct hist *duration,
                        struct hist *overhead) {
#define SUM(name, unit, help) s->name += sqlite3_column_int64(q, i++);
#include "books/rollup.def"
#undef SUM
    for (unsigned k = 0; k < USAGE_CLASSES; k++) s->units[k] += sqlite3_column_int64(q, i++);
    hist_read(ttft, column_bytes(q, i++));
    hist_read(duration, column_bytes(q, i++));
    hist_read(overhead, column_bytes(q, i));
}

static bool cell_load(struct rollup *r, struct cell *c, err *e) {
    sqlite3_stmt *q = r->get[c->level];
    sqlite3_bind_int64(q, 1, c->period);
    sqlite3_bind_int64(q, 2, c->dim);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) read_values(q, 2, &c->sums, &c->ttft, &c->duration, &c->overhead);
    sqlite3_reset(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return fail(e, "%s", sqlite3_errmsg(r->db));
    c->loaded = true;
    return true;
}

static bool cell_write(struct rollup *r, struct cell *c, err *e) {
    sqlite3_stmt *q = r->put[c->level];
    int i = 1;
    sqlite3_bind_int64(q, i++, c->period);
    sqlite3_bind_int64(q, i++, c->dim);
#define SUM(name, unit, help) sqlite3_bind_int64(q, i++, c->sums.name);
#include "books/rollup.def"
#undef SUM
    for (unsigned k = 0; k < USAGE_CLASSES; k++) sqlite3_bind_int64(q, i++, c->sums.units[k]);
    const struct hist *h[] = {&c->ttft, &c->duration, &c->overhead};
    size_t at[4] = {0};
    buf_clear(&r->scratch);
    for (unsigned k = 0; k < 3; k++) {
        hist_write(h[k], &r->scratch);
        at[k + 1] = r->scratch.n;
    }
    buf_char(&r->scratch, 0); /* so that there is a pointer also when all are empty */
    for (unsigned k = 0; k < 3; k++)
        sqlite3_bind_blob(q, i++, r->scratch.p + at[k], (int)(at[k + 1] - at[k]), SQLITE_STATIC);
    int rc = sqlite3_step(q);
    sqlite3_reset(q);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(r->db));
}

bool rollup_flush(struct rollup *r, err *e) {
    if (r->dirty && !prepare_all(r, e)) return false;
    for (struct cell *c; (c = r->dirty); r->dirty = c->dirty_next) {
        if (!c->loaded && !cell_load(r, c, e)) return false;
        if (!cell_write(r, c, e)) return false;
        c->dirty = false;
    }
    return true;
}

/* ---- reading ---- */

static bool read_level(sqlite3 *db, unsigned level, uint64_t from, uint64_t to,
                       bool (*each)(void *ctx, const struct cell_row *c), void *ctx, err *e) {
    if (from >= to) return true;
    buf b;
    buf_init(&b, 1 << 16);
    buf_strz(&b, "SELECT c.period");
#define X(name) buf_strz(&b, ", d." #name);
    CELL_DIMS(X)
#undef X
    columns(&b, "");
    buf_printf(&b, " FROM %s c CROSS JOIN cell_dim d ON d.id=c.dim WHERE c.period>=? AND c.period<?",
               level_table[level]);
    sqlite3_stmt *q = prepare(db, &b, e);
    buf_free(&b);
    if (!q) return false;
    sqlite3_bind_int64(q, 1, (int64_t)(from / level_us[level]));
    sqlite3_bind_int64(q, 2, (int64_t)(to / level_us[level]));
    int rc;
    struct cell_row *row = xmalloc(sizeof *row);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        memset(row, 0, sizeof *row);
        row->period = (uint64_t)sqlite3_column_int64(q, 0) * level_us[level];
        for (int i = 0; i < DIM_COUNT; i++) row->dim[i] = column_bytes(q, i + 1);
        read_values(q, DIM_COUNT + 1, &row->sums, &row->ttft, &row->duration, &row->overhead);
        if (!each(ctx, row)) {
            rc = SQLITE_DONE;
            break;
        }
    }
    free(row);
    bool good = rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(db));
    sqlite3_finalize(q);
    return good;
}

bool rollup_read(sqlite3 *db, uint64_t from, uint64_t to, bool (*each)(void *ctx, const struct cell_row *c),
                 void *ctx, err *e) {
    from = from / HOUR_US * HOUR_US;
    to = (to + HOUR_US - 1) / HOUR_US * HOUR_US;
    uint64_t first = (from + DAY_US - 1) / DAY_US * DAY_US, last = to / DAY_US * DAY_US;
    if (first >= last) return read_level(db, ROLLUP_HOUR, from, to, each, ctx, e);
    return read_level(db, ROLLUP_HOUR, from, first, each, ctx, e) &&
           read_level(db, ROLLUP_DAY, first, last, each, ctx, e) &&
           read_level(db, ROLLUP_HOUR, last, to, each, ctx, e);
}
