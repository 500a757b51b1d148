/* SPDX-License-Identifier: MIT */
/*
 * x87 transcendental instructions by the host's libm in binary64: for hosts that have no
 * x87 unit. Operand classes and exponents beyond binary64 are dealt with exactly; results
 * have about 50 good bits. SDM vol. 2, tables of special operands under each mnemonic.
 */
#include "target-x86/x87_trans.h"

#include <math.h>
#include <string.h>

#include "target-x86/x87.h"

typedef unsigned __int128 U128;

static double to_double(Sf a)
{
    SfStatus s = { .mask = SF_ALL, .prec = 64 };
    uint64_t v = sf_pack64(sf_convert(&sf_f64, a, &s));
    double d;
    memcpy(&d, &v, 8);
    return d;
}

static Sf from_double(double d)
{
    uint64_t v;
    memcpy(&v, &d, 8);
    Sf a = sf_unpack64(v, NULL);
    a.denormal = false;
    return sf_is_nan(a) ? sf_default_nan() : a;
}

static Sf inf_of(bool sign)
{
    return (Sf){ .cls = SF_CLS_INF, .sign = sign, .sig = 1ull << 63 };
}

static Sf invalid(X87 *e)
{
    e->s.flags |= SF_IE;
    return sf_default_nan();
}

static Sf inexact(X87 *e, Sf a)
{
    e->s.flags |= SF_PE;
    return sf_convert(&sf_f80, a, &e->s);
}

/* ---- one operand ---- */

/* 2^x - 1 for |x| <= 1; beyond it the manual leaves the result open. */
static Sf f2xm1(X87 *e, Sf a)
{
    if (a.cls == SF_CLS_ZERO) {
        return a;
    }
    if (a.cls == SF_CLS_INF) {
        return a.sign ? from_double(-1) : a;
    }
    e->s.flags |= SF_PE;
    if (a.exp < -900) {
        return sf_mul(&sf_f80, a, from_double(M_LN2), &e->s);
    }
    return from_double(a.exp > 0 ? (a.sign ? -1 : 1) : expm1(to_double(a) * M_LN2));
}

/* |a| = quadrant * pi/2 + the result, which is within pi/4. Pi has 66 bits, as the x87's
 * (vol. 1, 8.3.8). */
static double reduce(Sf a, unsigned *quadrant)
{
    U128 half_pi = (U128)0xc90fdaa22168c234 << 2 | 3, r = (U128)a.sig << 2;
    unsigned q = 0;

    if (a.exp < -1) {
        *quadrant = 0;
        return fabs(to_double(a));
    }
    if (a.exp < 0) {
        half_pi <<= 1;
    }
    for (int i = 0;; i++) {
        q <<= 1;
        if (r >= half_pi) {
            r -= half_pi;
            q |= 1;
        }
        if (i >= a.exp) {
            break;
        }
        r <<= 1;
    }
    bool beyond = r > half_pi >> 1;
    *quadrant = (q + beyond) & 3;
    double d = ldexp((double)(beyond ? half_pi - r : r), a.exp < 0 ? -66 : -65);
    return beyond ? -d : d;
}

static void sine_cosine(Sf a, double *sine, double *cosine)
{
    unsigned q;
    double r = reduce(a, &q), s = sin(r), c = cos(r);
    double sv = q & 1 ? c : s, cv = q & 1 ? s : c;

    *sine = (q & 2) != 0 ? -sv : sv;
    *cosine = q == 1 || q == 2 ? -cv : cv;
    if (a.sign) {
        *sine = -*sine;
    }
}

/* *second: the value pushed by FPTAN and FSINCOS. */
static Sf trigonometric(X87 *e, Sf a, uint8_t modrm, Sf *second)
{
    double s = 0, c = 1;

    if (a.cls == SF_CLS_INF) {
        *second = sf_default_nan();
        return invalid(e);
    }
    if (a.cls == SF_CLS_NORMAL) {
        e->s.flags |= SF_PE;
        sine_cosine(a, &s, &c);
    }
    bool small = a.cls == SF_CLS_ZERO || a.exp < -900;
    *second = modrm == 0xf2 ? from_double(1) : from_double(c);
    switch (modrm) {
    case 0xff: return from_double(c);
    case 0xf2: return small ? a : from_double(s / c);
    default: return small ? a : from_double(s);
    }
}

/* ---- two operands: y = ST(1), x = ST(0) ---- */

static Sf log2_of(Sf x)
{
    double d = to_double((Sf){ .cls = SF_CLS_NORMAL, .sig = x.sig });
    return from_double(d > 1.5 && x.exp == -1 ? log1p(d / 2 - 1) / M_LN2
                                              : x.exp + log2(d));
}

static Sf log2_product(X87 *e, Sf y, Sf log)
{
    if ((y.cls == SF_CLS_INF && log.cls == SF_CLS_ZERO) ||
        (y.cls == SF_CLS_ZERO && log.cls == SF_CLS_INF)) {
        return invalid(e);
    }
    return sf_mul(&sf_f80, y, log, &e->s);
}

static Sf fyl2x(X87 *e, Sf y, Sf x)
{
    if (x.cls == SF_CLS_ZERO) {
        if (y.cls == SF_CLS_ZERO) {
            return invalid(e);
        }
        e->s.flags |= y.cls == SF_CLS_NORMAL ? SF_ZE : 0;
        return inf_of(!y.sign);
    }
    if (x.sign) {
        return invalid(e);
    }
    if (x.cls == SF_CLS_INF) {
        return log2_product(e, y, x);
    }
    bool power = x.sig == 1ull << 63;
    Sf log = power ? sf_unpack_int(x.exp) : log2_of(x);
    Sf r = log2_product(e, y, log);
    e->s.flags |= !power && r.cls == SF_CLS_NORMAL ? SF_PE : 0;
    return r;
}

static Sf fyl2xp1(X87 *e, Sf y, Sf x)
{
    if (x.cls != SF_CLS_NORMAL) {
        return x.cls == SF_CLS_INF && x.sign ? invalid(e) : log2_product(e, y, x);
    }
    if (x.sign && x.exp >= 0) {
        return invalid(e);
    }
    SfStatus s = { .mask = SF_ALL, .prec = 64 };
    Sf log = x.exp < -900   ? sf_mul(&sf_f80, x, from_double(M_LOG2E), &s)
             : x.exp > 1000 ? log2_of(x)
                            : from_double(log1p(to_double(x)) / M_LN2);
    Sf r = log2_product(e, y, log);
    e->s.flags |= r.cls == SF_CLS_NORMAL ? SF_PE : 0;
    return r;
}

static double class_value(Sf a)
{
    double d = a.cls == SF_CLS_ZERO ? 0 : a.cls == SF_CLS_INF ? INFINITY : 1;
    return a.sign ? -d : d;
}

static Sf fpatan(X87 *e, Sf y, Sf x)
{
    if (y.cls != SF_CLS_NORMAL || x.cls != SF_CLS_NORMAL) {
        Sf r = from_double(atan2(class_value(y), class_value(x)));
        return r.cls == SF_CLS_NORMAL ? inexact(e, r) : r;
    }
    int32_t d = y.exp - x.exp;
    e->s.flags |= SF_PE;
    if (d < -900 && !x.sign) { /* the quotient itself, which may underflow */
        y.denormal = x.denormal = false;
        return sf_div(&sf_f80, y, x, &e->s);
    }
    d = d > 900 ? 900 : d < -900 ? -900 : d;
    y.exp = d;
    x.exp = 0;
    return from_double(atan2(to_double(y), to_double(x)));
}

/* ---- frames ---- */

static void one(X87 *e, uint8_t modrm)
{
    bool pushes = modrm == 0xf2 || modrm == 0xfb;
    Sf second = sf_default_nan(), r = second;

    if (x87_need(e, 0) && (!pushes || x87_push_check(e))) {
        Sf a = x87_val(e->x, 0);
        e->cc_mask = modrm == 0xf0 ? 0 : FSW_C2;
        if (a.cls >= SF_CLS_QNAN) {
            second = r = sf_nan(&sf_f80, a, a, &e->s);
        } else if (modrm != 0xf0 && a.cls == SF_CLS_NORMAL && a.exp >= 63) {
            e->cc = FSW_C2; /* out of range: nothing else happens */
            return;
        } else {
            e->s.flags |= a.denormal ? SF_DE : 0;
            r = modrm == 0xf0 ? f2xm1(e, a) : trigonometric(e, a, modrm, &second);
        }
    }
    if (!x87_stopped(e)) {
        x87_set(e->x, 0, sf_pack80(r));
        if (pushes) {
            x87_rotate(e->x, 7);
            x87_set(e->x, 0, sf_pack80(second));
        }
    }
}

static void two(X87 *e, uint8_t modrm)
{
    Sf r = sf_default_nan();

    if (x87_empty(e->x, 0) || x87_empty(e->x, 1)) {
        x87_underflow(e);
    } else {
        Sf x = x87_val(e->x, 0), y = x87_val(e->x, 1);
        bool denormal = x.denormal || y.denormal;
        if (x.cls >= SF_CLS_QNAN || y.cls >= SF_CLS_QNAN) {
            denormal = false;
            r = sf_nan(&sf_f80, y, x, &e->s);
        } else if (modrm == 0xf3) {
            r = fpatan(e, y, x);
        } else {
            r = modrm == 0xf1 ? fyl2x(e, y, x) : fyl2xp1(e, y, x);
        }
        e->s.flags |= denormal && !(e->s.flags & (SF_IE | SF_ZE)) ? SF_DE : 0;
    }
    if (!x87_stopped(e)) {
        x87_set(e->x, 1, sf_pack80(r));
        x87_pop(e->x);
    }
}

void x87_trans_portable(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    bool binary = in->modrm == 0xf1 || in->modrm == 0xf3 || in->modrm == 0xf9;

    if (binary) {
        two(&e, in->modrm);
    } else {
        one(&e, in->modrm);
    }
    x87_end(&e, in);
}
