/* SPDX-License-Identifier: MIT */
/*
 * Device life: create, realize, the resources a device registered (removed newest first),
 * reset in two passes, destruction of whole subtrees. Machine lock, or machine not running.
 */
#include "hw/core/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/alloc.h"

enum ResKind { RES_REGION, RES_TIMER, RES_IRQ_IN, RES_IRQ_OUT };

typedef struct DeviceRes {
    enum ResKind kind;
    union {
        MemoryRegion *mr;
        Timer *timer;
        struct {
            IrqHandler *fn;
            unsigned count;
        } in;
        struct {
            IrqLine *lines;
            unsigned count;
        } out;
    };
    struct DeviceRes *next;
} DeviceRes;

void *device_check_class(Device *dev, const DeviceClass *cls)
{
    if (!dev || dev->cls != cls) {
        fprintf(stderr, "dyad: %s taken for %s\n", dev ? dev->cls->name : "nothing",
                cls->name);
        abort();
    }
    return dev;
}

/* ---- resources ---- */

static DeviceRes *add_res(Device *dev, enum ResKind kind)
{
    DeviceRes *r = NEW(DeviceRes);
    r->kind = kind;
    r->next = dev->res;
    dev->res = r;
    return r;
}

static DeviceRes *find_res(Device *dev, enum ResKind kind)
{
    for (DeviceRes *r = dev->res; r; r = r->next) {
        if (r->kind == kind) {
            return r;
        }
    }
    return NULL;
}

static void drop_resources(Device *dev)
{
    memory_begin(dev->machine);
    while (dev->res) {
        DeviceRes *r = dev->res;
        dev->res = r->next;
        if (r->kind == RES_REGION) {
            memory_remove(r->mr);
        } else if (r->kind == RES_TIMER) {
            timer_del(r->timer);
        }
        free(r);
    }
    memory_commit(dev->machine);
}

static void own_region(Device *dev, MemoryRegion *mr)
{
    for (const DeviceRes *r = dev->res; r; r = r->next) {
        if (r->kind == RES_REGION && r->mr == mr) {
            return;
        }
    }
    add_res(dev, RES_REGION)->mr = mr;
}

void device_add_io(Device *dev, MemoryRegion *mr, const char *name, uint64_t size,
                   const MemoryOps *ops, void *opaque)
{
    memory_init_io(mr, dev->machine, name, size, ops, opaque);
    own_region(dev, mr);
}

void device_map(Device *dev, MemoryRegion *parent, MemoryRegion *mr, uint64_t addr, int prio)
{
    own_region(dev, mr);
    memory_add(parent, mr, addr, prio);
}

void device_add_ports(Device *dev, MemoryRegion *mr, const char *name, uint64_t base,
                      uint64_t size, const MemoryOps *ops, void *opaque)
{
    device_add_io(dev, mr, name, size, ops, opaque);
    memory_add(&dev->machine->io_root, mr, base, 0);
}

void device_add_timer(Device *dev, Timer *t, void (*fn)(void *), void *opaque)
{
    timer_init(t, dev->machine->clock, fn, opaque);
    add_res(dev, RES_TIMER)->timer = t;
}

void device_init_irq_in(Device *dev, IrqHandler *fn, unsigned count)
{
    DeviceRes *r = add_res(dev, RES_IRQ_IN);
    r->in.fn = fn;
    r->in.count = count;
}

IrqLine device_irq_in(Device *dev, unsigned n)
{
    const DeviceRes *r = find_res(dev, RES_IRQ_IN);
    if (!r || n >= r->in.count) {
        fprintf(stderr, "dyad: %s has no input %u\n", dev->path, n);
        abort();
    }
    return (IrqLine){ r->in.fn, dev, n };
}

void device_init_irq_out(Device *dev, IrqLine *lines, unsigned count)
{
    DeviceRes *r = add_res(dev, RES_IRQ_OUT);
    r->out.lines = lines;
    r->out.count = count;
}

void device_connect(Device *dev, unsigned out, IrqLine to)
{
    const DeviceRes *r = find_res(dev, RES_IRQ_OUT);
    if (!r || out >= r->out.count) {
        fprintf(stderr, "dyad: %s has no output %u\n", dev->path, out);
        abort();
    }
    r->out.lines[out] = to;
}

/* ---- life ---- */

Device *device_create(Machine *m, const DeviceClass *cls)
{
    Device *dev = xalloc_aligned(64, MAX(cls->size, sizeof(Device)));
    dev->cls = cls;
    dev->machine = m;
    dev->addr = -1;
    property_defaults(cls->props, dev);
    snprintf(dev->path, sizeof(dev->path), "%s", cls->name);
    return dev;
}

bool device_set(Device *dev, const char *key, const char *value, Error *err)
{
    return property_set(dev->cls->props, dev, key, value, err);
}

static void list_append(Device **list, Device *dev)
{
    while (*list) {
        list = &(*list)->next;
    }
    *list = dev;
}

static void list_remove(Device **list, Device *dev)
{
    for (; *list; list = &(*list)->next) {
        if (*list == dev) {
            *list = dev->next;
            break;
        }
    }
    dev->next = NULL;
}

static Device **home(Device *dev)
{
    return dev->parent ? &dev->parent->devices : &dev->machine->board_devices;
}

typedef struct PathSearch {
    const char *path;
    const Device *self;
    bool taken;
} PathSearch;

static void check_path(Device *dev, void *arg)
{
    PathSearch *s = arg;
    s->taken |= dev != s->self && !strcmp(dev->path, s->path);
}

/* A path that no other device has. */
static void make_path(Device *dev)
{
    char where[48] = "";
    if (dev->parent && dev->addr >= 0 && dev->parent->cls->kind == BUS_PCI) {
        snprintf(where, sizeof(where), "%s/%02x.%x/", dev->parent->name, dev->addr >> 3,
                 dev->addr & 7);
    } else if (dev->parent && dev->addr >= 0) {
        snprintf(where, sizeof(where), "%s/%d/", dev->parent->name, dev->addr);
    } else if (dev->parent) {
        snprintf(where, sizeof(where), "%s/", dev->parent->name);
    }
    PathSearch s = { .path = dev->path, .self = dev };
    for (unsigned n = 0;; n++) {
        char number[12] = "";
        if (n) {
            snprintf(number, sizeof(number), "#%u", n);
        }
        snprintf(dev->path, sizeof(dev->path), "%.16s/%s%.16s%s", dev->machine->cls->name,
                 where, dev->cls->name, number);
        s.taken = false;
        device_foreach(dev->machine, check_path, &s);
        if (!s.taken) {
            return;
        }
    }
}

static bool choose_bus(Device *dev, Bus **bus, Error *err)
{
    enum BusKind kind = dev->cls->bus;
    if (kind == BUS_NONE) {
        return true;
    }
    if (!*bus) {
        *bus = bus_find(dev->machine, kind, NULL);
    }
    if (!*bus) {
        static const char *const names[BUS_KINDS] = { "", "ISA", "PCI", "IDE",
                                                     "virtio-serial", "virtio-mmio", "SCSI",
                                                     "USB" };
        return error_set(err, "this machine has no %s bus with room", names[kind]);
    }
    if ((*bus)->cls->kind != kind) {
        return error_set(err, "does not fit bus '%s', which is %s", (*bus)->name,
                         (*bus)->cls->name);
    }
    return true;
}

static bool realize_on(Device *dev, Bus *bus, Error *err)
{
    if (bus && !bus->cls->plug(bus, dev, err)) {
        return false;
    }
    dev->parent = bus;
    list_append(home(dev), dev);
    make_path(dev);
    if (dev->cls->realize && !dev->cls->realize(dev, err)) {
        goto fail;
    }
    if (bus && bus->cls->plugged && !bus->cls->plugged(bus, dev, err)) {
        if (dev->cls->unrealize) {
            dev->cls->unrealize(dev);
        }
        goto fail;
    }
    dev->realized = true;
    return true;
fail:
    if (bus && bus->cls->unplug) {
        bus->cls->unplug(bus, dev);
    }
    return false;
}

bool device_realize(Device *dev, Bus *bus, Error *err)
{
    memory_begin(dev->machine);
    bool ok = choose_bus(dev, &bus, err) && realize_on(dev, bus, err);
    memory_commit(dev->machine);
    if (!ok) {
        device_destroy(dev);
    }
    return ok;
}

void device_destroy(Device *dev)
{
    memory_begin(dev->machine);
    for (Bus *b = dev->buses; b; b = b->next) {
        while (b->devices) {
            device_destroy(b->devices);
        }
    }
    if (dev->realized) {
        if (dev->cls->unrealize) {
            dev->cls->unrealize(dev);
        }
        if (dev->parent && dev->parent->cls->unplug) {
            dev->parent->cls->unplug(dev->parent, dev);
        }
    }
    list_remove(home(dev), dev);
    drop_resources(dev);
    while (dev->buses) {
        Bus *b = dev->buses;
        dev->buses = b->next;
        free(b);
    }
    memory_commit(dev->machine);
    property_free(dev->cls->props, dev);
    free(dev->id);
    free(dev);
}

/* ---- the tree ---- */

Bus *bus_create(Machine *m, Device *owner, const BusClass *cls, const char *name,
                size_t size)
{
    Bus *b = xalloc(MAX(size, sizeof(Bus)));
    b->cls = cls;
    b->machine = m;
    b->owner = owner;
    snprintf(b->name, sizeof(b->name), "%s", name);
    Bus **pp = owner ? &owner->buses : &m->buses;
    while (*pp) {
        pp = &(*pp)->next;
    }
    *pp = b;
    return b;
}

static void walk_buses(Bus *b, void (*fn)(Device *, void *), void *arg);

static void walk_devices(Device *dev, void (*fn)(Device *, void *), void *arg)
{
    while (dev) {
        Device *next = dev->next;
        fn(dev, arg);
        walk_buses(dev->buses, fn, arg);
        dev = next;
    }
}

static void walk_buses(Bus *b, void (*fn)(Device *, void *), void *arg)
{
    for (; b; b = b->next) {
        walk_devices(b->devices, fn, arg);
    }
}

void device_foreach(Machine *m, void (*fn)(Device *dev, void *arg), void *arg)
{
    walk_devices(m->board_devices, fn, arg);
    walk_buses(m->buses, fn, arg);
}

static Bus *find_in_buses(Bus *b, enum BusKind kind, const char *name)
{
    for (; b; b = b->next) {
        if (name ? !strcmp(b->name, name)
                 : b->cls->kind == kind && !(b->cls->full && b->cls->full(b))) {
            return b;
        }
        for (Device *d = b->devices; d; d = d->next) {
            Bus *found = find_in_buses(d->buses, kind, name);
            if (found) {
                return found;
            }
        }
    }
    return NULL;
}

Bus *bus_find(Machine *m, enum BusKind kind, const char *name)
{
    Bus *found = find_in_buses(m->buses, kind, name);
    for (Device *d = m->board_devices; d && !found; d = d->next) {
        found = find_in_buses(d->buses, kind, name);
    }
    return found;
}

typedef struct FindDevice {
    const char *name;
    Device *found;
} FindDevice;

static void match_device(Device *dev, void *arg)
{
    FindDevice *f = arg;
    if (!f->found &&
        (!strcmp(dev->path, f->name) || (dev->id && !strcmp(dev->id, f->name)))) {
        f->found = dev;
    }
}

Device *device_find(Machine *m, const char *id_or_path)
{
    FindDevice f = { id_or_path, NULL };
    device_foreach(m, match_device, &f);
    return f.found;
}

static void reset_state(Device *dev, void *arg)
{
    if (dev->realized && dev->cls->reset) {
        dev->cls->reset(dev);
    }
}

static void reset_lines(Device *dev, void *arg)
{
    if (dev->realized && dev->cls->reset_lines) {
        dev->cls->reset_lines(dev);
    }
}

void device_reset_all(Machine *m)
{
    memory_begin(m);
    device_foreach(m, reset_state, NULL);
    device_foreach(m, reset_lines, NULL);
    memory_commit(m);
}
