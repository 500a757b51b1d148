/* SPDX-License-Identifier: MIT */
/*
 * The standard VGA card as a PCI function: linear frame buffer (BAR 0), a page of
 * memory-mapped registers (BAR 2) as drivers of this card know it: EDID at 0, VGA ports
 * 3C0-3DF at 0x400, dispi registers at 0x500, byte order at 0x600. Machine lock held.
 */
#include "hw/display/display_devices.h"

#include <string.h>
#include "hw/core/machine.h"
#include "hw/display/vga_int.h"
#include "hw/pci/pci.h"
#include "util/bytes.h"

enum {
    MMIO_SIZE = 4096, MMIO_PORTS = 0x400, MMIO_DISPI = 0x500, MMIO_EXT = 0x600,
    EXT_SIZE = 8,
};
#define LITTLE_ENDIAN_MARK 0x1e1e1e1eu

typedef struct {
    PciState pci;
    VgaState vga;
} VgaPciState;

typedef struct {
    PciDevice pci;
    VgaPciState s;
    Vga vga;
    MemoryRegion mmio;
    uint8_t edid[128];
    uint32_t vgamem_mb, xres, yres;     /* properties */
    bool edid_on;                       /* property */
} VgaPci;

static uint64_t mmio_read(void *opaque, uint64_t addr, unsigned size)
{
    VgaPci *d = opaque;
    if (addr < MMIO_PORTS) {
        uint64_t v = 0;
        for (unsigned i = 0; i < size && d->edid_on && addr + i < sizeof(d->edid); i++) {
            v |= (uint64_t)d->edid[addr + i] << 8 * i;
        }
        return v;
    }
    if (addr < MMIO_PORTS + 0x20) {
        uint64_t v = 0;
        for (unsigned i = 0; i < size; i++) {
            v |= (uint64_t)vga_port_read(&d->vga, 0x3c0 + addr - MMIO_PORTS + i) << 8 * i;
        }
        return v;
    }
    if (addr >= MMIO_DISPI && addr < MMIO_DISPI + 2 * DISPI_REGS) {
        uint32_t v = vbe_read(&d->vga, (addr - MMIO_DISPI) / 2);
        return size == 4 ? v | vbe_read(&d->vga, (addr - MMIO_DISPI) / 2 + 1) << 16
                         : v >> 8 * (addr & 1);
    }
    if (addr >= MMIO_EXT && addr < MMIO_EXT + EXT_SIZE) {
        return addr < MMIO_EXT + 4 ? EXT_SIZE : LITTLE_ENDIAN_MARK;
    }
    return 0;
}

static void mmio_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    VgaPci *d = opaque;
    if (addr >= MMIO_PORTS && addr < MMIO_PORTS + 0x20) {
        for (unsigned i = 0; i < size; i++) {
            vga_port_write(&d->vga, 0x3c0 + addr - MMIO_PORTS + i, val >> 8 * i);
        }
    } else if (addr >= MMIO_DISPI && addr < MMIO_DISPI + 2 * DISPI_REGS && size >= 2) {
        vbe_write(&d->vga, (addr - MMIO_DISPI) / 2, val);
        if (size == 4) {
            vbe_write(&d->vga, (addr - MMIO_DISPI) / 2 + 1, val >> 16);
        }
    }
}

static const MemoryOps mmio_ops = {
    .read = mmio_read, .write = mmio_write, .min_size = 1, .max_size = 4,
};

static void follow_command(VgaPci *d)
{
    unsigned cmd = get_le16(d->s.pci.config + PCI_COMMAND);
    bool io = cmd & PCI_CMD_IO, mem = cmd & PCI_CMD_MEM;
    if (io != d->vga.decode_io || mem != d->vga.decode_mem) {
        vga_set_decode(&d->vga, io, mem);
    }
}

static void vga_pci_config_written(PciDevice *pci, unsigned off, unsigned size)
{
    follow_command((VgaPci *)pci);
}

static bool vga_pci_realize(Device *dev, Error *err)
{
    VgaPci *d = (VgaPci *)dev;
    if (d->vgamem_mb & (d->vgamem_mb - 1)) {
        return error_set(err, "vgamem_mb: %u is not accepted: expected a power of two, 1 to "
                         "256", d->vgamem_mb);
    }
    PciBus *bus = d->pci.bus;
    if (!pci_add_rom(&d->pci, err) ||
        !vga_init(&d->vga, dev, &d->s.vga, d->vgamem_mb * MiB, &bus->mem, &bus->io, err)) {
        return false;
    }
    d->vga.decode_io = d->vga.decode_mem = true; /* as the regions are now */
    vga_set_decode(&d->vga, false, false);
    pci_add_bar(&d->pci, 0, PCI_BAR_MEM32 | PCI_BAR_PREFETCH, &d->vga.vram);
    device_add_io(dev, &d->mmio, "vga-registers", MMIO_SIZE, &mmio_ops, d);
    pci_add_bar(&d->pci, 2, PCI_BAR_MEM32, &d->mmio);
    edid_make(d->edid, d->xres, d->yres);
    return true;
}

static void vga_pci_unrealize(Device *dev)
{
    vga_destroy(&((VgaPci *)dev)->vga);
}

static void vga_pci_reset(Device *dev)
{
    VgaPci *d = (VgaPci *)dev;
    pci_reset(&d->pci);
    follow_command(d);
    vga_reset(&d->vga);
}

static bool vga_pci_post_load(void *dev, Error *err)
{
    VgaPci *d = dev;
    if (!pci_post_load(&d->pci, err)) {
        return false;
    }
    follow_command(d);
    return vga_post_load(&d->vga, err);
}

static const Property vga_pci_props[] = {
    PCI_PROPS(VgaPci),
    PCI_ROM_PROPS(VgaPci, "vgabios-stdvga.bin"),
    PROP_U32(VgaPci, vgamem_mb, 16, 1, 256, "video memory in MiB, a power of two"),
    { "edid", PK_BOOL, offsetof(VgaPci, edid_on), 1, 0, 1, NULL, NULL, NULL,
      "tell drivers of a monitor" },
    PROP_U32(VgaPci, xres, 1280, 320, 2560, "preferred width told by EDID"),
    PROP_U32(VgaPci, yres, 800, 200, 1600, "preferred height told by EDID"),
    PROP_END
};

static const StateField vga_pci_fields[] = {
    STATE_SUB(VgaPciState, pci, pci_state), STATE_SUB(VgaPciState, vga, vga_state), STATE_END
};

static const char *const vga_pci_aliases[] = { "std", "vga", NULL };

const DeviceClass vga_pci_class = {
    .name = "VGA", .aliases = vga_pci_aliases, .desc = "standard VGA with frame buffer",
    .bus = BUS_PCI, .size = sizeof(VgaPci), .props = vga_pci_props,
    .bus_data = &(const PciInfo){
        .vendor = 0x1234, .device = 0x1111, .class_code = 0x030000, .revision = 2,
        .subsys_vendor = 0x1af4, .subsys = 0x1100,
        .state_offset = offsetof(VgaPci, s.pci), .config_written = vga_pci_config_written,
    },
    .state = { .version = 1, .offset = offsetof(VgaPci, s), .size = sizeof(VgaPciState),
               .fields = vga_pci_fields, .post_load = vga_pci_post_load },
    .realize = vga_pci_realize, .unrealize = vga_pci_unrealize, .reset = vga_pci_reset,
};

void vga_pci_post_text(Device *dev)
{
    VgaPci *d = DEVICE_AS(dev, VgaPci, vga_pci_class);
    uint32_t cmd = pci_config_read(&d->pci, PCI_COMMAND, 2);
    pci_config_write(&d->pci, PCI_COMMAND, cmd | PCI_CMD_IO | PCI_CMD_MEM, 2);
    vga_post_text(dev, &d->vga);
}
