/* SPDX-License-Identifier: MIT */
/*
 * The board of fuzz targets: chips of a PC, every card that can be had without the world
 * outside, drives on an image of 1 MiB, all BARs placed; and accesses as a guest's, coded
 * in bytes. With the machine lock held, as dev_board.h says.
 */
#ifndef TESTS_FUZZ_BOARD_H
#define TESTS_FUZZ_BOARD_H

#include "tests/unit/dev_board.h"

Board *fuzz_board(void);
void fuzz_board_free(Board *b);

/* Eight bytes make an operation: kind, area, offset (16 bits), value (32 bits). */
enum { FUZZ_OP = 8 };
void fuzz_ops(Board *b, const uint8_t *data, size_t n);
unsigned fuzz_areas(void); /* how many there are */

#endif
