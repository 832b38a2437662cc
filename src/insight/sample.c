/* sample: see sample.h.
 *
 * Each call draws a number from its id and place. A stratum keeps the calls with the smallest numbers (a heap,
 * largest on top), as many as the sample has room for: when it is full, the stratum with most rows gives one
 * away, so that all end at the same height or at their own size. That height only falls as calls come, so what
 * was let go never has to come back, and every stratum's rows are a uniform draw of its calls. */
#include "insight/sample.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/redact.h"
#include "insight/lazy.h"
#include "insight/walk.h"

#include <stdlib.h>

enum { SLOTS = SAMPLE_STRATA_MAX * 2, BEYOND = 4096, TEXTS = 4 };

static const struct {
    const char *name;
    int64_t below;
} lengths[SAMPLE_LENGTHS] = {{"short", 500}, {"medium", 2000}, {"long", 8000}, {"huge", INT64_MAX}};

struct row {
    uint64_t draw;
    char *line; /* an object that is still open */
    uint32_t n, redacted;
};

struct stratum {
    uint64_t key;
    uint64_t calls, limit; /* draws from `limit` on were let go */
    struct row *heap;
    uint32_t kept, cap;
};

struct sample {
    struct stratum stratum[SAMPLE_STRATA_MAX];
    uint16_t slot[SLOTS]; /* index + 1 */
    uint32_t strata, rows, max;
    size_t text_max;
    uint64_t calls;
    arena scratch;
};

struct sample *sample_new(uint32_t rows) {
    struct sample *s = xcalloc(1, sizeof *s);
    s->max = rows < 1 ? 1 : rows > SAMPLE_ROWS_MAX ? SAMPLE_ROWS_MAX : rows;
    s->text_max = SAMPLE_MEMORY_MAX / s->max / TEXTS;
    if (s->text_max > SAMPLE_TEXT_MAX) s->text_max = SAMPLE_TEXT_MAX;
    if (s->text_max < SAMPLE_TEXT_LEAST) s->text_max = SAMPLE_TEXT_LEAST;
    arena_init(&s->scratch, 64 << 10, (size_t)SAMPLE_MEMORY_MAX);
    return s;
}

void sample_free(struct sample *s) {
    if (!s) return;
    for (uint32_t i = 0; i < s->strata; i++) {
        for (uint32_t k = 0; k < s->stratum[i].kept; k++) free(s->stratum[i].heap[k].line);
        free(s->stratum[i].heap);
    }
    arena_free(&s->scratch);
    free(s);
}

/* ---- strata ---- */

static unsigned length_of(int64_t tokens) {
    unsigned l = 0;
    while (tokens >= lengths[l].below) l++;
    return l;
}

static struct stratum *stratum_of(struct sample *s, const struct sample_call *x) {
    uint64_t key =
        (((uint64_t)x->model_index * TASK_COUNT + x->f->task) * 64 + (x->tier_index & 63)) * SAMPLE_LENGTHS +
        length_of(x->input_tokens) + 1;
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 40) % SLOTS;
    for (; s->slot[i]; i = (i + 1) % SLOTS)
        if (s->stratum[s->slot[i] - 1].key == key) return &s->stratum[s->slot[i] - 1];
    if (s->strata == SAMPLE_STRATA_MAX) return &s->stratum[SAMPLE_STRATA_MAX - 1];
    struct stratum *t = &s->stratum[s->strata];
    *t = (struct stratum){.key = key, .limit = UINT64_MAX};
    s->slot[i] = (uint16_t)++s->strata;
    return t;
}

static void swap(struct row *a, struct row *b) {
    struct row t = *a;
    *a = *b;
    *b = t;
}

static void push(struct stratum *t, struct row row) {
    if (t->kept == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 4;
        t->heap = xrealloc(t->heap, sizeof *t->heap * t->cap);
    }
    uint32_t i = t->kept++;
    t->heap[i] = row;
    for (; i > 0 && t->heap[(i - 1) / 2].draw < t->heap[i].draw; i = (i - 1) / 2)
        swap(&t->heap[(i - 1) / 2], &t->heap[i]);
}

/* Lets the row with the largest draw go. */
static void pop(struct stratum *t) {
    if (t->heap[0].draw < t->limit) t->limit = t->heap[0].draw;
    free(t->heap[0].line);
    t->heap[0] = t->heap[--t->kept];
    for (uint32_t i = 0, c; (c = 2 * i + 1) < t->kept; i = c) {
        if (c + 1 < t->kept && t->heap[c + 1].draw > t->heap[c].draw) c++;
        if (t->heap[c].draw <= t->heap[i].draw) break;
        swap(&t->heap[c], &t->heap[i]);
    }
}

/* The stratum that gives a place away: most rows, then fewest calls. */
static struct stratum *richest(struct sample *s) {
    struct stratum *r = NULL;
    for (uint32_t i = 0; i < s->strata; i++) {
        struct stratum *t = &s->stratum[i];
        if (!r || t->kept > r->kept || (t->kept == r->kept && t->calls < r->calls)) r = t;
    }
    return r;
}

/* Makes a place for a call of `t`; false when it gets none. */
static bool place(struct sample *s, struct stratum *t, uint64_t draw) {
    if (draw >= t->limit) return false;
    if (s->rows < s->max) return s->rows++, true;
    struct stratum *from = richest(s);
    bool poorer = t->kept + 1 < from->kept || (t->kept == 0 && from->kept == 1 && t->calls > from->calls);
    if (!poorer) from = t;
    if (from == t && (t->kept == 0 || draw >= t->heap[0].draw)) {
        t->limit = draw;
        return false;
    }
    pop(from);
    return true;
}

/* ---- a row ---- */

struct pieces {
    struct sample *s;
    buf text;
};

static void add_piece(void *ctx, str raw, bool esc) {
    struct pieces *p = ctx;
    size_t room = p->s->text_max + BEYOND;
    if (p->text.n >= room) return;
    if (p->text.n) buf_char(&p->text, '\n');
    buf_str(&p->text, str_take(lazy_text((jval){.raw = str_take(raw, room * 2), .type = J_STRING, .esc = esc},
                                         &p->s->scratch),
                               room));
}

/* Redacted first, cut then: a number cut in two would not be known. */
static unsigned write_text(struct sample *s, jw *w, const char *key, const buf *text, bool *cut) {
    buf clean;
    buf_init(&clean, (s->text_max + BEYOND) * 8 + BEYOND);
    unsigned found = redact(buf_view(text), &clean);
    size_t n = clean.n < s->text_max ? clean.n : s->text_max;
    while (n > 0 && n < clean.n && ((unsigned char)clean.p[n] & 0xC0) == 0x80) n--;
    *cut = *cut || n < clean.n;
    jw_key(w, key);
    jw_string(w, (str){clean.p, n});
    buf_free(&clean);
    return found;
}

static void parts(struct pieces *p, const struct prompt_part *part, unsigned n, bool said) {
    for (unsigned i = 0; i < n; i++) {
        if (said) buf_strz(&p->text, i ? "\n" : "");
        if (said) buf_strz(&p->text, part[i].assistant ? "assistant:" : "user:");
        add_piece(p, part[i].raw, part[i].esc);
    }
}

static unsigned write_texts(struct sample *s, const struct sample_call *x, jw *w) {
    static const char *const keys[TEXTS] = {"system", "context", "prompt", "answer"};
    unsigned found = 0;
    bool cut = false;
    for (unsigned k = 0; k < TEXTS; k++) {
        struct pieces p = {.s = s};
        buf_init(&p.text, (s->text_max + BEYOND) * 4);
        if (k == 0) parts(&p, x->p->system, x->p->system_count, false);
        if (k == 1) parts(&p, x->p->history, x->p->history_count, true);
        if (k == 2) parts(&p, x->p->user, x->p->user_count, false);
        if (k == 3) log_answer_pieces(&x->c->text, add_piece, &p);
        if (p.text.n || k == 2) found += write_text(s, w, keys[k], &p.text, &cut);
        buf_free(&p.text);
    }
    jw_key(w, "cut");
    jw_bool(w, cut);
    return found;
}

static void named(jw *w, const char *key, str v) {
    jw_key(w, key);
    jw_string(w, v);
}

static struct row make_row(struct sample *s, const struct sample_call *x, uint64_t draw) {
    struct row r = {.draw = draw};
    buf b;
    jw w;
    buf_init(&b, SAMPLE_MEMORY_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    const char *slash = strrchr(x->at->file, '/');
    named(&w, "id",
          x->c->id.n ? x->c->id
                     : arena_printf(&s->scratch, "%s:%llu", slash ? slash + 1 : x->at->file,
                                    (unsigned long long)x->at->line));
    str model = x->provider.n
                    ? arena_printf(&s->scratch, STR_FMT "/" STR_FMT, STR_ARG(x->provider), STR_ARG(x->model))
                    : x->model;
    named(&w, "model", model);
    named(&w, "task", str_from(task_name((enum task)x->f->task)));
    named(&w, "tier", x->tier);
    named(&w, "length", str_from(lengths[length_of(x->input_tokens)].name));
    jw_key(&w, "input_tokens");
    jw_i64(&w, x->input_tokens);
    jw_key(&w, "output_tokens");
    jw_i64(&w, x->output_tokens);
    if (x->cost != COST_UNKNOWN) { /* as dataset.h has it: {model: dollars} */
        char dollars[32];
        jw_key(&w, "cost");
        jw_object(&w);
        jw_key_str(&w, model);
        jw_raw(&w, (str){dollars, fmt_nano(dollars, x->cost)});
        jw_object_end(&w);
    }
    r.redacted = write_texts(s, x, &w);
    jw_key(&w, "label");
    jw_null(&w);
    jw_key(&w, "score");
    jw_null(&w);
    r.n = (uint32_t)b.n;
    r.line = xrealloc(b.p, b.n + 1);
    arena_free(&s->scratch);
    return r;
}

void sample_add(struct sample *s, const struct sample_call *x) {
    struct stratum *t = stratum_of(s, x);
    uint64_t key[2] = {fingerprint(x->c->id), x->at->line};
    uint64_t draw = fingerprint((str){(const char *)key, sizeof key});
    s->calls++;
    t->calls++;
    if (place(s, t, draw)) push(t, make_row(s, x, draw));
}

/* ---- out ---- */

void sample_stats(const struct sample *s, struct sample_stats *out) {
    *out = (struct sample_stats){.rows = s->rows, .strata = s->strata, .calls = s->calls};
    for (uint32_t i = 0; i < s->strata; i++) {
        const struct stratum *t = &s->stratum[i];
        out->missing += t->kept == 0;
        out->missing_calls += t->kept == 0 ? t->calls : 0;
        for (uint32_t k = 0; k < t->kept; k++) out->redacted += t->heap[k].redacted;
    }
}

bool sample_lines(const struct sample *s, bool (*each)(void *ctx, str line), void *ctx) {
    buf b;
    bool more = true;
    buf_init(&b, SAMPLE_MEMORY_MAX);
    for (uint32_t i = 0; i < s->strata && more; i++) {
        const struct stratum *t = &s->stratum[i];
        for (uint32_t k = 0; k < t->kept && more; k++) {
            buf_clear(&b);
            buf_add(&b, t->heap[k].line, t->heap[k].n);
            buf_printf(&b, ",\"stratum_calls\":%llu,\"stratum_rows\":%u,\"weight\":%.6g}\n",
                       (unsigned long long)t->calls, t->kept, (double)t->calls / t->kept);
            more = each(ctx, buf_view(&b));
        }
    }
    buf_free(&b);
    return more;
}
