/* SPDX-License-Identifier: MIT */
/*
 * Conversions and roundings of SSE to SSE4.1, AVX and F16C, and fused multiply-add.
 * SDM vol. 2 under each mnemonic; vol. 1, 14.4 (F16C) and 14.5 (FMA). Heavy code.
 */
#include "target-x86/fpu.h"
#include "target-x86/vec_fp.h"

/* The conversions with an MMX register enter MMX mode even if they then raise #XM (seen
 * on an EPYC; the manuals are silent). A memory source does not count: vol. 2, CVTPI2PS. */
static void fp_end_mmx(X86Cpu *cpu, const X86Insn *in, SfStatus *e)
{
    if (in->op[0].kind == OPND_MMX || in->op[1].kind == OPND_MMX) {
        x86_mmx_enter(cpu);
    }
    fp_end(cpu, e);
}

/* ---- integer to floating point ---- */
void x86_vec_CVTDQ2PS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 4; i++) {
        d.d[i] = sf32_from_i64(s.sd[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_CVTDQ2PD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 8; i++) {
        d.q[i] = sf64_from_i64(s.sd[i], &e);
    }
    x86_vec_done(cpu, in, &d);
}

/* The integer source is signed, 32 or 64 bits by operand size. */
static int64_t int_source(const X86Insn *in, const X86Vec *s)
{
    return in->op[in->nops - 1].size == 8 ? s->sq[0] : s->sd[0];
}

void x86_vec_CVTSI2SS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].d[0] = sf32_from_i64(int_source(in, &s[1]), &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

void x86_vec_CVTSI2SD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = sf64_from_i64(int_source(in, &s[1]), &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

void x86_vec_CVTPI2PS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < 2; i++) {
        s[0].d[i] = sf32_from_i64(s[1].sd[i], &e);
    }
    fp_end_mmx(cpu, in, &e);
    x86_vec_done(cpu, in, &s[0]);
}

void x86_vec_CVTPI2PD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < 2; i++) {
        d.q[i] = sf64_from_i64(s.sd[i], &e);
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- floating point to integer ---- */
static void ps_to_int(X86Cpu *cpu, const X86Insn *in, unsigned n, bool trunc)
{
    X86Vec s, d;
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < n; i++) {
        d.d[i] = sf32_to_i32(s.d[i], trunc, &e);
    }
    fp_end_mmx(cpu, in, &e);
    x86_vec_done(cpu, in, &d);
}

/* The result has half the source's length. */
static void pd_to_int(X86Cpu *cpu, const X86Insn *in, unsigned n, bool trunc)
{
    X86Vec s, d = { 0 };
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < n; i++) {
        d.d[i] = sf64_to_i32(s.q[i], trunc, &e);
    }
    fp_end_mmx(cpu, in, &e);
    x86_vec_done_len(cpu, in, &d, MAX(x86_vec_len(in) / 2, 16u));
}

void x86_vec_CVTPS2DQ(X86Cpu *cpu, const X86Insn *in)
{
    ps_to_int(cpu, in, x86_vec_len(in) / 4, false);
}

void x86_vec_CVTTPS2DQ(X86Cpu *cpu, const X86Insn *in)
{
    ps_to_int(cpu, in, x86_vec_len(in) / 4, true);
}

void x86_vec_CVTPD2DQ(X86Cpu *cpu, const X86Insn *in)
{
    pd_to_int(cpu, in, x86_vec_len(in) / 8, false);
}

void x86_vec_CVTTPD2DQ(X86Cpu *cpu, const X86Insn *in)
{
    pd_to_int(cpu, in, x86_vec_len(in) / 8, true);
}

void x86_vec_CVTPS2PI(X86Cpu *cpu, const X86Insn *in) { ps_to_int(cpu, in, 2, false); }
void x86_vec_CVTTPS2PI(X86Cpu *cpu, const X86Insn *in) { ps_to_int(cpu, in, 2, true); }
void x86_vec_CVTPD2PI(X86Cpu *cpu, const X86Insn *in) { pd_to_int(cpu, in, 2, false); }
void x86_vec_CVTTPD2PI(X86Cpu *cpu, const X86Insn *in) { pd_to_int(cpu, in, 2, true); }

static void scalar_to_int(X86Cpu *cpu, const X86Insn *in, unsigned w, bool trunc)
{
    X86Vec s;
    SfStatus e = fp_begin(cpu, in);
    bool wide = in->op[0].size == 8;
    uint64_t v;
    x86_vec_read(cpu, in, 1, &s);
    if (w == 32) {
        v = wide ? sf32_to_i64(s.d[0], trunc, &e) : sf32_to_i32(s.d[0], trunc, &e);
    } else {
        v = wide ? sf64_to_i64(s.q[0], trunc, &e) : sf64_to_i32(s.q[0], trunc, &e);
    }
    fp_end(cpu, &e);
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, v);
}

void x86_vec_CVTSS2SI(X86Cpu *cpu, const X86Insn *in) { scalar_to_int(cpu, in, 32, false); }
void x86_vec_CVTTSS2SI(X86Cpu *cpu, const X86Insn *in) { scalar_to_int(cpu, in, 32, true); }
void x86_vec_CVTSD2SI(X86Cpu *cpu, const X86Insn *in) { scalar_to_int(cpu, in, 64, false); }
void x86_vec_CVTTSD2SI(X86Cpu *cpu, const X86Insn *in) { scalar_to_int(cpu, in, 64, true); }

/* ---- between formats ---- */
void x86_vec_CVTPS2PD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 8; i++) {
        d.q[i] = sf64_from_sf32(s.d[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_CVTPD2PS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d = { 0 };
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 8; i++) {
        d.d[i] = sf32_from_sf64(s.q[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &d, MAX(x86_vec_len(in) / 2, 16u));
}

void x86_vec_CVTSS2SD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = sf64_from_sf32(s[1].d[0], &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

void x86_vec_CVTSD2SS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].d[0] = sf32_from_sf64(s[1].q[0], &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

/* ---- ROUNDxx: imm 1:0 rounding, 2 use MXCSR's, 3 no PE ---- */
static SfStatus round_begin(X86Cpu *cpu, const X86Insn *in)
{
    SfStatus e = fp_begin(cpu, in);
    if (!(in->imm & 4)) {
        e.rmode = in->imm & 3;
    }
    return e;
}

static void round_end(X86Cpu *cpu, const X86Insn *in, SfStatus *e)
{
    if (in->imm & 8) {
        e->flags &= ~SF_PE;
    }
    fp_end(cpu, e);
}

void x86_vec_ROUNDPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    SfStatus e = round_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 4; i++) {
        d.d[i] = sf32_rint(s.d[i], &e);
    }
    round_end(cpu, in, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_ROUNDPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    SfStatus e = round_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 8; i++) {
        d.q[i] = sf64_rint(s.q[i], &e);
    }
    round_end(cpu, in, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_ROUNDSS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = round_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].d[0] = sf32_rint(s[1].d[0], &e);
    round_end(cpu, in, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

void x86_vec_ROUNDSD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = round_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = sf64_rint(s[1].q[0], &e);
    round_end(cpu, in, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

/* ---- half precision; DAZ and FTZ do not touch the 16-bit side ---- */
void x86_vec_VCVTPH2PS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < in->vl / 4; i++) {
        d.d[i] = sf32_from_sf16(s.w[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_VCVTPS2PH(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d = { 0 };
    SfStatus e = fp_begin(cpu, in);
    if (!(in->imm & 4)) {
        e.rmode = in->imm & 3;
    }
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < in->vl / 4; i++) {
        d.w[i] = sf16_from_sf32(s.d[i], &e);
    }
    x86_vec_probe(cpu, in); /* a #PF must leave the sticky flags alone */
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &d, MAX(in->vl / 2, 16));
}

/* ---- fused multiply-add ---- */
/* Low nibble of the opcode: 6 addsub, 7 subadd, 8/9 add, A/B sub, C/D negated add, E/F
 * negated sub; odd numbers from 9 are scalar. High nibble: 9 = 132, A = 213, B = 231. */
static void fma_negations(unsigned op, unsigned lane, bool *product, bool *addend)
{
    unsigned k = op & 15;
    *product = k >= 12;
    *addend = k == 6 ? !(lane & 1) : k == 7 ? lane & 1 : k & 2;
}

/* NaNs keep their sign: which one comes out must not depend on the operation. */
static uint64_t negate(uint64_t v, unsigned size, bool yes)
{
    uint64_t sign = size == 4 ? 0x80000000 : 0x8000000000000000;
    uint64_t inf = size == 4 ? 0x7f800000 : 0x7ff0000000000000;
    return yes && (v & (sign - 1)) <= inf ? v ^ sign : v;
}

void x86_vec_FMA(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s), op = in->row->op;
    bool scalar = (op & 15) > 8 && (op & 1);
    static const uint8_t order[3][3] = { { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 } };
    const uint8_t *o = order[(op >> 4) - 9];
    unsigned size = in->row->flags & RF_W1 ? 8 : 4;
    X86Vec d = s[0];

    for (unsigned i = 0; i < (scalar ? 1 : n / size); i++) {
        bool neg_product, neg_addend;
        fma_negations(op, i, &neg_product, &neg_addend);
        if (size == 4) {
            d.d[i] = sf32_fma(negate(s[o[0]].d[i], 4, neg_product), s[o[1]].d[i],
                              negate(s[o[2]].d[i], 4, neg_addend), &e);
        } else {
            d.q[i] = sf64_fma(negate(s[o[0]].q[i], 8, neg_product), s[o[1]].q[i],
                              negate(s[o[2]].q[i], 8, neg_addend), &e);
        }
    }
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &d, scalar ? 16 : n);
}
