/* chat_int: what the dialect files share; private to chat. A dialect is one const table of these
 * functions; a reader turns JSON into the middle model, a writer turns it back. */
#ifndef DRAY_CHAT_INT_H
#define DRAY_CHAT_INT_H

#include "chat/chat.h"

/* ---- escaped text ---- */
#define JT(literal) ((jtext){STR(literal)})
#define JT_NONE ((jtext){STR_NONE})
static inline jtext jt(jval v) { return v.type == J_STRING ? (jtext){v.raw} : JT_NONE; }
static inline bool jt_has(jtext t) { return t.raw.n > 0; }
static inline bool jt_is(jtext t, str want) { return json_key_eq(t.raw, true, want); }
/* Plain text to escaped and back. */
jtext jt_plain(arena *a, str s);
str jt_str(jtext t, arena *a);
void jw_jt(jw *w, jtext t);
void jw_kjt(jw *w, const char *key, jtext t);    /* key and value */
void jw_kjt_if(jw *w, const char *key, jtext t); /* nothing when empty */
void jw_kraw_if(jw *w, const char *key, str json);
void jw_kstr(jw *w, const char *key, str plain);
void jw_ki64(jw *w, const char *key, int64_t v);
void jw_kbool(jw *w, const char *key, bool v);
void jw_kobject(jw *w, const char *key);
void jw_karray(jw *w, const char *key);
void jw_knull(jw *w, const char *key);

/* ---- tables of members ---- */

/* Whether a value is there and not null. */
static inline bool jv_has(jval v) { return v.type != J_NONE && v.type != J_NULL; }

/* Several members of an object in one pass: out[i] is the first member called names[i], or J_NONE. */
void chat_pick(jval object, const str names[], jval out[], size_t n);

/* What a reader does with a top-level member; NULL `read`: known, cannot change the answer, left out. */
struct chat_member {
    str name;
    bool (*read)(struct chat_request *r, jval v, err *e);
};
/* Walks the body's members. A member that isn't in the table is lost with meaning unless null.
 * False with `param` when a reader refuses its member. */
bool chat_read_members(struct chat_request *r, jval root, const struct chat_member *table, size_t n, str *param,
                       err *e);

/* ---- building ---- */
struct chat_message *chat_message_add(struct chat_request *r, enum chat_role role);
struct chat_part *chat_part_add(arena *a, struct chat_part **first, struct chat_part **last,
                                enum chat_part_type type);
struct chat_part *chat_add(struct chat_request *r, struct chat_message *m, enum chat_part_type type);
struct chat_tool *chat_tool_add(struct chat_request *r, err *e);
void chat_stop_add(struct chat_request *r, jtext text);
/* A data: URL or another one into a media part. */
void chat_media_url(struct chat_part *p, jtext url);
/* A media type without parameters (but those of sound), spelt as it is registered. */
jtext chat_mime(jtext mime);
/* Files that are text become text: only some dialects take them as files. */
void chat_plain_files(arena *a, struct chat_part *parts);
/* The arguments of a call from the text that a model wrote: an object, whatever it was. */
str chat_args(arena *a, jtext text);
/* JSON text on one line: a line end can only stand between its tokens, and would end an SSE line. */
str chat_one_line(arena *a, str json);
/* JSON text as the inside of a JSON string. */
jtext chat_escape(arena *a, str json);
/* An id that fits: letters, digits, - and _, at most `max` (exactly `exact` letters and digits when
 * not 0); another one is made from it, always the same. */
jtext chat_fit_id(arena *a, jtext id, size_t max, size_t exact);
/* An end user's name as OpenAI takes it: longer ones (Claude Code's) become an id, always the same. */
jtext chat_user(arena *a, jtext user);
/* An id from a seed and a number: prefix and 24 letters and digits. */
jtext chat_mint_id(arena *a, const char *prefix, uint64_t seed, uint64_t number);
/* Messages of one side in a row are one turn where sides must alternate; system messages among them are told
 * elsewhere. The first message behind the turn that begins with `m`. */
const struct chat_message *chat_turn_end(const struct chat_message *m);
/* Whether anything of a turn can be told to a dialect: not empty text, nor another's thinking. */
bool chat_turn_says(const struct chat_message *m, const struct chat_message *end, enum chat_dialect to);
/* A schema without its $schema member. */
str chat_schema(struct chat_account *acc, str schema);
/* Name of the tool whose call has this id, looked up in the conversation. */
jtext chat_call_name(const struct chat_request *r, jtext id);
/* Signatures carry the dialect they are from, so that no provider gets another's. */
jtext chat_sign(arena *a, enum chat_dialect d, jtext signature);
jtext chat_signature_for(enum chat_dialect d, jtext signature); /* empty: not from that dialect */
#define CHAT_NO_SIGNATURE "skip_thought_signature_validator"    /* Google's word for a call without one */
const char *chat_effort_word(uint8_t effort);                   /* low, medium, ... */
uint8_t chat_effort_of(jval word);                              /* EFFORT_UNSAID when it is none of them */
int64_t chat_effort_budget(uint8_t effort);                     /* thinking tokens that stand for it */
uint8_t chat_budget_effort(int64_t budget);
/* All text of a list of parts in a row, as one string value. */
void jw_parts_text(jw *w, const struct chat_part *parts);
/* Usage totals. */
int64_t chat_in(const struct usage *u);
int64_t chat_out(const struct usage *u);
/* Accounts for sampling parameters that a dialect has no place for: what is at its default, or cuts off
 * next to nothing (the 32nd candidate and on), has no meaning to lose. */
void chat_lose_top_k(const struct chat_request *r, struct chat_account *acc);
void chat_lose_penalties(const struct chat_request *r, struct chat_account *acc);
/* One call at a time can't be asked for; where one tool is forced it hardly matters. */
void chat_lose_serial(const struct chat_request *r, struct chat_account *acc);
/* What asks for JSON of a model whose API has no JSON mode without a schema. */
#define CHAT_JSON_ORDER "Answer with a single JSON object and nothing else: no prose around it, no code fences."
/* Compares a JSON number with a small integer (temperature ranges). */
bool chat_above(str number, double limit);

/* ---- dialects ---- */

struct chat_reader {
    const struct chat_ops *ops;
    arena *a;       /* of the stream or answer */
    arena *scratch; /* of the event */
    void (*put)(void *ctx, const struct chat_event *ev);
    void *ctx;
    uint64_t seed;
    bool started, failed, ended;
    bool tap;                         /* nothing is written: the client has the provider's own bytes */
    uint16_t calls[CHAT_CHOICES_MAX]; /* calls begun per choice */
    uint32_t open[CHAT_CALLS_MAX];    /* provider's index of each call of choice 0, and a hash of its id */
    uint32_t open_id[CHAT_CALLS_MAX];
    bool has_args[CHAT_CALLS_MAX]; /* of choice 0 */
    uint8_t finish;                /* of choice 0, where it may come before the last of it */
    bool thinking[2];              /* anthropic, bedrock: kind of the open block */
    int32_t block;                 /* the open block */
    uint64_t told;                 /* responses: items that came in deltas, by index */
    struct usage usage;
};
void chat_put(struct chat_reader *r, struct chat_event ev);
void chat_put_start(struct chat_reader *r, jtext id, jtext model);
void chat_put_text(struct chat_reader *r, enum chat_event_type type, unsigned choice, jtext text);
/* Begins a call; an empty id is minted. Returns its number, -1 past the limit. */
int chat_put_call(struct chat_reader *r, unsigned choice, uint32_t index, jtext id, jtext name, jtext signature);
void chat_put_args(struct chat_reader *r, unsigned choice, unsigned call, jtext text);
/* The call begun under a provider's index, -1 when there is none. */
int chat_call_at(const struct chat_reader *r, uint32_t index);
void chat_put_finish(struct chat_reader *r, unsigned choice, enum finish f, jtext stop);
void chat_put_usage(struct chat_reader *r);
void chat_put_error(struct chat_reader *r, const struct chat_error *e);

struct chat_writer {
    buf *out;
    arena *a;
    jtext id;
    str model;
    uint64_t seed;
    int64_t created;
    bool include_usage;
    const struct chat_request *request;
    struct usage usage;
    uint8_t finish;
    jtext stop;
    bool begun, ended, has_usage, calls_seen;
    bool list, listed; /* Gemini: a JSON list in place of events; its first item is out */
    uint32_t blocks;   /* blocks or items begun */
    int open;          /* kind of the open block, -1 none */
    uint32_t open_call;
    uint32_t sequence;
    uint16_t roles;    /* choices whose role was sent */
    uint16_t finished; /* choices that ended */
    buf text, items;   /* kept for the end */
    jtext open_id, open_name, open_signature;
};

/* One block at a time: chat_sequence.c. All zero but ops, writer and `a` is its beginning. */
struct chat_sequence {
    const struct chat_ops *ops;
    struct chat_writer *writer;
    arena a;               /* of what waits; failed when it is too much */
    bool open;             /* a call is */
    uint16_t choice, call; /* which */
    int64_t depth;         /* of brackets in its arguments so far */
    bool any, in_string, escaped;
    struct chat_held *first, *last;
};
/* Writes an event, or keeps it until its turn. False when the provider's calls can't be told apart or too much
 * waits. */
bool chat_sequence_put(struct chat_sequence *q, const struct chat_event *ev);

struct chat_ops {
    const char *name;
    bool (*read_request)(struct chat_request *r, jval root, str *param, err *e);
    void (*write_request)(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                          jw *w);
    /* A whole answer, as events. False when it isn't one. */
    bool (*read_answer)(struct chat_reader *r, jval root);
    bool (*read_event)(struct chat_reader *r, str event, jval root);
    void (*write_answer)(const struct chat_answer *ans, str model, uint64_t seed, int64_t created, jw *w);
    void (*write_event)(struct chat_writer *w, const struct chat_event *ev);
    void (*read_error)(struct chat_error *e, jval root, arena *a);
    void (*write_error)(const struct chat_error *e, jw *w);
    bool sequential;  /* its streams have one block open at a time */
    bool done_marker; /* its streams end with [DONE], which is no JSON */
};
/* The OpenAI form of things that others borrow (Cohere, Mistral). */
bool openai_read_tools(struct chat_request *r, jval v, err *e);
bool openai_read_messages(struct chat_request *r, jval v, err *e);
void openai_write_messages(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                           jw *w);
void openai_write_tools(const struct chat_request *r, struct chat_account *acc, jw *w, bool strict);
enum finish openai_finish(jval reason);
const char *openai_finish_word(uint8_t finish);
bool openai_chat_request_read(struct chat_request *r, jval root, str *param, err *e);
void openai_chat_request_write(const struct chat_request *r, const struct chat_target *to,
                               struct chat_account *acc, jw *w);
void openai_read_error(struct chat_error *e, jval root, arena *a);
void openai_write_error(const struct chat_error *e, jw *w);

/* Usage objects of these dialects. What isn't in the object stays as it was (streams tell it in pieces). */
bool anthropic_usage(jval usage, struct usage *u);
bool gemini_usage(jval meta, struct usage *out);
bool bedrock_usage(jval usage, struct usage *u);
bool cohere_usage(jval usage, struct usage *u);

/* The other halves of the dialects that need two files. */
bool anthropic_read_request(struct chat_request *r, jval root, str *param, err *e);
void anthropic_write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                             jw *w);
bool gemini_read_request(struct chat_request *r, jval root, str *param, err *e);
void gemini_write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                          jw *w);
bool responses_read_request(struct chat_request *r, jval root, str *param, err *e);
void responses_write_request(const struct chat_request *r, const struct chat_target *to, struct chat_account *acc,
                             jw *w);

/* Id and encrypted content of a reasoning item as one signature, and apart again. What decodes signatures as
 * base64 (Google's SDKs) still can: the id's length and the id fill whole groups of four. */
str responses_seal(arena *a, str id, str sealed);
bool responses_unseal(str seal, str *id, str *sealed);

const struct chat_ops *chat_ops_of(enum chat_dialect d);
extern const struct chat_ops chat_openai_ops, chat_responses_ops, chat_anthropic_ops, chat_gemini_ops,
    chat_bedrock_ops, chat_cohere_ops;

/* Server-sent events. */
void frame_begin(struct chat_writer *w, const char *event, jw *j); /* event NULL: data only */
void frame_end(struct chat_writer *w);

#endif
