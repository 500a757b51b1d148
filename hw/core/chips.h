/* SPDX-License-Identifier: MIT */
/*
 * Interrupt chips that an engine may run in place of the board's own models: KVM has a
 * PIC pair, an I/O APIC, local APICs and a PIT in the kernel. The models register here by
 * their registers in a neutral form; the engine takes them over when the machine starts
 * running and gives them back when it pauses. So a paused machine has its whole state in
 * the models, whatever engine runs it. Machine lock held throughout.
 */
#ifndef HW_CORE_CHIPS_H
#define HW_CORE_CHIPS_H

#include <stdatomic.h>
#include "util/compiler.h"

struct Machine;

enum { CHIP_PIC = 1, CHIP_IOAPIC = 2, CHIP_PIT = 4, CHIP_LAPIC = 8 };
enum { CHIPS_MAX_LAPICS = 64, CHIP_GSIS = 24 };

/* One 8259. */
typedef struct PicRegs {
    uint8_t irr, lines, imr, isr, elcr;
    uint8_t base;      /* vector of input 0 */
    uint8_t lowest;    /* input with the lowest priority */
    uint8_t icw_next;  /* 0 = ready, else the ICW (2..4) expected */
    bool need_icw4, auto_eoi, fully_nested, read_isr, poll, special_mask, rotate_aeoi;
} PicRegs;
typedef struct PicPairRegs {
    PicRegs chip[2];
} PicPairRegs;

typedef struct IoapicRegs {
    uint64_t redir[CHIP_GSIS]; /* 82093AA, 3.2.4, remote IRR included */
    uint32_t lines;            /* input levels */
    uint8_t id, select;
} IoapicRegs;

/* Registers by offset / 16 (SDM vol. 3, table 11-1); `count` of the timer is current.
 * In x2APIC mode the ICR's upper half is reg[31H] and the ID is in bits 31..24. */
typedef struct LapicRegs {
    uint64_t base, deadline; /* IA32_APIC_BASE, IA32_TSC_DEADLINE */
    uint32_t reg[64];
} LapicRegs;

typedef struct PitCounterRegs {
    uint32_t count;        /* loaded, 0 = none yet */
    uint32_t next_count;   /* takes over at the end of the period; 0 = none */
    int64_t age;           /* ns since it was loaded or triggered */
    uint16_t latch;
    uint8_t latched;       /* bytes of it still to read */
    uint8_t status, mode, rw, lsb;
    bool latch_msb, bcd, gate, status_latched, read_msb, write_msb;
    bool untouched;        /* no control word since the reset */
} PitCounterRegs;
typedef struct PitRegs {
    PitCounterRegs c[3];
    bool speaker, inhibited;
    bool due;              /* counter 0 has ended a period and not interrupted yet */
} PitRegs;

/* A model. `regs` is the struct of its kind. */
typedef struct SoftChip {
    void *chip; /* NULL: there is none */
    /* Reads the registers. */
    void (*get)(void *chip, void *regs);
    /* The engine has it now: no timer runs, no output is driven. */
    void (*sleep)(void *chip);
    /* Ours again, with these registers. */
    void (*set)(void *chip, const void *regs);
} SoftChip;

/* What the engine does for the chips it runs. */
typedef struct EngineChipOps {
    void (*set_gsi)(struct Machine *m, unsigned gsi, bool level); /* CHIP_IOAPIC, CHIP_PIC */
    void (*send_msi)(struct Machine *m, uint64_t addr, uint32_t data);   /* CHIP_LAPIC */
    void (*nmi)(struct Machine *m);                                      /* CHIP_LAPIC */
    /* LAPIC is the engine's but the 8259s are ours: their INT output. */
    void (*set_intr)(struct Machine *m, bool level);
    /* LAPIC is the engine's but the I/O APIC is ours: an entry was written. */
    void (*redirection)(struct Machine *m, unsigned n, uint64_t rte);
    void (*inhibit_pit)(struct Machine *m, bool on);                     /* CHIP_PIT */
} EngineChipOps;

typedef struct EngineChips {
    _Atomic unsigned active;   /* CHIP_* that the engine runs now; 0 while paused */
    const EngineChipOps *ops;
    SoftChip pic, ioapic, pit, lapic[CHIPS_MAX_LAPICS]; /* lapic: by vCPU index */
    /* For an engine that leaves some chips to us: */
    int (*pic_ack)(void *opaque);
    void *pic_ack_opaque;
    void (*ioapic_eoi)(void *ioapic, uint8_t vector);
} EngineChips;

static inline bool chips_active(const EngineChips *c, unsigned kinds)
{
    return atomic_load_explicit(&c->active, memory_order_relaxed) & kinds;
}

#endif
