/* fault: the table of fault.h as data. */
#include "gateway/fault.h"

static const struct fault_row rows[FAULT_COUNT] = {
#define X(id, name, status, type, next) {name, status, type, next},
    FAULTS(X)
#undef X
};

const struct fault_row *fault_row(enum fault f) { return &rows[f < FAULT_COUNT ? f : FAULT_INTERNAL]; }
