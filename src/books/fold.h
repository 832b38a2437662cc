/* fold: calls whose events are still coming in, by id. Owned by the books thread. */
#ifndef DRAY_BOOKS_FOLD_H
#define DRAY_BOOKS_FOLD_H

#include "base/hash.h"
#include "base/str.h"
#include "books/event.h"

struct fold_place; /* where a call's first unsaved event lies; the owner's business */

/* One call: its events so far, copied. */
struct fold_call {
    struct uuid id;
    struct fold_place *place;
    struct fold_call *next;  /* hash chain */
    struct fold_call *queue; /* the owner's list of calls to be written */
    uint32_t n, cap;         /* bytes of events */
    bool queued;
    bool spilled;                             /* a copy is in the store */
    bool ended, label_pending, labelled;      /* events that came */
    struct fold_call *held_next, **held_link; /* waits for its label or its begin; held_link NULL: doesn't */
    struct fold_place *held_place;            /* the event since which it waits */
    size_t held_at;
    uint64_t held_since;
    unsigned char *events;
};

struct fold {
    struct fold_call **bucket;
    size_t buckets, count;
    struct fold_call *last;  /* that was found; NULL: none */
    struct fold_call *spare; /* freed ones, kept for the next */
    size_t spares;
};

void fold_init(struct fold *f);
void fold_free(struct fold *f);
struct fold_call *fold_find(struct fold *f, struct uuid id);
/* Finds or makes the call. */
struct fold_call *fold_get(struct fold *f, struct uuid id);
/* Takes it out of the table and frees it. */
void fold_drop(struct fold *f, struct fold_call *c);
void fold_append(struct fold_call *c, uint8_t type, uint16_t n, str payload);
/* Puts back events as they were saved (fold_call.events). False when the bytes make no sense. */
bool fold_restore(struct fold_call *c, str events);
/* Decodes all events of the call. */
void fold_decode(const struct fold_call *c, struct folded *out);
/* Calls back for each call in the table; the callback may drop it. */
void fold_each(struct fold *f, void (*each)(void *ctx, struct fold_call *c), void *ctx);

#endif
