/* libdray: see dray.h. A thin coat over config/: the decision itself is config_ask(). */
#include "dray.h"

#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_FIRST = 16 << 10, ARENA_MAX = 256 << 20, OUTPUT_MAX = 4 << 20 };

struct dray_router {
    struct config *config;
    struct config_parts parts; /* the copies */
};

const char *dray_version(void) { return DRAY_VERSION; }

/* `s` with a NUL into `out`, cut to fit; whether it fits. */
static bool give(str s, char *out, size_t size, size_t *needed) {
    if (needed) *needed = s.n + 1;
    if (!out || !size) return false;
    size_t n = s.n < size ? s.n : size - 1;
    memcpy(out, s.p, n);
    out[n] = 0;
    return s.n < size;
}

/* A copy, aligned as the numbers in it need it; p NULL when there is nothing. */
static str copy_of(const void *p, size_t n) {
    if (!p || !n) return STR_NONE;
    return str_make(memcpy(xmalloc(n), p, n), n);
}

dray_router *dray_open(const char *config, size_t config_size, const void *model, size_t model_size, const void *table,
                       size_t table_size, char *error, size_t error_size) {
    err e = {{0}};
    dray_router *r = xcalloc(1, sizeof *r);
    r->parts = (struct config_parts){.model = copy_of(model, model_size), .table = copy_of(table, table_size)};
    r->config = config_parse_pure(str_make(config, config_size), "config", &r->parts, &e);
    if (r->config) return r;
    give(str_from(e.msg), error, error_size, NULL);
    dray_close(r);
    return NULL;
}

void dray_close(dray_router *r) {
    if (!r) return;
    config_unpin(r->config);
    free((void *)r->parts.model.p);
    free((void *)r->parts.table.p);
    free(r);
}

int dray_route(const dray_router *r, const char *request, size_t request_size, char *out, size_t out_size,
               size_t *needed) {
    arena a;
    buf json;
    struct asked d;
    err e = {{0}};
    struct ask q = {.body = str_make(request, request_size)};
    arena_init(&a, ARENA_FIRST, ARENA_MAX);
    buf_init(&json, OUTPUT_MAX);
    int status = DRAY_OK;
    if (!config_ask(r->config, &q, &a, &d, &e)) {
        give(str_from(e.msg), out, out_size, needed);
        status = DRAY_BAD_REQUEST;
    } else {
        config_write_decision(r->config, &d.facts, d.target, &d.plan, &json);
        if (arena_failed(&a) || json.failed)
            status = DRAY_NO_MEMORY;
        else if (!give(buf_view(&json), out, out_size, needed))
            status = DRAY_NO_ROOM;
    }
    buf_free(&json);
    arena_free(&a);
    return status;
}
