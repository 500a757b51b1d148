/* SPDX-License-Identifier: MIT */
/* The TCG accelerator: software execution, with a native and an interpreting back end. */
#ifndef ACCEL_TCG_TCG_H
#define ACCEL_TCG_TCG_H

#include "accel/accel.h"
#include "tcg/guest.h"

struct Cpu;

extern const AccelClass accel_tcg_class;

/* For an engine that lets ring 3 run elsewhere (accel/kvm/hybrid.c): this vCPU's stores to
 * the page will not be seen here, so its code is dropped, and building code there anew
 * brings the vCPU out of guest code first. The vCPU's thread. */
void tcg_page_stored(struct Cpu *cpu, uint64_t ram_addr);

/* The guest architecture, from main.c before accel_select. */
void tcg_set_guest(const TcgGuestOps *ops);

#endif
