/* SPDX-License-Identifier: MIT */
/*
 * The local APIC's inside, shared by lapic.c (registers, acceptance), lapic_timer.c,
 * lapic_msr.c (APIC_BASE, x2APIC) and msi.c (the bus). Bus lock held for every function
 * unless noted. Not for boards: they use apic.h.
 */
#ifndef HW_INTC_LAPIC_H
#define HW_INTC_LAPIC_H

#include "hw/core/cpu.h"
#include "hw/core/machine.h"
#include "hw/intc/apic.h"

enum { /* register numbers: offset / 16, MSR - 800H (table 11-1, table 11-6) */
       LAPIC_ID = 0x02,
       LAPIC_VERSION = 0x03,
       LAPIC_TPR = 0x08,
       LAPIC_APR = 0x09,
       LAPIC_PPR = 0x0a,
       LAPIC_EOI = 0x0b,
       LAPIC_RRD = 0x0c,
       LAPIC_LDR = 0x0d,
       LAPIC_DFR = 0x0e,
       LAPIC_SVR = 0x0f,
       LAPIC_ISR = 0x10,
       LAPIC_TMR = 0x18,
       LAPIC_IRR = 0x20,
       LAPIC_ESR = 0x28,
       LAPIC_ICR = 0x30,
       LAPIC_ICR2 = 0x31,
       LAPIC_LVT = 0x32,
       LAPIC_INIT_COUNT = 0x38,
       LAPIC_COUNT = 0x39,
       LAPIC_DIVIDE = 0x3e,
       LAPIC_SELF_IPI = 0x3f,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LAPIC_LVTS };
#define LVT_MASKED 0x10000u
#define LVT_LEVEL 0x8000u /* trigger mode: level */
#define LVT_REMOTE_IRR 0x4000u
#define LVT_ACTIVE_LOW 0x2000u
#define LVT_MODE(v) ((v) >> 8 & 7)
#define SVR_ENABLE 0x100u
#define SVR_NO_BROADCAST 0x1000u
#define ESR_SEND_VECTOR 0x20u
#define ESR_RECEIVE_VECTOR 0x40u
#define ESR_REGISTER 0x80u
#define APIC_BASE_BSP 0x100u
#define APIC_BASE_EXTD 0x400u
#define APIC_BASE_EN 0x800u

typedef struct LapicState {
    uint64_t base;       /* IA32_APIC_BASE */
    uint64_t deadline;   /* IA32_TSC_DEADLINE; 0 = not armed */
    int64_t timer_start; /* clock ns at which init_count was loaded */
    uint32_t xapic_id;   /* 8 bits; x2APIC mode shows the fixed ID */
    uint32_t tpr, ldr, dfr, svr;
    uint32_t esr, esr_new;  /* shown; gathered since the last write */
    uint32_t icr, icr_dest; /* low half; destination as the mode writes it */
    uint32_t isr[8], irr[8], tmr[8];
    uint32_t lvt[LAPIC_LVTS];
    uint32_t init_count, divide;
    bool lint[2]; /* input levels */
    bool extint;  /* an ExtINT message came and was not acknowledged */
} LapicState;

typedef struct Lapic {
    Device dev;
    LapicState s;
    ApicBus *bus;
    Cpu *cpu;
    const int64_t *tsc_offset;
    uint64_t base_reserved; /* APIC_BASE bits that must be 0 */
    uint32_t apic_id;
    bool has_x2apic, has_deadline;
    Timer timer; /* machine lock */
} Lapic;

static inline bool lapic_enabled(const Lapic *l)
{
    return l->s.base & APIC_BASE_EN;
}
static inline bool lapic_is_x2(const Lapic *l)
{
    return lapic_enabled(l) && (l->s.base & APIC_BASE_EXTD);
}
static inline bool lapic_soft_enabled(const Lapic *l)
{
    return lapic_enabled(l) && (l->s.svr & SVR_ENABLE);
}
uint8_t lapic_ppr(const Lapic *l);
/* Makes CPU_REQ_HARD agree with the registers. */
void lapic_update(Lapic *l);
/* Takes a vector into IRR. */
void lapic_accept(Lapic *l, uint8_t vector, bool level);
/* Takes a message of any mode; false if this APIC ignores it. */
bool lapic_deliver(Lapic *l, const ApicMessage *msg);
bool lapic_matches(const Lapic *l, const ApicMessage *msg);
void lapic_set_lint(Lapic *l, unsigned n, bool level);
void lapic_error(Lapic *l, uint32_t esr_bits);
/* Power-on or INIT values (11.4.7). */
void lapic_reset_regs(Lapic *l, bool init);

/* msi.c. Shorthand as in the ICR: 0 by dest, 1 self, 2 all, 3 all but self (NULL: 0). */
bool apic_bus_send_locked(ApicBus *bus, const ApicMessage *msg, unsigned shorthand,
                          Lapic *self);

/* Registers, for MMIO and x2APIC; entered WITHOUT the bus lock, the machine lock held or
 * not. reg is a LAPIC_* number. */
uint32_t lapic_reg_read(Lapic *l, unsigned reg);
void lapic_reg_write(Lapic *l, unsigned reg, uint32_t v);
void lapic_write_eoi(Lapic *l);
void lapic_send_ipi(Lapic *l, uint32_t icr, uint32_t dest);

/* lapic_timer.c; machine lock and bus lock held */
void lapic_timer_fire(void *opaque); /* no bus lock */
void lapic_timer_arm(Lapic *l);
void lapic_timer_start(Lapic *l, uint32_t init_count);
void lapic_timer_set_lvt(Lapic *l, uint32_t lvt);
uint32_t lapic_timer_count(const Lapic *l); /* bus lock is enough */
/* Registers are loaded; the count now is this: the timer is armed for the rest. */
void lapic_timer_set_count(Lapic *l, uint32_t count);
/* The divide configuration register: what is left of the count goes on at the new rate. */
void lapic_timer_set_divide(Lapic *l, uint32_t divide);
void lapic_deadline_write(Lapic *l, uint64_t tsc);

/* lapic_msr.c; no bus lock */
/* Maps the registers of a CPU that has moved them (msi.c). Machine lock held. */
void apic_bus_place(ApicBus *bus);

uint64_t lapic_get_base(void *opaque);
bool lapic_set_base(void *opaque, uint64_t v);
bool lapic_msr_read(void *opaque, uint32_t msr, uint64_t *v);
bool lapic_msr_write(void *opaque, uint32_t msr, uint64_t v);

/* Takes the machine lock if this thread has not got it; the result goes to unlock. */
static inline bool lapic_machine_lock(Lapic *l)
{
    if (machine_locked(l->bus->machine)) {
        return false;
    }
    machine_lock(l->bus->machine);
    return true;
}
static inline void lapic_machine_unlock(Lapic *l, bool taken)
{
    if (taken) {
        machine_unlock(l->bus->machine);
    }
}
static inline void lapic_lock(Lapic *l)
{
    pthread_mutex_lock(&l->bus->lock);
}
static inline void lapic_unlock(Lapic *l)
{
    pthread_mutex_unlock(&l->bus->lock);
}

#endif
