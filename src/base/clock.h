/* clock: the two clocks everything reads. A seam: the simulated network links its own clock_now. */
#ifndef DRAY_BASE_CLOCK_H
#define DRAY_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic microseconds from an arbitrary start: durations and deadlines. */
uint64_t clock_mono_us(void);
/* Microseconds since 1970-01-01 UTC: timestamps. May jump. */
uint64_t clock_wall_us(void);
/* Writes "2026-11-24T22:40:01.123456Z" (27 bytes and a NUL). */
void clock_iso(char out[28], uint64_t wall_us);

#endif
