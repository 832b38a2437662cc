/* log: past calls, whatever wrote them down. N readers fill one struct log_call, M reports read it.
 *
 * What a file holds is told by the keys or columns of its records, never by its name; a file may hold
 * several kinds. A new format is a row in formats.c and a table of columns (or a reader function).
 * Nothing in a log is fatal: what can't be read or contradicts itself is counted by kind, with the
 * first places where it was seen. */
#ifndef DRAY_INSIGHT_LOG_H
#define DRAY_INSIGHT_LOG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "catalog/catalog.h"
#include "facts/facts.h"

/* Where a call's texts lie: views of the record (arrays of messages, strings, Gemini contents, …). */
struct log_text {
    jval system, prompt, answer;
    jval tools, format; /* tools offered; the format asked for, or a schema itself */
    bool stream;        /* `answer` is the text of a stream's events */
    int64_t limit;      /* output tokens asked for at most; 0: none */
};

struct log_call {
    str id;
    uint64_t time_us;              /* when it began; 0 unknown */
    uint64_t duration_us, ttft_us; /* 0 unknown */
    str provider, model;           /* as logged; provider empty when not said */
    str requested;                 /* what the client asked for, where that is another name */
    str key, team, user, session;
    str tag;             /* a label of the user's: task name, tag, span name */
    struct usage usage;  /* source TOKENS_NONE: the log has none */
    int64_t cost_logged; /* what the log claims; COST_UNKNOWN when it says nothing */
    uint64_t calls;      /* 1; an aggregate's number of requests, 0 when it isn't told */
    uint16_t status;     /* HTTP status, 0 unknown */
    bool failed, stream;
    bool skew;           /* it ends before it begins */
    bool cache_hit;      /* answered from a gateway's own cache: nothing was paid */
    bool aggregate;      /* a sum over calls, not one call */
    uint8_t task;        /* enum task, where log or endpoint say it */
    uint8_t task_source; /* enum task_source */
    uint8_t stakes;      /* enum stakes */
    struct log_text text;
    const struct facts *facts; /* dray's own record: what was known then; else NULL */
    /* dray's own record: what was decided and known then */
    str tier, rule;
    double quality, propensity; /* < 0 unknown */
};

/* What can be wrong: name, what a person reads. */
#define LOG_PROBLEMS(X)                                                                                           \
    X(UNREADABLE, "unreadable", "lines that are cut or not in a known format (left out)")                         \
    X(TOO_LONG, "too_long", "records over 64 MiB (left out)")                                                     \
    X(FILE_BROKEN, "file_broken", "files that broke off or could not be opened")                                  \
    X(DUPLICATE, "duplicate", "calls logged twice: same id, time and tokens (left out)")                          \
    X(DUPLICATE_MAYBE, "duplicate_maybe", "calls perhaps logged twice, beyond the exact count of ids (kept)")     \
    X(ID_REUSED, "id_reused", "different calls under the same id (kept)")                                         \
    X(NO_MODEL, "no_model", "calls without a model name (cost unknown)")                                          \
    X(UNKNOWN_PRICE, "unknown_price", "calls of models without a known price (cost unknown, left out of costs)")  \
    X(NO_TOKENS, "no_tokens", "calls without token counts and without text to estimate them from")                \
    X(ESTIMATED, "estimated", "calls without token counts: estimated from their text")                            \
    X(NEGATIVE, "negative", "negative or impossible token counts (read as none)")                                 \
    X(SUSPECT, "suspect", "token counts that contradict each other")                                              \
    X(NO_TIME, "no_time", "calls without a readable time")                                                        \
    X(SKEW, "skew", "calls that end before they begin (duration unknown)")                                        \
    X(COST_DIFFERS, "cost_differs", "calls whose logged cost is not tokens × price (re-priced)")                  \
    X(ENCODING, "encoding", "records that are not UTF-8 or hold NUL bytes")

enum log_problem {
#define X(id, name, text) LOG_##id,
    LOG_PROBLEMS(X)
#undef X
        LOG_PROBLEM_COUNT
};
enum { LOG_FIRST_MAX = 3 };

struct log_problems {
    struct {
        uint64_t count;
        struct {
            const char *file;
            uint64_t line;
        } first[LOG_FIRST_MAX];
    } kind[LOG_PROBLEM_COUNT];
};
void log_problem(struct log_problems *p, enum log_problem kind, const char *file, uint64_t line);
const char *log_problem_name(enum log_problem kind);
const char *log_problem_text(enum log_problem kind);

/* Where something was read. */
struct log_place {
    const char *file;
    uint64_t line;
    const char *format;
};

struct log_options {
    const char *format; /* NULL: told by content */
    const char *map;    /* "in=col,out=col,model=col,time=col,text=col": any CSV or JSONL; NULL */
    /* Called for each call; views are good until it returns. False stops the reading. */
    bool (*call)(void *ctx, const struct log_call *c, const struct log_place *at);
    /* Called now and then (may be NULL). */
    void (*progress)(void *ctx, const char *file, uint64_t done, uint64_t size);
    void *ctx;
    struct keyset *keys; /* finds calls that were logged twice; NULL: they aren't looked for */
};

struct log_reader;
/* `problems` collects what is wrong. NULL with a reason when the options are. */
struct log_reader *log_reader_new(const struct log_options *o, struct log_problems *problems, err *e);
void log_reader_free(struct log_reader *r);
/* Reads one file to its end; `path` must live as long as the reader and its problems. False when the
 * callback stopped it. */
bool log_read(struct log_reader *r, const char *path);
/* Records read and left out because they are no calls (tool spans, session headers). */
struct log_stats {
    uint64_t files, bytes, records, skipped;
};
void log_reader_stats(const struct log_reader *r, struct log_stats *out);
/* Names of all formats, for --help and errors: NULL past the end. */
const char *log_format_name(unsigned i);
const char *log_format_title(unsigned i);

/* Reads any provider's usage object; false when there are no counts in it. */
bool log_usage(jval usage, struct usage *out);

#endif
