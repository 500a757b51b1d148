/* SPDX-License-Identifier: MIT */
/*
 * Operand fetch and write-back of vector instructions, see vec.h. Alignment: SDM vol. 1,
 * 10.4.1.1 and vol. 2, table 2-21 (exception classes 1 to 5).
 */
#include "target-x86/vec.h"
#include "target-x86/fpu.h"

unsigned x86_vec_len(const X86Insn *in)
{
    if (in->row->enc == ENC_VEX) {
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

void x86_vec_read(X86Cpu *cpu, const X86Insn *in, unsigned n, X86Vec *v)
{
    const X86Opnd *o = &in->op[n];
    switch (o->kind) {
    case OPND_XMM:
        v->x[0] = *x86_xmm(cpu, o->reg & 15);
        v->x[1] = *x86_ymmh(cpu, o->reg & 15);
        return;
    case OPND_MMX:
        *v = (X86Vec){ .q = { *x86_mm(cpu, o->reg & 7) } };
        return;
    case OPND_MEM:
        *v = (X86Vec){ 0 };
        if ((in->row->flags & RF_ALIGN) && o->size >= 16) {
            x86_vec_check_align(cpu, in, o->size);
        }
        if (o->size <= 8) {
            v->q[0] = x86_load(cpu, in->seg, x86_ea(cpu, in), o->size);
        } else {
            x86_load_bytes(cpu, in->seg, x86_ea(cpu, in), v->b, MIN(o->size, 32));
        }
        return;
    case OPND_GPR:
        *v = (X86Vec){ .q = { x86_reg_get(cpu, o->reg, o->size) } };
        return;
    default:
        *v = (X86Vec){ 0 };
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

void x86_vec_done_len(X86Cpu *cpu, const X86Insn *in, const X86Vec *d, unsigned len)
{
    const X86Opnd *o = &in->op[0];
    if (o->kind == OPND_MEM) {
        if ((in->row->flags & RF_ALIGN) && o->size >= 16) {
            x86_vec_check_align(cpu, in, o->size);
        }
        if (o->size <= 8) {
            x86_store(cpu, in->seg, x86_ea(cpu, in), o->size, d->q[0]);
        } else {
            x86_store_bytes(cpu, in->seg, x86_ea(cpu, in), d->b, MIN(o->size, 32));
        }
    }
    if ((in->row->flags & RF_MMX) && any_mmx(in)) {
        x86_mmx_enter(cpu);
    }
    switch (o->kind) {
    case OPND_XMM:
        *x86_xmm(cpu, o->reg & 15) = d->x[0];
        cpu->st.xsave.xstate_bv |= in->row->enc == ENC_VEX ? 6 : 2;
        if (in->row->enc == ENC_VEX) {
            *x86_ymmh(cpu, o->reg & 15) = len == 32 ? d->x[1] : (X86Xmm){ .q = { 0 } };
        }
        break;
    case OPND_MMX:
        x86_mmx_write(cpu, o->reg & 7, d->q[0]);
        break;
    case OPND_GPR:
        x86_reg_set(cpu, o->reg, o->size, d->q[0]);
        break;
    default:
        break;
    }
}

void x86_vec_done(X86Cpu *cpu, const X86Insn *in, const X86Vec *d)
{
    x86_vec_done_len(cpu, in, d, x86_vec_len(in));
}
