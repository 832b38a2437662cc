/* arena: a list of blocks, newest first, with a bump pointer into the newest. */
#include "base/arena.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_EMULATE 1 /* one malloc per allocation: overruns show */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_EMULATE 1
#endif
#endif
#ifndef ARENA_EMULATE
#define ARENA_EMULATE 0
#endif

enum { ALIGN = 16, BLOCK_MAX = 64 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t size;
};

static size_t round_up(size_t n) { return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1); }

void arena_init(arena *a, size_t first, size_t max) {
    *a = (arena){.max = max, .grow = (uint32_t)round_up(first < 64 ? 64 : first)};
}

void arena_init_in(arena *a, void *block, size_t first, size_t max) {
    arena_init(a, 2 * first, max);
    if (ARENA_EMULATE) return;
    a->next = block;
    a->end = a->next + first;
}

void arena_free(arena *a) {
    struct arena_block *b = a->last;
    while (b) {
        struct arena_block *older = b->older;
        free(b);
        b = older;
    }
    arena_init(a, a->grow, a->max);
}

void arena_wipe(arena *a) {
    for (struct arena_block *b = a->last; b; b = b->older) explicit_bzero(b + 1, b->size);
    arena_free(a);
}

static void *block_new(arena *a, size_t n, bool own) {
    size_t size = own ? n : a->grow;
    struct arena_block *b = xmalloc(sizeof *b + size);
    b->older = a->last;
    b->size = size;
    a->last = b;
    char *p = (char *)(b + 1);
    if (!own) {
        a->next = p + n;
        a->end = p + size;
        if (a->grow < BLOCK_MAX) a->grow *= 2;
    }
    return p;
}

void *arena_alloc(arena *a, size_t n) {
    n = round_up(n ? n : 1);
    a->used += n;
    if (a->used > a->max) a->failed = true;
    if (ARENA_EMULATE) return block_new(a, n, true);
    if ((size_t)(a->end - a->next) >= n) {
        void *p = a->next;
        a->next += n;
        return p;
    }
    /* A large piece gets a block of its own, so that the rest of the current one stays usable. */
    return block_new(a, n, n > a->grow / 2);
}

void *arena_zalloc(arena *a, size_t n) { return memset(arena_alloc(a, n), 0, n); }

void *arena_grow(arena *a, void *p, size_t old, size_t n) {
    size_t have = round_up(old ? old : 1);
    if (p && n <= have && !ARENA_EMULATE) return p;
    if (!ARENA_EMULATE && p && (char *)p + have == a->next && (size_t)(a->end - (char *)p) >= round_up(n)) {
        a->used += round_up(n) - have;
        if (a->used > a->max) a->failed = true;
        a->next = (char *)p + round_up(n);
        return p;
    }
    void *q = arena_alloc(a, n);
    if (p && old) memcpy(q, p, old < n ? old : n);
    return q;
}

char *arena_strz(arena *a, str s) {
    char *p = arena_alloc(a, s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

str arena_str(arena *a, str s) { return (str){arena_strz(a, s), s.n}; }

str arena_vprintf(arena *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) n = 0;
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (str){p, (size_t)n};
}

str arena_printf(arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    str s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}
