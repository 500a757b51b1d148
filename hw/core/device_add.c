/* SPDX-License-Identifier: MIT */
/* -device: class lookup, the option's text, help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "util/alloc.h"

static const char *const bus_names[BUS_KINDS] = { "board", "ISA", "PCI", "IDE",
                                                  "virtio-serial", "virtio-mmio", "SCSI",
                                                  "USB" };
static const char *const own_keys[] = { "driver", "id", "bus", NULL };

static bool has_name(const DeviceClass *cls, const char *name)
{
    if (!strcmp(cls->name, name)) {
        return true;
    }
    for (const char *const *a = cls->aliases; a && *a; a++) {
        if (!strcmp(*a, name)) {
            return true;
        }
    }
    return false;
}

const DeviceClass *device_class_find(const char *name)
{
    for (const DeviceClass *const *c = device_classes; *c; c++) {
        if (has_name(*c, name)) {
            return *c;
        }
    }
    return NULL;
}

void device_help(void *file)
{
    for (int kind = 0; kind < BUS_KINDS; kind++) {
        bool head = false;
        for (const DeviceClass *const *c = device_classes; *c; c++) {
            if ((*c)->internal || (int)(*c)->bus != kind) {
                continue;
            }
            if (!head) {
                fprintf(file, "%s devices:\n", bus_names[kind]);
                head = true;
            }
            char *name = xasprintf("\"%s\"", (*c)->name); /* scripts look for the quotes */
            fprintf(file, "  %-24s %s", name, (*c)->desc);
            free(name);
            for (const char *const *a = (*c)->aliases; a && *a; a++) {
                fprintf(file, " [also %s]", *a);
            }
            fprintf(file, "\n");
        }
    }
}

void device_class_help(const DeviceClass *cls, void *file)
{
    fprintf(file, "%s: %s (%s)\n", cls->name, cls->desc, bus_names[cls->bus]);
    fprintf(file, "  id=NAME  how to call it\n");
    if (cls->bus != BUS_NONE) {
        fprintf(file, "  bus=NAME  where to put it (default: the first that fits)\n");
    }
    property_help(cls->props, file);
}

static bool no_such_class(const char *name, Error *err)
{
    size_t n = 0;
    for (const DeviceClass *const *c = device_classes; *c; c++) {
        n += 1;
        for (const char *const *a = (*c)->aliases; a && *a; a++) {
            n += 1;
        }
    }
    const char **names = NEW_ARRAY(const char *, n + 1), **p = names;
    for (const DeviceClass *const *c = device_classes; *c; c++) {
        if (!(*c)->internal) {
            *p++ = (*c)->name;
            for (const char *const *a = (*c)->aliases; a && *a; a++) {
                *p++ = *a;
            }
        }
    }
    const char *near = nearest_match(name, names);
    error_set(err, "there is no device '%s'%s%s%s; -device help lists them", name,
              near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    return false;
}

static bool valid_id(const char *id)
{
    size_t n = strlen(id);
    return n && n < 64 &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == n;
}

static bool set_id(Device *dev, const char *text, Error *err)
{
    dev->id = property_get_text(text, "id");
    if (!dev->id) {
        return true;
    }
    if (!valid_id(dev->id)) {
        return error_set(err, "id: %s is not accepted: expected letters, digits, '-', '.' "
                              "and '_'", dev->id);
    }
    const Device *other = device_find(dev->machine, dev->id);
    if (other) {
        return error_set(err, "id: '%s' is taken by a %s", dev->id, other->cls->name);
    }
    return true;
}

void device_check_globals(const char *const *globals)
{
    for (const char *const *g = globals; g && *g; g++) {
        char *driver = xasprintf("%.*s", (int)strcspn(*g, "."), *g);
        if (!device_class_find(driver)) {
            warn_report("-global %s: there is no device '%s'", *g, driver);
        }
        free(driver);
    }
}

/* -global: what is given for this kind of device, before its own properties. */
static bool set_globals(Device *dev, Error *err)
{
    for (const char **g = dev->machine->cfg.globals; g && *g; g++) {
        const char *dot = strchr(*g, '.'), *equal = strchr(*g, '=');
        const DeviceClass *cls = dev->cls;
        char *driver = xasprintf("%.*s", (int)(dot - *g), *g);
        char *prop = xasprintf("%.*s", (int)(equal - dot - 1), dot + 1);
        bool ours = strcmp(driver, cls->name) == 0, ok = true;
        for (const char *const *a = cls->aliases; a && *a; a++) {
            ours |= strcmp(driver, *a) == 0;
        }
        if (ours) {
            ok = device_set(dev, prop, equal + 1, err);
        }
        free(driver);
        free(prop);
        if (!ok) {
            error_prefix(err, "-global %s: ", *g);
            return false;
        }
    }
    return true;
}

static bool add_on(Device **dev, const char *text, const char *bus_name, Error *err)
{
    Bus *bus = NULL;
    if (bus_name && !(bus = bus_find((*dev)->machine, BUS_NONE, bus_name))) {
        device_destroy(*dev);
        *dev = NULL;
        return error_set(err, "bus: there is no bus '%s'", bus_name);
    }
    if (!set_globals(*dev, err) || !set_id(*dev, text, err) ||
        !property_parse((*dev)->cls->props, *dev, text, own_keys, err)) {
        device_destroy(*dev);
        *dev = NULL;
        return false;
    }
    if (!device_realize(*dev, bus, err)) { /* destroys it */
        *dev = NULL;
        return false;
    }
    return true;
}

Device *device_add(Machine *m, const char *spec, Error *err)
{
    const char *rest;
    char *name = property_first_word(spec, &rest);
    if (!name) {
        name = property_get_text(spec, "driver");
    }
    if (!name || !*name) {
        free(name);
        error_set(err, "a device needs a name: NAME,prop=value,...");
        return NULL;
    }
    const DeviceClass *cls = device_class_find(name);
    Device *dev = NULL;
    if (!cls) {
        no_such_class(name, err);
    } else if (cls->internal) {
        error_set(err, "%s: is part of the machine and cannot be added", name);
    } else {
        char *bus_name = property_get_text(rest, "bus");
        dev = device_create(m, cls);
        if (!add_on(&dev, rest, bus_name, err)) {
            error_prefix(err, "%s: ", name);
        }
        free(bus_name);
    }
    free(name);
    return dev;
}
