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
} AcpiConfig;

/* Not relocated yet. */
void acpi_tables_build(AcpiBlob *a, const AcpiConfig *cfg);

#endif
