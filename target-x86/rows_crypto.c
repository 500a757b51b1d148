/* SPDX-License-Identifier: MIT */
/*
 * Rows of AES-NI, VAES, PCLMULQDQ, VPCLMULQDQ, SHA and GFNI. SDM vol. 2 under each
 * mnemonic. Reference functions: vec_crypto.c.
 */
#include "target-x86/vec_rows.h"

#define AES3(nm, o)                                                                       \
    LEG(#nm, 0F38, o, 66, AES, RF_ALIGN, nm, RW, Vx, Wx),                                 \
    VEX(#nm, 0F38, o, 66, AES, RF_L0, nm, W, Vx, Hx, Wx),                                 \
    VEX(#nm, 0F38, o, 66, VAES, RF_L1, nm, W, Vx, Hx, Wx)
#define SHA2(nm, o) LEG(#nm, 0F38, o, NP, SHA, RF_ALIGN, nm, RW, Vdq, Wdq)
#define AFFINE(nm, o)                                                                     \
    LEG(#nm, 0F3A, o, 66, GFNI, RF_ALIGN, nm, RW, Vx, Wx, Ib),                            \
    VEX(#nm, 0F3A, o, 66, GFNI, RF_W1, nm, W, Vx, Hx, Wx, Ib)

const X86Row x86_rows_crypto[] = {
    LEG("AESIMC", 0F38, 0xdb, 66, AES, RF_ALIGN, AESIMC, W, Vdq, Wdq),
    VEX("AESIMC", 0F38, 0xdb, 66, AES, RF_L0, AESIMC, W, Vdq, Wdq),
    AES3(AESENC, 0xdc),
    AES3(AESENCLAST, 0xdd),
    AES3(AESDEC, 0xde),
    AES3(AESDECLAST, 0xdf),
    LEG("AESKEYGENASSIST", 0F3A, 0xdf, 66, AES, RF_ALIGN, AESKEYGENASSIST, W, Vdq, Wdq, Ib),
    VEX("AESKEYGENASSIST", 0F3A, 0xdf, 66, AES, RF_L0, AESKEYGENASSIST, W, Vdq, Wdq, Ib),
    LEG("PCLMULQDQ", 0F3A, 0x44, 66, PCLMUL, RF_ALIGN, PCLMULQDQ, RW, Vx, Wx, Ib),
    VEX("PCLMULQDQ", 0F3A, 0x44, 66, PCLMUL, RF_L0, PCLMULQDQ, W, Vx, Hx, Wx, Ib),
    VEX("PCLMULQDQ", 0F3A, 0x44, 66, VPCLMUL, RF_L1, PCLMULQDQ, W, Vx, Hx, Wx, Ib),
    SHA2(SHA1NEXTE, 0xc8),
    SHA2(SHA1MSG1, 0xc9),
    SHA2(SHA1MSG2, 0xca),
    SHA2(SHA256RNDS2, 0xcb),
    SHA2(SHA256MSG1, 0xcc),
    SHA2(SHA256MSG2, 0xcd),
    LEG("SHA1RNDS4", 0F3A, 0xcc, NP, SHA, RF_ALIGN, SHA1RNDS4, RW, Vdq, Wdq, Ib),
    LEG("GF2P8MULB", 0F38, 0xcf, 66, GFNI, RF_ALIGN, GF2P8MULB, RW, Vx, Wx),
    VEX("GF2P8MULB", 0F38, 0xcf, 66, GFNI, RF_W0, GF2P8MULB, W, Vx, Hx, Wx),
    AFFINE(GF2P8AFFINEQB, 0xce),
    AFFINE(GF2P8AFFINEINVQB, 0xcf),
};
const unsigned x86_n_rows_crypto = ARRAY_SIZE(x86_rows_crypto);
