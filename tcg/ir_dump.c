/* SPDX-License-Identifier: MIT */
/* The text form of a unit (tcg/ir.h), and comparison. Takes broken units too. */
#include <inttypes.h>
#include "tcg/helper.h"
#include "tcg/ir.h"

static void dump_val(FILE *f, const IrUnit *u, IrVal v)
{
    if (ir_is_const(v)) {
        if ((unsigned)(v & ~IR_CONST) < u->nconsts) {
            fprintf(f, "$%#" PRIx64, ir_const_value(u, v));
        } else {
            fputs("$bad", f);
        }
    } else if (ir_is_global(u, v)) {
        fputs(u->globals[v].name, f);
    } else {
        fprintf(f, "t%u", v - u->nglobals);
    }
}

void ir_dump_op(FILE *f, const IrUnit *u, const IrOp *op)
{
    const char *sep = " ";

    if (op->op >= IR_NOPS) {
        fprintf(f, "  bad operation %u", op->op);
        return;
    }
    const IrOpDef *def = &ir_op_defs[op->op];
    fprintf(f, "  %s", def->name);
    if (def->flags & IRF_SIZED) {
        fprintf(f, ".%u%s", op->size, op->sign ? "s" : "");
    }
    if (def->flags & IRF_COND) {
        fprintf(f, ".%s", op->cond < IR_NCONDS ? ir_cond_names[op->cond] : "bad");
    }
    if (op->op == IR_call) {
        fprintf(f, "%s%s", sep, ((const Helper *)(uintptr_t)op->c[0])->name);
        sep = ", ";
    } else if (op->op == IR_xop) {
        fprintf(f, "%s%s, #%" PRIu64, sep, ((const IrXop *)(uintptr_t)op->c[0])->name, op->c[1]);
        sep = ", ";
    }
    for (unsigned i = 0; i < MIN(op->nout, ARRAY_SIZE(op->out)); i++, sep = ", ") {
        fputs(sep, f);
        dump_val(f, u, op->out[i]);
    }
    for (unsigned i = 0; i < MIN(op->nin, IR_MAX_ARGS); i++, sep = ", ") {
        fputs(sep, f);
        dump_val(f, u, op->in[i]);
    }
    for (unsigned i = 0; i < def->consts; i++, sep = ", ") {
        fprintf(f, def->flags & IRF_LABEL ? "%sL%" PRIu64 : "%s%#" PRIx64, sep, op->c[i]);
    }
}

void ir_dump(FILE *f, const IrUnit *u)
{
    for (unsigned i = 0; i < u->nops; i++) {
        ir_dump_op(f, u, &u->ops[i]);
        fputc('\n', f);
    }
}

static bool same_val(const IrUnit *a, IrVal x, const IrUnit *b, IrVal y)
{
    if (ir_is_const(x) && ir_is_const(y)) {
        return ir_const_value(a, x) == ir_const_value(b, y);
    }
    return x == y;
}

static bool same_op(const IrUnit *a, const IrOp *x, const IrUnit *b, const IrOp *y)
{
    bool same = x->op == y->op && x->size == y->size && x->cond == y->cond &&
                x->sign == y->sign && x->nout == y->nout && x->nin == y->nin &&
                x->c[0] == y->c[0];

    if (same && x->op == IR_xop) {
        same = a->payloads[x->c[1]] == b->payloads[y->c[1]];
    } else {
        same = same && x->c[1] == y->c[1];
    }
    for (unsigned i = 0; same && i < x->nout; i++) {
        same = same_val(a, x->out[i], b, y->out[i]);
    }
    for (unsigned i = 0; same && i < x->nin; i++) {
        same = same_val(a, x->in[i], b, y->in[i]);
    }
    return same;
}

bool ir_equal(const IrUnit *a, const IrUnit *b)
{
    bool same = a->nops == b->nops && a->nglobals == b->nglobals;
    for (unsigned i = 0; same && i < a->nops; i++) {
        same = same_op(a, &a->ops[i], b, &b->ops[i]);
    }
    return same;
}
