/* arena: memory with one lifetime. Allocation is a bump, freeing is all at once.
 *
 * An arena has a maximum. Going past it does not fail at once: the memory is still handed out
 * and `failed` sticks, so that callers allocate freely and the owner checks arena_failed() once
 * at the end of a step. Running out of machine memory stops the process with a message.
 * Under AddressSanitizer every allocation is its own malloc, so that overruns show.
 * Not thread-safe: one owner at a time. */
#ifndef DRAY_BASE_ARENA_H
#define DRAY_BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>

struct arena_block;

typedef struct arena {
    char *next, *end;         /* free part of the newest block */
    struct arena_block *last; /* newest block; older ones behind it */
    size_t used, max;         /* bytes handed out; limit */
    uint32_t grow;            /* size of the next block */
    bool failed;
} arena;

/* Prepares an arena. No memory is taken before the first allocation; `first` is the size of the
 * first block in bytes (later ones double up to 64 kB), `max` the limit of all allocations. */
void arena_init(arena *a, size_t first, size_t max);
/* The same with a first block of the owner's: `first` bytes at `block` (aligned to 16), which must live as long as
 * what is allocated. arena_free() forgets it: prepare the arena anew to use the block again. */
void arena_init_in(arena *a, void *block, size_t first, size_t max);
/* Frees everything; the arena may be used again as if just initialised. */
void arena_free(arena *a);
/* The same, after every byte has been overwritten: for arenas that held secrets. */
void arena_wipe(arena *a);
/* `n` bytes aligned to 16, not zeroed; never NULL. */
void *arena_alloc(arena *a, size_t n);
/* The same, zeroed. */
void *arena_zalloc(arena *a, size_t n);
/* Grows an allocation; when it was the newest and there is room, in place. */
void *arena_grow(arena *a, void *p, size_t old, size_t n);
/* Copies; the copy has a NUL behind it that is not counted. */
str arena_str(arena *a, str s);
char *arena_strz(arena *a, str s);
/* printf into the arena; the result has a NUL behind it that is not counted. */
str arena_printf(arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
str arena_vprintf(arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static inline bool arena_failed(const arena *a) { return a->failed; }

#define arena_new(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_zalloc((a), sizeof(type) * (count)))

#endif
