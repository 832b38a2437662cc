/* chat_facts: facts of a request that was read into the middle model, whatever its dialect. */
#include "chat/chat_int.h"
#include "chat/walk.h"

static void add_parts(struct walk *w, enum walk_role role, const struct chat_part *parts) {
    for (const struct chat_part *p = parts; p; p = p->next) {
        bool esc = p->text.raw.n && memchr(p->text.raw.p, '\\', p->text.raw.n);
        if (p->type == PART_TEXT || p->type == PART_REFUSAL) walk_text(w, role, p->text.raw, esc);
        if (p->type == PART_IMAGE) {
            w->f->vision = true;
            walk_count(&w->p->images);
        }
        w->f->audio |= p->type == PART_AUDIO;
        if (p->type == PART_RESULT) add_parts(w, WALK_TOOL, p->parts);
    }
}

/* A message that holds results and no word of the user is a tool's. */
static enum walk_role role_of(const struct chat_message *m) {
    bool result = false, other = false;
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        result |= p->type == PART_RESULT;
        other |= p->type != PART_RESULT;
    }
    if (m->role == CHAT_SYSTEM) return WALK_SYSTEM;
    if (m->role == CHAT_ASSISTANT) return WALK_ASSISTANT;
    return result && !other ? WALK_TOOL : WALK_USER;
}

void chat_facts(const struct chat_request *r, struct facts *f, struct prompt *p) {
    struct walk w;
    walk_begin(&w, f, p);
    for (const struct chat_message *m = r->messages; m; m = m->next) {
        enum walk_role role = role_of(m);
        walk_message(&w, role);
        add_parts(&w, role, m->parts);
    }
    f->tool_count = r->tool_count > UINT16_MAX ? UINT16_MAX : (uint16_t)r->tool_count;
    f->schema = r->format != FORMAT_TEXT;
    f->stream = r->stream;
    f->output_tokens = r->max_tokens > UINT32_MAX ? UINT32_MAX : (uint32_t)r->max_tokens;
    walk_end(&w);
}
