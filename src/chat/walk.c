/* walk: the last user turn is kept apart from what came before; what tools say is counted, but nobody asked it.
 * A system prompt's fingerprint reads the first SYSTEM_HASH_BYTES of each part, and its length. */
#include "chat/walk.h"

#include "base/hash.h"

enum { SYSTEM_HASH_BYTES = 4096 };

void walk_begin(struct walk *w, struct facts *f, struct prompt *p) {
    w->f = f;
    w->p = p;
    w->tokens = (struct token_estimate){0};
    w->ring_count = w->turn = 0;
    w->last = WALK_SYSTEM;
    *p = (struct prompt){0};
}

void walk_count(uint16_t *n) {
    if (*n < UINT16_MAX) ++*n;
}

void walk_message(struct walk *w, enum walk_role role) {
    walk_count(&w->f->turns);
    if (role == WALK_USER && (w->last != WALK_USER || !w->turn)) {
        w->turn++;
        w->p->user_count = 0;
    }
    w->last = role;
    w->p->agent_step = role == WALK_TOOL;
}

void walk_text(struct walk *w, enum walk_role role, str raw, bool esc) {
    struct prompt *p = w->p;
    if (!raw.n) return;
    tokens_add(&w->tokens, raw, esc);
    struct prompt_part part = {raw, esc, role == WALK_ASSISTANT};
    if (role == WALK_SYSTEM) {
        uint64_t hash = fingerprint(str_take(raw, SYSTEM_HASH_BYTES)) ^ raw.n;
        w->f->system_hash = w->f->system_hash * 0x9E3779B97F4A7C15u ^ hash;
        if (p->system_count < PROMPT_SYSTEM_MAX) p->system[p->system_count++] = part;
        return;
    }
    if (role == WALK_TOOL) return;
    if (role == WALK_USER && p->user_count < PROMPT_USER_MAX) p->user[p->user_count++] = part;
    w->ring[w->ring_count % WALK_RING].part = part;
    w->ring[w->ring_count % WALK_RING].turn = role == WALK_USER ? w->turn : UINT32_MAX;
    w->ring_count++;
}

/* History: the newest parts that are not of the last user turn, oldest first. */
static void take_history(struct walk *w) {
    struct prompt *p = w->p;
    uint32_t first = w->ring_count > WALK_RING ? w->ring_count - WALK_RING : 0, keep = w->ring_count;
    unsigned n = 0;
    while (keep > first && n < PROMPT_HISTORY_MAX)
        if (w->ring[--keep % WALK_RING].turn != w->turn) n++;
    for (uint32_t i = keep; i < w->ring_count; i++)
        if (w->ring[i % WALK_RING].turn != w->turn) p->history[p->history_count++] = w->ring[i % WALK_RING].part;
}

void walk_end(struct walk *w) {
    struct facts *f = w->f;
    take_history(w);
    f->tools = f->tool_count > 0;
    f->input_length = tokens_chars(&w->tokens);
    f->input_tokens = tokens_estimate(&w->tokens);
    w->p->schema = f->schema;
    w->p->tool_count = f->tool_count;
    w->p->turns = f->turns;
}
