/* SPDX-License-Identifier: MIT */
/*
 * Packets to a CD/DVD drive (ATA/ATAPI-7 vol. 1, PACKET feature set). The commands are a SCSI
 * unit's (hw/scsi): here its plan becomes a data phase. Machine lock held.
 */
#include "hw/ide/ide_int.h"

#include <errno.h>
#include <string.h>
#include "util/compiler.h"

enum { PIECE = 15, RAW_PIECE = 13 };    /* sectors in buf; converted from plain to raw there */

static void failed(IdeDrive *d)
{
    d->s.nsector = REASON_CD | REASON_IO;
    ide_fail(d, (uint8_t)(d->s.unit.key << 4 | ER_ABRT));
}

void atapi_ok(IdeDrive *d)
{
    d->s.unit.key = d->s.unit.asc = d->s.unit.ascq = 0;
    d->s.nsector = REASON_CD | REASON_IO;
    ide_done(d);
}

void atapi_medium_error(IdeDrive *d)
{
    ScsiPlan p = { .act = SCSI_READ };
    scsi_failed(&d->u, &p, -EIO);
    failed(d);
}

static void read_sectors(IdeDrive *d, const ScsiPlan *p)
{
    uint32_t piece = p->raw ? RAW_PIECE : PIECE;
    d->s.raw = p->raw;
    if (!d->s.dma && !d->bus->ops->all_dma) {
        piece = MIN(MAX(d->s.limit / (p->raw ? CD_RAW : CD_BLOCK), 1u), piece);
    }
    ide_start_medium(d, PH_IN, d->s.dma, p->offset / CD_BLOCK,
                     (uint32_t)(p->bytes / CD_BLOCK), piece);
}

void atapi_packet(IdeDrive *d, const uint8_t cdb[CDB_SIZE])
{
    uint8_t command[SCSI_CDB_MAX] = { 0 };
    ScsiPlan p;
    memcpy(command, cdb, CDB_SIZE);
    scsi_command(&d->u, command, &p);
    switch (p.act) {
    case SCSI_DONE:
        if (p.status == SCSI_GOOD) {
            atapi_ok(d);
        } else {
            failed(d);
        }
        break;
    case SCSI_REPLY:
        if (!p.n) {
            atapi_ok(d);
            break;
        }
        memcpy(d->s.buf, p.reply, p.n);
        ide_start_buf(d, PH_IN, d->s.dma, p.n);
        break;
    case SCSI_READ:
        read_sectors(d, &p);
        break;
    case SCSI_PARAMS:
        ide_start_buf(d, PH_OUT, d->s.dma, p.n);
        break;
    case SCSI_WRITE:
    case SCSI_FLUSH:
    case SCSI_DISCARD:
        unreachable();      /* a CD plans none of them */
    }
}

void atapi_param_list(IdeDrive *d)
{
    atapi_ok(d);            /* MODE SELECT: nothing in the pages has an effect */
}
