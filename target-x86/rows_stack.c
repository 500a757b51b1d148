/* SPDX-License-Identifier: MIT */
/*
 * PUSH, POP, PUSHA, POPA, ENTER, LEAVE: rows and reference functions. SDM vol. 2. POP to
 * segment registers is in rows_seg.c, PUSHF and POPF in rows_sys.c. Leaf.
 */
#include "target-x86/rows_util.h"

static void exec_PUSH(X86Cpu *cpu, const X86Insn *in)
{
    stack_push(cpu, in->opsize, opnd_get(cpu, in, 0));
}

static void exec_PUSHI(X86Cpu *cpu, const X86Insn *in)
{
    stack_push(cpu, in->opsize, in->imm);
}

static void exec_PUSHS(X86Cpu *cpu, const X86Insn *in)
{
    stack_push(cpu, in->opsize, cpu->st.seg[in->op[0].reg].selector);
}

static void exec_POP(X86Cpu *cpu, const X86Insn *in)
{
    const X86Opnd *o = &in->op[0];
    uint64_t mask = stack_mask(cpu), old = cpu->st.gpr[R_SP];
    uint64_t v = stack_top(cpu, in->opsize);

    set_sp(cpu, mask, old + in->opsize);
    if (o->kind == OPND_GPR) {
        x86_reg_set(cpu, o->reg, o->size, v); /* POP rSP: the value wins */
        return;
    }
    /* The address is computed with rSP already moved; a fault must see the old one. */
    uint64_t off = x86_ea(cpu, in), moved = cpu->st.gpr[R_SP];
    cpu->st.gpr[R_SP] = old;
    x86_store(cpu, in->seg, off, o->size, v);
    cpu->st.gpr[R_SP] = moved;
}

static void exec_PUSHA(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t mask = stack_mask(cpu), sp = cpu->st.gpr[R_SP];

    for (unsigned r = 0; r < 8; r++) {
        sp = (sp - in->opsize) & mask;
        x86_store(cpu, R_SS, sp, in->opsize, cpu->st.gpr[r]);
    }
    set_sp(cpu, mask, sp);
}

static void exec_POPA(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t mask = stack_mask(cpu), sp = cpu->st.gpr[R_SP], v[8];

    for (int r = R_DI; r >= R_AX; r--) {
        v[r] = x86_load(cpu, R_SS, sp & mask, in->opsize);
        sp += in->opsize;
    }
    for (unsigned r = 0; r < 8; r++) {
        if (r != R_SP) {
            x86_reg_set(cpu, r, in->opsize, v[r]);
        }
    }
    set_sp(cpu, mask, sp);
}

static void exec_ENTER(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->opsize, level = in->imm2 & 31;
    uint64_t mask = stack_mask(cpu), bp = cpu->st.gpr[R_BP], frame;
    uint64_t sp = (cpu->st.gpr[R_SP] - size) & mask;

    x86_store(cpu, R_SS, sp, size, bp);
    frame = sp;
    for (unsigned i = 1; i < level; i++) {
        bp = (bp - size) & mask;
        uint64_t v = x86_load(cpu, R_SS, bp, size);
        sp = (sp - size) & mask;
        x86_store(cpu, R_SS, sp, size, v);
    }
    if (level) {
        sp = (sp - size) & mask;
        x86_store(cpu, R_SS, sp, size, frame);
    }
    sp = (sp - (uint16_t)in->imm) & mask;
    x86_probe_write(cpu, R_SS, sp, size);
    /* rBP gets the frame pointer by the operand size; the stack width rules its use */
    x86_reg_set(cpu, R_BP, size, frame);
    set_sp(cpu, mask, sp);
}

static void exec_LEAVE(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t mask = stack_mask(cpu), sp = cpu->st.gpr[R_BP] & mask;
    uint64_t v = x86_load(cpu, R_SS, sp, in->opsize);

    x86_reg_set(cpu, R_BP, in->opsize, v);
    set_sp(cpu, mask, sp + in->opsize);
}

/* ---- rows ---- */

#define ST_ROW(mn, opc, o1, role, fl, fn)                                             \
    { .name = mn, .op = (opc), OPS(o1), ROLES(role), .flags = RF_STACK | (fl),        \
      .exec = (fn) }

const X86Row x86_rows_stack[] = {
    { .name = "PUSH", .op = 0x50, .opmask = 7, OPS(Zv), .flags = RF_STACK | RF_D64,
      .exec = exec_PUSH },
    { .name = "POP", .op = 0x58, .opmask = 7, OPS(Zv), ROLES(WR),
      .flags = RF_STACK | RF_D64, .exec = exec_POP },
    ST_ROW("PUSH", 0x68, Iz, RD, RF_D64, exec_PUSHI),
    ST_ROW("PUSH", 0x6a, IbS, RD, RF_D64, exec_PUSHI),
    { .name = "PUSH", .op = 0xff, .ext = EXT(6), OPS(Ev), .flags = RF_STACK | RF_D64,
      .exec = exec_PUSH },
    { .name = "POP", .op = 0x8f, .ext = EXT(0), OPS(Ev), ROLES(WR),
      .flags = RF_STACK | RF_D64, .exec = exec_POP },
    ST_ROW("PUSH", 0x06, FES, RD, RF_NO64, exec_PUSHS),
    ST_ROW("PUSH", 0x0e, FCS, RD, RF_NO64, exec_PUSHS),
    ST_ROW("PUSH", 0x16, FSS, RD, RF_NO64, exec_PUSHS),
    ST_ROW("PUSH", 0x1e, FDS, RD, RF_NO64, exec_PUSHS),
    { .name = "PUSH", .map = MAP_0F, .op = 0xa0, OPS(FFS), .flags = RF_STACK | RF_D64,
      .exec = exec_PUSHS },
    { .name = "PUSH", .map = MAP_0F, .op = 0xa8, OPS(FGS), .flags = RF_STACK | RF_D64,
      .exec = exec_PUSHS },
    { .name = "PUSHA", .op = 0x60, .flags = RF_STACK | RF_NO64, .exec = exec_PUSHA },
    { .name = "POPA", .op = 0x61, .flags = RF_STACK | RF_NO64, .exec = exec_POPA },
    { .name = "ENTER", .op = 0xc8, OPS(Iw, Ib), .flags = RF_STACK | RF_D64,
      .exec = exec_ENTER },
    { .name = "LEAVE", .op = 0xc9, .flags = RF_STACK | RF_D64, .exec = exec_LEAVE },
};
const unsigned x86_n_rows_stack = ARRAY_SIZE(x86_rows_stack);
