/* SPDX-License-Identifier: MIT */
/*
 * The host CPU as judge: runs a few instructions natively with a given register, flag and
 * vector state and hands back the state after them. x86-64 Linux only (hj_init() returns
 * false elsewhere: SKIP). Not thread-safe.
 *
 * How to use it: hj_init() once; fill a HostState (rsp may hold anything if the code does
 * not touch the stack; memory operands are plain host addresses, for example in the
 * window of x86_flat_access.h); call hj_run(). A fault in the code comes back as its
 * vector, with the registers as they were at the faulting instruction.
 */
#ifndef TESTS_HOSTJUDGE_H
#define TESTS_HOSTJUDGE_H

#include "target-x86/cpu.h"

typedef struct HostState {
    uint64_t gpr[16];
    uint64_t rflags;     /* in: only status flags, DF and AC are taken; out: all */
    uint64_t fault_rip;  /* out, on a fault: byte offset into the code */
    uint64_t error, cr2; /* out, on a fault */
    X86Xsave xsave __attribute__((aligned(64))); /* standard format, xstate_bv decides what
                          * is loaded (rest: initial state); written back in full */
} HostState;

enum { HJ_OK = -1 };
enum {
    HJ_GPR = 0,
    HJ_VECTOR = 1,  /* load and store s->xsave too */
    HJ_COMPAT = 2,  /* the code is 32-bit (compatibility mode; DS, ES, SS flat): upper halves
                     * of registers are to be ignored, pointers must be below 4 GB */
};
#define HJ_XMASK 0xe7ull            /* XSAVE components handled (those the host has) */
#define HJ_MAX_CODE 256

/* Again in each cmocka test: cmocka takes the signal handlers over between them. */
bool hj_init(void);
/* Runs n bytes of code (must fall through at its end). HJ_OK or the exception vector. */
int hj_run(HostState *s, const void *code, unsigned n, int what);
/* CPUID of the host, to skip what it lacks: is feature (enum X86Feature) there? */
bool hj_has(unsigned feature);
/* All host feature words, for x86_decode(). */
void hj_features(uint32_t feat[X86F_NWORDS]);

#endif
