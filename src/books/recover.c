/* recover: books what a dead process left in the spool: the everyday reading, over files that don't grow.
 *
 * Segments are read in order, their ended calls written in transactions with the marks; what has no end
 * after the last one was cut, and is written as such in one transaction with a mark for the whole
 * instance ("finished"), so that a crash in between can't cut the same calls twice. Then the files go. */
#include "books/books-private.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_CALLS = 2000 };

struct rescue {
    struct books *b;
    uint64_t instance;
    struct fold fold;
    struct call_queue queue;
    char gateway[64];
    char mark[SEGMENT_NAME_MAX]; /* the instance's "finished" */
    err *e;
    bool good;
};

static bool write_batch(struct rescue *r, const char *segment, size_t at) {
    struct books *b = r->b;
    if (!store_begin(b->store, r->e)) return false;
    if (!write_queue(b, &r->queue, str_from(r->gateway), true, r->e) ||
        !store_set_applied(b->store, segment, at, r->e)) {
        store_rollback(b->store);
        return false;
    }
    if (!store_commit(b->store, r->e)) return false;
    queue_written(b, &r->queue, &r->fold);
    return books_bound_log(b, r->e);
}

static bool read_segment(struct rescue *r, struct segment *s, struct fold_place *place) {
    size_t applied = (size_t)store_applied(r->b->store, s->name), at = SEGMENT_HEAD;
    uint64_t bad = 0;
    struct event_head h;
    str payload;
    bool good = true;
    /* Then on to the end of the file: after a power loss the head may be older than the events. What makes no
     * sense there is the event that was being written. */
    uint64_t torn = 0;
    size_t committed = (size_t)atomic_load(&s->head->committed);
    if (committed > s->size) committed = s->size;
    while (good && (segment_next(s, &at, committed, true, &bad, &h, &payload) ||
                    segment_next(s, &at, s->size, true, &torn, &h, &payload))) {
        take_event(&r->fold, &r->queue, NULL, place, at, &h, payload, at <= applied);
        if (r->queue.count >= BATCH_CALLS) good = write_batch(r, s->name, at);
    }
    if (bad) {
        atomic_fetch_add(&r->b->corrupt, bad);
        log_event(LOG_ERROR, "spool_corrupt", log_z("segment", s->name), log_i("gaps", (int64_t)bad));
    }
    /* Segments that were never used need no mark. */
    return good && (at <= applied || at == SEGMENT_HEAD || write_batch(r, s->name, at));
}

static void keep_spilled(void *ctx, struct uuid id, str events) {
    struct rescue *r = ctx;
    struct fold_call *c = fold_get(&r->fold, id);
    fold_restore(c, events);
    c->spilled = true;
}

static void queue_cut(void *ctx, struct fold_call *c) {
    struct rescue *r = ctx;
    if (!c->queued) queue_add(&r->queue, c);
}

static bool finish(struct rescue *r) {
    fold_each(&r->fold, queue_cut, r);
    return write_batch(r, r->mark, 1);
}

static void remove_files(struct rescue *r, char (*names)[SEGMENT_NAME_MAX], size_t count) {
    struct spool_set *set = r->b->spool;
    for (size_t i = 0; i < count; i++) spool_remove(set, r->instance, names[i]);
    spool_remove(set, r->instance, NULL);
    if (!store_begin(r->b->store, NULL)) return; /* marks without files do no harm */
    for (size_t i = 0; i < count; i++) store_drop_segment(r->b->store, names[i], NULL);
    store_drop_segment(r->b->store, r->mark, NULL);
    store_commit(r->b->store, NULL);
}

static void recover_instance(void *ctx, uint64_t instance) {
    struct rescue *r = ctx;
    if (!r->good) return;
    size_t count;
    char(*names)[SEGMENT_NAME_MAX] = spool_list(r->b->spool, instance, &count);
    uint64_t rows = atomic_load(&r->b->rows), cut = atomic_load(&r->b->cut);
    r->instance = instance;
    snprintf(r->mark, sizeof r->mark, "%016" PRIx64, instance);
    snprintf(r->gateway, sizeof r->gateway, "%s", r->b->gateway);
    fold_init(&r->fold);
    queue_init(&r->queue);
    struct fold_place place = {0};
    bool finished = store_applied(r->b->store, r->mark) != 0;
    if (!finished) r->good = store_spilled(r->b->store, instance, keep_spilled, r, r->e);
    for (size_t i = 0; i < count && r->good && !finished; i++) {
        err e;
        struct segment *s = segment_load(r->b->spool->dirfd, names[i], &e);
        if (!s) {
            atomic_fetch_add(&r->b->corrupt, 1);
            log_event(LOG_ERROR, "spool_corrupt", log_z("segment", names[i]), log_z("error", e.msg));
            spool_set_aside(r->b->spool, names[i]);
            continue;
        }
        if (s->head->gateway[0]) memcpy(r->gateway, s->head->gateway, sizeof r->gateway);
        r->good = read_segment(r, s, &place);
        segment_close(s);
    }
    if (r->good && !finished) r->good = finish(r);
    if (r->good) {
        remove_files(r, names, count);
        log_event(LOG_INFO, "books_recovered", log_i("segments", (int64_t)count),
                  log_i("calls", (int64_t)(atomic_load(&r->b->rows) - rows)),
                  log_i("cut", (int64_t)(atomic_load(&r->b->cut) - cut)));
    }
    fold_free(&r->fold);
    free(names);
}

bool recover(struct books *b, err *e) {
    struct rescue r = {.b = b, .e = e, .good = true};
    spool_orphans(b->spool, recover_instance, &r);
    return r.good;
}
