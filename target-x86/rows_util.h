/* SPDX-License-Identifier: MIT */
/*
 * For rows_*.c: short forms of row fields, and operand access with the register case
 * inline. Included by row files only.
 */
#ifndef TARGET_X86_ROWS_UTIL_H
#define TARGET_X86_ROWS_UTIL_H

#include "target-x86/access.h"
#include "target-x86/flags.h"
#include "target-x86/leaf.h"
#include "target-x86/opcodes.h"

/* ---- row fields ---- */
#define OPS(...) .ops = { __VA_ARGS__ }
#define ROLES(...) .w = { __VA_ARGS__ }
/* flags used, defined, left undefined */
#define FLAGS(use, def, undef) .fl_use = (use), .fl_def = (def), .fl_undef = (undef)
#define RD ROLE_R
#define WR ROLE_W
#define RW ROLE_RW
#define NA ROLE_NONE

/* Codes only integer rows need. */
#define Ez OPC(OM_E, OS_z)
#define FAH OPC_FIX(OM_REG, 4, OS_b) /* byte register 4 is AH */
#define FrCX OPC_FIX(OM_REG, R_CX, OS_v)
#define FyDX OPC_FIX(OM_REG, R_DX, OS_y)

/* ---- operands ---- */
static ALWAYS_INLINE uint64_t opnd_get(X86Cpu *cpu, const X86Insn *in, unsigned n)
{
    const X86Opnd *o = &in->op[n];
    if (likely(o->kind == OPND_GPR)) {
        return x86_reg_get(cpu, o->reg, o->size);
    }
    return x86_opnd_read(cpu, in, n);
}

static ALWAYS_INLINE void opnd_put(X86Cpu *cpu, const X86Insn *in, unsigned n, uint64_t v)
{
    const X86Opnd *o = &in->op[n];
    if (likely(o->kind == OPND_GPR)) {
        x86_reg_set(cpu, o->reg, o->size, v);
    } else {
        x86_opnd_write(cpu, in, n, v);
    }
}

/* ---- stack ---- */

/* Which bits of rSP address the stack. */
static ALWAYS_INLINE uint64_t stack_mask(const X86Cpu *cpu)
{
    return cpu->hflags & HF_CS64 ? ~0ull : cpu->hflags & HF_SS32 ? 0xffffffffu : 0xffff;
}

static ALWAYS_INLINE void set_sp(X86Cpu *cpu, uint64_t mask, uint64_t sp)
{
    uint64_t *p = &cpu->st.gpr[R_SP];
    *p = mask == 0xffff ? (*p & ~0xffffull) | (sp & mask) : sp & mask;
}

static ALWAYS_INLINE void stack_push(X86Cpu *cpu, unsigned size, uint64_t v)
{
    uint64_t mask = stack_mask(cpu), sp = (cpu->st.gpr[R_SP] - size) & mask;
    x86_store(cpu, R_SS, sp, size, v);
    set_sp(cpu, mask, sp);
}

/* The top of the stack; rSP is the caller's to move when nothing can fault any more. */
static ALWAYS_INLINE uint64_t stack_top(X86Cpu *cpu, unsigned size)
{
    return x86_load(cpu, R_SS, cpu->st.gpr[R_SP] & stack_mask(cpu), size);
}

#endif
