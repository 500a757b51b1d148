/* SPDX-License-Identifier: MIT */
/*
 * THE list of IR operations. Enum, arities, dump and parse names, the verifier's and the
 * passes' knowledge and the interpreter's handlers all come from it; what a pure operation
 * means is written in ir_eval.h under the same name.
 *
 * Sizes are in bytes and a field of the operation (1, 2, 4, 8). A sized operation looks at
 * the low `size` bytes of its inputs and leaves its result zero-extended to 64 bits.
 */
#ifndef TCG_IR_OPS_H
#define TCG_IR_OPS_H

/* X(name, class, outs, ins, consts, flags)
 * class: ctl  each has its own shape
 *        un   out = ir_eval_NAME(in, size)
 *        bin  out = ir_eval_NAME(in, in, size) */
#define IR_OPS(X)                                                                        \
    X(insn_start, ctl, 0, 0, 1, IRF_KEEP) /* offset of the guest instruction */          \
    X(movi, ctl, 1, 0, 1, 0)                                                             \
    X(mov, ctl, 1, 1, 0, 0)                                                              \
    X(ld_env, ctl, 1, 0, 1, IRF_SIZED | IRF_SIGN) /* offset in env */                    \
    X(st_env, ctl, 0, 1, 1, IRF_SIZED | IRF_KEEP)                                        \
    X(add, bin, 1, 2, 0, IRF_SIZED | IRF_COMM)                                           \
    X(sub, bin, 1, 2, 0, IRF_SIZED)                                                      \
    X(and, bin, 1, 2, 0, IRF_SIZED | IRF_COMM)                                           \
    X(or, bin, 1, 2, 0, IRF_SIZED | IRF_COMM)                                            \
    X(xor, bin, 1, 2, 0, IRF_SIZED | IRF_COMM)                                           \
    X(mul, bin, 1, 2, 0, IRF_SIZED | IRF_COMM)                                           \
    X(shl, bin, 1, 2, 0, IRF_SIZED) /* counts of the size and above: nothing left */     \
    X(shr, bin, 1, 2, 0, IRF_SIZED)                                                      \
    X(sar, bin, 1, 2, 0, IRF_SIZED)  /* ... copies of the sign */                        \
    X(rotl, bin, 1, 2, 0, IRF_SIZED) /* counts modulo the size */                        \
    X(rotr, bin, 1, 2, 0, IRF_SIZED)                                                     \
    X(not, un, 1, 1, 0, IRF_SIZED)                                                       \
    X(neg, un, 1, 1, 0, IRF_SIZED)                                                       \
    X(exts, un, 1, 1, 0, IRF_SIZED) /* to 64 bits, from size */                          \
    X(extu, un, 1, 1, 0, IRF_SIZED)                                                      \
    X(bswap, un, 1, 1, 0, IRF_SIZED)                                                     \
    X(clz, un, 1, 1, 0, IRF_SIZED) /* of 0: the bits of the size */                      \
    X(ctz, un, 1, 1, 0, IRF_SIZED)                                                       \
    X(popcnt, un, 1, 1, 0, IRF_SIZED)                                                    \
    X(mulu2, ctl, 2, 2, 0, IRF_SIZED) /* low, high = a * b unsigned */                   \
    X(deposit, ctl, 1, 2, 2, 0)       /* a with b's low bits at position, length */      \
    X(setcond, ctl, 1, 2, 0, IRF_SIZED | IRF_COND)                                       \
    X(movcond, ctl, 1, 4, 0, IRF_SIZED | IRF_COND) /* a cond b ? x : y (x, y whole) */   \
    X(br, ctl, 0, 0, 1, IRF_KEEP | IRF_LABEL | IRF_END)                                  \
    X(brcond, ctl, 0, 2, 1, IRF_SIZED | IRF_COND | IRF_KEEP | IRF_LABEL)                 \
    X(label, ctl, 0, 0, 1, IRF_KEEP | IRF_LABEL)                                         \
    X(call, ctl, 0, 0, 0, IRF_KEEP) /* helper; outs and ins by its row */                \
    X(xop, ctl, 0, 0, 0, IRF_KEEP)  /* function, payload: leaves the unit if true */     \
    X(exit, ctl, 0, 0, 1, IRF_KEEP | IRF_END) /* code, 16 bits */

/* X(name, opposite, with operands swapped) */
#define IR_CONDS(X)          \
    X(eq, ne, eq)            \
    X(ne, eq, ne)            \
    X(ltu, geu, gtu)         \
    X(leu, gtu, geu)         \
    X(gtu, leu, ltu)         \
    X(geu, ltu, leu)         \
    X(lt, ge, gt)            \
    X(le, gt, ge)            \
    X(gt, le, lt)            \
    X(ge, lt, le)            \
    X(tsteq, tstne, tsteq) /* (a & b) == 0 */ \
    X(tstne, tsteq, tstne)

enum {
    IRF_SIZED = 1 << 0,
    IRF_SIGN = 1 << 1,   /* size may carry an s: sign-extends */
    IRF_COND = 1 << 2,
    IRF_COMM = 1 << 3,   /* inputs may change places */
    IRF_KEEP = 1 << 4,   /* has an effect beyond its outputs */
    IRF_LABEL = 1 << 5,  /* its constant is a label */
    IRF_END = 1 << 6,    /* nothing falls through */
};

#endif
