/* SPDX-License-Identifier: MIT */
/*
 * Data phases of ATA and ATAPI drives: PIO pieces through `buf`, DMA between medium and a
 * scatter list, and how commands end. ATA/ATAPI-7 vol. 1 (T13/1532), protocols of chapter
 * 9; commands are in ide_cmd.c and atapi.c. Machine lock held in every entry point.
 */
#include "hw/ide/ide_int.h"

#include <string.h>

/* --- how commands end --- */

static void ide_end(IdeDrive *d, uint8_t status, uint8_t error)
{
    d->s.status = status;
    d->s.error = error;
    d->s.phase = PH_IDLE;
    d->s.buf_pos = d->s.win_end = d->s.buf_end = 0;
    sg_free(&d->sg);
    d->bus->ops->ended(d->bus->port, d);
}

void ide_done(IdeDrive *d)
{
    ide_end(d, ST_DRDY | ST_DSC, 0);
    d->bus->ops->irq(d->bus->port, d);
}

void ide_fail(IdeDrive *d, uint8_t error)
{
    ide_end(d, ST_DRDY | ST_DSC | ST_ERR, error);
    d->bus->ops->irq(d->bus->port, d);
}

void ide_abort(IdeDrive *d)
{
    ide_fail(d, ER_ABRT);
}

/* The task file names the first sector that failed. */
static void ide_medium_error(IdeDrive *d)
{
    if (d->cd) {
        atapi_medium_error(d);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        d->s.lba[i] = (uint8_t)(d->s.pos >> (8 * i));
        d->s.hob_lba[i] = (uint8_t)(d->s.pos >> (24 + 8 * i));
    }
    ide_fail(d, ER_UNC);
}

/* The last byte of a data phase has been moved. */
static void ide_data_end(IdeDrive *d)
{
    IdeState *s = &d->s;
    if (d->cd) {
        atapi_ok(d);
    } else if (s->phase == PH_OUT && (s->fua || !s->wcache)) {
        ide_flush(d);
    } else if (s->phase == PH_IN && !s->dma) {
        ide_end(d, ST_DRDY | ST_DSC, 0);    /* PIO in: no interrupt behind the last block */
    } else {
        s->nsector = 0;
        ide_done(d);
    }
}

/* --- requests --- */

static void ide_submit(IdeDrive *d, enum BlockOp op, uint64_t bytes,
                       void (*done)(BlockRequest *, int))
{
    d->busy = true;
    d->s.status = ST_BSY;
    d->iov = (struct iovec){ d->s.buf, bytes };
    d->rq = (BlockRequest){ .op = op, .offset = d->s.pos * ide_unit_size(d), .bytes = bytes,
                            .iov = &d->iov, .niov = 1, .done = done };
    block_submit(d->drive, &d->rq);
}

void ide_drain(IdeDrive *d)
{
    if (d->busy) {
        d->drive->ops->drain(d->drive);
    }
}

static void ide_flushed(BlockRequest *rq, int ret)
{
    IdeDrive *d = container_of(rq, IdeDrive, rq);
    d->busy = false;
    if (ret) {
        ide_abort(d);
    } else {
        ide_done(d);
    }
}

void ide_flush(IdeDrive *d)
{
    d->s.pos = 0;
    ide_submit(d, BLOCK_FLUSH, 0, ide_flushed);
}

/* --- PIO --- */

/* Opens the next DRQ window of what is in buf. */
static void pio_window(IdeDrive *d, bool irq)
{
    IdeState *s = &d->s;
    s->win_end = s->buf_end;
    if (d->cd) {
        s->win_end = MIN(s->buf_end, s->buf_pos + MAX(s->limit & ~1u, 2u));
        unsigned n = s->win_end - s->buf_pos;
        s->lba[1] = (uint8_t)n;
        s->lba[2] = (uint8_t)(n >> 8);
        s->nsector = s->phase == PH_IN ? REASON_IO : 0;
    }
    s->status = ST_DRDY | ST_DSC | ST_DRQ;
    s->error = 0;
    if (irq) {
        d->bus->ops->irq(d->bus->port, d);
    }
}

static void ide_fill(IdeDrive *d);

/* A piece is in buf: to the data port, or into the scatter list. */
static void ide_piece_in(IdeDrive *d)
{
    IdeState *s = &d->s;
    if (!s->dma) {
        pio_window(d, true);
        return;
    }
    uint64_t n = s->buf_end - s->buf_pos;
    uint64_t k = sg_copy(d->dev.machine, &d->sg, d->sg_off, s->buf + s->buf_pos, n, true);
    d->sg_off += k;
    s->moved += k;
    s->buf_pos += (uint32_t)k;
    if (k < n) {
        sg_free(&d->sg);
        d->bus->ops->dma_short(d->bus->port, d);
    } else if (s->medium && s->left) {
        ide_fill(d);
    } else {
        ide_data_end(d);
    }
}

static void ide_filled(BlockRequest *rq, int ret)
{
    IdeDrive *d = container_of(rq, IdeDrive, rq);
    IdeState *s = &d->s;
    uint32_t n = (uint32_t)(rq->bytes / ide_unit_size(d));
    d->busy = false;
    if (ret) {
        ide_medium_error(d);
        return;
    }
    s->buf_pos = 0;
    s->buf_end = n * ide_unit_size(d);
    if (s->raw) {
        uint8_t data[CD_BLOCK];
        for (uint32_t i = n; i-- > 0;) { /* from the end: sectors grow in place */
            memcpy(data, s->buf + i * CD_BLOCK, CD_BLOCK);
            scsi_cd_raw(s->buf + i * CD_RAW, data, (uint32_t)(s->pos + i));
        }
        s->buf_end = n * CD_RAW;
    }
    s->pos += n;
    s->left -= n;
    ide_piece_in(d);
}

static void ide_fill(IdeDrive *d)
{
    uint32_t n = MIN(d->s.left, d->s.block);
    ide_submit(d, BLOCK_READ, (uint64_t)n * ide_unit_size(d), ide_filled);
}

/* Room for the next piece the guest writes. */
static void pio_take(IdeDrive *d, bool irq)
{
    IdeState *s = &d->s;
    s->buf_pos = 0;
    s->buf_end = MIN(s->left, s->block) * IDE_SECTOR;
    pio_window(d, irq);
}

static void ide_spilled(BlockRequest *rq, int ret)
{
    IdeDrive *d = container_of(rq, IdeDrive, rq);
    IdeState *s = &d->s;
    uint32_t n = (uint32_t)(rq->bytes / IDE_SECTOR);
    d->busy = false;
    if (ret) {
        ide_medium_error(d);
        return;
    }
    s->pos += n;
    s->left -= n;
    if (s->left) {
        pio_take(d, true);
    } else {
        ide_data_end(d);
    }
}

uint16_t ide_data_read(IdeDrive *d)
{
    IdeState *s = &d->s;
    if (s->phase != PH_IN || s->dma || !(s->status & ST_DRQ)) {
        return 0xffff;
    }
    uint16_t v = s->buf[s->buf_pos++];
    if (s->buf_pos < s->win_end) { /* a last odd byte comes alone */
        v |= (uint16_t)(s->buf[s->buf_pos++] << 8);
    }
    if (s->buf_pos < s->win_end) {
        return v;
    }
    s->moved += s->win_end;
    if (s->buf_pos < s->buf_end) {
        pio_window(d, true);
    } else if (s->medium && s->left) {
        ide_fill(d);
    } else {
        ide_data_end(d);
    }
    return v;
}

void ide_data_write(IdeDrive *d, uint16_t v)
{
    IdeState *s = &d->s;
    bool takes = s->phase == PH_PACKET || (s->phase == PH_OUT && !s->dma);
    if (!takes || !(s->status & ST_DRQ)) {
        return;
    }
    s->buf[s->buf_pos++] = (uint8_t)v;
    if (s->buf_pos < s->win_end) {
        s->buf[s->buf_pos++] = (uint8_t)(v >> 8);
    }
    if (s->buf_pos < s->win_end) {
        return;
    }
    if (s->phase == PH_PACKET) {
        uint8_t cdb[CDB_SIZE];
        memcpy(cdb, s->buf, CDB_SIZE);
        ide_packet(d, cdb);
    } else if (s->buf_pos < s->buf_end) {
        pio_window(d, true);
    } else if (s->medium) {
        ide_submit(d, BLOCK_WRITE, s->buf_end, ide_spilled);
    } else {
        ide_buf_received(d);
    }
}

/* --- starting a data phase --- */

static void ide_start(IdeDrive *d, enum IdePhase phase, bool dma)
{
    d->s.phase = (uint8_t)phase;
    d->s.dma = dma || d->bus->ops->all_dma;
    d->s.moved = 0;
    d->s.buf_pos = 0;
    d->s.status = ST_BSY;
    d->s.error = 0;
}

void ide_start_buf(IdeDrive *d, enum IdePhase phase, bool dma, uint32_t n)
{
    ide_start(d, phase, dma);
    d->s.medium = d->s.raw = d->s.fua = false;
    d->s.left = 0;
    d->s.buf_end = n;
    if (d->s.dma) {
        d->bus->ops->dma_ready(d->bus->port, d);
    } else {
        pio_window(d, phase == PH_IN || d->cd);
    }
}

void ide_start_medium(IdeDrive *d, enum IdePhase phase, bool dma, uint64_t sector,
                      uint32_t count, uint32_t block)
{
    ide_start(d, phase, dma);
    d->s.medium = true;
    d->s.buf_end = 0;
    d->s.pos = sector;
    d->s.left = count;
    d->s.block = block;
    if (d->s.dma) {
        d->bus->ops->dma_ready(d->bus->port, d);
    } else if (phase == PH_IN) {
        ide_fill(d);
    } else {
        pio_take(d, false); /* the first block is not announced by an interrupt */
    }
}

void ide_packet(IdeDrive *d, const uint8_t cdb[CDB_SIZE])
{
    d->s.phase = PH_IDLE;
    d->s.buf_pos = d->s.win_end = d->s.buf_end = 0;
    d->s.status = ST_BSY;
    atapi_packet(d, cdb);
}

/* --- DMA --- */

static void ide_dma_done(SgIo *io, int ret)
{
    IdeDrive *d = container_of(io, IdeDrive, io);
    IdeState *s = &d->s;
    d->busy = false;
    if (ret) {
        ide_medium_error(d);
        return;
    }
    uint64_t bytes = io->disk_off - s->pos * ide_unit_size(d);
    uint32_t n = (uint32_t)(bytes / ide_unit_size(d));
    s->pos += n;
    s->left -= n;
    s->moved += bytes;
    if (s->left) {
        d->bus->ops->dma_short(d->bus->port, d);
    } else {
        ide_data_end(d);
    }
}

static void dma_medium(IdeDrive *d, SgList *sg)
{
    IdeState *s = &d->s;
    uint32_t unit = ide_unit_size(d);
    uint64_t n = MIN(sg->bytes / unit, (uint64_t)s->left);
    if (!n) {
        sg_free(sg);
        d->bus->ops->dma_short(d->bus->port, d);
        return;
    }
    d->busy = true;
    s->status = ST_BSY;
    d->io.done = ide_dma_done;
    sg_io_start(&d->io, d->dev.machine, d->drive, s->phase == PH_OUT, s->pos * unit, sg, 0,
                n * unit);
}

static void dma_buf_out(IdeDrive *d, SgList *sg)
{
    IdeState *s = &d->s;
    uint64_t n = s->buf_end - s->buf_pos;
    uint64_t k = sg_copy(d->dev.machine, sg, 0, s->buf + s->buf_pos, n, false);
    s->buf_pos += (uint32_t)k;
    s->moved += k;
    sg_free(sg);
    if (k < n) {
        d->bus->ops->dma_short(d->bus->port, d);
    } else {
        ide_buf_received(d);
    }
}

void ide_dma_run(IdeDrive *d, SgList *sg)
{
    IdeState *s = &d->s;
    if (d->busy || !s->dma || (s->phase != PH_IN && s->phase != PH_OUT)) {
        sg_free(sg);
    } else if (s->medium && !s->raw) {
        dma_medium(d, sg);
    } else if (s->phase == PH_OUT) {
        dma_buf_out(d, sg);
    } else {
        sg_free(&d->sg);
        d->sg = *sg;
        *sg = (SgList){ 0 };
        d->sg_off = 0;
        if (s->medium && s->buf_pos == s->buf_end) {
            ide_fill(d);
        } else {
            ide_piece_in(d);
        }
    }
}

/* --- commands and reset --- */

void ide_command(IdeDrive *d, uint8_t cmd)
{
    IdeState *s = &d->s;
    s->command = cmd;
    s->error = 0;
    s->phase = PH_IDLE;
    s->status = ST_BSY;
    s->moved = 0;
    s->dma = s->raw = s->fua = s->medium = false;
    s->left = 0;
    s->buf_pos = s->win_end = s->buf_end = 0;
    ide_execute(d);
}

void ide_reset_drive(IdeDrive *d, bool hard)
{
    IdeState *s = &d->s;
    ide_drain(d);
    sg_free(&d->sg);
    s->phase = PH_IDLE;
    s->dma = s->medium = s->raw = s->fua = false;
    s->left = s->block = s->limit = s->buf_pos = s->win_end = s->buf_end = 0;
    s->moved = s->pos = 0;
    s->power = 0xff;
    s->feature = s->hob_feature = s->hob_nsector = s->command = 0;
    memset(s->hob_lba, 0, sizeof(s->hob_lba));
    s->device = 0;
    ide_set_signature(d);
    s->status = d->cd ? 0 : ST_DRDY | ST_DSC;
    s->error = 1;           /* diagnostics passed */
    if (!hard) {
        return;
    }
    s->mult = IDE_MULT;
    s->heads = d->def_heads;
    s->spt = d->def_spt;
    s->udma = 1 << 5;
    s->mdma = 0;
    s->wcache = d->write_cache;
    s->lookahead = s->smart = true;
    s->unit = (ScsiUnitState){ 0 };
    memset(s->buf, 0, sizeof(s->buf));
}
