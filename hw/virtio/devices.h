/* SPDX-License-Identifier: MIT */
/* The virtio device classes. Backends come by property (drive=, netdev=, chardev=). */
#ifndef HW_VIRTIO_DEVICES_H
#define HW_VIRTIO_DEVICES_H

#include "hw/core/device.h"

extern const DeviceClass virtio_blk_pci_class, virtio_net_pci_class, virtio_rng_pci_class,
    virtio_console_pci_class, virtio_serial_pci_class, virtio_tablet_pci_class,
    virtio_mouse_pci_class, virtio_keyboard_pci_class, virtio_scsi_pci_class,
    virtio_balloon_pci_class;
/* The same on virtio-mmio. */
extern const DeviceClass virtio_blk_device_class, virtio_net_device_class,
    virtio_rng_device_class, virtio_serial_device_class, virtio_scsi_device_class,
    virtio_balloon_device_class;
extern const DeviceClass virtconsole_class, virtserialport_class; /* on virtio-serial */

#endif
