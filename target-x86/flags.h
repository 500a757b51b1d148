/* SPDX-License-Identifier: MIT */
/*
 * Status flags as functions of operands and result (SDM vol. 1, 3.4.3.1). Every function
 * takes the operand size in bytes (1, 2, 4, 8), ignores bits above it, and returns flags
 * in RFLAGS positions. Leaf, inline.
 */
#ifndef TARGET_X86_FLAGS_H
#define TARGET_X86_FLAGS_H

#include "target-x86/cpu.h"

static ALWAYS_INLINE uint64_t x86_size_mask(unsigned size)
{
    return ~0ull >> (64 - size * 8);
}

/* PF: low byte has an even number of ones. */
static ALWAYS_INLINE uint32_t x86_flags_pf(uint64_t r)
{
    return (0x9669 >> ((r ^ r >> 4) & 15) & 1) << 2;
}

static ALWAYS_INLINE uint32_t x86_flags_szp(unsigned size, uint64_t r)
{
    uint64_t top = r << (64 - size * 8);
    return (top == 0 ? FL_ZF : 0) | ((top >> 63) ? FL_SF : 0) | x86_flags_pf(r);
}

/* a + b (+ carry) = r: all six. The carries out of each bit follow from a, b and r, so
 * the carry in is not needed. */
static ALWAYS_INLINE uint32_t x86_flags_add(unsigned size, uint64_t a, uint64_t b, uint64_t r)
{
    unsigned top = size * 8 - 1;
    uint64_t carry = (a & b) | ((a | b) & ~r);
    return (carry >> top & 1) | ((a ^ b ^ r) & FL_AF) |
           (uint32_t)(((a ^ r) & (b ^ r)) >> top & 1) << 11 | x86_flags_szp(size, r);
}

/* a - b (- borrow) = r: all six. */
static ALWAYS_INLINE uint32_t x86_flags_sub(unsigned size, uint64_t a, uint64_t b, uint64_t r)
{
    unsigned top = size * 8 - 1;
    uint64_t borrow = (~a & b) | ((~a | b) & r);
    return (borrow >> top & 1) | ((a ^ b ^ r) & FL_AF) |
           (uint32_t)(((a ^ b) & (a ^ r)) >> top & 1) << 11 | x86_flags_szp(size, r);
}

/* AND, OR, XOR, TEST: CF = OF = 0; AF, undefined, reads 0 as on common CPUs. */
static ALWAYS_INLINE uint32_t x86_flags_logic(unsigned size, uint64_t r)
{
    return x86_flags_szp(size, r);
}

/* Replaces the status flags in `mask`. */
static ALWAYS_INLINE void x86_set_flags(X86Cpu *cpu, uint32_t mask, uint32_t fl)
{
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)mask) | (fl & mask);
}

/* Condition cc (low four opcode bits of Jcc, SETcc, CMOVcc), SDM vol. 1, appendix B. */
static ALWAYS_INLINE bool x86_cond(uint64_t fl, unsigned cc)
{
    bool less = !(fl & FL_SF) != !(fl & FL_OF), c;
    switch (cc >> 1 & 7) {
    case 0:
        c = fl & FL_OF;
        break;
    case 1:
        c = fl & FL_CF;
        break;
    case 2:
        c = fl & FL_ZF;
        break;
    case 3:
        c = fl & (FL_CF | FL_ZF);
        break;
    case 4:
        c = fl & FL_SF;
        break;
    case 5:
        c = fl & FL_PF;
        break;
    case 6:
        c = less;
        break;
    default:
        c = less || (fl & FL_ZF);
        break;
    }
    return c != (cc & 1);
}

/* The flags a condition reads. */
static inline uint32_t x86_cond_flags(unsigned cc)
{
    static const uint16_t reads[8] = {
        FL_OF, FL_CF, FL_ZF, FL_CF | FL_ZF, FL_SF, FL_PF, FL_SF | FL_OF,
        FL_SF | FL_OF | FL_ZF,
    };
    return reads[cc >> 1 & 7];
}

#endif
