/* SPDX-License-Identifier: MIT */
/*
 * EVEX rows of moves, integer, logic, shuffle and crypto instructions: AVX512F, BW, DQ,
 * CD, VL, IFMA, VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ, and EVEX forms of VAES, VPCLMULQDQ,
 * GFNI. SDM vol. 2 under each mnemonic. Floating-point arithmetic: rows_evex_fp.c.
 * Reference functions: vec_*.c.
 */
#include "target-x86/evex_rows.h"

/* loads and stores */
#define MOV(nm, o, p, wb, ft, u, fl, dst, src)                                           \
    EVEX_FL(nm, 0F, o, p, wb, ft, EV_##u | EV_ANY | EV_KZ, RF_PLAIN | (fl), MOV, W, dst, \
            src)
#define MOVNT(nm, mp, o, p, wb, dst, src) \
    EVEX_FL(nm, mp, o, p, wb, AVX512F, EV_ANY, RF_PLAIN | RF_ALIGN, MOV, W, dst, src)
#define ONLY128(nm, mp, o, p, wb, ft, ex, ...) \
    EVEX(nm, mp, o, p, wb, ft, EV_L128, ex, W, __VA_ARGS__)
#define SCALAR_MOV(nm, p, wb, u, ex, m, v)                                               \
    EVEX(nm, 0F, 0x10, p, wb, AVX512F, EV_##u | EV_LIG | EV_SCALAR | EV_KZ, MOV, W, Vdq, \
         m),                                                                             \
        EVEX(nm, 0F, 0x11, p, wb, AVX512F, EV_##u | EV_LIG | EV_SCALAR | EV_K, MOV, W,   \
             m, v),                                                                      \
        EVEX(nm, 0F, 0x10, p, wb, AVX512F, EV_##u | EV_LIG | EV_SCALAR | EV_KZ, ex, W,   \
             Vdq, Hdq, Udq),                                                             \
        EVEX(nm, 0F, 0x11, p, wb, AVX512F, EV_##u | EV_LIG | EV_SCALAR | EV_KZ, ex, W,   \
             Udq, Hdq, Vdq)
/* broadcasts: lengths, source */
#define BCAST(nm, o, wb, ft, u, len, src) \
    EVEX(nm, 0F38, o, 66, wb, ft, EV_##u | (len) | EV_KZ | EV_ONE, VBROADCAST, W, Vx, src)
#define BCAST_REG(nm, o, wb, ft, u, src) \
    EVEX(nm, 0F38, o, 66, wb, ft, EV_##u | EV_ANY | EV_KZ, VPBROADCAST_reg, W, Vx, src)
#define INSERT(nm, o, wb, ft, u, len, src)                                            \
    EVEX(nm, 0F3A, o, 66, wb, ft, EV_##u | (len) | EV_KZ | EV_NF, VINSERT, W, Vx, Hx, \
         src, Ib)
#define EXTRACT(nm, o, wb, ft, u, len, dst)                                              \
    EVEX(nm, 0F3A, o, 66, wb, ft, EV_##u | (len) | EV_KZ | EV_NF | EV_NDST, VEXTRACT, W, \
         dst, Vx, Ib)
#define SHUF128(nm, o, wb, u)                                                   \
    EVEX(nm, 0F3A, o, 66, wb, AVX512F, EV_##u | EV_BIG | EV_KZ | EV_BC | EV_NF, \
         VSHUF128, W, Vx, Hx, Wx, Ib)
/* widening, narrowing */
#define EXTEND(nm, o, ft, u, src)                                                        \
    EVEX("PMOVSX" #nm, 0F38, o, 66, WIG, ft, EV_##u | EV_ANY | EV_KZ, PMOVSX##nm, W, Vx, \
         src),                                                                           \
        EVEX("PMOVZX" #nm, 0F38, 0x10 | (o), 66, WIG, ft, EV_##u | EV_ANY | EV_KZ,       \
             PMOVZX##nm, W, Vx, src)
#define EXTEND_DQ(nm, o, src)                                                           \
    EVEX("PMOVSX" #nm, 0F38, o, 66, W0, AVX512F, EV_64 | EV_ANY | EV_KZ, PMOVSX##nm, W, \
         Vx, src),                                                                      \
        EVEX("PMOVZX" #nm, 0F38, 0x10 | (o), 66, W0, AVX512F, EV_64 | EV_ANY | EV_KZ,   \
             PMOVZX##nm, W, Vx, src)
#define NARROW(nm, o, ft, u, dst)                                                        \
    EVEX("PMOVUS" nm, 0F38, 0x10 | (o), F3, W0, ft, EV_##u | EV_ANY | EV_KZ, VPMOVUS, W, \
         dst, Vx),                                                                       \
        EVEX("PMOVS" nm, 0F38, 0x20 | (o), F3, W0, ft, EV_##u | EV_ANY | EV_KZ, VPMOVS,  \
             W, dst, Vx),                                                                \
        EVEX("PMOV" nm, 0F38, 0x30 | (o), F3, W0, ft, EV_##u | EV_ANY | EV_KZ, VPMOV, W, \
             dst, Vx)
/* shifts: by immediate (group), by an xmm count, by elements */
#define SHIFTI(nm, o, n, wb, ft, u, x, ex)                                               \
    {                                                                                    \
        .name = "V" nm, .enc = ENC_EVEX, .map = MAP_0F, .op = o, .pp = PP_66,            \
        .ext = EXT(n), .flags = RF_AVX | RF_AVX512 | RF_PLAIN | RF_##wb,                 \
        .feat = X86F_##ft, .ops = { Hx, Wx, Ib }, .exec = x86_vec_##ex, .w = { ROLE_W }, \
        .ev = EV_##u | EV_ANY | (x)                                                      \
    }
#define SHIFTC(nm, o, wb, ft, u, ex) \
    EVEX(nm, 0F, o, 66, wb, ft, EV_##u | EV_ANY | EV_KZ | EV_NF, ex, W, Vx, Hx, Wdq)
/* VPERMI2x and VPERMT2x */
#define PERM2(nm, o, wb, ft, u, x)                                            \
    P3RW("PERMI2" nm, 0F38, 0x70 | (o), 66, wb, ft, u, EV_NF | (x), VPERMI2), \
        P3RW("PERMT2" nm, 0F38, 0x78 | (o), 66, wb, ft, u, EV_NF | (x), VPERMT2)
/* opmask to vector and back */
#define MASKS(nm, o, wb, ft, u)                                                  \
    EVEX("PMOVM2" nm, 0F38, o, F3, wb, ft, EV_##u | EV_ANY, VPMOVM2, W, Vx, KN), \
        EVEX("PMOV" nm "2M", 0F38, (o) + 1, F3, wb, ft, EV_##u | EV_ANY, MOV, W, KG, Ux)
/* what memory they access depends on the mask (tmpl_masked_access) */
#define PRESS(nm, o, wb, ft, u) \
    EVEX(nm, 0F38, o, 66, wb, ft, EV_##u | EV_ANY | EV_KZ | EV_T1, VCOMPRESS, W, Wx, Vx)
#define EXPAND(nm, o, wb, ft, u) \
    EVEX(nm, 0F38, o, 66, wb, ft, EV_##u | EV_ANY | EV_KZ | EV_T1, VEXPAND, W, Vx, Wx)
/* not RF_PLAIN: template_vsib.c */
#define GATHER(nm, o, wb, u, ex)                                                        \
    XEVEX(nm, 0F38, o, 66, wb, AVX512F, EV_##u | EV_ANY | EV_K | EV_KREQ | EV_VSIB, ex, \
          RW, Vx, M_)
#define SCATTER(nm, o, wb, u, ex)                                                       \
    XEVEX(nm, 0F38, o, 66, wb, AVX512F, EV_##u | EV_ANY | EV_K | EV_KREQ | EV_VSIB, ex, \
          W, M_, Vx)
#define BLENDM(nm, o, wb, ft, u, x) \
    EVEX(nm, 0F38, o, 66, wb, ft, EV_##u | EV_ANY | EV_KZ | (x), VBLENDM, W, Vx, Hx, Wx)

const X86Row x86_rows_evex[] = {
    /* ---- moves ---- */
    MOV("MOVUPS", 0x10, NP, W0, AVX512F, 32, 0, Vx, Wx),
    MOV("MOVUPD", 0x10, 66, W1, AVX512F, 64, 0, Vx, Wx),
    MOV("MOVUPS", 0x11, NP, W0, AVX512F, 32, 0, Wx, Vx),
    MOV("MOVUPD", 0x11, 66, W1, AVX512F, 64, 0, Wx, Vx),
    MOV("MOVAPS", 0x28, NP, W0, AVX512F, 32, RF_ALIGN, Vx, Wx),
    MOV("MOVAPD", 0x28, 66, W1, AVX512F, 64, RF_ALIGN, Vx, Wx),
    MOV("MOVAPS", 0x29, NP, W0, AVX512F, 32, RF_ALIGN, Wx, Vx),
    MOV("MOVAPD", 0x29, 66, W1, AVX512F, 64, RF_ALIGN, Wx, Vx),
    MOV("MOVDQA32", 0x6f, 66, W0, AVX512F, 32, RF_ALIGN, Vx, Wx),
    MOV("MOVDQA64", 0x6f, 66, W1, AVX512F, 64, RF_ALIGN, Vx, Wx),
    MOV("MOVDQA32", 0x7f, 66, W0, AVX512F, 32, RF_ALIGN, Wx, Vx),
    MOV("MOVDQA64", 0x7f, 66, W1, AVX512F, 64, RF_ALIGN, Wx, Vx),
    MOV("MOVDQU32", 0x6f, F3, W0, AVX512F, 32, 0, Vx, Wx),
    MOV("MOVDQU64", 0x6f, F3, W1, AVX512F, 64, 0, Vx, Wx),
    MOV("MOVDQU32", 0x7f, F3, W0, AVX512F, 32, 0, Wx, Vx),
    MOV("MOVDQU64", 0x7f, F3, W1, AVX512F, 64, 0, Wx, Vx),
    MOV("MOVDQU8", 0x6f, F2, W0, AVX512BW, 8, 0, Vx, Wx),
    MOV("MOVDQU16", 0x6f, F2, W1, AVX512BW, 16, 0, Vx, Wx),
    MOV("MOVDQU8", 0x7f, F2, W0, AVX512BW, 8, 0, Wx, Vx),
    MOV("MOVDQU16", 0x7f, F2, W1, AVX512BW, 16, 0, Wx, Vx),
    MOVNT("MOVNTPS", 0F, 0x2b, NP, W0, Mx, Vx),
    MOVNT("MOVNTPD", 0F, 0x2b, 66, W1, Mx, Vx),
    MOVNT("MOVNTDQ", 0F, 0xe7, 66, W0, Mx, Vx),
    MOVNT("MOVNTDQA", 0F38, 0x2a, 66, W0, Vx, Mx),
    SCALAR_MOV("MOVSS", F3, W0, 32, MOVSS, Md, Vd),
    SCALAR_MOV("MOVSD", F2, W1, 64, MOVSD, Mq, Vq),
    ONLY128("MOVHLPS", 0F, 0x12, NP, W0, AVX512F, MOVHLPS, Vdq, Hdq, Udq),
    ONLY128("MOVLPS", 0F, 0x12, NP, W0, AVX512F, MOVSD, Vdq, Hdq, Mq),
    ONLY128("MOVLPD", 0F, 0x12, 66, W1, AVX512F, MOVSD, Vdq, Hdq, Mq),
    ONLY128("MOVLHPS", 0F, 0x16, NP, W0, AVX512F, MOVHPS, Vdq, Hdq, Uq),
    ONLY128("MOVHPS", 0F, 0x16, NP, W0, AVX512F, MOVHPS, Vdq, Hdq, Mq),
    ONLY128("MOVHPD", 0F, 0x16, 66, W1, AVX512F, MOVHPS, Vdq, Hdq, Mq),
    ONLY128("MOVLPS", 0F, 0x13, NP, W0, AVX512F, MOV, Mq, Vq),
    ONLY128("MOVLPD", 0F, 0x13, 66, W1, AVX512F, MOV, Mq, Vq),
    ONLY128("MOVHPS", 0F, 0x17, NP, W0, AVX512F, MOVHPS_store, Mq, Vdq),
    ONLY128("MOVHPD", 0F, 0x17, 66, W1, AVX512F, MOVHPS_store, Mq, Vdq),
    ONLY128("MOVD", 0F, 0x6e, 66, WIG, AVX512F, MOV, Vdq, Ey),
    ONLY128("MOVD", 0F, 0x7e, 66, WIG, AVX512F, MOV, Ey, Vy),
    ONLY128("MOVQ", 0F, 0x7e, F3, W1, AVX512F, MOV, Vdq, Wq),
    ONLY128("MOVQ", 0F, 0xd6, 66, W1, AVX512F, MOV, Wq, Vq),
    EVEX("MOVDDUP", 0F, 0x12, F2, W1, AVX512F, EV_64 | EV_L128 | EV_VL | EV_KZ | EV_NF,
         MOVDDUP, W, Vdq, Wq),
    EVEX("MOVDDUP", 0F, 0x12, F2, W1, AVX512F, EV_64 | EV_BIG | EV_KZ | EV_NF, MOVDDUP, W,
         Vx, Wx),
    P2("MOVSLDUP", 0F, 0x12, F3, W0, AVX512F, 32, EV_NF, MOVSLDUP),
    P2("MOVSHDUP", 0F, 0x16, F3, W0, AVX512F, 32, EV_NF, MOVSHDUP),

    /* ---- elements ---- */
    ONLY128("PINSRW", 0F, 0xc4, 66, WIG, AVX512BW, PINSRW, Vdq, Hdq, Rd, Ib),
    ONLY128("PINSRW", 0F, 0xc4, 66, WIG, AVX512BW, PINSRW, Vdq, Hdq, Mw, Ib),
    ONLY128("PINSRB", 0F3A, 0x20, 66, WIG, AVX512BW, PINSRB, Vdq, Hdq, Rd, Ib),
    ONLY128("PINSRB", 0F3A, 0x20, 66, WIG, AVX512BW, PINSRB, Vdq, Hdq, Mb, Ib),
    ONLY128("PINSRD", 0F3A, 0x22, 66, WIG, AVX512DQ, PINSRD, Vdq, Hdq, Ey, Ib),
    ONLY128("INSERTPS", 0F3A, 0x21, 66, W0, AVX512F, INSERTPS, Vdq, Hdq, Wd, Ib),
    ONLY128("PEXTRW", 0F, 0xc5, 66, WIG, AVX512BW, PEXTRW, Gd, Udq, Ib),
    ONLY128("PEXTRB", 0F3A, 0x14, 66, WIG, AVX512BW, PEXTRB, Rd, Vdq, Ib),
    ONLY128("PEXTRB", 0F3A, 0x14, 66, WIG, AVX512BW, PEXTRB, Mb, Vdq, Ib),
    ONLY128("PEXTRW", 0F3A, 0x15, 66, WIG, AVX512BW, PEXTRW, Rd, Vdq, Ib),
    ONLY128("PEXTRW", 0F3A, 0x15, 66, WIG, AVX512BW, PEXTRW, Mw, Vdq, Ib),
    ONLY128("PEXTRD", 0F3A, 0x16, 66, WIG, AVX512DQ, PEXTRD, Ey, Vdq, Ib),
    ONLY128("EXTRACTPS", 0F3A, 0x17, 66, WIG, AVX512F, PEXTRD, Ed, Vdq, Ib),

    /* ---- broadcasts, parts ---- */
    BCAST("BROADCASTSS", 0x18, W0, AVX512F, 32, EV_ANY, Wd),
    BCAST("BROADCASTSD", 0x19, W1, AVX512F, 64, EV_BIG, Wq),
    BCAST("BROADCASTF32X2", 0x19, W0, AVX512DQ, 32, EV_BIG, Wq),
    BCAST("BROADCASTF32X4", 0x1a, W0, AVX512F, 32, EV_BIG, Mdq),
    BCAST("BROADCASTF64X2", 0x1a, W1, AVX512DQ, 64, EV_BIG, Mdq),
    BCAST("BROADCASTF32X8", 0x1b, W0, AVX512DQ, 32, EV_L512, Mqq),
    BCAST("BROADCASTF64X4", 0x1b, W1, AVX512F, 64, EV_L512, Mqq),
    BCAST("PBROADCASTD", 0x58, W0, AVX512F, 32, EV_ANY, Wd),
    BCAST("PBROADCASTQ", 0x59, W1, AVX512F, 64, EV_ANY, Wq),
    BCAST("BROADCASTI32X2", 0x59, W0, AVX512DQ, 32, EV_ANY, Wq),
    BCAST("BROADCASTI32X4", 0x5a, W0, AVX512F, 32, EV_BIG, Mdq),
    BCAST("BROADCASTI64X2", 0x5a, W1, AVX512DQ, 64, EV_BIG, Mdq),
    BCAST("BROADCASTI32X8", 0x5b, W0, AVX512DQ, 32, EV_L512, Mqq),
    BCAST("BROADCASTI64X4", 0x5b, W1, AVX512F, 64, EV_L512, Mqq),
    BCAST("PBROADCASTB", 0x78, W0, AVX512BW, 8, EV_ANY, Wb),
    BCAST("PBROADCASTW", 0x79, W0, AVX512BW, 16, EV_ANY, Ww),
    BCAST_REG("PBROADCASTB", 0x7a, W0, AVX512BW, 8, Rd),
    BCAST_REG("PBROADCASTW", 0x7b, W0, AVX512BW, 16, Rd),
    BCAST_REG("PBROADCASTD", 0x7c, W0, AVX512F, 32, Rd),
    BCAST_REG("PBROADCASTQ", 0x7c, W1 | RF_ONLY64, AVX512F, 64, Ry),
    BCAST_REG("PBROADCASTD", 0x7c, W1 | RF_NO64, AVX512F, 32, Rd), /* W is ignored there */
    INSERT("INSERTF32X4", 0x18, W0, AVX512F, 32, EV_BIG, Wdq),
    INSERT("INSERTF64X2", 0x18, W1, AVX512DQ, 64, EV_BIG, Wdq),
    INSERT("INSERTF32X8", 0x1a, W0, AVX512DQ, 32, EV_L512, Wqq),
    INSERT("INSERTF64X4", 0x1a, W1, AVX512F, 64, EV_L512, Wqq),
    INSERT("INSERTI32X4", 0x38, W0, AVX512F, 32, EV_BIG, Wdq),
    INSERT("INSERTI64X2", 0x38, W1, AVX512DQ, 64, EV_BIG, Wdq),
    INSERT("INSERTI32X8", 0x3a, W0, AVX512DQ, 32, EV_L512, Wqq),
    INSERT("INSERTI64X4", 0x3a, W1, AVX512F, 64, EV_L512, Wqq),
    EXTRACT("EXTRACTF32X4", 0x19, W0, AVX512F, 32, EV_BIG, Wdq),
    EXTRACT("EXTRACTF64X2", 0x19, W1, AVX512DQ, 64, EV_BIG, Wdq),
    EXTRACT("EXTRACTF32X8", 0x1b, W0, AVX512DQ, 32, EV_L512, Wqq),
    EXTRACT("EXTRACTF64X4", 0x1b, W1, AVX512F, 64, EV_L512, Wqq),
    EXTRACT("EXTRACTI32X4", 0x39, W0, AVX512F, 32, EV_BIG, Wdq),
    EXTRACT("EXTRACTI64X2", 0x39, W1, AVX512DQ, 64, EV_BIG, Wdq),
    EXTRACT("EXTRACTI32X8", 0x3b, W0, AVX512DQ, 32, EV_L512, Wqq),
    EXTRACT("EXTRACTI64X4", 0x3b, W1, AVX512F, 64, EV_L512, Wqq),
    SHUF128("SHUFF32X4", 0x23, W0, 32),
    SHUF128("SHUFF64X2", 0x23, W1, 64),
    SHUF128("SHUFI32X4", 0x43, W0, 32),
    SHUF128("SHUFI64X2", 0x43, W1, 64),

    /* ---- unpack, pack, shuffle ---- */
    P3("PUNPCKLBW", 0F, 0x60, WIG, AVX512BW, 8, EV_NF, PUNPCKLBW),
    P3("PUNPCKLWD", 0F, 0x61, WIG, AVX512BW, 16, EV_NF, PUNPCKLWD),
    P3("PUNPCKLDQ", 0F, 0x62, W0, AVX512F, 32, EV_NF | EV_BC, PUNPCKLDQ),
    P3("PUNPCKLQDQ", 0F, 0x6c, W1, AVX512F, 64, EV_NF | EV_BC, PUNPCKLQDQ),
    P3("PUNPCKHBW", 0F, 0x68, WIG, AVX512BW, 8, EV_NF, PUNPCKHBW),
    P3("PUNPCKHWD", 0F, 0x69, WIG, AVX512BW, 16, EV_NF, PUNPCKHWD),
    P3("PUNPCKHDQ", 0F, 0x6a, W0, AVX512F, 32, EV_NF | EV_BC, PUNPCKHDQ),
    P3("PUNPCKHQDQ", 0F, 0x6d, W1, AVX512F, 64, EV_NF | EV_BC, PUNPCKHQDQ),
    P3("PACKSSWB", 0F, 0x63, WIG, AVX512BW, 8, EV_NF, PACKSSWB),
    P3("PACKUSWB", 0F, 0x67, WIG, AVX512BW, 8, EV_NF, PACKUSWB),
    P3("PACKSSDW", 0F, 0x6b, W0, AVX512BW, 16, EV_NF | EV_BC32, PACKSSDW),
    P3("PACKUSDW", 0F38, 0x2b, W0, AVX512BW, 16, EV_NF | EV_BC32, PACKUSDW),
    P3("PSHUFB", 0F38, 0x00, WIG, AVX512BW, 8, EV_NF, PSHUFB),
    P2I("PSHUFD", 0F, 0x70, 66, W0, AVX512F, 32, EV_NF | EV_BC, PSHUFD),
    P2I("PSHUFHW", 0F, 0x70, F3, WIG, AVX512BW, 16, EV_NF, PSHUFHW),
    P2I("PSHUFLW", 0F, 0x70, F2, WIG, AVX512BW, 16, EV_NF, PSHUFLW),
    P3I("PALIGNR", 0F3A, 0x0f, WIG, AVX512BW, 8, EV_NF, PALIGNR),
    P3I("ALIGND", 0F3A, 0x03, W0, AVX512F, 32, EV_NF | EV_BC, VALIGN),
    P3I("ALIGNQ", 0F3A, 0x03, W1, AVX512F, 64, EV_NF | EV_BC, VALIGN),
    P3("PERMILPS", 0F38, 0x0c, W0, AVX512F, 32, EV_NF | EV_BC, VPERMILPS),
    P3("PERMILPD", 0F38, 0x0d, W1, AVX512F, 64, EV_NF | EV_BC, VPERMILPD),
    P2I("PERMILPS", 0F3A, 0x04, 66, W0, AVX512F, 32, EV_NF | EV_BC, PSHUFD),
    P2I("PERMILPD", 0F3A, 0x05, 66, W1, AVX512F, 64, EV_NF | EV_BC, VPERMILPD_imm),
    EVEX("PERMQ", 0F3A, 0x00, 66, W1, AVX512F, EV_64 | EV_BIG | EV_KZ | EV_NF | EV_BC,
         VPERMQ, W, Vx, Wx, Ib),
    EVEX("PERMPD", 0F3A, 0x01, 66, W1, AVX512F, EV_64 | EV_BIG | EV_KZ | EV_NF | EV_BC,
         VPERMQ, W, Vx, Wx, Ib),
    EVEX("PERMD", 0F38, 0x36, 66, W0, AVX512F, EV_32 | EV_BIG | EV_KZ | EV_NF | EV_BC,
         VPERM, W, Vx, Hx, Wx),
    EVEX("PERMQ", 0F38, 0x36, 66, W1, AVX512F, EV_64 | EV_BIG | EV_KZ | EV_NF | EV_BC,
         VPERM, W, Vx, Hx, Wx),
    EVEX("PERMPS", 0F38, 0x16, 66, W0, AVX512F, EV_32 | EV_BIG | EV_KZ | EV_NF | EV_BC,
         VPERM, W, Vx, Hx, Wx),
    EVEX("PERMPD", 0F38, 0x16, 66, W1, AVX512F, EV_64 | EV_BIG | EV_KZ | EV_NF | EV_BC,
         VPERM, W, Vx, Hx, Wx),
    P3("PERMB", 0F38, 0x8d, W0, AVX512VBMI, 8, EV_NF, VPERM),
    P3("PERMW", 0F38, 0x8d, W1, AVX512BW, 16, EV_NF, VPERM),
    PERM2("B", 5, W0, AVX512VBMI, 8, 0),
    PERM2("W", 5, W1, AVX512BW, 16, 0),
    PERM2("D", 6, W0, AVX512F, 32, EV_BC),
    PERM2("Q", 6, W1, AVX512F, 64, EV_BC),
    PERM2("PS", 7, W0, AVX512F, 32, EV_BC),
    PERM2("PD", 7, W1, AVX512F, 64, EV_BC),
    P3("PMULTISHIFTQB", 0F38, 0x83, W1, AVX512VBMI, 8, EV_NF | EV_BC64, VPMULTISHIFTQB),
    BLENDM("PBLENDMD", 0x64, W0, AVX512F, 32, EV_BC),
    BLENDM("PBLENDMQ", 0x64, W1, AVX512F, 64, EV_BC),
    BLENDM("BLENDMPS", 0x65, W0, AVX512F, 32, EV_BC),
    BLENDM("BLENDMPD", 0x65, W1, AVX512F, 64, EV_BC),
    BLENDM("PBLENDMB", 0x66, W0, AVX512BW, 8, 0),
    BLENDM("PBLENDMW", 0x66, W1, AVX512BW, 16, 0),
    EXTEND(BW, 0x20, AVX512BW, 16, Wh),
    EXTEND(BD, 0x21, AVX512F, 32, Wf),
    EXTEND(BQ, 0x22, AVX512F, 64, We),
    EXTEND(WD, 0x23, AVX512F, 32, Wh),
    EXTEND(WQ, 0x24, AVX512F, 64, Wf),
    EXTEND_DQ(DQ, 0x25, Wh),
    NARROW("WB", 0, AVX512BW, 16, Wh),
    NARROW("DB", 1, AVX512F, 32, Wf),
    NARROW("QB", 2, AVX512F, 64, We),
    NARROW("DW", 3, AVX512F, 32, Wh),
    NARROW("QW", 4, AVX512F, 64, Wf),
    NARROW("QD", 5, AVX512F, 64, Wh),

    /* ---- compares, tests, masks ---- */
    TOK("PCMPGTB", 0F, 0x64, 66, WIG, AVX512BW, 8, 0, PCMPGTB),
    TOK("PCMPGTW", 0F, 0x65, 66, WIG, AVX512BW, 16, 0, PCMPGTW),
    TOK("PCMPGTD", 0F, 0x66, 66, W0, AVX512F, 32, EV_BC, PCMPGTD),
    TOK("PCMPGTQ", 0F38, 0x37, 66, W1, AVX512F, 64, EV_BC, PCMPGTQ),
    TOK("PCMPEQB", 0F, 0x74, 66, WIG, AVX512BW, 8, 0, PCMPEQB),
    TOK("PCMPEQW", 0F, 0x75, 66, WIG, AVX512BW, 16, 0, PCMPEQW),
    TOK("PCMPEQD", 0F, 0x76, 66, W0, AVX512F, 32, EV_BC, PCMPEQD),
    TOK("PCMPEQQ", 0F38, 0x29, 66, W1, AVX512F, 64, EV_BC, PCMPEQQ),
    TOKI("PCMPUB", 0F3A, 0x3e, 66, W0, AVX512BW, 8, 0, VPCMPU),
    TOKI("PCMPUW", 0F3A, 0x3e, 66, W1, AVX512BW, 16, 0, VPCMPU),
    TOKI("PCMPUD", 0F3A, 0x1e, 66, W0, AVX512F, 32, EV_BC, VPCMPU),
    TOKI("PCMPUQ", 0F3A, 0x1e, 66, W1, AVX512F, 64, EV_BC, VPCMPU),
    TOKI("PCMPB", 0F3A, 0x3f, 66, W0, AVX512BW, 8, 0, VPCMP),
    TOKI("PCMPW", 0F3A, 0x3f, 66, W1, AVX512BW, 16, 0, VPCMP),
    TOKI("PCMPD", 0F3A, 0x1f, 66, W0, AVX512F, 32, EV_BC, VPCMP),
    TOKI("PCMPQ", 0F3A, 0x1f, 66, W1, AVX512F, 64, EV_BC, VPCMP),
    TOK("PTESTMB", 0F38, 0x26, 66, W0, AVX512BW, 8, 0, PTESTM),
    TOK("PTESTMW", 0F38, 0x26, 66, W1, AVX512BW, 16, 0, PTESTM),
    TOK("PTESTMD", 0F38, 0x27, 66, W0, AVX512F, 32, EV_BC, PTESTM),
    TOK("PTESTMQ", 0F38, 0x27, 66, W1, AVX512F, 64, EV_BC, PTESTM),
    TOK("PTESTNMB", 0F38, 0x26, F3, W0, AVX512BW, 8, 0, PTESTNM),
    TOK("PTESTNMW", 0F38, 0x26, F3, W1, AVX512BW, 16, 0, PTESTNM),
    TOK("PTESTNMD", 0F38, 0x27, F3, W0, AVX512F, 32, EV_BC, PTESTNM),
    TOK("PTESTNMQ", 0F38, 0x27, F3, W1, AVX512F, 64, EV_BC, PTESTNM),
    TOK("PSHUFBITQMB", 0F38, 0x8f, 66, W0, AVX512BITALG, 8, 0, VPSHUFBITQMB),
    MASKS("B", 0x28, W0, AVX512BW, 8),
    MASKS("W", 0x28, W1, AVX512BW, 16),
    MASKS("D", 0x38, W0, AVX512DQ, 32),
    MASKS("Q", 0x38, W1, AVX512DQ, 64),
    EVEX("PBROADCASTMB2Q", 0F38, 0x2a, F3, W1, AVX512CD, EV_64 | EV_ANY, VPBROADCASTMB2Q,
         W, Vx, KN),
    EVEX("PBROADCASTMW2D", 0F38, 0x3a, F3, W0, AVX512CD, EV_32 | EV_ANY, VPBROADCASTMW2D,
         W, Vx, KN),

    /* ---- logic ---- */
    DQ3("PAND", 0F, 0xdb, AVX512F, 0, PAND, PAND),
    DQ3("PANDN", 0F, 0xdf, AVX512F, 0, PANDN, PANDN),
    DQ3("POR", 0F, 0xeb, AVX512F, 0, POR, POR),
    DQ3("PXOR", 0F, 0xef, AVX512F, 0, PXOR, PXOR),
    EVEX("PTERNLOGD", 0F3A, 0x25, 66, W0, AVX512F, EV_32 | EV_ANY | EV_KZ | EV_BC,
         VPTERNLOG, RW, Vx, Hx, Wx, Ib),
    EVEX("PTERNLOGQ", 0F3A, 0x25, 66, W1, AVX512F, EV_64 | EV_ANY | EV_KZ | EV_BC,
         VPTERNLOG, RW, Vx, Hx, Wx, Ib),

    /* ---- shifts ---- */
    SHIFTI("PSRLW", 0x71, 2, WIG, AVX512BW, 16, EV_KZ, PSRLW),
    SHIFTI("PSRAW", 0x71, 4, WIG, AVX512BW, 16, EV_KZ, PSRAW),
    SHIFTI("PSLLW", 0x71, 6, WIG, AVX512BW, 16, EV_KZ, PSLLW),
    SHIFTI("PRORD", 0x72, 0, W0, AVX512F, 32, EV_KZ | EV_BC, PROR),
    SHIFTI("PRORQ", 0x72, 0, W1, AVX512F, 64, EV_KZ | EV_BC, PROR),
    SHIFTI("PROLD", 0x72, 1, W0, AVX512F, 32, EV_KZ | EV_BC, PROL),
    SHIFTI("PROLQ", 0x72, 1, W1, AVX512F, 64, EV_KZ | EV_BC, PROL),
    SHIFTI("PSRLD", 0x72, 2, W0, AVX512F, 32, EV_KZ | EV_BC, PSRLD),
    SHIFTI("PSRAD", 0x72, 4, W0, AVX512F, 32, EV_KZ | EV_BC, PSRAD),
    SHIFTI("PSRAQ", 0x72, 4, W1, AVX512F, 64, EV_KZ | EV_BC, PSRA),
    SHIFTI("PSLLD", 0x72, 6, W0, AVX512F, 32, EV_KZ | EV_BC, PSLLD),
    SHIFTI("PSRLQ", 0x73, 2, W1, AVX512F, 64, EV_KZ | EV_BC, PSRLQ),
    SHIFTI("PSRLDQ", 0x73, 3, WIG, AVX512BW, 8, 0, PSRLDQ),
    SHIFTI("PSLLQ", 0x73, 6, W1, AVX512F, 64, EV_KZ | EV_BC, PSLLQ),
    SHIFTI("PSLLDQ", 0x73, 7, WIG, AVX512BW, 8, 0, PSLLDQ),
    SHIFTC("PSRLW", 0xd1, WIG, AVX512BW, 16, PSRLW),
    SHIFTC("PSRLD", 0xd2, W0, AVX512F, 32, PSRLD),
    SHIFTC("PSRLQ", 0xd3, W1, AVX512F, 64, PSRLQ),
    SHIFTC("PSRAW", 0xe1, WIG, AVX512BW, 16, PSRAW),
    SHIFTC("PSRAD", 0xe2, W0, AVX512F, 32, PSRAD),
    SHIFTC("PSRAQ", 0xe2, W1, AVX512F, 64, PSRA),
    SHIFTC("PSLLW", 0xf1, WIG, AVX512BW, 16, PSLLW),
    SHIFTC("PSLLD", 0xf2, W0, AVX512F, 32, PSLLD),
    SHIFTC("PSLLQ", 0xf3, W1, AVX512F, 64, PSLLQ),
    P3("PSRLVW", 0F38, 0x10, W1, AVX512BW, 16, 0, PSRLV),
    P3("PSRAVW", 0F38, 0x11, W1, AVX512BW, 16, 0, PSRAV),
    P3("PSLLVW", 0F38, 0x12, W1, AVX512BW, 16, 0, PSLLV),
    DQ3("PSRLV", 0F38, 0x45, AVX512F, 0, VPSRLVD, VPSRLVQ),
    DQ3("PSRAV", 0F38, 0x46, AVX512F, 0, VPSRAVD, PSRAV),
    DQ3("PSLLV", 0F38, 0x47, AVX512F, 0, VPSLLVD, VPSLLVQ),
    DQ3("PRORV", 0F38, 0x14, AVX512F, 0, PRORV, PRORV),
    DQ3("PROLV", 0F38, 0x15, AVX512F, 0, PROLV, PROLV),
    P3I("PSHLDW", 0F3A, 0x70, W1, AVX512VBMI2, 16, 0, VPSHLD),
    P3I("PSHLDD", 0F3A, 0x71, W0, AVX512VBMI2, 32, EV_BC, VPSHLD),
    P3I("PSHLDQ", 0F3A, 0x71, W1, AVX512VBMI2, 64, EV_BC, VPSHLD),
    P3I("PSHRDW", 0F3A, 0x72, W1, AVX512VBMI2, 16, 0, VPSHRD),
    P3I("PSHRDD", 0F3A, 0x73, W0, AVX512VBMI2, 32, EV_BC, VPSHRD),
    P3I("PSHRDQ", 0F3A, 0x73, W1, AVX512VBMI2, 64, EV_BC, VPSHRD),
    P3RW("PSHLDVW", 0F38, 0x70, 66, W1, AVX512VBMI2, 16, 0, VPSHLDV),
    P3RW("PSHLDVD", 0F38, 0x71, 66, W0, AVX512VBMI2, 32, EV_BC, VPSHLDV),
    P3RW("PSHLDVQ", 0F38, 0x71, 66, W1, AVX512VBMI2, 64, EV_BC, VPSHLDV),
    P3RW("PSHRDVW", 0F38, 0x72, 66, W1, AVX512VBMI2, 16, 0, VPSHRDV),
    P3RW("PSHRDVD", 0F38, 0x73, 66, W0, AVX512VBMI2, 32, EV_BC, VPSHRDV),
    P3RW("PSHRDVQ", 0F38, 0x73, 66, W1, AVX512VBMI2, 64, EV_BC, VPSHRDV),

    /* ---- arithmetic ---- */
    P3("PADDB", 0F, 0xfc, WIG, AVX512BW, 8, 0, PADDB),
    P3("PADDW", 0F, 0xfd, WIG, AVX512BW, 16, 0, PADDW),
    P3("PADDD", 0F, 0xfe, W0, AVX512F, 32, EV_BC, PADDD),
    P3("PADDQ", 0F, 0xd4, W1, AVX512F, 64, EV_BC, PADDQ),
    P3("PADDSB", 0F, 0xec, WIG, AVX512BW, 8, 0, PADDSB),
    P3("PADDSW", 0F, 0xed, WIG, AVX512BW, 16, 0, PADDSW),
    P3("PADDUSB", 0F, 0xdc, WIG, AVX512BW, 8, 0, PADDUSB),
    P3("PADDUSW", 0F, 0xdd, WIG, AVX512BW, 16, 0, PADDUSW),
    P3("PSUBB", 0F, 0xf8, WIG, AVX512BW, 8, 0, PSUBB),
    P3("PSUBW", 0F, 0xf9, WIG, AVX512BW, 16, 0, PSUBW),
    P3("PSUBD", 0F, 0xfa, W0, AVX512F, 32, EV_BC, PSUBD),
    P3("PSUBQ", 0F, 0xfb, W1, AVX512F, 64, EV_BC, PSUBQ),
    P3("PSUBSB", 0F, 0xe8, WIG, AVX512BW, 8, 0, PSUBSB),
    P3("PSUBSW", 0F, 0xe9, WIG, AVX512BW, 16, 0, PSUBSW),
    P3("PSUBUSB", 0F, 0xd8, WIG, AVX512BW, 8, 0, PSUBUSB),
    P3("PSUBUSW", 0F, 0xd9, WIG, AVX512BW, 16, 0, PSUBUSW),
    P3("PMINUB", 0F, 0xda, WIG, AVX512BW, 8, 0, PMINUB),
    P3("PMINUW", 0F38, 0x3a, WIG, AVX512BW, 16, 0, PMINUW),
    DQ3("PMINU", 0F38, 0x3b, AVX512F, 0, PMINUD, PMINU),
    P3("PMINSB", 0F38, 0x38, WIG, AVX512BW, 8, 0, PMINSB),
    P3("PMINSW", 0F, 0xea, WIG, AVX512BW, 16, 0, PMINSW),
    DQ3("PMINS", 0F38, 0x39, AVX512F, 0, PMINSD, PMINS),
    P3("PMAXUB", 0F, 0xde, WIG, AVX512BW, 8, 0, PMAXUB),
    P3("PMAXUW", 0F38, 0x3e, WIG, AVX512BW, 16, 0, PMAXUW),
    DQ3("PMAXU", 0F38, 0x3f, AVX512F, 0, PMAXUD, PMAXU),
    P3("PMAXSB", 0F38, 0x3c, WIG, AVX512BW, 8, 0, PMAXSB),
    P3("PMAXSW", 0F, 0xee, WIG, AVX512BW, 16, 0, PMAXSW),
    DQ3("PMAXS", 0F38, 0x3d, AVX512F, 0, PMAXSD, PMAXS),
    P3("PAVGB", 0F, 0xe0, WIG, AVX512BW, 8, 0, PAVGB),
    P3("PAVGW", 0F, 0xe3, WIG, AVX512BW, 16, 0, PAVGW),
    P2("PABSB", 0F38, 0x1c, 66, WIG, AVX512BW, 8, 0, PABSB),
    P2("PABSW", 0F38, 0x1d, 66, WIG, AVX512BW, 16, 0, PABSW),
    P2("PABSD", 0F38, 0x1e, 66, W0, AVX512F, 32, EV_BC, PABSD),
    P2("PABSQ", 0F38, 0x1f, 66, W1, AVX512F, 64, EV_BC, PABS),
    P3("PMULLW", 0F, 0xd5, WIG, AVX512BW, 16, 0, PMULLW),
    P3("PMULHW", 0F, 0xe5, WIG, AVX512BW, 16, 0, PMULHW),
    P3("PMULHUW", 0F, 0xe4, WIG, AVX512BW, 16, 0, PMULHUW),
    P3("PMULHRSW", 0F38, 0x0b, WIG, AVX512BW, 16, 0, PMULHRSW),
    P3("PMULUDQ", 0F, 0xf4, W1, AVX512F, 64, EV_BC, PMULUDQ),
    P3("PMULDQ", 0F38, 0x28, W1, AVX512F, 64, EV_BC, PMULDQ),
    P3("PMULLD", 0F38, 0x40, W0, AVX512F, 32, EV_BC, PMULLD),
    P3("PMULLQ", 0F38, 0x40, W1, AVX512DQ, 64, EV_BC, PMULL),
    P3("PMADDWD", 0F, 0xf5, WIG, AVX512BW, 32, EV_NF, PMADDWD),
    P3("PMADDUBSW", 0F38, 0x04, WIG, AVX512BW, 16, EV_NF, PMADDUBSW),
    EVEX("PSADBW", 0F, 0xf6, 66, WIG, AVX512BW, EV_64 | EV_ANY, PSADBW, W, Vx, Hx, Wx),
    P3I("DBPSADBW", 0F3A, 0x42, W0, AVX512BW, 16, EV_NF, VDBPSADBW),
    P3RW("PMADD52LUQ", 0F38, 0xb4, 66, W1, AVX512IFMA, 64, EV_BC, VPMADD52LUQ),
    P3RW("PMADD52HUQ", 0F38, 0xb5, 66, W1, AVX512IFMA, 64, EV_BC, VPMADD52HUQ),
    P3RW("PDPBUSD", 0F38, 0x50, 66, W0, AVX512VNNI, 32, EV_BC, VPDPBUSD),
    P3RW("PDPBUSDS", 0F38, 0x51, 66, W0, AVX512VNNI, 32, EV_BC, VPDPBUSDS),
    P3RW("PDPWSSD", 0F38, 0x52, 66, W0, AVX512VNNI, 32, EV_BC, VPDPWSSD),
    P3RW("PDPWSSDS", 0F38, 0x53, 66, W0, AVX512VNNI, 32, EV_BC, VPDPWSSDS),
    P2("PLZCNTD", 0F38, 0x44, 66, W0, AVX512CD, 32, EV_BC, PLZCNT),
    P2("PLZCNTQ", 0F38, 0x44, 66, W1, AVX512CD, 64, EV_BC, PLZCNT),
    P2("PCONFLICTD", 0F38, 0xc4, 66, W0, AVX512CD, 32, EV_BC | EV_NF, VPCONFLICT),
    P2("PCONFLICTQ", 0F38, 0xc4, 66, W1, AVX512CD, 64, EV_BC | EV_NF, VPCONFLICT),
    P2("POPCNTB", 0F38, 0x54, 66, W0, AVX512BITALG, 8, 0, POPCNT),
    P2("POPCNTW", 0F38, 0x54, 66, W1, AVX512BITALG, 16, 0, POPCNT),
    P2("POPCNTD", 0F38, 0x55, 66, W0, AVX512VPOPCNT, 32, EV_BC, POPCNT),
    P2("POPCNTQ", 0F38, 0x55, 66, W1, AVX512VPOPCNT, 64, EV_BC, POPCNT),

    /* ---- compression, gathers ---- */
    PRESS("PCOMPRESSB", 0x63, W0, AVX512VBMI2, 8),
    PRESS("PCOMPRESSW", 0x63, W1, AVX512VBMI2, 16),
    PRESS("PCOMPRESSD", 0x8b, W0, AVX512F, 32),
    PRESS("PCOMPRESSQ", 0x8b, W1, AVX512F, 64),
    PRESS("COMPRESSPS", 0x8a, W0, AVX512F, 32),
    PRESS("COMPRESSPD", 0x8a, W1, AVX512F, 64),
    EXPAND("PEXPANDB", 0x62, W0, AVX512VBMI2, 8),
    EXPAND("PEXPANDW", 0x62, W1, AVX512VBMI2, 16),
    EXPAND("PEXPANDD", 0x89, W0, AVX512F, 32),
    EXPAND("PEXPANDQ", 0x89, W1, AVX512F, 64),
    EXPAND("EXPANDPS", 0x88, W0, AVX512F, 32),
    EXPAND("EXPANDPD", 0x88, W1, AVX512F, 64),
    GATHER("PGATHERDD", 0x90, W0, 32, EVGATHERD),
    GATHER("PGATHERDQ", 0x90, W1, 64, EVGATHERD),
    GATHER("PGATHERQD", 0x91, W0, 32, EVGATHERQ),
    GATHER("PGATHERQQ", 0x91, W1, 64, EVGATHERQ),
    GATHER("GATHERDPS", 0x92, W0, 32, EVGATHERD),
    GATHER("GATHERDPD", 0x92, W1, 64, EVGATHERD),
    GATHER("GATHERQPS", 0x93, W0, 32, EVGATHERQ),
    GATHER("GATHERQPD", 0x93, W1, 64, EVGATHERQ),
    SCATTER("PSCATTERDD", 0xa0, W0, 32, EVSCATTERD),
    SCATTER("PSCATTERDQ", 0xa0, W1, 64, EVSCATTERD),
    SCATTER("PSCATTERQD", 0xa1, W0, 32, EVSCATTERQ),
    SCATTER("PSCATTERQQ", 0xa1, W1, 64, EVSCATTERQ),
    SCATTER("SCATTERDPS", 0xa2, W0, 32, EVSCATTERD),
    SCATTER("SCATTERDPD", 0xa2, W1, 64, EVSCATTERD),
    SCATTER("SCATTERQPS", 0xa3, W0, 32, EVSCATTERQ),
    SCATTER("SCATTERQPD", 0xa3, W1, 64, EVSCATTERQ),

    /* ---- crypto ---- */
    EVEX("AESENC", 0F38, 0xdc, 66, WIG, VAES, EV_ANY, AESENC, W, Vx, Hx, Wx),
    EVEX("AESENCLAST", 0F38, 0xdd, 66, WIG, VAES, EV_ANY, AESENCLAST, W, Vx, Hx, Wx),
    EVEX("AESDEC", 0F38, 0xde, 66, WIG, VAES, EV_ANY, AESDEC, W, Vx, Hx, Wx),
    EVEX("AESDECLAST", 0F38, 0xdf, 66, WIG, VAES, EV_ANY, AESDECLAST, W, Vx, Hx, Wx),
    EVEX("PCLMULQDQ", 0F3A, 0x44, 66, WIG, VPCLMUL, EV_ANY, PCLMULQDQ, W, Vx, Hx, Wx, Ib),
    P3("GF2P8MULB", 0F38, 0xcf, W0, GFNI, 8, 0, GF2P8MULB),
    P3I("GF2P8AFFINEQB", 0F3A, 0xce, W1, GFNI, 8, EV_NF | EV_BC64, GF2P8AFFINEQB),
    P3I("GF2P8AFFINEINVQB", 0F3A, 0xcf, W1, GFNI, 8, EV_NF | EV_BC64, GF2P8AFFINEINVQB),
};
const unsigned x86_n_rows_evex = ARRAY_SIZE(x86_rows_evex);
