/* SPDX-License-Identifier: MIT */
/* The ACPI tables of machine pc. */
#ifndef HW_PC_ACPI_TABLES_H
#define HW_PC_ACPI_TABLES_H

#include "hw/pc/acpi_build.h"

enum { PC_PM_BASE = 0x600 };

typedef struct AcpiConfig {
    unsigned cpus;
    const uint32_t *apic_ids;
    bool hpet;
    uint32_t hpet_block_id;
    uint64_t pci_hole_start;        /* up to the I/O APIC: window for 32-bit BARs */
    uint64_t pci64_start, pci64_size; /* size 0: none */
    uint16_t pm_base;               /* of the power management block */
    bool no_s3;                     /* firmware that could not resume: _S3 is hidden */
    bool q35;                       /* ICH9: its links, block layout and MCFG */
    uint64_t ecam;                  /* q35: configuration window of 256 MiB */
    /* microvm: no PCI, no 8042; so many virtio-mmio slots, from interrupt 16 on */
    unsigned mmio_slots, mmio_step;
    uint64_t mmio_base;
} AcpiConfig;

enum { ACPI_ECAM_SIZE = 256 * MiB };

/* Not relocated yet. */
void acpi_tables_build(AcpiBlob *a, const AcpiConfig *cfg);

#endif
