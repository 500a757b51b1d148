/* SPDX-License-Identifier: MIT */
/*
 * What the profiler takes of a vCPU at one moment. Engines and the guest architecture fill
 * it in signal context on the vCPU's own thread: no locks, no allocation.
 */
#ifndef HW_CORE_SAMPLE_H
#define HW_CORE_SAMPLE_H

#include "util/compiler.h"

/* host_pc: code that the engine generated, between the guest's blocks. */
#define SAMPLE_GENERATED 1

typedef struct CpuSample {
    uint64_t pc, sp, fp; /* linear addresses; fp: frame pointer, if the code keeps one */
    uint64_t space;      /* root of the page tables: names the address space */
    uint64_t percpu;     /* base of the kernel's per-CPU data, 0: not known */
    uint64_t entry;      /* the kernel's system-call entry, 0: none set (yet) */
    uint64_t host_pc;    /* the emulator's own code that was at work for pc, or
                           * SAMPLE_GENERATED; 0: none */
    uint8_t word;        /* bytes of a stack slot: 2, 4, 8 */
    uint8_t mode;        /* CpuOps.sample_page's own: how space is walked */
    bool user;           /* least privilege */
} CpuSample;

#endif
