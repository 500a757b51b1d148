/* SPDX-License-Identifier: MIT */
/*
 * What drives say about themselves: IDENTIFY DEVICE (ATA8-ACS 7.16), IDENTIFY PACKET
 * DEVICE (7.17), SMART attributes (7.52.6).
 */
#include "hw/ide/ide_int.h"

#include <string.h>
#include "util/bytes.h"

/* Two characters a word, the first in the high byte; padded with spaces. */
static void put_text(uint8_t *out, unsigned word, const char *text, unsigned chars)
{
    size_t n = strlen(text);
    for (unsigned i = 0; i < chars; i++) {
        out[2 * word + (i ^ 1)] = i < n ? (uint8_t)text[i] : ' ';
    }
}

void ide_checksum(uint8_t out[512])
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < 511; i++) {
        sum += out[i];
    }
    out[511] = (uint8_t)-sum;
}

static void word(uint8_t *out, unsigned n, unsigned v)
{
    put_le16(out + 2 * n, v);
}

/* Words that disks and CD drives have in common. */
static void identify_common(const IdeDrive *d, uint8_t *out)
{
    const IdeState *s = &d->s;
    memset(out, 0, 512);
    put_text(out, 10, d->serial, 20);
    put_text(out, 23, d->ver, 8);
    put_text(out, 27, d->model, 40);
    word(out, 53, 0x0006);              /* words 64..70 and 88 are valid */
    word(out, 63, 0x0007 | s->mdma << 8);
    word(out, 64, 0x0003);              /* PIO 3 and 4 */
    word(out, 65, 120);                 /* ns a cycle */
    word(out, 66, 120);
    word(out, 67, 120);
    word(out, 68, 120);
    word(out, 80, 0x01f0);              /* ATA/ATAPI-4..8 */
    word(out, 88, 0x003f | s->udma << 8);
    word(out, 93, 0x6001 | 0x0002 << 8);  /* hardware reset result, 80-wire cable */
    if (d->bus->ops->all_dma) {         /* SATA: a cable has no wires to count */
        word(out, 76, 0x0006 | (d->cd ? 0 : 1 << 8));
        word(out, 93, 0);
    }
}

static void identify_disk(const IdeDrive *d, uint8_t *out)
{
    const IdeState *s = &d->s;
    uint32_t chs = (uint32_t)d->cyls * d->def_heads * d->def_spt;
    uint32_t lba28 = (uint32_t)MIN(d->sectors, 0x0fffffffull);
    word(out, 0, 0x0040);               /* fixed */
    word(out, 1, d->cyls);
    word(out, 3, d->def_heads);
    word(out, 6, d->def_spt);
    word(out, 47, 0x8000 | IDE_MULT);
    word(out, 49, 0x0f00);              /* LBA, DMA, IORDY */
    word(out, 50, 0x4000);
    word(out, 53, 0x0007);
    if (s->spt && s->heads) {
        unsigned cyls = (unsigned)MIN(chs / ((uint32_t)s->heads * s->spt), 65535u);
        word(out, 54, cyls);
        word(out, 55, s->heads);
        word(out, 56, s->spt);
        put_le32(out + 2 * 57, (uint32_t)cyls * s->heads * s->spt);
    }
    word(out, 59, s->mult ? 0x0100 | s->mult : 0);
    put_le32(out + 2 * 60, lba28);
    word(out, 69, 0x4000);              /* trimmed sectors: content not told */
    if (d->bus->ops->all_dma) {
        word(out, 75, 31);              /* NCQ depth - 1 */
    }
    word(out, 82, 0x7061);              /* NOP, buffers, look-ahead, write cache, SMART */
    word(out, 83, 0x7400);              /* FLUSH CACHE (EXT), LBA48 */
    word(out, 84, 0x4060);              /* WRITE FUA EXT, general purpose logging */
    word(out, 85, 0x7000 | s->smart | s->wcache << 5 | s->lookahead << 6);
    word(out, 86, 0x3400);
    word(out, 87, 0x4060);
    put_le32(out + 2 * 100, (uint32_t)d->sectors);
    put_le32(out + 2 * 102, (uint32_t)(d->sectors >> 32));
    word(out, 105, DSM_BLOCKS);
    word(out, 106, 0x4000);             /* one logical sector a physical one */
    word(out, 169, d->drive->readonly ? 0 : 1);  /* TRIM */
    word(out, 217, 1);                  /* does not rotate */
}

static void identify_cd(const IdeDrive *d, uint8_t *out)
{
    word(out, 0, 0x8580);               /* ATAPI, CD-ROM, removable, 12-byte packets */
    word(out, 49, 0x0f00);
    word(out, 71, 30);                  /* ns to release, to clear BSY: at once */
    word(out, 72, 30);
    word(out, 82, 0x4210);              /* NOP, DEVICE RESET, PACKET */
    word(out, 83, 0x4000);
    word(out, 84, 0x4000);
    word(out, 85, 0x4210);
    word(out, 87, 0x4000);
}

void ide_identify(const IdeDrive *d, uint8_t out[512])
{
    identify_common(d, out);
    if (d->cd) {
        identify_cd(d, out);
    } else {
        identify_disk(d, out);
    }
    out[510] = 0xa5;                    /* integrity word */
    ide_checksum(out);
}

void ide_smart_data(uint8_t out[512], bool thresholds)
{
    static const struct {
        uint8_t id, flags, value, threshold;
    } rows[] = {
        { 5, 0x03, 100, 36 },           /* reallocated sectors */
        { 9, 0x03, 100, 0 },            /* hours */
        { 12, 0x03, 100, 0 },           /* power cycles */
        { 194, 0x02, 100, 0 },          /* temperature */
    };
    memset(out, 0, 512);
    put_le16(out, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t *e = out + 2 + 12 * i;
        e[0] = rows[i].id;
        if (thresholds) {
            e[1] = rows[i].threshold;
        } else {
            e[1] = rows[i].flags;
            e[3] = e[4] = rows[i].value;
            e[5] = rows[i].id == 194 ? 31 : 0;
        }
    }
    if (!thresholds) {
        out[362] = 0x82;                /* off-line collection done */
        out[368] = 0x03;                /* attributes are saved */
        out[370] = 0x01;                /* error log */
        out[372] = out[373] = 2;        /* minutes of self tests */
    }
    ide_checksum(out);
}
