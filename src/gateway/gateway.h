/* gateway: the process that serves: acceptor, workers, books, configuration, signals. */
#ifndef DRAY_GATEWAY_GATEWAY_H
#define DRAY_GATEWAY_GATEWAY_H

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

struct books;
struct counter;
struct labeler;
struct media;
struct override;
struct queries;
struct tokens;
struct gateway;
struct metrics;

/* Starts everything with the configuration (takes over its pin). NULL on error. */
struct gateway *gateway_start(struct config *c, const char *config_path, err *e);
/* Serves until SIGTERM or SIGINT, then stops accepting, drains calls and books, and frees all.
 * SIGHUP reloads. Returns the exit code. */
int gateway_run(struct gateway *g);

/* For workers. */
struct books *gateway_books(struct gateway *g);
struct resolver *gateway_resolver(struct gateway *g);
struct tls_sessions *gateway_sessions(struct gateway *g, str host, uint16_t port, str ca_file);
/* The key under which prompts are hashed: random, kept beside the ledger. */
const uint64_t *gateway_prompt_key(const struct gateway *g);
struct labeler *gateway_labeler(struct gateway *g);
struct queries *gateway_queries(struct gateway *g);
struct override *gateway_override(struct gateway *g);
struct media *gateway_media(const struct gateway *g);
struct tokens *gateway_tokens(const struct gateway *g);
const struct counter *gateway_counter(const struct gateway *g);
void gateway_metrics(struct gateway *g, buf *out);
bool gateway_stopping(const struct gateway *g);
/* Any thread, from a signal or the admin API: reads the file again. False with why; nothing changes then. */
bool gateway_reload(struct gateway *g, err *e);

#endif
