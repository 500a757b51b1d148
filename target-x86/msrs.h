/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers: one table of rows (msrs.c). SDM vol. 4; AMD APM vol. 2,
 * appendix A; KVM's: Linux's Documentation/virt/kvm/x86/msr.rst. Leaf.
 */
#ifndef TARGET_X86_MSRS_H
#define TARGET_X86_MSRS_H

#include "target-x86/cpu.h"

typedef struct X86MsrRow {
    const char *name;
    uint32_t first;
    uint16_t count, step;    /* registers first, first + step, ... */
    uint16_t feat;           /* X86F_* it needs; 0 = none */
    uint16_t offset;         /* of the first value in X86State; values are uint64_t in a
                              * row. 0 (a general register's place) = not stored */
    uint16_t flags;          /* MSR_* */
    uint64_t value;          /* MSR_CONST: what it reads */
    uint64_t mask;           /* bits a write may set; others are #GP (unless MSR_LAX) */
    uint64_t (*read)(X86Cpu *cpu, uint32_t msr);
    bool (*write)(X86Cpu *cpu, uint32_t msr, uint64_t v); /* false: #GP */
} X86MsrRow;

enum {
    MSR_RO = 1 << 0,      /* writes are #GP */
    MSR_CONST = 1 << 1,   /* reads `value`; writes are dropped unless MSR_RO */
    MSR_LAX = 1 << 2,     /* bits outside mask are dropped, not #GP */
    MSR_CANON = 1 << 3,   /* must be canonical */
    MSR_WO = 1 << 4,      /* reads are #GP */
};

extern const X86MsrRow x86_msr_rows[];
extern const unsigned x86_n_msr_rows;

/* False: #GP(0). */
MUST_USE bool x86_rdmsr(X86Cpu *cpu, uint32_t msr, uint64_t *v);
MUST_USE bool x86_wrmsr(X86Cpu *cpu, uint32_t msr, uint64_t v);

/* KVM's paravirtual clock, kvmclock.c: heavy, called through x86_heavy. arg: the value
 * written (uint64_t *). */
uint64_t x86_kvmclock_wall(X86Cpu *cpu, void *arg);
uint64_t x86_kvmclock_system(X86Cpu *cpu, void *arg);

#endif
