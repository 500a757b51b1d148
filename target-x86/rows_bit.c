/* SPDX-License-Identifier: MIT */
/*
 * Bit tests, scans, counts, BMI1/BMI2 fields and CRC32: rows and reference functions.
 * SDM vol. 2. Leaf.
 */
#include "target-x86/rows_util.h"

#define NOT_CF (FL_STATUS & ~FL_CF)
#define NOT_ZF (FL_STATUS & ~FL_ZF)

/* ---- BT BTS BTR BTC: CF = the bit; ZF kept, others undefined (kept here) ---- */

enum BitOp { BIT_T, BIT_S, BIT_R, BIT_C };

static ALWAYS_INLINE uint64_t bit_result(enum BitOp op, uint64_t a, uint64_t bit)
{
    return op == BIT_S ? a | bit : op == BIT_R ? a & ~bit : a ^ bit;
}

/* With a register as offset and a memory operand, the offset is signed and reaches
 * beyond the operand (SDM vol. 2, 3.1.1.9, bit string). Returns the unit's offset. */
static ALWAYS_INLINE uint64_t bit_string_ea(X86Cpu *cpu, const X86Insn *in, int64_t at)
{
    unsigned size = in->op[0].size, width = size * 8;
    uint64_t unit = (uint64_t)(at >> __builtin_ctz(width)) * size;
    return (x86_ea(cpu, in) + unit) & x86_size_mask(in->adsize);
}

static ALWAYS_INLINE void bit_op(X86Cpu *cpu, const X86Insn *in, enum BitOp op)
{
    const X86Opnd *o = &in->op[0];
    unsigned width = o->size * 8;
    int64_t at = sext(opnd_get(cpu, in, 1), in->op[1].size * 8);
    uint64_t bit = 1ull << (at & (width - 1)), a;

    if (o->kind == OPND_GPR) {
        a = x86_reg_get(cpu, o->reg, o->size);
        if (op != BIT_T) {
            x86_reg_set(cpu, o->reg, o->size, bit_result(op, a, bit));
        }
    } else {
        uint64_t off = in->op[1].kind == OPND_GPR ? bit_string_ea(cpu, in, at)
                                                  : x86_ea(cpu, in);
        if (op == BIT_T) {
            a = x86_load(cpu, in->seg, off, o->size);
        } else {
            X86Rmw m;
            do {
                a = x86_rmw_begin_mem(cpu, in->seg, off, o->size, in->lock, &m);
            } while (!x86_rmw_end(cpu, &m, bit_result(op, a, bit)));
        }
    }
    x86_set_flags(cpu, FL_CF, a & bit ? FL_CF : 0);
}

static void exec_BT(X86Cpu *cpu, const X86Insn *in)
{
    bit_op(cpu, in, BIT_T);
}

static void exec_BTS(X86Cpu *cpu, const X86Insn *in)
{
    bit_op(cpu, in, BIT_S);
}

static void exec_BTR(X86Cpu *cpu, const X86Insn *in)
{
    bit_op(cpu, in, BIT_R);
}

static void exec_BTC(X86Cpu *cpu, const X86Insn *in)
{
    bit_op(cpu, in, BIT_C);
}

/* ---- scans and counts ---- */

/* A source of 0 leaves the whole destination, upper half included. */
static void exec_BSF(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    if (a) {
        x86_reg_set(cpu, in->op[0].reg, in->op[0].size, __builtin_ctzll(a));
    }
    x86_set_flags(cpu, FL_ZF, a ? 0 : FL_ZF);
}

static void exec_BSR(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    if (a) {
        x86_reg_set(cpu, in->op[0].reg, in->op[0].size, 63 - __builtin_clzll(a));
    }
    x86_set_flags(cpu, FL_ZF, a ? 0 : FL_ZF);
}

static ALWAYS_INLINE void put_count(X86Cpu *cpu, const X86Insn *in, unsigned n)
{
    unsigned size = in->op[0].size;
    x86_reg_set(cpu, in->op[0].reg, size, n);
    x86_set_flags(cpu, FL_CF | FL_ZF, (n == size * 8 ? FL_CF : 0) | (n ? 0 : FL_ZF));
}

static void exec_TZCNT(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    put_count(cpu, in, a ? (unsigned)__builtin_ctzll(a) : in->op[0].size * 8u);
}

static void exec_LZCNT(X86Cpu *cpu, const X86Insn *in)
{
    unsigned width = in->op[0].size * 8;
    uint64_t a = opnd_get(cpu, in, 1);
    put_count(cpu, in, a ? (unsigned)__builtin_clzll(a) - (64 - width) : width);
}

static void exec_POPCNT(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1), n = a;

    n -= n >> 1 & 0x5555555555555555u;
    n = (n & 0x3333333333333333u) + (n >> 2 & 0x3333333333333333u);
    n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    n = n * 0x0101010101010101u >> 56;
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, n);
    x86_set_flags(cpu, FL_STATUS, a ? 0 : FL_ZF);
}

/* ---- BMI1, BMI2 ---- */

static ALWAYS_INLINE void put_bmi(X86Cpu *cpu, const X86Insn *in, uint64_t r, bool cf)
{
    unsigned size = in->op[0].size;
    x86_reg_set(cpu, in->op[0].reg, size, r);
    x86_set_flags(cpu, FL_STATUS,
                  (x86_flags_szp(size, r) & ~FL_PF) | (cf ? FL_CF : 0));
}

static void exec_ANDN(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    put_bmi(cpu, in, ~a & opnd_get(cpu, in, 2), false);
}

static void exec_BEXTR(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1), ctl = opnd_get(cpu, in, 2);
    unsigned start = ctl & 0xff, len = ctl >> 8 & 0xff;

    a = start < 64 ? a >> start : 0;
    a = len < 64 ? a & ((1ull << len) - 1) : a;
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, a);
    x86_set_flags(cpu, FL_STATUS, a ? 0 : FL_ZF);
}

static void exec_BLSI(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    put_bmi(cpu, in, a & -a, a != 0);
}

static void exec_BLSR(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    put_bmi(cpu, in, a & (a - 1), a == 0);
}

static void exec_BLSMSK(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1);
    put_bmi(cpu, in, a ^ (a - 1), a == 0);
}

static void exec_BZHI(X86Cpu *cpu, const X86Insn *in)
{
    unsigned width = in->op[0].size * 8;
    uint64_t a = opnd_get(cpu, in, 1);
    unsigned n = opnd_get(cpu, in, 2) & 0xff;

    if (n < width) {
        a &= (1ull << n) - 1;
    }
    put_bmi(cpu, in, a, n >= width);
}

static void exec_PDEP(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1), mask = opnd_get(cpu, in, 2), r = 0;

    for (; mask; mask &= mask - 1, a >>= 1) {
        r |= a & 1 ? mask & -mask : 0;
    }
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, r);
}

static void exec_PEXT(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = opnd_get(cpu, in, 1), mask = opnd_get(cpu, in, 2), r = 0;

    for (unsigned i = 0; mask; mask &= mask - 1, i++) {
        r |= a & mask & -mask ? 1ull << i : 0;
    }
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, r);
}

/* ---- CRC32: polynomial 11EDC6F41H, bit-reflected ---- */

static void exec_CRC32(X86Cpu *cpu, const X86Insn *in)
{
    uint32_t crc = (uint32_t)cpu->st.gpr[in->op[0].reg];
    uint64_t a = opnd_get(cpu, in, 1);

    for (unsigned i = 0; i < in->op[1].size; i++) {
        crc ^= (uint8_t)(a >> i * 8);
        for (unsigned k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
        }
    }
    x86_reg_set(cpu, in->op[0].reg, 8, crc);
}

/* ---- rows ---- */

/* Register offset with a memory operand reaches memory the operand does not name. */
#define BT_ROWS(mn, opc, n, role, lock, fn)                                              \
    { .name = mn, .map = MAP_0F, .op = (opc), OPS(Ev, Gv), ROLES(role, RD),              \
      .flags = RF_PLAIN | RF_REG, FLAGS(0, FL_CF, NOT_CF & ~FL_ZF), .exec = (fn) },      \
    { .name = mn, .map = MAP_0F, .op = (opc), OPS(Ev, Gv), ROLES(role, RD),              \
      .flags = RF_MEM | (lock), FLAGS(0, FL_CF, NOT_CF & ~FL_ZF), .exec = (fn) },        \
    { .name = mn, .map = MAP_0F, .op = 0xba, .ext = EXT(n), OPS(Ev, Ib),                 \
      ROLES(role, RD), .flags = RF_PLAIN | (lock), FLAGS(0, FL_CF, NOT_CF & ~FL_ZF),     \
      .exec = (fn) }
#define SCAN_ROW(mn, opc, prefix, f, role, def, undef, fn)                               \
    { .name = mn, .map = MAP_0F, .op = (opc), .pp = (prefix), .feat = (f), OPS(Gv, Ev),  \
      ROLES(role, RD), .flags = RF_PLAIN, FLAGS(0, def, undef), .exec = (fn) }
#define BMI_ROW(mn, opc, prefix, f, o2, o3, def, undef, fn)                              \
    { .name = mn, .enc = ENC_VEX, .map = MAP_0F38, .op = (opc), .pp = (prefix),          \
      .feat = (f), OPS(Gy, o2, o3), ROLES(WR, RD, RD), .flags = RF_PLAIN | RF_L0,        \
      FLAGS(0, def, undef), .exec = (fn) }
#define BLS_ROW(mn, n, fn)                                                               \
    { .name = mn, .enc = ENC_VEX, .map = MAP_0F38, .op = 0xf3, .pp = PP_NP,              \
      .ext = EXT(n), .feat = X86F_BMI1, OPS(By, Ey), ROLES(WR, RD),                      \
      .flags = RF_PLAIN | RF_L0,                                                         \
      FLAGS(0, FL_CF | FL_ZF | FL_SF | FL_OF, FL_AF | FL_PF), .exec = (fn) }
#define COUNTS (FL_CF | FL_ZF)

const X86Row x86_rows_bit[] = {
    BT_ROWS("BT", 0xa3, 4, RD, 0, exec_BT),
    BT_ROWS("BTS", 0xab, 5, RW, RF_LOCK, exec_BTS),
    BT_ROWS("BTR", 0xb3, 6, RW, RF_LOCK, exec_BTR),
    BT_ROWS("BTC", 0xbb, 7, RW, RF_LOCK, exec_BTC),

    /* F3H without the feature is BSF and BSR. */
    SCAN_ROW("BSF", 0xbc, PP_ANY, 0, RW, FL_ZF, NOT_ZF, exec_BSF),
    SCAN_ROW("BSR", 0xbd, PP_ANY, 0, RW, FL_ZF, NOT_ZF, exec_BSR),
    SCAN_ROW("TZCNT", 0xbc, PP_F3, X86F_BMI1, WR, COUNTS, FL_STATUS & ~COUNTS, exec_TZCNT),
    SCAN_ROW("LZCNT", 0xbd, PP_F3, X86F_ABM, WR, COUNTS, FL_STATUS & ~COUNTS, exec_LZCNT),
    SCAN_ROW("POPCNT", 0xb8, PP_F3, X86F_POPCNT, WR, FL_STATUS, 0, exec_POPCNT),

    BMI_ROW("ANDN", 0xf2, PP_NP, X86F_BMI1, By, Ey, FL_CF | FL_ZF | FL_SF | FL_OF,
            FL_AF | FL_PF, exec_ANDN),
    BMI_ROW("BEXTR", 0xf7, PP_NP, X86F_BMI1, Ey, By, FL_CF | FL_ZF | FL_OF,
            FL_AF | FL_PF | FL_SF, exec_BEXTR),
    BLS_ROW("BLSR", 1, exec_BLSR),
    BLS_ROW("BLSMSK", 2, exec_BLSMSK),
    BLS_ROW("BLSI", 3, exec_BLSI),
    BMI_ROW("BZHI", 0xf5, PP_NP, X86F_BMI2, Ey, By, FL_CF | FL_ZF | FL_SF | FL_OF,
            FL_AF | FL_PF, exec_BZHI),
    BMI_ROW("PDEP", 0xf5, PP_F2, X86F_BMI2, By, Ey, 0, 0, exec_PDEP),
    BMI_ROW("PEXT", 0xf5, PP_F3, X86F_BMI2, By, Ey, 0, 0, exec_PEXT),

    { .name = "CRC32", .map = MAP_0F38, .op = 0xf0, .pp = PP_F2, .feat = X86F_SSE42,
      OPS(Gy, Eb), ROLES(RW, RD), .flags = RF_PLAIN, .exec = exec_CRC32 },
    { .name = "CRC32", .map = MAP_0F38, .op = 0xf1, .pp = PP_F2, .feat = X86F_SSE42,
      OPS(Gy, Ev), ROLES(RW, RD), .flags = RF_PLAIN, .exec = exec_CRC32 },
};
const unsigned x86_n_rows_bit = ARRAY_SIZE(x86_rows_bit);
