/* SPDX-License-Identifier: MIT */
/*
 * Hardware task switches with 16- and 32-bit TSSs. SDM vol. 3, chapter 7. Everything that
 * can fault in the old task's context is read and checked first; segment descriptors are
 * loaded in the new one's, as 7.3 says. Leaf.
 */
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"
#include "target-x86/seg.h"

typedef struct TaskState {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t seg[X86_NSEGS], ldt;
    bool trap;
} TaskState;

/* Field offsets, figures 7-2 and 7-10. */
enum {
    TSS32_CR3 = 0x1c, TSS32_EIP = 0x20, TSS32_EFLAGS = 0x24, TSS32_GPR = 0x28,
    TSS32_SEG = 0x48, TSS32_LDT = 0x60, TSS32_T = 0x64, TSS32_LIMIT = 0x67,
    TSS16_IP = 0x0e, TSS16_FLAGS = 0x10, TSS16_GPR = 0x12, TSS16_SEG = 0x22,
    TSS16_LDT = 0x2a, TSS16_LIMIT = 0x2b,
};

static uint32_t get(X86Cpu *cpu, uint64_t lin, unsigned size)
{
    return x86_sys_load(cpu, (uint32_t)lin, size);
}

static void put(X86Cpu *cpu, uint64_t lin, unsigned size, uint32_t v)
{
    x86_sys_store(cpu, (uint32_t)lin, size, v);
}

static void read_tss(X86Cpu *cpu, uint64_t base, bool wide, TaskState *t)
{
    if (wide) {
        t->cr3 = get(cpu, base + TSS32_CR3, 4);
        t->eip = get(cpu, base + TSS32_EIP, 4);
        t->eflags = get(cpu, base + TSS32_EFLAGS, 4);
        for (unsigned i = 0; i < 8; i++) {
            t->gpr[i] = get(cpu, base + TSS32_GPR + 4 * i, 4);
        }
        for (unsigned i = 0; i < X86_NSEGS; i++) {
            t->seg[i] = get(cpu, base + TSS32_SEG + 4 * i, 2);
        }
        t->ldt = get(cpu, base + TSS32_LDT, 2);
        t->trap = get(cpu, base + TSS32_T, 2) & 1;
        return;
    }
    t->cr3 = 0;
    t->eip = get(cpu, base + TSS16_IP, 2);
    t->eflags = get(cpu, base + TSS16_FLAGS, 2);
    for (unsigned i = 0; i < 8; i++) {
        t->gpr[i] = 0xffff0000u | get(cpu, base + TSS16_GPR + 2 * i, 2);
    }
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        t->seg[i] = i < R_FS ? get(cpu, base + TSS16_SEG + 2 * i, 2) : 0;
    }
    t->ldt = get(cpu, base + TSS16_LDT, 2);
    t->trap = false;
}

static void save_tss(X86Cpu *cpu, uint64_t base, bool wide, uint32_t eip, uint32_t eflags)
{
    const X86State *st = &cpu->st;

    if (wide) {
        put(cpu, base + TSS32_EIP, 4, eip);
        put(cpu, base + TSS32_EFLAGS, 4, eflags);
        for (unsigned i = 0; i < 8; i++) {
            put(cpu, base + TSS32_GPR + 4 * i, 4, st->gpr[i]);
        }
        for (unsigned i = 0; i < X86_NSEGS; i++) {
            put(cpu, base + TSS32_SEG + 4 * i, 2, st->seg[i].selector);
        }
        return;
    }
    put(cpu, base + TSS16_IP, 2, eip);
    put(cpu, base + TSS16_FLAGS, 2, eflags);
    for (unsigned i = 0; i < 8; i++) {
        put(cpu, base + TSS16_GPR + 2 * i, 2, st->gpr[i]);
    }
    for (unsigned i = 0; i < R_FS; i++) {
        put(cpu, base + TSS16_SEG + 2 * i, 2, st->seg[i].selector);
    }
}

/* ---- checks of the target ---- */

static NORETURN void fault(X86Cpu *cpu, unsigned exc, uint16_t sel, unsigned ext)
{
    x86_raise_err(cpu, exc, (sel & 0xfffc) | ext);
}

static void read_target(X86Cpu *cpu, uint16_t sel, enum X86TaskReason why, unsigned ext,
                        X86Desc *d)
{
    bool back = why == X86_TASK_IRET;
    unsigned exc = back ? EXC_TS : EXC_GP;

    if (sel & 4 || !(sel & 0xfffc) || !x86_desc_read(cpu, sel, d)) {
        fault(cpu, exc, sel, ext);
    }
    unsigned type = x86_desc_type(d), busy = back ? 2 : 0;
    if (type != (SYS_TSS16 | busy) && type != (SYS_TSS32 | busy)) {
        fault(cpu, exc, sel, ext);
    }
    if (!x86_desc_present(d)) {
        fault(cpu, EXC_NP, sel, ext);
    }
    if (x86_desc_limit(d) < (type & 8 ? TSS32_LIMIT : TSS16_LIMIT)) {
        fault(cpu, EXC_TS, sel, ext);
    }
}

/* ---- the new task's segments (in its own context) ---- */

static void load_ldt(X86Cpu *cpu, uint16_t sel, unsigned ext)
{
    X86Desc d;

    cpu->st.ldt = x86_null_seg(sel);
    if (!(sel & 0xfffc)) {
        return;
    }
    if (sel & 4 || !x86_desc_read(cpu, sel, &d) || x86_desc_type(&d) != SYS_LDT ||
        !x86_desc_present(&d)) {
        fault(cpu, EXC_TS, sel, ext);
    }
    cpu->st.ldt = x86_desc_to_seg(&d, sel);
}

static void read_seg(X86Cpu *cpu, uint16_t sel, unsigned ext, X86Desc *d)
{
    if (!(sel & 0xfffc) || !x86_desc_read(cpu, sel, d) || !(x86_desc_attr(d) & SEG_S)) {
        fault(cpu, EXC_TS, sel, ext);
    }
}

static void load_cs(X86Cpu *cpu, uint16_t sel, unsigned ext)
{
    X86Desc d;
    unsigned rpl = sel & 3;

    read_seg(cpu, sel, ext, &d);
    unsigned dpl = x86_desc_dpl(&d);
    if (!x86_desc_is_code(&d) || (x86_desc_conforming(&d) ? dpl > rpl : dpl != rpl)) {
        fault(cpu, EXC_TS, sel, ext);
    }
    if (!x86_desc_present(&d)) {
        fault(cpu, EXC_NP, sel, ext);
    }
    x86_desc_touch(cpu, &d);
    cpu->st.seg[R_CS] = x86_desc_to_seg(&d, sel);
}

static void load_ss(X86Cpu *cpu, uint16_t sel, unsigned ext)
{
    X86Desc d;
    unsigned cpl = cpu->st.cpl;

    read_seg(cpu, sel, ext, &d);
    if ((sel & 3) != cpl || x86_desc_dpl(&d) != cpl ||
        (x86_desc_attr(&d) & (SEG_CODE | SEG_W)) != SEG_W) {
        fault(cpu, EXC_TS, sel, ext);
    }
    if (!x86_desc_present(&d)) {
        fault(cpu, EXC_SS, sel, ext);
    }
    x86_desc_touch(cpu, &d);
    cpu->st.seg[R_SS] = x86_desc_to_seg(&d, sel);
}

static void load_data(X86Cpu *cpu, unsigned seg, uint16_t sel, unsigned ext)
{
    X86Desc d;
    unsigned cpl = cpu->st.cpl;

    if (!(sel & 0xfffc)) {
        return; /* stays unusable */
    }
    read_seg(cpu, sel, ext, &d);
    unsigned dpl = x86_desc_dpl(&d);
    bool code = x86_desc_is_code(&d);
    if ((code && !(x86_desc_attr(&d) & SEG_R)) ||
        (!(code && x86_desc_conforming(&d)) && (dpl < cpl || dpl < (sel & 3)))) {
        fault(cpu, EXC_TS, sel, ext);
    }
    if (!x86_desc_present(&d)) {
        fault(cpu, EXC_NP, sel, ext);
    }
    x86_desc_touch(cpu, &d);
    cpu->st.seg[seg] = x86_desc_to_seg(&d, sel);
}

static void load_segments(X86Cpu *cpu, const TaskState *t, unsigned ext)
{
    static const uint8_t data[] = { R_ES, R_DS, R_FS, R_GS };

    load_ldt(cpu, t->ldt, ext);
    if (t->eflags & FL_VM) {
        for (unsigned i = 0; i < X86_NSEGS; i++) {
            x86_load_sreg_real(cpu, i, t->seg[i]);
        }
        return;
    }
    load_cs(cpu, t->seg[R_CS], ext);
    x86_update_hflags(cpu); /* each later fault is delivered with what is loaded by then */
    load_ss(cpu, t->seg[R_SS], ext);
    x86_update_hflags(cpu);
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
        load_data(cpu, data[i], t->seg[data[i]], ext);
    }
}

/* ---- the switch ---- */

/* Leaves the old task: saves it, sets busy bits and links. Last point that can fault in
 * the old context. */
static void leave_old(X86Cpu *cpu, const X86Desc *d, uint16_t sel, enum X86TaskReason why)
{
    X86State *st = &cpu->st;
    bool nests = why == X86_TASK_CALL || why == X86_TASK_GATE;
    bool old_wide = (st->tr.attr & SEG_TYPE) >= SYS_TSS32;
    uint32_t eflags = st->rflags;

    if (why == X86_TASK_IRET) {
        eflags &= ~FL_NT;
    }
    save_tss(cpu, st->tr.base, old_wide, cpu->next_rip, eflags);
    if (nests) {
        put(cpu, x86_desc_base(d), 2, st->tr.selector);
    }
    X86Desc old;
    if (!nests && !(st->tr.selector & 4) && x86_desc_read(cpu, st->tr.selector, &old)) {
        put(cpu, old.lin + 4, 4, old.hi & ~0x200u);
    }
    if (why != X86_TASK_IRET) {
        put(cpu, d->lin + 4, 4, d->hi | 0x200);
    }
    st->tr = x86_desc_to_seg(d, sel);
    st->tr.attr |= 2; /* busy */
}

static void enter_new(X86Cpu *cpu, const TaskState *t, bool wide, enum X86TaskReason why)
{
    X86State *st = &cpu->st;
    bool nests = why == X86_TASK_CALL || why == X86_TASK_GATE;
    uint64_t defined = 0x3f7fd7;

    if (wide && st->cr0 & CR0_PG && st->cr3 != t->cr3) {
        st->cr3 = t->cr3;
        x86_tlb_switch(cpu, st->cr3, true);
    }
    st->cr0 |= CR0_TS;
    for (unsigned i = 0; i < 8; i++) {
        st->gpr[i] = t->gpr[i];
    }
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        st->seg[i] = x86_null_seg(t->seg[i]);
    }
    st->rip = cpu->next_rip = t->eip;
    st->dr7 &= ~0x155ull; /* local breakpoints, 17.2.4 */
    st->cpl = t->eflags & FL_VM ? 3 : t->seg[R_CS] & 3;
    st->rflags = (t->eflags & defined) | FL_ONE | (nests ? FL_NT : 0);
    cpu->end_block = 1;
    x86_update_hflags(cpu);
}

void x86_task_switch(X86Cpu *cpu, uint16_t sel, enum X86TaskReason why, unsigned ext,
                     bool has_error, uint32_t error)
{
    X86Desc d;
    TaskState t;

    read_target(cpu, sel, why, ext, &d);
    bool wide = x86_desc_type(&d) & 8;
    read_tss(cpu, x86_desc_base(&d), wide, &t);
    bool pae = cpu->st.cr0 & CR0_PG && cpu->st.cr4 & CR4_PAE;
    if (cpu->st.tr.attr & SEG_UNUSABLE) {
        fault(cpu, EXC_TS, cpu->st.tr.selector, ext);
    }
    if (pae && wide && !x86_load_pdptes(cpu, t.cr3)) {
        fault(cpu, EXC_TS, sel, ext);
    }
    leave_old(cpu, &d, sel, why);
    enter_new(cpu, &t, wide, why);
    load_segments(cpu, &t, ext);
    x86_update_hflags(cpu);
    if (has_error) {
        X86Stack s = x86_stack_here(cpu);
        x86_stack_push(cpu, &s, wide ? 4 : 2, error);
        x86_stack_commit(cpu, &s);
    }
    if (t.eip > cpu->st.seg[R_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (t.trap) {
        x86_raise_db(cpu, DR6_BT);
    }
}

void x86_task_gate(X86Cpu *cpu, const X86Desc *gate, enum X86TaskReason why, unsigned ext,
                   bool has_error, uint32_t error)
{
    uint16_t sel = x86_gate_selector(gate);

    if (sel & 4 || !(sel & 0xfffc)) {
        fault(cpu, EXC_GP, sel, ext);
    }
    x86_task_switch(cpu, sel, why, ext, has_error, error);
}
