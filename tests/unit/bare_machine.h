/* SPDX-License-Identifier: MIT */
/* A machine with nothing on it, for tests of hw/core. Lock not held. */
#ifndef TESTS_UNIT_BARE_MACHINE_H
#define TESTS_UNIT_BARE_MACHINE_H

#include "hw/core/machine.h"

extern const MachineClass bare_class;
Machine *bare_machine(unsigned cpus);

#endif
