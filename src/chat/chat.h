/* chat: the canonical middle of a conversation. Every dialect reads to it and writes from it, so that
 * any client reaches any provider with one file per dialect (and one row in chat.c).
 *
 * On the way up: chat_request_read (client's dialect) -> struct chat_request -> chat_request_write
 * (provider's). On the way down, whole: chat_answer_translate. Streamed: struct chat_stream, fed with
 * the provider's events, gives the client's bytes. Errors: chat_error_read, chat_error_write.
 *
 * Texts stay as they stood in their JSON string, still escaped, and are copied without being read
 * (jtext). Everything lives in the arena that the caller gives. Pure: no I/O, no clock. */
#ifndef DRAY_CHAT_CHAT_H
#define DRAY_CHAT_CHAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "catalog/bpe.h"
#include "catalog/catalog.h"
#include "chat/tokens.h"
#include "facts/facts.h"
#include "facts/finish.h"
#include "facts/prompt.h"

enum {
    CHAT_TOOLS_MAX = 1024, /* tools offered by a request */
    CHAT_MESSAGES_MAX = 32768,
    CHAT_CALLS_MAX = 128,       /* tool calls in one answer */
    CHAT_CHOICES_MAX = 16,      /* choices of one answer */
    CHAT_STREAM_KEPT = 16 << 20 /* bytes of an answer that a stream's writer may have to repeat at its end */
};

/* The inside of a JSON string: escaped. */
typedef struct jtext {
    str raw;
} jtext;

enum chat_dialect {
    CHAT_OPENAI,
    CHAT_RESPONSES,
    CHAT_ANTHROPIC,
    CHAT_GEMINI,
    CHAT_BEDROCK,
    CHAT_COHERE,
    CHAT_DIALECTS
};

/* ---- what could not be carried ---- */

/* Field by field. `meaning`: leaving it out may change the answer (strict refuses such a call). */
struct chat_lost {
    str field;
    bool meaning;
    struct chat_lost *next;
};
struct chat_account {
    arena *a;
    struct chat_lost *first, *last;
};
/* Notes a field once. */
void chat_lose(struct chat_account *acc, bool meaning, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The first field whose loss has meaning; empty when there is none. */
str chat_lost_meaning(const struct chat_account *acc);
/* "a, b": for x-dray-dropped and the ledger. */
void chat_lost_list(const struct chat_account *acc, buf *out);

/* ---- messages ---- */

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT };
enum chat_part_type {
    PART_TEXT,
    PART_THINKING, /* text, signature; `redacted`: text is opaque */
    PART_REFUSAL,
    PART_IMAGE,
    PART_AUDIO,
    PART_VIDEO,
    PART_FILE,
    PART_CALL,   /* a tool call */
    PART_RESULT, /* of a tool call, in a user message */
};
enum chat_cache { CACHE_MARK_NONE, CACHE_MARK_5M, CACHE_MARK_1H };

struct chat_part {
    struct chat_part *next;
    uint8_t type;            /* enum chat_part_type */
    uint8_t cache;           /* enum chat_cache: a cache mark behind this part */
    bool redacted;           /* thinking */
    bool is_error;           /* result */
    bool answered;           /* call: a result was matched to it (readers of dialects without ids) */
    jtext text;              /* text, thinking, refusal; audio: transcript */
    jtext signature;         /* thinking and calls: opaque, as its provider gave it, marked with its dialect */
    jtext mime, data;        /* media: type and base64 */
    jtext url;               /* media elsewhere */
    jtext file;              /* media uploaded before: the provider's id */
    jtext name;              /* file name; tool name of calls and results */
    jtext detail;            /* image detail */
    jtext id;                /* call id of calls and results */
    str args;                /* call: JSON text of its arguments, an object */
    struct chat_part *parts; /* result: what it holds (text and media) */
};

struct chat_message {
    struct chat_message *next;
    uint8_t role;
    jtext name;
    struct chat_part *parts, *last;
};

struct chat_tool {
    struct chat_tool *next;
    jtext name, description;
    jtext space, plain; /* of a tool in a namespace (Codex): its parts; `name` has both */
    str schema;         /* JSON Schema of the arguments; empty: none given */
    int8_t strict;      /* -1: not said */
    uint8_t cache;
};

struct chat_strings {
    jtext text;
    struct chat_strings *next;
};

enum chat_tool_choice { TOOLS_UNSAID, TOOLS_AUTO, TOOLS_NEVER, TOOLS_ANY, TOOLS_NAMED };
enum chat_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };
/* Ascending; ADAPTIVE leaves it to the model. */
enum chat_effort {
    EFFORT_UNSAID,
    EFFORT_OFF,
    EFFORT_MINIMAL,
    EFFORT_LOW,
    EFFORT_MEDIUM,
    EFFORT_HIGH,
    EFFORT_MAX,
    EFFORT_ADAPTIVE
};

struct chat_request {
    uint8_t dialect; /* that it was read from */
    arena *a;
    struct chat_account lost; /* what no other dialect has */
    jtext model;
    bool stream, include_usage;
    struct chat_message *messages, *last;
    struct chat_tool *tools, *last_tool;
    uint32_t tool_count, message_count;
    uint8_t tool_choice;
    jtext tool_name;                                          /* of TOOLS_NAMED */
    int8_t parallel;                                          /* several calls at once: -1 not said */
    int64_t max_tokens, n;                                    /* 0: not said */
    str temperature, top_p, top_k, seed, presence, frequency; /* JSON numbers; empty: not said */
    struct chat_strings *stops;
    bool logprobs;
    int64_t top_logprobs;
    uint8_t format;
    str schema; /* of FORMAT_SCHEMA */
    jtext schema_name;
    int8_t schema_strict;
    uint8_t effort;
    int64_t budget; /* thinking tokens; 0: not said */
    bool show_thinking;
    jtext user, service_tier;
    uint32_t
        input_estimate; /* the gateway may say: shown where a dialect needs input tokens before they are known */
};

/* ---- answers and stream events ---- */

enum chat_event_type {
    CE_START, /* id, name (model) */
    CE_TEXT,
    CE_REFUSAL,
    CE_THINKING,  /* text; `redacted`: opaque */
    CE_SIGNATURE, /* text: of the thinking before it */
    CE_CALL,      /* a tool call begins: call, id, name, signature */
    CE_ARGS,      /* text: a piece of call's arguments */
    CE_CALL_END,
    CE_MEDIA,    /* part */
    CE_LOGPROBS, /* json, in OpenAI's form */
    CE_FINISH,   /* finish, text (stop sequence) of a choice */
    CE_USAGE,    /* usage: so far; the last one counts */
    CE_ERROR,
    CE_END, /* complete */
};

struct chat_error {
    int status;            /* HTTP; 0 unknown */
    str type, code, param; /* the provider's words, unescaped; may be empty */
    str message;
    int64_t retry_ms; /* -1: not said */
};

struct chat_event {
    uint8_t type, finish;
    bool redacted;
    uint16_t choice, call; /* call: 0.. within the choice */
    jtext text, id, name, signature;
    str json;
    const struct usage *usage;
    const struct chat_part *part;
    const struct chat_error *error;
};

/* One choice of a whole answer. */
struct chat_choice {
    struct chat_part *parts, *last;
    uint8_t finish;
    jtext stop; /* the stop sequence that ended it */
    str logprobs;
};
struct chat_answer {
    arena *a;
    const struct chat_request
        *request; /* set by who writes it: for what is told in the request's words; may be NULL */
    jtext id, model;
    struct chat_choice choice[CHAT_CHOICES_MAX];
    unsigned choices;
    struct usage usage;
    struct token_estimate text; /* of all that it says, for answers that come without usage */
    bool done, failed;
    struct chat_error error;
};

/* ---- what a provider is like ---- */

/* Whether a Chat Completions request holds something that the kind refuses, though it is of its own dialect: then
 * it is written anew (chat_request_write) instead of passing as it is. `s` is its finished scan. */
bool chat_quirks_refuse(const struct provider_quirks *q, const jscan *s, str body);

/* Where a request goes. */
struct chat_target {
    enum chat_dialect dialect;
    str kind;  /* provider kind */
    str model; /* upstream name */
};

/* ---- requests ---- */

/* Reads a request body. `model` from the path where the dialect has it there (empty: from the body),
 * `stream` likewise. False with a sentence and the parameter's name. */
bool chat_request_read(enum chat_dialect d, str body, str model, bool stream, struct chat_request *r, arena *a,
                       str *param, err *e);
/* Facts and prompt spans of a request that was read: what openai_facts says of that dialect. */
void chat_facts(const struct chat_request *r, struct facts *f, struct prompt *p);

/* The next media part behind `after` (NULL: the first) that stands elsewhere (url) while the target wants its
 * bytes: whoever may fetch fills `data` and `mime` before the request is written. NULL: none. */
struct chat_part *chat_needs_bytes(const struct chat_request *r, enum chat_dialect to,
                                   const struct chat_part *after);
/* Tokens of everything in it (text, tools, calls; media by a flat figure): for count_tokens. Text is counted by
 * `exact`, or estimated without one. */
uint64_t chat_count_tokens(const struct chat_request *r, const struct bpe *exact);
/* The answer to a dialect's count_tokens. */
void chat_count_write(enum chat_dialect d, uint64_t tokens, buf *out);

enum chat_translation { TRANSLATION_STRICT, TRANSLATION_WARN, TRANSLATION_DROP };
/* Writes it for a target. `acc` gets all that is not carried, the reader's losses included. In strict
 * mode false, with `param` and a sentence, when a loss has meaning. */
bool chat_request_write(const struct chat_request *asked, const struct chat_target *to, enum chat_translation mode,
                        struct chat_account *acc, buf *out, str *param, err *e);

/* A request that passes in the client's own dialect, in `out` without what providers of other dialects have signed
 * in it. False, and nothing written, when there is none of that. */
bool chat_clean(enum chat_dialect d, str body, buf *out);

/* ---- answers ---- */

/* Reads a whole answer. False when it is not what the dialect answers with. */
bool chat_answer_read(enum chat_dialect d, str body, struct chat_answer *ans, arena *a);
/* Writes it for the client. `seed` makes ids where the provider gave none; `created` in seconds. */
void chat_answer_write(enum chat_dialect d, const struct chat_answer *ans, str model, uint64_t seed,
                       int64_t created, buf *out);

/* ---- streams ---- */

struct chat_stream;
/* Everything is in `a`, but for what has to be kept of the answer: end with chat_stream_free. `model`
 * is what the client shall see as model. With `to` = CHAT_DIALECTS nothing is written: a tap that
 * reads what a stream of the client's own dialect tells. */
struct chat_stream *chat_stream_new(enum chat_dialect from, enum chat_dialect to, const struct chat_request *r,
                                    str model, uint64_t seed, int64_t created, arena *a);
/* Gemini's clients may want a stream as one JSON list: call before the first event. */
void chat_stream_list(struct chat_stream *s);
/* One event of the provider (SSE event and data; for Bedrock the frame's :event-type and payload);
 * `scratch` may be reset after each. The client's bytes go to `out`. False when the event is not
 * what the dialect may send: an error event has then been written. */
bool chat_stream_event(struct chat_stream *s, str event, str data, arena *scratch, buf *out);
/* The upstream ended (or failed, `e`): writes what completes the stream, or an error event. */
void chat_stream_end(struct chat_stream *s, const struct chat_error *e, arena *scratch, buf *out);
/* A whole answer, of a provider that was asked for a stream and gave none, as the stream it should have been. */
void chat_stream_whole(struct chat_stream *s, str body, arena *scratch, buf *out);
/* What it told so far: usage, finish, done, failed (parts are not kept). */
const struct chat_answer *chat_stream_answer(const struct chat_stream *s);
void chat_stream_free(struct chat_stream *s);
/* Collects events into a whole answer, for a client that did not ask for a stream. */
void chat_collect(struct chat_answer *ans, const struct chat_event *ev);

/* ---- errors ---- */

/* Reads a provider's error body; whatever it is, something comes out. */
void chat_error_read(enum chat_dialect d, int status, str body, struct chat_error *out, arena *a);
/* Writes it in the client's dialect. */
void chat_error_write(enum chat_dialect d, const struct chat_error *e, buf *out);

#endif
