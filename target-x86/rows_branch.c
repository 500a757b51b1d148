/* SPDX-License-Identifier: MIT */
/*
 * Near branches: rows and reference functions. SDM vol. 2, CALL, RET, JMP, Jcc, LOOPcc.
 * Far ones are in rows_far.c. In 64-bit mode the operand size is 64 bits whatever 66H
 * says, as on Intel's CPUs. Leaf.
 */
#include "target-x86/rows_util.h"

/* The target cut to the operand size and checked; faults leave everything unchanged. */
static ALWAYS_INLINE uint64_t branch_target(X86Cpu *cpu, const X86Insn *in, uint64_t to)
{
    if (likely(cpu->hflags & HF_CS64)) {
        unsigned width = cpu->st.cr4 & CR4_LA57 ? 57 : 48;
        if (unlikely((uint64_t)sext(to, width) != to)) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        return to;
    }
    to = in->opsize == 2 ? (uint16_t)to : (uint32_t)to;
    if ((cpu->hflags & HF_SEGCHK) && to > cpu->st.seg[R_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    return to;
}

static ALWAYS_INLINE void jump_relative(X86Cpu *cpu, const X86Insn *in)
{
    cpu->next_rip = branch_target(cpu, in, cpu->next_rip + in->imm);
}

static void exec_JMP(X86Cpu *cpu, const X86Insn *in)
{
    jump_relative(cpu, in);
}

static void exec_JMPI(X86Cpu *cpu, const X86Insn *in)
{
    cpu->next_rip = branch_target(cpu, in, opnd_get(cpu, in, 0));
}

static void exec_JCC(X86Cpu *cpu, const X86Insn *in)
{
    if (x86_cond(cpu->st.rflags, in->opcode)) {
        jump_relative(cpu, in);
    }
}

static ALWAYS_INLINE void call_near(X86Cpu *cpu, const X86Insn *in, uint64_t to)
{
    to = branch_target(cpu, in, to);
    stack_push(cpu, in->opsize, cpu->next_rip);
    cpu->next_rip = to;
}

static void exec_CALL(X86Cpu *cpu, const X86Insn *in)
{
    call_near(cpu, in, cpu->next_rip + in->imm);
}

static void exec_CALLI(X86Cpu *cpu, const X86Insn *in)
{
    call_near(cpu, in, opnd_get(cpu, in, 0));
}

static void exec_RET(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t to = branch_target(cpu, in, stack_top(cpu, in->opsize));
    set_sp(cpu, stack_mask(cpu), cpu->st.gpr[R_SP] + in->opsize + (uint16_t)in->imm);
    cpu->next_rip = to;
}

/* ---- counted ---- */

static ALWAYS_INLINE void loop(X86Cpu *cpu, const X86Insn *in, bool go)
{
    uint64_t cx = x86_reg_get(cpu, R_CX, in->adsize) - 1;
    if (go && (cx & x86_size_mask(in->adsize))) {
        jump_relative(cpu, in);
    }
    x86_reg_set(cpu, R_CX, in->adsize, cx);
}

static void exec_LOOPNE(X86Cpu *cpu, const X86Insn *in)
{
    loop(cpu, in, !(cpu->st.rflags & FL_ZF));
}

static void exec_LOOPE(X86Cpu *cpu, const X86Insn *in)
{
    loop(cpu, in, cpu->st.rflags & FL_ZF);
}

static void exec_LOOP(X86Cpu *cpu, const X86Insn *in)
{
    loop(cpu, in, true);
}

static void exec_JCXZ(X86Cpu *cpu, const X86Insn *in)
{
    if (!x86_reg_get(cpu, R_CX, in->adsize)) {
        jump_relative(cpu, in);
    }
}

/* ---- rows ---- */

#define BR_ROW(mn, opc, o1, fl, use, fn)                                              \
    { .name = mn, .op = (opc), OPS(o1), .flags = RF_BRANCH | RF_F64 | (fl),           \
      FLAGS(use, 0, 0), .exec = (fn) }

const X86Row x86_rows_branch[] = {
    { .name = "Jcc", .op = 0x70, .opmask = 15, OPS(Jb), .flags = RF_BRANCH | RF_F64,
      FLAGS(FL_STATUS & ~FL_AF, 0, 0), .exec = exec_JCC },
    { .name = "Jcc", .map = MAP_0F, .op = 0x80, .opmask = 15, OPS(Jz),
      .flags = RF_BRANCH | RF_F64, FLAGS(FL_STATUS & ~FL_AF, 0, 0), .exec = exec_JCC },
    BR_ROW("JMP", 0xeb, Jb, 0, 0, exec_JMP),
    BR_ROW("JMP", 0xe9, Jz, 0, 0, exec_JMP),
    { .name = "JMP", .op = 0xff, .ext = EXT(4), OPS(Ev), .flags = RF_BRANCH | RF_F64,
      .exec = exec_JMPI },
    BR_ROW("CALL", 0xe8, Jz, RF_STACK, 0, exec_CALL),
    { .name = "CALL", .op = 0xff, .ext = EXT(2), OPS(Ev),
      .flags = RF_BRANCH | RF_F64 | RF_STACK, .exec = exec_CALLI },
    { .name = "RET", .op = 0xc3, .flags = RF_BRANCH | RF_F64 | RF_STACK, .exec = exec_RET },
    BR_ROW("RET", 0xc2, Iw, RF_STACK, 0, exec_RET),
    BR_ROW("LOOPNE", 0xe0, Jb, 0, FL_ZF, exec_LOOPNE),
    BR_ROW("LOOPE", 0xe1, Jb, 0, FL_ZF, exec_LOOPE),
    BR_ROW("LOOP", 0xe2, Jb, 0, 0, exec_LOOP),
    BR_ROW("JCXZ", 0xe3, Jb, 0, 0, exec_JCXZ), /* JECXZ, JRCXZ by address size */
};
const unsigned x86_n_rows_branch = ARRAY_SIZE(x86_rows_branch);
