/* SPDX-License-Identifier: MIT */
/*
 * What a board needs to put a PCI bus together: host bridge, ISA bridge, power
 * management function. Order: pci_i440fx_create, then piix3_create, piix4_pm_create;
 * -device cards find the bus by bus_find(m, BUS_PCI, NULL).
 *
 * Memory: bus->mem is a container over all of mem_root at priority -1 (so RAM at priority
 * 0 hides it), and its 0xa0000-0xfffff part shows again at priority 1. So the board maps
 * VGA memory and the low BIOS copy in bus->mem (any address below 1 MiB, priority 0), and
 * RAM as usual from 0 upwards. PAM makes segments of 0xc0000-0xfffff show `ram` instead,
 * at priority 2. bus->io is a container over all I/O ports at priority -1.
 *
 * Interrupts: pin p (1..4) of slot s is PIRQ (p - 1 + s - 1) & 3 (A = 0), the order that
 * firmware for this board assumes. PIIX3 routes PIRQs to `isa[]` (level triggered: the
 * router's ELCR must say so; firmware writes it, or the board if it makes the routes).
 */
#ifndef HW_PCI_HOST_H
#define HW_PCI_HOST_H

#include "hw/pci/pci.h"

typedef struct PciHostConfig {
    MemoryRegion *ram;     /* region holding guest RAM from address 0 up (PAM shows its
                            * bytes 0xc0000-0xfffff); NULL: PAM has no effect */
    /* Sends a message-signalled interrupt (hw/intc/apic.h msi_send behind it). */
    void (*msi)(void *opaque, uint64_t addr, uint32_t data);
    void *msi_opaque;
    bool pam_ram_at_reset; /* no ROM-based firmware: 0xc0000-0xfffff is RAM at reset */
} PciHostConfig;

/* Ports 0xcf8-0xcff and the bus "pci.0" without function 00.0: part of the boards' bridges. */
PciBus *pci_host_create(struct Machine *m, const PciHostConfig *cfg, Error *err);

/* Host bridge 8086:1237 at 00.0 with ports 0xcf8-0xcff (0xcf9 = reset control, too) and
 * the bus "pci.0". NULL with err set on failure. */
PciBus *pci_i440fx_create(struct Machine *m, const PciHostConfig *cfg, Error *err);

/* ISA bridge 8086:7000 at `devfn` (usually 1.0 = 8). isa[16] are the ISA interrupt lines;
 * PIIX3 drives only those that a PIRQ is routed to, and never 0, 1, 2, 8 and 13. */
Device *piix3_create(PciBus *bus, unsigned devfn, const IrqLine isa[16], Error *err);
/* Sets the four route registers' reset value (0x80 = off, else an ISA interrupt). For
 * boards that boot without firmware; call before the first reset. */
void piix3_set_routes(Device *piix3, const uint8_t routes[4]);

/* Power management function 8086:7113 at `devfn` (usually 1.3 = 11). `regs` is the PM
 * register block (64 bytes: PM1 event/control, timer...), initialised and not placed; it
 * appears in bus->io at PMBA (config 40H-43H) when PMREGMISC (80H) bit 0 is set. base != 0:
 * reset value of PMBA with PMREGMISC = 1, for boards that boot without firmware. */
Device *piix4_pm_create(PciBus *bus, unsigned devfn, MemoryRegion *regs, uint16_t base,
                        Error *err);

/* Memory controller hub 8086:29c0 at 00.0 (with the configuration window that PCIEXBAR
 * places) instead of pci_i440fx_create, and the ISA bridge 8086:2918 at `devfn` (usually
 * 1f.0) instead of piix3_create and piix4_pm_create. gsi[8] are I/O APIC pins 16-23, which
 * PIRQ A-H reach always; `regs` is the PM block of 128 bytes. */
PciBus *pci_q35_create(struct Machine *m, const PciHostConfig *cfg, Error *err);
/* Base of the configuration window as PCIEXBAR says, 0: off. */
uint64_t pci_q35_ecam(PciBus *bus);
typedef struct Ich9Wiring {
    IrqLine isa[16], gsi[8];
    MemoryRegion *regs; /* of a device made before the bus: it must go after the bridge */
    /* Without firmware: reset value of PMBASE, and PIRQs go to interrupts 10 and 11; 0: with
     * firmware, all is off. */
    uint16_t pm_base;
} Ich9Wiring;
Device *ich9_lpc_create(PciBus *bus, unsigned devfn, const Ich9Wiring *w, Error *err);
/* Where the PM registers are now, 0: nowhere. */
uint16_t ich9_lpc_pm_base(Device *lpc);
uint16_t piix4_pm_base(Device *pm);

extern const DeviceClass q35_mch_class, ich9_lpc_class;
extern const DeviceClass i440fx_host_class, i440fx_class, piix3_class, piix4_pm_class;
extern const DeviceClass pci_testdev_class; /* hw/pci/pci_testdev.c */

#endif
