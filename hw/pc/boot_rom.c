/* SPDX-License-Identifier: MIT */
/*
 * -kernel with firmware in place: an option ROM of ours, handed to the BIOS by fw_cfg,
 * whose boot entry (Plug and Play BIOS specification 1.0a, 3.2) writes to a port; dyad then
 * puts the kernel's pieces in memory and the entry jumps to the real-mode setup code.
 * Machine lock held. A guest that writes to the port later only spoils its own memory.
 */
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "hw/pc/pc_int.h"
#include "util/bytes.h"

enum { LOAD_PORT = 0x5a0, ROM_SIZE = 512, PNP = 0x20, BEV = 0x40, PRODUCT = 0x80,
       MAKER = 0x90 };
static const char rom_file[] = "genroms/dyadboot.rom";

typedef struct BootPort {
    Device dev;
    MemoryRegion io;
    PcMachine *pc;
} BootPort;

static uint64_t port_read(void *opaque, uint64_t addr, unsigned size)
{
    return 0xff;
}

static void port_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    pc_load_pieces(((BootPort *)opaque)->pc);
}

static const MemoryOps port_ops = { port_read, port_write, 1, 1, false, false };

static bool port_realize(Device *dev, Error *err)
{
    BootPort *d = (BootPort *)dev;
    device_add_ports(dev, &d->io, "kernel-loader", LOAD_PORT, 1, &port_ops, d);
    return true;
}

static const DeviceClass boot_port_class = {
    .name = "kernel-loader", .desc = "puts the kernel in memory", .bus = BUS_NONE,
    .size = sizeof(BootPort), .internal = true, .realize = port_realize,
};

static void build_rom(uint8_t rom[ROM_SIZE], const BootPlan *p)
{
    static const uint8_t init[] = { 0x31, 0xc0, 0xcb };   /* xor ax, ax; retf */
    const uint8_t code[] = {
        0xfa, 0xfc,                                       /* cli; cld */
        0xba, LOAD_PORT & 0xff, LOAD_PORT >> 8, 0xee,     /* mov dx, port; out dx, al */
        0xb8, (uint8_t)p->segment, p->segment >> 8,       /* mov ax, segment */
        0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8,   /* mov ds, es, fs, gs, ax */
        0x8e, 0xd0,                                       /* mov ss, ax */
        0xbc, (uint8_t)p->rsp, (uint8_t)(p->rsp >> 8),    /* mov sp, stack */
        0xea, 0, 0, (uint8_t)(p->segment + 0x20), (p->segment + 0x20) >> 8, /* jmp far */
    };
    memset(rom, 0, ROM_SIZE);
    rom[0] = 0x55;
    rom[1] = 0xaa;
    rom[2] = ROM_SIZE / 512;
    memcpy(rom + 3, init, sizeof(init));
    put_le16(rom + 0x1a, PNP);
    memcpy(rom + PNP, "$PnP", 4);
    rom[PNP + 4] = 1;               /* revision */
    rom[PNP + 5] = 2;               /* length / 16 */
    put_le16(rom + PNP + 0x0e, MAKER);
    put_le16(rom + PNP + 0x10, PRODUCT);
    put_le16(rom + PNP + 0x1a, BEV);
    memcpy(rom + PRODUCT, "dyad kernel", 12);
    memcpy(rom + MAKER, "dyad", 5);
    memcpy(rom + BEV, code, sizeof(code));
    rom[PNP + 9] = acpi_sum(rom + PNP, 32);
    rom[ROM_SIZE - 1] = acpi_sum(rom, ROM_SIZE);
}

bool pc_add_boot_rom(PcMachine *pc, Error *err)
{
    static const char order[] = "/rom@genroms/dyadboot.rom\nHALT";
    uint8_t rom[ROM_SIZE];
    Device *dev = device_create(&pc->m, &boot_port_class);
    ((BootPort *)dev)->pc = pc;
    if (!device_realize(dev, NULL, err)) {
        return false;
    }
    build_rom(rom, &pc->plan);
    return (fw_cfg_add_file(pc->fw_cfg, rom_file, rom, sizeof(rom)) &&
            fw_cfg_add_file(pc->fw_cfg, "bootorder", order, sizeof(order))) ||
           error_set(err, "fw_cfg: no room for the kernel's boot ROM");
}
