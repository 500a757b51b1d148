/* SPDX-License-Identifier: MIT */
/* Profiling samples of an x86 vCPU (hw/core/sample.h). Signal context. */
#ifndef TARGET_X86_SAMPLE_H
#define TARGET_X86_SAMPLE_H

#include "hw/core/sample.h"
#include "target-x86/cpu.h"

/* From an architectural state; host_pc is left alone. */
void x86_sample_state(const X86State *st, CpuSample *s);
/* Linear address of seg:off, as the code segment's mode has it. */
uint64_t x86_sample_linear(const X86State *st, unsigned seg, uint64_t off);
/* Under the software engine; ucontext: of the signal. */
bool x86_sample_tcg(X86Cpu *cpu, void *ucontext, CpuSample *s);
/* CpuOps.sample_page. */
const uint8_t *x86_sample_page(Cpu *c, const CpuSample *s, uint64_t lin);

#endif
