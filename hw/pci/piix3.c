/* SPDX-License-Identifier: MIT */
/*
 * PIIX3 ISA bridge, function 0: PIRQ route control. Intel 290550 (PIIX/PIIX3), 2.2.7.
 * The chip's 8259s, timers and ELCR are devices of their own; port 0xcf9 is in i440fx.c;
 * other registers are plain storage. Machine lock held.
 */
#include "hw/pci/host.h"

#include <string.h>
#include "util/bytes.h"

enum { PIRQRC = 0x60, PIRQ_OFF = 0x80 };
/* Interrupts a PIRQ may be routed to (Table 2, PIRQRC bits 3:0). */
enum { PIIX3_ROUTABLE = 0xdef8 };

typedef struct {
    PciState pci;
    uint16_t isa_out;       /* levels driven now, bit per ISA interrupt */
} Piix3State;

typedef struct {
    PciDevice pci;
    Piix3State s;
    IrqLine isa[16];
} Piix3;

static void piix3_update(Piix3 *d, bool drive)
{
    uint16_t out = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t route = d->s.pci.config[PIRQRC + i];
        if (!(route & PIRQ_OFF) && d->pci.bus->pirq_level[i]) {
            out |= 1u << (route & 15);
        }
    }
    out &= PIIX3_ROUTABLE;
    uint16_t changed = out ^ d->s.isa_out;
    d->s.isa_out = out;
    for (unsigned n = 0; n < 16 && drive; n++) {
        if (changed & (1u << n)) {
            irq_set(&d->isa[n], out & (1u << n));
        }
    }
}

static void piix3_pirq(void *opaque, unsigned n, bool level)
{
    piix3_update(opaque, true);
}

static void piix3_config_written(PciDevice *pci, unsigned off, unsigned size)
{
    if (off < PIRQRC + 4u && PIRQRC < off + size) {
        piix3_update((Piix3 *)pci, true);
    }
}

static bool piix3_realize(Device *dev, Error *err)
{
    Piix3 *d = (Piix3 *)dev;
    uint8_t *cfg = d->s.pci.config, *wm = d->pci.wmask;
    put_le16(cfg + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER);
    put_le16(wm + PCI_COMMAND, 0);
    put_le16(cfg + PCI_STATUS, 0x0200);
    cfg[0x4c] = 0x4d;       /* I/O recovery timer */
    cfg[0x4e] = 0x03;       /* X-bus chip select */
    cfg[0x69] = 0x02;       /* top of memory */
    for (unsigned i = 0x4c; i < 0xb0; i++) {
        wm[i] = 0xff;
    }
    for (unsigned i = 0; i < 4; i++) {
        cfg[PIRQRC + i] = PIRQ_OFF;
        wm[PIRQRC + i] = 0x8f;
        d->pci.bus->pirq[i] = (IrqLine){ piix3_pirq, d, i };
    }
    return true;
}

static void piix3_unrealize(Device *dev)
{
    Piix3 *d = (Piix3 *)dev;
    memset(d->pci.bus->pirq, 0, sizeof(d->pci.bus->pirq));
}

static void piix3_reset(Device *dev)
{
    Piix3 *d = (Piix3 *)dev;
    pci_reset(&d->pci);
    piix3_update(d, true);
}

/* Who drives a shared line is not saved by what listens: say it again. */
static bool piix3_post_load(void *dev, Error *err)
{
    Piix3 *d = dev;
    d->s.isa_out &= PIIX3_ROUTABLE;
    for (unsigned n = 0; n < 16; n++) {
        if (d->s.isa_out & (1u << n)) {
            irq_set(&d->isa[n], true);
        }
    }
    return pci_post_load(&d->pci, err);
}

static const StateField piix3_fields[] = {
    STATE_SUB(Piix3State, pci, pci_state), STATE_U16(Piix3State, isa_out), STATE_END
};

const DeviceClass piix3_class = {
    .name = "PIIX3", .desc = "PCI to ISA bridge, interrupt router", .bus = BUS_PCI,
    .size = sizeof(Piix3), .internal = true,
    .bus_data = &(const PciInfo){
        .vendor = 0x8086, .device = 0x7000, .class_code = 0x060100,
        .subsys_vendor = 0x1af4, .subsys = 0x1100,
        .state_offset = offsetof(Piix3, s.pci), .config_written = piix3_config_written,
    },
    .state = { .version = 1, .offset = offsetof(Piix3, s), .size = sizeof(Piix3State),
               .fields = piix3_fields, .post_load = piix3_post_load },
    .realize = piix3_realize, .unrealize = piix3_unrealize, .reset = piix3_reset,
};

Device *piix3_create(PciBus *bus, unsigned devfn, const IrqLine isa[16], Error *err)
{
    Device *dev = device_create(bus->bus.machine, &piix3_class);
    memcpy(((Piix3 *)dev)->isa, isa, sizeof(((Piix3 *)dev)->isa));
    dev->addr = devfn;
    return device_realize(dev, &bus->bus, err) ? dev : NULL;
}

void piix3_set_routes(Device *dev, const uint8_t routes[4])
{
    Piix3 *d = DEVICE_AS(dev, Piix3, piix3_class);
    memcpy(d->pci.reset_config + PIRQRC, routes, 4);
    memcpy(d->s.pci.config + PIRQRC, routes, 4);
    piix3_update(d, true);
}
