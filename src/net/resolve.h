/* resolve: names to addresses, off the road. Threads named "resolve" refresh every name in the
 * background with the system's resolver (hosts file, search domains, all of it); the last good list
 * serves while a refresh fails. */
#ifndef DRAY_NET_RESOLVE_H
#define DRAY_NET_RESOLVE_H

#include "net/sock.h"

enum { RESOLVE_ADDRS_MAX = 8 };

struct resolver;
struct resolved_name; /* one host and port; lives as long as the resolver */

struct resolver *resolver_new(void);
/* Stops the threads (waits for a look-up under way) and frees all names. */
void resolver_free(struct resolver *r);
/* The entry of host and port, made when new; looked up at once if numeric, else soon. Thread-safe. */
struct resolved_name *resolver_name(struct resolver *r, str host, uint16_t port);
/* Copies the current addresses, both families alternating; their number, 0 when none is known yet
 * or the name does not exist (resolve_error tells). Thread-safe. */
unsigned resolve_addrs(struct resolved_name *n, struct sock_addr out[RESOLVE_ADDRS_MAX]);
/* Why there is no address ("Name or service not known"), or "not resolved yet". */
void resolve_error(struct resolved_name *n, char out[128]);

#endif
