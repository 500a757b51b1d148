/* SPDX-License-Identifier: MIT */
/*
 * What the vector reference functions (vec_*.c) share: operand fetch and write-back that
 * treat MMX, legacy SSE and VEX forms alike, and drivers that apply one lane function to
 * a whole instruction. Included by vec_*.c only. Heavy code.
 *
 * Sources are numbered 0, 1, 2 without regard to the encoding: if the row's first
 * operand is read and written (legacy `op dst, src`, FMA) it is source 0, else (VEX
 * `op dst, a, b`) source 0 is the second operand. So one exec function serves all forms.
 *
 * EVEX forms (SDM vol. 2, 2.7) are served by the same functions, which know nothing of
 * masks: fetching reads only the live elements of a memory operand, broadcasts, and gives
 * masked-off elements of FP rows a value that raises nothing; write-back merges or zeroes,
 * and turns elements into bits (their top bits) if the destination is an opmask.
 */
#ifndef TARGET_X86_VEC_H
#define TARGET_X86_VEC_H

#include "target-x86/access.h"
#include "target-x86/vec_exec.h"

typedef union X86Vec {
    uint8_t b[64];
    uint16_t w[32];
    uint32_t d[16];
    uint64_t q[8];
    int8_t sb[64];
    int16_t sw[32];
    int32_t sd[16];
    int64_t sq[8];
    X86Xmm x[4];
} X86Vec;

/* Vector length of the instruction in bytes: 8 (MMX), 16, 32 or 64. */
unsigned x86_vec_len(const X86Insn *in);

/* Operand n as a vector: a whole register, or the operand's bytes from memory (with the
 * alignment check of RF_ALIGN rows) or a general register, zero-extended. */
void x86_vec_read(X86Cpu *cpu, const X86Insn *in, unsigned n, X86Vec *v);

/* Up to three sources, see above; immediates are not sources. Returns the length. */
unsigned x86_vec_fetch(X86Cpu *cpu, const X86Insn *in, X86Vec src[3]);

/* ---- EVEX ---- */
/* Number of elements, and which of them are live: not masked off. */
unsigned x86_vec_nelem(const X86Insn *in);
uint64_t x86_vec_live(const X86Cpu *cpu, const X86Insn *in);

/* Vector register i, 0..31, whole. Setting one zeroes nothing: v holds 64 bytes. */
X86Vec x86_vec_reg(X86Cpu *cpu, unsigned i);
void x86_vec_reg_set(X86Cpu *cpu, unsigned i, const X86Vec *v);

/* Element i of `size` bytes. */
static inline uint64_t vec_get(const X86Vec *v, unsigned size, unsigned i)
{
    switch (size) {
    case 1: return v->b[i];
    case 2: return v->w[i];
    case 4: return v->d[i];
    default: return v->q[i];
    }
}

static inline void vec_set(X86Vec *v, unsigned size, unsigned i, uint64_t e)
{
    switch (size) {
    case 1: v->b[i] = e; break;
    case 2: v->w[i] = e; break;
    case 4: v->d[i] = e; break;
    default: v->q[i] = e; break;
    }
}

/* Raises what writing operand 0 would raise if it is memory. */
void x86_vec_probe(X86Cpu *cpu, const X86Insn *in);

/* Writes operand 0. `len` (8, 16, 32, 64) counts for VEX registers: the rest is zeroed. A
 * legacy form writes 16 bytes and leaves the rest; memory gets the operand's size; a
 * general register is written as such. Enters MMX mode if any operand is MMX. */
void x86_vec_done_len(X86Cpu *cpu, const X86Insn *in, const X86Vec *d, unsigned len);
void x86_vec_done(X86Cpu *cpu, const X86Insn *in, const X86Vec *d);

/* #GP(0) unless the linear address of the memory operand is a multiple of size. */
void x86_vec_check_align(X86Cpu *cpu, const X86Insn *in, unsigned size);

/* Physical MMX register. */
uint64_t *x86_mm(X86Cpu *cpu, unsigned i);

/* ---- drivers ---- */
typedef uint8_t VecBin8(uint8_t a, uint8_t b);
typedef uint16_t VecBin16(uint16_t a, uint16_t b);
typedef uint32_t VecBin32(uint32_t a, uint32_t b);
typedef uint64_t VecBin64(uint64_t a, uint64_t b);
typedef uint8_t VecUn8(uint8_t a);
typedef uint16_t VecUn16(uint16_t a);
typedef uint32_t VecUn32(uint32_t a);
/* One 128-bit lane (n = 16) or one MMX register (n = 8). */
typedef void VecLane(X86Xmm *d, const X86Xmm *a, const X86Xmm *b, unsigned n, unsigned imm);

static ALWAYS_INLINE void vec_bin8(X86Cpu *cpu, const X86Insn *in, VecBin8 *f)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n; i++) {
        d.b[i] = f(s[0].b[i], s[1].b[i]);
    }
    x86_vec_done(cpu, in, &d);
}

static ALWAYS_INLINE void vec_bin16(X86Cpu *cpu, const X86Insn *in, VecBin16 *f)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 2; i++) {
        d.w[i] = f(s[0].w[i], s[1].w[i]);
    }
    x86_vec_done(cpu, in, &d);
}

static ALWAYS_INLINE void vec_bin32(X86Cpu *cpu, const X86Insn *in, VecBin32 *f)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 4; i++) {
        d.d[i] = f(s[0].d[i], s[1].d[i]);
    }
    x86_vec_done(cpu, in, &d);
}

static ALWAYS_INLINE void vec_bin64(X86Cpu *cpu, const X86Insn *in, VecBin64 *f)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < n / 8; i++) {
        d.q[i] = f(s[0].q[i], s[1].q[i]);
    }
    x86_vec_done(cpu, in, &d);
}

/* Shift-like: the second operand is one 64-bit count for all lanes (an immediate of the
 * row's last operand if that is one). */
static inline uint64_t vec_count(const X86Insn *in, const X86Vec s[3], unsigned src)
{
    return in->nops && in->op[in->nops - 1].kind == OPND_IMM ? (uint8_t)in->imm
                                                            : s[src].q[0];
}

static ALWAYS_INLINE void vec_lanes(X86Cpu *cpu, const X86Insn *in, VecLane *f)
{
    X86Vec s[3], d;
    unsigned n = x86_vec_fetch(cpu, in, s);
    for (unsigned i = 0; i < (n + 15) / 16; i++) {
        f(&d.x[i], &s[0].x[i], &s[1].x[i], n < 16 ? n : 16, (uint8_t)in->imm);
    }
    x86_vec_done(cpu, in, &d);
}

/* Makes the exec function of a row out of a driver and a lane function. */
#define VEC_EXEC(nm, driver, lane) \
    void x86_vec_##nm(X86Cpu *cpu, const X86Insn *in) { driver(cpu, in, lane); }

#endif
