/* Forms. Claims: any split finds the same fields; ranges lie in the body, in order, and don't overlap; a delimiter
 * stands behind each value. */
#include "fuzz.h"

#include "net/multipart.h"

#define TYPE "multipart/form-data; boundary=XX"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct multipart whole, parts;
    str in = {(const char *)data, size};
    struct cuts c = take_cuts(&in);
    size = in.n;
    char *p = exact(in.p, size);
    str body = {p, size};
    size_t behind = 0;
    multipart_begin(&whole, STR(TYPE));
    multipart_begin(&parts, STR(TYPE));
    multipart_scan(&whole, body, true);
    for (size_t n = 0; n < size;) {
        n += cut(&c, size - n);
        char *now = exact(in.p, n);
        multipart_scan(&parts, str_make(now, n), false);
        free(now);
    }
    multipart_scan(&parts, body, true);
    MUST(whole.state == parts.state && whole.count == parts.count && whole.state != MULTIPART_MORE);
    for (unsigned i = 0; i < whole.count; i++) {
        const struct multipart_field *f = &whole.field[i], *g = &parts.field[i];
        MUST(f->start == g->start && f->end == g->end && f->name == g->name && f->name_n == g->name_n &&
             f->file == g->file);
        MUST(f->start >= behind && f->end >= f->start && f->end <= size && f->name + f->name_n <= size);
        if (whole.state == MULTIPART_DONE) MUST(str_starts(str_skip(body, f->end), STR("\r\n--XX")));
        behind = f->end;
    }
    free(p);
    return 0;
}
