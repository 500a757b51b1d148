/* SPDX-License-Identifier: MIT */
/*
 * Commands of CD and DVD drives beyond those of all units: MMC-5. The medium is one data
 * track of 2048-byte sectors (mode 1). Left out: audio, writing, CSS. Machine lock held.
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
        out[3] = 5;             /* retries */
        return 12;
    case 0x08:                  /* caching: of writes */
        out[1] = 10;
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
        out[4] = 0x70;          /* mode 2 forms, multisession */
        out[5] = 0x03;          /* READ CD, accurate */
        out[6] = 0x29 | (u->s->locked ? 2 : 0); /* tray; can eject and lock */
        put_be16(out + 8, 706); /* kB/s: 4x */
        put_be16(out + 10, 2);  /* volume levels */
        put_be16(out + 12, 512); /* KiB of buffer */
        put_be16(out + 14, 706);
        return 22;
    }
    return 0;
}

static void put_msf(uint8_t to[3], uint32_t lba)
{
    lba += 150;                 /* two seconds of lead-in */
    to[0] = (uint8_t)(lba / 75 / 60);
    to[1] = (uint8_t)(lba / 75 % 60);
    to[2] = (uint8_t)(lba % 75);
}

static uint32_t get_msf(const uint8_t msf[3])
{
    return (msf[0] * 60u + msf[1]) * 75u + msf[2] - 150u;
}

static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
    if (msf) {
        to[0] = 0;
        put_msf(to + 1, lba);
    } else {
        put_be32(to, lba);
    }
}

/* Track 1 if it is wanted, then the lead-out (6.26.3.2). */
static unsigned toc_tracks(const ScsiUnit *u, uint8_t *out, unsigned start, bool msf)
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

static unsigned toc_session(uint8_t *out, bool msf)
{
    out[5] = 0x14;
    out[6] = 1;
    put_address(out + 8, 0, msf);
    return 12;
}

/* Full table (6.26.3.4): points A0, A1, A2 and the track, always as MSF. */
static unsigned toc_full(const ScsiUnit *u, uint8_t *out)
{
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
    unsigned n = 4;
    for (unsigned i = 0; i < sizeof(points); i++, n += 11) {
        out[n] = 1;             /* session */
        out[n + 1] = 0x14;
        out[n + 3] = points[i];
        if (points[i] == 0xa2) {
            put_msf(out + n + 8, (uint32_t)u->blocks);
        } else if (points[i] == 1) {
            put_msf(out + n + 8, 0);
        } else {
            out[n + 8] = 1;     /* first, last track */
        }
    }
    return n;
}

static void cmd_read_toc(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    unsigned format = cdb[2] & 15, n = 4;
    bool msf = cdb[1] & 2;
    uint8_t *out = p->reply;
    format = format ? format : cdb[9] >> 6;     /* SFF-8020 drivers put it there */
    if (format > 5 || (format == 0 && cdb[6] > 1 && cdb[6] != 0xaa)) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    if (format <= 2) {          /* PMA, ATIP, CD-TEXT: there are none on a pressed disc */
        out[2] = out[3] = 1;    /* first, last track or session */
        n = format == 0 ? toc_tracks(u, out, cdb[6], msf)
            : format == 1 ? toc_session(out, msf) : toc_full(u, out);
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
    { 0x0001, 0x03, 4, { 0, 0, 0, 1 } },            /* core: SCSI, or ATAPI */
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
        if (code == 1 && u->atapi) {
            out[n + 7] = 2;
        }
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
    if (cdb[1] & 7) {           /* track and POW resources */
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    put_be16(out, 32);
    out[2] = 0x0e;              /* complete, last session complete */
    out[3] = out[4] = out[5] = out[6] = 1;
    out[7] = 0x20;              /* unrestricted use */
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
    unsigned n = 4;
    p->reply[1] = 0x15;         /* no audio status to return */
    if (cdb[2] & 0x40) {
        n = cdb[3] == 1 ? 16 : 24;
        p->reply[4] = cdb[3];
        put_be16(p->reply + 2, n - 4);
    }
    scsi_reply(p, n, get_be16(cdb + 7));
}

/* Layer descriptor (6.23.3.2.1): one layer, from sector 30000h on. */
static void cmd_dvd_structure(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint8_t *out = p->reply;
    if (!is_dvd(u) || cdb[7]) {
        scsi_illegal(u, p, is_dvd(u) ? ASC_FIELD : ASC_FORMAT);
        return;
    }
    put_be16(out, 22);
    out[4] = 0x01;              /* DVD-ROM, part version 1 */
    out[5] = 0x0f;              /* 120 mm, rate not specified */
    out[6] = 0x01;              /* embossed */
    put_be32(out + 8, 0x30000);
    put_be32(out + 12, 0x30000 + (uint32_t)u->blocks - 1);
    scsi_reply(p, 24, get_be16(cdb + 8));
}

static void cmd_mechanism(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    p->reply[1] = u->s->tray_open ? 0x10 : 0;
    p->reply[5] = 1;            /* slots of a table that is not there: length 0 */
    scsi_reply(p, 8, get_be16(cdb + 8));
}

/* The user data alone or, by packets, all of the 2352 bytes. */
static void read_cd(ScsiUnit *u, const uint8_t *cdb, uint32_t lba, uint32_t count, ScsiPlan *p)
{
    unsigned type = cdb[1] >> 2 & 7, what = cdb[9] & 0xf8;
    bool raw = what == 0xf8 && u->atapi;
    if (type != 0 && type != 2) {               /* not mode 1 */
        scsi_illegal(u, p, ASC_MODE);
    } else if ((cdb[9] & 6) || (cdb[10] & 7)) { /* C2 bits, subchannel */
        scsi_illegal(u, p, ASC_FIELD);
    } else if (what == 0x10 || raw) {
        scsi_move(u, p, false, lba, count);
        p->raw = raw;
    } else if (what) {
        scsi_illegal(u, p, ASC_FIELD);
    }
}

static void cmd_read_cd(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    read_cd(u, cdb, get_be32(cdb + 2), get_be32(cdb + 5) & 0xffffff, p);
}

static void cmd_read_cd_msf(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p)
{
    uint32_t first = get_msf(cdb + 3), end = get_msf(cdb + 6);
    if (end < first) {
        scsi_illegal(u, p, ASC_FIELD);
        return;
    }
    read_cd(u, cdb, first, end - first, p);
}

static uint8_t to_bcd(uint8_t v)
{
    return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

/* ECMA-130, 14: sync, header, data. EDC and ECC are left zero: nobody checks. */
void scsi_cd_raw(uint8_t *to, const uint8_t *data, uint32_t lba)
{
    uint8_t msf[3];
    memset(to, 0, CD_RAW);
    memset(to + 1, 0xff, 10);
    put_msf(msf, lba);
    for (unsigned i = 0; i < 3; i++) {
        to[12 + i] = to_bcd(msf[i]);
    }
    to[15] = 1;                 /* mode 1 */
    memcpy(to + 16, data, CD_BLOCK);
}

static void cmd_good(ScsiUnit *u, const uint8_t *cdb, ScsiPlan *p) {}

const ScsiRow scsi_cd_rows[] = {
    { 0x42, NEEDS_MEDIUM, cmd_subchannel },
    { 0x43, NEEDS_MEDIUM, cmd_read_toc },
    { 0x46, NO_ATTENTION, cmd_configuration },
    { 0x4a, NO_ATTENTION, cmd_event_status },
    { 0x4b, NEEDS_MEDIUM, cmd_good },               /* PAUSE/RESUME */
    { 0x4e, NEEDS_MEDIUM, cmd_good },               /* STOP PLAY/SCAN */
    { 0x51, NEEDS_MEDIUM, cmd_disc_info },
    { 0x52, NEEDS_MEDIUM, cmd_track_info },
    { 0xad, NEEDS_MEDIUM, cmd_dvd_structure },
    { 0xb9, NEEDS_MEDIUM, cmd_read_cd_msf },
    { 0xbb, 0, cmd_good },                          /* SET CD SPEED */
    { 0xbd, 0, cmd_mechanism },
    { 0xbe, NEEDS_MEDIUM, cmd_read_cd },
    { 0 }
};
