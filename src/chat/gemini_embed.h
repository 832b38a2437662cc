/* gemini_embed: Gemini's embedContent and batchEmbedContents, passed on to Gemini as they are: what dray reads of
 * them, and the model's name that stands in them beside the path. */
#ifndef DRAY_CHAT_GEMINI_EMBED_H
#define DRAY_CHAT_GEMINI_EMBED_H

#include "chat/openai.h"

/* Facts of a request that was scanned: the texts to embed. */
void gemini_embed_facts(const jscan *s, str body, struct facts *f, struct prompt *p);
/* The body with `model` in each place that names one, in `out`. False, and nothing written, when each names it
 * already (or none does). Bodies without such a place pass as they are. */
bool gemini_rename(const jscan *s, str body, str model, arena *a, buf *out);
/* What an answer tells: that it is one, and its usage where newer models say it. */
void gemini_embed_answer(struct answer *to, str body);

#endif
