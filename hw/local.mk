# hw/core is a library of its own: unit tests link it without the devices.
noinst_LIBRARIES += libhwcore.a libhw.a
libhwcore_a_SOURCES =
libhw_a_SOURCES =
include hw/core/local.mk
include hw/devices.mk
include hw/pci.mk
include hw/backend/local.mk
include hw/block/local.mk
include hw/ide/local.mk
include hw/net/local.mk
include hw/scsi/local.mk
include hw/usb/local.mk
include hw/nvme/local.mk
include hw/display/local.mk
include hw/pc/local.mk
