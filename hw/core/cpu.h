/* SPDX-License-Identifier: MIT */
/*
 * The engine-neutral vCPU: its thread, run control, requests from other threads, and the
 * two interfaces it is connected by: CpuOps (what a guest architecture provides) and
 * CpuExecOps (what an engine provides).
 *
 * Locking: the machine lock protects devices, timers and run state. vCPU threads run
 * guest code without it and take it for device access (memory_io_*, done by hw/core).
 * `request` and `exit_request` are atomics that any thread may set.
 */
#ifndef HW_CORE_CPU_H
#define HW_CORE_CPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include "hw/core/debug.h"
#include "util/compiler.h"
#include "util/error.h"

struct Machine;
struct StateDesc;
struct CpuSample;
typedef struct Cpu Cpu;

/* Cpu.request bits: what waits for this vCPU. Levels for HARD (lowered by its source),
 * edges for the others (cleared by the vCPU when it takes them). */
enum {
    CPU_REQ_HARD = 1 << 0,   /* the interrupt controller has a vector (or INTR is high) */
    CPU_REQ_NMI = 1 << 1,
    CPU_REQ_INIT = 1 << 2,
    CPU_REQ_SIPI = 1 << 3,   /* vector in Cpu.sipi_vector */
    CPU_REQ_RESET = 1 << 4,
    CPU_REQ_STOP = 1 << 5,   /* machine is pausing: park */
    CPU_REQ_WORK = 1 << 6,   /* run queued work (cpu_run_on) */
    CPU_REQ_EXCL = 1 << 7,   /* another vCPU wants to be alone: park briefly */
    CPU_REQ_FLUSH = 1 << 8,  /* flush this vCPU's TLB */
    CPU_REQ_SMI = 1 << 9,
    CPU_REQ_YIELD = 1 << 10, /* leave run() once: the engine looks at something */
    /* An NMI came while one had not reached an instruction boundary yet: of two that CPUs
     * send at once, one is taken and the other latched. Dropped where NMIs are blocked. */
    CPU_REQ_NMI2 = 1 << 11,
    CPU_REQ_TIMER = 1 << 12, /* this vCPU's own timer may be due (cpu_timer.c) */
    CPU_REQ_ALARM = 1 << 13, /* the time that the engine asked for is over (cpu_alarm_set) */
};

/* The interrupt controller a vCPU is wired to (hw/intc/lapic.c implements it). Called by
 * the vCPU's thread without the machine lock; the controller locks. */
typedef struct CpuIrqOps {
    int (*ack)(void *opaque);      /* take the highest pending vector, -1 if none */
    uint64_t (*get_tpr)(void *opaque);            /* CR8 */
    void (*set_tpr)(void *opaque, uint64_t cr8);
    uint64_t (*get_base)(void *opaque);           /* MSR IA32_APIC_BASE */
    bool (*set_base)(void *opaque, uint64_t v);   /* false: #GP */
    bool (*msr_read)(void *opaque, uint32_t msr, uint64_t *v);  /* x2APIC 800H-8FFH, and */
    bool (*msr_write)(void *opaque, uint32_t msr, uint64_t v);  /* TSC_DEADLINE 6E0H */
} CpuIrqOps;

/* What a guest architecture provides to machine and engines. */
typedef struct CpuOps {
    const char *name;
    void (*reset)(Cpu *cpu, bool init);
    bool (*has_work)(Cpu *cpu);          /* may a halted vCPU go on? */
    const struct StateDesc *state;       /* the saved form */
    void (*dump)(Cpu *cpu, void *file);  /* info registers: FILE * */
    uint64_t (*get_pc)(Cpu *cpu);        /* linear address of the next instruction */
    /* Linear to physical with no side effects; false if not mapped. */
    bool (*translate)(Cpu *cpu, uint64_t lin, uint64_t *gpa);
    void (*dump_tlb)(Cpu *cpu, void *file); /* info tlb / info mem: page-table dump */
    void (*dump_mem)(Cpu *cpu, void *file);
    /* For the monitor and debuggers; optional. A parked vCPU. */
    bool (*get_reg)(Cpu *cpu, const char *name, uint64_t *value); /* "rax", "cr3" */
    int (*code_bits)(Cpu *cpu);          /* of the current code segment: 16, 32, 64 */
    /* Optional, signal context on the vCPU's thread: host address of the page that holds
     * lin in the sample's address space; NULL: not mapped, or no RAM. */
    const uint8_t *(*sample_page)(Cpu *cpu, const struct CpuSample *s, uint64_t lin);
    /* gdb's registers, by the numbers of a description; wide: the 64-bit one. A parked
     * vCPU. read and write return the register's size, 0 if there is none. */
    bool (*gdb_wide)(Cpu *cpu);          /* which description fits this CPU */
    char *(*gdb_xml)(bool wide);         /* target.xml, malloc'ed */
    int (*gdb_read)(Cpu *cpu, bool wide, unsigned n, uint8_t *to);
    int (*gdb_write)(Cpu *cpu, bool wide, unsigned n, const uint8_t *from, unsigned len);
} CpuOps;

/* What an engine provides. Every entry is mandatory unless marked optional. */
typedef struct CpuExecOps {
    const char *name;
    void *(*alloc_cpu)(struct Machine *m, int index, size_t size); /* zeroed memory for
                                              * the vCPU struct; freed by the engine */
    bool (*init_cpu)(Cpu *cpu, Error *err);
    void (*run)(Cpu *cpu);            /* the vCPU thread's body between parks: returns
                                       * when cpu_must_leave() */
    void (*kick)(Cpu *cpu);           /* make run() notice requests soon; any thread */
    void (*sync_from_engine)(Cpu *cpu); /* architectural state := engine's; parked */
    void (*sync_to_engine)(Cpu *cpu);   /* engine's := architectural state; parked */
    void (*ram_written)(struct Machine *m, uint64_t ram_addr, uint64_t len);
                                      /* a device wrote RAM (translated code there?) */
    void (*mapping_changed)(struct Machine *m); /* flat view or dirty log changed: all
                                       * cached translations are void */
    void (*info)(struct Machine *m, const char *what, void *file); /* jit, accel */
    /* Optional; machine lock. Before vCPUs go on; after every one is parked and synced
     * (also when nothing ran). */
    void (*starting)(struct Machine *m);
    void (*stopped)(struct Machine *m);
    /* Optional: a triple fault of a vCPU struct that is not the machine's own. */
    void (*triple_fault)(Cpu *cpu);
    /* Optional, machine lock: a device has mapped this RAM and may write it at any time
     * (on), or has let go of it. */
    void (*dma_mapped)(struct Machine *m, uint64_t ram_addr, uint64_t len, bool on);
    /* Optional, signal context on the vCPU's thread: where the guest is. ucontext: the
     * signal's. */
    bool (*sample)(Cpu *cpu, void *ucontext, struct CpuSample *s);
    /* Optional, paused: the debugger's points changed (hw/core/debug.h). NULL: it has none. */
    void (*debug_changed)(struct Machine *m);
    /* Optional: may this point be added? NULL: any, any number. */
    bool (*debug_accepts)(struct Machine *m, const DebugPoint *p, Error *err);
    /* Optional; machine lock: memory_flush_writes. */
    void (*flush_writes)(struct Machine *m);
    /* Optional: the board is complete; false if the engine cannot run it. */
    bool (*ready)(struct Machine *m, Error *err);
    bool own_timers; /* SIGUSR1 on a vCPU's thread makes run() return: timers of vCPUs may
                      * fire on their threads */
} CpuExecOps;

struct Cpu {
    struct Machine *machine;
    const CpuOps *ops;
    const CpuExecOps *exec;
    int index;                  /* 0 is the boot processor */
    pthread_t thread;
    int thread_id;              /* the host's number of it, 0 before it ran */
    bool thread_started;

    _Atomic uint32_t request;      /* CPU_REQ_* */
    _Atomic uint32_t exit_request; /* nonzero: leave generated code at the next
                                    * boundary; set together with request */
    _Atomic uint32_t in_guest;     /* the engine is inside generated code / KVM_RUN */
    _Atomic uint32_t debug;        /* CPU_DEBUG_*: what the debugger wants */
    uint8_t sipi_vector;

    const CpuIrqOps *irq_ops;
    void *irq_opaque;
    /* Optional, the board's: the pin that tells of an unmasked x87 exception (FERR#).
     * The vCPU's thread, no lock. */
    void (*ferr)(Cpu *cpu, bool level);

    /* machine lock: */
    bool parked;                /* thread waits in cpu_park */
    bool halted;                /* thread waits for work (HLT) */
    pthread_cond_t cond;        /* signalled when request changes */
    struct CpuWork *work;       /* queue of cpu_run_on */
    void *engine;               /* engine's own */
    struct CpuProfile *profile; /* profile.c's, NULL: off */
    uint64_t halts, io_exits;   /* counters for info */
    bool debug_hold;            /* the debugger keeps it parked while others run */
    DebugStop debug_stop;       /* what it has met */
    struct Timer *timer;        /* bound to it (timer_bind), or NULL */

    /* hw/core's own: */
    _Atomic uint32_t wake_seq;  /* futex: counts requests */
    _Atomic uint32_t sleeping;  /* in cpu_wait_halted */
    timer_t host_timer, host_alarm; /* cpu_timer.c */
    bool has_host_timer, has_host_alarm;
    uint8_t excl_state;         /* CPU_OUTSIDE.. (excl_lock) */
    bool synced;                /* architectural state is current, engine's may be stale */
};

/* The vCPU whose thread this is, or NULL. */
Cpu *cpu_current(void);

/* The vCPU whose thread this is; NULL on any other thread. hw/core/cpu.c defines it and
 * its thread sets it before anything runs. The per-CPU local APIC page needs it. */
extern _Thread_local Cpu *cpu_self;

/* Sets request bits and makes the vCPU notice. Any thread, lock held or not. */
void cpu_request(Cpu *cpu, uint32_t bits);
void cpu_clear_request(Cpu *cpu, uint32_t bits);

/* Creates the thread (parked until the machine runs). */
bool cpu_start_thread(Cpu *cpu, Error *err);

/* Called by the engine in run(): true when run() must return (STOP, WORK, EXCL, RESET,
 * YIELD, TIMER). */
static inline bool cpu_must_leave(Cpu *cpu)
{
    return atomic_load_explicit(&cpu->request, memory_order_acquire) &
           (CPU_REQ_STOP | CPU_REQ_WORK | CPU_REQ_EXCL | CPU_REQ_RESET | CPU_REQ_YIELD |
            CPU_REQ_TIMER);
}

/* Arms the vCPU's host timer for a time of the host's monotonic clock, ns; false if it has
 * none that works for its engine now. Any thread, machine lock. */
bool cpu_timer_set(Cpu *cpu, int64_t host_ns);
/* CPU_REQ_ALARM comes after so many ns of real time, once; 0: it does not come any more, but
 * may be on its way. False: the vCPU's engine has no use for signals, or the host has no timer.
 * The vCPU's thread, or any while it is parked. */
bool cpu_alarm_set(Cpu *cpu, unsigned ns);
/* The signal of a timer with this si_value came. The vCPU's thread, signal context. */
void cpu_timer_signal(Cpu *cpu, const void *value);

/* Called by the engine for a halted vCPU: waits until has_work or cpu_must_leave. */
void cpu_wait_halted(Cpu *cpu);

/* Runs fn(cpu, arg) on the vCPU's thread between instructions, and waits for it. Machine
 * lock held by the caller, dropped while waiting. Not from another vCPU's thread. */
void cpu_run_on(Cpu *cpu, void (*fn)(Cpu *cpu, void *arg), void *arg);

/* Exclusive section: returns when every other vCPU is outside guest code and generated
 * code; they stay there until cpu_exclusive_end. Callable from a vCPU thread (not while
 * it is inside generated code it would free) or from any other thread. Not nested. The
 * machine lock may be held or not: if held, vCPUs that wait for it inside a memory access
 * count as outside guest code (they may be within a block: do not free code then). If not
 * held, do not take it before cpu_exclusive_end. */
void cpu_exclusive_begin(struct Machine *m, Cpu *self);
void cpu_exclusive_end(struct Machine *m, Cpu *self);

/* The guest shut itself down by a triple fault: asks the machine for a reset (or exit
 * under -no-reboot), parks this vCPU meanwhile. */
void cpu_triple_fault(Cpu *cpu);

#endif
