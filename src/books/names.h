/* names: words of the ledger for small numbers: the one list that writer and reader share. */
#ifndef DRAY_BOOKS_NAMES_H
#define DRAY_BOOKS_NAMES_H

#include "base/str.h"

/* By enum cache_result, enum finish, enum token_source; empty for the "none" of each. */
extern const char *const cache_names[3];
extern const char *const finish_names[6];
extern const char *const token_source_names[4];

/* Sources of a quality score in ascending order of trust; the number is what the store keeps. */
enum quality_source {
    QUALITY_NONE,
    QUALITY_CHECK,
    QUALITY_SHADOW,
    QUALITY_JUDGE,
    QUALITY_FEEDBACK,
    QUALITY_SOURCES
};
extern const char *const quality_names[QUALITY_SOURCES];

/* Index of `s` in a list of `n` words, 0 when it isn't there. */
unsigned name_index(const char *const *names, unsigned n, str s);

#endif
