/* SPDX-License-Identifier: MIT */
/*
 * Row macros of the EVEX tables (rows_evex.c, rows_evex_fp.c). Only those include this.
 * EVEX: name (without V), map, opcode, prefix, W, feature, EV_* bits, exec, role of
 * operand 0, operands. All forms may be re-emitted natively but those with XEVEX.
 */
#ifndef TARGET_X86_EVEX_ROWS_H
#define TARGET_X86_EVEX_ROWS_H

#include "target-x86/vec_rows.h"

#define RF_WIG 0
#define EVEX_FL(nm, mp, o, p, wb, ft, e, fl, ex, role, ...)                           \
    {                                                                                 \
        .name = "V" nm, .enc = ENC_EVEX, .map = MAP_##mp, .op = o, .pp = PP_##p,      \
        .flags = RF_AVX | RF_AVX512 | RF_##wb | (fl), .feat = X86F_##ft,              \
        .ops = { __VA_ARGS__ }, .exec = x86_vec_##ex, .w = { ROLE_##role }, .ev = (e) \
    }
#define EVEX(nm, mp, o, p, wb, ft, e, ex, role, ...) \
    EVEX_FL(nm, mp, o, p, wb, ft, e, RF_PLAIN, ex, role, __VA_ARGS__)
#define XEVEX(nm, mp, o, p, wb, ft, e, ex, role, ...) \
    EVEX_FL(nm, mp, o, p, wb, ft, e, 0, ex, role, __VA_ARGS__)

#define EV_ANY (EV_L128 | EV_L256 | EV_L512)
#define EV_BIG (EV_L256 | EV_L512)
#define EV_KZ (EV_K | EV_ZM)

/* dst = a op b, any length, masked by units of u bits; x: more EV_* bits */
#define P3(nm, mp, o, wb, ft, u, x, ex) \
    EVEX(nm, mp, o, 66, wb, ft, EV_##u | EV_ANY | EV_KZ | (x), ex, W, Vx, Hx, Wx)
#define P3I(nm, mp, o, wb, ft, u, x, ex) \
    EVEX(nm, mp, o, 66, wb, ft, EV_##u | EV_ANY | EV_KZ | (x), ex, W, Vx, Hx, Wx, Ib)
#define P2(nm, mp, o, p, wb, ft, u, x, ex) \
    EVEX(nm, mp, o, p, wb, ft, EV_##u | EV_ANY | EV_KZ | (x), ex, W, Vx, Wx)
#define P2I(nm, mp, o, p, wb, ft, u, x, ex) \
    EVEX(nm, mp, o, p, wb, ft, EV_##u | EV_ANY | EV_KZ | (x), ex, W, Vx, Wx, Ib)
/* the destination is the first source too */
#define P3RW(nm, mp, o, p, wb, ft, u, x, ex) \
    EVEX(nm, mp, o, p, wb, ft, EV_##u | EV_ANY | EV_KZ | (x), ex, RW, Vx, Hx, Wx)
/* D and Q forms, broadcast allowed */
#define DQ3(nm, mp, o, ft, x, exd, exq)              \
    P3(nm "D", mp, o, W0, ft, 32, EV_BC | (x), exd), \
        P3(nm "Q", mp, o, W1, ft, 64, EV_BC | (x), exq)
/* PS and PD forms in map 0F38/0F3A (W chooses) */
#define FP3W(nm, o, ft, x, ex)                         \
    P3(nm "PS", 0F38, o, W0, ft, 32, EV_BC | (x), ex), \
        P3(nm "PD", 0F38, o, W1, ft, 64, EV_BC | (x), ex)
/* result in an opmask */
#define TOK(nm, mp, o, p, wb, ft, u, x, ex) \
    EVEX(nm, mp, o, p, wb, ft, EV_##u | EV_ANY | EV_K | (x), ex, W, KG, Hx, Wx)
#define TOKI(nm, mp, o, p, wb, ft, u, x, ex) \
    EVEX(nm, mp, o, p, wb, ft, EV_##u | EV_ANY | EV_K | (x), ex, W, KG, Hx, Wx, Ib)

#endif
