/* SPDX-License-Identifier: MIT */
/* The memory map; see e820.h. Pure. */
#include "hw/pc/e820.h"

#define EBDA 0x9fc00ull
#define BIOS_AREA 0xe0000ull

RamLayout ram_layout(uint64_t size)
{
    if (size <= 0xe0000000ull) {
        return (RamLayout){ size, 0 };
    }
    return (RamLayout){ 0xc0000000ull, size - 0xc0000000ull };
}

RamLayout ram_layout_q35(uint64_t size)
{
    if (size < 0xb0000000ull) {
        return (RamLayout){ size, 0 };
    }
    return (RamLayout){ 2 * GiB, size - 2 * GiB };
}

static void add(E820Map *map, uint64_t start, uint64_t end, uint32_t type)
{
    if (start < end && map->n < E820_MAX) {
        map->e[map->n++] = (E820Entry){ start, end - start, type };
    }
}

void e820_direct(E820Map *map, const RamLayout *ram)
{
    map->n = 0;
    add(map, 0, MIN(EBDA, ram->low), E820_RAM);
    add(map, EBDA, 0xa0000, E820_RESERVED);
    add(map, BIOS_AREA, MiB, E820_RESERVED);
    add(map, MiB, ram->low, E820_RAM);
    add(map, 4 * GiB, 4 * GiB + ram->high, E820_RAM);
}

void e820_firmware(E820Map *map, const RamLayout *ram)
{
    map->n = 0;
    add(map, 0, ram->low, E820_RAM);
    add(map, 4 * GiB, 4 * GiB + ram->high, E820_RAM);
}

bool e820_is_ram(const E820Map *map, uint64_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < map->n; i++) {
        const E820Entry *e = &map->e[i];
        if (e->type == E820_RAM && gpa >= e->start && gpa - e->start <= e->size &&
            len <= e->size - (gpa - e->start)) {
            return true;
        }
    }
    return false;
}
