/* SPDX-License-Identifier: MIT */
/*
 * Delivery of exceptions and interrupts. SDM vol. 3, 6.8-6.15 (protected and 64-bit
 * mode), 20.1.4 (real mode), 20.2-20.3 (virtual-8086 mode). Leaf.
 *
 * A delivery changes registers only after its last access that can fault. If it faults,
 * the engine's loop comes back here with the new event while cpu->delivering still tells
 * the class of the first: table 6-5 then decides between the second event, a double fault
 * and shutdown.
 */
#include "target-x86/access.h"
#include "target-x86/explain.h"
#include "target-x86/leaf.h"
#include "target-x86/seg.h"
#include "util/log.h"

enum { KIND_EXC, KIND_SOFT, KIND_EXT };
enum { CLASS_NONE, CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PF, CLASS_DF };

static unsigned event_class(unsigned v)
{
    if (v == EXC_DF) {
        return CLASS_DF;
    }
    if (v == EXC_PF) {
        return CLASS_PF;
    }
    return v == EXC_DE || (v >= EXC_TS && v <= EXC_GP) ? CLASS_CONTRIBUTORY : CLASS_BENIGN;
}

static bool has_error_code(unsigned v)
{
    return v == EXC_DF || (v >= EXC_TS && v <= EXC_PF) || v == EXC_AC;
}

/* EFLAGS as pushed: RF is set for faults, so that the restarted instruction does not meet
 * its breakpoint again (17.3.1.1). */
static uint64_t pushed_flags(const X86Cpu *cpu, unsigned v, int kind)
{
    bool fault = v != EXC_DB && v != EXC_NMI && v != EXC_BP && v != EXC_OF && v != EXC_DF &&
                 v != EXC_MC;
    return cpu->st.rflags | (kind == KIND_EXC && fault ? FL_RF : 0);
}

static uint64_t flags_off(bool interrupt_gate)
{
    return FL_TF | FL_NT | FL_RF | FL_VM | (interrupt_gate ? FL_IF : 0);
}

static bool canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* The code segment a gate names, checked as far as both modes share. */
static void gate_code(X86Cpu *cpu, uint16_t sel, unsigned ext, X86Desc *cs)
{
    if (!(sel & ~3u)) {
        x86_raise_err(cpu, EXC_GP, ext);
    }
    if (!x86_desc_read(cpu, sel, cs) || !x86_desc_is_code(cs) ||
        x86_desc_dpl(cs) > cpu->st.cpl) {
        x86_raise_err(cpu, EXC_GP, (sel & ~3u) | ext);
    }
    if (cpu->st.efer & EFER_LMA && (x86_desc_attr(cs) & (SEG_L | SEG_DB)) != SEG_L) {
        x86_raise_err(cpu, EXC_GP, (sel & ~3u) | ext);
    }
    if (!x86_desc_present(cs)) {
        x86_raise_err(cpu, EXC_NP, (sel & ~3u) | ext);
    }
}

static void load_cs(X86Cpu *cpu, uint16_t sel, X86Desc *cs, unsigned cpl, uint64_t rip)
{
    x86_desc_touch(cpu, cs);
    cpu->st.seg[R_CS] = x86_desc_to_seg(cs, (sel & ~3u) | cpl);
    cpu->st.rip = rip;
    x86_set_cpl(cpu, cpl);
}

/* ---- 64-bit mode, 6.14 ---- */

static void deliver_long(X86Cpu *cpu, unsigned v, int kind, bool has_error, uint32_t error)
{
    X86State *st = &cpu->st;
    unsigned ext = kind == KIND_SOFT ? 0 : 1;
    uint32_t idt_error = v * 8 + 2 + ext;
    X86Desc cs;

    if (v * 16 + 15 > st->idt.limit) {
        x86_raise_err(cpu, EXC_GP, idt_error);
    }
    uint64_t g = x86_sys_load64(cpu, st->idt.base + v * 16);
    uint64_t offset = x86_sys_load64(cpu, st->idt.base + v * 16 + 8) << 32;
    offset |= (g & 0xffff) | (g >> 32 & 0xffff0000u);
    unsigned type = g >> 40 & 31, dpl = g >> 45 & 3, ist = g >> 32 & 7;
    uint16_t sel = g >> 16;
    if ((type != SYS_INT32 && type != SYS_TRAP32) || (kind == KIND_SOFT && dpl < st->cpl)) {
        x86_raise_err(cpu, EXC_GP, idt_error);
    }
    if (!(g >> 47 & 1)) {
        x86_raise_err(cpu, EXC_NP, idt_error);
    }
    gate_code(cpu, sel, ext, &cs);
    unsigned cpl = x86_desc_conforming(&cs) ? st->cpl : x86_desc_dpl(&cs);
    X86Stack s = { .mask = ~0ull, .wide = true, .error = ext, .sp = st->gpr[R_SP],
                   .mmu = cpl == 3 ? X86_MMU_USER : X86_MMU_KERNEL };
    if (!(st->cr4 & CR4_SMAP) && cpl != 3) {
        s.mmu = X86_MMU_KERNEL_AC;
    }
    if (ist || cpl < st->cpl) {
        s.sp = x86_tss64_rsp(cpu, cpl, ist, ext);
    }
    s.sp &= ~15ull;
    x86_stack_push(cpu, &s, 8, st->seg[R_SS].selector);
    x86_stack_push(cpu, &s, 8, st->gpr[R_SP]);
    x86_stack_push(cpu, &s, 8, pushed_flags(cpu, v, kind));
    x86_stack_push(cpu, &s, 8, st->seg[R_CS].selector);
    x86_stack_push(cpu, &s, 8, st->rip);
    if (has_error) {
        x86_stack_push(cpu, &s, 8, error);
    }
    if (!canonical(offset)) {
        x86_raise_err(cpu, EXC_GP, ext);
    }
    if (cpl != st->cpl) {
        st->seg[R_SS] = x86_null_seg(cpl);
    }
    st->gpr[R_SP] = s.sp;
    st->rflags &= ~flags_off(type == SYS_INT32);
    load_cs(cpu, sel, &cs, cpl, offset);
}

/* ---- protected mode, 6.12; out of virtual-8086 mode, 20.3 ---- */

static void push_v86_segs(X86Cpu *cpu, X86Stack *s, unsigned size)
{
    static const uint8_t order[] = { R_GS, R_FS, R_DS, R_ES };
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        x86_stack_push(cpu, s, size, cpu->st.seg[order[i]].selector);
    }
}

static void leave_v86(X86Cpu *cpu)
{
    static const uint8_t segs[] = { R_GS, R_FS, R_DS, R_ES };
    for (unsigned i = 0; i < ARRAY_SIZE(segs); i++) {
        cpu->st.seg[segs[i]] = x86_null_seg(0);
    }
}

static void deliver_protected(X86Cpu *cpu, unsigned v, int kind, bool has_error,
                              uint32_t error)
{
    X86State *st = &cpu->st;
    unsigned ext = kind == KIND_SOFT ? 0 : 1;
    uint32_t idt_error = v * 8 + 2 + ext;
    X86Desc gate, cs;

    if (v * 8 + 7 > st->idt.limit) {
        x86_raise_err(cpu, EXC_GP, idt_error);
    }
    gate.lin = (uint32_t)(st->idt.base + v * 8);
    uint64_t g = x86_sys_load64(cpu, gate.lin);
    gate.lo = g;
    gate.hi = g >> 32;
    unsigned type = x86_desc_type(&gate);
    if ((type != SYS_TASK && type != SYS_INT16 && type != SYS_TRAP16 && type != SYS_INT32 &&
         type != SYS_TRAP32) ||
        (kind == KIND_SOFT && x86_desc_dpl(&gate) < st->cpl)) {
        x86_raise_err(cpu, EXC_GP, idt_error);
    }
    if (!x86_desc_present(&gate)) {
        x86_raise_err(cpu, EXC_NP, idt_error);
    }
    if (type == SYS_TASK) {
        cpu->next_rip = st->rip;
        x86_task_gate(cpu, &gate, X86_TASK_GATE, ext, has_error, error);
        st->rip = cpu->next_rip;
        return;
    }
    uint16_t sel = x86_gate_selector(&gate);
    gate_code(cpu, sel, ext, &cs);
    bool vm = st->rflags & FL_VM, conforming = x86_desc_conforming(&cs);
    unsigned cpl = conforming ? st->cpl : x86_desc_dpl(&cs);
    unsigned size = type & 8 ? 4 : 2;
    if (vm && cpl != 0) {
        x86_raise_err(cpu, EXC_GP, (sel & ~3u) | ext);
    }
    bool inner = cpl < st->cpl;
    X86Stack s = inner ? x86_stack_inner(cpu, cpl, ext) : x86_stack_here(cpu);
    s.error = inner ? (s.ss.selector & ~3u) | ext : ext;
    if (inner && vm) {
        push_v86_segs(cpu, &s, size);
    }
    if (inner) {
        x86_stack_push(cpu, &s, size, st->seg[R_SS].selector);
        x86_stack_push(cpu, &s, size, st->gpr[R_SP]);
    }
    x86_stack_push(cpu, &s, size, pushed_flags(cpu, v, kind));
    x86_stack_push(cpu, &s, size, st->seg[R_CS].selector);
    x86_stack_push(cpu, &s, size, st->rip);
    if (has_error) {
        x86_stack_push(cpu, &s, size, error);
    }
    uint32_t offset = size == 4 ? x86_gate_offset(&gate) : gate.lo & 0xffff;
    if (offset > x86_desc_limit(&cs)) {
        x86_raise_err(cpu, EXC_GP, ext);
    }
    if (inner) {
        st->seg[R_SS] = s.ss;
    }
    x86_stack_commit(cpu, &s);
    if (vm) {
        leave_v86(cpu);
    }
    st->rflags &= ~flags_off(!(type & 1));
    load_cs(cpu, sel, &cs, cpl, offset);
}

/* ---- real mode ---- */

static void to_vector_table(X86Cpu *cpu, uint32_t entry, uint16_t flags, uint64_t off)
{
    X86Stack s = x86_stack_here(cpu);

    x86_stack_push(cpu, &s, 2, flags);
    x86_stack_push(cpu, &s, 2, cpu->st.seg[R_CS].selector);
    x86_stack_push(cpu, &s, 2, cpu->st.rip);
    x86_stack_commit(cpu, &s);
    cpu->st.rflags &= ~off;
    x86_load_sreg_real(cpu, R_CS, entry >> 16);
    cpu->st.rip = entry & 0xffff;
    cpu->end_block = 1;
    x86_update_hflags(cpu);
}

static void deliver_real(X86Cpu *cpu, unsigned v)
{
    if (v * 4 + 3 > cpu->st.idt.limit) {
        x86_raise_err(cpu, EXC_GP, v * 8 + 2);
    }
    uint32_t entry = x86_sys_load(cpu, (uint32_t)(cpu->st.idt.base + v * 4), 4);
    to_vector_table(cpu, entry, cpu->st.rflags, FL_IF | FL_TF | FL_AC | FL_RF);
}

/* INT n in virtual-8086 mode, table 20-2. True: it went through the real-mode table. */
static bool v86_soft_int(X86Cpu *cpu, unsigned v)
{
    X86State *st = &cpu->st;
    bool iopl3 = (st->rflags & FL_IOPL) == FL_IOPL, redirect = false;

    if (st->cr4 & CR4_VME) {
        uint32_t map = x86_sys_load(cpu, st->tr.base + 0x66, 2);
        if (map >= 32 && map - 32 + v / 8 <= st->tr.limit) {
            redirect = !(x86_sys_load(cpu, st->tr.base + map - 32 + v / 8, 1) >> (v & 7) & 1);
        }
    }
    if (!redirect) {
        if (!iopl3) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        return false;
    }
    uint32_t entry = x86_lin_load(cpu, v * 4, 4, X86_MMU_USER);
    uint32_t flags = st->rflags;
    if (!iopl3) {
        flags = (flags & ~FL_IF) | FL_IOPL | (flags & FL_VIF ? FL_IF : 0);
    }
    to_vector_table(cpu, entry, flags, FL_TF | FL_NT | FL_RF | (iopl3 ? FL_IF : FL_VIF));
    return true;
}

/* ---- what all share ---- */

static void deliver(X86Cpu *cpu, unsigned v, int kind, bool has_error, uint32_t error)
{
    X86State *st = &cpu->st;

    if (!(st->cr0 & CR0_PE)) {
        deliver_real(cpu, v);
    } else if (st->efer & EFER_LMA) {
        deliver_long(cpu, v, kind, has_error, error);
    } else if (!(st->rflags & FL_VM && kind == KIND_SOFT && v != EXC_BP && v != EXC_OF &&
                 v86_soft_int(cpu, v))) {
        deliver_protected(cpu, v, kind, has_error, error);
    }
}

static uint64_t shutdown_heavy(X86Cpu *cpu, void *arg)
{
    if (!cpu->tapped) { /* a twin run tells it once */
        FILE *f = log_lock();
        x86_explain_shutdown(cpu, f);
        log_unlock(f);
    }
    cpu_triple_fault(&cpu->cpu);
    return 0;
}

/* Table 6-5. False: shutdown. */
static bool combine(unsigned first, X86Event *ev)
{
    unsigned second = ev->soft ? CLASS_BENIGN : event_class(ev->vector);

    if (first == CLASS_DF && second != CLASS_BENIGN) {
        return false;
    }
    if ((first == CLASS_CONTRIBUTORY && second == CLASS_CONTRIBUTORY) ||
        (first == CLASS_PF && (second == CLASS_CONTRIBUTORY || second == CLASS_PF))) {
        *ev = (X86Event){ .valid = 1, .vector = EXC_DF, .has_error = 1 };
    }
    return true;
}

static void debug_event(X86Cpu *cpu, const X86Event *ev)
{
    X86State *st = &cpu->st;

    st->dr6 = (st->dr6 & ~0xfull) | ev->dr6;
    if (st->dr7 & DR7_GD) {
        st->dr7 &= ~DR7_GD;
        x86_update_hflags(cpu);
    }
}

static void note_fault(X86Cpu *cpu, const X86Event *ev, unsigned first)
{
    cpu->nchain = first ? cpu->nchain : 0;
    if (cpu->nchain < ARRAY_SIZE(cpu->chain)) {
        cpu->chain[cpu->nchain++] = (X86FaultNote){
            .rip = cpu->st.rip, .cr2 = ev->cr2, .error = ev->error,
            .cs = cpu->st.seg[R_CS].selector, .vector = ev->vector,
        };
    }
}

/* RCX and R11 are set, RIP is what LSTAR was given out for (SDM vol. 2, SYSCALL). */
bool x86_rewind_syscall(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    if (!cpu->half_syscall || st->rip != cpu->half_syscall || st->cpl != 3) {
        return false;
    }
    if (st->event.valid && st->event.vector == EXC_PF && !st->event.soft &&
        st->event.cr2 == cpu->half_syscall) {
        st->event.valid = 0; /* that nothing is mapped there */
    }
    st->rip = st->gpr[R_CX] - 2;
    st->rflags = st->gpr[11] | FL_ONE;
    x86_update_hflags(cpu);
    return true;
}

void x86_deliver_event(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    X86Event ev = st->event;
    unsigned first = cpu->delivering;

    if (ev.vector == EXC_PF && x86_rewind_syscall(cpu) && !st->event.valid) {
        return;
    }
    note_fault(cpu, &ev, first);
    st->event.valid = 0;
    st->halted = 0; /* a single step behind HLT ends it */
    cpu->delivering = CLASS_NONE;
    if (cpu->soft_rip) { /* the delivery of an INT n faulted: at its own address */
        st->rip = cpu->soft_rip - 1;
        cpu->soft_rip = 0;
    }
    if (ev.vector == EXC_PF && !ev.soft) {
        st->cr2 = ev.cr2;
    }
    if (first && !combine(first, &ev)) {
        x86_heavy(cpu, shutdown_heavy, NULL);
        return;
    }
    if (ev.soft) { /* benign, whatever its number; the frame points behind INT n */
        cpu->delivering = CLASS_BENIGN;
        cpu->soft_rip = st->rip + 1;
        st->rip = cpu->next_rip;
        deliver(cpu, ev.vector, KIND_SOFT, false, 0);
        cpu->soft_rip = 0;
        if (cpu->db_delayed) { /* MOV SS from a watched word, then INT n: at the handler */
            st->event = (X86Event){ .valid = 1, .vector = EXC_DB, .dr6 = cpu->db_delayed };
        }
    } else {
        if (ev.vector == EXC_DB) {
            debug_event(cpu, &ev);
        }
        cpu->delivering = event_class(ev.vector);
        deliver(cpu, ev.vector, KIND_EXC, has_error_code(ev.vector) && st->cr0 & CR0_PE,
                ev.error);
    }
    cpu->db_delayed = 0;
    cpu->delivering = CLASS_NONE;
}

void x86_deliver_interrupt(X86Cpu *cpu, unsigned vector)
{
    cpu->delivering = CLASS_BENIGN;
    deliver(cpu, vector, KIND_EXT, false, 0);
    cpu->delivering = CLASS_NONE;
    if (vector == EXC_NMI) {
        cpu->st.nmi_masked = 1;
    }
}
