/* SPDX-License-Identifier: MIT */
/*
 * x87 loads, stores, constants, register moves, sign changes, stack management. SDM vol. 1,
 * 8.3.3, 8.3.4, 8.1.2; vol. 2 under each mnemonic.
 */
#include "target-x86/x87_exec.h"

#include "target-x86/flags.h"
#include "target-x86/x87.h"

/* ---- loads ---- */

void x87_exec_FLD_m(X86Cpu *cpu, const X86Insn *in)
{
    bool wide = in->opcode == 0xdd;
    uint64_t m = x86_load(cpu, in->seg, x86_ea(cpu, in), wide ? 8 : 4);
    X87 e = x87_begin(cpu, true);
    Sf80 v = x87_indefinite();

    if (x87_push_check(&e)) {
        Sf a = wide ? sf_unpack64(m, NULL) : sf_unpack32(m, NULL);
        v = sf_pack80(sf_convert(&sf_f80, a, &e.s));
    }
    uint8_t denormal = e.s.flags &
                       SF_DE; /* an unmasked #D does not keep it from loading */
    e.s.flags -= denormal;
    x87_push(&e, v);
    e.s.flags += denormal;
    x87_end(&e, in);
}

static Sf80 load80(X86Cpu *cpu, const X86Insn *in)
{
    uint8_t b[16] = { 0 };
    Sf80 v = { 0 };

    x86_load_bytes(cpu, in->seg, x86_ea(cpu, in), b, 10);
    for (unsigned i = 0; i < 8; i++) {
        v.m |= (uint64_t)b[i] << 8 * i;
    }
    v.se = b[8] | b[9] << 8;
    return v;
}

static void store80(X86Cpu *cpu, const X86Insn *in, Sf80 v)
{
    uint8_t b[10];
    for (unsigned i = 0; i < 8; i++) {
        b[i] = v.m >> 8 * i;
    }
    b[8] = v.se;
    b[9] = v.se >> 8;
    x86_store_bytes(cpu, in->seg, x86_ea(cpu, in), b, 10);
}

static void push_value(X86Cpu *cpu, const X86Insn *in, Sf80 v)
{
    X87 e = x87_begin(cpu, true);
    x87_push(&e, v);
    x87_end(&e, in);
}

void x87_exec_FLD_m80(X86Cpu *cpu, const X86Insn *in)
{
    push_value(cpu, in, load80(cpu, in));
}

void x87_exec_FILD(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    uint64_t m = x86_load(cpu, in->seg, x86_ea(cpu, in), size);
    push_value(cpu, in, sf_pack80(sf_unpack_int(sext(m, size * 8))));
}

/* Digits beyond 9 are undefined; each counts as its four bits do. */
void x87_exec_FBLD(X86Cpu *cpu, const X86Insn *in)
{
    Sf80 m = load80(cpu, in);
    uint64_t v = 0;

    v = (m.se >> 4 & 15) * 10 + (m.se & 15);
    for (int i = 15; i >= 0; i--) {
        v = v * 10 + (m.m >> 4 * i & 15);
    }
    Sf a = sf_unpack_uint(v);
    a.sign = m.se >> 15;
    push_value(cpu, in, sf_pack80(a));
}

void x87_exec_FLD_st(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    unsigned i = in->modrm & 7;
    Sf80 v = x87_st(e.x, i);

    if (!x87_need(&e, i)) { /* goes before overflow */
        v = x87_indefinite();
    }
    x87_push(&e, v);
    x87_end(&e, in);
}

/* A constant to 66 bits: the upper 64 of the significand and the two that follow. Rounded
 * by RC as vol. 1, 8.3.8 says, without flags. */
typedef struct Constant {
    uint64_t m;
    uint16_t se;
    uint8_t rest; /* 0..3: exact, below, at (never), above half */
} Constant;

void x87_exec_FLDconst(X86Cpu *cpu, const X86Insn *in)
{
    static const Constant table[8] = {
        { 0x8000000000000000, 0x3fff, 0 }, /* FLD1 */
        { 0xd49a784bcd1b8afe, 0x4000, 1 }, /* FLDL2T */
        { 0xb8aa3b295c17f0bb, 0x3fff, 3 }, /* FLDL2E: ...bbbe */
        { 0xc90fdaa22168c234, 0x4000, 3 }, /* FLDPI: ...234c */
        { 0x9a209a84fbcff798, 0x3ffd, 3 }, /* FLDLG2: ...798f */
        { 0xb17217f7d1cf79ab, 0x3ffe, 3 }, /* FLDLN2: ...9abc */
        { 0, 0, 0 },                       /* FLDZ */
    };
    const Constant *c = &table[in->modrm & 7];
    unsigned rc = cpu->st.xsave.fcw >> 10 & 3;
    bool up = rc == SF_NEAREST ? c->rest > 1 : rc == SF_UP && c->rest;

    push_value(cpu, in, (Sf80){ c->m + up, c->se });
}

/* ---- stores ---- */

/* Is nothing stored because of an unmasked exception? The address is looked at even then:
 * a page fault comes before the exception is noted. */
static bool store_stopped(X87 *e, const X86Insn *in, unsigned size)
{
    if (!x87_store_stopped(e)) {
        return false;
    }
    x86_probe_write(e->cpu, in->seg, x86_ea(e->cpu, in), size);
    return true;
}

void x87_exec_FST_m(X86Cpu *cpu, const X86Insn *in)
{
    bool wide = in->opcode == 0xdd;
    X87 e = x87_begin(cpu, true);
    Sf r = sf_default_nan();

    if (x87_need(&e, 0)) {
        Sf a = x87_val(e.x, 0);
        a.denormal = false; /* FST does not raise #D */
        r = sf_convert(wide ? &sf_f64 : &sf_f32, a, &e.s);
    }
    if (store_stopped(&e, in, wide ? 8 : 4)) {
        e.s.flags &= ~SF_PE;
        e.s.up = false;
    } else {
        uint64_t v = wide ? sf_pack64(r) : sf_pack32(r);
        x86_store(cpu, in->seg, x86_ea(cpu, in), wide ? 8 : 4, v);
        if (in->reg & 1) {
            x87_pop(e.x);
        }
    }
    x87_end(&e, in);
}

void x87_exec_FSTP_m80(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    Sf80 v = x87_need(&e, 0) ? x87_st(e.x, 0) : x87_indefinite();

    if (!store_stopped(&e, in, 10)) {
        store80(cpu, in, v);
        x87_pop(e.x);
    }
    x87_end(&e, in);
}

static void store_reg(X86Cpu *cpu, const X86Insn *in, bool pop)
{
    X87 e = x87_begin(cpu, true);
    Sf80 v = x87_need(&e, 0) ? x87_st(e.x, 0) : x87_indefinite();

    if (!x87_stopped(&e)) {
        x87_set(e.x, in->modrm & 7, v);
        if (pop) {
            x87_pop(e.x);
        }
    }
    x87_end(&e, in);
}

/* The alias FSTP1 ignores an empty ST(0). */
void x87_exec_FSTP1(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    if (!x87_empty(e.x, 0)) {
        x87_set(e.x, in->modrm & 7, x87_st(e.x, 0));
    }
    x87_pop(e.x);
    x87_end(&e, in);
}

void x87_exec_FST_st(X86Cpu *cpu, const X86Insn *in)
{
    store_reg(cpu, in, false);
}
void x87_exec_FSTP_st(X86Cpu *cpu, const X86Insn *in)
{
    store_reg(cpu, in, true);
}

static void store_int(X86Cpu *cpu, const X86Insn *in, bool trunc, bool pop)
{
    unsigned size = in->op[0].size;
    X87 e = x87_begin(cpu, true);
    uint64_t v = 1ull << (size * 8 - 1);

    if (x87_need(&e, 0)) {
        v = sf_to_int(x87_val(e.x, 0), size * 8, trunc, &e.s);
    }
    if (!store_stopped(&e, in, size)) {
        x86_store(cpu, in->seg, x86_ea(cpu, in), size, v);
        if (pop) {
            x87_pop(e.x);
        }
    }
    x87_end(&e, in);
}

/* /2 FIST, /3 and /7 FISTP */
void x87_exec_FIST(X86Cpu *cpu, const X86Insn *in)
{
    store_int(cpu, in, false, in->reg & 1);
}
void x87_exec_FISTTP(X86Cpu *cpu, const X86Insn *in)
{
    store_int(cpu, in, true, true);
}

static Sf80 to_bcd(X87 *e, Sf a)
{
    static const Sf80 indefinite = { 0xc000000000000000, 0xffff };
    uint64_t limit = 1000000000000000000ull;
    SfStatus s = e->s;
    int64_t v = sf_to_int(a, 64, false, &s);
    uint64_t mag = v < 0 ? -(uint64_t)v : (uint64_t)v;
    Sf80 r = { 0, a.sign << 15 };

    if ((s.flags & SF_IE) || mag >= limit) {
        e->s.flags |= SF_IE;
        return indefinite;
    }
    e->s = s;
    for (unsigned i = 0; i < 16; i++, mag /= 10) {
        r.m |= mag % 10 << 4 * i;
    }
    r.se |= mag / 10 << 4 | mag % 10;
    return r;
}

void x87_exec_FBSTP(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    Sf80 v = { 0xc000000000000000, 0xffff };

    if (x87_need(&e, 0)) {
        v = to_bcd(&e, x87_val(e.x, 0));
    }
    if (!store_stopped(&e, in, 10)) {
        store80(cpu, in, v);
        x87_pop(e.x);
    }
    x87_end(&e, in);
}

/* ---- between registers ---- */

void x87_exec_FXCH(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    unsigned i = in->modrm & 7;
    bool no_a = x87_empty(e.x, 0), no_b = x87_empty(e.x, i);
    Sf80 a = no_a ? x87_indefinite() : x87_st(e.x, 0);
    Sf80 b = no_b ? x87_indefinite() : x87_st(e.x, i);

    if ((!no_a && !no_b) || x87_underflow(&e)) {
        x87_set(e.x, i, a);
        x87_set(e.x, 0, b);
    }
    x87_end(&e, in);
}

/* DA: B E BE U; DB: the negated conditions. */
void x87_exec_FCMOV(X86Cpu *cpu, const X86Insn *in)
{
    static const uint8_t test[4] = { FL_CF, FL_ZF, FL_CF | FL_ZF, FL_PF };
    X87 e = x87_begin(cpu, true);
    unsigned i = in->modrm & 7;
    bool cond = cpu->st.rflags & test[in->reg & 3];

    if (in->opcode == 0xdb) {
        cond = !cond;
    }
    if (x87_empty(e.x, 0) || x87_empty(e.x, i)) { /* whatever the condition */
        if (x87_underflow(&e)) {
            x87_set(e.x, 0, x87_indefinite());
        }
    } else {
        e.s.up = e.x->fsw & FSW_C1; /* left as it is */
        if (cond) {
            x87_set(e.x, 0, x87_st(e.x, i));
        }
    }
    x87_end(&e, in);
}

static void change_sign(X86Cpu *cpu, const X86Insn *in, uint16_t keep, uint16_t flip)
{
    X87 e = x87_begin(cpu, true);
    if (x87_need(&e, 0)) {
        Sf80 v = x87_st(e.x, 0);
        v.se = (v.se & keep) ^ flip;
        x87_set(e.x, 0, v);
    } else if (!x87_stopped(&e)) {
        x87_set(e.x, 0, x87_indefinite());
    }
    x87_end(&e, in);
}

void x87_exec_FABS(X86Cpu *cpu, const X86Insn *in)
{
    change_sign(cpu, in, 0x7fff, 0);
}
void x87_exec_FCHS(X86Cpu *cpu, const X86Insn *in)
{
    change_sign(cpu, in, 0xffff, 0x8000);
}

/* ---- stack management ---- */

static void free_reg(X86Xsave *x, unsigned i)
{
    x->ftw &= ~(1 << ((x87_top(x) + i) & 7));
}

void x87_exec_FFREE(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    free_reg(e.x, in->modrm & 7);
    x87_end(&e, in);
}

void x87_exec_FFREEP(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    free_reg(e.x, in->modrm & 7);
    x87_pop(e.x);
    x87_end(&e, in);
}

void x87_exec_FINCSTP(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    x87_rotate(e.x, 1);
    x87_end(&e, in);
}

void x87_exec_FDECSTP(X86Cpu *cpu, const X86Insn *in)
{
    X87 e = x87_begin(cpu, true);
    x87_rotate(e.x, 7);
    x87_end(&e, in);
}
