/* SPDX-License-Identifier: MIT */
/*
 * Every device class, one row a line, by family. A class that has no row cannot be named
 * by -device and is not seen by the state tests.
 */
#include "hw/block/fdc.h"
#include "hw/block/pflash.h"
#include "hw/char/debugcon.h"
#include "hw/char/uart16550.h"
#include "hw/display/display_devices.h"
#include "hw/ide/ide.h"
#include "hw/input/i8042.h"
#include "hw/intc/apic.h"
#include "hw/intc/i8259.h"
#include "hw/misc/coproc.h"
#include "hw/misc/fw_cfg.h"
#include "hw/misc/port92.h"
#include "hw/misc/pvpanic.h"
#include "hw/misc/testdevs.h"
#include "hw/net/e1000.h"
#include "hw/nvme/nvme.h"
#include "hw/pci/host.h"
#include "hw/scsi/scsi.h"
#include "hw/timer/acpi_pm.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"
#include "hw/usb/usb.h"
#include "hw/virtio/devices.h"

const DeviceClass *const device_classes[] = {
    /* block */
    &i8237_class,
    &isa_fdc_class,
    &pflash_class,
    /* char */
    &isa_debugcon_class,
    &isa_serial_class,
    /* display */
    &vga_pci_class,
    /* ide */
    &ich9_ahci_class,
    &ide_cd_class,
    &ide_hd_class,
    &piix3_ide_class,
    /* input */
    &i8042_class,
    /* intc */
    &i8259_class,
    &ioapic_class,
    &lapic_class,
    /* misc */
    &coproc_class,
    &fw_cfg_class,
    &isa_debug_exit_class,
    &pc_testdev_class,
    &port92_class,
    &pvpanic_class,
    &pvpanic_pci_class,
    /* net */
    &e1000_class,
    /* nvme */
    &nvme_class,
    /* pci */
    &i440fx_host_class,
    &i440fx_class,
    &ich9_lpc_class,
    &pci_testdev_class,
    &piix3_class,
    &piix4_pm_class,
    &q35_mch_class,
    /* scsi */
    &scsi_cd_class,
    &scsi_hd_class,
    /* timer */
    &acpi_pm_class,
    &hpet_class,
    &i8254_class,
    &mc146818_class,
    /* usb */
    &qemu_xhci_class,
    &usb_kbd_class,
    &usb_mouse_class,
    &usb_storage_class,
    &usb_tablet_class,
    /* virtio */
    &virtio_balloon_pci_class,
    &virtio_balloon_device_class,
    &virtio_blk_pci_class,
    &virtio_blk_device_class,
    &virtio_console_pci_class,
    &virtio_keyboard_pci_class,
    &virtio_mouse_pci_class,
    &virtio_net_pci_class,
    &virtio_net_device_class,
    &virtio_rng_pci_class,
    &virtio_rng_device_class,
    &virtio_scsi_pci_class,
    &virtio_scsi_device_class,
    &virtio_serial_pci_class,
    &virtio_serial_device_class,
    &virtio_tablet_pci_class,
    &virtconsole_class,
    &virtserialport_class,
    NULL,
};
