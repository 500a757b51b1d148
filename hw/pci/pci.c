/* SPDX-License-Identifier: MIT */
/*
 * The PCI bus and what every function has: configuration space, BAR mapping, INTx, state.
 * PCI Local Bus Specification 3.0, chapter 6. One bus, no bridges to further buses.
 * Functions appear at machine creation; hot-plug is not modelled. Machine lock held.
 */
#include "hw/pci/pci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hw/core/machine.h"
#include "hw/pci/msix.h"
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/log.h"

static const StateField pci_state_fields[] = {
    STATE_BYTES(PciState, config), STATE_BYTES(PciState, msix_table),
    STATE_BYTES(PciState, msix_pba), STATE_U8(PciState, msi_pending),
    STATE_BOOL(PciState, intx), STATE_END
};
const StateDesc pci_state = {
    .version = 1, .size = sizeof(PciState), .fields = pci_state_fields,
};

/* --- BARs --- */

static uint64_t bar_address(const PciDevice *d, unsigned n)
{
    const PciBar *b = &d->bars[n];
    const uint8_t *cfg = d->s->config;
    uint64_t addr = get_le32(cfg + PCI_BAR0 + 4 * n);
    switch (b->kind & ~PCI_BAR_PREFETCH) {
    case PCI_BAR_IO:
        return addr & ~3ull;
    case PCI_BAR_MEM64:
        addr |= (uint64_t)get_le32(cfg + PCI_BAR0 + 4 * n + 4) << 32;
        break;
    default:
        break;
    }
    return addr & ~15ull;
}

/* Address 0 is what a BAR holds before firmware assigned it, and the top of the space is
 * what it holds while being sized: neither is decoded. */
static bool bar_decodes(const PciDevice *d, unsigned n, uint64_t addr)
{
    const PciBar *b = &d->bars[n];
    unsigned kind = b->kind & ~PCI_BAR_PREFETCH;
    unsigned need = kind == PCI_BAR_IO ? PCI_CMD_IO : PCI_CMD_MEM;
    uint64_t last = kind == PCI_BAR_IO ? 0xffff
                    : kind == PCI_BAR_MEM32 ? 0xffffefff : (1ull << 52) - 1;
    return (d->s->config[PCI_COMMAND] & need) && addr && addr <= last &&
           b->size - 1 <= last - addr;
}

/* Expansion ROM BAR (6.2.5.2): bit 0 enables, the command register must allow memory. */
static void pci_update_rom(PciDevice *d)
{
    uint32_t bar = get_le32(d->s->config + PCI_ROM_BAR);
    uint64_t addr = bar & ~0x7ffu;
    if (!d->rom_size) {
        return;
    }
    bool on = (bar & 1) && (d->s->config[PCI_COMMAND] & PCI_CMD_MEM) && addr &&
              addr <= 0xffffefff && d->rom_size - 1 <= 0xffffefff - addr;
    memory_set_enabled(&d->rom_mr, false);
    if (on) {
        memory_set_addr(&d->rom_mr, addr);
        memory_set_enabled(&d->rom_mr, true);
    }
    d->rom_mapped = on;
}

static void pci_update_bars(PciDevice *d)
{
    memory_begin(d->dev.machine);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        PciBar *b = &d->bars[n];
        if (!b->mr) {
            continue;
        }
        uint64_t addr = bar_address(d, n);
        bool on = bar_decodes(d, n, addr);
        if (on == b->mapped && (!on || addr == b->mr->addr)) {
            continue;
        }
        memory_set_enabled(b->mr, false);
        if (on) {
            memory_set_addr(b->mr, addr);
            memory_set_enabled(b->mr, true);
        }
        b->mapped = on;
    }
    pci_update_rom(d);
    memory_commit(d->dev.machine);
}

void pci_add_bar(PciDevice *d, unsigned n, enum PciBarKind kind, MemoryRegion *mr)
{
    PciBar *b = &d->bars[n];
    unsigned type = kind & ~PCI_BAR_PREFETCH;
    uint8_t *cfg = d->s->config + PCI_BAR0 + 4 * n;
    uint8_t *wm = d->wmask + PCI_BAR0 + 4 * n;
    b->mr = mr;
    b->size = mr->size;
    b->kind = kind;
    uint64_t mask = ~(b->size - 1);
    put_le32(wm, mask & (type == PCI_BAR_IO ? ~3u : ~15u));
    uint32_t low = type == PCI_BAR_IO ? 1 : type == PCI_BAR_MEM64 ? 4 : 0;
    put_le32(cfg, low | (kind & PCI_BAR_PREFETCH ? 8 : 0));
    if (type == PCI_BAR_MEM64) {
        put_le32(wm + 4, mask >> 32);
        put_le32(cfg + 4, 0);
    }
    memory_begin(d->dev.machine);
    device_map(&d->dev, type == PCI_BAR_IO ? &d->bus->io : &d->bus->mem, mr, 0, 0);
    memory_set_enabled(mr, false);
    memory_commit(d->dev.machine);
}

/* malloc'ed path of an option ROM. */
static char *find_rom(const char *name)
{
    static const char *const dirs[] = { "/usr/share/seabios", "/usr/share/qemu",
                                        "/usr/lib/ipxe/qemu" };
    for (size_t i = 0; i < ARRAY_SIZE(dirs) && !strchr(name, '/'); i++) {
        char *path = xasprintf("%s/%s", dirs[i], name);
        if (access(path, R_OK) == 0) {
            return path;
        }
        free(path);
    }
    return xstrdup(name);
}

static bool load_rom(PciDevice *d, FILE *f, const char *path, Error *err)
{
    long n = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    uint64_t size = 4096;
    if (n <= 0 || n > (long)(16 * MiB)) {
        return error_set(err, "romfile: %s has no size that an option ROM can have", path);
    }
    while (size < (uint64_t)n) {
        size *= 2;
    }
    if (!memory_init_rom(&d->rom_mr, d->dev.machine, "option-rom", size, err)) {
        return false;
    }
    rewind(f);
    if (fread(memory_host(&d->rom_mr), 1, n, f) != (size_t)n) {
        return error_set(err, "romfile: %s: cannot be read", path);
    }
    d->rom_mr.size = d->rom_size = size;
    put_le32(d->wmask + PCI_ROM_BAR, ~(uint32_t)(size - 1) | 1);
    device_map(&d->dev, &d->bus->mem, &d->rom_mr, 0, 0);
    memory_set_enabled(&d->rom_mr, false);
    return true;
}

bool pci_add_rom(PciDevice *d, Error *err)
{
    if (!d->romfile || !*d->romfile) {
        return true;
    }
    char *path = find_rom(d->romfile);
    FILE *f = fopen(path, "rb");
    memory_begin(d->dev.machine);
    bool ok = f ? load_rom(d, f, path, err)
                : error_set(err, "romfile: %s: %s", path, strerror(errno));
    memory_commit(d->dev.machine);
    if (f) {
        fclose(f);
    }
    free(path);
    return ok;
}

unsigned pci_add_cap(PciDevice *d, uint8_t id, unsigned size)
{
    unsigned off = d->cap_end;
    uint8_t *cfg = d->s->config;
    cfg[off] = id;
    cfg[off + 1] = cfg[PCI_CAP_PTR];
    cfg[PCI_CAP_PTR] = off;
    cfg[PCI_STATUS] |= PCI_STATUS_CAPS;
    d->cap_end = ALIGN_UP(off + size, 4);
    return off;
}

/* --- INTx --- */

unsigned pci_pirq(const PciBus *bus, unsigned slot, unsigned pin)
{
    return bus->pirq_of ? bus->pirq_of(slot, pin) & (PCI_PIRQS - 1) : (pin + slot - 1) & 3;
}

static bool pci_drives_pin(const PciDevice *d)
{
    return d->s->intx && d->s->config[PCI_IRQ_PIN] &&
           !(get_le16(d->s->config + PCI_COMMAND) & PCI_CMD_INTX_OFF);
}

/* A PIRQ is the wired OR of all pins on it. */
static void pci_update_pirqs(PciBus *bus, bool drive)
{
    bool level[PCI_PIRQS] = { false };
    for (unsigned i = 0; i < PCI_DEVFNS; i++) {
        if (bus->fn[i] && pci_drives_pin(bus->fn[i])) {
            level[pci_pirq(bus, i >> 3, bus->fn[i]->s->config[PCI_IRQ_PIN] - 1u)] = true;
        }
    }
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        if (level[i] != bus->pirq_level[i]) {
            bus->pirq_level[i] = level[i];
            if (drive) {
                irq_set(&bus->pirq[i], level[i]);
            }
        }
    }
}

void pci_set_intx(PciDevice *d, bool level)
{
    if (d->s->intx == level) {
        return;
    }
    d->s->intx = level;
    d->s->config[PCI_STATUS] &= ~PCI_STATUS_INTX;
    if (level) {
        d->s->config[PCI_STATUS] |= PCI_STATUS_INTX;
    }
    pci_update_pirqs(d->bus, true);
}

/* --- configuration space --- */

uint32_t pci_config_read(PciDevice *d, unsigned off, unsigned size)
{
    if (size > 4 || off > PCI_CONFIG_SIZE - size) {
        return ~0u;
    }
    if (d->info->config_reading) {
        d->info->config_reading(d, off, size);
    }
    uint32_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (uint32_t)d->s->config[off + i] << (8 * i);
    }
    return v;
}

static bool touches(unsigned off, unsigned size, unsigned start, unsigned len)
{
    return off < start + len && start < off + size;
}

void pci_config_write(PciDevice *d, unsigned off, uint32_t val, unsigned size)
{
    if (size > 4 || off > PCI_CONFIG_SIZE - size) {
        return;
    }
    uint8_t *cfg = d->s->config;
    for (unsigned i = 0; i < size; i++) {
        uint8_t b = val >> (8 * i), wm = d->wmask[off + i];
        cfg[off + i] = (cfg[off + i] & ~wm) | (b & wm);
        cfg[off + i] &= ~(b & d->w1c[off + i]);
    }
    if (touches(off, size, PCI_COMMAND, 2) || touches(off, size, PCI_BAR0, 4 * PCI_BARS) ||
        touches(off, size, PCI_ROM_BAR, 4)) {
        pci_update_bars(d);
    }
    if (touches(off, size, PCI_COMMAND, 2)) {
        pci_update_pirqs(d->bus, true);
    }
    msix_config_written(d, off, size);
    if (d->info->config_written) {
        d->info->config_written(d, off, size);
    }
}

/* Bit 31 enable, 23..16 bus, 15..8 function, 7..2 register (3.2.2.3.2). */
static PciDevice *pci_target(PciBus *bus, uint32_t addr)
{
    if (!(addr & 1u << 31) || (addr & 0x00ff0000)) {
        return NULL;
    }
    return bus->fn[(addr >> 8) & 0xff];
}

uint32_t pci_bus_config_read(PciBus *bus, uint32_t addr, unsigned size)
{
    PciDevice *d = pci_target(bus, addr);
    return d ? pci_config_read(d, addr & 0xff, size) : ~0u;
}

void pci_bus_config_write(PciBus *bus, uint32_t addr, uint32_t val, unsigned size)
{
    PciDevice *d = pci_target(bus, addr);
    if (d) {
        pci_config_write(d, addr & 0xff, val, size);
    }
}

/* --- reset and state --- */

void pci_reset(PciDevice *d)
{
    PciState *s = d->s;
    s->intx = false;
    pci_update_pirqs(d->bus, true);
    memcpy(s->config, d->reset_config, sizeof(s->config));
    msix_reset(d);
    pci_update_bars(d);
}

bool pci_post_load(PciDevice *d, Error *err)
{
    uint8_t *cfg = d->s->config;
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
        uint8_t free_bits = d->wmask[i] | d->w1c[i];
        uint8_t fixed = d->reset_config[i];
        if (i == PCI_STATUS) {
            fixed |= d->s->intx ? PCI_STATUS_INTX : 0;
        }
        cfg[i] = (cfg[i] & free_bits) | (fixed & ~free_bits);
    }
    pci_update_bars(d);
    /* The levels are in the saved state of those who listen: do not drive them again. */
    pci_update_pirqs(d->bus, false);
    return true;
}

bool pci_device_post_load(void *dev, Error *err)
{
    return pci_post_load(dev, err);
}

/* --- info pci --- */

static void pci_dump_fn(const PciDevice *d, FILE *f)
{
    const uint8_t *cfg = d->s->config;
    fprintf(f, "  %02x.%x: %04x:%04x class %02x%02x rev %02x  %s%s%s\n", d->devfn >> 3,
            d->devfn & 7, get_le16(cfg), get_le16(cfg + 2), cfg[0xb], cfg[0xa], cfg[8],
            d->dev.cls->name, d->dev.id ? "  id " : "", d->dev.id ? d->dev.id : "");
    if (cfg[PCI_IRQ_PIN]) {
        fprintf(f, "        IRQ %u, pin %c%s\n", cfg[PCI_IRQ_LINE],
                'A' + cfg[PCI_IRQ_PIN] - 1, d->s->intx ? ", asserted" : "");
    }
    for (unsigned n = 0; n < PCI_BARS; n++) {
        const PciBar *b = &d->bars[n];
        if (b->mr) {
            fprintf(f, "        BAR%u: %s at 0x%llx, 0x%llx bytes%s\n", n,
                    (b->kind & 7) == PCI_BAR_IO ? "I/O" : (b->kind & 7) == PCI_BAR_MEM64
                    ? "64-bit memory" : "32-bit memory",
                    (unsigned long long)bar_address(d, n), (unsigned long long)b->size,
                    b->mapped ? "" : " (off)");
        }
    }
    if (d->rom_size) {
        fprintf(f, "        ROM: at 0x%x, 0x%llx bytes%s\n",
                get_le32(cfg + PCI_ROM_BAR) & ~0x7ffu, (unsigned long long)d->rom_size,
                d->rom_mapped ? "" : " (off)");
    }
}

static void pci_dump(Bus *b, void *file)
{
    PciBus *bus = (PciBus *)b;
    fprintf(file, "bus %s\n", b->name);
    for (unsigned i = 0; i < PCI_DEVFNS; i++) {
        if (bus->fn[i]) {
            pci_dump_fn(bus->fn[i], file);
        }
    }
}

/* --- the bus --- */

static bool pci_parse_addr(const char *text, unsigned *devfn, Error *err)
{
    char *end;
    unsigned long slot = strtoul(text, &end, 16), fn = 0;
    bool ok = end != text && slot < 32;
    if (ok && *end == '.') {
        const char *p = end + 1;
        fn = strtoul(p, &end, 16);
        ok = end != p && fn < 8;
    }
    if (!ok || *end) {
        return error_set(err, "addr: '%s' is not accepted: expected slot or slot.function, "
                         "slot 0..1f and function 0..7, hexadecimal", text);
    }
    *devfn = slot << 3 | fn;
    return true;
}

static bool pci_pick_devfn(PciBus *bus, PciDevice *d, unsigned *devfn, Error *err)
{
    if (d->addr_text) {
        if (!pci_parse_addr(d->addr_text, devfn, err)) {
            return false;
        }
    } else if (d->dev.addr >= 0) {
        *devfn = d->dev.addr;
    } else {
        unsigned slot = 1;
        for (; slot < 32; slot++) {
            bool used = false;
            for (unsigned f = 0; f < 8; f++) {
                used |= bus->fn[slot << 3 | f] != NULL;
            }
            if (!used) {
                break;
            }
        }
        if (slot == 32) {
            return error_set(err, "bus %s has no free slot", bus->bus.name);
        }
        *devfn = slot << 3;
    }
    if (*devfn >= PCI_DEVFNS) {
        return error_set(err, "addr: function number %u is out of range", *devfn);
    }
    if (bus->fn[*devfn]) {
        return error_set(err, "addr: %02x.%x of bus %s is taken by %s", *devfn >> 3,
                         *devfn & 7, bus->bus.name, bus->fn[*devfn]->dev.cls->name);
    }
    return true;
}

/* Function 0 says whether the others are worth a look (6.2.1, header type bit 7). */
static void pci_mark_multifunction(PciBus *bus, unsigned slot)
{
    PciDevice *d0 = bus->fn[slot << 3];
    bool multi = d0 && d0->multifunction;
    for (unsigned f = 1; f < 8; f++) {
        multi |= bus->fn[slot << 3 | f] != NULL;
    }
    if (d0 && multi) {
        d0->s->config[PCI_HEADER_TYPE] |= 0x80;
        d0->reset_config[PCI_HEADER_TYPE] |= 0x80;
    }
}

static void pci_init_config(PciDevice *d)
{
    const PciInfo *in = d->info;
    uint8_t *cfg = d->s->config;
    memset(cfg, 0, PCI_CONFIG_SIZE);
    memset(d->wmask, 0, sizeof(d->wmask));
    memset(d->w1c, 0, sizeof(d->w1c));
    put_le16(cfg + PCI_VENDOR_ID, in->vendor);
    put_le16(cfg + PCI_DEVICE_ID, in->device);
    cfg[PCI_REVISION] = in->revision;
    cfg[PCI_CLASS_PROG] = in->class_code;
    put_le16(cfg + PCI_CLASS_PROG + 1, in->class_code >> 8);
    put_le16(cfg + PCI_SUBSYS_VENDOR, in->subsys_vendor);
    put_le16(cfg + PCI_SUBSYS_ID, in->subsys);
    cfg[PCI_IRQ_PIN] = in->irq_pin;
    put_le16(d->wmask + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER |
                                         PCI_CMD_PARITY | PCI_CMD_SERR |
                                         PCI_CMD_INTX_OFF);
    put_le16(d->w1c + PCI_STATUS, 0xf900);
    d->wmask[PCI_CACHE_LINE] = 0xff;
    d->wmask[PCI_LATENCY] = 0xff;
    d->wmask[PCI_IRQ_LINE] = 0xff;
    d->cap_end = 0x40;
}

static bool pci_plug(Bus *b, Device *dev, Error *err)
{
    PciBus *bus = (PciBus *)b;
    PciDevice *d = (PciDevice *)dev;
    d->info = dev->cls->bus_data;
    d->s = (PciState *)((char *)dev + d->info->state_offset);
    d->bus = bus;
    unsigned devfn = 0;
    if (!pci_pick_devfn(bus, d, &devfn, err)) {
        return false;
    }
    d->devfn = devfn;
    dev->addr = devfn;
    pci_init_config(d);
    bus->fn[devfn] = d;
    return true;
}

static bool pci_plugged(Bus *b, Device *dev, Error *err)
{
    PciDevice *d = (PciDevice *)dev;
    memcpy(d->reset_config, d->s->config, sizeof(d->reset_config));
    pci_mark_multifunction(d->bus, d->devfn >> 3);
    return true;
}

static void pci_unplug(Bus *b, Device *dev)
{
    PciBus *bus = (PciBus *)b;
    PciDevice *d = (PciDevice *)dev;
    if (!d->bus || bus->fn[d->devfn] != d) {
        return;
    }
    for (unsigned n = 0; n < PCI_BARS; n++) {
        if (d->bars[n].mr) {
            memory_remove(d->bars[n].mr);
            d->bars[n].mr = NULL;
        }
    }
    if (d->rom_size) {
        memory_remove(&d->rom_mr);
    }
    bus->fn[d->devfn] = NULL;
    pci_update_pirqs(bus, true);
}

const BusClass pci_bus_class = {
    .name = "pci", .kind = BUS_PCI,
    .plug = pci_plug, .unplug = pci_unplug, .plugged = pci_plugged, .dump = pci_dump,
};

PciBus *pci_bus_create(struct Machine *m, Device *owner, const char *name)
{
    PciBus *bus = (PciBus *)bus_create(m, owner, &pci_bus_class, name, sizeof(PciBus));
    memory_init_container(&bus->mem, m, "pci-memory", UINT64_MAX);
    memory_init_container(&bus->io, m, "pci-io", 0x10000);
    return bus;
}
