/* SPDX-License-Identifier: MIT */
/*
 * Local APICs, I/O APICs and the bus between them (SDM vol. 3, chapter 11; 82093AA).
 * The board embeds an ApicBus, then creates one LAPIC per vCPU and the I/O APIC.
 *
 * Locking: LAPIC registers are covered by ApicBus.lock, a leaf lock below the machine
 * lock, so that a vCPU acknowledges, ends and sends interrupts without the machine lock.
 * I/O APIC registers and all timers are covered by the machine lock. Order: machine lock,
 * then bus lock.
 */
#ifndef HW_INTC_APIC_H
#define HW_INTC_APIC_H

#include <pthread.h>
#include "hw/core/device.h"

struct Cpu;
struct Lapic;
struct Machine;

enum { APIC_MAX_CPUS = 64, APIC_MAX_IOAPICS = 4 };
#define APIC_DEFAULT_BASE 0xfee00000ull
#define IOAPIC_DEFAULT_BASE 0xfec00000ull

enum { /* delivery modes (11.5.1, 11.6.1) */
       APIC_DM_FIXED = 0,
       APIC_DM_LOWEST = 1,
       APIC_DM_SMI = 2,
       APIC_DM_NMI = 4,
       APIC_DM_INIT = 5,
       APIC_DM_SIPI = 6,
       APIC_DM_EXTINT = 7,
};

typedef struct ApicBus {
    struct Machine *machine;
    pthread_mutex_t lock;
    struct Lapic *cpu[APIC_MAX_CPUS]; /* by order of creation; NULL = none */
    unsigned ncpus;
    Device *ioapic[APIC_MAX_IOAPICS];
    unsigned nioapics;
    int (*pic_ack)(void *opaque); /* the 8259's INTA cycle; machine lock */
    void *pic_opaque;
    MemoryRegion mmio;    /* 0xfee00000: registers, and MSI writes */
    MemoryRegion moved;   /* where a CPU has moved its registers, if one has */
    bool has_moved;       /* it is mapped; machine lock */
    bool pic_level;       /* LINT0 of all CPUs, bus lock */
    unsigned next_lowest; /* where lowest-priority arbitration starts */
} ApicBus;

typedef struct ApicMessage {
    uint32_t dest;
    uint8_t vector, mode; /* APIC_DM_* */
    bool logical, level;  /* level: trigger mode is level */
    bool wide;            /* dest has 32 bits (sent by an x2APIC) */
} ApicMessage;

/* Maps the window of local APICs and of message-signalled interrupts. */
void apic_bus_init(ApicBus *bus, struct Machine *m);
/* After every LAPIC is gone. */
void apic_bus_destroy(ApicBus *bus);

/* Delivers; true if some local APIC took it. Bus lock not held. */
bool apic_bus_deliver(ApicBus *bus, const ApicMessage *msg);

/* A message-signalled interrupt (11.11): what a device writes to 0xfeexxxxx. Other
 * addresses are dropped. */
void msi_send(ApicBus *bus, uint64_t addr, uint32_t data);
/* The same with the opaque first: for PciHostConfig.msi and hpet_create. */
void msi_send_opaque(void *bus, uint64_t addr, uint32_t data);

/* The 8259's INT output belongs here: LINT0 of every LAPIC, and the INTR pin of the boot
 * CPU while its LAPIC is disabled. `ack` is i8259_ack. */
IrqLine apic_bus_pic_input(ApicBus *bus);
void apic_bus_set_pic(ApicBus *bus, int (*ack)(void *opaque), void *opaque);
/* The NMI button: LINT1 of every LAPIC. */
void apic_bus_nmi(ApicBus *bus);

typedef struct LapicConfig {
    struct Cpu *cpu;           /* gets irq_ops and irq_opaque */
    uint32_t apic_id;          /* initial APIC ID, as CPUID shows */
    const int64_t *tsc_offset; /* guest TSC = host TSC + *tsc_offset; NULL = 0 */
    bool x2apic, tsc_deadline; /* as CPUID.01H:ECX[21], [24] */
    unsigned phys_bits;        /* MAXPHYADDR; 0 = 40 */
} LapicConfig;
/* NULL with err set on failure. CPU with index 0 is the boot processor. */
Device *lapic_create(ApicBus *bus, const LapicConfig *cfg, Error *err);
/* What firmware leaves behind (MultiProcessor Specification 3.6.2.2, virtual wire mode
 * through the local APIC): software-enabled, LINT0 = ExtINT (boot CPU), LINT1 = NMI. For
 * boards that start a kernel without firmware; call after reset. */
void lapic_set_virtual_wire(Device *lapic);
/* The guest's TSC was changed (tsc_offset written): the deadline timer is armed anew. */
void lapic_tsc_changed(Device *lapic);
/* "info lapic"-like text. */
void lapic_dump(Device *lapic, void *file);

/* I/O APIC with 24 inputs: device_irq_in(dev, 0..23). */
Device *ioapic_create(ApicBus *bus, uint8_t id, uint64_t base, Error *err);
/* End of interrupt broadcast. Machine lock held, bus lock not. */
void ioapic_eoi(Device *ioapic, uint8_t vector);

extern const DeviceClass lapic_class, ioapic_class;

#endif
