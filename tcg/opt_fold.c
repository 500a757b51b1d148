/* SPDX-License-Identifier: MIT */
/*
 * Folding. Rules for changing this file:
 *   1. a rule keeps the value of every output for all inputs (size included);
 *   2. it looks at one operation only and never adds one;
 *   3. it leads to a simpler operation, so that folding ends: constants move to the right,
 *      an operation gives way to mov, movi, extu, shl, add or to nothing;
 *   4. it has a line in tests/ir/fold.ir.
 */
#include "tcg/ir_build.h"
#include "tcg/ir_eval.h"
#include "tcg/opt.h"

static bool known(const IrUnit *u, IrVal v, uint64_t *value)
{
    if (ir_is_const(v)) {
        *value = ir_const_value(u, v);
        return true;
    }
    return false;
}

static bool to_movi(IrOp *op, uint64_t v)
{
    op->op = IR_movi;
    op->size = op->cond = 0;
    op->nin = 0;
    op->c[0] = v;
    op->c[1] = 0;
    return true;
}

/* The whole of a value. */
static bool to_mov(IrOp *op, IrVal a)
{
    op->op = IR_mov;
    op->size = op->cond = 0;
    op->nin = 1;
    op->in[0] = a;
    op->c[0] = op->c[1] = 0;
    return true;
}

/* The low `size` bytes of a value. */
static bool to_low(IrOp *op, IrVal a)
{
    if (op->size == 8) {
        return to_mov(op, a);
    }
    op->op = IR_extu;
    op->nin = 1;
    op->in[0] = a;
    return true;
}

static bool to_un(IrOp *op, IrOpcode code)
{
    op->op = code;
    op->nin = 1;
    return true;
}

static bool drop(IrOp *op)
{
    op->op = IR_NOPS;
    return true;
}

/* ---- two inputs, the right one known ---- */

/* What `x OP n` is; n is cut to the size. */
typedef enum Becomes { B_X, B_ZERO, B_ONES, B_NOT, B_NEG } Becomes;
enum { N_ZERO, N_ONE, N_ONES };   /* the constant: 0, 1, all bits of the size */

static const struct {
    uint8_t op, n, becomes;
} right_rules[] = {
    { IR_add, N_ZERO, B_X },  { IR_sub, N_ZERO, B_X },  { IR_or, N_ZERO, B_X },
    { IR_xor, N_ZERO, B_X },  { IR_shl, N_ZERO, B_X },  { IR_shr, N_ZERO, B_X },
    { IR_sar, N_ZERO, B_X },  { IR_rotl, N_ZERO, B_X }, { IR_rotr, N_ZERO, B_X },
    { IR_and, N_ZERO, B_ZERO }, { IR_mul, N_ZERO, B_ZERO },
    { IR_mul, N_ONE, B_X },   { IR_mul, N_ONES, B_NEG },
    { IR_and, N_ONES, B_X },  { IR_or, N_ONES, B_ONES }, { IR_xor, N_ONES, B_NOT },
};

static bool become(IrOp *op, Becomes b)
{
    switch (b) {
    case B_X: return to_low(op, op->in[0]);
    case B_ZERO: return to_movi(op, 0);
    case B_ONES: return to_movi(op, ir_mask(op->size));
    case B_NOT: return to_un(op, IR_not);
    case B_NEG: return to_un(op, IR_neg);
    default: unreachable();
    }
}

static bool fold_right(IrUnit *u, IrOp *op, uint64_t n)
{
    uint64_t ones = ir_mask(op->size);

    n = ir_zx(n, op->size);
    for (unsigned i = 0; i < ARRAY_SIZE(right_rules); i++) {
        unsigned want = right_rules[i].n;
        if (right_rules[i].op == op->op &&
            n == (want == N_ZERO ? 0 : want == N_ONE ? 1 : ones)) {
            return become(op, right_rules[i].becomes);
        }
    }
    switch (op->op) {
    case IR_shl:
    case IR_shr:
        return n >= 8u * op->size && to_movi(op, 0);
    case IR_mul:
        if (n & (n - 1)) {
            return false;
        }
        op->op = IR_shl;
        op->in[1] = ir_const(u, __builtin_ctzll(n));
        return true;
    case IR_sub:
        op->op = IR_add;
        op->in[1] = ir_const(u, ir_zx(0 - n, op->size));
        return true;
    default:
        return false;
    }
}

/* x OP x */
static bool fold_same(IrOp *op)
{
    switch (op->op) {
    case IR_sub:
    case IR_xor:
        return to_movi(op, 0);
    case IR_and:
    case IR_or:
        return to_low(op, op->in[0]);
    default:
        return false;
    }
}

static bool fold_bin(IrUnit *u, IrOp *op)
{
    uint64_t a, b;
    bool ka = known(u, op->in[0], &a), kb = known(u, op->in[1], &b);

    if (ka && kb) {
        return to_movi(op, ir_eval_bin(op->op, a, b, op->size));
    }
    if (ka && ir_op_defs[op->op].flags & IRF_COMM) {
        IrVal t = op->in[0];
        op->in[0] = op->in[1];
        op->in[1] = t;
        fold_right(u, op, a);
        return true;
    }
    if (kb) {
        return fold_right(u, op, b);
    }
    return op->in[0] == op->in[1] && fold_same(op);
}

/* ---- others ---- */

static const uint8_t cond_opposite[IR_NCONDS] = {
#define X(name, opposite, swapped) [IRC_##name] = IRC_##opposite,
    IR_CONDS(X)
#undef X
};
static const uint8_t cond_swapped[IR_NCONDS] = {
#define X(name, opposite, swapped) [IRC_##name] = IRC_##swapped,
    IR_CONDS(X)
#undef X
};

/* Is the condition's outcome known? */
static bool known_cond(const IrUnit *u, const IrOp *op, bool *yes)
{
    uint64_t a, b;
    bool ka = known(u, op->in[0], &a), kb = known(u, op->in[1], &b);

    if (ka && kb) {
        *yes = ir_eval_cond(op->cond, a, b, op->size);
        return true;
    }
    if (op->in[0] == op->in[1] && op->cond < IRC_tsteq) {
        *yes = ir_eval_cond(op->cond, 0, 0, op->size);
        return true;
    }
    if (!kb || ir_zx(b, op->size)) {
        return false;
    }
    if (op->cond == IRC_ltu || op->cond == IRC_tstne) { /* x < 0, x & 0 */
        *yes = false;
        return true;
    }
    *yes = true;
    return op->cond == IRC_geu || op->cond == IRC_tsteq;
}

static bool cond_right(const IrUnit *u, IrOp *op)
{
    if (ir_is_const(op->in[0]) && !ir_is_const(op->in[1])) {
        IrVal t = op->in[0];
        op->in[0] = op->in[1];
        op->in[1] = t;
        op->cond = cond_swapped[op->cond];
        return true;
    }
    return false;
}

static bool fold_movcond(const IrUnit *u, IrOp *op)
{
    uint64_t x, y;
    bool yes;

    if (known_cond(u, op, &yes)) {
        return to_mov(op, op->in[yes ? 2 : 3]);
    }
    if (op->in[2] == op->in[3]) {
        return to_mov(op, op->in[2]);
    }
    if (known(u, op->in[2], &x) && known(u, op->in[3], &y) && x <= 1 && y == 1 - x) {
        op->cond = x ? op->cond : cond_opposite[op->cond];
        op->op = IR_setcond;
        op->nin = 2;
        return true;
    }
    return cond_right(u, op);
}

static bool fold_brcond(const IrUnit *u, IrOp *op)
{
    bool yes;

    if (!known_cond(u, op, &yes)) {
        return cond_right(u, op);
    }
    if (!yes) {
        return drop(op);
    }
    op->op = IR_br;
    op->size = op->cond = op->nin = 0;
    return true;
}

static bool fold_deposit(const IrUnit *u, IrOp *op)
{
    uint64_t a, b;

    if (known(u, op->in[0], &a) && known(u, op->in[1], &b)) {
        return to_movi(op, ir_eval_deposit(a, b, op->c[0], op->c[1]));
    }
    return op->c[1] == 64 && to_mov(op, op->in[1]);
}

static bool fold(IrUnit *u, IrOp *op)
{
    uint64_t a;
    bool yes;

    if (ir_op_is_bin(op->op)) {
        return fold_bin(u, op);
    }
    if (ir_op_is_un(op->op)) {
        if (known(u, op->in[0], &a)) {
            return to_movi(op, ir_eval_un(op->op, a, op->size));
        }
        return (op->op == IR_extu || op->op == IR_exts) && op->size == 8 &&
               to_mov(op, op->in[0]);
    }
    switch (op->op) {
    case IR_mov:
        return known(u, op->in[0], &a) && to_movi(op, a);
    case IR_setcond:
        return known_cond(u, op, &yes) ? to_movi(op, yes) : cond_right(u, op);
    case IR_movcond:
        return fold_movcond(u, op);
    case IR_brcond:
        return fold_brcond(u, op);
    case IR_deposit:
        return fold_deposit(u, op);
    default:
        return false;
    }
}

bool ir_opt_fold(IrUnit *u)
{
    bool changed = false;

    for (unsigned i = 0; i < u->nops; i++) {
        if (u->ops[i].op != IR_NOPS) {
            changed |= fold(u, &u->ops[i]);
        }
    }
    return changed;
}
