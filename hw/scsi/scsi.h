/* SPDX-License-Identifier: MIT */
/*
 * SCSI units without a transport (SPC-3, SBC-3, MMC-5): a disk or a CD that turns a command
 * into a plan of what is to be moved. The transport (virtio-scsi, USB, ATAPI) moves it: it owns the
 * guest's buffers and the requests in flight. And the bus on which scsi-hd and scsi-cd sit.
 * Command blocks and parameter lists are the guest's and hostile. Machine lock held.
 */
#ifndef HW_SCSI_SCSI_H
#define HW_SCSI_SCSI_H

#include "hw/core/block.h"
#include "hw/core/device.h"

enum { CD_BLOCK = 2048, CD_RAW = 2352 };        /* bytes of a sector, with all around them */
enum { SCSI_SENSE = 18, SCSI_REPLY_MAX = 512, SCSI_RANGES = 16, SCSI_PARAMS_MAX = 512,
       SCSI_CDB_MAX = 32 };
enum { /* status codes (SAM-4, 5.3.1) */
    SCSI_GOOD = 0, SCSI_CHECK = 2,
};

enum { /* media events (MMC-5, 6.6.3) */
    CD_NO_EVENT = 0, CD_EJECT_REQUEST = 1, CD_NEW_MEDIA = 2, CD_REMOVAL = 3,
};

/* Saved. */
typedef struct ScsiUnitState {
    uint8_t key, asc, ascq;     /* of the last command that failed, for REQUEST SENSE */
    bool attention;             /* the medium may have changed: the next command is told */
    bool locked, tray_open;     /* of a CD */
    uint8_t event;              /* media event to report */
} ScsiUnitState;
extern const StateDesc scsi_unit_state;

typedef struct ScsiUnit {
    ScsiUnitState *s;           /* in the owner's saved struct */
    BlockBackend *drive;        /* NULL: a CD drive without one */
    bool cd, removable;
    bool atapi;                 /* a CD behind packets: SFF-8020i's INQUIRY, raw sectors */
    uint32_t block;             /* bytes of a logical block: 512 to 4096; CD: 2048 */
    uint32_t phys;              /* bytes that are best written together */
    uint64_t blocks;            /* of the medium; 0: none */
    uint16_t rotation;          /* revolutions per minute, 1: none, 0: not told */
    const char *vendor, *product, *ver, *serial;
} ScsiUnit;

enum ScsiAct {
    SCSI_DONE,      /* nothing to move: status, and sense if it is SCSI_CHECK */
    SCSI_REPLY,     /* reply[0..n) goes to the guest, then GOOD */
    SCSI_READ,      /* `bytes` from byte `offset` of the medium; checked */
    SCSI_WRITE,     /* the same, to it; flush after it if fua */
    SCSI_FLUSH,
    SCSI_DISCARD,   /* the ranges */
    SCSI_PARAMS,    /* n bytes come from the guest: then scsi_params */
};

typedef struct ScsiPlan {
    enum ScsiAct act;
    uint8_t status;
    uint8_t sense[SCSI_SENSE];  /* fixed format, if status is SCSI_CHECK */
    bool fua;
    bool raw;                   /* SCSI_READ for an atapi unit: scsi_cd_raw makes 2352 of 2048 */
    uint64_t offset, bytes;
    unsigned n;                 /* SCSI_REPLY: cut to the allocation length */
    uint8_t reply[SCSI_REPLY_MAX];
    unsigned nranges;
    struct {
        uint64_t offset, bytes;
    } range[SCSI_RANGES];
} ScsiPlan;

/* cdb: SCSI_CDB_MAX readable bytes. */
void scsi_command(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p);
/* The parameter list of a SCSI_PARAMS plan came: n bytes, at most what was wanted. */
void scsi_params(ScsiUnit *u, const uint8_t *cdb, const uint8_t *data, unsigned n, ScsiPlan *p);
/* The plan's transfer failed (-errno): CHECK CONDITION. */
void scsi_failed(ScsiUnit *u, ScsiPlan *p, int error);
/* To a unit that is not there (SPC-3, 6.4.1); target: another unit of it is. */
void scsi_no_unit(const uint8_t *cdb, ScsiPlan *p);
/* REPORT LUNS: bit n of the array set = unit n is there. */
void scsi_report_luns(const uint8_t *cdb, const uint32_t luns[8], ScsiPlan *p);
void scsi_reset_unit(ScsiUnit *u);
/* Takes the drive for `owner` (a Device) and its size; false with err: it has another
 * owner, is missing, or has not a whole block. */
bool scsi_claim(ScsiUnit *u, BlockBackend *b, Device *owner, const BlockMedia *media, Error *err);
void scsi_release(ScsiUnit *u, const Device *owner);
/* One 2352-byte sector around CD_BLOCK bytes of data. */
void scsi_cd_raw(uint8_t *to, const uint8_t *data, uint32_t lba);
/* For BlockMedia of owners. */
bool scsi_media_locked(const ScsiUnit *u);
void scsi_media_changed(ScsiUnit *u, uint64_t size);

/* --- the bus, and the drives on it --- */

enum { SCSI_TARGETS = 256, SCSI_LUNS = 256 };

typedef struct ScsiBus {
    Bus bus;                    /* first */
} ScsiBus;
extern const BusClass scsi_bus_class;

typedef struct ScsiDriveState {
    ScsiUnitState unit;
} ScsiDriveState;

/* scsi-hd, scsi-cd. */
typedef struct ScsiDrive {
    Device dev;                 /* first */
    ScsiDriveState s;
    ScsiUnit u;
    BlockBackend *drive;        /* properties from here on */
    char *serial, *vendor, *product, *ver;
    uint32_t id, lun, bootindex, block, phys, rotation;
    bool removable;
    int share_rw, channel;
} ScsiDrive;

/* The drive there, or NULL. */
ScsiDrive *scsi_drive_at(const Bus *bus, unsigned target, unsigned lun);
void scsi_bus_drain(Bus *bus);
extern const DeviceClass scsi_hd_class, scsi_cd_class;

#endif
