/* SPDX-License-Identifier: MIT */
/*
 * Coprocessor error as the AT reports it (82371SB datasheet, 2.5.8; SDM vol. 1, D.1): an
 * unmasked x87 exception with CR0.NE = 0 raises FERR#, which is latched and drives
 * interrupt line 13 until any write to port F0H. IGNNE# does nothing: a waiting x87
 * instruction does not stop the CPU here.
 */
#include "hw/misc/coproc.h"

#include "hw/core/machine.h"

typedef struct CoprocState {
    bool latch;
} CoprocState;

typedef struct Coproc {
    Device dev;
    CoprocState s;
    IrqLine irq;
    MemoryRegion io;
} Coproc;

static void coproc_set(Coproc *d, bool latch)
{
    d->s.latch = latch;
    irq_set(&d->irq, latch);
}

static uint64_t coproc_read(void *opaque, uint64_t addr, unsigned size)
{
    return 0xff;
}

static void coproc_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    coproc_set(opaque, false);
}

static const MemoryOps coproc_ops = { coproc_read, coproc_write, 1, 1 };

static void coproc_ferr(void *opaque, unsigned n, bool level)
{
    if (level) {
        coproc_set(opaque, true);
    }
}

static void coproc_reset(Device *dev)
{
    DEVICE_AS(dev, Coproc, coproc_class)->s.latch = false;
}

static void coproc_reset_lines(Device *dev)
{
    irq_set(&DEVICE_AS(dev, Coproc, coproc_class)->irq, false);
}

static bool coproc_realize(Device *dev, Error *err)
{
    Coproc *d = DEVICE_AS(dev, Coproc, coproc_class);
    device_add_ports(dev, &d->io, "coproc", 0xf0, 1, &coproc_ops, d);
    device_init_irq_in(dev, coproc_ferr, 1);
    return true;
}

Device *coproc_create(Machine *m, IrqLine irq, Error *err)
{
    Device *dev = device_create(m, &coproc_class);
    DEVICE_AS(dev, Coproc, coproc_class)->irq = irq;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static const StateField coproc_fields[] = { STATE_BOOL(CoprocState, latch), STATE_END };

const DeviceClass coproc_class = {
    .name = "coproc",
    .desc = "coprocessor error latch, port F0H",
    .size = sizeof(Coproc),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(Coproc, s),
               .size = sizeof(CoprocState),
               .fields = coproc_fields }, /* the 8259 saves the line's level */
    .realize = coproc_realize,
    .reset = coproc_reset,
    .reset_lines = coproc_reset_lines,
};
