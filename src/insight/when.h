/* when: dates with times as people and programs write them. */
#ifndef DRAY_INSIGHT_WHEN_H
#define DRAY_INSIGHT_WHEN_H

#include "base/str.h"

/* Microseconds since 1970 of ISO 8601 ("2026-11-24T22:40:01.5+01:00", with a space, basic "20261124T224001Z", a
 * date alone), access logs ("24/Nov/2026:22:40:01 +0000"), mail and HTTP ("Tue, 24 Nov 2026 22:40:01 GMT"), "Nov
 * 24, 2026, 10:40:01 PM", "11/24/2026 10:40 PM" and "24/11/2026 22:40" (only where it is clear which is the
 * month). UTC where no zone is said. False for anything else and outside 2000 to 2100. */
bool when_parse(str s, uint64_t *us);

#endif
