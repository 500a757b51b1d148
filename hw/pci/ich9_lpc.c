/* SPDX-License-Identifier: MIT */
/*
 * ICH9 LPC bridge: PIRQ routes, place of the power management block, root complex register
 * block. Intel 316972 (ICH9), 13.1 (LPC configuration), 10.1 (chipset configuration
 * registers: storage here). PIRQ A-H also reach I/O APIC pins 16-23 (5.8.2). Left out: the
 * TCO watchdog, GPIO, LPC decode ranges; they are storage. Machine lock held.
 */
#include "hw/pci/host.h"

#include <string.h>
#include "hw/core/machine.h"
#include "util/bytes.h"

enum { PMBASE = 0x40, ACPI_CNTL = 0x44, PIRQA = 0x60, PIRQE = 0x68, RCBA = 0xf0 };
enum { ACPI_EN = 0x80, PIRQ_OFF = 0x80, RCBA_EN = 1, RCRB_SIZE = 0x4000 };
enum { ICH9_ROUTABLE = 0xdef8 };    /* not 0, 1, 2, 8, 13 (13.1.16) */

typedef struct {
    PciState pci;
    uint16_t isa_out;               /* levels driven now, bit per ISA interrupt */
    uint8_t gsi_out;                /* the same, bit per PIRQ */
    uint8_t rcrb[RCRB_SIZE];
} LpcState;

typedef struct {
    PciDevice pci;
    LpcState s;
    Ich9Wiring w;
    MemoryRegion rcrb;
} Lpc;

static unsigned route_reg(unsigned pirq)
{
    return pirq < 4 ? PIRQA + pirq : PIRQE + pirq - 4;
}

static void lpc_update_irqs(Lpc *d)
{
    uint16_t out = 0;
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        uint8_t route = d->s.pci.config[route_reg(i)];
        if (!(route & PIRQ_OFF) && d->pci.bus->pirq_level[i]) {
            out |= 1u << (route & 15);
        }
    }
    out &= ICH9_ROUTABLE;
    uint16_t changed = out ^ d->s.isa_out;
    d->s.isa_out = out;
    for (unsigned n = 0; n < 16; n++) {
        if (changed & (1u << n)) {
            irq_set(&d->w.isa[n], out & (1u << n));
        }
    }
}

static void lpc_pirq(void *opaque, unsigned n, bool level)
{
    Lpc *d = opaque;
    d->s.gsi_out = (d->s.gsi_out & ~(1u << n)) | (unsigned)level << n;
    irq_set(&d->w.gsi[n], level);
    lpc_update_irqs(d);
}

static uint16_t pm_base(const Lpc *d)
{
    const uint8_t *cfg = d->s.pci.config;
    return cfg[ACPI_CNTL] & ACPI_EN ? get_le16(cfg + PMBASE) & 0xff80 : 0;
}

static void lpc_update_map(Lpc *d)
{
    uint32_t rcba = get_le32(d->s.pci.config + RCBA);
    uint16_t pm = pm_base(d);
    memory_begin(d->pci.dev.machine);
    memory_set_enabled(d->w.regs, false);
    if (pm) {
        memory_set_addr(d->w.regs, pm);
        memory_set_enabled(d->w.regs, true);
    }
    memory_set_enabled(&d->rcrb, false);
    if (rcba & RCBA_EN) {
        memory_set_addr(&d->rcrb, rcba & 0xffffc000);
        memory_set_enabled(&d->rcrb, true);
    }
    memory_commit(d->pci.dev.machine);
}

static void lpc_config_written(PciDevice *pci, unsigned off, unsigned size)
{
    Lpc *d = (Lpc *)pci;
    if (off < PIRQE + 4u && PIRQA < off + size) {
        lpc_update_irqs(d);
    }
    if ((off < ACPI_CNTL + 1u && PMBASE < off + size) ||
        (off < RCBA + 4u && RCBA < off + size)) {
        lpc_update_map(d);
    }
}

static uint64_t rcrb_read(void *opaque, uint64_t addr, unsigned size)
{
    const Lpc *d = opaque;
    uint32_t v = 0;
    for (unsigned i = 0; i < size && addr + i < RCRB_SIZE; i++) {
        v |= (uint32_t)d->s.rcrb[addr + i] << (8 * i);
    }
    return v;
}

static void rcrb_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Lpc *d = opaque;
    for (unsigned i = 0; i < size && addr + i < RCRB_SIZE; i++) {
        d->s.rcrb[addr + i] = val >> (8 * i);
    }
}

static const MemoryOps rcrb_ops = {
    .read = rcrb_read, .write = rcrb_write, .min_size = 1, .max_size = 4,
};

static bool lpc_realize(Device *dev, Error *err)
{
    Lpc *d = (Lpc *)dev;
    uint8_t *cfg = d->s.pci.config, *wm = d->pci.wmask;
    put_le16(cfg + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER);
    put_le16(wm + PCI_COMMAND, 0);
    put_le16(cfg + PCI_STATUS, 0x0200);
    for (unsigned i = 0x40; i < 0x100; i++) {
        wm[i] = 0xff;
    }
    put_le32(cfg + PMBASE, d->w.pm_base | 1);
    put_le32(wm + PMBASE, 0xff80);
    cfg[ACPI_CNTL] = d->w.pm_base ? ACPI_EN : 0;
    wm[ACPI_CNTL] = ACPI_EN | 7;
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        cfg[route_reg(i)] = d->w.pm_base ? 10 + (i & 1) : PIRQ_OFF;
        wm[route_reg(i)] = 0x8f;
        d->pci.bus->pirq[i] = (IrqLine){ lpc_pirq, d, i };
    }
    put_le32(wm + RCBA, 0xffffc001);
    device_add_io(dev, &d->rcrb, "ich9-rcrb", RCRB_SIZE, &rcrb_ops, d);
    memory_begin(dev->machine);
    device_map(dev, &dev->machine->mem_root, &d->rcrb, 0, 1);
    memory_set_enabled(&d->rcrb, false);
    memory_add(&d->pci.bus->io, d->w.regs, d->w.pm_base, 0);
    memory_set_enabled(d->w.regs, d->w.pm_base != 0);
    memory_commit(dev->machine);
    return true;
}

static void lpc_unrealize(Device *dev)
{
    Lpc *d = (Lpc *)dev;
    memset(d->pci.bus->pirq, 0, sizeof(d->pci.bus->pirq));
    memory_remove(d->w.regs);
}

static void lpc_reset(Device *dev)
{
    Lpc *d = (Lpc *)dev;
    pci_reset(&d->pci);
    memset(d->s.rcrb, 0, sizeof(d->s.rcrb));
    lpc_update_irqs(d);
    lpc_update_map(d);
}

/* Who drives a shared line is not saved by what listens: say it again. */
static bool lpc_post_load(void *dev, Error *err)
{
    Lpc *d = dev;
    d->s.isa_out &= ICH9_ROUTABLE;
    if (!pci_post_load(&d->pci, err)) {
        return false;
    }
    for (unsigned n = 0; n < 16; n++) {
        if (d->s.isa_out & (1u << n)) {
            irq_set(&d->w.isa[n], true);
        }
    }
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        if (d->s.gsi_out & (1u << i)) {
            irq_set(&d->w.gsi[i], true);
        }
    }
    lpc_update_map(d);
    return true;
}

static const StateField lpc_fields[] = {
    STATE_SUB(LpcState, pci, pci_state), STATE_U16(LpcState, isa_out),
    STATE_U8(LpcState, gsi_out), STATE_BYTES(LpcState, rcrb), STATE_END
};

const DeviceClass ich9_lpc_class = {
    .name = "ICH9-LPC", .desc = "LPC bridge, interrupt router", .bus = BUS_PCI,
    .size = sizeof(Lpc), .internal = true,
    .bus_data = &(const PciInfo){
        .vendor = 0x8086, .device = 0x2918, .class_code = 0x060100, .revision = 2,
        .subsys_vendor = 0x1af4, .subsys = 0x1100,
        .state_offset = offsetof(Lpc, s.pci), .config_written = lpc_config_written,
    },
    .state = { .version = 1, .offset = offsetof(Lpc, s), .size = sizeof(LpcState),
               .fields = lpc_fields, .post_load = lpc_post_load },
    .realize = lpc_realize, .unrealize = lpc_unrealize, .reset = lpc_reset,
};

Device *ich9_lpc_create(PciBus *bus, unsigned devfn, const Ich9Wiring *w, Error *err)
{
    Device *dev = device_create(bus->bus.machine, &ich9_lpc_class);
    ((Lpc *)dev)->w = *w;
    dev->addr = devfn;
    return device_realize(dev, &bus->bus, err) ? dev : NULL;
}

uint16_t ich9_lpc_pm_base(Device *dev)
{
    return pm_base(DEVICE_AS(dev, Lpc, ich9_lpc_class));
}
