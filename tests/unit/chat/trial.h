/* trial: a request carried from one dialect to another, and what came of it. */
#ifndef DRAY_TEST_TRIAL_H
#define DRAY_TEST_TRIAL_H

#include "chat/chat_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct trial {
    arena a;
    struct chat_request r;
    struct chat_account acc;
    buf out;
    str param;
    err e;
};

static inline void begin(struct trial *t) {
    *t = (struct trial){0};
    arena_init(&t->a, 4096, 1 << 24);
    buf_init(&t->out, 1 << 20);
}

static inline void end(struct trial *t) {
    buf_free(&t->out);
    arena_free(&t->a);
}

/* Reads and writes strictly; the result is a string in `out`. */
static inline bool carry_to(struct trial *t, enum chat_dialect from, enum chat_dialect to, const char *kind,
                            const char *model, const char *body) {
    begin(t);
    if (!chat_request_read(from, str_from(body), STR_NONE, false, &t->r, &t->a, &t->param, &t->e)) return false;
    struct chat_target target = {to, str_from(kind), str_from(model)};
    bool good = chat_request_write(&t->r, &target, TRANSLATION_STRICT, &t->acc, &t->out, &t->param, &t->e);
    buf_char(&t->out, 0);
    return good;
}

static inline bool carry(struct trial *t, enum chat_dialect from, enum chat_dialect to, const char *model,
                         const char *body) {
    return carry_to(t, from, to, "openai", model, body);
}

static inline void must_have(const struct trial *t, const char *part) {
    if (!strstr(t->out.p, part)) print_message("missing %s in %s\n", part, t->out.p);
    assert_non_null(strstr(t->out.p, part));
}

static inline bool lost(const struct trial *t, const char *field) {
    for (const struct chat_lost *l = t->acc.first; l; l = l->next)
        if (str_eqz(l->field, field)) return true;
    return false;
}

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

#endif
