/* SPDX-License-Identifier: MIT */
/*
 * The verifier. Collects every broken rule of ir.h. Because branches only go forward, one
 * walk knows at each label which temps have been written on every way to it.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "tcg/helper.h"
#include "tcg/ir.h"

typedef struct TempSet {
    uint64_t w[IR_MAX_TEMPS / 64];
} TempSet;

typedef struct Checker {
    const IrUnit *u;
    char *msg;
    size_t size;
    FILE *f;                           /* opened by the first fault: units are rarely bad */
    unsigned faults, at;
    TempSet have;                      /* written so far */
    bool reached;                      /* can control come here? */
    bool placed[IR_MAX_LABELS], used[IR_MAX_LABELS];
    TempSet at_label[IR_MAX_LABELS];   /* meet over the branches */
} Checker;

static void fault(Checker *ck, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fault(Checker *ck, const char *fmt, ...)
{
    va_list ap;

    if (!ck->faults++) {
        ck->f = ck->size > 1 ? fmemopen(ck->msg, ck->size, "w") : NULL;
    }
    if (!ck->f) {
        return;
    }
    fprintf(ck->f, "%u:", ck->at);
    if (ck->at < ck->u->nops) {
        ir_dump_op(ck->f, ck->u, &ck->u->ops[ck->at]);
    }
    fputs(": ", ck->f);
    va_start(ap, fmt);
    vfprintf(ck->f, fmt, ap);
    va_end(ap);
    fputc('\n', ck->f);
}

static bool size_ok(unsigned n) { return n == 1 || n == 2 || n == 4 || n == 8; }

static void check_values(Checker *ck, const IrOp *op)
{
    const IrUnit *u = ck->u;

    for (unsigned i = 0; i < op->nin; i++) {
        IrVal v = op->in[i];
        if (ir_is_const(v) ? (unsigned)(v & ~IR_CONST) >= u->nconsts : v >= u->ntemps) {
            fault(ck, "input %u is no value", i);
        } else if (ck->reached && ir_is_temp(u, v) && !(ck->have.w[v / 64] >> (v % 64) & 1)) {
            fault(ck, "t%u is read before it is written", v - u->nglobals);
        }
    }
    for (unsigned i = 0; i < op->nout; i++) {
        IrVal v = op->out[i];
        if (ir_is_const(v) || v >= u->ntemps) {
            fault(ck, "output %u cannot be written", i);
        } else {
            ck->have.w[v / 64] |= 1ull << (v % 64);
        }
    }
    if (op->nout == 2 && op->out[0] == op->out[1]) {
        fault(ck, "both outputs are the same");
    }
}

static void check_env(Checker *ck, const IrOp *op)
{
    const IrUnit *u = ck->u;

    if (op->c[0] > u->env_size || op->size > u->env_size - op->c[0]) {
        fault(ck, "outside env");
        return;
    }
    for (unsigned i = 0; i < u->nglobals; i++) {
        if (op->c[0] < u->globals[i].off + 8ull && u->globals[i].off < op->c[0] + op->size) {
            fault(ck, "overlaps the global %s", u->globals[i].name);
        }
    }
}

static void check_call(Checker *ck, const IrOp *op)
{
    const Helper *h = (const Helper *)(uintptr_t)op->c[0];

    if (!h) {
        fault(ck, "no helper");
    } else if (op->nin != helper_nin(h) || op->nout != (h->ret != IRT_VOID)) {
        fault(ck, "not the helper's arguments");
    }
}

static void branch_to(Checker *ck, uint64_t label)
{
    if (label >= ck->u->nlabels) {
        fault(ck, "no such label");
        return;
    }
    if (ck->placed[label]) {
        fault(ck, "branches backward");
    }
    if (!ck->reached) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ck->have.w); i++) {
        uint64_t before = ck->used[label] ? ck->at_label[label].w[i] : ~0ull;
        ck->at_label[label].w[i] = before & ck->have.w[i];
    }
    ck->used[label] = true;
}

static void place(Checker *ck, uint64_t label)
{
    if (label >= ck->u->nlabels) {
        fault(ck, "no such label");
        return;
    }
    if (ck->placed[label]) {
        fault(ck, "placed twice");
    }
    ck->placed[label] = true;
    for (unsigned i = 0; ck->used[label] && i < ARRAY_SIZE(ck->have.w); i++) {
        uint64_t before = ck->reached ? ck->have.w[i] : ~0ull;
        ck->have.w[i] = before & ck->at_label[label].w[i];
    }
    ck->reached = ck->reached || ck->used[label];
}

static void check_op(Checker *ck, const IrOp *op)
{
    const IrOpDef *def = &ir_op_defs[op->op];

    if (op->nout > ARRAY_SIZE(op->out) || op->nin > IR_MAX_ARGS ||
        (op->op != IR_call && (op->nout != def->outs || op->nin != def->ins))) {
        fault(ck, "wrong number of operands");
        return;
    }
    if (def->flags & IRF_SIZED ? !size_ok(op->size) : op->size != 0) {
        fault(ck, "bad size");
    }
    if (op->cond >= IR_NCONDS || (op->cond && !(def->flags & IRF_COND))) {
        fault(ck, "bad condition");
    }
    if (op->sign && !(def->flags & IRF_SIGN)) {
        fault(ck, "has no signed form");
    }
    check_values(ck, op);
    switch (op->op) {
    case IR_ld_env:
    case IR_st_env:
        check_env(ck, op);
        break;
    case IR_deposit:
        if (op->c[1] < 1 || op->c[1] > 64 || op->c[0] > 64 - op->c[1]) {
            fault(ck, "bad bit field");
        }
        break;
    case IR_call:
        check_call(ck, op);
        break;
    case IR_exit:
        if (op->c[0] > 0xffff) {
            fault(ck, "code too big");
        }
        break;
    case IR_xop:
        if (!op->c[0] || op->c[1] >= ck->u->npayloads) {
            fault(ck, "no such payload");
        }
        break;
    case IR_label:
        place(ck, op->c[0]);
        break;
    case IR_br:
    case IR_brcond:
        branch_to(ck, op->c[0]);
        break;
    default:
        break;
    }
    if (def->flags & IRF_END) {
        ck->reached = false;
    }
}

unsigned ir_check(const IrUnit *u, char *msg, size_t size)
{
    Checker *ck = calloc(1, sizeof(*ck));
    unsigned faults = 1;

    if (size) {
        msg[0] = 0;
    }
    if (ck) {
        ck->u = u;
        ck->msg = msg;
        ck->size = size;
        ck->reached = true;
        if (u->failed) {
            fault(ck, "grew past a limit");
        }
        for (ck->at = 0; ck->at < u->nops; ck->at++) {
            if (u->ops[ck->at].op < IR_NOPS) {
                check_op(ck, &u->ops[ck->at]);
            } else {
                fault(ck, "no operation");
            }
        }
        if (ck->reached) {
            fault(ck, "control runs off the end");
        }
        for (unsigned i = 0; i < u->nlabels; i++) {
            if (ck->used[i] && !ck->placed[i]) {
                fault(ck, "L%u is placed nowhere", i);
            }
        }
        faults = ck->faults;
        if (ck->f) {
            fclose(ck->f);
        }
    }
    free(ck);
    return faults;
}

void ir_verify(const IrUnit *u, const char *where)
{
#ifdef CONFIG_CHECKS
    char msg[2048];
    if (ir_check(u, msg, sizeof(msg))) {
        fprintf(stderr, "IR broken %s:\n%s", where, msg);
        ir_dump(stderr, u);
        abort();
    }
#endif
}
