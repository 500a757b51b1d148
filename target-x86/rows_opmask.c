/* SPDX-License-Identifier: MIT */
/*
 * Rows of the opmask instructions (VEX-encoded). SDM vol. 2 under each mnemonic. The unit
 * in .ev is the width. Reference functions: vec_opmask.c.
 */
#include "target-x86/vec_rows.h"

#define ROW(nm, mp, o, p, wb, lb, ft, un, fl, ex, role, ...)                \
    {                                                                       \
        .name = nm, .enc = ENC_VEX, .map = MAP_##mp, .op = o, .pp = PP_##p, \
        .flags = RF_AVX | RF_AVX512 | RF_PLAIN | RF_##wb | RF_##lb | (fl),  \
        .feat = X86F_##ft, .ops = { __VA_ARGS__ }, .exec = x86_vec_##ex,    \
        .w = { ROLE_##role }, .ev = EV_##un                                 \
    }
/* widths: prefix and W */
#define W_B(nm, o, lb, ft, ex, role, ...) \
    ROW(nm "B", 0F, o, 66, W0, lb, ft, 8, 0, ex, role, __VA_ARGS__)
#define W_W(nm, o, lb, ft, ex, role, ...) \
    ROW(nm "W", 0F, o, NP, W0, lb, ft, 16, 0, ex, role, __VA_ARGS__)
#define W_DQ(nm, o, lb, ex, role, ...)                                      \
    ROW(nm "D", 0F, o, 66, W1, lb, AVX512BW, 32, 0, ex, role, __VA_ARGS__), \
        ROW(nm "Q", 0F, o, NP, W1, lb, AVX512BW, 64, 0, ex, role, __VA_ARGS__)
#define THREE(nm, o, ftw)                         \
    W_B(#nm, o, L1, AVX512DQ, nm, W, KG, KH, KN), \
        W_W(#nm, o, L1, ftw, nm, W, KG, KH, KN), W_DQ(#nm, o, L1, nm, W, KG, KH, KN)
#define TWO(nm, o, ftw, role)                                                            \
    W_B(#nm, o, L0, AVX512DQ, nm, role, KG, KN), W_W(#nm, o, L0, ftw, nm, role, KG, KN), \
        W_DQ(#nm, o, L0, nm, role, KG, KN)
#define SHIFT(nm, o)                                                               \
    ROW(#nm "B", 0F3A, o, 66, W0, L0, AVX512DQ, 8, 0, nm, W, KG, KN, Ib),          \
        ROW(#nm "W", 0F3A, o, 66, W1, L0, AVX512F, 16, 0, nm, W, KG, KN, Ib),      \
        ROW(#nm "D", 0F3A, o + 1, 66, W0, L0, AVX512BW, 32, 0, nm, W, KG, KN, Ib), \
        ROW(#nm "Q", 0F3A, o + 1, 66, W1, L0, AVX512BW, 64, 0, nm, W, KG, KN, Ib)
/* they write the status flags */
#define FLAGS_ROW(nm, o, p, wb, ft, un, ex)                                          \
    {                                                                                \
        .name = nm, .enc = ENC_VEX, .map = MAP_0F, .op = o, .pp = PP_##p,            \
        .flags = RF_AVX | RF_AVX512 | RF_PLAIN | RF_##wb | RF_L0, .feat = X86F_##ft, \
        .ops = { KG, KN }, .exec = x86_vec_##ex, .fl_def = FL_STATUS, .ev = EV_##un  \
    }
#define TEST(nm, o, ftw)                                 \
    FLAGS_ROW(#nm "B", o, 66, W0, AVX512DQ, 8, nm),      \
        FLAGS_ROW(#nm "W", o, NP, W0, ftw, 16, nm),      \
        FLAGS_ROW(#nm "D", o, 66, W1, AVX512BW, 32, nm), \
        FLAGS_ROW(#nm "Q", o, NP, W1, AVX512BW, 64, nm)

const X86Row x86_rows_opmask[] = {
    THREE(KAND, 0x41, AVX512F),
    THREE(KANDN, 0x42, AVX512F),
    THREE(KOR, 0x45, AVX512F),
    THREE(KXNOR, 0x46, AVX512F),
    THREE(KXOR, 0x47, AVX512F),
    THREE(KADD, 0x4a, AVX512DQ),
    TWO(KNOT, 0x44, AVX512F, W),
    ROW("KUNPCKBW", 0F, 0x4b, 66, W0, L1, AVX512F, 16, 0, KUNPCK, W, KG, KH, KN),
    ROW("KUNPCKWD", 0F, 0x4b, NP, W0, L1, AVX512BW, 32, 0, KUNPCK, W, KG, KH, KN),
    ROW("KUNPCKDQ", 0F, 0x4b, NP, W1, L1, AVX512BW, 64, 0, KUNPCK, W, KG, KH, KN),
    ROW("KMOVB", 0F, 0x90, 66, W0, L0, AVX512DQ, 8, 0, KMOV, W, KG, KEb),
    ROW("KMOVW", 0F, 0x90, NP, W0, L0, AVX512F, 16, 0, KMOV, W, KG, KEw),
    ROW("KMOVD", 0F, 0x90, 66, W1, L0, AVX512BW, 32, 0, KMOV, W, KG, KEd),
    ROW("KMOVQ", 0F, 0x90, NP, W1, L0, AVX512BW, 64, 0, KMOV, W, KG, KEq),
    ROW("KMOVB", 0F, 0x91, 66, W0, L0, AVX512DQ, 8, RF_MEM, KMOV, W, KEb, KG),
    ROW("KMOVW", 0F, 0x91, NP, W0, L0, AVX512F, 16, RF_MEM, KMOV, W, KEw, KG),
    ROW("KMOVD", 0F, 0x91, 66, W1, L0, AVX512BW, 32, RF_MEM, KMOV, W, KEd, KG),
    ROW("KMOVQ", 0F, 0x91, NP, W1, L0, AVX512BW, 64, RF_MEM, KMOV, W, KEq, KG),
    ROW("KMOVB", 0F, 0x92, 66, W0, L0, AVX512DQ, 8, 0, KMOV, W, KG, Rd),
    ROW("KMOVW", 0F, 0x92, NP, W0, L0, AVX512F, 16, 0, KMOV, W, KG, Rd),
    ROW("KMOVD", 0F, 0x92, F2, W0, L0, AVX512BW, 32, 0, KMOV, W, KG, Rd),
    ROW("KMOVQ", 0F, 0x92, F2, W1, L0, AVX512BW, 64, RF_ONLY64, KMOV, W, KG, Rq),
    ROW("KMOVB", 0F, 0x93, 66, W0, L0, AVX512DQ, 8, 0, KMOV, W, Gd, KN),
    ROW("KMOVW", 0F, 0x93, NP, W0, L0, AVX512F, 16, 0, KMOV, W, Gd, KN),
    ROW("KMOVD", 0F, 0x93, F2, W0, L0, AVX512BW, 32, 0, KMOV, W, Gd, KN),
    ROW("KMOVQ", 0F, 0x93, F2, W1, L0, AVX512BW, 64, RF_ONLY64, KMOV, W, Gq, KN),
    TEST(KORTEST, 0x98, AVX512F),
    TEST(KTEST, 0x99, AVX512DQ),
    SHIFT(KSHIFTR, 0x30),
    SHIFT(KSHIFTL, 0x32),
};
const unsigned x86_n_rows_opmask = ARRAY_SIZE(x86_rows_opmask);
