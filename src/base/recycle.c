/* recycle: a stack of the owner's, and one that others push to and the owner empties as a whole, which needs
 * no more than a compare-and-swap and knows no ABA. */
#include "base/recycle.h"

#include "base/err.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

struct recycled {
    struct recycled *next;
};

void recycle_init(struct recycle *r, size_t size, uint32_t most, void (*drop)(void *p)) {
    *r = (struct recycle){.size = size, .most = KEEPS ? most : 0, .drop = drop};
    atomic_init(&r->given, NULL);
}

static void drop(const struct recycle *r, void *p) {
    if (r->drop) r->drop(p);
    free(p);
}

void recycle_put(struct recycle *r, void *p) {
    struct recycled *b = p;
    if (r->count == r->most) {
        drop(r, p);
        return;
    }
    b->next = r->kept;
    r->kept = b;
    r->count++;
}

static void collect(struct recycle *r) {
    struct recycled *b = atomic_exchange_explicit(&r->given, NULL, memory_order_acquire);
    while (b) {
        struct recycled *next = b->next;
        recycle_put(r, b);
        b = next;
    }
}

void *recycle_take(struct recycle *r) {
    if (!r->kept) collect(r);
    struct recycled *b = r->kept;
    if (!b) return xcalloc(1, r->size);
    r->kept = b->next;
    r->count--;
    return b;
}

void recycle_give(struct recycle *r, void *p) {
    struct recycled *b = p, *old = atomic_load_explicit(&r->given, memory_order_relaxed);
    do b->next = old;
    while (!atomic_compare_exchange_weak_explicit(&r->given, &old, b, memory_order_release, memory_order_relaxed));
}

void recycle_free(struct recycle *r) {
    collect(r);
    while (r->kept) {
        struct recycled *b = r->kept;
        r->kept = b->next;
        drop(r, b);
    }
    r->count = 0;
}
