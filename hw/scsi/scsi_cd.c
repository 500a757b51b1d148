/* SPDX-License-Identifier: MIT */
/*
 * Commands of CD and DVD drives beyond those of all units: MMC-5. One data track, one
 * session; no audio, no writing, user data only. Machine lock held.
 */
#include <string.h>
#include "hw/scsi/scsi_int.h"
#include "util/bytes.h"

enum { CD_MAX_BLOCKS = 80 * 60 * 75, PROFILE_CD = 0x08, PROFILE_DVD = 0x10 };

static bool is_dvd(const ScsiUnit *u)
{
    return u->blocks > CD_MAX_BLOCKS;
}

/* MMC-5, 7.5 and annex E. */
unsigned scsi_cd_page(const ScsiUnit *u, unsigned page, uint8_t *out)
{
    switch (page) {
    case 0x01:                  /* error recovery */
        out[1] = 10;
        out[3] = 5;
        return 12;
    case 0x0e:                  /* audio control: volume of two ports */
        out[1] = 14;
        out[2] = 0x04;
        out[8] = 1;
        out[9] = 0xff;
        out[10] = 2;
        out[11] = 0xff;
        return 16;
    case 0x2a:                  /* capabilities */
        out[1] = 20;
        out[2] = 0x3b;          /* reads CD-R, CD-RW, DVD-ROM, DVD-R */
        out[4] = 0x70;
        out[6] = 0x29 | (u->s->locked ? 2 : 0); /* tray; can eject and lock */
        put_be16(out + 8, 706); /* kB/s */
        put_be16(out + 12, 512);
        put_be16(out + 14, 706);
        return 22;
    }
    return 0;
}

static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
    if (!msf) {
        put_be32(to, lba);
        return;
    }
    lba += 150;                 /* two seconds of lead-in */
    to[0] = 0;
    to[1] = (uint8_t)(lba / 75 / 60);
    to[2] = (uint8_t)(lba / 75 % 60);
    to[3] = (uint8_t)(lba % 75);
}

/* Track 1 if it is wanted, then the lead-out (6.26.3.2). */
static unsigned toc(const ScsiUnit *u, uint8_t *out, unsigned start, bool msf)
{
    unsigned n = 4;
    for (unsigned track = start <= 1 ? 1 : 0xaa;; track = 0xaa) {
        out[n + 1] = 0x14;      /* data */
        out[n + 2] = (uint8_t)track;
        put_address(out + n + 4, track == 1 ? 0 : (uint32_t)u->blocks, msf);
        n += 8;
        if (track == 0xaa) {
            return n;
        }
    }
}

static void cmd_read_toc(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    unsigned format = cdb[2] & 15, n;
    bool msf = cdb[1] & 2;
    uint8_t *out = p->reply;
    format = format ? format : cdb[9] >> 6;
    if (format > 1 || (format == 0 && cdb[6] > 1 && cdb[6] != 0xaa)) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    out[2] = out[3] = 1;        /* first, last track or session */
    if (format == 0) {
        n = toc(u, out, cdb[6], msf);
    } else {
        out[5] = 0x14;
        out[6] = 1;
        put_address(out + 8, 0, msf);
        n = 12;
    }
    put_be16(out, n - 2);
    scsi_reply(p, n, get_be16(cdb + 7));
}

/* Features of chapter 5; data of those that have some. */
static const struct {
    uint16_t code;
    uint8_t flags;              /* version << 2 | persistent << 1 | current */
    uint8_t n, data[8];
} features[] = {
    { 0x0001, 0x03, 4, { 0, 0, 0, 1 } },            /* core: SCSI */
    { 0x0002, 0x03, 4, { 0 } },                     /* morphing */
    { 0x0003, 0x03, 4, { 0x39 } },                  /* removable: tray, eject, lock */
    { 0x0010, 0x01, 8, { 0, 0, 8, 0, 0, 16 } },     /* random readable */
    { 0x001e, 0x01, 4, { 0 } },                     /* CD read */
    { 0x001f, 0x01, 4, { 0 } },                     /* DVD read */
};

static void cmd_configuration(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    unsigned kind = cdb[1] & 3, start = get_be16(cdb + 2), n = 8;
    bool disc = scsi_has_medium(u), dvd = disc && is_dvd(u);
    uint8_t *out = p->reply;
    if (kind == 3) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    put_be16(out + 6, dvd ? PROFILE_DVD : disc ? PROFILE_CD : 0);
    if (start == 0) {           /* the list of profiles is feature 0 */
        out[n + 2] = 3;
        out[n + 3] = 8;
        put_be16(out + n + 4, PROFILE_DVD);
        out[n + 6] = dvd;
        put_be16(out + n + 8, PROFILE_CD);
        out[n + 10] = disc && !dvd;
        n += 12;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
        unsigned code = features[i].code;
        bool current = code < 4 || (disc && (code == 0x10 || (code == 0x1f) == dvd));
        if (code < start || (kind == 2 && code != start) || (kind == 1 && !current)) {
            continue;
        }
        put_be16(out + n, code);
        out[n + 2] = (uint8_t)((features[i].flags & ~1) | current);
        out[n + 3] = features[i].n;
        memcpy(out + n + 4, features[i].data, features[i].n);
        n += 4u + features[i].n;
    }
    put_be32(out, n - 4);
    scsi_reply(p, n, get_be16(cdb + 7));
}

static void cmd_event_status(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint8_t *out = p->reply;
    bool media = cdb[4] & 0x10;
    if (!(cdb[1] & 1)) {        /* asynchronous notification */
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    put_be16(out, media ? 6 : 2);
    out[2] = media ? 4 : 0x80;
    out[3] = 0x10;              /* the media class is supported */
    if (media) {
        out[4] = u->s->event;
        out[5] = (u->s->tray_open ? 1 : 0) | (scsi_has_medium(u) ? 2 : 0);
    }
    if (media && get_be16(cdb + 7) >= 8) {
        u->s->event = 0;
    }
    scsi_reply(p, media ? 8 : 4, get_be16(cdb + 7));
}

static void cmd_disc_info(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint8_t *out = p->reply;
    put_be16(out, 32);
    out[2] = 0x0e;              /* complete, last session complete */
    out[3] = out[4] = out[5] = out[6] = 1;
    out[7] = 0x20;
    memset(out + 16, 0xff, 8);
    scsi_reply(p, 34, get_be16(cdb + 7));
}

static void cmd_track_info(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint8_t *out = p->reply;
    put_be16(out, 34);
    out[2] = out[3] = 1;
    out[5] = 0x04;              /* data, mode 1 */
    out[6] = 0x01;
    put_be32(out + 24, (uint32_t)u->blocks);
    scsi_reply(p, 36, get_be16(cdb + 7));
}

static void cmd_subchannel(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    p->reply[1] = 0x15;         /* no audio status to return */
    scsi_reply(p, 4, get_be16(cdb + 7));
}

/* Layer descriptor (6.23.3.2.1): one layer, from sector 30000h on. */
static void cmd_dvd_structure(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint8_t *out = p->reply;
    if (!is_dvd(u) || cdb[7]) {
        scsi_illegal(u, p, is_dvd(u) ? ASC_FIELD : 0x3000);
        return;
    }
    put_be16(out, 22);
    out[4] = 0x01;
    out[5] = 0x0f;
    out[6] = 0x01;
    put_be32(out + 8, 0x30000);
    put_be32(out + 12, 0x30000 + (uint32_t)u->blocks - 1);
    scsi_reply(p, 24, get_be16(cdb + 8));
}

static void cmd_mechanism(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    p->reply[1] = u->s->tray_open ? 0x10 : 0;
    p->reply[5] = 1;
    scsi_reply(p, 8, get_be16(cdb + 8));
}

/* User data of mode 1 sectors alone. */
static void cmd_read_cd(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    unsigned type = cdb[1] >> 2 & 7;
    if (type != 0 && type != 2) {
        scsi_illegal(u, p, ASC_MODE);
    } else if ((cdb[9] & 0xf8) == 0x10 && !(cdb[9] & 6) && !(cdb[10] & 7)) {
        scsi_move(u, p, false, get_be32(cdb + 2), get_be32(cdb + 5) & 0xffffff);
    } else if (cdb[9] & 0xfe || cdb[10] & 7) {
        scsi_illegal(u, p, ASC_FIELD);
    }
}

static void cmd_good(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p) {}

const ScsiRow scsi_cd_rows[] = {
    { 0x42, NEEDS_MEDIUM, cmd_subchannel },
    { 0x43, NEEDS_MEDIUM, cmd_read_toc },
    { 0x46, NO_ATTENTION, cmd_configuration },
    { 0x4a, NO_ATTENTION, cmd_event_status },
    { 0x51, NEEDS_MEDIUM, cmd_disc_info },
    { 0x52, NEEDS_MEDIUM, cmd_track_info },
    { 0xad, NEEDS_MEDIUM, cmd_dvd_structure },
    { 0xbb, 0, cmd_good },                          /* SET CD SPEED */
    { 0xbd, 0, cmd_mechanism },
    { 0xbe, NEEDS_MEDIUM, cmd_read_cd },
    { 0 }
};
