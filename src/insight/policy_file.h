/* policy_file: a configuration for deciding only. Nothing is sent with it, so credentials that the
 * environment doesn't have are no reason to refuse it. */
#ifndef DRAY_INSIGHT_POLICY_FILE_H
#define DRAY_INSIGHT_POLICY_FILE_H

#include "config/config.h"

/* config_load, with a stand-in for each ${NAME} of the file that is not set. */
struct config *policy_load(const char *path, err *e);

#endif
