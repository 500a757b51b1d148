/* SPDX-License-Identifier: MIT */
/*
 * x86-64 instruction encoder: a small vocabulary by instruction shape (SDM vol. 2,
 * chapter 2). Knows neither guests nor IR. The writer checks room once per instruction
 * group with enc_room(); an instruction that does not fit is not written and e->full is set.
 * Whole words are stored: up to ENC_SLACK bytes behind an instruction, but not beyond the
 * end, hold anything.
 */
#ifndef TCG_X86_ENC_H
#define TCG_X86_ENC_H

#include "util/compiler.h"
#include <string.h>

enum {
    H_RAX, H_RCX, H_RDX, H_RBX, H_RSP, H_RBP, H_RSI, H_RDI,
    H_R8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15,
};
enum { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP };

/* Where the fields lie whose value depends on where the code is: 32-bit displacements from
 * the instruction (code offsets). May name one twice. More than fit: n goes on. */
enum { ENC_NOTES = 4096 };
typedef struct EncNotes {
    unsigned n;
    uint32_t at[ENC_NOTES];
} EncNotes;

typedef struct Enc {
    uint8_t *rw;        /* writer's address of code offset 0 */
    uint32_t off, end;  /* next code offset; limit */
    bool full;
    int64_t env_base;   /* address of env-area offset 0 relative to code offset 0 */
    EncNotes *notes;    /* or NULL; jumps within a block are not all there */
} Enc;

static inline void enc_note(const Enc *e, uint32_t at)
{
    if (e->notes) {
        e->notes->at[MIN(e->notes->n, ENC_NOTES - 1u)] = at;
        e->notes->n++;
    }
}

/* The r/m operand. */
enum { RM_REG, RM_MEM, RM_ENV };
/* One register's worth: it is passed by value everywhere, and a compiler that puts it
 * together from pieces in memory waits for each store. */
typedef struct Rm {
    uint64_t kind : 2;  /* RM_* */
    int64_t base : 8;   /* register, or -1 */
    int64_t index : 8;  /* or -1; never RSP */
    uint64_t scale : 2; /* shift */
    int64_t disp : 32;  /* RM_ENV: offset in the env area */
    uint64_t seg : 8;   /* segment-override prefix (0x64, 0x65), 0 = none */
} Rm;
_Static_assert(sizeof(Rm) == 8, "fits a register");

static inline Rm rm_reg(int r) { return (Rm){ RM_REG, r, -1, 0, 0, 0 }; }
static inline Rm rm_mem(int base, int32_t disp) { return (Rm){ RM_MEM, base, -1, 0, disp, 0 }; }
static inline Rm rm_env(int32_t off) { return (Rm){ RM_ENV, -1, -1, 0, off, 0 }; }

/* How an instruction is encoded apart from its operands. */
typedef struct Op {
    uint8_t prefix;     /* 0, 0x66, 0xf2, 0xf3 (mandatory or operand size) */
    uint8_t prefix2;    /* a second legacy prefix (LOCK 0xf0, 0x66 beside F2/F3) */
    uint8_t map;        /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A */
    uint8_t opcode;
    bool w;             /* REX.W / VEX.W */
    bool force_rex;     /* SPL..DIL */
    uint8_t imm_len;    /* immediate bytes that the caller adds behind */
    bool vex;           /* VEX encoding: */
    uint8_t vvvv, l;    /*   second source (0..15), vector length bit */
    bool evex;          /* EVEX encoding: registers 0..31, vvvv too; */
    uint8_t evex_z;     /*   its third byte without V': z, L'L, b, aaa (SDM 2.7.1) */
} Op;

enum { ENC_SLACK = 24 }; /* the longest instruction, and a word's store behind it */

static inline bool enc_room(const Enc *e, uint32_t n) { return e->end - e->off >= n; }

/* The low n bytes of v, n up to 8. */
static inline void enc_bytes(Enc *e, uint64_t v, unsigned n)
{
    if (likely(enc_room(e, ENC_SLACK))) {
        memcpy(e->rw + e->off, &v, 8);
        e->off += n;
    } else {
        e->full = true;
    }
}
static inline void enc_u8(Enc *e, uint8_t b) { enc_bytes(e, b, 1); }
static inline void enc_u32(Enc *e, uint32_t v) { enc_bytes(e, v, 4); }
static inline void enc_u64(Enc *e, uint64_t v) { enc_bytes(e, v, 8); }

/* An instruction of n bytes as it is; 15 can be read at b. */
static inline void enc_copy(Enc *e, const uint8_t *b, unsigned n)
{
    if (likely(enc_room(e, ENC_SLACK))) {
        memcpy(e->rw + e->off, b, 15);
        e->off += n;
    } else {
        e->full = true;
    }
}

/* n bytes of code made beforehand, n constant; returns where they are, to fill in fields
 * (enc_put32), or NULL. */
static inline uint8_t *enc_code(Enc *e, const uint8_t *b, unsigned n)
{
    if (unlikely(!enc_room(e, n + ENC_SLACK))) {
        e->full = true;
        return NULL;
    }
    uint8_t *p = e->rw + e->off;
    memcpy(p, b, n);
    e->off += n;
    return p;
}
static inline void enc_put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
/* The displacement at p[at], last in its instruction, so that it means env-area offset off;
 * p lies at code offset from. */
static inline void enc_put_env(const Enc *e, uint8_t *p, unsigned at, uint32_t from,
                               int32_t off)
{
    enc_put32(p + at, (uint32_t)(e->env_base + off - (int64_t)(from + at + 4)));
    enc_note(e, from + at);
}

/* prefixes, opcode, ModRM, SIB, displacement */
void enc_op(Enc *e, const Op *op, int reg, Rm rm);

/* --- the vocabulary --- */
void enc_mov_rr(Enc *e, int d, int s);                 /* 64-bit */
void enc_mov_rr32(Enc *e, int d, int s);
void enc_mov_ri(Enc *e, int d, uint64_t imm);          /* shortest; flags kept */
void enc_load(Enc *e, int d, Rm m);                    /* mov r64, m */
void enc_load32(Enc *e, int d, Rm m);
void enc_store(Enc *e, Rm m, int s);                   /* mov m, r64 */
void enc_store32(Enc *e, Rm m, int s);
void enc_lea(Enc *e, int d, Rm m, bool w);
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
void enc_alu_rm(Enc *e, int alu, int d, Rm m);         /* op r64, r/m64 */
void enc_alu_mr(Enc *e, int alu, Rm m, int s);         /* op r/m64, r64 */
void enc_alu_ri(Enc *e, int alu, int d, int32_t imm, bool w);
void enc_alu_mi32(Enc *e, int alu, Rm m, int32_t imm); /* op m32, imm */
void enc_shift_ri(Enc *e, int ext, int d, uint8_t n, bool w); /* ext: 4 SHL 5 SHR 7 SAR */
void enc_jmp_rm(Enc *e, Rm m);
void enc_call_rm(Enc *e, Rm m);
void enc_push(Enc *e, int r);
void enc_pop(Enc *e, int r);
void enc_ret(Enc *e);
/* Jumps with rel32; return the code offset of the rel32 for enc_patch. */
uint32_t enc_jmp(Enc *e);
uint32_t enc_jcc(Enc *e, int cc);
void enc_jmp_to(Enc *e, uint32_t target);
void enc_call_to(Enc *e, uint32_t target);
/* Points the rel32 at `at` to code offset `target`. Atomic if `at` is 4-aligned. */
void enc_patch(Enc *e, uint32_t at, uint32_t target);
void enc_nop(Enc *e, unsigned n);
/* Pads so that the rel32 of a jump with an n-byte opcode will be 4-aligned. */
void enc_align_rel32(Enc *e, unsigned opcode_bytes);

#endif
