/* row: one record, JSON object or CSV row, asked by the same names. */
#ifndef DRAY_INSIGHT_ROW_H
#define DRAY_INSIGHT_ROW_H

#include "insight/csv.h"
#include "insight/lazy.h"

struct row_header {
    char *text; /* owned copy of the header line */
    unsigned count;
    char delim;
    jval name[CSV_FIELDS_MAX];
};

struct row {
    str text;
    bool csv;
    struct lazy_index x;        /* JSON */
    const struct row_header *h; /* CSV */
    unsigned fields;
    jval field[CSV_FIELDS_MAX];
    arena *a;
};

/* Reads a header line; names are kept in `h` (freed by row_header_free). */
void row_header_read(struct row_header *h, str line, char delim, arena *a);
void row_header_free(struct row_header *h);
/* Fills from a CSV row. False when it has another number of fields than the header (missing ones at
 * the end are taken as empty, surplus ones dropped). */
bool row_csv(struct row *r, const struct row_header *h, str text, arena *a);
/* Fills from a JSON object; false when it is cut, malformed or no object. */
bool row_json(struct row *r, str text, arena *a);
/* The first of the paths ("usage.prompt_tokens|prompt_tokens") that is there and not empty. Paths go
 * into objects, and into strings that hold JSON. */
jval row_get(const struct row *r, const char *paths);
/* Whether the record has a member or column of that name on top, empty or not. */
bool row_has(const struct row *r, str name);
/* row_get as text ("" when absent; numbers as written). */
str row_text(const struct row *r, const char *paths);

#endif
