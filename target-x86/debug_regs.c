/* SPDX-License-Identifier: MIT */
/* Registers by name: one table over X86State. Reads only. */
#include "target-x86/debug_regs.h"

#include <string.h>

typedef struct RegName {
    const char *name;
    uint16_t offset; /* in X86State */
    uint8_t size;    /* bytes */
} RegName;

/* clang-format off: rows */
#define ROW(n, f)                                            \
    {                                                        \
        n, offsetof(X86State, f), sizeof(((X86State *)0)->f) \
    }
#define SEG_ROWS(n, f) \
    ROW(n, f.selector), ROW(n "_base", f.base), ROW(n "_limit", f.limit)
static const RegName reg_names[] = {
    ROW("rax", gpr[R_AX]),
    ROW("rcx", gpr[R_CX]),
    ROW("rdx", gpr[R_DX]),
    ROW("rbx", gpr[R_BX]),
    ROW("rsp", gpr[R_SP]),
    ROW("rbp", gpr[R_BP]),
    ROW("rsi", gpr[R_SI]),
    ROW("rdi", gpr[R_DI]),
    ROW("r8", gpr[8]),
    ROW("r9", gpr[9]),
    ROW("r10", gpr[10]),
    ROW("r11", gpr[11]),
    ROW("r12", gpr[12]),
    ROW("r13", gpr[13]),
    ROW("r14", gpr[14]),
    ROW("r15", gpr[15]),
    ROW("sp", gpr[R_SP]),
    ROW("rip", rip),
    ROW("rflags", rflags),
    ROW("eflags", rflags),
    SEG_ROWS("es", seg[R_ES]),
    SEG_ROWS("cs", seg[R_CS]),
    SEG_ROWS("ss", seg[R_SS]),
    SEG_ROWS("ds", seg[R_DS]),
    SEG_ROWS("fs", seg[R_FS]),
    SEG_ROWS("gs", seg[R_GS]),
    SEG_ROWS("ldt", ldt),
    SEG_ROWS("tr", tr),
    ROW("gdt_base", gdt.base),
    ROW("gdt_limit", gdt.limit),
    ROW("idt_base", idt.base),
    ROW("idt_limit", idt.limit),
    ROW("cr0", cr0),
    ROW("cr2", cr2),
    ROW("cr3", cr3),
    ROW("cr4", cr4),
    ROW("efer", efer),
    ROW("xcr0", xcr0),
    ROW("dr0", dr[0]),
    ROW("dr1", dr[1]),
    ROW("dr2", dr[2]),
    ROW("dr3", dr[3]),
    ROW("dr6", dr6),
    ROW("dr7", dr7),
    ROW("pkru", pkru),
    ROW("cpl", cpl),
    ROW("kernel_gs_base", msr.kernel_gs_base),
    ROW("lstar", msr.lstar),
};
/* clang-format on */

static uint64_t read_row(const X86State *st, const RegName *r)
{
    uint64_t v = 0;
    memcpy(&v, (const char *)st + r->offset, r->size); /* little-endian or not: below */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v >>= 64 - 8 * r->size;
#endif
    return v;
}

bool x86_get_reg(Cpu *cpu, const char *name, uint64_t *value)
{
    const X86State *st = &X86_CPU(cpu)->st;
    for (size_t i = 0; i < ARRAY_SIZE(reg_names); i++) {
        if (strcmp(reg_names[i].name, name) == 0) {
            *value = read_row(st, &reg_names[i]);
            return true;
        }
    }
    /* 32-bit names: the low half */
    if (name[0] == 'e') {
        char wide[8] = "r";
        strncat(wide, name + 1, sizeof(wide) - 2);
        for (size_t i = 0; i < ARRAY_SIZE(reg_names); i++) {
            if (strcmp(reg_names[i].name, wide) == 0 && reg_names[i].size == 8) {
                *value = (uint32_t)read_row(st, &reg_names[i]);
                return true;
            }
        }
    }
    return false;
}

int x86_code_bits(Cpu *cpu)
{
    uint32_t hf = X86_CPU(cpu)->hflags;
    return hf & HF_CS64 ? 64 : hf & HF_CS32 ? 32 : 16;
}
