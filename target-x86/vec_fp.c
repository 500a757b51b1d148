/* SPDX-License-Identifier: MIT */
/*
 * Floating-point arithmetic, minimum and maximum, compares, dot products and reciprocal
 * approximations of SSE to SSE4.1 and AVX. SDM vol. 1, 11.5 (exceptions), 4.8 (formats,
 * NaNs); vol. 2 under each mnemonic. Arithmetic is softfloat.c's: the host's FPU is not
 * used, but for the approximations, which are whatever the host's CPU gives (an own
 * approximation elsewhere). Heavy code.
 */
#include "target-x86/vec_fp.h"

void x86_vec_fp_check(X86Cpu *cpu, SfStatus *s)
{
    if (!(s->flags & ~s->mask)) {
        return;
    }
    if (s->flags & ~s->mask & (SF_IE | SF_DE | SF_ZE)) {
        s->flags &= SF_IE | SF_DE | SF_ZE;
    }
    cpu->st.xsave.mxcsr |= s->flags;
    x86_raise(cpu, cpu->st.cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

/* ---- drivers: packed and scalar, one lane function ---- */
static ALWAYS_INLINE void packed32(X86Cpu *cpu, const X86Insn *in, Fp32Bin *f)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = f(s[0].d[i], s[1].d[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

static ALWAYS_INLINE void packed64(X86Cpu *cpu, const X86Insn *in, Fp64Bin *f)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = f(s[0].q[i], s[1].q[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

/* The rest of the result is source 0's. */
static ALWAYS_INLINE void scalar32(X86Cpu *cpu, const X86Insn *in, Fp32Bin *f)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].d[0] = f(s[0].d[0], s[1].d[0], &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

static ALWAYS_INLINE void scalar64(X86Cpu *cpu, const X86Insn *in, Fp64Bin *f)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = f(s[0].q[0], s[1].q[0], &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

/* ---- arithmetic ---- */
VEC_EXEC(ADDPS, packed32, sf32_add)
VEC_EXEC(ADDPD, packed64, sf64_add)
VEC_EXEC(ADDSS, scalar32, sf32_add)
VEC_EXEC(ADDSD, scalar64, sf64_add)
VEC_EXEC(SUBPS, packed32, sf32_sub)
VEC_EXEC(SUBPD, packed64, sf64_sub)
VEC_EXEC(SUBSS, scalar32, sf32_sub)
VEC_EXEC(SUBSD, scalar64, sf64_sub)
VEC_EXEC(MULPS, packed32, sf32_mul)
VEC_EXEC(MULPD, packed64, sf64_mul)
VEC_EXEC(MULSS, scalar32, sf32_mul)
VEC_EXEC(MULSD, scalar64, sf64_mul)
VEC_EXEC(DIVPS, packed32, sf32_div)
VEC_EXEC(DIVPD, packed64, sf64_div)
VEC_EXEC(DIVSS, scalar32, sf32_div)
VEC_EXEC(DIVSD, scalar64, sf64_div)

/* Square roots: the packed forms have one source (number 0), the scalar ones two. */
static uint32_t sqrt32_packed(uint32_t a, uint32_t b, SfStatus *e) { return sf32_sqrt(a, e); }
static uint64_t sqrt64_packed(uint64_t a, uint64_t b, SfStatus *e) { return sf64_sqrt(a, e); }
static uint32_t sqrt32_scalar(uint32_t a, uint32_t b, SfStatus *e) { return sf32_sqrt(b, e); }
static uint64_t sqrt64_scalar(uint64_t a, uint64_t b, SfStatus *e) { return sf64_sqrt(b, e); }
VEC_EXEC(SQRTPS, packed32, sqrt32_packed)
VEC_EXEC(SQRTPD, packed64, sqrt64_packed)
VEC_EXEC(SQRTSS, scalar32, sqrt32_scalar)
VEC_EXEC(SQRTSD, scalar64, sqrt64_scalar)

VEC_EXEC(MINPS, packed32, sf32_min)
VEC_EXEC(MINPD, packed64, sf64_min)
VEC_EXEC(MINSS, scalar32, sf32_min)
VEC_EXEC(MINSD, scalar64, sf64_min)
VEC_EXEC(MAXPS, packed32, sf32_max)
VEC_EXEC(MAXPD, packed64, sf64_max)
VEC_EXEC(MAXSS, scalar32, sf32_max)
VEC_EXEC(MAXSD, scalar64, sf64_max)

/* ---- horizontal ---- */
static ALWAYS_INLINE void horiz32(X86Cpu *cpu, const X86Insn *in, Fp32Bin *f)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) { /* each lane: two from a, then two from b */
        const X86Vec *v = &s[i >> 1 & 1];
        unsigned at = (i & 4) + (i & 1) * 2;
        d.d[i] = f(v->d[at], v->d[at + 1], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

static ALWAYS_INLINE void horiz64(X86Cpu *cpu, const X86Insn *in, Fp64Bin *f)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        const X86Vec *v = &s[i & 1];
        d.q[i] = f(v->q[i & 2], v->q[(i & 2) + 1], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

VEC_EXEC(HADDPS, horiz32, sf32_add)
VEC_EXEC(HADDPD, horiz64, sf64_add)
VEC_EXEC(HSUBPS, horiz32, sf32_sub)
VEC_EXEC(HSUBPD, horiz64, sf64_sub)

/* Even lanes subtract, odd lanes add. */
void x86_vec_ADDSUBPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = (i & 1 ? sf32_add : sf32_sub)(s[0].d[i], s[1].d[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_ADDSUBPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = (i & 1 ? sf64_add : sf64_sub)(s[0].q[i], s[1].q[i], &e);
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

/* ---- compares ---- */
/* Predicates, vol. 2, table 3-1: which relations are true, and whether QNaNs signal; the
 * upper sixteen are the lower with signaling inverted. */
enum { REL_LT = 1 << SF_LT, REL_EQ = 1 << SF_EQ, REL_GT = 1 << SF_GT, REL_UN = 1 << SF_UN };
static const uint8_t cmp_true[16] = {
    REL_EQ,                   REL_LT,
    REL_LT | REL_EQ,          REL_UN,
    REL_LT | REL_GT | REL_UN, REL_EQ | REL_GT | REL_UN,
    REL_GT | REL_UN,          REL_LT | REL_EQ | REL_GT,
    REL_EQ | REL_UN,          REL_LT | REL_UN,
    REL_LT | REL_EQ | REL_UN, 0,
    REL_LT | REL_GT,          REL_EQ | REL_GT,
    REL_GT,                   REL_LT | REL_EQ | REL_GT | REL_UN,
};
#define CMP_SIGNALS 0x6666u /* bit n: predicate n signals */

static bool cmp_signals(unsigned pred)
{
    return (CMP_SIGNALS >> (pred & 15) & 1) ^ (pred >> 4);
}

static bool compare32(uint32_t a, uint32_t b, unsigned pred, SfStatus *e)
{
    return cmp_true[pred & 15] >> sf32_compare(a, b, cmp_signals(pred), e) & 1;
}

static bool compare64(uint64_t a, uint64_t b, unsigned pred, SfStatus *e)
{
    return cmp_true[pred & 15] >> sf64_compare(a, b, cmp_signals(pred), e) & 1;
}

/* Legacy forms have eight predicates. */
static unsigned predicate(const X86Insn *in)
{
    return in->imm & (in->row->enc == ENC_LEGACY ? 7 : 31);
}

void x86_vec_CMPPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = compare32(s[0].d[i], s[1].d[i], predicate(in), &e) ? ~0u : 0;
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_CMPPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = compare64(s[0].q[i], s[1].q[i], predicate(in), &e) ? ~0ull : 0;
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_CMPSS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].d[0] = compare32(s[0].d[0], s[1].d[0], predicate(in), &e) ? ~0u : 0;
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

void x86_vec_CMPSD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = compare64(s[0].q[0], s[1].q[0], predicate(in), &e) ? ~0ull : 0;
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

static void comi(X86Cpu *cpu, const X86Insn *in, unsigned w, bool signal)
{
    X86Vec a, b;
    SfStatus e = fp_begin(cpu, in);
    x86_vec_read(cpu, in, 0, &a);
    x86_vec_read(cpu, in, 1, &b);
    SfRel r = w == 32 ? sf32_compare(a.d[0], b.d[0], signal, &e)
                      : sf64_compare(a.q[0], b.q[0], signal, &e);
    fp_end(cpu, &e);
    cpu->st.rflags &= ~(uint64_t)FL_STATUS;
    cpu->st.rflags |= r == SF_UN   ? FL_ZF | FL_PF | FL_CF
                      : r == SF_LT ? FL_CF
                      : r == SF_EQ ? FL_ZF
                                    : 0;
}

void x86_vec_COMISS(X86Cpu *cpu, const X86Insn *in) { comi(cpu, in, 32, true); }
void x86_vec_COMISD(X86Cpu *cpu, const X86Insn *in) { comi(cpu, in, 64, true); }
void x86_vec_UCOMISS(X86Cpu *cpu, const X86Insn *in) { comi(cpu, in, 32, false); }
void x86_vec_UCOMISD(X86Cpu *cpu, const X86Insn *in) { comi(cpu, in, 64, false); }

/* ---- dot products: imm 7:4 chooses products, imm 3:0 where the sum goes ---- */
/* The exceptions of products are taken before those of sums (vol. 2, DPPS), and their
 * masked flags stay set if a sum then raises. */
static void step_end(X86Cpu *cpu, SfStatus *e)
{
    fp_end(cpu, e);
    e->flags = 0;
}

static void dpps_lane(SfStatus *e, uint32_t t[4], const uint32_t *a, const uint32_t *b,
                      unsigned imm)
{
    for (unsigned i = 0; i < 4; i++) {
        t[i] = imm >> (4 + i) & 1 ? sf32_mul(a[i], b[i], e) : 0;
    }
}

void x86_vec_DPPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], t, d = { 0 };
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned k = 0; k < n / 4; k += 4) {
        dpps_lane(&e, &t.d[k], &s[0].d[k], &s[1].d[k], in->imm);
    }
    step_end(cpu, &e);
    for (unsigned k = 0; k < n / 4; k += 4) {
        uint32_t x = sf32_add(t.d[k], t.d[k + 1], &e);
        uint32_t y = sf32_add(t.d[k + 2], t.d[k + 3], &e);
        t.d[k] = x;
        t.d[k + 1] = y;
    }
    step_end(cpu, &e);
    for (unsigned k = 0; k < n / 4; k += 4) {
        uint32_t sum = sf32_add(t.d[k], t.d[k + 1], &e);
        for (unsigned i = 0; i < 4; i++) {
            d.d[k + i] = in->imm >> i & 1 ? sum : 0;
        }
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

void x86_vec_DPPD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d = { 0 };
    SfStatus e = fp_begin(cpu, in);
    uint64_t t[2];
    x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < 2; i++) {
        t[i] = in->imm >> (4 + i) & 1 ? sf64_mul(s[0].q[i], s[1].q[i], &e) : 0;
    }
    step_end(cpu, &e);
    uint64_t sum = sf64_add(t[0], t[1], &e);
    for (unsigned i = 0; i < 2; i++) {
        d.q[i] = in->imm >> i & 1 ? sum : 0;
    }
    fp_end(cpu, &e);
    x86_vec_done(cpu, in, &d);
}

/* ---- approximations: relative error at most 1.5 * 2^-12; no exceptions. They ignore
 * MXCSR's rounding; denormal sources count as zero. ---- */
#if defined(__x86_64__)
static uint32_t approx_rcp(uint32_t a)
{
    uint32_t r;
    __asm__("movd %1, %%xmm0; rcpss %%xmm0, %%xmm0; movd %%xmm0, %0"
            : "=r"(r) : "r"(a) : "xmm0");
    return r;
}

static uint32_t approx_rsqrt(uint32_t a)
{
    uint32_t r;
    __asm__("movd %1, %%xmm0; rsqrtss %%xmm0, %%xmm0; movd %%xmm0, %0"
            : "=r"(r) : "r"(a) : "xmm0");
    return r;
}
#else
static uint32_t approx_special(uint32_t a, bool *done)
{
    *done = true;
    if ((a & 0x7fffffff) > 0x7f800000) {
        return a | 0x400000;
    }
    if (!(a & 0x7f800000)) { /* zero, denormal */
        return (a & 0x80000000) | 0x7f800000;
    }
    *done = false;
    return 0;
}

/* 1/a: the quotient of the 24-bit significand, cut to 13 fraction bits. */
static uint32_t approx_rcp(uint32_t a)
{
    bool done;
    uint32_t special = approx_special(a, &done), sign = a & 0x80000000;
    if (done) {
        return special;
    }
    int exp = a >> 23 & 0xff;
    if (exp == 0xff) {
        return sign;
    }
    uint64_t q = (1ull << 48) / ((a & 0x7fffff) | 0x800000); /* 2^24 .. 2^25 */
    int rexp = 253 - exp;
    if (q >> 25) { /* a power of two */
        q >>= 1;
        rexp++;
    }
    if (rexp <= 0) {
        return sign; /* tiny results are zero */
    }
    return sign | (uint32_t)rexp << 23 | ((q >> 1) & 0x7ffc00);
}

static uint32_t approx_rsqrt(uint32_t a)
{
    bool done;
    uint32_t special = approx_special(a, &done);
    if (done) {
        return special;
    }
    if (a >> 31) {
        return 0xffc00000;
    }
    int exp = a >> 23 & 0xff;
    if (exp == 0xff) {
        return 0;
    }
    /* significand m * 2^(even); r = floor(2^36 / sqrt(m)) by bisection on r * r * m */
    uint64_t m = (a & 0x7fffff) | 0x800000; /* 2^23 .. 2^24 */
    int e = exp - 127;
    if (e & 1) {
        m <<= 1;
        e--;
    }
    uint64_t lo = 1 << 15, hi = 1 << 17; /* r in units of 2^-16 */
    while (hi - lo > 1) {
        uint64_t mid = (lo + hi) / 2;
        if ((unsigned __int128)mid * mid * m <= (unsigned __int128)1 << 55) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    int rexp = 127 - e / 2;
    if (lo >> 16) {
        return (uint32_t)rexp << 23 | ((lo & 0xffff) << 7);
    }
    return (uint32_t)(rexp - 1) << 23 | ((lo & 0x7fff) << 8);
}
#endif

static uint32_t rcp_packed(uint32_t a, uint32_t b, SfStatus *e) { return approx_rcp(a); }
static uint32_t rcp_scalar(uint32_t a, uint32_t b, SfStatus *e) { return approx_rcp(b); }
static uint32_t rsqrt_packed(uint32_t a, uint32_t b, SfStatus *e) { return approx_rsqrt(a); }
static uint32_t rsqrt_scalar(uint32_t a, uint32_t b, SfStatus *e) { return approx_rsqrt(b); }
VEC_EXEC(RCPPS, packed32, rcp_packed)
VEC_EXEC(RCPSS, scalar32, rcp_scalar)
VEC_EXEC(RSQRTPS, packed32, rsqrt_packed)
VEC_EXEC(RSQRTSS, scalar32, rsqrt_scalar)
