/* units: what the surfaces that are no conversations used: seconds, characters, pictures, searches. */
#ifndef DRAY_CHAT_UNITS_H
#define DRAY_CHAT_UNITS_H

#include "chat/openai.h"

enum units { UNITS_NONE, UNITS_AUDIO, UNITS_SPEECH, UNITS_IMAGES, UNITS_RERANK };

/* Units that a request asks for, for answers that don't say them: characters of speech, number of pictures. */
uint64_t units_asked(enum units kind, const jscan *s, str body);
/* Reads a whole answer's units into `a`, beside the tokens that openai_answer_read found. `asked`: what the
 * request asked for. An answer that is no JSON (sound, subtitles) says nothing. */
void units_read(enum units kind, str body, uint64_t asked, struct answer *a);

#endif
