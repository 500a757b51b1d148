/* SPDX-License-Identifier: MIT */
/* 8042 keyboard controller at 60H and 64H with PS/2 keyboard and mouse. Machine lock. */
#ifndef HW_INPUT_I8042_H
#define HW_INPUT_I8042_H

#include "hw/core/device.h"

typedef struct I8042Wiring {
    IrqLine irq1, irq12; /* keyboard, mouse */
    IrqLine a20;         /* to port92's input 0 */
} I8042Wiring;

Device *i8042_create(struct Machine *m, const I8042Wiring *w, Error *err);

extern const DeviceClass i8042_class;

#endif
