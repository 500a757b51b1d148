/* SPDX-License-Identifier: MIT */
/*
 * Floating-point environment of a vector instruction: MXCSR to softfloat's status and
 * back, with the exceptions. SDM vol. 1, 11.5. Included by vec_fp.c and vec_cvt.c.
 */
#ifndef TARGET_X86_VEC_FP_H
#define TARGET_X86_VEC_FP_H

#include "target-x86/softfloat.h"
#include "target-x86/vec.h"

typedef uint32_t Fp32Bin(uint32_t a, uint32_t b, SfStatus *s);
typedef uint64_t Fp64Bin(uint64_t a, uint64_t b, SfStatus *s);

/* EVEX: embedded rounding, and {sae}, which masks all exceptions and reports none. */
static inline SfStatus fp_begin(const X86Cpu *cpu, const X86Insn *in)
{
    SfStatus s = sf_status_sse(cpu->st.xsave.mxcsr);
    if (in->rc) {
        s.rmode = in->rc - 1;
    }
    if (in->sae) {
        s.mask = SF_ALL;
        s.quiet = true;
    }
    return s;
}

/* Raises the unmasked ones of the flags collected, after setting them in MXCSR. With an
 * unmasked IE, DE or ZE in any lane the others have not been computed. Without
 * CR4.OSXMMEXCPT the exception is #UD. Call before the destination is written. */
void x86_vec_fp_check(X86Cpu *cpu, SfStatus *s);

/* The same, then makes the flags sticky. */
static inline void fp_end(X86Cpu *cpu, SfStatus *s)
{
    if (s->flags & ~s->mask) {
        x86_vec_fp_check(cpu, s);
    }
    cpu->st.xsave.mxcsr |= s->quiet ? 0 : s->flags;
}

#endif
