/* SPDX-License-Identifier: MIT */
/* ISA bus: wired-or interrupt lines; see isa.h. */
#include "hw/core/isa.h"

#include <stdlib.h>
#include "hw/core/machine.h"
#include "util/alloc.h"

typedef struct IsaTap {
    IsaBus *bus;
    const Device *dev;
    unsigned n;
    bool level;
    struct IsaTap *next;
} IsaTap;

static void drive(IsaBus *bus, unsigned n)
{
    bool level = false;
    for (const IsaTap *t = bus->taps; t; t = t->next) {
        level |= t->n == n && t->level;
    }
    irq_set(&bus->irq[n], level);
}

static void tap_set(void *opaque, unsigned n, bool level)
{
    IsaTap *t = opaque;
    t->level = level;
    drive(t->bus, n);
}

IrqLine isa_irq(Device *dev, unsigned n)
{
    if (n >= ISA_IRQS || !dev->parent || dev->parent->cls != &isa_bus_class) {
        return (IrqLine){ 0 };
    }
    IsaBus *bus = (IsaBus *)dev->parent;
    IsaTap *t = NEW(IsaTap);
    *t = (IsaTap){ .bus = bus, .dev = dev, .n = n, .next = bus->taps };
    bus->taps = t;
    return (IrqLine){ tap_set, t, n };
}

void isa_drop_taps(IsaBus *bus, const Device *dev)
{
    for (IsaTap **pp = &bus->taps; *pp;) {
        IsaTap *t = *pp;
        if (t->dev != dev) {
            pp = &t->next;
            continue;
        }
        unsigned n = t->n;
        bool was = t->level;
        *pp = t->next;
        free(t);
        if (was) {
            drive(bus, n);
        }
    }
}

static bool isa_plug(Bus *bus, Device *dev, Error *err)
{
    return true;
}

static void isa_unplug(Bus *bus, Device *dev)
{
    isa_drop_taps((IsaBus *)bus, dev);
}

const BusClass isa_bus_class = {
    .name = "ISA", .kind = BUS_ISA, .plug = isa_plug, .unplug = isa_unplug,
};

IsaBus *isa_bus_create(Machine *m, Device *owner, const char *name)
{
    return (IsaBus *)bus_create(m, owner, &isa_bus_class, name, sizeof(IsaBus));
}
