/* SPDX-License-Identifier: MIT */
/*
 * Machines pc (i440FX, PIIX3) q35 (Q35, ICH9) and microvm. For main.c: the class, and serial ports, which must be
 * set between machine_init and machine_ready.
 */
#ifndef HW_PC_PC_H
#define HW_PC_PC_H

#include "hw/core/chardev.h"
#include "hw/core/machine.h"

extern const MachineClass pc_machine_class, q35_machine_class,
    microvm_machine_class;

/* Port COM(n + 1), n = 0..3, connected to chr (may be NULL: nothing connected). */
bool pc_set_serial(Machine *m, unsigned n, CharBackend *chr, Error *err);

#endif
