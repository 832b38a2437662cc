/* prompt: where the text of a request lies, found by a dialect reader, read by the classifier.
 * Views of the request body (still JSON-escaped where `esc`); valid as long as the body. */
#ifndef DRAY_FACTS_PROMPT_H
#define DRAY_FACTS_PROMPT_H

#include "base/str.h"

enum {
    PROMPT_SYSTEM_MAX = 8,   /* system and developer parts kept: the first ones */
    PROMPT_USER_MAX = 16,    /* text parts of the last user turn kept: the first ones */
    PROMPT_HISTORY_MAX = 16, /* text parts of earlier turns kept: the newest ones, oldest first */
};

struct prompt_part {
    str raw;
    bool esc;
    bool assistant; /* history: said by the model */
};

struct prompt {
    struct prompt_part system[PROMPT_SYSTEM_MAX], user[PROMPT_USER_MAX], history[PROMPT_HISTORY_MAX];
    uint8_t system_count, user_count, history_count;
    bool agent_step; /* the last message is a tool result */
    bool schema;     /* structured output was asked for */
    uint16_t images; /* image parts in the conversation */
    uint16_t tool_count;
    uint16_t turns;
};

#endif
