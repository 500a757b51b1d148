/* SPDX-License-Identifier: MIT */
/*
 * 8254 interval timer at 40H-43H and the speaker gate at 61H. Input 0: "HPET replaces
 * me" (legacy replacement): while high, the interrupt line is not driven. Machine lock.
 */
#ifndef HW_TIMER_I8254_H
#define HW_TIMER_I8254_H

#include "hw/core/device.h"

/* irq0: ISA line 0 (8259 IR0 and I/O APIC pin 2). NULL with err set on failure. */
Device *i8254_create(struct Machine *m, IrqLine irq0, Error *err);

extern const DeviceClass i8254_class;

#endif
