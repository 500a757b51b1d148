/* SPDX-License-Identifier: MIT */
/*
 * Classes ide-hd and ide-cd, the bus they sit on, and -drive if=ide. Machine lock held.
 */
#include "hw/ide/ide_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/alloc.h"

/* --- bus --- */

static bool ide_plug(Bus *b, Device *dev, Error *err)
{
    IdeBus *bus = (IdeBus *)b;
    IdeDrive *d = (IdeDrive *)dev;
    if (d->unit == UINT32_MAX) {
        for (d->unit = 0; d->unit < bus->max_units && bus->unit[d->unit]; d->unit++) {
        }
    }
    if (d->unit >= bus->max_units) {
        return error_set(err, "unit: bus %s has %s", b->name,
                         bus->max_units == 1 ? "one drive only" : "two drives only");
    }
    if (bus->unit[d->unit]) {
        return error_set(err, "unit: %u of bus %s is taken by %s", d->unit, b->name,
                         bus->unit[d->unit]->dev.cls->name);
    }
    dev->addr = (int)d->unit;
    d->bus = bus;
    bus->unit[d->unit] = d;
    return true;
}

static void ide_unplug(Bus *b, Device *dev)
{
    IdeBus *bus = (IdeBus *)b;
    IdeDrive *d = (IdeDrive *)dev;
    if (d->unit < ARRAY_SIZE(bus->unit) && bus->unit[d->unit] == d) {
        bus->unit[d->unit] = NULL;
    }
}

static bool ide_full(const Bus *b)
{
    const IdeBus *bus = (const IdeBus *)b;
    return bus->unit[0] && (bus->max_units == 1 || bus->unit[1]);
}

const BusClass ide_bus_class = {
    .name = "IDE", .kind = BUS_IDE, .plug = ide_plug, .unplug = ide_unplug,
    .full = ide_full,
};

IdeBus *ide_bus_create(Device *owner, const char *name, unsigned units,
                       const IdePortOps *ops, void *port)
{
    IdeBus *bus = (IdeBus *)bus_create(owner->machine, owner, &ide_bus_class, name,
                                       sizeof(IdeBus));
    bus->max_units = units;
    bus->ops = ops;
    bus->port = port;
    return bus;
}

/* --- drives --- */

/* What no BIOS of the time could exceed: 16383/16/63 (ATA8-ACS, 7.16.7.2). */
static void default_geometry(IdeDrive *d)
{
    d->def_heads = 16;
    d->def_spt = 63;
    d->cyls = (uint16_t)MAX(MIN(d->sectors / (16 * 63), 16383ull), 1ull);
}

static bool printable(const char *s)
{
    for (; *s; s++) {
        if (*s < ' ' || *s > '~') {
            return false;
        }
    }
    return true;
}

static bool default_text(char **text, const char *fallback, unsigned max, const char *what,
                         Error *err)
{
    if (!*text) {
        *text = xstrdup(fallback);
    }
    if (strlen(*text) > max || !printable(*text)) {
        return error_set(err, "%s: '%s' is not accepted: expected %u printable characters "
                         "at most", what, *text, max);
    }
    return true;
}

static bool ide_texts(IdeDrive *d, Error *err)
{
    char number[24];
    snprintf(number, sizeof(number), "DY-%.14s-%u", d->bus->bus.name, d->unit & 1);
    const char *own = d->drive && d->drive->serial ? d->drive->serial : number;
    return default_text(&d->serial, own, 20, "serial", err) &&
           default_text(&d->model, d->cd ? "DYAD DVD-ROM" : "DYAD HARDDISK", 40, "model",
                        err) &&
           default_text(&d->ver, "1.0", 8, "ver", err);
}

static bool media_locked(void *dev)
{
    return scsi_media_locked(&((IdeDrive *)dev)->u);
}

static void media_wish(void *dev)
{
    ((IdeDrive *)dev)->s.unit.event = CD_EJECT_REQUEST;
}

static void media_changed(void *dev, BlockBackend *b)
{
    IdeDrive *d = dev;
    scsi_media_changed(&d->u, b->size);
    d->sectors = d->u.blocks;
}

static bool media_tray_open(void *dev)
{
    return ((IdeDrive *)dev)->s.unit.tray_open;
}

static const BlockMedia cd_media = {
    .locked = media_locked, .wish = media_wish, .changed = media_changed,
    .tray_open = media_tray_open,
};

static bool ide_claim(IdeDrive *d, Error *err)
{
    BlockBackend *b = d->drive;
    d->drive = NULL;        /* until it is ours */
    if (b && b->attached) {
        return error_set(err, "drive: '%s' is used by another device", b->id);
    }
    if (!b && !d->cd) {
        return error_set(err, "drive: a drive is needed (drive=ID of a -drive or "
                         "-blockdev)");
    }
    if (b && !d->cd && b->size < IDE_SECTOR) {
        return error_set(err, "drive: '%s' has no sector", b->path);
    }
    if (b) {
        d->drive = b;
        b->attached = d;
        b->media = d->cd ? &cd_media : NULL;
        d->sectors = b->size / ide_unit_size(d);
    }
    d->sectors = MIN(d->sectors, d->cd ? 0x7fffffffull : 1ull << 48);
    return true;
}

static bool ide_realize(IdeDrive *d, bool cd, Error *err)
{
    d->cd = cd;
    if (!ide_claim(d, err)) {
        return false;
    }
    if (!ide_texts(d, err)) {
        if (d->drive) {
            d->drive->attached = NULL;
            d->drive->media = NULL;
        }
        return false;
    }
    default_geometry(d);
    if (cd) {
        d->u = (ScsiUnit){ .s = &d->s.unit, .drive = d->drive, .cd = true, .atapi = true,
                           .removable = true, .block = CD_BLOCK, .phys = CD_BLOCK,
                           .blocks = d->sectors, .vendor = "DYAD", .product = d->model,
                           .ver = d->ver, .serial = d->serial };
    }
    ide_reset_drive(d, true);
    return true;
}

static bool hd_realize(Device *dev, Error *err)
{
    return ide_realize((IdeDrive *)dev, false, err);
}

static bool cd_realize(Device *dev, Error *err)
{
    return ide_realize((IdeDrive *)dev, true, err);
}

static void ide_unrealize(Device *dev)
{
    IdeDrive *d = (IdeDrive *)dev;
    if (d->drive) {
        d->drive->ops->drain(d->drive);
        d->drive->attached = NULL;
        d->drive->media = NULL;
    }
    sg_free(&d->sg);
}

static void ide_reset(Device *dev)
{
    ide_reset_drive((IdeDrive *)dev, true);
}

/* --- state --- */

static const StateField ide_fields[] = {
    STATE_U8(IdeState, feature), STATE_U8(IdeState, nsector), STATE_U8_ARRAY(IdeState, lba),
    STATE_U8(IdeState, device), STATE_U8(IdeState, status), STATE_U8(IdeState, error),
    STATE_U8(IdeState, hob_feature), STATE_U8(IdeState, hob_nsector),
    STATE_U8_ARRAY(IdeState, hob_lba), STATE_U8(IdeState, command),
    STATE_U8_MAX(IdeState, mult, IDE_MULT), STATE_U8_MAX(IdeState, heads, 16),
    STATE_U8(IdeState, spt), STATE_U8(IdeState, udma), STATE_U8(IdeState, mdma),
    STATE_U8(IdeState, power), STATE_BOOL(IdeState, wcache),
    STATE_BOOL(IdeState, lookahead), STATE_BOOL(IdeState, smart),
    STATE_SUB(IdeState, unit, scsi_unit_state), STATE_U8_MAX(IdeState, phase, PH_COUNT - 1), STATE_BOOL(IdeState, dma),
    STATE_BOOL(IdeState, medium), STATE_BOOL(IdeState, raw), STATE_BOOL(IdeState, fua),
    STATE_U64(IdeState, pos), STATE_U32_MAX(IdeState, left, UINT32_MAX),
    STATE_U32_MAX(IdeState, block, IDE_MULT), STATE_U32_MAX(IdeState, buf_pos, IDE_BUF),
    STATE_U32_MAX(IdeState, win_end, IDE_BUF), STATE_U32_MAX(IdeState, buf_end, IDE_BUF),
    STATE_U32(IdeState, limit), STATE_U64(IdeState, moved), STATE_BYTES(IdeState, buf),
    STATE_END
};

static bool ide_pre_save(void *dev)
{
    ide_drain(dev);
    return true;
}

/* A data phase that would leave `buf` or the medium is refused. */
static bool ide_post_load(void *dev, Error *err)
{
    IdeDrive *d = dev;
    IdeState *s = &d->s;
    bool ok = s->buf_pos <= s->win_end || s->dma;
    ok = ok && s->win_end <= s->buf_end && s->buf_pos <= s->buf_end;
    ok = ok && (s->phase == PH_IDLE || !(s->status & ST_DRQ) || s->dma ||
                s->buf_pos < s->win_end);
    if (s->phase != PH_IDLE && s->medium) {
        uint32_t unit = s->raw ? CD_RAW : ide_unit_size(d);
        ok = ok && d->drive && s->block && s->block <= IDE_BUF / unit &&
             ide_range_ok(d, s->pos, s->left) && (!s->raw || d->cd) &&
             !(d->cd && s->phase == PH_OUT) && s->buf_end % unit == 0;
    }
    if (s->phase == PH_PACKET) {
        ok = ok && s->buf_end == CDB_SIZE;
    }
    if (s->command == 0x06 && s->phase == PH_OUT) {
        ok = ok && s->buf_end <= DSM_BLOCKS * IDE_SECTOR && d->drive;
    }
    if (!ok) {
        return error_set(err, "the drive's data phase is out of bounds");
    }
    s->heads = s->heads ? s->heads : d->def_heads;
    return true;
}

#define IDE_STATE \
    { .version = 1, .offset = offsetof(IdeDrive, s), .size = sizeof(IdeState), \
      .fields = ide_fields, .pre_save = ide_pre_save, .post_load = ide_post_load }

#define IDE_PROPS \
    PROP_LINK(IdeDrive, drive, block_link, "the medium: ID of a -drive or -blockdev"), \
    PROP_U32(IdeDrive, unit, UINT32_MAX, 0, UINT32_MAX, "0 master, 1 slave; default: free"), \
    PROP_STR(IdeDrive, serial, NULL, "serial number, 20 characters at most"), \
    PROP_STR(IdeDrive, model, NULL, "model, 40 characters at most"), \
    PROP_STR(IdeDrive, ver, NULL, "firmware revision, 8 characters at most"), \
    PROP_U32(IdeDrive, bootindex, UINT32_MAX, 0, UINT32_MAX, "place in the boot order")

static const Property hd_props[] = {
    IDE_PROPS,
    { "write-cache", PK_BOOL, offsetof(IdeDrive, write_cache), 1, 0, 1, NULL, NULL, NULL,
      "write cache on after reset" },
    PROP_END
};
static const Property cd_props[] = { IDE_PROPS, PROP_END };

const DeviceClass ide_hd_class = {
    .name = "ide-hd", .desc = "IDE or SATA disk", .bus = BUS_IDE, .size = sizeof(IdeDrive),
    .props = hd_props, .state = IDE_STATE,
    .realize = hd_realize, .unrealize = ide_unrealize, .reset = ide_reset,
};
const DeviceClass ide_cd_class = {
    .name = "ide-cd", .desc = "IDE or SATA CD/DVD drive", .bus = BUS_IDE,
    .size = sizeof(IdeDrive), .props = cd_props, .state = IDE_STATE,
    .realize = cd_realize, .unrealize = ide_unrealize, .reset = ide_reset,
};

/* --- -drive if=ide --- */

/* Place n: two a bus on parallel buses, one a port on SATA. */
static IdeBus *ide_place(Machine *m, unsigned index, unsigned *unit)
{
    Bus *first = bus_find(m, BUS_IDE, "ide.0");
    unsigned units = first && first->cls == &ide_bus_class ? ((IdeBus *)first)->max_units : 2;
    char name[16];
    snprintf(name, sizeof(name), "ide.%u", index / units);
    Bus *b = bus_find(m, BUS_IDE, name);
    *unit = index % units;
    return b && b->cls == &ide_bus_class ? (IdeBus *)b : NULL;
}

static IdeDrive *ide_at(Machine *m, unsigned index)
{
    unsigned unit;
    IdeBus *bus = ide_place(m, index, &unit);
    return bus ? bus->unit[unit] : NULL;
}

static bool attach(Machine *m, BlockBackend *b, unsigned index, Error *err)
{
    unsigned unit, places = 0;
    IdeBus *bus = ide_place(m, index, &unit);
    if (!bus) {
        for (unsigned u; ide_place(m, places, &u);) {
            places++;
        }
        return places ? error_set(err, "index: %u has no place: this machine's controller "
                                  "takes %u drives", index, places)
                      : error_set(err, "if=ide: this machine has no such controller: "
                                  "if=virtio, or -machine pc");
    }
    Device *dev = device_create(m, b->cdrom ? &ide_cd_class : &ide_hd_class);
    ((IdeDrive *)dev)->drive = b;
    ((IdeDrive *)dev)->unit = unit;
    return device_realize(dev, &bus->bus, err);
}

static bool attach_all(Machine *m, bool placed, Error *err)
{
    for (BlockBackend *b = block_first(m); b; b = b->next) {
        if (b->machine != m || b->interface != DRIVE_IDE || b->attached ||
            (b->unit_index >= 0) != placed) {
            continue;
        }
        unsigned index = placed ? (unsigned)b->unit_index : 0;
        while (!placed && index < 6 && ide_at(m, index)) {
            index++;
        }
        if (!attach(m, b, index, err)) {
            error_prefix(err, "-drive %s: ", b->path);
            return false;
        }
    }
    return true;
}

bool ide_attach_drives(Machine *m, Error *err)
{
    return attach_all(m, true, err) && attach_all(m, false, err);
}

int ide_translation(Machine *m, unsigned index)
{
    const IdeDrive *d = ide_at(m, index);
    return !d || d->cd ? -1 : d->cyls <= 1024 ? 0 : 1;
}
