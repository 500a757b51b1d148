/* SPDX-License-Identifier: MIT */
/*
 * Row macros of the vector tables (rows_mmx.c, rows_sse*.c, rows_avx.c, rows_fma.c,
 * rows_crypto.c). LEG and VEX make one row that may be re-emitted natively (RF_PLAIN);
 * the others make the legacy row and the VEX rows of one mnemonic together, since they
 * share operands and exec function. Only those files include this.
 */
#ifndef TARGET_X86_VEC_ROWS_H
#define TARGET_X86_VEC_ROWS_H

#include "target-x86/opcodes.h"
#include "target-x86/vec_exec.h"

#define Py OPC(OM_P, OS_y)
#define Vy OPC(OM_V, OS_y)

/* One row each: name, map, opcode, prefix, feature, flags, exec, role of operand 0,
 * operands. X... : not RF_PLAIN. */
#define XLEG(nm, mp, o, p, ft, fl, ex, role, ...)                                         \
    { .name = nm, .enc = ENC_LEGACY, .map = MAP_##mp, .op = o, .pp = PP_##p,              \
      .flags = RF_SSE | (fl), .feat = X86F_##ft, .ops = { __VA_ARGS__ },                  \
      .exec = x86_vec_##ex, .w = { ROLE_##role } }
#define XVEX(nm, mp, o, p, ft, fl, ex, role, ...)                                         \
    { .name = "V" nm, .enc = ENC_VEX, .map = MAP_##mp, .op = o, .pp = PP_##p,             \
      .flags = RF_AVX | (fl), .feat = X86F_##ft, .ops = { __VA_ARGS__ },                  \
      .exec = x86_vec_##ex, .w = { ROLE_##role } }
#define LEG(nm, mp, o, p, ft, fl, ex, role, ...)                                          \
    XLEG(nm, mp, o, p, ft, RF_PLAIN | (fl), ex, role, __VA_ARGS__)
#define VEX(nm, mp, o, p, ft, fl, ex, role, ...)                                          \
    XVEX(nm, mp, o, p, ft, RF_PLAIN | (fl), ex, role, __VA_ARGS__)

/* Integer `dst op= src`: legacy, VEX.128 (AVX), VEX.256 (AVX2). */
#define INT3(nm, mp, o, ft)                                                               \
    LEG(#nm, mp, o, 66, ft, RF_ALIGN, nm, RW, Vx, Wx),                                    \
    VEX(#nm, mp, o, 66, AVX, RF_L0, nm, W, Vx, Hx, Wx),                                   \
    VEX(#nm, mp, o, 66, AVX2, RF_L1, nm, W, Vx, Hx, Wx)
/* The same with an immediate. */
#define INT3I(nm, mp, o, ft)                                                              \
    LEG(#nm, mp, o, 66, ft, RF_ALIGN, nm, RW, Vx, Wx, Ib),                                \
    VEX(#nm, mp, o, 66, AVX, RF_L0, nm, W, Vx, Hx, Wx, Ib),                               \
    VEX(#nm, mp, o, 66, AVX2, RF_L1, nm, W, Vx, Hx, Wx, Ib)
/* Integer `dst = op(src)`; p: prefix; wop: source operand; al: RF_ALIGN or 0. */
#define INT2(nm, mp, o, p, ft, wop, al)                                                   \
    LEG(#nm, mp, o, p, ft, al, nm, W, Vx, wop),                                           \
    VEX(#nm, mp, o, p, AVX, RF_L0, nm, W, Vx, wop),                                       \
    VEX(#nm, mp, o, p, AVX2, RF_L1, nm, W, Vx, wop)
#define INT2I(nm, mp, o, p, ft)                                                           \
    LEG(#nm, mp, o, p, ft, RF_ALIGN, nm, W, Vx, Wx, Ib),                                  \
    VEX(#nm, mp, o, p, AVX, RF_L0, nm, W, Vx, Wx, Ib),                                    \
    VEX(#nm, mp, o, p, AVX2, RF_L1, nm, W, Vx, Wx, Ib)
/* Shift by a 128-bit operand's low quadword. */
#define SHIFTX(nm, o)                                                                     \
    LEG(#nm, 0F, o, 66, SSE2, RF_ALIGN, nm, RW, Vx, Wdq),                                 \
    VEX(#nm, 0F, o, 66, AVX, RF_L0, nm, W, Vx, Hx, Wdq),                                  \
    VEX(#nm, 0F, o, 66, AVX2, RF_L1, nm, W, Vx, Hx, Wdq)

/* Floating point, all lengths in AVX: `dst op= src` and `dst = op(src)` by full vectors. */
#define FP3(nm, mp, o, p, ft, ex)                                                         \
    LEG(nm, mp, o, p, ft, RF_ALIGN, ex, RW, Vx, Wx),                                      \
    VEX(nm, mp, o, p, AVX, 0, ex, W, Vx, Hx, Wx)
#define FP3I(nm, mp, o, p, ft, ex)                                                        \
    LEG(nm, mp, o, p, ft, RF_ALIGN, ex, RW, Vx, Wx, Ib),                                  \
    VEX(nm, mp, o, p, AVX, 0, ex, W, Vx, Hx, Wx, Ib)
#define FP2(nm, mp, o, p, ft, ex)                                                         \
    LEG(nm, mp, o, p, ft, RF_ALIGN, ex, W, Vx, Wx),                                       \
    VEX(nm, mp, o, p, AVX, 0, ex, W, Vx, Wx)
/* Scalars: the legacy form keeps the rest of dst, the VEX form (L ignored) takes it from
 * the second operand. */
#define SS3(nm, mp, o, p, ft, ex)                                                         \
    LEG(nm, mp, o, p, ft, 0, ex, RW, Vd, Wd),                                             \
    VEX(nm, mp, o, p, AVX, 0, ex, W, Vdq, Hdq, Wd)
#define SD3(nm, mp, o, p, ft, ex)                                                         \
    LEG(nm, mp, o, p, ft, 0, ex, RW, Vq, Wq),                                             \
    VEX(nm, mp, o, p, AVX, 0, ex, W, Vdq, Hdq, Wq)
#define SS3I(nm, mp, o, p, ft, ex)                                                        \
    LEG(nm, mp, o, p, ft, 0, ex, RW, Vd, Wd, Ib),                                         \
    VEX(nm, mp, o, p, AVX, 0, ex, W, Vdq, Hdq, Wd, Ib)
#define SD3I(nm, mp, o, p, ft, ex)                                                        \
    LEG(nm, mp, o, p, ft, 0, ex, RW, Vq, Wq, Ib),                                         \
    VEX(nm, mp, o, p, AVX, 0, ex, W, Vdq, Hdq, Wq, Ib)

#endif
