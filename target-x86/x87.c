/* SPDX-License-Identifier: MIT */
/* Frame of the x87 reference functions; see x87.h. SDM vol. 1, 8.1.3, 8.1.8, 8.5. */
#include "target-x86/x87.h"

X87 x87_begin(X86Cpu *cpu, bool full)
{
    static const uint8_t prec[4] = { 24, 64, 53, 64 }; /* 01 is reserved */
    X86Xsave *x = &cpu->st.xsave;
    return (X87){
        .cpu = cpu,
        .x = x,
        .s = { .rmode = x->fcw >> 10 & 3,
               .mask = x->fcw & SF_ALL,
               .prec = full ? 64 : prec[x->fcw >> 8 & 3] },
    };
}

void x87_pointers(X86Cpu *cpu, const X86Insn *in)
{
    X86Xsave *x = &cpu->st.xsave;
    x->fop = (in->opcode & 7) << 8 | in->modrm;
    x->fip = cpu->st.rip;
    if (in->is_mem) {
        x->fdp = x86_ea(cpu, in);
    }
    x87_touch(x);
}

void x87_end(X87 *e, const X86Insn *in)
{
    X86Xsave *x = e->x;
    bool c1 = e->stack_fault ? e->overflow : e->s.up;

    if (x87_stopped(e)) {
        e->s.flags &= SF_IE | SF_DE | SF_ZE;
        c1 = e->stack_fault && e->overflow;
    }
    x->fsw &= ~(e->cc_mask | FSW_C1);
    x->fsw |= e->s.flags | e->cc | (e->stack_fault ? FSW_SF : 0) | (c1 ? FSW_C1 : 0);
    x87_pointers(e->cpu, in);
    x87_update_es(e->cpu);
}

void x87_set(X86Xsave *x, unsigned i, Sf80 v)
{
    x->st[i].m = v.m;
    x->st[i].se = v.se;
    x->ftw |= 1 << ((x87_top(x) + i) & 7);
}

void x87_pop(X86Xsave *x)
{
    x->ftw &= ~(1 << x87_top(x));
    x87_rotate(x, 1);
}

bool x87_push_check(X87 *e)
{
    if (x87_empty(e->x, 7)) {
        return true;
    }
    e->s.flags |= SF_IE;
    e->stack_fault = true;
    e->overflow = true;
    return false;
}

void x87_push(X87 *e, Sf80 v)
{
    if (!e->stack_fault) {
        x87_push_check(e);
    }
    if (!x87_stopped(e)) {
        x87_rotate(e->x, 7);
        x87_set(e->x, 0, e->overflow ? x87_indefinite() : v);
    }
}

bool x87_underflow(X87 *e)
{
    e->s.flags |= SF_IE;
    e->stack_fault = true;
    return e->s.mask & SF_IE;
}

bool x87_need(X87 *e, unsigned i)
{
    if (x87_empty(e->x, i)) {
        x87_underflow(e);
        return false;
    }
    return true;
}

X87Src x87_source(X86Cpu *cpu, const X86Insn *in)
{
    const X86Xsave *x = &cpu->st.xsave;
    if (!in->is_mem) {
        return (X87Src){ x87_val(x, in->modrm & 7), x87_empty(x, in->modrm & 7) };
    }
    unsigned size = in->opcode == 0xdc ? 8 : in->opcode == 0xde ? 2 : 4;
    uint64_t v = x86_load(cpu, in->seg, x86_ea(cpu, in), size);
    switch (in->opcode) {
    case 0xd8: return (X87Src){ sf_unpack32(v, NULL), false };
    case 0xdc: return (X87Src){ sf_unpack64(v, NULL), false };
    case 0xda: return (X87Src){ sf_unpack_int((int32_t)v), false };
    default: return (X87Src){ sf_unpack_int((int16_t)v), false };
    }
}
