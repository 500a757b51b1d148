/* SPDX-License-Identifier: MIT */
/* Inside of the generator: one instruction at a time (gen_one.c), units and cases (gen.c). */
#ifndef TESTS_JUDGE_GEN_H
#define TESTS_JUDGE_GEN_H

#include "tests/judge/judge.h"
#include "tests/unit/insn_gen.h"

/* Offsets in the writable pages where particular data lies when a case starts. */
enum {
    RW_PLAIN = 0x400, /* operands of any kind, to 0xc00 */
    RW_INDEX = 0xe00, /* 64 bytes of small doublewords, 64 of small quadwords */
    RW_MXCSR = 0xf00, /* 16 valid MXCSR values */
    RW_FCW = 0xf80,   /* 32 x87 control words */
    RW_ENV = 0x1100,  /* an x87 environment and stack, 32-bit format */
    RW_FX = 0x1200,   /* an FXSAVE image */
    RW_XS = 0x1400,   /* an XSAVE image */
};

/* The case being made. After a fault nothing can follow. */
typedef struct Gen {
    JudgeCase *c;
    uint32_t undef;
    bool ended, failed; /* by a fault; failed: the case is void */
    bool high_stack, high_data; /* reached by addresses plus HIGH, but absolute ones */
    bool mixed; /* data here and there, but for string instructions: they would overlap */
} Gen;
extern Gen gen;

/* Appends an instruction (bytes of it). Does not run it. */
void gen_put(const uint8_t *bytes, unsigned n);
uint32_t gen_cursor(void);
/* Runs what was put, to the cursor. False: ended or failed. */
bool gen_run(void);
/* The address where this case reaches an address of the window. */
uint64_t gen_place(uint64_t at);
/* mov r, v */
bool gen_set(unsigned r, uint64_t v);
/* Gives defined values to all status flags if some needed ones have none. */
bool gen_define_flags(uint32_t needed);
/* An instruction of the row with operands that suit the state; runs it. False: none made
 * (or gen.failed). */
bool gen_row(const X86Row *row);
/* Bytes of a register-only instruction that reads no flags and cannot fault, 0: none. */
unsigned gen_harmless(uint8_t bytes[15]);
bool gen_chance(unsigned one_in);

/* Rows that exist in the case's mode, by subset. */
enum { ROWS_ALL, ROWS_INT, ROWS_FPU, ROWS_VEC, ROWS_HARMLESS, NROWSETS };
typedef struct RowSet {
    const X86Row *rows[JUDGE_MAX_ROWS];
    unsigned n;
} RowSet;
extern RowSet gen_rows[JUDGE_NMODES][NROWSETS];

#endif
