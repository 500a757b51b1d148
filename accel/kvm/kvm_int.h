/* SPDX-License-Identifier: MIT */
/* What the files of accel/kvm share. */
#ifndef ACCEL_KVM_KVM_INT_H
#define ACCEL_KVM_KVM_INT_H

#include <linux/kvm.h>
#include "hw/core/machine.h"
#include "target-x86/cpu.h"
#include "target-x86/softstep.h"

enum { IRQCHIP_ON, IRQCHIP_SPLIT, IRQCHIP_OFF, IRQCHIP_AUTO };
enum { RING0_AUTO, RING0_KVM, RING0_SOFT };
enum { KVM_EXIT_REASONS = 48, KVM_MAX_SLOTS = 512, KVM_MAX_MSRS = 96, KVM_MNEMONICS = 64,
       KVM_EVENTS = 16, KVM_MAX_MSIS = 128 };

typedef struct KvmOptions {
    int irqchip; /* IRQCHIP_* */
    int ring0;   /* RING0_* */
} KvmOptions;

typedef struct KvmSlot {
    bool used;
    uint32_t flags;     /* KVM_MEM_* */
    uint64_t gpa, size, ram_addr;
    MemoryRegion *mr;
} KvmSlot;

typedef struct KvmRescue {
    char name[16];      /* mnemonic */
    uint64_t count;
} KvmRescue;

/* One vCPU. Its own thread, or anyone while it is parked. */
typedef struct KvmVcpu {
    Cpu *cpu;
    X86Cpu *x86;
    struct KvmMachine *k;
    int fd;
    struct kvm_run *run;
    bool loaded;        /* KVM has the state, X86State is stale */
    bool pending;       /* the last exit's I/O is completed by the next KVM_RUN */
    bool stuck;         /* after an internal error: does not run until it is reset */
    uint64_t xcr0;      /* as KVM has it */
    uint64_t cr8, apic_base; /* LAPIC in the kernel: its copies at the last sync */
    const CpuIrqOps *soft_irq_ops; /* the model's, while the kernel's LAPIC is in use */
    void *soft_irq_opaque;
    uint32_t timer_count; /* the kernel's LAPIC timer when the vCPU was left, 0: ended */
    uint32_t timer_init;  /* one-shot, ended before: its initial count, which KVM was not told */
    uint64_t msr[KVM_MAX_MSRS]; /* as KVM has them, by KvmMachine.msrs */
    int64_t tsc_offset; /* as KVM has it */
    bool msrs_known;
    uint64_t exits[KVM_EXIT_REASONS], runs, kicks, injected;
    bool soft_ready;    /* the software engine's soft TLB was made here */
    bool debug_changed, debug_step; /* debug.c: what KVM_SET_GUEST_DEBUG was told */
    uint64_t rescues;
    KvmRescue by_mnemonic[KVM_MNEMONICS];
    /* syscall.c */
    const uint8_t *pf_gate;     /* the guest's gate for page faults, in our memory */
    uint64_t idt_base, pf_handler; /* where it was looked for; a breakpoint lies there */
    bool rewound;               /* the state read last was a SYSCALL half done */
    uint64_t faults_passed;     /* page faults that were none of ours */
    /* ring0=soft (hybrid.c) */
    _Atomic bool ready;
    struct kvm_sregs user_sregs; /* what of them is the same in each visit */
    int ret;            /* of the last KVM_RUN */
    uint64_t rings;     /* TcgEnv's at the last tick */
    unsigned skip, wait; /* ticks to let pass after a short visit; left of them */
    uint64_t visits, drops;
    bool visiting; /* ring 3 is in KVM now: general registers are there */
    int64_t visit_ns;
    KvmRescue by_event[KVM_EVENTS];
} KvmVcpu;

/* An MSR that both KVM and the table know. */
typedef struct KvmMsr {
    uint32_t number;
    uint16_t offset; /* in X86State */
} KvmMsr;

typedef struct KvmBell KvmBell; /* events.c */

/* An interrupt message with a route and an eventfd of its own. */
typedef struct KvmMsi {
    uint64_t addr;
    uint32_t data;
    int fd;
    bool assigned;
} KvmMsi;

typedef struct KvmMachine {
    Machine *m;
    KvmOptions *opts;
    int fd, vm;
    size_t run_size;
    int irqchip;        /* IRQCHIP_* in force */
    bool have_xcrs, have_debugregs, have_tsc_offset, have_msr_exits;
    bool guard;         /* SYSCALL is completed here (syscall.c) */
    bool guardable;     /* no VT-x or SVM: SYSCALL may be wrong in ring 3 (syscall.c) */
    bool filtered;      /* LSTAR is kept from the guest */
    bool native_cpuid;  /* the guest's CPUID is the host's, whatever it was to be shown */
    uint32_t ring0_cpuid[2][4]; /* leaves 1 and 7 as its ring 0 sees them; 0: not known */
    unsigned max_vcpus;
    KvmVcpu vcpu[MACHINE_MAX_CPUS];
    void *area[MACHINE_MAX_CPUS]; /* of vCPU structs made here */
    KvmMsr msrs[KVM_MAX_MSRS];
    unsigned nmsrs;
    /* memory */
    MemoryListener mem, io;
    KvmSlot slots[KVM_MAX_SLOTS];
    char mem_error[160]; /* first slot that KVM refused */
    bool ready;          /* the board is complete */
    bool ran;            /* KVM may have shadows of page tables */
    uint64_t slot_changes, eventfds;
    /* interrupts */
    uint64_t rte[CHIP_GSIS];     /* split: as the routing table has them */
    bool intr;                   /* split: the 8259s' INT */
    PitRegs pit_before;          /* the model's when the kernel was given the PIT, at pit_at */
    struct kvm_pit_channel_state pit_given[3]; /* what the kernel had then */
    int64_t pit_at;              /* host ns */
    uint64_t irqs, msis;
    /* events.c */
    KvmBell *bells;
    unsigned ring_page;          /* of the coalesced ring in a vCPU's run area; 0: none */
    KvmMsi msi[KVM_MAX_MSIS];
    unsigned nmsi, next_msi;
    uint64_t rings, coalesced, irqfds;
    _Atomic uint8_t *page_flags; /* rescue: a byte per RAM page */
    /* ring0=soft (hybrid.c) */
    bool soft, tcg_made, ticking;
    _Atomic uint64_t shadow_seq; /* flushes of all vCPUs when KVM dropped its shadow pages */
    void *tcg_opts;
    pthread_t ticker;
    _Atomic bool ticker_quit;
} KvmMachine;

/* The machine's KVM side, whichever engine is current; NULL if it was never made. */
KvmMachine *kvm_of(Machine *m);
KvmVcpu *kvm_vcpu(Cpu *cpu);
int kvm_ioctl(int fd, unsigned long req, void *arg); /* -errno or the result */

/* kvm.c */
extern const CpuExecOps kvm_exec_ops;

/* For accel/twin: a VM with no memory and no interrupt chips, whose Machine is the twin's
 * shadow; a vCPU of it. NULL or false with err. */
KvmMachine *kvm_side_create(Machine *shadow, Error *err);
bool kvm_side_cpu(KvmMachine *k, Cpu *cpu, Error *err);
void kvm_side_destroy(KvmMachine *k);
bool kvm_cpu_has_virt(void); /* the host CPU shows VT-x or SVM */

/* cpuid.c */
bool kvm_cpuid_init(KvmMachine *k, Error *err);
const uint32_t *kvm_features(void);           /* words of features.h */
struct kvm_cpuid2 *kvm_supported_cpuid(void); /* KVM_GET_SUPPORTED_CPUID's answer */
void kvm_cut_layout(uint32_t *words); /* takes out what lies elsewhere in XSAVE areas */
/* The guest has seen the host's CPUID (native_cpuid): the translator gets all of it that it
 * has, for the guest may have chosen it; of what is ring 0's, what ring 0 was shown. */
void kvm_widen_features(const KvmMachine *k, X86Cpu *cpu);
bool kvm_set_cpuid(KvmVcpu *v, Error *err);
unsigned kvm_host_xsave_offset(unsigned component); /* of KVM's XSAVE area; 0 = none */

/* mem.c */
void kvm_mem_init(KvmMachine *k);
void kvm_mem_finish(KvmMachine *k);
/* Slots' dirty logging as the regions want it now. */
void kvm_mem_update_logging(KvmMachine *k);

/* Software stored to page tables: what KVM made of them is forgotten. Any thread. */
void kvm_drop_shadow(KvmMachine *k);

/* regs.c; the vCPU's thread or parked */
void kvm_regs_init_msrs(KvmMachine *k, int vcpu_fd);
void kvm_get_state(KvmVcpu *v);
void kvm_put_state(KvmVcpu *v);
bool kvm_get_msr(KvmVcpu *v, uint32_t msr, uint64_t *val);
bool kvm_set_msr(KvmVcpu *v, uint32_t msr, uint64_t val);
/* Pieces of the two above. */
void kvm_regs_from(X86State *st, const struct kvm_regs *r);
void kvm_regs_to(const X86State *st, struct kvm_regs *r);
void kvm_seg_to(struct kvm_sregs *s, unsigned n, const X86Seg *seg);
void kvm_xsave_get(KvmVcpu *v);
void kvm_xsave_put(KvmVcpu *v);
void kvm_xcrs_put(KvmVcpu *v); /* if it differs from what KVM has */

/* irqchip.c */
bool kvm_irqchip_init(KvmMachine *k, Error *err);
void kvm_irqchip_start(KvmMachine *k); /* machine lock, vCPUs parked */
void kvm_irqchip_stop(KvmMachine *k);
/* The vCPU's thread leaves KVM for a while: what its timer asks for is taken. */
void kvm_irqchip_left(KvmVcpu *v);
extern const CpuIrqOps kvm_irq_ops;

struct kvm_irq_routing_entry kvm_rte_route(unsigned gsi, uint64_t rte);

/* events.c; machine lock */
void kvm_bells_add(KvmMachine *k, const FlatRange *r, bool pio);
void kvm_bells_del(KvmMachine *k, const FlatRange *r, bool pio);
void kvm_coalesced_set(KvmMachine *k, const FlatRange *r, bool on);
bool kvm_coalesced_waits(const KvmMachine *k); /* any thread */
void kvm_coalesced_flush(Machine *m);
bool kvm_routes_update(KvmMachine *k);
bool kvm_msi_send(KvmMachine *k, uint64_t addr, uint32_t data);
void kvm_events_settle(KvmMachine *k);         /* vCPUs parked: nothing is on its way after */
void kvm_events_finish(KvmMachine *k);

/* vcpu.c */
void kvm_run(Cpu *cpu);
void kvm_kick(Cpu *cpu);
bool kvm_vcpu_signals(Error *err);
/* Stops the machine in RUN_INTERNAL_ERROR with a report. The vCPU's thread. */
void kvm_internal_error(KvmVcpu *v, const char *what);

/* sample.c: CpuExecOps.sample */
bool kvm_sample(Cpu *cpu, void *ucontext, struct CpuSample *s);
bool kvm_sample_visit(Cpu *cpu, void *ucontext, struct CpuSample *s);

/* exits.c: acts on run->exit_reason. False: this vCPU cannot go on. */
bool kvm_handle_exit(KvmVcpu *v);
void kvm_handle_exit_io(KvmVcpu *v); /* port I/O or MMIO */
const char *kvm_exit_name(unsigned reason);

/* debug.c */
bool kvm_debug_accepts(Machine *m, const DebugPoint *p, Error *err);
void kvm_debug_changed(Machine *m);
void kvm_debug_enter(KvmVcpu *v);
bool kvm_debug_exit(KvmVcpu *v); /* false: the vCPU cannot go on */

/* syscall.c. Where SYSCALL goes in KVM when it must not arrive: canonical, mapped nowhere. */
#define KVM_SYSCALL_TRAP 0xffffd5c0de5ca000ull
/* Before the vCPUs, on hosts without VT-x and SVM. begin: a filter is put before LSTAR; first
 * of all, for the kernel waits 5 ms and more behind other changes of the VM. decide: tried in
 * a VM (1 to 2 ms), is SYSCALL to be completed here (k->guard; else the filter goes), is CPUID
 * native? */
void kvm_syscall_begin(KvmMachine *k);
void kvm_syscall_decide(KvmMachine *k);
bool kvm_syscall_init_cpu(KvmVcpu *v);
void kvm_syscall_moved(KvmVcpu *v);            /* KVM was given another state */
void kvm_syscall_follow(KvmVcpu *v);           /* before each KVM_RUN */
/* The exit was the breakpoint's on page faults: completed, or passed on to the guest;
 * *went_on: false if the vCPU cannot go on. False: some other breakpoint. */
bool kvm_syscall_exit(KvmVcpu *v, bool *went_on);
/* The same for a triple fault: the guest has no handler of page faults. */
bool kvm_syscall_shutdown(KvmVcpu *v, bool *went_on);
/* The state as read is that of a SYSCALL half done: back to its start. */
bool kvm_syscall_rewind(KvmVcpu *v);

/* rescue.c */
extern const X86SoftStep *kvm_soft_step;
/* The same for a state that was read already; counted as a rescue or not. */
bool kvm_soft_here(KvmVcpu *v, bool counted, char *why, size_t n);
/* One instruction by the software engine; false with the reason in why. */
bool kvm_rescue(KvmVcpu *v, char *why, size_t n);
/* "lock cmpxchg16b" etc. at RIP, its bytes in hex; the vCPU's state is synced. */
void kvm_describe_insn(KvmVcpu *v, char *name, size_t nn, char *bytes, size_t nb);
void kvm_rescue_free(KvmMachine *k);

#endif
