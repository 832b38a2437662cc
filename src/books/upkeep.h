/* upkeep: what people do to a ledger from outside, while a gateway may be writing to it: forget a person,
 * copy it. */
#ifndef DRAY_BOOKS_UPKEEP_H
#define DRAY_BOOKS_UPKEEP_H

#include "base/err.h"
#include "base/str.h"

/* Deletes a user's calls with everything that hangs on them (attempts, usage lines, scores and words, the
 * sessions that only they had) and overwrites the bytes; the rollups, which know no users, keep the sums. What
 * is still in the spool when this runs is not reached: run it again after a gateway that was writing. *calls:
 * how many were deleted. */
bool ledger_forget(const char *path, str user, uint64_t *calls, err *e);

/* Copies the ledger to a new file, consistently, while it is in use; the source's writers wait at most for a
 * few pages at a time. `progress` (may be NULL) gets pages left and in all. Fails when `to` exists. */
bool ledger_backup(const char *path, const char *to, void (*progress)(void *ctx, int left, int all), void *ctx,
                   err *e);

#endif
