/* SPDX-License-Identifier: MIT */
/* Fast ways of system instructions out of generated code (native_sys.c). */
#ifndef TARGET_X86_NATIVE_SYS_H
#define TARGET_X86_NATIVE_SYS_H

#include "target-x86/cpu.h"

/* Called by the thunks of template_sys.c with flags in env and the caller-saved guest
 * registers stored. Return the host address to go on at, state complete; or 0, nothing
 * changed. */
uint64_t x86_native_syscall(X86Cpu *cpu, uint64_t next);
uint64_t x86_native_sysret(X86Cpu *cpu, uint64_t rcx);
/* REP STOS or REP MOVS upwards within one page for each pointer. what: element size, and
 * NATIVE_MOVS. 0: nothing done. */
enum { NATIVE_MOVS = 16 };
uint64_t x86_native_string(X86Cpu *cpu, uint64_t what);

#endif
