# USB
libhw_a_SOURCES += \
	hw/usb/hid.c hw/usb/hid_keys.c hw/usb/hid_keys.h hw/usb/storage.c hw/usb/usb.c \
	hw/usb/usb.h hw/usb/xhci.c hw/usb/xhci_cmd.c hw/usb/xhci_int.h hw/usb/xhci_ring.c
