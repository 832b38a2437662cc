/* openai: the OpenAI dialect as far as same-dialect calls need it: find the few members that
 * matter in a request, splice it, read usage and finish out of answers and streams, write errors.
 *
 * Sources: OpenAI OpenAPI 2.3.0 (chat, completions, embeddings, responses); usage shapes of the
 * OpenAI-compatible providers from recordings. Pure: no I/O. */
#ifndef DRAY_CHAT_OPENAI_H
#define DRAY_CHAT_OPENAI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "chat/tokens.h"
#include "facts/facts.h"
#include "facts/finish.h"
#include "facts/prompt.h"

/* The members of a request that the road needs; views of the body. */
struct openai_request {
    jval model, stream, stream_options, metadata, service_tier, user;
    bool is_stream;
    bool include_usage; /* the client asked for stream usage */
    str instead;        /* for openai_splices: a member that takes the place of the model's; empty: none */
};

/* Reads them from a finished scan. False with a sentence and the parameter's name in `param` (empty:
 * the body as a whole) for wrong types and a missing model (`need_model`). Lenient where OpenAI is:
 * null counts as absent, unknown members are nobody's business. */
bool openai_request_read(struct openai_request *r, const jscan *s, str body, bool need_model, str *param, err *e);

/* Walks messages, prompt or input and fills lengths, counts and spans. `facts` gets input_length,
 * input_tokens (class-based estimate, of message text only), output_tokens, tools, vision, audio,
 * schema, turns, stream, system_hash. Never fails: what it doesn't know it leaves out. Linear, no
 * allocation. */
void openai_facts(const jscan *s, str body, struct facts *f, struct prompt *p);

/* One edit of a body: bytes [start, end) are replaced by `with`. */
struct splice {
    uint32_t start, end;
    str with;
};
enum { OPENAI_SPLICES_MAX = 4 };
/* The edits that send the request to `model`: model, dray_* members of metadata removed (the whole
 * member when nothing else is in it), stream_options.include_usage when `inject` and it is a stream.
 * Ascending, not overlapping (an insertion may touch a removal); strings in `a` or static. Returns
 * their number. */
unsigned openai_splices(const struct openai_request *r, const jscan *s, str body, str model, bool inject, arena *a,
                        struct splice out[OPENAI_SPLICES_MAX]);

/* What an answer told about itself. All zero to start. */
struct answer {
    struct usage usage;
    uint8_t finish;             /* enum finish */
    bool done;                  /* the stream's terminator came, or the body is whole */
    bool error;                 /* an in-band error event came, or the body is an error */
    bool content;               /* something of the answer's content came (text, reasoning, tool calls) */
    bool tools;                 /* it calls tools, whatever the finish reason says */
    struct token_estimate text; /* of its content, for answers that come without usage */
    uint8_t id_len;
    char id[96]; /* the answer's id, cut to fit */
};

/* Reads a whole non-streamed answer (chat, completion, embedding, responses object). `done` stays
 * false when the body isn't JSON, as far as its brackets and the members of its object tell: an answer that passes
 * as it is is not checked byte by byte. */
void openai_answer_read(struct answer *a, str body);

/* The same of the last part of an answer that is too large to keep: usage stands behind the content. Finds
 * nothing when it is not in there. */
void openai_answer_read_tail(struct answer *a, str tail);

/* Usage of any OpenAI-dialect usage object, wherever the provider puts it: details, cached,
 * reasoning, audio, cache writes; contradictions set `suspect` and are resolved so that the lines
 * stay disjoint and sum to the totals. False when there are no numbers in it. */
bool openai_usage(jval usage, struct usage *out);
/* A word for a service tier, of any dialect: flex, priority, batch; others (default, standard, auto) leave it. */
void usage_tier(jval word, struct usage *u);
/* Searches among the items of a Responses answer: opening a page that was found costs nothing
 * (developers.openai.com, web search: "search actions incur a tool call cost"). */
int64_t openai_searches(jval output);

/* What to do with one SSE event of a same-dialect stream. */
enum tap_verdict { TAP_PASS, TAP_DROP, TAP_REPLACE };
/* Reads one event's data; `strip` when include_usage was injected and the client had not asked: the
 * extra usage chunk is dropped, `"usage":null` is cut out of the others (TAP_REPLACE: `out` has the
 * new data). `responses` for the Responses API's events. Events that aren't JSON pass. */
enum tap_verdict openai_tap(struct answer *a, str event, str data, bool strip, bool responses, buf *out);

/* Writes an error body in this dialect. An empty `type` is chosen by status; empty `code` and
 * `param` are null. */
void openai_error_write(buf *out, int status, str type, str code, str message, str param);

#endif
