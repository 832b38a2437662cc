/* shipped: the assembler takes the files in as they are; an array of two million numbers would take the compiler
 * longer than everything else. DRAY_DATA is the data folder, from meson.build. */
#include "config/shipped.h"

#define SHIP(name, file)                                                                                          \
    __asm__(".pushsection .rodata\n.balign 64\nshipped_" name ":\n.incbin \"" DRAY_DATA "/" file                  \
            "\"\nshipped_" name "_end:\n.byte 0\n.popsection\n")

SHIP("table_bytes", "brain/static-minilm.dse");
extern const char table_bytes[] __asm__("shipped_table_bytes"), table_end[] __asm__("shipped_table_bytes_end");

str shipped_table(void) { return str_make(table_bytes, (size_t)(table_end - table_bytes)); }
