/* model: see the header. */
#include "brain/model.h"

#include "base/hash.h"

#include <math.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

enum { BLOCK = 256, AHEAD = 12, CRC_FROM = 16, LANES = 16 }; /* 256 * 127 fits in 16 bits */

/* Shares of known words at which a text is taken to be none, or all, of the model's kind. */
static const double KNOWN_NONE = 0.3, KNOWN_ALL = 0.7;

/* What the kinds' means count beside the heads, and how sharply kinds are told apart. */
static const double KIND_PART = 0.4, KIND_TEMPERATURE = 2;

static bool shape_good(const struct model_head *h) {
    return h->bits >= 4 && h->bits <= MODEL_BITS_MAX && h->columns >= 1 && h->columns <= MODEL_COLUMNS_MAX &&
           h->stride > h->columns && h->stride <= MODEL_STRIDE_MAX && h->stride % LANES == 0 &&
           h->dense == FEATURES_DENSE && (h->tasks == 0 || h->tasks == CLASSIFY_TASKS) &&
           h->kinds <= MODEL_KINDS_MAX && h->tasks + h->kinds <= h->columns && h->light < h->columns &&
           h->frontier < h->columns;
}

static bool all_finite(const float *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

static bool numbers_good(const struct routing_model *m) {
    const struct model_head *h = m->head;
    for (unsigned i = 0; i < h->columns; i++) {
        const struct model_column *c = &m->column[i];
        if (!isfinite(c->scale) || !isfinite(c->bias) || c->name[MODEL_NAME_MAX - 1]) return false;
    }
    for (unsigned i = 1; i < MODEL_KNOTS; i++)
        if (h->knot_gain[i] < h->knot_gain[i - 1]) return false;
    return all_finite(h->knot_gain, MODEL_KNOTS) && all_finite(h->knot_difficulty, MODEL_KNOTS) &&
           all_finite(h->knot_loss, MODEL_KNOTS) && all_finite(h->cut, MODEL_CUTS) &&
           all_finite(h->task_trust, CLASSIFY_TASKS + 1) && all_finite(h->task_difficulty, CLASSIFY_TASKS + 1) &&
           all_finite(m->mean, FEATURES_DENSE) && all_finite(m->inv, FEATURES_DENSE) &&
           all_finite(m->kind_quality, (size_t)h->columns * h->kinds) &&
           all_finite(m->dense, (size_t)FEATURES_DENSE * h->stride) && isfinite(h->task_temperature) &&
           isfinite(h->dense_scale);
}

bool model_open(str block, struct routing_model *out, err *e) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    return fail(e, "routing models can be read on little-endian machines only");
#endif
    const struct model_head *h = (const void *)block.p;
    if (block.n < sizeof *h || memcmp(h->magic, MODEL_MAGIC, sizeof h->magic) != 0)
        return fail(e, "not a routing model");
    if (h->version != MODEL_VERSION || h->feature_version != MODEL_FEATURE_VERSION)
        return fail(e, "made for another version of dray (format %u, features %u)", h->version,
                    h->feature_version);
    if (h->size != block.n) return fail(e, "cut or grown: %zu bytes where %u are written", block.n, h->size);
    if (crc32c(0, block.p + CRC_FROM, block.n - CRC_FROM) != h->crc)
        return fail(e, "damaged: the checksum is wrong");
    if (!shape_good(h)) return fail(e, "malformed head");
    size_t at = sizeof *h, scale = FEATURES_DENSE * sizeof(float),
           columns = h->columns * sizeof(struct model_column),
           kinds = (size_t)h->columns * h->kinds * sizeof(float),
           dense = (size_t)FEATURES_DENSE * h->stride * sizeof(float), table = (size_t)h->stride << h->bits;
    if (block.n != at + 2 * scale + columns + kinds + dense + table + h->card_size)
        return fail(e, "malformed: parts don't fit");
    out->head = h;
    out->mean = (const void *)(block.p + at);
    out->inv = (const void *)(block.p + (at += scale));
    out->column = (const void *)(block.p + (at += scale));
    out->kind_quality = (const void *)(block.p + (at += columns));
    out->dense = (const void *)(block.p + (at += kinds));
    out->table = (const void *)(block.p + (at += dense));
    out->card = str_make(block.p + at + table, h->card_size);
    return numbers_good(out) || fail(e, "malformed: a weight is not a number");
}

extern const char dray_model_begin[], dray_model_end[]; /* data/brain/embed */

str model_shipped(void) { return str_make(dray_model_begin, (size_t)(dray_model_end - dray_model_begin)); }

double model_exp(double x) {
    /* 2^k * p(r), |r| <= ln 2 / 2: exponent bits and a polynomial */
    if (x > 700) x = 700;
    if (x < -700) return 0;
    static const double c[] = {1.0,       1.0,        1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,
                               1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800};
    double k = floor(x * 1.4426950408889634 + 0.5), r = x - k * 0.6931471805599453, p = c[11];
    for (int i = 10; i >= 0; i--) p = p * r + c[i];
    uint64_t bits = (uint64_t)(1023 + (int)k) << 52;
    double two;
    memcpy(&two, &bits, sizeof two);
    return two * p;
}

double model_sigmoid(double x) {
    double e = model_exp(x < 0 ? x : -x);
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/* Adds sixteen columns of the rows of some features into 16-bit sums: a block is short enough not to overflow. */
#if defined(__SSE2__)
static void sum_block(const int8_t *table, unsigned stride, uint32_t mask, const uint32_t *code, unsigned n,
                      int32_t *sum) {
    __m128i lo = _mm_setzero_si128(), hi = lo, zero = lo;
    for (unsigned k = 0; k < n; k++) {
        if (k + AHEAD < n)
            _mm_prefetch((const char *)(table + (size_t)(code[k + AHEAD] & mask) * stride), _MM_HINT_T0);
        __m128i row = _mm_loadu_si128((const void *)(table + (size_t)(code[k] & mask) * stride));
        __m128i sign = _mm_set1_epi8((char)((int32_t)code[k] >> 31)); /* 0 or -1 */
        row = _mm_sub_epi8(_mm_xor_si128(row, sign), sign);
        __m128i below = _mm_cmpgt_epi8(zero, row);
        lo = _mm_add_epi16(lo, _mm_unpacklo_epi8(row, below));
        hi = _mm_add_epi16(hi, _mm_unpackhi_epi8(row, below));
    }
    int16_t acc[LANES];
    _mm_storeu_si128((void *)acc, lo);
    _mm_storeu_si128((void *)(acc + LANES / 2), hi);
    for (unsigned j = 0; j < LANES; j++) sum[j] += acc[j];
}
#else
static void sum_block(const int8_t *table, unsigned stride, uint32_t mask, const uint32_t *code, unsigned n,
                      int32_t *sum) {
    for (unsigned k = 0; k < n; k++) {
        const int8_t *row = table + (size_t)(code[k] & mask) * stride;
        int sign = -(int)(code[k] >> 31);
        for (unsigned j = 0; j < LANES; j++) sum[j] += (row[j] ^ sign) - sign;
    }
}
#endif

static float known_share(const struct routing_model *m, const struct features *f) {
    const struct model_head *h = m->head;
    uint32_t mask = (1u << h->bits) - 1, known = 0;
    for (uint32_t k = 0; k < f->words; k++)
        known += m->table[(size_t)(f->code[k] & mask) * h->stride + h->stride - 1] == features_mark(f->code[k]);
    return f->words ? (float)known / (float)f->words : 0;
}

/* Column by column in one fixed order: the same on every machine, and four at a time where there are lanes. */
static inline void add_column(float z, const float *w, unsigned n, float *out) {
    for (unsigned c = 0; c < n; c += 4) {
        out[c] += z * w[c];
        out[c + 1] += z * w[c + 1];
        out[c + 2] += z * w[c + 2];
        out[c + 3] += z * w[c + 3];
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static inline void add_column_avx2(float z, const float *w, unsigned n,
                                                                   float *out) {
    __m256 all = _mm256_set1_ps(z); /* multiplied, rounded, added: as above, not fused */
    for (unsigned c = 0; c < n; c += 8)
        _mm256_storeu_ps(out + c,
                         _mm256_add_ps(_mm256_loadu_ps(out + c), _mm256_mul_ps(all, _mm256_loadu_ps(w + c))));
}
#endif

static inline __attribute__((always_inline)) void add_columns(const struct routing_model *m,
                                                              const struct features *f,
                                                              void (*add)(float, const float *, unsigned, float *),
                                                              float *out) {
    const struct model_head *h = m->head;
    for (unsigned j = 0; j < FEATURES_DENSE; j++) {
        float z = (f->dense[j] - m->mean[j]) * m->inv[j];
        z = (z > 4 ? 4 : z < -4 ? -4 : z) * h->dense_scale;
        add(z, m->dense + (size_t)j * h->stride, h->stride, out);
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void add_dense_avx2(const struct routing_model *m, const struct features *f,
                                                           float *out) {
    add_columns(m, f, add_column_avx2, out);
}
#endif

static void add_dense(const struct routing_model *m, const struct features *f, float *out) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_dense_avx2(m, f, out);
        return;
    }
#endif
    add_columns(m, f, add_column, out);
}

void model_logits(const struct routing_model *m, const struct features *f, struct model_scores *out) {
    const struct model_head *h = m->head;
    int32_t sum[MODEL_STRIDE_MAX];
    float unit = f->n ? 1 / sqrtf((float)f->n) : 0;
    memset(sum, 0, h->stride * sizeof *sum);
    memset(out->logit, 0, h->stride * sizeof *out->logit);
    for (uint32_t at = 0; at < f->n; at += BLOCK)
        for (unsigned c = 0; c < h->columns; c += LANES)
            sum_block(m->table + c, h->stride, (1u << h->bits) - 1, f->code + at,
                      f->n - at < BLOCK ? f->n - at : BLOCK, sum + c);
    add_dense(m, f, out->logit);
    for (unsigned c = 0; c < h->columns; c++)
        out->logit[c] += m->column[c].bias + m->column[c].scale * unit * (float)sum[c];
    out->known = known_share(m, f);
}

static void shares(const float *logit, unsigned n, double temperature, float *out) {
    double sum = 0, p[MODEL_COLUMNS_MAX], top = (double)logit[0];
    for (unsigned k = 1; k < n; k++) top = (double)logit[k] > top ? (double)logit[k] : top;
    for (unsigned k = 0; k < n; k++) sum += p[k] = model_exp(((double)logit[k] - top) * temperature);
    for (unsigned k = 0; k < n; k++) out[k] = (float)(p[k] / sum);
}

void model_tasks(const struct routing_model *m, const float *logit, float out[CLASSIFY_TASKS]) {
    shares(logit, CLASSIFY_TASKS, (double)m->head->task_temperature, out);
}

void model_kinds(const float *logit, unsigned kinds, float out[MODEL_KINDS_MAX]) {
    if (kinds) shares(logit, kinds, KIND_TEMPERATURE, out);
}

double model_mixed(double logit, const float *kind, const float *quality, unsigned kinds) {
    double mean = 0, own = model_sigmoid(logit);
    for (unsigned k = 0; k < kinds; k++) mean += (double)kind[k] * (double)quality[k];
    return kinds ? (1 - KIND_PART) * own + KIND_PART * mean : own;
}

double model_quality(const struct routing_model *m, const float *logit, const float *kind, unsigned column) {
    unsigned kinds = m->head->kinds;
    return model_mixed((double)logit[column], kind, m->kind_quality + (size_t)column * kinds, kinds);
}

double model_gain(const struct routing_model *m, const float *logit) {
    float kind[MODEL_KINDS_MAX];
    model_kinds(logit + m->head->tasks, m->head->kinds, kind);
    return model_quality(m, logit, kind, m->head->frontier) - model_quality(m, logit, kind, m->head->light);
}

double model_difficulty(const struct routing_model *m, double gain, double *loss) {
    const struct model_head *h = m->head;
    if (h->light == h->frontier) return -1;
    unsigned k = 0;
    while (k + 2 < MODEL_KNOTS && gain > (double)h->knot_gain[k + 1]) k++;
    double lo = (double)h->knot_gain[k], hi = (double)h->knot_gain[k + 1];
    double part = hi > lo ? (gain - lo) / (hi - lo) : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    if (loss) *loss = (double)h->knot_loss[k] + part * ((double)h->knot_loss[k + 1] - (double)h->knot_loss[k]);
    return (double)h->knot_difficulty[k] +
           part * ((double)h->knot_difficulty[k + 1] - (double)h->knot_difficulty[k]);
}

double model_difficulty_of(const struct routing_model *m, const struct model_scores *s, const float *task) {
    const struct model_head *h = m->head;
    double said = model_difficulty(m, model_gain(m, s->logit), NULL), sum = 0;
    if (said < 0) return -1;
    double trust = ((double)s->known - KNOWN_NONE) / (KNOWN_ALL - KNOWN_NONE);
    trust = trust < 0 ? 0 : trust > 1 ? 1 : trust;
    for (unsigned k = 0; k < CLASSIFY_TASKS; k++) {
        double own = trust * (double)h->task_trust[k + 1];
        sum += (double)task[k] * (own * said + (1 - own) * (double)h->task_difficulty[k + 1]);
    }
    return sum;
}

int model_column_find(const struct routing_model *m, str name) {
    for (unsigned i = m->head->tasks + m->head->kinds; i < m->head->columns; i++)
        if (str_eqz(name, m->column[i].name)) return (int)i;
    return -1;
}
