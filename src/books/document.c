/* document: docs/ledger.md's reference part, made from the same rows as the views (fields.def, rollup.def). */
#include "books/document.h"

#include "books/rollup.h"

static void row(buf *o, const char *name, const char *type, const char *unit, const char *help) {
    buf_printf(o, "| `%s` | %s | %s | %s |\n", name, type, unit, help);
}

void ledger_document(buf *o) {
    buf_strz(o, "### `calls`\n\n| column | type | unit | meaning |\n| --- | --- | --- | --- |\n");
#define COLUMN(name, type, expr, unit, help) row(o, #name, #type, unit, help);
#include "books/fields.def"
#undef COLUMN
    buf_strz(o, "\n### `hours`, `days`\n\n| column | type | unit | meaning |\n| --- | --- | --- | --- |\n");
    row(o, "time", "INT", "us since 1970 UTC", "begin of the hour or day");
    row(o, "dimension", "TEXT", "", "what its cells are told apart by, see below");
    row(o, "value", "TEXT", "", "the model, key, team …");
#define SUM(name, unit, help) row(o, #name, "INT", unit, help);
#include "books/rollup.def"
#undef SUM
#define X(id, name, side) row(o, "u_" name, "INT", "units", "usage of class " name);
    CATALOG_CLASSES(X)
#undef X
    buf_strz(
        o,
        "| `ttft_hist`, `duration_hist`, `overhead_hist` | BLOB | | latency histograms, see src/books/hist.h |\n");
    buf_strz(o, "\n| dimension | value |\n| --- | --- |\n");
#define X(name, value) buf_strz(o, "| `" #name "` | " value " |\n");
    CELL_DIMS(X)
#undef X
}
