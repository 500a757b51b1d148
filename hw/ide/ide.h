/* SPDX-License-Identifier: MIT */
/*
 * IDE for boards: the PIIX3 function, and how drives of -drive if=ide find their bus.
 * Machine lock held everywhere.
 */
#ifndef HW_IDE_IDE_H
#define HW_IDE_IDE_H

#include "hw/core/device.h"
#include "hw/pci/pci.h"

/* PIIX3 IDE function 8086:7010 at `devfn` (usually 1.1 = 9) with buses "ide.0", "ide.1"
 * at the legacy ports; irq[] are ISA interrupts 14 and 15. NULL with err set on failure. */
Device *piix3_ide_create(PciBus *bus, unsigned devfn, const IrqLine irq[2], Error *err);

/* AHCI controller 8086:2922 at `devfn` (usually 1f.2) with ports "ide.0" to "ide.5". */
Device *ich9_ahci_create(PciBus *bus, unsigned devfn, Error *err);

/* Makes ide-hd and ide-cd devices of the machine's -drive if=ide, index n on bus n / 2,
 * unit n % 2, or on port n of the board's AHCI controller; drives without index= take the first free place. The board calls it when
 * all -device devices are there. */
bool ide_attach_drives(struct Machine *m, Error *err);

/* Geometry translation that firmware should use for the disk on index n (0..3): 0 none,
 * 1 LBA; -1: no disk there. (CMOS 39H as SeaBIOS reads it.) */
int ide_translation(struct Machine *m, unsigned index);

extern const DeviceClass piix3_ide_class, ide_hd_class, ide_cd_class, ich9_ahci_class;

#endif
