/* SPDX-License-Identifier: MIT */
/*
 * x86 blocks as IR, and their execution by the interpreting back end. gen_ir.c (heavy)
 * builds, ir_xop.c (leaf) runs.
 *
 * A unit's exits: 0 = st.rip is where to go on; X86_IR_JUMP = a near direct jump, whose
 * target is in next_rip and not yet judged, while st.rip is still its own address.
 */
#ifndef TARGET_X86_GEN_IR_H
#define TARGET_X86_GEN_IR_H

#include "target-x86/engine.h"
#include "target-x86/insn.h"
#include "tcg/ir.h"

enum { X86_IR_EXIT, X86_IR_JUMP };

extern const IrGlobal x86_ir_globals[];
extern const unsigned x86_ir_nglobals;

/* The instruction in the payload (an X86Insn), by its reference function, then st.rip
 * moved on. Leaves the unit if control does not go on behind it. By code size: 64, 32, 16
 * bits; the last: 64 bits, a row without RF_CHECKED. */
extern const IrXop x86_xop_insn[4];
enum { X86_XOP_64, X86_XOP_32, X86_XOP_16, X86_XOP_PLAIN64 };

/* A unit for n decoded instructions, which must outlive its code. */
IrUnit *x86_gen_ir(const X86Insn *insns, unsigned n, uint32_t mode);

/* Gives tb its instructions and bytecode. False: the cache is full. Lock held. */
bool x86_ir_build(TbCache *c, Tb *tb, const X86Insn *insns);
/* Prints the block's IR if -d op asks for it at its address, RIP. */
void x86_ir_log(const X86Cpu *cpu, const X86Insn *insns, unsigned n, uint32_t mode);

/* Runs an interpreted block; leaves st.rip at the next instruction. Leaf. */
void x86_ir_run(X86Cpu *cpu, const Tb *tb);

#endif
