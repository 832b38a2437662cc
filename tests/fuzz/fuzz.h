/* What every fuzzer needs. A property that fails aborts, so that libFuzzer keeps the input. */
#ifndef DRAY_FUZZ_H
#define DRAY_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x)                                                                                                   \
    do {                                                                                                          \
        if (!(x)) abort();                                                                                        \
    } while (0)

#endif
