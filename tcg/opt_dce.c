/* SPDX-License-Identifier: MIT */
/*
 * Removal of what is dead: operations whose outputs nobody reads, code that nothing reaches,
 * labels and branches without use. Branches go forward only, so one walk back knows what
 * is live at every label before it meets the branches to it.
 */
#include <stdlib.h>
#include <string.h>
#include "tcg/helper.h"
#include "tcg/opt.h"

typedef struct Live {
    uint64_t w[IR_MAX_TEMPS / 64];
} Live;

static void live_set(Live *l, IrVal v, bool on)
{
    uint64_t bit = 1ull << (v % 64);
    l->w[v / 64] = on ? l->w[v / 64] | bit : l->w[v / 64] & ~bit;
}

static bool live_has(const Live *l, IrVal v) { return l->w[v / 64] >> (v % 64) & 1; }

static void all_globals(const IrUnit *u, Live *l)
{
    for (unsigned g = 0; g < u->nglobals; g++) {
        live_set(l, g, true);
    }
}

static bool removable(const IrOp *op)
{
    return ir_is_removable(op) ||
           (op->op == IR_call && op->nout &&
            ((const Helper *)(uintptr_t)op->c[0])->effects == HELPER_PURE);
}

/* Forward: what no way leads to, and branches to the very next operation. */
static bool drop_unreached(IrUnit *u)
{
    uint16_t uses[IR_MAX_LABELS] = { 0 };
    bool reached = true, changed = false;

    for (unsigned i = 0; i < u->nops; i++) {
        IrOp *op = &u->ops[i];
        if (op->op == IR_label) {
            if (!uses[op->c[0]]) {
                op->op = IR_NOPS;
                changed = true;
                continue;
            }
            reached = true;
            continue;
        }
        if (!reached) {
            op->op = IR_NOPS;
            changed = true;
            continue;
        }
        if (op->op == IR_br && i + 1 < u->nops && u->ops[i + 1].op == IR_label &&
            u->ops[i + 1].c[0] == op->c[0]) {
            op->op = IR_NOPS;
            changed = true;
            if (!uses[u->ops[i + 1].c[0]]) {
                u->ops[i + 1].op = IR_NOPS;
            }
            i++;
            continue;
        }
        if (op->op == IR_br || op->op == IR_brcond) {
            uses[op->c[0]]++;
        }
        reached = !(ir_op_defs[op->op].flags & IRF_END);
    }
    return changed;
}

static bool dead_outputs(const IrOp *op, const Live *live)
{
    for (unsigned k = 0; k < op->nout; k++) {
        if (live_has(live, op->out[k])) {
            return false;
        }
    }
    return true;
}

bool ir_opt_dce(IrUnit *u)
{
    bool changed = drop_unreached(u);
    Live live = { { 0 } }, *at_label = NULL;

    if (u->nlabels) {
        at_label = calloc(u->nlabels, sizeof(Live));
        if (!at_label) {
            return changed;
        }
    }
    for (unsigned i = u->nops; i-- > 0;) {
        IrOp *op = &u->ops[i];
        if (op->op == IR_NOPS) {
            continue;
        }
        if (op->op == IR_label) {
            at_label[op->c[0]] = live;
            continue;
        }
        if (op->op == IR_br || op->op == IR_exit) {
            memset(&live, 0, sizeof(live));
        }
        if (op->op == IR_br || op->op == IR_brcond) {
            for (unsigned k = 0; k < ARRAY_SIZE(live.w); k++) {
                live.w[k] |= at_label[op->c[0]].w[k];
            }
        }
        if (removable(op) && dead_outputs(op, &live)) {
            op->op = IR_NOPS;
            changed = true;
            continue;
        }
        for (unsigned k = 0; k < op->nout; k++) {
            live_set(&live, op->out[k], false);
        }
        if (ir_op_reads_globals(op)) {
            all_globals(u, &live);
        }
        for (unsigned k = 0; k < op->nin; k++) {
            if (!ir_is_const(op->in[k])) {
                live_set(&live, op->in[k], true);
            }
        }
    }
    free(at_label);
    return changed;
}
