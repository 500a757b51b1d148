/* SPDX-License-Identifier: MIT */
/* The PAM registers' effect on the memory map, for host bridges. Machine lock. */
#ifndef HW_PCI_PAM_H
#define HW_PCI_PAM_H

#include "hw/pci/pci.h"

enum { PAM_SEGMENTS = 13 };

typedef struct PamSegment {
    struct PamUnit *unit;
    uint32_t start, size;
    MemoryRegion view;    /* alias of RAM: read/write or read-only */
    MemoryRegion wo;      /* reads come from PCI, writes go to RAM */
    uint8_t mode;         /* what is mapped now: 1 reads, 2 writes come from RAM */
} PamSegment;

typedef struct PamUnit {
    PciDevice *pci;       /* owner of the regions */
    MemoryRegion *ram;    /* NULL: no effect */
    PamSegment seg[PAM_SEGMENTS];
} PamUnit;

/* From the bridge's realize; ram holds the guest's memory from address 0 up. */
void pam_unit_init(PamUnit *u, PciDevice *pci, MemoryRegion *ram);
/* Makes the map follow the seven registers. */
void pam_unit_update(PamUnit *u, const uint8_t regs[7]);

#endif
