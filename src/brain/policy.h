/* policy: what rules and labels are compiled to. Internal to brain/. */
#ifndef DRAY_BRAIN_POLICY_H
#define DRAY_BRAIN_POLICY_H

#include "brain/router.h"

/* What a rule can ask about: one row each. id, key in YAML, how it is asked, labels may ask it. */
#define POLICY_KEYS(X)                                                                                            \
    X(TASK, "task", ASK_SET, 0)                                                                                   \
    X(STAKES, "stakes", ASK_SET, 0)                                                                               \
    X(INPUT_TOKENS, "input_tokens", ASK_NUMBER, 1)                                                                \
    X(INPUT_LENGTH, "input_length", ASK_NUMBER, 1)                                                                \
    X(OUTPUT_TOKENS, "output_tokens", ASK_NUMBER, 1)                                                              \
    X(HOUR, "hour", ASK_NUMBER, 1)                                                                                \
    X(DIFFICULTY, "difficulty", ASK_NUMBER, 0)                                                                    \
    X(TASK_CONFIDENCE, "task_confidence", ASK_NUMBER, 0)                                                          \
    X(MODEL, "model", ASK_TEXT, 1)                                                                                \
    X(KEY, "key", ASK_TEXT, 1)                                                                                    \
    X(TEAM, "team", ASK_TEXT, 1)                                                                                  \
    X(USER, "user", ASK_TEXT, 1)                                                                                  \
    X(TAG, "tag", ASK_TEXT, 1)                                                                                    \
    X(SYSTEM_HASH, "system_hash", ASK_TEXT, 1)                                                                    \
    X(SEMANTIC, "semantic", ASK_TEXT, 1)                                                                          \
    X(NAMED, "header.NAME and metadata.NAME", ASK_TEXT, 1)                                                        \
    X(TOOLS, "tools", ASK_FLAG, 1)                                                                                \
    X(VISION, "vision", ASK_FLAG, 1)                                                                              \
    X(STREAM, "stream", ASK_FLAG, 1)                                                                              \
    X(ALL, "all", ASK_NEST, 1)                                                                                    \
    X(ANY, "any", ASK_NEST, 1)                                                                                    \
    X(NOT, "not", ASK_NEST, 1)

enum ask { ASK_SET, ASK_NUMBER, ASK_TEXT, ASK_FLAG, ASK_NEST };
enum policy_key {
#define X(id, name, ask, label) KEY_##id,
    POLICY_KEYS(X)
#undef X
        KEY_COUNT
};

struct range {
    double lo, hi; /* both included unless open */
    bool lo_open, hi_open;
};

/* One condition; of a nest, `first` is its first inner one and `next` leads to the following, both as
 * places in policy.cond (0 ends). */
struct cond {
    uint8_t key;    /* enum policy_key */
    uint8_t named;  /* KEY_NAMED: which of router.name */
    bool flag;      /* ASK_FLAG: the wanted value */
    uint16_t count; /* of ranges or patterns: one must hold */
    uint32_t first, next;
    uint64_t mask; /* ASK_SET: bit per wanted value */
    const struct range *range;
    const str *pattern; /* `*` stands for any run of characters */
    str text;           /* as written, for explain */
};

enum use_kind { USE_TIER, USE_TARGET };

struct rule {
    str name;
    uint32_t when; /* first condition of the list that must all hold; 0: always */
    uint8_t use;   /* enum use_kind */
    uint16_t id;   /* of the tier or target */
};

struct policy {
    uint32_t count;
    const struct rule *rule;
    const struct cond *cond; /* place 0 is not used */
};

struct label {
    uint32_t when;
    bool sets_task, sets_stakes;
    uint8_t task, stakes;
};

struct labels {
    uint32_t count;
    const struct label *label;
    const struct cond *cond;
};

const char *policy_key_name(enum policy_key k);
enum ask policy_key_ask(enum policy_key k);
/* A condition on a fact that was not recorded is neither: facts of the past, see struct facts. */
enum truth { NO, YES, UNRECORDED };
/* Whether one condition holds. */
enum truth cond_holds(const struct router *r, const struct cond *all, const struct cond *c, const struct facts *f);
/* Whether every condition of the list that starts at `first` holds. */
enum truth cond_list_holds(const struct router *r, const struct cond *all, uint32_t first, const struct facts *f);
/* Tier that a name of the built-in policy means here: the one called so, else light is the first, frontier
 * the last, mid the middle one. */
uint16_t policy_usual_tier(const struct router *r, const char *name);

#endif
