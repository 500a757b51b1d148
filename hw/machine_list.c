/* SPDX-License-Identifier: MIT */
/* The boards; the first is the default. */
#include "hw/core/machine.h"
#include "hw/pc/pc.h"

const MachineClass *const machine_classes[] = {
    &pc_machine_class, &q35_machine_class, &microvm_machine_class, NULL,
};
