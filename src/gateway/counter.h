/* counter: exact tokenizers, read in the background when dray starts, for those who count. Where a file is
 * missing, or not there yet, they estimate. */
#ifndef DRAY_GATEWAY_COUNTER_H
#define DRAY_GATEWAY_COUNTER_H

#include "base/str.h"

struct bpe;
struct counter;

struct counter *counter_start(void);
void counter_stop(struct counter *c);
/* The tokenizer of an upstream model, NULL when there is none. Any thread. */
const struct bpe *counter_for(const struct counter *c, str model);

#endif
