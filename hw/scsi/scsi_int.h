/* SPDX-License-Identifier: MIT */
/* What the files of hw/scsi share: sense codes (SPC-3, 4.5.6) and big-endian fields. */
#ifndef HW_SCSI_SCSI_INT_H
#define HW_SCSI_SCSI_INT_H

#include "hw/scsi/scsi.h"

enum { /* sense keys */
    SK_NONE = 0, SK_NOT_READY = 2, SK_MEDIUM = 3, SK_ILLEGAL = 5, SK_ATTENTION = 6,
    SK_PROTECT = 7,
};
enum { /* additional sense codes, qualifier in the low byte */
    ASC_UNREAD = 0x1100, ASC_LENGTH = 0x1a00, ASC_OPCODE = 0x2000, ASC_LBA = 0x2100,
    ASC_FIELD = 0x2400, ASC_NO_UNIT = 0x2500, ASC_PARAMETER = 0x2600, ASC_PROTECT = 0x2700,
    ASC_CHANGED = 0x2800, ASC_FORMAT = 0x3000, ASC_SAVING = 0x3900, ASC_NO_MEDIUM = 0x3a01,
    ASC_TRAY = 0x3a02,
    ASC_LOCKED = 0x5302, ASC_MODE = 0x6400, ASC_WRITE = 0x0c00,
};

typedef void ScsiHandler(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p);
enum { NEEDS_MEDIUM = 1, NO_ATTENTION = 2 };

typedef struct ScsiRow {
    uint8_t opcode, flags;
    ScsiHandler *fn;
} ScsiRow;
extern const ScsiRow scsi_cd_rows[];    /* ended by fn NULL */

void scsi_check(ScsiUnit *u, ScsiPlan *p, unsigned key, unsigned asc);
static inline void scsi_illegal(ScsiUnit *u, ScsiPlan *p, unsigned asc)
{
    scsi_check(u, p, SK_ILLEGAL, asc);
}
/* reply[0..n), not more than the guest wants. */
void scsi_reply(ScsiPlan *p, unsigned n, uint64_t alloc);
bool scsi_has_medium(const ScsiUnit *u);
/* A read or a write of `count` blocks; checks the range. */
void scsi_move(ScsiUnit *u, ScsiPlan *p, bool write, uint64_t lba, uint64_t count);
/* Mode page of a CD at `out`; 0: there is none. */
unsigned scsi_cd_page(const ScsiUnit *u, unsigned page, uint8_t *out);

#endif
