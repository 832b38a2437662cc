/* err: one sentence per failure. */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fail(err *e, const char *fmt, ...) {
    if (!e) return false;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    return false;
}

bool fail_in(err *e, const char *fmt, ...) {
    if (!e) return false;
    char was[sizeof e->msg];
    memcpy(was, e->msg, sizeof was);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    size_t at = n < 0 ? 0 : (size_t)n;
    if (at + 3 > sizeof e->msg) return false;
    memcpy(e->msg + at, ": ", 2);
    at += 2;
    size_t room = sizeof e->msg - 1 - at, len = strnlen(was, room);
    memcpy(e->msg + at, was, len);
    e->msg[at + len] = 0;
    return false;
}

void panic(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("dray: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

void *xmalloc(size_t n) { return xrealloc(NULL, n); }

void *xcalloc(size_t count, size_t n) {
    void *p = calloc(count ? count : 1, n ? n : 1);
    if (!p) panic("out of memory (%zu bytes)", count * n);
    return p;
}

void *xrealloc(void *p, size_t n) {
    void *q = realloc(p, n ? n : 1);
    if (!q) panic("out of memory (%zu bytes)", n);
    return q;
}

char *xstrdup(const char *z) {
    size_t n = strlen(z) + 1;
    return memcpy(xmalloc(n), z, n);
}
