/* dict: open addressing, doubled when half full, emptied at DICT_MAX. */
#include "books/dict.h"

#include "base/err.h"

#include <stdlib.h>

/* Keys may be numbers put side by side: their low bits are mixed first. */
static uint32_t home(const struct dict *d, uint64_t hash) {
    return (uint32_t)((hash * 0x9e3779b97f4a7c15u) >> 32) & (d->slots - 1);
}

int64_t dict_get(const struct dict *d, uint64_t hash) {
    if (!d->slots) return 0;
    for (uint32_t i = home(d, hash);; i = (i + 1) & (d->slots - 1)) {
        if (!d->slot[i].id) return 0;
        if (d->slot[i].hash == hash) return d->slot[i].id;
    }
}

static void grow(struct dict *d) {
    struct dict old = *d;
    d->slots = old.slots ? old.slots * 2 : 256;
    d->count = 0;
    d->slot = xcalloc(d->slots, sizeof *d->slot);
    for (uint32_t i = 0; i < old.slots; i++)
        if (old.slot[i].id) dict_put(d, old.slot[i].hash, old.slot[i].id);
    free(old.slot);
}

void dict_put(struct dict *d, uint64_t hash, int64_t id) {
    if (d->count >= DICT_MAX) dict_clear(d);
    if (d->count * 2 >= d->slots) grow(d);
    uint32_t i = home(d, hash);
    while (d->slot[i].id && d->slot[i].hash != hash) i = (i + 1) & (d->slots - 1);
    if (!d->slot[i].id) d->count++;
    d->slot[i] = (struct dict_entry){hash, id};
}

void dict_clear(struct dict *d) {
    if (d->slots) memset(d->slot, 0, d->slots * sizeof *d->slot);
    d->count = 0;
}

void dict_free(struct dict *d) {
    free(d->slot);
    *d = (struct dict){0};
}
