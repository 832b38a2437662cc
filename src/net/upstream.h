/* upstream: HTTP requests to providers. Callers see streams (open, send, pull, reset); HTTP/1.1 is
 * the case of one stream per connection, HTTP/2 can come without touching them.
 *
 *     struct origin      a provider's host, port, TLS: shared by workers, made once per configuration
 *     struct upstream    a worker's pool of connections to one origin, last used first out
 *     struct ustream     one request and its answer
 *
 * Events come as calls, in this order: connected, sent (each time all that was given has gone),
 * head, data*, then end or fail, exactly one of them, after which the ustream is gone. ustream_reset
 * ends it early without a further call. All views passed to a call are valid only during it. */
#ifndef DRAY_NET_UPSTREAM_H
#define DRAY_NET_UPSTREAM_H

#include "net/http1.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tls.h"

#include <stdatomic.h>

struct origin {
    str host;
    uint16_t port;
    bool tls;
    str ca_file;
    struct resolved_name *name;
    struct tls_sessions *sessions; /* NULL without TLS */
};

enum upstream_fail {
    UPSTREAM_UNRESOLVED, /* no address */
    UPSTREAM_REFUSED,    /* no connection to any address */
    UPSTREAM_TLS,        /* handshake failed */
    UPSTREAM_RESET,      /* closed or reset before the answer began */
    UPSTREAM_TRUNCATED,  /* closed in the middle of the answer */
    UPSTREAM_GARBAGE,    /* not HTTP, or broken framing */
};

struct ustream;
struct ustream_events {
    void (*connected)(void *ctx);
    void (*sent)(void *ctx);
    void (*head)(void *ctx, const struct http_head *h);
    void (*data)(void *ctx, char *p, size_t n); /* the bytes may be changed in place */
    void (*end)(void *ctx);
    /* `unseen`: the peer's process can't have read the request; sending it again is safe. */
    void (*fail)(void *ctx, enum upstream_fail why, bool unseen, const char *detail);
};

struct upstream_counters {
    uint64_t opened, reused, failed; /* connections made; requests on a used one; failures to connect */
    uint32_t active, idle;
};

struct upstream;
/* `scratch` is the worker's read buffer, shared by all its pools. `max` connections, 0: no limit.
 * `idle_us`: how long an unused connection is kept. */
struct upstream *upstream_new(struct loop *l, const struct origin *o, char *scratch, size_t scratch_size,
                              uint32_t max, uint64_t idle_us, err *e);
/* Closes idle connections; goes away with the last stream. */
void upstream_release(struct upstream *u);
void upstream_counters(const struct upstream *u, struct upstream_counters *out);

/* Opens a stream: a pooled connection, or a new one. Never fails at once: failures come as events,
 * also when the limit of connections is reached (UPSTREAM_REFUSED). `head_only`: the answer to HEAD has no body.
 */
struct ustream *ustream_open(struct upstream *u, const struct ustream_events *ev, void *ctx, bool head_only,
                             bool *reused);
/* Sends; `iov` (the array and what it points to) must stay until `sent`, `end`, `fail` or reset. */
void ustream_send(struct ustream *s, struct iovec *iov, unsigned n);
/* Stops and starts the answer's data events. */
void ustream_pause(struct ustream *s);
void ustream_resume(struct ustream *s);
/* Gives up: no further events; the connection is closed unless the answer was complete. */
void ustream_reset(struct ustream *s);

#endif
