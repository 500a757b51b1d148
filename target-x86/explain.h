/* SPDX-License-Identifier: MIT */
/* What led to a triple fault, for people. */
#ifndef TARGET_X86_EXPLAIN_H
#define TARGET_X86_EXPLAIN_H

#include <stdio.h>
#include "target-x86/cpu.h"

/* Chain of faults, the descriptor or page-table entry at fault, last branches. Heavy; the
 * vCPU's thread, right after its delivery failed. */
void x86_explain_shutdown(X86Cpu *cpu, FILE *f);

#endif
