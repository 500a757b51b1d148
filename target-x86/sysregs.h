/* SPDX-License-Identifier: MIT */
/*
 * Writes to control registers with all their checks, SDM vol. 3, 2.5, 4.1, 9.8.5. Leaf.
 *
 * The set functions return false, having changed nothing, where the instruction must raise
 * #GP(0). They flush translations and keep the mode word current.
 */
#ifndef TARGET_X86_SYSREGS_H
#define TARGET_X86_SYSREGS_H

#include "target-x86/cpu.h"

MUST_USE bool x86_set_cr0(X86Cpu *cpu, uint64_t v);
MUST_USE bool x86_set_cr3(X86Cpu *cpu, uint64_t v);
MUST_USE bool x86_set_cr4(X86Cpu *cpu, uint64_t v);
MUST_USE bool x86_set_efer(X86Cpu *cpu, uint64_t v);
MUST_USE bool x86_set_xcr0(X86Cpu *cpu, uint64_t v);
void x86_set_pkru(X86Cpu *cpu, uint32_t v);

/* CR4 bits that the vCPU's features allow. */
uint64_t x86_cr4_mask(const X86Cpu *cpu);
uint64_t x86_efer_mask(const X86Cpu *cpu);

/* The guest's time-stamp counter; set changes TSC and IA32_TSC_ADJUST as one. */
uint64_t x86_tsc(X86Cpu *cpu);
void x86_set_tsc(X86Cpu *cpu, uint64_t v);

#endif
