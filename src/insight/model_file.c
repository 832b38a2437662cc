/* model_file: see the header. */
#include "insight/model_file.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>

enum { PIECE = 64 << 10 };

bool model_file(const char *path, arena *a, struct routing_model *out, err *e) {
    if (!path) return model_open(model_shipped(), out, e);
    FILE *f = fopen(path, "rb");
    if (!f) return fail(e, "%s: %s", path, strerror(errno));
    buf all;
    buf_init(&all, MODEL_SIZE_MAX);
    char *room;
    for (size_t n = 1; n && (room = buf_room(&all, PIECE)); all.n += n) n = fread(room, 1, PIECE, f);
    bool good = (!ferror(f) && !all.failed) || fail(e, "%s cannot be read", path);
    fclose(f);
    if (good) { /* where its numbers are aligned */
        char *kept = arena_alloc(a, all.n + 1);
        memcpy(kept, all.p, all.n);
        good = model_open(str_make(kept, all.n), out, e) || fail_in(e, "%s", path);
    }
    buf_free(&all);
    return good;
}
