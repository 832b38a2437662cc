/* dray: one binary, a table of commands. */
#include "base/str.h"

#include <stdio.h>

int main(void) {
    puts("dray " DRAY_VERSION);
    return 0;
}
