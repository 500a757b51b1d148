/* SPDX-License-Identifier: MIT */
/*
 * The x87 unit's parts that others use, on cpu->st.xsave. SDM vol. 1, chapters 8 and 9.
 *
 * st[i] is ST(i), ftw has one bit for each physical register R(n), fsw holds TOP:
 * ST(i) is R((TOP + i) & 7). Push and pop rotate st[].
 *
 * MMX registers alias the significands of the physical registers: MMn is R(n).m. Every
 * MMX instruction except EMMS sets TOP = 0, all tags valid; one that writes MMn sets the
 * sign and exponent of R(n) to all ones (SDM vol. 1, 9.5.1, 9.6.2). After x86_mmx_enter()
 * st[n].m is MMn. An instruction that may fault on memory calls it after its last access.
 */
#ifndef TARGET_X86_FPU_H
#define TARGET_X86_FPU_H

#include "target-x86/cpu.h"

/* FSW, vol. 1, 8.1.3 (bits 5..0: SF_*E of softfloat.h) */
#define FSW_SF 0x40u
#define FSW_ES 0x80u
#define FSW_C0 0x100u
#define FSW_C1 0x200u
#define FSW_C2 0x400u
#define FSW_C3 0x4000u
#define FSW_CC (FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3)
#define FSW_TOP 0x3800u
#define FSW_B 0x8000u

static inline unsigned x87_top(const X86Xsave *x)
{
    return x->fsw >> 11 & 7;
}

/* Turns the stack by n (0..7): ST(n) becomes ST(0). Tags stay with their registers. */
void x87_rotate(X86Xsave *x, unsigned n);

/* Sets TOP, keeping the physical registers' contents. */
void x87_set_top(X86Xsave *x, unsigned top);

/* ES and B from the flags and masks; tells x87_tell_ferr. */
void x87_update_es(X86Cpu *cpu);

/* FNINIT's effect on registers (contents of the stack stay). */
void x87_init(X86Xsave *x);

/* Marks the x87 component as in use (XSTATE_BV); every x87 and MMX instruction does. */
static inline void x87_touch(X86Xsave *x)
{
    x->xstate_bv |= 1;
}

/* Entry of an MMX instruction: TOP = 0, all registers valid; then st[n].m is MMn. */
void x86_mmx_enter(X86Cpu *cpu);
/* After it: writes MMn. */
static inline void x86_mmx_write(X86Cpu *cpu, unsigned n, uint64_t v)
{
    cpu->st.xsave.st[n].m = v;
    cpu->st.xsave.st[n].se = 0xffff;
}
/* EMMS. */
void x86_mmx_leave(X86Cpu *cpu);

/* Full tag word (2 bits a register: valid, zero, special, empty) from the registers'
 * contents and back, vol. 1, 8.1.7; FXSAVE's and XSAVE's abridged form is ftw itself. */
uint16_t x87_tag_word(const X86Xsave *x);
uint8_t x87_abridge(uint16_t tag_word);

/* Drives Cpu.ferr by ES: when ES has changed and CR0.NE = 0 (vol. 1, D.1). exec.c */
void x87_tell_ferr(X86Cpu *cpu);

#endif
