/* SPDX-License-Identifier: MIT */
/*
 * The ISA bus: no addresses, sixteen interrupt lines. Several devices may take one line;
 * it is high while any of them drives it high. The board fills `irq` before the first
 * device is realized. Machine lock.
 */
#ifndef HW_CORE_ISA_H
#define HW_CORE_ISA_H

#include "hw/core/device.h"

enum { ISA_IRQS = 16 };

typedef struct IsaBus {
    Bus bus;                /* first */
    IrqLine irq[ISA_IRQS];
    struct IsaTap *taps;    /* lines taken by devices */
} IsaBus;

extern const BusClass isa_bus_class;
IsaBus *isa_bus_create(struct Machine *m, Device *owner, const char *name);
void isa_drop_taps(IsaBus *bus, const Device *dev);

#endif
