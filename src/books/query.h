/* query: calls as JSON, for the admin API, explain and exports. Runs on a query thread, never on a
 * worker: each query stops at its deadline and says how far it came. */
#ifndef DRAY_BOOKS_QUERY_H
#define DRAY_BOOKS_QUERY_H

#include "base/json.h"
#include "books/ledger.h"

enum {
    QUERY_LIMIT = 100, /* calls in an answer unless asked otherwise */
    QUERY_LIMIT_MAX = 1000,
    QUERY_TIME_US = 150000, /* a search's time; what it found so far is answered with a cursor */
};

/* What calls can be filtered by: X(name, kind). INDEXED by an index of its own; DIM: rollups know in which
 * hours there are such calls; PLAIN: found by walking back from the newest. */
#define QUERY_FILTERS(X)                                                                                          \
    X(key, INDEXED)                                                                                               \
    X(session, INDEXED)                                                                                           \
    X(error, INDEXED)                                                                                             \
    X(team, DIM)                                                                                                  \
    X(task, DIM)                                                                                                  \
    X(tier, DIM)                                                                                                  \
    X(rule, DIM)                                                                                                  \
    X(provider, DIM)                                                                                              \
    X(model, DIM)                                                                                                 \
    X(baseline_model, PLAIN)                                                                                      \
    X(observed_tier, PLAIN)                                                                                       \
    X(user, PLAIN)                                                                                                \
    X(requested_model, PLAIN)                                                                                     \
    X(dialect, PLAIN)                                                                                             \
    X(endpoint, PLAIN)                                                                                            \
    X(stakes, PLAIN)                                                                                              \
    X(status, PLAIN)                                                                                              \
    X(cache, PLAIN)                                                                                               \
    X(finish, PLAIN)                                                                                              \
    X(config_version, PLAIN)

enum {
#define X(name, kind) FILTER_##name,
    QUERY_FILTERS(X)
#undef X
        FILTER_COUNT
};

struct query {
    str filter[FILTER_COUNT]; /* p == NULL: not asked; error "any": every error */
    uint64_t since, until;    /* us; until 0: no end */
    uint64_t before;          /* cursor: only calls with a smaller time; 0: none */
    unsigned limit;
};

/* Reads a URL's query string ("model=gpt-4o&since=2026-11-01&limit=50&cursor=…"; times as ISO 8601, as
 * microseconds, or "30d" back from `now_us`). False with a sentence for what can't be read. */
bool query_parse(str text, uint64_t now_us, arena *a, struct query *q, err *e);
/* "30d", "2h", ISO 8601 or microseconds to microseconds since 1970. */
bool query_time(str text, uint64_t now_us, uint64_t *out);

/* Writes {"calls":[…],"next":"cursor"|null,"complete":bool} newest first. `complete` is false when the search
 * stopped at its deadline: fewer calls than asked for, though there may be more; `next` goes on from there. */
bool query_calls(struct ledger *l, const struct query *q, buf *out, err *e);
/* One call by id, as one JSON object with everything that is known. */
enum ledger_found query_call(struct ledger *l, str id, buf *out, err *e);
/* Whose call feedback is about: `id` is a call's id or the id that the provider gave the answer (looked for
 * among the newest FEEDBACK_SCAN calls). `key` is the asking client's name in the rows (empty: none, or the
 * admin): a call of another key is as unknown as one that is not there. A call that ended a moment ago may not be
 * in the store yet: on LEDGER_NONE ask again after some 300 ms. */
enum { FEEDBACK_SCAN = 200000 };
enum ledger_found query_feedback(struct ledger *l, str id, str key, struct uuid *call, err *e);
/* The members of one call, with the contract's names, into an open object; money as decimal strings. */
void call_json(jw *w, const struct ledger_call *c);

#endif
