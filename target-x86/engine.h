/* SPDX-License-Identifier: MIT */
/*
 * The software engine for x86 guests: what accel/tcg runs on each vCPU's thread.
 *
 *   engine.c       the loop: events, find a block, run it (leaf)
 *   build.c        decodes a block, hands it to the template translator (heavy)
 *   template*.c    guest rows to host code
 *   softmmu.c      soft TLB
 */
#ifndef TARGET_X86_ENGINE_H
#define TARGET_X86_ENGINE_H

#include "target-x86/cpu.h"
#include "tcg/env.h"
#include "tcg/tb.h"

/* hflags that are part of a block's key. CPL is not: what depends on it is checked when
 * executed. TF, breakpoints and the interrupt shadow are handled by single steps. */
#define X86_KEY_MASK                                                                       \
    ((uint32_t)(HF_CS64 | HF_CS32 | HF_SS32 | HF_PE | HF_VM | HF_LMA | HF_SEGCHK | HF_EM | \
                HF_TS | HF_MP | HF_OSFXSR | HF_AVX | HF_AVX512 | HF_AC))
#define X86_KEY_LARGE BIT(31)  /* vbase counts in 2 MiB regions */
#define X86_STEP_MASK ((uint32_t)(HF_TF | HF_DBG | HF_SHADOW))

typedef struct X86Engine {
    TbCache *cache;
    bool native;        /* template translator on */
    bool exact_flags;   /* keep even dead flags exact at faults (twin runs) */
    unsigned max_insns; /* per block */
} X86Engine;

/* One per machine; set before vCPUs start. */
extern X86Engine x86_engine;

/* The vCPU thread's body: runs until cpu_must_leave(). */
void x86_engine_run(Cpu *cpu);

/* Executes exactly one instruction by its reference function (faults included: then the
 * event has been delivered). For single steps, twin runs and KVM rescue. Returns false if
 * the vCPU is halted or waits for SIPI. */
bool x86_engine_step(X86Cpu *cpu);

/* Heavy: builds the block at the current RIP. bytes/ram_addr as softmmu_fetch says. NULL
 * if the cache is full or the instruction crosses into the next page. */
Tb *x86_build(X86Cpu *cpu, const uint8_t *bytes, uint64_t ram_addr, bool large,
              uint32_t mode);

#endif
