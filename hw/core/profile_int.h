/* SPDX-License-Identifier: MIT */
/* What the files of the profiler share. All of it runs in signal context. */
#ifndef HW_CORE_PROFILE_INT_H
#define HW_CORE_PROFILE_INT_H

#include "hw/core/cpu.h"
#include "hw/core/sample.h"

enum { PROFILE_DEPTH = 40, PROFILE_COMM = 16 };

/* Reads guest memory in the sample's address space; remembers the last page. */
typedef struct GuestReader {
    Cpu *cpu;
    const CpuSample *s;
    uint64_t page; /* its address + 1, 0: none */
    const uint8_t *host;
} GuestReader;

bool guest_read(GuestReader *r, uint64_t lin, void *to, unsigned n);

/* The stack of s, innermost first: pc, then addresses inside the CALLs. Returns how many
 * (at least one). */
unsigned profile_walk(GuestReader *r, uint64_t *pcs, unsigned max);

/* Linux with symbols: the name of the current process, "" if it cannot be known. Also sets
 * the symbols' slide when the kernel has told its own (KASLR). */
void profile_task(GuestReader *r, char comm[PROFILE_COMM]);
void profile_task_init(void); /* before samples are taken */

#endif
