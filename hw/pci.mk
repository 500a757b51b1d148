# PCI and virtio
libhw_a_SOURCES += \
	hw/pci/host.h hw/pci/i440fx.c hw/pci/ich9_lpc.c hw/pci/pam.c hw/pci/pam.h hw/pci/q35.c hw/pci/msix.c hw/pci/msix.h hw/pci/pci.c hw/pci/pci.h \
	hw/pci/pci_testdev.c hw/pci/piix3.c hw/pci/piix4_pm.c \
	hw/virtio/balloon.c hw/virtio/blk.c hw/virtio/console.c hw/virtio/devices.h hw/virtio/input.c hw/virtio/net.c hw/virtio/rng.c hw/virtio/scsi.c \
	hw/virtio/virtio.c hw/virtio/virtio.h hw/virtio/virtio_mmio.c hw/virtio/virtio_mmio.h hw/virtio/virtio_pci.c hw/virtio/virtio_pci.h \
	hw/virtio/virtqueue.c hw/virtio/virtqueue.h
