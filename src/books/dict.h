/* dict: what the store remembers of its dictionary tables: hash of the entry -> its id. A cache: an
 * entry that isn't here is looked up in the table. */
#ifndef DRAY_BOOKS_DICT_H
#define DRAY_BOOKS_DICT_H

#include "base/str.h"

enum { DICT_MAX = 32 * 1024 /* entries; then it starts afresh */ };

struct dict {
    struct dict_entry {
        uint64_t hash;
        int64_t id; /* 0: free */
    } * slot;
    uint32_t slots, count;
};

/* The id, or 0. */
int64_t dict_get(const struct dict *d, uint64_t hash);
void dict_put(struct dict *d, uint64_t hash, int64_t id);
/* Forgets everything (ids of a transaction that was rolled back; a changed store). */
void dict_clear(struct dict *d);
void dict_free(struct dict *d);

#endif
