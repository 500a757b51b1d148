/* SPDX-License-Identifier: MIT */
/*
 * Vector moves between registers and memory, MXCSR loads and stores, EMMS, and the
 * byte-masked stores of MMX and SSE. Heavy code.
 */
#include "target-x86/fpu.h"
#include "target-x86/vec.h"

/* Every plain move, full or partial, whose destination takes the source zero-extended:
 * MOVAPS, MOVDQU, MOVD, MOVQ, MOVNTPS, LDDQU, MOVQ2DQ, MOVDQ2Q, MOVSS xmm, m32 ...
 * `MOVQ xmm, xmm` takes eight bytes of a register: operand 1's size says so. */
void x86_vec_MOV(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    unsigned size = in->op[1].size;
    x86_vec_read(cpu, in, 1, &s);
    if (size < 16) {
        s.x[0].q[1] = 0;
        if (size < 8) {
            s.q[0] &= (1ull << 8 * size) - 1;
        }
    }
    x86_vec_done_len(cpu, in, &s, MAX(size, 16));
}

/* MOVSS and MOVSD between registers: source 0 gives the rest. */
void x86_vec_MOVSS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    s[0].d[0] = s[1].d[0];
    x86_vec_done_len(cpu, in, &s[0], 16);
}

/* Also MOVLPS and MOVLPD loads. */
void x86_vec_MOVSD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = s[1].q[0];
    x86_vec_done_len(cpu, in, &s[0], 16);
}

/* Loads of the high half, and MOVLHPS. */
void x86_vec_MOVHPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    s[0].q[1] = s[1].q[0];
    x86_vec_done_len(cpu, in, &s[0], 16);
}

void x86_vec_MOVHLPS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = s[1].q[1];
    x86_vec_done_len(cpu, in, &s[0], 16);
}

/* Store of the high half: MOVHPS, MOVHPD. */
void x86_vec_MOVHPS_store(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    x86_vec_done(cpu, in, &(X86Vec){ .q = { s.q[1] } });
}

void x86_vec_MOVDDUP(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < 8; i += 2) {
        s.q[i + 1] = s.q[i];
    }
    x86_vec_done(cpu, in, &s);
}

void x86_vec_MOVSLDUP(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < 16; i += 2) {
        s.d[i + 1] = s.d[i];
    }
    x86_vec_done(cpu, in, &s);
}

void x86_vec_MOVSHDUP(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s;
    x86_vec_read(cpu, in, 1, &s);
    for (unsigned i = 0; i < 16; i += 2) {
        s.d[i] = s.d[i + 1];
    }
    x86_vec_done(cpu, in, &s);
}

/* ---- MXCSR ---- */
void x86_vec_LDMXCSR(X86Cpu *cpu, const X86Insn *in)
{
    uint32_t v = x86_load(cpu, in->seg, x86_ea(cpu, in), 4);
    uint32_t mask = cpu->st.xsave.mxcsr_mask;
    if (v & ~(mask ? mask : 0xffbf)) { /* vol. 1, 11.6.6 */
        x86_raise_err(cpu, EXC_GP, 0);
    }
    cpu->st.xsave.mxcsr = v;
}

void x86_vec_STMXCSR(X86Cpu *cpu, const X86Insn *in)
{
    x86_store(cpu, in->seg, x86_ea(cpu, in), 4, cpu->st.xsave.mxcsr);
}

/* ---- MMX state ---- */
void x86_vec_EMMS(X86Cpu *cpu, const X86Insn *in)
{
    x86_mmx_leave(cpu);
}

/* ---- byte-masked stores to DS:rDI (or an overriding segment) ---- */
/* Pages whose bytes are all masked out may be faulted on or not (vol. 2, MASKMOVDQU);
 * here they are not touched, and nothing is written before all is known writable. */
static void masked_store(X86Cpu *cpu, const X86Insn *in, const uint8_t *v,
                         const uint8_t *mask, unsigned n)
{
    uint64_t di = cpu->st.gpr[R_DI];
    uint64_t amask = in->adsize == 8 ? ~0ull : in->adsize == 4 ? 0xffffffff : 0xffff;
    unsigned seg = in->seg_prefix == SEG_NONE ? R_DS : in->seg_prefix;
    for (unsigned i = 0; i < n; i++) {
        if (mask[i] & 0x80) {
            x86_probe_write(cpu, seg, (di + i) & amask, 1);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (mask[i] & 0x80) {
            x86_store(cpu, seg, (di + i) & amask, 1, v[i]);
        }
    }
}

/* MASKMOVQ and MASKMOVDQU: operand 0 is the data, operand 1 the mask; both are read. */
void x86_vec_MASKMOV(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec v, mask;
    x86_vec_read(cpu, in, 0, &v);
    x86_vec_read(cpu, in, 1, &mask);
    masked_store(cpu, in, v.b, mask.b, in->op[0].kind == OPND_MMX ? 8 : 16);
    if (in->op[0].kind == OPND_MMX) {
        x86_mmx_enter(cpu);
    }
}
