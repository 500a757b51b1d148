/* SPDX-License-Identifier: MIT */
/*
 * SSE4.2 string compares: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM and their VEX.128
 * forms. SDM vol. 2, 4.1 (immediate byte) and the four pages. Heavy code.
 */
#include "target-x86/vec.h"

enum { AGG_ANY, AGG_RANGES, AGG_EACH, AGG_ORDERED }; /* imm[3:2] */

typedef struct StrCmp {
    X86Vec a, b;    /* first and second operand */
    unsigned la, lb; /* valid elements */
    unsigned n;     /* elements: 16 or 8 */
    uint8_t imm;
} StrCmp;

/* imm[1:0]: unsigned bytes, unsigned words, signed bytes, signed words. */
static int element(const X86Vec *v, unsigned imm, unsigned i)
{
    switch (imm & 3) {
    case 0: return v->b[i];
    case 1: return v->w[i];
    case 2: return v->sb[i];
    default: return v->sw[i];
    }
}

static unsigned implicit_length(const X86Vec *v, unsigned imm, unsigned n)
{
    unsigned i = 0;
    while (i < n && element(v, imm, i)) {
        i++;
    }
    return i;
}

/* Explicit length: the register's absolute value, saturated; 64 bits only with W. */
static unsigned explicit_length(X86Cpu *cpu, const X86Insn *in, unsigned reg, unsigned n)
{
    bool wide = (in->rex & 8) && (cpu->hflags & HF_CS64);
    int64_t v = wide ? (int64_t)cpu->st.gpr[reg] : (int32_t)cpu->st.gpr[reg];
    uint64_t len = v < 0 ? -(uint64_t)v : (uint64_t)v;
    return MIN(len, n);
}

/* Comparison of element i of the first with element j of the second operand, with the
 * overrides for elements past the end (table 4-3). */
static bool compare(const StrCmp *s, unsigned i, unsigned j)
{
    unsigned agg = s->imm >> 2 & 3;
    bool va = i < s->la, vb = j < s->lb;
    if (va && vb) {
        int a = element(&s->a, s->imm, i), b = element(&s->b, s->imm, j);
        if (agg == AGG_RANGES) {
            return i & 1 ? b <= a : b >= a;
        }
        return a == b;
    }
    switch (agg) {
    case AGG_EACH: return !va && !vb;
    case AGG_ORDERED: return !va;
    default: return false;
    }
}

static bool intermediate(const StrCmp *s, unsigned j)
{
    switch (s->imm >> 2 & 3) {
    case AGG_ANY:
        for (unsigned i = 0; i < s->n; i++) {
            if (compare(s, i, j)) {
                return true;
            }
        }
        return false;
    case AGG_RANGES:
        for (unsigned i = 0; i < s->n; i += 2) {
            if (compare(s, i, j) && compare(s, i + 1, j)) {
                return true;
            }
        }
        return false;
    case AGG_EACH:
        return compare(s, j, j);
    default:
        for (unsigned i = 0; i + j < s->n; i++) {
            if (!compare(s, i, i + j)) {
                return false;
            }
        }
        return true;
    }
}

/* Fills the operands, computes IntRes2 and sets the flags. */
static uint32_t string_compare(X86Cpu *cpu, const X86Insn *in, StrCmp *s, bool explicit)
{
    s->imm = in->imm;
    s->n = s->imm & 1 ? 8 : 16;
    x86_vec_read(cpu, in, 0, &s->a);
    x86_vec_read(cpu, in, 1, &s->b);
    s->la = explicit ? explicit_length(cpu, in, R_AX, s->n)
                     : implicit_length(&s->a, s->imm, s->n);
    s->lb = explicit ? explicit_length(cpu, in, R_DX, s->n)
                     : implicit_length(&s->b, s->imm, s->n);
    uint32_t res = 0;
    for (unsigned j = 0; j < s->n; j++) {
        res |= (uint32_t)intermediate(s, j) << j;
    }
    if (s->imm & 0x10) { /* negative polarity; masked to valid elements with bit 5 */
        res ^= s->imm & 0x20 ? (1u << s->lb) - 1 : (1u << s->n) - 1;
    }
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FL_STATUS) | (res ? FL_CF : 0) |
                     (s->lb < s->n ? FL_ZF : 0) | (s->la < s->n ? FL_SF : 0) |
                     (res & 1 ? FL_OF : 0);
    return res;
}

static void to_index(X86Cpu *cpu, const StrCmp *s, uint32_t res)
{
    unsigned index = !res              ? s->n
                     : s->imm & 0x40   ? 31 - __builtin_clz(res)
                                       : __builtin_ctz(res);
    cpu->st.gpr[R_CX] = index;
}

static void to_mask(X86Cpu *cpu, const X86Insn *in, const StrCmp *s, uint32_t res)
{
    X86Xmm d = { .q = { 0 } };
    if (!(s->imm & 0x40)) {
        d.q[0] = res;
    } else {
        for (unsigned i = 0; i < 16; i++) {
            d.b[i] = res >> (s->n == 16 ? i : i / 2) & 1 ? 0xff : 0;
        }
    }
    cpu->st.xsave.xstate_bv |= 2;
    *x86_xmm(cpu, 0) = d;
    if (in->row->enc == ENC_VEX) {
        X86Vec wide = { 0 };
        wide.x[0] = d;
        x86_vec_reg_set(cpu, 0, &wide);
    }
}

void x86_vec_PCMPESTRI(X86Cpu *cpu, const X86Insn *in)
{
    StrCmp s;
    to_index(cpu, &s, string_compare(cpu, in, &s, true));
}

void x86_vec_PCMPISTRI(X86Cpu *cpu, const X86Insn *in)
{
    StrCmp s;
    to_index(cpu, &s, string_compare(cpu, in, &s, false));
}

void x86_vec_PCMPESTRM(X86Cpu *cpu, const X86Insn *in)
{
    StrCmp s;
    to_mask(cpu, in, &s, string_compare(cpu, in, &s, true));
}

void x86_vec_PCMPISTRM(X86Cpu *cpu, const X86Insn *in)
{
    StrCmp s;
    to_mask(cpu, in, &s, string_compare(cpu, in, &s, false));
}
