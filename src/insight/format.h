/* format: what the readers of single formats share with each other; private to insight. */
#ifndef DRAY_INSIGHT_FORMAT_H
#define DRAY_INSIGHT_FORMAT_H

#include "insight/log.h"
#include "insight/row.h"

/* What a column means. Times: AT_… a point in time, others lengths. */
enum field {
    F_END_TABLE,
    F_TIME,
    F_END,
    F_FIRST_AT,
    F_DURATION_S,
    F_DURATION_MS,
    F_TTFT_S,
    F_TTFT_MS,
    F_ID,
    F_PROVIDER,
    F_MODEL,
    F_REQUESTED,
    F_KEY,
    F_TEAM,
    F_USER,
    F_SESSION,
    F_TAG,
    F_TASK,
    F_STAKES,
    F_TIER,
    F_RULE,
    F_STATUS,
    F_ERROR,
    F_STREAM,
    F_CACHE_HIT,
    F_COST,
    F_QUALITY,
    F_PROPENSITY,
    F_CALLS,
    F_USAGE,
    F_INPUT,
    F_CACHED,
    F_WRITE_5M,
    F_WRITE_1H,
    F_OUTPUT,
    F_REASONING,
    F_TOTAL,
    F_SEARCH,
    F_BATCH,
    F_REQUEST,
    F_SYSTEM,
    F_PROMPT,
    F_ANSWER,
};

/* A field and the paths where it may stand, tried in this order. */
struct column {
    uint8_t field; /* enum field */
    const char *paths;
};

enum {
    FMT_AGGREGATE = 1, /* rows are sums */
    FMT_EXCLUDES = 2,  /* F_INPUT doesn't count F_CACHED and F_WRITE_… */
    FMT_BATCH = 4,     /* every call is a batch call */
    FMT_DEDUPE = 8,    /* the same id again is the same call, newer: the last one counts */
};

struct log_format {
    const char *name, *title;
    const char *keys; /* members or columns that tell it: "a b|c" = a and (b or c); "x~y": a name with a space */
    uint8_t flags;
    const struct column *columns;
    /* Looks at what the columns gave; false: this record is no call. May be NULL. */
    bool (*fix)(struct log_reader *r, const struct row *row, struct log_call *c);
    /* Reads the record itself, instead of columns. */
    void (*read)(struct log_reader *r, const struct row *row);
};

extern const struct log_format log_formats[];
const struct log_format *log_format_of(const struct row *row);

/* State of a reading that formats with a memory (Codex, Claude Code, DeepSeek) keep. */
struct log_state {
    str codex_model, codex_session; /* in `keep` */
    int64_t codex_total[5];
    bool codex_seen;
    jval user_turn; /* newest of the session, in `prompt` */
    arena keep;     /* lives as long as the file */
    arena prompt;   /* lives until the next user turn */
};
struct log_state *log_reader_state(struct log_reader *r);
arena *log_reader_arena(struct log_reader *r); /* of this record */

void log_call_init(struct log_call *c);
/* Fills `c` by a table of columns. */
void log_columns(const struct row *row, const struct column *columns, unsigned flags, struct log_call *c,
                 bool *negative);
/* Hands a call on: checks it, drops duplicates, calls back. */
void log_emit(struct log_reader *r, struct log_call *c);
/* Holds a call until another one with its id comes or the file ends. */
void log_hold(struct log_reader *r, struct log_call *c);
void log_skip(struct log_reader *r); /* the record is no call */
void log_note(struct log_reader *r, enum log_problem kind);

/* Usage, model, finish and so on out of an answer: a JSON body of any dialect, a stream's events, or the
 * text of either. */
void log_answer(jval answer, struct log_call *c, arena *a);
/* Where prompt and system text lie in a request of any dialect. */
void log_request(jval request, struct log_call *c);

/* Lines of web servers' access logs: no tokens, no model. */
bool log_access_line(str line);
void read_access(struct log_reader *r, str line);
/* dray's own store: told by its first bytes, read call by call. */
bool log_is_ledger(const char *path);
bool read_ledger(struct log_reader *r, const char *path, err *e);
/* Hands on one call of a ledger; false when the reading is to stop. */
bool log_ledger_row(struct log_reader *r, struct log_call *c);
void read_pair(struct log_reader *r, const struct row *row);
void read_otlp(struct log_reader *r, const struct row *row);
void read_claude_code(struct log_reader *r, const struct row *row);
void read_codex(struct log_reader *r, const struct row *row);
void read_openai_usage(struct log_reader *r, const struct row *row);
void read_anthropic_usage(struct log_reader *r, const struct row *row);

#endif
