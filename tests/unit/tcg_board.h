/* SPDX-License-Identifier: MIT */
/*
 * A board under -accel tcg for tests that look into the engine: RAM, one vCPU ("max", with
 * every feature the translator knows), and port f4H, a store to which stops the vCPU.
 */
#ifndef TESTS_TCG_BOARD_H
#define TESTS_TCG_BOARD_H

#include "accel/tcg/tcg.h"
#include "hw/core/machine.h"
#include "target-x86/engine.h"

/* One at a time. opts are kept. NULL: err says why. machine_destroy ends the engine, too. */
Machine *tcg_board_create(uint64_t ram_size, TcgOptions *opts, Error *err);
X86Cpu *tcg_board_cpu(void);
uint8_t *tcg_board_mem(uint64_t at); /* host address of RAM */
void tcg_board_put64(uint64_t at, uint64_t v);

#endif
