/* SPDX-License-Identifier: MIT */
/*
 * Opmask registers among themselves, general registers and memory: KMOV, KAND, KORTEST...
 * SDM vol. 2 under each mnemonic. The width is the row's unit; the upper bits of the
 * destination become 0. Heavy code.
 */
#include "target-x86/vec.h"

static unsigned width(const X86Insn *in)
{
    return 8u << (in->row->ev & 3);
}

static uint64_t ones(const X86Insn *in)
{
    return ~0ull >> (64 - width(in));
}

static uint64_t opmask(X86Cpu *cpu, const X86Insn *in, unsigned n)
{
    X86Vec v;
    x86_vec_read(cpu, in, n, &v);
    return v.q[0] & ones(in);
}

static void set_opmask(X86Cpu *cpu, const X86Insn *in, uint64_t v)
{
    cpu->st.xsave.k[in->op[0].reg] = v & ones(in);
}

void x86_vec_KMOV(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = opmask(cpu, in, 1);
    switch (in->op[0].kind) {
    case OPND_K: set_opmask(cpu, in, v); break;
    case OPND_GPR: x86_reg_set(cpu, in->op[0].reg, in->op[0].size, v); break;
    default: x86_store(cpu, in->seg, x86_ea(cpu, in), in->op[0].size, v);
    }
}

typedef uint64_t MaskOp(uint64_t a, uint64_t b);

static ALWAYS_INLINE void mask_op(X86Cpu *cpu, const X86Insn *in, MaskOp *f)
{
    set_opmask(cpu, in, f(opmask(cpu, in, 1), opmask(cpu, in, 2)));
}

static uint64_t kand(uint64_t a, uint64_t b)
{
    return a & b;
}
static uint64_t kandn(uint64_t a, uint64_t b)
{
    return ~a & b;
}
static uint64_t kor(uint64_t a, uint64_t b)
{
    return a | b;
}
static uint64_t kxor(uint64_t a, uint64_t b)
{
    return a ^ b;
}
static uint64_t kxnor(uint64_t a, uint64_t b)
{
    return ~(a ^ b);
}
static uint64_t kadd(uint64_t a, uint64_t b)
{
    return a + b;
}

VEC_EXEC(KAND, mask_op, kand)
VEC_EXEC(KANDN, mask_op, kandn)
VEC_EXEC(KOR, mask_op, kor)
VEC_EXEC(KXOR, mask_op, kxor)
VEC_EXEC(KXNOR, mask_op, kxnor)
VEC_EXEC(KADD, mask_op, kadd)

void x86_vec_KNOT(X86Cpu *cpu, const X86Insn *in)
{
    set_opmask(cpu, in, ~opmask(cpu, in, 1));
}

/* The unit is the result's; each source gives half. */
void x86_vec_KUNPCK(X86Cpu *cpu, const X86Insn *in)
{
    unsigned half = width(in) / 2;
    uint64_t low = ones(in) >> half;
    set_opmask(cpu, in, (opmask(cpu, in, 1) & low) << half | (opmask(cpu, in, 2) & low));
}

void x86_vec_KSHIFTR(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = opmask(cpu, in, 1), c = (uint8_t)in->imm;
    set_opmask(cpu, in, c < width(in) ? v >> c : 0);
}

void x86_vec_KSHIFTL(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = opmask(cpu, in, 1), c = (uint8_t)in->imm;
    set_opmask(cpu, in, c < width(in) ? v << c : 0);
}

static void set_zf_cf(X86Cpu *cpu, bool zf, bool cf)
{
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FL_STATUS) | (zf ? FL_ZF : 0) |
                     (cf ? FL_CF : 0);
}

void x86_vec_KORTEST(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = opmask(cpu, in, 0) | opmask(cpu, in, 1);
    set_zf_cf(cpu, v == 0, v == ones(in));
}

void x86_vec_KTEST(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opmask(cpu, in, 0), b = opmask(cpu, in, 1);
    set_zf_cf(cpu, !(a & b), !(~a & b));
}
