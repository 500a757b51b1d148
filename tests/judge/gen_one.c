/* SPDX-License-Identifier: MIT */
/*
 * One random instruction for the state the reference functions have reached: an encoding
 * of a row, varied (prefixes, short forms of the address), with its memory operand aimed at
 * the window by a changed displacement or, before it, a MOV to the base register.
 */
#include <string.h>

#include "target-x86/access.h"
#include "target-x86/decode.h"
#include "target-x86/engine.h"
#include "tests/judge/gen.h"

Gen gen;

bool gen_chance(unsigned one_in)
{
    return gen_rand() % one_in == 0;
}

/* ---- putting and running ---- */

uint32_t gen_cursor(void)
{
    return gen.c->start + gen.c->len;
}

/* Mostly that it lies in range A, where all of it lies, or in both. */
static unsigned any_site(void)
{
    static const uint8_t states[16] = {
        WIN_SITE_UNKNOWN, WIN_SITE_UNKNOWN, WIN_SITE_B,    WIN_SITE_B,
        WIN_SITE_A,       WIN_SITE_A,       WIN_SITE_A,    WIN_SITE_A,
        WIN_SITE_A,       WIN_SITE_BOTH,    WIN_SITE_BOTH, WIN_SITE_BOTH,
        WIN_SITE_ANY,     WIN_SITE_ANY,     WIN_SITE_TWO,  WIN_SITE_MIXED,
    };
    return states[gen_rand() % 16];
}

void gen_put(const uint8_t *bytes, unsigned n)
{
    JudgeCase *c = gen.c;

    if (c->len + n > JUDGE_MAX_CODE || c->n >= JUDGE_MAX_INSNS ||
        gen_cursor() + n + 8 > CODE_BASE + CODE_SIZE) {
        gen.failed = true;
        return;
    }
    rig_put_code(gen_cursor(), bytes, n);
    memcpy(c->code + c->len, bytes, n);
    c->at[c->n] = c->len;
    c->site[c->n++] = any_site();
    c->len += n;
}

uint64_t gen_place(uint64_t at)
{
    bool stack = at - STACK_BASE < STACK_SIZE, data = at - RO_BASE < RO_SIZE + RW_SIZE;
    bool high = stack ? gen.high_stack
                      : data && (gen.mixed ? gen_rand() & 1 : gen.high_data);
    return high ? at + HIGH : at;
}

static uint64_t rip_now(void)
{
    return rig_cpu()->st.rip + (gen.c->mode == JUDGE_16 ? CODE_BASE : 0);
}

bool gen_run(void)
{
    for (unsigned n = 0; !gen.failed && rip_now() != gen_cursor(); n++) {
        OracleVerdict v = oracle_step(&gen.undef);
        if (v == ORACLE_FAULT) {
            gen.ended = true;
            return false;
        }
        if (v != ORACLE_OK || n > 3000) {
            gen.failed = true;
        }
    }
    return !gen.failed;
}

bool gen_set(unsigned r, uint64_t v)
{
    uint8_t b[10];
    unsigned n = 0, imm = 4;

    if (gen.c->mode == JUDGE_64) {
        bool sext32 = (int64_t)v == (int32_t)v;
        b[n++] = 0x48 | r >> 3;
        if (sext32 && gen_rand() & 1) {
            b[n++] = 0xc7;
            b[n++] = 0xc0 | (r & 7);
        } else {
            b[n++] = 0xb8 | (r & 7);
            imm = 8;
        }
    } else {
        if (gen.c->mode == JUDGE_16) {
            b[n++] = 0x66;
        }
        b[n++] = 0xb8 | (r & 7);
    }
    memcpy(b + n, &v, imm);
    gen_put(b, n + imm);
    return gen_run();
}

bool gen_define_flags(uint32_t needed)
{
    /* add, sub, cmp, neg: all of them */
    static const uint8_t ops[] = { 0x01, 0x29, 0x39, 0x3b, 0x03 };
    uint8_t b[2] = { ops[gen_rand() % sizeof(ops)] };
    unsigned reg = gen_rand() % 8, rm = gen_rand() % 8;

    if (!(needed & gen.undef)) {
        return true;
    }
    b[1] = 0xc0 | (reg == R_SP ? 0 : reg) << 3 | (rm == R_SP ? 1 : rm);
    gen_put(b, 2);
    return gen_run();
}

/* ---- varying the encoding ---- */

static bool decodes(const uint8_t *b, X86Insn *in, const X86Row *row)
{
    X86Insn t;
    if (x86_decode(&t, b, 15, rig_cpu()->hflags, rig_features()) <= 0 || t.row != row) {
        return false;
    }
    *in = t;
    return true;
}

/* mod = 0: no displacement, or RIP and absolute forms */
static void shorten_address(uint8_t *b, X86Insn *in)
{
    uint8_t t[24] = { 0 };
    unsigned at = in->opc_off + 1, end = in->disp_off + in->disp_len;

    if (!in->is_mem || !in->has_modrm || !in->disp_len || in->adsize == 2 ||
        in->row->enc == ENC_EVEX) {
        return;
    }
    uint8_t rm = b[at] & 7;
    memcpy(t, b, in->disp_off);
    t[at] = b[at] & 0x3f;
    unsigned n = in->disp_off;
    if (rm == 5 || (rm == 4 && (b[at + 1] & 7) == 5)) {
        n += 4;
    }
    memcpy(t + n, b + end, 15 - end);
    if (decodes(t, in, in->row)) {
        memcpy(b, t, 15);
    }
}

static void add_prefix(uint8_t *b, X86Insn *in)
{
    static const uint8_t pfx[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67, 0xf2, 0xf3 };
    uint8_t t[16];

    t[0] = pfx[gen_rand() % sizeof(pfx)];
    memcpy(t + 1, b, 15);
    if (in->len < 14 && decodes(t, in, in->row)) {
        memcpy(b, t, 15);
    }
}

static bool reads_or_writes(const X86Insn *in, unsigned r)
{
    for (unsigned i = 0; i < in->nops; i++) {
        if (in->op[i].kind == OPND_GPR && in->op[i].reg == r) {
            return true;
        }
    }
    return false;
}

/* rSP stays good, but for rare exceptions. */
static bool keeps_stack(const X86Insn *in)
{
    for (unsigned i = 0; i < in->nops; i++) {
        if (in->op[i].kind == OPND_GPR && in->op[i].reg == R_SP &&
            (in->row->w[i] == ROLE_W || in->row->w[i] == ROLE_RW)) {
            return false;
        }
    }
    return true;
}

/* ---- memory operands ---- */

static unsigned memory_size(const X86Insn *in)
{
    for (unsigned i = 0; i < in->nops; i++) {
        if (in->op[i].kind == OPND_MEM) {
            return in->op[i].size;
        }
    }
    return 0;
}

static bool named(const X86Insn *in, const char *name)
{
    return !strcmp(in->row->name, name);
}

/* Where instructions that take more than plain data find it. 0: anywhere. */
static uint32_t special_place(const X86Insn *in)
{
    if (named(in, "LDMXCSR") || named(in, "VLDMXCSR")) {
        return RW_MXCSR + 4 * (gen_rand() % 16);
    }
    if (named(in, "FLDCW")) {
        return RW_FCW + 2 * (gen_rand() % 32);
    }
    if (named(in, "FLDENV") || named(in, "FRSTOR")) {
        return RW_ENV;
    }
    if (named(in, "FXRSTOR")) {
        return RW_FX;
    }
    if (named(in, "XRSTOR")) {
        return RW_XS;
    }
    if (named(in, "FXSAVE")) {
        return RW_FX + 16 * (gen_rand() % 8);
    }
    return 0;
}

static uint64_t wild_address(void)
{
    static const uint64_t to[] = {
        0,
        8,
        0xffff,
        0xffffffff,
        RW_BASE + RW_SIZE,
        RO_BASE - 1,
        STACK_BASE - 64,
        STACK_BASE + STACK_SIZE,
        0xffffffff81000000,
        0xffff800000000000,
        0x7ffffffffff8,
        0x800000000000,
        0x1234567887654321,
        ~0ull,
        0x8000000000000000,
    };
    unsigned n = gen.c->mode == JUDGE_64 ? ARRAY_SIZE(to) : 8;
    uint64_t a = to[gen_rand() % n];
    if (a == 0xffffffff) { /* the end of 32-bit addresses: what is over it is #GP or #SS */
        return a - gen_rand() % 64;
    }
    return a == 0x7ffffffffff8 ? 0x7ffff8 : a; /* the host may have that page */
}

static uint64_t choose_target(const X86Insn *in)
{
    unsigned size = memory_size(in);
    uint32_t special = special_place(in);
    uint64_t r = gen_rand();

    size = size ? size : 1 + r % 32;
    if (special && r % 16) {
        return RW_BASE + special;
    }
    switch (r >> 8 & 63) {
    case 0:
    case 1:
    case 2: return RW_BASE + 0x1000 - (r >> 16) % (size + 1);
    case 3: return RW_BASE + RW_SIZE - (r >> 16) % (2 * size);
    case 4:
    case 5: return RO_BASE + 0x400 + (r >> 16) % 0x400;
    case 6: return RO_BASE + RO_SIZE - (r >> 16) % (size + 1);
    case 7: return gen_chance(2) ? wild_address() : RO_BASE - (r >> 16) % (size + 1);
    case 8: return STACK_BASE + 0x800 + (r >> 16) % 0x800;
    default: break;
    }
    uint64_t at = RW_BASE + RW_PLAIN + ((r >> 16) % 0x700 & ~63ull);
    return r >> 40 & 7 ? at + ((r >> 32 & 63) & ~(uint64_t)(size - 1))
                       : at + (r >> 32 & 63);
}

static uint64_t segment_base(const X86Insn *in)
{
    const X86Cpu *cpu = rig_cpu();
    return cpu->hflags & HF_CS64 && in->seg != R_FS && in->seg != R_GS
               ? 0
               : cpu->st.seg[in->seg].base;
}

/* Makes the address `want` by another displacement. */
static bool patch_disp(uint8_t *b, X86Insn *in, uint64_t want)
{
    uint64_t mask = in->adsize == 8 ? ~0ull : in->adsize == 4 ? 0xffffffff : 0xffff;
    uint64_t diff = want - oracle_address(in), disp = in->disp + diff;

    if (!((want ^ oracle_address(in)) & mask)) {
        return true;
    }
    if (in->row->enc == ENC_EVEX && in->disp_len == 1) {
        return false;
    }
    memcpy(b + in->disp_off, &disp, in->disp_len);
    return in->disp_len && decodes(b, in, in->row) &&
           !((want ^ oracle_address(in)) & mask);
}

static bool aim(uint8_t *b, X86Insn *in, uint64_t to)
{
    bool low = in->adsize != 8 || (in->base < 0 && in->seg < R_FS);
    uint64_t want = (low ? to : gen_place(to)) - segment_base(in);
    uint8_t old[15];

    memcpy(old, b, 15);
    if (patch_disp(b, in, want)) {
        return true;
    }
    memcpy(b, old, 15);
    decodes(b, in, in->row);
    if (in->base < 0 || in->base == R_SP || in->base == 16 || in->base == in->index) {
        return false;
    }
    uint64_t v = want - in->disp, shown = 0;
    if (in->index >= 0) {
        shown = rig_cpu()->st.gpr[in->index] << in->scale;
    }
    v -= shown;
    if (in->adsize == 4 && gen.c->mode == JUDGE_64) {
        v = (uint32_t)v | gen_rand() << 32;
    } else if (in->adsize == 2) {
        v = (uint16_t)v | (uint32_t)gen_rand() << 16;
    }
    return gen_set(in->base, v);
}

static bool is_gather(const X86Row *row)
{
    return (row->enc == ENC_VEX && row->map == MAP_0F38 && (row->op & 0xfc) == 0x90) ||
           (row->enc == ENC_EVEX && row->ev & EV_VSIB);
}

/* vmovdqu32 zmm16.., [absolute] */
static void load_high(unsigned reg, uint32_t at)
{
    uint8_t b[11] = {
        0x62, 0x61 | (reg < 8 || (reg >= 16 && reg < 24)) << 7 | (reg < 16) << 4,
        0x7e, 0x48,
        0x6f, 0x04 | (reg & 7) << 3,
        0x25
    };
    memcpy(b + 7, &at, 4);
    gen_put(b, 11);
}

/* Loads small indices first: vmovdqu ymm, [absolute] */
static bool aim_gather(X86Insn *in)
{
    bool quad = in->row->op & 1; /* quadword indices */
    uint32_t at = RW_BASE + RW_INDEX + (quad ? 64 : 0) + 16 * (gen_rand() % 2);
    uint8_t b[10] = { 0xc5, 0x7e | (in->index < 8) << 7, 0x6f,
                      0x04 | (in->index & 7) << 3, 0x25 };

    if (in->index >= 16) {
        load_high(in->index, RW_BASE + RW_INDEX + (quad ? 64 : 0));
    } else if (gen.c->mode != JUDGE_64) {
        b[3] = 0x05 | (in->index & 7) << 3;
        memcpy(b + 4, &at, 4);
        gen_put(b, 8);
    } else {
        memcpy(b + 5, &at, 4);
        gen_put(b, 9);
    }
    if (in->base < 0 || in->base == R_SP || in->adsize == 2) {
        return false;
    }
    uint64_t want = gen_place(RW_BASE + RW_PLAIN + 0x100) - in->disp - segment_base(in);
    return gen_run() && gen_set(in->base, want);
}

/* BT with a register bit offset reaches far: keep it near. */
static bool near_bits(const X86Insn *in)
{
    if (in->nops > 1 && in->op[1].kind == OPND_GPR && in->is_mem &&
        in->row->map == MAP_0F && in->row->name[0] == 'B' && in->row->name[1] == 'T') {
        unsigned r = in->op[1].reg;
        return r != (unsigned)in->base && r != (unsigned)in->index && r != R_SP &&
               gen_set(r,
                       (uint64_t)(int64_t)(int16_t)gen_rand() & ~(gen_rand() & 0x7000));
    }
    return true;
}

/* ---- implicit operands ---- */

static bool in_window(uint64_t lin)
{
    return judge_low(lin) - RO_BASE - 0x300 < 0x2400;
}

static bool point_register(unsigned r, unsigned seg)
{
    const X86Cpu *cpu = rig_cpu();
    uint64_t base = cpu->hflags & HF_CS64 ? 0 : cpu->st.seg[seg].base;
    bool wide = gen.c->mode != JUDGE_16;

    if (in_window(base + (wide ? cpu->st.gpr[r] : (uint16_t)cpu->st.gpr[r])) &&
        gen_rand() & 1) {
        return true;
    }
    uint64_t at = RW_BASE + RW_PLAIN + gen_rand() % 0x600;
    at = gen_chance(8) ? RW_BASE + 0x1000 - gen_rand() % 80 : at;
    at = gen_chance(40) ? RW_BASE + RW_SIZE - gen_rand() % 80 : at;
    at = gen_chance(40) ? RO_BASE + 0xf00 + gen_rand() % 256 : at;
    return gen_set(r, (gen.high_data ? at + HIGH : at) - base);
}

static bool aim_string(const X86Insn *in)
{
    const char *n = in->row->name;
    bool src = n[0] == 'M' || n[0] == 'L' || n[0] == 'C' || n[0] == 'O';
    bool dst = n[0] != 'L' && n[0] != 'O';
    unsigned seg = in->seg_prefix == SEG_NONE ? R_DS : in->seg_prefix;

    if (in->rep && !gen_set(R_CX, gen_chance(8) ? gen_rand() % 500 : gen_rand() % 20)) {
        return false;
    }
    if (gen.c->mode == JUDGE_64 && seg >= R_FS) {
        return false;
    }
    return (!src || point_register(R_SI, seg)) && (!dst || point_register(R_DI, R_ES));
}

static const uint16_t selectors[] = { 0x2b, 0x2b, 0x2b, 0x28, 0x23, 0x33,
                                      0,    3,    0x10, 0x1b, 0x43, 0x53,
                                      0x63, 0x8b, 0x0f, 0x17, 0x1f, 0xfff8 };

static uint16_t random_selector(void)
{
    return selectors[gen_rand() % ARRAY_SIZE(selectors)];
}

/* Values for registers that the instruction takes without naming them, or that would
 * hardly ever be interesting by chance. */
static bool prepare(const X86Insn *in)
{
    const char *n = in->row->name;
    const X86Cpu *cpu = rig_cpu();

    if (in->row->flags & RF_REP) {
        return aim_string(in);
    }
    if (named(in, "XLAT")) {
        return gen_set(R_BX, gen_place(RW_BASE + RW_PLAIN) - segment_base(in));
    }
    if (strstr(n, "MASKMOV") && in->row->map == MAP_0F) {
        return point_register(R_DI, R_DS);
    }
    if (named(in, "DIV") || named(in, "IDIV")) {
        return gen_chance(6) || gen_set(R_DX, gen_rand() % 3 ? 0 : gen_rand() % 16);
    }
    if (named(in, "LEAVE")) {
        return gen_chance(16) ||
               gen_set(R_BP, cpu->st.gpr[R_SP] + 8 * (gen_rand() % 16) + gen_chance(8));
    }
    if (named(in, "ENTER") && gen_rand() % 8) {
        return in->imm < 0x400 &&
               gen_set(R_BP, cpu->st.gpr[R_SP] + 8 * (gen_rand() % 64));
    }
    if (in->op[0].kind == OPND_SEG && in->nops > 1 && in->op[1].kind == OPND_GPR) {
        return in->op[1].reg != R_SP && gen_set(in->op[1].reg, random_selector());
    }
    if (!strncmp(n, "LAR", 3) || !strncmp(n, "LSL", 3) || !strncmp(n, "VER", 3)) {
        unsigned r = in->op[in->nops - 1].reg;
        return in->is_mem ||
               (r != R_SP && gen_set(r, random_selector() | gen_rand() << 16));
    }
    if (named(in, "XRSTOR")) {
        return gen_set(R_AX, gen_rand() & 7) && gen_set(R_DX, 0);
    }
    if (strstr(n, "PCMPESTR")) {
        return gen_chance(3) || (gen_set(R_AX, gen_rand() % 40 - 20) &&
                                 gen_set(R_DX, gen_rand() % 40 - 20));
    }
    return true;
}

/* A register operand gets a value of interest. */
static bool freshen(const X86Insn *in)
{
    for (unsigned i = 0; i < in->nops; i++) {
        const X86Opnd *o = &in->op[i];
        if (o->kind == OPND_GPR && o->reg != R_SP && gen_chance(6) &&
            (int)o->reg != in->base && (int)o->reg != in->index) {
            return gen_set(o->reg, gen_value());
        }
    }
    if (in->row->map == MAP_1 && (in->opcode & 0xfe) == 0xd2 && gen_rand() & 1) {
        return gen_set(R_CX, gen_rand() % 70);
    }
    return true;
}

/* ---- one instruction ---- */

static bool plain_branch(const X86Insn *in)
{
    static const char *const faulting[] = { "INT3", "INT", "INTO",   "UD0",
                                            "UD1",  "UD2", "SYSRET", "HLT" };
    if (!(in->row->flags & RF_BRANCH) || in->row->flags & RF_REP) {
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(faulting); i++) {
        if (!strcmp(in->row->name, faulting[i])) {
            return true;
        }
    }
    return false; /* units make them (gen_flow.c) */
}

bool gen_row(const X86Row *row)
{
    uint8_t b[24] = { 0 };
    X86Insn in;

    if (!gen_insn(row, b, &in, rig_cpu()->hflags, rig_features())) {
        return false;
    }
    if (gen_chance(4)) {
        shorten_address(b, &in);
    }
    if (row->flags & RF_REP ? gen_rand() % 3 : gen_chance(12)) {
        add_prefix(b, &in);
    }
    if (!plain_branch(&in) || !keeps_stack(&in) || named(&in, "POPF")) {
        return false;
    }
    if (!freshen(&in) || !prepare(&in) || !near_bits(&in)) {
        return false;
    }
    if (is_gather(row) && in.is_mem) {
        if (!aim_gather(&in)) {
            return false;
        }
    } else if (in.is_mem && !named(&in, "LEA") && !(row->flags & RF_REP) &&
               !named(&in, "XLAT") && !aim(b, &in, choose_target(&in))) {
        return false;
    }
    if (row->flags & RF_REP && in.rep && in.row->fl_def && !gen_define_flags(FL_STATUS)) {
        return false;
    }
    if (!gen_define_flags(oracle_flags_used(&in)) || !decodes(b, &in, row) ||
        !oracle_takes(&in, gen.undef)) {
        return false;
    }
    gen_put(b, in.len);
    gen_run();
    return !gen.failed;
}

unsigned gen_harmless(uint8_t bytes[15])
{
    const RowSet *set = &gen_rows[gen.c->mode][ROWS_HARMLESS];
    X86Insn in;

    for (unsigned i = 0; i < 20; i++) {
        const X86Row *row = set->rows[gen_rand() % set->n];
        unsigned n = gen_insn(row, bytes, &in, rig_cpu()->hflags, rig_features());
        if (n && !in.is_mem && keeps_stack(&in) && !reads_or_writes(&in, R_CX) &&
            oracle_takes(&in, 0)) {
            return n;
        }
    }
    return 0;
}
