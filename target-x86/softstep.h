/* SPDX-License-Identifier: MIT */
/*
 * The software engine one instruction at a time, for an engine that cannot execute
 * everything itself. A vCPU's soft TLB is made at its first step. main.c hands the table
 * over, so that accel/kvm links no translator.
 */
#ifndef TARGET_X86_SOFTSTEP_H
#define TARGET_X86_SOFTSTEP_H

#include <stdatomic.h>
#include "target-x86/cpu.h"

typedef struct X86SoftStep {
    /* page_flags: a zeroed byte per RAM page. False with err set: no memory. */
    bool (*prepare)(X86Cpu *cpu, _Atomic uint8_t *page_flags, Error *err);
    /* Executes the instruction at RIP, or delivers the event that waits; faults are
     * delivered. False: halted or waiting for SIPI. The vCPU's thread. */
    bool (*step)(X86Cpu *cpu);
    /* Are these bytes an instruction of a CPU with these features? Pure. */
    bool (*knows)(const X86Cpu *cpu, const uint8_t *bytes, unsigned n);
    void (*flush)(X86Cpu *cpu);
    void (*finish)(X86Cpu *cpu);   /* frees what prepare made */
} X86SoftStep;

extern const X86SoftStep x86_soft_step;

#endif
