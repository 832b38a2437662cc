/* catalog: the compiled-in table of models. Rows are constant and sorted by provider and name; what a row
 * says in full (a price of a kilobyte) is made when it is first asked for, and kept: of 1,500 rows a gateway
 * uses a dozen. Two threads that ask at once both make it, and one of them throws its own away. */
#include "catalog/catalog.h"

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

static int order(const struct row *r, str provider, str name) {
    int c = str_cmp(str_from(r->provider), provider);
    return c ? c : str_cmp(str_from(r->name), name);
}

/* Index of the first row that is not before (provider, name). */
static size_t lower_bound(str provider, str name) {
    size_t lo = 0, hi = ROWS;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (order(&rows[mid], provider, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool find(str provider, str name, size_t *i) {
    *i = lower_bound(provider, name);
    return *i < ROWS && order(&rows[*i], provider, name) == 0;
}

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
    return lookup(provider, name, &i) ? entry_of(i) : NULL;
}

str catalog_provider_of(str name) {
    const struct provider_kind *k;
    for (unsigned n = 0; (k = provider_kind_at(n)); n++) {
        size_t i;
        if (k->catalog && lookup(str_from(k->catalog), name, &i)) return str_from(k->catalog);
    }
    return STR_NONE;
}

void catalog_each(str provider, void (*each)(void *ctx, const struct model_info *m), void *ctx) {
    for (size_t i = lower_bound(provider, STR_NONE); i < ROWS && str_eqz(provider, rows[i].provider); i++)
        each(ctx, entry_of(i));
}
