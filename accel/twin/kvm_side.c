/* SPDX-License-Identifier: MIT */
/*
 * KVM as the second side of a twin. The side is a software side (soft.c) whose instructions
 * are executed by KVM wherever KVM can be compared: from one boundary of the first side to
 * the next by single steps. Port and memory accesses of devices are answered from the log.
 *
 * The software executes, and so nothing is compared, what KVM cannot be fed with from the
 * log or cannot execute: interrupts' delivery, instructions that tell of time, chance, the
 * CPU model or the local APIC, system calls and returns, exceptions, what KVM_RUN refuses,
 * ring 3 if the host's KVM is made of software (no step ends there). It is counted, by
 * instruction, and printed at the end. KVM API: Linux, Documentation/virt/kvm/api.rst.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "accel/kvm/kvm_int.h"
#include "accel/twin/twin_int.h"
#include "target-x86/decode.h"
#include "target-x86/mmu.h"
#include "target-x86/models.h"
#include "util/alloc.h"
#include "util/log.h"

enum {
    EXITS_MOST = 4096, /* of KVM_RUN between two boundaries */
    SOFT_MOST = 4 * TB_MAX_INSNS,
    REPS_MOST = 1 << 24,
    KINDS = 48,
};

typedef struct Left { /* executed by software */
    const char *name;
    uint64_t n;
} Left;

typedef struct KvmSide {
    KvmMachine *k;
    bool loaded[MACHINE_MAX_CPUS]; /* KVM has the state */
    bool virt;                     /* VT-x or SVM, by CPUID: slow to ask */
    unsigned nslots;
    uint64_t slot_ram[KVM_MAX_SLOTS], slot_size[KVM_MAX_SLOTS];
    uint64_t runs, by_kvm, by_soft;
    Left left[KINDS];
} KvmSide;

static uint32_t both[X86F_NWORDS];
static const uint32_t *both_features(void)
{
    return both;
}

static KvmVcpu *vcpu_of(TwinSide *s, const X86Cpu *cpu)
{
    return &((KvmSide *)s->own)->k->vcpu[cpu->cpu.index];
}

static void left_to_software(KvmSide *o, const char *name)
{
    Left *l = o->left;
    o->by_soft++;
    while (l < o->left + KINDS - 1 && l->name && strcmp(l->name, name)) {
        l++;
    }
    l->name = l == o->left + KINDS - 1 ? "others" : name;
    l->n++;
}

/* ---- memory ---- */

static void unmap_slots(KvmSide *o)
{
    for (unsigned i = 0; i < o->nslots; i++) {
        struct kvm_userspace_memory_region r = { .slot = i };
        kvm_ioctl(o->k->vm, KVM_SET_USER_MEMORY_REGION, &r);
    }
    o->nslots = 0;
}

/* Also forgets all that KVM has made of the guest's page tables. */
static void map_slots(TwinSide *s)
{
    KvmSide *o = s->own;
    const FlatView *v = s->m.mem.view;

    unmap_slots(o);
    for (unsigned i = 0; v && i < v->n && o->nslots < KVM_MAX_SLOTS; i++) {
        const FlatRange *f = &v->r[i];
        uint64_t start = ALIGN_UP(f->start, TLB_PAGE),
                 end = (f->last + 1) & ~(TLB_PAGE - 1ull);
        if (!f->host || start >= end) {
            continue;
        }
        uint64_t ram = f->ram_addr + (start - f->start);
        struct kvm_userspace_memory_region r = {
            .slot = o->nslots,
            .flags = f->readonly ? KVM_MEM_READONLY : KVM_MEM_LOG_DIRTY_PAGES,
            .guest_phys_addr = start,
            .memory_size = end - start,
            .userspace_addr = (uintptr_t)(s->ram + ram),
        };
        if (kvm_ioctl(o->k->vm, KVM_SET_USER_MEMORY_REGION, &r) < 0) {
            twin_complain(s, "KVM refuses the memory at %#" PRIx64, start);
            continue;
        }
        o->slot_ram[o->nslots] = ram;
        o->slot_size[o->nslots++] = f->readonly ? 0 : end - start;
    }
}

/* The pages that KVM's guest wrote, into the side's log. */
static void take_dirty(TwinSide *s)
{
    KvmSide *o = s->own;
    for (unsigned i = 0; i < o->nslots; i++) {
        uint64_t pages = o->slot_size[i] / TLB_PAGE;
        if (!pages) {
            continue;
        }
        uint64_t *bits = NEW_ARRAY(uint64_t, ALIGN_UP(pages, 64) / 64);
        struct kvm_dirty_log log = { .slot = i, .dirty_bitmap = bits };
        if (kvm_ioctl(o->k->vm, KVM_GET_DIRTY_LOG, &log) == 0) {
            for (uint64_t p = 0; p < pages; p++) {
                if (!bits[p / 64]) {
                    p |= 63;
                } else if (bits[p / 64] >> (p % 64) & 1) {
                    tcg_page_log(&s->pages, (o->slot_ram[i] >> 12) + p);
                    s->engine->ram_written(s, o->slot_ram[i] + p * TLB_PAGE, TLB_PAGE);
                }
            }
        }
        free(bits);
    }
}

/* ---- state to KVM and back ---- */

static void to_kvm(TwinSide *s, X86Cpu *cpu)
{
    KvmSide *o = s->own;
    KvmVcpu *v = vcpu_of(s, cpu);
    if (!o->loaded[cpu->cpu.index]) {
        const CpuIrqOps *ops = cpu->cpu.irq_ops;
        X86Event event = cpu->st.event;
        cpu->cpu.irq_ops = NULL; /* its registers come from the log, in their order */
        v->tsc_offset = cpu->st.tsc_offset;
        kvm_put_state(v);
        cpu->cpu.irq_ops = ops;
        cpu->st.event = event;
        o->loaded[cpu->cpu.index] = true;
    }
}

static void from_kvm(TwinSide *s, X86Cpu *cpu)
{
    KvmSide *o = s->own;
    if (o->loaded[cpu->cpu.index]) {
        int64_t tsc = cpu->st.tsc_offset;
        bool halted = cpu->st.halted;
        X86Msrs msr = cpu->st.msr; /* software executes RDMSR and WRMSR */
        kvm_get_state(vcpu_of(s, cpu));
        msr.kernel_gs_base = cpu->st.msr.kernel_gs_base;
        cpu->st.msr = msr;
        cpu->st.tsc_offset = tsc;
        cpu->st.halted = halted;
        o->loaded[cpu->cpu.index] = false;
        take_dirty(s);
        twin_soft_engine.replaced(s, cpu); /* page tables have changed */
    }
}

/* ---- life ---- */

static bool side_create(TwinSide *s, Error *err)
{
    if (!s->which) {
        return error_set(err,
                         "kvm can be the second engine only: expected tcg or interp");
    }
    KvmSide *o = s->own = NEW(KvmSide);
    o->k = kvm_side_create(&s->m, err);
    if (!o->k || !twin_soft_engine.create(s, err)) {
        return false;
    }
    o->virt = kvm_cpu_has_virt();
    for (unsigned i = 0; i < X86F_NWORDS; i++) {
        both[i] = kvm_features()[i] & x86_tcg_features()[i];
    }
    x86_engine_features = both_features;
    map_slots(s);
    return true;
}

static bool side_start_cpu(TwinSide *s, X86Cpu *cpu, Error *err)
{
    KvmSide *o = s->own;
    if (!kvm_side_cpu(o->k, &cpu->cpu, err)) {
        return false;
    }
    vcpu_of(s, cpu)->apic_base = 0xfee00000 | (cpu->cpu.index ? 0x800 : 0x900);
    return true;
}

static void side_report(TwinSide *s, FILE *f)
{
    const KvmSide *o = s->own;
    fprintf(f,
            "kvm: %" PRIu64 " stretches of code by KVM and compared (%" PRIu64 " runs), "
            "%" PRIu64 " steps by software and so not compared:",
            o->by_kvm, o->runs, o->by_soft);
    for (unsigned i = 0; i < KINDS && o->left[i].name; i++) {
        fprintf(f, "%s %s %" PRIu64, i ? "," : "", o->left[i].name, o->left[i].n);
    }
    fprintf(f, "%s\n", o->by_soft ? "" : " none");
}

static void side_destroy(TwinSide *s)
{
    KvmSide *o = s->own;
    if (!o) {
        return;
    }
    if (o->by_kvm + o->by_soft) {
        fputs("dyad: twin: ", stderr);
        side_report(s, stderr);
    }
    x86_engine_features = x86_tcg_features;
    if (o->k) {
        kvm_side_destroy(o->k);
    }
    if (s->cache) {
        twin_soft_engine.destroy(s);
    }
    free(o);
    s->own = NULL;
}

/* ---- what KVM is not asked to do ---- */

static bool not_comparable(const X86Insn *in)
{
    static const char *const names[] = {
        "RDTSC",   "RDTSCP",   "RDRAND",  "RDSEED",  "RDPMC",  "RDPID",
        "CPUID",   "XGETBV",   "XSETBV",  "RDMSR",   "WRMSR",  "SYSCALL",
        "SYSRET",  "SYSENTER", "SYSEXIT", "MONITOR", "MWAIT",  "VMCALL",
        "VMMCALL", "IRET",     "RETF",    "HLT",     "WBINVD", "INVD",
        "SGDT",    "SIDT",     "SLDT",    "STR",     "SMSW",
    };
    const X86Row *r = in->row;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(r->name, names[i])) {
            return true;
        }
    }
    return r->map == MAP_0F && (in->opcode & 0xfd) == 0x20 &&
           (in->op[0].reg == 8 || in->op[1].reg == 8) &&
           !strcmp(r->name, "MOV"); /* CR8 */
}

static bool decode_at(X86Cpu *cpu, uint64_t lin, X86Insn *in)
{
    uint8_t bytes[15];
    uint64_t gpa;
    unsigned n = 0;
    for (; n < sizeof(bytes); n++) {
        const uint8_t *p = x86_debug_translate(cpu, lin + n, &gpa)
                               ? x86_phys_host(cpu, gpa, false)
                               : NULL;
        if (!p) {
            break;
        }
        bytes[n] = *p;
    }
    return n && x86_decode(in, bytes, (int)n, cpu->hflags, cpu->feat) > 0;
}

/* What in the straight-line code from here on KVM is not asked to do; NULL: nothing. */
static const char *why_software(const KvmSide *o, X86Cpu *cpu, bool single)
{
    uint64_t lin = cpu->cpu.ops->get_pc(&cpu->cpu);
    X86Insn in;
    if (cpu->st.cpl == 3 && !o->virt) {
        return "(ring 3)"; /* there a KVM made of software neither steps nor stops */
    }
    if (cpu->hflags & HF_DBG || cpu->st.rflags & FL_TF) {
        return "(debug registers or TF)"; /* KVM's stepping uses them */
    }
    for (unsigned n = 0; n < (single ? 1 : TB_MAX_INSNS) && decode_at(cpu, lin, &in);
         n++) {
        if (not_comparable(&in)) {
            return in.row->name;
        }
        if (in.row->flags & (RF_BRANCH | RF_END)) {
            break;
        }
        lin += in.len;
    }
    return NULL;
}

/* Status flags that may be undefined where the first side stopped: KVM may run over many
 * instructions at once, so all places where the code can have been left count. */
static uint64_t undefined_flags(X86Cpu *cpu, uint64_t end)
{
    uint64_t rip = cpu->st.rip, lin = cpu->cpu.ops->get_pc(&cpu->cpu), now = 0, all = 0;
    X86Insn in;
    for (unsigned n = 0; n < TB_MAX_INSNS && rip != end && decode_at(cpu, lin, &in);
         n++) {
        const X86Row *r = in.row;
        now = (now & ~(uint64_t)(r->fl_def & ~r->fl_use)) | r->fl_undef;
        if (r->flags & (RF_BRANCH | RF_END)) {
            all |= now;
        }
        bool on = r->flags & RF_BRANCH && !strncmp(r->name, "J", 1) &&
                  strcmp(r->name, "JMP");
        if (r->flags & (RF_BRANCH | RF_END | RF_REP) && !on && !(r->flags & RF_REP)) {
            break;
        }
        rip += in.len;
        lin += in.len;
    }
    return all | now;
}

/* ---- running ---- */

static const X86Row *side_unit(TwinSide *s, X86Cpu *cpu, bool single)
{
    from_kvm(s, cpu);
    return twin_soft_engine.unit(s, cpu, single);
}

static bool soft_matches(const X86Cpu *cpu, const X86Snap *n)
{
    return cpu->st.rip == n->rip && cpu->st.event.valid == n->event &&
           !memcmp(cpu->st.gpr, n->gpr, sizeof(n->gpr));
}

/* To the boundary by software. */
static bool by_software(TwinSide *s, X86Cpu *cpu, const X86Snap *snap, const char *why)
{
    from_kvm(s, cpu);
    left_to_software(s->own, why);
    for (unsigned n = 0, reps = 0;
         n < SOFT_MOST && reps < REPS_MOST && !s->complaint[0] && !s->shut_down;) {
        uint64_t rip = cpu->st.rip;
        cpu->cpu.exit_request = rip == snap->rip;
        bool event = cpu->st.event.valid;
        const X86Row *row = twin_soft_engine.unit(s, cpu, true);
        if (!event) {
            twin_taint(s->t, row);
        }
        if (soft_matches(cpu, snap)) {
            return true;
        }
        cpu->st.rip == rip ? reps++ : n++;
    }
    return false;
}

static bool set_stepping(KvmVcpu *v)
{
    struct kvm_guest_debug g = { .control = KVM_GUESTDBG_ENABLE |
                                            KVM_GUESTDBG_SINGLESTEP };
    return kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g) >= 0;
}

/* An access of the instruction at hand: KVM completes it when it is entered again. */
static int run_on(KvmSide *o, KvmVcpu *v, bool complete)
{
    v->run->immediate_exit = complete;
    o->runs++;
    int ret = kvm_ioctl(v->fd, KVM_RUN, NULL);
    v->run->immediate_exit = 0;
    return ret;
}

enum { RAN, RAN_REFUSED, RAN_WRONG };

/* One KVM_RUN with what it needs. */
static int run_some(TwinSide *s, X86Cpu *cpu)
{
    KvmSide *o = s->own;
    KvmVcpu *v = vcpu_of(s, cpu);
    bool complete = false;
    for (unsigned i = 0; i < EXITS_MOST; i++) {
        int ret = run_on(o, v, complete);
        if (ret == -EINTR && complete) {
            return RAN;
        }
        if (ret == -EINTR || ret == -EAGAIN) {
            continue;
        }
        if (ret < 0) {
            return RAN_REFUSED;
        }
        switch (v->run->exit_reason) {
        case KVM_EXIT_DEBUG: return RAN;
        case KVM_EXIT_IO:
        case KVM_EXIT_MMIO:
            kvm_handle_exit_io(v);
            v->pending = false;
            complete = true;
            break;
        case KVM_EXIT_HLT: cpu->st.halted = 1; return RAN;
        case KVM_EXIT_INTR:
        case KVM_EXIT_IRQ_WINDOW_OPEN: break;
        case KVM_EXIT_SHUTDOWN: s->shut_down = true; return RAN;
        case KVM_EXIT_INTERNAL_ERROR: return RAN_REFUSED;
        default:
            twin_complain(s, "KVM_RUN ended with reason %u (%s)", v->run->exit_reason,
                          kvm_exit_name(v->run->exit_reason));
            return RAN_WRONG;
        }
        if (s->complaint[0]) {
            return RAN_WRONG;
        }
    }
    return RAN_WRONG;
}

/* General registers, RIP, RFLAGS alone: for the comparison at a boundary. */
static bool get_regs(KvmVcpu *v, X86Cpu *cpu)
{
    struct kvm_regs r;
    if (kvm_ioctl(v->fd, KVM_GET_REGS, &r) < 0) {
        return false;
    }
    kvm_regs_from(&cpu->st, &r);
    return true;
}

static int side_follow(TwinSide *s, X86Cpu *cpu, const X86Snap *snap, bool single)
{
    KvmSide *o = s->own;
    KvmVcpu *v = vcpu_of(s, cpu);
    X86State start;

    if (cpu->st.event.valid || snap->event) {
        /* KVM raises and delivers in one; the software goes to the boundary between */
        return by_software(s, cpu, snap, "(exceptions)") ? FOLLOWED : FOLLOW_LOST;
    }
    const char *why = why_software(o, cpu, single);
    if (why) {
        return by_software(s, cpu, snap, why) ? FOLLOWED : FOLLOW_LOST;
    }
    s->t->taint |= undefined_flags(cpu, snap->rip);
    to_kvm(s, cpu);
    start = cpu->st;
    if (!set_stepping(v)) {
        return by_software(s, cpu, snap, "(KVM_SET_GUEST_DEBUG)") ? FOLLOWED
                                                                  : FOLLOW_LOST;
    }
    for (unsigned n = 0; n < EXITS_MOST; n++) {
        int ran = run_some(s, cpu);
        if (ran == RAN_REFUSED) {
            X86Insn in;
            const char *name = "(unknown)";
            from_kvm(s, cpu);
            if (decode_at(cpu, cpu->cpu.ops->get_pc(&cpu->cpu), &in)) {
                name = in.row->name;
            }
            return by_software(s, cpu, snap, name) ? FOLLOWED : FOLLOW_LOST;
        }
        if (ran == RAN_WRONG || s->shut_down || !get_regs(v, cpu)) {
            break;
        }
        uint64_t flags = cpu->st.rflags;
        if (twin_matches(s, cpu, snap)) {
            struct kvm_regs r;
            if (cpu->st.rflags != flags && kvm_ioctl(v->fd, KVM_GET_REGS, &r) >= 0) {
                r.rflags = cpu->st.rflags; /* undefined ones have been taken over */
                kvm_ioctl(v->fd, KVM_SET_REGS, &r);
            }
            o->by_kvm++;
            return FOLLOWED;
        }
        if (single && cpu->st.rip != start.rip) {
            break;
        }
    }
    return s->shut_down && s->t->side[0].shut_down ? FOLLOWED : FOLLOW_LOST;
}

static void side_take(TwinSide *s, X86Cpu *cpu, uint32_t req)
{
    from_kvm(s, cpu);
    left_to_software(s->own, "(interrupts)");
    twin_soft_engine.take(s, cpu, req);
}

static void side_sync(TwinSide *s, X86Cpu *cpu)
{
    from_kvm(s, cpu);
    twin_soft_engine.sync(s, cpu);
}

static void side_replaced(TwinSide *s, X86Cpu *cpu)
{
    KvmSide *o = s->own;
    o->loaded[cpu->cpu.index] = false;
    map_slots(s);
    twin_soft_engine.replaced(s, cpu);
}

static void side_view_changed(TwinSide *s)
{
    if (s->own && ((KvmSide *)s->own)->k) {
        map_slots(s);
    }
    twin_soft_engine.view_changed(s);
}

static bool side_add_cpu(TwinSide *s, unsigned i, Error *err)
{
    return twin_soft_engine.add_cpu(s, i, err);
}

static void side_ram_written(TwinSide *s, uint64_t ram_addr, uint64_t len)
{
    twin_soft_engine.ram_written(s, ram_addr, len);
}

static void side_forget(TwinSide *s)
{
    twin_soft_engine.forget(s);
}

static void side_end_stretch(TwinSide *s, X86Cpu *cpu)
{
    twin_soft_engine.end_stretch(s, cpu);
}

static bool side_signal(X86Cpu *cpu, int sig, void *info, void *uc)
{
    return twin_soft_engine.signal(cpu, sig, info, uc);
}

const TwinEngine twin_kvm_engine = {
    .create = side_create,
    .add_cpu = side_add_cpu,
    .start_cpu = side_start_cpu,
    .destroy = side_destroy,
    .unit = side_unit,
    .follow = side_follow,
    .take = side_take,
    .sync = side_sync,
    .replaced = side_replaced,
    .ram_written = side_ram_written,
    .forget = side_forget,
    .view_changed = side_view_changed,
    .end_stretch = side_end_stretch,
    .signal = side_signal,
    .info = side_report,
};
