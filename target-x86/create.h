/* SPDX-License-Identifier: MIT */
/* The factory of x86 vCPUs, for main.c to hand to the machine. */
#ifndef TARGET_X86_CREATE_H
#define TARGET_X86_CREATE_H

#include "hw/core/machine.h"

extern const CpuFactory x86_cpu_factory;

#endif
