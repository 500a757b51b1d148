/* SPDX-License-Identifier: MIT */
/*
 * Rows of MMX and of the MMX-register instructions SSE, SSE2 and SSSE3 added.
 * SDM vol. 2 under each mnemonic. The conversions between MMX and XMM registers
 * (CVTPI2PS...) are in rows_sse_fp.c. Reference functions: vec_*.c.
 */
#include "target-x86/vec_rows.h"

/* name, opcode, feature, exec, role of operand 0, operands */
#define MMX(nm, mp, o, ft, ex, role, ...)                                                 \
    { .name = nm, .enc = ENC_LEGACY, .map = MAP_##mp, .op = o, .pp = PP_NP,               \
      .flags = RF_MMX | RF_PLAIN, .feat = X86F_##ft, .ops = { __VA_ARGS__ },              \
      .exec = x86_vec_##ex, .w = { ROLE_##role } }
/* dst op= src */
#define M3(nm, o, ft) MMX(#nm, 0F, o, ft, nm, RW, Pq, Qq)
#define M3S(nm, o) MMX(#nm, 0F38, o, SSSE3, nm, RW, Pq, Qq)
/* shift by immediate: opcode, ModRM.reg */
#define MSI(nm, o, n)                                                                     \
    { .name = #nm, .enc = ENC_LEGACY, .map = MAP_0F, .op = o, .pp = PP_NP, .ext = EXT(n), \
      .flags = RF_MMX | RF_PLAIN, .feat = X86F_MMX, .ops = { Nq, Ib },                    \
      .exec = x86_vec_##nm, .w = { ROLE_RW } }

const X86Row x86_rows_mmx[] = {
    MMX("PUNPCKLWD", 0F, 0x61, MMX, PUNPCKLWD, RW, Pq, Qd),
    MMX("PUNPCKLBW", 0F, 0x60, MMX, PUNPCKLBW, RW, Pq, Qd),
    MMX("PUNPCKLDQ", 0F, 0x62, MMX, PUNPCKLDQ, RW, Pq, Qd),
    M3(PACKSSWB, 0x63, MMX),
    M3(PCMPGTB, 0x64, MMX),
    M3(PCMPGTW, 0x65, MMX),
    M3(PCMPGTD, 0x66, MMX),
    M3(PACKUSWB, 0x67, MMX),
    M3(PUNPCKHBW, 0x68, MMX),
    M3(PUNPCKHWD, 0x69, MMX),
    M3(PUNPCKHDQ, 0x6a, MMX),
    M3(PACKSSDW, 0x6b, MMX),
    MMX("MOVD", 0F, 0x6e, MMX, MOV, W, Pq, Ey),
    MMX("MOVQ", 0F, 0x6f, MMX, MOV, W, Pq, Qq),
    MMX("PSHUFW", 0F, 0x70, SSE, PSHUFW, W, Pq, Qq, Ib),
    MSI(PSRLW, 0x71, 2),
    MSI(PSRAW, 0x71, 4),
    MSI(PSLLW, 0x71, 6),
    MSI(PSRLD, 0x72, 2),
    MSI(PSRAD, 0x72, 4),
    MSI(PSLLD, 0x72, 6),
    MSI(PSRLQ, 0x73, 2),
    MSI(PSLLQ, 0x73, 6),
    M3(PCMPEQB, 0x74, MMX),
    M3(PCMPEQW, 0x75, MMX),
    M3(PCMPEQD, 0x76, MMX),
    { .name = "EMMS", .map = MAP_0F, .op = 0x77, .pp = PP_NP, .flags = RF_MMX | RF_PLAIN,
      .feat = X86F_MMX, .exec = x86_vec_EMMS },
    MMX("MOVD", 0F, 0x7e, MMX, MOV, W, Ey, Py),
    MMX("MOVQ", 0F, 0x7f, MMX, MOV, W, Qq, Pq),
    MMX("PINSRW", 0F, 0xc4, SSE, PINSRW, RW, Pq, Rd, Ib),
    MMX("PINSRW", 0F, 0xc4, SSE, PINSRW, RW, Pq, Mw, Ib),
    MMX("PEXTRW", 0F, 0xc5, SSE, PEXTRW, W, Gd, Nq, Ib),
    M3(PSRLW, 0xd1, MMX),
    M3(PSRLD, 0xd2, MMX),
    M3(PSRLQ, 0xd3, MMX),
    M3(PADDQ, 0xd4, SSE2),
    M3(PMULLW, 0xd5, MMX),
    MMX("PMOVMSKB", 0F, 0xd7, SSE, PMOVMSKB, W, Gd, Nq),
    M3(PSUBUSB, 0xd8, MMX),
    M3(PSUBUSW, 0xd9, MMX),
    M3(PMINUB, 0xda, SSE),
    M3(PAND, 0xdb, MMX),
    M3(PADDUSB, 0xdc, MMX),
    M3(PADDUSW, 0xdd, MMX),
    M3(PMAXUB, 0xde, SSE),
    M3(PANDN, 0xdf, MMX),
    M3(PAVGB, 0xe0, SSE),
    M3(PSRAW, 0xe1, MMX),
    M3(PSRAD, 0xe2, MMX),
    M3(PAVGW, 0xe3, SSE),
    M3(PMULHUW, 0xe4, SSE),
    M3(PMULHW, 0xe5, MMX),
    MMX("MOVNTQ", 0F, 0xe7, SSE, MOV, W, Mq, Pq),
    M3(PSUBSB, 0xe8, MMX),
    M3(PSUBSW, 0xe9, MMX),
    M3(PMINSW, 0xea, SSE),
    M3(POR, 0xeb, MMX),
    M3(PADDSB, 0xec, MMX),
    M3(PADDSW, 0xed, MMX),
    M3(PMAXSW, 0xee, SSE),
    M3(PXOR, 0xef, MMX),
    M3(PSLLW, 0xf1, MMX),
    M3(PSLLD, 0xf2, MMX),
    M3(PSLLQ, 0xf3, MMX),
    M3(PMULUDQ, 0xf4, SSE2),
    M3(PMADDWD, 0xf5, MMX),
    M3(PSADBW, 0xf6, SSE),
    /* stores to DS:rDI: not RF_PLAIN */
    { .name = "MASKMOVQ", .map = MAP_0F, .op = 0xf7, .pp = PP_NP, .flags = RF_MMX,
      .feat = X86F_SSE, .ops = { Pq, Nq }, .exec = x86_vec_MASKMOV },
    M3(PSUBB, 0xf8, MMX),
    M3(PSUBW, 0xf9, MMX),
    M3(PSUBD, 0xfa, MMX),
    M3(PSUBQ, 0xfb, SSE2),
    M3(PADDB, 0xfc, MMX),
    M3(PADDW, 0xfd, MMX),
    M3(PADDD, 0xfe, MMX),
    M3S(PSHUFB, 0x00),
    M3S(PHADDW, 0x01),
    M3S(PHADDD, 0x02),
    M3S(PHADDSW, 0x03),
    M3S(PMADDUBSW, 0x04),
    M3S(PHSUBW, 0x05),
    M3S(PHSUBD, 0x06),
    M3S(PHSUBSW, 0x07),
    M3S(PSIGNB, 0x08),
    M3S(PSIGNW, 0x09),
    M3S(PSIGND, 0x0a),
    M3S(PMULHRSW, 0x0b),
    MMX("PABSB", 0F38, 0x1c, SSSE3, PABSB, W, Pq, Qq),
    MMX("PABSW", 0F38, 0x1d, SSSE3, PABSW, W, Pq, Qq),
    MMX("PABSD", 0F38, 0x1e, SSSE3, PABSD, W, Pq, Qq),
    MMX("PALIGNR", 0F3A, 0x0f, SSSE3, PALIGNR, RW, Pq, Qq, Ib),
};
const unsigned x86_n_rows_mmx = ARRAY_SIZE(x86_rows_mmx);
