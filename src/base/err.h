/* err: the one error idiom below the gateway.
 *
 * A function that can fail returns bool (true = good) and fills `err *` with one sentence that
 * names what was wrong and where. Errors carry no secrets: callers never put credentials,
 * prompts or answers into them. */
#ifndef DRAY_BASE_ERR_H
#define DRAY_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

typedef struct err {
    char msg[320];
} err;

/* Fills `e` (may be NULL) and returns false, so that failing reads `return fail(e, "...");`. */
bool fail(err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "context: " before the message that is there; returns false. */
bool fail_in(err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Shared state is broken: prints the message and aborts. For invariants, never for events of the world. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define invariant(cond) ((cond) ? (void)0 : panic("%s:%d: invariant broken: %s", __FILE__, __LINE__, #cond))

/* malloc and friends that never return NULL (the process stops with a message instead). */
#include <stddef.h>
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t n);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *z);

#endif
