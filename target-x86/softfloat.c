/* SPDX-License-Identifier: MIT */
/*
 * Floating-point arithmetic on unpacked numbers; see softfloat.h. SDM vol. 1, 4.8, 4.9
 * (NaNs, exceptions), 8.5 (x87 responses), 11.5 and 14.5 (SSE, FMA). Tininess is detected
 * after rounding, as all x86 CPUs do.
 */
#include "target-x86/softfloat.h"

typedef unsigned __int128 U128;

#define TOP_BIT (1ull << 63)
#define QUIET_BIT (1ull << 62)
#define ADJUST 24576 /* exponent adjustment of unmasked x87 responses, vol. 1, 8.5.4 */

const SfFormat sf_f16 = { 15, 11 }, sf_f32 = { 127, 24 }, sf_f64 = { 1023, 53 },
               sf_f80 = { 16383, 0 };

/* ---- unpacking and packing ---- */

static Sf special(uint8_t cls, bool sign)
{
    return (Sf){ .cls = cls, .sign = sign, .sig = cls == SF_CLS_INF ? TOP_BIT : 0 };
}

Sf sf_default_nan(void)
{
    return (Sf){ .cls = SF_CLS_QNAN, .sign = true, .sig = TOP_BIT | QUIET_BIT };
}

static Sf nan_of(bool sign, uint64_t sig)
{
    uint8_t cls = sig & QUIET_BIT ? SF_CLS_QNAN : SF_CLS_SNAN;
    return (Sf){ .cls = cls, .sign = sign, .sig = sig };
}

static Sf denormal_of(bool sign, int32_t emin, uint64_t sig)
{
    int n = __builtin_clzll(sig);
    return (Sf){ .cls = SF_CLS_NORMAL,
                 .sign = sign,
                 .denormal = true,
                 .sig = sig << n,
                 .exp = emin - n };
}

/* Formats with an implied integer bit. frac: the fraction, its top bit at bit 62. */
static ALWAYS_INLINE Sf unpack(int32_t emax, bool sign, int32_t e, uint64_t frac,
                               bool daz)
{
    if (e == 0) {
        return !frac || daz ? special(SF_CLS_ZERO, sign)
                            : denormal_of(sign, 1 - emax, frac);
    }
    if (e == 2 * emax + 1) {
        return frac ? nan_of(sign, frac | TOP_BIT) : special(SF_CLS_INF, sign);
    }
    return (
        Sf){ .cls = SF_CLS_NORMAL, .sign = sign, .sig = frac | TOP_BIT, .exp = e - emax };
}

Sf sf_unpack16(uint16_t v)
{
    return unpack(15, v >> 15, v >> 10 & 31, (uint64_t)(v & 0x3ff) << 53, false);
}

Sf sf_unpack32(uint32_t v, const SfStatus *s)
{
    return unpack(127, v >> 31, v >> 23 & 255, (uint64_t)(v & 0x7fffff) << 40,
                  s && s->daz);
}

Sf sf_unpack64(uint64_t v, const SfStatus *s)
{
    return unpack(1023, v >> 63, v >> 52 & 2047, (v & ((1ull << 52) - 1)) << 11,
                  s && s->daz);
}

Sf sf_unpack80(Sf80 v)
{
    bool sign = v.se >> 15;
    int32_t e = v.se & 0x7fff;

    if (e == 0) {
        return v.m ? denormal_of(sign, -16382, v.m) : special(SF_CLS_ZERO, sign);
    }
    if (!(v.m & TOP_BIT)) {
        return (Sf){ .cls = SF_CLS_INVALID, .sign = sign, .sig = v.m };
    }
    if (e == 0x7fff) {
        return v.m << 1 ? nan_of(sign, v.m) : special(SF_CLS_INF, sign);
    }
    return (Sf){ .cls = SF_CLS_NORMAL, .sign = sign, .sig = v.m, .exp = e - 16383 };
}

static Sf integer(bool sign, uint64_t mag)
{
    if (!mag) {
        return special(SF_CLS_ZERO, false);
    }
    int n = __builtin_clzll(mag);
    return (Sf){ .cls = SF_CLS_NORMAL, .sign = sign, .sig = mag << n, .exp = 63 - n };
}

Sf sf_unpack_int(int64_t v)
{
    return integer(v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

Sf sf_unpack_uint(uint64_t v)
{
    return integer(false, v);
}

/* Exponent field and significand (integer bit at bit 63) of a number for a format. */
static ALWAYS_INLINE int32_t fields(int32_t emax, Sf v, uint64_t *sig)
{
    *sig = v.sig;
    switch (v.cls) {
    case SF_CLS_ZERO: *sig = 0; return 0;
    case SF_CLS_NORMAL: break;
    default: return 2 * emax + 1;
    }
    if (v.exp > emax) { /* not rounded to the format: an undelivered result */
        *sig = TOP_BIT;
        return 2 * emax + 1;
    }
    if (v.exp >= 1 - emax) {
        return v.exp + emax;
    }
    uint32_t shift = 1 - emax - v.exp;
    *sig = shift > 63 ? 0 : v.sig >> shift;
    return 0;
}

uint16_t sf_pack16(Sf v)
{
    uint64_t sig;
    int32_t e = fields(15, v, &sig);
    return v.sign << 15 | e << 10 | (sig >> 53 & 0x3ff);
}

uint32_t sf_pack32(Sf v)
{
    uint64_t sig;
    int32_t e = fields(127, v, &sig);
    return (uint32_t)v.sign << 31 | e << 23 | (sig >> 40 & 0x7fffff);
}

uint64_t sf_pack64(Sf v)
{
    uint64_t sig;
    int32_t e = fields(1023, v, &sig);
    return (uint64_t)v.sign << 63 | (uint64_t)e << 52 | (sig >> 11 & ((1ull << 52) - 1));
}

Sf80 sf_pack80(Sf v)
{
    Sf80 r;
    r.se = fields(16383, v, &r.m) | v.sign << 15;
    return r;
}

/* ---- rounding ---- */

static U128 shift_jam(U128 v, uint32_t n)
{
    if (n == 0) {
        return v;
    }
    if (n > 127) {
        return v != 0;
    }
    return v >> n | (v << (128 - n) != 0);
}

static ALWAYS_INLINE bool away(uint8_t rmode, bool sign, bool odd, bool half, bool sticky)
{
    switch (rmode) {
    case SF_NEAREST: return half && (sticky || odd);
    case SF_DOWN: return sign && (half || sticky);
    case SF_UP: return !sign && (half || sticky);
    default: return false;
    }
}

typedef struct Rounded {
    U128 sig;
    bool carry, inexact, up;
} Rounded;

/* Rounds to the upper `prec` bits (1..64). A carry out leaves the top bit alone set. */
static ALWAYS_INLINE Rounded round_at(U128 sig, unsigned prec, bool sign, uint8_t rmode)
{
    unsigned low = 128 - prec;
    U128 unit = (U128)1 << low, rest = sig & (unit - 1), half = unit >> 1;
    Rounded r = { .sig = sig - rest, .inexact = rest != 0 };

    r.up = away(rmode, sign, (sig >> low) & 1, rest >= half, (rest & (half - 1)) != 0);
    if (r.up) {
        r.sig += unit;
        if (r.sig == 0) {
            r.sig = (U128)1 << 127;
            r.carry = true;
        }
    }
    return r;
}

static Sf overflow(const SfFormat *f, unsigned prec, bool sign, SfStatus *s)
{
    bool inf = s->rmode == SF_NEAREST || s->rmode == (sign ? SF_DOWN : SF_UP);

    s->flags |= SF_OE | SF_PE;
    s->up = inf;
    if (inf) {
        return special(SF_CLS_INF, sign);
    }
    return (Sf){
        .cls = SF_CLS_NORMAL, .sign = sign, .exp = f->emax, .sig = ~0ull << (64 - prec)
    };
}

static Sf underflow(const SfFormat *f, unsigned prec, bool sign, int32_t exp, U128 sig,
                    SfStatus *s)
{
    int32_t emin = 1 - f->emax;

    if (s->ftz) {
        s->flags |= SF_UE | SF_PE;
        s->up = false;
        return special(SF_CLS_ZERO, sign);
    }
    Rounded r = round_at(shift_jam(sig, emin - exp), prec, sign, s->rmode);
    s->flags |= r.inexact ? SF_UE | SF_PE : 0;
    s->up = r.up;
    uint64_t hi = r.sig >> 64;
    if (!hi) {
        return special(SF_CLS_ZERO, sign);
    }
    int n = __builtin_clzll(hi);
    return (Sf){ .cls = SF_CLS_NORMAL, .sign = sign, .sig = hi << n, .exp = emin - n };
}

static Sf round128(const SfFormat *f, bool sign, int32_t exp, U128 sig, SfStatus *s)
{
    unsigned prec = f->prec ? f->prec : s->prec ? s->prec : 64;
    Rounded r = round_at(sig, prec, sign, s->rmode);
    int32_t e = exp + r.carry;
    Sf v = { .cls = SF_CLS_NORMAL, .sign = sign, .sig = r.sig >> 64, .exp = e };

    if (e > f->emax) {
        if (s->mask & SF_OE) {
            return overflow(f, prec, sign, s);
        }
        s->flags |= SF_OE;
        v.exp -= f == &sf_f80 ? ADJUST : 0;
        if (f == &sf_f80 && v.exp > f->emax) { /* massive, vol. 1, 8.5.4 */
            s->flags |= SF_PE;
            s->up = true;
            return special(SF_CLS_INF, sign);
        }
    } else if (e < 1 - f->emax) {
        if (s->mask & SF_UE) {
            return underflow(f, prec, sign, exp, sig, s);
        }
        s->flags |= SF_UE;
        v.exp += f == &sf_f80 ? ADJUST : 0;
        if (f == &sf_f80 && v.exp < 1 - f->emax) {
            s->flags |= SF_PE;
            s->up = false;
            return special(SF_CLS_ZERO, sign);
        }
    }
    s->flags |= r.inexact ? SF_PE : 0;
    s->up = r.up;
    return v;
}

Sf sf_round(const SfFormat *f, bool sign, int32_t exp, uint64_t hi, uint64_t lo,
            SfStatus *s)
{
    return round128(f, sign, exp, (U128)hi << 64 | lo, s);
}

/* Not necessarily normalised; zero only if exact. */
static Sf norm_round(const SfFormat *f, bool sign, int32_t exp, U128 sig, SfStatus *s)
{
    uint64_t hi = sig >> 64;
    int n = hi ? __builtin_clzll(hi) : 64 + __builtin_clzll((uint64_t)sig);
    return round128(f, sign, exp - n, sig << n, s);
}

/* ---- NaNs ---- */

static Sf invalid(SfStatus *s)
{
    s->flags |= SF_IE;
    return sf_default_nan();
}

static Sf quiet(Sf a)
{
    a.cls = SF_CLS_QNAN;
    a.sig |= QUIET_BIT;
    return a;
}

static bool odd_one(Sf a)
{
    return a.cls >= SF_CLS_QNAN;
}

/* Vol. 1, table 4-7, and 8.5.1.1 for unsupported formats. */
Sf sf_nan(const SfFormat *f, Sf a, Sf b, SfStatus *s)
{
    if (a.cls == SF_CLS_INVALID || b.cls == SF_CLS_INVALID) {
        return invalid(s);
    }
    if (a.cls == SF_CLS_SNAN || b.cls == SF_CLS_SNAN) {
        s->flags |= SF_IE;
    }
    if (f != &sf_f80 || !sf_is_nan(a) || !sf_is_nan(b)) {
        return quiet(sf_is_nan(a) ? a : b);
    }
    if (a.cls != b.cls) {
        return a.cls == SF_CLS_QNAN ? a : b;
    }
    if (a.sig != b.sig) {
        return quiet(a.sig > b.sig ? a : b);
    }
    return quiet(a.sign ? b : a);
}

static Sf nan1(Sf a, SfStatus *s)
{
    if (a.cls != SF_CLS_QNAN) {
        s->flags |= SF_IE;
    }
    return a.cls == SF_CLS_INVALID ? sf_default_nan() : quiet(a);
}

static void note_denormal(SfStatus *s, bool denormal)
{
    s->flags |= denormal ? SF_DE : 0;
}

/* ---- addition ---- */

/* x and y have bit 127 set, and no bit of the greater is lost by one shift to the right. */
static Sf add128(const SfFormat *f, bool sx, int32_t ex, U128 x, bool sy, int32_t ey,
                 U128 y, SfStatus *s)
{
    if (ey > ex || (ey == ex && y > x)) {
        bool t = sx;
        int32_t e = ex;
        U128 v = x;
        sx = sy, ex = ey, x = y;
        sy = t, ey = e, y = v;
    }
    x >>= 1;
    y = shift_jam(y, ex - ey + 1);
    U128 r = sx == sy ? x + y : x - y;
    if (!r) {
        return special(SF_CLS_ZERO, s->rmode == SF_DOWN);
    }
    return norm_round(f, sx, ex + 1, r, s);
}

static Sf zero_sum(bool sa, bool sb, const SfStatus *s)
{
    return special(SF_CLS_ZERO, sa == sb ? sa : s->rmode == SF_DOWN);
}

static Sf round_same(const SfFormat *f, Sf a, SfStatus *s)
{
    return round128(f, a.sign, a.exp, (U128)a.sig << 64, s);
}

Sf sf_add(const SfFormat *f, Sf a, Sf b, SfStatus *s)
{
    s->up = false;
    if (odd_one(a) || odd_one(b)) {
        return sf_nan(f, a, b, s);
    }
    if (a.cls == SF_CLS_INF && b.cls == SF_CLS_INF && a.sign != b.sign) {
        return invalid(s);
    }
    note_denormal(s, a.denormal || b.denormal);
    if (a.cls == SF_CLS_INF || b.cls == SF_CLS_INF) {
        return a.cls == SF_CLS_INF ? a : b;
    }
    if (a.cls == SF_CLS_ZERO) {
        return b.cls == SF_CLS_ZERO ? zero_sum(a.sign, b.sign, s) : round_same(f, b, s);
    }
    if (b.cls == SF_CLS_ZERO) {
        return round_same(f, a, s);
    }
    return add128(f, a.sign, a.exp, (U128)a.sig << 64, b.sign, b.exp, (U128)b.sig << 64,
                  s);
}

Sf sf_sub(const SfFormat *f, Sf a, Sf b, SfStatus *s)
{
    if (!odd_one(b)) {
        b.sign = !b.sign;
    }
    return sf_add(f, a, b, s);
}

/* ---- multiplication, division, square root ---- */

static U128 product(Sf a, Sf b, int32_t *exp)
{
    U128 p = (U128)a.sig * b.sig;
    bool top = p >> 127;
    *exp = a.exp + b.exp + top;
    return top ? p : p << 1;
}

Sf sf_mul(const SfFormat *f, Sf a, Sf b, SfStatus *s)
{
    bool sign = a.sign != b.sign;
    bool inf = a.cls == SF_CLS_INF || b.cls == SF_CLS_INF;
    bool zero = a.cls == SF_CLS_ZERO || b.cls == SF_CLS_ZERO;
    int32_t exp;

    s->up = false;
    if (odd_one(a) || odd_one(b)) {
        return sf_nan(f, a, b, s);
    }
    if (inf && zero) {
        return invalid(s);
    }
    note_denormal(s, a.denormal || b.denormal);
    if (inf || zero) {
        return special(inf ? SF_CLS_INF : SF_CLS_ZERO, sign);
    }
    U128 p = product(a, b, &exp);
    return round128(f, sign, exp, p, s);
}

Sf sf_div(const SfFormat *f, Sf a, Sf b, SfStatus *s)
{
    bool sign = a.sign != b.sign;

    s->up = false;
    if (odd_one(a) || odd_one(b)) {
        return sf_nan(f, a, b, s);
    }
    if (a.cls == b.cls && a.cls != SF_CLS_NORMAL) { /* 0/0 or inf/inf */
        return invalid(s);
    }
    if (b.cls == SF_CLS_ZERO && a.cls == SF_CLS_NORMAL) {
        s->flags |= SF_ZE;
        return special(SF_CLS_INF, sign);
    }
    note_denormal(s, a.denormal || b.denormal);
    if (a.cls == SF_CLS_INF || b.cls == SF_CLS_ZERO) {
        return special(SF_CLS_INF, sign);
    }
    if (a.cls == SF_CLS_ZERO || b.cls == SF_CLS_INF) {
        return special(SF_CLS_ZERO, sign);
    }
    bool less = a.sig < b.sig;
    U128 n = (U128)a.sig << (less ? 64 : 63);
    uint64_t q = n / b.sig, rem = n % b.sig;
    n = (U128)rem << 64;
    uint64_t low = n / b.sig;
    low |= n % b.sig != 0;
    return round128(f, sign, a.exp - b.exp - less, (U128)q << 64 | low, s);
}

/* Floor of the square root of n (bit 127 or 126 set); *rem = n - root^2. */
static uint64_t root128(U128 n, U128 *rem)
{
    U128 left = 0, root = 0;
    for (int i = 126; i >= 0; i -= 2) {
        left = left << 2 | ((uint64_t)(n >> i) & 3);
        U128 trial = root << 2 | 1;
        root <<= 1;
        if (left >= trial) {
            left -= trial;
            root |= 1;
        }
    }
    *rem = left;
    return root;
}

Sf sf_sqrt(const SfFormat *f, Sf a, SfStatus *s)
{
    s->up = false;
    if (odd_one(a)) {
        return nan1(a, s);
    }
    if (a.cls == SF_CLS_ZERO) {
        return a;
    }
    if (a.sign) {
        return invalid(s);
    }
    note_denormal(s, a.denormal);
    if (a.cls == SF_CLS_INF) {
        return a;
    }
    bool odd = a.exp & 1;
    U128 rem;
    uint64_t root = root128((U128)a.sig << (odd ? 64 : 63), &rem);
    /* beyond .5 iff the remainder is greater than the root; never exactly .5 */
    uint64_t low = rem > root ? TOP_BIT | 1 : rem != 0;
    return round128(f, false, (a.exp - odd) / 2, (U128)root << 64 | low, s);
}

/* ---- fused multiply-add ---- */

static Sf fma_nan(Sf a, Sf b, Sf c, SfStatus *s)
{
    bool signal = a.cls == SF_CLS_SNAN || b.cls == SF_CLS_SNAN || c.cls == SF_CLS_SNAN;
    s->flags |= signal ? SF_IE : 0;
    return quiet(sf_is_nan(a) ? a : sf_is_nan(b) ? b : c);
}

Sf sf_fma(const SfFormat *f, Sf a, Sf b, Sf c, SfStatus *s)
{
    bool sign = a.sign != b.sign;
    bool inf = a.cls == SF_CLS_INF || b.cls == SF_CLS_INF;
    bool zero = a.cls == SF_CLS_ZERO || b.cls == SF_CLS_ZERO;
    int32_t exp;

    s->up = false;
    if (sf_is_nan(a) || sf_is_nan(b) || sf_is_nan(c)) {
        return fma_nan(a, b, c, s);
    }
    if ((inf && zero) || (inf && c.cls == SF_CLS_INF && c.sign != sign)) {
        return invalid(s);
    }
    note_denormal(s, a.denormal || b.denormal || c.denormal);
    if (inf) {
        return special(SF_CLS_INF, sign);
    }
    if (c.cls == SF_CLS_INF) {
        return c;
    }
    if (zero) {
        return c.cls == SF_CLS_ZERO ? zero_sum(sign, c.sign, s) : round_same(f, c, s);
    }
    U128 p = product(a, b, &exp);
    if (c.cls == SF_CLS_ZERO) {
        return round128(f, sign, exp, p, s);
    }
    return add128(f, sign, exp, p, c.sign, c.exp, (U128)c.sig << 64, s);
}

/* ---- conversions ---- */

Sf sf_convert(const SfFormat *f, Sf a, SfStatus *s)
{
    s->up = false;
    if (odd_one(a)) {
        return nan1(a, s);
    }
    note_denormal(s, a.denormal);
    return a.cls == SF_CLS_NORMAL ? round_same(f, a, s) : a;
}

/* Magnitude rounded to an integer; exp <= 63. */
static uint64_t to_magnitude(Sf a, uint8_t rmode, bool *inexact, bool *up)
{
    U128 v = shift_jam((U128)a.sig << 64, 63 - a.exp);
    uint64_t mag = v >> 64, rest = v;

    *inexact = rest != 0;
    *up = away(rmode, a.sign, mag & 1, rest & TOP_BIT, (rest & ~TOP_BIT) != 0);
    return mag + *up;
}

Sf sf_rint(Sf a, SfStatus *s)
{
    bool inexact;

    s->up = false;
    if (odd_one(a)) {
        return nan1(a, s);
    }
    note_denormal(s, a.denormal);
    if (a.cls != SF_CLS_NORMAL || a.exp >= 63) {
        return a;
    }
    Sf r = integer(a.sign, to_magnitude(a, s->rmode, &inexact, &s->up));
    r.sign = a.sign;
    s->flags |= inexact ? SF_PE : 0;
    return r;
}

/* False: does not fit in 64 bits. */
static bool to_integer(Sf a, bool trunc, SfStatus *s, uint64_t *mag, bool *inexact)
{
    *mag = 0;
    *inexact = false;
    s->up = false;
    if (a.cls == SF_CLS_ZERO) {
        return true;
    }
    if (a.cls != SF_CLS_NORMAL || a.exp > 63) {
        return false;
    }
    *mag = to_magnitude(a, trunc ? SF_ZERO : s->rmode, inexact, &s->up);
    return true;
}

int64_t sf_to_int(Sf a, unsigned bits, bool trunc, SfStatus *s)
{
    uint64_t mag, limit = 1ull << (bits - 1);
    bool inexact;

    if (!to_integer(a, trunc, s, &mag, &inexact) || mag > limit - !a.sign) {
        s->flags |= SF_IE;
        s->up = false;
        return -(int64_t)(limit - 1) - 1;
    }
    s->flags |= inexact ? SF_PE : 0;
    return a.sign ? -mag : mag;
}

uint64_t sf_to_uint(Sf a, unsigned bits, bool trunc, SfStatus *s)
{
    uint64_t mag, limit = ~0ull >> (64 - bits);
    bool inexact;

    if (!to_integer(a, trunc, s, &mag, &inexact) || mag > (a.sign ? 0 : limit)) {
        s->flags |= SF_IE;
        s->up = false;
        return limit;
    }
    s->flags |= inexact ? SF_PE : 0;
    return mag;
}

/* ---- comparison ---- */

static SfRel order(Sf a, Sf b)
{
    bool za = a.cls == SF_CLS_ZERO, zb = b.cls == SF_CLS_ZERO;
    if (za || zb) {
        return za && zb ? SF_EQ : (za ? b.sign : !a.sign) ? SF_GT : SF_LT;
    }
    if (a.sign != b.sign) {
        return a.sign ? SF_LT : SF_GT;
    }
    SfRel more = a.sign ? SF_LT : SF_GT, less = a.sign ? SF_GT : SF_LT;
    if (a.cls != b.cls) {
        return a.cls == SF_CLS_INF ? more : less;
    }
    if (a.cls == SF_CLS_INF) {
        return SF_EQ;
    }
    if (a.exp != b.exp) {
        return a.exp > b.exp ? more : less;
    }
    return a.sig == b.sig ? SF_EQ : a.sig > b.sig ? more : less;
}

SfRel sf_compare(Sf a, Sf b, bool signal, SfStatus *s)
{
    if (odd_one(a) || odd_one(b)) {
        if (signal || a.cls >= SF_CLS_SNAN || b.cls >= SF_CLS_SNAN) {
            s->flags |= SF_IE;
        }
        return SF_UN;
    }
    note_denormal(s, a.denormal || b.denormal);
    return order(a, b);
}
