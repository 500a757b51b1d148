/* SPDX-License-Identifier: MIT */
/*
 * Commands of all units and of disks. SPC-3 (INQUIRY, mode pages, REQUEST SENSE, REPORT
 * LUNS), SBC-3 (reads, writes, capacity, UNMAP). Left out: persistent reservations, WRITE
 * SAME, protection information, autosense other than fixed format. Machine lock held.
 */
#include <errno.h>
#include <string.h>
#include "hw/scsi/scsi_int.h"
#include "util/bytes.h"
#include "util/log.h"

/* ---- results ---- */

void scsi_check(ScsiUnit *u, ScsiPlan *p, unsigned key, unsigned asc)
{
    p->act = SCSI_DONE;
    p->status = SCSI_CHECK;
    memset(p->sense, 0, sizeof(p->sense));
    p->sense[0] = 0x70;         /* current error, fixed format */
    p->sense[2] = (uint8_t)key;
    p->sense[7] = SCSI_SENSE - 8;
    p->sense[12] = (uint8_t)(asc >> 8);
    p->sense[13] = (uint8_t)asc;
    if (u) {
        u->s->key = (uint8_t)key;
        u->s->asc = (uint8_t)(asc >> 8);
        u->s->ascq = (uint8_t)asc;
    }
}

void scsi_reply(ScsiPlan *p, unsigned n, uint64_t alloc)
{
    p->act = SCSI_REPLY;
    p->n = (unsigned)MIN((uint64_t)n, alloc);
}

void scsi_failed(ScsiUnit *u, ScsiPlan *p, int error)
{
    bool write = p->act == SCSI_WRITE || p->act == SCSI_FLUSH;
    if (error == -EROFS || error == -EPERM) {
        scsi_check(u, p, SK_PROTECT, ASC_PROTECT);
    } else {
        scsi_check(u, p, SK_MEDIUM, write ? ASC_WRITE : ASC_UNREAD);
    }
}

bool scsi_has_medium(const ScsiUnit *u)
{
    return u->blocks && !u->s->tray_open;
}

/* ---- common commands ---- */

static void cmd_good(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p) {}

static void cmd_request_sense(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    if (!u->s->key && u->s->attention) {
        u->s->key = SK_ATTENTION;
        u->s->asc = ASC_CHANGED >> 8;
        u->s->ascq = 0;
        u->s->attention = false;
    }
    p->reply[0] = 0x70;
    p->reply[2] = u->s->key;
    p->reply[7] = SCSI_SENSE - 8;
    p->reply[12] = u->s->asc;
    p->reply[13] = u->s->ascq;
    u->s->key = u->s->asc = u->s->ascq = 0;
    scsi_reply(p, SCSI_SENSE, cdb[4]);
}

/* Device identification (SPC-3, 7.6.3): the maker's name and the serial number. */
static unsigned vpd_identification(const ScsiUnit *u, uint8_t *out)
{
    unsigned n = (unsigned)MIN(strlen(u->serial), 64u);
    out[0] = 2;                 /* ASCII */
    out[1] = 1;                 /* of the logical unit, T10 vendor ID */
    out[3] = (uint8_t)(8 + n);
    put_padded(out + 4, u->vendor, 8);
    memcpy(out + 12, u->serial, n);
    return 12 + n;
}

static unsigned vpd_limits(const ScsiUnit *u, uint8_t *out)
{
    out[2] = 0;
    put_be16(out + 2, u->phys / u->block);              /* optimal granularity */
    put_be32(out + 16, 0xffffffff / u->block);          /* UNMAP: blocks, descriptors */
    put_be32(out + 20, SCSI_RANGES);
    put_be32(out + 24, u->phys / u->block);             /* granularity */
    return 60;
}

/* Pages of SBC-3, 6.6. */
static void vpd(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    static const uint8_t disk_pages[] = { 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
    uint8_t *out = p->reply;
    unsigned n = 0;
    out[0] = u->cd ? 5 : 0;
    out[1] = cdb[2];
    switch (cdb[2]) {
    case 0x00:
        n = u->cd ? 3 : sizeof(disk_pages);
        memcpy(out + 4, disk_pages, n);
        break;
    case 0x80:
        n = (unsigned)MIN(strlen(u->serial), 64u);
        memcpy(out + 4, u->serial, n);
        break;
    case 0x83:
        n = vpd_identification(u, out + 4);
        break;
    case 0xb0:
        n = u->cd ? 0 : vpd_limits(u, out + 4);
        break;
    case 0xb1:
        n = u->cd ? 0 : 60;
        put_be16(out + 4, u->rotation);
        break;
    case 0xb2:
        n = u->cd ? 0 : 4;
        out[5] = 0x80;          /* UNMAP is there */
        out[6] = 2;             /* thin */
        break;
    }
    if (!n) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    put_be16(out + 2, n);
    scsi_reply(p, 4 + n, get_be16(cdb + 3));
}

static void cmd_inquiry(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint8_t *out = p->reply;
    if (cdb[1] & 1) {
        vpd(u, cdb, p);
        return;
    }
    if (cdb[2]) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    out[0] = u->cd ? 5 : 0;
    out[1] = u->removable ? 0x80 : 0;
    out[2] = u->atapi ? 0 : 5;  /* SPC-3 */
    out[3] = u->atapi ? 0x21 : 0x12; /* ATAPI version 2, format 1; hierarchical LUNs, format 2 */
    out[4] = 36 - 5;
    out[7] = u->atapi ? 0 : 2;  /* takes several commands at once */
    put_padded(out + 8, u->vendor, 8);
    put_padded(out + 16, u->product, 16);
    put_padded(out + 32, u->ver, 4);
    scsi_reply(p, 36, get_be16(cdb + 3));
}

void scsi_report_luns(const uint8_t *cdb, const uint32_t luns[8], ScsiPlan *p)
{
    unsigned n = 0;
    memset(p, 0, sizeof(*p));
    for (unsigned i = 0; i < SCSI_LUNS && 8 + n < SCSI_REPLY_MAX; i++) {
        if (luns[i / 32] >> (i % 32) & 1) {
            p->reply[8 + n + 1] = (uint8_t)i;   /* peripheral addressing (SAM-4, 4.6.8) */
            n += 8;
        }
    }
    put_be32(p->reply, n);
    scsi_reply(p, 8 + n, get_be32(cdb + 6));
}

static void cmd_report_luns(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    static const uint32_t first[8] = { 1 };
    scsi_report_luns(cdb, first, p);
}

void scsi_no_unit(const uint8_t *cdb, ScsiPlan *p)
{
    memset(p, 0, sizeof(*p));
    if (cdb[0] == 0x12) {
        p->reply[0] = 0x7f;     /* no device can be here */
        p->reply[2] = 5;
        p->reply[3] = 2;
        p->reply[4] = 36 - 5;
        scsi_reply(p, 36, get_be16(cdb + 3));
        return;
    }
    scsi_check(NULL, p, SK_ILLEGAL, ASC_NO_UNIT);
}

/* ---- mode pages ---- */

static unsigned disk_page(const ScsiUnit *u, unsigned page, uint8_t *out)
{
    switch (page) {
    case 0x01:                  /* error recovery */
        out[1] = 10;
        out[2] = 0x80;          /* bad blocks are replaced */
        return 12;
    case 0x08:                  /* caching */
        out[1] = 18;
        out[2] = 0x04;          /* writes are cached: SYNCHRONIZE CACHE has an effect */
        return 20;
    case 0x0a:                  /* control */
        out[1] = 10;
        out[3] = 0x10;          /* commands are reordered */
        return 12;
    }
    return 0;
}

/* Block descriptor (SBC-3, 6.4.2): a disk's. */
static unsigned block_descriptor(const ScsiUnit *u, uint8_t *out, bool large)
{
    if (large) {
        put_be64(out, u->blocks);
        put_be32(out + 12, u->block);
        return 16;
    }
    put_be32(out, (uint32_t)MIN(u->blocks, 0xffffffull));
    put_be32(out + 4, u->block);
    return 8;
}

static void cmd_mode_sense(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    bool ten = cdb[0] == 0x5a, all = (cdb[2] & 0x3f) == 0x3f;
    unsigned header = ten ? 8 : 4, n = header, bd = 0, control = cdb[2] >> 6;
    uint8_t *out = p->reply;
    if (control == 3) {
        scsi_illegal(u, p, ASC_SAVING);
        return;
    }
    if (!u->cd && !(cdb[1] & 8)) {
        bd = block_descriptor(u, out + n, ten && (cdb[1] & 0x10));
        n += bd;
    }
    unsigned before = n;
    for (unsigned page = 1; page < 0x3f; page++) {
        if (all || (cdb[2] & 0x3f) == page) {
            unsigned len = u->cd ? scsi_cd_page(u, page, out + n) : disk_page(u, page, out + n);
            out[n] = len ? (uint8_t)page : 0;
            if (len && control == 1) {  /* nothing can be changed */
                memset(out + n + 2, 0, len - 2);
            }
            n += len;
        }
    }
    if (n == before || (cdb[3] && cdb[3] != 0xff)) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    uint8_t specific = u->cd ? 0 : 0x10 | (u->drive->readonly ? 0x80 : 0); /* DPOFUA, WP */
    uint8_t medium = !u->cd ? 0 : u->blocks ? 0x01 : 0x70;  /* a CD with data, none */
    if (ten) {
        put_be16(out, n - 2);
        out[2] = medium;
        out[3] = specific;
        out[4] = bd == 16;
        put_be16(out + 6, bd);
    } else {
        out[0] = (uint8_t)(n - 1);
        out[1] = medium;
        out[2] = specific;
        out[3] = (uint8_t)bd;
    }
    scsi_reply(p, n, ten ? get_be16(cdb + 7) : cdb[4]);
}

static void want_params(ScsiUnit *u, ScsiPlan *p, unsigned n)
{
    if (n > SCSI_PARAMS_MAX) {
        scsi_illegal(u, p, ASC_LENGTH);
    } else if (n) {
        p->act = SCSI_PARAMS;
        p->n = n;
    }
}

static void cmd_mode_select(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    want_params(u, p, cdb[0] == 0x55 ? get_be16(cdb + 7) : cdb[4]);
}

/* ---- tray ---- */

static void cmd_start_stop(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    bool load = cdb[4] & 2, start = cdb[4] & 1;
    if (!u->cd || cdb[4] >> 4 || !load) {
        return;                 /* power conditions, motor */
    }
    if (!start && u->s->locked) {
        scsi_illegal(u, p, ASC_LOCKED);
    } else if (u->s->tray_open == start) {
        u->s->tray_open = !start;
        u->s->event = start ? CD_NEW_MEDIA : CD_REMOVAL;
        u->s->attention = start && u->blocks;
    }
}

static void cmd_prevent(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    u->s->locked = u->removable && (cdb[4] & 1);
}

/* ---- reading and writing ---- */

void scsi_move(ScsiUnit *u, ScsiPlan *p, bool write, uint64_t lba, uint64_t count)
{
    if (lba > u->blocks || count > u->blocks - lba) {
        scsi_illegal(u, p, ASC_LBA);
    } else if (write && u->drive->readonly) {
        scsi_check(u, p, SK_PROTECT, ASC_PROTECT);
    } else if (count) {
        p->act = write ? SCSI_WRITE : SCSI_READ;
        p->offset = lba * u->block;
        p->bytes = count * u->block;
    }
}

/* Address and count of the 6, 10, 12 and 16 byte forms. */
static void extent(const uint8_t *cdb, uint64_t *lba, uint64_t *count)
{
    switch (cdb[0] >> 5) {
    case 0:
        *lba = get_be32(cdb) & 0x1fffff;
        *count = cdb[4] ? cdb[4] : 256;
        break;
    case 5:
        *lba = get_be32(cdb + 2);
        *count = get_be32(cdb + 6);
        break;
    case 4:
        *lba = get_be64(cdb + 2);
        *count = get_be32(cdb + 10);
        break;
    default:
        *lba = get_be32(cdb + 2);
        *count = get_be16(cdb + 7);
        break;
    }
}

static void cmd_read(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint64_t lba, count;
    extent(cdb, &lba, &count);
    if (cdb[0] >> 5 && cdb[1] >> 5) {   /* protection information */
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    scsi_move(u, p, false, lba, count);
}

static void cmd_write(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint64_t lba, count;
    extent(cdb, &lba, &count);
    if (cdb[0] >> 5 && cdb[1] >> 5) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    p->fua = cdb[0] >> 5 && cdb[1] & 8;
    scsi_move(u, p, true, lba, count);
}

static void cmd_verify(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint64_t lba, count;
    extent(cdb, &lba, &count);
    if (cdb[1] & 6) {           /* compare with data of the guest's */
        scsi_illegal(u, p, ASC_FIELD);
    } else if (lba > u->blocks || count > u->blocks - lba) {
        scsi_illegal(u, p, ASC_LBA);
    }
}

static void cmd_flush(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    if (u->drive && !u->cd) {
        p->act = SCSI_FLUSH;
    }
}

static void cmd_capacity(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    put_be32(p->reply, (uint32_t)MIN(u->blocks - 1, 0xffffffffull));
    put_be32(p->reply + 4, u->block);
    scsi_reply(p, 8, 8);
}

static void cmd_service_in(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    if ((cdb[1] & 0x1f) != 0x10 || u->cd) {     /* READ CAPACITY (16) */
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    put_be64(p->reply, u->blocks - 1);
    put_be32(p->reply + 8, u->block);
    p->reply[13] = (uint8_t)__builtin_ctz(u->phys / u->block);
    p->reply[14] = 0x80;        /* blocks can be unmapped */
    scsi_reply(p, 32, get_be32(cdb + 10));
}

static void cmd_unmap(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    if (cdb[1] & 1) {           /* anchor */
        scsi_illegal(u, p, ASC_FIELD);
    } else if (u->drive->readonly) {
        scsi_check(u, p, SK_PROTECT, ASC_PROTECT);
    } else {
        want_params(u, p, get_be16(cdb + 7));
    }
}

/* SBC-3, 5.28.2: 8 bytes of lengths, descriptors of 16. */
static void unmap_list(ScsiUnit *u, const uint8_t *data, unsigned n, ScsiPlan *p)
{
    if (n < 8 || get_be16(data + 2) > n - 8) {
        scsi_illegal(u, p, ASC_LENGTH);
        return;
    }
    unsigned count = get_be16(data + 2) / 16;
    if (count > SCSI_RANGES) {
        scsi_illegal(u, p, ASC_PARAMETER);
        return;
    }
    p->nranges = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *r = data + 8 + 16 * i;
        uint64_t lba = get_be64(r), blocks = get_be32(r + 8);
        if (lba > u->blocks || blocks > u->blocks - lba) {
            scsi_illegal(u, p, ASC_LBA);
            return;
        }
        if (blocks) {
            p->range[p->nranges].offset = lba * u->block;
            p->range[p->nranges++].bytes = blocks * u->block;
        }
    }
    p->act = p->nranges ? SCSI_DISCARD : SCSI_DONE;
}

void scsi_params(ScsiUnit *u, const uint8_t *cdb, const uint8_t *data, unsigned n, ScsiPlan *p)
{
    memset(p, 0, sizeof(*p));
    if (cdb[0] == 0x42 && !u->cd) {
        unmap_list(u, data, n, p);
    }                           /* MODE SELECT: nothing in the pages has an effect */
}

/* ---- dispatch ---- */

static const ScsiRow common_rows[] = {
    { 0x00, NEEDS_MEDIUM, cmd_good },               /* TEST UNIT READY */
    { 0x03, NO_ATTENTION, cmd_request_sense },
    { 0x08, NEEDS_MEDIUM, cmd_read },
    { 0x12, NO_ATTENTION, cmd_inquiry },
    { 0x15, 0, cmd_mode_select },
    { 0x16, 0, cmd_good },                          /* RESERVE, RELEASE: one initiator */
    { 0x17, 0, cmd_good },
    { 0x1a, 0, cmd_mode_sense },
    { 0x1b, 0, cmd_start_stop },
    { 0x1d, 0, cmd_good },                          /* SEND DIAGNOSTIC: the self-test passed */
    { 0x1e, 0, cmd_prevent },
    { 0x25, NEEDS_MEDIUM, cmd_capacity },
    { 0x28, NEEDS_MEDIUM, cmd_read },
    { 0x2b, NEEDS_MEDIUM, cmd_verify },             /* SEEK */
    { 0x2f, NEEDS_MEDIUM, cmd_verify },
    { 0x35, 0, cmd_flush },
    { 0x55, 0, cmd_mode_select },
    { 0x56, 0, cmd_good },
    { 0x57, 0, cmd_good },
    { 0x5a, 0, cmd_mode_sense },
    { 0x88, NEEDS_MEDIUM, cmd_read },
    { 0x8f, NEEDS_MEDIUM, cmd_verify },
    { 0x91, 0, cmd_flush },
    { 0xa0, NO_ATTENTION, cmd_report_luns },
    { 0xa8, NEEDS_MEDIUM, cmd_read },
    { 0xaf, NEEDS_MEDIUM, cmd_verify },
    { 0 }
};
static const ScsiRow disk_rows[] = {
    { 0x0a, NEEDS_MEDIUM, cmd_write },
    { 0x2a, NEEDS_MEDIUM, cmd_write },
    { 0x2e, NEEDS_MEDIUM, cmd_write },              /* and verify */
    { 0x42, NEEDS_MEDIUM, cmd_unmap },
    { 0x8a, NEEDS_MEDIUM, cmd_write },
    { 0x8e, NEEDS_MEDIUM, cmd_write },
    { 0x9e, NEEDS_MEDIUM, cmd_service_in },
    { 0xaa, NEEDS_MEDIUM, cmd_write },
    { 0xae, NEEDS_MEDIUM, cmd_write },
    { 0 }
};

static const ScsiRow *find_row(const ScsiRow *r, uint8_t opcode)
{
    for (; r->fn; r++) {
        if (r->opcode == opcode) {
            return r;
        }
    }
    return NULL;
}

void scsi_command(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    const ScsiRow *r = find_row(u->cd ? scsi_cd_rows : disk_rows, cdb[0]);
    memset(p, 0, sizeof(*p));
    r = r ? r : find_row(common_rows, cdb[0]);
    if (!r) {
        log_unimp("scsi: command %02x\n", cdb[0]);
        scsi_illegal(u, p, ASC_OPCODE);
    } else if (u->s->attention && !(r->flags & NO_ATTENTION)) {
        u->s->attention = false;
        scsi_check(u, p, SK_ATTENTION, ASC_CHANGED);
    } else if ((r->flags & NEEDS_MEDIUM) && !scsi_has_medium(u)) {
        scsi_check(u, p, SK_NOT_READY, u->s->tray_open ? ASC_TRAY : ASC_NO_MEDIUM);
    } else {
        r->fn(u, cdb, p);
    }
}
