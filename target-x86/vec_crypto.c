/* SPDX-License-Identifier: MIT */
/*
 * AES (FIPS 197), carry-less multiplication, SHA-1 and SHA-256 (FIPS 180-4) and GFNI
 * instructions. SDM vol. 2 under each mnemonic; vol. 1, 12.13 for AES terms. Tables are
 * computed from the definitions, not stored. Heavy code.
 */
#include "target-x86/vec.h"

/* ---- GF(2^8) with x^8 + x^4 + x^3 + x + 1 ---- */
static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    uint8_t r = 0;
    for (; b; b >>= 1) {
        r ^= b & 1 ? a : 0;
        a = a << 1 ^ (a & 0x80 ? 0x1b : 0);
    }
    return r;
}

/* a^254; 0 for 0. */
static uint8_t gf_inverse(uint8_t a)
{
    uint8_t r = 1;
    for (unsigned i = 0; i < 7; i++) {
        a = gf_mul(a, a);
        r = gf_mul(r, a);
    }
    return r;
}

static uint8_t rol8(uint8_t v, unsigned n)
{
    return v << n | v >> (8 - n);
}

static uint8_t aes_sbox(uint8_t a)
{
    uint8_t v = gf_inverse(a);
    return v ^ rol8(v, 1) ^ rol8(v, 2) ^ rol8(v, 3) ^ rol8(v, 4) ^ 0x63;
}

static uint8_t aes_inv_sbox(uint8_t a)
{
    return gf_inverse(rol8(a, 1) ^ rol8(a, 3) ^ rol8(a, 6) ^ 0x05);
}

/* ---- AES rounds on a state of four columns of four bytes ---- */
/* SubBytes after ShiftRows: row r of the result comes from r columns to the right. */
static void aes_shift_sub(X86Xmm *d, const X86Xmm *a)
{
    for (unsigned i = 0; i < 16; i++) {
        d->b[i] = aes_sbox(a->b[(i + 4 * (i & 3)) & 15]);
    }
}

static void aes_inv_shift_sub(X86Xmm *d, const X86Xmm *a)
{
    for (unsigned i = 0; i < 16; i++) {
        d->b[i] = aes_inv_sbox(a->b[(i - 4 * (i & 3)) & 15]);
    }
}

static void aes_mix(X86Xmm *d, const X86Xmm *a, const uint8_t c[4])
{
    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *col = a->b + (i & ~3u);
        uint8_t v = 0;
        for (unsigned k = 0; k < 4; k++) {
            v ^= gf_mul(col[(i + k) & 3], c[k]);
        }
        d->b[i] = v;
    }
}

static const uint8_t mix_columns[4] = { 2, 3, 1, 1 };
static const uint8_t inv_mix_columns[4] = { 14, 11, 13, 9 };

static void aes_add_key(X86Xmm *d, const X86Xmm *a, const X86Xmm *key)
{
    d->q[0] = a->q[0] ^ key->q[0];
    d->q[1] = a->q[1] ^ key->q[1];
}

static void aesenc(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    X86Xmm t, u;
    aes_shift_sub(&t, a);
    aes_mix(&u, &t, mix_columns);
    aes_add_key(d, &u, b);
}

static void aesenclast(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                       unsigned imm)
{
    X86Xmm t;
    aes_shift_sub(&t, a);
    aes_add_key(d, &t, b);
}

static void aesdec(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    X86Xmm t, u;
    aes_inv_shift_sub(&t, a);
    aes_mix(&u, &t, inv_mix_columns);
    aes_add_key(d, &u, b);
}

static void aesdeclast(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                       unsigned imm)
{
    X86Xmm t;
    aes_inv_shift_sub(&t, a);
    aes_add_key(d, &t, b);
}

static void aesimc(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    aes_mix(d, a, inv_mix_columns);
}

static uint32_t aes_sub_word(uint32_t v)
{
    return aes_sbox(v) | aes_sbox(v >> 8) << 8 | aes_sbox(v >> 16) << 16 |
           (uint32_t)aes_sbox(v >> 24) << 24;
}

static uint32_t ror32(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static void aeskeygenassist(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                            unsigned imm)
{
    uint32_t x1 = aes_sub_word(a->d[1]), x3 = aes_sub_word(a->d[3]);
    *d = (X86Xmm){ .d = { x1, ror32(x1, 8) ^ imm, x3, ror32(x3, 8) ^ imm } };
}

VEC_EXEC(AESENC, vec_lanes, aesenc)
VEC_EXEC(AESENCLAST, vec_lanes, aesenclast)
VEC_EXEC(AESDEC, vec_lanes, aesdec)
VEC_EXEC(AESDECLAST, vec_lanes, aesdeclast)
VEC_EXEC(AESIMC, vec_lanes, aesimc)
VEC_EXEC(AESKEYGENASSIST, vec_lanes, aeskeygenassist)

/* ---- carry-less multiplication ---- */
static void pclmulqdq(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    uint64_t x = a->q[imm & 1], y = b->q[imm >> 4 & 1], lo = 0, hi = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (y >> i & 1) {
            lo ^= x << i;
            hi ^= i ? x >> (64 - i) : 0;
        }
    }
    *d = (X86Xmm){ .q = { lo, hi } };
}

VEC_EXEC(PCLMULQDQ, vec_lanes, pclmulqdq)

/* ---- GFNI ---- */
static uint8_t gf2p8mulb(uint8_t a, uint8_t b) { return gf_mul(a, b); }

/* Bit i of the result is the parity of matrix byte 7-i and x, plus bit i of imm. */
static uint8_t gf2_affine(uint64_t matrix, uint8_t x, uint8_t imm)
{
    uint8_t r = imm;
    for (unsigned i = 0; i < 8; i++) {
        r ^= __builtin_parity((uint8_t)(matrix >> 8 * (7 - i)) & x) << i;
    }
    return r;
}

static void gf2p8affineqb(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                          unsigned imm)
{
    for (unsigned i = 0; i < 16; i++) {
        d->b[i] = gf2_affine(b->q[i / 8], a->b[i], imm);
    }
}

static void gf2p8affineinvqb(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                             unsigned imm)
{
    for (unsigned i = 0; i < 16; i++) {
        d->b[i] = gf2_affine(b->q[i / 8], gf_inverse(a->b[i]), imm);
    }
}

VEC_EXEC(GF2P8MULB, vec_bin8, gf2p8mulb)
VEC_EXEC(GF2P8AFFINEQB, vec_lanes, gf2p8affineqb)
VEC_EXEC(GF2P8AFFINEINVQB, vec_lanes, gf2p8affineinvqb)

/* ---- SHA-1: lanes hold A B C D (or W0..W3) from bit 127 down ---- */
static uint32_t rol32(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t sha1_f(unsigned stage, uint32_t b, uint32_t c, uint32_t d)
{
    switch (stage) {
    case 0: return (b & c) ^ (~b & d);
    case 2: return (b & c) ^ (b & d) ^ (c & d);
    default: return b ^ c ^ d;
    }
}

static void sha1rnds4(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    static const uint32_t k[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
    unsigned stage = imm & 3;
    uint32_t ra = a->d[3], rb = a->d[2], rc = a->d[1], rd = a->d[0], re = 0;
    for (unsigned i = 0; i < 4; i++) { /* b's top word holds W0 + E */
        uint32_t t = sha1_f(stage, rb, rc, rd) + rol32(ra, 5) + b->d[3 - i] + re + k[stage];
        re = rd;
        rd = rc;
        rc = rol32(rb, 30);
        rb = ra;
        ra = t;
    }
    *d = (X86Xmm){ .d = { rd, rc, rb, ra } };
}

static void sha1nexte(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    *d = *b;
    d->d[3] += rol32(a->d[3], 30);
}

static void sha1msg1(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    *d = (X86Xmm){ .d = { a->d[0] ^ b->d[2], a->d[1] ^ b->d[3], a->d[2] ^ a->d[0],
                          a->d[3] ^ a->d[1] } };
}

static void sha1msg2(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm)
{
    uint32_t w16 = rol32(a->d[3] ^ b->d[2], 1), w17 = rol32(a->d[2] ^ b->d[1], 1);
    uint32_t w18 = rol32(a->d[1] ^ b->d[0], 1), w19 = rol32(a->d[0] ^ w16, 1);
    *d = (X86Xmm){ .d = { w19, w18, w17, w16 } };
}

VEC_EXEC(SHA1RNDS4, vec_lanes, sha1rnds4)
VEC_EXEC(SHA1NEXTE, vec_lanes, sha1nexte)
VEC_EXEC(SHA1MSG1, vec_lanes, sha1msg1)
VEC_EXEC(SHA1MSG2, vec_lanes, sha1msg2)

/* ---- SHA-256 ---- */
static uint32_t sha256_s0(uint32_t w) { return ror32(w, 7) ^ ror32(w, 18) ^ w >> 3; }
static uint32_t sha256_s1(uint32_t w) { return ror32(w, 17) ^ ror32(w, 19) ^ w >> 10; }

/* Source 0 is {C, D, G, H}, source 1 {A, B, E, F}, XMM0 two W + K words. */
void x86_vec_SHA256RNDS2(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    const uint32_t *wk = x86_xmm(cpu, 0)->d;
    uint32_t a = s[1].d[3], b = s[1].d[2], c = s[0].d[3], d = s[0].d[2];
    uint32_t e = s[1].d[1], f = s[1].d[0], g = s[0].d[1], h = s[0].d[0];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t t1 = ((e & f) ^ (~e & g)) + (ror32(e, 6) ^ ror32(e, 11) ^ ror32(e, 25)) +
                      wk[i] + h;
        uint32_t t2 = ((a & b) ^ (a & c) ^ (b & c)) +
                      (ror32(a, 2) ^ ror32(a, 13) ^ ror32(a, 22));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    x86_vec_done(cpu, in, &(X86Vec){ .d = { f, e, b, a } });
}

static void sha256msg1(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                       unsigned imm)
{
    *d = (X86Xmm){ .d = { a->d[0] + sha256_s0(a->d[1]), a->d[1] + sha256_s0(a->d[2]),
                          a->d[2] + sha256_s0(a->d[3]), a->d[3] + sha256_s0(b->d[0]) } };
}

static void sha256msg2(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                       unsigned imm)
{
    uint32_t w16 = a->d[0] + sha256_s1(b->d[2]), w17 = a->d[1] + sha256_s1(b->d[3]);
    *d = (X86Xmm){ .d = { w16, w17, a->d[2] + sha256_s1(w16), a->d[3] + sha256_s1(w17) } };
}

VEC_EXEC(SHA256MSG1, vec_lanes, sha256msg1)
VEC_EXEC(SHA256MSG2, vec_lanes, sha256msg2)
