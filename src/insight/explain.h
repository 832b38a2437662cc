/* explain: why a recorded call went where it went, what it cost line by line, and what another configuration
 * (today's) would decide from the same facts. */
#ifndef DRAY_INSIGHT_EXPLAIN_H
#define DRAY_INSIGHT_EXPLAIN_H

#include "books/ledger.h"
#include "config/config.h"

/* Whether a decision is the one that was recorded, bit for bit: rule, tier, candidates with expected costs and
 * scores, propensity; of a call in mode observe, what was observed. */
bool decision_same(const struct config *c, const struct decision *d, const struct record *r);
/* The dialect that a record names. */
enum dialect record_dialect(const struct record *r);
/* `config` NULL: without today's decision. */
void explain_text(const struct ledger_call *c, const struct config *config, buf *out);
/* {"call":{…},"today":{…}|null,"same_decision":true|false|null,"undecidable":"why"|null} */
void explain_json(const struct ledger_call *c, const struct config *config, buf *out);

#endif
