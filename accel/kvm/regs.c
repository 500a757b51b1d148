/* SPDX-License-Identifier: MIT */
/*
 * vCPU state both ways between KVM and X86State. Linux's Documentation/virt/kvm/api.rst,
 * 4.11 to 4.14 (registers), 4.31 (events), 4.33 (debug registers), 4.38 (MP state), 4.42
 * to 4.45 (XSAVE, XCRs). MSRs follow the table of target-x86/msrs.c.
 * The vCPU's thread, or any while it is parked.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "accel/kvm/kvm_int.h"
#include "hw/core/nondet.h"
#include "target-x86/cpuid.h"
#include "target-x86/mmu.h"
#include "target-x86/msrs.h"
#include "util/log.h"

/* ---- segments ---- */

static void seg_get(X86Seg *s, const struct kvm_segment *k)
{
    s->base = k->base;
    s->limit = k->limit;
    s->selector = k->selector;
    s->attr = (k->type & 15u) | (k->s ? SEG_S : 0) | (k->dpl & 3u) << SEG_DPL_SHIFT |
              (k->present ? SEG_P : 0) | (k->avl ? SEG_AVL : 0) | (k->l ? SEG_L : 0) |
              (k->db ? SEG_DB : 0) | (k->g ? SEG_G : 0) |
              (k->unusable ? SEG_UNUSABLE : 0);
}

static void seg_put(struct kvm_segment *k, const X86Seg *s)
{
    *k = (struct kvm_segment){
        .base = s->base, .limit = s->limit, .selector = s->selector, .type = s->attr & 15,
        .present = (s->attr & SEG_P) != 0, .dpl = s->attr >> SEG_DPL_SHIFT & 3,
        .db = (s->attr & SEG_DB) != 0, .s = (s->attr & SEG_S) != 0,
        .l = (s->attr & SEG_L) != 0, .g = (s->attr & SEG_G) != 0,
        .avl = (s->attr & SEG_AVL) != 0, .unusable = (s->attr & SEG_UNUSABLE) != 0,
    };
}

/* ES, CS, SS, DS, FS, GS: the order of X86State.seg. */
static struct kvm_segment *seg_of(struct kvm_sregs *s, unsigned n)
{
    struct kvm_segment *const segs[X86_NSEGS] = { &s->es, &s->cs, &s->ss,
                                                  &s->ds, &s->fs, &s->gs };
    return segs[n];
}

void kvm_seg_to(struct kvm_sregs *s, unsigned n, const X86Seg *seg)
{
    seg_put(seg_of(s, n), seg);
}

/* ---- general registers: order of the encoding, which struct kvm_regs has not ---- */

static __u64 *gpr_of(struct kvm_regs *r, unsigned n)
{
    __u64 *const regs[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
                              &r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
                              &r->r12, &r->r13, &r->r14, &r->r15 };
    return regs[n];
}

static void failed(KvmVcpu *v, const char *what, int ret)
{
    if (ret < 0) {
        log_printf("kvm: vCPU %d: %s: %s\n", v->cpu->index, what, strerror(-ret));
    }
}

static void vcpu_ioctl(KvmVcpu *v, unsigned long req, void *arg, const char *what)
{
    failed(v, what, kvm_ioctl(v->fd, req, arg));
}

void kvm_regs_from(X86State *st, const struct kvm_regs *r)
{
    for (unsigned n = 0; n < 16; n++) {
        st->gpr[n] = *gpr_of((struct kvm_regs *)r, n);
    }
    st->rip = r->rip;
    st->rflags = r->rflags | FL_ONE;
}

void kvm_regs_to(const X86State *st, struct kvm_regs *r)
{
    r->rip = st->rip;
    r->rflags = st->rflags;
    for (unsigned n = 0; n < 16; n++) {
        *gpr_of(r, n) = st->gpr[n];
    }
}

static void regs_get(KvmVcpu *v)
{
    struct kvm_regs r = { 0 };
    vcpu_ioctl(v, KVM_GET_REGS, &r, "KVM_GET_REGS");
    kvm_regs_from(&v->x86->st, &r);
}

static void regs_put(KvmVcpu *v)
{
    struct kvm_regs r;
    kvm_regs_to(&v->x86->st, &r);
    vcpu_ioctl(v, KVM_SET_REGS, &r, "KVM_SET_REGS");
}

static uint8_t cpl_of(const X86State *st)
{
    if (!(st->cr0 & CR0_PE)) {
        return 0;
    }
    return st->rflags & FL_VM ? 3 : st->seg[R_SS].attr >> SEG_DPL_SHIFT & 3;
}

static void sregs_get(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    struct kvm_sregs s = { 0 };
    vcpu_ioctl(v, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
    for (unsigned n = 0; n < X86_NSEGS; n++) {
        seg_get(&st->seg[n], seg_of(&s, n));
    }
    seg_get(&st->ldt, &s.ldt);
    seg_get(&st->tr, &s.tr);
    st->gdt = (X86Table){ s.gdt.base, s.gdt.limit };
    st->idt = (X86Table){ s.idt.base, s.idt.limit };
    st->cr0 = s.cr0;
    st->cr2 = s.cr2;
    st->cr3 = s.cr3;
    st->cr4 = s.cr4;
    st->efer = s.efer;
    v->cr8 = s.cr8;
    v->apic_base = s.apic_base;
    st->cpl = cpl_of(st);
}

static void sregs_put(KvmVcpu *v)
{
    const X86State *st = &v->x86->st;
    struct kvm_sregs s;
    memset(&s, 0, sizeof(s));
    for (unsigned n = 0; n < X86_NSEGS; n++) {
        seg_put(seg_of(&s, n), &st->seg[n]);
    }
    seg_put(&s.ldt, &st->ldt);
    seg_put(&s.tr, &st->tr);
    s.ss.dpl = st->cr0 & CR0_PE ? st->cpl : 0;
    s.gdt.base = st->gdt.base;
    s.gdt.limit = st->gdt.limit;
    s.idt.base = st->idt.base;
    s.idt.limit = st->idt.limit;
    s.cr0 = st->cr0;
    s.cr2 = st->cr2;
    s.cr3 = st->cr3;
    s.cr4 = st->cr4;
    s.efer = st->efer;
    s.cr8 = v->cr8;
    s.apic_base = v->apic_base;
    int ret = kvm_ioctl(v->fd, KVM_SET_SREGS, &s);
    if (ret < 0) {
        log_printf("kvm: vCPU %d: KVM_SET_SREGS: %s: CR0 %#llx CR3 %#llx CR4 %#llx EFER %#llx "
                   "APIC base %#llx CR8 %#llx\n",
                   v->cpu->index, strerror(-ret), s.cr0, s.cr3, s.cr4, s.efer, s.apic_base,
                   s.cr8);
    }
}

/* ---- FPU and extended state ---- */

/* KVM's area has the host's offsets, ours those of target-x86/cpuid.c. */
static void xsave_move(X86Xsave *x, uint8_t *area, bool to_kvm)
{
    for (unsigned n = 5; n < ARRAY_SIZE(x86_xsave_comp); n++) {
        unsigned host = kvm_host_xsave_offset(n), size = x86_xsave_comp[n].size;
        if (!host || !size || host + size > 4096) {
            continue;
        }
        uint8_t *ours = (uint8_t *)x + x86_xsave_comp[n].offset;
        memcpy(to_kvm ? area + host : ours, to_kvm ? ours : area + host, size);
    }
}

static void pkru_get(X86State *st)
{
    const uint8_t *p = (const uint8_t *)&st->xsave + x86_xsave_comp[9].offset;
    st->pkru = 0;
    if (st->xsave.xstate_bv & XCR0_PKRU) {
        memcpy(&st->pkru, p, 4);
    }
}

void kvm_xsave_get(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    struct kvm_xsave area;
    memset(&area, 0, sizeof(area));
    vcpu_ioctl(v, KVM_GET_XSAVE, &area, "KVM_GET_XSAVE");
    memcpy(&st->xsave, &area, offsetof(X86Xsave, ext));
    xsave_move(&st->xsave, (uint8_t *)&area, false);
    st->xsave.xstate_bv |= XCR0_X87 | XCR0_SSE;
    pkru_get(st);
}

void kvm_xsave_put(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    struct kvm_xsave area;
    memset(&area, 0, sizeof(area));
    if (x86_has(v->x86, X86F_PKU)) {
        uint8_t *p = (uint8_t *)&st->xsave + x86_xsave_comp[9].offset;
        memcpy(p, &st->pkru, 4);
        st->xsave.xstate_bv |= XCR0_PKRU;
    }
    st->xsave.xstate_bv |= st->xcr0 & (XCR0_AVX | XCR0_AVX512);
    memcpy(&area, &st->xsave, offsetof(X86Xsave, ext));
    xsave_move(&st->xsave, (uint8_t *)&area, true);
    /* Only what the vCPU has; the header's compaction word must be 0. */
    uint64_t bv = st->xsave.xstate_bv & (st->xcr0 | XCR0_X87 | XCR0_SSE), zero = 0;
    memcpy((uint8_t *)&area + 512, &bv, 8);
    memcpy((uint8_t *)&area + 520, &zero, 8);
    vcpu_ioctl(v, KVM_SET_XSAVE, &area, "KVM_SET_XSAVE");
}

static void xcrs_get(KvmVcpu *v)
{
    struct kvm_xcrs x = { 0 };
    if (!v->k->have_xcrs) {
        return;
    }
    vcpu_ioctl(v, KVM_GET_XCRS, &x, "KVM_GET_XCRS");
    for (unsigned i = 0; i < x.nr_xcrs && i < KVM_MAX_XCRS; i++) {
        if (x.xcrs[i].xcr == 0) {
            v->x86->st.xcr0 = v->xcr0 = x.xcrs[i].value;
        }
    }
}

void kvm_xcrs_put(KvmVcpu *v)
{
    struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs = { { .value = v->x86->st.xcr0 } } };
    if (v->k->have_xcrs && v->xcr0 != v->x86->st.xcr0) {
        v->xcr0 = v->x86->st.xcr0;
        vcpu_ioctl(v, KVM_SET_XCRS, &x, "KVM_SET_XCRS");
    }
}

/* ---- MSRs ---- */

typedef struct MsrList {
    struct kvm_msrs head;
    struct kvm_msr_entry e[KVM_MAX_MSRS];
} MsrList;

bool kvm_get_msr(KvmVcpu *v, uint32_t msr, uint64_t *val)
{
    MsrList l = { .head.nmsrs = 1, .e[0].index = msr };
    bool ok = kvm_ioctl(v->fd, KVM_GET_MSRS, &l) == 1;
    *val = l.e[0].data;
    return ok;
}

bool kvm_set_msr(KvmVcpu *v, uint32_t msr, uint64_t val)
{
    MsrList l = { .head.nmsrs = 1, .e[0] = { .index = msr, .data = val } };
    return kvm_ioctl(v->fd, KVM_SET_MSRS, &l) == 1;
}

static bool is_elsewhere(uint32_t msr)
{
    /* EFER, FS and GS bases are in the special registers; of the two numbers of
     * kvmclock's registers the new one serves. */
    return msr == 0xc0000080 || msr == 0xc0000100 || msr == 0xc0000101 || msr == 0x11 ||
           msr == 0x12;
}

void kvm_regs_init_msrs(KvmMachine *k, int vcpu_fd)
{
    KvmVcpu probe = { .fd = vcpu_fd };
    for (unsigned i = 0; i < x86_n_msr_rows; i++) {
        const X86MsrRow *r = &x86_msr_rows[i];
        for (unsigned n = 0; r->offset && n < r->count && k->nmsrs < KVM_MAX_MSRS; n++) {
            uint32_t msr = r->first + n * (r->step ? r->step : 1);
            uint64_t val;
            if (!is_elsewhere(msr) && !(k->guard && msr == 0xc0000082) && kvm_get_msr(&probe, msr, &val)) {
                k->msrs[k->nmsrs++] = (KvmMsr){ msr, (uint16_t)(r->offset + 8 * n) };
            }
        }
    }
}

static uint64_t *msr_field(KvmVcpu *v, unsigned i)
{
    return (uint64_t *)((char *)&v->x86->st + v->k->msrs[i].offset);
}

static void msrs_get(KvmVcpu *v)
{
    MsrList l = { .head.nmsrs = v->k->nmsrs };
    for (unsigned i = 0; i < v->k->nmsrs; i++) {
        l.e[i].index = v->k->msrs[i].number;
    }
    int n = kvm_ioctl(v->fd, KVM_GET_MSRS, &l);
    failed(v, "KVM_GET_MSRS", n);
    for (int i = 0; i < n; i++) {
        *msr_field(v, i) = v->msr[i] = l.e[i].data;
    }
    v->msrs_known = true;
}

/* Only what differs: a write of kvmclock's registers writes guest memory. */
static void msrs_put(KvmVcpu *v)
{
    for (unsigned i = 0; i < v->k->nmsrs; i++) {
        uint64_t val = *msr_field(v, i);
        if (v->msrs_known && val == v->msr[i]) {
            continue;
        }
        if (!kvm_set_msr(v, v->k->msrs[i].number, val)) {
            uint64_t now = 0;
            kvm_get_msr(v, v->k->msrs[i].number, &now);
            if (now != val) {
                log_unimp("kvm: MSR %#x stays %#" PRIx64 ", not %#" PRIx64 "\n",
                          v->k->msrs[i].number, now, val);
            }
        }
        v->msr[i] = val;
    }
    v->msrs_known = true;
}

/* ---- time ---- */

static void tsc_get(KvmVcpu *v)
{
    uint64_t val = 0;
    struct kvm_device_attr a = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
                                 .addr = (uintptr_t)&val };
    if (v->k->have_tsc_offset && kvm_ioctl(v->fd, KVM_GET_DEVICE_ATTR, &a) == 0) {
        v->tsc_offset = (int64_t)val;
    } else if (kvm_get_msr(v, 0x10, &val)) {
        int64_t now = (int64_t)(val - nondet_host_tsc());
        /* the reading itself takes time: what is nearly the same is the same */
        if (now - v->tsc_offset > 100000 || v->tsc_offset - now > 100000) {
            v->tsc_offset = now;
        }
    }
    v->x86->st.tsc_offset = v->tsc_offset;
}

static void tsc_put(KvmVcpu *v)
{
    uint64_t val = (uint64_t)v->x86->st.tsc_offset;
    struct kvm_device_attr a = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
                                 .addr = (uintptr_t)&val };
    if (v->x86->st.tsc_offset == v->tsc_offset && v->msrs_known) {
        return;
    }
    if (!v->k->have_tsc_offset || kvm_ioctl(v->fd, KVM_SET_DEVICE_ATTR, &a) < 0) {
        kvm_set_msr(v, 0x10, nondet_host_tsc() + val);
    }
    v->tsc_offset = (int64_t)val;
}

/* ---- events, debug registers, activity ---- */

static void events_get(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    struct kvm_vcpu_events e = { 0 };
    vcpu_ioctl(v, KVM_GET_VCPU_EVENTS, &e, "KVM_GET_VCPU_EVENTS");
    st->event = (X86Event){ 0 };
    if (e.exception.injected || e.exception.pending) {
        st->event = (X86Event){
            .valid = 1, .vector = e.exception.nr, .has_error = e.exception.has_error_code,
            .error = e.exception.error_code, .cr2 = st->cr2, .dr6 = 0,
        };
    } else if (e.interrupt.injected) {
        st->event = (X86Event){ .valid = 1, .vector = e.interrupt.nr, .soft = e.interrupt.soft };
    }
    st->int_shadow = e.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? X86_SHADOW_SS
                     : e.interrupt.shadow                           ? X86_SHADOW_STI
                                                                    : X86_SHADOW_NONE;
    st->nmi_masked = e.nmi.masked && !e.nmi.injected; /* it is to come once more */
    if (e.nmi.pending || e.nmi.injected) {
        cpu_request(v->cpu, CPU_REQ_NMI);
    }
}

static void events_put(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    struct kvm_vcpu_events e = { 0 };
    const X86Event *ev = &st->event;
    if (ev->valid && ev->vector < 32 && !ev->soft) {
        e.exception.injected = 1;
        e.exception.nr = ev->vector;
        e.exception.has_error_code = ev->has_error;
        e.exception.error_code = ev->error;
    } else if (ev->valid) {
        e.interrupt.injected = 1;
        e.interrupt.nr = ev->vector;
        e.interrupt.soft = ev->soft;
    }
    e.interrupt.shadow = st->int_shadow == X86_SHADOW_SS    ? KVM_X86_SHADOW_INT_MOV_SS
                         : st->int_shadow == X86_SHADOW_STI ? KVM_X86_SHADOW_INT_STI
                                                            : 0;
    e.nmi.masked = st->nmi_masked;
    e.nmi.pending = (v->cpu->request & CPU_REQ_NMI) != 0;
    e.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
    cpu_clear_request(v->cpu, CPU_REQ_NMI);
    vcpu_ioctl(v, KVM_SET_VCPU_EVENTS, &e, "KVM_SET_VCPU_EVENTS");
    st->event.valid = 0; /* KVM's now */
}

static void debug_get(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    struct kvm_debugregs d = { .dr6 = DR6_FIXED, .dr7 = DR7_FIXED };
    if (v->k->have_debugregs) {
        vcpu_ioctl(v, KVM_GET_DEBUGREGS, &d, "KVM_GET_DEBUGREGS");
        memcpy(st->dr, d.db, sizeof(st->dr));
        st->dr6 = d.dr6;
        st->dr7 = d.dr7;
    }
}

static void debug_put(KvmVcpu *v)
{
    const X86State *st = &v->x86->st;
    struct kvm_debugregs d = { .dr6 = st->dr6, .dr7 = st->dr7 };
    if (v->k->have_debugregs) {
        memcpy(d.db, st->dr, sizeof(st->dr));
        vcpu_ioctl(v, KVM_SET_DEBUGREGS, &d, "KVM_SET_DEBUGREGS");
    }
}

static void activity_get(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    struct kvm_mp_state mp = { 0 };
    if (v->k->irqchip == IRQCHIP_OFF) {
        return; /* halting and start-up are ours */
    }
    vcpu_ioctl(v, KVM_GET_MP_STATE, &mp, "KVM_GET_MP_STATE");
    st->halted = mp.mp_state == KVM_MP_STATE_HALTED;
    st->wait_sipi = mp.mp_state == KVM_MP_STATE_UNINITIALIZED ||
                    mp.mp_state == KVM_MP_STATE_INIT_RECEIVED;
}

static void activity_put(KvmVcpu *v)
{
    const X86State *st = &v->x86->st;
    struct kvm_mp_state mp = {
        .mp_state = st->wait_sipi ? KVM_MP_STATE_INIT_RECEIVED
                    : st->halted  ? KVM_MP_STATE_HALTED
                                  : KVM_MP_STATE_RUNNABLE,
    };
    if (v->k->irqchip != IRQCHIP_OFF) {
        vcpu_ioctl(v, KVM_SET_MP_STATE, &mp, "KVM_SET_MP_STATE");
    }
}

/* ---- whole ---- */

void kvm_get_state(KvmVcpu *v)
{
    X86State *st = &v->x86->st;
    activity_get(v); /* takes a waiting INIT or SIPI: before the registers */
    regs_get(v);
    sregs_get(v);
    kvm_xsave_get(v);
    xcrs_get(v);
    msrs_get(v);
    tsc_get(v);
    debug_get(v);
    events_get(v);
    x86_update_hflags(v->x86);
    v->rewound = v->k->guard && kvm_syscall_rewind(v);
    if (st->cr0 & CR0_PG && st->cr4 & CR4_PAE && !(st->efer & EFER_LMA)) {
        (void)!x86_load_pdptes(v->x86, st->cr3);
    }
}

void kvm_put_state(KvmVcpu *v)
{
    if (v->k->irqchip == IRQCHIP_OFF && v->cpu->irq_ops) {
        v->apic_base = v->cpu->irq_ops->get_base(v->cpu->irq_opaque);
        v->cr8 = v->cpu->irq_ops->get_tpr(v->cpu->irq_opaque);
    }
    /* What KVM_RUN last told about interrupts was another state's. */
    v->run->if_flag = (v->x86->st.rflags & FL_IF) != 0;
    v->run->ready_for_interrupt_injection =
        v->run->if_flag && !v->x86->st.int_shadow && !v->x86->st.event.valid;
    sregs_put(v);
    if (v->k->guard) {
        kvm_syscall_moved(v);
    }
    regs_put(v);
    kvm_xcrs_put(v);
    kvm_xsave_put(v);
    tsc_put(v);
    msrs_put(v);
    debug_put(v);
    activity_put(v);
    events_put(v);
}
