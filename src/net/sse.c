/* sse: where an event ends is found by four states that live from feed to feed, so that nothing is searched
 * twice; its lines are looked at once it is complete.
 *
 *     BEGIN --other--> INSIDE --LF--> BEGIN          BEGIN: at the start of a line
 *     INSIDE --CR--> CR_LINE --LF or nothing--> BEGIN
 *     BEGIN --LF--> end of event
 *     BEGIN --CR--> CR_BLANK --LF or nothing--> end of event */
#include "net/sse.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BEGIN, INSIDE, CR_LINE, CR_BLANK };

void sse_init(struct sse *s, size_t max) {
    *s = (struct sse){.state = BEGIN};
    buf_init(&s->held, max);
    buf_init(&s->joined, SIZE_MAX); /* never longer than its event */
}

void sse_free(struct sse *s) {
    buf_free(&s->held);
    buf_free(&s->joined);
}

/* First CR or LF from p on. */
static inline const char *line_end(const char *p, const char *end) {
#if defined(__SSE2__)
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)));
        if (mask) return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && *p != '\r' && *p != '\n') p++;
    return p;
}

/* How many bytes of `in` belong to the event that is open, when it ends there; else -1. */
static ptrdiff_t event_end(struct sse *s, str in) {
    const char *p = in.p, *end = p + in.n;
    while (p < end) {
        switch (s->state) {
        case BEGIN:
            s->state = *p == '\n' ? BEGIN : *p == '\r' ? CR_BLANK : INSIDE;
            if (*p++ == '\n') return p - in.p;
            break;
        case INSIDE:
            p = line_end(p, end);
            if (p < end) s->state = *p++ == '\n' ? BEGIN : CR_LINE;
            break;
        case CR_LINE:
            if (*p == '\n') p++;
            s->state = BEGIN;
            break;
        default:
            if (*p == '\n') p++;
            s->state = BEGIN;
            return p - in.p;
        }
    }
    return -1;
}

/* The value of a line when its field is `name`. */
static bool field(str line, str name, str *value) {
    if (!str_starts(line, name)) return false;
    *value = str_skip(line, name.n);
    if (!value->n) return true; /* a field without colon is an empty one */
    if (value->p[0] != ':') return false;
    *value = str_skip(*value, value->n > 1 && value->p[1] == ' ' ? 2 : 1);
    return true;
}

static void add_data(struct sse *s, struct sse_event *e, str value) {
    e->single = !e->has_data;
    if (e->single) {
        e->data = value;
        e->data_at = (uint32_t)(value.p - e->bytes.p);
    } else {
        if (!s->joined.n) buf_str(&s->joined, e->data);
        buf_char(&s->joined, '\n');
        buf_str(&s->joined, value);
        e->data = buf_view(&s->joined);
    }
    e->has_data = true;
}

static void read_lines(struct sse *s, str bytes, struct sse_event *e) {
    const char *p = bytes.p, *end = p + bytes.n;
    *e = (struct sse_event){.bytes = bytes};
    buf_clear(&s->joined);
    if (!s->begun && str_starts(bytes, STR("\xef\xbb\xbf"))) p += 3;
    s->begun = true;
    while (p < end) {
        const char *q = line_end(p, end);
        str line = str_make(p, (size_t)(q - p)), value;
        if (field(line, STR("data"), &value))
            add_data(s, e, value);
        else if (field(line, STR("event"), &value))
            e->event = value;
        p = q + 1; /* the LF of a CRLF then is an empty line more, which says nothing */
    }
}

/* `held` was given out with the last event: it is free now. */
static void take_back(struct sse *s) {
    if (s->given) buf_clear(&s->held);
    s->given = false;
}

static void give_held(struct sse *s, struct sse_event *out) {
    s->given = true;
    read_lines(s, buf_view(&s->held), out);
}

bool sse_next(struct sse *s, str *in, struct sse_event *out) {
    take_back(s);
    if (s->held.failed || !in->n) return false;
    ptrdiff_t at = event_end(s, *in);
    size_t n = at < 0 ? in->n : (size_t)at;
    if (at >= 0 && !s->held.n) {
        read_lines(s, str_take(*in, n), out);
    } else {
        buf_add(&s->held, in->p, n);
        if (s->held.failed) return false;
        if (at >= 0) give_held(s, out);
    }
    *in = str_skip(*in, n);
    return at >= 0;
}

bool sse_finish(struct sse *s, struct sse_event *out) {
    take_back(s);
    if (s->held.failed || s->state != CR_BLANK) return false;
    s->state = BEGIN;
    give_held(s, out);
    return true;
}

str sse_rest(const struct sse *s) { return s->given ? STR_NONE : buf_view(&s->held); }
