/* docs/ledger.md says what the schema is. */
#include "books/document.h"
#include "fixture.h"

static void test_document(void **state) {
    (void)state;
    buf made, doc;
    buf_init(&made, 1 << 20);
    buf_init(&doc, 1 << 20);
    ledger_document(&made);
    FILE *f = fopen("docs/ledger.md", "r");
    assert_non_null(f);
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buf_add(&doc, piece, n);
    fclose(f);
    if (!str_ends(buf_view(&doc), buf_view(&made))) {
        FILE *out = fopen("docs/ledger.md.new", "w");
        ptrdiff_t at = str_find(buf_view(&doc), STR("compares -->\n"));
        if (out && at >= 0) fwrite(doc.p, 1, (size_t)at + 13, out);
        if (out) fprintf(out, "\n%.*s", (int)made.n, made.p);
        if (out) fclose(out);
        fail_msg("docs/ledger.md is out of date; docs/ledger.md.new has what it should be");
    }
    buf_free(&made);
    buf_free(&doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_document)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
