/* SPDX-License-Identifier: MIT */
/*
 * x87 basic arithmetic and compares. SDM vol. 1, 8.3.5, 8.3.6; vol. 2 under each mnemonic.
 */
#include "target-x86/x87_exec.h"

#include "target-x86/flags.h"
#include "target-x86/x87.h"

/* FADD FMUL FSUB FSUBR FDIV FDIVR, their P and I forms. The operation is ModRM.reg on
 * ST(0) and the source whichever of them is the destination (which is why the manual's
 * names of DC/DE E0..FF look exchanged). */
static Sf operate(unsigned reg, Sf a, Sf b, SfStatus *s)
{
    switch (reg & 7) {
    case 0: return sf_add(&sf_f80, a, b, s);
    case 1: return sf_mul(&sf_f80, a, b, s);
    case 4: return sf_sub(&sf_f80, a, b, s);
    case 5: return sf_sub(&sf_f80, b, a, s);
    case 6: return sf_div(&sf_f80, a, b, s);
    default: return sf_div(&sf_f80, b, a, s);
    }
}

void x87_exec_ARITH(X86Cpu *cpu, const X86Insn *in)
{
    X87Src b = x87_source(cpu, in);
    X87 e = x87_begin(cpu, false);
    unsigned dst = !in->is_mem && (in->opcode & 4) ? in->modrm & 7 : 0;
    Sf80 r = x87_indefinite();

    if (b.empty || x87_empty(e.x, 0)) {
        x87_underflow(&e);
    } else {
        r = sf_pack80(operate(in->reg, x87_val(e.x, 0), b.v, &e.s));
    }
    if (!x87_stopped(&e)) {
        x87_set(e.x, dst, r);
        if (in->opcode == 0xde && !in->is_mem) {
            x87_pop(e.x);
        }
    }
    x87_end(&e, in);
}

void x87_exec_FSQRT(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, false);
    Sf80 r = x87_indefinite();

    if (x87_need(&e, 0)) {
        r = sf_pack80(sf_sqrt(&sf_f80, x87_val(e.x, 0), &e.s));
    }
    if (!x87_stopped(&e)) {
        x87_set(e.x, 0, r);
    }
    x87_end(&e, in);
}

void x87_exec_FRNDINT(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    Sf80 r = x87_indefinite();

    if (x87_need(&e, 0)) {
        r = sf_pack80(sf_rint(x87_val(e.x, 0), &e.s));
    }
    if (!x87_stopped(&e)) {
        x87_set(e.x, 0, r);
    }
    x87_end(&e, in);
}

/* ---- compares ---- */

static uint16_t condition(SfRel rel)
{
    static const uint16_t cc[] = { [SF_LT] = FSW_C0,
                                   [SF_EQ] = FSW_C3,
                                   [SF_GT] = 0,
                                   [SF_UN] = FSW_C0 | FSW_C2 | FSW_C3 };
    return cc[rel];
}

static SfRel relation(X87 *e, X87Src b, bool signal)
{
    if (b.empty || x87_empty(e->x, 0)) {
        x87_underflow(e);
        return SF_UN;
    }
    return sf_compare(x87_val(e->x, 0), b.v, signal, &e->s);
}

/* The SDM has an unmasked #I leave condition codes and EFLAGS alone (AMD's CPUs write them);
 * an unmasked #D only keeps the stack from being popped. */
static bool no_relation(const X87 *e)
{
    return e->s.flags & ~e->s.mask & SF_IE;
}

static void compare(X86Cpu *cpu, const X86Insn *in, X87Src b, bool signal, unsigned pops)
{
    X87 e = x87_begin(cpu, true);
    SfRel rel = relation(&e, b, signal);

    if (!no_relation(&e)) {
        e.cc = condition(rel);
        e.cc_mask = FSW_C0 | FSW_C2 | FSW_C3;
    }
    if (!x87_stopped(&e)) {
        while (pops--) {
            x87_pop(e.x);
        }
    }
    x87_end(&e, in);
}

void x87_exec_FCOM(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, x87_source(cpu, in), true, 0);
}

void x87_exec_FCOMP(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, x87_source(cpu, in), true, 1);
}

void x87_exec_FCOMPP(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, x87_source(cpu, in), true, 2);
}

void x87_exec_FUCOM(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, x87_source(cpu, in), false, 0);
}

void x87_exec_FUCOMP(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, x87_source(cpu, in), false, 1);
}

void x87_exec_FUCOMPP(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, x87_source(cpu, in), false, 2);
}

void x87_exec_FTST(X86Cpu *cpu, const X86Insn *in)
{
    compare(cpu, in, (X87Src){ .v = { .cls = SF_CLS_ZERO } }, true, 0);
}

static void compare_flags(X86Cpu *cpu, const X86Insn *in, bool signal, bool pop)
{
    static const uint8_t fl[] = {
        [SF_LT] = FL_CF, [SF_EQ] = FL_ZF, [SF_GT] = 0, [SF_UN] = FL_CF | FL_PF | FL_ZF
    };
    X87 e = x87_begin(cpu, true);
    SfRel rel = relation(&e, x87_source(cpu, in), signal);

    if (!no_relation(&e)) {
        cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FL_STATUS) | fl[rel];
    }
    if (pop && !x87_stopped(&e)) {
        x87_pop(e.x);
    }
    x87_end(&e, in);
}

void x87_exec_FCOMI(X86Cpu *cpu, const X86Insn *in)
{
    compare_flags(cpu, in, true, false);
}
void x87_exec_FCOMIP(X86Cpu *cpu, const X86Insn *in)
{
    compare_flags(cpu, in, true, true);
}
void x87_exec_FUCOMI(X86Cpu *cpu, const X86Insn *in)
{
    compare_flags(cpu, in, false, false);
}
void x87_exec_FUCOMIP(X86Cpu *cpu, const X86Insn *in)
{
    compare_flags(cpu, in, false, true);
}

/* Vol. 2, FXAM; never an exception. */
static uint16_t examine(const X86Xsave *x)
{
    if (x87_empty(x, 0)) {
        return FSW_C3 | FSW_C0;
    }
    Sf v = x87_val(x, 0);
    switch (v.cls) {
    case SF_CLS_ZERO: return FSW_C3;
    case SF_CLS_NORMAL: return v.denormal ? FSW_C3 | FSW_C2 : FSW_C2;
    case SF_CLS_INF: return FSW_C2 | FSW_C0;
    case SF_CLS_INVALID: return 0;
    default: return FSW_C0;
    }
}

void x87_exec_FXAM(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    e.cc_mask = FSW_C0 | FSW_C2 | FSW_C3;
    e.cc = examine(e.x);
    e.s.up = e.x->st[0].se >> 15; /* C1: the sign, of an empty register too */
    x87_end(&e, in);
}
