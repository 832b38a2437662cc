/* gzip: compressed bodies (RFC 1952 gzip, RFC 1950 zlib) by zlib, with a bound on what comes out. */
#ifndef DRAY_BASE_GZIP_H
#define DRAY_BASE_GZIP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends the inflated bytes of one or more whole gzip members (or one zlib stream) to `out`, whose `max`
 * bounds a bomb. False when the input is not that, is cut off, has bytes behind it (out->failed is not
 * set), or inflates to more than fits (out->failed is set). */
bool gunzip(str in, buf *out, err *e);

#endif
