/* SPDX-License-Identifier: MIT */
/*
 * A board for tests of devices without CPUs: 4 MiB of RAM, an APIC bus with fake vCPUs,
 * probes for lines, a host clock that only board_advance moves. The machine lock is held
 * from create to destroy.
 */
#ifndef TESTS_UNIT_DEV_BOARD_H
#define TESTS_UNIT_DEV_BOARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hw/core/chardev.h"
#include "hw/core/cpu.h"
#include "hw/core/isa.h"
#include "hw/core/machine.h"
#include "hw/intc/apic.h"

enum { BOARD_RAM = 4 << 20, BOARD_CPUS = 4, BOARD_PROBES = 32 };
#define BOARD_TSC_HZ 2000000000ull /* two ticks a nanosecond */
#define BOARD_WALL 1700000000ll    /* 2023-11-14 22:13:20 UTC, a Tuesday, at time 0 */

typedef struct Probe {
    bool level;
    unsigned rises;
} Probe;

typedef struct Board {
    Machine m; /* first */
    MemoryRegion ram;
    ApicBus apic;
    Cpu cpu[BOARD_CPUS];
    Device *lapic[BOARD_CPUS], *pic, *ioapic;
    int64_t tsc_offset;
    IsaBus *isa; /* lines are probes 0..15 */
    Probe probe[BOARD_PROBES];
    unsigned msis;
    uint64_t msi_addr;
    uint32_t msi_data;
    void (*closing)(Machine *m); /* optional: closes backends, when devices are gone */
} Board;

/* ncpus LAPICs, an I/O APIC and a PIC wired as on a PC; probes are free. */
Board *board_create(unsigned ncpus);
Board *board_create_now(unsigned ncpus); /* host time goes on; create starts it at 0 */
void board_destroy(Board *b);
void board_reset(Board *b);
IrqLine board_probe(Board *b, unsigned n);
void board_msi(void *board, uint64_t addr, uint32_t data);
/* Moves time on, firing timers when they are due. */
void board_advance(Board *b, int64_t ns);
void board_run_as(Board *b, int cpu); /* this thread is that vCPU; -1 = none */
int board_ack(Board *b, unsigned cpu);
bool board_hard(Board *b, unsigned cpu); /* does the vCPU see an interrupt? */

uint64_t inp(Board *b, unsigned port, unsigned size);
void outp(Board *b, unsigned port, uint64_t val, unsigned size);
uint64_t memr(Board *b, uint64_t addr, unsigned size);
void memw(Board *b, uint64_t addr, uint64_t val, unsigned size);
static inline uint8_t in8(Board *b, unsigned port)
{
    return inp(b, port, 1);
}
static inline void out8(Board *b, unsigned port, uint8_t v)
{
    outp(b, port, v, 1);
}
/* Register of the running vCPU's LAPIC, by offset. */
uint32_t lapic_rd(Board *b, unsigned off);
void lapic_wr(Board *b, unsigned off, uint32_t v);
void ioapic_wr(Board *b, unsigned index, uint32_t v);
uint32_t ioapic_rd(Board *b, unsigned index);

/* The character backend, dev_fakes.c. */
struct CharBackend {
    CharClient client;
    bool attached;
    uint8_t out[256];
    unsigned n, accepts;
};
extern CharBackend test_chr;
void test_chr_reset(void);

#endif
