/* SPDX-License-Identifier: MIT */
/*
 * The decoder's index: rows by encoding, map and opcode byte, the more specific ones first,
 * and what of a row can be known before an instruction is seen. Built once at start.
 */
#include "target-x86/decode_int.h"

#include <stdatomic.h>

Slot x86_slots[NENC][X86_NMAPS][256];
Cand x86_cands[MAX_CANDS];
RowInfo x86_row_info[X86_MAX_ROWS];
static unsigned n_info;
static atomic_int index_state; /* 0 none, 1 being built, 2 ready */

/* Size in bytes by size code and operand size 2, 4, 8 (vector codes by VEX.L:
 * vec_size). */
const uint8_t x86_opnd_bytes[OS_any + 1][3] = {
    [OS_b] = { 1, 1, 1 },    [OS_w] = { 2, 2, 2 },     [OS_d] = { 4, 4, 4 },
    [OS_q] = { 8, 8, 8 },    [OS_v] = { 2, 4, 8 },     [OS_z] = { 2, 4, 4 },
    [OS_y] = { 4, 4, 8 },    [OS_dq] = { 16, 16, 16 }, [OS_qq] = { 32, 32, 32 },
    [OS_t] = { 10, 10, 10 }, [OS_p] = { 4, 6, 10 },    [OS_s] = { 6, 6, 6 },
    [OS_a] = { 4, 8, 16 },   [OS_oq] = { 64, 64, 64 },
};

/* ---- which rows ---- */

static bool method_modrm(unsigned m)
{
    switch (m) {
    case OM_E:
    case OM_G:
    case OM_R:
    case OM_M:
    case OM_S:
    case OM_C:
    case OM_D:
    case OM_P:
    case OM_Q:
    case OM_N:
    case OM_V:
    case OM_W:
    case OM_U:
    case OM_STI:
    case OM_KG:
    case OM_KE:
    case OM_KN: return true;
    default: return false;
    }
}

static bool row_modrm(const X86Row *row)
{
    if (row->flags & (RF_MODRM | RF_MEM | RF_REG) || row->ext ||
        (row->enc != ENC_LEGACY && row->ops[0])) { /* only VZEROUPPER has none */
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(row->ops); i++) {
        if (method_modrm(row->ops[i] >> 8)) {
            return true;
        }
    }
    return false;
}

bool x86_row_has(const X86Row *row, unsigned method)
{
    for (unsigned i = 0; i < ARRAY_SIZE(row->ops); i++) {
        if (row->ops[i] >> 8 == method) {
            return true;
        }
    }
    return false;
}

static uint32_t row_accept(const X86Row *row)
{
    uint32_t f = row->flags, a = 0;
    bool modrm = row_modrm(row);

    if (row->pp != PP_ANY) {
        a |= SIT_PP(row->pp);
    } else if (f & RF_STRICT) {
        a |= SIT_PP(PP_NP);
    } else {
        a |= SIT_PP(PP_NP) | SIT_PP(PP_66) | SIT_PP(PP_F3) | SIT_PP(PP_F2);
    }
    a |= f & RF_STRICT ? 0 : SIT_66REP;
    bool mem_only = f & RF_MEM || x86_row_has(row, OM_M);
    bool reg_only = f & RF_REG || x86_row_has(row, OM_R) || x86_row_has(row, OM_N) ||
                    x86_row_has(row, OM_U) || x86_row_has(row, OM_STI) ||
                    x86_row_has(row, OM_KN);
    a |= (reg_only ? 0 : SIT_MEM) | (mem_only ? 0 : SIT_REGFORM);
    a |= row->ext ? SIT_REG(row->ext & 7) : SIT_REG(0) * 0xff;
    a |= row->rm && modrm ? SIT_RM(row->rm & 7) : SIT_RM(0) * 0xff;
    a |= (f & (RF_ONLY64 | RF_PE) ? 0 : SIT_REAL) | (f & RF_ONLY64 ? 0 : SIT_PROT) |
         (f & RF_NO64 ? 0 : SIT_64);
    a |= (f & RF_L1 ? 0 : SIT_L0) | (f & RF_L0 ? 0 : SIT_L1);
    a |= (f & RF_W1 ? 0 : SIT_W0) | (f & RF_W0 ? 0 : SIT_W1);
    /* Without ModRM, rm names the register in the opcode: 90H is NOP only without REX.B. */
    a |= row->rm && !modrm ? 0 : SIT_REXB;
    bool vvvv = row->enc == ENC_LEGACY ||
                (!(f & RF_NOVVVV) && (x86_row_has(row, OM_H) || x86_row_has(row, OM_B) ||
                                      x86_row_has(row, OM_KH)));
    a |= vvvv ? SIT_VVVV : 0;
    return a;
}

/* How much a row insists on: rows with more come first. */
static unsigned row_rank(const X86Row *row)
{
    return (row->rm ? 16 : 0) + (row->ext ? 8 : 0) + (row->opmask ? 0 : 4) +
           (row->pp != PP_ANY ? 2 : 0) + (row->feat ? 1 : 0);
}

/* Calls fn for each slot that a row belongs to. */
static void for_slots(const X86Row *row, void (*fn)(Slot *slot, const X86Row *row))
{
    for (unsigned low = 0; low <= row->opmask; low++) {
        if (!(low & ~row->opmask)) {
            fn(&x86_slots[row->enc][row->map][row->op | low], row);
        }
    }
}

static void slot_count(Slot *slot, const X86Row *row)
{
    slot->count++;
}

static void slot_add(Slot *slot, const X86Row *row)
{
    unsigned at = slot->start + slot->count++, rank = row_rank(row);
    for (; at > slot->start && row_rank(x86_row_info[x86_cands[at - 1].info].row) < rank;
         at--) {
        x86_cands[at] = x86_cands[at - 1];
    }
    x86_cands[at] = (Cand){ row_accept(row), row->feat, n_info };
    slot->modrm |= row_modrm(row);
}

/* ---- operands ---- */

/* An operand whose register is found without looking at the row's code again. */
static OpSource source(const X86Row *row, unsigned n)
{
    static const struct {
        uint8_t src, kind, mask, flags;
    } simple[OM_ONE + 1] = {
        [OM_E] = { SRC_RM, OPND_GPR, 15, OPF_MEM },
        [OM_R] = { SRC_RM, OPND_GPR, 15, OPF_MEM },
        [OM_M] = { SRC_RM, OPND_GPR, 15, OPF_MEM },
        [OM_G] = { SRC_REG, OPND_GPR, 15, 0 },
        [OM_B] = { SRC_VVVV, OPND_GPR, 15, 0 },
        [OM_Z] = { SRC_OPCODE, OPND_GPR, 15, 0 },
        [OM_REG] = { SRC_FIXED, OPND_GPR, 7, 0 },
        [OM_S] = { SRC_REG, OPND_SEG, 7, 0 },
        [OM_P] = { SRC_REG, OPND_MMX, 7, 0 },
        [OM_Q] = { SRC_RM, OPND_MMX, 7, OPF_MEM },
        [OM_N] = { SRC_RM, OPND_MMX, 7, OPF_MEM },
        [OM_V] = { SRC_REG, OPND_XMM, 15, 0 },
        [OM_W] = { SRC_RM, OPND_XMM, 15, OPF_MEM },
        [OM_U] = { SRC_RM, OPND_XMM, 15, OPF_MEM },
        [OM_H] = { SRC_VVVV, OPND_XMM, 15, 0 },
        [OM_I] = { SRC_IMM, OPND_IMM, 0, OPF_SIGNED },
        [OM_IS] = { SRC_IMM, OPND_IMM, 0, OPF_SIGNED | OPF_OPSIZE },
        [OM_J] = { SRC_IMM, OPND_REL, 0, OPF_SIGNED | OPF_OPSIZE },
        [OM_ONE] = { SRC_FIXED, OPND_ONE, 0, 0 },
    };
    unsigned code = row->ops[n], m = code >> 8, sc = code & 0x1f;
    OpSource s = { .src = SRC_OTHER };

    if (m >= ARRAY_SIZE(simple) || !simple[m].kind || row->enc == ENC_EVEX ||
        sc == OS_s) {
        return s;
    }
    for (unsigned i = 0; simple[m].src == SRC_IMM && i < n; i++) {
        if (row->ops[i] >> 8 == OM_I || row->ops[i] >> 8 == OM_IS) {
            return s; /* a second immediate */
        }
    }
    s = (OpSource){ simple[m].src, simple[m].kind, simple[m].mask,
                    .flags = simple[m].flags };
    for (unsigned i = 0; i < 3; i++) {
        s.size[i] = x86_opnd_bytes[sc][i];
    }
    if (!s.size[0]) {
        s.flags |= sc == OS_x ? 0 : sc == OS_h ? 1 : sc == OS_f ? 2 : sc == OS_e ? 3 : 7;
    }
    if (m == OM_REG) {
        unsigned r = code >> 5 & 7;
        bool high = s.size[0] == 1 && r >= 4; /* AH whatever REX says */
        s.kind = high ? OPND_GPR8H : OPND_GPR;
        s.fixed = high ? r - 4 : r;
    }
    if (m == OM_I && sc == OS_z) {
        s.flags |= OPF_OPSIZE; /* 4 bytes for a 64-bit operand, sign-extended */
    } else if (m == OM_I && sc == OS_b) {
        s.flags &= ~OPF_SIGNED;
    }
    return s;
}

static void add_info(const X86Row *row)
{
    RowInfo *r = &x86_row_info[n_info];

    if (n_info >= X86_MAX_ROWS) {
        __builtin_trap(); /* our own mistake: the table must grow with the rows */
    }
    *r = (RowInfo){ .row = row, .flags = row->flags };
    r->vsib = row->ev & EV_VSIB ||
              (row->enc == ENC_VEX && row->map == MAP_0F38 && (row->op & 0xfc) == 0x90);
    while (r->nops < ARRAY_SIZE(row->ops) && row->ops[r->nops]) {
        r->op[r->nops] = source(row, r->nops);
        r->nops++;
    }
}

static void for_rows(void (*fn)(Slot *slot, const X86Row *row))
{
    for (const X86RowTable *t = x86_row_tables; t->name; t++) {
        for (unsigned i = 0; i < t->count; i++) {
            if (fn == slot_add) {
                add_info(&t->rows[i]);
            }
            for_slots(&t->rows[i], fn);
            n_info += fn == slot_add;
        }
    }
}

/* Room for each slot, by the counts; they are counted again as rows are added. */
static void slots_place(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof(x86_slots) / sizeof(Slot); i++) {
        Slot *s = &x86_slots[0][0][0] + i;
        s->start = n;
        n += s->count;
        s->count = 0;
    }
    if (n > MAX_CANDS) {
        __builtin_trap(); /* our own mistake: the table must grow with the rows */
    }
}

void x86_decode_init(void)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&index_state, &none, 1)) {
        while (atomic_load(&index_state) != 2) {
        }
        return;
    }
    x86_row_tables_init();
    for_rows(slot_count);
    slots_place();
    for_rows(slot_add);
    atomic_store(&index_state, 2);
}
