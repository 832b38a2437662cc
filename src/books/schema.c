/* schema: see the header. Tables are in schema.sql.h, the view `calls` is made from fields.def.
 *
 * user_version counts migrations. Views are dropped and made again whenever the version changes, so
 * a migration only deals with tables. A ledger of a later version than ours is refused. */
#include "books/schema.h"

#include "base/buf.h"
#include "books/rollup.h"
#include "books/schema.sql.h"
#include "books/walfile.h"
#include "catalog/catalog.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const char *const migrations[] = {SCHEMA_V1};
_Static_assert(sizeof migrations / sizeof *migrations == SCHEMA_VERSION, "one row per version");

bool sql_exec(sqlite3 *db, const char *sql, err *e) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return true;
    return fail(e, "%s", sqlite3_errmsg(db));
}

int64_t sql_int(sqlite3 *db, const char *sql, int64_t otherwise) {
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) return otherwise;
    int64_t v = sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL
                    ? sqlite3_column_int64(q, 0)
                    : otherwise;
    sqlite3_finalize(q);
    return v;
}

static void view_calls(buf *b) {
    buf_strz(b, "DROP VIEW IF EXISTS calls; CREATE VIEW calls AS SELECT ");
    const char *comma = "";
#define COLUMN(name, type, expr, unit, help)                                                                      \
    buf_strz(b, comma);                                                                                           \
    buf_strz(b, expr " AS " #name);                                                                               \
    comma = ", ";
#include "books/fields.def"
#undef COLUMN
    buf_strz(b, " FROM call c LEFT JOIN who ON who.id=c.who LEFT JOIN route ON route.id=c.route"
                " LEFT JOIN kind ON kind.id=c.kind LEFT JOIN user ON user.id=c.user"
                " LEFT JOIN session ON session.id=c.session LEFT JOIN name tags ON tags.id=c.tags"
                " LEFT JOIN name error ON error.id=c.error;");
}

/* An only attempt that went well stands in its call's own row; so do the usual classes of usage. */
static void view_parts(buf *b) {
    buf_strz(
        b, "DROP VIEW IF EXISTS attempts; CREATE VIEW attempts AS"
           " SELECT c.at AS time, 1 AS n, route.provider||'/'||route.model AS target, kind.status AS status,"
           " NULL AS error, c.start_us AS start_us, c.first_byte_us AS first_byte_us, c.end_us AS end_us,"
           " c.cost AS cost_nano FROM call c JOIN route ON route.id=c.route JOIN kind ON kind.id=c.kind"
           " WHERE c.end_us IS NOT NULL UNION ALL"
           " SELECT a.at, a.n, target.name, nullif(a.status,0), error.name, a.start_us, a.first_byte_us, a.end_us,"
           " a.cost FROM attempt a LEFT JOIN name target ON target.id=a.target"
           " LEFT JOIN name error ON error.id=a.error;");
    buf_strz(b, "DROP VIEW IF EXISTS usage_lines; CREATE VIEW usage_lines AS");
    static const struct {
        const char *name, *units;
    } plain[] = {{"input", "c.input_tokens-c.cached_tokens"},
                 {"cached_input", "c.cached_tokens"},
                 {"output", "c.output_tokens-c.reasoning_tokens"},
                 {"reasoning", "c.reasoning_tokens"}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        buf_printf(b,
                   " SELECT c.at AS time, c.attempts AS attempt, '%s' AS class, %s AS units, r.%s AS rate_nano,"
                   " ((%s)*r.%s+500000)/1000000 AS cost_nano FROM call c JOIN rates r ON r.id=c.rates"
                   " WHERE (%s)>0 UNION ALL",
                   plain[i].name, plain[i].units, plain[i].name, plain[i].units, plain[i].name, plain[i].units);
    buf_strz(b, " SELECT l.at, l.attempt, k.name, l.units, l.rate, l.cost FROM usage_line l"
                " JOIN usage_class k ON k.id=l.class;");
    buf_strz(b, "DELETE FROM usage_class;");
    for (unsigned i = 0; i < USAGE_CLASSES; i++) {
        static const int side[] = {
#define X(id, name, side) side,
            CATALOG_CLASSES(X)
#undef X
        };
        static const char *const name[] = {
#define X(id, name, side) name,
            CATALOG_CLASSES(X)
#undef X
        };
        buf_printf(b, "INSERT INTO usage_class VALUES(%u,'%s',%d);", i, name[i], side[i]);
    }
}

static bool migrate(sqlite3 *db, err *e) {
    int64_t version = sql_int(db, "PRAGMA user_version", -1);
    if (version < 0) return fail(e, "%s", sqlite3_errmsg(db));
    if (version == SCHEMA_VERSION) return true;
    if (version > SCHEMA_VERSION)
        return fail(e, "the ledger is of version %d, this dray knows %d", (int)version, SCHEMA_VERSION);
    if (version == 0 && sql_int(db, "SELECT count(*) FROM sqlite_master", 0) > 0)
        return fail(e, "the file is a database, but not a ledger of dray");
    buf b;
    buf_init(&b, 1 << 20);
    buf_strz(&b, "BEGIN IMMEDIATE;");
    for (int64_t v = version; v < SCHEMA_VERSION; v++) buf_strz(&b, migrations[v]);
    if (version < 1) {
        rollup_schema(&b);
        uint64_t key[2];
        random_bytes(key, sizeof key);
        buf_printf(&b, "INSERT INTO meta VALUES('dict_key_0',%lld),('dict_key_1',%lld);", (long long)key[0],
                   (long long)key[1]);
    }
    view_calls(&b);
    view_parts(&b);
    buf_printf(&b, "PRAGMA user_version=%d;COMMIT;", SCHEMA_VERSION);
    buf_char(&b, 0);
    bool good = sql_exec(db, b.p, e);
    if (!good) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    buf_free(&b);
    return good;
}

enum { BUSY_MS = 250 };

/* SQLite's statistics of its own memory cost a lock per allocation; nobody asks for them. */
static pthread_once_t config_once = PTHREAD_ONCE_INIT;
static void config_sqlite(void) { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

sqlite3 *schema_open(const char *path, bool full_sync, bool *garbage, err *e) {
    sqlite3 *db = NULL;
    *garbage = false;
    pthread_once(&config_once, config_sqlite);
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                             walfile_vfs());
    bool good = rc == SQLITE_OK || fail(e, "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    if (good) {
        sqlite3_extended_result_codes(db, 0);
        sqlite3_busy_timeout(db, BUSY_MS);
        /* The page size only matters for a new file. The books thread checkpoints by itself. */
        good = sql_exec(db, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;", e) &&
               sql_exec(db, full_sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", e) &&
               sql_exec(db,
                        "PRAGMA cache_size=-16384; PRAGMA cache_spill=OFF; PRAGMA temp_store=MEMORY;"
                        "PRAGMA foreign_keys=OFF",
                        e);
        walfile_attach(db);
        good = good && migrate(db, e);
        int code = sqlite3_errcode(db);
        if (!good && (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)) *garbage = true;
    }
    if (good) return db;
    fail_in(e, "can't open the ledger %s", path);
    sqlite3_close(db);
    return NULL;
}

sqlite3 *schema_open_read(const char *path, err *e) {
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    bool good = rc == SQLITE_OK || fail(e, "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    if (good) {
        sqlite3_busy_timeout(db, 2000);
        int64_t version = sql_int(db, "PRAGMA user_version", -1);
        if (version < 0)
            good = fail(e, "%s", sqlite3_errmsg(db));
        else if (version != SCHEMA_VERSION)
            good = fail(e, "it is of version %d, this dray reads %d", (int)version, SCHEMA_VERSION);
    }
    if (good) return db;
    fail_in(e, "can't read the ledger %s", path);
    sqlite3_close(db);
    return NULL;
}

int64_t schema_forgotten(const uint64_t key[2], str user) { return (int64_t)siphash(key, user.p, user.n); }

bool schema_key(sqlite3 *db, uint64_t key[2]) {
    key[0] = (uint64_t)sql_int(db, "SELECT value FROM meta WHERE name='dict_key_0'", 0);
    key[1] = (uint64_t)sql_int(db, "SELECT value FROM meta WHERE name='dict_key_1'", 0);
    return key[0] || key[1];
}
