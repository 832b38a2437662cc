/* litellm: a row of LiteLLM's model_prices_and_context_window.json as a price: dollars per token and the like. */
#ifndef DRAY_CATALOG_LITELLM_H
#define DRAY_CATALOG_LITELLM_H

#include "base/json.h"
#include "catalog/catalog.h"

/* Reads an object of validated text. False when it has no price that is known here; `p` is then all unknown. */
bool litellm_price(jval row, struct price *p);
/* The first member that should be a price and is none (negative, a word, beyond all measure), which litellm_price
 * leaves unknown: its name, a view of the text; STR_NONE when all are good. */
str litellm_refused(jval row);

#endif
