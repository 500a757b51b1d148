/* SPDX-License-Identifier: MIT */
/*
 * System control port A, 92H: bit 0 resets the machine, bit 1 is the A20 gate (82371SB
 * datasheet, 2.5.7; the gate's other hand is the keyboard controller's output port).
 * Machine lock held in every entry point.
 */
#include "hw/misc/port92.h"

#include "hw/core/machine.h"

enum { P92_RESET = 1, P92_A20 = 2 };

typedef struct Port92State {
    uint8_t value;
} Port92State;

typedef struct Port92 {
    Device dev;
    Port92State s;
    IrqLine a20;
    MemoryRegion io;
} Port92;

static uint64_t port92_read(void *opaque, uint64_t addr, unsigned size)
{
    const Port92 *d = opaque;
    return d->s.value;
}

static void port92_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Port92 *d = opaque;
    bool reset = ~d->s.value & val & P92_RESET;
    d->s.value = val & ~0x24u; /* bits 2 and 5 are reserved */
    irq_set(&d->a20, val & P92_A20);
    if (reset) {
        machine_request_reset(d->dev.machine);
    }
}

static const MemoryOps port92_ops = { port92_read, port92_write, 1, 1 };

static void port92_set_a20(void *opaque, unsigned n, bool level)
{
    Port92 *d = opaque;
    d->s.value = (d->s.value & ~P92_A20) | (level ? P92_A20 : 0);
    irq_set(&d->a20, level);
}

static void port92_reset(Device *dev)
{
    DEVICE_AS(dev, Port92, port92_class)->s.value = P92_A20;
}

static void port92_reset_lines(Device *dev)
{
    irq_set(&DEVICE_AS(dev, Port92, port92_class)->a20, true);
}

static bool port92_realize(Device *dev, Error *err)
{
    Port92 *d = DEVICE_AS(dev, Port92, port92_class);
    device_add_ports(dev, &d->io, "port92", 0x92, 1, &port92_ops, d);
    device_init_irq_in(dev, port92_set_a20, 1);
    port92_reset(dev);
    return true;
}

Device *port92_create(struct Machine *m, IrqLine a20, Error *err)
{
    Device *dev = device_create(m, &port92_class);
    DEVICE_AS(dev, Port92, port92_class)->a20 = a20;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static bool port92_post_load(void *owner, Error *err)
{
    Port92 *d = owner;
    irq_set(&d->a20, d->s.value & P92_A20); /* the memory map follows the gate */
    return true;
}

static const StateField port92_fields[] = { STATE_U8(Port92State, value), STATE_END };

const DeviceClass port92_class = {
    .name = "port92",
    .desc = "system control port A: fast reset, A20 gate",
    .size = sizeof(Port92),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(Port92, s),
               .size = sizeof(Port92State),
               .fields = port92_fields,
               .post_load = port92_post_load },
    .realize = port92_realize,
    .reset = port92_reset,
    .reset_lines = port92_reset_lines,
};
