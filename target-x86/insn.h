/* SPDX-License-Identifier: MIT */
/*
 * Instruction rows and decoded instructions. One row states everything the decoder,
 * the template translator, the interpreter and the test generators need to know about
 * an instruction form; operand codes are those of SDM vol. 2, appendix A.2.
 *
 * Rows live beside their reference functions in target-x86/rows_*.c, one family per
 * file; insn_tables.c lists the families.
 */
#ifndef TARGET_X86_INSN_H
#define TARGET_X86_INSN_H

#include <string.h>
#include "target-x86/cpu.h"

typedef struct X86Insn X86Insn;
typedef struct X86Row X86Row;

/* Reference function of a row: executes one instruction on cpu->st. On entry st.rip is
 * the instruction's own address and cpu->next_rip the following one; branches (and REP
 * forms that want to be entered again) write next_rip. Must make no architectural
 * change before its last access that can fault (restartable REP iterations excepted). */
typedef void X86ExecFn(X86Cpu *cpu, const X86Insn *in);

/* ---- operand codes ---- */
enum { /* addressing method */
    OM_NONE,
    OM_E,   /* ModRM.rm: register or memory, general */
    OM_G,   /* ModRM.reg: general */
    OM_R,   /* ModRM.rm: general register only (mod = 3) */
    OM_M,   /* ModRM.rm: memory only */
    OM_I,   /* immediate */
    OM_IS,  /* immediate, sign-extended to the operand size */
    OM_J,   /* relative branch */
    OM_A,   /* direct far pointer */
    OM_O,   /* moffs */
    OM_S,   /* ModRM.reg: segment register */
    OM_C,   /* ModRM.reg: control register */
    OM_D,   /* ModRM.reg: debug register */
    OM_B,   /* VEX.vvvv: general */
    OM_X,   /* DS:rSI */
    OM_Y,   /* ES:rDI */
    OM_Z,   /* opcode bits 2..0 (and REX.B): general */
    OM_REG, /* fixed general register; number in the size byte's high nibble */
    OM_SEG, /* fixed segment register */
    OM_P,   /* ModRM.reg: MMX */
    OM_Q,   /* ModRM.rm: MMX or memory */
    OM_N,   /* ModRM.rm: MMX only */
    OM_V,   /* ModRM.reg: XMM/YMM */
    OM_W,   /* ModRM.rm: XMM/YMM or memory */
    OM_U,   /* ModRM.rm: XMM/YMM only */
    OM_H,   /* VEX.vvvv: XMM/YMM */
    OM_L,   /* immediate bits 7..4: XMM/YMM */
    OM_KG,  /* ModRM.reg: opmask */
    OM_KE,  /* ModRM.rm: opmask or memory */
    OM_KN,  /* ModRM.rm: opmask only */
    OM_KH,  /* VEX.vvvv: opmask */
    OM_ST,  /* fixed ST(n) in the high nibble */
    OM_STI, /* ModRM.rm: ST(i) */
    OM_ONE, /* the constant 1 */
};
enum { /* operand size */
    OS_none, OS_b, OS_w, OS_d, OS_q,
    OS_v,   /* 2, 4, 8 by operand size */
    OS_z,   /* 2 or 4 (4 also for 8) */
    OS_y,   /* 4 or 8 (4 also for 2) */
    OS_dq,  /* 16 */
    OS_qq,  /* 32 */
    OS_x,   /* 16, 32 or 64 by VEX.L, EVEX.L'L */
    OS_h,   /* half of x: 8, 16, 32 */
    OS_f,   /* quarter of x: 4, 8, 16 */
    OS_e,   /* eighth of x: 2, 4, 8 */
    OS_oq,  /* 64 */
    OS_t,   /* 10 bytes */
    OS_p,   /* far pointer: 2 + operand size */
    OS_s,   /* pseudo-descriptor: 6 or 10 */
    OS_a,   /* two words/doublewords (BOUND) */
    OS_any, /* address only: no access by the decoder's rule (LEA, FXSAVE...) */
};
typedef uint16_t X86OpCode;
#define OPC(method, size) ((X86OpCode)((method) << 8 | (size)))
#define OPC_FIX(method, reg, size) ((X86OpCode)((method) << 8 | (reg) << 5 | (size)))
/* (fixed registers: bits 7..5 hold the number 0..7, bits 4..0 the size) */

enum X86OpndKind {
    OPND_NONE, OPND_GPR, OPND_GPR8H /* AH CH DH BH; reg 0..3 */, OPND_MEM, OPND_IMM,
    OPND_REL, OPND_FAR, OPND_SEG, OPND_CR, OPND_DR, OPND_MMX, OPND_XMM, OPND_ST,
    OPND_ONE,
    OPND_K,
};

typedef struct X86Opnd {
    uint8_t kind;   /* OPND_* */
    uint8_t reg;    /* number */
    uint8_t size;   /* bytes */
} X86Opnd;

/* ---- rows ---- */
enum { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A, X86_NMAPS }; /* x87 rows: MAP_1, op D8..DF */
enum { ENC_LEGACY, ENC_VEX, ENC_EVEX };
enum { /* mandatory prefix (legacy SSE) or VEX.pp; PP_ANY: prefixes are not part of it */
    PP_ANY, PP_NP, PP_66, PP_F3, PP_F2,
};
#define ANY 0xff
/* match of ModRM.reg or .rm in a row: EXT(n) = must be n; 0 = not looked at */
#define EXT(n) (0x80 | (n))

enum { /* row flags */
    RF_LOCK = 1 << 0,      /* LOCK allowed when the destination is memory */
    RF_NO64 = 1 << 1,      /* #UD in 64-bit mode */
    RF_ONLY64 = 1 << 2,    /* #UD outside it */
    RF_D64 = 1 << 3,       /* operand size defaults to 64 in 64-bit mode */
    RF_F64 = 1 << 4,       /* operand size is 64 in 64-bit mode whatever prefixes say */
    RF_MEM = 1 << 5,       /* mod != 3 only */
    RF_REG = 1 << 6,       /* mod = 3 only */
    RF_MODRM = 1 << 7,     /* has a ModRM byte (implied by E G R M ... codes) */
    RF_BRANCH = 1 << 8,    /* writes next_rip: ends a block */
    RF_END = 1 << 9,       /* the engine leaves its block after it (mode, mapping,
                            * interrupt flag... may change) */
    RF_CPL0 = 1 << 10,     /* #GP(0) if CPL != 0 (checked by generic code) */
    RF_PE = 1 << 11,       /* #UD in real and v86 mode */
    RF_REP = 1 << 12,      /* string instruction: REP allowed and iterates */
    RF_REPZ = 1 << 13,     /* and REPE/REPNE compare ZF */
    RF_FPU = 1 << 14,      /* x87: generic #NM check (CR0.EM or TS) */
    RF_WAIT = 1 << 15,     /* generic pending-#MF check */
    RF_MMX = 1 << 16,      /* MMX: #UD if EM, #NM if TS, pending #MF */
    RF_SSE = 1 << 17,      /* legacy SSE: #UD if EM or !OSFXSR, #NM if TS */
    RF_AVX = 1 << 18,      /* VEX vector: #UD unless HF_AVX, #NM if TS */
    RF_ALIGN = 1 << 19,    /* memory operand of 16 bytes or more must be aligned: #GP(0) */
    RF_HEAVY = 1 << 20,    /* reference function is heavy code (see leaf.h); all FPU, MMX,
                            * SSE and AVX rows are heavy without saying so */
    RF_PLAIN = 1 << 21,    /* may be re-emitted natively with registers and memory operand
                            * remapped: touches only its explicit operands, the fixed
                            * registers of its row (rAX rCX rDX rBX rSI rDI rBP), status
                            * flags, vector/x87/MXCSR state; never rSP, memory it does not
                            * name, system state; no #UD/#GP but by generic checks */
    RF_AVX512 = 1 << 22,   /* EVEX or opmask: #UD unless HF_AVX512 (beside RF_AVX) */
    RF_STACK = 1 << 23,    /* touches rSP or the stack */
    RF_IO = 1 << 24,       /* port I/O */
    RF_L0 = 1 << 25,       /* VEX.L must be 0 */
    RF_L1 = 1 << 26,       /* VEX.L must be 1 */
    RF_W0 = 1 << 27,       /* VEX.W must be 0 */
    RF_W1 = 1 << 28,       /* VEX.W/REX.W must be 1 */
    RF_NOVVVV = 1 << 29,   /* VEX.vvvv must be 1111 */
    RF_STRICT = 1 << 30,   /* an operand- or REP-prefix beside a legacy row is #UD */
};

enum { /* EVEX rows, X86Row.ev; SDM vol. 2, 2.7 */
       EV_8,
       EV_16,
       EV_32,
       EV_64,            /* bits 1..0: unit of masking, log2 of bytes: the vector has
                            * VL / unit elements (of the wider side of a conversion) */
       EV_L128 = 1 << 2, /* EVEX.L'L may say 128, */
       EV_L256 = 1 << 3, /* 256, */
       EV_L512 = 1 << 4, /* 512 bits (the shorter need AVX512VL if 512 is allowed too) */
       EV_LIG = 1 << 5,  /* or is ignored: scalar */
       EV_K = 1 << 6,    /* an opmask may be given */
       EV_ZM = 1 << 7,   /* and zeroing asked for, if the destination is a register */
       EV_KREQ = 1 << 8, /* an opmask other than k0 must be given */
       EV_BC = 1 << 9,   /* the memory operand may be broadcast */
       EV_RC = 1 << 10,  /* register form: EVEX.b means embedded rounding */
       EV_SAE = 1 << 11, /* or just no exceptions */
       EV_NF = 1 << 12,  /* masking does not suppress faults of memory elements */
       EV_FP = 1 << 13,  /* masked-off elements must raise no FP exception */
       EV_SCALAR = 1 << 14, /* one element */
       EV_ONE = 1 << 15,  /* the memory operand's elements are repeated over the vector */
       EV_VSIB = 1 << 16, /* vector index */
       EV_VL = 1 << 17,   /* needs AVX512VL although no 512-bit form exists */
       EV_NDST = 1 << 18, /* elements are those of the shorter destination */
       EV_T1 = 1 << 19,   /* a memory operand's displacement counts in elements */
       EV_BC32 = 1 << 20, /* EV_BC with elements of 32 bits whatever the unit */
       EV_BC64 = 1 << 21, /* or of 64 */
};

/* x86_exec_insn checks something before it calls the function of such a row. */
#define RF_CHECKED \
    (RF_HEAVY | RF_FPU | RF_WAIT | RF_MMX | RF_SSE | RF_AVX | RF_CPL0 | RF_PE)

struct X86Row {
    const char *name;      /* the manual's mnemonic */
    uint8_t enc;           /* ENC_* */
    uint8_t map;           /* MAP_* */
    uint8_t op;            /* opcode byte */
    uint8_t opmask;        /* low opcode bits that belong to an operand or condition:
                            * row matches op..op|opmask. 0 = exact */
    uint8_t pp;            /* PP_* */
    uint8_t ext;           /* EXT(n): ModRM.reg */
    uint8_t rm;            /* EXT(n): ModRM.rm (with RF_REG) */
    uint32_t flags;        /* RF_* */
    uint16_t feat;         /* X86F_* this row needs, 0 = none */
    X86OpCode ops[4];
    X86ExecFn *exec;
    uint16_t fl_use;       /* status flags read (FL_*) */
    uint16_t fl_def;       /* status flags that get a defined value (maybe
                            * conditionally: then also list them in fl_use) */
    uint16_t fl_undef;     /* status flags left undefined */
    uint8_t w[4];          /* role of each operand: ROLE_* */
    uint32_t ev;           /* EVEX: EV_* */
};
enum { ROLE_R = 0, ROLE_W = 1, ROLE_RW = 2, ROLE_NONE = 3 };
/* (w[] defaults to "read"; first operand of ALU rows is usually ROLE_RW) */

enum { X86_MAX_ROWS = 4096 };

typedef struct X86RowTable {
    const char *name;      /* family, for reports */
    const X86Row *rows;
    unsigned count;
} X86RowTable;
/* insn_tables.c; ends with rows = NULL. Filled by x86_row_tables_init(), which
 * x86_decode_init() calls (the counts are other files' constants). */
extern X86RowTable x86_row_tables[];
void x86_row_tables_init(void);

/* ---- a decoded instruction ---- */
struct X86Insn {
    const X86Row *row;
    uint8_t len;        /* bytes, 1..15 */
    uint8_t opsize;     /* effective operand size in bytes: 2, 4, 8 */
    uint8_t adsize;     /* effective address size in bytes: 2, 4, 8 */
    uint8_t rep;        /* 0, 0xf2, 0xf3: last such prefix */
    bool lock, opsize_prefix, has_modrm, is_mem, has_rex;
    uint8_t rex;        /* 0100WRXB with REX/VEX/EVEX bits in positive sense */
    uint8_t opcode;     /* the opcode byte (its low bits: condition, register) */
    uint8_t modrm;
    uint8_t mod, reg, rm; /* reg and rm extended by REX/VEX/EVEX (rm of a register) */
    uint8_t vl;         /* vector length in bytes: 16, 32 (VEX), 64 (EVEX) */
    uint8_t vvvv;       /* positive sense */
    uint8_t k;          /* EVEX: opmask register, 0 = all elements */
    bool zeroing;       /* EVEX.z: masked-off elements become 0, else they are kept */
    bool sae;           /* EVEX: no FP exceptions (rounding control implies it) */
    uint8_t rc;         /* EVEX: 1 + rounding mode (MXCSR.RC's numbers), 0 = MXCSR's */
    uint8_t bcast;      /* EVEX: bytes of the memory element to broadcast, 0 = whole operand */
    uint8_t seg;        /* effective segment of the memory operand, R_ES..R_GS */
    uint8_t seg_prefix; /* R_* or SEG_NONE */
    int8_t base;        /* -1 none, 0..15, 16 = RIP-relative */
    int8_t index;       /* -1 none, 0..15 (vector: 0..31) */
    uint8_t scale;      /* shift 0..3 */
    int64_t disp;       /* displacement or moffs */
    uint64_t imm;       /* first immediate, sign-extended from its encoded size to 64 bits
                         * (Ib: zero-extended); J: sign-extended; far pointer: offset */
    uint64_t imm2;      /* second immediate; far pointer: selector */
    X86Opnd op[4];
    uint8_t nops;
    uint16_t row_id;    /* number of the row among all, below X86_MAX_ROWS */
    uint8_t imm_off;    /* byte offsets inside the instruction, for re-emission; */
    uint8_t disp_off;   /* 0 = none */
    uint8_t opc_off;
    uint8_t imm_len, disp_len;
    uint8_t bytes[15];  /* what lies behind len may be anything */
};

/* An instruction of which nothing is known. Word by word: a compiler makes one store of
 * all a REP STOS, which takes longer than the rest of decoding; and with a sanitizer memset
 * of pieces is libc's, which leaf code may not call. */
static ALWAYS_INLINE void x86_insn_blank(X86Insn *in)
{
    enum { WORDS = 11 };
    uint64_t *p = (uint64_t *)in;

    _Static_assert(offsetof(X86Insn, bytes) <= 8 * WORDS, "words up to the bytes");
#pragma GCC unroll 11
    for (unsigned i = 0; i < WORDS; i++) {
        p[i] = 0;
    }
    in->base = in->index = -1;
}

enum { /* x86_decode results below 1 */
    X86_DEC_MORE = 0,   /* ran out of bytes (caller supplies up to 15) */
    X86_DEC_UD = -1,    /* #UD */
    X86_DEC_GP = -2,    /* longer than 15 bytes: #GP(0) */
};

/* Decodes one instruction from n bytes for a CPU with mode bits `hflags` and features
 * `feat`. Pure. Returns the length or X86_DEC_*. Everything that makes #UD from the bytes,
 * mode and features alone (LOCK misuse included) is found here; in->row is then NULL. */
int x86_decode(X86Insn *in, const uint8_t *bytes, unsigned n, uint32_t hflags,
               const uint32_t *feat);

/* Runs the generic checks of the row (CPL, #NM, #MF, #UD by CR0/CR4...) and then exec.
 * Sets next_rip = rip + len first. Heavy for heavy rows. */
void x86_exec_insn(X86Cpu *cpu, const X86Insn *in);

/* Status flags read. Shifts by a constant that is not zero read none. */
static inline uint32_t x86_flags_used(const X86Insn *in)
{
    const X86Row *row = in->row;
    bool shift = row->map == MAP_1
                     ? (in->opcode & 0xfe) == 0xc0 && (in->modrm >> 3 & 6) != 2
                     : row->map == MAP_0F && (in->opcode & 0xf7) == 0xa4;

    if (row->enc == ENC_LEGACY && shift && in->imm & (in->op[0].size == 8 ? 63 : 31)) {
        return 0;
    }
    return row->fl_use;
}

#endif
