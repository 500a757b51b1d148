/* SPDX-License-Identifier: MIT */
/*
 * What the passes over a block ask of its instructions, found once for each: flags, general
 * registers, how it may be emitted. What depends on the row alone is kept by row.
 */
#include "target-x86/native.h"
#include "target-x86/template.h"

/* Conditions of the block's mode under which a row raises a generic fault. */
enum { NEED_SSE = 1, NEED_AVX = 2, NEED_AVX512 = 4, NEED_FPU = 8, NEED_WAIT = 16 };

typedef struct RowFacts {
    uint32_t implicit; /* general registers written without being named */
    uint16_t cls;      /* TC_* that every instruction of the row has */
    uint8_t use, kill; /* status flags, packed */
    uint8_t need;      /* NEED_* */
    uint8_t written;   /* bit n: operand n is a destination */
    uint8_t count;     /* a shift: COUNT_* */
    bool known;
} RowFacts;

enum { COUNT_NONE, COUNT_IMM, COUNT_CL };

static RowFacts facts[X86_MAX_ROWS]; /* filled under the cache's lock */

/* ---- by row ---- */

static bool is_jcc(const X86Insn *in)
{
    const X86Row *row = in->row;
    return row->enc == ENC_LEGACY &&
           ((row->map == MAP_1 && (in->opcode & 0xf0) == 0x70) ||
            (row->map == MAP_0F && (in->opcode & 0xf0) == 0x80));
}

bool tmpl_goes_on(const X86Insn *in)
{
    return is_jcc(in) && (int64_t)in->imm >= 0;
}

/* Rows outside RF_PLAIN that are always emitted natively (template_flow.c) and touch no
 * flags but those their row lists. */
static bool flow_row(const X86Row *row, uint8_t op)
{
    if (row->enc != ENC_LEGACY) {
        return false;
    }
    if (row->map == MAP_0F) {
        return (op & 0xf0) == 0x80 || (op >= 0x18 && op <= 0x1f);
    }
    return row->map == MAP_1 &&
           ((op >= 0x50 && op <= 0x5f) || (op & 0xf0) == 0x70 || op == 0x68 ||
            op == 0x6a || op == 0x8d || op == 0x90 || op == 0xc2 || op == 0xc3 ||
            op == 0xc9 || op == 0xe8 || op == 0xe9 || op == 0xeb);
}

/* Control flow rows whose code says what it does to the scratch registers. */
static bool keeps_held(const X86Row *row, uint8_t op)
{
    if (row->enc != ENC_LEGACY) {
        return false;
    }
    return row->map == MAP_1 ? (op >= 0x50 && op <= 0x5f) || (op & 0xf0) == 0x70 ||
                                   op == 0x68 || op == 0x6a || op == 0x8d ||
                                   (op == 0x90 && row->pp != PP_F3 /* PAUSE */)
                             : row->map == MAP_0F &&
                                   ((op & 0xf0) == 0x80 || (op >= 0x18 && op <= 0x1f));
}

/* In 64-bit code, does nobody but plain() (template.c) know this plain row? */
static bool straight_row(const X86Row *row, uint8_t op)
{
    if (row->enc != ENC_LEGACY || row->map > MAP_0F) {
        return true;
    }
    if (row->map == MAP_1) {
        return op < 0x40 || op == 0x63 || op == 0x69 || op == 0x6b ||
               (op >= 0x80 && op <= 0x8b) || (op >= 0x98 && op <= 0x99) ||
               (op >= 0xb0 && op <= 0xc1) || (op >= 0xc6 && op <= 0xc7) ||
               (op >= 0xd0 && op <= 0xdf) || (op >= 0xf5 && op <= 0xf9) || op == 0xfe ||
               (op == 0xff && row->ext && (row->ext & 7) < 2);
    }
    return (op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) ||
           (op >= 0x40 && op <= 0x7f) || (op >= 0x90 && op <= 0x9f) ||
           (op >= 0xa4 && op <= 0xa5) || (op >= 0xac && op <= 0xad) ||
           (op >= 0xaf && op <= 0xb1) || (op >= 0xb6 && op <= 0xb8) || op >= 0xbc;
}

uint32_t tmpl_implicit_writes(const X86Insn *in)
{
    const X86Row *row = in->row;
    uint8_t op = in->opcode;

    if (row->map == MAP_0F3A && op >= 0x60 && op <= 0x63) { /* PCMPxSTRx */
        return 1u << R_CX;
    }
    if (row->enc != ENC_LEGACY) {
        return 0;
    }
    if (row->flags & RF_REP) { /* far, if it repeats: past a window's margin even */
        return 1u << R_CX | 1u << R_SI | 1u << R_DI;
    }
    if (row->map == MAP_1 && (((op == 0xf6 || op == 0xf7) && (row->ext & 7) >= 4) ||
                              op == 0x98 || op == 0x99 || op == 0x9f)) {
        return 1u << R_AX | 1u << R_DX;
    }
    if (row->map == MAP_0F && (op == 0xb0 || op == 0xb1 || op == 0xc7 || op == 0xa2 ||
                               op == 0x31 || op == 0x01)) {
        return 1u << R_AX | 1u << R_DX | 1u << R_CX | 1u << R_BX;
    }
    return 0;
}

/* Shifts and rotates by a count leave the flags alone if the count is 0 (their rows say
 * that they use them); a count that is known, or flags that nobody reads, need no old
 * flags. RCL and RCR do need CF. */
static unsigned shift_count(const X86Row *row, uint8_t op)
{
    unsigned ext = row->ext & 7;

    if (row->enc != ENC_LEGACY || (row->map == MAP_1 && (ext == 2 || ext == 3))) {
        return COUNT_NONE;
    }
    if (row->map == MAP_1 ? op == 0xc0 || op == 0xc1
                          : row->map == MAP_0F && (op == 0xa4 || op == 0xac)) {
        return COUNT_IMM;
    }
    return (row->map == MAP_1 ? op == 0xd2 || op == 0xd3
                              : row->map == MAP_0F && (op == 0xa5 || op == 0xad))
               ? COUNT_CL
               : COUNT_NONE;
}

static uint8_t needs(const X86Row *row)
{
    return (row->flags & RF_SSE ? NEED_SSE : 0) | (row->flags & RF_AVX ? NEED_AVX : 0) |
           (row->flags & RF_AVX512 ? NEED_AVX512 : 0) |
           (row->flags & (RF_FPU | RF_MMX) ? NEED_FPU : 0) |
           (row->flags & RF_WAIT ? NEED_WAIT : 0);
}

/* Does the host execute this row as the guest's CPU model says? */
static bool host_can(const X86Row *row)
{
    return x86_host_has(row->feat) &&
           (!(row->flags & RF_AVX512) || x86_host_has(X86F_AVX512F));
}

static NOINLINE void find_facts(RowFacts *r, const X86Insn *in)
{
    const X86Row *row = in->row;
    uint8_t op = in->opcode;
    bool map1 = row->enc == ENC_LEGACY && row->map == MAP_1;
    /* These use more registers than a row can name for RF_PLAIN, but all are resident:
     * PCMPESTRx, CMPXCHG8B/16B */
    bool estr = row->enc == ENC_LEGACY && row->map == MAP_0F3A && op >> 1 == 0x60 >> 1;
    bool resident = estr || (row->enc == ENC_LEGACY && row->map == MAP_0F && op == 0xc7 &&
                             (row->ext & 7) == 1);

    *r = (RowFacts){ .known = true };
    r->use = flp(row->fl_use);
    r->kill = flp(row->fl_def | row->fl_undef);
    r->count = shift_count(row, op);
    r->need = needs(row);
    r->implicit = tmpl_implicit_writes(in);
    for (unsigned n = 0; n < ARRAY_SIZE(row->ops) && row->ops[n]; n++) {
        r->written |= (row->w[n] == ROLE_W || row->w[n] == ROLE_RW) << n;
    }
    if (map1 && op >= 0x58 && op <= 0x5f) {
        r->written |= 1;
    } else if (map1 && op == 0xc9) {
        r->implicit |= 1u << R_SP | 1u << R_BP;
    }
    r->cls = (is_jcc(in) ? TC_JCC : 0) | (keeps_held(row, op) ? TC_KEEPS : 0) |
             (row->flags & RF_PLAIN || estr || flow_row(row, op) ? TC_FLAGS : 0);
    if ((row->flags & RF_PLAIN || resident) && host_can(row) &&
        !(row->flags & (RF_CPL0 | RF_IO | RF_END))) {
        r->cls |= TC_PLAIN | TC_KEEPS;
        r->cls |= straight_row(row, op) ? TC_STRAIGHT : 0;
        r->cls |= row->pp == PP_F3 || row->pp == PP_F2 ? TC_REP : 0;
    }
    if (x86_row_vsib(row) && host_can(row)) {
        r->cls |= TC_VSIB;
    }
    if (map1 && ((op >= 0x50 && op <= 0x5f) || op == 0xc2 || op == 0xc3 || op == 0xe8 ||
                 op == 0x68 || op == 0x6a)) {
        r->cls |= TC_STACK;
    }
    if ((map1 && op == 0x8d) ||
        (row->enc == ENC_LEGACY && row->map == MAP_0F && op >= 0x18 && op <= 0x1f)) {
        r->cls |= TC_NO_ACCESS;
    }
}

/* ---- by block ---- */

/* NEED_* that this mode does not give. */
static unsigned denied(uint32_t mode)
{
    unsigned deny = 0;

    if (mode & (HF_EM | HF_TS) || !(mode & HF_OSFXSR)) {
        deny |= NEED_SSE;
    }
    if (mode & HF_TS || !(mode & HF_AVX)) {
        deny |= NEED_AVX;
    }
    if (!(mode & HF_AVX512)) {
        deny |= NEED_AVX512;
    }
    if (mode & (HF_EM | HF_TS)) {
        deny |= NEED_FPU;
    }
    if (mode & HF_MP && mode & HF_TS) {
        deny |= NEED_WAIT;
    }
    return deny;
}

void tmpl_survey(Tmpl *t)
{
    const uint32_t in_env = 1u << R_10 | 1u << R_11 | 1u << R_15,
                   elsewhere = in_env | 1u << R_SP;
    unsigned deny = denied(t->tb->mode);

    for (unsigned i = 0; i < t->tb->ninsns; i++) {
        const X86Insn *in = &t->insns[i];
        RowFacts *r = &facts[in->row_id];
        FlagUse *f = &t->flags[i];
        uint32_t named = 0, w;
        if (unlikely(!r->known)) {
            find_facts(r, in);
        }
        w = r->implicit;
        for (unsigned n = 0; n < in->nops; n++) {
            const X86Opnd *o = &in->op[n];
            if (o->kind == OPND_GPR || o->kind == OPND_GPR8H) {
                named |= 1u << o->reg;
                w |= (r->written >> n & 1u) << o->reg;
            }
        }
        t->writes[i] = w;
        unsigned cls = r->cls;
        if (unlikely(r->need & deny)) {
            cls &= ~(TC_PLAIN | TC_STRAIGHT | TC_VSIB);
            cls = keeps_held(in->row, in->opcode) ? cls : cls & ~TC_KEEPS;
        }
        cls |= cls & TC_JCC && (int64_t)in->imm >= 0 ? TC_GOES_ON : 0;
        bool as_is = !in->is_mem && !(named & elsewhere) && (!in->rep || cls & TC_REP) &&
                     in->seg_prefix == SEG_NONE && in->adsize == 8 && !t->legacy;
        cls |= as_is && cls & TC_PLAIN ? TC_AS_IS : 0;
        cls |= named & in_env ? TC_ENV : 0;
        *f = (FlagUse){ r->use, r->kill, r->kill, cls };
        if (unlikely(r->count)) {
            f->use = 0;
            if (r->count == COUNT_CL ||
                (in->imm & (in->op[0].size == 8 ? 63 : 31)) == 0) {
                f->kill = 0;
            }
        }
    }
}
