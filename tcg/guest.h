/* SPDX-License-Identifier: MIT */
/*
 * What a guest architecture gives the TCG accelerator, so that neither links the other:
 * main.c hands the guest's table over (tcg_set_guest).
 */
#ifndef TCG_GUEST_H
#define TCG_GUEST_H

#include <stdio.h>
#include "tcg/env.h"
#include "tcg/tb.h"
#include "util/error.h"

typedef struct TcgOptions {
    int backend;          /* 0 native (x86-64 hosts), 1 interp */
    uint64_t tb_size;     /* bytes of host code */
    int thread;           /* 0: one for each vCPU; there is nothing else */
    int mem;              /* 0 soft TLB only, 1 windows too, 2 windows at once */
    bool exact_flags;
    int tier2;            /* 0 no traces, 1 hot ones, 2 at random */
    int sites;            /* 0 windows learn where operands lie, 1 random (tests) */
    uint32_t one_insn;    /* max instructions per block, 0 = default */
    char *cache;          /* where translations are kept: a directory, "auto", "off" or NULL */
} TcgOptions;

typedef struct TcgGuestOps {
    size_t env_offset;    /* where in the env area TcgEnv lies (behind the CPU struct) */
    /* Once per machine, before vCPUs. Makes thunks in the code buffer. */
    bool (*init)(TbCache *cache, const TcgOptions *opts, Error *err);
    void (*finish)(void);
    /* Other options, on a paused machine without blocks; optional. */
    void (*configure)(const TcgOptions *opts);
    /* Per vCPU; env is in place, env->cpu set. */
    bool (*init_cpu)(void *cpu, TcgEnv *env, Error *err);
    void (*free_cpu)(void *cpu);
    void (*run)(void *cpu);
    /* On a parked vCPU, or the caller's own: */
    void (*flush_tlb)(void *cpu);
    void (*protect_page)(void *cpu, const uint8_t *host_page);
    void (*forget_code)(void *cpu, uint32_t from, uint32_t to); /* as TbCacheOps */
    void (*debug_changed)(void *cpu); /* Cpu.debug did */
    /* Host signal on the vCPU's thread; true if it was the guest's. */
    bool (*host_signal)(void *cpu, int sig, void *info, void *ucontext);
    /* Profiling sample (CpuSample *) in signal context on the vCPU's thread. */
    bool (*sample)(void *cpu, void *ucontext, void *sample);
    /* What counters.h cannot list: instructions by name. */
    void (*stats)(FILE *f);
} TcgGuestOps;

#endif
