/* SPDX-License-Identifier: MIT */
/* Only in the 32-bit image: tasks, virtual-8086 mode, real mode (start32.S). */
#ifndef CASES_LIB32_H
#define CASES_LIB32_H
#include "lib.h"

typedef struct __attribute__((packed)) Tss {
    u32 back, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp,
        ebp, esi, edi, es, cs, ss, ds, fs, gs, ldt;
    u16 trap, map;
} Tss;
extern Tss tss, df_tss;
extern u8 kernel_stack[];

typedef struct V86Regs {
    u32 gs, fs, ds, es, ss, esp, flags, cs, eip, eax, ebx, ecx, edx;
} V86Regs;
u64 run_v86(const V86Regs *r);

typedef struct RealRegs {
    u32 eax, ebx, ecx, edx, esi, edi, flags;
} RealRegs;
/* What lies at 9000H; ends by a far return. */
u64 run_real(RealRegs *r);
#endif
