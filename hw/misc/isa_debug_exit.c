/* SPDX-License-Identifier: MIT */
/*
 * Port whose write ends the emulator with the exit status (value << 1) | 1, so that 0 is
 * never taken for success. Machine lock held in every entry point.
 */
#include "hw/core/machine.h"
#include "hw/misc/testdevs.h"

typedef struct DebugExit {
    Device dev;
    uint32_t iobase, iosize; /* properties */
    MemoryRegion io;
} DebugExit;

static uint64_t debug_exit_read(void *opaque, uint64_t addr, unsigned size)
{
    return 0;
}

static void debug_exit_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    DebugExit *d = opaque;
    machine_request_shutdown(d->dev.machine, (int)((uint32_t)val << 1 | 1));
}

static const MemoryOps debug_exit_ops = { debug_exit_read, debug_exit_write, 1, 4 };

static bool debug_exit_realize(Device *dev, Error *err)
{
    DebugExit *d = DEVICE_AS(dev, DebugExit, isa_debug_exit_class);
    device_add_ports(dev, &d->io, "isa-debug-exit", d->iobase, d->iosize, &debug_exit_ops,
                     d);
    return true;
}

static const Property debug_exit_props[] = {
    PROP_U32(DebugExit, iobase, 0x501, 0, 0xfff8, "first I/O port"),
    PROP_U32(DebugExit, iosize, 2, 1, 8, "number of ports"), PROP_END
};

const DeviceClass isa_debug_exit_class = {
    .name = "isa-debug-exit",
    .desc = "ends the emulator with a status of the guest's choice",
    .bus = BUS_ISA,
    .size = sizeof(DebugExit),
    .props = debug_exit_props,
    .realize = debug_exit_realize,
};
