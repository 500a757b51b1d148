/* SPDX-License-Identifier: MIT */
/*
 * Rows of the integer, logic, shuffle and move instructions of SSE to SSE4.2 with their
 * VEX forms, and of AMD's SSE4A. SDM vol. 2 under each mnemonic. Floating-point arithmetic: rows_sse_fp.c.
 * Reference functions: vec_*.c.
 */
#include "target-x86/vec_rows.h"

/* Loads and stores that have one legacy and one VEX form of any length. */
#define MOV2(nm, mp, o, p, ft, fl, dst, src)                                              \
    LEG(nm, mp, o, p, ft, fl, MOV, W, dst, src),                                          \
    VEX(nm, mp, o, p, AVX, fl, MOV, W, dst, src)
/* The same, VEX.128 only. */
#define MOV2_128(nm, mp, o, p, ft, fl, ex, dst, src)                                      \
    LEG(nm, mp, o, p, ft, fl, ex, W, dst, src),                                           \
    VEX(nm, mp, o, p, AVX, RF_L0 | (fl), ex, W, dst, src)
/* Half-register loads: dst's other half is kept (legacy) or taken from vvvv (VEX). */
#define HALF(nm, o, p, ft, ex, src)                                                       \
    LEG(nm, 0F, o, p, ft, 0, ex, RW, Vdq, src),                                           \
    VEX(nm, 0F, o, p, AVX, RF_L0, ex, W, Vdq, Hdq, src)
/* Shifts by immediate: group opcode, ModRM.reg */
#define SHIFTI_ROW(nm, en, o, n, fl, ft, role, ...)                                       \
    { .name = nm, .enc = ENC_##en, .map = MAP_0F, .op = o, .pp = PP_66, .ext = EXT(n),    \
      .flags = RF_PLAIN | (fl), .feat = X86F_##ft, .ops = { __VA_ARGS__ },
#define SHIFTI(nm, o, n)                                                                  \
    SHIFTI_ROW(#nm, LEGACY, o, n, RF_SSE, SSE2, RW, Ux, Ib)                               \
      .exec = x86_vec_##nm, .w = { ROLE_RW } },                                           \
    SHIFTI_ROW("V" #nm, VEX, o, n, RF_AVX | RF_L0, AVX, W, Hx, Ux, Ib)                    \
      .exec = x86_vec_##nm, .w = { ROLE_W } },                                            \
    SHIFTI_ROW("V" #nm, VEX, o, n, RF_AVX | RF_L1, AVX2, W, Hx, Ux, Ib)                   \
      .exec = x86_vec_##nm, .w = { ROLE_W } }
/* Element inserts: operand may be a register or memory row. */
#define INSERT(nm, mp, o, ft, ex, src)                                                    \
    LEG(nm, mp, o, 66, ft, 0, ex, RW, Vdq, src, Ib),                                      \
    VEX(nm, mp, o, 66, AVX, RF_L0, ex, W, Vdq, Hdq, src, Ib)
#define EXTRACT(nm, mp, o, ft, ex, dst, src)                                              \
    LEG(nm, mp, o, 66, ft, 0, ex, W, dst, src, Ib),                                       \
    VEX(nm, mp, o, 66, AVX, RF_L0, ex, W, dst, src, Ib)
/* SSE4.1 blends with XMM0 and their VEX forms with a fourth operand. */
#define BLENDV_LEG(nm, o) LEG(#nm, 0F38, o, 66, SSE41, RF_ALIGN, nm, RW, Vx, Wx)
/* Flags from a compare of two operands; n: fl_def is all of them. */
#define FLAGS_ROW(nm, en, mp, o, fl, ft, ex, ...)                                         \
    { .name = nm, .enc = ENC_##en, .map = MAP_##mp, .op = o, .pp = PP_66, .flags = fl,    \
      .feat = X86F_##ft, .ops = { __VA_ARGS__ }, .exec = x86_vec_##ex,                    \
      .fl_def = FL_STATUS, .w = { [3] = ROLE_W } }
/* String compares. The I forms write rCX, the M forms XMM0; PCMPESTRx reads rAX and rDX
 * too, more fixed registers than a row can name: not RF_PLAIN (but see template_rows.c). */
#define STRING(nm, o, fl, ...)                                                            \
    FLAGS_ROW(#nm, LEGACY, 0F3A, o, RF_SSE | (fl), SSE42, nm, Vdq, Wdq, Ib, __VA_ARGS__), \
    FLAGS_ROW("V" #nm, VEX, 0F3A, o, RF_AVX | RF_L0 | (fl), AVX, nm, Vdq, Wdq, Ib,        \
              __VA_ARGS__)
#define FeCX OPC_FIX(OM_REG, R_CX, OS_d)

const X86Row x86_rows_sse[] = {
    /* ---- moves ---- */
    MOV2("MOVUPS", 0F, 0x10, NP, SSE, 0, Vx, Wx),
    MOV2("MOVUPD", 0F, 0x10, 66, SSE2, 0, Vx, Wx),
    MOV2("MOVUPS", 0F, 0x11, NP, SSE, 0, Wx, Vx),
    MOV2("MOVUPD", 0F, 0x11, 66, SSE2, 0, Wx, Vx),
    LEG("MOVSS", 0F, 0x10, F3, SSE, 0, MOVSS, RW, Vdq, Ud),
    LEG("MOVSS", 0F, 0x10, F3, SSE, 0, MOV, W, Vdq, Md),
    VEX("MOVSS", 0F, 0x10, F3, AVX, 0, MOVSS, W, Vdq, Hdq, Ud),
    VEX("MOVSS", 0F, 0x10, F3, AVX, 0, MOV, W, Vdq, Md),
    LEG("MOVSD", 0F, 0x10, F2, SSE2, 0, MOVSD, RW, Vdq, Uq),
    LEG("MOVSD", 0F, 0x10, F2, SSE2, 0, MOV, W, Vdq, Mq),
    VEX("MOVSD", 0F, 0x10, F2, AVX, 0, MOVSD, W, Vdq, Hdq, Uq),
    VEX("MOVSD", 0F, 0x10, F2, AVX, 0, MOV, W, Vdq, Mq),
    LEG("MOVSS", 0F, 0x11, F3, SSE, 0, MOVSS, RW, Udq, Vd),
    LEG("MOVSS", 0F, 0x11, F3, SSE, 0, MOV, W, Md, Vd),
    VEX("MOVSS", 0F, 0x11, F3, AVX, 0, MOVSS, W, Udq, Hdq, Vd),
    VEX("MOVSS", 0F, 0x11, F3, AVX, 0, MOV, W, Md, Vd),
    LEG("MOVSD", 0F, 0x11, F2, SSE2, 0, MOVSD, RW, Udq, Vq),
    LEG("MOVSD", 0F, 0x11, F2, SSE2, 0, MOV, W, Mq, Vq),
    VEX("MOVSD", 0F, 0x11, F2, AVX, 0, MOVSD, W, Udq, Hdq, Vq),
    VEX("MOVSD", 0F, 0x11, F2, AVX, 0, MOV, W, Mq, Vq),
    HALF("MOVHLPS", 0x12, NP, SSE, MOVHLPS, Udq),
    HALF("MOVLPS", 0x12, NP, SSE, MOVSD, Mq),
    HALF("MOVLPD", 0x12, 66, SSE2, MOVSD, Mq),
    HALF("MOVLHPS", 0x16, NP, SSE, MOVHPS, Uq),
    HALF("MOVHPS", 0x16, NP, SSE, MOVHPS, Mq),
    HALF("MOVHPD", 0x16, 66, SSE2, MOVHPS, Mq),
    MOV2_128("MOVLPS", 0F, 0x13, NP, SSE, 0, MOV, Mq, Vq),
    MOV2_128("MOVLPD", 0F, 0x13, 66, SSE2, 0, MOV, Mq, Vq),
    MOV2_128("MOVHPS", 0F, 0x17, NP, SSE, 0, MOVHPS_store, Mq, Vdq),
    MOV2_128("MOVHPD", 0F, 0x17, 66, SSE2, 0, MOVHPS_store, Mq, Vdq),
    LEG("MOVDDUP", 0F, 0x12, F2, SSE3, 0, MOVDDUP, W, Vdq, Wq),
    VEX("MOVDDUP", 0F, 0x12, F2, AVX, RF_L0, MOVDDUP, W, Vdq, Wq),
    VEX("MOVDDUP", 0F, 0x12, F2, AVX, RF_L1, MOVDDUP, W, Vqq, Wqq),
    FP2("MOVSLDUP", 0F, 0x12, F3, SSE3, MOVSLDUP),
    FP2("MOVSHDUP", 0F, 0x16, F3, SSE3, MOVSHDUP),
    MOV2("MOVAPS", 0F, 0x28, NP, SSE, RF_ALIGN, Vx, Wx),
    MOV2("MOVAPD", 0F, 0x28, 66, SSE2, RF_ALIGN, Vx, Wx),
    MOV2("MOVAPS", 0F, 0x29, NP, SSE, RF_ALIGN, Wx, Vx),
    MOV2("MOVAPD", 0F, 0x29, 66, SSE2, RF_ALIGN, Wx, Vx),
    MOV2("MOVNTPS", 0F, 0x2b, NP, SSE, RF_ALIGN, Mx, Vx),
    MOV2("MOVNTPD", 0F, 0x2b, 66, SSE2, RF_ALIGN, Mx, Vx),
    MOV2("MOVDQA", 0F, 0x6f, 66, SSE2, RF_ALIGN, Vx, Wx),
    MOV2("MOVDQU", 0F, 0x6f, F3, SSE2, 0, Vx, Wx),
    MOV2("MOVDQA", 0F, 0x7f, 66, SSE2, RF_ALIGN, Wx, Vx),
    MOV2("MOVDQU", 0F, 0x7f, F3, SSE2, 0, Wx, Vx),
    MOV2("MOVNTDQ", 0F, 0xe7, 66, SSE2, RF_ALIGN, Mx, Vx),
    MOV2("LDDQU", 0F, 0xf0, F2, SSE3, 0, Vx, Mx),
    LEG("MOVNTDQA", 0F38, 0x2a, 66, SSE41, RF_ALIGN, MOV, W, Vx, Mx),
    VEX("MOVNTDQA", 0F38, 0x2a, 66, AVX, RF_L0 | RF_ALIGN, MOV, W, Vx, Mx),
    VEX("MOVNTDQA", 0F38, 0x2a, 66, AVX2, RF_L1 | RF_ALIGN, MOV, W, Vx, Mx),
    MOV2_128("MOVD", 0F, 0x6e, 66, SSE2, 0, MOV, Vdq, Ey),
    MOV2_128("MOVD", 0F, 0x7e, 66, SSE2, 0, MOV, Ey, Vy),
    MOV2_128("MOVQ", 0F, 0x7e, F3, SSE2, 0, MOV, Vdq, Wq),
    MOV2_128("MOVQ", 0F, 0xd6, 66, SSE2, 0, MOV, Wq, Vq),
    LEG("MOVQ2DQ", 0F, 0xd6, F3, SSE2, RF_MMX, MOV, W, Vdq, Nq),
    LEG("MOVDQ2Q", 0F, 0xd6, F2, SSE2, RF_MMX, MOV, W, Pq, Uq),
    /* stores to DS:rDI: not RF_PLAIN */
    XLEG("MASKMOVDQU", 0F, 0xf7, 66, SSE2, 0, MASKMOV, R, Vdq, Udq),
    XVEX("MASKMOVDQU", 0F, 0xf7, 66, AVX, RF_L0, MASKMOV, R, Vdq, Udq),
    /* LDMXCSR can raise #GP by the value loaded, and AMD's takes bit 17: not RF_PLAIN */
    { .name = "LDMXCSR", .map = MAP_0F, .op = 0xae, .pp = PP_NP, .ext = EXT(2),
      .flags = RF_SSE, .feat = X86F_SSE, .ops = { Md }, .exec = x86_vec_LDMXCSR },
    { .name = "STMXCSR", .map = MAP_0F, .op = 0xae, .pp = PP_NP, .ext = EXT(3),
      .flags = RF_SSE | RF_PLAIN, .feat = X86F_SSE, .ops = { Md },
      .exec = x86_vec_STMXCSR, .w = { ROLE_W } },
    { .name = "VLDMXCSR", .enc = ENC_VEX, .map = MAP_0F, .op = 0xae, .pp = PP_NP,
      .ext = EXT(2), .flags = RF_AVX | RF_L0, .feat = X86F_AVX, .ops = { Md },
      .exec = x86_vec_LDMXCSR },
    { .name = "VSTMXCSR", .enc = ENC_VEX, .map = MAP_0F, .op = 0xae, .pp = PP_NP,
      .ext = EXT(3), .flags = RF_AVX | RF_L0 | RF_PLAIN, .feat = X86F_AVX, .ops = { Md },
      .exec = x86_vec_STMXCSR, .w = { ROLE_W } },

    /* ---- SSE4A ---- */
    { .name = "EXTRQ", .map = MAP_0F, .op = 0x78, .pp = PP_66, .ext = EXT(0),
      .flags = RF_SSE | RF_PLAIN, .feat = X86F_SSE4A, .ops = { Udq, Ib, Ib },
      .exec = x86_vec_EXTRQ, .w = { ROLE_RW } },
    LEG("EXTRQ", 0F, 0x79, 66, SSE4A, 0, EXTRQ, RW, Vdq, Udq),
    LEG("INSERTQ", 0F, 0x78, F2, SSE4A, 0, INSERTQ, RW, Vdq, Uq, Ib, Ib),
    LEG("INSERTQ", 0F, 0x79, F2, SSE4A, 0, INSERTQ, RW, Vdq, Udq),
    LEG("MOVNTSS", 0F, 0x2b, F3, SSE4A, 0, MOV, W, Md, Vd),
    LEG("MOVNTSD", 0F, 0x2b, F2, SSE4A, 0, MOV, W, Mq, Vq),

    /* ---- unpack, pack, shuffle ---- */
    FP3("UNPCKLPS", 0F, 0x14, NP, SSE, PUNPCKLDQ),
    FP3("UNPCKLPD", 0F, 0x14, 66, SSE2, PUNPCKLQDQ),
    FP3("UNPCKHPS", 0F, 0x15, NP, SSE, PUNPCKHDQ),
    FP3("UNPCKHPD", 0F, 0x15, 66, SSE2, PUNPCKHQDQ),
    FP3I("SHUFPS", 0F, 0xc6, NP, SSE, SHUFPS),
    FP3I("SHUFPD", 0F, 0xc6, 66, SSE2, SHUFPD),
    INT3(PUNPCKLBW, 0F, 0x60, SSE2),
    INT3(PUNPCKLWD, 0F, 0x61, SSE2),
    INT3(PUNPCKLDQ, 0F, 0x62, SSE2),
    INT3(PUNPCKLQDQ, 0F, 0x6c, SSE2),
    INT3(PUNPCKHBW, 0F, 0x68, SSE2),
    INT3(PUNPCKHWD, 0F, 0x69, SSE2),
    INT3(PUNPCKHDQ, 0F, 0x6a, SSE2),
    INT3(PUNPCKHQDQ, 0F, 0x6d, SSE2),
    INT3(PACKSSWB, 0F, 0x63, SSE2),
    INT3(PACKUSWB, 0F, 0x67, SSE2),
    INT3(PACKSSDW, 0F, 0x6b, SSE2),
    INT3(PACKUSDW, 0F38, 0x2b, SSE41),
    INT3(PSHUFB, 0F38, 0x00, SSSE3),
    INT2I(PSHUFD, 0F, 0x70, 66, SSE2),
    INT2I(PSHUFHW, 0F, 0x70, F3, SSE2),
    INT2I(PSHUFLW, 0F, 0x70, F2, SSE2),
    INT3I(PALIGNR, 0F3A, 0x0f, SSSE3),
    INT3I(PBLENDW, 0F3A, 0x0e, SSE41),
    FP3I("BLENDPS", 0F3A, 0x0c, 66, SSE41, BLENDPS),
    FP3I("BLENDPD", 0F3A, 0x0d, 66, SSE41, BLENDPD),
    BLENDV_LEG(PBLENDVB, 0x10),
    BLENDV_LEG(BLENDVPS, 0x14),
    BLENDV_LEG(BLENDVPD, 0x15),
    VEX("PBLENDVB", 0F3A, 0x4c, 66, AVX, RF_L0 | RF_W0, PBLENDVB, W, Vx, Hx, Wx, Lx),
    VEX("PBLENDVB", 0F3A, 0x4c, 66, AVX2, RF_L1 | RF_W0, PBLENDVB, W, Vx, Hx, Wx, Lx),
    VEX("BLENDVPS", 0F3A, 0x4a, 66, AVX, RF_W0, BLENDVPS, W, Vx, Hx, Wx, Lx),
    VEX("BLENDVPD", 0F3A, 0x4b, 66, AVX, RF_W0, BLENDVPD, W, Vx, Hx, Wx, Lx),

    /* ---- elements ---- */
    INSERT("PINSRW", 0F, 0xc4, SSE2, PINSRW, Rd),
    INSERT("PINSRW", 0F, 0xc4, SSE2, PINSRW, Mw),
    INSERT("PINSRB", 0F3A, 0x20, SSE41, PINSRB, Rd),
    INSERT("PINSRB", 0F3A, 0x20, SSE41, PINSRB, Mb),
    INSERT("PINSRD", 0F3A, 0x22, SSE41, PINSRD, Ey),
    INSERT("INSERTPS", 0F3A, 0x21, SSE41, INSERTPS, Wd),
    EXTRACT("PEXTRW", 0F, 0xc5, SSE2, PEXTRW, Gd, Udq),
    EXTRACT("PEXTRB", 0F3A, 0x14, SSE41, PEXTRB, Rd, Vdq),
    EXTRACT("PEXTRB", 0F3A, 0x14, SSE41, PEXTRB, Mb, Vdq),
    EXTRACT("PEXTRW", 0F3A, 0x15, SSE41, PEXTRW, Rd, Vdq),
    EXTRACT("PEXTRW", 0F3A, 0x15, SSE41, PEXTRW, Mw, Vdq),
    EXTRACT("PEXTRD", 0F3A, 0x16, SSE41, PEXTRD, Ey, Vdq),
    EXTRACT("EXTRACTPS", 0F3A, 0x17, SSE41, PEXTRD, Ed, Vdq),
    LEG("MOVMSKPS", 0F, 0x50, NP, SSE, 0, MOVMSKPS, W, Gd, Ux),
    VEX("MOVMSKPS", 0F, 0x50, NP, AVX, 0, MOVMSKPS, W, Gd, Ux),
    LEG("MOVMSKPD", 0F, 0x50, 66, SSE2, 0, MOVMSKPD, W, Gd, Ux),
    VEX("MOVMSKPD", 0F, 0x50, 66, AVX, 0, MOVMSKPD, W, Gd, Ux),
    LEG("PMOVMSKB", 0F, 0xd7, 66, SSE2, 0, PMOVMSKB, W, Gd, Ux),
    VEX("PMOVMSKB", 0F, 0xd7, 66, AVX, RF_L0, PMOVMSKB, W, Gd, Ux),
    VEX("PMOVMSKB", 0F, 0xd7, 66, AVX2, RF_L1, PMOVMSKB, W, Gd, Ux),
    INT2(PMOVSXBW, 0F38, 0x20, 66, SSE41, Wh, 0),
    INT2(PMOVSXBD, 0F38, 0x21, 66, SSE41, Wf, 0),
    INT2(PMOVSXBQ, 0F38, 0x22, 66, SSE41, We, 0),
    INT2(PMOVSXWD, 0F38, 0x23, 66, SSE41, Wh, 0),
    INT2(PMOVSXWQ, 0F38, 0x24, 66, SSE41, Wf, 0),
    INT2(PMOVSXDQ, 0F38, 0x25, 66, SSE41, Wh, 0),
    INT2(PMOVZXBW, 0F38, 0x30, 66, SSE41, Wh, 0),
    INT2(PMOVZXBD, 0F38, 0x31, 66, SSE41, Wf, 0),
    INT2(PMOVZXBQ, 0F38, 0x32, 66, SSE41, We, 0),
    INT2(PMOVZXWD, 0F38, 0x33, 66, SSE41, Wh, 0),
    INT2(PMOVZXWQ, 0F38, 0x34, 66, SSE41, Wf, 0),
    INT2(PMOVZXDQ, 0F38, 0x35, 66, SSE41, Wh, 0),

    /* ---- compare, logic ---- */
    INT3(PCMPGTB, 0F, 0x64, SSE2),
    INT3(PCMPGTW, 0F, 0x65, SSE2),
    INT3(PCMPGTD, 0F, 0x66, SSE2),
    INT3(PCMPGTQ, 0F38, 0x37, SSE42),
    INT3(PCMPEQB, 0F, 0x74, SSE2),
    INT3(PCMPEQW, 0F, 0x75, SSE2),
    INT3(PCMPEQD, 0F, 0x76, SSE2),
    INT3(PCMPEQQ, 0F38, 0x29, SSE41),
    INT3(PAND, 0F, 0xdb, SSE2),
    INT3(PANDN, 0F, 0xdf, SSE2),
    INT3(POR, 0F, 0xeb, SSE2),
    INT3(PXOR, 0F, 0xef, SSE2),
    FP3("ANDPS", 0F, 0x54, NP, SSE, PAND),
    FP3("ANDPD", 0F, 0x54, 66, SSE2, PAND),
    FP3("ANDNPS", 0F, 0x55, NP, SSE, PANDN),
    FP3("ANDNPD", 0F, 0x55, 66, SSE2, PANDN),
    FP3("ORPS", 0F, 0x56, NP, SSE, POR),
    FP3("ORPD", 0F, 0x56, 66, SSE2, POR),
    FP3("XORPS", 0F, 0x57, NP, SSE, PXOR),
    FP3("XORPD", 0F, 0x57, 66, SSE2, PXOR),
    FLAGS_ROW("PTEST", LEGACY, 0F38, 0x17, RF_SSE | RF_ALIGN | RF_PLAIN, SSE41, PTEST,
              Vx, Wx),
    FLAGS_ROW("VPTEST", VEX, 0F38, 0x17, RF_AVX | RF_PLAIN, AVX, PTEST, Vx, Wx),
    STRING(PCMPESTRM, 0x60, 0, 0),
    STRING(PCMPESTRI, 0x61, 0, 0),
    STRING(PCMPISTRM, 0x62, RF_PLAIN, 0),
    STRING(PCMPISTRI, 0x63, RF_PLAIN, FeCX),

    /* ---- shifts ---- */
    SHIFTI(PSRLW, 0x71, 2),
    SHIFTI(PSRAW, 0x71, 4),
    SHIFTI(PSLLW, 0x71, 6),
    SHIFTI(PSRLD, 0x72, 2),
    SHIFTI(PSRAD, 0x72, 4),
    SHIFTI(PSLLD, 0x72, 6),
    SHIFTI(PSRLQ, 0x73, 2),
    SHIFTI(PSRLDQ, 0x73, 3),
    SHIFTI(PSLLQ, 0x73, 6),
    SHIFTI(PSLLDQ, 0x73, 7),
    SHIFTX(PSRLW, 0xd1),
    SHIFTX(PSRLD, 0xd2),
    SHIFTX(PSRLQ, 0xd3),
    SHIFTX(PSRAW, 0xe1),
    SHIFTX(PSRAD, 0xe2),
    SHIFTX(PSLLW, 0xf1),
    SHIFTX(PSLLD, 0xf2),
    SHIFTX(PSLLQ, 0xf3),

    /* ---- arithmetic ---- */
    INT3(PADDB, 0F, 0xfc, SSE2),
    INT3(PADDW, 0F, 0xfd, SSE2),
    INT3(PADDD, 0F, 0xfe, SSE2),
    INT3(PADDQ, 0F, 0xd4, SSE2),
    INT3(PADDSB, 0F, 0xec, SSE2),
    INT3(PADDSW, 0F, 0xed, SSE2),
    INT3(PADDUSB, 0F, 0xdc, SSE2),
    INT3(PADDUSW, 0F, 0xdd, SSE2),
    INT3(PSUBB, 0F, 0xf8, SSE2),
    INT3(PSUBW, 0F, 0xf9, SSE2),
    INT3(PSUBD, 0F, 0xfa, SSE2),
    INT3(PSUBQ, 0F, 0xfb, SSE2),
    INT3(PSUBSB, 0F, 0xe8, SSE2),
    INT3(PSUBSW, 0F, 0xe9, SSE2),
    INT3(PSUBUSB, 0F, 0xd8, SSE2),
    INT3(PSUBUSW, 0F, 0xd9, SSE2),
    INT3(PMINUB, 0F, 0xda, SSE2),
    INT3(PMINUW, 0F38, 0x3a, SSE41),
    INT3(PMINUD, 0F38, 0x3b, SSE41),
    INT3(PMINSB, 0F38, 0x38, SSE41),
    INT3(PMINSW, 0F, 0xea, SSE2),
    INT3(PMINSD, 0F38, 0x39, SSE41),
    INT3(PMAXUB, 0F, 0xde, SSE2),
    INT3(PMAXUW, 0F38, 0x3e, SSE41),
    INT3(PMAXUD, 0F38, 0x3f, SSE41),
    INT3(PMAXSB, 0F38, 0x3c, SSE41),
    INT3(PMAXSW, 0F, 0xee, SSE2),
    INT3(PMAXSD, 0F38, 0x3d, SSE41),
    INT3(PAVGB, 0F, 0xe0, SSE2),
    INT3(PAVGW, 0F, 0xe3, SSE2),
    INT3(PMULLW, 0F, 0xd5, SSE2),
    INT3(PMULHW, 0F, 0xe5, SSE2),
    INT3(PMULHUW, 0F, 0xe4, SSE2),
    INT3(PMULHRSW, 0F38, 0x0b, SSSE3),
    INT3(PMULUDQ, 0F, 0xf4, SSE2),
    INT3(PMULDQ, 0F38, 0x28, SSE41),
    INT3(PMULLD, 0F38, 0x40, SSE41),
    INT3(PMADDWD, 0F, 0xf5, SSE2),
    INT3(PMADDUBSW, 0F38, 0x04, SSSE3),
    INT3(PSADBW, 0F, 0xf6, SSE2),
    INT3I(MPSADBW, 0F3A, 0x42, SSE41),
    INT3(PHADDW, 0F38, 0x01, SSSE3),
    INT3(PHADDD, 0F38, 0x02, SSSE3),
    INT3(PHADDSW, 0F38, 0x03, SSSE3),
    INT3(PHSUBW, 0F38, 0x05, SSSE3),
    INT3(PHSUBD, 0F38, 0x06, SSSE3),
    INT3(PHSUBSW, 0F38, 0x07, SSSE3),
    INT3(PSIGNB, 0F38, 0x08, SSSE3),
    INT3(PSIGNW, 0F38, 0x09, SSSE3),
    INT3(PSIGND, 0F38, 0x0a, SSSE3),
    INT2(PABSB, 0F38, 0x1c, 66, SSSE3, Wx, RF_ALIGN),
    INT2(PABSW, 0F38, 0x1d, 66, SSSE3, Wx, RF_ALIGN),
    INT2(PABSD, 0F38, 0x1e, 66, SSSE3, Wx, RF_ALIGN),
    LEG("PHMINPOSUW", 0F38, 0x41, 66, SSE41, RF_ALIGN, PHMINPOSUW, W, Vdq, Wdq),
    VEX("PHMINPOSUW", 0F38, 0x41, 66, AVX, RF_L0, PHMINPOSUW, W, Vdq, Wdq),
};
const unsigned x86_n_rows_sse = ARRAY_SIZE(x86_rows_sse);
