/* SPDX-License-Identifier: MIT */
/*
 * What the x87 reference functions (x87_*.c) share. An instruction runs as
 *
 *     load the memory operand; X87 e = x87_begin(cpu, ...); compute on e.s;
 *     store to memory; change the stack; x87_end(&e, in);
 *
 * so that nothing is changed before the last access that can fault. Flags gather in e and
 * reach FSW in x87_end(). SDM vol. 1, 8.4 to 8.7. Heavy code.
 */
#ifndef TARGET_X86_X87_H
#define TARGET_X86_X87_H

#include "target-x86/access.h"
#include "target-x86/fpu.h"
#include "target-x86/softfloat.h"

typedef struct X87 {
    X86Cpu *cpu;
    X86Xsave *x;
    SfStatus s;
    bool stack_fault, overflow; /* overflow: C1 of a stack fault */
    uint16_t cc_mask, cc;       /* condition codes to write besides C1 */
} X87;

/* full: results have 64 bits whatever the precision control says. */
X87 x87_begin(X86Cpu *cpu, bool full);
/* Flags, C1, ES; instruction and data pointers. */
void x87_end(X87 *e, const X86Insn *in);

/* FOP, FIP, FDP of a non-control instruction. */
void x87_pointers(X86Cpu *cpu, const X86Insn *in);

/* An unmasked exception that keeps the instruction from having its effect. */
static inline bool x87_stopped(const X87 *e)
{
    return e->s.flags & ~e->s.mask & (SF_IE | SF_DE | SF_ZE);
}
/* The same for memory destinations, vol. 1, 8.5.4, 8.5.5. */
static inline bool x87_store_stopped(const X87 *e)
{
    return e->s.flags & ~e->s.mask & (SF_IE | SF_OE | SF_UE);
}

static inline bool x87_empty(const X86Xsave *x, unsigned i)
{
    return !(x->ftw >> ((x87_top(x) + i) & 7) & 1);
}
static inline Sf80 x87_st(const X86Xsave *x, unsigned i)
{
    return (Sf80){ x->st[i].m, x->st[i].se };
}
static inline Sf x87_val(const X86Xsave *x, unsigned i)
{
    return sf_unpack80(x87_st(x, i));
}

/* Writes ST(i) and marks it valid. */
void x87_set(X86Xsave *x, unsigned i, Sf80 v);
void x87_pop(X86Xsave *x);
/* Pushes unless the stack is full (then the default NaN if that is masked) or e is
 * stopped. x87_push_check() alone raises the fault: call it before other exceptions. */
bool x87_push_check(X87 *e);
void x87_push(X87 *e, Sf80 v);
/* Raises stack underflow. True: masked, deliver the default NaN. */
bool x87_underflow(X87 *e);
/* True if ST(i) may be used; else raises underflow. */
bool x87_need(X87 *e, unsigned i);

static inline Sf80 x87_indefinite(void)
{
    return (Sf80){ 0xc000000000000000, 0xffff };
}

/* The second operand of D8..DF arithmetic and compares: memory of the opcode's format, or
 * ST(rm). Loads: call before anything changes. */
typedef struct X87Src {
    Sf v;
    bool empty;
} X87Src;
X87Src x87_source(X86Cpu *cpu, const X86Insn *in);

#endif
