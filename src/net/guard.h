/* guard: which addresses a URL that a client wrote may lead to. */
#ifndef DRAY_NET_GUARD_H
#define DRAY_NET_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether the address is one of the public internet: not this machine, not a private, shared, link-local (where
 * clouds keep their metadata), documentation, benchmark, multicast or reserved one, nor an IPv6 address that
 * stands for such an IPv4 one (IANA's special-purpose registries). */
bool guard_public(const struct sockaddr *a);

#endif
