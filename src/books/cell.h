/* cell: a rollup's cell as bytes: in columns of cell_hour and cell_day, packed in the journal. */
#ifndef DRAY_BOOKS_CELL_H
#define DRAY_BOOKS_CELL_H

#include "books/rollup.h"

enum cell_level { CELL_HOUR, CELL_DAY, CELL_MONTH, CELL_LEVELS };
extern const char *const cell_table[CELL_LEVELS];

enum {
#define SUM(name, unit, help) SUM_##name,
#include "books/rollup.def"
#undef SUM
    SUM_COUNT,
    CELL_COLUMNS = SUM_COUNT + USAGE_CLASSES + 3 /* behind period and dim */
};

struct cell {
    int64_t period, dim; /* hours, days or months since 1970; row of cell_dim */
    struct cell_sums sums;
    struct hist ttft, duration, overhead;
};

/* The month of a day and the first day of a month, both since 1970. */
int64_t month_of_day(int64_t day);
int64_t day_of_month(int64_t month);

/* What one call adds to each of its cells: the numbers that are not zero, one after the other. */
struct cell_part {
    int64_t hour, dim[DIM_COUNT];
    uint64_t bits; /* which of the sums they are */
    int64_t number[CELL_COLUMNS - 3];
    uint64_t ttft_us, duration_us, overhead_us;
    uint8_t ttft, duration, overhead; /* their buckets */
    bool timed;                       /* ttft and duration count */
};
/* All but hour and dim. */
void cell_part_of(const struct cell_call *call, struct cell_part *out);

/* Adds (sign 1) or takes away (-1) one call. */
void cell_add(struct cell *to, const struct cell_part *p, int sign);
/* Adds sums and histograms of `from`. */
void cell_merge(struct cell *to, const struct cell *from);

/* ", name" of every column behind period and dim, each followed by `type`. */
void cell_columns(buf *b, const char *type);
/* Adds the columns from `at` on to the cell. */
void cell_read(sqlite3_stmt *q, int at, struct cell *c);
/* Binds them; the histograms' bytes are appended to `scratch`, which must stay until the step. */
void cell_bind(sqlite3_stmt *q, int at, const struct cell *c, buf *scratch);

/* One call's part, for the journal. */
void cell_pack(const struct cell_part *p, int sign, buf *out);
/* Calls back for each journalled part, as a cell of its own, dimension by dimension. */
bool cell_each_pending(sqlite3 *db, bool (*each)(void *ctx, const struct cell *c), void *ctx, err *e);

#endif
