/* SPDX-License-Identifier: MIT */
/*
 * Windows: what is known of registers while a block is translated (docs/windows.md). Which of
 * them point into a range: checked, and moved since by no more than the areas' margins have room
 * for. Which are small enough for an index, and which of those are strides, so small that adding
 * one to a checked register keeps it checked.
 */
#include "target-x86/template.h"
#include "target-x86/window.h"

enum {
    MOVES_MOST = 1 << 18,    /* an addition that moves little, bytes */
    TINY = 1 << 16,          /* |value| of Tmpl.tiny */
    STRIDE_MOST = 10 * TINY, /* |value| of Tmpl.stride: LEA makes it of tiny ones */
    STRIDES_MOST = 150,      /* additions of strides in one block */
};

/* However long a trace, a checked register that moves little, with any displacement, stays
 * within the margins. */
_Static_assert((uint64_t)TB_MAX_TRACE * MOVES_MOST + 8ull * STRIDES_MOST * STRIDE_MOST + 2 * GiB +
                       8 * ((uint64_t)TB_MAX_TRACE * 4096 + (1ull << WIN_INDEX_BITS)) <
                   WIN_MARGIN,
               "TB_MAX_TRACE");

/* Adds only a small constant to its one destination: what was checked stays so. */
bool tmpl_moves_little(const X86Insn *in)
{
    uint8_t op = in->opcode;
    unsigned ext = in->modrm >> 3 & 7;

    if (in->row->enc != ENC_LEGACY || in->row->map != MAP_1 || in->opsize != 8) {
        return false;
    }
    if (op == 0x8d) {
        return in->adsize == 8 && in->index < 0 && in->base == in->op[0].reg &&
               in->disp < MOVES_MOST && in->disp > -MOVES_MOST;
    }
    if (in->is_mem) {
        return false;
    }
    if (op == 0x83) {
        return ext == 0 || ext == 5 || (ext == 4 && (int64_t)in->imm < 0);
    }
    if (op == 0x81) {
        return (ext == 0 || ext == 5) && (int64_t)in->imm < MOVES_MOST &&
               (int64_t)in->imm > -MOVES_MOST;
    }
    return op == 0xff && ext < 2;
}

/* The same for an index, which may be scaled by 8. */
static bool moves_index(const X86Insn *in)
{
    int64_t by = in->opcode == 0x8d ? in->disp : (int64_t)in->imm;
    return tmpl_moves_little(in) && (in->opcode == 0xff || (by <= 4096 && by >= -4096));
}

_Static_assert(WIN_INDEX_BITS == 32, "what 32-bit operations write is small");

/* Does an instruction of 32 bits write its first operand whatever its others are? */
static bool always_writes(const X86Insn *in)
{
    uint8_t op = in->opcode;

    if (in->row->map == MAP_0F) { /* CMOVcc, IMUL, MOVZX, MOVSX */
        return (op & 0xf0) == 0x40 || op == 0xaf || (op & 0xf6) == 0xb6;
    }
    return op < 0x40 || (op >= 0x80 && op <= 0x8d) || op == 0x63 || op == 0x69 || op == 0x6b ||
           (op & 0xf8) == 0xb8 || (op == 0xc1 && in->imm & 31) || op == 0xc7 || op == 0xf7 || op == 0xff;
}

/* The register that gets a small value (WIN_INDEX_BITS) by what the instruction is, bit mask. */
static uint32_t makes_small(const X86Insn *in, uint32_t written)
{
    const X86Opnd *d = &in->op[0];
    unsigned ext = in->modrm >> 3 & 7;
    bool small = false;

    if (in->row->enc != ENC_LEGACY || in->row->map > MAP_0F || in->opsize < 4 ||
        d->kind != OPND_GPR || d->size < 4 || !(written >> d->reg & 1)) {
        return 0;
    }
    if (d->size == 4) {
        small = always_writes(in);
    } else if (in->row->map == MAP_0F) { /* MOVZX, MOVSX */
        small = (in->opcode & 0xf6) == 0xb6;
    } else {
        switch (in->opcode) {
        case 0x31:
        case 0x33: small = !in->is_mem && d->reg == in->op[1].reg; break; /* XOR r, r */
        case 0x25: small = in->imm < 1ull << WIN_INDEX_BITS; break;        /* AND */
        case 0x81:
        case 0x83: small = ext == 4 && in->imm < 1ull << WIN_INDEX_BITS; break;
        case 0xc1: /* SHR */ small = ext == 5 && (in->imm & 63) >= 32; break;
        case 0x63: /* MOVSXD */
        case 0xc7: small = true; break;
        default: small = (in->opcode & 0xf8) == 0xb8 && in->imm < 1ull << WIN_INDEX_BITS;
        }
    }
    return small ? 1u << d->reg : 0;
}

/* The register that gets a tiny value by what the instruction is, bit mask. */
static uint32_t makes_tiny(const X86Insn *in, uint32_t written)
{
    const X86Opnd *d = &in->op[0];
    uint8_t op = in->opcode;
    bool tiny = false;

    if (in->row->enc != ENC_LEGACY || in->row->map > MAP_0F || in->opsize < 4 ||
        d->kind != OPND_GPR || d->size < 4 || !(written >> d->reg & 1)) {
        return 0;
    }
    if (in->row->map == MAP_0F) { /* MOVZX, MOVSX */
        tiny = (op & 0xfe) == 0xb6 || ((op & 0xfe) == 0xbe && in->opsize == 8);
    } else if ((op & 0xf8) == 0xb8) {
        tiny = in->imm < TINY;
    } else {
        tiny = (op == 0x31 || op == 0x33) && !in->is_mem && d->reg == in->op[1].reg;
    }
    return tiny ? 1u << d->reg : 0;
}

static bool is_lea(const X86Insn *in)
{
    return in->row->enc == ENC_LEGACY && in->row->map == MAP_1 && in->opcode == 0x8d &&
           in->opsize == 8 && in->adsize == 8 && in->base < 16;
}

/* LEA of tiny registers alone. */
static uint32_t makes_stride(const Tmpl *t, const X86Insn *in)
{
    enum { DISP_MOST = 4096 };

    if (!is_lea(in) || in->disp > DISP_MOST || in->disp < -DISP_MOST ||
        (in->base >= 0 && !(t->tiny >> in->base & 1)) ||
        (in->index >= 0 && !(t->tiny >> in->index & 1))) {
        return 0;
    }
    return 1u << in->op[0].reg;
}

_Static_assert(9 * TINY + 4096 <= STRIDE_MOST, "base and eight times the index");

int tmpl_adds_to_pointer(const X86Insn *in)
{
    if (in->row->enc != ENC_LEGACY || in->row->map != MAP_1 || in->opsize != 8) {
        return -1;
    }
    switch (in->opcode) {
    case 0x01:
    case 0x03:
    case 0x29:
    case 0x2b: /* ADD, SUB r, r */
        return in->is_mem || in->op[0].reg == in->op[1].reg ? -1 : in->op[1].reg;
    case 0x8d: return is_lea(in) && in->base >= 0 ? in->index : -1;
    default: return -1;
    }
}

/* The register of which what is known goes for the first operand now: MOV r, r, and what adds
 * little or a stride to it. */
static int pointer_from(Tmpl *t, const X86Insn *in)
{
    int by = tmpl_adds_to_pointer(in);

    if (in->row->enc != ENC_LEGACY || in->row->map != MAP_1 || in->opsize != 8) {
        return -1;
    }
    if (by >= 0 && (!(t->stride >> by & 1) || t->nstrides >= STRIDES_MOST)) {
        return -1;
    }
    t->nstrides += by >= 0;
    if (in->opcode == 0x8d) {
        bool little = in->disp < MOVES_MOST && in->disp > -MOVES_MOST;
        return little && in->adsize == 8 && in->base < 16 && (in->index < 0 || by >= 0)
                   ? in->base
                   : -1;
    }
    if (in->opcode == 0x89 || in->opcode == 0x8b) {
        return in->is_mem ? -1 : in->op[1].reg;
    }
    return by >= 0 ? in->op[0].reg : -1;
}

void tmpl_knows_index(Tmpl *t, unsigned g, bool tiny)
{
    t->small |= 1u << g;
    t->tiny |= (uint32_t)tiny << g;
    t->stride |= (uint32_t)tiny << g;
}

/* Bit `from` of *known goes to bit `to`, if it `counts`. */
static void copy_bit(uint32_t *known, unsigned to, unsigned from, bool counts)
{
    *known = (*known & ~(1u << to)) | (uint32_t)(counts && *known >> from & 1) << to;
}

void tmpl_win_after(Tmpl *t, const X86Insn *in)
{
    if (!t->win) {
        return;
    }
    uint32_t w = t->writes[t->i], tiny = makes_tiny(in, w), stride = makes_stride(t, in);
    int from = pointer_from(t, in);
    unsigned to = in->op[0].reg;
    if (t->s1_host && w >> (t->s1_host - 1) & 1) {
        t->s1_host = 0;
    }
    if (from >= 0 && from != (int)to) {
        bool same = in->opcode != 0x8d;
        copy_bit(&t->verified[0], to, from, true);
        copy_bit(&t->verified[1], to, from, true);
        copy_bit(&t->both, to, from, true);
        copy_bit(&t->small, to, from, same);
        copy_bit(&t->tiny, to, from, same);
        copy_bit(&t->stride, to, from, same);
    } else {
        bool keeps = tmpl_moves_little(in) || from >= 0;
        t->both &= keeps ? ~0u : ~w;
        t->verified[0] &= keeps ? ~0u : ~w;
        t->verified[1] &= keeps ? ~0u : ~w;
        t->small &= moves_index(in) ? ~0u : ~w;
        t->tiny &= ~w;
        t->stride &= ~w;
        t->small |= makes_small(in, w);
    }
    t->small |= tiny | stride;
    t->tiny |= tiny;
    t->stride |= tiny | stride;
}
