/* store_dict: see the header.
 *
 * Tuples are found by a keyed 64-bit hash (the key is made with the ledger and secret, so nobody can
 * choose names that collide); names by themselves, so that users' SQL finds a session by its index.
 * Control characters in names, which only hostile clients send, become spaces: SQL tools and terminals
 * are spared them. */
#include "books/store_dict.h"

#include "base/hash.h"

static const struct {
    const char *name;
    unsigned columns;
    bool tuple;
} tables[TABLE_COUNT] = {
#define X(table, columns) {#table, columns, true},
    TUPLES(X)
#undef X
#define X(table) {#table, 1, false},
        NAMES(X)
#undef X
};

void store_dict_init(struct store_dict *d, sqlite3 *db, const uint64_t key[2]) {
    *d = (struct store_dict){.db = db, .key = {key[0], key[1]}};
    buf_init(&d->scratch, 1 << 20);
}

void store_dict_clear(struct store_dict *d) {
    for (unsigned i = 0; i < TABLE_COUNT; i++) dict_clear(&d->dict[i]);
    dict_clear(&d->kinds);
    dict_clear(&d->charges);
    dict_clear(&d->lists);
}

void store_dict_free(struct store_dict *d) {
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        dict_free(&d->dict[i]);
        sqlite3_finalize(d->get[i]);
        sqlite3_finalize(d->put[i]);
    }
    dict_free(&d->kinds);
    dict_free(&d->charges);
    dict_free(&d->lists);
    buf_free(&d->scratch);
}

static bool prepare(struct store_dict *d, enum store_table t, err *e) {
    if (d->put[t]) return true;
    char sql[256];
    static const char marks[] = ",?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"; /* the hash and 15 columns */
    sqlite3_snprintf(sizeof sql, sql, "INSERT INTO %s VALUES(NULL%.*s)", tables[t].name,
                     (int)(2 * (tables[t].columns + tables[t].tuple)), marks);
    if (sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &d->put[t], NULL) != SQLITE_OK)
        return fail(e, "%s", sqlite3_errmsg(d->db));
    sqlite3_snprintf(sizeof sql, sql, "SELECT id FROM %s WHERE %s=?", tables[t].name,
                     tables[t].tuple ? "hash" : "name");
    if (sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &d->get[t], NULL) != SQLITE_OK)
        return fail(e, "%s", sqlite3_errmsg(d->db));
    return true;
}

static void bind_clean(sqlite3_stmt *q, int at, str v) {
    char *p = sqlite3_malloc64(v.n + 1);
    if (!p) return;
    for (size_t i = 0; i < v.n; i++) p[i] = (unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f ? ' ' : v.p[i];
    sqlite3_bind_text(q, at, p, (int)v.n, sqlite3_free);
}

static void bind_all(sqlite3_stmt *q, int at, const str *value, unsigned columns) {
    for (unsigned i = 0; i < columns; i++) {
        if (value[i].p)
            bind_clean(q, at + (int)i, value[i]);
        else
            sqlite3_bind_null(q, at + (int)i);
    }
}

static uint64_t hash_of(struct store_dict *d, const str *value, unsigned columns) {
    size_t n = 0;
    for (unsigned i = 0; i < columns; i++) n += value[i].n + sizeof(uint32_t);
    buf_clear(&d->scratch);
    char *p = buf_room(&d->scratch, n), *start = p;
    for (unsigned i = 0; i < columns; i++) {
        uint32_t len = (uint32_t)value[i].n | (value[i].p ? 0 : 1u << 31);
        memcpy(p, &len, sizeof len);
        p += sizeof len;
        if (value[i].n) memcpy(p, value[i].p, value[i].n);
        p += value[i].n;
    }
    return siphash(d->key, start, n);
}

int64_t store_dict_id(struct store_dict *d, enum store_table t, const str *value, err *e) {
    uint64_t hash = hash_of(d, value, tables[t].columns);
    int64_t id = dict_get(&d->dict[t], hash);
    if (id) return id;
    if (!prepare(d, t, e)) return 0;
    sqlite3_stmt *q = d->get[t];
    if (tables[t].tuple)
        sqlite3_bind_int64(q, 1, (int64_t)hash);
    else
        bind_all(q, 1, value, 1);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) id = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    if (!id && rc == SQLITE_DONE) {
        q = d->put[t];
        if (tables[t].tuple) sqlite3_bind_int64(q, 1, (int64_t)hash);
        bind_all(q, 1 + tables[t].tuple, value, tables[t].columns);
        rc = sqlite3_step(q);
        if (rc == SQLITE_DONE) id = sqlite3_last_insert_rowid(d->db);
        sqlite3_reset(q);
    }
    if (!id) {
        fail(e, "%s", sqlite3_errmsg(d->db));
        return 0;
    }
    dict_put(&d->dict[t], hash, id);
    return id;
}
