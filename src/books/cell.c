/* cell: see the header. Columns follow rollup.def and the usage classes; histograms are sparse blobs
 * (hist.h). In the journal a call's part is hour, its dims, 0 or 1 for its sign, a bit per number that is not
 * zero, those numbers, whether it is timed, and the three latencies, all as varints. */
#include "books/cell.h"

#include "books/schema.h"

#include <stdlib.h>

const char *const cell_table[CELL_LEVELS] = {"cell_hour", "cell_day", "cell_month"};
const char *const dim_names[DIM_COUNT] = {
#define X(name, value) #name,
    CELL_DIMS(X)
#undef X
};

/* After Howard Hinnant's civil calendar, from March to February. */
int64_t day_of_month(int64_t month) {
    int64_t y = 1970 + month / 12, m = month % 12 + 1;
    if (m <= 2) y--;
    int64_t era = y / 400, yoe = y % 400, doy = (153 * ((m + 9) % 12) + 2) / 5;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t month_of_day(int64_t day) {
    int64_t month = day / 31; /* never past it */
    while (day_of_month(month + 1) <= day) month++;
    return month;
}

/* Begin of a period, us. */
static uint64_t period_us(enum cell_level level, int64_t period) {
    if (level == CELL_MONTH) return (uint64_t)day_of_month(period) * DAY_US;
    return (uint64_t)period * (level == CELL_HOUR ? HOUR_US : DAY_US);
}

enum { NUMBERS = SUM_COUNT + USAGE_CLASSES };
_Static_assert(NUMBERS <= 64, "one bit each");
_Static_assert(sizeof(struct cell_sums) == NUMBERS * sizeof(int64_t), "an array of numbers");

static void sums_add(struct cell_sums *to, const struct cell_sums *from, int sign) {
    int64_t *t = (int64_t *)to;
    const int64_t *f = (const int64_t *)from;
    for (unsigned i = 0; i < NUMBERS; i++) t[i] += sign * f[i];
}

static void find_buckets(struct cell_part *p) {
    p->ttft = (uint8_t)hist_bucket(p->ttft_us);
    p->duration = (uint8_t)hist_bucket(p->duration_us);
    p->overhead = (uint8_t)hist_bucket(p->overhead_us);
}

void cell_part_of(const struct cell_call *call, struct cell_part *out) {
    const int64_t *n = (const int64_t *)&call->sums;
    int64_t *to = out->number;
    out->bits = 0;
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (n[i] == 0) continue;
        out->bits |= (uint64_t)1 << i;
        *to++ = n[i];
    }
    out->timed = call->timed;
    out->ttft_us = call->ttft_us;
    out->duration_us = call->duration_us;
    out->overhead_us = call->overhead_us;
    find_buckets(out);
}

void cell_add(struct cell *to, const struct cell_part *p, int sign) {
    int64_t *t = (int64_t *)&to->sums;
    const int64_t *n = p->number;
    for (uint64_t bits = p->bits; bits; bits &= bits - 1) t[__builtin_ctzll(bits)] += sign * *n++;
    if (p->timed) {
        to->ttft.count[p->ttft] += (uint32_t)sign;
        to->duration.count[p->duration] += (uint32_t)sign;
    }
    to->overhead.count[p->overhead] += (uint32_t)sign;
}

void cell_merge(struct cell *to, const struct cell *from) {
    sums_add(&to->sums, &from->sums, 1);
    hist_merge(&to->ttft, &from->ttft);
    hist_merge(&to->duration, &from->duration);
    hist_merge(&to->overhead, &from->overhead);
}

/* ---- columns ---- */

void cell_columns(buf *b, const char *type) {
#define SUM(name, unit, help)                                                                                     \
    buf_strz(b, ", " #name);                                                                                      \
    buf_strz(b, type);
#include "books/rollup.def"
#undef SUM
#define X(id, name, side)                                                                                         \
    buf_strz(b, ", u_" name);                                                                                     \
    buf_strz(b, type);
    CATALOG_CLASSES(X)
#undef X
    static const char *const hist[] = {"ttft_hist", "duration_hist", "overhead_hist"};
    for (unsigned i = 0; i < 3; i++) buf_printf(b, ", %s%s", hist[i], *type ? " BLOB" : "");
}

void rollup_schema(buf *b) {
    buf_strz(b, "CREATE TABLE cell_dim(id INTEGER PRIMARY KEY, hash INTEGER UNIQUE, dimension TEXT, value TEXT);"
                "CREATE TABLE cell_pending(seq INTEGER PRIMARY KEY, cells BLOB);");
    for (unsigned l = 0; l < CELL_LEVELS; l++) {
        buf_printf(b, "CREATE TABLE %s(period INTEGER, dim INTEGER", cell_table[l]);
        cell_columns(b, " INTEGER");
        buf_strz(b, ", PRIMARY KEY(period, dim)) WITHOUT ROWID;");
        if (l == CELL_HOUR) buf_strz(b, "CREATE INDEX cell_hour_dim ON cell_hour(dim, period);");
        if (l == CELL_MONTH) break; /* for long reports only */
        buf_printf(b, "CREATE VIEW %s AS SELECT c.period*%llu AS time, d.dimension, d.value",
                   l == CELL_HOUR ? "hours" : "days", (unsigned long long)period_us(l, 1));
        cell_columns(b, "");
        buf_printf(b, " FROM %s c JOIN cell_dim d ON d.id=c.dim;", cell_table[l]);
    }
}

static str column_bytes(sqlite3_stmt *q, int i) {
    const char *p = sqlite3_column_blob(q, i);
    return str_make(p, p ? (size_t)sqlite3_column_bytes(q, i) : 0);
}

void cell_read(sqlite3_stmt *q, int at, struct cell *c) {
    int64_t *n = (int64_t *)&c->sums;
    for (unsigned i = 0; i < NUMBERS; i++) n[i] += sqlite3_column_int64(q, at++);
    hist_read(&c->ttft, column_bytes(q, at));
    hist_read(&c->duration, column_bytes(q, at + 1));
    hist_read(&c->overhead, column_bytes(q, at + 2));
}

void cell_bind(sqlite3_stmt *q, int at, const struct cell *c, buf *scratch) {
    const int64_t *n = (const int64_t *)&c->sums;
    for (unsigned i = 0; i < NUMBERS; i++) sqlite3_bind_int64(q, at++, n[i]);
    const struct hist *h[] = {&c->ttft, &c->duration, &c->overhead};
    size_t from[4] = {scratch->n};
    for (unsigned i = 0; i < 3; i++) {
        hist_write(h[i], scratch);
        from[i + 1] = scratch->n;
    }
    buf_char(scratch, 0); /* so that there is a pointer also when all are empty */
    for (unsigned i = 0; i < 3; i++)
        sqlite3_bind_blob(q, at++, scratch->p + from[i], (int)(from[i + 1] - from[i]), SQLITE_STATIC);
}

/* ---- the journal ---- */

static char *put(char *p, uint64_t v) {
    for (; v >= 0x80; v >>= 7) *p++ = (char)(v | 0x80);
    *p++ = (char)v;
    return p;
}

static uint64_t get(str *s) {
    uint64_t v = 0;
    size_t i = 0;
    for (unsigned shift = 0; i < s->n && shift < 64; shift += 7) {
        unsigned char c = (unsigned char)s->p[i++];
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) break;
    }
    *s = str_skip(*s, i);
    return v;
}

static uint64_t zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

void cell_pack(const struct cell_part *c, int sign, buf *out) {
    enum { VARINT_MAX = 10, OTHERS = 8 };
    char *p = buf_room(out, (NUMBERS + OTHERS + DIM_COUNT) * VARINT_MAX);
    if (!p) return;
    p = put(p, (uint64_t)c->hour);
    for (unsigned i = 0; i < DIM_COUNT; i++) p = put(p, (uint64_t)c->dim[i]);
    p = put(p, sign < 0);
    p = put(p, c->bits);
    for (unsigned i = 0, k = (unsigned)__builtin_popcountll(c->bits); i < k; i++) p = put(p, zigzag(c->number[i]));
    p = put(p, c->timed);
    p = put(p, c->ttft_us);
    p = put(p, c->duration_us);
    p = put(p, c->overhead_us);
    out->n = (size_t)(p - out->p);
}

/* Bits that this version has no sum for are a later one's: their numbers are passed over. */
static int unpack(str *s, struct cell_part *c) {
    c->hour = (int64_t)get(s);
    for (unsigned i = 0; i < DIM_COUNT; i++) c->dim[i] = (int64_t)get(s);
    int sign = get(s) ? -1 : 1;
    uint64_t bits = get(s);
    c->bits = bits & (UINT64_MAX >> (64 - NUMBERS));
    for (unsigned k = 0; bits; bits &= bits - 1) {
        int64_t v = unzigzag(get(s));
        if (c->bits & bits & -bits) c->number[k++] = v;
    }
    c->timed = get(s) != 0;
    c->ttft_us = get(s);
    c->duration_us = get(s);
    c->overhead_us = get(s);
    find_buckets(c);
    return sign;
}

bool cell_each_pending(sqlite3 *db, bool (*each)(void *ctx, const struct cell *c), void *ctx, err *e) {
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(db, "SELECT cells FROM cell_pending", -1, &q, NULL) != SQLITE_OK)
        return fail(e, "%s", sqlite3_errmsg(db));
    struct cell *c = xmalloc(sizeof *c);
    int rc;
    bool more = true;
    while (more && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        for (str rest = column_bytes(q, 0); rest.n && more;) {
            struct cell_part part;
            int sign = unpack(&rest, &part);
            memset(c, 0, sizeof *c);
            c->period = part.hour;
            cell_add(c, &part, sign);
            for (unsigned i = 0; i < DIM_COUNT && more; i++) {
                c->dim = part.dim[i];
                more = each(ctx, c);
            }
        }
    }
    free(c);
    bool good = !more || rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(db));
    sqlite3_finalize(q);
    return good;
}

/* ---- reading ---- */

struct reading {
    sqlite3 *db;
    sqlite3_stmt *dims;
    int64_t from, to;
    bool (*each)(void *ctx, const struct cell_row *c);
    void *ctx;
    bool more;
    struct cell_row row;
};

/* Columns `at` and the next: dimension and value. */
static bool row_fill(struct cell_row *row, const struct cell *c, enum cell_level level, sqlite3_stmt *q, int at) {
    str name = column_bytes(q, at);
    for (row->dim = 0; row->dim < DIM_COUNT && !str_eqz(name, dim_names[row->dim]);) row->dim++;
    row->period = period_us(level, c->period);
    row->value = column_bytes(q, at + 1);
    row->sums = c->sums;
    row->ttft = c->ttft;
    row->duration = c->duration;
    row->overhead = c->overhead;
    return row->dim < DIM_COUNT; /* a later version's */
}

static bool read_pending(void *ctx, const struct cell *c) {
    struct reading *r = ctx;
    if (c->period < r->from || c->period >= r->to) return true;
    sqlite3_bind_int64(r->dims, 1, c->dim);
    if (sqlite3_step(r->dims) == SQLITE_ROW) {
        if (row_fill(&r->row, c, CELL_HOUR, r->dims, 0)) r->more = r->each(r->ctx, &r->row);
    }
    sqlite3_reset(r->dims);
    return r->more;
}

static bool prepare(sqlite3 *db, buf *sql, sqlite3_stmt **q, err *e) {
    int rc = sqlite3_prepare_v2(db, sql->p, (int)sql->n, q, NULL);
    buf_free(sql);
    return rc == SQLITE_OK || fail(e, "%s", sqlite3_errmsg(db));
}

enum part { EVERYTHING, TOTALS_ONLY /* dimension all */, NO_TOTALS };

/* Periods [from, to). */
static bool read_level(struct reading *r, enum cell_level level, enum part part, int64_t from, int64_t to,
                       err *e) {
    static const char *const where[] = {"", " AND d.dimension='all'", " AND d.dimension<>'all'"};
    if (from >= to || !r->more) return true;
    buf b;
    buf_init(&b, 1 << 16);
    buf_strz(&b, "SELECT d.dimension, d.value, c.period");
    cell_columns(&b, "");
    buf_printf(&b, " FROM %s c CROSS JOIN cell_dim d ON d.id=c.dim WHERE c.period>=? AND c.period<?%s",
               cell_table[level], where[part]);
    sqlite3_stmt *q;
    if (!prepare(r->db, &b, &q, e)) return false;
    sqlite3_bind_int64(q, 1, from);
    sqlite3_bind_int64(q, 2, to);
    struct cell *c = xmalloc(sizeof *c);
    int rc = SQLITE_DONE;
    while (r->more && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        memset(c, 0, sizeof *c);
        c->period = sqlite3_column_int64(q, 2);
        cell_read(q, 3, c);
        if (row_fill(&r->row, c, level, q, 0)) r->more = r->each(r->ctx, &r->row);
    }
    free(c);
    bool good = !r->more || rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(r->db));
    sqlite3_finalize(q);
    return good;
}

/* Whole days; of a long span the whole months in it, but for the totals, which are wanted by day. */
static bool read_days(struct reading *r, int64_t from, int64_t to, err *e) {
    enum { LONG_DAYS = 62 };
    int64_t first = month_of_day(from), last = month_of_day(to);
    if (day_of_month(first) < from) first++;
    if (to - from < LONG_DAYS || first >= last) return read_level(r, CELL_DAY, EVERYTHING, from, to, e);
    int64_t begin = day_of_month(first), end = day_of_month(last);
    return read_level(r, CELL_DAY, EVERYTHING, from, begin, e) &&
           read_level(r, CELL_MONTH, NO_TOTALS, first, last, e) &&
           read_level(r, CELL_DAY, TOTALS_ONLY, begin, end, e) && read_level(r, CELL_DAY, EVERYTHING, end, to, e);
}

static bool read_all(sqlite3 *db, uint64_t from, uint64_t to, bool (*each)(void *ctx, const struct cell_row *c),
                     void *ctx, err *e) {
    struct reading r = {.db = db, .each = each, .ctx = ctx, .more = true};
    r.from = (int64_t)(from / HOUR_US);
    r.to = (int64_t)((to + HOUR_US - 1) / HOUR_US);
    int64_t first = (r.from + 23) / 24, last = r.to / 24;
    buf b;
    buf_init(&b, 1 << 12);
    buf_strz(&b, "SELECT dimension, value FROM cell_dim WHERE id=?");
    if (!prepare(db, &b, &r.dims, e)) return false;
    bool good;
    if (first >= last)
        good = read_level(&r, CELL_HOUR, EVERYTHING, r.from, r.to, e);
    else
        good = read_level(&r, CELL_HOUR, EVERYTHING, r.from, first * 24, e) && read_days(&r, first, last, e) &&
               read_level(&r, CELL_HOUR, EVERYTHING, last * 24, r.to, e);
    good = good && (!r.more || cell_each_pending(db, read_pending, &r, e));
    sqlite3_finalize(r.dims);
    return good;
}

/* In one snapshot: what is flushed meanwhile would be read twice, or not at all. */
bool rollup_read(sqlite3 *db, uint64_t from, uint64_t to, bool (*each)(void *ctx, const struct cell_row *c),
                 void *ctx, err *e) {
    bool own = sqlite3_get_autocommit(db);
    if (own && !sql_exec(db, "BEGIN", e)) return false;
    bool good = read_all(db, from, to, each, ctx, e);
    if (own) sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return good;
}
