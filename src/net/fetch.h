/* fetch: one GET of a URL that somebody else wrote, on a thread that may wait.
 *
 * The host is looked up once; every address must be public (net/guard.h), and the connection goes to one of those
 * that were checked, so that a name can't change in between. Redirects are followed a few times by the same rules.
 * Size and time are bounded. Nothing is sent but the path: no cookie, no credential. */
#ifndef DRAY_NET_FETCH_H
#define DRAY_NET_FETCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

enum { FETCH_URL_MAX = 4096, FETCH_REDIRECTS_MAX = 3 };

struct fetch_rules {
    uint64_t until;          /* monotonic microseconds */
    const atomic_bool *stop; /* gives up when it turns true */
    str ca_file;             /* empty: the system's */
    const str *hosts;        /* names and addresses that may be private */
    unsigned host_count;
};

/* Appends the body to `out` (whose max is the limit); `*type` is its media type, in `a`. False with the reason, in
 * words that tell nothing of what stands at a forbidden address. */
bool fetch_url(str url, const struct fetch_rules *rules, buf *out, str *type, arena *a, err *e);

#endif
