/* walk: gathers facts and prompt spans while a dialect's reader goes over a conversation; private to
 * chat. Spans point into the body; nothing is unescaped or copied. */
#ifndef DRAY_CHAT_WALK_H
#define DRAY_CHAT_WALK_H

#include "chat/tokens.h"
#include "facts/facts.h"
#include "facts/prompt.h"

enum walk_role { WALK_USER, WALK_SYSTEM, WALK_ASSISTANT, WALK_TOOL };
enum { WALK_RING = 32 }; /* the newest text parts, from which history is taken at the end */

struct walk {
    struct facts *f;
    struct prompt *p;
    struct token_estimate tokens;
    struct {
        struct prompt_part part;
        uint32_t turn;
    } ring[WALK_RING];
    uint32_t ring_count; /* all parts ever put; the newest are there */
    uint32_t turn;       /* number of the newest user turn */
    enum walk_role last;
};

/* Begins; `p` is emptied. */
void walk_begin(struct walk *w, struct facts *f, struct prompt *p);
/* A message begins. Those of the user in a row are one turn. */
void walk_message(struct walk *w, enum walk_role role);
/* A text of it. */
void walk_text(struct walk *w, enum walk_role role, str raw, bool esc);
/* Counts one more, without overflow. */
void walk_count(uint16_t *n);
/* Fills lengths, counts and history; tool_count and schema of the facts must be set by now. */
void walk_end(struct walk *w);

#endif
