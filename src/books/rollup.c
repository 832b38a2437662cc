/* rollup: see the header.
 *
 * Sums are kept per hour in memory and written to the cells once a minute, or when it is quiet. So that sums and
 * rows can't disagree after a crash, each slice journals what it added (cell_pending: one row, about 60
 * bytes a call) in the transaction that writes its calls; the flush moves the journal into cell_hour and
 * cell_day (and cell_month) in one transaction. Memory is never more than a copy of the journal, from which it is
 * read again after a rollback; readers add the journal to the cells.
 *
 * Cells of all combinations (key x task x model x …) were tried and refused: in a busy mix nearly every call had
 * its own, and a report over months read as many cells as there were calls. */
#include "books/rollup.h"

#include "base/hash.h"
#include "books/cell.h"
#include "books/dict.h"
#include "books/schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 4096 };

struct cell_node {
    struct cell_node *next, *all; /* hash chain; list of all */
    struct cell c;
};

/* A set of cells by (hour, dim). */
struct cell_set {
    struct cell_node *slot[SLOTS], *all;
    unsigned count;
};

/* Rows of cell_dim, one per dimension. */
struct dim_set {
    int64_t id[DIM_COUNT];
};

struct rollup {
    sqlite3 *db;
    uint64_t key[2];
    struct dict dims, shortcuts; /* shortcuts: to place + 1 in sets */
    struct dim_set *sets;
    uint32_t set_count, set_cap;
    struct cell_set pending; /* in the journal, and what this transaction added */
    buf journal_text;        /* what this transaction added */
    bool flushed;            /* within this transaction */
    sqlite3_stmt *get[CELL_LEVELS], *put[CELL_LEVELS], *dim_get, *dim_put, *journal;
    buf scratch;
};

/* ---- sets of cells ---- */

static struct cell *set_get(struct cell_set *s, int64_t hour, int64_t dim) {
    uint64_t h = (uint64_t)hour * 0x100000001b3u + (uint64_t)dim;
    struct cell_node **slot = &s->slot[(h * 0x9e3779b97f4a7c15u) >> 52];
    for (struct cell_node *n = *slot; n; n = n->next)
        if (n->c.period == hour && n->c.dim == dim) return &n->c;
    struct cell_node *n = xcalloc(1, sizeof *n);
    n->c.period = hour;
    n->c.dim = dim;
    n->next = *slot;
    n->all = s->all;
    *slot = s->all = n;
    s->count++;
    return &n->c;
}

static void set_clear(struct cell_set *s) {
    for (struct cell_node *n = s->all, *next; n; n = next) {
        next = n->all;
        free(n);
    }
    memset(s, 0, sizeof *s);
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(struct rollup *r, buf *sql, err *e) {
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v3(r->db, sql->p, (int)sql->n, SQLITE_PREPARE_PERSISTENT, &q, NULL) != SQLITE_OK)
        fail(e, "%s", sqlite3_errmsg(r->db));
    buf_clear(sql);
    return q;
}

static bool prepare_all(struct rollup *r, err *e) {
    if (r->journal) return true;
    buf *b = &r->scratch;
    for (unsigned l = 0; l < CELL_LEVELS; l++) {
        buf_clear(b);
        buf_strz(b, "SELECT period, dim");
        cell_columns(b, "");
        buf_printf(b, " FROM %s WHERE period=? AND dim=?", cell_table[l]);
        if (!r->get[l] && !(r->get[l] = prepare(r, b, e))) return false;
        buf_clear(b);
        buf_printf(b, "INSERT OR REPLACE INTO %s VALUES(?,?", cell_table[l]);
        for (unsigned i = 0; i < CELL_COLUMNS; i++) buf_strz(b, ",?");
        buf_char(b, ')');
        if (!r->put[l] && !(r->put[l] = prepare(r, b, e))) return false;
    }
    buf_clear(b);
    buf_strz(b, "SELECT id FROM cell_dim WHERE hash=?");
    if (!r->dim_get && !(r->dim_get = prepare(r, b, e))) return false;
    buf_strz(b, "INSERT INTO cell_dim VALUES(NULL,?,?,?)");
    if (!r->dim_put && !(r->dim_put = prepare(r, b, e))) return false;
    buf_strz(b, "INSERT INTO cell_pending VALUES(NULL,?)");
    return (r->journal = prepare(r, b, e)) != NULL;
}

struct rollup *rollup_new(sqlite3 *db, const uint64_t key[2]) {
    struct rollup *r = xcalloc(1, sizeof *r);
    r->db = db;
    memcpy(r->key, key, sizeof r->key);
    buf_init(&r->scratch, 1 << 20);
    buf_init(&r->journal_text, 64 << 20);
    return r;
}

void rollup_free(struct rollup *r) {
    if (!r) return;
    set_clear(&r->pending);
    for (unsigned l = 0; l < CELL_LEVELS; l++) {
        sqlite3_finalize(r->get[l]);
        sqlite3_finalize(r->put[l]);
    }
    sqlite3_finalize(r->dim_get);
    sqlite3_finalize(r->dim_put);
    sqlite3_finalize(r->journal);
    dict_free(&r->dims);
    dict_free(&r->shortcuts);
    free(r->sets);
    buf_free(&r->journal_text);
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
    int64_t would = r->observed_named == OBSERVED_FIXED ? r->cost : r->observed_cost;
    double d = (double)(r->cost - would) * 1e-9;
    *(r->observed_named ? &s->named : &s->observed) = 1;
    *(r->observed_named ? &s->named_paid : &s->observed_paid) = r->cost;
    *(r->observed_named ? &s->named_cost : &s->observed_cost) = would;
    *(r->observed_named ? &s->named_cost_sq : &s->observed_cost_sq) = llround(d * d * 1e12);
}

void rollup_of(const struct folded *f, str gateway, bool cut, struct cell_call *out) {
    const struct record *r = &f->r;
    *out = (struct cell_call){.ttft_us = r->ttft_us, .duration_us = r->duration_us, .overhead_us = r->overhead_us};
    enum task task = r->facts ? (enum task)r->facts->task : TASK_UNKNOWN;
    out->gateway = gateway;
    out->key = r->key;
    out->team = r->team;
    out->task = str_from(task_name(task));
    out->tier = r->tier;
    out->rule = r->rule;
    out->provider = r->provider;
    out->model = r->model;
    out->baseline_model = r->baseline_model;
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

static int64_t dim_id(struct rollup *r, unsigned dim, str value, err *e) {
    uint64_t hash = siphash(r->key, value.p, value.n) * DIM_COUNT + dim;
    int64_t id = dict_get(&r->dims, hash);
    if (id) return id;
    sqlite3_bind_int64(r->dim_get, 1, (int64_t)hash);
    if (sqlite3_step(r->dim_get) == SQLITE_ROW) id = sqlite3_column_int64(r->dim_get, 0);
    sqlite3_reset(r->dim_get);
    if (!id) {
        sqlite3_bind_int64(r->dim_put, 1, (int64_t)hash);
        sqlite3_bind_text(r->dim_put, 2, dim_names[dim], -1, SQLITE_STATIC);
        sqlite3_bind_text(r->dim_put, 3, value.p ? value.p : "", (int)value.n, SQLITE_STATIC);
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

static bool dims_of(struct rollup *r, const struct cell_call *c, struct dim_set *out, err *e) {
    if (!prepare_all(r, e)) return false; /* now: it uses scratch, as the values below do */
    buf *b = &r->scratch;
    buf_clear(b);
    buf_str(b, c->provider);
    if (c->model.n) buf_char(b, '/');
    buf_str(b, c->model);
    size_t model = b->n;
    buf_str(b, c->task);
    buf_char(b, '\n');
    buf_str(b, c->provider);
    if (c->model.n) buf_char(b, '/');
    buf_str(b, c->model);
    buf_char(b, '\n');
    buf_str(b, c->baseline_model);
    const str value[DIM_COUNT] = {
        [DIM_all] = STR_NONE,        [DIM_task] = c->task,       [DIM_tier] = c->tier,
        [DIM_model] = {b->p, model}, [DIM_key] = c->key,         [DIM_team] = c->team,
        [DIM_rule] = c->rule,        [DIM_gateway] = c->gateway, [DIM_move] = {b->p + model, b->n - model}};
    for (unsigned i = 0; i < DIM_COUNT; i++)
        if (!(out->id[i] = dim_id(r, i, value[i], e))) return false;
    return true;
}

/* The call's rows of cell_dim, remembered by its shortcut. */
static bool find_dims(struct rollup *r, const struct cell_call *c, struct dim_set *out, err *e) {
    int64_t place = c->shortcut ? dict_get(&r->shortcuts, c->shortcut) : 0;
    if (place) {
        *out = r->sets[place - 1];
        return true;
    }
    if (!dims_of(r, c, out, e)) return false;
    if (!c->shortcut) return true;
    if (r->shortcuts.count + 1 >= DICT_MAX) dict_clear(&r->shortcuts);
    if (r->shortcuts.count == 0) r->set_count = 0;
    if (r->set_count == r->set_cap) {
        r->set_cap = r->set_cap ? r->set_cap * 2 : 256;
        r->sets = xrealloc(r->sets, r->set_cap * sizeof *r->sets);
    }
    r->sets[r->set_count++] = *out;
    dict_put(&r->shortcuts, c->shortcut, r->set_count);
    return true;
}

bool rollup_part(struct rollup *r, uint64_t at, const struct cell_call *call, struct cell_part *out, err *e) {
    struct dim_set dims;
    if (!find_dims(r, call, &dims, e)) return false;
    out->hour = (int64_t)(at / HOUR_US);
    memcpy(out->dim, dims.id, sizeof out->dim);
    cell_part_of(call, out);
    return true;
}

void rollup_add(struct rollup *r, const struct cell_part *p, int sign) {
    for (unsigned i = 0; i < DIM_COUNT; i++) cell_add(set_get(&r->pending, p->hour, p->dim[i]), p, sign);
    cell_pack(p, sign, &r->journal_text);
}

/* ---- the journal ---- */

bool rollup_journal(struct rollup *r, err *e) {
    if (r->flushed || r->journal_text.n == 0) return true;
    if (!prepare_all(r, e)) return false;
    if (r->journal_text.failed) return fail(e, "too many calls in one transaction");
    sqlite3_bind_blob64(r->journal, 1, r->journal_text.p, r->journal_text.n, SQLITE_STATIC);
    int rc = sqlite3_step(r->journal);
    sqlite3_reset(r->journal);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(r->db));
}

void rollup_committed(struct rollup *r) {
    if (r->flushed) set_clear(&r->pending);
    r->flushed = false;
    buf_clear(&r->journal_text);
}

unsigned rollup_pending(const struct rollup *r) { return r->pending.count; }

static bool keep(void *ctx, const struct cell *c) {
    struct rollup *r = ctx;
    cell_merge(set_get(&r->pending, c->period, c->dim), c);
    return true;
}

bool rollup_reload(struct rollup *r, err *e) {
    set_clear(&r->pending);
    dict_clear(&r->dims);
    dict_clear(&r->shortcuts);
    buf_clear(&r->journal_text);
    r->flushed = false;
    return cell_each_pending(r->db, keep, r, e);
}

/* ---- into the cells ---- */

static bool cell_store(struct rollup *r, unsigned level, const struct cell *add, err *e) {
    struct cell *c = xmalloc(sizeof *c);
    *c = *add;
    sqlite3_stmt *q = r->get[level];
    sqlite3_bind_int64(q, 1, c->period);
    sqlite3_bind_int64(q, 2, c->dim);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) cell_read(q, 2, c);
    sqlite3_reset(q);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        q = r->put[level];
        sqlite3_bind_int64(q, 1, c->period);
        sqlite3_bind_int64(q, 2, c->dim);
        buf_clear(&r->scratch);
        cell_bind(q, 3, c, &r->scratch);
        rc = sqlite3_step(q);
        sqlite3_reset(q);
    }
    free(c);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(r->db));
}

bool rollup_flush(struct rollup *r, err *e) {
    if (!prepare_all(r, e)) return false;
    struct cell_set *longer = xcalloc(2, sizeof *longer), *days = &longer[0], *months = &longer[1];
    bool good = true;
    for (struct cell_node *n = r->pending.all; n && good; n = n->all) {
        good = cell_store(r, CELL_HOUR, &n->c, e);
        cell_merge(set_get(days, n->c.period / 24, n->c.dim), &n->c);
    }
    for (struct cell_node *n = days->all; n && good; n = n->all) {
        good = cell_store(r, CELL_DAY, &n->c, e);
        cell_merge(set_get(months, month_of_day(n->c.period), n->c.dim), &n->c);
    }
    for (struct cell_node *n = months->all; n && good; n = n->all) good = cell_store(r, CELL_MONTH, &n->c, e);
    set_clear(days);
    set_clear(months);
    free(longer);
    r->flushed = good && sql_exec(r->db, "DELETE FROM cell_pending", e);
    return r->flushed;
}
