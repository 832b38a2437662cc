/* shipped: files of data/ that are compiled in, so that the one binary is all there is to install. */
#ifndef DRAY_CONFIG_SHIPPED_H
#define DRAY_CONFIG_SHIPPED_H

#include "base/str.h"

/* data/brain/static-minilm.dse: the embedding table of the semantic routes. */
str shipped_table(void);

#endif
