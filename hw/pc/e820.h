/* SPDX-License-Identifier: MIT */
/* The memory map as firmware would report it (ACPI 6.5, 15.1, INT 15H E820H). */
#ifndef HW_PC_E820_H
#define HW_PC_E820_H

#include "util/compiler.h"

enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_MAX = 16 };

typedef struct E820Entry {
    uint64_t start, size;
    uint32_t type;
} E820Entry;

typedef struct E820Map {
    E820Entry e[E820_MAX];
    unsigned n;
} E820Map;

/* Where the board puts main memory. */
typedef struct RamLayout {
    uint64_t low;    /* bytes from 0 up */
    uint64_t high;   /* bytes from 4 GiB up */
} RamLayout;

/* 3.5 GiB below 4 GiB if that is all, else 3 GiB and the rest above. */
RamLayout ram_layout(uint64_t size);
/* q35: firmware puts the configuration window at 0xb0000000, or expects 2 GiB. */
RamLayout ram_layout_q35(uint64_t size);

/* Map of a machine started without firmware: EBDA and 0xe0000-0xfffff reserved. */
void e820_direct(E820Map *map, const RamLayout *ram);
/* RAM only, as SeaBIOS wants it in etc/e820: entries above 4 GiB and the low one. */
void e820_firmware(E820Map *map, const RamLayout *ram);
/* Is gpa..gpa+len-1 inside one RAM entry? */
bool e820_is_ram(const E820Map *map, uint64_t gpa, uint64_t len);

#endif
