/* catalog: the compiled-in table of models. Rows are constant and sorted by provider and name; a hash index by
 * name is made once, because every call that names a model on the fly asks (0.1 us; a binary search took 1).
 * What a row says in full (a price of a kilobyte) is made when it is first asked for, and kept: of 1,500 rows
 * a gateway uses a dozen. Two threads that ask at once both make it, and one of them throws its own away. */
#include "catalog/catalog.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct row {
    const char *provider, *name;
    int32_t price; /* index of prices, -1: unknown */
    uint32_t context, max_output, flags;
};

static const char *const prices[] = {
#define PRICE(text) text,
#include "catalog/models.inc"
#undef PRICE
};

static const struct row rows[] = {
#define MODEL(provider, name, price, context, max_output, flags)                                                  \
    {provider, name, price, context, max_output, flags},
#include "catalog/models.inc"
#undef MODEL
};

enum { ROWS = sizeof rows / sizeof *rows, PRICES = sizeof prices / sizeof *prices };

struct entry {
    struct model_info info;
    struct price price;
};
static _Atomic(struct entry *) entries[ROWS];

const char *catalog_version(void) { return "catalog " CATALOG_DATE; }

static const struct model_info *entry_of(size_t i) {
    struct entry *e = atomic_load_explicit(&entries[i], memory_order_acquire);
    if (e) return &e->info;
    const struct row *r = &rows[i];
    e = xcalloc(1, sizeof *e);
    e->info = (struct model_info){.provider = str_from(r->provider),
                                  .name = str_from(r->name),
                                  .context = r->context,
                                  .max_output = r->max_output,
                                  .flags = r->flags};
    if (r->price >= 0) {
        bool good = price_read(str_from(prices[r->price]), &e->price);
        invariant(good);
        e->price.version = str_from(catalog_version());
        e->info.price = &e->price;
    }
    struct entry *first = NULL;
    if (atomic_compare_exchange_strong(&entries[i], &first, e)) return &e->info;
    free(e);
    return &first->info;
}

/* ---- index ---- */

enum { SLOTS = 4096 }; /* a power of two, more than twice the rows */
_Static_assert(ROWS * 2 < SLOTS, "SLOTS must grow with the table");

static struct {
    uint64_t hash[ROWS];  /* of the name */
    uint8_t rank[ROWS];   /* of the provider: place of its kind in the kinds' table */
    uint16_t slot[SLOTS]; /* row + 1, 0: free */
} at;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint8_t rank_of(str provider) {
    const struct provider_kind *k;
    for (unsigned i = 0; (k = provider_kind_at(i)); i++)
        if (k->catalog && str_eqz(provider, k->catalog)) return (uint8_t)i;
    return UINT8_MAX;
}

static void make_index(void) {
    for (size_t i = 0; i < ROWS; i++) {
        at.hash[i] = fingerprint(str_from(rows[i].name));
        at.rank[i] = i && strcmp(rows[i].provider, rows[i - 1].provider) == 0
                         ? at.rank[i - 1]
                         : rank_of(str_from(rows[i].provider));
        size_t s = at.hash[i] % SLOTS;
        while (at.slot[s]) s = (s + 1) % SLOTS;
        at.slot[s] = (uint16_t)(i + 1);
    }
}

/* The row of a name at a provider; at the first of all providers by rank when `provider` is empty. */
static bool find(str provider, str name, size_t *row) {
    uint64_t hash = fingerprint(name);
    bool found = false;
    pthread_once(&once, make_index);
    for (size_t s = hash % SLOTS; at.slot[s]; s = (s + 1) % SLOTS) {
        size_t i = at.slot[s] - 1u;
        if (at.hash[i] != hash || !str_eqz(name, rows[i].name)) continue;
        if (provider.n ? !str_eqz(provider, rows[i].provider) : found && at.rank[i] > at.rank[*row]) continue;
        *row = i;
        found = true;
        if (provider.n) break;
    }
    return found;
}

/* ---- names ---- */

static bool digits_at(str s, size_t from, size_t n) {
    for (size_t i = from; i < from + n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return true;
}

/* "x-2024-08-06" or "x-20240806" without the date. */
static bool undated(str name, str *out) {
    size_t n = name.n;
    if (n > 11 && name.p[n - 11] == '-' && name.p[n - 6] == '-' && name.p[n - 3] == '-' &&
        digits_at(name, n - 10, 4) && digits_at(name, n - 5, 2) && digits_at(name, n - 2, 2)) {
        *out = str_take(name, n - 11);
        return true;
    }
    if (n > 9 && name.p[n - 9] == '-' && digits_at(name, n - 8, 8)) {
        *out = str_take(name, n - 9);
        return true;
    }
    return false;
}

static bool lookup(str provider, str name, size_t *i) {
    if (find(provider, name, i)) return true;
    if (str_starts(name, STR("ft:"))) { /* ft:BASE:organisation:suffix:id */
        ptrdiff_t end = str_chr(str_skip(name, 3), ':');
        if (end > 0) {
            name = str_take(name, 3 + (size_t)end);
            if (find(provider, name, i)) return true;
        }
    }
    str base;
    return undated(name, &base) && find(provider, base, i);
}

const struct model_info *catalog_model(str provider, str name) {
    size_t i;
    return provider.n && lookup(provider, name, &i) ? entry_of(i) : NULL;
}

str catalog_provider_of(str name) {
    size_t i;
    return lookup(STR_NONE, name, &i) ? str_from(rows[i].provider) : STR_NONE;
}

void catalog_each(str provider, void (*each)(void *ctx, const struct model_info *m), void *ctx) {
    for (size_t i = 0; i < ROWS; i++)
        if (str_eqz(provider, rows[i].provider)) each(ctx, entry_of(i));
}
