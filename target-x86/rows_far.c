/* SPDX-License-Identifier: MIT */
/*
 * Far control transfers: JMP/CALL/RET far, INT, IRET, SYSCALL, SYSENTER and their returns.
 * SDM vol. 2. The work is in far.c and excp.c. Leaf.
 */
#include "target-x86/cpuid.h"
#include "target-x86/rows_util.h"
#include "target-x86/seg.h"

/* ---- JMP, CALL, RET ---- */

static void read_far(X86Cpu *cpu, const X86Insn *in, uint16_t *sel, uint64_t *off)
{
    if (in->op[0].kind == OPND_FAR) {
        *off = in->imm;
        *sel = in->imm2;
        return;
    }
    uint64_t ea = x86_ea(cpu, in), mask = x86_size_mask(in->adsize);
    *off = x86_load(cpu, in->seg, ea, in->opsize);
    *sel = x86_load(cpu, in->seg, (ea + in->opsize) & mask, 2);
}

static void exec_JMPF(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t sel;
    uint64_t off;
    read_far(cpu, in, &sel, &off);
    x86_far_jmp(cpu, in, sel, off);
}

static void exec_CALLF(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t sel;
    uint64_t off;
    read_far(cpu, in, &sel, &off);
    x86_far_call(cpu, in, sel, off);
}

static void exec_RETF(X86Cpu *cpu, const X86Insn *in)
{
    x86_far_ret(cpu, in, in->nops ? (uint16_t)in->imm : 0);
}

static void exec_IRET(X86Cpu *cpu, const X86Insn *in)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* serializing */
    x86_iret(cpu, in);
}

/* ---- INT ---- */

static void exec_INT(X86Cpu *cpu, const X86Insn *in)
{
    x86_raise_soft(cpu, in->imm & 0xff);
}

static void exec_INT3(X86Cpu *cpu, const X86Insn *in)
{
    x86_raise_soft(cpu, EXC_BP);
}

static void exec_INTO(X86Cpu *cpu, const X86Insn *in)
{
    if (cpu->st.rflags & FL_OF) {
        x86_raise_soft(cpu, EXC_OF);
    }
}

/* A trap-like #DB with no DPL check and no DR6 bit. */
static void exec_INT1(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.rip = cpu->next_rip;
    x86_raise_db(cpu, 0);
}

/* ---- SYSCALL, SYSRET, SYSENTER, SYSEXIT ---- */

/* The fixed segments these instructions load, whatever the descriptor tables say. */
static X86Seg fixed_code(uint16_t selector, unsigned dpl, bool wide, bool d32)
{
    return (X86Seg){ .limit = 0xffffffffu, .selector = selector,
                     .attr = SEG_P | SEG_S | SEG_CODE | SEG_R | SEG_A | SEG_G |
                             dpl << SEG_DPL_SHIFT | (wide ? SEG_L : 0) | (d32 ? SEG_DB : 0) };
}

static X86Seg fixed_stack(uint16_t selector, unsigned dpl)
{
    return (X86Seg){ .limit = 0xffffffffu, .selector = selector,
                     .attr = SEG_P | SEG_S | SEG_W | SEG_A | SEG_G | SEG_DB |
                             dpl << SEG_DPL_SHIFT };
}

/* SYSCALL and SYSRET: the single step is taken behind them if they leave TF set,
 * vol. 3, 17.3.1.4; not if they only had it set. */
static void step_by_new_flags(X86Cpu *cpu)
{
    cpu->tf_done = 1;
    if (cpu->st.rflags & FL_TF) {
        cpu->st.rip = cpu->next_rip;
        x86_raise_db(cpu, DR6_BS);
    }
}

uint64_t x86_syscall64(X86Cpu *cpu, uint64_t next)
{
    X86State *st = &cpu->st;
    uint16_t cs = st->msr.star >> 32 & 0xfffc;
    uint64_t target = cpu->hflags & HF_CS64 ? st->msr.lstar : st->msr.cstar;

    st->gpr[R_CX] = next;
    st->gpr[R_11] = st->rflags & ~(uint64_t)FL_RF;
    st->rflags = (st->rflags & ~st->msr.sfmask & ~(uint64_t)FL_RF) | FL_ONE;
    st->seg[R_CS] = fixed_code(cs, 0, true, false);
    st->seg[R_SS] = fixed_stack(cs + 8, 0);
    x86_set_cpl(cpu, 0);
    return target;
}

/* Intel takes SYSCALL in 64-bit mode only; in compatibility mode it is AMD's, to CSTAR. */
static void exec_SYSCALL(X86Cpu *cpu, const X86Insn *in)
{
    X86State *st = &cpu->st;
    uint16_t cs = st->msr.star >> 32 & 0xfffc;

    if (!(st->efer & EFER_SCE)) {
        x86_raise(cpu, EXC_UD);
    }
    if (cpu->hflags & HF_LMA) {
        if (!(cpu->hflags & HF_CS64) && !x86_cpu_is_amd(cpu)) {
            x86_raise(cpu, EXC_UD);
        }
        cpu->next_rip = x86_syscall64(cpu, cpu->next_rip);
        step_by_new_flags(cpu);
        return;
    } else {
        if (!x86_cpu_is_amd(cpu)) {
            x86_raise(cpu, EXC_UD);
        }
        st->gpr[R_CX] = (uint32_t)cpu->next_rip;
        cpu->next_rip = (uint32_t)st->msr.star;
        st->rflags &= ~(uint64_t)(FL_IF | FL_RF | FL_VM);
        st->seg[R_CS] = fixed_code(cs, 0, false, true);
    }
    st->seg[R_SS] = fixed_stack(cs + 8, 0);
    x86_set_cpl(cpu, 0);
    step_by_new_flags(cpu);
}

void x86_sysret64(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    uint16_t cs = st->msr.star >> 48;

    st->seg[R_CS] = fixed_code((cs + 16) | 3, 3, true, false);
    st->seg[R_SS] = fixed_stack((cs + 8) | 3, 3);
    st->rflags = (st->gpr[R_11] & 0x3c7fd7 & ~(uint64_t)(FL_RF | FL_VM)) | FL_ONE;
    x86_set_cpl(cpu, 3);
}

static void exec_SYSRET(X86Cpu *cpu, const X86Insn *in)
{
    X86State *st = &cpu->st;
    uint16_t cs = st->msr.star >> 48;
    uint64_t keep = FL_RF | FL_VM;

    if (!(st->efer & EFER_SCE) || (!(cpu->hflags & HF_CS64) && !x86_cpu_is_amd(cpu))) {
        x86_raise(cpu, EXC_UD);
    }
    if (st->cpl) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (cpu->hflags & HF_CS64 && in->opsize == 8) {
        uint64_t rip = st->gpr[R_CX];
        if (sext(rip, 48) != (int64_t)rip) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        cpu->next_rip = rip;
        x86_sysret64(cpu);
        step_by_new_flags(cpu);
        return;
    }
    cpu->next_rip = (uint32_t)st->gpr[R_CX];
    st->seg[R_CS] = fixed_code(cs | 3, 3, false, true);
    st->seg[R_SS] = fixed_stack((cs + 8) | 3, 3);
    if (cpu->hflags & HF_LMA) {
        st->rflags = (st->gpr[R_11] & 0x3c7fd7 & ~keep) | FL_ONE;
    } else {
        st->rflags |= FL_IF;
    }
    x86_set_cpl(cpu, 3);
    step_by_new_flags(cpu);
}

static void exec_SYSENTER(X86Cpu *cpu, const X86Insn *in)
{
    X86State *st = &cpu->st;
    uint16_t cs = st->msr.sysenter_cs & 0xfffc;
    bool lma = cpu->hflags & HF_LMA;

    if (!(cpu->hflags & HF_PE) || !cs) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    st->rflags &= ~(uint64_t)(FL_VM | FL_IF | FL_RF);
    cpu->next_rip = lma ? st->msr.sysenter_eip : (uint32_t)st->msr.sysenter_eip;
    st->gpr[R_SP] = lma ? st->msr.sysenter_esp : (uint32_t)st->msr.sysenter_esp;
    st->seg[R_CS] = fixed_code(cs, 0, lma, !lma);
    st->seg[R_SS] = fixed_stack(cs + 8, 0);
    x86_set_cpl(cpu, 0);
}

static void exec_SYSEXIT(X86Cpu *cpu, const X86Insn *in)
{
    X86State *st = &cpu->st;
    uint16_t cs = st->msr.sysenter_cs & 0xfffc;
    bool wide = in->opsize == 8;

    if (!cs || !(cpu->hflags & HF_PE) || st->cpl) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint64_t rip = st->gpr[R_DX], rsp = st->gpr[R_CX];
    if (wide && (sext(rip, 48) != (int64_t)rip || sext(rsp, 48) != (int64_t)rsp)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    cpu->next_rip = wide ? rip : (uint32_t)rip;
    st->gpr[R_SP] = wide ? rsp : (uint32_t)rsp;
    cs += wide ? 32 : 16;
    st->seg[R_CS] = fixed_code(cs | 3, 3, wide, !wide);
    st->seg[R_SS] = fixed_stack((cs + 8) | 3, 3);
    x86_set_cpl(cpu, 3);
}

/* ---- rows ---- */

#define FAR_FLAGS (RF_BRANCH | RF_END | RF_STACK)
#define FAR_0F(mn, opc, fl, ft, fn)                                                      \
    { .name = mn, .map = MAP_0F, .op = (opc), .flags = RF_BRANCH | RF_END | (fl),        \
      .feat = (ft), FLAGS(0, FL_STATUS, 0), .exec = (fn) }

const X86Row x86_rows_far[] = {
    { .name = "JMPF", .op = 0xea, OPS(Ap), .flags = RF_BRANCH | RF_END | RF_NO64,
      .exec = exec_JMPF },
    { .name = "JMPF", .op = 0xff, .ext = EXT(5), OPS(Mp), ROLES(NA),
      .flags = RF_BRANCH | RF_END, .exec = exec_JMPF },
    { .name = "CALLF", .op = 0x9a, OPS(Ap), .flags = FAR_FLAGS | RF_NO64,
      .exec = exec_CALLF },
    { .name = "CALLF", .op = 0xff, .ext = EXT(3), OPS(Mp), ROLES(NA), .flags = FAR_FLAGS,
      .exec = exec_CALLF },
    { .name = "RETF", .op = 0xcb, .flags = FAR_FLAGS, .exec = exec_RETF },
    { .name = "RETF", .op = 0xca, OPS(Iw), .flags = FAR_FLAGS, .exec = exec_RETF },
    { .name = "IRET", .op = 0xcf, .flags = FAR_FLAGS, FLAGS(0, FL_STATUS, 0),
      .exec = exec_IRET },
    { .name = "INT3", .op = 0xcc, .flags = FAR_FLAGS, FLAGS(FL_STATUS, 0, 0),
      .exec = exec_INT3 },
    { .name = "INT", .op = 0xcd, OPS(Ib), .flags = FAR_FLAGS, FLAGS(FL_STATUS, 0, 0),
      .exec = exec_INT },
    { .name = "INTO", .op = 0xce, .flags = FAR_FLAGS | RF_NO64, FLAGS(FL_STATUS, 0, 0),
      .exec = exec_INTO },
    { .name = "INT1", .op = 0xf1, .flags = FAR_FLAGS, FLAGS(FL_STATUS, 0, 0),
      .exec = exec_INT1 },
    { .name = "SYSCALL", .map = MAP_0F, .op = 0x05, .flags = RF_BRANCH | RF_END,
      .feat = X86F_SYSCALL, FLAGS(FL_STATUS, FL_STATUS, 0), .exec = exec_SYSCALL },
    FAR_0F("SYSRET", 0x07, 0, X86F_SYSCALL, exec_SYSRET),
    { .name = "SYSENTER", .map = MAP_0F, .op = 0x34, .flags = RF_BRANCH | RF_END,
      .feat = X86F_SEP, .exec = exec_SYSENTER },
    { .name = "SYSEXIT", .map = MAP_0F, .op = 0x35, .flags = RF_BRANCH | RF_END,
      .feat = X86F_SEP, .exec = exec_SYSEXIT },
};
const unsigned x86_n_rows_far = ARRAY_SIZE(x86_rows_far);
