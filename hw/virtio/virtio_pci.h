/* SPDX-License-Identifier: MIT */
/*
 * Virtio over PCI (VIRTIO 1.2, 4.1): one transport that owns a VirtioDevice. A class
 * embeds VirtioPci first; its saved struct holds a PciState and a VirtioState.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

typedef struct VirtioPci {
    PciDevice pci;                  /* first */
    VirtioDevice v;
    MemoryRegion legacy, modern;
    MemoryEvent legacy_bells, modern_bells;
    unsigned cfg_cap;               /* offset of the pci-cfg capability, 0 = none */
    int disable_legacy;             /* property: 0 auto (off), 1 on, 2 off */
    bool disable_modern;            /* property */
    bool event_idx, indirect_desc;  /* properties: offered */
    uint32_t vectors;               /* property: MSI-X vectors, VIRTIO_VECTORS_AUTO */
} VirtioPci;

enum { VIRTIO_VECTORS_AUTO = 0xff };
extern const char *const virtio_on_off_auto[];

/* Property rows of every virtio-*-pci class; T embeds a VirtioPci as `vp`. */
#define VIRTIO_PCI_PROPS(T) \
    { "addr", PK_STR, offsetof(T, vp.pci.addr_text), 0, 0, 0, NULL, NULL, NULL, \
      "slot[.function], hexadecimal; default: the first free slot" }, \
    { "multifunction", PK_BOOL, offsetof(T, vp.pci.multifunction), 0, 0, 1, NULL, NULL, \
      NULL, "other functions share this slot" }, \
    { "disable-legacy", PK_ENUM, offsetof(T, vp.disable_legacy), 0, 0, 0, NULL, \
      virtio_on_off_auto, NULL, "no interface for drivers older than virtio 1.0" }, \
    { "disable-modern", PK_BOOL, offsetof(T, vp.disable_modern), 0, 0, 1, NULL, NULL, \
      NULL, "no virtio 1.x interface" }, \
    { "event_idx", PK_BOOL, offsetof(T, vp.event_idx), 1, 0, 1, NULL, NULL, NULL, \
      "offer the event index feature" }, \
    { "indirect_desc", PK_BOOL, offsetof(T, vp.indirect_desc), 1, 0, 1, NULL, NULL, NULL, \
      "offer indirect descriptors" }, \
    { "vectors", PK_U32, offsetof(T, vp.vectors), VIRTIO_VECTORS_AUTO, 0, 255, NULL, NULL, \
      NULL, "MSI-X vectors; 0 = no MSI-X, 255 = one per queue and one more" }

/* In realize, in this order: init, virtio_add_queue for each, finish. */
bool virtio_pci_init(VirtioPci *d, const VirtioOps *ops, VirtioState *s, Error *err);
bool virtio_pci_finish(VirtioPci *d, Error *err);
/* DeviceClass.reset; StateDesc hooks of classes with nothing of their own to do. */
void virtio_pci_reset(Device *dev);
bool virtio_pci_pre_save(void *dev);
bool virtio_pci_post_load(void *dev, Error *err);

static inline VirtioPci *virtio_pci_of(VirtioDevice *v)
{
    return container_of(v, VirtioPci, v);
}

/* PciInfo of a transitional virtio function; its device ID and revision change in
 * virtio_pci_init if the legacy interface is off. */
#define VIRTIO_PCI_INFO(T, id_, class_) \
    .vendor = 0x1af4, .device = id_, .class_code = class_, .subsys_vendor = 0x1af4, \
    .irq_pin = 1, .state_offset = offsetof(T, s.pci), \
    .config_written = virtio_pci_config_written, \
    .config_reading = virtio_pci_config_reading
void virtio_pci_config_written(PciDevice *d, unsigned off, unsigned size);
void virtio_pci_config_reading(PciDevice *d, unsigned off, unsigned size);

#endif
