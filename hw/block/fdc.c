/* SPDX-License-Identifier: MIT */
/*
 * 82077AA floppy disk controller with two drives. Intel 82077AA datasheet (290166),
 * chapters 2 (registers) and 5 (commands). Transfers by DMA only, media formats by image
 * size; seeks take no time. Left out: non-DMA transfers, read track, scan, motor timing.
 * Machine lock held.
 */
#include "hw/block/fdc.h"

#include <stdio.h>
#include <string.h>
#include "hw/core/block.h"
#include "hw/core/machine.h"
#include "util/log.h"

enum { DOR_RESET = 4, DOR_DMA = 8 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_BUSY = 0x10 };
enum { ST0_SEEK = 0x20, ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_READY = 0xc0 };
enum { ST1_END = 0x80, ST1_NODATA = 0x04, ST1_READONLY = 0x02, ST1_NOADDR = 0x01 };
enum { SECTOR = 512, DMA_CHANNEL = 2, IRQ = 6 };

typedef struct {
    uint8_t dor, tdr, rate;
    uint8_t cmd[9], cmd_n, cmd_need;    /* bytes so far, bytes of the command */
    uint8_t res[10], res_n, res_pos;
    uint8_t cyl[4];         /* where the heads are */
    uint8_t change;         /* bit n: drive n saw its disk change */
    uint8_t st0;            /* of the interrupt that waits */
    uint8_t sense_resets;   /* drives that still report the reset */
    bool seek_int, irq, busy, lock;
    uint8_t specify[2], config[3], perp;
    uint8_t c, h, r;        /* sector of the transfer under way */
} FdcState;

typedef struct {
    uint8_t cyls, heads, spt;
} Geometry;

typedef struct {
    Device dev;
    FdcState s;
    BlockBackend *drive[2]; /* properties */
    Geometry geo[2];
    MemoryRegion regs, dir;
    IrqLine line;
    BlockRequest rq;
    struct iovec iov;
    bool in_flight;
    bool last;              /* the write in flight takes the DMA's last bytes */
    uint8_t buf[SECTOR];
} Fdc;

static const struct {
    uint32_t kib;
    Geometry geo;
    uint8_t cmos;
} formats[] = {
    { 360, { 40, 2, 9 }, 1 }, { 720, { 80, 2, 9 }, 3 }, { 1200, { 80, 2, 15 }, 2 },
    { 1440, { 80, 2, 18 }, 4 }, { 2880, { 80, 2, 36 }, 5 },
};

static unsigned format_of(const BlockBackend *b)
{
    enum { USUAL = 3 }; /* 1.44 MB: of a drive without a disk */
    for (unsigned i = b->size ? 0 : USUAL; i < ARRAY_SIZE(formats); i++) {
        if (b->size <= formats[i].kib * KiB) {
            return i;
        }
    }
    return ARRAY_SIZE(formats) - 1;
}

static void set_irq(Fdc *d, bool on)
{
    d->s.irq = on;
    irq_set(&d->line, on && (d->s.dor & DOR_DMA));
}

/* --- results --- */

static void result(Fdc *d, unsigned n)
{
    d->s.res_n = (uint8_t)n;
    d->s.res_pos = 0;
    d->s.cmd_n = d->s.cmd_need = 0;
    d->s.busy = false;
}

static void transfer_end(Fdc *d, uint8_t st0, uint8_t st1, uint8_t st2)
{
    FdcState *s = &d->s;
    const uint8_t r[7] = { st0 | (s->cmd[1] & 3) | s->h << 2, st1, st2, s->c, s->h, s->r, 2 };
    memcpy(s->res, r, 7);
    result(d, 7);
    set_irq(d, true);
}

static unsigned unit_of(const Fdc *d)
{
    return d->s.cmd[1] & 3;
}

static BlockBackend *disk_of(const Fdc *d)
{
    BlockBackend *b = unit_of(d) < 2 ? d->drive[unit_of(d)] : NULL;
    return b && b->size ? b : NULL;
}

/* --- transfers --- */

static void sector_next(Fdc *d);

static void sector_advance(Fdc *d)
{
    FdcState *s = &d->s;
    const Geometry *g = &d->geo[unit_of(d) & 1];
    if (s->r < g->spt && s->r != s->cmd[6]) {
        s->r++;
        return;
    }
    s->r = 1;               /* multi-track: the other side, then the next cylinder */
    if ((s->cmd[0] & 0x80) && s->h + 1 < g->heads) {
        s->h++;
    } else {
        s->h = s->cmd[0] & 0x80 ? 0 : s->h;
        s->c++;
    }
}

static uint32_t move(Fdc *d, bool to_guest, bool *tc)
{
    const IsaDma *dma = &((IsaBus *)d->dev.parent)->dma;
    *tc = true;
    return dma->transfer ? dma->transfer(dma->opaque, DMA_CHANNEL, d->buf, SECTOR, to_guest, tc)
                         : 0;
}

static void sector_done(BlockRequest *rq, int ret)
{
    Fdc *d = container_of(rq, Fdc, rq);
    bool tc = false, write = rq->op == BLOCK_WRITE;
    d->in_flight = false;
    if (ret) {
        transfer_end(d, ST0_ABNORMAL, 0x20, 0x20);
        return;
    }
    if (!write && move(d, true, &tc) < SECTOR && !tc) {
        transfer_end(d, ST0_ABNORMAL, 0x10, 0);     /* overrun: nobody takes the data */
        return;
    }
    tc |= write && d->last;
    sector_advance(d);
    if (tc) {
        transfer_end(d, 0, 0, 0);
    } else {
        sector_next(d);
    }
}

static void sector_next(Fdc *d)
{
    FdcState *s = &d->s;
    const Geometry *g = &d->geo[unit_of(d) & 1];
    bool write = (s->cmd[0] & 0x1f) == 5, tc = false;
    if (s->c >= g->cyls || s->h >= g->heads || !s->r || s->r > g->spt ||
        s->c != s->cyl[unit_of(d)]) {
        transfer_end(d, ST0_ABNORMAL, s->c != s->cmd[2] ? ST1_END : ST1_NODATA, 0);
        return;
    }
    if (write) {
        uint32_t n = move(d, false, &tc);
        if (n < SECTOR) {
            memset(d->buf + n, 0, SECTOR - n);
        }
        if (!n) {
            transfer_end(d, ST0_ABNORMAL, 0x10, 0);
            return;
        }
    }
    uint64_t lba = ((uint64_t)s->c * g->heads + s->h) * g->spt + s->r - 1;
    d->iov = (struct iovec){ d->buf, SECTOR };
    d->rq = (BlockRequest){ .op = write ? BLOCK_WRITE : BLOCK_READ, .offset = lba * SECTOR,
                            .bytes = SECTOR, .iov = &d->iov, .niov = 1,
                            .done = sector_done };
    d->last = tc;
    d->in_flight = true;
    block_submit(disk_of(d), &d->rq);
}

static void cmd_transfer(Fdc *d)
{
    FdcState *s = &d->s;
    s->c = s->cmd[2];
    s->h = s->cmd[3];
    s->r = s->cmd[4];
    s->busy = true;
    if (!disk_of(d)) {
        transfer_end(d, ST0_ABNORMAL, ST1_NOADDR, 0);
    } else if (s->cmd[5] != 2) {
        transfer_end(d, ST0_ABNORMAL, ST1_NODATA, 0);   /* sectors are of 512 bytes */
    } else if ((s->cmd[0] & 0x1f) == 5 && disk_of(d)->readonly) {
        transfer_end(d, ST0_ABNORMAL, ST1_READONLY, 0);
    } else {
        sector_next(d);
    }
}

static void cmd_verify(Fdc *d)
{
    d->s.c = d->s.cmd[2];
    d->s.h = d->s.cmd[3];
    d->s.r = d->s.cmd[4];
    transfer_end(d, disk_of(d) ? 0 : ST0_ABNORMAL, disk_of(d) ? 0 : ST1_NOADDR, 0);
}

static void cmd_read_id(Fdc *d)
{
    d->s.c = d->s.cyl[unit_of(d)];
    d->s.h = d->s.cmd[1] >> 2 & 1;
    d->s.r = 1;
    transfer_end(d, disk_of(d) ? 0 : ST0_ABNORMAL, disk_of(d) ? 0 : ST1_NOADDR, 0);
}

/* The track's sector ids come by DMA and are not kept: its sectors are filled. */
static void cmd_format(Fdc *d)
{
    FdcState *s = &d->s;
    const Geometry *g = &d->geo[unit_of(d) & 1];
    BlockBackend *b = disk_of(d);
    s->c = s->cyl[unit_of(d)];
    s->h = s->cmd[1] >> 2 & 1;
    s->r = 1;
    if (!b || b->readonly || s->c >= g->cyls || s->h >= g->heads || s->cmd[2] != 2) {
        transfer_end(d, ST0_ABNORMAL, b && b->readonly ? ST1_READONLY : ST1_NODATA, 0);
        return;
    }
    uint64_t lba = ((uint64_t)s->c * g->heads + s->h) * g->spt;
    memset(d->buf, s->cmd[5], SECTOR);
    for (unsigned i = 0; i < g->spt; i++) {
        block_write_sync(b, (lba + i) * SECTOR, d->buf, SECTOR);
    }
    transfer_end(d, 0, 0, 0);
}

/* --- other commands --- */

static void seek_done(Fdc *d, uint8_t cyl)
{
    unsigned u = unit_of(d);
    d->s.cyl[u] = cyl;
    if (disk_of(d)) {
        d->s.change &= ~(1u << u);
    }
    d->s.st0 = ST0_SEEK | u | (d->s.cmd[1] & 4);
    d->s.seek_int = true;
    result(d, 0);
    set_irq(d, true);
}

static void cmd_recalibrate(Fdc *d)
{
    d->s.cmd[1] &= 3;
    seek_done(d, 0);
}

static void cmd_seek(Fdc *d)
{
    seek_done(d, d->s.cmd[2]);
}

static void cmd_sense_interrupt(Fdc *d)
{
    FdcState *s = &d->s;
    unsigned u = s->st0 & 3;
    if (s->sense_resets) {  /* one for each drive (5.2.4) */
        u = 4u - s->sense_resets--;
        s->res[0] = ST0_READY | (uint8_t)u;
    } else if (s->seek_int) {
        s->res[0] = s->st0;
        s->seek_int = false;
    } else {
        s->res[0] = ST0_INVALID;
        result(d, 1);
        return;
    }
    s->res[1] = s->cyl[u];
    result(d, 2);
    set_irq(d, false);
}

static void cmd_sense_drive(Fdc *d)
{
    const BlockBackend *b = disk_of(d);
    d->s.res[0] = 0x28 | (d->s.cmd[1] & 7) | (d->s.cyl[unit_of(d)] ? 0 : 0x10) |
                  (b && b->readonly ? 0x40 : 0);
    result(d, 1);
}

static void cmd_specify(Fdc *d)
{
    memcpy(d->s.specify, d->s.cmd + 1, 2);
    result(d, 0);
}

static void cmd_configure(Fdc *d)
{
    memcpy(d->s.config, d->s.cmd + 1, 3);
    result(d, 0);
}

static void cmd_perpendicular(Fdc *d)
{
    d->s.perp = d->s.cmd[1];
    result(d, 0);
}

static void cmd_dumpreg(Fdc *d)
{
    FdcState *s = &d->s;
    memcpy(s->res, s->cyl, 4);
    memcpy(s->res + 4, s->specify, 2);
    s->res[6] = d->geo[0].spt;
    s->res[7] = s->perp | (s->lock ? 0x80 : 0);
    s->res[8] = s->config[1];
    s->res[9] = s->config[2];
    result(d, 10);
}

static void cmd_version(Fdc *d)
{
    d->s.res[0] = (d->s.cmd[0] & 0x1f) == 0x18 ? 0x41 : 0x90;   /* 82077AA */
    result(d, 1);
}

static void cmd_lock(Fdc *d)
{
    d->s.lock = d->s.cmd[0] & 0x80;
    d->s.res[0] = d->s.lock ? 0x10 : 0;
    result(d, 1);
}

static void cmd_invalid(Fdc *d)
{
    d->s.res[0] = ST0_INVALID;
    result(d, 1);
}

static const struct {
    uint8_t mask, code, bytes;
    void (*fn)(Fdc *d);
} fdc_commands[] = {
    { 0x1f, 0x03, 3, cmd_specify }, { 0x1f, 0x04, 2, cmd_sense_drive },
    { 0x1f, 0x05, 9, cmd_transfer }, { 0x1f, 0x06, 9, cmd_transfer },
    { 0x1f, 0x07, 2, cmd_recalibrate }, { 0x1f, 0x08, 1, cmd_sense_interrupt },
    { 0x1f, 0x0a, 2, cmd_read_id }, { 0x1f, 0x0d, 6, cmd_format },
    { 0x1f, 0x0e, 1, cmd_dumpreg }, { 0x1f, 0x0f, 3, cmd_seek },
    { 0x1f, 0x10, 1, cmd_version }, { 0x1f, 0x12, 2, cmd_perpendicular },
    { 0x1f, 0x13, 4, cmd_configure }, { 0x7f, 0x14, 1, cmd_lock },
    { 0x1f, 0x16, 9, cmd_verify }, { 0x1f, 0x18, 1, cmd_version },
    { 0x00, 0x00, 1, cmd_invalid },
};

static unsigned row_of(uint8_t cmd)
{
    unsigned i = 0;
    while ((cmd & fdc_commands[i].mask) != fdc_commands[i].code) {
        i++;
    }
    return i;
}

/* --- registers --- */

static void fdc_reset_core(Fdc *d)
{
    FdcState *s = &d->s;
    if (d->in_flight) {
        disk_of(d)->ops->drain(disk_of(d));
    }
    s->cmd_n = s->cmd_need = s->res_n = s->res_pos = 0;
    s->busy = s->seek_int = false;
    memset(s->cyl, 0, sizeof(s->cyl));
    set_irq(d, false);
}

static void write_dor(Fdc *d, uint8_t v)
{
    uint8_t old = d->s.dor;
    d->s.dor = v;
    if (!(v & DOR_RESET)) {
        fdc_reset_core(d);
    } else if (!(old & DOR_RESET)) {
        d->s.sense_resets = 4;
        set_irq(d, true);
    }
}

static void write_fifo(Fdc *d, uint8_t v)
{
    FdcState *s = &d->s;
    if (s->busy || s->res_pos < s->res_n || !(s->dor & DOR_RESET)) {
        return;
    }
    if (!s->cmd_n) {
        s->cmd_need = fdc_commands[row_of(v)].bytes;
    }
    s->cmd[s->cmd_n++] = v;
    if (s->cmd_n >= s->cmd_need) {
        s->cmd_n = 0;
        set_irq(d, false);
        fdc_commands[row_of(s->cmd[0])].fn(d);
    }
}

static uint8_t read_fifo(Fdc *d)
{
    FdcState *s = &d->s;
    if (s->res_pos >= s->res_n) {
        return 0;
    }
    uint8_t v = s->res[s->res_pos++];
    if (s->res_n == 7) {
        set_irq(d, false);
    }
    return v;
}

static uint8_t main_status(const Fdc *d)
{
    const FdcState *s = &d->s;
    if (!(s->dor & DOR_RESET)) {
        return 0;
    }
    if (s->busy) {
        return MSR_BUSY;
    }
    return MSR_RQM | (s->res_pos < s->res_n ? MSR_DIO | MSR_BUSY : s->cmd_n ? MSR_BUSY : 0);
}

static uint64_t fdc_read(void *opaque, uint64_t addr, unsigned size)
{
    Fdc *d = opaque;
    switch (addr) {
    case 0: return d->s.irq ? 0x80 : 0;
    case 2: return d->s.dor;
    case 3: return d->s.tdr;
    case 4: return main_status(d);
    case 5: return read_fifo(d);
    default: return 0;
    }
}

static void fdc_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Fdc *d = opaque;
    uint8_t v = (uint8_t)val;
    switch (addr) {
    case 2: write_dor(d, v); break;
    case 3: d->s.tdr = v & 3; break;
    case 4:                 /* data rate select; bit 7 resets by itself */
        d->s.rate = v & 3;
        if (v & 0x80) {
            uint8_t dor = d->s.dor;
            write_dor(d, dor & ~DOR_RESET);
            write_dor(d, dor);
        }
        break;
    case 5: write_fifo(d, v); break;
    default: break;
    }
}

static uint64_t dir_read(void *opaque, uint64_t addr, unsigned size)
{
    const Fdc *d = opaque;
    return d->s.change >> (d->s.dor & 3) & 1 ? 0x80 : 0;
}

static void dir_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    ((Fdc *)opaque)->s.rate = val & 3;
}

static const MemoryOps fdc_regs_ops = { .read = fdc_read, .write = fdc_write,
                                        .min_size = 1, .max_size = 1 };
static const MemoryOps fdc_dir_ops = { .read = dir_read, .write = dir_write,
                                       .min_size = 1, .max_size = 1 };

/* --- device --- */

static void fdc_reset(Device *dev)
{
    Fdc *d = (Fdc *)dev;
    fdc_reset_core(d);
    d->s = (FdcState){ .dor = DOR_RESET | DOR_DMA, .rate = 2, .change = 3 };
}

static void fdc_reset_lines(Device *dev)
{
    set_irq((Fdc *)dev, false);
}

static void fdc_release(Fdc *d)
{
    for (unsigned i = 0; i < 2; i++) {
        if (d->drive[i] && d->drive[i]->attached == d) {
            d->drive[i]->ops->drain(d->drive[i]);
            d->drive[i]->attached = NULL;
            d->drive[i]->media = NULL;
        }
    }
}

static bool media_locked(void *dev)
{
    return false;
}

static void media_wish(void *dev)
{
}

static void media_changed(void *dev, BlockBackend *b)
{
    Fdc *d = dev;
    unsigned i = d->drive[1] == b;
    d->geo[i] = formats[format_of(b)].geo;
    d->s.change |= (uint8_t)(1u << i); /* until a seek (datasheet 2.1.8, DSK CHG) */
}

static bool media_tray_open(void *dev)
{
    return false;
}

static const BlockMedia floppy_media = {
    .locked = media_locked, .wish = media_wish, .changed = media_changed,
    .tray_open = media_tray_open,
};

static bool fdc_realize(Device *dev, Error *err)
{
    Fdc *d = (Fdc *)dev;
    for (unsigned i = 0; i < 2; i++) {
        BlockBackend *b = d->drive[i];
        if (b && b->attached) {
            fdc_release(d);
            return error_set(err, "drive%c: '%s' is used by another device", 'A' + i, b->id);
        }
        if (b) {
            b->attached = d;
            b->media = &floppy_media;
            d->geo[i] = formats[format_of(b)].geo;
        }
    }
    d->line = isa_irq(dev, IRQ);
    device_add_ports(dev, &d->regs, "fdc", 0x3f0, 6, &fdc_regs_ops, d);
    device_add_ports(dev, &d->dir, "fdc-dir", 0x3f7, 1, &fdc_dir_ops, d);
    return true;
}

static void fdc_unrealize(Device *dev)
{
    fdc_release((Fdc *)dev);
}

static bool fdc_pre_save(void *dev)
{
    Fdc *d = dev;
    if (d->in_flight) {
        disk_of(d)->ops->drain(disk_of(d));
    }
    return true;
}

static bool fdc_post_load(void *dev, Error *err)
{
    Fdc *d = dev;
    FdcState *s = &d->s;
    if (s->busy || s->res_pos > s->res_n ||
        (s->cmd_n && s->cmd_n >= s->cmd_need)) {
        return error_set(err, "the command is out of bounds");
    }
    return true;
}

static const StateField fdc_fields[] = {
    STATE_U8(FdcState, dor), STATE_U8(FdcState, tdr), STATE_U8(FdcState, rate),
    STATE_U8_ARRAY(FdcState, cmd), STATE_U8_MAX(FdcState, cmd_n, 8),
    STATE_U8_MAX(FdcState, cmd_need, 9), STATE_U8_ARRAY(FdcState, res),
    STATE_U8_MAX(FdcState, res_n, 10), STATE_U8_MAX(FdcState, res_pos, 10),
    STATE_U8_ARRAY(FdcState, cyl), STATE_U8(FdcState, change), STATE_U8(FdcState, st0),
    STATE_U8_MAX(FdcState, sense_resets, 4), STATE_BOOL(FdcState, seek_int),
    STATE_BOOL(FdcState, irq), STATE_BOOL(FdcState, busy), STATE_BOOL(FdcState, lock),
    STATE_U8_ARRAY(FdcState, specify), STATE_U8_ARRAY(FdcState, config),
    STATE_U8(FdcState, perp), STATE_U8(FdcState, c), STATE_U8(FdcState, h),
    STATE_U8(FdcState, r), STATE_END
};

static const Property fdc_props[] = {
    { "driveA", PK_LINK, offsetof(Fdc, drive[0]), 0, 0, 0, NULL, NULL, &block_link,
      "disk in drive A" },
    { "driveB", PK_LINK, offsetof(Fdc, drive[1]), 0, 0, 0, NULL, NULL, &block_link,
      "disk in drive B" },
    PROP_END
};

const DeviceClass isa_fdc_class = {
    .name = "isa-fdc", .desc = "floppy disk controller, two drives", .bus = BUS_ISA,
    .size = sizeof(Fdc), .props = fdc_props,
    .state = { .version = 1, .offset = offsetof(Fdc, s), .size = sizeof(FdcState),
               .fields = fdc_fields, .pre_save = fdc_pre_save, .post_load = fdc_post_load },
    .realize = fdc_realize, .unrealize = fdc_unrealize, .reset = fdc_reset,
    .reset_lines = fdc_reset_lines,
};

bool fdc_attach_drives(Machine *m, uint8_t types[2], Error *err)
{
    Device *dev = NULL;
    types[0] = types[1] = 0;
    for (BlockBackend *b = block_first(m); b; b = b->next) {
        if (b->machine != m || b->interface != DRIVE_FLOPPY || b->attached) {
            continue;
        }
        dev = dev ? dev : device_create(m, &isa_fdc_class);
        Fdc *d = (Fdc *)dev;
        unsigned n = b->unit_index >= 0 ? (unsigned)b->unit_index : d->drive[0] ? 1 : 0;
        if (n > 1 || d->drive[n]) {
            device_destroy(dev);
            return error_set(err, "-drive %s: there are two floppy drives only", b->path);
        }
        d->drive[n] = b;
        types[n] = formats[format_of(b)].cmos;
    }
    return !dev || device_realize(dev, NULL, err);
}
