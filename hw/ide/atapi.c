/* SPDX-License-Identifier: MIT */
/*
 * Packet commands of a CD/DVD-ROM drive. MMC-5 (T10/1675) chapter 6, SPC-3 for the common
 * ones. The medium is one data track of 2048-byte sectors (mode 1). Left out: audio,
 * writing, CSS. Machine lock held.
 */
#include "hw/ide/ide_int.h"

#include <string.h>
#include "util/bytes.h"
#include "util/log.h"

enum { /* sense keys and additional sense codes */
    SK_NONE = 0, SK_NOT_READY = 2, SK_ILLEGAL = 5, SK_ATTENTION = 6,
    ASC_OPCODE = 0x20, ASC_LBA = 0x21, ASC_FIELD = 0x24, ASC_CHANGED = 0x28,
    ASC_NO_MEDIUM = 0x3a, ASC_REMOVAL = 0x53, ASC_MODE = 0x64,
};
enum { NEEDS_MEDIUM = 1, NO_ATTENTION = 2 };
/* Above this a medium is shown as a DVD: an 80-minute CD has no more sectors. */
enum { CD_MAX_SECTORS = 360000, RAW_PIECE = 13, PIECE = 15 };

/* --- how packets end --- */

void atapi_ok(IdeDrive *d)
{
    d->s.sense = d->s.asc = d->s.ascq = 0;
    d->s.nsector = REASON_CD | REASON_IO;
    ide_done(d);
}

void atapi_error(IdeDrive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
    d->s.sense = key;
    d->s.asc = asc;
    d->s.ascq = ascq;
    d->s.nsector = REASON_CD | REASON_IO;
    ide_fail(d, (uint8_t)(key << 4 | ER_ABRT));
}

static void illegal(IdeDrive *d, uint8_t asc)
{
    atapi_error(d, SK_ILLEGAL, asc, 0);
}

/* `n` bytes are in buf, of which the host wants `alloc` at most. */
static void reply(IdeDrive *d, uint32_t n, uint32_t alloc)
{
    n = MIN(n, alloc);
    if (!n) {
        atapi_ok(d);
        return;
    }
    ide_start_buf(d, PH_IN, d->s.dma, n);
}

static uint8_t *clear_reply(IdeDrive *d, unsigned n)
{
    memset(d->s.buf, 0, n);
    return d->s.buf;
}

/* --- common commands --- */

static void cmd_ok(IdeDrive *d, const uint8_t *cdb)
{
    atapi_ok(d);
}

static void cmd_request_sense(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 18);
    if (!d->s.sense && d->s.changed) {
        d->s.sense = SK_ATTENTION;
        d->s.asc = ASC_CHANGED;
        d->s.changed = false;
    }
    out[0] = 0x70;
    out[2] = d->s.sense;
    out[7] = 10;
    out[12] = d->s.asc;
    out[13] = d->s.ascq;
    reply(d, 18, cdb[4]);
}

static void cmd_inquiry(IdeDrive *d, const uint8_t *cdb)
{
    unsigned alloc = get_be16(cdb + 3);
    if (cdb[1] & 1) {       /* vital product data */
        uint8_t *out = clear_reply(d, 32);
        out[0] = 5;
        out[1] = cdb[2];
        if (cdb[2] == 0x00) {
            out[3] = 2;
            out[5] = 0x80;
        } else if (cdb[2] == 0x80) {
            out[3] = 20;
            put_padded(out + 4, d->serial, 20);
        } else {
            illegal(d, ASC_FIELD);
            return;
        }
        reply(d, 4u + out[3], alloc);
        return;
    }
    uint8_t *out = clear_reply(d, 36);
    out[0] = 0x05;          /* CD/DVD */
    out[1] = 0x80;          /* removable */
    out[2] = 0x00;
    out[3] = 0x21;          /* ATAPI-2, format 1 */
    out[4] = 31;
    put_padded(out + 8, "DYAD", 8);
    put_padded(out + 16, d->model, 16);
    put_padded(out + 32, d->ver, 4);
    reply(d, 36, alloc);
}

static bool is_dvd(const IdeDrive *d)
{
    return d->sectors > CD_MAX_SECTORS;
}

/* --- mode pages (MMC-5 7) --- */

static unsigned page_recovery(uint8_t *p)
{
    p[0] = 0x01;
    p[1] = 6;
    p[3] = 5;               /* retries */
    return 8;
}

static unsigned page_caching(uint8_t *p)
{
    p[0] = 0x08;
    p[1] = 10;
    return 12;
}

static unsigned page_audio(uint8_t *p)
{
    p[0] = 0x0e;
    p[1] = 14;
    p[2] = 0x04;
    p[8] = 1;
    p[9] = 0xff;
    p[10] = 2;
    p[11] = 0xff;
    return 16;
}

static unsigned page_capabilities(const IdeDrive *d, uint8_t *p)
{
    p[0] = 0x2a;
    p[1] = 20;
    p[2] = 0x3b;            /* reads CD-R, CD-RW, DVD-ROM, DVD-R */
    p[4] = 0x70;            /* mode 2 forms, multisession */
    p[5] = 0x03;            /* CD-DA commands, accurate */
    p[6] = 0x29 | (d->s.locked ? 2 : 0);    /* tray, eject, lock */
    put_be16(p + 8, 706);   /* kB/s: 4x */
    put_be16(p + 10, 2);
    put_be16(p + 12, 512);  /* KiB of buffer */
    put_be16(p + 14, 706);
    return 22;
}

static void mode_sense(IdeDrive *d, uint8_t page_code, unsigned header, unsigned alloc)
{
    uint8_t *out = clear_reply(d, 128);
    unsigned n = header, page = page_code & 0x3f;
    bool all = page == 0x3f, changeable = page_code >> 6 == 1;
    if (page_code >> 6 == 3) {
        atapi_error(d, SK_ILLEGAL, 0x39, 0);    /* saving is not supported */
        return;
    }
    if (all || page == 0x01) {
        n += page_recovery(out + n);
    }
    if (all || page == 0x08) {
        n += page_caching(out + n);
    }
    if (all || page == 0x0e) {
        n += page_audio(out + n);
    }
    if (all || page == 0x2a) {
        n += page_capabilities(d, out + n);
    }
    if (n == header) {
        illegal(d, ASC_FIELD);
        return;
    }
    for (unsigned i = header; changeable && i < n; i += out[i + 1] + 2u) {
        memset(out + i + 2, 0, out[i + 1]);
    }
    uint8_t medium = !d->sectors ? 0x70 : 0x01;
    if (header == 8) {
        put_be16(out, n - 2);
        out[2] = medium;
    } else {
        out[0] = (uint8_t)(n - 1);
        out[1] = medium;
    }
    reply(d, n, alloc);
}

static void cmd_mode_sense(IdeDrive *d, const uint8_t *cdb)
{
    if (cdb[0] == 0x1a) {
        mode_sense(d, cdb[2], 4, cdb[4]);
    } else {
        mode_sense(d, cdb[2], 8, get_be16(cdb + 7));
    }
}

static void cmd_mode_select(IdeDrive *d, const uint8_t *cdb)
{
    unsigned n = cdb[0] == 0x15 ? cdb[4] : get_be16(cdb + 7);
    if (!n) {
        atapi_ok(d);
    } else if (n > 512) {
        illegal(d, ASC_FIELD);
    } else {
        ide_start_buf(d, PH_OUT, d->s.dma, n);
    }
}

void atapi_param_list(IdeDrive *d)
{
    atapi_ok(d);            /* nothing in the pages has an effect */
}

/* --- tray --- */

static bool has_medium(const IdeDrive *d)
{
    return d->sectors && !d->s.tray_open;
}

static void cmd_start_stop(IdeDrive *d, const uint8_t *cdb)
{
    bool load = cdb[4] & 2, start = cdb[4] & 1;
    if (cdb[4] >> 4) {      /* power condition */
        atapi_ok(d);
        return;
    }
    if (load && !start && d->s.locked) {
        atapi_error(d, SK_ILLEGAL, ASC_REMOVAL, 2);
        return;
    }
    if (load && d->s.tray_open == start) {
        d->s.tray_open = !start;
        d->s.event = start ? CD_NEW_MEDIA : CD_REMOVAL;
        d->s.changed = start && d->sectors;
    }
    atapi_ok(d);
}

static void cmd_prevent(IdeDrive *d, const uint8_t *cdb)
{
    d->s.locked = cdb[4] & 1;
    atapi_ok(d);
}

static void cmd_event_status(IdeDrive *d, const uint8_t *cdb)
{
    if (!(cdb[1] & 1)) {    /* asynchronous notification */
        illegal(d, ASC_FIELD);
        return;
    }
    uint8_t *out = clear_reply(d, 8);
    out[3] = 0x10;          /* media class is supported */
    if (!(cdb[4] & 0x10)) {
        put_be16(out, 2);
        out[2] = 0x80;      /* none of those asked for */
        reply(d, 4, get_be16(cdb + 7));
        return;
    }
    put_be16(out, 6);
    out[2] = 4;
    out[4] = d->s.event;
    out[5] = (d->s.tray_open ? 1 : 0) | (has_medium(d) ? 2 : 0);
    if (get_be16(cdb + 7) >= 8) {
        d->s.event = CD_NO_EVENT;
    }
    reply(d, 8, get_be16(cdb + 7));
}

static void cmd_mechanism(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 8);
    out[1] = d->s.tray_open ? 0x10 : 0;
    out[5] = 1;             /* slots of a table that is not there: length 0 */
    reply(d, 8, get_be16(cdb + 8));
}

/* --- reading --- */

static void cmd_capacity(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 8);
    put_be32(out, (uint32_t)(d->sectors - 1));
    put_be32(out + 4, CD_SECTOR);
    reply(d, 8, 8);
}

static void read_sectors(IdeDrive *d, uint32_t lba, uint32_t count, bool raw)
{
    if (!ide_range_ok(d, lba, count)) {
        illegal(d, ASC_LBA);
        return;
    }
    if (!count) {
        atapi_ok(d);
        return;
    }
    d->s.raw = raw;
    uint32_t piece = raw ? RAW_PIECE : PIECE;
    if (!d->s.dma && !d->bus->ops->all_dma) {
        piece = MIN(MAX(d->s.limit / (raw ? CD_RAW : CD_SECTOR), 1u), piece);
    }
    ide_start_medium(d, PH_IN, d->s.dma, lba, count, piece);
}

static void cmd_read(IdeDrive *d, const uint8_t *cdb)
{
    uint32_t count = cdb[0] == 0x28 ? get_be16(cdb + 7) : get_be32(cdb + 6);
    read_sectors(d, get_be32(cdb + 2), count, false);
}

/* The user data alone, or all of the 2352 bytes. */
static void read_cd(IdeDrive *d, const uint8_t *cdb, uint32_t lba, uint32_t count)
{
    unsigned type = cdb[1] >> 2 & 7, what = cdb[9] & 0xf8;
    if (type > 2 || (cdb[9] & 0x06) || cdb[10] & 7) { /* not mode 1, C2 bits, subchannel */
        atapi_error(d, SK_ILLEGAL, type > 2 ? ASC_MODE : ASC_FIELD, 0);
    } else if (!what || !count) {
        atapi_ok(d);
    } else if (what != 0x10 && what != 0xf8) {
        illegal(d, ASC_FIELD);
    } else {
        read_sectors(d, lba, count, what == 0xf8);
    }
}

static void cmd_read_cd(IdeDrive *d, const uint8_t *cdb)
{
    read_cd(d, cdb, get_be32(cdb + 2), (uint32_t)cdb[6] << 16 | get_be16(cdb + 7));
}

static uint32_t msf_lba(const uint8_t *msf)
{
    return (msf[0] * 60u + msf[1]) * 75u + msf[2] - 150u;
}

static void cmd_read_cd_msf(IdeDrive *d, const uint8_t *cdb)
{
    uint32_t first = msf_lba(cdb + 3), end = msf_lba(cdb + 6);
    if (end < first) {
        illegal(d, ASC_FIELD);
        return;
    }
    read_cd(d, cdb, first, end - first);
}

static void lba_msf(uint8_t *to, uint32_t lba)
{
    lba += 150;             /* two seconds of lead-in */
    to[0] = (uint8_t)(lba / 75 / 60);
    to[1] = (uint8_t)(lba / 75 % 60);
    to[2] = (uint8_t)(lba % 75);
}

static uint8_t to_bcd(uint8_t v)
{
    return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

/* ECMA-130, 14: sync, header, data. EDC and ECC are left zero: nobody checks. */
void atapi_make_raw(uint8_t *to, const uint8_t *data, uint32_t lba)
{
    uint8_t msf[3];
    memset(to, 0, CD_RAW);
    memset(to + 1, 0xff, 10);
    lba_msf(msf, lba);
    for (unsigned i = 0; i < 3; i++) {
        to[12 + i] = to_bcd(msf[i]);
    }
    to[15] = 1;             /* mode 1 */
    memcpy(to + 16, data, CD_SECTOR);
}

static void cmd_seek(IdeDrive *d, const uint8_t *cdb)
{
    if (ide_range_ok(d, get_be32(cdb + 2), 1)) {
        atapi_ok(d);
    } else {
        illegal(d, ASC_LBA);
    }
}

/* --- what is on the medium --- */

static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
    if (msf) {
        to[0] = 0;
        lba_msf(to + 1, lba);
    } else {
        put_be32(to, lba);
    }
}

/* Tracks from `start` on: the data track, the lead-out (MMC-5 6.26.3.2). */
static unsigned toc_tracks(const IdeDrive *d, uint8_t *out, unsigned start, bool msf)
{
    unsigned n = 4;
    out[2] = out[3] = 1;
    if (start <= 1) {
        out[n + 1] = 0x14;  /* data track, copying not permitted; position in Q */
        out[n + 2] = 1;
        put_address(out + n + 4, 0, msf);
        n += 8;
    }
    out[n + 1] = 0x14;
    out[n + 2] = 0xaa;
    put_address(out + n + 4, (uint32_t)d->sectors, msf);
    return n + 8;
}

static unsigned toc_session(uint8_t *out, bool msf)
{
    out[2] = out[3] = 1;
    out[5] = 0x14;
    out[6] = 1;
    put_address(out + 8, 0, msf);
    return 12;
}

/* Full table (6.26.3.4): points A0, A1, A2 and the track, always as MSF. */
static unsigned toc_full(const IdeDrive *d, uint8_t *out)
{
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
    unsigned n = 4;
    out[2] = out[3] = 1;
    for (unsigned i = 0; i < sizeof(points); i++, n += 11) {
        out[n] = 1;         /* session */
        out[n + 1] = 0x14;
        out[n + 3] = points[i];
        if (points[i] == 0xa2) {
            lba_msf(out + n + 8, (uint32_t)d->sectors);
        } else if (points[i] == 1) {
            lba_msf(out + n + 8, 0);
        } else {
            out[n + 8] = 1; /* first, last track */
        }
    }
    return n;
}

static void cmd_read_toc(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 64);
    unsigned format = cdb[2] & 15, n;
    bool msf = cdb[1] & 2;
    format = format ? format : cdb[9] >> 6;     /* SFF-8020 drivers put it there */
    if (format == 0 && cdb[6] > 1 && cdb[6] != 0xaa) {
        illegal(d, ASC_FIELD);
        return;
    }
    switch (format) {
    case 0:
        n = toc_tracks(d, out, cdb[6], msf);
        break;
    case 1:
        n = toc_session(out, msf);
        break;
    case 2:
        n = toc_full(d, out);
        break;
    case 3:                 /* PMA, ATIP, CD-TEXT: there are none on a pressed disc */
    case 4:
    case 5:
        n = 4;
        break;
    default:
        illegal(d, ASC_FIELD);
        return;
    }
    put_be16(out, n - 2);
    reply(d, n, get_be16(cdb + 7));
}

static void cmd_disc_info(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 34);
    if (cdb[1] & 7) {
        illegal(d, ASC_FIELD);
        return;
    }
    put_be16(out, 32);
    out[2] = 0x0e;          /* complete, last session complete */
    out[3] = out[4] = out[5] = out[6] = 1;
    out[7] = 0x20;          /* unrestricted use */
    memset(out + 16, 0xff, 8);
    reply(d, 34, get_be16(cdb + 7));
}

static void cmd_track_info(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 36);
    put_be16(out, 34);
    out[2] = out[3] = 1;
    out[5] = 0x04;          /* data */
    out[6] = 0x01;          /* mode 1 */
    put_be32(out + 24, (uint32_t)d->sectors);
    reply(d, 36, get_be16(cdb + 7));
}

static void cmd_subchannel(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 24);
    unsigned n = 4;
    out[1] = 0x15;          /* no audio status to return */
    if (cdb[2] & 0x40) {
        n = cdb[3] == 1 ? 16 : 24;
        out[4] = cdb[3];
        put_be16(out + 2, n - 4);
    }
    reply(d, n, get_be16(cdb + 7));
}

/* DVD layer descriptor (6.23.3.2.1): one layer, from sector 30000h on. */
static void cmd_dvd_structure(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 24);
    if (!is_dvd(d) || cdb[7] != 0) {
        illegal(d, is_dvd(d) ? ASC_FIELD : 0x30);
        return;
    }
    put_be16(out, 22);
    out[4] = 0x01;          /* DVD-ROM, part version 1 */
    out[5] = 0x0f;          /* 120 mm, rate not specified */
    out[6] = 0x01;          /* embossed */
    put_be32(out + 8, 0x30000);
    put_be32(out + 12, 0x30000 + (uint32_t)d->sectors - 1);
    reply(d, 24, get_be16(cdb + 8));
}

/* --- GET CONFIGURATION (6.6), features of chapter 5 --- */

enum { PROFILE_CD = 0x08, PROFILE_DVD = 0x10 };

typedef struct CdFeature {
    uint16_t code;
    uint8_t flags;          /* version << 2 | persistent << 1 | current */
    uint8_t n, data[8];
} CdFeature;

static const CdFeature features[] = {
    { 0x0001, 0x03, 4, { 0, 0, 0, 2 } },            /* core: ATAPI */
    { 0x0002, 0x03, 4, { 0 } },                     /* morphing */
    { 0x0003, 0x03, 4, { 0x39 } },                  /* removable medium: tray, eject, lock */
    { 0x0010, 0x00, 8, { 0, 0, 8, 0, 0, 16 } },     /* random readable */
    { 0x001e, 0x00, 4, { 0 } },                     /* CD read */
    { 0x001f, 0x00, 4, { 0 } },                     /* DVD read */
};

static bool feature_current(const IdeDrive *d, const CdFeature *f)
{
    bool dvd = is_dvd(d);
    return (f->flags & 1) || (has_medium(d) && (f->code == 0x10 ||
           (f->code == 0x1e && !dvd) || (f->code == 0x1f && dvd)));
}

static unsigned put_profiles(const IdeDrive *d, uint8_t *out)
{
    out[2] = 0x03;
    out[3] = 8;
    put_be16(out + 4, PROFILE_DVD);
    out[6] = has_medium(d) && is_dvd(d);
    put_be16(out + 8, PROFILE_CD);
    out[10] = has_medium(d) && !is_dvd(d);
    return 12;
}

static void cmd_configuration(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *out = clear_reply(d, 128);
    unsigned kind = cdb[1] & 3, start = get_be16(cdb + 2), n = 8;
    if (kind == 3) {
        illegal(d, ASC_FIELD);
        return;
    }
    put_be16(out + 6, !has_medium(d) ? 0 : is_dvd(d) ? PROFILE_DVD : PROFILE_CD);
    if (start == 0) {
        n += put_profiles(d, out + n);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
        const CdFeature *f = &features[i];
        bool current = feature_current(d, f);
        if (f->code < start || (kind == 2 && f->code != start) || (kind == 1 && !current)) {
            continue;
        }
        put_be16(out + n, f->code);
        out[n + 2] = (uint8_t)(f->flags | current);
        out[n + 3] = f->n;
        memcpy(out + n + 4, f->data, f->n);
        n += 4u + f->n;
    }
    put_be32(out, n - 4);
    reply(d, n, get_be16(cdb + 7));
}

/* --- dispatch --- */

static const struct {
    uint8_t opcode, flags;
    void (*fn)(IdeDrive *d, const uint8_t *cdb);
} packets[] = {
    { 0x00, NEEDS_MEDIUM, cmd_ok },                 /* TEST UNIT READY */
    { 0x03, NO_ATTENTION, cmd_request_sense },
    { 0x12, NO_ATTENTION, cmd_inquiry },
    { 0x15, 0, cmd_mode_select },
    { 0x1a, 0, cmd_mode_sense },
    { 0x1b, 0, cmd_start_stop },
    { 0x1e, 0, cmd_prevent },
    { 0x25, NEEDS_MEDIUM, cmd_capacity },
    { 0x28, NEEDS_MEDIUM, cmd_read },
    { 0x2b, NEEDS_MEDIUM, cmd_seek },
    { 0x35, 0, cmd_ok },                            /* SYNCHRONIZE CACHE */
    { 0x42, NEEDS_MEDIUM, cmd_subchannel },
    { 0x43, NEEDS_MEDIUM, cmd_read_toc },
    { 0x46, NO_ATTENTION, cmd_configuration },
    { 0x4a, NO_ATTENTION, cmd_event_status },
    { 0x4b, NEEDS_MEDIUM, cmd_ok },                 /* PAUSE/RESUME */
    { 0x4e, NEEDS_MEDIUM, cmd_ok },                 /* STOP PLAY/SCAN */
    { 0x51, NEEDS_MEDIUM, cmd_disc_info },
    { 0x52, NEEDS_MEDIUM, cmd_track_info },
    { 0x55, 0, cmd_mode_select },
    { 0x5a, 0, cmd_mode_sense },
    { 0xa8, NEEDS_MEDIUM, cmd_read },
    { 0xad, NEEDS_MEDIUM, cmd_dvd_structure },
    { 0xb9, NEEDS_MEDIUM, cmd_read_cd_msf },
    { 0xbb, 0, cmd_ok },                            /* SET CD SPEED */
    { 0xbd, 0, cmd_mechanism },
    { 0xbe, NEEDS_MEDIUM, cmd_read_cd },
};

void atapi_packet(IdeDrive *d, const uint8_t cdb[CDB_SIZE])
{
    for (unsigned i = 0; i < ARRAY_SIZE(packets); i++) {
        if (packets[i].opcode != cdb[0]) {
            continue;
        }
        if (d->s.changed && !(packets[i].flags & NO_ATTENTION)) {
            d->s.changed = false;
            atapi_error(d, SK_ATTENTION, ASC_CHANGED, 0);
        } else if ((packets[i].flags & NEEDS_MEDIUM) && !has_medium(d)) {
            atapi_error(d, SK_NOT_READY, ASC_NO_MEDIUM, d->s.tray_open ? 2 : 1);
        } else {
            packets[i].fn(d, cdb);
        }
        return;
    }
    log_unimp("%s: packet command %02x\n", d->dev.path, cdb[0]);
    illegal(d, ASC_OPCODE);
}
