/* SPDX-License-Identifier: MIT */
/*
 * Copy propagation, forward, within straight stretches: after `mov a, b` and `movi a, n`
 * reads of a become reads of b or $n, until either is written. A mov of a value to itself
 * goes away.
 */
#include <string.h>
#include "tcg/ir_build.h"
#include "tcg/opt.h"

enum { NONE = 0xffff };

typedef struct Copies {
    IrVal of[IR_MAX_TEMPS];      /* what the value equals, or NONE */
    IrVal list[IR_MAX_TEMPS];    /* values that have an entry */
    unsigned n;
} Copies;

static void forget_all(Copies *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        c->of[c->list[i]] = NONE;
    }
    c->n = 0;
}

/* v gets a new value: neither it nor copies of it are known. */
static void forget(Copies *c, IrVal v)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n; i++) {
        IrVal x = c->list[i];
        if (x == v || c->of[x] == v) {
            c->of[x] = NONE;
        } else {
            c->list[n++] = x;
        }
    }
    c->n = n;
}

static void forget_globals(const IrUnit *u, Copies *c)
{
    for (unsigned g = 0; c->n && g < u->nglobals; g++) {
        forget(c, g);
    }
}

static void learn(Copies *c, IrVal d, IrVal s)
{
    c->of[d] = s;
    c->list[c->n++] = d;
}

bool ir_opt_copy(IrUnit *u)
{
    Copies c;
    bool changed = false;

    memset(c.of, 0xff, sizeof(c.of));
    c.n = 0;
    for (unsigned i = 0; i < u->nops; i++) {
        IrOp *op = &u->ops[i];
        for (unsigned k = 0; k < op->nin; k++) {
            IrVal v = op->in[k];
            if (!ir_is_const(v) && c.of[v] != NONE) {
                op->in[k] = c.of[v];
                changed = true;
            }
        }
        if (op->op == IR_label) {
            forget_all(&c);
            continue;
        }
        if (ir_op_writes_globals(op)) {
            forget_globals(u, &c);
        }
        if (op->op == IR_mov && (op->in[0] == op->out[0] || c.of[op->out[0]] == op->in[0])) {
            op->op = IR_NOPS;
            changed = true;
            continue;
        }
        for (unsigned k = 0; k < op->nout; k++) {
            forget(&c, op->out[k]);
        }
        if (op->op == IR_mov) {
            learn(&c, op->out[0], op->in[0]);
        } else if (op->op == IR_movi) {
            learn(&c, op->out[0], ir_const(u, op->c[0]));
        }
    }
    return changed;
}
