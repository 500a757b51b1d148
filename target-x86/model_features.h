/* SPDX-License-Identifier: MIT */
/* Short names for lists of features, for models.c and model_list.c only. */
#ifndef TARGET_X86_MODEL_FEATURES_H
#define TARGET_X86_MODEL_FEATURES_H

#include "target-x86/models.h"

/* clang-format off: lists */
#define LIST(...) (const uint16_t[]){ __VA_ARGS__, X86F_LIST_END }
#define P(f) X86F_##f

/* the levels of the x86-64 psABI, 3.1.1; V1_32 is the first without long mode */
#define V1_32 P(FPU), P(DE), P(PSE), P(TSC), P(MSR), P(PAE), P(MCE), P(CX8), P(APIC), P(SEP), \
    P(MTRR), P(PGE), P(MCA), P(CMOV), P(PAT), P(PSE36), P(CLFSH), P(MMX), P(FXSR), P(SSE),    \
    P(SSE2)
#define V1 V1_32, P(SYSCALL), P(NX), P(LM)
#define V2 P(VME), P(SSE3), P(SSSE3), P(CX16), P(SSE41), P(SSE42), P(POPCNT), P(LAHF)
#define V3 P(AVX), P(AVX2), P(BMI1), P(BMI2), P(F16C), P(FMA), P(ABM), P(MOVBE), P(XSAVE)
#define V4 P(AVX512F), P(AVX512BW), P(AVX512CD), P(AVX512DQ), P(AVX512VL)
/* what every model shows to a guest under a hypervisor */
#define PARAVIRT P(HYPERVISOR), P(X2APIC), P(TSCDL), P(KVMCLOCK), P(KVMCLOCK2),               \
    P(KVMNOPIODELAY), P(KVMCLOCKSTABLE), P(TSCADJ), P(INVTSC)
/* clang-format on */

#endif
