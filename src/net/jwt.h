/* jwt: signed claims (RFC 7519) with RS256, as token endpoints want them from service accounts. */
#ifndef DRAY_NET_JWT_H
#define DRAY_NET_JWT_H

#include "base/buf.h"
#include "base/err.h"

/* Appends header.claims.signature; both are JSON texts. `pem`: the private key. False when it is none. */
bool jwt_rs256(str header, str claims, str pem, buf *out, err *e);

#endif
