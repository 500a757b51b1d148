/* SPDX-License-Identifier: MIT */
/*
 * What every unit has in common with its owner, the SCSI bus, and the classes scsi-hd and
 * scsi-cd. Machine lock held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "hw/scsi/scsi_int.h"
#include "util/alloc.h"

enum { ANY = 0xffffffff };

/* ---- units ---- */

static const StateField unit_fields[] = {
    STATE_U8(ScsiUnitState, key), STATE_U8(ScsiUnitState, asc), STATE_U8(ScsiUnitState, ascq),
    STATE_BOOL(ScsiUnitState, attention), STATE_BOOL(ScsiUnitState, locked),
    STATE_BOOL(ScsiUnitState, tray_open), STATE_U8_MAX(ScsiUnitState, event, CD_REMOVAL),
    STATE_END
};
const StateDesc scsi_unit_state = {
    .version = 1, .size = sizeof(ScsiUnitState), .fields = unit_fields,
};

bool scsi_claim(ScsiUnit *u, BlockBackend *b, Device *owner, const BlockMedia *media, Error *err)
{
    if (b && b->attached) {
        return error_set(err, "drive: '%s' is used by another device", b->id);
    }
    if (!b && !u->cd) {
        return error_set(err, "drive: a drive is needed (drive=ID of a -drive or -blockdev)");
    }
    if (b && !u->cd && (b->size < u->block || b->size % u->block)) {
        return error_set(err, "drive: %s is not a whole number of %u-byte blocks", b->path,
                         u->block);
    }
    u->drive = b;
    u->blocks = b ? b->size / u->block : 0;
    if (u->cd) {
        u->blocks = MIN(u->blocks, 0x7fffffffull);
    }
    if (b) {
        b->attached = owner;
        b->media = media;
    }
    return true;
}

void scsi_release(ScsiUnit *u, const Device *owner)
{
    if (u->drive && u->drive->attached == owner) {
        u->drive->ops->drain(u->drive);
        u->drive->attached = NULL;
        u->drive->media = NULL;
    }
    u->drive = NULL;
}

void scsi_reset_unit(ScsiUnit *u)
{
    *u->s = (ScsiUnitState){ .tray_open = u->cd && u->drive && !u->blocks };
}

bool scsi_media_locked(const ScsiUnit *u)
{
    return u->s->locked && !u->s->tray_open;
}

void scsi_media_changed(ScsiUnit *u, uint64_t size)
{
    u->blocks = MIN(size / u->block, 0x7fffffffull);
    u->s->tray_open = !u->blocks;
    u->s->locked = u->s->locked && u->blocks;
    u->s->event = u->blocks ? CD_NEW_MEDIA : CD_REMOVAL;
    u->s->attention = u->blocks != 0;
}

/* ---- bus ---- */

ScsiDrive *scsi_drive_at(const Bus *bus, unsigned target, unsigned lun)
{
    for (Device *dev = bus->devices; dev; dev = dev->next) {
        ScsiDrive *d = (ScsiDrive *)dev;
        if (d->id == target && d->lun == lun) {
            return d;
        }
    }
    return NULL;
}

void scsi_bus_drain(Bus *bus)
{
    for (Device *dev = bus->devices; dev; dev = dev->next) {
        ScsiUnit *u = &((ScsiDrive *)dev)->u;
        if (u->drive) {
            u->drive->ops->drain(u->drive);
        }
    }
}

static bool target_used(const Bus *bus, unsigned target)
{
    for (const Device *dev = bus->devices; dev; dev = dev->next) {
        if (((const ScsiDrive *)dev)->id == target) {
            return true;
        }
    }
    return false;
}

static bool bus_plug(Bus *bus, Device *dev, Error *err)
{
    ScsiDrive *d = (ScsiDrive *)dev;
    if (d->id == ANY) {
        for (d->id = 0; d->id < SCSI_TARGETS && target_used(bus, d->id); d->id++) {
        }
    }
    if (d->id >= SCSI_TARGETS) {
        return error_set(err, "bus %s has %u targets only", bus->name, SCSI_TARGETS);
    }
    ScsiDrive *other = scsi_drive_at(bus, d->id, d->lun);
    if (other) {
        return error_set(err, "scsi-id: %u, lun %u of bus %s is taken by %s", d->id, d->lun,
                         bus->name, other->dev.cls->name);
    }
    dev->addr = (int)(d->id << 8 | d->lun);
    return true;
}

const BusClass scsi_bus_class = { .name = "SCSI", .kind = BUS_SCSI, .plug = bus_plug };

/* ---- classes ---- */

static bool media_locked(void *dev)
{
    return scsi_media_locked(&((ScsiDrive *)dev)->u);
}

static void media_wish(void *dev)
{
    ((ScsiDrive *)dev)->s.unit.event = CD_EJECT_REQUEST;
}

static void media_changed(void *dev, BlockBackend *b)
{
    scsi_media_changed(&((ScsiDrive *)dev)->u, b->size);
}

static bool media_tray_open(void *dev)
{
    return ((ScsiDrive *)dev)->s.unit.tray_open;
}

static const BlockMedia cd_media = {
    .locked = media_locked, .wish = media_wish, .changed = media_changed,
    .tray_open = media_tray_open,
};

static const char *text_or(const char *text, const char *fallback)
{
    return text && *text ? text : fallback;
}

static bool power_of_two(uint32_t v)
{
    return v && !(v & (v - 1));
}

static bool drive_realize(ScsiDrive *d, bool cd, Error *err)
{
    BlockBackend *b = d->drive;
    if (!power_of_two(d->block) || !power_of_two(d->phys)) {
        return error_set(err, "logical_block_size and physical_block_size must be powers of "
                         "two");
    }
    d->u = (ScsiUnit){
        .s = &d->s.unit, .cd = cd, .removable = cd || d->removable,
        .block = cd ? CD_BLOCK : d->block, .phys = MAX(d->phys, cd ? CD_BLOCK : d->block),
        .rotation = (uint16_t)d->rotation,
        .vendor = text_or(d->vendor, "DYAD"),
        .product = text_or(d->product, cd ? "DYAD CD-ROM" : "DYAD HARDDISK"),
        .ver = text_or(d->ver, "1.0"),
    };
    if (!d->serial) {
        d->serial = b && b->serial ? xstrdup(b->serial)
                                   : xasprintf("DY-%.14s-%u-%u", d->dev.parent->name, d->id,
                                               d->lun);
    }
    d->u.serial = d->serial;
    if (!scsi_claim(&d->u, b, &d->dev, cd ? &cd_media : NULL, err)) {
        return false;
    }
    scsi_reset_unit(&d->u);
    return true;
}

static bool hd_realize(Device *dev, Error *err)
{
    return drive_realize((ScsiDrive *)dev, false, err);
}

static bool cd_realize(Device *dev, Error *err)
{
    return drive_realize((ScsiDrive *)dev, true, err);
}

static void drive_unrealize(Device *dev)
{
    scsi_release(&((ScsiDrive *)dev)->u, dev);
}

static void drive_reset(Device *dev)
{
    ScsiUnit *u = &((ScsiDrive *)dev)->u;
    if (u->drive) {
        u->drive->ops->drain(u->drive);
    }
    scsi_reset_unit(u);
}

static bool drive_pre_save(void *dev)
{
    ScsiUnit *u = &((ScsiDrive *)dev)->u;
    if (u->drive) {
        u->drive->ops->drain(u->drive);
    }
    return true;
}

static const char *const zero_names[] = { "0", NULL };
static const char *const off_names[] = { "off", "false", NULL };

#define NAMED(name_, kind_, field, def_, lo, hi, help_) \
    { name_, kind_, offsetof(ScsiDrive, field), def_, lo, hi, NULL, NULL, NULL, help_ }
#define DRIVE_PROPS \
    PROP_LINK(ScsiDrive, drive, block_link, "the medium: ID of a -drive or -blockdev"), \
    PROP_STR(ScsiDrive, serial, NULL, "serial number"), \
    PROP_STR(ScsiDrive, vendor, NULL, "8 characters"), \
    PROP_STR(ScsiDrive, product, NULL, "16 characters"), \
    PROP_STR(ScsiDrive, ver, NULL, "4 characters"), \
    PROP_ENUM(ScsiDrive, channel, 0, zero_names, "always 0"), \
    NAMED("scsi-id", PK_U32, id, ANY, 0, 0, "target, 0 to 255; default: the first free"), \
    PROP_U32(ScsiDrive, lun, 0, 0, SCSI_LUNS - 1, "unit of the target"), \
    { "share-rw", PK_ENUM, offsetof(ScsiDrive, share_rw), 0, 0, 0, NULL, off_names, NULL, \
      "two writers: file.locking=off of -drive" }, \
    PROP_U32(ScsiDrive, bootindex, ANY, 0, 0, "place in the boot order")

static const Property hd_props[] = {
    DRIVE_PROPS,
    NAMED("logical_block_size", PK_U32, block, 512, 512, 4096, "bytes of a block"),
    NAMED("physical_block_size", PK_U32, phys, 512, 512, 32768,
          "bytes that are best written together"),
    NAMED("rotation_rate", PK_U32, rotation, 0, 0, 65534,
          "revolutions per minute; 1: it does not turn; 0: not told"),
    PROP_BOOL(ScsiDrive, removable, 0, "the medium can be taken out"), PROP_END
};
static const Property cd_props[] = {
    DRIVE_PROPS, NAMED("logical_block_size", PK_U32, block, 2048, 2048, 2048, "always 2048"),
    NAMED("physical_block_size", PK_U32, phys, 2048, 2048, 2048, "always 2048"), PROP_END
};

static const StateField drive_fields[] = {
    STATE_SUB(ScsiDriveState, unit, scsi_unit_state), STATE_END
};

#define DRIVE_CLASS \
    .bus = BUS_SCSI, .size = sizeof(ScsiDrive), \
    .state = { .version = 1, .offset = offsetof(ScsiDrive, s), .size = sizeof(ScsiDriveState), \
               .fields = drive_fields, .pre_save = drive_pre_save }, \
    .unrealize = drive_unrealize, .reset = drive_reset

const DeviceClass scsi_hd_class = {
    .name = "scsi-hd", .desc = "SCSI disk", .props = hd_props, .realize = hd_realize,
    DRIVE_CLASS,
};

const DeviceClass scsi_cd_class = {
    .name = "scsi-cd", .desc = "SCSI CD or DVD drive", .props = cd_props,
    .realize = cd_realize, DRIVE_CLASS,
};
