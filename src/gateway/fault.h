/* fault: every way a call can fail that dray itself has to tell the client: one table.
 *
 * Columns: id; class (ledger field `error`, metric label); HTTP status; OpenAI error type; whether the
 * next target may be tried. */
#ifndef DRAY_GATEWAY_FAULT_H
#define DRAY_GATEWAY_FAULT_H

#include <stdbool.h>

#define FAULTS(X)                                                                                                 \
    X(NONE, "", 200, "", 0)                                                                                       \
    /* the client's */                                                                                            \
    X(BAD_HTTP, "bad_http", 400, "invalid_request_error", 0)                                                      \
    X(HEAD_TOO_LARGE, "head_too_large", 431, "invalid_request_error", 0)                                          \
    X(HTTP_VERSION, "http_version", 505, "invalid_request_error", 0)                                              \
    X(SLOW_CLIENT, "slow_client", 408, "invalid_request_error", 0)                                                \
    X(BODY_TOO_LARGE, "body_too_large", 413, "invalid_request_error", 0)                                          \
    X(BAD_ENCODING, "bad_encoding", 400, "invalid_request_error", 0)                                              \
    X(ENCODING_UNSUPPORTED, "encoding_unsupported", 415, "invalid_request_error", 0)                              \
    X(BAD_JSON, "bad_json", 400, "invalid_request_error", 0)                                                      \
    X(BAD_REQUEST, "bad_request", 400, "invalid_request_error", 0)                                                \
    X(BAD_HINT, "bad_hint", 400, "invalid_request_error", 0)                                                      \
    X(BAD_KEY, "invalid_api_key", 401, "authentication_error", 0)                                                 \
    X(UNKNOWN_PATH, "unknown_path", 404, "invalid_request_error", 0)                                              \
    X(UNKNOWN_MODEL, "model_not_found", 404, "invalid_request_error", 0)                                          \
    X(BAD_METHOD, "bad_method", 405, "invalid_request_error", 0)                                                  \
    X(UNSUPPORTED, "unsupported", 400, "invalid_request_error", 1)                                                \
    X(COST_LIMIT, "cost_limit", 400, "invalid_request_error", 0)                                                  \
    X(CLIENT_GONE, "client_gone", 499, "", 0)                                                                     \
    /* the provider's */                                                                                          \
    X(UPSTREAM_UNRESOLVED, "upstream_unresolved", 502, "api_connection_error", 1)                                 \
    X(UPSTREAM_REFUSED, "upstream_refused", 502, "api_connection_error", 1)                                       \
    X(UPSTREAM_TLS, "upstream_tls", 502, "api_connection_error", 1)                                               \
    X(UPSTREAM_RESET, "upstream_reset", 502, "api_connection_error", 1)                                           \
    X(UPSTREAM_GARBAGE, "upstream_garbage", 502, "api_error", 1)                                                  \
    X(UPSTREAM_TRUNCATED, "upstream_truncated", 502, "api_connection_error", 1)                                   \
    X(CONNECT_TIMEOUT, "connect_timeout", 504, "timeout_error", 1)                                                \
    X(FIRST_BYTE_TIMEOUT, "first_byte_timeout", 504, "timeout_error", 1)                                          \
    X(IDLE_TIMEOUT, "idle_timeout", 504, "timeout_error", 1)                                                      \
    X(TOTAL_TIMEOUT, "total_timeout", 504, "timeout_error", 0)                                                    \
    X(NO_TOKEN, "no_token", 503, "api_error", 1)                                                                  \
    X(UPSTREAM_STATUS, "upstream_status", 502, "api_error", 1)                                                    \
    X(STREAM_ERROR, "stream_error", 502, "api_error", 0)                                                          \
    X(STREAM_UNTERMINATED, "stream_unterminated", 502, "api_error", 0)                                            \
    X(BAD_ANSWER, "bad_answer", 502, "api_error", 0)                                                              \
    /* dray's */                                                                                                  \
    X(NO_TARGET, "no_target", 503, "api_error", 0)                                                                \
    X(BUSY, "busy", 503, "api_error", 0)                                                                          \
    X(LEDGER_FULL, "ledger_full", 503, "api_error", 0)                                                            \
    X(STOPPING, "stopping", 503, "api_error", 0)                                                                  \
    X(INTERNAL, "internal", 500, "api_error", 0)

enum fault {
#define X(id, name, status, type, next) FAULT_##id,
    FAULTS(X)
#undef X
        FAULT_COUNT
};

struct fault_row {
    const char *name;
    int status;
    const char *type;
    bool try_next;
};
const struct fault_row *fault_row(enum fault f);

#endif
