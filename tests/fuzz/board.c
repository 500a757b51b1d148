/* SPDX-License-Identifier: MIT */
/* See board.h. */
#include "tests/fuzz/board.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/char/uart16550.h"
#include "hw/core/block.h"
#include "hw/core/netdev.h"
#include "hw/input/i8042.h"
#include "hw/misc/fw_cfg.h"
#include "hw/misc/port92.h"
#include "hw/pci/host.h"
#include "hw/timer/acpi_pm.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"
#include "util/alloc.h"
#include "util/loop.h"

typedef struct Area {
    uint64_t base;
    uint32_t size;
    bool mem;
} Area;

static const Area fixed[] = {
    { 0x0, 0x20 },
    { 0x20, 2 },
    { 0xa0, 2 },
    { 0x40, 4 },
    { 0x60, 5 },
    { 0x70, 4 },
    { 0x80, 0x10 },
    { 0x92, 1 },
    { 0xb2, 2 },
    { 0xc0, 0x20 },
    { 0x4d0, 2 },
    { 0x170, 8 },
    { 0x1f0, 8 },
    { 0x3f0, 16 },
    { 0x2f8, 8 },
    { 0x3b0, 0x30 },
    { 0x510, 12 },
    { 0x600, 64 },
    { 0xcf8, 8 },
    { 0x1ce, 4 },
    { 0xfee00000, 0x400, true },
    { 0xfec00000, 0x50, true },
    { 0xfed00000, 0x180, true },
    { 0xa0000, 0x20000, true },
    { 0x1000, 0x8000, true },
};
static Area areas[128];
static unsigned nareas;

unsigned fuzz_areas(void)
{
    return nareas;
}

/* ---- making it ---- */

static void add_chips(Board *b)
{
    Error err = ERROR_INIT;
    Machine *m = &b->m;
    Device *p92 = port92_create(m, board_probe(b, 20), &err);
    I8042Wiring kw = { board_probe(b, 1), board_probe(b, 12), device_irq_in(p92, 0) };
    HpetWiring hw = { .irq0 = board_probe(b, 21),
                      .irq8 = board_probe(b, 22),
                      .legacy = board_probe(b, 23),
                      .msi = msi_send_opaque,
                      .msi_opaque = &b->apic };
    PciHostConfig host = { .ram = &b->ram,
                           .msi = msi_send_opaque,
                           .msi_opaque = &b->apic };

    assert_non_null(i8042_create(m, &kw, &err));
    assert_non_null(i8254_create(m, device_irq_in(b->pic, 0), &err));
    assert_non_null(rtc_create(m, "utc", device_irq_in(b->pic, 8), &err));
    for (unsigned i = 20; i < 24; i++) {
        hw.gsi[i] = device_irq_in(b->ioapic, i);
    }
    assert_non_null(hpet_create(m, 3, &hw, &err));
    Device *pm = acpi_pm_create(m, device_irq_in(b->ioapic, 9), &err);
    MemoryRegion *pm_region = acpi_pm_region(pm);
    FwCfg *fw = fw_cfg_create(m, &err);
    fw_cfg_add_file(fw, "etc/file", "some bytes of a file", 20);
    PciBus *pci = pci_i440fx_create(m, &host, &err);
    assert_non_null(pci);
    assert_non_null(piix3_create(pci, 8, b->isa->irq, &err));
    assert_non_null(piix4_pm_create(pci, 11, pm_region, 0x600, &err));
}

static void add_drive(Board *b, const char *id)
{
    Error err = ERROR_INIT;
    char path[] = "/tmp/dyad-fuzz-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
    char *spec = xasprintf("file=%s,format=raw,if=none,id=%s,discard=unmap", path, id);
    assert_non_null(block_open_drive(&b->m, spec, false, &err));
    free(spec);
    close(fd);
    unlink(path);
}

static void add_cards(Board *b)
{
    static const char *const with[] = {
        "virtio-blk-pci,drive=d0,num-queues=2",
        "nvme,drive=d1,serial=N1",
        "ich9-ahci,id=sata",
        "ide-hd,drive=d2,bus=sata.0",
        "ide-cd,bus=sata.1",
        "ide-hd,drive=d3",
        "virtio-net-pci,netdev=n0",
        "isa-fdc",
        "isa-serial,chardev=c0",
        "virtio-console-pci,chardev=c1",
        "scsi-hd,drive=d4",
        "scsi-cd",
        "usb-kbd",
        "usb-tablet",
        "usb-storage,drive=d5",
    };
    Error err = ERROR_INIT;
    for (unsigned i = 0; i < 6; i++) {
        add_drive(b, (const char *[]){ "d0", "d1", "d2", "d3", "d4", "d5" }[i]);
    }
    assert_non_null(chardev_open_option(&b->m, "null,id=c0", &err));
    assert_non_null(chardev_open_option(&b->m, "null,id=c1", &err));
    for (const DeviceClass *const *c = device_classes; *c; c++) {
        Error e = ERROR_INIT;
        if (!(*c)->internal) {
            (void)device_add(&b->m, (*c)->name, &e); /* some need what is not there */
        }
        error_free(&e);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(with); i++) {
        Error e = ERROR_INIT;
        (void)device_add(&b->m, with[i], &e);
        error_free(&e);
    }
}

static uint32_t cfg(Board *b, unsigned devfn, unsigned off)
{
    outp(b, 0xcf8, 0x80000000u | devfn << 8 | off, 4);
    return inp(b, 0xcfc, 4);
}

static void cfg_set(Board *b, unsigned devfn, unsigned off, uint32_t v)
{
    outp(b, 0xcf8, 0x80000000u | devfn << 8 | off, 4);
    outp(b, 0xcfc, v, 4);
}

/* As firmware does: sizes, addresses, decoding and bus mastering on. */
static void place_bars(Board *b)
{
    uint32_t mem = 0xe0000000, io = 0xc000;

    for (unsigned devfn = 0; devfn < 256; devfn++) {
        if ((cfg(b, devfn, 0) & 0xffff) == 0xffff) {
            continue;
        }
        for (unsigned bar = 0x10; bar < 0x28; bar += 4) {
            uint32_t old = cfg(b, devfn, bar);
            cfg_set(b, devfn, bar, ~0u);
            uint32_t v = cfg(b, devfn, bar), size = -(v & (v & 1 ? ~3u : ~15u));
            if (v & 1) {
                size &= 0xffff;
            }
            if (!size || nareas >= ARRAY_SIZE(areas)) {
                cfg_set(b, devfn, bar, old);
                continue;
            }
            uint32_t *next = v & 1 ? &io : &mem;
            *next = ALIGN_UP(*next, size);
            cfg_set(b, devfn, bar, *next);
            areas[nareas++] = (Area){ *next, size, !(v & 1) };
            *next += size;
            if ((v & 7) == 4) { /* 64 bits wide */
                bar += 4;
                cfg_set(b, devfn, bar, 0);
            }
        }
        cfg_set(b, devfn, 4, 7);
    }
}

static void close_backends(Machine *m)
{
    block_close_all(m);
    chardev_close_all(m);
    netdev_close_all(m);
}

Board *fuzz_board(void)
{
    Board *b = board_create_now(2);

    b->closing = close_backends;

    for (unsigned i = 0; i < ISA_IRQS; i++) {
        if (i != 0 && i != 8) { /* those have their chip */
            b->isa->irq[i] = device_irq_in(b->pic, i);
        }
    }
    add_chips(b);
    add_cards(b);
    board_reset(b);
    nareas = ARRAY_SIZE(fixed);
    memcpy(areas, fixed, sizeof(fixed));
    place_bars(b);
    return b;
}

void fuzz_board_free(Board *b)
{
    board_run_as(b, -1);
    board_destroy(b);
}

/* ---- accesses ---- */

static void access_area(Board *b, const uint8_t *op, bool write)
{
    const Area *a = &areas[op[1] % nareas];
    unsigned size = 1u << (op[0] >> 4) % 4;
    uint32_t off = op[2] | op[3] << 8, v;

    memcpy(&v, op + 4, 4);
    size = a->mem ? size : MIN(size, 4u);
    if (a->size > 0x10000) {
        off *= a->size >> 16;
    }
    uint64_t at = a->base + off % a->size;
    if (a->base == 0xfee00000) { /* an APIC's registers are words of 16 bytes */
        at &= ~15ull;
        size = 4;
        if ((at & 0xff0) == 0x300) {
            return; /* fake vCPUs cannot be woken */
        }
    }
    at &= ~(uint64_t)(size - 1);
    AddressSpace *as = a->mem ? &b->m.mem : &b->m.io;
    board_run_as(b, op[0] >> 6 & 1);
    if (write) {
        memory_io_write(as, at, size, size == 8 ? v * 0x100000001ull : v);
    } else {
        (void)memory_io_read(as, at, size);
    }
}

void fuzz_ops(Board *b, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i + FUZZ_OP <= n && i < 400 * FUZZ_OP; i += FUZZ_OP) {
        const uint8_t *op = data + i;
        uint32_t v;
        memcpy(&v, op + 4, 4);
        switch (op[0] & 15) {
        case 0: board_advance(b, v % 20000000); break;
        case 1: board_ack(b, op[1] & 1); break;
        case 2: { /* rings and descriptors lie in RAM */
            uint64_t q = v | (uint64_t)op[1] << 32;
            memory_write(&b->m.mem, 0x1000 + (op[2] | (op[3] & 0x7f) << 8), &q, 8);
            break;
        }
        case 3:
            machine_unlock(&b->m);
            loop_run_once(b->m.loop, 0);
            machine_lock(&b->m);
            break;
        case 4:
        case 5: access_area(b, op, false); break;
        default: access_area(b, op, true);
        }
    }
}
