/* SPDX-License-Identifier: MIT */
/* The TCG accelerator: software execution, with a native and an interpreting back end. */
#ifndef ACCEL_TCG_TCG_H
#define ACCEL_TCG_TCG_H

#include "accel/accel.h"
#include "tcg/guest.h"

extern const AccelClass accel_tcg_class;

/* The guest architecture, from main.c before accel_select. */
void tcg_set_guest(const TcgGuestOps *ops);

#endif
