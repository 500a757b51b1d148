/* SPDX-License-Identifier: MIT */
/*
 * Host bridge 82441FX (PMC): configuration mechanism #1 ports, reset control, and the PAM
 * registers that shadow the BIOS area. Intel 290549 (440FX PCIset), 3.1 and 3.2.
 * Two devices: the host side (ports, the bus) and function 00.0 on that bus.
 * Left out: SMRAM, DRAM timing and row registers are plain storage. Machine lock held.
 */
#include "hw/pci/host.h"

#include "hw/core/machine.h"
#include "hw/pci/pam.h"
#include "util/bytes.h"

/* --- function 00.0 --- */

enum { PAM0 = 0x59 };

typedef struct {
    PciState pci;
} I440fxState;

typedef struct I440fx {
    PciDevice pci;
    I440fxState s;
    PciHostConfig cfg;
    PamUnit pam;
} I440fx;

static void pam_update(I440fx *d)
{
    pam_unit_update(&d->pam, d->s.pci.config + PAM0);
}

static void i440fx_config_written(PciDevice *pci, unsigned off, unsigned size)
{
    if (off < PAM0 + 7u && PAM0 < off + size) {
        pam_update((I440fx *)pci);
    }
}

static bool i440fx_realize(Device *dev, Error *err)
{
    I440fx *d = (I440fx *)dev;
    uint8_t *cfg = d->s.pci.config, *wm = d->pci.wmask;
    /* The bridge always masters and decodes memory; status: fast back-to-back, medium. */
    put_le16(cfg + PCI_COMMAND, PCI_CMD_MASTER | PCI_CMD_MEM);
    put_le16(wm + PCI_COMMAND, PCI_CMD_SERR);
    put_le16(cfg + PCI_STATUS, 0x0280);
    cfg[PCI_IRQ_PIN] = 0;
    for (unsigned i = 0x50; i < 0x100; i++) {
        wm[i] = 0xff;
    }
    for (unsigned i = 0; i < 7; i++) {
        wm[PAM0 + i] = 0x33;
        if (d->cfg.pam_ram_at_reset) {
            cfg[PAM0 + i] = i ? 0x33 : 0x30;
        }
    }
    cfg[0x72] = 0x02;   /* SMRAM: reset value; SMRAM itself is not modelled */
    wm[0x72] = 0x7f;
    pam_unit_init(&d->pam, &d->pci, d->cfg.ram);
    return true;
}

static void i440fx_reset(Device *dev)
{
    I440fx *d = (I440fx *)dev;
    pci_reset(&d->pci);
    pam_update(d);
}

static bool i440fx_post_load(void *dev, Error *err)
{
    I440fx *d = dev;
    if (!pci_post_load(&d->pci, err)) {
        return false;
    }
    pam_update(d);
    return true;
}

static const StateField i440fx_fields[] = {
    STATE_SUB(I440fxState, pci, pci_state), STATE_END
};

const DeviceClass i440fx_class = {
    .name = "i440FX", .desc = "host bridge function 00.0", .bus = BUS_PCI,
    .size = sizeof(I440fx), .internal = true,
    .bus_data = &(const PciInfo){
        .vendor = 0x8086, .device = 0x1237, .class_code = 0x060000, .revision = 2,
        .subsys_vendor = 0x1af4, .subsys = 0x1100,
        .state_offset = offsetof(I440fx, s.pci), .config_written = i440fx_config_written,
    },
    .state = { .version = 1, .offset = offsetof(I440fx, s), .size = sizeof(I440fxState),
               .fields = i440fx_fields, .post_load = i440fx_post_load },
    .realize = i440fx_realize, .reset = i440fx_reset,
};

/* --- the host side: ports and the bus --- */

typedef struct {
    uint32_t address;   /* CONFADD, port 0xcf8 (3.1.1) */
    uint8_t rcr;        /* reset control, port 0xcf9 (PIIX3 RC register, 290550 2.5.4.5) */
} HostState;

typedef struct {
    Device dev;
    HostState s;
    MemoryRegion addr_mr, data_mr, low_view, low_hole;
    PciBus *bus;
} Host;

enum { RCR_FULL = 2, RCR_RESET = 4 };

/* Byte accesses to 0xcf8-0xcfb do not reach CONFADD (3.1.1); the one to 0xcf9 is the reset
 * control register, which is why that register lives here. */
static uint64_t host_addr_read(void *opaque, uint64_t addr, unsigned size)
{
    Host *d = opaque;
    if (size == 4) {
        return d->s.address;
    }
    return size == 1 && addr == 1 ? d->s.rcr : ~0ull;
}

static void host_addr_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Host *d = opaque;
    if (size == 4) {
        d->s.address = val & 0x80fffffc;
    } else if (size == 1 && addr == 1) {
        bool rising = (val & RCR_RESET) && !(d->s.rcr & RCR_RESET);
        d->s.rcr = val & RCR_FULL;
        if (rising) {
            machine_request_reset(d->dev.machine);
        }
    }
}

static uint64_t host_data_read(void *opaque, uint64_t addr, unsigned size)
{
    Host *d = opaque;
    return pci_bus_config_read(d->bus, d->s.address | addr, size);
}

static void host_data_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Host *d = opaque;
    pci_bus_config_write(d->bus, d->s.address | addr, val, size);
}

static const MemoryOps host_addr_ops = {
    .read = host_addr_read, .write = host_addr_write, .min_size = 1, .max_size = 4,
};
static const MemoryOps host_data_ops = {
    .read = host_data_read, .write = host_data_write, .min_size = 1, .max_size = 4,
};

static const MemoryOps hole_ops = { .read = NULL }; /* reads as ones */

static bool host_realize(Device *dev, Error *err)
{
    Host *d = (Host *)dev;
    Machine *m = dev->machine;
    d->bus = pci_bus_create(m, dev, "pci.0");
    device_map(dev, &m->mem_root, &d->bus->mem, 0, -1);
    device_map(dev, &m->io_root, &d->bus->io, 0, -1);
    /* Below 1 MiB nothing of RAM shows where no ROM or card answers. */
    device_add_io(dev, &d->low_hole, "pci-hole", 0x60000, &hole_ops, d);
    device_map(dev, &d->bus->mem, &d->low_hole, 0xa0000, -1);
    memory_init_alias(&d->low_view, m, "pci-low", &d->bus->mem, 0xa0000, 0x60000);
    device_map(dev, &m->mem_root, &d->low_view, 0xa0000, 1);
    device_add_ports(dev, &d->addr_mr, "pci-config-address", 0xcf8, 4, &host_addr_ops, d);
    device_add_ports(dev, &d->data_mr, "pci-config-data", 0xcfc, 4, &host_data_ops, d);
    return true;
}

static void host_reset(Device *dev)
{
    Host *d = (Host *)dev;
    d->s = (HostState){ 0 };
}

static const StateField host_fields[] = {
    STATE_U32(HostState, address), STATE_U8(HostState, rcr), STATE_END
};

const DeviceClass i440fx_host_class = {
    .name = "i440FX-pcihost", .desc = "PCI host bridge, configuration ports",
    .bus = BUS_NONE, .size = sizeof(Host), .internal = true,
    .state = { .version = 1, .offset = offsetof(Host, s), .size = sizeof(HostState),
               .fields = host_fields },
    .realize = host_realize, .reset = host_reset,
};

PciBus *pci_host_create(struct Machine *m, const PciHostConfig *cfg, Error *err)
{
    Device *host = device_create(m, &i440fx_host_class);
    if (!device_realize(host, NULL, err)) {
        return NULL;
    }
    PciBus *bus = ((Host *)host)->bus;
    bus->msi = cfg->msi;
    bus->msi_opaque = cfg->msi_opaque;
    return bus;
}

PciBus *pci_i440fx_create(struct Machine *m, const PciHostConfig *cfg, Error *err)
{
    PciBus *bus = pci_host_create(m, cfg, err);
    if (!bus) {
        return NULL;
    }
    Device *fn = device_create(m, &i440fx_class);
    ((I440fx *)fn)->cfg = *cfg;
    fn->addr = 0;
    if (!device_realize(fn, &bus->bus, err)) {
        return NULL;
    }
    return bus;
}
