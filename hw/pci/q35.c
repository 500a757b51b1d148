/* SPDX-License-Identifier: MIT */
/*
 * Memory controller hub 82Q35: PAM registers and the window of memory-mapped configuration
 * space (PCIEXBAR). Intel 316966 (3 Series chipset), 5.1; PCI Express base specification
 * 2.0, 7.2.2 for the window's layout. Functions are conventional: their extended
 * configuration space reads as 0. Left out: SMRAM, DMI, the memory controller's own
 * registers; they are plain storage. Machine lock held.
 */
#include "hw/pci/host.h"

#include "hw/core/machine.h"
#include "hw/pci/pam.h"
#include "util/bytes.h"

enum { PCIEXBAR = 0x60, PAM0 = 0x90, SMRAM = 0x9d, ESMRAMC = 0x9e };
enum { PCIEX_ENABLE = 1, BUS_BYTES = 1 << 20 };
#define ECAM_MAX (256 * MiB)

typedef struct {
    PciState pci;
} MchState;

typedef struct {
    PciDevice pci;
    MchState s;
    MemoryRegion *ram;
    PamUnit pam;
    MemoryRegion ecam;
} Mch;

/* ---- the configuration window: bus 27..20, function 19..12, register 11..0 ---- */

static PciDevice *ecam_target(const Mch *d, uint64_t addr)
{
    return addr < BUS_BYTES ? d->pci.bus->fn[addr >> 12] : NULL;
}

static uint64_t ecam_read(void *opaque, uint64_t addr, unsigned size)
{
    Mch *d = opaque;
    PciDevice *fn = ecam_target(d, addr);
    unsigned off = addr & 0xfff;
    if (!fn) {
        return ~0ull;
    }
    return off < PCI_CONFIG_SIZE ? pci_config_read(fn, off, size) : 0;
}

static void ecam_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Mch *d = opaque;
    PciDevice *fn = ecam_target(d, addr);
    unsigned off = addr & 0xfff;
    /* SeaBIOS 1.16 sets PCIEXBAR up when it resumes from S3: off, high half, low half and on,
     * all through the window that the first step would shut. */
    if (fn == &d->pci && off == PCIEXBAR && !(val & PCIEX_ENABLE)) {
        return;
    }
    if (fn && off < PCI_CONFIG_SIZE) {
        pci_config_write(fn, off, val, size);
    }
}

static const MemoryOps ecam_ops = {
    .read = ecam_read, .write = ecam_write, .min_size = 1, .max_size = 4,
};

/* Bits 2:1: 256, 128 or 64 MiB, which is 256, 128 or 64 buses (5.1.12). */
static uint64_t ecam_size(const Mch *d)
{
    static const uint64_t sizes[4] = { 256 * MiB, 128 * MiB, 64 * MiB, 0 };
    return sizes[d->s.pci.config[PCIEXBAR] >> 1 & 3];
}

static uint64_t ecam_base(const Mch *d)
{
    const uint8_t *r = d->s.pci.config + PCIEXBAR;
    uint64_t size = ecam_size(d);
    if (!(r[0] & PCIEX_ENABLE) || !size) {
        return 0;
    }
    return (get_le32(r) | (uint64_t)(r[4] & 0xf) << 32) & ~(size - 1);
}

static void ecam_update(Mch *d)
{
    uint64_t base = ecam_base(d);
    memory_begin(d->pci.dev.machine);
    memory_set_enabled(&d->ecam, false);
    if (base) {
        d->ecam.size = ecam_size(d);
        memory_set_addr(&d->ecam, base);
        memory_set_enabled(&d->ecam, true);
    }
    memory_commit(d->pci.dev.machine);
}

/* ---- function 00.0 ---- */

static void mch_update(Mch *d)
{
    pam_unit_update(&d->pam, d->s.pci.config + PAM0);
    ecam_update(d);
}

static void mch_config_written(PciDevice *pci, unsigned off, unsigned size)
{
    if ((off < PAM0 + 7u && PAM0 < off + size) ||
        (off < PCIEXBAR + 8u && PCIEXBAR < off + size)) {
        mch_update((Mch *)pci);
    }
}

static bool mch_realize(Device *dev, Error *err)
{
    Mch *d = (Mch *)dev;
    uint8_t *cfg = d->s.pci.config, *wm = d->pci.wmask;
    put_le16(cfg + PCI_COMMAND, PCI_CMD_MASTER | PCI_CMD_MEM);
    put_le16(wm + PCI_COMMAND, PCI_CMD_SERR);
    put_le16(cfg + PCI_STATUS, 0x0080);
    for (unsigned i = 0x40; i < 0x100; i++) {
        wm[i] = 0xff;
    }
    put_le32(wm + PCIEXBAR, 0xfc000007);
    put_le32(wm + PCIEXBAR + 4, 0xf);
    for (unsigned i = 0; i < 7; i++) {
        wm[PAM0 + i] = i ? 0x33 : 0x30;
    }
    cfg[SMRAM] = 0x02;
    wm[SMRAM] = 0x78;
    cfg[ESMRAMC] = 0x38;
    wm[ESMRAMC] = 0;
    pam_unit_init(&d->pam, &d->pci, d->ram);
    device_add_io(dev, &d->ecam, "pci-ecam", ECAM_MAX, &ecam_ops, d);
    device_map(dev, &dev->machine->mem_root, &d->ecam, 0, 1);
    memory_set_enabled(&d->ecam, false);
    return true;
}

static void mch_reset(Device *dev)
{
    Mch *d = (Mch *)dev;
    pci_reset(&d->pci);
    mch_update(d);
}

static bool mch_post_load(void *dev, Error *err)
{
    Mch *d = dev;
    if (!pci_post_load(&d->pci, err)) {
        return false;
    }
    mch_update(d);
    return true;
}

static const StateField mch_fields[] = {
    STATE_SUB(MchState, pci, pci_state), STATE_END
};

const DeviceClass q35_mch_class = {
    .name = "mch", .desc = "memory controller hub, function 00.0", .bus = BUS_PCI,
    .size = sizeof(Mch), .internal = true,
    .bus_data = &(const PciInfo){
        .vendor = 0x8086, .device = 0x29c0, .class_code = 0x060000, .revision = 0,
        .subsys_vendor = 0x1af4, .subsys = 0x1100,
        .state_offset = offsetof(Mch, s.pci), .config_written = mch_config_written,
    },
    .state = { .version = 1, .offset = offsetof(Mch, s), .size = sizeof(MchState),
               .fields = mch_fields, .post_load = mch_post_load },
    .realize = mch_realize, .reset = mch_reset,
};

/* Slots 0 to 24 rotate over PIRQ E to H, the chipset's own 25 to 31 use A to D unrotated:
 * what firmware for this board assumes. */
static unsigned q35_pirq(unsigned slot, unsigned pin)
{
    return slot < 25 ? 4 + ((pin + slot) & 3) : pin & 3;
}

PciBus *pci_q35_create(struct Machine *m, const PciHostConfig *cfg, Error *err)
{
    PciBus *bus = pci_host_create(m, cfg, err);
    if (!bus) {
        return NULL;
    }
    bus->pirq_of = q35_pirq;
    Device *fn = device_create(m, &q35_mch_class);
    Mch *d = (Mch *)fn;
    d->ram = cfg->ram;
    fn->addr = 0;
    if (!device_realize(fn, &bus->bus, err)) {
        return NULL;
    }
    for (unsigned i = 0; i < 7 && cfg->pam_ram_at_reset; i++) {
        d->s.pci.config[PAM0 + i] = d->pci.reset_config[PAM0 + i] = i ? 0x33 : 0x30;
    }
    return bus;
}

uint64_t pci_q35_ecam(PciBus *bus)
{
    PciDevice *fn = bus->fn[0];
    return fn && fn->dev.cls == &q35_mch_class ? ecam_base((Mch *)fn) : 0;
}
