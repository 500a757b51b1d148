/* SPDX-License-Identifier: MIT */
/*
 * Between the decoder (decode.c) and its index of the rows (decode_index.c). Constant after
 * x86_decode_init().
 */
#ifndef TARGET_X86_DECODE_INT_H
#define TARGET_X86_DECODE_INT_H

#include "target-x86/decode.h"

/* What a row accepts, and what the instruction at hand is: one bit per property, so that
 * the test is one AND. */
#define SIT_PP(pp) (1u << ((pp)-PP_NP)) /* bits 0-3 */
#define SIT_MEM (1u << 4)
#define SIT_REGFORM (1u << 5)
#define SIT_REG(n) (1u << (6 + (n)))
#define SIT_RM(n) (1u << (14 + (n)))
#define SIT_REAL (1u << 22) /* real or virtual-8086 mode */
#define SIT_PROT (1u << 23)
#define SIT_64 (1u << 24)
#define SIT_L0 (1u << 25)
#define SIT_L1 (1u << 26)
#define SIT_W0 (1u << 27)
#define SIT_W1 (1u << 28)
#define SIT_REXB_BIT 29
#define SIT_REXB (1u << SIT_REXB_BIT)
#define SIT_VVVV (1u << 30)  /* VEX.vvvv names a register */
#define SIT_66REP (1u << 31) /* 66H beside F2H or F3H */

/* Where an operand comes from. The sources below SRC_IMM are register numbers. */
enum {
    SRC_FIXED,
    SRC_REG,
    SRC_RM,
    SRC_VVVV,
    SRC_OPCODE,
    SRC_IMM,
    SRC_OTHER, /* set_operand() looks at the row's code */
};
enum { OPF_MEM = 0x80, OPF_SIGNED = 0x40, OPF_OPSIZE = 0x20, OPF_SHIFT = 7 };

typedef struct OpSource {
    uint8_t src;         /* SRC_* */
    uint8_t kind;        /* OPND_* of the register, or of the immediate */
    uint8_t mask, fixed; /* register number = (source | fixed) & mask */
    uint8_t size[3];     /* bytes by operand size 2, 4, 8; 0: vl >> (flags & OPF_SHIFT) */
    uint8_t flags; /* OPF_MEM: ModRM may name memory instead. Immediates: OPF_SIGNED,
                      * and OPF_OPSIZE: used with the operand size */
} OpSource;

/* A row as the decoder wants it: a cache line. */
typedef struct RowInfo {
    const X86Row *row;
    uint32_t flags; /* the row's */
    uint8_t nops;
    bool vsib; /* the index is a vector register */
    OpSource op[4];
} __attribute__((aligned(64))) RowInfo;

typedef struct Cand {
    uint32_t accept; /* SIT_* */
    uint16_t feat;
    uint16_t info; /* index in x86_row_info */
} Cand;

typedef struct Slot {
    uint16_t start, count; /* of x86_cands */
    uint32_t modrm;        /* do its rows have a ModRM byte? */
} Slot;

enum { NENC = ENC_EVEX + 1, MAX_CANDS = 12000 };

extern Slot x86_slots[NENC][X86_NMAPS][256];
extern Cand x86_cands[MAX_CANDS];
extern RowInfo x86_row_info[X86_MAX_ROWS];

/* Does some operand of the row have this addressing method? */
bool x86_row_has(const X86Row *row, unsigned method);
/* Operand size in bytes by size code and operand size 2, 4, 8 (0: by VEX.L). */
extern const uint8_t x86_opnd_bytes[OS_any + 1][3];

#endif
