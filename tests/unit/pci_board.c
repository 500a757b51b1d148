/* SPDX-License-Identifier: MIT */
/* See pci_board.h. Configuration space is reached as the guest does: by the ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/core/netdev.h"
#include "hw/display/display_devices.h"
#include "hw/ide/ide.h"
#include "hw/net/e1000.h"
#include "hw/misc/pvpanic.h"
#include "hw/nvme/nvme.h"
#include "hw/scsi/scsi.h"
#include "hw/usb/usb.h"
#include "hw/virtio/devices.h"
#include "tests/unit/pci_board.h"
#include "util/loop.h"

const DeviceClass *const device_classes[] = {
    &e1000_class, &pci_testdev_class, &virtio_blk_pci_class, &virtio_rng_pci_class,
    &virtio_net_pci_class, &virtio_balloon_pci_class, &virtio_serial_pci_class, &virtio_console_pci_class,
    &virtconsole_class, &virtserialport_class, &vga_pci_class, &virtio_tablet_pci_class,
    &virtio_keyboard_pci_class, &virtio_mouse_pci_class, &virtio_rng_device_class,
    &virtio_serial_device_class, &virtio_scsi_pci_class, &scsi_hd_class, &scsi_cd_class,
    &qemu_xhci_class, &usb_kbd_class, &usb_mouse_class, &usb_tablet_class, &usb_storage_class,
    &pvpanic_pci_class,
    &ide_hd_class, &ide_cd_class, &ich9_ahci_class, &piix3_ide_class, &nvme_class, NULL
};

static const MachineClass board_class = {
    .name = "test", .desc = "PCI functions under test", .size = sizeof(Board), .max_cpus = 1,
    .default_ram = BOARD_RAM,
};
const MachineClass *const machine_classes[] = { &board_class, NULL };

static void board_isa(void *opaque, unsigned n, bool level)
{
    ((Board *)opaque)->isa[n] = level;
}

static void board_msi(void *opaque, uint64_t addr, uint32_t data)
{
    Board *b = opaque;
    b->msis++;
    b->msi_addr = addr;
    b->msi_data = data;
}

static void board_release(Machine *m, void *arg)
{
    block_close_all(m);
    chardev_close_all(m);
    netdev_close_all(m);
}

Board *board_create_bare(void)
{
    Error err = ERROR_INIT;
    const MachineConfig cfg = { .ram_size = BOARD_RAM };
    Board *b = (Board *)machine_create(&board_class, &cfg, &err);
    assert_non_null(b);
    b->m.release = board_release;
    machine_lock(&b->m);
    assert_true(memory_init_ram(&b->ram, &b->m, "ram", BOARD_RAM, &err));
    memory_add(&b->m.mem_root, &b->ram, 0, 0);
    return b;
}

Board *board_create(void)
{
    Error err = ERROR_INIT;
    Board *b = board_create_bare();
    const PciHostConfig host = { .ram = &b->ram, .msi = board_msi, .msi_opaque = b };
    b->bus = pci_i440fx_create(&b->m, &host, &err);
    assert_non_null(b->bus);
    assert_true(memory_init_rom(&b->rom, &b->m, "rom", 0x10000, &err));
    memory_add(&b->bus->mem, &b->rom, 0xf0000, 0);
    IrqLine isa[16];
    for (unsigned i = 0; i < 16; i++) {
        isa[i] = (IrqLine){ board_isa, b, i };
    }
    b->piix3 = piix3_create(b->bus, 8, isa, &err);
    assert_non_null(b->piix3);
    device_reset_all(&b->m);
    return b;
}

void board_destroy(Board *b)
{
    machine_unlock(&b->m);
    machine_destroy(&b->m);
}

void board_turn(Board *b)
{
    machine_unlock(&b->m);
    loop_run_once(b->m.loop, 1000000000);
    machine_lock(&b->m);
}

PciDevice *board_add(Board *b, const char *spec)
{
    Error err = ERROR_INIT;
    Device *dev = device_add(&b->m, spec, &err);
    if (!dev) {
        print_error("%s: %s\n", spec, err.msg);
    }
    assert_non_null(dev);
    dev->cls->reset(dev);
    return (PciDevice *)dev;
}

void board_state_round_trips(Board *b)
{
    Error err = ERROR_INIT;
    StateBuf first = { 0 }, second = { 0 };
    assert_true(machine_save_state(&b->m, &first, &err));
    device_reset_all(&b->m);
    if (!machine_load_state(&b->m, &first, &err)) {
        fail_msg("%s", err.msg);
    }
    assert_true(machine_save_state(&b->m, &second, &err));
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    state_buf_free(&first);
    state_buf_free(&second);
}

void board_refused(Error *err, const char *spec, const char *text)
{
    if (!strstr(err->msg, text)) {
        fail_msg("%s: '%s' lacks '%s'", spec, err->msg, text);
    }
    error_free(err);
}

uint64_t mem_read(Board *b, uint64_t addr, unsigned size)
{
    return memory_io_read(&b->m.mem, addr, size);
}

void mem_write(Board *b, uint64_t addr, uint64_t val, unsigned size)
{
    memory_io_write(&b->m.mem, addr, size, val);
}

uint64_t io_read(Board *b, uint64_t port, unsigned size)
{
    return memory_io_read(&b->m.io, port, size);
}

void io_write(Board *b, uint64_t port, uint64_t val, unsigned size)
{
    memory_io_write(&b->m.io, port, size, val);
}

uint32_t cfg_read(Board *b, unsigned devfn, unsigned off, unsigned size)
{
    io_write(b, 0xcf8, 1u << 31 | devfn << 8 | (off & 0xfc), 4);
    return io_read(b, 0xcfc + (off & 3), size);
}

void cfg_write(Board *b, unsigned devfn, unsigned off, uint32_t val, unsigned size)
{
    io_write(b, 0xcf8, 1u << 31 | devfn << 8 | (off & 0xfc), 4);
    io_write(b, 0xcfc + (off & 3), val, size);
}
