/* names: see the header. */
#include "books/names.h"

#include "books/record.h"

const char *const cache_names[3] = {[CACHE_MISS] = "miss", [CACHE_EXACT] = "exact", [CACHE_SEMANTIC] = "semantic"};
const char *const finish_names[6] = {
    [FINISH_NONE] = "",       [FINISH_STOP] = "stop",     [FINISH_LENGTH] = "length",
    [FINISH_TOOLS] = "tools", [FINISH_FILTER] = "filter", [FINISH_OTHER] = "other"};
const char *const token_source_names[4] = {[TOKENS_NONE] = "",
                                           [TOKENS_PROVIDER] = "provider",
                                           [TOKENS_COUNTED] = "counted",
                                           [TOKENS_ESTIMATED] = "estimated"};
const char *const quality_names[QUALITY_SOURCES] = {[QUALITY_NONE] = "",
                                                    [QUALITY_CHECK] = "check",
                                                    [QUALITY_SHADOW] = "shadow",
                                                    [QUALITY_JUDGE] = "judge",
                                                    [QUALITY_FEEDBACK] = "feedback"};

unsigned name_index(const char *const *names, unsigned n, str s) {
    for (unsigned i = 1; i < n; i++)
        if (str_eqz(s, names[i])) return i;
    return 0;
}
