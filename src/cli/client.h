/* client: one request to the running gateway, for commands that speak to it. Finds the address in the
 * configuration's `listen` ($DRAY_LISTEN overrides) and the admin key in its `admin_key`. */
#ifndef DRAY_CLI_CLIENT_H
#define DRAY_CLI_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

/* Sends `body` (may be empty) and reads the whole answer. `config`: the -c option or NULL. The HTTP status, or
 * -1 with `e` when the gateway can't be reached. */
int client_request(const char *config, const char *method, const char *path, str body, buf *answer, err *e);

#endif
