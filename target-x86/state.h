/* SPDX-License-Identifier: MIT */
/* Saved form of the x86 vCPU; the owner is the Cpu. */
#ifndef TARGET_X86_STATE_H
#define TARGET_X86_STATE_H

#include "hw/core/state.h"
#include "target-x86/cpu.h"

extern const StateDesc x86_cpu_state;

#endif
