/* SPDX-License-Identifier: MIT */
/*
 * Data movement, flag bits, hints, cache control and the atomic exchanges: rows and
 * reference functions. SDM vol. 2. MOV to and from segment, control and debug registers
 * is in rows_seg.c and rows_sys.c. Leaf.
 */
#include "hw/core/machine.h"
#include "target-x86/rows_util.h"
#include "target-x86/softmmu.h"

/* ---- moves ---- */

static void exec_MOV(X86Cpu *cpu, const X86Insn *in)
{
    opnd_put(cpu, in, 0, opnd_get(cpu, in, 1));
}

static void exec_MOVI(X86Cpu *cpu, const X86Insn *in)
{
    opnd_put(cpu, in, 0, in->imm);
}

static void exec_MOVSX(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = sext(opnd_get(cpu, in, 1), in->op[1].size * 8);
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, v);
}

static void exec_LEA(X86Cpu *cpu, const X86Insn *in)
{
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, x86_ea(cpu, in));
}

static void exec_XCHG(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t b = opnd_get(cpu, in, 1), a;

    if (in->op[0].kind == OPND_MEM) { /* locked with or without the prefix */
        uint64_t off = x86_ea(cpu, in);
        X86Rmw m;
        do {
            a = x86_rmw_begin_mem(cpu, in->seg, off, in->op[0].size, true, &m);
        } while (!x86_rmw_end(cpu, &m, b));
    } else {
        a = opnd_get(cpu, in, 0);
        opnd_put(cpu, in, 0, b);
    }
    opnd_put(cpu, in, 1, a);
}

static void exec_BSWAP(X86Cpu *cpu, const X86Insn *in)
{
    unsigned r = in->op[0].reg;
    uint64_t v = cpu->st.gpr[r];

    switch (in->op[0].size) {
    case 8:
        cpu->st.gpr[r] = __builtin_bswap64(v);
        break;
    case 4:
        cpu->st.gpr[r] = __builtin_bswap32((uint32_t)v);
        break;
    default: /* undefined; common CPUs clear it */
        x86_reg_set(cpu, r, 2, 0);
    }
}

static void exec_CMOV(X86Cpu *cpu, const X86Insn *in)
{
    /* The source is read, and a 32-bit destination zero-extended, in either case. */
    uint64_t v = opnd_get(cpu, in, 1);
    unsigned r = in->op[0].reg, size = in->op[0].size;

    if (!x86_cond(cpu->st.rflags, in->opcode)) {
        v = cpu->st.gpr[r];
    }
    x86_reg_set(cpu, r, size, v);
}

static void exec_SET(X86Cpu *cpu, const X86Insn *in)
{
    opnd_put(cpu, in, 0, x86_cond(cpu->st.rflags, in->opcode));
}

static void exec_MOVBE(X86Cpu *cpu, const X86Insn *in)
{
    opnd_put(cpu, in, 0, __builtin_bswap64(opnd_get(cpu, in, 1)) >> (64 - in->op[1].size * 8));
}

static void exec_XLAT(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t off = cpu->st.gpr[R_BX] + (uint8_t)cpu->st.gpr[R_AX];
    off &= x86_size_mask(in->adsize);
    x86_reg_set(cpu, R_AX, 1, x86_load(cpu, in->seg, off, 1));
}

/* ---- flags ---- */

#define AH_FLAGS (FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF)

static void exec_LAHF(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t ah = (cpu->st.rflags & AH_FLAGS) | FL_ONE;
    cpu->st.gpr[R_AX] = (cpu->st.gpr[R_AX] & ~0xff00ull) | ah << 8;
}

static void exec_SAHF(X86Cpu *cpu, const X86Insn *in)
{
    x86_set_flags(cpu, AH_FLAGS, (uint32_t)(cpu->st.gpr[R_AX] >> 8));
}

static void exec_CMC(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.rflags ^= FL_CF;
}

static void exec_CLC(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.rflags &= ~(uint64_t)FL_CF;
}

static void exec_STC(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.rflags |= FL_CF;
}

static void exec_CLD(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.rflags &= ~(uint64_t)FL_DF;
    cpu->hflags &= ~(uint32_t)HF_DF;
}

static void exec_STD(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.rflags |= FL_DF;
    cpu->hflags |= HF_DF;
}

/* ---- hints, cache control, fences ---- */

static void exec_NOP(X86Cpu *cpu, const X86Insn *in)
{
}

/* Host code comes here once in PAUSES times, if there are other vCPUs: spinning for one
 * whose thread does not run is a waste. */
static void exec_PAUSE(X86Cpu *cpu, const X86Insn *in)
{
    enum { PAUSES = 64 };
    TcgEnv *env = x86_env(cpu);

    if (env && cpu->cpu.machine && cpu->cpu.machine->ncpus > 1) {
        env->pauses = PAUSES;
#if defined(__x86_64__) && defined(__linux__)
        uint64_t ret = 24; /* sched_yield; leaf: no libc */
        __asm__ volatile("syscall" : "+a"(ret) : : "rcx", "r11", "memory");
#endif
    }
}

static void exec_UD(X86Cpu *cpu, const X86Insn *in)
{
    x86_raise(cpu, EXC_UD);
}

/* Caches are not modelled; the address is checked as for a load of a byte, but a device is
 * not read. */
static void exec_CLFLUSH(X86Cpu *cpu, const X86Insn *in)
{
    x86_probe_read(cpu, in->seg, x86_ea(cpu, in));
}

/* The host's own order is what the guest sees; a full fence serves all three. */
static void exec_FENCE(X86Cpu *cpu, const X86Insn *in)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- atomics ---- */

static void exec_XADD(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    uint64_t b = opnd_get(cpu, in, 1), a, r;

    if (in->op[0].kind == OPND_MEM) {
        X86Rmw m;
        do {
            a = x86_rmw_begin(cpu, in, 0, &m);
            r = a + b;
        } while (!x86_rmw_end(cpu, &m, r));
        opnd_put(cpu, in, 1, a);
    } else {
        a = opnd_get(cpu, in, 0);
        r = a + b;
        opnd_put(cpu, in, 1, a);
        opnd_put(cpu, in, 0, r); /* wins if both are the same */
    }
    x86_set_flags(cpu, FL_STATUS, x86_flags_add(size, a, b, r));
}

static void exec_CMPXCHG(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    uint64_t acc = x86_reg_get(cpu, R_AX, size), b = opnd_get(cpu, in, 1), a;
    X86Rmw m;

    do { /* memory is written in either case, a register only on success */
        a = x86_rmw_begin(cpu, in, 0, &m);
    } while ((a == acc || in->is_mem) && !x86_rmw_end(cpu, &m, a == acc ? b : a));
    if (a != acc) {
        x86_reg_set(cpu, R_AX, size, a);
    }
    x86_set_flags(cpu, FL_STATUS, x86_flags_sub(size, acc, a, acc - a));
}

static void exec_CMPXCHG8B(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t *g = cpu->st.gpr, off = x86_ea(cpu, in), a;
    uint64_t want = (uint32_t)g[R_AX] | g[R_DX] << 32;
    uint64_t put = (uint32_t)g[R_BX] | g[R_CX] << 32;
    X86Rmw m;

    do {
        a = x86_rmw_begin_mem(cpu, in->seg, off, 8, in->lock, &m);
    } while (!x86_rmw_end(cpu, &m, a == want ? put : a));
    if (a != want) {
        g[R_AX] = (uint32_t)a;
        g[R_DX] = a >> 32;
    }
    x86_set_flags(cpu, FL_ZF, a == want ? FL_ZF : 0);
}

static void exec_CMPXCHG16B(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t *g = cpu->st.gpr, old[2] = { g[R_AX], g[R_DX] };
    const uint64_t put[2] = { g[R_BX], g[R_CX] };
    bool same = x86_cmpxchg16(cpu, in->seg, x86_ea(cpu, in), old, put, in->lock);

    if (!same) {
        g[R_AX] = old[0];
        g[R_DX] = old[1];
    }
    x86_set_flags(cpu, FL_ZF, same ? FL_ZF : 0);
}

/* ---- rows ---- */

#define MOV_ROW(mn, opc, o1, o2, fl, fn)                                              \
    { .name = mn, .op = (opc), OPS(o1, o2), ROLES(WR, RD), .flags = (fl), .exec = (fn) }
#define MOV_0F(mn, opc, o1, o2, fn)                                                   \
    { .name = mn, .map = MAP_0F, .op = (opc), OPS(o1, o2), ROLES(WR, RD),             \
      .flags = RF_PLAIN, .exec = (fn) }
#define FLAG_ROW(mn, opc, use, def, fl, fn)                                           \
    { .name = mn, .op = (opc), .flags = (fl), FLAGS(use, def, 0), .exec = (fn) }
/* Hint NOPs name an operand that they never touch. */
#define HINT(mn, opc) \
    { .name = mn, .map = MAP_0F, .op = (opc), OPS(Ev), ROLES(NA), .exec = exec_NOP }
#define HINT_EXT(mn, opc, n, fl)                                                      \
    { .name = mn, .map = MAP_0F, .op = (opc), .ext = EXT(n), .flags = (fl),           \
      OPS(OPC(OM_E, OS_any)), ROLES(NA), .exec = exec_NOP }
#define CACHE_ROW(mn, n, prefix, f)                                                   \
    { .name = mn, .map = MAP_0F, .op = 0xae, .ext = EXT(n), .pp = (prefix),           \
      .feat = (f), OPS(Mb), .exec = exec_CLFLUSH }
#define FENCE_ROW(mn, n, f)                                                           \
    { .name = mn, .map = MAP_0F, .op = 0xae, .ext = EXT(n), .pp = PP_NP, .feat = (f), \
      .flags = RF_REG, .exec = exec_FENCE }
#define MOVBE_ROW(opc, prefix, o1, o2)                                                \
    { .name = "MOVBE", .map = MAP_0F38, .op = (opc), .pp = (prefix),                  \
      .feat = X86F_MOVBE, OPS(o1, o2), ROLES(WR, RD), .flags = RF_PLAIN,              \
      .exec = exec_MOVBE }

const X86Row x86_rows_mov[] = {
    MOV_ROW("MOV", 0x88, Eb, Gb, RF_PLAIN, exec_MOV),
    MOV_ROW("MOV", 0x89, Ev, Gv, RF_PLAIN, exec_MOV),
    MOV_ROW("MOV", 0x8a, Gb, Eb, RF_PLAIN, exec_MOV),
    MOV_ROW("MOV", 0x8b, Gv, Ev, RF_PLAIN, exec_MOV),
    MOV_ROW("MOV", 0xa0, FAL, Ob, 0, exec_MOV),
    MOV_ROW("MOV", 0xa1, FrAX, Ov, 0, exec_MOV),
    MOV_ROW("MOV", 0xa2, Ob, FAL, 0, exec_MOV),
    MOV_ROW("MOV", 0xa3, Ov, FrAX, 0, exec_MOV),
    { .name = "MOV", .op = 0xb0, .opmask = 7, OPS(Zb, Ib), ROLES(WR, RD), .flags = RF_PLAIN,
      .exec = exec_MOVI },
    { .name = "MOV", .op = 0xb8, .opmask = 7, OPS(Zv, Iv), ROLES(WR, RD), .flags = RF_PLAIN,
      .exec = exec_MOVI },
    { .name = "MOV", .op = 0xc6, .ext = EXT(0), OPS(Eb, Ib), ROLES(WR, RD),
      .flags = RF_PLAIN, .exec = exec_MOVI },
    { .name = "MOV", .op = 0xc7, .ext = EXT(0), OPS(Ev, Iz), ROLES(WR, RD),
      .flags = RF_PLAIN, .exec = exec_MOVI },
    MOV_0F("MOVZX", 0xb6, Gv, Eb, exec_MOV),
    MOV_0F("MOVZX", 0xb7, Gv, Ew, exec_MOV),
    MOV_0F("MOVSX", 0xbe, Gv, Eb, exec_MOVSX),
    MOV_0F("MOVSX", 0xbf, Gv, Ew, exec_MOVSX),
    MOV_ROW("MOVSXD", 0x63, Gv, Ez, RF_PLAIN | RF_ONLY64, exec_MOVSX),
    { .name = "LEA", .op = 0x8d, OPS(Gv, M_), ROLES(WR, NA), .exec = exec_LEA },
    { .name = "XCHG", .op = 0x86, OPS(Eb, Gb), ROLES(RW, RW), .flags = RF_PLAIN | RF_LOCK,
      .exec = exec_XCHG },
    { .name = "XCHG", .op = 0x87, OPS(Ev, Gv), ROLES(RW, RW), .flags = RF_PLAIN | RF_LOCK,
      .exec = exec_XCHG },
    { .name = "XCHG", .op = 0x90, .opmask = 7, OPS(Zv, FrAX), ROLES(RW, RW),
      .flags = RF_PLAIN, .exec = exec_XCHG },
    { .name = "BSWAP", .map = MAP_0F, .op = 0xc8, .opmask = 7, OPS(Zv), ROLES(RW),
      .flags = RF_PLAIN, .exec = exec_BSWAP },
    { .name = "CMOVcc", .map = MAP_0F, .op = 0x40, .opmask = 15, .feat = X86F_CMOV,
      OPS(Gv, Ev), ROLES(RW, RD), .flags = RF_PLAIN, FLAGS(FL_STATUS & ~FL_AF, 0, 0),
      .exec = exec_CMOV },
    { .name = "SETcc", .map = MAP_0F, .op = 0x90, .opmask = 15, OPS(Eb), ROLES(WR),
      .flags = RF_PLAIN, FLAGS(FL_STATUS & ~FL_AF, 0, 0), .exec = exec_SET },
    MOVBE_ROW(0xf0, PP_NP, Gv, Mv),
    MOVBE_ROW(0xf0, PP_66, Gv, Mv),
    MOVBE_ROW(0xf1, PP_NP, Mv, Gv),
    MOVBE_ROW(0xf1, PP_66, Mv, Gv),
    { .name = "XLAT", .op = 0xd7, .exec = exec_XLAT },
    { .name = "MOVNTI", .map = MAP_0F, .op = 0xc3, .pp = PP_NP, .feat = X86F_SSE2,
      OPS(My, Gy), ROLES(WR, RD), .flags = RF_PLAIN, .exec = exec_MOV },

    { .name = "LAHF", .op = 0x9f, OPS(FAH), ROLES(WR), .flags = RF_PLAIN | RF_NO64,
      FLAGS(AH_FLAGS, 0, 0), .exec = exec_LAHF },
    { .name = "SAHF", .op = 0x9e, OPS(FAH), ROLES(RD), .flags = RF_PLAIN | RF_NO64,
      FLAGS(0, AH_FLAGS, 0), .exec = exec_SAHF },
    { .name = "LAHF", .op = 0x9f, OPS(FAH), ROLES(WR), .flags = RF_PLAIN | RF_ONLY64,
      .feat = X86F_LAHF, FLAGS(AH_FLAGS, 0, 0), .exec = exec_LAHF },
    { .name = "SAHF", .op = 0x9e, OPS(FAH), ROLES(RD), .flags = RF_PLAIN | RF_ONLY64,
      .feat = X86F_LAHF, FLAGS(0, AH_FLAGS, 0), .exec = exec_SAHF },
    FLAG_ROW("CMC", 0xf5, FL_CF, FL_CF, RF_PLAIN, exec_CMC),
    FLAG_ROW("CLC", 0xf8, 0, FL_CF, RF_PLAIN, exec_CLC),
    FLAG_ROW("STC", 0xf9, 0, FL_CF, RF_PLAIN, exec_STC),
    FLAG_ROW("CLD", 0xfc, 0, 0, RF_END, exec_CLD), /* DF is part of hflags */
    FLAG_ROW("STD", 0xfd, 0, 0, RF_END, exec_STD),

    /* With REX.B 90H is XCHG: see decode.c on rm without ModRM. */
    { .name = "NOP", .op = 0x90, .rm = EXT(0), .exec = exec_NOP },
    { .name = "PAUSE", .op = 0x90, .rm = EXT(0), .pp = PP_F3, .exec = exec_PAUSE },
    HINT_EXT("PREFETCHNTA", 0x18, 0, RF_MEM),
    HINT_EXT("PREFETCHT0", 0x18, 1, RF_MEM),
    HINT_EXT("PREFETCHT1", 0x18, 2, RF_MEM),
    HINT_EXT("PREFETCHT2", 0x18, 3, RF_MEM),
    HINT("NOP", 0x18),
    HINT("NOP", 0x19),
    HINT("NOP", 0x1a),
    HINT("NOP", 0x1b),
    HINT("NOP", 0x1c),
    HINT("NOP", 0x1d),
    HINT("NOP", 0x1e),
    HINT("NOP", 0x1f),
    { .name = "ENDBR64", .map = MAP_0F, .op = 0x1e, .pp = PP_F3, .ext = EXT(7), .rm = EXT(2),
      .flags = RF_REG, .exec = exec_NOP },
    { .name = "ENDBR32", .map = MAP_0F, .op = 0x1e, .pp = PP_F3, .ext = EXT(7), .rm = EXT(3),
      .flags = RF_REG, .exec = exec_NOP },
    HINT_EXT("PREFETCHW", 0x0d, 1, RF_MEM),
    HINT_EXT("PREFETCHWT1", 0x0d, 2, RF_MEM),
    { .name = "PREFETCH", .map = MAP_0F, .op = 0x0d, OPS(OPC(OM_E, OS_any)), ROLES(NA),
      .flags = RF_MEM, .exec = exec_NOP }, /* /0; others reserved, same effect */
    { .name = "NOP", .map = MAP_0F, .op = 0x0d, OPS(Ev), ROLES(NA), .flags = RF_REG,
      .exec = exec_NOP },
    CACHE_ROW("CLFLUSH", 7, PP_NP, X86F_CLFSH),
    CACHE_ROW("CLFLUSHOPT", 7, PP_66, X86F_CLFLUSHOPT),
    CACHE_ROW("CLWB", 6, PP_66, X86F_CLWB),
    FENCE_ROW("LFENCE", 5, X86F_SSE2),
    FENCE_ROW("MFENCE", 6, X86F_SSE2),
    FENCE_ROW("SFENCE", 7, X86F_SSE),
    { .name = "UD0", .map = MAP_0F, .op = 0xff, OPS(Gv, OPC(OM_E, OS_any)), ROLES(NA, NA),
      .flags = RF_BRANCH, .exec = exec_UD },
    { .name = "UD1", .map = MAP_0F, .op = 0xb9, OPS(Gv, OPC(OM_E, OS_any)), ROLES(NA, NA),
      .flags = RF_BRANCH, .exec = exec_UD },
    { .name = "UD2", .map = MAP_0F, .op = 0x0b, .flags = RF_BRANCH, .exec = exec_UD },

    { .name = "XADD", .map = MAP_0F, .op = 0xc0, OPS(Eb, Gb), ROLES(RW, RW),
      .flags = RF_PLAIN | RF_LOCK, FLAGS(0, FL_STATUS, 0), .exec = exec_XADD },
    { .name = "XADD", .map = MAP_0F, .op = 0xc1, OPS(Ev, Gv), ROLES(RW, RW),
      .flags = RF_PLAIN | RF_LOCK, FLAGS(0, FL_STATUS, 0), .exec = exec_XADD },
    { .name = "CMPXCHG", .map = MAP_0F, .op = 0xb0, OPS(Eb, Gb, FAL), ROLES(RW, RD, RW),
      .flags = RF_PLAIN | RF_LOCK, FLAGS(0, FL_STATUS, 0), .exec = exec_CMPXCHG },
    { .name = "CMPXCHG", .map = MAP_0F, .op = 0xb1, OPS(Ev, Gv, FrAX), ROLES(RW, RD, RW),
      .flags = RF_PLAIN | RF_LOCK, FLAGS(0, FL_STATUS, 0), .exec = exec_CMPXCHG },
    /* Five fixed registers are more than a row can name: not PLAIN. */
    { .name = "CMPXCHG8B", .map = MAP_0F, .op = 0xc7, .ext = EXT(1), .feat = X86F_CX8,
      OPS(Mq), ROLES(RW), .flags = RF_LOCK | RF_W0, FLAGS(0, FL_ZF, 0),
      .exec = exec_CMPXCHG8B },
    { .name = "CMPXCHG16B", .map = MAP_0F, .op = 0xc7, .ext = EXT(1), .feat = X86F_CX16,
      OPS(Mdq), ROLES(RW), .flags = RF_LOCK | RF_W1 | RF_ONLY64, FLAGS(0, FL_ZF, 0),
      .exec = exec_CMPXCHG16B },
};
const unsigned x86_n_rows_mov = ARRAY_SIZE(x86_rows_mov);
