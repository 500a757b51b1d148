/* SPDX-License-Identifier: MIT */
/* Does a CPU keep all it holds? */
#ifndef GUEST_HOLD_H
#define GUEST_HOLD_H
#include "cases/lib.h"
void hold_start(void);
/* Fills the CPU's registers, spends a while in ring 3 with interrupts on: how many of them
 * are others then. */
u32 hold(u32 step);
#endif
