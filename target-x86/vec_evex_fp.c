/* SPDX-License-Identifier: MIT */
/*
 * Floating-point operations that AVX-512 adds: exponents and significands, scaling,
 * rounding to fractions, range, classes, fix-up, approximations, BF16. SDM vol. 2 under
 * each mnemonic. Arithmetic is softfloat's. Heavy code.
 */
#include "target-x86/vec_fp.h"

/* Numbers of 4 or 8 bytes as bit patterns. */
static Sf get(uint64_t v, unsigned size, const SfStatus *s)
{
    return size == 4 ? sf_unpack32(v, s) : sf_unpack64(v, s);
}

static uint64_t put(Sf v, unsigned size)
{
    return size == 4 ? sf_pack32(v) : sf_pack64(v);
}

static const SfFormat *format(unsigned size)
{
    return size == 4 ? &sf_f32 : &sf_f64;
}

static Sf one(bool sign)
{
    return (Sf){ .cls = SF_CLS_NORMAL, .sign = sign, .sig = 1ull << 63 };
}

static Sf zero(bool sign)
{
    return (Sf){ .cls = SF_CLS_ZERO, .sign = sign };
}
static Sf infinity(bool sign)
{
    return (Sf){ .cls = SF_CLS_INF, .sign = sign, .sig = 1ull << 63 };
}

static Sf invalid(SfStatus *s)
{
    s->flags |= SF_IE;
    return sf_default_nan();
}

static Sf quiet(Sf a, SfStatus *s)
{
    s->flags |= a.cls == SF_CLS_SNAN ? SF_IE : 0;
    a.cls = SF_CLS_QNAN;
    a.sig |= 1ull << 62;
    return a;
}

/* ---- driver: packed and scalar, one element function. The scalar forms have the operand
 * in source 1 and the rest of the result in source 0; packed ones with one source have it
 * in source 0: it is given as a and b. ---- */
typedef Sf FpElem(Sf a, Sf b, unsigned size, unsigned imm, SfStatus *s);

static ALWAYS_INLINE void fp_elem(X86Cpu *cpu, const X86Insn *in, FpElem *f)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s), u = 1u << (in->row->ev & 3);
    bool two = in->op[2].kind == OPND_XMM || in->op[2].kind == OPND_MEM;

    d = s[0];
    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        Sf a = get(vec_get(&s[0], u, i), u, &e);
        Sf b = two ? get(vec_get(&s[1], u, i), u, &e) : a;
        vec_set(&d, u, i, put(f(a, b, u, (uint8_t)in->imm, &e), u));
    }
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &d, in->row->ev & EV_SCALAR ? 16 : n);
}

static Sf getexp(Sf a, Sf b, unsigned size, unsigned imm, SfStatus *s)
{
    if (sf_is_nan(b)) {
        return quiet(b, s);
    }
    s->flags |= b.denormal ? SF_DE : 0;
    return b.cls == SF_CLS_INF    ? infinity(false)
           : b.cls == SF_CLS_ZERO ? infinity(true)
                                  : sf_unpack_int(b.exp);
}

/* imm 1:0 interval, 3:2 sign */
static Sf getmant(Sf a, Sf b, unsigned size, unsigned imm, SfStatus *s)
{
    bool sign = b.sign && !(imm & 4);

    if (sf_is_nan(b)) {
        return quiet(b, s);
    }
    if (b.cls == SF_CLS_ZERO) {
        return one(sign);
    }
    if (imm & 8 && b.sign) {
        return invalid(s);
    }
    if (b.cls == SF_CLS_INF) {
        return one(sign);
    }
    s->flags |= b.denormal ? SF_DE : 0;
    b.denormal = false;
    b.sign = sign;
    switch (imm & 3) {
    case 0: b.exp = 0; break;
    case 1: b.exp = b.exp & 1 ? -1 : 0; break;
    case 2: b.exp = -1; break;
    default: b.exp = b.sig >> 62 & 1 ? -1 : 0; break;
    }
    return b;
}

/* The integer that is floor(v), within what any exponent could need. */
static int floor_int(Sf v)
{
    SfStatus down = { .rmode = SF_DOWN, .mask = SF_ALL };
    if (v.cls == SF_CLS_ZERO) {
        return 0;
    }
    if (v.exp > 15) {
        return v.sign ? -65536 : 65536;
    }
    return sf_to_int(v, 32, false, &down);
}

static Sf scalef(Sf a, Sf b, unsigned size, unsigned imm, SfStatus *s)
{
    if (a.cls == SF_CLS_SNAN || (a.cls == SF_CLS_QNAN && b.cls != SF_CLS_INF)) {
        s->flags |= b.cls == SF_CLS_SNAN ? SF_IE : 0;
        return quiet(a, s);
    }
    if (a.cls == SF_CLS_QNAN) {
        return b.sign ? zero(false) : infinity(false);
    }
    if (sf_is_nan(b)) {
        return quiet(b, s);
    }
    if (b.cls == SF_CLS_INF) {
        if (a.cls == (b.sign ? SF_CLS_INF : SF_CLS_ZERO)) {
            return invalid(s);
        }
        s->flags |= a.denormal ? SF_DE : 0;
        return b.sign ? zero(a.sign) : infinity(a.sign);
    }
    s->flags |= a.denormal ? SF_DE : 0;
    if (a.cls != SF_CLS_NORMAL) {
        return a;
    }
    return sf_round(format(size), a.sign, a.exp + floor_int(b), a.sig, 0, s);
}

/* To imm 7:4 fraction bits; imm 1:0 rounding, 2 use MXCSR's, 3 no PE. */
static Sf round_scaled(Sf v, unsigned imm, SfStatus *s)
{
    SfStatus t = *s;
    unsigned m = imm >> 4;

    if (v.cls != SF_CLS_NORMAL) {
        return v;
    }
    if (!(imm & 4)) {
        t.rmode = imm & 3;
    }
    v.denormal = false;
    v.exp += m;
    v = sf_rint(v, &t);
    v.exp -= v.cls == SF_CLS_NORMAL ? (int)m : 0;
    s->flags |= imm & 8 ? t.flags & ~SF_PE : t.flags;
    return v;
}

static Sf rndscale(Sf a, Sf b, unsigned size, unsigned imm, SfStatus *s)
{
    return sf_is_nan(b) ? quiet(b, s) : round_scaled(b, imm, s);
}

static Sf reduce(Sf a, Sf b, unsigned size, unsigned imm, SfStatus *s)
{
    if (sf_is_nan(b)) {
        return quiet(b, s);
    }
    if (b.cls == SF_CLS_INF) {
        return zero(false);
    }
    SfStatus t = *s;
    if (!(imm & 4)) {
        t.rmode = imm & 3;
    }
    /* that bits are cut off is the purpose: only the difference may be inexact */
    b.denormal = false;
    SfStatus unused = *s;
    Sf r = sf_sub(format(size), b, round_scaled(b, imm, &unused), &t);
    s->flags |= imm & 8 ? 0 : t.flags & SF_PE;
    return r;
}

/* imm 1:0: minimum, maximum, by magnitude; 3:2: sign of a, as chosen, 0, 1 */
static Sf range(Sf a, Sf b, unsigned size, unsigned imm, SfStatus *s)
{
    Sf v = a;
    bool sign = a.sign;

    if (a.cls == SF_CLS_SNAN) {
        return quiet(a, s);
    }
    if (b.cls == SF_CLS_SNAN) {
        return quiet(b, s);
    }
    if (a.cls == SF_CLS_QNAN && b.cls != SF_CLS_QNAN) {
        v = b;
    } else if (!sf_is_nan(b)) {
        Sf x = a, y = b;
        if (imm & 2) {
            x.sign = y.sign = false;
        }
        SfRel rel = sf_compare(x, y, true, s);
        if (rel == SF_EQ && a.sign != b.sign) {
            /* opposite zeros are ordered; equal magnitudes likewise */
            rel = a.sign ? SF_LT : SF_GT;
        }
        v = (rel == SF_GT) == (imm & 1) ? a : b;
        if (rel == SF_EQ) {
            v = a;
        }
    }
    if (sf_is_nan(v)) {
        v = quiet(v, s);
    }
    v.sign = (imm >> 2 & 3) == 0 ? sign : (imm >> 2 & 3) == 1 ? v.sign : imm >> 2 & 1;
    return v;
}

VEC_EXEC(VGETEXP, fp_elem, getexp)
VEC_EXEC(VGETMANT, fp_elem, getmant)
VEC_EXEC(VSCALEF, fp_elem, scalef)
VEC_EXEC(VRNDSCALE, fp_elem, rndscale)
VEC_EXEC(VREDUCE, fp_elem, reduce)
VEC_EXEC(VRANGE, fp_elem, range)

/* ---- classes ---- */
void x86_vec_VFPCLASS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec v, d = { 0 };
    SfStatus e = fp_begin(cpu, in);
    unsigned u = 1u << (in->row->ev & 3);
    x86_vec_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        Sf a = get(vec_get(&v, u, i), u, &e);
        unsigned is = a.cls == SF_CLS_QNAN   ? 1
                      : a.cls == SF_CLS_SNAN ? 0x80
                      : a.cls == SF_CLS_ZERO ? 2u << a.sign
                      : a.cls == SF_CLS_INF
                          ? 8u << a.sign
                          : (a.denormal ? 0x20u : 0) | (a.sign ? 0x40u : 0);
        vec_set(&d, u, i, in->imm & is ? ~0ull : 0);
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- fix-up: a response from source 2's nibble for the class of source 1 ---- */
static unsigned fixup_class(Sf a)
{
    switch (a.cls) {
    case SF_CLS_QNAN: return 0;
    case SF_CLS_SNAN: return 1;
    case SF_CLS_ZERO: return 2;
    case SF_CLS_INF: return a.sign ? 4 : 5;
    default: break;
    }
    return !a.sign && a.exp == 0 && a.sig << 1 == 0 ? 3 : a.sign ? 6 : 7;
}

/* The bits of a number with those of a quiet NaN. */
static uint64_t as_nan(uint64_t v, unsigned size)
{
    return v | (size == 4 ? 0x7fc00000 : 0x7ff8000000000000);
}

static Sf fixup_constant(unsigned response, Sf a, unsigned size)
{
    Sf v = one(false);
    switch (response) {
    case 3: return sf_default_nan();
    case 4: return infinity(true);
    case 5: return infinity(false);
    case 6: return infinity(a.sign);
    case 7: return zero(true);
    case 8: return zero(false);
    case 9: return one(true);
    case 10: return v;
    case 11: v.exp = -1; return v;
    case 12: return sf_unpack_int(90);
    case 13: /* pi / 2, rounded to the format */
        return size == 4 ? sf_unpack32(0x3fc90fdb, NULL)
                         : sf_unpack64(0x3ff921fb54442d18, NULL);
    default:
        v = size == 4 ? sf_unpack32(0x7f7fffff, NULL)
                      : sf_unpack64(0x7fefffffffffffff, NULL);
        v.sign = response == 15;
        return v;
    }
}

static uint8_t fixup_flags(unsigned class, unsigned imm)
{
    switch (class) {
    case 1: return imm & 0x10 ? SF_IE : 0;
    case 2: return (imm & 1 ? SF_ZE : 0) | (imm & 2 ? SF_IE : 0);
    case 3: return (imm & 4 ? SF_ZE : 0) | (imm & 8 ? SF_IE : 0);
    case 4: return imm & 0x20 ? SF_IE : 0;
    case 5: return imm & 0x80 ? SF_IE : 0;
    case 6: return imm & 0x40 ? SF_IE : 0;
    default: return 0;
    }
}

void x86_vec_VFIXUPIMM(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_fetch(cpu, in, s), u = 1u << (in->row->ev & 3);
    uint64_t live = x86_vec_live(cpu, in);

    d = s[1];
    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        Sf a = get(vec_get(&s[1], u, i), u, &e);
        unsigned class = fixup_class(a);
        unsigned response = vec_get(&s[2], u, i) >> 4 * class & 15;
        if (!(live >> i & 1)) {
            continue;
        }
        e.flags |= fixup_flags(class, in->imm);
        vec_set(&d, u, i,
                response == 0   ? vec_get(&s[0], u, i)
                : response == 1 ? put(a, u)
                : response == 2
                    ? as_nan(sf_is_nan(a) ? vec_get(&s[1], u, i) : put(a, u), u)
                    : put(fixup_constant(response, a, u), u));
    }
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &d, in->row->ev & EV_SCALAR ? 16 : n);
}

/* ---- approximations, relative error below 2^-14: the host's, or correctly rounded ones.
 * No exceptions, MXCSR's rounding does not count. ---- */
#if defined(__x86_64__)
static bool host_approximates(void)
{
    return __builtin_cpu_supports("avx512f");
}

/* MXCSR's DAZ and FTZ count: the guest's are put in force. */
#define HOST_APPROX(nm, insn)                                               \
    static uint64_t nm(uint64_t a, uint32_t mxcsr)                          \
    {                                                                       \
        uint32_t old;                                                       \
        uint64_t r;                                                         \
        __asm__("stmxcsr %1\n\tldmxcsr %3\n\tvmovq %2, %%xmm0\n\t" insn     \
                " %%xmm0, %%xmm0, %%xmm0\n\tvmovq %%xmm0, %0\n\tldmxcsr %1" \
                : "=r"(r), "=m"(old)                                        \
                : "r"(a), "m"(mxcsr)                                        \
                : "xmm0");                                                  \
        return r;                                                           \
    }
HOST_APPROX(host_rcp32, "vrcp14ss")
HOST_APPROX(host_rcp64, "vrcp14sd")
HOST_APPROX(host_rsqrt32, "vrsqrt14ss")
HOST_APPROX(host_rsqrt64, "vrsqrt14sd")
#else
static bool host_approximates(void)
{
    return false;
}
static uint64_t host_rcp32(uint64_t a, uint32_t mxcsr)
{
    return a;
}
static uint64_t host_rcp64(uint64_t a, uint32_t mxcsr)
{
    return a;
}
static uint64_t host_rsqrt32(uint64_t a, uint32_t mxcsr)
{
    return a;
}
static uint64_t host_rsqrt64(uint64_t a, uint32_t mxcsr)
{
    return a;
}
#endif

static uint64_t approximate(X86Cpu *cpu, uint64_t v, unsigned size, bool root)
{
    SfStatus s = sf_status_sse((cpu->st.xsave.mxcsr & 0x8040) | 0x1f80);
    if (host_approximates()) {
        uint32_t mxcsr = (cpu->st.xsave.mxcsr & 0xffff) | 0x1f80;
        return size == 4 ? (uint32_t)(root ? host_rsqrt32 : host_rcp32)(v, mxcsr)
                         : (root ? host_rsqrt64 : host_rcp64)(v, mxcsr);
    }
    Sf a = get(v, size, &s);
    if (root) {
        a = sf_sqrt(&sf_f80, a, &s);
    }
    return put(sf_div(format(size), one(false), a, &s), size);
}

static void approximation(X86Cpu *cpu, const X86Insn *in, bool root)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s), u = 1u << (in->row->ev & 3);
    bool scalar = in->row->ev & EV_SCALAR;

    d = s[0];
    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        vec_set(&d, u, i, approximate(cpu, vec_get(&s[scalar], u, i), u, root));
    }
    x86_vec_done_len(cpu, in, &d, scalar ? 16 : n);
}

void x86_vec_VRCP14(X86Cpu *cpu, const X86Insn *in)
{
    approximation(cpu, in, false);
}
void x86_vec_VRSQRT14(X86Cpu *cpu, const X86Insn *in)
{
    approximation(cpu, in, true);
}

/* ---- BF16: the upper half of a binary32; MXCSR is not looked at ---- */
static uint16_t bf16_from(uint32_t v)
{
    uint32_t magnitude = v & 0x7fffffff;
    if (magnitude > 0x7f800000) {
        return v >> 16 | 0x40;
    }
    if (magnitude < 0x800000) {
        return v >> 16 & 0x8000;
    }
    return (v + 0x7fff + (v >> 16 & 1)) >> 16;
}

void x86_vec_VCVTNEPS2BF16(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d = { 0 };
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < in->vl / 4; i++) {
        d.w[i] = bf16_from(s.d[i]);
    }
    x86_vec_done_len(cpu, in, &d, MAX(in->vl / 2, 16));
}

/* Source 1 gives the lower half. */
void x86_vec_VCVTNE2PS2BF16(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s) / 4;
    for (unsigned i = 0; i < n; i++) {
        d.w[i] = bf16_from(s[1].d[i]);
        d.w[n + i] = bf16_from(s[0].d[i]);
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_VDPBF16PS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) {
        SfStatus e = { .rmode = SF_NEAREST, .mask = SF_ALL, .daz = true, .ftz = true };
        uint32_t a = s[1].d[i], b = s[2].d[i], t;
        t = sf32_fma(a & 0xffff0000, b & 0xffff0000, s[0].d[i], &e);
        d.d[i] = sf32_fma(a << 16, b << 16, t, &e);
    }
    x86_vec_done(cpu, in, &d);
}
