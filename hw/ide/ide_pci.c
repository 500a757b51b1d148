/* SPDX-License-Identifier: MIT */
/*
 * PIIX3 IDE function: two channels at the legacy ports, bus master DMA. Intel 290550
 * (PIIX/PIIX3), 2.5 (configuration), 2.6 (bus master registers), 3.5 (operation). Timing
 * registers are storage; channels switched off in IDETIM still answer. Machine lock held.
 */
#include "hw/ide/ide_int.h"

#include <string.h>
#include "hw/core/machine.h"
#include "util/bytes.h"
#include "util/log.h"

enum { IDETIM = 0x40, SIDETIM = 0x44, UDMACTL = 0x48, PRD_MAX = 8192 };
enum { BM_START = 1, BM_READ = 8 };                     /* BMICX: 1 = towards memory */
enum { BM_ACTIVE = 1, BM_ERROR = 2, BM_IRQ = 4, BM_CAPABLE = 0x60 };    /* BMISX */
enum { CTL_NIEN = 2, CTL_SRST = 4, CTL_HOB = 0x80 };

typedef struct {
    uint8_t select, control;
    bool irq;               /* INTRQ of the selected drive */
    uint8_t bm_cmd, bm_status;
    uint32_t bm_prd;
} ChannelState;

typedef struct {
    PciState pci;
    ChannelState ch[2];
} PiixIdeState;

typedef struct PiixIde PiixIde;

typedef struct {
    PiixIde *d;
    ChannelState *s;
    unsigned n;
    IdeBus *bus;
    MemoryRegion cmd_mr, ctl_mr;
    IrqLine line;
} Channel;

struct PiixIde {
    PciDevice pci;
    PiixIdeState s;
    Channel ch[2];
    MemoryRegion bm_mr;
    IrqLine irq[2];
};

static IdeDrive *selected(const Channel *c)
{
    return c->bus->unit[c->s->select & DEV_SLAVE ? 1 : 0];
}

static void update_line(Channel *c)
{
    irq_set(&c->line, c->s->irq && !(c->s->control & CTL_NIEN));
}

static void set_irq(Channel *c, bool on)
{
    if (on) {
        c->s->bm_status |= BM_IRQ;
    }
    c->s->irq = on;
    update_line(c);
}

/* --- bus master --- */

/* The table does not cross 64 KiB, so 8192 entries of any length is all there can be; it
 * ends there even if no entry is marked as the last. */
static void read_prds(Channel *c, SgList *sg, uint64_t want)
{
    uint32_t addr = c->s->bm_prd & ~3u;
    for (unsigned i = 0; i < PRD_MAX && sg->bytes < want; i++, addr += 8) {
        uint8_t e[8];
        if (!dma_read(c->d->pci.dev.machine, addr, e, sizeof(e))) {
            log_guest_error("%s: descriptor at %#x is no RAM\n", c->d->pci.dev.path, addr);
            break;
        }
        uint32_t n = get_le16(e + 4) & ~1u;
        sg_add(sg, get_le32(e) & ~1u, n ? n : 65536);
        if (e[7] & 0x80) {
            break;
        }
    }
}

static uint64_t want_bytes(const IdeDrive *d)
{
    const IdeState *s = &d->s;
    uint64_t n = s->buf_end - s->buf_pos;
    return s->medium ? n + (uint64_t)s->left * (s->raw ? CD_RAW : ide_unit_size(d)) : n;
}

static void bm_run(Channel *c)
{
    IdeDrive *d = selected(c);
    if (!(c->s->bm_cmd & BM_START) || !(c->s->bm_status & BM_ACTIVE) || !d || d->busy ||
        !d->s.dma || (d->s.phase != PH_IN && d->s.phase != PH_OUT)) {
        return;
    }
    if (!pci_is_master(&c->d->pci) || (d->s.phase == PH_IN) != !!(c->s->bm_cmd & BM_READ)) {
        log_guest_error("%s: transfer without bus mastering or in the wrong direction\n",
                        d->dev.path);
        c->s->bm_status = (c->s->bm_status & ~BM_ACTIVE) | BM_ERROR;
        return;
    }
    SgList sg = { 0 };
    uint64_t want = want_bytes(d);
    read_prds(c, &sg, want);
    if (sg.bytes <= want) {
        c->s->bm_status &= ~BM_ACTIVE;  /* the table ends with this transfer (2.6.2) */
    }
    ide_dma_run(d, &sg);
}

static void port_irq(void *port, IdeDrive *d)
{
    Channel *c = port;
    if (selected(c) == d) {
        set_irq(c, true);
    }
}

static void port_dma_ready(void *port, IdeDrive *d)
{
    bm_run(port);
}

static void port_dma_short(void *port, IdeDrive *d)
{
    Channel *c = port;
    c->s->bm_status &= ~BM_ACTIVE;      /* and no interrupt: 2.6.2, "PRD too small" */
    d->s.status = ST_DRDY | ST_DSC | ST_DRQ;
}

static void port_ended(void *port, IdeDrive *d)
{
}

static const IdePortOps piix_ide_port_ops = {
    .irq = port_irq, .dma_ready = port_dma_ready, .dma_short = port_dma_short,
    .ended = port_ended,
};

static uint64_t bm_read(void *opaque, uint64_t addr, unsigned size)
{
    PiixIde *d = opaque;
    const ChannelState *s = &d->s.ch[addr >> 3 & 1];
    switch (addr & 7) {
    case 0:
        return s->bm_cmd;
    case 2:
        return s->bm_status;
    case 4: case 5: case 6: case 7:
        return s->bm_prd >> (8 * (addr & 3)) & 0xff;
    default:
        return 0;
    }
}

static void bm_command(Channel *c, uint8_t v)
{
    uint8_t old = c->s->bm_cmd;
    c->s->bm_cmd = v & (BM_START | BM_READ);
    if (!(v & BM_START)) {
        if ((old & BM_START) && selected(c)) {
            ide_drain(selected(c));
        }
        c->s->bm_status &= ~BM_ACTIVE;
    } else if (!(old & BM_START)) {
        c->s->bm_status |= BM_ACTIVE;
        bm_run(c);
    }
}

static void bm_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    PiixIde *d = opaque;
    Channel *c = &d->ch[addr >> 3 & 1];
    ChannelState *s = c->s;
    uint8_t v = (uint8_t)val;
    unsigned shift = 8 * (addr & 3);
    switch (addr & 7) {
    case 0:
        bm_command(c, v);
        break;
    case 2:
        s->bm_status &= ~(v & (BM_IRQ | BM_ERROR));
        s->bm_status = (s->bm_status & ~BM_CAPABLE) | (v & BM_CAPABLE);
        break;
    case 4: case 5: case 6: case 7:
        s->bm_prd = (s->bm_prd & ~(0xffu << shift)) | (uint32_t)v << shift;
        s->bm_prd &= ~3u;
        break;
    default:
        break;
    }
}

static const MemoryOps piix_ide_bm_ops = {
    .read = bm_read, .write = bm_write, .min_size = 1, .max_size = 1,
};

/* --- task file --- */

static uint8_t tf_read(Channel *c, unsigned reg)
{
    const IdeDrive *d = selected(c);
    const IdeState *s = &d->s;
    bool hob = c->s->control & CTL_HOB;
    switch (reg) {
    case 1:
        return s->error;
    case 2:
        return hob ? s->hob_nsector : s->nsector;
    case 3: case 4: case 5:
        return hob ? s->hob_lba[reg - 3] : s->lba[reg - 3];
    default:
        return s->status;
    }
}

/* Nobody drives the cable: ones, but the host pulls bit 7 down, so that an empty channel
 * does not look busy (ATA/ATAPI-6, 4.2.1; EDK2 waits for that bit). */
enum { NO_DRIVE = 0x7f };

static uint64_t cmd_read(void *opaque, uint64_t addr, unsigned size)
{
    Channel *c = opaque;
    IdeDrive *d = selected(c);
    if (!c->bus->unit[0] && !c->bus->unit[1]) {
        return NO_DRIVE * 0x0101010101010101ull;
    }
    if (addr == 0) {
        uint64_t v = 0;
        for (unsigned i = 0; i < size && d; i += 2) {
            v |= (uint64_t)ide_data_read(d) << (8 * i);
        }
        return v;
    }
    if (addr == 6) {
        return c->s->select;
    }
    if (!d) {
        return 0;           /* device 0 answers for a missing device 1 */
    }
    if (addr == 7 && c->s->irq) {
        set_irq(c, false);
    }
    return tf_read(c, (unsigned)addr);
}

/* Both drives take what is written. */
static void tf_write(IdeState *s, unsigned reg, uint8_t v)
{
    if (s->status & ST_BSY) {
        return;
    }
    switch (reg) {
    case 1:
        s->hob_feature = s->feature;
        s->feature = v;
        break;
    case 2:
        s->hob_nsector = s->nsector;
        s->nsector = v;
        break;
    case 3: case 4: case 5:
        s->hob_lba[reg - 3] = s->lba[reg - 3];
        s->lba[reg - 3] = v;
        break;
    default:
        s->device = v;
        break;
    }
}

static void channel_command(Channel *c, uint8_t cmd)
{
    IdeDrive *d = selected(c);
    if (cmd == 0x90) {      /* EXECUTE DEVICE DIAGNOSTIC: both, and device 0 answers */
        c->s->select = 0xa0;
        d = c->bus->unit[0] ? c->bus->unit[0] : d;
    }
    if (!d || ((d->s.status & ST_BSY) && cmd != 0x08)) {
        return;
    }
    set_irq(c, false);
    d->s.device = c->s->select;
    if (cmd == 0x08) {
        ide_drain(d);
    }
    ide_command(d, cmd);
}

static void cmd_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Channel *c = opaque;
    IdeDrive *d = selected(c);
    uint8_t v = (uint8_t)val;
    if (addr == 0) {
        for (unsigned i = 0; i < size && d; i += 2) {
            ide_data_write(d, (uint16_t)(val >> (8 * i)));
        }
        return;
    }
    c->s->control &= ~CTL_HOB;
    if (addr == 7) {
        channel_command(c, v);
        return;
    }
    if (addr == 6) {
        c->s->select = v | 0xa0;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (c->bus->unit[i]) {
            tf_write(&c->bus->unit[i]->s, (unsigned)addr, v);
        }
    }
}

/* Wider than a byte only at the data port: there the region starts. */
static uint64_t cmd_read_split(void *opaque, uint64_t addr, unsigned size)
{
    if (addr == 0 && size > 1) {
        return cmd_read(opaque, 0, size);
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (cmd_read(opaque, addr + i, 1) & 0xff) << (8 * i);
    }
    return v;
}

static void cmd_write_split(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    if (addr == 0 && size > 1) {
        cmd_write(opaque, 0, val, size);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        cmd_write(opaque, addr + i, val >> (8 * i) & 0xff, 1);
    }
}

static const MemoryOps piix_ide_cmd_ops = {
    .read = cmd_read_split, .write = cmd_write_split, .min_size = 1, .max_size = 4,
};

static uint64_t ctl_read(void *opaque, uint64_t addr, unsigned size)
{
    Channel *c = opaque;
    if (!c->bus->unit[0] && !c->bus->unit[1]) {
        return NO_DRIVE;
    }
    return selected(c) ? tf_read(c, 7) : 0;     /* alternate status: INTRQ stays */
}

static void ctl_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Channel *c = opaque;
    bool was = c->s->control & CTL_SRST;
    c->s->control = (uint8_t)val & (CTL_NIEN | CTL_SRST | CTL_HOB);
    for (unsigned i = 0; i < 2; i++) {
        IdeDrive *d = c->bus->unit[i];
        if (!d) {
            continue;
        }
        if ((val & CTL_SRST) && !was) {
            ide_drain(d);
            d->s.status = ST_BSY;
        } else if (!(val & CTL_SRST) && was) {
            ide_reset_drive(d, false);
        }
    }
    if (val & CTL_SRST) {
        c->s->select = 0xa0;
        c->s->irq = false;
    }
    update_line(c);
}

static const MemoryOps piix_ide_ctl_ops = {
    .read = ctl_read, .write = ctl_write, .min_size = 1, .max_size = 1,
};

/* --- the function --- */

static void piix_ide_reset(Device *dev)
{
    PiixIde *d = (PiixIde *)dev;
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned u = 0; u < 2; u++) {
            if (d->ch[i].bus->unit[u]) {
                ide_drain(d->ch[i].bus->unit[u]);
            }
        }
        d->s.ch[i] = (ChannelState){ .select = 0xa0 };
    }
    pci_reset(&d->pci);
}

static void piix_ide_reset_lines(Device *dev)
{
    PiixIde *d = (PiixIde *)dev;
    update_line(&d->ch[0]);
    update_line(&d->ch[1]);
}

static void add_channel(PiixIde *d, unsigned n)
{
    static const uint16_t cmd[2] = { 0x1f0, 0x170 }, ctl[2] = { 0x3f6, 0x376 };
    static const char *const names[2] = { "ide.0", "ide.1" };
    Channel *c = &d->ch[n];
    *c = (Channel){ .d = d, .s = &d->s.ch[n], .n = n, .line = d->irq[n] };
    c->bus = ide_bus_create(&d->pci.dev, names[n], 2, &piix_ide_port_ops, c);
    device_add_ports(&d->pci.dev, &c->cmd_mr, "ide-command", cmd[n], 8, &piix_ide_cmd_ops, c);
    device_add_ports(&d->pci.dev, &c->ctl_mr, "ide-control", ctl[n], 1, &piix_ide_ctl_ops, c);
}

static bool piix_ide_realize(Device *dev, Error *err)
{
    PiixIde *d = (PiixIde *)dev;
    uint8_t *cfg = d->s.pci.config, *wm = d->pci.wmask;
    put_le16(cfg + PCI_STATUS, 0x0280);
    for (unsigned i = IDETIM; i < IDETIM + 4; i++) {
        wm[i] = 0xff;
    }
    cfg[IDETIM + 1] = cfg[IDETIM + 3] = 0x80;   /* both channels decode */
    wm[SIDETIM] = 0xff;
    for (unsigned i = UDMACTL; i < UDMACTL + 4; i++) {
        wm[i] = 0xff;
    }
    put_le16(wm + 0x54, 0xffff); /* I/O configuration: cable bits */
    add_channel(d, 0);
    add_channel(d, 1);
    device_add_io(dev, &d->bm_mr, "ide-bus-master", 16, &piix_ide_bm_ops, d);
    pci_add_bar(&d->pci, 4, PCI_BAR_IO, &d->bm_mr);
    return true;
}

static bool piix_ide_pre_save(void *dev)
{
    PiixIde *d = dev;
    for (unsigned i = 0; i < 4; i++) {
        IdeDrive *u = d->ch[i >> 1].bus->unit[i & 1];
        if (u) {
            ide_drain(u);
        }
    }
    return true;
}

static bool piix_ide_post_load(void *dev, Error *err)
{
    PiixIde *d = dev;
    for (unsigned i = 0; i < 2; i++) {
        ChannelState *s = &d->s.ch[i];
        s->select |= 0xa0;
        s->bm_cmd &= BM_START | BM_READ;
        s->bm_prd &= ~3u;
        update_line(&d->ch[i]);
    }
    return pci_post_load(&d->pci, err);
}

static const StateField channel_fields[] = {
    STATE_U8(ChannelState, select), STATE_U8(ChannelState, control),
    STATE_BOOL(ChannelState, irq), STATE_U8(ChannelState, bm_cmd),
    STATE_U8(ChannelState, bm_status), STATE_U32(ChannelState, bm_prd), STATE_END
};
static const StateDesc channel_state = {
    .version = 1, .size = sizeof(ChannelState), .fields = channel_fields,
};
static const StateField piix_ide_fields[] = {
    STATE_SUB(PiixIdeState, pci, pci_state),
    STATE_SUB_ARRAY(PiixIdeState, ch, channel_state), STATE_END
};

const DeviceClass piix3_ide_class = {
    .name = "piix3-ide", .desc = "IDE of the PIIX3", .bus = BUS_PCI,
    .size = sizeof(PiixIde), .internal = true,
    .bus_data = &(const PciInfo){
        .vendor = 0x8086, .device = 0x7010, .class_code = 0x010180,
        .subsys_vendor = 0x1af4, .subsys = 0x1100,
        .state_offset = offsetof(PiixIde, s.pci),
    },
    .state = { .version = 1, .offset = offsetof(PiixIde, s), .size = sizeof(PiixIdeState),
               .fields = piix_ide_fields, .pre_save = piix_ide_pre_save,
               .post_load = piix_ide_post_load },
    .realize = piix_ide_realize, .reset = piix_ide_reset,
    .reset_lines = piix_ide_reset_lines,
};

Device *piix3_ide_create(PciBus *bus, unsigned devfn, const IrqLine irq[2], Error *err)
{
    Device *dev = device_create(bus->bus.machine, &piix3_ide_class);
    memcpy(((PiixIde *)dev)->irq, irq, sizeof(((PiixIde *)dev)->irq));
    dev->addr = (int)devfn;
    return device_realize(dev, &bus->bus, err) ? dev : NULL;
}
