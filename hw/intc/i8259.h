/* SPDX-License-Identifier: MIT */
/*
 * The PC's pair of 8259A interrupt controllers with their edge/level registers. Inputs:
 * device_irq_in(dev, 0..15) (2 is the cascade and is ignored). Machine lock.
 */
#ifndef HW_INTC_I8259_H
#define HW_INTC_I8259_H

#include "hw/core/device.h"

/* `out` is the INT line (apic_bus_pic_input). NULL with err set on failure. */
Device *i8259_create(struct Machine *m, IrqLine out, Error *err);
/* One INTA sequence: the vector. Never fails: a request that is gone gives the spurious
 * vector of IR7. dev is the Device. */
int i8259_ack(void *dev);
/* Sets the edge/level control registers' reset value (bit n = input n is level
 * triggered); for boards without firmware. */
void i8259_set_elcr(Device *dev, uint16_t elcr);

extern const DeviceClass i8259_class;

#endif
