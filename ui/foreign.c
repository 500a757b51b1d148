/* SPDX-License-Identifier: MIT */
/* Hints for options and devices that dyad does not have. */
#include "ui/foreign.h"

#include <fnmatch.h>
#include <stddef.h>

typedef struct Foreign {
    const char *name; /* a shell pattern */
    const char *hint;
} Foreign;

static const char usb_controllers[] = "the USB controller is qemu-xhci";
static const char usb_devices[] = "what USB has here is usb-kbd, usb-mouse, usb-tablet and "
                                  "usb-storage";
static const char no_sound[] = "there is no sound card; the PC speaker sounds through the "
                               "window (-display sdl)";
static const char no_sharing[] = "no directory of the host can be shared; use a disk image or "
                                 "the network";
static const char memory[] = "the guest's memory has one kind, and -m is its size";
static const char in_device[] = "give a property where the device is made: -device "
                                "NAME,prop=value";
static const char in_terminal[] = "-nographic shows the serial line in this terminal, the "
                                  "monitor's `info screen` the text of the screen";
static const char grab_keys[] = "ctrl-alt-g takes and releases the pointer, closing the window "
                                "ends the program";

static const char no_snapshots[] = "a machine's state cannot be saved to a file yet";
static const char confinement[] = "start dyad as the user, and with the limits, it shall have";

static const Foreign options[] = {
    { "soundhw", no_sound },
    { "audio", no_sound },
    { "audiodev", no_sound },
    { "g", "the guest chooses the resolution, up to 2560x1600" },
    { "sdl", "-display sdl" },
    { "curses", in_terminal },
    { "spice", "a remote screen is -display vnc=:N" },
    { "alt-grab", grab_keys },
    { "ctrl-grab", grab_keys },
    { "no-quit", grab_keys },
    { "no-frame", grab_keys },
    { "no-acpi", "ACPI tables are always there: acpi=off on the guest's command line" },
    { "acpitable", "the board's ACPI tables are fixed" },
    { "option-rom", "a card's own romfile=FILE is the only option ROM" },
    { "mem-path", memory },
    { "mem-prealloc", memory },
    { "numa", "all memory is one node" },
    { "set", in_device },
    { "readconfig", "options come from the command line only" },
    { "writeconfig", "options come from the command line only" },
    { "virtfs*", no_sharing },
    { "fsdev", no_sharing },
    { "smb", no_sharing },
    { "tpmdev", "there is no TPM" },
    { "watchdog*", "there is no watchdog" },
    { "sd", "there is no SD card; a disk is -drive if=virtio or if=ide" },
    { "mtdblock", "flash is -pflash FILE" },
    { "iscsi", "a disk is a file or a block device of the host" },
    { "tb-size", "-accel tcg,help lists the translator's properties" },
    { "singlestep", "-accel tcg,help lists the translator's properties" },
    { "one-insn-per-tb", "-accel tcg,help lists the translator's properties" },
    { "no-kvm", "-accel tcg" },
    { "icount", "the guest's time is real time; there is no counted one" },
    { "loadvm", no_snapshots },
    { "incoming", no_snapshots },
    { "only-migratable", no_snapshots },
    { "dtb", "a PC has no device tree" },
    { "plugin", "-d ITEM logs, -profile FILE samples" },
    { "perfmap", "-profile FILE samples the guest" },
    { "jitdump", "-profile FILE samples the guest" },
    { "seed", "what comes from the host is not made repeatable" },
    { "sandbox", confinement },
    { "runas", confinement },
    { "chroot", confinement },
    { "run-with", confinement },
    { "no-fd-bootchk", "-boot ORDER chooses what is booted" },
    { "trace", "-d ITEM logs; -d help lists the items" },
    { NULL, NULL }
};

static const char virtio_net[] = "network cards here are virtio-net-pci and e1000";
static const char disks[] = "disks are virtio-blk-pci, nvme, scsi-hd and scsi-cd on "
                            "virtio-scsi-pci, or ide-hd and ide-cd on ich9-ahci";
static const char graphics[] = "the graphics card here is VGA, up to 2560x1600";

static const Foreign devices[] = {
    { "usb-ehci", usb_controllers }, { "usb-uhci", usb_controllers },
    { "*-usb-*", usb_controllers }, { "pci-ohci", usb_controllers },
    { "usb-*", usb_devices },      { "e1000?*", virtio_net },
    { "rtl8139", virtio_net },     { "ne2k*", virtio_net },
    { "pcnet", virtio_net },       { "vmxnet*", virtio_net },
    { "i825*", virtio_net },       { "igb", virtio_net },
    { "AC97", no_sound },          { "*-hda", no_sound },
    { "hda-*", no_sound },         { "sb16", no_sound },
    { "ES1370", no_sound },        { "adlib", no_sound },
    { "gus", no_sound },           { "cs4231a", no_sound },
    { "virtio-sound*", no_sound }, { "virtio-vga*", graphics },
    { "virtio-gpu*", graphics },   { "qxl*", graphics },
    { "cirrus-vga", graphics },    { "isa-cirrus-vga", graphics },
    { "vmware-svga", graphics },   { "bochs-display", graphics },
    { "ramfb", graphics },         { "isa-vga", graphics },
    { "secondary-vga", graphics }, { "ati-vga", graphics },
    { "scsi-*", disks },
    { "lsi*", disks },             { "megasas*", disks },
    { "mptsas*", disks },          { "pvscsi", disks },
    { "am53c974", disks },         { "floppy", "a floppy is -fda FILE" },
    { "sd*", disks },              { "virtio-9p*", no_sharing },
    { "vhost-user-fs*", no_sharing },
    { "pcie-root-port", "cards sit on the root bus" },
    { "pci-bridge", "cards sit on the root bus" },
    { "ioh3420", "cards sit on the root bus" },
    { "vmcoreinfo", "it has no use here" },
    { "i6300esb", "there is no watchdog" },
    { "ib700", "there is no watchdog" },
    { "tpm-*", "there is no TPM" },
    { NULL, NULL }
};

static const char *find(const Foreign *f, const char *name)
{
    for (; f->name; f++) {
        if (fnmatch(f->name, name, 0) == 0) {
            return f->hint;
        }
    }
    return NULL;
}

const char *foreign_option(const char *name)
{
    return find(options, name);
}

const char *foreign_device(const char *name)
{
    return find(devices, name);
}
