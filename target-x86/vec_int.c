/* SPDX-License-Identifier: MIT */
/*
 * Packed integer arithmetic, compares, logic and shifts of MMX, SSE..SSE4.2, AVX and
 * AVX2. SDM vol. 2 under each mnemonic. Heavy code.
 */
#include "target-x86/vec.h"

/* ---- saturation ---- */
static uint8_t sat_sb(int v)
{
    return v < -128 ? 0x80 : v > 127 ? 0x7f : v;
}

static uint16_t sat_sw(int v)
{
    return v < -32768 ? 0x8000 : v > 32767 ? 0x7fff : v;
}

static uint8_t sat_ub(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

static uint16_t sat_uw(int v)
{
    return v < 0 ? 0 : v > 65535 ? 65535 : v;
}

/* ---- bytes ---- */
static uint8_t paddb(uint8_t a, uint8_t b) { return a + b; }
static uint8_t psubb(uint8_t a, uint8_t b) { return a - b; }
static uint8_t paddsb(uint8_t a, uint8_t b) { return sat_sb((int8_t)a + (int8_t)b); }
static uint8_t psubsb(uint8_t a, uint8_t b) { return sat_sb((int8_t)a - (int8_t)b); }
static uint8_t paddusb(uint8_t a, uint8_t b) { return sat_ub(a + b); }
static uint8_t psubusb(uint8_t a, uint8_t b) { return sat_ub(a - b); }
static uint8_t pcmpeqb(uint8_t a, uint8_t b) { return a == b ? 0xff : 0; }
static uint8_t pcmpgtb(uint8_t a, uint8_t b) { return (int8_t)a > (int8_t)b ? 0xff : 0; }
static uint8_t pminub(uint8_t a, uint8_t b) { return MIN(a, b); }
static uint8_t pmaxub(uint8_t a, uint8_t b) { return MAX(a, b); }
static uint8_t pminsb(uint8_t a, uint8_t b) { return (int8_t)a < (int8_t)b ? a : b; }
static uint8_t pmaxsb(uint8_t a, uint8_t b) { return (int8_t)a > (int8_t)b ? a : b; }
static uint8_t pavgb(uint8_t a, uint8_t b) { return (a + b + 1) >> 1; }
static uint8_t psignb(uint8_t a, uint8_t b)
{
    return (int8_t)b < 0 ? -a : b ? a : 0;
}
static uint8_t pabsb(uint8_t b, uint8_t unused) { return (int8_t)b < 0 ? -b : b; }

VEC_EXEC(PADDB, vec_bin8, paddb)
VEC_EXEC(PSUBB, vec_bin8, psubb)
VEC_EXEC(PADDSB, vec_bin8, paddsb)
VEC_EXEC(PSUBSB, vec_bin8, psubsb)
VEC_EXEC(PADDUSB, vec_bin8, paddusb)
VEC_EXEC(PSUBUSB, vec_bin8, psubusb)
VEC_EXEC(PCMPEQB, vec_bin8, pcmpeqb)
VEC_EXEC(PCMPGTB, vec_bin8, pcmpgtb)
VEC_EXEC(PMINUB, vec_bin8, pminub)
VEC_EXEC(PMAXUB, vec_bin8, pmaxub)
VEC_EXEC(PMINSB, vec_bin8, pminsb)
VEC_EXEC(PMAXSB, vec_bin8, pmaxsb)
VEC_EXEC(PAVGB, vec_bin8, pavgb)
VEC_EXEC(PSIGNB, vec_bin8, psignb)
VEC_EXEC(PABSB, vec_bin8, pabsb)

/* ---- words ---- */
static uint16_t paddw(uint16_t a, uint16_t b) { return a + b; }
static uint16_t psubw(uint16_t a, uint16_t b) { return a - b; }
static uint16_t paddsw(uint16_t a, uint16_t b) { return sat_sw((int16_t)a + (int16_t)b); }
static uint16_t psubsw(uint16_t a, uint16_t b) { return sat_sw((int16_t)a - (int16_t)b); }
static uint16_t paddusw(uint16_t a, uint16_t b) { return sat_uw(a + b); }
static uint16_t psubusw(uint16_t a, uint16_t b) { return sat_uw(a - b); }
static uint16_t pcmpeqw(uint16_t a, uint16_t b) { return a == b ? 0xffff : 0; }
static uint16_t pcmpgtw(uint16_t a, uint16_t b)
{
    return (int16_t)a > (int16_t)b ? 0xffff : 0;
}
static uint16_t pminuw(uint16_t a, uint16_t b) { return MIN(a, b); }
static uint16_t pmaxuw(uint16_t a, uint16_t b) { return MAX(a, b); }
static uint16_t pminsw(uint16_t a, uint16_t b) { return (int16_t)a < (int16_t)b ? a : b; }
static uint16_t pmaxsw(uint16_t a, uint16_t b) { return (int16_t)a > (int16_t)b ? a : b; }
static uint16_t pavgw(uint16_t a, uint16_t b) { return (a + b + 1) >> 1; }
static uint16_t pmullw(uint16_t a, uint16_t b) { return (uint32_t)a * b; }
static uint16_t pmulhw(uint16_t a, uint16_t b) { return (int16_t)a * (int16_t)b >> 16; }
static uint16_t pmulhuw(uint16_t a, uint16_t b) { return (uint32_t)a * b >> 16; }
static uint16_t pmulhrsw(uint16_t a, uint16_t b)
{
    return (((int16_t)a * (int16_t)b >> 14) + 1) >> 1;
}
static uint16_t psignw(uint16_t a, uint16_t b)
{
    return (int16_t)b < 0 ? -a : b ? a : 0;
}
static uint16_t pabsw(uint16_t b, uint16_t unused) { return (int16_t)b < 0 ? -b : b; }
static uint16_t pmaddubsw(uint16_t a, uint16_t b)
{
    return sat_sw((a & 0xff) * (int8_t)b + (a >> 8) * (int8_t)(b >> 8));
}

VEC_EXEC(PADDW, vec_bin16, paddw)
VEC_EXEC(PSUBW, vec_bin16, psubw)
VEC_EXEC(PADDSW, vec_bin16, paddsw)
VEC_EXEC(PSUBSW, vec_bin16, psubsw)
VEC_EXEC(PADDUSW, vec_bin16, paddusw)
VEC_EXEC(PSUBUSW, vec_bin16, psubusw)
VEC_EXEC(PCMPEQW, vec_bin16, pcmpeqw)
VEC_EXEC(PCMPGTW, vec_bin16, pcmpgtw)
VEC_EXEC(PMINUW, vec_bin16, pminuw)
VEC_EXEC(PMAXUW, vec_bin16, pmaxuw)
VEC_EXEC(PMINSW, vec_bin16, pminsw)
VEC_EXEC(PMAXSW, vec_bin16, pmaxsw)
VEC_EXEC(PAVGW, vec_bin16, pavgw)
VEC_EXEC(PMULLW, vec_bin16, pmullw)
VEC_EXEC(PMULHW, vec_bin16, pmulhw)
VEC_EXEC(PMULHUW, vec_bin16, pmulhuw)
VEC_EXEC(PMULHRSW, vec_bin16, pmulhrsw)
VEC_EXEC(PSIGNW, vec_bin16, psignw)
VEC_EXEC(PABSW, vec_bin16, pabsw)
VEC_EXEC(PMADDUBSW, vec_bin16, pmaddubsw)

/* ---- doublewords ---- */
static uint32_t paddd(uint32_t a, uint32_t b) { return a + b; }
static uint32_t psubd(uint32_t a, uint32_t b) { return a - b; }
static uint32_t pcmpeqd(uint32_t a, uint32_t b) { return a == b ? ~0u : 0; }
static uint32_t pcmpgtd(uint32_t a, uint32_t b) { return (int32_t)a > (int32_t)b ? ~0u : 0; }
static uint32_t pminud(uint32_t a, uint32_t b) { return MIN(a, b); }
static uint32_t pmaxud(uint32_t a, uint32_t b) { return MAX(a, b); }
static uint32_t pminsd(uint32_t a, uint32_t b) { return (int32_t)a < (int32_t)b ? a : b; }
static uint32_t pmaxsd(uint32_t a, uint32_t b) { return (int32_t)a > (int32_t)b ? a : b; }
static uint32_t pmulld(uint32_t a, uint32_t b) { return a * b; }
static uint32_t psignd(uint32_t a, uint32_t b)
{
    return (int32_t)b < 0 ? -a : b ? a : 0;
}
static uint32_t pabsd(uint32_t b, uint32_t unused) { return (int32_t)b < 0 ? -b : b; }
static uint32_t pmaddwd(uint32_t a, uint32_t b)
{
    return (uint32_t)((int16_t)a * (int16_t)b) +
           (uint32_t)((int16_t)(a >> 16) * (int16_t)(b >> 16));
}
static uint32_t vpsrlvd(uint32_t a, uint32_t b) { return b < 32 ? a >> b : 0; }
static uint32_t vpsllvd(uint32_t a, uint32_t b) { return b < 32 ? a << b : 0; }
static uint32_t vpsravd(uint32_t a, uint32_t b) { return (int32_t)a >> MIN(b, 31u); }

VEC_EXEC(PADDD, vec_bin32, paddd)
VEC_EXEC(PSUBD, vec_bin32, psubd)
VEC_EXEC(PCMPEQD, vec_bin32, pcmpeqd)
VEC_EXEC(PCMPGTD, vec_bin32, pcmpgtd)
VEC_EXEC(PMINUD, vec_bin32, pminud)
VEC_EXEC(PMAXUD, vec_bin32, pmaxud)
VEC_EXEC(PMINSD, vec_bin32, pminsd)
VEC_EXEC(PMAXSD, vec_bin32, pmaxsd)
VEC_EXEC(PMULLD, vec_bin32, pmulld)
VEC_EXEC(PSIGND, vec_bin32, psignd)
VEC_EXEC(PABSD, vec_bin32, pabsd)
VEC_EXEC(PMADDWD, vec_bin32, pmaddwd)
VEC_EXEC(VPSRLVD, vec_bin32, vpsrlvd)
VEC_EXEC(VPSLLVD, vec_bin32, vpsllvd)
VEC_EXEC(VPSRAVD, vec_bin32, vpsravd)

/* ---- quadwords and logic ---- */
static uint64_t paddq(uint64_t a, uint64_t b) { return a + b; }
static uint64_t psubq(uint64_t a, uint64_t b) { return a - b; }
static uint64_t pcmpeqq(uint64_t a, uint64_t b) { return a == b ? ~0ull : 0; }
static uint64_t pcmpgtq(uint64_t a, uint64_t b)
{
    return (int64_t)a > (int64_t)b ? ~0ull : 0;
}
static uint64_t pmuludq(uint64_t a, uint64_t b) { return (uint64_t)(uint32_t)a * (uint32_t)b; }
static uint64_t pmuldq(uint64_t a, uint64_t b) { return (int64_t)(int32_t)a * (int32_t)b; }
static uint64_t pand(uint64_t a, uint64_t b) { return a & b; }
static uint64_t pandn(uint64_t a, uint64_t b) { return ~a & b; }
static uint64_t por(uint64_t a, uint64_t b) { return a | b; }
static uint64_t pxor(uint64_t a, uint64_t b) { return a ^ b; }
static uint64_t vpsrlvq(uint64_t a, uint64_t b) { return b < 64 ? a >> b : 0; }
static uint64_t vpsllvq(uint64_t a, uint64_t b) { return b < 64 ? a << b : 0; }
static uint64_t psadbw(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 64; i += 8) {
        int diff = (int)(a >> i & 0xff) - (int)(b >> i & 0xff);
        sum += diff < 0 ? -diff : diff;
    }
    return sum;
}

VEC_EXEC(PADDQ, vec_bin64, paddq)
VEC_EXEC(PSUBQ, vec_bin64, psubq)
VEC_EXEC(PCMPEQQ, vec_bin64, pcmpeqq)
VEC_EXEC(PCMPGTQ, vec_bin64, pcmpgtq)
VEC_EXEC(PMULUDQ, vec_bin64, pmuludq)
VEC_EXEC(PMULDQ, vec_bin64, pmuldq)
VEC_EXEC(PAND, vec_bin64, pand)
VEC_EXEC(PANDN, vec_bin64, pandn)
VEC_EXEC(POR, vec_bin64, por)
VEC_EXEC(PXOR, vec_bin64, pxor)
VEC_EXEC(VPSRLVQ, vec_bin64, vpsrlvq)
VEC_EXEC(VPSLLVQ, vec_bin64, vpsllvq)
VEC_EXEC(PSADBW, vec_bin64, psadbw)

/* ---- horizontal ---- */
static ALWAYS_INLINE void horiz16(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                                  VecBin16 *f)
{
    for (unsigned i = 0; i < n / 4; i++) {
        d->w[i] = f(a->w[2 * i], a->w[2 * i + 1]);
        d->w[n / 4 + i] = f(b->w[2 * i], b->w[2 * i + 1]);
    }
}

static ALWAYS_INLINE void horiz32(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                                  VecBin32 *f)
{
    for (unsigned i = 0; i < n / 8; i++) {
        d->d[i] = f(a->d[2 * i], a->d[2 * i + 1]);
        d->d[n / 8 + i] = f(b->d[2 * i], b->d[2 * i + 1]);
    }
}

static void phaddw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    horiz16(d, a, b, n, paddw);
}

static void phsubw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    horiz16(d, a, b, n, psubw);
}

static void phaddsw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    horiz16(d, a, b, n, paddsw);
}

static void phsubsw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    horiz16(d, a, b, n, psubsw);
}

static void phaddd(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    horiz32(d, a, b, n, paddd);
}

static void phsubd(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    horiz32(d, a, b, n, psubd);
}

static void phminposuw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                       unsigned imm)
{
    unsigned at = 0;
    for (unsigned i = 1; i < 8; i++) {
        if (a->w[i] < a->w[at]) {
            at = i;
        }
    }
    *d = (X86Xmm){ .w = { a->w[at], at } };
}

/* Bits 2 and 1:0 of imm choose where the 11 bytes of a and the 4 bytes of b start; the
 * upper lane of VMPSADBW uses bits 5:3. */
static void mpsadbw_lane(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned imm)
{
    const uint8_t *pa = a->b + (imm & 4), *pb = b->b + (imm & 3) * 4;
    for (unsigned i = 0; i < 8; i++) {
        unsigned sum = 0;
        for (unsigned j = 0; j < 4; j++) {
            int diff = pa[i + j] - pb[j];
            sum += diff < 0 ? -diff : diff;
        }
        d->w[i] = sum;
    }
}

void x86_vec_MPSADBW(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    mpsadbw_lane(&d.x[0], &s[0].x[0], &s[1].x[0], in->imm);
    if (n == 32) {
        mpsadbw_lane(&d.x[1], &s[0].x[1], &s[1].x[1], in->imm >> 3);
    }
    x86_vec_done(cpu, in, &d);
}

VEC_EXEC(PHADDW, vec_lanes, phaddw)
VEC_EXEC(PHADDD, vec_lanes, phaddd)
VEC_EXEC(PHADDSW, vec_lanes, phaddsw)
VEC_EXEC(PHSUBW, vec_lanes, phsubw)
VEC_EXEC(PHSUBD, vec_lanes, phsubd)
VEC_EXEC(PHSUBSW, vec_lanes, phsubsw)
VEC_EXEC(PHMINPOSUW, vec_lanes, phminposuw)

/* ---- shifts by one count ---- */
void x86_vec_PSRLW(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 2; i++) {
        d.w[i] = c < 16 ? s[0].w[i] >> c : 0;
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PSRLD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = c < 32 ? s[0].d[i] >> c : 0;
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PSRLQ(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = c < 64 ? s[0].q[i] >> c : 0;
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PSLLW(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 2; i++) {
        d.w[i] = c < 16 ? s[0].w[i] << c : 0;
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PSLLD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = c < 32 ? s[0].d[i] << c : 0;
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PSLLQ(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = c < 64 ? s[0].q[i] << c : 0;
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PSRAW(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 2; i++) {
        d.sw[i] = s[0].sw[i] >> MIN(c, 15);
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_PSRAD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    uint64_t c = vec_count(in, s, 1);
    for (unsigned i = 0; i < n / 4; i++) {
        d.sd[i] = s[0].sd[i] >> MIN(c, 31);
    }
    x86_vec_done(cpu, in, &d);
}

static void psrldq(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < 16; i++) {
        d->b[i] = i + imm < 16 ? a->b[i + imm] : 0;
    }
}

static void pslldq(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < 16; i++) {
        d->b[i] = i >= imm ? a->b[i - imm] : 0;
    }
}

VEC_EXEC(PSRLDQ, vec_lanes, psrldq)
VEC_EXEC(PSLLDQ, vec_lanes, pslldq)

/* ---- flags from logic ---- */
static void set_zf_cf(X86Cpu *cpu, bool zf, bool cf)
{
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FL_STATUS) | (zf ? FL_ZF : 0) |
                     (cf ? FL_CF : 0);
}

/* PTEST, VTESTPS, VTESTPD look at the bits of `mask` in each doubleword pair. */
static void test_masked(X86Cpu *cpu, const X86Insn *in, uint64_t mask)
{
    X86Vec a, b;
    uint64_t and = 0, andn = 0;
    x86_vec_read(cpu, in, 0, &a);
    x86_vec_read(cpu, in, 1, &b);
    for (unsigned i = 0; i < x86_vec_len(in) / 8; i++) {
        and |= a.q[i] & b.q[i] & mask;
        andn |= ~a.q[i] & b.q[i] & mask;
    }
    set_zf_cf(cpu, !and, !andn);
}

void x86_vec_PTEST(X86Cpu *cpu, const X86Insn *in)
{
    test_masked(cpu, in, ~0ull);
}

void x86_vec_VTESTPS(X86Cpu *cpu, const X86Insn *in)
{
    test_masked(cpu, in, 0x8000000080000000);
}

void x86_vec_VTESTPD(X86Cpu *cpu, const X86Insn *in)
{
    test_masked(cpu, in, 0x8000000000000000);
}

/* ---- packs ---- */
static void packsswb(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 2; i++) {
        d->b[i] = sat_sb((int16_t)a->w[i]);
        d->b[n / 2 + i] = sat_sb((int16_t)b->w[i]);
    }
}

static void packuswb(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 2; i++) {
        d->b[i] = sat_ub((int16_t)a->w[i]);
        d->b[n / 2 + i] = sat_ub((int16_t)b->w[i]);
    }
}

static void packssdw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 4; i++) {
        d->w[i] = sat_sw((int32_t)a->d[i]);
        d->w[n / 4 + i] = sat_sw((int32_t)b->d[i]);
    }
}

static void packusdw(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    for (unsigned i = 0; i < n / 4; i++) {
        d->w[i] = sat_uw((int32_t)a->d[i]);
        d->w[n / 4 + i] = sat_uw((int32_t)b->d[i]);
    }
}

VEC_EXEC(PACKSSWB, vec_lanes, packsswb)
VEC_EXEC(PACKUSWB, vec_lanes, packuswb)
VEC_EXEC(PACKSSDW, vec_lanes, packssdw)
VEC_EXEC(PACKUSDW, vec_lanes, packusdw)
