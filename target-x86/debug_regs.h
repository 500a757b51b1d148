/* SPDX-License-Identifier: MIT */
/* Registers by name, for the monitor and debuggers: entries of x86's CpuOps. */
#ifndef TARGET_X86_DEBUG_REGS_H
#define TARGET_X86_DEBUG_REGS_H

#include "target-x86/cpu.h"

/* "rax", "r8", "rip", "eflags", "cs", "fs_base", "cr3"... A parked vCPU. */
bool x86_get_reg(Cpu *cpu, const char *name, uint64_t *value);
/* Of the current code segment: 16, 32 or 64. */
int x86_code_bits(Cpu *cpu);

#endif
