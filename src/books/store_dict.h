/* store_dict: the store's dictionary tables: a tuple of strings -> a small number. */
#ifndef DRAY_BOOKS_STORE_DICT_H
#define DRAY_BOOKS_STORE_DICT_H

#include "base/buf.h"
#include "base/err.h"
#include "books/dict.h"

#include <sqlite3.h>

/* Tables with a hash: X(table, columns). */
#define TUPLES(X)                                                                                                 \
    X(who, 3)                                                                                                     \
    X(route, 15)                                                                                                  \
    X(kind, 9)                                                                                                    \
    X(rates, 4)                                                                                                   \
    X(candidates, 1)
/* Tables of names: X(table). */
#define NAMES(X)                                                                                                  \
    X(user)                                                                                                       \
    X(session)                                                                                                    \
    X(name)

enum store_table {
#define X(table, columns) TABLE_##table,
    TUPLES(X)
#undef X
#define X(table) TABLE_##table,
        NAMES(X)
#undef X
            TABLE_COUNT
};

struct store_dict {
    sqlite3 *db;
    uint64_t key[2];
    struct dict dict[TABLE_COUNT];
    struct dict kinds, charges, lists; /* the same numbers, by what the texts are made from (row.c) */
    sqlite3_stmt *get[TABLE_COUNT], *put[TABLE_COUNT];
    buf scratch;
};

void store_dict_init(struct store_dict *d, sqlite3 *db, const uint64_t key[2]);
void store_dict_free(struct store_dict *d);
/* Forgets what is in memory: after a rollback, or when another process changed the ledger. */
void store_dict_clear(struct store_dict *d);
/* The number of a tuple (`count` as in TUPLES; a NULL pointer is NULL) or of one name. It is made when
 * new. 0 on failure. */
int64_t store_dict_id(struct store_dict *d, enum store_table t, const str *value, err *e);

#endif
