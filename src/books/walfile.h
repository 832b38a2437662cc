/* walfile: SQLite's file system, but for one thing: a transaction's pages go into the write-ahead log in a few
 * large writes instead of two small ones each. */
#ifndef DRAY_BOOKS_WALFILE_H
#define DRAY_BOOKS_WALFILE_H

#include <sqlite3.h>

/* The name for sqlite3_open_v2, registered when it is asked for first; NULL when that fails: the default then does
 * the same, slower. For connections that write; others need nothing to read what those wrote. */
const char *walfile_vfs(void);
/* To be called once the log is in use: what a rolled back transaction leaves is dropped. */
void walfile_attach(sqlite3 *db);

#endif
