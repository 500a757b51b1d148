/* SPDX-License-Identifier: MIT */
/*
 * PIIX4 function 3: where the power management registers appear in I/O space. Intel 290562
 * (82371AB), 7.1. The registers themselves are a region the board gives. The SMBus host
 * and the device monitors are not modelled; their registers are storage. Machine lock.
 */
#include "hw/pci/host.h"

#include "hw/core/machine.h"
#include "util/bytes.h"

enum { PMBA = 0x40, DEVACTB = 0x58, PMREGMISC = 0x80, PMIOSE = 1 };
enum { DEVACTB_APMC_EN = 1 << 25 };

typedef struct {
    PciState pci;
} Piix4PmState;

typedef struct {
    PciDevice pci;
    Piix4PmState s;
    MemoryRegion *regs;
    uint16_t base;          /* reset value of PMBA, 0 = none */
} Piix4Pm;

static void piix4_pm_update(Piix4Pm *d)
{
    const uint8_t *cfg = d->s.pci.config;
    uint16_t addr = get_le16(cfg + PMBA) & 0xffc0;
    bool on = (cfg[PMREGMISC] & PMIOSE) && addr;
    memory_begin(d->pci.dev.machine);
    memory_set_enabled(d->regs, false);
    if (on) {
        memory_set_addr(d->regs, addr);
        memory_set_enabled(d->regs, true);
    }
    memory_commit(d->pci.dev.machine);
}

static void piix4_pm_config_written(PciDevice *pci, unsigned off, unsigned size)
{
    if ((off < PMBA + 4u && PMBA < off + size) ||
        (off < PMREGMISC + 1u && PMREGMISC < off + size)) {
        piix4_pm_update((Piix4Pm *)pci);
    }
}

static bool piix4_pm_realize(Device *dev, Error *err)
{
    Piix4Pm *d = (Piix4Pm *)dev;
    uint8_t *cfg = d->s.pci.config, *wm = d->pci.wmask;
    put_le16(cfg + PCI_STATUS, 0x0280);
    for (unsigned i = 0x44; i < 0xd4; i++) {
        wm[i] = 0xff;
    }
    put_le32(cfg + PMBA, d->base | 1);
    put_le32(wm + PMBA, 0xffc0);
    /* SMIs of port B2H look enabled: SeaBIOS takes that for "SMM is set up already" and
     * does not wait for a handler that would never run. */
    put_le32(cfg + DEVACTB, DEVACTB_APMC_EN);
    cfg[PMREGMISC] = d->base ? PMIOSE : 0;
    wm[PMREGMISC] = PMIOSE;
    memory_begin(dev->machine);
    memory_add(&d->pci.bus->io, d->regs, d->base, 0);
    memory_set_enabled(d->regs, d->base != 0);
    memory_commit(dev->machine);
    return true;
}

static void piix4_pm_unrealize(Device *dev)
{
    memory_remove(((Piix4Pm *)dev)->regs);
}

static void piix4_pm_reset(Device *dev)
{
    Piix4Pm *d = (Piix4Pm *)dev;
    pci_reset(&d->pci);
    piix4_pm_update(d);
}

static bool piix4_pm_post_load(void *dev, Error *err)
{
    Piix4Pm *d = dev;
    if (!pci_post_load(&d->pci, err)) {
        return false;
    }
    piix4_pm_update(d);
    return true;
}

static const StateField piix4_pm_fields[] = {
    STATE_SUB(Piix4PmState, pci, pci_state), STATE_END
};

const DeviceClass piix4_pm_class = {
    .name = "PIIX4_PM", .desc = "power management function", .bus = BUS_PCI,
    .size = sizeof(Piix4Pm), .internal = true,
    .bus_data = &(const PciInfo){
        .vendor = 0x8086, .device = 0x7113, .class_code = 0x068000, .revision = 3,
        .subsys_vendor = 0x1af4, .subsys = 0x1100, .irq_pin = 1,
        .state_offset = offsetof(Piix4Pm, s.pci),
        .config_written = piix4_pm_config_written,
    },
    .state = { .version = 1, .offset = offsetof(Piix4Pm, s), .size = sizeof(Piix4PmState),
               .fields = piix4_pm_fields, .post_load = piix4_pm_post_load },
    .realize = piix4_pm_realize, .unrealize = piix4_pm_unrealize, .reset = piix4_pm_reset,
};

uint16_t piix4_pm_base(Device *dev)
{
    const uint8_t *cfg = DEVICE_AS(dev, Piix4Pm, piix4_pm_class)->s.pci.config;
    return cfg[PMREGMISC] & PMIOSE ? get_le16(cfg + PMBA) & 0xffc0 : 0;
}

Device *piix4_pm_create(PciBus *bus, unsigned devfn, MemoryRegion *regs, uint16_t base,
                        Error *err)
{
    Device *dev = device_create(bus->bus.machine, &piix4_pm_class);
    Piix4Pm *d = (Piix4Pm *)dev;
    d->regs = regs;
    d->base = base & 0xffc0;
    dev->addr = devfn;
    return device_realize(dev, &bus->bus, err) ? dev : NULL;
}
