/* embed: embeddings between those who say them differently: a list of texts goes up, a list of vectors comes down.
 *
 * A client speaks OpenAI's form or Gemini's (embedContent, batchEmbedContents); a provider OpenAI's, Vertex AI's
 * (:predict) or that of a model on Bedrock (InvokeModel). Pure. */
#ifndef DRAY_CHAT_EMBED_H
#define DRAY_CHAT_EMBED_H

#include "chat/chat.h"
#include "chat/openai.h"

enum embed_form { EMBED_OPENAI, EMBED_GEMINI, EMBED_VERTEX, EMBED_TITAN, EMBED_NOVA, EMBED_COHERE };

struct embed_text {
    jtext text;
    struct embed_text *next;
};
struct embed_request {
    struct embed_text *texts;
    unsigned count;
    int64_t dimensions; /* 0: not said */
    bool base64;        /* OpenAI: as little-endian floats in base64 */
    bool batch;         /* Gemini: several contents */
    bool query;         /* the texts are asked with, not kept */
    struct chat_account lost;
};

/* Reads a client's request (its form is OpenAI's or Gemini's). False with a sentence and the parameter. */
bool embed_read(enum embed_form f, const jscan *s, str body, struct embed_request *r, arena *a, str *param,
                err *e);
/* Writes it for a model. False with a sentence and the parameter where it can't be asked. */
bool embed_write(enum embed_form f, str model, const struct embed_request *r, buf *out, str *param, err *e);
/* The provider's answer in the client's form; `tokens` as a header said, -1 when none did. False when it is none.
 * Fills `to` with what was used. */
bool embed_answer(enum embed_form from, enum embed_form client, const struct embed_request *r, str model,
                  int64_t tokens, str body, struct answer *to, buf *out);

#endif
