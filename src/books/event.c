/* event: the codec of the spool.
 *
 * Fields stand in a fixed order (wire.def, facts.def), integers as LEB128 varints, so that zeros cost a
 * byte and a typical call's three events make about 600 bytes. Writing is straight-line code into the
 * mapped segment: no allocation, no second copy. Reading is defensive: a length past the end stops it,
 * and what was not read keeps its default. */
#include "books/event.h"

#include "base/buf.h"

#include <math.h>

/* ---- writing ---- */

struct put {
    unsigned char *p;
    const unsigned char *end;
    bool full;
};

static inline bool put_room(struct put *w, size_t n) {
    if ((size_t)(w->end - w->p) >= n) return true;
    w->full = true;
    return false;
}

static inline void put_U(struct put *w, uint64_t v) {
    if (!put_room(w, 10)) return;
    while (v >= 0x80) {
        *w->p++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *w->p++ = (unsigned char)v;
}

/* Signed: small magnitudes of either sign are short. */
static inline uint64_t zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static inline int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

/* Unknown is 0, everything else one more than its zigzag (COST_UNKNOWN itself is the one value that
 * would overflow). */
static inline void put_MONEY(struct put *w, int64_t v) { put_U(w, v == COST_UNKNOWN ? 0 : zigzag(v) + 1); }

static inline void put_raw(struct put *w, const void *p, size_t n) {
    if (!n || !put_room(w, n)) return;
    memcpy(w->p, p, n);
    w->p += n;
}
static inline void put_D(struct put *w, double v) { put_raw(w, &v, sizeof v); }
static inline void put_F(struct put *w, float v) { put_raw(w, &v, sizeof v); }
static inline void put_H(struct put *w, uint64_t v) { put_raw(w, &v, sizeof v); }

static inline void put_STR(struct put *w, str s) {
    if (s.n > EVENT_STR_MAX) {
        s.n = EVENT_STR_MAX;
        while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) s.n--;
    }
    put_U(w, s.n);
    put_raw(w, s.p, s.n);
}

static void put_usage(struct put *w, const struct usage *u, const struct usage_cost *c) {
    uint32_t used = 0;
    for (unsigned i = 0; i < USAGE_CLASSES; i++)
        if (u->units[i]) used |= 1u << i;
    put_U(w, used);
    put_U(w, (uint64_t)u->source | (uint64_t)u->service_tier << 4 | (uint64_t)u->suspect << 8);
    put_MONEY(w, c->total);
    for (unsigned i = 0; used; i++, used >>= 1) {
        if (!(used & 1)) continue;
        put_U(w, zigzag(u->units[i]));
        put_MONEY(w, c->rate[i]);
        put_MONEY(w, c->cost[i]);
    }
}

/* Behind their length in two bytes, so that more can follow later. */
static void put_facts(struct put *w, const struct facts *f) {
    unsigned char *start = w->p;
    uint16_t len = 0;
    put_raw(w, &len, sizeof len);
    if (!f || w->full) return;
    put_U(w, f->tag_count);
    for (unsigned i = 0; i < f->tag_count; i++) put_STR(w, f->tag[i]);
    put_U(w, f->named_count);
    for (unsigned i = 0; i < f->named_count; i++) {
        put_STR(w, f->named[i].name);
        put_U(w, f->named[i].value.p != NULL);
        put_STR(w, f->named[i].value);
    }
#define F(type, member) put_##type(w, f->member);
#include "books/facts.def"
#undef F
    len = (uint16_t)(w->p - start - (ptrdiff_t)sizeof len);
    memcpy(start, &len, sizeof len);
}

size_t event_put_begin(unsigned char *p, const unsigned char *end, const struct record *r) {
    struct put w = {p, end, false};
    put_facts(&w, r->facts);
    put_U(&w, r->candidate_count);
    for (unsigned i = 0; i < r->candidate_count; i++) {
        put_STR(&w, r->candidate[i].target);
        put_MONEY(&w, r->candidate[i].expected_cost);
        put_F(&w, r->candidate[i].score);
    }
#define PUT_BEGIN(type, member) put_##type(&w, r->member);
#define PUT_END(type, member)
#define W(event, type, member) PUT_##event(type, member)
#include "books/wire.def"
#undef PUT_BEGIN
#undef PUT_END
    return w.full ? 0 : (size_t)(w.p - p);
}

size_t event_put_end(unsigned char *p, const unsigned char *end, const struct record *r) {
    struct put w = {p, end, false};
    put_usage(&w, &r->usage, &r->cost_lines);
#define PUT_BEGIN(type, member)
#define PUT_END(type, member) put_##type(&w, r->member);
#include "books/wire.def"
#undef PUT_BEGIN
#undef PUT_END
#undef W
    return w.full ? 0 : (size_t)(w.p - p);
}

size_t event_put_attempt(unsigned char *p, const unsigned char *end, const struct record_attempt *t) {
    struct put w = {p, end, false};
    put_STR(&w, t->target);
    put_U(&w, t->status);
    put_STR(&w, t->error);
    put_U(&w, t->start_us);
    put_U(&w, t->first_byte_us);
    put_U(&w, t->end_us);
    put_usage(&w, &t->usage, &t->cost);
    return w.full ? 0 : (size_t)(w.p - p);
}

size_t event_put_amend(unsigned char *p, const unsigned char *end, const struct record_amend *m) {
    struct put w = {p, end, false};
    put_facts(&w, m->facts);
    put_U(&w, m->time_us);
    put_F(&w, m->quality);
    put_STR(&w, m->quality_source);
    put_STR(&w, m->label);
    put_STR(&w, m->comment);
    put_H(&w, m->prompt_hash);
    return w.full ? 0 : (size_t)(w.p - p);
}

/* ---- reading ---- */

struct get {
    const unsigned char *p, *end;
    bool bad;
};

static uint64_t get_long(struct get *g) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (g->p == g->end) break;
        unsigned char c = *g->p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) return v;
    }
    g->bad = true;
    return 0;
}

/* Most are small. */
static inline uint64_t get_U(struct get *g) {
    if (g->p != g->end && *g->p < 0x80) return *g->p++;
    return get_long(g);
}

static int64_t get_MONEY(struct get *g) {
    uint64_t v = get_U(g);
    return v == 0 ? COST_UNKNOWN : unzigzag(v - 1);
}

static void get_raw(struct get *g, void *out, size_t n) {
    if ((size_t)(g->end - g->p) < n) {
        g->bad = true;
        return;
    }
    memcpy(out, g->p, n);
    g->p += n;
}
static double get_D(struct get *g) {
    double v = 0;
    get_raw(g, &v, sizeof v);
    return v;
}
static float get_F(struct get *g) {
    float v = 0;
    get_raw(g, &v, sizeof v);
    return v;
}
static uint64_t get_H(struct get *g) {
    uint64_t v = 0;
    get_raw(g, &v, sizeof v);
    return v;
}

static str get_STR(struct get *g) {
    uint64_t n = get_U(g);
    if (g->bad || n > (size_t)(g->end - g->p)) {
        g->bad = true;
        return STR_NONE;
    }
    str s = {(const char *)g->p, (size_t)n};
    g->p += n;
    return s;
}

/* One member, by its type in wire.def or facts.def. */
#define READ_U(m) m = (__typeof__(m))get_U(g);
#define READ_MONEY(m) m = get_MONEY(g);
#define READ_D(m) m = get_D(g);
#define READ_F(m) m = get_F(g);
#define READ_H(m) m = get_H(g);
#define READ_STR(m) m = get_STR(g);

static void get_usage(struct get *g, struct usage *u, struct usage_cost *c) {
    *u = (struct usage){0};
    memset(c, 0, sizeof *c);
    uint64_t used = get_U(g), bits = get_U(g);
    u->source = bits & 15;
    u->service_tier = (bits >> 4) & 15;
    u->suspect = (bits >> 8) & 1;
    c->total = get_MONEY(g);
    for (unsigned i = 0; i < USAGE_CLASSES; i++) c->rate[i] = PRICE_UNKNOWN;
    for (used &= (1u << USAGE_CLASSES) - 1; used; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctzll(used);
        u->units[i] = unzigzag(get_U(g));
        c->rate[i] = get_MONEY(g);
        c->cost[i] = get_MONEY(g);
    }
}

static bool get_facts(struct get *outer, struct facts *f, struct fact_named named[FACTS_NAMED_MAX]) {
    uint16_t len = 0;
    get_raw(outer, &len, sizeof len);
    if (len == 0 || outer->bad || (size_t)(outer->end - outer->p) < len) return false;
    struct get part = {outer->p, outer->p + len, false}, *g = &part;
    outer->p += len;
    facts_init(f);
    uint64_t tags = get_U(g);
    if (tags > FACTS_TAGS_MAX) g->bad = true;
    for (uint64_t i = 0; i < tags && !g->bad; i++) f->tag[f->tag_count++] = get_STR(g);
    uint64_t count = get_U(g);
    if (count > FACTS_NAMED_MAX) g->bad = true;
    f->named = named;
    for (uint64_t i = 0; i < count && !g->bad; i++) {
        struct fact_named *v = &named[f->named_count++];
        v->name = get_STR(g);
        bool present = get_U(g) != 0;
        v->value = get_STR(g);
        if (!present) v->value = STR_NONE;
    }
#define F(type, member)                                                                                           \
    if (g->p < g->end) READ_##type(f->member)
#include "books/facts.def"
#undef F
    return !g->bad;
}

static void get_begin(struct get *g, struct folded *f) {
    struct record *r = &f->r;
    struct facts facts;
    struct fact_named named[FACTS_NAMED_MAX];
    if (get_facts(g, &facts, named) && !f->labelled) {
        memcpy(f->named, named, facts.named_count * sizeof *named);
        f->facts = facts;
        f->facts.named = f->named;
        f->has_facts = true;
    }
    uint64_t count = get_U(g);
    if (count > RECORD_CANDIDATES_MAX) g->bad = true;
    for (uint64_t i = 0; i < count && !g->bad; i++) {
        struct record_candidate *c = &r->candidate[r->candidate_count++];
        c->target = get_STR(g);
        c->expected_cost = get_MONEY(g);
        c->score = get_F(g);
    }
#define GET_BEGIN(type, member)                                                                                   \
    if (g->p < g->end) READ_##type(r->member)
#define GET_END(type, member)
#define W(event, type, member) GET_##event(type, member)
#include "books/wire.def"
#undef GET_BEGIN
#undef GET_END
}

/* The usage of the attempt that answered is the call's own, byte for byte: its bytes stand right in front of the
 * end event as a rule, and are compared rather than read twice. */
static void get_end_usage(struct get *g, struct folded *f) {
    const struct record_attempt *t = f->attempt_count ? &f->attempt[f->attempt_count - 1] : NULL;
    str was = f->last_usage;
    if (t && was.n && (size_t)(g->end - g->p) >= was.n && memcmp(g->p, was.p, was.n) == 0) {
        f->r.usage = t->usage;
        f->r.cost_lines = t->cost;
        g->p += was.n;
        return;
    }
    get_usage(g, &f->r.usage, &f->r.cost_lines);
}

static void get_end(struct get *g, struct folded *f) {
    struct record *r = &f->r;
    get_end_usage(g, f);
#define GET_BEGIN(type, member)
#define GET_END(type, member)                                                                                     \
    if (g->p < g->end) READ_##type(r->member)
#include "books/wire.def"
#undef GET_BEGIN
#undef GET_END
#undef W
}

static str get_attempt(struct get *g, struct record_attempt *t) {
    t->target = get_STR(g);
    t->status = (uint16_t)get_U(g);
    t->error = get_STR(g);
    t->start_us = get_U(g);
    t->first_byte_us = get_U(g);
    t->end_us = get_U(g);
    const unsigned char *from = g->p;
    get_usage(g, &t->usage, &t->cost);
    return g->bad ? STR_NONE : str_make((const char *)from, (size_t)(g->p - from));
}

/* What an amendment doesn't say keeps the word that was said before. A label may be read before its call's
 * begin (another thread wrote it); the begin's own facts then give way. */
static void get_amend(struct get *g, struct folded *f) {
    struct record_amend m = {0};
    struct facts facts;
    struct fact_named named[FACTS_NAMED_MAX];
    bool labelled = get_facts(g, &facts, named);
    m.time_us = get_U(g);
    m.quality = get_F(g);
    m.quality_source = get_STR(g);
    m.label = get_STR(g);
    m.comment = get_STR(g);
    if (g->p < g->end) m.prompt_hash = get_H(g);
    if (g->bad || isnan(m.quality)) {
        g->bad = true;
        return;
    }
    struct record_amend *was = &f->amend;
    if (labelled) {
        memcpy(f->named, named, facts.named_count * sizeof *named);
        f->facts = facts;
        f->facts.named = f->named;
        f->has_facts = f->labelled = true;
    }
    was->time_us = m.time_us;
    if (m.quality >= 0) {
        was->quality = m.quality;
        was->quality_source = m.quality_source;
    }
    if (m.label.n) was->label = m.label;
    if (m.comment.n) was->comment = m.comment;
    if (m.prompt_hash) was->prompt_hash = m.prompt_hash;
    f->amended = true;
}

void folded_init(struct folded *f) {
    /* What counts tell of needs no clearing. */
    memset(f, 0, offsetof(struct folded, named));
    memset((char *)f + offsetof(struct folded, attempt_count), 0,
           sizeof *f - offsetof(struct folded, attempt_count));
    f->r.cost = f->r.baseline_cost = f->r.observed_cost = f->r.cost_lines.total = COST_UNKNOWN;
    f->r.propensity = 1;
    f->amend.quality = -1;
}

static bool add_attempt(struct folded *f, uint16_t n, struct get *g) {
    if (n == 0 || n > RECORD_ATTEMPTS_MAX) return false;
    while (f->attempt_count < n) f->attempt[f->attempt_count++] = (struct record_attempt){0};
    if (f->attempt[n - 1].n) return true;
    str usage = get_attempt(g, &f->attempt[n - 1]);
    f->last_usage = n == f->attempt_count ? usage : STR_NONE;
    f->attempt[n - 1].n = (uint8_t)n;
    return !g->bad;
}

bool folded_add(struct folded *f, uint8_t type, uint16_t n, str payload) {
    struct get g = {(const unsigned char *)payload.p, (const unsigned char *)payload.p + payload.n, false};
    switch (type) {
    case EVENT_BEGIN:
        if (f->begun) return true;
        f->begun = true;
        get_begin(&g, f);
        break;
    case EVENT_ATTEMPT: return add_attempt(f, n, &g);
    case EVENT_END:
        if (f->ended) return true;
        f->ended = true;
        get_end(&g, f);
        break;
    case EVENT_AMEND: get_amend(&g, f); break;
    default: return false; /* a later version's; skipped */
    }
    return !g.bad;
}
