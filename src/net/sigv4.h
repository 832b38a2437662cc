/* sigv4: AWS Signature Version 4 for one request
 * (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
 *
 * Signed are the method, the path, the host, the time, the session token and the body: what decides what is asked.
 * No query: the services that dray asks need none. */
#ifndef DRAY_NET_SIGV4_H
#define DRAY_NET_SIGV4_H

#include "base/buf.h"
#include "base/str.h"

#include <sys/uio.h>

struct sigv4_key {
    str id, secret, session; /* session: empty for long-lived keys */
    str region, service;     /* "us-east-1", "bedrock" */
};

/* Appends the header lines x-amz-date, x-amz-security-token (with a session) and authorization to `out`. `path` as
 * it goes out, percent-encoded; `wall_us` microseconds since 1970. */
void sigv4_sign(const struct sigv4_key *k, str method, str host, str path, const struct iovec *body,
                unsigned pieces, uint64_t wall_us, buf *out);

#endif
