/* SPDX-License-Identifier: MIT */
/*
 * A board for tests of PCI functions: RAM from 0, host bridge, PIIX3, recorded interrupts.
 * No vCPU. The machine lock is held between board_create and board_destroy, but inside
 * board_turn.
 */
#ifndef TESTS_UNIT_PCI_BOARD_H
#define TESTS_UNIT_PCI_BOARD_H

#include "hw/core/machine.h"
#include "hw/pci/host.h"

enum { BOARD_RAM = 4 << 20 };

typedef struct Board {
    Machine m;              /* first */
    MemoryRegion ram, rom;
    PciBus *bus;
    Device *piix3;
    bool isa[16];           /* levels */
    unsigned msis;          /* messages seen */
    uint64_t msi_addr;      /* of the last one */
    uint32_t msi_data;
} Board;

Board *board_create(void);
Board *board_create_bare(void);     /* RAM only */
void board_destroy(Board *b);
void board_turn(Board *b);          /* one turn of the loop, 1 s at most */
/* -device text; fails the test if it does not work. */
PciDevice *board_add(Board *b, const char *spec);
/* Saved, reset, loaded and saved again, the machine is the same. */
void board_state_round_trips(Board *b);
/* err holds a message with `text` in it; frees it. `spec`: what was tried. */
void board_refused(Error *err, const char *spec, const char *text);

uint32_t cfg_read(Board *b, unsigned devfn, unsigned off, unsigned size);
void cfg_write(Board *b, unsigned devfn, unsigned off, uint32_t val, unsigned size);
uint64_t mem_read(Board *b, uint64_t addr, unsigned size);
void mem_write(Board *b, uint64_t addr, uint64_t val, unsigned size);
uint64_t io_read(Board *b, uint64_t port, unsigned size);
void io_write(Board *b, uint64_t port, uint64_t val, unsigned size);

#endif
