/* slice: reads the spool, folds, writes one transaction. See books.c for the design. */
#include "books/books-private.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

enum { WAIT_LABEL_US = 2000000 };

/* ---- queue ---- */

void queue_init(struct call_queue *q) {
    q->first = NULL;
    q->end = &q->first;
    q->count = 0;
}

void queue_add(struct call_queue *q, struct fold_call *c) {
    c->queue = NULL;
    c->queued = true;
    *q->end = c;
    q->end = &c->queue;
    q->count++;
}

/* Drops the queued calls from the table: they are written. */
static void queue_drop(struct call_queue *q, struct fold *fold) {
    for (struct fold_call *c = q->first, *next; c; c = next) {
        next = c->queue;
        if (c->place) c->place->open--;
        fold_drop(fold, c);
    }
    queue_init(q);
}

/* ---- waiting for a label ---- */

/* A call that names its model is labelled by another thread, whose event may come after the call's end;
 * writing the row once is cheaper than amending it, so the call waits a little. Until then the store's mark
 * stays in front of the event since which it waits: a crash reads it again. */
static void hold(struct fold_call **held, struct fold_call *c, struct fold_place *place, size_t at) {
    c->held_place = place;
    c->held_at = at;
    c->held_since = clock_mono_us();
    place->open++;
    c->held_next = *held;
    if (*held) (*held)->held_link = &c->held_next;
    c->held_link = held;
    *held = c;
}

static void unhold(struct fold_call *c) {
    if (!c->held_link) return;
    *c->held_link = c->held_next;
    if (c->held_next) c->held_next->held_link = c->held_link;
    c->held_link = NULL;
    c->held_place->open--;
}

/* Those that waited long enough are written as they are; all of them when the books close. */
static void end_waiting(struct books *b) {
    uint64_t now = clock_mono_us();
    bool all = atomic_load(&b->stop_at) != 0;
    for (struct fold_call *c = b->held, *next; c; c = next) {
        next = c->held_next;
        if (!all && now - c->held_since < WAIT_LABEL_US) continue;
        unhold(c);
        queue_add(&b->queue, c);
    }
}

/* How far the store may say that this segment is in it. */
static size_t mark_of(const struct books *b, const struct fold_place *p) {
    size_t mark = p->at;
    for (const struct fold_call *c = b->held; c; c = c->held_next)
        if (c->held_place == p && c->held_at < mark) mark = c->held_at;
    return mark;
}

/* ---- reading ---- */

void take_event(struct fold *fold, struct call_queue *queue, struct fold_call **held, struct fold_place *place,
                size_t at, const struct event_head *h, str payload, bool old) {
    struct uuid id;
    memcpy(id.b, h->id, sizeof id.b);
    struct fold_call *c = fold_find(fold, id);
    bool ends = h->type == EVENT_END;
    if (old && ends && c && !c->queued) { /* the call is in the store */
        unhold(c);
        if (c->place) c->place->open--;
        fold_drop(fold, c);
        return;
    }
    if (!c && old && (ends || h->type == EVENT_AMEND)) return;
    if (!c) c = fold_get(fold, id);
    fold_append(c, h->type, h->n, payload);
    if (h->type != EVENT_AMEND && !c->place) {
        c->place = place;
        place->open++;
        unhold(c); /* a label that waited for it */
    }
    c->ended |= ends;
    c->label_pending |= h->type == EVENT_BEGIN && (h->flags & EVENT_LABEL_PENDING);
    c->labelled |= h->type == EVENT_AMEND && (h->flags & EVENT_LABEL);
    if (c->queued || (c->place && !c->ended)) return;
    bool waits = c->place ? c->label_pending && !c->labelled : c->labelled;
    if (!waits || !held) {
        unhold(c);
        queue_add(queue, c);
    } else if (!c->held_link) {
        hold(held, c, place, at);
    }
}

static bool read_place(struct books *b, struct fold_place *p) {
    size_t limit = atomic_load_explicit(&p->s->head->committed, memory_order_acquire), from = p->at;
    uint64_t bad = 0;
    struct event_head h;
    str payload;
    while (b->queue.count < SLICE_CALLS && b->slice_events < SLICE_EVENTS &&
           segment_next(p->s, &p->at, limit, true, &bad, &h, &payload)) {
        take_event(&b->fold, &b->queue, &b->held, p, from, &h, payload, p->at <= p->applied);
        b->slice_events++;
        p->events++;
        from = p->at;
    }
    if (bad) atomic_fetch_add(&b->corrupt, bad);
    segment_shed(p->s, &p->shed, p->at);
    return p->at >= limit;
}

static struct fold_place *place_new(struct books *b, struct segment *s) {
    struct fold_place *p = xcalloc(1, sizeof *p);
    p->s = s;
    p->at = p->marked = p->shed = SEGMENT_HEAD;
    p->applied = b->store ? (size_t)store_applied(b->store, s->name) : 0;
    return p;
}

/* Follows the writer through its segments; true when everything was read. */
static bool read_writer(struct books *b, struct reader *r) {
    for (;;) {
        struct fold_place *p = r->current;
        bool sealed = atomic_load_explicit(&p->s->head->sealed, memory_order_acquire);
        if (!read_place(b, p)) return false;
        if (!sealed || !p->s->next) return true;
        if (!p->next) p->next = place_new(b, p->s->next);
        r->current = p->next;
    }
}

/* The last writer is that of amendments from other threads: it is read when the others' events, which
 * came before, have all been read. */
bool slice_read(struct books *b) {
    uint32_t workers = b->spool->count - 1;
    bool all = true;
    for (uint32_t i = 0; i < workers; i++) all &= read_writer(b, &b->reader[i]);
    if (all) all = read_writer(b, &b->reader[workers]);
    end_waiting(b);
    return all;
}

/* ---- writing ---- */

/* A call that has no end gets what its attempts say. */
static void cut_call(struct folded *f) {
    struct record *r = &f->r;
    int64_t cost = f->attempt_count ? 0 : COST_UNKNOWN;
    uint64_t last = 0;
    for (unsigned i = 0; i < f->attempt_count; i++) {
        const struct record_attempt *t = &f->attempt[i];
        if (!t->n) continue;
        if (t->cost.total == COST_UNKNOWN || cost == COST_UNKNOWN ||
            __builtin_add_overflow(cost, t->cost.total, &cost))
            cost = COST_UNKNOWN;
        if (t->end_us > last) last = t->end_us;
    }
    r->cost = cost;
    r->error = STR("cut");
    r->attempts = f->attempt_count;
}

/* Calls whose rows are written together. */
struct batch {
    const struct fold_call *call[STORE_BATCH];
    bool cut[STORE_BATCH], more[STORE_BATCH];
    unsigned count;
    struct call_alone {
        const struct fold_call *call[STORE_BATCH];
        unsigned count;
    } alone;
};

/* Decodes it into b->folded; returns whether it was cut. */
static bool read_call(struct books *b, const struct fold_call *c, bool cut) {
    struct folded *f = &b->folded;
    fold_decode(c, f);
    if (!f->begun) { /* its begin was lost to a corrupt segment: the id knows the time */
        uint64_t ms = 0;
        for (int i = 0; i < 6; i++) ms = ms << 8 | f->r.id.b[i];
        f->r.time_us = ms * 1000;
    }
    if (!cut || f->ended) return false;
    cut_call(f);
    return true;
}

static bool is_amendment(const struct folded *f) { return !f->begun && !f->ended && f->attempt_count == 0; }

static bool write_alone(struct books *b, const struct fold_call *c, str gateway, bool cut, struct tally *t,
                        err *e) {
    struct folded *f = &b->folded;
    bool was_cut = read_call(b, c, cut);
    if (is_amendment(f)) {
        enum stored s = store_amend(b->store, f, e);
        t->unknown += s == STORED_NEW;
        return s != STORED_FAILED;
    }
    enum stored s = store_put(b->store, f, gateway, was_cut, e);
    t->known += s == STORED_KNOWN;
    t->rows += s == STORED_NEW;
    t->cut += s == STORED_NEW && was_cut;
    return s != STORED_FAILED;
}

static bool write_batch(struct books *b, struct batch *w, str gateway, bool cut, struct tally *t, err *e) {
    uint64_t alone;
    if (!store_write(b->store, &alone, e)) return false;
    for (unsigned i = 0; i < w->count; i++) {
        if (alone >> i & 1) {
            if (!write_alone(b, w->call[i], gateway, cut, t, e)) return false;
            continue;
        }
        t->rows++;
        t->cut += w->cut[i];
        if (!w->more[i]) continue;
        read_call(b, w->call[i], cut);
        if (!store_more(b->store, &b->folded, e)) return false;
    }
    for (unsigned i = 0; i < w->alone.count; i++)
        if (!write_alone(b, w->alone.call[i], gateway, cut, t, e)) return false;
    w->count = w->alone.count = 0;
    return true;
}

bool write_queue(struct books *b, struct call_queue *q, str gateway, bool cut, err *e) {
    struct batch w = {.count = 0};
    struct tally *t = &b->tally;
    *t = (struct tally){0};
    for (struct fold_call *c = q->first; c; c = c->queue) {
        bool was_cut = read_call(b, c, cut);
        enum stored s = STORED_ALONE;
        if (!is_amendment(&b->folded))
            s = store_queue(b->store, &b->folded, gateway, was_cut, &w.more[w.count], e);
        if (s == STORED_FAILED) return false;
        if (s == STORED_ALONE) {
            w.alone.call[w.alone.count++] = c;
        } else {
            w.cut[w.count] = was_cut;
            w.call[w.count++] = c;
        }
        if ((store_full(b->store) || w.alone.count == STORE_BATCH) && !write_batch(b, &w, gateway, cut, t, e))
            return false;
        if (c->spilled && !store_unspill(b->store, c->id, e)) return false;
    }
    return write_batch(b, &w, gateway, cut, t, e);
}

void queue_written(struct books *b, struct call_queue *q, struct fold *fold) {
    atomic_fetch_add(&b->rows, b->tally.rows);
    atomic_fetch_add(&b->known, b->tally.known);
    atomic_fetch_add(&b->cut, b->tally.cut);
    atomic_fetch_add(&b->unknown, b->tally.unknown);
    b->tally = (struct tally){0};
    queue_drop(q, fold);
}

struct spill {
    struct books *b;
    struct fold_place *from, *to;
    err *e;
    bool good;
};

static void spill_call(void *ctx, struct fold_call *c) {
    struct spill *s = ctx;
    if (!s->good || c->place != s->from || c->queued || c->held_link) return;
    s->good = store_spill(s->b->store, c->id, s->b->spool->instance, str_make((char *)c->events, c->n), s->e);
}

static void respan_call(void *ctx, struct fold_call *c) {
    struct spill *s = ctx;
    if (c->place != s->from || c->queued || c->held_link) return;
    c->spilled = true;
    c->place = s->to;
    s->from->open--;
    s->to->open++;
}

/* The oldest segment of a writer that holds too many back for calls in flight; NULL: none. */
static struct fold_place *pinned(const struct reader *r) {
    unsigned held = 0;
    for (struct fold_place *p = r->first; p != r->current; p = p->next) held++;
    return held > SEGMENTS_HELD ? r->first : NULL;
}

static bool write_marks(struct books *b, err *e) {
    for (uint32_t i = 0; i < b->spool->count; i++)
        for (struct fold_place *p = b->reader[i].first; p; p = p->next)
            if (mark_of(b, p) != p->marked && !store_set_applied(b->store, p->s->name, mark_of(b, p), e))
                return false;
    for (size_t i = 0; i < b->dropped.count; i++)
        if (!store_drop_segment(b->store, b->dropped.name[i], e)) return false;
    return true;
}

static bool write_spills(struct books *b, err *e) {
    for (uint32_t i = 0; i < b->spool->count; i++) {
        struct spill s = {b, pinned(&b->reader[i]), b->reader[i].current, e, true};
        if (s.from) fold_each(&b->fold, spill_call, &s);
        if (!s.good) return false;
    }
    return true;
}

static void let_go(struct books *b, struct segment *s) {
    b->dropped.name = xrealloc(b->dropped.name, (b->dropped.count + 1) * sizeof *b->dropped.name);
    strcpy(b->dropped.name[b->dropped.count++], s->name);
    spool_done(b->spool, s);
}

static uint32_t waiting(const struct books *b) {
    uint32_t n = 0;
    for (const struct fold_call *c = b->held; c; c = c->held_next) n++;
    return n;
}

/* After the commit: what was written is forgotten, segments that nothing needs any more are let go. */
static void settle(struct books *b) {
    for (uint32_t i = 0; i < b->spool->count; i++) {
        struct spill s = {b, pinned(&b->reader[i]), b->reader[i].current, NULL, true};
        if (s.from) fold_each(&b->fold, respan_call, &s);
    }
    queue_written(b, &b->queue, &b->fold);
    b->dropped.count = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < b->spool->count; i++) {
        struct reader *r = &b->reader[i];
        for (struct fold_place *p = r->first; p; p = p->next) p->marked = mark_of(b, p);
        for (struct fold_place *p; (p = r->first) != r->current && p->open == 0;) {
            r->first = p->next;
            let_go(b, p->s);
            free(p);
        }
        bytes += atomic_load_explicit(&r->current->s->head->committed, memory_order_acquire) - r->current->at;
    }
    atomic_fetch_add(&b->handled, b->slice_events);
    atomic_store(&b->bytes, bytes);
    atomic_store(&b->open_calls, (uint32_t)b->fold.count);
    atomic_store(&b->waiting, waiting(b));
    b->slice_events = 0;
}

static bool nothing_new(const struct books *b) {
    return b->slice_events == 0 && b->queue.count == 0 && b->dropped.count == 0;
}

bool slice_write(struct books *b, err *e) {
    if (nothing_new(b)) return true;
    if (!store_begin(b->store, e)) return false;
    if (!write_queue(b, &b->queue, str_from(b->gateway), false, e) || !write_spills(b, e) || !write_marks(b, e)) {
        store_rollback(b->store);
        return false;
    }
    if (!store_commit(b->store, e)) return false;
    settle(b);
    return true;
}

/* ---- beginning, starting again, end ---- */

void readers_open(struct books *b) {
    b->reader = xcalloc(b->spool->count, sizeof *b->reader);
    for (uint32_t i = 0; i < b->spool->count; i++) {
        struct reader *r = &b->reader[i];
        r->writer = &b->spool->writer[i];
        r->first = r->current = place_new(b, r->writer->first);
        r->writer->first = NULL; /* ours to close from here */
    }
}

static void forget_call(void *ctx, struct fold_call *c) {
    struct books *b = ctx;
    if (c->spilled && !c->queued) { /* its first events are nowhere else; reading some again is harmless */
        c->spilled = false;
        c->place = NULL;
        c->held_link = NULL;
        return;
    }
    fold_drop(&b->fold, c);
}

static void pin_again(void *ctx, struct fold_call *c) {
    struct books *b = ctx;
    c->place = b->reader[0].first;
    c->place->open++;
}

void slice_rewind(struct books *b) {
    fold_each(&b->fold, forget_call, b);
    queue_init(&b->queue);
    b->held = NULL;
    b->dropped.count = 0;
    uint64_t again = 0;
    for (uint32_t i = 0; i < b->spool->count; i++) {
        struct reader *r = &b->reader[i];
        for (struct fold_place *p = r->first; p; p = p->next) {
            p->at = p->marked = p->shed = SEGMENT_HEAD;
            p->applied = (size_t)store_applied(b->store, p->s->name);
            p->open = 0;
            again += p->events;
            p->events = 0;
        }
        r->current = r->first;
    }
    fold_each(&b->fold, pin_again, b);
    atomic_fetch_sub(&b->handled, again - b->slice_events);
    b->slice_events = 0;
}

void readers_close(struct books *b) {
    for (uint32_t i = 0; i < b->spool->count; i++) {
        struct reader *r = &b->reader[i];
        bool empty = b->fold.count == 0;
        for (struct fold_place *p = r->first, *next; p; p = next) {
            next = p->next;
            empty = empty && p->marked == atomic_load(&p->s->head->committed);
            if (empty)
                let_go(b, p->s);
            else
                segment_close(p->s);
            free(p);
        }
    }
    free(b->reader);
}
