/* tally: sums by name, bounded. */
#ifndef DRAY_INSIGHT_TALLY_H
#define DRAY_INSIGHT_TALLY_H

#include "base/arena.h"
#include "base/str.h"

enum { TALLY_MAX = 20000 }; /* names of one breakdown; further ones are summed as "(other)" */

/* One line of a breakdown. Money in nano-dollars. */
struct sums {
    uint64_t calls;
    int64_t input, cached, output;
    int64_t cost;     /* of the calls whose price is known */
    uint64_t unknown; /* calls whose cost isn't */
    int64_t routed;   /* what the same calls would cost with routing */
    uint64_t simple, moved;
    uint64_t timed, duration_us;
};
void sums_add(struct sums *to, const struct sums *from);

struct tally_row {
    str name;
    uint64_t key; /* of tallies by number */
    struct sums s;
};
struct tally {
    arena a;
    struct tally_row *row;
    uint32_t *slot;
    uint32_t count, slots;
};
void tally_init(struct tally *t);
void tally_free(struct tally *t);
/* The line of a name; an empty name is "(none)". Good until the next call. */
struct sums *tally_at(struct tally *t, str name);
/* Row numbers in descending order of cost, then calls; at most `max`. Returns how many. */
uint32_t tally_top(const struct tally *t, uint32_t *out, uint32_t max);
/* The same in order of names. */
uint32_t tally_by_name(const struct tally *t, uint32_t *out, uint32_t max);

#endif
