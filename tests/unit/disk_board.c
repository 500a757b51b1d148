/* SPDX-License-Identifier: MIT */
/* See disk_board.h. */
#include "tests/unit/disk_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hw/ide/ide.h"
#include "hw/nvme/nvme.h"
#include "hw/scsi/scsi.h"
#include "hw/usb/usb.h"
#include "hw/virtio/devices.h"
#include "util/alloc.h"

const DeviceClass *const device_classes[] = {
    &ide_hd_class, &ide_cd_class, &ich9_ahci_class, &piix3_ide_class, &nvme_class,
    &virtio_scsi_pci_class, &scsi_hd_class, &scsi_cd_class, &qemu_xhci_class,
    &usb_kbd_class, &usb_mouse_class, &usb_tablet_class, &usb_storage_class, NULL
};
static const MachineClass board_class = {
    .name = "test", .desc = "disk controllers under test", .size = sizeof(Board),
    .max_cpus = 1, .default_ram = BOARD_RAM,
};
const MachineClass *const machine_classes[] = { &board_class, NULL };

static void line_set(void *opaque, unsigned n, bool level)
{
    ((Board *)opaque)->isa[n] = level;
}

static void count_msi(void *opaque, uint64_t addr, uint32_t data)
{
    ((Board *)opaque)->msis++;
}

static void board_release(Machine *m, void *arg)
{
    block_close_all(m);
}

int disk_setup(void **state)
{
    Error err = ERROR_INIT;
    const MachineConfig cfg = { .ram_size = BOARD_RAM };
    Board *b = (Board *)machine_create(&board_class, &cfg, &err);
    assert_non_null(b);
    b->m.release = board_release;
    machine_lock(&b->m);
    assert_true(memory_init_ram(&b->ram, &b->m, "ram", BOARD_RAM, &err));
    memory_add(&b->m.mem_root, &b->ram, 0, 0);
    const PciHostConfig host = { .ram = &b->ram, .msi = count_msi, .msi_opaque = b };
    b->bus = pci_i440fx_create(&b->m, &host, &err);
    assert_non_null(b->bus);
    const IrqLine irq[2] = { { line_set, b, 14 }, { line_set, b, 15 } };
    assert_non_null(piix3_ide_create(b->bus, IDE_DEVFN, irq, &err));
    *state = b;
    return 0;
}

int disk_teardown(void **state)
{
    Board *b = *state;
    machine_unlock(&b->m);
    machine_destroy(&b->m);
    return 0;
}

BlockBackend *disk_image(Board *b, const char *id, const char *opts, unsigned sectors,
                         unsigned unit)
{
    Error err = ERROR_INIT;
    char path[] = "/tmp/dyad-test-disk-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    uint8_t *image = calloc(sectors, unit);
    for (uint32_t i = 0; i < sectors; i++) {
        memcpy(image + (size_t)i * unit, &i, 4);
    }
    assert_int_equal(write(fd, image, (size_t)sectors * unit), sectors * unit);
    free(image);
    close(fd);
    char *spec = xasprintf("file=%s,format=raw,id=%s%s", path, id, opts);
    BlockBackend *d = block_open_drive(&b->m, spec, false, &err);
    assert_non_null(d);
    free(spec);
    unlink(path);           /* open, so it lives until the machine goes */
    return d;
}

void disk_wait(Board *b, BlockBackend *d)
{
    d->ops->drain(d);
}

uint32_t ram32(Board *b, uint64_t addr)
{
    uint32_t v;
    get_ram(b, addr, &v, 4);
    return v;
}

void set_ram(Board *b, uint64_t addr, const void *p, size_t n)
{
    assert_true(memory_write(&b->m.mem, addr, p, n));
}

void get_ram(Board *b, uint64_t addr, void *p, size_t n)
{
    assert_true(memory_read(&b->m.mem, addr, p, n));
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

void cfg_write(Board *b, unsigned devfn, unsigned off, uint32_t val, unsigned size)
{
    pci_config_write(b->bus->fn[devfn], off, val, size);
}
