/* SPDX-License-Identifier: MIT */
/* The twin accelerator: two engines run one machine and are compared (docs/correctness.md). */
#ifndef ACCEL_TWIN_TWIN_H
#define ACCEL_TWIN_TWIN_H

#include "accel/accel.h"

extern const AccelClass accel_twin_class;

/* Runs a case file that a twin run wrote, on the engine of an -accel option ("tcg", "interp",
 * "kvm", "tcg,backend=interp", "twin,first=E,second=E"; NULL: twin) and prints what came out.
 * 0: as the file's second engine (twin: no difference); 1: otherwise, or err is set. */
int twin_replay_case(const char *path, const char *accel, Error *err);

#endif
