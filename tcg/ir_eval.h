/* SPDX-License-Identifier: MIT */
/*
 * What every pure operation of ir_ops.h means: the folder, the interpreter and the tests
 * all call these. `size` is in bytes; with a constant size they come down to one or two
 * host instructions. Leaf.
 */
#ifndef TCG_IR_EVAL_H
#define TCG_IR_EVAL_H

#include "tcg/ir.h"

static ALWAYS_INLINE uint64_t ir_mask(unsigned size) { return ~0ull >> (64 - 8 * size); }
static ALWAYS_INLINE uint64_t ir_zx(uint64_t v, unsigned size) { return v & ir_mask(size); }
static ALWAYS_INLINE int64_t ir_sx(uint64_t v, unsigned size)
{
    return (int64_t)(v << (64 - 8 * size)) >> (64 - 8 * size);
}

static ALWAYS_INLINE uint64_t ir_eval_add(uint64_t a, uint64_t b, unsigned size)
{
    return ir_zx(a + b, size);
}
static ALWAYS_INLINE uint64_t ir_eval_sub(uint64_t a, uint64_t b, unsigned size)
{
    return ir_zx(a - b, size);
}
static ALWAYS_INLINE uint64_t ir_eval_and(uint64_t a, uint64_t b, unsigned size)
{
    return ir_zx(a & b, size);
}
static ALWAYS_INLINE uint64_t ir_eval_or(uint64_t a, uint64_t b, unsigned size)
{
    return ir_zx(a | b, size);
}
static ALWAYS_INLINE uint64_t ir_eval_xor(uint64_t a, uint64_t b, unsigned size)
{
    return ir_zx(a ^ b, size);
}
static ALWAYS_INLINE uint64_t ir_eval_mul(uint64_t a, uint64_t b, unsigned size)
{
    return ir_zx(a * b, size);
}
static ALWAYS_INLINE uint64_t ir_eval_shl(uint64_t a, uint64_t b, unsigned size)
{
    b = ir_zx(b, size);
    return b >= 8 * size ? 0 : ir_zx(a << (b & 63), size);
}
static ALWAYS_INLINE uint64_t ir_eval_shr(uint64_t a, uint64_t b, unsigned size)
{
    b = ir_zx(b, size);
    return b >= 8 * size ? 0 : ir_zx(a, size) >> (b & 63);
}
static ALWAYS_INLINE uint64_t ir_eval_sar(uint64_t a, uint64_t b, unsigned size)
{
    b = ir_zx(b, size);
    return ir_zx((uint64_t)(ir_sx(a, size) >> (b >= 8 * size ? 8 * size - 1 : b & 63)), size);
}
static ALWAYS_INLINE uint64_t ir_eval_rotl(uint64_t a, uint64_t b, unsigned size)
{
    unsigned n = b & (8 * size - 1);
    a = ir_zx(a, size);
    return n ? ir_zx(a << n | a >> (8 * size - n), size) : a;
}
static ALWAYS_INLINE uint64_t ir_eval_rotr(uint64_t a, uint64_t b, unsigned size)
{
    return ir_eval_rotl(a, 0 - b, size);
}
static ALWAYS_INLINE uint64_t ir_eval_not(uint64_t a, unsigned size) { return ir_zx(~a, size); }
static ALWAYS_INLINE uint64_t ir_eval_neg(uint64_t a, unsigned size) { return ir_zx(0 - a, size); }
static ALWAYS_INLINE uint64_t ir_eval_exts(uint64_t a, unsigned size)
{
    return (uint64_t)ir_sx(a, size);
}
static ALWAYS_INLINE uint64_t ir_eval_extu(uint64_t a, unsigned size) { return ir_zx(a, size); }
static ALWAYS_INLINE uint64_t ir_eval_bswap(uint64_t a, unsigned size)
{
    return __builtin_bswap64(a) >> (64 - 8 * size);
}
static ALWAYS_INLINE uint64_t ir_eval_clz(uint64_t a, unsigned size)
{
    a = ir_zx(a, size);
    return a ? (uint64_t)__builtin_clzll(a) - (64 - 8 * size) : 8 * size;
}
static ALWAYS_INLINE uint64_t ir_eval_ctz(uint64_t a, unsigned size)
{
    a = ir_zx(a, size);
    return a ? (uint64_t)__builtin_ctzll(a) : 8 * size;
}
/* By halves: the compiler's own may be a call of its library, which leaf code must not do. */
static ALWAYS_INLINE uint64_t ir_eval_popcnt(uint64_t a, unsigned size)
{
    a = ir_zx(a, size);
    a -= a >> 1 & 0x5555555555555555ull;
    a = (a & 0x3333333333333333ull) + (a >> 2 & 0x3333333333333333ull);
    a = (a + (a >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return a * 0x0101010101010101ull >> 56;
}

/* The high half of a * b; the low one is ir_eval_mul. */
static ALWAYS_INLINE uint64_t ir_eval_mulu2_high(uint64_t a, uint64_t b, unsigned size)
{
    if (size < 8) {
        return ir_zx(ir_zx(a, size) * ir_zx(b, size) >> (8 * size), size);
    }
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t mid = ah * bl + (al * bl >> 32), mid2 = al * bh + (uint32_t)mid;
    return ah * bh + (mid >> 32) + (mid2 >> 32);
}

static ALWAYS_INLINE uint64_t ir_eval_deposit(uint64_t a, uint64_t b, unsigned pos, unsigned len)
{
    uint64_t m = (~0ull >> (64 - len)) << pos;
    return (a & ~m) | (b << pos & m);
}

static ALWAYS_INLINE bool ir_eval_cond(IrCond cond, uint64_t a, uint64_t b, unsigned size)
{
    switch (cond) {
    case IRC_eq: return ir_zx(a ^ b, size) == 0;
    case IRC_ne: return ir_zx(a ^ b, size) != 0;
    case IRC_ltu: return ir_zx(a, size) < ir_zx(b, size);
    case IRC_leu: return ir_zx(a, size) <= ir_zx(b, size);
    case IRC_gtu: return ir_zx(a, size) > ir_zx(b, size);
    case IRC_geu: return ir_zx(a, size) >= ir_zx(b, size);
    case IRC_lt: return ir_sx(a, size) < ir_sx(b, size);
    case IRC_le: return ir_sx(a, size) <= ir_sx(b, size);
    case IRC_gt: return ir_sx(a, size) > ir_sx(b, size);
    case IRC_ge: return ir_sx(a, size) >= ir_sx(b, size);
    case IRC_tsteq: return ir_zx(a & b, size) == 0;
    case IRC_tstne: return ir_zx(a & b, size) != 0;
    default: unreachable();
    }
}

/* By number, for the folder and for tests. */
static inline uint64_t ir_eval_un(IrOpcode op, uint64_t a, unsigned size)
{
    switch (op) {
#define EVAL_un(name) case IR_##name: return ir_eval_##name(a, size);
#define EVAL_bin(name)
#define EVAL_ctl(name)
#define X(name, class, ...) EVAL_##class(name)
        IR_OPS(X)
#undef EVAL_un
#undef EVAL_bin
    default: unreachable();
    }
}

static inline uint64_t ir_eval_bin(IrOpcode op, uint64_t a, uint64_t b, unsigned size)
{
    switch (op) {
#define EVAL_un(name)
#define EVAL_bin(name) case IR_##name: return ir_eval_##name(a, b, size);
        IR_OPS(X)
#undef EVAL_un
#undef EVAL_bin
#undef EVAL_ctl
#undef X
    default: unreachable();
    }
}

#endif
