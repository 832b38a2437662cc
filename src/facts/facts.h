/* facts: everything a decision is made from, and nothing else: flat, versioned, recorded with the
 * call, so that any call can be decided again later without its text (explain, replay).
 *
 * A dialect reader (chat/) fills what the body says, the gateway what key, headers and hints say,
 * the classifier (brain/) what it thinks is asked. decide() reads it and nothing else. */
#ifndef DRAY_FACTS_FACTS_H
#define DRAY_FACTS_FACTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum {
    FACTS_VERSION = 1,
    FACTS_TAGS_MAX = 16,  /* further tags are refused with a 400 */
    FACTS_NAMED_MAX = 32, /* distinct header.NAME and metadata.NAME that rules may name */
    FACTS_STR_MAX = 512,  /* bytes of one text: facts_clean */
};

/* What a call asks for: one table. name, "is simple work" (CONTRACT section 2, analyze's verdict:
 * summarize counts as simple under 2,000 input tokens only). */
#define FACTS_TASKS(X)                                                                                            \
    X(UNKNOWN, "unknown", 0)                                                                                      \
    X(CLASSIFY, "classify", 1)                                                                                    \
    X(EXTRACT, "extract", 1)                                                                                      \
    X(SUMMARIZE, "summarize", 1)                                                                                  \
    X(REWRITE, "rewrite", 0)                                                                                      \
    X(TRANSLATE, "translate", 0)                                                                                  \
    X(QA, "qa", 0)                                                                                                \
    X(CHAT, "chat", 0)                                                                                            \
    X(GENERATE, "generate", 0)                                                                                    \
    X(CODE, "code", 0)                                                                                            \
    X(REASON, "reason", 0)                                                                                        \
    X(PLAN, "plan", 0)                                                                                            \
    X(SYNTHESIZE, "synthesize", 0)                                                                                \
    X(EMBED, "embed", 0)                                                                                          \
    X(AUDIO, "audio", 0)                                                                                          \
    X(IMAGE, "image", 0)

enum task {
#define X(id, name, simple) TASK_##id,
    FACTS_TASKS(X)
#undef X
        TASK_COUNT
};

enum task_source { TASK_BY_NONE, TASK_BY_HINT, TASK_BY_LABEL, TASK_BY_CLASSIFIER, TASK_BY_ENDPOINT };
enum stakes { STAKES_LOW, STAKES_NORMAL, STAKES_HIGH };

/* A header or metadata value that some rule or label names; value.p is NULL when the call had none. */
struct fact_named {
    str name; /* "header.x-app" (lower case) or "metadata.app" */
    str value;
};

struct facts {
    uint16_t version; /* FACTS_VERSION of the writer */
    uint8_t task;     /* enum task */
    uint8_t task_source;
    uint8_t stakes;
    uint8_t guess; /* enum task: what a label replaced, so that other labels can be tried later */
    uint8_t guess_source;
    uint8_t hour;     /* of the call's begin, UTC, 0-23 */
    bool recorded;    /* read back: a named value that isn't listed is not known, rather than absent */
    bool stakes_hint; /* the request itself said the stakes: labels leave them */
    bool stream, vision, audio, tools, schema;
    uint16_t tool_count;    /* tools offered */
    uint16_t turns;         /* messages in the conversation, system ones included */
    uint32_t input_length;  /* characters (code points) of all message text */
    uint32_t input_tokens;  /* estimated before the call */
    uint32_t output_tokens; /* the client's limit; 0 when it set none */
    float task_confidence;  /* 0..1 in steps of 1/10000; 1 for hints and labels */
    float difficulty;       /* 0..1 in steps of 1/10000, or < 0 when no model said */
    float guess_confidence; /* task_confidence of the guess */
    uint64_t max_cost;      /* what the call may cost at most, nano-dollars; 0: not said */
    uint64_t system_hash;   /* fingerprint of the system prompt, 0 without one */
    uint64_t template_hash; /* fingerprint of the prompt's shape, 0 when not computed */
    /* The nearest semantic route: its name, empty when the text is like no example; how near, 0..1 in steps of
     * 1/10000, < 0 when there were no routes; which examples these are, 0 when there were none. */
    str semantic;
    float semantic_score;
    uint64_t semantic_version;
    str model; /* as the client asked */
    str key, team, user, session;
    str tier_hint; /* x-dray-tier */
    uint16_t tag_count, named_count;
    str tag[FACTS_TAGS_MAX];
    struct fact_named *named; /* in the order of the router's names */
};

const char *task_name(enum task t);
/* TASK_UNKNOWN and false when there is no such task. */
bool task_parse(str s, enum task *out);
/* Whether this counts as simple work in reports. */
bool task_is_simple(enum task t, int64_t input_tokens);
const char *task_source_name(enum task_source s);
const char *stakes_name(enum stakes s);
bool stakes_parse(str s, enum stakes *out);

/* Defaults: version, normal stakes, difficulty unknown; everything else empty. */
void facts_init(struct facts *f);
/* The value that task_confidence and difficulty may take nearest to `x` (clamped to 0..1), so that
 * what is written reads back bit for bit. */
float facts_share(double x);
/* What is decided from must be what is recorded: `s` as the ledger can keep it, cut to FACTS_STR_MAX, control
 * characters as spaces, malformed UTF-8 as '?'. A view of `s` where that changes nothing, else a copy in `a`. */
str facts_clean(str s, arena *a);
/* The value of a named header or metadata entry, NULL when the call had none. */
const str *facts_named(const struct facts *f, str name);
/* Compact JSON with short keys (documented in facts.c), default values left out: what the ledger
 * keeps. Only what `f` holds; no text of the prompt. */
void facts_write(const struct facts *f, buf *out);
/* Reads it back; strings are copied into `a`. False on malformed text or a version that is not ours;
 * unknown members are skipped. */
bool facts_read(struct facts *f, str json, arena *a, err *e);
/* Adds the members under their long contract names to an open JSON object (route, explain, admin).
 * Hashes are 16 hex digits; what is not known is null. */
void facts_explain(const struct facts *f, jw *w);

#endif
