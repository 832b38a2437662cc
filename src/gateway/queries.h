/* queries: a small pool of threads (named "query") that read the ledger for the admin API, feedback by
 * answer id and the like, each on a read-only connection with a deadline: a slow query never
 * touches a worker or the books thread. */
#ifndef DRAY_GATEWAY_QUERIES_H
#define DRAY_GATEWAY_QUERIES_H

#include "base/arena.h"
#include "base/buf.h"
#include "books/ledger.h"

struct call;
struct worker;
struct queries;

/* One question: made by a worker, answered by a thread, brought back to the worker. */
struct query_job {
    struct query_job *next;
    struct worker *worker;
    struct call *call; /* NULL when the client has gone meanwhile; the worker's alone */
    arena a;           /* for `input` and the job's own use */
    str input;         /* what is asked: query string, id, body */
    void (*run)(struct query_job *j, struct ledger *l); /* on the query thread: fills the rest */
    str key; /* the caller's, as the ledger calls it; empty when there are no keys */
    void *gateway;
    int status;
    buf out; /* JSON */
};

struct queries *queries_start(const char *ledger_path);
void queries_stop(struct queries *q);
/* Asks: `run` is called on a query thread, then the worker answers the call. Input is copied. False: too
 * many wait. The call is told by query_gone when its client leaves. */
bool queries_ask(struct queries *q, struct call *c, str input, void (*run)(struct query_job *j, struct ledger *l));
/* The job fails: an error in the OpenAI dialect instead of what `out` has. */
void query_fails(struct query_job *j, int status, const char *code, const char *why, const char *param);
/* Worker: answers what came back. */
void queries_collect(struct worker *w);

#endif
