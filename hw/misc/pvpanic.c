/* SPDX-License-Identifier: MIT */
/*
 * Where a guest's kernel says that it has panicked: one byte, at an I/O port (docs/specs/pvpanic of
 * QEMU; the DSDT names it QEMU0001) or in BAR 0 of a PCI function. Reads tell which of the events
 * are known. Machine lock held.
 */
#include "hw/core/machine.h"
#include "hw/misc/pvpanic.h"
#include "hw/pci/pci.h"

enum { PANICKED = 1, CRASH_LOADED = 2, KNOWN = 3 };

typedef struct Pvpanic {
    Device dev;
    uint32_t port, events;      /* properties */
    MemoryRegion io;
} Pvpanic;

typedef struct {
    PciState pci;
} PvpanicPciState;

typedef struct PvpanicPci {
    PciDevice pci;
    PvpanicPciState s;
    uint32_t events;            /* property */
    MemoryRegion mem;
} PvpanicPci;

static void told(Machine *m, uint64_t event)
{
    if (event & PANICKED) {
        machine_guest_panicked(m, false);
    } else if (event & CRASH_LOADED) {
        machine_guest_panicked(m, true);
    }
}

static uint64_t isa_read(void *opaque, uint64_t addr, unsigned size)
{
    return ((Pvpanic *)opaque)->events;
}

static void isa_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Pvpanic *d = opaque;
    told(d->dev.machine, val & d->events);
}

static uint64_t pci_read(void *opaque, uint64_t addr, unsigned size)
{
    return addr ? 0 : ((PvpanicPci *)opaque)->events;
}

static void pci_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    PvpanicPci *d = opaque;
    if (!addr) {
        told(d->pci.dev.machine, val & d->events);
    }
}

static const MemoryOps isa_ops = { isa_read, isa_write, 1, 1 };
static const MemoryOps pci_ops = { pci_read, pci_write, 1, 1 };

static bool isa_realize(Device *dev, Error *err)
{
    Pvpanic *d = DEVICE_AS(dev, Pvpanic, pvpanic_class);
    device_add_ports(dev, &d->io, "pvpanic", d->port, 1, &isa_ops, d);
    return true;
}

static bool pci_realize(Device *dev, Error *err)
{
    PvpanicPci *d = DEVICE_AS(dev, PvpanicPci, pvpanic_pci_class);
    device_add_io(dev, &d->mem, "pvpanic", 16, &pci_ops, d);
    pci_add_bar(&d->pci, 0, PCI_BAR_MEM32, &d->mem);
    return true;
}

static void pci_reset_fn(Device *dev)
{
    pci_reset((PciDevice *)dev);
}

#define EVENTS "1: panics, 2: a crash kernel was started, 3: both"
static const Property isa_props[] = {
    { "ioport", PK_U32, offsetof(Pvpanic, port), 0x505, 0, 0xffff, NULL, NULL, NULL,
      "I/O port; the DSDT knows of 505H" },
    PROP_U32(Pvpanic, events, KNOWN, 0, KNOWN, EVENTS), PROP_END
};
static const Property pci_props[] = {
    PCI_PROPS(PvpanicPci), PROP_U32(PvpanicPci, events, KNOWN, 0, KNOWN, EVENTS), PROP_END
};
static const StateField pci_fields[] = { STATE_SUB(PvpanicPciState, pci, pci_state), STATE_END };

const DeviceClass pvpanic_class = {
    .name = "pvpanic", .desc = "hears of the guest's panics, at a port", .bus = BUS_ISA,
    .size = sizeof(Pvpanic), .props = isa_props, .realize = isa_realize,
};

const DeviceClass pvpanic_pci_class = {
    .name = "pvpanic-pci", .desc = "hears of the guest's panics", .bus = BUS_PCI,
    .size = sizeof(PvpanicPci), .props = pci_props,
    .bus_data = &(const PciInfo){
        .vendor = 0x1b36, .device = 0x0011, .class_code = 0x088000, .subsys_vendor = 0x1af4,
        .subsys = 0x1100, .state_offset = offsetof(PvpanicPci, s.pci),
    },
    .state = { .version = 1, .offset = offsetof(PvpanicPci, s), .size = sizeof(PvpanicPciState),
               .fields = pci_fields, .post_load = pci_device_post_load },
    .realize = pci_realize, .reset = pci_reset_fn,
};
