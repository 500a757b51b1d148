# PCI and virtio
libhw_a_SOURCES += \
	hw/pci/host.h hw/pci/i440fx.c hw/pci/msix.c hw/pci/msix.h hw/pci/pci.c hw/pci/pci.h \
	hw/pci/pci_testdev.c hw/pci/piix3.c hw/pci/piix4_pm.c
