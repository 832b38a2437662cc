/* model: see the header. */
#include "brain/model.h"

#include "base/hash.h"

#include <math.h>

enum { BLOCK = 256, AHEAD = 12, CRC_FROM = 16 }; /* 256 * 127 fits in 16 bits */

static bool shape_good(const struct model_head *h) {
    return h->bits >= 4 && h->bits <= MODEL_BITS_MAX && h->columns >= 1 && h->columns <= MODEL_COLUMNS_MAX &&
           h->stride >= h->columns && h->stride <= MODEL_STRIDE_MAX && h->stride % 16 == 0 &&
           h->dense == FEATURES_DENSE && (h->tasks == 0 || h->tasks == CLASSIFY_TASKS) && h->tasks <= h->columns &&
           h->light < h->columns && h->frontier < h->columns;
}

static bool numbers_good(const struct model *m) {
    for (unsigned i = 0; i < m->head->columns; i++) {
        const struct model_column *c = &m->column[i];
        if (!isfinite(c->scale) || !isfinite(c->bias) || c->name[MODEL_NAME_MAX - 1]) return false;
        for (unsigned j = 0; j < FEATURES_DENSE; j++)
            if (!isfinite(c->dense[j])) return false;
    }
    for (unsigned i = 0; i < MODEL_KNOTS; i++) {
        const struct model_head *h = m->head;
        if (!isfinite(h->knot_gain[i]) || !isfinite(h->knot_difficulty[i]) || !isfinite(h->knot_loss[i]))
            return false;
        if (i && h->knot_gain[i] < h->knot_gain[i - 1]) return false;
    }
    return isfinite(m->head->task_temperature) && isfinite(m->head->dense_scale);
}

bool model_open(str block, struct model *out, err *e) {
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
    size_t at = sizeof *h, dense = (size_t)h->dense * sizeof(float),
           columns = h->columns * sizeof(struct model_column);
    size_t table = (size_t)h->stride << h->bits;
    if (block.n != at + 2 * dense + columns + table + h->card_size) return fail(e, "malformed: parts don't fit");
    out->head = h;
    out->mean = (const void *)(block.p + at);
    out->inv = (const void *)(block.p + at + dense);
    out->column = (const void *)(block.p + at + 2 * dense);
    out->table = (const void *)(block.p + at + 2 * dense + columns);
    out->card = str_make(block.p + at + 2 * dense + columns + table, h->card_size);
    return numbers_good(out) || fail(e, "malformed: a weight is not a number");
}

double model_exp(double x) {
    /* 2^k * p(r), |r| <= ln 2 / 2: exponent bits and a polynomial */
    if (x > 700) x = 700;
    if (x < -700) return 0;
    double k = floor(x * 1.4426950408889634 + 0.5), r = x - k * 0.6931471805599453, p = 1;
    for (int i = 11; i > 0; i--) p = 1 + p * r / i;
    uint64_t bits = (uint64_t)(1023 + (int)k) << 52;
    double two;
    memcpy(&two, &bits, sizeof two);
    return two * p;
}

double model_sigmoid(double x) {
    double e = model_exp(x < 0 ? x : -x);
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/* Adds the rows of some features into 16-bit sums: a block is short enough not to overflow. */
static void sum_block(const int8_t *table, unsigned stride, uint32_t mask, const uint32_t *code, unsigned n,
                      int16_t *acc) {
    for (unsigned k = 0; k < n; k++) {
        if (k + AHEAD < n)
            for (unsigned b = 0; b < stride; b += 64)
                __builtin_prefetch(table + (size_t)(code[k + AHEAD] & mask) * stride + b);
        const int8_t *row = table + (size_t)(code[k] & mask) * stride;
        int16_t sign = (int16_t) - (int16_t)(code[k] >> 31); /* 0 or -1 */
        for (unsigned j = 0; j < stride; j++) acc[j] = (int16_t)(acc[j] + ((row[j] ^ sign) - sign));
    }
}

void model_logits(const struct model *m, const struct features *f, float out[MODEL_COLUMNS_MAX]) {
    const struct model_head *h = m->head;
    int32_t sum[MODEL_STRIDE_MAX] = {0};
    for (uint32_t at = 0; at < f->n; at += BLOCK) {
        int16_t acc[MODEL_STRIDE_MAX] = {0};
        sum_block(m->table, h->stride, (1u << h->bits) - 1, f->code + at, f->n - at < BLOCK ? f->n - at : BLOCK,
                  acc);
        for (unsigned j = 0; j < h->columns; j++) sum[j] += acc[j];
    }
    float dense[FEATURES_DENSE], unit = f->n ? 1 / sqrtf((float)f->n) : 0;
    for (unsigned j = 0; j < FEATURES_DENSE; j++) {
        float z = (f->dense[j] - m->mean[j]) * m->inv[j];
        dense[j] = (z > 4 ? 4 : z < -4 ? -4 : z) * h->dense_scale;
    }
    for (unsigned c = 0; c < h->columns; c++) {
        const struct model_column *col = &m->column[c];
        float s = 0;
        for (unsigned j = 0; j < FEATURES_DENSE; j++) s += dense[j] * col->dense[j];
        out[c] = col->bias + s + col->scale * unit * (float)sum[c];
    }
}

void model_tasks(const struct model *m, const float *logit, float out[CLASSIFY_TASKS]) {
    double sum = 0, p[CLASSIFY_TASKS], top = (double)logit[0];
    for (unsigned k = 1; k < CLASSIFY_TASKS; k++) top = (double)logit[k] > top ? (double)logit[k] : top;
    for (unsigned k = 0; k < CLASSIFY_TASKS; k++)
        sum += p[k] = model_exp(((double)logit[k] - top) * (double)m->head->task_temperature);
    for (unsigned k = 0; k < CLASSIFY_TASKS; k++) out[k] = (float)(p[k] / sum);
}

double model_gain(const struct model *m, const float *logit) {
    return model_sigmoid((double)logit[m->head->frontier]) - model_sigmoid((double)logit[m->head->light]);
}

double model_difficulty(const struct model *m, double gain, double *loss) {
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

int model_column_find(const struct model *m, str name) {
    for (unsigned i = m->head->tasks; i < m->head->columns; i++)
        if (str_eqz(name, m->column[i].name)) return (int)i;
    return -1;
}
