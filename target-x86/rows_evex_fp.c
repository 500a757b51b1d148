/* SPDX-License-Identifier: MIT */
/*
 * EVEX rows of floating-point arithmetic, conversions, FMA, and of AVX512_BF16. SDM vol. 2
 * under each mnemonic. Reference functions: vec_fp.c, vec_cvt.c, vec_evex_fp.c,
 * vec_evex_cvt.c.
 */
#include "target-x86/evex_rows.h"

#define FP_ALL (EV_ANY | EV_KZ | EV_BC | EV_FP)
#define FP_ONE (EV_LIG | EV_SCALAR | EV_KZ | EV_FP)
/* PS, PD, SS, SD by prefix in map 0F; r: RC or SAE; ex without the suffix */
#define FOUR(nm, o, r, ex)                                                             \
    EVEX(nm "PS", 0F, o, NP, W0, AVX512F, EV_32 | FP_ALL | EV_##r, ex##PS, W, Vx, Hx,  \
         Wx),                                                                          \
        EVEX(nm "PD", 0F, o, 66, W1, AVX512F, EV_64 | FP_ALL | EV_##r, ex##PD, W, Vx,  \
             Hx, Wx),                                                                  \
        EVEX(nm "SS", 0F, o, F3, W0, AVX512F, EV_32 | FP_ONE | EV_##r, ex##SS, W, Vdq, \
             Hdq, Wd),                                                                 \
        EVEX(nm "SD", 0F, o, F2, W1, AVX512F, EV_64 | FP_ONE | EV_##r, ex##SD, W, Vdq, \
             Hdq, Wq)
/* PS and PD without arithmetic: x more bits */
#define PAIR(nm, o, ft, x, ex)                                                          \
    EVEX(nm "PS", 0F, o, NP, W0, ft, EV_32 | EV_ANY | EV_KZ | EV_BC | (x), ex##PS_, W,  \
         Vx, Hx, Wx),                                                                   \
        EVEX(nm "PD", 0F, o, 66, W1, ft, EV_64 | EV_ANY | EV_KZ | EV_BC | (x), ex##PD_, \
             W, Vx, Hx, Wx)
/* W chooses the size; packed and scalar, with and without an immediate */
#define SIZES2(nm, mp, o, ft, r, ex)                                       \
    EVEX(nm "PS", mp, o, 66, W0, ft, EV_32 | FP_ALL | (r), ex, W, Vx, Wx), \
        EVEX(nm "PD", mp, o, 66, W1, ft, EV_64 | FP_ALL | (r), ex, W, Vx, Wx)
#define SIZES2I(nm, o, ft, r, ex)                                                \
    EVEX(nm "PS", 0F3A, o, 66, W0, ft, EV_32 | FP_ALL | (r), ex, W, Vx, Wx, Ib), \
        EVEX(nm "PD", 0F3A, o, 66, W1, ft, EV_64 | FP_ALL | (r), ex, W, Vx, Wx, Ib)
#define SIZES3I(nm, o, ft, r, role, ex)                                        \
    EVEX(nm "PS", 0F3A, o, 66, W0, ft, EV_32 | (r), ex, role, Vx, Hx, Wx, Ib), \
        EVEX(nm "PD", 0F3A, o, 66, W1, ft, EV_64 | (r), ex, role, Vx, Hx, Wx, Ib)
#define SCALARS(nm, mp, o, ft, r, ex)                                            \
    EVEX(nm "SS", mp, o, 66, W0, ft, EV_32 | FP_ONE | (r), ex, W, Vdq, Hdq, Wd), \
        EVEX(nm "SD", mp, o, 66, W1, ft, EV_64 | FP_ONE | (r), ex, W, Vdq, Hdq, Wq)
#define SCALARSI(nm, o, ft, r, role, ex)                                         \
    EVEX(nm "SS", 0F3A, o, 66, W0, ft, EV_32 | (r), ex, role, Vdq, Hdq, Wd, Ib), \
        EVEX(nm "SD", 0F3A, o, 66, W1, ft, EV_64 | (r), ex, role, Vdq, Hdq, Wq, Ib)
/* conversions: dst, src */
#define CVT(nm, o, p, wb, ft, u, r, ex, dst, src) \
    EVEX(nm, 0F, o, p, wb, ft, EV_##u | FP_ALL | (r), ex, W, dst, src)
#define TO_GENERAL(nm, o, p, r, ex, src) \
    EVEX(nm, 0F, o, p, WIG, AVX512F, EV_LIG | EV_SCALAR | EV_##r, ex, W, Gy, src)
#define FROM_GENERAL(nm, o, p, wb, r, ex) \
    EVEX(nm, 0F, o, p, wb, AVX512F, EV_LIG | EV_SCALAR | (r), ex, W, Vdq, Hdq, Ey)
#define FLAGS_ROW(nm, o, p, wb, u, ex, v, w)                                    \
    {                                                                           \
        .name = "V" nm, .enc = ENC_EVEX, .map = MAP_0F, .op = o, .pp = PP_##p,  \
        .flags = RF_AVX | RF_AVX512 | RF_PLAIN | RF_##wb, .feat = X86F_AVX512F, \
        .ops = { v, w }, .exec = x86_vec_##ex, .fl_def = FL_STATUS,             \
        .ev = EV_##u | EV_LIG | EV_SCALAR | EV_SAE                              \
    }
/* FMA: orders of one operation, packed and (odd opcodes) scalar */
#define FMA_P(nm, o)                                                                     \
    EVEX(nm "PS", 0F38, o, 66, W0, AVX512F, EV_32 | FP_ALL | EV_RC, FMA, RW, Vx, Hx,     \
         Wx),                                                                            \
        EVEX(nm "PD", 0F38, o, 66, W1, AVX512F, EV_64 | FP_ALL | EV_RC, FMA, RW, Vx, Hx, \
             Wx)
#define FMA_S(nm, o)                                                                   \
    EVEX(nm "SS", 0F38, o, 66, W0, AVX512F, EV_32 | FP_ONE | EV_RC, FMA, RW, Vdq, Hdq, \
         Wd),                                                                          \
        EVEX(nm "SD", 0F38, o, 66, W1, AVX512F, EV_64 | FP_ONE | EV_RC, FMA, RW, Vdq,  \
             Hdq, Wq)
#define ORDERS(kind, nm, o) \
    kind(nm "132", 0x90 | (o)), kind(nm "213", 0xa0 | (o)), kind(nm "231", 0xb0 | (o))

/* names for PAIR */
#define x86_vec_PANDPS_ x86_vec_PAND
#define x86_vec_PANDPD_ x86_vec_PAND
#define x86_vec_PANDNPS_ x86_vec_PANDN
#define x86_vec_PANDNPD_ x86_vec_PANDN
#define x86_vec_PORPS_ x86_vec_POR
#define x86_vec_PORPD_ x86_vec_POR
#define x86_vec_PXORPS_ x86_vec_PXOR
#define x86_vec_PXORPD_ x86_vec_PXOR
#define x86_vec_UNPCKLPS_ x86_vec_PUNPCKLDQ
#define x86_vec_UNPCKLPD_ x86_vec_PUNPCKLQDQ
#define x86_vec_UNPCKHPS_ x86_vec_PUNPCKHDQ
#define x86_vec_UNPCKHPD_ x86_vec_PUNPCKHQDQ

const X86Row x86_rows_evex_fp[] = {
    /* ---- arithmetic ---- */
    FOUR("ADD", 0x58, RC, ADD),
    FOUR("MUL", 0x59, RC, MUL),
    FOUR("SUB", 0x5c, RC, SUB),
    FOUR("DIV", 0x5e, RC, DIV),
    FOUR("MIN", 0x5d, SAE, MIN),
    FOUR("MAX", 0x5f, SAE, MAX),
    EVEX("SQRTPS", 0F, 0x51, NP, W0, AVX512F, EV_32 | FP_ALL | EV_RC, SQRTPS, W, Vx, Wx),
    EVEX("SQRTPD", 0F, 0x51, 66, W1, AVX512F, EV_64 | FP_ALL | EV_RC, SQRTPD, W, Vx, Wx),
    EVEX("SQRTSS", 0F, 0x51, F3, W0, AVX512F, EV_32 | FP_ONE | EV_RC, SQRTSS, W, Vdq, Hdq,
         Wd),
    EVEX("SQRTSD", 0F, 0x51, F2, W1, AVX512F, EV_64 | FP_ONE | EV_RC, SQRTSD, W, Vdq, Hdq,
         Wq),
    EVEX("CMPPS", 0F, 0xc2, NP, W0, AVX512F,
         EV_32 | EV_ANY | EV_K | EV_BC | EV_FP | EV_SAE, CMPPS, W, KG, Hx, Wx, Ib),
    EVEX("CMPPD", 0F, 0xc2, 66, W1, AVX512F,
         EV_64 | EV_ANY | EV_K | EV_BC | EV_FP | EV_SAE, CMPPD, W, KG, Hx, Wx, Ib),
    EVEX("CMPSS", 0F, 0xc2, F3, W0, AVX512F,
         EV_32 | EV_LIG | EV_SCALAR | EV_K | EV_FP | EV_SAE, CMPSS, W, KG, Hdq, Wd, Ib),
    EVEX("CMPSD", 0F, 0xc2, F2, W1, AVX512F,
         EV_64 | EV_LIG | EV_SCALAR | EV_K | EV_FP | EV_SAE, CMPSD, W, KG, Hdq, Wq, Ib),
    FLAGS_ROW("UCOMISS", 0x2e, NP, W0, 32, UCOMISS, Vd, Wd),
    FLAGS_ROW("UCOMISD", 0x2e, 66, W1, 64, UCOMISD, Vq, Wq),
    FLAGS_ROW("COMISS", 0x2f, NP, W0, 32, COMISS, Vd, Wd),
    FLAGS_ROW("COMISD", 0x2f, 66, W1, 64, COMISD, Vq, Wq),
    ORDERS(FMA_P, "FMADDSUB", 6),
    ORDERS(FMA_P, "FMSUBADD", 7),
    ORDERS(FMA_P, "FMADD", 8),
    ORDERS(FMA_S, "FMADD", 9),
    ORDERS(FMA_P, "FMSUB", 10),
    ORDERS(FMA_S, "FMSUB", 11),
    ORDERS(FMA_P, "FNMADD", 12),
    ORDERS(FMA_S, "FNMADD", 13),
    ORDERS(FMA_P, "FNMSUB", 14),
    ORDERS(FMA_S, "FNMSUB", 15),

    /* ---- logic, unpack, shuffle ---- */
    PAIR("AND", 0x54, AVX512DQ, 0, PAND),
    PAIR("ANDN", 0x55, AVX512DQ, 0, PANDN),
    PAIR("OR", 0x56, AVX512DQ, 0, POR),
    PAIR("XOR", 0x57, AVX512DQ, 0, PXOR),
    PAIR("UNPCKL", 0x14, AVX512F, EV_NF, UNPCKL),
    PAIR("UNPCKH", 0x15, AVX512F, EV_NF, UNPCKH),
    EVEX("SHUFPS", 0F, 0xc6, NP, W0, AVX512F, EV_32 | EV_ANY | EV_KZ | EV_BC | EV_NF,
         SHUFPS, W, Vx, Hx, Wx, Ib),
    EVEX("SHUFPD", 0F, 0xc6, 66, W1, AVX512F, EV_64 | EV_ANY | EV_KZ | EV_BC | EV_NF,
         SHUFPD, W, Vx, Hx, Wx, Ib),

    /* ---- exponents, rounding, ranges ---- */
    SIZES2("GETEXP", 0F38, 0x42, AVX512F, EV_SAE, VGETEXP),
    SCALARS("GETEXP", 0F38, 0x43, AVX512F, EV_SAE, VGETEXP),
    SIZES2I("GETMANT", 0x26, AVX512F, EV_SAE, VGETMANT),
    SCALARSI("GETMANT", 0x27, AVX512F, FP_ONE | EV_SAE, W, VGETMANT),
    FP3W("SCALEF", 0x2c, AVX512F, EV_FP | EV_RC, VSCALEF),
    SCALARS("SCALEF", 0F38, 0x2d, AVX512F, EV_RC, VSCALEF),
    EVEX("RNDSCALEPS", 0F3A, 0x08, 66, W0, AVX512F, EV_32 | FP_ALL | EV_SAE, VRNDSCALE, W,
         Vx, Wx, Ib),
    EVEX("RNDSCALEPD", 0F3A, 0x09, 66, W1, AVX512F, EV_64 | FP_ALL | EV_SAE, VRNDSCALE, W,
         Vx, Wx, Ib),
    EVEX("RNDSCALESS", 0F3A, 0x0a, 66, W0, AVX512F, EV_32 | FP_ONE | EV_SAE, VRNDSCALE, W,
         Vdq, Hdq, Wd, Ib),
    EVEX("RNDSCALESD", 0F3A, 0x0b, 66, W1, AVX512F, EV_64 | FP_ONE | EV_SAE, VRNDSCALE, W,
         Vdq, Hdq, Wq, Ib),
    SIZES2I("REDUCE", 0x56, AVX512DQ, EV_SAE, VREDUCE),
    SCALARSI("REDUCE", 0x57, AVX512DQ, FP_ONE | EV_SAE, W, VREDUCE),
    SIZES3I("RANGE", 0x50, AVX512DQ, FP_ALL | EV_SAE, W, VRANGE),
    SCALARSI("RANGE", 0x51, AVX512DQ, FP_ONE | EV_SAE, W, VRANGE),
    SIZES3I("FIXUPIMM", 0x54, AVX512F, EV_ANY | EV_KZ | EV_BC | EV_SAE, RW, VFIXUPIMM),
    SCALARSI("FIXUPIMM", 0x55, AVX512F, EV_LIG | EV_SCALAR | EV_KZ | EV_SAE, RW,
             VFIXUPIMM),
    EVEX("FPCLASSPS", 0F3A, 0x66, 66, W0, AVX512DQ, EV_32 | EV_ANY | EV_K | EV_BC,
         VFPCLASS, W, KG, Wx, Ib),
    EVEX("FPCLASSPD", 0F3A, 0x66, 66, W1, AVX512DQ, EV_64 | EV_ANY | EV_K | EV_BC,
         VFPCLASS, W, KG, Wx, Ib),
    EVEX("FPCLASSSS", 0F3A, 0x67, 66, W0, AVX512DQ, EV_32 | EV_LIG | EV_SCALAR | EV_K,
         VFPCLASS, W, KG, Wd, Ib),
    EVEX("FPCLASSSD", 0F3A, 0x67, 66, W1, AVX512DQ, EV_64 | EV_LIG | EV_SCALAR | EV_K,
         VFPCLASS, W, KG, Wq, Ib),
    SIZES2("RCP14", 0F38, 0x4c, AVX512F, 0, VRCP14),
    SCALARS("RCP14", 0F38, 0x4d, AVX512F, 0, VRCP14),
    SIZES2("RSQRT14", 0F38, 0x4e, AVX512F, 0, VRSQRT14),
    SCALARS("RSQRT14", 0F38, 0x4f, AVX512F, 0, VRSQRT14),

    /* ---- packed conversions ---- */
    CVT("CVTDQ2PS", 0x5b, NP, W0, AVX512F, 32, EV_RC, CVTDQ2PS, Vx, Wx),
    CVT("CVTQQ2PS", 0x5b, NP, W1, AVX512DQ, 64, EV_RC, VCVTQQ2PS, Vh, Wx),
    CVT("CVTPS2DQ", 0x5b, 66, W0, AVX512F, 32, EV_RC, CVTPS2DQ, Vx, Wx),
    CVT("CVTTPS2DQ", 0x5b, F3, W0, AVX512F, 32, EV_SAE, CVTTPS2DQ, Vx, Wx),
    CVT("CVTPS2PD", 0x5a, NP, W0, AVX512F, 64, EV_SAE, CVTPS2PD, Vx, Wh),
    CVT("CVTPD2PS", 0x5a, 66, W1, AVX512F, 64, EV_RC, CVTPD2PS, Vh, Wx),
    CVT("CVTDQ2PD", 0xe6, F3, W0, AVX512F, 64, 0, CVTDQ2PD, Vx, Wh),
    CVT("CVTQQ2PD", 0xe6, F3, W1, AVX512DQ, 64, EV_RC, VCVTQQ2PD, Vx, Wx),
    CVT("CVTPD2DQ", 0xe6, F2, W1, AVX512F, 64, EV_RC, CVTPD2DQ, Vh, Wx),
    CVT("CVTTPD2DQ", 0xe6, 66, W1, AVX512F, 64, EV_SAE, CVTTPD2DQ, Vh, Wx),
    CVT("CVTTPS2UDQ", 0x78, NP, W0, AVX512F, 32, EV_SAE, VCVTTPS2UDQ, Vx, Wx),
    CVT("CVTTPD2UDQ", 0x78, NP, W1, AVX512F, 64, EV_SAE, VCVTTPD2UDQ, Vh, Wx),
    CVT("CVTTPS2UQQ", 0x78, 66, W0, AVX512DQ, 64, EV_SAE, VCVTTPS2UQQ, Vx, Wh),
    CVT("CVTTPD2UQQ", 0x78, 66, W1, AVX512DQ, 64, EV_SAE, VCVTTPD2UQQ, Vx, Wx),
    CVT("CVTPS2UDQ", 0x79, NP, W0, AVX512F, 32, EV_RC, VCVTPS2UDQ, Vx, Wx),
    CVT("CVTPD2UDQ", 0x79, NP, W1, AVX512F, 64, EV_RC, VCVTPD2UDQ, Vh, Wx),
    CVT("CVTPS2UQQ", 0x79, 66, W0, AVX512DQ, 64, EV_RC, VCVTPS2UQQ, Vx, Wh),
    CVT("CVTPD2UQQ", 0x79, 66, W1, AVX512DQ, 64, EV_RC, VCVTPD2UQQ, Vx, Wx),
    CVT("CVTTPS2QQ", 0x7a, 66, W0, AVX512DQ, 64, EV_SAE, VCVTTPS2QQ, Vx, Wh),
    CVT("CVTTPD2QQ", 0x7a, 66, W1, AVX512DQ, 64, EV_SAE, VCVTTPD2QQ, Vx, Wx),
    CVT("CVTUDQ2PD", 0x7a, F3, W0, AVX512F, 64, 0, VCVTUDQ2PD, Vx, Wh),
    CVT("CVTUQQ2PD", 0x7a, F3, W1, AVX512DQ, 64, EV_RC, VCVTUQQ2PD, Vx, Wx),
    CVT("CVTUDQ2PS", 0x7a, F2, W0, AVX512F, 32, EV_RC, VCVTUDQ2PS, Vx, Wx),
    CVT("CVTUQQ2PS", 0x7a, F2, W1, AVX512DQ, 64, EV_RC, VCVTUQQ2PS, Vh, Wx),
    CVT("CVTPS2QQ", 0x7b, 66, W0, AVX512DQ, 64, EV_RC, VCVTPS2QQ, Vx, Wh),
    CVT("CVTPD2QQ", 0x7b, 66, W1, AVX512DQ, 64, EV_RC, VCVTPD2QQ, Vx, Wx),
    EVEX("CVTPH2PS", 0F38, 0x13, 66, W0, AVX512F, EV_32 | EV_ANY | EV_KZ | EV_FP | EV_SAE,
         VCVTPH2PS, W, Vx, Wh),
    EVEX("CVTPS2PH", 0F3A, 0x1d, 66, W0, AVX512F, EV_32 | EV_ANY | EV_KZ | EV_FP | EV_SAE,
         VCVTPS2PH, W, Wh, Vx, Ib),
    EVEX("CVTNEPS2BF16", 0F38, 0x72, F3, W0, AVX512BF16, EV_32 | EV_ANY | EV_KZ | EV_BC,
         VCVTNEPS2BF16, W, Vh, Wx),
    EVEX("CVTNE2PS2BF16", 0F38, 0x72, F2, W0, AVX512BF16,
         EV_16 | EV_ANY | EV_KZ | EV_NF | EV_BC32, VCVTNE2PS2BF16, W, Vx, Hx, Wx),
    P3RW("DPBF16PS", 0F38, 0x52, F3, W0, AVX512BF16, 32, EV_BC, VDPBF16PS),

    /* ---- scalar conversions ---- */
    EVEX("CVTSS2SD", 0F, 0x5a, F3, W0, AVX512F, EV_64 | FP_ONE | EV_SAE, CVTSS2SD, W, Vdq,
         Hdq, Wd),
    EVEX("CVTSD2SS", 0F, 0x5a, F2, W1, AVX512F, EV_32 | FP_ONE | EV_RC, CVTSD2SS, W, Vdq,
         Hdq, Wq),
    FROM_GENERAL("CVTSI2SS", 0x2a, F3, WIG, EV_RC, CVTSI2SS),
    FROM_GENERAL("CVTSI2SD", 0x2a, F2, W0, 0, CVTSI2SD),
    FROM_GENERAL("CVTSI2SD", 0x2a, F2, W1, EV_RC, CVTSI2SD),
    FROM_GENERAL("CVTUSI2SS", 0x7b, F3, WIG, EV_RC, VCVTUSI2SS),
    FROM_GENERAL("CVTUSI2SD", 0x7b, F2, W0, 0, VCVTUSI2SD),
    FROM_GENERAL("CVTUSI2SD", 0x7b, F2, W1, EV_RC, VCVTUSI2SD),
    TO_GENERAL("CVTTSS2SI", 0x2c, F3, SAE, CVTTSS2SI, Wd),
    TO_GENERAL("CVTTSD2SI", 0x2c, F2, SAE, CVTTSD2SI, Wq),
    TO_GENERAL("CVTSS2SI", 0x2d, F3, RC, CVTSS2SI, Wd),
    TO_GENERAL("CVTSD2SI", 0x2d, F2, RC, CVTSD2SI, Wq),
    TO_GENERAL("CVTTSS2USI", 0x78, F3, SAE, VCVTTSS2USI, Wd),
    TO_GENERAL("CVTTSD2USI", 0x78, F2, SAE, VCVTTSD2USI, Wq),
    TO_GENERAL("CVTSS2USI", 0x79, F3, RC, VCVTSS2USI, Wd),
    TO_GENERAL("CVTSD2USI", 0x79, F2, RC, VCVTSD2USI, Wq),
};
const unsigned x86_n_rows_evex_fp = ARRAY_SIZE(x86_rows_evex_fp);
