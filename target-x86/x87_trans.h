/* SPDX-License-Identifier: MIT */
/* The ways to a transcendental x87 instruction (D9 F0..FF); see x87_trans.c. */
#ifndef TARGET_X86_X87_TRANS_H
#define TARGET_X86_X87_TRANS_H

#include "target-x86/insn.h"

/* The best of the host: bit-exact on x86-64. */
void x87_trans(X86Cpu *cpu, const X86Insn *in);
/* Everywhere, to about 50 bits; compiled on all hosts so that tests see it. */
void x87_trans_portable(X86Cpu *cpu, const X86Insn *in);

#endif
