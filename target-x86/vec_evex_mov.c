/* SPDX-License-Identifier: MIT */
/*
 * Data movement that AVX-512 adds: full permutes, lane shuffles, blends by mask,
 * compression and expansion, down-conversions, opmask to vector. SDM vol. 2 under each
 * mnemonic. Gathers and scatters are in vec_avx.c. Masks: vec.h. Heavy code.
 */
#include <string.h>
#include "target-x86/vec.h"

static unsigned unit(const X86Insn *in)
{
    return 1u << (in->row->ev & 3);
}

/* ---- permutes of whole vectors ---- */
/* Element i of the result is element (index & (2n-1)) of b:a. */
static void permute(X86Cpu *cpu, const X86Insn *in, const X86Vec *index, const X86Vec *a,
                    const X86Vec *b)
{
    X86Vec d = { 0 };
    unsigned u = unit(in), n = in->vl / u;
    for (unsigned i = 0; i < n; i++) {
        unsigned at = vec_get(index, u, i) & (2 * n - 1);
        vec_set(&d, u, i, vec_get(at < n ? a : b, u, at & (n - 1)));
    }
    x86_vec_done(cpu, in, &d);
}

/* VPERMB, W, D, Q, PS, PD: source 0 holds the indices, source 1 the data. */
void x86_vec_VPERM(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    permute(cpu, in, &s[0], &s[1], &s[1]);
}

/* The indices are in the destination; */
void x86_vec_VPERMI2(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    permute(cpu, in, &s[0], &s[1], &s[2]);
}

/* or the first table is. */
void x86_vec_VPERMT2(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    permute(cpu, in, &s[1], &s[0], &s[2]);
}

void x86_vec_VALIGN(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d = { 0 };
    unsigned u = unit(in), n = x86_vec_fetch(cpu, in, s) / u;
    for (unsigned i = 0; i < n; i++) {
        unsigned at = i + (in->imm & (n - 1));
        vec_set(&d, u, i, vec_get(&s[at < n ? 1 : 0], u, at & (n - 1)));
    }
    x86_vec_done(cpu, in, &d);
}

/* VSHUFF32X4 and kin: 128-bit lanes, half of them from each source. */
void x86_vec_VSHUF128(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s) / 16, bits = n / 2;
    for (unsigned i = 0; i < n; i++) {
        d.x[i] = s[i >= n / 2].x[in->imm >> bits * i & (n - 1)];
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- parts of 128 or 256 bits ---- */
void x86_vec_VINSERT(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    unsigned size = in->op[2].size, n = x86_vec_fetch(cpu, in, s) / size;
    memcpy(s[0].b + (in->imm & (n - 1)) * size, s[1].b, size);
    x86_vec_done(cpu, in, &s[0]);
}

void x86_vec_VEXTRACT(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d = { 0 };
    unsigned size = in->op[0].size, n = in->vl / size;
    x86_vec_read(cpu, in, 1, &s);
    memcpy(d.b, s.b + (in->imm & (n - 1)) * size, size);
    x86_vec_done_len(cpu, in, &d, size);
}

/* ---- masks as data ---- */
static void write_reg(X86Cpu *cpu, const X86Insn *in, X86Vec *d)
{
    memset(d->b + in->vl, 0, sizeof(*d) - in->vl);
    x86_vec_reg_set(cpu, in->op[0].reg, d);
}

/* Live elements from source 1, the others from source 0 (or zero). */
void x86_vec_VBLENDM(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    unsigned u = unit(in);
    uint64_t live = x86_vec_live(cpu, in);
    x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        if (live >> i & 1) {
            vec_set(&s[0], u, i, vec_get(&s[1], u, i));
        } else if (in->zeroing) {
            vec_set(&s[0], u, i, 0);
        }
    }
    write_reg(cpu, in, &s[0]);
}

static uint64_t element_address(X86Cpu *cpu, const X86Insn *in, unsigned i)
{
    return x86_ea(cpu, in) + i * unit(in); /* the operand does not wrap in itself */
}

static void compress_to_memory(X86Cpu *cpu, const X86Insn *in, const X86Vec *v,
                               unsigned n)
{
    unsigned u = unit(in);
    for (unsigned i = 0; i < n; i++) {
        x86_probe_write(cpu, in->seg, element_address(cpu, in, i), u);
    }
    for (unsigned i = 0; i < n; i++) {
        x86_store(cpu, in->seg, element_address(cpu, in, i), u, vec_get(v, u, i));
    }
}

/* Live elements of the source side by side. */
void x86_vec_VCOMPRESS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s = x86_vec_reg(cpu, in->op[1].reg), d = { 0 };
    unsigned u = unit(in), n = x86_vec_nelem(in), to = 0;
    uint64_t live = x86_vec_live(cpu, in);
    for (unsigned i = 0; i < n; i++) {
        if (live >> i & 1) {
            vec_set(&d, u, to++, vec_get(&s, u, i));
        }
    }
    if (in->op[0].kind == OPND_MEM) {
        compress_to_memory(cpu, in, &d, to);
        return;
    }
    X86Vec old = x86_vec_reg(cpu, in->op[0].reg);
    for (; to < n && !in->zeroing; to++) {
        vec_set(&d, u, to, vec_get(&old, u, to));
    }
    write_reg(cpu, in, &d);
}

/* Neighbouring elements of the source to the live places. */
void x86_vec_VEXPAND(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s = { 0 }, d = { 0 };
    unsigned u = unit(in), n = x86_vec_nelem(in), from = 0;
    uint64_t live = x86_vec_live(cpu, in);
    if (in->op[1].kind == OPND_MEM) {
        unsigned count = __builtin_popcountll(live);
        for (unsigned i = 0; i < count; i++) {
            vec_set(&s, u, i, x86_load(cpu, in->seg, element_address(cpu, in, i), u));
        }
    } else {
        s = x86_vec_reg(cpu, in->op[1].reg);
    }
    for (unsigned i = 0; i < n; i++) {
        vec_set(&d, u, i, live >> i & 1 ? vec_get(&s, u, from++) : 0);
    }
    x86_vec_done(cpu, in, &d);
}

/* VPMOVM2x: elements of all ones or zeros. */
void x86_vec_VPMOVM2(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d = { 0 };
    unsigned u = unit(in);
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < in->vl / u; i++) {
        vec_set(&d, u, i, s.q[0] >> i & 1 ? ~0ull : 0);
    }
    x86_vec_done(cpu, in, &d);
}

/* One element (a general register or an opmask's low bits) in all places. */
static void spread(X86Cpu *cpu, const X86Insn *in, uint64_t e)
{
    X86Vec d = { 0 };
    unsigned u = unit(in);
    for (unsigned i = 0; i < in->vl / u; i++) {
        vec_set(&d, u, i, e);
    }
    x86_vec_done(cpu, in, &d);
}

void x86_vec_VPBROADCAST_reg(X86Cpu *cpu, const X86Insn *in)
{
    spread(cpu, in, cpu->st.gpr[in->op[1].reg]);
}

void x86_vec_VPBROADCASTMB2Q(X86Cpu *cpu, const X86Insn *in)
{
    spread(cpu, in, (uint8_t)cpu->st.xsave.k[in->op[1].reg]);
}

void x86_vec_VPBROADCASTMW2D(X86Cpu *cpu, const X86Insn *in)
{
    spread(cpu, in, (uint16_t)cpu->st.xsave.k[in->op[1].reg]);
}

/* ---- down-conversion: cut, or saturated as signed or unsigned ---- */
enum { CUT, SIGNED, UNSIGNED };

static uint64_t narrow(uint64_t v, unsigned from, unsigned to, unsigned how)
{
    uint64_t max = ~0ull >> (64 - 8 * to + (how == SIGNED));
    int64_t s = sext(v, from * 8);
    switch (how) {
    case CUT: return v;
    case UNSIGNED: return MIN(v, max);
    default: return s > (int64_t)max ? max : s < ~(int64_t)max ? ~max : v;
    }
}

static void down(X86Cpu *cpu, const X86Insn *in, unsigned how)
{
    X86Vec s, d = { 0 };
    unsigned u = unit(in), n = in->vl / u, to = in->op[0].size / n;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < n; i++) {
        vec_set(&d, to, i, narrow(vec_get(&s, u, i), u, to, how));
    }
    x86_vec_done_len(cpu, in, &d, MAX(in->op[0].size, 16));
}

void x86_vec_VPMOV(X86Cpu *cpu, const X86Insn *in)
{
    down(cpu, in, CUT);
}
void x86_vec_VPMOVS(X86Cpu *cpu, const X86Insn *in)
{
    down(cpu, in, SIGNED);
}
void x86_vec_VPMOVUS(X86Cpu *cpu, const X86Insn *in)
{
    down(cpu, in, UNSIGNED);
}
