/* SPDX-License-Identifier: MIT */
/* The list of instruction families. A family is an array of rows and its length. Leaf. */
#include "target-x86/insn.h"

#define FAMILY(n)                       \
    extern const X86Row x86_rows_##n[]; \
    extern const unsigned x86_n_rows_##n;
#define FAMILY_TO_COME(n)                                     \
    extern const X86Row x86_rows_##n[] __attribute__((weak)); \
    extern const unsigned x86_n_rows_##n __attribute__((weak));

FAMILY(alu)
FAMILY(mov)
FAMILY(shift)
FAMILY(bit)
FAMILY(string)
FAMILY(branch)
FAMILY(stack)
FAMILY_TO_COME(sys)
FAMILY_TO_COME(seg)
FAMILY_TO_COME(far)
FAMILY_TO_COME(io)
FAMILY_TO_COME(x87)
FAMILY_TO_COME(mmx)
FAMILY_TO_COME(sse)
FAMILY_TO_COME(avx)
FAMILY_TO_COME(crypto)
FAMILY_TO_COME(sse_fp)
FAMILY_TO_COME(fma)

#define ENTRY(n) { #n, x86_rows_##n, &x86_n_rows_##n }
static const struct {
    const char *name;
    const X86Row *rows;
    const unsigned *count;
} families[] = {
    ENTRY(alu), ENTRY(mov), ENTRY(shift), ENTRY(bit), ENTRY(string), ENTRY(branch),
    ENTRY(stack), ENTRY(sys), ENTRY(seg), ENTRY(far), ENTRY(io), ENTRY(x87),
    ENTRY(mmx), ENTRY(sse), ENTRY(avx), ENTRY(crypto),
    ENTRY(sse_fp), ENTRY(fma),
};

X86RowTable x86_row_tables[ARRAY_SIZE(families) + 1];

void x86_row_tables_init(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(families); i++) {
        if (families[i].rows) {
            x86_row_tables[n++] =
                (X86RowTable){ families[i].name, families[i].rows, *families[i].count };
        }
    }
}
