/* SPDX-License-Identifier: MIT */
/*
 * From options to backends and devices, in the order in which they depend on each other,
 * and the defaults: a serial port, a network card. Everything is made through the texts
 * that -device and the backends' own options take, so there is one path only. What was
 * made before a failure goes with the machine.
 */
#include "ui/setup.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/core/netdev.h"
#include "ui/foreign.h"
#include "ui/monitor.h"
#include "ui/qmp.h"
#include "util/alloc.h"

static bool prefix_option(Error *err, const OptionUse *u)
{
    error_prefix(err, "%s %s: ", u->option, u->text);
    return false;
}

/* The text behind -hda and its like is ours, not the user's. */
static bool prefix_drive(Error *err, const OptionUse *u)
{
    if (strcmp(u->option, "-drive") == 0) {
        return prefix_option(err, u);
    }
    char *file = property_get_text(u->text, "file");
    error_prefix(err, "%s %s: ", u->option, file);
    free(file);
    return false;
}

bool setup_backends(Machine *m, const Options *o, Error *err)
{
    for (size_t i = 0; i < o->chardevs.n; i++) {
        if (!chardev_open_option(m, o->chardevs.v[i].text, err)) {
            return prefix_option(err, &o->chardevs.v[i]);
        }
    }
    for (size_t i = 0; i < o->blockdevs.n; i++) {
        if (!block_open_blockdev(m, o->blockdevs.v[i].text, err)) {
            return prefix_option(err, &o->blockdevs.v[i]);
        }
    }
    for (size_t i = 0; i < o->drives.n; i++) {
        BlockBackend *b = block_open_drive(m, o->drives.v[i].text, o->snapshot, err);
        if (!b) {
            return prefix_drive(err, &o->drives.v[i]);
        }
    }
    for (size_t i = 0; i < o->netdevs.n; i++) {
        if (!netdev_open(m, o->netdevs.v[i].text, err)) {
            return prefix_option(err, &o->netdevs.v[i]);
        }
    }
    return true;
}

static bool add_device(Machine *m, Error *err, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool add_device(Machine *m, Error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *spec = NULL;
    if (vasprintf(&spec, fmt, ap) < 0) {
        spec = NULL;
    }
    va_end(ap);
    bool ok = spec ? device_add(m, spec, err) != NULL : error_set(err, "out of memory");
    free(spec);
    return ok;
}

/* -serial, or what stands for it when none is given (QEMU's rules for -nographic). */
static bool add_serials(Machine *m, Options *o, Error *err)
{
    if (!o->serials.n && o->nographic) {
        option_list_add(&o->serials, "-serial", o->monitors.n ? "stdio" : "mon:stdio");
    } else if (!o->serials.n && !o->cfg.nodefaults) {
        option_list_add(&o->serials, "-serial", "null");
    }
    for (size_t i = 0; i < o->serials.n; i++) {
        const OptionUse *u = &o->serials.v[i];
        if (strcmp(u->text, "none") == 0) {
            continue;
        }
        char id[32];
        snprintf(id, sizeof(id), "serial%zu", i);
        CharBackend *c = chardev_open(m, u->text, id, err);
        if (!c ||
            !add_device(m, err, "isa-serial,index=%zu,chardev=%s", i, chardev_label(c))) {
            return prefix_option(err, u);
        }
    }
    for (size_t i = 0; i < o->debugcons.n; i++) {
        const OptionUse *u = &o->debugcons.v[i];
        char id[32];
        snprintf(id, sizeof(id), "debugcon%zu", i);
        CharBackend *c = chardev_open(m, u->text, id, err);
        if (!c || !add_device(m, err, "isa-debugcon,iobase=0xe9,chardev=%s",
                              chardev_label(c))) {
            return prefix_option(err, u);
        }
    }
    return true;
}

/* The transport that the board has. */
static const char *virtio_suffix(Machine *m)
{
    return bus_find(m, BUS_VIRTIO, NULL) ? "device" : "pci";
}

/* -drive if=scsi; the first makes the adapter. */
static bool add_scsi_drive(Machine *m, const BlockBackend *b, Error *err)
{
    if (!bus_find(m, BUS_SCSI, "scsi.0") &&
        !add_device(m, err, "virtio-scsi-%s", virtio_suffix(m))) {
        return false;
    }
    char *unit = b->unit_index >= 0 ? xasprintf(",scsi-id=%d", b->unit_index) : xstrdup("");
    bool ok = add_device(m, err, "scsi-%s,drive=%s,bus=scsi.0%s", b->cdrom ? "cd" : "hd", b->id,
                         unit);
    free(unit);
    return ok;
}

/* Drives that say how the guest sees them become devices. */
static bool add_drives(Machine *m, Error *err)
{
    for (BlockBackend *b = block_first(m); b; b = b->next) {
        if (b->attached || (b->interface != DRIVE_VIRTIO && b->interface != DRIVE_SCSI)) {
            continue; /* the board attaches its own kinds */
        }
        if (b->interface == DRIVE_SCSI) {
            if (!add_scsi_drive(m, b, err)) {
                error_prefix(err, "-drive %s: ", b->path);
                return false;
            }
        } else if (!add_device(m, err, "virtio-blk-%s,drive=%s", virtio_suffix(m), b->id)) {
            error_prefix(err, "-drive %s: ", b->path);
            return false;
        }
    }
    return true;
}

/* A device that other emulators have: what to take instead. */
static bool known_device(const char *spec, Error *err)
{
    const char *rest = spec, *hint = NULL;
    char *name = property_first_word(spec, &rest);
    if (name && !device_class_find(name) && (hint = foreign_device(name)) != NULL) {
        error_set(err, "there is no device '%s': %s; -device help lists them", name, hint);
    }
    free(name);
    return !hint;
}

static bool add_nic(Machine *m, unsigned index, const char *text, Error *err)
{
    char *model = property_get_text(text, "model");
    if (model && strcmp(model, "virtio") == 0) {
        free(model);
        model = NULL;
    }
    char *mac = property_get_text(text, "mac");
    char *backend = xstrdup("");
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ",");
        if (strncmp(p, "model=", 6) != 0 && strncmp(p, "mac=", 4) != 0) {
            char *longer = xasprintf("%s%s%.*s", backend, *backend ? "," : "", (int)n, p);
            free(backend);
            backend = longer;
        }
        p += n + (p[n] == ',');
    }
    char *id = property_get_text(backend, "id");
    if (!id) {
        id = xasprintf("nic%u", index);
        char *longer = xasprintf("%s,id=%s", backend, id);
        free(backend);
        backend = longer;
    }
    if (!model) {
        model = xasprintf("virtio-net-%s", virtio_suffix(m));
    }
    bool ok = known_device(model, err) && netdev_open(m, backend, err) &&
              add_device(m, err, "%s,netdev=%s%s%s", model, id, mac ? ",mac=" : "",
                         mac ? mac : "");
    free(model);
    free(mac);
    free(id);
    free(backend);
    return ok;
}

/* -net nic,model=M,macaddr=A -net user,... as one -nic. */
static bool add_net_pair(Options *o, Error *err)
{
    if (!o->net_nic && !o->net_user) {
        return true;
    }
    if (!o->net_nic || !o->net_user) {
        return error_set(err, "-net %s: expected -net %s with it", o->net_nic ? "nic" : "user",
                         o->net_nic ? "user" : "nic");
    }
    char *model = property_get_text(o->net_nic, "model");
    char *mac = property_get_text(o->net_nic, "macaddr");
    char *text = xasprintf("user%s%s%s%s%s%s", *o->net_user ? "," : "", o->net_user,
                           model ? ",model=" : "", model ? model : "", mac ? ",mac=" : "",
                           mac ? mac : "");
    free(model);
    free(mac);
    option_list_add(&o->nics, "-net nic -net", options_own(o, text));
    return true;
}

static bool add_nics(Machine *m, Options *o, Error *err)
{
    if (!add_net_pair(o, err)) {
        return false;
    }
    if (!o->cfg.nodefaults && !o->no_network && !o->nics.n && !o->netdevs.n) {
        option_list_add(&o->nics, "-nic", "user");
    }
    for (size_t i = 0; i < o->nics.n; i++) {
        if (!add_nic(m, (unsigned)i, o->nics.v[i].text, err)) {
            return prefix_option(err, &o->nics.v[i]);
        }
    }
    return true;
}

/* The card comes first: it gets the lowest free slot, as guests are used to. */
static bool add_vga(Machine *m, const Options *o, Error *err)
{
    const char *vga = o->vga ? o->vga : o->cfg.nodefaults ? "none" : "std";
    if (strcmp(vga, "none") == 0 || (!o->vga && !bus_find(m, BUS_PCI, NULL))) {
        return true;
    }
    if (strcmp(vga, "std") != 0) {
        warn_report("-vga %s: there is no such card here: it is std", vga);
    }
    if (add_device(m, err, "VGA")) {
        return true;
    }
    if (!o->vga) { /* nobody asked for it: a missing BIOS of the card is no reason to stop */
        error_free(err);
        if (add_device(m, err, "VGA,romfile=")) {
            return true;
        }
    }
    error_prefix(err, "-vga %s: ", vga);
    return false;
}

/* The first option of the list that takes this terminal. */
static const OptionUse *uses_stdio(const OptionList *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strstr(l->v[i].text, "stdio")) {
            return &l->v[i];
        }
    }
    return NULL;
}

/* Before devices: of those that share a chardev the last one gets the keyboard, and that is
 * to be the serial port. */
static bool add_monitors(Machine *m, Options *o, Error *err)
{
    if (o->nographic && o->serials.n && !o->monitors.n && !uses_stdio(&o->serials) &&
        !uses_stdio(&o->chardevs) && !uses_stdio(&o->debugcons)) {
        option_list_add(&o->monitors, "-monitor", "stdio");
    }
    for (size_t i = 0; i < o->monitors.n; i++) {
        const OptionUse *u = &o->monitors.v[i];
        if (strcmp(u->text, "none") == 0) {
            continue;
        }
        char id[32];
        snprintf(id, sizeof(id), "monitor%zu", i);
        bool qmp = strncmp(u->option, "-qmp", 4) == 0;
        CharBackend *c = chardev_open(m, u->text, id, err);
        if (!c || !(qmp ? qmp_attach(m, c, u->option[4], err) : monitor_attach(c, err))) {
            return prefix_option(err, u);
        }
    }
    return true;
}

/* The first device that sits on USB brings the controller, if none was asked for. */
static bool add_usb(Machine *m, const Options *o, const char *spec, Error *err)
{
    const char *rest;
    char *name = spec ? property_first_word(spec, &rest) : NULL;
    const DeviceClass *cls = name ? device_class_find(name) : NULL;
    free(name);
    return (spec ? !cls || cls->bus != BUS_USB : !o->usb) || bus_find(m, BUS_USB, NULL) ||
           add_device(m, err, "qemu-xhci");
}

bool setup_devices(Machine *m, Options *o, Error *err)
{
    device_check_globals(o->cfg.globals);
    if (!add_monitors(m, o, err) || !add_vga(m, o, err) || !add_serials(m, o, err) || !add_drives(m, err) || !add_nics(m, o, err)) {
        return false;
    }
    if (!add_usb(m, o, NULL, err)) {
        error_prefix(err, "-usb: ");
        return false;
    }
    for (size_t i = 0; i < o->devices.n; i++) {
        if (!known_device(o->devices.v[i].text, err) ||
            !add_usb(m, o, o->devices.v[i].text, err) ||
            !device_add(m, o->devices.v[i].text, err)) {
            return prefix_option(err, &o->devices.v[i]);
        }
    }
    return true;
}

bool setup_check_daemon(const Options *o, Error *err)
{
    const OptionList *lists[] = { &o->serials, &o->monitors, &o->chardevs, &o->debugcons };
    if (o->nographic) {
        return error_set(err, "-daemonize: does not go with -nographic: expected -display none "
                              "and a -serial that is no terminal");
    }
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const OptionUse *u = uses_stdio(lists[i]);
        if (u) {
            return error_set(err, "-daemonize: does not go with %s %s", u->option, u->text);
        }
    }
    return true;
}
