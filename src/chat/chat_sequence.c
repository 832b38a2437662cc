/* chat_sequence: one block at a time, for clients whose streams can have no other.
 *
 * Providers may mix the pieces of several tool calls, or say something between two pieces of one. Here the call
 * that began first stays open until its provider ends it or, once something else comes, its arguments have their
 * last bracket; what comes meanwhile waits and follows in its order. Nothing waits while no call is open. */
#include "chat/chat_int.h"

struct chat_held {
    struct chat_held *next;
    struct chat_event ev;
    struct chat_part part;
};

static jtext keep(arena *a, jtext t) { return jt_has(t) ? (jtext){arena_str(a, t.raw)} : t; }

static struct chat_held *copy(arena *a, const struct chat_event *ev) {
    struct chat_held *h = arena_new(a, struct chat_held);
    h->ev = *ev;
    h->ev.text = keep(a, ev->text);
    h->ev.id = keep(a, ev->id);
    h->ev.name = keep(a, ev->name);
    h->ev.signature = keep(a, ev->signature);
    if (ev->json.n) h->ev.json = arena_str(a, ev->json);
    if (!ev->part) return h;
    h->part = *ev->part;
    h->part.mime = keep(a, ev->part->mime);
    h->part.data = keep(a, ev->part->data);
    h->part.url = keep(a, ev->part->url);
    h->ev.part = &h->part;
    return h;
}

static void hold(struct chat_sequence *q, const struct chat_event *ev, struct chat_held *h) {
    if (!h) h = copy(&q->a, ev);
    h->next = NULL;
    if (q->last)
        q->last->next = h;
    else
        q->first = h;
    q->last = h;
}

/* One character of the arguments; 0: one that has no meaning in JSON's structure. */
static void follow_char(struct chat_sequence *q, char c) {
    if (q->escaped)
        q->escaped = false;
    else if (q->in_string && c == '\\')
        q->escaped = true;
    else if (c == '"')
        q->in_string = !q->in_string;
    else if (!q->in_string && (c == '{' || c == '['))
        q->depth++, q->any = true;
    else if (!q->in_string && (c == '}' || c == ']'))
        q->depth--;
}

/* Follows brackets and strings. Arguments are JSON inside of a JSON string: quotes and backslashes come escaped,
 * and an escape is never cut by an event's end. */
static void follow(struct chat_sequence *q, jtext text) {
    str s = text.raw;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\' && i + 1 < s.n) {
            c = s.p[++i];
            if (c == 'u' && i + 4 < s.n) {
                str hex = str_make(s.p + i + 1, 4);
                c = str_eqz(hex, "0022") ? '"' : str_eqz(hex, "005c") || str_eqz(hex, "005C") ? '\\' : 0;
                i += 4;
            } else if (c != '"' && c != '\\') {
                c = 0;
            }
        }
        follow_char(q, c);
    }
}

static void tell(struct chat_sequence *q, const struct chat_event *ev) { q->ops->write_event(q->writer, ev); }

static bool is_open(const struct chat_sequence *q, const struct chat_event *ev) {
    return q->open && ev->choice == q->choice && ev->call == q->call;
}

static void open_call(struct chat_sequence *q, const struct chat_event *ev) {
    q->open = true;
    q->choice = ev->choice;
    q->call = ev->call;
    q->depth = 0;
    q->any = q->in_string = q->escaped = false;
    tell(q, ev);
}

static bool put(struct chat_sequence *q, const struct chat_event *ev, struct chat_held *h);

/* Ends the open call; what waited for that follows, which may open the next one. */
static bool close_call(struct chat_sequence *q) {
    struct chat_event end = {.type = CE_CALL_END, .choice = q->choice, .call = q->call};
    struct chat_held *h = q->first, *next;
    q->open = false;
    q->first = q->last = NULL;
    tell(q, &end);
    for (bool good = true; h; h = next) {
        next = h->next;
        good = put(q, &h->ev, h);
        if (!good) return false;
    }
    return true;
}

static bool is_blank(jtext t) {
    for (size_t i = 0; i < t.raw.n; i++)
        if (!strchr(" \\nrt", t.raw.p[i])) return false;
    return true;
}

static bool put(struct chat_sequence *q, const struct chat_event *ev, struct chat_held *h) {
    bool own = is_open(q, ev), piece = ev->type == CE_ARGS || ev->type == CE_CALL_END;
    if (own && ev->type == CE_ARGS) follow(q, ev->text);
    if (own && ev->type == CE_CALL_END) return close_call(q);
    if (own && piece) {
        tell(q, ev);
        return true;
    }
    while (q->open && !piece && q->any && q->depth <= 0)
        if (!close_call(q)) return false;
    if (q->open) {
        hold(q, ev, h);
        return !arena_failed(&q->a);
    }
    if (piece) return ev->type == CE_CALL_END || is_blank(ev->text); /* of a call that was over */
    if (ev->type == CE_CALL)
        open_call(q, ev);
    else
        tell(q, ev);
    return true;
}

bool chat_sequence_put(struct chat_sequence *q, const struct chat_event *ev) {
    if (ev->type == CE_USAGE || ev->type == CE_ERROR) {
        tell(q, ev);
        return true;
    }
    if (ev->type == CE_END || (ev->type == CE_FINISH && q->open && ev->choice == q->choice))
        while (q->open)
            if (!close_call(q)) return false;
    bool good = put(q, ev, NULL);
    if (!q->open && q->a.last) arena_free(&q->a);
    return good;
}
