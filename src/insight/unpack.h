/* unpack: the bytes of a file, gzip and zstd (told by their first bytes) unpacked as they are read. */
#ifndef DRAY_INSIGHT_UNPACK_H
#define DRAY_INSIGHT_UNPACK_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct unpack;
/* Takes the descriptor over. */
struct unpack *unpack_new(int fd);
void unpack_free(struct unpack *u);
/* At most `n` bytes; 0 at the end, -1 with a reason when the file can't be read or breaks off. */
ssize_t unpack_read(struct unpack *u, char *out, size_t n, err *e);
/* Bytes taken from the file so far. */
uint64_t unpack_taken(const struct unpack *u);

#endif
