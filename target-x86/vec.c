/* SPDX-License-Identifier: MIT */
/*
 * Operand fetch and write-back of vector instructions, see vec.h. Alignment: SDM vol. 1,
 * 10.4.1.1 and vol. 2, table 2-21 (exception classes 1 to 5).
 */
#include "target-x86/vec.h"
#include <string.h>
#include "target-x86/fpu.h"

unsigned x86_vec_len(const X86Insn *in)
{
    if (in->row->enc != ENC_LEGACY) {
        return in->vl;
    }
    return (in->row->flags & (RF_MMX | RF_SSE)) == RF_MMX ? 8 : 16;
}

uint64_t *x86_mm(X86Cpu *cpu, unsigned i)
{
    X86Xsave *xs = &cpu->st.xsave;
    return &xs->st[(i - (xs->fsw >> 11)) & 7].m;
}

void x86_vec_check_align(X86Cpu *cpu, const X86Insn *in, unsigned size)
{
    uint64_t base = cpu->st.seg[in->seg].base;
    if ((cpu->hflags & HF_CS64) && in->seg != R_FS && in->seg != R_GS) {
        base = 0;
    }
    if ((base + x86_ea(cpu, in)) & (size - 1)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

/* ---- registers ---- */
X86Vec x86_vec_reg(X86Cpu *cpu, unsigned i)
{
    const X86Xsave *x = &cpu->st.xsave;
    X86Vec v;
    if (i < 16) {
        v.x[0] = x->xmm[i];
        v.x[1] = x->ymmh[i];
        v.x[2] = x->zmmh[i][0];
        v.x[3] = x->zmmh[i][1];
    } else {
        memcpy(&v, x->zmm16[i - 16], sizeof(v));
    }
    return v;
}

void x86_vec_reg_set(X86Cpu *cpu, unsigned i, const X86Vec *v)
{
    X86Xsave *x = &cpu->st.xsave;
    if (i < 16) {
        x->xmm[i] = v->x[0];
        x->ymmh[i] = v->x[1];
        x->zmmh[i][0] = v->x[2];
        x->zmmh[i][1] = v->x[3];
        x->xstate_bv |= XCR0_SSE | XCR0_AVX;
    } else {
        memcpy(x->zmm16[i - 16], v, sizeof(*v));
    }
}

/* ---- EVEX: masks, broadcasts ---- */
unsigned x86_vec_nelem(const X86Insn *in)
{
    unsigned len = in->row->ev & EV_NDST ? in->op[0].size : in->vl;
    return in->row->ev & EV_SCALAR ? 1 : len >> (in->row->ev & 3);
}

uint64_t x86_vec_live(const X86Cpu *cpu, const X86Insn *in)
{
    unsigned n = x86_vec_nelem(in);
    uint64_t all = n == 64 ? ~0ull : (1ull << n) - 1;
    return in->k ? cpu->st.xsave.k[in->k] & all : all;
}

/* Bytes of one element of an operand of `size` bytes; conversions have elements of two
 * sizes. Of a scalar's register operand it is the unit. */
static unsigned element_bytes(const X86Insn *in, unsigned size)
{
    unsigned unit = 1u << (in->row->ev & 3);
    return in->row->ev & EV_SCALAR ? (size > 8 ? unit : size) : size / x86_vec_nelem(in);
}

static void load_whole(X86Cpu *cpu, const X86Insn *in, unsigned size, X86Vec *v)
{
    if (size <= 8) {
        v->q[0] = x86_load(cpu, in->seg, x86_ea(cpu, in), size);
    } else {
        x86_load_bytes(cpu, in->seg, x86_ea(cpu, in), v->b, MIN(size, 64));
    }
}

static void evex_load(X86Cpu *cpu, const X86Insn *in, unsigned size, X86Vec *v)
{
    uint64_t live = x86_vec_live(cpu, in);
    unsigned n = x86_vec_nelem(in),
             bytes = in->bcast ? in->bcast : element_bytes(in, size);

    if (!in->k || in->row->ev & EV_NF) {
        live = ~0ull;
    }
    if (in->bcast) {
        uint64_t e = live ? x86_load(cpu, in->seg, x86_ea(cpu, in), bytes) : 0;
        for (unsigned i = 0; i < size / bytes; i++) {
            vec_set(v, bytes, i, e);
        }
    } else if (live == ~0ull) {
        load_whole(cpu, in, size, v);
    } else {
        uint64_t ea = x86_ea(cpu, in);
        if (in->row->ev & EV_ONE) { /* element i goes to i, i + n, i + 2n... */
            bytes = MIN(1u << (in->row->ev & 3), size);
            n = size / bytes;
            for (unsigned at = n; at < 64; at += n) {
                live |= live >> at;
            }
        }
        for (unsigned i = 0; i < n; i++) {
            if (live >> i & 1) {
                vec_set(v, bytes, i, x86_load(cpu, in->seg, ea + i * bytes, bytes));
            }
        }
    }
}

/* 1.0 raises nothing in any operation, nor does it as an integer to convert. */
static void calm(X86Cpu *cpu, const X86Insn *in, unsigned size, X86Vec *v)
{
    uint64_t live = x86_vec_live(cpu, in);
    unsigned bytes = in->bcast ? in->bcast : element_bytes(in, size);
    uint64_t one = bytes == 2 ? 0x3c00 : bytes == 4 ? 0x3f800000 : 0x3ff0000000000000;

    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        if (!(live >> i & 1)) {
            vec_set(v, bytes, i, one);
        }
    }
}

/* Nothing live, nothing checked: as an EPYC does it. */
static void check_mem_align(X86Cpu *cpu, const X86Insn *in, unsigned size)
{
    if ((in->row->flags & RF_ALIGN) && size >= 16 && (!in->k || x86_vec_live(cpu, in))) {
        x86_vec_check_align(cpu, in, size);
    }
}

void x86_vec_read(X86Cpu *cpu, const X86Insn *in, unsigned n, X86Vec *v)
{
    const X86Opnd *o = &in->op[n];
    switch (o->kind) {
    case OPND_XMM: *v = x86_vec_reg(cpu, o->reg & 31); break;
    case OPND_K: *v = (X86Vec){ .q = { cpu->st.xsave.k[o->reg & 7] } }; return;
    case OPND_MMX: *v = (X86Vec){ .q = { *x86_mm(cpu, o->reg & 7) } }; return;
    case OPND_MEM:
        *v = (X86Vec){ 0 };
        check_mem_align(cpu, in, o->size);
        if (in->row->enc == ENC_EVEX) {
            evex_load(cpu, in, o->size, v);
        } else {
            load_whole(cpu, in, o->size, v);
        }
        break;
    case OPND_GPR: *v = (X86Vec){ .q = { x86_reg_get(cpu, o->reg, o->size) } }; return;
    default: *v = (X86Vec){ 0 }; return;
    }
    if (in->k && in->row->ev & EV_FP) {
        calm(cpu, in, o->size, v);
    }
}

unsigned x86_vec_fetch(X86Cpu *cpu, const X86Insn *in, X86Vec src[3])
{
    unsigned k = 0;
    for (unsigned n = in->row->w[0] == ROLE_RW ? 0 : 1; n < in->nops && k < 3; n++) {
        if (in->op[n].kind != OPND_IMM) {
            x86_vec_read(cpu, in, n, &src[k++]);
        }
    }
    while (k < 3) {
        src[k++] = (X86Vec){ 0 };
    }
    return x86_vec_len(in);
}

static bool any_mmx(const X86Insn *in)
{
    for (unsigned n = 0; n < in->nops; n++) {
        if (in->op[n].kind == OPND_MMX) {
            return true;
        }
    }
    return false;
}

void x86_vec_probe(X86Cpu *cpu, const X86Insn *in)
{
    const X86Opnd *o = &in->op[0];

    if (o->kind != OPND_MEM) {
        return;
    }
    uint64_t ea = x86_ea(cpu, in), live = in->k ? x86_vec_live(cpu, in) : 0;
    check_mem_align(cpu, in, o->size);
    if (!in->k || in->row->ev & EV_NF) {
        x86_probe_write(cpu, in->seg, ea, o->size);
    }
    unsigned bytes = in->k ? element_bytes(in, o->size) : 0;
    for (unsigned i = 0; live >> i; i++) {
        if (live >> i & 1) {
            x86_probe_write(cpu, in->seg, ea + i * bytes, bytes);
        }
        if (i == 63) {
            break;
        }
    }
}

static void store_live(X86Cpu *cpu, const X86Insn *in, const X86Vec *d)
{
    uint64_t ea = x86_ea(cpu, in), live = x86_vec_live(cpu, in);
    unsigned bytes = element_bytes(in, in->op[0].size);

    x86_vec_probe(cpu, in);
    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        if (live >> i & 1) {
            x86_store(cpu, in->seg, ea + i * bytes, bytes, vec_get(d, bytes, i));
        }
    }
}

/* Top bits of the elements; what is masked off is 0. */
static void elements_to_mask(X86Cpu *cpu, const X86Insn *in, const X86Vec *d)
{
    unsigned bytes = 1u << (in->row->ev & 3);
    uint64_t m = 0;

    for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
        m |= vec_get(d, bytes, i) >> (8 * bytes - 1) << i;
    }
    cpu->st.xsave.k[in->op[0].reg & 7] = m & x86_vec_live(cpu, in);
}

/* VEX and EVEX: all of the register is written. */
static void write_vector(X86Cpu *cpu, const X86Insn *in, const X86Vec *d, unsigned len)
{
    const X86Opnd *o = &in->op[0];
    X86Vec v = *d;

    if (in->k) {
        X86Vec old = x86_vec_reg(cpu, o->reg);
        uint64_t live = x86_vec_live(cpu, in);
        unsigned bytes = element_bytes(in, o->size);
        for (unsigned i = 0; i < x86_vec_nelem(in); i++) {
            if (!(live >> i & 1)) {
                vec_set(&v, bytes, i, in->zeroing ? 0 : vec_get(&old, bytes, i));
            }
        }
    }
    memset(v.b + len, 0, sizeof(v) - len);
    x86_vec_reg_set(cpu, o->reg, &v);
}

void x86_vec_done_len(X86Cpu *cpu, const X86Insn *in, const X86Vec *d, unsigned len)
{
    const X86Opnd *o = &in->op[0];
    if (o->kind == OPND_MEM && in->k) {
        store_live(cpu, in, d);
    } else if (o->kind == OPND_MEM) {
        check_mem_align(cpu, in, o->size);
        if (o->size <= 8) {
            x86_store(cpu, in->seg, x86_ea(cpu, in), o->size, d->q[0]);
        } else {
            x86_store_bytes(cpu, in->seg, x86_ea(cpu, in), d->b, MIN(o->size, 64));
        }
    }
    if ((in->row->flags & RF_MMX) && any_mmx(in)) {
        x86_mmx_enter(cpu);
    }
    switch (o->kind) {
    case OPND_XMM:
        if (in->row->enc == ENC_LEGACY) {
            *x86_xmm(cpu, o->reg & 15) = d->x[0];
            cpu->st.xsave.xstate_bv |= XCR0_SSE;
        } else {
            write_vector(cpu, in, d, len);
        }
        break;
    case OPND_K: elements_to_mask(cpu, in, d); break;
    case OPND_MMX: x86_mmx_write(cpu, o->reg & 7, d->q[0]); break;
    case OPND_GPR: x86_reg_set(cpu, o->reg, o->size, d->q[0]); break;
    default: break;
    }
}

void x86_vec_done(X86Cpu *cpu, const X86Insn *in, const X86Vec *d)
{
    x86_vec_done_len(cpu, in, d, x86_vec_len(in));
}
