/* SPDX-License-Identifier: MIT */
/*
 * High precision event timer (IA-PC HPET specification 1.0a) at 0xfed00000: 100 MHz
 * 64-bit counter, three or more comparators. Machine lock.
 */
#ifndef HW_TIMER_HPET_H
#define HW_TIMER_HPET_H

#include "hw/core/device.h"

enum { HPET_BASE = 0xfed00000, HPET_GSIS = 24 };
/* Interrupts that a timer can be routed to (INT_ROUTE_CAP): GSI 20-23. */
#define HPET_ROUTE_CAP 0x00f00000u

typedef struct HpetWiring {
    IrqLine gsi[HPET_GSIS]; /* I/O APIC inputs; only those of HPET_ROUTE_CAP are used */
    IrqLine irq0, irq8;     /* legacy replacement: timer 0 and timer 1 */
    IrqLine legacy;         /* high while legacy replacement is on: the board passes it
                             * to input 0 of the 8254 and to input 0 of the RTC */
    void (*msi)(void *opaque, uint64_t addr, uint32_t data); /* msi_send_opaque */
    void *msi_opaque;
} HpetWiring;

Device *hpet_create(struct Machine *m, unsigned timers /* 3..32 */, const HpetWiring *w,
                    Error *err);
/* General capabilities register as the ACPI HPET table's event timer block ID wants it
 * (low 32 bits). */
uint32_t hpet_block_id(Device *hpet);

extern const DeviceClass hpet_class;

#endif
