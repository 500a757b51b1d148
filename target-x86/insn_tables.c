/* SPDX-License-Identifier: MIT */
/* The list of instruction families. A family is an array of rows and its length. Leaf. */
#include "target-x86/insn.h"

#define FAMILY(n)                       \
    extern const X86Row x86_rows_##n[]; \
    extern const unsigned x86_n_rows_##n;
/* Weak, so that a test may link without the family; X86_FAMILIES of int.mk pulls them. */
#define FAMILY_ELSEWHERE(n)                                   \
    extern const X86Row x86_rows_##n[] __attribute__((weak)); \
    extern const unsigned x86_n_rows_##n __attribute__((weak));

FAMILY(alu)
FAMILY(mov)
FAMILY(shift)
FAMILY(bit)
FAMILY(string)
FAMILY(branch)
FAMILY(stack)
FAMILY_ELSEWHERE(sys)
FAMILY_ELSEWHERE(seg)
FAMILY_ELSEWHERE(far)
FAMILY_ELSEWHERE(io)
FAMILY_ELSEWHERE(x87)
FAMILY_ELSEWHERE(mmx)
FAMILY_ELSEWHERE(sse)
FAMILY_ELSEWHERE(avx)
FAMILY_ELSEWHERE(crypto)
FAMILY_ELSEWHERE(sse_fp)
FAMILY_ELSEWHERE(fma)
FAMILY_ELSEWHERE(xsave)
FAMILY_ELSEWHERE(opmask)
FAMILY_ELSEWHERE(evex)
FAMILY_ELSEWHERE(evex_fp)

#define ENTRY(n) { #n, x86_rows_##n, &x86_n_rows_##n }
static const struct {
    const char *name;
    const X86Row *rows;
    const unsigned *count;
} families[] = {
    ENTRY(alu), ENTRY(mov), ENTRY(shift), ENTRY(bit), ENTRY(string), ENTRY(branch),
    ENTRY(stack), ENTRY(sys), ENTRY(seg), ENTRY(far), ENTRY(io), ENTRY(x87),
    ENTRY(mmx), ENTRY(sse), ENTRY(avx), ENTRY(crypto),
    ENTRY(sse_fp), ENTRY(fma), ENTRY(xsave), ENTRY(opmask),
    ENTRY(evex), ENTRY(evex_fp),
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
