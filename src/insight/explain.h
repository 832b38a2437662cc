/* explain: why a recorded call went where it went, what it cost line by line, and what another configuration
 * (today's) would decide from the same facts. */
#ifndef DRAY_INSIGHT_EXPLAIN_H
#define DRAY_INSIGHT_EXPLAIN_H

#include "books/ledger.h"
#include "config/config.h"

/* `config` NULL: without today's decision. */
void explain_text(const struct ledger_call *c, const struct config *config, buf *out);
/* {"call":{…},"today":{…}|null} */
void explain_json(const struct ledger_call *c, const struct config *config, buf *out);

#endif
