#include "gateway/multiplier.h"

#include "base/hash.h"

enum { CALLS_FULL = 1024, TOKENS_FULL = 4 << 20, ERROR_MAX = 10000 };

static uint64_t load(const _Atomic uint64_t *v) { return atomic_load_explicit(v, memory_order_relaxed); }
static void store(_Atomic uint64_t *v, uint64_t to) { atomic_store_explicit(v, to, memory_order_relaxed); }

static uint64_t key_of(str model) { return fingerprint(model) | 1; }

/* The model's place, NULL when it has none; for the owner with `make`, a new one. */
static struct multiplier *find(struct multiplier *m, str model, bool make) {
    uint64_t key = key_of(model);
    for (unsigned i = 0; i < MULTIPLIER_MODELS_MAX; i++) {
        struct multiplier *at = &m[(key + i) % MULTIPLIER_MODELS_MAX];
        uint64_t there = load(&at->key);
        if (there == key) return at;
        if (there) continue;
        if (!make || model.n >= MULTIPLIER_NAME_MAX) return NULL;
        memcpy(at->name, model.p, model.n);
        atomic_store_explicit(&at->key, key, memory_order_release);
        return at;
    }
    return NULL;
}

static uint64_t corrected(const struct multiplier *m, uint64_t estimated) {
    uint64_t e = load(&m->estimated), r = load(&m->reported);
    return e ? (uint64_t)((double)estimated * (double)r / (double)e + 0.5) : estimated;
}

void multiplier_learn(struct multiplier *m, str model, uint64_t estimated, uint64_t reported) {
    if (estimated < MULTIPLIER_TOKENS_MIN || !reported) return;
    struct multiplier *at = find(m, model, true);
    if (!at) return;
    uint64_t said = corrected(at, estimated), off = said > reported ? said - reported : reported - said;
    uint64_t error = off * 1000 / reported;
    bool halve_tokens = load(&at->estimated) > TOKENS_FULL, halve_calls = load(&at->calls) >= CALLS_FULL;
    store(&at->estimated, (load(&at->estimated) >> halve_tokens) + estimated);
    store(&at->reported, (load(&at->reported) >> halve_tokens) + reported);
    store(&at->error_permille,
          (load(&at->error_permille) >> halve_calls) + (error > ERROR_MAX ? ERROR_MAX : error));
    store(&at->calls, (load(&at->calls) >> halve_calls) + 1);
}

uint64_t multiplier_apply(const struct multiplier *m, str model, uint64_t estimated) {
    const struct multiplier *at = find((struct multiplier *)(uintptr_t)m, model, false);
    return at && load(&at->calls) >= MULTIPLIER_CALLS_MIN ? corrected(at, estimated) : estimated;
}

/* ---- metrics ---- */

struct sums {
    uint64_t calls, estimated, reported, error;
};

static struct sums sum(const struct multiplier *const *tables, unsigned count, uint64_t key) {
    struct sums s = {0};
    for (unsigned t = 0; t < count; t++)
        for (unsigned i = 0; i < MULTIPLIER_MODELS_MAX; i++) {
            const struct multiplier *m = &tables[t][i];
            if (load(&m->key) != key) continue;
            s.calls += load(&m->calls);
            s.estimated += load(&m->estimated);
            s.reported += load(&m->reported);
            s.error += load(&m->error_permille);
        }
    return s;
}

/* Whether an earlier table has the model, too: then it has been written. */
static bool seen(const struct multiplier *const *tables, unsigned count, uint64_t key) {
    for (unsigned t = 0; t < count; t++)
        for (unsigned i = 0; i < MULTIPLIER_MODELS_MAX; i++)
            if (load(&tables[t][i].key) == key) return true;
    return false;
}

static void label(buf *out, const char *name, const char *model) {
    buf_printf(out, "%s{model=\"", name);
    for (; *model; model++) {
        if (*model == '"' || *model == '\\') buf_char(out, '\\');
        if ((unsigned char)*model >= ' ') buf_char(out, *model);
    }
    buf_strz(out, "\"} ");
}

static void write_all(const struct multiplier *const *tables, unsigned count, const char *name, bool error,
                      buf *out) {
    for (unsigned t = 0; t < count; t++)
        for (unsigned i = 0; i < MULTIPLIER_MODELS_MAX; i++) {
            const struct multiplier *m = &tables[t][i];
            uint64_t key = atomic_load_explicit(&m->key, memory_order_acquire);
            if (!key || seen(tables, t, key)) continue;
            struct sums s = sum(tables, count, key);
            if (!s.calls || !s.estimated) continue;
            label(out, name, m->name);
            buf_printf(out, "%.4f\n",
                       error ? (double)s.error / 1000 / (double)s.calls
                             : (double)s.reported / (double)s.estimated);
        }
}

void multiplier_write(const struct multiplier *const *tables, unsigned count, buf *out) {
    buf_strz(out, "# HELP dray_token_multiplier Tokens that a model reports for each that is estimated\n"
                  "# TYPE dray_token_multiplier gauge\n");
    write_all(tables, count, "dray_token_multiplier", false, out);
    buf_strz(out,
             "# HELP dray_token_estimate_error Mean relative error of the corrected estimate, by calls that came "
             "after it was learnt\n# TYPE dray_token_estimate_error gauge\n");
    write_all(tables, count, "dray_token_estimate_error", true, out);
}
