/* input: log files as a stream of records, in constant memory.
 *
 * A file is plain, gzip or zstd (told by its first bytes); "-" is standard input. What it holds is told
 * by its first bytes too: JSON objects, one a line or spread over lines, an array of them, a page whose
 * "data" (or the like) is an array of them, CSV or other lines. Views stay good until the next call. */
#ifndef DRAY_INSIGHT_INPUT_H
#define DRAY_INSIGHT_INPUT_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum {
    INPUT_CHUNK = 256 << 10,     /* bytes asked of the file at once: stays in the cache while it is parsed */
    INPUT_RECORD_MAX = 64 << 20, /* one record; larger ones are skipped and counted */
    INPUT_SNIFF = 64 << 10,      /* bytes looked at to tell what a file holds */
};

enum input_kind { INPUT_LINES, INPUT_JSON, INPUT_CSV };
enum input_what { INPUT_END, INPUT_RECORD, INPUT_TOO_LONG, INPUT_BROKEN, INPUT_ERROR };

struct input;

/* Opens; NULL with a reason. */
struct input *input_open(const char *path, err *e);
void input_close(struct input *in);
enum input_kind input_kind(const struct input *in);
/* The next record: a line without its end, a JSON value, a CSV row (with its line ends inside of quotes).
 * Empty lines are left out. `line` is where it begins, from 1. INPUT_BROKEN: JSON that doesn't close; what
 * can be seen of it is in *rec and reading goes on at the next line. INPUT_ERROR: the file itself broke off. */
enum input_what input_next(struct input *in, str *rec, uint64_t *line, err *e);
/* What separates the fields of a CSV file. */
char input_delim(const struct input *in);
/* Bytes of the file read so far and its size (0 unknown), for progress. */
void input_progress(const struct input *in, uint64_t *done, uint64_t *size);

#endif
