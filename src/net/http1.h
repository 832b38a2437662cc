/* http1: HTTP/1.1 message framing (RFC 9110, RFC 9112), pure: bytes in, views out, no I/O.
 *
 * Strict where leniency is an attack: both lengths, several or malformed Content-Length, any
 * Transfer-Encoding but a final "chunked", obs-fold, bare CR or LF, NUL, space before the colon,
 * empty or malformed names, control characters, HTTP/1.0 with Transfer-Encoding are errors on both sides; so are
 * requests without Host (but in HTTP/1.0) or with two, and targets with a fragment or beyond printable ASCII. */
#ifndef DRAY_NET_HTTP1_H
#define DRAY_NET_HTTP1_H

#include "base/str.h"

enum { HTTP_HEADERS_MAX = 96 };

/* Header names that the code asks for by number; one table. Lower case. */
#define HTTP_NAMES(X)                                                                                             \
    X(ACCEPT, "accept")                                                                                           \
    X(ACCEPT_ENCODING, "accept-encoding")                                                                         \
    X(API_KEY, "api-key")                                                                                         \
    X(AUTHORIZATION, "authorization")                                                                             \
    X(CONNECTION, "connection")                                                                                   \
    X(CONTENT_ENCODING, "content-encoding")                                                                       \
    X(CONTENT_LENGTH, "content-length")                                                                           \
    X(CONTENT_TYPE, "content-type")                                                                               \
    X(COOKIE, "cookie")                                                                                           \
    X(DATE, "date")                                                                                               \
    X(EXPECT, "expect")                                                                                           \
    X(HOST, "host")                                                                                               \
    X(IDEMPOTENCY_KEY, "idempotency-key")                                                                         \
    X(KEEP_ALIVE, "keep-alive")                                                                                   \
    X(ORIGIN, "origin")                                                                                           \
    X(PROXY_AUTHENTICATE, "proxy-authenticate")                                                                   \
    X(PROXY_AUTHORIZATION, "proxy-authorization")                                                                 \
    X(PROXY_CONNECTION, "proxy-connection")                                                                       \
    X(RETRY_AFTER, "retry-after")                                                                                 \
    X(RETRY_AFTER_MS, "retry-after-ms")                                                                           \
    X(SERVER, "server")                                                                                           \
    X(TE, "te")                                                                                                   \
    X(TRAILER, "trailer")                                                                                         \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                                     \
    X(UPGRADE, "upgrade")                                                                                         \
    X(USER_AGENT, "user-agent")                                                                                   \
    X(X_API_KEY, "x-api-key")                                                                                     \
    X(X_DRAY_CACHE, "x-dray-cache")                                                                               \
    X(X_DRAY_MAX_COST_USD, "x-dray-max-cost-usd")                                                                 \
    X(X_DRAY_SESSION, "x-dray-session")                                                                           \
    X(X_DRAY_STAKES, "x-dray-stakes")                                                                             \
    X(X_DRAY_TAGS, "x-dray-tags")                                                                                 \
    X(X_DRAY_TASK, "x-dray-task")                                                                                 \
    X(X_DRAY_TIER, "x-dray-tier")                                                                                 \
    X(X_DRAY_TIMEOUT_MS, "x-dray-timeout-ms")                                                                     \
    X(X_DRAY_USER, "x-dray-user")                                                                                 \
    X(X_GOOG_API_KEY, "x-goog-api-key")                                                                           \
    X(X_REQUEST_ID, "x-request-id")                                                                               \
    X(X_SHOULD_RETRY, "x-should-retry")

enum http_name {
    HTTP_OTHER,
#define X(id, text) HTTP_##id,
    HTTP_NAMES(X)
#undef X
        HTTP_NAME_COUNT
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHOD_OTHER
};

struct http_header {
    str name, value; /* as sent; value without surrounding space */
    uint8_t id;      /* enum http_name */
};

/* A parsed head; all views into the text that was parsed. */
struct http_head {
    /* request */
    uint8_t method;  /* enum http_method */
    str target;      /* as sent: origin-form or absolute-form */
    str path, query; /* query without '?'; of the target's path part; an absolute-form's empty path is "/" */
    /* response */
    uint16_t status;
    /* both */
    uint8_t minor; /* HTTP/1.minor */
    bool chunked, keep_alive;
    bool expect_continue;
    bool has_length;
    uint64_t length; /* of the body when has_length */
    uint16_t count;
    struct http_header header[HTTP_HEADERS_MAX];
};

enum http_error {
    HTTP_OK,
    HTTP_BAD_LINE, /* request or status line */
    HTTP_BAD_HEADER,
    HTTP_BAD_LENGTH,  /* both lengths, two lengths, not a number */
    HTTP_BAD_CODING,  /* transfer-encoding that is not chunked alone */
    HTTP_TOO_MANY,    /* headers */
    HTTP_BAD_VERSION, /* not HTTP/1.x */
    HTTP_BAD_CHUNK,
};
const char *http_error_text(enum http_error e);

/* Offset behind the blank line that ends a head, or 0 when it is not there yet. Bare LFs end it too, so that it
 * is refused at once. `*from` is where the search goes on next time (0 at first), so that a head that comes byte
 * by byte is searched once. */
size_t http1_head_end(str bytes, size_t *from);
/* Parses a complete head (as long as http1_head_end said). */
enum http_error http1_request(str head, struct http_head *out);
enum http_error http1_response(str head, struct http_head *out);
/* First header by number / by lower-case name; empty view with p == NULL when absent. */
str http_get(const struct http_head *h, enum http_name id);
str http_get_name(const struct http_head *h, str lower_name);
/* enum http_name of a header name in any case. */
uint8_t http_name_id(str name);
/* Whether a byte may stand in a token: header names, methods (RFC 9110 5.6.2). */
bool http_token_char(unsigned char c);
/* Whether a header is hop-by-hop (RFC 9110 7.6.1): the fixed list, and what Connection names. */
bool http_hop_by_hop(const struct http_head *h, const struct http_header *x);

/* Decoder of a chunked body, resumable at any byte. All zero to start. */
struct http_chunked {
    uint64_t left;
    uint32_t extra; /* bytes of extensions and trailers so far: bounded to 16 kB */
    uint8_t state, digits;
    bool done;
};
/* Decodes `n` bytes at `p` in place: data is moved to the front. `*used` is how many bytes were
 * consumed (less than n only when done or bad), `*data` how many bytes of data now lie at p. */
enum http_error http1_chunked(struct http_chunked *c, char *p, size_t n, size_t *used, size_t *data);

#endif
