/* SPDX-License-Identifier: MIT */
/*
 * ATA commands. ATA8-ACS (T13/1699-D) clause 7; CHS translation and old opcodes from
 * ATA-4 (T13/1153). Left out: security, host protected area (SET MAX), CFA, streaming,
 * queued commands other than NCQ (ahci.c). Machine lock held.
 */
#include "hw/ide/ide_int.h"

#include <string.h>
#include "util/bytes.h"
#include "util/log.h"

enum { F_EXT = 1, F_DMA = 2, F_OUT = 4, F_MULT = 8, F_FUA = 16 };   /* of transfers */
enum { ON_DISK = 1, ON_CD = 2, ON_BOTH = 3 };

typedef struct IdeCommand {
    uint8_t first, last, on;
    void (*fn)(IdeDrive *d, unsigned flags);
    unsigned flags;
} IdeCommand;

/* --- addresses --- */

bool ide_range_ok(const IdeDrive *d, uint64_t sector, uint64_t count)
{
    return sector <= d->sectors && count <= d->sectors - sector;
}

/* First sector and count of the task file; false: no such sector. */
static bool tf_range(const IdeDrive *d, bool ext, uint64_t *sector, uint32_t *count)
{
    const IdeState *s = &d->s;
    uint64_t lba = s->lba[0] | s->lba[1] << 8 | s->lba[2] << 16;
    if (ext) {
        *sector = lba | (uint64_t)s->hob_lba[0] << 24 | (uint64_t)s->hob_lba[1] << 32 |
                  (uint64_t)s->hob_lba[2] << 40;
        uint32_t n = s->nsector | s->hob_nsector << 8;
        *count = n ? n : 65536;
        return ide_range_ok(d, *sector, *count);
    }
    *count = s->nsector ? s->nsector : 256;
    if (s->device & DEV_LBA) {
        *sector = lba | (uint64_t)(s->device & 15) << 24;
        return ide_range_ok(d, *sector, *count);
    }
    unsigned head = s->device & 15, cyl = s->lba[1] | s->lba[2] << 8;
    if (!s->lba[0] || s->lba[0] > s->spt || head >= s->heads) {
        return false;
    }
    *sector = ((uint64_t)cyl * s->heads + head) * s->spt + s->lba[0] - 1;
    return ide_range_ok(d, *sector, *count);
}

static void set_lba(IdeDrive *d, uint64_t lba, bool ext)
{
    IdeState *s = &d->s;
    for (unsigned i = 0; i < 3; i++) {
        s->lba[i] = (uint8_t)(lba >> (8 * i));
        if (ext) {
            s->hob_lba[i] = (uint8_t)(lba >> (24 + 8 * i));
        }
    }
    if (!ext) {
        s->device = (s->device & 0xf0) | (lba >> 24 & 15);
    }
}

/* --- transfers --- */

static void cmd_rw(IdeDrive *d, unsigned flags)
{
    IdeState *s = &d->s;
    uint64_t sector;
    uint32_t count;
    if ((flags & F_MULT) && !s->mult) {
        ide_abort(d);
    } else if (!tf_range(d, flags & F_EXT, &sector, &count)) {
        log_guest_error("%s: command %02x outside the disk\n", d->dev.path, s->command);
        ide_fail(d, ER_IDNF | ER_ABRT);
    } else if ((flags & F_OUT) && d->drive->readonly) {
        ide_abort(d);
    } else {
        s->fua = flags & F_FUA;
        ide_start_medium(d, flags & F_OUT ? PH_OUT : PH_IN, flags & F_DMA, sector, count,
                         flags & F_MULT ? s->mult : 1);
    }
}

static void cmd_verify(IdeDrive *d, unsigned flags)
{
    uint64_t sector;
    uint32_t count;
    if (!tf_range(d, flags & F_EXT, &sector, &count)) {
        ide_fail(d, ER_IDNF | ER_ABRT);
    } else {
        ide_done(d);
    }
}

static void cmd_read_buffer(IdeDrive *d, unsigned flags)
{
    ide_start_buf(d, flags & F_OUT ? PH_OUT : PH_IN, flags & F_DMA, IDE_SECTOR);
}

static void cmd_flush(IdeDrive *d, unsigned flags)
{
    ide_flush(d);
}

/* DATA SET MANAGEMENT: TRIM alone (7.10). */
static void cmd_dsm(IdeDrive *d, unsigned flags)
{
    unsigned blocks = d->s.nsector | d->s.hob_nsector << 8;
    if (d->s.feature != 1 || !blocks || blocks > DSM_BLOCKS || d->drive->readonly) {
        ide_abort(d);
    } else {
        ide_start_buf(d, PH_OUT, true, blocks * IDE_SECTOR);
    }
}

static void trim_next(IdeDrive *d);

static void trim_done(BlockRequest *rq, int ret)
{
    IdeDrive *d = container_of(rq, IdeDrive, rq);
    d->busy = false;
    if (ret) {
        ide_abort(d);
    } else {
        trim_next(d);
    }
}

static void trim_next(IdeDrive *d)
{
    while (d->dsm_next < d->dsm_end) {
        const uint8_t *e = d->s.buf + 8 * d->dsm_next++;
        uint64_t sector = get_le32(e) | (uint64_t)get_le16(e + 4) << 32;
        unsigned count = get_le16(e + 6);
        if (!count) {
            continue;
        }
        if (!ide_range_ok(d, sector, count)) {
            ide_fail(d, ER_IDNF | ER_ABRT);
            return;
        }
        d->busy = true;
        d->rq = (BlockRequest){ .op = BLOCK_DISCARD, .offset = sector * IDE_SECTOR,
                                .bytes = (uint64_t)count * IDE_SECTOR, .done = trim_done };
        block_submit(d->drive, &d->rq);
        return;
    }
    ide_done(d);
}

void ide_trim(IdeDrive *d, unsigned blocks)
{
    d->dsm_next = 0;
    d->dsm_end = blocks * (IDE_SECTOR / 8);
    d->s.status = ST_BSY;
    trim_next(d);
}

/* --- identification, settings --- */

static void cmd_identify(IdeDrive *d, unsigned flags)
{
    if (d->cd && d->s.command == 0xec) {    /* says what it is, and aborts */
        ide_set_signature(d);
        ide_abort(d);
        return;
    }
    ide_identify(d, d->s.buf);
    ide_start_buf(d, PH_IN, false, IDE_SECTOR);
}

/* A disk's opcode sent to a packet device (7.16.6 of ATA-6). */
static void cmd_signature_abort(IdeDrive *d, unsigned flags)
{
    ide_set_signature(d);
    ide_abort(d);
}

static bool set_transfer_mode(IdeState *s)
{
    unsigned mode = s->nsector & 7;
    switch (s->nsector >> 3) {
    case 0:                 /* PIO default */
    case 1:                 /* PIO with flow control */
        s->udma = s->mdma = 0;
        return mode <= 4;
    case 4:
        s->mdma = (uint8_t)(1 << mode);
        s->udma = 0;
        return mode <= 2;
    case 8:
        s->udma = (uint8_t)(1 << mode);
        s->mdma = 0;
        return mode <= 5;
    default:
        return false;
    }
}

static void cmd_set_features(IdeDrive *d, unsigned flags)
{
    IdeState *s = &d->s;
    bool ok = true;
    switch (s->feature) {
    case 0x02:
        s->wcache = true;
        break;
    case 0x82:
        s->wcache = false;
        if (!d->cd) {
            ide_flush(d);
            return;
        }
        break;
    case 0x03:
        ok = set_transfer_mode(s);
        break;
    case 0x55:
    case 0xaa:
        s->lookahead = s->feature == 0xaa;
        break;
    case 0x05: case 0x85:   /* advanced power management */
    case 0x42: case 0xc2:   /* acoustic management */
    case 0x66: case 0xcc:   /* power-on defaults over soft reset */
    case 0x10: case 0x90:   /* SATA features */
    case 0x5d: case 0xdd: case 0x5e: case 0xde: /* release and SERVICE interrupts */
    case 0x31: case 0x95:   /* media status notification */
        break;
    default:
        ok = false;
        break;
    }
    if (ok) {
        ide_done(d);
    } else {
        ide_abort(d);
    }
}

static void cmd_set_multiple(IdeDrive *d, unsigned flags)
{
    unsigned n = d->s.nsector;
    if (n > IDE_MULT || (n & (n - 1))) {
        ide_abort(d);
        return;
    }
    d->s.mult = (uint8_t)n;
    ide_done(d);
}

static void cmd_init_params(IdeDrive *d, unsigned flags)
{
    IdeState *s = &d->s;
    s->heads = (s->device & 15) + 1;
    s->spt = s->nsector;
    if (s->spt) {
        ide_done(d);
    } else {
        ide_abort(d);
    }
}

static void cmd_native_max(IdeDrive *d, unsigned flags)
{
    bool ext = flags & F_EXT;
    uint64_t last = d->sectors - 1;
    set_lba(d, ext ? last : MIN(last, 0x0fffffffull), ext);
    ide_done(d);
}

static void cmd_log_ext(IdeDrive *d, unsigned flags)
{
    uint8_t *out = d->s.buf;
    memset(out, 0, IDE_SECTOR);
    unsigned count = d->s.nsector | d->s.hob_nsector << 8;
    if (count != 1 || (d->s.lba[0] != 0 && d->s.lba[0] != 0x10)) {
        ide_abort(d);
        return;
    }
    if (d->s.lba[0] == 0) { /* directory: pages of each log (A.2) */
        put_le16(out, 1);
        put_le16(out + 2 * 0x10, 1);
    } else {                /* NCQ error log (A.14): nothing is queued any more */
        out[0] = 0x80;
        out[2] = ST_DRDY | ST_DSC;
        ide_checksum(out);
    }
    ide_start_buf(d, PH_IN, flags & F_DMA, IDE_SECTOR);
}

/* --- SMART (7.52) --- */

static void smart_log(IdeDrive *d)
{
    uint8_t *out = d->s.buf;
    memset(out, 0, IDE_SECTOR);
    switch (d->s.lba[0]) {
    case 0x00:              /* directory */
        put_le16(out, 1);
        out[2 * 0x01] = out[2 * 0x06] = 1;
        break;
    case 0x01:              /* error log: empty */
    case 0x06:              /* self-test log: empty */
        out[0] = 1;
        ide_checksum(out);
        break;
    default:
        ide_abort(d);
        return;
    }
    ide_start_buf(d, PH_IN, false, IDE_SECTOR);
}

static void cmd_smart(IdeDrive *d, unsigned flags)
{
    IdeState *s = &d->s;
    if (s->lba[1] != 0x4f || s->lba[2] != 0xc2 || (!s->smart && s->feature != 0xd8)) {
        ide_abort(d);
        return;
    }
    switch (s->feature) {
    case 0xd0:
    case 0xd1:
        ide_smart_data(s->buf, s->feature == 0xd1);
        ide_start_buf(d, PH_IN, false, IDE_SECTOR);
        break;
    case 0xd2:              /* autosave */
    case 0xd4:              /* execute off-line: done at once */
    case 0xda:              /* status: lba[1..2] stay as they are, all is well */
        ide_done(d);
        break;
    case 0xd5:
        smart_log(d);
        break;
    case 0xd8:
    case 0xd9:
        s->smart = s->feature == 0xd8;
        ide_done(d);
        break;
    default:
        ide_abort(d);
        break;
    }
}

/* --- power, nothing, diagnostics --- */

static void cmd_power(IdeDrive *d, unsigned flags)
{
    switch (d->s.command) {
    case 0xe5:
    case 0x98:
        d->s.nsector = d->s.power;
        break;
    case 0xe0: case 0x94: case 0xe2: case 0x96:
        d->s.power = 0x00;  /* standby */
        break;
    case 0xe1: case 0x95: case 0xe3: case 0x97:
        d->s.power = 0x80;  /* idle */
        break;
    default:
        break;              /* sleep: wakes up at any command, which is harmless */
    }
    ide_done(d);
}

static void cmd_nothing(IdeDrive *d, unsigned flags)
{
    ide_done(d);
}

static void cmd_diagnostic(IdeDrive *d, unsigned flags)
{
    ide_set_signature(d);
    d->s.status = d->cd ? 0 : ST_DRDY | ST_DSC;
    d->s.error = 1;
    d->bus->ops->ended(d->bus->port, d);
    d->bus->ops->irq(d->bus->port, d);
}

static void cmd_device_reset(IdeDrive *d, unsigned flags)
{
    ide_reset_drive(d, false);  /* no interrupt (ATA-7, DEVICE RESET) */
    d->bus->ops->ended(d->bus->port, d);
}

static void cmd_packet(IdeDrive *d, unsigned flags)
{
    IdeState *s = &d->s;
    if (s->feature & 2) {   /* overlapped */
        ide_abort(d);
        return;
    }
    s->dma = s->feature & 1;
    s->limit = s->lba[1] | s->lba[2] << 8;
    s->limit = s->limit == 0 || s->limit == 0xffff ? 0xfffe : s->limit;
    s->phase = PH_PACKET;
    s->buf_pos = 0;
    s->win_end = s->buf_end = CDB_SIZE;
    s->nsector = REASON_CD;
    s->status = ST_DRDY | ST_DSC | ST_DRQ;
}

static const IdeCommand commands[] = {
    { 0x06, 0x06, ON_DISK, cmd_dsm },
    { 0x08, 0x08, ON_CD, cmd_device_reset },
    { 0x10, 0x1f, ON_DISK, cmd_nothing },           /* RECALIBRATE */
    { 0x20, 0x21, ON_DISK, cmd_rw, 0 },
    { 0x20, 0x20, ON_CD, cmd_signature_abort },
    { 0x24, 0x24, ON_DISK, cmd_rw, F_EXT },
    { 0x25, 0x25, ON_DISK, cmd_rw, F_EXT | F_DMA },
    { 0x27, 0x27, ON_DISK, cmd_native_max, F_EXT },
    { 0x29, 0x29, ON_DISK, cmd_rw, F_EXT | F_MULT },
    { 0x2f, 0x2f, ON_DISK, cmd_log_ext },
    { 0x30, 0x31, ON_DISK, cmd_rw, F_OUT },
    { 0x34, 0x34, ON_DISK, cmd_rw, F_OUT | F_EXT },
    { 0x35, 0x35, ON_DISK, cmd_rw, F_OUT | F_EXT | F_DMA },
    { 0x39, 0x39, ON_DISK, cmd_rw, F_OUT | F_EXT | F_MULT },
    { 0x3c, 0x3c, ON_DISK, cmd_rw, F_OUT },         /* WRITE VERIFY */
    { 0x3d, 0x3d, ON_DISK, cmd_rw, F_OUT | F_EXT | F_DMA | F_FUA },
    { 0x40, 0x41, ON_DISK, cmd_verify },
    { 0x42, 0x42, ON_DISK, cmd_verify, F_EXT },
    { 0x47, 0x47, ON_DISK, cmd_log_ext, F_DMA },
    { 0x70, 0x7f, ON_DISK, cmd_nothing },           /* SEEK */
    { 0x90, 0x90, ON_BOTH, cmd_diagnostic },
    { 0x91, 0x91, ON_DISK, cmd_init_params },
    { 0x94, 0x99, ON_BOTH, cmd_power },
    { 0xa0, 0xa0, ON_CD, cmd_packet },
    { 0xa1, 0xa1, ON_CD, cmd_identify },
    { 0xb0, 0xb0, ON_DISK, cmd_smart },
    { 0xc4, 0xc4, ON_DISK, cmd_rw, F_MULT },
    { 0xc5, 0xc5, ON_DISK, cmd_rw, F_OUT | F_MULT },
    { 0xc6, 0xc6, ON_DISK, cmd_set_multiple },
    { 0xc8, 0xc9, ON_DISK, cmd_rw, F_DMA },
    { 0xca, 0xcb, ON_DISK, cmd_rw, F_OUT | F_DMA },
    { 0xce, 0xce, ON_DISK, cmd_rw, F_OUT | F_EXT | F_MULT | F_FUA },
    { 0xe0, 0xe3, ON_BOTH, cmd_power },
    { 0xe4, 0xe4, ON_DISK, cmd_read_buffer },
    { 0xe5, 0xe6, ON_BOTH, cmd_power },
    { 0xe7, 0xe7, ON_DISK, cmd_flush },
    { 0xe8, 0xe8, ON_DISK, cmd_read_buffer, F_OUT },
    { 0xe9, 0xe9, ON_DISK, cmd_read_buffer, F_DMA },
    { 0xea, 0xea, ON_DISK, cmd_flush },
    { 0xeb, 0xeb, ON_DISK, cmd_read_buffer, F_OUT | F_DMA },
    { 0xec, 0xec, ON_BOTH, cmd_identify },
    { 0xef, 0xef, ON_BOTH, cmd_set_features },
    { 0xf8, 0xf8, ON_DISK, cmd_native_max },
};

void ide_execute(IdeDrive *d)
{
    uint8_t cmd = d->s.command;
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        const IdeCommand *c = &commands[i];
        if (cmd >= c->first && cmd <= c->last && (c->on & (d->cd ? ON_CD : ON_DISK))) {
            c->fn(d, c->flags);
            return;
        }
    }
    if (cmd) {
        log_unimp("%s: command %02x is aborted\n", d->dev.path, cmd);
    }
    ide_abort(d);
}

void ide_buf_received(IdeDrive *d)
{
    if (d->cd) {
        atapi_param_list(d);
    } else if (d->s.command == 0x06) {
        ide_trim(d, d->s.buf_end / IDE_SECTOR);
    } else {
        ide_done(d);        /* WRITE BUFFER */
    }
}

void ide_set_signature(IdeDrive *d)
{
    IdeState *s = &d->s;
    s->nsector = s->lba[0] = 1;
    s->lba[1] = d->cd ? 0x14 : 0;
    s->lba[2] = d->cd ? 0xeb : 0;
    s->device &= DEV_SLAVE;
}
