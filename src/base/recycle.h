/* recycle: blocks of one size that a thread frees and soon needs again.
 *
 * What comes and goes with every call is not worth a walk through the heap's bins each time: the block freed
 * last is the one that is still in the cache. One thread owns a recycler, takes from it and puts back; any
 * other thread may give a block back. A recycler keeps a bounded number, the rest goes to the heap.
 * Under AddressSanitizer nothing is kept, so that use after free shows. */
#ifndef DRAY_BASE_RECYCLE_H
#define DRAY_BASE_RECYCLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct recycled; /* a free block: its first bytes link it */

struct recycle {
    struct recycled *kept; /* the owner's */
    uint32_t count, most;
    size_t size;
    void (*drop)(void *p);            /* frees what a kept block still holds, before it goes to the heap */
    _Atomic(struct recycled *) given; /* by other threads */
};

/* Blocks of `size` bytes (at least a pointer), at most `most` kept. `drop` may be NULL. */
void recycle_init(struct recycle *r, size_t size, uint32_t most, void (*drop)(void *p));
/* Frees what is kept. No other thread may give any more. */
void recycle_free(struct recycle *r);
/* A block: new ones are all zero; one that was used has what was left in it, but for the first
 * sizeof(void *) bytes. Owner only. Never NULL. */
void *recycle_take(struct recycle *r);
/* Puts a block back. Owner only. */
void recycle_put(struct recycle *r, void *p);
/* The same from any thread. */
void recycle_give(struct recycle *r, void *p);

#endif
