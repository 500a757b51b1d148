/* SPDX-License-Identifier: MIT */
/*
 * The board of pci_board.h with the PIIX3's IDE function and image files. Every sector of
 * an image starts with its number, as a 32-bit little-endian word.
 */
#ifndef TESTS_UNIT_DISK_BOARD_H
#define TESTS_UNIT_DISK_BOARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hw/core/block.h"
#include "tests/unit/pci_board.h"

enum { IDE_DEVFN = 9, DISK_SECTORS = 4096, CD_SECTORS = 300 };

/* Group setup and teardown of each test: *state is the Board. */
int disk_setup(void **state);
int disk_teardown(void **state);
/* -drive of a fresh image; `unit` bytes a sector; returns the backend. */
BlockBackend *disk_image(Board *b, const char *id, const char *opts, unsigned sectors,
                         unsigned unit);
void disk_wait(Board *b, BlockBackend *d);  /* until nothing is in flight */
uint32_t ram32(Board *b, uint64_t addr);
void set_ram(Board *b, uint64_t addr, const void *p, size_t n);
void get_ram(Board *b, uint64_t addr, void *p, size_t n);

#endif
