/* SPDX-License-Identifier: MIT */
/*
 * The interpreter's bytecode: 32-bit words, made from a unit by emit.c, run by exec.c.
 *
 * The first word of an instruction holds its number in bits 15..0 and one operand in bits
 * 31..16; the others are listed below. Operands of operations are slots of a frame; globals
 * have a slot each that caches them between two places where somebody else may look, and
 * are written through. The most frequent shapes on globals work on env directly.
 *
 *   d a b   slots       i   immediate, sign-extended      o p  env offsets
 *   to      word to go on at    cs  condition | size << 8     Q   64 bits in two words
 */
#ifndef TCG_INTERP_CODE_H
#define TCG_INTERP_CODE_H

#include "tcg/ir.h"

enum { INTERP_SLOTS = 256 };

/* Own instructions: X(name, words) */
#define INTERP_OPS(X)                                    \
    X(exit, 1)         /* code */                        \
    X(xop, 5)          /* -, Q function, Q payload */    \
    X(xop_exit, 5)     /* the same, then exit 0 */       \
    X(add_xop, 7)      /* -, o, i, Q, Q: env[o] += i, then xop */ \
    X(get, 2)          /* d, o */                        \
    X(put, 2)          /* a, o */                        \
    X(mov, 2)          /* d, a */                        \
    X(seti, 2)         /* d, i */                        \
    X(setq, 3)         /* d, Q */                        \
    X(env_mov, 3)      /* -, o, p: env[o] = env[p] */    \
    X(env_mov4, 3)     /* the same, 32 bits, extended */ \
    X(env_setq, 4)     /* -, o, Q */                     \
    X(env_add, 4)      /* -, o, p, i: env[o] = env[p] + i */ \
    X(env_add4, 4)                                       \
    X(env_add_exit, 4) /* code, o, p, i: env_add, then exit */ \
    X(ld1, 2)          /* d, o */                        \
    X(ld2, 2)                                            \
    X(ld4, 2)                                            \
    X(ld1s, 2)                                           \
    X(ld2s, 2)                                           \
    X(ld4s, 2)                                           \
    X(st1, 2)          /* a, o */                        \
    X(st2, 2)                                            \
    X(st4, 2)                                            \
    X(mulu2, 3)        /* d, a | b << 16, d2 | size << 16 */ \
    X(deposit, 3)      /* d, a | b << 16, pos | len << 8 */  \
    X(setcond, 3)      /* d, a | b << 16, cs */          \
    X(movcond, 4)      /* d, a | b << 16, cs, x | y << 16 */ \
    X(br, 2)           /* -, to */                       \
    X(brcond, 3)       /* cs, a | b << 16, to */         \
    X(env_br_tsteq, 4) /* -, o, i, to: (env[o] & i) == 0 */ \
    X(env_br_tstne, 4)                                   \
    X(call_direct, 5)  /* d, Q function, shape, four slots of 8 bits */ \
    X(call, 7)         /* d, Q Helper, Q HelperCif, six slots of 8 bits */

/* Numbers: the own ones; each un for sizes 1, 2, 4, 8; each bin for the sizes, then with an
 * immediate for the sizes; each condition as a branch on 64 bits, then with an immediate. */
typedef enum InterpOp {
#define X(name, words) IO_##name,
    INTERP_OPS(X)
#undef X
#define IO_un(name) IO_##name##_1, IO_##name##_2, IO_##name##_4, IO_##name##_8,
#define IO_bin(name) IO_un(name) IO_un(name##_i)
#define IO_ctl(name)
#define X(name, class, ...) IO_##class(name)
    IR_OPS(X)
#undef X
#undef IO_un
#undef IO_bin
#undef IO_ctl
#define X(name, ...) IO_br_##name, IO_br_##name##_i,
    IR_CONDS(X)
#undef X
    IO_NOPS
} InterpOp;

#endif
