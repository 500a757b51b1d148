/* SPDX-License-Identifier: MIT */
/*
 * bootindex= of devices as firmware reads it: the fw_cfg file "bootorder", a line for each
 * device in Open Firmware's path syntax, as SeaBIOS (docs/Runtime_config.md) and OVMF
 * compare it. Machine lock held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/ide/ide.h"
#include "hw/nvme/nvme.h"
#include "hw/pc/pc_int.h"
#include "hw/scsi/scsi.h"
#include "hw/usb/usb.h"
#include "hw/virtio/devices.h"
#include "util/alloc.h"

enum { MAX_ENTRIES = 64, PATH = 80 };

typedef struct Entry {
    uint32_t index;
    const Device *dev;
    char path[PATH];
} Entry;

typedef struct Order {
    Entry e[MAX_ENTRIES];
    unsigned n;
    const Device *clash, *other;
} Order;

static uint32_t boot_index(const Device *dev)
{
    for (const Property *p = dev->cls->props; p && p->name; p++) {
        if (strcmp(p->name, "bootindex") == 0 && p->kind == PK_U32) {
            return *(const uint32_t *)((const char *)dev + p->offset);
        }
    }
    return UINT32_MAX;
}

/* "NAME@SLOT[,FUNCTION]" below the host bridge. */
static int pci_path(char *out, const char *name, unsigned devfn)
{
    int n = snprintf(out, PATH, "/pci@i0cf8/%s@%x", name, devfn >> 3);
    return devfn & 7 ? n + snprintf(out + n, PATH - n, ",%x", devfn & 7) : n;
}

static bool make_path(char *out, const Device *dev)
{
    char name[32];
    int n;
    if (dev->cls == &virtio_blk_pci_class) {
        n = pci_path(out, "scsi", dev->addr);
        snprintf(out + n, PATH - n, "/disk@0,0");
    } else if (dev->cls == &nvme_class) {
        const PciInfo *info = dev->cls->bus_data;
        snprintf(name, sizeof(name), "pci%x,%x", info->vendor, info->device);
        n = pci_path(out, name, dev->addr);
        snprintf(out + n, PATH - n, "/namespace@1,0");
    } else if (dev->cls == &ide_hd_class || dev->cls == &ide_cd_class) {
        const Device *ctl = dev->parent->owner;
        const char *dot = strrchr(dev->parent->name, '.');
        unsigned channel = dot ? strtoul(dot + 1, NULL, 10) : 0;
        bool sata = ctl->cls == &ich9_ahci_class;
        n = pci_path(out, sata ? "pci8086,2922" : "ide", ctl->addr);
        snprintf(out + n, PATH - n, "/drive@%x/disk@%x", channel, sata ? 0 : dev->addr);
    } else if ((dev->cls == &scsi_hd_class || dev->cls == &scsi_cd_class) &&
               dev->parent->owner->parent->cls->kind == BUS_PCI) {
        n = pci_path(out, "scsi", dev->parent->owner->addr);
        snprintf(out + n, PATH - n, "/channel@0/disk@%x,%x", (unsigned)dev->addr >> 8,
                 dev->addr & 0xff);
    } else if (dev->cls == &usb_storage_class) {
        n = pci_path(out, "usb", dev->parent->owner->addr);
        snprintf(out + n, PATH - n, "/storage@%x/channel@0/disk@0,0", (unsigned)dev->addr);
    } else {
        return false; /* nothing that firmware could start */
    }
    return true;
}

static void collect(Device *dev, void *arg)
{
    Order *o = arg;
    uint32_t index = boot_index(dev);
    if (index == UINT32_MAX || o->n == MAX_ENTRIES) {
        return;
    }
    unsigned at = o->n;
    while (at && o->e[at - 1].index > index) {
        at--;
    }
    if (at && o->e[at - 1].index == index) {
        o->clash = dev;
        o->other = o->e[at - 1].dev;
    }
    Entry new = { .index = index, .dev = dev };
    if (!make_path(new.path, dev)) {
        return;
    }
    memmove(&o->e[at + 1], &o->e[at], (o->n++ - at) * sizeof(Entry));
    o->e[at] = new;
}

bool pc_add_boot_order(PcMachine *pc, Error *err)
{
    Order *o = NEW(Order);
    device_foreach(&pc->m, collect, o);
    char *text = pc->m.cfg.boot ? property_get_text(pc->m.cfg.boot, "strict") : NULL;
    bool strict = text && strcmp(text, "on") == 0, ok = true;
    free(text);
    if (o->clash) {
        ok = error_set(err, "-device %s: bootindex: %u is taken by a %s", o->clash->cls->name,
                       boot_index(o->clash), o->other->cls->name);
    } else if (o->n || strict) {
        AcpiBuf b = { 0 };
        for (unsigned i = 0; i < o->n; i++) {
            acpi_put(&b, o->e[i].path, strlen(o->e[i].path));
            acpi_put(&b, i + 1 < o->n || strict ? "\n" : "", 1);
        }
        if (strict) { /* nothing else is tried */
            acpi_put(&b, "HALT", sizeof("HALT"));
        }
        ok = fw_cfg_add_file(pc->fw_cfg, "bootorder", b.data, b.len) ||
             error_set(err, "fw_cfg: no room for the boot order");
        free(b.data);
    }
    free(o);
    return ok;
}
