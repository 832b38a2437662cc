/* sim: simulated providers. One HTTP server that answers in the OpenAI, Anthropic and Gemini dialects,
 * for trials without a key, for tests and for benchmarks.
 *
 * Every answer says that it is simulated: in its text and in the header `x-dray-simulated: 1`. The same
 * seed and the same request give the same answer, whatever else is asked meanwhile; which requests fail
 * follows from the seed and the order of arrival. A request may override each option for itself with a
 * header of the option's name: `x-sim-error-rate: 1`. */
#ifndef DRAY_SIM_SIM_H
#define DRAY_SIM_SIM_H

#include "base/err.h"
#include "base/str.h"

/* X(field, name, unit, help). `name` is the flag (--name) and the header (x-sim-name); the unit is the field's
 * type and how text is read into it: COUNT uint64_t, TIME uint64_t microseconds ("50ms"), SHARE double 0..1. */
#define SIM_OPTIONS(X)                                                                                            \
    X(seed, "seed", COUNT, "what answers and failures are drawn from (default 1)")                                \
    X(latency_us, "latency", TIME, "wait before an answer that is not streamed")                                  \
    X(first_byte_us, "first-byte", TIME, "wait before the first byte of a stream")                                \
    X(token_us, "token-pace", TIME, "wait between the tokens of a stream")                                        \
    X(input_tokens, "input-tokens", COUNT, "prompt tokens to report (default: counted from the text)")            \
    X(output_tokens, "output-tokens", COUNT, "tokens of each answer (default: drawn, 8 to 40)")                   \
    X(cached_tokens, "cached-tokens", COUNT, "of the prompt tokens, those read from the provider's cache")        \
    X(tool_calls, "tool-calls", COUNT, "tool calls in an answer to a request with tools (default 1)")             \
    X(reasoning_tokens, "reasoning-tokens", COUNT, "reasoning tokens to report on top of the answer's")           \
    X(error_rate, "error-rate", SHARE, "share of the requests that fail")                                         \
    X(error_status, "error-status", COUNT, "HTTP status of the failures (default 500)")                           \
    X(rate_limit, "rate-limit", COUNT, "requests per window and credential; more are answered 429")               \
    X(rate_window_us, "rate-window", TIME, "window of the rate limit (default 1m)")                               \
    X(disconnect_rate, "disconnect-rate", SHARE, "share of the answers that are cut off half-way")

typedef uint64_t SIM_COUNT, SIM_TIME;
typedef double SIM_SHARE;
struct sim_options {
#define X(field, name, unit, help) SIM_##unit field;
    SIM_OPTIONS(X)
#undef X
};
void sim_options_default(struct sim_options *o);
/* Sets the option called `name` from text; false when there is no such option or the text is no value of it. */
bool sim_option_set(struct sim_options *o, str name, str value, err *e);

struct sim;
/* Listens on the numeric IPv4 address `addr` (NULL: 127.0.0.1) and `port` (0: any free one), and serves from a
 * thread of its own named "sim". NULL with a reason on failure. The options are copied. */
struct sim *sim_start(const char *addr, uint16_t port, const struct sim_options *options, err *e);
uint16_t sim_port(const struct sim *s);
/* Closes all connections, ends the thread, frees. NULL is fine. */
void sim_stop(struct sim *s);

#endif
