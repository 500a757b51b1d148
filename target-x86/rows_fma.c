/* SPDX-License-Identifier: MIT */
/*
 * Rows of FMA (FMA3): 132, 213 and 231 orders of each operation. SDM vol. 2 under each
 * mnemonic. One exec function reads order and operation from the opcode: vec_fma.c.
 */
#include "target-x86/vec_rows.h"

#define FMA(nm, o, wb, src)                                                               \
    { .name = nm, .enc = ENC_VEX, .map = MAP_0F38, .op = o, .pp = PP_66,                  \
      .flags = RF_AVX | RF_PLAIN | RF_##wb,.feat = X86F_FMA, .ops = { Vx, Hx, src },      \
      .exec = x86_vec_FMA, .w = { ROLE_RW } }
/* packed, and scalar in the opcode after it */
#define PACKED(nm, order, o) FMA(nm #order "PS", o, W0, Wx), FMA(nm #order "PD", o, W1, Wx)
#define SCALAR(nm, order, o) FMA(nm #order "SS", o, W0, Wd), FMA(nm #order "SD", o, W1, Wq)
#define ORDERS_P(nm, o)                                                                   \
    PACKED(nm, 132, 0x90 | (o)), PACKED(nm, 213, 0xa0 | (o)), PACKED(nm, 231, 0xb0 | (o))
#define ORDERS_S(nm, o)                                                                   \
    SCALAR(nm, 132, 0x90 | (o)), SCALAR(nm, 213, 0xa0 | (o)), SCALAR(nm, 231, 0xb0 | (o))

const X86Row x86_rows_fma[] = {
    ORDERS_P("VFMADDSUB", 6),
    ORDERS_P("VFMSUBADD", 7),
    ORDERS_P("VFMADD", 8),
    ORDERS_S("VFMADD", 9),
    ORDERS_P("VFMSUB", 10),
    ORDERS_S("VFMSUB", 11),
    ORDERS_P("VFNMADD", 12),
    ORDERS_S("VFNMADD", 13),
    ORDERS_P("VFNMSUB", 14),
    ORDERS_S("VFNMSUB", 15),
};
const unsigned x86_n_rows_fma = ARRAY_SIZE(x86_rows_fma);
