/* SPDX-License-Identifier: MIT */
/*
 * Helpers: C functions that IR calls. A row says what the function is called, what it takes
 * and returns, and what it may do; the verifier, the passes and the interpreter go by the
 * row. Narrow and floating arguments travel in 64-bit values: integers are truncated, floats
 * are their bit patterns in the low bits; narrow results are extended as their type says.
 */
#ifndef TCG_HELPER_H
#define TCG_HELPER_H

#include "tcg/ir.h"

typedef enum IrType {
    IRT_VOID,
    IRT_ENV,             /* the env pointer; not among the operation's inputs */
    IRT_U8, IRT_U16, IRT_U32, IRT_U64,
    IRT_S8, IRT_S16, IRT_S32, IRT_S64,
    IRT_F32, IRT_F64,
    IR_NTYPES
} IrType;

enum { /* effects */
    HELPER_PURE = 1 << 0,   /* result depends on the arguments alone, nothing else happens */
    HELPER_RAISES = 1 << 1, /* may leave by longjmp: globals must be exact */
    HELPER_HEAVY = 1 << 2,  /* not leaf code */
    HELPER_READS = 1 << 3,  /* may read any global */
    HELPER_WRITES = 1 << 4, /* may write any global */
};

typedef void HelperFn(void);

typedef struct Helper {
    const char *name;
    HelperFn *fn;
    uint8_t effects;     /* HELPER_* */
    uint8_t ret;         /* IRT_* */
    uint8_t nargs;       /* with IRT_ENV, at most IR_MAX_ARGS */
    uint8_t arg[IR_MAX_ARGS];
} Helper;

/* How many IR inputs it takes: its arguments without env. */
unsigned helper_nin(const Helper *h);

/* Arguments all 64 bits wide, env first or not at all, at most four others: the interpreter
 * can call it without libffi. Bit 0: returns a value, bit 1: takes env, bits 4..2: number
 * of the others. -1: it cannot. */
int helper_shape(const Helper *h);

/* Prepared libffi description of a signature, made once and kept. Thread-safe, heavy. */
typedef struct HelperCif HelperCif;
const HelperCif *helper_cif(const Helper *h);

/* A call on its way through the guest's "heavy" door. */
typedef struct HelperCall {
    const Helper *helper;
    const HelperCif *cif;
    void *env;
    uint64_t arg[IR_MAX_ARGS]; /* without env */
    uint64_t ret;
} HelperCall;
/* Heavy. */
void helper_call(HelperCall *call);

#endif
