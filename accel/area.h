/* SPDX-License-Identifier: MIT */
/*
 * Memory of vCPU structs made by an engine that has no code of its own behind them. It
 * has the shape that the translator's engine needs (tcg/codebuf.h), so that it can take a
 * running vCPU over: a struct cannot move. Machine not running.
 */
#ifndef ACCEL_AREA_H
#define ACCEL_AREA_H

#include "util/compiler.h"
#include "util/error.h"

/* Zeroed, for vCPU `index`; the address space behind it is reserved. */
void *accel_area_create(int index, size_t size, Error *err);
void accel_area_destroy(int index);
/* NULL: that vCPU's engine made its memory itself. */
void *accel_area_of(int index);
/* Bytes reserved behind the area proper. */
size_t accel_area_room(void);

#endif
