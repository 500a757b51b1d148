/* SPDX-License-Identifier: MIT */
/*
 * Leaf code. Under the native back end the guest's x87/SSE/AVX registers and MXCSR live
 * in the host's while C code runs, so the C code that generated code calls often must
 * not touch them. "Leaf" sources (LEAF_SOURCES in target-x86/local.mk and
 * accel/tcg/local.mk) are compiled with -mgeneral-regs-only and may call only other
 * leaf sources: no libc, no float, no log, no memcpy/memset (use leaf_copy/leaf_zero).
 * tests/style/check_leaf looks at the undefined symbols of their objects.
 *
 * Everything else is heavy and is entered from leaf code through x86_heavy(), which
 * saves the guest's vector state first if it is live, or x86_aside().
 */
#ifndef TARGET_X86_LEAF_H
#define TARGET_X86_LEAF_H

#include "util/compiler.h"

struct X86Cpu;

/* If guest FPU state is in host registers, writes it to st.xsave and makes the host's
 * FPU safe for C. No effect otherwise. Callable from leaf code. */
void x86_fpu_sync(struct X86Cpu *cpu);

/* Calls fn(cpu, arg) with the guest's vector state saved. */
uint64_t x86_heavy(struct X86Cpu *cpu, uint64_t (*fn)(struct X86Cpu *, void *), void *arg);

/* The same, much cheaper (16 moves each way against XSAVE and XRSTOR, which take 900 ticks
 * here), for functions that neither look at the guest's FPU state without x86_fpu_sync()
 * nor use the x87: st.xsave is not brought up to date, the registers come back. */
uint64_t x86_aside(struct X86Cpu *cpu, uint64_t (*fn)(struct X86Cpu *, void *), void *arg);

static ALWAYS_INLINE void leaf_copy(void *to, const void *from, size_t n)
{
#if defined(__x86_64__)
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#else
    volatile char *t = to;
    for (const char *f = from; n; n--) {
        *t++ = *f++;
    }
#endif
}

static ALWAYS_INLINE void leaf_zero(void *to, size_t n)
{
#if defined(__x86_64__)
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
#else
    volatile char *t = to;
    for (; n; n--) {
        *t++ = 0;
    }
#endif
}

#endif
