/* SPDX-License-Identifier: MIT */
/*
 * System control port A (92H): fast reset and the A20 gate. The keyboard controller's A20
 * output goes to input 0; whichever of the two was written last decides. Machine lock.
 */
#ifndef HW_MISC_PORT92_H
#define HW_MISC_PORT92_H

#include "hw/core/device.h"

/* a20: high = address line 20 works (the state after reset); low = it reads as 0. */
Device *port92_create(struct Machine *m, IrqLine a20, Error *err);

extern const DeviceClass port92_class;

#endif
