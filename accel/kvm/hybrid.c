/* SPDX-License-Identifier: MIT */
/*
 * ring0=soft: the translator runs everything but long stretches of 64-bit ring 3, which
 * KVM runs. For hosts whose KVM has no hardware under it: they run ring 3 natively but
 * emulate the rest at half a million instructions a second, and their SYSCALL does not
 * even change rings.
 *
 * KVM gets no IDT (limit 0), no TSS and an LSTAR that cannot be executed, so every event
 * of ring 3 ends KVM_RUN as a triple fault with the state of the instruction's start; the
 * translator then executes that instruction again and takes the fault itself. Interrupts
 * are the models': a request kicks the vCPU out.
 *
 * KVM shadows the guest's page tables and does not see our stores to them: all shadow
 * pages are dropped when the guest, on any vCPU, flushed any translation since the last
 * visit. Stores of ring 3 in KVM are not seen by the translator: before a visit, translated
 * code in pages that ring 3 may write is dropped, and such pages are marked so that building
 * code there brings this vCPU back first (TCG_PAGE_STORED).
 *
 * Going over costs about 100 us, so a vCPU goes when a whole tick saw it in ring 3, and
 * more rarely after visits that were short. The vCPU's thread; the ticker is a thread of
 * its own. SDM vol. 3, 4.5 (page tables); AMD APM vol. 3, SYSCALL.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "accel/kvm/hybrid.h"
#include "accel/kvm/kvm_int.h"
#include "accel/tcg/tcg.h"
#include "hw/core/nondet.h"
#include "target-x86/engine.h"
#include "target-x86/mmu.h"
#include "target-x86/models.h"
#include "target-x86/native.h"
#include "target-x86/pte.h"
#include "target-x86/softmmu.h"
#include "util/alloc.h"

enum { MSR_SYSENTER_CS = 0x174, MSR_LSTAR = 0xc0000082 };
enum { TICK_NS = 2000000, SHORT_NS = 400000, MAX_SKIP = 64, MAX_TABLES = 8192 };

static CpuExecOps soft_exec_ops; /* the translator's, with ours in front */
static const CpuExecOps *tcg_ops;

/* ---- may ring 3 go over? ---- */

/* CR4 bits that matter to ring 3 or to the shape of page tables. */
#define CR4_KEPT \
    (CR4_PSE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE)

static bool suits(const KvmVcpu *v)
{
    const X86Cpu *cpu = v->x86;
    const X86State *st = &cpu->st;
    uint64_t known = XCR0_X87 | XCR0_SSE;
    for (unsigned n = 2; n < 8; n++) {
        known |= n == 2 || kvm_host_xsave_offset(n) ? 1ull << n : 0;
    }
    /* The host's XCR0 is in force in KVM: an XSAVEC area written there must be good here. */
    if (st->cr4 & CR4_OSXSAVE && st->xcr0 != x86_host_xcr0()) {
        return false;
    }
    return cpu->hflags & HF_CS64 && st->cpl == 3 && !st->event.valid && !st->int_shadow &&
           !st->halted && !(cpu->hflags & X86_STEP_MASK) && !(st->cr0 & (CR0_TS | CR0_EM)) &&
           !(st->cr4 & (CR4_PKE | CR4_LA57)) && !(st->xcr0 & ~known) &&
           /* Ring 3 runs with interrupts on, whatever the flag; it cannot change it. */
           (st->rflags & (FL_IF | FL_IOPL)) == FL_IF &&
           !(st->rflags & (FL_TF | FL_AC | FL_VM)) && !(st->dr7 & 0xff);
}

/* ---- page tables ---- */

typedef struct Walk {
    KvmVcpu *v;
    unsigned tables;
    bool failed;
} Walk;

static const FlatRange *ram_of(Walk *w, uint64_t gpa)
{
    const FlatRange *r = address_space_find(&w->v->cpu->machine->mem, gpa);
    return r && r->host ? r : NULL;
}

/* A page that ring 3 may write: no code may be left in it. */
static void writable(Walk *w, uint64_t gpa, uint64_t size)
{
    for (uint64_t end = gpa + size; gpa < end; gpa += 4096) {
        const FlatRange *r = ram_of(w, gpa);
        if (!r) {
            continue;
        }
        uint64_t stop = MIN(end, r->last + 1);
        for (; gpa < stop; gpa += 4096) {
            tcg_page_stored(w->v->cpu, r->ram_addr + (gpa - r->start));
        }
        gpa -= 4096;
    }
}

/* Follows what ring 3 may write; level 4 is the PML4. */
static void walk(Walk *w, uint64_t table, unsigned level)
{
    const FlatRange *r = ram_of(w, table);
    if (!r || r->last - table < 4095 || w->failed || ++w->tables > MAX_TABLES) {
        w->failed = true;
        return;
    }
    const uint64_t *e = (const uint64_t *)(r->host + (table - r->start));
    for (unsigned i = 0; i < 512 && !w->failed; i++) {
        uint64_t pte = __atomic_load_n(&e[i], __ATOMIC_RELAXED);
        if ((pte & (PTE_P | PTE_W | PTE_U)) != (PTE_P | PTE_W | PTE_U)) {
            continue;
        }
        unsigned shift = 12 + 9 * (level - 1);
        if (level == 1) {
            writable(w, pte & PTE_ADDR, 4096);
        } else if (pte & PTE_PS && level < 4) {
            writable(w, pte & PTE_ADDR & -(1ull << shift), 1ull << shift);
        } else {
            walk(w, pte & PTE_ADDR, level - 1);
        }
    }
}

/* Flushes of all vCPUs: a table that one let go of may be another's soon. */
static uint64_t flushes(const KvmMachine *k)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < k->m->ncpus; i++) {
        n += __atomic_load_n(&x86_env(k->vcpu[i].x86)->tlb_seq, __ATOMIC_RELAXED);
    }
    return n;
}

static bool prepare_memory(KvmVcpu *v)
{
    KvmMachine *k = v->k;
    Walk w = { .v = v };
    uint64_t seq = flushes(k), gpa;
    if (v->cpu->ops->translate(v->cpu, KVM_SYSCALL_TRAP, &gpa)) {
        return false;
    }
    walk(&w, v->x86->st.cr3 & PTE_ADDR, 4);
    if (w.failed) {
        return false;
    }
    if (seq != atomic_load(&k->shadow_seq)) {
        kvm_drop_shadow(k);
        atomic_store(&k->shadow_seq, seq);
        v->drops++;
    }
    return true;
}

/* ---- registers: through the run area, no system calls of their own ---- */

static void load(KvmVcpu *v)
{
    const X86State *st = &v->x86->st;
    struct kvm_sregs *s = &v->run->s.regs.sregs;
    kvm_regs_to(st, &v->run->s.regs.regs);
    *s = v->user_sregs;
    for (unsigned n = 0; n < X86_NSEGS; n++) {
        kvm_seg_to(s, n, &st->seg[n]);
    }
    s->ss.dpl = 3;
    s->cr0 = st->cr0;
    s->cr3 = st->cr3 & PTE_ADDR;
    /* RDTSC reads the host's counter whatever the offset: it must be none, or trap. */
    s->cr4 = (st->cr4 & CR4_KEPT) | (st->tsc_offset ? CR4_TSD : st->cr4 & CR4_TSD);
    s->efer = st->efer & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    /* No event of the last visit waits, and a vector in there at the end is this one's. */
    v->run->s.regs.events = (struct kvm_vcpu_events){ 0 };
    v->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
    v->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
    kvm_xcrs_put(v); /* also what CPUID shows in ring 3 */
    kvm_xsave_put(v);
}

static uint8_t user_byte(KvmVcpu *v, uint64_t lin)
{
    uint64_t gpa;
    uint8_t b = 0;
    if (v->cpu->ops->translate(v->cpu, lin, &gpa)) {
        memory_read(&v->cpu->machine->mem, gpa, &b, 1);
    }
    return b;
}

/* What of an event's state is not that of the instruction's start: traps. A signal may have
 * come between the event and its delivery, which would have been the triple fault. */
static void rewind_event(KvmVcpu *v, unsigned vector)
{
    X86State *st = &v->x86->st;
    if (vector == 3) {
        bool int3 = user_byte(v, st->rip - 1) == 0xcc;
        bool int_3 = user_byte(v, st->rip - 2) == 0xcd && user_byte(v, st->rip - 1) == 3;
        st->rip -= int3 ? 1 : int_3 ? 2 : 0;
    } else if (vector == 1 && !(st->rflags & FL_TF) && user_byte(v, st->rip - 1) == 0xf1) {
        st->rip--; /* INT1 */
    } else if (vector == 1) { /* TF was set, in this visit; the instruction may have cleared it */
        st->event = (X86Event){ .valid = 1, .vector = 1, .dr6 = DR6_BS };
    }
}

static const char *event_name(unsigned vector)
{
    static const char *const names[32] = {
        [0] = "#DE", [1] = "#DB", [3] = "#BP", [4] = "#OF", [6] = "#UD", [7] = "#NM",
        [13] = "#GP", [14] = "#PF", [16] = "#MF", [17] = "#AC", [19] = "#XM",
    };
    return vector < 32 && names[vector] ? names[vector] : "other event";
}

static void store(KvmVcpu *v, const char **why)
{
    X86State *st = &v->x86->st;
    const struct kvm_sregs *s = &v->run->s.regs.sregs;
    kvm_regs_from(st, &v->run->s.regs.regs);
    st->seg[R_FS].base = s->fs.base;
    st->seg[R_GS].base = s->gs.base;
    kvm_xsave_get(v);
    if (st->rip == KVM_SYSCALL_TRAP) { /* whatever ended the visit: it is half done */
        st->rip = st->gpr[R_CX] - 2;
        st->rflags = st->gpr[11] | FL_ONE;
        *why = "SYSCALL";
    } else {
        unsigned vector = v->run->s.regs.events.exception.nr;
        rewind_event(v, vector);
        if (v->ret == 0 && v->run->exit_reason == KVM_EXIT_SHUTDOWN) {
            *why = event_name(vector);
            st->rflags &= ~(uint64_t)FL_RF; /* of the fault, which is to come once more */
        }
    }
    x86_update_hflags(v->x86);
}

/* ---- a visit ---- */

static void count(KvmVcpu *v, const char *why)
{
    KvmRescue *r = v->by_event;
    for (unsigned i = 0; i < KVM_EVENTS; i++, r++) {
        if (!r->count || !strcmp(r->name, why)) {
            snprintf(r->name, sizeof(r->name), "%s", why);
            r->count++;
            return;
        }
    }
}

/* Something for the translator's loop? */
static bool wanted(const KvmVcpu *v)
{
    return cpu_must_leave(v->cpu) || x86_engine_attention(v->x86);
}

static void enter(KvmVcpu *v)
{
    v->runs++;
    atomic_store(&v->cpu->in_guest, 1);
    v->ret = kvm_ioctl(v->fd, KVM_RUN, NULL);
    atomic_store(&v->cpu->in_guest, 0);
    v->pending = false;
    v->run->kvm_dirty_regs = 0;
    if (v->ret == 0) {
        v->exits[MIN(v->run->exit_reason, KVM_EXIT_REASONS - 1u)]++;
    }
}

/* Ring 3 until something happens that is not KVM's. */
static void visit(KvmVcpu *v)
{
    const char *why = "interrupt";
    int64_t start = nondet_host_ns();
    load(v);
    v->visiting = true;
    for (;;) {
        __atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        if (wanted(v)) { /* registers are loaded, I/O is completed, by an empty run */
            __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        }
        enter(v);
        if (v->ret == 0 && (v->run->exit_reason == KVM_EXIT_IO ||
                            v->run->exit_reason == KVM_EXIT_MMIO)) {
            kvm_handle_exit_io(v);
        } else if (v->ret == -EINTR || v->ret == -EAGAIN) {
            if (wanted(v)) {
                break;
            }
        } else {
            why = v->ret ? "KVM_RUN failed" : kvm_exit_name(v->run->exit_reason);
            break;
        }
    }
    v->visiting = false;
    store(v, &why);
    v->visits++;
    int64_t ns = nondet_host_ns() - start;
    v->visit_ns += ns;
    /* Short visits do not pay: stay away twice as long after each. */
    bool brief = ns < SHORT_NS && strcmp(why, "interrupt") != 0;
    v->skip = brief ? MIN(2 * v->skip + 1, MAX_SKIP) : v->skip / 4;
    v->wait = v->skip;
    count(v, why);
}

/* ---- the loop, and its clock ---- */

/* Has the vCPU been in ring 3 all the time since the last tick, but for an interrupt? */
static bool worth_it(KvmVcpu *v)
{
    uint64_t rings = x86_env(v->x86)->rings, since = rings - v->rings;
    v->rings = rings;
    if (since > 4 || !suits(v)) {
        return false;
    }
    if (v->wait) {
        v->wait--;
        return false;
    }
    return true;
}

static void soft_run(Cpu *cpu)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    for (;;) {
        tcg_ops->run(cpu);
        bool tick = cpu->request & CPU_REQ_YIELD;
        cpu_clear_request(cpu, CPU_REQ_YIELD);
        if (cpu_must_leave(cpu)) {
            return;
        }
        if (tick && worth_it(v) && !wanted(v) && prepare_memory(v)) {
            visit(v);
        }
    }
}

static void soft_kick(Cpu *cpu)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    tcg_ops->kick(cpu);
}

static bool soft_sample(Cpu *cpu, void *ucontext, struct CpuSample *s)
{
    return kvm_vcpu(cpu)->visiting ? kvm_sample_visit(cpu, ucontext, s)
                                   : tcg_ops->sample(cpu, ucontext, s);
}

static void *ticker(void *arg)
{
    KvmMachine *k = arg;
    struct timespec t = { 0, TICK_NS };
    while (!atomic_load(&k->ticker_quit)) {
        nanosleep(&t, NULL);
        for (unsigned i = 0; i < k->m->ncpus; i++) {
            Cpu *c = k->m->cpus[i];
            if (c && atomic_load(&k->vcpu[i].ready) && !atomic_load(&c->sleeping) &&
                atomic_load(&c->in_guest)) {
                cpu_request(c, CPU_REQ_YIELD);
            }
        }
    }
    return NULL;
}

/* ---- life ---- */

static bool soft_init_cpu(Cpu *cpu, Error *err)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    if (!tcg_ops->init_cpu(cpu, err) || !kvm_exec_ops.init_cpu(cpu, err)) {
        return false;
    }
    struct kvm_sregs *s = &v->user_sregs;
    int ret = kvm_ioctl(v->fd, KVM_GET_SREGS, s);
    s->idt.limit = s->gdt.limit = 0;
    s->idt.base = s->gdt.base = 0;
    s->tr = (struct kvm_segment){ .limit = 0, .type = 11, .present = 1 };
    s->ldt = (struct kvm_segment){ .unusable = 1 };
    if (ret < 0 || !kvm_set_msr(v, MSR_LSTAR, KVM_SYSCALL_TRAP) ||
        !kvm_set_msr(v, MSR_SYSENTER_CS, 0)) {
        return error_set(err, "kvm: ring0=soft: cannot prepare CPU %d", cpu->index);
    }
    atomic_store(&v->k->shadow_seq, ~0ull);
    atomic_store(&v->ready, true);
    return true;
}

static void soft_sync(Cpu *cpu)
{
    /* X86State is exact whenever the thread is parked */
}

/* The clock starts with the machine, not with the program. */
static void soft_starting(Machine *m)
{
    KvmMachine *k = kvm_of(m);
    if (tcg_ops->starting) {
        tcg_ops->starting(m);
    }
    atomic_store(&k->shadow_seq, ~0ull); /* a snapshot or a debugger may have stored */
    k->ticking = k->ticking || pthread_create(&k->ticker, NULL, ticker, k) == 0;
}

static void soft_info(Machine *m, const char *what, void *f)
{
    kvm_exec_ops.info(m, what, f);
}

/* What ring 3 may see: the translator's features that the host's own CPU has too. */
const uint32_t *kvm_soft_features(void)
{
    static uint32_t words[X86F_NWORDS];
    /* ring 3 executes none of these itself, or their instructions fault there */
    static const uint16_t ring0[] = {
        X86F_X2APIC, X86F_TSCDL, X86F_HYPERVISOR, X86F_PCID, X86F_SMEP, X86F_SMAP,
        X86F_INVPCID, X86F_SS, X86F_UMIP, X86F_VME, X86F_PGE, X86F_PSE36, X86F_MCE,
    };
    static const uint8_t native[] = { X86FW_1_EDX, X86FW_1_ECX, X86FW_7_0_EBX,
                                      X86FW_7_0_ECX, X86FW_7_1_EAX, X86FW_80000001_ECX };
    memcpy(words, x86_tcg_features(), sizeof(words));
    for (unsigned i = 0; i < ARRAY_SIZE(native); i++) {
        for (unsigned b = 0; b < 32; b++) {
            unsigned f = native[i] * 32u + b;
            bool keep = x86_host_has(f);
            for (unsigned n = 0; n < ARRAY_SIZE(ring0); n++) {
                keep |= ring0[n] == f;
            }
            words[f / 32] &= keep ? ~0u : ~(1u << b);
        }
    }
    /* They show the host's values: KVM without hardware cannot set IA32_TSC_AUX. */
    static const uint16_t never[] = { X86F_RDTSCP, X86F_RDPID, X86F_PKU };
    for (unsigned n = 0; n < ARRAY_SIZE(never); n++) {
        words[never[n] / 32] &= ~(1u << never[n] % 32);
    }
    kvm_cut_layout(words);
    return words;
}

void kvm_soft_enter(Machine *m)
{
    accel_tcg_class.enter(m);
    m->exec = &soft_exec_ops;
}

bool kvm_soft_init(KvmMachine *k, Error *err)
{
    Machine *m = k->m;
    k->tcg_opts = xalloc(accel_tcg_class.size);
    property_defaults(accel_tcg_class.props, k->tcg_opts);
    if (!accel_tcg_class.init_machine(m, k->tcg_opts, err)) {
        return false;
    }
    k->tcg_made = true;
    tcg_ops = m->exec;
    soft_exec_ops = *tcg_ops;
    soft_exec_ops.name = "kvm";
    soft_exec_ops.init_cpu = soft_init_cpu;
    soft_exec_ops.run = soft_run;
    soft_exec_ops.kick = soft_kick;
    soft_exec_ops.sync_from_engine = soft_exec_ops.sync_to_engine = soft_sync;
    soft_exec_ops.info = soft_info;
    soft_exec_ops.sample = soft_sample;
    soft_exec_ops.starting = soft_starting;
    soft_exec_ops.ready = kvm_exec_ops.ready;
    m->exec = &soft_exec_ops;
    x86_engine_is_host = true;
    return true;
}

void kvm_soft_stop_ticker(KvmMachine *k)
{
    if (k->ticking) {
        atomic_store(&k->ticker_quit, true);
        pthread_join(k->ticker, NULL);
        k->ticking = false;
    }
}

void kvm_soft_free(KvmMachine *k)
{
    kvm_soft_stop_ticker(k);
    if (k->tcg_made) {
        accel_tcg_class.destroy(k->m);
    }
    if (k->tcg_opts) {
        property_free(accel_tcg_class.props, k->tcg_opts);
        free(k->tcg_opts);
    }
    x86_engine_is_host = false;
}

void kvm_soft_info(const KvmMachine *k, FILE *f)
{
    for (unsigned i = 0; i < k->m->ncpus; i++) {
        const KvmVcpu *v = &k->vcpu[i];
        fprintf(f, "CPU %u: software's ring 0 entered %" PRIu64 " times, %" PRIu64
                   " visits of ring 3 to KVM, %" PRId64 " ms in all, shadow pages dropped "
                   "%" PRIu64 " times\n",
                i, x86_env(v->x86)->rings / 2, v->visits, v->visit_ns / 1000000, v->drops);
        for (unsigned n = 0; n < KVM_EVENTS && v->by_event[n].count; n++) {
            fprintf(f, "  ended by: %-15s %" PRIu64 "\n", v->by_event[n].name,
                    v->by_event[n].count);
        }
    }
}
