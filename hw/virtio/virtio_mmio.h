/* SPDX-License-Identifier: MIT */
/*
 * Virtio over MMIO (VIRTIO 1.2, 4.2): the bus of a board without PCI, and the other
 * transport of the devices that embed a VirtioPci: what virtio_pci.h declares does the
 * right thing on this bus. Machine lock held.
 */
#ifndef HW_VIRTIO_VIRTIO_MMIO_H
#define HW_VIRTIO_VIRTIO_MMIO_H

#include "hw/core/device.h"
#include "hw/virtio/virtio_pci.h"

enum { VIRTIO_MMIO_SLOTS = 8, VIRTIO_MMIO_STEP = 512 };

extern const BusClass virtio_mmio_bus_class;

/* Slot n answers at base + n * VIRTIO_MMIO_STEP and drives irq[n]. Empty slots read as 0
 * but for the magic number: no device there (4.2.2). */
Bus *virtio_mmio_bus_create(struct Machine *m, const char *name, uint64_t base,
                            const IrqLine irq[VIRTIO_MMIO_SLOTS]);

/* --- for virtio_pci.c --- */
static inline bool virtio_on_mmio(const VirtioPci *d)
{
    return d->pci.dev.parent && d->pci.dev.parent->cls == &virtio_mmio_bus_class;
}
extern const VirtioTransport virtio_mmio_transport;
void virtio_mmio_finish(VirtioPci *d);
void virtio_mmio_update_irq(VirtioPci *d);

/* Property rows of every virtio-*-device class. */
#define VIRTIO_MMIO_PROPS(T) \
    { "event_idx", PK_BOOL, offsetof(T, vp.event_idx), 1, 0, 1, NULL, NULL, NULL, \
      "offer the event index feature" }, \
    { "indirect_desc", PK_BOOL, offsetof(T, vp.indirect_desc), 1, 0, 1, NULL, NULL, NULL, \
      "offer indirect descriptors" }

#endif
