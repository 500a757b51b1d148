/* SPDX-License-Identifier: MIT */
/*
 * Integer arithmetic and logic: rows and reference functions. SDM vol. 2, the pages of
 * each mnemonic. Undefined flags get what common CPUs leave there. Leaf.
 */
#include "target-x86/rows_util.h"

#define SZAP (FL_SF | FL_ZF | FL_AF | FL_PF)
#define SZP (FL_SF | FL_ZF | FL_PF)
#define NOT_CF (FL_STATUS & ~FL_CF)

/* ---- two-operand ALU ---- */

enum AluOp { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR };

static ALWAYS_INLINE uint64_t alu_result(enum AluOp op, uint64_t a, uint64_t b, uint64_t cf)
{
    switch (op) {
    case ALU_ADD:
        return a + b;
    case ALU_OR:
        return a | b;
    case ALU_ADC:
        return a + b + cf;
    case ALU_SBB:
        return a - b - cf;
    case ALU_AND:
        return a & b;
    case ALU_SUB:
        return a - b;
    case ALU_XOR:
        return a ^ b;
    }
    unreachable();
}

static ALWAYS_INLINE uint32_t alu_flags(enum AluOp op, unsigned size, uint64_t a, uint64_t b,
                                        uint64_t r)
{
    switch (op) {
    case ALU_ADD:
    case ALU_ADC:
        return x86_flags_add(size, a, b, r);
    case ALU_SBB:
    case ALU_SUB:
        return x86_flags_sub(size, a, b, r);
    default:
        return x86_flags_logic(size, r);
    }
}

static ALWAYS_INLINE void alu(X86Cpu *cpu, const X86Insn *in, enum AluOp op)
{
    const X86Opnd *o = &in->op[0];
    uint64_t b = opnd_get(cpu, in, 1), cf = cpu->st.rflags & FL_CF, a, r;

    if (likely(o->kind == OPND_GPR)) {
        a = x86_reg_get(cpu, o->reg, o->size);
        r = alu_result(op, a, b, cf);
        x86_reg_set(cpu, o->reg, o->size, r);
    } else {
        X86Rmw m;
        do {
            a = x86_rmw_begin(cpu, in, 0, &m);
            r = alu_result(op, a, b, cf);
        } while (!x86_rmw_end(cpu, &m, r));
    }
    x86_set_flags(cpu, FL_STATUS, alu_flags(op, o->size, a, b, r));
}

static void exec_ADD(X86Cpu *cpu, const X86Insn *in)
{
    alu(cpu, in, ALU_ADD);
}

static void exec_OR(X86Cpu *cpu, const X86Insn *in)
{
    alu(cpu, in, ALU_OR);
}

static void exec_ADC(X86Cpu *cpu, const X86Insn *in)
{
    alu(cpu, in, ALU_ADC);
}

static void exec_SBB(X86Cpu *cpu, const X86Insn *in)
{
    alu(cpu, in, ALU_SBB);
}

static void exec_AND(X86Cpu *cpu, const X86Insn *in)
{
    alu(cpu, in, ALU_AND);
}

static void exec_SUB(X86Cpu *cpu, const X86Insn *in)
{
    alu(cpu, in, ALU_SUB);
}

static void exec_XOR(X86Cpu *cpu, const X86Insn *in)
{
    alu(cpu, in, ALU_XOR);
}

static void exec_CMP(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 0), b = opnd_get(cpu, in, 1);
    x86_set_flags(cpu, FL_STATUS, x86_flags_sub(in->op[0].size, a, b, a - b));
}

static void exec_TEST(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t r = opnd_get(cpu, in, 0) & opnd_get(cpu, in, 1);
    x86_set_flags(cpu, FL_STATUS, x86_flags_logic(in->op[0].size, r));
}

/* ---- one-operand ALU ---- */

enum UnOp { UN_INC, UN_DEC, UN_NEG, UN_NOT };

static ALWAYS_INLINE uint64_t unary_result(enum UnOp op, uint64_t a)
{
    return op == UN_INC ? a + 1 : op == UN_DEC ? a - 1 : op == UN_NEG ? -a : ~a;
}

static ALWAYS_INLINE void unary(X86Cpu *cpu, const X86Insn *in, enum UnOp op)
{
    const X86Opnd *o = &in->op[0];
    uint64_t a, r;

    if (likely(o->kind == OPND_GPR)) {
        a = x86_reg_get(cpu, o->reg, o->size);
        r = unary_result(op, a);
        x86_reg_set(cpu, o->reg, o->size, r);
    } else {
        X86Rmw m;
        do {
            a = x86_rmw_begin(cpu, in, 0, &m);
            r = unary_result(op, a);
        } while (!x86_rmw_end(cpu, &m, r));
    }
    switch (op) {
    case UN_INC:
        x86_set_flags(cpu, NOT_CF, x86_flags_add(o->size, a, 1, r));
        break;
    case UN_DEC:
        x86_set_flags(cpu, NOT_CF,
                      x86_flags_sub(o->size, a, 1, r) & ~(PLANTED_BUG == 1 ? FL_AF : 0));
        break;
    case UN_NEG:
        x86_set_flags(cpu, FL_STATUS, x86_flags_sub(o->size, 0, a, r));
        break;
    case UN_NOT:
        break;
    }
}

static void exec_INC(X86Cpu *cpu, const X86Insn *in)
{
    unary(cpu, in, UN_INC);
}

static void exec_DEC(X86Cpu *cpu, const X86Insn *in)
{
    unary(cpu, in, UN_DEC);
}

static void exec_NEG(X86Cpu *cpu, const X86Insn *in)
{
    unary(cpu, in, UN_NEG);
}

static void exec_NOT(X86Cpu *cpu, const X86Insn *in)
{
    unary(cpu, in, UN_NOT);
}

/* ---- multiplication ---- */

/* CF and OF say that the high half matters; the rest is undefined. */
static ALWAYS_INLINE void mul_flags(X86Cpu *cpu, unsigned size, uint64_t low, bool wide)
{
    x86_set_flags(cpu, FL_STATUS, x86_flags_szp(size, low) | (wide ? FL_CF | FL_OF : 0));
}

/* High and low result of a one-operand multiplication go to rDX:rAX, or AX for bytes. */
static ALWAYS_INLINE void put_double(X86Cpu *cpu, unsigned size, uint64_t lo, uint64_t hi)
{
    if (size == 1) {
        x86_reg_set(cpu, R_AX, 2, (lo & 0xff) | hi << 8);
    } else {
        x86_reg_set(cpu, R_AX, size, lo);
        x86_reg_set(cpu, R_DX, size, hi);
    }
}

static void exec_MUL(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    unsigned __int128 r = (unsigned __int128)opnd_get(cpu, in, 0) *
                          x86_reg_get(cpu, R_AX, size);
    uint64_t lo = (uint64_t)r;
    uint64_t hi = size == 8 ? (uint64_t)(r >> 64) : lo >> size * 8;

    put_double(cpu, size, lo, hi);
    mul_flags(cpu, size, lo, hi != 0);
}

static void exec_IMUL1(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size, width = size * 8;
    __int128 r = (__int128)sext(opnd_get(cpu, in, 0), width) *
                 sext(x86_reg_get(cpu, R_AX, size), width);
    uint64_t lo = (uint64_t)r, hi = (uint64_t)(r >> width);

    put_double(cpu, size, lo, hi);
    mul_flags(cpu, size, lo, sext(lo, width) != r);
}

static ALWAYS_INLINE void imul(X86Cpu *cpu, const X86Insn *in, uint64_t a, uint64_t b)
{
    unsigned size = in->op[0].size, width = size * 8;
    __int128 r = (__int128)sext(a, width) * sext(b, width);

    x86_reg_set(cpu, in->op[0].reg, size, (uint64_t)r);
    mul_flags(cpu, size, (uint64_t)r, sext((uint64_t)r, width) != r);
}

static void exec_IMUL2(X86Cpu *cpu, const X86Insn *in)
{
    imul(cpu, in, opnd_get(cpu, in, 0), opnd_get(cpu, in, 1));
}

static void exec_IMUL3(X86Cpu *cpu, const X86Insn *in)
{
    imul(cpu, in, opnd_get(cpu, in, 1), in->imm);
}

static void exec_MULX(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    unsigned __int128 r = (unsigned __int128)opnd_get(cpu, in, 2) *
                          x86_reg_get(cpu, R_DX, size);
    uint64_t lo = (uint64_t)r;
    uint64_t hi = size == 8 ? (uint64_t)(r >> 64) : lo >> 32;

    x86_reg_set(cpu, in->op[1].reg, size, lo);
    x86_reg_set(cpu, in->op[0].reg, size, hi); /* wins if both are the same */
}

/* ---- division ---- */

/* hi:lo / d for 64-bit halves, hi < d. */
static ALWAYS_INLINE uint64_t div128(uint64_t hi, uint64_t lo, uint64_t d, uint64_t *rem)
{
#if defined(__x86_64__)
    uint64_t q;
    __asm__("divq %4" : "=a"(q), "=d"(*rem) : "a"(lo), "d"(hi), "r"(d) : "cc");
    return q;
#else
    for (unsigned i = 0; i < 64; i++) {
        bool out = hi >> 63;
        hi = hi << 1 | lo >> 63;
        lo <<= 1;
        if (out || hi >= d) {
            hi -= d;
            lo |= 1;
        }
    }
    *rem = hi;
    return lo;
#endif
}

/* Unsigned division of a double-size number; #DE if the quotient does not fit. */
static ALWAYS_INLINE uint64_t divide(X86Cpu *cpu, unsigned size, uint64_t hi, uint64_t lo,
                                     uint64_t d, uint64_t *rem)
{
    if (hi >= d) { /* d = 0 included */
        x86_raise(cpu, EXC_DE);
    }
    if (size == 8) {
        return div128(hi, lo, d, rem);
    }
    uint64_t n = hi << size * 8 | lo;
    *rem = n % d;
    return n / d;
}

static ALWAYS_INLINE void get_double(const X86Cpu *cpu, unsigned size, uint64_t *hi,
                                     uint64_t *lo)
{
    *lo = x86_reg_get(cpu, R_AX, size);
    *hi = size == 1 ? x86_reg_get(cpu, R_AX, 2) >> 8 : x86_reg_get(cpu, R_DX, size);
}

static void exec_DIV(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    uint64_t d = opnd_get(cpu, in, 0), hi, lo, rem;

    get_double(cpu, size, &hi, &lo);
    lo = divide(cpu, size, hi, lo, d, &rem);
    put_double(cpu, size, lo, rem);
}

static void exec_IDIV(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size, top = size * 8 - 1;
    uint64_t mask = x86_size_mask(size), d = opnd_get(cpu, in, 0), hi, lo, rem, q;

    get_double(cpu, size, &hi, &lo);
    bool neg_n = hi >> top & 1, neg_d = d >> top & 1;
    if (neg_n) {
        lo = -lo & mask;
        hi = (~hi + (lo == 0)) & mask;
    }
    if (neg_d) {
        d = -d & mask;
    }
    q = divide(cpu, size, hi, lo, d, &rem);
    if (q > (mask >> 1) + (neg_n != neg_d)) {
        x86_raise(cpu, EXC_DE);
    }
    put_double(cpu, size, neg_n != neg_d ? -q : q, (neg_n ? -rem : rem) & mask);
}

/* ---- sign extension within rDX:rAX ---- */

static void exec_CBW(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->opsize;
    x86_reg_set(cpu, R_AX, size, sext(cpu->st.gpr[R_AX], size * 4));
}

static void exec_CWD(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->opsize;
    x86_reg_set(cpu, R_DX, size, cpu->st.gpr[R_AX] >> (size * 8 - 1) & 1 ? ~0ull : 0);
}

/* ---- decimal ---- */

static void exec_DAA(X86Cpu *cpu, const X86Insn *in)
{
    uint32_t fl = cpu->st.rflags, out = 0;
    uint8_t old = cpu->st.gpr[R_AX], al = old;

    if ((al & 15) > 9 || (fl & FL_AF)) {
        al += 6;
        out |= FL_AF;
    }
    if (old > 0x99 || (fl & FL_CF)) {
        al += 0x60;
        out |= FL_CF;
    }
    x86_reg_set(cpu, R_AX, 1, al);
    x86_set_flags(cpu, FL_STATUS, out | x86_flags_szp(1, al));
}

static void exec_DAS(X86Cpu *cpu, const X86Insn *in)
{
    uint32_t fl = cpu->st.rflags, out = 0;
    uint8_t old = cpu->st.gpr[R_AX], al = old;

    if ((al & 15) > 9 || (fl & FL_AF)) {
        out |= FL_AF | ((fl & FL_CF) || al < 6 ? FL_CF : 0);
        al -= 6;
    }
    if (old > 0x99 || (fl & FL_CF)) {
        al -= 0x60;
        out |= FL_CF;
    }
    x86_reg_set(cpu, R_AX, 1, al);
    x86_set_flags(cpu, FL_STATUS, out | x86_flags_szp(1, al));
}

/* AAA and AAS: AX +/- 106H, then AL's high digit is cut. */
static ALWAYS_INLINE void ascii_adjust(X86Cpu *cpu, unsigned delta)
{
    uint32_t fl = 0;
    uint16_t ax = cpu->st.gpr[R_AX];

    if ((ax & 15) > 9 || (cpu->st.rflags & FL_AF)) {
        ax += delta;
        fl = FL_AF | FL_CF;
    }
    ax &= 0xff0f;
    x86_reg_set(cpu, R_AX, 2, ax);
    x86_set_flags(cpu, FL_STATUS, fl | x86_flags_szp(1, ax));
}

static void exec_AAA(X86Cpu *cpu, const X86Insn *in)
{
    ascii_adjust(cpu, 0x106);
}

static void exec_AAS(X86Cpu *cpu, const X86Insn *in)
{
    ascii_adjust(cpu, -0x106u);
}

static void exec_AAM(X86Cpu *cpu, const X86Insn *in)
{
    uint8_t al = cpu->st.gpr[R_AX], base = in->imm;
    if (!base) {
        x86_raise(cpu, EXC_DE);
    }
    x86_reg_set(cpu, R_AX, 2, al / base << 8 | al % base);
    x86_set_flags(cpu, FL_STATUS, x86_flags_szp(1, al % base));
}

static void exec_AAD(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t ax = cpu->st.gpr[R_AX];
    uint8_t al = (ax & 0xff) + (ax >> 8) * in->imm;
    x86_reg_set(cpu, R_AX, 2, al);
    x86_set_flags(cpu, FL_STATUS, x86_flags_szp(1, al));
}

/* SALC, undocumented but on every CPU: AL = CF ? FFH : 0. */
static void exec_SALC(X86Cpu *cpu, const X86Insn *in)
{
    x86_reg_set(cpu, R_AX, 1, cpu->st.rflags & FL_CF ? 0xff : 0);
}

/* ---- ADX ---- */

static ALWAYS_INLINE void add_with(X86Cpu *cpu, const X86Insn *in, unsigned bit)
{
    unsigned size = in->op[0].size;
    uint64_t a = opnd_get(cpu, in, 0), b = opnd_get(cpu, in, 1);
    uint64_t r = a + b + (cpu->st.rflags >> bit & 1);
    uint64_t carry = (a & b) | ((a | b) & ~r);

    x86_reg_set(cpu, in->op[0].reg, size, r);
    x86_set_flags(cpu, 1u << bit, (uint32_t)(carry >> (size * 8 - 1) & 1) << bit);
}

static void exec_ADCX(X86Cpu *cpu, const X86Insn *in)
{
    add_with(cpu, in, 0);
}

static void exec_ADOX(X86Cpu *cpu, const X86Insn *in)
{
    add_with(cpu, in, 11);
}

/* ---- rows ---- */

/* The six opcodes base..base+5 and 80H, 81H, 82H (no 64-bit mode), 83H /n. */
#define ALU_ROW(mn, opc, o1, o2, role, fl, use, undef, fn)                                 \
    { .name = mn, .op = (opc), OPS(o1, o2), ROLES(role), .flags = RF_PLAIN | (fl),         \
      FLAGS(use, FL_STATUS & ~(undef), undef), .exec = (fn) }
#define ALU_EXT(mn, opc, n, o1, o2, role, fl, use, undef, fn)                              \
    { .name = mn, .op = (opc), .ext = EXT(n), OPS(o1, o2), ROLES(role),                    \
      .flags = RF_PLAIN | (fl), FLAGS(use, FL_STATUS & ~(undef), undef), .exec = (fn) }
#define ALU_ROWS(mn, n, role, lock, use, undef, fn)                                        \
    ALU_ROW(mn, (n)*8 + 0, Eb, Gb, role, lock, use, undef, fn),                            \
    ALU_ROW(mn, (n)*8 + 1, Ev, Gv, role, lock, use, undef, fn),                            \
    ALU_ROW(mn, (n)*8 + 2, Gb, Eb, role, 0, use, undef, fn),                               \
    ALU_ROW(mn, (n)*8 + 3, Gv, Ev, role, 0, use, undef, fn),                               \
    ALU_ROW(mn, (n)*8 + 4, FAL, Ib, role, 0, use, undef, fn),                              \
    ALU_ROW(mn, (n)*8 + 5, FrAX, Iz, role, 0, use, undef, fn),                             \
    ALU_EXT(mn, 0x80, n, Eb, Ib, role, lock, use, undef, fn),                              \
    ALU_EXT(mn, 0x81, n, Ev, Iz, role, lock, use, undef, fn),                              \
    ALU_EXT(mn, 0x82, n, Eb, Ib, role, (lock) | RF_NO64, use, undef, fn),                  \
    ALU_EXT(mn, 0x83, n, Ev, IbS, role, lock, use, undef, fn)

/* F6H/F7H and FEH/FFH groups */
#define UN_ROW(mn, opc, n, o1, def, fn)                                                    \
    { .name = mn, .op = (opc), .ext = EXT(n), OPS(o1), ROLES(RW),                          \
      .flags = RF_PLAIN | RF_LOCK, FLAGS(0, def, 0), .exec = (fn) }

#define NO64_ROW(mn, opc, o1, role, use, def, undef, fn)                                   \
    { .name = mn, .op = (opc), OPS(o1), ROLES(role), .flags = RF_NO64,                     \
      FLAGS(use, def, undef), .exec = (fn) }

const X86Row x86_rows_alu[] = {
    ALU_ROWS("ADD", 0, RW, RF_LOCK, 0, 0, exec_ADD),
    ALU_ROWS("OR", 1, RW, RF_LOCK, 0, FL_AF, exec_OR),
    ALU_ROWS("ADC", 2, RW, RF_LOCK, FL_CF, 0, exec_ADC),
    ALU_ROWS("SBB", 3, RW, RF_LOCK, FL_CF, 0, exec_SBB),
    ALU_ROWS("AND", 4, RW, RF_LOCK, 0, FL_AF, exec_AND),
    ALU_ROWS("SUB", 5, RW, RF_LOCK, 0, 0, exec_SUB),
    ALU_ROWS("XOR", 6, RW, RF_LOCK, 0, FL_AF, exec_XOR),
    ALU_ROWS("CMP", 7, RD, 0, 0, 0, exec_CMP),

    ALU_ROW("TEST", 0x84, Eb, Gb, RD, 0, 0, FL_AF, exec_TEST),
    ALU_ROW("TEST", 0x85, Ev, Gv, RD, 0, 0, FL_AF, exec_TEST),
    ALU_ROW("TEST", 0xa8, FAL, Ib, RD, 0, 0, FL_AF, exec_TEST),
    ALU_ROW("TEST", 0xa9, FrAX, Iz, RD, 0, 0, FL_AF, exec_TEST),
    ALU_EXT("TEST", 0xf6, 0, Eb, Ib, RD, 0, 0, FL_AF, exec_TEST),
    ALU_EXT("TEST", 0xf7, 0, Ev, Iz, RD, 0, 0, FL_AF, exec_TEST),
    ALU_EXT("TEST", 0xf6, 1, Eb, Ib, RD, 0, 0, FL_AF, exec_TEST), /* undocumented alias */
    ALU_EXT("TEST", 0xf7, 1, Ev, Iz, RD, 0, 0, FL_AF, exec_TEST),

    UN_ROW("INC", 0xfe, 0, Eb, NOT_CF, exec_INC),
    UN_ROW("INC", 0xff, 0, Ev, NOT_CF, exec_INC),
    UN_ROW("DEC", 0xfe, 1, Eb, NOT_CF, exec_DEC),
    UN_ROW("DEC", 0xff, 1, Ev, NOT_CF, exec_DEC),
    UN_ROW("NOT", 0xf6, 2, Eb, 0, exec_NOT),
    UN_ROW("NOT", 0xf7, 2, Ev, 0, exec_NOT),
    UN_ROW("NEG", 0xf6, 3, Eb, FL_STATUS, exec_NEG),
    UN_ROW("NEG", 0xf7, 3, Ev, FL_STATUS, exec_NEG),
    /* In 64-bit mode these bytes are REX and never looked up. */
    { .name = "INC", .op = 0x40, .opmask = 7, OPS(Zv), ROLES(RW), .flags = RF_PLAIN | RF_NO64,
      FLAGS(0, NOT_CF, 0), .exec = exec_INC },
    { .name = "DEC", .op = 0x48, .opmask = 7, OPS(Zv), ROLES(RW), .flags = RF_PLAIN | RF_NO64,
      FLAGS(0, NOT_CF, 0), .exec = exec_DEC },

    { .name = "MUL", .op = 0xf6, .ext = EXT(4), OPS(Eb, FAX), ROLES(RD, RW),
      .flags = RF_PLAIN, FLAGS(0, FL_CF | FL_OF, SZAP), .exec = exec_MUL },
    { .name = "MUL", .op = 0xf7, .ext = EXT(4), OPS(Ev, FrAX, FrDX), ROLES(RD, RW, WR),
      .flags = RF_PLAIN, FLAGS(0, FL_CF | FL_OF, SZAP), .exec = exec_MUL },
    { .name = "IMUL", .op = 0xf6, .ext = EXT(5), OPS(Eb, FAX), ROLES(RD, RW),
      .flags = RF_PLAIN, FLAGS(0, FL_CF | FL_OF, SZAP), .exec = exec_IMUL1 },
    { .name = "IMUL", .op = 0xf7, .ext = EXT(5), OPS(Ev, FrAX, FrDX), ROLES(RD, RW, WR),
      .flags = RF_PLAIN, FLAGS(0, FL_CF | FL_OF, SZAP), .exec = exec_IMUL1 },
    { .name = "IMUL", .map = MAP_0F, .op = 0xaf, OPS(Gv, Ev), ROLES(RW, RD),
      .flags = RF_PLAIN, FLAGS(0, FL_CF | FL_OF, SZAP), .exec = exec_IMUL2 },
    { .name = "IMUL", .op = 0x69, OPS(Gv, Ev, Iz), ROLES(WR, RD), .flags = RF_PLAIN,
      FLAGS(0, FL_CF | FL_OF, SZAP), .exec = exec_IMUL3 },
    { .name = "IMUL", .op = 0x6b, OPS(Gv, Ev, IbS), ROLES(WR, RD), .flags = RF_PLAIN,
      FLAGS(0, FL_CF | FL_OF, SZAP), .exec = exec_IMUL3 },
    { .name = "MULX", .enc = ENC_VEX, .map = MAP_0F38, .pp = PP_F2, .op = 0xf6,
      .feat = X86F_BMI2, OPS(Gy, By, Ey, FyDX), ROLES(WR, WR, RD, RD),
      .flags = RF_PLAIN | RF_L0, .exec = exec_MULX },

    /* #DE is the one fault of PLAIN rows that is not a memory operand's. */
    { .name = "DIV", .op = 0xf6, .ext = EXT(6), OPS(Eb, FAX), ROLES(RD, RW),
      .flags = RF_PLAIN, FLAGS(0, 0, FL_STATUS), .exec = exec_DIV },
    { .name = "DIV", .op = 0xf7, .ext = EXT(6), OPS(Ev, FrAX, FrDX), ROLES(RD, RW, RW),
      .flags = RF_PLAIN, FLAGS(0, 0, FL_STATUS), .exec = exec_DIV },
    { .name = "IDIV", .op = 0xf6, .ext = EXT(7), OPS(Eb, FAX), ROLES(RD, RW),
      .flags = RF_PLAIN, FLAGS(0, 0, FL_STATUS), .exec = exec_IDIV },
    { .name = "IDIV", .op = 0xf7, .ext = EXT(7), OPS(Ev, FrAX, FrDX), ROLES(RD, RW, RW),
      .flags = RF_PLAIN, FLAGS(0, 0, FL_STATUS), .exec = exec_IDIV },

    { .name = "CBW", .op = 0x98, OPS(FrAX), ROLES(RW), .flags = RF_PLAIN, .exec = exec_CBW },
    { .name = "CWD", .op = 0x99, OPS(FrDX, FrAX), ROLES(WR, RD), .flags = RF_PLAIN,
      .exec = exec_CWD },

    NO64_ROW("DAA", 0x27, FAL, RW, FL_AF | FL_CF, FL_STATUS & ~FL_OF, FL_OF, exec_DAA),
    NO64_ROW("DAS", 0x2f, FAL, RW, FL_AF | FL_CF, FL_STATUS & ~FL_OF, FL_OF, exec_DAS),
    NO64_ROW("AAA", 0x37, FAX, RW, FL_AF, FL_AF | FL_CF, FL_OF | SZP, exec_AAA),
    NO64_ROW("AAS", 0x3f, FAX, RW, FL_AF, FL_AF | FL_CF, FL_OF | SZP, exec_AAS),
    { .name = "AAM", .op = 0xd4, OPS(Ib, FAX), ROLES(RD, RW), .flags = RF_NO64,
      FLAGS(0, SZP, FL_OF | FL_AF | FL_CF), .exec = exec_AAM },
    { .name = "AAD", .op = 0xd5, OPS(Ib, FAX), ROLES(RD, RW), .flags = RF_NO64,
      FLAGS(0, SZP, FL_OF | FL_AF | FL_CF), .exec = exec_AAD },
    NO64_ROW("SALC", 0xd6, FAL, WR, FL_CF, 0, 0, exec_SALC),

    { .name = "ADCX", .map = MAP_0F38, .pp = PP_66, .op = 0xf6, .feat = X86F_ADX,
      OPS(Gy, Ey), ROLES(RW, RD), .flags = RF_PLAIN, FLAGS(FL_CF, FL_CF, 0),
      .exec = exec_ADCX },
    { .name = "ADOX", .map = MAP_0F38, .pp = PP_F3, .op = 0xf6, .feat = X86F_ADX,
      OPS(Gy, Ey), ROLES(RW, RD), .flags = RF_PLAIN, FLAGS(FL_OF, FL_OF, 0),
      .exec = exec_ADOX },
};
const unsigned x86_n_rows_alu = ARRAY_SIZE(x86_rows_alu);
