/* Unit tests of books/walfile: pages that are kept back reach the log when a transaction is committed, and only
 * then; what a rollback leaves never overwrites another connection's. */
#include "fixture.h"

#include "books/schema.h"
#include "books/walfile.h"

static sqlite3 *open_ledger(const char *path) {
    bool garbage;
    err e;
    sqlite3 *db = schema_open(path, false, &garbage, &e);
    assert_non_null(db);
    return db;
}

static void run(sqlite3 *db, const char *sql) {
    err e;
    if (!sql_exec(db, sql, &e)) fail_msg("%s: %s", sql, e.msg);
}

#define FILL(from, to)                                                                                            \
    "WITH RECURSIVE n(i) AS (SELECT " from " UNION ALL SELECT i+1 FROM n WHERE i<" to                             \
    ") INSERT INTO session(name) SELECT printf('%0300d',i) FROM n;"

/* Many pages, one behind the other. */
#define APPEND                                                                                                    \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9000) INSERT INTO forgotten SELECT "    \
    "i,i "                                                                                                        \
    "FROM n;"

static void test_commits_are_seen(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    sqlite3 *db = open_ledger(p.db), *other = NULL;
    assert_int_equal(sqlite3_open_v2(p.db, &other, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    run(db, "BEGIN IMMEDIATE;" FILL("1", "3000"));
    assert_int_equal(sql_int(other, "SELECT count(*) FROM session", -1), 0);
    run(db, "COMMIT");
    assert_int_equal(sql_int(other, "SELECT count(*) FROM session", -1), 3000);
    assert_int_equal(sql_int(other, "SELECT count(*) FROM session WHERE length(name)=300", -1), 3000);
    sqlite3_close(other);
    sqlite3_close(db);
    place_remove(&p);
}

static void test_rollback_leaves_nothing(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    sqlite3 *db = open_ledger(p.db), *other = NULL;
    assert_int_equal(sqlite3_open_v2(p.db, &other, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    for (int i = 0; i < 8; i++) {
        /* Pages are pushed out before the end, as a small cache would. */
        run(db, "PRAGMA cache_spill=1; PRAGMA cache_size=5; BEGIN IMMEDIATE;" APPEND);
        run(db, "ROLLBACK");
        run(other, "DELETE FROM session;" FILL("1", "2000"));
        run(db, FILL("2001", "3000"));
        assert_int_equal(sql_int(other, "SELECT count(*) FROM session", -1), 3000);
        assert_int_equal(sql_int(other, "SELECT sum(CAST(name AS INTEGER)) FROM session", -1), 3000 * 3001 / 2);
    }
    run(db, "BEGIN IMMEDIATE;" APPEND);
    sqlite3_close(db); /* with a transaction that was never ended */
    run(other, FILL("3001", "4000"));
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_prepare_v2(other, "PRAGMA integrity_check", -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(q, 0), "ok");
    sqlite3_finalize(q);
    sqlite3_close(other);
    place_remove(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits_are_seen),
        cmocka_unit_test(test_rollback_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
