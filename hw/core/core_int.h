/* SPDX-License-Identifier: MIT */
/* What the files of hw/core share among themselves only. */
#ifndef HW_CORE_CORE_INT_H
#define HW_CORE_CORE_INT_H

#include "hw/core/machine.h"

/* Cpu.excl_state */
enum {
    CPU_OUTSIDE,    /* parked, halted, or between runs: cannot enter while a section is
                     * wanted */
    CPU_INSIDE,     /* in CpuExecOps.run */
    CPU_LOCK_WAIT,  /* in run, waiting for the machine lock in a memory access */
};

bool memory_arena_init(Machine *m, uint64_t max, Error *err);
void memory_arena_destroy(Machine *m);
void address_space_destroy(AddressSpace *as);

/* machine_lock's slow path, on a vCPU's thread. */
void cpu_lock_wait_begin(Cpu *cpu);
void cpu_lock_wait_end(Cpu *cpu);

/* cpu_timer.c; the vCPU's thread. run: machine lock held; fires the vCPU's timer if it is
 * due, or arms its host timer again. */
void cpu_timer_begin(Cpu *cpu);
void cpu_timer_end(Cpu *cpu);
void cpu_timer_run(Cpu *cpu);
/* clock.c; machine lock. Fires the timer of a vCPU on the vCPU's thread if it is due. */
void timer_run_own(Timer *t);

/* Tells the engine and KVM-like listeners that translations are void, with all vCPUs
 * outside. fn runs inside the section. */
void memory_exclusive(Machine *m, void (*fn)(Machine *m, void *arg), void *arg);

#endif
