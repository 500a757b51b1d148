/* SPDX-License-Identifier: MIT */
/*
 * Makes cases: start states and memory full of corner values, then instructions chosen by
 * one of a few profiles, each run on the reference functions before the next is chosen.
 */
#include <string.h>

#include "target-x86/access.h"
#include "target-x86/engine.h"
#include "target-x86/leaf.h"
#include "tests/judge/gen_flow.h"
#include "tests/judge/ldt.h"
#include "tests/unit/fp_gen.h"

RowSet gen_rows[JUDGE_NMODES][NROWSETS];
static uint64_t master;
static bool mode_wanted[JUDGE_NMODES] = { true, true, true };
static bool only_row;
static JudgeMem memory;
static uint8_t ro[RO_SIZE];

/* ---- rows ---- */

const X86Row *judge_rows[JUDGE_MAX_ROWS];
const char *judge_row_family[JUDGE_MAX_ROWS];
unsigned judge_nrows;

unsigned judge_row_index(const X86Row *row)
{
    unsigned n = 0;
    for (const X86RowTable *t = x86_row_tables; t->rows; t++) {
        if (row >= t->rows && row < t->rows + t->count) {
            return n + (row - t->rows);
        }
        n += t->count;
    }
    return JUDGE_MAX_ROWS - 1;
}

static bool one_of(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (!strcmp(name, *list)) {
            return true;
        }
    }
    return false;
}

static bool in_set(unsigned set, const char *family, const X86Row *row)
{
    static const char *const ints[] = { "alu",   "mov",    "shift", "bit",
                                        "stack", "string", NULL };
    static const char *const fpu[] = { "x87", "mmx", NULL };
    static const char *const other[] = { "branch", "sys",   "seg", "far",
                                         "io",     "xsave", NULL };

    switch (set) {
    case ROWS_ALL: return true;
    case ROWS_INT: return one_of(family, ints);
    case ROWS_FPU: return one_of(family, fpu);
    case ROWS_VEC:
        return !one_of(family, ints) && !one_of(family, fpu) && !one_of(family, other);
    default: /* registers only, no faults, reads no flags */
        return row->flags & RF_PLAIN && !row->fl_use && one_of(family, ints) &&
               strcmp(row->name, "DIV") && strcmp(row->name, "IDIV");
    }
}

static bool row_in_mode(const X86Row *row, unsigned mode)
{
    const uint32_t *feat = rig_features();
    bool evex = rig_xcr0() & XCR0_OPMASK;
    if ((row->feat && !(feat[row->feat / 32] >> (row->feat % 32) & 1)) ||
        (row->flags & RF_AVX512 && !evex)) {
        return false;
    }
    return !(row->flags & (mode == JUDGE_64 ? RF_NO64 : RF_ONLY64)) &&
           !oracle_denied(row);
}

static void add_row(const X86Row *row, const char *family, const char *only)
{
    for (unsigned m = 0; m < JUDGE_NMODES; m++) {
        for (unsigned s = 0; row_in_mode(row, m) && s < NROWSETS; s++) {
            RowSet *set = &gen_rows[m][s];
            bool wanted = !only || s == ROWS_HARMLESS || !strcmp(only, row->name);
            if (wanted && in_set(s, family, row)) {
                set->rows[set->n++] = row;
            }
        }
    }
}

bool gen_only(const char *mnemonic, const char *mode)
{
    unsigned found = 0;

    only_row = mnemonic;
    memset(gen_rows, 0, sizeof(gen_rows));
    judge_nrows = 0;
    for (const X86RowTable *t = x86_row_tables; t->rows; t++) {
        for (unsigned i = 0; i < t->count; i++) {
            judge_row_family[judge_nrows] = t->name;
            judge_rows[judge_nrows++] = &t->rows[i];
            add_row(&t->rows[i], t->name, mnemonic);
        }
    }
    for (unsigned m = 0; m < JUDGE_NMODES; m++) {
        bool wanted = !mode || !strcmp(mode, judge_mode_names[m]);
        mode_wanted[m] = wanted && gen_rows[m][ROWS_ALL].n && host_has_mode(m);
        found += mode_wanted[m];
    }
    return found;
}

void gen_init(uint64_t seed)
{
    master = seed;
    fp_seed(seed);
}

/* ---- values ---- */

static uint32_t value32(void)
{
    return (uint32_t)fp_value(32);
}

static void fill(uint8_t *p, unsigned n)
{
    unsigned kind = gen_rand() % 8;

    for (unsigned i = 0; i + 8 <= n; i += 8) {
        uint64_t v;
        switch (kind) {
        case 0:
        case 1: v = value32() | (uint64_t)value32() << 32; break;
        case 2:
        case 3: v = fp_value(64); break;
        case 4: /* text with few letters and ends */
            v = gen_rand() & 0x0303030303030303;
            break;
        case 5: /* small counts */ v = gen_rand() & 0x0000003f0000003f; break;
        case 6: v = gen_value(); break;
        default: v = gen_rand();
        }
        memcpy(p + i, &v, 8);
    }
}

static uint32_t random_mxcsr(void)
{
    uint64_t r = gen_rand();
    uint32_t v = 0x1f80 | (r & 0x6000);
    v |= r >> 16 & 1 ? 0 : r & 0x3f;      /* sticky flags */
    v |= (r >> 17 & 3) == 0 ? 0x40 : 0;   /* DAZ */
    v |= (r >> 19 & 3) == 0 ? 0x8000 : 0; /* FTZ */
    if ((r >> 21 & 15) == 0) {
        v &= ~(uint32_t)(r >> 25 & 0x1f80); /* some exceptions unmasked */
    }
    return v;
}

static uint16_t random_fcw(void)
{
    uint64_t r = gen_rand();
    unsigned pc = r % 3;
    uint16_t masks = r >> 8 & 7 ? 63 : r >> 16 & 63;
    return 0x40 | masks | (pc ? pc + 1 : 0) << 8 | (r >> 32 & 3) << 10;
}

static uint16_t random_fsw(uint16_t fcw)
{
    uint64_t r = gen_rand(); /* sticky flags of masked exceptions only */
    return (r & 0x4700) | (r >> 16 & fcw & 63) | (r >> 32 & 0x3800) |
           (r >> 40 & fcw & 1) << 6;
}

static void put_f80(uint8_t *to)
{
    Sf80 v = fp_value80();
    if (gen_rand() & 1) { /* suits transcendental and integer instructions too */
        v.se = (0x3fff - 20 + gen_rand() % 84) | (gen_rand() & 0x8000);
        v.m |= 1ull << 63;
    }
    memcpy(to, &v.m, 8);
    memcpy(to + 8, &v.se, 2);
}

/* ---- memory ---- */

static void put16(uint8_t *to, uint16_t v)
{
    memcpy(to, &v, 2);
}

static void special_data(uint8_t *rw)
{
    for (unsigned i = 0; i < 16; i++) {
        int32_t d = (int32_t)(gen_rand() % 64) - 32;
        uint32_t mxcsr = random_mxcsr();
        memcpy(rw + RW_INDEX + 4 * i, &d, 4);
        memcpy(rw + RW_MXCSR + 4 * i, &mxcsr, 4);
    }
    for (unsigned i = 0; i < 8; i++) {
        int64_t q = (int64_t)(gen_rand() % 64) - 32;
        memcpy(rw + RW_INDEX + 64 + 8 * i, &q, 8);
    }
    for (unsigned i = 0; i < 32; i++) {
        put16(rw + RW_FCW + 2 * i, random_fcw());
    }
    uint16_t fcw = random_fcw();
    put16(rw + RW_ENV, fcw);
    put16(rw + RW_ENV + 4, random_fsw(fcw));
    uint32_t mxcsr = random_mxcsr(), where[] = { RW_FX, RW_XS };
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *p = rw + where[i];
        put16(p, fcw);
        put16(p + 2, random_fsw(fcw));
        memcpy(p + 24, &mxcsr, 4);
        for (unsigned k = 0; k < 8; k++) {
            put_f80(p + 32 + 16 * k);
            put_f80(rw + RW_ENV + 28 + 10 * k);
        }
    }
    memset(rw + RW_XS + 512, 0, 64);
    rw[RW_XS + 512] = gen_rand() & 7;
}

/* The memory of 256 cases, by their common number. */
static void make_memory(uint64_t batch)
{
    gen_seed((batch + 1) * 0x9e3779b97f4a7c15ull ^ master);
    fp_seed(gen_rand());
    for (unsigned i = 0; i < STACK_SIZE; i += 64) {
        fill(memory.stack + i, 64);
    }
    for (unsigned i = 0; i < RW_SIZE; i += 32) {
        fill(memory.rw + i, 32);
        if (gen_rand() % 8 == 0) {
            put_f80(memory.rw + i);
            put_f80(memory.rw + i + 16);
        }
    }
    special_data(memory.rw);
    for (unsigned i = 0; i < RO_SIZE; i += 64) {
        fill(ro + i, 64);
    }
}

/* ---- states ---- */

static uint64_t pointer(void)
{
    static const uint32_t bases[] = { RW_BASE + 0x600, RW_BASE + 0xfe0, RO_BASE + 0x800,
                                      STACK_BASE + 0xc00 };
    return gen_place(bases[gen_rand() % 4] + gen_rand() % 128);
}

static void make_vectors(X86Xsave *x)
{
    memset(x, 0, sizeof(*x));
    x->xstate_bv = 7;
    x->mxcsr_mask = 0xffff;
    x->fcw = random_fcw();
    x->fsw = random_fsw(x->fcw);
    x->ftw = gen_chance(3) ? gen_rand() : gen_rand() & 1 ? 0 : 0x7f << (gen_rand() & 7);
    x->mxcsr = random_mxcsr();
    for (unsigned i = 0; i < 8; i++) {
        put_f80((uint8_t *)&x->st[i]);
    }
    for (unsigned i = 0; i < 16; i++) {
        fill(x->xmm[i].b, 16);
        fill(x->ymmh[i].b, 16);
        if (i && gen_rand() % 4 == 0) { /* equal operands */
            x->xmm[i] = x->xmm[gen_rand() % i];
        }
    }
}

static void make_avx512(X86Xsave *x)
{
    static const uint64_t masks[] = { 0, ~0ull, 1, 0x8000, 0x5555555555555555, 0xff };
    x->xstate_bv |= rig_xcr0();
    for (unsigned i = 0; i < 8; i++) {
        x->k[i] = gen_rand() & 1 ? gen_rand() : masks[gen_rand() % ARRAY_SIZE(masks)];
    }
    for (unsigned i = 0; i < 16; i++) {
        fill(x->zmmh[i]->b, 32);
        fill(x->zmm16[i]->b, 64);
    }
}

static void make_state(JudgeCase *c)
{
    JudgeState *s = &c->in;
    uint32_t code = CODE_BASE;

    memset(s, 0, offsetof(JudgeState, xsave));
    for (unsigned r = 0; r < 16; r++) {
        s->gpr[r] = gen_rand() % 3 ? gen_value() : pointer();
        if (c->mode != JUDGE_64) {
            s->gpr[r] = r < 8 ? (uint32_t)s->gpr[r] : 0;
        }
    }
    s->gpr[R_SP] = STACK_BASE + (gen_rand() % 4 ? 0x800 + gen_rand() % 0x1000 / 8 * 8
                                                : 0xfc0 + gen_rand() % 128);
    if (gen_chance(100)) {
        s->gpr[R_SP] = STACK_BASE + gen_rand() % 40;
    }
    s->gpr[R_SP] = gen_place(s->gpr[R_SP]);
    s->rflags = FL_ONE | FL_IF | (gen_rand() & FL_STATUS) | (gen_chance(40) ? FL_AC : 0);
    if (c->mode == JUDGE_64) {
        s->sel[R_CS] = 0x33;
        s->sel[R_SS] = 0x2b;
        s->fs_base = gen_place(RW_BASE + RW_PLAIN + 8 * (gen_rand() % 64));
        s->gs_base = gen_place(RO_BASE + 0x800);
    } else if (c->mode == JUDGE_32) {
        s->sel[R_CS] = 0x23;
        s->sel[R_DS] = s->sel[R_ES] = s->sel[R_SS] = s->sel[R_FS] = s->sel[R_GS] = 0x2b;
    } else {
        s->sel[R_CS] = SEL_CS16;
        s->sel[R_DS] = s->sel[R_FS] = s->sel[R_GS] = SEL_DS16;
        s->sel[R_ES] = SEL_ES16;
        s->sel[R_SS] = SEL_SS16;
        s->gpr[R_SP] -= STACK_BASE;
        code = 0;
    }
    /* most in one place, some across the pages' boundary, some at the very end */
    uint32_t off = gen_rand() % 4 ? 0x100 : 0x1000 - gen_rand() % 64;
    c->start = CODE_BASE + off;
    s->rip = code + off;
    make_vectors(&s->xsave);
    if (rig_xcr0() & XCR0_OPMASK) {
        make_avx512(&s->xsave);
    }
}

/* ---- cases ---- */

static void unit(unsigned profile)
{
    static void (*const flows[])(void) = {
        flow_forward,  flow_forward,       flow_forward, flow_loop, flow_call,
        flow_indirect, flow_memory_target, flow_fields,  flow_fields, flow_popf,
        flow_far,      flow_frame,
    };
    static const uint8_t sets[] = { ROWS_ALL, ROWS_ALL, ROWS_INT,
                                    ROWS_INT, ROWS_FPU, ROWS_VEC };
    uint64_t r = gen_rand();
    const RowSet *set = &gen_rows[gen.c->mode][sets[profile]];

    if (!only_row && r % (profile == 3 ? 2 : 8) == 0) {
        flows[(r >> 16) % ARRAY_SIZE(flows)]();
        return;
    }
    if (!only_row && (r >> 8) % 200 == 0) {
        flow_undefined();
        return;
    }
    set = set->n ? set : &gen_rows[gen.c->mode][ROWS_ALL];
    (void)gen_row(set->rows[(r >> 24) % set->n]);
}

bool gen_case(JudgeCase *c, uint64_t id)
{
    static uint64_t batch = ~0ull;
    X86Cpu *cpu = rig_cpu();

    if (batch != id / 256) {
        batch = id / 256;
        make_memory(batch);
    }
    gen_seed((id + 1) * 0xd1342543de82ef95ull ^ (master << 17 | master >> 47));
    (void)gen_rand();
    fp_seed(gen_rand());
    do {
        uint64_t r = gen_rand() % 8;
        c->mode = r < 5 ? JUDGE_64 : r < 7 ? JUDGE_32 : JUDGE_16;
    } while (!mode_wanted[c->mode]);
    c->id = id;
    c->len = c->n = 0;
    c->mem = &memory;
    c->ro = ro;
    uint64_t where = c->mode == JUDGE_64 ? gen_rand() : 0;
    gen = (Gen){ .c = c,
                 .high_stack = where & 1,
                 .high_data = where & 2,
                 .mixed = where && !(where & 12) };
    make_state(c);
    unsigned profile = gen_rand() % 6, want = 1 + gen_rand() % (gen_rand() % 4 ? 6 : 20);
    x86_engine.native = true;
    rig_start(c, true);
    oracle_begin(c);
    for (unsigned i = 0; i < 4 * want && c->n < want && !gen.ended && !gen.failed; i++) {
        unit(profile);
    }
    x86_fpu_sync(cpu);
    if (!gen.ended && !gen.failed) {
        rig_put_code(gen_cursor(), RIG_END, 2);
    }
    c->undef = gen.undef;
    return !gen.failed && c->n;
}
