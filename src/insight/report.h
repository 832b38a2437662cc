/* report: an analysis as text for a terminal, JSON, CSV or one self-contained HTML page. All four walk the
 * same sums; money is exact in JSON and CSV. No text of a prompt is written unless `prompts`. */
#ifndef DRAY_INSIGHT_REPORT_H
#define DRAY_INSIGHT_REPORT_H

#include "insight/analysis.h"

enum { REPORT_TOP = 10, REPORT_ROWS = 1000 }; /* lines of a breakdown for people; for machines */

struct report {
    const struct analysis *a;
    const struct conclusion *k;
    struct log_stats stats;
    const char *policy; /* "built-in" or the file's name */
    bool prompts;
};

/* `width` in columns; `colour`: with escapes. */
void report_terminal(const struct report *r, unsigned width, bool colour, buf *out);
void report_json(const struct report *r, buf *out);
/* One row per line of each breakdown: section,name,calls,… */
void report_csv(const struct report *r, buf *out);
void report_html(const struct report *r, buf *out);

/* What all of them show, as rows. */
struct breakdown {
    const char *name, *title, *of; /* "by_model", "Models", "Model" */
    const struct tally *t;
    bool by_name; /* in order of names (days) */
};
/* The breakdowns with more than one line; returns their number. */
enum { BREAKDOWNS_MAX = 8 };
unsigned report_breakdowns(const struct analysis *a, struct breakdown out[BREAKDOWNS_MAX]);
/* The sentences about what was assumed, what is left out, how sure it is: calls back for each. */
void report_notes(const struct report *r, void (*each)(void *ctx, const char *sentence), void *ctx);
/* "$1,234.50", "$0.0123"; `out` at least 40 bytes. */
const char *report_money(char out[40], int64_t nano);
/* "12,345"; `out` at least 32 bytes. */
const char *report_count(char out[32], uint64_t n);
/* Whether a template's sample may be shown, masked, into `out` (at least SAMPLE_BYTES * 3). */
bool report_sample(const struct report *r, const struct template *t, char *out, size_t size);

#endif
