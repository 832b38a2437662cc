/* fold: a chained hash table of calls in flight.
 *
 * Real calls take seconds, so their events are spread over many slices: the events are copied here
 * as bytes (no decoding before the call ends) and the segment they came from stays on disk until
 * the call is in the store. A call costs one allocation of about a kilobyte. */
#include "books/fold.h"

#include "base/err.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 4096, EVENTS_FIRST = 896, SPARES_MAX = 4096 };

struct saved_head {
    uint32_t len;
    uint16_t n;
    uint8_t type, pad;
};

void fold_init(struct fold *f) {
    *f = (struct fold){.buckets = BUCKETS_FIRST};
    f->bucket = xcalloc(f->buckets, sizeof *f->bucket);
}

/* The last half of a UUIDv7 is random. */
static size_t slot(const struct fold *f, struct uuid id) {
    uint64_t h;
    memcpy(&h, id.b + 8, sizeof h);
    return (size_t)((h * 0x9e3779b97f4a7c15u) >> 20) & (f->buckets - 1);
}

struct fold_call *fold_find(struct fold *f, struct uuid id) {
    /* A call's last events come one after the other. */
    if (f->last && memcmp(f->last->id.b, id.b, sizeof id.b) == 0) return f->last;
    for (struct fold_call *c = f->bucket[slot(f, id)]; c; c = c->next)
        if (memcmp(c->id.b, id.b, sizeof id.b) == 0) return f->last = c;
    return NULL;
}

static void grow(struct fold *f) {
    struct fold_call **old = f->bucket;
    size_t n = f->buckets;
    f->buckets *= 2;
    f->bucket = xcalloc(f->buckets, sizeof *f->bucket);
    for (size_t i = 0; i < n; i++) {
        for (struct fold_call *c = old[i], *next; c; c = next) {
            next = c->next;
            size_t k = slot(f, c->id);
            c->next = f->bucket[k];
            f->bucket[k] = c;
        }
    }
    free(old);
}

struct fold_call *fold_get(struct fold *f, struct uuid id) {
    struct fold_call *c = fold_find(f, id);
    if (c) return c;
    if (f->count * 2 >= f->buckets) grow(f);
    if (f->spare) {
        c = f->spare;
        f->spare = c->next;
        f->spares--;
    } else {
        c = xmalloc(sizeof *c + EVENTS_FIRST);
    }
    *c = (struct fold_call){.id = id, .cap = EVENTS_FIRST, .events = (unsigned char *)(c + 1)};
    size_t k = slot(f, id);
    c->next = f->bucket[k];
    f->bucket[k] = c;
    f->count++;
    return c;
}

void fold_drop(struct fold *f, struct fold_call *c) {
    struct fold_call **link = &f->bucket[slot(f, c->id)];
    while (*link != c) link = &(*link)->next;
    *link = c->next;
    f->count--;
    if (f->last == c) f->last = NULL;
    if (c->events != (unsigned char *)(c + 1)) free(c->events);
    if (f->spares == SPARES_MAX) {
        free(c);
        return;
    }
    c->next = f->spare;
    f->spare = c;
    f->spares++;
}

static void drop_one(void *ctx, struct fold_call *c) { fold_drop(ctx, c); }

void fold_free(struct fold *f) {
    fold_each(f, drop_one, f);
    for (struct fold_call *c = f->spare, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(f->bucket);
    *f = (struct fold){0};
}

static unsigned char *room(struct fold_call *c, size_t n) {
    if (c->n + n > c->cap) {
        size_t cap = c->cap * 2u > c->n + n ? c->cap * 2u : c->n + n;
        if (c->events == (unsigned char *)(c + 1)) {
            unsigned char *p = xmalloc(cap);
            memcpy(p, c->events, c->n);
            c->events = p;
        } else {
            c->events = xrealloc(c->events, cap);
        }
        c->cap = (uint32_t)cap;
    }
    return c->events + c->n;
}

void fold_append(struct fold_call *c, uint8_t type, uint16_t n, str payload) {
    struct saved_head h = {(uint32_t)payload.n, n, type, 0};
    unsigned char *p = room(c, sizeof h + payload.n);
    memcpy(p, &h, sizeof h);
    if (payload.n) memcpy(p + sizeof h, payload.p, payload.n);
    c->n += (uint32_t)(sizeof h + payload.n);
}

static bool saved_next(str *rest, struct saved_head *h, str *payload) {
    if (rest->n < sizeof *h) return false;
    memcpy(h, rest->p, sizeof *h);
    if (h->len > rest->n - sizeof *h) return false;
    *payload = str_make(rest->p + sizeof *h, h->len);
    *rest = str_skip(*rest, sizeof *h + h->len);
    return true;
}

bool fold_restore(struct fold_call *c, str events) {
    struct saved_head h;
    str payload;
    while (saved_next(&events, &h, &payload)) fold_append(c, h.type, h.n, payload);
    return events.n == 0;
}

void fold_decode(const struct fold_call *c, struct folded *out) {
    folded_init(out);
    out->r.id = c->id;
    str rest = {(const char *)c->events, c->n}, payload;
    struct saved_head h;
    while (saved_next(&rest, &h, &payload)) folded_add(out, h.type, h.n, payload);
    struct facts *f = &out->facts;
    f->model = out->r.requested_model;
    f->key = out->r.key;
    f->team = out->r.team;
    f->user = out->r.user;
    f->session = out->r.session;
    out->r.facts = out->has_facts ? f : NULL;
    if (out->amend.prompt_hash) out->r.prompt_hash = out->amend.prompt_hash;
}

void fold_each(struct fold *f, void (*each)(void *ctx, struct fold_call *c), void *ctx) {
    for (size_t i = 0; i < f->buckets; i++) {
        for (struct fold_call *c = f->bucket[i], *next; c; c = next) {
            next = c->next;
            each(ctx, c);
        }
    }
}
