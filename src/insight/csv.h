/* csv: rows of comma (or semicolon, tab, bar) separated text, as RFC 4180 and as exporters really
 * write it: a quote only opens a field at its start, "" inside of quotes is one, line ends inside of
 * quotes belong to the field. */
#ifndef DRAY_INSIGHT_CSV_H
#define DRAY_INSIGHT_CSV_H

#include "base/arena.h"
#include "base/json.h"

enum { CSV_FIELDS_MAX = 256 };
#define CSV_MORE SIZE_MAX

/* Whether a first line looks like a header, and what separates its fields. */
bool csv_sniff(str line, char *delim);

/* Finds the end of a row in bytes that may go on later. */
struct csv_scan {
    char delim;
    bool quoted, start, close; /* inside of quotes; at a field's start; behind a quote inside of quotes */
    uint32_t lines;            /* line ends in the row */
    size_t row_end;            /* where its last field ends */
};
void csv_scan_reset(struct csv_scan *s);
/* Goes on at `from`; the offset behind the row, CSV_MORE when it doesn't end in `text`. `last`: nothing follows.
 */
size_t csv_scan(struct csv_scan *s, str text, size_t from, bool last);

/* Splits a row; fields as string values without escapes, unquoted into `a` where needed. Returns
 * their number (further ones than CSV_FIELDS_MAX are left out). */
unsigned csv_split(str row, char delim, jval *out, arena *a);

#endif
