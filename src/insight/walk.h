/* walk: what a decision is made from, out of a logged request of any dialect. */
#ifndef DRAY_INSIGHT_WALK_H
#define DRAY_INSIGHT_WALK_H

#include "brain/router.h"
#include "chat/tokens.h"
#include "facts/facts.h"
#include "facts/prompt.h"
#include "insight/log.h"

/* Walks the texts of a call and fills lengths, counts, flags and spans, as a dialect's own reader does
 * at the gateway; parts keep their views of the record. `tokens` gets the estimate of all text
 * where `estimate`, else its characters only, which is ten times as fast. False when the log has no text. */
bool log_walk(const struct log_call *c, bool estimate, struct facts *f, struct prompt *p,
              struct token_estimate *tokens);
/* Calls back for every text of a call's prompt and system, in their order (still JSON-escaped where `esc`), and
 * fills what log_walk fills but tokens. The number of messages, a bare string being one; 0 of a list of strings
 * (embeddings, batches of completions). */
unsigned log_text_pieces(const struct log_call *c, void (*each)(void *ctx, str raw, bool esc), void *ctx,
                         struct facts *f, struct prompt *p);
/* Adds the text of an answer of any dialect. */
void log_walk_answer(const struct log_text *text, struct token_estimate *tokens);

/* The texts of an answer of any dialect, in their order (still JSON-escaped where `esc`). */
void log_answer_pieces(const struct log_text *text, void (*each)(void *ctx, str raw, bool esc), void *ctx);

/* All that is known of a logged call before it is decided: what the log says of it, its text where `texts`,
 * the classifier's and the labels' word. Where the log has no token counts but text, `u` gets estimates
 * (source TOKENS_ESTIMATED). Whether there was text. */
bool log_facts(const struct router *r, const struct log_call *c, bool texts, struct facts *f, struct prompt *p,
               struct usage *u);

#endif
