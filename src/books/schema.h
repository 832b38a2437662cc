/* schema: makes the ledger's tables and views, and brings older ledgers up to date. */
#ifndef DRAY_BOOKS_SCHEMA_H
#define DRAY_BOOKS_SCHEMA_H

#include "base/err.h"
#include "base/hash.h"

#include <sqlite3.h>

enum { SCHEMA_VERSION = 1 };

/* Opens the ledger for writing (pragmas, tables, migrations); NULL on failure. SQLITE_NOTADB and
 * SQLITE_CORRUPT are told apart by *garbage. */
sqlite3 *schema_open(const char *path, bool full_sync, bool *garbage, err *e);
/* Opens it for reading only, with a busy timeout. Fails when the file is not a ledger of this version. */
sqlite3 *schema_open_read(const char *path, err *e);
/* Runs statements without results. */
bool sql_exec(sqlite3 *db, const char *sql, err *e);
/* One integer, or `otherwise`. */
int64_t sql_int(sqlite3 *db, const char *sql, int64_t otherwise);

/* The key of the dictionaries' hashes, made with the ledger. */
/* Keyed number of a user who is to be forgotten, as the table `forgotten` has it: not the name itself. */
int64_t schema_forgotten(const uint64_t key[2], str user);
bool schema_key(sqlite3 *db, uint64_t key[2]);

#endif
