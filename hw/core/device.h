/* SPDX-License-Identifier: MIT */
/*
 * Devices without an object system: a constant DeviceClass, a Device embedded first in
 * each device's struct, a tree of owners (machine > bus > device > bus). Everything a
 * device registers is removed by the core in reverse order.
 *
 * Life: device_create > device_set... > device_realize (plugs into the bus) > reset ...
 * > device_unrealize/destroy. Machine lock held throughout (or machine not running).
 */
#ifndef HW_CORE_DEVICE_H
#define HW_CORE_DEVICE_H

#include "hw/core/clock.h"
#include "hw/core/irq.h"
#include "hw/core/memory.h"
#include "hw/core/state.h"
#include "util/compiler.h"
#include "util/error.h"
#include "util/property.h"

struct Machine;
typedef struct Device Device;
typedef struct DeviceClass DeviceClass;
typedef struct Bus Bus;
typedef struct BusClass BusClass;

enum BusKind { BUS_NONE /* board wires it by hand */, BUS_ISA, BUS_PCI, BUS_IDE,
               BUS_VSERIAL /* ports of virtio-serial */, BUS_VIRTIO /* virtio-mmio */,
               BUS_SCSI, BUS_USB,
               BUS_KINDS };

struct DeviceClass {
    const char *name;        /* as in -device NAME */
    const char *const *aliases; /* NULL-terminated, optional ("virtio-blk") */
    const char *desc;        /* one line for help */
    enum BusKind bus;
    size_t size;             /* of the device's struct */
    const Property *props;   /* PROP_END-terminated, or NULL */
    StateDesc state;         /* fields NULL = no state */
    const void *bus_data;    /* what the bus needs to know (PciInfo ...) */
    bool internal;           /* part of a board: not for -device */
    bool (*realize)(Device *dev, Error *err);
    void (*unrealize)(Device *dev);   /* host things only; optional */
    void (*reset)(Device *dev);       /* to power-on state; drives no lines; optional */
    void (*reset_lines)(Device *dev); /* second pass: drive outputs; optional */
};

struct Device {
    const DeviceClass *cls;
    struct Machine *machine;
    char *id;                /* user's id= or NULL; owned */
    Bus *parent;             /* bus it sits on; NULL: the board's own */
    Device *next;            /* sibling on the bus */
    Bus *buses;              /* child buses */
    struct DeviceRes *res;   /* registered resources, newest first */
    char path[96];           /* "pc/pci.0/03.0/virtio-blk-pci": identity in saved state */
    int addr;                /* address on the bus (PCI: slot*8+function), -1 none */
    bool realized;
};

struct BusClass {
    const char *name;
    enum BusKind kind;
    /* Picks or checks the address, wires the device. Called before cls->realize. */
    bool (*plug)(Bus *bus, Device *dev, Error *err);
    void (*unplug)(Bus *bus, Device *dev);
    /* After cls->realize succeeded; optional. */
    bool (*plugged)(Bus *bus, Device *dev, Error *err);
    /* No room for another device: the search for a bus goes on; optional. */
    bool (*full)(const Bus *bus);
    /* What is on it, for the monitor (info pci); file is a FILE *; optional. */
    void (*dump)(Bus *bus, void *file);
};

struct Bus {
    const BusClass *cls;
    struct Machine *machine;
    char name[24];           /* "pci.0" */
    Device *owner;           /* NULL: the machine */
    Device *devices;
    Bus *next;
};

/* Checked downcast: aborts in --enable-checks builds if dev is not of that class. */
#ifdef CONFIG_CHECKS
#define DEVICE_AS(dev, T, class_) ((T *)device_check_class((dev), &(class_)))
#else
#define DEVICE_AS(dev, T, class_) ((T *)(dev))
#endif
void *device_check_class(Device *dev, const DeviceClass *cls);

/* Warns of -global texts (MachineConfig.globals) for a driver that is not there. */
void device_check_globals(const char *const *globals);
const DeviceClass *device_class_find(const char *name); /* by name or alias; NULL */
void device_help(void *file);                            /* -device help */
void device_class_help(const DeviceClass *cls, void *file);
extern const DeviceClass *const device_classes[];        /* hw/device_list.c, NULL-ended */

Device *device_create(struct Machine *m, const DeviceClass *cls); /* defaults applied */
bool device_set(Device *dev, const char *key, const char *value, Error *err);
/* bus NULL: the first bus of the class's kind that has room. On failure the device is
 * destroyed. */
bool device_realize(Device *dev, Bus *bus, Error *err);
void device_destroy(Device *dev);
/* -device "driver,prop=value,id=x,bus=pci.0,addr=3": the whole path. */
Device *device_add(struct Machine *m, const char *spec, Error *err);
Device *device_find(struct Machine *m, const char *id_or_path);
void device_reset_all(struct Machine *m);
/* Walks all devices (parents first). */
void device_foreach(struct Machine *m, void (*fn)(Device *dev, void *arg), void *arg);

Bus *bus_create(struct Machine *m, Device *owner, const BusClass *cls, const char *name,
                size_t size /* of the bus's own struct, Bus first */);
Bus *bus_find(struct Machine *m, enum BusKind kind, const char *name /* or NULL */);

/* --- registering, from realize --- */
/* I/O region placed in a container of the caller's choice; removed at unrealize. */
void device_add_io(Device *dev, MemoryRegion *mr, const char *name, uint64_t size,
                   const MemoryOps *ops, void *opaque);
void device_map(Device *dev, MemoryRegion *parent, MemoryRegion *mr, uint64_t addr, int prio);
/* Ports: region at `base` of the machine's I/O space. */
void device_add_ports(Device *dev, MemoryRegion *mr, const char *name, uint64_t base,
                      uint64_t size, const MemoryOps *ops, void *opaque);
void device_add_timer(Device *dev, Timer *t, void (*fn)(void *), void *opaque);
/* Inputs: the board takes them with device_irq_in(dev, n). */
void device_init_irq_in(Device *dev, IrqHandler *fn, unsigned count);
IrqLine device_irq_in(Device *dev, unsigned n);
/* Outputs: IrqLine fields of the device's struct, filled by the board. */
void device_init_irq_out(Device *dev, IrqLine *lines, unsigned count);
void device_connect(Device *dev, unsigned out, IrqLine to);
/* ISA devices take their line by number (0..15) from the ISA bus. */
IrqLine isa_irq(Device *dev, unsigned n);

#endif
