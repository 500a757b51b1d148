/* SPDX-License-Identifier: MIT */
/*
 * Integer operations that AVX-512 adds: 64-bit and 16-bit variants, rotates, compares and
 * tests into opmasks, ternary logic, funnel shifts, dot products, bit counts, conflict
 * detection. SDM vol. 2 under each mnemonic. Masks and broadcasts: vec.h. Heavy code.
 */
#include "target-x86/vec.h"

/* Bytes of an element. */
static unsigned unit(const X86Insn *in)
{
    return 1u << (in->row->ev & 3);
}

/* ---- one element from one or two, zero-extended; bits: its width ---- */
typedef uint64_t VecElem(uint64_t a, uint64_t b, unsigned bits);

static ALWAYS_INLINE void vec_elem(X86Cpu *cpu, const X86Insn *in, VecElem *f)
{
    X86Vec s[3], d = { 0 };
    unsigned n = x86_vec_fetch(cpu, in, s), u = unit(in);
    for (unsigned i = 0; i < n / u; i++) {
        vec_set(&d, u, i, f(vec_get(&s[0], u, i), vec_get(&s[1], u, i), u * 8));
    }
    x86_vec_done(cpu, in, &d);
}

/* The second source is a count for all elements: an immediate or a quadword. */
static ALWAYS_INLINE void vec_counted(X86Cpu *cpu, const X86Insn *in, VecElem *f)
{
    X86Vec s[3], d = { 0 };
    unsigned n = x86_vec_fetch(cpu, in, s), u = unit(in);
    uint64_t count = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / u; i++) {
        vec_set(&d, u, i, f(vec_get(&s[0], u, i), count, u * 8));
    }
    x86_vec_done(cpu, in, &d);
}

static int64_t sx(uint64_t v, unsigned bits)
{
    return sext(v, bits);
}

static uint64_t mins(uint64_t a, uint64_t b, unsigned n)
{
    return sx(a, n) < sx(b, n) ? a : b;
}
static uint64_t maxs(uint64_t a, uint64_t b, unsigned n)
{
    return sx(a, n) > sx(b, n) ? a : b;
}
static uint64_t minu(uint64_t a, uint64_t b, unsigned n)
{
    return MIN(a, b);
}
static uint64_t maxu(uint64_t a, uint64_t b, unsigned n)
{
    return MAX(a, b);
}
static uint64_t mullo(uint64_t a, uint64_t b, unsigned n)
{
    return a * b;
}
static uint64_t magnitude(uint64_t a, uint64_t b, unsigned n)
{
    return sx(a, n) < 0 ? -a : a;
}
static uint64_t srl(uint64_t a, uint64_t b, unsigned n)
{
    return b < n ? a >> b : 0;
}
static uint64_t sll(uint64_t a, uint64_t b, unsigned n)
{
    return b < n ? a << b : 0;
}
static uint64_t sra(uint64_t a, uint64_t b, unsigned n)
{
    return sx(a, n) >> MIN(b, n - 1);
}

static uint64_t rol(uint64_t a, uint64_t b, unsigned n)
{
    b &= n - 1;
    return b ? a << b | a >> (n - b) : a;
}

static uint64_t ror(uint64_t a, uint64_t b, unsigned n)
{
    return rol(a, n - (b & (n - 1)), n);
}

static uint64_t lzcnt(uint64_t a, uint64_t b, unsigned n)
{
    return a ? __builtin_clzll(a) - (64 - n) : n;
}

static uint64_t popcnt(uint64_t a, uint64_t b, unsigned n)
{
    return __builtin_popcountll(a);
}
static uint64_t test(uint64_t a, uint64_t b, unsigned n)
{
    return a & b ? ~0ull : 0;
}
static uint64_t testn(uint64_t a, uint64_t b, unsigned n)
{
    return a & b ? 0 : ~0ull;
}

VEC_EXEC(PMINS, vec_elem, mins)
VEC_EXEC(PMAXS, vec_elem, maxs)
VEC_EXEC(PMINU, vec_elem, minu)
VEC_EXEC(PMAXU, vec_elem, maxu)
VEC_EXEC(PMULL, vec_elem, mullo)
VEC_EXEC(PABS, vec_elem, magnitude)
VEC_EXEC(PSRLV, vec_elem, srl)
VEC_EXEC(PSLLV, vec_elem, sll)
VEC_EXEC(PSRAV, vec_elem, sra)
VEC_EXEC(PSRA, vec_counted, sra)
VEC_EXEC(PROLV, vec_elem, rol)
VEC_EXEC(PRORV, vec_elem, ror)
VEC_EXEC(PROL, vec_counted, rol)
VEC_EXEC(PROR, vec_counted, ror)
VEC_EXEC(PLZCNT, vec_elem, lzcnt)
VEC_EXEC(POPCNT, vec_elem, popcnt)
VEC_EXEC(PTESTM, vec_elem, test)
VEC_EXEC(PTESTNM, vec_elem, testn)

/* ---- compares with a predicate ---- */
static bool predicate(unsigned imm, bool less, bool equal)
{
    switch (imm & 7) {
    case 0: return equal;
    case 1: return less;
    case 2: return less || equal;
    case 3: return false;
    case 4: return !equal;
    case 5: return !less;
    case 6: return !(less || equal);
    default: return true;
    }
}

static void compare(X86Cpu *cpu, const X86Insn *in, bool sign)
{
    X86Vec s[3], d = { 0 };
    unsigned n = x86_vec_fetch(cpu, in, s), u = unit(in);
    for (unsigned i = 0; i < n / u; i++) {
        uint64_t a = vec_get(&s[0], u, i), b = vec_get(&s[1], u, i);
        bool less = sign ? sx(a, u * 8) < sx(b, u * 8) : a < b;
        vec_set(&d, u, i, predicate(in->imm, less, a == b) ? ~0ull : 0);
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_VPCMP(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, true);
}
void x86_vec_VPCMPU(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, false);
}

/* ---- three sources: the destination is source 0 ---- */
typedef uint64_t VecElem3(uint64_t d, uint64_t a, uint64_t b, unsigned bits,
                          unsigned imm);

static ALWAYS_INLINE void vec_elem3(X86Cpu *cpu, const X86Insn *in, VecElem3 *f)
{
    X86Vec s[3], d = { 0 };
    unsigned n = x86_vec_fetch(cpu, in, s), u = unit(in);
    for (unsigned i = 0; i < n / u; i++) {
        vec_set(&d, u, i,
                f(vec_get(&s[0], u, i), vec_get(&s[1], u, i), vec_get(&s[2], u, i), u * 8,
                  (uint8_t)in->imm));
    }
    x86_vec_done(cpu, in, &d);
}

static uint64_t ternlog(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (imm >> i & 1) {
            r |= (i & 4 ? d : ~d) & (i & 2 ? a : ~a) & (i & 1 ? b : ~b);
        }
    }
    return r;
}

/* hi:lo shifted by c modulo the width */
static uint64_t funnel_left(uint64_t hi, uint64_t lo, uint64_t c, unsigned n)
{
    c &= n - 1;
    return c ? hi << c | lo >> (n - c) : hi;
}

static uint64_t funnel_right(uint64_t hi, uint64_t lo, uint64_t c, unsigned n)
{
    c &= n - 1;
    return c ? lo >> c | hi << (n - c) : lo;
}

static uint64_t shldv(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return funnel_left(d, a, b, n);
}

static uint64_t shrdv(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return funnel_right(a, d, b, n);
}

/* By immediate: two sources, numbers 0 and 1. */
static uint64_t shld(uint64_t a, uint64_t b, uint64_t none, unsigned n, unsigned imm)
{
    return funnel_left(a, b, imm, n);
}

static uint64_t shrd(uint64_t a, uint64_t b, uint64_t none, unsigned n, unsigned imm)
{
    return funnel_right(b, a, imm, n);
}

#define LOW52 ((1ull << 52) - 1)

static uint64_t madd52lo(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return d + ((a & LOW52) * (b & LOW52) & LOW52);
}

static uint64_t madd52hi(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return d + (uint64_t)((unsigned __int128)(a & LOW52) * (b & LOW52) >> 52);
}

static uint64_t sat_sd(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v;
}

/* Unsigned bytes of a times signed bytes of b. */
static int64_t dot_bytes(uint64_t a, uint64_t b)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < 32; i += 8) {
        sum += (int)(uint8_t)(a >> i) * (int8_t)(b >> i);
    }
    return sum;
}

static int64_t dot_words(uint64_t a, uint64_t b)
{
    return (int64_t)((int16_t)a * (int16_t)b) + (int16_t)(a >> 16) * (int16_t)(b >> 16);
}

static uint64_t dpbusd(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return d + dot_bytes(a, b);
}

static uint64_t dpbusds(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return sat_sd((int32_t)d + dot_bytes(a, b));
}

static uint64_t dpwssd(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return d + dot_words(a, b);
}

static uint64_t dpwssds(uint64_t d, uint64_t a, uint64_t b, unsigned n, unsigned imm)
{
    return sat_sd((int32_t)d + dot_words(a, b));
}

VEC_EXEC(VPTERNLOG, vec_elem3, ternlog)
VEC_EXEC(VPSHLDV, vec_elem3, shldv)
VEC_EXEC(VPSHRDV, vec_elem3, shrdv)
VEC_EXEC(VPSHLD, vec_elem3, shld)
VEC_EXEC(VPSHRD, vec_elem3, shrd)
VEC_EXEC(VPMADD52LUQ, vec_elem3, madd52lo)
VEC_EXEC(VPMADD52HUQ, vec_elem3, madd52hi)
VEC_EXEC(VPDPBUSD, vec_elem3, dpbusd)
VEC_EXEC(VPDPBUSDS, vec_elem3, dpbusds)
VEC_EXEC(VPDPWSSD, vec_elem3, dpwssd)
VEC_EXEC(VPDPWSSDS, vec_elem3, dpwssds)

/* ---- the rest ---- */
/* Each byte of source 0 is a bit position: eight bits from there, wrapping round. */
void x86_vec_VPMULTISHIFTQB(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n; i++) {
        d.b[i] = ror(s[1].q[i / 8], s[0].b[i], 64);
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_VPSHUFBITQMB(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n; i++) {
        d.b[i] = s[0].q[i / 8] >> (s[1].b[i] & 63) & 1 ? 0xff : 0;
    }
    x86_vec_done(cpu, in, &d);
}

/* Word j of a quadword: four bytes of a from byte j & 2 times 2, four of the doublewords
 * that imm chose from b, starting at byte j. */
static void dbpsadbw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                     unsigned imm)
{
    X86Xmm t;
    for (unsigned i = 0; i < 4; i++) {
        t.d[i] = b->d[imm >> 2 * i & 3];
    }
    for (unsigned j = 0; j < 8; j++) {
        const uint8_t *pa = a->b + (j & 4) * 2 + (j & 2) * 2;
        const uint8_t *pt = t.b + (j & 4) * 2 + (j & 3);
        unsigned sum = 0;
        for (unsigned k = 0; k < 4; k++) {
            int diff = pa[k] - pt[k];
            sum += diff < 0 ? -diff : diff;
        }
        d->w[j] = sum;
    }
}

VEC_EXEC(VDBPSADBW, vec_lanes, dbpsadbw)

/* Which of the elements below are equal to this one. */
void x86_vec_VPCONFLICT(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d = { 0 };
    unsigned n = x86_vec_fetch(cpu, in, s), u = unit(in);
    for (unsigned i = 0; i < n / u; i++) {
        uint64_t m = 0;
        for (unsigned j = 0; j < i; j++) {
            m |= (uint64_t)(vec_get(&s[0], u, i) == vec_get(&s[0], u, j)) << j;
        }
        vec_set(&d, u, i, m);
    }
    x86_vec_done(cpu, in, &d);
}
