/* record: one call as the books keep it (CONTRACT section 4). Field names are the contract's.
 *
 * The gateway fills one of these while the call runs; strings are views that live as long as the
 * call. Money in nano-dollars, times in microseconds. COST_UNKNOWN is unknown, never zero. */
#ifndef DRAY_BOOKS_RECORD_H
#define DRAY_BOOKS_RECORD_H

#include "base/hash.h"
#include "base/str.h"
#include "catalog/catalog.h"
#include "facts/facts.h"
#include "facts/finish.h"

enum { RECORD_ATTEMPTS_MAX = 16, RECORD_CANDIDATES_MAX = 16 };

enum cache_result { CACHE_MISS, CACHE_EXACT, CACHE_SEMANTIC };

/* Whether mode: route would do as was observed: yes; only with reroute: always, as the client named its model;
 * not at all, as it named provider/model, or a name of reroute: never. */
enum observed_named { OBSERVED_ROUTED, OBSERVED_NAMED, OBSERVED_FIXED };

struct record_attempt {
    uint8_t n;                                /* from 1 */
    uint16_t status;                          /* HTTP status, 0 when there was none */
    str target;                               /* "provider/model" */
    str error;                                /* error class of gateway/fault.def; empty when good */
    uint64_t start_us, first_byte_us, end_us; /* offsets from the call's begin; 0 first byte: none came */
    struct usage usage;
    struct usage_cost cost;
};

struct record_candidate {
    str target;
    int64_t expected_cost;
    float score;
};

struct record {
    struct uuid id;
    uint64_t time_us; /* wall clock of the call's begin */
    /* who */
    str key, team, user, session;
    /* what: known at begin */
    str dialect, endpoint, requested_model;
    const struct facts *facts; /* task, stakes, tags, lengths and so on */
    str rule, tier;
    struct record_candidate candidate[RECORD_CANDIDATES_MAX];
    uint8_t candidate_count;
    double propensity;
    str baseline_model; /* "provider/model" */
    str config_version;
    bool stream;
    bool label_pending; /* an amendment with the facts is on its way: the fold waits for it */
    uint64_t prompt_hash;
    str observed_tier, observed_model; /* mode: observe */
    uint8_t observed_named;            /* enum observed_named */
    int64_t observed_cost;             /* expected at begin; at end: of the usage there was */
    /* how it ended: known at end */
    str provider, model; /* that answered; empty when none did */
    uint16_t status;     /* HTTP status sent to the client; 499: it had gone */
    str error;           /* error class; empty when good */
    uint8_t attempts;
    struct usage usage; /* of the winner */
    struct usage_cost cost_lines;
    int64_t cost;          /* all attempts */
    int64_t baseline_cost; /* the same usage at the baseline's prices */
    int64_t routing_cost;
    uint64_t ttft_us, duration_us, overhead_us;
    uint8_t cache;  /* enum cache_result */
    uint8_t finish; /* enum finish */
    str service_tier, price_version, dropped;
    str answer_id; /* the provider's id of the answer, for feedback */
};

/* A later word about a call. Fields that are not said are left as they were. */
struct record_amend {
    struct uuid id;
    uint64_t time_us;
    const struct facts *facts; /* label of a named call; NULL: not said */
    uint64_t prompt_hash;      /* 0: not said */
    float quality;             /* 0..1; < 0: not said */
    str quality_source;        /* "feedback", "check", "judge", "shadow" */
    str label, comment;
};

#endif
