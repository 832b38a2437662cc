/* tokens: access tokens of Google accounts, gotten and renewed in the background, so that a call finds one ready.
 *
 * One thread with a loop of its own asks each account's token endpoint: a service account with a signed claim
 * (developers.google.com/identity/protocols/oauth2/service-account), a user with their refresh token. A token is
 * renewed before it ends; a failure is tried again soon, and the old token serves as long as it is good. */
#ifndef DRAY_GATEWAY_TOKENS_H
#define DRAY_GATEWAY_TOKENS_H

#include "base/buf.h"
#include "config/config.h"

struct gateway;
struct tokens;

struct tokens *tokens_start(struct gateway *g, err *e);
/* Gets tokens for all accounts of a configuration; those that are there already stay. Waits up to `patience_us`
 * for the first ones, 0: not at all. Any thread. */
void tokens_want(struct tokens *t, const struct config *c, uint64_t patience_us);
/* Appends the account's token; false with the reason when there is none that is good. Any thread. */
bool tokens_get(struct tokens *t, const struct google_account *a, buf *out, err *e);
void tokens_stop(struct tokens *t);

#endif
