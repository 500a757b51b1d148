/* SPDX-License-Identifier: MIT */
/*
 * Every device class, one row a line, by family. A class that has no row cannot be named
 * by -device and is not seen by the state tests.
 */
#include "hw/char/debugcon.h"
#include "hw/char/uart16550.h"
#include "hw/input/i8042.h"
#include "hw/intc/apic.h"
#include "hw/intc/i8259.h"
#include "hw/misc/fw_cfg.h"
#include "hw/misc/port92.h"
#include "hw/misc/testdevs.h"
#include "hw/timer/acpi_pm.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"

const DeviceClass *const device_classes[] = {
    /* char */
    &isa_debugcon_class,
    &isa_serial_class,
    /* input */
    &i8042_class,
    /* intc */
    &i8259_class,
    &ioapic_class,
    &lapic_class,
    /* misc */
    &fw_cfg_class,
    &isa_debug_exit_class,
    &pc_testdev_class,
    &port92_class,
    /* timer */
    &acpi_pm_class,
    &hpet_class,
    &i8254_class,
    &mc146818_class,
    NULL,
};
