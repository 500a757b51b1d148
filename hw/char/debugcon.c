/* SPDX-License-Identifier: MIT */
/*
 * Debug console: bytes written to one port go to a character backend; reading gives a
 * constant by which software finds it (E9H, as Bochs documents for its port E9).
 * Machine lock held in every entry point.
 */
#include "hw/char/debugcon.h"

#include "hw/core/chardev.h"
#include "hw/core/machine.h"

typedef struct Debugcon {
    Device dev;
    uint32_t iobase, readback; /* properties */
    CharBackend *chardev;      /* property */
    MemoryRegion io;
} Debugcon;

static uint64_t debugcon_read(void *opaque, uint64_t addr, unsigned size)
{
    const Debugcon *d = opaque;
    return d->readback;
}

static void debugcon_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Debugcon *d = opaque;
    uint8_t c = val;
    chardev_write(d->chardev, &c, 1);
}

static const MemoryOps debugcon_ops = { debugcon_read, debugcon_write, 1, 1 };

static size_t debugcon_can_receive(void *opaque)
{
    return 4096;
}
static void debugcon_receive(void *opaque, const uint8_t *buf, size_t n) {}

static bool debugcon_realize(Device *dev, Error *err)
{
    Debugcon *d = DEVICE_AS(dev, Debugcon, isa_debugcon_class);
    device_add_ports(dev, &d->io, "debugcon", d->iobase, 1, &debugcon_ops, d);
    CharClient client = { debugcon_can_receive, debugcon_receive, NULL, d };
    return !d->chardev || chardev_attach(d->chardev, &client, err);
}

static void debugcon_unrealize(Device *dev)
{
    Debugcon *d = DEVICE_AS(dev, Debugcon, isa_debugcon_class);
    if (d->chardev) {
        chardev_detach(d->chardev, d);
    }
}

static const Property debugcon_props[] = {
    PROP_U32(Debugcon, iobase, 0xe9, 0, 0xffff, "I/O port"),
    PROP_U32(Debugcon, readback, 0xe9, 0, 0xff, "what the port reads as"),
    PROP_LINK(Debugcon, chardev, chardev_link, "where bytes go"), PROP_END
};

const DeviceClass isa_debugcon_class = {
    .name = "isa-debugcon",
    .desc = "debug console port",
    .bus = BUS_ISA,
    .size = sizeof(Debugcon),
    .props = debugcon_props,
    .realize = debugcon_realize,
    .unrealize = debugcon_unrealize,
};
