/* SPDX-License-Identifier: MIT */
/* x86-64 instruction encoder (enc.h); SDM vol. 2, 2.1-2.3 and appendix B. */
#include "tcg/x86/enc.h"

void enc_u32(Enc *e, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) {
        enc_u8(e, v >> (8 * i));
    }
}

void enc_u64(Enc *e, uint64_t v)
{
    enc_u32(e, v);
    enc_u32(e, v >> 32);
}

/* scaled: an 8-bit displacement would count in operands (EVEX): it is not used. */
static void enc_modrm(Enc *e, int reg, Rm rm, unsigned imm_len, bool scaled)
{
    unsigned r = (reg & 7) << 3;

    if (rm.kind == RM_REG) {
        enc_u8(e, 0xc0 | r | (rm.base & 7));
        return;
    }
    if (rm.kind == RM_ENV) { /* RIP-relative: counts from the instruction's end */
        enc_u8(e, 0x05 | r);
        enc_u32(e, (uint32_t)(e->env_base + rm.disp - (int64_t)(e->off + 4 + imm_len)));
        return;
    }
    bool sib = rm.index >= 0 || rm.base < 0 || (rm.base & 7) == H_RSP;
    unsigned mod = rm.base < 0                               ? 0
                   : rm.disp == 0 && (rm.base & 7) != H_RBP ? 0
                   : rm.disp == (int8_t)rm.disp && !scaled  ? 1
                                                            : 2;
    enc_u8(e, mod << 6 | r | (sib ? 4 : rm.base & 7));
    if (sib) {
        enc_u8(e, rm.scale << 6 | (rm.index < 0 ? 4 : rm.index & 7) << 3 |
                      (rm.base < 0 ? 5 : rm.base & 7));
    }
    if (rm.base < 0 || mod == 2) {
        enc_u32(e, rm.disp);
    } else if (mod == 1) {
        enc_u8(e, rm.disp);
    }
}

void enc_op(Enc *e, const Op *op, int reg, Rm rm)
{
    unsigned r = reg >> 3 & 1, b = rm.base > 7, x = rm.index > 7;

    if (rm.seg) {
        enc_u8(e, rm.seg);
    }

    static const uint8_t pps[] = { [0x66] = 1, [0xf3] = 2, [0xf2] = 3 };
    unsigned pp = op->prefix && (op->vex || op->evex) ? pps[op->prefix] : 0;
    if (op->evex) {
        b = rm.base >> 3 & 1 & (rm.base >= 0);
        x |= rm.kind == RM_REG && rm.base > 15;
        enc_u8(e, 0x62);
        enc_u8(e, !r << 7 | !x << 6 | !b << 5 | !(reg >> 4 & 1) << 4 | op->map);
        enc_u8(e, op->w << 7 | (~op->vvvv & 15) << 3 | 4 | pp);
        enc_u8(e, op->evex_z | !(op->vvvv >> 4 & 1) << 3);
    } else if (op->vex) {
        unsigned tail = (~op->vvvv & 15) << 3 | op->l << 2 | pp;
        if (op->map == 1 && !x && !b && !op->w) {
            enc_u8(e, 0xc5);
            enc_u8(e, !r << 7 | tail);
        } else {
            enc_u8(e, 0xc4);
            enc_u8(e, !r << 7 | !x << 6 | !b << 5 | op->map);
            enc_u8(e, op->w << 7 | tail);
        }
    } else {
        if (op->prefix2) {
            enc_u8(e, op->prefix2);
        }
        if (op->prefix) {
            enc_u8(e, op->prefix);
        }
        unsigned rex = op->w << 3 | r << 2 | x << 1 | b;
        if (rex || op->force_rex) {
            enc_u8(e, 0x40 | rex);
        }
        if (op->map) {
            enc_u8(e, 0x0f);
        }
        if (op->map > 1) {
            enc_u8(e, op->map == 2 ? 0x38 : 0x3a);
        }
    }
    enc_u8(e, op->opcode);
    enc_modrm(e, reg, rm, op->imm_len, op->evex);
}

static void op1(Enc *e, uint8_t opcode, bool w, int reg, Rm rm)
{
    Op op = { .opcode = opcode, .w = w };
    enc_op(e, &op, reg, rm);
}

void enc_mov_rr(Enc *e, int d, int s) { op1(e, 0x89, true, s, rm_reg(d)); }
void enc_mov_rr32(Enc *e, int d, int s) { op1(e, 0x89, false, s, rm_reg(d)); }
void enc_load(Enc *e, int d, Rm m) { op1(e, 0x8b, true, d, m); }
void enc_load32(Enc *e, int d, Rm m) { op1(e, 0x8b, false, d, m); }
void enc_store(Enc *e, Rm m, int s) { op1(e, 0x89, true, s, m); }
void enc_store32(Enc *e, Rm m, int s) { op1(e, 0x89, false, s, m); }
void enc_lea(Enc *e, int d, Rm m, bool w) { op1(e, 0x8d, w, d, m); }

void enc_mov_ri(Enc *e, int d, uint64_t imm)
{
    if (imm == (uint32_t)imm) {
        if (d > 7) {
            enc_u8(e, 0x41);
        }
        enc_u8(e, 0xb8 | (d & 7));
        enc_u32(e, imm);
    } else if ((int64_t)imm == (int32_t)imm) {
        Op op = { .opcode = 0xc7, .w = true, .imm_len = 4 };
        enc_op(e, &op, 0, rm_reg(d));
        enc_u32(e, imm);
    } else {
        enc_u8(e, 0x48 | (d > 7));
        enc_u8(e, 0xb8 | (d & 7));
        enc_u64(e, imm);
    }
}

void enc_alu_rm(Enc *e, int alu, int d, Rm m) { op1(e, alu << 3 | 3, true, d, m); }
void enc_alu_mr(Enc *e, int alu, Rm m, int s) { op1(e, alu << 3 | 1, true, s, m); }

void enc_alu_ri(Enc *e, int alu, int d, int32_t imm, bool w)
{
    bool small = imm == (int8_t)imm;
    Op op = { .opcode = small ? 0x83 : 0x81, .w = w };
    enc_op(e, &op, alu, rm_reg(d));
    if (small) {
        enc_u8(e, imm);
    } else {
        enc_u32(e, imm);
    }
}

void enc_alu_mi32(Enc *e, int alu, Rm m, int32_t imm)
{
    bool small = imm == (int8_t)imm;
    Op op = { .opcode = small ? 0x83 : 0x81, .imm_len = small ? 1 : 4 };
    enc_op(e, &op, alu, m);
    if (small) {
        enc_u8(e, imm);
    } else {
        enc_u32(e, imm);
    }
}

void enc_shift_ri(Enc *e, int ext, int d, uint8_t n, bool w)
{
    Op op = { .opcode = 0xc1, .w = w };
    enc_op(e, &op, ext, rm_reg(d));
    enc_u8(e, n);
}

void enc_jmp_rm(Enc *e, Rm m) { op1(e, 0xff, false, 4, m); }
void enc_call_rm(Enc *e, Rm m) { op1(e, 0xff, false, 2, m); }

void enc_push(Enc *e, int r)
{
    if (r > 7) {
        enc_u8(e, 0x41);
    }
    enc_u8(e, 0x50 | (r & 7));
}

void enc_pop(Enc *e, int r)
{
    if (r > 7) {
        enc_u8(e, 0x41);
    }
    enc_u8(e, 0x58 | (r & 7));
}

void enc_ret(Enc *e) { enc_u8(e, 0xc3); }

uint32_t enc_jmp(Enc *e)
{
    enc_u8(e, 0xe9);
    enc_u32(e, 0);
    return e->off - 4;
}

uint32_t enc_jcc(Enc *e, int cc)
{
    enc_u8(e, 0x0f);
    enc_u8(e, 0x80 | cc);
    enc_u32(e, 0);
    return e->off - 4;
}

void enc_jmp_to(Enc *e, uint32_t target)
{
    uint32_t at = enc_jmp(e);
    if (!e->full) {
        enc_patch(e, at, target);
    }
}

void enc_patch(Enc *e, uint32_t at, uint32_t target)
{
    if (!e->full) {
        __atomic_store_n((uint32_t *)(e->rw + at), target - (at + 4), __ATOMIC_RELEASE);
    }
}

void enc_nop(Enc *e, unsigned n)
{
    /* multi-byte NOPs, SDM vol. 2, NOP */
    static const uint8_t nops[6][5] = {
        { 0 }, { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0x00 },
        { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
    };
    while (n) {
        unsigned k = n > 5 ? 5 : n;
        for (unsigned i = 0; i < k; i++) {
            enc_u8(e, nops[k][i]);
        }
        n -= k;
    }
}

void enc_align_rel32(Enc *e, unsigned opcode_bytes)
{
    enc_nop(e, -(e->off + opcode_bytes) & 3);
}
