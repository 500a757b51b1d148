/* SPDX-License-Identifier: MIT */
/*
 * Shifts and rotates: rows and reference functions. SDM vol. 2, RCL/RCR/ROL/ROR,
 * SAL/SAR/SHL/SHR, SHLD, SHRD, RORX, SARX/SHLX/SHRX. Leaf.
 *
 * The count is masked to 5 bits (6 for 64-bit operands); a masked count of 0 leaves all
 * flags, so every flag is among those used by forms whose count may be 0. OF is defined
 * for a count of 1 only; here it is computed as if by the last single-bit step.
 */
#include "target-x86/rows_util.h"

#define SZAP (FL_SF | FL_ZF | FL_AF | FL_PF)
#define SZP (FL_SF | FL_ZF | FL_PF)

enum ShiftOp { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_SAR };

/* Result and new CF and OF (in flag positions) of a nonzero count. */
typedef struct Shifted {
    uint64_t r;
    uint32_t fl;
} Shifted;

static ALWAYS_INLINE uint32_t cf_of(uint64_t cf, uint64_t of)
{
    return (cf & 1 ? FL_CF : 0) | (of & 1 ? FL_OF : 0);
}

/* a is zero-extended, 1 <= n <= 63. */
static ALWAYS_INLINE Shifted shift(enum ShiftOp op, unsigned size, uint64_t a, unsigned n,
                                   uint64_t cf)
{
    unsigned width = size * 8, top = width - 1;
    uint64_t mask = x86_size_mask(size), r, c;

    switch (op) {
    case SH_ROL:
        n &= top;
        r = n ? (a << n | a >> (width - n)) & mask : a;
        return (Shifted){ r, cf_of(r, r ^ r >> top) };
    case SH_ROR:
        n &= top;
        r = n ? (a >> n | a << (width - n)) & mask : a;
        return (Shifted){ r, cf_of(r >> top, r >> top ^ r >> (top - 1)) };
    case SH_RCL: /* a rotate of width + 1 bits */
        n %= width + 1;
        if (!n) {
            return (Shifted){ a, cf_of(cf, cf ^ a >> top) };
        }
        c = a >> (width - n);
        r = ((n < 64 ? a << n : 0) | cf << (n - 1) | (n > 1 ? a >> (width + 1 - n) : 0)) & mask;
        return (Shifted){ r, cf_of(c, c ^ r >> top) };
    case SH_RCR:
        n %= width + 1;
        if (!n) {
            return (Shifted){ a, cf_of(cf, a >> top ^ a >> (top - 1)) };
        }
        c = a >> (n - 1);
        r = ((n < 64 ? a >> n : 0) | cf << (width - n) | (n > 1 ? a << (width + 1 - n) : 0)) &
            mask;
        return (Shifted){ r, cf_of(c, r >> top ^ r >> (top - 1)) };
    case SH_SHL:
        r = a << n & mask;
        c = n <= width ? a >> (width - n) : 0;
        return (Shifted){ r, cf_of(c, c ^ r >> top) | x86_flags_szp(size, r) };
    case SH_SHR:
        r = a >> n;
        c = a >> (n - 1);
        return (Shifted){ r, cf_of(c, r >> top ^ r >> (top - 1)) | x86_flags_szp(size, r) };
    case SH_SAR: {
        int64_t s = sext(a, width);
        r = (uint64_t)(s >> n);
        return (Shifted){ r, cf_of(s >> (n - 1), 0) | x86_flags_szp(size, r) };
    }
    }
    unreachable();
}

static ALWAYS_INLINE void do_shift(X86Cpu *cpu, const X86Insn *in, enum ShiftOp op)
{
    const X86Opnd *o = &in->op[0];
    uint64_t cf = cpu->st.rflags & FL_CF;
    unsigned n = in->op[1].kind == OPND_IMM   ? (unsigned)in->imm
                 : in->op[1].kind == OPND_ONE ? 1
                                              : (unsigned)cpu->st.gpr[R_CX];
    Shifted s = { 0, 0 };

    n &= o->size == 8 ? 63 : 31;
    if (likely(o->kind == OPND_GPR)) {
        uint64_t a = x86_reg_get(cpu, o->reg, o->size);
        if (n) {
            s = shift(op, o->size, a, n, cf);
        } else {
            s.r = a;
        }
        x86_reg_set(cpu, o->reg, o->size, s.r);
    } else {
        X86Rmw m;
        do { /* memory is written for a count of 0 too */
            s.r = x86_rmw_begin(cpu, in, 0, &m);
            if (n) {
                s = shift(op, o->size, s.r, n, cf);
            }
        } while (!x86_rmw_end(cpu, &m, s.r));
    }
    if (n) {
        uint32_t def = op >= SH_SHL ? FL_STATUS & ~FL_AF : FL_CF | FL_OF;
        x86_set_flags(cpu, def, s.fl);
    }
}

static void exec_ROL(X86Cpu *cpu, const X86Insn *in)
{
    do_shift(cpu, in, SH_ROL);
}

static void exec_ROR(X86Cpu *cpu, const X86Insn *in)
{
    do_shift(cpu, in, SH_ROR);
}

static void exec_RCL(X86Cpu *cpu, const X86Insn *in)
{
    do_shift(cpu, in, SH_RCL);
}

static void exec_RCR(X86Cpu *cpu, const X86Insn *in)
{
    do_shift(cpu, in, SH_RCR);
}

static void exec_SHL(X86Cpu *cpu, const X86Insn *in)
{
    do_shift(cpu, in, SH_SHL);
}

static void exec_SHR(X86Cpu *cpu, const X86Insn *in)
{
    do_shift(cpu, in, SH_SHR);
}

static void exec_SAR(X86Cpu *cpu, const X86Insn *in)
{
    do_shift(cpu, in, SH_SAR);
}

/* ---- double shifts ---- */

/* 16-bit counts above 16 have undefined results; here the operand is taken as the
 * 48-bit string a:b:a, which is what common CPUs shift. */
static ALWAYS_INLINE Shifted shift_double(bool left, unsigned size, uint64_t a, uint64_t b,
                                          unsigned n)
{
    unsigned width = size * 8, top = width - 1;
    uint64_t r, c;

    if (size == 2) {
        uint64_t s = a << 32 | b << 16 | a;
        if (left) {
            r = s << n >> 32;
            c = s >> (48 - n);
        } else {
            r = s >> n;
            c = s >> (n - 1);
        }
    } else if (left) {
        r = a << n | b >> (width - n);
        c = a >> (width - n);
    } else {
        r = a >> n | b << (width - n);
        c = a >> (n - 1);
    }
    r &= x86_size_mask(size);
    return (Shifted){ r, cf_of(c, (r ^ a) >> top) | x86_flags_szp(size, r) };
}

static ALWAYS_INLINE void do_double(X86Cpu *cpu, const X86Insn *in, bool left)
{
    unsigned size = in->op[0].size;
    unsigned n = in->op[2].kind == OPND_IMM ? (unsigned)in->imm : (unsigned)cpu->st.gpr[R_CX];
    uint64_t b = opnd_get(cpu, in, 1);
    Shifted s = { 0, 0 };
    X86Rmw m;

    n &= size == 8 ? 63 : 31;
    do {
        s.r = x86_rmw_begin(cpu, in, 0, &m);
        if (n) {
            s = shift_double(left, size, s.r, b, n);
        }
    } while (!x86_rmw_end(cpu, &m, s.r));
    if (n) {
        x86_set_flags(cpu, FL_STATUS & ~FL_AF, s.fl);
    }
}

static void exec_SHLD(X86Cpu *cpu, const X86Insn *in)
{
    do_double(cpu, in, true);
}

static void exec_SHRD(X86Cpu *cpu, const X86Insn *in)
{
    do_double(cpu, in, false);
}

/* ---- BMI2 ---- */

static void exec_RORX(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size, width = size * 8, n = in->imm & (width - 1);
    uint64_t a = opnd_get(cpu, in, 1);
    x86_reg_set(cpu, in->op[0].reg, size, n ? a >> n | a << (width - n) : a);
}

static ALWAYS_INLINE unsigned bmi_count(X86Cpu *cpu, const X86Insn *in)
{
    return x86_reg_get(cpu, in->op[2].reg, 8) & (in->op[0].size * 8 - 1);
}

static void exec_SARX(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    int64_t a = sext(opnd_get(cpu, in, 1), size * 8);
    x86_reg_set(cpu, in->op[0].reg, size, a >> bmi_count(cpu, in));
}

static void exec_SHLX(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, a << bmi_count(cpu, in));
}

static void exec_SHRX(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, a >> bmi_count(cpu, in));
}

/* ---- rows ---- */

/* Rotates define CF (and OF for a count of 1), shifts SZP too and leave AF undefined. */
#define SH_ROW(mn, opc, n, o1, o2, use, def, undef, fn)                                   \
    { .name = mn, .op = (opc), .ext = EXT(n), OPS(o1, o2), ROLES(RW, RD),                 \
      .flags = RF_PLAIN, FLAGS(use, def, undef), .exec = (fn) }
#define ROTATE_ROWS(mn, n, use, fn)                                                       \
    SH_ROW(mn, 0xc0, n, Eb, Ib, FL_CF | FL_OF, FL_CF, FL_OF, fn),                         \
    SH_ROW(mn, 0xc1, n, Ev, Ib, FL_CF | FL_OF, FL_CF, FL_OF, fn),                         \
    SH_ROW(mn, 0xd0, n, Eb, One, use, FL_CF | FL_OF, 0, fn),                              \
    SH_ROW(mn, 0xd1, n, Ev, One, use, FL_CF | FL_OF, 0, fn),                              \
    SH_ROW(mn, 0xd2, n, Eb, FCL, FL_CF | FL_OF, FL_CF, FL_OF, fn),                        \
    SH_ROW(mn, 0xd3, n, Ev, FCL, FL_CF | FL_OF, FL_CF, FL_OF, fn)
#define SHIFT_ROWS(mn, n, fn)                                                             \
    SH_ROW(mn, 0xc0, n, Eb, Ib, FL_STATUS, FL_CF | SZP, FL_OF | FL_AF, fn),               \
    SH_ROW(mn, 0xc1, n, Ev, Ib, FL_STATUS, FL_CF | SZP, FL_OF | FL_AF, fn),               \
    SH_ROW(mn, 0xd0, n, Eb, One, 0, FL_CF | SZP | FL_OF, FL_AF, fn),                      \
    SH_ROW(mn, 0xd1, n, Ev, One, 0, FL_CF | SZP | FL_OF, FL_AF, fn),                      \
    SH_ROW(mn, 0xd2, n, Eb, FCL, FL_STATUS, FL_CF | SZP, FL_OF | FL_AF, fn),              \
    SH_ROW(mn, 0xd3, n, Ev, FCL, FL_STATUS, FL_CF | SZP, FL_OF | FL_AF, fn)
#define DOUBLE_ROW(mn, opc, count, fn)                                                    \
    { .name = mn, .map = MAP_0F, .op = (opc), OPS(Ev, Gv, count), ROLES(RW, RD, RD),      \
      .flags = RF_PLAIN, FLAGS(FL_STATUS, FL_CF | SZP, FL_OF | FL_AF), .exec = (fn) }
#define VEX_SHIFT(mn, prefix, fn)                                                         \
    { .name = mn, .enc = ENC_VEX, .map = MAP_0F38, .op = 0xf7, .pp = (prefix),            \
      .feat = X86F_BMI2, OPS(Gy, Ey, By), ROLES(WR, RD, RD), .flags = RF_PLAIN | RF_L0,   \
      .exec = (fn) }

const X86Row x86_rows_shift[] = {
    ROTATE_ROWS("ROL", 0, 0, exec_ROL),
    ROTATE_ROWS("ROR", 1, 0, exec_ROR),
    ROTATE_ROWS("RCL", 2, FL_CF, exec_RCL),
    ROTATE_ROWS("RCR", 3, FL_CF, exec_RCR),
    SHIFT_ROWS("SHL", 4, exec_SHL),
    SHIFT_ROWS("SHR", 5, exec_SHR),
    SHIFT_ROWS("SHL", 6, exec_SHL), /* SAL: undocumented alias */
    SHIFT_ROWS("SAR", 7, exec_SAR),
    DOUBLE_ROW("SHLD", 0xa4, Ib, exec_SHLD),
    DOUBLE_ROW("SHLD", 0xa5, FCL, exec_SHLD),
    DOUBLE_ROW("SHRD", 0xac, Ib, exec_SHRD),
    DOUBLE_ROW("SHRD", 0xad, FCL, exec_SHRD),
    { .name = "RORX", .enc = ENC_VEX, .map = MAP_0F3A, .op = 0xf0, .pp = PP_F2,
      .feat = X86F_BMI2, OPS(Gy, Ey, Ib), ROLES(WR, RD, RD), .flags = RF_PLAIN | RF_L0,
      .exec = exec_RORX },
    VEX_SHIFT("SARX", PP_F3, exec_SARX),
    VEX_SHIFT("SHLX", PP_66, exec_SHLX),
    VEX_SHIFT("SHRX", PP_F2, exec_SHRX),
};
const unsigned x86_n_rows_shift = ARRAY_SIZE(x86_rows_shift);
