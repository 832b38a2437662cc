/* hist: bucket 0 is below 64 us; then bucket 1 + 4 * (e - 6) + the two bits behind the leading one. */
#include "books/hist.h"

enum { EXP_MIN = 6, STEPS = 4 };

unsigned hist_bucket(uint64_t us) {
    if (us < 1u << EXP_MIN) return 0;
    unsigned e = 63u - (unsigned)__builtin_clzll(us);
    unsigned i = 1 + STEPS * (e - EXP_MIN) + (unsigned)(us >> (e - 2) & 3);
    return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

static uint64_t lower(unsigned i) {
    if (i == 0) return 0;
    unsigned e = EXP_MIN + (i - 1) / STEPS;
    return (uint64_t)(STEPS + (i - 1) % STEPS) << (e - 2);
}

void hist_merge(struct hist *h, const struct hist *other) {
    for (unsigned i = 0; i < HIST_BUCKETS; i++) h->count[i] += other->count[i];
}

static void put(buf *out, uint32_t v) {
    for (; v >= 0x80; v >>= 7) buf_char(out, (char)(v | 0x80));
    buf_char(out, (char)v);
}

void hist_write(const struct hist *h, buf *out) {
    unsigned from = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        if (!h->count[i]) continue;
        put(out, i - from);
        put(out, h->count[i]);
        from = i + 1;
    }
}

static bool get(str *s, uint32_t *v) {
    *v = 0;
    for (unsigned shift = 0; shift < 32 && s->n; shift += 7) {
        unsigned char c = (unsigned char)*s->p;
        *s = str_skip(*s, 1);
        *v |= (uint32_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) return true;
    }
    return false;
}

bool hist_read(struct hist *h, str bytes) {
    for (uint64_t i = 0; bytes.n; i++) {
        uint32_t skip, n;
        if (!get(&bytes, &skip) || !get(&bytes, &n)) return false;
        i += skip;
        if (i >= HIST_BUCKETS) return false;
        h->count[i] += n;
    }
    return true;
}

uint64_t hist_total(const struct hist *h) {
    uint64_t n = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) n += h->count[i];
    return n;
}

/* The middle of the bucket that holds it. */
uint64_t hist_quantile(const struct hist *h, double q) {
    uint64_t total = hist_total(h), seen = 0;
    if (!total) return 0;
    double want = q * (double)total;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->count[i];
        if (h->count[i] && (double)seen >= want)
            return i + 1 < HIST_BUCKETS ? (lower(i) + lower(i + 1)) / 2 : lower(i);
    }
    return lower(HIST_BUCKETS - 1);
}
