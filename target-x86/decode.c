/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder: prefixes, opcode maps, ModRM/SIB, VEX, EVEX. Intel SDM vol. 2,
 * chapter 2 and appendix A. All knowledge about single instructions comes from the rows
 * (insn.h); decode_index.c sorts them. After x86_decode_init() everything is constant: no
 * locks. Leaf.
 *
 * EVEX.b, z, aaa and L'L are judged by the row's EV_* bits (evex_allows); the scaled
 * 8-bit displacement counts in the bytes of the memory operand as accessed, which is what
 * the manual's tuple types come to (vol. 2, 2.7.5).
 *
 * X86Insn details that are not obvious from insn.h: opc_off is the offset of the opcode
 * byte itself (after 0F.. or VEX bytes). Immediate operands have reg = 0 (imm) or 1
 * (imm2) and the size they are used with. moffs operands are memory with no base. String
 * operands (X, Y) are OPND_MEM with is_mem = false; in->seg is that of X.
 */
#include "target-x86/decode_int.h"

#include <string.h>

/* ---- one instruction ---- */

typedef struct Dec {
    X86Insn *in;
    const uint8_t *p;
    unsigned n, at; /* bytes given, bytes used */
    uint8_t enc, map;
    bool m64, has66, has67, vvvv_used;
    uint8_t pp, vex_w, vex_l;
    uint8_t osz;    /* 0, 1, 2 for operand size 2, 4, 8 */
    bool evex_b;
    uint8_t evex_v; /* EVEX.V' in positive sense, as bit 4 */
} Dec;

/* Fewer bytes than needed: with 15 at hand the instruction is too long. */
static int short_of(const Dec *d)
{
    return d->n >= 15 ? X86_DEC_GP : X86_DEC_MORE;
}

static ALWAYS_INLINE bool have(const Dec *d, unsigned n)
{
    return d->n - d->at >= n;
}

static ALWAYS_INLINE uint64_t get_le(const uint8_t *p, unsigned n)
{
    switch (n) {
    case 1:
        return p[0];
    case 2:
        return p[0] | p[1] << 8;
    case 4:
        return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
    default:
        return get_le(p, 4) | get_le(p + 4, 4) << 32;
    }
}

enum { PFX_NONE, PFX_SEG, PFX_66, PFX_67, PFX_LOCK, PFX_REP, PFX_REX };
static const uint8_t prefix_kind[256] = {
    [0x40 ... 0x4f] = PFX_REX,
    [0x26] = PFX_SEG, [0x2e] = PFX_SEG, [0x36] = PFX_SEG, [0x3e] = PFX_SEG,
    [0x64] = PFX_SEG, [0x65] = PFX_SEG, [0x66] = PFX_66,  [0x67] = PFX_67,
    [0xf0] = PFX_LOCK, [0xf2] = PFX_REP, [0xf3] = PFX_REP,
};

static ALWAYS_INLINE void set_segment(Dec *d, uint8_t b)
{
    if (b >= 0x64) {
        d->in->seg_prefix = b == 0x64 ? R_FS : R_GS;
    } else if (!d->m64) { /* in 64-bit mode the old four are ignored */
        d->in->seg_prefix = (b >> 3) & 3;
    }
}

/* Legacy prefixes and REX (which counts only as the last byte before the opcode). */
static ALWAYS_INLINE int get_prefixes(Dec *d)
{
    X86Insn *in = d->in;
    for (;; d->at++) {
        if (d->at >= d->n) {
            return short_of(d);
        }
        uint8_t b = d->p[d->at];
        unsigned kind = prefix_kind[b];
        if (kind == PFX_NONE) {
            return 1;
        }
        if (kind == PFX_REX) {
            if (!d->m64) {
                return 1;
            }
            in->rex = b;
            in->has_rex = true;
            continue;
        }
        switch (kind) {
        case PFX_SEG: set_segment(d, b); break;
        case PFX_66: d->has66 = true; break;
        case PFX_67: d->has67 = true; break;
        case PFX_LOCK: in->lock = true; break;
        default: in->rep = b;
        }
        in->rex = 0;
        in->has_rex = false;
    }
}

/* VEX, SDM vol. 2, 2.3.5; d->at is at C4H or C5H. */
static int get_vex(Dec *d)
{
    X86Insn *in = d->in;
    const uint8_t *v = d->p + d->at;
    bool three = v[0] == 0xc4;
    uint8_t last;

    if (!have(d, three ? 4 : 3)) {
        return short_of(d);
    }
    if (in->lock || in->rep || d->has66 || in->has_rex) {
        return X86_DEC_UD;
    }
    if (three) {
        unsigned m = v[1] & 0x1f;
        if (m < 1 || m > 3) {
            return X86_DEC_UD;
        }
        d->map = m;
        last = v[2];
        in->rex = 0x40 | (~v[1] >> 5 & 7) | (last & 0x80) >> 4;
        d->at += 3;
    } else {
        d->map = MAP_0F;
        last = v[1];
        in->rex = 0x40 | (~last & 0x80) >> 5;
        d->at += 2;
    }
    if (!d->m64) {
        in->rex &= 0x48;
    }
    d->vex_w = in->rex >> 3 & 1;
    d->enc = ENC_VEX;
    d->pp = PP_NP + (last & 3);
    d->vex_l = last >> 2 & 1;
    in->vvvv = ~last >> 3 & 15;
    d->vvvv_used = in->vvvv != 0;
    if (!d->m64) {
        in->vvvv &= 7;
    }
    in->vl = d->vex_l ? 32 : 16;
    return 1;
}

/* EVEX, SDM vol. 2, 2.7.1; d->at is at 62H. Outside 64-bit mode only registers 0-7 can be
 * named: R, X are 0 (else it is BOUND), B, R', V' and the top bit of vvvv are ignored, as
 * they are with VEX. */
static int get_evex(Dec *d)
{
    X86Insn *in = d->in;
    const uint8_t *v = d->p + d->at;

    if (!have(d, 5)) {
        return short_of(d);
    }
    unsigned m = v[1] & 7;
    if (in->lock || in->rep || d->has66 || in->has_rex || v[1] & 8 || m < 1 || m > 3 ||
        !(v[2] & 4)) {
        return X86_DEC_UD;
    }
    d->map = m;
    d->enc = ENC_EVEX;
    in->rex = 0x40 | (~v[1] >> 5 & 7) | (v[2] & 0x80) >> 4;
    d->pp = PP_NP + (v[2] & 3);
    d->vex_l = v[3] >> 5 & 3;
    d->evex_b = v[3] >> 4 & 1;
    in->zeroing = v[3] >> 7;
    in->k = v[3] & 7;
    in->vvvv = ~v[2] >> 3 & 15;
    in->reg = ~v[1] & 0x10;
    d->evex_v = (~v[3] & 8) << 1;
    d->vvvv_used = in->vvvv != 0;
    if (!d->m64) {
        in->rex &= 0x48;
        in->vvvv &= 7;
        in->reg = d->evex_v = 0;
    }
    d->vex_w = in->rex >> 3 & 1;
    d->at += 4;
    return 1;
}

/* Escape bytes up to, not including, the opcode byte. */
static ALWAYS_INLINE int get_map(Dec *d, bool prot)
{
    uint8_t b = d->p[d->at];

    d->enc = ENC_LEGACY;
    d->map = MAP_1;
    if (b == 0x0f) {
        if (!have(d, 2)) {
            return short_of(d);
        }
        d->at++;
        d->map = MAP_0F;
        b = d->p[d->at];
        if (b == 0x38 || b == 0x3a) {
            if (!have(d, 2)) {
                return short_of(d);
            }
            d->at++;
            d->map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
        }
    } else if (b == 0xc4 || b == 0xc5 || b == 0x62) {
        /* LES, LDS and BOUND outside 64-bit mode, if the next byte names memory. */
        if (!d->m64) {
            if (!have(d, 2)) {
                return short_of(d);
            }
            if (d->p[d->at + 1] < 0xc0) {
                return 1;
            }
        }
        return !prot ? X86_DEC_UD : b == 0x62 ? get_evex(d) : get_vex(d);
    }
    return 1;
}

/* Is the operand that may be memory the destination? */
static bool row_has_store(const X86Row *row)
{
    unsigned m = row->ops[0] >> 8;
    return m == OM_W || m == OM_E || m == OM_M;
}

/* Does the row permit EVEX.b, z, aaa, L'L and V'? Vol. 2, 2.7.11 and tables 2-36, 2-40. */
static bool evex_allows(const Dec *d, const X86Row *row, const uint32_t *feat)
{
    const X86Insn *in = d->in;
    uint32_t ev = row->ev;
    bool rounding = d->evex_b && !in->is_mem;
    unsigned len = rounding ? 2 : d->vex_l;

    const uint32_t bc = EV_BC | EV_BC32 | EV_BC64;
    if (d->evex_b && !(ev & (in->is_mem ? bc : EV_RC | EV_SAE))) {
        return false;
    }
    if (len == 3 || (!(ev & EV_LIG) && !(ev & EV_L128 << len))) {
        return false;
    }
    if (len < 2 && ev & (EV_L512 | EV_VL) &&
        !(feat[X86F_AVX512VL / 32] >> (X86F_AVX512VL % 32) & 1)) {
        return false;
    }
    if (in->k ? !(ev & EV_K) : ev & EV_KREQ) {
        return false;
    }
    if (in->zeroing && (!in->k || !(ev & EV_ZM) || (in->is_mem && row_has_store(row)))) {
        return false;
    }
    return !d->evex_v || ev & EV_VSIB || x86_row_has(row, OM_H);
}

static ALWAYS_INLINE const RowInfo *match(const Dec *d, const Slot *slot, uint32_t sit,
                                          const uint32_t *feat)
{
    const Cand *c = &x86_cands[slot->start], *end = c + slot->count;
    for (; c < end; c++) {
        const RowInfo *info = &x86_row_info[c->info];
        if (!(sit & ~c->accept) &&
            (!c->feat || (feat[c->feat / 32] >> (c->feat % 32) & 1)) &&
            (d->enc != ENC_EVEX || evex_allows(d, info->row, feat))) {
            return info;
        }
    }
    return NULL;
}

/* The n bytes at d->at, which are there, zero- or sign-extended. n = 1, 2, 4 or 8. */
static ALWAYS_INLINE uint64_t take(Dec *d, unsigned n, bool sign)
{
    uint64_t v;

    if (likely(have(d, 8))) {
        v = get_le(d->p + d->at, 8) << (64 - 8 * n);
        v = sign ? (uint64_t)((int64_t)v >> (64 - 8 * n)) : v >> (64 - 8 * n);
    } else {
        v = get_le(d->p + d->at, n);
        v = sign ? sext(v, n * 8) : v;
    }
    d->at += n;
    return v;
}

static ALWAYS_INLINE int get_disp(Dec *d, unsigned len)
{
    X86Insn *in = d->in;
    if (!len) {
        return 1;
    }
    if (!have(d, len)) {
        return short_of(d);
    }
    in->disp_off = d->at;
    in->disp_len = len;
    in->disp = (int64_t)take(d, len, true);
    return 1;
}

static NOINLINE int get_address16(Dec *d)
{
    static const int8_t base[8] = { R_BX, R_BX, R_BP, R_BP, R_SI, R_DI, R_BP, R_BX };
    static const int8_t index[8] = { R_SI, R_DI, R_SI, R_DI, -1, -1, -1, -1 };
    X86Insn *in = d->in;
    unsigned rm = in->modrm & 7, len = in->mod == 3 ? 0 : in->mod;

    in->base = base[rm];
    in->index = index[rm];
    if (in->mod == 0 && rm == 6) {
        in->base = -1;
        len = 2;
    }
    if (in->base == R_BP) {
        in->seg = R_SS;
    }
    return get_disp(d, len);
}

static ALWAYS_INLINE int get_address(Dec *d, bool vsib)
{
    X86Insn *in = d->in;
    unsigned rm = in->modrm & 7, len = in->mod == 1 ? 1 : in->mod == 2 ? 4 : 0;

    in->seg = R_DS;
    if (in->adsize == 2) {
        return vsib ? X86_DEC_UD : get_address16(d);
    }
    if (rm == 4) {
        if (!have(d, 1)) {
            return short_of(d);
        }
        uint8_t sib = d->p[d->at++];
        unsigned x = (sib >> 3 & 7) | (in->rex & 2) << 2;
        in->scale = sib >> 6;
        in->index = x == 4 && !vsib ? -1 : (int)x;
        in->base = (sib & 7) | (in->rex & 1) << 3;
        if ((sib & 7) == 5 && in->mod == 0) {
            in->base = -1;
            len = 4;
        } else if (in->base == R_SP || in->base == R_BP) {
            in->seg = R_SS;
        }
    } else if (vsib) {
        return X86_DEC_UD;
    } else if (in->mod == 0 && rm == 5) {
        in->base = d->m64 ? 16 : -1;
        len = 4;
    } else {
        in->base = in->rm;
        if (in->base == R_BP) {
            in->seg = R_SS;
        }
    }
    return get_disp(d, len);
}

static int get_imm(Dec *d, X86Opnd *o, unsigned len, unsigned size, bool sign)
{
    X86Insn *in = d->in;
    if (!have(d, len)) {
        return short_of(d);
    }
    o->kind = OPND_IMM;
    o->size = size;
    if (in->imm_len) {
        o->reg = 1;
        in->imm2 = take(d, len, sign);
    } else {
        in->imm_off = d->at;
        in->imm = take(d, len, sign);
    }
    in->imm_len += len;
    return 1;
}

static int get_far(Dec *d, X86Opnd *o)
{
    X86Insn *in = d->in;
    unsigned len = in->opsize == 2 ? 2 : 4;
    if (!have(d, len + 2)) {
        return short_of(d);
    }
    o->kind = OPND_FAR;
    in->imm_off = d->at;
    in->imm_len = len + 2;
    in->imm = get_le(d->p + d->at, len);
    in->imm2 = get_le(d->p + d->at + len, 2);
    d->at += len + 2;
    return 1;
}

static int get_moffs(Dec *d, X86Opnd *o)
{
    X86Insn *in = d->in;
    if (!have(d, in->adsize)) {
        return short_of(d);
    }
    o->kind = OPND_MEM;
    in->is_mem = true;
    in->disp_off = d->at;
    in->disp_len = in->adsize;
    in->disp = get_le(d->p + d->at, in->adsize);
    d->at += in->adsize;
    return 1;
}

static ALWAYS_INLINE void set_gpr(const X86Insn *in, X86Opnd *o, unsigned r)
{
    o->kind = OPND_GPR;
    o->reg = r;
    if (o->size == 1 && r >= 4 && r < 8 && !in->has_rex) {
        o->kind = OPND_GPR8H;
        o->reg = r - 4;
    }
}

static int set_mask(X86Opnd *o, unsigned r)
{
    o->kind = OPND_K;
    o->reg = r;
    return r < 8 ? 1 : X86_DEC_UD;
}

static void set_vec(X86Opnd *o, unsigned r)
{
    o->kind = OPND_XMM;
    o->reg = r;
}

static ALWAYS_INLINE void set_rm(const Dec *d, X86Opnd *o, unsigned kind, unsigned mask)
{
    const X86Insn *in = d->in;
    if (in->is_mem) {
        o->kind = OPND_MEM;
    } else if (kind == OPND_GPR) {
        set_gpr(in, o, in->rm);
    } else {
        o->kind = kind;
        o->reg = (in->rm |
                  (kind == OPND_XMM && d->enc == ENC_EVEX ? (in->rex & 2) << 3 : 0)) &
                 mask;
    }
}

static unsigned vec_size(const X86Insn *in, unsigned code)
{
    switch (code) {
    case OS_x:
        return in->vl;
    case OS_h:
        return in->vl / 2;
    case OS_f:
        return in->vl / 4;
    case OS_e:
        return in->vl / 8;
    default:
        return 0;
    }
}

/* Operand n from its code. */
static NOINLINE int set_operand(Dec *d, unsigned n, X86OpCode code)
{
    X86Insn *in = d->in;
    X86Opnd *o = &in->op[n];
    unsigned method = code >> 8, sc = code & 0x1f;
    unsigned size = x86_opnd_bytes[sc][d->osz];

    if (!size) {
        size = vec_size(in, sc);
    }
    if (sc == OS_s && d->m64) {
        size = 10;
    }
    o->size = size;
    switch (method) {
    case OM_E:
    case OM_R:
    case OM_M:
        set_rm(d, o, OPND_GPR, 15);
        return 1;
    case OM_G:
        set_gpr(in, o, in->reg);
        return in->reg < 16 ? 1 : X86_DEC_UD;
    case OM_I:
        /* Iz with a 64-bit operand size is 4 bytes, sign-extended */
        return get_imm(d, o, size, sc == OS_z ? in->opsize : size, sc != OS_b);
    case OM_IS:
        return get_imm(d, o, size, in->opsize, true);
    case OM_J: {
        int r = get_imm(d, o, size, in->opsize, true);
        o->kind = OPND_REL;
        return r;
    }
    case OM_A:
        return get_far(d, o);
    case OM_O:
        return get_moffs(d, o);
    case OM_S:
        o->kind = OPND_SEG;
        o->reg = in->reg & 7;
        return 1;
    case OM_C:
    case OM_D:
        o->kind = method == OM_C ? OPND_CR : OPND_DR;
        o->reg = in->reg;
        return 1;
    case OM_B:
        set_gpr(in, o, in->vvvv);
        return 1;
    case OM_X:
    case OM_Y:
        o->kind = OPND_MEM;
        return 1;
    case OM_Z:
        set_gpr(in, o, (in->opcode & 7) | (in->rex & 1) << 3);
        return 1;
    case OM_REG: {
        unsigned r = code >> 5 & 7;
        o->kind = size == 1 && r >= 4 ? OPND_GPR8H : OPND_GPR; /* AH whatever REX says */
        o->reg = o->kind == OPND_GPR8H ? r - 4 : r;
        return 1;
    }
    case OM_SEG:
        o->kind = OPND_SEG;
        o->reg = code >> 5 & 7;
        return 1;
    case OM_P:
        o->kind = OPND_MMX;
        o->reg = in->reg & 7;
        return 1;
    case OM_Q:
    case OM_N:
        set_rm(d, o, OPND_MMX, 7);
        return 1;
    case OM_V:
        set_vec(o, in->reg);
        return 1;
    case OM_W:
    case OM_U:
        set_rm(d, o, OPND_XMM, 31);
        return 1;
    case OM_H:
        set_vec(o, in->vvvv);
        return 1;
    case OM_KG:
        return set_mask(o, in->reg);
    case OM_KE:
    case OM_KN:
        set_rm(d, o, OPND_K, 7);
        return 1;
    case OM_KH:
        return set_mask(o, in->vvvv);
    case OM_L: {
        int r = get_imm(d, o, 1, size, false);
        set_vec(o, in->imm >> 4 & (d->m64 ? 15 : 7));
        return r;
    }
    case OM_ST:
        o->kind = OPND_ST;
        o->reg = code >> 5 & 7;
        return 1;
    case OM_STI:
        o->kind = OPND_ST;
        o->reg = in->modrm & 7;
        return 1;
    case OM_ONE:
        o->kind = OPND_ONE;
        return 1;
    default:
        unreachable();
    }
}

/* Operand size for the row, SDM vol. 1, 3.6.1. Near branches ignore 66H in 64-bit mode as
 * Intel's CPUs do (RF_F64). */
static ALWAYS_INLINE void set_opsize(Dec *d, const RowInfo *row, bool d32)
{
    unsigned osz;
    bool w = d->in->rex & 8;

    if (d->m64) {
        osz = w || (row->flags & RF_F64) ? 2 : d->has66 ? 0 : row->flags & RF_D64 ? 2 : 1;
    } else {
        osz = d32 != d->has66;
    }
    if (d->enc != ENC_LEGACY) {
        osz = d->m64 && w ? 2 : 1;
    }
    d->osz = osz;
    d->in->opsize = 2 << osz;
}

/* What an EVEX prefix means for this row: before the operands. */
static void set_evex(Dec *d, const X86Row *row)
{
    X86Insn *in = d->in;

    if (d->evex_b && !in->is_mem) {
        in->sae = true;
        in->rc = row->ev & EV_RC ? 1 + d->vex_l : 0;
    }
    in->vl = row->ev & EV_LIG ? 16 : d->evex_b && !in->is_mem ? 64 : 16 << d->vex_l;
    if (row->ev & EV_VSIB) {
        in->index |= d->evex_v;
    } else {
        in->vvvv |= d->evex_v;
    }
}

/* After the operands: the broadcast element's size, and the displacement's unit. */
static void scale_disp(Dec *d, const X86Row *row)
{
    X86Insn *in = d->in;
    unsigned unit = 1u << (row->ev & 3), size = row->ev & (EV_VSIB | EV_T1) ? unit : 0;

    for (unsigned i = 0; i < in->nops && !size; i++) {
        size = in->op[i].kind == OPND_MEM ? in->op[i].size : 0;
    }
    if (d->evex_b) {
        size = row->ev & EV_BC32 ? 4 : row->ev & EV_BC64 ? 8 : size * unit / in->vl;
        in->bcast = size;
    }
    if (in->disp_len == 1) {
        in->disp *= size;
    }
}

static ALWAYS_INLINE int get_operands(Dec *d, const RowInfo *info)
{
    X86Insn *in = d->in;
    const uint64_t regs =
        (uint64_t)in->reg << 8 * SRC_REG | (uint64_t)in->rm << 8 * SRC_RM |
        (uint64_t)in->vvvv << 8 * SRC_VVVV |
        (uint64_t)((in->opcode & 7) | (in->rex & 1) << 3) << 8 * SRC_OPCODE;
    const unsigned mem = in->is_mem ? OPF_MEM : 0;

    for (unsigned n = 0; n < info->nops; n++) {
        const OpSource *s = &info->op[n];
        X86Opnd *o = &in->op[n];
        unsigned size = s->size[d->osz];
        int r = 1;
        if (likely(s->src < SRC_IMM)) {
            size = size ? size : in->vl >> (s->flags & OPF_SHIFT);
            unsigned kind = s->kind, reg = (regs >> 8 * s->src | s->fixed) & s->mask;
            if (s->flags & mem) {
                kind = OPND_MEM;
                reg = 0;
            } else if (size == 1 && kind == OPND_GPR && reg - 4 < 4 && !in->has_rex) {
                kind = OPND_GPR8H;
                reg -= 4;
            }
            o->kind = kind;
            o->reg = reg;
            o->size = size;
        } else if (s->src == SRC_IMM) {
            r = get_imm(d, o, size, s->flags & OPF_OPSIZE ? in->opsize : size,
                        s->flags & OPF_SIGNED);
            o->kind = s->kind;
        } else {
            r = set_operand(d, n, info->row->ops[n]);
        }
        if (unlikely(r <= 0)) {
            return r;
        }
        in->nops = n + 1;
    }
    return 1;
}

static ALWAYS_INLINE uint32_t legacy_situation(const Dec *d)
{
    const X86Insn *in = d->in;
    if (in->rep) {
        return SIT_PP(in->rep == 0xf3 ? PP_F3 : PP_F2) | (d->has66 ? SIT_66REP : 0);
    }
    return SIT_PP(d->has66 ? PP_66 : PP_NP);
}

int x86_decode(X86Insn *in, const uint8_t *bytes, unsigned n, uint32_t hflags,
               const uint32_t *feat)
{
    bool m64 = hflags & HF_CS64, d32 = hflags & HF_CS32;
    bool prot = (hflags & (HF_PE | HF_VM)) == HF_PE;
    Dec d = { .in = in, .p = bytes, .n = n > 15 ? 15 : n, .m64 = m64 };
    int r;

    x86_insn_blank(in);
    in->seg_prefix = SEG_NONE;
    in->vl = 16;
    r = get_prefixes(&d);
    if (r <= 0) {
        return r;
    }
    r = get_map(&d, prot);
    if (r <= 0) {
        return r;
    }
    in->opc_off = d.at;
    in->opcode = bytes[d.at++];
    in->opsize_prefix = d.has66;
    in->adsize = m64 ? (d.has67 ? 4 : 8) : d32 != d.has67 ? 4 : 2;

    const Slot *slot = &x86_slots[d.enc][d.map][in->opcode];
    uint32_t sit = m64 ? SIT_64 : prot ? SIT_PROT : SIT_REAL;
    sit |= SIT_W0 << (in->rex >> 3 & 1) | (uint32_t)(in->rex & 1) << SIT_REXB_BIT;
    if (d.enc == ENC_LEGACY) {
        sit |= legacy_situation(&d) | SIT_L0;
    } else {
        sit |= SIT_PP(d.pp) | (d.vex_l && d.enc == ENC_VEX ? SIT_L1 : SIT_L0) |
               (d.vvvv_used ? SIT_VVVV : 0);
    }
    if (slot->modrm) {
        if (!have(&d, 1)) {
            return short_of(&d);
        }
        uint8_t b = bytes[d.at++];
        in->modrm = b;
        in->has_modrm = true;
        in->mod = b >> 6;
        if (d.map == MAP_0F && (in->opcode & 0xfc) == 0x20) {
            in->mod = 3; /* MOV to and from CR and DR ignore mod, SDM vol. 2, MOV */
        }
        in->reg |= (b >> 3 & 7) | (in->rex & 4) << 1;
        in->rm = (b & 7) | (in->rex & 1) << 3;
        in->is_mem = in->mod != 3;
        sit |= (in->is_mem ? SIT_MEM : SIT_REGFORM) | SIT_REG(b >> 3 & 7) | SIT_RM(b & 7);
    }
    const RowInfo *info = match(&d, slot, sit, feat);
    if (!info) {
        return X86_DEC_UD;
    }
    const X86Row *row = info->row;
    __builtin_prefetch(row); /* whoever asked will look at it */
    set_opsize(&d, info, d32);
    in->seg = R_DS;
    if (in->is_mem) {
        r = get_address(&d, info->vsib);
        if (r <= 0) {
            return r;
        }
    }
    if (unlikely(d.enc == ENC_EVEX)) {
        set_evex(&d, row);
    }
    if (in->seg_prefix != SEG_NONE) {
        in->seg = in->seg_prefix;
    }
    r = get_operands(&d, info);
    if (r <= 0) {
        return r;
    }
    if (unlikely(d.enc == ENC_EVEX && in->is_mem)) {
        scale_disp(&d, row);
    }
    if (unlikely(in->lock) && (!(info->flags & RF_LOCK) || in->op[0].kind != OPND_MEM)) {
        return X86_DEC_UD;
    }
    in->len = d.at;
    if (likely(n >= 15)) {
        memcpy(in->bytes, bytes, 8); /* two moves, with a sanitizer, too: no call */
        memcpy(in->bytes + 7, bytes + 7, 8);
    } else {
        for (unsigned i = 0; i < d.at; i++) {
            in->bytes[i] = bytes[i];
        }
    }
    in->row = row;
    in->row_id = (uint16_t)(info - x86_row_info);
    return d.at;
}
