/* upkeep: see the header. Each step is a short transaction, so that the books thread is never held up for
 * long; SQLite's data_version tells it that dictionaries and rollups changed under it. */
#include "books/upkeep.h"

#include "base/clock.h"
#include "books/rollup.h"
#include "books/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORGET_ROWS = 500, BACKUP_PAGES = 1000, BUSY_MS = 30000 };

static bool run(sqlite3 *db, const char *sql, int64_t a, int64_t b, err *e) {
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) return fail(e, "%s", sqlite3_errmsg(db));
    sqlite3_bind_int64(q, 1, a);
    if (sqlite3_bind_parameter_count(q) > 1) sqlite3_bind_int64(q, 2, b);
    int rc = sqlite3_step(q);
    sqlite3_finalize(q);
    return rc == SQLITE_DONE || rc == SQLITE_ROW || fail(e, "%s", sqlite3_errmsg(db));
}

/* Keys of up to FORGET_ROWS of the user's calls above `from`, into the temporary table. */
static bool pick(sqlite3 *db, int64_t user, int64_t from, err *e) {
    char sql[160];
    snprintf(sql, sizeof sql,
             "INSERT INTO temp.gone SELECT at, session FROM call WHERE user=? AND at>? ORDER BY at LIMIT %d",
             FORGET_ROWS);
    return run(db, "DELETE FROM temp.gone WHERE ?", 1, 0, e) && run(db, sql, user, from, e);
}

static bool forget_some(sqlite3 *db, err *e) {
    static const char *const steps[] = {
        "DELETE FROM attempt WHERE at IN (SELECT at FROM temp.gone)",
        "DELETE FROM usage_line WHERE at IN (SELECT at FROM temp.gone)",
        "DELETE FROM quality WHERE at IN (SELECT at FROM temp.gone)",
        "DELETE FROM odd_id WHERE at IN (SELECT at FROM temp.gone)",
        "DELETE FROM call WHERE at IN (SELECT at FROM temp.gone)",
        "DELETE FROM session WHERE id IN (SELECT session FROM temp.gone) AND NOT EXISTS"
        " (SELECT 1 FROM call WHERE call.session=session.id)",
    };
    if (!sql_exec(db, "BEGIN IMMEDIATE", e)) return false;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (sql_exec(db, steps[i], e)) continue;
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return false;
    }
    return sql_exec(db, "COMMIT", e);
}

static int64_t user_id(sqlite3 *db, str user) {
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(db, "SELECT id FROM user WHERE name=?", -1, &q, NULL) != SQLITE_OK) return -1;
    sqlite3_bind_text(q, 1, user.p, (int)user.n, SQLITE_STATIC);
    int rc = sqlite3_step(q);
    int64_t id = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : rc == SQLITE_DONE ? 0 : -1;
    sqlite3_finalize(q);
    return id;
}

static bool forget(sqlite3 *db, int64_t user, uint64_t *calls, err *e) {
    int64_t last = -1;
    if (!sql_exec(db, "PRAGMA secure_delete=ON; CREATE TEMP TABLE gone(at INTEGER PRIMARY KEY, session INTEGER)",
                  e))
        return false;
    for (;;) {
        if (!pick(db, user, last, e)) return false;
        int64_t n = sql_int(db, "SELECT count(*) FROM temp.gone", 0);
        if (n == 0) break;
        last = sql_int(db, "SELECT max(at) FROM temp.gone", 0);
        if (!forget_some(db, e)) return false;
        *calls += (uint64_t)n;
    }
    if (!run(db, "DELETE FROM user WHERE id=?", user, 0, e)) return false;
    /* What was overwritten is still in the log: it goes as soon as no reader needs it. */
    sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return true;
}

/* For the books thread: what is still on its way to the ledger of this person's calls gives its sums, and no row.
 */
static bool remember(sqlite3 *db, str user, err *e) {
    uint64_t key[2];
    if (!schema_key(db, key)) return fail(e, "the ledger has lost its keys");
    return run(db, "INSERT OR REPLACE INTO forgotten VALUES(?,?)", schema_forgotten(key, user),
               (int64_t)clock_wall_us(), e);
}

bool ledger_forget(const char *path, str user, uint64_t *calls, err *e) {
    *calls = 0;
    if (access(path, F_OK) != 0) return fail(e, "can't open the ledger %s: %s", path, strerror(errno));
    bool garbage;
    sqlite3 *db = schema_open(path, false, &garbage, e);
    if (!db) return false;
    sqlite3_busy_timeout(db, BUSY_MS);
    int64_t id = user_id(db, user);
    bool good = (id >= 0 || fail(e, "%s", sqlite3_errmsg(db))) && remember(db, user, e);
    if (good) id = user_id(db, user);
    if (id > 0) good = forget(db, id, calls, e);
    sqlite3_close(db);
    return good;
}

static bool copy(sqlite3 *from, sqlite3 *to, void (*progress)(void *ctx, int left, int all), void *ctx, err *e) {
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (!b) return fail(e, "%s", sqlite3_errmsg(to));
    int rc;
    do {
        rc = sqlite3_backup_step(b, BACKUP_PAGES);
        if (progress) progress(ctx, sqlite3_backup_remaining(b), sqlite3_backup_pagecount(b));
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) usleep(10000);
    } while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED);
    sqlite3_backup_finish(b);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errstr(rc));
}

bool ledger_backup(const char *path, const char *out, void (*progress)(void *ctx, int left, int all), void *ctx,
                   err *e) {
    struct stat st;
    if (stat(out, &st) == 0) return fail(e, "%s exists already", out);
    sqlite3 *from = schema_open_read(path, e), *to = NULL;
    if (!from) return false;
    /* One read transaction, so that what is written meanwhile doesn't begin the copy anew. */
    bool good = sql_exec(from, "BEGIN; SELECT count(*) FROM meta", e);
    if (good && sqlite3_open_v2(out, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        good = fail(e, "can't write %s: %s", out, to ? sqlite3_errmsg(to) : "no memory");
    good = good && copy(from, to, progress, ctx, e);
    sqlite3_close(to);
    sqlite3_close(from);
    if (!good) unlink(out);
    return good;
}
