/* SPDX-License-Identifier: MIT */
/*
 * Rows of the floating-point arithmetic and conversions of SSE to SSE4.1 with their VEX
 * forms, F16C, and the conversions between MMX and XMM. SDM vol. 2 under each mnemonic.
 * Reference functions: vec_fp.c, vec_cvt.c.
 */
#include "target-x86/vec_rows.h"

/* PS, PD, SS, SD of one operation `dst op= src`. */
#define ARITH(nm, o)                                                                      \
    FP3(#nm "PS", 0F, o, NP, SSE, nm##PS),                                                \
    FP3(#nm "PD", 0F, o, 66, SSE2, nm##PD),                                               \
    SS3(#nm "SS", 0F, o, F3, SSE, nm##SS),                                                \
    SD3(#nm "SD", 0F, o, F2, SSE2, nm##SD)
/* Compares that set ZF, PF, CF and clear the other status flags. */
#define COMI_ROW(nm, en, o, p, fl, ft, ex, ...)                                           \
    { .name = nm, .enc = ENC_##en, .map = MAP_0F, .op = o, .pp = PP_##p,                  \
      .flags = RF_PLAIN | (fl), .feat = X86F_##ft, .ops = { __VA_ARGS__ },                \
      .exec = x86_vec_##ex, .fl_def = FL_STATUS }
#define COMI(nm, o, p, ft, ex, v, w)                                                      \
    COMI_ROW(nm, LEGACY, o, p, RF_SSE, ft, ex, v, w),                                     \
    COMI_ROW("V" nm, VEX, o, p, RF_AVX, AVX, ex, v, w)
/* To a general register. */
#define TOINT(nm, o, p, ft, ex, src)                                                      \
    LEG(nm, 0F, o, p, ft, 0, ex, W, Gy, src),                                             \
    VEX(nm, 0F, o, p, AVX, 0, ex, W, Gy, src)

const X86Row x86_rows_sse_fp[] = {
    ARITH(ADD, 0x58),
    ARITH(MUL, 0x59),
    ARITH(SUB, 0x5c),
    ARITH(MIN, 0x5d),
    ARITH(DIV, 0x5e),
    ARITH(MAX, 0x5f),
    FP2("SQRTPS", 0F, 0x51, NP, SSE, SQRTPS),
    FP2("SQRTPD", 0F, 0x51, 66, SSE2, SQRTPD),
    SS3("SQRTSS", 0F, 0x51, F3, SSE, SQRTSS),
    SD3("SQRTSD", 0F, 0x51, F2, SSE2, SQRTSD),
    FP2("RSQRTPS", 0F, 0x52, NP, SSE, RSQRTPS),
    SS3("RSQRTSS", 0F, 0x52, F3, SSE, RSQRTSS),
    FP2("RCPPS", 0F, 0x53, NP, SSE, RCPPS),
    SS3("RCPSS", 0F, 0x53, F3, SSE, RCPSS),
    FP3("HADDPD", 0F, 0x7c, 66, SSE3, HADDPD),
    FP3("HADDPS", 0F, 0x7c, F2, SSE3, HADDPS),
    FP3("HSUBPD", 0F, 0x7d, 66, SSE3, HSUBPD),
    FP3("HSUBPS", 0F, 0x7d, F2, SSE3, HSUBPS),
    FP3("ADDSUBPD", 0F, 0xd0, 66, SSE3, ADDSUBPD),
    FP3("ADDSUBPS", 0F, 0xd0, F2, SSE3, ADDSUBPS),
    FP3I("CMPPS", 0F, 0xc2, NP, SSE, CMPPS),
    FP3I("CMPPD", 0F, 0xc2, 66, SSE2, CMPPD),
    SS3I("CMPSS", 0F, 0xc2, F3, SSE, CMPSS),
    SD3I("CMPSD", 0F, 0xc2, F2, SSE2, CMPSD),
    LEG("ROUNDPS", 0F3A, 0x08, 66, SSE41, RF_ALIGN, ROUNDPS, W, Vx, Wx, Ib),
    VEX("ROUNDPS", 0F3A, 0x08, 66, AVX, 0, ROUNDPS, W, Vx, Wx, Ib),
    LEG("ROUNDPD", 0F3A, 0x09, 66, SSE41, RF_ALIGN, ROUNDPD, W, Vx, Wx, Ib),
    VEX("ROUNDPD", 0F3A, 0x09, 66, AVX, 0, ROUNDPD, W, Vx, Wx, Ib),
    SS3I("ROUNDSS", 0F3A, 0x0a, 66, SSE41, ROUNDSS),
    SD3I("ROUNDSD", 0F3A, 0x0b, 66, SSE41, ROUNDSD),
    FP3I("DPPS", 0F3A, 0x40, 66, SSE41, DPPS),
    LEG("DPPD", 0F3A, 0x41, 66, SSE41, RF_ALIGN, DPPD, RW, Vdq, Wdq, Ib),
    VEX("DPPD", 0F3A, 0x41, 66, AVX, RF_L0, DPPD, W, Vdq, Hdq, Wdq, Ib),
    COMI("UCOMISS", 0x2e, NP, SSE, UCOMISS, Vd, Wd),
    COMI("UCOMISD", 0x2e, 66, SSE2, UCOMISD, Vq, Wq),
    COMI("COMISS", 0x2f, NP, SSE, COMISS, Vd, Wd),
    COMI("COMISD", 0x2f, 66, SSE2, COMISD, Vq, Wq),

    /* ---- conversions ---- */
    LEG("CVTPI2PS", 0F, 0x2a, NP, SSE, RF_MMX, CVTPI2PS, RW, Vq, Qq),
    /* from memory it has nothing to do with MMX state */
    LEG("CVTPI2PD", 0F, 0x2a, 66, SSE2, RF_MMX | RF_REG, CVTPI2PD, W, Vdq, Qq),
    LEG("CVTPI2PD", 0F, 0x2a, 66, SSE2, RF_MEM, CVTPI2PD, W, Vdq, Qq),
    LEG("CVTTPS2PI", 0F, 0x2c, NP, SSE, RF_MMX, CVTTPS2PI, W, Pq, Wq),
    LEG("CVTTPD2PI", 0F, 0x2c, 66, SSE2, RF_MMX | RF_ALIGN, CVTTPD2PI, W, Pq, Wdq),
    LEG("CVTPS2PI", 0F, 0x2d, NP, SSE, RF_MMX, CVTPS2PI, W, Pq, Wq),
    LEG("CVTPD2PI", 0F, 0x2d, 66, SSE2, RF_MMX | RF_ALIGN, CVTPD2PI, W, Pq, Wdq),
    LEG("CVTSI2SS", 0F, 0x2a, F3, SSE, 0, CVTSI2SS, RW, Vd, Ey),
    VEX("CVTSI2SS", 0F, 0x2a, F3, AVX, 0, CVTSI2SS, W, Vdq, Hdq, Ey),
    LEG("CVTSI2SD", 0F, 0x2a, F2, SSE2, 0, CVTSI2SD, RW, Vq, Ey),
    VEX("CVTSI2SD", 0F, 0x2a, F2, AVX, 0, CVTSI2SD, W, Vdq, Hdq, Ey),
    TOINT("CVTTSS2SI", 0x2c, F3, SSE, CVTTSS2SI, Wd),
    TOINT("CVTTSD2SI", 0x2c, F2, SSE2, CVTTSD2SI, Wq),
    TOINT("CVTSS2SI", 0x2d, F3, SSE, CVTSS2SI, Wd),
    TOINT("CVTSD2SI", 0x2d, F2, SSE2, CVTSD2SI, Wq),
    LEG("CVTPS2PD", 0F, 0x5a, NP, SSE2, 0, CVTPS2PD, W, Vx, Wh),
    VEX("CVTPS2PD", 0F, 0x5a, NP, AVX, 0, CVTPS2PD, W, Vx, Wh),
    LEG("CVTPD2PS", 0F, 0x5a, 66, SSE2, RF_ALIGN, CVTPD2PS, W, Vdq, Wx),
    VEX("CVTPD2PS", 0F, 0x5a, 66, AVX, 0, CVTPD2PS, W, Vdq, Wx),
    SS3("CVTSS2SD", 0F, 0x5a, F3, SSE2, CVTSS2SD),
    SD3("CVTSD2SS", 0F, 0x5a, F2, SSE2, CVTSD2SS),
    FP2("CVTDQ2PS", 0F, 0x5b, NP, SSE2, CVTDQ2PS),
    FP2("CVTPS2DQ", 0F, 0x5b, 66, SSE2, CVTPS2DQ),
    FP2("CVTTPS2DQ", 0F, 0x5b, F3, SSE2, CVTTPS2DQ),
    LEG("CVTDQ2PD", 0F, 0xe6, F3, SSE2, 0, CVTDQ2PD, W, Vx, Wh),
    VEX("CVTDQ2PD", 0F, 0xe6, F3, AVX, 0, CVTDQ2PD, W, Vx, Wh),
    LEG("CVTTPD2DQ", 0F, 0xe6, 66, SSE2, RF_ALIGN, CVTTPD2DQ, W, Vdq, Wx),
    VEX("CVTTPD2DQ", 0F, 0xe6, 66, AVX, 0, CVTTPD2DQ, W, Vdq, Wx),
    LEG("CVTPD2DQ", 0F, 0xe6, F2, SSE2, RF_ALIGN, CVTPD2DQ, W, Vdq, Wx),
    VEX("CVTPD2DQ", 0F, 0xe6, F2, AVX, 0, CVTPD2DQ, W, Vdq, Wx),
    VEX("CVTPH2PS", 0F38, 0x13, 66, F16C, RF_W0, VCVTPH2PS, W, Vx, Wh),
    VEX("CVTPS2PH", 0F3A, 0x1d, 66, F16C, RF_W0, VCVTPS2PH, W, Wh, Vx, Ib),
};
const unsigned x86_n_rows_sse_fp = ARRAY_SIZE(x86_rows_sse_fp);
