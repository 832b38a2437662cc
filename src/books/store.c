/* store: see the header.
 *
 * The row (measured: with indexes, facts and rollups, see bench/books.c) is kept narrow: its key is the
 * time in microseconds, which the UUIDv7 repeats, so that the time index costs nothing and lookups by
 * id go through it; strings that repeat are numbers of dictionary tables; an only attempt that went
 * well and the four usual classes of usage stand in the row itself, anything else in the tables
 * attempt and usage_line. Two calls that began in the same microsecond: the later one takes the next
 * free one.
 *
 * Rows are collected and inserted many at a time (row.c), those whose key is free. The others, and those that
 * need rows in other tables, are placed one by one: writing a call twice is noticed by its id, as the second meets
 * the first under its key. */
#include "books/store.h"

#include "base/clock.h"
#include "books/cell.h"
#include "books/ledger.h"
#include "books/names.h"
#include "books/row.h"
#include "books/schema.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PROBES_MAX = 4096,
    TEXT_MAX = 1 << 20,
    TEXT_ROW_MAX = TEXT_MAX / 2,
    ROLLUP_FLUSH_US = 60000000,
    ROLLUP_CELLS_MAX = 8192
};

/* Statements that are prepared once: X(name, SQL). */
#define STATEMENTS(X)                                                                                             \
    X(relabel, "UPDATE call SET kind=?2, quality=?3, quality_source=?4, task_confidence=?5, difficulty=?6,"       \
               " template_hash=?7, facts=?8, prompt_hash=?9 WHERE at=?1")                                         \
    X(id_at, "SELECT id FROM call WHERE at=?")                                                                    \
    X(odd, "INSERT OR REPLACE INTO odd_id VALUES(?,?)")                                                           \
    X(attempt, "INSERT OR REPLACE INTO attempt VALUES(?,?,?,?,?,?,?,?,?)")                                        \
    X(usage, "INSERT OR REPLACE INTO usage_line VALUES(?,?,?,?,?,?)")                                             \
    X(quality, "INSERT OR REPLACE INTO quality VALUES(?,?,?,?,?,?)")                                              \
    X(applied, "SELECT applied FROM spool_state WHERE segment=?")                                                 \
    X(set_applied, "INSERT OR REPLACE INTO spool_state VALUES(?,?)")                                              \
    X(drop_segment, "DELETE FROM spool_state WHERE segment=?")                                                    \
    X(forgotten, "SELECT 1 FROM forgotten WHERE user=? AND before>?")                                             \
    X(spill, "INSERT OR REPLACE INTO open_call VALUES(?,?,?)")                                                    \
    X(unspill, "DELETE FROM open_call WHERE id=?")

enum {
#define X(name, sql) Q_##name,
    STATEMENTS(X)
#undef X
        Q_COUNT
};

_Static_assert((int)STORE_BATCH <= (int)ROW_FEED_MAX, "one statement writes a batch");

/* A row that waits for the others, and what it adds to the sums. */
struct waiting {
    struct row row;
    struct cell_part part;
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *q[Q_COUNT], *insert;
    struct row_feed feed;
    struct waiting *batch;
    const struct row *rows[STORE_BATCH];
    unsigned waiting;
    struct store_dict dict;
    struct rollup *rollup;
    struct ledger *reader;
    arena a;  /* of one amendment */
    buf text; /* of the rows that wait, or of one that doesn't */
    uint64_t key[2];
    bool any_forgotten;   /* the table has rows */
    int64_t data_version; /* PRAGMA data_version of what we remember; -1: nothing valid */
    uint64_t flushed;     /* clock_mono_us of the rollups' last flush */
};

static const char *const statements[Q_COUNT] = {
#define X(name, sql) sql,
    STATEMENTS(X)
#undef X
};

struct store *store_open(const char *path, bool full_sync, bool *garbage, err *e) {
    sqlite3 *db = schema_open(path, full_sync, garbage, e);
    if (!db) return NULL;
    uint64_t key[2];
    struct store *st = xcalloc(1, sizeof *st);
    st->db = db;
    st->data_version = -1;
    arena_init(&st->a, 4096, 1 << 20);
    buf_init(&st->text, TEXT_MAX);
    buf_room(&st->text, TEXT_MAX); /* views into it are taken while it grows: it must not move */
    bool good = schema_key(db, key) || fail(e, "the ledger has lost its keys");
    if (good) {
        memcpy(st->key, key, sizeof key);
        store_dict_init(&st->dict, db, key);
        st->rollup = rollup_new(db, key);
        st->batch = xcalloc(STORE_BATCH, sizeof *st->batch);
        for (unsigned i = 0; i < STORE_BATCH; i++) st->rows[i] = &st->batch[i].row;
        st->feed.row = st->rows;
        st->reader = ledger_over(db, e);
        good = st->reader != NULL && (st->insert = row_feed_open(db, &st->feed, e)) != NULL;
    }
    for (int i = 0; good && i < Q_COUNT; i++)
        good =
            sqlite3_prepare_v3(db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &st->q[i], NULL) == SQLITE_OK ||
            fail(e, "%s", sqlite3_errmsg(db));
    if (good) return st;
    store_close(st);
    return NULL;
}

void store_close(struct store *st) {
    if (!st) return;
    for (int i = 0; i < Q_COUNT; i++) sqlite3_finalize(st->q[i]);
    sqlite3_finalize(st->insert);
    store_dict_free(&st->dict);
    rollup_free(st->rollup);
    ledger_close(st->reader);
    sqlite3_close(st->db);
    arena_free(&st->a);
    buf_free(&st->text);
    free(st->batch);
    free(st);
}

sqlite3 *store_db(struct store *st) { return st->db; }

static bool done(struct store *st, int q, err *e) {
    int rc = sqlite3_step(st->q[q]);
    sqlite3_reset(st->q[q]);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(st->db));
}

/* ---- transactions ---- */

bool store_begin(struct store *st, err *e) {
    if (!sql_exec(st->db, "BEGIN IMMEDIATE", e)) return false;
    int64_t version = sql_int(st->db, "PRAGMA data_version", 0);
    if (version != st->data_version) { /* another process wrote: what we remember may be gone */
        store_dict_clear(&st->dict);
        if (!rollup_reload(st->rollup, e)) {
            store_rollback(st);
            return false;
        }
        st->any_forgotten = sql_int(st->db, "SELECT count(*) FROM forgotten", 0) > 0;
        st->data_version = version;
    }
    return true;
}

bool store_commit(struct store *st, err *e) {
    invariant(st->waiting == 0);
    uint64_t now = clock_mono_us();
    unsigned cells = rollup_pending(st->rollup);
    bool due = cells > ROLLUP_CELLS_MAX || (cells && now - st->flushed > ROLLUP_FLUSH_US);
    if ((due && !rollup_flush(st->rollup, e)) || !rollup_journal(st->rollup, e) ||
        !sql_exec(st->db, "COMMIT", e)) {
        store_rollback(st);
        return false;
    }
    rollup_committed(st->rollup);
    if (due || !rollup_pending(st->rollup)) st->flushed = now;
    return true;
}

bool store_flush(struct store *st, err *e) {
    if (!rollup_pending(st->rollup)) return true;
    if (!store_begin(st, e)) return false;
    if (!rollup_flush(st->rollup, e)) {
        store_rollback(st);
        return false;
    }
    return store_commit(st, e);
}

void store_rollback(struct store *st) {
    sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
    store_dict_clear(&st->dict);
    st->waiting = 0;
    st->data_version = -1; /* with the next transaction the rollups are read from their journal again */
}

/* ---- binding ---- */

struct binder {
    sqlite3_stmt *q;
    int at;
};
static void put_int(struct binder *b, int64_t v) { sqlite3_bind_int64(b->q, b->at++, v); }
static void put_null(struct binder *b) { sqlite3_bind_null(b->q, b->at++); }
static void put_money(struct binder *b, int64_t v) { v == COST_UNKNOWN ? put_null(b) : put_int(b, v); }
static void put_nonzero(struct binder *b, uint64_t v) { v ? put_int(b, (int64_t)v) : put_null(b); }
static void put_time(struct binder *b, uint64_t us) { put_int(b, us > INT64_MAX ? INT64_MAX : (int64_t)us); }
static void put_share(struct binder *b, float v) {
    v < 0 ? put_null(b) : put_int(b, (int64_t)((double)v * 10000 + 0.5));
}
static void put_text(struct binder *b, str s) {
    s.n ? (void)sqlite3_bind_text(b->q, b->at++, s.p, (int)s.n, SQLITE_STATIC) : put_null(b);
}
static void put_blob(struct binder *b, const void *p, size_t n) {
    sqlite3_bind_blob(b->q, b->at++, p, (int)n, SQLITE_STATIC);
}

/* ---- rows beside the call's ---- */

static bool put_lines(struct store *st, int64_t at, unsigned attempt, const struct usage *u,
                      const struct usage_cost *c, err *e) {
    for (unsigned i = 0; i < USAGE_CLASSES; i++) {
        if (!u->units[i]) continue;
        struct binder b = {st->q[Q_usage], 1};
        put_int(&b, at);
        put_int(&b, attempt);
        put_int(&b, i);
        put_int(&b, u->units[i]);
        put_money(&b, c->rate[i]);
        put_money(&b, c->cost[i]);
        if (!done(st, Q_usage, e)) return false;
    }
    return true;
}

/* Number of a name, 0 (NULL in the row) for the empty one. False on failure. */
static bool name_id(struct store *st, str name, int64_t *id, err *e) {
    *id = 0;
    return name.n == 0 || (*id = store_dict_id(&st->dict, TABLE_name, &name, e)) != 0;
}

static bool put_attempts(struct store *st, int64_t at, const struct folded *f, err *e) {
    unsigned won = row_winner(f);
    for (unsigned i = 0; i < f->attempt_count; i++) {
        const struct record_attempt *t = &f->attempt[i];
        if (!t->n) continue; /* its event was lost */
        int64_t target, error;
        if (!name_id(st, t->target, &target, e) || !name_id(st, t->error, &error, e)) return false;
        struct binder b = {st->q[Q_attempt], 1};
        put_int(&b, at);
        put_int(&b, t->n);
        put_nonzero(&b, (uint64_t)target);
        put_nonzero(&b, t->status);
        put_nonzero(&b, (uint64_t)error);
        put_time(&b, t->start_us);
        put_nonzero(&b, t->first_byte_us);
        put_time(&b, t->end_us);
        put_money(&b, t->cost.total);
        if (!done(st, Q_attempt, e)) return false;
        /* The answering attempt's lines are the call's own, written once. */
        if (t->n != won && !put_lines(st, at, t->n, &t->usage, &t->cost, e)) return false;
    }
    return true;
}

/* A row of its own for what the call's row has no room for: another source's score, words. */
static bool put_quality(struct store *st, int64_t at, const struct record_amend *m, err *e) {
    struct binder b = {st->q[Q_quality], 1};
    put_int(&b, at);
    put_int(&b, name_index(quality_names, QUALITY_SOURCES, m->quality_source));
    put_time(&b, m->time_us);
    if (m->quality < 0)
        put_null(&b);
    else
        sqlite3_bind_double(b.q, b.at++, (double)m->quality);
    put_text(&b, m->label);
    put_text(&b, m->comment);
    return done(st, Q_quality, e);
}

static bool put_odd(struct store *st, struct uuid id, int64_t at, err *e) {
    struct binder b = {st->q[Q_odd], 1};
    put_blob(&b, id.b, 16);
    put_int(&b, at);
    return done(st, Q_odd, e);
}

static bool has_words(const struct record_amend *m) { return m->label.n || m->comment.n; }

/* ---- the key ---- */

static bool same_id(struct uuid id, const unsigned char *stored, int n) {
    return n == 16 ? memcmp(stored, id.b, 16) == 0 : n == 10 && memcmp(stored, id.b + 6, 10) == 0;
}

static int64_t first_key(uint64_t time_us) { return time_us > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)time_us; }

/* The key under which the call is, or can be, stored. */
static enum stored place(struct store *st, struct uuid id, uint64_t time_us, int64_t *at, err *e) {
    sqlite3_stmt *q = st->q[Q_id_at];
    *at = first_key(time_us);
    for (int i = 0; i < PROBES_MAX; i++, ++*at) {
        sqlite3_bind_int64(q, 1, *at);
        int rc = sqlite3_step(q);
        bool known = rc == SQLITE_ROW && same_id(id, sqlite3_column_blob(q, 0), sqlite3_column_bytes(q, 0));
        sqlite3_reset(q);
        if (known) return STORED_KNOWN;
        if (rc == SQLITE_DONE) return STORED_NEW;
        if (rc != SQLITE_ROW) break;
    }
    fail(e, "no place for a call at %lld: %s", (long long)*at, sqlite3_errmsg(st->db));
    return STORED_FAILED;
}

/* ---- a call ---- */

/* Whether the user was forgotten after this call began. */
static bool is_forgotten(struct store *st, const struct record *r) {
    if (!st->any_forgotten || !r->user.n) return false;
    struct binder b = {st->q[Q_forgotten], 1};
    put_int(&b, schema_forgotten(st->key, r->user));
    put_time(&b, r->time_us);
    bool yes = sqlite3_step(b.q) == SQLITE_ROW;
    sqlite3_reset(b.q);
    return yes;
}

/* What the call adds to the sums; `row`: its row, NULL: none is kept. */
static bool sums_of(struct store *st, const struct folded *f, str gateway, bool cut, int64_t at,
                    const struct row *row, struct cell_part *out, err *e) {
    struct cell_call cell;
    rollup_of(f, gateway, cut, &cell);
    if (row) { /* three numbers that stand for all that tells cells apart */
        uint64_t who = (uint64_t)row->v[ROW_who], route = (uint64_t)row->v[ROW_route],
                 kind = (uint64_t)row->v[ROW_kind];
        if ((who | route | kind) < 1u << 21) cell.shortcut = who << 42 | route << 21 | kind;
    }
    return rollup_part(st->rollup, (uint64_t)at, &cell, out, e);
}

/* Inserts the first `n` rows of the batch; feed.inserted tells which. */
static bool insert_rows(struct store *st, unsigned n, err *e) {
    st->feed.inserted = 0;
    st->feed.count = n;
    int rc = sqlite3_step(st->insert);
    st->feed.count = 0;
    sqlite3_reset(st->insert);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(st->db));
}

/* What the row has no room for. */
static bool put_more(struct store *st, const struct folded *f, const struct row *row, int64_t at, err *e) {
    if (row_is_odd(row) && !put_odd(st, f->r.id, at, e)) return false;
    if (!row->plain_attempt && !put_attempts(st, at, f, e)) return false;
    if (!row->plain_usage && !put_lines(st, at, row_winner(f), &f->r.usage, &f->r.cost_lines, e)) return false;
    return !f->amended || !has_words(&f->amend) || put_quality(st, at, &f->amend, e);
}

enum stored store_put(struct store *st, const struct folded *f, str gateway, bool cut, err *e) {
    invariant(st->waiting == 0);
    int64_t at;
    enum stored s = place(st, f->r.id, f->r.time_us, &at, e);
    if (s != STORED_NEW) return s;
    struct waiting *w = &st->batch[0];
    buf_clear(&st->text);
    if (is_forgotten(st, &f->r)) { /* nobody's any more: only its sums are kept */
        if (!sums_of(st, f, gateway, cut, at, NULL, &w->part, e)) return STORED_FAILED;
        rollup_add(st->rollup, &w->part, 1);
        return STORED_NEW;
    }
    if (!row_make(&st->dict, &st->text, f, gateway, at, &w->row, e) ||
        !sums_of(st, f, gateway, cut, at, &w->row, &w->part, e) || !insert_rows(st, 1, e))
        return STORED_FAILED;
    if (!put_more(st, f, &w->row, at, e)) return STORED_FAILED;
    rollup_add(st->rollup, &w->part, 1);
    return STORED_NEW;
}

enum stored store_queue(struct store *st, const struct folded *f, str gateway, bool cut, bool *more, err *e) {
    if (is_forgotten(st, &f->r)) return STORED_ALONE;
    if (st->waiting == 0) buf_clear(&st->text);
    struct waiting *w = &st->batch[st->waiting];
    int64_t at = first_key(f->r.time_us);
    if (!row_make(&st->dict, &st->text, f, gateway, at, &w->row, e)) return STORED_FAILED;
    if (row_is_odd(&w->row)) return STORED_ALONE;
    if (!sums_of(st, f, gateway, cut, at, &w->row, &w->part, e)) return STORED_FAILED;
    *more = !w->row.plain_attempt || !w->row.plain_usage || (f->amended && has_words(&f->amend));
    st->waiting++;
    return STORED_NEW;
}

bool store_more(struct store *st, const struct folded *f, err *e) {
    struct row row;
    row_plain(f, &row);
    return put_more(st, f, &row, first_key(f->r.time_us), e);
}

bool store_full(const struct store *st) { return st->waiting == STORE_BATCH || st->text.n > TEXT_ROW_MAX; }

bool store_write(struct store *st, uint64_t *alone, err *e) {
    unsigned n = st->waiting;
    *alone = 0;
    st->waiting = 0;
    if (n == 0) return true;
    if (!insert_rows(st, n, e)) return false;
    for (unsigned i = 0; i < n; i++)
        if (st->feed.inserted >> i & 1) rollup_add(st->rollup, &st->batch[i].part, 1);
    *alone = ~st->feed.inserted & (UINT64_MAX >> (64 - n));
    return true;
}

/* ---- amendments ---- */

/* The most trusted source's score is the call's; an equal one replaces it. */
static bool more_trusted(const struct record_amend *m, const struct record_amend *was) {
    return was->quality < 0 || name_index(quality_names, QUALITY_SOURCES, m->quality_source) >=
                                   name_index(quality_names, QUALITY_SOURCES, was->quality_source);
}

static bool update_row(struct store *st, const struct ledger_call *c, err *e) {
    const struct record *r = &c->f.r;
    int64_t kind = row_kind(&st->dict, r, e);
    if (!kind) return false;
    buf_clear(&st->text);
    struct binder b = {st->q[Q_relabel], 1};
    put_int(&b, (int64_t)c->at);
    put_int(&b, kind);
    if (c->f.amend.quality < 0)
        put_null(&b);
    else
        sqlite3_bind_double(b.q, b.at++, (double)c->f.amend.quality);
    put_nonzero(&b, name_index(quality_names, QUALITY_SOURCES, c->f.amend.quality_source));
    put_share(&b, r->facts ? r->facts->task_confidence : -1);
    put_share(&b, r->facts ? r->facts->difficulty : -1);
    put_nonzero(&b, r->facts ? r->facts->template_hash : 0);
    put_text(&b, r->facts ? row_facts(r, (int64_t)c->at, &st->text) : STR_NONE);
    put_nonzero(&b, r->prompt_hash);
    return done(st, Q_relabel, e);
}

/* Takes the call as it was out of the sums (sign -1), or adds it as it is (1). */
static bool resum(struct store *st, const struct ledger_call *c, int sign, err *e) {
    struct cell_part part;
    if (!sums_of(st, &c->f, c->gateway, c->cut, (int64_t)c->at, NULL, &part, e)) return false;
    rollup_add(st->rollup, &part, sign);
    return true;
}

static bool amend_call(struct store *st, struct ledger_call *c, const struct folded *f, err *e) {
    const struct record_amend *m = &f->amend;
    if (!resum(st, c, -1, e)) return false;
    if (m->quality >= 0 || has_words(m)) {
        /* The row keeps one score; the one that gives way, and all words, go to the table. */
        bool wins = m->quality >= 0 && more_trusted(m, &c->f.amend);
        struct record_amend was = c->f.amend;
        if (wins && was.quality >= 0 && !str_eq(was.quality_source, m->quality_source) &&
            !put_quality(st, (int64_t)c->at, &was, e))
            return false;
        if ((!wins || has_words(m)) && !put_quality(st, (int64_t)c->at, m, e)) return false;
        if (wins) {
            c->f.amend.quality = m->quality;
            c->f.amend.quality_source = m->quality_source;
        }
    }
    if (m->prompt_hash) c->f.r.prompt_hash = m->prompt_hash;
    if (f->has_facts) {
        c->f.facts = f->facts;
        c->f.facts.model = c->f.r.requested_model;
        c->f.facts.key = c->f.r.key;
        c->f.facts.team = c->f.r.team;
        c->f.facts.user = c->f.r.user;
        c->f.facts.session = c->f.r.session;
        c->f.r.facts = &c->f.facts;
    }
    return update_row(st, c, e) && resum(st, c, 1, e);
}

enum stored store_amend(struct store *st, const struct folded *f, err *e) {
    invariant(st->waiting == 0);
    uint64_t at;
    enum ledger_found found = ledger_find(st->reader, f->r.id, &at, e);
    struct ledger_call *c = NULL;
    if (found == LEDGER_FOUND) {
        c = xcalloc(1, sizeof *c);
        found = ledger_get(st->reader, at, &st->a, c, e);
    }
    enum stored s = found == LEDGER_NONE ? STORED_NEW : STORED_FAILED;
    if (found == LEDGER_FOUND && amend_call(st, c, f, e)) s = STORED_KNOWN;
    free(c);
    arena_free(&st->a);
    return s;
}

/* ---- where the spool is ---- */

int64_t store_applied(struct store *st, const char *segment) {
    sqlite3_stmt *q = st->q[Q_applied];
    sqlite3_bind_text(q, 1, segment, -1, SQLITE_STATIC);
    int64_t v = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    return v;
}

bool store_set_applied(struct store *st, const char *segment, uint64_t applied, err *e) {
    sqlite3_bind_text(st->q[Q_set_applied], 1, segment, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st->q[Q_set_applied], 2, (int64_t)applied);
    return done(st, Q_set_applied, e);
}

bool store_drop_segment(struct store *st, const char *segment, err *e) {
    sqlite3_bind_text(st->q[Q_drop_segment], 1, segment, -1, SQLITE_STATIC);
    return done(st, Q_drop_segment, e);
}

bool store_spill(struct store *st, struct uuid id, uint64_t instance, str events, err *e) {
    struct binder b = {st->q[Q_spill], 1};
    put_blob(&b, id.b, 16);
    put_int(&b, (int64_t)instance);
    put_blob(&b, events.p, events.n);
    return done(st, Q_spill, e);
}

bool store_unspill(struct store *st, struct uuid id, err *e) {
    struct binder b = {st->q[Q_unspill], 1};
    put_blob(&b, id.b, 16);
    return done(st, Q_unspill, e);
}

bool store_spilled(struct store *st, uint64_t instance, void (*each)(void *ctx, struct uuid id, str events),
                   void *ctx, err *e) {
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(st->db, "SELECT id, events FROM open_call WHERE instance=?", -1, &q, NULL) != SQLITE_OK)
        return fail(e, "%s", sqlite3_errmsg(st->db));
    sqlite3_bind_int64(q, 1, (int64_t)instance);
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        struct uuid id;
        if (sqlite3_column_bytes(q, 0) != 16) continue;
        memcpy(id.b, sqlite3_column_blob(q, 0), 16);
        each(ctx, id, str_make(sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)));
    }
    sqlite3_finalize(q);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(st->db));
}

/* ---- upkeep ---- */

bool store_checkpoint(struct store *st, int *left, err *e) {
    int log = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &moved);
    *left = log > moved ? log - moved : 0;
    return rc == SQLITE_OK || rc == SQLITE_BUSY || fail(e, "%s", sqlite3_errmsg(st->db));
}

bool store_restart_log(struct store *st) {
    return sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL) == SQLITE_OK;
}

/* Sessions whose last call goes. (Users stay: there is no index to ask, and `dray forget` is theirs.) */
static bool expire_sessions(struct store *st, int64_t last, err *e) {
    char sql[320];
    snprintf(sql, sizeof sql,
             "DELETE FROM session WHERE id IN (SELECT session FROM call WHERE at<=%lld AND session IS NOT NULL)"
             " AND NOT EXISTS (SELECT 1 FROM call WHERE call.session=session.id AND call.at>%lld)",
             (long long)last, (long long)last);
    if (!sql_exec(st->db, sql, e)) return false;
    if (sqlite3_changes(st->db) > 0) dict_clear(&st->dict.dict[TABLE_session]); /* it remembers their numbers */
    return true;
}

int store_expire(struct store *st, uint64_t before_us, int limit, err *e) {
    static const char *const parts[] = {"attempt", "usage_line", "quality", "odd_id", "call"};
    char sql[160];
    int64_t before = before_us > INT64_MAX ? INT64_MAX : (int64_t)before_us;
    snprintf(sql, sizeof sql, "SELECT max(at) FROM (SELECT at FROM call WHERE at<%lld ORDER BY at LIMIT %d)",
             (long long)before, limit);
    int64_t last = sql_int(st->db, sql, -1);
    if (last < 0) return 0;
    if (!expire_sessions(st, last, e)) return -1;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE at<=%lld", parts[i], (long long)last);
        if (!sql_exec(st->db, sql, e)) return -1;
    }
    return sqlite3_changes(st->db);
}
