/* SPDX-License-Identifier: MIT */
/*
 * Vector data movement inside registers: unpacks, shuffles, blends, inserts, extracts,
 * sign and zero extension, of MMX, SSE..SSE4.1 and AVX forms, and AMD's SSE4A. AVX's own
 * permutes are in vec_avx.c. Heavy code.
 */
#include "target-x86/vec.h"

/* ---- unpacks: interleave the low or high halves of a and b ---- */
static void punpcklbw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 2; i++) {
        d->b[2 * i] = a->b[i];
        d->b[2 * i + 1] = b->b[i];
    }
}

static void punpckhbw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 2; i++) {
        d->b[2 * i] = a->b[n / 2 + i];
        d->b[2 * i + 1] = b->b[n / 2 + i];
    }
}

static void punpcklwd(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 4; i++) {
        d->w[2 * i] = a->w[i];
        d->w[2 * i + 1] = b->w[i];
    }
}

static void punpckhwd(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 4; i++) {
        d->w[2 * i] = a->w[n / 4 + i];
        d->w[2 * i + 1] = b->w[n / 4 + i];
    }
}

static void punpckldq(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 8; i++) {
        d->d[2 * i] = a->d[i];
        d->d[2 * i + 1] = b->d[i];
    }
}

static void punpckhdq(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 8; i++) {
        d->d[2 * i] = a->d[n / 8 + i];
        d->d[2 * i + 1] = b->d[n / 8 + i];
    }
}

static void punpcklqdq(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    *d = (X86Xmm){ .q = { a->q[0], b->q[0] } };
}

static void punpckhqdq(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    *d = (X86Xmm){ .q = { a->q[1], b->q[1] } };
}

VEC_EXEC(PUNPCKLBW, vec_lanes, punpcklbw)
VEC_EXEC(PUNPCKLWD, vec_lanes, punpcklwd)
VEC_EXEC(PUNPCKLDQ, vec_lanes, punpckldq)
VEC_EXEC(PUNPCKLQDQ, vec_lanes, punpcklqdq)
VEC_EXEC(PUNPCKHBW, vec_lanes, punpckhbw)
VEC_EXEC(PUNPCKHWD, vec_lanes, punpckhwd)
VEC_EXEC(PUNPCKHDQ, vec_lanes, punpckhdq)
VEC_EXEC(PUNPCKHQDQ, vec_lanes, punpckhqdq)

/* ---- shuffles within a lane; one-source forms take source a ---- */
static void pshufb(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n; i++) {
        d->b[i] = b->b[i] & 0x80 ? 0 : a->b[b->b[i] & (n - 1)];
    }
}

static void pshufw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < 4; i++) {
        d->w[i] = a->w[imm >> 2 * i & 3];
    }
}

static void pshuflw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    pshufw(d, a, b, n, imm);
    d->q[1] = a->q[1];
}

static void pshufhw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    d->q[0] = a->q[0];
    for (unsigned i = 0; i < 4; i++) {
        d->w[4 + i] = a->w[4 + (imm >> 2 * i & 3)];
    }
}

static void pshufd(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < 4; i++) {
        d->d[i] = a->d[imm >> 2 * i & 3];
    }
}

static void shufps(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    *d = (X86Xmm){ .d = { a->d[imm & 3], a->d[imm >> 2 & 3], b->d[imm >> 4 & 3],
                          b->d[imm >> 6 & 3] } };
}

static void palignr(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned at = i + imm;
        d->b[i] = at < n ? b->b[at] : at < 2 * n ? a->b[at - n] : 0;
    }
}

VEC_EXEC(PSHUFB, vec_lanes, pshufb)
VEC_EXEC(PSHUFW, vec_lanes, pshufw)
VEC_EXEC(PSHUFLW, vec_lanes, pshuflw)
VEC_EXEC(PSHUFHW, vec_lanes, pshufhw)
VEC_EXEC(PSHUFD, vec_lanes, pshufd)
VEC_EXEC(SHUFPS, vec_lanes, shufps)
VEC_EXEC(PALIGNR, vec_lanes, palignr)

/* SHUFPD has one immediate bit per result quadword, four of them in the 256-bit form. */
void x86_vec_SHUFPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = s[i & 1].q[(i & ~1u) + (in->imm >> i & 1)];
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- blends ---- */
void x86_vec_PBLENDW(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 2; i++) {
        d.w[i] = s[in->imm >> (i & 7) & 1].w[i];
    }
    x86_vec_done(cpu, in, &d);
}

/* BLENDPS and VPBLENDD: one immediate bit per doubleword. */
void x86_vec_BLENDPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = s[in->imm >> i & 1].d[i];
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_BLENDPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = s[in->imm >> i & 1].q[i];
    }
    x86_vec_done(cpu, in, &d);
}

/* Variable blends: the mask is XMM0 in legacy forms, the fourth operand in VEX ones. */
static unsigned blendv_fetch(X86Cpu *cpu, const X86Insn *in, X86Vec s[3])
{
    unsigned n = x86_vec_fetch(cpu, in, s);
    if (in->row->enc == ENC_LEGACY) {
        s[2].x[0] = *x86_xmm(cpu, 0);
    }
    return n;
}

void x86_vec_PBLENDVB(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = blendv_fetch(cpu, in, s);
    for (unsigned i = 0; i < n; i++) {
        d.b[i] = s[s[2].b[i] >> 7].b[i];
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_BLENDVPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = blendv_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = s[s[2].d[i] >> 31].d[i];
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_BLENDVPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = blendv_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = s[s[2].q[i] >> 63].q[i];
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- insert one element: source 0 is the vector, source 1 the element ---- */
void x86_vec_PINSRB(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    s[0].b[in->imm & 15] = s[1].b[0];
    x86_vec_done(cpu, in, &s[0]);
}

/* MMX form too: two index bits there. */
void x86_vec_PINSRW(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    unsigned n = x86_vec_fetch(cpu, in, s);
    s[0].w[in->imm & (n / 2 - 1)] = s[1].w[0];
    x86_vec_done(cpu, in, &s[0]);
}

void x86_vec_PINSRD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    if (in->op[in->nops - 2].size == 8) {
        s[0].q[in->imm & 1] = s[1].q[0];
    } else {
        s[0].d[in->imm & 3] = s[1].d[0];
    }
    x86_vec_done(cpu, in, &s[0]);
}

void x86_vec_INSERTPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    bool mem = in->is_mem; /* then bits 7:6 are ignored: there is one element */
    s[0].d[in->imm >> 4 & 3] = s[1].d[mem ? 0 : in->imm >> 6 & 3];
    for (unsigned i = 0; i < 4; i++) {
        if (in->imm >> i & 1) {
            s[0].d[i] = 0;
        }
    }
    x86_vec_done(cpu, in, &s[0]);
}

/* ---- extract one element: operand 0 is the destination, 1 the vector ---- */
void x86_vec_PEXTRB(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    x86_vec_done(cpu, in, &(X86Vec){ .q = { s.b[in->imm & 15] } });
}

void x86_vec_PEXTRW(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    unsigned mask = x86_vec_len(in) == 8 ? 3 : 7;
    x86_vec_done(cpu, in, &(X86Vec){ .q = { s.w[in->imm & mask] } });
}

/* PEXTRD, PEXTRQ by the destination's size, and EXTRACTPS. */
void x86_vec_PEXTRD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    uint64_t v = in->op[0].size == 8 ? s.q[in->imm & 1] : s.d[in->imm & 3];
    x86_vec_done(cpu, in, &(X86Vec){ .q = { v } });
}

/* ---- sign masks ---- */
void x86_vec_PMOVMSKB(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    uint32_t m = 0;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in); i++) {
        m |= (uint32_t)(s.b[i] >> 7) << i;
    }
    x86_vec_done(cpu, in, &(X86Vec){ .q = { m } });
}

void x86_vec_MOVMSKPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    uint32_t m = 0;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 4; i++) {
        m |= s.d[i] >> 31 << i;
    }
    x86_vec_done(cpu, in, &(X86Vec){ .q = { m } });
}

void x86_vec_MOVMSKPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    uint32_t m = 0;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < x86_vec_len(in) / 8; i++) {
        m |= s.q[i] >> 63 << i;
    }
    x86_vec_done(cpu, in, &(X86Vec){ .q = { m } });
}

/* ---- sign and zero extension: `from` bytes to `to` bytes ---- */
static void extend(X86Cpu *cpu, const X86Insn *in, unsigned from, unsigned to, bool sign)
{
    X86Vec s, d = { 0 };
    unsigned len = x86_vec_len(in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < len / to; i++) {
        uint64_t v = from == 1 ? s.b[i] : from == 2 ? s.w[i] : s.d[i];
        if (sign) {
            v = sext(v, from * 8);
        }
        if (to == 2) {
            d.w[i] = v;
        } else if (to == 4) {
            d.d[i] = v;
        } else {
            d.q[i] = v;
        }
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PMOVSXBW(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 1, 2, true); }
void x86_vec_PMOVSXBD(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 1, 4, true); }
void x86_vec_PMOVSXBQ(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 1, 8, true); }
void x86_vec_PMOVSXWD(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 2, 4, true); }
void x86_vec_PMOVSXWQ(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 2, 8, true); }
void x86_vec_PMOVSXDQ(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 4, 8, true); }
void x86_vec_PMOVZXBW(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 1, 2, false); }
void x86_vec_PMOVZXBD(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 1, 4, false); }
void x86_vec_PMOVZXBQ(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 1, 8, false); }
void x86_vec_PMOVZXWD(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 2, 4, false); }
void x86_vec_PMOVZXWQ(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 2, 8, false); }
void x86_vec_PMOVZXDQ(X86Cpu *cpu, const X86Insn *in) { extend(cpu, in, 4, 8, false); }

/* ---- SSE4A bit fields, AMD APM vol. 4, EXTRQ and INSERTQ. Length 0 means 64. What the
 * manual leaves undefined (field past the quadword, upper quadword) is as on an EPYC. ---- */
static uint64_t field_mask(unsigned len)
{
    len &= 63;
    return len ? (1ull << len) - 1 : ~0ull;
}

/* The last operand is a register with length and start in its bytes, or the immediates
 * are length and start. */
void x86_vec_EXTRQ(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    bool imm = in->op[1].kind == OPND_IMM;
    unsigned len = imm ? in->imm : s[1].b[0], at = imm ? in->imm2 : s[1].b[1];
    s[0].q[0] = s[0].q[0] >> (at & 63) & field_mask(len);
    s[0].q[1] = 0;
    x86_vec_done(cpu, in, &s[0]);
}

void x86_vec_INSERTQ(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    bool imm = in->op[2].kind == OPND_IMM;
    unsigned len = imm ? in->imm : s[1].b[8], at = (imm ? in->imm2 : s[1].b[9]) & 63;
    uint64_t mask = field_mask(len);
    s[0].q[0] = (s[0].q[0] & ~(mask << at)) | (s[1].q[0] & mask) << at;
    s[0].q[1] = 0;
    x86_vec_done(cpu, in, &s[0]);
}
