/* dialect: where client and provider speak differently, chat/ translates; this is the seam between it and
 * the road. Same dialect on both sides passes byte for byte; then chat/ only reads usage. */
#ifndef DRAY_GATEWAY_DIALECT_H
#define DRAY_GATEWAY_DIALECT_H

#include "gateway/call.h"

/* Whether the client's dialect is read into the middle model for its facts (OpenAI's own readers know theirs). */
bool dialect_is_foreign(const struct surface *s);
/* Reads the request into r->chat (once). False when the call has failed. */
bool dialect_read(struct call *c);
/* What is spoken to the attempt's provider: sets attempt.speaks, attempt.translated and attempt.native. */
void dialect_choose(struct call *c);
/* Translates the request for the attempt into r->up. False when the call has failed (strict). */
bool dialect_write(struct call *c);
/* The same of embeddings (attempt.embeds); the path only where it is not OpenAI's. */
bool embeds_choose(struct call *c);
bool embeds_write(struct call *c);
void embeds_path(const struct call *c, buf *out);
bool embeds_answer(struct call *c);
/* Gemini's bodies may name the model beside the path: when another than the target's, r->up has the body with the
 * target's. False: the client's own body is good. */
bool dialect_rename(struct call *c);
/* The request as it would pass, in pieces of r->iov from 1 to n: when it holds what other providers have signed,
 * r->up has it without. */
bool dialect_clean(struct call *c, unsigned n);
/* Path of the attempt's request behind the provider's base, with its query. */
void dialect_path(const struct call *c, buf *out);
/* One segment of a path, percent-encoded. */
void dialect_segment(str s, buf *out);
/* How the kind's own dialect wants this credential. */
enum auth_style dialect_auth(const struct provider *p, str key);
/* Whether a header of the client's is for the dialect that the attempt speaks. */
bool dialect_keeps_header(const struct call *c, str name);
/* Whether the model stands in the path though the dialect has it in the body (Anthropic's models on Vertex AI). */
bool dialect_in_path(const struct call *c);
/* Headers that the provider's dialect needs beyond the credential. */
void dialect_headers(const struct call *c, buf *out);

/* The provider's answer. Begin: before its first event. Event: bytes for the client (or none) to `out`. End: what
 * completes the stream, or, with `why`, its error event. */
void dialect_stream_begin(struct call *c);
bool dialect_stream_event(struct call *c, str event, str data, buf *out);
void dialect_stream_end(struct call *c, enum fault f, const char *why, buf *out);
void dialect_free(struct call *c);
/* A whole answer in c->hold: read for the books; when translated, replaced by the client's form. False when it
 * can't be told in the client's words. */
bool dialect_answer(struct call *c);
/* The error event of a stream of the client's own dialect that broke (not OpenAI's). */
void dialect_error_event(struct call *c, enum fault f, const char *why, buf *out);
/* An event of a stream that goes down as a JSON list: begins the list, or goes on with it. */
void dialect_list_item(struct call *c, str data, buf *out);
/* An error of dray's own, in the dialect of the call's surface. */
void dialect_error(const struct call *c, int status, str type, str code, str message, str param, buf *out);

/* count_tokens and countTokens: the target's own count where it has one, else dray's. */
void own_count_tokens(struct call *c);

#endif
