/* SPDX-License-Identifier: MIT */
/* x86-64 instruction encoder (enc.h); SDM vol. 2, 2.1-2.3 and appendix B. */
#include "tcg/x86/enc.h"

/* An instruction under way: prefixes and opcode collect in `head` and are stored as one
 * word, ModRM and what follows come behind them. */
typedef struct Word {
    uint64_t v;
    unsigned bits;
} Word;

static ALWAYS_INLINE void word_add(Word *w, uint32_t v, unsigned bytes)
{
    w->v |= (uint64_t)v << w->bits;
    w->bits += 8 * bytes;
}

static ALWAYS_INLINE void store32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static ALWAYS_INLINE void store64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

/* ModRM, SIB and displacement to offset `off`, where ENC_SLACK bytes are free; returns the
 * offset behind them. scaled: an 8-bit displacement would count in operands (EVEX): it is
 * not used. */
static ALWAYS_INLINE uint32_t modrm(const Enc *e, uint32_t off, int reg, Rm rm,
                                    unsigned imm_len, bool scaled)
{
    uint8_t *p = e->rw + off;
    unsigned r = (reg & 7) << 3, b = rm.base & 7;

    if (rm.kind == RM_REG) {
        *p = 0xc0 | r | b;
        return off + 1;
    }
    if (rm.kind == RM_ENV) { /* RIP-relative: counts from the instruction's end */
        *p = 0x05 | r;
        store32(p + 1, (uint32_t)(e->env_base + rm.disp - (int64_t)(off + 5 + imm_len)));
        enc_note(e, off + 1);
        return off + 5;
    }
    unsigned mod, len;
    if (rm.base < 0) {
        mod = 0;
        len = 4;
        b = 5;
    } else {
        len = rm.disp == 0 && b != H_RBP                ? 0
              : rm.disp == (int8_t)rm.disp && !scaled ? 1
                                                      : 4;
        mod = (len + 2) / 3 << 6; /* 0, 1, 2 */
    }
    if (rm.index >= 0 || rm.base < 0 || b == H_RSP) {
        *p++ = mod | r | 4;
        *p = rm.scale << 6 | (rm.index < 0 ? 4 : rm.index & 7) << 3 | b;
        off++;
    } else {
        *p = mod | r | b;
    }
    store32(p + 1, rm.disp);
    return off + 1 + len;
}

void enc_op(Enc *e, const Op *op, int reg, Rm rm)
{
    static const uint8_t pps[256] = { [0x66] = 1, [0xf3] = 2, [0xf2] = 3 };
    unsigned r = reg >> 3 & 1, b = rm.base > 7, x = rm.index > 7;
    Word w = { 0 };

    if (unlikely(!enc_room(e, ENC_SLACK))) {
        e->full = true;
        return;
    }
    if (rm.seg) {
        word_add(&w, rm.seg, 1);
    }
    if (likely(!op->vex && !op->evex)) {
        if (op->prefix2) {
            word_add(&w, op->prefix2, 1);
        }
        if (op->prefix) {
            word_add(&w, op->prefix, 1);
        }
        unsigned rex = op->w << 3 | r << 2 | x << 1 | b;
        if (rex | op->force_rex) {
            word_add(&w, 0x40 | rex, 1);
        }
        if (op->map) {
            word_add(&w, 0x0f, 1);
            if (op->map > 1) {
                word_add(&w, op->map == 2 ? 0x38 : 0x3a, 1);
            }
        }
    } else if (op->evex) {
        b = rm.base >> 3 & 1 & (rm.base >= 0);
        x = rm.index >> 3 & 1 & (rm.index >= 0); /* a vector index has a fifth bit, in V' */
        x |= rm.kind == RM_REG && rm.base > 15;
        word_add(&w, 0x62, 1);
        word_add(&w, !r << 7 | !x << 6 | !b << 5 | !(reg >> 4 & 1) << 4 | op->map, 1);
        word_add(&w, op->w << 7 | (~op->vvvv & 15) << 3 | 4 | pps[op->prefix], 1);
        word_add(&w, op->evex_z | !(op->vvvv >> 4 & 1) << 3, 1);
    } else {
        unsigned tail = (~op->vvvv & 15) << 3 | op->l << 2 | pps[op->prefix];
        if (op->map == 1 && !x && !b && !op->w) {
            word_add(&w, 0xc5 | (!r << 7 | tail) << 8, 2);
        } else {
            word_add(&w, 0xc4 | (!r << 7 | !x << 6 | !b << 5 | op->map) << 8, 2);
            word_add(&w, op->w << 7 | tail, 1);
        }
    }
    word_add(&w, op->opcode, 1);
    store64(e->rw + e->off, w.v);
    e->off = modrm(e, e->off + w.bits / 8, reg, rm, op->imm_len, op->evex);
}

/* One-byte opcode without legacy prefixes. */
static ALWAYS_INLINE void op_at(Enc *e, uint8_t opcode, bool w, int reg, Rm rm,
                                unsigned imm_len)
{
    unsigned rex = w << 3 | (reg > 7) << 2 | (rm.index > 7) << 1 | (rm.base > 7);
    uint32_t off = e->off;

    if (unlikely(!enc_room(e, ENC_SLACK))) {
        e->full = true;
        return;
    }
    if (unlikely(rm.seg)) {
        e->rw[off++] = rm.seg;
    }
    if (rex) {
        e->rw[off++] = 0x40 | rex;
    }
    e->rw[off++] = opcode;
    e->off = modrm(e, off, reg, rm, imm_len, false);
}

static NOINLINE void op1(Enc *e, uint8_t opcode, bool w, int reg, Rm rm)
{
    if (rm.kind == RM_ENV) {
        unsigned rex = w << 3 | (reg > 7) << 2, n = rex ? 7 : 6;
        uint64_t disp = (uint32_t)(e->env_base + rm.disp - (int64_t)(e->off + n));
        uint64_t v = opcode | (5 | (reg & 7) << 3) << 8 | disp << 16;
        enc_bytes(e, rex ? 0x40 | rex | v << 8 : v, n);
        enc_note(e, e->off - 4);
        return;
    }
    op_at(e, opcode, w, reg, rm, 0);
}

/* The same between two registers. */
static ALWAYS_INLINE void op_rr(Enc *e, uint8_t opcode, bool w, int reg, int base)
{
    unsigned rex = w << 3 | (reg > 7) << 2 | (base > 7);
    uint32_t tail = opcode | (0xc0u | (reg & 7) << 3 | (base & 7)) << 8;

    enc_bytes(e, rex ? 0x40 | rex | tail << 8 : tail, rex ? 3 : 2);
}

void enc_mov_rr(Enc *e, int d, int s) { op_rr(e, 0x89, true, s, d); }
void enc_mov_rr32(Enc *e, int d, int s) { op_rr(e, 0x89, false, s, d); }
void enc_load(Enc *e, int d, Rm m) { op1(e, 0x8b, true, d, m); }
void enc_load32(Enc *e, int d, Rm m) { op1(e, 0x8b, false, d, m); }
void enc_store(Enc *e, Rm m, int s) { op1(e, 0x89, true, s, m); }
void enc_store32(Enc *e, Rm m, int s) { op1(e, 0x89, false, s, m); }
void enc_lea(Enc *e, int d, Rm m, bool w) { op1(e, 0x8d, w, d, m); }

void enc_mov_ri(Enc *e, int d, uint64_t imm)
{
    unsigned b = d > 7;

    if (imm == (uint32_t)imm) {
        uint64_t v = 0xb8 | (d & 7) | imm << 8;
        enc_bytes(e, b ? 0x41 | v << 8 : v, 5 + b);
    } else if ((int64_t)imm == (int32_t)imm) {
        enc_bytes(e, (0x48 | b) | 0xc7 << 8 | (0xc0u | (d & 7)) << 16 | imm << 24, 7);
    } else {
        enc_bytes(e, (0x48 | b) | (0xb8 | (d & 7)) << 8, 2);
        enc_u64(e, imm);
    }
}

void enc_alu_rm(Enc *e, int alu, int d, Rm m) { op1(e, alu << 3 | 3, true, d, m); }
void enc_alu_mr(Enc *e, int alu, Rm m, int s) { op1(e, alu << 3 | 1, true, s, m); }

void enc_alu_ri(Enc *e, int alu, int d, int32_t imm, bool w)
{
    bool small = imm == (int8_t)imm;

    op_rr(e, small ? 0x83 : 0x81, w, alu, d);
    enc_bytes(e, (uint32_t)imm, small ? 1 : 4);
}

void enc_alu_mi32(Enc *e, int alu, Rm m, int32_t imm)
{
    bool small = imm == (int8_t)imm;

    op_at(e, small ? 0x83 : 0x81, false, alu, m, small ? 1 : 4);
    enc_bytes(e, (uint32_t)imm, small ? 1 : 4);
}

void enc_shift_ri(Enc *e, int ext, int d, uint8_t n, bool w)
{
    op_rr(e, 0xc1, w, ext, d);
    enc_u8(e, n);
}

void enc_jmp_rm(Enc *e, Rm m) { op1(e, 0xff, false, 4, m); }
void enc_call_rm(Enc *e, Rm m) { op1(e, 0xff, false, 2, m); }

void enc_push(Enc *e, int r)
{
    enc_bytes(e, r > 7 ? 0x41 | (0x50 | (r & 7)) << 8 : 0x50 | r, 1 + (r > 7));
}

void enc_pop(Enc *e, int r)
{
    enc_bytes(e, r > 7 ? 0x41 | (0x58 | (r & 7)) << 8 : 0x58 | r, 1 + (r > 7));
}

void enc_ret(Enc *e) { enc_u8(e, 0xc3); }

uint32_t enc_jmp(Enc *e)
{
    enc_bytes(e, 0xe9, 5);
    return e->off - 4;
}

uint32_t enc_jcc(Enc *e, int cc)
{
    enc_bytes(e, 0x0f | (0x80 | cc) << 8, 6);
    return e->off - 4;
}

void enc_jmp_to(Enc *e, uint32_t target)
{
    enc_bytes(e, 0xe9 | (uint64_t)(target - (e->off + 5)) << 8, 5);
    enc_note(e, e->off - 4);
}

void enc_call_to(Enc *e, uint32_t target)
{
    enc_bytes(e, 0xe8 | (uint64_t)(target - (e->off + 5)) << 8, 5);
    enc_note(e, e->off - 4);
}

void enc_patch(Enc *e, uint32_t at, uint32_t target)
{
    if (!e->full) {
        __atomic_store_n((uint32_t *)(e->rw + at), target - (at + 4), __ATOMIC_RELEASE);
        enc_note(e, at);
    }
}

void enc_nop(Enc *e, unsigned n)
{
    /* multi-byte NOPs, SDM vol. 2, NOP */
    static const uint64_t nops[6] = { 0, 0x90, 0x9066, 0x001f0f, 0x00401f0f, 0x0000441f0f };
    while (n) {
        unsigned k = n > 5 ? 5 : n;
        enc_bytes(e, nops[k], k);
        n -= k;
    }
}

void enc_align_rel32(Enc *e, unsigned opcode_bytes)
{
    enc_nop(e, -(e->off + opcode_bytes) & 3);
}
