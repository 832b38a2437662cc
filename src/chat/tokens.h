/* tokens: how many tokens a text has, estimated by classes of characters and marked as such:
 * 5.5 % mean error against o200k, about 4 ns a byte. Weights are shipped constants. */
#ifndef DRAY_CHAT_TOKENS_H
#define DRAY_CHAT_TOKENS_H

#include "base/str.h"

/* Running counts over one or more texts. All zero to start. */
struct token_estimate {
    uint32_t n[16];
};
/* Adds a text; `escaped`: it is the inside of a JSON string, escapes count as what they stand for. */
void tokens_add(struct token_estimate *t, str text, bool escaped);
uint32_t tokens_estimate(const struct token_estimate *t);

#endif
