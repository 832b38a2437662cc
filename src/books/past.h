/* past: a ledger's calls as deciding them again needs them, and nothing else of them: several times as
 * fast as ledger_each(), which puts whole records together. For `dray replay` over millions of calls. */
#ifndef DRAY_BOOKS_PAST_H
#define DRAY_BOOKS_PAST_H

#include "books/ledger.h"

/* One call that a provider answered. Strings and pointers live until the callback returns. */
struct past_call {
    struct uuid id;
    uint64_t time_us;
    const struct facts *facts; /* of its day, but for the session, which decides nothing; NULL: not recorded */
    /* What was decided then, and nothing else of the record: dialect, requested_model, rule, tier, candidates,
     * propensity, and what mode observe noted. */
    const struct record *decided;
    struct usage usage; /* of the answer */
    str provider, model;
    int64_t cost;  /* COST_UNKNOWN */
    float quality; /* < 0 unknown */
    bool failed;
};

/* All answered calls that began in [from, to), oldest first; calls that were cut or that nobody answered are
 * left out. The callback returns false to stop. */
bool past_each(struct ledger *l, uint64_t from, uint64_t to, bool (*each)(void *ctx, const struct past_call *c),
               void *ctx, err *e);

#endif
