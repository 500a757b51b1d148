/* SPDX-License-Identifier: MIT */
/*
 * The vector reference functions by name, for the row tables. Each is named by the
 * manual's mnemonic and serves every encoding of it (vec.h); one row's name may be
 * another's function where the operation is the same (ANDPS is PAND).
 */
#ifndef TARGET_X86_VEC_EXEC_H
#define TARGET_X86_VEC_EXEC_H

#include "target-x86/insn.h"

X86ExecFn x86_vec_VBROADCAST, x86_vec_VINSERTF128, x86_vec_VEXTRACTF128,
    x86_vec_VPERM2F128, x86_vec_VPERMD, x86_vec_VPERMQ, x86_vec_VPERMILPS,
    x86_vec_VPERMILPD, x86_vec_VPERMILPD_imm, x86_vec_VMASKMOVPS, x86_vec_VMASKMOVPD,
    x86_vec_VMASKMOVPS_store, x86_vec_VMASKMOVPD_store, x86_vec_VPGATHERDD,
    x86_vec_VPGATHERDQ, x86_vec_VPGATHERQD, x86_vec_VPGATHERQQ, x86_vec_VZEROUPPER,
    x86_vec_VZEROALL, x86_vec_AESENC, x86_vec_AESENCLAST, x86_vec_AESDEC,
    x86_vec_AESDECLAST, x86_vec_AESIMC, x86_vec_AESKEYGENASSIST, x86_vec_PCLMULQDQ,
    x86_vec_GF2P8MULB, x86_vec_GF2P8AFFINEQB, x86_vec_GF2P8AFFINEINVQB,
    x86_vec_SHA1RNDS4, x86_vec_SHA1NEXTE, x86_vec_SHA1MSG1, x86_vec_SHA1MSG2,
    x86_vec_SHA256RNDS2, x86_vec_SHA256MSG1, x86_vec_SHA256MSG2, x86_vec_CVTDQ2PS,
    x86_vec_CVTDQ2PD, x86_vec_CVTSI2SS, x86_vec_CVTSI2SD, x86_vec_CVTPI2PS,
    x86_vec_CVTPI2PD, x86_vec_CVTPS2DQ, x86_vec_CVTTPS2DQ, x86_vec_CVTPD2DQ,
    x86_vec_CVTTPD2DQ, x86_vec_CVTPS2PI, x86_vec_CVTTPS2PI, x86_vec_CVTPD2PI,
    x86_vec_CVTTPD2PI, x86_vec_CVTSS2SI, x86_vec_CVTTSS2SI, x86_vec_CVTSD2SI,
    x86_vec_CVTTSD2SI, x86_vec_CVTPS2PD, x86_vec_CVTPD2PS, x86_vec_CVTSS2SD,
    x86_vec_CVTSD2SS, x86_vec_ROUNDPS, x86_vec_ROUNDPD, x86_vec_ROUNDSS, x86_vec_ROUNDSD,
    x86_vec_VCVTPH2PS, x86_vec_VCVTPS2PH, x86_vec_FMA, x86_vec_ADDPS, x86_vec_ADDPD,
    x86_vec_ADDSS, x86_vec_ADDSD, x86_vec_SUBPS, x86_vec_SUBPD, x86_vec_SUBSS,
    x86_vec_SUBSD, x86_vec_MULPS, x86_vec_MULPD, x86_vec_MULSS, x86_vec_MULSD,
    x86_vec_DIVPS, x86_vec_DIVPD, x86_vec_DIVSS, x86_vec_DIVSD, x86_vec_SQRTPS,
    x86_vec_SQRTPD, x86_vec_SQRTSS, x86_vec_SQRTSD, x86_vec_MINPS, x86_vec_MINPD,
    x86_vec_MINSS, x86_vec_MINSD, x86_vec_MAXPS, x86_vec_MAXPD, x86_vec_MAXSS,
    x86_vec_MAXSD, x86_vec_HADDPS, x86_vec_HADDPD, x86_vec_HSUBPS, x86_vec_HSUBPD,
    x86_vec_ADDSUBPS, x86_vec_ADDSUBPD, x86_vec_CMPPS, x86_vec_CMPPD, x86_vec_CMPSS,
    x86_vec_CMPSD, x86_vec_COMISS, x86_vec_COMISD, x86_vec_UCOMISS, x86_vec_UCOMISD,
    x86_vec_DPPS, x86_vec_DPPD, x86_vec_RCPPS, x86_vec_RCPSS, x86_vec_RSQRTPS,
    x86_vec_RSQRTSS, x86_vec_PADDB, x86_vec_PSUBB, x86_vec_PADDSB, x86_vec_PSUBSB,
    x86_vec_PADDUSB, x86_vec_PSUBUSB, x86_vec_PCMPEQB, x86_vec_PCMPGTB, x86_vec_PMINUB,
    x86_vec_PMAXUB, x86_vec_PMINSB, x86_vec_PMAXSB, x86_vec_PAVGB, x86_vec_PSIGNB,
    x86_vec_PABSB, x86_vec_PADDW, x86_vec_PSUBW, x86_vec_PADDSW, x86_vec_PSUBSW,
    x86_vec_PADDUSW, x86_vec_PSUBUSW, x86_vec_PCMPEQW, x86_vec_PCMPGTW, x86_vec_PMINUW,
    x86_vec_PMAXUW, x86_vec_PMINSW, x86_vec_PMAXSW, x86_vec_PAVGW, x86_vec_PMULLW,
    x86_vec_PMULHW, x86_vec_PMULHUW, x86_vec_PMULHRSW, x86_vec_PSIGNW, x86_vec_PABSW,
    x86_vec_PMADDUBSW, x86_vec_PADDD, x86_vec_PSUBD, x86_vec_PCMPEQD, x86_vec_PCMPGTD,
    x86_vec_PMINUD, x86_vec_PMAXUD, x86_vec_PMINSD, x86_vec_PMAXSD, x86_vec_PMULLD,
    x86_vec_PSIGND, x86_vec_PABSD, x86_vec_PMADDWD, x86_vec_VPSRLVD, x86_vec_VPSLLVD,
    x86_vec_VPSRAVD, x86_vec_PADDQ, x86_vec_PSUBQ, x86_vec_PCMPEQQ, x86_vec_PCMPGTQ,
    x86_vec_PMULUDQ, x86_vec_PMULDQ, x86_vec_PAND, x86_vec_PANDN, x86_vec_POR,
    x86_vec_PXOR, x86_vec_VPSRLVQ, x86_vec_VPSLLVQ, x86_vec_PSADBW, x86_vec_MPSADBW,
    x86_vec_PHADDW, x86_vec_PHADDD, x86_vec_PHADDSW, x86_vec_PHSUBW, x86_vec_PHSUBD,
    x86_vec_PHSUBSW, x86_vec_PHMINPOSUW, x86_vec_PSRLW, x86_vec_PSRLD, x86_vec_PSRLQ,
    x86_vec_PSLLW, x86_vec_PSLLD, x86_vec_PSLLQ, x86_vec_PSRAW, x86_vec_PSRAD,
    x86_vec_PSRLDQ, x86_vec_PSLLDQ, x86_vec_PTEST, x86_vec_VTESTPS, x86_vec_VTESTPD,
    x86_vec_PACKSSWB, x86_vec_PACKUSWB, x86_vec_PACKSSDW, x86_vec_PACKUSDW, x86_vec_MOV,
    x86_vec_MOVSS, x86_vec_MOVSD, x86_vec_MOVHPS, x86_vec_MOVHLPS, x86_vec_MOVHPS_store,
    x86_vec_MOVDDUP, x86_vec_MOVSLDUP, x86_vec_MOVSHDUP, x86_vec_LDMXCSR,
    x86_vec_STMXCSR, x86_vec_EMMS, x86_vec_MASKMOV, x86_vec_PUNPCKLBW, x86_vec_PUNPCKLWD,
    x86_vec_PUNPCKLDQ, x86_vec_PUNPCKLQDQ, x86_vec_PUNPCKHBW, x86_vec_PUNPCKHWD,
    x86_vec_PUNPCKHDQ, x86_vec_PUNPCKHQDQ, x86_vec_PSHUFB, x86_vec_PSHUFW,
    x86_vec_PSHUFLW, x86_vec_PSHUFHW, x86_vec_PSHUFD, x86_vec_SHUFPS, x86_vec_PALIGNR,
    x86_vec_SHUFPD, x86_vec_PBLENDW, x86_vec_BLENDPS, x86_vec_BLENDPD, x86_vec_PBLENDVB,
    x86_vec_BLENDVPS, x86_vec_BLENDVPD, x86_vec_PINSRB, x86_vec_PINSRW, x86_vec_PINSRD,
    x86_vec_INSERTPS, x86_vec_PEXTRB, x86_vec_PEXTRW, x86_vec_PEXTRD, x86_vec_PMOVMSKB,
    x86_vec_MOVMSKPS, x86_vec_MOVMSKPD, x86_vec_PMOVSXBW, x86_vec_PMOVSXBD,
    x86_vec_PMOVSXBQ, x86_vec_PMOVSXWD, x86_vec_PMOVSXWQ, x86_vec_PMOVSXDQ,
    x86_vec_PMOVZXBW, x86_vec_PMOVZXBD, x86_vec_PMOVZXBQ, x86_vec_PMOVZXWD,
    x86_vec_PMOVZXWQ, x86_vec_PMOVZXDQ, x86_vec_PCMPESTRI, x86_vec_PCMPISTRI,
    x86_vec_PCMPESTRM, x86_vec_PCMPISTRM,
    x86_vec_EXTRQ, x86_vec_INSERTQ;

#endif
