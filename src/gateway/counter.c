#include "gateway/counter.h"

#include "base/err.h"
#include "base/log.h"
#include "catalog/bpe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct counter {
    pthread_t thread;
    _Atomic(struct bpe *) bpe[BPE_NONE];
};

static void *load(void *arg) {
    struct counter *c = arg;
    pthread_setname_np(pthread_self(), "counter");
    for (unsigned i = 0; i < BPE_NONE; i++) {
        err e;
        struct bpe *b = bpe_open((enum bpe_encoding)i, &e);
        if (!b) log_event(LOG_INFO, "tokenizer_missing", log_s("reason", str_from(e.msg)));
        atomic_store_explicit(&c->bpe[i], b, memory_order_release);
    }
    return NULL;
}

struct counter *counter_start(void) {
    struct counter *c = xcalloc(1, sizeof *c);
    if (pthread_create(&c->thread, NULL, load, c) != 0) panic("no thread for the tokenizers");
    return c;
}

void counter_stop(struct counter *c) {
    if (!c) return;
    pthread_join(c->thread, NULL);
    for (unsigned i = 0; i < BPE_NONE; i++) bpe_free(atomic_load(&c->bpe[i]));
    free(c);
}

const struct bpe *counter_for(const struct counter *c, str model) {
    enum bpe_encoding e = bpe_encoding_of(model);
    return e == BPE_NONE ? NULL : atomic_load_explicit(&c->bpe[e], memory_order_acquire);
}
