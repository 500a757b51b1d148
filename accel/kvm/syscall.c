/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL on a host whose KVM has no hardware under it: there it goes to LSTAR but stays in
 * ring 3, so the kernel's first instruction is a page fault. A probe in a VM of its own finds
 * out; then ring0=kvm keeps LSTAR for itself (an MSR filter) and gives KVM an address that
 * nobody maps. What arrives there faults, and a hardware breakpoint on the guest's handler of
 * page faults, which the kernel's emulator honours, ends KVM_RUN: the state of the
 * instruction's start is restored and the software engine executes SYSCALL, counted as a
 * rescue. Other page faults go on, over one instruction executed here.
 *
 * The vCPU's thread. SDM vol. 2, SYSCALL; vol. 3, 6.14 (gates and frames of 64-bit mode);
 * KVM API 4.97 (KVM_X86_SET_MSR_FILTER), 4.87 (KVM_SET_GUEST_DEBUG).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "accel/kvm/kvm_int.h"

enum { MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082 };
enum { PF = 14, GATE = 16, FRAME = 6 }; /* vector; bytes of a gate; words of a frame */

/* ---- the probe ---- */

enum {
    PML4 = 0, PDPT = 0x1000, PD = 0x2000, PT = 0x3000, USER = 0x4000, KERNEL = 0x5000,
    REAL = 0x5800, PROBE_RAM = 0x6000
};

static void probe_tables(uint8_t *ram)
{
    static const struct {
        unsigned at;
        uint64_t entry;
    } rows[] = {
        { PML4, PDPT | 7 },
        { PDPT, PD | 7 },
        { PD, PT | 7 },
        { PT + 8 * (USER >> 12), USER | 5 },
        { PT + 8 * (KERNEL >> 12), KERNEL | 1 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        memcpy(ram + rows[i].at, &rows[i].entry, 8);
    }
    /* mov eax, 7; xor ecx, ecx; cpuid; syscall; hlt */
    memcpy(ram + USER, "\xb8\x07\x00\x00\x00\x31\xc9\x0f\xa2\x0f\x05\xf4", 12);
    ram[KERNEL] = 0xf4;
    /* 16-bit: mov eax, 1; cpuid; mov ebp, ecx; mov edi, edx; mov esi, ebx; mov eax, 7;
     * xor ecx, ecx; cpuid; hlt */
    memcpy(ram + REAL,
           "\x66\xb8\x01\x00\x00\x00\x0f\xa2\x66\x89\xcd\x66\x89\xd7\x66\x89\xde"
           "\x66\xb8\x07\x00\x00\x00\x66\x31\xc9\x0f\xa2\xf4",
           29);
}

/* What CPUID tells ring 0, as far as features go. */
static void probe_ring0(int vcpu, const struct kvm_run *run, uint32_t cpuid[2][4])
{
    struct kvm_sregs s;
    struct kvm_regs r = { .rip = REAL, .rflags = 2 };
    int ret = kvm_ioctl(vcpu, KVM_GET_SREGS, &s);
    s.cs.base = s.cs.selector = 0;
    if (ret < 0 || kvm_ioctl(vcpu, KVM_SET_SREGS, &s) < 0 ||
        kvm_ioctl(vcpu, KVM_SET_REGS, &r) < 0) {
        return;
    }
    ret = kvm_ioctl(vcpu, KVM_RUN, NULL);
    for (unsigned i = 0; i < 100 && ret == -EINTR; i++) {
        ret = kvm_ioctl(vcpu, KVM_RUN, NULL);
    }
    if (ret == 0 && run->exit_reason == KVM_EXIT_HLT && kvm_ioctl(vcpu, KVM_GET_REGS, &r) >= 0) {
        memcpy(cpuid[0], (uint32_t[]){ 0, (uint32_t)r.rsi, (uint32_t)r.rbp, (uint32_t)r.rdi },
               sizeof(cpuid[0]));
        memcpy(cpuid[1], (uint32_t[]){ 0, (uint32_t)r.rbx, (uint32_t)r.rcx, (uint32_t)r.rdx },
               sizeof(cpuid[1]));
    }
}

/* SYSCALL in ring 3 of 64-bit mode, with no IDT: 0 or -errno of what cannot be set. */
static int probe_state(int vcpu)
{
    struct kvm_sregs s;
    struct kvm_regs r = { .rip = USER, .rflags = 2 };
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry e[2];
    } msrs = { .head.nmsrs = 2,
               .e = { { .index = MSR_STAR, .data = 0x0023001000000000ull },
                      { .index = MSR_LSTAR, .data = KERNEL } } };
    int ret = kvm_ioctl(vcpu, KVM_GET_SREGS, &s);
    struct kvm_segment flat = { .limit = ~0u,
                                .selector = 0x2b,
                                .type = 3,
                                .present = 1,
                                .dpl = 3,
                                .db = 1,
                                .s = 1,
                                .g = 1 };
    s.ds = s.es = s.fs = s.gs = s.ss = flat;
    s.cs = flat;
    s.cs.selector = 0x33;
    s.cs.type = 11;
    s.cs.db = 0;
    s.cs.l = 1;
    s.tr = (struct kvm_segment){ .type = 11, .present = 1 };
    s.ldt = (struct kvm_segment){ .unusable = 1 };
    s.idt.limit = s.gdt.limit = 0;
    s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    s.cr3 = PML4;
    s.cr4 = CR4_PAE | CR4_OSFXSR;
    s.efer = EFER_SCE | EFER_LME | EFER_LMA;
    ret = ret < 0 ? ret : kvm_ioctl(vcpu, KVM_SET_SREGS, &s);
    ret = ret < 0 ? ret : kvm_ioctl(vcpu, KVM_SET_REGS, &r);
    return ret < 0 ? ret : kvm_ioctl(vcpu, KVM_SET_MSRS, &msrs) == 2 ? 0 : -1;
}

/* Runs it: the exit's reason, or -1; *ebx: what CPUID gave in ring 3; ring0: in ring 0. */
static int probe_run(int vm, uint8_t *ram, size_t run_size, struct kvm_cpuid2 *cpuid,
                     uint32_t *ebx, uint32_t ring0[2][4])
{
    struct kvm_regs r;
    struct kvm_userspace_memory_region slot = { .memory_size = PROBE_RAM,
                                                .userspace_addr = (uintptr_t)ram };
    int vcpu = kvm_ioctl(vm, KVM_CREATE_VCPU, NULL), reason = -1;
    if (vcpu < 0) {
        return -1;
    }
    struct kvm_run *run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu,
                               0);
    probe_tables(ram);
    if (run != MAP_FAILED && kvm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) >= 0 &&
        kvm_ioctl(vcpu, KVM_SET_CPUID2, cpuid) >= 0 &&
        (probe_ring0(vcpu, run, ring0), probe_state(vcpu) >= 0)) {
        int ret = kvm_ioctl(vcpu, KVM_RUN, NULL);
        for (unsigned i = 0; i < 100 && ret == -EINTR; i++) {
            ret = kvm_ioctl(vcpu, KVM_RUN, NULL);
        }
        reason = ret < 0 || kvm_ioctl(vcpu, KVM_GET_REGS, &r) < 0 ? -1 : (int)run->exit_reason;
        *ebx = reason < 0 ? 0 : (uint32_t)r.rbx;
    }
    if (run != MAP_FAILED) {
        munmap(run, run_size);
    }
    close(vcpu);
    return reason;
}

static uint32_t offered(const struct kvm_cpuid2 *c) /* EBX of CPUID 7 */
{
    for (unsigned i = 0; i < c->nent; i++) {
        if (c->entries[i].function == 7 && c->entries[i].index == 0) {
            return c->entries[i].ebx;
        }
    }
    return 0;
}

/* Is SYSCALL of ring 3 wrong here, is CPUID the host's own whatever KVM was told? No, if it
 * cannot be tried. */
static void probe(KvmMachine *k, bool *wrong_syscall)
{
    struct kvm_cpuid2 *cpuid = kvm_supported_cpuid();
    int vm = kvm_ioctl(k->fd, KVM_CREATE_VM, NULL), reason = -1;
    uint8_t *ram = mmap(NULL, PROBE_RAM, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t ebx = 0;
    if (vm >= 0 && ram != MAP_FAILED) {
        reason = probe_run(vm, ram, k->run_size, cpuid, &ebx, k->ring0_cpuid);
    }
    if (vm >= 0) {
        close(vm);
    }
    if (ram != MAP_FAILED) {
        munmap(ram, PROBE_RAM);
    }
    /* HLT runs in ring 0; the page fault of ring 3 shuts down. */
    *wrong_syscall = reason == KVM_EXIT_SHUTDOWN;
    k->native_cpuid = reason >= 0 && ebx != offered(cpuid);
}

/* ---- the guard ---- */

static bool has(const KvmMachine *k, int cap, int bits)
{
    int got = kvm_ioctl(k->fd, KVM_CHECK_EXTENSION, (void *)(intptr_t)cap);
    return got > 0 && (got & bits) == bits;
}

void kvm_syscall_begin(KvmMachine *k)
{
    static uint8_t denied[1]; /* bit 0: the guest neither reads nor writes LSTAR itself */
    struct kvm_enable_cap cap = {
        .cap = KVM_CAP_X86_USER_SPACE_MSR,
        .args = { KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER },
    };
    struct kvm_msr_filter f;
    memset(&f, 0, sizeof(f));
    f.ranges[0] = (struct kvm_msr_filter_range){
        .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
        .nmsrs = 1,
        .base = MSR_LSTAR,
        .bitmap = denied,
    };
    k->filtered = has(k, KVM_CAP_SYNC_REGS, KVM_SYNC_X86_SREGS) &&
                  has(k, KVM_CAP_X86_USER_SPACE_MSR, 0) &&
                  has(k, KVM_CAP_X86_MSR_FILTER, 0) && has(k, KVM_CAP_SET_GUEST_DEBUG, 0) &&
                  kvm_ioctl(k->vm, KVM_ENABLE_CAP, &cap) == 0 &&
                  kvm_ioctl(k->vm, KVM_X86_SET_MSR_FILTER, &f) == 0;
}

void kvm_syscall_decide(KvmMachine *k)
{
    struct kvm_msr_filter none;
    bool wrong;
    probe(k, &wrong);
    k->guard = wrong && k->filtered;
    if (k->filtered && !wrong) {
        memset(&none, 0, sizeof(none));
        kvm_ioctl(k->vm, KVM_X86_SET_MSR_FILTER, &none);
    }
}

bool kvm_syscall_init_cpu(KvmVcpu *v)
{
    v->run->kvm_valid_regs |= KVM_SYNC_X86_SREGS;
    v->x86->half_syscall = KVM_SYSCALL_TRAP;
    return kvm_set_msr(v, MSR_LSTAR, KVM_SYSCALL_TRAP);
}

/* Where the guest's gate lies in our memory; NULL: not in RAM. */
static const uint8_t *find_gate(KvmVcpu *v, uint64_t lin)
{
    struct kvm_translation t = { .linear_address = lin };
    if ((lin & 4095) > 4096 - GATE || kvm_ioctl(v->fd, KVM_TRANSLATE, &t) < 0 ||
        !t.valid) {
        return NULL;
    }
    const FlatRange *r = address_space_find(&v->cpu->machine->mem, t.physical_address);
    return r && r->host && r->last - t.physical_address >= GATE - 1
               ? (const uint8_t *)r->host + (t.physical_address - r->start)
               : NULL;
}

static uint64_t handler_in(const uint8_t *gate)
{
    uint16_t w[4];
    uint32_t high;
    memcpy(w, gate, 8);
    memcpy(&high, gate + 8, 4);
    return w[2] & 0x8000 ? (uint64_t)high << 32 | (uint32_t)w[3] << 16 | w[0] : 0;
}

void kvm_syscall_moved(KvmVcpu *v)
{
    const X86State *st = &v->x86->st;
    struct kvm_sregs *s = &v->run->s.regs.sregs; /* ours to look at: it is not marked dirty */
    s->idt.base = st->idt.base;
    s->idt.limit = st->idt.limit;
    s->efer = st->efer;
    v->pf_gate = NULL;
}

void kvm_syscall_follow(KvmVcpu *v)
{
    const struct kvm_sregs *s = &v->run->s.regs.sregs;
    uint64_t handler = 0;
    if (v->x86->st.msr.lstar && s->efer & EFER_LMA &&
        s->idt.limit >= PF * GATE + GATE - 1) {
        if (!v->pf_gate || v->idt_base != s->idt.base) {
            v->idt_base = s->idt.base;
            v->pf_gate = find_gate(v, s->idt.base + PF * GATE);
        }
        handler = v->pf_gate ? handler_in(v->pf_gate) : 0;
    }
    if (handler != v->pf_handler) {
        v->pf_handler = handler;
        v->debug_changed = true;
    }
}

static bool read_linear(KvmVcpu *v, uint64_t lin, void *to, unsigned n)
{
    uint8_t *p = to;
    uint64_t gpa;
    for (unsigned i = 0; i < n; i++) {
        if (!v->cpu->ops->translate(v->cpu, lin + i, &gpa) ||
            !memory_read(&v->cpu->machine->mem, gpa, p + i, 1)) {
            return false;
        }
    }
    return true;
}

static X86Seg flat(uint64_t selector, uint16_t attr)
{
    return (X86Seg){ .selector = (uint16_t)selector,
                     .limit = ~0u,
                     .attr = attr | SEG_P | SEG_S | SEG_G | 3u << SEG_DPL_SHIFT };
}

/* At the handler, or a kick came just before the breakpoint: as it was in ring 3. */
static bool rewind_frame(KvmVcpu *v)
{
    enum { RIP = 1, CS, RFLAGS, RSP, SS };
    X86State *st = &v->x86->st;
    uint64_t frame[FRAME];
    uint8_t insn[2];
    if (!v->pf_handler || st->rip != v->pf_handler || st->cpl == 3 ||
        st->cr2 != KVM_SYSCALL_TRAP ||
        !read_linear(v, st->gpr[R_SP], frame, sizeof(frame)) ||
        frame[RIP] != KVM_SYSCALL_TRAP || (frame[CS] & 3) != 3 ||
        !read_linear(v, st->gpr[R_CX] - 2, insn, 2) || insn[0] != 0x0f || insn[1] != 5) {
        return false;
    }
    st->seg[R_CS] = flat(frame[CS], 11 | SEG_L);
    st->seg[R_SS] = flat(frame[SS], 3 | SEG_DB);
    st->gpr[R_SP] = frame[RSP];
    st->rip = KVM_SYSCALL_TRAP;
    st->cpl = 3;
    return true;
}

bool kvm_syscall_rewind(KvmVcpu *v)
{
    rewind_frame(v);
    return x86_rewind_syscall(v->x86);
}

static bool debugger_wants(const KvmVcpu *v)
{
    const MachineDebug *d = &v->cpu->machine->debug;
    bool wants = v->cpu->debug & CPU_DEBUG_STEP;
    for (unsigned i = 0; i < d->n; i++) {
        wants |= d->points[i].kind <= DEBUG_HWBREAK && d->points[i].addr == v->pf_handler;
    }
    return wants;
}

static bool go_on(KvmVcpu *v, bool rescue)
{
    char why[160];
    x86_update_hflags(v->x86);
    bool ok = kvm_soft_here(v, rescue, why, sizeof(why));
    if (!ok) {
        kvm_internal_error(v, why);
    }
    return ok;
}

bool kvm_syscall_exit(KvmVcpu *v, bool *went_on)
{
    if (!v->pf_handler || v->run->debug.arch.pc != v->pf_handler) {
        return false;
    }
    bool ours = v->run->s.regs.sregs.cr2 == KVM_SYSCALL_TRAP;
    if (!ours && debugger_wants(v)) {
        return false;
    }
    kvm_get_state(v);
    ours = v->rewound;
    if (!ours && debugger_wants(v)) {
        return false;
    }
    v->faults_passed += !ours;
    *went_on = go_on(v, ours);
    return true;
}

bool kvm_syscall_shutdown(KvmVcpu *v, bool *went_on)
{
    kvm_get_state(v);
    if (!v->rewound) {
        return false;
    }
    v->x86->st.event.valid = 0; /* the fault that could not be delivered */
    *went_on = go_on(v, true);
    return true;
}
