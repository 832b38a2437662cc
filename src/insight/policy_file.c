/* policy_file: see policy_file.h. The stand-ins go into this process' environment, before the file is
 * parsed, so that included files and expansions inside of scalars behave as they always do. */
#include "insight/policy_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 128, FILE_MAX_BYTES = 4 << 20 };

static void stand_in(const char *text) {
    for (const char *p = text; (p = strstr(p, "${")) != NULL;) {
        char name[NAME_MAX_BYTES];
        size_t n = 0;
        for (p += 2; n + 1 < sizeof name && (isalnum((unsigned char)*p) || *p == '_'); p++) name[n++] = *p;
        name[n] = 0;
        if (n && *p == '}') setenv(name, "not-set", 0);
    }
}

struct config *policy_load(const char *path, err *e) {
    FILE *f = fopen(path, "r");
    if (f) {
        char *text = xmalloc(FILE_MAX_BYTES + 1);
        text[fread(text, 1, FILE_MAX_BYTES, f)] = 0;
        fclose(f);
        stand_in(text);
        free(text);
    }
    return config_load(path, e);
}
