/* SPDX-License-Identifier: MIT */
/* The pass table and its driver. */
#include "tcg/opt.h"
#include <string.h>
#include "tcg/helper.h"

const IrPass ir_passes[IR_NPASSES] = {
    [IR_PASS_COPY] = { "copy", "uses what a value was copied from", ir_opt_copy },
    [IR_PASS_FOLD] = { "fold", "works out what is known; simpler operations", ir_opt_fold },
    [IR_PASS_DCE] = { "dce", "drops what nobody reads or reaches", ir_opt_dce },
};

int ir_pass_find(const char *name)
{
    for (int i = 0; i < IR_NPASSES; i++) {
        if (!strcmp(name, ir_passes[i].name)) {
            return i;
        }
    }
    return -1;
}

bool ir_op_writes_globals(const IrOp *op)
{
    return op->op == IR_xop ||
           (op->op == IR_call &&
            ((const Helper *)(uintptr_t)op->c[0])->effects & HELPER_WRITES);
}

bool ir_op_reads_globals(const IrOp *op)
{
    return op->op == IR_xop || op->op == IR_exit ||
           (op->op == IR_call && ((const Helper *)(uintptr_t)op->c[0])->effects &
                                     (HELPER_READS | HELPER_RAISES));
}

static void sweep(IrUnit *u)
{
    unsigned n = 0;
    for (unsigned i = 0; i < u->nops; i++) {
        if (u->ops[i].op != IR_NOPS) {
            if (n != i) {
                u->ops[n] = u->ops[i];
            }
            n++;
        }
    }
    u->nops = n;
}

/* A fold may show the next copy and the other way round: a few rounds find nearly all. */
void ir_optimize(IrUnit *u, uint32_t off)
{
    enum { ROUNDS = 4 };
    bool again = true;

    for (unsigned round = 0; again && round < ROUNDS; round++) {
        again = false;
        for (unsigned i = 0; i < IR_NPASSES; i++) {
            if (off >> i & 1) {
                continue;
            }
            if (ir_passes[i].run(u)) {
                again = true;
                sweep(u);
                ir_verify(u, ir_passes[i].name);
            }
        }
    }
}
