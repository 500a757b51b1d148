/* SPDX-License-Identifier: MIT */
/*
 * What AVX and AVX2 add that has no legacy form: broadcasts, lane-crossing permutes,
 * 128-bit inserts and extracts, masked loads and stores, gathers, VZEROUPPER/VZEROALL.
 * SDM vol. 2 under each mnemonic. Heavy code.
 */
#include <string.h>
#include "target-x86/vec.h"

/* ---- broadcasts: operand 1's size is the element's ---- */
void x86_vec_VBROADCAST(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s, d;
    unsigned size = in->op[1].size;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < sizeof d; i++) {
        d.b[i] = s.b[i & (size - 1)];
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- 128-bit halves ---- */
void x86_vec_VINSERTF128(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    s[0].x[in->imm & 1] = s[1].x[0];
    x86_vec_done(cpu, in, &s[0]);
}

void x86_vec_VEXTRACTF128(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    s.x[0] = s.x[in->imm & 1];
    x86_vec_done_len(cpu, in, &s, 16);
}

void x86_vec_VPERM2F128(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < 2; i++) {
        unsigned c = in->imm >> 4 * i;
        d.x[i] = c & 8 ? (X86Xmm){ .q = { 0 } } : s[c >> 1 & 1].x[c & 1];
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- permutes ---- */
/* VPERMPS and VPERMD: source 0 holds the indices, source 1 the data. */
void x86_vec_VPERMD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < 8; i++) {
        d.d[i] = s[1].d[s[0].d[i] & 7];
    }
    x86_vec_done(cpu, in, &d);
}

/* VPERMQ and VPERMPD by immediate: within each half of a 512-bit vector. */
void x86_vec_VPERMQ(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < 8; i++) {
        d.q[i] = s[0].q[(i & 4) + (in->imm >> 2 * (i & 3) & 3)];
    }
    x86_vec_done(cpu, in, &d);
}

static void vpermilps(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                      unsigned imm)
{
    for (unsigned i = 0; i < 4; i++) {
        d->d[i] = a->d[b->d[i] & 3];
    }
}

static void vpermilpd(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n,
                      unsigned imm)
{
    for (unsigned i = 0; i < 2; i++) {
        d->q[i] = a->q[b->q[i] >> 1 & 1];
    }
}

VEC_EXEC(VPERMILPS, vec_lanes, vpermilps)
VEC_EXEC(VPERMILPD, vec_lanes, vpermilpd)

/* VPERMILPD by immediate: one bit per quadword of the whole vector. */
void x86_vec_VPERMILPD_imm(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = s[0].q[(i & ~1u) + (in->imm >> i & 1)];
    }
    x86_vec_done(cpu, in, &d);
}

/* ---- masked loads and stores; elements whose mask sign is clear are not accessed ---- */
static uint64_t addr_mask(const X86Insn *in)
{
    return in->adsize == 8 ? ~0ull : in->adsize == 4 ? 0xffffffff : 0xffff;
}

static bool mask_bit(const X86Vec *mask, unsigned size, unsigned i)
{
    return (size == 4 ? mask->d[i] >> 31 : mask->q[i] >> 63) & 1;
}

static void element_set(X86Vec *v, unsigned size, unsigned i, uint64_t e)
{
    if (size == 4) {
        v->d[i] = e;
    } else {
        v->q[i] = e;
    }
}

/* Loads go on from where they begin, stores wrap at the address size: so an EPYC does it
 * (its loads too wrap if they come upon a page fault). The manual leaves it open. */
static void maskmov_load(X86Cpu *cpu, const X86Insn *in, unsigned size)
{
    X86Vec mask, d = { 0 };
    uint64_t ea = x86_ea(cpu, in);
    x86_vec_read(cpu, in, 1, &mask);
    for (unsigned i = 0; i < in->vl / size; i++) {
        if (mask_bit(&mask, size, i)) {
            element_set(&d, size, i, x86_load(cpu, in->seg, ea + i * size, size));
        }
    }
    x86_vec_done(cpu, in, &d);
}

static void maskmov_store(X86Cpu *cpu, const X86Insn *in, unsigned size)
{
    X86Vec mask, v;
    uint64_t ea = x86_ea(cpu, in);
    x86_vec_read(cpu, in, 1, &mask);
    x86_vec_read(cpu, in, 2, &v);
    for (unsigned i = 0; i < in->vl / size; i++) {
        if (mask_bit(&mask, size, i)) {
            x86_probe_write(cpu, in->seg, (ea + i * size) & addr_mask(in), size);
        }
    }
    for (unsigned i = 0; i < in->vl / size; i++) {
        if (mask_bit(&mask, size, i)) {
            x86_store(cpu, in->seg, (ea + i * size) & addr_mask(in), size,
                      size == 4 ? v.d[i] : v.q[i]);
        }
    }
}

void x86_vec_VMASKMOVPS(X86Cpu *cpu, const X86Insn *in)
{
    maskmov_load(cpu, in, 4);
}
void x86_vec_VMASKMOVPD(X86Cpu *cpu, const X86Insn *in)
{
    maskmov_load(cpu, in, 8);
}
void x86_vec_VMASKMOVPS_store(X86Cpu *cpu, const X86Insn *in)
{
    maskmov_store(cpu, in, 4);
}
void x86_vec_VMASKMOVPD_store(X86Cpu *cpu, const X86Insn *in)
{
    maskmov_store(cpu, in, 8);
}

/* ---- gathers ---- */
static uint64_t gather_address(X86Cpu *cpu, const X86Insn *in, int64_t index)
{
    uint64_t base = in->base >= 0 ? cpu->st.gpr[in->base & 15] : 0;
    return (base + in->disp + ((uint64_t)index << in->scale)) & addr_mask(in);
}

static X86Vec ymm_get(X86Cpu *cpu, unsigned i)
{
    X86Vec v = { 0 };
    v.x[0] = *x86_xmm(cpu, i);
    v.x[1] = *x86_ymmh(cpu, i);
    return v;
}

static void ymm_set(X86Cpu *cpu, unsigned i, const X86Vec *v)
{
    x86_vec_reg_set(cpu, i, v);
}

/* Elements are taken from the lowest up and each is committed together with its cleared
 * mask before the next access, so that a fault leaves the state the manual describes and
 * the instruction resumes where it was. */
static void gather(X86Cpu *cpu, const X86Insn *in, unsigned index_size, unsigned size)
{
    unsigned dst = in->op[0].reg, msk = in->op[2].reg, idx = in->index & 15;
    if (dst == msk || dst == idx || msk == idx) {
        x86_raise(cpu, EXC_UD);
    }
    unsigned n = in->vl / MAX(index_size, size);
    X86Vec index = ymm_get(cpu, idx);
    X86Vec mask = ymm_get(cpu, msk), d = ymm_get(cpu, dst);
    for (unsigned i = 0; i < n; i++) {
        if (mask_bit(&mask, size, i)) {
            int64_t at = index_size == 4 ? index.sd[i] : index.sq[i];
            element_set(&d, size, i,
                        x86_load(cpu, in->seg, gather_address(cpu, in, at), size));
        }
        element_set(&mask, size, i, 0);
        ymm_set(cpu, dst, &d);
        ymm_set(cpu, msk, &mask);
    }
    for (unsigned i = n * size; i < sizeof d; i++) {
        d.b[i] = 0;
    }
    ymm_set(cpu, dst, &d);
    ymm_set(cpu, msk, &(X86Vec){ 0 });
}

void x86_vec_VPGATHERDD(X86Cpu *cpu, const X86Insn *in)
{
    gather(cpu, in, 4, 4);
}
void x86_vec_VPGATHERDQ(X86Cpu *cpu, const X86Insn *in)
{
    gather(cpu, in, 4, 8);
}
void x86_vec_VPGATHERQD(X86Cpu *cpu, const X86Insn *in)
{
    gather(cpu, in, 8, 4);
}
void x86_vec_VPGATHERQQ(X86Cpu *cpu, const X86Insn *in)
{
    gather(cpu, in, 8, 8);
}

/* ---- EVEX gathers and scatters: an opmask bit is cleared as its element is done ---- */
static unsigned evex_elements(const X86Insn *in, unsigned index_size, unsigned size)
{
    return in->vl / MAX(index_size, size);
}

static void evex_gather(X86Cpu *cpu, const X86Insn *in, unsigned index_size,
                        unsigned size)
{
    unsigned dst = in->op[0].reg, n = evex_elements(in, index_size, size);
    uint64_t *k = &cpu->st.xsave.k[in->k];
    if (dst == (uint8_t)in->index) {
        x86_raise(cpu, EXC_UD);
    }
    X86Vec index = x86_vec_reg(cpu, in->index), d = x86_vec_reg(cpu, dst);
    memset(d.b + in->vl, 0, sizeof(d) - in->vl);
    for (unsigned i = 0; i < n; i++) {
        if (*k >> i & 1) {
            int64_t at = index_size == 4 ? index.sd[i] : index.sq[i];
            element_set(&d, size, i,
                        x86_load(cpu, in->seg, gather_address(cpu, in, at), size));
            x86_vec_reg_set(cpu, dst, &d);
            *k &= ~(1ull << i);
        }
    }
    memset(d.b + n * size, 0, sizeof(d) - n * size); /* not before: seen on an EPYC */
    x86_vec_reg_set(cpu, dst, &d);
    *k = 0;
}

static void evex_scatter(X86Cpu *cpu, const X86Insn *in, unsigned index_size,
                         unsigned size)
{
    unsigned n = evex_elements(in, index_size, size);
    uint64_t *k = &cpu->st.xsave.k[in->k];
    X86Vec index = x86_vec_reg(cpu, in->index), v = x86_vec_reg(cpu, in->op[1].reg);
    for (unsigned i = 0; i < n; i++) {
        if (*k >> i & 1) {
            int64_t at = index_size == 4 ? index.sd[i] : index.sq[i];
            x86_store(cpu, in->seg, gather_address(cpu, in, at), size,
                      vec_get(&v, size, i));
            *k &= ~(1ull << i);
        }
    }
    *k = 0;
}

void x86_vec_EVGATHERD(X86Cpu *cpu, const X86Insn *in)
{
    evex_gather(cpu, in, 4, in->row->flags & RF_W1 ? 8 : 4);
}

void x86_vec_EVGATHERQ(X86Cpu *cpu, const X86Insn *in)
{
    evex_gather(cpu, in, 8, in->row->flags & RF_W1 ? 8 : 4);
}

void x86_vec_EVSCATTERD(X86Cpu *cpu, const X86Insn *in)
{
    evex_scatter(cpu, in, 4, in->row->flags & RF_W1 ? 8 : 4);
}

void x86_vec_EVSCATTERQ(X86Cpu *cpu, const X86Insn *in)
{
    evex_scatter(cpu, in, 8, in->row->flags & RF_W1 ? 8 : 4);
}

/* ---- zeroing; outside 64-bit mode registers 8-15 are left alone ---- */
void x86_vec_VZEROUPPER(X86Cpu *cpu, const X86Insn *in)
{
    unsigned n = cpu->hflags & HF_CS64 ? 16 : 8;
    for (unsigned i = 0; i < n; i++) {
        *x86_ymmh(cpu, i) = (X86Xmm){ .q = { 0 } };
        memset(cpu->st.xsave.zmmh[i], 0, sizeof(cpu->st.xsave.zmmh[i]));
    }
}

void x86_vec_VZEROALL(X86Cpu *cpu, const X86Insn *in)
{
    unsigned n = cpu->hflags & HF_CS64 ? 16 : 8;
    x86_vec_VZEROUPPER(cpu, in);
    for (unsigned i = 0; i < n; i++) {
        *x86_xmm(cpu, i) = (X86Xmm){ .q = { 0 } };
    }
}
