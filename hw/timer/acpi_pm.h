/* SPDX-License-Identifier: MIT */
/*
 * ACPI fixed hardware: power management register block, SMI command port. The block's
 * region is placed by the board: given to piix4_pm_create, or mapped in the I/O space.
 * Machine lock.
 */
#ifndef HW_TIMER_ACPI_PM_H
#define HW_TIMER_ACPI_PM_H

#include "hw/core/device.h"

enum { /* for the FADT: offsets in the block, lengths, values */
       ACPI_PM_BLOCK_SIZE = 64,
       ACPI_PM_ICH9_BLOCK_SIZE = 128,
       ACPI_PM1_EVT = 0,
       ACPI_PM1_EVT_LEN = 4,
       ACPI_PM1_CNT = 4,
       ACPI_PM1_CNT_LEN = 2,
       ACPI_PM_TMR = 8,
       ACPI_PM_TMR_LEN = 4, /* 24 bits: TMR_VAL_EXT = 0 */
       ACPI_GPE0 = 12,
       ACPI_ICH9_GPE0 = 32,
       ACPI_GPE0_LEN = 4, /* 16 events: status, enable */
       ACPI_SMI_CMD = 0xb2,
       ACPI_ENABLE = 0xf1,
       ACPI_DISABLE = 0xf0,
       ACPI_S5_TYP = 0, /* SLP_TYP of soft off, for _S5 */
       ACPI_S3_TYP = 1, /* of suspend to RAM, for _S3 */
       ACPI_SCI_IRQ = 9,
};

/* sci: ISA line / GSI 9, level, active high. */
Device *acpi_pm_create(struct Machine *m, IrqLine sci, Error *err);
/* The same with the block's layout of the ICH9 (316972, 13.8.3): 128 bytes, GPE0 at 20H,
 * SMI_EN at 30H. */
Device *acpi_pm_create_ich9(struct Machine *m, IrqLine sci, Error *err);
MemoryRegion *acpi_pm_region(Device *pm);
/* The power button is pressed. For Machine.powerdown. */
void acpi_pm_power_button(Device *pm);
/* After the reset that ends S3: WAK_STS, and what woke it (enum MachineWake). */
void acpi_pm_woken(Device *pm, unsigned why);
/* The RTC's alarm went off (4.8.2.2.2.4): an SCI if the guest wants one, which ends s2idle. */
void acpi_pm_rtc_alarm(Device *pm);
/* A general-purpose event n (0..15) happens: hot plug. */
void acpi_pm_gpe(Device *pm, unsigned n);
/* Reset value of SCI_EN: true for boards that start a kernel without firmware. */
void acpi_pm_set_acpi_mode(Device *pm, bool on);

extern const DeviceClass acpi_pm_class;

#endif
