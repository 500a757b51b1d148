/* SPDX-License-Identifier: MIT */
/* The boards. */
#include "hw/core/machine.h"
#include "hw/pc/pc.h"

const MachineClass *const machine_classes[] = { &pc_machine_class, &q35_machine_class,
                                                NULL };
