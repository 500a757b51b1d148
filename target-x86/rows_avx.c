/* SPDX-License-Identifier: MIT */
/*
 * Rows of AVX and AVX2 instructions that have no legacy form. SDM vol. 2 under each
 * mnemonic. The VEX forms of legacy instructions are beside those (rows_sse.c,
 * rows_sse_fp.c, rows_crypto.c). Reference functions: vec_avx.c, vec_int.c.
 */
#include "target-x86/vec_rows.h"

/* name (without V), map, opcode, feature, flags, exec, operands; prefix 66, `dst =` */
#define AVX(nm, mp, o, ft, fl, ex, ...) VEX(nm, mp, o, 66, ft, fl, ex, W, __VA_ARGS__)
#define FLAGS_ROW(nm, o, ex)                                                              \
    { .name = nm, .enc = ENC_VEX, .map = MAP_0F38, .op = o, .pp = PP_66,                  \
      .flags = RF_AVX | RF_PLAIN | RF_W0, .feat = X86F_AVX, .ops = { Vx, Wx },            \
      .exec = x86_vec_##ex, .fl_def = FL_STATUS }
/* Masked elements are not accessed (tmpl_masked_access). */
#define MASKED(nm, o, ft, fl, ex, ...) VEX(nm, 0F38, o, 66, ft, fl, ex, W, __VA_ARGS__)
/* Memory operand with a vector index: not RF_PLAIN (template_vsib.c). The mask is written too. */
#define GATHER(nm, o, wb, ex)                                                             \
    { .name = nm, .enc = ENC_VEX, .map = MAP_0F38, .op = o, .pp = PP_66,                  \
      .flags = RF_AVX | RF_##wb, .feat = X86F_AVX2, .ops = { Vx, M_, Hx },                 \
      .exec = x86_vec_##ex, .w = { ROLE_RW, ROLE_R, ROLE_RW } }

const X86Row x86_rows_avx[] = {
    /* PP_NP, no operands; has no ModRM */
    { .name = "VZEROUPPER", .enc = ENC_VEX, .map = MAP_0F, .op = 0x77, .pp = PP_NP,
      .flags = RF_AVX | RF_L0 | RF_PLAIN, .feat = X86F_AVX, .exec = x86_vec_VZEROUPPER },
    { .name = "VZEROALL", .enc = ENC_VEX, .map = MAP_0F, .op = 0x77, .pp = PP_NP,
      .flags = RF_AVX | RF_L1 | RF_PLAIN, .feat = X86F_AVX, .exec = x86_vec_VZEROALL },

    /* ---- broadcasts ---- */
    AVX("BROADCASTSS", 0F38, 0x18, AVX, RF_W0, VBROADCAST, Vx, Md),
    AVX("BROADCASTSS", 0F38, 0x18, AVX2, RF_W0, VBROADCAST, Vx, Ud),
    AVX("BROADCASTSD", 0F38, 0x19, AVX, RF_W0 | RF_L1, VBROADCAST, Vx, Mq),
    AVX("BROADCASTSD", 0F38, 0x19, AVX2, RF_W0 | RF_L1, VBROADCAST, Vx, Uq),
    AVX("BROADCASTF128", 0F38, 0x1a, AVX, RF_W0 | RF_L1, VBROADCAST, Vx, Mdq),
    AVX("BROADCASTI128", 0F38, 0x5a, AVX2, RF_W0 | RF_L1, VBROADCAST, Vx, Mdq),
    AVX("PBROADCASTB", 0F38, 0x78, AVX2, RF_W0, VBROADCAST, Vx, Wb),
    AVX("PBROADCASTW", 0F38, 0x79, AVX2, RF_W0, VBROADCAST, Vx, Ww),
    AVX("PBROADCASTD", 0F38, 0x58, AVX2, RF_W0, VBROADCAST, Vx, Wd),
    AVX("PBROADCASTQ", 0F38, 0x59, AVX2, RF_W0, VBROADCAST, Vx, Wq),

    /* ---- halves and permutes ---- */
    AVX("INSERTF128", 0F3A, 0x18, AVX, RF_W0 | RF_L1, VINSERTF128, Vx, Hx, Wdq, Ib),
    AVX("INSERTI128", 0F3A, 0x38, AVX2, RF_W0 | RF_L1, VINSERTF128, Vx, Hx, Wdq, Ib),
    AVX("EXTRACTF128", 0F3A, 0x19, AVX, RF_W0 | RF_L1, VEXTRACTF128, Wdq, Vx, Ib),
    AVX("EXTRACTI128", 0F3A, 0x39, AVX2, RF_W0 | RF_L1, VEXTRACTF128, Wdq, Vx, Ib),
    AVX("PERM2F128", 0F3A, 0x06, AVX, RF_W0 | RF_L1, VPERM2F128, Vx, Hx, Wx, Ib),
    AVX("PERM2I128", 0F3A, 0x46, AVX2, RF_W0 | RF_L1, VPERM2F128, Vx, Hx, Wx, Ib),
    AVX("PERMD", 0F38, 0x36, AVX2, RF_W0 | RF_L1, VPERMD, Vx, Hx, Wx),
    AVX("PERMPS", 0F38, 0x16, AVX2, RF_W0 | RF_L1, VPERMD, Vx, Hx, Wx),
    AVX("PERMQ", 0F3A, 0x00, AVX2, RF_W1 | RF_L1, VPERMQ, Vx, Wx, Ib),
    AVX("PERMPD", 0F3A, 0x01, AVX2, RF_W1 | RF_L1, VPERMQ, Vx, Wx, Ib),
    AVX("PERMILPS", 0F38, 0x0c, AVX, RF_W0, VPERMILPS, Vx, Hx, Wx),
    AVX("PERMILPD", 0F38, 0x0d, AVX, RF_W0, VPERMILPD, Vx, Hx, Wx),
    AVX("PERMILPS", 0F3A, 0x04, AVX, RF_W0, PSHUFD, Vx, Wx, Ib),
    AVX("PERMILPD", 0F3A, 0x05, AVX, RF_W0, VPERMILPD_imm, Vx, Wx, Ib),
    AVX("PBLENDD", 0F3A, 0x02, AVX2, RF_W0, BLENDPS, Vx, Hx, Wx, Ib),

    /* ---- variable shifts, tests ---- */
    AVX("PSRLVD", 0F38, 0x45, AVX2, RF_W0, VPSRLVD, Vx, Hx, Wx),
    AVX("PSRLVQ", 0F38, 0x45, AVX2, RF_W1, VPSRLVQ, Vx, Hx, Wx),
    AVX("PSRAVD", 0F38, 0x46, AVX2, RF_W0, VPSRAVD, Vx, Hx, Wx),
    AVX("PSLLVD", 0F38, 0x47, AVX2, RF_W0, VPSLLVD, Vx, Hx, Wx),
    AVX("PSLLVQ", 0F38, 0x47, AVX2, RF_W1, VPSLLVQ, Vx, Hx, Wx),
    FLAGS_ROW("VTESTPS", 0x0e, VTESTPS),
    FLAGS_ROW("VTESTPD", 0x0f, VTESTPD),

    /* ---- masked moves, gathers ---- */
    MASKED("MASKMOVPS", 0x2c, AVX, RF_W0, VMASKMOVPS, Vx, Hx, Mx),
    MASKED("MASKMOVPD", 0x2d, AVX, RF_W0, VMASKMOVPD, Vx, Hx, Mx),
    MASKED("MASKMOVPS", 0x2e, AVX, RF_W0, VMASKMOVPS_store, Mx, Hx, Vx),
    MASKED("MASKMOVPD", 0x2f, AVX, RF_W0, VMASKMOVPD_store, Mx, Hx, Vx),
    MASKED("PMASKMOVD", 0x8c, AVX2, RF_W0, VMASKMOVPS, Vx, Hx, Mx),
    MASKED("PMASKMOVQ", 0x8c, AVX2, RF_W1, VMASKMOVPD, Vx, Hx, Mx),
    MASKED("PMASKMOVD", 0x8e, AVX2, RF_W0, VMASKMOVPS_store, Mx, Hx, Vx),
    MASKED("PMASKMOVQ", 0x8e, AVX2, RF_W1, VMASKMOVPD_store, Mx, Hx, Vx),
    GATHER("VPGATHERDD", 0x90, W0, VPGATHERDD),
    GATHER("VPGATHERDQ", 0x90, W1, VPGATHERDQ),
    GATHER("VPGATHERQD", 0x91, W0, VPGATHERQD),
    GATHER("VPGATHERQQ", 0x91, W1, VPGATHERQQ),
    GATHER("VGATHERDPS", 0x92, W0, VPGATHERDD),
    GATHER("VGATHERDPD", 0x92, W1, VPGATHERDQ),
    GATHER("VGATHERQPS", 0x93, W0, VPGATHERQD),
    GATHER("VGATHERQPD", 0x93, W1, VPGATHERQQ),
};
const unsigned x86_n_rows_avx = ARRAY_SIZE(x86_rows_avx);
