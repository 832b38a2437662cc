/* clock_iso: apart from clock.c, which tests replace. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

void clock_iso(char out[28], uint64_t wall_us) {
    time_t s = (time_t)(wall_us / 1000000u);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, 28, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 28 - n, ".%06uZ", (unsigned)(wall_us % 1000000u));
}
