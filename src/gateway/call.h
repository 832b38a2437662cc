/* call: one client request from its first byte to its settled record. Private to gateway/.
 *
 *     READ -> PLAN -> TRY -> HOLD | RELAY -> SETTLED
 *                      ^  |
 *                      +--+ next target, while nothing has gone to the client
 *
 * call.c knows this order; attempt.c speaks to the provider, relay.c to the client, settle.c to the
 * books. A call is settled exactly once, before its answer's last bytes go out. */
#ifndef DRAY_GATEWAY_CALL_H
#define DRAY_GATEWAY_CALL_H

#include "base/json.h"
#include "chat/chat.h"
#include "chat/checks.h"
#include "chat/embed.h"
#include "chat/eventstream.h"
#include "chat/openai.h"
#include "gateway/fault.h"
#include "gateway/surface.h"
#include "gateway/worker.h"
#include "net/multipart.h"
#include "net/sse.h"

enum {
    CALL_KEPT_MAX = 48,           /* request headers kept for the way up */
    CALL_HIGH_WATER = 128 * 1024, /* bytes queued for the client before the provider is paused */
    CALL_SSE_EVENT_MAX = 4 << 20, /* one event of a stream (image streams carry whole pictures) */
    CALL_INFLATE_TIMES = 8,       /* a compressed answer may inflate to this many times hold_max */
    CALL_TAIL = 16 * 1024,        /* of a large answer: where its usage stands */
    CALL_REQUEST_ARENA_MAX = 4 << 20,
    CALL_ARENA_MAX = 1 << 20,
    CALL_REQUEST_FIRST = 3072, /* bytes of the arenas that come with the call: enough for most */
    CALL_FIRST = 1024,
    CALL_KEEP_BODY = 8 * 1024, /* a body's or answer's memory up to this size waits for the next call */
};

enum call_state { CALL_READ, CALL_PLAN, CALL_TRY, CALL_HOLD, CALL_RELAY, CALL_SETTLED };

/* What is needed until the provider's answer begins; freed, or labelled and freed, then. */
struct call_request {
    arena a;
    jscan scan;
    bool gzip, scanned;
    unsigned kept_count;
    str content_type, credential, query;
    str token;                /* of the attempt's provider, where it has to be gotten first */
    str path_model;           /* the Azure client names it in the path */
    struct chat_request chat; /* the middle model, where it is needed */
    bool has_chat;
    struct embed_request embed; /* the same of embeddings */
    bool has_embed;
    bool goog_key, bearer; /* how the client sent its credential: as Gemini's do; as Bearer */
    arena media;           /* bytes that were fetched for it */
    buf up;                /* the body as translated for the attempt */
    struct openai_request q;
    struct facts facts;
    bool facts_done;
    struct resolution named; /* what the model name means */
    struct plan plan;
    struct multipart *form; /* the body is one */
    str path;               /* as sent, of a surface whose path goes on */
    struct target *fly;     /* targets without a model: providers that may keep a file */
    unsigned fly_count;
    struct target on_the_fly; /* storage for a provider/model target */
    bool has_on_the_fly;
    uint64_t timeout_us; /* x-dray-timeout-ms; 0: none */
    /* From here on not zeroed for a new call. */
    buf body;
    struct recycle *home; /* where it comes from and goes to */
    struct plan observed;
    struct iovec iov[2 * OPENAI_SPLICES_MAX + 4];
    struct http_header kept[CALL_KEPT_MAX]; /* copies, lower-case names */
    _Alignas(16) char first[CALL_REQUEST_FIRST];
};

/* One try at one target. */
struct attempt {
    struct ustream *stream; /* NULL: none under way */
    struct target target;
    struct provider *provider;
    uint8_t n;       /* from 1; 0: none yet */
    int8_t speaks;   /* enum chat_dialect spoken to the provider; -1: not a conversation */
    bool rewritten;  /* the client's dialect, but written anew: this kind refuses something in it */
    bool translated; /* not the client\'s */
    bool embeds;     /* an embedding call between two forms: `form` is the provider's */
    uint8_t form;    /* enum embed_form */
    bool native;     /* the provider is asked by its own API, not by one that is compatible with OpenAI's */
    bool connected, sent, injected, reused;
    uint16_t status;
    uint64_t start_us, sent_us, first_us, last_us; /* loop clock */
};

struct call {
    struct worker *w;
    struct conn *conn; /* NULL: the client has gone */
    struct pools *pools;
    const struct config *config;
    const struct surface *surface;
    struct call_request *r; /* NULL once the answer has begun and the request is sent */
    arena a;                /* lives as long as the call */
    enum call_state state;
    uint8_t method;
    bool begun; /* begin event written */
    bool settled;
    bool label_pending; /* the labeler says what was asked, later */
    bool head_sent;     /* bytes of the answer have gone to the client */
    bool is_stream;     /* the client asked for a stream */
    bool relay_sse;     /* the answer is one */
    bool list_down;     /* Gemini without alt=sse: it goes down as a JSON list */
    bool listed;        /* its first item is out */
    bool retry_told;    /* the provider's head says when to come again */
    bool routed, strip, chunked_down, ended, paused, keep, compressed;
    enum fault fault;
    uint16_t status; /* of the answer to the client */
    struct uuid id;
    uint64_t begin_us, begin_wall, body_us;
    bool planned;    /* and not sent yet: what has passed is dray's own time */
    uint64_t end_us; /* when it was settled */
    uint64_t overhead_us;
    uint64_t turn_us;    /* clock when the provider's bytes now being handled came */
    str key, rule, tier; /* owned by the configuration or the call's arena */
    uint8_t task;
    float difficulty;
    uint32_t input_estimate;
    bool plain_text; /* input_estimate is of all there is: no tools, no media */
    str baseline_name;
    const struct price *baseline_price, *observed_price;
    int64_t observed_cost; /* mode: observe: expected before the call */
    bool observed;
    uint8_t observed_named; /* enum observed_named */
    struct attempt attempt;
    struct wants wants;             /* what of the answer can be checked */
    struct answer *answer;          /* what the provider's answer told */
    struct chat_stream *translator; /* of a stream: writes the client\'s dialect, or only reads */
    uint32_t events;                /* of a stream, passed on so far: the next one's sequence_number */
    str dropped;                    /* what translation could not carry */
    struct eventstream *frames;     /* the answer is a stream of AWS's frames */
    uint64_t asked;                 /* units that the request asks for, where the answer won't tell */
    bool opaque;                    /* the answer is no JSON and nobody's dialect: sound, a file */
    int64_t input_said;             /* tokens of input that the answer's head told, -1: it didn't (AWS) */
    str error_type;                 /* an error's name where it stands in the head (AWS) */
    struct sse sse;
    int64_t retry_ms;   /* what an error's body says of when to come again and its head does not; 0: nothing */
    str head_down;      /* its head, without length and dray's own headers */
    uint64_t body_left; /* of a relayed answer with a length */
    int64_t spent_nano; /* cost of all attempts so far; COST_UNKNOWN sticks */
    struct media_job *media; /* media are being fetched */
    struct query_job *job;   /* a question to the ledger under way */
    struct timer timer;
    struct deferred deferred;
    /* From here on not zeroed for a new call. */
    buf hold; /* the answer's body while it is held; its tail when it flows */
    _Alignas(16) char first[CALL_FIRST];
};

extern const struct server_handler call_handler;

/* Moves the call on as far as it goes. */
void call_tick(struct call *c);
/* The call fails here: an error in the client's dialect if nothing has gone out yet, an error event
 * in a stream that has begun. Settles. */
void call_fail(struct call *c, enum fault f, str param, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Frees the request's part when nothing needs it any more. */
void call_release_request(struct call *c);
/* The call is over: its memory goes at the end of the turn. */
void call_over(struct call *c);

/* attempt.c */
void attempt_start(struct call *c, uint16_t i);
/* Goes on when what the attempt needs is there. */
void attempt_go_on(struct call *c);
/* The target cannot do what is asked (translation: strict): the next one, or a 400 that names `param`. */
void attempt_unsupported(struct call *c, str param, const char *why);
/* Ends the try under way without an answer (client gone, time over). */
void attempt_stop(struct call *c);
void call_timer(struct timer *t);

/* relay.c: the provider's answer on its way to the client */
void relay_head(struct call *c, const struct http_head *h);
void relay_data(struct call *c, char *p, size_t n);
void relay_end(struct call *c);
/* The provider broke off after its answer had begun. */
void relay_broken(struct call *c, enum fault f, const char *detail);
/* An answer of dray's own: status, JSON or text body. Finishes the call's HTTP side. */
void relay_own(struct call *c, int status, const char *content_type, str body);

/* settle.c */
void settle_begin(struct call *c);
void settle_attempt(struct call *c, enum fault f);
void settle(struct call *c);
/* Free checks of the answer, booked as its quality; after its last byte has gone. `body` empty: not kept. */
void settle_checks(struct call *c, str body);
/* Cost of the answer and what it would have cost at the baseline; COST_UNKNOWN where unknown. */
void settle_costs(const struct call *c, struct usage_cost *cost, int64_t *baseline);

/* plan.c */
void call_plan(struct call *c);
/* Fills facts that were not needed for the decision, after the request has gone: the label of a call that
 * names its model is left to the labeler where its usage will come from the provider. */
void call_label(struct call *c);
/* Reads all facts out of a complete request: lengths, tools, task, labels. Any thread. */
void request_facts(struct call_request *r, const struct surface *s, const struct config *config,
                   uint64_t begin_wall);
/* Frees it on the worker that read it; request_give: on any thread. */
void request_free(struct call_request *r);
void request_give(struct call_request *r);
/* What a worker keeps of calls and requests that are over, for the next ones. */
void call_recyclers_init(struct worker *w);

#endif
