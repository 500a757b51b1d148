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

/* The DMA controller of the bus, set by whoever makes it; transfer NULL: there is none.
 * Moves up to n bytes on behalf of a channel and returns how many; *tc: the channel's count
 * ran out. */
typedef struct IsaDma {
    uint32_t (*transfer)(void *opaque, unsigned channel, void *buf, uint32_t n,
                         bool to_guest, bool *tc);
    void *opaque;
} IsaDma;

typedef struct IsaBus {
    Bus bus;                /* first */
    IsaDma dma;
    IrqLine irq[ISA_IRQS];
    struct IsaTap *taps;    /* lines taken by devices */
} IsaBus;

extern const BusClass isa_bus_class;
IsaBus *isa_bus_create(struct Machine *m, Device *owner, const char *name);
void isa_drop_taps(IsaBus *bus, const Device *dev);

#endif
