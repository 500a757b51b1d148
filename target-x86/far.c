/* SPDX-License-Identifier: MIT */
/*
 * Far JMP, CALL, RET and IRET in every mode. SDM vol. 3, 5.8 and 6.12; vol. 2, the
 * instructions' own pages. Leaf.
 */
#include "target-x86/leaf.h"
#include "target-x86/seg.h"

static bool is_real(const X86Cpu *cpu)
{
    return (cpu->hflags & (HF_PE | HF_VM)) != HF_PE;
}

static NORETURN void fault_sel(X86Cpu *cpu, unsigned exc, uint16_t sel)
{
    x86_raise_err(cpu, exc, sel & 0xfffc);
}

static uint64_t size_mask(unsigned size)
{
    return size == 8 ? ~0ull : size == 4 ? 0xffffffffu : 0xffff;
}

/* The target offset must lie in the code segment (or be canonical). */
static void check_target(X86Cpu *cpu, const X86Desc *code, uint64_t off)
{
    bool wide = cpu->hflags & HF_LMA && x86_desc_attr(code) & SEG_L;

    if (wide ? sext(off, 48) != (int64_t)off : off > x86_desc_limit(code)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

/* A 64-bit code segment must have D = 0. */
static bool bad_long_code(const X86Cpu *cpu, const X86Desc *d)
{
    return cpu->hflags & HF_LMA && (x86_desc_attr(d) & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB);
}

static void set_code(X86Cpu *cpu, const X86Desc *code, uint16_t sel, unsigned cpl, uint64_t off)
{
    cpu->st.seg[R_CS] = x86_desc_to_seg(code, (sel & 0xfffc) | cpl);
    cpu->next_rip = off;
    x86_set_cpl(cpu, cpl);
}

/* ---- direct transfers ---- */

/* 5.8.1: a code segment named by the instruction itself. */
static void check_direct(X86Cpu *cpu, const X86Desc *d, uint16_t sel)
{
    unsigned cpl = cpu->st.cpl, dpl = x86_desc_dpl(d);

    if (x86_desc_conforming(d) ? dpl > cpl : (sel & 3) > cpl || dpl != cpl) {
        fault_sel(cpu, EXC_GP, sel);
    }
    if (bad_long_code(cpu, d)) {
        fault_sel(cpu, EXC_GP, sel);
    }
    if (!x86_desc_present(d)) {
        fault_sel(cpu, EXC_NP, sel);
    }
}

/* ---- call gates, 5.8.3 ---- */

typedef struct CallGate {
    X86Desc code;
    uint16_t sel;
    uint64_t off;
    unsigned size;      /* bytes of its stack words */
    unsigned params;
} CallGate;

static void read_call_gate(X86Cpu *cpu, const X86Desc *g, uint16_t gsel, CallGate *c)
{
    bool lma = cpu->hflags & HF_LMA;
    unsigned dpl = x86_desc_dpl(g);

    if (dpl < cpu->st.cpl || dpl < (gsel & 3)) {
        fault_sel(cpu, EXC_GP, gsel);
    }
    if (!x86_desc_present(g)) {
        fault_sel(cpu, EXC_NP, gsel);
    }
    c->size = lma ? 8 : x86_desc_type(g) == SYS_CALL32 ? 4 : 2;
    c->sel = x86_gate_selector(g);
    c->off = c->size == 2 ? x86_gate_offset(g) & 0xffff : x86_gate_offset(g);
    c->params = g->hi & 31;
    if (lma) {
        uint32_t high;
        if (!x86_desc_read_high(cpu, gsel, g, &high) ||
            x86_sys_load(cpu, g->lin + 12, 4) & 0x1f00) {
            fault_sel(cpu, EXC_GP, gsel);
        }
        c->off |= (uint64_t)high << 32;
    }
    if (!(c->sel & 0xfffc)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (!x86_desc_read(cpu, c->sel, &c->code) || !x86_desc_is_code(&c->code) ||
        x86_desc_dpl(&c->code) > cpu->st.cpl ||
        (lma && (x86_desc_attr(&c->code) & (SEG_L | SEG_DB)) != SEG_L)) {
        fault_sel(cpu, EXC_GP, c->sel);
    }
    if (!x86_desc_present(&c->code)) {
        fault_sel(cpu, EXC_NP, c->sel);
    }
}

static void jmp_gate(X86Cpu *cpu, const X86Desc *g, uint16_t gsel)
{
    CallGate c;

    read_call_gate(cpu, g, gsel, &c);
    if (!x86_desc_conforming(&c.code) && x86_desc_dpl(&c.code) != cpu->st.cpl) {
        fault_sel(cpu, EXC_GP, c.sel);
    }
    check_target(cpu, &c.code, c.off);
    x86_desc_touch(cpu, &c.code);
    set_code(cpu, &c.code, c.sel, cpu->st.cpl, c.off);
}

/* The new stack of an inner-level call with SS:rSP and parameters pushed. */
static X86Stack inner_call_stack(X86Cpu *cpu, const CallGate *c, unsigned dpl)
{
    X86State *st = &cpu->st;
    X86Stack s;

    if (c->size == 8) {
        s = (X86Stack){ .sp = x86_tss64_rsp(cpu, dpl, 0, 0), .mask = ~0ull, .wide = true,
                        .mmu = X86_MMU_KERNEL };
        s.ss = x86_null_seg(dpl);
        s.ss.attr |= dpl << SEG_DPL_SHIFT;
        x86_stack_push(cpu, &s, 8, st->seg[R_SS].selector);
        x86_stack_push(cpu, &s, 8, st->gpr[R_SP]);
        return s;
    }
    s = x86_stack_inner(cpu, dpl, 0);
    X86Stack old = x86_stack_here(cpu);
    uint32_t param[31];
    for (unsigned i = 0; i < c->params; i++) {
        param[i] = x86_stack_pop(cpu, &old, c->size);
    }
    x86_stack_push(cpu, &s, c->size, st->seg[R_SS].selector);
    x86_stack_push(cpu, &s, c->size, st->gpr[R_SP] & old.mask);
    for (unsigned i = c->params; i-- > 0;) {
        x86_stack_push(cpu, &s, c->size, param[i]);
    }
    return s;
}

static void call_gate(X86Cpu *cpu, const X86Desc *g, uint16_t gsel)
{
    X86State *st = &cpu->st;
    CallGate c;

    read_call_gate(cpu, g, gsel, &c);
    unsigned dpl = x86_desc_dpl(&c.code);
    bool inner = !x86_desc_conforming(&c.code) && dpl < st->cpl;
    X86Stack s = inner ? inner_call_stack(cpu, &c, dpl) : x86_stack_here(cpu);
    if (c.size == 8) {
        s.wide = true;
        s.mask = ~0ull;
    }
    check_target(cpu, &c.code, c.off);
    x86_stack_push(cpu, &s, c.size, st->seg[R_CS].selector);
    x86_stack_push(cpu, &s, c.size, cpu->next_rip);
    x86_desc_touch(cpu, &c.code);
    if (inner) {
        st->seg[R_SS] = s.ss;
    }
    if (inner && s.mask == 0xffffffffu) {
        st->gpr[R_SP] = (uint32_t)s.sp;
    } else {
        x86_stack_commit(cpu, &s);
    }
    set_code(cpu, &c.code, c.sel, inner ? dpl : st->cpl, c.off);
}

/* ---- JMP and CALL ---- */

static void read_target(X86Cpu *cpu, uint16_t sel, X86Desc *d)
{
    if (!(sel & 0xfffc)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (!x86_desc_read(cpu, sel, d)) {
        fault_sel(cpu, EXC_GP, sel);
    }
}

/* System descriptors that JMP and CALL take: gates and TSSs. */
static void far_system(X86Cpu *cpu, const X86Desc *d, uint16_t sel, bool call)
{
    unsigned type = x86_desc_type(d), dpl = x86_desc_dpl(d);
    bool lma = cpu->hflags & HF_LMA;

    if (type == SYS_CALL32 || (type == SYS_CALL16 && !lma)) {
        if (call) {
            call_gate(cpu, d, sel);
        } else {
            jmp_gate(cpu, d, sel);
        }
        return;
    }
    bool tss = type == SYS_TSS16 || type == SYS_TSS32;
    if (lma || !(tss || type == SYS_TASK) || dpl < cpu->st.cpl || dpl < (sel & 3)) {
        fault_sel(cpu, EXC_GP, sel);
    }
    if (!x86_desc_present(d)) {
        fault_sel(cpu, EXC_NP, sel);
    }
    enum X86TaskReason why = call ? X86_TASK_CALL : X86_TASK_JMP;
    if (tss) {
        x86_task_switch(cpu, sel, why, 0, false, 0);
    } else {
        x86_task_gate(cpu, d, why, 0, false, 0);
    }
}

void x86_far_jmp(X86Cpu *cpu, const X86Insn *in, uint16_t sel, uint64_t off)
{
    X86Desc d;

    if (is_real(cpu)) {
        if (off > cpu->st.seg[R_CS].limit) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        x86_load_sreg_real(cpu, R_CS, sel);
        cpu->next_rip = off;
        x86_set_cpl(cpu, cpu->st.cpl);
        return;
    }
    read_target(cpu, sel, &d);
    if (!x86_desc_is_code(&d)) {
        if (x86_desc_attr(&d) & SEG_S) {
            fault_sel(cpu, EXC_GP, sel);
        }
        far_system(cpu, &d, sel, false);
        return;
    }
    check_direct(cpu, &d, sel);
    check_target(cpu, &d, off);
    x86_desc_touch(cpu, &d);
    set_code(cpu, &d, sel, cpu->st.cpl, off);
}

void x86_far_call(X86Cpu *cpu, const X86Insn *in, uint16_t sel, uint64_t off)
{
    X86Stack s = x86_stack_here(cpu);
    unsigned size = in->opsize;
    X86Desc d;

    if (is_real(cpu)) {
        if (off > cpu->st.seg[R_CS].limit) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        x86_stack_push(cpu, &s, size, cpu->st.seg[R_CS].selector);
        x86_stack_push(cpu, &s, size, cpu->next_rip);
        x86_stack_commit(cpu, &s);
        x86_load_sreg_real(cpu, R_CS, sel);
        cpu->next_rip = off;
        x86_set_cpl(cpu, cpu->st.cpl);
        return;
    }
    read_target(cpu, sel, &d);
    if (!x86_desc_is_code(&d)) {
        if (x86_desc_attr(&d) & SEG_S) {
            fault_sel(cpu, EXC_GP, sel);
        }
        far_system(cpu, &d, sel, true);
        return;
    }
    check_direct(cpu, &d, sel);
    check_target(cpu, &d, off);
    x86_stack_push(cpu, &s, size, cpu->st.seg[R_CS].selector);
    x86_stack_push(cpu, &s, size, cpu->next_rip);
    x86_desc_touch(cpu, &d);
    x86_stack_commit(cpu, &s);
    set_code(cpu, &d, sel, cpu->st.cpl, off);
}

/* ---- returns ---- */

/* The code segment a RET or IRET goes back to. */
static void read_return_code(X86Cpu *cpu, uint16_t sel, X86Desc *d)
{
    unsigned rpl = sel & 3, dpl;

    if (!(sel & 0xfffc)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (!x86_desc_read(cpu, sel, d) || !x86_desc_is_code(d) || rpl < cpu->st.cpl) {
        fault_sel(cpu, EXC_GP, sel);
    }
    dpl = x86_desc_dpl(d);
    if ((x86_desc_conforming(d) ? dpl > rpl : dpl != rpl) || bad_long_code(cpu, d)) {
        fault_sel(cpu, EXC_GP, sel);
    }
    if (!x86_desc_present(d)) {
        fault_sel(cpu, EXC_NP, sel);
    }
}

/* The stack segment of an outer level (or of IRET's 64-bit form). */
static X86Seg read_return_stack(X86Cpu *cpu, uint16_t sel, unsigned rpl, bool to64)
{
    X86Desc d;

    if (!(sel & 0xfffc)) {
        if (!to64 || rpl == 3 || (sel & 3) != rpl) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        X86Seg s = x86_null_seg(sel);
        s.attr |= rpl << SEG_DPL_SHIFT;
        return s;
    }
    if (!x86_desc_read(cpu, sel, &d) || (sel & 3) != rpl || x86_desc_dpl(&d) != rpl ||
        (x86_desc_attr(&d) & (SEG_S | SEG_CODE | SEG_W)) != (SEG_S | SEG_W)) {
        fault_sel(cpu, EXC_GP, sel);
    }
    if (!x86_desc_present(&d)) {
        fault_sel(cpu, EXC_SS, sel);
    }
    x86_desc_touch(cpu, &d);
    return x86_desc_to_seg(&d, sel);
}

/* rSP after a return to an outer stack: width by the new mode. */
static void set_return_sp(X86Cpu *cpu, const X86Seg *ss, bool to64, uint64_t sp)
{
    uint64_t *p = &cpu->st.gpr[R_SP];

    *p = to64 ? sp : ss->attr & SEG_DB ? (uint32_t)sp : (*p & ~0xffffull) | (sp & 0xffff);
}

static void ret_real(X86Cpu *cpu, const X86Insn *in, unsigned drop)
{
    X86Stack s = x86_stack_here(cpu);
    uint64_t off = x86_stack_pop(cpu, &s, in->opsize);
    uint16_t sel = x86_stack_pop(cpu, &s, in->opsize);

    if (off > cpu->st.seg[R_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    s.sp = (s.sp & ~s.mask) | ((s.sp + drop) & s.mask);
    x86_stack_commit(cpu, &s);
    x86_load_sreg_real(cpu, R_CS, sel);
    cpu->next_rip = off;
    x86_set_cpl(cpu, cpu->st.cpl);
}

void x86_far_ret(X86Cpu *cpu, const X86Insn *in, unsigned drop)
{
    X86Stack s = x86_stack_here(cpu);
    unsigned size = in->opsize;
    X86Desc code;

    if (is_real(cpu)) {
        ret_real(cpu, in, drop);
        return;
    }
    uint64_t off = x86_stack_pop(cpu, &s, size);
    uint16_t sel = x86_stack_pop(cpu, &s, size);
    read_return_code(cpu, sel, &code);
    unsigned rpl = sel & 3;
    s.sp = (s.sp & ~s.mask) | ((s.sp + drop) & s.mask);
    if (rpl == cpu->st.cpl) {
        check_target(cpu, &code, off);
        x86_desc_touch(cpu, &code);
        x86_stack_commit(cpu, &s);
        set_code(cpu, &code, sel, rpl, off);
        return;
    }
    bool to64 = cpu->hflags & HF_LMA && x86_desc_attr(&code) & SEG_L;
    uint64_t sp = x86_stack_pop(cpu, &s, size);
    uint16_t ss_sel = x86_stack_pop(cpu, &s, size);
    X86Seg ss = read_return_stack(cpu, ss_sel, rpl, to64);
    check_target(cpu, &code, off);
    x86_desc_touch(cpu, &code);
    cpu->st.seg[R_SS] = ss;
    set_return_sp(cpu, &ss, to64, (sp & size_mask(size)) + drop);
    set_code(cpu, &code, sel, rpl, off);
    x86_drop_inner_segs(cpu, rpl);
    x86_update_hflags(cpu);
}

/* ---- IRET ---- */

enum { FL_ARITH = FL_STATUS | FL_TF | FL_DF | FL_NT };

/* Flags an IRET of this operand size may change at CPL cpl, vol. 2, IRET. */
static uint64_t iret_flags(const X86Cpu *cpu, unsigned size)
{
    unsigned cpl = cpu->st.cpl, iopl = cpu->st.rflags >> 12 & 3;
    uint64_t mask = FL_ARITH | (cpl <= iopl ? FL_IF : 0) | (cpl == 0 ? FL_IOPL : 0);

    if (size != 2) {
        mask |= FL_RF | FL_AC | FL_ID | (cpl == 0 ? FL_VIF | FL_VIP : 0);
    }
    return mask;
}

static void iret_real(X86Cpu *cpu, const X86Insn *in)
{
    X86Stack s = x86_stack_here(cpu);
    unsigned size = in->opsize;
    uint64_t off = x86_stack_pop(cpu, &s, size);
    uint16_t sel = x86_stack_pop(cpu, &s, size);
    uint64_t flags = x86_stack_pop(cpu, &s, size);

    if (off > cpu->st.seg[R_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    x86_stack_commit(cpu, &s);
    x86_load_sreg_real(cpu, R_CS, sel);
    cpu->next_rip = off;
    x86_write_flags(cpu, flags,
                    FL_ARITH | FL_IF | FL_IOPL | (size == 4 ? FL_RF | FL_AC | FL_ID : 0));
}

/* 20.2.5, 20.3.3: IOPL-sensitive; with VME a 16-bit IRET works on VIF. */
static void iret_v86(X86Cpu *cpu, const X86Insn *in)
{
    X86Stack s = x86_stack_here(cpu);
    unsigned size = in->opsize;
    bool iopl3 = (cpu->st.rflags & FL_IOPL) == FL_IOPL;

    if (!iopl3 && !(cpu->st.cr4 & CR4_VME && size == 2)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint64_t off = x86_stack_pop(cpu, &s, size);
    uint16_t sel = x86_stack_pop(cpu, &s, size);
    uint64_t flags = x86_stack_pop(cpu, &s, size);
    uint64_t mask = FL_ARITH | (size == 4 ? FL_RF | FL_AC | FL_ID : 0);
    if (iopl3) {
        mask |= FL_IF;
    } else {
        if (flags & FL_TF || (flags & FL_IF && cpu->st.rflags & FL_VIP)) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        flags = (flags & ~(uint64_t)FL_VIF) | (flags & FL_IF ? FL_VIF : 0);
        mask |= FL_VIF;
    }
    if (off > 0xffff) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    x86_stack_commit(cpu, &s);
    x86_load_sreg_real(cpu, R_CS, sel);
    cpu->next_rip = off;
    x86_write_flags(cpu, flags, mask);
}

/* IRET of CPL 0 with VM set in the image: to virtual-8086 mode. */
static void iret_to_v86(X86Cpu *cpu, X86Stack *s, uint64_t off, uint16_t cs, uint64_t flags)
{
    X86State *st = &cpu->st;
    static const uint8_t order[] = { R_ES, R_DS, R_FS, R_GS };
    uint16_t sel[4];

    uint32_t sp = x86_stack_pop(cpu, s, 4);
    uint16_t ss = x86_stack_pop(cpu, s, 4);
    for (unsigned i = 0; i < 4; i++) {
        sel[i] = x86_stack_pop(cpu, s, 4);
    }
    if (off > 0xffff) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    st->cpl = 3;
    x86_write_flags(cpu, flags, FL_ARITH | FL_IF | FL_IOPL | FL_RF | FL_VM | FL_AC | FL_VIF |
                                    FL_VIP | FL_ID);
    x86_load_sreg_real(cpu, R_CS, cs);
    x86_load_sreg_real(cpu, R_SS, ss);
    for (unsigned i = 0; i < 4; i++) {
        x86_load_sreg_real(cpu, order[i], sel[i]);
    }
    st->gpr[R_SP] = sp;
    cpu->next_rip = off;
    x86_update_hflags(cpu);
}

static void iret_task(X86Cpu *cpu)
{
    if (cpu->hflags & HF_LMA) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint16_t link = x86_sys_load(cpu, cpu->st.tr.base, 2);
    if (link & 4 || !(link & 0xfffc)) {
        x86_raise_err(cpu, EXC_TS, link & 0xfffc);
    }
    x86_task_switch(cpu, link, X86_TASK_IRET, 0, false, 0);
}

static void iret_protected(X86Cpu *cpu, const X86Insn *in)
{
    X86Stack s = x86_stack_here(cpu);
    unsigned size = in->opsize;
    bool from64 = cpu->hflags & HF_CS64;
    X86Desc code;

    uint64_t off = x86_stack_pop(cpu, &s, size);
    uint16_t sel = x86_stack_pop(cpu, &s, size);
    uint64_t flags = x86_stack_pop(cpu, &s, size);
    if (flags & FL_VM && size == 4 && !(cpu->hflags & HF_LMA) && cpu->st.cpl == 0) {
        iret_to_v86(cpu, &s, off, sel, flags);
        return;
    }
    read_return_code(cpu, sel, &code);
    unsigned rpl = sel & 3, cpl = cpu->st.cpl;
    bool to64 = cpu->hflags & HF_LMA && x86_desc_attr(&code) & SEG_L;
    bool pops_stack = rpl != cpl || from64;
    uint64_t mask = iret_flags(cpu, size), sp = 0;
    X86Seg ss = { 0 };
    if (pops_stack) {
        sp = x86_stack_pop(cpu, &s, size);
        uint16_t ss_sel = x86_stack_pop(cpu, &s, size);
        ss = read_return_stack(cpu, ss_sel, rpl, to64);
    }
    check_target(cpu, &code, off);
    x86_desc_touch(cpu, &code);
    if (pops_stack) {
        cpu->st.seg[R_SS] = ss;
        set_return_sp(cpu, &ss, to64, sp & size_mask(size));
    } else {
        x86_stack_commit(cpu, &s);
    }
    cpu->st.seg[R_CS] = x86_desc_to_seg(&code, sel);
    cpu->next_rip = off;
    cpu->st.cpl = rpl;
    if (rpl != cpl) {
        x86_drop_inner_segs(cpu, rpl);
    }
    x86_write_flags(cpu, flags, mask);
}

void x86_iret(X86Cpu *cpu, const X86Insn *in)
{
    if (!(cpu->hflags & HF_PE)) {
        iret_real(cpu, in);
    } else if (cpu->hflags & HF_VM) {
        iret_v86(cpu, in);
    } else if (cpu->st.rflags & FL_NT) {
        iret_task(cpu);
    } else {
        iret_protected(cpu, in);
    }
    cpu->st.nmi_masked = 0;
}
