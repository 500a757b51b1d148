/* SPDX-License-Identifier: MIT */
/*
 * A drive and its bus, for the files of hw/ide only. ATA/ATAPI-8 ACS (T13/1699), MMC-5.
 *
 * A drive (IdeDrive: ide-hd, ide-cd) has the command set and one task file. Its bus is a
 * channel of PIIX3 or a port of AHCI; what these do differently is in IdePortOps. A
 * command is IDLE > (PACKET) > a data phase IN or OUT > IDLE. The data phase moves whole
 * pieces between medium and `buf` (PIO, converted CD sectors), between `buf` and a scatter
 * list, or between medium and scatter list directly.
 */
#ifndef HW_IDE_IDE_INT_H
#define HW_IDE_IDE_INT_H

#include "hw/core/block.h"
#include "hw/core/device.h"
#include "hw/core/dma_sg.h"
#include "hw/ide/ide.h"
#include "hw/scsi/scsi.h"

typedef struct IdeDrive IdeDrive;
typedef struct IdeBus IdeBus;

enum { IDE_SECTOR = 512, IDE_BUF = 32768, IDE_MULT = 16,
       CDB_SIZE = 12, DSM_BLOCKS = 8 };

enum { /* status register */
    ST_BSY = 0x80, ST_DRDY = 0x40, ST_DF = 0x20, ST_DSC = 0x10, ST_DRQ = 0x08, ST_ERR = 0x01,
};
enum { /* error register */
    ER_ICRC = 0x80, ER_UNC = 0x40, ER_IDNF = 0x10, ER_ABRT = 0x04,
};
enum { DEV_LBA = 0x40, DEV_SLAVE = 0x10 };  /* device register */
enum { REASON_CD = 1, REASON_IO = 2 };      /* ATAPI interrupt reason */

enum IdePhase { PH_IDLE, PH_PACKET, PH_IN, PH_OUT, PH_COUNT };

/* Saved. */
typedef struct IdeState {
    /* Task file; hob = what the register held before the last write (48-bit). */
    uint8_t feature, nsector, lba[3], device, status, error;
    uint8_t hob_feature, hob_nsector, hob_lba[3];
    uint8_t command;        /* being executed */
    /* Settings. */
    uint8_t mult;           /* sectors of a READ MULTIPLE block, 0 = off */
    uint8_t heads, spt;     /* CHS translation in force; spt 0 = none */
    uint8_t udma, mdma;     /* selected mode bits of IDENTIFY words 88, 63 */
    uint8_t power;          /* as CHECK POWER MODE answers */
    bool wcache, lookahead, smart;
    ScsiUnitState unit;     /* CD */
    /* Data phase. */
    uint8_t phase;          /* enum IdePhase */
    bool dma;               /* by the transport's DMA, not by the data port */
    bool medium;            /* the medium is behind `buf` (or behind the scatter list) */
    bool raw;               /* CD: 2352-byte sectors are made of 2048 */
    bool fua;               /* flush when the write is done */
    uint64_t pos;           /* next sector of the medium */
    uint32_t left;          /* sectors of the medium not yet in `buf` (IN) / written (OUT) */
    uint32_t block;         /* sectors of a piece */
    uint32_t buf_pos, win_end, buf_end;  /* bytes of buf: next, end of this DRQ, valid */
    uint32_t limit;         /* ATAPI: byte count limit */
    uint64_t moved;         /* bytes of this command given to or taken from the guest */
    uint8_t buf[IDE_BUF];
} IdeState;

typedef struct IdePortOps {
    /* The drive asserts INTRQ: a command ended or a PIO piece is ready. */
    void (*irq)(void *port, IdeDrive *d);
    /* A command with s.dma is ready for its data: call ide_dma_run, now or later. */
    void (*dma_ready)(void *port, IdeDrive *d);
    /* The scatter list ended before the data did (the drive waits). */
    void (*dma_short)(void *port, IdeDrive *d);
    /* The command ended (before irq). */
    void (*ended)(void *port, IdeDrive *d);
    bool all_dma;           /* no data port: every data phase is a DMA */
} IdePortOps;

struct IdeBus {
    Bus bus;                /* first */
    IdeDrive *unit[2];
    unsigned max_units;     /* 1 or 2 */
    const IdePortOps *ops;
    void *port;
};
extern const BusClass ide_bus_class;
IdeBus *ide_bus_create(Device *owner, const char *name, unsigned units,
                       const IdePortOps *ops, void *port);

struct IdeDrive {
    Device dev;             /* first */
    IdeState s;
    BlockBackend *drive;    /* property */
    char *serial, *model, *ver; /* properties */
    uint32_t unit, bootindex;   /* properties */
    bool write_cache;       /* property */
    bool cd;
    ScsiUnit u;             /* of a CD: its commands */
    IdeBus *bus;
    uint64_t sectors;       /* of 512 or 2048 bytes, of the medium */
    uint16_t cyls;          /* default translation */
    uint8_t def_heads, def_spt;
    /* Not saved: nothing is in flight then. */
    bool busy;              /* rq or io is with the backend */
    BlockRequest rq;
    struct iovec iov;
    SgIo io;
    SgList sg;              /* list of a DMA that goes through buf */
    uint64_t sg_off;
    unsigned dsm_next, dsm_end; /* TRIM: entries of buf */
};

/* --- ide.c: for transports --- */
void ide_reset_drive(IdeDrive *d, bool hard);   /* drained; signature in the task file */
void ide_drain(IdeDrive *d);                    /* until no request is in flight */
/* Command register written, or a command FIS received: the task file is filled. */
void ide_command(IdeDrive *d, uint8_t cmd);
/* AHCI brings the packet along: the drive is in PH_PACKET. */
void ide_packet(IdeDrive *d, const uint8_t cdb[CDB_SIZE]);
/* Moves the data phase's data; takes over the list. Ends in ended() or dma_short(). */
void ide_dma_run(IdeDrive *d, SgList *sg);
uint16_t ide_data_read(IdeDrive *d);
void ide_data_write(IdeDrive *d, uint16_t v);
static inline uint32_t ide_unit_size(const IdeDrive *d)
{
    return d->cd ? CD_BLOCK : IDE_SECTOR;
}

/* --- ide.c: for commands --- */
void ide_done(IdeDrive *d);                     /* command ended well */
void ide_fail(IdeDrive *d, uint8_t error);      /* ended with ERR */
void ide_abort(IdeDrive *d);
/* Data phase out of / into buf[0..n). */
void ide_start_buf(IdeDrive *d, enum IdePhase phase, bool dma, uint32_t n);
/* Data phase out of / into the medium, `block` sectors a piece. */
void ide_start_medium(IdeDrive *d, enum IdePhase phase, bool dma, uint64_t sector,
                      uint32_t count, uint32_t block);
void ide_flush(IdeDrive *d);                    /* ends the command when done */

/* --- ide_cmd.c --- */
void ide_execute(IdeDrive *d);                  /* s.command */
void ide_buf_received(IdeDrive *d);             /* buf[0..buf_end) came from the guest */
void ide_set_signature(IdeDrive *d);
bool ide_range_ok(const IdeDrive *d, uint64_t sector, uint64_t count);
void ide_trim(IdeDrive *d, unsigned blocks);    /* buf holds the ranges; ends the command */

/* --- ide_identify.c --- */
void ide_identify(const IdeDrive *d, uint8_t out[512]);
void ide_smart_data(uint8_t out[512], bool thresholds);
void ide_checksum(uint8_t out[512]);            /* byte 511: sum of all is 0 */

/* --- atapi.c --- */
void atapi_packet(IdeDrive *d, const uint8_t cdb[CDB_SIZE]);
void atapi_param_list(IdeDrive *d);             /* MODE SELECT data is in buf */
void atapi_ok(IdeDrive *d);
void atapi_medium_error(IdeDrive *d);

#endif
