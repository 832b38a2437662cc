/* override: the panic switch: for a while, every routed call goes to one tier.
 *
 * It expires by itself, survives a restart, and every change is a line in the audit log beside the
 * ledger (LEDGER.audit.jsonl): time, action, tier, until, why. */
#ifndef DRAY_GATEWAY_OVERRIDE_H
#define DRAY_GATEWAY_OVERRIDE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct override;

enum { OVERRIDE_MAX_S = 31 * 24 * 3600 };

/* Reads the audit log: a switch that is still on is taken up again. */
struct override *override_open(str ledger_path);
void override_free(struct override *o);
/* Switches on for `for_us` from `now_us` (wall clock). False with why: no reason given, too long, log not
 * writable. */
bool override_set(struct override *o, str tier, uint64_t for_us, str why, uint64_t now_us, err *e);
bool override_off(struct override *o, uint64_t now_us, err *e);
/* The tier in force, copied to `tier` (64 bytes); false when there is none. Cheap when off; any thread. */
bool override_tier(struct override *o, uint64_t now_us, char tier[64]);
/* {"override":null} or its tier, until, why. */
void override_write(struct override *o, uint64_t now_us, buf *out);

#endif
