/* SPDX-License-Identifier: MIT */
/*
 * x87 partial remainder, scale, extract. SDM vol. 2 under FPREM, FPREM1, FSCALE, FXTRACT.
 */
#include "target-x86/x87_exec.h"

#include "target-x86/x87.h"

typedef unsigned __int128 U128;

/* ---- FPREM, FPREM1 ---- */

/* a and b normal, d = a.exp - b.exp, 0 <= n <= 63 quotient bits from the top. Returns
 * a.sig * 2^n mod b.sig and the quotient's low bits. */
static uint64_t divide_steps(uint64_t a, uint64_t b, unsigned n, uint64_t *quotient)
{
    uint64_t q = 0;
    U128 r = a;
    for (unsigned i = 0;; i++) {
        q <<= 1;
        if (r >= b) {
            r -= b;
            q |= 1;
        }
        if (i == n) {
            break;
        }
        r <<= 1;
    }
    *quotient = q;
    return r;
}

static Sf rounded(X87 *e, bool sign, int32_t exp, uint64_t sig)
{
    if (!sig) {
        return (Sf){ .cls = SF_CLS_ZERO, .sign = sign };
    }
    int n = __builtin_clzll(sig);
    return sf_round(&sf_f80, sign, exp - n, sig << n, 0, &e->s);
}

static uint16_t quotient_bits(uint64_t q)
{
    return (q & 4 ? FSW_C0 : 0) | (q & 2 ? FSW_C3 : 0) | (q & 1 ? FSW_C1 : 0);
}

/* Both normal. The quotient's low bits go to e->cc. */
static Sf remainder_of(X87 *e, Sf a, Sf b, bool nearest)
{
    int32_t d = a.exp - b.exp;
    uint64_t q = 0, r;

    if (d >= 64) { /* partial: an implementation's choice of 32..63 bits, vol. 2 */
        unsigned n = 32 + (d & 31);
        r = divide_steps(a.sig, b.sig, n, &q);
        e->cc = FSW_C2;
        return rounded(e, a.sign, b.exp + (d - (int)n), r);
    }
    if (d < -1 || (d < 0 && !nearest)) {
        return rounded(e, a.sign, a.exp, a.sig);
    }
    if (d == -1) { /* below b: the quotient is 0 or, beyond b/2, 1 */
        if (a.sig <= b.sig) {
            return rounded(e, a.sign, a.exp, a.sig);
        }
        e->cc = quotient_bits(1);
        return rounded(e, !a.sign, a.exp, (b.sig - a.sig) + b.sig);
    }
    r = divide_steps(a.sig, b.sig, d, &q);
    if (nearest && (r > b.sig - r || (r == b.sig - r && (q & 1)))) {
        q++;
        r = b.sig - r;
        a.sign = !a.sign;
        e->cc = quotient_bits(q);
        return rounded(e, a.sign, b.exp, r);
    }
    e->cc = quotient_bits(q);
    return rounded(e, a.sign, b.exp, r);
}

static Sf remainder_any(X87 *e, Sf a, Sf b, bool nearest)
{
    if (a.cls >= SF_CLS_QNAN || b.cls >= SF_CLS_QNAN) {
        return sf_nan(&sf_f80, a, b, &e->s);
    }
    if (a.cls == SF_CLS_INF || b.cls == SF_CLS_ZERO) {
        e->s.flags |= SF_IE;
        return sf_default_nan();
    }
    e->s.flags |= a.denormal || b.denormal ? SF_DE : 0;
    e->cc_mask |= FSW_C0 | FSW_C3;
    if (a.cls == SF_CLS_ZERO) {
        return a;
    }
    if (b.cls == SF_CLS_INF) {
        return rounded(e, a.sign, a.exp, a.sig);
    }
    return remainder_of(e, a, b, nearest);
}

static void prem(X86Cpu *cpu, const X86Insn *in, bool nearest)
{
    X87 e = x87_begin(cpu, true);
    Sf80 r = x87_indefinite();

    e.cc_mask = FSW_C2; /* C0 and C3 only of a quotient */
    if (x87_empty(e.x, 0) || x87_empty(e.x, 1)) {
        x87_underflow(&e);
    } else {
        r = sf_pack80(remainder_any(&e, x87_val(e.x, 0), x87_val(e.x, 1), nearest));
    }
    if (x87_stopped(&e)) {
        e.cc_mask = FSW_C2;
        e.cc = 0;
    } else {
        x87_set(e.x, 0, r);
        e.s.up = e.cc & FSW_C1;
        e.cc &= ~FSW_C1;
    }
    x87_end(&e, in);
}

void x87_exec_FPREM(X86Cpu *cpu, const X86Insn *in)
{
    prem(cpu, in, false);
}
void x87_exec_FPREM1(X86Cpu *cpu, const X86Insn *in)
{
    prem(cpu, in, true);
}

/* ---- FSCALE ---- */

static Sf scale(X87 *e, Sf a, Sf b)
{
    if (a.cls >= SF_CLS_QNAN || b.cls >= SF_CLS_QNAN) {
        return sf_nan(&sf_f80, a, b, &e->s);
    }
    if (b.cls == SF_CLS_INF && a.cls == (b.sign ? SF_CLS_INF : SF_CLS_ZERO)) {
        e->s.flags |= SF_IE;
        return sf_default_nan();
    }
    e->s.flags |= a.denormal || b.denormal ? SF_DE : 0;
    if (b.cls == SF_CLS_INF) {
        a.cls = b.sign ? SF_CLS_ZERO : SF_CLS_INF;
        a.sig = b.sign ? 0 : 1ull << 63;
        return a;
    }
    if (a.cls != SF_CLS_NORMAL) {
        return a;
    }
    int32_t n = 0;
    if (b.cls == SF_CLS_NORMAL && b.exp >= 0) {
        n = b.exp > 16 ? 1 << 17 : (int32_t)(b.sig >> (63 - b.exp));
    }
    return sf_round(&sf_f80, a.sign, a.exp + (b.sign ? -n : n), a.sig, 0, &e->s);
}

void x87_exec_FSCALE(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    Sf80 r = x87_indefinite();

    if (x87_empty(e.x, 0) || x87_empty(e.x, 1)) {
        x87_underflow(&e);
    } else {
        r = sf_pack80(scale(&e, x87_val(e.x, 0), x87_val(e.x, 1)));
    }
    if (!x87_stopped(&e)) {
        x87_set(e.x, 0, r);
    }
    x87_end(&e, in);
}

/* ---- FXTRACT ---- */

/* Exponent of a; *sig: the significand with a's sign. */
static Sf extract(X87 *e, Sf a, Sf *sig)
{
    *sig = a;
    switch (a.cls) {
    case SF_CLS_NORMAL:
        e->s.flags |= a.denormal ? SF_DE : 0;
        sig->exp = 0;
        return sf_unpack_int(a.exp);
    case SF_CLS_ZERO:
        e->s.flags |= SF_ZE;
        return (Sf){ .cls = SF_CLS_INF, .sign = true, .sig = 1ull << 63 };
    case SF_CLS_INF: return (Sf){ .cls = SF_CLS_INF, .sig = 1ull << 63 };
    default: *sig = sf_nan(&sf_f80, a, a, &e->s); return *sig;
    }
}

void x87_exec_FXTRACT(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    Sf80 exponent = x87_indefinite(), sig = exponent;

    if (!x87_need(&e, 0) || !x87_push_check(&e)) {
        e.overflow = e.overflow && !x87_empty(e.x, 0);
    } else {
        Sf s, x = extract(&e, x87_val(e.x, 0), &s);
        exponent = sf_pack80(x);
        sig = sf_pack80(s);
    }
    if (!x87_stopped(&e)) {
        x87_set(e.x, 0, exponent);
        x87_rotate(e.x, 7);
        x87_set(e.x, 0, sig);
    }
    x87_end(&e, in);
}
